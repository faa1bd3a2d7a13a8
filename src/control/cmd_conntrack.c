/* dpctl/dump-conntrack and what else Open vSwitch has for connections; conntrack, why packets are invalid. Control
 * thread. */
#include <arpa/inet.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "pmd/base/memory.h"
#include "src/app/metric.h"
#include "src/app/status.h"
#include "src/control/commands.h"

#define DUMP_PLACES 1024 /* that one step looks at */

static bool number_parse(const char *text, uint32_t max, uint32_t *number)
{
    char *end;
    const unsigned long long n = strtoull(text, &end, 10);

    *number = (uint32_t)n;
    return *text >= '0' && *text <= '9' && *end == '\0' && n <= max;
}

/* --- dump-conntrack ------------------------------------------------------ */

struct dump {
    struct sluice *sw;
    uint32_t cursor;
    struct ct_match match;
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

static const char *tcp_flags(const struct ct_info *info, unsigned direction)
{
    return info->tcp_late ? "BE_LIBERAL" : info->tcp_scaled[direction] ? "WINDOW_SCALE" : "";
}

/* As Open vSwitch has it with -m, and without. */
static void put_tcp(const struct dump *dump, const struct ct_info *info, struct control_reply *reply)
{
    if (!dump->more) {
        control_printf(reply, ",protoinfo=(state=%s)", coarse(info->tcp_state));
        return;
    }
    control_printf(reply, ",protoinfo=(state_orig=%s,state_reply=%s", info->tcp_states[0], info->tcp_states[1]);
    if (info->tcp_scale[0] != 0 || info->tcp_scale[1] != 0)
        control_printf(reply, ",wscale_orig=%u,wscale_reply=%u", info->tcp_scale[0], info->tcp_scale[1]);
    control_printf(reply, ",flags_orig=%s,flags_reply=%s)", tcp_flags(info, 0), tcp_flags(info, 1));
}

/* A line as Open vSwitch has it. */
static void put_connection(const struct dump *dump, const struct ct_info *info, struct control_reply *reply)
{
    char orig[160], back[160], parent[160], label[CT_LABEL_TEXT];

    put_tuple(orig, sizeof orig, info, &info->orig);
    put_tuple(back, sizeof back, info, &info->reply);
    put_tuple(parent, sizeof parent, info, &info->parent);
    ct_label_format(info->label, label);
    if (reply->as_json) {
        json_t *json = json_pack("{s:s,s:s,s:s,s:i,s:I,s:s,s:I}", "proto", proto_name(info->proto), "orig", orig,
                                 "reply", back, "zone", (int)info->zone, "mark", (json_int_t)info->mark, "labels",
                                 label, "timeout_s", (json_int_t)info->left);

        if (info->tcp_state)
            json_object_set_new(json, "state", json_string(info->tcp_state));
        if (info->helper)
            json_object_set_new(json, "helper", json_string(info->helper));
        if (info->has_parent)
            json_object_set_new(json, "parent", json_string(parent));
        control_element(reply, json);
        return;
    }
    control_printf(reply, "%s,orig=(%s),reply=(%s)", proto_name(info->proto), orig, back);
    if (dump->more)
        control_printf(reply, ",id=%" PRIu32, dump->cursor);
    if (info->zone != 0)
        control_printf(reply, ",zone=%u", info->zone);
    if (dump->more)
        control_printf(reply, ",status="); /* which its userspace tracker leaves empty */
    if (dump->statistics)
        control_printf(reply, ",timeout=%" PRIu32, info->left);
    if (info->mark != 0)
        control_printf(reply, ",mark=%" PRIu32, info->mark);
    if (strcmp(label, "0"))
        control_printf(reply, ",labels=%s", label);
    if (info->tcp_state)
        put_tcp(dump, info, reply);
    if (info->helper)
        control_printf(reply, ",helper=%s", info->helper);
    if (dump->more && info->has_parent)
        control_printf(reply, ",parent=(%s)", parent);
    control_printf(reply, "\n");
}

static bool dump_more(void *arg, struct control_reply *reply)
{
    struct dump *dump = arg;
    struct ct_info info;

    if (!ct_next(datapath_ct(dump->sw->dp), datapath_seconds(), &dump->cursor, DUMP_PLACES, &info))
        return dump->cursor != 0;
    if (ct_matches(&dump->match, &info))
        put_connection(dump, &info, reply);
    return true;
}

static void cmd_dump(void *arg, int argc, const char *const *argv, struct control_reply *reply)
{
    struct dump *dump = calloc(1, sizeof *dump);
    unsigned n_tuples = 0;

    if (!dump)
        out_of_memory("a command", 0);
    dump->sw = arg;
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "-m") || !strcmp(argv[i], "--more")) {
            dump->more = true;
        } else if (!strcmp(argv[i], "-s") || !strcmp(argv[i], "--statistics")) {
            dump->statistics = true;
        } else if (!command_is_datapath(argv[i]) && !command_ct_match(argv[i], &n_tuples, &dump->match, reply)) {
            free(dump);
            return;
        }
    }
    reply->stream = (struct control_stream){.more = dump_more, .end = free, .arg = dump};
}

/* --- limits of all, options ---------------------------------------------- */

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

