/* The tracker and a model that shares no code with it agree on every packet, connection and timeout, whatever comes, in
 * whatever order, over days. SEED and ROUNDS may be given in the environment. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <rte_random.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/lib/eal.h"
#include "tests/property/ct_world.h"

#define STEPS 20000 /* a round */

/* The packet is `spec`, to the last byte: translated where the model has translated, checksums and all. */
static void check_bytes(const struct ct_spec *spec)
{
    uint8_t ip[1600];
    const size_t len = spec_build(spec, ip);

    assert_int_equal(bed.m->pkt_len, 14 + len);
    assert_memory_equal(rte_pktmbuf_mtod_offset(bed.m, uint8_t *, 14), ip, len);
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
    seen = seen_ends(spec, bed.m, 14 + (spec->ipv6 ? 40 : 20));
    wanted = CT_STATE_TRK | model_track(&model, request, spec, before,
                                        bed.reason == CT_REASON_NAT_EXHAUSTED ? NULL : &seen, &connection, &fault);
    if (bed.meta.state != wanted || fault) {
        describe(step, &sent, wanted, fault);
        fail();
    }
    check_bytes(spec);
    check_meta(&bed.meta, request->base.zone, connection);
    *before = (struct model_before){.state = wanted, .zone = request->base.zone};
    if (connection)
        before->first = connection->first;
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
    const unsigned in_use = rte_mempool_in_use_count(pool);

    memset(&model, 0, sizeof model);
    bed = ct_bed_new(pool, 2000, 1);
    model.now = bed.now;
    fragments_begin();
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
        if (one_in(2))
            one_packet(step);
        else
            fragments_step(step);
        if (one_in(500)) {
            compare_all();
            fragments_compare();
        }
    }
    compare_all();
    fragments_end();
    ct_flush_all(bed.ct);
    ct_bed_work(&bed);
    assert_int_equal(ct_count(bed.ct), 0);
    for (unsigned zone = 0; zone < MODEL_ZONES; zone++)
        assert_int_equal(ct_zone_count(bed.ct, (uint16_t)zone), 0);
    ct_bed_free(&bed);
    assert_int_equal(rte_mempool_in_use_count(pool), in_use);
}

/* Memory of this process that is there, in KB. */
static unsigned long resident(void)
{
    unsigned long size, pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");

    if (file && fscanf(file, "%lu %lu", &size, &pages) != 2)
        pages = 0;
    if (file)
        fclose(file);
    return pages * (unsigned long)sysconf(_SC_PAGESIZE) / 1024;
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
        print_message("resident %lu KB\n", resident());
    }
    fragments_have_happened(n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(tracker_is_as_the_model)};

    if (test_eal_init("ct_property") != 0 || !(pool = test_pool(1023)))
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
