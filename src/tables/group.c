#include "src/tables/group.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "pmd/base/clock.h"
#include "pmd/base/hash.h"
#include "pmd/base/memory.h"
#include "pmd/datapath.h"
#include "src/actions/act_fields.h"
#include "src/match/of_error.h"
#include "src/match/tlv_map.h"
#include "src/tables/change.h"
#include "src/tables/group_impl.h"

/* --- a group ------------------------------------------------------------- */

static bool has_meter(const struct act_list *acts)
{
    ACT_FOR_EACH (act, acts) {
        struct act_list inner;

        if (act_ref(act).type == ACT_REF_METER || (act_nested(act, &inner) && has_meter(&inner)))
            return true;
    }
    return false;
}

/* The group, its buckets and their actions are one block of memory. */
struct group *group_create(const struct group_mod *mod)
{
    size_t acts = 0;
    struct group *group;
    uint8_t *p;

    for (unsigned i = 0; i < mod->n_buckets; i++)
        acts += mod->buckets[i].acts.len;
    group = calloc(1, sizeof *group + mod->n_buckets * sizeof *group->buckets + acts);
    if (!group)
        out_of_memory("rules, groups and meters", 0);
    group->id = mod->group_id;
    group->type = mod->type;
    group->selection = mod->selection;
    group->refs = 1;
    group->created_ms = clock_now_ms();
    group->n_buckets = mod->n_buckets;
    group->buckets = (struct bucket *)(group + 1);
    p = (uint8_t *)(group->buckets + mod->n_buckets);
    for (unsigned i = 0; i < mod->n_buckets; i++) {
        struct bucket *bucket = &group->buckets[i];

        *bucket = mod->buckets[i];
        if (bucket->acts.len > 0)
            memcpy(p, bucket->acts.acts, bucket->acts.len);
        bucket->acts.acts = (const struct act *)p;
        p += bucket->acts.len;
        group->meters |= has_meter(&bucket->acts);
        if (group->type != GROUP_FF && group->type != GROUP_SELECT)
            continue;
        group->watches |= bucket->watch_port != OFPORT_ANY || bucket->watch_group != OFGROUP_ANY;
    }
    if (group->type == GROUP_SELECT)
        group_make_slots(group);
    group->users = calloc(1, sizeof *group->users);
    if (!group->users)
        out_of_memory("rules, groups and meters", 0);
    LIST_INIT(&group->users->list);
    LIST_INIT(&group->dependents);
    return group;
}

struct group *group_ref(struct group *group)
{
    group->refs++;
    return group;
}

void group_unref(struct group *group)
{
    if (--group->refs > 0)
        return;
    free(group->users);
    free(group->slots);
    free(group);
}

bool group_table_meters(const struct group_table *table)
{
    return table->n_metering > 0;
}

uint32_t group_users(const struct group *group)
{
    return group->users->n + group->n_forwarders;
}

/* --- the table ----------------------------------------------------------- */

/* Where the dumps are that are under way. */
struct group_cursor {
    struct group_table *table; /* NULL: it is gone */
    struct group *next;
    LIST_ENTRY(group_cursor) node;
};

static uint32_t hash_of(uint32_t id)
{
    return hash_finish(hash_add(HASH_BASIS, id));
}

/* NULL: there is no group of that number in any version. */
static struct group_slot *slot_find(const struct group_table *table, uint32_t id)
{
    uint32_t hash = hash_of(id), mask;
    struct group_slot *slots;

    for (unsigned n = 0; (slots = open_hash_array(&table->hash, n, &mask)); n++) {
        for (uint32_t i = hash & mask; slots[i].head; i = (i + 1) & mask) {
            if (slots[i].hash == hash && slots[i].head->id == id)
                return &slots[i];
        }
    }
    return NULL;
}

struct group_table *group_table_create(struct pipeline *pipeline)
{
    struct group_table *table = calloc(1, sizeof *table);

    if (!table)
        out_of_memory("rules, groups and meters", 0);
    table->pipeline = pipeline;
    TAILQ_INIT(&table->groups);
    LIST_INIT(&table->orphans.list);
    LIST_INIT(&table->cursors);
    return table;
}

static struct group *find(const struct group_table *table, uint32_t group_id, uint64_t version)
{
    const struct group_slot *slot = slot_find(table, group_id);
    struct group *group = slot ? slot->head : NULL;

    while (group && !group_visible(group, version))
        group = group->hash_next;
    return group;
}

