#define MEM_WHAT "LACP"

#include "src/proto/lacp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pmd/base/mem.h"

/* 802.1AX-2014, 6.4.4 */
#define FAST_US UINT64_C(1000000)
#define SLOW_US UINT64_C(30000000)
#define RX_INTERVALS 3 /* until nothing new is something wrong */
#define TX_A_SECOND 3  /* PDUs at most (6.4.16) */

const char *lacp_status_name(enum lacp_status status)
{
    static const char *const names[] = {
        [LACP_CURRENT] = "current", [LACP_EXPIRED] = "expired", [LACP_DEFAULTED] = "defaulted"};

    return names[status];
}

static struct lacp_member *find(const struct lacp *lacp, const void *port)
{
    struct lacp_member *m;

    TAILQ_FOREACH (m, &lacp->members, node) {
        if (m->port == port)
            return m;
    }
    return NULL;
}

const struct lacp_member *lacp_find(const struct lacp *lacp, const void *port)
{
    return find(lacp, port);
}

/* --- the receive machine (6.4.12) ---------------------------------------- */

static void set_defaulted(struct lacp *lacp, struct lacp_member *m)
{
    memset(&m->partner, 0, sizeof m->partner);
    m->status = LACP_DEFAULTED;
    m->rx_due_us = UINT64_MAX;
    lacp->update = true;
}

/* The neighbour is asked to say something soon, and is not relied on until then. */
static void set_expired(struct lacp *lacp, struct lacp_member *m, uint64_t now_us)
{
    m->status = LACP_EXPIRED;
    m->partner.state |= LACP_TIMEOUT;
    m->partner.state &= (uint8_t)~LACP_SYNCHRONIZATION;
    m->rx_due_us = now_us + RX_INTERVALS * FAST_US;
    lacp->update = true;
}

static void set_current(struct lacp *lacp, struct lacp_member *m, const struct lacp_pdu *pdu, uint64_t now_us)
{
    m->status = LACP_CURRENT;
    m->rx_due_us = now_us + RX_INTERVALS * (lacp->config.fast ? FAST_US : SLOW_US);
    m->heard = pdu->partner;
    m->partner = pdu->actor;
    lacp->update = true;
}

static void expire(struct lacp *lacp, struct lacp_member *m, uint64_t now_us)
{
    if (now_us < m->rx_due_us)
        return;
    if (m->status == LACP_CURRENT) {
        m->n_expired++;
        set_expired(lacp, m, now_us);
    } else {
        m->n_defaulted++;
        set_defaulted(lacp, m);
    }
}

/* --- selection (6.4.14) -------------------------------------------------- */

uint16_t lacp_key(const struct lacp *lacp)
{
    const struct lacp_member *first = TAILQ_FIRST(&lacp->members);

    if (!first)
        return 0;
    return first->config.key ? first->config.key : first->config.port;
}

void lacp_actor(const struct lacp *lacp, const struct lacp_member *m, struct lacp_info *actor)
{
    const struct lacp_config *config = &lacp->config;
    unsigned state = 0;

    state |= config->active ? LACP_ACTIVITY : 0;
    state |= config->fast ? LACP_TIMEOUT : 0;
    state |= lacp->n_members > 1 ? LACP_AGGREGATION : 0;
    state |= m->attached ? LACP_SYNCHRONIZATION : 0;
    state |= m->attached || !lacp->negotiated ? LACP_COLLECTING | LACP_DISTRIBUTING : 0;
    state |= m->status == LACP_DEFAULTED ? LACP_IS_DEFAULTED : 0;
    state |= m->status == LACP_EXPIRED ? LACP_IS_EXPIRED : 0;
    *actor = (struct lacp_info){
        .system_priority = config->system_priority,
        .key = lacp_key(lacp),
        .port_priority = m->config.priority,
        .port = m->config.port,
        .state = (uint8_t)state,
    };
    memcpy(actor->system, config->system, sizeof actor->system);
}

static int compare_systems(const struct lacp_info *a, const struct lacp_info *b)
{
    if (a->system_priority != b->system_priority)
        return a->system_priority < b->system_priority ? -1 : 1;
    return memcmp(a->system, b->system, sizeof a->system);
}

/* What the end with the better system says of the link. */
static struct lacp_info judge(const struct lacp *lacp, const struct lacp_member *m)
{
    struct lacp_info actor;

    lacp_actor(lacp, m, &actor);
    return compare_systems(&actor, &m->partner) < 0 ? actor : m->partner;
}

/* Is the link of `a` to be preferred to that of `b`? */
static bool is_better(const struct lacp *lacp, const struct lacp_member *a, const struct lacp_member *b)
{
    const struct lacp_info x = judge(lacp, a), y = judge(lacp, b);
    int order = compare_systems(&x, &y);

    if (order)
        return order < 0;
    if (x.port_priority != y.port_priority)
        return x.port_priority < y.port_priority;
    return x.port < y.port;
}

static bool is_same_system(const uint8_t a[6], const uint8_t b[6])
{
    return memcmp(a, b, 6) == 0;
}

