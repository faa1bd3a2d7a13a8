#include "src/tunnel/next_hop.h"

#include <stdlib.h>
#include <string.h>

#include "pmd/base/clock.h"
#include "pmd/base/hash.h"
#include "pmd/base/mem.h"
#include "pmd/base/open_hash.h"
#include "src/bridge/bridge.h"
#include "src/loop/loop.h"
#include "src/tunnel/neighbour.h"

#define BUDGET_US 200
#define LOOK_AT 16 /* next hops, between two looks at the clock */
#define FORGET_MS 60000
#define FULL_MS 1000 /* nobody asked for it for so long: it makes room for others */
#define CHANGES_MAX 64
#define CACHED 16

struct hop {
    struct next_hop pub; /* first */
    struct next_hop_query query;
    struct neighbour_watch watch;
    struct exit *exit;       /* that it leaves by; NULL: none */
    LIST_ENTRY(hop) here;    /* of those that leave by the same bridge */
    TAILQ_ENTRY(hop) node;   /* of all, the newest last */
    TAILQ_ENTRY(hop) recent; /* of all, that was asked for last is last */
    TAILQ_ENTRY(hop) todo;
    uint64_t found_ms;
    bool in_todo;
    bool doubtful; /* to be decided again */
    bool untold;   /* it has come out differently since the user was told last */
    uint16_t n_waiting;
    struct rte_mbuf **waiting; /* NULL: there are none */
};

struct slot {
    struct hop *hop; /* NULL: empty */
    uint32_t hash;
};

static const struct open_hash_type type = {sizeof(struct slot), offsetof(struct slot, hash)};

/* A bridge that next hops may leave by. */
struct exit {
    struct bridge_listener listener;
    struct next_hops *hops;
    struct bridge *bridge;
    LIST_HEAD(, hop) leaving;
    TAILQ_ENTRY(exit) node;
};

/* What changed: an address within the prefix, or whatever has the device. */
struct change {
    struct in6_addr prefix;
    uint8_t length;
    char device[IFNAMSIZ];
};

struct changes {
    struct change change[CHANGES_MAX];
    unsigned n;
    bool all; /* there are too many to tell them apart */
};

/* The port of a device, as of the ports of then. */
struct cached {
    char device[IFNAMSIZ];
    uint64_t ports_changed;
    struct bridge_port *egress;
};

struct next_hops {
    struct routes *routes;
    struct neighbours *neighbours;
    struct next_hops_user user;
    struct routes_listener listener;
    struct loop_job job;
    struct open_hash by_query, by_id;
    TAILQ_HEAD(, hop) all, recent, todo;
    TAILQ_HEAD(, exit) exits;
    struct changes noted, walked; /* since the walk began; that it is about */
    struct hop *walk;             /* the next to look at; NULL: no walk */
    struct hop lost;              /* has the packets whose next hop was forgotten */
    struct cached cached[CACHED];
    uint64_t ports_changed, last_id;
    uint16_t udp_first, udp_last;
    struct next_hops_stats stats;
};

/* --- tables -------------------------------------------------------------- */

static uint32_t hash_query(const struct next_hop_query *query)
{
    uint64_t words[4], hash = hash_add(HASH_BASIS, query->mark);

    memcpy(words, &query->to, sizeof query->to);
    memcpy(words + 2, &query->from, sizeof query->from);
    for (unsigned i = 0; i < 4; i++)
        hash = hash_add(hash, words[i]);
    return hash_finish(hash);
}

static uint32_t hash_id(uint64_t id)
{
    return hash_finish(hash_add(HASH_BASIS, id));
}

static bool same_query(const struct next_hop_query *a, const struct next_hop_query *b)
{
    return IN6_ARE_ADDR_EQUAL(&a->to, &b->to) && IN6_ARE_ADDR_EQUAL(&a->from, &b->from) && a->mark == b->mark;
}

