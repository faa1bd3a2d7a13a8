/* A match kept compactly: only the 64-bit words of struct flow whose mask is not zero. Masks are shared between all
 * rules that have the same one. Control thread only.
 */
#ifndef SRC_MATCH_MINIMATCH_H
#define SRC_MATCH_MINIMATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "src/match/flow.h"

_Static_assert(FLOW_WORDS <= 64, "a word map is one uint64_t");

/* Which words are used (bit i = word i of struct flow) and their masks, lowest word first. */
struct minimask {
    uint64_t map;
    uint32_t refs;
    uint32_t hash; /* of map and words */
    uint32_t n_words;
    uint64_t words[];
};

/* Values, masked, of the words in mask->map. */
struct minimatch {
    struct minimask *mask; /* one reference */
    uint64_t values[];
};

/* Calls for each word of the map: `word` is its number in struct flow, `i` its place in words[] and values[]. */
#define MINIMASK_FOR_EACH(word, i, mask)                                                                               \
    for (uint64_t map_ = (mask)->map, i = 0, word; map_ != 0 && (word = (uint64_t)__builtin_ctzll(map_), true);        \
         map_ &= map_ - 1, i++)

/* Place of `word` in words[] and values[]; it must be in the map. */
static inline unsigned minimask_index(const struct minimask *mask, unsigned word)
{
    return (unsigned)__builtin_popcountll(mask->map & ((UINT64_C(1) << word) - 1));
}

/* The mask's bits of a word; 0 if the word is not in the map. */
static inline uint64_t minimask_word(const struct minimask *mask, unsigned word)
{
    return mask->map >> word & 1 ? mask->words[minimask_index(mask, word)] : 0;
}

static inline uint64_t minimatch_word(const struct minimatch *match, unsigned word)
{
    return match->mask->map >> word & 1 ? match->values[minimask_index(match->mask, word)] : 0;
}

static inline size_t minimatch_size(const struct minimask *mask)
{
    return sizeof(struct minimatch) + mask->n_words * sizeof(uint64_t);
}

/* With one reference. Aborts on out of memory, as all allocations of the pipeline. */
struct minimask *minimask_create(const struct flow *mask);
struct minimask *minimask_ref(struct minimask *mask);
void minimask_unref(struct minimask *mask);
bool minimask_equal(const struct minimask *a, const struct minimask *b);
/* Bit i: word i of the flow is not 0. */
uint64_t flow_map(const struct flow *flow);
/* The hash that minimask_create would store; `map` is flow_map(mask). */
uint32_t flow_hash(const struct flow *mask, uint64_t map);
bool minimask_equal_flow(const struct minimask *mask, const struct flow *flow_mask, uint64_t map);
/* Every bit of `wide` is in `narrow` too: matches of `narrow` look at no less. */
bool minimask_covers(const struct minimask *wide, const struct minimask *narrow);

/* Fills minimatch_size(mask) bytes at `match` with `value` under `mask`, whose reference it takes over. */
void minimatch_init(struct minimatch *match, struct minimask *mask, const struct flow *value);
void minimatch_expand(const struct minimatch *match, struct match *out);
/* Some packet is matched by both. */
bool minimatch_overlaps(const struct minimatch *a, const struct minimatch *b);

#endif
