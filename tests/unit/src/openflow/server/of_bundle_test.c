/* Bundles over a connection: whole or not at all, used as specified, beside other connections. */
#include "src/openflow/server/server_impl.h"
#include "src/tables/table.h"
#include "src/match/tlv_map.h"
#include "tests/lib/of_bed.h"
#include "tests/lib/bundles.h"

#define MANY_RULES 10000 /* more than one turn of the server commits */

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
    static const uint8_t versions[] = {OF10, OF13, OF14, OF15};
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

    client_connect(&a, mgmt);
    client_hello(&a, OF15);
    bundle_control(&a, OF_BUNDLE_OPEN_REQUEST, 1, OF_BUNDLE_TIME, OFPERR_BFC_SCHED_NOT_SUPPORTED);
    bundle_control(&a, OF_BUNDLE_OPEN_REQUEST, 1, 1, 0);
    bundle_control(&a, OF_BUNDLE_COMMIT_REQUEST, 1, 1 | OF_BUNDLE_TIME, OFPERR_BFC_SCHED_NOT_SUPPORTED);
    bundle_control(&a, OF_BUNDLE_COMMIT_REQUEST, 1, 1, OFPERR_BFC_BAD_ID);
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
    for (unsigned i = 1; i <= MANY_RULES; i++)
        bundle_add_flow(&a, 1, 0, i, 0);
    client_barrier(&a);
    const struct of_msg commit = {.type = OF_BUNDLE_CONTROL,
                                  .bundle_control = {.bundle_id = 1, .type = OF_BUNDLE_COMMIT_REQUEST}};
    client_send(&a, &commit);
    /* The commit takes many turns, in the middle of which another one comes with a rule. */
    turn();
    turn();
    assert_int_equal(n_rules(), 0);
    send_flow_mod(&b, FLOW_ADD, MANY_RULES + 1);
    client_barrier(&b);
    assert_int_equal(n_rules(), MANY_RULES + 1);
    struct of_msg msg;
    client_expect(&a, OF_BUNDLE_CONTROL, &msg);
    of_msg_free(&msg);

    send_flow_mod(&a, FLOW_DELETE, 0);
    bundle_control(&a, OF_BUNDLE_OPEN_REQUEST, 1, 0, 0);
    for (unsigned i = 1; i <= MANY_RULES; i++)
        bundle_add_flow(&a, 1, 0, i, 0);
    client_barrier(&a);
    client_send(&a, &commit);
    turn();
    turn();
    client_close(&a);
    send_flow_mod(&b, FLOW_ADD, 7);
    client_barrier(&b);
    assert_true(n_rules() == 1 || n_rules() == MANY_RULES);
    client_close(&b);
    stop();
}

/* Runs the server without time to spare: each task goes one step. */
static void step(void)
{
    event_base_loop(base, EVLOOP_NONBLOCK);
    of_server_run(server, 0);
}

static void fill_bundle(struct client *client, uint32_t id, uint32_t n)
{
    bundle_control(client, OF_BUNDLE_OPEN_REQUEST, id, 0, 0);
    for (uint32_t i = 1; i <= n; i++)
        bundle_add_flow(client, id, 0, i, 0);
    client_barrier(client);
}

