/* The interpreter: one packet at a time through the whole program. */
#include <rte_ether.h>
#include <string.h>

#include "pmd/action/execute.h"
#include "pmd/action/packet.h"
#include "pmd/checksum.h"
#include "pmd/key_inline.h"
#include "pmd/metadata.h"
#include "pmd/meter.h"
#include "pmd/offload.h"
#include "pmd/program_ops.h"
#include "pmd/tunnel/pop.h"
#include "pmd/tunnel/push.h"

#define BATCH 32

/* A run of operations, a program's or a clone's, and what is worth knowing of it before it runs over a burst. */
struct plan {
    const struct program_op *first, *end;
    const struct program_op *last_emit;   /* nothing behind it sends, drops or meters: it may have the packet itself */
    const struct program_op *last_change; /* copies made behind it may share the data */
};

static struct plan plan_make(const void *first, const void *end)
{
    struct plan plan = {.first = first, .end = end};

    for (const struct program_op *op = plan.first; op < plan.end; op = program_op_next(op)) {
        const struct program_op_info *info = &program_ops[op->type];

        if (info->emits)
            plan.last_emit = op;
        if (info->changes)
            plan.last_change = op;
    }
    return plan;
}

/* A part of a packet goes as if the packet had been finished before. */
static struct rte_mbuf *copy_start(struct rte_mbuf *m, const struct action_sink *sink, uint32_t len)
{
    if (unlikely(offload_any(m)) && len < m->pkt_len)
        return offload_copy_start(m, sink->pool, len);
    return packet_copy(m, sink->pool, len);
}

static bool packet_replace_by_copy(struct action_packet *p, const struct action_sink *sink, uint32_t len)
{
    struct rte_mbuf *copy = copy_start(p->m, sink, len);

    if (!copy)
        return false;
    rte_pktmbuf_free(p->m);
    p->m = copy;
    p->found = false;
    return true;
}

static bool data_is_ours(const struct rte_mbuf *m)
{
    if (rte_mbuf_refcnt_read(m) != 1)
        return false;
    return RTE_MBUF_DIRECT(m) || (RTE_MBUF_HAS_EXTBUF(m) && m->shinfo && rte_mbuf_ext_refcnt_read(m->shinfo) == 1);
}

/* Makes the first segment changeable, with all headers in it. */
static bool packet_make_writable(struct action_packet *p, const struct action_sink *sink)
{
    const struct rte_mbuf *m = p->m;

    if (!data_is_ours(m) || (m->nb_segs > 1 && m->data_len < RTE_MIN(m->pkt_len, (uint32_t)FLOW_KEY_WINDOW))) {
        if (!packet_replace_by_copy(p, sink, UINT32_MAX))
            return false;
    }
    p->writable = true;
    return true;
}

/* The packet to send at an operation that is not the last: the same data with one more reference if nothing changes it
 * later, else a copy. NULL: the pool is empty. */
static struct rte_mbuf *packet_share(const struct action_packet *p, const struct action_sink *sink, uint32_t len,
                                     bool may_share)
{
    struct rte_mbuf *m = p->m;

    if (may_share && len >= m->pkt_len && m->nb_segs == 1 && RTE_MBUF_DIRECT(m)) {
        rte_mbuf_refcnt_update(m, 1);
        return m;
    }
    return copy_start(m, sink, len);
}

/* Cuts the packet itself to `len` bytes for its last operation. */
static bool packet_truncate(struct action_packet *p, const struct action_sink *sink, uint32_t len)
{
    struct rte_mbuf *m = p->m;

    if (len >= m->pkt_len)
        return true;
    if (m->nb_segs > 1 || rte_mbuf_refcnt_read(m) != 1 || offload_any(m))
        return packet_replace_by_copy(p, sink, len);
    m->data_len = m->pkt_len = len;
    return true;
}

/* Without the outermost VLAN tag; of the longest segment if it stands for several. */
static uint32_t packet_len(const struct rte_mbuf *m)
{
    bool tagged = false;

    if (m->data_len >= RTE_ETHER_HDR_LEN) {
        rte_be16_t type;

        memcpy(&type, rte_pktmbuf_mtod_offset(m, void *, offsetof(struct rte_ether_hdr, ether_type)), sizeof type);
        tagged = type == RTE_BE16(RTE_ETHER_TYPE_VLAN) || type == RTE_BE16(RTE_ETHER_TYPE_QINQ);
    }
    return offload_longest(m) - (tagged ? sizeof(struct rte_vlan_hdr) : 0);
}

/* Only the last segment of the packet is no longer than `len`. */
static __rte_noinline bool parts_differ(const struct rte_mbuf *m, uint32_t len)
{
    const uint32_t longest = packet_len(m);

    return longest > len && longest - (offload_longest(m) - offload_shortest(m)) <= len;
}

