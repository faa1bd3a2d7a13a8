/* For any rules and any packet, the answer through the caches is the answer of the pipeline, and that is what the rules
 * say; also after random changes.
 *
 * Each packet is worked out three times: by the megaflow that it hits (installed by an earlier packet as a rule), by a
 * translation of its own, and by the oracle, which knows nothing of masks. SEED and ROUNDS may be given in the
 * environment.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "src/upcall/flows_impl.h"
#include "src/xlate/xlate_ctx.h"
#include "src/xlate/punt.h"
#include "src/openflow/codec/continuation.h"
#include "src/tables/group.h"
#include "tests/property/oracle.h"
#include "tests/property/random.h"
#include "tests/lib/bed.h"
#include "tests/lib/packets.h"

#define PACKETS 400 /* a round */
#define RECIRCULATIONS 64

static struct rte_mempool *pool;
static struct bed bed;
static struct xlate_out fresh;
static struct oracle oracle;
/* bed.bridge, and in some rounds others that are joined to it and to each other. */
static struct bridge *bridges[ORACLE_BRIDGES];
static unsigned n_bridges;
static uint32_t last_index; /* of the devices */
static bool failed;         /* a translation of the packet in hand gave up */
static struct events cached_events, fresh_events;
static bool mpls, learning;
static bool taught;     /* the packet in hand changed rules */
static char what[2048]; /* said when a test fails */

static char rule_texts[ORACLE_RULES][2048 + 1024]; /* actions[] of rule_add() and a match */

static void tell_table(void *arg, unsigned depth, uint8_t table_id, const struct rule *rule, const struct flow *flow)
{
    printf("%*s%u. %s\n", (int)depth * 8, "", table_id, rule ? rule_texts[rule->cookie - 1] : "no match");
}

static void tell_action(void *arg, unsigned depth, const char *text)
{
    printf("%*s    %s\n", (int)depth * 8, "", text);
}

static void tell_bridge(void *arg, const struct bridge *bridge)
{
    printf("bridge %s\n", bridge->name);
}

static void tell_action_set(void *arg)
{
    printf("--. action set\n");
}

static struct flow packet_flow;

/* Says what translation does with the packet, and fails. */
#define FAIL(...)                                                                                                      \
    do {                                                                                                               \
        explain();                                                                                                     \
        fail_msg(__VA_ARGS__);                                                                                         \
    } while (0)

static void explain(void)
{
    const struct xlate_trace trace = {.table = tell_table,
                                      .action = tell_action,
                                      .note = tell_action,
                                      .bridge = tell_bridge,
                                      .action_set = tell_action_set};
    struct bridge_port *from = bridge_port_by_index(bed.dp, packet_flow.pkt.in_port);
    struct xlate_in in = {.bridge = from->bridge, .flow = packet_flow, .trace = &trace};
    struct program *program;
    char text[4096];

    printf("\n");
    xlate(&in, &fresh);
    program = program_intern(bed.flows->programs, &fresh.program);
    program_format(program, NULL, NULL, text, sizeof text);
    printf("program: %s\n", text);
}

static struct {
    uint64_t patched;
    uint64_t packets, hits, checked, changes, sent, indexed, paused, came_back;
} totals;

/* --- rules --------------------------------------------------------------- */

/* Clauses share priorities that other rules do not have. */
#define CLAUSE_PRIORITY(n) ((uint16_t)((n)*ORACLE_RULES + ORACLE_RULES - 1))

static bool is_clause(const struct oracle_rule *rule)
{
    return rule->priority % ORACLE_RULES == ORACLE_RULES - 1;
}

static bool is_taken(const struct oracle_rule *rule)
{
    for (unsigned i = 0; i < ORACLE_RULES; i++) {
        const struct oracle_rule *other = &oracle.rules[i];

        if (other->used && other->bridge == rule->bridge && other->table_id == rule->table_id &&
            other->priority == rule->priority && match_equal(&other->match, &rule->match))
            return true;
    }
    return false;
}

/* Of each round: masks that come again and again get an index (src/upcall/rule_index.h). */
static char recurring[4][512];

static struct pipeline *pipeline_of(const struct oracle_rule *rule)
{
    return rule->bridge->pipeline;
}

/* Groups are the first bridge's. */
static uint32_t groups_for(const struct oracle_rule *rule)
{
    return rule->bridge == bed.bridge ? ORACLE_GROUPS : 0;
}

