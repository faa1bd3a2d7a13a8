#include "src/bridge/mac_table.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "pmd/base/hash.h"
#include "pmd/base/memory.h"
#include "src/match/flow.h"

#define PORT_BUCKETS 64

struct mac_node {
    struct mac_entry entry; /* first: callers hold pointers to it */
    struct mac_port *port;
    struct mac_node *hash_next;
    uint32_t place;                /* in nodes[] */
    TAILQ_ENTRY(mac_node) all;     /* by seen_ms, longest ago first */
    TAILQ_ENTRY(mac_node) by_port; /* the same among those of the port */
};

/* A port that addresses were learned on. What was flushed is a port that nobody finds any more: its addresses are not
 * known from then on, and are taken out some at a time. */
struct mac_port {
    uint32_t lport;
    uint32_t n;
    bool flushed;
    TAILQ_HEAD(, mac_node) nodes;
    LIST_ENTRY(mac_port) bucket; /* of one that was not flushed */
    LIST_ENTRY(mac_port) all;    /* in ports, or in flushed */
};

struct mac_table {
    uint32_t max_entries;
    uint64_t aging_ms;
    struct mac_node **buckets; /* power of two, at least max_entries */
    uint32_t n_buckets;
    struct mac_node **nodes; /* dense, for iteration by number */
    uint32_t n_nodes;
    uint32_t n_flushed; /* of them */
    TAILQ_HEAD(, mac_node) all;
    LIST_HEAD(, mac_port) ports, flushed;
    LIST_HEAD(, mac_port) port_buckets[PORT_BUCKETS];
    struct mac_port statics; /* stands for the ports of static entries, which are on neither list of nodes */
    struct mac_table_stats stats;
    void (*changed)(void *arg, const struct mac_entry *entry);
    void *changed_arg;
    struct mac_table *next_buried;
};

static void *allocate(size_t n, size_t size)
{
    void *block = calloc(n, size);

    if (!block)
        out_of_memory("a bridge", 0);
    return block;
}

struct mac_table *mac_table_create(uint32_t max_entries, uint32_t aging_s)
{
    struct mac_table *table = allocate(1, sizeof *table);

    table->max_entries = max_entries > 0 ? max_entries : 1;
    table->aging_ms = aging_s * UINT64_C(1000);
    table->n_buckets = 16;
    while (table->n_buckets < table->max_entries && table->n_buckets < UINT32_C(1) << 31)
        table->n_buckets *= 2;
    table->buckets = allocate(table->n_buckets, sizeof *table->buckets);
    table->nodes = allocate(table->max_entries, sizeof *table->nodes);
    TAILQ_INIT(&table->all);
    LIST_INIT(&table->ports);
    LIST_INIT(&table->flushed);
    TAILQ_INIT(&table->statics.nodes);
    return table;
}

void mac_table_bury(struct mac_table *table, struct mac_table **grave)
{
    mac_table_flush(table, OFPORT_ANY);
    table->next_buried = *grave;
    *grave = table;
}

bool mac_table_free_some(struct mac_table **grave, unsigned most)
{
    struct mac_table *table = *grave;

    if (!table)
        return true;
    if (mac_table_settle(table, most)) {
        *grave = table->next_buried;
        mac_table_destroy(table);
    }
    return !*grave;
}

void mac_table_set_changed(struct mac_table *table, void (*changed)(void *arg, const struct mac_entry *entry),
                           void *arg)
{
    table->changed = changed;
    table->changed_arg = arg;
}

static void tell(const struct mac_table *table, const struct mac_entry *entry)
{
    if (table->changed)
        table->changed(table->changed_arg, entry);
}

/* --- lists --------------------------------------------------------------- */

static struct mac_port *port_get(struct mac_table *table, uint32_t lport)
{
    uint32_t bucket = lport % PORT_BUCKETS;
    struct mac_port *port;

    LIST_FOREACH (port, &table->port_buckets[bucket], bucket) {
        if (port->lport == lport)
            return port;
    }
    port = allocate(1, sizeof *port);
    port->lport = lport;
    TAILQ_INIT(&port->nodes);
    LIST_INSERT_HEAD(&table->port_buckets[bucket], port, bucket);
    LIST_INSERT_HEAD(&table->ports, port, all);
    return port;
}

static void port_join(struct mac_table *table, struct mac_node *node, uint32_t lport)
{
    node->entry.lport = lport;
    node->port = port_get(table, lport);
    node->port->n++;
    TAILQ_INSERT_TAIL(&node->port->nodes, node, by_port);
}

