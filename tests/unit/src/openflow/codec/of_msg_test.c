/* Messages of every version that are no multipart and no flow_mod. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "src/bridge/bridge.h"
#include "src/openflow/codec/error_wire.h"
#include "src/openflow/codec/msg.h"
#include "src/openflow/wire/oxm.h"
#include "src/match/field.h"
#include "tests/lib/flow_text.h"

static const uint8_t versions[] = {OF10, OF13, OF14, OF15};
#define FOR_EACH_VERSION(v, from)                                                                                      \
    for (const uint8_t *v = versions; v < versions + sizeof versions; v++)                                             \
        if (*v >= (from))

static struct of_msg msg, back;
static struct of_buf buf;

static void begin(enum of_msg_type type, uint8_t version)
{
    memset(&msg, 0, sizeof msg);
    msg.type = type;
    msg.version = version;
    msg.xid = 0x12345678;
}

/* Writes `msg` and reads it into `back`. */
static void there_and_back(void)
{
    int error;

    buf.len = 0;
    of_msg_encode(&msg, &buf);
    assert_int_equal(buf.data[2] << 8 | buf.data[3], buf.len);
    error = of_msg_decode(buf.data, buf.len, NULL, &back);
    if (error)
        fail_msg("%s of version %d: %s", of_msg_type_name(msg.type), msg.version, of_error_name(error));
    assert_int_equal(back.type, msg.type);
    assert_int_equal(back.version, msg.version);
    assert_int_equal(back.xid, msg.xid);
}

static void hello_and_versions(void **state)
{
    static const uint8_t plain[] = {OF13, 0, 0, 8, 0, 0, 0, 1};
    static const uint8_t future[] = {0x20, 0, 0, 16, 0, 0, 0, 1, 0, 1, 0, 8, 0, 0, 0, 0x12};

    begin(OF_HELLO, OF14);
    msg.hello = OF_VERSIONS;
    there_and_back();
    assert_int_equal(back.hello, OF_VERSIONS);
    assert_int_equal(of_msg_decode(plain, sizeof plain, NULL, &back), 0);
    assert_int_equal(back.hello, 0);
    assert_int_equal(of_hello_negotiate(OF_VERSIONS, &back), OF13);
    assert_int_equal(of_hello_negotiate(1u << OF10, &back), OF10);
    assert_int_equal(of_hello_negotiate(1u << OF10 | 1u << OF15, &back), 0);
    back.version = 3;
    assert_int_equal(of_hello_negotiate(OF_VERSIONS, &back), 0);
    back.version = 0x20;
    assert_int_equal(of_hello_negotiate(OF_VERSIONS, &back), OF15);
    assert_int_equal(of_msg_decode(future, sizeof future, NULL, &back), 0);
    assert_int_equal(back.hello, 0x12);
    assert_int_equal(of_hello_negotiate(OF_VERSIONS, &back), OF13);
    assert_int_equal(of_version_negotiate(OF_VERSIONS, 1 << OF15), OF15);
    assert_int_equal(of_version_negotiate(OF_VERSIONS, 1 << 3), 0);
    assert_int_equal(of_version_negotiate(OF_VERSIONS, 0xfe), OF15);
    buf.len = 0;
    of_hello_encode(1u << OF13 | 1u << OF10, 7, &buf);
    assert_int_equal(of_msg_decode(buf.data, buf.len, NULL, &back), 0);
    assert_int_equal(back.version, OF13);
}

