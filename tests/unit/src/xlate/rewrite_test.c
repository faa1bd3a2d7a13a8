/* Headers that come, go and change: rules over packets, through translation, execution and recirculation; the bytes
 * that come out. */
#include "src/xlate/punt.h"
#include "src/tables/meter.h"
#include "tests/lib/bed_xlate.h"
#include "tests/lib/packets.h"

#define RECIRCULATIONS 8

static struct events events;

static int setup(void **state)
{
    events_init(&events, pool);
    return xlate_setup(state);
}

static int teardown(void **state)
{
    events_clear(&events);
    return xlate_teardown(state);
}

/* Checksums of the IP packet at `data`, which is a whole one. */
static void fill_ip(uint8_t *data, size_t len)
{
    struct rte_mbuf *m = rte_pktmbuf_alloc(pool);
    uint8_t *frame = (uint8_t *)rte_pktmbuf_append(m, 14 + (uint16_t)len);

    memset(frame, 0, 12);
    memcpy(frame + 12, data[0] >> 4 == 6 ? "\x86\xdd" : "\x08\x00", 2);
    memcpy(frame + 14, data, len);
    packet_fill_checksums(m);
    memcpy(data, frame + 14, len);
    rte_pktmbuf_free(m);
}

/* Checksums of a frame, behind any number of headers. */
static void fill_frame(uint8_t *data, size_t len)
{
    size_t at = 12;
    unsigned type;

    while ((type = packet_be16(data + at)) == 0x8100 || type == 0x88a8)
        at += 4;
    at += 2;
    if (type == 0x894f) {
        unsigned np = data[at + 3];

        at += (data[at + 1] & 0x3f) * 4u;
        if (np == 3)
            fill_frame(data + at, len - at);
        else
            fill_ip(data + at, len - at);
        return;
    }
    if (type == 0x88e7) {
        if (len >= at + 4 + 14)
            fill_frame(data + at + 4, len - at - 4);
        return;
    }
    if (type == 0x8847 || type == 0x8848) {
        for (at += 4; !(data[at - 2] & 1); at += 4)
            ;
        type = data[at] >> 4 == 4 ? 0x0800 : data[at] >> 4 == 6 ? 0x86dd : 0;
        if (type == 0 && len >= at + 34) {
            fill_frame(data + at, len - at);
            return;
        }
    }
    if (type == 0x0800 || type == 0x86dd)
        fill_ip(data + at, len - at);
}

static struct rte_mbuf *frame_new(const char *hex)
{
    struct rte_mbuf *m = packet_new(pool, hex);

    fill_frame(rte_pktmbuf_mtod(m, uint8_t *), m->pkt_len);
    return m;
}

/* The packet goes in at port 1. Leaves in `events` what became of it, recirculations apart. */
static void run(const char *hex)
{
    struct rte_mbuf *queue[RECIRCULATIONS + 1] = {frame_new(hex)};
    uint32_t recirc_id[RECIRCULATIONS + 1] = {0};
    unsigned n = 1;

    events_clear(&events);
    for (unsigned i = 0; i < n; i++) {
        struct xlate_in in = {.bridge = bed.bridge};
        struct program_table *table = program_table_create();
        struct program *program;
        unsigned kept = events.n;

        assert_true(flow_key_parse(queue[i], 1, &in.flow.pkt) > 0);
        in.flow.pkt.recirc_id = recirc_id[i];
        in.flow.pkt.dp_hash = packet_meta(queue[i])->md.dp_hash;
        in.flow.in_port = 1;
        xlate(&in, &out);
        program = program_intern(table, &out.program);
        program_execute(program, &queue[i], 1, &events.sink);
        program_unref(table, program);
        free(program);
        program_table_destroy(table);
        for (unsigned e = kept; e < events.n; e++) {
            if (events.list[e].type != EVENT_RECIRC) {
                events.list[kept++] = events.list[e];
                continue;
            }
            assert_true(n <= RECIRCULATIONS);
            queue[n] = events.list[e].m;
            recirc_id[n++] = events.list[e].arg;
        }
        events.n = kept;
    }
}

