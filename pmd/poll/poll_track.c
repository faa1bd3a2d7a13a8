/* How a poll-mode thread has packets tracked: bursts of ct(table=) in one go, those of other programs for the executor,
 * and the fragments that the tracker held. */
#include "pmd/action/packet.h"
#include "pmd/ct.h"
#include "pmd/metadata.h"
#include "pmd/offload.h"
#include "pmd/poll/poll_burst_impl.h"

/* Not to be sent on as a new connection's, whose replies would be refused, or as it is where it was to be translated.
 */
static uint8_t verdict_of(uint8_t reason)
{
    switch (reason) {
    case CT_REASON_TABLE_FULL:
        return DROP_CT_TABLE_FULL;
    case CT_REASON_ZONE_LIMIT:
        return DROP_CT_ZONE_LIMIT;
    case CT_REASON_NAT_EXHAUSTED:
        return DROP_NAT_EXHAUSTED;
    default:
        return ACTION_OK;
    }
}

bool track_can_take(const struct poll_thread *thread, struct rte_mbuf *const *packets, unsigned n)
{
    const struct metadata *context = &thread->context;
    uint32_t segments = 1, fragments = 0;

    if (metadata_more(context) != 0 || context->depth >= RECIRC_DEPTH_MAX || (thread->n_recirc | thread->n_popped) != 0)
        return false;
    for (unsigned i = 0; i < n; i++) {
        segments |= packets[i]->nb_segs;
        fragments |= thread->keys[i].ip_frag;
    }
    return segments == 1 && fragments == 0;
}

/* Packets that were tracked come again as others do: what was found out, and where they are on their way, is written to
 * their private area. */
static __rte_noinline void tracked_come_again(struct poll_thread *thread, uint32_t recirc_id, struct rte_mbuf **packets,
                                              unsigned n, const uint8_t *reasons)
{
    unsigned kept = 0;

    for (unsigned i = 0; i < n; i++) {
        const uint8_t verdict = verdict_of(reasons[i]);
        struct packet_meta *meta = packet_meta(packets[i]);

        if (unlikely(verdict != ACTION_OK)) {
            poll_drop(thread, verdict, thread->context.in_port, &packets[i], 1);
            continue;
        }
        meta->md = thread->context;
        meta->md.recirc_id = recirc_id;
        meta->md.depth++;
        meta->md.ct_state = thread->tracked[i].state;
        meta->ct = thread->tracked[i];
        thread->recirc[kept++] = packets[i];
    }
    thread->n_recirc = kept;
    thread->n_parsed = kept == n ? n : 0;
}

void track_burst(struct poll_thread *thread, struct megaflow_slot *slot, const struct program *program,
                 struct rte_mbuf **packets, unsigned n)
{
    const struct program_op *op = (const void *)program->ops;
    const struct ct_request *request = &((const struct op_ct *)(const void *)op->data)->request;
    const uint32_t recirc_id = program_op_next(op)->arg;
    uint32_t bytes = 0, longest = 0, reasons_or = 0;
    struct ct_meta *metas[BURST];
    uint8_t reasons[BURST] = {0};

    for (unsigned i = 0; i < n; i++) {
        const uint32_t len = packets[i]->pkt_len;

        bytes += len;
        longest = RTE_MAX(longest, len);
        metas[i] = &thread->tracked[i];
    }
    COUNT(thread->counters.groups, 1);
    account(thread, slot, n, bytes);
    ct_run(thread->dp->ct, thread->index, thread->ct_now, request, packets, n, metas, reasons);
    for (unsigned i = 0; i < n; i++) {
        struct flow_key *key = &thread->keys[i];

        reasons_or |= reasons[i];
        key->recirc_id = recirc_id;
        ct_meta_to_key_line(&thread->tracked[i], key);
    }
    stage_end(thread, PMD_STAGE_ACTIONS);
    if (likely(reasons_or == CT_REASON_NONE) && (slot = lookup_expected_line(thread, n))) {
        program = program_of(slot);
        if (program->kind == PROGRAM_OUTPUT && !megaflow_young(thread, id_of(thread, slot))) {
            COUNT(thread->counters.groups, 1);
            account(thread, slot, n, bytes);
            tx_packets(thread, program->output, packets, n, longest);
            stage_end(thread, PMD_STAGE_ACTIONS);
            return;
        }
    }
    tracked_come_again(thread, recirc_id, packets, n, reasons);
}

