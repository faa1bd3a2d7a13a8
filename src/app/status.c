#include "src/app/status.h"

#include <inttypes.h>
#include <rte_common.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pmd/base/clock.h"
#include "src/agents/bfd_agent.h"
#include "src/app/switch.h"
#include "src/match/field_text.h"

/* --- snapshots ----------------------------------------------------------- */

void status_of_bridge(const struct bridge *bridge, struct status_bridge *status)
{
    const struct of_server *server = switch_of(bridge);

    *status = (struct status_bridge){
        .name = bridge->name,
        .datapath_id = bridge->datapath_id,
        .fail_mode = bridge->fail_mode == FAIL_SECURE ? "secure" : "standalone",
        .learning = server && of_server_is_learning_switch(server),
        .ports = bridge->n_ports,
        .rules = pipeline_n_rules(bridge->pipeline, TABLE_ALL),
        .macs = mac_table_size(bridge->macs),
        .tls_refused = server ? of_server_tls_refused(server) : 0,
    };
}

static void read_device(const struct bridge_port *bp, struct status_port *status)
{
    struct port_status device = {.numa_node = -1};
    struct datapath_port_stats counted;

    bp->port->ops->get_status(bp->port, &device);
    datapath_port_stats(bp->bridge->dp, bp->port->index, &counted);
    status->device = bp->port;
    status->has_device = true;
    status->lost = bp->port->lost;
    status->link_up = device.link_up;
    status->speed_mbps = device.speed_mbps;
    status->full_duplex = device.full_duplex;
    status->mtu = device.mtu;
    status->ifname = bp->port->ifname;
    status->ifindex = bp->port->lost ? 0 : bp->port->ifindex;
    status->index = bp->port->index;
    status->rx_queues = device.rx_queues;
    status->tx_queues = device.tx_queues;
    status->numa_node = device.numa_node;
    snprintf(status->driver, sizeof status->driver, "%s", device.driver);
    memcpy(status->drops, counted.drops, sizeof status->drops);
}

static void read_virtual(const struct bridge_port *bp, struct status_port *status)
{
    struct port_status port = {0};

    bridge_port_ops(bp)->get_status(bp, &port);
    status->is_virtual = true;
    status->peer = bp->patch.peer_name;
    status->index = bridge_port_index(bp);
    status->link_up = port.link_up;
    snprintf(status->driver, sizeof status->driver, "%s", port.driver);
}

static const char *link_name(const struct status_port *status)
{
    if (!status->has_device && !status->is_virtual)
        return "absent";
    return !status->admin_up ? "admin-down" : status->link_up ? "up" : "down";
}

void status_of_port(const struct bridge_port *bp, struct status_port *status)
{
    struct bridge_port_stats counted;

    bridge_port_stats(bp, &counted);
    *status = (struct status_port){
        .bridge = bp->bridge->name,
        .name = bp->name,
        .ofport = bp->ofport,
        .admin_up = !(bp->config & PORT_CONFIG_DOWN),
        .link_resets = bp->link_resets,
        .mac = bp->mac,
        .ifname = "",
        .numa_node = -1,
        .error = bridge_port_ops(bp)->error(bp),
        .rx_packets = counted.rx_packets,
        .rx_bytes = counted.rx_bytes,
        .rx_errors = counted.rx_errors,
        .rx_dropped = counted.rx_dropped,
        .tx_packets = counted.tx_packets,
        .tx_bytes = counted.tx_bytes,
        .tx_errors = counted.tx_errors,
        .tx_dropped = counted.tx_dropped,
        .peer_faults = counted.peer_faults,
    };
    if (bp->port)
        read_device(bp, status);
    else if (bridge_port_is_virtual(bp))
        read_virtual(bp, status);
    status->link = link_name(status);
    status->has_bfd = bfd_agent_status(bp, &status->bfd);
}

void status_of_thread(const struct sluice *sw, unsigned thread, struct status_thread *status)
{
    status->thread = thread;
    datapath_pmd_stats(sw->dp, thread, &status->stats);
}

/* --- of all -------------------------------------------------------------- */