static void packet_run(const struct plan *plan, struct rte_mbuf *m, const struct action_sink *sink, uint8_t verdict,
                       uint8_t max_tags);

static void clone_run(const struct program_op *clone, struct rte_mbuf *m, const struct action_sink *sink,
                      uint8_t max_tags)
{
    const struct plan plan = plan_make(clone->data, program_op_next(clone));

    packet_run(&plan, m, sink, METER_PASS, max_tags);
}

/* ACTION_OK, or why the packet has to be dropped. */
static enum drop_reason packet_judge(struct action_packet *p, const struct action_sink *sink, uint8_t verdict)
{
    if (verdict == METER_PASS)
        return ACTION_OK;
    if (verdict == METER_DROP)
        return DROP_METER;
    if (!p->writable && !packet_make_writable(p, sink))
        return DROP_NO_MBUF;
    return action_remark(p, verdict);
}

/* Punts what goes out for `m`, finished, each packet cut to `max_len` bytes. Takes `m` over. False: the pool is empty.
 */
static bool punt_finished(const struct action_sink *sink, uint32_t punt_id, struct rte_mbuf *m, uint32_t max_len)
{
    struct offload_cut cut = offload_cut_begin(m, sink->pool);
    struct rte_mbuf *packet;

    while ((packet = offload_cut_next(&cut))) {
        struct action_packet p = {.m = packet};
        const uint16_t full_len = RTE_MIN(packet->pkt_len, (uint32_t)UINT16_MAX);

        if (packet_truncate(&p, sink, max_len))
            sink->punt(sink->arg, punt_id, p.m, full_len);
        else
            sink->drop(sink->arg, DROP_NO_MBUF, packet);
    }
    return !cut.failed;
}

/* The packet went another way: nothing is left to do with it here. */
#define PACKET_GONE (DROP_N_REASONS + 1)

/* Has the packet finished before `op`, cut into segments if need be, and runs the plan from `op` on on each. */
static void finish_and_run(const struct plan *plan, const struct program_op *op, struct action_packet *p,
                           const struct action_sink *sink)
{
    struct plan rest = *plan;
    struct offload_cut cut = offload_cut_begin(p->m, sink->pool);
    struct rte_mbuf *packet;

    rest.first = op;
    while ((packet = offload_cut_next(&cut)))
        packet_run(&rest, packet, sink, METER_PASS, p->max_tags);
    if (cut.failed)
        sink->drop(sink->arg, DROP_NO_MBUF, NULL);
}

/* Pushes outer headers, after what OP_TRUNCATE says of the packet inside. Not inline, as packet_track(). ACTION_OK,
 * PACKET_GONE, or why the packet has to be dropped. */
static __rte_noinline unsigned packet_tunnel_push(const struct plan *plan, const struct program_op *op,
                                                  struct action_packet *p, const struct action_sink *sink,
                                                  uint32_t max_len)
{
    const struct op_tunnel_push *push = (const void *)op->data;
    enum drop_reason reason;

    if (unlikely(p->m->pkt_len > max_len) && !packet_truncate(p, sink, max_len))
        return DROP_NO_MBUF;
    if (unlikely(offload_any(p->m)) && !tunnel_push_keeps(p->m, push)) {
        finish_and_run(plan, op, p, sink);
        return PACKET_GONE;
    }
    if (!p->writable && !packet_make_writable(p, sink))
        return DROP_NO_MBUF;
    reason = action_tunnel_push(p, push, sink->pool);
    if (likely(reason != DROP_TUNNEL_MTU || push->too_big == 0))
        return reason;
    if (!punt_finished(sink, push->too_big, p->m, UINT32_MAX))
        sink->drop(sink->arg, DROP_NO_MBUF, NULL);
    return PACKET_GONE;
}

/* Makes the packet's outer headers its own, and all in the first segment. */
static __rte_noinline bool packet_make_poppable(struct action_packet *p, const struct action_sink *sink)
{
    if (!p->writable && !packet_make_writable(p, sink))
        return false;
    return likely(p->m->nb_segs == 1) || p->m->data_len >= RTE_MIN(p->m->pkt_len, (uint32_t)TUNNEL_POP_WINDOW) ||
           packet_replace_by_copy(p, sink, UINT32_MAX);
}

static const struct ct_request *request_of(const struct program_op *op)
{
    return op->type == OP_CT_NAT ? &((const struct op_ct_nat *)op->data)->nat.request
                                 : &((const struct op_ct *)op->data)->request;
}

