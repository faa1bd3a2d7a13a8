/* Actions and instructions in one internal form, independent of the wire version.
 *
 * A list is a run of struct act, one behind the other, each a multiple of 8 bytes. Instructions are in the same list,
 * in the order of OpenFlow 1.3.5, 5.9: METER, STAT_TRIGGER, the apply-actions themselves, CLEAR_ACTIONS, WRITE_ACTIONS
 * (nested), WRITE_METADATA, GOTO_TABLE. Decoders build lists, encoders write them back, translation walks them. A list
 * is immutable once a rule owns it. Control thread only.
 */
#ifndef SRC_ACTIONS_ACT_H
#define SRC_ACTIONS_ACT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "src/actions/act_types.h"
#include "src/match/field.h"

/* How an action was written on the wire, so that it is written back the same. */
enum act_form {
    ACT_FORM_STANDARD, /* an OFPAT_ action (or set_field) */
    ACT_FORM_NICIRA,   /* NXAST_: REG_LOAD, REG_MOVE ... */
    /* An OpenFlow 1.0 set action, whose name ovs-ofctl prints as mod_dl_src and so on. It does nothing to packets that
     * lack the field; FIELD_TCP_SRC and FIELD_TCP_DST stand for the ports of TCP, UDP and SCTP alike. */
    ACT_FORM_OF10,
};

/* Acts have no padding that is not named and zero, so that lists can be compared as bytes. */
#pragma GCC diagnostic push
#pragma GCC diagnostic error "-Wpadded"

/* Bounds of what a list may hold, however it is written. */
#define ACT_NESTED_MAX 16   /* lists in one another: write_actions, clone */
#define LEARN_SPECS_MAX 200 /* of a learn action */
#define BUNDLE_MEMBERS_MAX 2048

struct act {
    uint16_t type; /* enum act_type */
    uint8_t form;  /* enum act_form */
    uint8_t zero;
    uint32_t len; /* bytes, header and padding included; multiple of 8. What came in one message may be longer here */
};

struct act_u32 {
    struct act h;
    uint32_t value;
    uint32_t zero;
};
static inline uint32_t act_u32_of(const struct act *act)
{
    return ((const struct act_u32 *)act)->value;
}
struct act_u64 {
    struct act h;
    uint64_t value;
};
struct act_output {
    struct act h;
    uint32_t port;    /* OFPORT_* */
    uint16_t max_len; /* OFPORT_CONTROLLER: bytes of the packet to send; 0xffff = all, not buffered */
    uint16_t zero;
};
struct act_output_reg {
    struct act h;
    struct subfield src;
    uint16_t max_len;
    uint8_t zero[6];
};
struct act_controller {
    struct act h;
    uint16_t max_len;
    uint16_t controller_id;
    uint8_t reason; /* OFPR_* */
    uint8_t pause;
    uint16_t userdata_len;
    uint32_t meter_id; /* that the packet passes on its way to the controller; 0 = none */
    uint8_t userdata[];
};
struct act_enqueue {
    struct act h;
    uint32_t port;
    uint32_t queue;
};
struct act_set_field {
    struct act h;
    const struct field *field;
    union field_value value; /* as on the wire */
    union field_value mask;  /* all ones where the whole field is set */
};
struct act_move {
    struct act h;
    struct subfield src;
    struct subfield dst;
};
struct act_dec_ttl {
    struct act h;
    uint16_t n_ids;
    uint16_t with_ids; /* 0: plain dec_ttl, controller id 0. 1 with no ids: tells nobody */
    uint16_t ids[];
};
struct act_resubmit {
    struct act h;
    uint32_t in_port; /* OFPORT_IN_PORT = unchanged */
    uint8_t table;    /* 255 = the current one */
    uint8_t with_ct;  /* 1: the table sees the connection's original addresses and ports as the packet's */
    uint16_t zero;
};
struct act_subfield {
    struct act h;
    struct subfield sf;
};
struct act_fin_timeout {
    struct act h;
    uint16_t idle_s, hard_s;
};
struct act_conjunction {
    struct act h;
    uint32_t id;
    uint8_t clause; /* 1 .. n_clauses */
    uint8_t n_clauses;
    uint16_t zero;
};
/* A part of the rule that is learned: a match on `dst`, a load into it, or an output to the port that is in the source.
 */
