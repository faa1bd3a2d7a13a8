/* What OpenFlow 1.0 has of its own, byte by byte as its libraries send it, and what other versions are told of it. */
#include "src/openflow/wire/oxm.h"
#include "src/tables/rule.h"
#include "src/tables/table.h"
#include "tests/lib/of_bed.h"
#include "tests/lib/of_replies.h"

#define WILDCARD_ALL 0x3fffffu
#define FLAG_CHECK_OVERLAP 2
#define FLAG_EMERG 4

struct match10 { /* struct ofp_match, as numbers */
    uint32_t wildcards;
    uint16_t in_port, dl_vlan, dl_type, tp_src, tp_dst;
    uint8_t nw_tos, nw_proto;
};

/* udp from 10.0.0.1 to 10.0.0.2 on port 1, without a tag: all of it */
static const struct match10 exact = {
    .in_port = 1, .dl_vlan = 0xffff, .dl_type = 0x0800, .nw_proto = 17, .tp_src = 7, .tp_dst = 9};

static void put_match(struct of_buf *buf, const struct match10 *m)
{
    of_buf_add_u32(buf, m->wildcards);
    of_buf_add_u16(buf, m->in_port);
    of_buf_add(buf, 12);
    of_buf_add_u16(buf, m->dl_vlan);
    of_buf_add(buf, 2);
    of_buf_add_u16(buf, m->dl_type);
    of_buf_add_u8(buf, m->nw_tos);
    of_buf_add_u8(buf, m->nw_proto);
    of_buf_add(buf, 2);
    of_buf_add_u32(buf, 0x0a000001);
    of_buf_add_u32(buf, 0x0a000002);
    of_buf_add_u16(buf, m->tp_src);
    of_buf_add_u16(buf, m->tp_dst);
}

/* OFPT_FLOW_MOD; port 0: no action. */
static void flow_mod10(enum flow_mod_command command, const struct match10 *m, uint16_t priority, uint16_t flags,
                       uint16_t idle, uint16_t port)
{
    struct of_buf buf = {0};

    of_buf_add_u32(&buf, 0x010e0000);
    of_buf_add_u32(&buf, 9);
    put_match(&buf, m);
    of_buf_add_u64(&buf, 0);
    of_buf_add_u16(&buf, (uint16_t)command);
    of_buf_add_u16(&buf, idle);
    of_buf_add_u16(&buf, 0);
    of_buf_add_u16(&buf, priority);
    of_buf_add_u32(&buf, OF_NO_BUFFER);
    of_buf_add_u16(&buf, 0xffff);
    of_buf_add_u16(&buf, flags);
    if (port) {
        of_buf_add_u32(&buf, 8);
        of_buf_add_u16(&buf, port);
        of_buf_add_u16(&buf, 0);
    }
    of_buf_set_u16(&buf, 2, (uint16_t)buf.len);
    client_write(&a, buf.data, buf.len);
    of_buf_free(&buf);
}

/* Where the packet of `exact` goes. */
static uint32_t port_of_packet(void)
{
    struct flow flow = {
        .in_port = 1,
        .packet_type = PACKET_TYPE_ETHERNET,
        .pkt = {.eth_type = RTE_BE16(0x0800), .ip_proto = 17, .tp_src = RTE_BE16(7), .tp_dst = RTE_BE16(9)}};
    const struct rule *rule;

    flow.pkt.ipv4_src = RTE_BE32(0x0a000001);
    flow.pkt.ipv4_dst = RTE_BE32(0x0a000002);
    client_barrier(&a);
    rule = classifier_lookup(bridge->pipeline->tables[0], pipeline_version(bridge->pipeline), &flow, NULL, NULL);
    return rule ? ((const struct act_output *)rule->acts.acts)->port : 0;
}

static void open_pair(void)
{
    start(FAIL_SECURE, NULL, 0);
    client_connect(&a, mgmt);
    client_hello(&a, OF10);
    client_connect(&b, mgmt);
    client_hello(&b, OF13);
}

static void close_pair(void)
{
    client_close(&a);
    client_close(&b);
    stop();
}

