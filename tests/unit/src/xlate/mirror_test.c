/* Mirrors: which packets they take, how these look and where they go, once each; and what becomes of megaflows and
 * counters. Ports 1 to 5 of br0, whose names end in their numbers. */
#include "src/bridge/bridge_impl.h"
#include "src/xlate/recirc.h"
#include "tests/lib/bed_xlate.h"

#define ICMP "icmp,dl_src=50:54:00:00:00:05,dl_dst=50:54:00:00:00:07,nw_src=192.168.0.1,nw_dst=192.168.0.2,nw_ttl=128"

static const char *name_of(uint32_t ofport)
{
    return bridge_port_by_ofport(bed.bridge, ofport)->name;
}

static void set(const struct mirror_config *config)
{
    struct mirror_config copy = *config;

    if (!copy.name)
        copy.name = "m0";
    if (copy.output_port)
        copy.output_vlan = MIRROR_NO_VLAN;
    mirrors_set(bed.bridge, &copy, 1);
}

/* Port 3 gets all. */
static void set_all(void)
{
    set(&(struct mirror_config){.select_all = true, .output_port = name_of(3)});
}

static void to_and_fro(void)
{
    bed_add(&bed, "in_port=1,actions=output:2");
    bed_add(&bed, "in_port=2,actions=output:1");
}

static void all_packets(void **state)
{
    to_and_fro();
    set_all();
    EXPECT("in_port=1," ICMP, "3,2");
    /* Nothing is looked at for it. */
    EXPECT_MASK("recirc_id(0),in_port(1)");
    EXPECT("in_port=2," ICMP, "3,1");
    mirrors_set(bed.bridge, NULL, 0);
    EXPECT("in_port=1," ICMP, "2");
}

static void packets_that_come_in(void **state)
{
    const char *ports[] = {name_of(1)};

    to_and_fro();
    set(&(struct mirror_config){.select_src_port = ports, .n_select_src_port = 1, .output_port = name_of(3)});
    EXPECT("in_port=1," ICMP, "3,2");
    EXPECT("in_port=2," ICMP, "1");
    /* Also such as are dropped. */
    bed_add(&bed, "priority=60000,in_port=1,actions=drop");
    EXPECT("in_port=1," ICMP, "3");
}

static void packets_that_go_out(void **state)
{
    const char *ports[] = {name_of(2)};

    to_and_fro();
    set(&(struct mirror_config){.select_dst_port = ports, .n_select_dst_port = 1, .output_port = name_of(3)});
    EXPECT("in_port=1," ICMP, "2,3");
    EXPECT("in_port=2," ICMP, "1");
}

/* A packet that a controller sends came in by no port. */
static void packets_of_no_port(void **state)
{
    bed_add(&bed, "actions=output:1");
    set(&(struct mirror_config){.select_all = true, .output_port = name_of(2)});
    EXPECT(ICMP, "1,2");
}

static void packets_of_a_vlan(void **state)
{
    static const int vlans[] = {11};

    bed_add(&bed, "in_port=1,actions=output:2");
    set(&(struct mirror_config){
        .select_all = true, .select_vlan = vlans, .n_select_vlan = 1, .output_port = name_of(3)});
    EXPECT("in_port=1,vlan_tci=0," ICMP, "2");
    EXPECT("in_port=1,dl_vlan=10,dl_vlan_pcp=0," ICMP, "2");
    EXPECT("in_port=1,dl_vlan=11,dl_vlan_pcp=0," ICMP, "3,2");
    assert_true((out.wc.pkt.vlan_tci[0] & RTE_BE16(0x0fff)) == RTE_BE16(0x0fff));
}

/* As they are where they meet the mirror. */
static void packets_that_are_changed(void **state)
{
    const char *ports[] = {name_of(2)};

    bed_add(&bed, "in_port=1,actions=mod_vlan_vid:17,output:2");
    set_all();
    EXPECT("in_port=1,vlan_tci=0," ICMP, "3,push_vlan(vid=17,pcp=0),2");
    set(&(struct mirror_config){.select_dst_port = ports, .n_select_dst_port = 1, .output_port = name_of(3)});
    EXPECT("in_port=1,vlan_tci=0," ICMP, "push_vlan(vid=17,pcp=0),2,3");
}

