/* Groups: what a group_mod may not ask for (OpenFlow 1.3.5, 6.7 and 7.4.4). */
#include <stdlib.h>
#include <string.h>

#include "src/actions/act_check.h"
#include "src/match/of_error.h"
#include "src/tables/group_impl.h"
#include "src/tables/meter.h"
#include "src/tables/pipeline.h"

/* Do the groups and meters exist? */
static int check_references(const struct group_table *table, uint32_t group_id, const struct act_list *acts)
{
    const struct meter_table *meters = pipeline_meters(table->pipeline);

    ACT_FOR_EACH (act, acts) {
        struct act_ref ref = act_ref(act);
        struct act_list inner;
        int error = 0;

        if (act_nested(act, &inner))
            error = check_references(table, group_id, &inner);
        else if (ref.type == ACT_REF_GROUP && ref.id == group_id)
            error = OFPERR_GMFC_LOOP;
        else if (ref.type == ACT_REF_GROUP && !group_table_find_next(table, ref.id))
            error = OFPERR_BAC_BAD_OUT_GROUP;
        else if (ref.type == ACT_REF_METER && (!meters || !meter_table_find_next(meters, ref.id)))
            error = OFPERR_BAC_BAD_METER;
        if (error != 0)
            return error;
    }
    return 0;
}

/* Instructions have no place in a bucket; the decoder of actions does not let them through. */
static int check_acts(const struct group_table *table, uint32_t group_id, const struct act_list *acts)
{
    int error = act_list_check_bucket(acts);

    return error != 0 ? error : check_references(table, group_id, acts);
}

static bool port_can_be_watched(uint32_t port)
{
    return (port >= 1 && port <= OFPORT_USER_MAX) || port == OFPORT_LOCAL || port == OFPORT_ANY;
}

static int check_watch(const struct group_table *table, const struct group_mod *mod, const struct bucket *bucket)
{
    /* For the other types a watch has no meaning, and clients put anything there. */
    if (mod->type != GROUP_FF && mod->type != GROUP_SELECT)
        return 0;
    if (!port_can_be_watched(bucket->watch_port))
        return OFPERR_GMFC_BAD_WATCH;
    if (bucket->watch_group != OFGROUP_ANY &&
        (bucket->watch_group == mod->group_id || !group_table_find_next(table, bucket->watch_group)))
        return OFPERR_GMFC_BAD_WATCH;
    /* OpenFlow 1.3.5, 5.6.1: each bucket of a fast failover group is tied to a port or group. */
    if (mod->type == GROUP_FF && bucket->watch_port == OFPORT_ANY && bucket->watch_group == OFGROUP_ANY)
        return OFPERR_GMFC_INVALID_GROUP;
    return 0;
}

/* Does any chain of groups that starts in these actions come to `target`? */
static bool reaches(struct group_table *table, const struct act_list *acts, uint32_t target)
{
    ACT_FOR_EACH (act, acts) {
        struct act_ref ref = act_ref(act);
        struct act_list inner;
        struct group *group;

        if (act_nested(act, &inner) && reaches(table, &inner, target))
            return true;
        if (ref.type != ACT_REF_GROUP)
            continue;
        if (ref.id == target)
            return true;
        group = group_table_find_next(table, ref.id);
        if (!group || group->visit == table->visit)
            continue;
        group->visit = table->visit;
        for (uint32_t i = 0; i < group->n_buckets; i++) {
            if (reaches(table, &group->buckets[i].acts, target))
                return true;
        }
    }
    return false;
}

static int compare_ids(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return x < y ? -1 : x > y;
}

static int check_ids(const struct bucket *buckets, unsigned n)
{
    uint32_t ids[GROUP_BUCKETS_MAX];

    for (unsigned i = 0; i < n; i++) {
        ids[i] = buckets[i].id;
        if (ids[i] > BUCKET_ID_MAX)
            return OFPERR_GMFC_BAD_BUCKET;
    }
    qsort(ids, n, sizeof ids[0], compare_ids);
    for (unsigned i = 1; i < n; i++) {
        if (ids[i] == ids[i - 1])
            return OFPERR_GMFC_BUCKET_EXISTS;
    }
    return 0;
}

