/* The start of a switch whose configuration is Open vSwitch's database alone: what is needed before there are threads,
 * memory and an event loop. main()'s thread. */
#ifndef SRC_APP_DB_START_H
#define SRC_APP_DB_START_H

#include <signal.h>
#include <stddef.h>

#include "src/app/options.h"
#include "src/config/model.h"
#include "src/ovsdb/ovsdb.h"

/* The model, without bridges, by the command line and by the row of table Open_vSwitch. The caller frees it. Sentences
 * about what is not understood go to the log, each once. */
struct config *db_start_model(const struct options *options, const struct ovsdb_row *root);

/* Has the log say, once, what of the row's other_config has no effect, or not before a restart. `options` of a switch
 * that was started with a file: that has its cores and memory. */
void db_note_other_config(const struct options *options, const struct ovsdb_row *root);

/* Waits for the database, for as long as it takes, and for the row, which "ovs-vsctl init" makes. Needs no EAL. Returns
 * the model; NULL with a sentence in `error`, which is empty if *stop became nonzero. */
struct config *db_start(const struct options *options, const volatile sig_atomic_t *stop, char *error,
                        size_t error_size);

#endif
