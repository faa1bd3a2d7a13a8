#include "src/bridge/bridge.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "pmd/base/clock.h"
#include "pmd/base/memory.h"
#include "src/tables/group.h"
#include "src/tables/meter.h"

/* As OVS has them unless told otherwise. */
#define MAC_ENTRIES 8192
#define MAC_AGING_S 300

/* Packets that miss and go to a controller as a whole are cut to this (OpenFlow 1.3.5, 7.3.2). */
#define MISS_SEND_LEN 128

/* --- events -------------------------------------------------------------- */

#define TELL(bridge, event, ...)                                                                                       \
    do {                                                                                                               \
        const struct bridge_listener *l;                                                                               \
        TAILQ_FOREACH (l, &(bridge)->listeners, node) {                                                                \
            if (l->event)                                                                                              \
                l->event(l->arg, __VA_ARGS__);                                                                         \
        }                                                                                                              \
    } while (0)

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

/* Groups that watch the port are looked at first: a sweep over all megaflows takes longer than a failover may. */
void bridge_note_port(struct bridge_port *bp)
{
    group_table_port_changed(pipeline_groups(bp->bridge->pipeline), bp->ofport);
    TELL(bp->bridge, port_changed, bp);
}

static void mac_changed(void *arg, const struct mac_entry *entry)
{
    TELL((struct bridge *)arg, mac_changed, arg, &entry->mac, entry->vlan);
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
    TAILQ_INIT(&bridge->listeners);
    bridge->macs = mac_table_create(MAC_ENTRIES, MAC_AGING_S);
    mac_table_set_changed(bridge->macs, mac_changed, bridge);
    bridge->pipeline = pipeline_create(NULL);
    if (dp)
        pipeline_set_meters(bridge->pipeline, meter_table_create(bridge->pipeline, dp));
    return bridge;
}

/* --- ports --------------------------------------------------------------- */

struct bridge_port *bridge_port_by_ofport(const struct bridge *bridge, uint32_t ofport)
{
    if (ofport < bridge->by_ofport_size)
        return bridge->by_ofport[ofport];
    return ofport == OFPORT_LOCAL ? bridge->local : NULL;
}

struct bridge_port *bridge_port_by_name(const struct bridge *bridge, const char *name)
{
    struct bridge_port *bp;

    TAILQ_FOREACH (bp, &bridge->ports, node) {
        if (strcmp(bp->name, name) == 0)
            return bp;
    }
    return NULL;
}

struct bridge_port *bridge_port_by_index(const struct datapath *dp, uint32_t index)
{
    const struct port *port = datapath_port(dp, index);

    return !port ? NULL : port->user;
}

static void index_set(struct bridge *bridge, uint32_t ofport, struct bridge_port *bp)
{
    if (ofport == OFPORT_LOCAL) {
        bridge->local = bp;
        return;
    }
    if (ofport >= bridge->by_ofport_size) {
        uint32_t size = bridge->by_ofport_size == 0 ? 16 : bridge->by_ofport_size;

        while (size <= ofport)
            size *= 2;
        bridge->by_ofport = realloc(bridge->by_ofport, size * sizeof *bridge->by_ofport);
        if (!bridge->by_ofport)
            out_of_memory("a bridge", 0);
        memset(&bridge->by_ofport[bridge->by_ofport_size], 0,
               (size - bridge->by_ofport_size) * sizeof *bridge->by_ofport);
        bridge->by_ofport_size = size;
    }
    bridge->by_ofport[ofport] = bp;
}

/* Re-reads what the device says. True if anything is different. */
static bool read_status(struct bridge_port *bp)
{
    struct port_status status = {.mac = bp->mac};
    uint32_t state = PORT_STATE_LINK_DOWN;

    if (bp->port) {
        bp->port->ops->get_status(bp->port, &status);
        if (status.link_up)
            state = bp->config & PORT_CONFIG_DOWN ? 0 : PORT_STATE_LIVE;
    }
    if (state == bp->state && rte_is_same_ether_addr(&status.mac, &bp->mac))
        return false;
    bp->state = state;
    bp->mac = status.mac;
    return true;
}

/* The low 48 bits of the datapath id are a MAC address of the switch (OpenFlow 1.3.5, 7.3.1). */
static struct rte_ether_addr datapath_mac(const struct bridge *bridge)
{
    struct rte_ether_addr mac;

    for (int i = 0; i < RTE_ETHER_ADDR_LEN; i++)
        mac.addr_bytes[i] = (uint8_t)(bridge->datapath_id >> (40 - 8 * i));
    return mac;
}

