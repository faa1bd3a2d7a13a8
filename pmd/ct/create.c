/* Making connections: of packets that begin one, translated ones, and those that a helper announced.
 *
 * Several threads may make the same connection at once. Each links its own, then looks for another's; one of them
 * yields.
 */
#include <netinet/in.h>
#include <rte_pause.h>
#include <rte_random.h>

#include "pmd/ct/nat.h"
#include "pmd/ct/track_impl.h"

/* Another thread that makes the same connection is a few instructions from deciding, unless it lost its core. */
#define RIVAL_PAUSES 1000
/* Threads that translate to the same tuple at once: those that yield look for another so often. */
#define NAT_TRIES 8

bool conn_may_begin(const struct ct_packet *packet)
{
    switch (packet->key.proto) {
    case IPPROTO_TCP:
        return tcp_may_begin(&packet->tcp);
    case IPPROTO_ICMP:
        return packet->key.tuple.dport == 8 || packet->key.tuple.dport == 13 || packet->key.tuple.dport == 15;
    case IPPROTO_ICMPV6:
        return packet->key.tuple.dport == 128;
    default:
        return true;
    }
}

/* A number for the connection and, of IPv6, one for its line. 0: there is none. The lines of the next one's number are
 * on their way by then. */
static uint32_t take_numbers(const struct work *work, bool ipv6, uint32_t *line)
{
    struct ct *ct = work->ct;
    const uint32_t id = pool_take(&ct->conn_pool, &work->thread->conns), next = work->thread->conns.head;

    rte_prefetch0_write(&ct->conns[next]);
    rte_prefetch0_write(&ct->colds[next]);
    *line = 0;
    if (id == 0 || !ipv6)
        return id;
    *line = pool_take(&ct->line_pool, &work->thread->lines);
    if (*line != 0)
        return id;
    pool_untake(&ct->conn_pool, &work->thread->conns, id);
    return 0;
}

/* The state's flags that a request asks for. */
static uint64_t flags_of(const struct ct_request *request, uint8_t proto)
{
    uint64_t flags = request->nat & CT_NAT_SRC ? CONN_SNAT : request->nat & CT_NAT_DST ? CONN_DNAT : 0;

    if (unlikely(request->helper == CT_HELPER_FTP) && proto == IPPROTO_TCP)
        flags |= CONN_FTP;
    if (unlikely(request->helper == CT_HELPER_TFTP) && proto == IPPROTO_UDP)
        flags |= CONN_TFTP;
    return flags;
}

static void fill(const struct work *work, uint32_t id, uint32_t line, uint32_t generation,
                 const struct ct_packet *packet, const struct conn_key *reverse, const uint64_t hash[2], uint64_t flags)
{
    struct ct *ct = work->ct;
    struct conn *conn = &ct->conns[id];
    uint64_t state = flags, window[2] = {0, 0};
    enum ct_timeout timeout;

    if (packet->key.proto == IPPROTO_TCP) {
        struct tcp_connection tcp;

        tcp_begin(&tcp, &packet->tcp);
        tcp_store(&tcp, &state, window);
        timeout = tcp_timeout(&tcp);
    } else {
        if (packet->key.proto == IPPROTO_SCTP)
            sctp_update(window, CONN_ORIG, &packet->sctp);
        timeout = plain_timeout(packet->key.proto, PLAIN_FIRST);
    }
    __atomic_store_n(&conn->state, state, __ATOMIC_RELAXED); /* not confirmed: nobody finds it */
    conn->tuple[0] = packet->key.tuple;
    conn->tuple[1] = reverse->tuple;
    if (packet->key.ipv6) {
        conn->tuple[0].src = line;
        memcpy(ct->lines[line].address[0], packet->key.address, sizeof packet->key.address);
        memcpy(ct->lines[line].address[1], reverse->address, sizeof reverse->address);
    }
    conn->zone = packet->key.zone;
    conn->proto = packet->key.proto;
    conn->ipv6 = packet->key.ipv6;
    conn->generation = generation;
    conn->window[0] = window[0];
    conn->window[1] = window[1];
    conn->mark = 0;
    conn->deadline = work->now + __atomic_load_n(&work->timeouts[timeout], __ATOMIC_RELAXED);
    ct->colds[id] = (struct conn_cold){.hash = {hash[0], hash[1]}, .icmp_code = packet->icmp_code};
}

/* Gives an announced connection what it takes from the one that announced it. If there is no room for the IPv6
 * addresses of the latter, it shows zeros. */
