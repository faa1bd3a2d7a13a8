#define MEM_WHAT "routes"

#include "src/net/route.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pmd/base/mem.h"
#include "src/net/route_impl.h"

#define RECLAIM 64 /* in one step */

static const struct open_hash_type type = {sizeof(struct route_slot), offsetof(struct route_slot, hash)};

/* --- entries ------------------------------------------------------------- */

uint32_t route_hash_prefix(const struct in6_addr *prefix, uint8_t length)
{
    uint64_t words[2];

    memcpy(words, prefix, sizeof words);
    return hash_finish(hash_add(hash_add(hash_add(HASH_BASIS, words[0]), words[1]), length));
}

uint32_t route_hash_index(int kind, int ifindex)
{
    return hash_finish(hash_add(hash_add(HASH_BASIS, (uint64_t)kind + 1), (uint64_t)ifindex));
}

uint32_t route_hash_of(const struct route_entry *entry)
{
    return entry->kind == ROUTE ? route_hash_prefix(&entry->prefix, entry->length)
                                : route_hash_index(entry->kind, entry->ifindex);
}

uint32_t route_hash_address(const struct in6_addr *address)
{
    return route_hash_prefix(address, UINT8_MAX);
}

/* Bytes behind the end of the name count, too. */
uint32_t route_hash_name(const char name[IFNAMSIZ])
{
    char whole[IFNAMSIZ] = "";
    uint64_t words[IFNAMSIZ / 8];

    strcpy(whole, name);
    memcpy(words, whole, sizeof words);
    return hash_finish(hash_add(hash_add(hash_add(HASH_BASIS, words[0]), words[1]), DEVICE));
}

/* Whether an entry is found by a second hash, too. */
static bool has_second_hash(const struct route_entry *entry)
{
    return entry->kind == ADDRESS || entry->kind == DEVICE;
}

static uint32_t second_hash_of(const struct route_entry *entry)
{
    return entry->kind == ADDRESS ? route_hash_address(&entry->prefix) : route_hash_name(entry->device);
}

static void walk_array(struct route_walk *walk)
{
    walk->slots = open_hash_array(&walk->routes->hash, walk->array++, &walk->mask);
    walk->at = walk->hash & walk->mask;
}

struct route_walk route_walk_begin(const struct routes *routes, uint32_t hash)
{
    struct route_walk walk = {.routes = routes, .hash = hash};

    walk_array(&walk);
    return walk;
}

