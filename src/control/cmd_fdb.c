/* fdb/: the MAC addresses that a bridge has learned, and those that operators gave it. Control thread. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "pmd/base/clock.h"
#include "src/control/commands.h"
#include "src/match/flow.h"

/* A bond has that of its first member, as in OVS. */
static uint32_t number_of(const struct bridge *br, uint32_t id)
{
    const struct lport *lport = bridge_lport_by_id(br, id);
    const struct bond_member *first = lport && lport->bond ? TAILQ_FIRST(&lport->bond->members) : NULL;

    return first ? ((const struct bridge_port *)first->port)->ofport : id;
}

/* The columns of OVS's fdb/show. */
static void cmd_show(void *arg, int argc, const char *const *argv, struct control_reply *reply)
{
    struct bridge *br = command_bridge(arg, argc, argv, 1, reply);

    if (!br)
        return;
    uint64_t now = clock_now_ms();
    reply->json = json_array();
    control_printf(reply, " port  VLAN  MAC                Age\n");
    const struct mac_entry *e;
    size_t position = 0;
    while ((e = mac_table_next(br->macs, &position))) {
        char mac[RTE_ETHER_ADDR_FMT_SIZE], port[16];
        const uint8_t *b = e->mac.addr_bytes;
        snprintf(mac, sizeof mac, "%02x:%02x:%02x:%02x:%02x:%02x", b[0], b[1], b[2], b[3], b[4], b[5]);
        uint32_t ofport = number_of(br, e->lport);
        if (ofport == OFPORT_LOCAL)
            snprintf(port, sizeof port, "LOCAL");
        else
            snprintf(port, sizeof port, "%" PRIu32, ofport);
        int64_t age = now > e->seen_ms ? (int64_t)(now - e->seen_ms) / 1000 : 0;
        if (e->is_static)
            control_printf(reply, "%5s  %4u  %s  static\n", port, e->vlan, mac);
        else
            control_printf(reply, "%5s  %4u  %s  %3" PRId64 "\n", port, e->vlan, mac, age);
        json_array_append_new(reply->json,
                              json_pack("{s:s,s:i,s:s,s:I,s:b}", "port", port, "vlan", (int)e->vlan, "mac", mac,
                                        "age_s", (json_int_t)(e->is_static ? 0 : age), "static", (int)e->is_static));
    }
}

/* Calls `fn` for the bridge that argv[1] names, or for all. */
static void for_bridges(struct sluice *sw, int argc, const char *const *argv, struct control_reply *reply,
                        void (*fn)(struct bridge *br))
{
    struct bridge *br;

    if (argc > 1 && !command_bridge(sw, argc, argv, 1, reply))
        return;
    TAILQ_FOREACH (br, &sw->bridges, node)
        if (argc < 2 || !strcmp(argv[1], br->name))
            fn(br);
}

static void flush(struct bridge *br)
{
    mac_table_flush(br->macs, OFPORT_ANY);
    bridge_note(br);
}

static void cmd_flush(void *arg, int argc, const char *const *argv, struct control_reply *reply)
{
    for_bridges(arg, argc, argv, reply, flush);
    if (!reply->failed)
        control_printf(reply, "table successfully flushed\n");
}

static bool parse_address(const char *vlan_text, const char *mac_text, uint16_t *vlan, struct rte_ether_addr *mac,
                          struct control_reply *reply)
{
    char *end;
    unsigned long n = strtoul(vlan_text, &end, 10);

    if (*end || end == vlan_text || n > 4095) {
        control_fail(reply, "%s: not a VLAN: 0 to 4095", vlan_text);
        return false;
    }
    if (rte_ether_unformat_addr(mac_text, mac)) {
        control_fail(reply, "%s: not an Ethernet address", mac_text);
        return false;
    }
    *vlan = (uint16_t)n;
    return true;
}

static void cmd_add(void *arg, int argc, const char *const *argv, struct control_reply *reply)
{
    struct bridge *br = command_bridge(arg, argc, argv, 1, reply);
    struct rte_ether_addr mac;
    uint32_t ofport;
    uint16_t vlan;

    if (!br)
        return;
    const struct bridge_port *bp = bridge_ofport_parse(br, argv[2], &ofport) ? bridge_port_by_ofport(br, ofport) : NULL;
    if (!bp) {
        control_fail(reply, "%s: no such port of %s", argv[2], br->name);
        return;
    }
    if (!parse_address(argv[3], argv[4], &vlan, &mac, reply))
        return;
    if (!mac_table_set_static(br->macs, &mac, vlan, bp->lport->id))
        control_fail(reply, "%s: %s", argv[4],
                     rte_is_multicast_ether_addr(&mac) ? "a group address is at no single port"
                                                       : "the table is full of static entries");
}

static void cmd_del(void *arg, int argc, const char *const *argv, struct control_reply *reply)
{
    struct bridge *br = command_bridge(arg, argc, argv, 1, reply);
    struct rte_ether_addr mac;
    uint16_t vlan;

    if (!br || !parse_address(argv[2], argv[3], &vlan, &mac, reply))
        return;
    if (!mac_table_remove_static(br->macs, &mac, vlan))
        control_fail(reply, "could not find static mac entry");
}

static void cmd_stats_show(void *arg, int argc, const char *const *argv, struct control_reply *reply)
{
    struct bridge *br = command_bridge(arg, argc, argv, 1, reply);
    struct mac_table_stats st;

    if (!br)
        return;
    mac_table_get_stats(br->macs, &st);
    control_printf(reply,
                   "Statistics for bridge \"%s\":\n"
                   "  Current/maximum MAC entries in the table: %" PRIu32 "/%" PRIu32 "\n"
                   "  Current static MAC entries in the table : %" PRIu32 "\n"
                   "  Total number of learned MAC entries     : %" PRIu64 "\n"
                   "  Total number of expired MAC entries     : %" PRIu64 "\n"
                   "  Total number of evicted MAC entries     : %" PRIu64 "\n"
                   "  Total number of port moved MAC entries  : %" PRIu64 "\n",
                   br->name, st.entries, st.max_entries, st.statics, st.learned, st.expired, st.evicted, st.moved);
    reply->json =
        json_pack("{s:I,s:I,s:I,s:I,s:I,s:I,s:I}", "entries", (json_int_t)st.entries, "max_entries",
                  (json_int_t)st.max_entries, "static", (json_int_t)st.statics, "learned", (json_int_t)st.learned,
                  "expired", (json_int_t)st.expired, "evicted", (json_int_t)st.evicted, "moved", (json_int_t)st.moved);
}

static void clear_stats(struct bridge *br)
{
    mac_table_clear_stats(br->macs);
}

static void cmd_stats_clear(void *arg, int argc, const char *const *argv, struct control_reply *reply)
{
    for_bridges(arg, argc, argv, reply, clear_stats);
    if (!reply->failed)
        control_printf(reply, "statistics successfully cleared\n");
}

void commands_register_fdb(struct control *control, struct sluice *sw)
{
    control_register(control, "fdb/add", "bridge port vlan mac", 4, 4, cmd_add, sw);
    control_register(control, "fdb/del", "bridge vlan mac", 3, 3, cmd_del, sw);
    control_register(control, "fdb/flush", "[bridge]", 0, 1, cmd_flush, sw);
    control_register(control, "fdb/show", "bridge", 0, 1, cmd_show, sw);
    control_register(control, "fdb/stats-clear", "[bridge]", 0, 1, cmd_stats_clear, sw);
    control_register(control, "fdb/stats-show", "bridge", 0, 1, cmd_stats_show, sw);
}
