/* What others make of the model: a port's session of BFD, its policing, queues and tunnel, a bridge's bonds and
 * spanning tree. */
#define MEM_WHAT "bridges and ports"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pmd/base/mem.h"
#include "pmd/base/memory.h"
#include "src/agents/bfd_agent.h"
#include "src/agents/bond_agent.h"
#include "src/agents/stp_agent.h"
#include "src/app/apply_impl.h"
#include "src/config/tunnel.h"
#include "src/tunnel/tunnel_port.h"

/* --- BFD ----------------------------------------------------------------- */

static struct rte_ether_addr address_of(const uint8_t mac[6])
{
    struct rte_ether_addr address;

    memcpy(address.addr_bytes, mac, sizeof address.addr_bytes);
    return address;
}

/* Checked by the model; NULL or anything else: the default. */
static rte_be32_t ipv4_of(const char *text)
{
    struct in_addr address = {0};

    return text && inet_pton(AF_INET, text, &address) == 1 ? address.s_addr : 0;
}

void apply_bfd(struct apply *apply, struct bridge_port *bp, const struct config_bfd *config)
{
    const struct bfd_agent_config wanted = {
        .enable = config->enable,
        .session =
            {
                .min_tx_us = (uint32_t)config->min_tx * 1000,
                .min_rx_us = (uint32_t)config->min_rx * 1000,
                .decay_min_rx_us = (uint32_t)config->decay_min_rx * 1000,
                .mult = (uint8_t)config->mult,
                .cpath_down = config->cpath_down,
                .forwarding_if_rx = config->forwarding_if_rx,
            },
        .local_src = address_of(config->local_src_mac),
        .local_dst = address_of(config->local_dst_mac),
        .remote_dst = address_of(config->remote_dst_mac),
        .ip_src = ipv4_of(config->src_ip),
        .ip_dst = ipv4_of(config->dst_ip),
        .check_tnl_key = config->check_tnl_key,
    };

    bfd_agent_set(apply->sw->bfd, bp, &wanted);
}

/* --- policing ------------------------------------------------------------ */

#define POLICING_BURST_KBIT 8000 /* as Open vSwitch has it */
#define POLICING_BURST_KPKTS 16

void apply_policing(struct apply *apply, struct bridge_port *bp, const struct config_policing *config)
{
    const struct policer_config policer = {
        .bits = (uint64_t)config->rate * 1000,
        .burst_bits = (uint64_t)(config->burst ? config->burst : POLICING_BURST_KBIT) * 1000,
        .packets = (uint64_t)config->kpkts_rate * 1000,
        .burst_packets = (uint64_t)(config->kpkts_burst ? config->kpkts_burst : POLICING_BURST_KPKTS) * 1000,
    };

    if (bp->port && datapath_port_police(apply->sw->dp, bp->port, PORT_IN, &policer) != 0)
        out_of_memory("bridges and ports", 0);
}

/* --- quality of service -------------------------------------------------- */

void apply_qos_settle(struct apply *apply)
{
    struct bridge_port *bp;
    struct bridge *br;
    bool all = true;

    if (!apply->schedulers)
        return;
    TAILQ_FOREACH (br, &apply->sw->bridges, node)
        TAILQ_FOREACH (bp, &br->ports, node)
            all &= port_qos_settle(bp);
    apply->schedulers = !all;
}

static int compare_queues(const void *a, const void *b)
{
    const struct qos_queue *x = a, *y = b;

    return (x->id > y->id) - (x->id < y->id);
}

static uint64_t bits_of(int kbit)
{
    return (uint64_t)kbit * 1000;
}

void apply_qos(struct apply *apply, struct bridge_port *bp, const struct config_qos *config)
{
    static const enum qos_type types[] = {
        [CONFIG_QOS_NONE] = QOS_NONE,         [CONFIG_QOS_NOOP] = QOS_NOOP,
        [CONFIG_QOS_HTB] = QOS_HTB,           [CONFIG_QOS_HFSC] = QOS_HFSC,
        [CONFIG_QOS_SFQ] = QOS_SFQ,           [CONFIG_QOS_CODEL] = QOS_CODEL,
        [CONFIG_QOS_FQ_CODEL] = QOS_FQ_CODEL, [CONFIG_QOS_EGRESS_POLICER] = QOS_EGRESS_POLICER,
    };
    struct port_qos wanted = {
        .type = types[config->type],
        .max_rate = bits_of(config->max_rate),
        .burst = bits_of(config->burst),
        .n_queues = (unsigned)config->n_queues,
        .queues = calloc(config->n_queues + 1, sizeof *wanted.queues),
    };

    if (!wanted.queues)
        out_of_memory("bridges and ports", 0);
    for (size_t i = 0; i < config->n_queues; i++) {
        const struct config_queue *queue = &config->queues[i];

        wanted.queues[i] = (struct qos_queue){.id = (uint32_t)queue->queue,
                                              .priority = (uint32_t)queue->priority,
                                              .min_rate = bits_of(queue->min_rate),
                                              .max_rate = bits_of(queue->max_rate),
                                              .burst = bits_of(queue->burst),
                                              .dscp = (int8_t)queue->dscp};
    }
    qsort(wanted.queues, wanted.n_queues, sizeof *wanted.queues, compare_queues);
    port_qos_set(bp, &wanted);
    free(wanted.queues);
    apply->schedulers |= !port_qos_settle(bp);
}