static struct slot *find_by_query(const struct next_hops *hops, const struct next_hop_query *query)
{
    uint32_t hash = hash_query(query), mask;
    struct slot *slots;

    for (unsigned i = 0; (slots = open_hash_array(&hops->by_query, i, &mask)); i++)
        for (uint32_t at = hash & mask; slots[at].hop; at = (at + 1) & mask)
            if (slots[at].hash == hash && same_query(&slots[at].hop->query, query))
                return &slots[at];
    return NULL;
}

static struct slot *find_by_id(const struct next_hops *hops, uint64_t id)
{
    uint32_t hash = hash_id(id), mask;
    struct slot *slots;

    for (unsigned i = 0; (slots = open_hash_array(&hops->by_id, i, &mask)); i++)
        for (uint32_t at = hash & mask; slots[at].hop; at = (at + 1) & mask)
            if (slots[at].hash == hash && slots[at].hop->pub.id == id)
                return &slots[at];
    return NULL;
}

static void hash_in(struct open_hash *table, struct hop *hop, uint32_t hash)
{
    struct slot *slot = open_hash_insert(table, type, hash);

    *slot = (struct slot){hop, hash};
}

static void put_todo(struct next_hops *hops, struct hop *hop)
{
    if (hop->in_todo)
        return;
    hop->in_todo = true;
    TAILQ_INSERT_TAIL(&hops->todo, hop, todo);
}

static void take_todo(struct next_hops *hops, struct hop *hop)
{
    if (!hop->in_todo)
        return;
    hop->in_todo = false;
    TAILQ_REMOVE(&hops->todo, hop, todo);
}

/* --- the bridge's port --------------------------------------------------- */

static bool is_way_out(const struct bridge_port *bp)
{
    return bp->kind == BRIDGE_PORT_DEVICE || bp->kind == BRIDGE_PORT_INTERNAL;
}

/* LOCAL of the bridge that is called so, else a port that is, or whose interface is. */
static struct bridge_port *port_of_device(const struct next_hops *hops, const char *device)
{
    struct bridge_port *bp;
    const struct exit *exit;

    TAILQ_FOREACH (exit, &hops->exits, node)
        if (!strcmp(exit->bridge->name, device) && exit->bridge->local)
            return exit->bridge->local;
    TAILQ_FOREACH (exit, &hops->exits, node)
        if ((bp = bridge_port_by_name(exit->bridge, device)) && is_way_out(bp))
            return bp;
    TAILQ_FOREACH (exit, &hops->exits, node)
        TAILQ_FOREACH (bp, &exit->bridge->ports, node)
            if (bp->port && !strcmp(bp->port->ifname, device))
                return bp;
    return NULL;
}

/* Most leave by the same few devices. */
static struct bridge_port *find_egress(struct next_hops *hops, const char *device)
{
    uint64_t hash = HASH_BASIS;

    for (const char *c = device; *c; c++)
        hash = hash_add(hash, (uint8_t)*c);
    struct cached *cached = &hops->cached[hash_finish(hash) % CACHED];
    if (cached->ports_changed != hops->ports_changed || strcmp(cached->device, device) != 0) {
        strcpy(cached->device, device);
        cached->ports_changed = hops->ports_changed;
        cached->egress = port_of_device(hops, device);
    }
    return cached->egress;
}

static struct exit *exit_of(const struct next_hops *hops, const struct bridge *bridge)
{
    struct exit *exit;

    TAILQ_FOREACH (exit, &hops->exits, node)
        if (exit->bridge == bridge)
            break;
    return exit;
}

/* --- deciding ------------------------------------------------------------ */

static bool is_set(const struct in6_addr *address)
{
    return !IN6_IS_ADDR_UNSPECIFIED(address);
}

static bool is_group(const struct in6_addr *ip)
{
    return IN6_IS_ADDR_V4MAPPED(ip) ? ip->s6_addr[12] >> 4 == 0xe : IN6_IS_ADDR_MULTICAST(ip);
}

