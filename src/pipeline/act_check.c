#include <string.h>

#include "src/openflow/error.h"
#include "src/pipeline/act_check.h"
#include "src/pipeline/conjunction.h"
#include "src/pipeline/pipeline.h"

static void set_exact_u16(rte_be16_t *value, rte_be16_t *mask, uint16_t v)
{
    *value = rte_cpu_to_be_16(v);
    *mask = 0xffff;
}

static int check_port(uint32_t port)
{
    if (port < OFPORT_MAX)
        return port >= 1 && port <= OFPORT_USER_MAX ? 0 : OFPERR_BAC_BAD_OUT_PORT;
    return port >= OFPORT_IN_PORT && port <= OFPORT_LOCAL ? 0 : OFPERR_BAC_BAD_OUT_PORT;
}

int act_check_read(const struct field *f, const struct match *m)
{
    return field_prereq_implied(f, m) ? 0 : OFPERR_BAC_MATCH_INCONSISTENT;
}

static bool has_tag(const struct match *m)
{
    return m->mask.pkt.vlan_tci[0] & m->value.pkt.vlan_tci[0] & RTE_BE16(VLAN_TCI_PRESENT);
}

static bool of_connection(const struct field *f)
{
    return f->id >= FIELD_CT_STATE && f->id <= FIELD_CT_TP_DST;
}

int act_check_write(const struct field *f, const struct match *m)
{
    if (!f->writable || of_connection(f)) /* ct_mark and ct_label are written inside a ct action only */
        return OFPERR_BAC_BAD_SET_ARGUMENT;
    if (f->id == FIELD_VLAN_VID && !has_tag(m))
        return OFPERR_BAC_MATCH_INCONSISTENT;
    return act_check_read(f, m);
}

/* Below the new header nothing is known, nor reachable. */
static void set_eth_type(struct match *m, uint16_t type)
{
    set_exact_u16(&m->value.pkt.eth_type, &m->mask.pkt.eth_type, type);
    m->mask.pkt.ip_proto = 0;
    m->value.pkt.ip_proto = 0;
    m->mask.pkt.tp_src = 0;
    m->value.pkt.tp_src = 0;
}

static int check_retype(const struct act_set_field *a, struct match *m)
{
    const unsigned last = a->field->n_bytes - 1u;
    int error;

    if (a->h.form != ACT_FORM_STANDARD || a->mask.b[0] != UINT8_MAX || a->mask.b[last] != UINT8_MAX)
        return OFPERR_BAC_BAD_SET_ARGUMENT;
    error = act_check_read(a->field, m);
    if (error)
        return error;
    if (a->field->id == FIELD_ETH_TYPE)
        set_eth_type(m, (uint16_t)(a->value.b[0] << 8 | a->value.b[1]));
    else
        field_set(a->field, &m->value, &a->value, NULL);
    return 0;
}

static int check_set_field(const struct act_set_field *a, struct match *m)
{
    /* OpenFlow 1.0.2, 5.2.4: its set actions do nothing to packets that lack the field. */
    if (a->h.form == ACT_FORM_OF10)
        return 0;
    return a->field->retypes ? check_retype(a, m) : act_check_write(a->field, m);
}

static bool is_mpls(const struct match *m)
{
    return m->mask.pkt.eth_type == 0xffff && (m->value.pkt.eth_type == RTE_BE16(RTE_ETHER_TYPE_MPLS) ||
                                              m->value.pkt.eth_type == RTE_BE16(RTE_ETHER_TYPE_MPLSM));
}

static int check_encap(const struct act_encap *act, struct match *m)
{
    if (act->packet_type >> 16 == 1)
        set_eth_type(m, (uint16_t)act->packet_type);
    m->value.packet_type = rte_cpu_to_be_32(act->packet_type);
    return 0;
}

/* An Ethernet header leaves what is behind it as it is; what another one hides depends on the packet. */
static void do_decap(struct match *m)
{
    if (m->value.packet_type == PACKET_TYPE_ETHERNET) {
        m->value.packet_type = rte_cpu_to_be_32(PACKET_TYPE(1, rte_be_to_cpu_16(m->value.pkt.eth_type)));
    } else {
        m->value.packet_type = PACKET_TYPE_ETHERNET;
        m->mask.pkt.eth_type = m->value.pkt.eth_type = 0;
    }
}

static int check_ttl(const struct match *m)
{
    return field_prereq_implied(field_by_id(FIELD_IP_TTL), m) ? 0 : OFPERR_BAC_MATCH_INCONSISTENT;
}

/* Only to a port: there is one copy to cut. */
static int check_trunc(const struct act_output_trunc *a)
{
    if (a->port >= OFPORT_MAX && a->port != OFPORT_IN_PORT && a->port != OFPORT_LOCAL)
        return OFPERR_BAC_BAD_OUT_PORT;
    if (a->max_len < RTE_ETHER_HDR_LEN)
        return OFPERR_BAC_BAD_ARGUMENT;
    return check_port(a->port);
}

