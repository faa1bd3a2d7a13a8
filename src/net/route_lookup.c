/* Which route is taken: rules, tables, prefixes, paths (src/net/route.h). */
#include <string.h>

#include "src/net/route_impl.h"

/* By how many bits of prefix a route goes before others. */
#define LOCAL_BITS 64
#define USER_BITS 32
#define PATHS_MAX 64 /* of one route */

static bool source_of(const struct routes *routes, const struct route_entry *entry, int ifindex,
                      struct in6_addr *source)
{
    if (route_is_set(&entry->source) && route_has_address(routes, 0, &entry->source)) {
        *source = entry->source;
        return true;
    }
    if (route_find_source(routes, ifindex, &entry->prefix, source))
        return true;
    if (!route_is_set(&entry->gateway))
        return false;
    if (IN6_IS_ADDR_V4MAPPED(&entry->prefix) && !IN6_IS_ADDR_V4MAPPED(&entry->gateway))
        return route_find_ipv4(routes, ifindex, source);
    return route_find_source(routes, ifindex, &entry->gateway, source);
}

static const struct route_entry *device_of(const struct routes *routes, const struct route_entry *entry)
{
    return entry->user ? route_find_device_by_name(routes, entry->device) : route_find_device(routes, entry->ifindex);
}

bool route_resolve(const struct routes *routes, const struct route_entry *entry, struct route *route)
{
    const struct route_entry *device = device_of(routes, entry);

    if (!device)
        return false;
    *route = (struct route){.prefix = entry->prefix,
                            .gateway = entry->gateway,
                            .length = entry->length,
                            .mark = entry->mark,
                            .table = entry->table,
                            .local = entry->local,
                            .user = entry->user,
                            .n_slots = 1,
                            .weight = entry->weight};
    memcpy(route->device, device->device, sizeof route->device);
    return source_of(routes, entry, device->ifindex, &route->source);
}

/* --- routes -------------------------------------------------------------- */

static unsigned rank_of(const struct route_entry *entry)
{
    return entry->length + (entry->local ? LOCAL_BITS : entry->user ? USER_BITS : 0);
}

/* Whether packets would get lost on a link that is down. */
static bool is_cut(const struct routes *routes, const struct route_entry *entry)
{
    const struct route_entry *device = entry->verdict == ROUTE_USED ? device_of(routes, entry) : NULL;

    return device && device->no_carrier;
}

static bool better(const struct routes *routes, const struct route_entry *a, const struct route_entry *b)
{
    if (!b || rank_of(a) != rank_of(b))
        return !b || rank_of(a) > rank_of(b);
    if (is_cut(routes, a) != is_cut(routes, b))
        return is_cut(routes, b);
    return a->metric < b->metric;
}

/* A search of one table, because of one rule. */
struct search {
    const struct routes *routes;
    const struct route_query *query;
    uint32_t table;
    bool kernel; /* the kernel's routes count, whatever the packet's mark */
};

static bool is_candidate(const struct search *search, const struct route_entry *entry, const struct in6_addr *prefix,
                         uint8_t length)
{
    return entry->kind == ROUTE && entry->table == search->table && entry->length == length &&
           (entry->mark == search->query->mark || (search->kernel && !entry->user)) &&
           route_is_visible(search->routes, entry) && IN6_ARE_ADDR_EQUAL(&entry->prefix, prefix);
}

/* Whether packets can go by it; one that says that they cannot counts, too. */
static bool leads_somewhere(const struct routes *routes, const struct route_entry *entry)
{
    struct route route;

    return entry->verdict != ROUTE_USED || route_resolve(routes, entry, &route);
}

/* The best route of that prefix that leads somewhere, if it is better than `best`. */
static const struct route_entry *best_of(const struct search *search, const struct in6_addr *prefix, uint8_t length,
                                         const struct route_entry *best)
{
    struct route_walk walk = route_walk_begin(search->routes, route_hash_prefix(prefix, length));
    const struct route_slot *slot;

    while ((slot = route_walk_next(&walk)))
        if (is_candidate(search, slot->entry, prefix, length) && better(search->routes, slot->entry, best) &&
            leads_somewhere(search->routes, slot->entry))
            best = slot->entry;
    return best;
}

/* The best route of the table. NULL: none. */
static const struct route_entry *search_table(const struct search *search)
{
    /* The mapped addresses of IPv4 are not within IPv6's ::/0. */
    int shortest = IN6_IS_ADDR_V4MAPPED(&search->query->to) ? 96 : 0;
    const struct route_entry *best = NULL;

    for (int length = ROUTE_LENGTHS - 1; length >= shortest; length--) {
        struct in6_addr prefix;

        if (search->routes->of_length[length] == 0 || (best && rank_of(best) >= (unsigned)length + LOCAL_BITS))
            continue;
        prefix = route_masked(&search->query->to, (uint8_t)length);
        best = best_of(search, &prefix, (uint8_t)length, best);
    }
    return best;
}

/* --- several paths ------------------------------------------------------- */

/* The paths of a route, and their weights together. */
struct paths {
    const struct route_entry *path[PATHS_MAX];
    unsigned n;
    uint32_t weight;
};

/* They have an order of their own, so that what comes and goes moves none of the others. */
static bool comes_before(const struct route_entry *a, const struct route_entry *b)
{
    int order = memcmp(&a->gateway, &b->gateway, sizeof a->gateway);

    return order < 0 || (order == 0 && a->ifindex < b->ifindex);
}

