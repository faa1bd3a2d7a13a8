#include "src/config/ovsdb/to_model.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pmd/base/log.h"
#include "pmd/base/mem.h"
#include "src/config/keys.h"
#include "src/config/ovsdb/lacking.h"
#include "src/config/ovsdb/mirrors.h"
#include "src/config/ovsdb/qos.h"
#include "src/config/ovsdb/to_model_impl.h"
#include "src/config/tunnel.h"

/* --- values -------------------------------------------------------------- */

static bool parse_number(const char *text, long min, long max, long *number)
{
    char *end;

    *number = strtol(text, &end, 10);
    return *text && !*end && *number >= min && *number <= max;
}

int config_fit(const struct config_section *section, const char *name, int64_t number)
{
    const struct config_key *key = config_key_find(section, name);

    if (number == 0 && key->zero)
        return 0;
    return (int)(number < key->min ? key->min : number > key->max ? key->max : number);
}

void config_take_number(const struct ovsdb *db, const struct ovsdb_row *row, unsigned column, const char *key,
                        const struct config_section *section, const char *name, int *value)
{
    const char *text = ovsdb_map_string(db, row, column, key);
    long number;

    if (!text)
        return;
    if (parse_number(text, 0, INT32_MAX, &number))
        *value = config_fit(section, name, number);
    else
        LOG_WARN_RL(LOG_CONFIG, "database: %s=%s is no number: ignored", key, text);
}

bool config_take_mac(const char *text, uint8_t mac[6])
{
    char why[128];

    if (!text || !text[0])
        return false;
    if (!config_parse_mac(text, mac, why, sizeof why))
        return true;
    LOG_WARN_RL(LOG_CONFIG, "database: the MAC address %s %s: ignored", text, why);
    memset(mac, 0, 6);
    return false;
}

/* --- controllers --------------------------------------------------------- */

static void add_text(char ***list, size_t *n, const char *text)
{
    for (size_t i = 0; i < *n; i++)
        if (!strcmp((*list)[i], text))
            return;
    *list = mem_realloc(*list, *n + 1, sizeof **list);
    (*list)[(*n)++] = mem_strdup(text);
}

/* Sockets of the file system are for whoever may write to the database; so they are to be in run_dir, where there is
 * nothing else (ovs-vswitchd(8), --self-confinement). */
static bool is_confined(const char *target, const char *run_dir)
{
    const char *path = strstr(target, "unix:");

    if (!path || !run_dir)
        return true;
    size_t len = strlen(run_dir);
    path += strlen("unix:");
    return !strncmp(path, run_dir, len) && path[len] == '/' && !strstr(path, "/../");
}

/* The controller's own limits; what its row does not say is the bridge's. */
static void take_limits(const struct ovsdb *db, const struct ovsdb_row *row, const struct config_section *section,
                        struct config_controller *controller)
{
    static const struct {
        unsigned column;
        const char *name;
        size_t offset;
    } limits[] = {
        {VSWITCH_CONTROLLER_INACTIVITY_PROBE, "inactivity_probe", offsetof(struct config_controller, inactivity_probe)},
        {VSWITCH_CONTROLLER_MAX_BACKOFF, "max_backoff", offsetof(struct config_controller, max_backoff)},
        {VSWITCH_CONTROLLER_RATE_LIMIT, "rate_limit", offsetof(struct config_controller, rate_limit)},
        {VSWITCH_CONTROLLER_BURST_LIMIT, "burst_limit", offsetof(struct config_controller, burst_limit)},
    };

    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++)
        if (ovsdb_count(row, limits[i].column))
            *(int *)((char *)controller + limits[i].offset) =
                config_fit(section, limits[i].name, ovsdb_integer(row, limits[i].column, 0));
    controller->enable_async = ovsdb_boolean(row, VSWITCH_CONTROLLER_ENABLE_ASYNC_MESSAGES, true);
    config_take_number(db, row, VSWITCH_CONTROLLER_OTHER_CONFIG, "dscp", section, "dscp", &controller->dscp);
}

static void add_controller(const struct ovsdb *db, const struct ovsdb_row *row, const char *target,
                           struct config_bridge *bridge)
{
    const struct config_section *section = config_key_find(&config_section_bridge, "controllers")->section;

