#define MEM_WHAT "bonds"

#include "src/bridge/bond.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pmd/base/hash.h"
#include "pmd/base/log.h"
#include "pmd/base/mem.h"
#include "src/bridge/bond_balance.h"

const char *bond_mode_name(enum bond_mode mode)
{
    static const char *const names[] = {
        [BOND_ACTIVE_BACKUP] = "active-backup",
        [BOND_BALANCE_SLB] = "balance-slb",
        [BOND_BALANCE_TCP] = "balance-tcp",
    };

    return names[mode];
}

const char *bond_lacp_name(enum bond_lacp lacp)
{
    static const char *const names[] = {
        [BOND_LACP_OFF] = "off",
        [BOND_LACP_CONFIGURED] = "configured",
        [BOND_LACP_NEGOTIATED] = "negotiated",
    };

    return names[lacp];
}

/* LACP is on, and the neighbour does not speak it. */
static bool falls_back(const struct bond *bond)
{
    return bond->config.fallback && bond->lacp == BOND_LACP_CONFIGURED;
}

static struct bond_member *find_port(const struct bond *bond, const void *port)
{
    struct bond_member *m;

    TAILQ_FOREACH (m, &bond->members, node) {
        if (m->port == port)
            return m;
    }
    return NULL;
}

struct bond_member *bond_find(const struct bond *bond, const char *member)
{
    struct bond_member *m;

    TAILQ_FOREACH (m, &bond->members, node) {
        if (strcmp(m->name, member) == 0)
            return m;
    }
    return NULL;
}

/* --- buckets ------------------------------------------------------------- */

/* The enabled members in turn. */
static struct bond_member *next_enabled(struct bond *bond)
{
    struct bond_member *m = bond->next;

    if (bond->n_enabled == 0)
        return NULL;
    do {
        m = m ? TAILQ_NEXT(m, node) : NULL;
        if (!m)
            m = TAILQ_FIRST(&bond->members);
    } while (!m->enabled);
    bond->next = m;
    return m;
}

/* Buckets whose member cannot be used go to others. Those that no flow is with are spread anew: a member that has just
 * come gets its share of them. */
static void assign_buckets(struct bond *bond)
{
    for (unsigned i = 0; i < BOND_BUCKETS; i++) {
        struct bond_bucket *bucket = &bond->buckets[i];

        if (bucket->member && bucket->member->enabled && bucket->used)
            continue;
        bucket->member = next_enabled(bond);
    }
}

void bond_account(struct bond *bond, uint8_t bucket, uint64_t bytes)
{
    if (bond_is_balanced(bond))
        bond->buckets[bucket].bytes += bytes;
}

bool bond_is_balanced(const struct bond *bond)
{
    return bond->config.rebalance_ms > 0 && bond->config.mode != BOND_ACTIVE_BACKUP && !falls_back(bond);
}

/* --- members ------------------------------------------------------------- */

static void set_enabled(struct bond *bond, struct bond_member *m, bool enabled)
{
    m->due_ms = UINT64_MAX;
    if (m->enabled == enabled)
        return;
    m->enabled = enabled;
    bond->n_enabled += enabled ? 1 : -1u;
    bond->dirty = true;
    bond->owes_announcement |= !enabled;
    assign_buckets(bond);
    LOG_INFO(LOG_BRIDGE, "bond %s: member %s: %s", bond->name, m->name, enabled ? "enabled" : "disabled");
}

/* A link that changed counts after a delay, unless it changes back before. */
static void follow_link(struct bond *bond, struct bond_member *m, uint64_t now_ms)
{
    const uint32_t delay_ms = m->up ? bond->config.up_delay_ms : bond->config.down_delay_ms;

    if (m->up == m->enabled || m->by_hand) {
        m->due_ms = UINT64_MAX;
        return;
    }
    if (m->due_ms == UINT64_MAX) {
        m->due_ms = now_ms + delay_ms;
        if (delay_ms > 0)
            LOG_INFO_RL(LOG_BRIDGE, "bond %s: member %s: will be %s if it stays %s for %" PRIu32 " ms", bond->name,
                        m->name, m->up ? "enabled" : "disabled", m->up ? "up" : "down", delay_ms);
    }
    if (now_ms >= m->due_ms)
        set_enabled(bond, m, m->up);
}

/* --- the active member --------------------------------------------------- */

static struct bond_member *primary_of(const struct bond *bond)
{
    struct bond_member *m = bond->config.primary[0] ? bond_find(bond, bond->config.primary) : NULL;

    return m && m->enabled ? m : NULL;
}

/* The one whose time comes first; NULL: there is none. */
static struct bond_member *first_due(const struct bond *bond)
{
    struct bond_member *m, *first = NULL;

    TAILQ_FOREACH (m, &bond->members, node) {
        if (m->up && m->due_ms != UINT64_MAX && (!first || m->due_ms < first->due_ms))
            first = m;
    }
    return first;
}

