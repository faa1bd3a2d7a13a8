#include "pmd/ct/helper.h"

#include <netinet/in.h>
#include <rte_ip.h>

#include "pmd/checksum.h"
#include "pmd/ct/ftp.h"
#include "pmd/key_inline.h"
#include "pmd/offload.h"

#define PORT_TRIES 16

/* --- sequence numbers ---------------------------------------------------- */

/* How far the sequence numbers of one direction have moved, in one word so that threads change it at once. Behind `pos`
 * (as the sender counts) by `after`, up to it by `last` less. */
struct shift {
    uint32_t pos;
    int32_t after; /* 24 bits */
    int8_t last;
};

static struct shift shift_load(const struct conn_cold *cold, enum conn_direction direction)
{
    const uint64_t word = __atomic_load_n(&cold->shift[direction], __ATOMIC_RELAXED);

    return (struct shift){(uint32_t)word, (int32_t)(word >> 32) >> 8, (int8_t)(word >> 32)};
}

static int32_t shift_at(const struct shift *shift, uint32_t seq)
{
    return (int32_t)(seq - shift->pos) > 0 ? shift->after : shift->after - shift->last;
}

/* The acknowledgement of a segment of `direction`, as of what the other side has sent. */
static uint32_t shift_ack(const struct conn_cold *cold, enum conn_direction direction, uint32_t ack)
{
    const struct shift shift = shift_load(cold, !direction);

    return ack - (uint32_t)shift_at(&shift, ack - (uint32_t)(shift.after - shift.last));
}

void helper_settle(const struct ct *ct, uint32_t id, enum conn_direction direction, struct ct_packet *packet)
{
    const uint64_t state = __atomic_load_n(&ct->conns[id].state, __ATOMIC_RELAXED);

    if (!(state & CONN_RELATED) && packet->proto == IPPROTO_TCP)
        packet->tcp.ack = shift_ack(&ct->colds[id], direction, packet->tcp.ack);
}

