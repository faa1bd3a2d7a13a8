/* Rows of table Mirror as mirrors of the model. Control thread only. */
#ifndef SRC_CONFIG_OVSDB_MIRRORS_H
#define SRC_CONFIG_OVSDB_MIRRORS_H

#include "src/config/model.h"
#include "src/ovsdb/ovsdb.h"

/* The mirrors of a bridge's row. One that sends nowhere is left out, with a line in the log. */
void config_mirrors_take(const struct ovsdb *db, const struct ovsdb_row *row, struct config_bridge *bridge);

/* What the model calls the i-th mirror of the bridge's row: as its column "name" says, and its UUID if one before it
 * has that name. The caller frees it. NULL: there is no such row. */
char *config_mirror_name(const struct ovsdb *db, const struct ovsdb_row *row, uint32_t i);

#endif
