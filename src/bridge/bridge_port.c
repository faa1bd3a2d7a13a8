/* OpenFlow ports of a bridge, and the Ports that they belong to. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pmd/base/clock.h"
#include "pmd/base/hash.h"
#include "pmd/base/memory.h"
#include "pmd/tunnel.h"
#include "src/bridge/bridge_impl.h"

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
    const struct port *port;

    if (index >= TUNNEL_INDEX_FIRST)
        return bridge_tunnel_find(index);
    port = datapath_port(dp, index);
    return !port ? NULL : port->user;
}

uint32_t bridge_port_index(const struct bridge_port *bp)
{
    if (bp->tunnel)
        return bp->tunnel->index;
    return bp->port ? bp->port->index : 0;
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

static bool is_held(const struct bridge_port *bp)
{
    const struct port_claim *claim;

    LIST_FOREACH (claim, &bp->claims, node) {
        if (claim->holds)
            return true;
    }
    return false;
}

bool bridge_port_read_status(struct bridge_port *bp)
{
    struct port_status status = {.mac = bp->mac};
    uint32_t state = PORT_STATE_LINK_DOWN;

    bridge_port_ops(bp)->get_status(bp, &status);
    if (status.link_up)
        state = bp->config & PORT_CONFIG_DOWN || is_held(bp) ? 0 : PORT_STATE_LIVE;
    state |= bp->stp.state;
    bp->mtu = status.mtu;
    if (state == bp->state && rte_is_same_ether_addr(&status.mac, &bp->mac))
        return false;
    bp->link_resets += (state ^ bp->state) & PORT_STATE_LINK_DOWN;
    bp->state = state;
    bp->mac = status.mac;
    return true;
}

/* The low 48 bits of the datapath id are a MAC address of the switch (OpenFlow 1.3.5, 7.3.1). */
struct rte_ether_addr bridge_mac(const struct bridge *bridge)
{
    struct rte_ether_addr mac;

    for (int i = 0; i < RTE_ETHER_ADDR_LEN; i++)
        mac.addr_bytes[i] = (uint8_t)(bridge->datapath_id >> (40 - 8 * i));
    return mac;
}

/* A port without a device has an address of its own, too: a locally administered one, the same after a restart. */
static struct rte_ether_addr name_mac(const char *name)
{
    uint64_t hash = HASH_BASIS;
    struct rte_ether_addr mac = {{0x02}};
    uint32_t low;

    for (const char *c = name; *c; c++)
        hash = hash_add(hash, (uint8_t)*c);
    low = hash_finish(hash);
    mac.addr_bytes[1] = (uint8_t)(hash >> 8);
    memcpy(mac.addr_bytes + 2, &low, sizeof low);
    return mac;
}

void bridge_set_datapath_id(struct bridge *bridge, uint64_t datapath_id)
{
    bridge->datapath_id = datapath_id;
    if (!bridge->local || bridge->local->port)
        return;
    bridge->local->mac = bridge_mac(bridge);
    bridge_note_port(bridge->local, BRIDGE_PORT_LINK);
}

struct bridge_port *bridge_port_add(struct bridge *bridge, const struct bridge_port_params *params, const char **error)
{
    const uint32_t ofport = params->ofport;

    if ((ofport == OFPORT_NONE || ofport > OFPORT_USER_MAX) && ofport != OFPORT_LOCAL) {
        *error = "an OpenFlow port number is 1 to 65279, or LOCAL";
        return NULL;
    }
    if (bridge_port_by_ofport(bridge, ofport)) {
        *error = "the OpenFlow port number is taken by another port of the bridge";
        return NULL;
    }
    if (bridge_port_by_name(bridge, params->name)) {
        *error = "the name is taken by another port of the bridge";
        return NULL;
    }

    struct bridge_port *bp = calloc(1, sizeof *bp), *after;

