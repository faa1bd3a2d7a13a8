/* Datagrams in fragments, of connections that whole packets are of, too: in any order, several at a time, some with one
 * identification, copied, cut otherwise, late, too many, too small. Whatever comes, tracker and models agree on what
 * waits, what is dropped, and what the whole is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>

#include "pmd/metadata.h"
#include "tests/property/ct_reassembly.h"
#include "tests/property/ct_world.h"

#define OCTETS_MOST 1600
#define PARTS_MOST 8
#define SENT_MOST 256
#define IN_FLIGHT 6

/* Octets behind the IP header. */
struct part {
    uint32_t start, len;
    bool more;
};

/* A datagram whose fragments are sent. */
struct sent {
    struct ct_spec spec;
    struct model_before before;
    uint32_t id, in_port, recirc_id;
    uint16_t zone;
    uint8_t text[OCTETS_MOST];
    uint8_t ip[OCTETS_MOST];
    uint32_t header, len; /* octets of `ip` */
    uint32_t broken;      /* the octet of `ip` that a wrong checksum comes of; 0: none */
    unsigned n_parts, left;
    struct part parts[PARTS_MOST];
};

static struct model_reassembly reassembly;
static struct sent sent_all[SENT_MOST], *in_flight[IN_FLIGHT];

/* --- datagrams ----------------------------------------------------------- */

static bool is_of(const struct model_datagram *datagram, const struct sent *sent)
{
    for (unsigned i = 0; datagram && i < datagram->n; i++) {
        if (datagram->fragments[i].of == sent)
            return true;
    }
    return false;
}

static bool is_in_use(const struct sent *sent)
{
    for (unsigned i = 0; i < IN_FLIGHT; i++) {
        if (in_flight[i] == sent)
            return true;
    }
    for (unsigned i = 0; i < reassembly.n; i++) {
        if (is_of(&reassembly.datagrams[i], sent))
            return true;
    }
    return false;
}

/* None that `but` is of. NULL: all of them wait. */
static struct sent *free_sent(const struct model_datagram *but)
{
    for (unsigned i = 0; i < SENT_MOST; i++) {
        if (!is_of(but, &sent_all[i]) && !is_in_use(&sent_all[i]))
            return &sent_all[i];
    }
    return NULL;
}

static void build(struct sent *sent)
{
    sent->spec.text = (const char *)sent->text;
    sent->header = sent->spec.ipv6 ? 40 : 20;
    sent->len = (uint32_t)spec_build(&sent->spec, sent->ip) - sent->header;
    if (sent->broken != 0)
        sent->ip[sent->broken] ^= 1;
}

/* Into two parts or more, mostly long enough. */
static void cut_up(struct sent *sent)
{
    uint32_t at = 0;

    sent->n_parts = 0;
    while (at < sent->len) {
        struct part *part = &sent->parts[sent->n_parts++];
        uint32_t len = 8 * ((one_in(60) ? 1 : 47) + below(40));

        if (at == 0)
            len = RTE_MIN(len, (sent->len - 1) / 8 * 8);
        *part = (struct part){at, len, true};
        if (at + len >= sent->len || sent->n_parts == PARTS_MOST)
            *part = (struct part){at, sent->len - at, false};
        at += part->len;
    }
    sent->left = sent->n_parts;
}

static struct sent *new_sent(void)
{
    struct sent *sent = free_sent(NULL);

    if (!sent)
        return NULL;
    *sent = (struct sent){
        .id = 1 + below(4), .in_port = one_in(10), .recirc_id = one_in(10), .zone = (uint16_t)below(MODEL_ZONES)};
    do {
        random_spec(&sent->spec, sent->zone, false);
    } while (sent->spec.proto == IPPROTO_SCTP);
    sent->spec.len = 600 + below(800);
    for (uint32_t i = 0; i < sent->spec.len; i++)
        sent->text[i] = (uint8_t)below(256);
    build(sent);
    if (one_in(20)) {
        sent->broken = sent->header + sent->len - 1;
        build(sent);
    }
    cut_up(sent);
    return sent;
}

/* --- fragments ----------------------------------------------------------- */

