/* <run_dir>/<bridge>.snoop: every OpenFlow message to and from the configured controllers, for "ovs-ofctl snoop".
 * Control thread. */
#ifndef SRC_OPENFLOW_SERVER_SNOOP_H
#define SRC_OPENFLOW_SERVER_SNOOP_H

#include <stddef.h>

struct of_connection;

/* Shows whole messages that `conn` has sent or received to whoever listens. One who does not read loses messages. */
void of_snoop(struct of_connection *conn, const void *messages, size_t len);

#endif
