#define MEM_WHAT "next hops"

#include "src/tunnel/next_hop.h"

#include <stdlib.h>
#include <string.h>

#include "pmd/base/clock.h"
#include "pmd/base/hash.h"
#include "pmd/base/mem.h"
#include "src/tunnel/next_hop_impl.h"

#define BUDGET_US 200
#define LOOK_AT 16 /* next hops, between two looks at the clock */
#define FORGET_MS 60000
#define FULL_MS 1000 /* nobody asked for it for so long: it makes room for others */

struct slot {
    struct hop *hop; /* NULL: empty */
    uint32_t hash;
};

static const struct open_hash_type type = {sizeof(struct slot), offsetof(struct slot, hash)};

/* --- tables -------------------------------------------------------------- */

static uint32_t hash_query(const struct next_hop_query *query)
{
    uint64_t words[4], hash = hash_add(HASH_BASIS, (uint64_t)query->path << 32 | query->mark);

    memcpy(words, &query->to, sizeof query->to);
    memcpy(words + 2, &query->from, sizeof query->from);
    for (unsigned i = 0; i < 4; i++)
        hash = hash_add(hash, words[i]);
    return hash_finish(hash);
}

static uint32_t hash_id(uint64_t id)
{
    return hash_finish(hash_add(HASH_BASIS, id));
}

static bool same_query(const struct next_hop_query *a, const struct next_hop_query *b)
{
    return IN6_ARE_ADDR_EQUAL(&a->to, &b->to) && IN6_ARE_ADDR_EQUAL(&a->from, &b->from) && a->mark == b->mark &&
           a->path == b->path;
}

static struct slot *find_by_query(const struct next_hops *hops, const struct next_hop_query *query)
{
    uint32_t hash = hash_query(query), mask;
    struct slot *slots;

    for (unsigned i = 0; (slots = open_hash_array(&hops->by_query, i, &mask)); i++)
        for (uint32_t at = hash & mask; slots[at].hop; at = (at + 1) & mask)
            if (slots[at].hash == hash && same_query(&slots[at].hop->query, query))
                return &slots[at];
    return NULL;
}

static struct slot *find_by_id(const struct next_hops *hops, uint64_t id)
{
    uint32_t hash = hash_id(id), mask;
    struct slot *slots;

    for (unsigned i = 0; (slots = open_hash_array(&hops->by_id, i, &mask)); i++)
        for (uint32_t at = hash & mask; slots[at].hop; at = (at + 1) & mask)
            if (slots[at].hash == hash && slots[at].hop->pub.id == id)
                return &slots[at];
    return NULL;
}

static void hash_in(struct open_hash *table, struct hop *hop, uint32_t hash)
{
    struct slot *slot = open_hash_insert(table, type, hash);

    *slot = (struct slot){hop, hash};
}

void next_hop_todo(struct next_hops *hops, struct hop *hop)
{
    if (hop->in_todo)
        return;
    hop->in_todo = true;
    TAILQ_INSERT_TAIL(&hops->todo, hop, todo);
}

static void take_todo(struct next_hops *hops, struct hop *hop)
{
    if (!hop->in_todo)
        return;
    hop->in_todo = false;
    TAILQ_REMOVE(&hops->todo, hop, todo);
}

void next_hop_doubt(struct next_hops *hops, struct hop *hop)
{
    hop->doubtful = true;
    next_hop_todo(hops, hop);
}

/* --- packets that wait --------------------------------------------------- */

/* Returns the packets of `hop` to the user. */
static void release(struct next_hops *hops, struct hop *hop)
{
    struct rte_mbuf **packets = hop->waiting;
    unsigned n = hop->n_waiting;

    hops->stats.n_waiting -= n;
    hop->waiting = NULL;
    hop->n_waiting = 0;
    for (unsigned i = 0; i < n; i++)
        hops->user.go(hops->user.arg, packets[i]);
    free(packets);
}

