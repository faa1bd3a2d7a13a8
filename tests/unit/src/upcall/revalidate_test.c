/* What changes cost: which megaflows are translated again, how they are found, and what waits for them. */

#include "src/tables/group.h"
#include "src/xlate/punt.h"
#include "tests/lib/bed_traffic.h"
#include "tests/lib/own_time.h"

/* Packets of a flood that nobody waits for. */
static void free_out(uint32_t port)
{
    struct rte_mbuf *m;

    while ((m = receive(port, 2)))
        rte_pktmbuf_free(m);
}

/* A megaflow for each of 500 destination ports. */
static void make_megaflows(void)
{
    bed_add(&bed, "table=0,priority=1,udp,actions=move:NXM_OF_UDP_DST[]->NXM_NX_REG0[0..15],output:2");
    for (uint16_t i = 0; i < 500; i++)
        expect_way(1, i, 2);
}

static void many_adds_are_one_sweep(void **state)
{
    make_megaflows();
    bed_settle(&bed);
    uint64_t before = bed_flows_stats().revalidated;
    for (int i = 0; i < 2000; i++)
        bed_add(&bed, "table=0,priority=2,udp,tp_dst=%d,actions=output:3", 490 + i);
    bed_settle(&bed);
    /* Ten of the megaflows meet a new rule; the others are not touched. */
    assert_int_equal(bed_flows_stats().revalidated - before, 10);
    expect_way(1, 489, 2);
    expect_way(1, 491, 3);
}

static uint64_t revalidated_since(uint64_t before)
{
    bed_settle(&bed);
    return bed_flows_stats().revalidated - before;
}

/* Not those of other ports, of the same bridge or the same rules. */
static void a_port_that_changes_has_its_own_megaflows_translated_again(void **state)
{
    struct bridge_port *two = bridge_port_by_ofport(bed.bridge, 2), *three = bridge_port_by_ofport(bed.bridge, 3);

    bed_add(&bed, "in_port=1,udp,actions=move:NXM_OF_UDP_DST[]->NXM_NX_REG0[0..15],output:NXM_NX_REG0[0..3]");
    bed_add(&bed, "in_port=4,actions=bundle(eth_src,0,active_backup,ofport,members:3,5)");
    for (uint16_t i = 0; i < 20; i++) {
        expect_way(1, (uint16_t)(i << 4 | 2), 2);
        expect_way(1, (uint16_t)(i << 4 | 3), 3);
    }
    expect_way(4, 80, 3);
    bed_settle(&bed);
    uint64_t before = bed_flows_stats().revalidated;
    /* A link matters to who asks whether it is up. */
    bridge_note_port(two, BRIDGE_PORT_LINK);
    assert_int_equal(revalidated_since(before), 0);
    bridge_note_port(three, BRIDGE_PORT_LINK);
    assert_int_equal(revalidated_since(before), 1);
    before = bed_flows_stats().revalidated;
    bridge_port_set_config(two, PORT_CONFIG_NO_FWD, PORT_CONFIG_NO_FWD);
    assert_int_equal(revalidated_since(before), 20);
    send_to(1, bed_udp_of(1, 2, 0x0a000002, 2));
    expect_nothing(2);
    expect_way(1, 3, 3);
    bridge_port_set_config(two, 0, PORT_CONFIG_NO_FWD);
    bed_settle(&bed);
    expect_way(1, 2, 2);
    /* What comes in by a port is its own, too. */
    before = bed_flows_stats().revalidated;
    bridge_port_set_config(bridge_port_by_ofport(bed.bridge, 4), PORT_CONFIG_NO_RECV, PORT_CONFIG_NO_RECV);
    assert_int_equal(revalidated_since(before), 1);
    send_to(4, bed_udp_of(1, 2, 0x0a000002, 80));
    expect_nothing(3);
}

/* --- what many depend on ------------------------------------------------- */

/* A change marks a few thousand paths or megaflows at once; beyond that it is left to a sweep, which goes in slices.
 */

#define MANY 4200

/* However slow the machine is, megaflows that are not used stay. */
static int patient_setup(void **state)
{
    bed_create(&bed, pool, &(struct bed_params){.start = true, .idle_ms = 600000});
    return 0;
}

