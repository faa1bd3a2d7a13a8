/* bond/: bonds and their members, with Open vSwitch's names and text. Control thread. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "pmd/base/clock.h"
#include "src/agents/bond_agent.h"
#include "src/app/status.h"
#include "src/control/commands.h"

#define MAC_FMT "%02x:%02x:%02x:%02x:%02x:%02x"

/* Times that are past are 0. */
static uint64_t ms_until(uint64_t at_ms)
{
    const uint64_t now_ms = clock_now_ms();

    return at_ms > now_ms ? at_ms - now_ms : 0;
}

static void list(void *arg, struct lport *lport)
{
    struct control_reply *reply = arg;
    const struct bond *bond = lport->bond;
    const struct bond_member *m;

    /* One hash serves all modes: there is no recirculation that is the bond's own. */
    control_printf(reply, "%s\t%s\t%d\t", bond->name, bond_mode_name(bond->config.mode), 0);
    TAILQ_FOREACH (m, &bond->members, node)
        control_printf(reply, "%s%s", m == TAILQ_FIRST(&bond->members) ? "" : ", ", m->name);
    control_printf(reply, "\n");
    json_array_append_new(reply->json, command_bond_json(lport));
}

static void cmd_list(void *arg, int argc, const char *const *argv, struct control_reply *reply)
{
    const struct sluice *sw = arg;

    reply->json = json_array();
    control_printf(reply, "bond\ttype\trecircID\tmembers\n");
    bond_agent_for_each(sw->bonds, list, reply);
}

static json_t *member_json(const struct bond *bond, const struct bond_member *m)
{
    json_t *hashes = json_object();
    char number[8];

    for (unsigned i = 0; i < BOND_BUCKETS; i++) {
        if (bond->buckets[i].member != m || bond->buckets[i].bytes == 0)
            continue;
        snprintf(number, sizeof number, "%u", i);
        json_object_set_new(hashes, number, json_integer((json_int_t)bond->buckets[i].bytes));
    }
    return json_pack("{s:s,s:b,s:b,s:b,s:o}", "name", m->name, "enabled", (int)m->enabled, "may_enable", (int)m->up,
                     "active", (int)(m == bond->active), "bytes_by_hash", hashes);
}

json_t *command_bond_json(const struct lport *lport)
{
    const struct bond *bond = lport->bond;
    const struct bond_config *config = &bond->config;
    const struct bond_member *m;
    json_t *members = json_array();

    TAILQ_FOREACH (m, &bond->members, node)
        json_array_append_new(members, member_json(bond, m));
    return json_pack("{s:s,s:s,s:s,s:s,s:I,s:I,s:I,s:I,s:o}", "name", bond->name, "bridge", lport->bridge->name, "mode",
                     bond_mode_name(config->mode), "lacp_status", bond_lacp_name(bond->lacp), "updelay_ms",
                     (json_int_t)config->up_delay_ms, "downdelay_ms", (json_int_t)config->down_delay_ms, "hash_basis",
                     (json_int_t)config->basis, "rebalance_ms", (json_int_t)config->rebalance_ms, "members", members);
}

static void show_member(struct control_reply *reply, const struct bond *bond, const struct bond_member *m)
{
    control_printf(reply, "\nmember %s: %s\n", m->name, m->enabled ? "enabled" : "disabled");
    if (m == bond->active)
        control_printf(reply, "  active member\n");
    if (m->due_ms != UINT64_MAX)
        control_printf(reply, "  %s expires in %" PRIu64 " ms\n", m->enabled ? "downdelay" : "updelay",
                       ms_until(m->due_ms));
    control_printf(reply, "  may_enable: %s\n", m->up ? "true" : "false");
    if (!bond_is_balanced(bond))
        return;
    for (unsigned i = 0; i < BOND_BUCKETS; i++)
        if (bond->buckets[i].member == m && bond->buckets[i].bytes >= 1024)
            control_printf(reply, "  hash %u: %" PRIu64 " kB load\n", i, bond->buckets[i].bytes / 1024);
}

static void show(void *arg, struct lport *lport)
{
    const struct bond *bond = lport->bond;
    const struct bond_config *config = &bond->config;
    const uint8_t *b = bond->active_mac.addr_bytes;
    struct control_reply *reply = arg;
    const struct bond_member *m;

    control_printf(reply,
                   "---- %s ----\n"
                   "bond_mode: %s\n"
                   "bond may use recirculation: %s, Recirc-ID : %d\n"
                   "bond-hash-basis: %" PRIu32 "\n"
                   "lb_output action: disabled, bond-id: -1\n",
                   bond->name, bond_mode_name(config->mode), bond_way(bond) == BOND_BY_FLOW ? "yes" : "no", -1,
                   config->basis);
    if (config->mode == BOND_BALANCE_SLB)
        control_printf(reply, "all members active: %s\n", config->all_members_active ? "true" : "false");
    control_printf(reply, "updelay: %" PRIu32 " ms\ndowndelay: %" PRIu32 " ms\n", config->up_delay_ms,
                   config->down_delay_ms);
    if (bond_is_balanced(bond))
        control_printf(reply, "next rebalance: %" PRIu64 " ms\n", ms_until(bond->rebalance_at_ms));
    control_printf(reply,
                   "lacp_status: %s\n"
                   "lacp_fallback_ab: %s\n"
                   "active-backup primary: %s%s\n"
                   "active member mac: " MAC_FMT "(%s)\n",
                   bond_lacp_name(bond->lacp), config->fallback ? "true" : "false",
                   config->primary[0] ? config->primary : "<none>",
                   config->primary[0] && !bond_find(bond, config->primary) ? " (no such member)" : "", b[0], b[1], b[2],
                   b[3], b[4], b[5], bond->active ? bond->active->name : "none");
    TAILQ_FOREACH (m, &bond->members, node)
        show_member(reply, bond, m);
    control_printf(reply, "\n");
    json_array_append_new(reply->json, command_bond_json(lport));
}

