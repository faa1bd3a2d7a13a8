#include <netinet/in.h>
#include <string.h>

#include "src/match/field.h"
#include "src/match/field_rows.h"

typedef unsigned __int128 u128;

struct field field_rows[FIELD_N];

const struct field *field_by_id(enum field_id id)
{
    return id < FIELD_N ? &field_rows[id] : NULL;
}

const struct field *field_by_name(const char *name)
{
    for (int i = 0; i < FIELD_N; i++) {
        const struct field *f = &field_rows[i];

        if (!strcmp(name, f->name) || (f->alias && !strcmp(name, f->alias)) ||
            (f->nxm_name && !strcmp(name, f->nxm_name)) || (f->oxm_name && !strcmp(name, f->oxm_name)))
            return f;
    }
    for (int i = 0; i < FIELD_N; i++)
        if (!strcmp(name, field_rows[i].print_name))
            return &field_rows[i];
    return NULL;
}

/* Class and number of every header that a field has, for field_by_header(). */
static const struct field *by_number[7][128];
#define ROW_ET 5
#define ROW_NSH 6

static int class_row(uint32_t class)
{
    switch (class) {
    case 0x0000:
        return 0;
    case 0x0001:
        return 1;
    case 0x8000:
        return 2;
    case 0x8001:
        return 3;
    case 0x1000:
        return 4;
    default:
        return -1;
    }
}

static bool is_whole(const struct field *f);

__attribute__((constructor)) static void fill_tables(void)
{
    for (int i = 0; i < FIELD_N; i++) {
        const struct field *f = &field_rows[i];
        bool of_packet = i < FIELD_ROWS_PACKET_N && field_rows_packet[i].name;

        field_rows[i] = of_packet ? field_rows_packet[i] : field_rows_meta[i];
        field_rows[i].whole = is_whole(&field_rows[i]);
        if (f->experimenter)
            by_number[f->experimenter == 0x00002320 ? ROW_ET : ROW_NSH][f->nxm >> 9 & 127] = f;
        else if (f->nxm)
            by_number[class_row(f->nxm >> 16)][f->nxm >> 9 & 127] = f;
        if (f->oxm)
            by_number[class_row(f->oxm >> 16)][f->oxm >> 9 & 127] = f;
    }
}

const struct field *field_by_header(uint32_t header)
{
    int row = class_row(header >> 16);

    return row < 0 ? NULL : by_number[row][header >> 9 & 127];
}

const struct field *field_by_experimenter(uint32_t experimenter, uint32_t header)
{
    switch (experimenter) {
    case 0x00002320:
        return by_number[ROW_ET][header >> 9 & 127];
    case 0x005ad650:
        return by_number[ROW_NSH][header >> 9 & 127];
    default:
        return NULL;
    }
}

/* --- values as numbers --------------------------------------------------- */

static u128 low_bits(unsigned n)
{
    return n >= 128 ? ~(u128)0 : ((u128)1 << n) - 1;
}

static u128 bytes_to_number(const uint8_t *b, unsigned n)
{
    u128 v = 0;

    for (unsigned i = 0; i < n; i++)
        v = v << 8 | b[i];
    return v;
}

static void number_to_bytes(u128 v, uint8_t *b, unsigned n)
{
    for (unsigned i = n; i-- > 0; v >>= 8)
        b[i] = (uint8_t)v;
}

/* The bits of the wire value that can be 1. */
static u128 value_bits(const struct field *f)
{
    switch (f->id) {
    case FIELD_IP_TOS:
        return 0xfc; /* the ECN bits are another field */
    case FIELD_VLAN_VID:
        return 0x1fff; /* OFPVID_PRESENT included; as a subfield it is the 12 bits of the id */
    case FIELD_NSH_FLAGS:
        return 3;
    case FIELD_NSH_TTL:
        return 63;
    case FIELD_ARP_OP:
        return 0xff; /* the key keeps one byte */
    default:
        return low_bits(f->n_bits);
    }
}

