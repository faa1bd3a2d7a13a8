/* ofproto/trace: translates a packet described as text and tells the way that it takes, through each recirculation.
 * Control thread. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "pmd/base/memory.h"
#include "src/agents/underlay.h"
#include "src/control/commands.h"
#include "src/match/field.h"
#include "src/xlate/xlate.h"

#define FORKS_MAX 8

struct tracer {
    const struct flows *flows;
    struct bridge *br;
    struct control_reply *reply;
    json_t *steps;
    /* Copies of the packet that connection tracking has go on; and what the user says that it finds, in their order. */
    unsigned n_forks, n_ct_next;
    struct flow forks[FORKS_MAX];
    struct bridge *fork_bridges[FORKS_MAX];
    uint8_t ct_next[FORKS_MAX];
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

/* --- the states that --ct-next gives ------------------------------------- */

static const struct {
    const char *name;
    uint8_t bit;
} ct_states[] = {{"trk", CT_STATE_TRK}, {"new", CT_STATE_NEW}, {"est", CT_STATE_EST},   {"rel", CT_STATE_REL},
                 {"rpl", CT_STATE_RPL}, {"inv", CT_STATE_INV}, {"snat", CT_STATE_SNAT}, {"dnat", CT_STATE_DNAT}};

static uint8_t ct_state_bit(const char *name, size_t len)
{
    for (size_t i = 0; i < sizeof ct_states / sizeof ct_states[0]; i++) {
        if (strlen(ct_states[i].name) == len && !strncmp(ct_states[i].name, name, len))
            return ct_states[i].bit;
    }
    return 0;
}

/* "trk,new" or "trk|new". 0: it is none. */
static uint8_t ct_state_parse(const char *text)
{
    uint8_t state = 0;

    for (;;) {
        const size_t len = strcspn(text, ",|");
        const uint8_t bit = ct_state_bit(text, len);

        if (bit == 0)
            return 0;
        state |= bit;
        if (text[len] == '\0')
            return state;
        text += len + 1;
    }
}

static const char *ct_state_text(uint8_t state)
{
    static char text[64];

    text[0] = '\0';
    for (size_t i = 0; i < sizeof ct_states / sizeof ct_states[0]; i++) {
        if (state & ct_states[i].bit)
            snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", *text ? "|" : "", ct_states[i].name);
    }
    return text;
}

/* What the command was asked for. */
struct asked {
    unsigned n_ct_next;
    uint8_t ct_next[FORKS_MAX]; /* as what copies of the packet are tracked, in their order */
    bool generate;
    const char *words[2]; /* where, what */
    int n;
    struct bridge *br;
    struct flow flow;
};

static bool take_ct_next(struct asked *asked, const char *text, struct control_reply *reply)
{
    const uint8_t state = ct_state_parse(text);

    if (state == 0 || asked->n_ct_next == FORKS_MAX) {
        control_fail(reply, "--ct-next %s: not a state as \"trk,new\", or more than %u", text, FORKS_MAX);
        return false;
    }
    asked->ct_next[asked->n_ct_next++] = state | CT_STATE_TRK;
    return true;
}

