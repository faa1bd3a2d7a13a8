/* Deletes that look at many rules, worked off in slices: misses go on meanwhile, and so do other connections, whose new
 * rules are not the delete's. Control thread. */
#ifndef SRC_OPENFLOW_REQUESTS_FLOW_DELETE_H
#define SRC_OPENFLOW_REQUESTS_FLOW_DELETE_H

#include <stdbool.h>

struct flow_mod;
struct of_connection;

/* Takes a delete over if it has more rules to look at than one turn of the event loop should; the connection's next
 * messages wait for its end. False: nothing was done. */
bool of_flow_delete_start(struct of_connection *conn, const struct flow_mod *fm);

#endif
