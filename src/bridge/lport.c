#define MEM_WHAT "a bridge"

#include "src/bridge/lport.h"

#include <stdlib.h>

#include "pmd/base/clock.h"
#include "pmd/base/mem.h"
#include "src/bridge/bridge_impl.h"

const char *lport_name(const struct lport *lport)
{
    return lport->bond ? lport->bond->name : lport->member->name;
}

/* The list of Ports is by id. */
static struct lport *create(struct bridge *bridge, uint32_t id)
{
    struct lport *lport = mem_calloc(1, sizeof *lport), *after = TAILQ_LAST(&bridge->lports, bridge_lports);

    lport->bridge = bridge;
    lport->id = id;
    port_vlan_init(&lport->vlan);
    while (after && after->id > id)
        after = TAILQ_PREV(after, bridge_lports, node);
    if (after)
        TAILQ_INSERT_AFTER(&bridge->lports, after, lport, node);
    else
        TAILQ_INSERT_HEAD(&bridge->lports, lport, node);
    return lport;
}

static void destroy(struct lport *lport)
{
    mirrors_port_removed(lport);
    mac_table_forget_port(lport->bridge->macs, lport->id);
    TAILQ_REMOVE(&lport->bridge->lports, lport, node);
    free(lport);
}

struct lport *lport_create(struct bridge_port *bp)
{
    struct lport *lport = create(bp->bridge, bp->ofport);

    lport->member = bp;
    return lport;
}

struct lport *lport_create_bond(struct bridge *bridge, struct bond *bond)
{
    struct lport *lport = create(bridge, LPORT_BOND_FIRST + bridge->n_bonds_made++);

    lport->bond = bond;
    mirrors_port_added(lport);
    return lport;
}

void lport_free_bond(struct lport *lport)
{
    struct bond_member *m;

    while ((m = TAILQ_FIRST(&lport->bond->members)))
        lport_leave(m->port);
    bridge_note_bond(lport);
    destroy(lport);
}

static bool is_up(const struct bridge_port *bp)
{
    return bp->state & PORT_STATE_LIVE;
}

void lport_join(struct lport *lport, struct bridge_port *bp)
{
    struct lport *own = bp->lport;

    if (TAILQ_EMPTY(&lport->bond->members))
        lport->vlan = own->vlan;
    bp->lport = lport;
    destroy(own);
    bond_join(lport->bond, bp, bp->name, &bp->mac, is_up(bp), clock_now_ms());
    bridge_note_port(bp, BRIDGE_PORT_VLAN);
}

void lport_leave(struct bridge_port *bp)
{
    struct lport *lport = bp->lport;

    bp->lport = lport_create(bp);
    bp->lport->vlan = lport->vlan;
    bond_leave(lport->bond, bp, clock_now_ms());
    mirrors_port_added(bp->lport);
    bridge_note_port(bp, BRIDGE_PORT_VLAN);
}

void lport_forget(struct bridge_port *bp)
{
    if (bp->lport->bond)
        bond_leave(bp->lport->bond, bp, clock_now_ms());
    else
        destroy(bp->lport);
    bp->lport = NULL;
}

void lport_follow_link(struct bridge_port *bp)
{
    if (bp->lport->bond)
        bond_set_up(bp->lport->bond, bp, is_up(bp), &bp->mac, clock_now_ms());
}

struct lport *bridge_lport_by_id(const struct bridge *bridge, uint32_t id)
{
    const struct bridge_port *bp = bridge_port_by_ofport(bridge, id);
    struct lport *lport;

    if (bp)
        return bp->lport->bond ? NULL : bp->lport;
    for (lport = bridge_last_bond(bridge); lport; lport = lport_previous_bond(lport)) {
        if (lport->id == id)
            return lport;
    }
    return NULL;
}

struct lport *bridge_last_bond(const struct bridge *bridge)
{
    struct lport *last = TAILQ_LAST(&bridge->lports, bridge_lports);

    if (last && last->id == OFPORT_LOCAL)
        last = TAILQ_PREV(last, bridge_lports, node);
    return last && last->bond ? last : NULL;
}

struct lport *lport_previous_bond(const struct lport *lport)
{
    struct lport *previous = TAILQ_PREV(lport, bridge_lports, node);

    return previous && previous->bond ? previous : NULL;
}
