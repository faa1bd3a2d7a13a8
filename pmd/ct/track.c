/* The way of a packet through the tracker: find its connection, move its state on, have one made (create.c) if asked
 * to.
 *
 * A burst goes in steps, so that the memory that a step needs was asked for in the one before: tuples, buckets,
 * connections.
 */
#include <netinet/in.h>

#include "pmd/ct/extract.h"
#include "pmd/ct/helper.h"
#include "pmd/ct/nat.h"
#include "pmd/ct/track_impl.h"
#include "pmd/key.h"
#include "pmd/metadata.h"

#define UPDATE_TRIES 64

struct found {
    uint32_t id; /* 0: none */
    enum conn_direction direction;
};

/* --- looking up ---------------------------------------------------------- */

static struct found find(const struct work *work, const struct conn_key *key, uint64_t hash)
{
    const struct ct *ct = work->ct;
    uint32_t entry;

    for (struct directory_walk walk = walk_begin(&ct->directory, hash); walk_next(&walk, &entry);) {
        const struct conn *conn = &ct->conns[ENTRY_ID(entry)];

        if (conn_matches(ct, conn, ENTRY_DIRECTION(entry), key) && conn->generation == work->generation &&
            conn_state_is_alive(__atomic_load_n(&conn->state, __ATOMIC_ACQUIRE)) && !conn_is_over(conn, work->now))
            return (struct found){ENTRY_ID(entry), ENTRY_DIRECTION(entry)};
    }
    return (struct found){0};
}

/* --- deadlines ----------------------------------------------------------- */

/* If the wheel would come to the connection too late. */
static void news_of_deadline(const struct work *work, uint32_t id, uint32_t deadline)
{
    struct conn *conn = &work->ct->conns[id];
    uint64_t state;

    __atomic_thread_fence(__ATOMIC_SEQ_CST); /* see place() in expire.c */
    if (!deadline_is_over(deadline + 1, __atomic_load_n(&work->ct->colds[id].wheel_at, __ATOMIC_RELAXED)))
        return;
    state = __atomic_load_n(&conn->state, __ATOMIC_RELAXED);
    while (!(state & (CONN_DEAD | CONN_NEWS))) {
        if (__atomic_compare_exchange_n(&conn->state, &state, state | CONN_NEWS, true, __ATOMIC_ACQ_REL,
                                        __ATOMIC_RELAXED)) {
            news_push(work, id);
            return;
        }
    }
}

static void touch(const struct work *work, uint32_t id, enum ct_timeout timeout)
{
    struct conn *conn = &work->ct->conns[id];
    const uint32_t before = __atomic_load_n(&conn->deadline, __ATOMIC_RELAXED);
    const uint32_t deadline = work->now + __atomic_load_n(&work->timeouts[timeout], __ATOMIC_RELAXED);

    if (likely(before == deadline))
        return;
    __atomic_store_n(&conn->deadline, deadline, __ATOMIC_RELAXED);
    if (unlikely(deadline_is_over(deadline, before)))
        news_of_deadline(work, id, deadline);
}

/* --- moving the state on ------------------------------------------------- */

enum update {
    UPDATE_FITS,
    UPDATE_STILL_NEW,
    UPDATE_REOPENED,
    UPDATE_INVALID, /* *reason says why */
    UPDATE_GONE     /* another thread ended it meanwhile */
};

