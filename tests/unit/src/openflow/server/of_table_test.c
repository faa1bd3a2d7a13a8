/* Tables over a connection: their configuration, eviction, vacancy events and features; what controllers are told of
 * each other. */
#include "tests/lib/of_bed.h"

#include "src/openflow/server/vacancy.h"
#include "tests/lib/bundles.h"
#include "tests/lib/of_replies.h"

#define EVICT (TABLE_EVICT_IMPORTANCE | TABLE_EVICT_LIFETIME)

static void open_clients(uint8_t version)
{
    const struct of_msg config = {.type = OF_SET_CONFIG, .config = {.miss_send_len = 128}};

    start(FAIL_SECURE, NULL, 0);
    client_connect(&a, mgmt);
    client_hello(&a, version);
    client_connect(&b, mgmt);
    client_hello(&b, version);
    client_send(&a, &config); /* makes it a controller */
    client_barrier(&a);
}

static void close_clients(void)
{
    client_close(&a);
    client_close(&b);
    stop();
}

static void table_mod(struct client *client, uint32_t config, uint32_t eviction, uint8_t down, uint8_t up, int error)
{
    const struct of_msg msg = {.type = OF_TABLE_MOD,
                               .xid = 4,
                               .table_mod = {.table_id = 0,
                                             .config = config,
                                             .has_eviction = eviction,
                                             .eviction = eviction,
                                             .has_vacancy = up,
                                             .vacancy_down = down,
                                             .vacancy_up = up}};

    client_send(client, &msg);
    if (error)
        client_expect_error(client, error, 4);
    client_barrier(client);
}

static void add_flow(struct client *client, uint32_t n, uint16_t importance, uint16_t timeout, int error)
{
    struct of_msg msg;
    struct act_buffer acts;

    make_flow_mod(&msg, FLOW_ADD, n, &acts);
    msg.flow_mod.importance = importance;
    msg.flow_mod.hard_timeout_s = timeout;
    client_send(client, &msg);
    act_buffer_free(&acts);
    if (error)
        client_expect_error(client, error, n);
}

static bool has_flow(uint64_t cookie)
{
    const struct rule_filter all = {
        .table_id = TABLE_ALL, .out_port = OFPORT_ANY, .out_group = OFGROUP_ANY, .cookie = cookie, .cookie_mask = -1};
    struct rule_cursor *cursor = rule_cursor_open(bridge->pipeline, &all);
    bool found = rule_cursor_next(cursor);

    rule_cursor_close(cursor);
    return found;
}

static void a_full_table_evicts_if_it_may(void **state)
{
    open_clients(OF14);
    set_table_limit(bridge->pipeline, 0, 3);
    add_flow(&b, 1, 10, 0, 0);
    add_flow(&b, 2, 20, 100, 0);
    add_flow(&b, 3, 20, 50, 0);
    add_flow(&b, 4, 99, 0, OFPERR_FMFC_TABLE_FULL);
    add_flow(&b, 3, 20, 50, 0); /* the same again takes no room */
    table_mod(&b, TABLE_EVICTION, EVICT, 0, 0, 0);
    add_flow(&b, 5, 30, 0, 0); /* for the least important */
    client_barrier(&b);
    assert_false(has_flow(1));
    add_flow(&b, 6, 30, 0, 0); /* for that of 20 that ends first */
    client_barrier(&b);
    assert_false(has_flow(3));
    assert_true(has_flow(2));
    add_flow(&b, 7, 19, 0, OFPERR_FMFC_TABLE_FULL); /* all others are more important */
    assert_int_equal(n_rules(), 3);
    table_mod(&b, 0, 0, 0, 0, 0);
    add_flow(&b, 8, 99, 0, OFPERR_FMFC_TABLE_FULL);
    close_clients();
}