bool next_hop_wait(struct next_hops *hops, uint64_t id, struct rte_mbuf *packet)
{
    const struct slot *slot = find_by_id(hops, id);
    struct hop *hop = slot ? slot->hop : &hops->lost;

    if (hops->stats.n_waiting >= NEXT_HOPS_WAIT_MAX || hop->n_waiting >= NEXT_HOP_WAIT_MAX) {
        hops->stats.not_waited++;
        return false;
    }
    if (!hop->waiting)
        hop->waiting = mem_calloc(NEXT_HOP_WAIT_MAX, sizeof *hop->waiting);
    hop->waiting[hop->n_waiting++] = packet;
    hops->stats.n_waiting++;
    hops->stats.waited++;
    if (hop->pub.state != NEXT_HOP_ASKING)
        next_hop_todo(hops, hop);
    return true;
}

/* --- one next hop -------------------------------------------------------- */

static void forget(struct next_hops *hops, struct hop *hop)
{
    next_hop_end_watch(hops, hop);
    next_hop_leave_by(hop, NULL);
    take_todo(hops, hop);
    if (hops->walk == hop)
        hops->walk = TAILQ_NEXT(hop, node);
    open_hash_remove(&hops->by_query, type, find_by_query(hops, &hop->query));
    open_hash_remove(&hops->by_id, type, find_by_id(hops, hop->pub.id));
    TAILQ_REMOVE(&hops->all, hop, node);
    TAILQ_REMOVE(&hops->recent, hop, recent);
    hops->stats.n--;
    free(hop);
}

static void note_use(struct next_hops *hops, struct hop *hop, uint64_t now_ms)
{
    hop->found_ms = now_ms;
    TAILQ_REMOVE(&hops->recent, hop, recent);
    TAILQ_INSERT_TAIL(&hops->recent, hop, recent);
}

/* The one that was not asked for for the longest time, if that is `age_ms`. False: there is none. */
static bool forget_one(struct next_hops *hops, uint64_t age_ms)
{
    struct hop *hop = TAILQ_FIRST(&hops->recent);
    uint64_t now_ms = clock_now_ms();

    if (!hop || now_ms - hop->found_ms < age_ms)
        return false;
    if (hop->n_waiting > 0 || hops->user.wanted(hops->user.arg, hop->pub.id))
        note_use(hops, hop, now_ms);
    else
        forget(hops, hop);
    return true;
}

static struct hop *add(struct next_hops *hops, const struct next_hop_query *query)
{
    struct hop *hop;

    if (hops->stats.n >= NEXT_HOPS_MAX)
        forget_one(hops, FULL_MS);
    if (hops->stats.n >= NEXT_HOPS_MAX)
        return NULL;
    hop = mem_calloc(1, sizeof *hop);
    hop->query = *query;
    hop->pub.id = ++hops->last_id;
    hop->found_ms = clock_now_ms();
    hash_in(&hops->by_query, hop, hash_query(query));
    hash_in(&hops->by_id, hop, hash_id(hop->pub.id));
    TAILQ_INSERT_TAIL(&hops->all, hop, node);
    TAILQ_INSERT_TAIL(&hops->recent, hop, recent);
    hops->stats.n++;
    next_hop_decide(hops, hop);
    return hop;
}

const struct next_hop *next_hop_find(struct next_hops *hops, const struct next_hop_query *query)
{
    const struct slot *slot = find_by_query(hops, query);
    struct hop *hop = slot ? slot->hop : add(hops, query);

    if (!slot)
        return hop ? &hop->pub : NULL;
    note_use(hops, hop, clock_now_ms());
    if (hop->doubtful || hops->walk || next_hops_have_changes(&hops->noted))
        next_hop_decide_again(hops, hop);
    return &hop->pub;
}

/* --- the loop ------------------------------------------------------------ */

static void run_todo(struct next_hops *hops, struct hop *hop)
{
    if (hop->doubtful)
        next_hop_decide_again(hops, hop);
    take_todo(hops, hop);
    if (hop->untold) {
        hop->untold = false;
        hops->stats.told++;
        hops->user.changed(hops->user.arg, hop->pub.id);
    }
    if (hop->n_waiting > 0 && hop->pub.state != NEXT_HOP_ASKING)
        release(hops, hop);
}

