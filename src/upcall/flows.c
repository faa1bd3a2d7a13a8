#include "src/upcall/flows.h"

#include <rte_common.h>
#include <stdlib.h>
#include <string.h>

#include "src/upcall/flows_impl.h"
#include "src/xlate/punt.h"
#include "src/xlate/recirc.h"

#define IDLE_MS_DEFAULT 10000

struct flows *flows_create(const struct flows_params *params)
{
    size_t size = (sizeof(struct flows) + 63) & ~(size_t)63;
    struct flows *flows = aligned_alloc(64, size);

    if (!flows)
        return NULL;
    memset(flows, 0, size);
    flows->dp = params->dp;
    flows->params = *params;
    flows_set_limits(flows, params->megaflow_limit, params->idle_ms ? params->idle_ms : IDLE_MS_DEFAULT);
    LIST_INIT(&flows->bridges);
    TAILQ_INIT(&flows->held);
    TAILQ_INIT(&flows->forgotten);
    LIST_INIT(&flows->rule_indexes.rewriting);
    TAILQ_INIT(&flows->dying);
    TAILQ_INIT(&flows->credits);
    TAILQ_INIT(&flows->todo);
    STAILQ_INIT(&flows->tickets);
    xlate_out_init(&flows->out);
    flows->n_path_buckets = rte_align32pow2(RTE_MAX(params->megaflow_limit, 1024u));
    flows->paths = calloc(flows->n_path_buckets, sizeof *flows->paths);
    flows->records = calloc(params->megaflow_limit, sizeof *flows->records);
    flows->programs = program_table_create();
    if (mask_pool_init(&flows->masks, params->mask_limit) != 0 ||
        dep_index_init(&flows->deps, flows->n_path_buckets) != 0 || !flows->paths || !flows->records ||
        !flows->programs) {
        flows_destroy(flows);
        return NULL;
    }
    return flows;
}

void flows_set_neighbours(struct flows *flows, struct neighbours *neighbours)
{
    flows->neighbours = neighbours;
    flows->in.neighbours = neighbours;
}

void flows_set_waiting(struct flows *flows, bool waiting)
{
    flows->waiting = waiting;
}

int flows_set_limits(struct flows *flows, uint32_t limit, uint32_t idle_ms)
{
    if (limit > flows->params.megaflow_limit)
        return -1;
    flows->limit = limit;
    flows->params.idle_ms = idle_ms;
    return 0;
}

static void give_up(struct flows *flows, struct mf_record *record)
{
    effects_drop(record);
    megaflow_remove(flows, record);
}

/* Removes all megaflows and waits until nothing of them is left. */
static void remove_all(struct flows *flows)
{
    for (uint32_t id = 0; id < flows->id_end; id++) {
        if (flows->records[id])
            give_up(flows, flows->records[id]);
    }
    megaflows_seal(flows);
    datapath_synchronize(flows->dp);
    megaflows_bury(flows);
    path_flush_credits(flows);
}

static struct flows_bridge *find_attached(struct flows *flows, const struct bridge *bridge)
{
    struct flows_bridge *fb;

    LIST_FOREACH (fb, &flows->bridges, node) {
        if (fb->bridge == bridge)
            return fb;
    }
    return NULL;
}

/* From the first call on nothing that recirculates in the bridge, or was punted there, is known. */
static void forget_interned(struct flows *flows, struct flows_bridge *fb, unsigned most)
{
    if (fb->forgetting == FORGET_PUNTS) {
        if (punt_forget_bridge(fb->bridge, most))
            fb->forgetting = FORGET_RECIRCS;
    } else if (recirc_forget_bridge(fb->bridge, most)) {
        held_packets_forget_bridge(flows, fb->bridge);
        fb->forgetting = FORGET_MEGAFLOWS;
    }
}

/* Removes those of the bridge among the next `most` megaflows. False: there are more. No new ones come: none of its
 * ports is left, and what recirculates is not known. */
static bool remove_some(struct flows *flows, struct flows_bridge *fb, unsigned most)
{
    if (fb->forgetting != FORGET_MEGAFLOWS) {
        forget_interned(flows, fb, most);
        return false;
    }
    for (; fb->next_id < flows->id_end && most > 0; most--) {
        struct mf_record *record = flows->records[fb->next_id++];

        if (record && path_has_bridge(record->path, fb->bridge))
            give_up(flows, record);
    }
    megaflows_seal(flows);
    return fb->next_id >= flows->id_end;
}

