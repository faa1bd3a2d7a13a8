/* Random packets of few connections, and requests, for ct_test.c; and what is to be said of a packet. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>

#include "tests/property/ct_world.h"

struct rte_mempool *pool;
struct model model;
struct ct_bed bed;

static uint32_t any32(void)
{
    return below(1u << 16) << 16 | below(1u << 16);
}

/* Mostly `about`, sometimes a little off, seldom far off; never half of all numbers away, where no rule says what is
 * before what. */
static uint32_t near(uint32_t about)
{
    switch (below(12)) {
    case 0:
        return about + below(3000) - 1500;
    case 1:
        return about + below(200000) - 100000;
    case 2:
        return about + (below(1u << 14) << 15) - (1u << 28);
    default:
        return about;
    }
}

static bool was_silent(const struct model_side *side)
{
    return side->next == 0 || !side->limited;
}

static void tcp_numbers(struct ct_spec *spec, uint16_t zone)
{
    static const uint8_t flags[] = {ACK,       ACK, ACK,       ACK | PSH, SYN, SYN | ACK,
                                    FIN | ACK, RST, RST | ACK, SYN | FIN, FIN, 0};
    const struct model_connection *c;
    int direction;

    spec->flags = flags[below(RTE_DIM(flags))];
    spec->window = one_in(4) ? below(65536) : 8000;
    if (one_in(3))
        spec->len = below(1400);
    if (spec->flags & SYN && !one_in(3))
        spec->scale = 1 + below(15);
    c = model_find(&model, zone, spec, &direction);
    if (!c) {
        spec->seq = any32();
        spec->ack = spec->flags & ACK ? any32() : 0;
        if (!one_in(4))
            spec->flags = SYN;
        return;
    }
    const struct model_side *from = &c->side[direction], *to = &c->side[!direction];

    /* Reset before both sides had sent: what is in the window is anybody's guess. */
    if (from->phase == 5 && (was_silent(from) || was_silent(to))) {
        spec->flags = SYN;
        spec->seq = any32();
        return;
    }
    /* As the two ends would do it, most of the time. */
    if (from->phase == 0 && !one_in(4))
        spec->flags = SYN | ACK;
    else if (from->phase <= 2 && to->phase <= 2 && !one_in(6))
        spec->flags = ACK;
    spec->seq =
        from->phase == 0 ? (from->limited ? near((uint32_t)from->limit - 100) : any32()) : near((uint32_t)from->next);
    const int64_t acked = to->phase == 0 && to->limited ? to->limit - 100 : to->next;
    spec->ack = spec->flags & ACK ? near((uint32_t)acked) : one_in(8) ? any32() : 0;
    if (spec->flags & RST && one_in(3))
        spec->ack = 0;
}

/* Addresses and ports of a connection, as either side has them. */
static bool ends_of_a_connection(struct ct_spec *spec)
{
    const struct model_connection *c;
    const struct ct_spec *ends;

    if (model.n == 0 || one_in(2))
        return false;
    c = &model.connections[below(model.n)];
    ends = one_in(2) ? &c->reply : &c->first;
    spec->ipv6 = ends->ipv6;
    spec->proto = spec_proto(ends);
    spec->src = ends->src;
    spec->dst = ends->dst;
    spec->sport = ends->sport;
    spec->dport = ends->dport;
    spec->icmp_type = ends->icmp_type;
    return true;
}

static void random_ends(struct ct_spec *spec)
{
    static const uint8_t protos[] = {IPPROTO_TCP,  IPPROTO_TCP,  IPPROTO_TCP, IPPROTO_UDP,
                                     IPPROTO_SCTP, IPPROTO_ICMP, 47};

    spec->ipv6 = one_in(3);
    spec->proto = protos[below(RTE_DIM(protos))];
    spec->src = 1 + below(3);
    spec->dst = 1 + below(3);
    switch (spec->proto) {
    case IPPROTO_ICMP:
        if (spec->ipv6)
            spec->proto = IPPROTO_ICMPV6;
        spec->sport = below(3);
        spec->icmp_type = spec->ipv6 ? 128 + below(2) : 8 * below(2);
        break;
    case 47:
        break;
    default:
        spec->sport = 1 + below(3);
        spec->dport = 1 + below(3);
    }
}

void random_spec(struct ct_spec *spec, uint16_t zone, bool error)
{
    memset(spec, 0, sizeof *spec);
    if (!ends_of_a_connection(spec))
        random_ends(spec);
    if (spec->proto == IPPROTO_TCP && !error)
        tcp_numbers(spec, zone);
    if (spec->proto == IPPROTO_SCTP) {
        static const uint8_t chunks[] = {0, 0, 0, 1, 2, 3, 6, 14};

        spec->chunk = chunks[below(RTE_DIM(chunks))];
        spec->chunk_flags = one_in(3);
        spec->tag = spec->chunk == 1 && !one_in(5) ? 0 : 1 + below(2);
        spec->init_tag = 1 + below(2);
    }
}