void status_for_each_bridge(const struct sluice *sw, void (*fn)(void *arg, const struct status_bridge *status),
                            void *arg)
{
    const struct bridge *br;

    TAILQ_FOREACH (br, &sw->bridges, node) {
        struct status_bridge status;

        status_of_bridge(br, &status);
        fn(arg, &status);
    }
}

void status_for_each_port(const struct sluice *sw, const char *bridge,
                          void (*fn)(void *arg, const struct status_port *status), void *arg)
{
    const struct bridge *br;
    const struct bridge_port *bp;

    TAILQ_FOREACH (br, &sw->bridges, node) {
        if (bridge && strcmp(br->name, bridge) != 0)
            continue;
        TAILQ_FOREACH (bp, &br->ports, node) {
            struct status_port status;

            status_of_port(bp, &status);
            fn(arg, &status);
        }
    }
}

void status_for_each_mirror(const struct sluice *sw, const char *bridge,
                            void (*fn)(void *arg, const struct status_mirror *status), void *arg)
{
    const struct mirror *mirror;
    const struct bridge *br;

    TAILQ_FOREACH (br, &sw->bridges, node) {
        if (bridge && strcmp(br->name, bridge) != 0)
            continue;
        MIRROR_FOR_EACH(mirror, br)
        {
            fn(arg, &(struct status_mirror){
                        .bridge = br->name,
                        .name = mirror->name,
                        .output_port = mirror->output_port,
                        .output_vlan = mirror->output_vlan,
                        .has_output = mirror->out || !mirror->output_port,
                        .tx_packets = mirror->packets,
                        .tx_bytes = mirror->bytes,
                    });
        }
    }
}

struct connections {
    const char *bridge;
    void (*fn)(void *arg, const struct status_connection *status);
    void *arg;
};

static void tell_connection(void *arg, const struct of_connection_info *info)
{
    const struct connections *to = arg;
    const struct status_connection status = {
        .bridge = to->bridge,
        .info = *info,
        .kind = info->is_configured   ? "controller"
                : info->is_controller ? "listen"
                                      : "mgmt",
        .is_connected = strcmp(info->state, "active") == 0,
        .seconds = (clock_now_ms() - info->changed_ms) / 1000,
    };

    to->fn(to->arg, &status);
}

void status_for_each_connection(const struct sluice *sw, const char *bridge,
                                void (*fn)(void *arg, const struct status_connection *status), void *arg)
{
    const struct bridge *br;

    TAILQ_FOREACH (br, &sw->bridges, node) {
        struct connections to = {br->name, fn, arg};

        if (switch_of(br) && (!bridge || strcmp(br->name, bridge) == 0))
            of_server_for_each_connection(switch_of(br), tell_connection, &to);
    }
}

void status_for_each_thread(const struct sluice *sw, void (*fn)(void *arg, const struct status_thread *status),
                            void *arg)
{
    for (unsigned thread = 0; thread < datapath_n_threads(sw->dp); thread++) {
        struct status_thread status;

        status_of_thread(sw, thread, &status);
        fn(arg, &status);
    }
}

void status_for_each_drop(const struct sluice *sw, void (*fn)(void *arg, const struct status_drop *status), void *arg)
{
    struct drop_counters sum;

    datapath_drops(sw->dp, &sum);
    for (int r = 0; r < DROP_N_REASONS; r++) {
        const struct status_drop status = {
            .reason = drop_reason_name(r), .meaning = drop_reason_doc(r), .packets = sum.packets[r]};

        fn(arg, &status);
    }
}

void status_for_each_tuple(const struct sluice *sw, void (*fn)(void *arg, const struct status_tuple *status), void *arg)
{
    for (uint32_t i = 0; i < datapath_n_masks(sw->dp); i++) {
        struct status_tuple status = {.tuple = i};
        const struct flow_key *mask = datapath_mask(sw->dp, i, &status.megaflows);
        char *text;

        if (!mask)
            continue;
        text = flow_mask_format(mask);
        status.mask = text;
        fn(arg, &status);
        free(text);
    }
}

