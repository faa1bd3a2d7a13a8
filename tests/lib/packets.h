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

static inline size_t packet_from_hex(const char *hex, uint8_t *data)
{
    size_t n = 0;

    for (; *hex != '\0'; hex++) {
        if (isxdigit((unsigned char)*hex)) {
            unsigned byte = 0;
            sscanf(hex, "%2x", &byte);
            data[n++] = byte;
            hex++;
        }
    }
    return n;
}

/* The ones' complement sum of 16-bit big-endian words, folded. */
static inline uint16_t packet_sum(uint32_t sum, const uint8_t *data, size_t len)
{
    for (size_t i = 0; i < len; i++)
        sum += i % 2 == 0 ? data[i] << 8 : data[i];
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return sum;
}

static inline uint32_t packet_crc32c(const uint8_t *data, size_t len)
{
    uint32_t crc = UINT32_MAX;

    for (size_t i = 0; i < len; i++) {
        crc ^= data[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
    }
    return ~crc;
}

static inline uint16_t packet_be16(const uint8_t *p)
{
    return p[0] << 8 | p[1];
}

/* Where the L4 checksum is, how long it is, and what it should be (in host order as it lies in memory; the field counts
 * as zero). Works on a linear copy. Returns false if the packet has none that can be known. */
static inline bool packet_l4_checksum(uint8_t *data, const struct packet_layers *layers, uint8_t **field, size_t *size,
                                      uint8_t expected[4])
{
    uint8_t *ip = data + layers->l3, *l4 = data + layers->l4, destination[16] = {0};
    const bool v6 = layers->eth_type == RTE_ETHER_TYPE_IPV6;
    size_t end, address_len = v6 ? 16 : 4;
    uint32_t sum = layers->ip_proto, offset;

    if (layers->l4 == 0)
        return false;
    if (v6) {
        uint8_t next = ip[6];
        end = layers->l3 + 40 + packet_be16(ip + 4);
        memcpy(destination, ip + 24, 16);
        for (uint8_t *header = ip + 40; header < l4;) {
            if (next == IPPROTO_FRAGMENT)
                return false;
            if (next == IPPROTO_ROUTING && header[3] > 0 && header[1] >= 2)
                memcpy(destination, header + 8, 16);
            const uint32_t header_len = next == IPPROTO_AH ? (header[1] + 2) * 4 : (header[1] + 1) * 8;
            next = header[0];
            header += header_len;
        }
    } else {
        if (packet_be16(ip + 6) & 0x2000)
            return false;
        end = layers->l3 + packet_be16(ip + 2);
        memcpy(destination, ip + 16, 4);
    }
    const size_t len = end - layers->l4;
    switch (layers->ip_proto) {
    case IPPROTO_TCP:
        offset = 16;
        break;
    case IPPROTO_UDP:
        offset = 6;
        if (!v6 && packet_be16(l4 + 6) == 0)
            return false;
        break;
    case IPPROTO_SCTP:
        offset = 8;
        break;
    default:
        offset = 2;
    }
    uint8_t old[4];
    *field = l4 + offset;
    *size = layers->ip_proto == IPPROTO_SCTP ? 4 : 2;
    memcpy(old, *field, *size);
    memset(*field, 0, *size);
    if (layers->ip_proto == IPPROTO_SCTP) {
        const uint32_t crc = packet_crc32c(l4, len);
        for (int i = 0; i < 4; i++)
            expected[i] = crc >> 8 * i;
    } else {
        if (layers->ip_proto == IPPROTO_ICMP) {
            sum = 0;
        } else {
            sum = packet_sum(sum + len, ip + (v6 ? 8 : 12), address_len);
            sum = packet_sum(sum, destination, address_len);
        }
        uint16_t checksum = ~packet_sum(sum, l4, len);
        if (layers->ip_proto == IPPROTO_UDP && checksum == 0)
            checksum = 0xffff;
        expected[0] = checksum >> 8;
        expected[1] = checksum;
    }
    memcpy(*field, old, *size);
    return true;
}

/* Makes the checksums of a linear packet right. A UDP checksum of 0 in IPv4 stays. */
static inline void packet_fill_checksums(struct rte_mbuf *m)
{
    struct packet_layers layers;
    uint8_t *data = rte_pktmbuf_mtod(m, uint8_t *), *field, expected[4];
    size_t size;

    packet_layers_find(m, &layers);
    if (layers.l3 != 0 && layers.eth_type == RTE_ETHER_TYPE_IPV4) {
        struct rte_ipv4_hdr *ip = (void *)(data + layers.l3);
        ip->hdr_checksum = 0;
        const uint16_t checksum = ~packet_sum(0, (void *)ip, rte_ipv4_hdr_len(ip));
        ip->hdr_checksum = rte_cpu_to_be_16(checksum);
    }
    if (packet_l4_checksum(data, &layers, &field, &size, expected))
        memcpy(field, expected, size);
}

/* Recomputes every checksum of `m` (any segments) and compares. */
static inline bool packet_checksums_right(const struct rte_mbuf *m)
{
    static uint8_t data[65536];
    struct rte_mbuf linear = {.buf_addr = data, .data_len = m->pkt_len, .pkt_len = m->pkt_len, .nb_segs = 1};
    struct packet_layers layers;
    uint8_t *field, expected[4];
    size_t size;
    const void *read = rte_pktmbuf_read(m, 0, m->pkt_len, data);

    if (read != data)
        memcpy(data, read, m->pkt_len);
    packet_layers_find(&linear, &layers);
    if (layers.l3 != 0 && layers.eth_type == RTE_ETHER_TYPE_IPV4) {
        const struct rte_ipv4_hdr *ip = (void *)(data + layers.l3);
        if (packet_sum(0, (void *)ip, rte_ipv4_hdr_len(ip)) != 0xffff)
            return false;
    }
    if (!packet_l4_checksum(data, &layers, &field, &size, expected) || memcmp(field, expected, size) == 0)
        return true;
    /* All ones for 0: what is summed makes all ones with either. */
    return layers.ip_proto == IPPROTO_ICMP && memcmp(field, "\xff\xff", 2) == 0 && memcmp(expected, "\0\0", 2) == 0;
}

/* A packet of `hex` with right checksums. */
static inline struct rte_mbuf *packet_new(struct rte_mempool *pool, const char *hex)
{
    uint8_t data[1024];
    const size_t len = packet_from_hex(hex, data);
    struct rte_mbuf *m = rte_pktmbuf_alloc(pool);

    memcpy(rte_pktmbuf_append(m, len), data, len);
    packet_fill_checksums(m);
    memset(packet_meta(m), 0, sizeof *packet_meta(m));
    return m;
}

/* The same bytes in segments of at most `split`. Takes `m`. */
static inline struct rte_mbuf *packet_split(struct rte_mempool *pool, struct rte_mbuf *m, uint32_t split)
{
    struct rte_mbuf *head = NULL;

    for (uint32_t at = 0; at < m->pkt_len; at += split) {
        const uint32_t len = RTE_MIN(split, m->pkt_len - at);
        struct rte_mbuf *seg = rte_pktmbuf_alloc(pool);
        memcpy(rte_pktmbuf_append(seg, len), rte_pktmbuf_mtod_offset(m, uint8_t *, at), len);
        if (!head) {
            head = seg;
            memset(packet_meta(head), 0, sizeof *packet_meta(head));
        } else {
            rte_pktmbuf_chain(head, seg);
        }
    }
    rte_pktmbuf_free(m);
    return head;
}

enum event_type { EVENT_OUTPUT, EVENT_PUNT, EVENT_RECIRC, EVENT_DROP };

struct events {
    struct action_sink sink;
    struct event {
        enum event_type type;
        uint32_t arg; /* port, punt id, recirculation id or drop reason */
        uint16_t full_len;
        struct rte_mbuf *m;
    } list[4096];
    unsigned n, n_metered;
    uint8_t verdict; /* of meters */
};

static inline void events_add(void *arg, enum event_type type, uint32_t value, struct rte_mbuf *m, uint16_t full_len)
{
    struct events *events = arg;

    events->list[events->n++] = (struct event){type, value, full_len, m};
}

static inline void event_output(void *arg, uint32_t port, struct rte_mbuf *m)
{
    events_add(arg, EVENT_OUTPUT, port, m, 0);
}

static inline void event_punt(void *arg, uint32_t punt_id, struct rte_mbuf *m, uint16_t full_len)
{
    events_add(arg, EVENT_PUNT, punt_id, m, full_len);
}

static inline void event_recirc(void *arg, uint32_t recirc_id, struct rte_mbuf *m)
{
    events_add(arg, EVENT_RECIRC, recirc_id, m, 0);
}

static inline void event_meter(void *arg, uint32_t meter, struct rte_mbuf *const *m, unsigned n, uint8_t *verdicts)
{
    struct events *events = arg;

    events->n_metered += n;
    for (unsigned i = 0; i < n; i++)
        verdicts[i] = events->verdict;
}

/* Of an operation made of random bytes: what is read as a bool has to be one. */
static inline void op_ct_make_bools(uint8_t *op)
{
    static const size_t bools[] = {offsetof(struct op_ct, request.commit), offsetof(struct op_ct, request.force),
                                   offsetof(struct op_ct, request.set_label)};

    for (unsigned i = 0; i < RTE_DIM(bools); i++)
        op[bools[i]] &= 1;
}

/* No tracker: what is found out follows from the packet's bytes and the request. */
static inline void event_ct(void *arg, const struct ct_request *request, struct rte_mbuf *const *m, unsigned n,
                            uint8_t *results)
{
    static const uint8_t states[] = {CT_STATE_NEW, CT_STATE_EST, CT_STATE_EST | CT_STATE_RPL, CT_STATE_INV};

    for (unsigned i = 0; i < n; i++) {
        struct packet_meta *meta = packet_meta(m[i]);
        const uint8_t *data = rte_pktmbuf_mtod(m[i], const uint8_t *);
        unsigned sum = 0;

        for (unsigned k = 0; k < m[i]->data_len && k < 40; k++)
            sum += data[k];
        meta->ct = (struct ct_meta){.zone = request->zone,
                                    .state = CT_STATE_TRK | states[(sum + request->commit) % RTE_DIM(states)],
                                    .mark = request->mark_mask ? request->mark : sum >> 2 & 3,
                                    .proto = IPPROTO_UDP,
                                    .tp_src = rte_cpu_to_be_16(sum & 1),
                                    .src = rte_cpu_to_be_32(0x0a000001 + (sum >> 1 & 1))};
        meta->ct.label[15] = sum & 1;
        meta->md.ct_state = meta->ct.state;
        results[i] = DROP_N_REASONS;
    }
}

static inline void event_drop(void *arg, enum drop_reason reason, struct rte_mbuf *m)
{
    events_add(arg, EVENT_DROP, reason, m, 0);
}

static inline void events_init(struct events *events, struct rte_mempool *pool)
{
    events->sink = (struct action_sink){.pool = pool,
                                        .arg = events,
                                        .output = event_output,
                                        .punt = event_punt,
                                        .recirc = event_recirc,
                                        .meter = event_meter,
                                        .ct = event_ct,
                                        .drop = event_drop};
    events->n = events->n_metered = 0;
    events->verdict = 0;
}

/* Frees the packets and forgets them. */
static inline void events_clear(struct events *events)
{
    for (unsigned i = 0; i < events->n; i++)
        rte_pktmbuf_free(events->list[i].m);
    events->n = events->n_metered = 0;
}

#endif
