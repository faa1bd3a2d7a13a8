#include "pmd/ct/fragments.h"

#include <limits.h>
#include <rte_ip.h>
#include <string.h>

#include "pmd/base/hash.h"
#include "pmd/ct/extract.h"
#include "pmd/ct/tracker_impl.h"
#include "pmd/metadata.h"
#include "pmd/offload.h"

#define PLACES (CT_FRAGMENTS_MOST + 1u)

bool fragments_init(struct fragments *fragments)
{
    const size_t fragment_bytes = PLACES * sizeof(struct fragment), datagram_bytes = PLACES * sizeof(struct datagram);

    if (!ct_memory_reserve(&fragments->memory,
                           fragment_bytes + datagram_bytes + FRAGMENT_BUCKETS * sizeof *fragments->buckets))
        return false;
    fragments->fragments = (struct fragment *)(void *)fragments->memory.base;
    fragments->datagrams = (struct datagram *)(void *)(fragments->memory.base + fragment_bytes);
    fragments->buckets = (uint16_t *)(void *)(fragments->memory.base + fragment_bytes + datagram_bytes);
    fragments->fresh_fragment = fragments->fresh_datagram = 1;
    return true;
}

void fragments_fini(struct fragments *fragments)
{
    for (uint16_t i = 1; i < fragments->fresh_fragment; i++)
        rte_pktmbuf_free(fragments->fragments[i].m);
    ct_memory_free(&fragments->memory);
}

/* --- numbers ------------------------------------------------------------- */

/* 0: there is none. */
static uint16_t fragment_new(struct fragments *fragments)
{
    const uint16_t id = fragments->free_fragment;

    if (id != 0) {
        fragments->free_fragment = fragments->fragments[id].next;
        return id;
    }
    return fragments->fresh_fragment < PLACES ? fragments->fresh_fragment++ : 0;
}

static struct rte_mbuf *fragment_free(struct ct *ct, struct fragments *fragments, uint16_t id)
{
    struct fragment *fragment = &fragments->fragments[id];
    struct rte_mbuf *m = fragment->m;

    fragment->m = NULL;
    fragment->next = fragments->free_fragment;
    fragments->free_fragment = id;
    fragments->n_held--;
    __atomic_fetch_sub(&ct->fragments_held, 1, __ATOMIC_RELAXED);
    return m;
}

static uint16_t datagram_number(const struct fragments *fragments, const struct datagram *datagram)
{
    return (uint16_t)(datagram - fragments->datagrams);
}

static uint16_t *bucket_of(const struct ct *ct, struct fragments *fragments, const struct datagram_key *key)
{
    uint64_t words[sizeof *key / 8], hash = ct->seed;

    memcpy(words, key, sizeof words);
    for (unsigned i = 0; i < sizeof *key / 8; i++)
        hash = hash_add(hash, words[i]);
    return &fragments->buckets[hash_finish(hash) % FRAGMENT_BUCKETS];
}

static struct datagram *datagram_find(const struct ct *ct, struct fragments *fragments, const struct datagram_key *key)
{
    for (uint16_t id = *bucket_of(ct, fragments, key); id != 0; id = fragments->datagrams[id].chain) {
        if (memcmp(&fragments->datagrams[id].key, key, sizeof *key) == 0)
            return &fragments->datagrams[id];
    }
    return NULL;
}

/* Takes it out of what is searched. */
static void datagram_unlink(const struct ct *ct, struct fragments *fragments, struct datagram *datagram)
{
    const uint16_t id = datagram_number(fragments, datagram);
    uint16_t *link = bucket_of(ct, fragments, &datagram->key);

    while (*link != id)
        link = &fragments->datagrams[*link].chain;
    *link = datagram->chain;
    if (datagram->older != 0)
        fragments->datagrams[datagram->older].newer = datagram->newer;
    else
        fragments->oldest = datagram->newer;
    if (datagram->newer != 0)
        fragments->datagrams[datagram->newer].older = datagram->older;
    else
        fragments->newest = datagram->older;
}

static void datagram_free(struct fragments *fragments, struct datagram *datagram)
{
    datagram->n = 0;
    datagram->chain = fragments->free_datagram;
    fragments->free_datagram = datagram_number(fragments, datagram);
}

