/* The learn action: the rules that packets make, their limits and their end; and fin_timeout, for packets that a
 * megaflow takes as well. */
#include <time.h>

#include "pmd/base/clock.h"
#include "src/upcall/flows_impl.h"
#include "src/tables/learn.h"
#include "tests/lib/bed_xlate.h"
#include "tests/lib/bundles.h"

#define LEARN(packet) translate_packet(packet, true)

/* The first rule of the table: "priority match actions"; "" if there is none. */
static const char *rule_in(uint8_t table_id)
{
    static char text[1024];
    struct rule_filter filter = {.table_id = table_id, .out_port = OFPORT_ANY, .out_group = OFGROUP_ANY};
    struct rule_cursor *cursor = rule_cursor_open(bed.bridge->pipeline, &filter);
    struct rule *rule = rule_cursor_next(cursor);
    char *match_text, *acts_text;
    struct match match;

    text[0] = '\0';
    if (rule) {
        rule_match(rule, &match);
        match_text = match_format(&match, NULL, NULL);
        acts_text = act_list_format(&rule->acts, NULL, NULL);
        snprintf(text, sizeof text, "%u %s %s", rule->priority, match_text, acts_text);
        free(match_text);
        free(acts_text);
    }
    rule_cursor_close(cursor);
    return text;
}

#define EXPECT_RULE(table, text) assert_string_equal(rule_in(table), text)

static uint32_t n_rules(uint8_t table_id)
{
    return pipeline_n_rules(bed.bridge->pipeline, table_id);
}

/* --- what is learned ----------------------------------------------------- */

static void a_packet_makes_a_rule(void **state)
{
    bed_add(&bed, "in_port=1,tcp,actions=learn(table=3,priority=7,cookie=0x99,idle_timeout=5,hard_timeout=60,"
                  "fin_idle_timeout=2,eth_type=0x800,nw_proto=6,NXM_OF_IP_SRC[]=NXM_OF_IP_DST[],tcp_dst=tcp_src,"
                  "NXM_OF_VLAN_TCI[0..11],load:NXM_OF_IN_PORT[]->NXM_NX_REG0[0..15],load:5->NXM_NX_REG1[3..5],"
                  "output:NXM_OF_IN_PORT[]),output:2");
    translate_packet("in_port=1,tcp,dl_vlan=9,nw_src=10.0.0.1,nw_dst=10.0.0.2,tp_src=80,tp_dst=1024", false);
    assert_int_equal(n_rules(3), 0);
    assert_int_equal(out.deps.n_effects, 1);
    LEARN("in_port=1,tcp,dl_vlan=9,nw_src=10.0.0.1,nw_dst=10.0.0.2,tp_src=80,tp_dst=1024");
    EXPECT_RULE(3, "7 tcp,vlan_tci=0x0009/0x0fff,nw_src=10.0.0.2,tp_dst=80 fin_timeout(idle_timeout=2),"
                   "load:0x1->NXM_NX_REG0[0..15],load:0x5->NXM_NX_REG1[3..5],output:1");
    /* The megaflow has what the rule was made of. */
    assert_int_equal(out.wc.pkt.ipv4_dst, UINT32_MAX);
    assert_int_equal(out.wc.pkt.ipv4_src, 0);
    assert_int_equal(out.wc.pkt.tp_src, UINT16_MAX);
    assert_int_equal(out.wc.pkt.tp_dst, 0);
}

static void values_are_those_of_the_packet_as_it_is_by_then(void **state)
{
    bed_add(&bed, "in_port=1,actions=set_field:02:00:00:00:00:77->eth_src,load:0xfffe->NXM_NX_REG0[0..15],"
                  "learn(table=4,NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],output:NXM_NX_REG0[0..15])");
    LEARN("in_port=1,dl_src=02:00:00:00:00:01");
    EXPECT_RULE(4, "32768 dl_dst=02:00:00:00:00:77 LOCAL");
    assert_int_equal(out.wc.pkt.eth_src.addr_bytes[5], 0);
}

