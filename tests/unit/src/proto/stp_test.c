/* The spanning tree: bridges that are joined by LANs, with time as an argument. Clauses are of IEEE 802.1D-1998. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "src/proto/stp.h"

#define MS UINT64_C(1000)
#define SECOND (1000 * MS)
#define BRIDGES 4
#define PORTS 4
#define LANS 8
#define QUEUE 256

struct bridge {
    struct stp *stp;
    int ports[PORTS];
    int lan[PORTS]; /* that the port is on; -1: none */
    unsigned n_flushed;
};

static struct bridge bridges[BRIDGES];
static uint64_t now;

static struct {
    int from_bridge, from_port;
    uint8_t bytes[STP_CONFIG_LEN];
    size_t len;
} queue[QUEUE];
static unsigned queued;

static void send_bpdu(void *arg, void *port, const uint8_t *bytes, size_t len)
{
    struct bridge *b = arg;

    assert_true(queued < QUEUE && len <= STP_CONFIG_LEN);
    queue[queued].from_bridge = (int)(b - bridges);
    queue[queued].from_port = (int)((int *)port - b->ports);
    queue[queued].len = len;
    memcpy(queue[queued++].bytes, bytes, len);
}

static void state_changed(void *arg, void *port)
{
}

static void flush(void *arg)
{
    ((struct bridge *)arg)->n_flushed++;
}

static void delayed(void *arg)
{
}

static void deliver(void)
{
    for (unsigned rounds = 0; queued > 0; rounds++) {
        const int from = queue[0].from_bridge, lan = bridges[from].lan[queue[0].from_port];
        const int port = queue[0].from_port;
        uint8_t bytes[STP_CONFIG_LEN];
        size_t len = queue[0].len;

        assert_true(rounds < 10000);
        memcpy(bytes, queue[0].bytes, len);
        memmove(&queue[0], &queue[1], --queued * sizeof queue[0]);
        for (int b = 0; b < BRIDGES; b++) {
            for (int p = 0; p < PORTS; p++) {
                if (lan >= 0 && bridges[b].stp && bridges[b].lan[p] == lan && !(b == from && p == port))
                    stp_receive(bridges[b].stp, &bridges[b].ports[p], bytes, len, now);
            }
        }
    }
}

static void run_to(uint64_t until)
{
    for (;;) {
        uint64_t due = UINT64_MAX;

        for (int b = 0; b < BRIDGES; b++)
            if (bridges[b].stp && stp_due_us(bridges[b].stp) < due)
                due = stp_due_us(bridges[b].stp);
        if (due > until)
            break;
        assert_true(due >= now);
        now = due;
        for (int b = 0; b < BRIDGES; b++) {
            if (!bridges[b].stp)
                continue;
            stp_run(bridges[b].stp, now);
            assert_true(stp_due_us(bridges[b].stp) > now);
        }
        deliver();
    }
    now = until;
}

static void create(int b, uint16_t priority, const int *lans, int n)
{
    const struct stp_user user = {&bridges[b], send_bpdu, state_changed, flush, delayed};
    const struct stp_config config = {{2, 0, 0, 0, 0, (uint8_t)(b + 1)}, priority, 2000, 20000, 15000};
    char name[16];

    bridges[b].stp = stp_create(&config, &user, now);
    for (int p = 0; p < n; p++) {
        const struct stp_port_config port = {(uint8_t)(p + 1), 128, 10};

        snprintf(name, sizeof name, "p%d", p + 1);
        stp_add(bridges[b].stp, &bridges[b].ports[p], name, &port, now);
        bridges[b].lan[p] = lans[p];
        stp_set_link(bridges[b].stp, &bridges[b].ports[p], true, now);
    }
    deliver();
}

static int setup(void **state)
{
    now = SECOND;
    queued = 0;
    memset(bridges, 0, sizeof bridges);
    for (int b = 0; b < BRIDGES; b++)
        for (int p = 0; p < PORTS; p++)
            bridges[b].lan[p] = -1;
    return 0;
}

static int teardown(void **state)
{
    for (int b = 0; b < BRIDGES; b++)
        if (bridges[b].stp)
            stp_destroy(bridges[b].stp);
    return 0;
}

static const struct stp_port *port(int b, int p)
{
    return stp_find(bridges[b].stp, &bridges[b].ports[p]);
}

static enum stp_state state_of(int b, int p)
{
    return port(b, p)->state;
}

static unsigned count(enum stp_state wanted)
{
    unsigned n = 0;

    for (int b = 0; b < BRIDGES; b++)
        for (int p = 0; p < PORTS; p++)
            n += bridges[b].stp && port(b, p) && state_of(b, p) == wanted;
    return n;
}