/* NULL: failed. */
static struct bond *find_bond(struct sluice *sw, const char *name, struct control_reply *reply)
{
    struct lport *lport = bond_agent_find(sw->bonds, name);

    if (!lport)
        control_fail(reply, "no such bond");
    return lport ? lport->bond : NULL;
}

static struct bond_member *find_member(const struct bond *bond, const char *name, struct control_reply *reply)
{
    struct bond_member *m = bond_find(bond, name);

    if (!m)
        control_fail(reply, "no such member");
    return m;
}

static void cmd_show(void *arg, int argc, const char *const *argv, struct control_reply *reply)
{
    struct sluice *sw = arg;

    reply->json = json_array();
    if (argc < 2)
        bond_agent_for_each(sw->bonds, show, reply);
    else if (find_bond(sw, argv[1], reply))
        show(reply, bond_agent_find(sw->bonds, argv[1]));
}

static void cmd_migrate(void *arg, int argc, const char *const *argv, struct control_reply *reply)
{
    struct bond *bond = find_bond(arg, argv[1], reply);
    struct bond_member *m;

    if (!bond)
        return;
    if (bond->config.mode != BOND_BALANCE_SLB) {
        control_fail(reply, "not an SLB bond");
        return;
    }
    if (argv[2][strspn(argv[2], "0123456789")]) {
        control_fail(reply, "bad hash");
        return;
    }
    m = find_member(bond, argv[3], reply);
    if (!m)
        return;
    if (!m->enabled) {
        control_fail(reply, "cannot migrate to disabled member");
        return;
    }
    bond_migrate(bond, (uint8_t)(strtoul(argv[2], NULL, 10) % BOND_BUCKETS), m);
    control_printf(reply, "migrated\n");
}

static void cmd_set_active(void *arg, int argc, const char *const *argv, struct control_reply *reply)
{
    struct bond *bond = find_bond(arg, argv[1], reply);
    struct bond_member *m = bond ? find_member(bond, argv[2], reply) : NULL;

    if (!m)
        return;
    if (!m->enabled)
        control_fail(reply, "cannot make disabled member active");
    else
        control_printf(reply, bond_make_active(bond, m, clock_now_ms()) ? "done\n" : "no change\n");
}

static void enable(void *arg, const char *const *argv, struct control_reply *reply, bool on)
{
    struct bond *bond = find_bond(arg, argv[1], reply);
    struct bond_member *m = bond ? find_member(bond, argv[2], reply) : NULL;

    if (!m)
        return;
    bond_enable(bond, m, on, clock_now_ms());
    control_printf(reply, on ? "enabled\n" : "disabled\n");
}

static void cmd_enable(void *arg, int argc, const char *const *argv, struct control_reply *reply)
{
    enable(arg, argv, reply, true);
}

static void cmd_disable(void *arg, int argc, const char *const *argv, struct control_reply *reply)
{
    enable(arg, argv, reply, false);
}

static bool parse_number(const char *text, uint32_t most, uint32_t *number)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);

    *number = (uint32_t)value;
    return text[0] >= '0' && text[0] <= '9' && !*end && value <= most;
}

static void cmd_hash(void *arg, int argc, const char *const *argv, struct control_reply *reply)
{
    struct rte_ether_addr mac;
    uint32_t vlan = 0, basis = 0;

    if (argc > 2 && !parse_number(argv[2], 4095, &vlan))
        control_fail(reply, "invalid vlan");
    else if (argc > 3 && !parse_number(argv[3], UINT32_MAX, &basis))
        control_fail(reply, "invalid basis");
    else if (rte_ether_unformat_addr(argv[1], &mac))
        control_fail(reply, "invalid mac");
    else
        control_printf(reply, "%u\n", bond_hash_source(&mac, (uint16_t)vlan, basis) % BOND_BUCKETS);
}

void commands_register_bond(struct control *control, struct sluice *sw)
{
    control_register(control, "bond/list", "", 0, 0, cmd_list, sw);
    control_register(control, "bond/show", "[port]", 0, 1, cmd_show, sw);
    control_register(control, "bond/migrate", "port hash member", 3, 3, cmd_migrate, sw);
    control_register(control, "bond/set-active-member", "port member", 2, 2, cmd_set_active, sw);
    control_register(control, "bond/set-active-slave", "port member", 2, 2, cmd_set_active, sw);
    control_register(control, "bond/enable-member", "port member", 2, 2, cmd_enable, sw);
    control_register(control, "bond/enable-slave", "port member", 2, 2, cmd_enable, sw);
    control_register(control, "bond/disable-member", "port member", 2, 2, cmd_disable, sw);
    control_register(control, "bond/disable-slave", "port member", 2, 2, cmd_disable, sw);
    control_register(control, "bond/hash", "mac [vlan] [basis]", 1, 3, cmd_hash, sw);
}
