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
    enum { ROUTE, ADDRESS, DEVICE } kind;
    bool local, user;
    uint8_t length;
    int ifindex; /* of an operator's route: 0 */
    uint32_t mark, metric;
    struct in6_addr prefix, gateway; /* prefix: also the address */
    char device[IFNAMSIZ];           /* of devices and operators' routes */
};

struct slot {
    struct entry *entry; /* NULL: empty */
    uint32_t hash;
};

static const struct open_hash_type type = {sizeof(struct slot), offsetof(struct slot, hash)};

struct routes {
    struct open_hash hash; /* routes by prefix, addresses by ifindex, devices by ifindex and by name */
    uint64_t reading;      /* under way */
    uint64_t visible;      /* what was not brought by this reading or a later one is not there any more */
    TAILQ_HEAD(, entry) told;
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
           IN6_ARE_ADDR_EQUAL(&a->prefix, &b->prefix) && (a->user || IN6_ARE_ADDR_EQUAL(&a->gateway, &b->gateway));
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

/* A copy of `entry` takes the place of one that is the same but for what does not identify it. */
static struct entry *put(struct routes *routes, const struct entry *entry)
{
    struct slot *slot = find(routes, entry);
    struct entry *kept = slot ? slot->entry : mem_calloc(1, sizeof *kept);

    if (slot && !kept->user)
        TAILQ_REMOVE(&routes->told, kept, node);
    *kept = *entry;
    if (!kept->user)
        TAILQ_INSERT_TAIL(&routes->told, kept, node);
    if (slot)
        return kept;
    uint32_t hash = hash_of(kept);
    slot = open_hash_insert(&routes->hash, type, hash);
    *slot = (struct slot){kept, hash};
    if (kept->kind == ROUTE)
        routes->of_length[kept->length]++;
    return kept;
}

static void drop(struct routes *routes, struct slot *slot)
{
    struct entry *entry = slot->entry;

    open_hash_remove(&routes->hash, type, slot);
    if (entry->kind == ROUTE)
        routes->of_length[entry->length]--;
    if (!entry->user)
        TAILQ_REMOVE(&routes->told, entry, node);
    free(entry);
}

struct routes *routes_create(void)
{
    struct routes *routes = mem_calloc(1, sizeof *routes);

    routes->reading = 1;
    TAILQ_INIT(&routes->told);
    return routes;
}

void routes_destroy(struct routes *routes)
{
    struct slot *slots;
    uint32_t mask;

    if (!routes)
        return;
    for (unsigned i = 0; (slots = open_hash_array(&routes->hash, i, &mask)); i++)
        for (uint32_t j = 0; j <= mask; j++)
            free(slots[j].entry);
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

static bool is_set(const struct in6_addr *address)
{
    return !IN6_IS_ADDR_UNSPECIFIED(address);
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

static const struct entry *find_device(const struct routes *routes, int ifindex)
{
    struct walk walk = walk_begin(routes, hash_index(DEVICE, ifindex));
    const struct slot *slot;

    while ((slot = walk_next(&walk)))
        if (slot->entry->kind == DEVICE && slot->entry->ifindex == ifindex && is_visible(routes, slot->entry))
            return slot->entry;
    return NULL;
}

static int ifindex_of(const struct routes *routes, const struct entry *entry)
{
    return entry->user ? (int)if_nametoindex(entry->device) : entry->ifindex;
}

/* False: it leads nowhere. */
static bool resolve(const struct routes *routes, const struct entry *entry, struct route *route)
{
    int ifindex = ifindex_of(routes, entry);
    const struct entry *device = find_device(routes, ifindex);

    if (!device)
        return false;
    *route = (struct route){.prefix = entry->prefix,
                            .gateway = entry->gateway,
                            .length = entry->length,
                            .mark = entry->mark,
                            .local = entry->local,
                            .user = entry->user};
    memcpy(route->device, device->device, sizeof route->device);
    return find_source(routes, ifindex, &entry->prefix, &route->source) ||
           (is_set(&entry->gateway) && find_source(routes, ifindex, &entry->gateway, &route->source));
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

bool routes_next(const struct routes *routes, size_t *position, struct route *route)
{
    struct slot *slots;
    size_t before = 0;
    uint32_t mask;

    for (unsigned i = 0; (slots = open_hash_array(&routes->hash, i, &mask)); i++, before += (size_t)mask + 1) {
        for (; *position < before + mask + 1; (*position)++) {
            const struct entry *entry = slots[*position - before].entry;

            if (entry && entry->kind == ROUTE && is_visible(routes, entry) && resolve(routes, entry, route)) {
                (*position)++;
                return true;
            }
        }
    }
    return false;
}

static struct entry user_entry(const struct in6_addr *prefix, uint8_t length, uint32_t mark)
{
    return (struct entry){
        .kind = ROUTE, .user = true, .length = length, .mark = mark, .prefix = masked(prefix, length)};
}

int routes_add(struct routes *routes, const struct in6_addr *prefix, uint8_t length, uint32_t mark, const char *device,
               const struct in6_addr *gateway)
{
    struct entry entry = user_entry(prefix, length, mark);
    struct route route;

    if (strlen(device) >= sizeof entry.device || !find_device(routes, (int)if_nametoindex(device)))
        return -ENODEV;
    strcpy(entry.device, device);
    entry.gateway = *gateway;
    if (!resolve(routes, &entry, &route))
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
    drop(routes, slot);
    return true;
}

/* --- what the kernel says ------------------------------------------------ */

static struct entry told_entry(struct routes *routes, int kind, int ifindex)
{
    return (struct entry){.kind = kind, .ifindex = ifindex, .reading = routes->reading};
}

void routes_tell_device(struct routes *routes, int ifindex, const char *name)
{
    struct entry entry = told_entry(routes, DEVICE, ifindex);

    if (strlen(name) >= sizeof entry.device)
        return;
    strcpy(entry.device, name);
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
        drop(routes, find(routes, entry));
    entry = TAILQ_FIRST(&routes->told);
    return entry && !is_visible(routes, entry);
}
