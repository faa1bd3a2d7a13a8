/* What Open vSwitch's commands print of tunnel ports. Pure functions. */
#ifndef SRC_TUNNEL_TUNNEL_TEXT_H
#define SRC_TUNNEL_TUNNEL_TEXT_H

#include <stddef.h>

#include "src/tunnel/tunnel_port.h"

#define TUNNEL_TEXT_MAX 768

/* The options that differ from the defaults of the type, in order: "key=flow, remote_ip=192.0.2.2". */
void tunnel_options_text(const struct tunnel_config *config, char *text, size_t size);
/* "::->192.0.2.2, key=flow, legacy_l2, dp port=1024, ttl=64": what comes in by the port and how it sends. */
void tunnel_port_text(const struct tunnel_config *config, uint32_t index, char *text, size_t size);

#endif
