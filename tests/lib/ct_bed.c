#include "tests/lib/ct_bed.h"

static size_t spec_ip(const struct ct_spec *spec, uint8_t *ip, size_t payload, uint8_t proto)
{
    if (spec->ipv6) {
        const uint32_t first = rte_cpu_to_be_32(6u << 28);
        const uint32_t src = rte_cpu_to_be_32(spec->src), dst = rte_cpu_to_be_32(spec->dst);
        const size_t more = !spec->extension ? 0 : spec->extension == IPPROTO_AH ? 24 : 8;

        memset(ip, 0, 40 + more);
        memcpy(ip, &first, 4);
        put16(ip + 4, (uint16_t)(more + payload));
        ip[6] = more ? spec->extension : proto;
        ip[7] = 64;
        memcpy(ip + 8, "\x20\x01\x0d\xb8", 4);
        memcpy(ip + 20, &src, 4);
        memcpy(ip + 24, "\x20\x01\x0d\xb8", 4);
        memcpy(ip + 36, &dst, 4);
        if (more) {
            ip[40] = proto;
            ip[41] = spec->extension == IPPROTO_AH ? 24 / 4 - 2 : 0;
        }
        return 40 + more;
    }
    struct rte_ipv4_hdr header = {.version_ihl = 0x45,
                                  .total_length = rte_cpu_to_be_16((uint16_t)(20 + payload)),
                                  .time_to_live = 64,
                                  .next_proto_id = proto,
                                  .src_addr = rte_cpu_to_be_32(0x0a000000 | spec->src),
                                  .dst_addr = rte_cpu_to_be_32(0x0a000000 | spec->dst)};
    header.hdr_checksum = rte_ipv4_cksum(&header);
    memcpy(ip, &header, sizeof header);
    return 20;
}

