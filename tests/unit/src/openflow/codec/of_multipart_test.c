/* Multipart requests and replies of every version. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "src/openflow/codec/msg.h"
#include "src/match/field.h"
#include "tests/lib/flow_text.h"
#include "tests/lib/match_sets.h"
#include "tests/lib/of_replies.h"

static const uint8_t versions[] = {OF10, OF13, OF14, OF15};
#define N_VERSIONS 4

static struct of_msg msg, back;

/* --- requests ------------------------------------------------------------ */

static int first_version(enum of_multipart_type type)
{
    switch (type) {
    case OF_MP_TABLE_DESC:
    case OF_MP_FLOW_MONITOR: /* an extension's before, which of_monitor_test has */
    case OF_MP_QUEUE_DESC:
        return OF14;
    case OF_MP_FLOW_STATS:
    case OF_MP_CONTROLLER_STATUS:
    case OF_MP_BUNDLE_FEATURES:
        return OF15;
    case OF_MP_DESC:
    case OF_MP_FLOW:
    case OF_MP_AGGREGATE:
    case OF_MP_TABLE:
    case OF_MP_PORT:
    case OF_MP_QUEUE:
    case OF_MP_PORT_DESC:
        return OF10;
    default:
        return OF13;
    }
}

static void check_request(uint8_t version, enum of_multipart_type type, bool nx)
{
    struct of_buf buf = {NULL, 0, 0};
    const struct of_multipart_request *rq = &back.request;

    memset(&msg, 0, sizeof msg);
    msg.type = OF_MULTIPART_REQUEST;
    msg.version = version;
    msg.request = (struct of_multipart_request){
        .type = type, .nx = nx, .port_no = 5, .queue_id = 6, .group_id = 7, .meter_id = 8, .bundle_flags = 3};
    msg.request.filter = (struct rule_filter){.table_id = 3, .out_port = 9, .out_group = OFGROUP_ANY};
    if (nx || version != OF10) {
        msg.request.filter.cookie = 0x10;
        msg.request.filter.cookie_mask = 0xf0;
    }
    assert_null(match_parse("tcp,nw_dst=10.0.0.0/8", &msg.request.match, NULL, NULL));
    of_msg_encode(&msg, &buf);
    assert_int_equal(of_msg_decode(buf.data, buf.len, NULL, &back), 0);
    assert_int_equal(rq->type, type);
    assert_int_equal(rq->nx, nx);
    switch (type) {
    case OF_MP_BUNDLE_FEATURES:
        assert_int_equal(rq->bundle_flags, 3);
        break;
    case OF_MP_FLOW:
    case OF_MP_FLOW_STATS:
    case OF_MP_AGGREGATE:
        assert_int_equal(rq->filter.table_id, 3);
        assert_int_equal(rq->filter.out_port, 9);
        assert_int_equal(rq->filter.out_group, OFGROUP_ANY);
        assert_int_equal(rq->filter.cookie_mask, msg.request.filter.cookie_mask);
        assert_int_equal(rq->filter.cookie, msg.request.filter.cookie);
        assert_ptr_equal(rq->filter.match, &rq->match);
        assert_true(match_equal(&rq->match, &msg.request.match));
        break;
    case OF_MP_QUEUE:
    case OF_MP_QUEUE_DESC:
        assert_int_equal(rq->queue_id, 6);
        /* fall through */
    case OF_MP_PORT:
        assert_int_equal(rq->port_no, 5);
        break;
    case OF_MP_GROUP:
        assert_int_equal(rq->group_id, 7);
        break;
    case OF_MP_METER:
    case OF_MP_METER_CONFIG:
        assert_int_equal(rq->meter_id, 8);
        break;
    default:
        break;
    }
    of_buf_free(&buf);
}

