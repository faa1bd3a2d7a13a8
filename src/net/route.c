#include "src/net/route.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "pmd/base/hash.h"
#include "pmd/base/mem.h"
#include "pmd/base/open_hash.h"

#define LENGTHS 129
#define RECLAIM 64 /* in one step */
/* By how many bits of prefix a route goes before others. */
#define LOCAL_BITS 64
#define USER_BITS 32

/* One thing that the kernel said, or an operator. */
struct entry {
    TAILQ_ENTRY(entry) node; /* of what the kernel said, the least recently said first */
    uint64_t reading;        /* the last that brought it */
    enum { ROUTE, ADDRESS, DEVICE, GATEWAYS } kind;
    bool local, user;
    uint8_t length;
    int ifindex; /* of an operator's route: 0 */
    uint32_t mark, metric;
    struct in6_addr prefix; /* also the address */
    union {
        struct {
            struct in6_addr gateway, source; /* of routes */
        };
        struct { /* of devices */
            struct rte_ether_addr mac;
            uint16_t mtu;
        };
        uint32_t n; /* GATEWAYS: how many routes by a gateway the kernel has on the device */
    };
    char device[IFNAMSIZ]; /* of devices and operators' routes */
};

struct slot {
    struct entry *entry; /* NULL: empty */
    uint32_t hash;
};

static const struct open_hash_type type = {sizeof(struct slot), offsetof(struct slot, hash)};

struct routes {
    struct open_hash hash; /* routes by prefix, addresses by ifindex and address, devices by ifindex and name */
    uint64_t reading;      /* under way */
    uint64_t visible;      /* what was not brought by this reading or a later one is not there any more */
    TAILQ_HEAD(entries, entry) told, users, gateways; /* each entry is in one of them */
    TAILQ_HEAD(, routes_listener) listeners;
    uint32_t of_length[LENGTHS]; /* routes */
};

/* --- entries ------------------------------------------------------------- */

static uint32_t hash_prefix(const struct in6_addr *prefix, uint8_t length)
{
    uint64_t words[2];

    memcpy(words, prefix, sizeof words);
    return hash_finish(hash_add(hash_add(hash_add(HASH_BASIS, words[0]), words[1]), length));
}

static uint32_t hash_index(int kind, int ifindex)
{
    return hash_finish(hash_add(hash_add(HASH_BASIS, (uint64_t)kind + 1), (uint64_t)ifindex));
}

static uint32_t hash_of(const struct entry *entry)
{
    return entry->kind == ROUTE ? hash_prefix(&entry->prefix, entry->length) : hash_index(entry->kind, entry->ifindex);
}

static uint32_t hash_address(const struct in6_addr *address)
{
    return hash_prefix(address, UINT8_MAX);
}

/* Bytes behind the end of the name count, too. */
static uint32_t hash_name(const char name[IFNAMSIZ])
{
    char whole[IFNAMSIZ] = "";
    uint64_t words[IFNAMSIZ / 8];

    strcpy(whole, name);
    memcpy(words, whole, sizeof words);
    return hash_finish(hash_add(hash_add(hash_add(HASH_BASIS, words[0]), words[1]), DEVICE));
}

/* What else an entry is found by. */
static bool has_second_hash(const struct entry *entry)
{
    return entry->kind == ADDRESS || entry->kind == DEVICE;
}

static uint32_t second_hash_of(const struct entry *entry)
{
    return entry->kind == ADDRESS ? hash_address(&entry->prefix) : hash_name(entry->device);
}

static bool is_visible(const struct routes *routes, const struct entry *entry)
{
    return entry->user || entry->reading >= routes->visible;
}

/* Walks the entries of a hash, visible or not. */
struct walk {
    const struct routes *routes;
    struct slot *slots;
    uint32_t hash, mask, at;
    unsigned array;
};

static void walk_array(struct walk *walk)
{
    walk->slots = open_hash_array(&walk->routes->hash, walk->array++, &walk->mask);
    walk->at = walk->hash & walk->mask;
}

static struct walk walk_begin(const struct routes *routes, uint32_t hash)
{
    struct walk walk = {.routes = routes, .hash = hash};

