/* Connection tracking: which packets belong to which connection, and whether they fit its state.
 *
 * One tracker for all poll-mode threads. They look connections up and make them without locks (ct_run); the control
 * thread alone takes connections out, and frees them after a grace period (ct_work). Zones, limits, timeouts and dumps
 * are the control thread's. Nothing here blocks. Time is in whole seconds of a clock of the caller's choice that never
 * goes back, the same for all threads; a timeout of t seconds ends between t and t + 1 seconds after the last packet.
 *
 * A connection takes 128 bytes, an IPv6 one 192, and a share of 19 bytes in the directory that finds both its
 * directions; the directory has its size from the start, everything else grows with the connections.
 */
#ifndef PMD_CT_H
#define PMD_CT_H

#include <rte_byteorder.h>
#include <rte_mbuf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pmd/ct_timeouts.h"
#include "pmd/rcu.h"

struct ct;

#define CT_ZONES 65536
#define CT_LABEL_LEN 16
#define CT_LABEL_TEXT (2 + 2 * CT_LABEL_LEN + 1) /* bytes of a label as text, its end included */
#define CT_BURST 32                              /* packets that are worked on at once */

/* --- why a packet is invalid, or not tracked ----------------------------- */

/* X(symbol, "name", "what happened") */
#define CT_REASONS(X)                                                                                                  \
    X(CT_REASON_NONE, "none", "")                                                                                      \
    X(CT_REASON_NOT_IP, "not_ip", "neither IPv4 nor IPv6")                                                             \
    X(CT_REASON_FRAGMENT, "fragment", "a fragment, and dpctl/ipf-set-disabled was said, or it is none that can be")    \
    X(CT_REASON_FRAG_SMALL, "frag_small", "a fragment shorter than dpctl/ipf-set-min-frag allows")                     \
    X(CT_REASON_FRAG_OVERLAP, "frag_overlap", "a fragment that overlaps another one, or one of such a datagram")       \
    X(CT_REASON_FRAG_LIMIT, "frag_limit", "a fragment, and as many wait as may (dpctl/ipf-set-max-nfrags)")            \
    X(CT_REASON_SHORT, "short", "a header is cut short, or its length is wrong")                                       \
    X(CT_REASON_CHECKSUM, "checksum", "a checksum is wrong")                                                           \
    X(CT_REASON_ICMP_TYPE, "icmp_type", "a type of ICMP or ICMPv6 that neither begins nor answers anything")           \
    X(CT_REASON_NO_CONNECTION, "no_connection", "a packet that cannot begin a connection, and there is none")          \
    X(CT_REASON_UNRELATED, "unrelated", "an ICMP error about a packet of no connection")                               \
    X(CT_REASON_TCP_FLAGS, "tcp_flags", "TCP flags that do not go together")                                           \
    X(CT_REASON_TCP_WINDOW, "tcp_window", "a TCP sequence or acknowledgement number outside the window")               \
    X(CT_REASON_SCTP_TAG, "sctp_tag", "not the verification tag of the SCTP association")                              \
    X(CT_REASON_TABLE_FULL, "table_full", "not committed: there are as many connections as there may be")              \
    X(CT_REASON_ZONE_LIMIT, "zone_limit", "not committed: the zone has as many connections as it may have")            \
    X(CT_REASON_RACE, "race", "not committed: another thread was making the same connection")                          \
    X(CT_REASON_NAT_EXHAUSTED, "nat_exhausted",                                                                        \
      "not committed: of the addresses and ports to translate to, none was found that is free")

enum ct_reason {
#define X(symbol, name, doc) symbol,
    CT_REASONS(X)
#undef X
        CT_N_REASONS
};

/* What ct_run() says of a fragment that is not its caller's any more: */
#define CT_HELD 254  /* it waits for the rest of its datagram */
#define CT_WHOLE 255 /* the datagram is complete by it: ct_fragment_next() */
_Static_assert((int)CT_N_REASONS < CT_HELD, "they are no reasons");

