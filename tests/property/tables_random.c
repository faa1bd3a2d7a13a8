/* Random flow_mods for the model of the tables. */
#include "tests/property/tables_random.h"

#include <string.h>

#include "tests/property/random.h"

#define PICK(array) array[random_below(sizeof array / sizeof array[0])]

static const uint64_t macs[] = {0x020000000001, 0x020000000002, 0x020000010001, 0xffffffffffff};
static const uint64_t mac_masks[] = {0xffffffffffff, 0xffffffffffff, 0xffffffff0000, 0x010000000000, 0x00000000ffff};
static const uint64_t ips[] = {0x0a000001, 0x0a000002, 0x0a000101, 0x0b000001};
static const uint64_t prefixes[] = {0xffffffff, 0xffffff00, 0xff000000};
static const uint64_t l4_ports[] = {1, 80, 81, 0x8050};

static void set_column(struct row *row, enum column column, uint64_t value, uint64_t mask)
{
    row->value[column] = value & mask;
    row->mask[column] = mask;
}

static const uint64_t dscps[] = {0, 0, 10};

static void random_ip(struct row *row, bool of10)
{
    set_column(row, COLUMN_ETH_TYPE, 0x0800, 0xffff);
    if (random_one_in(6))
        set_column(row, COLUMN_IP_DSCP, PICK(dscps), 0x3f);
    if (random_one_in(3))
        set_column(row, COLUMN_IP_SRC, PICK(ips), !of10 && random_one_in(3) ? 0xff0000ff : PICK(prefixes));
    if (random_one_in(2))
        set_column(row, COLUMN_IP_DST, PICK(ips), PICK(prefixes));
    if (random_one_in(2)) {
        set_column(row, COLUMN_IP_PROTO, 17, 0xff);
        if (random_one_in(2))
            set_column(row, COLUMN_TP_DST, PICK(l4_ports), !of10 && random_one_in(3) ? 0x00f0 : 0xffff);
        if (random_one_in(4))
            set_column(row, COLUMN_TP_SRC, PICK(l4_ports), 0xffff);
    }
}

void random_row(struct row *row, bool of10)
{
    memset(row, 0, sizeof *row);
    if (random_one_in(2))
        set_column(row, COLUMN_IN_PORT, 1 + random_below(3), UINT32_MAX);
    if (!of10 && random_one_in(4))
        set_column(row, COLUMN_METADATA, random_below(4), random_one_in(2) ? 1 : UINT64_MAX);
    if (random_one_in(4))
        set_column(row, COLUMN_ETH_SRC, PICK(macs), of10 ? mac_masks[0] : PICK(mac_masks));
    if (random_one_in(4))
        set_column(row, COLUMN_ETH_DST, PICK(macs), of10 ? mac_masks[0] : PICK(mac_masks));
    switch (random_below(of10 ? 8 : 6)) {
    case 0:
        set_column(row, COLUMN_VLAN_VID, 0x1000 | (1 + random_below(2)), 0x1fff);
        break;
    case 1:
        set_column(row, COLUMN_VLAN_VID, 0x1000 | (1 + random_below(2)), 0x1fff);
        set_column(row, COLUMN_VLAN_PCP, random_below(2), 7);
        break;
    case 2:
        if (!of10)
            set_column(row, COLUMN_VLAN_VID, 0x1000, 0x1000);
        break;
    case 3:
        if (!of10)
            set_column(row, COLUMN_VLAN_VID, 0, 0x1fff);
        break;
    }
    if (random_one_in(2))
        random_ip(row, of10);
    else if (random_one_in(6))
        set_column(row, COLUMN_ETH_TYPE, 0x88b5, 0xffff);
}

/* All of a packet that OpenFlow 1.0 can match. */
static void exact_row(struct row *row)
{
    static const uint64_t masks[N_COLUMNS] = {
        [COLUMN_IN_PORT] = UINT32_MAX,
        [COLUMN_ETH_SRC] = 0xffffffffffff,
        [COLUMN_ETH_DST] = 0xffffffffffff,
        [COLUMN_VLAN_VID] = 0x1fff,
        [COLUMN_VLAN_PCP] = 7,
        [COLUMN_ETH_TYPE] = 0xffff,
        [COLUMN_IP_DSCP] = 0x3f,
        [COLUMN_IP_PROTO] = 0xff,
        [COLUMN_IP_SRC] = UINT32_MAX,
        [COLUMN_IP_DST] = UINT32_MAX,
        [COLUMN_TP_SRC] = 0xffff,
        [COLUMN_TP_DST] = 0xffff,
    };
    uint64_t packet[N_COLUMNS];

    do
        random_packet_columns(packet);
    while (packet[COLUMN_ETH_TYPE] != 0x0800 || !packet[COLUMN_VLAN_VID]);
    for (int i = 0; i < N_COLUMNS; i++)
        set_column(row, i, packet[i], masks[i]);
}

