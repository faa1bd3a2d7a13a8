/* Where a connection goes or listens, in OVS's notation: tcp:IP[:PORT], ssl:IP[:PORT], unix:PATH,
 * ptcp:PORT[:IP], pssl:PORT[:IP], punix:PATH. Any thread; nothing is allocated.
 */
#ifndef SRC_NET_TARGET_H
#define SRC_NET_TARGET_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#define CONFIG_TARGET_PORT 6653 /* the OpenFlow port of IANA, where none is given */

struct config_target {
    bool passive;
    bool tls;
    struct sockaddr_storage address; /* AF_INET, AF_INET6 or AF_UNIX; port in network order */
    socklen_t address_len;
};

/* Parses `text`. Returns 0, or -EINVAL with what to do instead in `why` (`why_size` bytes, always terminated). An IPv6
 * address is written in brackets. `passive` says which of the two kinds is wanted. */
int config_target_parse(const char *text, bool passive, struct config_target *target, char *why, size_t why_size);
/* As config_target_parse(), for an active target of another protocol than OpenFlow: `port` is its port if `text` has
 * none. */
int config_target_parse_remote(const char *text, int port, struct config_target *target, char *why, size_t why_size);

#endif
