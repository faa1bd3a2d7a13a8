/* From the configuration model to bridges and ports: at start, and what differs at run time. Control thread. */
#ifndef SRC_APP_APPLY_H
#define SRC_APP_APPLY_H

#include "src/app/switch.h"

/* Makes a bridge with its ports and OpenFlow server. Returns 0, or -1 with a sentence in `error`; the bridge may then
 * be there in part. */
int apply_bridge(struct sluice *sw, const struct config_bridge *config, char *error, size_t size);

/* Changes the switch to what `wanted` says, which takes no restart (config_diff_fixed). Ports that stay as they are go
 * on forwarding. What cannot be made (a device that is not there) is taken out of `wanted`, which then says what runs.
 * Appends a line for each change to `report`. False: something could not be made, as `report` says. */
bool apply_config(struct sluice *sw, struct config *wanted, struct evbuffer *report);
/* Goes on with taking removed bridges apart, for one turn. False: there is none. */
bool apply_run_removed(struct sluice *sw);

/* Makes the ports again whose network interface was deleted, and is there again. One that cannot be made is taken out
 * of the model that runs, so that the next reload tries again. */
void apply_returned_interfaces(struct sluice *sw);

#endif
