/* What differs between the model that runs and one that is wanted. Control thread only. */
#ifndef SRC_CONFIG_DIFF_H
#define SRC_CONFIG_DIFF_H

#include "src/config/faults.h"
#include "src/config/model.h"

/* Adds a fault, with the path in `wanted`, for each difference that takes a restart. */
void config_diff_fixed(const struct config *running, const struct config *wanted, struct config_faults *faults);

/* The element of that name; NULL: none. */
struct config_bridge *config_find_bridge(const struct config *config, const char *name);
struct config_port *config_find_port(const struct config_bridge *bridge, const char *name);

/* Whether the port has to be taken away and made again to become `wanted`. */
bool config_port_needs_replacing(const struct config_port *running, const struct config_port *wanted);

#endif