/* Each LAN that has a bridge has exactly one designated port, and all bridges have the same root. */
static void expect_tree(int root)
{
    for (int lan = 0; lan < LANS; lan++) {
        unsigned n = 0, designated = 0;

        for (int b = 0; b < BRIDGES; b++) {
            for (int p = 0; p < PORTS; p++) {
                if (!bridges[b].stp || bridges[b].lan[p] != lan || state_of(b, p) == STP_DISABLED)
                    continue;
                n++;
                designated += stp_role(bridges[b].stp, port(b, p)) == STP_ROLE_DESIGNATED;
            }
        }
        assert_true(n == 0 || designated == 1);
    }
    for (int b = 0; b < BRIDGES; b++)
        if (bridges[b].stp)
            assert_int_equal(bridges[b].stp->designated_root, bridges[root].stp->bridge_id);
}

/* LANs 0, 1, 2 join bridges 0, 1, 2 in a ring; each has a LAN of its own. */
static void ring(void)
{
    create(0, 0x8000, (const int[]){0, 2, 3}, 3);
    create(1, 0x8000, (const int[]){0, 1, 4}, 3);
    create(2, 0x8000, (const int[]){1, 2, 5}, 3);
}

static void a_ring_is_cut_in_one_place(void **state)
{
    ring();
    run_to(now + 14 * SECOND);
    assert_int_equal(count(STP_FORWARDING), 0);
    assert_true(count(STP_LISTENING) > 0);
    run_to(now + 2 * SECOND);
    assert_true(count(STP_LEARNING) > 0);
    run_to(now + 34 * SECOND);
    expect_tree(0);
    assert_int_equal(count(STP_BLOCKING), 1);
    assert_int_equal(count(STP_FORWARDING), 8);
    assert_true(stp_is_root(bridges[0].stp));
    assert_int_equal(bridges[1].stp->root_path_cost, 10);
    /* Between bridges 1 and 2 the one with the lower identifier is designated. */
    assert_int_equal(state_of(2, 0), STP_BLOCKING);
    assert_int_equal(stp_role(bridges[2].stp, port(2, 0)), STP_ROLE_ALTERNATE);
    assert_int_equal(stp_role(bridges[2].stp, port(2, 1)), STP_ROLE_ROOT);
    /* And it stays so. */
    run_to(now + 600 * SECOND);
    assert_int_equal(count(STP_BLOCKING), 1);
    assert_int_equal(count(STP_FORWARDING), 8);
    /* A configuration every two seconds by each designated port. */
    uint64_t sent = port(0, 0)->n_tx;
    run_to(now + 20 * SECOND);
    assert_in_range(port(0, 0)->n_tx - sent, 9, 11);
}

static void a_link_that_goes_opens_the_other_way(void **state)
{
    ring();
    run_to(now + 60 * SECOND);
    assert_int_equal(state_of(2, 0), STP_BLOCKING);
    unsigned flushed = bridges[1].n_flushed;
    /* Bridge 2 loses its way to the root. */
    stp_set_link(bridges[2].stp, &bridges[2].ports[1], false, now);
    stp_set_link(bridges[0].stp, &bridges[0].ports[1], false, now);
    deliver();
    run_to(now + 31 * SECOND);
    expect_tree(0);
    assert_int_equal(state_of(2, 0), STP_FORWARDING);
    assert_int_equal(count(STP_BLOCKING), 0);
    /* The others hear that the tree is another (8.6.14). */
    assert_true(bridges[1].n_flushed > flushed);
    stp_set_link(bridges[2].stp, &bridges[2].ports[1], true, now);
    stp_set_link(bridges[0].stp, &bridges[0].ports[1], true, now);
    deliver();
    run_to(now + 60 * SECOND);
    expect_tree(0);
    assert_int_equal(count(STP_BLOCKING), 1);
}

static void a_silent_root_is_replaced(void **state)
{
    ring();
    run_to(now + 60 * SECOND);
    /* All of bridge 0 falls silent, with its links up. */
    stp_destroy(bridges[0].stp);
    bridges[0].stp = NULL;
    run_to(now + 19 * SECOND);
    assert_false(stp_is_root(bridges[1].stp));
    run_to(now + 40 * SECOND);
    expect_tree(1);
    assert_int_equal(count(STP_BLOCKING), 0);
}

static void priorities_and_costs_count(void **state)
{
    struct stp_config config = {{2, 0, 0, 0, 0, 3}, 0x1000, 2000, 20000, 15000};
    struct stp_port_config cheap = {2, 128, 1};

    ring();
    run_to(now + 60 * SECOND);
    stp_configure(bridges[2].stp, &config, now);
    deliver();
    run_to(now + 60 * SECOND);
    expect_tree(2);
    assert_int_equal(count(STP_BLOCKING), 1);
    /* Two ways of bridge 0 to the root: over LAN 2 at first, then over LAN 0 when that is far cheaper. */
    assert_int_equal(stp_role(bridges[0].stp, port(0, 1)), STP_ROLE_ROOT);
    cheap.number = 1;
    stp_add(bridges[0].stp, &bridges[0].ports[0], "p1", &cheap, now);
    cheap.number = 2;
    stp_add(bridges[1].stp, &bridges[1].ports[1], "p2", &cheap, now);
    deliver();
    run_to(now + 60 * SECOND);
    assert_int_equal(bridges[0].stp->root_path_cost, 2);
    assert_int_equal(stp_role(bridges[0].stp, port(0, 0)), STP_ROLE_ROOT);
    expect_tree(2);
}