static __rte_noinline void fill_related(const struct work *work, uint32_t id, const struct expectation *expected)
{
    struct ct *ct = work->ct;
    const struct conn *parent = &ct->conns[expected->parent];
    const struct conn_cold *parent_cold = &ct->colds[expected->parent];
    struct conn_cold *cold = &ct->colds[id];
    struct conn *conn = &ct->conns[id];

    cold->parent = parent->tuple[0];
    if (conn->ipv6) {
        cold->parent.src = pool_take(&ct->line_pool, &work->thread->lines);
        if (cold->parent.src != 0)
            ct->lines[cold->parent.src] = ct->lines[parent->tuple[0].src];
    }
    conn->mark = __atomic_load_n(&parent->mark, __ATOMIC_RELAXED);
    if (!(__atomic_load_n(&parent->state, __ATOMIC_ACQUIRE) & CONN_LABEL))
        return;
    for (unsigned i = 0; i < 2; i++)
        cold->label[i] = __atomic_load_n(&parent_cold->label[i], __ATOMIC_RELAXED);
    __atomic_or_fetch(&conn->state, CONN_LABEL, __ATOMIC_RELAXED);
}

static bool tuples_are_one(const struct conn_key *key, const struct conn_key *reverse)
{
    return memcmp(key, reverse, sizeof *key) == 0;
}

static bool link_entries(struct ct *ct, uint32_t id, const uint64_t hash[2], bool one)
{
    if (!directory_insert(&ct->directory, hash[0], id << 1 | CONN_ORIG))
        return false;
    if (one || directory_insert(&ct->directory, hash[1], id << 1 | CONN_REPLY))
        return true;
    directory_remove(&ct->directory, hash[0], id << 1 | CONN_ORIG);
    return false;
}

/* Whether another connection has this tuple, or will have it before we do. Two threads that make the same one see at
 * least one the other's entry, because each looks after it has made its own; the one with the higher number yields. */
static bool loses_to_rival(const struct work *work, uint32_t id, const struct conn_key *key, uint64_t hash)
{
    const struct ct *ct = work->ct;
    uint32_t entry;

    for (struct directory_walk walk = walk_begin(&ct->directory, hash); walk_next(&walk, &entry);) {
        const uint32_t rival = ENTRY_ID(entry);
        const struct conn *conn = &ct->conns[rival];

        if (rival == id || !conn_matches(ct, conn, ENTRY_DIRECTION(entry), key) ||
            conn->generation != ct->conns[id].generation || conn_is_over(conn, work->now))
            continue;
        for (unsigned pauses = 0;; pauses++) {
            const uint64_t state = __atomic_load_n(&conn->state, __ATOMIC_ACQUIRE);

            if (state & CONN_DEAD)
                break;
            if (state & CONN_CONFIRMED || id > rival || pauses == RIVAL_PAUSES)
                return true;
            rte_pause();
        }
    }
    return false;
}

/* Makes a connection of `packet`, whose replies have the tuple `reply`; `expected`: it was, or NULL. *id is its number,
 * or 0 for the reason that is returned. CT_REASON_NAT_EXHAUSTED: another thread makes one with the same replies. */
static enum ct_reason create_as(const struct work *work, const struct ct_packet *packet, const struct conn_key *reply,
                                uint64_t reply_hash, uint64_t flags, const struct expectation *expected, uint32_t *id)
{
    struct ct *ct = work->ct;
    const uint64_t hash[2] = {packet->hash, reply_hash};
    const bool one = tuples_are_one(&packet->key, reply);
    uint32_t line, generation;
    enum ct_reason reason = conn_count_up(ct, packet->key.zone, &generation);

    *id = 0;
    if (reason != CT_REASON_NONE)
        return reason;
    const uint32_t new = take_numbers(work, packet->key.ipv6, &line);
    if (new == 0) {
        conn_count_down(ct, packet->key.zone, generation);
        return CT_REASON_TABLE_FULL;
    }
    fill(work, new, line, generation, packet, reply, hash, flags);
    if (unlikely(expected))
        fill_related(work, new, expected);
    if (!link_entries(ct, new, hash, one)) {
        conn_kill(work, new);
        return CT_REASON_TABLE_FULL;
    }
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (loses_to_rival(work, new, &packet->key, hash[0]))
        reason = CT_REASON_RACE;
    else if (loses_to_rival(work, new, reply, hash[1]))
        reason = CT_REASON_NAT_EXHAUSTED;
    if (reason != CT_REASON_NONE) {
        directory_remove(&ct->directory, hash[0], new << 1 | CONN_ORIG);
        if (!one)
            directory_remove(&ct->directory, hash[1], new << 1 | CONN_REPLY);
        conn_kill(work, new);
        return reason;
    }
    ct->colds[new].linked = true;
    /* Nobody else has changed it: it could not be found. */
    __atomic_store_n(&ct->conns[new].state,
                     __atomic_load_n(&ct->conns[new].state, __ATOMIC_RELAXED) | CONN_CONFIRMED | CONN_NEWS,
                     __ATOMIC_RELEASE);
    news_push(work, new);
    CT_COUNT(work->thread->created);
    *id = new;
    return CT_REASON_NONE;
}

