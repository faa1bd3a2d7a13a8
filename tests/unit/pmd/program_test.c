/* Programs of operations: interned, formatted, described by one row an operation. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <rte_common.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pmd/base/memory.h"
#include "pmd/program_ops.h"
#include "pmd/tunnel.h"
#include "tests/lib/own_time.h"

static struct program_builder builder;

static void outputs(unsigned n, const uint32_t *ports)
{
    program_builder_init(&builder);
    for (unsigned i = 0; i < n; i++)
        program_builder_add(&builder, OP_OUTPUT, ports[i], NULL, 0);
}

static void equal_programs_are_one_object(void **state)
{
    struct program_table *table = program_table_create();

    outputs(2, (uint32_t[]){2, 3});
    struct program *a = program_intern(table, &builder);
    outputs(2, (uint32_t[]){3, 2});
    struct program *b = program_intern(table, &builder);
    outputs(2, (uint32_t[]){2, 3});
    assert_ptr_equal(program_intern(table, &builder), a);
    assert_ptr_not_equal(a, b);
    assert_int_equal(program_table_size(table), 2);
    assert_int_equal(a->refs, 2);

    assert_false(program_unref(table, a));
    assert_true(program_unref(table, a));
    assert_int_equal(program_table_size(table), 1);
    free(a);
    a = program_intern(table, &builder);
    assert_int_equal(a->refs, 1);
    program_table_destroy(table);
}

/* As many programs as megaflows: none takes long to come or to go, however many there are. */
static void many_programs_come_and_go_in_steps(void **state)
{
    enum { N = 300000 };
    struct program_table *table = program_table_create();
    struct program **programs = malloc(N * sizeof(struct program *));
    uint64_t longest = 0, before, now;

    memory_init();
    before = own_us();
    for (uint32_t i = 0; i < N; i++, before = now) {
        outputs(1, &i);
        programs[i] = program_intern(table, &builder);
        now = own_us();
        longest = RTE_MAX(longest, now - before);
    }
    for (uint32_t i = 0; i < N; i++, before = now) {
        assert_int_equal(((const struct program_op *)programs[i]->ops)->arg, i);
        assert_true(program_unref(table, programs[i]));
        free(programs[i]);
        now = own_us();
        longest = RTE_MAX(longest, now - before);
    }
    assert_int_equal(program_table_size(table), 0);
    assert_in_range(longest, 0, 10000 * OWN_TIME_FACTOR);
    free(programs);
    program_table_destroy(table);
}

static void padding_does_not_tell_programs_apart(void **state)
{
    struct program_table *table = program_table_create();
    struct program *programs[2];

    for (int i = 0; i < 2; i++) {
        struct op_mpls op;
        memset(&op, i ? 0xff : 0, sizeof op);
        op.lse = 1;
        op.lse_mask = 0;
        op.eth_type = RTE_BE16(0x8847);
        memset(&builder, i ? 0x55 : 0xaa, sizeof builder);
        program_builder_init(&builder);
        program_builder_add(&builder, OP_PUSH_MPLS, 0, &op, sizeof op);
        programs[i] = program_intern(table, &builder);
    }
    assert_ptr_equal(programs[0], programs[1]);
    program_table_destroy(table);
}

static void table_grows_and_finds_every_program_again(void **state)
{
    enum { N = 5000 };
    struct program_table *table = program_table_create();
    struct program **programs = calloc(N, sizeof *programs);

    for (uint32_t i = 0; i < N; i++) {
        outputs(1, &i);
        programs[i] = program_intern(table, &builder);
    }
    assert_int_equal(program_table_size(table), N);
    for (uint32_t i = 0; i < N; i++) {
        outputs(1, &i);
        assert_ptr_equal(program_intern(table, &builder), programs[i]);
        assert_false(program_unref(table, programs[i]));
        assert_true(program_unref(table, programs[i]));
        free(programs[i]);
    }
    assert_int_equal(program_table_size(table), 0);
    free(programs);
    program_table_destroy(table);
}

