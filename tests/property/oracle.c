/* The plain interpreter of rules: it shares no code with the translation or the datapath (see oracle.h). */
#include "tests/property/oracle.h"

#include <limits.h>
#include <string.h>

#include "src/tables/group.h"
#include "tests/lib/match_sets.h"
#include "tests/property/oracle_impl.h"

#define PRESENT RTE_BE16(VLAN_TCI_PRESENT)

static void acts_run(struct oracle *o, const struct act_list *list, int *next_table);

void oracle_show_tags(struct oracle *o)
{
    o->p.flow.pkt.vlan_tci[0] = o->p.n_tags > 0 ? o->p.tags[0] : 0;
    o->p.flow.pkt.vlan_tci[1] = o->p.n_tags > 1 ? o->p.tags[1] : 0;
}

void oracle_push_tag(struct oracle *o, rte_be16_t tci)
{
    if (o->p.n_tags == 6) {
        o->overflow = true;
        return;
    }
    memmove(o->p.tags + 1, o->p.tags, o->p.n_tags * sizeof o->p.tags[0]);
    o->p.tags[0] = tci | PRESENT;
    o->p.n_tags++;
    oracle_show_tags(o);
}

void oracle_pop_tag(struct oracle *o)
{
    if (o->p.n_tags == 0)
        return;
    o->p.n_tags--;
    memmove(o->p.tags, o->p.tags + 1, o->p.n_tags * sizeof o->p.tags[0]);
    oracle_show_tags(o);
}

struct flow_key oracle_bare_key(const struct flow_key *key)
{
    struct flow_key bare = *key;

    bare.in_port = bare.recirc_id = 0;
    bare.vlan_tci[0] = bare.vlan_tci[1] = 0;
    memset(&bare.ct_state, 0, FLOW_KEY_LINE - offsetof(struct flow_key, ct_state));
    return bare;
}

static void push_pbb(struct oracle *o)
{
    struct flow_key *key = &o->p.flow.pkt, inner = oracle_bare_key(key);
    struct oracle_frame *frame = &o->p.hidden[o->p.n_hidden];

    if (o->p.n_hidden == ORACLE_HIDDEN) {
        o->overflow = true;
        return;
    }
    o->p.n_hidden++;
    frame->key = inner;
    memcpy(frame->tags, o->p.tags, sizeof frame->tags);
    frame->n_tags = o->p.n_tags;
    o->p.n_tags = 0;
    memset(&key->eth_type, 0, offsetof(struct flow_key, ct_state) - offsetof(struct flow_key, eth_type));
    memset((uint8_t *)key + FLOW_KEY_LINE, 0, sizeof *key - FLOW_KEY_LINE);
    key->eth_type = RTE_BE16(0x88e7);
    key->pbb_isid = inner.pbb_isid;
    oracle_show_tags(o);
}

static void pop_pbb(struct oracle *o)
{
    struct flow_key *key = &o->p.flow.pkt;
    const struct oracle_frame *frame;

    if (key->eth_type != RTE_BE16(0x88e7))
        return;
    if (o->p.n_hidden == 0 || o->p.n_tags + o->p.hidden[o->p.n_hidden - 1].n_tags > 2) {
        o->overflow = true; /* three tags: the key does not know what is behind */
        return;
    }
    frame = &o->p.hidden[--o->p.n_hidden];
    memcpy(o->p.tags + o->p.n_tags, frame->tags, frame->n_tags * sizeof frame->tags[0]);
    o->p.n_tags += frame->n_tags;
    memcpy(&key->eth_dst, &frame->key.eth_dst,
           offsetof(struct flow_key, ct_state) - offsetof(struct flow_key, eth_dst));
    memcpy((uint8_t *)key + FLOW_KEY_LINE, (uint8_t *)&frame->key + FLOW_KEY_LINE, sizeof *key - FLOW_KEY_LINE);
    oracle_show_tags(o);
}

/* --- actions ------------------------------------------------------------- */