/* RFC 1112, 6.4; RFC 2464, 7. */
static struct rte_ether_addr group_mac(const struct in6_addr *ip)
{
    const uint8_t *last = &ip->s6_addr[12];

    if (IN6_IS_ADDR_V4MAPPED(ip))
        return (struct rte_ether_addr){{0x01, 0x00, 0x5e, last[1] & 0x7f, last[2], last[3]}};
    return (struct rte_ether_addr){{0x33, 0x33, last[0], last[1], last[2], last[3]}};
}

/* All but the neighbour. NEXT_HOP_READY: that is to be found. */
static void decide_way(struct next_hops *hops, const struct next_hop_query *query, struct next_hop *next)
{
    struct routes_device device = {.ifindex = 0};
    struct route route;

    if (is_set(&query->from) && !routes_has_address(hops->routes, NULL, &query->from)) {
        next->state = NEXT_HOP_NOT_OURS;
        return;
    }
    if (!routes_lookup(hops->routes, query->mark, &query->to, &route) || route.local) {
        next->state = NEXT_HOP_NO_ROUTE;
        return;
    }
    memcpy(next->device, route.device, sizeof next->device);
    next->source = is_set(&query->from) ? query->from : route.source;
    next->via = is_set(&route.gateway) && !is_group(&query->to) ? route.gateway : query->to;
    next->egress = find_egress(hops, next->device);
    if (!next->egress) {
        next->state = NEXT_HOP_NO_BRIDGE;
        return;
    }
    routes_find_device(hops->routes, route.device, &device);
    next->mtu = device.mtu;
    next->src_mac = rte_is_zero_ether_addr(&device.mac) ? next->egress->mac : device.mac;
    next->state = NEXT_HOP_READY;
}

static bool watches(const struct hop *hop, const struct next_hop *next)
{
    const struct neighbour_watch *watch = &hop->watch;

    return watch->neighbour && watch->egress == next->egress && IN6_ARE_ADDR_EQUAL(&watch->neighbour->ip, &next->via) &&
           IN6_ARE_ADDR_EQUAL(&watch->from, &next->source) && rte_is_same_ether_addr(&watch->mac, &next->src_mac);
}

static void end_watch(struct next_hops *hops, struct hop *hop)
{
    if (hop->watch.neighbour)
        neighbours_unwatch(hops->neighbours, &hop->watch);
}

static void doubt(struct next_hops *hops, struct hop *hop)
{
    hop->doubtful = true;
    put_todo(hops, hop);
}

static void on_neighbour(struct neighbour_watch *watch)
{
    doubt(watch->arg, (struct hop *)((char *)watch - offsetof(struct hop, watch)));
}

static void watch_neighbour(struct next_hops *hops, struct hop *hop, const struct next_hop *next)
{
    if (watches(hop, next))
        return;
    end_watch(hops, hop);
    hop->watch = (struct neighbour_watch){
        .egress = next->egress, .from = next->source, .mac = next->src_mac, .changed = on_neighbour, .arg = hops};
    neighbours_watch(hops->neighbours, &hop->watch, &next->via);
}

static void decide_neighbour(struct next_hops *hops, struct hop *hop, struct next_hop *next)
{
    static const enum next_hop_state state[] = {
        [NEIGHBOUR_ASKED] = NEXT_HOP_ASKING,
        [NEIGHBOUR_SILENT] = NEXT_HOP_UNREACHABLE,
        [NEIGHBOUR_KNOWN] = NEXT_HOP_READY,
    };
    const struct neighbour *neighbour;

    watch_neighbour(hops, hop, next);
    neighbour = hop->watch.neighbour;
    next->state = state[neighbour->state];
    if (next->state == NEXT_HOP_READY)
        next->dst_mac = neighbour->mac;
}

static void set_exit(struct hop *hop, struct exit *exit)
{
    if (hop->exit == exit)
        return;
    if (hop->exit)
        LIST_REMOVE(hop, here);
    hop->exit = exit;
    if (exit)
        LIST_INSERT_HEAD(&exit->leaving, hop, here);
}