static void framing(void **state)
{
    static const uint8_t short_length[] = {OF13, 2, 0, 7, 0, 0, 0, 1};
    static const uint8_t version_9[] = {9, 2, 0, 8, 0, 0, 0, 1};
    static const uint8_t type_99[] = {OF13, 99, 0, 8, 0, 0, 0, 1};
    static const uint8_t group_mod[] = {OF13, 15, 0, 8, 0, 0, 0, 1};
    static const uint8_t barrier_with_body[] = {OF13, 20, 0, 9, 0, 0, 0, 1, 0};
    static const uint8_t vendor[] = {OF10, 4, 0, 16, 0, 0, 0, 1, 0, 0, 0x23, 0x21, 0, 0, 0, 1};
    static const uint8_t nicira_99[] = {OF10, 4, 0, 16, 0, 0, 0, 1, 0, 0, 0x23, 0x20, 0, 0, 0, 99};
    struct of_header header;

    assert_int_equal(of_header_parse(short_length, &header), OFPERR_BRC_BAD_LEN);
    assert_int_equal(of_header_parse(type_99, &header), 0);
    assert_int_equal(header.type, 99);
    assert_int_equal(header.length, 8);
    assert_int_equal(of_msg_decode(version_9, 8, NULL, &back), OFPERR_BRC_BAD_VERSION);
    assert_int_equal(of_msg_decode(type_99, 8, NULL, &back), OFPERR_BRC_BAD_TYPE);
    assert_int_equal(of_msg_decode(group_mod, 8, NULL, &back), OFPERR_BRC_BAD_LEN);
    assert_int_equal(of_msg_decode(barrier_with_body, 9, NULL, &back), OFPERR_BRC_BAD_LEN);
    assert_int_equal(of_msg_decode(vendor, 16, NULL, &back), OFPERR_BRC_BAD_EXPERIMENTER);
    assert_int_equal(of_msg_decode(nicira_99, 16, NULL, &back), OFPERR_BRC_BAD_EXP_TYPE);
}

static void errors_in_every_version(void **state)
{
    static const uint8_t request[100] = {OF13, 14, 0, 100, 0xde, 0xad, 0xbe, 0xef};

    FOR_EACH_VERSION(v, OF10)
    {
        for (int e = OFPERR_NONE + 1; e < OFPERR_N; e++) {
            uint16_t type, code, type2, code2;

            buf.len = 0;
            of_error_encode(e, *v, request, sizeof request, &buf);
            assert_int_equal(of_msg_decode(buf.data, buf.len, NULL, &back), 0);
            assert_int_equal(back.type, OF_ERROR);
            assert_int_equal(back.xid, 0xdeadbeef);
            assert_int_equal(back.error.data_len, 64);
            assert_memory_equal(back.error.data, request, 64);
            of_error_wire(e, *v, &type, &code);
            of_error_wire(back.error.error, *v, &type2, &code2);
            assert_true((enum of_error)e == back.error.error || (type == type2 && code == code2));
        }
    }
    /* Errors that older versions have from a vendor are not lost there. */
    buf.len = 0;
    of_error_encode(OFPERR_BMC_BAD_PREREQ, OF10, request, 8, &buf);
    assert_int_equal(of_msg_decode(buf.data, buf.len, NULL, &back), 0);
    assert_int_equal(back.error.error, OFPERR_BMC_BAD_PREREQ);
    assert_int_equal(back.error.type, 0xb0c2);
    buf.len = 0;
    of_error_encode(OFPERR_BFC_BAD_ID, OF13, request, 8, &buf);
    assert_int_equal(of_msg_decode(buf.data, buf.len, NULL, &back), 0);
    assert_int_equal(back.error.error, OFPERR_BFC_BAD_ID);
    assert_int_equal(back.error.code, 2302);
}

static void plain_messages(void **state)
{
    static const enum of_msg_type types[] = {OF_FEATURES_REQUEST, OF_GET_CONFIG_REQUEST, OF_BARRIER_REQUEST,
                                             OF_BARRIER_REPLY};

    FOR_EACH_VERSION(v, OF10)
    {
        for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
            begin(types[i], *v);
            there_and_back();
        }
        begin(OF_ECHO_REQUEST, *v);
        msg.echo = (struct of_bytes){(const uint8_t *)"hi", 2};
        there_and_back();
        assert_int_equal(back.echo.len, 2);
        assert_memory_equal(back.echo.data, "hi", 2);
        begin(OF_SET_CONFIG, *v);
        msg.config = (struct of_config){.frag = 1, .miss_send_len = 128};
        there_and_back();
        assert_int_equal(back.config.frag, 1);
        assert_int_equal(back.config.miss_send_len, 128);
    }
    FOR_EACH_VERSION(v, OF13)
    {
        begin(OF_GET_ASYNC_REQUEST, *v);
        there_and_back();
        begin(OF_TABLE_MOD, *v);
        msg.table_mod = (struct of_table_config){.table_id = TABLE_ALL, .config = 4};
        there_and_back();
        assert_int_equal(back.table_mod.table_id, TABLE_ALL);
        assert_int_equal(back.table_mod.config, 4);
    }
}

