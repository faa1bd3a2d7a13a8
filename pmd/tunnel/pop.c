/* The outer headers of a packet that came for a tunnel: those like headers of a packet before. */
#include "pmd/tunnel/pop.h"

#include <netinet/in.h>
#include <rte_branch_prediction.h>
#include <string.h>

#include "pmd/checksum.h"
#include "pmd/offload.h"
#include "pmd/tunnel/pop_impl.h"
#include "pmd/tunnel/wire.h"

/* The outer headers that are remembered: Ethernet without tags, IPv4 without options or IPv6 without extension headers,
 * UDP or GRE, as many bytes as TUNNEL_RECENT_WORDS has; and a frame behind them. */
#define RECENT_L3 RTE_ETHER_HDR_LEN
#define RECENT_L4_IPV4 (RECENT_L3 + 20)
#define RECENT_L4_IPV6 (RECENT_L3 + 40)
#define RECENT_FIXED_WORDS 5 /* that are compared always */
#define RECENT_WINDOW (RECENT_L3 + 8 * RECENT_FIXED_WORDS)
#define RECENT_MOST (RECENT_L3 + 8 * TUNNEL_RECENT_WORDS)
#define RECENT_OPTIONS_MOST 24

/* Not a drop reason: the headers are not like any that are remembered. */
#define UNLIKE (DROP_N_REASONS + 1)

static uint32_t last_option(const struct rte_mbuf *m, const uint8_t *geneve)
{
    const uint32_t len = (geneve[0] & GENEVE_OPTIONS) * 4u;

    if (len > RECENT_OPTIONS_MOST || geneve + GENEVE_LEN + len > rte_pktmbuf_mtod(m, const uint8_t *) + m->data_len)
        return 0;
    return flow_key_load32(geneve + GENEVE_LEN + len - 4);
}

/* Its key, wherever it is; 0: none. */
static inline uint32_t gre_key(const uint8_t *gre)
{
    return gre[0] & GRE_KEY >> 8 ? flow_key_load32(gre + (gre[0] & GRE_CHECKSUM >> 8 ? 8 : 4)) : 0;
}

static inline uint32_t place_of(uint32_t remote, uint32_t key)
{
    return (remote ^ key * UINT32_C(0x85ebca6b)) * UINT32_C(0x9e3779b1) >> 16 & (TUNNEL_RECENTS - 1);
}

/* The place of simple headers: by remote address and key. */
static inline uint32_t simple_place(const struct op_tunnel_pop *pop, const uint8_t *data)
{
    return place_of(flow_key_load32(data + RECENT_L3 + 12),
                    flow_key_load32(data + RECENT_L4_IPV4 + (pop->udp_port != 0 ? 12 : 4)));
}

/* The place of other headers: by the last word of options, too. */
static uint32_t other_place(const struct op_tunnel_pop *pop, const struct rte_mbuf *m, bool ipv6)
{
    const uint8_t *data = rte_pktmbuf_mtod(m, const uint8_t *), *l4 = data + (ipv6 ? RECENT_L4_IPV6 : RECENT_L4_IPV4);
    uint32_t key = pop->udp_port != 0 ? flow_key_load32(l4 + 12) : gre_key(l4);

    if (pop->type == TUNNEL_GENEVE && (l4[8] & GENEVE_OPTIONS) != 0)
        key ^= last_option(m, l4 + 8) * UINT32_C(0xc2b2ae35);
    return place_of(flow_key_load32(data + RECENT_L3 + (ipv6 ? 20 : 12)), key);
}

/* The sum of the IPv4 header at `ip`, length, identification and checksum counted as 0. */
static uint32_t ipv4_sum(const uint8_t *ip)
{
    uint8_t header[20];

    memcpy(header, ip, sizeof header);
    memset(header + 2, 0, 4);
    memset(header + 10, 0, 2);
    return checksum_sum(header, sizeof header);
}

/* Whether the checksum of an IPv4 header is right that is as remembered but for these three. */
static inline bool ipv4_checksum_right(const struct tunnel_recent *recent, const uint8_t *ip)
{
    uint32_t sum = recent->sum + flow_key_load16(ip + 2) + flow_key_load16(ip + 4) + flow_key_load16(ip + 10);

    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    return sum == 0xffff;
}

static inline uint64_t differ_in(const struct tunnel_recent *recent, const uint8_t *data, unsigned i)
{
    return (flow_key_load64(data + RECENT_L3 + 8 * i) ^ recent->value[i]) & recent->mask[i];
}

