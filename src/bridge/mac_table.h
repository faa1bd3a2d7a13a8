/* MAC learning: which Port (struct lport, by its id) an address was last seen on, per VLAN; bounded, with ageing.
 * Control thread only. */
#ifndef SRC_BRIDGE_MAC_TABLE_H
#define SRC_BRIDGE_MAC_TABLE_H

#include <rte_ether.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mac_table;

struct mac_entry {
    struct rte_ether_addr mac;
    uint16_t vlan; /* 0 .. 4095 */
    uint32_t lport;
    bool is_static; /* put there by an operator: neither ages nor moves */
    uint64_t seen_ms;
    uint64_t
        locked_until_ms; /* until then a gratuitous ARP packet that comes by a bond does not count: mac_table_lock() */
};

/* Since the table was made, or they were cleared. */
struct mac_table_stats {
    uint64_t learned, expired, evicted, moved;
    uint32_t entries, statics, max_entries; /* now */
};

struct mac_table *mac_table_create(uint32_t max_entries, uint32_t aging_s);
void mac_table_destroy(struct mac_table *table);
/* As mac_table_destroy(), but some at a time: the table goes to `grave` (NULL at first), of which mac_table_free_some()
 * frees at most `most` entries. It returns true when nothing is left. */
void mac_table_bury(struct mac_table *table, struct mac_table **grave);
bool mac_table_free_some(struct mac_table **grave, unsigned most);
/* Called whenever lookups of an address have another answer: it was learned, moved, aged, or had to make room because
 * the table was full. Not for what mac_table_flush() forgets. */
void mac_table_set_changed(struct mac_table *table, void (*changed)(void *arg, const struct mac_entry *entry),
                           void *arg);

/* Learns or refreshes; addresses that no station can have (group addresses) are left out. Returns true if the answer of
 * lookups changed (a new address, or a moved one). The table full, the entry of the port with the most entries that was
 * seen longest ago goes (as OVS: one port cannot push out the rest). */
bool mac_table_learn(struct mac_table *table, const struct rte_ether_addr *mac, uint16_t vlan, uint32_t lport,
                     uint64_t now_ms);
/* The entry's station, which is on this Port, has just sent a gratuitous ARP packet: one that comes from a bond now is
 * that packet, which came back, and not the station. */
void mac_table_lock(struct mac_table *table, const struct rte_ether_addr *mac, uint16_t vlan, uint64_t until_ms);
/* An entry that is neither aged, moved nor evicted; one that was learned becomes it. Returns false if the address is a
 * group address, or the table has room for no more such entries. */
bool mac_table_set_static(struct mac_table *table, const struct rte_ether_addr *mac, uint16_t vlan, uint32_t lport);
/* False: there is no such static entry. */
bool mac_table_remove_static(struct mac_table *table, const struct rte_ether_addr *mac, uint16_t vlan);
void mac_table_get_stats(const struct mac_table *table, struct mac_table_stats *stats);
void mac_table_clear_stats(struct mac_table *table);
/* NULL: not known (flood). */
const struct mac_entry *mac_table_lookup(const struct mac_table *table, const struct rte_ether_addr *mac,
                                         uint16_t vlan);
/* Refreshes an entry that is known, without moving it. */
void mac_table_touch(struct mac_table *table, const struct rte_ether_addr *mac, uint16_t vlan, uint32_t lport,
                     uint64_t now_ms);
/* Removes at most `most` aged entries. Returns how many (== most: there may be more). */
unsigned mac_table_expire(struct mac_table *table, uint64_t now_ms, unsigned most);
/* Forgets all that was learned, or on one port (OFPORT_ANY = all), in a time that does not depend on how many
 * they are: their memory is freed by mac_table_settle(), or used for addresses to come. */
void mac_table_flush(struct mac_table *table, uint32_t lport);
/* The port is gone: forgets its static entries as well. */
void mac_table_forget_port(struct mac_table *table, uint32_t lport);
/* Frees at most `most` of what was flushed. True: nothing of it is left. */
bool mac_table_settle(struct mac_table *table, unsigned most);
/* The first entry from *position (0: the first of all) on, which is behind it then; NULL: there is none. */
const struct mac_entry *mac_table_next(const struct mac_table *table, size_t *position);
size_t mac_table_size(const struct mac_table *table);

#endif