enum learn_dst { LEARN_MATCH, LEARN_LOAD, LEARN_OUTPUT };
struct learn_spec {
    uint8_t dst_type; /* enum learn_dst */
    bool immediate;   /* the source is `value`, else `src` */
    uint8_t n_bits;
    uint8_t zero[5];
    struct subfield src, dst;
    union field_value value; /* right-aligned */
};
#define LEARN_SEND_FLOW_REM 0x01 /* as on the wire */
#define LEARN_DELETE_LEARNED 0x02
#define LEARN_WRITE_RESULT 0x04
struct act_learn {
    struct act h;
    uint64_t cookie;
    uint32_t limit; /* 0 = none */
    uint16_t idle_s, hard_s, priority, fin_idle_s, fin_hard_s;
    uint8_t table_id;
    uint8_t flags; /* LEARN_* */
    struct subfield result_dst;
    uint32_t n_specs;
    uint32_t zero;
    struct learn_spec specs[];
};
struct act_output_trunc {
    struct act h;
    uint32_t port; /* OFPORT_* */
    uint32_t max_len;
};
enum sample_direction { SAMPLE_ANY, SAMPLE_INGRESS, SAMPLE_EGRESS };
struct act_sample {
    struct act h;
    uint16_t probability; /* of 65535 */
    uint8_t direction;    /* enum sample_direction */
    uint8_t zero;
    uint32_t collector_set, obs_domain, obs_point;
    uint32_t port; /* OFPORT_ANY: none is said */
    uint32_t zero2;
};
struct act_check_larger {
    struct act h;
    struct subfield dst; /* one bit */
    uint16_t len;        /* bytes */
    uint8_t zero[6];
};
/* What is hashed, and how a link is chosen by it: numbers as on the wire. */
enum hash_fields {
    HASH_ETH_SRC,
    HASH_SYMMETRIC_L4,
    HASH_SYMMETRIC_L3L4,
    HASH_SYMMETRIC_L3L4_UDP,
    HASH_NW_SRC,
    HASH_NW_DST,
    HASH_SYMMETRIC_L3,
    HASH_N_FIELDS
};
enum multipath_algorithm { MULTIPATH_MODULO_N, MULTIPATH_THRESHOLD, MULTIPATH_HRW, MULTIPATH_ITER_HASH, MULTIPATH_N };
enum bundle_algorithm { BUNDLE_ACTIVE_BACKUP, BUNDLE_HRW, BUNDLE_N };
struct act_multipath {
    struct act h;
    struct subfield dst;
    uint32_t arg;
    uint16_t basis;
    uint16_t max_link;
    uint8_t fields, algorithm;
    uint8_t zero[6];
};
struct act_bundle {
    struct act h;
    struct subfield dst; /* field NULL: the packet is sent there */
    uint16_t basis;
    uint8_t fields, algorithm;
    uint32_t n_members;
    uint32_t members[]; /* OFPORT_* */
};
/* What a stat_trigger watches: duration and idle_time in nanoseconds. */
enum stat_threshold { STAT_DURATION, STAT_IDLE_TIME, STAT_PACKETS, STAT_BYTES, STAT_N_THRESHOLDS };
#define STAT_TRIGGER_PERIODIC 0x1 /* OFPSTF_*: at each multiple, too */
#define STAT_TRIGGER_ONLY_FIRST 0x2
struct act_stat_trigger {
    struct act h;
    uint32_t flags;   /* STAT_TRIGGER_* */
    uint32_t present; /* 1 << enum stat_threshold */
    uint64_t thresholds[STAT_N_THRESHOLDS];
};
#define CT_COMMIT 0x1 /* as on the wire */
#define CT_FORCE 0x2
#define CT_NO_TABLE 255
struct act_ct {
    struct act h;
    struct subfield zone_src; /* field NULL: the zone is `zone` */
    uint16_t zone;
    uint8_t flags; /* CT_* */
    uint8_t table; /* where a copy of the packet goes on, tracked; CT_NO_TABLE: nowhere */
    uint16_t alg;  /* CT_ALG_*, which a new connection gets; 0: none */
    uint16_t zero;
    uint32_t n, zero_too; /* n: bytes of data in use */
    /* Writes to ct_mark and ct_label of the connection, and how it is translated (struct act_nat), in any order. */
    uint8_t data[] __attribute__((aligned(8)));
};
/* As on the wire: the ports that these have. */
#define CT_ALG_FTP 21
#define CT_ALG_TFTP 69
#define NAT_SRC 0x01 /* NAT_*: as on the wire */
#define NAT_DST 0x02
#define NAT_PERSISTENT 0x04
#define NAT_HASH 0x08
#define NAT_RANDOM 0x10
struct act_nat { /* inside ct alone */
    struct act h;
    uint8_t flags;                            /* NAT_* */
    uint8_t ip_version;                       /* of the addresses: 4, 6, 0: there are none */
    uint8_t min_address[16], max_address[16]; /* IPv4: the first 4 bytes. max of zeros: there is only min */
    uint16_t min_port, max_port;              /* min 0: there are none; max 0: there is only min */
    uint8_t zero[2];
};
struct act_metadata {
    struct act h;
    rte_be64_t value, mask;
};
struct act_encap {
    struct act h;
    uint32_t packet_type; /* Ethernet, NSH or MPLS */
    uint8_t md_type;      /* NSH: 0 = not said, which is 1 */
    uint8_t tlvs_len;     /* NSH of MD type 2: its metadata, as in the header */
    uint8_t zero[2];
    uint8_t tlvs[];
};
struct act_bytes {
    struct act h;
    uint32_t n; /* bytes of data in use */
    uint32_t zero;
    uint8_t data[] __attribute__((aligned(8)));
};

