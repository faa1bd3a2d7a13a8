/* ports and bridges: state and counters. Control thread. */
#include <inttypes.h>

#include "src/app/status.h"
#include "src/control/commands.h"
#include "src/openflow/server/connection.h"

struct show {
    struct control_reply *reply;
    const char *only; /* the name of a port or bridge; NULL: all */
    bool found;
};

static json_t *drops_json(const uint64_t *drops)
{
    json_t *object = json_object();

    for (int r = 0; r < DROP_N_REASONS; r++)
        if (drops[r])
            json_object_set_new(object, drop_reason_name(r), json_integer(drops[r]));
    return object;
}

static void put_count(void *arg, const char *name, uint64_t value)
{
    json_object_set_new(arg, name, json_integer((json_int_t)value));
}

/* What the device counts itself; a vhost-user port counts by queue. */
static json_t *counts_json(const struct status_port *port)
{
    json_t *object = json_object();

    status_port_device_counts(port, put_count, object);
    return object;
}

static void put_counters(struct control_reply *reply, const struct status_port *port, const char *group)
{
    const struct status_kind *kind = &status_kinds[STATUS_PORT];

    control_printf(reply, "  %s", group);
    for (size_t i = 0; i < kind->n_metrics; i++)
        if (strcmp(kind->metrics[i].group, group) == 0)
            control_printf(reply, " %s %" PRIu64, kind->metrics[i].name, metric_value(&kind->metrics[i], port));
    control_printf(reply, "\n");
}

static void put_port(struct control_reply *reply, const struct status_port *port, const char *ofport, const char *mac)
{
    json_t *object = json_pack("{s:s,s:s,s:s,s:s,s:s,s:i,s:i,s:s,s:i,s:i,s:i}", "bridge", port->bridge, "name",
                               port->name, "ofport", ofport, "driver", port->driver, "link", port->link, "index",
                               (int)port->index, "mtu", (int)port->mtu, "mac", mac, "rx_queues", (int)port->rx_queues,
                               "tx_queues", (int)port->tx_queues, "numa_node", port->numa_node);

    if (port->peer)
        json_object_set_new(object, "peer", json_string(port->peer));
    if (port->error)
        json_object_set_new(object, "error", json_string(port->error));
    metrics_to_json(status_kinds[STATUS_PORT].metrics, status_kinds[STATUS_PORT].n_metrics, port, object);
    json_object_set_new(object, "drops", drops_json(port->drops));
    json_object_set_new(object, "statistics", counts_json(port));
    if (port->has_bfd)
        json_object_set_new(object, "bfd", command_bfd_json(&port->bfd));
    json_array_append_new(reply->json, object);
}

static void show_port(void *arg, const struct status_port *port)
{
    struct show *show = arg;
    struct control_reply *reply = show->reply;
    const uint8_t *b = port->mac.addr_bytes;
    char mac[18], ofport[16] = "LOCAL";

    if (show->only && strcmp(show->only, port->name) && strcmp(show->only, port->bridge))
        return;
    show->found = true;
    snprintf(mac, sizeof mac, "%02x:%02x:%02x:%02x:%02x:%02x", b[0], b[1], b[2], b[3], b[4], b[5]);
    if (port->ofport != OFPORT_LOCAL)
        snprintf(ofport, sizeof ofport, "%" PRIu32, port->ofport);
    control_printf(reply, "%s %s(%s): %s, %s, index %u, mtu %u, mac %s, queues %u rx %u tx\n", port->bridge, port->name,
                   ofport, port->driver[0] ? port->driver : "-", port->link, port->index, port->mtu, mac,
                   port->rx_queues, port->tx_queues);
    if (port->peer)
        control_printf(reply, "  peer %s\n", port->peer);
    if (port->error)
        control_printf(reply, "  error %s\n", port->error);
    if (port->has_bfd)
        control_printf(reply, "  bfd %s, forwarding %s, %s; remote %s, %s\n", bfd_state_name(port->bfd.state),
                       port->bfd.forwarding ? "true" : "false", bfd_diag_text(port->bfd.diag),
                       bfd_state_name(port->bfd.remote_state), bfd_diag_text(port->bfd.remote_diag));
    put_counters(reply, port, "rx");
    put_counters(reply, port, "tx");
    if (port->peer_faults)
        control_printf(reply, "  peer_faults %" PRIu64 "\n", port->peer_faults);
    for (int r = 0; r < DROP_N_REASONS; r++)
        if (port->drops[r])
            control_printf(reply, "  drop %s %" PRIu64 "\n", drop_reason_name(r), port->drops[r]);
    put_port(reply, port, ofport, mac);
}