/* Most fields: what is done with them is done bytewise. */
static bool is_whole(const struct field *f)
{
    return !f->variable && !f->host_order && f->shift == 0 && f->n_bytes > 0 && f->container == f->n_bytes &&
           value_bits(f) == low_bits(8 * f->n_bytes);
}

static bool all_bytes_are(const uint8_t *bytes, unsigned n, uint8_t value)
{
    while (n > 0 && bytes[n - 1] == value)
        n--;
    return n == 0;
}

static u128 container_get(const struct field *f, const struct flow *flow)
{
    const uint8_t *p = (const uint8_t *)flow + f->offset;

    switch (f->container) {
    case 1:
        return *p;
    case 2: {
        uint16_t v;
        memcpy(&v, p, 2);
        return f->host_order ? v : rte_be_to_cpu_16(v);
    }
    case 4: {
        uint32_t v;
        memcpy(&v, p, 4);
        return f->host_order ? v : rte_be_to_cpu_32(v);
    }
    case 8: {
        uint64_t v;
        memcpy(&v, p, 8);
        return f->host_order ? v : rte_be_to_cpu_64(v);
    }
    default:
        return bytes_to_number(p, f->container);
    }
}

static void container_set(const struct field *f, struct flow *flow, u128 number)
{
    uint8_t *p = (uint8_t *)flow + f->offset;

    switch (f->container) {
    case 1:
        *p = (uint8_t)number;
        return;
    case 2: {
        uint16_t v = f->host_order ? (uint16_t)number : rte_cpu_to_be_16((uint16_t)number);
        memcpy(p, &v, 2);
        return;
    }
    case 4: {
        uint32_t v = f->host_order ? (uint32_t)number : rte_cpu_to_be_32((uint32_t)number);
        memcpy(p, &v, 4);
        return;
    }
    case 8: {
        uint64_t v = f->host_order ? (uint64_t)number : rte_cpu_to_be_64((uint64_t)number);
        memcpy(p, &v, 8);
        return;
    }
    default:
        number_to_bytes(number, p, f->container);
    }
}

/* OpenFlow 1.0 ports have 16 bits; its reserved ones are the low halves of the later ones (OpenFlow 1.0.2, 5.2.1). */
static uint32_t port_from_16(uint16_t port)
{
    return port >= 0xff00 ? 0xffff0000u | port : port;
}

static uint16_t port_to_16(uint32_t port)
{
    return port >= OFPORT_MAX ? (uint16_t)port : port < 0xff00 ? (uint16_t)port : 0xffff;
}

static u128 number_get(const struct field *f, const struct flow *flow)
{
    if (f->id == FIELD_IN_PORT)
        return port_to_16(flow->in_port);
    return container_get(f, flow) >> f->shift & value_bits(f);
}

static void number_set(const struct field *f, struct flow *flow, u128 value, u128 mask)
{
    u128 old;

    if (f->id == FIELD_IN_PORT) {
        uint16_t port = port_to_16(flow->in_port);

        flow->in_port = port_from_16((uint16_t)((port & ~mask) | (value & mask)));
        return;
    }
    mask &= value_bits(f);
    old = container_get(f, flow);
    container_set(f, flow, (old & ~(mask << f->shift)) | (value & mask) << f->shift);
}

void field_get(const struct field *f, const struct flow *flow, union field_value *value)
{
    memset(value, 0, sizeof *value);
    if (f->whole)
        memcpy(value->b, (const uint8_t *)flow + f->offset, f->n_bytes);
    else
        number_to_bytes(number_get(f, flow), value->b, f->n_bytes);
}

void field_set(const struct field *f, struct flow *flow, const union field_value *value, const union field_value *mask)
{
    uint8_t *bytes = (uint8_t *)flow + f->offset;

    if (f->whole) {
        for (unsigned i = 0; i < f->n_bytes; i++)
            bytes[i] = mask ? (uint8_t)((bytes[i] & ~mask->b[i]) | (value->b[i] & mask->b[i])) : value->b[i];
        return;
    }
    number_set(f, flow, bytes_to_number(value->b, f->n_bytes), mask ? bytes_to_number(mask->b, f->n_bytes) : ~(u128)0);
}

