/* Threads that get other cores while packets pass: none is lost, none overtakes another. */
#include "pmd/poll/datapath_impl.h"
#include "pmd/poll/poll_thread.h"
#include "tests/lib/datapath_bed.h"

#define THREADS 3
#define ROUNDS 12
#define AHEAD 64 /* packets on their way, of each port */

static cpu_set_t idle;
static rte_spinlock_t locks[N_PORTS];
static uint32_t sent[N_PORTS], got[N_PORTS];

/* One thread of up to three; the fake ports' queues, one each, are all with it. */
static int setup(void **state)
{
    sched_getaffinity(0, sizeof idle, &idle);
    memset(sent, 0, sizeof sent);
    memset(got, 0, sizeof got);
    start_with_room(1, THREADS, 1024, 256, 20);
    for (unsigned i = 0; i < N_PORTS; i++) {
        ports[i]->port.n_txq = 1; /* so that they have to share it */
        ports[i]->port.tx_lock = &locks[i];
        install(i + 1, 0x0b000000, 0xff000000, program_output(i + 1));
    }
    return 0;
}

static int teardown(void **state)
{
    stop();
    return 0;
}

/* What has come out of the ports: in order. True: all of it. */
static bool take(void)
{
    uint32_t number;
    bool all = true;

    for (unsigned i = 0; i < N_PORTS; i++) {
        while (receive(i + 1, &number)) {
            assert_int_equal(number, got[i]);
            got[i]++;
        }
        all &= got[i] == sent[i];
    }
    return all;
}

static void stream(void)
{
    for (unsigned i = 0; i < N_PORTS; i++)
        if (sent[i] < got[i] + AHEAD)
            send_packet(i + 1, packet_make(0x0b000000, sent[i]++));
    take();
}

/* The numbers of cores are the test's own: the kernel takes those that the machine has. */
static void set_cores(unsigned n, int first)
{
    const int cores[] = {first, first + 1, first + 2};
    char error[200];

    assert_int_equal(datapath_set_cores(dp, cores, n, &idle, error, sizeof error), 0);
    for (uint64_t waited = 0; datapath_is_moving(dp); waited += 20) {
        assert_true(waited < PATIENCE_US);
        stream();
        datapath_reclaim(dp);
        usleep(20);
    }
}

static unsigned queues(unsigned thread)
{
    struct pmd_stats stats;

    datapath_pmd_stats(dp, thread, &stats);
    return stats.n_rxqs;
}

static bool has_core(unsigned thread, unsigned core)
{
    struct pmd_stats stats;

    datapath_pmd_stats(dp, thread, &stats);
    return !stats.surplus && stats.core == core;
}

static void queues_follow_and_nothing_is_lost(void **state)
{
    assert_int_equal(queues(0), 3);
    set_cores(3, 1);
    assert_int_equal(datapath_n_threads(dp), 3);
    assert_true(queues(0) == 1 && queues(1) == 1 && queues(2) == 1);
    set_cores(1, 3);
    assert_int_equal(queues(0) + queues(1) + queues(2), 3);
    assert_int_equal(queues(0), 3); /* the first one keeps a core */
    set_cores(2, 1);
    assert_int_equal(RTE_MAX(queues(0), RTE_MAX(queues(1), queues(2))), 2);
    for (unsigned round = 0; round < ROUNDS; round++)
        set_cores(1 + round % 3, 1 + round % 2);
    assert_int_equal(datapath_n_threads(dp), 3);
    WAIT_FOR(take());
    assert_true(got[0] > 0);
    assert_true(ports[0]->port.tx_shared);
}

static void a_thread_moves_with_all_that_it_has(void **state)
{
    assert_true(has_core(0, 1));
    set_cores(1, 2);
    assert_int_equal(datapath_n_threads(dp), 1);
    assert_true(has_core(0, 2));
    assert_int_equal(queues(0), 3);
    set_cores(2, 1); /* it stays, and another is made for the first core */
    assert_true(has_core(0, 2) && has_core(1, 1));
    assert_int_equal(queues(0) + queues(1), 3);
}

static void a_port_may_go_while_its_queue_moves(void **state)
{
    const int cores[] = {1, 2, 3};
    char error[200];

    assert_int_equal(datapath_set_cores(dp, cores, 3, &idle, error, sizeof error), 0);
    for (uint64_t waited = 0; dp->n_moves == 0; waited += 20) {
        assert_true(waited < PATIENCE_US);
        datapath_reclaim(dp);
        usleep(20);
    }
    struct port *port = dp->moves[0].entry.port;
    uint32_t index = port->index;
    datapath_port_remove(dp, port);
    datapath_port_forget(dp, index);
    WAIT_FOR(datapath_port_closed(dp, index) && !datapath_is_moving(dp));
    ports[index - 1] = NULL;
    assert_int_equal(queues(0) + queues(1) + queues(2), 2);
}

static void settle(void)
{
    for (uint64_t waited = 0; datapath_is_moving(dp); waited += 20) {
        assert_true(waited < PATIENCE_US);
        stream();
        datapath_reclaim(dp);
        usleep(20);
    }
}

/* The core of the thread that polls the port's only queue. */
static unsigned polled_on(unsigned port)
{
    uint32_t indices[16];
    uint16_t numbers[16];
    struct pmd_stats stats;

    for (unsigned t = 0; t < datapath_n_threads(dp); t++)
        for (unsigned i = datapath_pmd_rxqs(dp, t, indices, numbers, 16); i-- > 0;)
            if (indices[i] == port) {
                datapath_pmd_stats(dp, t, &stats);
                return stats.core;
            }
    return 0;
}

