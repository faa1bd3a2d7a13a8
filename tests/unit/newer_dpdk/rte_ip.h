/* Stands before DPDK's own header for the test "action_newer_dpdk": struct rte_ipv6_hdr with its addresses in structs,
 * as since DPDK 24.11. On such a DPDK this is DPDK's header alone. */
#include <rte_version.h>

#if RTE_VERSION >= RTE_VERSION_NUM(24, 11, 0, 0)
#include_next <rte_ip.h>
#elif !defined(TESTS_UNIT_NEWER_DPDK_RTE_IP_H)
#define TESTS_UNIT_NEWER_DPDK_RTE_IP_H

#define rte_ipv6_hdr rte_ipv6_hdr_before_24_11
#include_next <rte_ip.h>
#undef rte_ipv6_hdr

struct rte_ipv6_addr {
    uint8_t a[16];
};

struct rte_ipv6_hdr {
    rte_be32_t vtc_flow;
    rte_be16_t payload_len;
    uint8_t proto;
    uint8_t hop_limits;
    struct rte_ipv6_addr src_addr;
    struct rte_ipv6_addr dst_addr;
} __attribute__((packed));
#endif
