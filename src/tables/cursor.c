/* Cursors over the rules of a pipeline, for dumps that are worked off in slices while rules come and go (pipeline.h).
 * Control thread. */
#include <limits.h>
#include <stdlib.h>

#include "pmd/base/memory.h"
#include "src/tables/select.h"
#include "src/tables/table.h"

/* Goes table by table, subtable by subtable in the order they were created, rule by rule in the order they came. New
 * ones go to the ends, so that nothing that was there is passed over or met twice.
 *
 * A cursor of a change meets no rules that come: it takes a short cut where one value of a subtable can be meant. */
struct rule_cursor {
    struct pipeline *pipeline; /* NULL: it is gone */
    struct selector selector;
    bool sees_change;           /* rules as the open change leaves them, if one is open */
    bool sees_all;              /* rules of every version */
    struct minimatch *overlaps; /* instead of the selector: rules of `priority` that take a packet that this takes */
    uint16_t priority;
    unsigned table_id, last_table;
    struct subtable *subtable; /* NULL: before the first of the table */
    struct rule *rule;         /* the next to look at; NULL: the subtable is done */
    bool one_value;            /* `rule` is of those with one value: the next is its classifier_next */
    LIST_ENTRY(rule_cursor) node;
};

static struct rule_cursor *open_cursor(struct pipeline *pipeline, uint8_t table_id, bool sees_change)
{
    struct rule_cursor *cursor = calloc(1, sizeof *cursor);

    if (!cursor)
        out_of_memory("rules, groups and meters", 0);
    cursor->pipeline = pipeline;
    cursor->sees_change = sees_change;
    cursor->table_id = table_id == TABLE_ALL ? 0 : table_id;
    cursor->last_table = table_id == TABLE_ALL ? PIPELINE_TABLES - 1 : table_id;
    LIST_INSERT_HEAD(&pipeline->cursors, cursor, node);
    return cursor;
}

struct rule_cursor *rule_cursor_open(struct pipeline *pipeline, const struct rule_filter *filter)
{
    struct rule_cursor *cursor = open_cursor(pipeline, filter->table_id, false);

    selector_init(&cursor->selector, filter, false);
    return cursor;
}

struct rule_cursor *rule_cursor_open_change(struct pipeline *pipeline, const struct rule_filter *filter, bool hidden)
{
    struct rule_cursor *cursor = open_cursor(pipeline, filter->table_id, true);

    selector_init(&cursor->selector, filter, hidden);
    return cursor;
}

struct rule_cursor *rule_cursor_open_linked(struct pipeline *pipeline, const struct rule_filter *filter)
{
    struct rule_cursor *cursor = rule_cursor_open(pipeline, filter);

    cursor->sees_all = true;
    return cursor;
}

struct rule_cursor *rule_cursor_open_overlaps(struct pipeline *pipeline, uint8_t table_id, const struct match *match,
                                              uint16_t priority)
{
    struct rule_cursor *cursor = open_cursor(pipeline, table_id, true);
    struct minimask *mask = minimask_create(&match->mask);

    cursor->overlaps = malloc(minimatch_size(mask));
    if (!cursor->overlaps)
        out_of_memory("rules, groups and meters", 0);
    minimatch_init(cursor->overlaps, mask, &match->value);
    cursor->priority = priority;
    return cursor;
}

void rule_cursor_close(struct rule_cursor *cursor)
{
    if (cursor->pipeline)
        LIST_REMOVE(cursor, node);
    if (cursor->overlaps)
        minimask_unref(cursor->overlaps->mask);
    free(cursor->overlaps);
    selector_free(&cursor->selector);
    free(cursor);
}

void cursors_end(struct pipeline *pipeline)
{
    struct rule_cursor *cursor;

    while ((cursor = LIST_FIRST(&pipeline->cursors))) {
        LIST_REMOVE(cursor, node);
        cursor->pipeline = NULL;
    }
}

static struct rule *next_rule(const struct rule_cursor *cursor, const struct rule *rule)
{
    return cursor->one_value ? rule->classifier_next : TAILQ_NEXT(rule, table_node);
}

void cursors_leave(struct pipeline *pipeline, const struct rule *rule)
{
    struct rule_cursor *cursor;

    LIST_FOREACH (cursor, &pipeline->cursors, node) {
        if (cursor->rule == rule)
            cursor->rule = next_rule(cursor, rule);
        if (cursor->table_id != rule->table_id || !cursor->subtable || cursor->subtable->n_rules > 1)
            continue;
        /* Its subtable goes along if this is the last rule there. */
        if (TAILQ_FIRST(&cursor->subtable->rules) == rule)
            cursor->subtable = TAILQ_PREV(cursor->subtable, subtable_list, node);
    }
}

static bool takes_subtable(const struct rule_cursor *cursor, const struct subtable *subtable)
{
    return cursor->overlaps ? subtable_has_priority(subtable, cursor->priority)
                            : selector_takes_mask(&cursor->selector, subtable->mask);
}

static bool takes(const struct rule_cursor *cursor, const struct rule *rule)
{
    if (cursor->overlaps)
        return rule->priority == cursor->priority && !(rule->flags & RULE_HIDDEN) &&
               minimatch_overlaps(rule->match, cursor->overlaps);
    return selector_takes(&cursor->selector, rule);
}

/* To the first of the subtable's rules that may be meant, if any. */
static void enter_subtable(struct rule_cursor *cursor)
{
    const struct subtable *subtable = cursor->subtable;
    const struct minimatch *match = cursor->selector.match;

    cursor->one_value = true;
    if (cursor->overlaps && minimask_covers(subtable->mask, cursor->overlaps->mask)) {
        cursor->rule = subtable_find_wider(subtable, cursor->overlaps);
    } else if (cursor->sees_change && match && minimask_equal(subtable->mask, match->mask)) {
        cursor->rule = subtable_find(subtable, match->values);
    } else {
        cursor->one_value = false;
        cursor->rule = TAILQ_FIRST(&subtable->rules);
    }
}

static bool next_subtable(struct rule_cursor *cursor)
{
    for (; cursor->table_id <= cursor->last_table; cursor->table_id++, cursor->subtable = NULL) {
        struct classifier *cls = cursor->pipeline->tables[cursor->table_id];

        if (!cls)
            continue;
        do {
            cursor->subtable = !cursor->subtable ? TAILQ_FIRST(&cls->subtables) : TAILQ_NEXT(cursor->subtable, node);
        } while (cursor->subtable && !takes_subtable(cursor, cursor->subtable));
        if (cursor->subtable) {
            enter_subtable(cursor);
            return true;
        }
    }
    return false;
}

enum rule_cursor_state rule_cursor_look(struct rule_cursor *cursor, unsigned most, struct rule **rule)
{
    uint64_t version;

    if (!cursor->pipeline)
        return RULE_CURSOR_END;
    version = cursor->pipeline->version + cursor->sees_change;
    for (; most > 0; most--) {
        struct rule *here;

        if (!cursor->rule && !next_subtable(cursor))
            return RULE_CURSOR_END;
        here = cursor->rule;
        if (!here)
            continue;
        cursor->rule = next_rule(cursor, here);
        if ((cursor->sees_all || rule_visible(here, version)) && takes(cursor, here)) {
            *rule = here;
            return RULE_CURSOR_FOUND;
        }
    }
    return RULE_CURSOR_MORE;
}

struct rule *rule_cursor_next(struct rule_cursor *cursor)
{
    struct rule *rule = NULL;

    rule_cursor_look(cursor, UINT_MAX, &rule);
    return rule;
}
