/* Random rules, groups and bridges, which change; the oracle is told of all of it. */
#include <string.h>

#include "src/tables/group.h"
#include "tests/property/caches_impl.h"
#include "tests/lib/match_sets.h"

static char rule_texts[ORACLE_RULES][2048 + 1024]; /* actions[] of rule_add() and a match */

const char *world_rule_text(uint64_t cookie)
{
    return rule_texts[cookie - 1];
}

/* --- rules --------------------------------------------------------------- */

/* Clauses share priorities that other rules do not have. */
#define CLAUSE_PRIORITY(n) ((uint16_t)((n)*ORACLE_RULES + ORACLE_RULES - 1))

static bool is_clause(const struct oracle_rule *rule)
{
    return rule->priority % ORACLE_RULES == ORACLE_RULES - 1;
}

static bool is_taken(const struct oracle_rule *rule)
{
    for (unsigned i = 0; i < ORACLE_RULES; i++) {
        const struct oracle_rule *other = &caches.oracle.rules[i];

        if (other->used && other->bridge == rule->bridge && other->table_id == rule->table_id &&
            other->priority == rule->priority && match_equal(&other->match, &rule->match))
            return true;
    }
    return false;
}

/* Of each round: masks that come again and again get an index (src/upcall/rule_index.h). */
static char recurring[4][512];

static struct pipeline *pipeline_of(const struct oracle_rule *rule)
{
    return rule->bridge->pipeline;
}

/* Groups are the first bridge's. */
static uint32_t groups_for(const struct oracle_rule *rule)
{
    return rule->bridge == caches.bed.bridge ? ORACLE_GROUPS : 0;
}

static void rule_add(unsigned slot)
{
    struct oracle_rule *rule = &caches.oracle.rules[slot];
    struct flow_mod fm = {.command = FLOW_ADD, .out_port = OFPORT_ANY, .out_group = OFGROUP_ANY};
    char match[512], actions[2048], *error;

    rule->bridge = caches.bridges[random_below(caches.n_bridges)];
    rule->table_id = (uint8_t)random_below(RANDOM_TABLES);
    /* A priority of its own: which of two equals wins is not said. */
    rule->priority = (uint16_t)(random_below(8) * ORACLE_RULES + slot);
    rule->cookie = slot + 1;
    random_match(match, sizeof match);
    if (random_one_in(2))
        snprintf(match, sizeof match, "%s", recurring[random_below(4)]);
    if (random_one_in(20)) {
        match[0] = '\0';
        if (slot == 0)
            rule->priority = 0;
    }
    if (caches.learning && random_one_in(3)) {
        char more[256];

        random_learn(rule->table_id, more, sizeof more);
        random_actions(rule->table_id, caches.mpls, groups_for(rule), actions, sizeof actions / 2);
        /* Instructions, if there are any, come last. */
        memmove(actions + strlen(more) + 1, actions, strlen(actions) + 1);
        memcpy(actions, more, strlen(more));
        actions[strlen(more)] = ',';
    } else if (random_one_in(3)) {
        rule->priority = CLAUSE_PRIORITY(random_below(2) * 3);
        random_clauses(ORACLE_CONJUNCTIONS, false, actions, sizeof actions);
    } else {
        random_actions(rule->table_id, caches.mpls, groups_for(rule), actions, sizeof actions);
    }
    snprintf(rule_texts[slot], sizeof rule_texts[slot], "%s table=%u,priority=%u,%s,actions=%s", rule->bridge->name,
             rule->table_id, rule->priority, match, actions);
    error = match_parse(match, &rule->match, NULL, NULL);
    if (error) {
        /* Two values for one field. */
        free(error);
        match_init_all(&rule->match);
    }
    if (is_clause(rule) && is_taken(rule))
        return;
    act_buffer_init(&rule->acts);
    error = actions_parse(actions, &rule->acts, NULL, NULL);
    if (error)
        fail_msg("%s: %s", actions, error);
    fm.table_id = rule->table_id;
    fm.priority = rule->priority;
    fm.cookie = rule->cookie;
    fm.match = rule->match;
    fm.acts = act_buffer_list(&rule->acts);
    assert_int_equal(pipeline_flow_mod(pipeline_of(rule), &fm), 0);
    rule->used = true;
}