void status_of_tables(const struct sluice *sw, struct status_tables *status)
{
    const struct bridge *br;
    struct flows_stats flows;

    flows_get_stats(sw->flows, &flows);
    *status = (struct status_tables){.megaflows = flows.n_megaflows, .masks = flows.n_masks};
    TAILQ_FOREACH (br, &sw->bridges, node) {
        status->rule_bytes += pipeline_memory(br->pipeline);
        status->rules += pipeline_n_rules(br->pipeline, TABLE_ALL);
    }
}

/* --- connection tracking ------------------------------------------------- */

void status_of_conntrack(const struct sluice *sw, struct status_conntrack *status)
{
    const struct ct *ct = datapath_ct(sw->dp);
    struct ct_fragments_info fragments;
    struct ct_stats stats;

    ct_stats(ct, &stats);
    ct_fragments_info(ct, &fragments);
    *status = (struct status_conntrack){.connections = ct_count(ct),
                                        .max_connections = ct_max(ct),
                                        .made = stats.created,
                                        .ended = stats.removed,
                                        .memory_bytes = stats.memory,
                                        .joined = fragments.ip[0].joined + fragments.ip[1].joined};
}

void status_for_each_ct_zone(const struct sluice *sw, void (*fn)(void *arg, const struct status_ct_zone *status),
                             void *arg)
{
    const struct ct *ct = datapath_ct(sw->dp);

    for (uint32_t zone = 0; zone < CT_ZONES; zone++) {
        const struct status_ct_zone status = {zone, ct_zone_count(ct, (uint16_t)zone),
                                              ct_zone_limit(ct, (uint16_t)zone)};

        if (status.connections != 0)
            fn(arg, &status);
    }
}

void status_for_each_ct_reason(const struct sluice *sw, void (*fn)(void *arg, const struct status_ct_reason *status),
                               void *arg)
{
    struct ct_stats stats;

    ct_stats(datapath_ct(sw->dp), &stats);
    for (enum ct_reason i = CT_REASON_NONE + 1; i < CT_N_REASONS; i++)
        fn(arg, &(struct status_ct_reason){ct_reason_name(i), ct_reason_doc(i), stats.reasons[i]});
}

/* --- numbers ------------------------------------------------------------- */

#define COUNTER(struct_, member, group, name, statistic, help)                                                         \
    METRIC(METRIC_COUNTER, struct struct_, member, group, name, statistic, help)
#define GAUGE(struct_, member, name, help) METRIC(METRIC_GAUGE, struct struct_, member, "", name, NULL, help)

static const struct metric bridge_metrics[] = {
    GAUGE(status_bridge, ports, "ports", "OpenFlow ports"),
    GAUGE(status_bridge, rules, "rules", "OpenFlow rules in all tables"),
    GAUGE(status_bridge, macs, "macs", "learned MAC addresses"),
    COUNTER(status_bridge, tls_refused, "", "tls_refused", NULL, "connections that came to nothing because of TLS"),
};

static const struct metric port_metrics[] = {
    COUNTER(status_port, rx_packets, "rx", "packets", "rx_packets", "packets received"),
    COUNTER(status_port, rx_bytes, "rx", "bytes", "rx_bytes", "bytes received"),
    COUNTER(status_port, rx_errors, "rx", "errors", "rx_errors", "packets that the device found faulty"),
    COUNTER(status_port, rx_dropped, "rx", "dropped", "rx_dropped", "packets dropped before a rule saw them"),
    COUNTER(status_port, tx_packets, "tx", "packets", "tx_packets", "packets sent"),
    COUNTER(status_port, tx_bytes, "tx", "bytes", "tx_bytes", "bytes sent"),
    COUNTER(status_port, tx_errors, "tx", "errors", "tx_errors", "packets that the device could not send"),
    COUNTER(status_port, tx_dropped, "tx", "dropped", "tx_dropped", "packets that the port did not take"),
    COUNTER(status_port, peer_faults, "", "peer_faults", NULL,
            "connections of virtual machines that were closed for what they did wrong"),
};

static const struct metric mirror_metrics[] = {
    COUNTER(status_mirror, tx_packets, "tx", "packets", "tx_packets", "packets mirrored"),
    COUNTER(status_mirror, tx_bytes, "tx", "bytes", "tx_bytes", "bytes of these packets, before they were cut short"),
};

