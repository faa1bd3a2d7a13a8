/* LACP between two ends, and by itself, with time as an argument. Clauses are of IEEE 802.1AX-2014. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "src/proto/lacp.h"

#define MS UINT64_C(1000)
#define SECOND (1000 * MS)
#define MEMBERS 3
#define QUEUE 64

/* An end with its ports; port i of one end is joined to port i of the other. */
struct end {
    struct lacp *lacp;
    int ports[MEMBERS];
    struct end *other;
    unsigned n_changed, n_sent;
};

static struct end a, b;
static uint64_t now;
static bool cut[MEMBERS];

static struct {
    struct end *to;
    int port;
    uint8_t bytes[LACP_PDU_LEN];
} queue[QUEUE];
static unsigned queued;

static void send_pdu(void *arg, void *port, const uint8_t bytes[LACP_PDU_LEN])
{
    struct end *end = arg;
    int i = (int)((int *)port - end->ports);

    end->n_sent++;
    if (cut[i] || !end->other)
        return;
    assert_true(queued < QUEUE);
    queue[queued].to = end->other;
    queue[queued].port = i;
    memcpy(queue[queued++].bytes, bytes, LACP_PDU_LEN);
}

static void changed(void *arg)
{
    ((struct end *)arg)->n_changed++;
}

static void delayed(void *arg)
{
}

static struct lacp_config config_of(uint8_t system, bool active, bool fast)
{
    struct lacp_config config = {.active = active, .fast = fast, .system_priority = 65534};

    config.system[0] = 2;
    config.system[5] = system;
    return config;
}

static void create(struct end *end, struct end *other, const struct lacp_config *config, int n)
{
    const struct lacp_user user = {end, send_pdu, changed, delayed};
    char name[16];

    memset(end, 0, sizeof *end);
    end->other = other;
    end->lacp = lacp_create(config, &user);
    for (int i = 0; i < n; i++) {
        const struct lacp_member_config member = {.port = (uint16_t)(i + 1), .priority = 65535};

        snprintf(name, sizeof name, "p%d", i + 1);
        lacp_join(end->lacp, &end->ports[i], name, &member, true, now);
    }
}

/* Everything that was sent arrives, and what that leads to. */
static void deliver(void)
{
    for (unsigned rounds = 0; queued > 0; rounds++) {
        struct end *to = queue[0].to;
        int port = queue[0].port;
        uint8_t bytes[LACP_PDU_LEN];

        assert_true(rounds < 100); /* no ping-pong */
        memcpy(bytes, queue[0].bytes, sizeof bytes);
        memmove(&queue[0], &queue[1], --queued * sizeof queue[0]);
        assert_int_equal(lacp_receive(to->lacp, &to->ports[port], bytes, sizeof bytes, now), LACP_OK);
    }
}

static void run_to(uint64_t until)
{
    for (;;) {
        uint64_t due = lacp_due_us(a.lacp);

        if (b.lacp && lacp_due_us(b.lacp) < due)
            due = lacp_due_us(b.lacp);
        if (due > until)
            break;
        assert_true(due >= now);
        now = due;
        lacp_run(a.lacp, now);
        if (b.lacp)
            lacp_run(b.lacp, now);
        deliver();
    }
    now = until;
}

static int setup(void **state)
{
    now = SECOND;
    memset(cut, 0, sizeof cut);
    queued = 0;
    a.lacp = b.lacp = NULL;
    return 0;
}

static int teardown(void **state)
{
    if (a.lacp)
        lacp_destroy(a.lacp);
    if (b.lacp)
        lacp_destroy(b.lacp);
    return 0;
}

static const struct lacp_member *member(const struct end *end, int i)
{
    return lacp_find(end->lacp, &end->ports[i]);
}

static bool usable(const struct end *end, int i)
{
    return lacp_may_use(end->lacp, member(end, i));
}

static void both(bool a_active, bool b_active, bool fast, int n)
{
    const struct lacp_config one = config_of(1, a_active, fast), two = config_of(2, b_active, fast);

    create(&a, &b, &one, n);
    create(&b, &a, &two, n);
    deliver();
}

