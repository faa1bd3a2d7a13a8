/* A barrier covers the datapath: after its reply no packet leaves by the rules from before (OpenFlow 1.3.5, 6.1.2,
 * taken at its word).
 *
 * Port 1 makes packets of FLOWS flows, each with a megaflow of its own, as fast as the poll-mode thread takes them.
 * Rules write a number into the packets they handle. Each change makes the number of one destination larger; once the
 * barrier behind it is answered, port 2, on the poll-mode thread, counts every packet of that destination with a
 * smaller one. FLOWS and CHANGES may be given in the environment.
 */
#include "pmd/base/clock.h"
#include "tests/lib/of_client.h"

#include <event2/event.h>
#include <rte_cycles.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>

#include "src/openflow/requests/handler.h"
#include "src/openflow/server/server.h"
#include "tests/lib/bed.h"

#define DESTINATIONS 100
#define POOL_SIZE 8191
#define FRAME_LEN 60

static struct rte_mempool *pool;
static struct bed bed;
static struct loop *loop;
static struct of_server *server;
static struct client client;
static uint32_t n_flows;

/* The least number that may leave, by destination: written when a barrier was answered. */
static uint32_t least[DESTINATIONS];
static bool generating;
/* Of the poll-mode thread. */
static uint64_t n_sent, n_stale, n_strange;
static uint32_t largest[DESTINATIONS];

static void turn(void)
{
    loop_turn(loop);
    bed_turn(&bed);
}

static void sleep_turn(void)
{
    turn();
    sched_yield();
}

/* --- the ports, on the poll-mode thread ---------------------------------- */

static void put16(uint8_t *at, uint32_t v)
{
    at[0] = (uint8_t)(v >> 8);
    at[1] = (uint8_t)v;
}

static uint32_t get32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* Flow i goes to 10.0.0.(i % DESTINATIONS), from port i / DESTINATIONS. */
static uint16_t generator_rx(struct port *port, uint16_t queue, struct rte_mbuf **packets, uint16_t n)
{
    static uint32_t next;

    if (!__atomic_load_n(&generating, __ATOMIC_RELAXED) || rte_pktmbuf_alloc_bulk(pool, packets, n) != 0)
        return 0;
    for (uint16_t i = 0; i < n; i++) {
        uint8_t *frame = (uint8_t *)rte_pktmbuf_append(packets[i], FRAME_LEN);

        memset(frame, 0, FRAME_LEN);
        frame[0] = frame[6] = 2;
        frame[11] = 1;
        frame[12] = 0x08;
        frame[14] = 0x45;
        frame[17] = FRAME_LEN - 14;
        frame[22] = 64;
        frame[23] = 17;
        frame[26] = 11;
        frame[30] = 10;
        frame[33] = (uint8_t)(next % DESTINATIONS);
        put16(frame + 34, next / DESTINATIONS);
        frame[39] = FRAME_LEN - 34;
        next = next + 1 == n_flows ? 0 : next + 1;
    }
    return n;
}

/* The number is in the last four bytes of the Ethernet destination. */
static uint16_t judge_tx(struct port *port, uint16_t queue, struct rte_mbuf **packets, uint16_t n)
{
    for (uint16_t i = 0; i < n; i++) {
        const uint8_t *frame = rte_pktmbuf_mtod(packets[i], const uint8_t *);
        uint32_t number = get32(frame + 2), d = frame[33];

        if (d >= DESTINATIONS) {
            n_strange++;
            continue;
        }
        n_stale += number < __atomic_load_n(&least[d], __ATOMIC_SEQ_CST);
        largest[d] = RTE_MAX(largest[d], number);
    }
    __atomic_store_n(&n_sent, n_sent + n, __ATOMIC_RELAXED);
    rte_pktmbuf_free_bulk(packets, n);
    return n;
}

/* --- changes ------------------------------------------------------------- */

static void send_mod(enum flow_mod_command command, const char *text)
{
    struct of_msg msg = {.type = OF_FLOW_MOD, .xid = 1};
    struct act_buffer acts;
    char *error;

    act_buffer_init(&acts);
    error = flow_mod_parse(text, &msg.flow_mod, &acts, NULL, NULL);
    if (error)
        fail_msg("%s: %s", text, error);
    msg.flow_mod.command = command;
    client_send(&client, &msg);
    act_buffer_free(&acts);
}

/* Reading a port into a register gives each flow a megaflow. */
static void rule_mod(enum flow_mod_command command, uint32_t d, uint16_t priority, uint32_t number)
{
    char text[256];

    snprintf(text, sizeof text,
             "priority=%u,udp,in_port=1,nw_dst=10.0.0.%u,actions=move:NXM_OF_UDP_SRC[]->NXM_NX_REG0[0..15],"
             "set_field:02:00:%02x:%02x:%02x:%02x->eth_dst,output:2",
             priority, d, number >> 24, number >> 16 & 0xff, number >> 8 & 0xff, number & 0xff);
    send_mod(command, text);
}

