/* Numbers of connections and of their IPv6 lines: 1 to `capacity`, given out by poll-mode threads without locks.
 *
 * A thread takes numbers from a stock of its own: those that the control thread returned to it, else some that were
 * never used. The control thread, which alone knows when a number is free again, hands them back in batches.
 */
#ifndef PMD_CT_POOL_H
#define PMD_CT_POOL_H

#include <stdbool.h>
#include <stdint.h>

#define POOL_BATCH 256
#define POOL_HAND_BACK 16 /* batches that a thread gets at a time */
/* Numbers that a thread may hold while another needs some. */
#define POOL_HELD (2 * POOL_BATCH * POOL_HAND_BACK + 64)

/* Two words in each element, of which it needs none while it is free. */
struct pool_links {
    uint32_t next;       /* in its batch */
    uint32_t next_batch; /* of the first of a batch */
};

struct ct_pool {
    uint8_t *links; /* struct pool_links of number n at links + n * 64 */
    uint32_t capacity;
    uint32_t fresh; /* the lowest number never given out; by all threads */
    /* Control thread: free numbers. */
    uint32_t batches;            /* full ones */
    uint32_t partial, n_partial; /* one that is being filled */
};

/* A thread's. */
struct pool_stock {
    uint32_t head, batches;
    uint32_t fresh, fresh_end;
    uint32_t returned; /* batches from the control thread */
};

static inline struct pool_links *pool_links(const struct ct_pool *pool, uint32_t number)
{
    return (struct pool_links *)(void *)(pool->links + (uint64_t)number * 64);
}

void pool_init(struct ct_pool *pool, void *links, uint32_t capacity);
/* 0: there is none. */
uint32_t pool_take(struct ct_pool *pool, struct pool_stock *stock);
/* One that was taken and that no other thread has seen. */
static inline void pool_untake(struct ct_pool *pool, struct pool_stock *stock, uint32_t number)
{
    pool_links(pool, number)->next = stock->head;
    stock->head = number;
}

/* Control thread. */
void pool_give(struct ct_pool *pool, uint32_t number);
/* Returns free numbers to a thread that has taken what it was given before. */
void pool_hand_back(struct ct_pool *pool, struct pool_stock *stock);

#endif