    walk_array(&walk);
    return walk;
}

static struct slot *walk_next(struct walk *walk)
{
    while (walk->slots) {
        struct slot *slot = &walk->slots[walk->at];

        if (!slot->entry) {
            walk_array(walk);
            continue;
        }
        walk->at = (walk->at + 1) & walk->mask;
        if (slot->hash == walk->hash)
            return slot;
    }
    return NULL;
}

static bool same(const struct entry *a, const struct entry *b)
{
    return a->kind == b->kind && a->local == b->local && a->user == b->user && a->length == b->length &&
           a->ifindex == b->ifindex && a->mark == b->mark && a->metric == b->metric &&
           IN6_ARE_ADDR_EQUAL(&a->prefix, &b->prefix) &&
           (a->kind != ROUTE || a->user || IN6_ARE_ADDR_EQUAL(&a->gateway, &b->gateway));
}

static struct slot *find(const struct routes *routes, const struct entry *like)
{
    struct walk walk = walk_begin(routes, hash_of(like));
    struct slot *slot;

    while ((slot = walk_next(&walk)))
        if (same(slot->entry, like))
            return slot;
    return NULL;
}

static void hash_in(struct routes *routes, struct entry *entry, uint32_t hash)
{
    struct slot *slot = open_hash_insert(&routes->hash, type, hash);

    *slot = (struct slot){entry, hash};
}

static void hash_out(struct routes *routes, const struct entry *entry, uint32_t hash)
{
    struct walk walk = walk_begin(routes, hash);
    struct slot *slot;

    while ((slot = walk_next(&walk)) && slot->entry != entry)
        continue;
    open_hash_remove(&routes->hash, type, slot);
}

/* --- changes ------------------------------------------------------------- */

static bool is_set(const struct in6_addr *address)
{
    return !IN6_IS_ADDR_UNSPECIFIED(address);
}

static void tell(const struct routes *routes, const struct routes_change *change)
{
    const struct routes_listener *listener;

    TAILQ_FOREACH (listener, &routes->listeners, node)
        listener->changed(listener->arg, change);
}

static void tell_route(const struct routes *routes, const struct entry *entry)
{
    const struct routes_change change = {.what = ROUTES_ROUTE, .prefix = entry->prefix, .length = entry->length};

    tell(routes, &change);
}

static const struct entry *find_device(const struct routes *routes, int ifindex)
{
    struct walk walk = walk_begin(routes, hash_index(DEVICE, ifindex));
    const struct slot *slot;

    while ((slot = walk_next(&walk)))
        if (slot->entry->kind == DEVICE && slot->entry->ifindex == ifindex && is_visible(routes, slot->entry))
            return slot->entry;
    return NULL;
}

static struct entry *gateways_of(const struct routes *routes, int ifindex)
{
    const struct entry like = {.kind = GATEWAYS, .user = true, .ifindex = ifindex};
    const struct slot *slot = find(routes, &like);

    return slot ? slot->entry : NULL;
}

static bool has_gateways(const struct routes *routes, int ifindex, const char *device)
{
    const struct entry *entry;

    if (gateways_of(routes, ifindex))
        return true;
    TAILQ_FOREACH (entry, &routes->users, node)
        if (is_set(&entry->gateway) && !strcmp(entry->device, device))
            return true;
    return false;
}

/* Routes of the device count with an address in the network of their prefix or their gateway. A gateway's may be those
 * of any address. */
static void tell_address(const struct routes *routes, const struct entry *entry)
{
    struct routes_change change = {.what = ROUTES_ADDRESS, .prefix = entry->prefix, .length = entry->length};
    const struct entry *device = find_device(routes, entry->ifindex);

    if (device)
        memcpy(change.device, device->device, sizeof change.device);
    if (has_gateways(routes, entry->ifindex, change.device)) {
        change.prefix = in6addr_any;
        change.length = 0;
    }
    tell(routes, &change);
}

