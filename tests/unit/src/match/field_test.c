/* The table of fields, and subfields. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "src/match/field.h"
#include "tests/lib/match_sets.h"

static void every_row_is_consistent(void **state)
{
    for (int i = 0; i < FIELD_N; i++) {
        const struct field *f = field_by_id(i);

        assert_non_null(f->name);
        assert_int_equal(f->id, i);
        assert_ptr_equal(field_by_name(f->name), f);
        assert_true(f->n_bits <= f->n_bytes * 8);
        assert_true(f->n_bytes == 16 || f->n_bits + f->shift <= f->container * 8u || f->id == FIELD_IN_PORT ||
                    f->id == FIELD_ARP_OP);
        if (f->experimenter) {
            assert_int_equal(f->nxm & 0xff, f->n_bytes);
            assert_ptr_equal(field_by_experimenter(f->experimenter, f->nxm), f);
            assert_ptr_equal(field_by_name(f->nxm_name), f);
        } else if (f->nxm) {
            assert_int_equal(f->nxm & 0xff, f->n_bytes);
            assert_ptr_equal(field_by_header(f->nxm), f);
            assert_ptr_equal(field_by_header(f->nxm | 1 << 8), f);
            assert_ptr_equal(field_by_name(f->nxm_name), f);
        }
        if (f->oxm) {
            assert_int_equal(f->oxm & 0xff, f->n_bytes);
            assert_ptr_equal(field_by_header(f->oxm), f);
            assert_ptr_equal(field_by_name(f->oxm_name), f);
            assert_true(f->oxm_since >= 4);
        }
    }
    assert_null(field_by_header(0x80000000u | 100 << 9 | 4));
    assert_null(field_by_header(0x70000000u));
    assert_null(field_by_name("no_such"));
}

static void a_field_reads_back_what_was_set(void **state)
{
    for (int i = 0; i < FIELD_N; i++) {
        const struct field *f = field_by_id(i);
        struct flow flow, ones, wc;
        union field_value set = {{0}}, got, zero = {{0}};

        if (f->n_bytes == 0) /* tun_metadata without an option */
            continue;
        memset(&flow, 0, sizeof flow);
        memset(&ones, 0xff, sizeof ones);
        set.b[f->n_bytes - 1] = i == FIELD_IP_TOS ? 0x48 : 1;
        assert_true(field_value_valid(f, &set));
        field_set(f, &flow, &set, NULL);
        field_get(f, &flow, &got);
        assert_memory_equal(&got, &set, sizeof set);
        field_set(f, &flow, &zero, NULL);
        for (size_t b = 0; b < sizeof flow; b++)
            assert_int_equal(((uint8_t *)&flow)[b], 0);

        memset(&wc, 0, sizeof wc);
        assert_true(field_is_wild(f, &wc));
        assert_false(field_is_exact(f, &wc));
        field_mask_all(f, &wc);
        assert_true(field_is_exact(f, &wc));
        assert_false(field_is_wild(f, &wc));
        assert_true(field_is_exact(f, &ones));
    }
}

static void setting_a_field_leaves_its_neighbours(void **state)
{
    struct flow flow;
    union field_value pcp = {{5}}, vid = {{0x10, 0x64}}, dscp = {{46}}, v;

    memset(&flow, 0, sizeof flow);
    flow.pkt.ip_tos = 3;
    field_set(field_by_id(FIELD_VLAN_VID), &flow, &vid, NULL);
    field_set(field_by_id(FIELD_VLAN_PCP), &flow, &pcp, NULL);
    assert_int_equal(flow.pkt.vlan_tci[0], RTE_BE16(0xb064));
    field_set(field_by_id(FIELD_IP_DSCP), &flow, &dscp, NULL);
    assert_int_equal(flow.pkt.ip_tos, 46 << 2 | 3);
    v.b[0] = 0xff;
    assert_false(field_value_valid(field_by_id(FIELD_IP_TOS), &v));
    field_set(field_by_id(FIELD_IP_TOS), &flow, &v, NULL);
    assert_int_equal(flow.pkt.ip_tos, 0xff);
}

static void ports_map_between_16_and_32_bits(void **state)
{
    struct flow flow;
    union field_value v;

    memset(&flow, 0, sizeof flow);
    flow.in_port = OFPORT_LOCAL;
    field_get(field_by_id(FIELD_IN_PORT), &flow, &v);
    assert_int_equal(v.b[0] << 8 | v.b[1], 0xfffe);
    v.b[1] = 0xfd;
    field_set(field_by_id(FIELD_IN_PORT), &flow, &v, NULL);
    assert_int_equal(flow.in_port, OFPORT_CONTROLLER);
    field_get(field_by_id(FIELD_IN_PORT_OXM), &flow, &v);
    assert_int_equal(v.b[0], 0xff);
    assert_int_equal(v.b[3], 0xfd);
}

