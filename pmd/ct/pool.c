#include "pmd/ct/pool.h"

#include <rte_common.h>

#define FRESH 64

void pool_init(struct ct_pool *pool, void *links, uint32_t capacity)
{
    *pool = (struct ct_pool){.links = links, .capacity = capacity, .fresh = 1};
}

static uint32_t take_fresh(struct ct_pool *pool, struct pool_stock *stock)
{
    if (stock->fresh == stock->fresh_end) {
        uint32_t first = __atomic_load_n(&pool->fresh, __ATOMIC_RELAXED), end;

        do {
            if (first > pool->capacity)
                return 0;
            end = RTE_MIN(first + FRESH, pool->capacity + 1);
        } while (!__atomic_compare_exchange_n(&pool->fresh, &first, end, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
        stock->fresh = first;
        stock->fresh_end = end;
    }
    return stock->fresh++;
}

uint32_t pool_take(struct ct_pool *pool, struct pool_stock *stock)
{
    uint32_t number;

    if (stock->head == 0) {
        if (stock->batches == 0 && __atomic_load_n(&stock->returned, __ATOMIC_RELAXED) != 0)
            stock->batches = __atomic_exchange_n(&stock->returned, 0, __ATOMIC_ACQUIRE);
        if (stock->batches == 0)
            return take_fresh(pool, stock);
        stock->head = stock->batches;
        stock->batches = pool_links(pool, stock->head)->next_batch;
    }
    number = stock->head;
    stock->head = pool_links(pool, number)->next;
    return number;
}

void pool_give(struct ct_pool *pool, uint32_t number)
{
    pool_links(pool, number)->next = pool->partial;
    pool->partial = number;
    if (++pool->n_partial < POOL_BATCH)
        return;
    pool_links(pool, number)->next_batch = pool->batches;
    pool->batches = number;
    pool->partial = pool->n_partial = 0;
}

void pool_hand_back(struct ct_pool *pool, struct pool_stock *stock)
{
    uint32_t chain = 0;

    if (__atomic_load_n(&stock->returned, __ATOMIC_RELAXED) != 0)
        return;
    if (pool->batches == 0 && pool->partial != 0) {
        chain = pool->partial;
        pool_links(pool, chain)->next_batch = 0;
        pool->partial = pool->n_partial = 0;
    }
    for (unsigned n = 0; n < POOL_HAND_BACK && pool->batches != 0; n++) {
        uint32_t batch = pool->batches;

        pool->batches = pool_links(pool, batch)->next_batch;
        pool_links(pool, batch)->next_batch = chain;
        chain = batch;
    }
    if (chain != 0)
        __atomic_store_n(&stock->returned, chain, __ATOMIC_RELEASE);
}