static void the_configuration_is_checked_and_told(void **state)
{
    const struct of_msg request = {.type = OF_MULTIPART_REQUEST, .request = {.type = OF_MP_TABLE_DESC}};
    struct of_table_config desc;
    struct of_msg msg;

    open_clients(OF15);
    table_mod(&b, 0x10, 0, 0, 0, OFPERR_TMFC_BAD_CONFIG);
    table_mod(&b, TABLE_EVICTION, 8, 0, 0, OFPERR_BPC_BAD_VALUE);
    table_mod(&b, TABLE_VACANCY_EVENTS, 0, 50, 20, OFPERR_BPC_BAD_VALUE);
    table_mod(&b, TABLE_VACANCY_EVENTS, 0, 50, 101, OFPERR_BPC_BAD_VALUE);
    table_mod(&b, TABLE_EVICTION | TABLE_VACANCY_EVENTS, TABLE_EVICT_OTHER, 20, 50, 0);
    client_send(&b, &request);
    client_expect(&b, OF_MULTIPART_REPLY, &msg);
    assert_int_equal(of_multipart_next_table_desc(&msg.reply, &desc), 1);
    assert_int_equal(desc.config, TABLE_EVICTION | TABLE_VACANCY_EVENTS);
    assert_int_equal(desc.eviction, TABLE_EVICT_OTHER);
    assert_int_equal(desc.vacancy_down, 20);
    assert_int_equal(desc.vacancy_up, 50);
    assert_int_equal(desc.vacancy, 100);
    assert_int_equal(of_multipart_next_table_desc(&msg.reply, &desc), 1);
    assert_int_equal(desc.config, 0);
    of_msg_free(&msg);
    close_clients();

    open_clients(OF13);
    table_mod(&b, TABLE_EVICTION, 0, 0, 0, OFPERR_TMFC_BAD_CONFIG);
    table_mod(&b, 3, 0, 0, 0, 0);
    close_clients();
}

static void expect_vacancy(uint8_t reason, uint8_t vacancy)
{
    struct of_msg msg;

    client_expect(&a, OF_TABLE_STATUS, &msg);
    assert_int_equal(msg.table_status.reason, reason);
    assert_int_equal(msg.table_status.table.table_id, 0);
    assert_int_equal(msg.table_status.table.vacancy, vacancy);
    of_msg_free(&msg);
}

static void controllers_are_told_when_a_table_is_nearly_full(void **state)
{
    open_clients(OF14);
    set_table_limit(bridge->pipeline, 0, 10);
    table_mod(&b, TABLE_VACANCY_EVENTS, 0, 30, 60, 0);
    for (uint32_t n = 1; n <= 7; n++)
        add_flow(&b, n, 0, 0, 0);
    client_expect_nothing(&a); /* 30 % is not below it */
    add_flow(&b, 8, 0, 0, 0);
    expect_vacancy(3, 20);
    add_flow(&b, 9, 0, 0, 0);
    send_flow_mod(&b, FLOW_DELETE, 1);
    send_flow_mod(&b, FLOW_DELETE, 2);
    send_flow_mod(&b, FLOW_DELETE, 3);
    send_flow_mod(&b, FLOW_DELETE, 4);
    send_flow_mod(&b, FLOW_DELETE, 5);
    client_expect_nothing(&a); /* 60 % is not above it */
    send_flow_mod(&b, FLOW_DELETE, 6);
    expect_vacancy(4, 70);
    send_flow_mod(&b, FLOW_DELETE, 0);
    client_expect_nothing(&a);
    table_mod(&b, 0, 0, 0, 0, 0);
    for (uint32_t n = 1; n <= 10; n++)
        add_flow(&b, n, 0, 0, 0);
    client_expect_nothing(&a);
    close_clients();
}

static void requests_are_forwarded_to_who_asked(void **state)
{
    const struct of_msg async = {.type = OF_SET_ASYNC,
                                 .async = {.partial = true, .present = 1 << 11, .requestforward = {1 /* groups */}}};
    const struct of_msg group = {
        .type = OF_GROUP_MOD, .xid = 77, .group_mod = {.command = GROUP_ADD, .type = GROUP_ALL, .group_id = 9}};
    struct of_msg msg, inner;

    open_clients(OF14);
    client_send(&b, &group);
    client_barrier(&b);
    client_expect_nothing(&a); /* not by default */
    client_send(&a, &async);
    client_barrier(&a);
    client_send(&b, &group);
    client_expect_error(&b, OFPERR_GMFC_GROUP_EXISTS, 77);
    client_expect_nothing(&a);
    struct of_msg other = group;
    other.group_mod.group_id = 10;
    client_send(&b, &other);
    client_expect(&a, OF_REQUESTFORWARD, &msg);
    assert_int_equal(of_msg_decode(msg.requestforward.data, msg.requestforward.len, NULL, &inner), 0);
    assert_int_equal(inner.type, OF_GROUP_MOD);
    assert_int_equal(inner.xid, 77);
    assert_int_equal(inner.group_mod.group_id, 10);
    of_msg_free(&inner);
    of_msg_free(&msg);
    client_barrier(&b);
    close_clients();
}

