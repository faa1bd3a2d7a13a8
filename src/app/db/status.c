/* What the database is told of ports, bridges and controllers (ovs-vswitchd.conf.db(5)). */
#include <inttypes.h>
#include <rte_version.h>
#include <stdio.h>
#include <string.h>

#include "pmd/base/clock.h"
#include "src/agents/bfd_agent.h"
#include "src/agents/lacp_agent.h"
#include "src/agents/stp_agent.h"
#include "src/app/db/db_impl.h"
#include "src/app/db/features.h"
#include "src/app/status.h"
#include "src/config/ovsdb/lacking.h"

static const struct ovsdb_kind strings = {.key = OVSDB_STRING, .many = true};
static const struct ovsdb_kind string_map = {.key = OVSDB_STRING, .value = OVSDB_STRING, .many = true};
static const struct ovsdb_kind integer_map = {.key = OVSDB_STRING, .value = OVSDB_INTEGER, .many = true};
static const struct ovsdb_datum nothing;

static struct bridge_port *bridge_port_of(const struct db *db, const struct db_port *port)
{
    const struct bridge *bridge = switch_bridge(db->sw, port->bridge->name);

    return bridge ? bridge_port_by_name(bridge, port->name) : NULL;
}

static const struct ovsdb_row *row_of(const struct db *db, const struct db_port *port)
{
    return ovsdb_find(db->ovsdb, VSWITCH_INTERFACE, &port->interface);
}

static void write_set(struct ovsdb_txn *txn, const struct ovsdb_row *row, unsigned column, const char *const *words)
{
    struct ovsdb_datum set = {0};

    for (; *words; words++)
        ovsdb_datum_add_string(&set, *words);
    ovsdb_txn_write(txn, row, column, &set);
    ovsdb_datum_clear(&strings, &set);
}

/* --- ports --------------------------------------------------------------- */

/* As whoever owns the network interface says, if it is one: of a TAP that is the same as its link. */
static bool is_interface_up(const struct bridge_port *bp, bool link_up)
{
    if (!bp->port)
        return true;
    return bp->port->type == PORT_TAP ? link_up : !bp->port->if_down;
}

/* `fresh`: by asking the device, which takes some system calls; else as of port_poll_events(). */
static struct db_seen look_at(const struct db *db, const struct bridge_port *bp, bool fresh)
{
    struct port_status st = {.numa_node = -1};
    struct egress egress;
    struct bfd_status bfd = {0};
    const struct lacp_member *lacp;
    const struct stp_port *in_tree;
    const struct stp *stp;
    const struct bond *bond;
    bool has_bfd, link_up;

    if (!bp)
        return (struct db_seen){.exists = false};
    has_bfd = bfd_agent_status(bp, &bfd);
    if (fresh || !bp->port)
        bridge_port_ops(bp)->get_status(bp, &st);
    else
        st = *port_last_status(bp->port);
    link_up = !(bp->state & PORT_STATE_LINK_DOWN);
    egress_of(db->sw->routes, bp, &egress);
    bond = bp->lport->bond;
    lacp = aggregation_member(bp);
    in_tree = stp_agent_port(bp, &stp);
    return (struct db_seen){
        .exists = true,
        .link_up = link_up,
        .admin_up = !(bp->config & PORT_CONFIG_DOWN) && is_interface_up(bp, link_up),
        .described = st.described,
        .mtu = st.mtu,
        .ifindex = bp->port ? bp->port->ifindex : 0,
        .speed_mbps = st.speed_mbps,
        .full_duplex = st.full_duplex,
        .link_resets = bp->link_resets,
        .mac = bp->mac,
        .has_bfd = has_bfd,
        .forwarding = bfd.forwarding,
        .state = (uint8_t)bfd.state,
        .remote_state = (uint8_t)bfd.remote_state,
        .diag = (uint8_t)bfd.diag,
        .remote_diag = (uint8_t)bfd.remote_diag,
        .flap_count = bfd.flap_count,
        .egress = egress,
        .bonded = bond,
        .has_lacp = lacp,
        .has_stp = in_tree,
        .stp_state = in_tree ? (uint8_t)in_tree->state : 0,
        .stp_role = in_tree ? (uint8_t)stp_role(stp, in_tree) : 0,
        .lacp_current = lacp && lacp_is_current(lacp),
        .bond_active = bond ? bond->active_mac : (struct rte_ether_addr){{0}},
    };
}

