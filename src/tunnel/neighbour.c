#define MEM_WHAT "neighbours"

#include "src/tunnel/neighbour.h"

#include <netinet/icmp6.h>
#include <stdlib.h>
#include <string.h>

#include "pmd/base/clock.h"
#include "pmd/base/hash.h"
#include "pmd/base/mem.h"
#include "pmd/base/open_hash.h"
#include "src/bridge/bridge.h"
#include "src/loop/timers.h"
#include "src/match/flow.h"
#include "src/net/route.h"
#include "src/tunnel/neighbour_packet.h"

#define BUDGET_US 200
#define TRIES 3        /* requests, before it is silent or forgotten */
#define ANSWER_MS 1000 /* from the first request on */
#define SILENT_MS 2000
#define SILENT_MOST_MS 8000
/* For how long before an address is forgotten its neighbour is asked, at most, and which part of the time that it is
 * known. */
#define PROBE_MS 3000
#define PROBE_PART 4

static const uint16_t ask_after_ms[TRIES] = {0, 200, 500};

struct entry {
    struct neighbour pub; /* first */
    struct timer timer;
    LIST_HEAD(, neighbour_watch) watches;
    TAILQ_ENTRY(entry) node; /* of those that somebody watches, or of the others */
    uint64_t since_ms;       /* when it was asked first */
    uint32_t silent_ms;      /* until it is asked again */
    uint8_t tries;
};

struct slot {
    struct entry *entry; /* NULL: empty */
    uint32_t hash;
};

static const struct open_hash_type type = {sizeof(struct slot), offsetof(struct slot, hash)};

struct neighbours {
    const struct routes *routes;
    struct rte_mempool *pool;
    struct neighbours_user user;
    struct open_hash hash;
    struct timers timers;
    TAILQ_HEAD(entries, entry) watched, idle; /* idle: the least recently learned first */
    struct loop_job job;
    uint32_t aging_ms;
    struct neighbours_stats stats;
};

/* --- entries ------------------------------------------------------------- */

static uint32_t hash_of(const struct bridge *bridge, const struct in6_addr *ip)
{
    uint64_t words[2];

    memcpy(words, ip, sizeof words);
    return hash_finish(hash_add(hash_add(hash_add(HASH_BASIS, (uintptr_t)bridge), words[0]), words[1]));
}

static struct slot *find_slot(const struct neighbours *neighbours, const struct bridge *bridge,
                              const struct in6_addr *ip)
{
    uint32_t hash = hash_of(bridge, ip), mask;
    struct slot *slots;

    for (unsigned i = 0; (slots = open_hash_array(&neighbours->hash, i, &mask)); i++) {
        for (uint32_t at = hash & mask; slots[at].entry; at = (at + 1) & mask) {
            const struct neighbour *is = &slots[at].entry->pub;

            if (slots[at].hash == hash && is->bridge == bridge && IN6_ARE_ADDR_EQUAL(&is->ip, ip))
                return &slots[at];
        }
    }
    return NULL;
}

static struct entry *find(const struct neighbours *neighbours, const struct bridge *bridge, const struct in6_addr *ip)
{
    const struct slot *slot = find_slot(neighbours, bridge, ip);

    return slot ? slot->entry : NULL;
}

static bool is_watched(const struct entry *entry)
{
    return !LIST_EMPTY(&entry->watches);
}

static void drop(struct neighbours *neighbours, struct entry *entry)
{
    open_hash_remove(&neighbours->hash, type, find_slot(neighbours, entry->pub.bridge, &entry->pub.ip));
    timers_cancel(&neighbours->timers, &entry->timer);
    TAILQ_REMOVE(&neighbours->idle, entry, node);
    neighbours->stats.n--;
    free(entry);
}

/* The newest of those that nobody watches. */
static void add_idle(struct neighbours *neighbours, struct entry *entry)
{
    TAILQ_INSERT_TAIL(&neighbours->idle, entry, node);
    if (neighbours->stats.n - neighbours->stats.n_watched > NEIGHBOURS_MAX)
        drop(neighbours, TAILQ_FIRST(&neighbours->idle));
}