static void kinds(void **state)
{
    struct program_table *table = program_table_create();
    struct program *p;

    program_builder_init(&builder);
    p = program_intern(table, &builder);
    assert_int_equal(p->kind, PROGRAM_DROP);
    assert_int_equal(p->output, DROP_POLICY);

    program_builder_add(&builder, OP_DROP, DROP_XLATE_LOOP, NULL, 0);
    p = program_intern(table, &builder);
    assert_int_equal(p->kind, PROGRAM_DROP);
    assert_int_equal(p->output, DROP_XLATE_LOOP);

    outputs(1, (uint32_t[]){7});
    p = program_intern(table, &builder);
    assert_int_equal(p->kind, PROGRAM_OUTPUT);
    assert_int_equal(p->output, 7);
    assert_int_equal(p->n_outputs, 1);

    outputs(3, (uint32_t[]){7, 8, 9});
    p = program_intern(table, &builder);
    assert_int_equal(p->kind, PROGRAM_OUTPUTS);
    assert_int_equal(p->n_outputs, 3);
    assert_false(p->uses_meta);

    program_builder_add(&builder, OP_RECIRC, 1, NULL, 0);
    p = program_intern(table, &builder);
    assert_int_equal(p->kind, PROGRAM_GENERAL);
    assert_true(p->uses_meta);

    for (enum program_op_type type = OP_OUTPUT + 1; type < OP_N_TYPES; type++) {
        outputs(1, (uint32_t[]){7});
        program_builder_add(&builder, type, 0, NULL, 0);
        assert_int_equal(program_intern(table, &builder)->kind, PROGRAM_GENERAL);
    }

    static const uint8_t zeros[sizeof(struct op_tunnel_push)];
    program_builder_init(&builder);
    program_builder_add(&builder, OP_TUNNEL_POP, 0, zeros, sizeof(struct op_tunnel_pop));
    assert_int_equal(program_intern(table, &builder)->kind, PROGRAM_TUNNEL_POP);
    program_builder_init(&builder);
    program_builder_add(&builder, OP_TUNNEL_PUSH, 0, zeros, sizeof zeros);
    assert_int_equal(program_intern(table, &builder)->kind, PROGRAM_GENERAL);
    program_builder_add(&builder, OP_OUTPUT, 7, NULL, 0);
    assert_int_equal(program_intern(table, &builder)->kind, PROGRAM_TUNNEL_PUSH);
    assert_int_equal(program_intern(table, &builder)->output, 7);
    program_builder_add(&builder, OP_OUTPUT, 8, NULL, 0);
    assert_int_equal(program_intern(table, &builder)->kind, PROGRAM_GENERAL);

    program_builder_init(&builder);
    program_builder_add(&builder, OP_CT, 0, zeros, sizeof(struct op_ct));
    assert_int_equal(program_intern(table, &builder)->kind, PROGRAM_GENERAL);
    program_builder_add(&builder, OP_RECIRC, 1, NULL, 0);
    assert_int_equal(program_intern(table, &builder)->kind, PROGRAM_TRACK);
    program_builder_init(&builder);
    program_builder_add(&builder, OP_CT_NAT, 0, zeros, sizeof(struct op_ct_nat));
    program_builder_add(&builder, OP_RECIRC, 1, NULL, 0);
    assert_int_equal(program_intern(table, &builder)->kind, PROGRAM_GENERAL);

    uint32_t many[300] = {0};
    outputs(300, many);
    p = program_intern(table, &builder);
    assert_int_equal(p->kind, PROGRAM_OUTPUTS);
    assert_int_equal(p->n_outputs, UINT8_MAX);
    assert_int_equal(p->n_ops, 300);
    program_table_destroy(table);
}

static void builder_overflow_is_told(void **state)
{
    program_builder_init(&builder);
    for (unsigned i = 0; i < PROGRAM_MAX_LEN / 8; i++)
        program_builder_add(&builder, OP_OUTPUT, i, NULL, 0);
    assert_false(builder.overflow);
    assert_int_equal(builder.len, PROGRAM_MAX_LEN);
    program_builder_add(&builder, OP_OUTPUT, 1, NULL, 0);
    assert_true(builder.overflow);
    assert_int_equal(builder.len, PROGRAM_MAX_LEN);
}