/* Operators' routes name their device. */
static void tell_device(const struct routes *routes, const struct entry *entry)
{
    struct routes_change change = {.what = ROUTES_DEVICE, .length = 128};
    const struct entry *user;

    memcpy(change.device, entry->device, sizeof change.device);
    tell(routes, &change);
    TAILQ_FOREACH (user, &routes->users, node)
        if (!strcmp(user->device, entry->device))
            tell_route(routes, user);
}

static void tell_entry(const struct routes *routes, const struct entry *entry)
{
    if (entry->kind == ROUTE)
        tell_route(routes, entry);
    else if (entry->kind == ADDRESS)
        tell_address(routes, entry);
    else
        tell_device(routes, entry);
}

/* Whether what does not identify an entry is another. */
static bool differs(const struct entry *a, const struct entry *b)
{
    if (a->kind == DEVICE)
        return strcmp(a->device, b->device) != 0 || !rte_is_same_ether_addr(&a->mac, &b->mac) || a->mtu != b->mtu;
    return a->kind == ROUTE && (!IN6_ARE_ADDR_EQUAL(&a->source, &b->source) ||
                                !IN6_ARE_ADDR_EQUAL(&a->gateway, &b->gateway) || strcmp(a->device, b->device) != 0);
}

void routes_listen(struct routes *routes, struct routes_listener *listener)
{
    TAILQ_INSERT_TAIL(&routes->listeners, listener, node);
}

void routes_unlisten(struct routes *routes, struct routes_listener *listener)
{
    TAILQ_REMOVE(&routes->listeners, listener, node);
}

/* --- what there is ------------------------------------------------------- */

static void count_gateway(struct routes *routes, const struct entry *entry, int by)
{
    struct entry *gateways;

    if (entry->kind != ROUTE || entry->user || !is_set(&entry->gateway))
        return;
    gateways = gateways_of(routes, entry->ifindex);
    if (!gateways) {
        gateways = mem_calloc(1, sizeof *gateways);
        *gateways = (struct entry){.kind = GATEWAYS, .user = true, .ifindex = entry->ifindex};
        hash_in(routes, gateways, hash_of(gateways));
        TAILQ_INSERT_TAIL(&routes->gateways, gateways, node);
    }
    gateways->n += (uint32_t)by;
    if (gateways->n == 0) {
        hash_out(routes, gateways, hash_of(gateways));
        TAILQ_REMOVE(&routes->gateways, gateways, node);
        free(gateways);
    }
}

static void link_entry(struct routes *routes, struct entry *entry)
{
    if (entry->user)
        TAILQ_INSERT_TAIL(&routes->users, entry, node);
    else
        TAILQ_INSERT_TAIL(&routes->told, entry, node);
}

static void unlink_entry(struct routes *routes, struct entry *entry)
{
    if (entry->user)
        TAILQ_REMOVE(&routes->users, entry, node);
    else
        TAILQ_REMOVE(&routes->told, entry, node);
}

static void add(struct routes *routes, const struct entry *entry)
{
    struct entry *added = mem_calloc(1, sizeof *added);

    *added = *entry;
    link_entry(routes, added);
    hash_in(routes, added, hash_of(added));
    if (has_second_hash(added))
        hash_in(routes, added, second_hash_of(added));
    if (added->kind == ROUTE)
        routes->of_length[added->length]++;
    count_gateway(routes, added, 1);
    tell_entry(routes, added);
}

static void replace(struct routes *routes, struct entry *kept, const struct entry *by)
{
    const struct entry before = *kept;
    bool changed = differs(&before, by);

    if (changed && kept->kind == DEVICE)
        hash_out(routes, kept, second_hash_of(kept));
    unlink_entry(routes, kept);
    *kept = *by;
    link_entry(routes, kept);
    if (changed && kept->kind == DEVICE)
        hash_in(routes, kept, second_hash_of(kept));
    if (changed && kept->kind == DEVICE && strcmp(before.device, kept->device))
        tell_device(routes, &before);
    if (changed || !is_visible(routes, &before))
        tell_entry(routes, kept);
}

/* A copy of `entry` takes the place of one that is the same but for what does not identify it. */
static void put(struct routes *routes, const struct entry *entry)
{
    const struct slot *slot = find(routes, entry);

    if (slot)
        replace(routes, slot->entry, entry);
    else
        add(routes, entry);
}