struct group *group_table_find(const struct group_table *table, uint32_t group_id)
{
    return find(table, group_id, lookup_version(table->pipeline));
}

struct group *group_table_find_next(const struct group_table *table, uint32_t group_id)
{
    return find(table, group_id, table->pipeline->version + (table->pipeline->phase == CHANGE_OPEN));
}

struct group_cursor *group_cursor_open(struct group_table *table)
{
    struct group_cursor *cursor = calloc(1, sizeof *cursor);

    if (!cursor)
        out_of_memory("rules, groups and meters", 0);
    cursor->table = table;
    cursor->next = TAILQ_FIRST(&table->groups);
    LIST_INSERT_HEAD(&table->cursors, cursor, node);
    return cursor;
}

struct group *group_cursor_next(struct group_cursor *cursor)
{
    struct group *group;

    while ((group = cursor->next)) {
        cursor->next = TAILQ_NEXT(group, node);
        if (group_visible(group, cursor->table->pipeline->version))
            return group;
    }
    return NULL;
}

void group_cursor_close(struct group_cursor *cursor)
{
    if (cursor->table)
        LIST_REMOVE(cursor, node);
    free(cursor);
}

static void count_forwards_of(struct group_table *table, const struct act_list *acts, int delta)
{
    ACT_FOR_EACH (act, acts) {
        struct act_ref ref = act_ref(act);
        struct act_list inner;
        struct group *to = ref.type == ACT_REF_GROUP ? group_table_find_next(table, ref.id) : NULL;

        if (to)
            to->n_forwarders += (uint32_t)delta;
        if (act_nested(act, &inner))
            count_forwards_of(table, &inner, delta);
    }
}

/* Counts the buckets that send to other groups, at those, as the change has it. */
static void count_forwards(struct group_table *table, const struct group *group, int delta)
{
    for (uint32_t i = 0; i < group->n_buckets; i++)
        count_forwards_of(table, &group->buckets[i].acts, delta);
}

static void count_tunnel_options(const struct group *group, int delta)
{
    for (unsigned i = 0; i < group->selection.n_fields; i++)
        tlv_map_count_field(group->selection.fields[i], delta);
    for (uint32_t i = 0; i < group->n_buckets; i++)
        act_list_count_options(&group->buckets[i].acts, delta);
}

/* `replaced`: the group whose place it takes, or NULL. */
static void link_group(struct group_table *table, struct group *group, struct group *replaced)
{
    struct group_slot *slot = slot_find(table, group->id);

    if (!slot) {
        slot = open_hash_insert(&table->hash, GROUP_SLOT_TYPE, hash_of(group->id));
        slot->hash = hash_of(group->id);
    }
    group->hash_next = slot->head;
    slot->head = group;
    if (replaced)
        TAILQ_INSERT_AFTER(&table->groups, replaced, group, node);
    else
        TAILQ_INSERT_TAIL(&table->groups, group, node);
    table->n_metering += group->meters;
    count_tunnel_options(group, 1);
}

/* The reference goes to the caller. */
static void unlink_group(struct group_table *table, struct group *group)
{
    struct group_slot *slot = slot_find(table, group->id);
    struct group **p = &slot->head;
    struct group_cursor *cursor;

    LIST_FOREACH (cursor, &table->cursors, node) {
        if (cursor->next == group)
            cursor->next = TAILQ_NEXT(group, node);
    }
    if (slot->head == group && !group->hash_next) {
        open_hash_remove(&table->hash, GROUP_SLOT_TYPE, slot);
    } else {
        while (*p != group)
            p = &(*p)->hash_next;
        *p = group->hash_next;
    }
    TAILQ_REMOVE(&table->groups, group, node);
    table->n_metering -= group->meters;
    count_tunnel_options(group, -1);
    group->removed = true;
}

bool group_table_clear(struct group_table *table, unsigned most)
{
    struct group *group;

    for (; most > 0 && (group = TAILQ_FIRST(&table->groups)); most--) {
        unlink_group(table, group);
        group_unref(group);
    }
    return TAILQ_EMPTY(&table->groups);
}

void group_table_destroy(struct group_table *table)
{
    struct group_cursor *cursor;

    while ((cursor = LIST_FIRST(&table->cursors))) {
        LIST_REMOVE(cursor, node);
        cursor->table = NULL;
        cursor->next = NULL;
    }
    group_table_clear(table, UINT_MAX);
    open_hash_free(&table->hash, GROUP_SLOT_TYPE);
    free(table->staged);
    free(table);
}

/* --- what a change does to the table ------------------------------------- */

