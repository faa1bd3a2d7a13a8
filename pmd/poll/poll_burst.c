/* What a poll-mode thread does with a burst of packets: parse it, try the port's last megaflow, look the others up,
 * group them by megaflow, count, and run the action programs. This is the fast path: burst_received() is where a
 * packet from a port comes in, burst_again() takes packets that are looked up once more. */
#include <string.h>

#include "pmd/action/packet.h"
#include "pmd/key_inline.h"
#include "pmd/offload.h"
#include "pmd/poll/poll_burst_impl.h"
#include "pmd/tunnel/pop.h"
#include "pmd/tunnel/push.h"

/* With so many groups in a burst their packets are few, and what each group asks for comes too late for it. */
#define PREFETCHED_GROUPS 8

static inline uint64_t first_bits(unsigned n)
{
    return n >= 64 ? UINT64_MAX : (1ull << n) - 1;
}

/* The group of `slot` in this burst, made if it is the first packet. O(1). Two megaflows with one place may get more
 * than one group each: a later packet is always in the same group or in a later one. */
static inline struct burst_group *group_of(struct poll_thread *thread, struct megaflow_slot *slot)
{
    uint32_t id = id_of(thread, slot);
    uint8_t *place = &thread->group_places[id % GROUP_PLACES];
    struct burst_group *group = &thread->groups[*place];

    if (*place < thread->n_groups && group->slot == slot)
        return group;
    *place = (uint8_t)thread->n_groups;
    group = &thread->groups[thread->n_groups++];
    group->slot = slot;
    group->n = group->bytes = group->longest = 0;
    group->young = megaflow_young(thread, id);
    return group;
}

static inline void group_add(struct burst_group *group, struct rte_mbuf *packet)
{
    uint32_t len = packet->pkt_len;

    group->packets[group->n++] = packet;
    group->bytes += len;
    group->longest = RTE_MAX(group->longest, len);
}

/* --- running programs ---------------------------------------------------- */

static void run_outputs(struct poll_thread *thread, const struct program *program, struct rte_mbuf **packets,
                        unsigned n, uint32_t longest)
{
    unsigned left = program->n_ops;

    PROGRAM_FOR_EACH (op, program) {
        struct rte_mbuf *copies[BURST];
        unsigned n_copies = 0;

        if (--left == 0) {
            tx_packets(thread, op->arg, packets, n, longest);
            return;
        }
        /* Nobody changes the data any more: the copies share it. */
        for (unsigned i = 0; i < n; i++) {
            copies[n_copies] = packet_clone_to_send(packets[i], thread->sink.pool);
            n_copies += copies[n_copies] != NULL;
        }
        if (n_copies < n) {
            COUNT(thread->drops.packets[DROP_NO_MBUF], n - n_copies);
            if (thread->context.in_port < PORT_MAX)
                COUNT(thread->port_counters[thread->context.in_port].drops[DROP_NO_MBUF], n - n_copies);
        }
        if (n_copies > 0)
            tx_packets(thread, op->arg, copies, n_copies, longest);
    }
}

static void run_drop(struct poll_thread *thread, uint32_t reason, struct rte_mbuf **packets, unsigned n)
{
    poll_drop(thread, reason < DROP_N_REASONS ? reason : DROP_POLICY, thread->context.in_port, packets, n);
}

/* The program uses metadata: what the packet was when it came is there. */
static void sink_tunnel_pop(void *arg, const struct op_tunnel_pop *pop, struct rte_mbuf *packet)
{
    struct poll_thread *thread = arg;
    struct metadata *md = &packet_meta(packet)->md;
    enum drop_reason reason = DROP_RECIRC_LIMIT;

    if (likely(thread->context.depth < RECIRC_DEPTH_MAX && thread->n_popped < BURST))
        reason = tunnel_pop(thread->dp->tunnels, &thread->tunnel_cache, pop, packet);
    if (unlikely(reason != ACTION_OK)) {
        poll_drop(thread, reason, thread->context.in_port, &packet, 1);
        return;
    }
    md->recirc_id = md->dp_hash = md->ct_state = 0;
    md->depth++;
    thread->popped[thread->n_popped++] = packet;
}

