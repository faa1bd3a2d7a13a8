/* Requests that wait: barriers for the datapath, statistics for counters, flow_mods for another connection's bundle.
 * Control thread. */
#ifndef SRC_OPENFLOW_REQUESTS_BARRIER_H
#define SRC_OPENFLOW_REQUESTS_BARRIER_H

#include <stdbool.h>
#include <stdint.h>

struct of_connection;

/* Answers once no packet is forwarded by what was valid before any earlier request (OpenFlow 1.3.5, 6.2 and 7.3.8; Open
 * vSwitch answers before its datapath has changed). */
void of_barrier_start(struct of_connection *conn, uint32_t xid);
/* Holds the connection up until of_server_is_changing() returns false. */
void of_wait_for_commit(struct of_connection *conn);
/* False: the counters of rules and groups are fresh. True: they are being summed up, which holds the connection up;
 * then the request is to be handled again (-EAGAIN). */
bool of_wait_for_counters(struct of_connection *conn);

#endif
