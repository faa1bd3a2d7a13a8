/* Devices and their addresses, among the routes (src/net/route.h). */
#include <string.h>

#include "src/net/route_impl.h"

/* --- addresses ----------------------------------------------------------- */

struct in6_addr route_masked(const struct in6_addr *address, uint8_t length)
{
    struct in6_addr prefix = *address;

    for (unsigned i = 0; i < sizeof prefix.s6_addr; i++)
        if (8 * (i + 1) > length)
            prefix.s6_addr[i] &= 8 * i >= length ? 0 : (uint8_t)(0xff00 >> (length - 8 * i));
    return prefix;
}

static bool within(const struct in6_addr *address, const struct in6_addr *network, uint8_t length)
{
    struct in6_addr a = route_masked(address, length), b = route_masked(network, length);

    return IN6_ARE_ADDR_EQUAL(&a, &b);
}

bool route_find_source(const struct routes *routes, int ifindex, const struct in6_addr *to, struct in6_addr *source)
{
    struct route_walk walk = route_walk_begin(routes, route_hash_index(ADDRESS, ifindex));
    const struct route_slot *slot;
    int best = -1;

    while ((slot = route_walk_next(&walk))) {
        const struct route_entry *entry = slot->entry;

        if (entry->kind != ADDRESS || entry->ifindex != ifindex || !route_is_visible(routes, entry) ||
            entry->length <= best || IN6_IS_ADDR_V4MAPPED(&entry->prefix) != IN6_IS_ADDR_V4MAPPED(to) ||
            !within(to, &entry->prefix, entry->length))
            continue;
        best = entry->length;
        *source = entry->prefix;
    }
    return best >= 0;
}

bool route_find_ipv4(const struct routes *routes, int ifindex, struct in6_addr *source)
{
    struct route_walk walk = route_walk_begin(routes, route_hash_index(ADDRESS, ifindex));
    const struct route_slot *slot;

    while ((slot = route_walk_next(&walk))) {
        const struct route_entry *entry = slot->entry;

        if (entry->kind != ADDRESS || entry->ifindex != ifindex || !route_is_visible(routes, entry) ||
            !IN6_IS_ADDR_V4MAPPED(&entry->prefix))
            continue;
        *source = entry->prefix;
        return true;
    }
    return false;
}

bool routes_source_for(const struct routes *routes, const char *device, const struct in6_addr *neighbour,
                       struct in6_addr *source)
{
    const struct route_entry *entry = route_find_device_by_name(routes, device);

    return entry && route_find_source(routes, entry->ifindex, neighbour, source);
}

const struct route_entry *route_find_device(const struct routes *routes, int ifindex)
{
    struct route_walk walk = route_walk_begin(routes, route_hash_index(DEVICE, ifindex));
    const struct route_slot *slot;

    while ((slot = route_walk_next(&walk)))
        if (slot->entry->kind == DEVICE && slot->entry->ifindex == ifindex && route_is_visible(routes, slot->entry))
            return slot->entry;
    return NULL;
}

const struct route_entry *route_find_device_by_name(const struct routes *routes, const char *name)
{
    const struct route_slot *slot;
    struct route_walk walk;

    if (strlen(name) >= IFNAMSIZ)
        return NULL;
    walk = route_walk_begin(routes, route_hash_name(name));
    while ((slot = route_walk_next(&walk)))
        if (slot->entry->kind == DEVICE && !strcmp(slot->entry->device, name) && route_is_visible(routes, slot->entry))
            return slot->entry;
    return NULL;
}

bool route_has_address(const struct routes *routes, int ifindex, const struct in6_addr *address)
{
    struct route_walk walk = route_walk_begin(routes, route_hash_address(address));
    const struct route_slot *slot;

    while ((slot = route_walk_next(&walk)))
        if (slot->entry->kind == ADDRESS && IN6_ARE_ADDR_EQUAL(&slot->entry->prefix, address) &&
            (ifindex == 0 || slot->entry->ifindex == ifindex) && route_is_visible(routes, slot->entry))
            return true;
    return false;
}

bool routes_find_device(const struct routes *routes, const char *name, struct routes_device *device)
{
    const struct route_entry *entry = route_find_device_by_name(routes, name);

    if (!entry)
        return false;
    *device = (struct routes_device){.ifindex = entry->ifindex, .mac = entry->mac, .mtu = entry->mtu};
    memcpy(device->name, entry->device, sizeof device->name);
    return true;
}

const char *routes_device_name(const struct routes *routes, int ifindex)
{
    const struct route_entry *entry = route_find_device(routes, ifindex);

    return entry ? entry->device : NULL;
}

static bool has_some_address(const struct routes *routes, int ifindex)
{
    struct route_walk walk = route_walk_begin(routes, route_hash_index(ADDRESS, ifindex));
    const struct route_slot *slot;

    while ((slot = route_walk_next(&walk)))
        if (slot->entry->kind == ADDRESS && slot->entry->ifindex == ifindex && route_is_visible(routes, slot->entry))
            return true;
    return false;
}

bool routes_has_address(const struct routes *routes, const char *device, const struct in6_addr *address)
{
    const struct route_entry *entry = device ? route_find_device_by_name(routes, device) : NULL;

    if (device && !entry)
        return false;
    return address ? route_has_address(routes, entry ? entry->ifindex : 0, address)
                   : entry && has_some_address(routes, entry->ifindex);
}
