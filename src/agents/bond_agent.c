#define MEM_WHAT "bonds"

#include "src/agents/bond_agent.h"

#include <rte_arp.h>
#include <stdlib.h>
#include <string.h>

#include "pmd/base/clock.h"
#include "pmd/base/mem.h"

#define ANNOUNCE_STEP 32 /* addresses that are announced in a turn */
#define LOOK_STEP 1024   /* ... and looked at */

struct bonding {
    struct bond_agent *agent;
    struct bridge *bridge;
    char *name;
    struct bond *bond;        /* NULL: there is one member, which is no bond */
    struct lport *lport;      /* the same */
    struct aggregation *lacp; /* NULL: it speaks no LACP */
    char **members;
    size_t n_members;
    bool wanted;
    struct loop_timer timer;    /* delays, rebalancing */
    struct loop_timer announce; /* the next addresses */
    size_t announced;           /* place in the MAC table */
    TAILQ_ENTRY(bonding) node;
};

struct bond_agent {
    struct loop *loop;
    struct flows *flows;
    struct rte_mempool *pool;
    TAILQ_HEAD(, bonding) bondings;
};

/* --- announcing stations ------------------------------------------------- */

/* An RARP request of the station for its own address (RFC 903), which says nothing but where it is. */
#define FRAME_LEN 60

static void build_rarp(const struct rte_ether_addr *station, bool tagged, uint16_t vlan, uint8_t *frame)
{
    struct rte_ether_hdr *eth = (struct rte_ether_hdr *)frame;
    struct rte_arp_hdr *arp;
    size_t at = sizeof *eth;

    memset(frame, 0, FRAME_LEN);
    memset(&eth->dst_addr, 0xff, sizeof eth->dst_addr);
    eth->src_addr = *station;
    eth->ether_type = RTE_BE16(RTE_ETHER_TYPE_RARP);
    if (tagged) {
        struct rte_vlan_hdr *tag = (struct rte_vlan_hdr *)(frame + at);

        eth->ether_type = RTE_BE16(RTE_ETHER_TYPE_VLAN);
        tag->vlan_tci = rte_cpu_to_be_16(vlan);
        tag->eth_proto = RTE_BE16(RTE_ETHER_TYPE_RARP);
        at += sizeof *tag;
    }
    arp = (struct rte_arp_hdr *)(frame + at);
    arp->arp_hardware = RTE_BE16(RTE_ARP_HRD_ETHER);
    arp->arp_protocol = RTE_BE16(RTE_ETHER_TYPE_IPV4);
    arp->arp_hlen = RTE_ETHER_ADDR_LEN;
    arp->arp_plen = sizeof(rte_be32_t);
    arp->arp_opcode = RTE_BE16(RTE_ARP_OP_REVREQUEST);
    arp->arp_data.arp_sha = *station;
    arp->arp_data.arp_tha = *station;
}

static struct bridge_port *member_for(const struct bonding *bonding, const struct mac_entry *entry)
{
    struct bond *bond = bonding->bond;
    const struct bond_member *m = NULL;

    switch (bond_way(bond)) {
    case BOND_ACTIVE:
        m = bond->active;
        break;
    case BOND_BY_SOURCE:
        m = bond_choose(bond, bond_hash_source(&entry->mac, entry->vlan, bond->config.basis), true);
        break;
    case BOND_NOWHERE:
    case BOND_BY_FLOW:
        break;
    }
    return m ? m->port : NULL;
}

/* False: it is not to be announced. */
static bool announce_station(const struct bonding *bonding, const struct mac_entry *entry)
{
    const struct port_vlan *vlan = &bonding->lport->vlan;
    const struct bridge_port *bp;
    struct rte_mbuf *m;
    char *frame;

    if (entry->lport == bonding->lport->id || !port_vlan_carries(vlan, entry->vlan))
        return false;
    bp = member_for(bonding, entry);
    if (!bp)
        return false;
    m = rte_pktmbuf_alloc(bonding->agent->pool);
    frame = m ? rte_pktmbuf_append(m, FRAME_LEN) : NULL;
    if (!frame) {
        datapath_count_drop(bonding->bridge->dp, DROP_NO_MBUF, 1);
        rte_pktmbuf_free(m);
        return true;
    }
    build_rarp(&entry->mac, port_vlan_leaves_tagged(vlan, entry->vlan), entry->vlan, (uint8_t *)frame);
    flows_send(bonding->agent->flows, bp, m);
    return true;
}

static void on_announce(void *arg)
{
    struct bonding *bonding = arg;
    const struct mac_entry *entry;
    unsigned n = 0;

    if (!bond_announces(bonding->bond))
        return;
    for (unsigned looks = 0; looks < LOOK_STEP && n < ANNOUNCE_STEP; looks++) {
        entry = mac_table_next(bonding->bridge->macs, &bonding->announced);
        if (!entry)
            return;
        n += announce_station(bonding, entry);
    }
    loop_timer_in(&bonding->announce, 0);
}