/* The one rule of the first reply with this priority, as `client` is told. */
static void find_told(struct client *client, uint16_t priority, struct of_flow_stats *stats)
{
    struct of_msg msg = {
        .type = OF_MULTIPART_REQUEST,
        .request = {.type = OF_MP_FLOW,
                    .filter = {.table_id = TABLE_ALL, .out_port = OFPORT_ANY, .out_group = OFGROUP_ANY}}};
    struct act_buffer acts;
    struct match match;
    unsigned n = 0;

    match_init_all(&msg.request.match);
    client_send(client, &msg);
    client_expect(client, OF_MULTIPART_REPLY, &msg);
    act_buffer_init(&acts);
    struct of_flow_stats each;
    while (of_multipart_next_flow(client->version, &msg.reply, &each, &match, &acts) > 0) {
        if (each.priority == priority) {
            *stats = each;
            n++;
        }
    }
    assert_int_equal(n, 1);
    act_buffer_free(&acts);
    of_msg_free(&msg);
}

static void an_exact_match_has_the_highest_priority(void **state)
{
    static const struct match10 any = {.wildcards = WILDCARD_ALL};
    struct of_flow_stats stats;

    open_pair();
    flow_mod10(FLOW_ADD, &any, 20, 0, 0, 2);
    assert_int_equal(port_of_packet(), 2);
    flow_mod10(FLOW_ADD, &exact, 10, 0, 0, 3);
    assert_int_equal(port_of_packet(), 3);
    /* Other versions are told 65535, which is how it is found by them. */
    find_told(&a, UINT16_MAX, &stats);
    find_told(&b, UINT16_MAX, &stats);
    /* Whatever priority is said, it is the same rule. */
    flow_mod10(FLOW_ADD, &exact, 11, 0, 0, 4);
    assert_int_equal(port_of_packet(), 4);
    assert_int_equal(n_rules(), 2);
    flow_mod10(FLOW_MODIFY_STRICT, &exact, 12, 0, 0, 5);
    assert_int_equal(port_of_packet(), 5);
    assert_int_equal(n_rules(), 2);
    /* One with wildcards does not win, whatever its priority and age. */
    flow_mod10(FLOW_DELETE_STRICT, &exact, 13, 0, 0, 0);
    assert_int_equal(port_of_packet(), 2);
    flow_mod10(FLOW_ADD, &any, UINT16_MAX, 0, 0, 6);
    assert_int_equal(port_of_packet(), 6);
    flow_mod10(FLOW_ADD, &exact, 0, 0, 0, 7);
    assert_int_equal(port_of_packet(), 7);
    flow_mod10(FLOW_DELETE, &exact, 0, 0, 0, 0);
    assert_int_equal(port_of_packet(), 6);
    close_pair();
}

static void statistics_have_the_flags_of_the_flow_mod(void **state)
{
    const struct match10 port2 = {.wildcards = WILDCARD_ALL & ~1u, .in_port = 2};
    struct of_flow_stats stats;
    struct act_buffer acts;
    struct of_msg msg;

    open_pair();
    for (unsigned flags = 0; flags < 32; flags++) {
        make_flow_mod(&msg, FLOW_ADD, 5, &acts);
        msg.flow_mod.flags = (uint16_t)flags;
        msg.flow_mod.priority = (uint16_t)(100 + flags);
        client_send(&b, &msg);
        client_barrier(&b);
        find_told(&b, msg.flow_mod.priority, &stats);
        assert_int_equal(stats.flags, flags);
        act_buffer_free(&acts);
    }
    /* OpenFlow 1.0 has no such flag; its adds start from 0. */
    flow_mod10(FLOW_ADD, &port2, 7, FLAG_CHECK_OVERLAP, 0, 2);
    client_barrier(&a);
    find_told(&b, 7, &stats);
    assert_int_equal(stats.flags, RULE_CHECK_OVERLAP | RULE_RESET_COUNTS);
    close_pair();
}