/* Event `i` is the packet `hex` (its checksums are made right), sent to `port`. */
static void expect_sent(unsigned i, uint32_t port, const char *hex)
{
    struct rte_mbuf *want = frame_new(hex), *got;

    assert_true(i < events.n);
    got = events.list[i].m;
    if (events.list[i].type != EVENT_OUTPUT)
        fail_msg("event %u is of type %d (%u)", i, events.list[i].type, events.list[i].arg);
    assert_int_equal(events.list[i].arg, port);
    if (want->pkt_len < 60 && got->pkt_len == 60) /* a pop has padded it */
        rte_pktmbuf_trim(got, (uint16_t)(60 - want->pkt_len));
    assert_int_equal(got->pkt_len, want->pkt_len);
    assert_memory_equal(rte_pktmbuf_mtod(got, void *), rte_pktmbuf_mtod(want, void *), want->pkt_len);
    assert_true(packet_checksums_right(got));
    rte_pktmbuf_free(want);
}

/* With this as the only rule, the packet `in` leaves port 2 as `becomes`. */
static void expect_for(const char *match, const char *actions, const char *in, const char *becomes)
{
    bed_mod(&bed, FLOW_DELETE, "");
    bed_add(&bed, "%s,actions=%s", match, actions);
    run(in);
    if (events.n != 1 || events.list[0].type != EVENT_OUTPUT)
        print_message("%s,actions=%s\n", match, actions);
    assert_int_equal(events.n, 1);
    expect_sent(0, 2, becomes);
}

static void expect(const char *actions, const char *in, const char *becomes)
{
    expect_for("in_port=1", actions, in, becomes);
}

#define UDP "0035 1f90 000c ffff 01020304"
#define CUSTOMER_UDP "0800" IP4("0020", "0000", "11") UDP
#define PBB(tag) "88e7 " tag

static void pbb_push(void **state)
{
    expect("push_pbb:0x88e7,output:2", FRAME_UDP, MACS PBB("00000000") MACS CUSTOMER_UDP);
    expect("push_pbb:0x88e7,set_field:0x123456->pbb_isid,set_field:1->pbb_uca,output:2", FRAME_UDP,
           MACS PBB("08123456") MACS CUSTOMER_UDP);
    expect("push_pbb:0x88e7,set_field:00:00:00:00:00:b1->eth_dst,set_field:00:00:00:00:00:b2->eth_src,output:2",
           FRAME_UDP, "0000000000b1 0000000000b2" PBB("00000000") MACS CUSTOMER_UDP);
    /* What was changed before is changed in the customer's frame. */
    expect_for(
        "ip",
        "set_field:00:00:00:00:00:01->eth_dst,dec_ttl,push_pbb:0x88e7,push_vlan:0x88a8,"
        "set_field:0x1007->vlan_vid,output:2",
        FRAME_UDP,
        "000000000001 020000000001 88a80007" PBB("00000000") "000000000001 020000000001 0800"
                                                             "45 b8 0020 0000 0000 3f 11 0000 0a000001 0a000002" UDP);
}

/* OpenFlow 1.3.5, 5.12.1: I-PCP from the tag, which is part of the customer's frame then; I-SID from an outer header.
 */
static void pbb_push_copies(void **state)
{
    expect("push_pbb:0x88e7,output:2", MACS "8100 a005" CUSTOMER_UDP,
           MACS PBB("a0000000") MACS "8100 a005" CUSTOMER_UDP);
    expect("push_pbb:0x88e7,output:2", MACS PBB("18000064") MACS CUSTOMER_UDP,
           MACS PBB("00000064") MACS PBB("18000064") MACS CUSTOMER_UDP);
    expect("push_vlan:0x8100,set_field:6->vlan_pcp,push_pbb:0x88e7,output:2", FRAME_UDP,
           MACS PBB("c0000000") MACS "8100 c000" CUSTOMER_UDP);
}

