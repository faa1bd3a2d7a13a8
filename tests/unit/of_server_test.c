/* The OpenFlow server over Unix sockets, in front of a real pipeline; datapath and flows are this file's stand-ins. */
#include "tests/unit/of_client.h"

#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>

#include "src/openflow/server.h"
#include "tests/unit/eal.h"

/* --- stand-ins ------------------------------------------------------------------------------------------------------
 */

static uint64_t now_ms;
static bool settled;
static unsigned n_notes, n_packet_outs, n_limit_drops;
static uint32_t packet_out_port, packet_out_len;

int datapath_meter_add(struct datapath *dp, const struct meter_config *config, uint32_t *index)
{
    return -ENOSPC;
}

int datapath_meter_set(struct datapath *dp, uint32_t index, const struct meter_config *config)
{
    return -ENOMEM;
}

void datapath_meter_remove(struct datapath *dp, uint32_t index)
{
}

void datapath_meter_counts(const struct datapath *dp, uint32_t index, struct meter_counts *counts)
{
    memset(counts, 0, sizeof *counts);
}

uint64_t datapath_now_ms(void)
{
    return now_ms;
}

void datapath_count_drop(struct datapath *dp, enum drop_reason reason, uint64_t packets)
{
    if (reason == DROP_PACKET_IN_LIMIT)
        n_limit_drops += packets;
}

const struct pipeline_observer *flows_observer(struct flows *flows, struct bridge *bridge)
{
    return NULL;
}

void flows_note_bridge(struct flows *flows, struct bridge *bridge)
{
    n_notes++;
}

void flows_note_mac(struct flows *flows, struct bridge *bridge, const struct rte_ether_addr *mac, uint16_t vlan)
{
}

uint64_t flows_ticket(struct flows *flows)
{
    return 1;
}

bool flows_settled(struct flows *flows, uint64_t ticket)
{
    return settled;
}

void flows_refresh_stats(struct flows *flows, uint64_t max_age_ms)
{
}

void flows_packet_out(struct flows *flows, struct bridge *bridge, struct rte_mbuf *packet, uint32_t in_port,
                      const struct act_list *acts)
{
    n_packet_outs++;
    packet_out_port = in_port;
    packet_out_len = rte_pktmbuf_pkt_len(packet);
    rte_pktmbuf_free(packet);
}

struct port *datapath_port(const struct datapath *dp, uint32_t index)
{
    return NULL;
}

void datapath_port_remove(struct datapath *dp, struct port *port)
{
}

void datapath_port_stats(const struct datapath *dp, uint32_t index, struct datapath_port_stats *stats)
{
    *stats = (struct datapath_port_stats){.rx_packets = 50};
}

static int set_admin_up(struct port *port, bool up)
{
    return 0;
}

static void get_status(struct port *port, struct port_status *status)
{
    *status = (struct port_status){.link_up = true, .speed_mbps = 10000, .mac = {{2, 0, 0, 0, 0, port->index}}};
}

static void get_stats(struct port *port, struct port_stats *stats)
{
    *stats = (struct port_stats){.rx_packets = 60};
}

static const struct port_ops ops = {.set_admin_up = set_admin_up, .get_status = get_status, .get_stats = get_stats};

/* --- the server under test ------------------------------------------------------------------------------------------
 */

static struct rte_mempool *pool;
static struct event_base *base;
static struct bridge *bridge;
static struct of_server *server;
static struct port ports[2];
static char mgmt[108], listening[128];
static struct client a, b;

static void turn(void)
{
    of_server_run(server, 500);
    event_base_loop(base, EVLOOP_NONBLOCK);
    now_ms++;
}