/* Sends packets that have their outer headers but for checksums. */
static void send_pushed(struct poll_thread *thread, const struct program *program, const struct op_tunnel_push *push,
                        struct rte_mbuf **packets, unsigned n, uint32_t longest)
{
    if (push->flags & TUNNEL_PUSH_CSUM) {
        for (unsigned i = 0; i < n; i++)
            tunnel_push_checksum(packets[i], push);
    }
    tx_packets(thread, program->output, packets, n, longest + push->len);
}

/* As program_execute() would, for packets that are simple, in order with those that are not. */
static __rte_noinline void run_tunnel_push(struct poll_thread *thread, const struct program *program,
                                           struct rte_mbuf **packets, unsigned n, uint32_t longest)
{
    const struct op_tunnel_push *push = (const void *)((const struct program_op *)(const void *)program->ops)->data;
    const bool line = tunnel_push_has_line(push);
    unsigned first = 0;

    for (unsigned i = 0; i < n; i++)
        rte_prefetch0_write(rte_pktmbuf_mtod(packets[i], uint8_t *) - push->len);
    for (unsigned i = 0; i < n; i++) {
        struct rte_mbuf *m = packets[i];

        if (likely(line && tunnel_push_is_simple(m, push))) {
            tunnel_push_line(m, push);
            continue;
        }
        if (i > first)
            send_pushed(thread, program, push, packets + first, i - first, longest);
        first = i + 1;
        packet_meta(m)->md = thread->context;
        program_execute(program, &m, 1, &thread->sink);
    }
    if (n > first)
        send_pushed(thread, program, push, packets + first, n - first, longest);
}

static __rte_noinline void run_tunnel_pop(struct poll_thread *thread, const struct program *program,
                                          struct rte_mbuf **packets, unsigned n)
{
    const struct program_op *op = (const void *)program->ops;
    const struct op_tunnel_pop *pop = (const void *)op->data;

    for (unsigned i = 0; i < n; i++)
        rte_prefetch0(rte_pktmbuf_mtod(packets[i], uint8_t *) + RTE_CACHE_LINE_SIZE);
    if (likely(!thread->keys_held) && pop_burst(thread, pop, packets, n))
        return;
    for (unsigned i = 0; i < n; i++) {
        struct rte_mbuf *m = packets[i];

        packet_meta(m)->md = thread->context;
        if (likely(rte_mbuf_refcnt_read(m) == 1 && RTE_MBUF_DIRECT(m) && m->nb_segs == 1))
            sink_tunnel_pop(thread, pop, m);
        else
            program_execute(program, &m, 1, &thread->sink);
    }
}

/* Takes the packets over. They agree in thread->context, or are one. */
static void run(struct poll_thread *thread, const struct program *program, struct rte_mbuf **packets, unsigned n,
                uint32_t longest)
{
    switch ((enum program_kind)program->kind) {
    case PROGRAM_OUTPUT:
        tx_packets(thread, program->output, packets, n, longest);
        return;
    case PROGRAM_DROP:
        run_drop(thread, program->output, packets, n);
        return;
    case PROGRAM_OUTPUTS:
        run_outputs(thread, program, packets, n, longest);
        return;
    case PROGRAM_TUNNEL_PUSH:
        run_tunnel_push(thread, program, packets, n, longest);
        return;
    case PROGRAM_TUNNEL_POP:
        run_tunnel_pop(thread, program, packets, n);
        return;
    case PROGRAM_TRACK:
    case PROGRAM_GENERAL:
        if (program->uses_meta) {
            for (unsigned i = 0; i < n; i++)
                packet_meta(packets[i])->md = thread->context;
        }
        program_execute(program, packets, n, &thread->sink);
        return;
    }
}

static void context_from_meta(struct poll_thread *thread, struct rte_mbuf *packet)
{
    thread->context = packet_meta(packet)->md;
}

