/* controller(pause) in every place: what comes out is what comes out without. */
#include "tests/lib/pause_bed.h"

/* PAUSE in the rules is where the packet waits. What comes out must be what comes out without. */
static const struct place {
    const char *name;
    const char *rules[6];
    const char *frame;
    unsigned n_sent, n_paused; /* for each packet */
} places[] = {
    {"in the middle of a list", {"in_port=1,actions=output:2,PAUSE,output:3"}, FRAME_UDP, 2, 1},
    {"at the end", {"in_port=1,actions=output:2,PAUSE"}, FRAME_UDP, 1, 1},
    {"twice", {"in_port=1,actions=PAUSE,output:2,PAUSE,output:3"}, FRAME_UDP, 2, 2},
    {"between changes of headers",
     {"in_port=1,udp,actions=mod_nw_dst:1.2.3.4,push_vlan:0x8100,set_field:4105->vlan_vid,PAUSE,mod_nw_src:4.3.2.1,"
      "output:2,pop_vlan,output:3"},
     FRAME_UDP,
     2,
     1},
    {"with registers, metadata, marks, tunnel and stack",
     {"in_port=1,actions=load:0x12->NXM_NX_REG1[],load:0x34->NXM_NX_XXREG3[],set_field:7->metadata,set_field:9->"
      "pkt_mark,set_field:0x77->tun_id,push:NXM_OF_ETH_SRC[],push:NXM_NX_REG1[],PAUSE,resubmit(,1)",
      "table=1,reg1=0x12,xxreg3=0x34,metadata=7,pkt_mark=9,tun_id=0x77,actions=pop:NXM_NX_REG2[0..31],"
      "pop:NXM_OF_ETH_DST[],resubmit(,2)",
      "table=2,reg2=0x12,actions=output:3", "table=2,priority=1,actions=output:4"},
     FRAME_UDP,
     1,
     1},
    {"with what only a recirculation brings back",
     {"in_port=1,udp,actions=set_field:9->pkt_mark,set_field:0x77->tun_id,PAUSE,"
      "check_pkt_larger(30)->NXM_NX_REG0[0],resubmit(,1)",
      "table=1,reg0=1,pkt_mark=9,tun_id=0x77,actions=output:3", "table=1,priority=1,actions=output:4"},
     FRAME_UDP,
     1,
     1},
    {"behind a recirculation",
     {"in_port=1,udp,actions=set_field:9->pkt_mark,set_field:0x77->tun_id,"
      "check_pkt_larger(30)->NXM_NX_REG0[0],PAUSE,resubmit(,1)",
      "table=1,reg0=1,pkt_mark=9,tun_id=0x77,actions=output:3", "table=1,priority=1,actions=output:4"},
     FRAME_UDP,
     1,
     1},
    {"behind resubmits",
     {"in_port=1,actions=resubmit(,1),output:2", "table=1,cookie=5,actions=resubmit(4,2),output:3",
      "table=2,cookie=6,in_port=4,actions=output:4,PAUSE,output:5,resubmit(,3)", "table=3,in_port=1,actions=output:5"},
     FRAME_UDP,
     5,
     1},
    {"before an exit",
     {"in_port=1,actions=output:4,resubmit(,1),output:2", "table=1,actions=PAUSE,output:3,exit,output:5"},
     FRAME_UDP,
     2,
     1},
    {"before instructions",
     {"in_port=1,actions=PAUSE,clear_actions,write_actions(set_field:02:00:00:00:00:77->eth_dst,output:3),write_"
      "metadata:0x5,"
      "goto_table:1",
      "table=1,metadata=5,actions=output:2,write_actions(output:4)"},
     FRAME_UDP,
     2,
     1},
    {"with an action set",
     {"in_port=1,actions=write_actions(set_field:02:00:00:00:00:77->eth_dst,output:3),goto_table:1",
      "table=1,actions=PAUSE,resubmit(,2)", "table=2,actset_output=3,actions=output:2", "table=2,priority=1,actions=4"},
     FRAME_UDP,
     2,
     1},
    {"in an action set",
     {"in_port=1,actions=output:2,write_actions(set_field:02:00:00:00:00:77->eth_dst,PAUSE)"},
     FRAME_UDP,
     1,
     1},
    {"in a clone",
     {"in_port=1,udp,actions=clone(mod_nw_dst:1.2.3.4,PAUSE,output:3),output:2,clone(PAUSE,output:4),mod_nw_src:"
      "4.3.2.1,output:5"},
     FRAME_UDP,
     4,
     2},
    {"in a bucket",
     {"in_port=1,udp,actions=group:1,output:2", "table=1,actions=PAUSE,mod_nw_dst:1.2.3.4,output:3",
      "table=2,actions=output:4"},
     FRAME_UDP,
     3,
     1},
    {"in the last bucket",
     {"in_port=1,udp,actions=output:2,group:1", "table=1,actions=output:4",
      "table=2,actions=PAUSE,mod_nw_dst:1.2.3.4,output:3"},
     FRAME_UDP,
     3,
     1},
    {"before a group that hashes", {"in_port=1,udp,actions=PAUSE,group:2"}, FRAME_UDP, 1, 1},
    {"behind one", {"in_port=1,udp,actions=group:3,output:4", "table=3,actions=PAUSE,output:2"}, FRAME_UDP, 2, 1},
    {"where a header is known after parsing alone",
     {"in_port=1,mpls,actions=pop_mpls:0x0800,PAUSE,dec_ttl,mod_nw_dst:1.2.3.4,output:3,resubmit(,1)",
      "table=1,ip,nw_dst=1.2.3.4,actions=output:2"},
     FRAME_MPLS,
     2,
     1},
    {"where the packet is none of Ethernet",
     {"in_port=1,actions=encap(nsh),set_field:0x11223344->nsh_c1,PAUSE,set_field:3->nsh_spi,resubmit(,1)",
      "table=1,packet_type=(1,0x894f),nsh_c1=0x11223344,actions=encap(ethernet),output:3",
      "table=1,priority=1,actions=output:4"},
     FRAME_UDP,
     1,
     1},
    {"before actions of OpenFlow 1.0",
     {"in_port=1,actions=PAUSE,mod_vlan_vid:5,mod_tp_dst:99,strip_vlan,mod_vlan_pcp:3,enqueue:3:1,set_tunnel:9,"
      "resubmit(,1)",
      "table=1,tun_id=9,actions=output:2"},
     FRAME_UDP,
     2,
     1},
    {"before every other kind",
     {"in_port=1,udp,actions=PAUSE,note:01.02,learn(table=9,NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],output:NXM_OF_IN_PORT[]),"
      "multipath(symmetric_l4,1,modulo_n,2,0,NXM_NX_REG1[0..15]),bundle(eth_src,0,active_backup,ofport,members:4),"
      "load:3->NXM_NX_REG0[],output:NXM_NX_REG0[0..15],move:NXM_OF_ETH_SRC[]->NXM_OF_ETH_DST[],dec_ttl(1,2),"
      "output(port=2,max_len=20),set_queue:1,ct_clear,resubmit(,9)",
      "table=9,priority=1,actions=output:5"},
     FRAME_UDP,
     3,
     1},
    {"with a port that was rewritten",
     {"in_port=1,udp,actions=set_field:4->in_port,PAUSE,in_port,output:1,resubmit(,1)",
      "table=1,in_port=4,in_phy_port=1,actions=output:3"},
     FRAME_UDP,
     3,
     1},
};