/* The best of the links that work already: others join it, or nothing. */
static const struct lacp_member *working_lead(const struct lacp *lacp)
{
    const struct lacp_member *m, *lead = NULL;

    TAILQ_FOREACH (m, &lacp->members, node) {
        if (m->status == LACP_CURRENT && m->attached && (!lead || is_better(lacp, m, lead)))
            lead = m;
    }
    return lead;
}

/* Could the member be attached, as far as its own link goes? A link back to this switch is no neighbour. */
static bool may_attach(const struct lacp *lacp, const struct lacp_member *m, const struct lacp_member *working)
{
    if (is_same_system(m->partner.system, lacp->config.system))
        return false;
    if (m->status == LACP_DEFAULTED)
        return lacp->config.fallback;
    return !working || is_same_system(m->partner.system, working->partner.system);
}

/* The link whose neighbour and key the others have to have; NULL: none has a neighbour. */
static const struct lacp_member *choose_lead(const struct lacp *lacp, const struct lacp_member *working)
{
    const struct lacp_member *m, *lead = working && working->attached ? working : NULL;

    TAILQ_FOREACH (m, &lacp->members, node) {
        if (!m->attached || m->status == LACP_DEFAULTED)
            continue;
        bool usable = lacp_may_use(lacp, m);
        if (!lead || (usable && !lacp_may_use(lacp, lead)) ||
            (usable == lacp_may_use(lacp, lead) && is_better(lacp, m, lead)))
            lead = m;
    }
    return lead;
}

static void select_links(struct lacp *lacp)
{
    const struct lacp_member *working = working_lead(lacp), *lead;
    struct lacp_member *m;

    lacp->update = false;
    TAILQ_FOREACH (m, &lacp->members, node)
        m->attached = may_attach(lacp, m, working);
    lead = choose_lead(lacp, working);
    lacp->negotiated = lead;
    if (!lead)
        return;
    TAILQ_FOREACH (m, &lacp->members, node) {
        if (m->status == LACP_DEFAULTED || m->partner.key != lead->partner.key ||
            !is_same_system(m->partner.system, lead->partner.system))
            m->attached = false;
    }
}

/* --- sending (6.4.16) ---------------------------------------------------- */

/* Does the neighbour know of this end what it has to? */
static bool is_heard(const struct lacp_info *actor, const struct lacp_info *heard)
{
    const uint8_t bits = LACP_ACTIVITY | LACP_TIMEOUT | LACP_SYNCHRONIZATION | LACP_AGGREGATION;

    return ((actor->state ^ heard->state) & bits) == 0 && actor->port == heard->port &&
           actor->port_priority == heard->port_priority && actor->key == heard->key &&
           actor->system_priority == heard->system_priority && is_same_system(actor->system, heard->system);
}

static bool may_send(const struct lacp *lacp, const struct lacp_member *m)
{
    return m->link_up && (lacp->config.active || m->status != LACP_DEFAULTED);
}

static bool take(struct lacp_allowance *allowance, uint64_t now_us)
{
    if (now_us - allowance->since_us >= FAST_US)
        *allowance = (struct lacp_allowance){.since_us = now_us};
    return allowance->n++ < TX_A_SECOND;
}

static void transmit(struct lacp *lacp, struct lacp_member *m, uint64_t now_us)
{
    uint8_t bytes[LACP_PDU_LEN];
    struct lacp_pdu pdu = {.partner = m->partner};

    if (!may_send(lacp, m)) {
        m->tx_due_us = UINT64_MAX;
        return;
    }
    lacp_actor(lacp, m, &pdu.actor);
    if (now_us < m->tx_due_us && m->tx_due_us != UINT64_MAX && is_heard(&pdu.actor, &m->heard))
        return;
    if (!take(&m->pdus, now_us)) {
        m->tx_due_us = m->pdus.since_us + FAST_US;
        return;
    }
    m->heard = pdu.actor;
    m->tx_due_us = now_us + (m->partner.state & LACP_TIMEOUT ? FAST_US : SLOW_US);
    m->n_tx++;
    lacp_pdu_build(&pdu, bytes);
    lacp->user.send(lacp->user.arg, m->port, bytes);
}

/* --- changes ------------------------------------------------------------- */

static void settle(struct lacp *lacp, uint64_t now_us)
{
    const bool negotiated = lacp->negotiated;
    bool different = false;
    struct lacp_member *m;

    if (lacp->update)
        select_links(lacp);
    TAILQ_FOREACH (m, &lacp->members, node) {
        bool usable = lacp_may_use(lacp, m);

        transmit(lacp, m, now_us);
        different |= m->usable != usable;
        m->usable = usable;
    }
    if (different || negotiated != lacp->negotiated)
        lacp->user.changed(lacp->user.arg);
    lacp->user.delayed(lacp->user.arg);
}

struct lacp *lacp_create(const struct lacp_config *config, const struct lacp_user *user)
{
    struct lacp *lacp = mem_calloc(1, sizeof *lacp);

