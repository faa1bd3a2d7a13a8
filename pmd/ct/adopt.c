/* Connections as records of bytes, and connections out of these. Control thread. */
#include <netinet/in.h>

#include "pmd/ct/expire.h"
#include "pmd/ct/extract.h"
#include "pmd/ct/protocols.h"
#include "pmd/ct/tcp.h"
#include "pmd/ct/tracker_impl.h"

/* What a struct ct_record is. */
struct record {
    uint16_t len;
    uint16_t zone;
    uint8_t proto, ipv6, icmp_code;
    bool has_parent; /* CONN_RELATED, IPv6: the line of the connection that announced it is the second one */
    struct ct_tuple tuple[2];
    uint32_t deadline, mark;
    uint64_t state, window[2], label[2];
    union {
        uint64_t shift[2];
        struct ct_tuple parent;
    };
    struct conn_v6 lines[2]; /* IPv6: the first one */
};
_Static_assert(sizeof(struct record) <= sizeof(struct ct_record), "it has room");
_Static_assert(offsetof(struct record, lines) == CT_RECORD_MIN, "without padding");

static uint16_t length_of(const struct record *record)
{
    return (uint16_t)(offsetof(struct record, lines) + record->ipv6 * sizeof(struct conn_v6) +
                      record->has_parent * sizeof(struct conn_v6));
}

/* --- writing ------------------------------------------------------------- */

static void record_fill(const struct ct *ct, uint32_t id, struct record *record)
{
    const struct conn *conn = &ct->conns[id];
    const struct conn_cold *cold = &ct->colds[id];

    memset(record, 0, sizeof *record);
    record->zone = conn->zone;
    record->proto = conn->proto;
    record->ipv6 = conn->ipv6;
    record->icmp_code = cold->icmp_code;
    memcpy(record->tuple, conn->tuple, sizeof record->tuple);
    record->deadline = __atomic_load_n(&conn->deadline, __ATOMIC_RELAXED);
    record->mark = __atomic_load_n(&conn->mark, __ATOMIC_RELAXED);
    record->state = __atomic_load_n(&conn->state, __ATOMIC_RELAXED);
    for (unsigned i = 0; i < 2; i++) {
        record->window[i] = __atomic_load_n(&conn->window[i], __ATOMIC_RELAXED);
        record->label[i] = __atomic_load_n(&cold->label[i], __ATOMIC_RELAXED);
    }
    memcpy(record->shift, cold->shift, sizeof record->shift);
    if (conn->ipv6) {
        record->lines[0] = ct->lines[conn->tuple[0].src];
        record->has_parent = record->state & CONN_RELATED && cold->parent.src != 0;
        if (record->has_parent)
            record->lines[1] = ct->lines[cold->parent.src];
    }
    record->len = length_of(record);
}

bool ct_next_record(const struct ct *ct, uint32_t now, uint32_t *cursor, uint32_t most, struct ct_record *record)
{
    struct record filled;

    if (!conn_next(ct, now, cursor, most))
        return false;
    record_fill(ct, *cursor, &filled);
    memcpy(record, &filled, sizeof filled);
    return true;
}

/* --- reading ------------------------------------------------------------- */

static bool state_is_good(const struct record *record)
{
    const bool tcp = record->proto == IPPROTO_TCP;
    const uint64_t state = record->state;

    if ((state & (CONN_CONFIRMED | CONN_DEAD)) != CONN_CONFIRMED || (state & CONN_NAT) == CONN_NAT ||
        (state & CONN_FTP && !tcp) || (state & CONN_TFTP && record->proto != IPPROTO_UDP))
        return false;
    if (!tcp)
        return (state & ~CONN_FLAGS) <= PLAIN_CLOSED;
    for (unsigned d = 0; d < 2; d++) {
        const uint8_t scale = state >> CONN_SCALE_SHIFT(d) & 0x1f;

        if ((state >> CONN_PEER_SHIFT(d) & 0xf) > TCP_PEER_RESET ||
            (scale > TCP_SCALE_MAX && scale != TCP_SCALE_NONE && scale != TCP_SCALE_UNKNOWN))
            return false;
    }
    return true;
}

static bool is_good(const struct ct_record *bytes, struct record *record)
{
    memcpy(record, bytes, sizeof *record);
    /* A bool that is neither must not be read as one. */
    return ((const uint8_t *)record)[offsetof(struct record, has_parent)] <= 1 && record->ipv6 <= 1 &&
           (!record->has_parent || record->ipv6) && record->len == length_of(record) && state_is_good(record);
}

static struct conn_key key_of(const struct record *record, enum conn_direction direction)
{
    struct conn_key key = {
        .tuple = record->tuple[direction], .zone = record->zone, .proto = record->proto, .ipv6 = record->ipv6};

    if (record->ipv6) {
        key.tuple.src = key.tuple.dst = 0;
        memcpy(key.address, record->lines[0].address[direction], sizeof key.address);
    }
    return key;
}