    for (size_t i = 0; i < bridge->n_controllers; i++)
        if (!strcmp(bridge->controllers[i].target, target))
            return;
    struct config_controller *controller =
        config_section_append(section, (void **)&bridge->controllers, &bridge->n_controllers);
    controller->target = mem_strdup(target);
    take_limits(db, row, section, controller);
}

static void take_controller(const struct ovsdb *db, const struct ovsdb_row *row, const struct config *running,
                            struct config_bridge *bridge)
{
    const char *target = ovsdb_string(row, VSWITCH_CONTROLLER_TARGET);
    char why[256];

    config_note_lacking(db, row);
    bool is_tls = !strncmp(target, "ssl:", 4) || !strncmp(target, "pssl:", 5);
    bool is_passive = target[0] == 'p';
    const struct config_format *format = is_passive ? &config_format_listen : &config_format_controller;
    if (format->check(target, why, sizeof why))
        LOG_WARN_RL(LOG_CONFIG, "database: bridge %s: controller %s %s: ignored", bridge->name, target, why);
    else if (is_tls && !running->tls.private_key)
        LOG_WARN_RL(LOG_CONFIG, "database: bridge %s: controller %s needs keys: use ovs-vsctl set-ssl", bridge->name,
                    target);
    else if (!is_confined(target, running->run_dir))
        LOG_WARN_RL(LOG_CONFIG, "database: bridge %s: controller %s: ignored: sockets have to be in %s", bridge->name,
                    target, running->run_dir);
    else if (is_passive)
        add_text(&bridge->listen, &bridge->n_listen, target);
    else
        add_controller(db, row, target, bridge);
}

static void take_controllers(const struct ovsdb *db, const struct ovsdb_row *row, const struct config *running,
                             struct config_bridge *bridge)
{
    for (uint32_t i = 0; i < ovsdb_count(row, VSWITCH_BRIDGE_CONTROLLER); i++) {
        const struct ovsdb_row *controller = ovsdb_ref(db, row, VSWITCH_BRIDGE_CONTROLLER, i);
        if (!controller)
            continue;
        take_controller(db, controller, running, bridge);
    }
}

/* --- bridges ------------------------------------------------------------- */

/* Versions that Sluice does not speak are left out; if nothing else is asked for, all that it does are offered. */
static void take_protocols(const struct ovsdb_row *row, struct config_bridge *bridge)
{
    for (uint32_t i = 0; i < ovsdb_count(row, VSWITCH_BRIDGE_PROTOCOLS); i++) {
        const char *protocol = row->columns[VSWITCH_BRIDGE_PROTOCOLS].atoms[i].string;
        if (config_parse_protocol(protocol))
            add_text(&bridge->protocols, &bridge->n_protocols, protocol);
        else
            LOG_INFO(LOG_CONFIG, "database: bridge %s: %s is not spoken: left out", bridge->name, protocol);
    }
}

static void take_tables(const struct ovsdb *db, const struct ovsdb_row *row, struct config_bridge *bridge)
{
    for (uint32_t i = 0; i < ovsdb_count(row, VSWITCH_BRIDGE_FLOW_TABLES); i++) {
        int64_t number = row->columns[VSWITCH_BRIDGE_FLOW_TABLES].atoms[i * 2].integer;
        const struct ovsdb_row *table = ovsdb_ref(db, row, VSWITCH_BRIDGE_FLOW_TABLES, i);
        if (!table || number < 0 || number > 254)
            continue;
        const char *policy = ovsdb_string(table, VSWITCH_FLOW_TABLE_OVERFLOW_POLICY);
        const struct config_key *key = config_key_find(&config_section_bridge, "tables");
        struct config_table *wanted = config_section_append(key->section, (void **)&bridge->tables, &bridge->n_tables);
        wanted->table = (int)number;
        wanted->max_entries =
            config_fit(key->section, "max_entries", ovsdb_integer(table, VSWITCH_FLOW_TABLE_FLOW_LIMIT, 0));
        wanted->eviction = policy && !strcmp(policy, "evict");
    }
}

/* other_config:datapath-id, else the MAC address that is given, else what the model makes of row and name. */
static void take_datapath_id(const struct ovsdb *db, const struct ovsdb_row *row, struct config_bridge *bridge)
{
    const char *id = ovsdb_map_string(db, row, VSWITCH_BRIDGE_OTHER_CONFIG, "datapath-id");
    uint8_t mac[6];

    if (id && !config_parse_datapath_id(id, &bridge->datapath_id))
        return;
    if (id)
        LOG_WARN_RL(LOG_CONFIG, "database: bridge %s: datapath-id %s: needs 16 hexadecimal digits: ignored",
                    bridge->name, id);
    if (config_take_mac(ovsdb_map_string(db, row, VSWITCH_BRIDGE_OTHER_CONFIG, "hwaddr"), mac))
        for (int i = 0; i < 6; i++)
            bridge->datapath_id = bridge->datapath_id << 8 | mac[i];
}