static void announce(void *arg)
{
    struct bonding *bonding = arg;

    bonding->announced = 0;
    loop_timer_in(&bonding->announce, 0);
}

/* --- delays, rebalancing ------------------------------------------------- */

static void set_timer(struct bonding *bonding)
{
    uint64_t due_ms = bond_due_ms(bonding->bond);

    loop_timer_at(&bonding->timer, due_ms == UINT64_MAX ? UINT64_MAX : due_ms * 1000);
}

static void on_timer(void *arg)
{
    struct bonding *bonding = arg;

    bond_run(bonding->bond, clock_now_ms());
}

static void changed(void *arg)
{
    struct bonding *bonding = arg;

    bridge_note_bond(bonding->lport);
}

static void delayed(void *arg)
{
    set_timer(arg);
}

/* --- members ------------------------------------------------------------- */

static bool names(const struct bonding *bonding, const char *port)
{
    for (size_t i = 0; i < bonding->n_members; i++)
        if (strcmp(bonding->members[i], port) == 0)
            return true;
    return false;
}

static struct bonding *bonding_for(const struct bond_agent *agent, const struct bridge_port *bp)
{
    struct bonding *bonding;

    TAILQ_FOREACH (bonding, &agent->bondings, node) {
        if (bonding->bridge == bp->bridge && bonding->wanted && names(bonding, bp->name))
            return bonding;
    }
    return NULL;
}

static void join_bond(struct bridge_port *bp, struct lport *wanted)
{
    struct lport *now = bp->lport->bond ? bp->lport : NULL;

    if (wanted == now)
        return;
    if (now)
        lport_leave(bp);
    if (wanted)
        lport_join(wanted, bp);
}

/* LACP comes first and goes first: a bond has no member that it could use before LACP says so. */
void bond_agent_port_added(struct bond_agent *agent, struct bridge_port *bp)
{
    struct bonding *bonding = bonding_for(agent, bp);
    struct aggregation *lacp = bonding ? bonding->lacp : NULL;

    if (!lacp)
        aggregation_leave(bp);
    else
        aggregation_join(lacp, bp);
    join_bond(bp, bonding ? bonding->lport : NULL);
}

/* --- bonds --------------------------------------------------------------- */

static void set_members(struct bonding *bonding, const char *const *members, size_t n)
{
    for (size_t i = 0; i < bonding->n_members; i++)
        free(bonding->members[i]);
    free(bonding->members);
    bonding->members = mem_calloc(n + 1, sizeof *bonding->members);
    for (size_t i = 0; i < n; i++)
        bonding->members[i] = mem_strdup(members[i]);
    bonding->n_members = n;
}

static struct bonding *find(const struct bond_agent *agent, const struct bridge *bridge, const char *name)
{
    struct bonding *bonding;

    TAILQ_FOREACH (bonding, &agent->bondings, node) {
        if ((!bridge || bonding->bridge == bridge) && strcmp(bonding->name, name) == 0)
            return bonding;
    }
    return NULL;
}

static void tell_bond(struct bonding *bonding, enum bond_lacp lacp)
{
    if (bonding->bond)
        bond_set_lacp(bonding->bond, lacp, clock_now_ms());
}

static void lacp_changed(void *arg, bool negotiated)
{
    tell_bond(arg, negotiated ? BOND_LACP_NEGOTIATED : BOND_LACP_CONFIGURED);
}

static void set_lacp(struct bonding *bonding, const struct bond_agent_bond *wanted)
{
    const struct bond_agent *agent = bonding->agent;
    const struct aggregation_params params = {agent->loop, agent->flows, agent->pool, lacp_changed, bonding};

    if (wanted->speaks_lacp && bonding->lacp) {
        aggregation_configure(bonding->lacp, &wanted->lacp);
    } else if (wanted->speaks_lacp) {
        bonding->lacp = aggregation_create(&params, &wanted->lacp);
        tell_bond(bonding, BOND_LACP_CONFIGURED);
    } else if (bonding->lacp) {
        aggregation_destroy(bonding->lacp);
        bonding->lacp = NULL;
        tell_bond(bonding, BOND_LACP_OFF);
    }
}

static void begin_bond(struct bonding *bonding, const struct bond_agent_bond *wanted)
{
    const struct bond_user user = {.arg = bonding, .changed = changed, .delayed = delayed, .announce = announce};

    bonding->bond = bond_create(wanted->name, &wanted->config, &user, clock_now_ms());
    bonding->lport = lport_create_bond(bonding->bridge, bonding->bond);
    if (bonding->lacp)
        tell_bond(bonding,
                  lacp_is_negotiated(aggregation_lacp(bonding->lacp)) ? BOND_LACP_NEGOTIATED : BOND_LACP_CONFIGURED);
}

