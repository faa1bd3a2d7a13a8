/* What a pipeline is made of; private to the files that implement pipeline.h. Control thread only. */
#ifndef SRC_TABLES_TABLE_H
#define SRC_TABLES_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "src/tables/classifier.h"
#include "src/tables/pipeline.h"
#include "src/tables/rule_use.h"

/* Timer wheel: a rule is in the slot of its deadline, or in the farthest slot if that is beyond the wheel; when its
 * slot comes it is removed or, if it was used meanwhile, put into the slot of its new deadline. */
#define WHEEL_SLOTS 4096
#define WHEEL_SLOT_MS 128

#define RULE_NEVER UINT64_MAX /* remove_version of a rule that nobody removes */
#define RULE_SHADOW 0x200     /* flag: in a bundle, the origin with other actions */

struct table_info {
    uint32_t n_rules; /* visible, hidden ones not counted */
    uint32_t n_next;  /* the same for the version being worked on */
    struct table_config config;
    struct table_config *next_config; /* as the open change has it; NULL: the same */
    struct evict_heap *evict;         /* NULL: the table never could evict */
    uint64_t lookups, matched;
};

/* Rules, with a reference to each. */
struct rule_vec {
    struct rule **rules;
    size_t n, size;
};

enum change_phase { CHANGE_NONE, CHANGE_OPEN, CHANGE_ABORTING, CHANGE_COMMITTING };

struct pipeline {
    struct pipeline_observer observer;
    const struct pipeline_recorder *recorder; /* NULL: nobody records */
    uint32_t max_rules;                       /* in all tables; hidden ones not counted */
    uint32_t n_next;                          /* n_next of all tables */
    struct group_table *groups;
    struct meter_table *meters; /* NULL: none can be made */
    struct learn_state *learn;
    struct rule_uses triggers;     /* rules with a stat_trigger; stat_trigger.h */
    struct rule_use *trigger_next; /* of the pass under way */

    /* What the open change takes the rules of along, in slices (rule_uses_remove); NULL: nothing. */
    const struct rule_uses *removing;
    struct rule_use *remove_next;
    uint64_t version;
    struct classifier *tables[PIPELINE_TABLES]; /* NULL until it has a rule */
    struct table_info info[PIPELINE_TABLES];
    size_t rule_bytes;

    /* The change being worked on; change.h. */
    enum change_phase phase;
    bool in_bundle;
    bool peeking; /* lookups see the change */
    struct rule_vec added, removed, modified;
    size_t n_told_added, n_told_removed, n_told_modified;

    LIST_HEAD(, rule_cursor) cursors;
    LIST_HEAD(, rule) wheel[WHEEL_SLOTS];
    uint64_t wheel_tick; /* first slot, in units of WHEEL_SLOT_MS, that was not worked off */
};

/* The version that lookups see. */
static inline uint64_t lookup_version(const struct pipeline *pipeline)
{
    return pipeline->version + pipeline->peeking;
}

static inline void record_rule(const struct pipeline *pipeline, const struct rule *rule, bool there)
{
    if (pipeline->recorder)
        pipeline->recorder->rule(pipeline->recorder->arg, rule, there);
}

static inline void record_group(const struct pipeline *pipeline, const struct group *group, bool there)
{
    if (pipeline->recorder)
        pipeline->recorder->group(pipeline->recorder->arg, group, there);
}

static inline void record_meter(const struct pipeline *pipeline, const struct meter_entry *meter, bool there)
{
    if (pipeline->recorder)
        pipeline->recorder->meter(pipeline->recorder->arg, meter, there);
}

/* The table, made if it had no rule yet. */
struct classifier *table_get(struct pipeline *pipeline, uint8_t table_id);
/* Puts `rule` into its table, and takes it out: the classifier, the account of memory, cursors, timer. The reference
 * goes along. */
void table_link(struct pipeline *pipeline, struct rule *rule);
void table_unlink(struct pipeline *pipeline, struct rule *rule);

/* Sees to it that the open change can add `rule`, which may evict another. Returns 0 or an enum of_error. */
int table_make_room(struct pipeline *pipeline, const struct rule *rule);

/* learn.c: works off what had to wait for the end of a change, or the first of it. */
void learn_settle(struct pipeline *pipeline);
/* learn.c: the pipeline is about to be emptied: nothing is left to be settled. */
void learn_give_up(struct pipeline *pipeline);

/* cursor.c: rule_cursor_open(), for rules as the change that is open leaves them. If the filter has a match the change
 * adds no rules until the cursor is at its end. `hidden`: the switch's own rules instead of the others. */
struct rule_cursor *rule_cursor_open_change(struct pipeline *pipeline, const struct rule_filter *filter, bool hidden);
/* cursor.c: the same for rules of that priority that take a packet which `match` takes, too. */
struct rule_cursor *rule_cursor_open_overlaps(struct pipeline *pipeline, uint8_t table_id, const struct match *match,
                                              uint16_t priority);
/* cursor.c: rule_cursor_open(), for all rules that are in their tables, whatever version sees them. */
struct rule_cursor *rule_cursor_open_linked(struct pipeline *pipeline, const struct rule_filter *filter);
/* cursor.c: nobody may stop at `rule` any more. */
void cursors_leave(struct pipeline *pipeline, const struct rule *rule);
/* The pipeline is about to be freed: its cursors are at their end. */
void cursors_end(struct pipeline *pipeline);

/* expire.c */
void expire_init(struct pipeline *pipeline);
void expire_schedule(struct pipeline *pipeline, struct rule *rule);
void expire_cancel(struct rule *rule);

#endif
