/* What the files of this folder share. Control thread only. */
#ifndef SRC_CONFIG_OVSDB_TO_MODEL_IMPL_H
#define SRC_CONFIG_OVSDB_TO_MODEL_IMPL_H

#include "src/config/section.h"
#include "src/config/ovsdb/to_model.h"

/* `number`, or the nearest that the section's key `name` takes. */
int config_fit(const struct config_section *section, const char *name, int64_t number);
/* Like config_fit(), of the key `key` of a map column; what is no number changes nothing, and is told in the log. */
void config_take_number(const struct ovsdb *db, const struct ovsdb_row *row, unsigned column, const char *key,
                        const struct config_section *section, const char *name, int *value);

/* False: there is none, or it is none, which is told in the log. */
bool config_take_mac(const char *text, uint8_t mac[6]);

/* The bonds that the bridge's Ports are that have several interfaces, or speak LACP. */
void config_take_bonds(const struct ovsdb *db, const struct ovsdb_row *row, struct config_bridge *bridge);
/* The bridge's spanning tree, and what a Port is in it. */
void config_take_stp(const struct ovsdb *db, const struct ovsdb_row *row, struct config_stp *stp);
void config_take_port_stp(const struct ovsdb *db, const struct ovsdb_row *row, struct config_port_stp *stp);

#endif