/* Stores words that differ from what they were loaded as. False: another thread was faster. */
static bool words_store(struct conn *conn, uint64_t state_before, uint64_t state, const uint64_t window_before[2],
                        const uint64_t window[2])
{
    for (unsigned d = 0; d < 2; d++) {
        uint64_t expected = window_before[d];

        if (window[d] != expected && !__atomic_compare_exchange_n(&conn->window[d], &expected, window[d], false,
                                                                  __ATOMIC_RELAXED, __ATOMIC_RELAXED))
            return false;
    }
    return state == state_before ||
           __atomic_compare_exchange_n(&conn->state, &state_before, state, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

static enum update tcp_step(const struct work *work, uint64_t *state, uint64_t window[2], enum conn_direction direction,
                            const struct ct_packet *packet, enum ct_timeout *timeout, uint8_t *reason)
{
    struct tcp_connection tcp;
    enum tcp_verdict verdict;

    if (likely(tcp_update_established(state, window, direction, &packet->tcp))) {
        *timeout = CT_TCP_ESTABLISHED;
        return UPDATE_FITS;
    }
    tcp_load(&tcp, *state, window);
    verdict = tcp_update(&tcp, direction, &packet->tcp, __atomic_load_n(&work->ct->tcp_window_check, __ATOMIC_RELAXED));
    switch (verdict) {
    case TCP_BAD_FLAGS:
    case TCP_BAD_WINDOW:
        *reason = verdict == TCP_BAD_FLAGS ? CT_REASON_TCP_FLAGS : CT_REASON_TCP_WINDOW;
        return UPDATE_INVALID;
    case TCP_REOPENED:
        return UPDATE_REOPENED;
    case TCP_AGAIN:
    case TCP_FITS:
        break;
    }
    tcp_store(&tcp, state, window);
    *timeout = tcp_timeout(&tcp);
    return verdict == TCP_AGAIN ? UPDATE_STILL_NEW : UPDATE_FITS;
}

static enum update plain_step(const struct ct_packet *packet, uint64_t *state, uint64_t window[2],
                              enum conn_direction direction, enum ct_timeout *timeout, uint8_t *reason)
{
    const uint8_t proto = packet->key.proto;
    enum plain_state plain = *state & 0xf;
    bool still_new;

    if (proto == IPPROTO_SCTP) {
        if (plain == PLAIN_CLOSED && packet->sctp.chunk == SCTP_INIT)
            return UPDATE_REOPENED;
        if (!sctp_update(window, direction, &packet->sctp)) {
            *reason = CT_REASON_SCTP_TAG;
            return UPDATE_INVALID;
        }
    }
    plain = plain_next(proto, plain, direction, &still_new);
    if (proto == IPPROTO_SCTP && sctp_ends(&packet->sctp))
        plain = PLAIN_CLOSED;
    *state = (*state & ~UINT64_C(0xf)) | plain;
    *timeout = plain_timeout(proto, plain);
    return still_new ? UPDATE_STILL_NEW : UPDATE_FITS;
}

static enum update update(const struct work *work, struct found found, const struct ct_packet *packet, uint8_t *reason)
{
    struct conn *conn = &work->ct->conns[found.id];

    for (unsigned tries = 0; tries < UPDATE_TRIES; tries++) {
        const uint64_t state_before = __atomic_load_n(&conn->state, __ATOMIC_ACQUIRE);
        const uint64_t window_before[2] = {__atomic_load_n(&conn->window[0], __ATOMIC_RELAXED),
                                           __atomic_load_n(&conn->window[1], __ATOMIC_RELAXED)};
        uint64_t state = state_before, window[2] = {window_before[0], window_before[1]};
        enum ct_timeout timeout = CT_UDP_FIRST;
        enum update result;

        if (!conn_state_is_alive(state_before))
            return UPDATE_GONE;
        if (packet->key.proto == IPPROTO_TCP)
            result = tcp_step(work, &state, window, found.direction, packet, &timeout, reason);
        else
            result = plain_step(packet, &state, window, found.direction, &timeout, reason);
        if (result == UPDATE_INVALID || result == UPDATE_REOPENED)
            return result;
        if (likely(words_store(conn, state_before, state, window_before, window))) {
            touch(work, found.id, timeout);
            return result;
        }
    }
    return UPDATE_FITS; /* threads that all change the connection: what they say of it is as good */
}

/* --- mark and label ------------------------------------------------------ */

static void set_mark(struct conn *conn, uint32_t mark, uint32_t mask)
{
    uint32_t before = __atomic_load_n(&conn->mark, __ATOMIC_RELAXED), after;

    do {
        after = (before & ~mask) | (mark & mask);
    } while (after != before &&
             !__atomic_compare_exchange_n(&conn->mark, &before, after, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
}

static void set_label(struct ct *ct, uint32_t id, const struct ct_request *request)
{
    struct conn *conn = &ct->conns[id];
    struct conn_cold *cold = &ct->colds[id];

    for (unsigned i = 0; i < 2; i++) {
        uint64_t label, mask, before = __atomic_load_n(&cold->label[i], __ATOMIC_RELAXED);

        memcpy(&label, request->label + 8 * i, sizeof label);
        memcpy(&mask, request->label_mask + 8 * i, sizeof mask);
        label = (before & ~mask) | (label & mask);
        if (label != before)
            __atomic_store_n(&cold->label[i], label, __ATOMIC_RELAXED);
    }
    if (!(__atomic_load_n(&conn->state, __ATOMIC_RELAXED) & CONN_LABEL))
        __atomic_or_fetch(&conn->state, CONN_LABEL, __ATOMIC_RELEASE);
}

static void set_values(const struct work *work, uint32_t id)
{
    const struct ct_request *request = work->request;

    if (request->mark_mask != 0)
        set_mark(&work->ct->conns[id], request->mark, request->mark_mask);
    if (request->set_label)
        set_label(work->ct, id, request);
}

/* --- what is told of the packet ------------------------------------------ */

static bool is_icmp(uint8_t proto)
{
    return proto == IPPROTO_ICMP || proto == IPPROTO_ICMPV6;
}

static void put_ports(struct ct_meta *meta, const struct ct_tuple *tuple, uint8_t icmp_code)
{
    if (is_icmp(meta->proto)) {
        meta->tp_src = rte_cpu_to_be_16((uint8_t)tuple->dport);
        meta->tp_dst = rte_cpu_to_be_16(icmp_code);
    } else {
        meta->tp_src = tuple->sport;
        meta->tp_dst = tuple->dport;
    }
}

/* Returns whether there is more to it: with_helper(). */
static bool meta_from_conn(const struct ct *ct, uint32_t id, struct ct_meta *meta)
{
    const struct conn *conn = &ct->conns[id];
    const struct conn_cold *cold = &ct->colds[id];

    meta->mark = __atomic_load_n(&conn->mark, __ATOMIC_RELAXED);
    meta->proto = conn->proto;
    meta->ipv6 = conn->ipv6;
    if (likely(!conn->ipv6)) {
        meta->src = conn->tuple[0].src;
        meta->dst = conn->tuple[0].dst;
    } else {
        memcpy(meta->src6, ct->lines[conn->tuple[0].src].address[0], 32);
    }
    put_ports(meta, &conn->tuple[0], is_icmp(conn->proto) ? cold->icmp_code : 0);
    meta->icmp_id = conn->tuple[0].sport;

    const uint64_t state = __atomic_load_n(&conn->state, __ATOMIC_ACQUIRE);

    if (likely(!(state & (CONN_LABEL | CONN_HELPER | CONN_RELATED))))
        return false;
    if (state & CONN_LABEL) {
        const uint64_t label[2] = {__atomic_load_n(&cold->label[0], __ATOMIC_RELAXED),
                                   __atomic_load_n(&cold->label[1], __ATOMIC_RELAXED)};

        memcpy(meta->label, label, sizeof label);
    }
    return state & (CONN_HELPER | CONN_RELATED);
}

/* The tuple of a connection by that of its first packets; IPv6: `tuple` has the number of the line. */
static void put_tuple(const struct ct *ct, const struct ct_tuple *tuple, struct ct_meta *meta)
{
    if (meta->ipv6) {
        memcpy(meta->src6, ct->lines[tuple->src].address[0], 32);
    } else {
        meta->src = tuple->src;
        meta->dst = tuple->dst;
    }
    put_ports(meta, tuple, 0);
}

/* Does the rest for a packet of a connection that has a helper, or was announced by one that has. Returns the bits of
 * ct_state that come with it. */
static __rte_noinline uint8_t with_helper(const struct work *work, struct found found, const struct ct_packet *packet,
                                          struct rte_mbuf *m, uint8_t state, bool translated, bool again,
                                          struct ct_meta *meta)
{
    const uint64_t flags = __atomic_load_n(&work->ct->conns[found.id].state, __ATOMIC_RELAXED);

    if (packet->related || state == CT_STATE_INV)
        return 0;
    if (flags & CONN_RELATED) {
        put_tuple(work->ct, &work->ct->colds[found.id].parent, meta);
        return CT_STATE_REL;
    }
    if (!again)
        helper_run(work->ct, work->now, found.id, found.direction, packet, m, translated);
    return 0;
}

/* As meta_from_packet() of a packet that begins a connection that was announced, and is not committed. */
static __rte_noinline void meta_from_expectation(const struct work *work, const struct ct_packet *packet,
                                                 struct ct_meta *meta)
{
    const struct ct *ct = work->ct;
    struct expectation expected;
    struct expect_ticket ticket;

    if (!conn_look_for_expectation(work, packet, &expected, &ticket))
        return;
    put_tuple(ct, &ct->conns[expected.parent].tuple[0], meta);
    meta->mark = __atomic_load_n(&ct->conns[expected.parent].mark, __ATOMIC_RELAXED);
    memcpy(meta->label, ct->colds[expected.parent].label, sizeof meta->label);
}

static void meta_from_packet(const struct ct_packet *packet, struct ct_meta *meta)
{
    const struct conn_key *key = &packet->key;

    meta->proto = key->proto;
    meta->ipv6 = key->ipv6;
    if (key->ipv6) {
        memcpy(meta->src6, key->address, 32);
    } else {
        meta->src = key->tuple.src;
        meta->dst = key->tuple.dst;
    }
    put_ports(meta, &key->tuple, packet->icmp_code);
}

/* --- translated packets -------------------------------------------------- */

/* Rewrites a packet of a translated connection. Returns its bits of ct_state. */
static __rte_noinline uint8_t translate(const struct work *work, struct found found, const struct ct_packet *packet,
                                        struct rte_mbuf *m)
{
    const struct conn *conn = &work->ct->conns[found.id];
    const uint64_t state = __atomic_load_n(&conn->state, __ATOMIC_RELAXED);
    const enum conn_direction other = !found.direction;
    const bool src = state & (found.direction == CONN_ORIG ? CONN_SNAT : CONN_DNAT);
    struct conn_key reply = {.proto = conn->proto, .ipv6 = conn->ipv6};

    if (!(state & CONN_NAT))
        return 0;
    reply.tuple = conn->tuple[other];
    if (conn->ipv6)
        memcpy(reply.address, work->ct->lines[conn->tuple[0].src].address[other], sizeof reply.address);
    nat_rewrite(m, packet, &reply, src, !src);
    return src ? CT_STATE_SNAT : CT_STATE_DNAT;
}

/* The connection of a packet that was translated in this zone before: it does not have the connection's addresses any
 * more. `meta` says what it had. */
static __rte_noinline struct found find_translated(const struct work *work, const struct ct_packet *packet,
                                                   const struct ct_meta *meta, uint8_t before)
{
    struct conn_key key = {.zone = meta->zone, .proto = meta->proto, .ipv6 = meta->ipv6};
    struct found found;

    if (before & CT_STATE_REL && !packet->related) { /* it says the tuple of the connection that announced this one */
        conn_key_reverse(&packet->key, &key);
        found = find(work, &key, conn_key_hash(&key, work->ct->seed));
        found.direction = !found.direction;
        return found;
    }
    if (key.ipv6) {
        memcpy(key.address, meta->src6, sizeof key.address);
    } else {
        key.tuple.src = meta->src;
        key.tuple.dst = meta->dst;
    }
    key.tuple.sport = meta->tp_src;
    key.tuple.dport = meta->tp_dst;
    if (is_icmp(key.proto)) {
        key.tuple.sport = meta->icmp_id;
        key.tuple.dport = rte_be_to_cpu_16(meta->tp_src);
    }
    found = find(work, &key, conn_key_hash(&key, work->ct->seed));
    found.direction = before & CT_STATE_RPL ? CONN_REPLY : CONN_ORIG;
    return packet->key.proto == key.proto && packet->key.ipv6 == key.ipv6 ? found : (struct found){0};
}

/* --- a packet ------------------------------------------------------------ */

/* The packet is of no connection, or begins one. */
static uint8_t without_connection(const struct work *work, const struct ct_packet *packet, uint32_t *id, uint8_t *state)
{
    uint8_t reason = CT_REASON_NONE;
    struct expectation expected;
    struct expect_ticket ticket;

    *id = 0;
    if (packet->related || !conn_may_begin(packet)) {
        *state = CT_STATE_INV;
        return packet->related ? CT_REASON_UNRELATED : CT_REASON_NO_CONNECTION;
    }
    *state = CT_STATE_NEW;
    if (conn_is_expected(work, packet, &expected, &ticket)) {
        if (work->request->commit)
            reason = (uint8_t)conn_create_expected(work, packet, &expected, ticket, id);
        *state |= CT_STATE_REL;
    } else if (work->request->commit) {
        reason = (uint8_t)conn_create(work, packet, id);
    }
    return reason;
}

/* The packet is of a connection. False: it is not any more. */
static bool with_connection(const struct work *work, struct found found, const struct ct_packet *packet, uint8_t *state,
                            uint8_t *reason)
{
    const uint8_t reply = found.direction == CONN_REPLY ? CT_STATE_RPL : 0;

    if (packet->related) {
        *state = CT_STATE_REL | reply;
        return true;
    }
    switch (update(work, found, packet, reason)) {
    case UPDATE_FITS:
        *state = CT_STATE_EST | reply;
        return true;
    case UPDATE_STILL_NEW:
        *state = CT_STATE_NEW;
        return true;
    case UPDATE_INVALID:
        *state = CT_STATE_INV;
        return true;
    case UPDATE_REOPENED:
        conn_kill(work, found.id);
        return false;
    case UPDATE_GONE:
        return false;
    }
    return false;
}

/* A packet of which it was found out before what connection it is of, or that it is of none. */
static uint8_t track_found(const struct work *work, const struct ct_packet *packet, struct found *found, uint8_t *state)
{
    uint8_t reason = CT_REASON_NONE;

    while (found->id != 0) {
        if (unlikely(work->request->force) && found->direction == CONN_REPLY && !packet->related)
            conn_kill(work, found->id);
        else if (likely(with_connection(work, *found, packet, state, &reason)))
            return reason;
        /* That one is over. A packet that it has translated may be another's as it is now. */
        *found = find(work, &packet->key, packet->hash);
    }
    found->direction = CONN_ORIG;
    reason = without_connection(work, packet, &found->id, state);
    if (likely(reason != CT_REASON_RACE))
        return reason;
    *found = find(work, &packet->key, packet->hash);
    if (found->id != 0 && with_connection(work, *found, packet, state, &reason))
        return *state == CT_STATE_INV ? reason : CT_REASON_NONE;
    found->id = 0;
    /* Not to go on as it is. */
    return work->request->nat & (CT_NAT_SRC | CT_NAT_DST) ? CT_REASON_NAT_EXHAUSTED : CT_REASON_RACE;
}

/* `before`: its ct_state, of which `meta` tells. */
static uint8_t track(const struct work *work, struct ct_packet *packet, struct found found, struct rte_mbuf *m,
                     uint8_t before, struct ct_meta *meta)
{
    uint8_t state = CT_STATE_INV, reason = packet->reason, translated = 0;
    uint32_t translated_by = 0;

    if (unlikely(before & (CT_STATE_SNAT | CT_STATE_DNAT)) && meta->zone == work->request->zone &&
        reason == CT_REASON_NONE) {
        const struct found again = find_translated(work, packet, meta, before);

        if (again.id != 0) {
            found = again;
            translated_by = again.id;
            translated = before & (CT_STATE_SNAT | CT_STATE_DNAT);
        }
    }
    memset(meta, 0, sizeof *meta);
    meta->zone = work->request->zone;
    if (unlikely(reason != CT_REASON_NONE)) {
        meta->state = CT_STATE_TRK | CT_STATE_INV;
        return reason;
    }
    if (found.id == 0)
        found = find(work, &packet->key, packet->hash);
    if (unlikely(__atomic_load_n(&work->ct->conns[found.id].state, __ATOMIC_RELAXED) & CONN_FTP) &&
        found.id != translated_by)
        helper_settle(work->ct, found.id, found.direction, packet);
    reason = track_found(work, packet, &found, &state);
    if (unlikely(found.id == 0)) {
        meta->state = CT_STATE_TRK | state;
        meta_from_packet(packet, meta);
        if (unlikely(state & CT_STATE_REL))
            meta_from_expectation(work, packet, meta);
        return reason;
    }
    if (work->request->commit && state != CT_STATE_INV)
        set_values(work, found.id);
    if (found.id != translated_by) /* the packet ended that connection, and is another's */
        translated = 0;
    if (unlikely(work->request->nat) && state != CT_STATE_INV && translated == 0)
        translated = translate(work, found, packet, m);
    meta->state = CT_STATE_TRK | state | translated;
    if (unlikely(meta_from_conn(work->ct, found.id, meta)))
        meta->state |= with_helper(work, found, packet, m, state, translated != 0, found.id == translated_by, meta);
    return reason;
}

static bool guess_holds(const struct work *work, struct found found, const struct ct_packet *packet)
{
    const struct conn *conn = &work->ct->conns[found.id];

    return conn_matches(work->ct, conn, found.direction, &packet->key) && conn->generation == work->generation &&
           conn_state_is_alive(__atomic_load_n(&conn->state, __ATOMIC_ACQUIRE)) && !conn_is_over(conn, work->now);
}

/* A UDP packet of a connection that both sides have sent packets of, and of which nothing more is known or asked for:
 * nothing changes but its deadline. False: it is another one. */
static inline bool track_simple(const struct work *work, const struct ct_packet *packet, struct found found,
                                uint8_t before, struct ct_meta *meta)
{
    const struct conn *conn = &work->ct->conns[found.id];
    const uint64_t state = __atomic_load_n(&conn->state, __ATOMIC_ACQUIRE);

    if ((state & ((CONN_FLAGS & ~CONN_NEWS) | 0xf)) != (CONN_CONFIRMED | PLAIN_BOTH) ||
        packet->key.proto != IPPROTO_UDP ||
        (packet->key.ipv6 | packet->related | (before & (CT_STATE_SNAT | CT_STATE_DNAT))) != 0)
        return false;
    touch(work, found.id, CT_UDP_MULTIPLE);
    *meta = (struct ct_meta){
        .src = conn->tuple[0].src,
        .dst = conn->tuple[0].dst,
        .tp_src = conn->tuple[0].sport,
        .tp_dst = conn->tuple[0].dport,
        .mark = __atomic_load_n(&conn->mark, __ATOMIC_RELAXED),
        .zone = packet->key.zone,
        .state = CT_STATE_TRK | CT_STATE_EST | (found.direction == CONN_REPLY ? CT_STATE_RPL : 0),
        .proto = IPPROTO_UDP,
        .icmp_id = conn->tuple[0].sport,
    };
    return true;
}

/* Packets that were extracted; found[i]: a guess. One function for all of them, so that track() is inline. */
static __rte_noinline void run_found(const struct work *work, struct ct_packet *extracted, struct found *found,
                                     struct rte_mbuf *const *packets, unsigned n, struct ct_meta *const *metas,
                                     uint8_t *reasons)
{
    for (unsigned i = 0; i < n; i++) {
        if (found[i].id != 0) {
            if (unlikely(!guess_holds(work, found[i], &extracted[i]))) {
                found[i].id = 0;
            } else if (work->simple && track_simple(work, &extracted[i], found[i], reasons[i], metas[i])) {
                reasons[i] = CT_REASON_NONE;
                continue;
            }
        }
        reasons[i] = track(work, &extracted[i], found[i], packets[i], reasons[i], metas[i]);
        if (unlikely(reasons[i] != CT_REASON_NONE))
            CT_COUNT(work->thread->reasons[reasons[i]]);
    }
}

/* --- fragments ----------------------------------------------------------- */

/* A datagram that is complete: as one packet, whose findings are those of each of its fragments. */
static void track_whole(const struct work *work, struct datagram *whole, const struct rte_mbuf *by)
{
    struct fragments *fragments = &work->thread->fragments;
    uint16_t at = 0;
    const struct fragment *fragment = fragments_next(fragments, whole, &at), *first = fragment;
    struct packet_meta *meta = packet_meta(first->m);
    struct ct_meta *found_out = &meta->ct;
    struct found found = {0};
    struct ct_packet packet;
    uint8_t reason = (uint8_t)meta->md.ct_state;

    ct_extract_datagram(first->m, whole->total, whole->sum, work->request->zone, work->ct->seed, &packet);
    run_found(work, &packet, &found, &first->m, 1, &found_out, &reason);
    meta->md.ct_state = meta->ct.state;
    if (reason == CT_REASON_NONE)
        fragments_join(work->ct, fragments, whole);
    while ((fragment = fragments_next(fragments, whole, &at))) {
        packet_meta(fragment->m)->ct = meta->ct;
        packet_meta(fragment->m)->md.ct_state = meta->ct.state;
        if (work->request->nat && meta->ct.state & (CT_STATE_SNAT | CT_STATE_DNAT))
            nat_follow(fragment->m, fragment->l3, rte_pktmbuf_mtod_offset(first->m, const uint8_t *, first->l3),
                       whole->key.ipv6);
    }
    fragments_hand_over(fragments, whole, by, reason);
}

static __rte_noinline uint8_t track_fragment(const struct work *work, struct rte_mbuf *m, uint8_t before,
                                             struct ct_meta *meta)
{
    struct ct_packet packet = {.reason = CT_REASON_NONE};
    struct found found = {0};
    struct datagram *whole;

    packet.reason =
        (uint8_t)fragments_take(work->ct, &work->thread->fragments, work->now, work->request->zone, m, &whole);
    if (packet.reason != CT_REASON_NONE) {
        run_found(work, &packet, &found, &m, 1, &meta, &before);
        return packet.reason;
    }
    if (!whole)
        return CT_HELD;
    track_whole(work, whole, m);
    return CT_WHOLE;
}

/* --- bursts -------------------------------------------------------------- */

/* The first connection that may be meant, on its way into the cache. */
static struct found guess(const struct ct *ct, uint64_t hash)
{
    const struct ct_bucket *bucket = &ct->directory.buckets[directory_home(&ct->directory, hash)];
    const uint32_t match = bucket_match(bucket, (uint16_t)hash);
    uint32_t entry;

    if (match == 0)
        return (struct found){0};
    entry = bucket_entry(bucket, (unsigned)__builtin_ctz(match));
    if (!entry_is_used(entry))
        return (struct found){0};
    rte_prefetch0(&ct->conns[ENTRY_ID(entry)]);
    return (struct found){ENTRY_ID(entry), ENTRY_DIRECTION(entry)};
}

/* A packet that is going to begin a connection, by the looks of it: the place of its replies, too. */
static void prefetch_reply(const struct ct *ct, const struct ct_packet *packet)
{
    struct conn_key reply;

    if (packet->related)
        return;
    conn_key_reverse(&packet->key, &reply);
    directory_prefetch(&ct->directory, conn_key_hash(&reply, ct->seed));
}

/* A burst with fragments in it. */
static __rte_noinline void run_mixed(const struct work *work, struct ct_packet *extracted, struct found *found,
                                     struct rte_mbuf *const *packets, unsigned n, struct ct_meta *const *metas,
                                     uint8_t *reasons)
{
    for (unsigned i = 0; i < n; i++) {
        if (extracted[i].reason == CT_REASON_FRAGMENT)
            reasons[i] = track_fragment(work, packets[i], reasons[i], metas[i]);
        else
            run_found(work, &extracted[i], &found[i], &packets[i], 1, &metas[i], &reasons[i]);
    }
}

static void run_burst(const struct work *work, struct rte_mbuf *const *packets, unsigned n,
                      struct ct_meta *const *metas, uint8_t *reasons)
{
    struct ct_packet extracted[CT_BURST];
    struct found found[CT_BURST];
    bool fragments = false;

    for (unsigned i = 0; i < n; i++) {
        ct_extract(packets[i], work->request->zone, work->ct->seed, &extracted[i]);
        if (likely(extracted[i].reason == CT_REASON_NONE))
            directory_prefetch(&work->ct->directory, extracted[i].hash);
        else
            fragments |= extracted[i].reason == CT_REASON_FRAGMENT;
        rte_prefetch0_write(metas[i]);
    }
    for (unsigned i = 0; i < n; i++)
        found[i] = extracted[i].reason == CT_REASON_NONE ? guess(work->ct, extracted[i].hash) : (struct found){0};
    if (work->request->commit && !(work->request->nat & (CT_NAT_SRC | CT_NAT_DST))) {
        for (unsigned i = 0; i < n; i++) {
            if (found[i].id == 0 && extracted[i].reason == CT_REASON_NONE)
                prefetch_reply(work->ct, &extracted[i]);
        }
    }
    if (unlikely(fragments))
        run_mixed(work, extracted, found, packets, n, metas, reasons);
    else
        run_found(work, extracted, found, packets, n, metas, reasons);
}

void ct_prefetch(const struct ct *ct, const uint16_t *zones, struct rte_mbuf *const *packets, unsigned n)
{
    uint64_t hashes[CT_BURST];

    for (unsigned first = 0; first < n; first += CT_BURST) {
        const unsigned some = RTE_MIN(n - first, (unsigned)CT_BURST);

        for (unsigned i = 0; i < some; i++) {
            hashes[i] = ct_extract_hash(packets[first + i], zones[first + i], ct->seed);
            directory_prefetch(&ct->directory, hashes[i]);
        }
        for (unsigned i = 0; i < some; i++)
            guess(ct, hashes[i]);
    }
}

void ct_run(struct ct *ct, unsigned thread, uint32_t now, const struct ct_request *request,
            struct rte_mbuf *const *packets, unsigned n, struct ct_meta *const *metas, uint8_t *reasons)
{
    const struct work work = {.ct = ct,
                              .thread = &ct->threads[thread],
                              .request = request,
                              .timeouts = __atomic_load_n(&ct->zone_policies[request->zone], __ATOMIC_ACQUIRE)->seconds,
                              .now = now,
                              .generation = zone_generation(ct, request->zone),
                              .simple = !request->force && request->mark_mask == 0 && !request->set_label};

    if (unlikely(!__atomic_load_n(&ct->used, __ATOMIC_RELAXED)))
        __atomic_store_n(&ct->used, true, __ATOMIC_RELAXED);
    for (unsigned i = 0; i < n; i += CT_BURST)
        run_burst(&work, packets + i, RTE_MIN(n - i, (unsigned)CT_BURST), metas + i, reasons + i);
}