static void detach(struct flows *flows, struct flows_bridge *fb)
{
    struct bridge *bridge = fb->bridge;

    path_flush_credits(flows);
    if (flows->pending)
        change_batch_forget_bridge(flows->pending, bridge);
    if (flows->active)
        change_batch_forget_bridge(flows->active, bridge);
    bridge_unlisten(bridge, &fb->listener);
    pipeline_set_observer(bridge->pipeline, NULL);
    LIST_REMOVE(fb, node);
    free(fb);
}

bool flows_forget_bridge(struct flows *flows, struct bridge *bridge, unsigned most)
{
    struct flows_bridge *fb = find_attached(flows, bridge);

    if (!fb)
        return true;
    if (fb->buried == 0) {
        if (!remove_some(flows, fb, most))
            return false;
        fb->buried = flows->n_removed;
    }
    /* Removed ones are buried in the order in which they were removed, when no thread can see them any more. */
    megaflows_bury(flows);
    if (flows->n_buried < fb->buried)
        return false;
    detach(flows, fb);
    return true;
}

void flows_destroy(struct flows *flows)
{
    struct flows_bridge *fb;
    struct ticket *ticket;

    if (!flows)
        return;
    flows_jobs_free(flows->jobs);
    if (flows->records && flows->paths)
        remove_all(flows);
    while ((fb = LIST_FIRST(&flows->bridges))) {
        LIST_REMOVE(fb, node);
        free(fb);
    }
    while ((ticket = STAILQ_FIRST(&flows->tickets))) {
        STAILQ_REMOVE_HEAD(&flows->tickets, node);
        free(ticket);
    }
    forgotten_free(flows);
    change_batch_destroy(flows->pending);
    change_batch_destroy(flows->active);
    if (flows->masks.entries)
        mask_pool_fini(&flows->masks);
    dep_index_fini(&flows->deps);
    rule_indexes_fini(flows);
    /* Programs that were given back are freed by then. */
    while (datapath_reclaim(flows->dp))
        ;
    if (flows->programs)
        program_table_destroy(flows->programs);
    xlate_out_free(&flows->out);
    free(flows->records);
    free(flows->paths);
    free(flows);
}

void flows_set_packet_in(struct flows *flows, packet_in_fn *fn, void *arg)
{
    flows->packet_in = fn;
    flows->packet_in_arg = arg;
}

void flows_set_rule_gone(struct flows *flows, rule_gone_fn *fn, void *arg)
{
    flows->rule_gone = fn;
    flows->rule_gone_arg = arg;
}

void flows_set_rule_triggered(struct flows *flows, rule_triggered_fn *fn, void *arg)
{
    flows->rule_triggered = fn;
    flows->rule_triggered_arg = arg;
}

void flows_set_rule_changed(struct flows *flows, rule_changed_fn *fn, void *arg)
{
    flows->rule_changed = fn;
    flows->rule_changed_arg = arg;
}

bool flows_next_megaflow(struct flows *flows, const struct bridge *bridge, uint32_t *position, unsigned most,
                         struct megaflow_info *info)
{
    info->mf = NULL;
    for (; most > 0 && *position < flows->id_end; most--) {
        const struct mf_record *record = flows->records[(*position)++];

        if (!record || (bridge && path_bridge(record->path) != bridge))
            continue;
        info->mf = record->mf;
        info->bridge = path_bridge(record->path);
        info->created_ms = record->created_ms;
        info->stats = record->stats;
        datapath_megaflow_stats(flows->dp, record->mf, &info->stats);
        return true;
    }
    return *position < flows->id_end;
}

bool flows_purge(struct flows *flows, uint32_t *position, unsigned most)
{
    for (; most > 0 && *position < flows->id_end; most--) {
        struct mf_record *record = flows->records[(*position)++];

        if (record)
            megaflow_remove(flows, record);
    }
    return *position < flows->id_end;
}

void flows_set_slow_ops(struct flows *flows, uint64_t ops)
{
    flows->slow_ops = ops;
}

uint64_t flows_slow_ops(const struct flows *flows)
{
    return flows->slow_ops;
}

bool flows_is_slow(const struct flows *flows, const struct program_builder *program)
{
    if (likely(flows->slow_ops == 0))
        return false;
    PROGRAM_FOR_EACH (op, program)
        if (flows->slow_ops & UINT64_C(1) << op->type)
            return true;
    return false;
}

void flows_get_stats(const struct flows *flows, struct flows_stats *stats)
{
    *stats = flows->stats;
    stats->n_megaflows = flows->n_live;
    stats->n_masks = flows->masks.n;
    stats->n_programs = (uint32_t)program_table_size(flows->programs);
    stats->n_rule_indexes = flows->rule_indexes.n;
    stats->rule_index_bytes = rule_index_memory(flows);
    stats->pending_changes = change_batch_size(flows->pending) + change_batch_size(flows->active);
}