/* Remembers `slot` as the megaflow to try first on the port's next burst. */
static inline void dominant_set(struct poll_thread *thread, struct megaflow_slot *slot)
{
    thread->dominant[in_port_place(thread->context.in_port)] = slot;
}

static inline bool metadata_is(const struct metadata *a, const struct metadata *b)
{
    uint64_t x[3], y[3];

    _Static_assert(sizeof x == sizeof *a, "whole words");
    memcpy(x, a, sizeof x);
    memcpy(y, b, sizeof y);
    return ((x[0] ^ y[0]) | (x[1] ^ y[1]) | (x[2] ^ y[2])) == 0;
}

/* How many of `n` packets from the first on have its metadata. */
static inline uint32_t count_alike(struct rte_mbuf *const *packets, uint32_t n)
{
    uint32_t alike = 1;

    while (alike < n && metadata_is(&packet_meta(packets[0])->md, &packet_meta(packets[alike])->md))
        alike++;
    return alike;
}

/* `mixed`: the packets differ in where they come from, as their metadata says. */
static void run_groups(struct poll_thread *thread, unsigned n, bool mixed)
{
    uint32_t n_groups = thread->n_groups;

    if (unlikely(n_groups >= PREFETCHED_GROUPS))
        track_prefetch_groups(thread);
    for (uint32_t g = 0; g < n_groups; g++) {
        struct burst_group *group = &thread->groups[g];

        if (unlikely(group->n == 0))
            continue;
        if (unlikely(2 * group->n >= n) && !mixed)
            dominant_set(thread, group->slot);
        account(thread, group->slot, group->n, group->bytes);
        const struct program *program = __atomic_load_n(&group->slot->program, __ATOMIC_ACQUIRE);
        if (group->n == 1 && program->kind == PROGRAM_OUTPUT) {
            tx_packet(thread, program->output, group->packets[0]);
            continue;
        }
        if (mixed && program->kind == PROGRAM_OUTPUT) { /* wherever they come from */
            tx_packets(thread, program->output, group->packets, group->n, group->longest);
            continue;
        }
        if (likely(!mixed)) {
            run(thread, program, group->packets, group->n, group->longest);
            continue;
        }
        for (uint32_t i = 0, alike; i < group->n; i += alike) {
            alike = count_alike(&group->packets[i], group->n - i);
            context_from_meta(thread, group->packets[i]);
            run(thread, program, &group->packets[i], alike, group->longest);
        }
    }
    COUNT(thread->counters.groups, n_groups);
    thread->n_groups = 0;
    stage_end(thread, PMD_STAGE_ACTIONS);
}

/* Runs the program of a megaflow that all of the burst matched. */
static void run_whole(struct poll_thread *thread, struct megaflow_slot *slot, const struct program *program,
                      struct rte_mbuf **packets, unsigned n)
{
    uint32_t bytes = 0, longest = 0;

    for (unsigned i = 0; i < n; i++) {
        uint32_t len = packets[i]->pkt_len;

        bytes += len;
        longest = RTE_MAX(longest, len);
    }
    COUNT(thread->counters.groups, 1);
    account(thread, slot, n, bytes);
    run(thread, program, packets, n, longest);
    stage_end(thread, PMD_STAGE_ACTIONS);
}

/* As run_whole(), for packets whose keys are in hand. If they all come again as they are, in their order, they need not
 * be parsed again. */
static __rte_noinline void run_whole_parsed(struct poll_thread *thread, struct megaflow_slot *slot,
                                            const struct program *program, struct rte_mbuf **packets, unsigned n)
{
    struct rte_mbuf *parsed[BURST];

    for (unsigned i = 0; i < n; i++) { /* will be written: metadata, and mostly what tracking finds out */
        rte_prefetch0_write(packet_meta(packets[i]));
        rte_prefetch0_write(&packet_meta(packets[i])->ct);
    }
    memcpy(parsed, packets, n * sizeof parsed[0]); /* the program's run may move them */
    run_whole(thread, slot, program, packets, n);
    if (likely(thread->n_recirc == n && memcmp(parsed, thread->recirc, n * sizeof parsed[0]) == 0))
        thread->n_parsed = n;
}

