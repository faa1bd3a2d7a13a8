/* Flow monitors: a connection is told of every change of the rules that it chose (OpenFlow 1.4.1, 7.3.5.18, and
 * Nicira's and ONF's extensions before). Control thread.
 *
 * One that does not read is paused: it is told so, and then only of removals of rules that it knows. Once it has read
 * what there was, it gets the rules that came or changed meanwhile, and RESUMED. What is gone through slice by slice,
 * then and for the initial rules, is mixed with changes that happen meanwhile: a rule may be told twice, and one be
 * removed that had not been told of; what was told last is right.
 */
#ifndef SRC_OPENFLOW_SERVER_MONITOR_H
#define SRC_OPENFLOW_SERVER_MONITOR_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "src/openflow/codec/msg.h"
#include "src/tables/pipeline.h"

struct of_connection;
struct of_monitor;
struct of_server;

struct of_monitors {
    LIST_HEAD(, of_monitor) list;
    unsigned n;
    uint64_t paused_ms;         /* 0 = not paused */
    uint64_t paused_version;    /* of the pipeline; the rules of that very one may be known or not */
    struct rule_cursor *cursor; /* goes through what changed since then; NULL = waits for the peer to read */
};

/* Requests: return as of_handle does. The initial rules are a task. */
int of_monitor_handle(struct of_connection *conn, const struct of_msg *msg);
int of_monitor_cancel(struct of_connection *conn, uint32_t id);
void of_monitors_free(struct of_connection *conn);

/* Goes on with one that was paused, until the deadline (rte_rdtsc). True: there is more to do. */
bool of_monitors_run(struct of_connection *conn, uint64_t deadline);

#endif