static struct bond_member *best_member(const struct bond *bond)
{
    struct bond_member *m = primary_of(bond), *any = NULL;

    if (m)
        return m;
    TAILQ_FOREACH (m, &bond->members, node) {
        if (!m->enabled)
            continue;
        if (rte_is_same_ether_addr(&m->mac, &bond->active_mac))
            return m;
        any = any ? any : m;
    }
    return any ? any : first_due(bond);
}

static void set_active(struct bond *bond, struct bond_member *m)
{
    static const struct rte_ether_addr none;
    const bool same = m == bond->active;

    bond->active = m;
    bond->owes_announcement |= m != NULL;
    if (same)
        return;
    bond->active_mac = m ? m->mac : none;
    bond->dirty = true;
    if (m)
        LOG_INFO(LOG_BRIDGE, "bond %s: active member is now %s", bond->name, m->name);
    else
        LOG_INFO(LOG_BRIDGE, "bond %s: all members disabled", bond->name);
}

static void choose_active(struct bond *bond)
{
    struct bond_member *primary = bond->config.mode == BOND_ACTIVE_BACKUP ? primary_of(bond) : NULL;
    struct bond_member *m;

    if (bond->active && bond->active->enabled && (!primary || primary == bond->active))
        return;
    m = best_member(bond);
    if (!m && !bond->active)
        return;
    if (m && !m->enabled)
        set_enabled(bond, m, true); /* nothing else is: it does not wait for the rest of the delay */
    set_active(bond, m);
}

/* --- changes ------------------------------------------------------------- */

/* Brings everything to what is known, and tells. */
static void settle(struct bond *bond, uint64_t now_ms)
{
    struct bond_member *m;

    TAILQ_FOREACH (m, &bond->members, node)
        follow_link(bond, m, now_ms);
    choose_active(bond);
    if (bond->dirty) {
        bond->dirty = false;
        bond->user.changed(bond->user.arg);
    }
    if (bond->owes_announcement) {
        bond->owes_announcement = false;
        if (bond_announces(bond))
            bond->user.announce(bond->user.arg);
    }
    bond->user.delayed(bond->user.arg);
}

struct bond *bond_create(const char *name, const struct bond_config *config, const struct bond_user *user,
                         uint64_t now_ms)
{
    struct bond *bond = mem_calloc(1, sizeof *bond);

    snprintf(bond->name, sizeof bond->name, "%s", name);
    bond->config = *config;
    bond->user = *user;
    bond->rebalance_at_ms = now_ms + config->rebalance_ms;
    TAILQ_INIT(&bond->members);
    return bond;
}

void bond_destroy(struct bond *bond)
{
    struct bond_member *m;

    while ((m = TAILQ_FIRST(&bond->members))) {
        TAILQ_REMOVE(&bond->members, m, node);
        free(m);
    }
    free(bond);
}

/* Flows may be with any member again. */
static void release_buckets(struct bond *bond)
{
    memset(bond->buckets, 0, sizeof bond->buckets);
    assign_buckets(bond);
}

void bond_configure(struct bond *bond, const struct bond_config *config, uint64_t now_ms)
{
    const bool respread = bond->config.mode != config->mode || bond->config.basis != config->basis;

    if (bond->config.rebalance_ms != config->rebalance_ms || respread)
        bond->rebalance_at_ms = now_ms + config->rebalance_ms;
    bond->config = *config;
    if (respread)
        release_buckets(bond);
    bond->dirty = true;
    settle(bond, now_ms);
}

void bond_join(struct bond *bond, void *port, const char *name, const struct rte_ether_addr *mac, bool up,
               uint64_t now_ms)
{
    struct bond_member *m = mem_calloc(1, sizeof *m), *before;

    m->port = port;
    snprintf(m->name, sizeof m->name, "%s", name);
    m->mac = *mac;
    m->up = up;
    m->due_ms = UINT64_MAX;
    TAILQ_FOREACH (before, &bond->members, node) {
        if (strcmp(before->name, m->name) > 0)
            break;
    }
    if (before)
        TAILQ_INSERT_BEFORE(before, m, node);
    else
        TAILQ_INSERT_TAIL(&bond->members, m, node);
    bond->dirty = true;
    if (up)
        set_enabled(bond, m, true);
    settle(bond, now_ms);
}

void bond_leave(struct bond *bond, const void *port, uint64_t now_ms)
{
    struct bond_member *m = find_port(bond, port);

    if (!m)
        return;
    m->up = false;
    set_enabled(bond, m, false);
    TAILQ_REMOVE(&bond->members, m, node);
    if (bond->next == m)
        bond->next = NULL;
    if (bond->active == m) {
        bond->active = NULL;
        bond->active_mac = (struct rte_ether_addr){{0}};
        bond->owes_announcement = true;
    }
    bond->dirty = true;
    free(m);
    settle(bond, now_ms);
}