/* Not inline, so that the loop over the operations keeps its registers. */
static __rte_noinline enum drop_reason packet_track(struct action_packet *p, const struct program_op *op,
                                                    const struct action_sink *sink)
{
    uint8_t result;

    /* The headers in one segment, and if they may be changed they are the packet's own. */
    if (!p->writable && (p->m->nb_segs > 1 || op->type == OP_CT_NAT) && !packet_make_writable(p, sink))
        return DROP_NO_MBUF;
    sink->ct(sink->arg, request_of(op), &p->m, 1, &result);
    return result;
}

/* A datagram was completed by the fragment `by`: what is behind the operation `ct` is done with each of its fragments.
 * `sent`: they were sent before. */
static __rte_noinline void fragments_run(const void *behind, const void *end, const struct rte_mbuf *by, bool sent,
                                         const struct action_sink *sink, uint8_t max_tags)
{
    const struct plan rest = plan_make(behind, end);
    struct rte_mbuf *m;
    uint8_t result;

    while ((m = sink->fragment(sink->arg, by, &result))) {
        if (result != ACTION_OK)
            sink->drop(sink->arg, result, m);
        else if (!rest.last_emit && sent)
            rte_pktmbuf_free(m);
        else
            packet_run(&rest, m, sink, METER_PASS, max_tags);
    }
}

/* `verdict`: of a meter before the first operation of the plan. */
static void packet_run(const struct plan *plan, struct rte_mbuf *m, const struct action_sink *sink, uint8_t verdict,
                       uint8_t max_tags)
{
    struct action_packet p; /* layers are found when they are asked for */
    uint32_t max_len = UINT32_MAX;
    bool sent = false;

    p.m = m;
    p.writable = p.found = false;
    p.max_tags = max_tags;
    enum drop_reason reason = packet_judge(&p, sink, verdict);
    if (reason != ACTION_OK)
        goto drop;

    for (const struct program_op *op = plan->first; op < plan->end; op = program_op_next(op)) {
        const bool last = op == plan->last_emit;

        switch (op->type) {
        case OP_OUTPUT:
            if (last) {
                if (unlikely(p.m->pkt_len > max_len) && !packet_truncate(&p, sink, max_len))
                    goto no_mbuf;
                sink->output(sink->arg, op->arg, p.m);
                return;
            }
            m = packet_share(&p, sink, max_len, op > plan->last_change);
            if (!m)
                goto no_mbuf;
            sink->output(sink->arg, op->arg, m);
            max_len = UINT32_MAX;
            sent = true;
            break;
        case OP_PUNT: {
            /* The control thread may change what it gets: it never shares the data. */
            const uint16_t full_len = RTE_MIN(p.m->pkt_len, (uint32_t)UINT16_MAX);

            if (unlikely(offload_any(p.m))) {
                m = packet_copy(p.m, sink->pool, UINT32_MAX);
                if (!m || !punt_finished(sink, op->arg, m, max_len))
                    goto no_mbuf;
                max_len = UINT32_MAX;
                sent = true;
                break;
            }
            if (last && rte_mbuf_refcnt_read(p.m) == 1) {
                if (!packet_truncate(&p, sink, max_len))
                    goto no_mbuf;
                sink->punt(sink->arg, op->arg, p.m, full_len);
                return;
            }
            m = packet_copy(p.m, sink->pool, max_len);
            if (!m)
                goto no_mbuf;
            sink->punt(sink->arg, op->arg, m, full_len);
            max_len = UINT32_MAX;
            sent = true;
            break;
        }
        case OP_TRUNCATE:
            max_len = op->arg;
            break;
        case OP_RECIRC:
            sink->recirc(sink->arg, op->arg, &p.m, 1);
            return;
        case OP_RECIRC_LARGER: {
            const struct op_larger *larger = (const void *)op->data;

            if (unlikely(offload_segmented(p.m)) && parts_differ(p.m, larger->len)) {
                finish_and_run(plan, op, &p, sink);
                return;
            }
            sink->recirc(sink->arg, packet_len(p.m) > larger->len ? larger->recirc : op->arg, &p.m, 1);
            return;
        }
        case OP_TUNNEL_PUSH:
            reason = packet_tunnel_push(plan, op, &p, sink, max_len);
            if (unlikely(reason == PACKET_GONE))
                return;
            if (reason != ACTION_OK)
                goto drop;
            max_len = UINT32_MAX;
            break;
        case OP_TUNNEL_POP:
            if (!packet_make_poppable(&p, sink))
                goto no_mbuf;
            sink->tunnel_pop(sink->arg, (const void *)op->data, p.m);
            return;
        case OP_DROP:
            sink->drop(sink->arg, op->arg, p.m);
            return;
        case OP_SET_META: {
            const struct op_meta *meta = (const void *)op->data;
            uint32_t *mark = &packet_meta(p.m)->md.pkt_mark;

            *mark = masked32(*mark, meta->pkt_mark, meta->pkt_mark_mask);
            break;
        }
        case OP_CT:
        case OP_CT_NAT:
            reason = packet_track(&p, op, sink);
            if (likely(reason == ACTION_OK))
                break;
            if (reason == ACTION_WHOLE)
                fragments_run(program_op_next(op), plan->end, p.m, sent, sink, p.max_tags);
            if (reason >= ACTION_OK)
                return;
            goto drop;
        case OP_CT_CLEAR:
            packet_meta(p.m)->md.ct_state = 0;
            break;
        case OP_CLONE:
            if (last) {
                clone_run(op, p.m, sink, p.max_tags);
                return;
            }
            m = packet_copy(p.m, sink->pool, UINT32_MAX);
            if (!m)
                goto no_mbuf;
            clone_run(op, m, sink, p.max_tags);
            sent = true;
            break;
        case OP_METER:
            sink->meter(sink->arg, op->arg, &p.m, 1, &verdict);
            reason = packet_judge(&p, sink, verdict);
            if (reason != ACTION_OK)
                goto drop;
            break;
        default:
            /* An operation on metadata that nothing which changes the packet follows needs no packet of its own. */
            if (!p.writable && op <= plan->last_change && !packet_make_writable(&p, sink))
                goto no_mbuf;
            reason = action_runs[op->type](&p, op->data, op->arg);
            if (reason != ACTION_OK)
                goto drop;
        }
    }
    if (sent) {
        rte_pktmbuf_free(p.m);
        return;
    }
    reason = DROP_POLICY;
    goto drop;
no_mbuf:
    reason = DROP_NO_MBUF;
drop:
    sink->drop(sink->arg, reason, p.m);
}

