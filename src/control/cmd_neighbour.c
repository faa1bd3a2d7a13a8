/* tnl/neigh/, tnl/arp/: the neighbours that tunnels' outer packets are sent to; tnl/next-hops: where they go;
 * tnl/egress_port_range: from which UDP ports. Control thread. */
#include <arpa/inet.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "pmd/base/clock.h"
#include "pmd/base/memory.h"
#include "src/agents/underlay.h"
#include "src/control/commands.h"
#include "src/tunnel/neighbour.h"
#include "src/tunnel/next_hop.h"

static const char *format_address(const struct in6_addr *address, char text[INET6_ADDRSTRLEN])
{
    if (IN6_IS_ADDR_V4MAPPED(address))
        return inet_ntop(AF_INET, &address->s6_addr[12], text, INET6_ADDRSTRLEN);
    return inet_ntop(AF_INET6, address, text, INET6_ADDRSTRLEN);
}

static bool parse_address(const char *text, struct in6_addr *address)
{
    struct in_addr v4;

    if (inet_pton(AF_INET, text, &v4) != 1)
        return inet_pton(AF_INET6, text, address) == 1;
    *address = (struct in6_addr){.s6_addr = {[10] = 0xff, [11] = 0xff}};
    memcpy(&address->s6_addr[12], &v4, sizeof v4);
    return true;
}

static const char *format_mac(const struct rte_ether_addr *mac, char text[18])
{
    const uint8_t *b = mac->addr_bytes;

    snprintf(text, 18, "%02x:%02x:%02x:%02x:%02x:%02x", b[0], b[1], b[2], b[3], b[4], b[5]);
    return text;
}

/* A listing under way. */
struct show {
    const struct sluice *sw;
    size_t position;
    bool begun;
};

static void stream(const struct sluice *sw, struct control_reply *reply,
                   bool (*more)(void *arg, struct control_reply *reply))
{
    struct show *show = calloc(1, sizeof *show);

    if (!show)
        out_of_memory("a command", 0);
    show->sw = sw;
    reply->stream = (struct control_stream){.more = more, .end = free, .arg = show};
}

/* --- neighbours ---------------------------------------------------------- */

static const char *const sources[] = {
    [NEIGHBOUR_SNOOPED] = "snooped",
    [NEIGHBOUR_KERNEL] = "kernel",
    [NEIGHBOUR_SET] = "set",
};

static void show_neighbour(const struct neighbour *neighbour, struct control_reply *reply)
{
    uint64_t now_ms = clock_now_ms();
    char ip[INET6_ADDRSTRLEN], mac[18];

    format_address(&neighbour->ip, ip);
    format_mac(&neighbour->mac, mac);
    if (!reply->as_json) {
        control_printf(reply, "%-*s%s   %s\n", INET6_ADDRSTRLEN, ip, mac, neighbour->bridge->name);
        return;
    }
    uint64_t left_ms = neighbour->expires_ms > now_ms ? neighbour->expires_ms - now_ms : 0;
    control_element(reply, json_pack("{s:s,s:s,s:s,s:s,s:I}", "ip", ip, "mac", mac, "bridge", neighbour->bridge->name,
                                     "source", sources[neighbour->source], "expires_s", (json_int_t)(left_ms / 1000)));
}

static bool show_more_neighbours(void *arg, struct control_reply *reply)
{
    const struct neighbour *neighbour;
    struct show *show = arg;

    if (!show->begun && !reply->as_json)
        control_printf(reply, "IP                                            MAC                 Bridge\n"
                              "==========================================================================\n");
    show->begun = true;
    neighbour = neighbours_next(show->sw->underlay->neighbours, &show->position);
    if (neighbour)
        show_neighbour(neighbour, reply);
    return neighbour;
}

static void cmd_show(void *arg, int argc, const char *const *argv, struct control_reply *reply)
{
    stream(arg, reply, show_more_neighbours);
}

static void cmd_set(void *arg, int argc, const char *const *argv, struct control_reply *reply)
{
    struct bridge *br = command_bridge(arg, argc, argv, 1, reply);
    const struct sluice *sw = arg;
    struct rte_ether_addr mac;
    struct in6_addr ip;

    if (!br)
        return;
    if (!parse_address(argv[2], &ip)) {
        control_fail(reply, "bad IP address");
        return;
    }
    if (rte_ether_unformat_addr(argv[3], &mac) || rte_is_multicast_ether_addr(&mac)) {
        control_fail(reply, "bad MAC address");
        return;
    }
    neighbours_tell(sw->underlay->neighbours, br, &ip, &mac, NEIGHBOUR_SET);
    control_printf(reply, "OK\n");
}

static void cmd_flush(void *arg, int argc, const char *const *argv, struct control_reply *reply)
{
    const struct sluice *sw = arg;

    neighbours_flush(sw->underlay->neighbours);
    control_printf(reply, "OK\n");
}