static bool has(const struct oracle *o, const struct field *field)
{
    const struct flow_key *key = &o->p.flow.pkt;

    if (!field_prereq_holds(field, &o->p.flow, NULL))
        return false;
    if (field->prereq >= PREREQ_ND && field->prereq <= PREREQ_ND_ADVERT && key->tp_dst != 0)
        return false;
    if (field->id >= FIELD_NSH_C1 && field->id <= FIELD_NSH_C4)
        return key->nsh.mdtype == 1;
    if (field->id == FIELD_ND_SLL)
        return key->nd_options_type == 1;
    if (field->id == FIELD_ND_TLL)
        return key->nd_options_type == 2;
    return true;
}

/* A fragment's CRC32c cannot be made right: such packets are dropped. */
static void cannot_write(struct oracle *o, const struct field *field)
{
    if (field->prereq == PREREQ_SCTP && o->p.flow.pkt.ip_frag)
        o->overflow = true;
}

static void set_tci(struct oracle *o, rte_be16_t tci, rte_be16_t mask)
{
    o->p.tags[0] = (o->p.tags[0] & ~mask) | (tci & mask);
    oracle_show_tags(o);
}

/* `flow` is the packet's with the field written; takes it over if the packet has the field. */
static void take(struct oracle *o, const struct field *field, const struct flow *flow)
{
    rte_be16_t tci = flow->pkt.vlan_tci[0];

    if (!has(o, field))
        return;
    cannot_write(o, field);
    if (field->id == FIELD_VLAN_TCI) {
        if (!(tci & PRESENT))
            oracle_pop_tag(o);
        else if (o->p.n_tags == 0)
            oracle_push_tag(o, tci);
        else
            set_tci(o, tci, UINT16_MAX);
    } else if (field->id == FIELD_VLAN_VID || field->id == FIELD_VLAN_PCP) {
        if (o->p.n_tags > 0)
            set_tci(o, tci, field->id == FIELD_VLAN_VID ? RTE_BE16(0x0fff) : RTE_BE16(0xe000));
    } else {
        o->p.flow = *flow;
    }
}

static void set_subfield(struct oracle *o, const struct subfield *sf, const union field_value *value)
{
    struct flow flow = o->p.flow;

    subfield_set(sf, &flow, value);
    take(o, sf->field, &flow);
}

static bool lower_ttl(struct oracle *o, const struct act_dec_ttl *dec)
{
    if (!has(o, field_by_id(FIELD_IP_TTL)))
        return true;
    if (o->p.flow.pkt.ip_ttl > 1) {
        o->p.flow.pkt.ip_ttl--;
        return true;
    }
    for (unsigned i = 0; i < (dec->with_ids ? dec->n_ids : 1u); i++)
        oracle_send(o, OFPORT_CONTROLLER, 2);
    return false;
}

static bool is_clause(const struct oracle_rule *rule)
{
    return rule->acts.len > 0 && ((const struct act *)rule->acts.data)->type == ACT_CONJUNCTION;
}

static const struct oracle_rule *best_of(const struct oracle *o, uint8_t table_id, const struct flow *flow,
                                         bool clauses, int below)
{
    const struct oracle_rule *found = NULL;

    for (unsigned i = 0; i < ORACLE_RULES; i++) {
        const struct oracle_rule *rule = &o->rules[i];

        if (rule->used && rule->bridge == o->bridge && rule->table_id == table_id && is_clause(rule) == clauses &&
            rule->priority < below && (!found || rule->priority > found->priority) && match_hits(&rule->match, flow))
            found = rule;
    }
    return found;
}

/* Does the flow match a clause of this priority for each k of conjunction `id`? */
static bool is_complete(const struct oracle *o, uint8_t table_id, const struct flow *flow, uint16_t priority,
                        uint32_t id)
{
    uint64_t seen[65] = {0};

    for (unsigned i = 0; i < ORACLE_RULES; i++) {
        const struct oracle_rule *rule = &o->rules[i];
        struct act_list acts = act_buffer_list(&rule->acts);

        if (!rule->used || rule->bridge != o->bridge || rule->table_id != table_id || !is_clause(rule) ||
            rule->priority != priority || !match_hits(&rule->match, flow))
            continue;
        ACT_FOR_EACH (act, &acts) {
            const struct act_conjunction *a = (const struct act_conjunction *)act;

            if (act->type == ACT_CONJUNCTION && a->id == id)
                seen[a->n_clauses] |= UINT64_C(1) << (a->clause - 1);
        }
    }
    for (unsigned n = 2; n <= 64; n++) {
        if (seen[n] == UINT64_MAX >> (64 - n))
            return true;
    }
    return false;
}

