/* Actions and instructions to and from the wire. For wire/ and codec/ alone. */
#ifndef SRC_OPENFLOW_WIRE_ACT_WIRE_H
#define SRC_OPENFLOW_WIRE_ACT_WIRE_H

#include "src/actions/act.h"
#include "src/openflow/wire/buf.h"
#include "src/openflow/wire/wire.h"

/* Reads the actions that fill `r` and appends them to `acts`. Returns 0 or an enum of_error. Whether they fit a match
 * is act_list_check()'s. */
int acts_decode(struct reader *r, uint8_t version, struct act_buffer *acts);

/* Instructions that fill `r`; OpenFlow 1.1 and later. The list is in the order of execution. */
int instructions_decode(struct reader *r, uint8_t version, struct act_buffer *acts);

/* Writes what `version` can express. `match` (of the rule; NULL if there is none) decides where later versions split an
 * OpenFlow 1.0 action. */
void acts_encode(struct of_buf *buf, const struct act_list *list, uint8_t version, const struct match *match);
/* Instructions; in OpenFlow 1.0 plain actions. */
void instructions_encode(struct of_buf *buf, const struct act_list *list, uint8_t version, const struct match *match);

/* The most bytes that the list takes in a version from OpenFlow 1.3 on as the actions of a bucket, and in any as a
 * rule's. `scratch` is emptied and used. */
size_t acts_wire_len(const struct act_list *list, struct of_buf *scratch);
size_t instructions_wire_len(const struct act_list *list, struct of_buf *scratch);

/* Parts of the above. A body is what follows type, length (and experimenter and subtype); all of it must be read. */
int act_decode_copy_field(struct reader *body, struct act_buffer *acts); /* OFPAT_COPY_FIELD of OpenFlow 1.5 */
void act_encode_copy_field(struct of_buf *buf, const struct act_move *act, uint8_t version);
int act_decode_nicira(struct reader *body, uint16_t subtype, struct act_buffer *acts);
void act_encode_nicira(struct of_buf *buf, const struct act *act);
/* A set_field as NXAST_REG_LOAD, or NXAST_REG_LOAD2 where one load cannot say it. */
void act_encode_load(struct of_buf *buf, const struct act_set_field *act);
/* A set_field of label or traffic class as NXAST_SET_MPLS_LABEL or NXAST_SET_MPLS_TC. */
void act_encode_mpls(struct of_buf *buf, const struct act_set_field *act);

/* encap and decap; behind the subtype. */
int act_decode_encap(struct reader *body, struct act_buffer *acts);
int act_decode_decap(struct reader *body, struct act_buffer *acts);
void act_encode_encap(struct of_buf *buf, const struct act_encap *act);
void act_encode_decap(struct of_buf *buf, const struct act_u32 *act);

/* NXAST_LEARN and NXAST_LEARN2: act_learn.c. */
int act_decode_learn(struct reader *body, bool second, struct act_buffer *acts);
void act_encode_learn(struct of_buf *buf, const struct act_learn *act);

/* NXAST_MULTIPATH; NXAST_BUNDLE and NXAST_BUNDLE_LOAD: act_multipath.c. */
int act_decode_multipath(struct reader *body, struct act_buffer *acts);
void act_encode_multipath(struct of_buf *buf, const struct act_multipath *act);
int act_decode_bundle(struct reader *body, bool load, struct act_buffer *acts);
void act_encode_bundle(struct of_buf *buf, const struct act_bundle *act);

/* NXAST_SAMPLE, 2 and 3: act_sample.c. */
int act_decode_sample(struct reader *body, uint16_t subtype, struct act_buffer *acts);
void act_encode_sample(struct of_buf *buf, const struct act_sample *act);

/* The instruction, behind its length: act_stat_trigger.c. */
int act_decode_stat_trigger(struct reader *body, struct act_buffer *acts);
void act_encode_stat_trigger(struct of_buf *buf, const struct act_stat_trigger *act);

/* Reads a header where a field without value is named; returns 0 or an enum of_error, as the next. */
int act_read_field(struct reader *r, const struct field **f);
int act_make_subfield(struct subfield *sf, const struct field *f, unsigned ofs, unsigned n_bits);
void act_put_field(struct of_buf *buf, const struct field *f);

/* A Nicira action's frame: returns where it starts; end patches the length and pads to 8. */
size_t nicira_begin(struct of_buf *buf, uint16_t subtype);
void act_end(struct of_buf *buf, size_t start);

/* The subtype numbers that OpenFlow 1.0's encoder needs for standard actions. */
enum {
    NXAST_RESUBMIT = 1,
    NXAST_SET_TUNNEL = 2,
    NXAST_SET_QUEUE = 4,
    NXAST_POP_QUEUE = 5,
    NXAST_REG_MOVE = 6,
    NXAST_REG_LOAD = 7,
    NXAST_NOTE = 8,
    NXAST_SET_TUNNEL64 = 9,
    NXAST_MULTIPATH = 10,
    NXAST_BUNDLE = 12,
    NXAST_BUNDLE_LOAD = 13,
    NXAST_RESUBMIT_TABLE = 14,
    NXAST_OUTPUT_REG = 15,
    NXAST_LEARN = 16,
    NXAST_EXIT = 17,
    NXAST_DEC_TTL = 18,
    NXAST_FIN_TIMEOUT = 19,
    NXAST_CONTROLLER = 20,
    NXAST_DEC_TTL_CNT_IDS = 21,
    NXAST_WRITE_METADATA = 22,
    NXAST_PUSH_MPLS = 23,
    NXAST_POP_MPLS = 24,
    NXAST_SET_MPLS_TTL = 25,
    NXAST_DEC_MPLS_TTL = 26,
    NXAST_STACK_PUSH = 27,
    NXAST_STACK_POP = 28,
    NXAST_SAMPLE = 29,
    NXAST_SET_MPLS_LABEL = 30,
    NXAST_SET_MPLS_TC = 31,
    NXAST_OUTPUT_REG2 = 32,
    NXAST_REG_LOAD2 = 33,
    NXAST_CONJUNCTION = 34,
    NXAST_CT = 35,
    NXAST_NAT = 36,
    NXAST_CONTROLLER2 = 37,
    NXAST_SAMPLE2 = 38,
    NXAST_OUTPUT_TRUNC = 39,
    NXAST_GROUP = 40,
    NXAST_SAMPLE3 = 41,
    NXAST_CLONE = 42,
    NXAST_CT_CLEAR = 43,
    NXAST_RESUBMIT_TABLE_CT = 44,
    NXAST_ENCAP = 46,
    NXAST_DECAP = 47,
    NXAST_DEC_NSH_TTL = 48,
    NXAST_DELETE_FIELD = 50,
    NXAST_LEARN2 = 45,
    NXAST_CHECK_PKT_LARGER = 49,
};

#endif