static void rule_modify(unsigned slot)
{
    struct oracle_rule *rule = &caches.oracle.rules[slot];
    struct flow_mod fm = {.command = FLOW_MODIFY_STRICT,
                          .out_port = OFPORT_ANY,
                          .out_group = OFGROUP_ANY,
                          .table_id = rule->table_id,
                          .priority = rule->priority,
                          .match = rule->match};
    char actions[1024];

    if (is_clause(rule) || random_one_in(10))
        random_clauses(ORACLE_CONJUNCTIONS, !is_clause(rule), actions, sizeof actions);
    else
        random_actions(rule->table_id, caches.mpls, groups_for(rule), actions, sizeof actions);
    act_buffer_free(&rule->acts);
    assert_null(actions_parse(actions, &rule->acts, NULL, NULL));
    fm.acts = act_buffer_list(&rule->acts);
    assert_int_equal(pipeline_flow_mod(pipeline_of(rule), &fm), 0);
    snprintf(rule_texts[slot], sizeof rule_texts[slot], "table=%u,priority=%u (modified),actions=%s", rule->table_id,
             rule->priority, actions);
}

static void rule_delete(unsigned slot)
{
    struct oracle_rule *rule = &caches.oracle.rules[slot];
    struct flow_mod fm = {.command = FLOW_DELETE_STRICT,
                          .out_port = OFPORT_ANY,
                          .out_group = OFGROUP_ANY,
                          .table_id = rule->table_id,
                          .priority = rule->priority,
                          .match = rule->match};

    assert_int_equal(pipeline_flow_mod(pipeline_of(rule), &fm), 0);
    act_buffer_free(&rule->acts);
    rule->used = false;
}

/* --- groups -------------------------------------------------------------- */

static void group_set(uint32_t id, enum group_command command)
{
    struct oracle_group *group = &caches.oracle.groups[id];
    struct bucket buckets[ORACLE_BUCKETS];
    struct group_mod mod = {.command = command, .group_id = id, .buckets = buckets};

    for (unsigned i = 0; i < group->n_buckets; i++)
        act_buffer_free(&group->acts[i]);
    group->type = (uint8_t)random_below(GROUP_N_TYPES);
    if (group->type == GROUP_SELECT && random_one_in(2))
        group->type = GROUP_ALL; /* of those nothing is known but that the caches agree */
    group->n_buckets = group->type == GROUP_INDIRECT ? 1 : random_below(ORACLE_BUCKETS + 1);
    for (unsigned i = 0; i < group->n_buckets; i++) {
        char text[256];

        random_bucket(id, ORACLE_GROUPS, text, sizeof text);
        act_buffer_init(&group->acts[i]);
        assert_null(actions_parse(text, &group->acts[i], NULL, NULL));
        group->watch_port[i] = 1 + random_below(BED_PORTS);
        buckets[i] = (struct bucket){.id = i,
                                     .weight = group->type == GROUP_SELECT ? (uint16_t)random_below(4) : 0,
                                     .watch_port = group->type == GROUP_FF ? group->watch_port[i] : OFPORT_ANY,
                                     .watch_group = OFGROUP_ANY,
                                     .acts = act_buffer_list(&group->acts[i])};
    }
    mod.type = group->type;
    mod.n_buckets = group->n_buckets;
    assert_int_equal(group_table_mod(pipeline_groups(caches.bed.bridge->pipeline), &mod), 0);
}

/* The caches.oracle takes over caches.what was learned. */
void world_sync_macs(void)
{
    const struct mac_entry *entry;

    caches.oracle.n_macs = 0;
    for (unsigned i = 0; i < caches.n_bridges; i++) {
        size_t position = 0;

        while ((entry = mac_table_next(caches.bridges[i]->macs, &position)))
            caches.oracle.macs[caches.oracle.n_macs++] =
                (struct oracle_mac){caches.bridges[i], entry->mac, entry->vlan, entry->lport};
    }
}

/* --- mirrors ------------------------------------------------------------- */

/* Places of a mirror and the oracle's agree, because all of them are always there. */
static void mirror_set(unsigned bridge, unsigned i)
{
    struct oracle_mirror *mirror = &caches.oracle.mirrors[bridge][i];

    *mirror = (struct oracle_mirror){
        .all = random_one_in(4),
        .src = 1u << random_below(BED_PORTS + 2),
        .dst = 1u << random_below(BED_PORTS + 2),
        .vlan = random_one_in(3) ? (int)(9 + random_below(3)) : -1,
        .out = random_one_in(3) ? 0 : 1 + random_below(BED_PORTS + 1),
        .out_vlan = (uint16_t)(10 + random_below(3)),
    };
}

/* Names of ports end in their numbers, and who has no such port is called as nobody is. */
static const char *port_name(const struct bridge *bridge, uint32_t ofport)
{
    const struct bridge_port *bp = bridge_port_by_ofport(bridge, ofport);

    return bp ? lport_name(bp->lport) : "nobody";
}

