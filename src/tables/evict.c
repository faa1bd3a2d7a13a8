/* Which rule of a full table makes room for another (OpenFlow 1.4.1, 6.10): the first of a heap. */
#include "src/tables/evict.h"

#include <stdlib.h>

#include "pmd/base/memory.h"
#include "src/tables/change.h"
#include "src/tables/classifier.h"
#include "src/tables/rule.h"

struct evict_heap {
    struct rule **rules; /* that of place 1 goes first; rule->evict_at is its place */
    uint32_t n, size;
    uint32_t n_ordered;         /* the first ones, which are a heap; those behind them wait */
    uint32_t factors;           /* TABLE_EVICT_*: the order is by these */
    struct rule_cursor *cursor; /* where rules are still to be found that were there first; NULL: it has all */
};

/* Is `a` to go before `b`? */
static bool goes_before(const struct rule *a, const struct rule *b, uint32_t factors)
{
    if (factors & TABLE_EVICT_IMPORTANCE && a->importance != b->importance)
        return a->importance < b->importance;
    if (factors & TABLE_EVICT_LIFETIME && rule_deadline_ms(a) != rule_deadline_ms(b))
        return rule_deadline_ms(a) < rule_deadline_ms(b);
    if (a->used_ms != b->used_ms)
        return a->used_ms < b->used_ms;
    return a->add_version < b->add_version;
}

static void put(struct evict_heap *heap, uint32_t at, struct rule *rule)
{
    heap->rules[at] = rule;
    rule->evict_at = at;
}

/* `rule` goes to `at`, or nearer to the first. */
static void sift_up(struct evict_heap *heap, uint32_t at, struct rule *rule)
{
    for (; at > 1 && goes_before(rule, heap->rules[at / 2], heap->factors); at /= 2)
        put(heap, at, heap->rules[at / 2]);
    put(heap, at, rule);
}

static void sift_down(struct evict_heap *heap, uint32_t at, struct rule *rule)
{
    for (uint32_t child; (child = 2 * at) <= heap->n_ordered; at = child) {
        if (child < heap->n_ordered && goes_before(heap->rules[child + 1], heap->rules[child], heap->factors))
            child++;
        if (!goes_before(heap->rules[child], rule, heap->factors))
            break;
        put(heap, at, heap->rules[child]);
    }
    put(heap, at, rule);
}

static void place(struct evict_heap *heap, uint32_t at, struct rule *rule)
{
    if (at > 1 && goes_before(rule, heap->rules[at / 2], heap->factors))
        sift_up(heap, at, rule);
    else
        sift_down(heap, at, rule);
}

/* At the end, wherever it belongs. */
static void append(struct evict_heap *heap, struct rule *rule)
{
    if (heap->n + 1 >= heap->size) {
        heap->size = heap->size == 0 ? 16 : heap->size * 2;
        heap->rules = realloc(heap->rules, heap->size * sizeof(struct rule *));
        if (!heap->rules)
            out_of_memory("rules, groups and meters", 0);
    }
    put(heap, ++heap->n, rule);
}

/* Each rule costs two of *budget. False: that was not enough. */
static bool advance(struct evict_heap *heap, size_t *budget)
{
    while (heap->cursor) {
        struct rule *rule = NULL;

        if (*budget == 0)
            return false;
        --*budget;
        if (rule_cursor_look(heap->cursor, 1, &rule) == RULE_CURSOR_END) {
            rule_cursor_close(heap->cursor);
            heap->cursor = NULL;
        } else if (rule && !(rule->flags & RULE_HIDDEN) && rule->evict_at == 0) {
            append(heap, rule);
        }
    }
    while (heap->n_ordered < heap->n) {
        if (*budget == 0)
            return false;
        --*budget;
        heap->n_ordered++;
        sift_up(heap, heap->n_ordered, heap->rules[heap->n_ordered]);
    }
    return true;
}

static struct evict_heap *create(struct pipeline *pipeline, uint8_t table_id)
{
    const struct rule_filter all = {.table_id = table_id, .out_port = OFPORT_ANY, .out_group = OFGROUP_ANY};
    struct evict_heap *heap = calloc(1, sizeof *heap);

    if (!heap)
        out_of_memory("rules, groups and meters", 0);
    heap->cursor = rule_cursor_open_change(pipeline, &all, false);
    return heap;
}

bool evict_prepare_slice(struct pipeline *pipeline, uint8_t table_id, size_t *budget)
{
    struct evict_heap **heap = &pipeline->info[table_id].evict;
    const struct table_config *config = change_config(pipeline, table_id);

    if (!(config->config & TABLE_EVICTION))
        return true;
    if (!*heap)
        *heap = create(pipeline, table_id);
    if ((*heap)->factors != config->eviction)
        (*heap)->n_ordered = 0;
    (*heap)->factors = config->eviction;
    return advance(*heap, budget);
}

void evict_prepare(struct pipeline *pipeline, uint8_t table_id)
{
    size_t all = SIZE_MAX;

    evict_prepare_slice(pipeline, table_id, &all);
}

struct rule *evict_choose(struct pipeline *pipeline, uint8_t table_id, uint16_t importance)
{
    const struct evict_heap *heap;
    struct rule *first;

    evict_prepare(pipeline, table_id);
    heap = pipeline->info[table_id].evict;
    if (!heap || heap->n == 0)
        return NULL;
    first = heap->rules[1];
    return heap->factors & TABLE_EVICT_IMPORTANCE && first->importance > importance ? NULL : first;
}

void evict_enter(struct pipeline *pipeline, struct rule *rule)
{
    struct evict_heap *heap = pipeline->info[rule->table_id].evict;

    if (!heap || rule->flags & RULE_HIDDEN || rule->evict_at != 0)
        return;
    append(heap, rule);
    if (heap->n_ordered < heap->n - 1)
        return;
    heap->n_ordered++;
    sift_up(heap, heap->n, rule);
}

void evict_leave(struct pipeline *pipeline, struct rule *rule)
{
    struct evict_heap *heap = pipeline->info[rule->table_id].evict;
    uint32_t at = rule->evict_at;

    if (at == 0)
        return;
    rule->evict_at = 0;
    if (at <= heap->n_ordered) {
        uint32_t last = heap->n_ordered--;

        if (at < last)
            place(heap, at, heap->rules[last]);
        at = last;
    }
    /* The last of the rules that wait for a place in the heap fills the gap. */
    if (at < heap->n)
        put(heap, at, heap->rules[heap->n]);
    heap->n--;
}

void evict_update(struct rule *rule)
{
    struct evict_heap *heap = rule->pipeline->info[rule->table_id].evict;

    if (rule->evict_at != 0 && rule->evict_at <= heap->n_ordered)
        place(heap, rule->evict_at, rule);
}

void evict_free(struct table_info *info)
{
    if (!info->evict)
        return;
    for (uint32_t at = 1; at <= info->evict->n; at++)
        info->evict->rules[at]->evict_at = 0;
    if (info->evict->cursor)
        rule_cursor_close(info->evict->cursor);
    free(info->evict->rules);
    free(info->evict);
    info->evict = NULL;
}

size_t evict_memory(const struct table_info *info)
{
    return !info->evict ? 0 : sizeof *info->evict + info->evict->size * sizeof(struct rule *);
}