const char *ct_reason_name(enum ct_reason reason);
const char *ct_reason_doc(enum ct_reason reason);

/* --- packets ------------------------------------------------------------- */

/* What tracking finds out about a packet. One cache line. */
struct ct_meta {
    uint8_t label[CT_LABEL_LEN]; /* as ct_label in struct flow_key */
    union {                      /* of the direction that began the connection */
        struct {
            uint8_t src6[16], dst6[16];
        };
        struct {
            rte_be32_t src, dst;
        };
    };
    rte_be16_t tp_src, tp_dst; /* the same direction's; ICMP: type and code */
    uint32_t mark;
    uint16_t zone;
    uint8_t state; /* CT_STATE_* of pmd/key.h */
    uint8_t proto;
    bool ipv6;
    uint8_t zero;
    rte_be16_t icmp_id; /* the same direction's */
};
_Static_assert(sizeof(struct ct_meta) == 64, "one line");

/* Who looks for what a connection says of others that are to come: these are CT_STATE_REL, have the other one's mark
 * and label at first, and are translated as that is if they are committed with CT_NAT. */
enum ct_helper { CT_HELPER_NONE, CT_HELPER_FTP, CT_HELPER_TFTP };

const char *ct_helper_name(enum ct_helper helper); /* "ftp"; CT_HELPER_NONE: NULL */

/* What a ct() action asks for. */
struct ct_request {
    uint16_t zone;
    bool commit;
    bool force; /* commit: a connection that the other side began is replaced */
    bool set_label;
    uint8_t nat;    /* CT_NAT_*; other than 0: this is the first member of a struct ct_nat_request */
    uint8_t helper; /* enum ct_helper: commit: that a new connection gets */
    uint8_t zero;
    uint32_t mark, mark_mask; /* mark_mask 0: stays as it is */
    uint8_t label[CT_LABEL_LEN], label_mask[CT_LABEL_LEN];
};
_Static_assert(sizeof(struct ct_request) == 48, "without padding: programs compare them as bytes");

/* Translation of addresses and ports. A connection that is committed with CT_NAT_SRC or CT_NAT_DST is a translated one.
 * Its packets, and ICMP errors about them, are rewritten by every request that has CT_NAT, once in a zone. */
#define CT_NAT 0x01
#define CT_NAT_SRC 0x02 /* one of these two at most */
#define CT_NAT_DST 0x04
#define CT_NAT_PORTS 0x08  /* to ports of the range; else, of the source, another port only where its own is taken */
#define CT_NAT_RANDOM 0x10 /* which port is tried first: any; else it follows from the connection's tuple */
#define CT_NAT_PERSISTENT                                                                                              \
    0x20                 /* which address is tried first follows from the packet's source alone, after a restart too */
#define CT_NAT_IPV6 0x40 /* the addresses are */

struct ct_nat {
    uint8_t min_address[16], max_address[16]; /* IPv4: the first 4 bytes. min_address of zeros: the address stays */
    uint16_t min_port, max_port;              /* host order */
    uint8_t zero[4];
};
struct ct_nat_request {
    struct ct_request request;
    struct ct_nat nat;
};
_Static_assert(sizeof(struct ct_nat_request) == 88, "without padding");

/* Poll-mode thread `thread`: tracks `n` packets, in order, and writes what is found to *metas[i], which is the ct of
 * packet_meta(). The headers of a packet have to be in its first segment; with request->nat that segment is changed.
 * Fragments are taken over, CT_HELD and CT_WHOLE, unless they are invalid. At most CT_BURST datagrams that are whole
 * wait for ct_fragment_next() at any time. reasons[i] is before: the ct_state
 * that *metas[i] says of the packet already, 0 if it is not tracked yet; after: CT_REASON_NONE, why the packet is
 * invalid, or why a connection was not committed though it was asked for; then the packet is CT_STATE_NEW and in no
 * connection. */
void ct_run(struct ct *ct, unsigned thread, uint32_t now, const struct ct_request *request,
            struct rte_mbuf *const *packets, unsigned n, struct ct_meta *const *metas, uint8_t *reasons);