static const struct oracle_rule *best(const struct oracle *o, uint8_t table_id, const struct flow *flow)
{
    const struct oracle_rule *rule = best_of(o, table_id, flow, false, INT_MAX), *clause;
    int below = INT_MAX;

    while ((clause = best_of(o, table_id, flow, true, below)) && (!rule || clause->priority > rule->priority)) {
        for (uint32_t id = 1; id <= ORACLE_CONJUNCTIONS; id++) {
            struct flow with_id = *flow;
            const struct oracle_rule *found;

            if (!is_complete(o, table_id, flow, clause->priority, id))
                continue;
            with_id.conj_id = id;
            found = best_of(o, table_id, &with_id, false, INT_MAX);
            if (found)
                return found;
        }
        below = clause->priority;
    }
    return rule;
}

static bool matches_all(const struct oracle_rule *rule)
{
    static const struct flow none;

    return rule->priority == 0 && memcmp(&rule->match.mask, &none, sizeof none) == 0;
}

static void table_run(struct oracle *o, uint8_t table_id, uint32_t in_port)
{
    uint8_t old_table = o->table_id;
    uint64_t old_cookie = o->cookie;
    bool old_miss = o->table_miss_rule;

    for (;;) {
        struct flow flow = o->p.flow;
        const struct oracle_rule *rule;
        struct act_list list;
        int next = -1;

        flow.in_port = in_port;
        if (o->bridge->frag_mode == 0 && flow.pkt.ip_frag != 0) {
            /* set-frags normal: no fragment has ports */
            flow.pkt.tp_src = 0;
            flow.pkt.tp_dst = 0;
        }
        rule = best(o, table_id, &flow);
        if (!rule)
            break;
        o->table_id = table_id;
        o->cookie = rule->cookie;
        o->table_miss_rule = matches_all(rule);
        list = act_buffer_list(&rule->acts);
        acts_run(o, &list, &next);
        if (next < 0 || o->exit)
            break;
        table_id = (uint8_t)next;
        in_port = o->p.flow.in_port;
    }
    o->table_id = old_table;
    o->cookie = old_cookie;
    o->table_miss_rule = old_miss;
}

static void set_run(struct oracle *o, const struct act *const *set, unsigned n);

/* Each bucket is a set of actions for a packet of its own. */
static void group_run(struct oracle *o, uint32_t id)
{
    static const struct oracle_group none;
    const struct oracle_group *group = o->bridge == o->bridges[0] ? &o->groups[id] : &none;

    if (group->type == GROUP_SELECT)
        o->selected = true;
    for (unsigned i = 0; i < group->n_buckets && !o->selected; i++) {
        const struct bridge_port *bp = bridge_port_by_ofport(o->bridge, group->watch_port[i]);
        struct act_list list = act_buffer_list(&group->acts[i]);
        struct {
            struct oracle_packet p;
            union field_value stack[64];
            unsigned n_stack;
            bool in_group;
        } saved;
        const struct act *set[16];
        unsigned n = 0;

        if (group->type == GROUP_FF && !(bp && bp->state & PORT_STATE_LIVE))
            continue;
        saved.p = o->p;
        saved.n_stack = o->n_stack;
        memcpy(saved.stack, o->stack, sizeof saved.stack);
        saved.in_group = o->in_group;
        ACT_FOR_EACH (act, &list)
            set[n++] = act;
        o->in_group = true;
        set_run(o, set, n);
        o->p = saved.p;
        o->n_stack = saved.n_stack;
        memcpy(o->stack, saved.stack, sizeof saved.stack);
        o->in_group = saved.in_group;
        o->exit = o->no_set = false;
        if (group->type == GROUP_FF)
            break;
    }
}

