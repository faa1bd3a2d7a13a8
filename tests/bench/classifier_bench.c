/* Rates and memory of the pipeline: rules added, looked up and deleted. Usage: classifier_bench [RULES] (1 million).
 *
 * Times are CPU time of one thread; run it pinned (taskset -c 1).
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "pmd/base/clock.h"
#include "pmd/datapath.h"
#include "src/tables/pipeline.h"
#include "tests/lib/bundles.h"

static uint64_t stopped_clock_us(void)
{
    return 0;
}

static uint64_t rng = 3;

static uint32_t random_below(uint32_t n)
{
    rng ^= rng << 13;
    rng ^= rng >> 7;
    rng ^= rng << 17;
    return (uint32_t)((rng >> 16) % n);
}

static double now_s(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

static struct act_output output = {.h = {.type = ACT_OUTPUT, .len = sizeof output}, .port = 2};

static struct flow_mod output_fm(void)
{
    return (struct flow_mod){
        .priority = 32768,
        .out_port = OFPORT_ANY,
        .out_group = OFGROUP_ANY,
        .acts = {.acts = &output.h, .len = sizeof output},
    };
}

static rte_be32_t prefix_mask(unsigned plen)
{
    return plen == 0 ? 0 : rte_cpu_to_be_32(UINT32_MAX << (32 - plen));
}

static void match_udp(struct match *match)
{
    match->value.in_port = 1;
    match->mask.in_port = UINT32_MAX;
    match->value.pkt.eth_type = rte_cpu_to_be_16(0x0800);
    match->mask.pkt.eth_type = 0xffff;
    match->value.pkt.ip_proto = 17;
    match->mask.pkt.ip_proto = 0xff;
}

static void match_addresses(struct match *match, uint32_t src, unsigned src_plen, uint32_t dst, unsigned dst_plen)
{
    match->mask.pkt.ipv4_src = prefix_mask(src_plen);
    match->mask.pkt.ipv4_dst = prefix_mask(dst_plen);
    match->value.pkt.ipv4_src = rte_cpu_to_be_32(src) & match->mask.pkt.ipv4_src;
    match->value.pkt.ipv4_dst = rte_cpu_to_be_32(dst) & match->mask.pkt.ipv4_dst;
}

static void match_tp_dst(struct match *match, uint16_t port)
{
    match->mask.pkt.tp_dst = 0xffff;
    match->value.pkt.tp_dst = rte_cpu_to_be_16(port);
}

/* --- many simple rules --------------------------------------------------- */

static void simple_rule(struct flow_mod *fm, uint32_t i)
{
    match_udp(&fm->match);
    match_addresses(&fm->match, 0, 0, 0x0a000000 + i, 32);
}

static void print_rate(const char *what, unsigned n, double seconds)
{
    printf("%-46s %9u %8.3f s %8.0f ns each\n", what, n, seconds, seconds / n * 1e9);
}

static void bench_simple(unsigned n, bool bundle)
{
    struct pipeline *pipeline = pipeline_create(NULL);
    struct flow_mod fm = output_fm();
    struct mallinfo2 before = mallinfo2(), after;
    double start = now_s();

    if (bundle)
        pipeline_bundle_begin(pipeline);
    for (uint32_t i = 0; i < n; i++) {
        simple_rule(&fm, i);
        if (bundle)
            bundle_mod(pipeline, &fm);
        else
            pipeline_flow_mod(pipeline, &fm);
    }
    print_rate(bundle ? "add in a bundle" : "add one by one", n, now_s() - start);
    if (bundle) {
        double longest = 0, total = now_s();
        bool done = false;

        while (!done) {
            start = now_s();
            done = pipeline_bundle_commit_step(pipeline, 10000);
            if (now_s() - start > longest)
                longest = now_s() - start;
        }
        print_rate("  commit, in steps of 10000", n, now_s() - total);
        printf("  longest step %.3f ms\n", longest * 1e3);
    }
    after = mallinfo2();

    size_t heap = after.uordblks + after.hblkhd - before.uordblks - before.hblkhd;

    printf("  heap %.1f MB, %zu bytes a rule; the pipeline's own account says %.1f MB\n", (double)heap / 1e6, heap / n,
           (double)pipeline_memory(pipeline) / 1e6);

    struct rule_cursor *cursor = rule_cursor_open(
        pipeline, &(struct rule_filter){.table_id = TABLE_ALL, .out_port = OFPORT_ANY, .out_group = OFGROUP_ANY});
    unsigned visited = 0;

    start = now_s();
    while (rule_cursor_next(cursor))
        visited++;
    print_rate("  dump", visited, now_s() - start);
    rule_cursor_close(cursor);

    unsigned hits = 0;

    start = now_s();
    for (unsigned i = 0; i < 1000000; i++) {
        struct flow flow = {.in_port = 1,
                            .pkt = {.eth_type = rte_cpu_to_be_16(0x0800),
                                    .ip_proto = 17,
                                    .ipv4_dst = rte_cpu_to_be_32(0x0a000000 + random_below(n))}};
        struct flow wc = {0};

        hits += pipeline_lookup(pipeline, 0, &flow, &wc, NULL) != NULL;
    }
    print_rate("  look up, random flows, with mask", hits, now_s() - start);

    start = now_s();
    if (bundle) {
        fm = output_fm();
        fm.command = FLOW_DELETE;
        pipeline_flow_mod(pipeline, &fm);
        print_rate("  delete all at once", n, now_s() - start);
    } else {
        fm.command = FLOW_DELETE_STRICT;
        for (uint32_t i = 0; i < n; i++) {
            simple_rule(&fm, i);
            pipeline_flow_mod(pipeline, &fm);
        }
        print_rate("  delete one by one, strict", n, now_s() - start);
    }
    pipeline_destroy(pipeline);
    malloc_trim(0);
}