/* A text of other_config, as far as there is room for it. */
static char *take_text(const struct ovsdb *db, const struct ovsdb_row *row, const char *key, size_t most)
{
    const char *text = ovsdb_map_string(db, row, VSWITCH_BRIDGE_OTHER_CONFIG, key);

    return text && text[0] ? mem_asprintf("%.*s", (int)most, text) : NULL;
}

static bool check_bridge(const struct ovsdb_row *row, char *fault, size_t size)
{
    const char *name = ovsdb_string(row, VSWITCH_BRIDGE_NAME);
    const char *type = ovsdb_string(row, VSWITCH_BRIDGE_DATAPATH_TYPE);
    char why[256];

    if (config_format_bridge_name.check(name, why, sizeof why)) {
        snprintf(fault, size, "bridge %s: the name %s", name, why);
        return false;
    }
    /* There is one datapath, whatever it is called. */
    if (!type || !type[0] || !strcmp(type, "system") || !strcmp(type, "netdev"))
        return true;
    snprintf(fault, size, "bridge %s: datapath_type %s is not known: use netdev, or leave it out", name, type);
    return false;
}

/* The bridge's row is no other host's, and stays in the database. */
static void complete(struct config *config, const struct ovsdb_row *bridge)
{
    char identity[OVSDB_UUID_LEN + 1];

    ovsdb_uuid_format(&bridge->uuid, identity);
    config_complete(config, identity);
}

struct config *config_from_bridge(const struct ovsdb *db, const struct ovsdb_row *row, const struct config *running,
                                  bool with_controllers, char *fault, size_t fault_size)
{
    const char *fail_mode = ovsdb_string(row, VSWITCH_BRIDGE_FAIL_MODE);

    if (!check_bridge(row, fault, fault_size))
        return NULL;
    struct config *config = config_default();
    struct config_bridge *bridge = config_add_bridge(config);
    bridge->name = mem_strdup(ovsdb_string(row, VSWITCH_BRIDGE_NAME));
    config_note_lacking(db, row);
    bridge->fail_mode = fail_mode && !strcmp(fail_mode, "secure") ? CONFIG_FAIL_SECURE : CONFIG_FAIL_STANDALONE;
    take_datapath_id(db, row, bridge);
    config_take_number(db, row, VSWITCH_BRIDGE_OTHER_CONFIG, "mac-aging-time", &config_section_bridge, "mac_aging_time",
                       &bridge->mac_aging_time);
    config_take_number(db, row, VSWITCH_BRIDGE_OTHER_CONFIG, "mac-table-size", &config_section_bridge, "mac_table_size",
                       &bridge->mac_table_size);
    const struct ovsdb_row *root = ovsdb_first(db, VSWITCH_OPEN_VSWITCH);
    if (root)
        config_take_number(db, root, VSWITCH_OPEN_VSWITCH_OTHER_CONFIG, "bundle-idle-timeout", &config_section_bridge,
                           "bundle_idle_timeout", &bridge->bundle_idle_timeout);
    const char *keep = ovsdb_map_string(db, row, VSWITCH_BRIDGE_OTHER_CONFIG, "keep-rules");
    bridge->keep_rules = !keep || strcmp(keep, "false");
    const char *bpdu = ovsdb_map_string(db, row, VSWITCH_BRIDGE_OTHER_CONFIG, "forward-bpdu");
    bridge->forward_bpdu = bpdu && !strcmp(bpdu, "true");
    bridge->dp_desc = take_text(db, row, "dp-desc", CONFIG_DP_DESC_MAX);
    bridge->dp_sn = take_text(db, row, "dp-sn", CONFIG_DP_SN_MAX);
    take_tables(db, row, bridge);
    config_take_bonds(db, row, bridge);
    config_take_stp(db, row, &bridge->stp);
    config_mirrors_take(db, row, bridge);
    take_protocols(row, bridge);
    bridge->restoring = !with_controllers;
    if (with_controllers)
        take_controllers(db, row, running, bridge);
    complete(config, row);
    return config;
}

