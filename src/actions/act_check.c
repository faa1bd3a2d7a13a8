#include <string.h>

#include "src/actions/act_check.h"
#include "src/match/of_error.h"

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

#define HIDDEN_MAX 16

/* What is known of a packet on its way through a list: its match, and what actions made of it. */
struct known {
    struct match m;  /* of VLAN tags only whether there is one */
    unsigned n_tags; /* VLAN tags, at least */
    bool anything;   /* a header was popped that the packet came with: what is behind it may be anything */
    unsigned n_hidden;
    struct hidden { /* behind a header that an action has pushed, outermost last */
        uint16_t pushed_by;
        rte_be16_t eth_type, eth_type_mask, tp_src, tp_src_mask;
        uint8_t ip_proto, ip_proto_mask;
        uint32_t packet_type;
        unsigned n_tags;
    } hidden[HIDDEN_MAX];
};

static void set_tags(struct known *k, unsigned n_tags)
{
    const rte_be16_t present = n_tags > 0 ? RTE_BE16(VLAN_TCI_PRESENT) : 0;

    k->n_tags = n_tags;
    k->m.value.pkt.vlan_tci[0] = k->m.mask.pkt.vlan_tci[0] = present;
}

/* A header is pushed in front of all that is behind the Ethernet addresses, VLAN tags too. */
static void hide(struct known *k, uint16_t pushed_by)
{
    const struct flow_key *value = &k->m.value.pkt, *mask = &k->m.mask.pkt;

    if (k->n_hidden == HIDDEN_MAX)
        memmove(k->hidden, k->hidden + 1, --k->n_hidden * sizeof k->hidden[0]);
    k->hidden[k->n_hidden++] = (struct hidden){
        .pushed_by = pushed_by,
        .eth_type = value->eth_type,
        .eth_type_mask = mask->eth_type,
        .tp_src = value->tp_src,
        .tp_src_mask = mask->tp_src,
        .ip_proto = value->ip_proto,
        .ip_proto_mask = mask->ip_proto,
        .packet_type = k->m.value.packet_type,
        .n_tags = k->n_tags,
    };
    set_tags(k, 0);
}

/* What the header that is popped hides; NULL: the packet came with it, so that nothing is known. */
static const struct hidden *top_hidden(struct known *k, uint16_t pushed_by)
{
    if (k->n_hidden > 0 && k->hidden[k->n_hidden - 1].pushed_by == pushed_by)
        return &k->hidden[--k->n_hidden];
    k->n_hidden = 0;
    return NULL;
}

