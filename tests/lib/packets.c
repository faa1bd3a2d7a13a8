#include "tests/lib/packets.h"

#include "pmd/tunnel.h"

size_t packet_from_hex(const char *hex, uint8_t *data)
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

uint16_t packet_sum(uint32_t sum, const uint8_t *data, size_t len)
{
    for (size_t i = 0; i < len; i++)
        sum += i % 2 == 0 ? data[i] << 8 : data[i];
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return sum;
}

static uint32_t packet_crc32c(const uint8_t *data, size_t len)
{
    uint32_t crc = UINT32_MAX;

    for (size_t i = 0; i < len; i++) {
        crc ^= data[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
    }
    return ~crc;
}

uint16_t packet_be16(const uint8_t *p)
{
    return p[0] << 8 | p[1];
}

/* Where the L4 checksum is, how long it is, and what it should be (in host order as it lies in memory; the field counts
 * as zero). Works on a linear copy. Returns false if the packet has none that can be known. */
static bool packet_l4_checksum(uint8_t *data, const struct packet_layers *layers, uint8_t **field, size_t *size,
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

void packet_fill_checksums(struct rte_mbuf *m)
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

bool packet_checksums_right(const struct rte_mbuf *m)
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

struct rte_mbuf *packet_new(struct rte_mempool *pool, const char *hex)
{
    uint8_t data[1024];
    const size_t len = packet_from_hex(hex, data);
    struct rte_mbuf *m = rte_pktmbuf_alloc(pool);

    memcpy(rte_pktmbuf_append(m, len), data, len);
    packet_fill_checksums(m);
    memset(packet_meta(m), 0, sizeof *packet_meta(m));
    return m;
}

struct rte_mbuf *packet_split(struct rte_mempool *pool, struct rte_mbuf *m, uint32_t split)
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

static void events_add(void *arg, enum event_type type, uint32_t value, struct rte_mbuf *m, uint16_t full_len)
{
    struct events *events = arg;

    events->list[events->n++] = (struct event){type, value, full_len, m};
}

static void event_output(void *arg, uint32_t port, struct rte_mbuf *m)
{
    events_add(arg, EVENT_OUTPUT, port, m, 0);
}

static void event_punt(void *arg, uint32_t punt_id, struct rte_mbuf *m, uint16_t full_len)
{
    events_add(arg, EVENT_PUNT, punt_id, m, full_len);
}

static void event_recirc(void *arg, uint32_t recirc_id, struct rte_mbuf *const *packets, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        events_add(arg, EVENT_RECIRC, recirc_id, packets[i], 0);
}

static void event_tunnel_pop(void *arg, const struct op_tunnel_pop *pop, struct rte_mbuf *m)
{
    events_add(arg, EVENT_TUNNEL_POP, pop->type, m, 0);
}

static void event_meter(void *arg, uint32_t meter, struct rte_mbuf *const *m, unsigned n, uint8_t *verdicts)
{
    struct events *events = arg;

    events->n_metered += n;
    for (unsigned i = 0; i < n; i++)
        verdicts[i] = events->verdict;
}

void op_ct_make_valid(uint8_t *op)
{
    static const size_t bools[] = {offsetof(struct op_ct, request.commit), offsetof(struct op_ct, request.force),
                                   offsetof(struct op_ct, request.set_label)};

    for (unsigned i = 0; i < RTE_DIM(bools); i++)
        op[bools[i]] &= 1;
    op[offsetof(struct op_ct, request.helper)] %= CT_HELPER_TFTP + 1;
}

void op_tunnel_push_make(struct op_tunnel_push *push, const uint8_t random[16])
{
    static const rte_be16_t types[] = {RTE_BE16(0x6558), RTE_BE16(0x6558), RTE_BE16(0x0800), RTE_BE16(0x86dd)};
    static const uint8_t mapped[16] = {[10] = 0xff, 0xff, 10, 0, 0, 1};
    struct tunnel_out out = {.type = random[0] % TUNNEL_N_TYPES,
                             .df = random[1] & 1,
                             .has_key = random[1] & 2,
                             .seq = random[1] & 4,
                             .gbp = random[1] & 8,
                             .gpe = random[1] & 16,
                             .oam = random[1] & 32,
                             .tos = random[2],
                             .ttl = random[3],
                             .udp_dst = RTE_BE16(4789),
                             .erspan_ver = random[4] % 3,
                             .erspan = random[5],
                             .eth_type = types[random[6] % RTE_DIM(types)],
                             .options = (const uint8_t[]){1, 2, 3, 1, 4, 5, 6, 7},
                             .options_len = random[7] & 1 ? 8 : 0,
                             .label = random[5] % 3};

    memcpy(out.src, mapped, sizeof mapped);
    memcpy(out.dst, mapped, sizeof mapped);
    memcpy(&out.key, random + 8, sizeof out.key);
    if (random[1] & 64)
        out.dst[0] = out.src[0] = 0xfd;
    out.csum = random[1] & 128 || out.dst[0] != 0; /* over IPv6 a packet without one is not right for other judges */
    if (!tunnel_header_write(&out, push)) {
        out.type = TUNNEL_GRE;
        tunnel_header_write(&out, push);
    }
    push->index = random[15];
    push->mtu = random[14] & 1 ? 100 : 0;
    push->too_big = random[14] & 2;
}

/* No tracker: what is found out follows from the packet's bytes and the request. */
static void event_ct(void *arg, const struct ct_request *request, struct rte_mbuf *const *m, unsigned n,
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

static void event_drop(void *arg, enum drop_reason reason, struct rte_mbuf *m)
{
    events_add(arg, EVENT_DROP, reason, m, 0);
}

void events_init(struct events *events, struct rte_mempool *pool)
{
    events->sink = (struct action_sink){.pool = pool,
                                        .arg = events,
                                        .output = event_output,
                                        .punt = event_punt,
                                        .recirc = event_recirc,
                                        .tunnel_pop = event_tunnel_pop,
                                        .meter = event_meter,
                                        .ct = event_ct,
                                        .drop = event_drop};
    events->n = events->n_metered = 0;
    events->verdict = 0;
}

void events_clear(struct events *events)
{
    for (unsigned i = 0; i < events->n; i++)
        rte_pktmbuf_free(events->list[i].m);
    events->n = events->n_metered = 0;
}