static bool is_taken(const struct ct *ct, const struct conn_key *key, uint64_t hash)
{
    uint32_t entry;

    for (struct directory_walk walk = walk_begin(&ct->directory, hash); walk_next(&walk, &entry);) {
        if (conn_matches(ct, &ct->conns[ENTRY_ID(entry)], ENTRY_DIRECTION(entry), key))
            return true;
    }
    return false;
}

/* Packets have passed since: nothing is known of where each side is. */
static void forget_windows(struct record *record)
{
    struct tcp_connection tcp;

    tcp_load(&tcp, record->state, record->window);
    for (unsigned d = 0; d < 2; d++) {
        if (tcp.side[d].peer > TCP_PEER_ESTABLISHED)
            return;
    }
    for (unsigned d = 0; d < 2; d++) {
        tcp.side[d].peer = TCP_PEER_SILENT;
        tcp.side[d].next = tcp.side[d].limit = 0;
    }
    tcp_store(&tcp, &record->state, record->window);
}

/* Numbers of the connection and of its lines. False: there are none. */
static bool take_numbers(struct ct *ct, const struct record *record, uint32_t *id, uint32_t lines[2])
{
    struct ct_thread *thread = &ct->threads[0];
    const unsigned n = record->ipv6 + record->has_parent;

    lines[0] = lines[1] = 0;
    *id = pool_take(&ct->conn_pool, &thread->conns);
    for (unsigned i = 0; *id != 0 && i < n; i++)
        lines[i] = pool_take(&ct->line_pool, &thread->lines);
    if (*id != 0 && (n < 1 || lines[0] != 0) && (n < 2 || lines[1] != 0))
        return true;
    if (*id != 0)
        pool_untake(&ct->conn_pool, &thread->conns, *id);
    if (lines[0] != 0)
        pool_untake(&ct->line_pool, &thread->lines, lines[0]);
    return false;
}

static void fill(struct ct *ct, uint32_t id, const uint32_t lines[2], uint32_t generation, const uint64_t hash[2],
                 const struct record *record)
{
    struct conn *conn = &ct->conns[id];
    struct conn_cold *cold = &ct->colds[id];

    *conn = (struct conn){.zone = record->zone,
                          .proto = record->proto,
                          .ipv6 = record->ipv6,
                          .generation = generation,
                          .state = record->state & ~CONN_NEWS,
                          .window = {record->window[0], record->window[1]},
                          .deadline = record->deadline,
                          .mark = record->mark};
    memcpy(conn->tuple, record->tuple, sizeof conn->tuple);
    *cold = (struct conn_cold){.label = {record->label[0], record->label[1]},
                               .hash = {hash[0], hash[1]},
                               .linked = true,
                               .icmp_code = record->icmp_code};
    memcpy(cold->shift, record->shift, sizeof cold->shift);
    if (!record->ipv6)
        return;
    conn->tuple[0].src = lines[0];
    ct->lines[lines[0]] = record->lines[0];
    if (record->state & CONN_RELATED)
        cold->parent.src = lines[1];
    if (record->has_parent)
        ct->lines[lines[1]] = record->lines[1];
}

static bool make(struct ct *ct, uint32_t now, const struct record *record, const uint64_t hash[2], bool one)
{
    uint32_t id, lines[2], generation;

    if (conn_count_up(ct, record->zone, &generation) != CT_REASON_NONE)
        return false;
    if (!take_numbers(ct, record, &id, lines)) {
        conn_count_down(ct, record->zone, generation);
        return false;
    }
    fill(ct, id, lines, generation, hash, record);
    expire_begin(ct, id, now);
    if (directory_insert(&ct->directory, hash[0], id << 1 | CONN_ORIG) &&
        (one || directory_insert(&ct->directory, hash[1], id << 1 | CONN_REPLY))) {
        ct->threads[0].created++;
        ct->used = true;
        return true;
    }
    expire_end(ct, id); /* takes out what is there of it */
    return false;
}

enum ct_adoption ct_adopt(struct ct *ct, uint32_t now, const struct ct_record *bytes, bool exact)
{
    struct record record;

    if (!is_good(bytes, &record) || (!deadline_is_over(record.deadline, now) && record.deadline - now > CT_TIMEOUT_MAX))
        return CT_ADOPT_BAD;
    if (deadline_is_over(record.deadline, now))
        return CT_ADOPT_OVER;
    if (!exact && record.proto == IPPROTO_TCP)
        forget_windows(&record);
    const struct conn_key key = key_of(&record, CONN_ORIG), reply = key_of(&record, CONN_REPLY);
    const uint64_t hash[2] = {conn_key_hash(&key, ct->seed), conn_key_hash(&reply, ct->seed)};

    if (is_taken(ct, &key, hash[0]) || is_taken(ct, &reply, hash[1]))
        return CT_ADOPT_TAKEN;
    return make(ct, now, &record, hash, memcmp(&key, &reply, sizeof key) == 0) ? CT_ADOPTED : CT_ADOPT_FULL;
}
