/* Records of a journal of rules (rules_journal.h): one rule, group or meter as it is, or that it is gone, or all of the
 * tunnel options. What it is stands in an OpenFlow message, as a controller would send it; the head says what messages
 * do not. Numbers are of this machine's byte order: the file is read by the next process on it, or by nobody. Control
 * thread.
 */
#ifndef SRC_STATE_RULES_RECORD_H
#define SRC_STATE_RULES_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "src/openflow/wire/buf.h"
#include "src/tables/pipeline.h"

enum rules_record_kind { RECORD_RULE, RECORD_GROUP, RECORD_METER, RECORD_OPTIONS, RECORD_N_KINDS };

struct rules_record {
    uint32_t len;        /* with this head and the message behind it; a multiple of 8 */
    uint32_t message;    /* bytes of the message; 0: it is gone */
    uint64_t id;         /* of the kind: any number of a rule's that no other has meanwhile; a group's or meter's own */
    uint64_t created_ms; /* RECORD_RULE: by CLOCK_MONOTONIC */
    uint8_t kind;        /* enum rules_record_kind */
    uint8_t zero;
    uint16_t flags;      /* RECORD_RULE: RULE_* */
    uint16_t importance; /* RECORD_RULE */
    uint16_t zero2;
};

/* Append a record. `there` false: of what is gone. */
void rules_record_rule(struct of_buf *buf, const struct rule *rule, bool there);
void rules_record_group(struct of_buf *buf, const struct group *group, bool there);
void rules_record_meter(struct of_buf *buf, const struct meter_entry *meter, bool there);
void rules_record_options(struct of_buf *buf); /* as they are now */

/* The record at the start of `data`; NULL: there is none that is whole, or it cannot be one. */
const struct rules_record *rules_record_at(const uint8_t *data, size_t len);
/* Puts what the record says into the pipeline, or to the tunnel options. Returns 0 or an enum of_error. */
int rules_record_apply(const struct rules_record *record, struct pipeline *pipeline);

#endif
