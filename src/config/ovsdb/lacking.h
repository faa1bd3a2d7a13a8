/* Columns and keys of the database that ask for something that Sluice lacks. Control thread only. */
#ifndef SRC_CONFIG_OVSDB_LACKING_H
#define SRC_CONFIG_OVSDB_LACKING_H

#include "src/ovsdb/ovsdb.h"

/* Has the log say what of the row is left out: each column and key once in the life of the process. */
void config_note_lacking(const struct ovsdb *db, const struct ovsdb_row *row);

#endif