static void ask(unsigned port, int core)
{
    datapath_port_cores(dp, &ports[port - 1]->port, &core, 1);
    settle();
}

static void a_queue_is_polled_on_the_core_that_it_asks_for(void **state)
{
    set_cores(3, 1);
    for (int core = 1; core <= 3; core++) {
        ask(1, core);
        assert_int_equal(polled_on(1), core);
        assert_true(polled_on(2) != (unsigned)core && polled_on(3) != (unsigned)core); /* it has the core to itself */
    }
    assert_true(datapath_polls_on(dp, 3) && !datapath_polls_on(dp, 4));
    datapath_isolate(dp, false);
    ask(2, 3);
    assert_true(polled_on(1) == 3 && polled_on(2) == 3);
    datapath_isolate(dp, true);
    settle();
    assert_true(polled_on(1) == 3 && polled_on(2) == 3 && polled_on(3) != 3); /* both asked for it */
    ask(1, 9);                                                                /* nobody is there: any */
    assert_true(polled_on(1) != 3);
    ask(2, -1);
    assert_true(queues(0) == 1 && queues(1) == 1 && queues(2) == 1);
    WAIT_FOR(take());
    assert_true(got[0] > 0);
}

/* All cores are asked for: who asks for none is polled all the same. And what is asked for holds when threads go. */
static void no_queue_is_left_alone(void **state)
{
    set_cores(2, 1);
    ask(1, 1);
    ask(2, 2);
    assert_true(polled_on(1) == 1 && polled_on(2) == 2 && polled_on(3) != 0);
    set_cores(1, 1);
    assert_true(polled_on(1) == 1 && polled_on(2) == 1 && polled_on(3) == 1);
    set_cores(3, 1);
    assert_true(polled_on(1) == 1 && polled_on(2) == 2 && polled_on(3) == 3);
    WAIT_FOR(take());
}

/* By the cycles that they took, as if they had been measured: one heavy queue and two light ones on two threads. */
static void queues_are_spread_by_what_they_took(void **state)
{
    set_cores(2, 1);
    for (unsigned heavy = 1; heavy <= N_PORTS; heavy++) {
        datapath_rx_mark(dp);
        datapath_rx_mark(dp);
        for (unsigned port = 1; port <= N_PORTS; port++)
            ports[port - 1]->port.rx[0].cycles += port == heavy ? UINT64_C(1) << 40 : UINT64_C(1) << 38;
        assert_true(datapath_rebalance(dp));
        settle();
        for (unsigned port = 1; port <= N_PORTS; port++)
            assert_true(port == heavy || polled_on(port) != polled_on(heavy));
        assert_true(datapath_rx_share(dp, &ports[heavy - 1]->port, 0) > 0);
    }
    set_cores(3, 1); /* the plan is void */
    assert_true(queues(0) == 1 && queues(1) == 1 && queues(2) == 1);
}

/* Whoever asks for a core has it to itself, whatever was planned. */
static void a_plan_gives_way_to_who_asks(void **state)
{
    set_cores(2, 1);
    datapath_rx_mark(dp);
    datapath_rx_mark(dp);
    ports[0]->port.rx[0].cycles += UINT64_C(1) << 40;
    assert_true(datapath_rebalance(dp));
    settle();
    const int core = (int)polled_on(2);
    assert_true(polled_on(1) != (unsigned)core && polled_on(3) == (unsigned)core);
    ask(1, core);
    assert_true(polled_on(1) == (unsigned)core && polled_on(2) != (unsigned)core && polled_on(3) != (unsigned)core);
    ask(1, -1); /* what was planned holds again */
    assert_true(polled_on(2) == (unsigned)core && polled_on(3) == (unsigned)core);
    WAIT_FOR(take());
}

static void the_share_of_a_queue_is_measured(void **state)
{
    assert_true(datapath_rx_share(dp, &ports[0]->port, 0) < 0);
    datapath_rx_mark(dp);
    datapath_rx_mark(dp);
    for (uint64_t waited = 0; datapath_rx_share(dp, &ports[0]->port, 0) == 0 || datapath_busy_share(dp, 0) == 0;
         waited += 20) {
        assert_true(waited < PATIENCE_US);
        stream();
        usleep(20);
    }
    WAIT_FOR(take());
}

static void more_than_there_may_be_are_refused(void **state)
{
    const int cores[] = {1, 2, 3, 4};
    char error[200];

    assert_int_equal(datapath_set_cores(dp, cores, 4, &idle, error, sizeof error), -1);
    assert_non_null(strstr(error, "1 to 3"));
    assert_int_equal(datapath_set_cores(dp, cores, 0, &idle, error, sizeof error), -1);
    assert_int_equal(datapath_n_threads(dp), 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(queues_follow_and_nothing_is_lost),
        TEST(a_thread_moves_with_all_that_it_has),
        TEST(a_port_may_go_while_its_queue_moves),
        TEST(a_queue_is_polled_on_the_core_that_it_asks_for),
        TEST(no_queue_is_left_alone),
        TEST(queues_are_spread_by_what_they_took),
        TEST(a_plan_gives_way_to_who_asks),
        TEST(the_share_of_a_queue_is_measured),
        TEST(more_than_there_may_be_are_refused),
    };

    if (test_eal_init("datapath_cores_test") != 0)
        return 1;
    pool = test_pool(4095);
    return pool ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