/* The change before left it to a sweep. */
static void expect_sweep(void)
{
    assert_true(bed_flows_stats().pending_changes > 0);
}

static void a_port_and_an_address_that_many_rest_on(void **state)
{
    struct bridge_port *two = bridge_port_by_ofport(bed.bridge, 2);

    for (uint16_t i = 0; i < MANY; i++)
        bed_add(&bed, "in_port=1,udp,tp_dst=%u,actions=output:2", i);
    expect_ways(1, 2, 0, MANY, 2);
    bed_settle(&bed);
    uint64_t before = bed_flows_stats().revalidated;
    bridge_port_set_config(two, PORT_CONFIG_NO_FWD, PORT_CONFIG_NO_FWD);
    expect_sweep();
    assert_int_equal(revalidated_since(before), MANY);
    send_to(1, bed_udp_of(1, 2, 0x0a000002, MANY - 1));
    expect_nothing(2);
    bridge_port_set_config(two, 0, PORT_CONFIG_NO_FWD);
    bed_settle(&bed);

    bed_add(&bed, "in_port=3,udp,actions=move:NXM_OF_UDP_DST[]->NXM_NX_REG0[0..15],NORMAL");
    bed_add(&bed, "in_port=4,actions=NORMAL");
    bed_add(&bed, "in_port=5,actions=NORMAL");
    send_to(4, bed_udp_of(9, 0xff, 0x0a000002, 1));
    expect_out(1);
    for (uint32_t port = 2; port <= 5; port++)
        free_out(port);
    expect_ways(3, 9, 0, MANY, 4);
    bed_settle(&bed);
    before = bed_flows_stats().revalidated;
    /* 02:..:09 moves. */
    send_to(5, bed_udp_of(9, 0xff, 0x0a000002, 1));
    expect_out(4);
    assert_true(revalidated_since(before) >= MANY);
    for (uint32_t port = 1; port <= 5; port++)
        free_out(port);
    expect_way_of(3, 9, MANY - 1, 5);
}

static void add_group(enum group_command command, uint32_t id, uint8_t type, const char *const *outputs,
                      const struct bucket *watch)
{
    struct bucket buckets[2];
    struct act_buffer acts[2];
    struct group_mod mod = {.command = command, .group_id = id, .type = type, .buckets = buckets};

    for (; outputs[mod.n_buckets]; mod.n_buckets++) {
        unsigned i = mod.n_buckets;

        act_buffer_init(&acts[i]);
        assert_null(actions_parse(outputs[i], &acts[i], NULL, NULL));
        buckets[i] = watch ? watch[i] : (struct bucket){.watch_port = OFPORT_ANY, .watch_group = OFGROUP_ANY};
        buckets[i].id = i;
        buckets[i].acts = act_buffer_list(&acts[i]);
    }
    assert_int_equal(group_table_mod(pipeline_groups(bed.bridge->pipeline), &mod), 0);
    for (unsigned i = 0; i < mod.n_buckets; i++)
        act_buffer_free(&acts[i]);
}

#define OUTPUTS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void a_rule_and_a_group_that_many_rest_on(void **state)
{
    add_group(GROUP_ADD, 1, GROUP_INDIRECT, OUTPUTS("output:2"), NULL);
    bed_add(&bed, "table=0,in_port=1,actions=resubmit(,1)");
    for (uint16_t i = 0; i < MANY; i++)
        bed_add(&bed, "table=1,udp,tp_dst=%u,actions=group:1", i);
    expect_ways(1, 2, 0, MANY, 2);
    bed_settle(&bed);
    uint64_t before = bed_flows_stats().revalidated;
    add_group(GROUP_MODIFY, 1, GROUP_INDIRECT, OUTPUTS("output:3"), NULL);
    expect_sweep();
    assert_int_equal(revalidated_since(before), MANY);
    expect_way(1, 0, 3);
    expect_way(1, MANY - 1, 3);
    bed_settle(&bed);
    before = bed_flows_stats().revalidated;
    assert_int_equal(bed_mod(&bed, FLOW_MODIFY, "table=0,in_port=1,actions=output:5,resubmit(,1)"), 0);
    expect_sweep();
    assert_int_equal(revalidated_since(before), MANY);
    expect_way(1, 0, 5);
    expect_out(3);
    bed_settle(&bed);
    before = bed_flows_stats().revalidated;
    bed_add(&bed, "table=0,in_port=1,actions=output:4,resubmit(,1)");
    expect_sweep();
    assert_int_equal(revalidated_since(before), MANY);
    expect_way(1, MANY - 1, 4);
    expect_out(3);
    bed_settle(&bed);
    assert_int_equal(bed_mod(&bed, FLOW_DELETE, "table=0,actions=drop"), 0);
    expect_sweep();
    bed_settle(&bed);
    send_to(1, bed_udp_of(1, 2, 0x0a000002, MANY - 1));
    expect_nothing(4);
}