static void port_leave(struct mac_table *table, struct mac_node *node)
{
    struct mac_port *port = node->port;

    TAILQ_REMOVE(&port->nodes, node, by_port);
    table->n_flushed -= port->flushed;
    if (--port->n > 0 || port == &table->statics)
        return;
    if (!port->flushed)
        LIST_REMOVE(port, bucket);
    LIST_REMOVE(port, all);
    free(port);
}

static void refresh(struct mac_table *table, struct mac_node *node, uint64_t now_ms)
{
    node->entry.seen_ms = now_ms;
    TAILQ_REMOVE(&table->all, node, all);
    TAILQ_INSERT_TAIL(&table->all, node, all);
    TAILQ_REMOVE(&node->port->nodes, node, by_port);
    TAILQ_INSERT_TAIL(&node->port->nodes, node, by_port);
}

/* --- entries ------------------------------------------------------------- */

static struct mac_node **bucket_of(const struct mac_table *table, const struct rte_ether_addr *mac, uint16_t vlan)
{
    uint64_t key = vlan;

    memcpy((uint8_t *)&key + 2, mac->addr_bytes, RTE_ETHER_ADDR_LEN);
    return &table->buckets[hash_finish(hash_add(HASH_BASIS, key)) & (table->n_buckets - 1)];
}

/* The link that points to the entry, or the empty one at the end of its chain. */
static struct mac_node **find(const struct mac_table *table, const struct rte_ether_addr *mac, uint16_t vlan)
{
    struct mac_node **link = bucket_of(table, mac, vlan);

    while (*link && !((*link)->entry.vlan == vlan && rte_is_same_ether_addr(&(*link)->entry.mac, mac)))
        link = &(*link)->hash_next;
    return link;
}

static void forget(struct mac_table *table, struct mac_node *node)
{
    *find(table, &node->entry.mac, node->entry.vlan) = node->hash_next;
    port_leave(table, node);
    if (!node->entry.is_static)
        TAILQ_REMOVE(&table->all, node, all);
    table->nodes[node->place] = table->nodes[--table->n_nodes];
    table->nodes[node->place]->place = node->place;
    free(node);
}

static void evict(struct mac_table *table)
{
    struct mac_port *fullest = NULL, *port;

    if (table->n_flushed > 0) {
        mac_table_settle(table, 1);
        return;
    }
    LIST_FOREACH (port, &table->ports, all) {
        if (!fullest || port->n > fullest->n)
            fullest = port;
    }

    struct mac_node *node = TAILQ_FIRST(&fullest->nodes);
    struct mac_entry entry = node->entry;

    table->stats.evicted++;
    forget(table, node);
    tell(table, &entry);
}

/* A node that is in neither list yet. */
static struct mac_node *insert(struct mac_table *table, const struct rte_ether_addr *mac, uint16_t vlan)
{
    struct mac_node *node;

    if (table->n_nodes == table->max_entries)
        evict(table);
    node = allocate(1, sizeof *node);
    node->entry = (struct mac_entry){.mac = *mac, .vlan = vlan};
    node->place = table->n_nodes;
    table->nodes[table->n_nodes++] = node;
    *find(table, mac, vlan) = node;
    return node;
}

bool mac_table_learn(struct mac_table *table, const struct rte_ether_addr *mac, uint16_t vlan, uint32_t lport,
                     uint64_t now_ms)
{
    if (rte_is_multicast_ether_addr(mac))
        return false;

    struct mac_node *node = *find(table, mac, vlan);

    if (node) {
        bool moved = node->port->flushed || node->entry.lport != lport;

        if (node->entry.is_static)
            return false;
        if (moved) {
            table->stats.moved += !node->port->flushed;
            table->stats.learned += node->port->flushed;
            port_leave(table, node);
            port_join(table, node, lport);
        }
        refresh(table, node, now_ms);
        if (moved)
            tell(table, &node->entry);
        return moved;
    }

    node = insert(table, mac, vlan);
    node->entry.seen_ms = now_ms;
    port_join(table, node, lport);
    TAILQ_INSERT_TAIL(&table->all, node, all);
    table->stats.learned++;
    tell(table, &node->entry);
    return true;
}

void mac_table_lock(struct mac_table *table, const struct rte_ether_addr *mac, uint16_t vlan, uint64_t until_ms)
{
    struct mac_node *node = *find(table, mac, vlan);

    if (node)
        node->entry.locked_until_ms = until_ms;
}