/* --- ports --------------------------------------------------------------- */

static void take_vlans(const struct ovsdb_row *row, struct config_port *port)
{
    static const struct {
        const char *name;
        enum config_vlan_mode mode;
    } modes[] = {
        {"access", CONFIG_VLAN_ACCESS},
        {"trunk", CONFIG_VLAN_TRUNK},
        {"native-tagged", CONFIG_VLAN_NATIVE_TAGGED},
        {"native-untagged", CONFIG_VLAN_NATIVE_UNTAGGED},
    };
    const char *mode = ovsdb_string(row, VSWITCH_PORT_VLAN_MODE);
    int64_t tag = ovsdb_integer(row, VSWITCH_PORT_TAG, CONFIG_TAG_NONE);

    port->tag = tag >= 0 && tag <= 4095 ? (int)tag : CONFIG_TAG_NONE;
    port->vlan_mode = port->tag == CONFIG_TAG_NONE ? CONFIG_VLAN_TRUNK : CONFIG_VLAN_ACCESS;
    for (size_t i = 0; mode && i < sizeof modes / sizeof *modes; i++)
        if (!strcmp(modes[i].name, mode))
            port->vlan_mode = modes[i].mode;
    /* Without a tag an access or native port has VLAN 0. */
    if (port->vlan_mode == CONFIG_VLAN_TRUNK)
        port->tag = CONFIG_TAG_NONE;
    else if (port->tag == CONFIG_TAG_NONE)
        port->tag = 0;
    if (port->vlan_mode == CONFIG_VLAN_ACCESS)
        return;
    uint32_t n = ovsdb_count(row, VSWITCH_PORT_TRUNKS);
    port->trunks = n ? mem_calloc(n, sizeof *port->trunks) : NULL;
    for (uint32_t i = 0; i < n; i++) {
        int64_t vlan = row->columns[VSWITCH_PORT_TRUNKS].atoms[i].integer;
        if (vlan >= 0 && vlan <= 4095)
            port->trunks[port->n_trunks++] = (int)vlan;
    }
}

/* Where an interface is in the database, and what it is to become. */
struct source {
    const struct ovsdb *db;
    const struct ovsdb_row *bridge, *interface;
    const char *name, *run_dir;
    struct config_port *port;
    char *fault;
    size_t fault_size;
};

static bool take_kernel(struct source *source)
{
    char why[256];

    if (!config_format_ifname.check(source->name, why, sizeof why))
        return true;
    snprintf(source->fault, source->fault_size, "the name of a network interface %s", why);
    return false;
}

static bool take_dpdk(struct source *source)
{
    const char *devargs = ovsdb_map_string(source->db, source->interface, VSWITCH_INTERFACE_OPTIONS, "dpdk-devargs");
    char why[256];

    if (!devargs) {
        snprintf(source->fault, source->fault_size,
                 "'%s' is missing 'options:dpdk-devargs': the PCI address of a device, or a virtual device",
                 source->name);
        return false;
    }
    if (config_format_devargs.check(devargs, why, sizeof why)) {
        snprintf(source->fault, source->fault_size, "options:dpdk-devargs %s", why);
        return false;
    }
    source->port->devargs = mem_strdup(devargs);
    return true;
}

/* An interface of the kernel's through AF_XDP, which DPDK's net_af_xdp does. */
static bool take_afxdp(struct source *source)
{
    const struct ovsdb_row *row = source->interface;
    const char *mode = ovsdb_map_string(source->db, row, VSWITCH_INTERFACE_OPTIONS, "xdp-mode");
    bool copies = mode && (!strcmp(mode, "generic") || !strcmp(mode, "native"));
    char devargs[128];
    int queues = 1;

    if (!take_kernel(source))
        return false;
    config_take_number(source->db, row, VSWITCH_INTERFACE_OPTIONS, "n_rxq", &config_section_port, "rx_queues", &queues);
    snprintf(devargs, sizeof devargs, "net_af_xdp_%s,iface=%s,queue_count=%d%s", source->name, source->name, queues,
             copies ? ",force_copy=1" : "");
    source->port->devargs = mem_strdup(devargs);
    return true;
}

static bool take_socket(struct source *source, const char *path)
{
    char why[256];

    if (config_format_socket_path.check(path, why, sizeof why)) {
        snprintf(source->fault, source->fault_size, "the socket %s %s", path, why);
        return false;
    }
    source->port->path = mem_strdup(path);
    return true;
}