static void random_acts(struct model_acts *acts, uint8_t table_id, bool of10)
{
    memset(acts, 0, sizeof *acts);
    acts->n_outputs = (uint8_t)random_below(MODEL_OUTPUTS + 1);
    for (unsigned i = 0; i < acts->n_outputs; i++)
        acts->outputs[i] = 1 + random_below(TABLES_PORTS);
    if (of10)
        return;
    if (random_one_in(3)) {
        acts->metadata_mask = random_one_in(2) ? UINT64_MAX : 1;
        acts->metadata = random_below(4) & acts->metadata_mask;
    }
    if (random_one_in(2) && table_id + 1 < TABLES)
        acts->goto_table = (uint8_t)(table_id + 1 + random_below(TABLES - table_id - 1));
    if (random_one_in(60))
        acts->goto_table = 1; /* backwards, unless the table is 0 */
}

void random_mod(enum sender sender, const struct model *model, struct model_mod *mod)
{
    static const enum flow_mod_command commands[] = {FLOW_ADD,    FLOW_ADD,           FLOW_ADD,    FLOW_ADD,
                                                     FLOW_MODIFY, FLOW_MODIFY_STRICT, FLOW_DELETE, FLOW_DELETE_STRICT};
    bool of10 = sender == SENDER_10, of13 = sender >= SENDER_13;
    struct model_rule *rule = &mod->rule;

    memset(mod, 0, sizeof *mod);
    mod->command = PICK(commands);
    mod->of10 = !of13;
    mod->out_port = OFPORT_ANY;
    bool delete = mod->command == FLOW_DELETE || mod->command == FLOW_DELETE_STRICT;
    rule->table_id = sender == SENDER_10 ? TABLE_ALL : (uint8_t)random_below(TABLES);
    if (of13 && (delete ? random_one_in(4) : random_one_in(50)))
        rule->table_id = TABLE_ALL;
    random_row(&rule->match, of10);
    rule->priority = (uint16_t)random_below(random_one_in(4) ? 4 : 24);
    if (random_one_in(16))
        rule->priority = UINT16_MAX;
    mod->plain10 = of10;
    if (of10 && random_one_in(4))
        exact_row(&rule->match);
    /* What there is already, or a part of it. */
    if (model->n > 0 && !of10 && random_one_in(2)) {
        const struct model_rule *old = &model->rules[random_below(model->n)];

        rule->match = old->match;
        rule->priority = old->priority;
        if (rule->table_id != TABLE_ALL)
            rule->table_id = old->table_id;
    }
    rule->cookie = random_below(6);
    if (of13 && mod->command != FLOW_ADD && random_one_in(2)) {
        mod->cookie_mask = random_one_in(2) ? UINT64_MAX : 1;
    }
    if (delete &&random_one_in(4))
        mod->out_port = 1 + random_below(TABLES_PORTS);
    if (random_one_in(6))
        rule->flags |= RULE_CHECK_OVERLAP;
    if (of13 && random_one_in(4))
        rule->flags |= RULE_RESET_COUNTS;
    mod->from_zero = rule->flags & RULE_RESET_COUNTS || (mod->command == FLOW_ADD && !of13);
    if (sender >= SENDER_14)
        rule->importance = (uint16_t)random_below(3);
    if (!delete)
        random_acts(&rule->acts, rule->table_id, !of13);
    /* Everything goes, or most of it, now and then only: the tables are to be full of rules. */
    if (mod->command == FLOW_DELETE && !random_one_in(20)) {
        unsigned n = 0;

        for (unsigned i = 0; i < model->n; i++)
            n += model_filter(mod, &model->rules[i]);
        if (n > 8)
            mod->command = FLOW_DELETE_STRICT;
    }
}

void random_packet_columns(uint64_t p[N_COLUMNS])
{
    memset(p, 0, N_COLUMNS * sizeof *p);
    p[COLUMN_IN_PORT] = 1 + random_below(3);
    p[COLUMN_ETH_SRC] = PICK(macs) & ~(UINT64_C(1) << 40);
    p[COLUMN_ETH_DST] = PICK(macs);
    if (random_one_in(3)) {
        p[COLUMN_VLAN_VID] = 0x1000 | random_below(3);
        p[COLUMN_VLAN_PCP] = random_below(2);
    }
    p[COLUMN_ETH_TYPE] = 0x88b5;
    if (!random_one_in(5)) {
        p[COLUMN_ETH_TYPE] = 0x0800;
        p[COLUMN_IP_SRC] = PICK(ips);
        p[COLUMN_IP_DST] = PICK(ips);
        p[COLUMN_IP_DSCP] = PICK(dscps);
        p[COLUMN_IP_PROTO] = 17;
        p[COLUMN_TP_SRC] = PICK(l4_ports);
        p[COLUMN_TP_DST] = PICK(l4_ports);
    }
}
