#include "src/config/verify.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "pmd/base/mem.h"
#include "src/config/format.h"
#include "src/config/keys.h"
#include "src/config/tunnel.h"
#include "src/net/tls.h"

/* A value that must be the only one of its sort, and where it stands. */
struct claim {
    char *value;
    char *path;
    size_t order;
};

struct claims {
    struct claim *items;
    size_t n;
    size_t room;
};

/* `path` is a format. */
static void claim(struct claims *claims, const char *value, const char *path, ...)
    __attribute__((format(printf, 3, 4)));

static void claim(struct claims *claims, const char *value, const char *path, ...)
{
    va_list args;

    if (!value)
        return;
    if (claims->n == claims->room) {
        claims->room = claims->room ? claims->room * 2 : 16;
        claims->items = mem_realloc(claims->items, claims->room, sizeof *claims->items);
    }
    va_start(args, path);
    claims->items[claims->n] = (struct claim){mem_strdup(value), mem_vasprintf(path, args), claims->n};
    va_end(args);
    claims->n++;
}

static int compare_claims(const void *a, const void *b)
{
    const struct claim *x = a, *y = b;
    int order = strcmp(x->value, y->value);

    return order ? order : (x->order > y->order) - (x->order < y->order);
}

/* Reports each claim but the first of equal ones, and empties the list. `what` is "the name", "the socket" ... */
static void settle(struct claims *claims, const char *what, const char *advice, struct config_faults *faults)
{
    size_t first = 0;

    if (claims->n)
        qsort(claims->items, claims->n, sizeof *claims->items, compare_claims);
    for (size_t i = 1; i < claims->n; i++) {
        if (strcmp(claims->items[i].value, claims->items[first].value) != 0)
            first = i;
        else
            config_faults_add(faults, 0, claims->items[i].path, "%s %s is already taken by %s: %s", what,
                              claims->items[i].value, claims->items[first].path, advice);
    }
    for (size_t i = 0; i < claims->n; i++) {
        free(claims->items[i].value);
        free(claims->items[i].path);
    }
    free(claims->items);
    *claims = (struct claims){0};
}

static void claim_number(struct claims *claims, int value, const char *list, size_t i)
{
    char text[16];

    snprintf(text, sizeof text, "%d", value);
    if (value >= 0)
        claim(claims, text, "%s[%zu]", list, i);
}

/* "0000:01:00.0" for "01:00.0", any of them followed by arguments; NULL if it is no PCI address. */
static const char *pci_address(const char *devargs, char address[16])
{
    unsigned domain = 0, bus, device, function;
    int used = 0;

    if (sscanf(devargs, "%4x:%2x:%2x.%1x%n", &domain, &bus, &device, &function, &used) != 4 || used == 0) {
        domain = 0;
        used = 0;
        if (sscanf(devargs, "%2x:%2x.%1x%n", &bus, &device, &function, &used) != 3 || used == 0)
            return NULL;
    }
    if (devargs[used] != '\0' && devargs[used] != ',')
        return NULL;
    snprintf(address, 16, "%04x:%02x:%02x.%x", domain & 0xffff, bus & 0xff, device & 0xff, function & 0xf);
    return address;
}

/* Representors and class=eth selectors share one, and differ in their arguments. */
char *config_device_of(const char *devargs)
{
    char address[16];

    if (strstr(devargs, "representor=") || strncmp(devargs, "class=", 6) == 0)
        return mem_strdup(devargs);
    if (pci_address(devargs, address))
        return mem_strdup(address);

    char *device = mem_strdup(devargs);
    device[strcspn(device, ",")] = '\0';
    return device;
}

static bool has_eal_arg(const struct config_dpdk *dpdk, const char *arg)
{
    for (size_t i = 0; i < dpdk->n_eal_args; i++)
        if (dpdk->eal_args[i] && strcmp(dpdk->eal_args[i], arg) == 0)
            return true;
    return false;
}

static void verify_cores(const struct config *config, struct config_faults *faults)
{
    struct claims cores = {0};

    bool shared = false;

    for (size_t i = 0; i < config->pmd.n_cores; i++) {
        claim_number(&cores, config->pmd.cores[i], "pmd.cores", i);
        shared = shared || (config->pmd.cores[i] >= 0 && config->pmd.cores[i] == config->control.core);
    }
    if (shared)
        config_faults_add(
            faults, 0, "control.core",
            "CPU %d is also in pmd.cores: a poll-mode thread leaves no time to the control thread, choose "
            "another or leave control.core out",
            config->control.core);
    settle(&cores, "CPU", "remove it", faults);
}

