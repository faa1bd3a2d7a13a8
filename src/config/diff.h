/* What differs between the model that runs and one that is wanted. Control thread only. */
#ifndef SRC_CONFIG_DIFF_H
#define SRC_CONFIG_DIFF_H

#include "src/config/faults.h"
#include "src/config/model.h"

/* Adds a fault, with the path in `wanted`, for each difference that takes a restart. Bridges are not looked at: all of
 * them can change. */
void config_diff_fixed(const struct config *running, const struct config *wanted, struct config_faults *faults);

/* Whether the port has to be taken away and made again to become `wanted`. */
bool config_port_needs_replacing(const struct config_port *running, const struct config_port *wanted);

#endif