static void drop(struct routes *routes, struct entry *entry)
{
    hash_out(routes, entry, hash_of(entry));
    if (has_second_hash(entry))
        hash_out(routes, entry, second_hash_of(entry));
    if (entry->kind == ROUTE)
        routes->of_length[entry->length]--;
    count_gateway(routes, entry, -1);
    unlink_entry(routes, entry);
    tell_entry(routes, entry);
    free(entry);
}

struct routes *routes_create(void)
{
    struct routes *routes = mem_calloc(1, sizeof *routes);

    routes->reading = 1;
    TAILQ_INIT(&routes->told);
    TAILQ_INIT(&routes->users);
    TAILQ_INIT(&routes->gateways);
    TAILQ_INIT(&routes->listeners);
    return routes;
}

static void free_entries(struct entries *entries)
{
    struct entry *entry;

    while ((entry = TAILQ_FIRST(entries))) {
        TAILQ_REMOVE(entries, entry, node);
        free(entry);
    }
}

void routes_destroy(struct routes *routes)
{
    if (!routes)
        return;
    free_entries(&routes->told);
    free_entries(&routes->users);
    free_entries(&routes->gateways);
    open_hash_free(&routes->hash, type);
    free(routes);
}

/* --- addresses ----------------------------------------------------------- */

static struct in6_addr masked(const struct in6_addr *address, uint8_t length)
{
    struct in6_addr prefix = *address;

    for (unsigned i = 0; i < sizeof prefix.s6_addr; i++)
        if (8 * (i + 1) > length)
            prefix.s6_addr[i] &= 8 * i >= length ? 0 : (uint8_t)(0xff00 >> (length - 8 * i));
    return prefix;
}

static bool within(const struct in6_addr *address, const struct in6_addr *network, uint8_t length)
{
    struct in6_addr a = masked(address, length), b = masked(network, length);

    return IN6_ARE_ADDR_EQUAL(&a, &b);
}

/* The device's address whose network is the smallest that `to` is in. */
static bool find_source(const struct routes *routes, int ifindex, const struct in6_addr *to, struct in6_addr *source)
{
    struct walk walk = walk_begin(routes, hash_index(ADDRESS, ifindex));
    const struct slot *slot;
    int best = -1;

    while ((slot = walk_next(&walk))) {
        const struct entry *entry = slot->entry;

        if (entry->kind != ADDRESS || entry->ifindex != ifindex || !is_visible(routes, entry) ||
            entry->length <= best || IN6_IS_ADDR_V4MAPPED(&entry->prefix) != IN6_IS_ADDR_V4MAPPED(to) ||
            !within(to, &entry->prefix, entry->length))
            continue;
        best = entry->length;
        *source = entry->prefix;
    }
    return best >= 0;
}

static const struct entry *find_device_by_name(const struct routes *routes, const char *name)
{
    const struct slot *slot;
    struct walk walk;

    if (strlen(name) >= IFNAMSIZ)
        return NULL;
    walk = walk_begin(routes, hash_name(name));
    while ((slot = walk_next(&walk)))
        if (slot->entry->kind == DEVICE && !strcmp(slot->entry->device, name) && is_visible(routes, slot->entry))
            return slot->entry;
    return NULL;
}

/* ifindex 0: of any device. */
static bool has_address(const struct routes *routes, int ifindex, const struct in6_addr *address)
{
    struct walk walk = walk_begin(routes, hash_address(address));
    const struct slot *slot;

    while ((slot = walk_next(&walk)))
        if (slot->entry->kind == ADDRESS && IN6_ARE_ADDR_EQUAL(&slot->entry->prefix, address) &&
            (ifindex == 0 || slot->entry->ifindex == ifindex) && is_visible(routes, slot->entry))
            return true;
    return false;
}

bool routes_find_device(const struct routes *routes, const char *name, struct routes_device *device)
{
    const struct entry *entry = find_device_by_name(routes, name);

    if (!entry)
        return false;
    *device = (struct routes_device){.ifindex = entry->ifindex, .mac = entry->mac, .mtu = entry->mtu};
    memcpy(device->name, entry->device, sizeof device->name);
    return true;
}

