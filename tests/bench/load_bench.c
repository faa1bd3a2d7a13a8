/* What loading rules costs the control thread, without sockets: flow_mods of a bundle decoded and checked, applied,
 * told; nanoseconds of processor time a rule, the least of several rounds. Usage: load_bench [RULES [ROUNDS]]
 * (100000, 5).
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "pmd/datapath.h"
#include "src/openflow/server/bundle_store.h"
#include "src/openflow/codec/msg.h"
#include "src/tables/pipeline.h"
#include "tests/lib/bundles.h"

enum { DECODE, APPLY, TELL, N_STEPS };
static const char *const names[N_STEPS] = {"decode and store", "decode and apply", "tell"};

static double now_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
    return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

/* As ovs-ofctl sends "priority=100,in_port=1,udp,nw_dst=64.0.0.N,actions=output:2". */
__attribute__((noinline)) static void encode(uint32_t n, struct of_buf *buf)
{
    struct act_output output = {.h = {.type = ACT_OUTPUT, .len = sizeof output}, .port = 2};
    struct of_msg mod = {.type = OF_FLOW_MOD, .version = OF14, .xid = n};
    struct of_msg add = {.type = OF_BUNDLE_ADD, .version = OF14, .xid = n, .bundle_add = {.bundle_id = 1, .flags = 3}};
    struct flow_mod *fm = &mod.flow_mod;
    struct of_buf inner = {0};

    fm->priority = 100;
    fm->buffer_id = UINT32_MAX;
    fm->out_port = OFPORT_ANY;
    fm->out_group = OFGROUP_ANY;
    fm->acts = (struct act_list){.acts = &output.h, .len = sizeof output};
    fm->match.value.in_port = 1;
    fm->match.mask.in_port = UINT32_MAX;
    fm->match.value.pkt.eth_type = RTE_BE16(0x0800);
    fm->match.mask.pkt.eth_type = UINT16_MAX;
    fm->match.value.pkt.ip_proto = 17;
    fm->match.mask.pkt.ip_proto = UINT8_MAX;
    fm->match.value.pkt.ipv4_dst = rte_cpu_to_be_32(0x40000000 + n);
    fm->match.mask.pkt.ipv4_dst = UINT32_MAX;
    of_msg_encode(&mod, &inner);
    add.bundle_add.msg = inner.data;
    add.bundle_add.msg_len = inner.len;
    of_msg_encode(&add, buf);
    of_buf_free(&inner);
}

static void must(bool ok, const char *what)
{
    if (!ok) {
        fprintf(stderr, "load_bench: %s failed\n", what);
        exit(1);
    }
}

__attribute__((noinline)) static void decode_and_store(const struct of_buf *wire, struct of_bundle_store *store)
{
    const struct of_decode_options options = {0};

    for (size_t at = 0; at < wire->len;) {
        struct of_header header;
        struct of_msg outer, inner;

        of_header_parse(wire->data + at, &header);
        must(of_msg_decode(wire->data + at, header.length, &options, &outer) == 0, "decoding");
        must(of_msg_decode(outer.bundle_add.msg, outer.bundle_add.msg_len, &options, &inner) == 0, "decoding");
        must(of_bundle_store_add(store, outer.bundle_add.msg, outer.bundle_add.msg_len), "storing");
        of_msg_free(&inner);
        of_msg_free(&outer);
        at += header.length;
    }
}

__attribute__((noinline)) static void apply_bundle(struct pipeline *pipeline, const struct of_bundle_store *store)
{
    const struct of_decode_options options = {0};
    struct of_bundle_reader reader;
    const uint8_t *data;
    size_t len;

    must(pipeline_bundle_begin(pipeline) == 0, "a bundle");
    of_bundle_reader_init(&reader, store);
    while ((data = of_bundle_reader_next(&reader, &len))) {
        struct of_msg msg;

        must(of_msg_decode(data, len, &options, &msg) == 0, "decoding");
        must(bundle_mod(pipeline, &msg.flow_mod) == 0, "adding");
        of_msg_free(&msg);
    }
}

int main(int argc, char **argv)
{
    unsigned n = argc > 1 ? (unsigned)atoi(argv[1]) : 100000, rounds = argc > 2 ? (unsigned)atoi(argv[2]) : 5;
    double best[N_STEPS] = {0};
    struct of_buf wire = {0};

    for (uint32_t i = 0; i < n; i++)
        encode(i, &wire);
    for (unsigned round = 0; round < rounds; round++) {
        struct pipeline *pipeline = pipeline_create(NULL);
        struct of_bundle_store store = {0};
        double at[N_STEPS + 1];

        at[DECODE] = now_ns();
        decode_and_store(&wire, &store);
        at[APPLY] = now_ns();
        apply_bundle(pipeline, &store);
        at[TELL] = now_ns();
        bundle_commit(pipeline);
        at[N_STEPS] = now_ns();
        for (unsigned i = 0; i < N_STEPS; i++) {
            double took = (at[i + 1] - at[i]) / n;

            best[i] = round == 0 || took < best[i] ? took : best[i];
        }
        while (of_bundle_store_free_some(&store) > 0)
            ;
        pipeline_destroy(pipeline);
    }
    for (unsigned i = 0; i < N_STEPS; i++)
        printf("%-20s %6.0f ns a rule\n", names[i], best[i]);
    of_buf_free(&wire);
    return 0;
}
