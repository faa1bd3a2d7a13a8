/* The OpenFlow server: what every connection goes through, from its socket and first hello to barriers and dumps. */
#include "src/openflow/requests/handler.h"
#include "tests/lib/of_bed.h"
#include "tests/lib/of_replies.h"

#include <sys/stat.h>

static void a_version_is_agreed_on(void **state)
{
    static const uint8_t plain10[] = {1, 0, 0, 8, 0, 0, 0, 7}; /* a hello of OpenFlow 1.0, which knows no bitmap */
    static const uint8_t plain12[] = {3, 0, 0, 8, 0, 0, 0, 7};
    static const uint8_t only12[] = {3, 0, 0, 16, 0, 0, 0, 7, 0, 1, 0, 8, 0, 0, 0, 8};
    static const uint8_t echo10[] = {1, 2, 0, 12, 0, 0, 0, 9, 'p', 'i', 'n', 'g'};
    struct of_msg msg;

    start(FAIL_SECURE, NULL, 0);

    client_connect(&a, mgmt);
    client_expect(&a, OF_HELLO, &msg);
    assert_int_equal(msg.hello & OF_VERSIONS, OF_VERSIONS);
    of_msg_free(&msg);
    client_write(&a, plain10, sizeof plain10);
    client_write(&a, echo10, sizeof echo10);
    assert_int_equal(client_next(&a), 1);
    assert_int_equal(a.message[0], 1);
    assert_int_equal(a.message[1], 3);
    assert_memory_equal(a.message + 4, echo10 + 4, sizeof echo10 - 4);
    client_close(&a);

    client_connect(&a, mgmt);
    client_hello(&a, OF14);
    client_send_empty(&a, OF_ECHO_REQUEST, 3);
    client_expect(&a, OF_ECHO_REPLY, &msg);
    assert_int_equal(msg.version, OF14);
    of_msg_free(&msg);
    client_close(&a);

    client_connect(&a, mgmt);
    client_expect(&a, OF_HELLO, &msg);
    of_msg_free(&msg);
    client_write(&a, only12, sizeof only12);
    client_expect(&a, OF_ERROR, &msg);
    assert_int_equal(msg.error.type, 0);
    assert_int_equal(msg.error.code, 0);
    of_msg_free(&msg);
    client_expect_closed(&a);
    client_close(&a);

    client_connect(&a, mgmt);
    client_expect(&a, OF_HELLO, &msg);
    of_msg_free(&msg);
    client_write(&a, plain12, sizeof plain12);
    client_expect(&a, OF_ERROR, &msg);
    assert_int_equal(msg.error.error, OFPERR_HFC_INCOMPATIBLE);
    of_msg_free(&msg);
    client_expect_closed(&a);
    client_close(&a);
    stop();
}

static void messages_of_another_version_are_refused_one_by_one(void **state)
{
    static const uint8_t echo[] = {1, 2, 0, 8, 0, 0, 0, 1}, future[] = {9, 77, 0, 12, 0, 0, 0, 2, 1, 2, 3, 4};
    static const uint8_t error[] = {5, 1, 0, 12, 0, 0, 0, 3, 0, 1, 0, 0};

    start(FAIL_SECURE, NULL, 0);
    client_connect(&a, mgmt);
    client_hello(&a, OF13);
    client_write(&a, echo, sizeof echo);
    client_expect_error(&a, OFPERR_BRC_BAD_VERSION, 1);
    client_write(&a, future, sizeof future);
    client_expect_error(&a, OFPERR_BRC_BAD_VERSION, 2);
    assert_int_equal(a.header.version, OF13);
    client_write(&a, error, sizeof error); /* is not answered: who answers it in turn would never end */
    client_expect_nothing(&a);
    client_barrier(&a);
    client_close(&a);
    stop();
}

static void what_does_not_follow_the_framing_ends_the_connection(void **state)
{
    static const uint8_t too_short[] = {4, 2, 0, 7, 0, 0, 0, 1};
    static const uint8_t no_hello[] = {4, 2, 0, 8, 0, 0, 0, 1};
    static const uint8_t unknown[] = {4, 99, 0, 12, 0, 0, 0, 5, 'a', 'b', 'c', 'd'};
    struct of_msg msg;

    start(FAIL_SECURE, NULL, 0);

    client_connect(&a, mgmt);
    client_hello(&a, OF13);
    client_write(&a, too_short, sizeof too_short);
    client_expect_closed(&a);
    client_close(&a);

    client_connect(&a, mgmt);
    client_write(&a, no_hello, sizeof no_hello);
    client_expect_closed(&a);
    client_close(&a);

    client_connect(&a, mgmt);
    client_hello(&a, OF13);
    client_write(&a, unknown, sizeof unknown);
    client_expect(&a, OF_ERROR, &msg);
    assert_int_equal(msg.error.type, 1);
    assert_int_equal(msg.error.code, 1);
    assert_int_equal(msg.error.data_len, sizeof unknown);
    assert_memory_equal(msg.error.data, unknown, sizeof unknown);
    of_msg_free(&msg);

    /* Bytes come as they like. */
    for (size_t i = 0; i < sizeof no_hello; i++) {
        client_write(&a, no_hello + i, 1);
        turn();
    }
    client_expect(&a, OF_ECHO_REPLY, &msg);
    of_msg_free(&msg);
    client_close(&a);
    stop();
}