/* Notes that sequence numbers behind `pos` are moved by `delta` more. */
static void shift_add(struct conn_cold *cold, enum conn_direction direction, uint32_t pos, int delta)
{
    uint64_t before = __atomic_load_n(&cold->shift[direction], __ATOMIC_RELAXED), word;

    do {
        const int32_t after = ((int32_t)(before >> 32) >> 8) + delta;

        if ((int8_t)(before >> 32) != 0 && (int32_t)(pos - (uint32_t)before) <= 0)
            return; /* it was sent again */
        word = (uint64_t)((uint32_t)after << 8 | (uint8_t)delta) << 32 | pos;
    } while (
        !__atomic_compare_exchange_n(&cold->shift[direction], &before, word, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
}

static void put_word32(uint8_t *p, uint32_t value, uint32_t *delta)
{
    const uint32_t word = rte_cpu_to_be_32(value);

    *delta += checksum_delta32(flow_key_load32(p), word);
    memcpy(p, &word, sizeof word);
}

/* Selective acknowledgements (RFC 2018, 3). Options may begin at odd places: `sum` is of the header as it was. */
static void shift_sacks(const struct conn_cold *cold, enum conn_direction direction, uint8_t *option, uint8_t *end)
{
    while (option < end && option[0] != 0) {
        if (option[0] == 1) {
            option++;
            continue;
        }
        if (option + 1 >= end || option[1] < 2 || option + option[1] > end)
            return;
        for (uint8_t *edge = option + 2; option[0] == 5 && edge + 4 <= option + option[1]; edge += 4) {
            const uint32_t ack = shift_ack(cold, direction, rte_be_to_cpu_32(flow_key_load32(edge)));
            const uint32_t word = rte_cpu_to_be_32(ack);

            memcpy(edge, &word, sizeof word);
        }
        option += option[1];
    }
}

/* `delta` is added to what is summed, unless the checksum is not made yet. */
static void tcp_fix_checksum(const struct rte_mbuf *m, uint8_t *tcp, uint32_t delta)
{
    const uint16_t checksum = checksum_update(flow_key_load16(tcp + 16), delta);

    if (!(m->ol_flags & OFFLOAD_CHECKSUM))
        memcpy(tcp + 16, &checksum, sizeof checksum);
}

static void tcp_shift(struct rte_mbuf *m, const struct conn_cold *cold, enum conn_direction direction,
                      const struct ct_packet *packet)
{
    uint8_t *tcp = rte_pktmbuf_mtod_offset(m, uint8_t *, packet->l4);
    const struct shift own = shift_load(cold, direction);
    const uint32_t header_len = (tcp[12] >> 4) * 4u;
    uint32_t delta = 0;

    if ((cold->shift[0] | cold->shift[1]) == 0)
        return;
    put_word32(tcp + 4, packet->tcp.seq + (uint32_t)shift_at(&own, packet->tcp.seq), &delta);
    if (packet->tcp.flags & TCP_ACK)
        put_word32(tcp + 8, packet->tcp.ack, &delta); /* helper_settle() */
    /* Octets at any place: the sum over all of them before and after. */
    delta += (uint16_t)~rte_raw_cksum(tcp + 20, header_len - 20);
    shift_sacks(cold, direction, tcp + 20, tcp + header_len);
    delta += rte_raw_cksum(tcp + 20, header_len - 20);
    tcp_fix_checksum(m, tcp, delta);
}

/* --- other data ---------------------------------------------------------- */

/* Whether the packet's data may be changed in length: there is one buffer, its own. */
static bool can_grow(const struct rte_mbuf *m, const struct ct_packet *packet, int by)
{
    return m->nb_segs == 1 && RTE_MBUF_DIRECT(m) && rte_mbuf_refcnt_read(m) == 1 && packet->end <= m->data_len &&
           !packet->routed && !(m->ol_flags & OFFLOAD_SEGMENT) && rte_pktmbuf_tailroom(m) >= 64 &&
           packet->end - packet->l3 + (uint32_t)by <= UINT16_MAX;
}

static void put_length(uint8_t *ip, bool ipv6, int by)
{
    uint8_t *field = ip + (ipv6 ? 4 : 2);
    const uint16_t before = flow_key_load16(field), len = rte_cpu_to_be_16((uint16_t)(rte_be_to_cpu_16(before) + by));
    uint16_t checksum;

    memcpy(field, &len, sizeof len);
    if (ipv6)
        return;
    checksum = checksum_update(flow_key_load16(ip + 10), checksum_delta16(before, len));
    memcpy(ip + 10, &checksum, sizeof checksum);
}

/* The sum over the pseudo-header. */
static uint32_t pseudo_sum(const uint8_t *ip, bool ipv6, uint32_t len)
{
    return rte_raw_cksum(ip + (ipv6 ? 8 : 12), ipv6 ? 32 : 8) + rte_cpu_to_be_16((uint16_t)len) +
           (uint32_t)rte_cpu_to_be_16(IPPROTO_TCP);
}

static void tcp_sum(const struct rte_mbuf *m, const uint8_t *ip, bool ipv6, uint8_t *tcp, uint32_t len)
{
    uint16_t sum = checksum_fold(pseudo_sum(ip, ipv6, len));

    if (!(m->ol_flags & OFFLOAD_CHECKSUM)) {
        memset(tcp + 16, 0, 2);
        sum = (uint16_t)~checksum_fold((uint32_t)sum + rte_raw_cksum(tcp, len));
    }
    memcpy(tcp + 16, &sum, sizeof sum);
}

/* Puts `text` in the place of `len` octets at `at`. */
static void replace(struct rte_mbuf *m, const struct ct_packet *packet, uint8_t *at, size_t len, const char *text,
                    size_t text_len)
{
    uint8_t *data = rte_pktmbuf_mtod(m, uint8_t *), *ip = data + packet->l3, *tcp = data + packet->l4;
    const uint32_t end = packet->end + (uint32_t)text_len - (uint32_t)len;

    memmove(at + text_len, at + len, (size_t)(data + packet->end - (at + len)));
    memcpy(at, text, text_len);
    m->data_len = (uint16_t)end; /* padding behind the IP packet goes */
    m->pkt_len = end;
    put_length(ip, packet->key.ipv6, (int)text_len - (int)len);
    tcp_sum(m, ip, packet->key.ipv6, tcp, end - packet->l4);
}

/* --- what is to come ----------------------------------------------------- */

static void key_of(const struct ct *ct, const struct conn *conn, enum conn_direction direction, struct conn_key *key)
{
    memset(key, 0, sizeof *key);
    key->tuple = conn->tuple[direction];
    key->zone = conn->zone;
    key->proto = conn->proto;
    key->ipv6 = conn->ipv6;
    if (conn->ipv6) {
        key->tuple.src = key->tuple.dst = 0;
        memcpy(key->address, ct->lines[conn->tuple[0].src].address[direction], sizeof key->address);
    }
}

/* Fills in `e` for a connection in the direction of `direction`'s packets, to `port`, which is `real` where it ends. */
static void expectation_of(const struct ct *ct, uint32_t id, enum conn_direction direction, uint16_t port,
                           uint16_t real, struct expectation *e)
{
    const struct conn *conn = &ct->conns[id];
    const uint64_t nat = __atomic_load_n(&conn->state, __ATOMIC_RELAXED) & CONN_NAT;
    struct conn_key other;

    key_of(ct, conn, direction, &e->key);
    key_of(ct, conn, !direction, &other);
    e->key.tuple.sport = 0;
    e->key.tuple.dport = rte_cpu_to_be_16(port);
    e->reply = other;
    e->reply.tuple.sport = rte_cpu_to_be_16(real);
    e->reply.tuple.dport = 0;
    e->parent = id;
    e->parent_hash = ct->colds[id].hash[0];
    e->flags = direction == CONN_ORIG || nat == 0 ? (uint32_t)nat : (uint32_t)(CONN_NAT & ~nat);
}

/* Expects it, at another port if another connection's has that; returns the port. */
static uint16_t expect(struct ct *ct, uint32_t now, uint32_t id, enum conn_direction direction, uint16_t port,
                       uint16_t real, bool may_move)
{
    struct expectation e, there;
    struct expect_ticket ticket;
    uint64_t hash;

    for (unsigned tries = 0;; tries++) {
        expectation_of(ct, id, direction, port, real, &e);
        hash = conn_key_hash(&e.key, ct->seed);
        if (!may_move || tries == PORT_TRIES || !expect_find(&ct->expect, &e.key, hash, now, &there, &ticket) ||
            (there.parent == id && there.parent_hash == e.parent_hash &&
             there.reply.tuple.sport == e.reply.tuple.sport))
            break;
        port = port == UINT16_MAX ? 1024 : port + 1;
    }
    expect_put(&ct->expect, &e, hash, now);
    return port;
}

/* --- FTP ----------------------------------------------------------------- */

/* Whether a side speaks of itself, as it is or as the other side sees it: else it would have the switch let others in
 * (RFC 2577, 3). */
static bool is_own_address(const struct ftp_address *said, const struct conn_key *own, const struct conn_key *other)
{
    if (said->form == FTP_PORT_ALONE)
        return true;
    if (said->ipv6 != own->ipv6)
        return false;
    if (own->ipv6)
        return memcmp(said->address, own->address[0], 16) == 0 || memcmp(said->address, other->address[1], 16) == 0;
    return memcmp(said->address, &own->tuple.src, 4) == 0 || memcmp(said->address, &other->tuple.dst, 4) == 0;
}

static void ftp_run(struct ct *ct, uint32_t now, uint32_t id, enum conn_direction direction,
                    const struct ct_packet *packet, struct rte_mbuf *m, bool translated)
{
    const uint32_t data = packet->end - packet->tcp.len;
    const struct conn *conn = &ct->conns[id];
    struct conn_key own, other;
    struct ftp_address said;
    char text[FTP_TEXT_MAX];
    uint16_t port;
    size_t len;

    if (translated)
        tcp_shift(m, &ct->colds[id], direction, packet);
    if (packet->tcp.len == 0 || packet->end > m->data_len ||
        !ftp_find(rte_pktmbuf_mtod_offset(m, const uint8_t *, data), packet->tcp.len, direction == CONN_REPLY, &said))
        return;
    key_of(ct, conn, direction, &own);
    key_of(ct, conn, !direction, &other);
    if (!is_own_address(&said, &own, &other))
        return;
    translated = translated && can_grow(m, packet, FTP_TEXT_MAX);
    /* The other side begins it. */
    port = expect(ct, now, id, !direction, said.port, said.port, translated);
    if (!translated)
        return;
    len = ftp_format(&said, own.ipv6 ? other.address[1] : (const uint8_t *)&other.tuple.dst, port, text);
    replace(m, packet, rte_pktmbuf_mtod_offset(m, uint8_t *, data + said.at), said.len, text, len);
    if (len != said.len)
        shift_add(&ct->colds[id], direction, packet->tcp.seq + said.at, (int)len - (int)said.len);
}

/* --- TFTP ---------------------------------------------------------------- */

#define TFTP_READ 1
#define TFTP_WRITE 2

/* The server answers from another port (RFC 1350, 4). */
static void tftp_run(struct ct *ct, uint32_t now, uint32_t id, enum conn_direction direction,
                     const struct ct_packet *packet, const struct rte_mbuf *m)
{
    const struct conn *conn = &ct->conns[id];
    const uint8_t *data = rte_pktmbuf_mtod_offset(m, const uint8_t *, packet->l4 + 8u);

    if (direction != CONN_ORIG || packet->end < packet->l4 + 10u || m->data_len < packet->l4 + 10u || data[0] != 0 ||
        (data[1] != TFTP_READ && data[1] != TFTP_WRITE))
        return;
    expect(ct, now, id, CONN_REPLY, rte_be_to_cpu_16(conn->tuple[CONN_REPLY].dport),
           rte_be_to_cpu_16(conn->tuple[CONN_ORIG].sport), false);
}

void helper_run(struct ct *ct, uint32_t now, uint32_t id, enum conn_direction direction, const struct ct_packet *packet,
                struct rte_mbuf *m, bool translated)
{
    if (packet->proto == IPPROTO_TCP)
        ftp_run(ct, now, id, direction, packet, m, translated);
    else if (packet->proto == IPPROTO_UDP)
        tftp_run(ct, now, id, direction, packet, m);
}
