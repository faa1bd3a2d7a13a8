/* Helpers: what applications say on a control connection of others that are to come (FTP, TFTP). Such connections are
 * expected (expect.h); where the control connection is translated, what it says is, too, and the sequence numbers that
 * move by that. Poll-mode threads; nothing of it is run for connections without a helper.
 */
#ifndef PMD_CT_HELPER_H
#define PMD_CT_HELPER_H

#include <rte_mbuf.h>
#include <stdbool.h>
#include <stdint.h>

#include "pmd/ct/extract.h"
#include "pmd/ct/tracker_impl.h"

/* A packet of connection `id`, which has a helper. `translated`: its addresses and ports are. */
void helper_run(struct ct *ct, uint32_t now, uint32_t id, enum conn_direction direction, const struct ct_packet *packet,
                struct rte_mbuf *m, bool translated);
/* Before the packet's state is looked at: has a segment acknowledge what the other side has sent as that counts it. */
void helper_settle(const struct ct *ct, uint32_t id, enum conn_direction direction, struct ct_packet *packet);

#endif
