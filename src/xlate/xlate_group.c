/* Translation: groups (OpenFlow 1.3.5, 5.6).
 *
 * A select group chooses by a hash over the flow (pmd/select_hash.h). So that megaflows stay as wide as the rules make
 * them, the datapath computes the hash and looks the packet up again: the megaflows behind that have only the bits of
 * the hash that choose the bucket.
 */
#include <stdlib.h>
#include <string.h>

#include "pmd/base/memory.h"
#include "pmd/select_hash.h"
#include "src/tables/group.h"
#include "src/xlate/act_xlate_impl.h"

#define BUCKETS_RUN_MAX 4096  /* in one translation */
#define LIVENESS_DEPTH_MAX 16 /* groups that watch groups */
#define LINKS_MAX 64          /* that a translation asked for, beyond which it rests on all of a bridge's */

/* --- liveness ------------------------------------------------------------ */

static bool bucket_is_live(struct xlate_ctx *ctx, const struct bucket *bucket, unsigned depth);

static bool port_is_live(struct xlate_ctx *ctx, uint32_t ofport)
{
    const struct bridge_port *bp = bridge_port_by_ofport(ctx->bridge, ofport);

    if (ctx->n_links++ < LINKS_MAX)
        xlate_dep(ctx, XLATE_DEP_LINK, ofport);
    else
        xlate_dep(ctx, XLATE_DEP_LINKS, 0);
    return bp && bp->state & PORT_STATE_LIVE;
}

/* OpenFlow 1.3.5, 6.5: a group is live if one of its buckets is. */
static bool group_is_live(struct xlate_ctx *ctx, uint32_t id, unsigned depth)
{
    const struct group *group = group_table_find(pipeline_groups(ctx->bridge->pipeline), id);

    xlate_dep(ctx, XLATE_DEP_GROUP, id);
    if (!group || depth > LIVENESS_DEPTH_MAX)
        return false;
    for (uint32_t i = 0; i < group->n_buckets; i++) {
        if (!group->watches || bucket_is_live(ctx, &group->buckets[i], depth))
            return true;
    }
    return false;
}

static bool bucket_is_live(struct xlate_ctx *ctx, const struct bucket *bucket, unsigned depth)
{
    if (bucket->watch_port == OFPORT_ANY && bucket->watch_group == OFGROUP_ANY)
        return true;
    if (bucket->watch_port != OFPORT_ANY && port_is_live(ctx, bucket->watch_port))
        return true;
    return bucket->watch_group != OFGROUP_ANY && group_is_live(ctx, bucket->watch_group, depth + 1);
}

static bool is_live(struct xlate_ctx *ctx, const struct group *group, uint32_t i)
{
    const struct bucket *bucket = &group->buckets[i];

    if (!group->watches || bucket_is_live(ctx, bucket, 0))
        return true;
    if (bucket->watch_port != OFPORT_ANY)
        xlate_note(ctx, " -> bucket %u: not live due to port %u", bucket->id, bucket->watch_port);
    else
        xlate_note(ctx, " -> bucket %u: not live due to group %u", bucket->id, bucket->watch_group);
    return false;
}

/* --- buckets ------------------------------------------------------------- */

static void run_acts(struct xlate_ctx *ctx, const struct bucket *bucket, bool last)
{
    const struct act *set[XLATE_ACTION_SET_MAX];
    struct act_buffer buffer;
    struct act_list list;
    unsigned n = 0;

    ACT_FOR_EACH (act, &bucket->acts) {
        if (n == XLATE_ACTION_SET_MAX) {
            xlate_fail(ctx, DROP_XLATE_ERROR, "over 256 actions in a bucket");
            return;
        }
        set[n++] = act;
    }
    act_buffer_init(&buffer);
    xlate_order_set(set, n, &buffer);
    list = act_buffer_list(&buffer);
    xlate_acts(ctx, &list, last);
    act_buffer_free(&buffer);
}

static void run_bucket(struct xlate_ctx *ctx, struct group *group, uint32_t i, bool last)
{
    struct bucket *bucket = &group->buckets[i];
    char text[32];

    if (ctx->depth >= XLATE_MAX_DEPTH || ++ctx->n_buckets_run > BUCKETS_RUN_MAX) {
        xlate_fail(ctx, DROP_XLATE_LOOP, "over 64 groups deep, or over 4096 buckets");
        return;
    }
    xlate_deps_add_group(&ctx->out->deps, group, i);
    if (ctx->in->trace) {
        snprintf(text, sizeof text, "bucket %u", bucket->id);
        ctx->in->trace->action(ctx->in->trace->arg, ctx->trace_depth, text);
    }
    ctx->depth++;
    ctx->trace_depth += 2;
    if (last) {
        /* No operation needs the packet as it was; a trace tells of it. */
        struct flow flow = ctx->flow;

        ctx->in_group = true;
        run_acts(ctx, bucket, true);
        if (!ctx->freezing)
            ctx->flow = flow;
    } else {
        struct xlate_clone clone;

        xlate_clone_begin(ctx, &clone);
        ctx->in_group = true;
        run_acts(ctx, bucket, true);
        xlate_clone_end(ctx, &clone);
    }
    ctx->depth--;
    ctx->trace_depth -= 2;
}

