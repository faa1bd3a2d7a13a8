/* dpctl/dump-conntrack and what else Open vSwitch has for connections; conntrack, why packets are invalid. Control
 * thread. */
#include <arpa/inet.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "pmd/base/memory.h"
#include "src/control/commands.h"

#define DUMP_PLACES 1024 /* that one step looks at */

static bool number_parse(const char *text, uint32_t max, uint32_t *number)
{
    char *end;
    const unsigned long long n = strtoull(text, &end, 10);

    *number = (uint32_t)n;
    return *text >= '0' && *text <= '9' && *end == '\0' && n <= max;
}

/* --- dump-conntrack --------------------------------------------------------- */

struct dump {
    struct sluice *sw;
    uint32_t cursor;
    int32_t zone; /* -1: all */
    bool more, statistics;
};

static const char *proto_name(uint8_t proto)
{
    static char number[8];

    switch (proto) {
    case IPPROTO_TCP:
        return "tcp";
    case IPPROTO_UDP:
        return "udp";
    case IPPROTO_SCTP:
        return "sctp";
    case IPPROTO_ICMP:
        return "icmp";
    case IPPROTO_ICMPV6:
        return "icmpv6";
    default:
        snprintf(number, sizeof number, "%u", proto);
        return number;
    }
}

static void put_tuple(char *text, size_t size, const struct ct_info *info, const struct ct_tuple_info *tuple)
{
    char src[INET6_ADDRSTRLEN], dst[INET6_ADDRSTRLEN];
    const int family = info->ipv6 ? AF_INET6 : AF_INET;

    inet_ntop(family, tuple->src, src, sizeof src);
    inet_ntop(family, tuple->dst, dst, sizeof dst);
    if (info->proto == IPPROTO_ICMP || info->proto == IPPROTO_ICMPV6)
        snprintf(text, size, "src=%s,dst=%s,id=%u,type=%u,code=0", src, dst, rte_be_to_cpu_16(tuple->sport),
                 tuple->icmp_type);
    else /* of protocols without ports both are 0 */
        snprintf(text, size, "src=%s,dst=%s,sport=%u,dport=%u", src, dst, rte_be_to_cpu_16(tuple->sport),
                 rte_be_to_cpu_16(tuple->dport));
}

/* The states that Open vSwitch's list shows as one with another unless more is asked for. */
static const char *coarse(const char *tcp_state)
{
    if (!strcmp(tcp_state, "FIN_WAIT_2"))
        return "TIME_WAIT";
    return strcmp(tcp_state, "SYN_RECV") ? tcp_state : "ESTABLISHED";
}

/* A line as Open vSwitch has it. */
static void put_connection(const struct dump *dump, const struct ct_info *info, struct control_reply *reply)
{
    char orig[160], back[160], label[CT_LABEL_TEXT];

    put_tuple(orig, sizeof orig, info, &info->orig);
    put_tuple(back, sizeof back, info, &info->reply);
    ct_label_format(info->label, label);
    if (reply->as_json) {
        json_t *json = json_pack("{s:s,s:s,s:s,s:i,s:I,s:s,s:I}", "proto", proto_name(info->proto), "orig", orig,
                                 "reply", back, "zone", (int)info->zone, "mark", (json_int_t)info->mark, "labels",
                                 label, "timeout_s", (json_int_t)info->left);

        if (info->tcp_state)
            json_object_set_new(json, "state", json_string(info->tcp_state));
        if (info->helper)
            json_object_set_new(json, "helper", json_string(info->helper));
        control_element(reply, json);
        return;
    }
    control_printf(reply, "%s,orig=(%s),reply=(%s)", proto_name(info->proto), orig, back);
    if (dump->more)
        control_printf(reply, ",id=%" PRIu32, dump->cursor);
    if (info->zone != 0)
        control_printf(reply, ",zone=%u", info->zone);
    if (dump->statistics)
        control_printf(reply, ",timeout=%" PRIu32, info->left);
    if (info->mark != 0)
        control_printf(reply, ",mark=%" PRIu32, info->mark);
    if (strcmp(label, "0"))
        control_printf(reply, ",labels=%s", label);
    if (info->tcp_state)
        control_printf(reply, ",protoinfo=(state=%s)", dump->more ? info->tcp_state : coarse(info->tcp_state));
    if (info->helper)
        control_printf(reply, ",helper=%s", info->helper);
    control_printf(reply, "\n");
}