/* As run_whole(), for the packets in the bit set `set`. */
static void run_part(struct poll_thread *thread, struct megaflow_slot *slot, struct rte_mbuf **packets, uint64_t set)
{
    struct rte_mbuf *part[BURST];
    unsigned n = 0;

    FOR_EACH_BIT (i, set)
        part[n++] = packets[i];
    thread->keys_held = true;
    run_whole(thread, slot, program_of(slot), part, n);
    thread->keys_held = false;
}

/* While no flow is unresolved, packets that are only sent or dropped need no group: they go to their port one by one,
 * or are dropped together. Returns those of `found` whose program does more, or drops for another reason. */
static uint64_t run_directly(struct poll_thread *thread, struct rte_mbuf **packets, unsigned n, uint64_t found)
{
    struct megaflow_slot *first = found != 0 ? thread->found[__builtin_ctzll(found)] : NULL, *last = NULL;
    struct rte_mbuf *dropped[BURST];
    uint32_t n_first = 0, n_runs = 0, n_dropped = 0, reason = 0;
    uint64_t rest = 0;

    FOR_EACH_BIT (i, found) {
        struct megaflow_slot *slot = thread->found[i];
        const struct program *program = __atomic_load_n(&slot->program, __ATOMIC_ACQUIRE);
        bool drop = program->kind == PROGRAM_DROP;

        if (unlikely(program->kind != PROGRAM_OUTPUT) && (!drop || (n_dropped > 0 && program->output != reason))) {
            rest |= 1ull << i;
            continue;
        }
        n_first += slot == first;
        n_runs += slot != last;
        last = slot;
        account(thread, slot, 1, packets[i]->pkt_len);
        if (unlikely(drop)) {
            reason = program->output;
            dropped[n_dropped++] = packets[i];
        } else {
            tx_packet(thread, program->output, packets[i]);
        }
    }
    if (unlikely(n_dropped > 0))
        run_drop(thread, reason, dropped, n_dropped);
    if (unlikely(2 * n_first >= n))
        dominant_set(thread, first);
    COUNT(thread->counters.groups, n_runs);
    return rest;
}

/* Packets that come again, of one megaflow by the looks of it. False: they have to be looked up, found[] of *found is
 * filled in. */
static __rte_noinline bool run_expected(struct poll_thread *thread, struct rte_mbuf **packets, unsigned n,
                                        uint64_t *found)
{
    struct megaflow_slot *slot;

    *found = lookup_expected(thread, n, &slot);
    if (!slot)
        return false;
    const struct program *program = program_of(slot);
    if (program->kind == PROGRAM_OUTPUT && !megaflow_young(thread, id_of(thread, slot))) {
        run_whole(thread, slot, program, packets, n); /* wherever they come from */
        return true;
    }
    for (unsigned i = 0; i < n; i++)
        thread->found[i] = slot;
    return false;
}

