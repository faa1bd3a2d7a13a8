/* controller(pause) and NXT_RESUME, from end to end: a poll-mode thread that forwards, the switch's OpenFlow server and
 * a controller that gives back what it got, over a socket. */
#include "src/openflow/continuation.h"
#include "src/openflow/server.h"
#include "src/pipeline/group.h"
#include "src/pipeline/meter.h"
#include "tests/unit/bed_traffic.h"
#include "tests/unit/of_client.h"
#include "tests/unit/packets.h"
#include "tests/unit/scratch.h"

#include <event2/event.h>
#include <signal.h>

#define WAIT_MS 20000
#define SENT_MAX 64

static struct event_base *base;
static struct of_server *server;
static struct client client;
static const char *doing = "";
static unsigned n_paused; /* packets that the controller was given to resume */

/* --- the bed --------------------------------------------------------------------------------------------------------
 */

static void turn(void)
{
    of_server_run(server, 500);
    event_base_loop(base, EVLOOP_NONBLOCK);
    bed_turn(&bed);
}

static void on_packet_in(void *arg, struct packet_in *pin)
{
    of_server_packet_in(server, pin);
}

static void connect_as(uint8_t version)
{
    const struct of_msg config = {.type = OF_SET_CONFIG, .config = {.miss_send_len = UINT16_MAX}};
    const struct of_msg format = {.type = OF_SET_PACKET_IN_FORMAT, .u32 = OF_PACKET_IN_NXT2};

    client_connect(&client, scratch_path("mgmt"));
    client_hello(&client, version);
    client_send(&client, &config);
    client_send(&client, &format);
    client_barrier(&client);
}

static int setup(void **state)
{
    struct of_server_params params = {.base = base, .pool = pool};
    char error[256] = "", mgmt[108];

    snprintf(mgmt, sizeof mgmt, "%s", scratch_path("mgmt"));
    params.mgmt_path = mgmt;
    bed_create(&bed, pool, &(struct bed_params){.start = true});
    bed.bridge->fail_mode = FAIL_SECURE;
    params.bridge = bed.bridge;
    server = of_server_create(&params, error, sizeof error);
    flows_set_packet_in(bed.flows, on_packet_in, NULL);
    n_paused = 0;
    return server ? 0 : -1;
}

static int teardown(void **state)
{
    of_server_destroy(server);
    bed_destroy(&bed);
    return 0;
}

static int group_setup(void **state)
{
    signal(SIGPIPE, SIG_IGN);
    if (test_eal_init("pause_test") != 0)
        return -1;
    base = event_base_new();
    pool = test_pool(1023);
    return base && pool ? 0 : -1;
}

static int group_teardown(void **state)
{
    event_base_free(base);
    return 0;
}

static void group_set(uint32_t id, enum group_type type, const char *const *texts)
{
    struct bucket buckets[4];
    struct act_buffer acts[4];
    struct group_mod mod = {.command = GROUP_ADD, .group_id = id, .type = type, .buckets = buckets};

    for (; *texts; texts++) {
        unsigned i = mod.n_buckets++;

        act_buffer_init(&acts[i]);
        assert_null(actions_parse(*texts, &acts[i], NULL, NULL));
        buckets[i] = (struct bucket){.id = i,
                                     .weight = type == GROUP_SELECT,
                                     .watch_port = OFPORT_ANY,
                                     .watch_group = OFGROUP_ANY,
                                     .acts = act_buffer_list(&acts[i])};
    }
    assert_int_equal(group_table_mod(pipeline_groups(bed.bridge->pipeline), &mod), 0);
    for (unsigned i = 0; i < mod.n_buckets; i++)
        act_buffer_free(&acts[i]);
}

static uint64_t drops(enum drop_reason reason)
{
    struct drop_counters sum;

    datapath_drops(bed.dp, &sum);
    return sum.packets[reason];
}

/* --- the controller -------------------------------------------------------------------------------------------------
 */

typedef void change_fn(struct of_packet_in *pin);

/* Waits for a packet-in. The caller frees it. */
static void expect_packet_in(struct of_msg *msg)
{
    client_expect(&client, OF_PACKET_IN, msg);
}

