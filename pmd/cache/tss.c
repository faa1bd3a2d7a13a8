#include "pmd/cache/tss.h"

#include <errno.h>
#include <rte_random.h>
#include <stdlib.h>
#include <string.h>

#include "pmd/base/hugemem.h"
#include "pmd/cache/tuple_hash.h"

/* A bigger table is made when more than 5 of 8 ways are used on average. */
#define MAX_LOAD 5
#define BUCKET_NONE UINT32_MAX

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

/* A table of more buckets than that grows in steps. */
#define AT_ONCE 256
/* An insertion into a tuple that grows gets memory for so many bytes, or copies so many buckets. The new table takes
 * over before a sixtieth more entries have come. */
#define STEP_READY ((size_t)128 << 10)
#define STEP_BUCKETS 8
/* Bytes of dead tables that a call of tss_reclaim() gives back. */
#define STEP_FREE ((size_t)2 << 20)

/* A table and what the control thread needs of it. */
struct tuple_memory {
    struct tuple_bucket *buckets;
    uint32_t mask;    /* number of buckets - 1 */
    uint32_t *hashes; /* low halves, a way each: copying an entry need not touch the megaflow */
    struct hugemem memory;
    size_t ready;  /* bytes that have memory */
    uint32_t next; /* copying into it: buckets of the old table from here on are not in it yet */
    struct tss *tss;
    struct tuple_memory *next_dead;
};

static size_t memory_size(uint32_t n_buckets)
{
    return n_buckets * (sizeof(struct tuple_bucket) + BUCKET_WAYS * sizeof(uint32_t));
}

/* Nobody reads it any more. */
static void memory_bury(void *ptr)
{
    struct tuple_memory *memory = ptr;

    if (!memory)
        return;
    memory->next_dead = memory->tss->dead;
    memory->tss->dead = memory;
}

bool tss_reclaim(struct tss *tss)
{
    struct tuple_memory *memory = tss->dead;
    size_t freed = 0;

    while (memory && freed < STEP_FREE) {
        size_t before = memory->memory.size;

        if (hugemem_free_some(&memory->memory, STEP_FREE)) {
            freed += before - memory->memory.size;
            continue;
        }
        freed += before;
        tss->dead = memory->next_dead;
        free(memory);
        memory = tss->dead;
    }
    return memory;
}

static void memory_place(struct tuple_memory *memory, uint32_t n_buckets)
{
    memory->buckets = memory->memory.ptr;
    memory->hashes = (uint32_t *)(memory->buckets + n_buckets);
    memory->mask = n_buckets - 1;
}

/* A large table gets its memory piece by piece afterwards: hugemem_ready(). */
static struct tuple_memory *memory_make(struct tss *tss, uint32_t n_buckets)
{
    struct tuple_memory *memory = calloc(1, sizeof *memory);

    if (!memory)
        return NULL;
    memory->tss = tss;
    memory->memory = hugemem_reserve(memory_size(n_buckets), &memory->ready);
    if (!memory->memory.ptr) {
        free(memory);
        return NULL;
    }
    memory_place(memory, n_buckets);
    return memory;
}

/* Readers may be looking: the id is there before the signature says so, and buckets that the entry passes by say so
 * before it can be looked for behind them. Returns the index of its bucket, or BUCKET_NONE. */
static uint32_t memory_insert(struct tuple_memory *memory, uint32_t hash, uint16_t signature, uint32_t id)
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
            return index;
        }
    }
    return BUCKET_NONE;
}

/* Returns the index of the bucket that it was in, or BUCKET_NONE. */
static uint32_t memory_remove(struct tuple_memory *memory, uint32_t hash, uint32_t id)
{
    uint32_t probe = RTE_MIN((uint32_t)TSS_MAX_PROBE, memory->mask + 1);

    for (uint32_t d = 0; d < probe; d++) {
        uint32_t index = (hash + d) & memory->mask;
        struct tuple_bucket *bucket = &memory->buckets[index];

        for (unsigned w = 0; w < BUCKET_WAYS; w++) {
            if (bucket->signature[w] == 0 || bucket->id[w] != id)
                continue;
            __atomic_store_n(&bucket->signature[w], 0, __ATOMIC_RELEASE);
            for (uint32_t p = 0; p < d; p++) {
                struct tuple_bucket *passed = &memory->buckets[(hash + p) & memory->mask];
                __atomic_store_n(&passed->passed_by, passed->passed_by - 1, __ATOMIC_RELEASE);
            }
            return index;
        }
    }
    return BUCKET_NONE;
}

/* Copies up to `most` buckets of `from` that are not in `to` yet. False: there is no room for an entry. */
static bool memory_copy(const struct tuple_memory *from, struct tuple_memory *to, uint32_t most)
{
    for (; most > 0 && to->next <= from->mask; most--, to->next++) {
        const struct tuple_bucket *bucket = &from->buckets[to->next];

        for (unsigned w = 0; w < BUCKET_WAYS; w++) {
            if (bucket->signature[w] != 0 && memory_insert(to, from->hashes[to->next * BUCKET_WAYS + w],
                                                           bucket->signature[w], bucket->id[w]) == BUCKET_NONE)
                return false;
        }
    }
    return true;
}

