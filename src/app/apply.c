#include "src/app/apply.h"

#include <errno.h>
#include <event2/buffer.h>
#include <net/if.h>
#include <rte_common.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "pmd/base/log.h"
#include "src/app/pool.h"
#include "src/config/diff.h"
#include "src/config/keys.h"
#include "src/openflow/requests/handler.h"
#include "src/openflow/server/server.h"

#define REMOVE_STEP 128 /* megaflows, rules or addresses of a removed bridge in a turn */

/* --- making -------------------------------------------------------------- */

static void set_vlans(struct bridge_port *bp, const struct config_port *config)
{
    static const enum vlan_mode modes[] = {
        [CONFIG_VLAN_UNSET] = VLAN_MODE_TRUNK,
        [CONFIG_VLAN_ACCESS] = VLAN_MODE_ACCESS,
        [CONFIG_VLAN_TRUNK] = VLAN_MODE_TRUNK,
        [CONFIG_VLAN_NATIVE_TAGGED] = VLAN_MODE_NATIVE_TAGGED,
        [CONFIG_VLAN_NATIVE_UNTAGGED] = VLAN_MODE_NATIVE_UNTAGGED,
    };

    struct port_vlan *vlan = &bp->lport->vlan;
    vlan->mode = modes[config->vlan_mode];
    vlan->tag = config->tag == CONFIG_TAG_NONE ? 0 : config->tag;
    memset(vlan->trunks, config->n_trunks ? 0 : 0xff, sizeof vlan->trunks);
    for (size_t i = 0; i < config->n_trunks; i++)
        vlan->trunks[config->trunks[i] / 64] |= UINT64_C(1) << config->trunks[i] % 64;
}

static int add_port(struct sluice *sw, struct bridge *br, const struct config_port *config, char *error, size_t size)
{
    static const enum port_type types[] = {
        [CONFIG_PORT_DPDK] = PORT_DPDK,
        [CONFIG_PORT_VHOST_USER] = PORT_VHOST_USER,
        [CONFIG_PORT_TAP] = PORT_TAP,
        [CONFIG_PORT_SYSTEM] = PORT_SYSTEM,
    };
    static const uint8_t no_mac[6];
    char why[512] = "";
    struct port_params params = {
        .type = types[config->type],
        .name = config->name,
        .devargs = config->devargs,
        .path = config->path,
        .vhost_client = config->mode == CONFIG_VHOST_CLIENT,
        .ifname = config->ifname,
        .rx_queues = config->rx_queues,
        .tx_queues = datapath_n_threads(sw->dp),
        .mtu = config->mtu,
        .has_mac = memcmp(config->mac, no_mac, sizeof no_mac) != 0,
        .pool = pool_for_devargs(config->devargs),
    };

    memcpy(params.mac.addr_bytes, config->mac, sizeof config->mac);
    struct port *port = port_create(&params, why, sizeof why);
    if (!port) {
        snprintf(error, size, "bridge %s, port %s: %s", br->name, config->name, why);
        return -1;
    }
    const char *taken = NULL;
    int rc = datapath_port_add(sw->dp, port);
    if (rc) {
        if (rc == -EAGAIN)
            snprintf(error, size,
                     "bridge %s, port %s: all of the %u port indices are taken, %u of them by ports that were just "
                     "removed, until their packets and flows are gone: reload again in some seconds",
                     br->name, config->name, PORT_MAX - 1, datapath_n_ports_leaving(sw->dp));
        else
            snprintf(error, size, "bridge %s, port %s: more than %u ports", br->name, config->name, PORT_MAX - 1);
        port_destroy(port);
        return -1;
    }
    uint32_t ofport = config->ofport == CONFIG_OFPORT_LOCAL ? OFPORT_LOCAL : config->ofport;
    struct bridge_port *bp =
        bridge_port_add(br, &(struct bridge_port_params){.name = config->name, .ofport = ofport, .port = port}, &taken);
    if (!bp) {
        snprintf(error, size, "bridge %s, port %s: %s", br->name, config->name, taken);
        uint32_t index = port->index;
        datapath_port_remove(sw->dp, port);
        datapath_port_forget(sw->dp, index);
        return -1;
    }
    set_vlans(bp, config);
    if (!config->flood)
        bridge_port_set_config(bp, PORT_CONFIG_NO_FLOOD, PORT_CONFIG_NO_FLOOD);
    LOG_INFO(LOG_BRIDGE, "%s: added port %s as %s, index %u", br->name, bp->name, bridge_ofport_name(br, ofport),
             port->index);
    return 0;
}

