/* One mask's rules: a hash table over the masked words, with what is needed to reject a flow early and cheaply.
 *
 * The mask's words are hashed in stages (metadata, L2, L3, L4). After each stage but the last, the hash so far is
 * looked up in a multiset of those that rules have: if it is not there, no rule can match, and only the bits up to that
 * stage were looked at. Part of the classifier; control thread only.
 */
#ifndef SRC_TABLES_SUBTABLE_H
#define SRC_TABLES_SUBTABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "pmd/base/open_hash.h"
#include "src/match/minimatch.h"
#include "src/tables/pipeline.h"
#include "src/tables/trie.h"

enum flow_stage { STAGE_METADATA, STAGE_L2, STAGE_L3, STAGE_L4, N_STAGES };

/* Fields that have a prefix trie in every classifier. */
enum trie_field {
    TRIE_IPV4_SRC,
    TRIE_IPV4_DST,
    TRIE_IPV6_SRC,
    TRIE_IPV6_DST,
    TRIE_TP_SRC,
    TRIE_TP_DST,
    N_TRIES,
};

struct trie_place {
    uint16_t offset; /* in struct flow */
    uint8_t bytes;
    uint8_t stage;
};
extern const struct trie_place trie_places[N_TRIES];

/* A word, or the part of a word that belongs to one stage. */
struct subtable_probe {
    uint64_t mask;
    uint8_t word;  /* in struct flow */
    uint8_t place; /* in the minimask */
};

struct value_slot {
    struct rule *head; /* NULL: empty. By descending rank, then newest first, linked by classifier_next */
    uint32_t hash;
};

/* An entry of a multiset of hashes: how often it has the hash. */
struct index_entry {
    uint32_t hash;
    uint32_t count; /* 0: empty */
};

#define SLOT_TYPE                                                                                                      \
    ((struct open_hash_type){.slot_size = sizeof(struct value_slot), .hash_at = offsetof(struct value_slot, hash)})
#define INDEX_TYPE                                                                                                     \
    ((struct open_hash_type){.slot_size = sizeof(struct index_entry), .hash_at = offsetof(struct index_entry, hash)})

struct priority_count {
    uint16_t priority;
    uint32_t n_rules;
};

TAILQ_HEAD(rule_list, rule);

struct subtable {
    struct minimask *mask;
    uint64_t seq;           /* order of creation; decides between equal priorities */
    struct open_hash slots; /* struct value_slot, one for each distinct value */
    uint32_t n_rules;
    uint16_t max_priority;
    uint8_t plens[N_TRIES]; /* leading ones of the mask in the trie's field */
    uint8_t n_probes;
    uint8_t stage_end[N_STAGES];          /* probes up to and with this stage */
    uint8_t last_stage;                   /* the first by which all probes are done */
    bool indexed[N_STAGES - 1];           /* else the stage rejects nothing */
    struct open_hash index[N_STAGES - 1]; /* struct index_entry */
    struct priority_count *priorities;    /* ascending */
    uint32_t n_priorities, priorities_size;
    struct rule_list rules;     /* in the order they came */
    TAILQ_ENTRY(subtable) node; /* by ascending seq */
    struct subtable_probe probes[];
};

struct subtable *subtable_create(struct minimask *mask, uint64_t seq); /* takes a reference of its own */
void subtable_destroy(struct subtable *subtable);                      /* must be empty */

/* Returns true if no other rule had this value. max_priority may change. */
bool subtable_insert(struct subtable *subtable, struct rule *rule);
/* Returns true if no other rule has this value. */
bool subtable_remove(struct subtable *subtable, struct rule *rule);
/* The first of the rules with exactly these values; NULL. */
struct rule *subtable_find(const struct subtable *subtable, const uint64_t *values);
/* As subtable_find(), by the values that `match` has under this subtable's mask, which must cover no more than match's.
 */
struct rule *subtable_find_wider(const struct subtable *subtable, const struct minimatch *match);
bool subtable_has_priority(const struct subtable *subtable, uint16_t priority);
size_t subtable_memory(const struct subtable *subtable); /* bytes */

/* The bits of a trie's field in a packed match, as the trie wants them. */
void trie_place_value(const struct trie_place *place, const struct minimatch *match, uint8_t value[TRIE_VALUE_LEN]);

static inline struct index_entry *stage_index_find(const struct open_hash *index, uint32_t hash)
{
    struct index_entry *entries;
    uint32_t mask;

    for (unsigned n = 0; (entries = open_hash_array(index, n, &mask)); n++) {
        for (uint32_t i = hash & mask; entries[i].count != 0; i = (i + 1) & mask) {
            if (entries[i].hash == hash)
                return &entries[i];
        }
    }
    return NULL;
}

/* Which rule wins: the higher priority, then an exact match of OpenFlow 1.0, which has the highest there is, then a
 * controller's rule over the switch's own. */
static inline uint32_t rule_rank(const struct rule *rule)
{
    return (uint32_t)rule->priority << 2 | (rule->flags & RULE_EXACT ? 2 : 0) | !(rule->flags & RULE_HIDDEN);
}

/* The highest rank of a rule of that priority. */
static inline uint32_t rule_rank_most(uint16_t priority)
{
    return (uint32_t)priority << 2 | (priority == UINT16_MAX ? 3 : 1);
}

static inline bool rule_visible(const struct rule *rule, uint64_t version)
{
    return rule->add_version <= version && version < rule->remove_version;
}

#endif