static void features_and_ports_are_told(void **state)
{
    struct of_msg msg;

    start(FAIL_SECURE, NULL, 0);
    client_connect(&a, mgmt);
    client_hello(&a, OF10);
    client_send_empty(&a, OF_FEATURES_REQUEST, 1);
    client_expect(&a, OF_FEATURES_REPLY, &msg);
    assert_int_equal(msg.features.datapath_id, 0x1234);
    assert_int_equal(msg.features.n_ports, 2);
    assert_string_equal(msg.features.ports[1].name, "p2");
    assert_int_equal(msg.features.ports[1].hw_addr[5], 2);
    assert_int_equal(msg.features.ports[1].curr, OF_PF_10GB_FD);
    of_msg_free(&msg);

    const struct of_msg down = {
        .type = OF_PORT_MOD,
        .port_mod = {
            .port_no = 2, .hw_addr = {2, 0, 0, 0, 0, 2}, .config = PORT_CONFIG_NO_FLOOD, .mask = PORT_CONFIG_NO_FLOOD}};
    client_send(&a, &down);
    client_barrier(&a);
    assert_int_equal(bridge_port_by_ofport(bridge, 2)->config, PORT_CONFIG_NO_FLOOD);
    struct of_msg other = down;
    other.port_mod.port_no = 9;
    client_send(&a, &other);
    client_expect_error(&a, OFPERR_PMFC_BAD_PORT, 0);
    other = down;
    other.port_mod.hw_addr[0] = 9;
    client_send(&a, &other);
    client_expect_error(&a, OFPERR_PMFC_BAD_HW_ADDR, 0);
    client_close(&a);
    stop();
}

static void set_config(uint16_t frag)
{
    const struct of_msg msg = {.type = OF_SET_CONFIG, .xid = 9, .config = {.frag = frag, .miss_send_len = 128}};

    client_send(&a, &msg);
}

static void configuration_is_what_the_version_has(void **state)
{
    struct of_msg msg;

    start(FAIL_SECURE, NULL, 0);
    client_connect(&a, mgmt);
    client_hello(&a, OF13);
    set_config(1);
    client_barrier(&a);
    assert_int_equal(bridge->frag_mode, 1);
    set_config(2); /* OFPC_FRAG_REASM, without OFPC_IP_REASM */
    client_expect_error(&a, OFPERR_SCFC_BAD_FLAGS, 9);
    assert_int_equal(bridge->frag_mode, 1);
    /* Set-async's affair, which set-config leaves alone. */
    const struct of_msg async = {.type = OF_SET_ASYNC, .async = {.packet_in = {1 << OF_REASON_INVALID_TTL}}};
    client_send(&a, &async);
    set_config(0);
    client_send_empty(&a, OF_GET_ASYNC_REQUEST, 1);
    client_expect(&a, OF_GET_ASYNC_REPLY, &msg);
    assert_int_equal(msg.async.packet_in[0], 1 << OF_REASON_INVALID_TTL);
    of_msg_free(&msg);
    client_send_empty(&a, OF_GET_CONFIG_REQUEST, 1);
    client_expect(&a, OF_GET_CONFIG_REPLY, &msg);
    assert_false(msg.config.invalid_ttl);
    of_msg_free(&msg);
    client_close(&a);

    client_connect(&a, mgmt);
    client_hello(&a, OF14);
    client_send_empty(&a, OF_FEATURES_REQUEST, 1);
    client_expect(&a, OF_FEATURES_REPLY, &msg);
    assert_int_equal(msg.features.capabilities & (OF_CAP_BUNDLES | OF_CAP_FLOW_MONITORING | OF_CAP_IP_REASM),
                     OF_CAP_BUNDLES | OF_CAP_FLOW_MONITORING);
    of_msg_free(&msg);
    client_close(&a);
    stop();
}

static void a_barrier_waits_for_the_datapath_and_holds_up_its_own_connection_alone(void **state)
{
    struct of_msg msg;

    start(FAIL_SECURE, NULL, 0);
    client_connect(&a, mgmt);
    client_hello(&a, OF13);
    client_connect(&b, mgmt);
    client_hello(&b, OF10);

    settled = false;
    send_flow_mod(&a, FLOW_ADD, 1);
    client_send_empty(&a, OF_BARRIER_REQUEST, 2);
    send_flow_mod(&a, FLOW_ADD, 3);
    client_expect_nothing(&a);
    assert_int_equal(n_rules(), 1);
    client_send_empty(&b, OF_ECHO_REQUEST, 4);
    client_expect(&b, OF_ECHO_REPLY, &msg);
    of_msg_free(&msg);

    settled = true;
    client_expect(&a, OF_BARRIER_REPLY, &msg);
    assert_int_equal(msg.xid, 2);
    of_msg_free(&msg);
    client_barrier(&a);
    assert_int_equal(n_rules(), 2);

    /* Gone while it waits. */
    settled = false;
    client_send_empty(&a, OF_BARRIER_REQUEST, 5);
    turn();
    client_close(&a);
    client_close(&b);
    stop();
}

