/* Bonds of a switch that forwards: what NORMAL sends by them and takes from them, failover, what neighbours are told,
 * and how loads are counted. */
#include "src/agents/bond_agent.h"
#include "tests/lib/bed_xlate.h"

static struct loop *loop;
static struct bond_agent *agent;

static struct bridge_port *port(uint32_t ofport)
{
    return bridge_port_by_ofport(bed.bridge, ofport);
}

static int begin(void)
{
    loop = loop_create();
    agent = bond_agent_create(loop, bed.flows, pool);
    bed_add(&bed, "actions=NORMAL");
    return 0;
}

/* Without packets. */
static int setup(void **state)
{
    xlate_setup(state);
    return begin();
}

static int setup_running(void **state)
{
    xlate_setup_running(state);
    return begin();
}

static int teardown(void **state)
{
    clock_set_source(NULL);
    bond_agent_set(agent, bed.bridge, NULL, 0);
    xlate_teardown(state);
    bond_agent_destroy(agent);
    loop_destroy(loop);
    assert_int_equal(rte_mempool_in_use_count(pool), 0);
    return 0;
}

/* Ports 2 and 3 are bonded. */
static struct bond *bond_of(enum bond_mode mode)
{
    static const char *const members[] = {"p2", "p3"};
    const struct bond_agent_bond wanted = {
        .name = "bond0", .members = members, .n_members = 2, .config = {.mode = mode, .rebalance_ms = 10000}};

    bond_agent_set(agent, bed.bridge, &wanted, 1);
    return bond_agent_find(agent, "bond0")->bond;
}

static void link_of(uint32_t ofport, bool up)
{
    bridge_port_set_config(port(ofport), up ? 0 : PORT_CONFIG_DOWN, PORT_CONFIG_DOWN);
}

static void members_come_and_go(void **state)
{
    const struct bond *bond = bond_of(BOND_ACTIVE_BACKUP);

    assert_ptr_equal(port(2)->lport, port(3)->lport);
    assert_ptr_equal(port(2)->lport->bond, bond);
    assert_string_equal(lport_name(port(2)->lport), "bond0");
    assert_ptr_equal(bridge_lport_by_id(bed.bridge, port(2)->lport->id), port(2)->lport);
    assert_null(bridge_lport_by_id(bed.bridge, 2));
    assert_ptr_equal(bridge_lport_by_id(bed.bridge, 1), port(1)->lport);
    EXPECT("in_port=1,vlan_tci=0,dl_dst=ff:ff:ff:ff:ff:ff", "4,5,2");

    bond_agent_set(agent, bed.bridge, NULL, 0);
    assert_null(bond_agent_find(agent, "bond0"));
    assert_null(port(2)->lport->bond);
    EXPECT("in_port=1,vlan_tci=0,dl_dst=ff:ff:ff:ff:ff:ff", "2,3,4,5");
    assert_ptr_equal(bridge_lport_by_id(bed.bridge, 2), port(2)->lport);
}

static void active_backup_uses_one_member(void **state)
{
    bond_of(BOND_ACTIVE_BACKUP);
    EXPECT("in_port=1,vlan_tci=0,dl_dst=ff:ff:ff:ff:ff:ff", "4,5,2");
    EXPECT("in_port=3,vlan_tci=0,dl_src=02:00:00:00:00:09,dl_dst=ff:ff:ff:ff:ff:ff", "drop");
    assert_string_equal(drop_reason_name(out.drop_reason), "bond_refused");
    EXPECT("in_port=2,vlan_tci=0,dl_src=02:00:00:00:00:09,dl_dst=ff:ff:ff:ff:ff:ff", "1,4,5");
    /* Learned on the bond, wherever it is reached. */
    EXPECT("in_port=1,vlan_tci=0,dl_src=02:00:00:00:00:01,dl_dst=02:00:00:00:00:09", "2");
    link_of(2, false);
    EXPECT("in_port=1,vlan_tci=0,dl_src=02:00:00:00:00:01,dl_dst=02:00:00:00:00:09", "3");
    link_of(3, false);
    EXPECT("in_port=1,vlan_tci=0,dl_src=02:00:00:00:00:01,dl_dst=02:00:00:00:00:09", "drop");
    assert_string_equal(drop_reason_name(out.drop_reason), "bond_no_member");
    EXPECT("in_port=1,vlan_tci=0,dl_dst=ff:ff:ff:ff:ff:ff", "4,5");
    /* Rules that name a member send by that one. */
    bed_add(&bed, "priority=40000,in_port=4,actions=output:3");
    link_of(3, true);
    EXPECT("in_port=4", "3");
}