static void role(struct client *client, enum of_role role, uint16_t short_id, int error)
{
    const struct of_msg request = {
        .type = OF_ROLE_REQUEST, .xid = 6, .role = {.role = role, .generation_id = 1, .short_id = short_id}};
    struct of_msg msg;

    client_send(client, &request);
    if (error) {
        client_expect_error(client, error, 6);
        return;
    }
    client_expect(client, OF_ROLE_REPLY, &msg);
    assert_int_equal(msg.role.short_id, short_id);
    of_msg_free(&msg);
}

static void controllers_have_ids_and_are_told_of_each_other(void **state)
{
    const struct of_msg async = {.type = OF_SET_ASYNC,
                                 .async = {.partial = true, .present = 1 << 15, .controller_status = {0x3f}}};
    const struct of_msg config = {.type = OF_SET_CONFIG, .config = {.miss_send_len = 128}};
    const struct of_msg request = {.type = OF_MULTIPART_REQUEST, .request = {.type = OF_MP_CONTROLLER_STATUS}};
    struct of_controller_status status;
    struct of_msg msg;

    start(FAIL_SECURE, NULL, 0);
    client_connect(&a, listening + strlen("punix:"));
    client_hello(&a, OF15);
    client_send(&a, &config);
    client_send(&a, &async);
    client_barrier(&a);
    client_connect(&b, listening + strlen("punix:"));
    client_hello(&b, OF15);
    client_expect(&a, OF_CONTROLLER_STATUS, &msg);
    assert_int_equal(msg.controller_status.reason, OF_CSR_CHANNEL);
    assert_false(msg.controller_status.is_down);
    of_msg_free(&msg);
    role(&a, OF_ROLE_EQUAL, 5, 0);
    role(&b, OF_ROLE_EQUAL, 5, OFPERR_RRFC_ID_IN_USE);
    role(&b, OF_ROLE_SLAVE, 6, 0);
    client_expect(&a, OF_CONTROLLER_STATUS, &msg);
    assert_int_equal(msg.controller_status.reason, OF_CSR_SHORT_ID);
    assert_int_equal(msg.controller_status.short_id, 6);
    of_msg_free(&msg);
    client_expect(&a, OF_CONTROLLER_STATUS, &msg);
    assert_int_equal(msg.controller_status.reason, OF_CSR_ROLE);
    assert_int_equal(msg.controller_status.role, OF_ROLE_SLAVE);
    of_msg_free(&msg);
    client_send(&a, &request);
    client_expect(&a, OF_MULTIPART_REPLY, &msg);
    for (int i = 0; i < 2; i++)
        assert_int_equal(of_multipart_next_controller(&msg.reply, &status), 1);
    assert_int_equal(of_multipart_next_controller(&msg.reply, &status), 0);
    of_msg_free(&msg);
    client_close(&b);
    client_expect(&a, OF_CONTROLLER_STATUS, &msg);
    assert_int_equal(msg.controller_status.reason, OF_CSR_CHANNEL);
    assert_true(msg.controller_status.is_down);
    of_msg_free(&msg);
    client_close(&a);
    stop();
}

/* --- features ------------------------------------------------------------ */

/* Tables first .. last as one body. */
static void features_body(struct of_buf *body, uint8_t version, unsigned first, unsigned last, uint32_t max_entries,
                          uint8_t command)
{
    struct of_multipart mp;
    struct of_buf out = {0};

    of_multipart_begin(&mp, version, 0, OF_MP_TABLE_FEATURES, false);
    for (unsigned id = first; id <= last; id++) {
        const struct of_table_stats table = {.table_id = id,
                                             .name = "mine",
                                             .max_entries = max_entries,
                                             .next_table_max = PIPELINE_TABLES - 1,
                                             .command = command};
        of_multipart_add_table(&mp, &out, &table);
    }
    of_multipart_end(&mp, &out);
    for (size_t at = 0; at < out.len; at += (size_t)(out.data[at + 2] << 8 | out.data[at + 3]))
        of_buf_add_bytes(body, out.data + at + 16, (size_t)(out.data[at + 2] << 8 | out.data[at + 3]) - 16);
    of_buf_free(&out);
}