static void start(enum fail_mode fail_mode, const char *controller, uint32_t probe_ms)
{
    char error[256] = "";
    const char *listen[] = {listening}, *controllers[] = {controller}, *none;
    struct of_server_params params = {
        .base = base,
        .pool = pool,
        .mgmt_path = mgmt,
        .listen = listen,
        .n_listen = 1,
        .controllers = controllers,
        .n_controllers = controller != NULL,
        .inactivity_probe_ms = probe_ms,
        .max_backoff_ms = 20,
    };
    now_ms = 1000000;
    settled = true;
    bridge = bridge_create("br0", 0x1234, NULL, (struct flows *)&now_ms);
    bridge->fail_mode = fail_mode;
    for (int i = 0; i < 2; i++) {
        char name[8];
        ports[i] = (struct port){.ops = &ops, .index = i + 1, .admin_up = true};
        snprintf(name, sizeof name, "p%d", i + 1);
        assert_non_null(bridge_port_add(bridge, &ports[i], name, i + 1, &none));
    }
    params.bridge = bridge;
    server = of_server_create(&params, error, sizeof error);
    if (!server)
        fail_msg("%s", error);
}

static void stop(void)
{
    of_server_destroy(server);
    bridge_destroy(bridge);
    assert_int_not_equal(access(mgmt, F_OK), 0);
}

static int setup(void **state)
{
    snprintf(mgmt, sizeof mgmt, "/tmp/of_server_test.%d.mgmt", getpid());
    snprintf(listening, sizeof listening, "punix:/tmp/of_server_test.%d.sock", getpid());
    signal(SIGPIPE, SIG_IGN); /* as main() does */
    if (test_eal_init("of_server_test"))
        return -1;
    base = event_base_new();
    pool = test_pool(64);
    return base && pool ? 0 : -1;
}

static int teardown(void **state)
{
    event_base_free(base);
    return 0;
}

/* "in_port=N,priority=N actions=output:1", in table 0. */
static void make_flow_mod(struct of_msg *msg, enum flow_mod_command command, uint32_t n, struct act_buffer *acts)
{
    act_buffer_init(acts);
    *msg = (struct of_msg){.type = OF_FLOW_MOD,
                           .xid = n,
                           .flow_mod = {.command = command,
                                        .priority = 100,
                                        .cookie = n,
                                        .buffer_id = OF_NO_BUFFER,
                                        .out_port = OFPORT_ANY,
                                        .out_group = OFGROUP_ANY}};
    match_init_all(&msg->flow_mod.match);
    if (n) {
        const union field_value value = {{n >> 24, n >> 16, n >> 8, n}};
        match_set_exact(&msg->flow_mod.match, field_by_name("reg0"), &value);
    }
    struct act_output *output = act_buffer_add(acts, ACT_OUTPUT, sizeof *output);
    output->port = 1;
    msg->flow_mod.acts = act_buffer_list(acts);
}

static void send_flow_mod(struct client *client, enum flow_mod_command command, uint32_t n)
{
    struct of_msg msg;
    struct act_buffer acts;
    make_flow_mod(&msg, command, n, &acts);
    client_send(client, &msg);
    act_buffer_free(&acts);
}

static uint32_t n_rules(void)
{
    return pipeline_n_rules(bridge->pipeline, TABLE_ALL);
}

/* --- tests ----------------------------------------------------------------------------------------------------------
 */

static void a_version_is_agreed_on(void **state)
{
    static const uint8_t plain10[] = {1, 0, 0, 8, 0, 0, 0, 7}; /* a hello of OpenFlow 1.0, which knows no bitmap */
    static const uint8_t only15[] = {6, 0, 0, 16, 0, 0, 0, 7, 0, 1, 0, 8, 0, 0, 0, 0x40};
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
    client_write(&a, only15, sizeof only15);
    client_expect(&a, OF_ERROR, &msg);
    assert_int_equal(msg.error.type, 0);
    assert_int_equal(msg.error.code, 0);
    of_msg_free(&msg);
    client_expect_closed(&a);
    client_close(&a);
    stop();
}

