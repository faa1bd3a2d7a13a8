/* The tracker and a model that shares no code with it agree on every packet, connection and timeout, whatever comes, in
 * whatever order, over days. SEED and ROUNDS may be given in the environment. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <rte_random.h>
#include <stdlib.h>

#include "tests/property/ct_model.h"
#include "tests/property/random.h"
#include "tests/lib/eal.h"

#define STEPS 20000 /* a round */

static struct rte_mempool *pool;
static struct model model;
static struct ct_bed bed;

static uint32_t below(uint32_t n)
{
    return random_below(n);
}

static bool one_in(uint32_t n)
{
    return random_one_in(n);
}

static uint32_t any32(void)
{
    return below(1u << 16) << 16 | below(1u << 16);
}

/* Mostly `about`, sometimes a little off, seldom far off; never half of all numbers away, where no rule says what is
 * before what. */
static uint32_t near(uint32_t about)
{
    switch (below(12)) {
    case 0:
        return about + below(3000) - 1500;
    case 1:
        return about + below(200000) - 100000;
    case 2:
        return about + (below(1u << 14) << 15) - (1u << 28);
    default:
        return about;
    }
}

static bool was_silent(const struct model_side *side)
{
    return side->next == 0 || !side->limited;
}

static void tcp_numbers(struct ct_spec *spec, uint16_t zone)
{
    static const uint8_t flags[] = {ACK,       ACK, ACK,       ACK | PSH, SYN, SYN | ACK,
                                    FIN | ACK, RST, RST | ACK, SYN | FIN, FIN, 0};
    const struct model_connection *c;
    int direction;

    spec->flags = flags[below(RTE_DIM(flags))];
    spec->window = one_in(4) ? below(65536) : 8000;
    if (one_in(3))
        spec->len = below(1400);
    if (spec->flags & SYN && !one_in(3))
        spec->scale = 1 + below(15);
    c = model_find(&model, zone, spec, &direction);
    if (!c) {
        spec->seq = any32();
        spec->ack = spec->flags & ACK ? any32() : 0;
        if (!one_in(4))
            spec->flags = SYN;
        return;
    }
    const struct model_side *from = &c->side[direction], *to = &c->side[!direction];

    /* Reset before both sides had sent: what is in the window is anybody's guess. */
    if (from->phase == 5 && (was_silent(from) || was_silent(to))) {
        spec->flags = SYN;
        spec->seq = any32();
        return;
    }
    /* As the two ends would do it, most of the time. */
    if (from->phase == 0 && !one_in(4))
        spec->flags = SYN | ACK;
    else if (from->phase <= 2 && to->phase <= 2 && !one_in(6))
        spec->flags = ACK;
    spec->seq =
        from->phase == 0 ? (from->limited ? near((uint32_t)from->limit - 100) : any32()) : near((uint32_t)from->next);
    const int64_t acked = to->phase == 0 && to->limited ? to->limit - 100 : to->next;
    spec->ack = spec->flags & ACK ? near((uint32_t)acked) : one_in(8) ? any32() : 0;
    if (spec->flags & RST && one_in(3))
        spec->ack = 0;
}

/* Addresses and ports of a connection, as either side has them. */
static bool ends_of_a_connection(struct ct_spec *spec)
{
    const struct model_connection *c;
    const struct ct_spec *ends;

    if (model.n == 0 || one_in(2))
        return false;
    c = &model.connections[below(model.n)];
    ends = one_in(2) ? &c->reply : &c->first;
    spec->ipv6 = ends->ipv6;
    spec->proto = spec_proto(ends);
    spec->src = ends->src;
    spec->dst = ends->dst;
    spec->sport = ends->sport;
    spec->dport = ends->dport;
    spec->icmp_type = ends->icmp_type;
    return true;
}

static void random_ends(struct ct_spec *spec)
{
    static const uint8_t protos[] = {IPPROTO_TCP,  IPPROTO_TCP,  IPPROTO_TCP, IPPROTO_UDP,
                                     IPPROTO_SCTP, IPPROTO_ICMP, 47};

    spec->ipv6 = one_in(3);
    spec->proto = protos[below(RTE_DIM(protos))];
    spec->src = 1 + below(3);
    spec->dst = 1 + below(3);
    switch (spec->proto) {
    case IPPROTO_ICMP:
        if (spec->ipv6)
            spec->proto = IPPROTO_ICMPV6;
        spec->sport = below(3);
        spec->icmp_type = spec->ipv6 ? 128 + below(2) : 8 * below(2);
        break;
    case 47:
        break;
    default:
        spec->sport = 1 + below(3);
        spec->dport = 1 + below(3);
    }
}