/* Poll-mode thread: asks for the memory that ct_run() will need of `n` packets, packets[i] in zones[i]. For packets
 * that are not given to it as one burst, which does the same itself. */
void ct_prefetch(const struct ct *ct, const uint16_t *zones, struct rte_mbuf *const *packets, unsigned n);

/* The thread: gives the fragments of the datagram back that the packet `by` completed, one by one, in order, tracked as
 * one packet, or that packet itself (ct_set_send_whole()); to be called right behind ct_run() until it returns NULL.
 * *reason: as of a packet that is none. */
struct rte_mbuf *ct_fragment_next(struct ct *ct, unsigned thread, const struct rte_mbuf *by, uint8_t *reason);

/* Why a fragment ends that was held. */
enum ct_fragment_end {
    CT_FRAGMENT_LATE,       /* the rest of its datagram did not come in time */
    CT_FRAGMENT_OVERLAPPED, /* by another one */
    CT_FRAGMENT_EVICTED,    /* too many were held: it made way */
    CT_N_FRAGMENT_ENDS
};

/* The thread: gives fragments back that are to be dropped. NULL: there are none. To be called every few milliseconds,
 * and behind ct_run(). */
struct rte_mbuf *ct_fragment_ended(struct ct *ct, unsigned thread, uint32_t now, enum ct_fragment_end *end);

/* --- the tracker; control thread ----------------------------------------- */

#define CT_CONNECTIONS_MAX 50000000u

struct ct_params {
    uint32_t max_connections; /* 1 to CT_CONNECTIONS_MAX; the directory is made for so many */
    unsigned n_threads;       /* that call ct_run(); readers 0 .. n_threads - 1 of `rcu` */
    struct rcu *rcu;
    struct rte_mempool *pool; /* for copies of fragments whose data others have as well; NULL: these are invalid */
};

/* Reserves address space; memory comes with ct_work(). NULL: out of memory. */
struct ct *ct_create(const struct ct_params *params);
/* No thread is in ct_run(). */
void ct_destroy(struct ct *ct);

/* Whether ct_run() was ever called: before, there is nothing for ct_work() to do. */
bool ct_is_used(const struct ct *ct);

/* Takes out what has timed out, frees, prepares memory: until all is done or about `budget_us` are over. To be called
 * every few milliseconds, as new connections need memory and room that it prepares: 65536 of them find it ready. True:
 * there is more to do now. */
bool ct_work(struct ct *ct, uint32_t now, uint32_t budget_us);

/* At most so many connections, 1 to params.max_connections; those that exist stay. */
void ct_set_max(struct ct *ct, uint32_t max);
uint32_t ct_max(const struct ct *ct);
/* Connections, those included that are timed out or flushed but not taken out yet. */
uint32_t ct_count(const struct ct *ct);

/* Most connections that a zone may have; 0: as many as there is room for. A zone without a limit of its own has the
 * default (0 at first), each for itself. */
void ct_set_default_limit(struct ct *ct, uint32_t limit);
uint32_t ct_default_limit(const struct ct *ct);
void ct_set_zone_limit(struct ct *ct, uint16_t zone, uint32_t limit);
void ct_unset_zone_limit(struct ct *ct, uint16_t zone);
bool ct_zone_has_limit(const struct ct *ct, uint16_t zone); /* one of its own */
uint32_t ct_zone_limit(const struct ct *ct, uint16_t zone);
uint32_t ct_zone_count(const struct ct *ct, uint16_t zone);

/* Ends all connections of a zone, or of all zones: packets find none of them from now on. Takes the same time however
 * many there are; their memory comes back in slices. */
void ct_flush_zone(struct ct *ct, uint16_t zone);
void ct_flush_all(struct ct *ct);

/* Timeouts by enum ct_timeout, in seconds, 1 to CT_TIMEOUT_MAX. A zone may have some of its own: those that are 0 in
 * what it is given follow the default. Connections follow with their next packet. */