static void a_packet_goes_to_a_place_once(void **state)
{
    const struct mirror_config two[] = {
        {.name = "a", .select_all = true, .output_port = name_of(3), .output_vlan = MIRROR_NO_VLAN},
        {.name = "b", .select_all = true, .output_port = name_of(3), .output_vlan = MIRROR_NO_VLAN},
        {.name = "c", .select_all = true, .output_port = name_of(4), .output_vlan = MIRROR_NO_VLAN},
    };

    bed_add(&bed, "in_port=1,actions=output:2,output:5,mod_nw_dst:10.0.0.1,output:2");
    mirrors_set(bed.bridge, two, RTE_DIM(two));
    EXPECT("in_port=1," ICMP, "3,4,2,5,set(ipv4(dst=10.0.0.1)),2");
}

static void behind_a_recirculation_too(void **state)
{
    const struct recirc *left;

    bed_add(&bed, "in_port=1,ip,actions=output:2,ct(table=1)");
    set_all();
    actions_of("in_port=1," ICMP);
    left = recirc_get(1);
    for (uint32_t id = 2; recirc_get(id); id++)
        left = recirc_get(id);
    assert_int_equal(left->state.mirrored, 1);
    if (strncmp(program_text, "3,2,ct,recirc(", 14) != 0)
        fail_msg("%s", program_text);
}

/* --- VLANs --------------------------------------------------------------- */

static void access_port(uint32_t ofport, uint16_t vlan)
{
    struct bridge_port *bp = bridge_port_by_ofport(bed.bridge, ofport);

    bp->lport->vlan.mode = VLAN_MODE_ACCESS;
    bp->lport->vlan.tag = vlan;
    bridge_note_port(bp, BRIDGE_PORT_VLAN);
}

/* A trunk shows which VLAN the packet is in. */
static void vlans_of_ports_count(void **state)
{
    to_and_fro();
    access_port(1, 10);
    set_all();
    EXPECT("in_port=1,vlan_tci=0," ICMP, "push_vlan(vid=10,pcp=0),3,pop_vlan,2");
    access_port(3, 30);
    EXPECT("in_port=1,vlan_tci=0," ICMP, "3,2");
    /* A VLAN that a port does not take is none that is mirrored there. */
    EXPECT("in_port=1,dl_vlan=5," ICMP, "2,pop_vlan,3");
}

static void to_a_vlan(void **state)
{
    for (uint32_t ofport = 3; ofport <= BED_PORTS; ofport++)
        access_port(ofport, 7);
    access_port(5, 12);
    to_and_fro();
    bed_add(&bed, "priority=60000,in_port=2,dl_src=50:54:00:00:00:05,actions=mod_vlan_vid:17,output:1");
    set(&(struct mirror_config){.select_all = true, .output_vlan = 12});
    /* Ports that get it with the tag that it has go first, the access port here; the port that it came in by is one. */
    EXPECT("in_port=1,vlan_tci=0," ICMP, "5,push_vlan(vid=12,pcp=0),1,2,pop_vlan,2");
    EXPECT("in_port=2,vlan_tci=0," ICMP, "5,push_vlan(vid=12,pcp=0),1,2,pop_vlan,push_vlan(vid=17,pcp=0),1");
    /* What is in the VLAN anyway is not sent there again, nor what bridges keep to themselves. */
    EXPECT("in_port=1,dl_vlan=12,dl_vlan_pcp=0," ICMP, "2");
    EXPECT("in_port=1,vlan_tci=0,dl_dst=01:80:c2:00:00:01", "2");
}

