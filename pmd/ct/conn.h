/* A connection in memory: a hot line that packets are compared with, a cold one, and for IPv6 a line of addresses.
 *
 * What packets change is in three words of the hot line, `state` and the two of `window`, each moved on by
 * compare-and-swap; most packets change none of them. A connection is made by one poll-mode thread, which publishes it
 * by setting CONN_CONFIRMED; any thread may set CONN_DEAD; from then on it is the control thread's.
 */
#ifndef PMD_CT_CONN_H
#define PMD_CT_CONN_H

#include <rte_byteorder.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Addresses and ports of a packet. IPv6: the addresses are in struct conn_v6; tuple[0].src is the number of that line.
 * ICMP: `sport` is the identifier, `dport` the type. */
struct ct_tuple {
    rte_be32_t src, dst;
    rte_be16_t sport, dport;
};

enum conn_direction { CONN_ORIG, CONN_REPLY };

struct conn {
    struct ct_tuple tuple[2]; /* as the packets of each direction have it when they come, before translation */
    uint16_t zone;
    uint8_t proto;
    uint8_t ipv6;
    uint32_t generation; /* of the zone; an older one is a flushed connection */
    uint64_t state;      /* below */
    uint64_t window[2];  /* TCP: see tcp.h; SCTP: the tag that each direction has to have, 0 = not known */
    uint32_t deadline;   /* seconds; past it the connection is none */
    uint32_t mark;
};
_Static_assert(sizeof(struct conn) == 64, "one line");
_Static_assert(offsetof(struct conn, state) % 8 == 0, "words are aligned");

struct conn_cold {
    uint64_t label[2];
    uint64_t hash[2];  /* of both tuples */
    uint32_t next;     /* in a list: of news, of those that are leaving, of free ones */
    uint32_t wheel_at; /* control thread: the second whose list in the wheel counts; free: the next batch */
    bool linked;       /* it was published: its entries are in the directory, ... */
    bool unlinked;     /* ... unless who ended it took them out */
    uint8_t icmp_code; /* of the first packet */
    uint8_t zero[5];
    union {
        uint64_t shift[2];      /* CONN_FTP: how far sequence numbers of each direction have moved (helper.c) */
        struct ct_tuple parent; /* CONN_RELATED: the first tuple of the connection that announced this one */
    };
};
_Static_assert(sizeof(struct conn_cold) == 64, "one line");

/* The addresses of an IPv6 connection's two tuples. While the line is free, its first two words have the meaning of
 * `next` and `wheel_at` above. */
struct conn_v6 {
    uint8_t address[2][2][16]; /* direction; source, destination */
};
_Static_assert(sizeof(struct conn_v6) == 64, "one line");

/* --- state --------------------------------------------------------------- */

/* Bits 0 to 3: what the first direction's sender did, 4 to 7 the other's (TCP), or 0 to 3 alone (protocols.h).
 * 8 to 12 and 13 to 17: window scale of each (tcp.h). 32 to 47 and 48 to 63: greatest window of each, in its scale. */
#define CONN_PEER_SHIFT(direction) (4 * (direction))
#define CONN_SCALE_SHIFT(direction) (8 + 5 * (direction))
#define CONN_WINDOW_SHIFT(direction) (32 + 16 * (direction))
#define CONN_CONFIRMED (UINT64_C(1) << 18)
#define CONN_DEAD (UINT64_C(1) << 19)
#define CONN_NEWS (UINT64_C(1) << 20)  /* it is in a list of news for the control thread */
#define CONN_LABEL (UINT64_C(1) << 21) /* its label may be other than 0 */
#define CONN_SNAT (UINT64_C(1) << 22)  /* translated: the source of the first direction's packets */
#define CONN_DNAT (UINT64_C(1) << 23)  /* their destination */
#define CONN_NAT (CONN_SNAT | CONN_DNAT)
#define CONN_FTP (UINT64_C(1) << 24) /* it has that helper */
#define CONN_TFTP (UINT64_C(1) << 25)
#define CONN_HELPER (CONN_FTP | CONN_TFTP)
#define CONN_RELATED                                                                                                   \
    (UINT64_C(1) << 26) /* another connection announced it; if it has a helper itself, that does nothing */
/* Bits of the state that do not belong to the protocol's state machine. */
#define CONN_FLAGS (CONN_CONFIRMED | CONN_DEAD | CONN_NEWS | CONN_LABEL | CONN_NAT | CONN_HELPER | CONN_RELATED)

static inline bool conn_state_is_alive(uint64_t state)
{
    return (state & (CONN_CONFIRMED | CONN_DEAD)) == CONN_CONFIRMED;
}

/* --- keys ---------------------------------------------------------------- */

/* What a packet looks for. The first 16 bytes are hashed as two words. */
struct conn_key {
    struct ct_tuple tuple; /* IPv6: addresses 0 */
    uint16_t zone;
    uint8_t proto;
    uint8_t ipv6;
    uint8_t address[2][16]; /* IPv6 only: source, destination */
} __attribute__((aligned(8)));
_Static_assert(sizeof(struct conn_key) == 48, "no padding");

#endif