static struct rte_mbuf *fragment_mbuf(const struct sent *sent, const struct part *part, bool bad_header)
{
    const uint32_t extra = sent->spec.ipv6 ? 8 : 0, padding = one_in(8) ? below(7) : 0;
    const bool inside = part->start + part->len <= sent->len;
    struct rte_mbuf *m = rte_pktmbuf_alloc(pool);
    uint8_t *data, *ip;

    assert_non_null(m);
    data = (uint8_t *)rte_pktmbuf_append(m, (uint16_t)(14 + sent->header + extra + part->len + padding));
    ip = data + 14;
    memset(data, 2, 14 + sent->header + extra + part->len + padding);
    put16(data + 12, sent->spec.ipv6 ? RTE_ETHER_TYPE_IPV6 : RTE_ETHER_TYPE_IPV4);
    memcpy(ip, sent->ip, sent->header);
    if (inside)
        memcpy(ip + sent->header + extra, sent->ip + sent->header + part->start, part->len);
    if (sent->spec.ipv6) {
        put16(ip + 4, (uint16_t)(8 + part->len));
        ip[40] = ip[6];
        ip[6] = IPPROTO_FRAGMENT;
        ip[41] = 0;
        put16(ip + 42, (uint16_t)(part->start | part->more));
        put32(ip + 44, sent->id);
    } else {
        struct rte_ipv4_hdr *header = (void *)ip;

        put16(ip + 2, (uint16_t)(20 + part->len));
        put16(ip + 4, (uint16_t)sent->id);
        put16(ip + 6, (uint16_t)(part->start / 8 | (part->more ? 0x2000 : 0)));
        header->hdr_checksum = 0;
        header->hdr_checksum = (uint16_t)(rte_ipv4_cksum(header) ^ bad_header);
    }
    packet_meta(m)->md = (struct metadata){.ct_state = sent->before.state};
    return m;
}

static struct model_fragment fragment_of(const struct sent *sent, const struct part *part, uint16_t zone)
{
    const struct ct_spec *spec = &sent->spec;

    return (struct model_fragment){
        .key = {spec->ipv6, zone, spec->ipv6 ? 0 : spec_proto(spec), spec->src, spec->dst, sent->id, sent->in_port,
                sent->recirc_id},
        .start = part->start,
        .len = part->len,
        .ip_len = sent->header + (spec->ipv6 ? 8 : 0) + part->len,
        .more = part->more,
        .of = sent,
        .before = sent->before,
    };
}

/* --- what is whole ------------------------------------------------------- */

static uint32_t length_of(const struct model_datagram *whole)
{
    const struct model_fragment *last = &whole->fragments[whole->n - 1];

    return last->start + last->len;
}

static bool is_of_one(const struct model_datagram *whole)
{
    for (unsigned i = 1; i < whole->n; i++) {
        if (whole->fragments[i].of != whole->fragments[0].of)
            return false;
    }
    return true;
}

static uint64_t sum_words(const uint8_t *octets, uint32_t len)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < len; i++)
        sum += (uint64_t)octets[i] << (i % 2 == 0 ? 8 : 0);
    return sum;
}

/* Whether the checksum of all that came is right: parts of different datagrams may have become one. */
static bool is_good(const struct model_datagram *whole)
{
    const struct sent *first = whole->fragments[0].of;
    const uint8_t proto = spec_proto(&first->spec);
    const uint32_t addresses = first->spec.ipv6 ? 32 : 8;
    uint64_t sum = 0;

    if (proto == 47)
        return true;
    if (proto == IPPROTO_UDP && first->len != length_of(whole))
        return false;
    if (proto != IPPROTO_ICMP)
        sum = sum_words(first->ip + first->header - addresses, addresses) + length_of(whole) + proto;
    for (unsigned i = 0; i < whole->n; i++) {
        const struct model_fragment *fragment = &whole->fragments[i];
        const struct sent *of = fragment->of;

        sum += sum_words(of->ip + of->header + fragment->start, fragment->len);
    }
    return sum % 0xffff == 0;
}