static u128 all_in_container(const struct field *f)
{
    return f->id == FIELD_IN_PORT ? 0xffffffff : value_bits(f) << f->shift;
}

void field_mask_all(const struct field *f, struct flow *mask)
{
    if (f->whole) {
        memset((uint8_t *)mask + f->offset, 0xff, f->n_bytes);
        return;
    }
    container_set(f, mask, container_get(f, mask) | all_in_container(f));
}

bool field_is_exact(const struct field *f, const struct flow *mask)
{
    u128 all;

    if (f->whole)
        return all_bytes_are((const uint8_t *)mask + f->offset, f->n_bytes, 0xff);
    all = all_in_container(f);
    return (container_get(f, mask) & all) == all;
}

bool field_is_wild(const struct field *f, const struct flow *mask)
{
    if (f->whole)
        return all_bytes_are((const uint8_t *)mask + f->offset, f->n_bytes, 0);
    return (container_get(f, mask) & all_in_container(f)) == 0;
}

bool field_value_valid(const struct field *f, const union field_value *value)
{
    u128 v;

    if (f->whole)
        return true;
    v = bytes_to_number(value->b, f->n_bytes);
    if (v & ~value_bits(f))
        return false;
    if (f->id == FIELD_IN_PORT_OXM ||
        f->id == FIELD_IN_PHY_PORT) /* a port that OpenFlow 1.0 can name, or a reserved one */
        return v < 0xff00 || v >= OFPORT_MAX;
    return true;
}

/* --- prerequisites ------------------------------------------------------- */

static void look(struct flow *wc, enum field_id id)
{
    if (wc)
        field_mask_all(&field_rows[id], wc);
}

static bool is_ip(const struct flow *flow, struct flow *wc)
{
    look(wc, FIELD_ETH_TYPE);
    return flow->pkt.eth_type == RTE_BE16(RTE_ETHER_TYPE_IPV4) || flow->pkt.eth_type == RTE_BE16(RTE_ETHER_TYPE_IPV6);
}

static bool is_eth_type(const struct flow *flow, struct flow *wc, rte_be16_t a, rte_be16_t b)
{
    look(wc, FIELD_ETH_TYPE);
    return flow->pkt.eth_type == a || flow->pkt.eth_type == b;
}

/* `l4`: a later fragment, whose L4 header was not parsed, does not have the field, which is consulted. Without it only
 * a match that says so lacks the field: that the packet is no later fragment needs not be said. */
static bool is_proto(const struct flow *flow, struct flow *wc, uint8_t proto, bool l4)
{
    look(wc, FIELD_IP_PROTO);
    if (flow->pkt.ip_proto != proto)
        return false;
    if (l4 && wc)
        wc->pkt.ip_frag |= IP_FRAG_LATER;
    return !(flow->pkt.ip_frag & IP_FRAG_LATER);
}

static bool is_icmpv6(const struct flow *flow, struct flow *wc, bool l4)
{
    return is_eth_type(flow, wc, RTE_BE16(RTE_ETHER_TYPE_IPV6), RTE_BE16(RTE_ETHER_TYPE_IPV6)) &&
           is_proto(flow, wc, IPPROTO_ICMPV6, l4);
}

static bool is_nd(const struct flow *flow, struct flow *wc, bool l4, uint16_t a, uint16_t b)
{
    if (!is_icmpv6(flow, wc, l4))
        return false;
    look(wc, FIELD_ICMPV6_TYPE);
    return flow->pkt.tp_src == rte_cpu_to_be_16(a) || flow->pkt.tp_src == rte_cpu_to_be_16(b);
}

/* A valid state is one that says something of the connection, or says that the packet is not invalid. Returns the bits
 * that tell whether it is one. */