static void two_ends_agree_at_once(void **state)
{
    struct lacp_info actor;

    both(true, true, false, 2);
    run_to(now + 1500 * MS);
    for (int i = 0; i < 2; i++) {
        assert_true(usable(&a, i) && usable(&b, i));
        assert_int_equal(member(&a, i)->status, LACP_CURRENT);
        assert_int_equal(member(&a, i)->partner.system[5], 2);
        assert_int_equal(member(&a, i)->partner.port, i + 1);
    }
    assert_true(lacp_is_negotiated(a.lacp));
    lacp_actor(a.lacp, member(&a, 0), &actor);
    assert_int_equal(actor.state,
                     LACP_ACTIVITY | LACP_AGGREGATION | LACP_SYNCHRONIZATION | LACP_COLLECTING | LACP_DISTRIBUTING);
    assert_int_equal(actor.key, 1); /* the first member's port */
    /* Then one PDU every 30 seconds on each link (6.4.4). */
    a.n_sent = 0;
    run_to(now + 300 * SECOND);
    assert_in_range(a.n_sent, 18, 22);
    assert_true(usable(&a, 0) && usable(&b, 1));
}

static void passive_ends_do_not_begin(void **state)
{
    both(false, false, true, 2);
    run_to(now + 100 * SECOND);
    assert_int_equal(a.n_sent + b.n_sent, 0);
    assert_false(lacp_is_negotiated(a.lacp));
    assert_false(usable(&a, 0));
    teardown(NULL);
    both(false, true, true, 2);
    run_to(now + 3 * SECOND);
    assert_true(usable(&a, 0) && usable(&b, 0));
}

static void a_silent_neighbour_is_noticed(void **state)
{
    both(true, true, true, 2);
    run_to(now + 5 * SECOND);
    assert_true(usable(&a, 0));
    cut[0] = true;
    run_to(now + 2900 * MS);
    assert_true(usable(&a, 0) || member(&a, 0)->status != LACP_CURRENT);
    run_to(now + 1200 * MS); /* three intervals since it was heard last */
    assert_false(usable(&a, 0));
    assert_int_equal(member(&a, 0)->n_expired, 1);
    assert_true(usable(&a, 1));
    run_to(now + 3100 * MS);
    assert_int_equal(member(&a, 0)->status, LACP_DEFAULTED);
    assert_int_equal(member(&a, 0)->n_defaulted, 1);
    assert_false(lacp_is_current(member(&a, 0)));
    assert_true(lacp_is_negotiated(a.lacp));
    cut[0] = false;
    run_to(now + 31 * SECOND);
    assert_true(usable(&a, 0) && usable(&b, 0));
}

static void a_link_that_comes_back_is_used_soon(void **state)
{
    both(true, true, false, 2);
    run_to(now + 40 * SECOND);
    lacp_set_link(a.lacp, &a.ports[0], false, now);
    lacp_set_link(b.lacp, &b.ports[0], false, now);
    deliver();
    assert_false(usable(&a, 0) || usable(&b, 0));
    run_to(now + 10 * SECOND);
    lacp_set_link(a.lacp, &a.ports[0], true, now);
    lacp_set_link(b.lacp, &b.ports[0], true, now);
    deliver();
    run_to(now + 1100 * MS);
    assert_true(usable(&a, 0) && usable(&b, 0));
    assert_int_equal(member(&a, 0)->n_link_changes, 2);
}

static void links_to_two_neighbours_are_not_one(void **state)
{
    struct lacp_config other = config_of(3, true, true);
    struct lacp_pdu pdu = {0};
    uint8_t bytes[LACP_PDU_LEN];

    both(true, true, true, 2);
    run_to(now + 2 * SECOND);
    /* What comes by the second link says another system. */
    cut[1] = true;
    lacp_actor(b.lacp, member(&b, 1), &pdu.actor);
    lacp_actor(a.lacp, member(&a, 1), &pdu.partner);
    memcpy(pdu.actor.system, other.system, sizeof pdu.actor.system);
    lacp_pdu_build(&pdu, bytes);
    lacp_receive(a.lacp, &a.ports[1], bytes, sizeof bytes, now);
    assert_false(member(&a, 1)->attached);
    assert_true(usable(&a, 0));
    /* Another key, of the same system, is another aggregation as well. */
    memcpy(pdu.actor.system, b.lacp->config.system, sizeof pdu.actor.system);
    pdu.actor.key = 77;
    lacp_pdu_build(&pdu, bytes);
    lacp_receive(a.lacp, &a.ports[1], bytes, sizeof bytes, now);
    assert_false(member(&a, 1)->attached);
    assert_true(usable(&a, 0));
}