static void what_does_not_follow_the_framing_ends_the_connection(void **state)
{
    static const uint8_t too_short[] = {4, 2, 0, 7, 0, 0, 0, 1};
    static const uint8_t other_version[] = {1, 2, 0, 8, 0, 0, 0, 1};
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
    client_hello(&a, OF13);
    client_write(&a, other_version, sizeof other_version);
    client_expect_error(&a, OFPERR_BRC_BAD_VERSION, 1);
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

static void bundle_control(struct client *client, unsigned type, uint32_t id, uint16_t flags, enum of_error error)
{
    const struct of_msg request = {
        .type = OF_BUNDLE_CONTROL, .xid = 50 + type, .bundle_control = {.bundle_id = id, .type = type, .flags = flags}};
    struct of_msg msg;
    client_send(client, &request);
    if (error) {
        client_expect_error(client, error, request.xid);
        return;
    }
    client_expect(client, OF_BUNDLE_CONTROL, &msg);
    assert_int_equal(msg.bundle_control.bundle_id, id);
    assert_int_equal(msg.bundle_control.type, type + 1);
    assert_int_equal(msg.bundle_control.flags, flags);
    of_msg_free(&msg);
}

static void bundle_add(struct client *client, uint32_t id, uint16_t flags, const struct of_msg *inner)
{
    struct of_buf buf = {0};
    struct of_msg copy = *inner;
    copy.version = client->version;
    of_msg_encode(&copy, &buf);
    const struct of_msg add = {.type = OF_BUNDLE_ADD,
                               .xid = inner->xid,
                               .bundle_add = {.bundle_id = id, .flags = flags, .msg = buf.data, .msg_len = buf.len}};
    client_send(client, &add);
    of_buf_free(&buf);
}

static void bundle_add_flow(struct client *client, uint32_t id, uint16_t flags, uint32_t n, uint16_t rule_flags)
{
    struct of_msg msg;
    struct act_buffer acts;
    make_flow_mod(&msg, FLOW_ADD, n, &acts);
    msg.flow_mod.flags = rule_flags;
    bundle_add(client, id, flags, &msg);
    act_buffer_free(&acts);
}

static void a_bundle_takes_effect_whole_or_not_at_all(void **state)
{
    static const uint8_t versions[] = {OF10, OF13, OF14};
    const uint16_t both = OF_BUNDLE_ATOMIC | OF_BUNDLE_ORDERED;
    start(FAIL_SECURE, NULL, 0);
    for (unsigned v = 0; v < sizeof versions; v++) {
        client_connect(&a, mgmt);
        client_hello(&a, versions[v]);
        bundle_control(&a, OF_BUNDLE_OPEN_REQUEST, 1, both, 0);
        for (unsigned i = 1; i <= 1000; i++)
            bundle_add_flow(&a, 1, both, i, 0);
        client_barrier(&a);
        assert_int_equal(n_rules(), 0);
        bundle_control(&a, OF_BUNDLE_CLOSE_REQUEST, 1, both, 0);
        bundle_control(&a, OF_BUNDLE_COMMIT_REQUEST, 1, both, 0);
        assert_int_equal(n_rules(), 1000);

        /* The last one overlaps the first: nothing of it stays. */
        bundle_control(&a, OF_BUNDLE_OPEN_REQUEST, 2, both, 0);
        for (unsigned i = 2001; i <= 2100; i++)
            bundle_add_flow(&a, 2, both, i, 0);
        bundle_add_flow(&a, 2, both, 0, RULE_CHECK_OVERLAP);
        const struct of_msg commit = {
            .type = OF_BUNDLE_CONTROL,
            .xid = 9,
            .bundle_control = {.bundle_id = 2, .type = OF_BUNDLE_COMMIT_REQUEST, .flags = both}};
        client_send(&a, &commit);
        client_expect_error(&a, OFPERR_FMFC_OVERLAP, 0);
        client_expect_error(&a, OFPERR_BFC_MSG_FAILED, 9);
        assert_int_equal(n_rules(), 1000);
        bundle_control(&a, OF_BUNDLE_COMMIT_REQUEST, 2, both, OFPERR_BFC_BAD_ID);

        send_flow_mod(&a, FLOW_DELETE, 0);
        client_barrier(&a);
        assert_int_equal(n_rules(), 0);
        client_close(&a);
    }
    stop();
}

static void bundles_are_used_as_specified(void **state)
{
    start(FAIL_SECURE, NULL, 0);
    client_connect(&a, mgmt);
    client_hello(&a, OF14);
    bundle_control(&a, OF_BUNDLE_CLOSE_REQUEST, 1, 0, OFPERR_BFC_BAD_ID);
    bundle_control(&a, OF_BUNDLE_COMMIT_REQUEST, 1, 0, OFPERR_BFC_BAD_ID);
    bundle_control(&a, OF_BUNDLE_DISCARD_REQUEST, 1, 0, OFPERR_BFC_BAD_ID);
    bundle_control(&a, 77, 1, 0, OFPERR_BFC_BAD_TYPE);
    bundle_control(&a, OF_BUNDLE_OPEN_REQUEST, 1, 0x10, OFPERR_BFC_BAD_FLAGS);
    bundle_control(&a, OF_BUNDLE_OPEN_REQUEST, 1, 1, 0);
    bundle_control(&a, OF_BUNDLE_CLOSE_REQUEST, 1, 2, OFPERR_BFC_BAD_FLAGS);
    bundle_control(&a, OF_BUNDLE_OPEN_REQUEST, 1, 1, 0); /* the wrong use discarded it */
    bundle_control(&a, OF_BUNDLE_OPEN_REQUEST, 1, 1, OFPERR_BFC_BAD_ID);
    bundle_control(&a, OF_BUNDLE_OPEN_REQUEST, 1, 1, 0);
    bundle_control(&a, OF_BUNDLE_CLOSE_REQUEST, 1, 1, 0);
    bundle_add_flow(&a, 1, 1, 5, 0);
    client_expect_error(&a, OFPERR_BFC_BUNDLE_CLOSED, 5);
    bundle_add_flow(&a, 1, 1, 6, 0); /* opens it */
    bundle_control(&a, OF_BUNDLE_COMMIT_REQUEST, 1, 1, 0);
    assert_int_equal(n_rules(), 1);

    const struct of_msg barrier = {.type = OF_BARRIER_REQUEST, .xid = 8};
    bundle_add(&a, 1, 1, &barrier);
    client_expect_error(&a, OFPERR_BFC_MSG_UNSUP, 8);

    for (uint32_t i = 0; i < 64; i++)
        bundle_control(&a, OF_BUNDLE_OPEN_REQUEST, 1000 + i, 0, 0);
    bundle_control(&a, OF_BUNDLE_OPEN_REQUEST, 2000, 0, OFPERR_BFC_OUT_OF_BUNDLES);
    client_close(&a);
    stop();
}

static void a_bundle_that_nothing_is_heard_of_is_discarded(void **state)
{
    start(FAIL_SECURE, NULL, 0);
    client_connect(&a, mgmt);
    client_hello(&a, OF14);
    bundle_control(&a, OF_BUNDLE_OPEN_REQUEST, 1, 0, 0);
    now_ms += 11000;
    usleep(150000);
    client_expect_error(&a, OFPERR_BFC_TIMEOUT, 0);
    bundle_control(&a, OF_BUNDLE_COMMIT_REQUEST, 1, 0, OFPERR_BFC_BAD_ID);
    client_close(&a);
    stop();
}

static void others_wait_for_a_commit_and_a_broken_one_leaves_nothing(void **state)
{
    start(FAIL_SECURE, NULL, 0);
    client_connect(&a, mgmt);
    client_hello(&a, OF14);
    client_connect(&b, mgmt);
    client_hello(&b, OF13);
    bundle_control(&a, OF_BUNDLE_OPEN_REQUEST, 1, 0, 0);
    for (unsigned i = 1; i <= DUMP_RULES; i++)
        bundle_add_flow(&a, 1, 0, i, 0);
    client_barrier(&a);
    const struct of_msg commit = {.type = OF_BUNDLE_CONTROL,
                                  .bundle_control = {.bundle_id = 1, .type = OF_BUNDLE_COMMIT_REQUEST}};
    client_send(&a, &commit);
    /* The commit takes many turns, in the middle of which another one comes with a rule. */
    turn();
    turn();
    assert_int_equal(n_rules(), 0);
    send_flow_mod(&b, FLOW_ADD, DUMP_RULES + 1);
    client_barrier(&b);
    assert_int_equal(n_rules(), DUMP_RULES + 1);
    struct of_msg msg;
    client_expect(&a, OF_BUNDLE_CONTROL, &msg);
    of_msg_free(&msg);

    send_flow_mod(&a, FLOW_DELETE, 0);
    bundle_control(&a, OF_BUNDLE_OPEN_REQUEST, 1, 0, 0);
    for (unsigned i = 1; i <= DUMP_RULES; i++)
        bundle_add_flow(&a, 1, 0, i, 0);
    client_barrier(&a);
    client_send(&a, &commit);
    turn();
    turn();
    client_close(&a);
    send_flow_mod(&b, FLOW_ADD, 7);
    client_barrier(&b);
    assert_true(n_rules() == 1 || n_rules() == DUMP_RULES);
    client_close(&b);
    stop();
}

static void role(struct client *client, enum of_role role, uint64_t generation, enum of_error error)
{
    const struct of_msg request = {.type = OF_ROLE_REQUEST,
                                   .xid = 4,
                                   .role = {.role = role, .has_generation_id = true, .generation_id = generation}};
    struct of_msg msg;
    client_send(client, &request);
    if (error) {
        client_expect_error(client, error, 4);
        return;
    }
    client_expect(client, OF_ROLE_REPLY, &msg);
    assert_int_equal(msg.role.role, role);
    of_msg_free(&msg);
}

static void a_slave_changes_nothing(void **state)
{
    start(FAIL_SECURE, NULL, 0);
    client_connect(&a, mgmt);
    client_hello(&a, OF13);
    client_connect(&b, mgmt);
    client_hello(&b, OF14);
    role(&b, OF_ROLE_MASTER, 5, 0);
    role(&a, OF_ROLE_MASTER, 4, OFPERR_RRFC_STALE);
    send_flow_mod(&b, FLOW_ADD, 1);
    client_barrier(&b);
    role(&a, OF_ROLE_MASTER, 6, 0);
    send_flow_mod(&b, FLOW_ADD, 2);
    client_expect_error(&b, OFPERR_BRC_IS_SLAVE, 2);
    bundle_control(&b, OF_BUNDLE_OPEN_REQUEST, 1, 0, OFPERR_BRC_IS_SLAVE);
    send_flow_mod(&a, FLOW_ADD, 3);
    client_barrier(&a);
    assert_int_equal(n_rules(), 2);
    role(&b, OF_ROLE_EQUAL, 0, 0);
    send_flow_mod(&b, FLOW_ADD, 2);
    client_barrier(&b);
    assert_int_equal(n_rules(), 3);
    client_close(&a);
    client_close(&b);
    stop();
}

/* --- packet-in and other asynchronous messages ----------------------------------------------------------------------
 */

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

static void changes_of_ports_and_ends_of_rules_are_told(void **state)
{
    struct of_msg msg;
    start(FAIL_SECURE, NULL, 0);
    client_connect(&a, mgmt);
    client_hello(&a, OF13);
    set_config(&a, 128);
    of_server_port_status(server, bridge_port_by_ofport(bridge, 1), OF_PORT_DELETE);
    client_expect(&a, OF_PORT_STATUS, &msg);
    assert_int_equal(msg.port_status.reason, OF_PORT_DELETE);
    assert_string_equal(msg.port_status.port.name, "p1");
    of_msg_free(&msg);

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

/* --- controllers ----------------------------------------------------------------------------------------------------
 */

static int controller_listen(char *target, size_t size)
{
    struct sockaddr_un sun = {.sun_family = AF_UNIX};
    snprintf(sun.sun_path, sizeof sun.sun_path, "/tmp/of_server_test.%d.controller", getpid());
    snprintf(target, size, "unix:%s", sun.sun_path);
    unlink(sun.sun_path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_return_code(bind(fd, (void *)&sun, sizeof sun), errno);
    assert_return_code(listen(fd, 5), errno);
    return fd;
}

static void controller_accept(int fd, struct client *client)
{
    int got = -1;
    for (int i = 0; i < 3000 && got < 0; i++, usleep(1000)) {
        turn();
        got = accept(fd, NULL, NULL);
    }
    assert_return_code(got, errno);
    client_init(client, got);
}

static bool acts_as_learning_switch(void)
{
    const struct flow flow = {.in_port = 1};
    return pipeline_lookup(bridge->pipeline, 0, &flow, NULL, NULL) != NULL;
}

static void states(void *arg, const struct of_connection_info *info)
{
    snprintf(arg, 128, "%s %s %s", info->target, info->state, info->is_controller ? "controller" : "mgmt");
}

static void controllers_are_tried_again_probed_and_replaced_by_a_learning_switch(void **state)
{
    char target[128], text[128] = "", expected[160];
    struct of_msg msg;
    int fd = controller_listen(target, sizeof target);
    start(FAIL_STANDALONE, target, 1000);
    assert_false(acts_as_learning_switch()); /* it may be there in a moment */

    controller_accept(fd, &a);
    client_hello(&a, OF13);
    client_barrier(&a);
    of_server_for_each_connection(server, states, text);
    snprintf(expected, sizeof expected, "%s active controller", target);
    assert_string_equal(text, expected);

    /* Asked after a silence; an answer is enough. */
    now_ms += 1000;
    usleep(150000);
    client_expect(&a, OF_ECHO_REQUEST, &msg);
    struct of_msg reply = msg;
    reply.type = OF_ECHO_REPLY;
    client_send(&a, &reply);
    of_msg_free(&msg);
    client_barrier(&a);
    now_ms += 1000;
    usleep(150000);
    client_expect(&a, OF_ECHO_REQUEST, &msg);
    of_msg_free(&msg);
    now_ms += 1000;
    usleep(150000);
    client_expect_closed(&a);
    close(a.fd);

    /* It comes back, and back after a hello that never came. */
    controller_accept(fd, &a);
    close(a.fd);
    controller_accept(fd, &a);
    now_ms += 3001;
    usleep(150000);
    turn();
    turn();
    assert_true(acts_as_learning_switch());
    assert_int_equal(n_rules(), 0);
    close(a.fd);
    controller_accept(fd, &a);
    client_hello(&a, OF13);
    client_barrier(&a);
    assert_false(acts_as_learning_switch());
    client_close(&a);
    stop();
    close(fd);
    unlink(target + strlen("unix:"));
}

static void without_a_controller_the_fail_mode_decides_at_once(void **state)
{
    start(FAIL_STANDALONE, NULL, 1000);
    assert_true(acts_as_learning_switch());
    stop();
    start(FAIL_SECURE, NULL, 1000);
    assert_false(acts_as_learning_switch());
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
    const struct of_server_params second = {.base = base, .bridge = bridge, .mgmt_path = mgmt};
    assert_null(of_server_create(&second, error, sizeof error));
    assert_non_null(strstr(error, mgmt));
    assert_return_code(stat(mgmt, &st), errno);
    stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_version_is_agreed_on),
        cmocka_unit_test(what_does_not_follow_the_framing_ends_the_connection),
        cmocka_unit_test(features_and_ports_are_told),
        cmocka_unit_test(a_barrier_waits_for_the_datapath_and_holds_up_its_own_connection_alone),
        cmocka_unit_test(a_dump_is_whole_and_waits_for_its_reader),
        cmocka_unit_test(a_bundle_takes_effect_whole_or_not_at_all),
        cmocka_unit_test(bundles_are_used_as_specified),
        cmocka_unit_test(a_bundle_that_nothing_is_heard_of_is_discarded),
        cmocka_unit_test(others_wait_for_a_commit_and_a_broken_one_leaves_nothing),
        cmocka_unit_test(a_slave_changes_nothing),
        cmocka_unit_test(packet_ins_go_to_who_asked),
        cmocka_unit_test(a_packet_out_is_checked),
        cmocka_unit_test(changes_of_ports_and_ends_of_rules_are_told),
        cmocka_unit_test(controllers_are_tried_again_probed_and_replaced_by_a_learning_switch),
        cmocka_unit_test(without_a_controller_the_fail_mode_decides_at_once),
        cmocka_unit_test(sockets_are_private_and_stale_ones_are_replaced),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