/* A bond may have the name of one of its members. */
static void a_mirror_sends_by_the_bond_of_the_name(void **state)
{
    static const char *const members[] = {"p2", "p3"};
    const struct bond_agent_bond wanted = {.name = "p2", .members = members, .n_members = 2};
    const struct mirror_config mirror = {
        .name = "m0", .select_all = true, .output_port = "p2", .output_vlan = MIRROR_NO_VLAN};
    const char *why;

    mirrors_set(bed.bridge, &mirror, 1);
    EXPECT("in_port=1,vlan_tci=0,dl_dst=ff:ff:ff:ff:ff:ff", "2,3,4,5");
    bond_agent_set(agent, bed.bridge, &wanted, 1);
    EXPECT("in_port=1,vlan_tci=0,dl_dst=ff:ff:ff:ff:ff:ff", "2,4,5");
    /* The member goes, and comes again as another. */
    bridge_port_remove(port(2));
    EXPECT("in_port=1,vlan_tci=0,dl_dst=ff:ff:ff:ff:ff:ff", "3,4,5");
    bond_agent_port_added(agent, bridge_port_add(bed.bridge,
                                                 &(struct bridge_port_params){
                                                     .kind = BRIDGE_PORT_PATCH, .name = "p2", .ofport = 2, .peer = "x"},
                                                 &why));
    EXPECT("in_port=1,vlan_tci=0,dl_dst=ff:ff:ff:ff:ff:ff", "3,4,5");
}

/* Not by NORMAL, which looks at sources for itself. */
static void a_mirror_to_slb_looks_at_the_source(void **state)
{
    const struct mirror_config mirror = {
        .name = "m0", .select_all = true, .output_port = "bond0", .output_vlan = MIRROR_NO_VLAN};
    struct bond *bond = bond_of(BOND_BALANCE_SLB);
    const struct rte_ether_addr mac = {{2, 0, 0, 0, 0, 1}};

    bed_add(&bed, "priority=40000,in_port=4,actions=output:5");
    mirrors_set(bed.bridge, &mirror, 1);
    bond_migrate(bond, (uint8_t)(bond_hash_source(&mac, 0, 0) % BOND_BUCKETS), bond_find(bond, "p3"));
    EXPECT("in_port=4,vlan_tci=0,dl_src=02:00:00:00:00:01", "3,5");
    assert_true(rte_is_broadcast_ether_addr(&out.wc.pkt.eth_src));
}

static void slb_sends_by_source_and_does_not_loop(void **state)
{
    struct bond *bond = bond_of(BOND_BALANCE_SLB);
    const struct rte_ether_addr mac = {{2, 0, 0, 0, 0, 1}};
    unsigned bucket = bond_hash_source(&mac, 0, 0) % BOND_BUCKETS;

    bond_migrate(bond, (uint8_t)bucket, bond_find(bond, "p3"));
    EXPECT("in_port=1,vlan_tci=0,dl_src=02:00:00:00:00:01,dl_dst=ff:ff:ff:ff:ff:ff", "4,5,3");
    bond_migrate(bond, (uint8_t)bucket, bond_find(bond, "p2"));
    EXPECT("in_port=1,vlan_tci=0,dl_src=02:00:00:00:00:01,dl_dst=ff:ff:ff:ff:ff:ff", "4,5,2");
    /* It comes back over the other member, flooded by the neighbour, and then in its own right. */
    EXPECT("in_port=3,vlan_tci=0,dl_src=02:00:00:00:00:01,dl_dst=ff:ff:ff:ff:ff:ff", "drop");
    EXPECT("in_port=2,vlan_tci=0,dl_src=02:00:00:00:00:01,dl_dst=ff:ff:ff:ff:ff:ff", "drop");
    EXPECT("in_port=3,vlan_tci=0,dl_src=02:00:00:00:00:01,dl_dst=02:00:00:00:00:77", "drop");
    assert_string_equal(drop_reason_name(out.drop_reason), "bond_refused");
    /* Stations behind the bond: group addresses from the active member alone. */
    EXPECT("in_port=2,vlan_tci=0,dl_src=02:00:00:00:00:09,dl_dst=ff:ff:ff:ff:ff:ff", "1,4,5");
    EXPECT("in_port=3,vlan_tci=0,dl_src=02:00:00:00:00:09,dl_dst=ff:ff:ff:ff:ff:ff", "drop");
    EXPECT("in_port=3,vlan_tci=0,dl_src=02:00:00:00:00:09,dl_dst=02:00:00:00:00:01", "1");
    /* Never back to the bond. */
    EXPECT("in_port=3,vlan_tci=0,dl_src=02:00:00:00:00:08,dl_dst=02:00:00:00:00:09", "drop");
    assert_string_equal(drop_reason_name(out.drop_reason), "output_input");
}

