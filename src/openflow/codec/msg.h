/* OpenFlow messages of any wire version, decoded: what connections and handlers work with. Wire structures stay inside
 * the codec. Control thread; no state.
 *
 * of_msg_decode() turns one whole message into a struct of_msg, of_msg_encode() does the reverse, for both directions
 * (requests and replies). Pointers to bytes and strings in a decoded message refer to the input; action lists and ports
 * are owned by the message: of_msg_free(). Which wire form is used follows from `version` and, where one version has
 * several, from a `format` in the message.
 */
#ifndef SRC_OPENFLOW_CODEC_MSG_H
#define SRC_OPENFLOW_CODEC_MSG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pmd/ct.h"
#include "src/actions/act.h"
#include "src/match/flow.h"
#include "src/match/of_error.h"
#include "src/match/tlv_map.h"
#include "src/openflow/wire/buf.h"
#include "src/openflow/wire/version.h"
#include "src/tables/group.h"
#include "src/tables/meter.h"
#include "src/tables/pipeline.h"

#define OF_NO_BUFFER 0xffffffffu

/* --- framing ------------------------------------------------------------- */

#define OF_HEADER_LEN 8u

struct of_header {
    uint8_t version, type; /* as on the wire */
    uint16_t length;       /* bytes, this header included */
    uint32_t xid;
};

/* Reads the first OF_HEADER_LEN bytes. Returns 0, or OFPERR_BRC_BAD_LEN if the length is shorter than the header: the
 * stream cannot be followed any further. */
int of_header_parse(const uint8_t *data, struct of_header *header);

/* The highest version in both sets; 0 if there is none (OpenFlow 1.3.5, 6.3.1). */
uint8_t of_version_negotiate(uint32_t ours, uint32_t theirs);
struct of_msg;
/* Returns the version that a connection speaks after `hello` came, of those in the bitmap `ours`; 0: none (OpenFlow
 * 1.3.5, 6.3.1). Without a bitmap in `hello` it is the smaller of the two versions in the headers, if we speak that. */
uint8_t of_hello_negotiate(uint32_t ours, const struct of_msg *hello);

/* --- messages ------------------------------------------------------------ */

enum of_msg_type {
    OF_HELLO,
    OF_ERROR,
    OF_ECHO_REQUEST,
    OF_ECHO_REPLY,
    OF_EXPERIMENTER, /* one that is not known; decoding gives an error instead */
    OF_FEATURES_REQUEST,
    OF_FEATURES_REPLY,
    OF_GET_CONFIG_REQUEST,
    OF_GET_CONFIG_REPLY,
    OF_SET_CONFIG,
    OF_PACKET_IN,
    OF_FLOW_REMOVED,
    OF_PORT_STATUS,
    OF_PACKET_OUT,
    OF_FLOW_MOD,
    OF_GROUP_MOD,
    OF_PORT_MOD,
    OF_TABLE_MOD,
    OF_MULTIPART_REQUEST, /* OFPT_STATS_REQUEST of OpenFlow 1.0 */
    OF_MULTIPART_REPLY,
    OF_BARRIER_REQUEST,
    OF_BARRIER_REPLY,
    OF_QUEUE_GET_CONFIG_REQUEST,
    OF_QUEUE_GET_CONFIG_REPLY,
    OF_ROLE_REQUEST,
    OF_ROLE_REPLY,
    OF_GET_ASYNC_REQUEST,
    OF_GET_ASYNC_REPLY,
    OF_SET_ASYNC,
    OF_METER_MOD,
    OF_ROLE_STATUS,
    OF_TABLE_STATUS,
    OF_REQUESTFORWARD,
    OF_BUNDLE_CONTROL,
    OF_BUNDLE_ADD,
    OF_CONTROLLER_STATUS,
    /* Nicira's, for the connection they come on. */
    OF_SET_FLOW_FORMAT,      /* NXT_SET_FLOW_FORMAT: u32 */
    OF_FLOW_MOD_TABLE_ID,    /* NXT_FLOW_MOD_TABLE_ID: u32, 0 or 1 */
    OF_SET_PACKET_IN_FORMAT, /* NXT_SET_PACKET_IN_FORMAT: u32, enum of_packet_in_format */
    OF_SET_CONTROLLER_ID,    /* NXT_SET_CONTROLLER_ID: u32 */
    OF_RESUME,               /* NXT_RESUME: packet_in */
    /* Nicira's table of tunnel options. */
    OF_CT_FLUSH_ZONE, /* NXT_CT_FLUSH_ZONE: u32 */
    OF_CT_FLUSH,      /* NXT_CT_FLUSH */
    OF_TLV_TABLE_MOD,
    OF_TLV_TABLE_REQUEST,
    OF_TLV_TABLE_REPLY,
    OF_FLOW_MONITOR_CANCEL, /* NXT_FLOW_MONITOR_CANCEL and ONF's: u32 */
    OF_N_MSG_TYPES
};
const char *of_msg_type_name(enum of_msg_type type); /* "flow_mod" */

