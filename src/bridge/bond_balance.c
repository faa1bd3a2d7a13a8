#include "src/bridge/bond_balance.h"

#include <inttypes.h>
#include <stdlib.h>

#include "pmd/base/log.h"

#define LEAST_BYTES 100000 /* a difference below is not worth a move */
#define LEAST_SHARE 32     /* nor is one below this part of the smaller load */

static int by_bytes(const void *a, const void *b)
{
    const struct bond_bucket *x = *(struct bond_bucket *const *)a, *y = *(struct bond_bucket *const *)b;

    return x->bytes == y->bytes ? 0 : x->bytes > y->bytes ? -1 : 1;
}

/* All buckets, by falling load; their members' loads are summed up. */
static void sum_up(struct bond *bond, struct bond_bucket **order)
{
    struct bond_member *m;

    TAILQ_FOREACH (m, &bond->members, node) {
        m->load = 0;
        m->n_loads = 0;
        m->full = false;
    }
    for (unsigned i = 0; i < BOND_BUCKETS; i++) {
        struct bond_bucket *bucket = order[i] = &bond->buckets[i];

        bucket->moved = false;
        if (!bucket->member || bucket->bytes == 0)
            continue;
        bucket->member->load += bucket->bytes;
        bucket->member->n_loads++;
    }
    qsort(order, BOND_BUCKETS, sizeof *order, by_bytes);
}

/* Picks the buckets of `from` that `to` shall have, the largest that fit first, so that few move. Returns how many; 0:
 * there is nothing to gain. */
static unsigned pick(struct bond_bucket *const *order, const struct bond_member *from, const struct bond_member *to,
                     struct bond_bucket **picked)
{
    const uint64_t wanted = (from->load + to->load) / 2 - to->load, least = wanted / 10;
    struct bond_bucket *smallest = NULL;
    uint64_t sum = 0, lower;
    unsigned n = 0;

    if (from->n_loads < 2)
        return 0;
    for (unsigned i = 0; i < BOND_BUCKETS && wanted - sum >= least; i++) {
        if (order[i]->member != from || order[i]->bytes == 0 || order[i]->moved)
            continue;
        smallest = order[i];
        if (sum + smallest->bytes > wanted)
            continue;
        picked[n++] = smallest;
        sum += smallest->bytes;
    }
    if (!smallest)
        return 0;
    if (n == 0) {
        picked[n++] = smallest; /* more than wanted, but the nearest to it */
        sum = smallest->bytes;
    }
    lower = from->load - sum < to->load + sum ? from->load - sum : to->load + sum;
    return lower > to->load && lower - to->load >= least ? n : 0;
}

static void move(struct bond *bond, struct bond_bucket *bucket, struct bond_member *to)
{
    struct bond_member *from = bucket->member;

    from->load -= bucket->bytes;
    from->n_loads--;
    to->load += bucket->bytes;
    LOG_INFO_RL(LOG_BRIDGE,
                "bond %s: shift %" PRIu64 "kB of load (with hash %td) from %s to %s (now carrying %" PRIu64
                "kB and %" PRIu64 "kB load, respectively)",
                bond->name, bucket->bytes / 1024, bucket - bond->buckets, from->name, to->name, from->load / 1024,
                to->load / 1024);
    bucket->member = to;
    bucket->moved = true;
}

/* The enabled member with the most load of those that can give any, and the one with the least. */
static void extremes(const struct bond *bond, struct bond_member **most, struct bond_member **least)
{
    struct bond_member *m;

    *most = *least = NULL;
    TAILQ_FOREACH (m, &bond->members, node) {
        if (!m->enabled || m->full)
            continue;
        if (!*most || m->load > (*most)->load)
            *most = m;
        if (!*least || m->load < (*least)->load)
            *least = m;
    }
}

static bool balance_once(struct bond *bond, struct bond_bucket *const *order, bool *moved)
{
    struct bond_bucket *picked[BOND_BUCKETS];
    struct bond_member *from, *to;
    unsigned n;

    extremes(bond, &from, &to);
    if (!from || from == to || from->load - to->load < LEAST_BYTES || from->load - to->load < to->load / LEAST_SHARE)
        return false;
    n = pick(order, from, to, picked);
    for (unsigned i = 0; i < n; i++)
        move(bond, picked[i], to);
    from->full = n == 0;
    *moved |= n > 0;
    return true;
}

bool bond_balance(struct bond *bond)
{
    struct bond_bucket *order[BOND_BUCKETS];
    bool moved = false;

    sum_up(bond, order);
    while (balance_once(bond, order, &moved))
        ;
    for (unsigned i = 0; i < BOND_BUCKETS; i++) {
        bond->buckets[i].bytes /= 2;
        bond->buckets[i].used &= bond->buckets[i].bytes > 0;
    }
    return moved;
}
