/* NXT_RESUME: what a controller may change, and what it may not; what becomes of packets that nobody resumes. */
#include "tests/lib/pause_bed.h"

/* --- what the controller may do ------------------------------------------ */

static uint8_t changed_packet[256];

static void change_packet(struct of_packet_in *pin)
{
    memcpy(changed_packet, pin->data, pin->data_len);
    changed_packet[5] = 0x99; /* Ethernet destination */
    pin->data = changed_packet;
}

static void change_register(struct of_packet_in *pin)
{
    pin->fields.value.reg[1] = RTE_BE32(0x99);
}

static void change_metadata(struct of_packet_in *pin)
{
    const union field_value value = {{0, 0, 0, 0, 0, 0, 0, 8}};

    match_set_exact(&pin->fields, field_by_id(FIELD_METADATA), &value);
}

static void change_port(struct of_packet_in *pin)
{
    pin->fields.value.in_port = 5;
}

static void change_mark(struct of_packet_in *pin)
{
    const union field_value value = {{0, 0, 0, 6}};

    match_set_exact(&pin->fields, field_by_id(FIELD_PKT_MARK), &value);
}

static void what_the_controller_changed_counts(void **state)
{
    static change_fn *const changes[] = {NULL, change_packet, change_register, change_metadata, change_port};
    static const uint32_t port[] = {1, 2, 3, 4, 2};

    connect_as(OF13);
    bed_add(&bed, "in_port=1,actions=load:0x12->NXM_NX_REG1[],set_field:7->metadata,controller(pause),resubmit(,1)");
    bed_add(&bed, "table=1,reg1=0x12,metadata=7,in_port=1,dl_dst=02:00:00:00:00:02,actions=output:in_port");
    bed_add(&bed, "table=1,reg1=0x12,metadata=7,dl_dst=02:00:00:00:00:99,actions=output:2");
    bed_add(&bed, "table=1,reg1=0x99,metadata=7,actions=output:3");
    bed_add(&bed, "table=1,reg1=0x12,metadata=8,actions=output:4");
    bed_add(&bed, "table=1,in_port=5,actions=output:2,output:5");
    for (size_t i = 0; i < RTE_DIM(changes); i++) {
        send_to(1, packet_new(pool, FRAME_UDP));
        run_until(1, (unsigned)i + 1, changes[i]);
        assert_int_equal(sent[0].port, port[i]);
    }
    /* Also across the recirculation that the rest asks for. */
    bed_add(&bed, "in_port=3,actions=controller(pause),check_pkt_larger(30)->NXM_NX_REG0[0],resubmit(,2)");
    bed_add(&bed, "table=2,pkt_mark=6,actions=output:2");
    send_to(3, packet_new(pool, FRAME_UDP));
    run_until(1, (unsigned)RTE_DIM(changes) + 1, change_mark);
    assert_int_equal(sent[0].port, 2);
    client_close(&client);
}

static void a_resumed_packet_meets_the_tables_of_now(void **state)
{
    struct of_msg msg;

    connect_as(OF15);
    bed_add(&bed, "in_port=1,actions=controller(pause),resubmit(,1),output:5");
    bed_add(&bed, "table=1,actions=output:2");
    send_to(1, packet_new(pool, FRAME_UDP));
    expect_packet_in(&msg);
    assert_int_equal(bed_mod(&bed, FLOW_DELETE, "in_port=1"), 0);
    bed_add(&bed, "table=1,actions=output:3");
    resume(&msg, NULL);
    of_msg_free(&msg);
    run_until(2, 0, NULL);
    assert_int_equal(sent[0].port, 3);
    assert_int_equal(sent[1].port, 5);
    client_close(&client);
}

static void each_connection_can_resume(void **state)
{
    struct client other;
    struct of_msg msg;

    connect_as(OF10);
    other = client;
    connect_as(OF15);
    bed_add(&bed, "in_port=1,actions=controller(pause),output:2");
    send_to(1, packet_new(pool, FRAME_UDP));
    expect_packet_in(&msg);
    resume(&msg, NULL);
    resume(&msg, NULL);
    of_msg_free(&msg);
    run_until(2, 0, NULL);
    client_close(&client);
    client = other;
    resume_what_came(NULL);
    run_until(1, 1, NULL);
    client_close(&client);
}