static bool take_vhost_client(struct source *source)
{
    const char *path = ovsdb_map_string(source->db, source->interface, VSWITCH_INTERFACE_OPTIONS, "vhost-server-path");

    source->port->mode = CONFIG_VHOST_CLIENT;
    if (path)
        return take_socket(source, path);
    snprintf(source->fault, source->fault_size,
             "options:vhost-server-path is missing: the socket that the virtual machine makes");
    return false;
}

static bool take_vhost_server(struct source *source)
{
    const struct ovsdb_row *root = ovsdb_first(source->db, VSWITCH_OPEN_VSWITCH);
    const char *below =
        root ? ovsdb_map_string(source->db, root, VSWITCH_OPEN_VSWITCH_OTHER_CONFIG, "vhost-sock-dir") : NULL;
    char path[4096];

    source->port->mode = CONFIG_VHOST_SERVER;
    if (below && strstr(below, "..")) {
        snprintf(source->fault, source->fault_size, "other_config:vhost-sock-dir must be below %s", source->run_dir);
        return false;
    }
    snprintf(path, sizeof path, "%s/%s%s%s", source->run_dir, below ? below : "", below ? "/" : "", source->name);
    return take_socket(source, path);
}

static bool take_patch(struct source *source)
{
    const char *peer = ovsdb_map_string(source->db, source->interface, VSWITCH_INTERFACE_OPTIONS, "peer");
    char why[256] = "is missing: the name of the port at the other end";

    if (!peer || config_format_port_name.check(peer, why, sizeof why)) {
        snprintf(source->fault, source->fault_size, "%s: options:peer %s", source->name, why);
        return false;
    }
    if (!strcmp(peer, source->name)) {
        snprintf(source->fault, source->fault_size, "%s: a patch port cannot be its own peer", source->name);
        return false;
    }
    source->port->peer = mem_strdup(peer);
    return true;
}

/* Takes a tunnel's options. Faults go into Interface.error in Open vSwitch's words, warnings into the log. */
static bool take_tunnel(struct source *source)
{
    const struct ovsdb_datum *options = &source->interface->columns[VSWITCH_INTERFACE_OPTIONS];
    struct tunnel_option_text *texts = mem_calloc(options->n + 1, sizeof *texts);
    struct tunnel_config config;
    char said[1024];

    for (uint32_t i = 0; i < options->n; i++)
        texts[i] = (struct tunnel_option_text){options->atoms[2 * i].string, options->atoms[2 * i + 1].string};
    int rc = tunnel_options_parse(source->name, config_tunnel_type(source->port), texts, options->n, &config, said,
                                  sizeof said);
    free(texts);
    if (rc) {
        snprintf(source->fault, source->fault_size, "%s", said);
        return false;
    }
    for (char *line = said, *next; *line; line = next) {
        next = line + strcspn(line, "\n");
        LOG_WARN_RL(LOG_CONFIG, "database: %.*s: ignored", (int)(next - line), line);
        next += *next != '\0';
    }
    for (uint32_t i = 0; i < options->n; i++)
        config_tunnel_take(&source->port->tunnel, options->atoms[2 * i].string, options->atoms[2 * i + 1].string);
    return true;
}

static const struct {
    const char *name;
    enum config_port_type type;
    bool (*take)(struct source *source);
} types[] = {
    {"", CONFIG_PORT_SYSTEM, take_kernel},
    {"system", CONFIG_PORT_SYSTEM, take_kernel},
    {"internal", CONFIG_PORT_INTERNAL, take_kernel},
    {"tap", CONFIG_PORT_TAP, take_kernel},
    {"patch", CONFIG_PORT_PATCH, take_patch},
    {"dpdk", CONFIG_PORT_DPDK, take_dpdk},
    {"afxdp", CONFIG_PORT_DPDK, take_afxdp},
    {"dpdkvhostuserclient", CONFIG_PORT_VHOST_USER, take_vhost_client},
    {"dpdkvhostuser", CONFIG_PORT_VHOST_USER, take_vhost_server},
    {"vxlan", CONFIG_PORT_VXLAN, take_tunnel},
    {"geneve", CONFIG_PORT_GENEVE, take_tunnel},
    {"gre", CONFIG_PORT_GRE, take_tunnel},
    {"ip6gre", CONFIG_PORT_IP6GRE, take_tunnel},
    {"erspan", CONFIG_PORT_ERSPAN, take_tunnel},
    {"ip6erspan", CONFIG_PORT_IP6ERSPAN, take_tunnel},
    {"gtpu", CONFIG_PORT_GTPU, take_tunnel},
    {"srv6", CONFIG_PORT_SRV6, take_tunnel},
};

