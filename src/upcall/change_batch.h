/* Changes that a sweep over the megaflows works off together: rules that were added, and bridges that changed as a
 * whole. Control thread only.
 *
 * Added rules are kept per table, by their mask over packet fields: one hash lookup a mask tells whether a megaflow
 * meets any of them, however many were added.
 */
#ifndef SRC_UPCALL_CHANGE_BATCH_H
#define SRC_UPCALL_CHANGE_BATCH_H

#include "src/upcall/deps.h"

struct change_batch {
    uint64_t serial;
    bool all;     /* every megaflow of every bridge */
    bool unknown; /* those of ports that belong to no bridge */
    struct bridge **bridges;
    uint32_t n_bridges;
    struct batch_table *tables;
    uint32_t n_tables;
    uint32_t n_rules;
};

struct change_batch *change_batch_create(uint64_t serial);
void change_batch_destroy(struct change_batch *batch);

void change_batch_add_bridge(struct change_batch *batch, struct bridge *bridge); /* NULL: all */
void change_batch_add_rule(struct change_batch *batch, struct bridge *bridge, const struct rule *rule);
/* The bridge goes away. */
void change_batch_forget_bridge(struct change_batch *batch, const struct bridge *bridge);

/* Can the batch change what megaflows of this path do? Remembered in the path. */
enum path_verdict change_batch_path(const struct change_batch *batch, struct path *path);
/* PATH_CHECK: can it change this megaflow? */
bool change_batch_hits(const struct change_batch *batch, const struct path *path, const struct flow_key *key,
                       const struct flow_key *mask, uint32_t in_port);

#endif
