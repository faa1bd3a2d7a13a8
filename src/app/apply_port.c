/* What is done with a port: it is made, changed, made again, taken away. */
#define MEM_WHAT "bridges and ports"

#include <errno.h>
#include <inttypes.h>
#include <net/if.h>
#include <rte_common.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pmd/base/clock.h"
#include "pmd/base/log.h"
#include "pmd/base/mem.h"
#include "src/agents/bond_agent.h"
#include "src/app/apply_impl.h"
#include "src/app/pool.h"
#include "src/app/run_dir.h"
#include "src/config/diff.h"
#include "src/config/keys.h"
#include "src/tunnel/tunnel_port.h"

struct apply_port *apply_port_create(struct apply_bridge *owner, const char *name)
{
    struct apply_port *port = mem_calloc(1, sizeof *port);

    port->owner = owner;
    port->name = mem_strdup(name);
    name_map_put(owner->port_names, name, port);
    TAILQ_INSERT_TAIL(&owner->ports, port, node);
    return port;
}

/* Off whatever list it is on. */
static void unqueue(struct apply *apply, struct apply_port *port)
{
    if (port->stage == PORT_WAITING)
        claims_stop_waiting(apply, port);
    else if (port->stage == PORT_QUEUED || port->stage == PORT_FINISHING)
        TAILQ_REMOVE(port->list, port, work);
    port->stage = PORT_AT_REST;
}

static void put(struct apply_port *port, enum port_stage stage, struct apply_ports *list)
{
    port->stage = stage;
    port->list = list;
    TAILQ_INSERT_TAIL(list, port, work);
}

static void free_number(struct apply_port *port, bool used)
{
    if (port->ofport == OFPORT_NONE)
        return;
    if (used)
        port->last = port->ofport;
    ofports_give_back(port->owner->ofports, port->ofport, used, clock_now_ms());
    port->ofport = OFPORT_NONE;
}

/* The port is not in its bridge. */
static void free_port(struct apply *apply, struct apply_port *port)
{
    struct apply_bridge *owner = port->owner;

    unqueue(apply, port);
    free_number(port, false);
    claims_give_back(apply, &port->claims);
    TAILQ_REMOVE(&owner->ports, port, node);
    name_map_remove(owner->port_names, port->name);
    config_section_clear(&config_section_port, &port->wanted);
    config_section_clear(&config_section_port, &port->now);
    free(port->name);
    free(port);
}

void apply_port_free(struct apply *apply, struct apply_port *port)
{
    char why[512];

    if (port->opening)
        while (!port_create_end(port->opening, &port->port, why, sizeof why))
            port_wait_closed();
    if (port->port)
        port_destroy(port->port);
    free_port(apply, port);
}

/* --- results ------------------------------------------------------------- */

uint32_t apply_port_ofport(const struct apply_port *port)
{
    if (!port->bp)
        return 0;
    return port->bp->ofport == OFPORT_LOCAL ? CONFIG_OFPORT_LOCAL : port->bp->ofport;
}

static void tell(struct apply *apply, struct apply_port *port, enum apply_change change, const char *detail,
                 const char *error)
{
    const struct apply_result result = {
        .object = APPLY_PORT,
        .change = change,
        .bridge = port->owner->wanted.name,
        .port = port->name,
        .ofport = apply_port_ofport(port),
        .detail = detail,
        .error = error,
    };

    apply_tell(apply, &result);
}

static void fail(struct apply *apply, struct apply_port *port, const char *error)
{
    free_number(port, false);
    claims_give_back(apply, &port->claims);
    port->failed = true;
    port->replacing = false;
    port->reason[0] = '\0';
    tell(apply, port, APPLY_NONE, "", error);
}

/* --- taking away --------------------------------------------------------- */

/* Whether a port whose interface was deleted can be made again: Sluice makes the interface of a TAP itself, a system
 * port finds its interface again by itself. */
static bool can_return(const struct port *port)
{
    return port->type == PORT_TAP || (port->type != PORT_SYSTEM && if_nametoindex(port->ifname) != 0);
}

static bool is_lost(const struct apply_port *port)
{
    return port->bp && port->bp->port && port->bp->port->lost;
}

static uint32_t ofport_of(uint32_t config_ofport)
{
    return config_ofport == CONFIG_OFPORT_LOCAL ? OFPORT_LOCAL : config_ofport;
}

