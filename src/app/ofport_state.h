/* OpenFlow port numbers that were given to ports which did not ask for one, kept over restarts: in <run_dir>/ofports,
 * a JSON object {bridge: {port: number}}. The file is written when they change. Control thread only.
 *
 * For a configuration that has no place for them. A database keeps them itself. */
#ifndef SRC_APP_OFPORT_STATE_H
#define SRC_APP_OFPORT_STATE_H

#include "src/app/apply.h"

struct ofport_state;

/* Writes the file from now on. */
struct ofport_state *ofport_state_create(struct apply *apply, const char *run_dir);
void ofport_state_destroy(struct ofport_state *state); /* NULL is allowed */

/* Sets ofport_last of the ports in `config` by the file, if there is one. */
void ofport_state_recall(const struct ofport_state *state, struct config *config);

#endif