static void mirrors_apply(unsigned n)
{
    struct bridge *bridge = caches.bridges[n];
    struct mirror_config configs[ORACLE_MIRRORS];
    const char *src[ORACLE_MIRRORS], *dst[ORACLE_MIRRORS];
    static const char *const names[ORACLE_MIRRORS] = {"m0", "m1", "m2"};

    for (unsigned i = 0; i < ORACLE_MIRRORS; i++) {
        const struct oracle_mirror *mirror = &caches.oracle.mirrors[n][i];

        src[i] = port_name(bridge, (uint32_t)__builtin_ctz(mirror->src));
        dst[i] = port_name(bridge, (uint32_t)__builtin_ctz(mirror->dst));
        configs[i] = (struct mirror_config){
            .name = names[i],
            .select_all = mirror->all,
            .select_src_port = &src[i],
            .n_select_src_port = 1,
            .select_dst_port = &dst[i],
            .n_select_dst_port = 1,
            .select_vlan = &mirror->vlan,
            .n_select_vlan = mirror->vlan >= 0,
            .output_port = mirror->out ? port_name(bridge, mirror->out) : NULL,
            .output_vlan = mirror->out ? MIRROR_NO_VLAN : mirror->out_vlan,
        };
    }
    mirrors_set(bridge, configs, ORACLE_MIRRORS);
    world_sync_macs();
}

static void mirrors_create(void)
{
    for (unsigned n = 0; n < caches.n_bridges && caches.mirrors; n++) {
        for (unsigned i = 0; i < ORACLE_MIRRORS; i++)
            mirror_set(n, i);
        mirrors_apply(n);
    }
}

static void mirrors_change(void)
{
    const unsigned n = random_below(caches.n_bridges);

    mirror_set(n, random_below(ORACLE_MIRRORS));
    mirrors_apply(n);
}

/* --- caches.bridges ------------------------------------------------------ */

/* Pairs of patch ports: {bridge, OpenFlow port} each. The names end in the numbers. */
static const struct cable {
    uint8_t bridge[2], ofport[2];
} cables[] = {{{0, 1}, {4, 4}}, {{1, 2}, {5, 4}}, {{2, 0}, {5, 5}}};

static void cable_end_add(const struct cable *cable, unsigned end)
{
    char name[16], peer[16];
    const char *why;

    snprintf(name, sizeof name, "patch%u.%u", cable->bridge[end], cable->ofport[end]);
    snprintf(peer, sizeof peer, "patch%u.%u", cable->bridge[!end], cable->ofport[!end]);
    assert_non_null(
        bridge_port_add(caches.bridges[cable->bridge[end]],
                        &(struct bridge_port_params){
                            .kind = BRIDGE_PORT_PATCH, .name = name, .ofport = cable->ofport[end], .peer = peer},
                        &why));
}

/* Takes an end away, or brings it back. */
static void cable_change(void)
{
    const struct cable *cable = &cables[random_below(RTE_DIM(cables))];
    unsigned end = random_below(2);
    struct bridge_port *bp;

    if (cable->bridge[0] >= caches.n_bridges || cable->bridge[1] >= caches.n_bridges)
        return;
    bp = bridge_port_by_ofport(caches.bridges[cable->bridge[end]], cable->ofport[end]);
    if (bp)
        bridge_port_remove(bp);
    else
        cable_end_add(cable, end);
    /* A name that was nobody's may be somebody's now. */
    for (unsigned n = 0; n < caches.n_bridges && caches.mirrors; n++)
        mirrors_apply(n);
    world_sync_macs();
}

static void device_add(struct bridge *bridge, uint32_t ofport)
{
    struct fake_port *fake = fake_port_create(1024);
    const char *why;
    char name[PORT_NAME_MAX + 16];

    fake->port.ops = bed_ops();
    snprintf(name, sizeof name, "%s.%u", bridge->name, ofport);
    assert_int_equal(datapath_port_add(caches.bed.dp, &fake->port), 0);
    assert_non_null(bridge_port_add(
        bridge, &(struct bridge_port_params){.port = &fake->port, .name = name, .ofport = ofport}, &why));
    caches.last_index = RTE_MAX(caches.last_index, fake->port.index);
}

