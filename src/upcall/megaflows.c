/* Installed megaflows and what the control side keeps for each. */
#include <errno.h>
#include <stdlib.h>

#include "pmd/base/clock.h"
#include "src/upcall/flows_impl.h"
#include "src/xlate/recirc.h"

/* The bridge that the packet is in, and its port there: the one it came in on, or, of a packet that goes round again in
 * another bridge, or that a controller sent, what was frozen. */
static struct bridge *find_bridge(const struct flows *flows, struct xlate_in *in)
{
    const struct bridge_port *bp = bridge_port_by_index(flows->dp, in->flow.pkt.in_port);
    const struct recirc *recirc = in->flow.pkt.recirc_id != 0 ? recirc_get(in->flow.pkt.recirc_id) : NULL;

    in->elsewhere = false;
    if (bp && (!recirc || recirc->state.bridge == bp->bridge)) {
        in->flow.in_port = bp->ofport;
        return bp->bridge;
    }
    /* A port that is gone. */
    if (!bp && in->flow.pkt.in_port != 0)
        recirc = NULL;
    in->flow.in_port = recirc ? recirc->state.in_port : OFPORT_NONE;
    in->elsewhere = bp != NULL;
    return recirc ? recirc->state.bridge : NULL;
}

struct bridge *translate(struct flows *flows, bool side_effects)
{
    struct xlate_in *in = &flows->in;
    struct xlate_out *out = &flows->out;
    uint64_t start;

    in->bridge = find_bridge(flows, in);
    if (!in->bridge) {
        xlate_no_bridge(out);
        return NULL;
    }
    start = rte_rdtsc();
    in->side_effects = side_effects;
    in->acts = (struct act_list){0};
    xlate(in, out);
    flows->stats.translations++;
    flows->stats.translate_cycles += rte_rdtsc() - start;
    return in->bridge;
}

void program_put(struct flows *flows, struct program *program)
{
    if (program && program_unref(flows->programs, program))
        datapath_defer(flows->dp, free, program);
}

/* Installs under `mask`; on -EMLINK, the datapath's tuples still being in their grace period, under any mask there is.
 */
static struct megaflow *install(struct flows *flows, struct mask_entry **mask, struct program *program, int *error)
{
    const struct flow_key *key = &flows->in.flow.pkt;
    struct mask_entry *other;
    struct megaflow *mf;

    mf = datapath_megaflow_install(flows->dp, key, &(*mask)->mask, program, error);
    if (mf || *error != -EMLINK)
        return mf;
    other = mask_pool_get_existing(&flows->masks, &flows->out.wc.pkt, *mask);
    if (!other)
        return NULL;
    mask_pool_put(&flows->masks, *mask);
    *mask = other;
    return datapath_megaflow_install(flows->dp, key, &other->mask, program, error);
}

struct mf_record *megaflow_add(struct flows *flows, struct program *program, int *error)
{
    struct mf_record *record = malloc(sizeof *record);
    bool merged;

    *error = -ENOMEM;
    if (!record)
        return NULL;
    record->mask = mask_pool_get(&flows->masks, &flows->out.wc.pkt, &merged);
    if (!record->mask) {
        free(record);
        return NULL;
    }
    record->mf = install(flows, &record->mask, program, error);
    if (!record->mf) {
        mask_pool_put(&flows->masks, record->mask);
        free(record);
        return NULL;
    }
    record->id = megaflow_id(record->mf);
    record->in_port_place = in_port_place(flows->in.flow.pkt.in_port);
    record->stats = (struct megaflow_stats){0};
    record->created_ms = record->used_ms = clock_now_ms();
    record->token = 0;
    record->untaught = false;
    flows->records[record->id] = record;
    if (record->id >= flows->id_end)
        flows->id_end = record->id + 1;
    flows->n_live++;
    flows->stats.installed++;
    flows->stats.masks_merged += merged;
    record_attach(flows, record, &flows->out.deps);
    return record;
}

void megaflow_remove(struct flows *flows, struct mf_record *record)
{
    for (unsigned i = 0; i < RECENT; i++) {
        if (flows->recent[i].record == record)
            flows->recent[i].record = NULL;
    }
    record_count(flows, record);
    record_detach(flows, record);
    program_put(flows, datapath_megaflow_remove(flows->dp, record->mf));
    mask_pool_put(&flows->masks, record->mask);
    flows->records[record->id] = NULL;
    flows->n_live--;
    flows->n_dying++;
    flows->n_removed++;
    record->token = 0;
    TAILQ_INSERT_TAIL(&flows->dying, record, path_node);
}

void megaflows_seal(struct flows *flows)
{
    struct mf_record *record = TAILQ_LAST(&flows->dying, mf_records);
    uint64_t token;

    if (!record || record->token)
        return;
    token = datapath_token(flows->dp);
    for (; record && !record->token; record = TAILQ_PREV(record, mf_records, path_node))
        record->token = token;
}

void megaflows_bury(struct flows *flows)
{
    struct mf_record *record;
    uint64_t passed = 0;

    while ((record = TAILQ_FIRST(&flows->dying)) && record->token) {
        if (record->token != passed && !datapath_passed(flows->dp, record->token))
            break;
        passed = record->token;
        TAILQ_REMOVE(&flows->dying, record, path_node);
        flows->n_dying--;
        flows->n_buried++;
        record_end(flows, record);
    }
}