struct of_error_msg {
    enum of_error error;
    uint16_t type, code;   /* as on the wire; set by the decoder, ignored by the encoder unless error is OFPERR_NONE */
    uint32_t experimenter; /* with type 0xffff (or Nicira's 0xb0c2 of OpenFlow 1.0) */
    const uint8_t *data;   /* start of the refused message, or text for HELLO_FAILED */
    size_t data_len;
};

struct of_bytes {
    const uint8_t *data;
    size_t len;
};

/* Capabilities: OFPC_ of OpenFlow 1.3 (7.3.1), 1.0's ARP_MATCH_IP, 1.4's BUNDLES and FLOW_MONITORING; a version gets
 * those it knows. */
#define OF_CAP_FLOW_STATS 0x001
#define OF_CAP_TABLE_STATS 0x002
#define OF_CAP_PORT_STATS 0x004
#define OF_CAP_GROUP_STATS 0x008
#define OF_CAP_IP_REASM 0x020
#define OF_CAP_QUEUE_STATS 0x040
#define OF_CAP_ARP_MATCH_IP 0x080
#define OF_CAP_PORT_BLOCKED 0x100
#define OF_CAP_BUNDLES 0x200
#define OF_CAP_FLOW_MONITORING 0x400

/* OFPPF_ of OpenFlow 1.3 (7.2.1); mapped for 1.0. */
#define OF_PF_10MB_FD 0x0002
#define OF_PF_100MB_FD 0x0008
#define OF_PF_1GB_FD 0x0020
#define OF_PF_10GB_FD 0x0040
#define OF_PF_40GB_FD 0x0080
#define OF_PF_100GB_FD 0x0100
#define OF_PF_COPPER 0x0800
#define OF_PF_FIBER 0x1000
#define OF_PF_AUTONEG 0x2000

struct of_port {
    uint32_t port_no;
    uint8_t hw_addr[6];
    char name[17];
    uint32_t config;                            /* PORT_CONFIG_* of bridge.h */
    uint32_t state;                             /* PORT_STATE_* */
    uint32_t curr, advertised, supported, peer; /* OF_PF_* */
    uint32_t curr_speed, max_speed;             /* kbit/s */
};

struct of_features {
    uint64_t datapath_id;
    uint32_t n_buffers;
    uint8_t n_tables;
    uint8_t auxiliary_id;
    uint32_t capabilities; /* OF_CAP_* */
    struct of_port *ports; /* OpenFlow 1.0 only */
    size_t n_ports;
};

struct of_config {
    uint16_t frag;          /* OFPC_FRAG_*: 0 normal, 1 drop, 2 reassemble, 3 (Nicira) match */
    bool invalid_ttl;       /* OFPC_INVALID_TTL_TO_CONTROLLER of Open vSwitch's OpenFlow 1.0 */
    uint16_t miss_send_len; /* bytes */
};

/* Returns the number that `version` has for a reason (enum of_packet_in_reason). Versions below 1.4 say
 * OF_REASON_ACTION for the later three; 1.0 knows of no table-miss rule and says OF_REASON_ACTION for what one sends.
 */
uint8_t of_packet_in_reason(uint8_t reason, uint8_t version);

/* Bytes that packet, userdata and continuation of an NXT_PACKET_IN2 can have together. */
#define OF_PACKET_IN2_MAX (UINT16_MAX - 2048u)

enum of_packet_in_format {
    OF_PACKET_IN_STANDARD, /* OFPT_PACKET_IN of the version */
    OF_PACKET_IN_NXT,      /* NXT_PACKET_IN */
    OF_PACKET_IN_NXT2,     /* NXT_PACKET_IN2 */
};