void track_prefetch_groups(struct poll_thread *thread)
{
    struct rte_mbuf *packets[BURST];
    uint16_t zones[BURST];
    unsigned n = 0;

    for (uint32_t g = 0; g < thread->n_groups; g++) {
        const struct burst_group *group = &thread->groups[g];
        const struct program *program = program_of(group->slot);
        const struct program_op *op = (const void *)program->ops;

        if (program->len == 0 || (op->type != OP_CT && op->type != OP_CT_NAT))
            continue;
        /* Either data begins with the request. */
        for (uint32_t i = 0; i < group->n; i++) {
            rte_prefetch0_write(packet_meta(group->packets[i]));
            rte_prefetch0_write(&packet_meta(group->packets[i])->ct);
            zones[n] = ((const struct op_ct *)(const void *)op->data)->request.zone;
            packets[n++] = group->packets[i];
        }
    }
    ct_prefetch(thread->dp->ct, zones, packets, n);
}

void poll_drop_fragments(struct poll_thread *thread)
{
    static const enum drop_reason reasons[CT_N_FRAGMENT_ENDS] = {[CT_FRAGMENT_LATE] = DROP_FRAG_TIMEOUT,
                                                                 [CT_FRAGMENT_OVERLAPPED] = DROP_FRAG_OVERLAP,
                                                                 [CT_FRAGMENT_EVICTED] = DROP_FRAG_LIMIT};
    enum ct_fragment_end end;
    struct rte_mbuf *m;

    while ((m = ct_fragment_ended(thread->dp->ct, thread->index, thread->ct_now, &end)))
        poll_drop(thread, reasons[end], packet_meta(m)->md.in_port, &m, 1);
}

struct rte_mbuf *track_sink_fragment(void *arg, const struct rte_mbuf *by, uint8_t *result)
{
    const struct poll_thread *thread = arg;
    struct rte_mbuf *m = ct_fragment_next(thread->dp->ct, thread->index, by, result);

    if (!m)
        return NULL;
    if (unlikely(offload_datagram(m)) && !__atomic_load_n(&thread->dp->offloads, __ATOMIC_RELAXED))
        __atomic_store_n(&thread->dp->offloads, true, __ATOMIC_RELAXED);
    *result = verdict_of(*result);
    return m;
}

/* Packets of which not all go on as they are. */
static __rte_noinline void judge(struct poll_thread *thread, struct rte_mbuf *const *packets,
                                 struct ct_meta *const *metas, unsigned n, uint8_t *verdicts)
{
    for (unsigned i = 0; i < n; i++) {
        if (verdicts[i] == CT_HELD || verdicts[i] == CT_WHOLE) {
            verdicts[i] = verdicts[i] == CT_HELD ? ACTION_HELD : ACTION_WHOLE;
            continue;
        }
        packet_meta(packets[i])->md.ct_state = metas[i]->state;
        verdicts[i] = verdict_of(verdicts[i]);
    }
    poll_drop_fragments(thread);
}

void track_sink_ct(void *arg, const struct ct_request *request, struct rte_mbuf *const *packets, unsigned n,
                   uint8_t *verdicts)
{
    struct poll_thread *thread = arg;
    struct ct_meta *metas[CT_BURST];

    if (n == 0)
        return;
    for (unsigned i = 0; i < n; i++) {
        metas[i] = &packet_meta(packets[i])->ct;
        verdicts[i] = (uint8_t)packet_meta(packets[i])->md.ct_state;
    }
    ct_run(thread->dp->ct, thread->index, thread->ct_now, request, packets, n, metas, verdicts);
    for (unsigned i = 0; i < n; i++) {
        if (unlikely(verdicts[i] != CT_REASON_NONE)) {
            judge(thread, packets + i, metas + i, n - i, verdicts + i);
            return;
        }
        packet_meta(packets[i])->md.ct_state = metas[i]->state;
        verdicts[i] = ACTION_OK;
    }
}
