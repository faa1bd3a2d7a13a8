/* Installed megaflows and what the control side keeps for each. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pmd/base/clock.h"
#include "src/upcall/flows_impl.h"
#include "src/xlate/recirc.h"

/* The bridge that the packet is in, and its port there: the one it came in on, or, of a packet that a controller sent
 * and that goes round again, what was frozen. */
static struct bridge *find_bridge(const struct flows *flows, struct flow *flow)
{
    const struct bridge_port *bp = bridge_port_by_index(flows->dp, flow->pkt.in_port);
    const struct recirc *recirc;

    if (bp) {
        flow->in_port = bp->ofport;
        return bp->bridge;
    }
    recirc = flow->pkt.in_port == 0 && flow->pkt.recirc_id != 0 ? recirc_get(flow->pkt.recirc_id) : NULL;
    flow->in_port = recirc ? recirc->state.in_port : OFPORT_NONE;
    return recirc ? recirc->state.bridge : NULL;
}

struct bridge *translate(struct flows *flows, bool side_effects)
{
    struct xlate_in *in = &flows->in;
    struct xlate_out *out = &flows->out;
    uint64_t start;

    in->bridge = find_bridge(flows, &in->flow);
    if (!in->bridge) {
        memset(&out->wc, 0, sizeof out->wc);
        out->wc.pkt.in_port = out->wc.pkt.recirc_id = UINT32_MAX;
        program_builder_init(&out->program);
        program_builder_add(&out->program, OP_DROP, DROP_BRIDGE_UNKNOWN, NULL, 0);
        xlate_out_reset(out);
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

struct mf_record *megaflow_add(struct flows *flows, struct bridge *bridge, struct program *program, int *error)
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
    record->mac = NULL;
    record->effects = NULL;
    record->stats = (struct megaflow_stats){0};
    record->created_ms = record->used_ms = clock_now_ms();
    record->changes = flows->changes;
    record->token = 0;
    record->untaught = false;
    flows->records[record->id] = record;
    if (record->id >= flows->id_end)
        flows->id_end = record->id + 1;
    flows->n_live++;
    flows->stats.installed++;
    flows->stats.masks_merged += merged;
    path_attach(path_get(flows, bridge, &flows->out.deps), record);
    rule_index_insert(flows, record);
    if (flows->out.deps.used_mac_table)
        mac_index_update(&flows->macs, record, bridge, &flows->out.deps);
    effects_keep(record, &flows->out.deps);
    /* Rules changed while it was decided by them. */
    if (flows->out.deps.changed_rules)
        record_mark(flows, record);
    return record;
}

void megaflow_remove(struct flows *flows, struct mf_record *record)
{
    for (unsigned i = 0; i < RECENT; i++) {
        if (flows->recent[i].record == record)
            flows->recent[i].record = NULL;
    }
    rule_index_remove(flows, record);
    program_put(flows, datapath_megaflow_remove(flows->dp, record->mf));
    record_count(flows, record);
    mac_index_remove(&flows->macs, record);
    mask_pool_put(&flows->masks, record->mask);
    flows->records[record->id] = NULL;
    flows->n_live--;
    flows->n_dying++;
    flows->n_removed++;
    path_detach(record->path, record);
    record->token = 0;
    TAILQ_INSERT_TAIL(&flows->dying, record, path_node);
}

bool record_count(struct flows *flows, struct mf_record *record)
{
    struct megaflow_stats stats = record->stats;
    const struct mac_dep *mac = record->mac;

    if (!datapath_megaflow_stats(flows->dp, record->mf, &record->stats))
        return false;
    path_credit(flows, record->path, record->stats.packets - stats.packets, record->stats.bytes - stats.bytes,
                record->stats.used_ms);
    if (record->stats.used_ms > record->used_ms)
        record->used_ms = record->stats.used_ms;
    record->untaught = true;
    if (mac && mac->learns)
        mac_table_touch(mac->bridge->macs, &mac->src_mac, mac->vlan, mac->port, clock_now_ms());
    return true;
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
        record_count(flows, record);
        effects_end(record);
        TAILQ_REMOVE(&flows->dying, record, path_node);
        flows->n_dying--;
        flows->n_buried++;
        path_release(flows, record->path);
        free(record);
    }
}
