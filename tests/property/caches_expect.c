/* Whether the answers are the same, and what the oracle says. */
#include <string.h>

#include "src/xlate/punt.h"
#include "tests/property/caches_impl.h"

static void tell_table(void *arg, unsigned depth, uint8_t table_id, const struct rule *rule, const struct flow *flow)
{
    printf("%*s%u. %s\n", (int)depth * 8, "", table_id,
           rule && rule->cookie ? world_rule_text(rule->cookie)
           : rule               ? "of tunnels"
                                : "no match");
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

void caches_explain(void)
{
    const struct xlate_trace trace = {.table = tell_table,
                                      .action = tell_action,
                                      .note = tell_action,
                                      .bridge = tell_bridge,
                                      .action_set = tell_action_set};
    struct bridge_port *from = bridge_port_by_index(caches.bed.dp, caches.flow.pkt.in_port);
    struct xlate_in in = {.bridge = from->bridge, .flow = caches.flow, .trace = &trace};
    struct program *program;
    struct megaflow *mf;
    char text[4096];

    printf("\n");
    tunnels_to(&in);
    xlate(&in, &caches.fresh);
    program = program_intern(caches.bed.flows->programs, &caches.fresh.program);
    program_format(program, NULL, NULL, text, sizeof text);
    printf("program: %s\n", text);
    mf = datapath_megaflow_lookup(caches.bed.dp, &caches.flow.pkt);
    if (mf && megaflow_program(mf) != program) {
        program_format(megaflow_program(mf), NULL, NULL, text, sizeof text);
        printf("megaflow: %s\n", text);
    }
}

void expect_same_events(void)
{
    for (unsigned i = 0; i < caches.cached_events.n && i < caches.fresh_events.n; i++) {
        const struct event *a = &caches.cached_events.list[i], *b = &caches.fresh_events.list[i];

        if (a->type != b->type || a->arg != b->arg || a->m->pkt_len != b->m->pkt_len ||
            memcmp(rte_pktmbuf_mtod(a->m, void *), rte_pktmbuf_mtod(b->m, void *), a->m->pkt_len) != 0)
            FAIL("%s: event %u through the caches differs from the pipeline's (%d %u, %d %u)", caches.what, i, a->type,
                 a->arg, b->type, b->arg);
    }
    if (caches.cached_events.n != caches.fresh_events.n)
        FAIL("%s: %u events through the caches, %u of the pipeline", caches.what, caches.cached_events.n,
             caches.fresh_events.n);
}

static bool event_same(const struct event *a, const struct event *b)
{
    return a->type == b->type && a->arg == b->arg && a->m->pkt_len == b->m->pkt_len &&
           memcmp(rte_pktmbuf_mtod(a->m, void *), rte_pktmbuf_mtod(b->m, void *), a->m->pkt_len) == 0;
}

static unsigned count_sent(const struct events *events)
{
    unsigned n = 0;

    for (unsigned i = 0; i < events->n; i++)
        n += events->list[i].type != EVENT_DROP;
    return n;
}

/* Packets that are looked up again come later, so order does not count. */
void expect_same_apart(void)
{
    bool used[RTE_DIM(caches.apart_events.list)] = {false};
    unsigned n = count_sent(&caches.fresh_events);

    if (n != count_sent(&caches.apart_events))
        FAIL("%s: sent %u times in one program, %u times apart", caches.what, n, count_sent(&caches.apart_events));
    for (unsigned i = 0; i < caches.fresh_events.n; i++) {
        const struct event *event = &caches.fresh_events.list[i];
        unsigned at = 0;

        if (event->type == EVENT_DROP)
            continue;
        while (at < caches.apart_events.n && (used[at] || !event_same(event, &caches.apart_events.list[at])))
            at++;
        if (at == caches.apart_events.n)
            FAIL("%s: event %u (%d %u) does not come if outer packets are looked up", caches.what, i, event->type,
                 event->arg);
        used[at] = true;
    }
    caches.totals.apart++;
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

void parse_apart(const struct rte_mbuf *m, uint32_t in_port, struct oracle_packet *p)
{
    struct rte_mbuf *copy = rte_pktmbuf_copy(m, caches.pool, 0, UINT32_MAX);
    struct oracle_frame found[ORACLE_HIDDEN];

    packet_meta(copy)->md.tun_lines = 0;
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
        FAIL("%s: sent with %u hidden frames, the rules say %u", caches.what, got->n_hidden, want->n_hidden);
    for (unsigned i = 0; i < want->n_hidden; i++) {
        const struct oracle_frame *a = &want->hidden[i], *b = &got->hidden[i];

        if (a->n_tags != b->n_tags || memcmp(a->tags, b->tags, a->n_tags * sizeof a->tags[0]) != 0 ||
            memcmp(&a->key, &b->key, sizeof a->key) != 0)
            FAIL("%s: sent with another frame behind a PBB header than the rules say", caches.what);
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
            FAIL("%s: a packet-in differs from caches.what the rules say", caches.what);
    } else if (event->type != EVENT_OUTPUT || event->arg != sent->port) {
        FAIL("%s: sent to %u of type %d, the rules say port %u", caches.what, event->arg, event->type, sent->port);
    }
    /* Those behind a PBB header were never right. */
    if (caches.flow.pkt.eth_type != RTE_BE16(0x88e7) && !packet_checksums_right(event->m))
        FAIL("%s: sent to %u with a wrong checksum", caches.what, event->arg);
    parse_apart(event->m, want.in_port, &got);
    want.vlan_tci[0] = want.vlan_tci[1] = 0;
    if (got.n_tags != sent->packet.n_tags || memcmp(got.tags, sent->packet.tags, got.n_tags * sizeof got.tags[0]) != 0)
        FAIL("%s: sent to %u with other VLAN tags (%u) than the rules say (%u)", caches.what, event->arg, got.n_tags,
             sent->packet.n_tags);
    for (size_t i = 0; i < sizeof want; i++) {
        if (((uint8_t *)&got.flow.pkt)[i] != ((uint8_t *)&want)[i])
            FAIL("%s: sent to %u, byte %zu of the key is %02x and should be %02x", caches.what, event->arg, i,
                 ((uint8_t *)&got.flow.pkt)[i], ((uint8_t *)&want)[i]);
    }
    expect_hidden(&sent->packet, &got);
}

void expect_what_the_rules_say(void)
{
    unsigned n = 0;

    for (unsigned i = 0; i < caches.cached_events.n; i++) {
        if (caches.cached_events.list[i].type == EVENT_DROP)
            continue;
        if (n >= caches.oracle.n_sent)
            FAIL("%s: sent %u times or more, the rules say %u", caches.what, n + 1, caches.oracle.n_sent);
        expect_sent(&caches.oracle.sent[n++], &caches.cached_events.list[i]);
    }
    if (n != caches.oracle.n_sent)
        FAIL("%s: sent %u times, the rules say %u", caches.what, n, caches.oracle.n_sent);
    caches.totals.checked++;
    caches.totals.mirrored += caches.oracle.n_mirrored > 0;
    caches.totals.patched += caches.oracle.n_patched > 0;
    caches.totals.sent += n;
}