/* However a large bundle ends, no turn has to take back or free all of it. */
static void a_bundle_is_taken_back_and_freed_in_steps(void **state)
{
    enum { LONGEST_STEP = 512, LARGEST_FREE = 1100 << 10 };
    const struct of_msg commit = {.type = OF_BUNDLE_CONTROL,
                                  .bundle_control = {.bundle_id = 1, .type = OF_BUNDLE_COMMIT_REQUEST}};
    const struct of_msg discard = {.type = OF_BUNDLE_CONTROL,
                                   .bundle_control = {.bundle_id = 2, .type = OF_BUNDLE_DISCARD_REQUEST}};
    unsigned steps = 0;
    size_t n_prepared, bytes;

    start(FAIL_SECURE, NULL, 0);
    client_connect(&a, mgmt);
    client_hello(&a, OF14);
    fill_bundle(&a, 1, MANY_RULES);
    client_send(&a, &commit);
    while ((n_prepared = bridge->pipeline->added.n) < MANY_RULES / 2)
        step();
    assert_ptr_not_equal(server->committing, NULL);
    /* The connection goes, and the change with it. */
    of_connection_close(server->committing, "");
    for (; server->committing; steps++)
        step();
    assert_true(steps >= n_prepared / LONGEST_STEP);
    assert_int_equal(n_rules(), 0);
    client_close(&a);

    client_connect(&b, mgmt);
    client_hello(&b, OF14);
    fill_bundle(&b, 2, 2 * MANY_RULES);
    assert_true(server->bundle_bytes > 3 * LARGEST_FREE / 2);
    client_send(&b, &discard);
    while ((bytes = server->bundle_bytes) > 0) {
        step();
        assert_true(server->bundle_bytes + LARGEST_FREE >= bytes);
    }
    client_close(&b);
    stop();
}

/* A bridge that is removed takes its bundles with it: one that is open, and one whose commit is under way. */
static void a_server_that_is_closed_goes_in_steps(void **state)
{
    enum { LONGEST_STEP = 512, LARGEST_FREE = 1100 << 10 };
    const struct of_msg commit = {.type = OF_BUNDLE_CONTROL,
                                  .bundle_control = {.bundle_id = 1, .type = OF_BUNDLE_COMMIT_REQUEST}};
    unsigned steps = 0;
    size_t n_prepared, bytes;

    start(FAIL_STANDALONE, NULL, 0);
    client_connect(&a, mgmt);
    client_hello(&a, OF14);
    client_connect(&b, mgmt);
    client_hello(&b, OF14);
    fill_bundle(&b, 2, 2 * MANY_RULES);
    fill_bundle(&a, 1, MANY_RULES);
    client_send(&a, &commit);
    while ((n_prepared = bridge->pipeline->added.n) < MANY_RULES / 2)
        step();
    assert_true(server->bundle_bytes > 3 * LARGEST_FREE / 2);
    bytes = server->bundle_bytes;
    of_server_close(server);
    assert_false(of_server_is_over(server));
    assert_int_equal(server->bundle_bytes, bytes);
    assert_int_not_equal(access(mgmt, F_OK), 0);
    for (; !of_server_is_over(server); bytes = server->bundle_bytes, steps++) {
        step();
        assert_true(server->bundle_bytes + LARGEST_FREE >= bytes);
    }
    assert_true(steps >= n_prepared / LONGEST_STEP);
    assert_int_equal(server->bundle_bytes, 0);
    assert_int_equal(n_rules(), 1); /* of the switch, without a controller */
    client_expect_closed(&a);
    client_close(&a);
    client_close(&b);
    stop();
}

/* A table that is to evict has its rules ordered first. */
static void a_table_mod_about_many_rules_takes_several_steps(void **state)
{
    enum { LONGEST_STEP = 256 };
    const struct of_msg mod = {.type = OF_TABLE_MOD,
                               .table_mod = {.table_id = 0, .config = TABLE_EVICTION, .has_eviction = true}};
    unsigned steps = 0;

    start(FAIL_SECURE, NULL, 0);
    client_connect(&a, mgmt);
    client_hello(&a, OF14);
    for (uint32_t i = 1; i <= MANY_RULES; i++)
        send_flow_mod(&a, FLOW_ADD, i);
    client_barrier(&a);
    client_send(&a, &mod);
    for (; !(pipeline_table_config(bridge->pipeline, 0)->config & TABLE_EVICTION) && steps < MANY_RULES; steps++)
        step();
    assert_in_range(steps, MANY_RULES / LONGEST_STEP, MANY_RULES - 1);
    client_barrier(&a);
    client_close(&a);
    stop();
}