static const struct of_table_config a_config = {.table_id = 3,
                                                .config = 12,
                                                .has_eviction = true,
                                                .eviction = 6,
                                                .has_vacancy = true,
                                                .vacancy_down = 20,
                                                .vacancy_up = 30,
                                                .vacancy = 25};

static void check_config(const struct of_table_config *c)
{
    assert_int_equal(c->table_id, 3);
    assert_int_equal(c->config, 12);
    assert_true(c->has_eviction && c->has_vacancy);
    assert_int_equal(c->eviction, 6);
    assert_int_equal(c->vacancy_down, 20);
    assert_int_equal(c->vacancy_up, 30);
    assert_int_equal(c->vacancy, 25);
}

static void tables(void **state)
{
    static const struct {
        uint8_t property[8];
        int error;
    } cases[] = {
        {{0, 2, 0, 8, 0, 0, 0, 2}, 0},
        {{0, 2, 0, 7, 0, 0, 0, 2}, OFPERR_BPC_BAD_LEN},
        {{0, 2, 0, 3, 0, 0, 0, 2}, OFPERR_BPC_BAD_LEN},
        {{0, 9, 0, 8, 0, 0, 0, 2}, OFPERR_BPC_BAD_TYPE},
        {{0xff, 0xff, 0, 8, 0, 0, 0, 2}, OFPERR_BPC_BAD_EXPERIMENTER},
    };

    FOR_EACH_VERSION(v, OF14)
    {
        uint8_t table_mod[24] = {*v, 17, 0, 24, 0, 0, 0, 1};

        begin(OF_TABLE_MOD, *v);
        msg.table_mod = a_config;
        there_and_back();
        check_config(&back.table_mod);
        begin(OF_TABLE_STATUS, *v);
        msg.table_status.reason = 3;
        msg.table_status.table = a_config;
        there_and_back();
        assert_int_equal(back.table_status.reason, 3);
        check_config(&back.table_status.table);
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
            memcpy(table_mod + 16, cases[i].property, 8);
            assert_int_equal(of_msg_decode(table_mod, 24, NULL, &back), cases[i].error);
        }
    }
}

static void of_other_controllers(void **state)
{
    static const uint8_t forwarded[] = {OF14, 29, 0, 8, 0, 0, 0, 9};

    FOR_EACH_VERSION(v, OF14)
    {
        begin(OF_REQUESTFORWARD, *v);
        msg.requestforward = (struct of_bytes){forwarded, sizeof forwarded};
        there_and_back();
        assert_int_equal(back.requestforward.len, sizeof forwarded);
        assert_memory_equal(back.requestforward.data, forwarded, sizeof forwarded);
        msg.requestforward.len = 7;
        buf.len = 0;
        of_msg_encode(&msg, &buf);
        assert_int_equal(of_msg_decode(buf.data, buf.len, NULL, &back), OFPERR_BRC_BAD_LEN);
    }
    begin(OF_CONTROLLER_STATUS, OF15);
    msg.controller_status = (struct of_controller_status){.short_id = 7,
                                                          .role = OF_ROLE_SLAVE,
                                                          .reason = OF_CSR_ROLE,
                                                          .is_down = true,
                                                          .uri = "tcp:127.0.0.1:6653",
                                                          .uri_len = 18};
    there_and_back();
    assert_int_equal(back.controller_status.short_id, 7);
    assert_int_equal(back.controller_status.role, OF_ROLE_SLAVE);
    assert_int_equal(back.controller_status.reason, OF_CSR_ROLE);
    assert_true(back.controller_status.is_down);
    assert_int_equal(back.controller_status.uri_len, 18);
    assert_memory_equal(back.controller_status.uri, "tcp:127.0.0.1:6653", 18);
}

