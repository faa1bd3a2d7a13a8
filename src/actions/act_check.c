#include "src/actions/act_check.h"

#include <string.h>

#include "src/actions/act_impl.h"

int act_check_port(uint32_t port)
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

/* --- what is known of the packet ----------------------------------------- */

static void known_init(struct act_known *k, const struct match *match, uint8_t table_id)
{
    memset(k, 0, sizeof *k);
    k->m = *match;
    k->n_tags = has_tag(match);
    k->table_id = table_id;
}

void act_known_set_tags(struct act_known *k, unsigned n_tags)
{
    const rte_be16_t present = n_tags > 0 ? RTE_BE16(VLAN_TCI_PRESENT) : 0;

    k->n_tags = n_tags;
    k->m.value.pkt.vlan_tci[0] = k->m.mask.pkt.vlan_tci[0] = present;
}

void act_known_set_eth_type(struct act_known *k, uint16_t eth_type)
{
    struct flow_key *value = &k->m.value.pkt, *mask = &k->m.mask.pkt;

    value->eth_type = rte_cpu_to_be_16(eth_type);
    mask->eth_type = 0xffff;
    mask->ip_proto = 0;
    value->ip_proto = 0;
    mask->tp_src = 0;
    value->tp_src = 0;
}

bool act_known_is_mpls(const struct act_known *k)
{
    const struct match *m = &k->m;

    return m->mask.pkt.eth_type == 0xffff && (m->value.pkt.eth_type == RTE_BE16(RTE_ETHER_TYPE_MPLS) ||
                                              m->value.pkt.eth_type == RTE_BE16(RTE_ETHER_TYPE_MPLSM));
}

int act_check_is_mpls(const struct act *act, struct act_known *k)
{
    return act_known_is_mpls(k) ? 0 : OFPERR_BAC_MATCH_INCONSISTENT;
}

void act_known_hide(struct act_known *k, enum act_type pushed_by)
{
    const struct flow_key *value = &k->m.value.pkt, *mask = &k->m.mask.pkt;

    if (k->n_hidden == ACT_HIDDEN_MAX)
        memmove(k->hidden, k->hidden + 1, --k->n_hidden * sizeof k->hidden[0]);
    k->hidden[k->n_hidden++] = (struct act_hidden){
        .pushed_by = (uint16_t)pushed_by,
        .eth_type = value->eth_type,
        .eth_type_mask = mask->eth_type,
        .tp_src = value->tp_src,
        .tp_src_mask = mask->tp_src,
        .ip_proto = value->ip_proto,
        .ip_proto_mask = mask->ip_proto,
        .packet_type = k->m.value.packet_type,
        .n_tags = k->n_tags,
    };
    act_known_set_tags(k, 0);
}

const struct act_hidden *act_known_pop(struct act_known *k, enum act_type pushed_by)
{
    if (k->n_hidden > 0 && k->hidden[k->n_hidden - 1].pushed_by == pushed_by)
        return &k->hidden[--k->n_hidden];
    k->n_hidden = 0;
    return NULL;
}

void act_known_reveal(struct act_known *k, const struct act_hidden *hidden)
{
    k->m.value.pkt.eth_type = hidden->eth_type;
    k->m.mask.pkt.eth_type = hidden->eth_type_mask;
    k->m.value.pkt.tp_src = hidden->tp_src;
    k->m.mask.pkt.tp_src = hidden->tp_src_mask;
    k->m.value.pkt.ip_proto = hidden->ip_proto;
    k->m.mask.pkt.ip_proto = hidden->ip_proto_mask;
    k->m.value.packet_type = hidden->packet_type;
    act_known_set_tags(k, k->n_tags + hidden->n_tags);
}

/* --- lists --------------------------------------------------------------- */

static int check_act(const struct act *act, struct act_known *k)
{
    const struct act_ops *ops = act_ops[act->type];

    if (k->metadata && act->type != ACT_GOTO_TABLE)
        return OFPERR_BAC_UNSUPPORTED_ORDER;
    return ops->check ? ops->check(act, k) : 0;
}

static int check_list(const struct act_list *list, struct act_known *k)
{
    int error = act_list_is_clause(list) ? act_check_clauses(list) : 0;

    if (error)
        return error;
    ACT_FOR_EACH (act, list) {
        const bool anything = k->anything;

        error = check_act(act, k);
        if (error && !(anything && error == OFPERR_BAC_MATCH_INCONSISTENT))
            return error;
    }
    return 0;
}

int act_check_nested(const struct act *act, const struct act_known *k)
{
    struct act_known copy = *k;
    struct act_list inner;

    act_nested(act, &inner);
    copy.table_id = TABLE_ALL;
    copy.nested = true;
    return check_list(&inner, &copy);
}

int act_check_bucket(const struct act_list *list)
{
    ACT_FOR_EACH (act, list) {
        if (!act_fits_bucket(act))
            return OFPERR_BAC_BAD_TYPE;
    }
    return 0;
}

int act_list_check(const struct act_list *list, const struct match *match, uint8_t table_id)
{
    struct act_known k;

    known_init(&k, match, table_id);
    return check_list(list, &k);
}

int act_list_check_unmatched(const struct act_list *list)
{
    struct match nothing;
    struct act_known k;

    if (act_list_is_clause(list))
        return OFPERR_BAC_BAD_CONJUNCTION;
    match_init_all(&nothing);
    known_init(&k, &nothing, TABLE_ALL);
    ACT_FOR_EACH (act, list) {
        struct act_list inner;
        int error = act_nested(act, &inner) ? act_list_check_unmatched(&inner) : check_act(act, &k);

        if (error && error != OFPERR_BAC_MATCH_INCONSISTENT)
            return error;
    }
    return 0;
}

int act_list_check_bucket(const struct act_list *list)
{
    int error = act_list_check_unmatched(list);

    return error ? error : act_check_bucket(list);
}