    if (!bp)
        out_of_memory("a bridge", 0);
    bp->bridge = bridge;
    bp->kind = params->kind;
    bp->port = params->port;
    bp->ofport = ofport;
    snprintf(bp->name, sizeof bp->name, "%s", params->name);
    bp->created_ms = clock_now_ms();
    bp->lport = lport_create(bp);
    if (ofport == OFPORT_LOCAL)
        bp->mac = bridge_mac(bridge);
    if (bp->port)
        bp->port->user = bp;
    if (bp->kind == BRIDGE_PORT_PATCH) {
        bp->mac = name_mac(bp->name);
        patch_attach(bp, params->peer);
        bridge->n_patches++;
    }
    if (bp->kind == BRIDGE_PORT_TUNNEL) {
        bp->mac = name_mac(bp->name);
        bp->tunnel = params->tunnel;
        bridge_tunnel_attach(bp->tunnel, bp);
    }
    bridge_port_read_status(bp);
    bp->link_resets = 0;

    after = TAILQ_LAST(&bridge->ports, bridge_ports);
    while (after && after->ofport > ofport)
        after = TAILQ_PREV(after, bridge_ports, node);
    if (after)
        TAILQ_INSERT_AFTER(&bridge->ports, after, bp, node);
    else
        TAILQ_INSERT_HEAD(&bridge->ports, bp, node);
    bridge->n_ports++;
    index_set(bridge, ofport, bp);
    mirrors_port_added(bp->lport);
    TELL(bridge, port_added, bp);
    if (bp->patch.peer)
        patch_tell_peer(bp->patch.peer);
    return bp;
}

static void end_claims(struct bridge_port *bp)
{
    struct port_claim *claim;

    while ((claim = LIST_FIRST(&bp->claims))) {
        LIST_REMOVE(claim, node);
        claim->bp = NULL;
        claim->protocol->port_gone(claim);
    }
}

void bridge_port_free(struct bridge_port *bp)
{
    struct bridge *bridge = bp->bridge;
    struct bridge_port *peer;

    end_claims(bp);
    port_qos_free(bp);
    lport_forget(bp);
    TAILQ_REMOVE(&bridge->ports, bp, node);
    bridge->n_ports--;
    index_set(bridge, bp->ofport, NULL);
    if (bp->port) {
        bp->port->user = NULL;
        datapath_port_remove(bridge->dp, bp->port);
    }
    peer = bp->kind == BRIDGE_PORT_PATCH ? patch_detach(bp) : NULL;
    bridge->n_patches -= bp->kind == BRIDGE_PORT_PATCH;
    if (bp->tunnel)
        bridge_tunnel_detach(bp->tunnel);
    free(bp);
    if (peer)
        patch_tell_peer(peer);
}

void bridge_port_remove(struct bridge_port *bp)
{
    TELL(bp->bridge, port_removed, bp);
    bridge_port_free(bp);
}

void bridge_port_update(struct bridge_port *bp)
{
    uint16_t mtu = bp->mtu;
    unsigned what = bridge_port_read_status(bp) ? BRIDGE_PORT_LINK : 0;

    if (bp->mtu != mtu)
        what |= BRIDGE_PORT_MTU;
    if (what)
        bridge_note_port(bp, what);
}

void bridge_port_set_stp(struct bridge_port *bp, uint32_t state)
{
    bp->stp.state = state;
    if (bridge_port_read_status(bp))
        bridge_note_port(bp, BRIDGE_PORT_LINK | BRIDGE_PORT_VLAN);
}

void bridge_port_set_config(struct bridge_port *bp, uint32_t config, uint32_t mask)
{
    uint32_t changed = (config ^ bp->config) & mask;

    if (changed == 0)
        return;
    bp->config ^= changed;
    if (changed & PORT_CONFIG_DOWN)
        bridge_port_ops(bp)->set_admin_up(bp, !(bp->config & PORT_CONFIG_DOWN));
    bridge_note_port(bp, BRIDGE_PORT_CONFIG | (bridge_port_read_status(bp) ? BRIDGE_PORT_LINK : 0));
}

void bridge_port_stats(const struct bridge_port *bp, struct bridge_port_stats *stats)
{
    *stats = (struct bridge_port_stats){.duration_ms = clock_now_ms() - bp->created_ms};
    bridge_port_ops(bp)->get_stats(bp, stats);
}
