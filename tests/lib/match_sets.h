/* Matches as sets of packets, word by word of the whole flow: what tests compare the switch's own lookups with. */
#ifndef TESTS_LIB_MATCH_SETS_H
#define TESTS_LIB_MATCH_SETS_H

#include <string.h>

#include "src/match/field.h"
#include "src/match/minimatch.h"

#define WORDS(flow) ((const uint64_t *)(flow))

static inline bool match_equal(const struct match *a, const struct match *b)
{
    return !memcmp(&a->mask, &b->mask, sizeof a->mask) && !memcmp(&a->value, &b->value, sizeof a->value);
}

/* Every packet of `narrow` is in `wide`. */
static inline bool match_covers(const struct match *wide, const struct match *narrow)
{
    for (unsigned i = 0; i < FLOW_WORDS; i++) {
        uint64_t m = WORDS(&wide->mask)[i];

        if (m & ~WORDS(&narrow->mask)[i] || (WORDS(&wide->value)[i] ^ WORDS(&narrow->value)[i]) & m)
            return false;
    }
    return true;
}

/* Some packet is in both. */
static inline bool match_overlaps(const struct match *a, const struct match *b)
{
    for (unsigned i = 0; i < FLOW_WORDS; i++)
        if ((WORDS(&a->value)[i] ^ WORDS(&b->value)[i]) & WORDS(&a->mask)[i] & WORDS(&b->mask)[i])
            return false;
    return true;
}

/* The packet of `flow` is in `match`. */
static inline bool match_hits(const struct match *match, const struct flow *flow)
{
    for (unsigned i = 0; i < FLOW_WORDS; i++)
        if ((WORDS(&match->value)[i] ^ WORDS(flow)[i]) & WORDS(&match->mask)[i])
            return false;
    return true;
}

static inline bool minimatch_hits(const struct minimatch *match, const struct flow *flow)
{
    struct match whole;

    minimatch_expand(match, &whole);
    return match_hits(&whole, flow);
}

#undef WORDS
#endif
