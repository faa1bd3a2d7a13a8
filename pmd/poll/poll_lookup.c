/* Finds the megaflows of a burst: first the one that took most of the port's last burst, then the exact-match cache,
 * then the tuples. The compares themselves are in pmd/cache/lookup_impl.h, for each instruction set. Poll-mode
 * threads. */
#include <rte_prefetch.h>

#include "pmd/key_inline.h"
#include "pmd/poll/poll_thread.h"
#include "pmd/tunnel/pop.h"

static inline struct lookup lookup_in_hand(struct poll_thread *thread)
{
    return (struct lookup){
        .slots = thread->slots,
        .megaflows = thread->dp->megaflows.megaflows,
        .counters = thread->megaflow_counters,
        .keys = thread->keys,
        .n_lines = thread->n_lines,
        .hashes = thread->hashes,
        .found = thread->found,
    };
}

uint64_t lookup_dominant(struct poll_thread *thread, struct megaflow_slot *slot, unsigned n)
{
    const struct lookup lookup = lookup_in_hand(thread);
    uint64_t hits = thread->lookup->same(&lookup, slot, n);
    unsigned n_hits = (unsigned)__builtin_popcountll(hits);

    COUNT(thread->counters.emc_hits, n_hits);
    if (n_hits < n) {
        FOR_EACH_BIT (i, hits)
            thread->found[i] = slot;
    }
    stage_end(thread, PMD_STAGE_EMC);
    return hits;
}

/* Where the megaflow is noted that packets took which are at this point of their way in this state. */
static inline uint32_t expected_place(const struct flow_key *key)
{
    const uint32_t point = key->recirc_id ^ key->in_port << 16 ^ (uint32_t)key->ct_state << 24;

    return point * 0x9e3779b1u >> (32 - EXPECTED_BITS);
}

uint64_t lookup_expected(struct poll_thread *thread, unsigned n, struct megaflow_slot **whole)
{
    const struct lookup lookup = lookup_in_hand(thread);
    struct megaflow_slot *const first = thread->expected[expected_place(&thread->keys[0])];
    struct megaflow_slot *expected[BURST] = {first};
    uint64_t hits = 0;
    bool same = true;

    for (unsigned i = 1; i < n; i++) {
        expected[i] = thread->expected[expected_place(&thread->keys[i])];
        same &= expected[i] == first;
    }
    if (!same) {
        for (unsigned i = 0; i < n; i++)
            rte_prefetch0(expected[i]);
        hits = thread->lookup->guessed(&lookup, expected, n);
    } else if (first) {
        hits = thread->lookup->same(&lookup, first, n);
    }
    const unsigned n_hits = (unsigned)__builtin_popcountll(hits);

    COUNT(thread->counters.emc_hits, n_hits);
    *whole = same && n_hits == n ? first : NULL;
    if (same && !*whole) {
        FOR_EACH_BIT (i, hits)
            thread->found[i] = first;
    }
    stage_end(thread, PMD_STAGE_EMC);
    return hits;
}

struct megaflow_slot *lookup_expected_line(struct poll_thread *thread, unsigned n)
{
    const struct lookup lookup = lookup_in_hand(thread);
    struct megaflow_slot *const first = thread->expected[expected_place(&thread->keys[0])];
    bool same = first != NULL;

    for (unsigned i = 1; i < n; i++)
        same &= thread->expected[expected_place(&thread->keys[i])] == first;
    if (!same || first->mask_lines != 1 || (unsigned)__builtin_popcountll(thread->lookup->same(&lookup, first, n)) < n)
        return NULL;
    COUNT(thread->counters.emc_hits, n);
    stage_end(thread, PMD_STAGE_EMC);
    return first;
}

/* Completes the key of a packet, whose first `n_lines` lines are there, with what outer headers like `recent` said. */
static void key_complete(struct flow_key *key, unsigned n_lines, const struct tunnel_recent *recent,
                         const struct rte_mbuf *packet)
{
    for (unsigned line = n_lines; line < FLOW_KEY_PACKET_LINES; line++)
        memset((uint8_t *)key + line * FLOW_KEY_LINE, 0, FLOW_KEY_LINE);
    memcpy(&key->tun_id, &recent->meta, recent->lines * FLOW_KEY_LINE);
    if (recent->udp)
        key->tun_tp_src = tunnel_recent_source(recent, packet);
}

/* How many keys have to be compared with all lines of `slot`, which looks at more than the first; of the others the
 * first line says whether they match, because they have no other that differs from those. */
static unsigned keys_to_complete(const struct megaflow_slot *slot, const struct tunnel_recent *recent, unsigned n,
                                 bool one_line)
{
    const struct flow_key *mask = (const struct flow_key *)slot->mask;

    if (slot->mask_lines == 1)
        return 0;
    return one_line && !(recent->udp && mask->tun_tp_src != 0) ? 1 : n;
}

bool lookup_popped(struct poll_thread *thread, const struct megaflow_slot *slot, const struct tunnel_recent *recent,
                   struct rte_mbuf *const *packets, unsigned n, bool one_line)
{
    const struct lookup lookup = lookup_in_hand(thread);
    const unsigned whole = keys_to_complete(slot, recent, n, one_line);

