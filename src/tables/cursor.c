/* Cursors over the rules of a pipeline, for dumps that are worked off in slices while rules come and go (pipeline.h).
 * Control thread. */
#include <limits.h>
#include <stdlib.h>

#include "pmd/base/memory.h"
#include "src/tables/select.h"
#include "src/tables/table.h"

/* Goes table by table, subtable by subtable in the order they were created, rule by rule in the order they came. New
 * ones go to the ends, so that nothing that was there is passed over or met twice. */
struct rule_cursor {
    struct pipeline *pipeline; /* NULL: it is gone */
    struct selector selector;
    bool sees_change; /* rules as the open change leaves them, if one is open */
    unsigned table_id, last_table;
    struct subtable *subtable; /* NULL: before the first of the table */
    struct rule *rule;         /* the next to look at; NULL: the subtable is done */
    LIST_ENTRY(rule_cursor) node;
};

struct rule_cursor *rule_cursor_open(struct pipeline *pipeline, const struct rule_filter *filter)
{
    struct rule_cursor *cursor = calloc(1, sizeof *cursor);

    if (!cursor)
        out_of_memory("rules, groups and meters", 0);
    cursor->pipeline = pipeline;
    selector_init(&cursor->selector, filter, false);
    cursor->table_id = filter->table_id == TABLE_ALL ? 0 : filter->table_id;
    cursor->last_table = filter->table_id == TABLE_ALL ? PIPELINE_TABLES - 1 : filter->table_id;
    LIST_INSERT_HEAD(&pipeline->cursors, cursor, node);
    return cursor;
}

void rule_cursor_see_change(struct rule_cursor *cursor)
{
    cursor->sees_change = true;
}

void rule_cursor_close(struct rule_cursor *cursor)
{
    if (cursor->pipeline)
        LIST_REMOVE(cursor, node);
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

void cursors_leave(struct pipeline *pipeline, const struct rule *rule)
{
    struct rule_cursor *cursor;

    LIST_FOREACH (cursor, &pipeline->cursors, node) {
        if (cursor->rule == rule)
            cursor->rule = TAILQ_NEXT(rule, table_node);
        if (cursor->table_id != rule->table_id || !cursor->subtable || cursor->subtable->n_rules > 1)
            continue;
        /* Its subtable goes along if this is the last rule there. */
        if (TAILQ_FIRST(&cursor->subtable->rules) == rule)
            cursor->subtable = TAILQ_PREV(cursor->subtable, subtable_list, node);
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
        } while (cursor->subtable && !selector_takes_mask(&cursor->selector, cursor->subtable->mask));
        if (cursor->subtable) {
            cursor->rule = TAILQ_FIRST(&cursor->subtable->rules);
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
        cursor->rule = TAILQ_NEXT(here, table_node);
        if (rule_visible(here, version) && selector_takes(&cursor->selector, here)) {
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
