/* dpctl/ct-stats-show and dpctl/ct-bkts: connections by protocol and state, and how they lie in the directory. Control
 * thread, in slices. */
#include <inttypes.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "pmd/base/memory.h"
#include "src/control/commands.h"

#define PLACES 1024 /* that one step looks at */

/* --- ct-stats-show ------------------------------------------------------- */

enum proto { TCP, UDP, UDPLITE, SCTP, ICMP, ICMPV6, DCCP, IGMP, OTHER, N_PROTOS };

static const char *const proto_names[N_PROTOS] = {"TCP",    "UDP",  "UDPLITE", "SCTP", "ICMP",
                                                  "ICMPV6", "DCCP", "IGMP",    "Other"};

static const char *const states[] = {"CLOSED",     "SYN_SENT",   "SYN_RECV", "ESTABLISHED", "CLOSING",
                                     "FIN_WAIT_1", "FIN_WAIT_2", "LAST_ACK", "TIME_WAIT"};

struct stats {
    struct ct *ct;
    uint32_t cursor;
    int32_t zone; /* -1: all */
    bool verbose;
    uint32_t total, protos[N_PROTOS], states[sizeof states / sizeof *states];
};

static enum proto proto_of(uint8_t proto)
{
    switch (proto) {
    case IPPROTO_TCP:
        return TCP;
    case IPPROTO_UDP:
        return UDP;
    case IPPROTO_UDPLITE:
        return UDPLITE;
    case IPPROTO_SCTP:
        return SCTP;
    case IPPROTO_ICMP:
        return ICMP;
    case IPPROTO_ICMPV6:
        return ICMPV6;
    case IPPROTO_DCCP:
        return DCCP;
    case IPPROTO_IGMP:
        return IGMP;
    default:
        return OTHER;
    }
}

static void stats_count(struct stats *stats, const struct ct_info *info)
{
    stats->total++;
    stats->protos[proto_of(info->proto)]++;
    for (unsigned i = 0; info->tcp_state && i < sizeof states / sizeof *states; i++)
        stats->states[i] += !strcmp(info->tcp_state, states[i]);
}

static void stats_put(const struct stats *stats, struct control_reply *reply)
{
    control_printf(reply, "Connections Stats:\n    Total: %" PRIu32 "\n", stats->total);
    for (enum proto proto = 0; proto < N_PROTOS; proto++) {
        if (stats->protos[proto] != 0)
            control_printf(reply, "  %s: %" PRIu32 "\n", proto_names[proto], stats->protos[proto]);
        if (proto != TCP || !stats->verbose || stats->protos[TCP] == 0)
            continue;
        control_printf(reply, "    Conn per TCP states:\n");
        for (unsigned i = 0; i < sizeof states / sizeof *states; i++) {
            if (stats->states[i] != 0)
                control_printf(reply, "      [%s]=%" PRIu32 "\n", states[i], stats->states[i]);
        }
    }
}

/* As JSON an element each, without verbose as with it. */
static void stats_put_json(const struct stats *stats, struct control_reply *reply)
{
    json_t *protos = json_object(), *by_state = json_object();

    for (enum proto proto = 0; proto < N_PROTOS; proto++)
        json_object_set_new(protos, proto_names[proto], json_integer(stats->protos[proto]));
    for (unsigned i = 0; i < sizeof states / sizeof *states; i++)
        json_object_set_new(by_state, states[i], json_integer(stats->states[i]));
    control_element(reply, json_pack("{s:I,s:o,s:o}", "total", (json_int_t)stats->total, "protocols", protos,
                                     "tcp_states", by_state));
}

static bool stats_more(void *arg, struct control_reply *reply)
{
    struct stats *stats = arg;
    struct ct_info info;

    if (ct_next(stats->ct, datapath_seconds(), &stats->cursor, PLACES, &info)) {
        if (stats->zone < 0 || info.zone == stats->zone)
            stats_count(stats, &info);
        return true;
    }
    if (stats->cursor != 0)
        return true;
    if (reply->as_json)
        stats_put_json(stats, reply);
    else
        stats_put(stats, reply);
    return false;
}