static bool take_type(struct source *source)
{
    const char *type = ovsdb_string(source->interface, VSWITCH_INTERFACE_TYPE);
    bool is_local = !strcmp(source->name, ovsdb_string(source->bridge, VSWITCH_BRIDGE_NAME));

    /* The port of the bridge's own name is its LOCAL port, of whatever type it says it is. */
    if (!type || is_local)
        type = is_local ? "internal" : "";
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (strcmp(types[i].name, type))
            continue;
        source->port->type = types[i].type;
        source->port->ofport = is_local ? CONFIG_OFPORT_LOCAL : 0;
        return types[i].take(source);
    }
    snprintf(source->fault, source->fault_size, "could not create network device %s of unknown type %s", source->name,
             type);
    return false;
}

/* Only internal ports have one. LOCAL has the bridge's, as has a fake bridge's port without one of its own. */
static void take_own_mac(const struct source *source, const struct ovsdb_row *port)
{
    bool is_local = source->port->ofport == CONFIG_OFPORT_LOCAL;

    if (source->port->type != CONFIG_PORT_INTERNAL)
        return;
    if (!is_local && config_take_mac(ovsdb_string(source->interface, VSWITCH_INTERFACE_MAC), source->port->mac))
        return;
    if (is_local || ovsdb_boolean(port, VSWITCH_PORT_FAKE_BRIDGE, false))
        config_take_mac(ovsdb_map_string(source->db, source->bridge, VSWITCH_BRIDGE_OTHER_CONFIG, "hwaddr"),
                        source->port->mac);
}

/* --- BFD ----------------------------------------------------------------- */

static void take_flag(const struct source *source, const char *key, bool *value)
{
    const char *text = ovsdb_map_string(source->db, source->interface, VSWITCH_INTERFACE_BFD, key);

    if (text)
        *value = !strcmp(text, "true");
}

static void take_bfd_number(const struct source *source, const char *key, int *value)
{
    config_take_number(source->db, source->interface, VSWITCH_INTERFACE_BFD, key, &config_section_bfd, key, value);
}

static void take_bfd_mac(const struct source *source, const char *key, uint8_t mac[6])
{
    config_take_mac(ovsdb_map_string(source->db, source->interface, VSWITCH_INTERFACE_BFD, key), mac);
}

static void take_bfd_ip(const struct source *source, const char *key, char **address)
{
    const char *text = ovsdb_map_string(source->db, source->interface, VSWITCH_INTERFACE_BFD, key);
    char why[128];

    if (!text || !text[0])
        return;
    if (config_format_ipv4.check(text, why, sizeof why)) {
        LOG_WARN_RL(LOG_CONFIG, "database: %s: bfd:%s=%s %s: ignored", source->name, key, text, why);
        return;
    }
    free(*address);
    *address = mem_strdup(text);
}

static void take_bfd(const struct source *source)
{
    struct config_bfd *bfd = &source->port->bfd;

    take_flag(source, "enable", &bfd->enable);
    take_bfd_number(source, "min_rx", &bfd->min_rx);
    take_bfd_number(source, "min_tx", &bfd->min_tx);
    take_bfd_number(source, "decay_min_rx", &bfd->decay_min_rx);
    take_bfd_number(source, "mult", &bfd->mult);
    take_flag(source, "forwarding_if_rx", &bfd->forwarding_if_rx);
    take_flag(source, "cpath_down", &bfd->cpath_down);
    take_flag(source, "check_tnl_key", &bfd->check_tnl_key);
    take_flag(source, "oam", &bfd->oam);
    take_bfd_mac(source, "bfd_local_src_mac", bfd->local_src_mac);
    take_bfd_mac(source, "bfd_local_dst_mac", bfd->local_dst_mac);
    take_bfd_mac(source, "bfd_remote_dst_mac", bfd->remote_dst_mac);
    take_bfd_ip(source, "bfd_src_ip", &bfd->src_ip);
    take_bfd_ip(source, "bfd_dst_ip", &bfd->dst_ip);
    if (bfd->decay_min_rx == 0 || bfd->decay_min_rx >= bfd->min_rx)
        return;
    LOG_WARN_RL(LOG_CONFIG, "database: %s: bfd:decay_min_rx=%d is below min_rx, which is %d: ignored", source->name,
                bfd->decay_min_rx, bfd->min_rx);
    bfd->decay_min_rx = 0;
}