static bool is_same(const struct db_seen *a, const struct db_seen *b)
{
    return a->exists == b->exists && a->link_up == b->link_up && a->admin_up == b->admin_up && a->mtu == b->mtu &&
           a->described == b->described && a->ifindex == b->ifindex && a->speed_mbps == b->speed_mbps &&
           a->full_duplex == b->full_duplex && a->link_resets == b->link_resets &&
           rte_is_same_ether_addr(&a->mac, &b->mac) && a->has_bfd == b->has_bfd && a->forwarding == b->forwarding &&
           a->state == b->state && a->remote_state == b->remote_state && a->diag == b->diag &&
           a->remote_diag == b->remote_diag && a->flap_count == b->flap_count && a->egress.up == b->egress.up &&
           a->bonded == b->bonded && a->has_stp == b->has_stp && a->stp_state == b->stp_state &&
           a->stp_role == b->stp_role && a->has_lacp == b->has_lacp && a->lacp_current == b->lacp_current &&
           rte_is_same_ether_addr(&a->bond_active, &b->bond_active) && strcmp(a->egress.device, b->egress.device) == 0;
}

static void put_fact(void *arg, const char *key, const char *value)
{
    ovsdb_datum_put_string(arg, key, value);
}

/* The column "status": what kind of device it is, or where a tunnel's packets go. */
static void write_device(struct ovsdb_txn *txn, const struct ovsdb_row *row, const struct bridge_port *bp,
                         const struct egress *egress)
{
    struct port_status st = {.numa_node = -1};
    struct ovsdb_datum map = {0};
    struct port *port = bp->port;
    char number[16];

    if (port) {
        port->ops->get_status(port, &st);
        ovsdb_datum_put_string(&map, "driver_name", st.driver); /* as the switch calls it, if the device has no name */
        if (st.numa_node >= 0) {
            snprintf(number, sizeof number, "%d", st.numa_node);
            ovsdb_datum_put_string(&map, port->type == PORT_VHOST_USER ? "numa" : "numa_id", number);
        }
        if (port->ops->describe)
            port->ops->describe(port, put_fact, &map);
    }
    if (egress->device[0]) {
        ovsdb_datum_put_string(&map, "tunnel_egress_iface", egress->device);
        ovsdb_datum_put_string(&map, "tunnel_egress_iface_carrier", egress->up ? "up" : "down");
    }
    ovsdb_txn_write(txn, row, VSWITCH_INTERFACE_STATUS, &map);
    ovsdb_datum_clear(&string_map, &map);
}

static void put_pair(void *arg, const char *key, const char *value)
{
    ovsdb_datum_put_string(arg, key, value);
}

/* Empty without a session. */
static void write_bfd(struct ovsdb_txn *txn, const struct ovsdb_row *row, const struct bridge_port *bp)
{
    struct ovsdb_datum map = {0};
    struct bfd_status status;

    if (bfd_agent_status(bp, &status))
        status_bfd_pairs(&status, put_pair, &map);
    ovsdb_txn_write(txn, row, VSWITCH_INTERFACE_BFD_STATUS, &map);
    ovsdb_datum_clear(&string_map, &map);
}

/* Empty without LACP. */
static void write_lacp(struct ovsdb_txn *txn, const struct ovsdb_row *row, const struct db_seen *seen)
{
    if (seen->has_lacp)
        ovsdb_txn_write_boolean(txn, row, VSWITCH_INTERFACE_LACP_CURRENT, seen->lacp_current);
    else
        ovsdb_txn_write(txn, row, VSWITCH_INTERFACE_LACP_CURRENT, &nothing);
}