#define GRATUITOUS(in_port)                                                                                            \
    "in_port=" in_port ",vlan_tci=0,dl_src=02:00:00:00:00:01,dl_dst=ff:ff:ff:ff:ff:ff,arp,arp_op=1,arp_spa=10.0.0.1,"  \
    "arp_tpa=10.0.0.1"

static uint64_t clock_ms;
static uint64_t test_clock(void)
{
    return clock_ms * 1000;
}

static void a_station_that_moves_behind_the_bond_is_followed(void **state)
{
    struct bond *bond = bond_of(BOND_BALANCE_SLB);

    clock_ms = clock_now_ms();
    clock_set_source(test_clock);
    bond_make_active(bond, bond_find(bond, "p2"), clock_ms);
    for (unsigned bucket = 0; bucket < BOND_BUCKETS; bucket++)
        bond_migrate(bond, (uint8_t)bucket, bond_find(bond, "p2"));
    EXPECT("in_port=1,vlan_tci=0,dl_src=02:00:00:00:00:01,dl_dst=02:00:00:00:00:05", "4,5,2");
    EXPECT("in_port=2,vlan_tci=0,dl_src=02:00:00:00:00:01,dl_dst=02:00:00:00:00:05", "drop");
    /* It announced itself here: what comes back is that packet. No megaflow takes either of them. */
    actions_of(GRATUITOUS("1"));
    assert_true(out.deps.no_news);
    EXPECT(GRATUITOUS("2"), "drop");
    assert_true(out.deps.no_news);
    clock_ms += 5001;
    EXPECT(GRATUITOUS("2"), "1,4,5");
    assert_ptr_equal(
        bridge_lport_by_id(bed.bridge,
                           mac_table_lookup(bed.bridge->macs, &(struct rte_ether_addr){{2, 0, 0, 0, 0, 1}}, 0)->lport),
        port(2)->lport);
    EXPECT("in_port=2,vlan_tci=0,dl_src=02:00:00:00:00:01,dl_dst=02:00:00:00:00:05", "1,4,5");
}

static void vlans_are_the_bonds(void **state)
{
    struct lport *lport;

    bond_of(BOND_ACTIVE_BACKUP);
    lport = port(2)->lport;
    lport->vlan.mode = VLAN_MODE_ACCESS;
    lport->vlan.tag = 7;
    EXPECT("in_port=3,dl_vlan=7,dl_dst=ff:ff:ff:ff:ff:ff", "drop");
    assert_string_equal(drop_reason_name(out.drop_reason), "normal_vlan");
    EXPECT("in_port=2,vlan_tci=0,dl_dst=ff:ff:ff:ff:ff:ff", "push_vlan(vid=7,pcp=0),1,4,5");
    EXPECT("in_port=1,dl_vlan=7,dl_vlan_pcp=0,dl_dst=ff:ff:ff:ff:ff:ff", "4,5,pop_vlan,2");
}

static void tcp_sends_by_a_hash_in_the_datapath(void **state)
{
    struct bond *bond = bond_of(BOND_BALANCE_TCP);
    unsigned to[BED_PORTS + 1] = {0};
    struct rte_mbuf *m;

    EXPECT("in_port=1,udp,vlan_tci=0,dl_dst=ff:ff:ff:ff:ff:ff", "4,5");
    bond_set_lacp(bond, BOND_LACP_NEGOTIATED, clock_now_ms());
    actions_of("in_port=1,udp,vlan_tci=0,dl_dst=ff:ff:ff:ff:ff:ff");
    assert_non_null(strstr(program_text, "4,5,hash(l4(0)),recirc("));
    /* No field of the flow is looked at. */
    EXPECT_MASK("recirc_id(0),in_port(1),eth(src=00:00:00:00:00:00,dst=ff:ff:ff:ff:ff:ff)");

    /* 64 flows of one station, to one that is behind the bond. */
    bed_settle(&bed);
    send_to(3, bed_udp_of(9, 1, 1, 1));
    while ((m = receive(4, 100)))
        rte_pktmbuf_free(m);
    for (uint16_t i = 0; i < 64; i++) {
        send_to(1, bed_udp_of(1, 9, 1, i));
        for (uint32_t p = 2; p <= 3; p++) {
            while ((m = receive(p, p == 2 ? 0 : 5))) {
                rte_pktmbuf_free(m);
                to[p]++;
            }
        }
    }
    for (uint32_t p = 2; p <= 3; p++) {
        while ((m = receive(p, 200))) {
            rte_pktmbuf_free(m);
            to[p]++;
        }
    }
    assert_int_equal(to[2] + to[3], 64);
    assert_true(to[2] > 10 && to[3] > 10);
    /* Far fewer megaflows than with one for each flow: those in front of the hash are one. */
    bed_count(&bed);
    uint64_t bytes = 0;
    for (unsigned b = 0; b < BOND_BUCKETS; b++)
        bytes += bond->buckets[b].bytes;
    assert_int_equal(bytes, 64 * 60);
}