static struct entry *add(struct neighbours *neighbours, const struct bridge *bridge, const struct in6_addr *ip)
{
    struct entry *entry = mem_calloc(1, sizeof *entry);
    uint32_t hash = hash_of(bridge, ip);
    struct slot *slot = open_hash_insert(&neighbours->hash, type, hash);

    *slot = (struct slot){entry, hash};
    entry->pub.bridge = bridge;
    entry->pub.ip = *ip;
    LIST_INIT(&entry->watches);
    neighbours->stats.n++;
    add_idle(neighbours, entry);
    return entry;
}

static void tell(const struct entry *entry)
{
    struct neighbour_watch *watch;

    LIST_FOREACH (watch, &entry->watches, node)
        watch->changed(watch);
}

/* --- time ---------------------------------------------------------------- */

static void set_timer(struct neighbours *neighbours, struct entry *entry, uint64_t due_ms)
{
    timers_set(&neighbours->timers, &entry->timer, due_ms * 1000);
}

static uint64_t probe_ms(const struct neighbours *neighbours)
{
    return RTE_MIN((uint32_t)PROBE_MS, neighbours->aging_ms / PROBE_PART);
}

/* Whether the neighbour is asked again. What an operator said stays true as long as somebody needs it. */
static bool is_probed(const struct entry *entry)
{
    return is_watched(entry) && entry->pub.source != NEIGHBOUR_SET && entry->tries < TRIES;
}

static void schedule_known(struct neighbours *neighbours, struct entry *entry)
{
    uint64_t due_ms = entry->pub.expires_ms;

    if (is_probed(entry))
        due_ms -= probe_ms(neighbours) * (TRIES - entry->tries) / TRIES;
    set_timer(neighbours, entry, due_ms);
}

/* The request itself is sent by the job: whoever wants to know may be in the middle of a translation. */
static void begin_asking(struct neighbours *neighbours, struct entry *entry, uint64_t now_ms)
{
    entry->pub.state = NEIGHBOUR_ASKED;
    entry->tries = 0;
    entry->since_ms = now_ms;
    set_timer(neighbours, entry, now_ms);
}

/* `known`: at that address. */
static void send_request(struct neighbours *neighbours, const struct entry *entry, const struct rte_ether_addr *known)
{
    const struct neighbour_watch *watch = LIST_FIRST(&entry->watches);
    uint8_t frame[NEIGHBOUR_REQUEST_MAX];
    struct rte_mbuf *packet;
    unsigned len;
    char *bytes;

    if (neighbours->user.ask_kernel && !known)
        neighbours->user.ask_kernel(neighbours->user.arg, watch->egress, &entry->pub.ip);
    packet = rte_pktmbuf_alloc(neighbours->pool);
    len = neighbour_request_write(&entry->pub.ip, known, &watch->from, &watch->mac, frame);
    bytes = packet ? rte_pktmbuf_append(packet, (uint16_t)len) : NULL;
    if (!bytes) {
        rte_pktmbuf_free(packet);
        return;
    }
    memcpy(bytes, frame, len);
    neighbours->stats.requests++;
    neighbours->user.send(neighbours->user.arg, watch->egress, packet);
}

static void run_known(struct neighbours *neighbours, struct entry *entry, uint64_t now_ms)
{
    if (now_ms < entry->pub.expires_ms) {
        if (is_probed(entry)) {
            entry->tries++;
            send_request(neighbours, entry, &entry->pub.mac);
        }
        schedule_known(neighbours, entry);
    } else if (!is_watched(entry)) {
        drop(neighbours, entry);
    } else if (entry->pub.source == NEIGHBOUR_SET) {
        entry->pub.expires_ms = now_ms + neighbours->aging_ms;
        schedule_known(neighbours, entry);
    } else {
        begin_asking(neighbours, entry, now_ms);
        tell(entry);
    }
}