static void what_is_learned_counts_for_the_same_packet(void **state)
{
    bed_add(&bed, "in_port=1,actions=resubmit(,5),learn(table=5,NXM_OF_ETH_SRC[],load:3->NXM_NX_REG0[0..15]),"
                  "resubmit(,5),output:NXM_NX_REG0[0..15]");
    LEARN("in_port=1,dl_src=02:00:00:00:00:01");
    assert_int_equal(out.program.n_ops, 1);
    assert_int_equal(((struct program_op *)out.program.ops)->arg, 3);
    assert_true(out.deps.changed_rules);
    LEARN("in_port=1,dl_src=02:00:00:00:00:01");
    assert_false(out.deps.changed_rules);
}

static void a_rule_may_replace_itself(void **state)
{
    bed_add(&bed, "table=0,cookie=5,priority=32768,in_port=1,actions=learn(table=0,in_port=1,load:2->NXM_NX_REG0[]),"
                  "output:4");
    LEARN("in_port=1");
    assert_int_equal(((struct program_op *)out.program.ops)->arg, 4);
    EXPECT_RULE(0, "32768 in_port=1 load:0x2->NXM_NX_REG0[]");
    assert_int_equal(n_rules(0), 1);
}

static struct rule *find(uint8_t table_id)
{
    struct rule_filter filter = {.table_id = table_id, .out_port = OFPORT_ANY, .out_group = OFGROUP_ANY};
    struct rule_cursor *cursor = rule_cursor_open(bed.bridge->pipeline, &filter);
    struct rule *rule = rule_cursor_next(cursor);

    rule_cursor_close(cursor);
    return rule;
}

static void learning_again_keeps_the_rule(void **state)
{
    struct rule *rule;

    bed_add(&bed, "in_port=1,actions=learn(table=4,cookie=1,hard_timeout=10,NXM_OF_ETH_SRC[],output:NXM_OF_IN_PORT[])");
    bed_add(&bed, "in_port=2,actions=learn(table=4,cookie=2,hard_timeout=99,NXM_OF_ETH_SRC[],output:NXM_OF_IN_PORT[])");
    LEARN("in_port=1,dl_src=02:00:00:00:00:01");
    rule = find(4);
    rule->packets = 7;
    rule->created_ms -= 9000;
    rule->modified_ms -= 9000;
    LEARN("in_port=1,dl_src=02:00:00:00:00:01");
    assert_ptr_equal(find(4), rule);
    /* The hard timeout counts from the last packet that taught the rule. */
    assert_int_equal(pipeline_expire(bed.bridge->pipeline, clock_now_ms() + 9000, 10), 0);
    /* It has other actions now; the rest, and the counters, stay: that is a modify. */
    LEARN("in_port=2,dl_src=02:00:00:00:00:01");
    EXPECT_RULE(4, "32768 dl_src=02:00:00:00:00:01 output:2");
    assert_int_equal(find(4)->packets, 7);
    assert_int_equal(find(4)->cookie, 1);
    assert_int_equal(find(4)->hard_timeout_s, 10);
    assert_int_equal(pipeline_expire(bed.bridge->pipeline, clock_now_ms() + 11000, 10), 1);
    assert_int_equal(n_rules(4), 0);
}

