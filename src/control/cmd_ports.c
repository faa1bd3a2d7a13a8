/* ports and bridges: state and counters. Control thread. */
#include <inttypes.h>

#include "src/control/commands.h"
#include "src/openflow/server/connection.h"
#include "src/openflow/server/server.h"

static json_t *drops_json(const uint64_t *drops)
{
    json_t *object = json_object();

    for (int r = 0; r < DROP_N_REASONS; r++)
        if (drops[r])
            json_object_set_new(object, drop_reason_name(r), json_integer(drops[r]));
    return object;
}

static void show_port(struct bridge_port *bp, struct control_reply *reply)
{
    struct port_status st = {.numa_node = -1};
    struct bridge_port_stats counted;
    struct datapath_port_stats own = {0};

    bridge_port_stats(bp, &counted);
    if (bp->port) {
        bp->port->ops->get_status(bp->port, &st);
        datapath_port_stats(bp->bridge->dp, bp->port->index, &own);
    }
    char mac[18];
    const uint8_t *b = bp->mac.addr_bytes;
    snprintf(mac, sizeof mac, "%02x:%02x:%02x:%02x:%02x:%02x", b[0], b[1], b[2], b[3], b[4], b[5]);
    const char *link = !bp->port ? "absent" : bp->config & PORT_CONFIG_DOWN ? "admin-down" : st.link_up ? "up" : "down";
    char ofport[16];
    if (bp->ofport == OFPORT_LOCAL)
        snprintf(ofport, sizeof ofport, "LOCAL");
    else
        snprintf(ofport, sizeof ofport, "%" PRIu32, bp->ofport);

    control_printf(reply, "%s %s(%s): %s, %s, index %u, mtu %u, mac %s, queues %u rx %u tx\n", bp->bridge->name,
                   bp->name, ofport, bp->port ? st.driver : "-", link, bp->port ? bp->port->index : 0, st.mtu, mac,
                   st.rx_queues, st.tx_queues);
    control_printf(reply, "  rx packets %" PRIu64 " bytes %" PRIu64 " errors %" PRIu64 " dropped %" PRIu64 "\n",
                   counted.rx_packets, counted.rx_bytes, counted.rx_errors, counted.rx_dropped);
    control_printf(reply, "  tx packets %" PRIu64 " bytes %" PRIu64 " errors %" PRIu64 " dropped %" PRIu64 "\n",
                   counted.tx_packets, counted.tx_bytes, counted.tx_errors, counted.tx_dropped);
    for (int r = 0; r < DROP_N_REASONS; r++)
        if (own.drops[r])
            control_printf(reply, "  drop %s %" PRIu64 "\n", drop_reason_name(r), own.drops[r]);

    json_t *port = json_pack("{s:s,s:s,s:s,s:s,s:s,s:i,s:i,s:s,s:i,s:i,s:i}", "bridge", bp->bridge->name, "name",
                             bp->name, "ofport", ofport, "driver", bp->port ? st.driver : "", "link", link, "index",
                             bp->port ? (int)bp->port->index : 0, "mtu", (int)st.mtu, "mac", mac, "rx_queues",
                             (int)st.rx_queues, "tx_queues", (int)st.tx_queues, "numa_node", st.numa_node);
    json_object_set_new(port, "rx",
                        json_pack("{s:I,s:I,s:I,s:I}", "packets", (json_int_t)counted.rx_packets, "bytes",
                                  (json_int_t)counted.rx_bytes, "errors", (json_int_t)counted.rx_errors, "dropped",
                                  (json_int_t)counted.rx_dropped));
    json_object_set_new(port, "tx",
                        json_pack("{s:I,s:I,s:I,s:I}", "packets", (json_int_t)counted.tx_packets, "bytes",
                                  (json_int_t)counted.tx_bytes, "errors", (json_int_t)counted.tx_errors, "dropped",
                                  (json_int_t)counted.tx_dropped));
    json_object_set_new(port, "drops", drops_json(own.drops));
    json_array_append_new(reply->json, port);
}