/* A port that there is not has no status. */
static void write_no_status(struct ovsdb_txn *txn, const struct ovsdb_row *row)
{
    static const uint8_t columns[] = {
        VSWITCH_INTERFACE_ADMIN_STATE, VSWITCH_INTERFACE_LINK_STATE, VSWITCH_INTERFACE_LINK_SPEED,
        VSWITCH_INTERFACE_LINK_RESETS, VSWITCH_INTERFACE_DUPLEX,     VSWITCH_INTERFACE_MAC_IN_USE,
        VSWITCH_INTERFACE_IFINDEX,     VSWITCH_INTERFACE_MTU,        VSWITCH_INTERFACE_STATUS,
        VSWITCH_INTERFACE_STATISTICS,  VSWITCH_INTERFACE_BFD_STATUS, VSWITCH_INTERFACE_LACP_CURRENT,
    };

    for (size_t i = 0; i < sizeof columns; i++)
        ovsdb_txn_write(txn, row, columns[i], &nothing);
}

static void format_mac(const struct rte_ether_addr *address, char text[18])
{
    const uint8_t *b = address->addr_bytes;

    snprintf(text, 18, "%02x:%02x:%02x:%02x:%02x:%02x", b[0], b[1], b[2], b[3], b[4], b[5]);
}

static void write_status(struct ovsdb_txn *txn, const struct ovsdb_row *row, const struct bridge_port *bp,
                         const struct db_port *port)
{
    const struct db_seen *seen = &port->seen;
    char mac[18];

    format_mac(&seen->mac, mac);
    ovsdb_txn_write_string(txn, row, VSWITCH_INTERFACE_ADMIN_STATE, seen->admin_up ? "up" : "down");
    ovsdb_txn_write_string(txn, row, VSWITCH_INTERFACE_LINK_STATE, seen->link_up ? "up" : "down");
    ovsdb_txn_write_integer(txn, row, VSWITCH_INTERFACE_LINK_RESETS, (int64_t)seen->link_resets);
    ovsdb_txn_write_string(txn, row, VSWITCH_INTERFACE_MAC_IN_USE, mac);
    ovsdb_txn_write_integer(txn, row, VSWITCH_INTERFACE_IFINDEX, seen->ifindex);
    if (seen->mtu)
        ovsdb_txn_write_integer(txn, row, VSWITCH_INTERFACE_MTU, seen->mtu);
    else
        ovsdb_txn_write(txn, row, VSWITCH_INTERFACE_MTU, &nothing);
    ovsdb_txn_write_string(txn, row, VSWITCH_INTERFACE_ERROR,
                           port->error ? port->error : bridge_port_ops(bp)->error(bp));
    if (seen->speed_mbps) {
        ovsdb_txn_write_integer(txn, row, VSWITCH_INTERFACE_LINK_SPEED, (int64_t)seen->speed_mbps * 1000000);
        ovsdb_txn_write_string(txn, row, VSWITCH_INTERFACE_DUPLEX, seen->full_duplex ? "full" : "half");
    } else {
        ovsdb_txn_write(txn, row, VSWITCH_INTERFACE_LINK_SPEED, &nothing);
        ovsdb_txn_write(txn, row, VSWITCH_INTERFACE_DUPLEX, &nothing);
    }
    write_device(txn, row, bp, &seen->egress);
    write_bfd(txn, row, bp);
    write_lacp(txn, row, seen);
}

/* The Port's columns of a bond, which any of its members writes; `was`: what was seen of this one before. */
static void write_bond(const struct db *db, struct ovsdb_txn *txn, const struct db_port *port,
                       const struct db_seen *was)
{
    const struct ovsdb_row *row = ovsdb_find(db->ovsdb, VSWITCH_PORT, &port->port);
    char mac[18];

    if (!row || (!port->seen.bonded && !was->bonded))
        return;
    format_mac(&port->seen.bond_active, mac);
    ovsdb_txn_write_string(txn, row, VSWITCH_PORT_BOND_ACTIVE_SLAVE,
                           rte_is_zero_ether_addr(&port->seen.bond_active) ? NULL : mac);
}

