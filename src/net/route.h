/* Which interface of this host leads to an address, through which gateway, and from which address of its own: a copy of
 * the kernel's routing tables that policy rules lead to (src/net/route_kernel.h keeps it true), and routes and rules
 * that operators gave. Control thread.
 *
 * Addresses are struct in6_addr, those of IPv4 mapped (::ffff:a.b.c.d), and lengths of prefixes count from the first of
 * the 128 bits. What the kernel says comes in readings: routes, addresses and interfaces that a reading did not bring
 * are invisible from its end on, and freed bit by bit. No call takes longer than some microseconds, however many routes
 * there are, but for routes_destroy().
 */
#ifndef SRC_NET_ROUTE_H
#define SRC_NET_ROUTE_H

#include <net/if.h>
#include <netinet/in.h>
#include <rte_ether.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "src/net/route_rules.h"

struct routes;

#define ROUTE_SLOTS_MAX 64

struct route {
    struct in6_addr prefix, gateway, source; /* gateway ::, none; of IPv4 it may be an IPv6 router (RFC 5549) */
    uint8_t length;
    uint32_t mark; /* of the packets that it is for: it matches exactly */
    uint32_t table;
    char device[IFNAMSIZ];
    bool local; /* the prefix is an address of this host */
    bool user;  /* an operator's */
    /* One of several paths that share the packets: among how many slots, a power of two, packets are to be spread by a
     * hash, so that each path gets its share. 1: there is one path, and weight is 0. */
    uint32_t n_slots;
    uint32_t weight;
};

struct routes *routes_create(void);
void routes_destroy(struct routes *routes); /* NULL is allowed */

/* The route by the first rule that has one. In a table it is that of the longest prefix, where a local one counts for
 * 64 bits more, and an operator's for 32. Of one prefix those go first whose device has a carrier, then the lowest
 * metric. Routes are left out whose device is gone or has no address to send from.
 * Packets with a mark take operators' routes for it, and the kernel's if the rule is about marks. False: none. */
bool routes_lookup(const struct routes *routes, const struct route_query *query, struct route *route);
/* All of them, in no order; `position` is 0 before the first. Changes in between may bring one twice, or not. Of
 * several paths each is one. */
bool routes_next(const struct routes *routes, size_t *position, struct route *route);

/* An operator's route, in the place of one of the same table, prefix and mark. Bits behind the prefix are ignored.
 * `source` is where packets come from; ::, the device's address in the network of prefix or gateway. Returns 0;
 * -ENODEV: there is no such device; -EADDRNOTAVAIL: it has no such address. */
int routes_add(struct routes *routes, const struct in6_addr *prefix, uint8_t length, uint32_t mark, uint32_t table,
               const char *device, const struct in6_addr *gateway, const struct in6_addr *source);
/* False: there is none. */
bool routes_remove(struct routes *routes, const struct in6_addr *prefix, uint8_t length, uint32_t mark, uint32_t table);

/* The rules, by priority; NULL: there are no more. */
const struct route_rule *routes_rule(const struct routes *routes, unsigned i);
/* An operator's, as route_rules_add() and route_rules_remove() say. */
bool routes_add_rule(struct routes *routes, const struct route_rule *rule);
bool routes_remove_rule(struct routes *routes, const struct route_rule *rule);

/* --- devices and their addresses ----------------------------------------- */

struct routes_device {
    int ifindex;
    char name[IFNAMSIZ];
    struct rte_ether_addr mac; /* zeros: it has none */
    uint16_t mtu;              /* 0: not known, or more than 65535 */
    bool no_carrier;           /* its link is down, though it is configured up */
};

bool routes_find_device(const struct routes *routes, const char *name, struct routes_device *device);
/* Its name, NULL: there is none. Valid until the next call of a function that changes something. */
const char *routes_device_name(const struct routes *routes, int ifindex);
/* Whether the address is one of the device's; of NULL, of any device's. `address` NULL: whether the device has one. */
bool routes_has_address(const struct routes *routes, const char *device, const struct in6_addr *address);
/* The device's address in the smallest network that `neighbour` is in: who asks for it is that. False: it has none. */
bool routes_source_for(const struct routes *routes, const char *device, const struct in6_addr *neighbour,
                       struct in6_addr *source);
/* All addresses, in no order, as routes_next(). */
bool routes_next_address(const struct routes *routes, size_t *position, struct in6_addr *address,
                         char device[IFNAMSIZ]);

/* --- changes ------------------------------------------------------------- */

/* What changed, from which follows whose route may be another now: that of the addresses in the prefix, and whatever
 * uses the device. */
struct routes_change {
    enum { ROUTES_ROUTE, ROUTES_ADDRESS, ROUTES_DEVICE } what;
    struct in6_addr prefix;
    uint8_t length;        /* ROUTES_DEVICE: 128, and the prefix is ::; 0 if its carrier came or went */
    char device[IFNAMSIZ]; /* of addresses and devices: came, went or changed; empty: it was gone before */
};

/* Called for each change when lookups follow it, a whole table of routes one by one. Must not change anything. */
struct routes_listener {
    void *arg;
    void (*changed)(void *arg, const struct routes_change *change);
    TAILQ_ENTRY(routes_listener) node;
};
void routes_listen(struct routes *routes, struct routes_listener *listener);
void routes_unlisten(struct routes *routes, struct routes_listener *listener);

/* --- what the kernel says ------------------------------------------------ */

struct route_told {
    struct in6_addr prefix, gateway, source; /* source: the one that is preferred; ::, none is */
    uint8_t length;
    bool local;
    /* Packets for it go nowhere; ROUTE_THROW: not by this table. Then there is no device. */
    enum { ROUTE_USED, ROUTE_REFUSED, ROUTE_THROW } verdict;
    uint32_t table;  /* 0: the one that such routes are in, local or main */
    uint32_t metric; /* of several with one prefix the lowest counts */
    uint32_t weight; /* of one of several paths that share the packets; 0: it is the only one */
    int ifindex;
};

void routes_tell_device(struct routes *routes, const struct routes_device *device);
void routes_tell_address(struct routes *routes, int ifindex, const struct in6_addr *address, uint8_t length);
void routes_tell_route(struct routes *routes, const struct route_told *told);
void routes_tell_rule(struct routes *routes, const struct route_rule *rule);
/* Whether routes of the table may count: rules come before them. */
bool routes_want_table(const struct routes *routes, uint32_t table);
/* The end of a reading. */
void routes_told_all(struct routes *routes);
/* Frees some of what is invisible; false: nothing is left. */
bool routes_reclaim(struct routes *routes);

#endif
