/* Random packets of a small universe: whole ones, and some whose headers are cut short or lie. */
#include "tests/property/random_impl.h"

#include <netinet/in.h>
#include <string.h>

static void put(struct random_packet *p, const void *data, size_t n)
{
    memcpy(p->data + p->len, data, n);
    p->len += n;
}

static void put8(struct random_packet *p, unsigned v)
{
    p->data[p->len++] = (uint8_t)v;
}

static void put16(struct random_packet *p, unsigned v)
{
    put8(p, v >> 8);
    put8(p, v);
}

static void set16(struct random_packet *p, size_t at, size_t v)
{
    p->data[at] = (uint8_t)(v >> 8);
    p->data[at + 1] = (uint8_t)v;
}

static void put_ip6(struct random_packet *p)
{
    static const uint8_t all[][16] = {{0x20, 0x01, 0x0d, 0xb8, [15] = 1},
                                      {0x20, 0x01, 0x0d, 0xb8, [15] = 2},
                                      {0x20, 0x01, 0x0d, 0xb8, 0, 1, [15] = 1},
                                      {0xfe, 0x80, [15] = 1}};

    put(p, PICK(all), 16);
}

static const uint8_t protos[] = {IPPROTO_TCP, IPPROTO_TCP, IPPROTO_UDP, IPPROTO_UDP, IPPROTO_SCTP, IPPROTO_ICMP, 47};

static void put_l4(struct random_packet *p, uint8_t proto)
{
    static const uint8_t pad[12];

    switch (proto) {
    case IPPROTO_TCP:
        put16(p, PICK(l4_ports));
        put16(p, PICK(l4_ports));
        put(p, pad, 8);
        put16(p, 0x5000 | (random_one_in(3) ? 2 : 16));
        put(p, pad, 6);
        break;
    case IPPROTO_UDP:
        put16(p, PICK(l4_ports));
        put16(p, PICK(l4_ports));
        put16(p, 12);
        put16(p, random_one_in(4) ? 0 : 1);
        put(p, "abcd", 4);
        break;
    case IPPROTO_SCTP:
        put16(p, PICK(l4_ports));
        put16(p, PICK(l4_ports));
        put(p, pad, 8);
        put(p, "\0\3\0\4", 4);
        break;
    case IPPROTO_ICMP:
        put8(p, random_below(2) * 8);
        put8(p, 0);
        put(p, pad, 6);
        break;
    case IPPROTO_ICMPV6: {
        bool ns = random_one_in(2);

        put8(p, ns ? 135 : 136);
        put8(p, random_one_in(6) ? 1 : 0);
        put(p, pad, 6);
        put_ip6(p);
        if (random_one_in(2)) {
            put8(p, ns ? 1 : 2);
            put8(p, 1);
            put(p, PICK(macs), 6);
        }
        break;
    }
    default:
        put(p, pad, 8);
    }
}

static void put_ipv4(struct random_packet *p)
{
    size_t start = p->len;
    uint8_t proto = PICK(protos);
    unsigned frag = random_one_in(6) ? 1 + random_below(2) : 0;

    put8(p, 0x45);
    put8(p, PICK(tos));
    put16(p, 0);
    put16(p, 0);
    put16(p, frag == 0 ? 0x4000 : frag == 1 ? 0x2000 : 0x2003);
    put8(p, PICK(ttls));
    put8(p, proto);
    put16(p, 0);
    put(p, PICK(ips), 4);
    put(p, PICK(ips), 4);
    put_l4(p, proto);
    set16(p, start + 2, p->len - start);
}

static void put_ipv6(struct random_packet *p)
{
    uint8_t proto = PICK(protos);
    size_t start = p->len;
    bool fragment = random_one_in(8);

    if (proto == IPPROTO_ICMP)
        proto = IPPROTO_ICMPV6;
    put8(p, 0x60 | (PICK(tos) >> 4));
    put8(p, (unsigned)random_below(16) << 4);
    put16(p, random_below(2));
    put16(p, 0);
    put8(p, fragment ? IPPROTO_FRAGMENT : proto);
    put8(p, PICK(ttls));
    put_ip6(p);
    put_ip6(p);
    if (fragment) {
        put8(p, proto);
        put8(p, 0);
        put16(p, random_one_in(2) ? 1 : 0x11);
        put(p, "\0\0\0\1", 4);
    }
    put_l4(p, proto);
    set16(p, start + 4, p->len - start - 40);
}

static void put_arp(struct random_packet *p)
{
    put(p, "\0\1\x08\0\6\4", 6);
    put16(p, 1 + random_below(2));
    put(p, PICK(macs), 6);
    put(p, PICK(ips), 4);
    put(p, PICK(macs), 6);
    put(p, PICK(ips), 4);
}

static void put_mpls(struct random_packet *p)
{
    unsigned n = 1 + random_below(3);

    for (unsigned i = 0; i < n; i++) {
        put16(p, 0);
        put8(p, random_below(3) << 4 | (i + 1 == n));
        put8(p, PICK(ttls));
    }
    put_ipv4(p);
}

static void put_frame(struct random_packet *p, unsigned n_tags, bool hidden);

static void put_nsh(struct random_packet *p)
{
    bool context = random_one_in(2), frame = random_one_in(2);

    put16(p, random_below(2) << 13 | (PICK(ttls) & 63) << 6 | (context ? 6 : 2));
    put8(p, context ? 1 : 2);
    put8(p, frame ? 3 : 1);
    put16(p, 0);
    put8(p, random_below(3));
    put8(p, 255);
    for (unsigned i = 0; context && i < 4; i++) {
        put16(p, 0);
        put16(p, random_below(4));
    }
    if (frame)
        put_frame(p, 0, true);
    else
        put_ipv4(p);
}

static void put_frame(struct random_packet *p, unsigned n_tags, bool hidden)
{
    put(p, PICK(macs), 6);
    put(p, PICK(macs), 6);
    for (unsigned i = 0; i < n_tags; i++) {
        put16(p, i + 1 < n_tags && random_one_in(2) ? 0x88a8 : 0x8100);
        put16(p, random_below(8) << 13 | PICK(vids));
    }
    switch (random_below(hidden ? 11 : 12)) {
    case 0:
        put16(p, 0x0806);
        put_arp(p);
        break;
    case 1:
        put16(p, 0x8847);
        put_mpls(p);
        break;
    case 2:
        put16(p, 0x88b5);
        put(p, "payload", 7);
        break;
    case 3:
    case 4:
    case 5:
        put16(p, 0x86dd);
        put_ipv6(p);
        break;
    case 10:
        put16(p, 0x894f);
        put_nsh(p);
        break;
    case 11:
        put16(p, 0x88e7);
        put16(p, random_one_in(2) ? 0 : 0xa800);
        put16(p, random_below(3));
        put_frame(p, random_below(3), random_one_in(2));
        break;
    default:
        put16(p, 0x0800);
        put_ipv4(p);
    }
}

void random_packet(struct random_packet *p)
{
    p->len = 0;
    p->n_tags = random_one_in(2) ? 0 : random_one_in(4) ? 2 + random_one_in(4) : 1;
    p->whole = true;
    do {
        p->len = 0;
        put_frame(p, p->n_tags, false);
    } while (p->len > 220);
    if (random_one_in(10)) {
        p->len = 14 + random_below((uint32_t)p->len - 13);
        p->whole = false;
    }
}