static void verify_vlans(const struct config_port *port, const char *path, struct config_faults *faults)
{
    char where[80];
    bool native = port->vlan_mode == CONFIG_VLAN_NATIVE_TAGGED || port->vlan_mode == CONFIG_VLAN_NATIVE_UNTAGGED;
    bool access =
        port->vlan_mode == CONFIG_VLAN_ACCESS || (port->vlan_mode == CONFIG_VLAN_UNSET && port->tag != CONFIG_TAG_NONE);

    if ((port->vlan_mode == CONFIG_VLAN_ACCESS || native) && port->tag == CONFIG_TAG_NONE) {
        snprintf(where, sizeof where, "%s.vlan_mode", path);
        config_faults_add(faults, 0, where, "this mode needs a VLAN: add \"tag\"");
    }
    if (port->vlan_mode == CONFIG_VLAN_TRUNK && port->tag != CONFIG_TAG_NONE) {
        snprintf(where, sizeof where, "%s.tag", path);
        config_faults_add(faults, 0, where,
                          "a trunk has no VLAN of its own: remove it, or use vlan_mode \"native-tagged\" or "
                          "\"native-untagged\"");
    }
    if (access && port->n_trunks) {
        snprintf(where, sizeof where, "%s.trunks", path);
        config_faults_add(
            faults, 0, where,
            "an access port carries VLAN \"tag\" alone: remove it, or set vlan_mode to \"native-tagged\" or "
            "\"native-untagged\"");
    }

    struct claims vlans = {0};
    snprintf(where, sizeof where, "%s.trunks", path);
    for (size_t i = 0; i < port->n_trunks; i++)
        claim_number(&vlans, port->trunks[i], where, i);
    settle(&vlans, "VLAN", "remove it", faults);
}

static void verify_bfd(const struct config_bfd *bfd, const char *path, struct config_faults *faults)
{
    char where[128];

    if (bfd->decay_min_rx <= 0 || bfd->min_rx <= 0 || bfd->decay_min_rx >= bfd->min_rx)
        return;
    snprintf(where, sizeof where, "%s.bfd.decay_min_rx", path);
    config_faults_add(faults, 0, where, "must not be below min_rx, which is %d: raise it, or take it out", bfd->min_rx);
}

/* Looks for options that contradict each other, and for options that the type does not have. */
static void verify_tunnel(const struct config_port *port, const char *path, struct config_faults *faults)
{
    struct tunnel_config config;
    char where[80], said[1024];

    if (!port->name || !port->tunnel.remote_ip)
        return;
    config_tunnel_parse(port, &config, said, sizeof said);
    if (!said[0])
        return;
    said[strcspn(said, "\n")] = '\0';
    snprintf(where, sizeof where, "%s.tunnel", path);
    config_faults_add(faults, 0, where, "%s", said);
}

/* What must be unique in the whole configuration. */
struct unique {
    struct claims bridge_names, datapath_ids, port_names, bond_names, sockets, listens, devices, ifnames;
};

/* The kernel is to have an interface of the port's name. */
static void verify_interface_name(const struct config_port *port, const char *path, struct unique *unique,
                                  struct config_faults *faults)
{
    char where[80], why[256];

    claim(&unique->ifnames, port->name, "%s.name", path);
    if (config_format_ifname.check(port->name, why, sizeof why) == 0)
        return;
    snprintf(where, sizeof where, "%s.name", path);
    config_faults_add(faults, 0, where, "names the kernel's interface, too: it %s%s", why,
                      port->type == CONFIG_PORT_INTERNAL ? "" : ": change it, or give \"ifname\"");
}

/* In the other mode the socket is the VM's, who says who may connect. */
static void verify_socket(const struct config_port *port, const char *path, struct config_faults *faults)
{
    const struct {
        const char *key, *value;
    } keys[] = {
        {"socket_mode", port->socket_mode},
        {"socket_owner", port->socket_owner},
        {"socket_group", port->socket_group},
    };
    char where[80];

    if (port->type != CONFIG_PORT_VHOST_USER || port->mode == CONFIG_VHOST_SERVER)
        return;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        if (!keys[i].value)
            continue;
        snprintf(where, sizeof where, "%s.%s", path, keys[i].key);
        config_faults_add(faults, 0, where,
                          "is for sockets of Sluice's: remove it, or set \"mode\" to \"server\"; in mode \"client\" "
                          "the VM makes the socket");
    }
}