void ct_set_default_timeouts(struct ct *ct, const uint32_t seconds[CT_N_TIMEOUTS]);
void ct_default_timeouts(const struct ct *ct, uint32_t seconds[CT_N_TIMEOUTS]);
void ct_set_zone_timeouts(struct ct *ct, uint16_t zone, const uint32_t seconds[CT_N_TIMEOUTS]);

/* How often connections that timed out are taken out, in milliseconds, CT_SWEEP_DEFAULT at first; whole seconds count.
 * It decides when their memory is free again and when ct_count() leaves them out; no packet finds them before. */
#define CT_SWEEP_DEFAULT 1000
void ct_set_sweep_interval(struct ct *ct, uint32_t ms);
uint32_t ct_sweep_interval(const struct ct *ct);

/* Whether TCP segments have to be in the window (default: yes). */
void ct_set_tcp_window_check(struct ct *ct, bool check);
bool ct_tcp_window_check(const struct ct *ct);

/* Fragments of datagrams, which are reassembled for tracking. */
#define CT_FRAGMENTS_MOST 5000 /* that ct_set_fragments_max() takes */
#define CT_FRAGMENTS_DEFAULT 1000
#define CT_FRAGMENT_MIN_LEAST 400 /* that ct_set_fragment_min() takes */
#define CT_FRAGMENT_MIN_IPV4 1200
#define CT_FRAGMENT_MIN_IPV6 1280

void ct_set_fragments_enabled(struct ct *ct, bool ipv6, bool enabled);
/* Octets of an IP packet, header included, that a fragment has to have if it is not the last one. */
void ct_set_fragment_min(struct ct *ct, bool ipv6, uint32_t min);
/* How many may be held, of all threads; beyond it the oldest make way. */
void ct_set_fragments_max(struct ct *ct, uint32_t max);

/* Whether a datagram that is complete goes on as one packet, OFFLOAD_DATAGRAM of pmd/offload.h (default: no). It stays
 * in fragments if it is invalid, or if nothing could cut it as it was: IPv4 options, fragments that differ in their
 * type of service (RFC 3168, 5.3), more than OFFLOAD_CHAIN_MAX of them, headers longer than marks tell. */
void ct_set_send_whole(struct ct *ct, bool whole);

struct ct_fragments_info {
    uint32_t max, n; /* n: those held now */
    struct {
        bool enabled;
        uint32_t min;
        uint64_t accepted, completed, expired, small, overlapped, evicted;
        uint64_t joined; /* datagrams that went on as one packet */
    } ip[2];             /* IPv4, IPv6 */
};
void ct_fragments_info(const struct ct *ct, struct ct_fragments_info *info);

/* A datagram that is not complete. */
struct ct_datagram_info {
    uint8_t src[16], dst[16]; /* IPv4: the first 4 bytes */
    uint32_t id, recirc_id;
    uint16_t zone, n;
    uint8_t proto;
    bool ipv6, has_first, has_last;
};
/* As ct_next(). */
bool ct_next_datagram(const struct ct *ct, uint32_t *cursor, uint32_t most, struct ct_datagram_info *info);

struct ct_stats {
    uint64_t created, removed; /* connections, ever */
    uint64_t reasons[CT_N_REASONS];
    size_t memory; /* bytes that are backed, of address space that is reserved */
};
void ct_stats(const struct ct *ct, struct ct_stats *stats);

/* How many were made and ended a second, in the last `seconds`: about CT_RATE_SECONDS, more if nothing called ct_work()
 * or this meanwhile. 0 seconds: it is not known yet. */
#define CT_RATE_SECONDS 5
struct ct_rates {
    uint32_t seconds;
    double created, removed;
};
void ct_rates(struct ct *ct, uint32_t now, struct ct_rates *rates);
/* Connections that were made since the start. */
uint64_t ct_made(const struct ct *ct);

/* A connection as it is shown. Addresses are 16 bytes long, of which IPv4 uses the first 4. */
struct ct_tuple_info {
    uint8_t src[16], dst[16];
    rte_be16_t sport, dport; /* ICMP: the identifier in both */
    uint8_t icmp_type;
};