static bool must_be_made_again(const struct apply_port *port)
{
    uint32_t wanted = ofport_of(port->wanted.ofport);

    return config_port_needs_replacing(&port->now, &port->wanted) ||
           (wanted != OFPORT_NONE && wanted != port->bp->ofport) || (is_lost(port) && can_return(port->bp->port));
}

/* Out of the bridge. Its claims stay taken until its device is closed. */
static void take_out(struct apply *apply, struct apply_port *port)
{
    struct apply_leaving *leaving = mem_calloc(1, sizeof *leaving);

    leaving->bridge = mem_strdup(port->owner->wanted.name);
    leaving->name = mem_strdup(port->name);
    leaving->index = port->bp->port ? port->bp->port->index : 0;
    leaving->tell = !port->said && !port->owner->removed;
    leaving->claims = port->claims;
    port->claims.n = 0;
    claims_orphan(&leaving->claims);
    /* An internal port's interface stays, with its addresses, unless nobody wants it any more. */
    if (port->bp->port)
        port->bp->port->discard = !port->said || port->wanted.type != CONFIG_PORT_INTERNAL;
    TAILQ_INSERT_TAIL(&apply->leaving, leaving, node);
    bridge_port_remove(port->bp);
    port->bp = NULL;
    free_number(port, true);
}

static void take_away(struct apply *apply, struct apply_port *port)
{
    struct apply_bridge *owner = port->owner;

    if (port->bp)
        take_out(apply, port);
    else if (!owner->removed)
        tell(apply, port, APPLY_REMOVED, "", NULL);
    free_port(apply, port);
    apply_bridge_port_gone(apply, owner);
}

/* Its number went to a port that asked for it. */
static void displace(struct apply *apply, struct apply_port *port)
{
    LOG_INFO(LOG_CONFIG, "%s: port %s gets another OpenFlow number: %" PRIu32 " is wanted by another port",
             port->owner->wanted.name, port->name, port->ofport);
    port->ofport = port->last = OFPORT_NONE;
    if (!port->bp)
        return; /* it gets one when its device is open */
    take_out(apply, port);
    port->replacing = true;
    apply_port_queue(apply, port);
}

/* --- making -------------------------------------------------------------- */

static bool take_number(struct apply *apply, struct apply_port *port, const struct config_port *config)
{
    void *displaced;

    port->ofport =
        ofports_take(port->owner->ofports, port, ofport_of(config->ofport), port->last, clock_now_ms(), &displaced);
    if (displaced)
        displace(apply, displaced);
    return port->ofport != OFPORT_NONE;
}

static const char *no_number(const struct config_port *config)
{
    return config->ofport == CONFIG_OFPORT_LOCAL ? "another port is the LOCAL port of the bridge"
                                                 : "all OpenFlow port numbers are taken: remove ports";
}

static void wait_for_claim(struct apply *apply, struct apply_port *port, struct claim *claim)
{
    const struct apply_port *holder = claim_holder(claim);
    char why[512];

    claims_wait(claim, port);
    if (!holder || !holder->said) /* it goes, as soon as its device is open if that is being opened */
        return;
    snprintf(why, sizeof why, "the %s is already taken by port %s of bridge %s: choose another", claim_describe(claim),
             holder->name, holder->owner->wanted.name);
    port->failed = true;
    tell(apply, port, APPLY_NONE, "", why);
}

static struct port_access access_of(const struct config_port *config)
{
    return (struct port_access){
        .mode = config->socket_mode ? (mode_t)strtoul(config->socket_mode, NULL, 8) : 0,
        .owner = config->socket_owner,
        .group = config->socket_group,
    };
}

static struct port_opening *start_opening(struct apply *apply, const struct config_port *config)
{
    static const enum port_type types[] = {
        [CONFIG_PORT_DPDK] = PORT_DPDK,
        [CONFIG_PORT_VHOST_USER] = PORT_VHOST_USER,
        [CONFIG_PORT_TAP] = PORT_TAP,
        [CONFIG_PORT_SYSTEM] = PORT_SYSTEM,
    };
    static const uint8_t no_mac[6];
    char label[64];
    struct port_params params = {
        .type = config->type == CONFIG_PORT_INTERNAL ? PORT_TAP : types[config->type],
        .name = config->name,
        .devargs = config->devargs,
        .path = config->path,
        .vhost_client = config->mode == CONFIG_VHOST_CLIENT,
        .vhost_offloads = config->offloads,
        .vhost_gro = config->gro,
        .access = access_of(config),
        .ifname = config->ifname,
        .persistent = config->type == CONFIG_PORT_INTERNAL,
        .rx_queues = config->rx_queues,
        .rx_descriptors = config->rx_descriptors,
        .tx_descriptors = config->tx_descriptors,
        .tx_queues = datapath_n_threads(apply->sw->dp),
        .mtu = config->mtu == 0 && config->type == CONFIG_PORT_INTERNAL ? RTE_ETHER_MTU : config->mtu,
        .has_mac = memcmp(config->mac, no_mac, sizeof no_mac) != 0,
        .pool = pool_for_devargs(config->devargs),
    };