/* A fragment as it goes on: of a datagram that is now `now`. */
static void check_fragment(const struct rte_mbuf *m, const struct model_fragment *fragment, const struct sent *now,
                           bool first)
{
    const struct sent *of = fragment->of;
    const uint32_t extra = now->spec.ipv6 ? 8 : 0, at = now->spec.ipv6 ? 8 : 12;
    const uint8_t *ip = rte_pktmbuf_mtod_offset(m, const uint8_t *, 14);

    assert_int_equal(m->pkt_len, 14 + fragment->ip_len); /* padding is none of it */
    assert_memory_equal(ip + at, now->ip + at, now->spec.ipv6 ? 32 : 8);
    if (!now->spec.ipv6)
        assert_int_equal(sum_words(ip, 20) % 0xffff, 0);
    assert_memory_equal(ip + now->header + extra, first ? now->ip + now->header : of->ip + of->header + fragment->start,
                        fragment->len);
}

/* What is dropped: as the poll loop does it, behind each burst and every few milliseconds. */
static void drop_ended(void)
{
    unsigned ended[CT_N_FRAGMENT_ENDS] = {0};
    enum ct_fragment_end end;
    struct rte_mbuf *m;

    while ((m = ct_fragment_ended(bed.ct, 0, bed.now, &end))) {
        ended[end]++;
        rte_pktmbuf_free(m);
    }
    model_fragments_expire(&reassembly);
    assert_memory_equal(ended, reassembly.ended, sizeof ended);
    memset(reassembly.ended, 0, sizeof reassembly.ended);
}

static void take(unsigned step, struct rte_mbuf *m, const struct model_fragment *fragment,
                 const struct model_request *request);

/* To a table that tracks them again. */
static void send_again(unsigned step, struct rte_mbuf *const *fragments, const struct model_datagram *whole,
                       const struct sent *now, uint16_t zone)
{
    struct model_request request;

    random_request(&request);
    if (one_in(2) || spec_proto(&now->spec) == IPPROTO_TCP)
        request.base.zone = zone;
    if (spec_proto(&now->spec) == IPPROTO_TCP)
        request.base.force = false;
    drop_ended();
    for (unsigned i = 0; i < whole->n; i++) {
        const struct model_fragment *of = &whole->fragments[i];
        const struct part part = {of->start, of->len, of->more};
        const struct model_fragment fragment = fragment_of(now, &part, request.base.zone);

        take(step, fragments[i], &fragment, &request);
    }
}

static void complete(unsigned step, const struct rte_mbuf *by, const struct model_datagram *whole,
                     const struct model_request *request)
{
    const struct sent *first = whole->fragments[0].of;
    const bool of_one = is_of_one(whole), good = is_good(whole);
    struct sent *now = free_sent(whole);
    struct rte_mbuf *fragments[MODEL_FRAGMENTS + 1];
    struct model_connection *connection = NULL;
    const char *fault = NULL;
    struct ct_spec seen;
    uint8_t reason = 0, wanted = CT_STATE_TRK | CT_STATE_INV;
    unsigned n = 0;

    assert_non_null(now);
    while (n <= whole->n && (fragments[n] = ct_fragment_next(bed.ct, 0, by, &reason)))
        n++;
    assert_int_equal(n, whole->n);
    *now = *first;
    now->recirc_id = 9;
    seen = seen_ends(&first->spec, fragments[0], 14 + first->header + (first->spec.ipv6 ? 8 : 0));
    if (spec_proto(&first->spec) == IPPROTO_TCP)
        now->spec.len = first->spec.len + length_of(whole) - first->len;
    if (good)
        wanted = CT_STATE_TRK | model_track(&model, request, &now->spec, &whole->fragments[0].before,
                                            reason == CT_REASON_NAT_EXHAUSTED ? NULL : &seen, &connection, &fault);
    now->spec.len = first->spec.len;
    build(now);
    if (packet_meta(fragments[0])->ct.state != wanted || fault) {
        print_message("step %u: ct_state 0x%x (%s), wanted 0x%x, fault %s: %u fragments of proto %u, %u -> %u\n", step,
                      packet_meta(fragments[0])->ct.state, ct_reason_name(reason), wanted, fault ? fault : "none", n,
                      spec_proto(&first->spec), first->spec.src, first->spec.dst);
        fail();
    }
    for (unsigned i = 0; i < n; i++) {
        const struct packet_meta *meta = packet_meta(fragments[i]);

        assert_int_equal(meta->md.ct_state, wanted);
        assert_int_equal(meta->ct.state, wanted);
        check_meta(&meta->ct, request->base.zone, connection);
        if (of_one || i > 0) /* else the checksum in the header is of a mixture */
            check_fragment(fragments[i], &whole->fragments[i], now, i == 0);
    }
    now->before = (struct model_before){.state = wanted, .zone = request->base.zone};
    if (connection)
        now->before.first = connection->first;
    if (of_one && reason != CT_REASON_NAT_EXHAUSTED && one_in(4)) {
        send_again(step, fragments, whole, now, request->base.zone);
        return;
    }
    for (unsigned i = 0; i < n; i++)
        rte_pktmbuf_free(fragments[i]);
}

