/* What the bridge does without a controller: `standalone` makes it a learning switch by a rule of the lowest priority,
 * `secure` leaves it to the rules that there are. If no controller is configured, the rule is one as any other, as in
 * Open vSwitch: it is dumped, and who deletes or replaces it has no learning switch any more. While controllers that
 * are configured are away, it is a hidden one, which nobody can delete.
 *
 * Rules, groups and meters are of those whom the bridge belongs to: its controllers, or, without any, whoever has a
 * tool. When the first controller is configured or the last one goes, and when the mode of a bridge without controllers
 * changes, all of them go, as in Open vSwitch. Control thread. */
#ifndef SRC_OPENFLOW_SERVER_FAIL_MODE_H
#define SRC_OPENFLOW_SERVER_FAIL_MODE_H

#include <stdbool.h>
#include <stdint.h>

#include "src/bridge/bridge.h"

struct of_server;
struct mod_slices;

struct of_fail_mode {
    enum { FAIL_RULE_NONE, FAIL_RULE_OPEN, FAIL_RULE_HIDDEN } rule; /* that was added to table 0 last */
    uint64_t alone_ms;                                              /* since when no controller has been connected */
    enum fail_mode mode;                                            /* of the bridge, as of the last change */
    enum { FLUSH_NONE, FLUSH_WAIT, FLUSH_RULES, FLUSH_GROUPS, FLUSH_METERS, FLUSH_COMMIT } flush; /* what is going */
    bool again;                /* and is to go once more */
    struct mod_slices *slices; /* FLUSH_RULES */
};

/* Installs or removes the rule as is due; not while a bundle is being committed. */
void of_fail_mode_run(struct of_server *server, uint64_t now_ms);
/* The controllers that are configured, or bridge->fail_mode, may have changed: has rules, groups and meters go if they
 * are to.
 * `had_controllers`: some were configured before. */
void of_fail_mode_changed(struct of_server *server, bool had_controllers);
/* Goes on with that, until rte_rdtsc() is at `deadline`. True: there is more to do. Until it is done
 * of_server_is_changing(). */
bool of_fail_mode_flush(struct of_server *server, uint64_t deadline);
/* Whether the rule does what the mode asks for. */
bool of_fail_mode_is_learning_switch(const struct of_server *server);

#endif
