/* Translation: action lists and the action set. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/tables/meter.h"
#include "src/xlate/xlate_ctx.h"

#define U32(act) (((const struct act_u32 *)(act))->value)

static void trace_action(struct xlate_ctx *ctx, const struct act *act)
{
    const struct xlate_trace *trace = ctx->in->trace;
    struct act_list one = {.acts = act, .len = act->len};
    char *text;

    if (!trace)
        return;
    text = act_list_format(&one, NULL, NULL);
    trace->action(trace->arg, ctx->trace_depth, text ? text : "?");
    free(text);
}

/* The packet's end: an expired TTL. Controllers were told. */
static void reject(struct xlate_ctx *ctx)
{
    ctx->exit = ctx->no_set = true;
    ctx->out->drop_reason = DROP_ACTION_TTL;
}

/* OpenFlow 1.0's set_vlan_vid and set_vlan_pcp add a tag to a packet that has none. */
static void set_vlan_of10(struct xlate_ctx *ctx, uint16_t tci, uint16_t mask)
{
    if (xlate_vlan_present(ctx))
        xlate_vlan_set(ctx, rte_cpu_to_be_16(tci), rte_cpu_to_be_16(mask));
    else
        xlate_vlan_push(ctx, RTE_ETHER_TYPE_VLAN, rte_cpu_to_be_16(tci));
}

static void write_metadata(struct xlate_ctx *ctx, const struct act_metadata *a)
{
    ctx->flow.metadata = (ctx->flow.metadata & ~a->mask) | (a->value & a->mask);
}

void xlate_show_action_set(struct xlate_ctx *ctx)
{
    ctx->flow.actset_output = OFPORT_UNSET;
    for (unsigned i = 0; i < ctx->n_set; i++) {
        if (ctx->set[i]->type == ACT_GROUP) {
            ctx->flow.actset_output = OFPORT_UNSET;
            return;
        }
        if (ctx->set[i]->type == ACT_OUTPUT)
            ctx->flow.actset_output = ((const struct act_output *)ctx->set[i])->port;
    }
}

static void write_actions(struct xlate_ctx *ctx, const struct act_bytes *nested)
{
    struct act_list list = {.acts = (const struct act *)nested->data, .len = nested->n};

    ACT_FOR_EACH (act, &list) {
        if (ctx->n_set == XLATE_ACTION_SET_MAX) {
            xlate_fail(ctx, DROP_XLATE_ERROR, "over 256 actions in the action set");
            return;
        }
        ctx->set[ctx->n_set++] = act;
    }
    xlate_show_action_set(ctx);
}

static void resubmit(struct xlate_ctx *ctx, const struct act_resubmit *a, bool last)
{
    xlate_table(ctx, a->table == 255 ? ctx->table_id : a->table,
                a->in_port == OFPORT_IN_PORT ? ctx->flow.in_port : a->in_port, last);
}

static void meter(struct xlate_ctx *ctx, uint32_t id)
{
    const struct meter_entry *entry = meter_table_find(pipeline_meters(ctx->bridge->pipeline), id);

    if (!entry) {
        xlate_note(ctx, " >> no such meter");
        return;
    }
    /* Packets count whether or not anything sends them on. */
    xlate_emit(ctx, OP_METER, entry->index);
    /* Which packets are remarked, and what they had before, is not known here. */
    if (meter_entry_remarks(entry))
        ctx->unparsed |= XLATE_UNPARSED_INNER;
}

/* Does the packet have to be an Ethernet packet? What is not has no tags. */
static bool needs_ethernet(const struct act *act)
{
    return act->type == ACT_PUSH_VLAN || act->type == ACT_POP_VLAN || act->type == ACT_SET_VLAN_VID ||
           act->type == ACT_SET_VLAN_PCP || act->type == ACT_PUSH_PBB || act->type == ACT_POP_PBB;
}

