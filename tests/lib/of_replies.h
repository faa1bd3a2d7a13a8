/* What a client does and the switch does not: reads the entries of multipart replies, writes requests for flow
 * monitors.
 */
#ifndef TESTS_LIB_OF_REPLIES_H
#define TESTS_LIB_OF_REPLIES_H

#include "src/openflow/codec/msg.h"
#include "src/openflow/codec/msg_monitor.h"

/* Each takes an entry off the body of a reply: 1 = an entry, 0 = the end, -1 = malformed. `match` and `acts` are the
 * caller's, filled anew. */
int of_multipart_next_flow(uint8_t version, struct of_multipart_reply *reply, struct of_flow_stats *flow,
                           struct match *match, struct act_buffer *acts);
int of_multipart_next_aggregate(uint8_t version, struct of_multipart_reply *reply, struct of_aggregate *aggregate);
int of_multipart_next_table(uint8_t version, struct of_multipart_reply *reply, struct of_table_stats *table);
int of_multipart_next_table_desc(struct of_multipart_reply *reply, struct of_table_config *config);
int of_multipart_next_controller(struct of_multipart_reply *reply, struct of_controller_status *status);
int of_multipart_next_port(uint8_t version, struct of_multipart_reply *reply, struct of_port_stats *port);
int of_multipart_next_port_desc(uint8_t version, struct of_multipart_reply *reply, struct of_port *port);

void of_monitor_request_encode(struct of_buf *buf, uint8_t version, const struct of_monitor_request *request);

#endif
