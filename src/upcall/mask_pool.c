#include "src/upcall/mask_pool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define WORDS (sizeof(struct flow_key) / 8)

int mask_pool_init(struct mask_pool *pool, uint32_t limit)
{
    memset(pool, 0, sizeof *pool);
    pool->limit = limit;
    pool->soft_limit = limit / 2;
    pool->entries = calloc(limit, sizeof *pool->entries);
    pool->memo = aligned_alloc(64, MASK_POOL_CACHE * sizeof *pool->memo);
    if (!pool->entries || !pool->memo) {
        mask_pool_fini(pool);
        return -ENOMEM;
    }
    memset(pool->memo, 0, MASK_POOL_CACHE * sizeof *pool->memo);
    pool->generation = 1;
    return 0;
}

void mask_pool_fini(struct mask_pool *pool)
{
    for (uint32_t i = 0; i < pool->n; i++)
        free(pool->entries[i]);
    free(pool->entries);
    free(pool->memo);
    memset(pool, 0, sizeof *pool);
}

static bool same(const struct flow_key *a, const struct flow_key *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

/* Bits that `b` has and `a` has not. */
static unsigned extra_bits(const struct flow_key *a, const struct flow_key *b)
{
    const uint64_t *wa = (const uint64_t *)a, *wb = (const uint64_t *)b;
    unsigned n = 0;

    for (size_t i = 0; i < WORDS; i++)
        n += (unsigned)__builtin_popcountll(wb[i] & ~wa[i]);
    return n;
}

static struct mask_entry *find(struct mask_pool *pool, const struct flow_key *mask, uint32_t hash)
{
    struct mask_entry *entry = pool->heads[hash % MASK_POOL_HEADS];

    while (entry && !(entry->hash == hash && same(&entry->mask, mask)))
        entry = entry->next;
    return entry;
}

static struct mask_entry *find_or_add(struct mask_pool *pool, const struct flow_key *mask, uint32_t hash)
{
    struct mask_entry *entry = find(pool, mask, hash), **head = &pool->heads[hash % MASK_POOL_HEADS];

    if (entry || pool->n == pool->limit)
        return entry;
    entry = aligned_alloc(64, sizeof *entry + (64 - sizeof *entry % 64) % 64);
    if (!entry)
        return NULL;
    entry->mask = *mask;
    entry->hash = hash;
    entry->n = 0;
    entry->index = pool->n;
    entry->next = *head;
    *head = entry;
    pool->entries[pool->n++] = entry;
    pool->generation++;
    return entry;
}

/* The mask that covers `want` with the fewest additional bits. */
static struct mask_entry *best_superset(const struct mask_pool *pool, const struct flow_key *want,
                                        const struct mask_entry * not )
{
    struct mask_entry *best = NULL;
    unsigned best_extra = 0;

    for (uint32_t i = 0; i < pool->n; i++) {
        struct mask_entry *entry = pool->entries[i];
        unsigned extra;

        if (entry == not || extra_bits(&entry->mask, want) > 0)
            continue;
        extra = extra_bits(want, &entry->mask);
        if (!best || extra < best_extra) {
            best = entry;
            best_extra = extra;
        }
    }
    return best;
}

static const struct mask_entry *nearest(const struct mask_pool *pool, const struct flow_key *want)
{
    const struct mask_entry *best = NULL;
    unsigned best_extra = 0;

    for (uint32_t i = 0; i < pool->n; i++) {
        unsigned extra = extra_bits(want, &pool->entries[i]->mask);

        if (!best || extra < best_extra) {
            best = pool->entries[i];
            best_extra = extra;
        }
    }
    return best;
}

static struct mask_entry *merge(struct mask_pool *pool, const struct flow_key *want)
{
    struct mask_entry *entry = best_superset(pool, want, NULL);
    struct flow_key mask;

    if (entry)
        return entry;
    if (pool->n + 1 < pool->limit && pool->n > 0) {
        uint64_t *words = (uint64_t *)&mask;
        const uint64_t *more = (const uint64_t *)&nearest(pool, want)->mask;

        mask = *want;
        for (size_t i = 0; i < WORDS; i++)
            words[i] |= more[i];
    } else {
        memset(&mask, 0xff, sizeof mask);
    }
    return find_or_add(pool, &mask, flow_key_hash(&mask, FLOW_KEY_LINES));
}

static struct mask_entry *merge_remembered(struct mask_pool *pool, const struct flow_key *want, uint32_t hash)
{
    struct mask_memo *memo = &pool->memo[hash % MASK_POOL_CACHE];
    struct mask_entry *entry;

    if (memo->generation == pool->generation && same(&memo->want, want))
        return memo->entry;
    entry = merge(pool, want);
    memo->want = *want;
    memo->entry = entry;
    memo->generation = pool->generation;
    return entry;
}

struct mask_entry *mask_pool_get(struct mask_pool *pool, const struct flow_key *want, bool *merged)
{
    struct mask_entry *entry;
    uint32_t hash;

    *merged = false;
    if (pool->last && same(&pool->last->mask, want)) {
        pool->last->n++;
        return pool->last;
    }
    hash = flow_key_hash(want, FLOW_KEY_LINES);
    entry = find(pool, want, hash);
    if (!entry && pool->n < pool->soft_limit)
        entry = find_or_add(pool, want, hash);
    if (!entry) {
        entry = merge_remembered(pool, want, hash);
        *merged = true;
    }
    if (entry) {
        entry->n++;
        pool->last = entry;
    }
    return entry;
}

struct mask_entry *mask_pool_get_existing(struct mask_pool *pool, const struct flow_key *want,
                                          const struct mask_entry * not )
{
    struct mask_entry *entry = best_superset(pool, want, not );

    if (entry)
        entry->n++;
    return entry;
}

void mask_pool_put(struct mask_pool *pool, struct mask_entry *entry)
{
    struct mask_entry **p = &pool->heads[entry->hash % MASK_POOL_HEADS];

    if (--entry->n > 0)
        return;
    while (*p != entry)
        p = &(*p)->next;
    *p = entry->next;
    pool->entries[entry->index] = pool->entries[--pool->n];
    pool->entries[entry->index]->index = entry->index;
    if (pool->last == entry)
        pool->last = NULL;
    pool->generation++;
    free(entry);
}