/* --- lookups ------------------------------------------------------------- */

static void bench_lookups(const char *what, struct pipeline *pipeline, struct flow *flows, unsigned n_flows)
{
    unsigned n = 500000, hits = 0;
    struct flow wc;
    unsigned bits = 0;

    for (unsigned i = 0; i < n_flows; i++) {
        memset(&wc, 0, sizeof wc);
        pipeline_lookup(pipeline, 0, &flows[i], &wc, NULL);
        for (unsigned j = 0; j < FLOW_WORDS; j++)
            bits += (unsigned)__builtin_popcountll(((uint64_t *)&wc)[j]);
    }

    double start = now_s();

    for (unsigned i = 0; i < n; i++) {
        memset(&wc, 0, sizeof wc);
        hits += pipeline_lookup(pipeline, 0, &flows[i % n_flows], &wc, NULL) != NULL;
    }
    print_rate(what, n, now_s() - start);
    printf("  %u rules, %.0f %% hits, %u bits of mask on average\n", pipeline_n_rules(pipeline, 0), hits * 100.0 / n,
           bits / n_flows);
}

/* 32 masks: source prefix x destination prefix x with and without destination port. */
static void bench_acl(unsigned per_mask)
{
    struct pipeline *pipeline = pipeline_create(NULL);
    struct flow_mod fm = output_fm();
    static struct flow flows[10000];

    fm.priority = 1;
    fm.match.value.in_port = 1;
    fm.match.mask.in_port = UINT32_MAX;
    pipeline_flow_mod(pipeline, &fm);
    for (unsigned src = 8; src <= 32; src += 8) {
        for (unsigned dst = 8; dst <= 32; dst += 8) {
            for (unsigned i = 0; i < 2 * per_mask; i++) {
                fm = output_fm();
                fm.priority = (uint16_t)(10 + random_below(59990));
                match_udp(&fm.match);
                match_addresses(&fm.match, 0x0a000000 | random_below(65536), src, 0x0b000000 | random_below(65536),
                                dst);
                if (i % 2 == 0)
                    match_tp_dst(&fm.match, (uint16_t)(1 + random_below(999)));
                pipeline_flow_mod(pipeline, &fm);
            }
        }
    }
    for (unsigned i = 0; i < RTE_DIM(flows); i++) {
        flows[i] = (struct flow){.in_port = 1,
                                 .pkt = {.eth_type = rte_cpu_to_be_16(0x0800),
                                         .ip_proto = 17,
                                         .ipv4_src = rte_cpu_to_be_32(0x0a000000 | random_below(65536)),
                                         .ipv4_dst = rte_cpu_to_be_32(0x0b000000 | random_below(65536)),
                                         .tp_dst = rte_cpu_to_be_16((uint16_t)random_below(1000))}};
    }
    bench_lookups("look up in an ACL of 32 masks", pipeline, flows, RTE_DIM(flows));
    pipeline_destroy(pipeline);
}

/* Many prefix lengths and ports, as in firewall rule sets. */
static void bench_firewall(unsigned n)
{
    struct pipeline *pipeline = pipeline_create(NULL);
    unsigned n_flows = n < 10000 ? n : 10000;
    struct flow *flows = calloc(n, sizeof *flows);

    for (unsigned i = 0; i < n; i++) {
        struct flow_mod fm = output_fm();
        unsigned src_plen = 8 + random_below(25);
        unsigned dst_plen = 8 + random_below(25);
        uint32_t src = random_below(1 << 20) << 10, dst = random_below(1 << 20) << 10;

        fm.priority = (uint16_t)(1 + random_below(65000));
        match_udp(&fm.match);
        match_addresses(&fm.match, src, src_plen, dst, dst_plen);
        if (random_below(2) == 0)
            match_tp_dst(&fm.match, (uint16_t)random_below(1024));
        pipeline_flow_mod(pipeline, &fm);
        flows[i] = (struct flow){.in_port = 1,
                                 .pkt = {.eth_type = rte_cpu_to_be_16(0x0800),
                                         .ip_proto = 17,
                                         .ipv4_src = rte_cpu_to_be_32(src),
                                         .ipv4_dst = rte_cpu_to_be_32(dst),
                                         .tp_dst = rte_cpu_to_be_16((uint16_t)random_below(1024))}};
    }
    bench_lookups("look up in a firewall rule set", pipeline, flows, n_flows);
    pipeline_destroy(pipeline);
    free(flows);
}

int main(int argc, char **argv)
{
    unsigned n = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 1000000;

    clock_set_source(stopped_clock_us);
    bench_simple(100000, false);
    bench_simple(100000, true);
    if (n > 0)
        bench_simple(n, true);
    bench_acl(30);
    bench_firewall(1000);
    bench_firewall(100000);
    return 0;
}