struct of_packet_in {
    enum of_packet_in_format format;
    uint32_t buffer_id; /* OF_NO_BUFFER */
    uint16_t total_len; /* bytes of the packet; `data` may be less */
    uint8_t reason;     /* enum of_packet_in_reason */
    uint8_t table_id;
    uint64_t cookie;         /* of the rule; all ones = none */
    struct match fields;     /* in_port and what else surrounds the packet: of_packet_in_fields() */
    const uint8_t *userdata; /* NXT_PACKET_IN2 */
    size_t userdata_len;
    struct of_bytes continuation; /* the same: continuation.h; data NULL = none */
    const uint8_t *data;
    size_t data_len;
};
/* Fills `fields` with what a packet-in tells of `flow` beside the packet: in_port, and tunnel, metadata, registers,
 * marks and connection state where they are not 0. */
void of_packet_in_fields(const struct flow *flow, struct match *fields);

struct of_flow_removed {
    bool nxm; /* OpenFlow 1.0: send NXT_FLOW_REMOVED instead of OFPT_FLOW_REMOVED */
    uint8_t table_id;
    uint16_t priority;
    enum rule_removed_reason reason;
    uint64_t cookie;
    uint32_t duration_s, duration_ns;
    uint16_t idle_timeout_s, hard_timeout_s;
    uint64_t packets, bytes;
    struct match match;
};

enum of_port_reason { OF_PORT_ADD, OF_PORT_DELETE, OF_PORT_MODIFY };
struct of_port_status {
    enum of_port_reason reason;
    struct of_port port;
};

struct of_packet_out {
    uint32_t buffer_id;
    struct flow flow;     /* in_port (and what else OpenFlow 1.5 can set); the packet is not parsed */
    struct act_list acts; /* checked against the packet by of_check_packet_out() */
    const uint8_t *data;
    size_t data_len;
};

struct of_port_mod {
    uint32_t port_no;
    uint8_t hw_addr[6];
    uint32_t config, mask; /* PORT_CONFIG_* */
    uint32_t advertise;    /* OF_PF_*; 0 = leave */
};

/* How a table deals with fullness (OpenFlow 1.4.1, 6.10 and 6.11): TABLE_MOD, TABLE_STATUS, OFPMP_TABLE_DESC. */
struct of_table_config {
    uint8_t table_id; /* TABLE_ALL = all */
    uint32_t config;  /* OFPTC_*: TABLE_EVICTION, TABLE_VACANCY_EVENTS; 3 = what a miss does (deprecated) */
    bool has_eviction, has_vacancy;
    uint32_t eviction;                /* OFPTMPEF_*: TABLE_EVICT_* */
    uint8_t vacancy_down, vacancy_up; /* percent of the table that is free */
    uint8_t vacancy;                  /* now; not of TABLE_MOD */
};

struct of_table_status {
    uint8_t reason; /* OFPTR_*: 3 vacancy_down, 4 vacancy_up */
    struct of_table_config table;
};

enum of_role { OF_ROLE_NOCHANGE, OF_ROLE_EQUAL, OF_ROLE_MASTER, OF_ROLE_SLAVE };
struct of_role_msg {
    bool nx; /* NXT_ROLE_REQUEST or NXT_ROLE_REPLY: answer in kind */
    enum of_role role;
    uint8_t reason;    /* OFPT_ROLE_STATUS: OFPCRR_* */
    uint16_t short_id; /* OpenFlow 1.5; 0 = none, of a request: leave */
    bool has_generation_id;
    uint64_t generation_id;
};

/* Bitmaps of reasons, [0] as master or equal, [1] as slave (OpenFlow 1.3.5, 7.3.10). */
struct of_async {
    bool nx; /* NXT_SET_ASYNC_CONFIG */
    uint32_t packet_in[2], port_status[2], flow_removed[2];
    uint32_t role_status[2], table_status[2], requestforward[2]; /* OpenFlow 1.4 */
    uint32_t flow_stats[2], controller_status[2];                /* OpenFlow 1.5 */
    bool partial;     /* OpenFlow 1.4: only the bitmaps in `present` were sent; set-async changes those alone */
    uint16_t present; /* 1 << (property type): OFPACPT_* */
};

