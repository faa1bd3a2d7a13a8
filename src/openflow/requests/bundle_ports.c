#include "src/openflow/requests/bundle_ports.h"

#include <stdlib.h>

#include "pmd/base/memory.h"
#include "src/openflow/requests/handler.h"
#include "src/openflow/server/server_impl.h"

void of_bundle_ports_free(struct of_bundle_ports *ports)
{
    free(ports->ports);
    *ports = (struct of_bundle_ports){0};
}

static struct of_bundle_port *get(struct of_bundle_ports *ports, uint32_t ofport)
{
    for (size_t i = 0; i < ports->n; i++) {
        if (ports->ports[i].ofport == ofport)
            return &ports->ports[i];
    }
    if (ports->n == ports->size) {
        ports->size = ports->size ? ports->size * 2 : 8;
        ports->ports = realloc(ports->ports, ports->size * sizeof *ports->ports);
        if (!ports->ports)
            out_of_memory("an OpenFlow request", 0);
    }
    ports->ports[ports->n] = (struct of_bundle_port){.ofport = ofport};
    return &ports->ports[ports->n++];
}

void of_bundle_ports_add(struct of_bundle_ports *ports, const struct of_port_mod *mod)
{
    struct of_bundle_port *port = get(ports, mod->port_no);

    port->config = (port->config & ~mod->mask) | (mod->config & mod->mask);
    port->mask |= mod->mask;
}

void of_bundle_ports_show(const struct of_bundle_ports *ports, struct of_server *server)
{
    for (size_t i = 0; i < ports->n; i++) {
        struct of_bundle_port *port = &ports->ports[i];
        struct bridge_port *bp = bridge_port_by_ofport(server->bridge, port->ofport);
        if (!bp)
            continue;
        port->saved_config = bp->config;
        port->saved_state = bp->state;
        bp->config = (bp->config & ~port->mask) | port->config;
        if (bp->config & PORT_CONFIG_DOWN)
            bp->state &= ~PORT_STATE_LIVE;
    }
}

void of_bundle_ports_hide(const struct of_bundle_ports *ports, struct of_server *server)
{
    for (size_t i = 0; i < ports->n; i++) {
        const struct of_bundle_port *port = &ports->ports[i];
        struct bridge_port *bp = bridge_port_by_ofport(server->bridge, port->ofport);
        if (!bp)
            continue;
        bp->config = port->saved_config;
        bp->state = port->saved_state;
    }
}

void of_bundle_ports_apply(const struct of_bundle_ports *ports, struct of_server *server)
{
    for (size_t i = 0; i < ports->n; i++) {
        const struct of_bundle_port *port = &ports->ports[i];
        struct bridge_port *bp = bridge_port_by_ofport(server->bridge, port->ofport);
        if (bp) /* else it went away since the check */
            bridge_port_set_config(bp, port->config, port->mask);
    }
}