/* Tags in front of the popped header stay. */
static void reveal(struct known *k, const struct hidden *hidden)
{
    k->m.value.pkt.eth_type = hidden->eth_type;
    k->m.mask.pkt.eth_type = hidden->eth_type_mask;
    k->m.value.pkt.tp_src = hidden->tp_src;
    k->m.mask.pkt.tp_src = hidden->tp_src_mask;
    k->m.value.pkt.ip_proto = hidden->ip_proto;
    k->m.mask.pkt.ip_proto = hidden->ip_proto_mask;
    k->m.value.packet_type = hidden->packet_type;
    set_tags(k, k->n_tags + hidden->n_tags);
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

static int check_retype(const struct act_set_field *a, struct known *k)
{
    struct match *m = &k->m;
    const unsigned last = a->field->n_bytes - 1u;
    int error;

    if (a->h.form != ACT_FORM_STANDARD || a->mask.b[0] != UINT8_MAX || a->mask.b[last] != UINT8_MAX)
        return OFPERR_BAC_BAD_SET_ARGUMENT;
    error = act_check_read(a->field, m);
    if (error)
        return error;
    k->n_hidden = 0; /* what is behind is taken for something else */
    if (a->field->id == FIELD_ETH_TYPE)
        set_eth_type(m, (uint16_t)(a->value.b[0] << 8 | a->value.b[1]));
    else
        field_set(a->field, &m->value, &a->value, NULL);
    return 0;
}

/* Of fields that others depend on the value is known from now on. */
static void note_written(const struct act_set_field *a, struct known *k)
{
    const rte_be16_t present = RTE_BE16(VLAN_TCI_PRESENT);
    struct flow value, mask;

    if (a->field->id == FIELD_ICMPV6_TYPE) {
        field_set(a->field, &k->m.value, &a->value, &a->mask);
        field_set(a->field, &k->m.mask, &a->mask, &a->mask);
    }
    if (a->field->id != FIELD_VLAN_TCI)
        return;
    memset(&value, 0, sizeof value);
    memset(&mask, 0, sizeof mask);
    field_set(a->field, &value, &a->value, NULL);
    field_set(a->field, &mask, &a->mask, NULL);
    if (mask.pkt.vlan_tci[0] & value.pkt.vlan_tci[0] & present)
        set_tags(k, RTE_MAX(k->n_tags, 1u));
    else if (mask.pkt.vlan_tci[0] & present)
        set_tags(k, k->n_tags > 0 ? k->n_tags - 1 : 0);
}

static int check_set_field(const struct act_set_field *a, struct known *k)
{
    int error;

    /* OpenFlow 1.0.2, 5.2.4: its set actions do nothing to packets that lack the field. */
    if (a->h.form == ACT_FORM_OF10)
        return 0;
    if (a->field->retypes)
        return check_retype(a, k);
    error = act_check_write(a->field, &k->m);
    if (error == 0)
        note_written(a, k);
    return error;
}

static bool is_mpls(const struct match *m)
{
    return m->mask.pkt.eth_type == 0xffff && (m->value.pkt.eth_type == RTE_BE16(RTE_ETHER_TYPE_MPLS) ||
                                              m->value.pkt.eth_type == RTE_BE16(RTE_ETHER_TYPE_MPLSM));
}

static bool is_vlan_type(uint32_t eth_type)
{
    return eth_type == RTE_ETHER_TYPE_VLAN || eth_type == RTE_ETHER_TYPE_QINQ;
}

static int pop_vlan(const struct act *act, struct known *k)
{
    if (act->form != ACT_FORM_OF10 && k->n_tags == 0)
        return OFPERR_BAC_MATCH_INCONSISTENT;
    set_tags(k, k->n_tags > 0 ? k->n_tags - 1 : 0);
    return 0;
}

/* The action says what comes to light. It is what a push has hidden, if that is of this type. */
static int pop_mpls(uint16_t eth_type, struct known *k)
{
    const struct hidden *hidden;

    if (!is_mpls(&k->m))
        return OFPERR_BAC_MATCH_INCONSISTENT;
    hidden = top_hidden(k, ACT_PUSH_MPLS);
    if (hidden &&
        (hidden->n_tags > 0 ? is_vlan_type(eth_type)
                            : hidden->eth_type_mask == UINT16_MAX && hidden->eth_type == rte_cpu_to_be_16(eth_type))) {
        reveal(k, hidden);
        return 0;
    }
    set_eth_type(&k->m, eth_type);
    k->anything |= is_vlan_type(eth_type);
    return 0;
}

static int pop_pbb(struct known *k)
{
    const struct hidden *hidden;

    if (k->m.mask.pkt.eth_type != 0xffff || k->m.value.pkt.eth_type != RTE_BE16(ETH_TYPE_PBB))
        return OFPERR_BAC_MATCH_INCONSISTENT;
    hidden = top_hidden(k, ACT_PUSH_PBB);
    if (hidden) {
        reveal(k, hidden);
        return 0;
    }
    k->m.mask.pkt.eth_type = k->m.value.pkt.eth_type = 0;
    k->anything = true;
    return 0;
}

static void encap(const struct act_encap *act, struct known *k)
{
    if (act->packet_type >> 16 == 1) {
        hide(k, ACT_ENCAP);
        set_eth_type(&k->m, (uint16_t)act->packet_type);
    }
    k->m.value.packet_type = rte_cpu_to_be_32(act->packet_type);
}

/* An Ethernet header leaves what is behind it as it is; what another one hides depends on the packet, unless an action
 * has pushed it. */
static void decap(struct known *k)
{
    const struct hidden *hidden;

    if (k->m.value.packet_type == PACKET_TYPE_ETHERNET) {
        k->m.value.packet_type = rte_cpu_to_be_32(PACKET_TYPE(1, rte_be_to_cpu_16(k->m.value.pkt.eth_type)));
        return;
    }
    hidden = top_hidden(k, ACT_ENCAP);
    if (hidden) {
        reveal(k, hidden);
        return;
    }
    k->m.value.packet_type = PACKET_TYPE_ETHERNET;
    k->m.mask.pkt.eth_type = k->m.value.pkt.eth_type = 0;
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

static int check_list(const struct act_list *list, struct known *k, uint8_t table_id);

/* An action set has a place for some actions only. What does nothing anyway may stand among them. */
static int check_set(const struct act_list *list)
{
    ACT_FOR_EACH (act, list) {
        if (act_rank(act) == ACT_RANK_NONE && act->type != ACT_NOTE && act->type != ACT_CT_CLEAR &&
            act->type != ACT_POP_QUEUE)
            return OFPERR_BAC_BAD_TYPE;
    }
    return 0;
}

/* The actions of a clone, or of a later action set: they change nothing of this list's packet. */
static int check_inner(const struct act *act, const struct known *k)
{
    struct known copy = *k;
    struct act_list inner;

    act_nested(act, &inner);
    return check_list(&inner, &copy, TABLE_ALL);
}

/* Checks one action and does to `k` what it would do to the packet. */
static int check_act(const struct act *act, struct known *k, uint8_t table_id)
{
    struct match *m = &k->m;
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
        return check_set_field((const struct act_set_field *)act, k);
    case ACT_MOVE:
        error = act_check_read(((const struct act_move *)act)->src.field, m);
        return error ? error : act_check_write(((const struct act_move *)act)->dst.field, m);
    case ACT_STACK_PUSH:
        return act_check_read(((const struct act_subfield *)act)->sf.field, m);
    case ACT_STACK_POP:
        return act_check_write(((const struct act_subfield *)act)->sf.field, m);
    case ACT_SET_VLAN_VID:
    case ACT_SET_VLAN_PCP:
        set_tags(k, RTE_MAX(k->n_tags, 1u)); /* adds a tag where there is none */
        return 0;
    case ACT_PUSH_VLAN:
        if (!is_vlan_type(act_u32_of(act)))
            return OFPERR_BAC_BAD_ARGUMENT;
        set_tags(k, k->n_tags + 1);
        return 0;
    case ACT_POP_VLAN:
        return pop_vlan(act, k);
    case ACT_PUSH_MPLS:
        if (act_u32_of(act) != RTE_ETHER_TYPE_MPLS && act_u32_of(act) != RTE_ETHER_TYPE_MPLSM)
            return OFPERR_BAC_BAD_ARGUMENT;
        hide(k, ACT_PUSH_MPLS);
        set_eth_type(m, (uint16_t)act_u32_of(act));
        return 0;
    case ACT_POP_MPLS:
        return pop_mpls((uint16_t)act_u32_of(act), k);
    case ACT_SET_MPLS_TTL:
    case ACT_DEC_MPLS_TTL:
        return is_mpls(m) ? 0 : OFPERR_BAC_MATCH_INCONSISTENT;
    case ACT_DEC_NSH_TTL:
        return act_check_read(field_by_id(FIELD_NSH_TTL), m);
    case ACT_ENCAP:
        encap((const struct act_encap *)act, k);
        return 0;
    case ACT_DECAP:
        decap(k);
        return 0;
    case ACT_PUSH_PBB:
        if (act_u32_of(act) != ETH_TYPE_PBB)
            return OFPERR_BAC_BAD_ARGUMENT;
        hide(k, ACT_PUSH_PBB);
        set_eth_type(m, (uint16_t)act_u32_of(act));
        return 0;
    case ACT_POP_PBB:
        return pop_pbb(k);
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
        return act_list_is_clause(&inner) ? OFPERR_BAC_BAD_CONJUNCTION : check_inner(act, k);
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
        int error = check_inner(act, k);
        struct act_list inner;

        act_nested(act, &inner);
        return error ? error : check_set(&inner);
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

static int check_list(const struct act_list *list, struct known *k, uint8_t table_id)
{
    int error = act_list_is_clause(list) ? check_clauses(list) : 0;

    if (error)
        return error;
    ACT_FOR_EACH (act, list) {
        const bool anything = k->anything;

        error = check_act(act, k, table_id);
        if (error && !(anything && error == OFPERR_BAC_MATCH_INCONSISTENT))
            return error;
    }
    return 0;
}

static void known_init(struct known *k, const struct match *match)
{
    memset(k, 0, sizeof *k);
    k->m = *match;
    k->n_tags = has_tag(match);
}

int act_list_check(const struct act_list *list, const struct match *match, uint8_t table_id)
{
    struct known k;

    known_init(&k, match);
    return check_list(list, &k, table_id);
}

int act_list_check_unmatched(const struct act_list *list)
{
    struct match nothing;
    struct known k;

    if (act_list_is_clause(list))
        return OFPERR_BAC_BAD_CONJUNCTION;
    match_init_all(&nothing);
    known_init(&k, &nothing);
    ACT_FOR_EACH (act, list) {
        struct act_list inner;
        int error = act_nested(act, &inner) ? act_list_check_unmatched(&inner) : check_act(act, &k, TABLE_ALL);

        if (error && error != OFPERR_BAC_MATCH_INCONSISTENT)
            return error;
    }
    return 0;
}

int act_list_check_bucket(const struct act_list *list)
{
    int error = act_list_check_unmatched(list);

    return error ? error : check_set(list);
}
