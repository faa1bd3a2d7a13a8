/* bridge/ and ofproto/list: rules with those of the switch itself, connections begun afresh, names. Control thread. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "pmd/base/clock.h"
#include "pmd/base/memory.h"
#include "src/control/commands.h"
#include "src/match/field.h"
#include "src/openflow/server/server.h"

#define DUMP_RULES 64 /* that one step looks at */

/* A dump under way: first counters are brought up to date. */
struct dump {
    struct sluice *sw;
    char bridge[PORT_NAME_MAX];
    bool offload; /* counters of what hardware does, of which there is none */
    uint64_t pass;
    struct rule_cursor *cursor; /* NULL: not yet */
};

static void dump_end(void *arg)
{
    struct dump *dump = arg;

    if (dump->cursor)
        rule_cursor_close(dump->cursor);
    free(dump);
}

static void dump_json(const struct rule *rule, const char *match, const char *acts, struct control_reply *reply)
{
    control_element(reply, json_pack("{s:i,s:I,s:I,s:i,s:I,s:s,s:s,s:b}", "table", (int)rule->table_id, "packets",
                                     (json_int_t)rule->packets, "bytes", (json_int_t)rule->bytes, "priority",
                                     (int)rule->priority, "cookie", (json_int_t)rule->cookie, "match", match, "actions",
                                     acts, "hidden", (rule->flags & RULE_HIDDEN) != 0));
}

static void dump_rule(const struct dump *dump, const struct rule *rule, struct control_reply *reply)
{
    struct match match;

    rule_match(rule, &match);
    char *text = match_format(&match, NULL, NULL);
    char *acts = act_list_format(&rule->acts, NULL, NULL);

    if (reply->as_json) {
        dump_json(rule, text, acts, reply);
    } else {
        if (rule->table_id)
            control_printf(reply, "table_id=%u, ", rule->table_id);
        control_printf(reply, "duration=%" PRIu64 "s, n_packets=%" PRIu64 ", n_bytes=%" PRIu64 ", ",
                       (clock_now_ms() - rule->created_ms) / 1000, rule->packets, rule->bytes);
        if (dump->offload)
            control_printf(reply, "n_offload_packets=0, n_offload_bytes=0, ");
        control_printf(reply, "priority=%u,%s%sactions=%s\n", rule->priority, text, *text ? "," : "",
                       *acts ? acts : "drop");
    }
    free(text);
    free(acts);
}

static bool dump_more(void *arg, struct control_reply *reply)
{
    static const struct rule_filter all = {
        .table_id = TABLE_ALL, .out_port = OFPORT_ANY, .out_group = OFGROUP_ANY, .hidden_too = true};
    struct dump *dump = arg;
    const struct bridge *br;
    struct rule *rule = NULL;

    if (!flows_counted(dump->sw->flows, dump->pass))
        return true;
    if (!dump->cursor) {
        br = switch_bridge(dump->sw, dump->bridge);
        if (!br)
            return false;
        dump->cursor = rule_cursor_open(br->pipeline, &all);
    }
    enum rule_cursor_state state = rule_cursor_look(dump->cursor, DUMP_RULES, &rule);
    if (state == RULE_CURSOR_FOUND)
        dump_rule(dump, rule, reply);
    return state != RULE_CURSOR_END;
}

static void cmd_dump(void *arg, int argc, const char *const *argv, struct control_reply *reply)
{
    struct sluice *sw = arg;
    bool offload = !strcmp(argv[1], "--offload-stats");
    const struct bridge *br = command_bridge(sw, argc, argv, offload ? 2 : 1, reply);

    if (!br)
        return;
    struct dump *dump = calloc(1, sizeof *dump);
    if (!dump)
        out_of_memory("a command", 0);
    dump->sw = sw;
    dump->offload = offload;
    snprintf(dump->bridge, sizeof dump->bridge, "%s", br->name);
    dump->pass = flows_count(sw->flows, 0);
    reply->stream = (struct control_stream){.more = dump_more, .end = dump_end, .arg = dump};
}

static void cmd_reconnect(void *arg, int argc, const char *const *argv, struct control_reply *reply)
{
    struct sluice *sw = arg;
    struct bridge *br;

    if (argc > 1 && !command_bridge(sw, argc, argv, 1, reply))
        return;
    TAILQ_FOREACH (br, &sw->bridges, node)
        if (switch_of(br) && (argc < 2 || !strcmp(argv[1], br->name)))
            of_server_reconnect(switch_of(br), "asked to reconnect");
}

static void cmd_list(void *arg, int argc, const char *const *argv, struct control_reply *reply)
{
    struct sluice *sw = arg;
    struct bridge *br;

    reply->json = json_array();
    TAILQ_FOREACH (br, &sw->bridges, node) {
        control_printf(reply, "%s\n", br->name);
        json_array_append_new(reply->json, json_string(br->name));
    }
}

void commands_register_ofproto(struct control *control, struct sluice *sw)
{
    control_register(control, "bridge/dump-flows", "[--offload-stats] bridge", 1, 2, cmd_dump, sw);
    control_register(control, "bridge/reconnect", "[bridge]", 0, 1, cmd_reconnect, sw);
    control_register(control, "ofproto/list", "", 0, 0, cmd_list, sw);
}