/* Whether a connection has the tuple, or one that is being made. */
static bool is_taken(const struct work *work, const struct conn_key *key, uint64_t hash)
{
    const struct ct *ct = work->ct;
    uint32_t entry;

    for (struct directory_walk walk = walk_begin(&ct->directory, hash); walk_next(&walk, &entry);) {
        const struct conn *conn = &ct->conns[ENTRY_ID(entry)];

        if (conn_matches(ct, conn, ENTRY_DIRECTION(entry), key) && conn->generation == work->generation &&
            !(__atomic_load_n(&conn->state, __ATOMIC_ACQUIRE) & CONN_DEAD) && !conn_is_over(conn, work->now))
            return true;
    }
    return false;
}

static __rte_noinline enum ct_reason create_translated(const struct work *work, const struct ct_packet *packet,
                                                       uint32_t *id)
{
    const struct ct_nat_request *request = (const struct ct_nat_request *)work->request;
    enum ct_reason reason = CT_REASON_NAT_EXHAUSTED;
    struct nat_search search;
    struct conn_key reply;
    unsigned tries = 0;

    *id = 0;
    conn_key_reverse(&packet->key, &reply);
    nat_search_begin(&search, request, &packet->key, work->ct->seed, rte_rand());
    while (reason == CT_REASON_NAT_EXHAUSTED && tries < NAT_TRIES && nat_search_next(&search, &reply)) {
        const uint64_t hash = conn_key_hash(&reply, work->ct->seed);

        if (is_taken(work, &reply, hash))
            continue;
        reason = create_as(work, packet, &reply, hash, flags_of(&request->request, packet->key.proto), NULL, id);
        tries++;
    }
    return reason;
}

enum ct_reason conn_create(const struct work *work, const struct ct_packet *packet, uint32_t *id)
{
    struct conn_key reply;
    enum ct_reason reason;

    if (unlikely(work->request->nat & (CT_NAT_SRC | CT_NAT_DST)))
        return create_translated(work, packet, id);
    conn_key_reverse(&packet->key, &reply);
    reason = create_as(work, packet, &reply, conn_key_hash(&reply, work->ct->seed),
                       flags_of(work->request, packet->key.proto), NULL, id);
    return reason == CT_REASON_NAT_EXHAUSTED ? CT_REASON_RACE : reason;
}

/* --- connections that were announced ------------------------------------- */

bool conn_look_for_expectation(const struct work *work, const struct ct_packet *packet, struct expectation *expected,
                               struct expect_ticket *ticket)
{
    const struct ct *ct = work->ct;
    struct conn_key key = packet->key;
    const struct conn *parent;

    key.tuple.sport = 0;
    if (!expect_find(&ct->expect, &key, conn_key_hash(&key, ct->seed), work->now, expected, ticket))
        return false;
    parent = &ct->conns[expected->parent];
    return conn_state_is_alive(__atomic_load_n(&parent->state, __ATOMIC_ACQUIRE)) &&
           ct->colds[expected->parent].hash[0] == expected->parent_hash && parent->generation == work->generation &&
           !conn_is_over(parent, work->now);
}

/* Another source port, if its own is another connection's. */
static bool next_reply(const struct work *work, struct conn_key *reply, uint64_t *hash, unsigned *tries)
{
    for (; (*tries)++ < NAT_PROBES; reply->tuple.dport = rte_cpu_to_be_16((uint16_t)(1024 + rte_rand_max(64512)))) {
        *hash = conn_key_hash(reply, work->ct->seed);
        if (!is_taken(work, reply, *hash))
            return true;
    }
    return false;
}

enum ct_reason conn_create_expected(const struct work *work, const struct ct_packet *packet,
                                    const struct expectation *expected, struct expect_ticket ticket, uint32_t *id)
{
    const uint64_t nat = work->request->nat ? expected->flags : 0;
    const uint64_t flags = CONN_RELATED | (flags_of(work->request, packet->key.proto) & CONN_HELPER);
    enum ct_reason reason = CT_REASON_NAT_EXHAUSTED;
    struct conn_key reply = expected->reply;
    unsigned tries = 0;
    uint64_t hash;

    *id = 0;
    reply.tuple.dport = packet->key.tuple.sport;
    if (nat == 0) {
        conn_key_reverse(&packet->key, &reply);
        reason = create_as(work, packet, &reply, conn_key_hash(&reply, work->ct->seed), flags, expected, id);
        reason = reason == CT_REASON_NAT_EXHAUSTED ? CT_REASON_RACE : reason;
    }
    while (nat != 0 && reason == CT_REASON_NAT_EXHAUSTED && next_reply(work, &reply, &hash, &tries))
        reason = create_as(work, packet, &reply, hash, nat | flags, expected, id);
    if (*id != 0)
        expect_take(ticket);
    return reason;
}