/* Those that were translated by the first change are behind the others by the second. */
static void one_path_is_marked_again_while_it_is_worked_off(void **state)
{
    bed_add(&bed, "udp,actions=move:NXM_OF_UDP_DST[]->NXM_NX_REG0[0..15],output:2");
    expect_ways(1, 2, 0, 2 * MANY, 2);
    bed_settle(&bed);
    uint64_t before = bed_flows_stats().revalidated;
    assert_int_equal(
        bed_mod(&bed, FLOW_MODIFY,
                "udp,actions=move:NXM_OF_UDP_DST[]->NXM_NX_REG0[0..15],mod_dl_src:02:00:00:00:00:99,output:2"),
        0);
    while (bed_flows_stats().revalidated - before < MANY + 100)
        flows_run_revalidate(bed.flows, 10);
    assert_in_range(bed_flows_stats().revalidated - before, MANY, 2 * MANY - 1);
    assert_int_equal(bed_mod(&bed, FLOW_MODIFY, "udp,actions=move:NXM_OF_UDP_DST[]->NXM_NX_REG0[0..15],output:4"), 0);
    expect_sweep();
    bed_settle(&bed);
    for (uint16_t i = 0; i < 2 * MANY; i += 100)
        expect_way(1, i, 4);
}

/* A group hears of the ports that it watches by the megaflows that went through it. So neither a port's link nor a new
 * group leads to a look at all groups. */
static void groups_that_watch_cost_a_change_nothing(void **state)
{
    enum { GROUPS = 10000 };
    const struct bucket watch[] = {{.watch_port = 2, .watch_group = OFGROUP_ANY},
                                   {.watch_port = OFPORT_ANY, .watch_group = 1}};
    uint64_t start = own_us(), half = 0, all, link;

    add_group(GROUP_ADD, 1, GROUP_FF, OUTPUTS("output:3"),
              &(struct bucket){.watch_port = 3, .watch_group = OFGROUP_ANY});
    for (uint32_t id = 2; id <= GROUPS; id++) {
        add_group(GROUP_ADD, id, GROUP_FF, OUTPUTS("output:2", "group:1"), watch);
        half = id == GROUPS / 2 ? own_us() - start : half;
    }
    all = own_us() - start;
    bed_add(&bed, "in_port=1,actions=group:77");
    expect_way(1, 80, 2);
    bed_settle(&bed);
    start = own_us();
    bridge_port_set_config(bridge_port_by_ofport(bed.bridge, 2), PORT_CONFIG_DOWN, PORT_CONFIG_DOWN);
    link = own_us() - start;
    print_message("%u groups made in %lu us, the first half in %lu; a link: %lu us\n", GROUPS, all, half, link);
    assert_true(all < 300000 * OWN_TIME_FACTOR);
    assert_true(link < 200 * OWN_TIME_FACTOR);
    bed_settle(&bed);
    expect_way(1, 80, 3);
    /* What the second bucket watches goes, and comes back. */
    add_group(GROUP_MODIFY, 1, GROUP_FF, OUTPUTS("output:4"),
              &(struct bucket){.watch_port = OFPORT_USER_MAX, .watch_group = OFGROUP_ANY});
    bed_settle(&bed);
    send_to(1, bed_udp_of(1, 2, 0x0a000002, 80));
    expect_nothing(3);
    add_group(GROUP_MODIFY, 1, GROUP_FF, OUTPUTS("output:4"),
              &(struct bucket){.watch_port = 4, .watch_group = OFGROUP_ANY});
    bed_settle(&bed);
    expect_way(1, 80, 4);
}