static const char *port_name(void *arg, uint32_t port)
{
    static char name[16];

    snprintf(name, sizeof name, "%s%u", (const char *)arg, port);
    return name;
}

/* Formats what the builder holds. */
static const char *formatted(void)
{
    static char text[1024];
    struct program_table *table = program_table_create();
    struct program *program = program_intern(table, &builder);
    const int len = program_format(program, NULL, NULL, text, sizeof text);

    assert_int_equal(len, strlen(text));
    program_table_destroy(table);
    return text;
}

#define ASSERT_FORMAT(text, type, ...)                                                                                 \
    do {                                                                                                               \
        program_builder_init(&builder);                                                                                \
        program_builder_add(&builder, type, 0, &(__VA_ARGS__), sizeof(__VA_ARGS__));                                   \
        assert_string_equal(formatted(), text);                                                                        \
    } while (0)

#define FF_6                                                                                                           \
    {                                                                                                                  \
        {                                                                                                              \
            0xff, 0xff, 0xff, 0xff, 0xff, 0xff                                                                         \
        }                                                                                                              \
    }

static void formats(void **state)
{
    program_builder_init(&builder);
    assert_string_equal(formatted(), "drop");
    program_builder_add(&builder, OP_TRUNCATE, 100, NULL, 0);
    program_builder_add(&builder, OP_OUTPUT, 2, NULL, 0);
    program_builder_add(&builder, OP_METER, 1, NULL, 0);
    program_builder_add(&builder, OP_PUNT, 9, NULL, 0);
    program_builder_add(&builder, OP_POP_VLAN, 0, NULL, 0);
    program_builder_add(&builder, OP_RECIRC, 0x1f, NULL, 0);
    assert_string_equal(formatted(), "trunc(100),2,meter(1),userspace(punt_id=9),pop_vlan,recirc(0x1f)");

    program_builder_init(&builder);
    program_builder_add(&builder, OP_DROP, DROP_POLICY, NULL, 0);
    assert_string_equal(formatted(), "drop");
    program_builder_init(&builder);
    program_builder_add(&builder, OP_DROP, DROP_ACTION_TTL, NULL, 0);
    assert_string_equal(formatted(), "drop(action_ttl)");

    ASSERT_FORMAT("push_vlan(vid=5,pcp=0)", OP_PUSH_VLAN,
                  (struct op_vlan){.tpid = RTE_BE16(0x8100), .tci = RTE_BE16(5)});
    ASSERT_FORMAT("push_vlan(tpid=0x88a8,vid=5,pcp=3,dei=1)", OP_PUSH_VLAN,
                  (struct op_vlan){.tpid = RTE_BE16(0x88a8), .tci = RTE_BE16(0x7005)});
    ASSERT_FORMAT("set(vlan(vid=7))", OP_SET_VLAN,
                  (struct op_vlan){.tci = RTE_BE16(0xf007), .tci_mask = RTE_BE16(0x0fff)});
    ASSERT_FORMAT("push_mpls(label=100,tc=2,ttl=64,bos=1,eth_type=0x8847)", OP_PUSH_MPLS,
                  (struct op_mpls){.lse = RTE_BE32(100 << 12 | 2 << 9 | 1 << 8 | 64), .eth_type = RTE_BE16(0x8847)});
    ASSERT_FORMAT(
        "ct(commit,zone=1,nat(src=10.1.1.1-10.1.1.9:80-90,random))", OP_CT_NAT,
        (struct op_ct_nat){
            .nat = {
                .request = {.zone = 1, .commit = true, .nat = CT_NAT | CT_NAT_SRC | CT_NAT_PORTS | CT_NAT_RANDOM},
                .nat = {.min_address = {10, 1, 1, 1}, .max_address = {10, 1, 1, 9}, .min_port = 80, .max_port = 90}}});
    ASSERT_FORMAT("ct(nat)", OP_CT_NAT, (struct op_ct_nat){.nat = {.request = {.nat = CT_NAT}}});
    ASSERT_FORMAT("pop_mpls(eth_type=0x800)", OP_POP_MPLS, (struct op_mpls){.eth_type = RTE_BE16(0x0800)});
    ASSERT_FORMAT("set(mpls(ttl=63))", OP_SET_MPLS, (struct op_mpls){.lse = RTE_BE32(63), .lse_mask = RTE_BE32(0xff)});
    ASSERT_FORMAT(
        "set(eth(src=00:00:00:00:00:01,dst=00:00:00:00:00:02))", OP_SET_ETH,
        (struct op_eth){.src = {{0, 0, 0, 0, 0, 1}}, .dst = {{0, 0, 0, 0, 0, 2}}, .src_mask = FF_6, .dst_mask = FF_6});
    ASSERT_FORMAT("set(eth(dst=01:00:00:00:00:00/01:00:00:00:00:00))", OP_SET_ETH,
                  (struct op_eth){.dst = FF_6, .dst_mask = {{1}}});
    ASSERT_FORMAT("set(ipv4(src=10.0.0.1,ttl=63))", OP_SET_IPV4,
                  (struct op_ipv4){.src = RTE_BE32(0x0a000001), .src_mask = UINT32_MAX, .ttl = 63, .ttl_mask = 255});
    ASSERT_FORMAT("set(ipv4(src=10.0.0.0/255.0.0.0,dst=1.2.3.4,tos=0xb8/0xfc))", OP_SET_IPV4,
                  (struct op_ipv4){.src = RTE_BE32(0x0a000001),
                                   .src_mask = RTE_BE32(0xff000000),
                                   .dst = RTE_BE32(0x01020304),
                                   .dst_mask = UINT32_MAX,
                                   .tos = 0xbb,
                                   .tos_mask = 0xfc});
    ASSERT_FORMAT("set(ipv6(dst=fe80::/ffff::,label=0x12,tclass=0x3,hlimit=64))", OP_SET_IPV6,
                  (struct op_ipv6){.dst = {0xfe, 0x80, 0x11},
                                   .dst_mask = {0xff, 0xff},
                                   .label = RTE_BE32(0x12),
                                   .label_mask = RTE_BE32(0xfffff),
                                   .tos = 3,
                                   .tos_mask = 255,
                                   .ttl = 64,
                                   .ttl_mask = 255});
    ASSERT_FORMAT(
        "set(l4(src=80,dst=0x100/0xff00))", OP_SET_L4,
        (struct op_l4){
            .src = RTE_BE16(80), .src_mask = UINT16_MAX, .dst = RTE_BE16(0x123), .dst_mask = RTE_BE16(0xff00)});
    ASSERT_FORMAT("set(icmp(type=8,code=0))", OP_SET_ICMP,
                  (struct op_icmp){.type = 8, .type_mask = 255, .code_mask = 255});
    ASSERT_FORMAT("set(arp(sip=1.2.3.4,op=2,tha=ff:ff:ff:ff:ff:ff))", OP_SET_ARP,
                  (struct op_arp){.op = RTE_BE16(2),
                                  .op_mask = UINT16_MAX,
                                  .spa = RTE_BE32(0x01020304),
                                  .spa_mask = UINT32_MAX,
                                  .tha = FF_6,
                                  .tha_mask = FF_6});
    ASSERT_FORMAT(
        "set(nd(target=::,sll=02:00:00:00:00:00))", OP_SET_ND,
        (struct op_nd){.target_mask = {255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255},
                       .sll = {{2}},
                       .sll_mask = FF_6});
    ASSERT_FORMAT("set(skb_mark(0x5))", OP_SET_META, (struct op_meta){.pkt_mark = 5, .pkt_mark_mask = UINT32_MAX});
    ASSERT_FORMAT("set(skb_mark(0x1/0x1))", OP_SET_META, (struct op_meta){.pkt_mark = 5, .pkt_mark_mask = 1});
}