static void rule_add(unsigned slot)
{
    struct oracle_rule *rule = &oracle.rules[slot];
    struct flow_mod fm = {.command = FLOW_ADD, .out_port = OFPORT_ANY, .out_group = OFGROUP_ANY};
    char match[512], actions[2048], *error;

    rule->bridge = bridges[random_below(n_bridges)];
    rule->table_id = (uint8_t)random_below(RANDOM_TABLES);
    /* A priority of its own: which of two equals wins is not said. */
    rule->priority = (uint16_t)(random_below(8) * ORACLE_RULES + slot);
    rule->cookie = slot + 1;
    random_match(match, sizeof match);
    if (random_one_in(2))
        snprintf(match, sizeof match, "%s", recurring[random_below(4)]);
    if (random_one_in(20)) {
        match[0] = '\0';
        if (slot == 0)
            rule->priority = 0;
    }
    if (learning && random_one_in(3)) {
        char more[256];

        random_learn(rule->table_id, more, sizeof more);
        random_actions(rule->table_id, mpls, groups_for(rule), actions, sizeof actions / 2);
        /* Instructions, if there are any, come last. */
        memmove(actions + strlen(more) + 1, actions, strlen(actions) + 1);
        memcpy(actions, more, strlen(more));
        actions[strlen(more)] = ',';
    } else if (random_one_in(3)) {
        rule->priority = CLAUSE_PRIORITY(random_below(2) * 3);
        random_clauses(ORACLE_CONJUNCTIONS, false, actions, sizeof actions);
    } else {
        random_actions(rule->table_id, mpls, groups_for(rule), actions, sizeof actions);
    }
    snprintf(rule_texts[slot], sizeof rule_texts[slot], "%s table=%u,priority=%u,%s,actions=%s", rule->bridge->name,
             rule->table_id, rule->priority, match, actions);
    error = match_parse(match, &rule->match, NULL, NULL);
    if (error) {
        /* Two values for one field. */
        free(error);
        match_init_all(&rule->match);
    }
    if (is_clause(rule) && is_taken(rule))
        return;
    act_buffer_init(&rule->acts);
    error = actions_parse(actions, &rule->acts, NULL, NULL);
    if (error)
        fail_msg("%s: %s", actions, error);
    fm.table_id = rule->table_id;
    fm.priority = rule->priority;
    fm.cookie = rule->cookie;
    fm.match = rule->match;
    fm.acts = act_buffer_list(&rule->acts);
    assert_int_equal(pipeline_flow_mod(pipeline_of(rule), &fm), 0);
    rule->used = true;
}

static void rule_modify(unsigned slot)
{
    struct oracle_rule *rule = &oracle.rules[slot];
    struct flow_mod fm = {.command = FLOW_MODIFY_STRICT,
                          .out_port = OFPORT_ANY,
                          .out_group = OFGROUP_ANY,
                          .table_id = rule->table_id,
                          .priority = rule->priority,
                          .match = rule->match};
    char actions[1024];

    if (is_clause(rule) || random_one_in(10))
        random_clauses(ORACLE_CONJUNCTIONS, !is_clause(rule), actions, sizeof actions);
    else
        random_actions(rule->table_id, mpls, groups_for(rule), actions, sizeof actions);
    act_buffer_free(&rule->acts);
    assert_null(actions_parse(actions, &rule->acts, NULL, NULL));
    fm.acts = act_buffer_list(&rule->acts);
    assert_int_equal(pipeline_flow_mod(pipeline_of(rule), &fm), 0);
    snprintf(rule_texts[slot], sizeof rule_texts[slot], "table=%u,priority=%u (modified),actions=%s", rule->table_id,
             rule->priority, actions);
}

static void rule_delete(unsigned slot)
{
    struct oracle_rule *rule = &oracle.rules[slot];
    struct flow_mod fm = {.command = FLOW_DELETE_STRICT,
                          .out_port = OFPORT_ANY,
                          .out_group = OFGROUP_ANY,
                          .table_id = rule->table_id,
                          .priority = rule->priority,
                          .match = rule->match};

    assert_int_equal(pipeline_flow_mod(pipeline_of(rule), &fm), 0);
    act_buffer_free(&rule->acts);
    rule->used = false;
}

/* --- groups -------------------------------------------------------------- */