/* The words that always count. */
static inline bool first_words_are(const struct tunnel_recent *recent, const struct op_tunnel_pop *pop,
                                   const uint8_t *data)
{
    uint64_t differ = flow_key_load64((const uint8_t *)&recent->pop) ^ flow_key_load64((const uint8_t *)pop);

    _Static_assert(sizeof *pop == 8, "a word");
    for (unsigned i = 0; i < RECENT_FIXED_WORDS; i++)
        differ |= differ_in(recent, data, i);
    return differ == 0;
}

static bool other_words_are(const struct tunnel_recent *recent, const uint8_t *data, uint32_t avail)
{
    uint64_t differ = avail < RECENT_L3 + 8u * recent->n_words;

    for (unsigned i = RECENT_FIXED_WORDS; i < recent->n_words && differ == 0; i++)
        differ |= differ_in(recent, data, i);
    return differ == 0;
}

/* Whether the checksum of UDP or GRE is right in a packet that ends at `end`. */
static __rte_noinline bool recent_checksum_right(const struct rte_mbuf *m, const struct tunnel_recent *recent,
                                                 uint32_t end)
{
    const uint8_t *data = rte_pktmbuf_mtod(m, const uint8_t *), *l4 = data + recent->l4;
    uint32_t sum = 0;

    if (recent->udp) {
        if (flow_key_load16(l4 + 6) == 0 || (m->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK) == RTE_MBUF_F_RX_L4_CKSUM_GOOD)
            return true;
        sum = recent->ipv6 ? checksum_sum(data + RECENT_L3 + 8, 32) : checksum_sum(data + RECENT_L3 + 12, 8);
        sum += RTE_BE16(IPPROTO_UDP) + flow_key_load16(l4 + 4);
    }
    return checksum_fold(sum + checksum_sum(l4, end - recent->l4)) == 0xffff;
}

/* The headers are known and right, and go. The packet ends at `end`. */
static inline void take_off(const struct tunnel_recent *recent, struct rte_mbuf *m, uint32_t end, uint32_t l4,
                            uint16_t lines)
{
    struct packet_meta *packet = packet_meta(m);

    memcpy(&packet->tun, &recent->meta, FLOW_KEY_LINE);
    if (recent->udp)
        packet->tun.tp_src = flow_key_load16(rte_pktmbuf_mtod(m, const uint8_t *) + l4);
    packet->md.in_port = recent->index;
    packet->md.tun_lines = lines;
    tunnel_recent_take_off(recent, m, end);
}

/* What is remembered in the place for headers like these, that are not simple; NULL: they are too short, or unlike. */
static const struct tunnel_recent *other_recent(const struct tunnel_table *table, const struct tunnel_cache *cache,
                                                const struct op_tunnel_pop *pop, const struct rte_mbuf *m)
{
    const uint8_t *data = rte_pktmbuf_mtod(m, const uint8_t *);
    const bool ipv6 = m->data_len >= RECENT_WINDOW && flow_key_load16(data + 12) == RTE_BE16(RTE_ETHER_TYPE_IPV6);
    const struct tunnel_recent *other;

    if (m->data_len < (ipv6 ? RECENT_L4_IPV6 + 16 : RECENT_WINDOW))
        return NULL;
    other = &cache->other[other_place(pop, m, ipv6)];
    return other->generation == tunnel_table_generation(table) && first_words_are(other, pop, data) ? other : NULL;
}

/* Where the packet ends, if its headers are like `other`, which has its first words, and right; else 0. */
static __rte_noinline uint32_t other_end(const struct tunnel_recent *other, const struct rte_mbuf *m)
{
    const uint8_t *data = rte_pktmbuf_mtod(m, const uint8_t *), *ip = data + RECENT_L3;
    uint32_t end;

    if (m->nb_segs != 1 || offload_any(m) || other->eth_type != flow_key_load16(data + 12) ||
        !other_words_are(other, data, m->data_len))
        return 0;
    end = RECENT_L3 + (other->ipv6 ? be16(ip + 4) + 40u : be16(ip + 2));
    if (end > m->pkt_len || end < other->len + (uint32_t)RTE_ETHER_HDR_LEN ||
        (other->udp && be16(data + other->l4 + 4) != end - other->l4) ||
        (!other->ipv6 && !ipv4_checksum_right(other, ip)) || (other->checksum && !recent_checksum_right(m, other, end)))
        return 0;
    return end;
}

/* Headers that are not simple: takes them off if they are like those of a packet before. OK, DROP_TUNNEL_ECN, or
 * UNLIKE. */