/* --- the end of those that are not complete ------------------------------ */

/* Its fragments are to be dropped. */
static void end_fragments(struct fragments *fragments, struct datagram *datagram, enum ct_fragment_end end)
{
    if (datagram->n == 0)
        return;
    fragments->fragments[datagram->last].next = fragments->ended[end];
    fragments->ended[end] = datagram->first;
    datagram->first = datagram->last = datagram->n = 0;
}

static void end_oldest(const struct ct *ct, struct fragments *fragments, enum ct_fragment_end end)
{
    struct datagram *datagram = &fragments->datagrams[fragments->oldest];
    struct fragment_counters *counters = &fragments->counters[datagram->key.ipv6];

    if (end == CT_FRAGMENT_LATE)
        counters->expired += datagram->n;
    else
        counters->evicted += datagram->n;
    end_fragments(fragments, datagram, end);
    datagram_unlink(ct, fragments, datagram);
    datagram_free(fragments, datagram);
}

/* There are no more of them than fragments; where some hold none, as they were refused, the oldest makes way. */
static struct datagram *datagram_new(const struct ct *ct, struct fragments *fragments, const struct datagram_key *key,
                                     uint32_t now)
{
    uint16_t *bucket, id;
    struct datagram *datagram;

    if (fragments->free_datagram == 0 && fragments->fresh_datagram == PLACES)
        end_oldest(ct, fragments, CT_FRAGMENT_EVICTED);
    id = fragments->free_datagram;
    if (id != 0)
        fragments->free_datagram = fragments->datagrams[id].chain;
    else
        id = fragments->fresh_datagram++;
    bucket = bucket_of(ct, fragments, key);
    datagram = &fragments->datagrams[id];
    *datagram = (struct datagram){
        .key = *key, .deadline = now + FRAGMENT_SECONDS, .chain = *bucket, .older = fragments->newest};
    *bucket = id;
    if (fragments->newest != 0)
        fragments->datagrams[fragments->newest].newer = id;
    else
        fragments->oldest = id;
    fragments->newest = id;
    return datagram;
}

struct rte_mbuf *ct_fragment_ended(struct ct *ct, unsigned thread, uint32_t now, enum ct_fragment_end *end)
{
    struct fragments *fragments = &ct->threads[thread].fragments;

    if (likely(__atomic_load_n(&ct->fragments_held, __ATOMIC_RELAXED) == 0))
        return NULL;
    while (fragments->oldest != 0 && deadline_is_over(fragments->datagrams[fragments->oldest].deadline, now))
        end_oldest(ct, fragments, CT_FRAGMENT_LATE);
    for (unsigned i = 0; i < CT_N_FRAGMENT_ENDS; i++) {
        const uint16_t id = fragments->ended[i];

        if (id == 0)
            continue;
        fragments->ended[i] = fragments->fragments[id].next;
        *end = i;
        return fragment_free(ct, fragments, id);
    }
    return NULL;
}

/* --- one that comes ------------------------------------------------------ */

/* One that shares its data with others, or is in memory of somebody else's, is not kept. */
static struct rte_mbuf *own_packet(const struct ct *ct, struct rte_mbuf *m)
{
    struct rte_mbuf *copy;

    if (RTE_MBUF_DIRECT(m) && rte_mbuf_refcnt_read(m) == 1)
        return m;
    copy = ct->pool ? packet_copy(m, ct->pool, UINT32_MAX) : NULL;
    if (copy)
        rte_pktmbuf_free(m);
    return copy;
}

static uint32_t sum_of(const struct rte_mbuf *m, const struct fragment_place *place)
{
    uint16_t sum = 0;

    if (place->data + place->len <= m->data_len)
        return rte_raw_cksum(rte_pktmbuf_mtod_offset(m, const void *, place->data), place->len);
    rte_raw_cksum_mbuf(m, place->data, place->len, &sum);
    return sum;
}