static void decide(struct next_hops *hops, struct hop *hop)
{
    struct next_hop next = {
        .id = hop->pub.id, .udp_first = hops->udp_first, .udp_n = (uint16_t)(hops->udp_last - hops->udp_first + 1)};

    hop->doubtful = false;
    decide_way(hops, &hop->query, &next);
    if (next.state == NEXT_HOP_READY && !is_group(&next.via))
        decide_neighbour(hops, hop, &next);
    else
        end_watch(hops, hop);
    if (next.state == NEXT_HOP_READY && is_group(&next.via))
        next.dst_mac = group_mac(&next.via);
    set_exit(hop, next.egress ? exit_of(hops, next.egress->bridge) : NULL);
    hop->pub = next;
}

static bool differs(const struct next_hop *a, const struct next_hop *b)
{
    return a->state != b->state || a->egress != b->egress || a->mtu != b->mtu || a->udp_first != b->udp_first ||
           a->udp_n != b->udp_n || !IN6_ARE_ADDR_EQUAL(&a->source, &b->source) ||
           !IN6_ARE_ADDR_EQUAL(&a->via, &b->via) || !rte_is_same_ether_addr(&a->src_mac, &b->src_mac) ||
           !rte_is_same_ether_addr(&a->dst_mac, &b->dst_mac) || strcmp(a->device, b->device) != 0;
}

static void decide_again(struct next_hops *hops, struct hop *hop)
{
    const struct next_hop before = hop->pub;

    decide(hops, hop);
    hops->stats.decided++;
    if (differs(&before, &hop->pub)) {
        hops->stats.changed++;
        hop->untold = true;
    }
    if (hop->untold || (hop->n_waiting > 0 && hop->pub.state != NEXT_HOP_ASKING))
        put_todo(hops, hop);
}

/* --- changes ------------------------------------------------------------- */

static void note(struct next_hops *hops, const struct in6_addr *prefix, uint8_t length, const char *device)
{
    struct changes *noted = &hops->noted;

    if (noted->n == CHANGES_MAX) {
        noted->all = true;
        return;
    }
    struct change *change = &noted->change[noted->n++];
    *change = (struct change){.prefix = *prefix, .length = length};
    strncpy(change->device, device, sizeof change->device - 1);
}

static void on_route(void *arg, const struct routes_change *change)
{
    note(arg, &change->prefix, change->length, change->device);
}

/* Only devices of the kernel's have routes. */
static void note_device(struct next_hops *hops, const char *device)
{
    struct routes_device found;

    if (*device && routes_find_device(hops->routes, device, &found))
        note(hops, &in6addr_any, 128, device);
}

static void note_port(const struct exit *exit, const struct bridge_port *bp)
{
    struct next_hops *hops = exit->hops;

    hops->ports_changed++;
    note_device(hops, bp->name);
    if (bp == exit->bridge->local)
        note_device(hops, exit->bridge->name);
    if (bp->port)
        note_device(hops, bp->port->ifname);
}

static void on_port_added(void *arg, struct bridge_port *bp)
{
    note_port(arg, bp);
}

/* It may have a device now, or another one. */
static void on_port_changed(void *arg, struct bridge_port *bp, unsigned what)
{
    if (what & BRIDGE_PORT_LINK)
        note_port(arg, bp);
}

/* Nothing may name the port from now on. */
static void on_port_removed(void *arg, struct bridge_port *bp)
{
    struct exit *exit = arg;
    struct hop *hop, *next;

    for (hop = LIST_FIRST(&exit->leaving); hop; hop = next) {
        next = LIST_NEXT(hop, here);
        if (hop->pub.egress != bp)
            continue;
        end_watch(exit->hops, hop);
        set_exit(hop, NULL);
        hop->pub.egress = NULL;
        hop->pub.state = NEXT_HOP_NO_BRIDGE;
        hop->untold = true;
        doubt(exit->hops, hop);
    }
    exit->hops->ports_changed++;
}