const char *routes_device_name(const struct routes *routes, int ifindex)
{
    const struct entry *entry = find_device(routes, ifindex);

    return entry ? entry->device : NULL;
}

static bool has_some_address(const struct routes *routes, int ifindex)
{
    struct walk walk = walk_begin(routes, hash_index(ADDRESS, ifindex));
    const struct slot *slot;

    while ((slot = walk_next(&walk)))
        if (slot->entry->kind == ADDRESS && slot->entry->ifindex == ifindex && is_visible(routes, slot->entry))
            return true;
    return false;
}

bool routes_has_address(const struct routes *routes, const char *device, const struct in6_addr *address)
{
    const struct entry *entry = device ? find_device_by_name(routes, device) : NULL;

    if (device && !entry)
        return false;
    return address ? has_address(routes, entry ? entry->ifindex : 0, address)
                   : entry && has_some_address(routes, entry->ifindex);
}

static bool source_of(const struct routes *routes, const struct entry *entry, int ifindex, struct in6_addr *source)
{
    if (is_set(&entry->source) && has_address(routes, 0, &entry->source)) {
        *source = entry->source;
        return true;
    }
    return find_source(routes, ifindex, &entry->prefix, source) ||
           (is_set(&entry->gateway) && find_source(routes, ifindex, &entry->gateway, source));
}

/* False: it leads nowhere. */
static bool resolve(const struct routes *routes, const struct entry *entry, struct route *route)
{
    const struct entry *device =
        entry->user ? find_device_by_name(routes, entry->device) : find_device(routes, entry->ifindex);

    if (!device)
        return false;
    *route = (struct route){.prefix = entry->prefix,
                            .gateway = entry->gateway,
                            .length = entry->length,
                            .mark = entry->mark,
                            .local = entry->local,
                            .user = entry->user};
    memcpy(route->device, device->device, sizeof route->device);
    return source_of(routes, entry, device->ifindex, &route->source);
}

/* --- routes -------------------------------------------------------------- */

static unsigned rank_of(const struct entry *entry)
{
    return entry->length + (entry->local ? LOCAL_BITS : entry->user ? USER_BITS : 0);
}

static bool better(const struct entry *a, const struct entry *b)
{
    return !b || rank_of(a) > rank_of(b) || (rank_of(a) == rank_of(b) && a->metric < b->metric);
}

/* The best route of that prefix that leads somewhere, if it is better than `best`. */
static const struct entry *best_of(const struct routes *routes, const struct in6_addr *prefix, uint8_t length,
                                   uint32_t mark, const struct entry *best, struct route *route)
{
    struct walk walk = walk_begin(routes, hash_prefix(prefix, length));
    struct route candidate;
    const struct slot *slot;

    while ((slot = walk_next(&walk))) {
        const struct entry *entry = slot->entry;

        if (entry->kind != ROUTE || entry->length != length || entry->mark != mark || !is_visible(routes, entry) ||
            !IN6_ARE_ADDR_EQUAL(&entry->prefix, prefix) || !better(entry, best) || !resolve(routes, entry, &candidate))
            continue;
        best = entry;
        *route = candidate;
    }
    return best;
}

bool routes_lookup(const struct routes *routes, uint32_t mark, const struct in6_addr *to, struct route *route)
{
    /* The mapped addresses of IPv4 are not within IPv6's ::/0. */
    int shortest = IN6_IS_ADDR_V4MAPPED(to) ? 96 : 0;
    const struct entry *best = NULL;

    for (int length = LENGTHS - 1; length >= shortest; length--) {
        struct in6_addr prefix;

        if (routes->of_length[length] == 0 || (best && rank_of(best) >= (unsigned)length + LOCAL_BITS))
            continue;
        prefix = masked(to, (uint8_t)length);
        best = best_of(routes, &prefix, (uint8_t)length, mark, best, route);
    }
    return best != NULL;
}

