/* The tracker and a model that shares no code with it agree on every packet, connection and timeout, whatever comes, in
 * whatever order, over days. SEED and ROUNDS may be given in the environment. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
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

    /* As the two ends would do it, most of the time. */
    if (from->phase == 0 && !one_in(4))
        spec->flags = SYN | ACK;
    else if (from->phase <= 2 && to->phase <= 2 && !one_in(6))
        spec->flags = ACK;
    spec->seq =
        from->phase == 0 ? (from->limited ? near((uint32_t)from->limit - 100) : any32()) : near((uint32_t)from->next);
    spec->ack = spec->flags & ACK ? near((uint32_t)to->next) : one_in(8) ? any32() : 0;
    if (spec->flags & RST && one_in(3))
        spec->ack = 0;
}

static void random_spec(struct ct_spec *spec, uint16_t zone, bool error)
{
    static const uint8_t protos[] = {IPPROTO_TCP,  IPPROTO_TCP,  IPPROTO_TCP, IPPROTO_UDP,
                                     IPPROTO_SCTP, IPPROTO_ICMP, 47};

    memset(spec, 0, sizeof *spec);
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

static void random_request(struct ct_request *request)
{
    memset(request, 0, sizeof *request);
    request->zone = (uint16_t)below(MODEL_ZONES);
    request->commit = one_in(2);
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

static void one_packet(unsigned step)
{
    struct model_connection *connection;
    struct ct_request request;
    struct ct_spec spec, quoted;
    uint8_t wanted, got;

    random_request(&request);
    random_spec(&spec, request.zone, false);
    if (one_in(10)) {
        random_spec(&quoted, request.zone, true);
        spec = (struct ct_spec){.ipv6 = quoted.ipv6,
                                .proto = quoted.ipv6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP,
                                .src = 7,
                                .dst = one_in(8) ? 3 : quoted.src,
                                .icmp_type = quoted.ipv6 ? 1 + below(4) : 3,
                                .quoted = &quoted};
    }
    wanted = CT_STATE_TRK | model_track(&model, &request, &spec, &connection);
    got = ct_bed_request(&bed, &request, &spec);
    if (got != wanted)
        fail_msg(
            "step %u: ct_state 0x%x (%s) instead of 0x%x: proto %u %u:%u -> %u:%u flags 0x%x, about proto %u %u:%u -> %u:%u type %u",
            step, got, ct_reason_name(bed.reason), wanted, spec_proto(&spec), spec.src, spec.sport, spec.dst,
            spec.dport, spec.flags, spec.quoted ? quoted.proto : 0, spec.quoted ? quoted.src : 0,
            spec.quoted ? quoted.sport : 0, spec.quoted ? quoted.dst : 0, spec.quoted ? quoted.dport : 0,
            spec.quoted ? quoted.icmp_type : 0);
    assert_int_equal(bed.meta.zone, request.zone);
    assert_int_equal(bed.meta.mark, connection ? connection->mark : 0);
    if (connection) {
        assert_memory_equal(bed.meta.label, connection->label, CT_LABEL_LEN);
        check_tuple(&connection->first);
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
