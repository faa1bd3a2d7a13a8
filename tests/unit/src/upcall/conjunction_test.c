/* Conjunctive matches: what they match, which bits that rests on, what follows their changes, what many of them cost.
 */
#include <time.h>

#include "src/upcall/flows_impl.h"
#include "tests/lib/bed_xlate.h"

/* The cookie of the rule of the first table that the packet comes to; 0: none. */
static uint64_t rule_of(const char *packet)
{
    translate_packet(packet, false);
    return out.deps.n_rules > 0 ? out.deps.rules[0]->cookie : 0;
}

static void expect_mask(const char *packet, const char *mask)
{
    actions_of(packet);
    EXPECT_MASK(mask);
}

/* Sources 10.0.0.1 and 10.0.0.4 (or 9.0.0.0/8), destinations 10.0.0.2 and 10.0.0.5. */
static void add_1234(void)
{
    bed_add(&bed, "cookie=1,priority=60,conj_id=1234,actions=output:2");
    bed_add(&bed, "priority=100,ip,nw_src=10.0.0.1,actions=conjunction(1234,1/2)");
    bed_add(&bed, "priority=100,ip,nw_src=10.0.0.4,actions=conjunction(1234,1/2),note:01");
    bed_add(&bed, "priority=100,ip,nw_src=9.0.0.0/8,actions=conjunction(1234,1/2)");
    bed_add(&bed, "priority=100,ip,nw_dst=10.0.0.2,actions=conjunction(1234,2/2)");
    bed_add(&bed, "priority=100,ip,nw_dst=10.0.0.5,actions=conjunction(1234,2/2)");
}

static void a_packet_has_to_match_every_clause(void **state)
{
    add_1234();
    bed_add(&bed, "cookie=5,priority=50,actions=output:3");
    assert_int_equal(rule_of("ip,nw_src=10.0.0.1,nw_dst=10.0.0.5"), 1);
    assert_int_equal(rule_of("ip,nw_src=9.1.2.3,nw_dst=10.0.0.2"), 1);
    assert_int_equal(rule_of("ip,nw_src=10.0.0.1,nw_dst=10.0.0.1"), 5);
    assert_int_equal(rule_of("ip,nw_src=10.0.0.2,nw_dst=10.0.0.5"), 5);
    assert_int_equal(rule_of("arp,arp_spa=10.0.0.1,arp_tpa=10.0.0.5"), 5);
    /* A rule that is as strong as the clauses, or stronger, wins. */
    bed_add(&bed, "cookie=6,priority=101,ip,nw_src=9.1.1.1,actions=output:4");
    assert_int_equal(rule_of("ip,nw_src=9.1.1.1,nw_dst=10.0.0.2"), 6);
    bed_add(&bed, "cookie=7,priority=100,tcp,actions=output:4");
    assert_int_equal(rule_of("tcp,nw_src=10.0.0.4,nw_dst=10.0.0.2"), 7);
}

static void the_search_for_the_id_is_like_any_other(void **state)
{
    add_1234();
    bed_add(&bed, "cookie=2,priority=61,conj_id=1234,udp,actions=output:3");
    assert_int_equal(rule_of("udp,nw_src=10.0.0.1,nw_dst=10.0.0.5"), 2);
    assert_int_equal(rule_of("tcp,nw_src=10.0.0.1,nw_dst=10.0.0.5"), 1);
    /* Rules that do not ask for the id match there, too: one with more priority than the id's has the packet. */
    bed_add(&bed, "cookie=3,priority=62,actions=output:4");
    assert_int_equal(rule_of("udp,nw_src=10.0.0.1,nw_dst=10.0.0.5"), 3);
    /* Clauses do not, and a packet has no id of its own. */
    assert_int_equal(bed_mod(&bed, FLOW_DELETE_STRICT, "priority=62"), 0);
    bed_add(&bed, "cookie=4,priority=200,conj_id=0,udp,actions=output:4");
    assert_int_equal(rule_of("udp,nw_src=10.0.0.1,nw_dst=10.0.0.9"), 4);
}