static const struct metric connection_metrics[] = {
    COUNTER(status_connection, info.counts.rx_messages, "", "rx_messages", NULL, "messages received"),
    COUNTER(status_connection, info.counts.tx_messages, "", "tx_messages", NULL, "messages sent"),
    COUNTER(status_connection, info.counts.errors_sent, "", "errors_sent", NULL, "error messages sent"),
    COUNTER(status_connection, info.counts.packet_ins, "", "packet_ins", NULL, "packet-ins sent"),
    COUNTER(status_connection, info.counts.packet_ins_limited, "", "packet_ins_limited", NULL,
            "packet-ins dropped above the rate"),
    COUNTER(status_connection, info.counts.packet_ins_dropped, "", "packet_ins_dropped", NULL,
            "packet-ins dropped because the peer does not read as fast"),
    COUNTER(status_connection, info.counts.async_dropped, "", "async_dropped", NULL,
            "other asynchronous messages dropped for that reason"),
    GAUGE(status_connection, info.backlog, "queue_bytes", "bytes that wait to be sent"),
    GAUGE(status_connection, info.backlog_max, "queue_bytes_max", "the most that waited"),
};

#define THREAD_COUNTER(member, help) COUNTER(status_thread, stats.member, "", #member, NULL, help)

static const struct metric thread_metrics[] = {
    THREAD_COUNTER(rx_packets, "packets received"),
    THREAD_COUNTER(rx_batches, "bursts that were not empty"),
    THREAD_COUNTER(tx_packets, "packets sent"),
    THREAD_COUNTER(tx_batches, "bursts sent"),
    THREAD_COUNTER(cycles_busy, "TSC cycles with packets"),
    THREAD_COUNTER(cycles_idle, "TSC cycles without packets"),
    THREAD_COUNTER(cycles_asleep, "TSC cycles asleep"),
    THREAD_COUNTER(port_program_hits, "packets that their port's program took"),
    THREAD_COUNTER(emc_hits, "packets found by the exact-match cache"),
    THREAD_COUNTER(tss_hits, "packets found by the classifier"),
    THREAD_COUNTER(tss_lookups, "tuples that the classifier probed"),
    THREAD_COUNTER(misses, "packets that no megaflow matched"),
    THREAD_COUNTER(parked, "packets that waited for a miss of their flow"),
    THREAD_COUNTER(preempted, "times that the kernel gave the core to something else"),
    THREAD_COUNTER(long_turns, "turns of more than 50 us"),
    THREAD_COUNTER(groups, "programs run"),
    THREAD_COUNTER(polls, "receive queues polled"),
    THREAD_COUNTER(polls_busy, "polls that found packets"),
    GAUGE(status_thread, stats.emc_capacity, "emc_capacity", "entries of the exact-match cache"),
    GAUGE(status_thread, stats.emc_used, "emc_used", "entries in use"),
};

static const struct metric drop_metrics[] = {
    COUNTER(status_drop, packets, "", "packets", NULL, "packets dropped for the reason"),
};

static const struct metric tuple_metrics[] = {
    GAUGE(status_tuple, megaflows, "megaflows", "megaflows of the mask"),
};

static const struct metric tables_metrics[] = {
    GAUGE(status_tables, megaflows, "megaflows", "megaflows installed"),
    GAUGE(status_tables, masks, "masks", "tuples that they are in"),
    GAUGE(status_tables, rules, "rules", "OpenFlow rules of all bridges"),
    GAUGE(status_tables, rule_bytes, "rule_bytes", "bytes of memory that they take"),
};

static const struct metric conntrack_metrics[] = {
    GAUGE(status_conntrack, connections, "connections", "connections that are tracked"),
    GAUGE(status_conntrack, max_connections, "max_connections", "connections that there may be"),
    COUNTER(status_conntrack, made, "", "made", NULL, "connections made"),
    COUNTER(status_conntrack, ended, "", "ended", NULL, "connections ended"),
    GAUGE(status_conntrack, memory_bytes, "memory_bytes", "bytes of memory for connections"),
    COUNTER(status_conntrack, joined, "", "joined", NULL, "datagrams in fragments that went on as one packet"),
};

