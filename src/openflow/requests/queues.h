/* What is told of the queues of ports. Control thread. */
#ifndef SRC_OPENFLOW_REQUESTS_QUEUES_H
#define SRC_OPENFLOW_REQUESTS_QUEUES_H

#include "src/openflow/server/connection.h"

/* Answers OF_MP_QUEUE and OF_MP_QUEUE_DESC. 0 or an enum of_error. */
int of_reply_queues(const struct of_connection *conn, const struct of_multipart_request *request,
                    struct of_multipart *mp, struct of_buf *out);
/* Answers OF_QUEUE_GET_CONFIG_REQUEST. 0 or an enum of_error. */
int of_handle_queue_get_config(struct of_connection *conn, const struct of_msg *msg);

#endif