static void run_asked(struct neighbours *neighbours, struct entry *entry, uint64_t now_ms)
{
    if (entry->tries == TRIES) {
        entry->pub.state = NEIGHBOUR_SILENT;
        entry->silent_ms = SILENT_MS;
        set_timer(neighbours, entry, now_ms + SILENT_MS);
        tell(entry);
        return;
    }
    entry->tries++;
    set_timer(neighbours, entry, entry->since_ms + (entry->tries < TRIES ? ask_after_ms[entry->tries] : ANSWER_MS));
    send_request(neighbours, entry, NULL);
}

static void run_silent(struct neighbours *neighbours, struct entry *entry, uint64_t now_ms)
{
    entry->silent_ms = RTE_MIN(2 * entry->silent_ms, (uint32_t)SILENT_MOST_MS);
    set_timer(neighbours, entry, now_ms + entry->silent_ms);
    send_request(neighbours, entry, NULL);
}

static unsigned run(void *arg, uint64_t budget_us)
{
    struct neighbours *neighbours = arg;
    uint64_t now_us = clock_now_us();
    const uint64_t end_us = now_us + budget_us;
    struct timer *timer;

    while ((timer = timers_pop(&neighbours->timers, now_us))) {
        struct entry *entry = (struct entry *)((char *)timer - offsetof(struct entry, timer));

        if (entry->pub.state == NEIGHBOUR_KNOWN)
            run_known(neighbours, entry, now_us / 1000);
        else if (entry->pub.state == NEIGHBOUR_ASKED)
            run_asked(neighbours, entry, now_us / 1000);
        else
            run_silent(neighbours, entry, now_us / 1000);
        now_us = clock_now_us();
        if (now_us >= end_us)
            return LOOP_MORE;
    }
    return 0;
}

static uint64_t due_us(void *arg)
{
    const struct neighbours *neighbours = arg;
    uint64_t due = timers_next_us(&neighbours->timers), now = clock_now_us();

    if (due == UINT64_MAX)
        return due;
    return due > now ? due - now : 0;
}

/* --- what is learned ----------------------------------------------------- */

static void learn(struct neighbours *neighbours, struct entry *entry, const struct rte_ether_addr *mac,
                  enum neighbour_source source)
{
    bool changed = entry->pub.state != NEIGHBOUR_KNOWN || !rte_is_same_ether_addr(&entry->pub.mac, mac);

    neighbours->stats.learned++;
    entry->pub.mac = *mac;
    entry->pub.state = NEIGHBOUR_KNOWN;
    entry->pub.source = source;
    entry->pub.expires_ms = clock_now_ms() + neighbours->aging_ms;
    entry->tries = 0;
    schedule_known(neighbours, entry);
    if (!is_watched(entry)) {
        TAILQ_REMOVE(&neighbours->idle, entry, node);
        TAILQ_INSERT_TAIL(&neighbours->idle, entry, node);
    }
    if (changed)
        tell(entry);
}

static bool has_address(const struct neighbours *neighbours, const struct bridge_port *bp)
{
    return routes_has_address(neighbours->routes, bp->port && *bp->port->ifname ? bp->port->ifname : bp->name, NULL);
}

bool neighbours_hear(const struct neighbours *neighbours, const struct bridge_port *to, const struct flow *flow,
                     struct flow *seen)
{
    const struct flow_key *key = &flow->pkt;

    if (!has_address(neighbours, to))
        return false;
    seen->pkt.eth_type = UINT16_MAX;
    if (key->eth_type == RTE_BE16(RTE_ETHER_TYPE_ARP))
        return true;
    if (key->eth_type != RTE_BE16(RTE_ETHER_TYPE_IPV6))
        return false;
    seen->pkt.ip_proto = UINT8_MAX;
    if (key->ip_proto != IPPROTO_ICMPV6)
        return false;
    seen->pkt.tp_src = UINT16_MAX;
    return key->tp_src == RTE_BE16(ND_NEIGHBOR_SOLICIT) || key->tp_src == RTE_BE16(ND_NEIGHBOR_ADVERT);
}