/* Keys, lines and packets are in hand: look up, group, run; what is not found goes the way of misses. */
static void classify_and_run(struct poll_thread *thread, struct rte_mbuf **packets, unsigned n, bool mixed)
{
    struct megaflow_slot *slot = mixed ? NULL : thread->dominant[in_port_place(thread->context.in_port)];
    uint64_t all = first_bits(n), found = 0;

    if (mixed && run_expected(thread, packets, n, &found))
        return;
    if (slot) {
        uint64_t hits = lookup_dominant(thread, slot, n);
        bool young = megaflow_young(thread, id_of(thread, slot));
        bool most = 2 * (unsigned)__builtin_popcountll(hits) >= n;

        if (hits == all) {
            if (!young) {
                const struct program *program = program_of(slot);

                if (program->kind == PROGRAM_TRACK && track_can_take(thread, packets, n))
                    track_burst(thread, slot, program, packets, n);
                else if (unlikely(program->comes_back_as_is))
                    run_whole_parsed(thread, slot, program, packets, n);
                else
                    run_whole(thread, slot, program, packets, n);
                return;
            }
            hits = 0; /* the way of those that may have to wait, with found[] filled in */
        }
        lookup_begin(thread, all & ~hits);
        if (most && !young) {
            run_part(thread, slot, packets, hits);
            all &= ~hits;
        } else {
            found = hits;
        }
        if (!most)
            dominant_set(thread, NULL);
    }
    if (found != all) {
        if (!slot)
            lookup_begin(thread, all & ~found);
        uint64_t news = lookup_caches(thread, all & ~found);

        if (mixed)
            lookup_expect(thread, news);
        found |= news;
    }

    uint64_t to_group = found;
    if (!mixed && likely(pending_count(&thread->pending) == 0))
        to_group = run_directly(thread, packets, n, found);
    FOR_EACH_BIT (i, to_group) {
        struct burst_group *group = group_of(thread, thread->found[i]);

        if (unlikely(group->young)) {
            if (mixed)
                context_from_meta(thread, packets[i]);
            if (miss_park_behind(thread, &thread->keys[i], thread->n_lines[i], packets[i]))
                continue;
        }
        group_add(group, packets[i]);
    }
    uint64_t missed = all & ~found;
    if (unlikely(missed != 0)) {
        FOR_EACH_BIT (i, missed) {
            if (mixed)
                context_from_meta(thread, packets[i]);
            miss_packet(thread, &thread->keys[i], thread->n_lines[i], packets[i]);
        }
        stage_end(thread, PMD_STAGE_TSS);
    }
    run_groups(thread, n, mixed);
}

/* Takes packets that have no key (shorter than an Ethernet header) out of the burst. */
static unsigned drop_runts(struct poll_thread *thread, struct rte_mbuf **packets, unsigned n)
{
    unsigned kept = 0;

    for (unsigned i = 0; i < n; i++) {
        if (thread->n_lines[i] == 0) {
            bool malformed = packets[i]->pkt_len == 0 && (packets[i]->ol_flags & OFFLOAD_MALFORMED);

            poll_drop(thread, malformed ? DROP_RX_OFFLOAD : DROP_RX_RUNT, thread->context.in_port, &packets[i], 1);
            continue;
        }
        if (kept != i) {
            packets[kept] = packets[i];
            thread->keys[kept] = thread->keys[i];
            thread->n_lines[kept] = thread->n_lines[i];
        }
        kept++;
    }
    return kept;
}

static void run_port_program(struct poll_thread *thread, struct megaflow_slot *slot, struct rte_mbuf **packets,
                             unsigned n)
{
    uint32_t bytes = 0, shortest = UINT32_MAX;

    for (unsigned i = 0; i < n; i++) {
        bytes += packets[i]->pkt_len;
        shortest = RTE_MIN(shortest, packets[i]->pkt_len);
    }
    COUNT(thread->port_counters[thread->context.in_port].rx_bytes, bytes);
    if (unlikely(shortest < RTE_ETHER_HDR_LEN)) {
        for (unsigned i = 0; i < n; i++)
            thread->n_lines[i] = packets[i]->pkt_len >= RTE_ETHER_HDR_LEN;
        n = drop_runts(thread, packets, n);
        if (n == 0)
            return;
    }
    COUNT(thread->counters.port_program_hits, n);
    run_whole(thread, slot, program_of(slot), packets, n);
}

/* Makes the rest of a packet's lines 0, which the parser leaves as they were. */
static void key_clear_rest(struct flow_key *key, unsigned n_lines)
{
    for (unsigned line = n_lines; line < FLOW_KEY_PACKET_LINES; line++)
        memset((uint8_t *)key + line * FLOW_KEY_LINE, 0, FLOW_KEY_LINE);
}