static void put_number(struct ovsdb_datum *map, const char *key, uint64_t value)
{
    char number[24];

    snprintf(number, sizeof number, "%" PRIu64, value);
    ovsdb_datum_put_string(map, key, number);
}

/* The Port's columns of a spanning tree; `was`: it had some before. */
static void write_stp(const struct db *db, struct ovsdb_txn *txn, const struct db_port *port,
                      const struct bridge_port *bp, bool was)
{
    const struct ovsdb_row *row = ovsdb_find(db->ovsdb, VSWITCH_PORT, &port->port);
    struct ovsdb_datum status = {0}, counters = {0};
    const struct stp *stp;
    const struct stp_port *p = bp ? stp_agent_port(bp, &stp) : NULL;

    if (!row || (!p && !was))
        return;
    if (p) {
        put_number(&status, "stp_port_id", p->id);
        ovsdb_datum_put_string(&status, "stp_state", stp_state_name(p->state));
        put_number(&status, "stp_sec_in_state", (clock_now_us() - p->state_since_us) / 1000000);
        ovsdb_datum_put_string(&status, "stp_role", stp_role_name(stp_role(stp, p)));
        ovsdb_datum_put_integer(&counters, "stp_tx_count", (int64_t)p->n_tx);
        ovsdb_datum_put_integer(&counters, "stp_rx_count", (int64_t)p->n_rx);
        ovsdb_datum_put_integer(&counters, "stp_error_count", (int64_t)p->n_bad);
    }
    ovsdb_txn_write(txn, row, VSWITCH_PORT_STATUS, &status);
    ovsdb_txn_write(txn, row, VSWITCH_PORT_STATISTICS, &counters);
    ovsdb_datum_clear(&string_map, &status);
    ovsdb_datum_clear(&integer_map, &counters);
}

static void put_statistic(void *arg, const char *name, uint64_t value)
{
    ovsdb_datum_put_integer(arg, name, (int64_t)value);
}

static void write_statistics(struct ovsdb_txn *txn, const struct ovsdb_row *row, const struct bridge_port *bp)
{
    struct ovsdb_datum map = {0};
    struct status_port status;

    status_of_port(bp, &status);
    status_port_statistics(&status, put_statistic, &map);
    status_port_device_counts(&status, put_statistic, &map);
    ovsdb_txn_write(txn, row, VSWITCH_INTERFACE_STATISTICS, &map);
    ovsdb_datum_clear(&integer_map, &map);
}

void db_write_statistics(struct db *db, struct ovsdb_txn *txn, const struct db_port *port)
{
    const struct bridge_port *bp = bridge_port_of(db, port);
    const struct ovsdb_row *row = bp ? row_of(db, port) : NULL;

    if (!row)
        return;
    write_statistics(txn, row, bp);
    write_stp(db, txn, port, bp, false);
}

void db_write_port(struct db *db, struct ovsdb_txn *txn, struct db_port *port)
{
    const struct bridge_port *bp = bridge_port_of(db, port);
    const struct ovsdb_row *row = row_of(db, port);
    const struct db_seen was = port->seen;

    if (!row)
        return;
    ovsdb_txn_write_integer(txn, row, VSWITCH_INTERFACE_OFPORT, port->ofport ? port->ofport : -1);
    port->seen = look_at(db, bp, true);
    write_bond(db, txn, port, &was);
    write_stp(db, txn, port, bp, was.has_stp);
    if (bp) {
        write_status(txn, row, bp, port);
        write_statistics(txn, row, bp); /* the rest of them comes by time; who waited for cur_cfg finds the counters */
        return;
    }
    ovsdb_txn_write_string(txn, row, VSWITCH_INTERFACE_ERROR, port->error);
    write_no_status(txn, row);
}

