#include "src/tunnel/neighbour_packet.h"

#include <netinet/icmp6.h>
#include <rte_arp.h>
#include <rte_ip.h>
#include <string.h>

#include "pmd/key.h"

/* The longest that is looked at: an advertisement has one option of 8 bytes, solicitations may have a nonce and a few
 * more. */
#define PACKET_MAX 512
#define OPTION_SOURCE 1
#define OPTION_TARGET 2
#define OPTION_LEN 8
#define FLAG_SOLICITED 0x40
#define FLAG_OVERRIDE 0x20

/* RFC 4861, 4.3 and 4.4. */
struct nd {
    uint8_t type, code;
    rte_be16_t checksum;
    uint8_t flags, reserved[3];
    struct in6_addr target;
};
_Static_assert(sizeof(struct nd) == 24, "as on the wire");

struct ip6 {
    rte_be32_t version;
    rte_be16_t payload;
    uint8_t next, hop_limit;
    struct in6_addr src, dst;
};
_Static_assert(sizeof(struct ip6) == 40, "as on the wire");

static struct in6_addr mapped(rte_be32_t ipv4)
{
    struct in6_addr ip = {.s6_addr = {[10] = 0xff, [11] = 0xff}};

    memcpy(&ip.s6_addr[12], &ipv4, sizeof ipv4);
    return ip;
}

static rte_be32_t ipv4_of(const struct in6_addr *ip)
{
    rte_be32_t ipv4;

    memcpy(&ipv4, &ip->s6_addr[12], sizeof ipv4);
    return ipv4;
}

static bool is_host_mac(const struct rte_ether_addr *mac)
{
    return rte_is_unicast_ether_addr(mac) && !rte_is_zero_ether_addr(mac);
}

static bool is_host_ipv4(rte_be32_t ip)
{
    uint32_t first = rte_be_to_cpu_32(ip) >> 24;

    return first != 0 && first != 127 && first < 224;
}

/* --- claims -------------------------------------------------------------- */

static bool read_arp(const uint8_t *data, size_t len, struct neighbour_claim *claim)
{
    struct rte_arp_hdr arp;

    if (len < sizeof arp)
        return false;
    memcpy(&arp, data, sizeof arp);
    if (arp.arp_hardware != RTE_BE16(RTE_ARP_HRD_ETHER) || arp.arp_protocol != RTE_BE16(RTE_ETHER_TYPE_IPV4) ||
        arp.arp_hlen != RTE_ETHER_ADDR_LEN || arp.arp_plen != sizeof(rte_be32_t) ||
        (arp.arp_opcode != RTE_BE16(RTE_ARP_OP_REQUEST) && arp.arp_opcode != RTE_BE16(RTE_ARP_OP_REPLY)) ||
        !is_host_ipv4(arp.arp_data.arp_sip) || !is_host_mac(&arp.arp_data.arp_sha))
        return false;
    *claim = (struct neighbour_claim){
        .ip = mapped(arp.arp_data.arp_sip),
        .to = mapped(arp.arp_data.arp_tip),
        .mac = arp.arp_data.arp_sha,
        .has_mac = true,
        .requested = arp.arp_opcode == RTE_BE16(RTE_ARP_OP_REPLY) || arp.arp_data.arp_sip == arp.arp_data.arp_tip,
        .overrides = true,
    };
    return true;
}

/* The address in the first option of that type. False: an option is not as it should be. */
static bool read_option(const uint8_t *options, size_t len, uint8_t type, struct neighbour_claim *claim)
{
    while (len > 0) {
        size_t size = len > 1 ? OPTION_LEN * (size_t)options[1] : 0;

        if (size == 0 || size > len)
            return false;
        if (options[0] == type && !claim->has_mac) {
            if (size != OPTION_LEN)
                return false;
            memcpy(&claim->mac, options + 2, sizeof claim->mac);
            claim->has_mac = true;
        }
        options += size;
        len -= size;
    }
    return true;
}

static bool checksum_holds(const struct ip6 *ip, const uint8_t *payload, size_t len)
{
    struct rte_ipv6_hdr header;

    memcpy(&header, ip, sizeof header);
    uint32_t sum = rte_ipv6_phdr_cksum(&header, 0) + (uint32_t)rte_raw_cksum(payload, len);
    return ((sum & 0xffff) + (sum >> 16)) % 0xffff == 0;
}

static bool read_nd(const uint8_t *data, size_t len, struct neighbour_claim *claim)
{
    const uint8_t *payload = data + sizeof(struct ip6);
    struct ip6 ip;
    struct nd nd;

    if (len < sizeof ip + sizeof nd)
        return false;
    memcpy(&ip, data, sizeof ip);
    memcpy(&nd, payload, sizeof nd);
    size_t size = rte_be_to_cpu_16(ip.payload);
    if (ip.next != IPPROTO_ICMPV6 || ip.hop_limit != 255 || size < sizeof nd || size > len - sizeof ip ||
        nd.code != 0 || (nd.type != ND_NEIGHBOR_SOLICIT && nd.type != ND_NEIGHBOR_ADVERT) ||
        IN6_IS_ADDR_MULTICAST(&nd.target) || !checksum_holds(&ip, payload, size))
        return false;
    bool advert = nd.type == ND_NEIGHBOR_ADVERT, solicited = nd.flags & FLAG_SOLICITED;
    if (advert && solicited && IN6_IS_ADDR_MULTICAST(&ip.dst))
        return false;
    *claim = (struct neighbour_claim){
        .ip = advert ? nd.target : ip.src,
        .to = ip.dst,
        .requested = advert,
        .overrides = !advert || nd.flags & FLAG_OVERRIDE,
    };
    /* Who looks whether its address is free has none yet. */
    if (IN6_IS_ADDR_UNSPECIFIED(&claim->ip) || IN6_IS_ADDR_LOOPBACK(&claim->ip) || IN6_IS_ADDR_MULTICAST(&claim->ip) ||
        IN6_IS_ADDR_V4MAPPED(&claim->ip))
        return false;
    if (!read_option(payload + sizeof nd, size - sizeof nd, advert ? OPTION_TARGET : OPTION_SOURCE, claim))
        return false;
    return claim->has_mac ? is_host_mac(&claim->mac) : advert && solicited;
}

