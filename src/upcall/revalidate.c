/* Changes: which megaflows they can affect, and translating those again. */
#include <stdlib.h>
#include <string.h>

#include "pmd/base/clock.h"
#include "pmd/base/memory.h"
#include "src/match/tlv_map.h"
#include "src/upcall/flows_impl.h"

/* Ids that a sweep looks at between two looks at the clock. */
#define SWEEP_STEP 64
/* Unless somebody waits for them, changes gather at least so long before the next sweep starts, and sweeps take at most
 * this part of the time. */
#define SWEEP_INTERVAL_MS 2
#define SWEEP_SHARE 4

/* The serial number of the sweep that will work off the batch that is gathering changes. */
static uint64_t next_serial(const struct flows *flows)
{
    return (flows->active ? flows->active->serial : flows->sweeps_done) + 1;
}

struct change_batch *changes_pending(struct flows *flows)
{
    if (!flows->pending)
        flows->pending = change_batch_create(next_serial(flows));
    return flows->pending;
}

/* So many paths or megaflows are marked between two slices, whatever changes: some hundred microseconds. */
#define MARKS_A_SLICE 4096

bool marks_take(struct flows *flows, uint32_t n)
{
    if (n > flows->marks_left)
        return false;
    flows->marks_left -= n;
    return true;
}

bool changes_waiting(const struct flows *flows)
{
    return flows->pending || flows->active || !TAILQ_EMPTY(&flows->todo);
}

/* --- what is noted ------------------------------------------------------- */

static void tell(struct flows_bridge *fb, enum flows_rule_change change, struct rule *rule,
                 enum rule_removed_reason reason)
{
    struct flows *flows = fb->flows;

    if (flows->rule_changed)
        flows->rule_changed(flows->rule_changed_arg, fb->bridge, change, rule, reason);
}

static void rule_added(void *arg, struct rule *rule, struct rule *replaced)
{
    struct flows_bridge *fb = arg;
    bool changed = replaced && replaced->created_ms == rule->created_ms;

    tickets_note_change(fb->flows);
    tell(fb, changed ? FLOWS_RULE_MODIFIED : FLOWS_RULE_ADDED, rule, RULE_DELETED);
    /* A rule that stands in for one of equal match and priority wins exactly where that one did. */
    if (replaced) {
        rule_mark_dependents(fb->flows, replaced);
    } else if (!rule_index_mark(fb->flows, fb->bridge, rule, next_serial(fb->flows))) {
        change_batch_add_rule(changes_pending(fb->flows), fb->bridge, rule);
    }
}

static void rule_modified(void *arg, struct rule *rule)
{
    struct flows_bridge *fb = arg;

    tickets_note_change(fb->flows);
    tell(fb, FLOWS_RULE_MODIFIED, rule, RULE_DELETED);
    rule_mark_dependents(fb->flows, rule);
}

static void rule_removed(void *arg, struct rule *rule, enum rule_removed_reason reason)
{
    struct flows_bridge *fb = arg;

    tickets_note_change(fb->flows);
    tell(fb, FLOWS_RULE_REMOVED, rule, reason);
    rule_mark_dependents(fb->flows, rule);
    rule_watch_gone(fb->flows, fb->bridge, rule, reason);
}

static void rule_triggered(void *arg, struct rule *rule)
{
    struct flows_bridge *fb = arg;

    if (fb->flows->rule_triggered)
        fb->flows->rule_triggered(fb->flows->rule_triggered_arg, fb->bridge, rule);
}

static void rule_goes_on(void *arg, struct rule *rule, struct rule *replaced)
{
    (void)arg;
    rule_watch_replaced(replaced, rule);
}

static void group_changed(void *arg, struct group *group)
{
    struct flows_bridge *fb = arg;

    tickets_note_change(fb->flows);
    group_mark_dependents(fb->flows, group);
    dep_changed(fb->flows, XLATE_DEP_GROUP, fb->bridge, group->id);
}

/* All megaflows of the bridge are translated again. */
static void note_bridge(struct flows *flows, struct bridge *bridge)
{
    tickets_note_change(flows);
    datapath_touch(flows->dp);
    change_batch_add_bridge(changes_pending(flows), bridge);
}

static void meters_changed(void *arg)
{
    struct flows_bridge *fb = arg;

    note_bridge(fb->flows, fb->bridge);
}

static void meter_gone(void *arg, uint32_t index)
{
    struct flows_bridge *fb = arg;

    forget_meter(fb->flows, index);
}

static void to_settle(void *arg)
{
    struct flows_bridge *fb = arg;

    fb->flows->settling = true;
}

static void mac_changed(void *arg, struct bridge *bridge, const struct rte_ether_addr *mac, uint16_t vlan)
{
    struct flows_bridge *fb = arg;

    tickets_note_change(fb->flows);
    dep_changed(fb->flows, XLATE_DEP_MAC, bridge, xlate_mac_number(mac, vlan));
}

