/* ofproto/trace: translates a packet described as text and tells the way that it takes, through each recirculation.
 * Control thread. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "pmd/base/memory.h"
#include "src/control/commands.h"
#include "src/match/field.h"
#include "src/xlate/xlate.h"

struct tracer {
    struct bridge *br;
    struct control_reply *reply;
    json_t *steps;
};

static void indent(struct control_reply *reply, unsigned depth, unsigned more)
{
    for (unsigned i = 0; i < depth * 4 + more; i++)
        control_printf(reply, " ");
}

static void heading(struct control_reply *reply, const struct bridge *br)
{
    control_printf(reply, "\nbridge(\"%s\")\n", br->name);
    for (size_t i = 0; i < strlen(br->name) + 10; i++)
        control_printf(reply, "-");
    control_printf(reply, "\n");
}

static void on_bridge(void *arg, const struct bridge *br)
{
    struct tracer *t = arg;

    heading(t->reply, br);
    json_array_append_new(t->steps, json_pack("{s:i,s:s,s:[]}", "depth", 0, "bridge", br->name, "actions"));
}

static void on_table(void *arg, unsigned depth, uint8_t table_id, const struct rule *rule, const struct flow *flow)
{
    struct tracer *t = arg;
    json_t *step = json_pack("{s:i,s:i,s:[]}", "depth", (int)depth, "table", (int)table_id, "actions");

    indent(t->reply, depth, 0);
    if (rule) {
        struct match match;
        rule_match(rule, &match);
        char *text = match_format(&match, NULL, NULL);
        char *acts = act_list_format(&rule->acts, NULL, NULL);
        control_printf(t->reply, "%2u. %s%spriority %u", table_id, text, *text ? ", " : "", rule->priority);
        if (rule->cookie)
            control_printf(t->reply, ", cookie %#" PRIx64, rule->cookie);
        control_printf(t->reply, "\n");
        json_object_set_new(step, "match", json_string(text));
        json_object_set_new(step, "rule_actions", json_string(acts));
        json_object_set_new(step, "priority", json_integer(rule->priority));
        json_object_set_new(step, "cookie", json_integer(rule->cookie));
        free(text);
        free(acts);
    } else {
        control_printf(t->reply, "%2u. No match.\n", table_id);
        json_object_set_new(step, "match", json_null());
    }
    json_array_append_new(t->steps, step);
}

static void on_text(void *arg, unsigned depth, const char *text)
{
    struct tracer *t = arg;

    indent(t->reply, depth, 4);
    control_printf(t->reply, "%s\n", text);
    json_t *step = json_array_get(t->steps, json_array_size(t->steps) - 1);
    if (step)
        json_array_append_new(json_object_get(step, "actions"), json_string(text));
}

static void on_action_set(void *arg)
{
    struct tracer *t = arg;

    control_printf(t->reply, "--. Executing action set:\n");
    json_array_append_new(t->steps, json_pack("{s:i,s:b,s:[]}", "depth", 0, "action_set", 1, "actions"));
}

static bool port_by_name(void *arg, const char *text, uint32_t *ofport)
{
    return bridge_ofport_parse(arg, text, ofport);
}

/* With it translation has its side effects: rules and addresses are learned. (The packet itself is not sent.) */
static bool is_generate(const char *word)
{
    return !strcmp(word, "-generate") || !strcmp(word, "--generate");
}

/* What the command was asked for. */
struct asked {
    bool generate;
    const char *words[2]; /* where, what */
    int n;
    struct bridge *br;
    struct flow flow;
};

static bool take_words(struct asked *asked, int argc, const char *const *argv, struct control_reply *reply)
{
    for (int i = 1; i < argc; i++) {
        if (is_generate(argv[i])) {
            asked->generate = true;
        } else if (argv[i][0] == '-') {
            control_fail(reply, "%s: option not known; ofproto/trace takes [bridge] flow [-generate]", argv[i]);
            return false;
        } else if (asked->n == 2) {
            control_fail(reply, "%s: too many words; ofproto/trace takes [bridge] flow", argv[i]);
            return false;
        } else {
            asked->words[asked->n++] = argv[i];
        }
    }
    return true;
}

static bool refuse(struct control_reply *reply, char *error)
{
    control_fail(reply, "%s", error);
    free(error);
    return false;
}

/* "[datapath] in_port(1),eth(...)": the port says which bridge. */
static bool find_datapath_flow(struct sluice *sw, struct asked *asked, struct control_reply *reply)
{
    char *error = megaflow_parse(asked->words[asked->n - 1], command_port_index, sw, &asked->flow);

    if (error)
        return refuse(reply, error);
    const struct bridge_port *bp = bridge_port_by_index(sw->dp, asked->flow.pkt.in_port);
    if (!bp) {
        control_fail(reply, "the flow's in_port() is not a port of a bridge (dpif/show has their numbers)");
        return false;
    }
    asked->br = bp->bridge;
    asked->flow.in_port = bp->ofport;
    if (asked->n < 2 || command_is_datapath(asked->words[0]) || !strcmp(asked->words[0], asked->br->name))
        return true;
    control_fail(reply, "%s: not the datapath, nor the bridge of port %s", asked->words[0], bp->name);
    return false;
}

