/* dpctl/ipf-*: how fragments are reassembled for connection tracking, and which are held. Control thread. */
#include <arpa/inet.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "pmd/base/memory.h"
#include "src/control/commands.h"
#include "src/match/key_value.h"

#define PLACES 1024 /* that one step looks at */

static struct ct *tracker(void *arg)
{
    return datapath_ct(((struct sluice *)arg)->dp);
}

static bool family_parse(const char *word, bool *ipv6, struct control_reply *reply)
{
    *ipv6 = !strcmp(word, "v6");
    if (*ipv6 || !strcmp(word, "v4"))
        return true;
    control_fail(reply, "parameter missing: 'v4' for IPv4 or 'v6' for IPv6");
    return false;
}

static void set_enabled(void *arg, const char *family, bool enabled, struct control_reply *reply)
{
    bool ipv6;

    if (!family_parse(family, &ipv6, reply))
        return;
    ct_set_fragments_enabled(tracker(arg), ipv6, enabled);
    control_printf(reply, "%s fragmentation reassembly successful\n", enabled ? "enabling" : "disabling");
}

static void cmd_enable(void *arg, int argc, const char *const *argv, struct control_reply *reply)
{
    set_enabled(arg, argv[argc - 1], true, reply);
}

static void cmd_disable(void *arg, int argc, const char *const *argv, struct control_reply *reply)
{
    set_enabled(arg, argv[argc - 1], false, reply);
}

static void cmd_set_min(void *arg, int argc, const char *const *argv, struct control_reply *reply)
{
    uint64_t min;
    bool ipv6;

    if (!family_parse(argv[argc - 2], &ipv6, reply))
        return;
    if (!text_to_u64(argv[argc - 1], UINT16_MAX, &min)) {
        control_fail(reply, "parameter missing for minimum fragment size: %d to 65535", CT_FRAGMENT_MIN_LEAST);
    } else if (min < CT_FRAGMENT_MIN_LEAST) {
        control_fail(reply, "requested minimum fragment size too small; it is at least %d", CT_FRAGMENT_MIN_LEAST);
    } else {
        ct_set_fragment_min(tracker(arg), ipv6, (uint32_t)min);
        control_printf(reply, "setting minimum fragment size successful\n");
    }
}

static void cmd_set_max(void *arg, int argc, const char *const *argv, struct control_reply *reply)
{
    uint64_t max;

    if (!text_to_u64(argv[argc - 1], CT_FRAGMENTS_MOST, &max)) {
        control_fail(reply, "setting maximum fragments failed: it is at most %d", CT_FRAGMENTS_MOST);
        return;
    }
    ct_set_fragments_max(tracker(arg), (uint32_t)max);
    control_printf(reply, "setting maximum fragments successful\n");
}

/* --- ipf-get-status ------------------------------------------------------ */

struct status {
    struct ct *ct;
    uint32_t cursor;
    bool begun;
};

#define PAD "        "

static void put_status(const struct ct_fragments_info *info, struct control_reply *reply)
{
    control_printf(reply, PAD "Fragmentation Module Status\n" PAD "---------------------------\n");
    for (unsigned v = 0; v < 2; v++)
        control_printf(reply, PAD "v%u enabled: %d\n", v ? 6 : 4, info->ip[v].enabled);
    control_printf(reply, PAD "max num frags (v4/v6): %" PRIu32 "\n" PAD "num frag: %" PRIu32 "\n", info->max, info->n);
    for (unsigned v = 0; v < 2; v++) {
        const unsigned version = v ? 6 : 4;

        control_printf(reply,
                       PAD "min v%u frag size: %" PRIu32 "\n" PAD "v%u frags accepted: %" PRIu64 "\n" PAD
                           "v%u frags completed: %" PRIu64 "\n" PAD "v%u frags expired: %" PRIu64 "\n" PAD
                           "v%u frags too small: %" PRIu64 "\n" PAD "v%u frags overlapped: %" PRIu64 "\n" PAD
                           "v%u frags purged: %" PRIu64 "\n",
                       version, info->ip[v].min, version, info->ip[v].accepted, version, info->ip[v].completed, version,
                       info->ip[v].expired, version, info->ip[v].small, version, info->ip[v].overlapped, version,
                       info->ip[v].evicted);
    }
}