    memcpy(params.mac.addr_bytes, config->mac, sizeof config->mac);
    if (params.persistent && run_dir_word(apply->sw->config->run_dir, "sluice:", config->name, label, sizeof label))
        params.label = label;
    return port_create_begin(&params);
}

static void join_bridge(struct apply *apply, struct apply_port *port);

static void make(struct apply *apply, struct apply_port *port)
{
    struct claim *taken;

    if (!port->owner->bridge) {
        fail(apply, port, "its bridge could not be made");
        return;
    }
    taken = claims_take(apply, port);
    if (taken) {
        wait_for_claim(apply, port, taken);
        return;
    }
    if (!take_number(apply, port, &port->wanted)) {
        fail(apply, port, no_number(&port->wanted));
        return;
    }
    config_section_clear(&config_section_port, &port->now);
    config_section_copy(&config_section_port, &port->now, &port->wanted);
    if (config_port_is_virtual(&port->now)) { /* it has no device */
        join_bridge(apply, port);
        return;
    }
    port->opening = start_opening(apply, &port->now);
    put(port, PORT_FINISHING, &apply->opening);
    apply_port_finish(apply, port);
}

static void set_vlans(struct bridge_port *bp, const struct config_port *config)
{
    static const enum vlan_mode modes[] = {
        [CONFIG_VLAN_UNSET] = VLAN_MODE_TRUNK,
        [CONFIG_VLAN_ACCESS] = VLAN_MODE_ACCESS,
        [CONFIG_VLAN_TRUNK] = VLAN_MODE_TRUNK,
        [CONFIG_VLAN_NATIVE_TAGGED] = VLAN_MODE_NATIVE_TAGGED,
        [CONFIG_VLAN_NATIVE_UNTAGGED] = VLAN_MODE_NATIVE_UNTAGGED,
    };

    struct port_vlan *vlan = &bp->lport->vlan;

    vlan->mode = modes[config->vlan_mode];
    vlan->tag = config->tag == CONFIG_TAG_NONE ? 0 : config->tag;
    memset(vlan->trunks, config->n_trunks ? 0 : 0xff, sizeof vlan->trunks);
    for (size_t i = 0; i < config->n_trunks; i++)
        vlan->trunks[config->trunks[i] / 64] |= UINT64_C(1) << config->trunks[i] % 64;
}

/* The port's numbers in LACP are those of the configuration, and it is in the bond that names it. */
static void join_bond(struct apply *apply, struct bridge_port *bp, const struct config_port *config)
{
    bp->lacp = (struct bridge_port_lacp){
        .port_id = (uint16_t)config->lacp_port_id,
        .priority = (uint16_t)config->lacp_port_priority,
        .key = (uint16_t)config->lacp_aggregation_key,
    };
    bond_agent_port_added(apply->sw->bonds, bp);
}

static void set_flood(struct bridge_port *bp, const struct config_port *config)
{
    bridge_port_set_config(bp, config->flood ? 0 : PORT_CONFIG_NO_FLOOD, PORT_CONFIG_NO_FLOOD);
}

static enum bridge_port_kind kind_of(const struct config_port *config)
{
    if (config_port_is_tunnel(config))
        return BRIDGE_PORT_TUNNEL;
    switch (config->type) {
    case CONFIG_PORT_PATCH:
        return BRIDGE_PORT_PATCH;
    case CONFIG_PORT_INTERNAL:
        return BRIDGE_PORT_INTERNAL;
    default:
        return BRIDGE_PORT_DEVICE;
    }
}

/* src/tunnel/port_mtu.h gives it one. */
static bool has_default_mtu(const struct config_port *config)
{
    return config->type == CONFIG_PORT_INTERNAL && config->mtu == 0;
}