void random_request(struct model_request *to)
{
    struct ct_request *request = &to->base;

    memset(to, 0, sizeof *to);
    request->zone = (uint16_t)below(MODEL_ZONES);
    request->commit = one_in(2);
    if (one_in(2)) {
        static const uint8_t kinds[] = {0, CT_NAT_SRC, CT_NAT_SRC, CT_NAT_DST};

        request->nat = CT_NAT | kinds[below(RTE_DIM(kinds))];
    }
    if (request->nat & (CT_NAT_SRC | CT_NAT_DST)) {
        request->nat |= (one_in(4) ? CT_NAT_RANDOM : 0) | (one_in(4) ? CT_NAT_PERSISTENT : 0);
        if (!one_in(4)) {
            to->min_address = one_in(3) ? 1 + below(3) : 9;
            to->max_address = to->min_address + below(3);
        }
        if (one_in(2)) {
            request->nat |= CT_NAT_PORTS;
            to->min_port = (uint16_t)(1 + below(4));
            to->max_port = (uint16_t)(to->min_port + below(4));
        }
    }
    if (!request->commit)
        return;
    request->force = one_in(8);
    if (one_in(4)) {
        request->mark = any32();
        request->mark_mask = one_in(2) ? UINT32_MAX : any32();
        request->mark &= request->mark_mask;
    }
    if (one_in(8)) {
        request->set_label = true;
        request->label[below(16)] = (uint8_t)below(256);
        request->label_mask[below(16)] = 0xff;
    }
}

static void address_bytes(bool ipv6, uint32_t address, uint8_t bytes[16])
{
    if (address == 0)
        return;
    if (!ipv6) {
        put32(bytes, 0x0a000000 | address);
        return;
    }
    memcpy(bytes, "\x20\x01\x0d\xb8", 4);
    put32(bytes + 12, address);
}

struct ct_nat_request nat_request(const struct model_request *request, bool ipv6)
{
    struct ct_nat_request nat = {.request = request->base,
                                 .nat = {.min_port = request->min_port, .max_port = request->max_port}};

    address_bytes(ipv6, request->min_address, nat.nat.min_address);
    address_bytes(ipv6, request->max_address, nat.nat.max_address);
    return nat;
}

static bool is_icmp(const struct ct_spec *spec)
{
    return spec_proto(spec) == IPPROTO_ICMP || spec_proto(spec) == IPPROTO_ICMPV6;
}

struct ct_spec seen_ends(const struct ct_spec *spec, const struct rte_mbuf *m, uint32_t l4)
{
    const uint8_t *ip = rte_pktmbuf_mtod_offset(m, const uint8_t *, 14), *ports = ip - 14 + l4;
    struct ct_spec seen = {.ipv6 = spec->ipv6};

    seen.src = spec->ipv6 ? ip[23] : ip[15];
    seen.dst = spec->ipv6 ? ip[39] : ip[19];
    if (is_icmp(spec)) {
        seen.sport = (uint16_t)(ports[4] << 8 | ports[5]);
    } else {
        seen.sport = (uint16_t)(ports[0] << 8 | ports[1]);
        seen.dport = (uint16_t)(ports[2] << 8 | ports[3]);
    }
    return seen;
}

static void check_tuple(const struct ct_meta *meta, const struct ct_spec *first)
{
    assert_int_equal(meta->proto, spec_proto(first));
    assert_int_equal(meta->ipv6, first->ipv6);
    assert_int_equal((first->ipv6 ? meta->src6 : (const uint8_t *)&meta->src)[first->ipv6 ? 15 : 3], first->src);
    assert_int_equal((first->ipv6 ? meta->dst6 : (const uint8_t *)&meta->dst)[first->ipv6 ? 15 : 3], first->dst);
    if (spec_proto(first) != 47)
        assert_int_equal(rte_be_to_cpu_16(meta->tp_src), is_icmp(first) ? first->icmp_type : first->sport);
}

void check_meta(const struct ct_meta *meta, uint16_t zone, const struct model_connection *connection)
{
    assert_int_equal(meta->zone, zone);
    assert_int_equal(meta->mark, connection ? connection->mark : 0);
    if (!connection)
        return;
    assert_memory_equal(meta->label, connection->label, CT_LABEL_LEN);
    check_tuple(meta, &connection->first);
}