static void server_params(const struct sluice *sw, struct bridge *br, const struct config_bridge *config,
                          struct of_server_params *params)
{
    *params = (struct of_server_params){
        .loop = sw->loop,
        .bridge = br,
        .flows = sw->flows,
        .requests = &of_requests,
        .listen = (const char *const *)config->listen,
        .n_listen = config->n_listen,
        .controllers = (const char *const *)config->controllers,
        .n_controllers = config->n_controllers,
        .auxiliary_connections = config->auxiliary_connections,
        .bundle_bytes_max = (size_t)config->bundle_memory << 20,
        .packet_in_rate = config->controller_rate_limit,
        .packet_in_burst = config->controller_burst_limit,
        .inactivity_probe_ms = config->inactivity_probe,
        .pool = sw->pool,
        .tls = sw->tls,
    };
}

static enum fail_mode fail_mode_of(const struct config_bridge *config)
{
    return config->fail_mode == CONFIG_FAIL_SECURE ? FAIL_SECURE : FAIL_STANDALONE;
}

static void set_tables(struct pipeline *pipeline, const struct config_bridge *config)
{
    for (size_t i = 0; i < config->n_tables; i++) {
        const struct config_table *wanted = &config->tables[i];
        struct table_config table = *pipeline_table_config(pipeline, (uint8_t)wanted->table);
        if (wanted->max_entries)
            table.max_rules = (uint32_t)wanted->max_entries;
        if (wanted->eviction)
            table.config |= TABLE_EVICTION;
        pipeline_set_table_config(pipeline, (uint8_t)wanted->table, &table);
    }
}

int apply_bridge(struct sluice *sw, const struct config_bridge *config, char *error, size_t size)
{
    struct bridge *br = bridge_create(config->name, config->datapath_id, sw->dp);

    bridge_join_loop(br, sw->loop);
    flows_attach(sw->flows, br);
    TAILQ_INSERT_TAIL(&sw->bridges, br, node);
    br->fail_mode = fail_mode_of(config);
    bridge_set_mac_table(br, config->mac_table_size, config->mac_aging_time);
    pipeline_set_max_rules(br->pipeline, (uint32_t)config->max_rules);
    set_tables(br->pipeline, config);
    for (size_t i = 0; i < config->n_ports; i++)
        if (add_port(sw, br, &config->ports[i], error, size))
            return -1;

    char mgmt[4096], snoop[4096], why[512] = "";
    struct of_server_params params;
    server_params(sw, br, config, &params);
    snprintf(mgmt, sizeof mgmt, "%s/%s.mgmt", sw->config->run_dir, config->name);
    snprintf(snoop, sizeof snoop, "%s/%s.snoop", sw->config->run_dir, config->name);
    params.mgmt_path = mgmt;
    params.snoop_path = snoop;
    br->owner = of_server_create(&params, why, sizeof why);
    if (!br->owner) {
        snprintf(error, size, "bridge %s: %s", config->name, why);
        return -1;
    }
    return 0;
}

/* --- changes ------------------------------------------------------------- */

struct apply {
    struct sluice *sw;
    struct evbuffer *report;
    bool failed;
};