/* Behind which of the datagram's fragments it comes; 0: it is the first. False: it overlaps one; *same: it is one. */
static bool find_gap(const struct fragments *fragments, const struct datagram *datagram,
                     const struct fragment_place *place, uint16_t *before, bool *same)
{
    const struct fragment *last = &fragments->fragments[datagram->last];
    const uint32_t end = place->start + place->len;
    uint16_t next;

    *before = 0;
    *same = false;
    /* They come in order, mostly. */
    if (datagram->n > 0 && place->start >= last->start + (uint32_t)last->len)
        *before = datagram->last;
    next = *before != 0 ? 0 : datagram->first;
    while (next != 0 && fragments->fragments[next].start + (uint32_t)fragments->fragments[next].len <= place->start) {
        *before = next;
        next = fragments->fragments[next].next;
    }
    if (next == 0 || end <= fragments->fragments[next].start)
        return true;
    *same = fragments->fragments[next].start == place->start && fragments->fragments[next].len == place->len;
    return false;
}

/* Whether what it says of the datagram's length fits what is known. */
static bool length_fits(const struct fragments *fragments, const struct datagram *datagram,
                        const struct fragment_place *place)
{
    const struct fragment *last = &fragments->fragments[datagram->last];
    const uint32_t end = place->start + place->len;

    if (datagram->total != 0 && (!place->more || end > datagram->total))
        return false;
    return place->more || datagram->n == 0 || last->start + (uint32_t)last->len <= end;
}

static void insert(struct fragments *fragments, struct datagram *datagram, const struct fragment_place *place,
                   uint16_t before, uint16_t id, struct rte_mbuf *m)
{
    struct fragment *fragment = &fragments->fragments[id];
    uint16_t *link = before != 0 ? &fragments->fragments[before].next : &datagram->first;

    *fragment = (struct fragment){
        .m = m, .start = (uint16_t)place->start, .len = (uint16_t)place->len, .l3 = place->l3, .next = *link};
    *link = id;
    if (fragment->next == 0)
        datagram->last = id;
    datagram->n++;
    datagram->have += place->len;
    datagram->sum += sum_of(m, place);
    if (!place->more)
        datagram->total = place->start + place->len;
}

/* Whether one more may wait; the thread's oldest makes way for it. Its share a thread may hold in any case: its own
 * datagrams would have to make way for those of another thread that is flooded with fragments. */
static bool has_room(struct ct *ct, struct fragments *fragments)
{
    const uint32_t most = __atomic_load_n(&ct->fragments_max, __ATOMIC_RELAXED);

    if (__atomic_load_n(&ct->fragments_held, __ATOMIC_RELAXED) < most || fragments->n_held < most / ct->n_threads)
        return true;
    while (fragments->oldest != 0) {
        const bool holds = fragments->datagrams[fragments->oldest].n > 0;

        end_oldest(ct, fragments, CT_FRAGMENT_EVICTED);
        if (holds)
            return true;
    }
    return false;
}

static bool is_enabled(const struct ct *ct, bool ipv6)
{
    return __atomic_load_n(&ct->fragments_enabled[ipv6], __ATOMIC_RELAXED);
}

/* A datagram of which parts overlap is dropped as a whole (RFC 5722, 4; RFC 8200, 4.5). */
static enum ct_reason refuse(struct fragments *fragments, struct datagram *datagram)
{
    end_fragments(fragments, datagram, CT_FRAGMENT_OVERLAPPED);
    datagram->state = DATAGRAM_REFUSED;
    return CT_REASON_FRAG_OVERLAP;
}

static enum ct_reason add(struct ct *ct, struct fragments *fragments, struct datagram *datagram,
                          const struct fragment_place *place, struct rte_mbuf *m)
{
    uint16_t before, id;
    bool same;

    if (datagram->state == DATAGRAM_REFUSED)
        return CT_REASON_FRAG_OVERLAP;
    if (!find_gap(fragments, datagram, place, &before, &same) || !length_fits(fragments, datagram, place)) {
        fragments->counters[place->key.ipv6].overlapped++;
        return same ? CT_REASON_FRAG_OVERLAP : refuse(fragments, datagram);
    }
    id = datagram->n < FRAGMENTS_OF_DATAGRAM ? fragment_new(fragments) : 0;
    if (id == 0)
        return CT_REASON_FRAG_LIMIT;
    m = own_packet(ct, m);
    if (!m) {
        fragments->fragments[id] = (struct fragment){.next = fragments->free_fragment};
        fragments->free_fragment = id;
        return CT_REASON_FRAG_LIMIT;
    }
    /* What is behind the IP packet is none of it. */
    if (m->nb_segs == 1)
        rte_pktmbuf_trim(m, (uint16_t)(m->pkt_len - place->l3 - place->ip_len));
    insert(fragments, datagram, place, before, id, m);
    fragments->n_held++;
    __atomic_fetch_add(&ct->fragments_held, 1, __ATOMIC_RELAXED);
    fragments->counters[place->key.ipv6].accepted++;
    return CT_REASON_NONE;
}