static json_t *family_json(const struct ct_fragments_info *info, bool ipv6)
{
    return json_pack("{s:b,s:I,s:I,s:I,s:I,s:I,s:I,s:I}", "enabled", info->ip[ipv6].enabled, "min_size",
                     (json_int_t)info->ip[ipv6].min, "accepted", (json_int_t)info->ip[ipv6].accepted, "completed",
                     (json_int_t)info->ip[ipv6].completed, "expired", (json_int_t)info->ip[ipv6].expired, "too_small",
                     (json_int_t)info->ip[ipv6].small, "overlapped", (json_int_t)info->ip[ipv6].overlapped, "purged",
                     (json_int_t)info->ip[ipv6].evicted);
}

static json_t *status_json(const struct ct_fragments_info *info)
{
    return json_pack("{s:I,s:I,s:o,s:o}", "max", (json_int_t)info->max, "held", (json_int_t)info->n, "v4",
                     family_json(info, false), "v6", family_json(info, true));
}

static const char *state_name(const struct ct_datagram_info *info)
{
    if (info->has_first)
        return info->has_last ? "first/last frag" : "first frag";
    return info->has_last ? "last frag" : "other frag";
}

static void put_datagram(const struct ct_datagram_info *info, struct control_reply *reply)
{
    const int family = info->ipv6 ? AF_INET6 : AF_INET;
    char src[INET6_ADDRSTRLEN], dst[INET6_ADDRSTRLEN];

    inet_ntop(family, info->src, src, sizeof src);
    inet_ntop(family, info->dst, dst, sizeof dst);
    if (reply->as_json) {
        control_element(reply,
                        json_pack("{s:s,s:s,s:I,s:I,s:i,s:i,s:i,s:s}", "src", src, "dst", dst, "recirc_id",
                                  (json_int_t)info->recirc_id, "ip_id", (json_int_t)info->id, "zone", (int)info->zone,
                                  "nw_proto", (int)info->proto, "fragments", (int)info->n, "state", state_name(info)));
        return;
    }
    control_printf(reply, "(src=%s,dst=%s,recirc_id=%" PRIu32 ",ip_id=%" PRIu32 ",dl_type=0x%x,zone=%u", src, dst,
                   info->recirc_id, info->id, info->ipv6 ? 0x86dd : 0x800, info->zone);
    if (!info->ipv6)
        control_printf(reply, ",nw_proto=%u", info->proto);
    control_printf(reply, ",num_fragments=%u,state=%s)\n", info->n, state_name(info));
}

static bool status_more(void *arg, struct control_reply *reply)
{
    struct status *status = arg;
    struct ct_datagram_info datagram;
    struct ct_fragments_info info;

    if (!status->begun) {
        status->begun = true;
        ct_fragments_info(status->ct, &info);
        if (reply->as_json)
            control_element(reply, status_json(&info));
        else
            put_status(&info, reply);
        control_printf(reply, "\n" PAD "Fragment Lists:\n\n");
        return true;
    }
    if (!ct_next_datagram(status->ct, &status->cursor, PLACES, &datagram))
        return status->cursor != 0;
    put_datagram(&datagram, reply);
    return true;
}

static void cmd_status(void *arg, int argc, const char *const *argv, struct control_reply *reply)
{
    struct ct_fragments_info info;
    struct status *status;
    bool more = false;

    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "-m") || !strcmp(argv[i], "--more"))
            more = true;
        else if (!command_check_datapath(argc, argv, i, reply))
            return;
    }
    if (!more) {
        ct_fragments_info(tracker(arg), &info);
        put_status(&info, reply);
        reply->json = status_json(&info);
        return;
    }
    status = calloc(1, sizeof *status);
    if (!status)
        out_of_memory("a command", 0);
    status->ct = tracker(arg);
    reply->stream = (struct control_stream){.more = status_more, .end = free, .arg = status};
}

void commands_register_ipf(struct control *control, struct sluice *sw)
{
    control_register(control, "dpctl/ipf-set-enabled", "[dp] v4|v6", 1, 2, cmd_enable, sw);
    control_register(control, "dpctl/ipf-set-disabled", "[dp] v4|v6", 1, 2, cmd_disable, sw);
    control_register(control, "dpctl/ipf-set-min-frag", "[dp] v4|v6 minfragment", 2, 3, cmd_set_min, sw);
    control_register(control, "dpctl/ipf-set-max-nfrags", "[dp] maxfrags", 1, 2, cmd_set_max, sw);
    control_register(control, "dpctl/ipf-get-status", "[-m] [dp]", 0, 2, cmd_status, sw);
}