/* Completes the keys of packets that are tracked or came out of a tunnel. */
static __rte_noinline void keys_with_more(struct poll_thread *thread, struct rte_mbuf *const *packets, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        const struct packet_meta *meta = packet_meta(packets[i]);
        struct flow_key *key = &thread->keys[i];

        key_clear_rest(key, thread->n_lines[i]);
        if (likely(meta->md.tun_lines == 0 && meta->md.ct_state != 0)) {
            ct_meta_to_key_inline(&meta->ct, key);
            thread->n_lines[i] = FLOW_KEY_PACKET_LINES;
        } else {
            thread->n_lines[i] = (uint8_t)packet_meta_to_key(meta, key, thread->n_lines[i]);
        }
    }
}

/* Packets whose struct packet_meta says where they stand. */
static void look_up_again(struct poll_thread *thread, struct rte_mbuf **packets, unsigned n)
{
    const unsigned n_parsed = RTE_MIN(thread->n_parsed, n);
    unsigned kept = n_parsed;
    uint32_t more = 0;

    thread->n_parsed = thread->n_popped_parsed = 0;
    for (unsigned i = 0; i < n_parsed; i++) {
        const struct metadata *md = &packet_meta(packets[i])->md;

        metadata_to_key(md, &thread->keys[i]);
        more |= metadata_more(md);
    }
    for (unsigned i = n_parsed; i < n; i++) {
        const struct metadata *md = &packet_meta(packets[i])->md;
        struct flow_key *key = &thread->keys[kept];
        unsigned n_lines = flow_key_parse_inline(packets[i], md->in_port, key);

        if (unlikely(n_lines == 0)) {
            poll_drop(thread, DROP_RX_RUNT, md->in_port, &packets[i], 1);
            continue;
        }
        metadata_to_key(md, key);
        more |= metadata_more(md);
        thread->n_lines[kept] = (uint8_t)n_lines;
        packets[kept++] = packets[i];
    }
    if (unlikely(more != 0))
        keys_with_more(thread, packets, kept);
    if (kept > 0)
        classify_and_run(thread, packets, kept, true);
}

/* Packets that came out of tunnels. What their lines of the key lack is 0. */
static __rte_noinline void look_up_popped(struct poll_thread *thread, struct rte_mbuf **packets, unsigned n)
{
    const unsigned n_parsed = thread->n_popped_parsed;

    thread->n_popped_parsed = 0;
    for (unsigned i = 0; i < n; i++) {
        struct packet_meta *meta = packet_meta(packets[i]);
        struct flow_key *key = &thread->keys[i];
        unsigned n_lines = thread->n_lines[i];

        if (i >= n_parsed)
            n_lines = flow_key_parse_inline(packets[i], meta->md.in_port, key);
        key_clear_rest(key, n_lines);
        thread->n_lines[i] = (uint8_t)packet_meta_to_key(meta, key, FLOW_KEY_PACKET_LINES);
    }
    stage_end(thread, PMD_STAGE_PARSE);
    thread->context = packet_meta(packets[0])->md;
    classify_and_run(thread, packets, n, count_alike(packets, n) != n);
}

static __rte_noinline void recirculate_all(struct poll_thread *thread)
{
    struct rte_mbuf *packets[BURST];
    unsigned n;

    while (thread->n_recirc > 0 || thread->n_popped > 0) {
        if (thread->n_recirc > 0) {
            n = RTE_MIN(thread->n_recirc, (uint32_t)BURST);
            memcpy(packets, thread->recirc, n * sizeof packets[0]);
            thread->n_recirc -= n;
            if (unlikely(thread->n_recirc > 0))
                memmove(thread->recirc, thread->recirc + n, thread->n_recirc * sizeof thread->recirc[0]);
            look_up_again(thread, packets, n);
        } else {
            n = thread->n_popped;
            memcpy(packets, thread->popped, n * sizeof packets[0]);
            thread->n_popped = 0;
            look_up_popped(thread, packets, n);
        }
    }
}

static inline void recirculate(struct poll_thread *thread)
{
    if (unlikely((thread->n_recirc | thread->n_popped) != 0))
        recirculate_all(thread);
}

/* --- entries ------------------------------------------------------------- */