    lacp->config = *config;
    lacp->user = *user;
    TAILQ_INIT(&lacp->members);
    return lacp;
}

void lacp_destroy(struct lacp *lacp)
{
    struct lacp_member *m;

    while ((m = TAILQ_FIRST(&lacp->members))) {
        TAILQ_REMOVE(&lacp->members, m, node);
        free(m);
    }
    free(lacp);
}

void lacp_configure(struct lacp *lacp, const struct lacp_config *config, uint64_t now_us)
{
    lacp->config = *config;
    lacp->update = true;
    settle(lacp, now_us);
}

static bool is_same_member(const struct lacp_member_config *a, const struct lacp_member_config *b)
{
    return a->port == b->port && a->priority == b->priority && a->key == b->key;
}

void lacp_join(struct lacp *lacp, void *port, const char *name, const struct lacp_member_config *config, bool link_up,
               uint64_t now_us)
{
    struct lacp_member *m = find(lacp, port);

    if (m && is_same_member(&m->config, config))
        return;
    if (!m) {
        m = mem_calloc(1, sizeof *m);
        m->port = port;
        m->link_up = link_up;
        m->tx_due_us = now_us;
        snprintf(m->name, sizeof m->name, "%s", name);
        TAILQ_INSERT_TAIL(&lacp->members, m, node);
        lacp->n_members++;
        set_defaulted(lacp, m);
    }
    m->config = *config;
    if (lacp->config.active || lacp->negotiated)
        set_expired(lacp, m, now_us);
    lacp->update = true;
    settle(lacp, now_us);
}

void lacp_leave(struct lacp *lacp, const void *port, uint64_t now_us)
{
    struct lacp_member *m = find(lacp, port);

    if (!m)
        return;
    TAILQ_REMOVE(&lacp->members, m, node);
    lacp->n_members--;
    free(m);
    lacp->update = true;
    settle(lacp, now_us);
}

void lacp_set_link(struct lacp *lacp, const void *port, bool up, uint64_t now_us)
{
    struct lacp_member *m = find(lacp, port);

    if (!m || m->link_up == up)
        return;
    m->link_up = up;
    m->n_link_changes++;
    if (m->status == LACP_CURRENT || lacp->config.active)
        set_expired(lacp, m, now_us);
    m->tx_due_us = now_us;
    settle(lacp, now_us);
}

static void answer_marker(struct lacp *lacp, struct lacp_member *m, const uint8_t *bytes, uint64_t now_us)
{
    uint8_t answer[LACP_PDU_LEN];

    m->n_rx_markers++;
    if (!m->link_up || !take(&m->answers, now_us))
        return;
    lacp_marker_answer(bytes, answer);
    lacp->user.send(lacp->user.arg, m->port, answer);
}

enum lacp_fault lacp_receive(struct lacp *lacp, const void *port, const uint8_t *bytes, size_t len, uint64_t now_us)
{
    struct lacp_member *m = find(lacp, port);
    enum lacp_fault fault;
    struct lacp_pdu pdu;

    if (!m)
        return LACP_OK;
    fault = lacp_pdu_parse(bytes, len, &pdu);
    if (fault > LACP_MARKER) {
        lacp_note_fault(lacp, port, fault);
        return fault;
    }
    m->n_rx++;
    if (fault == LACP_MARKER)
        answer_marker(lacp, m, bytes, now_us);
    else if (m->link_up) /* what a link that is down still delivers is old */
        set_current(lacp, m, &pdu, now_us);
    settle(lacp, now_us);
    return LACP_OK;
}

void lacp_note_fault(struct lacp *lacp, const void *port, enum lacp_fault fault)
{
    struct lacp_member *m = find(lacp, port);

    if (!m)
        return;
    m->n_rx++;
    m->n_rx_bad++;
    m->faults[fault]++;
}

void lacp_run(struct lacp *lacp, uint64_t now_us)
{
    struct lacp_member *m;

    TAILQ_FOREACH (m, &lacp->members, node)
        expire(lacp, m, now_us);
    settle(lacp, now_us);
}

uint64_t lacp_due_us(const struct lacp *lacp)
{
    const struct lacp_member *m;
    uint64_t due_us = UINT64_MAX;

    TAILQ_FOREACH (m, &lacp->members, node) {
        due_us = m->rx_due_us < due_us ? m->rx_due_us : due_us;
        due_us = m->tx_due_us < due_us ? m->tx_due_us : due_us;
    }
    return due_us;
}

/* --- what was found out -------------------------------------------------- */

bool lacp_is_negotiated(const struct lacp *lacp)
{
    return lacp->negotiated;
}

bool lacp_may_use(const struct lacp *lacp, const struct lacp_member *m)
{
    return m->attached &&
           (m->partner.state & LACP_SYNCHRONIZATION || (lacp->config.fallback && m->status == LACP_DEFAULTED));
}

bool lacp_is_current(const struct lacp_member *m)
{
    return m->status != LACP_DEFAULTED;
}