/* OFPT_CONTROLLER_STATUS and OFPMP_CONTROLLER_STATUS: another connection to a controller. */
enum of_controller_status_reason {
    OF_CSR_REQUEST,
    OF_CSR_CHANNEL,
    OF_CSR_ROLE,
    OF_CSR_ADDED,
    OF_CSR_REMOVED,
    OF_CSR_SHORT_ID
};
struct of_controller_status {
    uint16_t short_id;
    enum of_role role;
    uint8_t reason; /* enum of_controller_status_reason */
    uint8_t is_down;
    const char *uri; /* "tcp:127.0.0.1:6653" */
    size_t uri_len;
};

enum of_bundle_control_type {
    OF_BUNDLE_OPEN_REQUEST,
    OF_BUNDLE_OPEN_REPLY,
    OF_BUNDLE_CLOSE_REQUEST,
    OF_BUNDLE_CLOSE_REPLY,
    OF_BUNDLE_COMMIT_REQUEST,
    OF_BUNDLE_COMMIT_REPLY,
    OF_BUNDLE_DISCARD_REQUEST,
    OF_BUNDLE_DISCARD_REPLY
};
#define OF_BUNDLE_ATOMIC 1
#define OF_BUNDLE_TIME 0x4 /* OpenFlow 1.5: a scheduled commit */
#define OF_BUNDLE_ORDERED 2
/* OFPT_BUNDLE_CONTROL, or ONFT_BUNDLE_CONTROL below OpenFlow 1.4. */
struct of_bundle_control {
    uint32_t bundle_id;
    uint16_t type; /* enum of_bundle_control_type; any number decodes */
    uint16_t flags;
};
struct of_bundle_add {
    uint32_t bundle_id;
    uint16_t flags;
    const uint8_t *msg; /* a whole message, checked to have this one's version and xid and a type that can be bundled */
    size_t msg_len;
};

/* --- multipart ----------------------------------------------------------- */

enum of_multipart_type {
    OF_MP_DESC,
    OF_MP_FLOW,      /* or NXST_FLOW */
    OF_MP_AGGREGATE, /* or NXST_AGGREGATE */
    OF_MP_TABLE,
    OF_MP_PORT,
    OF_MP_QUEUE,
    OF_MP_GROUP,
    OF_MP_GROUP_DESC,
    OF_MP_GROUP_FEATURES,
    OF_MP_METER,
    OF_MP_METER_CONFIG,
    OF_MP_METER_FEATURES,
    OF_MP_TABLE_FEATURES,
    OF_MP_PORT_DESC,
    OF_MP_TABLE_DESC,   /* OpenFlow 1.4 */
    OF_MP_FLOW_MONITOR, /* OpenFlow 1.4; extensions before, which set `nx` */
    OF_MP_QUEUE_DESC,   /* OpenFlow 1.4; OF_QUEUE_GET_CONFIG_REQUEST before */
    /* OpenFlow 1.5; its OFPMP_FLOW_DESC is OF_MP_FLOW. */
    OF_MP_FLOW_STATS,
    OF_MP_CONTROLLER_STATUS,
    OF_MP_BUNDLE_FEATURES,
    OF_N_MP_TYPES
};

struct of_multipart_request {
    enum of_multipart_type type;
    bool nx;   /* NXST_: the reply is one, too */
    bool more; /* OFPMPF_REQ_MORE */
    struct match match;
    struct rule_filter
        filter;        /* FLOW, FLOW_STATS, AGGREGATE; filter.match is NULL or points to `match` of the same struct */
    uint32_t port_no;  /* PORT, PORT_DESC, QUEUE, QUEUE_DESC; OFPORT_ANY = all */
    uint32_t queue_id; /* 0xffffffff = all */
    uint32_t group_id; /* OFGROUP_ALL 0xfffffffc = all */
    uint32_t meter_id; /* 0xffffffff = all */
    uint32_t bundle_flags; /* BUNDLE_FEATURES: OFPBF_*, features that are asked for */
    struct of_bytes body;  /* TABLE_FEATURES: of a write request; FLOW_MONITOR: msg_monitor.h; else empty */
};

