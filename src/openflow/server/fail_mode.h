/* What the bridge does without a controller: `standalone` makes it a learning switch by a rule of the lowest priority
 * that controllers do not see; `secure` leaves it to the rules that there are. Control thread. */
#ifndef SRC_OPENFLOW_SERVER_FAIL_MODE_H
#define SRC_OPENFLOW_SERVER_FAIL_MODE_H

#include <stdbool.h>
#include <stdint.h>

struct of_server;

struct of_fail_mode {
    bool standalone;   /* the rule is in table 0 */
    uint64_t alone_ms; /* since when no controller has been connected */
};

/* Installs or removes the rule as is due; not while a bundle is being committed. */
void of_fail_mode_run(struct of_server *server, uint64_t now_ms);

#endif