static struct of_port a_port(void)
{
    return (struct of_port){.port_no = 3,
                            .hw_addr = {2, 0, 0, 0, 0, 9},
                            .name = "fifteen-letters",
                            .config = PORT_CONFIG_DOWN | PORT_CONFIG_NO_FLOOD,
                            .state = PORT_STATE_LINK_DOWN,
                            .curr = OF_PF_10GB_FD | OF_PF_FIBER,
                            .advertised = OF_PF_COPPER | OF_PF_AUTONEG,
                            .curr_speed = 10000000,
                            .max_speed = 40000000};
}

static void check_port(const struct of_port *p, uint8_t version)
{
    struct of_port e = a_port();

    assert_int_equal(p->port_no, e.port_no);
    assert_memory_equal(p->hw_addr, e.hw_addr, 6);
    assert_string_equal(p->name, e.name);
    assert_int_equal(p->config, version == OF10 ? e.config : PORT_CONFIG_DOWN);
    assert_int_equal(p->state, e.state);
    assert_int_equal(p->curr, e.curr);
    assert_int_equal(p->advertised, e.advertised);
    if (version != OF10)
        assert_int_equal(p->max_speed, e.max_speed);
}

static void ports(void **state)
{
    FOR_EACH_VERSION(v, OF10)
    {
        struct of_port port = a_port();

        begin(OF_PORT_STATUS, *v);
        msg.port_status.reason = OF_PORT_MODIFY;
        msg.port_status.port = port;
        there_and_back();
        assert_int_equal(back.port_status.reason, OF_PORT_MODIFY);
        check_port(&back.port_status.port, *v);

        begin(OF_PORT_MOD, *v);
        msg.port_mod = (struct of_port_mod){.port_no = OFPORT_LOCAL,
                                            .hw_addr = {1, 2, 3, 4, 5, 6},
                                            .config = 1,
                                            .mask = 0x41,
                                            .advertise = OF_PF_COPPER};
        there_and_back();
        assert_memory_equal(&back.port_mod, &msg.port_mod, sizeof msg.port_mod);

        begin(OF_FEATURES_REPLY, *v);
        msg.features = (struct of_features){.datapath_id = 0x123456789abcdef0,
                                            .n_tables = 254,
                                            .capabilities = OF_CAP_FLOW_STATS | OF_CAP_ARP_MATCH_IP | OF_CAP_BUNDLES,
                                            .ports = &port,
                                            .n_ports = 1};
        there_and_back();
        assert_int_equal(back.features.datapath_id, 0x123456789abcdef0);
        assert_int_equal(back.features.n_tables, 254);
        assert_int_equal(back.features.capabilities, *v == OF10   ? OF_CAP_FLOW_STATS | OF_CAP_ARP_MATCH_IP
                                                     : *v == OF13 ? OF_CAP_FLOW_STATS
                                                                  : OF_CAP_FLOW_STATS | OF_CAP_BUNDLES);
        assert_int_equal(back.features.n_ports, *v == OF10 ? 1 : 0);
        if (*v == OF10)
            check_port(&back.features.ports[0], OF10);
        of_msg_free(&back);
    }
    begin(OF_QUEUE_GET_CONFIG_REQUEST, OF13);
    msg.port_no = OFPORT_ANY;
    there_and_back();
    assert_int_equal(back.port_no, OFPORT_ANY);
    begin(OF_QUEUE_GET_CONFIG_REPLY, OF10);
    msg.port_no = OFPORT_LOCAL;
    there_and_back();
    assert_int_equal(back.port_no, OFPORT_LOCAL);
}

