/* Ports come and go and move between bridges while megaflows, packets under way and packet-outs still name them: no
 * packet of one bridge ever leaves by a port of another, and no count of one port is another's. */
#include "pmd/base/clock.h"
#include "src/match/of_error.h"
#include "src/tables/meter.h"
#include "tests/lib/bed_traffic.h"
#include "tests/lib/bundles.h"

#define MARK_AT 6 /* in the Ethernet source: which bridge the packet belongs to */

static struct bridge *other_bridge;

static int setup(void **state)
{
    bed_setup(state);
    other_bridge = bridge_create("br1", 2, bed.dp);
    flows_attach(bed.flows, other_bridge);
    return 0;
}

static int teardown(void **state)
{
    bed_forget_bridge(&bed, other_bridge);
    bridge_destroy(other_bridge);
    return bed_teardown(state);
}

static struct fake_port *plug(struct bridge *bridge, uint32_t ofport)
{
    struct fake_port *fake = fake_port_create(1024);
    const char *why;
    char name[16];

    fake->port.ops = bed_ops();
    snprintf(name, sizeof name, "q%u", ofport);
    assert_int_equal(datapath_port_add(bed.dp, &fake->port), 0);
    assert_non_null(bridge_port_add(
        bridge, &(struct bridge_port_params){.port = &fake->port, .name = name, .ofport = ofport}, &why));
    return fake;
}

/* Takes a port out, as a reload does: when it returns, its device is closed. */
static void unplug(struct bridge *bridge, uint32_t ofport)
{
    bridge_port_remove(bridge_port_by_ofport(bridge, ofport));
    for (int i = 0; i < 3; i++) {
        datapath_synchronize(bed.dp);
        datapath_reclaim(bed.dp);
    }
}

static void add_rule(struct bridge *bridge, const char *text)
{
    struct bridge *first = bed.bridge;

    bed.bridge = bridge;
    bed_add(&bed, "%s", text);
    bed.bridge = first;
}

static uint64_t rx_packets(uint32_t index)
{
    struct datapath_port_stats stats;

    datapath_port_stats(bed.dp, index, &stats);
    return stats.rx_packets;
}

static void put(struct fake_port *fake, struct rte_mbuf *m)
{
    assert_int_equal(rte_ring_sp_enqueue(fake->in, m), 0);
}

/* The thread has received what was put into the port. The control thread does nothing meanwhile. */
static void wait_received(const struct fake_port *fake)
{
    while (!rte_ring_empty(fake->in))
        usleep(20);
    datapath_synchronize(bed.dp);
}

static unsigned took(struct fake_port *fake)
{
    struct rte_mbuf *m;
    unsigned n = 0;

    for (; rte_ring_sc_dequeue(fake->out, (void **)&m) == 0; n++)
        rte_pktmbuf_free(m);
    return n;
}

/* Until nothing of a removed port is left, which is when its index goes to the next port. */
static struct fake_port *plug_when_free(struct bridge *bridge, uint32_t ofport, uint32_t index)
{
    uint64_t end = clock_now_ms() + 10000;
    struct fake_port *fake = plug(bridge, ofport);

    while (fake->port.index != index) {
        assert_true(clock_now_ms() < end);
        unplug(bridge, ofport);
        for (int i = 0; i < 20; i++)
            bed_turn(&bed);
        usleep(500);
        fake = plug(bridge, ofport);
    }
    return fake;
}

static void a_megaflow_does_not_send_to_the_next_port(void **state)
{
    struct fake_port *next;

    bed_add(&bed, "in_port=1,actions=output:3");
    send_to(1, bed_udp());
    expect_out(3);
    unplug(bed.bridge, 3);
    next = plug(other_bridge, 1);
    for (int i = 0; i < 100; i++) {
        put(bed.fake[1], bed_udp());
        wait_received(bed.fake[1]);
    }
    assert_int_equal(took(next), 0);
    for (int i = 0; i < 100; i++) {
        put(bed.fake[1], bed_udp());
        bed_turn(&bed);
    }
    wait_received(bed.fake[1]);
    assert_int_equal(took(next), 0);
    /* The index is not lost. */
    plug_when_free(other_bridge, 2, 3);
}