static void what_matches_incompletely_is_passed_over(void **state)
{
    bed_add(&bed, "cookie=1,priority=85,conj_id=1,actions=output:2");
    bed_add(&bed, "priority=100,ip,nw_src=10.0.0.1,actions=conjunction(1,1/3)");
    bed_add(&bed, "priority=100,ip,nw_dst=10.0.0.2,actions=conjunction(1,2/3)");
    /* Behind clauses in the same place: a weaker clause, then a rule. */
    bed_add(&bed, "priority=90,ip,nw_src=10.0.0.1,actions=conjunction(1,1/2)");
    bed_add(&bed, "priority=90,udp,actions=conjunction(1,2/2)");
    bed_add(&bed, "cookie=9,priority=80,ip,nw_src=10.0.0.1,actions=output:3");
    assert_int_equal(rule_of("udp,nw_src=10.0.0.1,nw_dst=10.0.0.2"), 1);
    assert_int_equal(rule_of("tcp,nw_src=10.0.0.1,nw_dst=10.0.0.2"), 9);
    bed_add(&bed, "priority=100,tcp,actions=conjunction(1,3/3)");
    assert_int_equal(rule_of("tcp,nw_src=10.0.0.1,nw_dst=10.0.0.2"), 1);
    assert_int_equal(rule_of("tcp,nw_src=10.0.0.1,nw_dst=10.0.0.3"), 9);
}

static void an_id_without_a_rule_does_not_count(void **state)
{
    add_1234();
    assert_int_equal(bed_mod(&bed, FLOW_DELETE, "conj_id=1234"), 0);
    assert_int_equal(rule_of("ip,nw_src=10.0.0.1,nw_dst=10.0.0.5"), 0);
    bed_add(&bed, "cookie=5,priority=50,actions=output:3");
    assert_int_equal(rule_of("ip,nw_src=10.0.0.1,nw_dst=10.0.0.5"), 5);
}

static void conjunctions_may_share_rules(void **state)
{
    bed_add(&bed, "cookie=1,conj_id=1,actions=output:2");
    bed_add(&bed, "cookie=2,conj_id=2,actions=output:3");
    bed_add(&bed, "ip,nw_src=10.0.0.1,actions=conjunction(1,1/2),conjunction(2,1/2)");
    bed_add(&bed, "ip,nw_src=10.0.0.2,actions=conjunction(2,1/2)");
    bed_add(&bed, "udp,tp_dst=1,actions=conjunction(1,2/2)");
    bed_add(&bed, "udp,tp_dst=2,actions=conjunction(2,2/2)");
    assert_int_equal(rule_of("udp,nw_src=10.0.0.1,tp_dst=1"), 1);
    assert_int_equal(rule_of("udp,nw_src=10.0.0.1,tp_dst=2"), 2);
    assert_int_equal(rule_of("udp,nw_src=10.0.0.2,tp_dst=2"), 2);
    assert_int_equal(rule_of("udp,nw_src=10.0.0.2,tp_dst=1"), 0);
}

static void megaflows_stay_wide(void **state)
{
    add_1234();
    bed_add(&bed, "cookie=7,priority=50,tcp,tp_dst=80,actions=output:3");
    /* Ports are not looked at: the conjunction is stronger. Of addresses, what tells them from others. */
    expect_mask("udp,nw_src=10.0.0.1,nw_dst=10.0.0.5,tp_dst=80",
                "recirc_id(0),in_port(0),eth_type(0x0800),ipv4(src=10.0.0.1,dst=10.0.0.5)");
    expect_mask("udp,nw_src=11.0.0.1,nw_dst=77.0.0.5,tp_dst=80",
                "recirc_id(0),in_port(0),eth_type(0x0800),ipv4(src=11.0.0.0/8,dst=64.0.0.0/2,proto=17,frag=no)");
}

static void clauses_are_told_apart_from_rules_that_count(void **state)
{
    add_1234();
    rule_of("ip,nw_src=10.0.0.1,nw_dst=10.0.0.5");
    assert_int_equal(out.deps.n_rules, 1);
    assert_int_equal(out.deps.n_clauses, 2);
    assert_int_equal(out.deps.n_visits, 2);
    assert_true(out.deps.visits[0].uncounted);
    assert_int_equal(out.deps.visits[0].priority, 100);
    assert_int_equal(out.deps.visits[1].priority, 60);
}

/* --- changes ------------------------------------------------------------- */