enum ct_reason fragments_take(struct ct *ct, struct fragments *fragments, uint32_t now, uint16_t zone,
                              struct rte_mbuf *m, struct datagram **whole)
{
    struct fragment_place place;
    struct datagram *datagram;
    enum ct_reason reason = fragment_find(m, &place);
    const bool ipv6 = place.key.ipv6;

    *whole = NULL;
    if (reason != CT_REASON_NONE)
        return reason;
    if (!is_enabled(ct, ipv6))
        return CT_REASON_FRAGMENT;
    if (place.more && place.ip_len < __atomic_load_n(&ct->fragment_min[ipv6], __ATOMIC_RELAXED)) {
        fragments->counters[ipv6].small++;
        return CT_REASON_FRAG_SMALL;
    }
    if (!has_room(ct, fragments))
        return CT_REASON_FRAG_LIMIT;
    place.key.zone = zone;
    place.key.in_port = packet_meta(m)->md.in_port;
    place.key.recirc_id = packet_meta(m)->md.recirc_id;
    datagram = datagram_find(ct, fragments, &place.key);
    if (datagram && deadline_is_over(datagram->deadline, now)) {
        while (fragments->oldest != 0 && deadline_is_over(fragments->datagrams[fragments->oldest].deadline, now))
            end_oldest(ct, fragments, CT_FRAGMENT_LATE);
        datagram = NULL;
    }
    if (!datagram)
        datagram = datagram_new(ct, fragments, &place.key, now);
    reason = add(ct, fragments, datagram, &place, m);
    if (reason != CT_REASON_NONE || datagram->have != datagram->total)
        return reason;
    datagram->state = DATAGRAM_WHOLE;
    datagram_unlink(ct, fragments, datagram);
    fragments->counters[ipv6].completed += datagram->n;
    *whole = datagram;
    return CT_REASON_NONE;
}

const struct fragment *fragments_next(const struct fragments *fragments, const struct datagram *datagram, uint16_t *at)
{
    *at = *at == 0 ? datagram->first : fragments->fragments[*at].next;
    return *at != 0 ? &fragments->fragments[*at] : NULL;
}

/* --- whole datagrams, on their way --------------------------------------- */

void fragments_join(struct ct *ct, struct fragments *fragments, struct datagram *whole)
{
    const struct fragment *parts[OFFLOAD_CHAIN_MAX];
    uint16_t at = 0;

    if (likely(!__atomic_load_n(&ct->send_whole, __ATOMIC_RELAXED)) || whole->n > OFFLOAD_CHAIN_MAX)
        return;
    for (unsigned i = 0; i < whole->n; i++)
        parts[i] = fragments_next(fragments, whole, &at);
    if (!fragments_chain(parts, whole))
        return;
    while ((at = fragments->fragments[whole->first].next) != 0) {
        fragments->fragments[whole->first].next = fragments->fragments[at].next;
        fragment_free(ct, fragments, at);
    }
    whole->last = whole->first;
    whole->n = 1;
    fragments->counters[whole->key.ipv6].joined++;
}

void fragments_hand_over(struct fragments *fragments, const struct datagram *whole, const struct rte_mbuf *by,
                         uint8_t reason)
{
    fragments->whole[fragments->n_whole].by = by;
    fragments->whole[fragments->n_whole].datagram = datagram_number(fragments, whole);
    fragments->whole[fragments->n_whole++].reason = reason;
}

struct rte_mbuf *ct_fragment_next(struct ct *ct, unsigned thread, const struct rte_mbuf *by, uint8_t *reason)
{
    struct fragments *fragments = &ct->threads[thread].fragments;
    unsigned i = fragments->n_whole;
    struct datagram *datagram;
    uint16_t id;

