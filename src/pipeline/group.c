#include "src/pipeline/group.h"

#include <stdlib.h>
#include <string.h>

#include "pmd/datapath.h"
#include "src/openflow/error.h"
#include "src/pipeline/group_impl.h"
#include "src/pipeline/table.h"

#define HASH_MIN 64

/* --- a group --------------------------------------------------------------------------------------------------------
 */

/* The group, its buckets and their actions are one block of memory. */
static struct group *group_create(const struct group_mod *mod)
{
    size_t acts = 0;
    struct group *group;
    uint8_t *p;

    for (unsigned i = 0; i < mod->n_buckets; i++)
        acts += mod->buckets[i].acts.len;
    group = calloc(1, sizeof *group + mod->n_buckets * sizeof *group->buckets + acts);
    if (group == NULL)
        abort();
    group->id = mod->group_id;
    group->type = mod->type;
    group->selection = mod->selection;
    group->refs = 1;
    group->created_ms = datapath_now_ms();
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
        if (group->type != GROUP_FF && group->type != GROUP_SELECT)
            continue;
        group->watches |= bucket->watch_port != OFPORT_ANY || bucket->watch_group != OFGROUP_ANY;
    }
    if (group->type == GROUP_SELECT)
        group_make_slots(group);
    LIST_INIT(&group->users.list);
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
    free(group->slots);
    free(group);
}

uint32_t group_users(const struct group *group)
{
    return group->users.n + group->n_forwarders;
}

/* --- the table ------------------------------------------------------------------------------------------------------
 */

static struct group **hash_bucket(const struct group_table *table, uint32_t id)
{
    return &table->hash[(id * UINT32_C(0x9e3779b1) >> 7) & (table->hash_size - 1)];
}

static void hash_grow(struct group_table *table)
{
    struct group *group;

    free(table->hash);
    table->hash_size = table->hash_size == 0 ? HASH_MIN : table->hash_size * 2;
    table->hash = calloc(table->hash_size, sizeof *table->hash);
    if (table->hash == NULL)
        abort();
    TAILQ_FOREACH (group, &table->groups, node) {
        struct group **bucket = hash_bucket(table, group->id);

        group->hash_next = *bucket;
        *bucket = group;
    }
}

struct group_table *group_table_create(struct pipeline *pipeline)
{
    struct group_table *table = calloc(1, sizeof *table);

    if (table == NULL)
        abort();
    table->pipeline = pipeline;
    TAILQ_INIT(&table->groups);
    hash_grow(table);
    return table;
}

struct group *group_table_find(const struct group_table *table, uint32_t group_id)
{
    struct group *group;

    for (group = *hash_bucket(table, group_id); group != NULL && group->id != group_id; group = group->hash_next)
        ;
    return group;
}

struct group *group_table_first(const struct group_table *table)
{
    return TAILQ_FIRST(&table->groups);
}

struct group *group_table_next(const struct group *group)
{
    return TAILQ_NEXT(group, node);
}

/* Counts the buckets that send to other groups, at those. */
static void count_forwards(struct group_table *table, const struct group *group, int delta)
{
    for (uint32_t i = 0; i < group->n_buckets; i++) {
        ACT_FOR_EACH (act, &group->buckets[i].acts) {
            struct group *to;

            if (act->type != ACT_GROUP)
                continue;
            to = group_table_find(table, ((const struct act_u32 *)act)->value);
            if (to != NULL)
                to->n_forwarders += (uint32_t)delta;
        }
    }
}

static void insert(struct group_table *table, struct group *group)
{
    struct group **bucket;

    if (++table->n > table->hash_size)
        hash_grow(table);
    bucket = hash_bucket(table, group->id);
    group->hash_next = *bucket;
    *bucket = group;
    TAILQ_INSERT_TAIL(&table->groups, group, node);
    table->n_watching += group->watches;
    count_forwards(table, group, 1);
}

/* The reference goes to the caller. */
static void take_out(struct group_table *table, struct group *group)
{
    struct group **p = hash_bucket(table, group->id);

    while (*p != group)
        p = &(*p)->hash_next;
    *p = group->hash_next;
    TAILQ_REMOVE(&table->groups, group, node);
    table->n--;
    table->n_watching -= group->watches;
    count_forwards(table, group, -1);
    group->removed = true;
}