/* Turns that free what is out of use. A virtual machine may be taken off its core in the middle of any of them, and the
 * time of that counts as the thread's own: so one or two long turns say nothing, but few turns for all of it do. */
struct slices {
    unsigned n, n_long;
    uint64_t longest_us;
};

static void slice_add(struct slices *slices, uint64_t us)
{
    slices->n++;
    slices->n_long += us >= 2000 * OWN_TIME_FACTOR;
    slices->longest_us = RTE_MAX(slices->longest_us, us);
}

static void expect_slices(const struct slices *slices)
{
    print_message("%u slices, the longest %lu us\n", slices->n, slices->longest_us);
    assert_true(slices->n >= 30);
    assert_in_range(slices->n_long, 0, 2);
}

/* 65536 numbers of punts are out of use: they go a few at a time. */
static void punts_out_of_use_go_in_slices(void **state)
{
    struct slices slices = {0}, of_bridge = {0};
    struct punt punt;

    memset(&punt, 0, sizeof punt);
    punt.bridge = bed.bridge;
    for (punt.cookie = 1; punt_count() < 65000; punt.cookie++)
        assert_true(punt_intern(&punt, NULL) != UINT32_MAX);
    while (punt_count() > 0) {
        const uint32_t before = punt_count();
        uint64_t start = own_us();

        flows_run_count(bed.flows, 100);
        uint64_t us = own_us() - start;
        if (punt_count() < before)
            slice_add(&slices, us);
        else
            usleep(1000);
    }
    expect_slices(&slices);

    /* So do those of a bridge that goes, of which nothing is known from the first step on. */
    for (punt.cookie = 1; punt_count() < 65000; punt.cookie++)
        assert_true(punt_intern(&punt, NULL) != UINT32_MAX);
    uint32_t last = punt_intern(&punt, NULL);
    assert_non_null(punt_get(last));
    for (bool first = true, done = false; !done; first = false) {
        uint64_t start = own_us();

        done = flows_forget_bridge(bed.flows, bed.bridge, 128);
        slice_add(&of_bridge, own_us() - start);
        assert_null(punt_get(last));
        assert_true(!first || punt_count() > 60000);
    }
    assert_int_equal(punt_count(), 0);
    expect_slices(&of_bridge);
}

/* 500 megaflows, and rules of one mask so often that there is an index for it. */
static void make_index(void)
{
    make_megaflows();
    for (int i = 0; i < 3; i++) {
        bed_add(&bed, "table=0,priority=2,in_port=1,udp,tp_dst=%d,actions=output:3", 2000 + i);
        bed_settle(&bed);
    }
    assert_int_equal(bed_flows_stats().n_rule_indexes, 1);
}

static void an_index_tells_what_a_rule_meets(void **state)
{
    make_index();
    uint64_t revalidated = bed_flows_stats().revalidated, indexed = bed_flows_stats().rules_indexed;
    for (int i = 0; i < 100; i++) {
        bed_add(&bed, "table=0,priority=2,in_port=1,udp,tp_dst=%d,actions=output:3", 490 + i);
        bed_settle(&bed);
    }
    assert_int_equal(bed_flows_stats().rules_indexed - indexed, 100);
    assert_int_equal(bed_flows_stats().revalidated - revalidated, 10);
    expect_way(1, 489, 2);
    expect_way(1, 491, 3);
    /* Megaflows that came and went since: port 491's is gone, 700's is new. */
    expect_way(1, 700, 2);
    bed_add(&bed, "table=0,priority=3,in_port=1,udp,tp_dst=700,actions=output:4");
    bed_add(&bed, "table=0,priority=3,in_port=1,udp,tp_dst=491,actions=output:4");
    /* Of lower priority than what was hit, on another port, in another table: met, and still not affected. */
    revalidated = bed_flows_stats().revalidated;
    bed_settle(&bed);
    assert_int_equal(bed_flows_stats().revalidated - revalidated, 2);
    bed_add(&bed, "table=0,priority=0,in_port=1,udp,tp_dst=5,actions=output:5");
    bed_add(&bed, "table=0,priority=3,in_port=2,udp,tp_dst=5,actions=output:5");
    bed_add(&bed, "table=1,priority=3,in_port=1,udp,tp_dst=5,actions=output:5");
    bed_settle(&bed);
    assert_int_equal(bed_flows_stats().revalidated - revalidated, 2);
    expect_way(1, 700, 4);
    expect_way(1, 491, 4);
    expect_way(1, 5, 2);
}

