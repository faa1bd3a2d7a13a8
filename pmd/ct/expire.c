#include "pmd/ct/expire.h"

#include <stdlib.h>

#include "pmd/base/memory.h"
#include "pmd/ct/tracker_impl.h"

#define STEP 64 /* connections */
#define PREFETCH_AHEAD 8
#define CHUNK_IDS 252

struct wheel_chunk {
    struct wheel_chunk *next;
    uint32_t n;
    uint32_t ids[CHUNK_IDS];
};

/* --- taking out ---------------------------------------------------------- */

static void list_append(struct ct *ct, struct ct_list *list, uint32_t id)
{
    ct->colds[id].next = 0;
    if (list->last != 0)
        ct->colds[list->last].next = id;
    else
        list->first = id;
    list->last = id;
}

/* `id` is dead, and in no list. */
static void take_out(struct ct *ct, uint32_t id)
{
    const struct conn_cold *cold = &ct->colds[id];

    if (cold->linked && !cold->unlinked) { /* else its maker did this, or who ended it */
        directory_remove(&ct->directory, cold->hash[0], id << 1 | CONN_ORIG);
        directory_remove(&ct->directory, cold->hash[1], id << 1 | CONN_REPLY);
    }
    ct->removed += cold->linked;
    list_append(ct, &ct->leaving, id);
}

void expire_end(struct ct *ct, uint32_t id)
{
    struct conn *conn = &ct->conns[id];
    const uint64_t before = __atomic_fetch_or(&conn->state, CONN_DEAD, __ATOMIC_ACQ_REL);

    if (before & CONN_DEAD)
        return;
    conn_count_down(ct, conn->zone, conn->generation);
    if (!(before & CONN_NEWS)) /* else when its news come */
        take_out(ct, id);
}

static bool is_flushed(const struct ct *ct, const struct conn *conn)
{
    return conn->generation != zone_generation(ct, conn->zone);
}

/* --- the wheel ----------------------------------------------------------- */

static struct wheel_chunk *chunk_get(struct ct *ct)
{
    struct wheel_chunk *chunk = ct->free_chunks;

    if (chunk) {
        ct->free_chunks = chunk->next;
    } else {
        chunk = malloc(sizeof *chunk);
        if (!chunk)
            out_of_memory("timeouts of tracked connections", sizeof *chunk);
    }
    chunk->n = 0;
    return chunk;
}

static void chunk_put(struct ct *ct, struct wheel_chunk *chunk)
{
    chunk->next = ct->free_chunks;
    ct->free_chunks = chunk;
}

static uint32_t second_of(const struct ct *ct, uint32_t deadline)
{
    const uint32_t ahead = deadline + 1 - ct->wheel_second;

    /* Not the second in hand, whose list is being worked off. */
    if (ahead == 0 || deadline_is_over(deadline + 1, ct->wheel_second))
        return ct->wheel_second + 1;
    return ct->wheel_second + RTE_MIN(ahead, WHEEL_SECONDS - 1u);
}

/* Into the list of the second at which it times out. */
static void place(struct ct *ct, uint32_t id)
{
    struct conn *conn = &ct->conns[id];
    struct wheel_chunk **list, *chunk;
    uint32_t second, deadline = __atomic_load_n(&conn->deadline, __ATOMIC_RELAXED), again;

    /* A thread stores an earlier deadline, then looks at wheel_at: either it sees this one, or this sees that. */
    do {
        again = deadline;
        second = second_of(ct, deadline);
        __atomic_store_n(&ct->colds[id].wheel_at, second, __ATOMIC_RELAXED);
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
        deadline = __atomic_load_n(&conn->deadline, __ATOMIC_RELAXED);
    } while (deadline_is_over(deadline, again));
    list = &ct->wheel[second % WHEEL_SECONDS];
    chunk = *list;
    if (!chunk || chunk->n == CHUNK_IDS) {
        chunk = chunk_get(ct);
        chunk->next = *list;
        *list = chunk;
    }
    chunk->ids[chunk->n++] = id;
}

void expire_begin(struct ct *ct, uint32_t id, uint32_t now)
{
    if (!ct->wheel_turns) {
        ct->wheel_turns = true;
        ct->wheel_second = ct->sweep_to = now;
    }
    place(ct, id);
}

static void visit(struct ct *ct, uint32_t id, uint32_t now)
{
    const struct conn *conn = &ct->conns[id];

    /* It was placed anew, or the number is another connection's. */
    if (ct->colds[id].wheel_at != ct->wheel_second || __atomic_load_n(&conn->state, __ATOMIC_RELAXED) & CONN_DEAD)
        return;
    if (conn_is_over(conn, now) || is_flushed(ct, conn))
        expire_end(ct, id);
    else
        place(ct, id);
}