static void random_spec(struct ct_spec *spec, uint16_t zone, bool error)
{
    memset(spec, 0, sizeof *spec);
    if (!ends_of_a_connection(spec))
        random_ends(spec);
    if (spec->proto == IPPROTO_TCP && !error)
        tcp_numbers(spec, zone);
    if (spec->proto == IPPROTO_SCTP) {
        static const uint8_t chunks[] = {0, 0, 0, 1, 2, 3, 6, 14};

        spec->chunk = chunks[below(RTE_DIM(chunks))];
        spec->chunk_flags = one_in(3);
        spec->tag = spec->chunk == 1 && !one_in(5) ? 0 : 1 + below(2);
        spec->init_tag = 1 + below(2);
    }
}

static void random_request(struct model_request *to)
{
    struct ct_request *request = &to->base;

    memset(to, 0, sizeof *to);
    request->zone = (uint16_t)below(MODEL_ZONES);
    request->commit = one_in(2);
    if (one_in(2)) {
        static const uint8_t kinds[] = {0, CT_NAT_SRC, CT_NAT_SRC, CT_NAT_DST};

        request->nat = CT_NAT | kinds[below(RTE_DIM(kinds))];
    }
    if (request->nat & (CT_NAT_SRC | CT_NAT_DST)) {
        request->nat |= (one_in(4) ? CT_NAT_RANDOM : 0) | (one_in(4) ? CT_NAT_PERSISTENT : 0);
        if (!one_in(4)) {
            to->min_address = one_in(3) ? 1 + below(3) : 9;
            to->max_address = to->min_address + below(3);
        }
        if (one_in(2)) {
            request->nat |= CT_NAT_PORTS;
            to->min_port = (uint16_t)(1 + below(4));
            to->max_port = (uint16_t)(to->min_port + below(4));
        }
    }
    if (!request->commit)
        return;
    request->force = one_in(8);
    if (one_in(4)) {
        request->mark = any32();
        request->mark_mask = one_in(2) ? UINT32_MAX : any32();
        request->mark &= request->mark_mask;
    }
    if (one_in(8)) {
        request->set_label = true;
        request->label[below(16)] = (uint8_t)below(256);
        request->label_mask[below(16)] = 0xff;
    }
}

static void address_bytes(bool ipv6, uint32_t address, uint8_t bytes[16])
{
    if (address == 0)
        return;
    if (!ipv6) {
        put32(bytes, 0x0a000000 | address);
        return;
    }
    memcpy(bytes, "\x20\x01\x0d\xb8", 4);
    put32(bytes + 12, address);
}

/* The request as the tracker has it. */
static struct ct_nat_request nat_request(const struct model_request *request, bool ipv6)
{
    struct ct_nat_request nat = {.request = request->base,
                                 .nat = {.min_port = request->min_port, .max_port = request->max_port}};

    address_bytes(ipv6, request->min_address, nat.nat.min_address);
    address_bytes(ipv6, request->max_address, nat.nat.max_address);
    return nat;
}

/* Addresses and ports that the packet has now. */
static struct ct_spec seen_packet(const struct ct_spec *spec)
{
    const uint8_t *ip = rte_pktmbuf_mtod_offset(bed.m, const uint8_t *, 14), *l4 = ip + (spec->ipv6 ? 40 : 20);
    const bool icmp = spec_proto(spec) == IPPROTO_ICMP || spec_proto(spec) == IPPROTO_ICMPV6;
    struct ct_spec seen = {.ipv6 = spec->ipv6};

    seen.src = spec->ipv6 ? ip[23] : ip[15];
    seen.dst = spec->ipv6 ? ip[39] : ip[19];
    if (icmp) {
        seen.sport = (uint16_t)(l4[4] << 8 | l4[5]);
    } else {
        seen.sport = (uint16_t)(l4[0] << 8 | l4[1]);
        seen.dport = (uint16_t)(l4[2] << 8 | l4[3]);
    }
    return seen;
}