static void group_set(uint32_t id, enum group_command command)
{
    struct oracle_group *group = &oracle.groups[id];
    struct bucket buckets[ORACLE_BUCKETS];
    struct group_mod mod = {.command = command, .group_id = id, .buckets = buckets};

    for (unsigned i = 0; i < group->n_buckets; i++)
        act_buffer_free(&group->acts[i]);
    group->type = (uint8_t)random_below(GROUP_N_TYPES);
    if (group->type == GROUP_SELECT && random_one_in(2))
        group->type = GROUP_ALL; /* of those nothing is known but that the caches agree */
    group->n_buckets = group->type == GROUP_INDIRECT ? 1 : random_below(ORACLE_BUCKETS + 1);
    for (unsigned i = 0; i < group->n_buckets; i++) {
        char text[256];

        random_bucket(id, ORACLE_GROUPS, text, sizeof text);
        act_buffer_init(&group->acts[i]);
        assert_null(actions_parse(text, &group->acts[i], NULL, NULL));
        group->watch_port[i] = 1 + random_below(BED_PORTS);
        buckets[i] = (struct bucket){.id = i,
                                     .weight = group->type == GROUP_SELECT ? (uint16_t)random_below(4) : 0,
                                     .watch_port = group->type == GROUP_FF ? group->watch_port[i] : OFPORT_ANY,
                                     .watch_group = OFGROUP_ANY,
                                     .acts = act_buffer_list(&group->acts[i])};
    }
    mod.type = group->type;
    mod.n_buckets = group->n_buckets;
    assert_int_equal(group_table_mod(pipeline_groups(bed.bridge->pipeline), &mod), 0);
}

/* The oracle takes over what was learned. */
static void sync_macs(void)
{
    const struct mac_entry *entry;

    oracle.n_macs = 0;
    for (unsigned i = 0; i < n_bridges; i++) {
        size_t position = 0;

        while ((entry = mac_table_next(bridges[i]->macs, &position)))
            oracle.macs[oracle.n_macs++] = (struct oracle_mac){bridges[i], entry->mac, entry->vlan, entry->lport};
    }
}

/* --- bridges ------------------------------------------------------------- */

/* Pairs of patch ports: {bridge, OpenFlow port} each. The names end in the numbers. */
static const struct cable {
    uint8_t bridge[2], ofport[2];
} cables[] = {{{0, 1}, {4, 4}}, {{1, 2}, {5, 4}}, {{2, 0}, {5, 5}}};

static void cable_end_add(const struct cable *cable, unsigned end)
{
    char name[16], peer[16];
    const char *why;

    snprintf(name, sizeof name, "patch%u.%u", cable->bridge[end], cable->ofport[end]);
    snprintf(peer, sizeof peer, "patch%u.%u", cable->bridge[!end], cable->ofport[!end]);
    assert_non_null(
        bridge_port_add(bridges[cable->bridge[end]],
                        &(struct bridge_port_params){
                            .kind = BRIDGE_PORT_PATCH, .name = name, .ofport = cable->ofport[end], .peer = peer},
                        &why));
}

/* Takes an end away, or brings it back. */
static void cable_change(void)
{
    const struct cable *cable = &cables[random_below(RTE_DIM(cables))];
    unsigned end = random_below(2);
    struct bridge_port *bp;

    if (cable->bridge[0] >= n_bridges || cable->bridge[1] >= n_bridges)
        return;
    bp = bridge_port_by_ofport(bridges[cable->bridge[end]], cable->ofport[end]);
    if (bp)
        bridge_port_remove(bp);
    else
        cable_end_add(cable, end);
    sync_macs();
}

static void device_add(struct bridge *bridge, uint32_t ofport)
{
    struct fake_port *fake = fake_port_create(1024);
    const char *why;
    char name[PORT_NAME_MAX + 16];

    fake->port.ops = bed_ops();
    snprintf(name, sizeof name, "%s.%u", bridge->name, ofport);
    assert_int_equal(datapath_port_add(bed.dp, &fake->port), 0);
    assert_non_null(bridge_port_add(
        bridge, &(struct bridge_port_params){.port = &fake->port, .name = name, .ofport = ofport}, &why));
    last_index = RTE_MAX(last_index, fake->port.index);
}

