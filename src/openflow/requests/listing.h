/* Replies that list everything of a kind (all ports, all meters), worked off in slices that go on while the peer reads.
 * Control thread. */
#ifndef SRC_OPENFLOW_REQUESTS_LISTING_H
#define SRC_OPENFLOW_REQUESTS_LISTING_H

#include <stdbool.h>

#include "src/openflow/codec/msg.h"

struct of_connection;

struct of_listing_kind {
    /* Returns where the listing is, which stays valid while things come and go: before the first. */
    void *(*open)(struct of_connection *conn);
    /* Adds the next to the reply. False: there is none. */
    bool (*add_next)(struct of_connection *conn, void *cursor, struct of_multipart *mp, struct of_buf *out);
    void (*close)(void *cursor);
};

/* Answers a multipart request. `kind` has to stay where it is. */
void of_listing_start(struct of_connection *conn, const struct of_msg *msg, const struct of_listing_kind *kind);

#endif