static void tell(struct group_table *table, struct group *group)
{
    const struct pipeline_observer *observer = &table->pipeline->observer;

    if (observer->group_changed)
        observer->group_changed(observer->arg, group);
}

static void tell_visible(struct group_table *table, struct group *group)
{
    record_group(table->pipeline, group, true);
    tell(table, group);
}

static bool is_pending(const struct group_table *table, const struct group *group)
{
    return group->add_version > table->pipeline->version;
}

static void stage(struct group_table *table, struct group *group)
{
    if (table->n_staged == table->staged_size) {
        table->staged_size = table->staged_size == 0 ? 16 : table->staged_size * 2;
        table->staged = realloc(table->staged, table->staged_size * sizeof *table->staged);
        if (!table->staged)
            out_of_memory("rules, groups and meters", 0);
    }
    table->staged[table->n_staged++] = group_ref(group);
}

void group_stage_add(struct group_table *table, struct group *group, struct group *replaced)
{
    group->add_version = change_version(table->pipeline);
    group->remove_version = RULE_NEVER;
    if (replaced) {
        group->n_forwarders = replaced->n_forwarders;
        group->created_ms = replaced->created_ms;
        group_stage_remove(table, replaced);
        if (is_pending(table, replaced)) {
            struct rule_uses *users = replaced->users;

            group->keeps_counts &= replaced->keeps_counts;
            replaced->users = group->users; /* none: however many there are of the other's, they change hands at once */
            group->users = users;
        }
    }
    link_group(table, group, replaced);
    count_forwards(table, group, 1);
    stage(table, group);
}

void group_stage_remove(struct group_table *table, struct group *group)
{
    count_forwards(table, group, -1);
    group->remove_version = change_version(table->pipeline);
    if (is_pending(table, group)) /* staged already; nobody but the change has seen it */
        group->remove_version = group->add_version;
    else
        stage(table, group);
}

/* All of them are worked off. */
static void unstage_all(struct group_table *table)
{
    table->n_staged = table->n_done = 0;
}

/* A group that is not visible any more goes; False: *budget was not enough, the next call goes on. */
static bool take_out(struct group_table *table, struct group *group, size_t *budget)
{
    struct group *successor = group_table_find(table, group->id);

    /* The rules of one that is deleted go with this change, too. */
    if (!rule_uses_move(group->users, successor ? successor->users : &table->orphans, budget))
        return false;
    if (successor && successor->keeps_counts) {
        successor->packets += group->packets;
        successor->bytes += group->bytes;
    }
    unlink_group(table, group);
    if (!successor)
        record_group(table->pipeline, group, false);
    tell(table, group);
    group_unref(group);
    return true;
}

bool group_table_commit(struct group_table *table, size_t *budget)
{
    if (table->n_staged == 0)
        return true;
    for (; table->n_done < table->n_staged; table->n_done++) {
        struct group *group = table->staged[table->n_done];

        if (*budget == 0)
            return false;
        if (group_visible(group, table->pipeline->version))
            tell_visible(table, group);
        else if (!take_out(table, group, budget))
            return false;
        *budget -= *budget > 0;
        group_unref(group);
    }
    unstage_all(table);
    return true;
}

static void take_back(struct group_table *table, struct group *group)
{
    if (is_pending(table, group)) {
        unlink_group(table, group);
        group_unref(group);
    } else {
        group->remove_version = RULE_NEVER;
    }
}

/* Counts the forwards of all groups anew: the first pass sets them to 0. */
static bool recount(struct group_table *table, size_t *budget)
{
    for (; table->recount_pass < 2; table->recount_pass++) {
        if (!table->recount_at)
            table->recount_at = TAILQ_FIRST(&table->groups);
        for (; table->recount_at; table->recount_at = TAILQ_NEXT(table->recount_at, node)) {
            if (*budget == 0)
                return false;
            --*budget;
            if (table->recount_pass == 0)
                table->recount_at->n_forwarders = 0;
            else
                count_forwards(table, table->recount_at, 1);
        }
    }
    table->recount_pass = 0;
    return true;
}

bool group_table_abort(struct group_table *table, size_t *budget)
{
    if (table->n_staged == 0)
        return true;
    for (; table->n_done < table->n_staged; table->n_done++) {
        if (*budget == 0)
            return false;
        --*budget;
        take_back(table, table->staged[table->n_done]);
        group_unref(table->staged[table->n_done]);
    }
    if (!recount(table, budget))
        return false;
    unstage_all(table);
    return true;
}