static void a_limit_holds(void **state)
{
    char packet[64];

    bed_add(&bed, "in_port=1,actions=learn(table=4,cookie=8,limit=3,result_dst=NXM_NX_REG0[0],NXM_OF_ETH_SRC[]),"
                  "output:NXM_NX_REG0[0..15]");
    bed_add(&bed, "table=4,cookie=8,priority=1,actions=drop");
    bed_add(&bed, "table=4,cookie=9,priority=2,actions=drop");
    for (int i = 1; i <= 4; i++) {
        snprintf(packet, sizeof packet, "in_port=2,dl_src=02:00:00:00:00:%02x", i);
        packet[8] = '1';
        LEARN(packet);
        assert_int_equal(n_rules(4), i < 3 ? 2 + i : 4);
        assert_int_equal(out.deps.effects[0].refused, i >= 3);
    }
    /* One that is there may be learned again; where one goes another may come. */
    LEARN("in_port=1,dl_src=02:00:00:00:00:01");
    assert_false(out.deps.effects[0].refused);
    assert_int_equal(bed_mod(&bed, FLOW_DELETE, "table=4,dl_src=02:00:00:00:00:01"), 0);
    LEARN("in_port=1,dl_src=02:00:00:00:00:04");
    assert_false(out.deps.effects[0].refused);
    LEARN("in_port=1,dl_src=02:00:00:00:00:05");
    assert_true(out.deps.effects[0].refused);
    /* So may where one gets another cookie (OpenFlow 1.0). */
    struct flow_mod fm = {.command = FLOW_MODIFY,
                          .table_id = 4,
                          .cookie = 77,
                          .modify_cookie = true,
                          .out_port = OFPORT_ANY,
                          .out_group = OFGROUP_ANY};
    assert_null(match_parse("dl_src=02:00:00:00:00:04", &fm.match, NULL, NULL));
    assert_int_equal(pipeline_flow_mod(bed.bridge->pipeline, &fm), 0);
    LEARN("in_port=1,dl_src=02:00:00:00:00:05");
    assert_false(out.deps.effects[0].refused);
    assert_int_equal(n_rules(4), 5);
    set_table_limit(bed.bridge->pipeline, 4, 5);
    bed_add(&bed, "in_port=3,actions=learn(table=4,NXM_OF_ETH_SRC[])");
    LEARN("in_port=3,dl_src=02:00:00:00:00:09");
    assert_true(out.deps.effects[0].refused);
    /* A table that may evict has room. */
    struct table_config config = *pipeline_table_config(bed.bridge->pipeline, 4);
    config.config |= TABLE_EVICTION;
    pipeline_set_table_config(bed.bridge->pipeline, 4, &config);
    LEARN("in_port=3,dl_src=02:00:00:00:00:09");
    assert_false(out.deps.effects[0].refused);
    assert_int_equal(n_rules(4), 5);
    LEARN("in_port=3,dl_src=02:00:00:00:00:09");
    assert_int_equal(n_rules(4), 5);
}

static void learned_rules_go_with_the_last_that_owns_them(void **state)
{
    bed_add(&bed, "in_port=1,actions=learn(delete_learned,table=4,cookie=8,NXM_OF_ETH_SRC[])");
    bed_add(&bed, "in_port=2,actions=learn(delete_learned,table=4,cookie=8,NXM_OF_ETH_DST[])");
    bed_add(&bed, "table=4,cookie=1,priority=1,actions=drop");
    LEARN("in_port=1,dl_src=02:00:00:00:00:01");
    LEARN("in_port=2,dl_src=02:00:00:00:00:02");
    assert_int_equal(n_rules(4), 3);
    assert_int_equal(bed_mod(&bed, FLOW_DELETE, "in_port=1"), 0);
    assert_int_equal(n_rules(4), 3);
    /* Modified to the same, it goes on owning them. */
    assert_int_equal(
        bed_mod(&bed, FLOW_MODIFY, "in_port=2,actions=learn(delete_learned,table=4,cookie=8,NXM_OF_ETH_SRC[])"), 0);
    bed_add(&bed, "in_port=2,actions=learn(delete_learned,table=4,cookie=8,NXM_OF_ETH_SRC[]),output:3");
    assert_int_equal(n_rules(4), 3);
    assert_int_equal(bed_mod(&bed, FLOW_MODIFY, "in_port=2,actions=output:1"), 0);
    assert_int_equal(n_rules(4), 1);
    EXPECT_RULE(4, "1  drop");
}

static void owners_in_bundles(void **state)
{
    struct flow_mod fm;
    struct act_buffer acts;

    bed_add(&bed, "in_port=1,actions=learn(delete_learned,table=4,cookie=8,NXM_OF_ETH_SRC[])");
    bed_add(&bed, "table=4,cookie=8,actions=drop");
    bed_add(&bed, "table=5,cookie=9,actions=drop");
    act_buffer_init(&acts);
    /* A bundle that is given up leaves all as it was, also what its own rules would have owned. */
    assert_int_equal(pipeline_bundle_begin(bed.bridge->pipeline), 0);
    assert_null(flow_mod_parse("in_port=3,actions=learn(delete_learned,table=5,cookie=9,NXM_OF_ETH_SRC[])", &fm, &acts,
                               NULL, NULL));
    assert_int_equal(bundle_mod(bed.bridge->pipeline, &fm), 0);
    fm.command = FLOW_DELETE;
    fm.match.value.in_port = 1;
    assert_int_equal(bundle_mod(bed.bridge->pipeline, &fm), 0);
    /* Meanwhile a packet teaches: that has to wait, and then counts. */
    LEARN("in_port=1,dl_src=02:00:00:00:00:01");
    assert_int_equal(n_rules(4), 1);
    bundle_abort(bed.bridge->pipeline);
    assert_int_equal(n_rules(4), 2);
    assert_int_equal(n_rules(5), 1);
    assert_int_equal(pipeline_bundle_begin(bed.bridge->pipeline), 0);
    assert_int_equal(bundle_mod(bed.bridge->pipeline, &fm), 0);
    assert_int_equal(n_rules(4), 2);
    bundle_commit(bed.bridge->pipeline);
    assert_int_equal(n_rules(4), 0);
    act_buffer_free(&acts);
}