static void every_operation_has_a_row(void **state)
{
    static char texts[OP_N_TYPES][128];
    static const uint8_t zeros[sizeof(struct op_tunnel_push)];

    for (enum program_op_type type = 0; type < OP_N_TYPES; type++) {
        const struct program_op_info *info = &program_ops[type];
        struct program_table *table = program_table_create();

        if (!info->open || !info->close)
            fail_msg("operation %d has no row", type);
        program_builder_init(&builder);
        program_builder_add(&builder, type, 0, info->data_len > 0 ? zeros : NULL, info->data_len);
        assert_int_equal(builder.len, sizeof(struct program_op) + (info->data_len + 7u) / 8 * 8);
        struct program *program = program_intern(table, &builder);
        assert_int_equal(program->uses_meta, info->uses_meta);
        snprintf(texts[type], sizeof texts[type], "%s", formatted());
        assert_string_not_equal(texts[type], "");
        for (unsigned i = 0; i < type; i++)
            assert_string_not_equal(texts[i], texts[type]);
        program_table_destroy(table);
    }
}

/* Of a clone, the operations in it count. */
static void metadata_used_in_a_clone_is_used(void **state)
{
    struct program_table *table = program_table_create();
    const struct op_meta mark = {.pkt_mark = 1, .pkt_mark_mask = 1};

    program_builder_init(&builder);
    program_builder_add(&builder, OP_CLONE, sizeof(struct program_op) + sizeof mark, NULL, 0);
    program_builder_add(&builder, OP_SET_META, 0, &mark, sizeof mark);
    program_builder_add(&builder, OP_OUTPUT, 1, NULL, 0);
    assert_true(program_intern(table, &builder)->uses_meta);
    program_table_destroy(table);
}