struct of_desc {
    const char *mfr_desc, *hw_desc, *sw_desc, *serial_num, *dp_desc; /* cut to the wire's widths */
};
#define OF_STATS_REQUEST 0 /* OFPFSR_* */
#define OF_STATS_TRIGGER 1
struct of_flow_stats {
    uint8_t table_id;
    uint8_t reason; /* FLOW_STATS of OpenFlow 1.5: OF_STATS_* */
    uint16_t priority, idle_timeout_s, hard_timeout_s;
    uint16_t flags; /* RULE_* */
    uint16_t importance;
    uint64_t cookie;
    uint32_t duration_s, duration_ns;
    int32_t idle_age_s, hard_age_s; /* NXST_FLOW; -1 = unknown */
    uint64_t packets, bytes;        /* UINT64_MAX = unknown */
    const struct match *match;
    struct act_list acts;
};
struct of_aggregate {
    uint64_t packets, bytes;
    uint32_t flows;
};
struct of_table_stats {
    uint8_t table_id;
    char name[32]; /* OpenFlow 1.0 and table features; ovs-ofctl prints a name instead of the number if there is one */
    uint32_t max_entries;
    uint32_t active;
    uint64_t lookups, matched;
    uint32_t config;        /* table features: OFPTC_*; from OpenFlow 1.4 on those that the table can do */
    uint8_t next_table_max; /* table features: goto_table may go to table_id + 1 .. this */
    uint8_t command;        /* table features of OpenFlow 1.5: OFPTFC_* */
};
struct of_port_stats {
    uint32_t port_no;
    uint64_t rx_packets, tx_packets, rx_bytes, tx_bytes, rx_dropped, tx_dropped, rx_errors, tx_errors;
    uint64_t rx_frame_err, rx_over_err, rx_crc_err, collisions; /* UINT64_MAX = unknown */
    uint32_t duration_s, duration_ns;
};

struct of_queue {
    uint32_t port_no, queue_id;
    uint16_t min_rate, max_rate; /* tenths of a percent of the port's; OF_QUEUE_RATE_NONE: not given */
    uint64_t tx_bytes, tx_packets, tx_errors;
    uint32_t duration_s, duration_ns;
};
#define OF_QUEUE_RATE_NONE 0xffff
struct of_queue_config {
    uint32_t port_no; /* OFPORT_ANY: of all ports */
    const struct of_queue *queues;
    size_t n;
};

/* A reply in the making. Entries are added one by one; parts that are full (64 KB) are moved to `out` with the "more"
 * flag, the rest at the end. `out` may be drained in between: a long dump can be worked off in slices. */
struct of_multipart {
    uint8_t version;
    uint32_t xid;
    enum of_multipart_type type;
    bool nx;
    struct of_buf part; /* the part being filled */
    size_t head_len;    /* bytes of a part before its first entry */
};
void of_multipart_begin(struct of_multipart *mp, uint8_t version, uint32_t xid, enum of_multipart_type type, bool nx);
void of_multipart_add_desc(struct of_multipart *mp, struct of_buf *out, const struct of_desc *desc);
void of_multipart_add_flow(struct of_multipart *mp, struct of_buf *out, const struct of_flow_stats *flow);
void of_multipart_add_aggregate(struct of_multipart *mp, struct of_buf *out, const struct of_aggregate *aggregate);
/* For OF_MP_TABLE and OF_MP_TABLE_FEATURES. */
void of_multipart_add_table(struct of_multipart *mp, struct of_buf *out, const struct of_table_stats *table);
void of_multipart_add_table_desc(struct of_multipart *mp, struct of_buf *out, const struct of_table_config *config);
void of_multipart_add_controller(struct of_multipart *mp, struct of_buf *out,
                                 const struct of_controller_status *status);
void of_multipart_add_bundle_features(struct of_multipart *mp, struct of_buf *out);
void of_multipart_add_port(struct of_multipart *mp, struct of_buf *out, const struct of_port_stats *port);
void of_multipart_add_queue(struct of_multipart *mp, struct of_buf *out, const struct of_queue *queue);
void of_multipart_add_queue_desc(struct of_multipart *mp, struct of_buf *out, const struct of_queue *queue);
void of_multipart_add_port_desc(struct of_multipart *mp, struct of_buf *out, const struct of_port *port);
/* Group statistics, description and features. */
void of_multipart_add_group(struct of_multipart *mp, struct of_buf *out, const struct group *group, uint64_t age_ms);
void of_multipart_add_group_desc(struct of_multipart *mp, struct of_buf *out, const struct group *group);
void of_multipart_add_group_features(struct of_multipart *mp, struct of_buf *out);
/* Meter statistics, configuration and features. */
void of_multipart_add_meter(struct of_multipart *mp, struct of_buf *out, const struct meter_entry *meter,
                            const struct meter_counts *counts, uint64_t age_ms);