static void a_link_to_itself_is_not_used(void **state)
{
    const struct lacp_config config = config_of(1, true, true);

    create(&a, &a, &config, 2);
    deliver();
    run_to(now + 5 * SECOND);
    assert_false(usable(&a, 0) || usable(&a, 1));
    assert_false(lacp_is_negotiated(a.lacp));
}

static void without_a_neighbour_it_may_fall_back(void **state)
{
    struct lacp_config config = config_of(1, true, true);

    config.fallback = true;
    create(&a, NULL, &config, 2);
    assert_false(usable(&a, 0));
    run_to(now + 4 * SECOND);
    assert_false(lacp_is_negotiated(a.lacp));
    assert_true(usable(&a, 0) && usable(&a, 1));
    config.fallback = false;
    lacp_configure(a.lacp, &config, now);
    assert_false(usable(&a, 0));
}

static void not_more_than_three_pdus_a_second(void **state)
{
    const struct lacp_config config = config_of(1, true, true);
    struct lacp_pdu pdu = {.actor = {.system_priority = 1, .system = {2, 0, 0, 0, 0, 9}, .port = 1, .state = 0x3f}};
    uint8_t bytes[LACP_PDU_LEN], marker[LACP_PDU_LEN] = {2, 1, 1, 16};

    create(&a, NULL, &config, 1);
    a.n_sent = 0;
    /* A neighbour that has never heard right is told, but not each time. */
    for (int i = 0; i < 5000; i++) {
        now += MS;
        pdu.partner.port = (uint16_t)(i + 100);
        lacp_pdu_build(&pdu, bytes);
        lacp_receive(a.lacp, &a.ports[0], bytes, sizeof bytes, now);
        lacp_run(a.lacp, now);
    }
    assert_in_range(a.n_sent, 12, 18);
    /* Nor is each of a flood of markers answered, and PDUs go on. */
    uint64_t pdus = member(&a, 0)->n_tx;
    a.n_sent = 0;
    for (int i = 0; i < 5000; i++) {
        now += MS;
        lacp_receive(a.lacp, &a.ports[0], marker, sizeof marker, now);
        lacp_run(a.lacp, now);
    }
    assert_in_range(a.n_sent, 17, 24);
    assert_true(member(&a, 0)->n_tx >= pdus + 4);
    assert_int_equal(member(&a, 0)->n_rx_markers, 5000);
}

