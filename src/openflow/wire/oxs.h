/* Statistics of flow entries as OpenFlow 1.5 has them (OpenFlow 1.5.1, 7.2.4): a list of fields, each there or not.
 * For wire/ and codec/ alone. */
#ifndef SRC_OPENFLOW_WIRE_OXS_H
#define SRC_OPENFLOW_WIRE_OXS_H

#include "src/openflow/wire/buf.h"
#include "src/openflow/wire/wire.h"

/* Bits of `present`: numbers of enum oxs_ofb_stat_fields. */
#define OXS_DURATION (1u << 0)
#define OXS_IDLE_TIME (1u << 1)
#define OXS_FLOW_COUNT (1u << 3)
#define OXS_PACKET_COUNT (1u << 4)
#define OXS_BYTE_COUNT (1u << 5)

struct oxs_stats {
    uint32_t present;
    bool unknown; /* there were fields that are not among these */
    uint32_t duration_s, duration_ns;
    uint32_t idle_s, idle_ns;
    uint32_t flows;
    uint64_t packets, bytes;
};

/* struct ofp_stats. Fields that are not known are passed over and noted. Returns 0 or an enum of_error. */
int oxs_decode(struct reader *r, struct oxs_stats *stats);
void oxs_encode(struct of_buf *buf, const struct oxs_stats *stats);

#endif