/* --- LACP ---------------------------------------------------------------- */

static void take_lacp(const struct source *source)
{
    static const struct {
        const char *key, *name;
        size_t offset;
    } numbers[] = {
        {"lacp-port-id", "lacp_port_id", offsetof(struct config_port, lacp_port_id)},
        {"lacp-port-priority", "lacp_port_priority", offsetof(struct config_port, lacp_port_priority)},
        {"lacp-aggregation-key", "lacp_aggregation_key", offsetof(struct config_port, lacp_aggregation_key)},
    };

    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        config_take_number(source->db, source->interface, VSWITCH_INTERFACE_OTHER_CONFIG, numbers[i].key,
                           &config_section_port, numbers[i].name, (int *)((char *)source->port + numbers[i].offset));
}

/* --- policing ------------------------------------------------------------ */

static void take_policing(const struct source *source)
{
    static const struct {
        unsigned column;
        const char *name;
        size_t offset;
    } columns[] = {
        {VSWITCH_INTERFACE_INGRESS_POLICING_RATE, "ingress_policing_rate", offsetof(struct config_policing, rate)},
        {VSWITCH_INTERFACE_INGRESS_POLICING_BURST, "ingress_policing_burst", offsetof(struct config_policing, burst)},
        {VSWITCH_INTERFACE_INGRESS_POLICING_KPKTS_RATE, "ingress_policing_kpkts_rate",
         offsetof(struct config_policing, kpkts_rate)},
        {VSWITCH_INTERFACE_INGRESS_POLICING_KPKTS_BURST, "ingress_policing_kpkts_burst",
         offsetof(struct config_policing, kpkts_burst)},
    };
    struct config_policing *policing = &source->port->policing;

    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++)
        *(int *)((char *)policing + columns[i].offset) =
            config_fit(&config_section_port, columns[i].name, ovsdb_integer(source->interface, columns[i].column, 0));
    if ((policing->rate || policing->kpkts_rate) && config_port_is_virtual(source->port))
        LOG_INFO(LOG_CONFIG, "database: %s: a port of this type has no device: nothing is policed", source->name);
}

/* --- what all types have ------------------------------------------------- */

/* "QUEUE:CORE,...": other_config:pmd-rxq-affinity. */
static void take_affinity(const struct source *source)
{
    const char *text =
        ovsdb_map_string(source->db, source->interface, VSWITCH_INTERFACE_OTHER_CONFIG, "pmd-rxq-affinity");
    const struct config_key *key = config_key_find(&config_section_port, "rx_cores");
    struct config_port *port = source->port;

    for (const char *at = text; at && *at;) {
        unsigned queue, core;
        int length = 0;

        if (sscanf(at, "%u:%u%n", &queue, &core, &length) != 2 || queue >= (unsigned)key->max_items ||
            core > (unsigned)key->max || (at[length] != ',' && at[length])) {
            LOG_WARN_RL(LOG_CONFIG, "database: %s: pmd-rxq-affinity=%s is not QUEUE:CORE,...: \"%s\" is ignored",
                        source->name, text, at);
            return;
        }
        if (!port->rx_cores)
            port->rx_cores = mem_calloc((size_t)key->max_items, sizeof *port->rx_cores);
        while (port->n_rx_cores <= queue)
            port->rx_cores[port->n_rx_cores++] = CONFIG_CORE_NONE;
        port->rx_cores[queue] = (int)core;
        at += length + (at[length] == ',');
    }
}