void group_table_destroy(struct group_table *table)
{
    struct group *group;

    while ((group = TAILQ_FIRST(&table->groups)) != NULL) {
        take_out(table, group);
        group_unref(group);
    }
    free(table->hash);
    free(table);
}

/* --- changes --------------------------------------------------------------------------------------------------------
 */

static void tell(struct group_table *table, struct group *group)
{
    const struct pipeline_observer *observer = &table->pipeline->observer;

    if (observer->group_changed != NULL)
        observer->group_changed(observer->arg, group);
}

/* Groups that watch a port (or any group, which may watch the port in turn). */
static void tell_watchers(struct group_table *table, uint32_t ofport)
{
    struct group *group;

    if (table->n_watching == 0)
        return;
    TAILQ_FOREACH (group, &table->groups, node) {
        for (uint32_t i = 0; group->watches && i < group->n_buckets; i++) {
            if (group->buckets[i].watch_group != OFGROUP_ANY ||
                (ofport != OFPORT_ANY && group->buckets[i].watch_port == ofport)) {
                tell(table, group);
                break;
            }
        }
    }
}

void group_table_port_changed(struct group_table *table, uint32_t ofport)
{
    tell_watchers(table, ofport);
}

static int add(struct group_table *table, const struct group_mod *mod)
{
    int error;

    if (group_table_find(table, mod->group_id) != NULL)
        return OFPERR_GMFC_GROUP_EXISTS;
    error = group_check(table, mod);
    if (error != 0)
        return error;
    insert(table, group_create(mod));
    return 0;
}

/* Puts a group as `mod` has it in the place of `old`. */
static struct group *replace(struct group_table *table, struct group *old, const struct group_mod *mod)
{
    struct group *group = group_create(mod);

    group->created_ms = old->created_ms;
    group->n_forwarders = old->n_forwarders;
    rule_uses_move(&old->users, &group->users);
    take_out(table, old);
    insert(table, group);
    tell(table, old);
    tell_watchers(table, OFPORT_ANY);
    group_unref(old);
    return group;
}

/* OpenFlow 1.3.5, 6.7: type and buckets are replaced, counters start anew. */
static int modify(struct group_table *table, const struct group_mod *mod)
{
    struct group *old = group_table_find(table, mod->group_id);
    int error;

    if (old == NULL)
        return mod->group_id > OFGROUP_MAX ? OFPERR_GMFC_INVALID_GROUP : OFPERR_GMFC_UNKNOWN_GROUP;
    error = group_check(table, mod);
    if (error == 0)
        replace(table, old, mod);
    return error;
}

/* Takes the rules that use it along (OpenFlow 1.3.5, 6.7). */
static void remove_group(struct group_table *table, struct group *group)
{
    struct rule_use *use;

    while ((use = LIST_FIRST(&group->users.list)) != NULL)
        pipeline_remove_rule(table->pipeline, use->rule, RULE_GROUP_DELETED);
    take_out(table, group);
    tell(table, group);
    tell_watchers(table, OFPORT_ANY);
    group_unref(group);
}

/* OpenFlow 1.3.5, 6.7: of a group that is not there a delete is no error. */
static int delete (struct group_table *table, const struct group_mod *mod)
{
    struct group *group;

    if (mod->group_id == OFGROUP_ALL) {
        while ((group = TAILQ_FIRST(&table->groups)) != NULL)
            remove_group(table, group);
        return 0;
    }
    if (mod->group_id > OFGROUP_MAX)
        return OFPERR_GMFC_INVALID_GROUP;
    group = group_table_find(table, mod->group_id);
    if (group == NULL)
        return 0;
    if (group->n_forwarders > 0)
        return OFPERR_GMFC_CHAINED_GROUP;
    remove_group(table, group);
    return 0;
}

/* --- commands on buckets (OpenFlow 1.5.1, 7.3.4.3) ------------------------------------------------------------------
 */

static int bucket_index(const struct group *group, uint32_t id)
{
    for (uint32_t i = 0; i < group->n_buckets; i++) {
        if (group->buckets[i].id == id)
            return (int)i;
    }
    return -1;
}