static void prefetch(const struct ct *ct, uint32_t id)
{
    rte_prefetch0(&ct->conns[id]);
    rte_prefetch0(&ct->colds[id]);
}

bool expire_wheel(struct ct *ct, uint32_t now)
{
    if (!ct->wheel_turns) {
        ct->wheel_turns = true;
        ct->wheel_second = now;
    }
    for (unsigned n = 0; n < STEP; n++) {
        struct wheel_chunk **list = &ct->wheel[ct->wheel_second % WHEEL_SECONDS], *chunk = *list;

        if (!chunk) {
            if (ct->wheel_second == now)
                return false;
            ct->wheel_second++;
            continue;
        }
        if (chunk->n > PREFETCH_AHEAD)
            prefetch(ct, chunk->ids[chunk->n - 1 - PREFETCH_AHEAD]);
        const uint32_t id = chunk->ids[--chunk->n];
        if (chunk->n == 0) {
            *list = chunk->next;
            chunk_put(ct, chunk);
        }
        visit(ct, id, now);
    }
    return true;
}

/* --- news ---------------------------------------------------------------- */

static void hear(struct ct *ct, uint32_t id, uint32_t now)
{
    const struct conn *conn = &ct->conns[id];
    const uint64_t before = __atomic_fetch_and(&ct->conns[id].state, ~CONN_NEWS, __ATOMIC_ACQ_REL);

    if (before & CONN_DEAD)
        take_out(ct, id);
    else if (conn_is_over(conn, now) || is_flushed(ct, conn))
        expire_end(ct, id);
    else
        place(ct, id);
}

bool expire_news(struct ct *ct, uint32_t now)
{
    bool more = false;

    if (!ct->wheel_turns)
        expire_wheel(ct, now);
    for (unsigned t = 0; t < ct->n_threads; t++) {
        uint32_t *news = &ct->threads[t].news, id = ct->news_left[t];

        if (id == 0 && __atomic_load_n(news, __ATOMIC_RELAXED) != 0)
            id = __atomic_exchange_n(news, 0, __ATOMIC_ACQUIRE);
        for (unsigned n = 0; n < STEP && id != 0; n++) {
            const uint32_t next = ct->colds[id].next;

            if (next != 0)
                prefetch(ct, next);
            hear(ct, id, now);
            id = next;
        }
        ct->news_left[t] = id;
        more |= id != 0;
    }
    return more;
}

/* --- flushed zones ------------------------------------------------------- */

bool expire_sweep(struct ct *ct)
{
    const uint32_t last = RTE_MIN(__atomic_load_n(&ct->conn_pool.fresh, __ATOMIC_RELAXED) - 1, ct->conn_pool.capacity);

    if (ct->sweep_at == 0)
        return false;
    for (unsigned n = 0; n < STEP; n++, ct->sweep_at++) {
        const struct conn *conn = &ct->conns[ct->sweep_at];

        if (ct->sweep_at > last) {
            ct->sweep_at = 0;
            return false;
        }
        if (conn_state_is_alive(__atomic_load_n(&conn->state, __ATOMIC_ACQUIRE)) && is_flushed(ct, conn))
            expire_end(ct, ct->sweep_at);
    }
    return true;
}

/* --- the end ------------------------------------------------------------- */

bool expire_free(struct ct *ct)
{
    if (ct->waiting.first == 0) {
        if (ct->leaving.first == 0)
            return false;
        ct->waiting = ct->leaving;
        ct->leaving = (struct ct_list){0};
        ct->waiting_token = rcu_token(ct->rcu);
    }
    if (!rcu_passed(ct->rcu, ct->waiting_token))
        return false;
    for (unsigned n = 0; n < STEP && ct->waiting.first != 0; n++) {
        const uint32_t id = ct->waiting.first;
        const struct conn *conn = &ct->conns[id];

        ct->waiting.first = ct->colds[id].next;
        if (ct->waiting.first != 0)
            prefetch(ct, ct->waiting.first);
        if (conn->ipv6)
            pool_give(&ct->line_pool, conn->tuple[0].src);
        if (conn->ipv6 && conn->state & CONN_RELATED && ct->colds[id].parent.src != 0)
            pool_give(&ct->line_pool, ct->colds[id].parent.src);
        pool_give(&ct->conn_pool, id);
    }
    if (ct->waiting.first == 0)
        ct->waiting.last = 0;
    return ct->waiting.first != 0 || ct->leaving.first != 0;
}

void expire_fini(struct ct *ct)
{
    for (unsigned i = 0; i <= WHEEL_SECONDS; i++) {
        struct wheel_chunk *chunk = i < WHEEL_SECONDS ? ct->wheel[i] : ct->free_chunks, *next;

        for (; chunk; chunk = next) {
            next = chunk->next;
            free(chunk);
        }
    }
}