static void bundles_hold_no_more_than_they_may(void **state)
{
    struct of_msg msg;
    struct act_buffer acts;

    start(FAIL_SECURE, NULL, 0);
    client_connect(&a, mgmt);
    client_hello(&a, OF14);
    server->bundle_bytes_max = 1000;
    fill_bundle(&a, 1, 1);
    assert_true(server->bundle_bytes > 1000); /* memory is got in pieces */
    make_flow_mod(&msg, FLOW_ADD, 2, &acts);
    bundle_add(&a, 1, 0, &msg);
    client_expect_error(&a, OFPERR_BFC_MSG_TOO_MANY, msg.xid);
    act_buffer_free(&acts);
    /* What is given up makes room. */
    bundle_control(&a, OF_BUNDLE_DISCARD_REQUEST, 1, 0, 0);
    fill_bundle(&a, 2, 1);
    bundle_control(&a, OF_BUNDLE_COMMIT_REQUEST, 2, 0, 0);
    assert_int_equal(n_rules(), 1);
    client_close(&a);
    stop();
}

static void bundle_add_packet(struct client *client, uint32_t id)
{
    static const uint8_t frame[64];
    const struct of_msg msg = {.type = OF_PACKET_OUT,
                               .xid = 70,
                               .packet_out = {.buffer_id = OF_NO_BUFFER,
                                              .flow = {.in_port = OFPORT_CONTROLLER},
                                              .data = frame,
                                              .data_len = sizeof frame}};

    bundle_add(client, id, 0, &msg);
}

static void bundle_add_port_mod(struct client *client, uint32_t id, uint32_t config, uint32_t mask)
{
    const struct of_msg msg = {
        .type = OF_PORT_MOD,
        .xid = 71,
        .port_mod = {.port_no = 1, .hw_addr = {2, 0, 0, 0, 0, 1}, .config = config, .mask = mask}};

    bundle_add(client, id, 0, &msg);
}

/* What a bundle held is freed a little at a time. */
static void wait_for_held_to_go(void)
{
    for (unsigned i = 0; i < 20000 && n_held > 0; i++)
        turn();
    assert_int_equal(n_held, 0);
}

static void packets_and_ports_have_their_place(void **state)
{
    start(FAIL_SECURE, NULL, 0);
    client_connect(&a, mgmt);
    client_hello(&a, OF14);
    const struct bridge_port *bp = bridge_port_by_ofport(bridge, 1);
    n_held_sent = 0;
    bundle_control(&a, OF_BUNDLE_OPEN_REQUEST, 1, 0, 0);
    bundle_add_port_mod(&a, 1, PORT_CONFIG_NO_FWD, PORT_CONFIG_NO_FWD);
    bundle_add_packet(&a, 1);
    bundle_add_port_mod(&a, 1, 0, PORT_CONFIG_NO_FWD);
    bundle_add_port_mod(&a, 1, PORT_CONFIG_NO_RECV | PORT_CONFIG_NO_FLOOD, PORT_CONFIG_NO_RECV | PORT_CONFIG_NO_FLOOD);
    bundle_add_port_mod(&a, 1, 0, PORT_CONFIG_NO_FLOOD);
    client_barrier(&a);
    assert_int_equal(n_held, 0);
    assert_int_equal(bp->config, 0);
    bundle_control(&a, OF_BUNDLE_COMMIT_REQUEST, 1, 0, 0);
    assert_int_equal(held_config, PORT_CONFIG_NO_FWD);
    assert_int_equal(bp->config, PORT_CONFIG_NO_RECV);
    assert_int_equal(n_held_sent, 1);

    /* The last one overlaps: nothing of it happens. */
    bundle_add_flow(&a, 2, 0, 5, 0);
    bundle_add_packet(&a, 2);
    bundle_add_port_mod(&a, 2, 0, PORT_CONFIG_NO_RECV);
    bundle_add_packet(&a, 2);
    bundle_add_flow(&a, 2, 0, 0, RULE_CHECK_OVERLAP);
    const struct of_msg commit = {
        .type = OF_BUNDLE_CONTROL, .xid = 9, .bundle_control = {.bundle_id = 2, .type = OF_BUNDLE_COMMIT_REQUEST}};
    client_send(&a, &commit);
    client_expect_error(&a, OFPERR_FMFC_OVERLAP, 0);
    client_expect_error(&a, OFPERR_BFC_MSG_FAILED, 9);
    assert_int_equal(held_config, 0);
    assert_int_equal(bp->config, PORT_CONFIG_NO_RECV);
    wait_for_held_to_go();
    assert_int_equal(n_held_sent, 1);

    /* Who goes away in the middle of a commit leaves no packets behind. */
    bundle_control(&a, OF_BUNDLE_OPEN_REQUEST, 3, 0, 0);
    bundle_add_packet(&a, 3);
    for (unsigned i = 1; i <= MANY_RULES; i++)
        bundle_add_flow(&a, 3, 0, i, 0);
    client_barrier(&a);
    const struct of_msg again = {.type = OF_BUNDLE_CONTROL,
                                 .bundle_control = {.bundle_id = 3, .type = OF_BUNDLE_COMMIT_REQUEST}};
    client_send(&a, &again);
    turn();
    turn();
    assert_int_equal(n_held, 1);
    client_close(&a);
    wait_for_held_to_go();
    stop();
}