static void requests(void **state)
{
    static const uint8_t unknown[] = {OF13, 18, 0, 16, 0, 0, 0, 1, 0, 99, 0, 0, 0, 0, 0, 0};
    static const uint8_t vendor[] = {OF13, 18, 0, 24, 0, 0, 0, 1, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1};

    for (int v = 0; v < N_VERSIONS; v++)
        for (int type = 0; type < OF_N_MP_TYPES; type++)
            if (versions[v] >= first_version(type))
                check_request(versions[v], type, false);
    check_request(OF10, OF_MP_FLOW, true);
    check_request(OF10, OF_MP_AGGREGATE, true);
    assert_int_equal(of_msg_decode(unknown, sizeof unknown, NULL, &back), OFPERR_BRC_BAD_MULTIPART);
    assert_int_equal(of_msg_decode(vendor, sizeof vendor, NULL, &back), OFPERR_BRC_BAD_EXPERIMENTER);
}

/* --- replies ------------------------------------------------------------- */

/* The next message of `stream`, decoded. */
static const uint8_t *next_part(const uint8_t *at)
{
    size_t len = (size_t)(at[2] << 8 | at[3]);

    assert_int_equal(of_msg_decode(at, len, NULL, &back), 0);
    assert_int_equal(back.type, OF_MULTIPART_REPLY);
    assert_int_equal(back.xid, 0x77);
    return at + len;
}

#define N_FLOWS 3000

static void check_flows(uint8_t version, enum of_multipart_type type, bool nx)
{
    bool only_stats = type == OF_MP_FLOW_STATS;
    struct of_multipart mp;
    struct of_buf out = {NULL, 0, 0};
    struct of_flow_stats flow = {.table_id = 3,
                                 .idle_timeout_s = only_stats ? 0 : 4,
                                 .flags = version == OF10 || only_stats ? 0 : RULE_SEND_FLOW_REM,
                                 .importance = version >= OF14 && !only_stats ? 9 : 0,
                                 .cookie = only_stats ? 0 : 0x99,
                                 .duration_s = 5,
                                 .idle_age_s = nx || version >= OF15 ? 0 : -1,
                                 .hard_age_s = -1,
                                 .packets = 6,
                                 .bytes = UINT64_MAX},
                         got;
    struct match match, got_match;
    struct act_buffer acts, got_acts;
    unsigned n = 0, parts = 0;
    const uint8_t *at;

    act_buffer_init(&acts);
    act_buffer_init(&got_acts);
    assert_null(match_parse("udp,in_port=1,nw_dst=10.0.0.0/8", &match, NULL, NULL));
    assert_null(actions_parse(version >= OF15 ? "output:2,set_field:5->reg0" : "output:2,load:5->NXM_NX_REG0[]", &acts,
                              NULL, NULL));
    flow.match = &match;
    flow.acts = act_buffer_list(&acts);
    of_multipart_begin(&mp, version, 0x77, type, nx);
    for (int i = 0; i < N_FLOWS; i++) {
        flow.priority = (uint16_t)i;
        of_multipart_add_flow(&mp, &out, &flow);
    }
    of_multipart_end(&mp, &out);

    for (at = out.data; at < out.data + out.len; parts++) {
        at = next_part(at);
        assert_int_equal(back.reply.type, type);
        assert_int_equal(back.reply.more, at < out.data + out.len);
        while (of_multipart_next_flow(version, &back.reply, &got, &got_match, &got_acts) == 1) {
            assert_int_equal(got.priority, n++);
            assert_true(match_equal(&match, &got_match));
            if (!only_stats)
                assert_true(act_lists_equal(&flow.acts, &got.acts));
            assert_int_equal(got.table_id, 3);
            assert_int_equal(got.idle_timeout_s, flow.idle_timeout_s);
            assert_int_equal(got.importance, flow.importance);
            assert_int_equal(got.duration_s, 5);
            assert_int_equal(got.flags, flow.flags);
            assert_int_equal(got.cookie, flow.cookie);
            assert_int_equal(got.idle_age_s, flow.idle_age_s);
            assert_int_equal(got.packets, 6);
            assert_int_equal(got.bytes, UINT64_MAX);
        }
        assert_int_equal(back.reply.body.len, 0);
    }
    assert_int_equal(n, N_FLOWS);
    assert_true(parts >= 3);
    act_buffer_free(&acts);
    act_buffer_free(&got_acts);
    of_buf_free(&out);
}