/* The actions have a packet, a stack and an action set of their own. */
static void clone_run(struct oracle *o, const struct act *act)
{
    struct oracle saved = *o;
    const struct act *set[64];
    struct act_list list;
    int next = -1;

    act_nested(act, &list);
    o->n_set = 0;
    acts_run(o, &list, &next);
    if (!o->no_set && !o->selected && !o->overflow && o->n_set > 0) {
        unsigned n = o->n_set;

        memcpy(set, o->set, n * sizeof set[0]);
        o->exit = false;
        o->table_miss_rule = false;
        set_run(o, set, n);
    }
    o->p = saved.p;
    memcpy(o->set, saved.set, sizeof o->set);
    o->n_set = saved.n_set;
    memcpy(o->stack, saved.stack, sizeof o->stack);
    o->n_stack = saved.n_stack;
    o->table_miss_rule = saved.table_miss_rule;
    o->exit = o->no_set = false;
}

static void act_run(struct oracle *o, const struct act *act, int *next_table)
{
    uint32_t u32 = act->len >= sizeof(struct act_u32) ? ((const struct act_u32 *)act)->value : 0;
    union field_value value = {{0}};

    switch (act->type) {
    case ACT_OUTPUT:
        oracle_output(o, ((const struct act_output *)act)->port);
        break;
    case ACT_OUTPUT_REG: {
        subfield_get(&((const struct act_output_reg *)act)->src, &o->p.flow, &value);
        oracle_output(o, (uint32_t)value.b[14] << 8 | value.b[15]);
        break;
    }
    case ACT_SET_FIELD: {
        const struct act_set_field *a = (const struct act_set_field *)act;
        struct flow flow = o->p.flow;
        field_set(a->field, &flow, &a->value, &a->mask);
        take(o, a->field, &flow);
        break;
    }
    case ACT_MOVE: {
        const struct act_move *a = (const struct act_move *)act;
        if (has(o, a->src.field) && has(o, a->dst.field)) {
            subfield_get(&a->src, &o->p.flow, &value);
            set_subfield(o, &a->dst, &value);
        }
        break;
    }
    case ACT_STACK_PUSH:
        subfield_get(&((const struct act_subfield *)act)->sf, &o->p.flow, &o->stack[o->n_stack++]);
        break;
    case ACT_STACK_POP:
        if (o->n_stack > 0)
            set_subfield(o, &((const struct act_subfield *)act)->sf, &o->stack[--o->n_stack]);
        break;
    case ACT_PUSH_VLAN:
        oracle_push_tag(o, o->p.n_tags > 0 ? o->p.tags[0] : 0);
        break;
    case ACT_POP_VLAN:
        oracle_pop_tag(o);
        break;
    case ACT_PUSH_PBB:
        push_pbb(o);
        break;
    case ACT_POP_PBB:
        pop_pbb(o);
        break;
    case ACT_SET_VLAN_VID:
        if (o->p.n_tags == 0)
            oracle_push_tag(o, rte_cpu_to_be_16((uint16_t)u32));
        else
            set_tci(o, rte_cpu_to_be_16((uint16_t)u32), RTE_BE16(0x0fff));
        break;
    case ACT_DEC_TTL:
        if (!lower_ttl(o, (const struct act_dec_ttl *)act))
            o->exit = o->no_set = true;
        break;
    case ACT_RESUBMIT: {
        const struct act_resubmit *a = (const struct act_resubmit *)act;
        if (!a->with_ct) /* the packet is of no connection */
            table_run(o, a->table == 255 ? o->table_id : a->table,
                      a->in_port == OFPORT_IN_PORT ? o->p.flow.in_port : a->in_port);
        break;
    }
    case ACT_CLONE:
        clone_run(o, act);
        break;
    case ACT_OUTPUT_TRUNC: /* of lengths nothing is said here */
    case ACT_MULTIPATH:
    case ACT_BUNDLE:
    case ACT_CHECK_LARGER:
    case ACT_CT: /* of connections neither */
    case ACT_CT_CLEAR:
    case ACT_NAT:
        o->selected = true;
        break;
    case ACT_GROUP:
        group_run(o, u32);
        break;
    case ACT_EXIT:
        o->exit = true;
        break;
    case ACT_CLEAR_ACTIONS:
        o->n_set = 0;
        break;
    case ACT_WRITE_ACTIONS: {
        const struct act_bytes *nested = (const struct act_bytes *)act;
        struct act_list list = {(const struct act *)nested->data, nested->n};
        ACT_FOR_EACH (a, &list)
            o->set[o->n_set++] = a;
        break;
    }
    case ACT_WRITE_METADATA: {
        const struct act_metadata *a = (const struct act_metadata *)act;
        o->p.flow.metadata = (o->p.flow.metadata & ~a->mask) | (a->value & a->mask);
        break;
    }
    case ACT_GOTO_TABLE:
        *next_table = (int)u32;
        break;
    default:
        break;
    }
}

