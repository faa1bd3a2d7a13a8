/* Bundles: OpenFlow 1.4.1, 6.9 and 7.3.9; below 1.4 as the ONF's extension 230. Control thread.
 *
 * Messages are checked when they are added and kept as they came, which is the shortest form; a commit decodes them
 * again and applies them in slices on the pipeline's next version, so that misses go on meanwhile. One commit is under
 * way at a time, and flow_mods of all others wait for it.
 */
#ifndef SRC_OPENFLOW_REQUESTS_BUNDLE_H
#define SRC_OPENFLOW_REQUESTS_BUNDLE_H

#include <stdbool.h>
#include <stdint.h>

#include "src/openflow/codec/msg.h"

struct of_connection;
struct of_server;

void of_bundles_free(struct of_connection *conn);
/* Frees what discarded and committed bundles held, until about the deadline (rte_rdtsc). True: there is more. */
bool of_bundles_bury(struct of_server *server, uint64_t deadline);
/* Discards those that nothing was heard of for long. */
void of_bundles_tick(struct of_connection *conn, uint64_t now_ms);

/* As of_handle (handler.h). */
int of_bundle_control(struct of_connection *conn, const struct of_msg *msg);
int of_bundle_add(struct of_connection *conn, const struct of_bundle_add *add);

#endif