static void set_rx_cores(struct apply *apply, struct bridge_port *bp, const struct config_port *config)
{
    if (!bp->port)
        return;
    for (size_t i = 0; i < config->n_rx_cores && i < bp->port->n_rxq; i++)
        if (config->rx_cores[i] != CONFIG_CORE_NONE && !datapath_polls_on(apply->sw->dp, config->rx_cores[i]))
            LOG_WARN(LOG_PORT, "%s: receive queue %zu asks for core %d, which has no poll-mode thread: any polls it",
                     bp->name, i, config->rx_cores[i]);
    datapath_port_cores(apply->sw->dp, bp->port, config->rx_cores, (unsigned)config->n_rx_cores);
}

/* The device, if it has one, is in the datapath. NULL with a sentence in `error`. */
static struct bridge_port *add_to_bridge(struct apply *apply, struct apply_port *port, char *error, size_t error_size)
{
    struct bridge_port_params params = {
        .kind = kind_of(&port->now),
        .name = port->name,
        .ofport = port->ofport,
        .port = port->port,
        .peer = port->now.peer,
    };
    const char *why = NULL;
    struct bridge_port *bp;

    if (params.kind == BRIDGE_PORT_TUNNEL) {
        params.tunnel = apply_tunnel_create(apply, &port->now, error, error_size);
        if (!params.tunnel)
            return NULL;
    }
    bp = bridge_port_add(port->owner->bridge, &params, &why);
    if (!bp) {
        if (params.tunnel)
            tunnel_port_discard(params.tunnel);
        snprintf(error, error_size, "%s", why);
        return NULL;
    }
    bp->default_mtu = has_default_mtu(&port->now);
    join_bond(apply, bp, &port->now);
    apply_port_stp(apply, bp, &port->now.stp);
    set_vlans(bp, &port->now);
    set_flood(bp, &port->now);
    set_rx_cores(apply, bp, &port->now);
    apply_bfd(apply, bp, &port->now.bfd);
    apply_policing(apply, bp, &port->now.policing);
    apply_qos(apply, bp, &port->now.qos);
    return bp;
}

/* Takes the device back, which nothing names. */
static void close_device(struct apply *apply, struct apply_port *port)
{
    uint32_t index = port->port->index;

    datapath_port_remove(apply->sw->dp, port->port);
    datapath_port_forget(apply->sw->dp, index);
    port->port = NULL;
}

/* The bridge may be gone, or other things be wanted, since the device began to be opened. */
static void join_bridge(struct apply *apply, struct apply_port *port)
{
    enum apply_change change = port->replacing ? APPLY_REPLACED : APPLY_ADDED;
    char error[512];

    if (port->ofport == OFPORT_NONE && !take_number(apply, port, &port->now))
        snprintf(error, sizeof error, "%s", no_number(&port->now));
    else
        port->bp = add_to_bridge(apply, port, error, sizeof error);
    if (!port->bp) {
        if (port->port)
            close_device(apply, port);
        fail(apply, port, error);
        return;
    }
    port->port = NULL;
    port->failed = port->replacing = false;
    if (!port->reason[0] && port->now.ofport == 0)
        snprintf(port->reason, sizeof port->reason, "OpenFlow port %" PRIu32, port->ofport);
    tell(apply, port, change, port->reason, NULL);
    port->reason[0] = '\0';
    if (!config_section_same(&config_section_port, &port->now, &port->wanted))
        apply_port_queue(apply, port);
}

void apply_port_finish(struct apply *apply, struct apply_port *port)
{
    char why[512];
    int rc;

    if (port->opening) {
        if (!port_create_end(port->opening, &port->port, why, sizeof why))
            return;
        port->opening = NULL;
        if (!port->port) {
            unqueue(apply, port);
            if (port->said)
                fail(apply, port, why);
            else
                take_away(apply, port);
            return;
        }
    }
    if (!port->said) {
        port_destroy(port->port);
        port->port = NULL;
        unqueue(apply, port);
        take_away(apply, port);
        return;
    }
    rc = datapath_port_add(apply->sw->dp, port->port);
    if (rc == -EAGAIN && port->list == &apply->no_index)
        return;
    unqueue(apply, port);
    if (rc == -EAGAIN) {
        put(port, PORT_FINISHING, &apply->no_index);
        return;
    }
    if (rc) {
        snprintf(why, sizeof why, "more than %u ports", PORT_MAX - 1);
        port_destroy(port->port);
        port->port = NULL;
        fail(apply, port, why);
        return;
    }
    join_bridge(apply, port);
}

/* --- changing ------------------------------------------------------------ */