/* "[bridge] in_port=1,udp,..." */
static bool find_flow(struct sluice *sw, struct asked *asked, struct control_reply *reply)
{
    struct match match;

    asked->br = command_bridge(sw, asked->n == 2 ? 1 : 0, asked->words, asked->n == 2 ? 0 : 1, reply);
    if (!asked->br)
        return false;
    char *error = match_parse(asked->words[asked->n - 1], &match, port_by_name, asked->br);
    if (error)
        return refuse(reply, error);
    const struct bridge_port *from = bridge_port_by_ofport(asked->br, match.value.in_port);
    asked->flow = match.value;
    asked->flow.pkt.in_port = from && from->port ? from->port->index : 0;
    return true;
}

static void trace_flow(struct bridge *br, const struct flow *flow, bool generate, struct control_reply *reply)
{
    struct tracer t = {.br = br, .reply = reply, .steps = json_array()};
    const struct xlate_trace trace = {.arg = &t,
                                      .table = on_table,
                                      .action = on_text,
                                      .note = on_text,
                                      .bridge = on_bridge,
                                      .action_set = on_action_set};
    struct xlate_in *in = aligned_alloc(64, sizeof *in);
    struct xlate_out *out = aligned_alloc(64, (sizeof *out + 63) / 64 * 64);
    if (!in || !out)
        out_of_memory("a command", 0);
    memset(in, 0, sizeof *in);
    in->bridge = br;
    in->flow = *flow;
    in->trace = &trace;
    in->side_effects = generate;

    char *text = flow_format(&in->flow, NULL, NULL);
    control_printf(reply, "Flow: %s\n", text);
    json_t *flow_json = json_string(text);
    free(text);
    heading(reply, br);

    xlate_out_init(out);
    xlate(in, out);
    /* Of the pipeline, not of the packet. */
    out->final.actset_output = in->flow.actset_output;
    out->final.in_phy_port = in->flow.in_phy_port;

    text = flow_format(&out->final, NULL, NULL);
    bool unchanged = !memcmp(&out->final, &in->flow, sizeof in->flow);
    control_printf(reply, "\nFinal flow: %s\n", unchanged ? "unchanged" : text);
    json_t *final_json = json_string(text);
    free(text);

    struct match mega = {.value = in->flow};
    mega.mask.pkt = out->wc.pkt;
    mega.mask.in_port = UINT32_MAX;
    match_normalize(&mega);
    text = match_format_megaflow(&mega, NULL, NULL);
    control_printf(reply, "Megaflow: %s\n", text);
    json_t *mega_json = json_string(text);
    free(text);

    struct program_table *table = program_table_create();
    struct program *program = program_intern(table, &out->program);
    char actions[4096] = "drop";
    if (program && !out->error)
        program_format(program, NULL, NULL, actions, sizeof actions);
    bool dropped = !strncmp(actions, "drop", 4);
    if (dropped)
        actions[4] = '\0'; /* as OVS has it; the reason follows */
    control_printf(reply, "Datapath actions: %s\n", actions);
    if (dropped)
        control_printf(reply, "Drop reason: %s (%s)\n", drop_reason_name(out->drop_reason),
                       drop_reason_doc(out->drop_reason));
    if (program && program_unref(table, program))
        free(program);
    program_table_destroy(table);

    reply->json = json_pack("{s:s,s:o,s:o,s:o,s:o,s:s}", "bridge", br->name, "flow", flow_json, "tables", t.steps,
                            "final_flow", final_json, "megaflow", mega_json, "datapath_actions", actions);
    if (dropped)
        json_object_set_new(reply->json, "drop_reason", json_string(drop_reason_name(out->drop_reason)));
    xlate_out_free(out);
    free(out);
    free(in);
}

static void cmd_trace(void *arg, int argc, const char *const *argv, struct control_reply *reply)
{
    struct asked asked = {0};

    if (!take_words(&asked, argc, argv, reply))
        return;
    if (!asked.n)
        return control_fail(reply, "ofproto/trace: give a flow");
    bool found =
        strchr(asked.words[asked.n - 1], '(') ? find_datapath_flow(arg, &asked, reply) : find_flow(arg, &asked, reply);
    if (found)
        trace_flow(asked.br, &asked.flow, asked.generate, reply);
}

void commands_register_trace(struct control *control, struct sluice *sw)
{
    control_register(control, "ofproto/trace", "{[dp] odp_flow | [bridge] br_flow} [-generate]", 1, 5, cmd_trace, sw);
}