#define DUMP_RULES 10000 /* some 900 KB of dump: more than sockets and buffers hold */

static void dump(struct client *client)
{
    struct of_msg msg = {
        .type = OF_MULTIPART_REQUEST,
        .xid = 77,
        .request = {.type = OF_MP_FLOW,
                    .port_no = OFPORT_ANY,
                    .filter = {.table_id = TABLE_ALL, .out_port = OFPORT_ANY, .out_group = OFGROUP_ANY}}};

    match_init_all(&msg.request.match);
    msg.request.filter.match = &msg.request.match;
    client_send(client, &msg);
}

static unsigned expect_dump(struct client *client, uint8_t *seen, unsigned *parts)
{
    unsigned n = 0;
    bool more = true;

    for (*parts = 0; more; ++*parts) {
        struct of_msg msg;
        struct of_flow_stats flow;
        struct match match;
        struct act_buffer acts;
        int got;
        act_buffer_init(&acts);
        client_expect(client, OF_MULTIPART_REPLY, &msg);
        assert_int_equal(msg.xid, 77);
        more = msg.reply.more;
        while ((got = of_multipart_next_flow(msg.version, &msg.reply, &flow, &match, &acts)) > 0) {
            assert_true(flow.cookie <= DUMP_RULES && !seen[flow.cookie]);
            seen[flow.cookie] = 1;
            n++;
        }
        assert_int_equal(got, 0);
        act_buffer_free(&acts);
        of_msg_free(&msg);
    }
    return n;
}

static void a_dump_is_whole_and_waits_for_its_reader(void **state)
{
    static uint8_t seen[DUMP_RULES + 1];
    unsigned parts;

    start(FAIL_SECURE, NULL, 0);
    client_connect(&a, mgmt);
    client_hello(&a, OF13);
    for (unsigned i = 1; i <= DUMP_RULES; i++)
        send_flow_mod(&a, FLOW_ADD, i);
    client_barrier(&a);
    assert_int_equal(n_rules(), DUMP_RULES);

    memset(seen, 0, sizeof seen);
    dump(&a);
    assert_int_equal(expect_dump(&a, seen, &parts), DUMP_RULES);
    assert_in_range(parts, DUMP_RULES * 80 / 65536, DUMP_RULES * 200 / 65536);

    /* Nobody reads: the rules of the dump stay where they are, in the tables; the second request waits. */
    memset(seen, 0, sizeof seen);
    dump(&a);
    client_send_empty(&a, OF_BARRIER_REQUEST, 1);
    for (int i = 0; i < 3000; i++)
        turn();
    send_flow_mod(&a, FLOW_DELETE, 0);
    assert_int_equal(n_rules(), DUMP_RULES);
    assert_int_equal(expect_dump(&a, seen, &parts), DUMP_RULES);
    struct of_msg msg;
    client_expect(&a, OF_BARRIER_REPLY, &msg);
    of_msg_free(&msg);
    client_barrier(&a);
    assert_int_equal(n_rules(), 0);

    /* Gone in the middle of one. */
    for (unsigned i = 1; i <= DUMP_RULES; i++)
        send_flow_mod(&a, FLOW_ADD, i);
    dump(&a);
    client_next(&a);
    client_close(&a);
    stop();
}

static void sockets_are_private_and_stale_ones_are_replaced(void **state)
{
    char error[256] = "";
    struct stat st;
    struct sockaddr_un sun = {.sun_family = AF_UNIX};

    strcpy(sun.sun_path, mgmt);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_return_code(bind(fd, (void *)&sun, sizeof sun), errno);
    close(fd);
    start(FAIL_SECURE, NULL, 0);
    assert_return_code(stat(mgmt, &st), errno);
    assert_int_equal(st.st_mode & 0077, 0);

    /* One that is in use is not. */
    const struct of_server_params second = {
        .loop = loop, .bridge = bridge, .requests = &of_requests, .mgmt_path = mgmt};
    assert_null(of_server_create(&second, error, sizeof error));
    assert_non_null(strstr(error, mgmt));
    assert_return_code(stat(mgmt, &st), errno);
    stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_version_is_agreed_on),
        cmocka_unit_test(messages_of_another_version_are_refused_one_by_one),
        cmocka_unit_test(what_does_not_follow_the_framing_ends_the_connection),
        cmocka_unit_test(features_and_ports_are_told),
        cmocka_unit_test(configuration_is_what_the_version_has),
        cmocka_unit_test(a_barrier_waits_for_the_datapath_and_holds_up_its_own_connection_alone),
        cmocka_unit_test(a_dump_is_whole_and_waits_for_its_reader),
        cmocka_unit_test(sockets_are_private_and_stale_ones_are_replaced),
    };

    return cmocka_run_group_tests(tests, of_bed_setup, of_bed_teardown);
}
