#include "tests/lib/pause_bed.h"

#include <errno.h>
#include <signal.h>

#include "pmd/base/clock.h"
#include "src/openflow/requests/handler.h"
#include "tests/lib/scratch.h"

#define WAIT_MS 20000

struct loop *loop;
struct of_server *server;
struct client client;
const char *doing = "";
unsigned n_paused;
struct sent sent[SENT_MAX];
unsigned n_sent;

/* --- the bed ------------------------------------------------------------- */

void turn(void)
{
    loop_turn(loop);
    bed_turn(&bed);
}

static void on_packet_in(void *arg, struct packet_in *pin)
{
    of_server_packet_in(server, pin);
}

void connect_as(uint8_t version)
{
    const struct of_msg config = {.type = OF_SET_CONFIG, .config = {.miss_send_len = UINT16_MAX}};
    const struct of_msg format = {.type = OF_SET_PACKET_IN_FORMAT, .u32 = OF_PACKET_IN_NXT2};

    client_connect(&client, scratch_path("mgmt"));
    client_hello(&client, version);
    client_send(&client, &config);
    client_send(&client, &format);
    client_barrier(&client);
}

int setup(void **state)
{
    struct of_server_params params = {.loop = loop, .pool = pool};
    char error[256] = "", mgmt[108];

    snprintf(mgmt, sizeof mgmt, "%s", scratch_path("mgmt"));
    params.mgmt_path = mgmt;
    bed_create(&bed, pool, &(struct bed_params){.start = true});
    bed.bridge->fail_mode = FAIL_SECURE;
    params.bridge = bed.bridge;
    params.flows = bed.flows;
    params.requests = &of_requests;
    server = of_server_create(&params, error, sizeof error);
    flows_set_packet_in(bed.flows, on_packet_in, NULL);
    n_paused = 0;
    return server ? 0 : -1;
}

int teardown(void **state)
{
    of_server_destroy(server);
    bed_destroy(&bed);
    return 0;
}

int group_setup(void **state)
{
    signal(SIGPIPE, SIG_IGN);
    if (test_eal_init(program_invocation_short_name) != 0)
        return -1;
    client_turn = turn;
    loop = loop_create();
    pool = test_pool(1023);
    return loop && pool ? 0 : -1;
}

int group_teardown(void **state)
{
    loop_destroy(loop);
    return 0;
}

void group_set(uint32_t id, enum group_type type, const char *const *texts)
{
    struct bucket buckets[4];
    struct act_buffer acts[4];
    struct group_mod mod = {.command = GROUP_ADD, .group_id = id, .type = type, .buckets = buckets};

    for (; *texts; texts++) {
        unsigned i = mod.n_buckets++;

        act_buffer_init(&acts[i]);
        assert_null(actions_parse(*texts, &acts[i], NULL, NULL));
        buckets[i] = (struct bucket){.id = i,
                                     .weight = type == GROUP_SELECT,
                                     .watch_port = OFPORT_ANY,
                                     .watch_group = OFGROUP_ANY,
                                     .acts = act_buffer_list(&acts[i])};
    }
    assert_int_equal(group_table_mod(pipeline_groups(bed.bridge->pipeline), &mod), 0);
    for (unsigned i = 0; i < mod.n_buckets; i++)
        act_buffer_free(&acts[i]);
}

uint64_t drops(enum drop_reason reason)
{
    struct drop_counters sum;

    datapath_drops(bed.dp, &sum);
    return sum.packets[reason];
}

/* --- the controller ------------------------------------------------------ */

void expect_packet_in(struct of_msg *msg)
{
    client_expect(&client, OF_PACKET_IN, msg);
}

void resume(const struct of_msg *packet_in, change_fn *change)
{
    struct of_msg msg = *packet_in;

    msg.type = OF_RESUME;
    if (change)
        change(&msg.packet_in);
    client_send(&client, &msg);
}

void resume_what_came(change_fn *change)
{
    struct of_msg msg;

    while (client_poll(&client) == 1) {
        assert_int_equal(of_msg_decode(client.message, client.header.length, NULL, &msg), 0);
        if (msg.type == OF_ERROR)
            fail_msg("refused: %s", of_error_name(msg.error.error));
        if (msg.type == OF_PACKET_IN && msg.packet_in.continuation.data) {
            n_paused++;
            resume(&msg, change);
        }
        of_msg_free(&msg);
    }
}

/* --- what comes out ------------------------------------------------------ */

static void collect(void)
{
    struct rte_mbuf *m;

    for (uint32_t port = 1; port <= BED_PORTS; port++) {
        while (rte_ring_sc_dequeue(bed.fake[port]->out, (void **)&m) == 0) {
            struct sent *s = &sent[n_sent++];

            assert_true(n_sent < SENT_MAX && m->pkt_len <= sizeof s->data);
            s->port = port;
            s->len = m->pkt_len;
            memcpy(s->data, rte_pktmbuf_read(m, 0, m->pkt_len, s->data), m->pkt_len);
            rte_pktmbuf_free(m);
        }
    }
}

void drain(void)
{
    struct rte_mbuf *m;

    for (uint32_t port = 1; port <= BED_PORTS; port++) {
        while (rte_ring_sc_dequeue(bed.fake[port]->out, (void **)&m) == 0)
            rte_pktmbuf_free(m);
    }
}

static int by_port(const void *a, const void *b)
{
    return (int)((const struct sent *)a)->port - (int)((const struct sent *)b)->port;
}

void run_until(unsigned n, unsigned pauses, change_fn *change)
{
    uint64_t end = clock_now_ms() + WAIT_MS;

    n_sent = 0;
    for (unsigned more = 0; more < 30;) {
        turn();
        resume_what_came(change);
        collect();
        if (n_sent >= n && n_paused >= pauses)
            more++;
        else if (clock_now_ms() > end)
            fail_msg("%s: %u of %u packets came out, %u of %u pauses", doing, n_sent, n, n_paused, pauses);
    }
    assert_int_equal(n_sent, n);
    assert_int_equal(n_paused, pauses);
    qsort(sent, n_sent, sizeof sent[0], by_port);
}
