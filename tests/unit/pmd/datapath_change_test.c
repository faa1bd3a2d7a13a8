/* What the control thread changes while packets flow: megaflows, programs, ports; and a thread that sleeps. */
#include "pmd/base/clock.h"
#include <stdlib.h>
#include <sys/resource.h>

#include "pmd/poll/datapath_impl.h"
#include "tests/lib/datapath_bed.h"

#include <errno.h>
#include <rte_cycles.h>

/* After a token has passed, no packet runs the program that was replaced before: packets that were sent into the port
 * before the change may come out of either port, those after the token only out of the new one. */
static void after_a_token_no_packet_runs_the_old_program(void **state)
{
    uint32_t number, sent = 0, stale = 0;

    start_with(1, 1024, 256, 0);
    struct program *to[2] = {program_output(2), program_output(3)};
    struct megaflow *mf = install(1, 5, UINT32_MAX, program_ref(to[0]));
    uint64_t until = clock_now_ms() + 1500;
    for (unsigned change = 1; change <= 100 || (change <= 20000 && clock_now_ms() < until); change++) {
        unsigned now = change & 1;

        for (unsigned i = 0; i < 40; i++)
            send_packet(1, packet_make(5, ++sent));
        program_gone(datapath_megaflow_set_program(dp, mf, program_ref(to[now])));
        uint64_t token = datapath_token(dp);
        while (!datapath_passed(dp, token))
            sched_yield();
        /* All that the old program decided has been sent: the ring of its port holds it by now. */
        while (receive(3 - now, &number))
            ;
        uint32_t boundary = sent;
        for (unsigned i = 0; i < 40; i++)
            send_packet(1, packet_make(5, ++sent));
        do {
            while (receive(3 - now, &number))
                stale++;
            WAIT_FOR(receive(2 + now, &number));
        } while (number != sent);
        assert_true(number > boundary);
        datapath_reclaim(dp);
    }
    assert_int_equal(stale, 0);
    stop();
}

/* The same for packets that were handed back: they run before the token passes, also on a thread that sleeps. */
static void a_token_covers_returned_packets(void **state)
{
    uint32_t number;

    for (unsigned sleep_us = 0; sleep_us <= 2000; sleep_us += 2000) {
        start_with(1, 1024, 256, sleep_us);
        struct program *program = program_output(2);
        for (uint32_t i = 0; i < 200; i++) {
            datapath_inject(dp, packet_make(1, i), 1, program);
            datapath_inject(dp, packet_make(1, i), 1, program);
            datapath_synchronize(dp);
            assert_true(receive(2, &number));
            assert_int_equal(number, i);
            assert_true(receive(2, &number));
            assert_int_equal(number, i);
        }
        program_gone(program);
        stop();
    }
}

static void a_sleeping_thread_loses_nothing(void **state)
{
    uint32_t number;
    struct pmd_stats stats;

    start_with(1, 1024, 256, 500);
    install(1, 5, UINT32_MAX, program_output(2));
    for (uint32_t i = 0; i < 50; i++) {
        usleep(3000);
        send_packet(1, packet_make(5, i));
        WAIT_FOR(receive(2, &number));
        assert_int_equal(number, i);
    }
    datapath_pmd_stats(dp, 0, &stats);
    assert_true(stats.cycles_asleep > 0);
    stop();
}

static void ports_are_spread_and_leave_after_a_grace_period(void **state)
{
    uint32_t number, in_ports[8];
    uint16_t queues[8];

    start_with(2, 1024, 256, 20);
    assert_int_equal(datapath_pmd_rxqs(dp, 0, in_ports, queues, 8) + datapath_pmd_rxqs(dp, 1, in_ports, queues, 8),
                     N_PORTS);
    struct pmd_stats stats[2];
    datapath_pmd_stats(dp, 0, &stats[0]);
    datapath_pmd_stats(dp, 1, &stats[1]);
    assert_true(stats[0].n_rxqs >= 1 && stats[1].n_rxqs >= 1);

    install(1, 5, UINT32_MAX, program_output(2));
    install(3, 5, UINT32_MAX, program_output(2));
    for (uint32_t i = 0; i < 100; i++) {
        send_packet(1, packet_make(5, i));
        send_packet(3, packet_make(5, i));
    }
    for (uint32_t i = 0; i < 200; i++)
        WAIT_FOR(receive(2, &number));

    unsigned destroyed = fake_ports_destroyed;
    datapath_port_remove(dp, &ports[1]->port);
    ports[1] = NULL;
    assert_null(datapath_port(dp, 2));
    /* Its index is taken until the grace period is over and nothing names it. */
    assert_int_equal(fake_ports_destroyed, destroyed);
    struct fake_port *other = fake_port_create(64);
    assert_int_equal(datapath_port_add(dp, &other->port), 0);
    assert_int_equal(other->port.index, 4);
    WAIT_FOR(fake_ports_destroyed == destroyed + 1);
    send_packet(1, packet_make(5, 0));
    WAIT_FOR(drops(DROP_TX_NO_PORT) == 1);
    assert_int_equal(datapath_n_ports_leaving(dp), 1);
    datapath_port_forget(dp, 2);
    WAIT_FOR(datapath_n_ports_leaving(dp) == 0);
    ports[1] = fake_port_create(64);
    assert_int_equal(datapath_port_add(dp, &ports[1]->port), 0);
    assert_int_equal(ports[1]->port.index, 2);
    datapath_port_remove(dp, &other->port);
    WAIT_FOR(fake_ports_destroyed == destroyed + 2);
    stop();
}

/* All that malloc() can give, and nothing more. */
struct taken {
    struct taken *next;
};

static struct taken *take_all_memory(void)
{
    struct rlimit limit;
    struct taken *all = NULL;

