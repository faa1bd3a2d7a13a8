/* The commit of a bundle, in slices. Control thread. */
#ifndef SRC_OPENFLOW_REQUESTS_BUNDLE_COMMIT_H
#define SRC_OPENFLOW_REQUESTS_BUNDLE_COMMIT_H

#include "src/openflow/server/bundle_store.h"
#include "src/openflow/server/connection.h"

/* Takes the messages out of `store`, which is empty afterwards, and makes the commit the connection's request under
 * way: all of them take effect, in order, or none does. Replies to `request` once the datapath has it too, or with the
 * error of the message that failed followed by OFPBFC_MSG_FAILED. */
void of_bundle_commit_start(struct of_connection *conn, const struct of_msg *request, struct of_bundle_store *store);
/* A message by itself, `data`, that may be about many rules is committed in the same way: visible in one step, and in
 * slices. Returns false if it is about few, or of another kind: nothing was done. */
bool of_bundle_commit_single(struct of_connection *conn, const struct of_msg *msg, const uint8_t *data, size_t len);

#endif