static void prerequisites(void **state)
{
    const struct field *tcp_src = field_by_id(FIELD_TCP_SRC), *sll = field_by_id(FIELD_ND_SLL);
    struct match m;
    struct flow wc;
    union field_value v = {{0x08, 0x00}};

    match_init_all(&m);
    assert_false(field_prereq_implied(tcp_src, &m));
    match_set_exact(&m, field_by_id(FIELD_ETH_TYPE), &v);
    assert_false(field_prereq_implied(tcp_src, &m));
    assert_true(field_prereq_implied(field_by_id(FIELD_IPV4_SRC), &m));
    v.b[0] = 6;
    match_set_exact(&m, field_by_id(FIELD_IP_PROTO), &v);
    assert_true(field_prereq_implied(tcp_src, &m));
    assert_false(field_prereq_implied(field_by_id(FIELD_UDP_SRC), &m));

    memset(&wc, 0, sizeof wc);
    assert_true(field_prereq_holds(tcp_src, &m.value, &wc));
    assert_int_equal(wc.pkt.eth_type, 0xffff);
    assert_int_equal(wc.pkt.ip_proto, 0xff);
    assert_int_equal(wc.pkt.ip_frag, IP_FRAG_LATER);
    m.value.pkt.ip_frag = IP_FRAG_ANY | IP_FRAG_LATER;
    assert_false(field_prereq_holds(tcp_src, &m.value, NULL));

    match_init_all(&m);
    m.value.pkt.eth_type = RTE_BE16(0x86dd);
    m.value.pkt.ip_proto = 58;
    m.value.pkt.tp_src = RTE_BE16(135);
    assert_true(field_prereq_holds(sll, &m.value, NULL));
    assert_false(field_prereq_holds(field_by_id(FIELD_ND_TLL), &m.value, NULL));
    assert_false(field_prereq_implied(sll, &m));
}

static void subfields_are_right_aligned(void **state)
{
    struct flow flow;
    struct subfield mid = {field_by_id(FIELD_REG0), 8, 12}, wide = {field_by_id(FIELD_XXREG0), 60, 16};
    union field_value v = {{0}};

    memset(&flow, 0, sizeof flow);
    flow.reg[0] = RTE_BE32(0xffffffff);
    v.b[14] = 0x0a;
    v.b[15] = 0xbc;
    subfield_set(&mid, &flow, &v);
    assert_int_equal(flow.reg[0], RTE_BE32(0xfffabcff));
    memset(&v, 0, sizeof v);
    subfield_get(&mid, &flow, &v);
    assert_int_equal(v.b[14] << 8 | v.b[15], 0xabc);
    assert_int_equal(v.b[13], 0);

    v.b[14] = 0x12;
    v.b[15] = 0x34;
    subfield_set(&wide, &flow, &v);
    assert_int_equal(flow.reg[1] & RTE_BE32(0xfff), RTE_BE32(0x123));
    assert_int_equal(flow.reg[2], RTE_BE32(0x40000000));
    memset(&flow, 0, sizeof flow);
    subfield_mask(&wide, &flow);
    assert_int_equal(flow.reg[1], RTE_BE32(0xfff));
    assert_int_equal(flow.reg[2], RTE_BE32(0xf0000000));
}

static void match_arithmetic(void **state)
{
    struct match wide, narrow, other;
    union field_value net = {{10, 1, 0, 0}}, mask8 = {{255}}, mask16 = {{255, 255}}, net2 = {{10, 2, 0, 0}};
    const struct field *dst = field_by_id(FIELD_IPV4_DST);

    match_init_all(&wide);
    match_init_all(&narrow);
    match_init_all(&other);
    match_set_masked(&wide, dst, &net, &mask8);
    match_set_masked(&narrow, dst, &net, &mask16);
    match_set_masked(&other, dst, &net2, &mask16);
    assert_int_equal(wide.value.pkt.ipv4_dst, RTE_BE32(0x0a000000));
    assert_true(match_covers(&wide, &narrow));
    assert_false(match_covers(&narrow, &wide));
    assert_true(match_overlaps(&wide, &narrow));
    assert_false(match_overlaps(&narrow, &other));
    assert_false(match_equal(&wide, &narrow));
    assert_true(match_hits(&wide, &other.value));
    assert_false(match_hits(&narrow, &other.value));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_is_consistent),
        cmocka_unit_test(a_field_reads_back_what_was_set),
        cmocka_unit_test(setting_a_field_leaves_its_neighbours),
        cmocka_unit_test(ports_map_between_16_and_32_bits),
        cmocka_unit_test(prerequisites),
        cmocka_unit_test(subfields_are_right_aligned),
        cmocka_unit_test(match_arithmetic),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