struct bridge_port *bridge_port_add(struct bridge *bridge, struct port *port, const char *name, uint32_t ofport,
                                    const char **error)
{
    if ((ofport == OFPORT_NONE || ofport > OFPORT_USER_MAX) && ofport != OFPORT_LOCAL) {
        *error = "an OpenFlow port number is 1 to 65279, or LOCAL";
        return NULL;
    }
    if (bridge_port_by_ofport(bridge, ofport)) {
        *error = "the OpenFlow port number is taken by another port of the bridge";
        return NULL;
    }
    if (bridge_port_by_name(bridge, name)) {
        *error = "the name is taken by another port of the bridge";
        return NULL;
    }

    struct bridge_port *bp = calloc(1, sizeof *bp), *after;

    if (!bp)
        out_of_memory("a bridge", 0);
    bp->bridge = bridge;
    bp->port = port;
    bp->ofport = ofport;
    snprintf(bp->name, sizeof bp->name, "%s", name);
    bp->created_ms = clock_now_ms();
    bp->vlan_mode = VLAN_MODE_TRUNK;
    memset(bp->trunks, 0xff, sizeof bp->trunks);
    if (ofport == OFPORT_LOCAL)
        bp->mac = datapath_mac(bridge);
    if (port)
        port->user = bp;
    read_status(bp);

    after = TAILQ_LAST(&bridge->ports, bridge_ports);
    while (after && after->ofport > ofport)
        after = TAILQ_PREV(after, bridge_ports, node);
    if (after)
        TAILQ_INSERT_AFTER(&bridge->ports, after, bp, node);
    else
        TAILQ_INSERT_HEAD(&bridge->ports, bp, node);
    bridge->n_ports++;
    index_set(bridge, ofport, bp);
    group_table_port_changed(pipeline_groups(bridge->pipeline), ofport);
    TELL(bridge, port_added, bp);
    return bp;
}

/* Its index in the datapath stays taken, see datapath_port_forget(). */
static void port_free(struct bridge_port *bp)
{
    struct bridge *bridge = bp->bridge;

    mac_table_flush(bridge->macs, bp->ofport);
    TAILQ_REMOVE(&bridge->ports, bp, node);
    bridge->n_ports--;
    index_set(bridge, bp->ofport, NULL);
    if (bp->port) {
        bp->port->user = NULL;
        datapath_port_remove(bridge->dp, bp->port);
    }
    free(bp);
}

void bridge_port_remove(struct bridge_port *bp)
{
    struct bridge *bridge = bp->bridge;
    uint32_t ofport = bp->ofport;

    TELL(bridge, port_removed, bp);
    port_free(bp);
    group_table_port_changed(pipeline_groups(bridge->pipeline), ofport);
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

void bridge_destroy(struct bridge *bridge)
{
    struct bridge_port *bp;

    while ((bp = TAILQ_FIRST(&bridge->ports))) {
        uint32_t index = bp->port ? bp->port->index : 0;

        port_free(bp);
        /* The bridge's megaflows are gone. */
        if (index != 0)
            datapath_port_forget(bridge->dp, index);
    }
    pipeline_destroy(bridge->pipeline);
    mac_table_bury(bridge->macs, &bridge->buried_macs);
    while (!mac_table_free_some(&bridge->buried_macs, UINT_MAX))
        ;
    free(bridge->by_ofport);
    free(bridge);
}

void bridge_port_update(struct bridge_port *bp)
{
    if (read_status(bp))
        bridge_note_port(bp);
}

void bridge_port_set_config(struct bridge_port *bp, uint32_t config, uint32_t mask)
{
    uint32_t changed = (config ^ bp->config) & mask;

    if (changed == 0)
        return;
    bp->config ^= changed;
    if (changed & PORT_CONFIG_DOWN && bp->port)
        bp->port->ops->set_admin_up(bp->port, !(bp->config & PORT_CONFIG_DOWN));
    read_status(bp);
    bridge_note_port(bp);
}

/* Dropped before the pipeline decided on them. */
static uint64_t dropped_on_the_way_in(const struct datapath_port_stats *counted)
{
    static const enum drop_reason reasons[] = {
        DROP_MISS_RING_FULL,     DROP_MISS_PORT_QUOTA, DROP_MISS_PENDING_FULL,
        DROP_MISS_PENDING_STALE, DROP_RX_RUNT,         DROP_CONTROL_BACKLOG,
    };
    uint64_t n = 0;

    for (size_t i = 0; i < RTE_DIM(reasons); i++)
        n += counted->drops[reasons[i]];
    return n;
}

void bridge_port_stats(const struct bridge_port *bp, struct bridge_port_stats *stats)
{
    struct port_stats device = {0};
    struct datapath_port_stats counted = {0};

    *stats = (struct bridge_port_stats){.duration_ms = clock_now_ms() - bp->created_ms};
    if (!bp->port)
        return;
    bp->port->ops->get_stats(bp->port, &device);
    datapath_port_stats(bp->bridge->dp, bp->port->index, &counted);
    /* Some devices do not count, or not everything. */
    stats->rx_packets = RTE_MAX(device.rx_packets, counted.rx_packets);
    stats->rx_bytes = RTE_MAX(device.rx_bytes, counted.rx_bytes);
    stats->tx_packets = RTE_MAX(device.tx_packets, counted.tx_packets);
    stats->tx_bytes = RTE_MAX(device.tx_bytes, counted.tx_bytes);
    stats->rx_dropped = device.rx_missed + dropped_on_the_way_in(&counted);
    stats->tx_dropped = counted.tx_dropped;
    stats->rx_errors = device.rx_errors;
    stats->tx_errors = device.tx_errors;
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

const char *bridge_ofport_name(void *bridge, uint32_t ofport)
{
    for (size_t i = 0; i < RTE_DIM(reserved); i++) {
        if (reserved[i].ofport == ofport)
            return reserved[i].name;
    }

    const struct bridge_port *bp = bridge_port_by_ofport(bridge, ofport);

    return !bp ? NULL : bp->name;
}

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