static void pdus_are_read_and_written(void **state)
{
    /* 6.4.2.3, by hand. */
    static const uint8_t wire[LACP_PDU_LEN] = {
        1, 1,  1,    20,   0x80, 0x01, 2, 0, 0, 0, 0,    7,    0x12, 0x34, 0xff, 0xfe, 0x00, 0x05, 0x3d, 0, 0, 0,
        2, 20, 0xff, 0xff, 2,    0,    0, 0, 0, 8, 0x00, 0x02, 0x7f, 0xff, 0x01, 0x00, 0x45, 0,    0,    0, 3, 16};
    uint8_t bytes[LACP_PDU_LEN];
    struct lacp_pdu pdu;

    assert_int_equal(lacp_pdu_parse(wire, sizeof wire, &pdu), LACP_OK);
    assert_int_equal(pdu.actor.system_priority, 0x8001);
    assert_int_equal(pdu.actor.system[5], 7);
    assert_int_equal(pdu.actor.key, 0x1234);
    assert_int_equal(pdu.actor.port_priority, 0xfffe);
    assert_int_equal(pdu.actor.port, 5);
    assert_int_equal(pdu.actor.state, 0x3d);
    assert_int_equal(pdu.partner.port, 256);
    assert_int_equal(pdu.partner.state, 0x45);
    lacp_pdu_build(&pdu, bytes);
    assert_memory_equal(bytes, wire, sizeof wire);

    memcpy(bytes, wire, sizeof wire);
    assert_int_equal(lacp_pdu_parse(bytes, LACP_PDU_LEN - 1, &pdu), LACP_FAULT_SHORT);
    bytes[0] = 3;
    assert_int_equal(lacp_pdu_parse(bytes, LACP_PDU_LEN, &pdu), LACP_FAULT_SUBTYPE);
    bytes[0] = 1;
    bytes[23] = 21;
    assert_int_equal(lacp_pdu_parse(bytes, LACP_PDU_LEN, &pdu), LACP_FAULT_TLV);
    assert_string_equal(lacp_fault_name(LACP_FAULT_TLV), "tlv");
    assert_non_null(lacp_fault_text(LACP_FAULT_SHORT));

    uint8_t marker[LACP_PDU_LEN] = {2, 1, 1, 16, 0, 1, 2, 0, 0, 0, 0, 9, 1, 2, 3, 4};
    assert_int_equal(lacp_pdu_parse(marker, sizeof marker, &pdu), LACP_MARKER);
    lacp_marker_answer(marker, bytes);
    assert_int_equal(bytes[2], 2); /* 6.5.3.3: Marker Response */
    marker[2] = 2;
    assert_memory_equal(bytes, marker, sizeof marker);
}

static void what_is_wrong_is_counted(void **state)
{
    const struct lacp_config config = config_of(1, true, true);
    uint8_t bytes[LACP_PDU_LEN] = {1, 1, 9};

    create(&a, NULL, &config, 1);
    assert_int_equal(lacp_receive(a.lacp, &a.ports[0], bytes, 10, now), LACP_FAULT_SHORT);
    assert_int_equal(lacp_receive(a.lacp, &a.ports[0], bytes, sizeof bytes, now), LACP_FAULT_TLV);
    lacp_note_fault(a.lacp, &a.ports[0], LACP_FAULT_TAGGED);
    assert_int_equal(member(&a, 0)->n_rx, 3);
    assert_int_equal(member(&a, 0)->n_rx_bad, 3);
    assert_int_equal(member(&a, 0)->faults[LACP_FAULT_TAGGED], 1);
    assert_int_equal(lacp_receive(a.lacp, &b, bytes, sizeof bytes, now), LACP_OK); /* nobody's */
}

static void members_leave_and_change(void **state)
{
    struct lacp_member_config other = {.port = 40, .priority = 5, .key = 9};

    both(true, true, true, 3);
    run_to(now + 2 * SECOND);
    lacp_leave(a.lacp, &a.ports[0], now);
    deliver();
    run_to(now + 5 * SECOND);
    assert_null(member(&a, 0));
    /* The key is that of the one that is first now; all agree on it. */
    assert_int_equal(lacp_key(a.lacp), 2);
    assert_true(usable(&a, 1) && usable(&a, 2) && usable(&b, 1) && usable(&b, 2));
    lacp_join(a.lacp, &a.ports[1], "p2", &other, true, now);
    deliver();
    run_to(now + 5 * SECOND);
    assert_int_equal(lacp_key(a.lacp), 9);
    assert_int_equal(member(&b, 1)->partner.port, 40);
    assert_true(usable(&a, 1) && usable(&b, 1));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(two_ends_agree_at_once),
        TEST(passive_ends_do_not_begin),
        TEST(a_silent_neighbour_is_noticed),
        TEST(a_link_that_comes_back_is_used_soon),
        TEST(links_to_two_neighbours_are_not_one),
        TEST(a_link_to_itself_is_not_used),
        TEST(without_a_neighbour_it_may_fall_back),
        TEST(not_more_than_three_pdus_a_second),
        TEST(pdus_are_read_and_written),
        TEST(what_is_wrong_is_counted),
        TEST(members_leave_and_change),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