static unsigned n_sending_to(uint32_t port)
{
    static const struct rule_filter all = {.table_id = TABLE_ALL, .out_group = OFGROUP_ANY};
    struct rule_filter filter = all;
    unsigned n = 0;

    filter.out_port = port;
    struct rule_cursor *cursor = rule_cursor_open(bridge->pipeline, &filter);
    while (rule_cursor_next(cursor))
        n++;
    rule_cursor_close(cursor);
    return n;
}

static void bundle_add_table_mod(struct client *client, uint32_t id, uint8_t table_id, uint32_t config)
{
    const struct of_msg msg = {.type = OF_TABLE_MOD,
                               .xid = 72,
                               .table_mod = {.table_id = table_id,
                                             .config = config,
                                             .has_vacancy = config & TABLE_VACANCY_EVENTS,
                                             .vacancy_down = 30,
                                             .vacancy_up = 60}};

    bundle_add(client, id, 0, &msg);
}

static void expect_failed_commit(struct client *client, uint32_t id, enum of_error error, uint32_t flow)
{
    const struct of_msg commit = {
        .type = OF_BUNDLE_CONTROL, .xid = 9, .bundle_control = {.bundle_id = id, .type = OF_BUNDLE_COMMIT_REQUEST}};

    client_send(client, &commit);
    client_expect_error(client, error, flow);
    client_expect_error(client, OFPERR_BFC_MSG_FAILED, 9);
}