static void pbb_pop(void **state)
{
    expect_for("dl_type=0x88e7", "pop_pbb,output:2", "000000000001 000000000002" PBB("00000064") MACS CUSTOMER_UDP,
               MACS CUSTOMER_UDP);
    expect_for("dl_type=0x88e7", "pop_pbb,output:2",
               "000000000001 000000000002 88a8 0007" PBB("00000064") MACS "8100 a005" CUSTOMER_UDP,
               MACS "88a8 0007 8100 a005" CUSTOMER_UDP);
    expect_for("dl_vlan=7,dl_type=0x88e7", "pop_vlan,pop_pbb,set_field:00:00:00:00:00:07->eth_src,output:2",
               "000000000001 000000000002 88a8 0007" PBB("00000064") MACS "8100 a005" CUSTOMER_UDP,
               "020000000002 000000000007 8100 a005" CUSTOMER_UDP);
}

/* What comes to light by a pop is matched in the next table. */
static void pbb_pop_and_look(void **state)
{
    bed_add(&bed, "table=0,dl_type=0x88e7,pbb_isid=0x64,pbb_uca=0,actions=pop_pbb,goto_table:1");
    bed_add(&bed, "table=1,udp,dl_dst=02:00:00:00:00:02,tp_dst=8080,actions=set_field:10.0.0.9->ip_dst,output:2");
    run("000000000001 000000000002" PBB("00000064") MACS CUSTOMER_UDP);
    assert_int_equal(events.n, 1);
    expect_sent(0, 2, MACS "0800 45 b8 0020 0000 0000 40 11 0000 0a000001 0a000009" UDP);
    run("000000000001 000000000002" PBB("08000064") MACS CUSTOMER_UDP);
    assert_int_equal(events.n, 1);
    assert_int_equal(events.list[0].type, EVENT_DROP);
}

static void pbb_cut_short(void **state)
{
    bed_add(&bed, "dl_type=0x88e7,actions=pop_pbb,output:2");
    run(MACS PBB("00000064") "020000000002 0200000000");
    assert_int_equal(events.n, 1);
    assert_int_equal(events.list[0].type, EVENT_DROP);
    assert_int_equal(events.list[0].arg, DROP_ACTION_MALFORMED);
}

#define IP4_TTL(ttl) "45 b8 0020 0000 0000 " ttl " 11 0000 0a000001 0a000002"

static void ttl_copies(void **state)
{
    expect_for("mpls", "copy_ttl_out,output:2", MACS "8847 00064040 0000c107" IP4_TTL("20") UDP,
               MACS "8847 00064007 0000c107" IP4_TTL("20") UDP);
    expect_for("mpls", "copy_ttl_in,output:2", MACS "8847 00064040 0000c107" IP4_TTL("20") UDP,
               MACS "8847 00064040 0000c140" IP4_TTL("20") UDP);
    expect_for("mpls", "copy_ttl_out,output:2", MACS "8847 00064140" IP4_TTL("20") UDP,
               MACS "8847 00064120" IP4_TTL("20") UDP);
    expect_for("mpls", "copy_ttl_in,output:2", MACS "8847 00064140" IP4_TTL("20") UDP,
               MACS "8847 00064140" IP4_TTL("40") UDP);
    expect_for("mpls", "copy_ttl_in,pop_mpls:0x86dd,output:2", MACS "8847 00064105" IP6("000c", "11") UDP,
               MACS "86dd 6b812345 000c 11 05 20010db8000000000000000000000001 20010db8000000000000000000000002" UDP);
    expect_for("mpls", "copy_ttl_out,dec_mpls_ttl,output:2", MACS "8847 00064105" IP6("000c", "11") UDP,
               MACS "8847 0006413f" IP6("000c", "11") UDP);
    expect_for("mpls", "copy_ttl_in,pop_mpls:0x8847,dec_mpls_ttl,output:2",
               MACS "8847 00064040 0000c107" IP4_TTL("20") UDP, MACS "8847 0000c13f" IP4_TTL("20") UDP);
    expect_for("ip", "dec_ttl,push_mpls:0x8847,copy_ttl_out,push_mpls:0x8847,copy_ttl_out,output:2",
               MACS "0800" IP4_TTL("20") UDP, MACS "8847 0000001f 0000011f" IP4_TTL("1f") UDP);
    /* Nothing with a TTL below: unchanged. */
    expect_for("mpls", "copy_ttl_out,copy_ttl_in,output:2", MACS "8847 00064105 00000000 0102030405060708",
               MACS "8847 00064105 00000000 0102030405060708");
}