bool neighbour_claim_read(const struct rte_mbuf *packet, struct neighbour_claim *claim)
{
    uint32_t len = RTE_MIN(rte_pktmbuf_pkt_len(packet), (uint32_t)PACKET_MAX);
    uint8_t copy[PACKET_MAX];
    struct packet_layers layers;

    packet_layers_find(packet, &layers);
    const uint8_t *data = rte_pktmbuf_read(packet, 0, len, copy);
    if (!data || layers.l3 == 0 || layers.l3 > len)
        return false;
    if (layers.eth_type == RTE_ETHER_TYPE_ARP)
        return read_arp(data + layers.l3, len - layers.l3, claim);
    return layers.eth_type == RTE_ETHER_TYPE_IPV6 && read_nd(data + layers.l3, len - layers.l3, claim);
}

/* --- requests ------------------------------------------------------------ */

static uint8_t *write_eth(uint8_t *at, const struct rte_ether_addr *dst, const struct rte_ether_addr *src,
                          uint16_t eth_type)
{
    const struct rte_ether_hdr eth = {*dst, *src, rte_cpu_to_be_16(eth_type)};

    memcpy(at, &eth, sizeof eth);
    return at + sizeof eth;
}

static unsigned write_arp(const struct in6_addr *ip, const struct rte_ether_addr *known, const struct in6_addr *from,
                          const struct rte_ether_addr *mac, uint8_t *frame)
{
    static const struct rte_ether_addr everybody = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};
    const struct rte_arp_hdr arp = {
        .arp_hardware = RTE_BE16(RTE_ARP_HRD_ETHER),
        .arp_protocol = RTE_BE16(RTE_ETHER_TYPE_IPV4),
        .arp_hlen = RTE_ETHER_ADDR_LEN,
        .arp_plen = sizeof(rte_be32_t),
        .arp_opcode = RTE_BE16(RTE_ARP_OP_REQUEST),
        .arp_data = {.arp_sha = *mac, .arp_sip = ipv4_of(from), .arp_tip = ipv4_of(ip)},
    };

    memcpy(write_eth(frame, known ? known : &everybody, mac, RTE_ETHER_TYPE_ARP), &arp, sizeof arp);
    return RTE_ETHER_HDR_LEN + sizeof arp;
}

/* RFC 4291, 2.7.1 */
static struct in6_addr solicited_node(const struct in6_addr *ip)
{
    struct in6_addr group = {.s6_addr = {[0] = 0xff, [1] = 0x02, [11] = 0x01, [12] = 0xff}};

    memcpy(&group.s6_addr[13], &ip->s6_addr[13], 3);
    return group;
}

static unsigned write_nd(const struct in6_addr *ip, const struct rte_ether_addr *known, const struct in6_addr *from,
                         const struct rte_ether_addr *mac, uint8_t *frame)
{
    /* RFC 2464, 7 */
    const struct rte_ether_addr group = {{0x33, 0x33, 0xff, ip->s6_addr[13], ip->s6_addr[14], ip->s6_addr[15]}};
    const struct ip6 header = {.version = RTE_BE32(UINT32_C(6) << 28),
                               .payload = RTE_BE16(sizeof(struct nd) + OPTION_LEN),
                               .next = IPPROTO_ICMPV6,
                               .hop_limit = 255,
                               .src = *from,
                               .dst = known ? *ip : solicited_node(ip)};
    struct nd nd = {.type = ND_NEIGHBOR_SOLICIT, .target = *ip};
    uint8_t *at = write_eth(frame, known ? known : &group, mac, RTE_ETHER_TYPE_IPV6);
    uint8_t *payload = at + sizeof header, *option = payload + sizeof nd;
    struct rte_ipv6_hdr sum_over;

    _Static_assert(RTE_ETHER_HDR_LEN + sizeof header + sizeof nd + OPTION_LEN == NEIGHBOUR_REQUEST_MAX, "the longest");
    memcpy(at, &header, sizeof header);
    memcpy(payload, &nd, sizeof nd);
    option[0] = OPTION_SOURCE;
    option[1] = 1;
    memcpy(option + 2, mac, sizeof *mac);
    memcpy(&sum_over, &header, sizeof sum_over);
    nd.checksum = rte_ipv6_udptcp_cksum(&sum_over, payload);
    memcpy(payload, &nd, sizeof nd);
    return NEIGHBOUR_REQUEST_MAX;
}

unsigned neighbour_request_write(const struct in6_addr *ip, const struct rte_ether_addr *known,
                                 const struct in6_addr *from, const struct rte_ether_addr *mac,
                                 uint8_t frame[NEIGHBOUR_REQUEST_MAX])
{
    return IN6_IS_ADDR_V4MAPPED(ip) ? write_arp(ip, known, from, mac, frame) : write_nd(ip, known, from, mac, frame);
}