static void tables_are_configured_in_their_place(void **state)
{
    const struct of_msg set_config = {.type = OF_SET_CONFIG, .config = {.miss_send_len = 128}};
    const struct table_config *config;
    struct of_msg msg;

    start(FAIL_SECURE, NULL, 0);
    client_connect(&a, mgmt);
    client_hello(&a, OF14);
    client_connect(&b, mgmt);
    client_hello(&b, OF14);
    client_send(&b, &set_config); /* it is told of vacancies */
    client_barrier(&b);
    config = pipeline_table_config(bridge->pipeline, 0);
    set_table_limit(bridge->pipeline, 0, 2);
    bundle_add_flow(&a, 1, 0, 1, 0);
    bundle_add_flow(&a, 1, 0, 2, 0);
    bundle_control(&a, OF_BUNDLE_COMMIT_REQUEST, 1, 0, 0);

    bundle_add_table_mod(&a, 2, 0, 0x40);
    client_expect_error(&a, OFPERR_TMFC_BAD_CONFIG, 72);
    /* An add before the table may evict finds no room. */
    bundle_add_flow(&a, 2, 0, 3, 0);
    bundle_add_table_mod(&a, 2, 0, TABLE_EVICTION);
    expect_failed_commit(&a, 2, OFPERR_FMFC_TABLE_FULL, 3);
    assert_int_equal(config->config, 0);
    /* Nor does one after it may no longer. */
    bundle_add_table_mod(&a, 3, 0, TABLE_EVICTION | TABLE_VACANCY_EVENTS);
    bundle_add_flow(&a, 3, 0, 3, 0);
    bundle_add_table_mod(&a, 3, TABLE_ALL, 0);
    bundle_add_flow(&a, 3, 0, 4, 0);
    expect_failed_commit(&a, 3, OFPERR_FMFC_TABLE_FULL, 4);
    assert_int_equal(config->config, 0);
    assert_int_equal(config->vacancy_up, 0);
    assert_int_equal(n_rules(), 2);
    assert_int_equal(n_sending_to(1), 2);
    client_expect_nothing(&b);

    bundle_add_table_mod(&a, 4, TABLE_ALL, TABLE_EVICTION);
    bundle_add_flow(&a, 4, 0, 3, 0);
    bundle_add_flow(&a, 4, 0, 4, 0);
    bundle_add_table_mod(&a, 4, 0, TABLE_EVICTION | TABLE_VACANCY_EVENTS);
    bundle_control(&a, OF_BUNDLE_COMMIT_REQUEST, 4, 0, 0);
    assert_int_equal(n_rules(), 2);
    assert_int_equal(config->config, TABLE_EVICTION | TABLE_VACANCY_EVENTS);
    assert_int_equal(pipeline_table_config(bridge->pipeline, 7)->config, TABLE_EVICTION);
    /* It was full when events were asked for: the next one is of room. */
    send_flow_mod(&a, FLOW_DELETE, 0);
    client_expect(&b, OF_TABLE_STATUS, &msg);
    assert_int_equal(msg.table_status.table.vacancy, 100);
    of_msg_free(&msg);
    client_close(&a);
    client_close(&b);
    stop();
}

static void modify_all(struct client *client, uint32_t port)
{
    struct of_msg msg;
    struct act_buffer acts;

    make_flow_mod(&msg, FLOW_MODIFY, 0, &acts);
    ((struct act_output *)acts.data)->port = port;
    client_send(client, &msg);
    act_buffer_free(&acts);
}

/* Two clients, `a` of OpenFlow 1.4 and `b` of 1.3, and what takes more than a turn to change. */
static void start_with_many_rules(void)
{
    start(FAIL_SECURE, NULL, 0);
    client_connect(&a, mgmt);
    client_hello(&a, OF14);
    client_connect(&b, mgmt);
    client_hello(&b, OF13);
    for (unsigned i = 1; i <= MANY_RULES; i++)
        bundle_add_flow(&a, 1, 0, i, 0);
    bundle_control(&a, OF_BUNDLE_COMMIT_REQUEST, 1, 0, 0);
}

static void a_modify_of_many_rules_takes_turns_and_shows_at_once(void **state)
{
    unsigned turns = 0;

    start_with_many_rules();
    assert_int_equal(n_sending_to(1), MANY_RULES);

    modify_all(&a, 2);
    for (; n_sending_to(2) == 0; turns++)
        turn();
    assert_true(turns > 2);
    assert_int_equal(n_sending_to(2), MANY_RULES);
    send_flow_mod(&b, FLOW_ADD, MANY_RULES + 1); /* waits */
    client_barrier(&a);
    client_barrier(&b);
    assert_int_equal(n_rules(), MANY_RULES + 1);
    assert_int_equal(n_sending_to(2), MANY_RULES);

    /* Given up half-way it changes nothing. */
    modify_all(&a, 3);
    turn();
    turn();
    client_close(&a);
    client_barrier(&b);
    assert_true(n_sending_to(3) == 0 || n_sending_to(3) == MANY_RULES + 1);
    assert_int_equal(n_rules(), MANY_RULES + 1);
    client_close(&b);
    stop();
}