static void a_megaflow_does_not_take_packets_of_the_next_port(void **state)
{
    struct fake_port *next;

    for (int narrow = 0; narrow < 2; narrow++) {
        uint32_t from = narrow ? 3 : 2;

        /* Of the whole port, then of one of many flows. */
        bed_add(&bed, narrow ? "in_port=3,udp,tp_src=256,actions=output:1" : "in_port=2,actions=output:1");
        send_to(from, bed_udp());
        expect_out(1);
        unplug(bed.bridge, from);
        next = plug(other_bridge, 1 + (uint32_t)narrow);
        for (int i = 0; i < 100; i++) {
            put(next, bed_udp());
            wait_received(next);
        }
        assert_int_equal(took(bed.fake[1]), 0);
        for (int i = 0; i < 100; i++) {
            put(next, bed_udp());
            bed_turn(&bed);
        }
        wait_received(next);
        assert_int_equal(took(bed.fake[1]), 0);
    }
}

/* The first packet of a flow is with the control thread, others wait behind it. */
static void a_miss_under_way_is_not_decided_by_the_next_port(void **state)
{
    struct drop_counters drops;
    struct fake_port *far;

    bed_add(&bed, "in_port=3,actions=output:1");
    add_rule(other_bridge, "actions=output:9");
    far = plug(other_bridge, 9);
    for (int i = 0; i < 40; i++)
        put(bed.fake[3], bed_udp());
    wait_received(bed.fake[3]);
    unplug(bed.bridge, 3);
    plug(other_bridge, 1);
    for (int i = 0; i < 1000; i++)
        bed_turn(&bed);
    datapath_synchronize(bed.dp);
    assert_int_equal(took(far), 0);
    assert_int_equal(took(bed.fake[1]), 0);
    datapath_drops(bed.dp, &drops);
    assert_int_equal(drops.packets[DROP_BRIDGE_UNKNOWN] + drops.packets[DROP_MISS_PENDING_FULL], 40);
    plug_when_free(other_bridge, 2, 3);
}

/* A flow whose packet does not come back holds its port's index until the thread gives it up. */
static void a_lost_miss_holds_the_index(void **state)
{
    struct rte_mbuf *lost;
    struct fake_port *next;

    bed_add(&bed, "in_port=3,actions=output:1");
    for (int i = 0; i < 4; i++)
        put(bed.fake[3], bed_udp());
    wait_received(bed.fake[3]);
    while (datapath_miss_dequeue(bed.dp, &lost, 1) == 0)
        usleep(20);
    rte_pktmbuf_free(lost);
    unplug(bed.bridge, 3);
    for (int i = 0; i < 1000; i++)
        bed_turn(&bed);
    next = plug(other_bridge, 1);
    assert_int_not_equal(next->port.index, 3);
    plug_when_free(other_bridge, 2, 3);
}

static void a_packet_out_that_is_held_back_does_not_leave_by_the_next_port(void **state)
{
    static const struct flow around = {.in_port = OFPORT_CONTROLLER};
    struct held_packet *held;
    struct act_buffer acts;
    struct fake_port *next;

    act_buffer_init(&acts);
    assert_null(actions_parse("output:3", &acts, NULL, NULL));
    const struct act_list list = act_buffer_list(&acts);
    assert_int_equal(pipeline_bundle_begin(bed.bridge->pipeline), 0);
    held = flows_packet_out_hold(bed.flows, bed.bridge, bed_udp(), &around, &list);
    unplug(bed.bridge, 3);
    bed_settle(&bed);
    for (int i = 0; i < 1000; i++)
        bed_turn(&bed);
    next = plug(other_bridge, 1);
    bundle_commit(bed.bridge->pipeline);
    flows_held_send(bed.flows, held, bed_udp());
    for (int i = 0; i < 100; i++)
        bed_turn(&bed);
    datapath_synchronize(bed.dp);
    assert_int_equal(took(next), 0);
    act_buffer_free(&acts);
    plug_when_free(other_bridge, 2, 3);
}