static void packet_ins(void **state)
{
    static const uint8_t packet[60] = {1, 2, 3}, userdata[] = {9, 8, 7};
    struct flow flow;

    memset(&flow, 0, sizeof flow);
    flow.in_port = 5;
    flow.metadata = RTE_BE64(7);
    flow.reg[3] = RTE_BE32(9);
    flow.pkt.tun_id = RTE_BE64(77);
    flow.pkt.eth_type = RTE_BE16(0x800); /* of the packet: not repeated */
    FOR_EACH_VERSION(v, OF10)
    {
        for (int format = OF_PACKET_IN_STANDARD; format <= OF_PACKET_IN_NXT2; format++) {
            bool bare = *v == OF10 && format == OF_PACKET_IN_STANDARD;
            char *text;

            begin(OF_PACKET_IN, *v);
            msg.packet_in = (struct of_packet_in){.format = format,
                                                  .buffer_id = OF_NO_BUFFER,
                                                  .total_len = 100,
                                                  .reason = OF_REASON_GROUP,
                                                  .table_id = bare ? 0 : 3,
                                                  .cookie = bare ? UINT64_MAX : 0x99,
                                                  .userdata = userdata,
                                                  .userdata_len = 3,
                                                  .data = packet,
                                                  .data_len = 60};
            of_packet_in_fields(&flow, &msg.packet_in.fields);
            there_and_back();
            assert_int_equal(back.packet_in.format, format);
            assert_int_equal(back.packet_in.total_len, 100);
            assert_int_equal(back.packet_in.buffer_id, OF_NO_BUFFER);
            assert_int_equal(back.packet_in.table_id, msg.packet_in.table_id);
            assert_int_equal(back.packet_in.cookie, msg.packet_in.cookie);
            assert_int_equal(back.packet_in.data_len, 60);
            assert_memory_equal(back.packet_in.data, packet, 60);
            assert_int_equal(back.packet_in.reason, *v >= OF14 ? OF_REASON_GROUP : OF_REASON_ACTION);
            if (format == OF_PACKET_IN_NXT2)
                assert_memory_equal(back.packet_in.userdata, userdata, 3);
            text = match_format(&back.packet_in.fields, NULL, NULL);
            assert_string_equal(text, bare ? "in_port=5" : "reg3=0x9,tun_id=0x4d,metadata=0x7,in_port=5");
            free(text);
        }
    }
}

/* The text of what a packet-in of that flow tells in Nicira's format, after the wire; the decoder of NXT_RESUME takes
 * the same. */
static char *told_of(const struct flow *flow)
{
    static const uint8_t packet[60] = {1, 2, 3};

    begin(OF_PACKET_IN, OF10);
    msg.packet_in = (struct of_packet_in){
        .format = OF_PACKET_IN_NXT2, .buffer_id = OF_NO_BUFFER, .total_len = 60, .data = packet, .data_len = 60};
    of_packet_in_fields(flow, &msg.packet_in.fields);
    there_and_back();
    return match_format(&back.packet_in.fields, NULL, NULL);
}

static void packet_ins_tell_of_connections(void **state)
{
    struct flow flow;
    char *text;

    memset(&flow, 0, sizeof flow);
    flow.in_port = 1;
    flow.pkt.eth_type = RTE_BE16(0x800);
    flow.pkt.ct_state = CT_STATE_TRK | CT_STATE_NEW;
    flow.pkt.ct_ip_proto = 17;
    flow.pkt.ct_ipv4_src = RTE_BE32(0x0a010101);
    flow.pkt.ct_ipv4_dst = RTE_BE32(0x0a010102);
    flow.pkt.ct_tp_dst = RTE_BE16(53);
    text = told_of(&flow);
    assert_string_equal(text, "ct_state=new|trk,ct_nw_src=10.1.1.1,ct_nw_dst=10.1.1.2,ct_nw_proto=17,ct_tp_src=0,"
                              "ct_tp_dst=53,ip,in_port=1");
    free(text);
    flow.pkt.ct_state = CT_STATE_TRK | CT_STATE_INV;
    text = told_of(&flow);
    assert_string_equal(text, "ct_state=inv|trk,ip,in_port=1");
    free(text);
    memset(&flow.pkt, 0, sizeof flow.pkt);
    flow.pkt.eth_type = RTE_BE16(0x86dd);
    flow.pkt.ct_state = CT_STATE_TRK | CT_STATE_EST;
    flow.pkt.ct_ip_proto = 58;
    flow.pkt.ct_ipv6_src[15] = 1;
    flow.pkt.ct_ipv6_dst[15] = 2;
    text = told_of(&flow);
    assert_string_equal(text, "ct_state=est|trk,ct_ipv6_src=::1,ct_ipv6_dst=::2,ct_nw_proto=58,ct_tp_src=0,ct_tp_dst=0,"
                              "ipv6,in_port=1");
    free(text);
}