/* The first bridge's ports 4 and 5 make room for cables. */
static void bridges_create(void)
{
    bridges[0] = bed.bridge;
    last_index = BED_PORTS;
    for (unsigned i = 1; i < n_bridges; i++) {
        char name[8];

        snprintf(name, sizeof name, "br%u", i);
        bridges[i] = bridge_create(name, i + 1, bed.dp);
        flows_attach(bed.flows, bridges[i]);
        device_add(bridges[i], 1);
        device_add(bridges[i], 2);
    }
    if (n_bridges > 1) {
        for (uint32_t ofport = 4; ofport <= BED_PORTS; ofport++)
            bridge_port_remove(bridge_port_by_ofport(bed.bridge, ofport));
    }
    for (unsigned i = 0; i < RTE_DIM(cables); i++) {
        for (unsigned end = 0; end < 2 && RTE_MAX(cables[i].bridge[0], cables[i].bridge[1]) < n_bridges; end++)
            cable_end_add(&cables[i], end);
    }
    oracle.n_bridges = n_bridges;
    for (unsigned i = 0; i < n_bridges; i++)
        oracle.bridges[i] = bridges[i];
}

static void bridges_destroy(void)
{
    for (unsigned i = 1; i < n_bridges; i++) {
        bed_forget_bridge(&bed, bridges[i]);
        bridge_destroy(bridges[i]);
    }
}

static void change_something(void)
{
    unsigned slot = random_below(64);
    struct bridge *bridge = bridges[random_below(n_bridges)];
    struct bridge_port *bp = bridge_port_by_ofport(bridge, 1 + random_below(BED_PORTS));

    totals.changes++;
    switch (random_below(12)) {
    case 0:
    case 11: {
        static const uint32_t bits[] = {PORT_CONFIG_NO_FLOOD, PORT_CONFIG_NO_FWD, PORT_CONFIG_NO_RECV,
                                        PORT_CONFIG_DOWN};
        uint32_t bit = bits[random_below(4)];

        if (bp)
            bridge_port_set_config(bp, random_one_in(3) ? bit : 0, bit);
        break;
    }
    case 1:
        mac_table_flush(bridge->macs, OFPORT_ANY);
        bridge_note(bridge);
        sync_macs();
        break;
    case 9:
        if (n_bridges > 1)
            cable_change();
        break;
    case 10:
        group_set(1 + random_below(ORACLE_GROUPS), GROUP_MODIFY);
        break;
    default:
        if (!oracle.rules[slot].used)
            rule_add(slot);
        else if (random_one_in(2))
            rule_modify(slot);
        else
            rule_delete(slot);
    }
}

/* --- the three answers --------------------------------------------------- */

static void key_of(struct rte_mbuf *m, uint32_t in_port, uint32_t recirc_id, struct flow *flow)
{
    const struct bridge_port *bp = bridge_port_by_index(bed.dp, in_port);
    unsigned n = flow_key_parse(m, in_port, &flow->pkt);

    memset((uint8_t *)flow + n * FLOW_KEY_LINE, 0, sizeof *flow - n * FLOW_KEY_LINE);
    flow->pkt.recirc_id = recirc_id;
    flow->pkt.dp_hash = recirc_id ? packet_meta(m)->md.dp_hash : 0;
    if (recirc_id && packet_meta(m)->md.ct_state != 0)
        ct_meta_to_key(&packet_meta(m)->ct, &flow->pkt);
    flow->in_port = bp ? bp->ofport : 0;
}

/* As a poll-mode thread does, with the control thread's part of a miss in place. */
static const struct program *cached_program(struct rte_mbuf *m, uint32_t in_port, uint32_t recirc_id)
{
    struct megaflow *mf;
    struct program *program;
    int error;

    key_of(m, in_port, recirc_id, &bed.flows->in.flow);
    mf = datapath_megaflow_lookup(bed.dp, &bed.flows->in.flow.pkt);
    if (mf) {
        totals.hits++;
        return megaflow_program(mf);
    }
    translate(bed.flows, true);
    taught |= bed.flows->out.deps.changed_rules;
    program = program_intern(bed.flows->programs, &bed.flows->out.program);
    assert_non_null(megaflow_add(bed.flows, program, &error));
    mf = datapath_megaflow_lookup(bed.dp, &bed.flows->in.flow.pkt);
    assert_non_null(mf);
    return program;
}

/* What NORMAL ran for, for the packet in hand. */
static struct taught {
    const struct bridge *bridge;
    uint32_t in_port;
    rte_be16_t tci;
    struct rte_ether_addr src, dst;
} taught_by[64];
static unsigned n_taught;

void __real_xlate_normal(struct xlate_ctx *ctx);
void __wrap_xlate_normal(struct xlate_ctx *ctx);