/* The packet is `spec`, to the last byte: translated where the model has translated, checksums and all. */
static void check_bytes(const struct ct_spec *spec)
{
    uint8_t ip[1600];
    const size_t len = spec_build(spec, ip);

    assert_int_equal(bed.m->pkt_len, 14 + len);
    assert_memory_equal(rte_pktmbuf_mtod_offset(bed.m, uint8_t *, 14), ip, len);
}

static void check_tuple(const struct ct_spec *first)
{
    const bool icmp = spec_proto(first) == IPPROTO_ICMP || spec_proto(first) == IPPROTO_ICMPV6;

    assert_int_equal(bed.meta.proto, spec_proto(first));
    assert_int_equal(bed.meta.ipv6, first->ipv6);
    assert_int_equal((first->ipv6 ? bed.meta.src6 : (uint8_t *)&bed.meta.src)[first->ipv6 ? 15 : 3], first->src);
    assert_int_equal((first->ipv6 ? bed.meta.dst6 : (uint8_t *)&bed.meta.dst)[first->ipv6 ? 15 : 3], first->dst);
    if (spec_proto(first) != 47)
        assert_int_equal(rte_be_to_cpu_16(bed.meta.tp_src), icmp ? first->icmp_type : first->sport);
}

static void describe(unsigned step, const struct ct_spec *spec, uint8_t wanted, const char *fault)
{
    const struct ct_spec *q = spec->quoted;

    print_message("step %u: ct_state 0x%x (%s), wanted 0x%x, fault %s: proto %u %u:%u -> %u:%u flags 0x%x\n", step,
                  bed.meta.state, ct_reason_name(bed.reason), wanted, fault ? fault : "none", spec_proto(spec),
                  spec->src, spec->sport, spec->dst, spec->dport, spec->flags);
    if (q)
        print_message("about proto %u %u:%u -> %u:%u type %u\n", spec_proto(q), q->src, q->sport, q->dst, q->dport,
                      q->icmp_type);
}

/* Through both, and they agree. `spec` becomes what it is translated to. */
static void track_by_both(unsigned step, const struct model_request *request, struct ct_spec *spec,
                          struct model_before *before)
{
    const struct ct_nat_request nat = nat_request(request, spec->ipv6);
    const struct ct_spec sent = *spec;
    struct model_connection *connection;
    struct ct_meta *meta = &bed.meta;
    struct ct_spec seen;
    const char *fault;
    uint8_t wanted;

    bed.reason = before->state;
    ct_run(bed.ct, 0, bed.now, &nat.request, &bed.m, 1, &meta, &bed.reason);
    seen = seen_packet(spec);
    wanted = CT_STATE_TRK | model_track(&model, request, spec, before,
                                        bed.reason == CT_REASON_NAT_EXHAUSTED ? NULL : &seen, &connection, &fault);
    if (bed.meta.state != wanted || fault) {
        describe(step, &sent, wanted, fault);
        fail();
    }
    check_bytes(spec);
    assert_int_equal(bed.meta.zone, request->base.zone);
    assert_int_equal(bed.meta.mark, connection ? connection->mark : 0);
    *before = (struct model_before){.state = wanted, .zone = request->base.zone};
    if (connection) {
        assert_memory_equal(bed.meta.label, connection->label, CT_LABEL_LEN);
        check_tuple(&connection->first);
        before->first = connection->first;
    }
}

static void one_packet(unsigned step)
{
    struct model_before before = {0};
    struct model_request request;
    struct ct_spec spec, quoted;

    random_request(&request);
    random_spec(&spec, request.base.zone, false);
    if (one_in(10)) {
        random_spec(&quoted, request.base.zone, true);
        spec = (struct ct_spec){.ipv6 = quoted.ipv6,
                                .proto = quoted.ipv6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP,
                                .src = 7,
                                .dst = one_in(8) ? 3 : quoted.src,
                                .icmp_type = quoted.ipv6 ? 1 + below(4) : 3,
                                .quoted = &quoted};
    }
    spec_to_mbuf(&spec, bed.m);
    track_by_both(step, &request, &spec, &before);
    while (one_in(4)) { /* what went on to a table that tracks it again */
        const uint16_t zone = request.base.zone;

        if (bed.reason == CT_REASON_NAT_EXHAUSTED)
            break;
        random_request(&request);
        /* TCP's numbers are those of this connection: in others they may be half of all numbers away. */
        if (one_in(2) || spec_proto(&spec) == IPPROTO_TCP)
            request.base.zone = zone;
        if (spec_proto(&spec) == IPPROTO_TCP)
            request.base.force = false;
        track_by_both(step, &request, &spec, &before);
    }
}

