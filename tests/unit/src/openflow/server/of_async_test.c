/* What the server tells without being asked (packet-in, port status, flow removed), and packet-out. */
#include "tests/lib/flow_text.h"
#include "tests/lib/of_bed.h"

static uint8_t frame[1000];

/* A buffer of no pool: the last one to free it would put it into one, so it always has another owner. */
static void packet_in(uint8_t reason, uint64_t cookie, uint16_t max_len)
{
    static struct {
        struct rte_mbuf m;
        uint8_t priv[256];
    } packet;
    memset(&packet, 0, sizeof packet);
    packet.m.buf_addr = frame;
    packet.m.buf_len = sizeof frame;
    packet.m.data_len = sizeof frame;
    packet.m.pkt_len = sizeof frame;
    packet.m.nb_segs = 1;
    rte_mbuf_refcnt_set(&packet.m, 2);
    struct packet_in pin = {.bridge = bridge,
                            .packet = &packet.m,
                            .flow = {.in_port = 2},
                            .reason = reason,
                            .cookie = cookie,
                            .max_len = max_len,
                            .full_len = sizeof frame};
    of_server_packet_in(server, &pin);
    assert_int_equal(rte_mbuf_refcnt_read(&packet.m), 1);
}

static void set_config(struct client *client, uint16_t miss_send_len)
{
    const struct of_msg msg = {.type = OF_SET_CONFIG, .config = {.miss_send_len = miss_send_len}};

    client_send(client, &msg);
    client_barrier(client);
}

static void packet_ins_go_to_who_asked(void **state)
{
    struct of_msg msg;

    start(FAIL_SECURE, NULL, 0);
    client_connect(&a, mgmt);
    client_hello(&a, OF10);
    client_connect(&b, mgmt);
    client_hello(&b, OF13);
    packet_in(OF_REASON_ACTION, 1, 0xffff);
    client_expect_nothing(&a);
    assert_false(bridge->of10_table_miss);

    set_config(&a, 65534);
    set_config(&b, 65534);
    turn();
    assert_true(bridge->of10_table_miss);
    packet_in(OF_REASON_ACTION, 1, 100);
    client_expect(&a, OF_PACKET_IN, &msg);
    assert_int_equal(msg.packet_in.total_len, sizeof frame);
    assert_int_equal(msg.packet_in.data_len, sizeof frame); /* not buffered: whole */
    assert_int_equal(msg.packet_in.buffer_id, OF_NO_BUFFER);
    of_msg_free(&msg);
    client_expect(&b, OF_PACKET_IN, &msg);
    assert_int_equal(msg.packet_in.cookie, 1);
    of_msg_free(&msg);

    /* A miss without a rule is OpenFlow 1.0's affair. */
    packet_in(OF_REASON_NO_MATCH, UINT64_MAX, 0);
    client_expect(&a, OF_PACKET_IN, &msg);
    assert_int_equal(msg.packet_in.data_len, sizeof frame);
    of_msg_free(&msg);
    client_expect_nothing(&b);
    /* With one it is an action's, as OpenFlow 1.0 sees it; to later versions it is a miss. */
    packet_in(OF_REASON_MISS_RULE, 7, 0);
    client_expect(&a, OF_PACKET_IN, &msg);
    assert_int_equal(msg.packet_in.reason, OF_REASON_ACTION);
    of_msg_free(&msg);
    client_expect(&b, OF_PACKET_IN, &msg);
    assert_int_equal(msg.packet_in.reason, OF_REASON_NO_MATCH);
    of_msg_free(&msg);

    const struct of_msg none = {.type = OF_SET_ASYNC};
    client_send(&b, &none);
    client_barrier(&b);
    packet_in(OF_REASON_ACTION, 1, 100);
    client_expect_nothing(&b);
    client_expect(&a, OF_PACKET_IN, &msg);
    of_msg_free(&msg);

    /* Nobody reads: lost and counted beyond a bound. */
    n_limit_drops = 0;
    for (int i = 0; i < 5000; i++) {
        packet_in(OF_REASON_ACTION, 1, 0xffff);
        turn();
    }
    assert_in_range(n_limit_drops, 1, 4999);
    unsigned got = 0, dropped = n_limit_drops;
    while (got + dropped < 5000) {
        client_expect(&a, OF_PACKET_IN, &msg);
        of_msg_free(&msg);
        got++;
    }
    client_barrier(&a);
    client_close(&a);
    turn();
    assert_false(bridge->of10_table_miss);
    client_close(&b);
    stop();
}

static void expect_refused_actions(const struct of_msg *out, const char *text, enum of_error error)
{
    struct of_msg bad = *out;
    struct act_buffer acts;

    act_buffer_init(&acts);
    assert_null(actions_parse(text, &acts, NULL, NULL));
    bad.packet_out.acts = act_buffer_list(&acts);
    client_send(&a, &bad);
    client_expect_error(&a, error, 0);
    act_buffer_free(&acts);
}