static bool take_words(struct asked *asked, int argc, const char *const *argv, struct control_reply *reply)
{
    for (int i = 1; i < argc; i++) {
        if (is_generate(argv[i])) {
            asked->generate = true;
        } else if (!strncmp(argv[i], "--ct-next=", 10)) {
            if (!take_ct_next(asked, argv[i] + 10, reply))
                return false;
        } else if (!strcmp(argv[i], "--ct-next") && i + 1 < argc) {
            if (!take_ct_next(asked, argv[++i], reply))
                return false;
        } else if (argv[i][0] == '-') {
            control_fail(reply,
                         "%s: option not known; ofproto/trace takes [bridge] flow [-generate] [--ct-next state]...",
                         argv[i]);
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

/* --- translations -------------------------------------------------------- */

static void on_fork(void *arg, struct bridge *bridge, const struct flow *flow)
{
    struct tracer *t = arg;

    if (t->n_forks == FORKS_MAX)
        return;
    t->fork_bridges[t->n_forks] = bridge;
    t->forks[t->n_forks++] = *flow;
}

static void put_final_flow(struct tracer *t, const struct xlate_in *in, const struct xlate_out *out, json_t *json)
{
    char *text = flow_format(&out->final, NULL, NULL);
    bool unchanged = !memcmp(&out->final, &in->flow, sizeof in->flow);

    control_printf(t->reply, "\nFinal flow: %s\n", unchanged ? "unchanged" : text);
    json_object_set_new(json, "final_flow", json_string(text));
    free(text);
}

static void put_megaflow(struct tracer *t, const struct xlate_in *in, const struct xlate_out *out, json_t *json)
{
    struct match mega = {.value = in->flow};
    char *text;

    mega.mask.pkt = out->wc.pkt;
    mega.mask.in_port = UINT32_MAX;
    match_normalize(&mega);
    text = match_format_megaflow(&mega, NULL, NULL);
    control_printf(t->reply, "Megaflow: %s\n", text);
    json_object_set_new(json, "megaflow", json_string(text));
    free(text);
}

static void put_slow(struct tracer *t, const struct xlate_out *out, json_t *json)
{
    bool slow = flows_is_slow(t->flows, &out->program);

    if (slow)
        control_printf(t->reply, "This flow is handled by the userspace slow path because it:\n"
                                 "  - Uses action(s) not supported by datapath.\n");
    json_object_set_new(json, "slow", json_boolean(slow));
}

static void put_program(struct tracer *t, const struct xlate_out *out, json_t *json)
{
    struct program_table *table = program_table_create();
    struct program *program = !table ? NULL : program_intern(table, &out->program);
    char actions[4096] = "drop";
    bool dropped;

    if (!program)
        out_of_memory("a command", 0);
    if (!out->error)
        program_format(program, NULL, NULL, actions, sizeof actions);
    dropped = !strncmp(actions, "drop", 4);
    if (dropped)
        actions[4] = '\0'; /* as OVS has it; the reason follows */
    control_printf(t->reply, "Datapath actions: %s\n", actions);
    json_object_set_new(json, "datapath_actions", json_string(actions));
    if (dropped) {
        control_printf(t->reply, "Drop reason: %s (%s)\n", drop_reason_name(out->drop_reason),
                       drop_reason_doc(out->drop_reason));
        json_object_set_new(json, "drop_reason", json_string(drop_reason_name(out->drop_reason)));
    }
    if (program_unref(table, program))
        free(program);
    program_table_destroy(table);
}

/* Translates in->flow and tells of it. Returns the same as JSON. */
static json_t *trace_one(struct tracer *t, struct xlate_in *in, struct xlate_out *out)
{
    json_t *json = json_pack("{s:s}", "bridge", in->bridge->name);
    char *text = flow_format(&in->flow, NULL, NULL);

    t->steps = json_array();
    control_printf(t->reply, "Flow: %s\n", text);
    json_object_set_new(json, "flow", json_string(text));
    free(text);
    heading(t->reply, in->bridge);
    xlate(in, out);
    /* These belong to the pipeline, not to the packet. */
    out->final.actset_output = in->flow.actset_output;
    out->final.in_phy_port = in->flow.in_phy_port;
    put_final_flow(t, in, out, json);
    put_megaflow(t, in, out, json);
    put_program(t, out, json);
    put_slow(t, out, json);
    json_object_set_new(json, "tables", t->steps);
    return json;
}

static void put_rule_off(struct control_reply *reply)
{
    for (unsigned i = 0; i < 79; i++)
        control_printf(reply, "=");
    control_printf(reply, "\n");
}

/* The copies of the packet that ct(table=...) tracks, one after the other, and those of these. */
static void trace_forks(struct tracer *t, struct xlate_in *in, struct xlate_out *out, json_t *json)
{
    json_t *all = json_array();

    for (unsigned i = 0; i < t->n_forks; i++) {
        struct flow_key *key = &t->forks[i].pkt;
        const bool given = i < t->n_ct_next;

        key->ct_state = given ? t->ct_next[i] : CT_STATE_TRK | CT_STATE_NEW;
        control_printf(t->reply, "\n");
        put_rule_off(t->reply);
        control_printf(t->reply, "recirc(0x%x) - resume conntrack with %sct_state=%s%s\n", key->recirc_id,
                       given ? "" : "default ", ct_state_text(key->ct_state),
                       given ? "" : " (use --ct-next to customize)");
        put_rule_off(t->reply);
        control_printf(t->reply, "\n");
        in->flow = t->forks[i];
        in->bridge = t->fork_bridges[i];
        in->elsewhere = in->bridge != t->br;
        json_array_append_new(all, trace_one(t, in, out));
    }
    if (t->n_forks > 0)
        json_object_set(json, "recirculations", all);
    json_decref(all);
}

static void trace_flow(const struct sluice *sw, const struct asked *asked, struct control_reply *reply)
{
    struct tracer *t = aligned_alloc(64, (sizeof *t + 63) / 64 * 64);
    struct xlate_in *in = aligned_alloc(64, sizeof *in);
    struct xlate_out *out = aligned_alloc(64, (sizeof *out + 63) / 64 * 64);

    if (!t || !in || !out)
        out_of_memory("a command", 0);
    const struct xlate_trace trace = {.arg = t,
                                      .table = on_table,
                                      .action = on_text,
                                      .note = on_text,
                                      .bridge = on_bridge,
                                      .fork = on_fork,
                                      .action_set = on_action_set};
    memset(t, 0, sizeof *t);
    t->flows = sw->flows;
    t->br = asked->br;
    t->reply = reply;
    t->n_ct_next = asked->n_ct_next;
    memcpy(t->ct_next, asked->ct_next, sizeof t->ct_next);
    memset(in, 0, sizeof *in);
    in->bridge = asked->br;
    in->flow = asked->flow;
    in->trace = &trace;
    in->tunnels = sw->tunnels;
    in->hops = sw->underlay->hops;
    in->neighbours = sw->underlay->neighbours;
    in->side_effects = asked->generate;
    xlate_out_init(out);
    reply->json = trace_one(t, in, out);
    trace_forks(t, in, out, reply->json);
    xlate_out_free(out);
    free(out);
    free(in);
    free(t);
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
        trace_flow(arg, &asked, reply);
}

void commands_register_trace(struct control *control, struct sluice *sw)
{
    control_register(control, "ofproto/trace", "{[dp] odp_flow | [bridge] br_flow} [-generate] [--ct-next state]...", 1,
                     24, cmd_trace, sw);
}