static void do_act(struct xlate_ctx *ctx, const struct act *act, bool last)
{
    if (ctx->flow.packet_type != PACKET_TYPE_ETHERNET && needs_ethernet(act))
        return;
    switch ((enum act_type)act->type) {
    case ACT_OUTPUT: {
        const struct act_output *a = (const struct act_output *)act;
        xlate_output(ctx, a->port, a->max_len, last);
        break;
    }
    case ACT_OUTPUT_REG: {
        const struct act_output_reg *a = (const struct act_output_reg *)act;
        xlate_output(ctx, ofport_of_value(xlate_read(ctx, &a->src)), a->max_len, last);
        break;
    }
    case ACT_CONTROLLER:
        if (((const struct act_controller *)act)->pause)
            xlate_freeze_pause(ctx, (const struct act_controller *)act);
        else
            xlate_controller_action(ctx, (const struct act_controller *)act);
        break;
    case ACT_ENQUEUE:
        xlate_output(ctx, ((const struct act_enqueue *)act)->port, 0, last);
        break;
    case ACT_SET_FIELD: {
        const struct act_set_field *a = (const struct act_set_field *)act;
        xlate_set_field(ctx, act->form == ACT_FORM_OF10 ? xlate_port_field(ctx, a->field) : a->field, &a->value,
                        &a->mask);
        break;
    }
    case ACT_MOVE:
        xlate_move(ctx, (const struct act_move *)act);
        break;
    case ACT_STACK_PUSH:
        xlate_stack_push(ctx, &((const struct act_subfield *)act)->sf);
        break;
    case ACT_STACK_POP:
        xlate_stack_pop(ctx, &((const struct act_subfield *)act)->sf);
        break;
    case ACT_SET_TUNNEL:
        ctx->flow.pkt.tun_id = rte_cpu_to_be_64(((const struct act_u64 *)act)->value);
        ctx->written.pkt.tun_id = UINT64_MAX;
        ctx->any_written = true;
        break;
    case ACT_ENCAP:
        xlate_encap(ctx, (const struct act_encap *)act);
        break;
    case ACT_DECAP:
        xlate_decap(ctx, U32(act));
        break;
    case ACT_DEC_NSH_TTL:
        if (!xlate_nsh_dec_ttl(ctx))
            reject(ctx);
        break;
    case ACT_DELETE_FIELD: {
        static const union field_value zero;
        union field_value ones;

        memset(&ones, 0xff, sizeof ones);
        xlate_set_field(ctx, ((const struct act_subfield *)act)->sf.field, &zero, &ones);
        break;
    }
    case ACT_PUSH_VLAN:
        xlate_vlan_push_copy(ctx, (uint16_t)U32(act));
        break;
    case ACT_POP_VLAN:
        xlate_vlan_pop(ctx);
        break;
    case ACT_SET_VLAN_VID:
        set_vlan_of10(ctx, U32(act) & 0x0fff, 0x0fff);
        break;
    case ACT_SET_VLAN_PCP:
        set_vlan_of10(ctx, (uint16_t)((U32(act) & 7) << 13), 0xe000);
        break;
    case ACT_PUSH_MPLS:
        xlate_mpls_push(ctx, (uint16_t)U32(act), 0); /* OpenFlow 1.3.5, 5.12.1 */
        break;
    case ACT_POP_MPLS:
        xlate_mpls_pop(ctx, (uint16_t)U32(act));
        break;
    case ACT_SET_MPLS_TTL:
        xlate_mpls_set_ttl(ctx, (uint8_t)U32(act));
        break;
    case ACT_DEC_MPLS_TTL:
        if (!xlate_mpls_dec_ttl(ctx))
            reject(ctx);
        break;
    case ACT_SET_IP_TTL:
        xlate_set_ttl(ctx, (uint8_t)U32(act));
        break;
    case ACT_DEC_TTL:
        if (!xlate_dec_ttl(ctx, (const struct act_dec_ttl *)act))
            reject(ctx);
        break;
    case ACT_RESUBMIT:
        resubmit(ctx, (const struct act_resubmit *)act, last);
        break;
    case ACT_EXIT:
        ctx->exit = true;
        break;
    case ACT_FIN_TIMEOUT:
        xlate_fin_timeout(ctx, (const struct act_fin_timeout *)act);
        break;
    case ACT_OUTPUT_TRUNC:
        xlate_output_trunc(ctx, (const struct act_output_trunc *)act);
        break;
    case ACT_CLONE:
        xlate_clone_action(ctx, act);
        break;
    case ACT_CHECK_LARGER:
        xlate_freeze_larger(ctx, (const struct act_check_larger *)act);
        break;
    case ACT_MULTIPATH:
        xlate_multipath(ctx, (const struct act_multipath *)act);
        break;
    case ACT_BUNDLE:
        xlate_bundle(ctx, (const struct act_bundle *)act, last);
        break;
    case ACT_SAMPLE: /* there are no collectors */
    case ACT_CT_CLEAR:
        break;
    case ACT_LEARN:
        xlate_learn(ctx, (const struct act_learn *)act);
        break;
    case ACT_CLEAR_ACTIONS:
        ctx->n_set = 0;
        xlate_show_action_set(ctx);
        break;
    case ACT_WRITE_ACTIONS:
        write_actions(ctx, (const struct act_bytes *)act);
        break;
    case ACT_WRITE_METADATA:
        write_metadata(ctx, (const struct act_metadata *)act);
        break;
    case ACT_GOTO_TABLE:
        ctx->goto_table = (int)U32(act);
        break;
    case ACT_SET_QUEUE:
    case ACT_POP_QUEUE:
    case ACT_NOTE:
    case ACT_STAT_TRIGGER:
    case ACT_CONJUNCTION: /* in a rule it is never run */
        break;
    case ACT_GROUP:
        xlate_group(ctx, act, last);
        break;
    case ACT_METER:
        meter(ctx, act_u32_of(act));
        break;
    case ACT_COPY_TTL_IN:
        xlate_mpls_copy_ttl_in(ctx);
        break;
    case ACT_COPY_TTL_OUT:
        xlate_mpls_copy_ttl_out(ctx);
        break;
    case ACT_PUSH_PBB:
        xlate_pbb_push(ctx, (uint16_t)U32(act));
        break;
    case ACT_POP_PBB:
        xlate_pbb_pop(ctx);
        break;
    case ACT_N_TYPES:
        xlate_fail(ctx, DROP_XLATE_ERROR, "the action is not supported");
        break;
    }
}