static void two_ports_on_one_lan(void **state)
{
    create(0, 0x8000, (const int[]){0, 0, 1}, 3);
    run_to(now + 60 * SECOND);
    assert_int_equal(state_of(0, 0), STP_FORWARDING);
    assert_int_equal(state_of(0, 1), STP_BLOCKING);
    assert_int_equal(state_of(0, 2), STP_FORWARDING);
}

static void random_networks_are_trees(void **state)
{
    unsigned seed = 7;

    for (int round = 0; round < 40; round++) {
        int root = 0;

        setup(NULL);
        for (int b = 0; b < BRIDGES; b++) {
            int lans[PORTS];

            for (int p = 0; p < PORTS; p++)
                lans[p] = p == 0 ? 0 : rand_r(&seed) % LANS; /* LAN 0 joins them all */
            create(b, (uint16_t)(0x1000 * (rand_r(&seed) % 4)), lans, PORTS);
        }
        for (int b = 1; b < BRIDGES; b++)
            if (bridges[b].stp->bridge_id < bridges[root].stp->bridge_id)
                root = b;
        run_to(now + 80 * SECOND);
        expect_tree(root);
        assert_int_equal(count(STP_LISTENING) + count(STP_LEARNING), 0);
        teardown(NULL);
        memset(bridges, 0, sizeof bridges);
    }
}

static void times_are_brought_into_their_range(void **state)
{
    struct stp_config config = {{2, 0, 0, 0, 0, 1}, 0x8000, 100, 1000, 1000};

    create(0, 0x8000, (const int[]){0}, 1);
    stp_configure(bridges[0].stp, &config, now);
    assert_int_equal(bridges[0].stp->hello_us, 1 * SECOND);
    assert_int_equal(bridges[0].stp->max_age_us, 6 * SECOND);
    assert_int_equal(bridges[0].stp->forward_delay_us, 4 * SECOND);
    config = (struct stp_config){{2, 0, 0, 0, 0, 1}, 0x8000, 60000, 600000, 600000};
    stp_configure(bridges[0].stp, &config, now);
    assert_int_equal(bridges[0].stp->hello_us, 10 * SECOND);
    assert_int_equal(bridges[0].stp->max_age_us, 40 * SECOND);
    assert_int_equal(bridges[0].stp->forward_delay_us, 30 * SECOND);
    assert_int_equal(stp_path_cost(10000), 2);
    assert_int_equal(stp_path_cost(1000), 4);
    assert_int_equal(stp_path_cost(100), 19);
    assert_int_equal(stp_path_cost(0), 2);
}

static void bpdus_are_read_and_written(void **state)
{
    /* 9.3.1, by hand. */
    static const uint8_t wire[STP_CONFIG_LEN] = {0, 0,    0,    0,    0x81, 0x80, 0x00, 2,    0, 0,    0, 0,
                                                 1, 0,    0,    0,    0x13, 0x90, 0x00, 2,    0, 0,    0, 0,
                                                 2, 0x80, 0x03, 0x01, 0x00, 0x14, 0x00, 0x02, 0, 0x0f, 0};
    uint8_t bytes[STP_CONFIG_LEN];
    struct stp_bpdu bpdu;

    assert_int_equal(stp_bpdu_parse(wire, sizeof wire, &bpdu), STP_OK);
    assert_int_equal(bpdu.type, STP_BPDU_CONFIG);
    assert_true(bpdu.topology_change && bpdu.topology_change_ack);
    assert_true(bpdu.root_id == UINT64_C(0x8000020000000001) && bpdu.bridge_id == UINT64_C(0x9000020000000002));
    assert_int_equal(bpdu.root_path_cost, 19);
    assert_int_equal(bpdu.port_id, 0x8003);
    assert_int_equal(bpdu.message_age, 256);
    assert_int_equal(bpdu.max_age, 20 * 256);
    assert_int_equal(bpdu.hello_time, 512);
    assert_int_equal(bpdu.forward_delay, 15 * 256);
    assert_int_equal(stp_bpdu_build(&bpdu, bytes), STP_CONFIG_LEN);
    assert_memory_equal(bytes, wire, sizeof wire);

    memcpy(bytes, wire, sizeof wire);
    assert_int_equal(stp_bpdu_parse(bytes, STP_CONFIG_LEN - 1, &bpdu), STP_FAULT_SHORT);
    assert_int_equal(stp_bpdu_parse(bytes, 3, &bpdu), STP_FAULT_SHORT);
    bytes[27] = 0x14;
    assert_int_equal(stp_bpdu_parse(bytes, sizeof bytes, &bpdu), STP_FAULT_AGE);
    bytes[3] = 2;
    assert_int_equal(stp_bpdu_parse(bytes, sizeof bytes, &bpdu), STP_FAULT_TYPE);
    bytes[3] = 0x80;
    assert_int_equal(stp_bpdu_parse(bytes, 4, &bpdu), STP_OK);
    assert_int_equal(bpdu.type, STP_BPDU_TCN);
    assert_int_equal(stp_bpdu_build(&bpdu, bytes), STP_TCN_LEN);
    bytes[1] = 1;
    assert_int_equal(stp_bpdu_parse(bytes, 4, &bpdu), STP_FAULT_PROTOCOL);
    assert_string_equal(stp_fault_name(STP_FAULT_AGE), "age");
    assert_non_null(stp_fault_text(STP_FAULT_FRAME));
}