static void cmd_stats(void *arg, int argc, const char *const *argv, struct control_reply *reply)
{
    struct stats *stats = calloc(1, sizeof *stats);

    if (!stats)
        out_of_memory("a command", 0);
    stats->ct = datapath_ct(((struct sluice *)arg)->dp);
    stats->zone = -1;
    for (int i = 1; i < argc; i++) {
        char *end = NULL;
        long zone = -1;

        if (!strncmp(argv[i], "zone=", 5))
            zone = strtol(argv[i] + 5, &end, 10);
        if (!strcmp(argv[i], "verbose") || !strcmp(argv[i], "-m") || !strcmp(argv[i], "--more")) {
            stats->verbose = true;
        } else if (end && end != argv[i] + 5 && *end == '\0' && zone >= 0 && zone <= UINT16_MAX) {
            stats->zone = (int32_t)zone;
        } else if (!command_is_datapath(argv[i])) {
            control_fail(reply, "%s: not -m, verbose or zone=0 to zone=65535", argv[i]);
            free(stats);
            return;
        }
    }
    reply->stream = (struct control_stream){.more = stats_more, .end = free, .arg = stats};
}

/* --- ct-bkts ------------------------------------------------------------- */

#define ROW 8
#define SHOWN_MOST 4096 /* buckets; there are two for seven connections that the tracker is made for */

struct buckets {
    struct ct *ct;
    uint32_t cursor, n, shown, least, total;
    uint32_t counts[]; /* of groups of buckets, where there are more than are shown */
};

static void buckets_put(const struct buckets *buckets, struct control_reply *reply)
{
    control_printf(reply, "Total Buckets: %" PRIu32 "\nCurrent Connections: %" PRIu32 "\n\n", buckets->n,
                   buckets->total);
    if (buckets->total == 0)
        return;
    if (buckets->shown < buckets->n)
        control_printf(reply, "%" PRIu32 " buckets in each place\n",
                       (buckets->n + buckets->shown - 1) / buckets->shown);
    control_printf(reply, "+-----------+-----------------------------------------+\n"
                          "|  Buckets  |         Connections per Buckets         |\n"
                          "+-----------+-----------------------------------------+");
    for (uint32_t i = 0; i < buckets->shown; i++) {
        if (i % ROW == 0)
            control_printf(reply, "\n %3" PRIu32 "..%3" PRIu32 "   | ", i, i + ROW - 1);
        if (buckets->counts[i] > buckets->least)
            control_printf(reply, "%5" PRIu32, buckets->counts[i]);
        else
            control_printf(reply, "%5s", ".");
    }
    control_printf(reply, "\n\n");
}

static bool buckets_more(void *arg, struct control_reply *reply)
{
    struct buckets *buckets = arg;
    struct ct_info info;

    if (ct_next(buckets->ct, datapath_seconds(), &buckets->cursor, PLACES, &info)) {
        buckets->total++;
        buckets->counts[(uint64_t)info.bucket * buckets->shown / buckets->n]++;
        return true;
    }
    if (buckets->cursor != 0)
        return true;
    if (reply->as_json)
        control_element(reply, json_pack("{s:I,s:I}", "buckets", (json_int_t)buckets->n, "connections",
                                         (json_int_t)buckets->total));
    else
        buckets_put(buckets, reply);
    return false;
}

static void cmd_buckets(void *arg, int argc, const char *const *argv, struct control_reply *reply)
{
    struct ct *ct = datapath_ct(((struct sluice *)arg)->dp);
    const uint32_t n = ct_buckets(ct), shown = n < SHOWN_MOST ? n : SHOWN_MOST;
    uint32_t least = 0;
    struct buckets *buckets;

    for (int i = 1; i < argc; i++) {
        char *end = NULL;

        if (!strncmp(argv[i], "gt=", 3))
            least = (uint32_t)strtoul(argv[i] + 3, &end, 10);
        if (end ? *end != '\0' || end == argv[i] + 3 : !command_is_datapath(argv[i])) {
            control_fail(reply, "%s: not gt=N", argv[i]);
            return;
        }
    }
    buckets = calloc(1, sizeof *buckets + shown * sizeof *buckets->counts);
    if (!buckets)
        out_of_memory("a command", 0);
    *buckets = (struct buckets){.ct = ct, .n = n, .shown = shown, .least = least};
    reply->stream = (struct control_stream){.more = buckets_more, .end = free, .arg = buckets};
}

void commands_register_ct_stats(struct control *control, struct sluice *sw)
{
    control_register(control, "dpctl/ct-stats-show", "[dp] [zone=N] [verbose]", 0, 3, cmd_stats, sw);
    control_register(control, "dpctl/ct-bkts", "[dp] [gt=N]", 0, 2, cmd_buckets, sw);
}