/* The bit is known once the packet comes back from the datapath, which header fields do not survive. */
static int check_larger(const struct act_check_larger *a)
{
    bool kept = a->dst.field->id == FIELD_METADATA || a->dst.field->offset >= offsetof(struct flow, reg);

    if (a->dst.n_bits != 1 || !a->dst.field->writable || !kept || a->dst.field->id == FIELD_IN_PORT ||
        a->dst.field->id == FIELD_IN_PORT_OXM)
        return OFPERR_BAC_BAD_SET_ARGUMENT;
    return 0;
}

static int check_multipath(const struct act_multipath *a, const struct match *m)
{
    if (a->dst.n_bits < 16 && a->max_link >> a->dst.n_bits)
        return OFPERR_BAC_BAD_ARGUMENT;
    return act_check_write(a->dst.field, m);
}

static int check_bundle(const struct act_bundle *a, const struct match *m)
{
    for (uint32_t i = 0; i < a->n_members; i++) {
        uint32_t port = a->members[i];

        if (port != OFPORT_ANY && (port == OFPORT_CONTROLLER || check_port(port)))
            return OFPERR_BAC_BAD_OUT_PORT;
    }
    if (!a->dst.field)
        return 0;
    return a->dst.n_bits < 16 ? OFPERR_BAC_BAD_ARGUMENT : act_check_write(a->dst.field, m);
}

/* Checks one action and does to `m` what it would do to the packet. */
static int check_act(const struct act *act, struct match *m, uint8_t table_id)
{
    int error = 0;

    switch (act->type) {
    case ACT_OUTPUT:
        return check_port(((const struct act_output *)act)->port);
    case ACT_ENQUEUE: {
        uint32_t port = ((const struct act_enqueue *)act)->port;

        return port <= OFPORT_USER_MAX || port == OFPORT_IN_PORT || port == OFPORT_LOCAL ? check_port(port)
                                                                                         : OFPERR_BAC_BAD_OUT_PORT;
    }
    case ACT_OUTPUT_REG:
        return act_check_read(((const struct act_output_reg *)act)->src.field, m);
    case ACT_SET_FIELD:
        return check_set_field((const struct act_set_field *)act, m);
    case ACT_MOVE:
        error = act_check_read(((const struct act_move *)act)->src.field, m);
        return error ? error : act_check_write(((const struct act_move *)act)->dst.field, m);
    case ACT_STACK_PUSH:
        return act_check_read(((const struct act_subfield *)act)->sf.field, m);
    case ACT_STACK_POP:
        return act_check_write(((const struct act_subfield *)act)->sf.field, m);
    case ACT_SET_VLAN_VID:
    case ACT_SET_VLAN_PCP:
        m->value.pkt.vlan_tci[0] |= RTE_BE16(VLAN_TCI_PRESENT); /* adds a tag where there is none */
        m->mask.pkt.vlan_tci[0] |= RTE_BE16(VLAN_TCI_PRESENT);
        return 0;
    case ACT_PUSH_VLAN:
        if (act_u32_of(act) != RTE_ETHER_TYPE_VLAN && act_u32_of(act) != RTE_ETHER_TYPE_QINQ)
            return OFPERR_BAC_BAD_ARGUMENT;
        m->value.pkt.vlan_tci[0] |= RTE_BE16(VLAN_TCI_PRESENT);
        m->mask.pkt.vlan_tci[0] |= RTE_BE16(VLAN_TCI_PRESENT);
        return 0;
    case ACT_POP_VLAN:
        if (act->form != ACT_FORM_OF10 && !has_tag(m))
            return OFPERR_BAC_MATCH_INCONSISTENT;
        m->value.pkt.vlan_tci[0] = m->mask.pkt.vlan_tci[0] = 0;
        return 0;
    case ACT_PUSH_MPLS:
        if (act_u32_of(act) != RTE_ETHER_TYPE_MPLS && act_u32_of(act) != RTE_ETHER_TYPE_MPLSM)
            return OFPERR_BAC_BAD_ARGUMENT;
        set_eth_type(m, (uint16_t)act_u32_of(act));
        return 0;
    case ACT_POP_MPLS:
        if (!is_mpls(m))
            return OFPERR_BAC_MATCH_INCONSISTENT;
        set_eth_type(m, (uint16_t)act_u32_of(act));
        return 0;
    case ACT_SET_MPLS_TTL:
    case ACT_DEC_MPLS_TTL:
        return is_mpls(m) ? 0 : OFPERR_BAC_MATCH_INCONSISTENT;
    case ACT_DEC_NSH_TTL:
        return act_check_read(field_by_id(FIELD_NSH_TTL), m);
    case ACT_ENCAP:
        return check_encap((const struct act_encap *)act, m);
    case ACT_DECAP:
        do_decap(m);
        return 0;
    case ACT_PUSH_PBB:
        if (act_u32_of(act) != ETH_TYPE_PBB)
            return OFPERR_BAC_BAD_ARGUMENT;
        set_eth_type(m, (uint16_t)act_u32_of(act));
        m->value.pkt.vlan_tci[0] = m->mask.pkt.vlan_tci[0] = 0; /* part of the customer's frame now */
        return 0;
    case ACT_POP_PBB:
        if (m->mask.pkt.eth_type != 0xffff || m->value.pkt.eth_type != RTE_BE16(ETH_TYPE_PBB))
            return OFPERR_BAC_MATCH_INCONSISTENT;
        m->mask.pkt.eth_type = m->value.pkt.eth_type = 0;
        return 0;
    case ACT_SET_IP_TTL:
    case ACT_DEC_TTL:
        return check_ttl(m);
    case ACT_COPY_TTL_OUT:
    case ACT_COPY_TTL_IN:
        return is_mpls(m) ? 0 : OFPERR_BAC_MATCH_INCONSISTENT;
    case ACT_FIN_TIMEOUT:
        return field_prereq_implied(field_by_id(FIELD_TCP_FLAGS), m) ? 0 : OFPERR_BAC_MATCH_INCONSISTENT;
    case ACT_RESUBMIT: {
        uint32_t port = ((const struct act_resubmit *)act)->in_port;

        return port <= OFPORT_USER_MAX || port == OFPORT_IN_PORT || port == OFPORT_LOCAL || port == OFPORT_CONTROLLER
                   ? 0
                   : OFPERR_BAC_BAD_OUT_PORT;
    }
    case ACT_OUTPUT_TRUNC:
        return check_trunc((const struct act_output_trunc *)act);
    case ACT_CLONE: {
        struct act_list inner;

        act_nested(act, &inner);
        /* The clone changes a packet of its own. */
        return acts_are_clauses(&inner) ? OFPERR_BAC_BAD_CONJUNCTION : act_list_check(&inner, m, TABLE_ALL);
    }
    case ACT_SAMPLE:
        return ((const struct act_sample *)act)->probability > 0 ? 0 : OFPERR_BAC_BAD_ARGUMENT;
    case ACT_CHECK_LARGER:
        return check_larger((const struct act_check_larger *)act);
    case ACT_MULTIPATH:
        return check_multipath((const struct act_multipath *)act, m);
    case ACT_BUNDLE:
        return check_bundle((const struct act_bundle *)act, m);
    case ACT_LEARN:
        return act_check_learn((const struct act_learn *)act, m);
    case ACT_CONJUNCTION: {
        const struct act_conjunction *a = (const struct act_conjunction *)act;
        bool fits = a->n_clauses >= 2 && a->n_clauses <= 64 && a->clause >= 1 && a->clause <= a->n_clauses;

        return fits ? 0 : OFPERR_BAC_BAD_CONJUNCTION;
    }
    case ACT_GROUP:
        return act_u32_of(act) <= 0xffffff00u ? 0 : OFPERR_BAC_BAD_OUT_GROUP;
    case ACT_GOTO_TABLE:
        return act_u32_of(act) < PIPELINE_TABLES && (table_id == TABLE_ALL || act_u32_of(act) > table_id)
                   ? 0
                   : OFPERR_BIC_BAD_TABLE_ID;
    case ACT_WRITE_ACTIONS: {
        const struct act_bytes *bytes = (const struct act_bytes *)act;
        struct act_list inner = {(const struct act *)bytes->data, bytes->n};

        return act_list_check(&inner, m, TABLE_ALL);
    }
    default:
        return 0;
    }
}

