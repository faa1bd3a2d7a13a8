/* Bonds of the first bridge, VLANs and spanning tree states of its ports, which change. The oracle does not know them:
 * what the caches say is compared with a translation alone. */
#include <stdio.h>
#include <string.h>

#include "pmd/base/clock.h"
#include "tests/property/caches_impl.h"

#define BONDS 2

static struct {
    struct bond *bond; /* NULL: there is none at the moment */
    struct lport *lport;
} bonds[BONDS];

static void changed(void *arg)
{
    bridge_note_bond(bonds[(uintptr_t)arg].lport);
}

static void nothing(void *arg)
{
}

static struct bond_config random_config(void)
{
    return (struct bond_config){.mode = random_below(BOND_BALANCE_TCP + 1),
                                .rebalance_ms = random_one_in(2) ? 0 : 10,
                                .basis = random_below(2),
                                .fallback = random_one_in(2),
                                .all_members_active = random_one_in(2)};
}

static void create(unsigned i)
{
    const struct bond_user user = {(void *)(uintptr_t)i, changed, nothing, nothing};
    const struct bond_config config = random_config();
    char name[16];

    snprintf(name, sizeof name, "bond%u", i);
    bonds[i].bond = bond_create(name, &config, &user, clock_now_ms());
    bonds[i].lport = lport_create_bond(caches.bed.bridge, bonds[i].bond);
}

static void destroy(unsigned i)
{
    lport_free_bond(bonds[i].lport);
    bond_destroy(bonds[i].bond);
    bonds[i].bond = NULL;
}

/* A member in or out. */
static void move(unsigned i)
{
    struct bridge_port *bp = bridge_port_by_ofport(caches.bed.bridge, 1 + random_below(BED_PORTS));

    if (!bp || bp->kind != BRIDGE_PORT_DEVICE)
        return;
    if (bp->lport->bond)
        lport_leave(bp);
    else
        lport_join(bonds[i].lport, bp);
}

static void change_one(unsigned i)
{
    const uint64_t now_ms = clock_now_ms();
    struct bond *bond = bonds[i].bond;
    struct bond_member *m = TAILQ_FIRST(&bond->members);
    const struct bond_config config = random_config();

    if (m && random_one_in(2))
        m = TAILQ_LAST(&bond->members, bond_members);
    switch (random_below(m ? 8 : 4)) {
    case 0:
        bond_configure(bond, &config, now_ms);
        break;
    case 1:
        bond_set_lacp(bond, random_below(BOND_LACP_NEGOTIATED + 1), now_ms);
        break;
    case 2:
    case 3:
        move(i);
        break;
    case 4:
        bond_enable(bond, m, random_one_in(2), now_ms);
        break;
    case 5:
        if (m->enabled)
            bond_make_active(bond, m, now_ms);
        break;
    case 6:
        if (m->enabled)
            bond_migrate(bond, (uint8_t)random_below(BOND_BUCKETS), m);
        break;
    case 7:
        for (unsigned bucket = 0; bucket < BOND_BUCKETS; bucket++)
            bond_account(bond, (uint8_t)bucket, random_below(1000000));
        bond_run(bond, now_ms + 10000);
        break;
    }
}

static void bond_change(void)
{
    const unsigned i = random_below(BONDS);

    if (!bonds[i].bond)
        create(i);
    else if (random_one_in(16))
        destroy(i);
    else
        change_one(i);
}

/* As src/app/apply_port.c does. */
static void vlan_change(struct bridge_port *bp)
{
    struct port_vlan *vlan = &bp->lport->vlan;

    port_vlan_init(vlan);
    vlan->mode = random_below(VLAN_MODE_NATIVE_UNTAGGED + 1);
    vlan->tag = vlan->mode == VLAN_MODE_TRUNK ? 0 : (uint16_t)(9 + random_below(3));
    if (random_one_in(2)) {
        memset(vlan->trunks, 0, sizeof vlan->trunks);
        vlan->trunks[0] = UINT64_C(1) << (9 + random_below(3));
    }
    mac_table_flush(bp->bridge->macs, bp->lport->id);
    bridge_note_port(bp, BRIDGE_PORT_VLAN);
}

static void stp_change(struct bridge_port *bp)
{
    static const uint32_t states[] = {0, PORT_STATE_BLOCKED, PORT_STATE_BLOCKED | PORT_STATE_STP_BLOCK,
                                      PORT_STATE_BLOCKED | PORT_STATE_STP_LEARN, PORT_STATE_STP_FORWARD};

    bridge_port_set_stp(bp, random_one_in(2) ? 0 : states[random_below(RTE_DIM(states))]);
}

void bonds_change(void)
{
    struct bridge *bridge = caches.bridges[random_below(caches.n_bridges)];
    struct bridge_port *bp = bridge_port_by_ofport(bridge, 1 + random_below(BED_PORTS));

    if (!bp || random_one_in(2))
        bond_change();
    else if (random_one_in(2))
        vlan_change(bp);
    else
        stp_change(bp);
}

void bonds_create(void)
{
    for (unsigned i = 0; i < BONDS; i++) {
        create(i);
        for (unsigned n = 0; n < 3; n++)
            move(i);
    }
}

void bonds_destroy(void)
{
    for (unsigned i = 0; i < BONDS; i++)
        if (bonds[i].bond)
            destroy(i);
}