/* Whether there is such a port, and what it is configured to do. */
static void note_port_config(struct flows *flows, const struct bridge_port *bp)
{
    dep_changed(flows, XLATE_DEP_PORT, bp->bridge, bp->ofport);
    dep_changed(flows, XLATE_DEP_PORTS, bp->bridge, 0);
}

static void note_port_link(struct flows *flows, const struct bridge_port *bp)
{
    dep_changed(flows, XLATE_DEP_LINK, bp->bridge, bp->ofport);
    dep_changed(flows, XLATE_DEP_LINKS, bp->bridge, 0);
}

/* Notes that megaflows of packets that come in by the port have to be translated again. */
static void note_port_input(struct flows *flows, const struct bridge_port *bp)
{
    uint32_t index = bridge_port_index(bp);

    if (index != 0)
        change_batch_add_in_port(changes_pending(flows), index);
}

static void note_ports(struct flows *flows)
{
    tickets_note_change(flows);
    datapath_touch(flows->dp);
}

static void port_added(void *arg, struct bridge_port *bp)
{
    struct flows_bridge *fb = arg;

    note_ports(fb->flows);
    note_port_config(fb->flows, bp);
    note_port_link(fb->flows, bp);
    dep_changed(fb->flows, XLATE_DEP_NO_BRIDGE, NULL, 0);
}

static void port_changed(void *arg, struct bridge_port *bp, unsigned what)
{
    struct flows_bridge *fb = arg;

    note_ports(fb->flows);
    if (what & BRIDGE_PORT_LINK)
        note_port_link(fb->flows, bp);
    if (what & (BRIDGE_PORT_CONFIG | BRIDGE_PORT_VLAN | BRIDGE_PORT_CLAIMS)) {
        note_port_config(fb->flows, bp);
        note_port_input(fb->flows, bp);
    }
}

static void port_removed(void *arg, struct bridge_port *bp)
{
    struct flows_bridge *fb = arg;

    note_ports(fb->flows);
    note_port_config(fb->flows, bp);
    note_port_link(fb->flows, bp);
    note_port_input(fb->flows, bp);
    if (bp->port)
        forget_port(fb->flows, bp->port->index);
}

static void bond_changed(void *arg, struct lport *lport)
{
    struct flows_bridge *fb = arg;

    note_ports(fb->flows);
    dep_changed(fb->flows, XLATE_DEP_BOND, lport->bridge, lport->id);
}

static void bridge_changed(void *arg, struct bridge *bridge)
{
    struct flows_bridge *fb = arg;

    note_bridge(fb->flows, bridge);
}

/* --- tunnels ------------------------------------------------------------- */

void flows_set_tunnels(struct flows *flows, const struct tunnels *tunnels, struct next_hops *hops)
{
    flows->in.tunnels = tunnels;
    flows->in.hops = hops;
}

void flows_note_next_hop(struct flows *flows, uint64_t id)
{
    tickets_note_change(flows);
    datapath_touch(flows->dp);
    dep_changed(flows, XLATE_DEP_NEXT_HOP, NULL, id);
}

bool flows_wants_next_hop(const struct flows *flows, uint64_t id)
{
    const struct xlate_dep dep = {.kind = XLATE_DEP_NEXT_HOP, .b = id};

    return dep_index_has(&flows->deps, &dep);
}

void flows_note_tunnel_options(struct flows *flows)
{
    struct tunnel_option options[TLV_MAPS_MAX];
    const unsigned n = tlv_map_datapath(options);
    struct flows_bridge *fb;

    if (datapath_tunnel_options_set(flows->dp, options, n) != 0)
        out_of_memory("the table of tunnel options", 0);
    LIST_FOREACH (fb, &flows->bridges, node)
        note_bridge(flows, fb->bridge);
}

/* --- attaching ----------------------------------------------------------- */

void flows_attach(struct flows *flows, struct bridge *bridge)
{
    struct flows_bridge *fb = calloc(1, sizeof *fb);

    if (!fb)
        out_of_memory("the bookkeeping of megaflows", 0);
    fb->flows = flows;
    fb->bridge = bridge;
    fb->listener = (struct bridge_listener){.arg = fb,
                                            .port_added = port_added,
                                            .port_removed = port_removed,
                                            .port_changed = port_changed,
                                            .bond_changed = bond_changed,
                                            .mac_changed = mac_changed,
                                            .bridge_changed = bridge_changed};
    bridge_listen(bridge, &fb->listener);
    pipeline_set_observer(bridge->pipeline, &(struct pipeline_observer){.arg = fb,
                                                                        .rule_added = rule_added,
                                                                        .rule_modified = rule_modified,
                                                                        .rule_removed = rule_removed,
                                                                        .rule_triggered = rule_triggered,
                                                                        .rule_goes_on = rule_goes_on,
                                                                        .group_changed = group_changed,
                                                                        .meters_changed = meters_changed,
                                                                        .meter_gone = meter_gone,
                                                                        .to_settle = to_settle});
    LIST_INSERT_HEAD(&flows->bridges, fb, node);
}

/* --- one megaflow -------------------------------------------------------- */