static bool is_rarp(const struct rte_mbuf *m, uint8_t station)
{
    const uint8_t *b = rte_pktmbuf_mtod(m, const uint8_t *);
    static const uint8_t fixed[] = {0x80, 0x35, 0, 1, 8, 0, 6, 4, 0, 3};

    return b[0] == 0xff && b[11] == station && memcmp(b + 12, fixed, sizeof fixed) == 0 && b[27] == station;
}

static void neighbours_are_told_after_a_failover(void **state)
{
    unsigned told = 0;
    struct rte_mbuf *m;

    bond_of(BOND_ACTIVE_BACKUP);
    for (unsigned i = 0; i < 40; i++) { /* more than are told in a turn */
        const struct rte_ether_addr mac = {{2, 0, 0, 0, 0, (uint8_t)(0x10 + i)}};

        mac_table_learn(bed.bridge->macs, &mac, 0, i == 0 ? port(2)->lport->id : 1, clock_now_ms());
    }
    loop_turn(loop);
    while ((m = receive(2, 20)))
        rte_pktmbuf_free(m);
    link_of(2, false);
    for (uint64_t end = clock_now_ms() + 5000; told < 39 && clock_now_ms() < end;) {
        loop_turn(loop);
        bed_turn(&bed);
        while ((m = receive(3, 1))) {
            assert_true(is_rarp(m, (uint8_t)(0x11 + told)));
            rte_pktmbuf_free(m);
            told++;
        }
    }
    assert_int_equal(told, 39);
    expect_nothing(2);
}

static void traffic_goes_on_when_a_link_goes(void **state)
{
    bond_of(BOND_ACTIVE_BACKUP);
    send_to(2, bed_udp_of(9, 1, 1, 1));
    expect_out(4);
    expect_way_of(1, 9, 80, 2);
    link_of(2, false);
    bed_settle(&bed);
    expect_way_of(1, 9, 80, 3);
    link_of(3, false);
    link_of(2, true);
    bed_settle(&bed);
    expect_way_of(1, 9, 80, 2);
}

static void a_port_that_is_removed_leaves_its_bond(void **state)
{
    const struct bond *bond = bond_of(BOND_ACTIVE_BACKUP);

    bridge_port_remove(port(2));
    assert_int_equal(bond->n_enabled, 1);
    assert_string_equal(bond->active->name, "p3");
    EXPECT("in_port=1,vlan_tci=0,dl_dst=ff:ff:ff:ff:ff:ff", "4,5,3");
    bridge_port_remove(port(3));
    assert_null(bond->active);
    EXPECT("in_port=1,vlan_tci=0,dl_dst=ff:ff:ff:ff:ff:ff", "4,5");
}

/* --- LACP ---------------------------------------------------------------- */

/* One turn; what leaves ports 2 and 3 comes in by 4 and 5, and the other way, if the cables are whole. */
static void turn(bool whole)
{
    static const uint32_t peers[BED_PORTS + 1] = {[2] = 4, [3] = 5, [4] = 2, [5] = 3};
    struct rte_mbuf *m;

    bed_turn(&bed);
    loop_turn(loop);
    for (uint32_t p = 1; p <= BED_PORTS; p++) {
        while (rte_ring_sc_dequeue(bed.fake[p]->out, (void **)&m) == 0) {
            if (whole && peers[p])
                send_to(peers[p], m);
            else
                rte_pktmbuf_free(m);
        }
    }
    usleep(100);
}

#define WAIT_FOR(condition, whole)                                                                                     \
    for (uint64_t end_ = clock_now_ms() + 15000; !(condition);) {                                                      \
        assert_true(clock_now_ms() < end_);                                                                            \
        turn(whole);                                                                                                   \
    }

