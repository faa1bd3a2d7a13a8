/* The tuple-space classifier: one hash table of megaflows per distinct mask ("tuple").
 *
 * The control thread is the only writer. Poll-mode threads look up in lookup_impl.h, without locks: an entry never
 * moves within a table, a table that becomes too small is replaced by a bigger copy, and tables, tuples and the list of
 * tuples are freed after a grace period. What a reader finds is a candidate until the masked compare confirms it.
 *
 * No call takes long, however large a table is: each insertion gets a few pages of the bigger table, then copies a few
 * buckets. Meanwhile entries come and go in both tables; readers look into the old one alone, until the new one has
 * everything. So growing costs a lookup nothing.
 */
#ifndef PMD_CACHE_TSS_H
#define PMD_CACHE_TSS_H

#include <rte_common.h>
#include <stdbool.h>
#include <stdint.h>

#include "pmd/cache/megaflow.h"
#include "pmd/cache/signature.h"
#include "pmd/key.h"
#include "pmd/rcu.h"

/* An entry is in its home bucket or in one of the next TSS_MAX_PROBE - 1. */
#define TSS_MAX_PROBE 32

struct tuple_bucket {
    uint16_t signature[BUCKET_WAYS];
    uint32_t id[BUCKET_WAYS];
    uint16_t passed_by; /* entries that are further on because this bucket was full when they came */
    uint8_t unused[14];
} __attribute__((aligned(64)));

_Static_assert(sizeof(struct tuple_bucket) == 64, "a bucket is one cache line");

struct tuple {
    /* Address of the buckets, and in the low 6 bits log2 of their number: one load gives both. */
    uintptr_t table;
    uint8_t n_lines; /* lines of the mask in use */
    uint32_t slot;   /* dense, below mask_limit; poll-mode threads keep their hits by it */
    uint64_t serial; /* never reused, as the slot is */
    struct flow_key mask __attribute__((aligned(64)));

    /* Control thread. */
    uint32_t n; /* megaflows */
    uint32_t mask_hash;
    struct tuple *next; /* same mask_hash bucket */
    struct tuple_memory *memory;
    struct tuple_memory *bigger; /* being made; NULL: none */
} __attribute__((aligned(64)));

#define TUPLE_TABLE_BITS 63ul

static inline const struct tuple_bucket *tuple_table(const struct tuple *tuple, uint32_t *mask)
{
    uintptr_t table = __atomic_load_n(&tuple->table, __ATOMIC_ACQUIRE);

    *mask = (uint32_t)((1ull << (table & TUPLE_TABLE_BITS)) - 1);
    return (const struct tuple_bucket *)(table & ~TUPLE_TABLE_BITS);
}

/* As poll-mode threads see the tuples. Replaced as a whole. */
struct tuple_list {
    uint64_t generation;
    uint32_t n;
    struct tuple_ref {
        struct tuple *tuple;
        uint64_t serial;
        uint32_t slot;
    } refs[];
};

#define TSS_MASK_HEADS 1024

struct tss {
    struct tuple_list *list; /* published */
    struct rcu *rcu;
    struct megaflow_table *megaflows;
    uint32_t mask_limit;
    uint64_t next_serial;
    uint32_t *free_slots;
    uint32_t n_free_slots;
    struct tuple *heads[TSS_MASK_HEADS];
    struct tuple_memory *dead; /* tables whose memory is given back bit by bit */
};

int tss_init(struct tss *tss, struct rcu *rcu, struct megaflow_table *megaflows, uint32_t mask_limit);
/* No reader may be left. */
void tss_fini(struct tss *tss);

/* The tuple of `mask`; NULL if there is none. */
struct tuple *tss_tuple(const struct tss *tss, const struct flow_key *mask);
/* Returns the tuple of `mask`, and makes it if there is none. NULL: *error is -EMLINK or -ENOMEM. */
struct tuple *tss_tuple_make(struct tss *tss, const struct flow_key *mask, int *error);
/* Takes the tuple out if it is empty. */
void tss_tuple_release(struct tss *tss, struct tuple *tuple);

/* The live megaflow of `tuple` that `key` (n_lines lines valid) matches, or NULL. */
struct megaflow *tss_tuple_find(const struct tss *tss, const struct tuple *tuple, const struct flow_key *key,
                                unsigned n_lines);
/* The first of all tuples that has one. */
struct megaflow *tss_find(const struct tss *tss, const struct flow_key *key, unsigned n_lines);

/* `mf` has its key, mask and tuple. Returns 0, -ENOMEM, or -ENOSPC (too many keys with one hash, or
 * no memory to grow). */
int tss_insert(struct tss *tss, struct megaflow *mf);
/* Takes it out of its tuple's table; the tuple stays. */
void tss_remove(struct tss *tss, struct megaflow *mf);

/* Gives back some memory of tables that nobody reads any more. True: there is more of it. */
bool tss_reclaim(struct tss *tss);

/* Does `key` (n_lines lines valid) match? Says nothing of whether it is alive. */
bool megaflow_matches_key(const struct megaflow *mf, const struct flow_key *key, unsigned n_lines);

#endif