void db_write_changes(struct db *db, struct ovsdb_txn *txn, struct db_port *port)
{
    const struct bridge_port *bp = bridge_port_of(db, port);
    const struct db_seen now = look_at(db, bp, false);
    const struct ovsdb_row *row = is_same(&now, &port->seen) ? NULL : row_of(db, port);
    const struct db_seen was = port->seen;

    if (!row)
        return;
    port->seen = now;
    write_bond(db, txn, port, &was);
    write_stp(db, txn, port, bp, was.has_stp);
    if (bp)
        write_status(txn, row, bp, port);
    else
        write_no_status(txn, row);
}

/* --- bridges ------------------------------------------------------------- */

/* Empty without a spanning tree. */
static void write_tree(struct db *db, struct ovsdb_txn *txn, const struct ovsdb_row *row, const struct bridge *br)
{
    const struct stp *stp = br ? stp_agent_tree(db->sw->stp, br) : NULL;
    struct ovsdb_datum map = {0};
    char id[24];

    if (stp) {
        snprintf(id, sizeof id, "%04" PRIx64 ".%012" PRIx64, stp->bridge_id >> 48, stp->bridge_id << 16 >> 16);
        ovsdb_datum_put_string(&map, "stp_bridge_id", id);
        snprintf(id, sizeof id, "%04" PRIx64 ".%012" PRIx64, stp->designated_root >> 48,
                 stp->designated_root << 16 >> 16);
        ovsdb_datum_put_string(&map, "stp_designated_root", id);
        put_number(&map, "stp_root_path_cost", stp->root_path_cost);
    }
    ovsdb_txn_write(txn, row, VSWITCH_BRIDGE_STATUS, &map);
    ovsdb_datum_clear(&string_map, &map);
}

void db_write_bridge(struct db *db, struct ovsdb_txn *txn, const struct db_bridge *bridge)
{
    const struct bridge *br = switch_bridge(db->sw, bridge->name);
    const struct ovsdb_row *row = ovsdb_find(db->ovsdb, VSWITCH_BRIDGE, &bridge->row);
    char id[20];

    if (!row)
        return;
    if (br)
        snprintf(id, sizeof id, "%016" PRIx64, br->datapath_id);
    ovsdb_txn_write_string(txn, row, VSWITCH_BRIDGE_DATAPATH_ID, br ? id : NULL);
    ovsdb_txn_write_string(txn, row, VSWITCH_BRIDGE_DATAPATH_VERSION, br ? "<built-in>" : "");
    write_tree(db, txn, row, br);
}

struct controllers {
    struct db *db;
    struct ovsdb_txn *txn;
    const struct ovsdb_row *bridge;
};

static const struct ovsdb_row *controller_row(const struct controllers *all, const char *target)
{
    for (uint32_t i = 0; i < ovsdb_count(all->bridge, VSWITCH_BRIDGE_CONTROLLER); i++) {
        const struct ovsdb_row *row = ovsdb_ref(all->db->ovsdb, all->bridge, VSWITCH_BRIDGE_CONTROLLER, i);
        if (row && !strcmp(ovsdb_string(row, VSWITCH_CONTROLLER_TARGET), target))
            return row;
    }
    return NULL;
}