/* False: there is nothing to do. */
static bool run_one(struct next_hops *hops)
{
    if (!TAILQ_EMPTY(&hops->todo))
        run_todo(hops, TAILQ_FIRST(&hops->todo));
    else if (hops->walk || next_hops_begin_walk(hops))
        for (unsigned i = 0; i < LOOK_AT && hops->walk; i++)
            next_hops_walk_on(hops);
    else
        return forget_one(hops, FORGET_MS);
    return true;
}

static unsigned run(void *arg, uint64_t budget_us)
{
    const uint64_t end_us = clock_now_us() + budget_us;

    while (run_one(arg))
        if (clock_now_us() >= end_us)
            return LOOP_MORE;
    return 0;
}

static uint64_t due_us(void *arg)
{
    const struct next_hops *hops = arg;
    const struct hop *oldest = TAILQ_FIRST(&hops->recent);
    uint64_t now_ms = clock_now_ms();

    if (!TAILQ_EMPTY(&hops->todo) || hops->walk || next_hops_have_changes(&hops->noted))
        return 0;
    if (!oldest)
        return UINT64_MAX;
    return oldest->found_ms + FORGET_MS > now_ms ? (oldest->found_ms + FORGET_MS - now_ms) * 1000 : 0;
}

/* --- as a whole ---------------------------------------------------------- */

struct next_hops *next_hops_create(struct loop *loop, struct routes *routes, struct neighbours *neighbours,
                                   const struct next_hops_user *user)
{
    struct next_hops *hops = mem_calloc(1, sizeof *hops);

    hops->routes = routes;
    hops->neighbours = neighbours;
    hops->user = *user;
    hops->ports_changed = 1;
    hops->udp_first = NEXT_HOPS_UDP_FIRST;
    hops->udp_last = NEXT_HOPS_UDP_LAST;
    hops->lost.pub.state = NEXT_HOP_NO_ROUTE;
    TAILQ_INIT(&hops->all);
    TAILQ_INIT(&hops->recent);
    TAILQ_INIT(&hops->todo);
    TAILQ_INIT(&hops->outlets);
    hops->listener = (struct routes_listener){.arg = hops, .changed = next_hops_note_route};
    routes_listen(routes, &hops->listener);
    hops->job = (struct loop_job){
        .name = "next hops", .phase = LOOP_CHANGES, .budget_us = BUDGET_US, .arg = hops, .run = run, .due_us = due_us};
    loop_add(loop, &hops->job);
    return hops;
}

static void free_waiting(struct hop *hop)
{
    for (unsigned i = 0; i < hop->n_waiting; i++)
        rte_pktmbuf_free(hop->waiting[i]);
    free(hop->waiting);
}

void next_hops_destroy(struct next_hops *hops)
{
    struct outlet *outlet;
    struct hop *hop;

    if (!hops)
        return;
    loop_remove(&hops->job);
    routes_unlisten(hops->routes, &hops->listener);
    free_waiting(&hops->lost);
    while ((hop = TAILQ_FIRST(&hops->all))) {
        free_waiting(hop);
        forget(hops, hop);
    }
    while ((outlet = TAILQ_FIRST(&hops->outlets)))
        next_hops_detach(hops, outlet->bridge);
    open_hash_free(&hops->by_query, type);
    open_hash_free(&hops->by_id, type);
    free(hops);
}

void next_hops_set_udp_range(struct next_hops *hops, uint16_t first, uint16_t last)
{
    hops->udp_first = first;
    hops->udp_last = last;
    hops->noted.all = true;
}

void next_hops_udp_range(const struct next_hops *hops, uint16_t *first, uint16_t *last)
{
    *first = hops->udp_first;
    *last = hops->udp_last;
}

void next_hops_get_stats(const struct next_hops *hops, struct next_hops_stats *stats)
{
    *stats = hops->stats;
}

const struct next_hop *next_hops_next(const struct next_hops *hops, size_t *position, struct next_hop_query *query)
{
    const struct slot *slots;
    size_t before = 0;
    uint32_t mask;

    for (unsigned i = 0; (slots = open_hash_array(&hops->by_id, i, &mask)); i++, before += (size_t)mask + 1) {
        while (*position < before + mask + 1) {
            const struct hop *hop = slots[(*position)++ - before].hop;

            if (!hop)
                continue;
            *query = hop->query;
            return &hop->pub;
        }
    }
    return NULL;
}