static void tuple_publish_memory(struct tuple *tuple, struct tuple_memory *memory)
{
    tuple->memory = memory;
    __atomic_store_n(&tuple->table, (uintptr_t)memory->buckets | (unsigned)__builtin_ctz(memory->mask + 1),
                     __ATOMIC_RELEASE);
}

static void grow_give_up(struct tuple *tuple)
{
    memory_bury(tuple->bigger);
    tuple->bigger = NULL;
}

/* One step towards the bigger table. Readers know only of the old one until the new one has all. */
static void grow_step(struct tss *tss, struct tuple *tuple, uint32_t most)
{
    struct tuple_memory *old = tuple->memory, *bigger = tuple->bigger;

    if (!bigger)
        return;
    if (bigger->ready < bigger->memory.size) {
        if (!hugemem_ready(&bigger->memory, &bigger->ready, STEP_READY)) {
            grow_give_up(tuple);
            return;
        }
        memory_place(bigger, bigger->mask + 1); /* it may be somewhere else now */
        return;
    }
    if (!memory_copy(old, bigger, most)) {
        grow_give_up(tuple);
        return;
    }
    if (bigger->next <= old->mask)
        return;
    tuple->bigger = NULL;
    tuple_publish_memory(tuple, bigger);
    rcu_defer(tss->rcu, memory_bury, old);
}

/* False: it cannot become bigger. */
static bool grow_begin(struct tss *tss, struct tuple *tuple)
{
    const struct tuple_memory *old = tuple->memory;

    /* Keys of one hash do not come apart in a bigger table: give up before the table is nearly empty. */
    if (tuple->bigger || old->mask == UINT32_MAX / 2 ||
        ((uint64_t)tuple->n * 16 < (uint64_t)old->mask * BUCKET_WAYS && old->mask > 1024))
        return false;
    tuple->bigger = memory_make(tss, 2 * (old->mask + 1));
    if (!tuple->bigger)
        return false;
    if (old->mask < AT_ONCE)
        grow_step(tss, tuple, AT_ONCE);
    return true;
}

int tss_insert(struct tss *tss, struct megaflow *mf)
{
    struct tuple *tuple = mf->tuple;
    struct flow_key key; /* the masked key masked again is itself */
    uint32_t index;

    megaflow_masked_key(mf, &key);
    uint64_t hash = tuple_hash(tuple, &key, FLOW_KEY_LINES);
    uint16_t signature = tuple_signature(hash);

    mf->hash = (uint32_t)hash;
    grow_step(tss, tuple, STEP_BUCKETS);
    if (tuple->n >= (tuple->memory->mask + 1) * MAX_LOAD)
        grow_begin(tss, tuple);
    /* A large table that has no room only begins to grow. */
    while ((index = memory_insert(tuple->memory, mf->hash, signature, mf->id)) == BUCKET_NONE) {
        if (!grow_begin(tss, tuple) || tuple->bigger)
            return -ENOSPC;
    }
    /* Those behind are still to be copied. */
    if (tuple->bigger && index < tuple->bigger->next &&
        memory_insert(tuple->bigger, mf->hash, signature, mf->id) == BUCKET_NONE)
        grow_give_up(tuple);
    tuple->n++;
    return 0;
}

void tss_remove(struct tss *tss, struct megaflow *mf)
{
    struct tuple *tuple = mf->tuple;
    uint32_t index = memory_remove(tuple->memory, mf->hash, mf->id);

    if (index == BUCKET_NONE)
        return;
    if (tuple->bigger && index < tuple->bigger->next)
        memory_remove(tuple->bigger, mf->hash, mf->id);
    tuple->n--;
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

        if (mf)
            return mf;
    }
    return NULL;
}

/* --- tuples -------------------------------------------------------------- */

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

    for (struct tuple *tuple = tss->heads[hash % TSS_MASK_HEADS]; tuple; tuple = tuple->next) {
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
    if (!list)
        return false;
    for (uint32_t i = 0; i < old->n; i++) {
        if (old->refs[i].tuple != removed)
            list->refs[n++] = old->refs[i];
    }
    if (added)
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

    memory_bury(tuple->memory);
    memory_bury(tuple->bigger);
    free(tuple);
}

static struct tuple *tuple_make(struct tss *tss, const struct flow_key *mask)
{
    struct tuple *tuple = aligned_alloc(64, sizeof *tuple);
    struct tuple_memory *memory = memory_make(tss, 1);

    if (!tuple || !memory) {
        free(tuple);
        memory_bury(memory);
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

    if (tuple)
        return tuple;
    *error = -EMLINK;
    if (tss->n_free_slots == 0)
        return NULL;
    *error = -ENOMEM;
    tuple = tuple_make(tss, mask);
    if (!tuple)
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
    if (!tss->list || !tss->free_slots) {
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
    while (tss_reclaim(tss))
        ;
    free(tss->list);
    free(tss->free_slots);
}