static bool is_within(const struct in6_addr *address, const struct change *change)
{
    unsigned whole = change->length / 8, rest = change->length % 8;

    return memcmp(address, &change->prefix, whole) == 0 &&
           (rest == 0 || (address->s6_addr[whole] ^ change->prefix.s6_addr[whole]) >> (8 - rest) == 0);
}

static bool concerns(const struct changes *changes, const struct hop *hop)
{
    if (changes->all)
        return true;
    for (unsigned i = 0; i < changes->n; i++) {
        const struct change *change = &changes->change[i];

        if (is_within(&hop->query.to, change) || (is_set(&hop->query.from) && is_within(&hop->query.from, change)) ||
            (is_set(&hop->pub.source) && is_within(&hop->pub.source, change)) ||
            (*change->device && !strcmp(change->device, hop->pub.device)))
            return true;
    }
    return false;
}

static bool has_changes(const struct changes *changes)
{
    return changes->n > 0 || changes->all;
}

static bool begin_walk(struct next_hops *hops)
{
    if (!has_changes(&hops->noted))
        return false;
    hops->walked = hops->noted;
    hops->noted.n = 0;
    hops->noted.all = false;
    hops->walk = TAILQ_FIRST(&hops->all);
    return hops->walk;
}

static void walk_on(struct next_hops *hops)
{
    struct hop *hop = hops->walk;

    hops->walk = TAILQ_NEXT(hop, node);
    if (concerns(&hops->walked, hop))
        decide_again(hops, hop);
}

/* --- packets that wait --------------------------------------------------- */

/* Returns the packets of `hop` to the user. */
static void release(struct next_hops *hops, struct hop *hop)
{
    struct rte_mbuf **packets = hop->waiting;
    unsigned n = hop->n_waiting;

    hops->stats.n_waiting -= n;
    hop->waiting = NULL;
    hop->n_waiting = 0;
    for (unsigned i = 0; i < n; i++)
        hops->user.go(hops->user.arg, packets[i]);
    free(packets);
}

bool next_hop_wait(struct next_hops *hops, uint64_t id, struct rte_mbuf *packet)
{
    const struct slot *slot = find_by_id(hops, id);
    struct hop *hop = slot ? slot->hop : &hops->lost;

    if (hops->stats.n_waiting >= NEXT_HOPS_WAIT_MAX || hop->n_waiting >= NEXT_HOP_WAIT_MAX) {
        hops->stats.not_waited++;
        return false;
    }
    if (!hop->waiting)
        hop->waiting = mem_calloc(NEXT_HOP_WAIT_MAX, sizeof *hop->waiting);
    hop->waiting[hop->n_waiting++] = packet;
    hops->stats.n_waiting++;
    hops->stats.waited++;
    if (hop->pub.state != NEXT_HOP_ASKING)
        put_todo(hops, hop);
    return true;
}

/* --- one next hop -------------------------------------------------------- */

static void forget(struct next_hops *hops, struct hop *hop)
{
    end_watch(hops, hop);
    set_exit(hop, NULL);
    take_todo(hops, hop);
    if (hops->walk == hop)
        hops->walk = TAILQ_NEXT(hop, node);
    open_hash_remove(&hops->by_query, type, find_by_query(hops, &hop->query));
    open_hash_remove(&hops->by_id, type, find_by_id(hops, hop->pub.id));
    TAILQ_REMOVE(&hops->all, hop, node);
    TAILQ_REMOVE(&hops->recent, hop, recent);
    hops->stats.n--;
    free(hop);
}

static void note_use(struct next_hops *hops, struct hop *hop, uint64_t now_ms)
{
    hop->found_ms = now_ms;
    TAILQ_REMOVE(&hops->recent, hop, recent);
    TAILQ_INSERT_TAIL(&hops->recent, hop, recent);
}