static void ipv6_has_what_is_in_ipv4(void **state)
{
    static const struct {
        struct match10 m;
        const char *text;
    } cases[] = {
        {{.dl_type = 0x86dd, .nw_proto = 17, .nw_tos = 0x28, .tp_src = 7, .tp_dst = 9},
         "udp6,nw_tos=40,tp_src=7,tp_dst=9"},
        {{.dl_type = 0x86dd, .nw_proto = 6, .tp_dst = 80}, "tcp6,nw_tos=0,tp_src=0,tp_dst=80"},
        {{.dl_type = 0x86dd, .nw_proto = 58, .tp_src = 128}, "icmp6,nw_tos=0,icmp_type=128,icmp_code=0"},
        {{.dl_type = 0x86dd, .nw_proto = 1, .tp_src = 8}, "ipv6,nw_proto=1,nw_tos=0"},
        {{.dl_type = 0x0800, .nw_proto = 58, .tp_src = 8}, "ip,nw_proto=58,nw_tos=0"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct match10 m = cases[i].m;
        struct match match, again;
        struct of_buf buf = {0};

        m.wildcards = WILDCARD_ALL & ~(1u << 4 | 1u << 5 | 1u << 6 | 1u << 7 | 1u << 21); /* type, proto, ports, tos */
        put_match(&buf, &m);
        for (int pass = 0; pass < 2; pass++) { /* as sent, and as told back */
            struct reader r = reader_of(buf.data, buf.len);
            char *text;

            assert_int_equal(match10_decode(&r, pass ? &again : &match, NULL), 0);
            text = match_format(pass ? &again : &match, NULL, NULL);
            assert_string_equal(text, cases[i].text);
            free(text);
            buf.len = 0;
            match10_encode(&buf, &match);
        }
        of_buf_free(&buf);
    }
}

static void emergency_flows_are_refused_as_1_0_says(void **state)
{
    open_pair();
    struct of_msg msg;

    for (int timeout = 0; timeout < 2; timeout++) {
        flow_mod10(FLOW_ADD, &exact, 1, FLAG_EMERG, (uint16_t)timeout, 2);
        client_expect(&a, OF_ERROR, &msg);
        assert_int_equal(msg.error.type, 3);
        assert_int_equal(msg.error.code, timeout ? 3 : 0); /* OFPFMFC_BAD_EMERG_TIMEOUT, ALL_TABLES_FULL */
        of_msg_free(&msg);
    }
    close_pair();
}

static void packet_outs_without_a_port_or_a_whole_packet(void **state)
{
    static uint8_t frame[60] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x88, 0xb5};
    const uint8_t head[] = {1, 13, 0, 24, 0, 0, 0, 4, 0xff, 0xff, 0xff, 0xff, 0, 1, 0, 8, 0, 0, 0, 8, 0, 2, 0, 0};
    struct of_msg out = {.type = OF_PACKET_OUT};
    uint8_t data[sizeof head + 13];
    struct act_buffer acts;

    open_pair();
    /* No body, half of one, actions beyond the end, a packet of 13 bytes. */
    static const uint8_t lens[] = {8, 12, 15, sizeof head - 1, sizeof data};
    for (size_t i = 0; i < sizeof lens; i++) {
        memcpy(data, head, sizeof head);
        data[3] = lens[i];
        client_write(&a, data, lens[i]);
        client_expect_error(&a, OFPERR_BRC_BAD_LEN, 4);
    }
    act_buffer_init(&acts);
    ((struct act_output *)act_buffer_add(&acts, ACT_OUTPUT, sizeof(struct act_output)))->port = 2;
    out.packet_out = (struct of_packet_out){
        .buffer_id = OF_NO_BUFFER, .acts = act_buffer_list(&acts), .data = frame, .data_len = sizeof frame};
    n_packet_outs = 0;
    client_send(&a, &out);
    client_barrier(&a);
    client_send(&b, &out);
    client_barrier(&b);
    assert_int_equal(n_packet_outs, 2);
    assert_int_equal(packet_out_port, OFPORT_ANY);
    act_buffer_free(&acts);
    close_pair();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_exact_match_has_the_highest_priority),
        cmocka_unit_test(statistics_have_the_flags_of_the_flow_mod),
        cmocka_unit_test(ipv6_has_what_is_in_ipv4),
        cmocka_unit_test(emergency_flows_are_refused_as_1_0_says),
        cmocka_unit_test(packet_outs_without_a_port_or_a_whole_packet),
    };

    return cmocka_run_group_tests(tests, of_bed_setup, of_bed_teardown);
}