bool mac_table_set_static(struct mac_table *table, const struct rte_ether_addr *mac, uint16_t vlan, uint32_t lport)
{
    struct mac_node *node = *find(table, mac, vlan);

    if (rte_is_multicast_ether_addr(mac))
        return false;
    if (!node || !node->entry.is_static) {
        /* What is learned needs some room as well. */
        if (table->statics.n + 1 >= table->max_entries)
            return false;
        if (node)
            forget(table, node);
        node = insert(table, mac, vlan);
        node->entry.is_static = true;
        node->port = &table->statics;
        TAILQ_INSERT_TAIL(&table->statics.nodes, node, by_port);
        table->statics.n++;
    }
    node->entry.lport = lport;
    tell(table, &node->entry);
    return true;
}

static void forget_static(struct mac_table *table, struct mac_node *node)
{
    struct mac_entry entry = node->entry;

    forget(table, node);
    tell(table, &entry);
}

bool mac_table_remove_static(struct mac_table *table, const struct rte_ether_addr *mac, uint16_t vlan)
{
    struct mac_node *node = *find(table, mac, vlan);

    if (!node || !node->entry.is_static)
        return false;
    forget_static(table, node);
    return true;
}

void mac_table_get_stats(const struct mac_table *table, struct mac_table_stats *stats)
{
    *stats = table->stats;
    stats->entries = table->n_nodes - table->n_flushed;
    stats->statics = table->statics.n;
    stats->max_entries = table->max_entries;
}

void mac_table_clear_stats(struct mac_table *table)
{
    table->stats = (struct mac_table_stats){0};
}

const struct mac_entry *mac_table_lookup(const struct mac_table *table, const struct rte_ether_addr *mac, uint16_t vlan)
{
    const struct mac_node *node = *find(table, mac, vlan);

    return !node || node->port->flushed ? NULL : &node->entry;
}

void mac_table_touch(struct mac_table *table, const struct rte_ether_addr *mac, uint16_t vlan, uint32_t lport,
                     uint64_t now_ms)
{
    struct mac_node *node = *find(table, mac, vlan);

    if (node && !node->port->flushed && !node->entry.is_static && node->entry.lport == lport &&
        node->entry.seen_ms < now_ms)
        refresh(table, node, now_ms);
}

unsigned mac_table_expire(struct mac_table *table, uint64_t now_ms, unsigned most)
{
    struct mac_node *node;
    unsigned n = 0;

    while (n < most && (node = TAILQ_FIRST(&table->all)) && node->entry.seen_ms + table->aging_ms <= now_ms) {
        struct mac_entry entry = node->entry;
        bool flushed = node->port->flushed;

        forget(table, node);
        n++;
        table->stats.expired += !flushed;
        if (!flushed)
            tell(table, &entry);
    }
    return n;
}

static void port_flush(struct mac_table *table, struct mac_port *port)
{
    port->flushed = true;
    table->n_flushed += port->n;
    LIST_REMOVE(port, bucket);
    LIST_REMOVE(port, all);
    LIST_INSERT_HEAD(&table->flushed, port, all);
}

void mac_table_forget_port(struct mac_table *table, uint32_t lport)
{
    struct mac_node *node, *next;

    for (node = TAILQ_FIRST(&table->statics.nodes); node; node = next) {
        next = TAILQ_NEXT(node, by_port);
        if (node->entry.lport == lport)
            forget(table, node);
    }
    mac_table_flush(table, lport);
}

void mac_table_flush(struct mac_table *table, uint32_t lport)
{
    struct mac_port *port, *next;

    for (port = LIST_FIRST(&table->ports); port; port = next) {
        next = LIST_NEXT(port, all);
        if (lport == OFPORT_ANY || port->lport == lport)
            port_flush(table, port);
    }
}

bool mac_table_settle(struct mac_table *table, unsigned most)
{
    struct mac_port *port;

    for (; most > 0 && (port = LIST_FIRST(&table->flushed)); most--)
        forget(table, TAILQ_FIRST(&port->nodes));
    return LIST_EMPTY(&table->flushed);
}

const struct mac_entry *mac_table_next(const struct mac_table *table, size_t *position)
{
    while (*position < table->n_nodes) {
        const struct mac_node *node = table->nodes[(*position)++];

        if (!node->port->flushed)
            return &node->entry;
    }
    return NULL;
}

size_t mac_table_size(const struct mac_table *table)
{
    return table->n_nodes - table->n_flushed;
}

void mac_table_destroy(struct mac_table *table)
{
    if (!table)
        return;
    mac_table_flush(table, OFPORT_ANY);
    mac_table_settle(table, UINT_MAX);
    while (!TAILQ_EMPTY(&table->statics.nodes))
        forget(table, TAILQ_FIRST(&table->statics.nodes));
    free(table->buckets);
    free(table->nodes);
    free(table);
}