/* The one that was not asked for for the longest time, if that is `age_ms`. False: there is none. */
static bool forget_one(struct next_hops *hops, uint64_t age_ms)
{
    struct hop *hop = TAILQ_FIRST(&hops->recent);
    uint64_t now_ms = clock_now_ms();

    if (!hop || now_ms - hop->found_ms < age_ms)
        return false;
    if (hop->n_waiting > 0 || hops->user.wanted(hops->user.arg, hop->pub.id))
        note_use(hops, hop, now_ms);
    else
        forget(hops, hop);
    return true;
}

static struct hop *add(struct next_hops *hops, const struct next_hop_query *query)
{
    struct hop *hop;

    if (hops->stats.n >= NEXT_HOPS_MAX)
        forget_one(hops, FULL_MS);
    if (hops->stats.n >= NEXT_HOPS_MAX)
        return NULL;
    hop = mem_calloc(1, sizeof *hop);
    hop->query = *query;
    hop->pub.id = ++hops->last_id;
    hop->found_ms = clock_now_ms();
    hash_in(&hops->by_query, hop, hash_query(query));
    hash_in(&hops->by_id, hop, hash_id(hop->pub.id));
    TAILQ_INSERT_TAIL(&hops->all, hop, node);
    TAILQ_INSERT_TAIL(&hops->recent, hop, recent);
    hops->stats.n++;
    decide(hops, hop);
    return hop;
}

const struct next_hop *next_hop_find(struct next_hops *hops, const struct next_hop_query *query)
{
    const struct slot *slot = find_by_query(hops, query);
    struct hop *hop = slot ? slot->hop : add(hops, query);

    if (!slot)
        return hop ? &hop->pub : NULL;
    note_use(hops, hop, clock_now_ms());
    if (hop->doubtful || hops->walk || has_changes(&hops->noted))
        decide_again(hops, hop);
    return &hop->pub;
}

/* --- the loop ------------------------------------------------------------ */

static void run_todo(struct next_hops *hops, struct hop *hop)
{
    if (hop->doubtful)
        decide_again(hops, hop);
    take_todo(hops, hop);
    if (hop->untold) {
        hop->untold = false;
        hops->stats.told++;
        hops->user.changed(hops->user.arg, hop->pub.id);
    }
    if (hop->n_waiting > 0 && hop->pub.state != NEXT_HOP_ASKING)
        release(hops, hop);
}

/* False: there is nothing to do. */
static bool run_one(struct next_hops *hops)
{
    if (!TAILQ_EMPTY(&hops->todo))
        run_todo(hops, TAILQ_FIRST(&hops->todo));
    else if (hops->walk || begin_walk(hops))
        for (unsigned i = 0; i < LOOK_AT && hops->walk; i++)
            walk_on(hops);
    else
        return forget_one(hops, FORGET_MS);
    return true;
}

static unsigned run(void *arg, uint64_t budget_us)
{
    const uint64_t end_us = clock_now_us() + budget_us;

    while (run_one(arg))
        if (clock_now_us() >= end_us)
            return LOOP_MORE;
    return 0;
}

static uint64_t due_us(void *arg)
{
    const struct next_hops *hops = arg;
    const struct hop *oldest = TAILQ_FIRST(&hops->recent);
    uint64_t now_ms = clock_now_ms();

    if (!TAILQ_EMPTY(&hops->todo) || hops->walk || has_changes(&hops->noted))
        return 0;
    if (!oldest)
        return UINT64_MAX;
    return oldest->found_ms + FORGET_MS > now_ms ? (oldest->found_ms + FORGET_MS - now_ms) * 1000 : 0;
}

/* --- as a whole ---------------------------------------------------------- */