static void a_packet_that_nobody_can_resume_is_dropped(void **state)
{
    const struct of_msg format = {.type = OF_SET_PACKET_IN_FORMAT, .u32 = OF_PACKET_IN_STANDARD};
    struct of_msg msg;

    bed_add(&bed, "in_port=1,actions=controller(pause),output:2");
    send_to(1, packet_new(pool, FRAME_UDP));
    while (drops(DROP_NO_CONTROLLER) == 0)
        turn();
    connect_as(OF13);
    client_send(&client, &format);
    client_barrier(&client);
    send_to(1, packet_new(pool, FRAME_UDP));
    expect_packet_in(&msg);
    assert_int_equal(msg.packet_in.format, OF_PACKET_IN_STANDARD);
    of_msg_free(&msg);
    run_until(0, 0, NULL);
    client_close(&client);
}

/* A rule of table `table` with a long note behind `actions`. */
static void add_long(uint8_t table, const char *actions)
{
    struct act_buffer acts;
    struct flow_mod fm = {
        .command = FLOW_ADD, .priority = 1, .table_id = table, .out_port = OFPORT_ANY, .out_group = OFGROUP_ANY};
    struct act_bytes *note;

    act_buffer_init(&acts);
    assert_null(actions_parse(actions, &acts, NULL, NULL));
    note = act_buffer_add(&acts, ACT_NOTE, sizeof *note + 22000);
    note->h.form = ACT_FORM_NICIRA;
    note->n = 22000 - 2;
    match_init_all(&fm.match);
    fm.acts = act_buffer_list(&acts);
    assert_int_equal(pipeline_flow_mod(bed.bridge->pipeline, &fm), 0);
    act_buffer_free(&acts);
}

static void what_does_not_fit_a_message_is_dropped(void **state)
{
    connect_as(OF13);
    add_long(0, "resubmit(,1)");
    add_long(1, "resubmit(,2)");
    bed_add(&bed, "table=2,actions=controller(pause)");
    send_to(1, packet_new(pool, FRAME_UDP));
    run_until(0, 1, NULL);
    add_long(2, "controller(pause)");
    assert_int_equal(bed_mod(&bed, FLOW_DELETE_STRICT, "table=2,priority=32768"), 0);
    bed_settle(&bed);
    send_to(1, packet_new(pool, FRAME_UDP));
    while (drops(DROP_PAUSED_TOO_LONG) == 0)
        turn();
    client_close(&client);
}

static void a_packet_out_can_be_paused(void **state)
{
    static uint8_t data[256];
    struct of_msg msg = {.type = OF_PACKET_OUT, .packet_out = {.buffer_id = OF_NO_BUFFER, .data = data}};
    struct act_buffer acts;

    connect_as(OF13);
    bed_add(&bed, "in_port=3,actions=controller(pause),output:2");
    act_buffer_init(&acts);
    assert_null(
        actions_parse("controller(pause),set_field:02:00:00:00:00:77->eth_dst,TABLE,controller", &acts, NULL, NULL));
    msg.packet_out.data_len = packet_from_hex(FRAME_UDP, data);
    msg.packet_out.flow.in_port = 3;
    msg.packet_out.acts = act_buffer_list(&acts);
    client_send(&client, &msg);
    expect_packet_in(&msg);
    resume(&msg, NULL);
    of_msg_free(&msg);
    /* The rule's, then what the controller itself asked for. */
    expect_packet_in(&msg);
    assert_non_null(msg.packet_in.continuation.data);
    resume(&msg, NULL);
    of_msg_free(&msg);
    expect_packet_in(&msg);
    assert_null(msg.packet_in.continuation.data);
    assert_int_equal(msg.packet_in.reason, OF_REASON_ACTION);
    assert_int_equal(msg.packet_in.data[5], 0x77);
    of_msg_free(&msg);
    run_until(1, 0, NULL);
    assert_int_equal(sent[0].port, 2);
    assert_int_equal(sent[0].data[5], 0x77);
    act_buffer_free(&acts);
    client_close(&client);
}