/* A packet-out of OpenFlow 1.5 with this match, no actions and no packet. */
static int decode_packet_out_with(const struct match *match)
{
    uint8_t head[] = {OF15, 13, 0, 0, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0};
    struct of_buf out = {NULL, 0, 0};
    int error;

    of_buf_add_bytes(&out, head, sizeof head);
    oxm_match_encode(&out, match, OF15);
    of_buf_set_u16(&out, 2, (uint16_t)out.len);
    error = of_msg_decode(out.data, out.len, NULL, &back);
    of_buf_free(&out);
    return error;
}

static void packet_outs(void **state)
{
    static const uint8_t packet[60] = {4, 5, 6};

    FOR_EACH_VERSION(v, OF10)
    {
        char *text;

        begin(OF_PACKET_OUT, *v);
        msg.packet_out.buffer_id = OF_NO_BUFFER;
        msg.packet_out.flow.in_port = OFPORT_CONTROLLER;
        msg.packet_out.data = packet;
        msg.packet_out.data_len = 60;
        assert_null(actions_parse("load:5->NXM_NX_REG0[],output:2,FLOOD", &msg.acts, NULL, NULL));
        msg.packet_out.acts = act_buffer_list(&msg.acts);
        there_and_back();
        assert_int_equal(back.packet_out.flow.in_port, OFPORT_CONTROLLER);
        assert_int_equal(back.packet_out.data_len, 60);
        assert_memory_equal(back.packet_out.data, packet, 60);
        text = act_list_format(&back.packet_out.acts, NULL, NULL);
        assert_string_equal(text, *v >= OF15 ? "set_field:0x5->reg0,output:2,FLOOD"
                                             : "load:0x5->NXM_NX_REG0[],output:2,FLOOD");
        free(text);
        of_msg_free(&back);

        if (*v >= OF15) { /* what surrounds the packet, and nothing of it */
            struct match match;

            msg.packet_out.flow.metadata = RTE_BE64(5);
            msg.packet_out.flow.reg[2] = RTE_BE32(6);
            msg.packet_out.flow.pkt.tun_id = RTE_BE64(7);
            act_buffer_free(&back.acts);
            there_and_back();
            assert_memory_equal(&back.packet_out.flow, &msg.packet_out.flow, sizeof(struct flow));
            of_msg_free(&back);
            assert_null(match_parse("in_port=1,ip", &match, NULL, NULL));
            assert_int_equal(decode_packet_out_with(&match), OFPERR_BRC_PIPELINE_FIELDS_ONLY);
            assert_null(match_parse("metadata=5", &match, NULL, NULL));
            assert_int_equal(decode_packet_out_with(&match), OFPERR_BRC_BAD_PORT);
        }
        msg.packet_out.flow.in_port = OFPORT_NORMAL;
        buf.len = 0;
        of_msg_encode(&msg, &buf);
        assert_int_equal(of_msg_decode(buf.data, buf.len, NULL, &back), OFPERR_BRC_BAD_PORT);
        of_msg_free(&msg);
    }
}

