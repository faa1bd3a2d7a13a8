#include "pmd/ct/nat.h"

#include <netinet/in.h>
#include <rte_byteorder.h>
#include <rte_common.h>

#include "pmd/base/hash.h"
#include "pmd/checksum.h"
#include "pmd/crc32c.h"
#include "pmd/key_inline.h"
#include "pmd/offload.h"

static bool has_ports(uint8_t proto)
{
    return proto == IPPROTO_TCP || proto == IPPROTO_UDP || proto == IPPROTO_SCTP;
}

static bool is_icmp(uint8_t proto)
{
    return proto == IPPROTO_ICMP || proto == IPPROTO_ICMPV6;
}

/* --- choosing a tuple ---------------------------------------------------- */

/* In a large range ports are taken in long runs: after so many probes the search goes on somewhere else. */
#define PROBES_IN_A_ROW 16
/* Probes that stay with the first address of a large range. */
#define PROBES_OF_ADDRESS 48
/* Ranges of IPv6 addresses are used that far. */
#define ADDRESSES_MOST UINT32_MAX

static uint64_t mix(uint64_t x)
{
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

static uint32_t below(uint64_t number, uint64_t n)
{
    return (uint32_t)((unsigned __int128)number * n >> 64);
}

static uint64_t load_be64(const uint8_t *p)
{
    uint64_t word;

    memcpy(&word, p, sizeof word);
    return rte_be_to_cpu_64(word);
}

static uint32_t count_addresses(const struct ct_nat *range, bool ipv6)
{
    const uint8_t *min = range->min_address, *max = range->max_address;
    uint64_t low;

    if (!ipv6) {
        low = rte_be_to_cpu_32(flow_key_load32(max)) - rte_be_to_cpu_32(flow_key_load32(min));
        return (uint32_t)RTE_MIN(low + 1, (uint64_t)ADDRESSES_MOST);
    }
    low = load_be64(max + 8) - load_be64(min + 8);
    if (load_be64(max) - load_be64(min) - (load_be64(max + 8) < load_be64(min + 8)) != 0 || low >= ADDRESSES_MOST)
        return ADDRESSES_MOST;
    return (uint32_t)low + 1;
}

/* Depends on the source and the range alone, so that a source keeps its address. */
static uint64_t hash_of_source(const struct ct_nat *range, const struct conn_key *key)
{
    uint64_t words[5] = {key->tuple.src}, hash = 0;

    memcpy(words + 1, range->min_address, 16);
    if (key->ipv6)
        memcpy(words + 3, key->address[0], 16);
    for (unsigned i = 0; i < RTE_DIM(words); i++)
        hash = mix(hash + words[i]);
    return hash;
}

/* Where no range is given: ports of the kind that the own one is of (privileged, and those of rsh and the like). */
static struct nat_ports ports_like(uint16_t own)
{
    struct nat_ports ports = {.first = 1024, .n = 64512};

    if (own < 1024) {
        ports.first = own < 512 ? 1 : 512;
        ports.n = own < 512 ? 511 : 512;
    }
    ports.at = own == 0 ? 0 : (uint32_t)(own - ports.first);
    return ports;
}

static void begin_ports(struct nat_search *search, const struct ct_nat_request *request, const struct conn_key *key,
                        uint64_t number)
{
    const uint16_t sport = rte_be_to_cpu_16(key->tuple.sport), dport = rte_be_to_cpu_16(key->tuple.dport);
    const bool given = request->request.nat & CT_NAT_PORTS && has_ports(key->proto);
    const struct nat_ports identifiers = {.n = 65536, .at = sport};
    struct nat_ports like = {0};

    if (is_icmp(key->proto))
        like = identifiers;
    else if (has_ports(key->proto))
        like = ports_like(sport);
    search->ports = search->source && like.n != 0 ? like : (struct nat_ports){.first = dport, .n = 1};
    if (given) {
        search->ports.first = request->nat.min_port;
        search->ports.n = (uint32_t)(request->nat.max_port - request->nat.min_port) + 1;
        search->ports.at = below(number, search->ports.n);
    }
    if (!search->source)
        search->others = like;
}

void nat_search_begin(struct nat_search *search, const struct ct_nat_request *request, const struct conn_key *key,
                      uint64_t seed, uint64_t random)
{
    static const uint8_t zeros[16];
    const uint8_t flags = request->request.nat;
    const uint64_t hash = mix(conn_key_hash(key, seed));

    *search = (struct nat_search){.range = &request->nat,
                                  .source = flags & CT_NAT_SRC,
                                  .keeps_address = memcmp(request->nat.min_address, zeros, sizeof zeros) == 0,
                                  .n_addresses = 1,
                                  .random = mix(random)};
    if (!search->keeps_address) {
        search->n_addresses = count_addresses(&request->nat, key->ipv6);
        search->address =
            below(flags & CT_NAT_PERSISTENT ? hash_of_source(&request->nat, key) : hash, search->n_addresses);
    }
    begin_ports(search, request, key, flags & CT_NAT_RANDOM ? search->random : mix(hash));
}

static void put_address(const struct nat_search *search, uint32_t n, struct conn_key *reply)
{
    const uint8_t *min = search->range->min_address;
    uint64_t low = load_be64(min + 8) + n, high = load_be64(min) + (low < n);
    rte_be32_t *address = search->source ? &reply->tuple.dst : &reply->tuple.src;

    if (!reply->ipv6) {
        *address = rte_cpu_to_be_32(rte_be_to_cpu_32(flow_key_load32(min)) + n);
        return;
    }
    high = rte_cpu_to_be_64(high);
    low = rte_cpu_to_be_64(low);
    memcpy(reply->address[search->source], &high, sizeof high);
    memcpy(reply->address[search->source] + 8, &low, sizeof low);
}

/* The nth port of `ports`, into the reply's source or destination. */
static void put_port(const struct nat_ports *ports, uint32_t n, bool to_dst, struct conn_key *reply)
{
    const rte_be16_t port = rte_cpu_to_be_16((uint16_t)(ports->first + n));

    if (is_icmp(reply->proto))
        reply->tuple.sport = port;
    else if (to_dst)
        reply->tuple.dport = port;
    else
        reply->tuple.sport = port;
}

/* The probe's place among the combinations, which are numbered by address, then port. */
static uint64_t place_of(const struct nat_search *search, uint64_t total)
{
    const uint32_t n = search->ports.n, run = search->probe / PROBES_IN_A_ROW;
    const uint64_t first = (uint64_t)search->address * n;
    const bool one_address = n >= NAT_PROBES && search->probe < PROBES_OF_ADDRESS;
    uint64_t ahead = search->probe;

    if (total > NAT_PROBES && run > 0)
        ahead = below(mix(search->random + run), one_address ? n : total) + search->probe % PROBES_IN_A_ROW;
    if (one_address)
        return first + (search->ports.at + ahead) % n;
    return (first + search->ports.at + ahead) % total;
}

bool nat_search_next(struct nat_search *search, struct conn_key *reply)
{
    const struct nat_ports *ports = &search->ports, *others = &search->others;
    const uint64_t total = (uint64_t)search->n_addresses * ports->n;
    const uint32_t probes = (uint32_t)RTE_MIN(total, (uint64_t)NAT_PROBES), more = RTE_MIN(others->n, NAT_PROBES + 1u);
    uint64_t at = (uint64_t)search->address * ports->n + ports->at;

    if (search->probe < probes)
        at = place_of(search, total);
    else if (search->probe + 1 >= probes + more) /* the first of the others was the packet's own */
        return false;
    if (!search->keeps_address)
        put_address(search, (uint32_t)(at / ports->n), reply);
    if (has_ports(reply->proto) || (is_icmp(reply->proto) && search->source))
        put_port(ports, (uint32_t)(at % ports->n), search->source, reply);
    if (search->probe >= probes)
        put_port(others, (others->at + search->probe + 1 - probes) % others->n, true, reply);
    search->probe++;
    return true;
}

/* --- rewriting packets --------------------------------------------------- */

/* Each adds to *delta what changes in the sum over the 16-bit words of the packet. */
static void put_word(uint8_t *p, uint16_t word, uint32_t *delta)
{
    *delta += checksum_delta16(flow_key_load16(p), word);
    memcpy(p, &word, sizeof word);
}

static void put_bytes(uint8_t *p, const uint8_t *bytes, size_t len, uint32_t *delta)
{
    for (size_t i = 0; i < len; i += 2)
        put_word(p + i, flow_key_load16(bytes + i), delta);
}

static const uint8_t *address_of(const struct conn_key *key, bool dst)
{
    if (key->ipv6)
        return key->address[dst];
    return (const uint8_t *)(dst ? &key->tuple.dst : &key->tuple.src);
}

/* Writes addresses (NULL: stays), and the checksum of an IPv4 header. *pseudo: what changes in a pseudo-header's sum;
 * *delta: of the packet itself. */
static void put_addresses(uint8_t *ip, bool ipv6, const uint8_t *src, const uint8_t *dst, bool routed, uint32_t *pseudo,
                          uint32_t *delta)
{
    const size_t len = ipv6 ? 16 : 4;
    uint8_t *at = ip + (ipv6 ? 8 : 12);
    uint32_t src_delta = 0, dst_delta = 0;

    if (src)
        put_bytes(at, src, len, &src_delta);
    if (dst)
        put_bytes(at + len, dst, len, &dst_delta);
    *pseudo += src_delta + (routed ? 0 : dst_delta);
    *delta += src_delta + dst_delta;
    if (!ipv6)
        put_word(ip + 10, checksum_update(flow_key_load16(ip + 10), src_delta + dst_delta), delta);
}

static void put_sctp_ports(uint8_t *sctp, rte_be16_t sport, rte_be16_t dport, uint32_t len)
{
    const uint32_t before = flow_key_load32(sctp);
    uint32_t after, checksum = flow_key_load32(sctp + 8);

    memcpy(sctp, &sport, sizeof sport);
    memcpy(sctp + 2, &dport, sizeof dport);
    after = flow_key_load32(sctp);
    if (after == before)
        return;
    checksum ^= rte_cpu_to_le_32(crc32c_difference(before ^ after, len));
    memcpy(sctp + 8, &checksum, sizeof checksum);
}

static void update_checksum(uint8_t *field, uint32_t delta, bool udp)
{
    uint16_t checksum = flow_key_load16(field);

    if (udp && checksum == 0) /* RFC 768: the sender made none */
        return;
    checksum = checksum_update(checksum, delta);
    if (udp && checksum == 0)
        checksum = 0xffff;
    memcpy(field, &checksum, sizeof checksum);
}

/* Where all that is summed may be zero only all ones are right, and where 0 would be right as well receivers cannot
 * tell the two apart (RFC 1071, 2). */
static uint16_t icmp_checksum(const uint8_t *icmp, uint16_t checksum)
{
    return checksum == 0 && icmp[0] == 0 && icmp[1] == 0 ? 0xffff : checksum;
}

static void rewrite_l4(struct rte_mbuf *m, const struct ct_packet *packet, const struct conn_key *reply,
                       uint32_t pseudo)
{
    uint8_t *l4 = rte_pktmbuf_mtod_offset(m, uint8_t *, packet->l4);
    uint8_t *checksum = l4 + (packet->proto == IPPROTO_TCP ? 16 : 6);
    uint32_t delta = pseudo;
    uint16_t sum;

    switch (packet->proto) {
    case IPPROTO_TCP:
    case IPPROTO_UDP:
        put_word(l4, reply->tuple.dport, &delta);
        put_word(l4 + 2, reply->tuple.sport, &delta);
        if (likely((m->ol_flags & OFFLOAD_CHECKSUM) == 0)) {
            update_checksum(checksum, delta, packet->proto == IPPROTO_UDP);
            break;
        }
        sum = checksum_fold(flow_key_load16(checksum) + checksum_fold(pseudo)); /* of the pseudo-header alone */
        memcpy(checksum, &sum, sizeof sum);
        break;
    case IPPROTO_SCTP:
        put_sctp_ports(l4, reply->tuple.dport, reply->tuple.sport, packet->end - packet->l4);
        break;
    case IPPROTO_ICMP:
        delta = 0; /* no pseudo-header */
        put_word(l4 + 4, reply->tuple.sport, &delta);
        sum = icmp_checksum(l4, checksum_update(flow_key_load16(l4 + 2), delta));
        memcpy(l4 + 2, &sum, sizeof sum);
        break;
    case IPPROTO_ICMPV6:
        put_word(l4 + 4, reply->tuple.sport, &delta);
        update_checksum(l4 + 2, delta, false);
        break;
    default:
        break;
    }
}

/* A quoted packet is mostly cut off behind its first octets, but its CRC changes by what the ports do whatever the rest
 * of its `len` octets. None of so many is sent over any link; the time that this takes is bounded. */
#define QUOTED_SCTP_MAX 16384

static void rewrite_quoted_sctp(uint8_t *l4, const struct conn_key *as, uint32_t len, uint32_t *delta)
{
    uint8_t before[12], after[12];

    memcpy(before, l4, sizeof before);
    put_sctp_ports(l4, as->tuple.sport, as->tuple.dport, len);
    memcpy(after, l4, sizeof after);
    memcpy(l4, before, sizeof before);
    put_bytes(l4, after, sizeof after, delta);
}

/* Ports or identifier of the quoted packet, of `len` octets, and its checksum if that is quoted, too. */
static void rewrite_quoted_l4(uint8_t *l4, const uint8_t *end, uint32_t len, const struct conn_key *as, uint32_t pseudo,
                              uint32_t *delta)
{
    const uint8_t proto = as->proto;
    uint8_t *checksum = l4 + (proto == IPPROTO_TCP ? 16 : proto == IPPROTO_UDP ? 6 : 2);
    const uint32_t change = proto == IPPROTO_ICMP ? 0 : pseudo;
    uint32_t own = 0;
    uint16_t sum;

    if (!has_ports(proto) && !is_icmp(proto))
        return;
    if (proto == IPPROTO_SCTP && l4 + 12 <= end && len >= 12 && len <= QUOTED_SCTP_MAX) {
        rewrite_quoted_sctp(l4, as, len, delta);
        return;
    }
    if (is_icmp(proto)) {
        put_word(l4 + 4, as->tuple.sport, &own);
    } else {
        put_word(l4, as->tuple.sport, &own);
        put_word(l4 + 2, as->tuple.dport, &own);
    }
    *delta += own;
    if (proto == IPPROTO_SCTP || checksum + 2 > end || (proto == IPPROTO_UDP && flow_key_load16(checksum) == 0))
        return;
    sum = checksum_update(flow_key_load16(checksum), change + own);
    if (proto == IPPROTO_UDP && sum == 0)
        sum = 0xffff;
    put_word(checksum, proto == IPPROTO_ICMP ? icmp_checksum(l4, sum) : sum, delta);
}

/* The sender of the quoted packet sent it as replies to what is answered by `reply`: as a packet of that tuple. */
static void rewrite_error(struct rte_mbuf *m, const struct ct_packet *packet, const struct conn_key *reply,
                          uint32_t outer_pseudo)
{
    uint8_t *data = rte_pktmbuf_mtod(m, uint8_t *), *quoted = data + packet->quoted_l3;
    const uint8_t *end = data + RTE_MIN(packet->end, (uint32_t)m->data_len);
    const uint32_t ip_len = reply->ipv6 ? 40u + rte_be_to_cpu_16(flow_key_load16(quoted + 4))
                                        : rte_be_to_cpu_16(flow_key_load16(quoted + 2));
    const uint32_t headers = packet->quoted_l4 - packet->quoted_l3;
    uint32_t pseudo = 0, delta = reply->ipv6 ? outer_pseudo : 0;

    put_addresses(quoted, reply->ipv6, address_of(reply, false), address_of(reply, true), false, &pseudo, &delta);
    rewrite_quoted_l4(data + packet->quoted_l4, end, ip_len > headers ? ip_len - headers : 0, reply, pseudo, &delta);
    update_checksum(data + packet->l4 + 2, delta, false);
}

void nat_rewrite(struct rte_mbuf *m, const struct ct_packet *packet, const struct conn_key *reply, bool src, bool dst)
{
    uint8_t *ip = rte_pktmbuf_mtod_offset(m, uint8_t *, packet->l3);
    uint32_t pseudo = 0, delta = 0;

    put_addresses(ip, reply->ipv6, src ? address_of(reply, true) : NULL, dst ? address_of(reply, false) : NULL,
                  packet->routed, &pseudo, &delta);
    if (unlikely(packet->related))
        rewrite_error(m, packet, reply, pseudo);
    else
        rewrite_l4(m, packet, reply, pseudo);
}

void nat_follow(struct rte_mbuf *m, uint32_t l3, const uint8_t *first, bool ipv6)
{
    uint32_t pseudo = 0, delta = 0;

    first += ipv6 ? 8 : 12;
    put_addresses(rte_pktmbuf_mtod_offset(m, uint8_t *, l3), ipv6, first, first + (ipv6 ? 16 : 4), false, &pseudo,
                  &delta);
}