static void cmd_ports(void *arg, int argc, const char *const *argv, struct control_reply *reply)
{
    struct sluice *sw = arg;
    struct bridge *br;
    bool found = argc < 2;

    reply->json = json_array();
    TAILQ_FOREACH (br, &sw->bridges, node) {
        struct bridge_port *bp;
        TAILQ_FOREACH (bp, &br->ports, node) {
            if (argc > 1 && strcmp(argv[1], bp->name) && strcmp(argv[1], br->name))
                continue;
            found = true;
            show_port(bp, reply);
        }
    }
    if (!found)
        control_fail(reply, "%s: no such port or bridge", argv[1]);
}

static void show_connection(void *arg, const struct of_connection_info *info)
{
    struct control_reply *reply = arg;

    control_printf(reply,
                   "  %s: %s, %s, %s, rx %" PRIu64 " tx %" PRIu64 " packet-ins %" PRIu64 " (dropped %" PRIu64
                   ") errors %" PRIu64 "\n",
                   info->target, info->state, info->role, of_version_name(info->version), info->counts.rx_messages,
                   info->counts.tx_messages, info->counts.packet_ins,
                   info->counts.packet_ins_dropped + info->counts.packet_ins_limited, info->counts.errors_sent);
    json_t *bridge = json_array_get(reply->json, json_array_size(reply->json) - 1);
    json_array_append_new(json_object_get(bridge, "connections"),
                          json_pack("{s:s,s:s,s:s,s:i,s:b,s:I,s:I,s:I,s:I,s:I}", "target", info->target, "state",
                                    info->state, "role", info->role, "version", (int)info->version, "controller",
                                    (int)info->is_controller, "rx_messages", (json_int_t)info->counts.rx_messages,
                                    "tx_messages", (json_int_t)info->counts.tx_messages, "packet_ins",
                                    (json_int_t)info->counts.packet_ins, "packet_ins_dropped",
                                    (json_int_t)(info->counts.packet_ins_dropped + info->counts.packet_ins_limited),
                                    "errors_sent", (json_int_t)info->counts.errors_sent));
}

static void cmd_bridges(void *arg, int argc, const char *const *argv, struct control_reply *reply)
{
    struct sluice *sw = arg;
    struct bridge *br;

    reply->json = json_array();
    TAILQ_FOREACH (br, &sw->bridges, node) {
        char dpid[20];
        snprintf(dpid, sizeof dpid, "%016" PRIx64, br->datapath_id);
        const char *mode = br->fail_mode == FAIL_SECURE ? "secure" : "standalone";
        bool learning = switch_of(br) && of_server_is_learning_switch(switch_of(br));
        uint32_t rules = pipeline_n_rules(br->pipeline, TABLE_ALL);
        uint64_t tls_refused = switch_of(br) ? of_server_tls_refused(switch_of(br)) : 0;
        control_printf(
            reply,
            "%s: datapath_id %s, fail_mode %s%s, ports %u, rules %u, MAC addresses %zu, TLS refusals %" PRIu64 "\n",
            br->name, dpid, mode, learning ? " (acting as a learning switch)" : "", br->n_ports, rules,
            mac_table_size(br->macs), tls_refused);
        json_array_append_new(reply->json,
                              json_pack("{s:s,s:s,s:s,s:b,s:i,s:I,s:I,s:I,s:[]}", "name", br->name, "datapath_id", dpid,
                                        "fail_mode", mode, "learning_switch", (int)learning, "ports", (int)br->n_ports,
                                        "rules", (json_int_t)rules, "macs", (json_int_t)mac_table_size(br->macs),
                                        "tls_refused", (json_int_t)tls_refused, "connections"));
        if (switch_of(br))
            of_server_for_each_connection(switch_of(br), show_connection, reply);
    }
}

void commands_register_ports(struct control *control, struct sluice *sw)
{
    control_register(control, "ports", "[port|bridge]", 0, 1, cmd_ports, sw);
    control_register(control, "bridges", "", 0, 0, cmd_bridges, sw);
}