static void cmd_aging(void *arg, int argc, const char *const *argv, struct control_reply *reply)
{
    const struct sluice *sw = arg;
    char *end;

    if (argc < 2) {
        control_printf(reply, "%" PRIu32 "\n", neighbours_aging(sw->underlay->neighbours));
        reply->json = json_integer(neighbours_aging(sw->underlay->neighbours));
        return;
    }
    unsigned long seconds = strtoul(argv[1], &end, 10);
    if (*end || end == argv[1] || seconds < 1 || seconds > NEIGHBOURS_AGING_MAX_S) {
        control_fail(reply, "bad aging value");
        return;
    }
    neighbours_set_aging(sw->underlay->neighbours, (uint32_t)seconds);
    control_printf(reply, "OK\n");
}

/* --- next hops ----------------------------------------------------------- */

static const char *const states[] = {
    [NEXT_HOP_READY] = "ready",
    [NEXT_HOP_SEVERAL] = "several paths",
    [NEXT_HOP_NO_ROUTE] = "no route",
    [NEXT_HOP_NOT_OURS] = "local address is not ours",
    [NEXT_HOP_NO_BRIDGE] = "device is in no bridge",
    [NEXT_HOP_ASKING] = "asking",
    [NEXT_HOP_UNREACHABLE] = "unreachable",
};

static void show_next_hop(const struct next_hop *hop, const struct next_hop_query *query, struct control_reply *reply)
{
    char to[INET6_ADDRSTRLEN], source[INET6_ADDRSTRLEN], via[INET6_ADDRSTRLEN], mac[18];
    const char *bridge = hop->egress ? hop->egress->bridge->name : "", *port = hop->egress ? hop->egress->name : "";

    format_address(&query->to, to);
    format_address(&hop->source, source);
    format_address(&hop->via, via);
    format_mac(&hop->dst_mac, mac);
    if (reply->as_json) {
        control_element(reply,
                        json_pack("{s:I,s:s,s:I,s:i,s:i,s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:i}", "id", (json_int_t)hop->id,
                                  "to", to, "mark", (json_int_t)query->mark, "slot", (int)query->path - 1, "slots",
                                  (int)hop->n_slots, "state", states[hop->state], "source", source, "via", via, "mac",
                                  mac, "device", hop->device, "bridge", bridge, "port", port, "mtu", (int)hop->mtu));
        return;
    }
    control_printf(reply, "%s", to);
    if (query->mark)
        control_printf(reply, " mark %" PRIu32, query->mark);
    if (query->path)
        control_printf(reply, " slot %" PRIu32, query->path - 1);
    if (*hop->device)
        control_printf(reply, " dev %s src %s via %s", hop->device, source, via);
    if (*bridge)
        control_printf(reply, " bridge %s port %s", bridge, port);
    if (hop->state == NEXT_HOP_READY)
        control_printf(reply, " mac %s mtu %u", mac, hop->mtu);
    control_printf(reply, ": %s\n", states[hop->state]);
}

static bool show_more_next_hops(void *arg, struct control_reply *reply)
{
    struct next_hop_query query;
    struct show *show = arg;
    const struct next_hop *hop = next_hops_next(show->sw->underlay->hops, &show->position, &query);

    if (hop)
        show_next_hop(hop, &query, reply);
    return hop;
}

static void cmd_next_hops(void *arg, int argc, const char *const *argv, struct control_reply *reply)
{
    stream(arg, reply, show_more_next_hops);
}

static bool parse_port(const char *text, uint16_t *port)
{
    char *end;
    unsigned long n = strtoul(text, &end, 10);

    *port = (uint16_t)n;
    return end != text && !*end && n >= 1 && n <= UINT16_MAX;
}

static void cmd_port_range(void *arg, int argc, const char *const *argv, struct control_reply *reply)
{
    const struct sluice *sw = arg;
    uint16_t first, last;

    if (argc < 3) {
        next_hops_udp_range(sw->underlay->hops, &first, &last);
        control_printf(reply, "Tunnel UDP source port range: %u-%u\n", first, last);
        reply->json = json_pack("{s:i,s:i}", "first", (int)first, "last", (int)last);
    } else if (!parse_port(argv[1], &first)) {
        control_fail(reply, "Invalid min.");
    } else if (!parse_port(argv[2], &last)) {
        control_fail(reply, "Invalid max.");
    } else {
        next_hops_set_udp_range(sw->underlay->hops, RTE_MIN(first, last), RTE_MAX(first, last));
        control_printf(reply, "OK\n");
    }
}

void commands_register_neighbour(struct control *control, struct sluice *sw)
{
    static const char *const names[2][4] = {
        {"tnl/neigh/show", "tnl/neigh/set", "tnl/neigh/flush", "tnl/neigh/aging"},
        {"tnl/arp/show", "tnl/arp/set", "tnl/arp/flush", "tnl/arp/aging"},
    };

    for (unsigned i = 0; i < 2; i++) {
        control_register(control, names[i][0], "", 0, 0, cmd_show, sw);
        control_register(control, names[i][1], "BRIDGE IP MAC", 3, 3, cmd_set, sw);
        control_register(control, names[i][2], "", 0, 0, cmd_flush, sw);
        control_register(control, names[i][3], "[SECS]", 0, 1, cmd_aging, sw);
    }
    control_register(control, "tnl/next-hops", "", 0, 0, cmd_next_hops, sw);
    control_register(control, "tnl/egress_port_range", "min max", 0, 2, cmd_port_range, sw);
}