static __rte_noinline unsigned pop_like_other(const struct tunnel_table *table, const struct tunnel_cache *cache,
                                              const struct op_tunnel_pop *pop, struct rte_mbuf *m)
{
    const struct tunnel_recent *other = other_recent(table, cache, pop, m);
    const uint32_t end = other ? other_end(other, m) : 0;

    if (end == 0)
        return UNLIKE;
    if (other->lines > 1)
        memcpy(packet_meta(m)->tun.options, other->meta.options, (other->lines - 1u) * FLOW_KEY_LINE);
    take_off(other, m, end, other->l4, other->lines);
    return other->ecn ? pop_combine_ecn(m, other->meta.tos & ECN_MASK) : OK;
}

static inline const struct tunnel_recent *simple_recent(const struct tunnel_table *table,
                                                        const struct tunnel_cache *cache,
                                                        const struct op_tunnel_pop *pop, const struct rte_mbuf *m)
{
    const struct tunnel_recent *recent;

    if (unlikely(m->data_len < RECENT_WINDOW))
        return NULL;
    recent = &cache->recent[simple_place(pop, rte_pktmbuf_mtod(m, const uint8_t *))];
    return likely(recent->generation == tunnel_table_generation(table)) ? recent : NULL;
}

/* As other_end() for simple headers, of which nothing is known yet. What is wrong with them is found again, with its
 * reason. */
static inline uint32_t simple_end(const struct tunnel_recent *recent, const struct op_tunnel_pop *pop,
                                  const struct rte_mbuf *m)
{
    const uint8_t *data = rte_pktmbuf_mtod(m, const uint8_t *), *ip = data + RECENT_L3;
    const uint32_t len = be16(ip + 2), end = RECENT_L3 + len;

    if (unlikely(m->data_len < RECENT_WINDOW || m->nb_segs != 1 || offload_any(m) ||
                 !first_words_are(recent, pop, data) || flow_key_load16(data + 12) != RTE_BE16(RTE_ETHER_TYPE_IPV4)))
        return 0;
    if (unlikely(end > m->pkt_len || end < recent->len + (uint32_t)RTE_ETHER_HDR_LEN ||
                 (recent->udp && be16(ip + 24) != len - 20) || !ipv4_checksum_right(recent, ip)))
        return 0;
    return end;
}

/* As pop_like_other() for simple headers. False: unlike. */
static inline bool pop_like_simple(const struct tunnel_table *table, const struct tunnel_cache *cache,
                                   const struct op_tunnel_pop *pop, struct rte_mbuf *m)
{
    const struct tunnel_recent *recent = simple_recent(table, cache, pop, m);
    const uint32_t end = likely(recent != NULL) ? simple_end(recent, pop, m) : 0;

    if (unlikely(end == 0))
        return false;
    take_off(recent, m, end, RECENT_L4_IPV4, 1);
    return true;
}

const struct tunnel_recent *tunnel_recent_find(const struct tunnel_table *table, const struct tunnel_cache *cache,
                                               const struct op_tunnel_pop *pop, const struct rte_mbuf *m)
{
    const struct tunnel_recent *recent = simple_recent(table, cache, pop, m);

    if (likely(recent && first_words_are(recent, pop, rte_pktmbuf_mtod(m, const uint8_t *))))
        return recent;
    recent = other_recent(table, cache, pop, m);
    return recent && !recent->ecn ? recent : NULL;
}

/* Whether the packet can be changed as it is: its data are in one piece and nobody else's. */
static inline bool is_own(const struct rte_mbuf *m)
{
    return rte_mbuf_refcnt_read(m) == 1 && RTE_MBUF_DIRECT(m);
}

bool tunnel_recent_fits(const struct tunnel_recent *recent, const struct op_tunnel_pop *pop,
                        struct rte_mbuf *const *packets, unsigned n, uint16_t *ends)
{
    if (unlikely(!recent->simple)) {
        for (unsigned i = 0; i < n; i++) {
            const struct rte_mbuf *m = packets[i];
            const uint32_t least = recent->ipv6 ? RECENT_L4_IPV6 + 16 : RECENT_WINDOW;

            if (!is_own(m) || m->data_len < least ||
                !first_words_are(recent, pop, rte_pktmbuf_mtod(m, const uint8_t *)))
                return false;
            ends[i] = (uint16_t)other_end(recent, m);
            if (ends[i] == 0)
                return false;
        }
        return true;
    }
    for (unsigned i = 0; i < n; i++) {
        ends[i] = (uint16_t)simple_end(recent, pop, packets[i]);
        if (unlikely(ends[i] == 0 || !is_own(packets[i])))
            return false;
    }
    return true;
}