/* --- what fits a message ------------------------------------------------- */

/* A group is told of as a whole: its description and its counters are an entry each of a multipart reply, and a
 * REQUESTFORWARD has the group_mod that made it. None of them can be longer than a message, in any version that has
 * groups, whatever version the group came by.
 */

/* Bytes around the buckets. REQUESTFORWARD's, with a header of its own, are those of the multipart reply, too. */
#define DESC13_HEAD 24u /* up to OpenFlow 1.4 (1.4.1, 7.3.5.8 and 7.4.6) */
#define DESC15_HEAD 32u /* OpenFlow 1.5.1, 7.3.5.8 */
#define COUNTS_HEAD 56u /* OpenFlow 1.3.5, 7.3.5.6 */
#define BUCKET13_HEAD 16u
#define BUCKET15_HEAD 8u
#define BUCKET_PROPERTY 8u
#define BUCKET_COUNTS 16u

static size_t selection_len(const struct group_selection *selection)
{
    size_t len = 40;

    if (selection->method[0] == '\0')
        return 0;
    for (unsigned i = 0; i < selection->n_fields; i++)
        len += (selection->fields[i]->experimenter ? 8u : 4u) + selection->fields[i]->n_bytes;
    return (len + 7) & ~(size_t)7;
}

static size_t bucket15_len(const struct group_mod *mod, const struct bucket *bucket)
{
    unsigned n_properties =
        (mod->type == GROUP_SELECT) + (bucket->watch_port != OFPORT_ANY) + (bucket->watch_group != OFGROUP_ANY);

    return BUCKET15_HEAD + n_properties * BUCKET_PROPERTY + bucket->acts_wire_len;
}

static bool fits_messages(const struct group_mod *mod)
{
    size_t desc13 = DESC13_HEAD, desc15 = DESC15_HEAD + selection_len(&mod->selection);
    size_t counts = COUNTS_HEAD + mod->n_buckets * BUCKET_COUNTS;

    for (unsigned i = 0; i < mod->n_buckets; i++) {
        desc13 += BUCKET13_HEAD + mod->buckets[i].acts_wire_len;
        desc15 += bucket15_len(mod, &mod->buckets[i]);
    }
    return desc13 <= UINT16_MAX && desc15 <= UINT16_MAX && counts <= UINT16_MAX;
}

static int check_selection(const struct group_mod *mod)
{
    const struct group_selection *selection = &mod->selection;

    if (selection->method[0] == '\0')
        return 0;
    if (mod->type != GROUP_SELECT)
        return OFPERR_GMFC_INVALID_GROUP;
    if (strcmp(selection->method, "dp_hash") == 0 && selection->param >> 32 > GROUP_DP_HASH_SYM_L4)
        return OFPERR_BPC_BAD_VALUE;
    return 0;
}

int group_check(struct group_table *table, const struct group_mod *mod)
{
    int error;

    if (mod->type >= GROUP_N_TYPES)
        return OFPERR_GMFC_BAD_TYPE;
    if (mod->group_id > OFGROUP_MAX || (mod->type == GROUP_INDIRECT && mod->n_buckets != 1))
        return OFPERR_GMFC_INVALID_GROUP;
    if (mod->n_buckets > GROUP_BUCKETS_MAX || !fits_messages(mod))
        return OFPERR_GMFC_OUT_OF_BUCKETS;
    error = check_selection(mod);
    if (error == 0)
        error = check_ids(mod->buckets, mod->n_buckets);
    table->visit++;
    for (unsigned i = 0; i < mod->n_buckets && error == 0; i++) {
        const struct bucket *bucket = &mod->buckets[i];

        if (bucket->weight != 0 && mod->type != GROUP_SELECT)
            return OFPERR_GMFC_INVALID_GROUP;
        error = check_watch(table, mod, bucket);
        if (error == 0)
            error = check_acts(table, mod->group_id, &bucket->acts);
        if (error == 0 && reaches(table, &bucket->acts, mod->group_id))
            error = OFPERR_GMFC_LOOP;
    }
    return error;
}
