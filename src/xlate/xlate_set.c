/* Translation: actions that write fields, and the stack. */
#include <netinet/in.h>
#include <string.h>

#include "src/xlate/act_xlate_impl.h"

/* Has the packet to be parsed before the field can be read or written? */
static bool is_behind(const struct field *field)
{
    return field->prereq != PREREQ_NONE || field->id == FIELD_VLAN_TCI || field->id == FIELD_VLAN_VID ||
           field->id == FIELD_ETH_TYPE;
}

/* Does ct(nat) change it? */
static bool is_translated(const struct field *field)
{
    switch (field->offset) {
    case offsetof(struct flow, pkt.ipv4_src):
    case offsetof(struct flow, pkt.ipv4_dst):
    case offsetof(struct flow, pkt.ipv6_src):
    case offsetof(struct flow, pkt.ipv6_dst):
    case offsetof(struct flow, pkt.tp_src):
    case offsetof(struct flow, pkt.tp_dst):
        return true;
    default:
        return false;
    }
}

static enum act_sees field_sees(const struct field *field)
{
    if (!is_behind(field))
        return ACT_SEES_ETHERNET;
    return is_translated(field) ? ACT_SEES_PACKET : ACT_SEES_HEADERS;
}

/* Metadata, which no packet carries. */
static bool is_metadata(const struct field *field)
{
    return field->offset >= sizeof(struct flow_key);
}

/* --- set_field ----------------------------------------------------------- */

/* The field that an OpenFlow 1.0 set action on `field` means in this packet, where one action sets the ports of TCP,
 * UDP and SCTP alike. Consults nothing: xlate_set_field() does. */
static const struct field *port_field(const struct xlate_ctx *ctx, const struct field *field)
{
    const bool src = field->id == FIELD_TCP_SRC;

    if (!src && field->id != FIELD_TCP_DST)
        return field;
    switch (ctx->flow.pkt.ip_proto) {
    case IPPROTO_UDP:
        return field_by_id(src ? FIELD_UDP_SRC : FIELD_UDP_DST);
    case IPPROTO_SCTP:
        return field_by_id(src ? FIELD_SCTP_SRC : FIELD_SCTP_DST);
    default:
        return field;
    }
}

static void set_field(struct xlate_ctx *ctx, const struct act *act, bool last)
{
    const struct act_set_field *a = (const struct act_set_field *)act;

    xlate_set_field(ctx, act->form == ACT_FORM_OF10 ? port_field(ctx, a->field) : a->field, &a->value, &a->mask);
}

static enum act_sees set_field_sees(struct xlate_ctx *ctx, const struct act *act)
{
    const struct field *field = ((const struct act_set_field *)act)->field;

    return is_metadata(field) ? ACT_SEES_NOTHING : field_sees(field);
}

const struct act_xlate act_xlate_set_field = {.run = set_field, .sees_of = set_field_sees};

static void delete_field(struct xlate_ctx *ctx, const struct act *act, bool last)
{
    static const union field_value zero;
    union field_value ones;

    memset(&ones, 0xff, sizeof ones);
    xlate_set_field(ctx, ((const struct act_subfield *)act)->sf.field, &zero, &ones);
}

const struct act_xlate act_xlate_delete_field = {.run = delete_field, .sees = ACT_SEES_ETHERNET};

static void set_tunnel(struct xlate_ctx *ctx, const struct act *act, bool last)
{
    ctx->flow.pkt.tun_id = rte_cpu_to_be_64(((const struct act_u64 *)act)->value);
    ctx->written.pkt.tun_id = UINT64_MAX;
    ctx->any_written = true;
}

const struct act_xlate act_xlate_set_tunnel = {.run = set_tunnel, .sees = ACT_SEES_ETHERNET};

/* --- move ---------------------------------------------------------------- */

static void move_field(struct xlate_ctx *ctx, const struct act *act, bool last)
{
    const struct act_move *move = (const struct act_move *)act;
    union field_value value;

    if (!xlate_has_field(ctx, move->src.field) || !xlate_has_field(ctx, move->dst.field))
        return;
    xlate_read_value(ctx, &move->src, &value);
    xlate_write_value(ctx, &move->dst, &value);
}

static enum act_sees move_sees(struct xlate_ctx *ctx, const struct act *act)
{
    const struct act_move *move = (const struct act_move *)act;
    const enum act_sees src = field_sees(move->src.field), dst = field_sees(move->dst.field);

    return src < dst ? src : dst;
}

const struct act_xlate act_xlate_move = {.run = move_field, .sees_of = move_sees};

/* --- the stack ----------------------------------------------------------- */

static enum act_sees stack_sees(struct xlate_ctx *ctx, const struct act *act)
{
    return field_sees(((const struct act_subfield *)act)->sf.field);
}

static void stack_push(struct xlate_ctx *ctx, const struct act *act, bool last)
{
    if (ctx->n_stack == XLATE_STACK_MAX) {
        xlate_fail(ctx, DROP_XLATE_ERROR, "over 64 values on the stack");
        return;
    }
    xlate_read_value(ctx, &((const struct act_subfield *)act)->sf, &ctx->stack[ctx->n_stack++]);
}

const struct act_xlate act_xlate_stack_push = {.run = stack_push, .sees_of = stack_sees};

static void stack_pop(struct xlate_ctx *ctx, const struct act *act, bool last)
{
    if (ctx->n_stack == 0) {
        xlate_note(ctx, " >> the stack is empty, nothing popped");
        return;
    }
    xlate_write_value(ctx, &((const struct act_subfield *)act)->sf, &ctx->stack[--ctx->n_stack]);
}

const struct act_xlate act_xlate_stack_pop = {.run = stack_pop, .sees_of = stack_sees};