/* The linker puts it in the place of xlate_normal(). */
void __wrap_xlate_normal(struct xlate_ctx *ctx)
{
    if (n_taught < RTE_DIM(taught_by))
        taught_by[n_taught++] = (struct taught){.bridge = ctx->bridge,
                                                .in_port = ctx->flow.in_port,
                                                .tci = ctx->flow.pkt.vlan_tci[0],
                                                .src = ctx->flow.pkt.eth_src,
                                                .dst = ctx->flow.pkt.eth_dst};
    __real_xlate_normal(ctx);
}

/* A packet that teaches one bridge two things answers differently each time, as the table goes to and fro. */
static bool taught_different_things(void)
{
    for (unsigned i = 1; i < n_taught; i++) {
        for (unsigned j = 0; j < i; j++) {
            const struct taught *a = &taught_by[i], *b = &taught_by[j];

            if (a->bridge == b->bridge &&
                !(a->in_port == b->in_port && a->tci == b->tci && rte_is_same_ether_addr(&a->src, &b->src) &&
                  rte_is_same_ether_addr(&a->dst, &b->dst)))
                return true;
        }
    }
    return n_taught == RTE_DIM(taught_by);
}

static const struct program *fresh_program(struct rte_mbuf *m, uint32_t in_port, uint32_t recirc_id)
{
    struct xlate_in in = {.bridge = bridge_port_by_index(bed.dp, in_port)->bridge};
    const struct recirc *recirc = recirc_id ? recirc_get(recirc_id) : NULL;

    key_of(m, in_port, recirc_id, &in.flow);
    if (recirc && recirc->state.bridge != in.bridge) {
        in.bridge = recirc->state.bridge;
        in.flow.in_port = recirc->state.in_port;
        in.elsewhere = true;
    }
    xlate(&in, &fresh);
    failed |= fresh.error;
    return program_intern(bed.flows->programs, &fresh.program);
}

/* Through the wire and back. False: lists that no version can write (two write_actions, OpenFlow 1.0's actions beside
 * later ones) are in tests alone. */
static bool comes_back(const struct recirc *left, const struct punt *punt, uint8_t version,
                       struct of_continuation *continuation)
{
    static const uint8_t id[OF_CONTINUATION_ID_LEN];
    struct of_buf buf = {0};
    bool same;

    of_continuation_encode(&buf, id, left, version);
    same = of_continuation_decode(&(struct of_bytes){buf.data, buf.len}, version, continuation) == 0;
    of_buf_free(&buf);
    if (!same)
        return false;
    /* What is beside it in the message. */
    continuation->state.bridge = punt->bridge;
    continuation->state.in_port = punt->in_port;
    continuation->state.metadata = punt->metadata;
    memcpy(continuation->state.reg, punt->reg, sizeof punt->reg);
    memcpy(continuation->state.tun, punt->tun, sizeof punt->tun);
    same = recirc_intern(&continuation->state, continuation->stack, &continuation->segments, &continuation->set) ==
           punt->recirc_id;
    if (!same)
        of_continuation_free(continuation);
    return same;
}

/* The way of a packet that waited for a controller, once that sent back what it got; of both runs alike. */
static const struct program *resumed_program(struct rte_mbuf *m, uint32_t in_port, uint32_t punt_id)
{
    static const uint8_t versions[] = {OF10, OF13, OF14, OF15};
    static struct of_continuation continuation;
    const struct punt *punt = punt_get(punt_id);
    struct recirc left = *recirc_get(punt->recirc_id);
    struct xlate_in in = {.bridge = punt->bridge, .resume = &left};
    bool came_back = comes_back(&left, punt, versions[punt_id % RTE_DIM(versions)], &continuation);

    totals.paused++;
    totals.came_back += came_back;
    if (came_back)
        left = of_continuation_left(&continuation);
    key_of(m, in_port, 0, &in.flow);
    in.flow.in_port = punt->in_port;
    in.flow.metadata = punt->metadata;
    memcpy(in.flow.reg, punt->reg, sizeof in.flow.reg);
    in.flow.pkt.pkt_mark = punt->pkt_mark;
    memcpy(&in.flow.pkt.tun_id, punt->tun, sizeof punt->tun);
    xlate(&in, &fresh);
    failed |= fresh.error;
    if (came_back)
        of_continuation_free(&continuation);
    return program_intern(bed.flows->programs, &fresh.program);
}

static bool waits(const struct event *event)
{
    const struct punt *punt = event->type == EVENT_PUNT ? punt_get(event->arg) : NULL;

    return punt && punt->recirc_id != 0;
}