struct ct_info {
    uint32_t bucket; /* of the directory: where its first tuple belongs */
    uint16_t zone;
    uint8_t proto;
    bool ipv6;
    struct ct_tuple_info orig, reply; /* as the packets of each direction have it */
    uint32_t mark;
    uint8_t label[CT_LABEL_LEN];
    uint32_t left;         /* seconds until it times out */
    const char *tcp_state; /* of the side that is further; NULL: not TCP, nor are the next four */
    const char *tcp_states[2];
    uint8_t tcp_scale[2]; /* bits that a side's windows are shifted by */
    bool tcp_scaled[2];   /* its SYN had the option */
    bool tcp_late;        /* the connection was there before it was tracked */
    const char *helper;   /* NULL: none */
    bool has_parent;      /* another connection announced it, whose first tuple `parent` is */
    struct ct_tuple_info parent;
};

/* Goes through all connections: *cursor is 0 at first. Looks at `most` places, which is some 100 ns each, and returns
 * true when it found one, with *cursor behind it. False and *cursor not 0: there are more. False and *cursor 0: the
 * end. */
bool ct_next(const struct ct *ct, uint32_t now, uint32_t *cursor, uint32_t most, struct ct_info *info);

uint32_t ct_buckets(const struct ct *ct);

/* --- connections that outlive the process -------------------------------- */

/* A connection as another process of this version adopts it. Its first `len` bytes count. */
#define CT_RECORD_VERSION 1 /* of what is in it */
struct ct_record {
    uint16_t len; /* itself included, a multiple of 8 */
    uint16_t zero[3];
    uint64_t words[27];
};
#define CT_RECORD_MIN 96

/* As ct_next(). Whether packets change a connection meanwhile does not matter. */
bool ct_next_record(const struct ct *ct, uint32_t now, uint32_t *cursor, uint32_t most, struct ct_record *record);

enum ct_adoption {
    CT_ADOPTED,
    CT_ADOPT_OVER,  /* it has timed out since */
    CT_ADOPT_FULL,  /* no room, or its zone has as many as it may have */
    CT_ADOPT_TAKEN, /* there is one with its addresses and ports */
    CT_ADOPT_BAD,   /* it cannot be one */
    CT_N_ADOPTIONS
};

/* Makes the connection of a record that another tracker made, in this boot of the machine, whose clock is the same. No
 * thread is in ct_run(). Whatever the record's bytes are, the tracker stays whole. `exact`: no packet has passed since
 * it was made; else the next segment of each side of a TCP connection says where its window is. */
enum ct_adoption ct_adopt(struct ct *ct, uint32_t now, const struct ct_record *record, bool exact);

/* --- connections that are ended by what they are ------------------------- */

/* Selects connections by one direction's tuple; members that are 0 match anything. */
struct ct_tuple_match {
    uint8_t src[16], dst[16]; /* IPv4: the first 4 bytes */
    rte_be16_t sport, dport;  /* ICMP: the identifier in sport */
    uint8_t icmp_type, icmp_code;
};

struct ct_match {
    struct ct_tuple_match orig, reply;
    uint16_t zone;
    bool in_zone;       /* zone counts */
    uint8_t ip_version; /* 4 or 6; 0: any */
    uint8_t proto;      /* 0: any */
    uint8_t zero[3];
    uint32_t mark, mark_mask;
    uint8_t label[CT_LABEL_LEN], label_mask[CT_LABEL_LEN];
};

/* A tuple that is given whole (addresses, protocol, ports or identifier; `reply` not at all) is that of packets of
 * either direction, in zone 0 if none is given. */
bool ct_matches(const struct ct_match *match, const struct ct_info *info);

/* Ends the connections that match: at once, if it takes few milliseconds to look at all that there are, else in
 * ct_work(); one that begins while that goes on may be ended, too. */
void ct_flush_matching(struct ct *ct, uint32_t now, const struct ct_match *match);

#endif