/* Whether all packets can be tracked by `op` as they are. */
static __rte_noinline bool can_track(const struct program_op *op, struct rte_mbuf *const *packets, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        if (packets[i]->nb_segs > 1 || (op->type == OP_CT_NAT && !data_is_ours(packets[i])))
            return false;
    }
    return true;
}

/* One that does not go on as it is. */
static void track_other(const struct plan *rest, struct rte_mbuf *m, uint8_t result, const struct action_sink *sink)
{
    if (result == ACTION_WHOLE)
        fragments_run(rest->first, rest->end, m, false, sink, FLOW_KEY_TAGS);
    else if (result != ACTION_HELD)
        sink->drop(sink->arg, result, m);
}

/* Tracks the packets of a batch and leaves those in front that go on as they are, with `rest` of the program. Returns
 * how many. */
static __rte_noinline unsigned batch_track(const struct program_op *ct, const struct plan *rest,
                                           struct rte_mbuf **packets, unsigned n, const struct action_sink *sink)
{
    uint8_t results[BATCH];
    unsigned kept = 0;

    sink->ct(sink->arg, request_of(ct), packets, n, results);
    for (unsigned i = 0; i < n; i++) {
        if (unlikely(results[i] != ACTION_OK))
            track_other(rest, packets[i], results[i], sink);
        else
            packets[kept++] = packets[i];
    }
    return kept;
}

void program_execute(const struct program *program, struct rte_mbuf **packets, unsigned n,
                     const struct action_sink *sink)
{
    struct plan plan = plan_make(program->ops, program->ops + program->len);
    const struct program_op *meter = NULL, *ct = NULL;

    /* A meter instruction comes first: it measures a burst at once. So does a ct action that begins a program. */
    if (plan.first < plan.end && plan.first->type == OP_METER) {
        meter = plan.first;
        plan.first = program_op_next(meter);
    } else if (plan.first < plan.end && (plan.first->type == OP_CT || plan.first->type == OP_CT_NAT) &&
               can_track(plan.first, packets, n)) {
        ct = plan.first;
        plan.first = program_op_next(ct);
    }
    for (unsigned i = 0; i < n; i += BATCH) {
        uint8_t verdicts[BATCH] = {METER_PASS};
        unsigned batch = RTE_MIN(n - i, (unsigned)BATCH);

        if (meter)
            sink->meter(sink->arg, meter->arg, packets + i, batch, verdicts);
        else if (ct)
            batch = batch_track(ct, &plan, packets + i, batch, sink);
        if (ct && plan.first < plan.end && plan.first->type == OP_RECIRC) { /* ct(table=): all go on in one way */
            sink->recirc(sink->arg, plan.first->arg, packets + i, batch);
            continue;
        }
        for (unsigned k = 0; k < batch; k++)
            packet_run(&plan, packets[i + k], sink, verdicts[k], FLOW_KEY_TAGS);
    }
}
