/* Which megaflows depend on where a MAC address is: those that NORMAL decided. Control thread only. */
#ifndef SRC_UPCALL_MAC_INDEX_H
#define SRC_UPCALL_MAC_INDEX_H

#include <sys/queue.h>

#include "src/xlate/xlate.h"

struct flows;
struct mf_record;

struct mac_link {
    LIST_ENTRY(mac_link) node;
    struct mac_node *at;
    struct mf_record *record;
};

/* The part of a megaflow that NORMAL had. */
struct mac_dep {
    struct mac_link src, dst;
    LIST_ENTRY(mac_dep) many_node;
    struct mf_record *record;
    struct bridge *bridge;
    struct rte_ether_addr src_mac, dst_mac;
    uint16_t vlan;
    uint32_t port; /* lport */
    bool learns;   /* src_mac on `port` */
    bool many;     /* NORMAL ran for several addresses: depends on any change of the MAC table */
};

struct mac_index {
    struct mac_node **buckets;
    uint32_t n_buckets; /* power of two */
    LIST_HEAD(, mac_dep) many;
};

int mac_index_init(struct mac_index *index, uint32_t n_buckets);
void mac_index_fini(struct mac_index *index);
/* Brings the record's links up to what the translation says. */
void mac_index_update(struct mac_index *index, struct mf_record *record, struct bridge *bridge,
                      const struct xlate_deps *deps);
void mac_index_remove(struct mac_index *index, struct mf_record *record);
/* Marks the megaflows that depend on the address. */
void mac_index_mark(struct flows *flows, struct bridge *bridge, const struct rte_ether_addr *mac, uint16_t vlan);
/* Is the source address where the megaflow took it to be? If not, its packets have to be seen, to be learned from. */
bool mac_dep_holds(const struct xlate_deps *deps, const struct bridge *bridge);

#endif