#define NO_MACS "000000000000 000000000000 "
#define NSH(first, mdtype_np, path) "894f" first mdtype_np path
#define NO_CONTEXT "00000000 00000000 00000000 00000000 "

/* The classifier of a service chain, and its end: RFC 8300, 2. */
static void nsh_encap(void **state)
{
    expect("encap(nsh),output:2", FRAME_UDP, NO_MACS NSH("0fc6", "0103", "000000ff") NO_CONTEXT MACS CUSTOMER_UDP);
    expect("encap(nsh(md_type=1)),set_field:0x1234->nsh_spi,set_field:250->nsh_si,set_field:0x11223344->nsh_c1,"
           "set_field:0x55->nsh_c4,encap(ethernet),set_field:02:00:00:00:00:09->eth_dst,push_vlan:0x8100,"
           "set_field:0x1005->vlan_vid,output:2",
           MACS "8100 0007" CUSTOMER_UDP,
           "020000000009 000000000000 8100 0005" NSH(
               "0fc6", "0103", "001234fa") "11223344 00000000 00000000 00000055" MACS "8100 0007" CUSTOMER_UDP);
    expect("encap(nsh(md_type=2,tlv(0x1000,10,0x12345678),tlv(0x2000,20,0xfedcba))),dec_nsh_ttl,output:2", FRAME_UDP,
           NO_MACS NSH("0f86", "0203", "000000ff") "10000a04 12345678 20001403 fedcba00" MACS CUSTOMER_UDP);
    /* Of the IP packet alone. */
    expect_for("ip", "decap(),encap(nsh),encap(ethernet),set_field:00:00:00:00:00:05->eth_src,output:2", FRAME_UDP,
               "000000000000 000000000005" NSH("0fc6", "0101", "000000ff") NO_CONTEXT IP4("0020", "0000", "11") UDP);
}

static void nsh_decap(void **state)
{
    bed_add(&bed, "table=0,dl_type=0x894f,nsh_spi=0x1234,nsh_si=250,nsh_mdtype=1,nsh_c2=0x5/0xf,"
                  "actions=decap(),decap(),resubmit(,1)");
    bed_add(&bed, "table=1,ip,nw_dst=10.0.0.2,dl_dst=02:00:00:00:00:02,actions=dec_ttl,output:2");
    bed_add(&bed, "table=1,packet_type=(1,0x800),nw_dst=10.0.0.2,priority=40000,actions=output:3");
    run("000000000001 000000000002" NSH("0fc6", "0103",
                                        "001234fa") "00000000 00000005 00000000 00000000" MACS CUSTOMER_UDP);
    assert_int_equal(events.n, 1);
    expect_sent(0, 2, MACS "0800 45 b8 0020 0000 0000 3f 11 0000 0a000001 0a000002" UDP);
    run("000000000001 000000000002" NSH("0fc6", "0101", "001234fa") "00000000 00000005 00000000 00000000" IP4(
        "0020", "0000", "11") UDP);
    assert_int_equal(events.n, 1);
    expect_sent(0, 3, NO_MACS CUSTOMER_UDP);
    run("000000000001 000000000002" NSH("0fc6", "0103",
                                        "001235fa") "00000000 00000005 00000000 00000000" MACS CUSTOMER_UDP);
    assert_int_equal(events.list[0].type, EVENT_DROP);
}

static void nsh_changes(void **state)
{
    expect_for("dl_type=0x894f",
               "dec_nsh_ttl,set_field:7->nsh_si,set_field:1->nsh_flags,move:NXOXM_NSH_C1[]->NXOXM_NSH_C2[],"
               "output:2",
               MACS NSH("00c6", "0103", "001234fa") "00000001 00000002 00000003 00000004" MACS CUSTOMER_UDP,
               MACS NSH("1086", "0103", "00123407") "00000001 00000001 00000003 00000004" MACS CUSTOMER_UDP);
    bed_mod(&bed, FLOW_DELETE, "");
    bed_add(&bed, "dl_type=0x894f,actions=dec_nsh_ttl,output:2");
    run(MACS NSH("0046", "0103", "001234fa") NO_CONTEXT MACS CUSTOMER_UDP);
    assert_int_equal(events.n, 1);
    assert_int_equal(events.list[0].type, EVENT_PUNT);
}