static void a_packet_out_is_checked(void **state)
{
    static const uint8_t data[5000];
    struct of_msg out = {
        .type = OF_PACKET_OUT,
        .packet_out = {.buffer_id = OF_NO_BUFFER, .flow = {.in_port = 1}, .data = data, .data_len = 60}};

    start(FAIL_SECURE, NULL, 0);
    client_connect(&a, mgmt);
    client_hello(&a, OF13);
    struct of_msg bad = out;
    bad.packet_out.buffer_id = 5;
    bad.packet_out.data_len = 0;
    client_send(&a, &bad);
    client_expect_error(&a, OFPERR_BRC_BUFFER_UNKNOWN, 0);
    bad = out;
    bad.packet_out.flow.in_port = OFPORT_NORMAL;
    client_send(&a, &bad);
    client_expect_error(&a, OFPERR_BRC_BAD_PORT, 0);
    bad = out;
    bad.packet_out.data_len = 13;
    client_send(&a, &bad);
    client_expect_error(&a, OFPERR_BRC_BAD_PACKET, 0);
    expect_refused_actions(&out, "output:2,output(port=controller,max_len=100)", OFPERR_BAC_BAD_OUT_PORT);
    expect_refused_actions(&out, "set_field:80->tcp_dst,output:2", OFPERR_BAC_MATCH_INCONSISTENT);
    expect_refused_actions(&out, "check_pkt_larger(100)->NXM_OF_ETH_SRC[0]", OFPERR_BAC_BAD_SET_ARGUMENT);
    assert_int_equal(n_packet_outs, 0);
    out.packet_out.data_len = sizeof data;
    client_send(&a, &out);
    client_barrier(&a);
    assert_int_equal(n_packet_outs, 1);
    assert_int_equal(packet_out_port, 1);
    assert_int_equal(packet_out_len, sizeof data);
    assert_int_equal(rte_mempool_avail_count(pool), 64);
    client_close(&a);
    stop();
}

static void expect_port_status(enum of_port_reason reason, const char *name)
{
    struct of_msg msg;

    client_expect(&a, OF_PORT_STATUS, &msg);
    assert_int_equal(msg.port_status.reason, reason);
    assert_string_equal(msg.port_status.port.name, name);
    of_msg_free(&msg);
}

static void changes_of_ports_and_ends_of_rules_are_told(void **state)
{
    const char *error;
    struct of_msg msg;

    start(FAIL_SECURE, NULL, 0);
    client_connect(&a, mgmt);
    client_hello(&a, OF13);
    set_config(&a, 128);
    bridge_port_add(bridge, &(struct bridge_port_params){.port = NULL, .name = "new", .ofport = 77}, &error);
    expect_port_status(OF_PORT_ADD, "new");
    bridge_note_port(bridge_port_by_ofport(bridge, 1), BRIDGE_PORT_VLAN);
    bridge_note_port(bridge_port_by_ofport(bridge, 1), BRIDGE_PORT_LINK);
    expect_port_status(OF_PORT_MODIFY, "p1");
    bridge_port_remove(bridge_port_by_ofport(bridge, 77));
    expect_port_status(OF_PORT_DELETE, "new");

    send_flow_mod(&a, FLOW_ADD, 42);
    client_barrier(&a);
    const struct rule_filter all = {.table_id = TABLE_ALL, .out_port = OFPORT_ANY, .out_group = OFGROUP_ANY};
    struct rule_cursor *cursor = rule_cursor_open(bridge->pipeline, &all);
    struct rule *rule = rule_cursor_next(cursor);
    of_server_rule_gone(server, rule, RULE_IDLE_TIMEOUT);
    client_expect_nothing(&a);
    rule->flags |= RULE_SEND_FLOW_REM;
    rule->packets = 17;
    of_server_rule_gone(server, rule, RULE_IDLE_TIMEOUT);
    client_expect(&a, OF_FLOW_REMOVED, &msg);
    assert_int_equal(msg.flow_removed.reason, RULE_IDLE_TIMEOUT);
    assert_int_equal(msg.flow_removed.cookie, 42);
    assert_int_equal(msg.flow_removed.packets, 17);
    of_msg_free(&msg);
    rule_cursor_close(cursor);
    client_close(&a);
    stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packet_ins_go_to_who_asked),
        cmocka_unit_test(a_packet_out_is_checked),
        cmocka_unit_test(changes_of_ports_and_ends_of_rules_are_told),
    };

    return cmocka_run_group_tests(tests, of_bed_setup, of_bed_teardown);
}