static void verify_qos(const struct config_qos *qos, const char *path, struct config_faults *faults)
{
    struct claims queues = {0};
    char where[160];

    if (qos->type == CONFIG_QOS_EGRESS_POLICER && !qos->max_rate) {
        snprintf(where, sizeof where, "%s.qos", path);
        config_faults_add(faults, 0, where, "an egress-policer needs \"max_rate\": add it");
    }
    for (size_t i = 0; i < qos->n_queues; i++) {
        char number[16];

        snprintf(number, sizeof number, "%d", qos->queues[i].queue);
        claim(&queues, number, "%s.qos.queues[%zu].queue", path, i);
    }
    settle(&queues, "the queue", "choose another number", faults);
}

static void verify_port(const struct config *config, const struct config_port *port, const char *path,
                        struct unique *unique, struct config_faults *faults)
{
    char where[80], address[16];

    claim(&unique->port_names, port->name, "%s.name", path);
    claim(&unique->sockets, port->path, "%s.path", path);
    if (config_port_has_interface(port) && port->ifname)
        claim(&unique->ifnames, port->ifname, "%s.ifname", path);
    else if (config_port_has_interface(port) && port->name)
        verify_interface_name(port, path, unique, faults);
    if (port->peer && port->name && strcmp(port->peer, port->name) == 0) {
        snprintf(where, sizeof where, "%s.peer", path);
        config_faults_add(faults, 0, where, "is the port itself: name the port at the other end of the cable");
    }
    if (port->devargs) {
        char *device = config_device_of(port->devargs);

        claim(&unique->devices, device, "%s.devargs", path);
        free(device);
        if (pci_address(port->devargs, address) && has_eal_arg(&config->dpdk, "--no-pci")) {
            snprintf(where, sizeof where, "%s.devargs", path);
            config_faults_add(faults, 0, where, "%s is a PCI device, but dpdk.eal_args has \"--no-pci\": remove that",
                              address);
        }
    }
    verify_socket(port, path, faults);
    verify_qos(&port->qos, path, faults);
    verify_vlans(port, path, faults);
    verify_bfd(&port->bfd, path, faults);
    if (config_port_is_tunnel(port))
        verify_tunnel(port, path, faults);
}

static void verify_tls(const struct config *config, struct config_faults *faults)
{
    static const char *const paths[] = {
        [TLS_PRIVATE_KEY] = "tls.private_key",
        [TLS_CERTIFICATE] = "tls.certificate",
        [TLS_CA_CERTIFICATE] = "tls.ca_certificate",
    };
    const struct tls_files files = {{
        [TLS_PRIVATE_KEY] = config->tls.private_key,
        [TLS_CERTIFICATE] = config->tls.certificate,
        [TLS_CA_CERTIFICATE] = config->tls.ca_certificate,
    }};
    struct tls_fault fault;

    for (int i = 0; i < TLS_N_FILES; i++)
        if (!files.names[i])
            return;
    if (tls_check(&files, &fault))
        config_faults_add(faults, 0, paths[fault.file], "%s", fault.text);
}

static void verify_ovsdb(const struct config *config, struct config_faults *faults)
{
    if (!config->ovsdb.remote)
        return;
    if (config->n_bridges)
        config_faults_add(
            faults, 0, "bridges",
            "bridges come from the database that \"ovsdb\" names: make this an empty list, and the bridges "
            "by ovs-vsctl");
    if (!strncmp(config->ovsdb.remote, "ssl:", 4) && !config->tls.private_key)
        config_faults_add(faults, 0, "ovsdb.remote",
                          "\"%s\" needs TLS: add \"tls\" with private_key, certificate and ca_certificate to the file",
                          config->ovsdb.remote);
}

static void needs_tls(const struct config *config, const char *target, const char *list, size_t bridge, size_t i,
                      struct config_faults *faults)
{
    char path[64];
    const struct config_tls *tls = &config->tls;

    if (!target || (strncmp(target, "ssl:", 4) != 0 && strncmp(target, "pssl:", 5) != 0))
        return;
    if (tls->private_key || tls->certificate || tls->ca_certificate)
        return;
    snprintf(path, sizeof path, "bridges[%zu].%s[%zu]", bridge, list, i);
    config_faults_add(faults, 0, path,
                      "\"%s\" needs TLS: add \"tls\" with private_key, certificate and ca_certificate to the file",
                      target);
}

static const struct config_port *find_port(const struct config_bridge *bridge, const char *name)
{
    for (size_t i = 0; i < bridge->n_ports; i++)
        if (bridge->ports[i].name && strcmp(bridge->ports[i].name, name) == 0)
            return &bridge->ports[i];
    return NULL;
}

static bool has_same_vlans(const struct config_port *a, const struct config_port *b)
{
    static const char *const keys[] = {"vlan_mode", "tag", "trunks"};

    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (!config_key_same(config_key_find(&config_section_port, keys[i]), a, b))
            return false;
    return true;
}