/* --- through both -------------------------------------------------------- */

static void take(unsigned step, struct rte_mbuf *m, const struct model_fragment *fragment,
                 const struct model_request *request)
{
    const struct ct_nat_request nat = nat_request(request, fragment->key.ipv6);
    struct ct_meta *meta = &packet_meta(m)->ct;
    struct model_datagram whole;
    uint8_t result = fragment->before.state;
    enum ct_reason why;

    packet_meta(m)->md.in_port = fragment->key.in_port;
    packet_meta(m)->md.recirc_id = fragment->key.recirc_id;
    ct_run(bed.ct, 0, bed.now, &nat.request, &m, 1, &meta, &result);
    switch (model_fragment(&reassembly, fragment, &why, &whole)) {
    case FRAGMENT_WAITS:
        assert_int_equal(result, CT_HELD);
        break;
    case FRAGMENT_INVALID:
        assert_string_equal(ct_reason_name(result), ct_reason_name(why));
        assert_int_equal(meta->state, CT_STATE_TRK | CT_STATE_INV);
        check_meta(meta, request->base.zone, NULL);
        rte_pktmbuf_free(m);
        break;
    case FRAGMENT_COMPLETES:
        assert_int_equal(result, CT_WHOLE);
        complete(step, m, &whole, request);
        break;
    }
    drop_ended();
}

/* Makes a part what it should not be. */
static bool spoil(const struct sent *sent, struct part *part, bool *bad_header)
{
    switch (below(8)) {
    case 0:
        if (part->start + part->len + 8 > sent->len)
            return false;
        part->start += 8;
        return true;
    case 1:
        if (part->len <= 8)
            return false;
        part->len -= 8;
        return true;
    case 2:
        if (part->start == 0)
            return false; /* that is a whole packet */
        part->more = !part->more;
        return true;
    case 3:
        if (part->len <= 8)
            return false;
        part->len -= 3;
        return true;
    case 4:
        *part = (struct part){65528, 16, one_in(2)};
        return true;
    case 5:
        part->len = 0;
        part->more = true;
        return true;
    default:
        *bad_header = !sent->spec.ipv6;
        return true;
    }
}

static void send_part(unsigned step, const struct sent *sent, struct part part, const struct model_request *request)
{
    bool bad_header = false;
    struct model_fragment fragment;

    if (one_in(20) && !spoil(sent, &part, &bad_header))
        return;
    fragment = fragment_of(sent, &part, request->base.zone);
    fragment.bad_header = bad_header;
    take(step, fragment_mbuf(sent, &part, bad_header), &fragment, request);
}

/* One of those that were not sent yet, in any order; sometimes one that was. */
static void send_one(unsigned step, struct sent *sent, const struct model_request *request)
{
    if (one_in(15) || sent->left == 0) {
        send_part(step, sent, sent->parts[below(sent->n_parts)], request);
        return;
    }
    struct part *pick = &sent->parts[one_in(2) ? sent->left - 1 : below(sent->left)];
    const struct part part = *pick;

    *pick = sent->parts[--sent->left];
    sent->parts[sent->left] = part;
    send_part(step, sent, part, request);
}

