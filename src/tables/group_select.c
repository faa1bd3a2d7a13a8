/* Groups: which bucket of a select group takes a flow.
 *
 * Every value of the low bits of a flow's hash, a slot, belongs to a bucket: shares of the slots are the shares of the
 * weights, to within a hundredth. So few hash values need megaflows of their own. The slots of a bucket that is not
 * live are shared out among the live ones; nothing else moves.
 */
#include <stdlib.h>

#include "pmd/base/memory.h"
#include "src/tables/group_impl.h"

#define SLOTS_MAX 16384u
/* Slots of a bucket that others may have to take over. */
#define SLOTS_WATCHED 16u
#define SHARE_ERROR 100 /* of a bucket's share, one part in this */

/* Without any weight all are equal. */
static uint32_t weight_of(const struct bucket *bucket, bool weighted)
{
    return weighted ? bucket->weight : 1;
}

static bool is_weighted(const struct group *group)
{
    for (uint32_t i = 0; i < group->n_buckets; i++) {
        if (group->buckets[i].weight != 0)
            return true;
    }
    return false;
}

/* Where the slots of bucket i end if `before` is the weight of the buckets up to and with it. */
static uint32_t end_of(uint64_t before, uint64_t total, uint32_t n_slots)
{
    return (uint32_t)((before * n_slots + total / 2) / total);
}

static bool shares_fit(const struct group *group, bool weighted, uint64_t total, uint32_t n_slots)
{
    uint64_t before = 0;
    uint32_t start = 0;

    for (uint32_t i = 0; i < group->n_buckets; i++) {
        uint64_t weight = weight_of(&group->buckets[i], weighted);
        uint32_t end = end_of(before += weight, total, n_slots);
        /* got/n_slots against weight/total */
        uint64_t got = (uint64_t)(end - start) * total, wanted = weight * n_slots;
        uint64_t off = got > wanted ? got - wanted : wanted - got;

        if (off * SHARE_ERROR > wanted)
            return false;
        start = end;
    }
    return true;
}

void group_make_slots(struct group *group)
{
    bool weighted = is_weighted(group);
    uint64_t total = 0, before = 0;
    uint32_t n = 1, least = group->watches ? group->n_buckets * SLOTS_WATCHED : 1, slot = 0;

    for (uint32_t i = 0; i < group->n_buckets; i++)
        total += weight_of(&group->buckets[i], weighted);
    if (total == 0)
        return;
    while (n < SLOTS_MAX && (n < least || !shares_fit(group, weighted, total, n)))
        n *= 2;
    group->slots = calloc(n, sizeof *group->slots);
    if (!group->slots)
        out_of_memory("rules, groups and meters", 0);
    group->n_slots = n;
    for (uint32_t i = 0; i < group->n_buckets; i++) {
        uint32_t end = end_of(before += weight_of(&group->buckets[i], weighted), total, n);

        while (slot < end)
            group->slots[slot++] = (uint16_t)i;
    }
}

/* The live bucket at `part` of `parts` of the live weight. */
static int share_out(const struct group *group, const bool *live, uint32_t part, uint32_t parts)
{
    bool weighted = is_weighted(group);
    uint64_t total = 0, at, before = 0;

    for (uint32_t i = 0; i < group->n_buckets; i++)
        total += live[i] ? weight_of(&group->buckets[i], weighted) : 0;
    at = (2 * (uint64_t)part + 1) * total / (2 * (uint64_t)parts);
    for (uint32_t i = 0; i < group->n_buckets; i++) {
        before += live[i] ? weight_of(&group->buckets[i], weighted) : 0;
        if (at < before)
            return (int)i;
    }
    return -1;
}

int group_choose(const struct group *group, uint32_t hash, const bool *live)
{
    uint32_t slot, start, end;

    if (group->n_slots == 0)
        return -1;
    slot = hash & (group->n_slots - 1);
    if (live[group->slots[slot]])
        return group->slots[slot];
    for (start = slot; start > 0 && group->slots[start - 1] == group->slots[slot]; start--)
        ;
    for (end = slot + 1; end < group->n_slots && group->slots[end] == group->slots[slot]; end++)
        ;
    return share_out(group, live, slot - start, end - start);
}