static bool to_settle;

static void note_to_settle(void *arg)
{
    to_settle = true;
}

/* More than go in one turn: they are gone for lookups all at once, and until the last is told of flow_mods wait. */
static void many_learned_rules_go_in_slices(void **state)
{
    struct pipeline *pipeline = bed.bridge->pipeline;
    unsigned turns = 0;
    struct flow_mod fm;
    struct act_buffer acts;

    bed_add(&bed, "in_port=1,actions=learn(delete_learned,table=4,cookie=8,NXM_OF_ETH_SRC[])");
    bed_add(&bed, "table=4,cookie=9,dl_type=0x800,actions=drop");
    act_buffer_init(&acts);
    assert_null(flow_mod_parse("table=4,cookie=8,dl_src=02:00:00:00:00:00,actions=learn(delete_learned,table=5,"
                               "cookie=1,NXM_OF_ETH_SRC[])",
                               &fm, &acts, NULL, NULL));
    for (unsigned i = 0; i < 5000; i++) {
        fm.match.value.pkt.eth_src.addr_bytes[4] = (uint8_t)(i >> 8);
        fm.match.value.pkt.eth_src.addr_bytes[5] = (uint8_t)i;
        assert_int_equal(pipeline_flow_mod(pipeline, &fm), 0);
    }
    bed_add(&bed, "table=5,cookie=1,actions=drop");
    bed_add(&bed, "table=5,cookie=2,actions=drop");
    assert_int_equal(bed_mod(&bed, FLOW_DELETE, "in_port=1"), 0);
    assert_false(pipeline_settled(pipeline));
    assert_int_equal(pipeline_flow_mod(pipeline, &fm), OFPERR_FMFC_EPERM);
    /* What is taught meanwhile counts afterwards. */
    for (; !pipeline_settled(pipeline); turns++) {
        assert_true(n_rules(4) == 5001 || n_rules(4) == 1);
        pipeline_settle_step(pipeline, 256);
    }
    assert_in_range(turns, 10, 100);
    assert_int_equal(n_rules(4), 1);
    assert_int_equal(n_rules(5), 1);
    /* The loop's job has nothing left to do. */
    flows_run_settle(bed.flows, 1000);
    assert_false(bed.flows->settling);
    act_buffer_free(&acts);
}

/* A bridge may go while its learned rules do. */
static void a_pipeline_may_go_while_learned_rules_do(void **state)
{
    const struct pipeline_observer observer = {.to_settle = note_to_settle};
    struct pipeline *pipeline = pipeline_create(&observer);
    struct flow_mod fm, owner;
    struct act_buffer acts, none;

    act_buffer_init(&acts);
    act_buffer_init(&none);
    assert_null(flow_mod_parse("in_port=1,actions=learn(delete_learned,table=4,cookie=8,NXM_OF_ETH_SRC[])", &owner,
                               &acts, NULL, NULL));
    assert_int_equal(pipeline_flow_mod(pipeline, &owner), 0);
    assert_null(flow_mod_parse("table=4,cookie=8,in_port=1,actions=drop", &fm, &none, NULL, NULL));
    for (fm.match.value.in_port = 0; fm.match.value.in_port < 5000; fm.match.value.in_port++)
        assert_int_equal(pipeline_flow_mod(pipeline, &fm), 0);
    owner.command = FLOW_DELETE;
    to_settle = false;
    assert_int_equal(pipeline_flow_mod(pipeline, &owner), 0);
    assert_true(to_settle);
    while (!pipeline_clear(pipeline, 100)) {
    }
    assert_true(pipeline_settled(pipeline));
    assert_int_equal(pipeline_n_rules(pipeline, TABLE_ALL), 0);
    pipeline_destroy(pipeline);
    act_buffer_free(&acts);
    act_buffer_free(&none);
}

