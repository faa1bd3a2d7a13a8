/* fdb/show and fdb/flush: the MAC addresses that a bridge has learned. Control thread. */
#include <inttypes.h>

#include "pmd/base/clock.h"
#include "src/control/commands.h"
#include "src/match/flow.h"

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
        if (e->lport == OFPORT_LOCAL)
            snprintf(port, sizeof port, "LOCAL");
        else
            snprintf(port, sizeof port, "%" PRIu32, e->lport);
        int64_t age = now > e->seen_ms ? (int64_t)(now - e->seen_ms) / 1000 : 0;
        control_printf(reply, "%5s  %4u  %s  %3" PRId64 "\n", port, e->vlan, mac, age);
        json_array_append_new(reply->json, json_pack("{s:s,s:i,s:s,s:I}", "port", port, "vlan", (int)e->vlan, "mac",
                                                     mac, "age_s", (json_int_t)age));
    }
}

static void cmd_flush(void *arg, int argc, const char *const *argv, struct control_reply *reply)
{
    struct sluice *sw = arg;
    struct bridge *br = command_bridge(sw, argc, argv, 1, reply);

    if (!br)
        return;
    mac_table_flush(br->macs, OFPORT_ANY);
    bridge_note(br);
    control_printf(reply, "table successfully flushed\n");
}

void commands_register_fdb(struct control *control, struct sluice *sw)
{
    control_register(control, "fdb/show", "[bridge]", 0, 1, cmd_show, sw);
    control_register(control, "fdb/flush", "[bridge]", 0, 1, cmd_flush, sw);
}
