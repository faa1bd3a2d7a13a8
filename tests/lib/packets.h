/* Packets in hex with right checksums, checksums verified from scratch, and a sink that remembers what it was given. */
#ifndef TESTS_UNIT_PACKETS_H
#define TESTS_UNIT_PACKETS_H

#include <ctype.h>
#include <netinet/in.h>
#include <rte_ip.h>
#include <rte_mbuf.h>
#include <stdio.h>
#include <string.h>

#include "pmd/action/execute.h"
#include "pmd/key.h"
#include "pmd/meter.h"
#include "pmd/metadata.h"

#define MACS "020000000002 020000000001 "
#define IP4_FULL(ver_ihl, total_len, frag, proto)                                                                      \
    ver_ihl " b8 " total_len " 0000 " frag " 40 " proto " 0000 0a000001 0a000002 "
#define IP4(total_len, frag, proto) IP4_FULL("45", total_len, frag, proto)
#define IP6_FULL(first, payload_len, next)                                                                             \
    first " " payload_len " " next " 40 20010db8000000000000000000000001 20010db8000000000000000000000002 "
#define IP6(payload_len, next) IP6_FULL("6b812345", payload_len, next)
#define ARP(op) "0001 0800 06 04 " op " 020000000001 0a000001 000000000003 0a000002 "
#define TARGET "fe800000000000000000000000000009 "

#define FRAME_UDP MACS "0800" IP4("0020", "0000", "11") "0035 1f90 000c ffff 01020304"
#define FRAME_UDP_NO_CHECKSUM MACS "0800" IP4("0020", "0000", "11") "0035 1f90 000c 0000 01020304"
#define FRAME_TCP MACS "0800" IP4("002b", "4000", "06") "1234 0050 00000001 00000002 5018 ffff 0000 0000 616263 0000"
#define FRAME_TCP_OPTIONS                                                                                              \
    MACS "0800" IP4_FULL("46", "0030", "0000", "06") "01010100 1234 0050 00000001 00000002 6018 ffff 0000 0000 "       \
                                                     "01010101"
#define FRAME_SCTP                                                                                                     \
    MACS "0800" IP4("0031", "0000", "84") "1234 0050 deadbeef 00000000 0003001112345678 0000ffff0000000061 00"
#define FRAME_ICMP MACS "0800" IP4("001f", "0000", "01") "08 00 0000 1234 0001 616263"
#define FRAME_FIRST_FRAGMENT MACS "0800" IP4("0024", "2000", "11") "0035 1f90 0400 abcd 0102030405060708"
#define FRAME_LATER_FRAGMENT MACS "0800" IP4("0024", "2001", "06") "01020304050607080910111213141516"
#define FRAME_IGMP MACS "0800" IP4("001c", "0000", "02") "1100eeff00000000"
#define FRAME_VLAN_TCP MACS "8100 a005 0800" IP4("0028", "0000", "06") "1234 0050 00000001 00000002 5018 ffff 0000 0000"
#define FRAME_QINQ_UDP MACS "88a8 0064 8100 e0c8 0800" IP4("0020", "0000", "11") "0035 1f90 000c ffff 01020304"
#define FRAME_UDP6 MACS "86dd" IP6("000b", "11") "0035 1f90 000b ffff 616263"
#define FRAME_TCP6 MACS "86dd" IP6("0014", "06") "1234 0050 00000001 00000002 5018 ffff 0000 0000"
#define FRAME_TCP6_OPTIONS                                                                                             \
    MACS "86dd" IP6("0024", "00") "3c00010400000000 0600010400000000"                                                  \
                                  "1234 0050 00000001 00000002 5018 ffff 0000 0000"