static void end_bond(struct bonding *bonding)
{
    lport_free_bond(bonding->lport);
    loop_timer_cancel(&bonding->timer);
    loop_timer_cancel(&bonding->announce);
    bond_destroy(bonding->bond);
    bonding->bond = NULL;
    bonding->lport = NULL;
}

static struct bonding *begin(struct bond_agent *agent, struct bridge *bridge, const char *name)
{
    struct bonding *bonding = mem_calloc(1, sizeof *bonding);

    bonding->agent = agent;
    bonding->bridge = bridge;
    bonding->name = mem_strdup(name);
    loop_timer_init(&bonding->timer, agent->loop, "bonds", on_timer, bonding);
    loop_timer_init(&bonding->announce, agent->loop, "bonds", on_announce, bonding);
    TAILQ_INSERT_TAIL(&agent->bondings, bonding, node);
    return bonding;
}

static void end(struct bonding *bonding)
{
    if (bonding->lacp)
        aggregation_destroy(bonding->lacp);
    bonding->lacp = NULL;
    if (bonding->bond)
        end_bond(bonding);
    TAILQ_REMOVE(&bonding->agent->bondings, bonding, node);
    set_members(bonding, NULL, 0);
    free(bonding->members);
    free(bonding->name);
    free(bonding);
}

/* Members are set; they join and leave later. */
static void set(struct bonding *bonding, const struct bond_agent_bond *wanted)
{
    set_lacp(bonding, wanted);
    if (bonding->bond && wanted->n_members > 1)
        bond_configure(bonding->bond, &wanted->config, clock_now_ms());
    else if (bonding->bond)
        end_bond(bonding);
    else if (wanted->n_members > 1)
        begin_bond(bonding, wanted);
}

static bool has_slb(const struct bond_agent_bond *bonds, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (bonds[i].n_members > 1 && bonds[i].config.mode == BOND_BALANCE_SLB)
            return true;
    return false;
}

void bond_agent_set(struct bond_agent *agent, struct bridge *bridge, const struct bond_agent_bond *bonds, size_t n)
{
    struct bonding *bonding, *next;
    struct bridge_port *bp;

    TAILQ_FOREACH (bonding, &agent->bondings, node)
        bonding->wanted &= bonding->bridge != bridge;
    for (size_t i = 0; i < n; i++) {
        bonding = find(agent, bridge, bonds[i].name);
        if (!bonding)
            bonding = begin(agent, bridge, bonds[i].name);
        bonding->wanted = true;
        set_members(bonding, bonds[i].members, bonds[i].n_members);
        set(bonding, &bonds[i]);
    }
    TAILQ_FOREACH (bp, &bridge->ports, node)
        bond_agent_port_added(agent, bp);
    for (bonding = TAILQ_FIRST(&agent->bondings); bonding; bonding = next) {
        next = TAILQ_NEXT(bonding, node);
        if (!bonding->wanted)
            end(bonding);
    }
    /* NORMAL looks at gratuitous ARP packets from now on (xlate_bond_may_return()). */
    if (has_slb(bonds, n))
        bridge_note(bridge);
}

void bond_agent_for_each(const struct bond_agent *agent, void (*fn)(void *arg, struct lport *lport), void *arg)
{
    struct bonding *bonding;

    TAILQ_FOREACH (bonding, &agent->bondings, node)
        if (bonding->lport)
            fn(arg, bonding->lport);
}

void bond_agent_for_each_lacp(const struct bond_agent *agent,
                              void (*fn)(void *arg, const char *name, const struct lacp *lacp), void *arg)
{
    struct bonding *bonding;

    TAILQ_FOREACH (bonding, &agent->bondings, node)
        if (bonding->lacp)
            fn(arg, bonding->name, aggregation_lacp(bonding->lacp));
}

struct lport *bond_agent_find(const struct bond_agent *agent, const char *name)
{
    const struct bonding *bonding = find(agent, NULL, name);

    return bonding ? bonding->lport : NULL;
}

const struct lacp *bond_agent_find_lacp(const struct bond_agent *agent, const char *name)
{
    const struct bonding *bonding = find(agent, NULL, name);

    return bonding && bonding->lacp ? aggregation_lacp(bonding->lacp) : NULL;
}

struct bond_agent *bond_agent_create(struct loop *loop, struct flows *flows, struct rte_mempool *pool)
{
    struct bond_agent *agent = mem_calloc(1, sizeof *agent);

    agent->loop = loop;
    agent->flows = flows;
    agent->pool = pool;
    TAILQ_INIT(&agent->bondings);
    return agent;
}

void bond_agent_destroy(struct bond_agent *agent)
{
    free(agent);
}