/* --- forgeries ----------------------------------------------------------- */

/* A rule that pauses with a bit of everything left, and a packet-in of it. */
static void pause_with_everything(struct of_msg *msg)
{
    bed_add(&bed, "in_port=1,udp,actions=write_actions(set_field:02:00:00:00:00:77->eth_dst,output:5),goto_table:1");
    bed_add(&bed, "table=1,cookie=0x1234,actions=load:0x12->NXM_NX_REG1[],push:NXM_OF_ETH_SRC[],push:NXM_NX_REG1[],"
                  "resubmit(,2),output:4,write_metadata:7");
    bed_add(&bed, "table=2,udp,actions=controller(pause,userdata=01.02.03),clone(output:3),dec_ttl,"
                  "learn(table=9,NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],output:NXM_OF_IN_PORT[]),output(port=2,max_len=20)");
    send_to(1, packet_new(pool, FRAME_UDP));
    expect_packet_in(msg);
}

static enum of_error answer_to(const struct of_msg *msg)
{
    struct of_msg answer;
    enum of_error error = OFPERR_NONE;

    resume(msg, NULL);
    client_send_empty(&client, OF_BARRIER_REQUEST, 7);
    do {
        assert_int_equal(client_next(&client), 1);
        assert_int_equal(of_msg_decode(client.message, client.header.length, NULL, &answer), 0);
        if (answer.type == OF_ERROR)
            error = answer.error.error;
        of_msg_free(&answer);
    } while (answer.type != OF_BARRIER_REPLY);
    drain();
    return error;
}

static void what_is_not_a_continuation_of_ours_is_refused(void **state)
{
    static const uint8_t versions[] = {OF10, OF13, OF15};
    static uint8_t bytes[65536];
    struct of_msg good, bad;
    const union field_value ttl = {{7}};

    for (size_t v = 0; v < RTE_DIM(versions); v++) {
        connect_as(versions[v]);
        pause_with_everything(&good);
        assert_int_equal(answer_to(&good), OFPERR_NONE);

        memcpy(bytes, good.packet_in.continuation.data, good.packet_in.continuation.len);
        bytes[4] ^= 1; /* of who made it */
        bad = good;
        bad.packet_in.continuation.data = bytes;
        assert_int_equal(answer_to(&bad), OFPERR_NXR_STALE);
        bad.packet_in.continuation.data = NULL;
        bad.packet_in.continuation.len = 0;
        assert_int_equal(answer_to(&bad), OFPERR_NXR_STALE);

        bad = good;
        bad.packet_in.total_len++;
        assert_int_equal(answer_to(&bad), versions[v] == OF10 ? OFPERR_BRC_BAD_LEN : OFPERR_BRC_BAD_PACKET);
        bad = good;
        bad.packet_in.data_len = bad.packet_in.total_len = 13;
        assert_int_equal(answer_to(&bad), versions[v] == OF10 ? OFPERR_BRC_BAD_LEN : OFPERR_BRC_BAD_PACKET);
        bad = good;
        bad.packet_in.buffer_id = 1;
        assert_int_equal(answer_to(&bad), OFPERR_BRC_BUFFER_UNKNOWN);
        bad = good;
        bad.packet_in.fields.value.in_port = OFPORT_FLOOD;
        assert_int_equal(answer_to(&bad), OFPERR_BRC_BAD_PORT);
        bad = good;
        match_set_exact(&bad.packet_in.fields, field_by_id(FIELD_IP_TTL), &ttl);
        bad.packet_in.fields.mask.pkt.eth_type = UINT16_MAX;
        bad.packet_in.fields.value.pkt.eth_type = RTE_BE16(RTE_ETHER_TYPE_IPV4);
        assert_int_equal(answer_to(&bad), versions[v] == OF10 ? OFPERR_BRC_EPERM : OFPERR_BRC_PIPELINE_FIELDS_ONLY);
        of_msg_free(&good);
        client_close(&client);
    }
}