void put16(uint8_t *p, uint16_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

void put32(uint8_t *p, uint32_t v)
{
    put16(p, (uint16_t)(v >> 16));
    put16(p + 2, (uint16_t)v);
}

uint8_t spec_proto(const struct ct_spec *spec)
{
    return spec->proto ? spec->proto : IPPROTO_TCP;
}

size_t spec_build(const struct ct_spec *spec, uint8_t *ip)
{
    uint8_t l4[1600] = {0};
    const uint8_t proto = spec_proto(spec);
    size_t len, header, checksum_at = 0;
    uint32_t crc;

    switch (proto) {
    case IPPROTO_TCP:
        len = 20;
        put16(l4, spec->sport);
        put16(l4 + 2, spec->dport);
        put32(l4 + 4, spec->seq);
        put32(l4 + 8, spec->ack);
        if (spec->scale) {
            memcpy(l4 + 20, "\x01\x03\x03", 3);
            l4[23] = spec->scale - 1;
            len = 24;
        }
        l4[12] = (uint8_t)(len / 4 << 4);
        l4[13] = spec->flags;
        put16(l4 + 14, spec->window);
        checksum_at = 16;
        len += spec->len;
        break;
    case IPPROTO_UDP:
        len = 8 + spec->len;
        put16(l4, spec->sport);
        put16(l4 + 2, spec->dport);
        put16(l4 + 4, (uint16_t)len);
        checksum_at = 6;
        break;
    case IPPROTO_SCTP:
        len = 20;
        put16(l4, spec->sport);
        put16(l4 + 2, spec->dport);
        memcpy(l4 + 4, &spec->tag, 4);
        l4[12] = spec->chunk;
        l4[13] = spec->chunk_flags;
        put16(l4 + 14, 8);
        memcpy(l4 + 16, &spec->init_tag, 4);
        crc = rte_cpu_to_le_32(~rte_hash_crc(l4, (uint32_t)len, UINT32_MAX));
        memcpy(l4 + 8, &crc, 4);
        break;
    case IPPROTO_ICMP:
    case IPPROTO_ICMPV6:
        len = 8 + spec->len;
        l4[0] = spec->icmp_type;
        l4[1] = spec->icmp_code;
        put16(l4 + 4, spec->sport);
        if (spec->quoted)
            len = 8 + spec_build(spec->quoted, l4 + 8);
        checksum_at = 2;
        break;
    default:
        len = 8 + spec->len;
    }
    if (spec->text)
        memcpy(l4 + len - spec->len, spec->text, spec->len);
    header = spec_ip(spec, ip, len, proto);
    if (checksum_at != 0) {
        uint32_t sum = 0;

        if (proto != IPPROTO_ICMP) {
            sum = rte_raw_cksum(ip + (spec->ipv6 ? 8 : 12), spec->ipv6 ? 32 : 8);
            sum += rte_cpu_to_be_16((uint16_t)len) + rte_cpu_to_be_16(proto);
        }
        sum += rte_raw_cksum(l4, len);
        sum = (sum & 0xffff) + (sum >> 16);
        sum = (sum & 0xffff) + (sum >> 16);
        const uint16_t checksum = proto == IPPROTO_UDP && sum == 0xffff ? 0xffff : (uint16_t)~sum;
        memcpy(l4 + checksum_at, &checksum, 2);
    }
    memcpy(ip + header, l4, len);
    return header + len;
}

void spec_to_mbuf(const struct ct_spec *spec, struct rte_mbuf *m)
{
    uint8_t *data;
    size_t len;

    rte_pktmbuf_reset(m);
    data = rte_pktmbuf_mtod(m, uint8_t *);
    memset(data, 2, 12);
    put16(data + 12, spec->ipv6 ? RTE_ETHER_TYPE_IPV6 : RTE_ETHER_TYPE_IPV4);
    len = 14 + spec_build(spec, data + 14);
    m->data_len = (uint16_t)len;
    m->pkt_len = (uint32_t)len;
}

struct ct_spec spec_back(struct ct_spec spec)
{
    const uint32_t src = spec.src;
    const uint16_t sport = spec.sport;

    spec.src = spec.dst;
    spec.dst = src;
    if (spec_proto(&spec) != IPPROTO_ICMP && spec_proto(&spec) != IPPROTO_ICMPV6) {
        spec.sport = spec.dport;
        spec.dport = sport;
    }
    return spec;
}

/* --- a tracker, and one packet at a time --------------------------------- */

struct ct_bed ct_bed_new(struct rte_mempool *pool, uint32_t max, unsigned n_threads)
{
    struct ct_bed bed = {.now = 1000};
    const size_t size = RTE_ALIGN_CEIL(sizeof(struct rcu), 64);

    bed.rcu = aligned_alloc(64, size);
    rcu_init(bed.rcu, n_threads);
    const struct ct_params params = {.max_connections = max, .n_threads = n_threads, .rcu = bed.rcu};

    bed.ct = ct_create(&params);
    bed.m = rte_pktmbuf_alloc(pool);
    return bed;
}

void ct_bed_free(struct ct_bed *bed)
{
    rte_pktmbuf_free(bed->m);
    ct_destroy(bed->ct);
    rcu_fini(bed->rcu);
    free(bed->rcu);
}

uint8_t ct_bed_request(struct ct_bed *bed, const struct ct_request *request, const struct ct_spec *spec)
{
    struct ct_meta *meta = &bed->meta;

    spec_to_mbuf(spec, bed->m);
    bed->reason = 0; /* not tracked yet */
    ct_run(bed->ct, 0, bed->now, request, &bed->m, 1, &meta, &bed->reason);
    return bed->meta.state;
}

uint8_t ct_bed_look(struct ct_bed *bed, uint16_t zone, struct ct_spec spec)
{
    return ct_bed_request(bed, &(struct ct_request){.zone = zone}, &spec);
}

uint8_t ct_bed_commit(struct ct_bed *bed, uint16_t zone, struct ct_spec spec)
{
    return ct_bed_request(bed, &(struct ct_request){.zone = zone, .commit = true}, &spec);
}

void ct_bed_work(struct ct_bed *bed)
{
    while (ct_work(bed->ct, bed->now, 1000))
        ;
}