static void run_all(struct xlate_ctx *ctx, struct group *group, bool last)
{
    xlate_deps_add_group(&ctx->out->deps, group, XLATE_GROUP_ITSELF);
    for (uint32_t i = 0; i < group->n_buckets && !ctx->out->error; i++)
        run_bucket(ctx, group, i, last && i + 1 == group->n_buckets);
}

static void run_chosen(struct xlate_ctx *ctx, struct group *group, int i, bool last)
{
    xlate_deps_add_group(&ctx->out->deps, group, XLATE_GROUP_ITSELF);
    if (i < 0) {
        xlate_note(ctx, " -> no live bucket");
        return;
    }
    xlate_note(ctx, " -> using bucket %u", group->buckets[i].id);
    run_bucket(ctx, group, (uint32_t)i, last);
}

static void run_failover(struct xlate_ctx *ctx, struct group *group, bool last)
{
    int chosen = -1;

    for (uint32_t i = 0; i < group->n_buckets && chosen < 0; i++) {
        if (is_live(ctx, group, i))
            chosen = (int)i;
    }
    run_chosen(ctx, group, chosen, last);
}

/* --- select -------------------------------------------------------------- */

/* selection_method=hash: by these fields, of which every value needs a megaflow. */
static uint32_t hash_fields(struct xlate_ctx *ctx, const struct group *group)
{
    const struct group_selection *selection = &group->selection;
    struct flow seen, values;
    struct flow_key key;
    uint32_t hash = (uint32_t)selection->param ^ (uint32_t)(selection->param >> 32);

    memset(&seen, 0, sizeof seen);
    memset(&values, 0, sizeof values);
    for (unsigned i = 0; i < selection->n_fields; i++) {
        const struct field *field = selection->fields[i];
        union field_value value;

        if (!xlate_has_field(ctx, field))
            continue;
        field_get(field, &ctx->flow, &value);
        for (unsigned b = 0; b < field->n_bytes; b++)
            value.b[b] &= selection->masks[i].b[b];
        field_set(field, &seen, &selection->masks[i], NULL);
        memset(&key, 0, sizeof key);
        /* Any way to mix bytes does. */
        memcpy(key.ipv6_src, value.b, sizeof key.ipv6_src);
        key.eth_type = RTE_BE16(RTE_ETHER_TYPE_IPV6);
        hash = select_hash(&key, hash + i + 1);
    }
    xlate_consult(ctx, &seen);
    return hash;
}

/* The param of "dp_hash" has it in its lower half. The groups that say none choose independently of each other. */
static uint32_t hash_basis(const struct group *group)
{
    return strcmp(group->selection.method, "dp_hash") == 0 ? (uint32_t)group->selection.param : group->id;
}

static void run_select(struct xlate_ctx *ctx, const struct act *act, struct group *group, bool last)
{
    bool by_fields = group->selection.n_fields > 0;
    uint32_t hash = 0;
    bool *live;

    if (group->n_slots > 1 && by_fields) {
        hash = hash_fields(ctx, group);
    } else if (group->n_slots > 1 && ctx->hashed) {
        hash = ctx->flow.pkt.dp_hash;
        XLATE_CONSULT(ctx, dp_hash, group->n_slots - 1);
    } else if (group->n_slots > 1 && (ctx->in->trace || ctx->in->acts.acts || ctx->in->resume)) {
        /* There is one packet, so its hash is known here. */
        hash = select_hash(&ctx->flow.pkt, hash_basis(group));
    } else if (group->n_slots > 1) {
        xlate_deps_add_group(&ctx->out->deps, group, XLATE_GROUP_LATER);
        xlate_freeze_group(ctx, act, hash_basis(group));
        return;
    }
    ctx->hashed = false;
    live = calloc(group->n_buckets + 1, sizeof *live);
    if (!live)
        out_of_memory("rules, groups and meters", 0);
    for (uint32_t i = 0; i < group->n_buckets; i++)
        live[i] = is_live(ctx, group, i);
    run_chosen(ctx, group, group_choose(group, hash, live), last);
    free(live);
}

static void run_group(struct xlate_ctx *ctx, const struct act *act, bool last)
{
    uint32_t id = ((const struct act_u32 *)act)->value;
    struct group *group = group_table_find(pipeline_groups(ctx->bridge->pipeline), id);

    if (!group) {
        ctx->out->deps.no_news = true;
        xlate_note(ctx, " >> no such group");
        return;
    }
    switch ((enum group_type)group->type) {
    case GROUP_ALL:
    case GROUP_INDIRECT:
        run_all(ctx, group, last);
        break;
    case GROUP_FF:
        run_failover(ctx, group, last);
        break;
    case GROUP_SELECT:
        run_select(ctx, act, group, last);
        break;
    case GROUP_N_TYPES:
        break;
    }
}

/* Its buckets may do anything. */
const struct act_xlate act_xlate_group = {.run = run_group};
