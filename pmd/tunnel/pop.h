/* Takes outer headers off packets: what OP_TUNNEL_POP does. Poll-mode threads. */
#ifndef PMD_TUNNEL_POP_H
#define PMD_TUNNEL_POP_H

#include <rte_mbuf.h>

#include "pmd/drop.h"
#include "pmd/tunnel/table.h"

/* Bytes that outer headers can have, which tunnel_pop() wants in the first segment: two tags, options of IPv4. */
#define TUNNEL_POP_WINDOW (TUNNEL_HEADER_MAX + 8 + 40 + 14)

/* Takes the outer headers off a packet whose first segment is the caller's alone and has the first TUNNEL_POP_WINDOW
 * bytes, if there are so many. What is left is a frame: a payload without an Ethernet header gets one with addresses of
 * zeros. Writes packet_meta() tun and md.in_port, md.tun_lines; the rest of it is the caller's. Returns DROP_N_REASONS,
 * or why the packet has to be dropped. */
enum drop_reason tunnel_pop(const struct tunnel_table *tunnels, struct tunnel_memo *memo,
                            const struct op_tunnel_pop *pop, struct rte_mbuf *m);

#endif
