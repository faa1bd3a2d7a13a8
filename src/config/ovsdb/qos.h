/* Rows of tables QoS and Queue as a port's quality of service in the model. Control thread only. */
#ifndef SRC_CONFIG_OVSDB_QOS_H
#define SRC_CONFIG_OVSDB_QOS_H

#include "src/config/model.h"
#include "src/ovsdb/ovsdb.h"

/* What the row of a Port asks for. */
void config_qos_take(const struct ovsdb *db, const struct ovsdb_row *port, struct config_qos *qos);

#endif
