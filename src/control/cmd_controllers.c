/* controllers: the OpenFlow connections of each bridge, with what waits and what was dropped. */
#include <inttypes.h>
#include <string.h>

#include "pmd/base/clock.h"
#include "src/control/commands.h"
#include "src/openflow/server/connection.h"
#include "src/openflow/server/server.h"

struct show {
    struct control_reply *reply;
    const char *bridge;
    bool all; /* those of tools too */
};

static void show_counts(struct control_reply *reply, const struct of_connection_info *info)
{
    const struct of_counts *n = &info->counts;

    control_printf(reply, "  messages rx %" PRIu64 " tx %" PRIu64 ", errors sent %" PRIu64 "\n", n->rx_messages,
                   n->tx_messages, n->errors_sent);
    control_printf(reply,
                   "  packet-ins %" PRIu64 ", dropped %" PRIu64 " (above the rate %" PRIu64 ", not read %" PRIu64
                   "), other asynchronous messages dropped %" PRIu64 "\n",
                   n->packet_ins, n->packet_ins_limited + n->packet_ins_dropped, n->packet_ins_limited,
                   n->packet_ins_dropped, n->async_dropped);
    control_printf(reply, "  queue %" PRIu64 " bytes, most %" PRIu64 "\n", info->backlog, info->backlog_max);
}

static void show_connection(void *arg, const struct of_connection_info *info)
{
    const struct show *show = arg;
    struct control_reply *reply = show->reply;
    const struct of_counts *n = &info->counts;

    if (!info->is_controller && !show->all)
        return;
    uint64_t seconds = (clock_now_ms() - info->changed_ms) / 1000;
    const char *kind = info->is_configured ? "controller" : info->is_controller ? "listen" : "mgmt";
    control_printf(reply, "%s %s", show->bridge, info->target);
    if (info->auxiliary_id)
        control_printf(reply, " auxiliary %u", info->auxiliary_id);
    control_printf(reply, ": %s for %" PRIu64 " s, role %s, %s", info->state, seconds, info->role,
                   of_version_name(info->version));
    control_printf(reply, info->last_error[0] ? ", last error: %s\n" : "\n", info->last_error);
    show_counts(reply, info);

    json_t *object =
        json_pack("{s:s,s:s,s:s,s:i,s:s,s:I,s:s,s:s,s:s}", "bridge", show->bridge, "target", info->target, "kind", kind,
                  "auxiliary_id", (int)info->auxiliary_id, "state", info->state, "seconds", (json_int_t)seconds, "role",
                  info->role, "version", of_version_name(info->version), "last_error", info->last_error);
    json_object_update_new(
        object, json_pack("{s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I}", "rx_messages", (json_int_t)n->rx_messages,
                          "tx_messages", (json_int_t)n->tx_messages, "errors_sent", (json_int_t)n->errors_sent,
                          "packet_ins", (json_int_t)n->packet_ins, "packet_ins_limited",
                          (json_int_t)n->packet_ins_limited, "packet_ins_dropped", (json_int_t)n->packet_ins_dropped,
                          "async_dropped", (json_int_t)n->async_dropped, "queue_bytes", (json_int_t)info->backlog,
                          "queue_bytes_max", (json_int_t)info->backlog_max));
    json_array_append_new(reply->json, object);
}

static void cmd_controllers(void *arg, int argc, const char *const *argv, struct control_reply *reply)
{
    struct sluice *sw = arg;
    struct bridge *br;
    const char *only = NULL;
    bool all = false;

    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "all"))
            all = true;
        else
            only = argv[i];
    }
    if (only && !switch_bridge(sw, only)) {
        control_fail(reply, "%s: no such bridge", only);
        return;
    }
    reply->json = json_array();
    TAILQ_FOREACH (br, &sw->bridges, node) {
        struct show show = {reply, br->name, all};
        if (switch_of(br) && (!only || !strcmp(only, br->name)))
            of_server_for_each_connection(switch_of(br), show_connection, &show);
    }
}

void commands_register_controllers(struct control *control, struct sluice *sw)
{
    control_register(control, "controllers", "[bridge] [all]", 0, 2, cmd_controllers, sw);
}