/* Runs the packet to its end, through recirculations and past controllers. */
static void run(const struct rte_mbuf *m, uint32_t in_port, struct events *events,
                const struct program *(*program_of)(struct rte_mbuf *m, uint32_t in_port, uint32_t recirc_id))
{
    struct event queue[RECIRCULATIONS] = {{.m = rte_pktmbuf_copy(m, pool, 0, UINT32_MAX)}};
    unsigned n = 1;

    memset(packet_meta(queue[0].m), 0, sizeof(struct packet_meta));
    for (unsigned i = 0; i < n; i++) {
        bool resumed = queue[i].type == EVENT_PUNT;
        const struct program *program = (resumed ? resumed_program : program_of)(queue[i].m, in_port, queue[i].arg);
        unsigned before = events->n, kept = before;

        program_execute(program, &queue[i].m, 1, &events->sink);
        if (resumed || program_of == fresh_program)
            program_put(bed.flows, (struct program *)(uintptr_t)program);
        for (unsigned e = before; e < events->n; e++) {
            if (waits(&events->list[e]) && n < RECIRCULATIONS) {
                queue[n] = events->list[e];
                queue[n++].m = rte_pktmbuf_copy(events->list[e].m, pool, 0, UINT32_MAX);
            }
            if (events->list[e].type != EVENT_RECIRC)
                events->list[kept++] = events->list[e];
            else if (n < RECIRCULATIONS)
                queue[n++] = events->list[e];
            else
                rte_pktmbuf_free(events->list[e].m);
        }
        events->n = kept;
    }
}

static void expect_same_events(void)
{
    for (unsigned i = 0; i < cached_events.n && i < fresh_events.n; i++) {
        const struct event *a = &cached_events.list[i], *b = &fresh_events.list[i];

        if (a->type != b->type || a->arg != b->arg || a->m->pkt_len != b->m->pkt_len ||
            memcmp(rte_pktmbuf_mtod(a->m, void *), rte_pktmbuf_mtod(b->m, void *), a->m->pkt_len) != 0)
            FAIL("%s: event %u through the caches differs from the pipeline's (%d %u, %d %u)", what, i, a->type, a->arg,
                 b->type, b->arg);
    }
    if (cached_events.n != fresh_events.n)
        FAIL("%s: %u events through the caches, %u of the pipeline", what, cached_events.n, fresh_events.n);
}

/* Takes the tags off; tags[], outermost first. Returns how many. */
static unsigned take_tags(struct rte_mbuf *m, rte_be16_t *tags)
{
    for (unsigned n = 0;; n++) {
        uint8_t *data = rte_pktmbuf_mtod(m, uint8_t *);
        unsigned type = packet_be16(data + 12);

        if ((type != 0x8100 && type != 0x88a8) || m->pkt_len < 18 || n == ORACLE_TAGS)
            return n;
        tags[n] = rte_cpu_to_be_16(packet_be16(data + 14) | VLAN_TCI_PRESENT);
        memmove(data + 4, data, 12);
        rte_pktmbuf_adj(m, 4);
    }
}

/* Takes the tags off a copy of the packet and parses the rest, and the frames that PBB headers hide. */
static void parse_apart(const struct rte_mbuf *m, uint32_t in_port, struct oracle_packet *p)
{
    struct rte_mbuf *copy = rte_pktmbuf_copy(m, pool, 0, UINT32_MAX);
    struct oracle_frame found[ORACLE_HIDDEN];

    p->n_tags = take_tags(copy, p->tags);
    key_of(copy, in_port, 0, &p->flow);
    p->n_hidden = 0;
    while (p->n_hidden < ORACLE_HIDDEN && copy->pkt_len >= 18 + 14 &&
           packet_be16(rte_pktmbuf_mtod_offset(copy, uint8_t *, 12)) == 0x88e7) {
        struct oracle_frame *frame = &found[p->n_hidden++];
        struct flow flow;

        rte_pktmbuf_adj(copy, 18);
        frame->n_tags = take_tags(copy, frame->tags);
        key_of(copy, 0, 0, &flow);
        frame->key = oracle_bare_key(&flow.pkt);
    }
    for (unsigned i = 0; i < p->n_hidden; i++)
        p->hidden[i] = found[p->n_hidden - 1 - i];
    rte_pktmbuf_free(copy);
}