static void change(struct apply *apply, struct apply_port *port)
{
    unsigned parts = config_section_diff(&config_section_port, &port->now, &port->wanted), failed = 0;
    struct bridge_port *bp = port->bp;
    char why[512] = "";

    if (parts & CONFIG_PART_MTU) {
        bp->default_mtu = has_default_mtu(&port->wanted);
        bp->mtu_set = 0;
        if (bp->default_mtu)
            bridge_note_port(bp, BRIDGE_PORT_MTU);
        int rc = bp->default_mtu ? 0 : bp->port->ops->set_mtu(bp->port, (uint16_t)port->wanted.mtu);
        if (rc < 0) {
            snprintf(why, sizeof why, "mtu %d: %s: remove the port, reload, and add it again", port->wanted.mtu,
                     strerror(-rc));
            failed |= CONFIG_PART_MTU;
        }
    }
    if (parts & CONFIG_PART_SOCKET) {
        const struct port_access access = access_of(&port->wanted);

        if (!port_set_access(bp->port, &access, why, sizeof why))
            failed |= CONFIG_PART_SOCKET;
    }
    if (parts & CONFIG_PART_TUNNEL && apply_tunnel_change(bp, &port->wanted, why, sizeof why))
        failed |= CONFIG_PART_TUNNEL;
    port->failed = failed != 0;
    if (parts & CONFIG_PART_OFPORT)
        ofports_set_requested(port->owner->ofports, port->ofport, port->wanted.ofport != 0);
    if (parts & CONFIG_PART_LACP)
        join_bond(apply, bp, &port->wanted);
    if (parts & CONFIG_PART_STP)
        apply_port_stp(apply, bp, &port->wanted.stp);
    if (parts & CONFIG_PART_FLOOD)
        set_flood(bp, &port->wanted);
    if (parts & CONFIG_PART_RX_CORES)
        set_rx_cores(apply, bp, &port->wanted);
    if (parts & CONFIG_PART_VLANS) {
        set_vlans(bp, &port->wanted);
        mac_table_flush(bp->bridge->macs, bp->lport->id);
        bridge_note_port(bp, BRIDGE_PORT_VLAN);
    }
    if (parts & CONFIG_PART_POLICING)
        apply_policing(apply, bp, &port->wanted.policing);
    if (parts & CONFIG_PART_QOS)
        apply_qos(apply, bp, &port->wanted.qos);
    if (parts & CONFIG_PART_BFD)
        apply_bfd(apply, bp, &port->wanted.bfd);
    config_section_assign(&config_section_port, &port->now, &port->wanted, parts & ~failed);
    /* A system port waits for its interface, for as long as it takes. */
    if (is_lost(port) && bp->port->type != PORT_SYSTEM) {
        snprintf(why, sizeof why,
                 "its interface %s was deleted: create it again, which brings the port back, or take the port out of "
                 "the configuration",
                 bp->port->ifname);
        port->failed = true;
    }
    tell(apply, port, parts ? APPLY_CHANGED : APPLY_NONE, "", port->failed ? why : NULL);
}

/* --- the work list ------------------------------------------------------- */

void apply_port_queue(struct apply *apply, struct apply_port *port)
{
    apply_wake(apply);
    if (port->stage == PORT_FINISHING)
        return; /* what is wanted is looked at again when its device is open */
    unqueue(apply, port);
    if (!port->said || (port->bp && must_be_made_again(port)))
        put(port, PORT_QUEUED, &apply->to_remove);
    else if (port->wanted.ofport != 0)
        put(port, PORT_QUEUED, &apply->requested);
    else
        put(port, PORT_QUEUED, port->last != OFPORT_NONE ? &apply->known : &apply->others);
}

void apply_port_step(struct apply *apply, struct apply_port *port)
{
    if (!port->said) {
        take_away(apply, port);
    } else if (!port->bp) {
        make(apply, port);
    } else if (must_be_made_again(port)) {
        if (is_lost(port))
            snprintf(port->reason, sizeof port->reason,
                     port->bp->port->type == PORT_TAP ? "its interface %s was deleted"
                                                      : "the interface %s is there again",
                     port->bp->port->ifname);
        take_out(apply, port);
        port->replacing = true;
        apply_port_queue(apply, port);
    } else {
        change(apply, port);
    }
}

bool apply_port_interface_returned(const struct apply_port *port)
{
    return port->said && is_lost(port) && port->bp->port->type != PORT_TAP && can_return(port->bp->port);
}