/* Installs the packet's megaflow and says what it does now, and what it does after `change`. */
static void expect_change(const char *packet, uint32_t before, enum flow_mod_command command, const char *change,
                          uint32_t after)
{
    struct flow *flow = &bed.flows->in.flow;
    struct megaflow *mf;
    int error;

    parse_flow(packet, flow);
    if (!datapath_megaflow_lookup(bed.dp, &flow->pkt)) {
        translate(bed.flows, true);
        megaflow_add(bed.flows, program_intern(bed.flows->programs, &bed.flows->out.program), &error);
    }
    mf = datapath_megaflow_lookup(bed.dp, &flow->pkt);
    assert_non_null(mf);
    assert_int_equal(megaflow_program(mf)->kind, before ? PROGRAM_OUTPUT : PROGRAM_DROP);
    if (before)
        assert_int_equal(megaflow_program(mf)->output, before);
    assert_int_equal(bed_mod(&bed, command, change), 0);
    bed_settle(&bed);
    mf = datapath_megaflow_lookup(bed.dp, &flow->pkt);
    if (!mf)
        return; /* gone: the next packet is translated */
    assert_int_equal(megaflow_program(mf)->kind, after ? PROGRAM_OUTPUT : PROGRAM_DROP);
    if (after)
        assert_int_equal(megaflow_program(mf)->output, after);
}

static void megaflows_follow_changes_of_clauses(void **state)
{
    static const char packet[] = "in_port=1,udp,nw_src=10.0.0.1,nw_dst=10.0.0.5";

    bed_add(&bed, "priority=50,actions=output:3");
    bed_add(&bed, "priority=60,conj_id=1234,actions=output:2");
    bed_add(&bed, "priority=100,ip,nw_src=10.0.0.1,actions=conjunction(1234,1/2)");
    expect_change(packet, 3, FLOW_ADD, "priority=100,ip,nw_dst=10.0.0.5,actions=conjunction(1234,2/2)", 2);
    expect_change(packet, 2, FLOW_DELETE_STRICT, "priority=100,ip,nw_src=10.0.0.1", 3);
    expect_change(packet, 3, FLOW_ADD, "priority=100,udp,actions=conjunction(1234,1/2)", 2);
    expect_change(packet, 2, FLOW_MODIFY_STRICT, "priority=100,udp,actions=output:4", 4);
    expect_change(packet, 4, FLOW_MODIFY_STRICT, "priority=100,udp,actions=conjunction(1234,1/2)", 2);
    /* The rule of the id is weaker than another from now on; then it is not there, then there again. */
    expect_change(packet, 2, FLOW_ADD, "priority=70,ip,actions=output:5", 5);
    expect_change(packet, 5, FLOW_DELETE_STRICT, "priority=70,ip", 2);
    expect_change(packet, 2, FLOW_DELETE_STRICT, "priority=60,conj_id=1234", 3);
    expect_change(packet, 3, FLOW_ADD, "priority=51,conj_id=1234,actions=output:1", 0);
    /* A rule that clauses shadow has no part. */
    expect_change(packet, 0, FLOW_ADD, "priority=45,ip,actions=output:5", 0);
}

/* --- flow_mods ----------------------------------------------------------- */

static void conjunctions_stand_alone(void **state)
{
    assert_int_equal(check_actions("", "conjunction(1,1/2),note:01,conjunction(4294967295,64/64)"), 0);
    assert_int_equal(check_actions("", "conjunction(1,1/2),output:1"), OFPERR_BAC_BAD_CONJUNCTION);
    assert_int_equal(check_actions("", "output:1,conjunction(1,1/2)"), OFPERR_BAC_BAD_CONJUNCTION);
    assert_int_equal(check_actions("", "conjunction(1,1/2),goto_table:3"), OFPERR_BAC_BAD_CONJUNCTION);
    assert_int_equal(check_actions("", "write_actions(conjunction(1,1/2))"), OFPERR_BAC_BAD_TYPE);
    assert_int_equal(check_actions("", "conjunction(1,1/1)"), -1);
    assert_int_equal(check_actions("", "conjunction(1,0/2)"), -1);
    assert_int_equal(check_actions("", "conjunction(1,3/2)"), -1);
    assert_int_equal(check_actions("", "conjunction(1,1/65)"), -1);
    assert_int_equal(check_actions("", "conjunction(4294967296,1/2)"), -1);
}

/* --- many ---------------------------------------------------------------- */

#define N_CONJUNCTIONS 50
#define N_ADDRESSES 1000 /* of each, on each side */
#define N_SERVICES 300