static void flow_removed(void **state)
{
    FOR_EACH_VERSION(v, OF10)
    {
        for (int nxm = 0; nxm <= (*v == OF10); nxm++) {
            bool rich = nxm || *v != OF10;
            char *text;

            begin(OF_FLOW_REMOVED, *v);
            msg.flow_removed = (struct of_flow_removed){.nxm = nxm,
                                                        .table_id = rich ? 7 : 0,
                                                        .priority = 9,
                                                        .reason = RULE_EVICTED,
                                                        .cookie = 0x99,
                                                        .duration_s = 3,
                                                        .duration_ns = 4,
                                                        .idle_timeout_s = 5,
                                                        .hard_timeout_s = *v == OF10 ? 0 : 50,
                                                        .packets = 6,
                                                        .bytes = 7};
            assert_null(
                match_parse(rich ? "tcp,reg0=0x5,tp_dst=80" : "tcp,tp_dst=80", &msg.flow_removed.match, NULL, NULL));
            there_and_back();
            assert_int_equal(back.flow_removed.reason, *v >= OF14 ? RULE_EVICTED : RULE_DELETED);
            assert_int_equal(back.flow_removed.table_id, msg.flow_removed.table_id);
            assert_int_equal(back.flow_removed.priority, 9);
            assert_int_equal(back.flow_removed.cookie, 0x99);
            assert_int_equal(back.flow_removed.duration_ns, 4);
            assert_int_equal(back.flow_removed.idle_timeout_s, 5);
            assert_int_equal(back.flow_removed.hard_timeout_s, msg.flow_removed.hard_timeout_s);
            assert_int_equal(back.flow_removed.packets, 6);
            assert_int_equal(back.flow_removed.bytes, 7);
            text = match_format(&back.flow_removed.match, NULL, NULL);
            assert_string_equal(text, rich ? "tcp,reg0=0x5,tp_dst=80" : "tcp,tp_dst=80");
            free(text);
        }
    }
}

static void roles_and_async(void **state)
{
    FOR_EACH_VERSION(v, OF10)
    {
        for (int nx = *v == OF10; nx < 2; nx++)
            for (int role = nx ? OF_ROLE_EQUAL : OF_ROLE_NOCHANGE; role <= OF_ROLE_SLAVE; role++) {
                begin(role & 1 ? OF_ROLE_REQUEST : OF_ROLE_REPLY, *v);
                msg.role = (struct of_role_msg){.nx = nx, .role = role, .generation_id = nx ? 0 : 55, .short_id = 8};
                there_and_back();
                assert_int_equal(back.role.short_id, !nx && *v >= OF15 ? 8 : 0);
                assert_int_equal(back.role.nx, nx);
                assert_int_equal(back.role.role, role);
                assert_int_equal(back.role.generation_id, nx ? 0 : 55);
                assert_int_equal(back.role.has_generation_id, !nx && role >= OF_ROLE_MASTER);
            }
        for (int nx = *v == OF10; nx < 2; nx++) {
            begin(OF_SET_ASYNC, *v);
            msg.async = (struct of_async){.nx = nx,
                                          .packet_in = {1, 2},
                                          .port_status = {3, 4},
                                          .flow_removed = {5, 6},
                                          .role_status = {7, 6},
                                          .requestforward = {1, 2},
                                          .controller_status = {11, 12}};
            there_and_back();
            assert_memory_equal(back.async.packet_in, msg.async.packet_in, 8);
            assert_memory_equal(back.async.port_status, msg.async.port_status, 8);
            assert_memory_equal(back.async.flow_removed, msg.async.flow_removed, 8);
            if (*v >= OF14 && !nx) {
                assert_memory_equal(back.async.role_status, msg.async.role_status, 8);
                assert_memory_equal(back.async.requestforward, msg.async.requestforward, 8);
            }
            if (*v >= OF15 && !nx)
                assert_memory_equal(back.async.controller_status, msg.async.controller_status, 8);
        }
    }
    begin(OF_SET_ASYNC, OF14);
    msg.async = (struct of_async){.partial = true, .present = 1 << 1, .packet_in = {1, 2}};
    there_and_back();
    assert_int_equal(back.async.present, 1 << 1);
    assert_int_equal(back.async.packet_in[0], 1);
    assert_int_equal(back.async.packet_in[1], 0);
    begin(OF_ROLE_STATUS, OF14);
    msg.role = (struct of_role_msg){.role = OF_ROLE_SLAVE, .reason = 1, .generation_id = 9};
    there_and_back();
    assert_int_equal(back.role.reason, 1);
    assert_int_equal(back.role.generation_id, 9);
}

