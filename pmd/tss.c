#include "pmd/tss.h"

#include <errno.h>
#include <rte_random.h>
#include <stdlib.h>
#include <string.h>

#include "pmd/hugemem.h"
#include "pmd/tuple_hash.h"

/* A bigger table is made when more than 5 of 8 ways are used on average. */
#define MAX_LOAD 5

struct tuple_hash_secret tuple_hash_secret;

static void secret_init(void)
{
    static const uint64_t zeros[FLOW_KEY_WORDS];
    struct tuple_hash_secret *secret = &tuple_hash_secret;

    if (secret->finish[1] != 0) /* drawn before */
        return;
    for (unsigned w = 0; w < FLOW_KEY_WORDS; w++)
        secret->add[w] = rte_rand();
    for (unsigned line = 0; line < FLOW_KEY_LINES; line++)
        secret->zero[line] = tuple_hash_line(zeros, zeros, line);
    secret->finish[0] = rte_rand();
    secret->finish[1] = rte_rand() | 1;
}

/* A table and what the control thread needs of it. */
struct tuple_memory {
    struct tuple_bucket *buckets;
    uint32_t mask;    /* number of buckets - 1 */
    uint32_t *hashes; /* low halves, a way each: a rebuild need not touch the megaflows */
    struct hugemem buckets_memory;
};

static void memory_free(void *ptr)
{
    struct tuple_memory *memory = ptr;

    if (memory == NULL)
        return;
    if (memory->buckets_memory.ptr != NULL)
        hugemem_free(&memory->buckets_memory);
    else
        free(memory->buckets);
    free(memory->hashes);
    free(memory);
}

static struct tuple_memory *memory_make(uint32_t n_buckets)
{
    struct tuple_memory *memory = calloc(1, sizeof *memory);
    size_t size = (size_t)n_buckets * sizeof *memory->buckets;

    if (memory == NULL)
        return NULL;
    /* Most tuples are small; DPDK's heap is for those that are not. */
    if (size >= 65536) {
        memory->buckets_memory = hugemem_alloc(size, SOCKET_ID_ANY);
        memory->buckets = memory->buckets_memory.ptr;
    } else {
        memory->buckets = aligned_alloc(64, size);
        if (memory->buckets != NULL)
            memset(memory->buckets, 0, size);
    }
    memory->hashes = malloc((size_t)n_buckets * BUCKET_WAYS * sizeof *memory->hashes);
    memory->mask = n_buckets - 1;
    if (memory->buckets == NULL || memory->hashes == NULL) {
        memory_free(memory);
        return NULL;
    }
    return memory;
}

/* Readers may be looking: the id is there before the signature says so, and buckets that the entry passes by say so
 * before it can be looked for behind them. */
static bool memory_insert(struct tuple_memory *memory, uint32_t hash, uint16_t signature, uint32_t id)
{
    uint32_t probe = RTE_MIN((uint32_t)TSS_MAX_PROBE, memory->mask + 1);

    for (uint32_t d = 0; d < probe; d++) {
        uint32_t index = (hash + d) & memory->mask;
        struct tuple_bucket *bucket = &memory->buckets[index];

        for (unsigned w = 0; w < BUCKET_WAYS; w++) {
            if (bucket->signature[w] != 0)
                continue;
            for (uint32_t p = 0; p < d; p++) {
                struct tuple_bucket *passed = &memory->buckets[(hash + p) & memory->mask];
                __atomic_store_n(&passed->passed_by, passed->passed_by + 1, __ATOMIC_RELAXED);
            }
            memory->hashes[index * BUCKET_WAYS + w] = hash;
            __atomic_store_n(&bucket->id[w], id, __ATOMIC_RELAXED);
            __atomic_store_n(&bucket->signature[w], signature, __ATOMIC_RELEASE);
            return true;
        }
    }
    return false;
}

static struct tuple_memory *memory_copy(const struct tuple_memory *from, uint32_t n_buckets)
{
    struct tuple_memory *to = memory_make(n_buckets);

    if (to == NULL)
        return NULL;
    for (uint32_t index = 0; index <= from->mask; index++) {
        for (unsigned w = 0; w < BUCKET_WAYS; w++) {
            const struct tuple_bucket *bucket = &from->buckets[index];

            if (bucket->signature[w] != 0 &&
                !memory_insert(to, from->hashes[index * BUCKET_WAYS + w], bucket->signature[w], bucket->id[w])) {
                memory_free(to);
                return NULL;
            }
        }
    }
    return to;
}

static void tuple_publish_memory(struct tuple *tuple, struct tuple_memory *memory)
{
    tuple->memory = memory;
    __atomic_store_n(&tuple->table, (uintptr_t)memory->buckets | (unsigned)__builtin_ctz(memory->mask + 1),
                     __ATOMIC_RELEASE);
}