static double now_us(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    return (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec * 1e-3;
}

static void add_clause(const struct match *match, uint32_t id, uint8_t clause, uint8_t n)
{
    struct act_conjunction act = {.h = {.type = ACT_CONJUNCTION, .len = sizeof act, .form = ACT_FORM_NICIRA},
                                  .id = id,
                                  .clause = clause,
                                  .n_clauses = n};
    struct flow_mod fm = {.command = FLOW_ADD,
                          .priority = 1000,
                          .out_port = OFPORT_ANY,
                          .out_group = OFGROUP_ANY,
                          .match = *match,
                          .acts = {.acts = &act.h, .len = sizeof act}};

    assert_int_equal(pipeline_flow_mod(bed.bridge->pipeline, &fm), 0);
}

static void many_clauses_cost_little(void **state)
{
    size_t memory = pipeline_memory(bed.bridge->pipeline);
    unsigned n_rules = 0, n = 20000, hits = 0;
    double start;

    for (uint32_t id = 1; id <= N_CONJUNCTIONS; id++) {
        struct match match;

        bed_add(&bed, "priority=1,cookie=1,conj_id=%u,actions=output:2", id);
        assert_null(match_parse("udp", &match, NULL, NULL));
        for (uint32_t i = 0; i < N_SERVICES; i++) {
            match.mask.pkt.tp_dst = UINT16_MAX;
            match.value.pkt.tp_dst = rte_cpu_to_be_16((uint16_t)(id * N_SERVICES + i));
            add_clause(&match, id, 3, 3);
            n_rules++;
        }
        for (uint32_t i = 0; i < N_ADDRESSES; i++) {
            assert_null(match_parse("ip", &match, NULL, NULL));
            match.mask.pkt.ipv4_src = UINT32_MAX;
            match.value.pkt.ipv4_src = rte_cpu_to_be_32(0x0a000000 + id * N_ADDRESSES + i);
            add_clause(&match, id, 1, 3);
            match.mask.pkt.ipv4_src = match.value.pkt.ipv4_src = 0;
            match.mask.pkt.ipv4_dst = UINT32_MAX;
            match.value.pkt.ipv4_dst = rte_cpu_to_be_32(0x0b000000 + id * N_ADDRESSES + i);
            add_clause(&match, id, 2, 3);
            n_rules += 2;
        }
    }
    assert_int_equal(n_rules, 115000);
    memory = pipeline_memory(bed.bridge->pipeline) - memory;

    start = now_us();
    for (unsigned i = 0; i < n; i++) {
        struct xlate_in in = {.bridge = bed.bridge};
        uint32_t id = 1 + i % N_CONJUNCTIONS, other = i % 2 ? id : 1 + (i + 7) % N_CONJUNCTIONS;

        in.flow.pkt.eth_type = RTE_BE16(RTE_ETHER_TYPE_IPV4);
        in.flow.pkt.ip_proto = 17;
        in.flow.pkt.ipv4_src = rte_cpu_to_be_32(0x0a000000 + id * N_ADDRESSES + i * 7 % N_ADDRESSES);
        in.flow.pkt.ipv4_dst = rte_cpu_to_be_32(0x0b000000 + other * N_ADDRESSES + i * 13 % N_ADDRESSES);
        in.flow.pkt.tp_dst = rte_cpu_to_be_16((uint16_t)(id * N_SERVICES + i * 3 % N_SERVICES));
        xlate(&in, &out);
        hits += out.deps.n_rules;
    }
    start = now_us() - start;
    printf("%u clauses: %zu bytes each, %.2f us a translation\n", n_rules, memory / n_rules, start / n);
    assert_int_equal(hits, n / 2);
    assert_true(memory / n_rules < 500);
    assert_true(start / n < 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, xlate_setup, xlate_teardown)
        TEST(a_packet_has_to_match_every_clause),
        TEST(the_search_for_the_id_is_like_any_other),
        TEST(what_matches_incompletely_is_passed_over),
        TEST(an_id_without_a_rule_does_not_count),
        TEST(conjunctions_may_share_rules),
        TEST(megaflows_stay_wide),
        TEST(clauses_are_told_apart_from_rules_that_count),
        TEST(megaflows_follow_changes_of_clauses),
        cmocka_unit_test(conjunctions_stand_alone),
        TEST(many_clauses_cost_little),
    };

    if (test_eal_init("conjunction_test") != 0)
        return 77;
    pool = test_pool(1023);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