enum step { CHANGE, SHADOW, CHANGE_BELOW, UNCOVER, N_STEPS };

/* The `i`-th change, and what it makes the least number of its destination. */
static void change(uint32_t i)
{
    uint32_t d = i / N_STEPS % DESTINATIONS, number = i + 1;

    switch ((enum step)(i % N_STEPS)) {
    case CHANGE:
        rule_mod(FLOW_MODIFY_STRICT, d, 10, number);
        break;
    case SHADOW:
        rule_mod(FLOW_ADD, d, 20, number);
        break;
    case CHANGE_BELOW: /* hidden by the other one, until that goes */
        rule_mod(FLOW_MODIFY_STRICT, d, 10, number);
        client_barrier(&client);
        return;
    default: {
        char text[64];

        snprintf(text, sizeof text, "priority=20,udp,in_port=1,nw_dst=10.0.0.%u", d);
        send_mod(FLOW_DELETE_STRICT, text);
        number--; /* what CHANGE_BELOW left there */
    }
    }
    client_barrier(&client);
    __atomic_store_n(&least[d], number, __ATOMIC_SEQ_CST);
}

static uint32_t number_from_environment(const char *name, uint32_t otherwise)
{
    const char *text = getenv(name);

    return text ? (uint32_t)strtoul(text, NULL, 0) : otherwise;
}

static void no_packet_is_handled_by_rules_from_before_a_barrier(void **state)
{
    const uint32_t n_changes = number_from_environment("CHANGES", 400);
    struct flows_stats stats;
    uint64_t before, started;

    for (uint32_t d = 0; d < DESTINATIONS; d++)
        rule_mod(FLOW_ADD, d, 10, 0);
    client_barrier(&client);
    __atomic_store_n(&generating, true, __ATOMIC_RELAXED);
    started = clock_now_ms();
    do {
        sleep_turn();
        flows_get_stats(bed.flows, &stats);
        if (clock_now_ms() - started > 60000)
            fail_msg("only %lu megaflows after a minute", (unsigned long)stats.n_megaflows);
    } while (stats.n_megaflows < n_flows);

    before = __atomic_load_n(&n_sent, __ATOMIC_RELAXED);
    started = clock_now_ms();
    for (uint32_t i = 0; i < n_changes; i++)
        change(i);
    uint64_t took = clock_now_ms() - started, sent = __atomic_load_n(&n_sent, __ATOMIC_RELAXED) - before;

    /* A little longer: a stale packet could come late. */
    for (uint64_t end = clock_now_ms() + 50; clock_now_ms() < end;)
        sleep_turn();
    __atomic_store_n(&generating, false, __ATOMIC_RELAXED);
    while (rte_mempool_avail_count(pool) != POOL_SIZE)
        sleep_turn();
    flows_get_stats(bed.flows, &stats);
    print_message("%u changes in %lu ms, %lu packets (%.1f Mpps) meanwhile, %lu megaflows, %lu translated again, %lu "
                  "stale packets\n",
                  n_changes, (unsigned long)took, (unsigned long)sent, took ? (double)sent / 1000 / (double)took : 0,
                  (unsigned long)stats.n_megaflows, (unsigned long)stats.revalidated, (unsigned long)n_stale);
    assert_int_equal(n_stale, 0);
    assert_int_equal(n_strange, 0);
    assert_true(sent > n_changes);
    for (uint32_t d = 0; d < DESTINATIONS && d < n_changes / N_STEPS; d++)
        assert_true(largest[d] >= least[d]);
}

static int setup(void **state)
{
    static struct port_ops in, out;
    static char path[108];
    char error[256];
    struct of_server_params params = {.pool = pool, .mgmt_path = path};

    n_flows = number_from_environment("FLOWS", 4000);
    snprintf(path, sizeof path, "/tmp/barrier_test.%d.mgmt", getpid());
    signal(SIGPIPE, SIG_IGN);
    bed_create(&bed, pool,
               &(struct bed_params){.start = true, .megaflow_limit = 2 * n_flows + 1024, .idle_ms = 600000});
    in = out = *bed_ops();
    in.rx_burst = generator_rx;
    out.tx_burst = judge_tx;
    bed.fake[2]->port.ops = &out;
    bed.fake[1]->port.ops = &in;
    bed.bridge->fail_mode = FAIL_SECURE;
    client_turn = turn;
    params.loop = loop = loop_create();
    params.bridge = bed.bridge;
    params.flows = bed.flows;
    params.requests = &of_requests;
    server = of_server_create(&params, error, sizeof error);
    if (!server)
        fail_msg("%s", error);
    client_connect(&client, path);
    client_hello(&client, OF13);
    return 0;
}

static int teardown(void **state)
{
    client_close(&client);
    of_server_destroy(server);
    bed_destroy(&bed);
    loop_destroy(loop);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(no_packet_is_handled_by_rules_from_before_a_barrier, setup, teardown)};

    if (test_eal_init("barrier_test") != 0)
        return 77;
    pool = test_pool(POOL_SIZE);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