static void the_next_port_starts_to_count_at_0(void **state)
{
    struct datapath_port_stats stats;
    struct fake_port *next;

    bed_add(&bed, "in_port=1,actions=output:3");
    bed_add(&bed, "in_port=3,actions=output:1");
    for (int i = 0; i < 10; i++) {
        send_to(1, bed_udp());
        expect_out(3);
        send_to(3, bed_udp());
        expect_out(1);
    }
    assert_int_equal(rx_packets(3), 10);
    unplug(bed.bridge, 3);
    /* Counted as a drop of the port that is not there any more. */
    put(bed.fake[1], bed_udp());
    wait_received(bed.fake[1]);
    next = plug_when_free(other_bridge, 1, 3);
    datapath_port_stats(bed.dp, 3, &stats);
    assert_int_equal(stats.rx_packets + stats.rx_bytes + stats.tx_packets + stats.tx_bytes + stats.tx_dropped, 0);
    for (unsigned r = 0; r < DROP_N_REASONS; r++)
        assert_int_equal(stats.drops[r], 0);
    add_rule(other_bridge, "actions=drop");
    put(next, bed_udp());
    wait_received(next);
    assert_int_equal(rx_packets(3), 1);
}

/* --- meters -------------------------------------------------------------- */

static int meter(enum meter_command command, uint32_t id)
{
    struct meter_mod mod = {.command = command,
                            .flags = METER_PKTPS,
                            .meter_id = id,
                            .n_bands = 1,
                            .bands = {{.type = METER_DROP_BAND, .rate = 1000}}};

    return meter_table_mod(pipeline_meters(bed.bridge->pipeline), &mod);
}

/* The index of the meter that was added. It is gone again when this returns. */
static uint32_t next_meter_index(void)
{
    uint32_t index;

    assert_int_equal(meter(METER_ADD, 2), 0);
    index = meter_table_find(pipeline_meters(bed.bridge->pipeline), 2)->index;
    assert_int_equal(meter(METER_DELETE, 2), 0);
    return index;
}

/* However many come and go before the megaflow is translated again. */
static void a_megaflow_does_not_meter_by_the_next_meter(void **state)
{
    uint32_t index, i;

    assert_int_equal(meter(METER_ADD, 1), 0);
    index = meter_table_find(pipeline_meters(bed.bridge->pipeline), 1)->index;
    bed_add(&bed, "in_port=1,actions=meter:1,output:2");
    send_to(1, bed_udp());
    expect_out(2);
    assert_int_equal(meter(METER_DELETE, 1), 0);
    for (i = 1; i < DATAPATH_METERS_MAX; i++)
        assert_int_not_equal(next_meter_index(), index);
    /* Rather none than that one. */
    assert_int_equal(meter(METER_ADD, 2), OFPERR_MMFC_OUT_OF_METERS);
    bed_settle(&bed);
    for (i = 0; i < 100; i++)
        bed_turn(&bed);
    for (i = 0; next_meter_index() != index; i++) {
        assert_true(i <= DATAPATH_METERS_MAX);
        bed_turn(&bed);
    }
}

/* --- at random ----------------------------------------------------------- */

#define MOVABLE 6
#define ROUNDS 1500

static struct place {
    struct fake_port *fake;
    struct bridge *bridge;
} places[MOVABLE];

static uint64_t seed = 88172645463325252;

static unsigned pick(unsigned n)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (unsigned)(seed >> 20) % n;
}

static uint8_t mark_of(const struct bridge *bridge)
{
    return bridge == other_bridge ? 0x42 : 0x22;
}