static void cmd_ports(void *arg, int argc, const char *const *argv, struct control_reply *reply)
{
    struct show show = {reply, argc > 1 ? argv[1] : NULL, argc < 2};

    reply->json = json_array();
    status_for_each_port(arg, NULL, show_port, &show);
    if (!show.found)
        control_fail(reply, "%s: no such port or bridge", argv[1]);
}

static void show_connection(void *arg, const struct status_connection *connection)
{
    struct control_reply *reply = arg;
    const struct of_connection_info *info = &connection->info;

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

static void show_mirror(void *arg, const struct status_mirror *mirror)
{
    const struct status_kind *kind = &status_kinds[STATUS_MIRROR];
    struct control_reply *reply = arg;
    json_t *object = json_pack("{s:s,s:b}", "name", mirror->name, "has_output", (int)mirror->has_output);
    json_t *bridge = json_array_get(reply->json, json_array_size(reply->json) - 1);
    char to[PORT_NAME_MAX + 16];

    if (mirror->output_port) {
        snprintf(to, sizeof to, "%s%s", mirror->output_port, mirror->has_output ? "" : " (there is none)");
        json_object_set_new(object, "output_port", json_string(mirror->output_port));
    } else {
        snprintf(to, sizeof to, "VLAN %d", mirror->output_vlan);
        json_object_set_new(object, "output_vlan", json_integer(mirror->output_vlan));
    }
    control_printf(reply, "  mirror %s: to %s, packets %" PRIu64 " bytes %" PRIu64 "\n", mirror->name, to,
                   mirror->tx_packets, mirror->tx_bytes);
    metrics_to_json(kind->metrics, kind->n_metrics, mirror, object);
    json_array_append_new(json_object_get(bridge, "mirrors"), object);
}

struct show_bridges {
    const struct sluice *sw;
    struct control_reply *reply;
};

static void show_bridge(void *arg, const struct status_bridge *bridge)
{
    const struct show_bridges *show = arg;
    struct control_reply *reply = show->reply;
    char dpid[20];

    snprintf(dpid, sizeof dpid, "%016" PRIx64, bridge->datapath_id);
    control_printf(reply,
                   "%s: datapath_id %s, fail_mode %s%s, ports %u, rules %u, MAC addresses %" PRIu64
                   ", TLS refusals %" PRIu64 "\n",
                   bridge->name, dpid, bridge->fail_mode, bridge->learning ? " (acting as a learning switch)" : "",
                   bridge->ports, bridge->rules, bridge->macs, bridge->tls_refused);
    json_t *object = json_pack("{s:s,s:s,s:s,s:b}", "name", bridge->name, "datapath_id", dpid, "fail_mode",
                               bridge->fail_mode, "learning_switch", (int)bridge->learning);
    metrics_to_json(status_kinds[STATUS_BRIDGE].metrics, status_kinds[STATUS_BRIDGE].n_metrics, bridge, object);
    json_object_set_new(object, "connections", json_array());
    json_object_set_new(object, "mirrors", json_array());
    json_array_append_new(reply->json, object);
    status_for_each_connection(show->sw, bridge->name, show_connection, reply);
    status_for_each_mirror(show->sw, bridge->name, show_mirror, reply);
}

static void cmd_bridges(void *arg, int argc, const char *const *argv, struct control_reply *reply)
{
    struct show_bridges show = {arg, reply};

    reply->json = json_array();
    status_for_each_bridge(show.sw, show_bridge, &show);
}

void commands_register_ports(struct control *control, struct sluice *sw)
{
    control_register(control, "ports", "[port|bridge]", 0, 1, cmd_ports, sw);
    control_register(control, "bridges", "", 0, 0, cmd_bridges, sw);
}