static bool tuple_grow(struct tss *tss, struct tuple *tuple)
{
    struct tuple_memory *old = tuple->memory;
    /* Keys of one hash do not come apart in a bigger table: give up before the table is nearly empty. */
    if ((uint64_t)tuple->n * 16 < (uint64_t)old->mask * BUCKET_WAYS && old->mask > 1024)
        return false;
    struct tuple_memory *bigger = memory_copy(old, 2 * (old->mask + 1));

    if (bigger == NULL)
        return false;
    tuple_publish_memory(tuple, bigger);
    rcu_defer(tss->rcu, memory_free, old);
    return true;
}

int tss_insert(struct tss *tss, struct megaflow *mf)
{
    struct tuple *tuple = mf->tuple;
    struct flow_key key; /* the masked key masked again is itself */

    megaflow_masked_key(mf, &key);
    uint64_t hash = tuple_hash(tuple, &key, FLOW_KEY_LINES);

    mf->hash = (uint32_t)hash;
    if (tuple->n >= (tuple->memory->mask + 1) * MAX_LOAD)
        tuple_grow(tss, tuple);
    while (!memory_insert(tuple->memory, mf->hash, tuple_signature(hash), mf->id)) {
        if (!tuple_grow(tss, tuple))
            return -ENOSPC;
    }
    tuple->n++;
    return 0;
}

void tss_remove(struct tss *tss, struct megaflow *mf)
{
    struct tuple *tuple = mf->tuple;
    struct tuple_memory *memory = tuple->memory;
    uint32_t probe = RTE_MIN((uint32_t)TSS_MAX_PROBE, memory->mask + 1);

    for (uint32_t d = 0; d < probe; d++) {
        struct tuple_bucket *bucket = &memory->buckets[(mf->hash + d) & memory->mask];

        for (unsigned w = 0; w < BUCKET_WAYS; w++) {
            if (bucket->signature[w] == 0 || bucket->id[w] != mf->id)
                continue;
            __atomic_store_n(&bucket->signature[w], 0, __ATOMIC_RELEASE);
            for (uint32_t p = 0; p < d; p++) {
                struct tuple_bucket *passed = &memory->buckets[(mf->hash + p) & memory->mask];
                __atomic_store_n(&passed->passed_by, passed->passed_by - 1, __ATOMIC_RELEASE);
            }
            tuple->n--;
            return;
        }
    }
}

bool megaflow_matches_key(const struct megaflow *mf, const struct flow_key *key, unsigned n_lines)
{
    const uint64_t *k = (const uint64_t *)key, *want;
    unsigned n_words = RTE_MIN((unsigned)mf->slot->mask_lines, n_lines) * LINE_WORDS;
    struct flow_key masked;

    if (mf->slot->key_lines > n_lines)
        return false;
    megaflow_masked_key(mf, &masked);
    want = (const uint64_t *)&masked;
    for (unsigned w = 0; w < n_words; w++) {
        if ((k[w] & mf->slot->mask[w]) != want[w])
            return false;
    }
    return true;
}

struct megaflow *tss_tuple_find(const struct tss *tss, const struct tuple *tuple, const struct flow_key *key,
                                unsigned n_lines)
{
    uint64_t hash = tuple_hash(tuple, key, n_lines);
    uint32_t mask;
    const struct tuple_bucket *buckets = tuple_table(tuple, &mask);

    for (uint32_t d = 0; d < TSS_MAX_PROBE; d++) {
        const struct tuple_bucket *bucket = &buckets[((uint32_t)hash + d) & mask];

        for (uint32_t ways = signature_ways(bucket->signature, tuple_signature(hash)); ways != 0; ways &= ways - 1) {
            struct megaflow *mf = &tss->megaflows->megaflows[bucket->id[__builtin_ctz(ways)]];

            if (mf->tuple == tuple && megaflow_alive(mf->slot) && megaflow_matches_key(mf, key, n_lines))
                return mf;
        }
        if (bucket->passed_by == 0)
            break;
    }
    return NULL;
}

struct megaflow *tss_find(const struct tss *tss, const struct flow_key *key, unsigned n_lines)
{
    for (uint32_t i = 0; i < tss->list->n; i++) {
        struct megaflow *mf = tss_tuple_find(tss, tss->list->refs[i].tuple, key, n_lines);

        if (mf != NULL)
            return mf;
    }
    return NULL;
}

/* --- tuples --------------------------------------------------------------------------------------------------------*/