struct route_slot *route_walk_next(struct route_walk *walk)
{
    while (walk->slots) {
        struct route_slot *slot = &walk->slots[walk->at];

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

static bool same(const struct route_entry *a, const struct route_entry *b)
{
    return a->kind == b->kind && a->local == b->local && a->user == b->user && a->length == b->length &&
           a->ifindex == b->ifindex && a->mark == b->mark && a->metric == b->metric && a->table == b->table &&
           IN6_ARE_ADDR_EQUAL(&a->prefix, &b->prefix) &&
           (a->kind != ROUTE || a->user || IN6_ARE_ADDR_EQUAL(&a->gateway, &b->gateway));
}

static struct route_slot *find(const struct routes *routes, const struct route_entry *like)
{
    struct route_walk walk = route_walk_begin(routes, route_hash_of(like));
    struct route_slot *slot;

    while ((slot = route_walk_next(&walk)))
        if (same(slot->entry, like))
            return slot;
    return NULL;
}

static void hash_in(struct routes *routes, struct route_entry *entry, uint32_t hash)
{
    struct route_slot *slot = open_hash_insert(&routes->hash, type, hash);

    *slot = (struct route_slot){entry, hash};
}

static void hash_out(struct routes *routes, const struct route_entry *entry, uint32_t hash)
{
    struct route_walk walk = route_walk_begin(routes, hash);
    struct route_slot *slot;

    while ((slot = route_walk_next(&walk)) && slot->entry != entry)
        continue;
    open_hash_remove(&routes->hash, type, slot);
}

/* --- changes ------------------------------------------------------------- */

static void tell(const struct routes *routes, const struct routes_change *change)
{
    const struct routes_listener *listener;

    TAILQ_FOREACH (listener, &routes->listeners, node)
        listener->changed(listener->arg, change);
}

static void tell_route(const struct routes *routes, const struct route_entry *entry)
{
    const struct routes_change change = {.what = ROUTES_ROUTE, .prefix = entry->prefix, .length = entry->length};

    tell(routes, &change);
}

static struct route_entry *gateways_of(const struct routes *routes, int ifindex)
{
    const struct route_entry like = {.kind = GATEWAYS, .user = true, .ifindex = ifindex};
    const struct route_slot *slot = find(routes, &like);

    return slot ? slot->entry : NULL;
}

static bool has_gateways(const struct routes *routes, int ifindex, const char *device)
{
    const struct route_entry *entry;

    if (gateways_of(routes, ifindex))
        return true;
    TAILQ_FOREACH (entry, &routes->users, node)
        if (route_is_set(&entry->gateway) && !strcmp(entry->device, device))
            return true;
    return false;
}

/* Routes of the device count with an address in the network of their prefix or their gateway. A gateway's may be those
 * of any address. */
static void tell_address(const struct routes *routes, const struct route_entry *entry)
{
    struct routes_change change = {.what = ROUTES_ADDRESS, .prefix = entry->prefix, .length = entry->length};
    const struct route_entry *device = route_find_device(routes, entry->ifindex);

    if (device)
        memcpy(change.device, device->device, sizeof change.device);
    if (has_gateways(routes, entry->ifindex, change.device)) {
        change.prefix = in6addr_any;
        change.length = 0;
    }
    tell(routes, &change);
}

/* Operators' routes name their device. Which routes of the kernel's are another's now that the carrier of this one came
 * or went, is not looked for: then `length` is 0, for any. */
static void tell_device(const struct routes *routes, const struct route_entry *entry, uint8_t length)
{
    struct routes_change change = {.what = ROUTES_DEVICE, .length = length};
    const struct route_entry *user;

    memcpy(change.device, entry->device, sizeof change.device);
    tell(routes, &change);
    TAILQ_FOREACH (user, &routes->users, node)
        if (!strcmp(user->device, entry->device))
            tell_route(routes, user);
}

static void tell_entry(const struct routes *routes, const struct route_entry *entry)
{
    if (entry->kind == ROUTE)
        tell_route(routes, entry);
    else if (entry->kind == ADDRESS)
        tell_address(routes, entry);
    else
        tell_device(routes, entry, 128);
}

/* Whether what does not identify an entry is another. */
static bool differs(const struct route_entry *a, const struct route_entry *b)
{
    if (a->kind == DEVICE)
        return strcmp(a->device, b->device) != 0 || !rte_is_same_ether_addr(&a->mac, &b->mac) || a->mtu != b->mtu ||
               a->no_carrier != b->no_carrier;
    return a->kind == ROUTE &&
           (a->verdict != b->verdict || a->weight != b->weight || !IN6_ARE_ADDR_EQUAL(&a->source, &b->source) ||
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

static void count_gateway(struct routes *routes, const struct route_entry *entry, int by)
{
    struct route_entry *gateways;

    if (entry->kind != ROUTE || entry->user || !route_is_set(&entry->gateway))
        return;
    gateways = gateways_of(routes, entry->ifindex);
    if (!gateways) {
        gateways = mem_calloc(1, sizeof *gateways);
        *gateways = (struct route_entry){.kind = GATEWAYS, .user = true, .ifindex = entry->ifindex};
        hash_in(routes, gateways, route_hash_of(gateways));
        TAILQ_INSERT_TAIL(&routes->gateways, gateways, node);
    }
    gateways->n += (uint32_t)by;
    if (gateways->n == 0) {
        hash_out(routes, gateways, route_hash_of(gateways));
        TAILQ_REMOVE(&routes->gateways, gateways, node);
        free(gateways);
    }
}

static void link_entry(struct routes *routes, struct route_entry *entry)
{
    if (entry->user)
        TAILQ_INSERT_TAIL(&routes->users, entry, node);
    else
        TAILQ_INSERT_TAIL(&routes->told, entry, node);
}

static void unlink_entry(struct routes *routes, struct route_entry *entry)
{
    if (entry->user)
        TAILQ_REMOVE(&routes->users, entry, node);
    else
        TAILQ_REMOVE(&routes->told, entry, node);
}

static void add(struct routes *routes, const struct route_entry *entry)
{
    struct route_entry *added = mem_calloc(1, sizeof *added);

    *added = *entry;
    link_entry(routes, added);
    hash_in(routes, added, route_hash_of(added));
    if (has_second_hash(added))
        hash_in(routes, added, second_hash_of(added));
    if (added->kind == ROUTE)
        routes->of_length[added->length]++;
    count_gateway(routes, added, 1);
    tell_entry(routes, added);
}

static void replace(struct routes *routes, struct route_entry *kept, const struct route_entry *by)
{
    const struct route_entry before = *kept;
    bool changed = differs(&before, by);

    if (changed && kept->kind == DEVICE)
        hash_out(routes, kept, second_hash_of(kept));
    unlink_entry(routes, kept);
    *kept = *by;
    link_entry(routes, kept);
    if (changed && kept->kind == DEVICE)
        hash_in(routes, kept, second_hash_of(kept));
    if (changed && kept->kind == DEVICE && strcmp(before.device, kept->device))
        tell_device(routes, &before, 128);
    if (changed && kept->kind == DEVICE && before.no_carrier != kept->no_carrier)
        tell_device(routes, kept, 0);
    else if (changed || !route_is_visible(routes, &before))
        tell_entry(routes, kept);
}

/* A copy of `entry` takes the place of one that is the same but for what does not identify it. */
static void put(struct routes *routes, const struct route_entry *entry)
{
    const struct route_slot *slot = find(routes, entry);

    if (slot)
        replace(routes, slot->entry, entry);
    else
        add(routes, entry);
}

static void drop(struct routes *routes, struct route_entry *entry)
{
    hash_out(routes, entry, route_hash_of(entry));
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
    route_rules_init(&routes->rules);
    return routes;
}

static void free_entries(struct route_entries *entries)
{
    struct route_entry *entry;

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
    route_rules_clear(&routes->rules);
    free(routes);
}

static struct route_entry user_entry(const struct in6_addr *prefix, uint8_t length, uint32_t mark, uint32_t table)
{
    return (struct route_entry){.kind = ROUTE,
                                .user = true,
                                .length = length,
                                .mark = mark,
                                .table = table,
                                .prefix = route_masked(prefix, length)};
}

int routes_add(struct routes *routes, const struct in6_addr *prefix, uint8_t length, uint32_t mark, uint32_t table,
               const char *device, const struct in6_addr *gateway, const struct in6_addr *source)
{
    struct route_entry entry = user_entry(prefix, length, mark, table);
    const struct route_entry *on = route_find_device_by_name(routes, device);
    struct route route;

    if (!on)
        return -ENODEV;
    strcpy(entry.device, device);
    entry.gateway = *gateway;
    entry.source = *source;
    if ((route_is_set(source) && !route_has_address(routes, on->ifindex, source)) ||
        !route_resolve(routes, &entry, &route))
        return -EADDRNOTAVAIL;
    put(routes, &entry);
    return 0;
}

bool routes_remove(struct routes *routes, const struct in6_addr *prefix, uint8_t length, uint32_t mark, uint32_t table)
{
    struct route_entry like = user_entry(prefix, length, mark, table);
    struct route_slot *slot = find(routes, &like);

    if (!slot)
        return false;
    drop(routes, slot->entry);
    return true;
}

/* --- rules --------------------------------------------------------------- */

/* Any address may go another way. */
static void tell_rules(const struct routes *routes)
{
    const struct routes_change change = {.what = ROUTES_ROUTE};

    tell(routes, &change);
}

const struct route_rule *routes_rule(const struct routes *routes, unsigned i)
{
    return i < routes->rules.n ? &routes->rules.sorted[i] : NULL;
}

bool routes_add_rule(struct routes *routes, const struct route_rule *rule)
{
    if (!route_rules_add(&routes->rules, rule))
        return false;
    tell_rules(routes);
    return true;
}

bool routes_remove_rule(struct routes *routes, const struct route_rule *rule)
{
    if (!route_rules_remove(&routes->rules, rule))
        return false;
    tell_rules(routes);
    return true;
}

/* --- what the kernel says ------------------------------------------------ */

static struct route_entry told_entry(struct routes *routes, int kind, int ifindex)
{
    return (struct route_entry){.kind = kind, .ifindex = ifindex, .reading = routes->reading};
}

void routes_tell_device(struct routes *routes, const struct routes_device *device)
{
    struct route_entry entry = told_entry(routes, DEVICE, device->ifindex);

    memcpy(entry.device, device->name, sizeof entry.device);
    entry.device[sizeof entry.device - 1] = '\0';
    entry.mac = device->mac;
    entry.mtu = device->mtu;
    entry.no_carrier = device->no_carrier;
    put(routes, &entry);
}

void routes_tell_address(struct routes *routes, int ifindex, const struct in6_addr *address, uint8_t length)
{
    struct route_entry entry = told_entry(routes, ADDRESS, ifindex);

    entry.prefix = *address;
    entry.length = length;
    put(routes, &entry);
}

void routes_tell_route(struct routes *routes, const struct route_told *told)
{
    struct route_entry entry = told_entry(routes, ROUTE, told->ifindex);

    entry.prefix = route_masked(&told->prefix, told->length);
    entry.length = told->length;
    entry.gateway = told->gateway;
    entry.source = told->source;
    entry.local = told->local;
    entry.verdict = (uint8_t)told->verdict;
    entry.table = told->table ? told->table : told->local ? ROUTE_TABLE_LOCAL : ROUTE_TABLE_MAIN;
    entry.metric = told->metric;
    entry.weight = told->weight;
    put(routes, &entry);
}

void routes_tell_rule(struct routes *routes, const struct route_rule *rule)
{
    route_rules_tell(&routes->rules, rule);
}

bool routes_want_table(const struct routes *routes, uint32_t table)
{
    return route_rules_lead_to(&routes->rules, table);
}

void routes_told_all(struct routes *routes)
{
    routes->visible = routes->reading++;
    if (route_rules_told_all(&routes->rules))
        tell_rules(routes);
}

bool routes_reclaim(struct routes *routes)
{
    struct route_entry *entry;

    for (unsigned i = 0; i < RECLAIM && (entry = TAILQ_FIRST(&routes->told)) && !route_is_visible(routes, entry); i++)
        drop(routes, entry);
    entry = TAILQ_FIRST(&routes->told);
    return entry && !route_is_visible(routes, entry);
}
