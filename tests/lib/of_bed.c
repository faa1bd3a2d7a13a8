#include "tests/lib/of_bed.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>

#include "src/openflow/requests/handler.h"
#include "tests/lib/eal.h"
#include "tests/lib/no_meters.h"
#include "tests/lib/scratch.h"

/* --- stand-ins ----------------------------------------------------------- */

uint64_t now_ms;
uint32_t meters_left;
bool counted = true;
bool settled;
unsigned n_packet_outs, n_limit_drops;
uint32_t packet_out_port, packet_out_len;

static uint64_t stopped_clock_us(void)
{
    return now_ms * 1000;
}

void datapath_count_drop(struct datapath *dp, enum drop_reason reason, uint64_t packets)
{
    if (reason == DROP_PACKET_IN_LIMIT)
        n_limit_drops += packets;
}

uint64_t flows_ticket(struct flows *flows)
{
    return 1;
}

bool flows_settled(struct flows *flows, uint64_t ticket)
{
    return settled;
}

uint64_t flows_count(struct flows *flows, uint64_t max_age_ms)
{
    return 1;
}

bool flows_counted(const struct flows *flows, uint64_t pass)
{
    return counted;
}

void flows_packet_out(struct flows *flows, struct bridge *bridge, struct rte_mbuf *packet, const struct flow *around,
                      const struct act_list *acts)
{
    n_packet_outs++;
    packet_out_port = around->in_port;
    packet_out_len = rte_pktmbuf_pkt_len(packet);
    rte_pktmbuf_free(packet);
}

struct held_packet {
    bool counted;
};
unsigned n_held, n_held_sent;
uint32_t held_config;

struct held_packet *flows_packet_out_hold(struct flows *flows, struct bridge *held_bridge, struct rte_mbuf *packet,
                                          const struct flow *around, const struct act_list *acts)
{
    n_held++;
    held_config = bridge_port_by_ofport(held_bridge, 1)->config;
    rte_pktmbuf_free(packet);
    return calloc(1, sizeof(struct held_packet));
}

void flows_held_count(struct held_packet *held)
{
    held->counted = true;
}

void flows_held_free(struct flows *flows, struct held_packet *held)
{
    n_held--;
    free(held);
}

void flows_held_send(struct flows *flows, struct held_packet *held, struct rte_mbuf *packet)
{
    assert_true(held->counted);
    n_held_sent++;
    rte_pktmbuf_free(packet);
    flows_held_free(flows, held);
}

void flows_resume(struct flows *flows, struct bridge *bridge, struct rte_mbuf *packet, const struct flow *around,
                  const struct recirc *left)
{
    flows_packet_out(flows, bridge, packet, around, &left->set);
}

void flows_note_tunnel_options(struct flows *flows)
{
}

struct port *datapath_port(const struct datapath *dp, uint32_t index)
{
    return NULL;
}

void datapath_port_remove(struct datapath *dp, struct port *port)
{
}

void datapath_port_forget(struct datapath *dp, uint32_t index)
{
}

void datapath_port_stats(const struct datapath *dp, uint32_t index, struct datapath_port_stats *stats)
{
    *stats = (struct datapath_port_stats){.rx_packets = 50};
}

static int set_admin_up(struct port *port, bool up)
{
    return 0;
}

static void get_status(struct port *port, struct port_status *status)
{
    *status = (struct port_status){.link_up = true, .speed_mbps = 10000, .mac = {{2, 0, 0, 0, 0, port->index}}};
}

static void get_stats(struct port *port, struct port_stats *stats)
{
    *stats = (struct port_stats){.rx_packets = 60};
}

const struct port_ops ops = {.set_admin_up = set_admin_up, .get_status = get_status, .get_stats = get_stats};

/* --- the server under test ----------------------------------------------- */

struct rte_mempool *pool;
struct loop *loop;
struct event_base *base;
struct bridge *bridge;
struct of_server *server;
struct port ports[2];
char mgmt[108], listening[128];
struct client a, b;

void turn(void)
{
    loop_turn(loop);
    now_ms++;
}

void start(enum fail_mode fail_mode, const char *controller, uint32_t probe_ms)
{
    char error[256] = "";
    const char *listen[] = {listening}, *none;
    const struct of_controller_params controllers[] = {
        {.target = controller, .inactivity_probe_ms = probe_ms, .max_backoff_ms = 20}};
    struct of_server_params params = {
        .loop = loop,
        .pool = pool,
        .mgmt_path = mgmt,
        .listen = listen,
        .n_listen = 1,
        .controllers = controllers,
        .n_controllers = controller != NULL,
        .inactivity_probe_ms = probe_ms,
    };

    now_ms = 1000000;
    settled = true;
    bridge = bridge_create("br0", 0x1234, NULL);
    bridge->fail_mode = fail_mode;
    for (int i = 0; i < 2; i++) {
        char name[8];
        ports[i] = (struct port){.ops = &ops, .index = i + 1, .admin_up = true};
        snprintf(name, sizeof name, "p%d", i + 1);
        assert_non_null(bridge_port_add(
            bridge, &(struct bridge_port_params){.port = &ports[i], .name = name, .ofport = i + 1}, &none));
    }
    params.bridge = bridge;
    params.requests = &of_requests;
    server = of_server_create(&params, error, sizeof error);
    if (!server)
        fail_msg("%s", error);
}

void stop(void)
{
    of_server_destroy(server);
    bridge_destroy(bridge);
    assert_int_not_equal(access(mgmt, F_OK), 0);
}

int of_bed_setup(void **state)
{
    snprintf(mgmt, sizeof mgmt, "%s", scratch_path("mgmt"));
    snprintf(listening, sizeof listening, "punix:%s", scratch_path("sock"));
    signal(SIGPIPE, SIG_IGN); /* as main() does */
    clock_set_source(stopped_clock_us);
    client_turn = turn;
    if (test_eal_init("of_test"))
        return -1;
    loop = loop_create();
    base = loop_base(loop);
    pool = test_pool(64);
    return base && pool ? 0 : -1;
}

int of_bed_teardown(void **state)
{
    loop_destroy(loop);
    return 0;
}

void make_flow_mod(struct of_msg *msg, enum flow_mod_command command, uint32_t n, struct act_buffer *acts)
{
    act_buffer_init(acts);
    *msg = (struct of_msg){.type = OF_FLOW_MOD,
                           .xid = n,
                           .flow_mod = {.command = command,
                                        .priority = 100,
                                        .cookie = n,
                                        .buffer_id = OF_NO_BUFFER,
                                        .out_port = OFPORT_ANY,
                                        .out_group = OFGROUP_ANY}};
    match_init_all(&msg->flow_mod.match);
    if (n) {
        const union field_value value = {{n >> 24, n >> 16, n >> 8, n}};
        match_set_exact(&msg->flow_mod.match, field_by_name("reg0"), &value);
    }
    struct act_output *output = act_buffer_add(acts, ACT_OUTPUT, sizeof *output);
    output->port = 1;
    msg->flow_mod.acts = act_buffer_list(acts);
}

void send_flow_mod(struct client *client, enum flow_mod_command command, uint32_t n)
{
    struct of_msg msg;
    struct act_buffer acts;

    make_flow_mod(&msg, command, n, &acts);
    client_send(client, &msg);
    act_buffer_free(&acts);
}

uint32_t n_rules(void)
{
    return pipeline_n_rules(bridge->pipeline, TABLE_ALL);
}