static void take_rest(const struct source *source, const struct ovsdb_row *port)
{
    struct config_port *wanted = source->port;
    const struct ovsdb_row *row = source->interface;
    int64_t mtu = ovsdb_integer(row, VSWITCH_INTERFACE_MTU_REQUEST, 0);
    int64_t ofport = ovsdb_integer(row, VSWITCH_INTERFACE_OFPORT_REQUEST, 0);

    if (mtu > 0)
        wanted->mtu = config_fit(&config_section_port, "mtu", mtu);
    if (!wanted->ofport && ofport > 0 && ofport <= CONFIG_OFPORT_MAX)
        wanted->ofport = (uint32_t)ofport;
    take_own_mac(source, port);
    config_take_number(source->db, row, VSWITCH_INTERFACE_OPTIONS, "n_rxq", &config_section_port, "rx_queues",
                       &wanted->rx_queues);
    if (wanted->type == CONFIG_PORT_DPDK) {
        config_take_number(source->db, row, VSWITCH_INTERFACE_OPTIONS, "n_rxq_desc", &config_section_port,
                           "rx_descriptors", &wanted->rx_descriptors);
        config_take_number(source->db, row, VSWITCH_INTERFACE_OPTIONS, "n_txq_desc", &config_section_port,
                           "tx_descriptors", &wanted->tx_descriptors);
    }
    take_affinity(source);
    take_vlans(port, wanted);
    take_lacp(source);
    config_take_port_stp(source->db, port, &wanted->stp);
    take_policing(source);
    if (!config_port_is_virtual(wanted))
        config_qos_take(source->db, port, &wanted->qos);
    take_bfd(source);
}

struct config *config_from_interface(const struct ovsdb *db, const struct ovsdb_row *bridge,
                                     const struct ovsdb_row *port, const struct ovsdb_row *interface,
                                     const char *run_dir, char *fault, size_t fault_size)
{
    const char *name = ovsdb_string(interface, VSWITCH_INTERFACE_NAME);
    char why[256];

    if (config_format_port_name.check(name, why, sizeof why)) {
        snprintf(fault, fault_size, "the name %s", why);
        return NULL;
    }
    struct config *config = config_default();
    struct config_bridge *of = config_add_bridge(config);
    struct config_port *wanted = config_add_port(of);
    struct source source = {db, bridge, interface, name, run_dir, wanted, fault, fault_size};
    of->name = mem_strdup(ovsdb_string(bridge, VSWITCH_BRIDGE_NAME));
    wanted->name = mem_strdup(name);
    config_note_lacking(db, port);
    config_note_lacking(db, interface);
    if (!take_type(&source)) {
        config_free(config);
        return NULL;
    }
    take_rest(&source, port);
    complete(config, bridge);
    return config;
}

/* --- the switch ---------------------------------------------------------- */

static void replace(char **text, const char *by)
{
    free(*text);
    *text = by ? mem_strdup(by) : NULL;
}

void config_from_open_vswitch(const struct ovsdb *db, const struct ovsdb_row *root, struct config *config)
{
    const struct ovsdb_row *ssl =
        ovsdb_count(root, VSWITCH_OPEN_VSWITCH_SSL) ? ovsdb_ref(db, root, VSWITCH_OPEN_VSWITCH_SSL, 0) : NULL;

    const struct config_section *pmd = config_key_find(&config_root, "pmd")->section;

    config_take_number(db, root, VSWITCH_OPEN_VSWITCH_OTHER_CONFIG, "pmd-maxsleep", pmd, "max_sleep_us",
                       &config->pmd.max_sleep_us);
    config_take_number(db, root, VSWITCH_OPEN_VSWITCH_OTHER_CONFIG, "flow-limit", pmd, "megaflow_limit",
                       &config->pmd.megaflow_limit);
    config_take_number(db, root, VSWITCH_OPEN_VSWITCH_OTHER_CONFIG, "max-idle", pmd, "max_idle_ms",
                       &config->pmd.max_idle_ms);
    const char *isolate = ovsdb_map_string(db, root, VSWITCH_OPEN_VSWITCH_OTHER_CONFIG, "pmd-rxq-isolate");
    config->pmd.isolate = !isolate || strcmp(isolate, "false") != 0;
    const char *whole = ovsdb_map_string(db, root, VSWITCH_OPEN_VSWITCH_OTHER_CONFIG, "ct-send-whole");
    if (whole)
        config->conntrack.send_whole = !strcmp(whole, "true");
    if (!ssl)
        return;
    replace(&config->tls.private_key, ovsdb_string(ssl, VSWITCH_SSL_PRIVATE_KEY));
    replace(&config->tls.certificate, ovsdb_string(ssl, VSWITCH_SSL_CERTIFICATE));
    replace(&config->tls.ca_certificate, ovsdb_string(ssl, VSWITCH_SSL_CA_CERT));
    config->tls.bootstrap = ovsdb_boolean(ssl, VSWITCH_SSL_BOOTSTRAP_CA_CERT, false);
}
