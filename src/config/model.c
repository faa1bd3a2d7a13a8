#include "src/config/model.h"

#include "pmd/base/mem.h"
#include "src/config/keys.h"

const char *config_log_level_name(enum config_log_level level)
{
    static const char *const names[] = {
        [CONFIG_LOG_ERR] = "err",
        [CONFIG_LOG_WARN] = "warn",
        [CONFIG_LOG_INFO] = "info",
        [CONFIG_LOG_DBG] = "dbg",
    };

    return names[level];
}

struct config *config_default(void)
{
    struct config *config = mem_calloc(1, sizeof *config);

    config_section_set_defaults(&config_root, config);
    return config;
}

struct config_bridge *config_add_bridge(struct config *config)
{
    return config_section_append(&config_section_bridge, (void **)&config->bridges, &config->n_bridges);
}

struct config_port *config_add_port(struct config_bridge *bridge)
{
    return config_section_append(&config_section_port, (void **)&bridge->ports, &bridge->n_ports);
}

#define FNV_BASIS 0xcbf29ce484222325
#define FNV_PRIME 0x100000001b3

/* Goes on with 64-bit FNV-1a. The end of the text counts, too. */
static uint64_t hash_text(uint64_t hash, const char *text)
{
    for (const char *c = text; *c; c++)
        hash = (hash ^ (unsigned char)*c) * FNV_PRIME;
    return hash * FNV_PRIME;
}

/* A hash in the lower 48 bits, marked as a locally administered address as in a bridge's own MAC. */
static uint64_t datapath_id_from(const char *identity, const char *name)
{
    uint64_t hash = hash_text(hash_text(FNV_BASIS, identity), name);

    hash ^= hash >> 32;
    return (hash & 0x0000fcffffffffff) | 0x0000020000000000;
}

bool config_port_has_interface(const struct config_port *port)
{
    return port->type == CONFIG_PORT_TAP || port->type == CONFIG_PORT_SYSTEM || port->type == CONFIG_PORT_INTERNAL;
}

bool config_port_is_tunnel(const struct config_port *port)
{
    return port->type >= CONFIG_PORT_VXLAN;
}

bool config_port_is_virtual(const struct config_port *port)
{
    return port->type == CONFIG_PORT_PATCH || config_port_is_tunnel(port);
}

static bool is_zero(const uint8_t mac[6])
{
    static const uint8_t zero[6];

    return memcmp(mac, zero, sizeof zero) == 0;
}

/* The bridge's own interface has the address that is in the bridge's datapath_id, unless another is asked for. */
static void complete_local(const char *identity, const struct config_bridge *bridge, struct config_port *port)
{
    if (port->ofport != CONFIG_OFPORT_LOCAL || port->type != CONFIG_PORT_INTERNAL || !is_zero(port->mac))
        return;
    for (int i = 0; i < 6; i++)
        port->mac[i] = (uint8_t)(datapath_id_from(identity, bridge->name) >> (40 - 8 * i));
}

static void complete_port(struct config_port *port)
{
    if (config_port_has_interface(port) && !port->ifname)
        port->ifname = mem_strdup(port->name);
    if (port->type != CONFIG_PORT_SYSTEM && port->type != CONFIG_PORT_INTERNAL && port->mtu == 0)
        port->mtu = 1500;
    if (port->vlan_mode == CONFIG_VLAN_UNSET)
        port->vlan_mode = port->tag == CONFIG_TAG_NONE ? CONFIG_VLAN_TRUNK : CONFIG_VLAN_ACCESS;
}

void config_complete(struct config *config, const char *identity)
{
    for (size_t i = 0; i < config->n_bridges; i++) {
        struct config_bridge *bridge = &config->bridges[i];

        if (bridge->datapath_id == 0)
            bridge->datapath_id = datapath_id_from(identity, bridge->name);
        for (size_t j = 0; j < bridge->n_ports; j++) {
            complete_port(&bridge->ports[j]);
            complete_local(identity, bridge, &bridge->ports[j]);
        }
    }
}

int config_largest_mtu(const struct config *config)
{
    int largest = 0;

    for (size_t i = 0; i < config->n_bridges; i++)
        for (size_t j = 0; j < config->bridges[i].n_ports; j++)
            if (config->bridges[i].ports[j].mtu > largest)
                largest = config->bridges[i].ports[j].mtu;
    return largest ? largest : 1500;
}

void config_free(struct config *config)
{
    if (!config)
        return;
    config_section_clear(&config_root, config);
    free(config);
}