static void resume(const struct of_msg *packet_in, change_fn *change)
{
    struct of_msg msg = *packet_in;

    msg.type = OF_RESUME;
    if (change)
        change(&msg.packet_in);
    client_send(&client, &msg);
}

/* Gives back what came, if something did. */
static void resume_what_came(change_fn *change)
{
    struct of_msg msg;

    while (client_poll(&client) == 1) {
        assert_int_equal(of_msg_decode(client.message, client.header.length, NULL, &msg), 0);
        if (msg.type == OF_ERROR)
            fail_msg("refused: %s", of_error_name(msg.error.error));
        if (msg.type == OF_PACKET_IN && msg.packet_in.continuation.data) {
            n_paused++;
            resume(&msg, change);
        }
        of_msg_free(&msg);
    }
}

/* --- what comes out -------------------------------------------------------------------------------------------------
 */

struct sent {
    uint32_t port, len;
    uint8_t data[256];
};
static struct sent sent[SENT_MAX];
static unsigned n_sent;

static void collect(void)
{
    struct rte_mbuf *m;

    for (uint32_t port = 1; port <= BED_PORTS; port++) {
        while (rte_ring_sc_dequeue(bed.fake[port]->out, (void **)&m) == 0) {
            struct sent *s = &sent[n_sent++];

            assert_true(n_sent < SENT_MAX && m->pkt_len <= sizeof s->data);
            s->port = port;
            s->len = m->pkt_len;
            memcpy(s->data, rte_pktmbuf_read(m, 0, m->pkt_len, s->data), m->pkt_len);
            rte_pktmbuf_free(m);
        }
    }
}

static void drain(void)
{
    struct rte_mbuf *m;

    for (uint32_t port = 1; port <= BED_PORTS; port++) {
        while (rte_ring_sc_dequeue(bed.fake[port]->out, (void **)&m) == 0)
            rte_pktmbuf_free(m);
    }
}

static int by_port(const void *a, const void *b)
{
    return (int)((const struct sent *)a)->port - (int)((const struct sent *)b)->port;
}

/* Until `n` packets were sent and the controller was asked `pauses` times in all; a few turns more may bring no more.
 */
static void run_until(unsigned n, unsigned pauses, change_fn *change)
{
    uint64_t end = datapath_now_ms() + WAIT_MS;

    n_sent = 0;
    for (unsigned more = 0; more < 30;) {
        turn();
        resume_what_came(change);
        collect();
        if (n_sent >= n && n_paused >= pauses)
            more++;
        else if (datapath_now_ms() > end)
            fail_msg("%s: %u of %u packets came out, %u of %u pauses", doing, n_sent, n, n_paused, pauses);
    }
    assert_int_equal(n_sent, n);
    assert_int_equal(n_paused, pauses);
    qsort(sent, n_sent, sizeof sent[0], by_port);
}

/* --- every place ----------------------------------------------------------------------------------------------------
 */

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

    usleep(2000); /* what was counted in this millisecond is not counted again */
    flows_refresh_stats(bed.flows, 0);
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

/* --- what the controller may do -------------------------------------------------------------------------------------
 */

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
    assert_int_equal(msg.packet_in.reason, OF_REASON_PACKET_OUT);
    assert_int_equal(msg.packet_in.data[5], 0x77);
    of_msg_free(&msg);
    run_until(1, 0, NULL);
    assert_int_equal(sent[0].port, 2);
    assert_int_equal(sent[0].data[5], 0x77);
    act_buffer_free(&acts);
    client_close(&client);
}

/* --- forgeries ------------------------------------------------------------------------------------------------------
 */

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
        assert_int_equal(answer_to(&bad), versions[v] == OF10 ? OFPERR_BRC_EPERM : OFPERR_BRC_BAD_PACKET);
        bad = good;
        bad.packet_in.data_len = bad.packet_in.total_len = 13;
        assert_int_equal(answer_to(&bad), versions[v] == OF10 ? OFPERR_BRC_EPERM : OFPERR_BRC_BAD_PACKET);
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

/* --- continuations as such ------------------------------------------------------------------------------------------
 */

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

/* --- meters ---------------------------------------------------------------------------------------------------------
 */

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
        cmocka_unit_test(a_resumed_packet_goes_where_it_would_have_gone),
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