static void note(struct apply *apply, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void refuse(struct apply *apply, const char *why);

static void note(struct apply *apply, const char *format, ...)
{
    char text[1024];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    LOG_INFO(LOG_CONFIG, "%s", text);
    evbuffer_add_printf(apply->report, "%s\n", text);
}

static void refuse(struct apply *apply, const char *why)
{
    apply->failed = true;
    LOG_ERR(LOG_CONFIG, "%s", why);
    evbuffer_add_printf(apply->report, "%s\n", why);
}

/* What belongs to others goes at once; bundles, rules, megaflows and addresses, which may be many, in the turns to come
 * (apply_run_removed). */
static void remove_bridge(struct sluice *sw, struct bridge *br)
{
    if (switch_of(br))
        of_server_close(switch_of(br));
    while (!TAILQ_EMPTY(&br->ports))
        bridge_port_remove(TAILQ_FIRST(&br->ports));
    TAILQ_REMOVE(&sw->bridges, br, node);
    TAILQ_INSERT_TAIL(&sw->removed, br, node);
}

bool apply_run_removed(struct sluice *sw)
{
    struct bridge *br = TAILQ_FIRST(&sw->removed);

    if (!br)
        return false;
    if (switch_of(br)) {
        if (!of_server_is_over(switch_of(br)))
            return true;
        of_server_destroy(switch_of(br));
        br->owner = NULL;
    }
    if (flows_forget_bridge(sw->flows, br, REMOVE_STEP) && bridge_clear(br, REMOVE_STEP)) {
        TAILQ_REMOVE(&sw->removed, br, node);
        bridge_destroy(br);
    }
    return true;
}

/* Whether a port whose interface was deleted can be made again: Sluice makes the interface of a TAP itself. */
static bool can_return(const struct port *port)
{
    return port->type == PORT_TAP || if_nametoindex(port->ifname) != 0;
}

/* Whether a port has to make room for one with a new interface. Says so, or that there is none. */
static bool is_lost(struct apply *apply, const struct bridge_port *bp)
{
    char why[512];

    if (!bp->port || !bp->port->lost)
        return false;
    if (can_return(bp->port)) {
        note(apply, "%s: port %s: its interface %s was deleted", bp->bridge->name, bp->name, bp->port->ifname);
        return true;
    }
    snprintf(why, sizeof why,
             "%s: port %s: its interface %s was deleted: create it again, which brings the port back, or take the port "
             "out of the configuration",
             bp->bridge->name, bp->name, bp->port->ifname);
    refuse(apply, why);
    return false;
}

/* What is gone from the model, and what has to make room for its successor. */
static bool remove_all(struct apply *apply, const struct config *wanted)
{
    const struct config *running = apply->sw->config;
    bool any = false;

    for (size_t i = 0; i < running->n_bridges; i++) {
        const struct config_bridge *old = &running->bridges[i], *new = config_find_bridge(wanted, old->name);
        struct bridge *br = switch_bridge(apply->sw, old->name);
        if (!new) {
            remove_bridge(apply->sw, br);
            note(apply, "%s: removed", old->name);
            any = true;
            continue;
        }
        for (size_t j = 0; j < old->n_ports; j++) {
            const struct config_port *port = config_find_port(new, old->ports[j].name);
            struct bridge_port *bp = bridge_port_by_name(br, old->ports[j].name);
            if (port && !config_port_needs_replacing(&old->ports[j], port) && !is_lost(apply, bp))
                continue;
            bridge_port_remove(bp);
            if (!port)
                note(apply, "%s: removed port %s", old->name, old->ports[j].name);
            any = true;
        }
    }
    return any;
}

/* Until their devices, interfaces and sockets are free for others. */
static void wait_for_removed(struct datapath *dp)
{
    for (int i = 0; i < 3; i++) {
        datapath_synchronize(dp);
        while (datapath_reclaim(dp))
            ;
    }
}

static void change_port(struct apply *apply, struct bridge_port *bp, const struct config_port *old,
                        struct config_port *new)
{
    if (config_section_same(&config_section_port, old, new))
        return;
    if (old->mtu != new->mtu) {
        int rc = bp->port->ops->set_mtu(bp->port, (uint16_t) new->mtu);
        if (rc < 0) {
            char why[256];
            snprintf(why, sizeof why, "%s: port %s: mtu %d: %s: remove the port, reload, and add it again",
                     bp->bridge->name, bp->name, new->mtu, strerror(-rc));
            refuse(apply, why);
            new->mtu = old->mtu;
        }
    }
    if (old->flood != new->flood)
        bridge_port_set_config(bp, new->flood ? 0 : PORT_CONFIG_NO_FLOOD, PORT_CONFIG_NO_FLOOD);
    set_vlans(bp, new);
    mac_table_flush(bp->bridge->macs, bp->lport->id);
    bridge_note_port(bp, BRIDGE_PORT_VLAN);
    note(apply, "%s: changed port %s", bp->bridge->name, bp->name);
}

/* A port that cannot be made is not in the model that runs then, so that the next reload tries again. */
static void change_ports(struct apply *apply, struct bridge *br, const struct config_bridge *old,
                         struct config_bridge *new)
{
    char why[1024];

    for (size_t i = 0; i < new->n_ports;) {
        const struct config_port *before = config_find_port(old, new->ports[i].name);
        struct config_port *port = &new->ports[i];
        struct bridge_port *bp = bridge_port_by_name(br, port->name);
        if (bp) {
            change_port(apply, bp, before, port);
        } else if (add_port(apply->sw, br, port, why, sizeof why)) {
            refuse(apply, why);
            config_section_remove(&config_section_port, new->ports, &new->n_ports, i);
            continue;
        } else {
            note(apply, "%s: %s port %s", br->name, before ? "replaced" : "added", port->name);
        }
        i++;
    }
}

/* Both structs own what they point to. */
static void swap_connections(struct config_bridge *a, struct config_bridge *b)
{
    const struct config_bridge was = *a;

#define SWAP(field) (a->field = b->field, b->field = was.field)
    SWAP(controllers);
    SWAP(n_controllers);
    SWAP(listen);
    SWAP(n_listen);
    SWAP(inactivity_probe);
    SWAP(controller_rate_limit);
    SWAP(controller_burst_limit);
#undef SWAP
}

static void change_connections(struct apply *apply, struct bridge *br, struct config_bridge *old,
                               struct config_bridge *new)
{
    static const char *const names[] = {"fail_mode",        "controllers",           "listen",
                                        "inactivity_probe", "controller_rate_limit", "controller_burst_limit"};
    char why[512] = "", text[1024];
    struct of_server_params was, wanted;
    bool same = true;

    for (size_t i = 0; i < RTE_DIM(names); i++)
        same &= config_key_same(config_key_find(&config_section_bridge, names[i]), old, new);
    if (same)
        return;
    server_params(apply->sw, br, old, &was);
    server_params(apply->sw, br, new, &wanted);
    br->fail_mode = fail_mode_of(new);
    if (of_server_change(switch_of(br), &was, &wanted, why, sizeof why)) {
        snprintf(text, sizeof text, "%s: %s: controllers and listen stay as they were", br->name, why);
        refuse(apply, text);
        swap_connections(old, new);
        return;
    }
    note(apply, "%s: fail_mode %s, %zu controllers, listens on %zu more than its mgmt socket", br->name,
         br->fail_mode == FAIL_SECURE ? "secure" : "standalone", new->n_controllers, new->n_listen);
}

static void change_bridge(struct apply *apply, struct bridge *br, struct config_bridge *old, struct config_bridge *new)
{
    change_ports(apply, br, old, new);
    if (old->mac_table_size != new->mac_table_size || old->mac_aging_time != new->mac_aging_time) {
        bridge_set_mac_table(br, new->mac_table_size, new->mac_aging_time);
        note(apply, "%s: a new MAC table of %d addresses, %d s", br->name, new->mac_table_size, new->mac_aging_time);
    }
    if (old->max_rules != new->max_rules) {
        pipeline_set_max_rules(br->pipeline, (uint32_t) new->max_rules);
        note(apply, "%s: at most %d rules", br->name, new->max_rules);
    }
    change_connections(apply, br, old, new);
}

bool apply_config(struct sluice *sw, struct config *wanted, struct evbuffer *report)
{
    struct apply apply = {sw, report, false};
    char why[1024];

    if (remove_all(&apply, wanted))
        wait_for_removed(sw->dp);
    for (size_t i = 0; i < wanted->n_bridges;) {
        struct config_bridge *new = &wanted->bridges[i], *old = config_find_bridge(sw->config, new->name);
        if (old) {
            change_bridge(&apply, switch_bridge(sw, new->name), old, new);
        } else if (apply_bridge(sw, new, why, sizeof why)) {
            refuse(&apply, why);
            remove_bridge(sw, switch_bridge(sw, new->name));
            config_section_remove(&config_section_bridge, wanted->bridges, &wanted->n_bridges, i);
            continue;
        } else {
            note(&apply, "%s: added with %zu ports", new->name, new->n_ports);
        }
        i++;
    }
    if (sw->config->log.level != wanted->log.level) {
        log_set_level("any", config_log_level_name(wanted->log.level));
        note(&apply, "log level %s", config_log_level_name(wanted->log.level));
    }
    return !apply.failed;
}

/* --- interfaces that return ---------------------------------------------- */

/* Takes the ports away that wait for an interface which is there now. */
static bool remove_returned(struct bridge *br, const struct config_bridge *config)
{
    bool any = false;

    for (size_t i = 0; i < config->n_ports; i++) {
        struct bridge_port *bp = bridge_port_by_name(br, config->ports[i].name);
        if (!bp || !bp->port || !bp->port->lost || !if_nametoindex(bp->port->ifname))
            continue;
        LOG_INFO(LOG_CONFIG, "%s: port %s: the interface %s is there again", br->name, bp->name, bp->port->ifname);
        bridge_port_remove(bp);
        any = true;
    }
    return any;
}

/* Those that the model has and the bridge has not. */
static void add_missing(struct sluice *sw, struct bridge *br, struct config_bridge *config)
{
    char why[1024];

    for (size_t i = 0; i < config->n_ports;) {
        const char *name = config->ports[i].name;
        if (!bridge_port_by_name(br, name) && add_port(sw, br, &config->ports[i], why, sizeof why)) {
            LOG_ERR(LOG_CONFIG, "%s: the next \"sluicectl reload\" tries again", why);
            config_section_remove(&config_section_port, config->ports, &config->n_ports, i);
            continue;
        }
        i++;
    }
}

void apply_returned_interfaces(struct sluice *sw)
{
    struct config *config = sw->config;
    bool any = false;

    for (size_t i = 0; i < config->n_bridges; i++)
        any |= remove_returned(switch_bridge(sw, config->bridges[i].name), &config->bridges[i]);
    if (!any)
        return;
    wait_for_removed(sw->dp);
    for (size_t i = 0; i < config->n_bridges; i++)
        add_missing(sw, switch_bridge(sw, config->bridges[i].name), &config->bridges[i]);
}