void burst_received(struct poll_thread *thread, uint32_t in_port, struct rte_mbuf **packets, unsigned n)
{
    struct port_counters *port = &thread->port_counters[in_port];
    struct megaflow_slot *slot = __atomic_load_n(&thread->dp->port_megaflows[in_port], __ATOMIC_ACQUIRE);

    thread->context = (struct metadata){.in_port = in_port};
    COUNT(port->rx_packets, n);
    /* Not while flows of the port are unresolved: their packets would overtake. */
    if (slot && megaflow_alive(slot) && likely(thread->pending.in_flight[in_port] == 0)) {
        run_port_program(thread, slot, packets, n);
    } else {
        uint64_t bytes = 0;
        uint8_t shortest = UINT8_MAX;

        flow_key_parse_burst(packets, n, in_port, thread->keys, thread->n_lines);
        for (unsigned i = 0; i < n; i++) {
            bytes += packets[i]->pkt_len;
            shortest = RTE_MIN(shortest, thread->n_lines[i]);
        }
        COUNT(port->rx_bytes, bytes);
        if (unlikely(shortest == 0))
            n = drop_runts(thread, packets, n);
        stage_end(thread, PMD_STAGE_PARSE);
        classify_and_run(thread, packets, n, false);
    }
    recirculate(thread);
}

void burst_again(struct poll_thread *thread, struct rte_mbuf **packets, unsigned n)
{
    look_up_again(thread, packets, n);
    recirculate(thread);
}

void burst_run_one(struct poll_thread *thread, const struct program *program, struct rte_mbuf *packet)
{
    context_from_meta(thread, packet);
    COUNT(thread->counters.groups, 1);
    run(thread, program, &packet, 1, packet->pkt_len);
    recirculate(thread);
}

/* --- where program_execute() sends packets ------------------------------- */

static void sink_output(void *arg, uint32_t port, struct rte_mbuf *packet)
{
    tx_packet(arg, port, packet);
}

static void sink_punt(void *arg, uint32_t punt_id, struct rte_mbuf *packet, uint16_t full_len)
{
    miss_punt(arg, punt_id, packet, full_len);
}

static void sink_recirc(void *arg, uint32_t recirc_id, struct rte_mbuf *const *packets, unsigned n)
{
    struct poll_thread *thread = arg;
    struct rte_mbuf **recirc = &thread->recirc[thread->n_recirc];
    const uint32_t room = thread->context.depth >= RECIRC_DEPTH_MAX ? 0 : RECIRC_MOST - thread->n_recirc;
    const unsigned taken = RTE_MIN(n, room);

    for (unsigned i = 0; i < taken; i++) {
        struct metadata *md = &packet_meta(packets[i])->md;

        md->recirc_id = recirc_id;
        md->depth++;
        recirc[i] = packets[i];
    }
    thread->n_recirc += taken;
    for (unsigned i = taken; unlikely(i < n); i++) {
        struct rte_mbuf *packet = packets[i];

        poll_drop(thread, DROP_RECIRC_LIMIT, thread->context.in_port, &packet, 1);
    }
}

static void sink_meter(void *arg, uint32_t index, struct rte_mbuf *const *packets, unsigned n, uint8_t *verdicts)
{
    struct poll_thread *thread = arg;
    struct meter *meter = __atomic_load_n(&thread->dp->meters[index], __ATOMIC_ACQUIRE);

    if (likely(meter))
        meter_run(meter, thread->index, rte_rdtsc(), packets, n, verdicts);
    else
        memset(verdicts, METER_PASS, n);
}

static void sink_drop(void *arg, enum drop_reason reason, struct rte_mbuf *packet)
{
    struct poll_thread *thread = arg;

    poll_drop(thread, reason, thread->context.in_port, &packet, 1);
}

void poll_sink_init(struct poll_thread *thread)
{
    thread->sink = (struct action_sink){
        .pool = thread->dp->params.pool,
        .arg = thread,
        .output = sink_output,
        .punt = sink_punt,
        .recirc = sink_recirc,
        .tunnel_pop = sink_tunnel_pop,
        .meter = sink_meter,
        .ct = track_sink_ct,
        .fragment = track_sink_fragment,
        .drop = sink_drop,
    };
}
