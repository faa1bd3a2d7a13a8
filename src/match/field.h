/* Match fields: one table from which every codec, parser, formatter and prerequisite check is driven. A field is added
 * there and nowhere else. Control thread; constant but for the places of tun_metadata fields, which tlv_map.c writes.
 */
#ifndef SRC_MATCH_FIELD_H
#define SRC_MATCH_FIELD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "src/match/flow.h"

/* The ids are an enum generated from the table in field_table.h: FIELD_IN_PORT, FIELD_ETH_SRC, FIELD_REG0 ... */
#include "src/match/field_table.h"

enum field_maskable { FIELD_MASK_NONE, FIELD_MASK_ANY };

/* What must already be matched (or true of a packet) for the field to exist: OpenFlow 1.3.5, 7.2.3.8, table 12. */
enum field_prereq {
    PREREQ_NONE,
    PREREQ_VLAN, /* a tag is present */
    PREREQ_MPLS,
    PREREQ_IPV4,
    PREREQ_IPV6,
    PREREQ_IP,  /* either */
    PREREQ_ARP, /* or RARP */
    PREREQ_TCP,
    PREREQ_UDP,
    PREREQ_SCTP,
    PREREQ_ICMPV4,
    PREREQ_ICMPV6,
    PREREQ_ND,
    PREREQ_ND_SOLICIT,
    PREREQ_ND_ADVERT,
    PREREQ_PBB,
    PREREQ_NSH,
    PREREQ_IN_PORT,
    PREREQ_CT, /* connection tracking knows the packet's connection */
    PREREQ_CT_IPV4,
    PREREQ_CT_IPV6,
};

/* How people write a value. */
enum field_style {
    STYLE_DECIMAL,
    STYLE_HEX,
    STYLE_ETHER,
    STYLE_IPV4,
    STYLE_IPV6,
    STYLE_PORT, /* an OpenFlow port: number or reserved name */
    STYLE_FRAG, /* no, yes, first, later, not_later */
    STYLE_TCP_FLAGS,
    STYLE_TUN_FLAGS,
    STYLE_CT_STATE,
    STYLE_PACKET_TYPE,
};

/* A value as on the wire: big-endian, `n_bytes` of the field, left-aligned in b[]. */
union field_value {
    uint8_t b[16];
};

struct field {
    enum field_id id;
    const char *name;       /* as ovs-fields(7): "eth_src", "nw_src" ... the name that dumps print is print_name */
    const char *alias;      /* another accepted name ("dl_src"); NULL */
    const char *print_name; /* the name in ovs-ofctl's dumps ("dl_src") */
    uint8_t n_bytes;        /* on the wire */
    uint8_t n_bits;
    uint16_t offset;   /* of its container in struct flow, bytes */
    uint8_t container; /* bytes */
    uint8_t shift;     /* of the least significant bit within the container */
    bool host_order;   /* the container is in host byte order */
    bool variable;     /* a tun_metadata field: its width and place are given and taken, 0 = has none */
    bool writable;     /* set_field, load and move may write it */
    bool whole;        /* the container is the value as on the wire; found out at start */
    bool retypes;      /* set_field alone may write it, whole; what is behind it is parsed anew */
    enum field_maskable maskable;
    enum field_prereq prereq;
    enum field_style style;
    uint32_t oxm;                    /* OXM header without mask bit; 0 = has none */
    uint32_t nxm;                    /* NXM header; 0 = has none */
    uint32_t experimenter;           /* nxm is a header of class 0xffff with this behind it; 0 = is not */
    uint8_t oxm_since;               /* wire version that first has the OXM: 0x04 = 1.3 ... 0x06 = 1.5 */
    const char *nxm_name, *oxm_name; /* "NXM_OF_ETH_SRC", "OXM_OF_ETH_SRC"; NULL = has none */
};

const struct field *field_by_id(enum field_id id);
const struct field *field_by_name(const char *name); /* name, alias, print_name or NXM/OXM name; NULL */
/* `header` as on the wire, host order, mask bit and length ignored. NULL if unknown. */
const struct field *field_by_header(uint32_t header);
/* The field with this number of an experimenter's class other than the ONF's, whose headers oxm.c knows. */
const struct field *field_by_experimenter(uint32_t experimenter, uint32_t header);