static void add_rules(const struct place *place, const char *pause)
{
    static const char *const all[] = {"mod_dl_src:02:00:00:00:00:55,resubmit(,1)", "resubmit(,2)", NULL};
    static const char *const select[] = {"output:3", NULL}, *const behind[] = {"resubmit(,3)", "resubmit(,3)", NULL};

    group_set(1, GROUP_ALL, all);
    group_set(2, GROUP_SELECT, select);
    group_set(3, GROUP_SELECT, behind);
    for (size_t i = 0; i < RTE_DIM(place->rules) && place->rules[i]; i++) {
        const char *from = place->rules[i], *at;
        char text[1024] = "";

        while ((at = strstr(from, "PAUSE"))) {
            snprintf(text + strlen(text), sizeof text - strlen(text), "%.*s%s", (int)(at - from), from, pause);
            from = at + strlen("PAUSE");
        }
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s", from);
        bed_add(&bed, text);
    }
    bed_settle(&bed);
}

/* Packets of each rule, in the order that they were added in. */
static unsigned count_rules(uint64_t *packets)
{
    const struct rule_filter all = {.table_id = TABLE_ALL, .out_port = OFPORT_ANY, .out_group = OFGROUP_ANY};
    struct rule_cursor *cursor;
    struct rule *rule;
    unsigned n = 0;

    bed_count(&bed);
    bed_turn(&bed);
    cursor = rule_cursor_open(bed.bridge->pipeline, &all);
    while ((rule = rule_cursor_next(cursor))) {
        if (!(rule->flags & RULE_LEARNED))
            packets[n++] = rule->packets;
    }
    rule_cursor_close(cursor);
    return n;
}

