/* controllers: the OpenFlow connections of each bridge, with what waits and what was dropped. */
#include <inttypes.h>
#include <string.h>

#include "src/app/status.h"
#include "src/control/commands.h"
#include "src/openflow/server/connection.h"

struct show {
    struct control_reply *reply;
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

static void show_connection(void *arg, const struct status_connection *connection)
{
    const struct show *show = arg;
    struct control_reply *reply = show->reply;
    const struct of_connection_info *info = &connection->info;

    if (!info->is_controller && !show->all)
        return;
    control_printf(reply, "%s %s", connection->bridge, info->target);
    if (info->auxiliary_id)
        control_printf(reply, " auxiliary %u", info->auxiliary_id);
    control_printf(reply, ": %s for %" PRIu64 " s, role %s, %s", info->state, connection->seconds, info->role,
                   of_version_name(info->version));
    control_printf(reply, info->last_error[0] ? ", last error: %s\n" : "\n", info->last_error);
    show_counts(reply, info);

    json_t *object = json_pack("{s:s,s:s,s:s,s:i,s:s,s:I,s:s,s:s,s:s}", "bridge", connection->bridge, "target",
                               info->target, "kind", connection->kind, "auxiliary_id", (int)info->auxiliary_id, "state",
                               info->state, "seconds", (json_int_t)connection->seconds, "role", info->role, "version",
                               of_version_name(info->version), "last_error", info->last_error);
    metrics_to_json(status_kinds[STATUS_CONNECTION].metrics, status_kinds[STATUS_CONNECTION].n_metrics, connection,
                    object);
    json_array_append_new(reply->json, object);
}

static void cmd_controllers(void *arg, int argc, const char *const *argv, struct control_reply *reply)
{
    const struct sluice *sw = arg;
    struct show show = {.reply = reply};
    const char *only = NULL;

    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "all"))
            show.all = true;
        else
            only = argv[i];
    }
    if (only && !switch_bridge(sw, only)) {
        control_fail(reply, "%s: no such bridge", only);
        return;
    }
    reply->json = json_array();
    status_for_each_connection(sw, only, show_connection, &show);
}

void commands_register_controllers(struct control *control, struct sluice *sw)
{
    control_register(control, "controllers", "[bridge] [all]", 0, 2, cmd_controllers, sw);
}