static void pass_time(void)
{
    static const uint32_t seconds[] = {1, 1, 5, 29, 30, 31, 44, 46, 60, 61, 899, 901, 86401};

    bed.now += seconds[below(RTE_DIM(seconds))];
    model.now = bed.now;
}

/* Both have the same connections, with the same time left. */
static void compare_all(void)
{
    struct ct_info info;
    uint32_t cursor = 0;
    unsigned n = 0;

    model_expire(&model);
    while (ct_next(bed.ct, bed.now, &cursor, UINT32_MAX, &info)) {
        struct model_connection *c;
        int direction;
        struct ct_spec spec = {.ipv6 = info.ipv6,
                               .proto = info.proto,
                               .src = info.orig.src[info.ipv6 ? 15 : 3],
                               .dst = info.orig.dst[info.ipv6 ? 15 : 3],
                               .sport = rte_be_to_cpu_16(info.orig.sport),
                               .dport = rte_be_to_cpu_16(info.orig.dport),
                               .icmp_type = info.orig.icmp_type};

        c = model_find(&model, info.zone, &spec, &direction);
        assert_non_null(c);
        assert_int_equal(direction, 0);
        assert_int_equal(info.left, c->deadline - bed.now);
        assert_int_equal(info.mark, c->mark);
        assert_int_equal(info.reply.src[info.ipv6 ? 15 : 3], c->reply.src);
        assert_int_equal(info.reply.dst[info.ipv6 ? 15 : 3], c->reply.dst);
        assert_int_equal(rte_be_to_cpu_16(info.reply.sport), spec_proto(&c->first) == 47 ? 0 : c->reply.sport);
        n++;
    }
    assert_int_equal(n, model.n);
}

/* `exact`: the control thread works after each packet, so that counts and limits are those of the model. */
static void one_round(bool exact)
{
    memset(&model, 0, sizeof model);
    bed = ct_bed_new(pool, 2000, 1);
    model.now = bed.now;
    for (unsigned zone = 0; exact && zone < MODEL_ZONES; zone++) {
        model.limit[zone] = zone * 20;
        ct_set_zone_limit(bed.ct, (uint16_t)zone, model.limit[zone]);
    }
    for (unsigned step = 0; step < STEPS; step++) {
        if (one_in(40))
            pass_time();
        if (one_in(2000)) {
            const uint16_t zone = (uint16_t)below(MODEL_ZONES);

            ct_flush_zone(bed.ct, zone);
            model_flush(&model, zone);
        }
        if (exact || one_in(100))
            ct_bed_work(&bed);
        if (exact || one_in(50))
            model_expire(&model);
        one_packet(step);
        if (one_in(500))
            compare_all();
    }
    compare_all();
    ct_flush_all(bed.ct);
    ct_bed_work(&bed);
    assert_int_equal(ct_count(bed.ct), 0);
    for (unsigned zone = 0; zone < MODEL_ZONES; zone++)
        assert_int_equal(ct_zone_count(bed.ct, (uint16_t)zone), 0);
    ct_bed_free(&bed);
}

static void tracker_is_as_the_model(void **state)
{
    const char *seed = getenv("SEED"), *rounds = getenv("ROUNDS");
    const unsigned n = rounds ? (unsigned)atoi(rounds) : 20;

    for (unsigned round = 0; round < n; round++) {
        const uint64_t s = (seed ? strtoull(seed, NULL, 0) : 1) + round;

        random_seed(s);
        rte_srand(s); /* the tracker's choices */
        print_message("seed %llu\n", (unsigned long long)s);
        one_round(round & 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(tracker_is_as_the_model)};

    if (test_eal_init("ct_property") != 0 || !(pool = test_pool(63)))
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
