/* Flow statistics and aggregates, worked off in slices that go on while the peer reads. Control thread. */
#ifndef SRC_OPENFLOW_REQUESTS_DUMP_H
#define SRC_OPENFLOW_REQUESTS_DUMP_H

#include "src/openflow/codec/msg.h"

struct of_connection;

/* OF_MP_FLOW, OF_MP_FLOW_STATS and OF_MP_AGGREGATE. */
void of_dump_start(struct of_connection *conn, const struct of_msg *msg);

#endif