static uint32_t mask_hash(const struct flow_key *mask)
{
    const uint64_t *m = (const uint64_t *)mask;
    uint64_t sum = 0;

    for (unsigned line = 0; line < FLOW_KEY_LINES; line++)
        sum += tuple_hash_line(m, m, line);
    return (uint32_t)tuple_hash_finish(sum);
}

struct tuple *tss_tuple(const struct tss *tss, const struct flow_key *mask)
{
    uint32_t hash = mask_hash(mask);

    for (struct tuple *tuple = tss->heads[hash % TSS_MASK_HEADS]; tuple != NULL; tuple = tuple->next) {
        if (tuple->mask_hash == hash && memcmp(&tuple->mask, mask, sizeof *mask) == 0)
            return tuple;
    }
    return NULL;
}

/* Publishes the list with `added` (or without `removed`). */
static bool list_change(struct tss *tss, struct tuple *added, const struct tuple *removed)
{
    struct tuple_list *old = tss->list, *list;
    uint32_t n = 0;

    list = malloc(sizeof *list + (old->n + 1) * sizeof list->refs[0]);
    if (list == NULL)
        return false;
    for (uint32_t i = 0; i < old->n; i++) {
        if (old->refs[i].tuple != removed)
            list->refs[n++] = old->refs[i];
    }
    if (added != NULL)
        list->refs[n++] = (struct tuple_ref){.tuple = added, .serial = added->serial, .slot = added->slot};
    list->n = n;
    list->generation = old->generation + 1;
    __atomic_store_n(&tss->list, list, __ATOMIC_RELEASE);
    rcu_defer(tss->rcu, free, old);
    return true;
}

static void tuple_free(void *ptr)
{
    struct tuple *tuple = ptr;

    memory_free(tuple->memory);
    free(tuple);
}

static struct tuple *tuple_make(struct tss *tss, const struct flow_key *mask)
{
    struct tuple *tuple = aligned_alloc(64, sizeof *tuple);
    struct tuple_memory *memory = memory_make(1);

    if (tuple == NULL || memory == NULL) {
        free(tuple);
        memory_free(memory);
        return NULL;
    }
    memset(tuple, 0, sizeof *tuple);
    tuple->mask = *mask;
    tuple->mask_hash = mask_hash(mask);
    tuple->n_lines = (uint8_t)flow_key_lines_used(mask);
    tuple->serial = ++tss->next_serial;
    tuple_publish_memory(tuple, memory);
    return tuple;
}

struct tuple *tss_tuple_make(struct tss *tss, const struct flow_key *mask, int *error)
{
    struct tuple *tuple = tss_tuple(tss, mask);

    if (tuple != NULL)
        return tuple;
    *error = -EMLINK;
    if (tss->n_free_slots == 0)
        return NULL;
    *error = -ENOMEM;
    tuple = tuple_make(tss, mask);
    if (tuple == NULL)
        return NULL;
    tuple->slot = tss->free_slots[tss->n_free_slots - 1];
    if (!list_change(tss, tuple, NULL)) {
        tuple_free(tuple);
        return NULL;
    }
    tss->n_free_slots--;
    tuple->next = tss->heads[tuple->mask_hash % TSS_MASK_HEADS];
    tss->heads[tuple->mask_hash % TSS_MASK_HEADS] = tuple;
    return tuple;
}

void tss_tuple_release(struct tss *tss, struct tuple *tuple)
{
    if (tuple->n > 0 || !list_change(tss, NULL, tuple))
        return;
    struct tuple **link = &tss->heads[tuple->mask_hash % TSS_MASK_HEADS];
    while (*link != tuple)
        link = &(*link)->next;
    *link = tuple->next;
    tss->free_slots[tss->n_free_slots++] = tuple->slot;
    rcu_defer(tss->rcu, tuple_free, tuple);
}

int tss_init(struct tss *tss, struct rcu *rcu, struct megaflow_table *megaflows, uint32_t mask_limit)
{
    memset(tss, 0, sizeof *tss);
    tss->rcu = rcu;
    tss->megaflows = megaflows;
    tss->mask_limit = mask_limit;
    secret_init();
    tss->list = calloc(1, sizeof *tss->list);
    tss->free_slots = malloc(mask_limit * sizeof *tss->free_slots);
    if (tss->list == NULL || tss->free_slots == NULL) {
        free(tss->list);
        free(tss->free_slots);
        return -ENOMEM;
    }
    for (uint32_t i = 0; i < mask_limit; i++)
        tss->free_slots[tss->n_free_slots++] = mask_limit - 1 - i;
    return 0;
}

void tss_fini(struct tss *tss)
{
    for (uint32_t i = 0; i < tss->list->n; i++)
        tuple_free(tss->list->refs[i].tuple);
    free(tss->list);
    free(tss->free_slots);
}