static void long_replies_are_split_between_entries(void **state)
{
    check_flows(OF10, OF_MP_FLOW, true);
    check_flows(OF10, OF_MP_FLOW, false);
    check_flows(OF13, OF_MP_FLOW, false);
    check_flows(OF14, OF_MP_FLOW, false);
    check_flows(OF15, OF_MP_FLOW, false);
    check_flows(OF15, OF_MP_FLOW_STATS, false);
}

static void begin_reply(struct of_multipart *mp, uint8_t version, enum of_multipart_type type)
{
    of_multipart_begin(mp, version, 0x77, type, false);
}

static void end_reply(struct of_multipart *mp, struct of_buf *out)
{
    out->len = 0;
    of_multipart_end(mp, out);
    assert_ptr_equal(next_part(out->data), out->data + out->len);
    assert_false(back.reply.more);
}

static void the_other_replies(void **state)
{
    struct of_buf out = {NULL, 0, 0};
    struct of_multipart mp;

    for (int i = 0; i < N_VERSIONS; i++) {
        uint8_t v = versions[i];
        struct of_table_stats table = {.table_id = 2, .active = 3, .lookups = 4, .matched = 5}, got_table;
        struct of_port_stats port = {.port_no = OFPORT_LOCAL, .rx_packets = 1, .tx_errors = 8, .collisions = 12},
                             got_port;
        struct of_port desc = {.port_no = 4, .name = "p4", .curr_speed = 5}, got_desc;
        struct of_aggregate aggregate = {1, 2, 3}, got_aggregate;
        const struct of_desc texts = {"maker", "hardware", NULL, "none", "a datapath"};

        begin_reply(&mp, v, OF_MP_TABLE);
        of_multipart_add_table(&mp, &out, &table);
        end_reply(&mp, &out);
        assert_int_equal(of_multipart_next_table(v, &back.reply, &got_table), 1);
        assert_int_equal(got_table.table_id, 2);
        assert_int_equal(got_table.active, 3);
        assert_int_equal(got_table.matched, 5);
        assert_int_equal(of_multipart_next_table(v, &back.reply, &got_table), 0);

        begin_reply(&mp, v, OF_MP_PORT);
        of_multipart_add_port(&mp, &out, &port);
        end_reply(&mp, &out);
        assert_int_equal(of_multipart_next_port(v, &back.reply, &got_port), 1);
        assert_int_equal(got_port.port_no, port.port_no);
        assert_memory_equal(&got_port.rx_packets, &port.rx_packets,
                            sizeof port - offsetof(struct of_port_stats, rx_packets));
        assert_int_equal(of_multipart_next_port(v, &back.reply, &got_port), 0);

        begin_reply(&mp, v, OF_MP_PORT_DESC);
        of_multipart_add_port_desc(&mp, &out, &desc);
        of_multipart_add_port_desc(&mp, &out, &desc);
        end_reply(&mp, &out);
        assert_int_equal(of_multipart_next_port_desc(v, &back.reply, &got_desc), 1);
        assert_int_equal(got_desc.port_no, 4);
        assert_string_equal(got_desc.name, "p4");
        assert_int_equal(of_multipart_next_port_desc(v, &back.reply, &got_desc), 1);
        assert_int_equal(of_multipart_next_port_desc(v, &back.reply, &got_desc), 0);

        begin_reply(&mp, v, OF_MP_AGGREGATE);
        of_multipart_add_aggregate(&mp, &out, &aggregate);
        end_reply(&mp, &out);
        assert_int_equal(of_multipart_next_aggregate(v, &back.reply, &got_aggregate), 1);
        assert_int_equal(got_aggregate.packets, aggregate.packets);
        assert_int_equal(got_aggregate.bytes, aggregate.bytes);
        assert_int_equal(got_aggregate.flows, aggregate.flows);
        assert_int_equal(of_multipart_next_aggregate(v, &back.reply, &got_aggregate), 0);

        if (v >= OF14) {
            const struct of_table_config config = {.table_id = 9, .config = 4, .has_eviction = true, .eviction = 2};
            struct of_table_config got_config;

            begin_reply(&mp, v, OF_MP_TABLE_DESC);
            of_multipart_add_table_desc(&mp, &out, &config);
            end_reply(&mp, &out);
            assert_int_equal(of_multipart_next_table_desc(&back.reply, &got_config), 1);
            assert_int_equal(got_config.table_id, config.table_id);
            assert_int_equal(got_config.config, config.config);
            assert_true(got_config.has_eviction && !got_config.has_vacancy);
            assert_int_equal(got_config.eviction, config.eviction);
            assert_int_equal(of_multipart_next_table_desc(&back.reply, &got_config), 0);
        }
        if (v >= OF15) {
            const struct of_controller_status status = {
                .short_id = 5, .role = OF_ROLE_MASTER, .uri = "u", .uri_len = 1};
            struct of_controller_status got_status;

            begin_reply(&mp, v, OF_MP_CONTROLLER_STATUS);
            of_multipart_add_controller(&mp, &out, &status);
            of_multipart_add_controller(&mp, &out, &status);
            end_reply(&mp, &out);
            for (int n = 0; n < 2; n++) {
                assert_int_equal(of_multipart_next_controller(&back.reply, &got_status), 1);
                assert_int_equal(got_status.short_id, 5);
                assert_int_equal(got_status.role, OF_ROLE_MASTER);
                assert_int_equal(got_status.uri_len, 1);
            }
            assert_int_equal(of_multipart_next_controller(&back.reply, &got_status), 0);
            begin_reply(&mp, v, OF_MP_BUNDLE_FEATURES);
            of_multipart_add_bundle_features(&mp, &out);
            end_reply(&mp, &out);
            assert_int_equal(back.reply.body.len, 8);
        }

        begin_reply(&mp, v, OF_MP_DESC);
        of_multipart_add_desc(&mp, &out, &texts);
        end_reply(&mp, &out);
        assert_int_equal(back.reply.body.len, 1056);
        assert_string_equal((const char *)back.reply.body.data, "maker");

        begin_reply(&mp, v, OF_MP_QUEUE); /* nothing to tell: an empty reply */
        end_reply(&mp, &out);
        assert_int_equal(back.reply.body.len, 0);
    }
    of_buf_free(&out);
}

static void check_table_features(uint8_t version)
{
    struct of_table_stats table = {.table_id = 2, .max_entries = 1000, .next_table_max = 253}, got;
    struct of_buf out = {NULL, 0, 0};
    struct of_multipart mp;
    unsigned n = 0;

    begin_reply(&mp, version, OF_MP_TABLE_FEATURES);
    for (int id = 0; id < 254; id++) {
        table.table_id = (uint8_t)id;
        of_multipart_add_table(&mp, &out, &table);
    }
    of_multipart_end(&mp, &out);
    for (const uint8_t *at = out.data; at < out.data + out.len;) {
        at = next_part(at);
        while (of_multipart_next_table(version, &back.reply, &got) == 1) {
            assert_int_equal(got.table_id, n++);
            assert_int_equal(got.max_entries, 1000);
            assert_int_equal(got.next_table_max, 253);
        }
    }
    assert_int_equal(n, 254);
    of_buf_free(&out);
}

static void table_features(void **state)
{
    check_table_features(OF13);
    check_table_features(OF14);
    check_table_features(OF15);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests),
        cmocka_unit_test(long_replies_are_split_between_entries),
        cmocka_unit_test(the_other_replies),
        cmocka_unit_test(table_features),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
