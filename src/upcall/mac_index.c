#include "src/upcall/mac_index.h"

#include <errno.h>
#include <rte_jhash.h>
#include <stdlib.h>
#include <string.h>

#include "pmd/base/memory.h"
#include "src/upcall/flows_impl.h"

struct mac_node {
    struct mac_node *next;
    LIST_HEAD(, mac_link) links;
    struct bridge *bridge;
    struct rte_ether_addr mac;
    uint16_t vlan;
    uint32_t hash;
};

int mac_index_init(struct mac_index *index, uint32_t n_buckets)
{
    LIST_INIT(&index->many);
    index->n_buckets = n_buckets;
    index->buckets = calloc(n_buckets, sizeof *index->buckets);
    return index->buckets ? 0 : -ENOMEM;
}

void mac_index_fini(struct mac_index *index)
{
    free(index->buckets);
    index->buckets = NULL;
}

static uint32_t hash_mac(const struct bridge *bridge, const struct rte_ether_addr *mac, uint16_t vlan)
{
    uint32_t a, b = vlan;

    memcpy(&a, mac->addr_bytes, 4);
    b = b << 16 | (uint32_t)mac->addr_bytes[4] << 8 | mac->addr_bytes[5];
    return rte_jhash_3words(a, b, (uint32_t)((uintptr_t)bridge >> 6), 0);
}

static struct mac_node *find(struct mac_index *index, const struct bridge *bridge, const struct rte_ether_addr *mac,
                             uint16_t vlan, uint32_t hash)
{
    struct mac_node *node = index->buckets[hash & (index->n_buckets - 1)];

    while (node && !(node->hash == hash && node->bridge == bridge && node->vlan == vlan &&
                     rte_is_same_ether_addr(&node->mac, mac)))
        node = node->next;
    return node;
}

static void link_to(struct mac_index *index, struct mac_link *link, struct mf_record *record, struct bridge *bridge,
                    const struct rte_ether_addr *mac, uint16_t vlan)
{
    uint32_t hash = hash_mac(bridge, mac, vlan);
    struct mac_node *node = find(index, bridge, mac, vlan, hash);

    if (!node) {
        struct mac_node **bucket = &index->buckets[hash & (index->n_buckets - 1)];

        node = calloc(1, sizeof *node);
        if (!node)
            out_of_memory("the bookkeeping of megaflows", 0);
        node->bridge = bridge;
        node->mac = *mac;
        node->vlan = vlan;
        node->hash = hash;
        node->next = *bucket;
        *bucket = node;
    }
    link->at = node;
    link->record = record;
    LIST_INSERT_HEAD(&node->links, link, node);
}

static void unlink_from(struct mac_index *index, struct mac_link *link)
{
    struct mac_node *node = link->at, **p;

    LIST_REMOVE(link, node);
    if (!LIST_EMPTY(&node->links))
        return;
    p = &index->buckets[node->hash & (index->n_buckets - 1)];
    while (*p != node)
        p = &(*p)->next;
    *p = node->next;
    free(node);
}

static bool unchanged(const struct mac_dep *dep, const struct bridge *bridge, const struct xlate_deps *deps)
{
    return dep->bridge == bridge && dep->vlan == deps->mac_vlan && dep->many == deps->mac_many &&
           dep->learns == deps->mac_learns && dep->port == deps->mac_port &&
           rte_is_same_ether_addr(&dep->src_mac, &deps->mac_src) &&
           rte_is_same_ether_addr(&dep->dst_mac, &deps->mac_dst);
}

void mac_index_update(struct mac_index *index, struct mf_record *record, struct bridge *bridge,
                      const struct xlate_deps *deps)
{
    struct mac_dep *dep = record->mac;

    if (dep && deps->used_mac_table && unchanged(dep, bridge, deps))
        return;
    mac_index_remove(index, record);
    if (!deps->used_mac_table)
        return;
    dep = calloc(1, sizeof *dep);
    if (!dep)
        out_of_memory("the bookkeeping of megaflows", 0);
    dep->record = record;
    dep->bridge = bridge;
    dep->src_mac = deps->mac_src;
    dep->dst_mac = deps->mac_dst;
    dep->vlan = deps->mac_vlan;
    dep->port = deps->mac_port;
    dep->learns = deps->mac_learns;
    dep->many = deps->mac_many;
    link_to(index, &dep->src, record, bridge, &dep->src_mac, dep->vlan);
    link_to(index, &dep->dst, record, bridge, &dep->dst_mac, dep->vlan);
    if (dep->many)
        LIST_INSERT_HEAD(&index->many, dep, many_node);
    record->mac = dep;
}

void mac_index_remove(struct mac_index *index, struct mf_record *record)
{
    struct mac_dep *dep = record->mac;

    if (!dep)
        return;
    unlink_from(index, &dep->src);
    unlink_from(index, &dep->dst);
    if (dep->many)
        LIST_REMOVE(dep, many_node);
    free(dep);
    record->mac = NULL;
}

void mac_index_mark(struct flows *flows, struct bridge *bridge, const struct rte_ether_addr *mac, uint16_t vlan)
{
    struct mac_index *index = &flows->macs;
    struct mac_node *node = find(index, bridge, mac, vlan, hash_mac(bridge, mac, vlan));
    struct mac_link *link;
    struct mac_dep *dep;

    if (node) {
        LIST_FOREACH (link, &node->links, node)
            record_mark(flows, link->record);
    }
    LIST_FOREACH (dep, &index->many, many_node) {
        if (dep->bridge == bridge)
            record_mark(flows, dep->record);
    }
}

bool mac_dep_holds(const struct xlate_deps *deps, const struct bridge *bridge)
{
    const struct mac_entry *entry;

    if (!deps->used_mac_table || !deps->mac_learns)
        return true;
    entry = mac_table_lookup(bridge->macs, &deps->mac_src, deps->mac_vlan);
    return entry && entry->lport == deps->mac_port;
}