static unsigned count_wrong(const struct place *place, unsigned *right)
{
    struct rte_mbuf *m;
    unsigned wrong = 0;

    while (rte_ring_sc_dequeue(place->fake->out, (void **)&m) == 0) {
        if (*rte_pktmbuf_mtod_offset(m, uint8_t *, MARK_AT) == mark_of(place->bridge))
            ++*right;
        else
            wrong++;
        rte_pktmbuf_free(m);
    }
    return wrong;
}

static void send_some(struct place *place, uint32_t flows)
{
    unsigned n = pick(16);

    for (unsigned i = 0; i < n; i++) {
        struct rte_mbuf *m = bed_udp();
        uint8_t *p = rte_pktmbuf_mtod(m, uint8_t *);
        uint32_t flow = pick(flows);

        p[MARK_AT] = mark_of(place->bridge);
        memcpy(&p[34], &flow, 2); /* the source port */
        put(place->fake, m);
    }
}

static void move(uint32_t i)
{
    struct place *place = &places[i];

    unplug(place->bridge, 10 + i);
    place->bridge = pick(2) ? bed.bridge : other_bridge;
    place->fake = plug(place->bridge, 10 + i);
}

/* Packets are marked by the bridge that they are sent into. All ports flood; by single flows or by all of a port. */
static void ports_move_between_bridges(void **state, bool by_flow)
{
    unsigned wrong = 0, right = 0;

    for (int b = 0; b < 2; b++) {
        struct bridge *bridge = b ? other_bridge : bed.bridge;

        add_rule(bridge, by_flow ? "priority=1,udp,tp_dst=0,actions=resubmit(,1)" : "actions=all");
        add_rule(bridge, "table=1,priority=7,udp,tp_src=0x1/1,actions=all");
        add_rule(bridge, "table=1,priority=1,udp,tp_src=7,actions=dec_ttl,all");
        add_rule(bridge, "table=1,priority=0,actions=all");
    }
    for (uint32_t i = 0; i < MOVABLE; i++) {
        places[i].bridge = i % 2 ? bed.bridge : other_bridge;
        places[i].fake = plug(places[i].bridge, 10 + i);
    }
    for (unsigned round = 0; round < ROUNDS; round++) {
        for (uint32_t i = 0; i < MOVABLE; i++) {
            if (rte_ring_count(places[i].fake->in) < 512)
                send_some(&places[i], by_flow ? 4096 : 1);
        }
        for (unsigned turns = pick(4); turns > 0; turns--)
            bed_turn(&bed);
        for (uint32_t i = 0; i < MOVABLE; i++)
            wrong += count_wrong(&places[i], &right);
        for (uint32_t i = 1; i <= BED_PORTS; i++)
            took(bed.fake[i]);
        if (pick(3) == 0)
            move(pick(MOVABLE));
        assert_int_equal(wrong, 0);
    }
    for (int i = 0; i < 200; i++)
        bed_turn(&bed);
    datapath_synchronize(bed.dp);
    for (uint32_t i = 0; i < MOVABLE; i++)
        wrong += count_wrong(&places[i], &right);
    assert_int_equal(wrong, 0);
    assert_true(right > ROUNDS);
}

static void ports_move_with_one_megaflow(void **state)
{
    ports_move_between_bridges(state, false);
}

static void ports_move_with_many_megaflows(void **state)
{
    ports_move_between_bridges(state, true);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(a_megaflow_does_not_send_to_the_next_port),
        T(a_megaflow_does_not_take_packets_of_the_next_port),
        T(a_miss_under_way_is_not_decided_by_the_next_port),
        T(a_lost_miss_holds_the_index),
        T(a_packet_out_that_is_held_back_does_not_leave_by_the_next_port),
        T(the_next_port_starts_to_count_at_0),
        T(a_megaflow_does_not_meter_by_the_next_meter),
        T(ports_move_with_one_megaflow),
        T(ports_move_with_many_megaflows),
    };
    if (test_eal_init("isolation_test") != 0)
        return 1;
    pool = test_pool(8191);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
