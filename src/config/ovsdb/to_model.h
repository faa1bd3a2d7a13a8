/* Open vSwitch's database as a source of the configuration model: what one row asks for. Control thread only.
 *
 * A database is never refused as a file with faults is: an object that can not be has a fault of its own, and a value
 * that means nothing to Sluice is left out with one line in the log, whatever the number of rows that have it.
 * Columns and keys are those of ovs-vswitchd.conf.db(5).
 */
#ifndef SRC_CONFIG_OVSDB_TO_MODEL_H
#define SRC_CONFIG_OVSDB_TO_MODEL_H

#include "src/config/model.h"
#include "src/ovsdb/ovsdb.h"
#include "src/ovsdb/vswitch.h"

/* The bridge of a row of table Bridge, without its ports, as the only one of a model that the caller frees. Needs
 * `running` for tls, and for run_dir, in which sockets of controllers have to be; NULL: they may be anywhere. Without
 * controllers it has no sockets for them either. NULL with a sentence in `fault`. */
struct config *config_from_bridge(const struct ovsdb *db, const struct ovsdb_row *bridge, const struct config *running,
                                  bool with_controllers, char *fault, size_t fault_size);

/* The port of an interface of one of the bridge's Ports, as the only one of the only bridge of a model that the caller
 * frees. NULL with a sentence in `fault`, which is what goes to the column "error". `run_dir` is where sockets are. */
struct config *config_from_interface(const struct ovsdb *db, const struct ovsdb_row *bridge,
                                     const struct ovsdb_row *port, const struct ovsdb_row *interface,
                                     const char *run_dir, char *fault, size_t fault_size);

/* Changes what the database says of the whole switch: TLS, and other_config of table Open_vSwitch. */
void config_from_open_vswitch(const struct ovsdb *db, const struct ovsdb_row *root, struct config *config);

#endif
