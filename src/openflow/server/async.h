/* Asynchronous messages: who gets which packet_in (packet_in.c), flow_removed, port_status, role_status and
 * controller_status. They wait in a bounded queue: a connection that is far behind loses them, counted. Control thread.
 */
#ifndef SRC_OPENFLOW_SERVER_ASYNC_H
#define SRC_OPENFLOW_SERVER_ASYNC_H

#include <stdbool.h>

#include "src/openflow/codec/msg.h"

struct bridge_port;
struct of_connection;
struct of_server;

#define OF_DEFAULT_MISS_SEND_LEN 128 /* OpenFlow 1.3.5, 7.3.2 */

/* Returns what a connection of `version` gets until it asks for something else. */
struct of_async of_async_default(uint8_t version);
/* Sets what the connection gets from now on (SET_ASYNC, NXT_SET_ASYNC_CONFIG). */
void of_async_set(struct of_connection *conn, const struct of_async *async);
/* OFPC_INVALID_TTL_TO_CONTROLLER of set-config, which is one of the reasons. */
void of_async_set_invalid_ttl(struct of_connection *conn, bool wanted);
bool of_async_invalid_ttl(const struct of_connection *conn);
/* Does it want a message for that reason? `masks` is one of the connection's pairs. Who connected to a listening socket
 * is no controller until it has asked for packets; what goes to a channel goes to its main connection. */
bool of_async_takes(const struct of_connection *conn, const uint32_t masks[2], unsigned reason);
/* Does it get packets that miss table 0 of OpenFlow 1.0? From OpenFlow 1.3 on they are dropped (1.3.5, 5.4). */
bool of_async_wants_misses(const struct of_connection *conn);
/* Tells a master that another one has made it slave (OpenFlow 1.4.1, 7.4.4). */
void of_async_role_status(struct of_connection *conn);
/* Tells the other connections that `conn`, to a controller, came up, went, or got another role or id (OpenFlow 1.5.1,
 * 7.4.7). */
void of_async_controller_status(struct of_connection *conn, enum of_controller_status_reason reason);
/* Forwards a group_mod or meter_mod of `conn` that was done to other connections that want it (OpenFlow 1.4.1, 7.4.6).
 */
void of_async_requestforward(struct of_connection *conn, const struct of_msg *request);
void of_async_table_status(struct of_server *server, const struct of_table_status *status);
/* Fills `status` with what others are told of `conn`; it points to the connection's name. */
void of_controller_describe(const struct of_connection *conn, enum of_controller_status_reason reason,
                            struct of_controller_status *status);

/* Tells those who asked for it that a port came, went or changed. */
void of_async_port_status(struct of_server *server, struct bridge_port *bp, enum of_port_reason reason);

#endif