/* Has `mask` no bit that `installed` has not? */
static bool within(const struct flow_key *mask, const struct flow_key *installed)
{
    const uint64_t *m = (const uint64_t *)mask, *i = (const uint64_t *)installed;
    uint64_t more = 0;

    for (size_t w = 0; w < sizeof *mask / 8; w++)
        more |= m[w] & ~i[w];
    return more == 0;
}

static void revalidate(struct flows *flows, struct mf_record *record)
{
    struct flow *flow = &flows->in.flow;
    struct program *program;
    struct bridge *bridge;

    memset(flow, 0, sizeof *flow);
    megaflow_key(record->mf, &flow->pkt);
    bridge = translate(flows, false);
    flows->stats.revalidated++;
    /* What was counted so far was counted by the old rules. */
    record_count(flows, record);
    program = NULL;
    /* A megaflow of a port that is gone must not be there when the port's index is another's. */
    if (bridge && !flows->out.deps.no_news && within(&flows->out.wc.pkt, megaflow_mask(record->mf)) &&
        learned_holds(&flows->out.deps) && !flows_is_slow(flows, &flows->out.program))
        program = program_intern(flows->programs, &flows->out.program);
    if (!program) {
        effects_follow(flows, record, &flows->out.deps);
        megaflow_remove(flows, record);
        flows->stats.deleted_changed++;
        return;
    }
    if (program == megaflow_program(record->mf)) {
        program_put(flows, program);
    } else {
        program_put(flows, datapath_megaflow_set_program(flows->dp, record->mf, program));
        flows->stats.changed++;
    }
    record_move(flows, record, &flows->out.deps);
}

/* --- in slices ----------------------------------------------------------- */

static bool run_todo(struct flows *flows, const struct budget *budget)
{
    struct path *path;

    while ((path = TAILQ_FIRST(&flows->todo))) {
        struct mf_record *record = path_todo(path);

        if (!record) {
            TAILQ_REMOVE(&flows->todo, path, todo_node);
            path->todo_seq = 0;
            continue;
        }
        /* May free the path. */
        revalidate(flows, record);
        if (budget_spent(budget))
            return false;
    }
    return true;
}

static bool affected(struct flows *flows, struct mf_record *record)
{
    struct flow_key copy;
    const struct flow_key *key;
    const struct bridge_port *bp;

    /* Translated since: by the new rules. */
    if (record->changes >= flows->changes_at_sweep)
        return false;
    if (change_batch_meets(flows->active, record))
        return true;
    switch (change_batch_path(flows->active, record->path)) {
    case PATH_UNAFFECTED:
        return false;
    case PATH_AFFECTED:
        return true;
    case PATH_CHECK:
        break;
    }
    key = megaflow_key(record->mf, &copy);
    bp = bridge_port_by_index(flows->dp, key->in_port);
    return !bp || change_batch_hits(flows->active, record->path, key, megaflow_mask(record->mf), bp->ofport);
}

static void sweep_step(struct flows *flows)
{
    uint32_t end = RTE_MIN(flows->sweep_id + SWEEP_STEP, flows->id_end);
    uint64_t start = rte_rdtsc();

    for (; flows->sweep_id < end; flows->sweep_id++) {
        struct mf_record *record = flows->records[flows->sweep_id];

        if (record && affected(flows, record))
            record_mark(flows, record);
    }
    rule_index_sweep_to(flows, end);
    flows->sweep_cycles += rte_rdtsc() - start;
    if (flows->sweep_id >= flows->id_end) {
        rule_index_sweep_end(flows);
        flows->sweeps_done = flows->active->serial;
        change_batch_destroy(flows->active);
        flows->active = NULL;
    }
}

static bool sweep_due(const struct flows *flows)
{
    uint64_t interval = SWEEP_SHARE * flows->sweep_cycles / (rte_get_tsc_hz() / 1000);

    if (!flows->pending)
        return false;
    return !STAILQ_EMPTY(&flows->tickets) ||
           clock_now_ms() - flows->sweep_started_ms >= RTE_MAX(interval, (uint64_t)SWEEP_INTERVAL_MS);
}

static void sweep_start(struct flows *flows)
{
    flows->active = flows->pending;
    flows->pending = NULL;
    change_batch_close(flows->active);
    flows->changes_at_sweep = flows->changes;
    rule_index_sweep_begin(flows);
    flows->sweep_id = 0;
    flows->sweep_cycles = 0;
    flows->sweep_started_ms = clock_now_ms();
}

bool flows_run_revalidate(struct flows *flows, uint64_t budget_us)
{
    struct budget budget = budget_start(budget_us);

    flows->marks_left = MARKS_A_SLICE;
    megaflows_bury(flows);
    for (;;) {
        if (!run_todo(flows, &budget))
            break;
        if (!flows->active) {
            if (!sweep_due(flows))
                break;
            sweep_start(flows);
        }
        sweep_step(flows);
        if (budget_spent(&budget))
            break;
    }
    megaflows_seal(flows);
    path_flush_credits(flows);
    tickets_advance(flows);
    forgotten_advance(flows);
    return !changes_waiting(flows);
}