static void verify_bond(const struct config_bridge *bridge, const struct config_bond *bond, const char *path,
                        struct claims *members, struct config_faults *faults)
{
    const struct config_port *first = NULL;
    bool has_primary = !bond->primary;
    char where[128];

    for (size_t i = 0; i < bond->n_members; i++) {
        const char *name = bond->members[i];
        const struct config_port *port = name ? find_port(bridge, name) : NULL;

        if (!name)
            continue;
        snprintf(where, sizeof where, "%s.members[%zu]", path, i);
        claim(members, name, "%s", where);
        has_primary |= bond->primary && strcmp(bond->primary, name) == 0;
        if (!port)
            config_faults_add(faults, 0, where, "%s is no port of the bridge: add it to \"ports\"", name);
        else if (port->ofport == CONFIG_OFPORT_LOCAL)
            config_faults_add(faults, 0, where, "%s is the bridge's LOCAL port, which cannot be bonded: remove it",
                              name);
        else if (first && !has_same_vlans(first, port))
            config_faults_add(faults, 0, where,
                              "%s has another vlan_mode, tag or trunks than %s: give all members of a bond the same",
                              name, first->name);
        first = first ? first : port;
    }
    if (has_primary)
        return;
    snprintf(where, sizeof where, "%s.primary", path);
    config_faults_add(faults, 0, where, "%s is no member of the bond: name one, or remove it", bond->primary);
}

static void verify_bonds(const struct config_bridge *bridge, size_t index, struct claims *names,
                         struct config_faults *faults)
{
    struct claims members = {0};
    char path[64];

    for (size_t i = 0; i < bridge->n_bonds; i++) {
        snprintf(path, sizeof path, "bridges[%zu].bonds[%zu]", index, i);
        claim(names, bridge->bonds[i].name, "%s.name", path);
        verify_bond(bridge, &bridge->bonds[i], path, &members, faults);
    }
    settle(&members, "the port", "remove it", faults);
}

/* Bonds are Ports, too. */
static bool has_port(const struct config_bridge *bridge, const char *name)
{
    for (size_t i = 0; i < bridge->n_bonds; i++) {
        if (bridge->bonds[i].name && strcmp(bridge->bonds[i].name, name) == 0)
            return true;
    }
    return find_port(bridge, name) != NULL;
}

static void must_be_port(const struct config_bridge *bridge, const char *name, const char *where,
                         struct config_faults *faults)
{
    if (name && !has_port(bridge, name))
        config_faults_add(faults, 0, where, "the bridge has no port \"%s\": name one of its ports", name);
}

static void verify_mirror(const struct config_bridge *bridge, const struct config_mirror *mirror, const char *path,
                          struct config_faults *faults)
{
    char where[160];

    if (!mirror->output_port && mirror->output_vlan == CONFIG_TAG_NONE)
        config_faults_add(faults, 0, path, "sends nowhere: add \"output_port\" or \"output_vlan\"");
    if (mirror->output_port && mirror->output_vlan != CONFIG_TAG_NONE)
        config_faults_add(faults, 0, path, "has both \"output_port\" and \"output_vlan\": remove one of them");
    snprintf(where, sizeof where, "%s.output_port", path);
    must_be_port(bridge, mirror->output_port, where, faults);
    for (size_t i = 0; i < mirror->n_select_src_port; i++) {
        snprintf(where, sizeof where, "%s.select_src_port[%zu]", path, i);
        must_be_port(bridge, mirror->select_src_port[i], where, faults);
    }
    for (size_t i = 0; i < mirror->n_select_dst_port; i++) {
        snprintf(where, sizeof where, "%s.select_dst_port[%zu]", path, i);
        must_be_port(bridge, mirror->select_dst_port[i], where, faults);
    }
}

static void verify_mirrors(const struct config_bridge *bridge, size_t index, struct config_faults *faults)
{
    struct claims names = {0};
    char path[64];

    for (size_t i = 0; i < bridge->n_mirrors; i++) {
        snprintf(path, sizeof path, "bridges[%zu].mirrors[%zu]", index, i);
        claim(&names, bridge->mirrors[i].name, "%s.name", path);
        verify_mirror(bridge, &bridge->mirrors[i], path, faults);
    }
    settle(&names, "the name", "choose another", faults);
}

static void verify_bridge(const struct config *config, size_t index, struct unique *unique,
                          struct config_faults *faults)
{
    const struct config_bridge *bridge = &config->bridges[index];
    struct claims ofports = {0}, controllers = {0}, tables = {0};
    char path[64], text[32];