static bool all_counted(unsigned rounds, const uint64_t *packets, unsigned n)
{
    uint64_t most = 0;

    for (unsigned i = 0; i < n; i++)
        most = RTE_MAX(most, packets[i]);
    return most >= rounds;
}

static void check_place(const struct place *place, uint8_t version)
{
    const unsigned rounds = 3; /* a miss, and two that a megaflow takes */
    uint64_t want_packets[8], packets[8];
    struct sent want[SENT_MAX];
    unsigned n;

    doing = place->name;
    assert_int_equal(setup(NULL), 0);
    add_rules(place, "note:00");
    for (unsigned i = 0; i < rounds; i++) {
        send_to(1, packet_new(pool, place->frame));
        run_until(place->n_sent, 0, NULL);
    }
    memcpy(want, sent, sizeof want);
    do {
        n = count_rules(want_packets);
    } while (!all_counted(rounds, want_packets, n));
    n = count_rules(want_packets);
    teardown(NULL);

    assert_int_equal(setup(NULL), 0);
    connect_as(version);
    add_rules(place, "controller(pause,userdata=01.02)");
    for (unsigned i = 1; i <= rounds; i++) {
        send_to(1, packet_new(pool, place->frame));
        run_until(place->n_sent, i * place->n_paused, NULL);
        for (unsigned s = 0; s < n_sent; s++) {
            if (sent[s].port != want[s].port || sent[s].len != want[s].len ||
                memcmp(sent[s].data, want[s].data, want[s].len))
                fail_msg("%s (version %u): packet %u, to port %u, is not the one to port %u", place->name, version, s,
                         sent[s].port, want[s].port);
        }
    }
    do {
        assert_int_equal(count_rules(packets), n);
    } while (!all_counted(rounds, packets, n));
    assert_int_equal(count_rules(packets), n);
    for (unsigned i = 0; i < n; i++) {
        if (packets[i] != want_packets[i])
            fail_msg("%s: rule %u counted %u packets for %u", place->name, i, (unsigned)packets[i],
                     (unsigned)want_packets[i]);
    }
    client_close(&client);
    teardown(NULL);
}

static void a_resumed_packet_goes_where_it_would_have_gone(void **state)
{
    static const uint8_t versions[] = {OF10, OF13, OF15};

    for (size_t i = 0; i < RTE_DIM(places); i++)
        check_place(&places[i], versions[i % RTE_DIM(versions)]);
    for (size_t v = 0; v < RTE_DIM(versions); v++) {
        check_place(&places[4], versions[v]);
        check_place(&places[9], versions[v]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_resumed_packet_goes_where_it_would_have_gone),
    };

    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
