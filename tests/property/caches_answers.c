/* Two answers to what becomes of a packet: by the megaflow that it hits, which an earlier packet may have installed,
 * and by a translation of its own. */
#include <string.h>

#include "src/openflow/codec/continuation.h"
#include "src/xlate/punt.h"
#include "src/xlate/xlate_ctx.h"
#include "tests/property/caches_impl.h"

#define RECIRCULATIONS 64

void key_of(struct rte_mbuf *m, uint32_t in_port, uint32_t recirc_id, struct flow *flow)
{
    const struct bridge_port *bp = bridge_port_by_index(caches.bed.dp, in_port);
    unsigned n = flow_key_parse(m, in_port, &flow->pkt);

    memset((uint8_t *)flow + n * FLOW_KEY_LINE, 0, sizeof *flow - n * FLOW_KEY_LINE);
    flow->pkt.recirc_id = recirc_id;
    flow->pkt.dp_hash = recirc_id ? packet_meta(m)->md.dp_hash : 0;
    if (recirc_id && packet_meta(m)->md.ct_state != 0)
        ct_meta_to_key(&packet_meta(m)->ct, &flow->pkt);
    memcpy(&flow->pkt.tun_id, &packet_meta(m)->tun, packet_meta(m)->md.tun_lines * FLOW_KEY_LINE);
    flow->in_port = bp ? bp->ofport : 0;
}

/* As a poll-mode thread does, with the control thread's part of a miss in place. */
static const struct program *cached_program(struct rte_mbuf *m, uint32_t in_port, uint32_t recirc_id)
{
    struct megaflow *mf;
    struct program *program;
    int error;

    key_of(m, in_port, recirc_id, &caches.bed.flows->in.flow);
    mf = datapath_megaflow_lookup(caches.bed.dp, &caches.bed.flows->in.flow.pkt);
    if (mf) {
        caches.totals.hits++;
        return megaflow_program(mf);
    }
    translate(caches.bed.flows, true);
    caches.taught |= caches.bed.flows->out.deps.changed_rules;
    program = program_intern(caches.bed.flows->programs, &caches.bed.flows->out.program);
    if (caches.bed.flows->out.deps.no_news) { /* for this packet alone; the program stays until the packet is through */
        program_put(caches.bed.flows, program);
        return program;
    }
    assert_non_null(megaflow_add(caches.bed.flows, program, &error));
    mf = datapath_megaflow_lookup(caches.bed.dp, &caches.bed.flows->in.flow.pkt);
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

static bool apart;

void __real_xlate_bridge(struct xlate_ctx *ctx);
void __wrap_xlate_bridge(struct xlate_ctx *ctx);

/* In the place of xlate_bridge() where a packet enters a second bridge: as if its tables had looked at the source port
 * of outer packets, which is not known. */
void __wrap_xlate_bridge(struct xlate_ctx *ctx)
{
    const bool outer = ctx->n_tunnels > 0;

    caches.nested |= ctx->n_tunnels > 1;
    __real_xlate_bridge(ctx);
    if (apart && outer)
        ctx->out->wc.pkt.tp_src = UINT16_MAX;
}

bool taught_different_things(void)
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
    struct xlate_in in = {.bridge = bridge_port_by_index(caches.bed.dp, in_port)->bridge};
    const struct recirc *recirc = recirc_id ? recirc_get(recirc_id) : NULL;

    key_of(m, in_port, recirc_id, &in.flow);
    if (recirc && recirc->state.bridge != in.bridge) {
        in.bridge = recirc->state.bridge;
        in.flow.in_port = recirc->state.in_port;
        in.elsewhere = true;
    }
    tunnels_to(&in);
    xlate(&in, &caches.fresh);
    caches.failed |= caches.fresh.error;
    return program_intern(caches.bed.flows->programs, &caches.fresh.program);
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
    memcpy(continuation->state.tun_set, punt->tun_set, sizeof punt->tun_set);
    same = recirc_intern(&continuation->state, continuation->stack, &continuation->segments, &continuation->set) ==
           punt->recirc_id;
    if (!same)
        of_continuation_free(continuation);
    return same;
}