static void the_struct_of_another_operation_aborts(void **state)
{
    static const uint8_t zeros[sizeof(struct op_tunnel_push)];
    const size_t wrong[] = {sizeof(struct op_eth) - 1, sizeof(struct op_eth) + 1, sizeof(struct op_arp)};

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        const pid_t child = fork();
        int status;

        if (child == 0) {
            close(STDERR_FILENO);
            program_builder_init(&builder);
            program_builder_add(&builder, OP_SET_ETH, 0, zeros, wrong[i]);
            _exit(0);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    }
}

static void format_uses_names_and_never_overruns(void **state)
{
    struct program_table *table = program_table_create();
    const char *whole = "trunc(64),vm10,vm11";

    program_builder_init(&builder);
    program_builder_add(&builder, OP_TRUNCATE, 64, NULL, 0);
    program_builder_add(&builder, OP_OUTPUT, 10, NULL, 0);
    program_builder_add(&builder, OP_OUTPUT, 11, NULL, 0);
    struct program *program = program_intern(table, &builder);
    for (size_t size = 0; size <= strlen(whole) + 2; size++) {
        char *buffer = malloc(size);
        assert_int_equal(program_format(program, port_name, (void *)(uintptr_t) "vm", buffer, size), strlen(whole));
        if (size > 0) {
            assert_true(strlen(buffer) == (size - 1 < strlen(whole) ? size - 1 : strlen(whole)));
            assert_memory_equal(buffer, whole, strlen(buffer));
        }
        free(buffer);
    }
    program_table_destroy(table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_programs_are_one_object),
        cmocka_unit_test(many_programs_come_and_go_in_steps),
        cmocka_unit_test(padding_does_not_tell_programs_apart),
        cmocka_unit_test(table_grows_and_finds_every_program_again),
        cmocka_unit_test(kinds),
        cmocka_unit_test(builder_overflow_is_told),
        cmocka_unit_test(formats),
        cmocka_unit_test(every_operation_has_a_row),
        cmocka_unit_test(metadata_used_in_a_clone_is_used),
        cmocka_unit_test(the_struct_of_another_operation_aborts),
        cmocka_unit_test(format_uses_names_and_never_overruns),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
