/* The hash by which select groups spread flows, in both the datapath and translation. Any thread; no state.
 *
 * IP packets: over addresses, protocol and, of TCP, UDP and SCTP, ports. It is symmetric (both directions of a
 * connection have the same hash), and all fragments of a flow have the same, without ports. Other packets: over
 * Ethernet addresses (symmetric, too) and type, VLAN ids, MPLS labels, I-SID, and the IPv4 addresses of ARP.
 */
#ifndef PMD_SELECT_HASH_H
#define PMD_SELECT_HASH_H

#include "pmd/key.h"

/* Hashes of different `basis` are independent of each other. Lines of `key` beyond those that its Ethernet type uses
 * are not looked at. */
uint32_t select_hash(const struct flow_key *key, uint32_t basis);
uint32_t select_hash_packet(const struct rte_mbuf *m, uint32_t basis);

#endif