static void mpls_encap(void **state)
{
    expect("encap(mpls),set_field:5->mpls_label,encap(ethernet),output:2", FRAME_UDP,
           NO_MACS "8847 00005140" MACS CUSTOMER_UDP);
    expect("encap(mpls_mc),set_field:5->mpls_label,encap(ethernet),output:2", FRAME_UDP,
           NO_MACS "8848 00005140" MACS CUSTOMER_UDP);
    expect_for("mpls", "decap(),decap(packet_type(ns=0,type=0)),set_field:00:00:00:00:00:05->eth_src,output:2",
               MACS "8847 00005140" MACS CUSTOMER_UDP, "020000000002 000000000005" CUSTOMER_UDP);
}

/* The actions of OpenFlow 1.0 on ports know no protocol. */
static void ports_of_openflow10(void **state)
{
    expect_for("udp", "mod_tp_dst:7,output:2", FRAME_UDP,
               MACS "0800" IP4("0020", "0000", "11") "0035 0007 000c ffff 01020304");
    expect_for("ip", "mod_tp_src:7,output:2", FRAME_UDP,
               MACS "0800" IP4("0020", "0000", "11") "0007 1f90 000c ffff 01020304");
    expect_for("arp", "mod_tp_src:7,output:2", MACS "0806 0001", MACS "0806 0001");
}

/* What cannot be said is dropped. */
static void encap_that_fails(void **state)
{
    static const char *const lists[] = {"encap(ethernet),output:2", "decap(),decap(),output:2",
                                        "push_vlan:0x8100,decap(),output:2"};

    for (unsigned i = 0; i < 3; i++) {
        bed_mod(&bed, FLOW_DELETE, "");
        bed_add_unchecked(&bed, lists[i]);
        run(FRAME_UDP);
        assert_int_equal(events.n, 1);
        assert_int_equal(events.list[0].type, EVENT_DROP);
        assert_int_equal(events.list[0].arg, DROP_XLATE_ERROR);
    }
}

static void nd_options(void **state)
{
    expect_for("icmp6,icmp_type=135,icmp_code=0", "set_field:5->nd_reserved,output:2", FRAME_NS,
               MACS "86dd" IP6("0020", "3a") "87 00 0000 00000005" TARGET "0101 020000000005");
    expect_for("icmp6,icmp_type=135,icmp_code=0", "set_field:9->nd_options_type,output:2", FRAME_NS,
               MACS "86dd" IP6("0020", "3a") "87 00 0000 00000000" TARGET "0901 020000000005");
}

/* The tag's TPID and DEI are not in the key: NORMAL gives access ports a copy without it. */
static void normal_leaves_the_tag_alone(void **state)
{
    struct bridge_port *access = bridge_port_by_ofport(bed.bridge, 3);
    const char *const tagged = MACS "88a8 b00a" CUSTOMER_UDP;

    access->lport->vlan.mode = VLAN_MODE_ACCESS;
    access->lport->vlan.tag = 10;
    bed_add(&bed, "actions=NORMAL,output:2");
    run(tagged);
    assert_int_equal(events.n, 5);
    for (unsigned i = 0; i < 5; i++) {
        if (events.list[i].arg == 3)
            expect_sent(i, 3, FRAME_UDP);
        else
            expect_sent(i, events.list[i].arg, tagged);
    }
    assert_int_equal(events.list[4].arg, 2);
}

/* Tables behind a meter see what its DSCP band made of the packet. */
static void meters_remark(void **state)
{
    struct meter_mod mod = {.command = METER_ADD,
                            .flags = METER_PKTPS,
                            .meter_id = 1,
                            .n_bands = 1,
                            .bands = {{.type = METER_DSCP_BAND, .rate = 1, .prec_level = 1}}};
    const char *const af11 = MACS "0800 45 28 0020 0000 0000 40 11 0000 0a000001 0a000002" UDP;
    const char *const af12 = MACS "0800 45 30 0020 0000 0000 40 11 0000 0a000001 0a000002" UDP;

    assert_int_equal(meter_table_mod(pipeline_meters(bed.bridge->pipeline), &mod), 0);
    bed_add(&bed, "table=0,actions=meter:1,goto_table:1");
    bed_add(&bed, "table=1,ip,ip_dscp=10,actions=output:3");
    bed_add(&bed, "table=1,ip,ip_dscp=12,actions=output:2");
    events.verdict = 1;
    run(af11);
    events.verdict = 0;
    assert_int_equal(events.n, 1);
    expect_sent(0, 2, af12);
    run(af11);
    expect_sent(0, 3, af11);
}

