#include <inttypes.h>
#include <stdlib.h>

#include "src/control/commands.h"

static const char *port_by_index(void *arg, uint32_t index)
{
    const struct sluice *sw = arg;
    struct bridge_port *bp = bridge_port_by_index(sw->dp, index);
    return bp ? bp->name : NULL;
}

struct dump {
    const struct sluice *sw;
    struct control_reply *reply;
    uint64_t now;
};

/* One line as dpctl/dump-flows of OVS prints it. */
static void dump_megaflow(void *arg, const struct megaflow_info *info)
{
    struct dump *d = arg;
    struct flow_key copy;
    char actions[4096];
    void *sw = (void *)(uintptr_t)d->sw;
    char *match = megaflow_format(megaflow_key(info->mf, &copy), megaflow_mask(info->mf), port_by_index, sw);
    program_format(megaflow_program(info->mf), port_by_index, sw, actions, sizeof actions);
    double used = info->stats.used_ms ? (d->now - info->stats.used_ms) / 1000.0 : -1;
    if (used < 0 && info->stats.used_ms)
        used = 0;
    control_printf(d->reply, "%s, packets:%" PRIu64 ", bytes:%" PRIu64 ", used:", match, info->stats.packets,
                   info->stats.bytes);
    if (info->stats.used_ms)
        control_printf(d->reply, "%.3fs", used);
    else
        control_printf(d->reply, "never");
    control_printf(d->reply, ", actions:%s\n", actions);
    json_array_append_new(d->reply->json,
                          json_pack("{s:s,s:s,s:I,s:I,s:f,s:s,s:f}", "bridge", info->bridge->name, "match", match,
                                    "packets", (json_int_t)info->stats.packets, "bytes", (json_int_t)info->stats.bytes,
                                    "used_s", used, "actions", actions, "age_s", (d->now - info->created_ms) / 1000.0));
    free(match);
}

static void cmd_dump(void *arg, int argc, const char *const *argv, struct control_reply *reply)
{
    struct sluice *sw = arg;
    struct bridge *br = NULL;
    if (argc > 1 && !(br = command_bridge(sw, argc, argv, 1, reply)))
        return;
    struct dump d = {.sw = sw, .reply = reply, .now = datapath_now_ms()};
    reply->json = json_array();
    flows_for_each(sw->flows, br, dump_megaflow, &d);
}

static void cmd_flows(void *arg, int argc, const char *const *argv, struct control_reply *reply)
{
    struct sluice *sw = arg;
    struct flows_stats s;
    flows_get_stats(sw->flows, &s);
    reply->json = json_object();
    const struct {
        const char *name;
        uint64_t value;
        const char *doc;
    } rows[] = {
        {"megaflows", s.n_megaflows, "installed now"},
        {"masks", s.n_masks, "tuples they are in"},
        {"misses", s.misses, "packets that no megaflow matched"},
        {"installed", s.installed, "megaflows installed since start"},
        {"duplicates", s.duplicates, "misses that found their megaflow installed meanwhile"},
        {"punts", s.punts, "packets that a rule sent to the control thread"},
        {"packet_ins", s.packet_ins, "packets given to controllers"},
        {"packet_outs", s.packet_outs, "packets that controllers sent"},
        {"rules_indexed", s.rules_indexed, "added rules whose megaflows an index told, without a sweep"},
        {"revalidated", s.revalidated, "megaflows translated again after a change"},
        {"changed", s.changed, "of those, got another action program"},
        {"deleted_changed", s.deleted_changed, "of those, were removed"},
        {"deleted_idle", s.deleted_idle, "removed because no packet used them"},
        {"evicted", s.evicted, "removed to make room at the limit"},
        {"refused_limit", s.refused_limit, "not installed because of the limit"},
        {"masks_merged", s.masks_merged, "installed under a mask with more bits, to bound the tuples"},
        {"pending_changes", s.pending_changes, "changes not yet worked off"},
        {"translations", s.translations, "runs of the pipeline"},
        {"cycles_a_translation", s.translations ? s.translate_cycles / s.translations : 0, "TSC cycles, mean"},
        {"turns", sw->turns, "turns of the control thread's loop"},
        {"longest_turn_us", sw->longest_turn_us, "longest of them, microseconds"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        control_printf(reply, "%-22s %12" PRIu64 "  %s\n", rows[i].name, rows[i].value, rows[i].doc);
        json_object_set_new(reply->json, rows[i].name, json_integer(rows[i].value));
    }
}

void commands_register_flows(struct control *control, struct sluice *sw)
{
    control_register(control, "flows", "", 0, 0, cmd_flows, sw);
    control_register(control, "dpctl/dump-flows", "[bridge]", 0, 1, cmd_dump, sw);
}
