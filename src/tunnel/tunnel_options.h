/* The options of a tunnel port, as Open vSwitch's Interface.options has them (ovs-vswitchd.conf.db(5), "Tunnel
 * Options"), to struct tunnel_config. Pure functions.
 *
 * Values that Open vSwitch takes are taken, and what it says of others is said in its words, as tools and tests know
 * them: "vx0: vxlan type requires valid 'remote_ip' argument".
 */
#ifndef SRC_TUNNEL_TUNNEL_OPTIONS_H
#define SRC_TUNNEL_TUNNEL_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "src/tunnel/tunnel_port.h"

#define TUNNEL_DEFAULT_TTL 64

struct tunnel_option_text {
    const char *key, *value;
};

/* Fills in `config` for port `name` of type `type`, which is known. `said` gets what is to be said, a line each without
 * the last one's end; empty: nothing. Returns 0, or -EINVAL if there cannot be such a port; with 0 what was said is a
 * warning, and the option has no effect. */
int tunnel_options_parse(const char *name, const char *type, const struct tunnel_option_text *options, size_t n,
                         struct tunnel_config *config, char *said, size_t said_size);

#endif