void of_multipart_add_meter_config(struct of_multipart *mp, struct of_buf *out, const struct meter_entry *meter);
/* `as_ovs`: what ovs-ofctl takes, which in OpenFlow 1.5 lacks the last 8 bytes. */
void of_multipart_add_meter_features(struct of_multipart *mp, struct of_buf *out, bool as_ovs);
/* Sends what is left (an empty reply if nothing was added). */
void of_multipart_end(struct of_multipart *mp, struct of_buf *out);
/* Gives up without sending the rest. */
void of_multipart_abort(struct of_multipart *mp);

/* A reply as a client decodes it. */
struct of_multipart_reply {
    enum of_multipart_type type;
    bool nx;
    bool more;
    struct of_bytes body;
};
/* The next entry of a table features request, which is taken off `body`: 0, or an enum of_error. */
int of_table_features_next(uint8_t version, struct of_bytes *body, struct of_table_stats *table);

/* --- a message ----------------------------------------------------------- */

struct of_tlv_table {
    uint16_t command;    /* enum tlv_command */
    uint16_t max_fields; /* of replies */
    uint32_t max_space;  /* bytes */
    unsigned n;
    struct tlv_map maps[TLV_MAPS_MAX];
};

struct of_msg {
    enum of_msg_type type;
    uint8_t version;
    uint32_t xid;
    union {
        uint32_t hello; /* OF_HELLO: bitmap of versions; 0 = the peer sent none */
        struct of_error_msg error;
        struct of_bytes echo;
        struct of_features features;
        struct of_config config;
        struct of_packet_in packet_in; /* OF_RESUME, too */
        struct of_flow_removed flow_removed;
        struct of_port_status port_status;
        struct of_packet_out packet_out;
        struct flow_mod flow_mod;
        struct group_mod group_mod; /* owns the buckets */
        struct meter_mod meter_mod;
        struct of_port_mod port_mod;
        struct of_table_config table_mod;
        struct of_table_status table_status;
        struct of_multipart_request request;
        struct of_multipart_reply reply;
        uint32_t port_no;                    /* OF_QUEUE_GET_CONFIG_REQUEST; of replies, too */
        struct of_queue_config queue_config; /* OF_QUEUE_GET_CONFIG_REPLY to be encoded */
        struct of_role_msg role;
        struct of_async async;
        struct of_controller_status controller_status;
        struct of_bytes requestforward; /* a whole message: a group_mod or meter_mod */
        struct of_bundle_control bundle_control;
        struct of_bundle_add bundle_add;
        uint32_t u32; /* Nicira's settings */
        struct of_tlv_table tlv_table;
        struct ct_match ct_flush;
    };
    struct act_buffer acts; /* owns flow_mod.acts, packet_out.acts, those of group_mod's buckets */
};

/* What decoding depends on beyond the message. */
struct of_decode_options {
    bool flow_mod_table_id; /* OpenFlow 1.0: NXT_FLOW_MOD_TABLE_ID is on */
    bool nxm_flow_mod;      /* NXM was chosen with NXT_SET_FLOW_FORMAT; for the connection, decoding takes all forms */
};

/* Decodes one whole message (`len` = the length in its header). `options` NULL = none. Returns 0, or an enum of_error
 * to be sent back; msg is then empty but for type (if known), version and xid. */
int of_msg_decode(const uint8_t *data, size_t len, const struct of_decode_options *options, struct of_msg *msg);
void of_msg_free(struct of_msg *msg);

/* Appends the message to `out`. */
void of_msg_encode(const struct of_msg *msg, struct of_buf *out);

/* --- shorthands for replies ---------------------------------------------- */

/* An error about `request` (len bytes of it; its xid is used), quoting its start (OpenFlow 1.3.5, 7.4.4: at least 64
 * bytes). */
void of_error_encode(enum of_error error, uint8_t version, const uint8_t *request, size_t len, struct of_buf *out);
/* HELLO with a version bitmap; `versions` as in struct of_msg. */
void of_hello_encode(uint32_t versions, uint32_t xid, struct of_buf *out);

#endif
