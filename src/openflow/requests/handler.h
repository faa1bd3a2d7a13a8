/* The handlers of OpenFlow requests. Control thread. */
#ifndef SRC_OPENFLOW_REQUESTS_HANDLER_H
#define SRC_OPENFLOW_REQUESTS_HANDLER_H

#include <stddef.h>
#include <stdint.h>

#include "src/openflow/requests/listing.h"
#include "src/openflow/server/connection.h"

/* Each message is answered, or made a task of. For of_server_create(). */
extern const struct of_request_ops of_requests;

/* The handlers, by subject. All get the decoded message and return as of_request_ops.handle does. */
int of_handle_multipart(struct of_connection *conn, const struct of_msg *msg);
int of_handle_group_mod(struct of_connection *conn, const struct of_msg *msg);
int of_handle_ct_flush_zone(struct of_connection *conn, const struct of_msg *msg);
int of_handle_ct_flush(struct of_connection *conn, const struct of_msg *msg);
int of_handle_tlv_mod(struct of_connection *conn, const struct of_msg *msg);
int of_handle_tlv_request(struct of_connection *conn, const struct of_msg *msg);
int of_handle_meter_mod(struct of_connection *conn, const struct of_msg *msg);
int of_handle_packet_out(struct of_connection *conn, const struct of_msg *msg);
int of_handle_resume(struct of_connection *conn, const struct of_msg *msg);
int of_handle_port_mod(struct of_connection *conn, const struct of_msg *msg);
int of_handle_table_mod(struct of_connection *conn, const struct of_msg *msg);
int of_handle_role(struct of_connection *conn, const struct of_msg *msg);

/* What lists all of a kind: statistics and features of tables, their configuration, statistics and descriptions of
 * groups, statistics and configurations of meters. */
extern const struct of_listing_kind of_list_tables, of_list_table_descs, of_list_groups, of_list_meters;
/* OFPMP_TABLE_FEATURES with a body, which may come in several parts. `whole`: it is to be answered. */
int of_table_features_request(struct of_connection *conn, const struct of_msg *msg, bool *whole);
/* About one group or meter, or OF_MP_GROUP_FEATURES or OF_MP_METER_FEATURES. */
void of_reply_group(struct of_connection *conn, const struct of_multipart_request *request, struct of_multipart *mp,
                    struct of_buf *out);
int of_reply_meters(struct of_connection *conn, const struct of_multipart_request *request, struct of_multipart *mp,
                    struct of_buf *out);

/* Check a message without doing anything: bundles do so when it is added, and apply it later. 0 or an enum of_error. */
int of_check_packet_out(const struct of_connection *conn, const struct of_packet_out *out);
int of_check_port_mod(const struct of_connection *conn, const struct of_port_mod *mod);
int of_check_table_mod(const struct of_table_config *mod, uint8_t version);
/* Fills `config` with the configuration that `table_id` has after a table_mod of OpenFlow 1.4 or later, which passed
 * of_check_table_mod(). False: it is not about this table. */
bool of_table_configure(const struct of_table_config *mod, const struct pipeline *pipeline, uint8_t table_id,
                        struct table_config *config);
/* Makes a packet of `len` bytes, in as many segments as it takes. NULL: there are no packet buffers. */
struct rte_mbuf *of_make_packet(struct of_server *server, const uint8_t *data, size_t len);
int of_check_flow_mod(const struct flow_mod *fm);

#endif
