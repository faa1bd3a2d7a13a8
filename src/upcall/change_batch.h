/* Changes that a sweep over the megaflows works off together: rules that were added, bridges that changed as a whole,
 * ports that packets come in by, and what more depend on than can be marked at once. Control thread only.
 *
 * Added rules are kept per table, by their mask over packet fields: one hash lookup a mask tells whether a megaflow
 * meets any of them, however many were added.
 */
#ifndef SRC_UPCALL_CHANGE_BATCH_H
#define SRC_UPCALL_CHANGE_BATCH_H

#include "pmd/port.h"
#include "src/upcall/deps.h"

struct change_batch {
    uint64_t serial;
    bool all; /* every megaflow */
    struct bridge **bridges;
    uint32_t n_bridges;
    struct xlate_dep *deps;
    uint32_t n_deps;
    bool has_macs; /* among them */
    const void *
        *owners; /* rules, groups and paths, whose megaflows are too many to be marked at once; sorted once closed */
    uint32_t n_owners, owners_size;
    bool *in_ports; /* by in_port_place(); NULL: none */
    uint32_t n_in_ports;
    struct batch_table *tables;
    uint32_t n_tables;
    uint32_t n_rules;
};

struct change_batch *change_batch_create(uint64_t serial);
void change_batch_destroy(struct change_batch *batch);

void change_batch_add_bridge(struct change_batch *batch, struct bridge *bridge);
void change_batch_add_dep(struct change_batch *batch, const struct xlate_dep *dep);
/* The megaflows of a rule, group or path. */
void change_batch_add_owner(struct change_batch *batch, const void *owner);
/* Where the port of this index, as keys have it, is in in_ports. Tunnels, of which there may be any number, share
 * places: megaflows of those beside one that changes are translated again for nothing. */
#define TUNNEL_PLACES 4096
#define IN_PORTS_MAX (PORT_MAX + TUNNEL_PLACES)
static inline uint16_t in_port_place(uint32_t index)
{
    return (uint16_t)(index < PORT_MAX ? index : PORT_MAX + index % TUNNEL_PLACES);
}
/* Megaflows of packets that come in by it. */
void change_batch_add_in_port(struct change_batch *batch, uint32_t index);
void change_batch_add_rule(struct change_batch *batch, struct bridge *bridge, const struct rule *rule);
/* The bridge goes away. */
void change_batch_forget_bridge(struct change_batch *batch, const struct bridge *bridge);

/* Nothing is added to it from now on: a sweep begins. */
void change_batch_close(struct change_batch *batch);

/* How many changes it has; NULL: 0. */
uint32_t change_batch_size(const struct change_batch *batch);

/* Does it change what the megaflow rests on, beyond its path? */
bool change_batch_meets(const struct change_batch *batch, const struct mf_record *record);
/* Can the batch change what megaflows of this path do? Remembered in the path. */
enum path_verdict change_batch_path(const struct change_batch *batch, struct path *path);
/* PATH_CHECK: can it change this megaflow? */
bool change_batch_hits(const struct change_batch *batch, const struct path *path, const struct flow_key *key,
                       const struct flow_key *mask, uint32_t in_port);

#endif