static void add_path(struct paths *paths, const struct route_entry *entry)
{
    unsigned at = paths->n;

    if (paths->n == PATHS_MAX)
        return;
    for (; at > 0 && comes_before(entry, paths->path[at - 1]); at--)
        paths->path[at] = paths->path[at - 1];
    paths->path[at] = entry;
    paths->n++;
    paths->weight += entry->weight;
}

static void find_paths(const struct search *search, const struct route_entry *best, struct paths *paths)
{
    struct route_walk walk = route_walk_begin(search->routes, route_hash_of(best));
    const struct route_slot *slot;

    while ((slot = route_walk_next(&walk))) {
        const struct route_entry *entry = slot->entry;

        if (is_candidate(search, entry, &best->prefix, best->length) && entry->user == best->user &&
            entry->metric == best->metric && entry->weight > 0 && leads_somewhere(search->routes, entry) &&
            is_cut(search->routes, entry) == is_cut(search->routes, best))
            add_path(paths, entry);
    }
}

/* As many slots as weights if that is a power of two. */
static uint32_t slots_for(uint32_t weight)
{
    return weight <= ROUTE_SLOTS_MAX && (weight & (weight - 1)) == 0 ? weight : ROUTE_SLOTS_MAX;
}

/* Slots are shared out in proportion to weights. */
static const struct route_entry *choose_path(const struct paths *paths, uint32_t slot, uint32_t n_slots)
{
    uint64_t at = (uint64_t)(slot % n_slots) * paths->weight / n_slots;
    unsigned i = 0;

    for (; i + 1 < paths->n && at >= paths->path[i]->weight; i++)
        at -= paths->path[i]->weight;
    return paths->path[i];
}

static bool take_route(const struct search *search, const struct route_entry *best, struct route *route)
{
    struct paths paths = {.n = 0};
    uint32_t n_slots;

    if (best->weight > 0)
        find_paths(search, best, &paths);
    if (paths.n < 2)
        return route_resolve(search->routes, best, route);
    n_slots = slots_for(paths.weight);
    if (!route_resolve(search->routes, choose_path(&paths, search->query->slot, n_slots), route))
        return false;
    route->n_slots = n_slots;
    return true;
}

/* --- lookup -------------------------------------------------------------- */

/* Bits of its prefix, as one of its family counts them. */
static unsigned own_length(const struct route_entry *entry)
{
    return entry->length - (IN6_IS_ADDR_V4MAPPED(&entry->prefix) ? 96 : 0);
}

/* The route that the rule's table has for the packet; NULL: ask the next rule. */
static const struct route_entry *ask_rule(const struct search *search, const struct route_rule *rule)
{
    const struct route_entry *best = search_table(search);

    if (!best || best->verdict == ROUTE_THROW ||
        (rule->suppress && best->verdict == ROUTE_USED && own_length(best) <= rule->suppress_length))
        return NULL;
    return best;
}

bool routes_lookup(const struct routes *routes, const struct route_query *query, struct route *route)
{
    struct search search = {.routes = routes, .query = query};
    const struct route_entry *best;
    uint32_t from = 0;

    for (unsigned i = 0; i < routes->rules.n; i++) {
        const struct route_rule *rule = &routes->rules.sorted[i];

        if (rule->priority < from || !route_rule_matches(rule, query))
            continue;
        if (rule->action == ROUTE_RULE_REFUSE)
            return false;
        if (rule->action == ROUTE_RULE_GOTO)
            from = rule->target;
        if (rule->action != ROUTE_RULE_LOOKUP)
            continue;
        search.table = rule->table;
        search.kernel = rule->mark_mask != 0;
        best = ask_rule(&search, rule);
        if (best)
            return best->verdict == ROUTE_USED && take_route(&search, best, route);
    }
    return false;
}

/* The next entry of that kind that counts; NULL: that was all. */
static const struct route_entry *next_entry(const struct routes *routes, size_t *position, unsigned kind)
{
    struct route_slot *slots;
    size_t before = 0;
    uint32_t mask;

    for (unsigned i = 0; (slots = open_hash_array(&routes->hash, i, &mask)); i++, before += (size_t)mask + 1) {
        while (*position < before + mask + 1) {
            const struct route_slot *slot = &slots[(*position)++ - before];

            if (slot->entry && slot->entry->kind == kind && slot->hash == route_hash_of(slot->entry) &&
                route_is_visible(routes, slot->entry))
                return slot->entry;
        }
    }
    return NULL;
}

bool routes_next(const struct routes *routes, size_t *position, struct route *route)
{
    const struct route_entry *entry;

    while ((entry = next_entry(routes, position, ROUTE)))
        if (entry->verdict == ROUTE_USED && route_resolve(routes, entry, route))
            return true;
    return false;
}

bool routes_next_address(const struct routes *routes, size_t *position, struct in6_addr *address, char device[IFNAMSIZ])
{
    const struct route_entry *entry, *of;

    while ((entry = next_entry(routes, position, ADDRESS))) {
        of = route_find_device(routes, entry->ifindex);
        if (!of)
            continue;
        *address = entry->prefix;
        memcpy(device, of->device, IFNAMSIZ);
        return true;
    }
    return false;
}
