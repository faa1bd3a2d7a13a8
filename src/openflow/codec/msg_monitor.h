/* Flow monitors on the wire: NXST_FLOW_MONITOR of OpenFlow 1.0, ONF's extension 187 to 1.3, OFPMP_FLOW_MONITOR of
 * 1.4 (7.3.5.18) and later. Control thread. */
#ifndef SRC_OPENFLOW_CODEC_MSG_MONITOR_H
#define SRC_OPENFLOW_CODEC_MSG_MONITOR_H

#include "src/openflow/codec/msg.h"

enum { /* OFPFMF_* of OpenFlow 1.4 */
       OF_MONITOR_INITIAL = 1 << 0,
       OF_MONITOR_ADD = 1 << 1,
       OF_MONITOR_REMOVED = 1 << 2,
       OF_MONITOR_MODIFY = 1 << 3,
       OF_MONITOR_INSTRUCTIONS = 1 << 4,
       OF_MONITOR_NO_ABBREV = 1 << 5,
       OF_MONITOR_ONLY_OWN = 1 << 6,
};

enum of_monitor_command { OF_MONITOR_CMD_ADD, OF_MONITOR_CMD_MODIFY, OF_MONITOR_CMD_DELETE };

struct of_monitor_request {
    uint32_t id;
    uint16_t flags;
    uint8_t command;
    uint8_t table_id;
    uint32_t out_port, out_group;
    struct match match;
};

/* The next request off the body of a multipart request of the type: 1, 0 at the end, or a negated enum of_error. */
int of_monitor_request_next(uint8_t version, struct of_bytes *body, struct of_monitor_request *request);

enum of_monitor_event { /* OFPFME_* */
                        OF_MONITOR_EV_INITIAL,
                        OF_MONITOR_EV_ADDED,
                        OF_MONITOR_EV_REMOVED,
                        OF_MONITOR_EV_MODIFIED,
                        OF_MONITOR_EV_ABBREV,
                        OF_MONITOR_EV_PAUSED,
                        OF_MONITOR_EV_RESUMED,
};

/* Entries of replies. */
void of_multipart_add_monitor_rule(struct of_multipart *mp, struct of_buf *out, enum of_monitor_event event,
                                   const struct rule *rule, enum rule_removed_reason reason, bool with_acts);
void of_multipart_add_monitor_abbrev(struct of_multipart *mp, struct of_buf *out, uint32_t xid);
/* PAUSED or RESUMED: a message of its own. */
void of_monitor_pause_encode(struct of_buf *buf, uint8_t version, enum of_monitor_event event);

#endif