/* The next entry of that kind that counts; NULL: that was all. */
static const struct entry *next_entry(const struct routes *routes, size_t *position, unsigned kind)
{
    struct slot *slots;
    size_t before = 0;
    uint32_t mask;

    for (unsigned i = 0; (slots = open_hash_array(&routes->hash, i, &mask)); i++, before += (size_t)mask + 1) {
        while (*position < before + mask + 1) {
            const struct slot *slot = &slots[(*position)++ - before];

            if (slot->entry && slot->entry->kind == kind && slot->hash == hash_of(slot->entry) &&
                is_visible(routes, slot->entry))
                return slot->entry;
        }
    }
    return NULL;
}

bool routes_next(const struct routes *routes, size_t *position, struct route *route)
{
    const struct entry *entry;

    while ((entry = next_entry(routes, position, ROUTE)))
        if (resolve(routes, entry, route))
            return true;
    return false;
}

bool routes_next_address(const struct routes *routes, size_t *position, struct in6_addr *address, char device[IFNAMSIZ])
{
    const struct entry *entry, *of;

    while ((entry = next_entry(routes, position, ADDRESS))) {
        of = find_device(routes, entry->ifindex);
        if (!of)
            continue;
        *address = entry->prefix;
        memcpy(device, of->device, IFNAMSIZ);
        return true;
    }
    return false;
}

static struct entry user_entry(const struct in6_addr *prefix, uint8_t length, uint32_t mark)
{
    return (struct entry){
        .kind = ROUTE, .user = true, .length = length, .mark = mark, .prefix = masked(prefix, length)};
}

int routes_add(struct routes *routes, const struct in6_addr *prefix, uint8_t length, uint32_t mark, const char *device,
               const struct in6_addr *gateway, const struct in6_addr *source)
{
    struct entry entry = user_entry(prefix, length, mark);
    const struct entry *on = find_device_by_name(routes, device);
    struct route route;

    if (!on)
        return -ENODEV;
    strcpy(entry.device, device);
    entry.gateway = *gateway;
    entry.source = *source;
    if ((is_set(source) && !has_address(routes, on->ifindex, source)) || !resolve(routes, &entry, &route))
        return -EADDRNOTAVAIL;
    put(routes, &entry);
    return 0;
}

bool routes_remove(struct routes *routes, const struct in6_addr *prefix, uint8_t length, uint32_t mark)
{
    struct entry like = user_entry(prefix, length, mark);
    struct slot *slot = find(routes, &like);

    if (!slot)
        return false;
    drop(routes, slot->entry);
    return true;
}

/* --- what the kernel says ------------------------------------------------ */

static struct entry told_entry(struct routes *routes, int kind, int ifindex)
{
    return (struct entry){.kind = kind, .ifindex = ifindex, .reading = routes->reading};
}

void routes_tell_device(struct routes *routes, const struct routes_device *device)
{
    struct entry entry = told_entry(routes, DEVICE, device->ifindex);

    memcpy(entry.device, device->name, sizeof entry.device);
    entry.device[sizeof entry.device - 1] = '\0';
    entry.mac = device->mac;
    entry.mtu = device->mtu;
    put(routes, &entry);
}

void routes_tell_address(struct routes *routes, int ifindex, const struct in6_addr *address, uint8_t length)
{
    struct entry entry = told_entry(routes, ADDRESS, ifindex);

    entry.prefix = *address;
    entry.length = length;
    put(routes, &entry);
}

void routes_tell_route(struct routes *routes, const struct route_told *told)
{
    struct entry entry = told_entry(routes, ROUTE, told->ifindex);

    entry.prefix = masked(&told->prefix, told->length);
    entry.length = told->length;
    entry.gateway = told->gateway;
    entry.source = told->source;
    entry.local = told->local;
    entry.metric = told->metric;
    put(routes, &entry);
}

void routes_told_all(struct routes *routes)
{
    routes->visible = routes->reading++;
}

bool routes_reclaim(struct routes *routes)
{
    struct entry *entry;

    for (unsigned i = 0; i < RECLAIM && (entry = TAILQ_FIRST(&routes->told)) && !is_visible(routes, entry); i++)
        drop(routes, entry);
    entry = TAILQ_FIRST(&routes->told);
    return entry && !is_visible(routes, entry);
}
