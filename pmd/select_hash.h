/* The hash by which select groups spread flows: equal for all packets of a flow, fragments included, in both the
 * datapath and translation. Over Ethernet addresses and type, VLAN ids, MPLS labels, I-SID, IP addresses, flow label
 * and protocol, and the ports of TCP, UDP and SCTP. Any thread; no state.
 */
#ifndef PMD_SELECT_HASH_H
#define PMD_SELECT_HASH_H

#include "pmd/key.h"

/* Hashes of different `basis` are independent of each other. Lines of `key` beyond those that its Ethernet type uses
 * are not looked at. */
uint32_t select_hash(const struct flow_key *key, uint32_t basis);
uint32_t select_hash_packet(const struct rte_mbuf *m, uint32_t basis);

#endif
