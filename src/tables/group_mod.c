/* What a group_mod does: OpenFlow 1.3.5, 6.7; 1.5.1, 7.3.4.3. It works on the change that is open. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pmd/base/memory.h"
#include "src/match/of_error.h"
#include "src/tables/change.h"
#include "src/tables/classifier.h"
#include "src/tables/group_impl.h"

static int add(struct group_table *table, const struct group_mod *mod)
{
    int error;

    if (group_table_find_next(table, mod->group_id))
        return OFPERR_GMFC_GROUP_EXISTS;
    error = group_check(table, mod);
    if (error != 0)
        return error;
    group_stage_add(table, group_create(mod), NULL);
    return 0;
}

/* OpenFlow 1.3.5, 6.7: type and buckets are replaced, counters start anew. */
static int modify(struct group_table *table, const struct group_mod *mod)
{
    struct group *old = group_table_find_next(table, mod->group_id);
    int error;

    if (!old)
        return mod->group_id > OFGROUP_MAX ? OFPERR_GMFC_INVALID_GROUP : OFPERR_GMFC_UNKNOWN_GROUP;
    error = group_check(table, mod);
    if (error == 0)
        group_stage_add(table, group_create(mod), old);
    return error;
}

/* Takes the rules that use it along (OpenFlow 1.3.5, 6.7): those linked to the group that it replaces in this change,
 * too. False: *budget was not enough, the next call goes on. */
static bool remove_group(struct group_table *table, struct group *group, size_t *budget)
{
    const struct group *before = group_table_find(table, group->id);
    struct pipeline *pipeline = table->pipeline;
    bool goes_on_there = before && before != group && pipeline->removing == before->users;

    if (*budget == 0)
        return false;
    if (!goes_on_there && !rule_uses_remove(pipeline, group->users, RULE_GROUP_DELETED, budget))
        return false;
    if (before && before != group && !rule_uses_remove(pipeline, before->users, RULE_GROUP_DELETED, budget))
        return false;
    *budget -= *budget > 0;
    group_stage_remove(table, group);
    return true;
}

/* OpenFlow 1.3.5, 6.7: of a group that is not there a delete is no error. */
static int delete (struct group_table *table, const struct group_mod *mod, size_t *budget)
{
    struct group *group, *next;

    if (mod->group_id == OFGROUP_ALL) {
        for (group = TAILQ_FIRST(&table->groups); group; group = next) {
            next = TAILQ_NEXT(group, node);
            if (group_visible(group, change_version(table->pipeline)) && !remove_group(table, group, budget))
                return -EINPROGRESS;
        }
        return 0;
    }
    if (mod->group_id > OFGROUP_MAX)
        return OFPERR_GMFC_INVALID_GROUP;
    group = group_table_find_next(table, mod->group_id);
    if (!group)
        return 0;
    if (group->n_forwarders > 0)
        return OFPERR_GMFC_CHAINED_GROUP;
    return remove_group(table, group, budget) ? 0 : -EINPROGRESS;
}

/* --- commands on buckets (OpenFlow 1.5.1, 7.3.4.3) ----------------------- */

static int bucket_index(const struct group *group, uint32_t id)
{
    for (uint32_t i = 0; i < group->n_buckets; i++) {
        if (group->buckets[i].id == id)
            return (int)i;
    }
    return -1;
}

/* Replaces a group's buckets; those that stay keep their counters. */
static int change_buckets(struct group_table *table, struct group *old, struct group_mod *changed)
{
    struct group *group;
    int error;

    changed->type = old->type;
    if (changed->selection.method[0] == '\0')
        changed->selection = old->selection;
    error = group_check(table, changed);
    if (error != 0)
        return error;
    group = group_create(changed);
    group->keeps_counts = true;
    group_stage_add(table, group, old);
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
    if (!changed.buckets)
        out_of_memory("rules, groups and meters", 0);
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
    if (!changed.buckets)
        out_of_memory("rules, groups and meters", 0);
    for (unsigned b = 0; b < changed.n_buckets; b++)
        changed.buckets[b] = old->buckets[b < at ? b : b + 1];
    error = change_buckets(table, old, &changed);
    free(changed.buckets);
    return error;
}

static int apply(struct group_table *table, const struct group_mod *mod, size_t budget)
{
    struct group *group = group_table_find_next(table, mod->group_id);

    switch (mod->command) {
    case GROUP_ADD:
        return add(table, mod);
    case GROUP_MODIFY:
        return modify(table, mod);
    case GROUP_ADD_OR_MODIFY:
        return group ? modify(table, mod) : add(table, mod);
    case GROUP_DELETE:
        return delete (table, mod, &budget);
    case GROUP_INSERT_BUCKET:
    case GROUP_REMOVE_BUCKET:
        if (!group)
            return OFPERR_GMFC_UNKNOWN_GROUP;
        return mod->command == GROUP_INSERT_BUCKET ? insert_buckets(table, group, mod)
                                                   : remove_buckets(table, group, mod);
    case GROUP_COMMAND_BAD:
        break;
    }
    return OFPERR_GMFC_BAD_COMMAND;
}

int group_table_mod(struct group_table *table, const struct group_mod *mod)
{
    struct pipeline *pipeline = table->pipeline;

    if (pipeline->phase == CHANGE_OPEN && pipeline->in_bundle)
        return apply(table, mod, SIZE_MAX);
    if (pipeline->phase != CHANGE_NONE)
        return OFPERR_GMFC_EPERM;
    change_begin(pipeline, false);
    return change_finish(pipeline, apply(table, mod, SIZE_MAX));
}

int group_table_mod_slice(struct group_table *table, const struct group_mod *mod, size_t most)
{
    return apply(table, mod, most);
}