static void write_controller(void *arg, const struct status_connection *connection)
{
    const struct of_connection_info *info = &connection->info;
    const struct controllers *all = arg;
    const struct ovsdb_row *row = info->is_configured && !info->auxiliary_id ? controller_row(all, info->target) : NULL;
    bool up = connection->is_connected;
    struct ovsdb_datum status = {0};
    char seconds[24];

    if (!row)
        return;
    snprintf(seconds, sizeof seconds, "%" PRIu64, connection->seconds);
    ovsdb_datum_put_string(&status, "state",
                           up                                ? "ACTIVE"
                           : !strcmp(info->state, "backoff") ? "BACKOFF"
                                                             : "CONNECTING");
    ovsdb_datum_put_string(&status, up ? "sec_since_connect" : "sec_since_disconnect", seconds);
    if (info->last_error && info->last_error[0])
        ovsdb_datum_put_string(&status, "last_error", info->last_error);
    ovsdb_txn_write_boolean(all->txn, row, VSWITCH_CONTROLLER_IS_CONNECTED, up);
    ovsdb_txn_write_string(all->txn, row, VSWITCH_CONTROLLER_ROLE, up ? info->role : NULL);
    ovsdb_txn_write(all->txn, row, VSWITCH_CONTROLLER_STATUS, &status);
    ovsdb_datum_clear(&string_map, &status);
}

void db_write_controllers(struct db *db, struct ovsdb_txn *txn, const struct db_bridge *bridge)
{
    struct controllers all = {db, txn, ovsdb_find(db->ovsdb, VSWITCH_BRIDGE, &bridge->row)};

    if (!all.bridge)
        return;
    status_for_each_connection(db->sw, bridge->name, write_controller, &all);
    write_tree(db, txn, all.bridge, switch_bridge(db->sw, bridge->name));
}

/* --- the switch ---------------------------------------------------------- */

/* Whoever wants to know what the datapath can do makes a row for it, under the name of its type (ovn-controller). */
static void write_datapath(struct ovsdb_txn *txn, const struct ovsdb_row *row)
{
    struct ovsdb_datum map = {0};

    for (size_t i = 0; i < n_features; i++)
        ovsdb_datum_put_string(&map, features[i].key, feature_capability(&features[i]));
    ovsdb_txn_write(txn, row, VSWITCH_DATAPATH_CAPABILITIES, &map);
    ovsdb_txn_write_string(txn, row, VSWITCH_DATAPATH_DATAPATH_VERSION, "<built-in>");
    ovsdb_datum_clear(&string_map, &map);
}

static void write_datapaths(struct db *db, struct ovsdb_txn *txn, const struct ovsdb_row *root)
{
    for (uint32_t i = 0; i < ovsdb_count(root, VSWITCH_OPEN_VSWITCH_DATAPATHS); i++) {
        const char *type = root->columns[VSWITCH_OPEN_VSWITCH_DATAPATHS].atoms[2 * i].string;
        const struct ovsdb_row *row = ovsdb_ref(db->ovsdb, root, VSWITCH_OPEN_VSWITCH_DATAPATHS, i);
        if (!row || (strcmp(type, "netdev") && strcmp(type, "system")))
            continue;
        write_datapath(txn, row);
    }
}

void db_write_switch(struct db *db, struct ovsdb_txn *txn, const struct ovsdb_row *root)
{
    static const char *const datapaths[] = {"netdev", "system", NULL};
    const char *interfaces[] = {"system",
                                "internal",
                                "tap",
                                "patch",
                                "dpdk",
                                "dpdkvhostuser",
                                "dpdkvhostuserclient",
                                "vxlan",
                                "geneve",
                                "gre",
                                "ip6gre",
                                "erspan",
                                "ip6erspan",
                                "gtpu",
                                "srv6",
                                port_has_xdp() ? "afxdp" : NULL,
                                NULL};

    write_datapaths(db, txn, root);
    write_set(txn, root, VSWITCH_OPEN_VSWITCH_DATAPATH_TYPES, datapaths);
    write_set(txn, root, VSWITCH_OPEN_VSWITCH_IFACE_TYPES, interfaces);
    ovsdb_txn_write_boolean(txn, root, VSWITCH_OPEN_VSWITCH_DPDK_INITIALIZED, true);
    ovsdb_txn_write_string(txn, root, VSWITCH_OPEN_VSWITCH_DPDK_VERSION, rte_version());
    ovsdb_txn_write_integer(txn, root, VSWITCH_OPEN_VSWITCH_CUR_CFG, db->next_cfg);
}
