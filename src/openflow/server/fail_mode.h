/* What the bridge does without a controller: `standalone` makes it a learning switch by a rule of the lowest priority,
 * `secure` leaves it to the rules that there are. If no controller is configured, the rule is one as any other, as in
 * Open vSwitch: it is dumped, and who deletes or replaces it has no learning switch any more. While controllers that
 * are configured are away, it is a hidden one, which nobody can delete. Control thread. */
#ifndef SRC_OPENFLOW_SERVER_FAIL_MODE_H
#define SRC_OPENFLOW_SERVER_FAIL_MODE_H

#include <stdbool.h>
#include <stdint.h>

struct of_server;

struct of_fail_mode {
    enum { FAIL_RULE_NONE, FAIL_RULE_OPEN, FAIL_RULE_HIDDEN } rule; /* that was added to table 0 last */
    uint64_t alone_ms;                                              /* since when no controller has been connected */
};

/* Installs or removes the rule as is due; not while a bundle is being committed. */
void of_fail_mode_run(struct of_server *server, uint64_t now_ms);

#endif
