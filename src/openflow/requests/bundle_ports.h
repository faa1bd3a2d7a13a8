/* The port_mods of a bundle that is being committed. Control thread. */
#ifndef SRC_OPENFLOW_REQUESTS_BUNDLE_PORTS_H
#define SRC_OPENFLOW_REQUESTS_BUNDLE_PORTS_H

#include <stddef.h>
#include <stdint.h>

#include "src/openflow/codec/msg.h"

struct of_server;

/* What has become of a port so far. */
struct of_bundle_port {
    uint32_t ofport, config, mask;
    uint32_t saved_config, saved_state; /* while the bundle is looked at */
};

/* All zero = none. */
struct of_bundle_ports {
    struct of_bundle_port *ports;
    size_t n, size;
};

void of_bundle_ports_free(struct of_bundle_ports *ports);
void of_bundle_ports_add(struct of_bundle_ports *ports, const struct of_port_mod *mod);
/* Give the bridge's ports the configuration that they have in the bundle so far, and take it back. Nobody is told. */
void of_bundle_ports_show(const struct of_bundle_ports *ports, struct of_server *server);
void of_bundle_ports_hide(const struct of_bundle_ports *ports, struct of_server *server);
/* Configures the ports for good, in the order in which the bundle first named them, and tells each change once. */
void of_bundle_ports_apply(const struct of_bundle_ports *ports, struct of_server *server);

#endif
