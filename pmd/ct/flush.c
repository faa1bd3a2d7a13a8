#include "pmd/ct/flush.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "pmd/base/memory.h"
#include "pmd/ct/expire.h"
#include "pmd/ct/tracker_impl.h"

#define STEP 64             /* connections */
#define AT_ONCE_MOST 20000u /* connections that are looked at without a pause, about 2 ms */

struct ct_flush {
    struct ct_flush *next;
    struct ct_match match;
    uint32_t at; /* as ct_next()'s cursor */
};

/* --- what matches -------------------------------------------------------- */

static bool address_matches(const uint8_t wanted[16], const uint8_t address[16])
{
    static const uint8_t any[16];

    return memcmp(wanted, any, sizeof any) == 0 || memcmp(wanted, address, sizeof any) == 0;
}

static bool tuple_matches(const struct ct_tuple_match *match, const struct ct_tuple_info *tuple, bool icmp)
{
    if (!address_matches(match->src, tuple->src) || !address_matches(match->dst, tuple->dst))
        return false;
    if (match->sport != 0 && match->sport != tuple->sport)
        return false;
    if (icmp) /* the first packet's code is all that is known of codes */
        return match->icmp_type == 0 || match->icmp_type == tuple->icmp_type;
    return match->dport == 0 || match->dport == tuple->dport;
}

static bool label_matches(const struct ct_match *match, const uint8_t label[CT_LABEL_LEN])
{
    for (unsigned i = 0; i < CT_LABEL_LEN; i++) {
        if ((match->label[i] ^ label[i]) & match->label_mask[i])
            return false;
    }
    return true;
}

static bool is_whole(const struct ct_match *match, bool icmp)
{
    static const struct ct_tuple_match none;
    static const uint8_t any[16];

    return memcmp(&match->reply, &none, sizeof none) == 0 && match->proto != 0 &&
           memcmp(match->orig.src, any, sizeof any) != 0 && memcmp(match->orig.dst, any, sizeof any) != 0 &&
           (icmp || (match->orig.sport != 0 && match->orig.dport != 0));
}

bool ct_matches(const struct ct_match *match, const struct ct_info *info)
{
    const bool icmp = info->proto == IPPROTO_ICMP || info->proto == IPPROTO_ICMPV6;

    if ((match->in_zone && match->zone != info->zone) || (match->proto != 0 && match->proto != info->proto) ||
        (match->ip_version != 0 && (match->ip_version == 6) != info->ipv6) ||
        ((match->mark ^ info->mark) & match->mark_mask) != 0 || !label_matches(match, info->label))
        return false;
    if (is_whole(match, icmp))
        return (match->in_zone || info->zone == 0) &&
               (tuple_matches(&match->orig, &info->orig, icmp) || tuple_matches(&match->orig, &info->reply, icmp));
    return tuple_matches(&match->orig, &info->orig, icmp) && tuple_matches(&match->reply, &info->reply, icmp);
}

/* --- the walk ------------------------------------------------------------ */

/* True: the end was not reached. */
static bool walk(struct ct *ct, uint32_t now, const struct ct_match *match, uint32_t *at, uint32_t most)
{
    for (; most > 0; most--) {
        struct ct_info info;

        if (ct_next(ct, now, at, 1, &info) && ct_matches(match, &info))
            expire_end(ct, *at);
        if (*at == 0)
            return false;
    }
    return true;
}

bool flush_step(struct ct *ct, uint32_t now)
{
    struct ct_flush *flush = ct->flushes;

    if (!flush)
        return false;
    if (walk(ct, now, &flush->match, &flush->at, STEP))
        return true;
    ct->flushes = flush->next;
    free(flush);
    return ct->flushes != NULL;
}

/* Nothing but a zone is given, or nothing at all. */
static bool is_of_zones(const struct ct_match *match)
{
    struct ct_match rest = *match;
    static const struct ct_match none;

    rest.in_zone = false;
    rest.zone = 0;
    return memcmp(&rest, &none, sizeof none) == 0;
}

void ct_flush_matching(struct ct *ct, uint32_t now, const struct ct_match *match)
{
    struct ct_flush **last = &ct->flushes, *flush;
    uint32_t at = 0;

    if (is_of_zones(match)) {
        if (match->in_zone)
            ct_flush_zone(ct, match->zone);
        else
            ct_flush_all(ct);
        return;
    }
    if (!walk(ct, now, match, &at, AT_ONCE_MOST))
        return;
    flush = malloc(sizeof *flush);
    if (!flush)
        out_of_memory("a flush of tracked connections", sizeof *flush);
    *flush = (struct ct_flush){.match = *match, .at = at};
    while (*last)
        last = &(*last)->next;
    *last = flush;
}

void flush_fini(struct ct *ct)
{
    while (ct->flushes) {
        struct ct_flush *next = ct->flushes->next;

        free(ct->flushes);
        ct->flushes = next;
    }
}
