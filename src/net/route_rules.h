/* Policy rules: which tables of routes are looked into for a packet, in which order (ip-rule(8)). Those that the kernel
 * tells of, and operators' (ovs/route/rule/add). Control thread; src/net/route.h has one set of them.
 */
#ifndef SRC_NET_ROUTE_RULES_H
#define SRC_NET_ROUTE_RULES_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#define ROUTE_RULES_MAX 512 /* of the kernel's, and as many of operators */

/* The tables that there are always, by the kernel's numbers. */
#define ROUTE_TABLE_DEFAULT 253
#define ROUTE_TABLE_MAIN 254
#define ROUTE_TABLE_LOCAL 255

/* What a route is asked for. */
struct route_query {
    struct in6_addr to;
    struct in6_addr from; /* the prescribed source address; ::, none is */
    uint32_t mark;        /* of the packet */
    uint32_t slot;        /* of several paths, which: below the route's n_slots */
};

/* Lengths count from the first of 128 bits; 0: of any address. All zero but for what counts: it is compared as a
 * whole. */
struct route_rule {
    uint32_t priority; /* the lowest is asked first */
    uint32_t table;
    enum { ROUTE_RULE_LOOKUP, ROUTE_RULE_GOTO, ROUTE_RULE_NOP, ROUTE_RULE_REFUSE } action;
    uint32_t target; /* ROUTE_RULE_GOTO: go on with this priority */
    bool ipv6, invert;
    bool user;     /* an operator's */
    bool never;    /* it is of packets that come in or leave by an interface that it names: of none of a tunnel's */
    bool suppress; /* routes of up to suppress_length do not count */
    uint8_t suppress_length;
    uint8_t from_length, to_length;
    struct in6_addr from, to;
    uint32_t mark, mark_mask;
};

struct route_rules {
    struct route_rule told[ROUTE_RULES_MAX]; /* by the reading under way */
    struct route_rule kernel[ROUTE_RULES_MAX], users[ROUTE_RULES_MAX];
    unsigned n_told, n_kernel, n_users;
    struct route_rule *sorted; /* that count, by priority */
    unsigned n;
};

/* The rules that a host has at first: local, main, default. */
void route_rules_init(struct route_rules *rules);
void route_rules_clear(struct route_rules *rules);

/* The kernel has this one; those beyond ROUTE_RULES_MAX are left out. They count from route_rules_told_all() on. */
void route_rules_tell(struct route_rules *rules, const struct route_rule *rule);
/* Whether a rule that was told, or is an operator's, or of a host at first, leads to the table. */
bool route_rules_lead_to(const struct route_rules *rules, uint32_t table);
/* The end of a reading. A family of which nothing was told has the rules of a host at first. True: other rules count
 * now than before. */
bool route_rules_told_all(struct route_rules *rules);

/* An operator's rule. priority 0: before all others but the first. False: there are too many. */
bool route_rules_add(struct route_rules *rules, const struct route_rule *rule);
/* Removes an operator's rule; one of any priority if `rule` has priority 0. False: no operator made such a rule. */
bool route_rules_remove(struct route_rules *rules, const struct route_rule *rule);

bool route_rule_matches(const struct route_rule *rule, const struct route_query *query);

#endif
