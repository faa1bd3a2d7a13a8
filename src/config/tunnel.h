/* The options of a tunnel port in the model, from and to those of src/tunnel/. Control thread only. */
#ifndef SRC_CONFIG_TUNNEL_H
#define SRC_CONFIG_TUNNEL_H

#include <stddef.h>

#include "src/config/model.h"
#include "src/tunnel/tunnel_options.h"

/* "vxlan"; `port` is a tunnel. */
const char *config_tunnel_type(const struct config_port *port);
/* As tunnel_options_parse(), of a port that is a tunnel. */
int config_tunnel_parse(const struct config_port *port, struct tunnel_config *config, char *said, size_t said_size);
/* Takes an option that tunnel_options_parse() let pass over into the model; others are left out. */
void config_tunnel_take(struct config_tunnel *tunnel, const char *key, const char *value);

#endif
