#include "src/bridge/bridge_impl.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "pmd/base/clock.h"
#include "pmd/base/memory.h"
#include "src/tables/meter.h"

/* As OVS has them unless told otherwise. */
#define MAC_ENTRIES 8192
#define MAC_AGING_S 300

/* How often and how much the jobs of the event loop do. */
#define AGEING_INTERVAL_MS 1000
#define AGEING_STEP 64   /* aged addresses in a turn */
#define RECLAIM_STEP 256 /* addresses freed in a turn */

/* Packets that miss and go to a controller as a whole are cut to this (OpenFlow 1.3.5, 7.3.2). */
#define MISS_SEND_LEN 128

/* --- events -------------------------------------------------------------- */

void bridge_listen(struct bridge *bridge, struct bridge_listener *listener)
{
    TAILQ_INSERT_TAIL(&bridge->listeners, listener, node);
}

void bridge_unlisten(struct bridge *bridge, struct bridge_listener *listener)
{
    TAILQ_REMOVE(&bridge->listeners, listener, node);
}

void bridge_note(struct bridge *bridge)
{
    TELL(bridge, bridge_changed, bridge);
}

void bridge_note_port(struct bridge_port *bp, unsigned what)
{
    TELL(bp->bridge, port_changed, bp, what);
    if (what & (BRIDGE_PORT_LINK | BRIDGE_PORT_CONFIG))
        port_claims_follow(bp);
    if (what & BRIDGE_PORT_LINK)
        lport_follow_link(bp);
}

void bridge_note_bond(struct lport *lport)
{
    TELL(lport->bridge, bond_changed, lport);
}

static void mac_changed(void *arg, const struct mac_entry *entry)
{
    TELL((struct bridge *)arg, mac_changed, arg, &entry->mac, entry->vlan);
}

void bridge_set_forward_bpdu(struct bridge *bridge, bool forward)
{
    if (bridge->forward_bpdu == forward)
        return;
    bridge->forward_bpdu = forward;
    bridge_note(bridge);
}

void bridge_set_mac_table(struct bridge *bridge, uint32_t max_entries, uint32_t aging_s)
{
    mac_table_bury(bridge->macs, &bridge->buried_macs);
    bridge->macs = mac_table_create(max_entries, aging_s);
    mac_table_set_changed(bridge->macs, mac_changed, bridge);
    bridge_note(bridge);
}

struct bridge *bridge_create(const char *name, uint64_t datapath_id, struct datapath *dp)
{
    struct bridge *bridge = calloc(1, sizeof *bridge);

    if (!bridge)
        out_of_memory("a bridge", 0);
    snprintf(bridge->name, sizeof bridge->name, "%s", name);
    bridge->datapath_id = datapath_id;
    bridge->fail_mode = FAIL_STANDALONE;
    bridge->dp = dp;
    bridge->miss_send_len = MISS_SEND_LEN;
    TAILQ_INIT(&bridge->ports);
    TAILQ_INIT(&bridge->lports);
    TAILQ_INIT(&bridge->listeners);
    bridge->macs = mac_table_create(MAC_ENTRIES, MAC_AGING_S);
    mac_table_set_changed(bridge->macs, mac_changed, bridge);
    bridge->pipeline = pipeline_create(NULL);
    if (dp)
        pipeline_set_meters(bridge->pipeline, meter_table_create(bridge->pipeline, dp));
    return bridge;
}

bool bridge_reclaim(struct bridge *bridge, unsigned most)
{
    return mac_table_settle(bridge->macs, most) && mac_table_free_some(&bridge->buried_macs, most);
}

bool bridge_clear(struct bridge *bridge, unsigned most)
{
    mac_table_flush(bridge->macs, OFPORT_ANY);
    return pipeline_clear(bridge->pipeline, most) && bridge_reclaim(bridge, most);
}

/* If there are more, the next turn goes on. */
static void age_addresses(void *arg)
{
    struct bridge *bridge = arg;
    bool more = mac_table_expire(bridge->macs, clock_now_ms(), AGEING_STEP) == AGEING_STEP;

    if (more)
        loop_timer_in(&bridge->ageing, 0);
    else
        loop_timer_beat(&bridge->ageing, AGEING_INTERVAL_MS * 1000);
}

static unsigned run_reclaim(void *arg, uint64_t budget_us)
{
    return bridge_reclaim(arg, RECLAIM_STEP) ? 0 : LOOP_MORE;
}

void bridge_join_loop(struct bridge *bridge, struct loop *loop)
{
    bridge->reclaim =
        (struct loop_job){.name = "address reclaim", .phase = LOOP_RECLAIM, .arg = bridge, .run = run_reclaim};
    loop_add(loop, &bridge->reclaim);
    loop_timer_init(&bridge->ageing, loop, "address ageing", age_addresses, bridge);
    loop_timer_beat(&bridge->ageing, AGEING_INTERVAL_MS * 1000);
}

void bridge_destroy(struct bridge *bridge)
{
    struct bridge_port *bp;

    loop_timer_cancel(&bridge->ageing);
    loop_remove(&bridge->reclaim);
    while ((bp = TAILQ_FIRST(&bridge->ports))) {
        uint32_t index = bp->port ? bp->port->index : 0;

        bridge_port_free(bp);
        /* The bridge's megaflows are gone. */
        if (index != 0)
            datapath_port_forget(bridge->dp, index);
    }
    mirrors_free(bridge);
    pipeline_destroy(bridge->pipeline);
    mac_table_bury(bridge->macs, &bridge->buried_macs);
    while (!mac_table_free_some(&bridge->buried_macs, UINT_MAX))
        ;
    free(bridge->by_ofport);
    free(bridge);
}

/* --- names --------------------------------------------------------------- */

static const struct {
    uint32_t ofport;
    const char *name;
} reserved[] = {
    {OFPORT_UNSET, "UNSET"},           {OFPORT_IN_PORT, "IN_PORT"}, {OFPORT_TABLE, "TABLE"},
    {OFPORT_NORMAL, "NORMAL"},         {OFPORT_FLOOD, "FLOOD"},     {OFPORT_ALL, "ALL"},
    {OFPORT_CONTROLLER, "CONTROLLER"}, {OFPORT_LOCAL, "LOCAL"},     {OFPORT_ANY, "ANY"},
};

bool bridge_ofport_parse(void *bridge, const char *text, uint32_t *ofport)
{
    const struct bridge_port *bp = bridge_port_by_name(bridge, text);

    if (bp) {
        *ofport = bp->ofport;
        return true;
    }
    for (size_t i = 0; i < RTE_DIM(reserved); i++) {
        if (strcasecmp(reserved[i].name, text) == 0) {
            *ofport = reserved[i].ofport;
            return true;
        }
    }

    char *end;
    unsigned long number = strtoul(text, &end, 0);

    if (text[0] < '0' || text[0] > '9' || *end != '\0' || number > UINT32_MAX)
        return false;
    /* OpenFlow 1.0 writes its reserved numbers in 16 bits (OpenFlow 1.0.2, 5.2.1). */
    if (number >= (OFPORT_UNSET & 0xffff) && number <= 0xffff)
        number |= 0xffff0000;
    *ofport = (uint32_t)number;
    return number <= OFPORT_USER_MAX || number >= OFPORT_UNSET;
}