static void change_settings(void)
{
    static const uint32_t mins[] = {400, 400, 400, 500, 1300};
    const bool ipv6 = one_in(2);

    reassembly.min[ipv6] = mins[below(RTE_DIM(mins))];
    ct_set_fragment_min(bed.ct, ipv6, reassembly.min[ipv6]);
    reassembly.enabled[ipv6] = !one_in(8);
    ct_set_fragments_enabled(bed.ct, ipv6, reassembly.enabled[ipv6]);
    reassembly.max = one_in(2) ? 3 + below(20) : 500;
    ct_set_fragments_max(bed.ct, reassembly.max);
}

void fragments_begin(void)
{
    memset(&reassembly, 0, sizeof reassembly);
    memset(in_flight, 0, sizeof in_flight);
    reassembly.enabled[0] = reassembly.enabled[1] = true;
    for (unsigned v = 0; v < 2; v++) {
        reassembly.min[v] = CT_FRAGMENT_MIN_LEAST;
        ct_set_fragment_min(bed.ct, v, CT_FRAGMENT_MIN_LEAST);
    }
    reassembly.max = CT_FRAGMENTS_DEFAULT;
}

void fragments_step(unsigned step)
{
    struct sent **slot = &in_flight[below(IN_FLIGHT)];
    struct model_request request;

    reassembly.now = bed.now;
    if (one_in(300))
        change_settings();
    /* The poll loop looks every few milliseconds; a fragment may come before it does. */
    if (one_in(2) || model_fragments_held(&reassembly) + 1 >= reassembly.max)
        drop_ended();
    if (!*slot)
        *slot = new_sent();
    if (!*slot)
        return;
    random_request(&request);
    request.base.zone = (*slot)->zone;
    /* TCP's numbers are those that the connection has now. */
    if (spec_proto(&(*slot)->spec) == IPPROTO_TCP) {
        while ((*slot)->left > 0)
            send_one(step, *slot, &request);
        *slot = NULL;
        return;
    }
    if (one_in(20))
        request.base.zone = (uint16_t)below(MODEL_ZONES);
    send_one(step, *slot, &request);
    if ((*slot)->left == 0 && one_in(2))
        *slot = NULL;
}

void fragments_compare(void)
{
    struct ct_datagram_info datagram;
    struct ct_fragments_info info;
    uint32_t cursor = 0;
    unsigned n = 0, n_model = 0;

    reassembly.now = bed.now;
    drop_ended();
    ct_fragments_info(bed.ct, &info);
    assert_int_equal(info.n, model_fragments_held(&reassembly));
    for (unsigned v = 0; v < 2; v++) {
        const struct model_fragment_counters *counters = &reassembly.counters[v];

        assert_int_equal(info.ip[v].accepted, counters->accepted);
        assert_int_equal(info.ip[v].completed, counters->completed);
        assert_int_equal(info.ip[v].expired, counters->expired);
        assert_int_equal(info.ip[v].small, counters->small);
        assert_int_equal(info.ip[v].overlapped, counters->overlapped);
        assert_int_equal(info.ip[v].evicted, counters->evicted);
    }
    while (ct_next_datagram(bed.ct, &cursor, UINT32_MAX, &datagram))
        n++;
    for (unsigned i = 0; i < reassembly.n; i++)
        n_model += reassembly.datagrams[i].n > 0;
    assert_int_equal(n, n_model);
}

static struct model_fragment_counters happened[2]; /* in all rounds */

void fragments_end(void)
{
    bed.now += 16;
    fragments_compare();
    assert_int_equal(model_fragments_held(&reassembly), 0);
    for (unsigned v = 0; v < 2; v++) {
        happened[v].completed += reassembly.counters[v].completed;
        happened[v].expired += reassembly.counters[v].expired;
        happened[v].small += reassembly.counters[v].small;
        happened[v].overlapped += reassembly.counters[v].overlapped;
        happened[v].evicted += reassembly.counters[v].evicted;
    }
}

void fragments_have_happened(unsigned rounds)
{
    for (unsigned v = 0; v < 2; v++)
        assert_true(happened[v].completed > 100 * rounds && happened[v].expired > 20 * rounds &&
                    happened[v].small > 20 * rounds && happened[v].overlapped > 20 * rounds &&
                    happened[v].evicted > 10 * rounds);
}