void bond_set_up(struct bond *bond, const void *port, bool up, const struct rte_ether_addr *mac, uint64_t now_ms)
{
    struct bond_member *m = find_port(bond, port);

    if (!m)
        return;
    m->by_hand &= m->up == up;
    m->up = up;
    m->mac = *mac;
    settle(bond, now_ms);
}

void bond_set_lacp(struct bond *bond, enum bond_lacp lacp, uint64_t now_ms)
{
    if (bond->lacp == lacp)
        return;
    bond->lacp = lacp;
    bond->dirty = true;
    settle(bond, now_ms);
}

void bond_run(struct bond *bond, uint64_t now_ms)
{
    if (bond_is_balanced(bond) && now_ms >= bond->rebalance_at_ms) {
        bond->rebalance_at_ms = now_ms + bond->config.rebalance_ms;
        bond->dirty |= bond_balance(bond);
    }
    settle(bond, now_ms);
}

uint64_t bond_due_ms(const struct bond *bond)
{
    uint64_t due_ms = bond_is_balanced(bond) ? bond->rebalance_at_ms : UINT64_MAX;
    const struct bond_member *m;

    TAILQ_FOREACH (m, &bond->members, node) {
        if (m->due_ms < due_ms)
            due_ms = m->due_ms;
    }
    return due_ms;
}

/* --- packets ------------------------------------------------------------- */

enum bond_way bond_way(const struct bond *bond)
{
    enum bond_mode mode = bond->config.mode;

    if (bond->lacp == BOND_LACP_CONFIGURED) {
        if (!bond->config.fallback)
            return BOND_NOWHERE;
        mode = BOND_ACTIVE_BACKUP;
    }
    switch (mode) {
    case BOND_ACTIVE_BACKUP:
        return bond->active ? BOND_ACTIVE : BOND_NOWHERE;
    case BOND_BALANCE_SLB:
        return bond->n_enabled > 0 ? BOND_BY_SOURCE : BOND_NOWHERE;
    case BOND_BALANCE_TCP:
        return bond->n_enabled > 0 && bond->lacp == BOND_LACP_NEGOTIATED ? BOND_BY_FLOW : BOND_NOWHERE;
    }
    return BOND_NOWHERE;
}

uint32_t bond_hash_source(const struct rte_ether_addr *src, uint16_t vlan, uint32_t basis)
{
    uint64_t word = vlan;

    memcpy((uint8_t *)&word + 2, src->addr_bytes, RTE_ETHER_ADDR_LEN);
    return hash_finish(hash_add(hash_add(HASH_BASIS, basis), word));
}

struct bond_member *bond_choose(struct bond *bond, uint32_t hash, bool use)
{
    struct bond_bucket *bucket = &bond->buckets[hash % BOND_BUCKETS];

    bucket->used |= use;
    return bucket->member;
}

enum bond_verdict bond_admits(const struct bond *bond, const void *port, bool multicast)
{
    const struct bond_member *m = find_port(bond, port);

    if (!m)
        return BOND_DROP;
    /* The neighbour knows of the bond. It sends to members that are in use at its end, and may be a little earlier with
     * that than this end. */
    if (bond->lacp == BOND_LACP_NEGOTIATED)
        return m->enabled || m->up ? BOND_ACCEPT : BOND_DROP;
    if (bond->lacp == BOND_LACP_CONFIGURED && !bond->config.fallback)
        return BOND_DROP;
    if (bond->config.mode == BOND_BALANCE_TCP && bond->lacp == BOND_LACP_OFF)
        return BOND_DROP;
    /* The neighbour floods to each member: one copy is enough. */
    if (multicast && m != bond->active && !(bond->config.mode == BOND_BALANCE_SLB && bond->config.all_members_active))
        return BOND_DROP;
    if (bond->config.mode == BOND_BALANCE_SLB)
        return BOND_DROP_IF_MOVED;
    return m == bond->active ? BOND_ACCEPT : BOND_DROP;
}

bool bond_announces(const struct bond *bond)
{
    if (!bond->active)
        return false;
    return falls_back(bond) || (bond->lacp == BOND_LACP_OFF && bond->config.mode != BOND_BALANCE_TCP);
}

/* --- operators ----------------------------------------------------------- */

bool bond_make_active(struct bond *bond, struct bond_member *member, uint64_t now_ms)
{
    if (bond->active == member)
        return false;
    set_active(bond, member);
    settle(bond, now_ms);
    return true;
}

void bond_enable(struct bond *bond, struct bond_member *member, bool enable, uint64_t now_ms)
{
    member->by_hand = true;
    set_enabled(bond, member, enable);
    settle(bond, now_ms);
}

void bond_migrate(struct bond *bond, uint8_t bucket, struct bond_member *member)
{
    bond->buckets[bucket].member = member;
    bond->buckets[bucket].used = true;
    bond->user.changed(bond->user.arg);
}