static uint8_t state_bits(uint8_t state, bool *valid)
{
    const uint8_t knows = CT_STATE_NEW | CT_STATE_EST | CT_STATE_REL | CT_STATE_RPL | CT_STATE_SNAT | CT_STATE_DNAT;

    *valid = state & knows || (state & (CT_STATE_TRK | CT_STATE_INV)) == CT_STATE_TRK;
    if (state & knows)
        return state & knows;
    return CT_STATE_TRK | CT_STATE_INV | (*valid ? 0 : knows);
}

static bool is_tracked(const struct flow *flow, struct flow *wc)
{
    bool valid;
    const uint8_t bits = state_bits(flow->pkt.ct_state, &valid);

    if (wc)
        wc->pkt.ct_state |= bits;
    return valid;
}

static bool prereq_true(enum field_prereq prereq, const struct flow *flow, struct flow *wc, bool l4)
{
    switch (prereq) {
    case PREREQ_NONE:
        return true;
    case PREREQ_VLAN:
        if (wc)
            wc->pkt.vlan_tci[0] |= RTE_BE16(VLAN_TCI_PRESENT);
        return flow->pkt.vlan_tci[0] & RTE_BE16(VLAN_TCI_PRESENT);
    case PREREQ_MPLS:
        return is_eth_type(flow, wc, RTE_BE16(RTE_ETHER_TYPE_MPLS), RTE_BE16(RTE_ETHER_TYPE_MPLSM));
    case PREREQ_IPV4:
        return is_eth_type(flow, wc, RTE_BE16(RTE_ETHER_TYPE_IPV4), RTE_BE16(RTE_ETHER_TYPE_IPV4));
    case PREREQ_IPV6:
        return is_eth_type(flow, wc, RTE_BE16(RTE_ETHER_TYPE_IPV6), RTE_BE16(RTE_ETHER_TYPE_IPV6));
    case PREREQ_IP:
        return is_ip(flow, wc);
    case PREREQ_ARP:
        return is_eth_type(flow, wc, RTE_BE16(RTE_ETHER_TYPE_ARP), RTE_BE16(RTE_ETHER_TYPE_RARP));
    case PREREQ_TCP:
        return is_ip(flow, wc) && is_proto(flow, wc, IPPROTO_TCP, l4);
    case PREREQ_UDP:
        return is_ip(flow, wc) && is_proto(flow, wc, IPPROTO_UDP, l4);
    case PREREQ_SCTP:
        return is_ip(flow, wc) && is_proto(flow, wc, IPPROTO_SCTP, l4);
    case PREREQ_ICMPV4:
        return is_eth_type(flow, wc, RTE_BE16(RTE_ETHER_TYPE_IPV4), RTE_BE16(RTE_ETHER_TYPE_IPV4)) &&
               is_proto(flow, wc, IPPROTO_ICMP, l4);
    case PREREQ_ICMPV6:
        return is_icmpv6(flow, wc, l4);
    case PREREQ_ND:
        return is_nd(flow, wc, l4, 135, 136);
    case PREREQ_ND_SOLICIT:
        return is_nd(flow, wc, l4, 135, 135);
    case PREREQ_ND_ADVERT:
        return is_nd(flow, wc, l4, 136, 136);
    case PREREQ_PBB:
        return is_eth_type(flow, wc, RTE_BE16(ETH_TYPE_PBB), RTE_BE16(ETH_TYPE_PBB));
    case PREREQ_NSH:
        return is_eth_type(flow, wc, RTE_BE16(ETH_TYPE_NSH), RTE_BE16(ETH_TYPE_NSH));
    case PREREQ_IN_PORT:
        if (wc)
            wc->in_port = UINT32_MAX;
        return true;
    case PREREQ_CT:
        return is_ip(flow, wc) && is_tracked(flow, wc);
    case PREREQ_CT_IPV4:
        return is_eth_type(flow, wc, RTE_BE16(RTE_ETHER_TYPE_IPV4), RTE_BE16(RTE_ETHER_TYPE_IPV4)) &&
               is_tracked(flow, wc);
    case PREREQ_CT_IPV6:
        return is_eth_type(flow, wc, RTE_BE16(RTE_ETHER_TYPE_IPV6), RTE_BE16(RTE_ETHER_TYPE_IPV6)) &&
               is_tracked(flow, wc);
    }
    return false;
}