void field_get(const struct field *field, const struct flow *flow, union field_value *value);
/* Writes value & mask (mask NULL = all bits) into `flow`, leaving other bits. */
void field_set(const struct field *field, struct flow *flow, const union field_value *value,
               const union field_value *mask);
/* Sets every bit of the field in `mask`. */
void field_mask_all(const struct field *field, struct flow *mask);
bool field_is_exact(const struct field *field, const struct flow *mask);
bool field_is_wild(const struct field *field, const struct flow *mask);
/* No bit of the value outside the field's width. */
bool field_value_valid(const struct field *field, const union field_value *value);

/* Do `flow`'s values satisfy the prerequisite? If `wc` is not NULL, the bits looked at are set there. */
bool field_prereq_holds(const struct field *field, const struct flow *flow, struct flow *wc);
/* Are packets of `match` tracked ones that are not invalid, so that they have the fields of a connection? */
bool match_is_tracked(const struct match *match);
/* Does `match` imply it (exactly matched)? */
bool field_prereq_implied(const struct field *field, const struct match *match);

/* A part of a field: bits ofs .. ofs + n_bits - 1, bit 0 the least significant. */
struct subfield {
    const struct field *field;
    uint8_t ofs;
    uint8_t n_bits;
    uint8_t zero[6]; /* no padding: actions are compared as bytes */
};
/* Low `n_bits` of the value, right-aligned (big-endian) in out->b[16]. */
void subfield_get(const struct subfield *sf, const struct flow *flow, union field_value *out);
void subfield_set(const struct subfield *sf, struct flow *flow, const union field_value *right_aligned);
/* Sets the subfield's bits in `mask`. */
void subfield_mask(const struct subfield *sf, struct flow *mask);

/* --- matches as text, ovs-ofctl(8) syntax -------------------------------- */

/* Parses "in_port=1,udp,nw_src=10.0.0.0/8". `port_by_name` resolves names of ports (may be NULL). Returns NULL or an
 * error sentence (malloc'ed). */
char *match_parse(const char *text, struct match *match, bool (*port_by_name)(void *arg, const char *, uint32_t *),
                  void *arg);
/* As ovs-ofctl dump-flows prints it: "tcp,in_port=1,nw_src=10.0.0.0/8,tp_dst=80"; "" if it matches all. malloc'ed. */
char *match_format(const struct match *match, const char *(*port_name)(void *arg, uint32_t ofport), void *arg);
/* A full flow as ofproto/trace prints it: "udp,in_port=1,vlan_tci=0x0000,dl_src=...". malloc'ed. */
char *flow_format(const struct flow *flow, const char *(*port_name)(void *arg, uint32_t ofport), void *arg);
/* A megaflow as ofproto/trace prints it: "recirc_id=0,eth,udp,in_port=1,nw_dst=10.0.0.0/8,nw_frag=no". malloc'ed. */
char *match_format_megaflow(const struct match *match, const char *(*port_name)(void *arg, uint32_t ofport), void *arg);
/* Key and mask of a megaflow as "ovs-appctl dpctl/dump-flows" prints it:
 * "recirc_id(0),in_port(2),eth_type(0x0800),ipv4(dst=10.0.0.0/8,frag=no)". */
char *megaflow_format(const struct flow_key *key, const struct flow_key *mask,
                      const char *(*port_name)(void *arg, uint32_t port_index), void *arg);

/* A flow in that syntax, masks left out. `port` finds the index of a port of the datapath by name or number. Returns
 * NULL or an error sentence (malloc'ed). */
char *megaflow_parse(const char *text, bool (*port)(void *arg, const char *, uint32_t *), void *arg, struct flow *flow);

/* --- flow and mask arithmetic -------------------------------------------- */

void match_init_all(struct match *match); /* matches everything */
void match_set_exact(struct match *match, const struct field *field, const union field_value *value);
void match_set_masked(struct match *match, const struct field *field, const union field_value *value,
                      const union field_value *mask);
/* The type of a packet in the name space of Ethernet types is its Ethernet type. */
void match_imply_eth_type(struct match *match);
void match_normalize(struct match *match); /* value &= mask */
void flow_mask_or(struct flow *dst, const struct flow *src);

#endif
