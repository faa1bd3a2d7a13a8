/* Open vSwitch's database as the source of bridges, ports and controllers, and what it is told of them. Control thread.
 *
 * What rows ask for (src/config/ovsdb/to_model.h) is said to apply.h an object at a time. When all that a state of the
 * database asked for has become something, or has an error, one transaction says so: OpenFlow numbers, errors and
 * status of interfaces, datapath IDs, and cur_cfg, which is what ovs-vsctl waits for. From then on changes of status
 * are written within half a second, statistics every five seconds.
 *
 * While the database is away, or another process has its lock, the switch goes on with what it has.
 */
#ifndef SRC_APP_DB_DB_H
#define SRC_APP_DB_DB_H

#include <stddef.h>

struct db;
struct sluice;

/* Starts to connect to sw->config->ovsdb.remote; sw->apply is there. NULL with a sentence in `error`. */
struct db *db_create(struct sluice *sw, char *error, size_t error_size);
/* Disconnects and frees `db`, while sw is still whole. Bridges and ports that the database asked for stay. NULL is
 * allowed. */
void db_destroy(struct db *db);

#endif