/* What is behind a type that was set is parsed anew. */
static void types_set(void **state)
{
    expect_for("ip", "set_field:0x8035->eth_type,output:2", MACS "0800" IP4_TTL("40") UDP,
               MACS "8035 45 b8 0020 0000 0000 40 11 6613 0a000001 0a000002 0035 1f90 000c c808 01020304");
    expect_for("udp", "set_field:99->nw_proto,dec_ttl,output:2", MACS "8100 0001 0800" IP4_TTL("40") UDP,
               MACS "8100 0001 0800 45 b8 0020 0000 0000 3f 63 0000 0a000001 0a000002 0035 1f90 000c c7b6 01020304");
    expect_for("mpls", "set_field:1->mpls_bos,pop_mpls:0x800,dec_ttl,output:2",
               MACS "8847 00064040 45 b8 0020 0000 0000 40 11 6613 0a000001 0a000002 0035 1f90 000c c808 01020304",
               MACS "0800" IP4_TTL("3f") UDP);
    expect_for("mpls", "set_field:0->mpls_bos,copy_ttl_out,output:2", MACS "8847 00064140 000c8109 ffff",
               MACS "8847 00064009 000c8109 ffff");
}

/* A field that was set before a push is in its header after it, however many tags are pushed. */
static void many_tags(void **state)
{
    expect_for("ip", "push_vlan:0x8100,push_vlan:0x8100,push_vlan:0x8100,set_field:9->ip_dscp,dec_ttl,output:2",
               MACS "88a8 0001 8100 0002 0800" IP4_TTL("40") UDP,
               MACS "8100 0001 8100 0001 8100 0001 88a8 0001 8100 0002 0800"
                    "45 24 0020 0000 0000 3f 11 0000 0a000001 0a000002" UDP);
    expect_for("ip", "push_vlan:0x8100,push_mpls:0x8847,output:2", MACS "88a8 0001 8100 0002 0800" IP4_TTL("40") UDP,
               MACS "8847 00000140 0001 88a8 0001 8100 0002 0800 45 b8 0020 0000 0000 40 11 6613 0a000001 0a000002"
                    "0035 1f90 000c c808 01020304");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(pbb_push, setup, teardown),
        cmocka_unit_test_setup_teardown(pbb_push_copies, setup, teardown),
        cmocka_unit_test_setup_teardown(pbb_pop, setup, teardown),
        cmocka_unit_test_setup_teardown(pbb_pop_and_look, setup, teardown),
        cmocka_unit_test_setup_teardown(pbb_cut_short, setup, teardown),
        cmocka_unit_test_setup_teardown(ttl_copies, setup, teardown),
        cmocka_unit_test_setup_teardown(nsh_encap, setup, teardown),
        cmocka_unit_test_setup_teardown(nsh_decap, setup, teardown),
        cmocka_unit_test_setup_teardown(nsh_changes, setup, teardown),
        cmocka_unit_test_setup_teardown(mpls_encap, setup, teardown),
        cmocka_unit_test_setup_teardown(ports_of_openflow10, setup, teardown),
        cmocka_unit_test_setup_teardown(encap_that_fails, setup, teardown),
        cmocka_unit_test_setup_teardown(nd_options, setup, teardown),
        cmocka_unit_test_setup_teardown(normal_leaves_the_tag_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(meters_remark, setup, teardown),
        cmocka_unit_test_setup_teardown(types_set, setup, teardown),
        cmocka_unit_test_setup_teardown(many_tags, setup, teardown),
    };

    if (test_eal_init("rewrite_test") != 0)
        return 77;
    pool = test_pool(2047);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