static void expect_hidden(const struct oracle_packet *want, const struct oracle_packet *got)
{
    if (want->n_hidden != got->n_hidden)
        FAIL("%s: sent with %u hidden frames, the rules say %u", what, got->n_hidden, want->n_hidden);
    for (unsigned i = 0; i < want->n_hidden; i++) {
        const struct oracle_frame *a = &want->hidden[i], *b = &got->hidden[i];

        if (a->n_tags != b->n_tags || memcmp(a->tags, b->tags, a->n_tags * sizeof a->tags[0]) != 0 ||
            memcmp(&a->key, &b->key, sizeof a->key) != 0)
            FAIL("%s: sent with another frame behind a PBB header than the rules say", what);
    }
}

static void expect_sent(const struct oracle_sent *sent, const struct event *event)
{
    struct oracle_packet got;
    struct flow_key want = sent->packet.flow.pkt;

    if (sent->port == OFPORT_CONTROLLER) {
        const struct punt *punt = event->type == EVENT_PUNT ? punt_get(event->arg) : NULL;

        if (!punt || punt->bridge != sent->bridge || punt->reason != sent->reason || punt->cookie != sent->cookie ||
            punt->table_id != sent->table_id || punt->metadata != sent->packet.flow.metadata ||
            punt->in_port != sent->packet.flow.in_port ||
            memcmp(punt->reg, sent->packet.flow.reg, sizeof punt->reg) != 0)
            FAIL("%s: a packet-in differs from what the rules say", what);
    } else if (event->type != EVENT_OUTPUT || event->arg != sent->port) {
        FAIL("%s: sent to %u of type %d, the rules say port %u", what, event->arg, event->type, sent->port);
    }
    /* Those behind a PBB header were never right. */
    if (packet_flow.pkt.eth_type != RTE_BE16(0x88e7) && !packet_checksums_right(event->m))
        FAIL("%s: sent to %u with a wrong checksum", what, event->arg);
    parse_apart(event->m, want.in_port, &got);
    want.vlan_tci[0] = want.vlan_tci[1] = 0;
    if (got.n_tags != sent->packet.n_tags || memcmp(got.tags, sent->packet.tags, got.n_tags * sizeof got.tags[0]) != 0)
        FAIL("%s: sent to %u with other VLAN tags (%u) than the rules say (%u)", what, event->arg, got.n_tags,
             sent->packet.n_tags);
    for (size_t i = 0; i < sizeof want; i++) {
        if (((uint8_t *)&got.flow.pkt)[i] != ((uint8_t *)&want)[i])
            FAIL("%s: sent to %u, byte %zu of the key is %02x and should be %02x", what, event->arg, i,
                 ((uint8_t *)&got.flow.pkt)[i], ((uint8_t *)&want)[i]);
    }
    expect_hidden(&sent->packet, &got);
}

static void expect_what_the_rules_say(void)
{
    unsigned n = 0;

    for (unsigned i = 0; i < cached_events.n; i++) {
        if (cached_events.list[i].type == EVENT_DROP)
            continue;
        if (n >= oracle.n_sent)
            FAIL("%s: sent %u times or more, the rules say %u", what, n + 1, oracle.n_sent);
        expect_sent(&oracle.sent[n++], &cached_events.list[i]);
    }
    if (n != oracle.n_sent)
        FAIL("%s: sent %u times, the rules say %u", what, n, oracle.n_sent);
    totals.checked++;
    totals.patched += oracle.n_patched > 0;
    totals.sent += n;
}

static void one_packet(void)
{
    struct random_packet random;
    struct rte_mbuf *m = rte_pktmbuf_alloc(pool);
    struct bridge_port *from;
    struct oracle_packet packet;
    uint32_t in_port;
    char *text;

    do {
        from = bridge_port_by_index(bed.dp, 1 + random_below(last_index));
    } while (!from);
    in_port = from->port->index;
    random_packet(&random);
    memcpy(rte_pktmbuf_mtod(m, void *), random.data, random.len);
    m->data_len = (uint16_t)random.len;
    m->pkt_len = (uint32_t)random.len;
    memset(packet_meta(m), 0, sizeof *packet_meta(m));
    packet_fill_checksums(m);
    parse_apart(m, in_port, &packet);
    packet.flow.pkt.vlan_tci[0] = packet.n_tags > 0 ? packet.tags[0] : 0;
    packet.flow.pkt.vlan_tci[1] = packet.n_tags > 1 ? packet.tags[1] : 0;
    key_of(m, in_port, 0, &packet_flow);
    text = flow_format(&packet_flow, NULL, NULL);
    snprintf(what, sizeof what, "packet %lu: %s", totals.packets, text);
    free(text);

    taught = failed = false;
    n_taught = 0;
    run(m, in_port, &cached_events, cached_program);
    bed_settle(&bed);
    run(m, in_port, &fresh_events, fresh_program);
    bool verdict = !taught_different_things() && !taught;

    if (verdict)
        expect_same_events();
    /* The key has two tags: a packet with three is cut short for it. */
    if (!mpls && !learning) {
        oracle_run(&oracle, from->bridge, &packet);
        if (verdict && !failed && random.whole && random.n_tags <= 2 && !oracle.overflow && !oracle.selected)
            expect_what_the_rules_say();
        else
            sync_macs();
    }
    events_clear(&cached_events);
    events_clear(&fresh_events);
    rte_pktmbuf_free(m);
    totals.packets++;
}