static void an_index_knows_what_it_cannot_tell(void **state)
{
    make_index();
    /* The key of this megaflow says port 9; table 1 sees port 600. */
    bed_add(&bed, "table=0,priority=9,in_port=1,udp,tp_dst=9,actions=set_field:600->udp_dst,resubmit(,1)");
    bed_add(&bed, "table=1,priority=1,actions=output:4");
    bed_settle(&bed);
    expect_way(1, 9, 4);
    bed_add(&bed, "table=1,priority=2,in_port=1,udp,tp_dst=600,actions=output:5");
    bed_settle(&bed);
    expect_way(1, 9, 5);
}

/* So many that they are not looked at one by one. */
static void an_index_tells_of_tables_that_no_changed_packet_came_to(void **state)
{
    make_index();
    for (int i = 0; i < 80; i++)
        bed_add(&bed, "table=0,priority=9,in_port=1,udp,tp_dst=%d,actions=set_field:600->udp_dst,resubmit(,1)",
                700 + i);
    bed_add(&bed, "table=1,priority=1,actions=output:4");
    expect_ways(1, 2, 700, 80, 4);
    bed_settle(&bed);
    uint64_t indexed = bed_flows_stats().rules_indexed;
    bed_add(&bed, "table=0,priority=2,in_port=1,udp,tp_dst=7,actions=output:3");
    assert_int_equal(bed_flows_stats().rules_indexed, indexed + 1);
    bed_settle(&bed);
    expect_way(1, 7, 3);
    bed_add(&bed, "table=1,priority=2,in_port=1,udp,tp_dst=600,actions=output:5");
    assert_int_equal(bed_flows_stats().rules_indexed, indexed + 1);
    bed_settle(&bed);
    expect_way(1, 700, 5);
    expect_way(1, 779, 5);
}

static void a_barrier_waits_for_what_changed_only(void **state)
{
    make_index();
    /* What misses left under way. */
    datapath_synchronize(bed.dp);
    datapath_token(bed.dp);
    datapath_synchronize(bed.dp);
    bed_add(&bed, "table=0,priority=2,in_port=1,udp,tp_dst=3000,actions=output:3");
    assert_true(flows_settled(bed.flows, flows_ticket(bed.flows)));
    bed_add(&bed, "table=0,priority=2,in_port=1,udp,tp_dst=7,actions=output:3");
    uint64_t ticket = flows_ticket(bed.flows);
    assert_false(flows_settled(bed.flows, ticket));
    /* A barrier behind it waits for it, though it has no change of its own. */
    bed_add(&bed, "table=0,priority=2,in_port=1,udp,tp_dst=3001,actions=output:3");
    assert_true(flows_ticket(bed.flows) > ticket);
    assert_false(flows_settled(bed.flows, flows_ticket(bed.flows)));
    bed_settle(&bed);
    expect_way(1, 7, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, bed_setup, bed_teardown)
#define PATIENT(name) cmocka_unit_test_setup_teardown(name, patient_setup, bed_teardown)
        TEST(many_adds_are_one_sweep),
        TEST(a_port_that_changes_has_its_own_megaflows_translated_again),
        PATIENT(a_port_and_an_address_that_many_rest_on),
        PATIENT(a_rule_and_a_group_that_many_rest_on),
        PATIENT(one_path_is_marked_again_while_it_is_worked_off),
        PATIENT(groups_that_watch_cost_a_change_nothing),
        TEST(punts_out_of_use_go_in_slices),
        TEST(an_index_tells_what_a_rule_meets),
        TEST(an_index_knows_what_it_cannot_tell),
        TEST(an_index_tells_of_tables_that_no_changed_packet_came_to),
        TEST(a_barrier_waits_for_what_changed_only),
    };

    if (test_eal_init("revalidate_test") != 0)
        return 77;
    pool = test_pool(8191);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