static void settings_of_nicira(void **state)
{
    static const struct {
        enum of_msg_type type;
        uint32_t good, bad;
        uint8_t last;
    } settings[] = {{OF_SET_FLOW_FORMAT, 2, 1, OF10},
                    {OF_FLOW_MOD_TABLE_ID, 1, 2, OF10},
                    {OF_SET_PACKET_IN_FORMAT, 2, 3, OF15},
                    {OF_SET_CONTROLLER_ID, 77, 0, OF15}};

    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++)
        FOR_EACH_VERSION(v, OF10)
        {
            if (*v > settings[i].last)
                continue;
            begin(settings[i].type, *v);
            msg.u32 = settings[i].good;
            there_and_back();
            assert_int_equal(back.u32, settings[i].good);
            msg.u32 = settings[i].bad;
            buf.len = 0;
            of_msg_encode(&msg, &buf);
            if (settings[i].bad)
                assert_int_equal(of_msg_decode(buf.data, buf.len, NULL, &back), OFPERR_BRC_EPERM);
        }
}

static int decode_bundled(uint8_t version, uint32_t inner_xid, uint8_t inner_type, uint16_t inner_len)
{
    uint8_t inner[8] = {version, inner_type, inner_len >> 8, (uint8_t)inner_len, 0, 0, 0, (uint8_t)inner_xid};

    begin(OF_BUNDLE_ADD, version);
    msg.xid = 5;
    msg.bundle_add = (struct of_bundle_add){.bundle_id = 7, .flags = OF_BUNDLE_ATOMIC, .msg = inner, .msg_len = 8};
    buf.len = 0;
    of_msg_encode(&msg, &buf);
    return of_msg_decode(buf.data, buf.len, NULL, &back);
}

static void bundles(void **state)
{
    FOR_EACH_VERSION(v, OF10)
    { /* ONF's messages below 1.4 */
        begin(OF_BUNDLE_CONTROL, *v);
        msg.bundle_control = (struct of_bundle_control){
            .bundle_id = 7, .type = OF_BUNDLE_COMMIT_REQUEST, .flags = OF_BUNDLE_ATOMIC | OF_BUNDLE_ORDERED};
        there_and_back();
        assert_memory_equal(&back.bundle_control, &msg.bundle_control, sizeof msg.bundle_control);
        assert_int_equal(decode_bundled(*v, 5, 14, 8), 0);
        assert_int_equal(back.bundle_add.bundle_id, 7);
        assert_int_equal(back.bundle_add.flags, OF_BUNDLE_ATOMIC);
        assert_int_equal(back.bundle_add.msg_len, 8);
        assert_int_equal(decode_bundled(*v, 6, 14, 8), OFPERR_BFC_MSG_BAD_XID);
        assert_int_equal(decode_bundled(*v, 5, 2, 8), OFPERR_BFC_MSG_UNSUP);
        assert_int_equal(decode_bundled(*v, 5, 14, 9), OFPERR_BFC_MSG_BAD_LEN);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hello_and_versions),
        cmocka_unit_test(framing),
        cmocka_unit_test(errors_in_every_version),
        cmocka_unit_test(plain_messages),
        cmocka_unit_test(ports),
        cmocka_unit_test(packet_ins),
        cmocka_unit_test(packet_ins_tell_of_connections),
        cmocka_unit_test(packet_outs),
        cmocka_unit_test(flow_removed),
        cmocka_unit_test(roles_and_async),
        cmocka_unit_test(settings_of_nicira),
        cmocka_unit_test(bundles),
        cmocka_unit_test(tables),
        cmocka_unit_test(of_other_controllers),
    };
    int rc = cmocka_run_group_tests(tests, NULL, NULL);

    of_buf_free(&buf);
    return rc;
}