static void acts_run(struct oracle *o, const struct act_list *list, int *next_table)
{
    ACT_FOR_EACH (act, list) {
        act_run(o, act, next_table);
        if (o->exit || o->overflow || o->selected)
            return;
    }
}

/* OpenFlow 1.3.5, 5.10: of each kind the last one written, in this order; fields all of them. */
static void set_run(struct oracle *o, const struct act *const *set, unsigned n)
{
    static const uint16_t order[] = {ACT_POP_VLAN, ACT_POP_PBB,   ACT_PUSH_PBB, ACT_PUSH_VLAN,
                                     ACT_DEC_TTL,  ACT_SET_FIELD, ACT_GROUP,    ACT_OUTPUT};
    bool outputs = false, groups = false;
    int next;

    for (unsigned i = 0; i < n; i++) {
        outputs |= set[i]->type == ACT_OUTPUT;
        groups |= set[i]->type == ACT_GROUP;
    }
    if (!outputs && !groups)
        return;
    for (unsigned k = 0; k < sizeof order / sizeof order[0] && !o->exit && !o->selected; k++) {
        const struct act *last = NULL;

        if (groups && order[k] == ACT_OUTPUT)
            continue;
        for (unsigned i = 0; i < n; i++) {
            if (set[i]->type != order[k])
                continue;
            last = set[i];
            if (order[k] == ACT_SET_FIELD)
                act_run(o, last, &next);
        }
        if (last && order[k] != ACT_SET_FIELD)
            act_run(o, last, &next);
    }
}

static void action_set_run(struct oracle *o)
{
    const struct act *set[64];
    unsigned n = o->n_set;

    if (o->no_set || n == 0)
        return;
    memcpy(set, o->set, n * sizeof set[0]);
    o->n_set = 0;
    o->exit = false;
    o->table_miss_rule = false;
    o->table_id = 0;
    o->cookie = UINT64_MAX;
    set_run(o, set, n);
}

void oracle_bridge_run(struct oracle *o, uint32_t in_port)
{
    const struct bridge_port *in = bridge_port_by_ofport(o->bridge, in_port);

    o->exit = o->no_set = o->table_miss_rule = false;
    o->table_id = 0;
    o->cookie = UINT64_MAX;
    if (in && (in->config & (PORT_CONFIG_DOWN | PORT_CONFIG_NO_RECV) || oracle_is_output(o, in)))
        return;
    if (in)
        oracle_mirrors_run(o, in, false);
    table_run(o, 0, in_port);
    action_set_run(o);
}

void oracle_run(struct oracle *o, const struct bridge *bridge, const struct oracle_packet *packet)
{
    o->p = *packet;
    o->bridge = bridge;
    o->depth = o->n_patched = 0;
    o->n_set = o->n_stack = o->n_sent = o->mirrored = o->n_mirrored = 0;
    o->overflow = o->selected = o->in_group = false;
    oracle_bridge_run(o, packet->flow.in_port);
}