/* What stays keeps its counters. */
static int change_buckets(struct group_table *table, struct group *old, struct group_mod *changed)
{
    uint64_t packets = old->packets, bytes = old->bytes;
    struct group *group;
    int error;

    changed->type = old->type;
    if (changed->selection.method[0] == '\0')
        changed->selection = old->selection;
    error = group_check(table, changed);
    if (error != 0)
        return error;
    group = replace(table, old, changed);
    group->packets = packets;
    group->bytes = bytes;
    return 0;
}

static int insert_buckets(struct group_table *table, struct group *old, const struct group_mod *mod)
{
    struct group_mod changed = *mod;
    unsigned at;
    int error, i;

    if (mod->command_bucket_id == BUCKET_ID_FIRST) {
        at = 0;
    } else if (mod->command_bucket_id == BUCKET_ID_LAST) {
        at = old->n_buckets;
    } else if (mod->command_bucket_id <= BUCKET_ID_MAX) {
        i = bucket_index(old, mod->command_bucket_id);
        if (i < 0)
            return OFPERR_GMFC_UNKNOWN_BUCKET;
        at = (unsigned)i + 1;
    } else {
        return OFPERR_GMFC_BAD_BUCKET;
    }
    changed.n_buckets = old->n_buckets + mod->n_buckets;
    changed.buckets = calloc(changed.n_buckets + 1, sizeof *changed.buckets);
    if (changed.buckets == NULL)
        abort();
    memcpy(changed.buckets, old->buckets, at * sizeof *changed.buckets);
    if (mod->n_buckets > 0)
        memcpy(changed.buckets + at, mod->buckets, mod->n_buckets * sizeof *changed.buckets);
    memcpy(changed.buckets + at + mod->n_buckets, old->buckets + at, (old->n_buckets - at) * sizeof *changed.buckets);
    error = change_buckets(table, old, &changed);
    free(changed.buckets);
    return error;
}

static int remove_buckets(struct group_table *table, struct group *old, const struct group_mod *mod)
{
    struct group_mod changed = *mod;
    unsigned at = 0;
    int error, i;

    if (mod->n_buckets > 0)
        return OFPERR_GMFC_BAD_BUCKET;
    changed.n_buckets = old->n_buckets > 0 ? old->n_buckets - 1 : 0;
    if (mod->command_bucket_id == BUCKET_ID_ALL) {
        changed.n_buckets = 0;
    } else if (mod->command_bucket_id == BUCKET_ID_LAST) {
        at = changed.n_buckets;
    } else if (mod->command_bucket_id <= BUCKET_ID_MAX) {
        i = bucket_index(old, mod->command_bucket_id);
        if (i < 0)
            return OFPERR_GMFC_UNKNOWN_BUCKET;
        at = (unsigned)i;
    } else if (mod->command_bucket_id != BUCKET_ID_FIRST) {
        return OFPERR_GMFC_BAD_BUCKET;
    }
    changed.buckets = calloc(changed.n_buckets + 1, sizeof *changed.buckets);
    if (changed.buckets == NULL)
        abort();
    for (unsigned b = 0; b < changed.n_buckets; b++)
        changed.buckets[b] = old->buckets[b < at ? b : b + 1];
    error = change_buckets(table, old, &changed);
    free(changed.buckets);
    return error;
}

int group_table_mod(struct group_table *table, const struct group_mod *mod)
{
    struct group *group;

    if (table->pipeline->phase != CHANGE_NONE)
        return OFPERR_GMFC_EPERM;
    switch (mod->command) {
    case GROUP_ADD:
        return add(table, mod);
    case GROUP_MODIFY:
        return modify(table, mod);
    case GROUP_ADD_OR_MODIFY:
        return group_table_find(table, mod->group_id) != NULL ? modify(table, mod) : add(table, mod);
    case GROUP_DELETE:
        return delete (table, mod);
    case GROUP_INSERT_BUCKET:
    case GROUP_REMOVE_BUCKET:
        group = group_table_find(table, mod->group_id);
        if (group == NULL)
            return OFPERR_GMFC_UNKNOWN_GROUP;
        return mod->command == GROUP_INSERT_BUCKET ? insert_buckets(table, group, mod)
                                                   : remove_buckets(table, group, mod);
    case GROUP_COMMAND_BAD:
        break;
    }
    return OFPERR_GMFC_BAD_COMMAND;
}
