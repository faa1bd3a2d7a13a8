/* Megaflows: key + mask + program, in arrays that are indexed by id: slots for poll-mode threads, the rest.
 *
 * The control thread allocates, fills, publishes and retires them. An id is reused only after a grace period, so a
 * poll-mode thread that found a slot alive may use it until it reports quiescent.
 */
#ifndef PMD_CACHE_MEGAFLOW_H
#define PMD_CACHE_MEGAFLOW_H

#include <rte_byteorder.h>
#include <rte_common.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "pmd/base/hugemem.h"
#include "pmd/key.h"
#include "pmd/rcu.h"

#define LINE_WORDS (FLOW_KEY_LINE / 8)
#define MEGAFLOW_NONE UINT32_MAX

struct program;
struct tuple;

/* The bytes of a key's first line that a packet just received has; behind them are conntrack state, marks and hashes.
 */
#define MEGAFLOW_HEAD 44
#define MEGAFLOW_TAIL_WORDS 3

/* What most packets need of a megaflow, and nothing else: many flows are many of these lines in the processor's caches.
 * It has the shape of the key's first line, so that the compare is one instruction; what is behind the head is left out
 * of it. */
struct megaflow_slot {
    uint8_t head[MEGAFLOW_HEAD]; /* of the masked key */
    uint8_t alive;               /* published: stored last, loaded first */
    uint8_t head_only;           /* the mask has no bit behind the head */
    uint8_t mask_lines;
    uint8_t key_lines; /* lines of the masked key with a bit set, at least 1 */
    const struct program *program;
    const uint64_t *mask; /* the tuple's, all lines */
} __attribute__((aligned(64)));

/* The rest: poll-mode threads read tail and more of masks that are longer than the head. */
struct megaflow {
    uint64_t tail[MEGAFLOW_TAIL_WORDS]; /* the masked key's words behind the head; of the first, the half that is */
    uint64_t *more;                     /* the masked key's lines from 1 on, or NULL if the mask has one line */
    struct tuple *tuple;
    struct megaflow_slot *slot;
    uint32_t hash; /* of the masked key, as the tuple's table uses it */
    uint32_t id;   /* the index of both */
    uint32_t next; /* control thread: in the list of free or retired slots */
} __attribute__((aligned(64)));

_Static_assert(sizeof(struct megaflow_slot) == 64, "a line for packets");
_Static_assert(sizeof(struct megaflow) == 64, "a line for the control thread");
_Static_assert(offsetof(struct flow_key, ct_state) == MEGAFLOW_HEAD, "the head ends before conntrack's fields");

/* What one poll-mode thread counted on a megaflow; indexed by id, written by that thread. Small, because with many
 * flows each packet brings a line of them: both wrap, and who reads packets goes by the difference. */
struct megaflow_counters {
    uint32_t packets;
    uint32_t bytes;
};

_Static_assert(sizeof(struct megaflow_counters) == 8, "eight to a cache line");

/* Counters of one thread that it seldom needs, apart from struct megaflow_counters, of which eight share a line. */
struct megaflow_rare {
    uint32_t byte_wraps; /* how often bytes wrapped, stored after it did */
    uint32_t born;       /* when its first packet came, in pending_clock() */
};

struct megaflow_table {
    struct megaflow_slot *slots;
    struct megaflow *megaflows;
    uint32_t limit;
    uint32_t n_used;

    uint32_t n_touched; /* slots from here on were never used */
    uint32_t free;      /* list through next */
    /* Removed slots, oldest first, as two batches: those that wait for a token and those that have none yet. */
    uint32_t waiting, fresh, fresh_last;
    uint64_t waiting_token;
    bool waiting_due; /* it has passed, and not all have been moved */
    struct hugemem slots_memory, memory;

    /* The threads' counters, cleared when an id is given out again. */
    struct megaflow_counters *counters[RCU_READERS_MAX];
    struct megaflow_rare *rare[RCU_READERS_MAX];
    unsigned n_counters;
};

int megaflow_table_init(struct megaflow_table *table, uint32_t limit);
void megaflow_table_fini(struct megaflow_table *table);

/* A slot to fill: id set, `alive` 0, counters 0. NULL: all are in use (or not yet through their grace period). */
struct megaflow *megaflow_alloc(struct megaflow_table *table, struct rcu *rcu);
/* Fills in the masked key; 0 or -ENOMEM. `mask` is kept. */
int megaflow_set_key(struct megaflow *mf, const struct flow_key *key, const struct flow_key *mask, unsigned mask_lines);
/* Lets poll-mode threads match the megaflow from now on. */
void megaflow_publish(struct megaflow *mf);
/* Lets no packet match the megaflow from now on; its slot is reused after a grace period. */
void megaflow_retire(struct megaflow_table *table, struct megaflow *mf);
/* Gives back a slot that was never published. */
void megaflow_unalloc(struct megaflow_table *table, struct megaflow *mf);
/* Moves retired slots whose grace period is over to the free list, some hundred at most. True: there are more. */
bool megaflow_reclaim(struct megaflow_table *table, struct rcu *rcu);

static inline uint32_t megaflow_index(const struct megaflow_slot *slots, const struct megaflow_slot *slot)
{
    return (uint32_t)(slot - slots);
}

/* The half of the tail's first word that does not belong to the head. */
static inline uint64_t megaflow_tail_half(void)
{
    return rte_cpu_to_le_64(0xffffffff00000000);
}

/* The masked key, all lines. Control thread. */
void megaflow_masked_key(const struct megaflow *mf, struct flow_key *key);

static inline bool megaflow_alive(const struct megaflow_slot *slot)
{
    return __atomic_load_n(&slot->alive, __ATOMIC_ACQUIRE);
}

/* Word `word` of the masked key (struct flow_key as words of 64 bits). */
static inline uint64_t megaflow_key_word(const struct megaflow *mf, uint32_t word)
{
    uint64_t half = 0;

    if (word >= LINE_WORDS)
        return word / LINE_WORDS < mf->slot->mask_lines ? mf->more[word - LINE_WORDS] : 0;
    if (word > MEGAFLOW_HEAD / 8)
        return mf->tail[word - MEGAFLOW_HEAD / 8];
    if (word < MEGAFLOW_HEAD / 8) {
        memcpy(&half, mf->slot->head + 8 * word, 8);
        return half;
    }
    memcpy(&half, mf->slot->head + 8 * word, MEGAFLOW_HEAD % 8);
    return half | mf->tail[0];
}

#endif