static void what_is_wrong_is_counted(void **state)
{
    uint8_t bytes[STP_CONFIG_LEN] = {0, 1};

    create(0, 0x8000, (const int[]){0}, 1);
    assert_int_equal(stp_receive(bridges[0].stp, &bridges[0].ports[0], bytes, sizeof bytes, now), STP_FAULT_PROTOCOL);
    stp_note_fault(bridges[0].stp, &bridges[0].ports[0], STP_FAULT_FRAME);
    assert_int_equal(port(0, 0)->n_bad, 2);
    assert_int_equal(port(0, 0)->n_rx, 0);
    assert_int_equal(port(0, 0)->faults[STP_FAULT_FRAME], 1);
}

/* A BPDU that is older than the machine, and one that says that it is this bridge's own: both are forgotten. */
static void what_cannot_be_does_not_last(void **state)
{
    struct stp_bpdu bpdu = {.type = STP_BPDU_CONFIG,
                            .root_id = 1,
                            .root_path_cost = UINT32_MAX,
                            .bridge_id = 2,
                            .port_id = 0x8001,
                            .message_age = 0x96ff,
                            .max_age = 0xffff,
                            .hello_time = 512,
                            .forward_delay = 15 * 256};
    uint8_t bytes[STP_CONFIG_LEN];

    now = 1 * SECOND;
    create(0, 0x8000, (const int[]){0, 1}, 2);
    struct stp *stp = bridges[0].stp;
    stp_bpdu_build(&bpdu, bytes);
    assert_int_equal(stp_receive(stp, &bridges[0].ports[0], bytes, sizeof bytes, now), STP_OK);
    bpdu.root_id = 0;
    bpdu.message_age = 0;
    bpdu.max_age = 6 * 256;
    stp_bpdu_build(&bpdu, bytes);
    assert_int_equal(stp_receive(stp, &bridges[0].ports[1], bytes, sizeof bytes, now), STP_OK);
    assert_false(stp_is_root(stp));
    assert_int_equal(stp->root_path_cost, UINT32_MAX); /* and not a short way */
    run_to(now + 100 * SECOND);
    assert_true(stp_is_root(stp));
    bpdu.bridge_id = stp->bridge_id;
    bpdu.port_id = port(0, 0)->id;
    stp_bpdu_build(&bpdu, bytes);
    assert_int_equal(stp_receive(stp, &bridges[0].ports[0], bytes, sizeof bytes, now), STP_OK);
    run_to(now + 100 * SECOND);
    assert_true(stp_is_root(stp));
}

static void ports_go(void **state)
{
    ring();
    run_to(now + 60 * SECOND);
    stp_remove(bridges[1].stp, &bridges[1].ports[0], now);
    bridges[1].lan[0] = -1;
    deliver();
    run_to(now + 60 * SECOND);
    assert_null(port(1, 0));
    assert_int_equal(count(STP_BLOCKING), 0);
    assert_int_equal(bridges[1].stp->root_path_cost, 20);
    unsigned flushed = bridges[1].n_flushed;
    stp_detect_change(bridges[1].stp, now);
    assert_int_equal(bridges[1].n_flushed, flushed + 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_ring_is_cut_in_one_place),
        TEST(a_link_that_goes_opens_the_other_way),
        TEST(a_silent_root_is_replaced),
        TEST(priorities_and_costs_count),
        TEST(two_ports_on_one_lan),
        TEST(random_networks_are_trees),
        TEST(times_are_brought_into_their_range),
        TEST(bpdus_are_read_and_written),
        TEST(what_is_wrong_is_counted),
        TEST(what_cannot_be_does_not_last),
        TEST(ports_go),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