static void a_slave_resumes_nothing(void **state)
{
    const struct of_msg slave = {.type = OF_ROLE_REQUEST,
                                 .role = {.role = OF_ROLE_SLAVE, .has_generation_id = true, .generation_id = 1}};
    struct of_msg msg, reply;

    connect_as(OF13);
    pause_with_everything(&msg);
    client_send(&client, &slave);
    client_expect(&client, OF_ROLE_REPLY, &reply);
    of_msg_free(&reply);
    assert_int_equal(answer_to(&msg), OFPERR_BRC_IS_SLAVE);
    of_msg_free(&msg);
    client_close(&client);
}

/* Sends it as a whole message of its length, and takes what comes; the connection must survive. */
static void send_bytes(uint8_t *data, size_t len)
{
    data[2] = (uint8_t)(len >> 8);
    data[3] = (uint8_t)len;
    client_write(&client, data, len);
    turn();
    while (client_poll(&client) == 1)
        ;
    drain();
}

static void mutated_continuations_do_no_harm(void **state)
{
    struct of_buf whole = {0};
    static uint8_t data[65536];
    struct of_msg good, copy;
    uint32_t seed = 1;

    connect_as(OF15);
    pause_with_everything(&good);
    copy = good;
    copy.type = OF_RESUME;
    of_msg_encode(&copy, &whole);
    for (size_t len = 16; len < whole.len; len++) {
        memcpy(data, whole.data, len);
        send_bytes(data, len);
    }
    for (size_t at = 16; at < whole.len; at++) {
        for (int i = 0; i < 6; i++) {
            memcpy(data, whole.data, whole.len);
            seed = seed * 1664525 + 1013904223;
            data[at] ^= i ? (uint8_t)(seed >> 24) : 0xff;
            if (i > 3)
                data[16 + (seed >> 4) % (whole.len - 16)] = (uint8_t)(seed >> 16);
            send_bytes(data, whole.len);
        }
    }
    assert_int_equal(answer_to(&good), OFPERR_NONE);
    of_buf_free(&whole);
    of_msg_free(&good);
    client_close(&client);
}

/* --- continuations as such ----------------------------------------------- */

static const uint8_t id[OF_CONTINUATION_ID_LEN] = "of the bridge..";

static int decode_one(uint16_t type, const void *value, size_t len)
{
    struct of_continuation c;
    struct of_buf buf = {0};
    int error;

    of_buf_add_u16(&buf, type);
    of_buf_add_u16(&buf, (uint16_t)(4 + len));
    of_buf_add_bytes(&buf, value, len);
    of_buf_pad(&buf, 0, 8);
    error = of_continuation_decode(&(struct of_bytes){buf.data, buf.len}, OF13, &c);
    if (!error)
        of_continuation_free(&c);
    of_buf_free(&buf);
    return error;
}

static void bad_properties_have_errors(void **state)
{
    static const uint8_t zeros[64],
        trunc[] = {0, 0, 0, 0, 0xff, 0xff, 0, 16, 0, 0, 0x23, 0x20, 0, 39, 0, 2, 0, 0, 0, 1};
    static const uint8_t version2[] = {2, 0, 0, 0}, table255[] = {255};

    assert_int_equal(decode_one(0x7fff, zeros, 4), OFPERR_BPC_BAD_TYPE);
    assert_int_equal(decode_one(0x8000, zeros, 15), OFPERR_BPC_BAD_LEN);
    assert_int_equal(decode_one(0x8000, zeros, 17), OFPERR_BPC_BAD_LEN);
    assert_int_equal(decode_one(0x8001, zeros, 0), OFPERR_BPC_BAD_LEN);
    assert_int_equal(decode_one(0x8001, zeros, 17), OFPERR_BPC_BAD_LEN);
    assert_int_equal(decode_one(0x8004, table255, 1), OFPERR_BPC_BAD_VALUE);
    assert_int_equal(decode_one(0x8006, zeros, 2), OFPERR_BPC_BAD_LEN);
    assert_int_equal(decode_one(0x8006, trunc, sizeof trunc), OFPERR_BAC_BAD_ARGUMENT);
    assert_int_equal(decode_one(0x8007, trunc, sizeof trunc), OFPERR_BAC_BAD_ARGUMENT);
    assert_int_equal(decode_one(0x8102, version2, sizeof version2), OFPERR_BPC_BAD_VALUE);
    assert_int_equal(decode_one(0x8102, zeros, 0), OFPERR_BPC_BAD_LEN);
    assert_int_equal(decode_one(0x8101, zeros, 1), 0);
}