static bool dump_more(void *arg, struct control_reply *reply)
{
    struct dump *dump = arg;
    struct ct_info info;

    if (!ct_next(datapath_ct(dump->sw->dp), datapath_seconds(), &dump->cursor, DUMP_PLACES, &info))
        return dump->cursor != 0;
    if (dump->zone < 0 || info.zone == dump->zone)
        put_connection(dump, &info, reply);
    return true;
}

static bool zone_parse(const char *word, uint32_t *zone)
{
    return !strncmp(word, "zone=", 5) && number_parse(word + 5, UINT16_MAX, zone);
}

static void cmd_dump(void *arg, int argc, const char *const *argv, struct control_reply *reply)
{
    struct dump *dump = calloc(1, sizeof *dump);
    uint32_t zone;

    if (!dump)
        out_of_memory("a command", 0);
    *dump = (struct dump){.sw = arg, .zone = -1};
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "-m") || !strcmp(argv[i], "--more")) {
            dump->more = true;
        } else if (!strcmp(argv[i], "-s") || !strcmp(argv[i], "--statistics")) {
            dump->statistics = true;
        } else if (zone_parse(argv[i], &zone)) {
            dump->zone = (int32_t)zone;
        } else if (!command_is_datapath(argv[i])) {
            control_fail(reply, "%s: not -m, -s or zone=0 to zone=65535", argv[i]);
            free(dump);
            return;
        }
    }
    reply->stream = (struct control_stream){.more = dump_more, .end = free, .arg = dump};
}

/* --- limits of all, options --------------------------------------------------- */

static void cmd_get_nconns(void *arg, int argc, const char *const *argv, struct control_reply *reply)
{
    if (command_check_tracker(argc, argv, reply))
        control_printf(reply, "%" PRIu32 "\n", ct_count(datapath_ct(((struct sluice *)arg)->dp)));
}

static void cmd_get_maxconns(void *arg, int argc, const char *const *argv, struct control_reply *reply)
{
    if (command_check_tracker(argc, argv, reply))
        control_printf(reply, "%" PRIu32 "\n", ct_max(datapath_ct(((struct sluice *)arg)->dp)));
}

static void cmd_set_maxconns(void *arg, int argc, const char *const *argv, struct control_reply *reply)
{
    const struct sluice *sw = arg;
    const uint32_t most = (uint32_t)sw->config->conntrack.max_connections;
    uint32_t max;

    if (!command_check_tracker(argc - 1, argv, reply))
        return;
    if (!number_parse(argv[argc - 1], UINT32_MAX, &max)) {
        control_fail(reply, "ovs-vswitchd: maxconns missing or malformed (Invalid argument)");
        return;
    }
    if (max == 0 || max > most) {
        control_fail(reply, "%s: not a number from 1 to %" PRIu32 ", which is conntrack.max_connections",
                     argv[argc - 1], most);
        return;
    }
    ct_set_max(datapath_ct(sw->dp), max);
    control_printf(reply, "setting maxconns successful\n");
}

static void cmd_enable_seq_chk(void *arg, int argc, const char *const *argv, struct control_reply *reply)
{
    if (!command_check_tracker(argc, argv, reply))
        return;
    ct_set_tcp_window_check(datapath_ct(((struct sluice *)arg)->dp), true);
    control_printf(reply, "enabling TCP sequence checking successful\n");
}

static void cmd_disable_seq_chk(void *arg, int argc, const char *const *argv, struct control_reply *reply)
{
    if (!command_check_tracker(argc, argv, reply))
        return;
    ct_set_tcp_window_check(datapath_ct(((struct sluice *)arg)->dp), false);
    control_printf(reply, "disabling TCP sequence checking successful\n");
}

static void cmd_get_seq_chk(void *arg, int argc, const char *const *argv, struct control_reply *reply)
{
    if (command_check_tracker(argc, argv, reply))
        control_printf(reply, "TCP sequence checking: %s\n",
                       ct_tcp_window_check(datapath_ct(((struct sluice *)arg)->dp)) ? "enabled" : "disabled");
}

/* --- conntrack ------------------------------------------------------------------ */

#define TOP_ZONES 10

struct top_zone {
    uint16_t zone;
    uint32_t count;
};