/* Clauses may have notes beside them, nothing else: it would never be run. */
static int check_clauses(const struct act_list *list)
{
    ACT_FOR_EACH (act, list) {
        if (act->type != ACT_CONJUNCTION && act->type != ACT_NOTE)
            return OFPERR_BAC_BAD_CONJUNCTION;
    }
    return 0;
}

/* What comes to light may be anything: whether it has the fields that actions behind this one need is not known. */
static bool reveals_anything(const struct act *act)
{
    return act->type == ACT_POP_PBB || (act->type == ACT_POP_MPLS && (act_u32_of(act) == RTE_ETHER_TYPE_VLAN ||
                                                                      act_u32_of(act) == RTE_ETHER_TYPE_QINQ));
}

int act_list_check(const struct act_list *list, const struct match *match, uint8_t table_id)
{
    struct match m = *match;
    bool unknown = false;
    int error = acts_are_clauses(list) ? check_clauses(list) : 0;

    if (error)
        return error;

    ACT_FOR_EACH (act, list) {
        error = check_act(act, &m, table_id);
        if (error && !(unknown && error == OFPERR_BAC_MATCH_INCONSISTENT))
            return error;
        unknown |= reveals_anything(act);
    }
    return 0;
}

int act_list_check_bucket(const struct act_list *list)
{
    struct match m;

    if (acts_are_clauses(list))
        return OFPERR_BAC_BAD_CONJUNCTION;
    match_init_all(&m);
    ACT_FOR_EACH (act, list) {
        struct act_list inner;
        int error = act_nested(act, &inner) ? act_list_check_bucket(&inner) : check_act(act, &m, TABLE_ALL);

        if (error && error != OFPERR_BAC_MATCH_INCONSISTENT)
            return error;
    }
    return 0;
}