static void a_stack_is_bounded(void **state)
{
    union field_value stack[OF_CONTINUATION_STACK_MAX + 1];
    struct recirc left = {.stack = stack};
    struct of_continuation c;
    struct of_buf buf = {0};

    memset(stack, 0, sizeof stack);
    for (unsigned i = 0; i < RTE_DIM(stack); i++)
        stack[i].b[15 - i % 16] = (uint8_t)i;
    left.state.n_stack = OF_CONTINUATION_STACK_MAX;
    of_continuation_encode(&buf, id, &left, OF10);
    assert_int_equal(of_continuation_decode(&(struct of_bytes){buf.data, buf.len}, OF10, &c), 0);
    assert_int_equal(c.state.n_stack, OF_CONTINUATION_STACK_MAX);
    assert_memory_equal(c.stack, stack, sizeof c.stack);
    assert_memory_equal(c.id, id, sizeof c.id);
    of_continuation_free(&c);
    buf.len = 0;
    left.state.n_stack++;
    of_continuation_encode(&buf, id, &left, OF10);
    assert_int_equal(of_continuation_decode(&(struct of_bytes){buf.data, buf.len}, OF10, &c), OFPERR_BPC_TOO_MANY);
    of_buf_free(&buf);
}

/* --- meters -------------------------------------------------------------- */

static void packet_ins_pass_the_meter_of_their_action(void **state)
{
    struct meter_mod mod = {
        .command = METER_ADD,
        .flags = METER_PKTPS | METER_BURST,
        .meter_id = 5,
        .n_bands = 1,
        .bands = {{.type = METER_DROP_BAND, .rate = 1, .burst = 2}},
    };
    struct meter_table *meters = pipeline_meters(bed.bridge->pipeline);
    const char *rule = "in_port=1,actions=controller(meter_id=5),controller(pause,meter_id=5),output:2";
    struct of_msg msg;

    connect_as(OF13);
    assert_int_equal(bed_mod(&bed, FLOW_ADD, rule), OFPERR_BAC_BAD_METER);
    assert_int_equal(meter_table_mod(meters, &mod), 0);
    bed_add(&bed, rule);
    bed_settle(&bed);
    for (int i = 0; i < 20; i++)
        send_to(1, packet_new(pool, FRAME_UDP));
    while (drops(DROP_METER) < 30)
        turn();
    expect_packet_in(&msg);
    of_msg_free(&msg);
    mod.command = METER_DELETE;
    assert_int_equal(meter_table_mod(meters, &mod), 0);
    assert_int_equal(pipeline_n_rules(bed.bridge->pipeline, TABLE_ALL), 0);
    client_close(&client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_the_controller_changed_counts, setup, teardown),
        cmocka_unit_test_setup_teardown(a_resumed_packet_meets_the_tables_of_now, setup, teardown),
        cmocka_unit_test_setup_teardown(each_connection_can_resume, setup, teardown),
        cmocka_unit_test_setup_teardown(a_packet_that_nobody_can_resume_is_dropped, setup, teardown),
        cmocka_unit_test_setup_teardown(what_does_not_fit_a_message_is_dropped, setup, teardown),
        cmocka_unit_test_setup_teardown(a_packet_out_can_be_paused, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_not_a_continuation_of_ours_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(a_slave_resumes_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(mutated_continuations_do_no_harm, setup, teardown),
        cmocka_unit_test_setup_teardown(packet_ins_pass_the_meter_of_their_action, setup, teardown),
        cmocka_unit_test(bad_properties_have_errors),
        cmocka_unit_test(a_stack_is_bounded),
    };

    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