/* Mirrors of several VLANs, and a bridge that learns: nothing comes twice. */
static void to_several_vlans(void **state)
{
    const struct mirror_config two[] = {
        {.name = "m1", .select_all = true, .output_vlan = 500},
        {.name = "m2", .select_all = true, .output_vlan = 501},
    };

    access_port(1, 0);
    access_port(2, 500);
    access_port(3, 501);
    access_port(4, 0);
    access_port(5, 6);
    bed_add(&bed, "actions=NORMAL");
    mirrors_set(bed.bridge, two, 2);
    EXPECT("in_port=1,vlan_tci=0," ICMP, "2,3,4");
}

/* --- the port that is there for the mirror ------------------------------- */

static void nothing_else_goes_to_the_output(void **state)
{
    bed_add(&bed, "in_port=1,actions=NORMAL");
    bed_add(&bed, "in_port=2,actions=FLOOD");
    bed_add(&bed, "in_port=3,actions=NORMAL");
    translate_packet("in_port=3,vlan_tci=0,dl_src=50:54:00:00:00:07,dl_dst=ff:ff:ff:ff:ff:ff", true);
    EXPECT("in_port=1,vlan_tci=0," ICMP, "3");
    /* What was learned there is forgotten. */
    set(&(struct mirror_config){.output_port = name_of(3)});
    EXPECT("in_port=1,vlan_tci=0," ICMP, "2,4,5");
    EXPECT("in_port=2,vlan_tci=0," ICMP, "1,4,5");
    EXPECT("in_port=3,vlan_tci=0," ICMP, "drop");
    assert_string_equal(drop_reason_name(out.drop_reason), "mirror_port");
    /* A rule that says so does. */
    bed_add(&bed, "priority=60000,in_port=1,actions=output:3");
    EXPECT("in_port=1,vlan_tci=0," ICMP, "3");
}

/* By name, whatever comes first; megaflows follow. */
static void ports_come_and_go(void **state)
{
    struct bridge_port_params params = {.kind = BRIDGE_PORT_PATCH, .name = "later", .ofport = 9, .peer = "none"};
    const char *ports[] = {name_of(1)};
    const char *why;
    struct bridge_port *bp;

    to_and_fro();
    set(&(struct mirror_config){.select_src_port = ports, .n_select_src_port = 1, .output_port = "later"});
    EXPECT("in_port=1," ICMP, "2");
    assert_null(mirror_by_name(bed.bridge, "m0")->out);
    bp = bridge_port_add(bed.bridge, &params, &why);
    assert_ptr_equal(mirror_by_name(bed.bridge, "m0")->out, bp->lport);
    bridge_port_remove(bp);
    assert_null(mirror_by_name(bed.bridge, "m0")->out);
    EXPECT("in_port=1," ICMP, "2");
}

static void cut_short(void **state)
{
    to_and_fro();
    set(&(struct mirror_config){.select_all = true, .output_port = name_of(3), .snaplen = 100});
    EXPECT("in_port=1," ICMP, "trunc(100),3,2");
    set_all();
    EXPECT("in_port=1," ICMP, "3,2");
}

/* --- other bridges ------------------------------------------------------- */

static struct bridge *other;

static void add_patch(struct bridge *bridge, const char *name, uint32_t ofport, const char *peer)
{
    const char *error = NULL;

    assert_non_null(bridge_port_add(
        bridge, &(struct bridge_port_params){.kind = BRIDGE_PORT_PATCH, .name = name, .ofport = ofport, .peer = peer},
        &error));
}

static void add_device(struct bridge *bridge, const char *name, uint32_t ofport)
{
    const char *error;
    struct fake_port *fake = fake_port_create(1024);

    fake->port.ops = bed_ops();
    assert_int_equal(datapath_port_add(bed.dp, &fake->port), 0);
    assert_non_null(bridge_port_add(
        bridge, &(struct bridge_port_params){.port = &fake->port, .name = name, .ofport = ofport}, &error));
}