static const struct metric ct_zone_metrics[] = {
    GAUGE(status_ct_zone, connections, "connections", "connections of the zone"),
    GAUGE(status_ct_zone, limit, "limit", "connections that it may have; 0: as many as there is room for"),
};

static const struct metric ct_reason_metrics[] = {
    COUNTER(status_ct_reason, packets, "", "packets", NULL, "packets that were invalid, or not committed, by that"),
};

typedef void kind_fn(void *arg, const void *snapshot, const char *const *labels);

struct to_kind {
    kind_fn *fn;
    void *arg;
};

static void bridge_of_kind(void *arg, const struct status_bridge *status)
{
    const struct to_kind *to = arg;

    to->fn(to->arg, status, (const char *const[]){status->name});
}

static void each_bridge(const struct sluice *sw, kind_fn *fn, void *arg)
{
    status_for_each_bridge(sw, bridge_of_kind, &(struct to_kind){fn, arg});
}

static void port_of_kind(void *arg, const struct status_port *status)
{
    const struct to_kind *to = arg;

    to->fn(to->arg, status, (const char *const[]){status->bridge, status->name});
}

static void each_port(const struct sluice *sw, kind_fn *fn, void *arg)
{
    status_for_each_port(sw, NULL, port_of_kind, &(struct to_kind){fn, arg});
}

static void mirror_of_kind(void *arg, const struct status_mirror *status)
{
    const struct to_kind *to = arg;

    to->fn(to->arg, status, (const char *const[]){status->bridge, status->name});
}

static void each_mirror(const struct sluice *sw, kind_fn *fn, void *arg)
{
    status_for_each_mirror(sw, NULL, mirror_of_kind, &(struct to_kind){fn, arg});
}

/* Those to controllers of the configuration: others have no name of their own. */
static void connection_of_kind(void *arg, const struct status_connection *status)
{
    const struct to_kind *to = arg;
    char auxiliary_id[4];

    if (!status->info.is_configured)
        return;
    snprintf(auxiliary_id, sizeof auxiliary_id, "%u", status->info.auxiliary_id);
    to->fn(to->arg, status, (const char *const[]){status->bridge, status->info.target, auxiliary_id});
}

static void each_connection(const struct sluice *sw, kind_fn *fn, void *arg)
{
    status_for_each_connection(sw, NULL, connection_of_kind, &(struct to_kind){fn, arg});
}

static void thread_of_kind(void *arg, const struct status_thread *status)
{
    const struct to_kind *to = arg;
    char thread[12];

    snprintf(thread, sizeof thread, "%u", status->thread);
    to->fn(to->arg, status, (const char *const[]){thread});
}

static void each_thread(const struct sluice *sw, kind_fn *fn, void *arg)
{
    status_for_each_thread(sw, thread_of_kind, &(struct to_kind){fn, arg});
}

static void drop_of_kind(void *arg, const struct status_drop *status)
{
    const struct to_kind *to = arg;

    to->fn(to->arg, status, (const char *const[]){status->reason});
}

static void each_drop(const struct sluice *sw, kind_fn *fn, void *arg)
{
    status_for_each_drop(sw, drop_of_kind, &(struct to_kind){fn, arg});
}

static void tuple_of_kind(void *arg, const struct status_tuple *status)
{
    const struct to_kind *to = arg;
    char tuple[12];

    snprintf(tuple, sizeof tuple, "%u", status->tuple);
    to->fn(to->arg, status, (const char *const[]){tuple, status->mask});
}

static void each_tuple(const struct sluice *sw, kind_fn *fn, void *arg)
{
    status_for_each_tuple(sw, tuple_of_kind, &(struct to_kind){fn, arg});
}

static void the_tables(const struct sluice *sw, kind_fn *fn, void *arg)
{
    struct status_tables status;

    status_of_tables(sw, &status);
    fn(arg, &status, NULL);
}

static void the_tracker(const struct sluice *sw, kind_fn *fn, void *arg)
{
    struct status_conntrack status;

    status_of_conntrack(sw, &status);
    fn(arg, &status, NULL);
}

static void ct_zone_of_kind(void *arg, const struct status_ct_zone *status)
{
    const struct to_kind *to = arg;
    char zone[12];

    snprintf(zone, sizeof zone, "%" PRIu32, status->zone);
    to->fn(to->arg, status, (const char *const[]){zone});
}