/* The zones with the most connections, in that order. Returns how many there are, TOP_ZONES at most. */
static unsigned find_top_zones(const struct ct *ct, struct top_zone top[TOP_ZONES])
{
    unsigned n = 0;

    for (uint32_t zone = 0; zone < CT_ZONES; zone++) {
        const uint32_t count = ct_zone_count(ct, (uint16_t)zone);
        unsigned at;

        if (count == 0 || (n == TOP_ZONES && count <= top[n - 1].count))
            continue;
        at = n < TOP_ZONES ? n++ : n - 1;
        for (; at > 0 && top[at - 1].count < count; at--)
            top[at] = top[at - 1];
        top[at] = (struct top_zone){(uint16_t)zone, count};
    }
    return n;
}

static json_t *put_top_zones(const struct ct *ct, struct control_reply *reply)
{
    struct top_zone top[TOP_ZONES];
    const unsigned n = find_top_zones(ct, top);
    json_t *zones = json_array();

    for (unsigned i = 0; i < n; i++) {
        const uint32_t limit = ct_zone_limit(ct, top[i].zone);
        char of[24] = "";

        if (limit != 0)
            snprintf(of, sizeof of, " of %" PRIu32, limit);
        control_printf(reply, "zone %5u: %" PRIu32 "%s\n", top[i].zone, top[i].count, of);
        json_array_append_new(zones, json_pack("{s:i,s:I,s:I}", "zone", (int)top[i].zone, "connections",
                                               (json_int_t)top[i].count, "limit", (json_int_t)limit));
    }
    return zones;
}

static void cmd_conntrack(void *arg, int argc, const char *const *argv, struct control_reply *reply)
{
    const struct ct *ct = datapath_ct(((struct sluice *)arg)->dp);
    json_t *reasons = json_object(), *zones;
    struct ct_stats stats;

    ct_stats(ct, &stats);
    control_printf(reply, "connections: %" PRIu32 " of %" PRIu32 ", %" PRIu64 " made, %" PRIu64 " ended\n",
                   ct_count(ct), ct_max(ct), stats.created, stats.removed);
    control_printf(reply, "memory: %zu KB\n", stats.memory >> 10);
    zones = put_top_zones(ct, reply);
    for (enum ct_reason i = CT_REASON_NONE + 1; i < CT_N_REASONS; i++) {
        json_object_set_new(reasons, ct_reason_name(i), json_integer((json_int_t)stats.reasons[i]));
        if (stats.reasons[i] != 0)
            control_printf(reply, "%-16s %12" PRIu64 "  %s\n", ct_reason_name(i), stats.reasons[i], ct_reason_doc(i));
    }
    reply->json =
        json_pack("{s:I,s:I,s:I,s:I,s:I,s:o,s:o}", "connections", (json_int_t)ct_count(ct), "max_connections",
                  (json_int_t)ct_max(ct), "made", (json_int_t)stats.created, "ended", (json_int_t)stats.removed,
                  "memory_bytes", (json_int_t)stats.memory, "zones", zones, "reasons", reasons);
}

void commands_register_conntrack(struct control *control, struct sluice *sw)
{
    control_register(control, "conntrack", "", 0, 0, cmd_conntrack, sw);
    control_register(control, "dpctl/dump-conntrack", "[-m] [-s] [dp] [zone=N]", 0, 4, cmd_dump, sw);
    commands_register_ct_flush(control, sw);
    commands_register_ct_stats(control, sw);
    commands_register_ct_limits(control, sw);
    commands_register_ipf(control, sw);
    control_register(control, "dpctl/ct-get-nconns", "[dp]", 0, 1, cmd_get_nconns, sw);
    control_register(control, "dpctl/ct-get-maxconns", "[dp]", 0, 1, cmd_get_maxconns, sw);
    control_register(control, "dpctl/ct-set-maxconns", "[dp] maxconns", 1, 2, cmd_set_maxconns, sw);
    control_register(control, "dpctl/ct-enable-tcp-seq-chk", "[dp]", 0, 1, cmd_enable_seq_chk, sw);
    control_register(control, "dpctl/ct-disable-tcp-seq-chk", "[dp]", 0, 1, cmd_disable_seq_chk, sw);
    control_register(control, "dpctl/ct-get-tcp-seq-chk", "[dp]", 0, 1, cmd_get_seq_chk, sw);
}