/* Is this the last action that does something, the action set included? */
static bool is_last(const struct xlate_ctx *ctx, const struct act *act, const struct act_list *list, bool last)
{
    return last && ctx->n_set == 0 && (const uint8_t *)act + act->len == (const uint8_t *)list->acts + list->len;
}

void xlate_acts(struct xlate_ctx *ctx, const struct act_list *list, bool last)
{
    if (list->len == 0 && ctx->in->trace)
        ctx->in->trace->action(ctx->in->trace->arg, ctx->trace_depth, "drop");
    ACT_FOR_EACH (act, list) {
        if (ctx->unparsed && xlate_needs_parse(ctx, act)) {
            xlate_freeze(ctx, act, list);
            return;
        }
        if (ctx->in->trace)
            trace_action(ctx, act);
        do_act(ctx, act, is_last(ctx, act, list, last));
        if (ctx->freezing) {
            const struct act *next = (const struct act *)((const uint8_t *)act + act->len);

            xlate_freeze(ctx, next, list);
            return;
        }
        if (ctx->exit)
            return;
    }
}

/* Appends those of one rank. Returns how many. */
static unsigned collect(const struct act *const *set, unsigned n_set, enum act_rank wanted, struct act_buffer *list)
{
    const struct act *final = NULL;
    unsigned n = 0;

    for (unsigned i = 0; i < n_set; i++) {
        if (act_rank(set[i]) != wanted)
            continue;
        n++;
        final = set[i];
        if (wanted == ACT_RANK_SET)
            memcpy(act_buffer_add(list, final->type, final->len), final, final->len);
    }
    if (final && wanted != ACT_RANK_SET)
        memcpy(act_buffer_add(list, final->type, final->len), final, final->len);
    return n;
}

void xlate_order_set(const struct act *const *set, unsigned n, struct act_buffer *list)
{
    size_t start = list->len;

    for (enum act_rank r = ACT_RANK_NONE + 1; r < ACT_RANK_GROUP; r++)
        collect(set, n, r, list);
    /* A group takes the place of an output; without either the packet is dropped. */
    for (enum act_rank r = ACT_RANK_GROUP; r <= ACT_RANK_RESUBMIT; r++) {
        if (collect(set, n, r, list) > 0)
            return;
    }
    list->len = start;
}

void xlate_action_set(struct xlate_ctx *ctx)
{
    struct act_buffer buffer;
    struct act_list list;
    bool exits = ctx->exit;

    if (ctx->no_set || ctx->n_set == 0)
        return;
    act_buffer_init(&buffer);
    xlate_order_set(ctx->set, ctx->n_set, &buffer);
    ctx->n_set = 0;
    ctx->in_set = true;
    ctx->exit = false;
    list = act_buffer_list(&buffer);
    if (ctx->in->trace)
        ctx->in->trace->action_set(ctx->in->trace->arg);
    xlate_acts(ctx, &list, true);
    ctx->exit |= exits;
    act_buffer_free(&buffer);
}