static void a_large_delete_takes_what_was_there(void **state)
{
    start_with_many_rules();
    send_flow_mod(&a, FLOW_DELETE, 0);
    while (n_rules() == MANY_RULES)
        turn();
    /* Others go on: what they add or change meanwhile is behind the delete, also with a commit, which it waits for. */
    send_flow_mod(&b, FLOW_ADD, 1);
    bundle_control(&b, OF_BUNDLE_OPEN_REQUEST, 7, 0, 0);
    bundle_add_flow(&b, 7, 0, MANY_RULES + 1, 0);
    struct of_msg msg;
    struct act_buffer acts;
    make_flow_mod(&msg, FLOW_MODIFY, 0, &acts);
    ((struct act_output *)acts.data)->port = 2;
    bundle_add(&b, 7, 0, &msg);
    act_buffer_free(&acts);
    bundle_control(&b, OF_BUNDLE_COMMIT_REQUEST, 7, 0, 0);
    client_barrier(&a);
    client_barrier(&b);
    assert_int_equal(n_rules(), 2);
    assert_int_equal(n_sending_to(2), 2);
    client_close(&a);
    client_close(&b);
    stop();
}

static void tunnel_options_stay_while_a_bundle_names_them(void **state)
{
    const struct tlv_map map = {.class = 1, .type = 2, .len = 4, .index = 3};
    const struct field *f = field_by_name("tun_metadata3");
    const union field_value value = {{1, 2, 3, 4}};
    struct act_buffer acts;
    struct of_msg msg;

    start(FAIL_SECURE, NULL, 0);
    client_connect(&a, mgmt);
    client_hello(&a, OF14);
    assert_int_equal(tlv_map_mod(TLV_ADD, &map, 1), 0);
    for (unsigned end = 0; end < 4; end++) {
        make_flow_mod(&msg, FLOW_DELETE, 5, &acts);
        if (end & 1) {
            msg.flow_mod.command = FLOW_ADD;
            struct act_set_field *set = act_buffer_add(&acts, ACT_SET_FIELD, sizeof *set);
            set->field = f;
            set->value = value;
            memset(&set->mask, 0xff, 4);
            msg.flow_mod.acts = act_buffer_list(&acts);
        } else {
            match_set_exact(&msg.flow_mod.match, f, &value);
        }
        bundle_add(&a, 1, 0, &msg);
        act_buffer_free(&acts);
        client_barrier(&a);
        assert_int_equal(tlv_map_mod(TLV_DELETE, &map, 1), OFPERR_NXTTMFC_INVALID_TLV_DEL);
        bundle_control(&a, end < 2 ? OF_BUNDLE_DISCARD_REQUEST : OF_BUNDLE_COMMIT_REQUEST, 1, 0, 0);
        send_flow_mod(&a, FLOW_DELETE, 0);
        client_barrier(&a);
        assert_int_equal(tlv_map_mod(TLV_DELETE, &map, 1), 0);
        assert_int_equal(tlv_map_mod(TLV_ADD, &map, 1), 0);
    }
    assert_int_equal(tlv_map_mod(TLV_CLEAR, NULL, 0), 0);
    client_close(&a);
    stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bundle_takes_effect_whole_or_not_at_all),
        cmocka_unit_test(bundles_are_used_as_specified),
        cmocka_unit_test(a_bundle_that_nothing_is_heard_of_is_discarded),
        cmocka_unit_test(packets_and_ports_have_their_place),
        cmocka_unit_test(tables_are_configured_in_their_place),
        cmocka_unit_test(a_modify_of_many_rules_takes_turns_and_shows_at_once),
        cmocka_unit_test(a_large_delete_takes_what_was_there),
        cmocka_unit_test(tunnel_options_stay_while_a_bundle_names_them),
        cmocka_unit_test(others_wait_for_a_commit_and_a_broken_one_leaves_nothing),
        cmocka_unit_test(a_bundle_is_taken_back_and_freed_in_steps),
        cmocka_unit_test(a_server_that_is_closed_goes_in_steps),
        cmocka_unit_test(a_table_mod_about_many_rules_takes_several_steps),
        cmocka_unit_test(bundles_hold_no_more_than_they_may),
    };

    return cmocka_run_group_tests(tests, of_bed_setup, of_bed_teardown);
}