/* The way of a packet that waited for a controller, once that sent back caches.what it got; of both runs alike. */
static const struct program *resumed_program(struct rte_mbuf *m, uint32_t in_port, uint32_t punt_id)
{
    static const uint8_t versions[] = {OF10, OF13, OF14, OF15};
    static struct of_continuation continuation;
    const struct punt *punt = punt_get(punt_id);
    struct recirc left = *recirc_get(punt->recirc_id);
    struct xlate_in in = {.bridge = punt->bridge, .resume = &left};
    bool came_back = comes_back(&left, punt, versions[punt_id % RTE_DIM(versions)], &continuation);

    caches.totals.paused++;
    caches.totals.came_back += came_back;
    if (came_back)
        left = of_continuation_left(&continuation);
    key_of(m, in_port, 0, &in.flow);
    in.flow.in_port = punt->in_port;
    in.flow.metadata = punt->metadata;
    memcpy(in.flow.reg, punt->reg, sizeof in.flow.reg);
    in.flow.pkt.pkt_mark = punt->pkt_mark;
    punt_tunnel(punt, m, &in.flow.pkt);
    packet_meta(m)->md.tun_lines = 0; /* what comes back is another packet */
    tunnels_to(&in);
    xlate(&in, &caches.fresh);
    caches.failed |= caches.fresh.error;
    if (came_back)
        of_continuation_free(&continuation);
    return program_intern(caches.bed.flows->programs, &caches.fresh.program);
}

static bool waits(const struct event *event)
{
    const struct punt *punt = event->type == EVENT_PUNT ? punt_get(event->arg) : NULL;

    return punt && punt->recirc_id != 0;
}

/* Whether the program puts packets into tunnels. */
static bool count_tunnels(const struct program *program)
{
    bool pushes = false;

    PROGRAM_FOR_EACH (op, program) {
        pushes |= op->type == OP_TUNNEL_PUSH;
        caches.totals.pushed += op->type == OP_TUNNEL_PUSH;
        caches.totals.popped += op->type == OP_TUNNEL_POP;
    }
    return pushes;
}

/* Packets whose way goes on. */
struct queue {
    struct event events[RECIRCULATIONS];
    bool outer[RECIRCULATIONS]; /* it may be a tunnel's outer packet */
    unsigned n;
};

static void queue_add(struct queue *queue, const struct event *event, struct rte_mbuf *m, bool outer)
{
    queue->events[queue->n] = *event;
    queue->events[queue->n].m = m;
    queue->outer[queue->n++] = outer;
}

/* Puts what goes on of the events from `from` on into the queue, and leaves those that are answers. */
static void follow(struct events *events, unsigned from, struct queue *queue, bool outer)
{
    unsigned kept = from;

    for (unsigned e = from; e < events->n; e++) {
        struct event *event = &events->list[e];

        if (waits(event) && queue->n < RECIRCULATIONS)
            queue_add(queue, event, packet_copy(event->m, caches.pool, UINT32_MAX), outer);
        if (event->type != EVENT_RECIRC)
            events->list[kept++] = *event;
        else if (queue->n < RECIRCULATIONS)
            queue_add(queue, event, event->m, outer);
        else
            rte_pktmbuf_free(event->m);
    }
    events->n = kept;
}

/* Runs the packet to its end, through recirculations and past controllers. */
static void run(const struct rte_mbuf *m, uint32_t in_port, struct events *events,
                const struct program *(*program_of)(struct rte_mbuf *m, uint32_t in_port, uint32_t recirc_id))
{
    const struct packet_meta *meta = packet_meta((struct rte_mbuf *)(uintptr_t)m);
    struct queue queue = {.n = 0};

    queue_add(&queue, &(struct event){0}, rte_pktmbuf_copy(m, caches.pool, 0, UINT32_MAX), false);
    memset(packet_meta(queue.events[0].m), 0, sizeof(struct packet_meta));
    packet_meta(queue.events[0].m)->md.tun_lines = meta->md.tun_lines;
    packet_meta(queue.events[0].m)->tun = meta->tun;
    for (unsigned i = 0; i < queue.n; i++) {
        struct event *event = &queue.events[i];
        bool resumed = event->type == EVENT_PUNT;
        const struct program *program = (resumed ? resumed_program : program_of)(event->m, in_port, event->arg);
        bool pushes = count_tunnels(program);
        unsigned before = events->n;

        caches.nested |= pushes && queue.outer[i];
        program_execute(program, &event->m, 1, &events->sink);
        if (resumed || program_of == fresh_program)
            program_put(caches.bed.flows, (struct program *)(uintptr_t)program);
        follow(events, before, &queue, queue.outer[i] || pushes);
    }
    caches.many |= queue.n == RECIRCULATIONS;
}

void answer_through_caches(const struct rte_mbuf *m, uint32_t in_port)
{
    run(m, in_port, &caches.cached_events, cached_program);
}

void answer_by_translation(const struct rte_mbuf *m, uint32_t in_port)
{
    run(m, in_port, &caches.fresh_events, fresh_program);
}

void answer_apart(const struct rte_mbuf *m, uint32_t in_port)
{
    apart = true;
    run(m, in_port, &caches.apart_events, fresh_program);
    apart = false;
}

void taught_clear(void)
{
    n_taught = 0;
}