/* --- flow_mods ----------------------------------------------------------- */

static void prerequisites_hold_for_both_rules(void **state)
{
    assert_int_equal(check_actions("udp", "learn(dl_type=0x800,nw_proto=17,udp_dst=udp_src)"), 0);
    assert_int_equal(check_actions("ip", "learn(dl_type=0x800,nw_proto=17,udp_dst=udp_src)"),
                     OFPERR_BAC_MATCH_INCONSISTENT);
    assert_int_equal(check_actions("udp", "learn(dl_type=0x800,udp_dst=udp_src)"), OFPERR_BAC_MATCH_INCONSISTENT);
    assert_int_equal(check_actions("", "learn(load:5->NXM_OF_IP_TOS[2..7])"), OFPERR_BAC_MATCH_INCONSISTENT);
    assert_int_equal(check_actions("", "learn(eth_type=0x86dd,load:5->NXM_OF_IP_TOS[2..7])"), 0);
    assert_int_equal(check_actions("", "learn(load:5->OXM_OF_ETH_TYPE[])"), OFPERR_BAC_BAD_SET_ARGUMENT);
    assert_int_equal(check_actions("", "learn(OXM_OF_ETH_TYPE[3..5]=1)"), OFPERR_BAC_BAD_ARGUMENT);
    assert_int_equal(check_actions("", "learn(limit=1,result_dst=eth_type[0])"), OFPERR_BAC_BAD_SET_ARGUMENT);
    assert_int_equal(check_actions("", "learn(reg0=reg1[0..5])"), -1);
    assert_int_equal(check_actions("", "learn(table=255)"), -1);
    assert_int_equal(check_actions("", "learn(result_dst=reg0[0..1])"), -1);
    assert_int_equal(check_actions("", "learn(output:5)"), -1);
    assert_int_equal(check_actions("", "learn(nonsense=5)"), -1);
}

/* --- through megaflows --------------------------------------------------- */

static struct rte_mbuf *tcp(uint8_t src, uint16_t port, uint8_t flags)
{
    struct rte_mbuf *m = bed_udp();
    uint8_t *p = rte_pktmbuf_mtod(m, uint8_t *);

    p[11] = p[29] = src;
    p[23] = 6;
    p[34] = (uint8_t)(port >> 8);
    p[35] = (uint8_t)port;
    p[39] = 0; /* UDP's length */
    p[46] = 0x50;
    p[47] = flags;
    return m;
}

static void send_one(struct rte_mbuf *m, uint32_t out_port)
{
    send_to(1, m);
    expect_out(out_port);
}

static uint64_t moved_us; /* on from the kernel's clock */

static uint64_t moved_clock(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000 + __atomic_load_n(&moved_us, __ATOMIC_RELAXED);
}

/* Moves time on, with turns in between. */
static void turns_ms(unsigned ms)
{
    for (unsigned i = 0; i < ms; i++) {
        __atomic_add_fetch(&moved_us, 1000, __ATOMIC_RELAXED);
        bed_turn(&bed);
    }
}

static void megaflows_teach(void **state)
{
    struct flows_stats stats;
    uint64_t misses;

    bed_add(&bed, "in_port=1,actions=learn(table=4,hard_timeout=2,NXM_OF_ETH_SRC[]),output:2");
    send_one(tcp(1, 80, 16), 2);
    assert_int_equal(n_rules(4), 1);
    bed_settle(&bed);
    flows_get_stats(bed.flows, &stats);
    misses = stats.misses;
    /* Packets that no translation sees keep the rule, beyond its timeout. */
    for (int i = 0; i < 12; i++) {
        send_one(tcp(1, 80, 16), 2);
        turns_ms(250);
        assert_int_equal(n_rules(4), 1);
    }
    /* Deleted, when all packets so far are counted, it comes back with the next packet's statistics. */
    bed_count(&bed);
    assert_int_equal(bed_mod(&bed, FLOW_DELETE, "table=4"), 0);
    bed_count(&bed);
    assert_int_equal(n_rules(4), 0);
    send_one(tcp(1, 80, 16), 2);
    bed_count(&bed);
    assert_int_equal(n_rules(4), 1);
    /* Without packets it goes. */
    turns_ms(3300);
    assert_int_equal(n_rules(4), 0);
    flows_get_stats(bed.flows, &stats);
    assert_int_equal(stats.misses, misses);
}