/* --- rounds -------------------------------------------------------------- */

static void vlan_mode(uint32_t ofport, enum vlan_mode mode, uint16_t tag)
{
    struct bridge_port *bp = bridge_port_by_ofport(bed.bridge, ofport);

    if (!bp)
        return;
    bp->lport->vlan.mode = mode;
    bp->lport->vlan.tag = tag;
}

static void vlan_modes(void)
{
    vlan_mode(3, VLAN_MODE_ACCESS, 10);
    vlan_mode(4, VLAN_MODE_NATIVE_UNTAGGED, 11);
    vlan_mode(5, VLAN_MODE_NATIVE_TAGGED, 10);
}

static void round_run(void)
{
    static const struct bed_params params[] = {{0}, {.mask_limit = 6}};
    unsigned n_rules = n_bridges * (1 + random_below(48));

    bed_create(&bed, pool, &params[random_below(2)]);
    memset(&oracle, 0, sizeof oracle);
    bridges_create();
    vlan_modes();
    for (unsigned i = 0; i < 4; i++)
        random_match(recurring[i], sizeof recurring[i]);
    for (uint32_t id = ORACLE_GROUPS; id > 0; id--)
        group_set(id, GROUP_ADD);
    for (unsigned i = 0; i < n_rules; i++)
        rule_add(i);
    bed_settle(&bed);
    for (unsigned i = 0; i < PACKETS; i++) {
        if (random_one_in(16)) {
            for (unsigned n = 1 + random_below(4); n > 0; n--)
                change_something();
            bed_settle(&bed);
        }
        one_packet();
    }
    for (unsigned i = 0; i < ORACLE_RULES; i++) {
        if (oracle.rules[i].used)
            act_buffer_free(&oracle.rules[i].acts);
    }
    for (uint32_t id = 1; id <= ORACLE_GROUPS; id++) {
        for (unsigned i = 0; i < oracle.groups[id].n_buckets; i++)
            act_buffer_free(&oracle.groups[id].acts[i]);
    }
    struct flows_stats stats;
    flows_get_stats(bed.flows, &stats);
    totals.indexed += stats.rules_indexed;
    bridges_destroy();
    bed_destroy(&bed);
}

static uint64_t environment(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);

    return text ? strtoull(text, NULL, 0) : otherwise;
}

static void caches_agree_with_the_rules(void **state)
{
    uint64_t seed = environment("SEED", 1), rounds = environment("ROUNDS", 60);

    for (uint64_t i = 0; i < rounds; i++) {
        printf("\rseed %lu ", seed + i);
        fflush(stdout);
        random_seed(seed + i);
        mpls = random_one_in(4);
        learning = random_one_in(4);
        n_bridges = random_one_in(2) ? 1 : 2 + random_below(ORACLE_BRIDGES - 1);
        round_run();
    }
    printf("seeds %lu to %lu: %lu packets, %lu megaflow hits, %lu against the rules (%lu sent), %lu changes, %lu "
           "rules looked up in an index, %lu pauses, %lu checked packets through patch ports\n",
           seed, seed + rounds - 1, totals.packets, totals.hits, totals.checked, totals.sent, totals.changes,
           totals.indexed, totals.paused, totals.patched);
    /* Of a few, chance may leave less. */
    assert_true(totals.paused < 100 || totals.came_back >= totals.paused / 2);
    assert_true(totals.hits > totals.packets / 10);
    assert_true(rounds < 10 || totals.patched > 0);
    assert_true(rounds < 10 || totals.indexed > totals.changes / 40);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(caches_agree_with_the_rules)};

    if (test_eal_init("caches_test") != 0)
        return 77;
    pool = test_pool(8191);
    events_init(&cached_events, pool);
    events_init(&fresh_events, pool);
    xlate_out_init(&fresh);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