bool field_prereq_holds(const struct field *f, const struct flow *flow, struct flow *wc)
{
    return prereq_true(f->prereq, flow, wc, true);
}

bool match_is_tracked(const struct match *match)
{
    bool valid;
    const uint8_t bits = state_bits(match->value.pkt.ct_state, &valid);

    return valid && (bits & ~match->mask.pkt.ct_state) == 0;
}

/* The general way of field_prereq_implied(). */
static bool implied_by_bits(const struct field *f, const struct match *match)
{
    struct flow needed;
    const uint64_t *need = (const uint64_t *)&needed, *have = (const uint64_t *)&match->mask;

    if (!prereq_true(f->prereq, &match->value, NULL, false))
        return false;
    memset(&needed, 0, sizeof needed);
    prereq_true(f->prereq, &match->value, &needed, false);
    for (unsigned i = 0; i < FLOW_WORDS; i++)
        if (need[i] & ~have[i])
            return false;
    return true;
}

bool field_prereq_implied(const struct field *f, const struct match *match)
{
    const struct flow_key *value = &match->value.pkt, *mask = &match->mask.pkt;
    bool ip = value->eth_type == RTE_BE16(RTE_ETHER_TYPE_IPV4) || value->eth_type == RTE_BE16(RTE_ETHER_TYPE_IPV6);
    bool l4 = mask->eth_type == UINT16_MAX && ip && mask->ip_proto == UINT8_MAX && !(value->ip_frag & IP_FRAG_LATER);

    switch (f->prereq) {
    case PREREQ_NONE:
        return true;
    case PREREQ_IPV4:
        return mask->eth_type == UINT16_MAX && value->eth_type == RTE_BE16(RTE_ETHER_TYPE_IPV4);
    case PREREQ_IPV6:
        return mask->eth_type == UINT16_MAX && value->eth_type == RTE_BE16(RTE_ETHER_TYPE_IPV6);
    case PREREQ_IP:
        return mask->eth_type == UINT16_MAX && ip;
    case PREREQ_TCP:
        return l4 && value->ip_proto == IPPROTO_TCP;
    case PREREQ_UDP:
        return l4 && value->ip_proto == IPPROTO_UDP;
    case PREREQ_ICMPV4:
        return l4 && value->ip_proto == IPPROTO_ICMP && value->eth_type == RTE_BE16(RTE_ETHER_TYPE_IPV4);
    case PREREQ_ARP:
        return mask->eth_type == UINT16_MAX &&
               (value->eth_type == RTE_BE16(RTE_ETHER_TYPE_ARP) || value->eth_type == RTE_BE16(RTE_ETHER_TYPE_RARP));
    case PREREQ_CT:
        return mask->eth_type == UINT16_MAX && ip && match_is_tracked(match);
    default:
        return implied_by_bits(f, match);
    }
}

/* --- subfields ----------------------------------------------------------- */

void subfield_get(const struct subfield *sf, const struct flow *flow, union field_value *out)
{
    number_to_bytes(number_get(sf->field, flow) >> sf->ofs & low_bits(sf->n_bits), out->b, sizeof out->b);
}

void subfield_set(const struct subfield *sf, struct flow *flow, const union field_value *right_aligned)
{
    u128 mask = low_bits(sf->n_bits) << sf->ofs;

    number_set(sf->field, flow, bytes_to_number(right_aligned->b, sizeof right_aligned->b) << sf->ofs, mask);
}

void subfield_mask(const struct subfield *sf, struct flow *mask)
{
    const struct field *f = sf->field;

    if (f->id == FIELD_IN_PORT)
        field_mask_all(f, mask);
    else
        number_set(f, mask, ~(u128)0, low_bits(sf->n_bits) << sf->ofs);
}
