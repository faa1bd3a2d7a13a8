/* What the files of routes share. Control thread only. */
#ifndef SRC_NET_ROUTE_IMPL_H
#define SRC_NET_ROUTE_IMPL_H

#include "pmd/base/hash.h"
#include "pmd/base/open_hash.h"
#include "src/net/route.h"

#define ROUTE_LENGTHS 129

/* One thing that the kernel said, or an operator. */
struct route_entry {
    TAILQ_ENTRY(route_entry) node; /* of what the kernel said, the least recently said first */
    uint64_t reading;              /* the last that brought it */
    enum { ROUTE, ADDRESS, DEVICE, GATEWAYS } kind;
    bool local, user;
    uint8_t length;
    int ifindex; /* of an operator's route: 0 */
    uint8_t verdict;
    uint32_t mark, metric, table, weight; /* of routes */
    struct in6_addr prefix;               /* also the address */
    union {
        struct {
            struct in6_addr gateway, source; /* of routes */
        };
        struct { /* of devices */
            struct rte_ether_addr mac;
            uint16_t mtu;
            bool no_carrier;
        };
        uint32_t n; /* GATEWAYS: how many routes by a gateway the kernel has on the device */
    };
    char device[IFNAMSIZ]; /* of devices and operators' routes */
};

struct route_slot {
    struct route_entry *entry; /* NULL: empty */
    uint32_t hash;
};

struct routes {
    struct open_hash hash; /* routes by prefix, addresses by ifindex and address, devices by ifindex and name */
    uint64_t reading;      /* under way */
    uint64_t visible;      /* what was not brought by this reading or a later one is not there any more */
    TAILQ_HEAD(route_entries, route_entry) told, users, gateways; /* each entry is in one of them */
    TAILQ_HEAD(, routes_listener) listeners;
    uint32_t of_length[ROUTE_LENGTHS]; /* routes */
    struct route_rules rules;
};

/* Walks the entries of a hash, visible or not. */
struct route_walk {
    const struct routes *routes;
    struct route_slot *slots;
    uint32_t hash, mask, at;
    unsigned array;
};

struct route_walk route_walk_begin(const struct routes *routes, uint32_t hash);
struct route_slot *route_walk_next(struct route_walk *walk); /* NULL: that was all */

uint32_t route_hash_prefix(const struct in6_addr *prefix, uint8_t length);
uint32_t route_hash_index(int kind, int ifindex);
uint32_t route_hash_address(const struct in6_addr *address);
uint32_t route_hash_name(const char name[IFNAMSIZ]);
/* By what an entry is found first. */
uint32_t route_hash_of(const struct route_entry *entry);

static inline bool route_is_visible(const struct routes *routes, const struct route_entry *entry)
{
    return entry->user || entry->reading >= routes->visible;
}

static inline bool route_is_set(const struct in6_addr *address)
{
    return !IN6_IS_ADDR_UNSPECIFIED(address);
}

/* --- route_device.c ------------------------------------------------------ */

struct in6_addr route_masked(const struct in6_addr *address, uint8_t length);
const struct route_entry *route_find_device(const struct routes *routes, int ifindex);
const struct route_entry *route_find_device_by_name(const struct routes *routes, const char *name);
/* ifindex 0: of any device. */
bool route_has_address(const struct routes *routes, int ifindex, const struct in6_addr *address);
/* The device's address whose network is the smallest that `to` is in. False: none. */
bool route_find_source(const struct routes *routes, int ifindex, const struct in6_addr *to, struct in6_addr *source);
/* Some IPv4 address of the device. False: it has none. */
bool route_find_ipv4(const struct routes *routes, int ifindex, struct in6_addr *source);

/* --- route_lookup.c ------------------------------------------------------ */

/* Fills in `route`. False: it leads nowhere. */
bool route_resolve(const struct routes *routes, const struct route_entry *entry, struct route *route);

#endif