#define FRAME_ICMP6 MACS "86dd" IP6("0008", "3a") "80 00 0000 00010001"
#define FRAME_NS MACS "86dd" IP6("0020", "3a") "87 00 0000 00000000" TARGET "0101 020000000005"
#define FRAME_NA MACS "86dd" IP6("0028", "3a") "88 00 0000 60000000" TARGET "0e01 000000000000 0201 020000000005"
/* Routing header type 2 with one segment left: the final destination ...:000a is in the pseudo-header. */
#define FRAME_UDP6_ROUTING                                                                                             \
    MACS "86dd" IP6("0020", "2b") "11020201 00000000 20010db800000000000000000000000a 0035 1f90 0008 ffff"
#define FRAME_UDP6_FRAGMENT MACS "86dd" IP6("0018", "2c") "1100000100000001 0035 1f90 0400 abcd 0102030405060708"
#define FRAME_ARP MACS "0806" ARP("0001")
#define FRAME_MPLS MACS "8847 00064140 45b8001c 00000000 40116617 0a000001 0a000002 0035 1f90 0008 0000"
#define FRAME_VLAN_MPLS MACS "8100 0005 8847 00064040 000c8140 4500"
#define FRAME_SNAP MACS "0024 aaaa03000000 0800" IP4("001c", "0000", "11") "0035 1f90 0008 ffff"
#define FRAME_LLC MACS "0026 424203 0000000000"

static const char *const frames[] = {
    FRAME_UDP,
    FRAME_UDP_NO_CHECKSUM,
    FRAME_TCP,
    FRAME_TCP_OPTIONS,
    FRAME_SCTP,
    FRAME_ICMP,
    FRAME_FIRST_FRAGMENT,
    FRAME_LATER_FRAGMENT,
    FRAME_IGMP,
    FRAME_VLAN_TCP,
    FRAME_QINQ_UDP,
    FRAME_UDP6,
    FRAME_TCP6,
    FRAME_TCP6_OPTIONS,
    FRAME_ICMP6,
    FRAME_NS,
    FRAME_NA,
    FRAME_UDP6_ROUTING,
    FRAME_UDP6_FRAGMENT,
    FRAME_ARP,
    FRAME_MPLS,
    FRAME_VLAN_MPLS,
    FRAME_SNAP,
    FRAME_LLC,
};
#define N_FRAMES (sizeof frames / sizeof frames[0])

size_t packet_from_hex(const char *hex, uint8_t *data);

/* The ones' complement sum of 16-bit big-endian words, folded. */
uint16_t packet_sum(uint32_t sum, const uint8_t *data, size_t len);

uint16_t packet_be16(const uint8_t *p);

/* Makes the checksums of a linear packet right. A UDP checksum of 0 in IPv4 stays. */
void packet_fill_checksums(struct rte_mbuf *m);

/* Recomputes every checksum of `m` (any segments) and compares. */
bool packet_checksums_right(const struct rte_mbuf *m);

/* A packet of `hex` with right checksums. */
struct rte_mbuf *packet_new(struct rte_mempool *pool, const char *hex);

/* The same bytes in segments of at most `split`. Takes `m`. */
struct rte_mbuf *packet_split(struct rte_mempool *pool, struct rte_mbuf *m, uint32_t split);

struct op_tunnel_push;

enum event_type { EVENT_OUTPUT, EVENT_PUNT, EVENT_RECIRC, EVENT_TUNNEL_POP, EVENT_DROP };

struct events {
    struct action_sink sink;
    struct event {
        enum event_type type;
        uint32_t arg; /* port, punt id, recirculation id, type of the tunnel or drop reason */
        uint16_t full_len;
        struct rte_mbuf *m;
    } list[4096];
    unsigned n, n_metered;
    uint8_t verdict; /* of meters */
};

/* Of an operation made of random bytes: what is read as a bool has to be one, and a helper one of those there are. */
void op_ct_make_valid(uint8_t *op);

/* Makes an OP_TUNNEL_PUSH of 16 random bytes. */
void op_tunnel_push_make(struct op_tunnel_push *push, const uint8_t random[16]);

void events_init(struct events *events, struct rte_mempool *pool);

/* Frees the packets and forgets them. */
void events_clear(struct events *events);

#endif
