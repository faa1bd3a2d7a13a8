/* struct ct: what the files of pmd/ct/ share.
 */
#ifndef PMD_CT_TRACKER_IMPL_H
#define PMD_CT_TRACKER_IMPL_H

#include <rte_common.h>

#include "pmd/ct.h"
#include "pmd/ct/conn.h"
#include "pmd/ct/directory.h"
#include "pmd/ct/expect.h"
#include "pmd/ct/fragments.h"
#include "pmd/ct/memory.h"
#include "pmd/ct/pool.h"

#define WHEEL_SECONDS 512 /* a connection that lives longer is looked at once in so many seconds */

struct wheel_chunk;
struct ct_flush;

/* A poll-mode thread's. */
struct ct_thread {
    struct pool_stock conns __rte_cache_aligned;
    struct pool_stock lines;
    uint64_t created;
    uint64_t reasons[CT_N_REASONS];
    /* Connections that the control thread has to look at, by conn_cold.next: new ones, those that time out earlier than
     * before, dead ones. */
    uint32_t news __rte_cache_aligned;
    struct fragments fragments;
};

/* Timeouts in seconds. A zone that was given some keeps its place for them: threads may be reading there at any time.
 */
struct ct_policy {
    uint32_t seconds[CT_N_TIMEOUTS];
    uint32_t own[CT_N_TIMEOUTS]; /* control thread: 0 is the default's */
};

/* Connections on their way to being free, by conn_cold.next. */
struct ct_list {
    uint32_t first, last;
};

/* What was counted up to a second. */
struct ct_sample {
    bool taken;
    uint32_t second;
    uint64_t created, removed;
};

struct ct {
    struct conn *conns;
    struct conn_cold *colds;
    struct conn_v6 *lines;
    struct ct_directory directory;
    uint64_t seed; /* of hashes */
    uint32_t max;
    bool tcp_window_check;
    bool used;             /* set by the first ct_run() */
    uint64_t *zones;       /* by zone: generation << 32 | connections */
    uint32_t *zone_limits; /* by zone; 0: none */
    struct ct_policy **zone_policies;
    bool *zone_has_limit; /* control thread */
    uint32_t default_limit;
    struct ct_policy default_policy;
    struct ct_memory conns_memory, colds_memory, lines_memory;
    unsigned n_threads;
    struct rcu *rcu;
    struct rte_mempool *pool;

    struct expect_table expect;

    bool fragments_enabled[2];              /* IPv4, IPv6 */
    uint32_t fragment_min[2];               /* octets of a fragment that is not the last one, IP header included */
    uint32_t fragments_max, fragments_held; /* of all threads */
    bool send_whole;

    /* By whoever makes or removes a connection. */
    uint32_t count __rte_cache_aligned;
    struct ct_pool conn_pool, line_pool;

    /* Control thread. */
    struct wheel_chunk *wheel[WHEEL_SECONDS] __rte_cache_aligned;
    struct wheel_chunk *free_chunks;
    bool wheel_turns;      /* wheel_second is set */
    uint32_t wheel_second; /* whose connections come next */
    uint32_t sweep_to;     /* the wheel is turned so far, then rests until the sweep interval is over */
    uint32_t sweep_ms;
    struct ct_sample samples[2]; /* the older one, at least CT_RATE_SECONDS before the newer one */
    uint32_t news_left[64];      /* of each thread: taken, not looked at yet */
    struct ct_list leaving, waiting;
    uint64_t waiting_token;
    uint32_t sweep_at; /* 0: no zone was flushed since the last sweep */
    uint64_t removed;
    struct ct_flush *flushes; /* in their order */

    struct ct_thread threads[];
};

static inline uint32_t zone_generation(const struct ct *ct, uint16_t zone)
{
    return (uint32_t)(__atomic_load_n(&ct->zones[zone], __ATOMIC_RELAXED) >> 32);
}

static inline bool deadline_is_over(uint32_t deadline, uint32_t now)
{
    return (int32_t)(now - deadline) > 0;
}

static inline bool conn_is_over(const struct conn *conn, uint32_t now)
{
    return deadline_is_over(__atomic_load_n(&conn->deadline, __ATOMIC_RELAXED), now);
}

/* Whether it is of this key's packets. */
static inline bool conn_matches(const struct ct *ct, const struct conn *conn, enum conn_direction direction,
                                const struct conn_key *key)
{
    const struct ct_tuple *tuple = &conn->tuple[direction];

    if (tuple->sport != key->tuple.sport || tuple->dport != key->tuple.dport || conn->zone != key->zone ||
        conn->proto != key->proto || conn->ipv6 != key->ipv6)
        return false;
    if (likely(!key->ipv6))
        return tuple->src == key->tuple.src && tuple->dst == key->tuple.dst;
    return memcmp(ct->lines[conn->tuple[0].src].address[direction], key->address, sizeof key->address) == 0;
}

/* As ct_next(); *cursor is the number of what was found. */
bool conn_next(const struct ct *ct, uint32_t now, uint32_t *cursor, uint32_t most);
/* One connection more, in all and in the zone, whose generation is *generation then; else why there may be none. */
enum ct_reason conn_count_up(struct ct *ct, uint16_t zone, uint32_t *generation);
/* One connection less, also in its zone, unless that was flushed since. For whoever marks a connection dead. */
void conn_count_down(struct ct *ct, uint16_t zone, uint32_t generation);

#endif