#pragma GCC diagnostic pop

struct act_list {
    const struct act *acts;
    size_t len; /* bytes */
};

#define ACT_FOR_EACH(it, list)                                                                                         \
    for (const struct act *it = (list)->acts; (uintptr_t)it < (uintptr_t)(list)->acts + (list)->len;                   \
         it = (const struct act *)((const uint8_t *)it + it->len))

/* A growing buffer of acts. */
struct act_buffer {
    uint8_t *data; /* 8-byte aligned, malloc'ed */
    size_t len, size;
};
void act_buffer_init(struct act_buffer *buffer);
void act_buffer_free(struct act_buffer *buffer);
/* Appends a zeroed act of `len` bytes (header included, rounded up to 8; act->len says the rounded length); aborts on
 * out of memory. */
void *act_buffer_add(struct act_buffer *buffer, enum act_type type, size_t len);
/* As act_buffer_add(), with the length of the type's struct, which has no variable part. */
void *act_buffer_add_type(struct act_buffer *buffer, enum act_type type);
struct act_list act_buffer_list(const struct act_buffer *buffer);

bool act_lists_equal(const struct act_list *a, const struct act_list *b);
/* Is there a list inside the action (write_actions, clone)? Then `inner` is it. */
bool act_nested(const struct act *act, struct act_list *inner);
/* Does the list send to this port (or group), nested write_actions included? For out_port filters of deletes and dumps.
 */
bool act_list_outputs_to(const struct act_list *list, uint32_t ofport);
bool act_list_uses_group(const struct act_list *list, uint32_t group);
/* Does it make its rule a clause of a conjunction (ovs-fields(7))? */
bool act_list_is_clause(const struct act_list *list);

/* Where an action set runs an action: the order of OpenFlow 1.3.5, 5.10; decap and encap are where Open vSwitch has
 * them. Of those of a rank other than fields the last one written counts. */
enum act_rank {
    ACT_RANK_NONE, /* is not run in a set */
    ACT_RANK_COPY_TTL_IN,
    ACT_RANK_POP_VLAN,
    ACT_RANK_POP_MPLS,
    ACT_RANK_POP_PBB,
    ACT_RANK_DECAP,
    ACT_RANK_ENCAP,
    ACT_RANK_PUSH_MPLS,
    ACT_RANK_PUSH_PBB,
    ACT_RANK_PUSH_VLAN,
    ACT_RANK_COPY_TTL_OUT,
    ACT_RANK_DEC_TTL,
    ACT_RANK_DEC_MPLS_TTL,
    ACT_RANK_DEC_NSH_TTL,
    ACT_RANK_SET,
    ACT_RANK_QUEUE,
    ACT_RANK_METER, /* OpenFlow 1.5.1, 5.6.6: among "qos" */
    ACT_RANK_GROUP,
    ACT_RANK_OUTPUT,
    ACT_RANK_RESUBMIT,
    ACT_RANK_CT,
};
enum act_rank act_rank(const struct act *act);
/* May the action stand in an action set that write_actions fills, or in a group's bucket? Open vSwitch allows some in
 * buckets alone, and among them some that do nothing there. */
bool act_fits_write_actions(const struct act *act);
bool act_fits_bucket(const struct act *act);

/* What an action names and is not the rule's own: the action does nothing, or may not be added, without it. */
enum act_ref_type { ACT_REF_NONE, ACT_REF_GROUP, ACT_REF_METER };
struct act_ref {
    enum act_ref_type type;
    uint32_t id;
};
struct act_ref act_ref(const struct act *act);

/* As ovs-ofctl prints it: "output:2", "mod_dl_src:..,NORMAL", "goto_table:5"; "drop" for an empty list. malloc'ed. */
char *act_list_format(const struct act_list *list, const char *(*port_name)(void *arg, uint32_t ofport), void *arg);

#endif
