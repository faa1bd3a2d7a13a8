/* OFPMP_TABLE_FEATURES entries (OpenFlow 1.3.5, 7.3.5.5). Private to the codec. */
#ifndef SRC_OPENFLOW_CODEC_TABLE_FEATURES_H
#define SRC_OPENFLOW_CODEC_TABLE_FEATURES_H

#include "src/openflow/codec/msg.h"
#include "src/openflow/wire/wire.h"

void table_features_encode(struct of_buf *buf, uint8_t version, const struct of_table_stats *table);
/* Name, sizes and next tables. Returns 0 or an enum of_error: also for what no table can do. */
int table_features_decode(struct reader *r, uint8_t version, struct of_table_stats *table);

#endif