static void two_bonds_agree_by_lacp(void **state)
{
    static const char *const members[] = {"p2", "p3"}, *const others[] = {"p4", "p5"};
    const struct lacp_config one = {.active = true, .fast = true, .system_priority = 1, .system = {2, 0, 0, 0, 0, 1}};
    const struct lacp_config two = {.active = false, .fast = true, .system_priority = 1, .system = {2, 0, 0, 0, 0, 2}};
    struct bond_agent_bond bonds[] = {
        {.name = "one", members, 2, {.mode = BOND_BALANCE_TCP}, .speaks_lacp = true, .lacp = one},
        {.name = "two", others, 2, {.mode = BOND_BALANCE_TCP}, .speaks_lacp = true, .lacp = two},
    };
    const struct bond *a, *b;

    bond_agent_set(agent, bed.bridge, bonds, 2);
    a = bond_agent_find(agent, "one")->bond;
    b = bond_agent_find(agent, "two")->bond;
    /* Nothing is sent, and ports are not live, before both ends agree. */
    assert_false(port(2)->state & PORT_STATE_LIVE);
    assert_int_equal(a->n_enabled, 0);
    WAIT_FOR(a->n_enabled == 2 && b->n_enabled == 2, true);
    assert_int_equal(a->lacp, BOND_LACP_NEGOTIATED);
    assert_int_equal(bond_way(a), BOND_BY_FLOW);
    assert_true(port(2)->state & PORT_STATE_LIVE);
    assert_int_equal(aggregation_member(port(2))->partner.system[5], 2);
    assert_non_null(bond_agent_find_lacp(agent, "two"));

    /* The protocol takes its packets before any table. */
    actions_of("in_port=2,dl_dst=01:80:c2:00:00:02,dl_type=0x8809");
    assert_non_null(strstr(program_text, "userspace"));
    EXPECT("in_port=1,dl_dst=01:80:c2:00:00:02,dl_type=0x8809", "drop");

    /* A neighbour that is silent for three seconds is not used; one that speaks again is. */
    WAIT_FOR(a->n_enabled == 0, false);
    assert_false(port(2)->state & PORT_STATE_LIVE);
    WAIT_FOR(a->n_enabled == 2 && b->n_enabled == 2, true);

    bonds[0].speaks_lacp = false;
    bonds[0].config.mode = BOND_ACTIVE_BACKUP;
    bond_agent_set(agent, bed.bridge, bonds, 1);
    assert_null(aggregation_member(port(2)));
    assert_int_equal(a->lacp, BOND_LACP_OFF);
    assert_int_equal(a->n_enabled, 2);
    assert_null(bond_agent_find_lacp(agent, "two"));
    assert_true(port(4)->state & PORT_STATE_LIVE);
}

static void one_port_alone_may_speak_lacp(void **state)
{
    static const char *const members[] = {"p2"};
    struct bond_agent_bond wanted = {.name = "p2",
                                     .members = members,
                                     .n_members = 1,
                                     .speaks_lacp = true,
                                     .lacp = {.active = true, .fast = true, .system = {2, 0, 0, 0, 0, 1}}};

    bond_agent_set(agent, bed.bridge, &wanted, 1);
    assert_null(port(2)->lport->bond);
    assert_null(bond_agent_find(agent, "p2"));
    assert_non_null(bond_agent_find_lacp(agent, "p2"));
    assert_non_null(aggregation_member(port(2)));
    bridge_port_remove(port(2));
    assert_int_equal(bond_agent_find_lacp(agent, "p2")->n_members, 0);
}

int main(void)
{
#define RUNNING(name) cmocka_unit_test_setup_teardown(name, setup_running, teardown)
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(members_come_and_go),
        TEST(active_backup_uses_one_member),
        TEST(a_mirror_sends_by_the_bond_of_the_name),
        TEST(a_mirror_to_slb_looks_at_the_source),
        TEST(slb_sends_by_source_and_does_not_loop),
        TEST(a_station_that_moves_behind_the_bond_is_followed),
        TEST(vlans_are_the_bonds),
        RUNNING(tcp_sends_by_a_hash_in_the_datapath),
        RUNNING(neighbours_are_told_after_a_failover),
        RUNNING(traffic_goes_on_when_a_link_goes),
        TEST(a_port_that_is_removed_leaves_its_bond),
        RUNNING(two_bonds_agree_by_lacp),
        TEST(one_port_alone_may_speak_lacp),
    };

    if (test_eal_init("bond_agent_test") < 0)
        return 1;
    pool = test_pool(2047);
    return pool ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