/* The megaflow goes by the result of learning; there is room later. */
static void megaflows_follow_the_result(void **state)
{
    bed_add(
        &bed,
        "in_port=1,actions=learn(table=4,cookie=1,limit=1,result_dst=NXM_NX_REG0[0],NXM_OF_ETH_SRC[]),resubmit(,1)");
    bed_add(&bed, "table=1,reg0=1,actions=output:2");
    bed_add(&bed, "table=1,reg0=0,actions=output:3");
    send_one(tcp(1, 80, 16), 2);
    send_one(tcp(2, 80, 16), 3);
    assert_int_equal(bed_mod(&bed, FLOW_DELETE, "table=4"), 0);
    turns_ms(600);
    send_one(tcp(2, 80, 16), 3);
    turns_ms(1100);
    bed_settle(&bed);
    send_one(tcp(2, 80, 16), 2);
}

static void a_megaflow_is_translated_anew_if_its_packet_changed_rules(void **state)
{
    bed_add(&bed, "in_port=1,actions=resubmit(,4),learn(table=4,NXM_OF_ETH_SRC[],output:NXM_OF_IN_PORT[])");
    bed_add(&bed, "table=4,priority=0,actions=output:2");
    bed_add(&bed, "table=4,priority=1,dl_src=02:00:00:00:00:07,actions=output:3");
    send_one(tcp(1, 80, 16), 2);
    bed_settle(&bed);
    /* Now the learned rule takes it, which sends to the port it came from: nowhere. */
    send_to(1, tcp(1, 80, 16));
    assert_null(receive(2, 100));
    assert_int_equal(n_rules(4), 3);
}

static void fin_shortens_timeouts(void **state)
{
    struct rule *rule;

    bed_add(&bed, "in_port=1,tcp,idle_timeout=100,actions=fin_timeout(idle_timeout=10,hard_timeout=50),output:2");
    rule = find(0);
    send_one(tcp(1, 80, 16), 2);
    assert_int_equal(rule->idle_timeout_s, 100);
    send_one(tcp(1, 80, 17), 2);
    assert_int_equal(rule->idle_timeout_s, 10);
    assert_int_equal(rule->hard_timeout_s, 50);
    /* The megaflow of FIN packets is there; the rule is another. */
    bed_add(&bed, "in_port=1,tcp,idle_timeout=100,actions=fin_timeout(idle_timeout=5),output:2");
    bed_settle(&bed);
    rule = find(0);
    send_one(tcp(1, 80, 17), 2);
    turns_ms(1100);
    assert_int_equal(rule->idle_timeout_s, 5);
    assert_int_equal(rule->hard_timeout_s, 0);
}

/* --- packets that something else than a pass over the counters counts ---- */

/* Goes on when a pass has just ended: the next one is some time off. */
static void after_a_pass(void)
{
    uint64_t pass = bed.flows->count_pass;

    while (bed.flows->count_pass == pass || bed.flows->counting)
        turns_ms(1);
}

/* Translates what goes through table 1 again. */
static void change_table_1(const char *rule)
{
    bed_add(&bed, rule);
    bed_settle(&bed);
}

static void a_revalidation_teaches_what_it_counts(void **state)
{
    bed_add(&bed, "in_port=1,actions=learn(table=4,NXM_OF_ETH_SRC[]),resubmit(,1)");
    bed_add(&bed, "table=1,actions=output:2");
    send_one(tcp(1, 80, 16), 2);
    bed_settle(&bed);
    after_a_pass();
    assert_int_equal(bed_mod(&bed, FLOW_DELETE, "table=4"), 0);
    send_one(tcp(1, 80, 16), 2);
    change_table_1("table=1,actions=output:3");
    assert_int_equal(n_rules(4), 1);
    /* Also if the megaflow cannot stay, as it has too few bits. */
    after_a_pass();
    assert_int_equal(bed_mod(&bed, FLOW_DELETE, "table=4"), 0);
    send_one(tcp(1, 80, 16), 3);
    change_table_1("table=1,priority=40000,tcp,tp_src=99,actions=output:4");
    assert_int_equal(n_rules(4), 1);
}