    getrlimit(RLIMIT_AS, &limit);
    limit.rlim_cur = 4096;
    setrlimit(RLIMIT_AS, &limit);
    for (size_t size = 1 << 20; size >= sizeof *all; size /= 2) {
        struct taken *one;

        while ((one = malloc(size))) {
            one->next = all;
            all = one;
        }
    }
    return all;
}

static void give_memory_back(struct taken *all)
{
    struct rlimit limit;

    getrlimit(RLIMIT_AS, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_AS, &limit);
    while (all) {
        struct taken *next = all->next;

        free(all);
        all = next;
    }
}

static void a_port_is_removed_without_memory(void **state)
{
    struct taken *all;
    uint32_t number;
    unsigned destroyed = fake_ports_destroyed;

#ifdef __SANITIZE_ADDRESS__
    skip(); /* its malloc() does not run out in this way */
#endif
    start();
    install(1, 0, 0, program_output(3));
    send_packet(1, packet_make(5, 1));
    WAIT_FOR(receive(3, &number));
    all = take_all_memory();
    datapath_port_remove(dp, &ports[1]->port);
    ports[1] = NULL;
    for (unsigned i = 0; i < 1000 && fake_ports_destroyed == destroyed; i++) {
        datapath_reclaim(dp);
        usleep(50);
    }
    give_memory_back(all);
    assert_int_equal(fake_ports_destroyed, destroyed + 1);
    datapath_port_forget(dp, 2);
    WAIT_FOR(datapath_n_ports_leaving(dp) == 0);
    /* The other ports go on, and one that is added takes the place of what is left of it. */
    send_packet(1, packet_make(5, 2));
    WAIT_FOR(receive(3, &number));
    ports[1] = fake_port_create(64);
    assert_int_equal(datapath_port_add(dp, &ports[1]->port), 0);
    assert_int_equal(dp->poll_lists[0]->n, N_PORTS);
    install(2, 0, 0, program_output(1));
    send_packet(2, packet_make(5, 3));
    WAIT_FOR(receive(1, &number));
    stop();
}

static void when_all_indices_are_taken_it_says_why(void **state)
{
    static struct port many[PORT_MAX];
    unsigned n = N_PORTS, destroyed = fake_ports_destroyed;
    struct fake_port *last;

    start();
    for (; n < PORT_MAX - 1; n++) {
        many[n] = (struct port){.ops = &fake_ops, .ethdev_id = UINT16_MAX, .numa_node = -1};
        assert_int_equal(datapath_port_add(dp, &many[n]), 0);
        assert_int_equal(many[n].index, n + 1);
    }
    last = fake_port_create(64);
    assert_int_equal(datapath_port_add(dp, &last->port), -ENOSPC);
    datapath_port_remove(dp, &ports[1]->port);
    ports[1] = NULL;
    assert_int_equal(datapath_port_add(dp, &last->port), -EAGAIN);
    WAIT_FOR(fake_ports_destroyed == destroyed + 1);
    assert_int_equal(datapath_port_add(dp, &last->port), -EAGAIN);
    datapath_port_forget(dp, 2);
    WAIT_FOR(datapath_port_add(dp, &last->port) == 0);
    assert_int_equal(last->port.index, 2);
    ports[1] = last;
    stop();
}

static void limits_and_duplicates_are_refused(void **state)
{
    struct flow_key key = {.in_port = 1}, mask = mask_src(UINT32_MAX);
    struct program *program;
    int error;

    start();
    program = program_output(2);
    for (uint32_t i = 0; i < 1000; i++) {
        key.ipv4_src = i + 1;
        assert_non_null(datapath_megaflow_install(dp, &key, &mask, program_ref(program), &error));
        assert_null(datapath_megaflow_install(dp, &key, &mask, program, &error));
        assert_int_equal(error, -EEXIST);
    }
    assert_int_equal(datapath_n_megaflows(dp), 1000);
    key.ipv4_src = 0;
    assert_null(datapath_megaflow_install(dp, &key, &mask, program, &error));
    assert_int_equal(error, -ENOSPC);
    key.ipv4_src = 77;
    struct megaflow *mf = datapath_megaflow_lookup(dp, &key);
    assert_non_null(mf);
    program_gone(datapath_megaflow_remove(dp, mf));
    assert_null(datapath_megaflow_lookup(dp, &key));

    /* Its place is free again after a grace period. */
    key.ipv4_src = 0;
    WAIT_FOR(datapath_megaflow_install(dp, &key, &mask, program, &error));
    program_ref(program);

    for (uint32_t gone = 100; gone < 115; gone++) {
        key.ipv4_src = gone;
        program_gone(datapath_megaflow_remove(dp, datapath_megaflow_lookup(dp, &key)));
    }
    for (uint32_t i = 0; i < 15; i++) {
        mask = mask_src(UINT32_MAX << i << 1);
        WAIT_FOR(datapath_megaflow_install(dp, &key, &mask, program, &error));
        program_ref(program);
    }
    struct flow_key other = {.eth_type = UINT16_MAX};
    assert_null(datapath_megaflow_install(dp, &key, &other, program, &error));
    assert_int_equal(error, -EMLINK);
    stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(after_a_token_no_packet_runs_the_old_program),
        cmocka_unit_test(a_token_covers_returned_packets),
        cmocka_unit_test(a_sleeping_thread_loses_nothing),
        cmocka_unit_test(ports_are_spread_and_leave_after_a_grace_period),
        cmocka_unit_test(a_port_is_removed_without_memory),
        cmocka_unit_test(when_all_indices_are_taken_it_says_why),
        cmocka_unit_test(limits_and_duplicates_are_refused),
    };

    if (test_eal_init("datapath_change_test") != 0)
        return 1;
    pool = test_pool(8191);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