/* --- conntrack ----------------------------------------------------------- */

#define TOP_ZONES 10

/* The zones with the most connections, in that order. */
struct top_zones {
    struct status_ct_zone zones[TOP_ZONES];
    unsigned n;
};

static void note_zone(void *arg, const struct status_ct_zone *zone)
{
    struct top_zones *top = arg;
    unsigned at;

    if (top->n == TOP_ZONES && zone->connections <= top->zones[TOP_ZONES - 1].connections)
        return;
    at = top->n < TOP_ZONES ? top->n++ : TOP_ZONES - 1;
    for (; at > 0 && top->zones[at - 1].connections < zone->connections; at--)
        top->zones[at] = top->zones[at - 1];
    top->zones[at] = *zone;
}

static void put_top_zones(const struct sluice *sw, struct control_reply *reply)
{
    struct top_zones top = {.n = 0};
    json_t *zones = json_array();

    status_for_each_ct_zone(sw, note_zone, &top);
    for (unsigned i = 0; i < top.n; i++) {
        const struct status_ct_zone *zone = &top.zones[i];
        json_t *json = json_pack("{s:i}", "zone", (int)zone->zone);
        char of[24] = "";

        if (zone->limit != 0)
            snprintf(of, sizeof of, " of %" PRIu32, zone->limit);
        control_printf(reply, "zone %5" PRIu32 ": %" PRIu32 "%s\n", zone->zone, zone->connections, of);
        metrics_to_json(status_kinds[STATUS_CT_ZONE].metrics, status_kinds[STATUS_CT_ZONE].n_metrics, zone, json);
        json_array_append_new(zones, json);
    }
    json_object_set_new(reply->json, "zones", zones);
}

static void put_rates(struct ct *ct, struct control_reply *reply)
{
    struct ct_rates rates;

    ct_rates(ct, datapath_seconds(), &rates);
    if (rates.seconds == 0)
        return;
    control_printf(reply, "a second: %.1f made, %.1f ended, in the last %" PRIu32 " s\n", rates.created, rates.removed,
                   rates.seconds);
    json_object_set_new(reply->json, "rates",
                        json_pack("{s:f,s:f,s:I}", "made_per_s", rates.created, "ended_per_s", rates.removed, "of_s",
                                  (json_int_t)rates.seconds));
}

static void put_reason(void *arg, const struct status_ct_reason *status)
{
    struct control_reply *reply = arg;
    json_t *reasons = json_object_get(reply->json, "reasons");

    json_object_set_new(reasons, status->reason, json_integer((json_int_t)status->packets));
    if (status->packets != 0)
        control_printf(reply, "%-16s %12" PRIu64 "  %s\n", status->reason, status->packets, status->meaning);
}

static void cmd_conntrack(void *arg, int argc, const char *const *argv, struct control_reply *reply)
{
    const struct status_kind *kind = &status_kinds[STATUS_CONNTRACK];
    const struct sluice *sw = arg;
    struct status_conntrack status;

    status_of_conntrack(sw, &status);
    reply->json = json_pack("{s:{}}", "reasons");
    metrics_to_json(kind->metrics, kind->n_metrics, &status, reply->json);
    control_printf(reply, "connections: %" PRIu32 " of %" PRIu32 ", %" PRIu64 " made, %" PRIu64 " ended\n",
                   status.connections, status.max_connections, status.made, status.ended);
    put_rates(datapath_ct(sw->dp), reply);
    control_printf(reply, "memory: %" PRIu64 " KB\n", status.memory_bytes >> 10);
    if (status.joined != 0)
        control_printf(reply, "datagrams in fragments that went on whole: %" PRIu64 "\n", status.joined);
    put_top_zones(sw, reply);
    status_for_each_ct_reason(sw, put_reason, reply);
}

void commands_register_conntrack(struct control *control, struct sluice *sw)
{
    control_register(control, "conntrack", "", 0, 0, cmd_conntrack, sw);
    control_register(control, "dpctl/dump-conntrack",
                     "[-m] [-s] [dp] [zone=N] [mark=X[/M]] [labels=X[/M]] [ct-orig-tuple [ct-reply-tuple]]", 0, 8,
                     cmd_dump, sw);
    commands_register_ct_flush(control, sw);
    commands_register_ct_stats(control, sw);
    commands_register_ct_limits(control, sw);
    commands_register_ct_timeouts(control, sw);
    commands_register_ipf(control, sw);
    control_register(control, "dpctl/ct-get-nconns", "[dp]", 0, 1, cmd_get_nconns, sw);
    control_register(control, "dpctl/ct-get-maxconns", "[dp]", 0, 1, cmd_get_maxconns, sw);
    control_register(control, "dpctl/ct-set-maxconns", "[dp] maxconns", 1, 2, cmd_set_maxconns, sw);
    control_register(control, "dpctl/ct-enable-tcp-seq-chk", "[dp]", 0, 1, cmd_enable_seq_chk, sw);
    control_register(control, "dpctl/ct-disable-tcp-seq-chk", "[dp]", 0, 1, cmd_disable_seq_chk, sw);
    control_register(control, "dpctl/ct-get-tcp-seq-chk", "[dp]", 0, 1, cmd_get_seq_chk, sw);
}
