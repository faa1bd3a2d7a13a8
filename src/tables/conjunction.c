#include "src/tables/conjunction.h"

#include <stdlib.h>
#include <string.h>

#include "pmd/base/hash.h"
#include "pmd/base/memory.h"
#include "src/tables/pipeline.h"

/* What was seen of one conjunction. */
struct conj_count {
    uint32_t id;
    uint8_t n_clauses; /* 0: free */
    uint64_t seen;
};

void conj_trail_init(struct conj_trail *trail)
{
    memset(trail, 0, sizeof *trail);
}

void conj_trail_free(struct conj_trail *trail)
{
    free(trail->clauses);
    free(trail->open);
    free(trail->complete);
    free(trail->counts);
    conj_trail_init(trail);
}

void conj_trail_start(struct conj_trail *trail)
{
    trail->n_clauses = trail->n_open = 0;
    trail->found = trail->failed = false;
}

static void *grow(void *array, unsigned *size, size_t element)
{
    *size = *size > 0 ? *size * 2 : 16;
    array = realloc(array, *size * element);
    if (!array)
        out_of_memory("rules, groups and meters", 0);
    return array;
}

void conj_trail_push(struct conj_trail *trail, struct rule *rule, uint64_t seq)
{
    if (trail->n_open == trail->open_size)
        trail->open = grow(trail->open, &trail->open_size, sizeof *trail->open);
    trail->open[trail->n_open++] = (struct conj_open){rule, seq};
}

int conj_trail_top(const struct conj_trail *trail)
{
    int top = -1;

    for (unsigned i = 0; i < trail->n_open; i++) {
        if (trail->open[i].rule->priority > top)
            top = trail->open[i].rule->priority;
    }
    return top;
}

static void add_clause(struct conj_trail *trail, struct rule *rule)
{
    if (trail->n_clauses == trail->clauses_size)
        trail->clauses = grow(trail->clauses, &trail->clauses_size, sizeof *trail->clauses);
    trail->clauses[trail->n_clauses++] = rule;
}

/* Room for twice as many counts as there may be; all free. */
static void counts_reset(struct conj_trail *trail, size_t n)
{
    trail->n_counts = 16;
    while (trail->n_counts < 2 * n)
        trail->n_counts *= 2;
    if (trail->n_counts > trail->counts_size) {
        free(trail->counts);
        trail->counts = malloc(trail->n_counts * sizeof *trail->counts);
        if (!trail->counts)
            out_of_memory("rules, groups and meters", 0);
        trail->counts_size = trail->n_counts;
    }
    memset(trail->counts, 0, trail->n_counts * sizeof *trail->counts);
}

static struct conj_count *count_of(const struct conj_trail *trail, uint32_t id, uint8_t n_clauses)
{
    uint32_t i = hash_finish(hash_add(HASH_BASIS, (uint64_t)id << 8 | n_clauses));

    for (;; i++) {
        struct conj_count *count = &trail->counts[i & (trail->n_counts - 1)];

        if (count->n_clauses == 0)
            *count = (struct conj_count){.id = id, .n_clauses = n_clauses};
        if (count->id == id && count->n_clauses == n_clauses)
            return count;
    }
}

static int compare_ids(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return x < y ? -1 : x > y;
}

unsigned conj_trail_complete(struct conj_trail *trail, uint16_t priority)
{
    unsigned first = trail->n_clauses, n = 0;
    size_t actions = 0;

    for (unsigned i = 0; i < trail->n_open; i++) {
        struct rule *rule = trail->open[i].rule;

        if (rule->priority == priority) {
            add_clause(trail, rule);
            actions += rule->acts.len / sizeof(struct act_conjunction);
        }
    }
    counts_reset(trail, actions);
    for (unsigned i = first; i < trail->n_clauses; i++) {
        ACT_FOR_EACH (act, &trail->clauses[i]->acts) {
            const struct act_conjunction *a = (const struct act_conjunction *)act;
            uint64_t all, seen;
            struct conj_count *count;

            if (act->type != ACT_CONJUNCTION)
                continue;
            all = UINT64_MAX >> (64 - a->n_clauses);
            count = count_of(trail, a->id, a->n_clauses);
            seen = count->seen;
            count->seen |= UINT64_C(1) << (a->clause - 1);
            if (count->seen != all || seen == all)
                continue;
            if (n == trail->complete_size)
                trail->complete = grow(trail->complete, &trail->complete_size, sizeof *trail->complete);
            trail->complete[n++] = a->id;
        }
    }
    if (n > 1)
        qsort(trail->complete, n, sizeof *trail->complete, compare_ids);
    return n;
}