    claim(&unique->bridge_names, bridge->name, "bridges[%zu].name", index);
    if (bridge->datapath_id) {
        snprintf(text, sizeof text, "%016" PRIx64, bridge->datapath_id);
        claim(&unique->datapath_ids, text, "bridges[%zu].datapath_id", index);
    }
    if (config->run_dir && bridge->name) { /* the longest of its sockets */
        char *snoop = mem_asprintf("%s/%s.snoop", config->run_dir, bridge->name);

        if (strlen(snoop) > CONFIG_SOCKET_PATH_MAX) {
            snprintf(path, sizeof path, "bridges[%zu].name", index);
            config_faults_add(faults, 0, path,
                              "the socket %s would have %zu bytes, and %d is the limit: use a shorter run_dir or name",
                              snoop, strlen(snoop), CONFIG_SOCKET_PATH_MAX);
        }
        free(snoop);
    }
    for (size_t i = 0; i < bridge->n_controllers; i++) {
        needs_tls(config, bridge->controllers[i].target, "controllers", index, i, faults);
        claim(&controllers, bridge->controllers[i].target, "bridges[%zu].controllers[%zu]", index, i);
    }
    settle(&controllers, "the controller", "remove it", faults);
    snprintf(path, sizeof path, "bridges[%zu].tables", index);
    for (size_t i = 0; i < bridge->n_tables; i++)
        claim_number(&tables, bridge->tables[i].table, path, i);
    settle(&tables, "the table", "remove it", faults);
    for (size_t i = 0; i < bridge->n_listen; i++) {
        const char *listen = bridge->listen[i];

        needs_tls(config, listen, "listen", index, i, faults);
        if (listen && strncmp(listen, "punix:", 6) == 0)
            claim(&unique->sockets, listen + 6, "bridges[%zu].listen[%zu]", index, i);
        else
            claim(&unique->listens, listen, "bridges[%zu].listen[%zu]", index, i);
    }
    for (size_t i = 0; i < bridge->n_ports; i++) {
        const struct config_port *port = &bridge->ports[i];

        snprintf(path, sizeof path, "bridges[%zu].ports[%zu]", index, i);
        verify_port(config, port, path, unique, faults);
        if (port->ofport == CONFIG_OFPORT_LOCAL)
            claim(&ofports, "LOCAL", "%s.ofport", path);
        else if (port->ofport) {
            snprintf(text, sizeof text, "%u", port->ofport);
            claim(&ofports, text, "%s.ofport", path);
        }
    }
    settle(&ofports, "the OpenFlow port", "choose another", faults);
    verify_bonds(bridge, index, &unique->bond_names, faults);
    verify_mirrors(bridge, index, faults);
}

/* The sockets Sluice makes by itself come first, so that a path in the file is what is reported. */
static void claim_own_sockets(const struct config *config, struct claims *sockets)
{
    char *path;

    if (!config->run_dir)
        return;
    path = mem_asprintf("%s/sluiced.ctl", config->run_dir);
    claim(sockets, path, "the control socket");
    free(path);
    for (size_t i = 0; i < config->n_bridges; i++) {
        bool seen = !config->bridges[i].name;

        for (size_t j = 0; j < i && !seen; j++)
            seen = config->bridges[j].name && strcmp(config->bridges[i].name, config->bridges[j].name) == 0;
        if (seen)
            continue;
        path = mem_asprintf("%s/%s.mgmt", config->run_dir, config->bridges[i].name);
        claim(sockets, path, "the OpenFlow socket of bridges[%zu]", i);
        free(path);
        path = mem_asprintf("%s/%s.snoop", config->run_dir, config->bridges[i].name);
        claim(sockets, path, "the snooping socket of bridges[%zu]", i);
        free(path);
    }
}

void config_verify(const struct config *config, struct config_faults *faults)
{
    struct unique unique = {0};

    verify_cores(config, faults);
    verify_tls(config, faults);
    verify_ovsdb(config, faults);
    claim_own_sockets(config, &unique.sockets);
    for (size_t i = 0; i < config->n_bridges; i++)
        verify_bridge(config, i, &unique, faults);
    settle(&unique.bridge_names, "the name", "choose another", faults);
    settle(&unique.datapath_ids, "the datapath ID", "choose another", faults);
    settle(&unique.port_names, "the name", "choose another", faults);
    settle(&unique.bond_names, "the name", "choose another", faults);
    settle(&unique.sockets, "the socket", "choose another", faults);
    settle(&unique.listens, "the address", "choose another", faults);
    settle(&unique.devices, "the device", "choose another", faults);
    settle(&unique.ifnames, "the interface name", "choose another", faults);
}