/* Whether all that counts of the headers is in the words that are remembered. */
static bool can_be_remembered(const struct outer *o)
{
    const uint32_t end = o->l3 + RTE_ALIGN_CEIL(o->at - o->l3, 8);

    if (o->l3 != RECENT_L3 || o->l4 != (o->ipv6 ? RECENT_L4_IPV6 : RECENT_L4_IPV4) || o->payload != ETH_TYPE_TEB ||
        o->avail < RTE_MAX(end, (uint32_t)RECENT_WINDOW) || o->at > RECENT_MOST)
        return false;
    return o->proto == IPPROTO_UDP ? o->claim.type == TUNNEL_VXLAN || o->claim.type == TUNNEL_GENEVE
                                   : o->claim.type == TUNNEL_GRE;
}

/* `n` bytes at `at` of the packet do not count. */
static void leave_out(uint8_t *mask, uint32_t at, uint32_t n)
{
    memset(mask + at - RECENT_L3, 0, n);
}

/* The bytes that count, of those that are remembered; says whether there is a checksum to be looked at. */
static bool mask_make(const struct outer *o, uint8_t mask[8 * TUNNEL_RECENT_WORDS])
{
    const uint16_t gre = be16(o->data + o->l4);

    memset(mask, 0, 8 * TUNNEL_RECENT_WORDS);
    memset(mask, 0xff, o->at - RECENT_L3);
    if (o->ipv6) {
        leave_out(mask, RECENT_L3 + 2, 4); /* flow label, length */
        mask[1] = 0xf0;
    } else {
        leave_out(mask, RECENT_L3 + 2, 4);  /* length, identification */
        leave_out(mask, RECENT_L3 + 10, 2); /* checksum */
    }
    if (o->proto == IPPROTO_UDP) {
        leave_out(mask, o->l4, 2);
        leave_out(mask, o->l4 + 4, 2);
        if (flow_key_load16(o->data + o->l4 + 6) == 0)
            return false;
        leave_out(mask, o->l4 + 6, 2);
        return true;
    }
    if (gre & GRE_SEQUENCE)
        leave_out(mask, o->at - 4, 4);
    if (gre & GRE_CHECKSUM)
        leave_out(mask, o->l4 + GRE_LEN, 4);
    return gre & GRE_CHECKSUM;
}

void pop_remember(const struct outer *o, struct tunnel_cache *cache, const struct op_tunnel_pop *pop,
                  uint32_t generation, uint32_t index)
{
    const uint32_t n_words = (o->at - RECENT_L3 + 7) / 8;
    const bool ecn = (o->meta->tos & 1) != 0; /* ECT(1), CE */
    uint64_t mask[TUNNEL_RECENT_WORDS];
    struct tunnel_recent *recent;
    bool checksum;

    if (!can_be_remembered(o))
        return;
    checksum = mask_make(o, (uint8_t *)mask);
    const bool simple = !o->ipv6 && n_words <= RECENT_FIXED_WORDS && o->n_lines == 1 && !checksum && !ecn;
    if (simple)
        recent = &cache->recent[simple_place(pop, o->data)];
    else
        recent = &cache->other[other_place(pop, o->m, o->ipv6)];
    memcpy(recent->mask, mask, sizeof mask);
    recent->n_words = (uint8_t)RTE_MAX(n_words, (uint32_t)RECENT_FIXED_WORDS);
    memcpy(recent->value, o->data + RECENT_L3, 8u * recent->n_words);
    recent->pop = *pop;
    recent->generation = generation;
    recent->index = index;
    recent->eth_type = flow_key_load16(o->data + 12);
    recent->len = (uint8_t)o->at;
    recent->l4 = (uint8_t)o->l4;
    recent->lines = (uint8_t)o->n_lines;
    recent->ipv6 = o->ipv6;
    recent->udp = o->proto == IPPROTO_UDP;
    recent->checksum = checksum;
    recent->ecn = ecn;
    recent->simple = simple;
    recent->sum = o->ipv6 ? 0 : ipv4_sum(o->data + RECENT_L3);
    memcpy(&recent->meta, o->meta, recent->lines * FLOW_KEY_LINE);
}

enum drop_reason tunnel_pop(const struct tunnel_table *table, struct tunnel_cache *cache,
                            const struct op_tunnel_pop *pop, struct rte_mbuf *m)
{
    unsigned done;

    if (likely(pop_like_simple(table, cache, pop, m)))
        return OK;
    done = pop_like_other(table, cache, pop, m);
    return done != UNLIKE ? (enum drop_reason)done : pop_parse(table, cache, pop, m);
}
