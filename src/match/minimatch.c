#include "src/match/minimatch.h"

#include <stdlib.h>
#include <string.h>

#include "pmd/base/hash.h"
#include "pmd/base/memory.h"

static const uint64_t *words_of(const struct flow *flow)
{
    return (const uint64_t *)flow;
}

/* Most lines of a flow are zeros. */
uint64_t flow_map(const struct flow *flow)
{
    const uint64_t *words = words_of(flow);
    uint64_t map = 0;

    for (unsigned i = 0; i < FLOW_WORDS; i += 8) {
        uint64_t line = 0;

        if ((words[i] | words[i + 1] | words[i + 2] | words[i + 3] | words[i + 4] | words[i + 5] | words[i + 6] |
             words[i + 7]) == 0)
            continue;
#pragma GCC unroll 8
        for (unsigned j = 0; j < 8; j++)
            line |= (uint64_t)(words[i + j] != 0) << j;
        map |= line << i;
    }
    return map;
}

uint32_t flow_hash(const struct flow *mask, uint64_t map)
{
    const uint64_t *words = words_of(mask);
    uint64_t hash = HASH_BASIS;

    for (; map != 0; map &= map - 1) {
        unsigned i = (unsigned)__builtin_ctzll(map);

        hash = hash_add(hash_add(hash, i), words[i]);
    }
    return hash_finish(hash);
}

struct minimask *minimask_create(const struct flow *mask)
{
    const uint64_t *words = words_of(mask);
    uint64_t map = flow_map(mask);
    unsigned n_words = (unsigned)__builtin_popcountll(map);
    struct minimask *mini = malloc(sizeof *mini + n_words * sizeof mini->words[0]);

    if (!mini)
        out_of_memory("rules, groups and meters", 0);
    mini->map = map;
    mini->refs = 1;
    mini->hash = flow_hash(mask, map);
    mini->n_words = n_words;
    MINIMASK_FOR_EACH(word, i, mini)
    {
        mini->words[i] = words[word];
    }
    return mini;
}

struct minimask *minimask_ref(struct minimask *mask)
{
    mask->refs++;
    return mask;
}

void minimask_unref(struct minimask *mask)
{
    if (--mask->refs == 0)
        free(mask);
}

bool minimask_equal(const struct minimask *a, const struct minimask *b)
{
    return a == b || (a->map == b->map && memcmp(a->words, b->words, a->n_words * sizeof a->words[0]) == 0);
}

bool minimask_equal_flow(const struct minimask *mask, const struct flow *flow_mask, uint64_t map)
{
    const uint64_t *words = words_of(flow_mask);
    uint64_t differs = mask->map ^ map;

    if (differs != 0)
        return false;
    MINIMASK_FOR_EACH(word, i, mask)
    {
        differs |= words[word] ^ mask->words[i];
    }
    return differs == 0;
}

bool minimask_covers(const struct minimask *wide, const struct minimask *narrow)
{
    if (wide->map & ~narrow->map)
        return false;
    MINIMASK_FOR_EACH(word, i, wide)
    {
        if (wide->words[i] & ~narrow->words[minimask_index(narrow, word)])
            return false;
    }
    return true;
}

void minimatch_init(struct minimatch *match, struct minimask *mask, const struct flow *value)
{
    const uint64_t *words = words_of(value);

    match->mask = mask;
    MINIMASK_FOR_EACH(word, i, mask)
    {
        match->values[i] = words[word] & mask->words[i];
    }
}

void minimatch_expand(const struct minimatch *match, struct match *out)
{
    uint64_t *value = (uint64_t *)&out->value, *mask = (uint64_t *)&out->mask;

    memset(out, 0, sizeof *out);
    MINIMASK_FOR_EACH(word, i, match->mask)
    {
        value[word] = match->values[i];
        mask[word] = match->mask->words[i];
    }
}

bool minimatch_overlaps(const struct minimatch *a, const struct minimatch *b)
{
    for (uint64_t map = a->mask->map & b->mask->map; map != 0; map &= map - 1) {
        unsigned word = (unsigned)__builtin_ctzll(map);
        unsigned i = minimask_index(a->mask, word), j = minimask_index(b->mask, word);

        if ((a->values[i] ^ b->values[j]) & a->mask->words[i] & b->mask->words[j])
            return false;
    }
    return true;
}