void next_hops_attach(struct next_hops *hops, struct bridge *bridge)
{
    struct exit *exit = mem_calloc(1, sizeof *exit);
    struct bridge_port *bp;

    exit->hops = hops;
    exit->bridge = bridge;
    exit->listener = (struct bridge_listener){
        .arg = exit, .port_added = on_port_added, .port_removed = on_port_removed, .port_changed = on_port_changed};
    LIST_INIT(&exit->leaving);
    TAILQ_INSERT_TAIL(&hops->exits, exit, node);
    bridge_listen(bridge, &exit->listener);
    TAILQ_FOREACH (bp, &bridge->ports, node)
        note_port(exit, bp);
}

static void free_exit(struct next_hops *hops, struct exit *exit)
{
    bridge_unlisten(exit->bridge, &exit->listener);
    TAILQ_REMOVE(&hops->exits, exit, node);
    free(exit);
}

void next_hops_detach(struct next_hops *hops, struct bridge *bridge)
{
    free_exit(hops, exit_of(hops, bridge));
    neighbours_forget_bridge(hops->neighbours, bridge);
}

struct next_hops *next_hops_create(struct loop *loop, struct routes *routes, struct neighbours *neighbours,
                                   const struct next_hops_user *user)
{
    struct next_hops *hops = mem_calloc(1, sizeof *hops);

    hops->routes = routes;
    hops->neighbours = neighbours;
    hops->user = *user;
    hops->ports_changed = 1;
    hops->udp_first = NEXT_HOPS_UDP_FIRST;
    hops->udp_last = NEXT_HOPS_UDP_LAST;
    hops->lost.pub.state = NEXT_HOP_NO_ROUTE;
    TAILQ_INIT(&hops->all);
    TAILQ_INIT(&hops->recent);
    TAILQ_INIT(&hops->todo);
    TAILQ_INIT(&hops->exits);
    hops->listener = (struct routes_listener){.arg = hops, .changed = on_route};
    routes_listen(routes, &hops->listener);
    hops->job = (struct loop_job){
        .name = "next hops", .phase = LOOP_CHANGES, .budget_us = BUDGET_US, .arg = hops, .run = run, .due_us = due_us};
    loop_add(loop, &hops->job);
    return hops;
}

static void free_waiting(struct hop *hop)
{
    for (unsigned i = 0; i < hop->n_waiting; i++)
        rte_pktmbuf_free(hop->waiting[i]);
    free(hop->waiting);
}

void next_hops_destroy(struct next_hops *hops)
{
    struct exit *exit;
    struct hop *hop;

    if (!hops)
        return;
    loop_remove(&hops->job);
    routes_unlisten(hops->routes, &hops->listener);
    free_waiting(&hops->lost);
    while ((hop = TAILQ_FIRST(&hops->all))) {
        free_waiting(hop);
        forget(hops, hop);
    }
    while ((exit = TAILQ_FIRST(&hops->exits)))
        free_exit(hops, exit);
    open_hash_free(&hops->by_query, type);
    open_hash_free(&hops->by_id, type);
    free(hops);
}

void next_hops_set_udp_range(struct next_hops *hops, uint16_t first, uint16_t last)
{
    hops->udp_first = first;
    hops->udp_last = last;
    hops->noted.all = true;
}

void next_hops_udp_range(const struct next_hops *hops, uint16_t *first, uint16_t *last)
{
    *first = hops->udp_first;
    *last = hops->udp_last;
}

struct bridge_port *next_hops_port_of(struct next_hops *hops, const char *device)
{
    return find_egress(hops, device);
}

void next_hops_get_stats(const struct next_hops *hops, struct next_hops_stats *stats)
{
    *stats = hops->stats;
}

const struct next_hop *next_hops_next(const struct next_hops *hops, size_t *position, struct next_hop_query *query)
{
    const struct slot *slots;
    size_t before = 0;
    uint32_t mask;

    for (unsigned i = 0; (slots = open_hash_array(&hops->by_id, i, &mask)); i++, before += (size_t)mask + 1) {
        while (*position < before + mask + 1) {
            const struct hop *hop = slots[(*position)++ - before].hop;

            if (!hop)
                continue;
            *query = hop->query;
            return &hop->pub;
        }
    }
    return NULL;
}