    for (unsigned i = 0; i < whole; i++) {
        key_complete(&thread->keys[i], thread->n_lines[i], recent, packets[i]);
        thread->n_lines[i] = (uint8_t)(FLOW_KEY_PACKET_LINES + recent->lines);
    }
    if (whole > 0 && (unsigned)__builtin_popcountll(thread->lookup->same(&lookup, slot, whole)) != whole)
        return false;
    if (whole < n && (unsigned)__builtin_popcountll(thread->lookup->same_line(&lookup, slot, n)) != n)
        return false;
    COUNT(thread->counters.emc_hits, n);
    stage_end(thread, PMD_STAGE_EMC);
    return true;
}

void lookup_expect(struct poll_thread *thread, uint64_t found)
{
    FOR_EACH_BIT (i, found)
        thread->expected[expected_place(&thread->keys[i])] = thread->found[i];
}

/* In the tuples where packets with the same hash were found before. */
static uint64_t lookup_guessed(struct poll_thread *thread, const struct lookup *lookup, uint64_t todo)
{
    struct tuple_order *order = &thread->order;
    const struct tuple *tuples[BURST];
    uint64_t all = todo;

    FOR_EACH_BIT (i, todo)
        tuple_guess_prefetch(order, thread->hashes[i]);
    for (unsigned which = 0; which < TUPLE_GUESSES && todo != 0; which++) {
        uint64_t guessed = 0;

        FOR_EACH_BIT (i, todo) {
            tuples[i] = tuple_guess(order, thread->hashes[i], which);
            guessed |= (uint64_t)(tuples[i] != NULL) << i;
        }
        if (guessed == 0)
            continue;
        uint64_t hits = thread->lookup->tuples(lookup, tuples, guessed);
        FOR_EACH_BIT (i, hits)
            order->hits[tuples[i]->slot]++;
        COUNT(thread->counters.tss_lookups, (unsigned)__builtin_popcountll(guessed));
        todo &= ~hits;
    }
    return all & ~todo;
}

/* In all tuples, one after the other. */
static uint64_t lookup_in_order(struct poll_thread *thread, const struct lookup *lookup, uint64_t todo)
{
    struct tuple_order *order = &thread->order;
    uint64_t all = todo;
    uint32_t probed = 0;

    for (uint32_t t = 0; t < order->n && todo != 0; t++) {
        const struct tuple_ref *ref = &order->refs[t];
        uint64_t found = thread->lookup->tuple(lookup, ref->tuple, todo);

        probed += (unsigned)__builtin_popcountll(todo);
        if (found == 0)
            continue;
        order->hits[ref->slot] += (unsigned)__builtin_popcountll(found);
        todo &= ~found;
        if (order->n > 1) {
            FOR_EACH_BIT (i, found)
                tuple_guess_learn(order, thread->hashes[i], ref->slot);
        }
    }
    COUNT(thread->counters.tss_lookups, probed);
    return all & ~todo;
}

/* One tuple costs no more than the cache does, and has no entries to fall out. */
static bool one_tuple(const struct poll_thread *thread)
{
    return thread->order.n <= 1;
}

void lookup_begin(struct poll_thread *thread, uint64_t todo)
{
    const struct tuple_list *list = __atomic_load_n(&thread->dp->tss.list, __ATOMIC_ACQUIRE);

    if (unlikely(list->generation != thread->order.generation))
        tuple_order_follow(&thread->order, list);
    if (one_tuple(thread))
        return;
    FOR_EACH_BIT (i, todo) {
        thread->hashes[i] = flow_key_hash_inline(&thread->keys[i], thread->n_lines[i]);
        if (thread->emc.capacity > 0)
            rte_prefetch0(emc_bucket(&thread->emc, thread->hashes[i]));
    }
}

uint64_t lookup_caches(struct poll_thread *thread, uint64_t todo)
{
    const struct lookup lookup = lookup_in_hand(thread);
    uint64_t all = todo;
    bool use_emc = thread->emc.capacity > 0 && !one_tuple(thread);

    if (use_emc) {
        todo &= ~thread->lookup->emc(&lookup, &thread->emc, todo);
        COUNT(thread->counters.emc_hits, (unsigned)__builtin_popcountll(all & ~todo));
        stage_end(thread, PMD_STAGE_EMC);
    }
    if (todo == 0)
        return all;

    uint64_t tss_todo = todo;
    if (!one_tuple(thread))
        todo &= ~lookup_guessed(thread, &lookup, todo);
    todo &= ~lookup_in_order(thread, &lookup, todo);
    uint64_t hits = tss_todo & ~todo;
    if (use_emc) {
        FOR_EACH_BIT (i, hits)
            emc_insert(&thread->emc, thread->hashes[i], megaflow_index(thread->slots, thread->found[i]));
    }
    COUNT(thread->counters.tss_hits, (unsigned)__builtin_popcountll(hits));
    stage_end(thread, PMD_STAGE_TSS);
    return all & ~todo;
}