static void each_bridge_has_its_own_mirrors(void **state)
{
    const struct mirror_config there = {
        .name = "m0", .select_all = true, .output_port = "q2", .output_vlan = MIRROR_NO_VLAN};
    struct bed second;

    other = bridge_create("br1", 2, bed.dp);
    second = (struct bed){.bridge = other};
    flows_attach(bed.flows, other);
    add_device(other, "q1", 1); /* datapath port 6 */
    add_device(other, "q2", 2); /* 7 */
    add_patch(bed.bridge, "pa", 10, "pb");
    add_patch(other, "pb", 20, "pa");
    bed_add(&bed, "in_port=1,actions=output:10,output:2");
    bed_add(&second, "in_port=20,actions=output:1");
    mirrors_set(other, &there, 1);
    set_all();
    EXPECT("in_port=1," ICMP, "3,7,6,2");
    /* The other bridge is the mirror's output. */
    set(&(struct mirror_config){.select_all = true, .output_port = "pa"});
    bed_add(&bed, "priority=60000,in_port=1,actions=output:2");
    EXPECT("in_port=1," ICMP, "7,6,2");
    assert_int_equal(out.deps.n_bridges, 2);
    set(&(struct mirror_config){.select_all = true, .output_port = "pa", .snaplen = 64});
    EXPECT("in_port=1," ICMP, "2");
    bed_forget_bridge(&bed, other);
    bridge_destroy(other);
}

/* --- with poll-mode threads ---------------------------------------------- */

/* A packet that comes in by port 1 leaves by port 2, and by `mirrored`; 0: by no other. */
static void expect_mirrored(uint32_t mirrored)
{
    struct rte_mbuf *m;

    send_to(1, bed_udp());
    expect_out(2);
    if (mirrored) {
        m = receive(mirrored, 2000);
        assert_non_null(m);
        assert_int_equal(m->pkt_len, 60);
        rte_pktmbuf_free(m);
    }
    for (uint32_t port = 3; port <= BED_PORTS; port++) {
        if (port != mirrored)
            expect_nothing(port);
    }
}

static const struct mirror *the_mirror(void)
{
    bed_count(&bed);
    return mirror_by_name(bed.bridge, "m0");
}

static void megaflows_and_counters_follow(void **state)
{
    bed_add(&bed, "in_port=1,actions=output:2");
    expect_mirrored(0);
    set_all();
    bed_settle(&bed);
    for (int i = 0; i < 5; i++)
        expect_mirrored(3);
    assert_int_equal(the_mirror()->packets, 5);
    /* Other settings of a mirror leave its counters. */
    set(&(struct mirror_config){.select_all = true, .output_port = name_of(4)});
    bed_settle(&bed);
    expect_mirrored(4);
    assert_int_equal(the_mirror()->packets, 6);
    assert_int_equal(the_mirror()->bytes, 6 * 60);
    /* Without a place to go to nothing is counted. */
    set(&(struct mirror_config){.select_all = true, .output_port = "nowhere"});
    bed_settle(&bed);
    expect_mirrored(0);
    assert_int_equal(the_mirror()->packets, 6);
    mirrors_set(bed.bridge, NULL, 0);
    bed_settle(&bed);
    expect_mirrored(0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, xlate_setup, xlate_teardown)
    const struct CMUnitTest tests[] = {
        TEST(all_packets),
        TEST(packets_that_come_in),
        TEST(packets_that_go_out),
        TEST(packets_of_no_port),
        TEST(packets_of_a_vlan),
        TEST(packets_that_are_changed),
        TEST(a_packet_goes_to_a_place_once),
        TEST(behind_a_recirculation_too),
        TEST(vlans_of_ports_count),
        TEST(to_a_vlan),
        TEST(to_several_vlans),
        TEST(nothing_else_goes_to_the_output),
        TEST(ports_come_and_go),
        TEST(cut_short),
        TEST(each_bridge_has_its_own_mirrors),
        cmocka_unit_test_setup_teardown(megaflows_and_counters_follow, xlate_setup_running, xlate_teardown),
    };

    if (test_eal_init("mirror_test") != 0)
        return 77;
    pool = test_pool(4095);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