/* The first bridge's ports 4 and 5 make room for cables. */
static void bridges_create(void)
{
    caches.bridges[0] = caches.bed.bridge;
    caches.last_index = BED_PORTS;
    for (unsigned i = 1; i < caches.n_bridges; i++) {
        char name[8];

        snprintf(name, sizeof name, "br%u", i);
        caches.bridges[i] = bridge_create(name, i + 1, caches.bed.dp);
        flows_attach(caches.bed.flows, caches.bridges[i]);
        device_add(caches.bridges[i], 1);
        device_add(caches.bridges[i], 2);
    }
    if (caches.tunnels) {
        bridge_port_remove(bridge_port_by_ofport(caches.bed.bridge, 5));
        bridge_port_remove(bridge_port_by_ofport(caches.bed.bridge, 4));
    } else if (caches.n_bridges > 1) {
        for (uint32_t ofport = 4; ofport <= BED_PORTS; ofport++)
            bridge_port_remove(bridge_port_by_ofport(caches.bed.bridge, ofport));
    }
    for (unsigned i = 0; i < RTE_DIM(cables); i++) {
        for (unsigned end = 0; end < 2 && RTE_MAX(cables[i].bridge[0], cables[i].bridge[1]) < caches.n_bridges; end++)
            cable_end_add(&cables[i], end);
    }
    caches.oracle.n_bridges = caches.n_bridges;
    for (unsigned i = 0; i < caches.n_bridges; i++)
        caches.oracle.bridges[i] = caches.bridges[i];
    if (caches.tunnels)
        tunnels_create_all();
    if (caches.bonds)
        bonds_create();
    mirrors_create();
}

static void bridges_destroy(void)
{
    for (unsigned i = 1; i < caches.n_bridges; i++) {
        bed_forget_bridge(&caches.bed, caches.bridges[i]);
        bridge_destroy(caches.bridges[i]);
    }
}

static void rule_change(void)
{
    const unsigned slot = random_below(64);

    if (!caches.oracle.rules[slot].used)
        rule_add(slot);
    else if (random_one_in(2))
        rule_modify(slot);
    else
        rule_delete(slot);
}

void world_change(void)
{
    struct bridge *bridge = caches.bridges[random_below(caches.n_bridges)];
    struct bridge_port *bp = bridge_port_by_ofport(bridge, 1 + random_below(BED_PORTS));

    caches.totals.changes++;
    switch (random_below(12)) {
    case 0:
    case 11: {
        static const uint32_t bits[] = {PORT_CONFIG_NO_FLOOD, PORT_CONFIG_NO_FWD, PORT_CONFIG_NO_RECV,
                                        PORT_CONFIG_DOWN};
        uint32_t bit = bits[random_below(4)];

        if (bp)
            bridge_port_set_config(bp, random_one_in(3) ? bit : 0, bit);
        break;
    }
    case 1:
        mac_table_flush(bridge->macs, OFPORT_ANY);
        bridge_note(bridge);
        world_sync_macs();
        break;
    case 9:
        if (caches.n_bridges > 1)
            cable_change();
        if (caches.tunnels)
            tunnels_change();
        break;
    case 8:
        if (caches.mirrors)
            mirrors_change();
        break;
    case 10:
        group_set(1 + random_below(ORACLE_GROUPS), GROUP_MODIFY);
        break;
    case 2:
    case 3:
        if (caches.bonds)
            bonds_change();
        else
            rule_change();
        break;
    default:
        rule_change();
    }
}

static void vlan_mode(uint32_t ofport, enum vlan_mode mode, uint16_t tag)
{
    struct bridge_port *bp = bridge_port_by_ofport(caches.bed.bridge, ofport);

    if (!bp)
        return;
    bp->lport->vlan.mode = mode;
    bp->lport->vlan.tag = tag;
}

static void vlan_modes(void)
{
    vlan_mode(3, VLAN_MODE_ACCESS, 10);
    vlan_mode(4, VLAN_MODE_NATIVE_UNTAGGED, 11);
    vlan_mode(5, VLAN_MODE_NATIVE_TAGGED, 10);
}

void world_create(const struct bed_params *params, unsigned n_rules)
{
    bed_create(&caches.bed, caches.pool, params);
    memset(&caches.oracle, 0, sizeof caches.oracle);
    bridges_create();
    vlan_modes();
    for (unsigned i = 0; i < 4; i++)
        random_match(recurring[i], sizeof recurring[i]);
    for (uint32_t id = ORACLE_GROUPS; id > 0; id--)
        group_set(id, GROUP_ADD);
    for (unsigned i = 0; i < n_rules; i++)
        rule_add(i);
    bed_settle(&caches.bed);
}

void world_destroy(void)
{
    for (unsigned i = 0; i < ORACLE_RULES; i++) {
        if (caches.oracle.rules[i].used)
            act_buffer_free(&caches.oracle.rules[i].acts);
    }
    for (uint32_t id = 1; id <= ORACLE_GROUPS; id++) {
        for (unsigned i = 0; i < caches.oracle.groups[id].n_buckets; i++)
            act_buffer_free(&caches.oracle.groups[id].acts[i]);
    }
    if (caches.tunnels)
        tunnels_destroy_ports();
    if (caches.bonds)
        bonds_destroy();
    bridges_destroy();
    bed_destroy(&caches.bed);
    if (caches.tunnels)
        tunnels_destroy_all();
}