/* Sends it in parts of at most 20 KB. */
static void send_features(struct client *client, const struct of_buf *body)
{
    struct of_msg msg = {.type = OF_MULTIPART_REQUEST, .xid = 9, .request = {.type = OF_MP_TABLE_FEATURES}};
    size_t at = 0;

    do {
        msg.request.body = (struct of_bytes){body->data + at, RTE_MIN(body->len - at, (size_t)20000)};
        at += msg.request.body.len;
        msg.request.more = at < body->len;
        client_send(client, &msg);
    } while (msg.request.more);
}

/* How many tables the reply tells of, and table 0's max_entries. */
static unsigned read_features(struct client *client, uint32_t *max_entries)
{
    struct of_table_stats table;
    struct of_msg msg;
    unsigned n = 0;

    do {
        client_expect(client, OF_MULTIPART_REPLY, &msg);
        while (of_multipart_next_table(client->version, &msg.reply, &table) == 1) {
            n++;
            if (table.table_id == 0)
                *max_entries = table.max_entries;
        }
        of_msg_free(&msg);
    } while (msg.reply.more);
    return n;
}

static void check_features(uint8_t version)
{
    struct of_buf body = {0};
    uint32_t max_entries = 0;
    struct of_msg msg;
    struct act_buffer acts;

    open_clients(version);
    send_features(&b, &body);
    assert_int_equal(read_features(&b, &max_entries), PIPELINE_TABLES);
    assert_int_equal(max_entries, OF_TABLE_RULES_TOLD);

    features_body(&body, version, 0, 99, 500, 0);
    send_features(&b, &body);
    assert_int_equal(read_features(&b, &max_entries), 100);
    assert_int_equal(max_entries, 500);
    assert_string_equal(pipeline_table_config(bridge->pipeline, 7)->name, "mine");
    make_flow_mod(&msg, FLOW_ADD, 1, &acts);
    msg.flow_mod.table_id = 100;
    client_send(&b, &msg);
    client_expect_error(&b, OFPERR_FMFC_BAD_TABLE_ID, 1);
    msg.flow_mod.table_id = 99;
    client_send(&b, &msg);
    client_barrier(&b);
    assert_int_equal(n_rules(), 1);
    act_buffer_free(&acts);

    body.len = 0; /* nothing is done of a request that goes too far */
    features_body(&body, version, 0, 50, 400, 0);
    send_features(&b, &body);
    client_expect_error(&b, OFPERR_TFFC_EPERM, 9);
    assert_int_equal(pipeline_table_config(bridge->pipeline, 0)->max_rules, 500);
    assert_false(pipeline_table_config(bridge->pipeline, 60)->disabled);
    if (version >= OF15) {
        body.len = 0;
        features_body(&body, version, 200, 201, 0, 2 /* enable */);
        send_features(&b, &body);
        assert_int_equal(read_features(&b, &max_entries), 102);
        body.len = 0;
        features_body(&body, version, 0, 0, 300, 1 /* modify */);
        send_features(&b, &body);
        assert_int_equal(read_features(&b, &max_entries), 102);
        assert_int_equal(max_entries, 300);
        body.len = 0;
        features_body(&body, version, 99, 99, 0, 3 /* disable */);
        send_features(&b, &body);
        client_expect_error(&b, OFPERR_TFFC_EPERM, 9);
        body.data[3] = 4;
        send_features(&b, &body);
        client_expect_error(&b, OFPERR_TFFC_BAD_COMMAND, 9);
    }
    body.len = 0;
    features_body(&body, version, 0, 254, OF_TABLE_RULES_TOLD, 0);
    send_features(&b, &body);
    assert_int_equal(read_features(&b, &max_entries), PIPELINE_TABLES);
    body.data[67] = 99; /* an instruction that nobody knows: type of the first id */
    body.data[69] = 99;
    send_features(&b, &body);
    assert_int_equal(client_next(&b), 1);
    assert_int_equal(b.message[1], 1);
    of_buf_free(&body);
    close_clients();
}

static void features_are_read_and_written(void **state)
{
    check_features(OF13);
    check_features(OF14);
    check_features(OF15);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_table_evicts_if_it_may),
        cmocka_unit_test(the_configuration_is_checked_and_told),
        cmocka_unit_test(controllers_are_told_when_a_table_is_nearly_full),
        cmocka_unit_test(requests_are_forwarded_to_who_asked),
        cmocka_unit_test(controllers_have_ids_and_are_told_of_each_other),
        cmocka_unit_test(features_are_read_and_written),
    };

    return cmocka_run_group_tests(tests, of_bed_setup, of_bed_teardown);
}