static void what_taught_is_gone_and_so_is_what_was_taught(void **state)
{
    bed_add(&bed, "in_port=1,cookie=1,actions=learn(delete_learned,table=4,cookie=8,NXM_OF_ETH_SRC[]),output:2");
    bed_add(&bed, "in_port=2,cookie=1,actions=learn(table=5,hard_timeout=60,NXM_OF_ETH_SRC[]),output:3");
    send_one(tcp(1, 80, 16), 2);
    send_to(2, tcp(1, 80, 16));
    expect_out(3);
    bed_settle(&bed);
    after_a_pass();
    find(5)->modified_ms -= 59000;
    send_one(tcp(1, 80, 16), 2);
    send_to(2, tcp(1, 80, 16));
    expect_out(3);
    assert_int_equal(bed_mod(&bed, FLOW_DELETE, "table=0"), 0);
    bed_settle(&bed);
    assert_int_equal(n_rules(4), 0);
    /* What stays knows of its last packet. */
    assert_int_equal(n_rules(5), 1);
    assert_int_equal(pipeline_expire(bed.bridge->pipeline, clock_now_ms() + 30000, 10), 0);
    turns_ms(1100);
    assert_int_equal(n_rules(4), 0);
}

static void a_fin_counts_with_a_revalidation(void **state)
{
    struct rule *rule;

    bed_add(&bed, "table=1,actions=output:2");
    for (unsigned i = 0; i < 2; i++) {
        bed_add(&bed, "in_port=1,tcp,idle_timeout=100,actions=fin_timeout(idle_timeout=10),resubmit(,1)");
        bed_settle(&bed);
        if (i == 0) /* makes the megaflow */
            send_one(tcp(1, 80, 17), 2);
    }
    after_a_pass();
    rule = find(0);
    assert_int_equal(rule->idle_timeout_s, 100);
    send_one(tcp(1, 80, 17), 2);
    change_table_1("table=1,priority=40000,tcp,tp_src=99,actions=output:4");
    /* The megaflow goes: its last packets are counted when no thread has it any longer. */
    for (uint64_t end = clock_now_ms() + 20000; rule->idle_timeout_s != 10 && clock_now_ms() < end; usleep(100))
        bed_turn(&bed);
    assert_int_equal(rule->idle_timeout_s, 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, xlate_setup, xlate_teardown)
#define TEST_RUNNING(name) cmocka_unit_test_setup_teardown(name, xlate_setup_running, xlate_teardown)
        TEST(a_packet_makes_a_rule),
        TEST(values_are_those_of_the_packet_as_it_is_by_then),
        TEST(what_is_learned_counts_for_the_same_packet),
        TEST(a_rule_may_replace_itself),
        TEST(learning_again_keeps_the_rule),
        TEST(a_limit_holds),
        TEST(learned_rules_go_with_the_last_that_owns_them),
        TEST(owners_in_bundles),
        TEST_RUNNING(many_learned_rules_go_in_slices),
        cmocka_unit_test(a_pipeline_may_go_while_learned_rules_do),
        cmocka_unit_test(prerequisites_hold_for_both_rules),
        TEST_RUNNING(megaflows_teach),
        TEST_RUNNING(megaflows_follow_the_result),
        TEST_RUNNING(a_megaflow_is_translated_anew_if_its_packet_changed_rules),
        TEST_RUNNING(fin_shortens_timeouts),
        TEST_RUNNING(a_revalidation_teaches_what_it_counts),
        TEST_RUNNING(what_taught_is_gone_and_so_is_what_was_taught),
        TEST_RUNNING(a_fin_counts_with_a_revalidation),
    };

    clock_set_source(moved_clock);
    if (test_eal_init("learn_test") != 0)
        return 77;
    pool = test_pool(1023);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