/* Who speaks to nobody of this host in particular must speak of itself. */
static bool is_for_us(const struct neighbours *neighbours, const struct neighbour_claim *claim)
{
    return IN6_ARE_ADDR_EQUAL(&claim->to, &claim->ip) || IN6_IS_ADDR_MULTICAST(&claim->to) ||
           routes_has_address(neighbours->routes, NULL, &claim->to);
}

static bool is_known(const struct entry *entry)
{
    return entry && entry->pub.state == NEIGHBOUR_KNOWN;
}

static bool counts(const struct neighbours *neighbours, const struct entry *entry, const struct neighbour_claim *claim)
{
    if (!is_for_us(neighbours, claim) || routes_has_address(neighbours->routes, NULL, &claim->ip))
        return false;
    if (!claim->has_mac)
        return is_known(entry);
    if (!entry)
        return claim->requested;
    return claim->overrides || !is_known(entry) || rte_is_same_ether_addr(&entry->pub.mac, &claim->mac);
}

bool neighbours_snoop(struct neighbours *neighbours, struct bridge *bridge, const struct rte_mbuf *packet)
{
    struct neighbour_claim claim;
    struct entry *entry;

    if (!neighbour_claim_read(packet, &claim)) {
        neighbours->stats.refused++;
        return false;
    }
    entry = find(neighbours, bridge, &claim.ip);
    if (!counts(neighbours, entry, &claim)) {
        neighbours->stats.refused++;
        return false;
    }
    if (!entry)
        entry = add(neighbours, bridge, &claim.ip);
    struct rte_ether_addr mac = claim.has_mac ? claim.mac : entry->pub.mac;
    learn(neighbours, entry, &mac, NEIGHBOUR_SNOOPED);
    return true;
}

/* The kernel hears the same packets, but may have kept an address for longer. */
void neighbours_tell(struct neighbours *neighbours, const struct bridge *bridge, const struct in6_addr *ip,
                     const struct rte_ether_addr *mac, enum neighbour_source source)
{
    struct entry *entry = find(neighbours, bridge, ip);

    if (source == NEIGHBOUR_KERNEL &&
        (!entry || !is_watched(entry) || (is_known(entry) && entry->pub.source != NEIGHBOUR_KERNEL)))
        return;
    if (!entry)
        entry = add(neighbours, bridge, ip);
    learn(neighbours, entry, mac, source);
}

void neighbours_doubt(struct neighbours *neighbours, const struct bridge *bridge, const struct in6_addr *ip)
{
    struct entry *entry = find(neighbours, bridge, ip);
    uint64_t end_ms = clock_now_ms() + probe_ms(neighbours);

    if (!is_known(entry) || entry->pub.source != NEIGHBOUR_KERNEL || end_ms >= entry->pub.expires_ms)
        return;
    entry->pub.expires_ms = end_ms;
    entry->tries = 0;
    schedule_known(neighbours, entry);
}

/* --- who wants to know --------------------------------------------------- */

const struct neighbour *neighbours_watch(struct neighbours *neighbours, struct neighbour_watch *watch,
                                         const struct in6_addr *ip)
{
    const struct bridge *bridge = watch->egress->bridge;
    struct entry *entry = find(neighbours, bridge, ip);

    if (!entry)
        entry = add(neighbours, bridge, ip);
    if (!is_watched(entry)) {
        TAILQ_REMOVE(&neighbours->idle, entry, node);
        TAILQ_INSERT_TAIL(&neighbours->watched, entry, node);
        neighbours->stats.n_watched++;
    }
    LIST_INSERT_HEAD(&entry->watches, watch, node);
    watch->neighbour = &entry->pub;
    if (is_known(entry))
        schedule_known(neighbours, entry);
    else if (entry->timer.place == 0)
        begin_asking(neighbours, entry, clock_now_ms());
    return &entry->pub;
}