    /* The newest first: a packet that ended up in a datagram may have been followed by another in the same memory. */
    while (i-- > 0) {
        if (fragments->whole[i].by == by)
            break;
    }
    if (i == UINT_MAX)
        return NULL;
    datagram = &fragments->datagrams[fragments->whole[i].datagram];
    *reason = fragments->whole[i].reason;
    id = datagram->first;
    if (id == 0) {
        datagram_free(fragments, datagram);
        fragments->whole[i] = fragments->whole[--fragments->n_whole];
        return NULL;
    }
    datagram->first = fragments->fragments[id].next;
    return fragment_free(ct, fragments, id);
}

/* --- what is there; control thread, beside the threads that own it ------- */

void ct_set_fragments_enabled(struct ct *ct, bool ipv6, bool enabled)
{
    __atomic_store_n(&ct->fragments_enabled[ipv6], enabled, __ATOMIC_RELAXED);
}

void ct_set_fragment_min(struct ct *ct, bool ipv6, uint32_t min)
{
    __atomic_store_n(&ct->fragment_min[ipv6], min, __ATOMIC_RELAXED);
}

void ct_set_send_whole(struct ct *ct, bool whole)
{
    __atomic_store_n(&ct->send_whole, whole, __ATOMIC_RELAXED);
}

void ct_set_fragments_max(struct ct *ct, uint32_t max)
{
    __atomic_store_n(&ct->fragments_max, max, __ATOMIC_RELAXED);
}

#define READ(word) __atomic_load_n(&(word), __ATOMIC_RELAXED)

void ct_fragments_info(const struct ct *ct, struct ct_fragments_info *info)
{
    *info = (struct ct_fragments_info){.max = ct->fragments_max, .n = READ(ct->fragments_held)};
    for (unsigned v = 0; v < 2; v++) {
        info->ip[v].enabled = ct->fragments_enabled[v];
        info->ip[v].min = ct->fragment_min[v];
        for (unsigned t = 0; t < ct->n_threads; t++) {
            const struct fragment_counters *counters = &ct->threads[t].fragments.counters[v];

            info->ip[v].accepted += READ(counters->accepted);
            info->ip[v].completed += READ(counters->completed);
            info->ip[v].expired += READ(counters->expired);
            info->ip[v].small += READ(counters->small);
            info->ip[v].overlapped += READ(counters->overlapped);
            info->ip[v].evicted += READ(counters->evicted);
            info->ip[v].joined += READ(counters->joined);
        }
    }
}

static void datagram_info(const struct fragments *fragments, const struct datagram *datagram,
                          struct ct_datagram_info *info)
{
    const uint16_t first = READ(datagram->first);

    *info = (struct ct_datagram_info){.id = datagram->key.id,
                                      .recirc_id = datagram->key.recirc_id,
                                      .zone = datagram->key.zone,
                                      .proto = datagram->key.proto,
                                      .ipv6 = datagram->key.ipv6,
                                      .n = READ(datagram->n),
                                      .has_first = READ(fragments->fragments[first].start) == 0,
                                      .has_last = READ(datagram->total) != 0};
    memcpy(info->src, datagram->key.address[0], sizeof info->src);
    memcpy(info->dst, datagram->key.address[1], sizeof info->dst);
}

bool ct_next_datagram(const struct ct *ct, uint32_t *cursor, uint32_t most, struct ct_datagram_info *info)
{
    for (; most > 0; most--) {
        const uint32_t thread = *cursor / PLACES, id = *cursor % PLACES;

        if (thread >= ct->n_threads) {
            *cursor = 0;
            return false;
        }
        const struct fragments *fragments = &ct->threads[thread].fragments;
        const struct datagram *datagram = &fragments->datagrams[id];

        *cursor = id + 1 < READ(fragments->fresh_datagram) ? *cursor + 1 : (thread + 1) * PLACES;
        if (id == 0 || READ(datagram->n) == 0 || READ(datagram->state) != DATAGRAM_WAITS)
            continue;
        datagram_info(fragments, datagram, info);
        return true;
    }
    return false;
}