/* --- tunnels ------------------------------------------------------------- */

struct bridge_tunnel *apply_tunnel_create(struct apply *apply, const struct config_port *config, char *error,
                                          size_t error_size)
{
    struct tunnel_config wanted;

    if (config_tunnel_parse(config, &wanted, error, error_size))
        return NULL;
    return tunnel_port_create(apply->sw->tunnels, config->name, &wanted, error, error_size);
}

int apply_tunnel_change(struct bridge_port *bp, const struct config_port *wanted, char *error, size_t error_size)
{
    struct tunnel_config config;

    if (config_tunnel_parse(wanted, &config, error, error_size) ||
        tunnel_port_change(bp->tunnel, &config, error, error_size))
        return -1;
    return 0;
}

void apply_tunnels_changed(void *arg, const char *device)
{
    struct sluice *sw = arg;
    struct bridge_port *bp;
    struct bridge *br;

    TAILQ_FOREACH (br, &sw->bridges, node)
        TAILQ_FOREACH (bp, &br->ports, node)
            if (bp->port && bp->port->ifname[0] && (!device || !strcmp(bp->port->ifname, device)))
                bridge_note_port(bp, BRIDGE_PORT_CLAIMS);
}

/* --- bonds --------------------------------------------------------------- */

static struct bond_agent_bond bond_of(const struct bridge *bridge, const struct config_bond *config)
{
    static const enum bond_mode modes[] = {
        [CONFIG_BOND_ACTIVE_BACKUP] = BOND_ACTIVE_BACKUP,
        [CONFIG_BOND_BALANCE_SLB] = BOND_BALANCE_SLB,
        [CONFIG_BOND_BALANCE_TCP] = BOND_BALANCE_TCP,
    };
    struct bond_agent_bond bond = {
        .name = config->name,
        .members = (const char *const *)config->members,
        .n_members = config->n_members,
        .config =
            {
                .mode = modes[config->mode],
                .up_delay_ms = (uint32_t)config->updelay,
                .down_delay_ms = (uint32_t)config->downdelay,
                .rebalance_ms = (uint32_t)config->rebalance_interval,
                .basis = (uint32_t)config->hash_basis,
                .all_members_active = config->all_members_active,
                .fallback = config->lacp_fallback_ab,
            },
        .speaks_lacp = config->lacp != CONFIG_LACP_OFF,
        .lacp =
            {
                .active = config->lacp == CONFIG_LACP_ACTIVE,
                .fast = config->lacp_time == CONFIG_LACP_FAST,
                .fallback = config->lacp_fallback_ab,
                .system_priority = (uint16_t)(config->lacp_system_priority ? config->lacp_system_priority
                                              : config->n_members > 1      ? UINT16_MAX - 1
                                                                           : UINT16_MAX),
            },
    };
    struct rte_ether_addr system = address_of(config->lacp_system_id);

    if (rte_is_zero_ether_addr(&system))
        system = bridge_mac(bridge);
    memcpy(bond.lacp.system, system.addr_bytes, sizeof bond.lacp.system);

    snprintf(bond.config.primary, sizeof bond.config.primary, "%s", config->primary ? config->primary : "");
    return bond;
}

void apply_bonds(struct apply *apply, struct bridge *bridge, const struct config_bridge *config)
{
    struct bond_agent_bond *bonds = mem_calloc(config->n_bonds + 1, sizeof *bonds);
    struct bridge_port *bp;

    for (size_t i = 0; i < config->n_bonds; i++)
        bonds[i] = bond_of(bridge, &config->bonds[i]);
    bond_agent_set(apply->sw->bonds, bridge, bonds, config->n_bonds);
    free(bonds);
    TAILQ_FOREACH (bp, &bridge->ports, node)
        stp_agent_port_changed(apply->sw->stp, bp); /* members of bonds take no part */
}

/* --- spanning trees ------------------------------------------------------ */

void apply_stp(struct apply *apply, struct bridge *bridge, const struct config_stp *config)
{
    struct rte_ether_addr system = address_of(config->system_id);
    struct stp_config wanted = {
        .priority = (uint16_t)config->priority,
        .hello_ms = (uint32_t)config->hello_time * 1000,
        .max_age_ms = (uint32_t)config->max_age * 1000,
        .forward_delay_ms = (uint32_t)config->forward_delay * 1000,
    };

    if (rte_is_zero_ether_addr(&system))
        system = bridge_mac(bridge);
    memcpy(wanted.mac, system.addr_bytes, sizeof wanted.mac);
    stp_agent_set(apply->sw->stp, bridge, config->enable ? &wanted : NULL);
}

void apply_port_stp(struct apply *apply, struct bridge_port *bp, const struct config_port_stp *config)
{
    bp->stp.off = !config->enable;
    bp->stp.number = (uint8_t)config->number;
    bp->stp.priority = (uint8_t)config->priority;
    bp->stp.path_cost = (uint16_t)config->path_cost;
    stp_agent_port_changed(apply->sw->stp, bp);
}