void neighbours_unwatch(struct neighbours *neighbours, struct neighbour_watch *watch)
{
    struct entry *entry = (struct entry *)watch->neighbour;

    LIST_REMOVE(watch, node);
    watch->neighbour = NULL;
    if (is_watched(entry))
        return;
    neighbours->stats.n_watched--;
    TAILQ_REMOVE(&neighbours->watched, entry, node);
    if (is_known(entry)) {
        add_idle(neighbours, entry);
        schedule_known(neighbours, entry);
    } else {
        TAILQ_INSERT_HEAD(&neighbours->idle, entry, node);
        drop(neighbours, entry);
    }
}

/* --- for operators ------------------------------------------------------- */

const struct neighbour *neighbours_next(const struct neighbours *neighbours, size_t *position)
{
    const struct slot *slots;
    size_t before = 0;
    uint32_t mask;

    for (unsigned i = 0; (slots = open_hash_array(&neighbours->hash, i, &mask)); i++, before += (size_t)mask + 1) {
        while (*position < before + mask + 1) {
            const struct entry *entry = slots[(*position)++ - before].entry;

            if (is_known(entry))
                return &entry->pub;
        }
    }
    return NULL;
}

void neighbours_flush(struct neighbours *neighbours)
{
    struct entry *entry;

    while ((entry = TAILQ_FIRST(&neighbours->idle)))
        drop(neighbours, entry);
    TAILQ_FOREACH (entry, &neighbours->watched, node) {
        begin_asking(neighbours, entry, clock_now_ms());
        tell(entry);
    }
}

void neighbours_forget_bridge(struct neighbours *neighbours, const struct bridge *bridge)
{
    struct entry *entry, *next;

    for (entry = TAILQ_FIRST(&neighbours->idle); entry; entry = next) {
        next = TAILQ_NEXT(entry, node);
        if (entry->pub.bridge == bridge)
            drop(neighbours, entry);
    }
}

uint32_t neighbours_aging(const struct neighbours *neighbours)
{
    return neighbours->aging_ms / 1000;
}

static void shorten(struct neighbours *neighbours, struct entry *entry)
{
    uint64_t end_ms = clock_now_ms() + neighbours->aging_ms;

    if (entry->pub.state != NEIGHBOUR_KNOWN)
        return;
    entry->pub.expires_ms = RTE_MIN(entry->pub.expires_ms, end_ms);
    schedule_known(neighbours, entry);
}

void neighbours_set_aging(struct neighbours *neighbours, uint32_t seconds)
{
    struct entry *entry;

    neighbours->aging_ms = seconds * 1000;
    TAILQ_FOREACH (entry, &neighbours->idle, node)
        shorten(neighbours, entry);
    TAILQ_FOREACH (entry, &neighbours->watched, node)
        shorten(neighbours, entry);
}

void neighbours_get_stats(const struct neighbours *neighbours, struct neighbours_stats *stats)
{
    *stats = neighbours->stats;
}

/* --- as a whole ---------------------------------------------------------- */

struct neighbours *neighbours_create(struct loop *loop, const struct routes *routes, struct rte_mempool *pool,
                                     const struct neighbours_user *user)
{
    struct neighbours *neighbours = mem_calloc(1, sizeof *neighbours);

    neighbours->routes = routes;
    neighbours->pool = pool;
    neighbours->user = *user;
    neighbours->aging_ms = NEIGHBOURS_AGING_S * 1000;
    TAILQ_INIT(&neighbours->idle);
    TAILQ_INIT(&neighbours->watched);
    neighbours->job = (struct loop_job){.name = "neighbours",
                                        .phase = LOOP_UPKEEP,
                                        .budget_us = BUDGET_US,
                                        .arg = neighbours,
                                        .run = run,
                                        .due_us = due_us};
    loop_add(loop, &neighbours->job);
    return neighbours;
}

void neighbours_destroy(struct neighbours *neighbours)
{
    struct entry *entry;

    if (!neighbours)
        return;
    loop_remove(&neighbours->job);
    while ((entry = TAILQ_FIRST(&neighbours->idle)))
        drop(neighbours, entry);
    timers_fini(&neighbours->timers);
    open_hash_free(&neighbours->hash, type);
    free(neighbours);
}