static void each_ct_zone(const struct sluice *sw, kind_fn *fn, void *arg)
{
    status_for_each_ct_zone(sw, ct_zone_of_kind, &(struct to_kind){fn, arg});
}

static void ct_reason_of_kind(void *arg, const struct status_ct_reason *status)
{
    const struct to_kind *to = arg;

    to->fn(to->arg, status, (const char *const[]){status->reason});
}

static void each_ct_reason(const struct sluice *sw, kind_fn *fn, void *arg)
{
    status_for_each_ct_reason(sw, ct_reason_of_kind, &(struct to_kind){fn, arg});
}

#define METRICS(table) .metrics = (table), .n_metrics = RTE_DIM(table)

const struct status_kind status_kinds[STATUS_N_KINDS] = {
    [STATUS_BRIDGE] = {"bridge", METRICS(bridge_metrics), {"bridge"}, 1, each_bridge},
    [STATUS_PORT] = {"port", METRICS(port_metrics), {"bridge", "port"}, 2, each_port},
    [STATUS_MIRROR] = {"mirror", METRICS(mirror_metrics), {"bridge", "mirror"}, 2, each_mirror},
    [STATUS_CONNECTION] =
        {"connection", METRICS(connection_metrics), {"bridge", "target", "auxiliary_id"}, 3, each_connection},
    [STATUS_THREAD] = {"pmd_thread", METRICS(thread_metrics), {"thread"}, 1, each_thread},
    [STATUS_DROP] = {"drop", METRICS(drop_metrics), {"reason"}, 1, each_drop},
    [STATUS_TUPLE] = {"tuple", METRICS(tuple_metrics), {"tuple", "mask"}, 2, each_tuple},
    [STATUS_TABLES] = {"tables", METRICS(tables_metrics), {NULL}, 0, the_tables},
    [STATUS_CONNTRACK] = {"conntrack", METRICS(conntrack_metrics), {NULL}, 0, the_tracker},
    [STATUS_CT_ZONE] = {"conntrack_zone", METRICS(ct_zone_metrics), {"zone"}, 1, each_ct_zone},
    [STATUS_CT_REASON] = {"conntrack_reason", METRICS(ct_reason_metrics), {"reason"}, 1, each_ct_reason},
};

void status_port_device_counts(const struct status_port *status, port_count_fn *fn, void *arg)
{
    if (status->device && status->device->ops->count)
        status->device->ops->count(status->device, fn, arg);
}

void status_port_statistics(const struct status_port *status, void (*fn)(void *arg, const char *name, uint64_t value),
                            void *arg)
{
    char name[64];

    for (size_t i = 0; i < RTE_DIM(port_metrics); i++)
        if (port_metrics[i].statistic)
            fn(arg, port_metrics[i].statistic, metric_value(&port_metrics[i], status));
    if (status->drops[DROP_RX_POLICED])
        fn(arg, "ovs_rx_qos_drops", status->drops[DROP_RX_POLICED]);
    if (status->drops[DROP_TX_POLICED])
        fn(arg, "ovs_tx_qos_drops", status->drops[DROP_TX_POLICED]);
    for (int reason = 0; reason < DROP_N_REASONS; reason++) {
        if (status->drops[reason] == 0)
            continue;
        snprintf(name, sizeof name, "sluice_drop_%s", drop_reason_name(reason));
        fn(arg, name, status->drops[reason]);
    }
}

void status_bfd_pairs(const struct bfd_status *status, void (*fn)(void *arg, const char *key, const char *value),
                      void *arg)
{
    char flaps[24];

    snprintf(flaps, sizeof flaps, "%" PRIu64, status->flap_count);
    fn(arg, "state", bfd_state_name(status->state));
    fn(arg, "forwarding", status->forwarding ? "true" : "false");
    fn(arg, "diagnostic", bfd_diag_text(status->diag));
    fn(arg, "remote_state", bfd_state_name(status->remote_state));
    fn(arg, "remote_diagnostic", bfd_diag_text(status->remote_diag));
    fn(arg, "flap_count", flaps);
}
