/* The forms of each type of action on the wire: one row a type, in files of the same families as in src/actions/.
 * Private to this folder. Control thread.
 *
 * Decoders get a body: what follows type and length (and experimenter and subtype). They have to read all of it; what
 * is left, or missing, is found by the caller. They return 0 or an enum of_error.
 */
#ifndef SRC_OPENFLOW_WIRE_ACT_CODEC_IMPL_H
#define SRC_OPENFLOW_WIRE_ACT_CODEC_IMPL_H

#include "src/openflow/wire/act_wire.h"
#include "src/openflow/wire/version.h"

#define OFPAT_EXPERIMENTER 0xffff
#define INST_APPLY_ACTIONS 4 /* the only instruction that is no act: its actions are */
#define INST_NUMBERS 8       /* all of them are below */

/* Sets of versions. */
#define IN_OF10 (1u << OF10)
#define UNTIL_OF14 (1u << OF13 | 1u << OF14)
#define SINCE_OF15 (1u << OF15)
#define SINCE_OF13 (UNTIL_OF14 | SINCE_OF15)

/* An action that is being read. */
struct act_reading {
    uint8_t version;
    unsigned depth; /* lists around it */
    enum act_type type;
    const struct act_wire *wire; /* its form; NULL: an instruction */
    struct act_buffer *acts;     /* where it goes */
};

/* A list that is being written. */
struct act_writing {
    struct of_buf *buf;
    uint8_t version;
    const struct match *match; /* of the rule; NULL: there is none */
    bool tagged;               /* an action that was written has seen to it that the packet has a VLAN tag */
};

typedef int act_decoder(struct reader *body, const struct act_reading *in);
typedef void act_encoder(struct act_writing *out, const struct act *act);

/* A form on the wire. */
struct act_wire {
    uint32_t vendor;  /* 0: a standard action; else the experimenter, OF_EXPERIMENTER_NICIRA */
    uint16_t number;  /* the type, or the experimenter's subtype; below ACT_NUMBERS */
    uint8_t versions; /* that have it */
    uint8_t form;     /* enum act_form of actions that came so */
    act_decoder *decode;
};

/* For rows: a standard action, one of Nicira's, and one of Nicira's that is only another way to write a standard one.
 */
#define STANDARD(number_, versions_, decode_)                                                                          \
    {                                                                                                                  \
        .number = (number_), .versions = (versions_), .form = ACT_FORM_STANDARD, .decode = (decode_)                   \
    }
#define OF10_FORM(number_, decode_)                                                                                    \
    {                                                                                                                  \
        .number = (number_), .versions = IN_OF10, .form = ACT_FORM_OF10, .decode = (decode_)                           \
    }
#define NICIRA(number_, versions_, decode_)                                                                            \
    {                                                                                                                  \
        .vendor = OF_EXPERIMENTER_NICIRA, .number = (number_), .versions = (versions_), .form = ACT_FORM_NICIRA,       \
        .decode = (decode_)                                                                                            \
    }
#define NICIRA_FOR_STANDARD(number_, versions_, decode_)                                                               \
    {                                                                                                                  \
        .vendor = OF_EXPERIMENTER_NICIRA, .number = (number_), .versions = (versions_), .form = ACT_FORM_STANDARD,     \
        .decode = (decode_)                                                                                            \
    }

struct act_codec {
    const struct act_wire *wires; /* ends with one whose `decode` is NULL; NULL: it is no action in any version */
    act_encoder *encode;          /* in the form that the version has for it; NULL: no version has any */
    struct {
        uint16_t number;  /* below INST_NUMBERS; 0: it is no instruction */
        uint8_t versions; /* that have it */
        bool before;      /* runs before the actions, else behind them (OpenFlow 1.3.5, 5.9) */
        act_decoder *decode;
        act_encoder *encode;
    } instruction;
};

#define ACT_WIRES(...)                                                                                                 \
    (const struct act_wire[])                                                                                          \
    {                                                                                                                  \
        __VA_ARGS__,                                                                                                   \
        {                                                                                                              \
            .decode = NULL                                                                                             \
        }                                                                                                              \
    }

/* By type. */
extern const struct act_codec *const act_codecs[ACT_N_TYPES];

#define ACT_DECLARE(TYPE, name, args) extern const struct act_codec act_codec_##name;
ACT_TYPES(ACT_DECLARE)
#undef ACT_DECLARE

/* The form that an action of these numbers has, and its type. NULL: the version does not know it. */
const struct act_wire *act_wire_find(uint8_t version, uint32_t vendor, uint16_t number, enum act_type *type);
/* The type of the instruction of this number; ACT_N_TYPES: no version has it. */
enum act_type instruction_find(uint16_t number);

/* --- lists (act_decode.c, act_encode.c) ---------------------------------- */

/* As acts_decode(), inside `depth` other lists. */
int act_list_decode(struct reader *r, uint8_t version, unsigned depth, struct act_buffer *acts);
/* Writes one action of the list that `out` is about. */
void act_encode(struct act_writing *out, const struct act *act);

/* --- parts of actions (act_parts.c) -------------------------------------- */

/* For rows whose struct is act, act_u32, or begins with zeroes on the wire: nothing, or a number of 1, 2 or 4 bytes,
 * and padding. */
act_decoder act_read_plain, act_read_u8, act_read_u16, act_read_u32;
/* Write it in the first form of its row that the version has; nothing if there is none. */
act_encoder act_put_plain, act_put_u8, act_put_u16, act_put_u32;

/* An action's frame: begin returns where it starts, end patches the length and pads to 8. */
size_t act_begin(struct of_buf *buf, uint16_t type);
size_t nicira_begin(struct of_buf *buf, uint16_t subtype);
void act_end(struct of_buf *buf, size_t start);

/* Reads a header where a field without value is named; returns 0 or an enum of_error, as the next. */
int act_read_field(struct reader *r, const struct field **f);
int act_make_subfield(struct subfield *sf, const struct field *f, unsigned ofs, unsigned n_bits);
void act_put_field(struct of_buf *buf, const struct field *f);

/* What other actions are written as (act_set.c): a standard set_field of a whole field, with its value as on the wire
 * or as a number; and NXAST_REG_LOAD, or NXAST_REG_LOAD2 where one load cannot say it. */
void act_put_set_field(struct act_writing *out, const struct field *f, const uint8_t *value);
void act_put_set_number(struct act_writing *out, enum field_id id, uint32_t value);
void act_put_load(struct of_buf *buf, const struct act_set_field *act);

/* Nicira's subtypes. */
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
    NXAST_LEARN2 = 45,
    NXAST_ENCAP = 46,
    NXAST_DECAP = 47,
    NXAST_DEC_NSH_TTL = 48,
    NXAST_CHECK_PKT_LARGER = 49,
    NXAST_DELETE_FIELD = 50,
};

#endif
