/* Spanning trees of a switch with more ports than a tree has room for, and numbers of ports. What the protocol does is
 * in stp_test.c, and beside Open vSwitch in tests/system/stp_test.sh. */
#include "src/agents/stp_agent.h"
#include "tests/lib/bed_xlate.h"
#include "tests/lib/own_time.h"

#define PATCHES 2000

/* Of fake ports. */
const struct port_status *port_last_status(const struct port *port)
{
    static const struct port_status status = {.speed_mbps = 1000};

    return &status;
}

static struct loop *loop;
static struct stp_agent *agent;

static int setup(void **state)
{
    xlate_setup(state);
    loop = loop_create();
    agent = stp_agent_create(loop, bed.flows, pool);
    return 0;
}

static int teardown(void **state)
{
    stp_agent_set(agent, bed.bridge, NULL);
    xlate_teardown(state);
    stp_agent_destroy(agent);
    loop_destroy(loop);
    return 0;
}

static void begin(void)
{
    stp_agent_set(agent, bed.bridge,
                  &(struct stp_config){.priority = 0x8000,
                                       .hello_ms = 2000,
                                       .max_age_ms = 20000,
                                       .forward_delay_ms = 15000,
                                       .mac = {2, 0, 0, 0, 0, 1}});
}

static struct bridge_port *port(uint32_t ofport)
{
    return bridge_port_by_ofport(bed.bridge, ofport);
}

/* 0: it takes no part. */
static unsigned number_of(const struct bridge_port *bp)
{
    const struct stp *stp;
    const struct stp_port *p = stp_agent_port(bp, &stp);

    return p ? p->id & 0xff : 0;
}

static void ask(struct bridge_port *bp, uint8_t number)
{
    bp->stp.number = number;
    stp_agent_port_changed(agent, bp);
}

static void numbers_are_one_ports_each(void **state)
{
    begin();
    for (uint32_t i = 1; i <= BED_PORTS; i++)
        assert_int_equal(number_of(port(i)), i);
    ask(port(1), 200);
    assert_int_equal(number_of(port(1)), 200);
    ask(port(2), 1); /* is free again */
    assert_int_equal(number_of(port(2)), 1);
    ask(port(3), 200);
    assert_int_equal(number_of(port(3)), 0);
    ask(port(3), 0); /* the first that is free */
    assert_int_equal(number_of(port(3)), 2);
    bridge_port_remove(port(1));
    ask(port(4), 200);
    assert_int_equal(number_of(port(4)), 200);
    stp_agent_set(agent, bed.bridge, NULL);
    assert_int_equal(number_of(port(4)), 0);
    begin();
    assert_int_equal(number_of(port(4)), 200);
}

/* Which ports take part depends on what they ask for, and not on who came first. */
static void who_asks_goes_before(void **state)
{
    begin();
    ask(port(3), 1); /* port 1 did not ask, and takes another */
    assert_int_equal(number_of(port(3)), 1);
    assert_true(number_of(port(1)) > 1 && number_of(port(2)) == 2);
    ask(port(4), 1);
    assert_int_equal(number_of(port(4)), 0);
    ask(port(1), 1); /* the lowest of those that ask */
    assert_int_equal(number_of(port(1)), 1);
    assert_int_equal(number_of(port(3)), 0);
    ask(port(1), 9); /* whoever waits hears of it */
    assert_int_equal(number_of(port(1)), 9);
    assert_int_equal(number_of(port(3)), 1);
    ask(port(3), 0);
    assert_int_equal(number_of(port(4)), 1);
    assert_true(number_of(port(3)) > 1);
    ask(port(5), 9);
    assert_int_equal(number_of(port(5)), 0);
    bridge_port_remove(port(1));
    assert_int_equal(number_of(port(5)), 9);
}

/* Those that find no room cost the event loop next to nothing each. */
static void more_ports_than_numbers(void **state)
{
    unsigned n = 0;
    uint64_t took;

    for (unsigned i = 0; i < PATCHES; i++) {
        char name[16], peer[16];
        const char *why;

        snprintf(name, sizeof name, "a%u", i);
        snprintf(peer, sizeof peer, "b%u", i);
        assert_non_null(bridge_port_add(
            bed.bridge,
            &(struct bridge_port_params){.kind = BRIDGE_PORT_PATCH, .name = name, .ofport = 10 + i, .peer = peer},
            &why));
    }
    begin();
    for (uint32_t i = 1; i < 10 + PATCHES; i++)
        n += port(i) && number_of(port(i)) != 0;
    assert_int_equal(n, STP_PORTS_MAX);
    /* As after each change of the bridge's bonds. */
    took = own_us();
    for (uint32_t i = 1; i < 10 + PATCHES; i++)
        if (port(i) && number_of(port(i)) == 0)
            stp_agent_port_changed(agent, port(i));
    took = own_us() - took;
    print_message("%lu us for %u ports without a number\n", took, PATCHES + BED_PORTS - n);
    assert_true(took < 5000 * OWN_TIME_FACTOR);
    assert_int_equal(number_of(port(10 + STP_PORTS_MAX - BED_PORTS)), 0);
    bridge_port_remove(port(10));
    assert_int_equal(number_of(port(10 + STP_PORTS_MAX - BED_PORTS)), 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(numbers_are_one_ports_each, setup, teardown),
        cmocka_unit_test_setup_teardown(who_asks_goes_before, setup, teardown),
        cmocka_unit_test_setup_teardown(more_ports_than_numbers, setup, teardown),
    };

    if (test_eal_init("stp_agent_test") < 0)
        return 1;
    pool = test_pool(2047);
    return pool ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
