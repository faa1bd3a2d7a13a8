/* Translation: connection tracking. ct() is an operation of the program; what it finds out is known to lookups only
 * behind the recirculation of a copy. */
#include <string.h>

#include "src/xlate/act_xlate_impl.h"

static struct act_list exec_of(const struct act_ct *act)
{
    return (struct act_list){.acts = (const struct act *)act->data, .len = act->n};
}

/* Adds what one action inside exec() writes to `value` and `mask`. */
static void exec_act(struct xlate_ctx *ctx, const struct act *act, struct flow *value, struct flow *mask)
{
    if (act->type == ACT_SET_FIELD) {
        const struct act_set_field *set = (const struct act_set_field *)act;

        field_set(set->field, value, &set->value, &set->mask);
        field_set(set->field, mask, &set->mask, &set->mask);
    } else {
        const struct act_move *move = (const struct act_move *)act;
        union field_value bits;

        xlate_read_value(ctx, &move->src, &bits);
        subfield_set(&move->dst, value, &bits);
        subfield_mask(&move->dst, mask);
    }
}

static void take_exec(struct xlate_ctx *ctx, const struct act_ct *act, struct ct_request *request)
{
    static const uint8_t none[CT_LABEL_LEN];
    const struct act_list exec = exec_of(act);
    struct flow value, mask;

    if (act->n == 0)
        return;
    memset(&value, 0, sizeof value);
    memset(&mask, 0, sizeof mask);
    ACT_FOR_EACH (inner, &exec) {
        if (inner->type != ACT_NAT)
            exec_act(ctx, inner, &value, &mask);
    }
    request->mark = value.pkt.ct_mark & mask.pkt.ct_mark;
    request->mark_mask = mask.pkt.ct_mark;
    memcpy(request->label, value.pkt.ct_label, sizeof request->label);
    memcpy(request->label_mask, mask.pkt.ct_label, sizeof request->label_mask);
    request->set_label = memcmp(request->label_mask, none, sizeof none) != 0;
}

static bool is_given(const uint8_t address[16])
{
    static const uint8_t zeros[16];

    return memcmp(address, zeros, sizeof zeros) != 0;
}

static void take_nat(const struct act_nat *act, struct ct_nat_request *request)
{
    uint8_t flags = CT_NAT;

    if (act->flags & (NAT_SRC | NAT_DST))
        flags |= act->flags & NAT_SRC ? CT_NAT_SRC : CT_NAT_DST;
    flags |= act->flags & NAT_RANDOM ? CT_NAT_RANDOM : 0;
    flags |= act->flags & NAT_PERSISTENT ? CT_NAT_PERSISTENT : 0;
    flags |= act->ip_version == 6 ? CT_NAT_IPV6 : 0;
    flags |= act->min_port != 0 ? CT_NAT_PORTS : 0;
    request->request.nat = flags;
    memcpy(request->nat.min_address, act->min_address, sizeof act->min_address);
    memcpy(request->nat.max_address, is_given(act->max_address) ? act->max_address : act->min_address,
           sizeof act->max_address);
    request->nat.min_port = act->min_port;
    request->nat.max_port = act->max_port != 0 ? act->max_port : act->min_port;
}

static bool translates(const struct act_ct *act)
{
    const struct act_list inner = exec_of(act);

    ACT_FOR_EACH (a, &inner) {
        if (a->type == ACT_NAT)
            return true;
    }
    return false;
}

static void put_op(struct xlate_ctx *ctx, const struct act_ct *act, const struct ct_request *request)
{
    struct program_builder *b = &ctx->out->program;
    const struct act_list inner = exec_of(act);
    const struct op_ct op = {.request = *request};
    struct op_ct_nat op_nat = {.nat.request = *request};

    ACT_FOR_EACH (a, &inner) {
        if (a->type == ACT_NAT)
            take_nat((const struct act_nat *)a, &op_nat.nat);
    }
    if (op_nat.nat.request.nat != 0)
        program_builder_add(b, OP_CT_NAT, 0, &op_nat, sizeof op_nat);
    else
        program_builder_add(b, OP_CT, 0, &op, sizeof op);
    ctx->keep_len = b->len; /* it counts whether or not anything sends the packet on */
    ctx->keep_ops = b->n_ops;
}

/* A copy of the packet goes on in `table`, with registers, stack and action set. */
static void fork_to_table(struct xlate_ctx *ctx, uint8_t table)
{
    const struct act_u32 go = {.h = {.type = ACT_GOTO_TABLE, .len = sizeof go}, .value = table};
    const struct act_list list = {.acts = &go.h, .len = sizeof go};
    const bool in_set = ctx->in_set;
    struct xlate_clone clone;

    xlate_note(ctx,
               " -> A clone of the packet is forked to recirculate. The forked pipeline will be resumed at table %u.",
               table);
    xlate_clone_begin(ctx, &clone);
    ctx->n_set = clone.n_set;
    ctx->in_set = ctx->in_group = false;
    ctx->ct_resumes = true;
    xlate_freeze(ctx, &go.h, &list);
    xlate_clone_end(ctx, &clone);
    ctx->ct_resumes = false;
    ctx->in_set = in_set;
}

/* For the packet itself, behind ct() and ct_clear. */
static void untrack(struct xlate_ctx *ctx)
{
    struct flow_key *flow = &ctx->flow.pkt, *written = &ctx->written.pkt;

#define CLEAR(member)                                                                                                  \
    do {                                                                                                               \
        memset(&flow->member, 0, sizeof flow->member);                                                                 \
        memset(&written->member, 0xff, sizeof written->member);                                                        \
    } while (0)
    CLEAR(ct_state);
    CLEAR(ct_zone);
    CLEAR(ct_mark);
    CLEAR(ct_label);
    CLEAR(ct_ip_proto);
    CLEAR(ct_tp_src);
    CLEAR(ct_tp_dst);
    if (flow->eth_type == RTE_BE16(RTE_ETHER_TYPE_IPV6)) {
        CLEAR(ct_ipv6_src);
        CLEAR(ct_ipv6_dst);
    } else {
        CLEAR(ct_ipv4_src);
        CLEAR(ct_ipv4_dst);
    }
#undef CLEAR
    ctx->any_written = ctx->untracked = true;
}

void xlate_ct_tell(struct xlate_ctx *ctx, uint32_t id)
{
    const struct xlate_trace *trace = ctx->in->trace;
    struct flow flow;

    if (!trace || !trace->fork)
        return;
    flow = ctx->flow;
    flow.pkt.recirc_id = id;
    flow.pkt.ct_zone = ctx->ct_zone;
    trace->fork(trace->arg, ctx->bridge, &flow);
}

void xlate_ct_leave(struct xlate_ctx *ctx)
{
    if (ctx->flow.pkt.ct_state != 0 || ctx->in->flow.pkt.recirc_id != 0)
        untrack(ctx);
}

void xlate_ct_settle(struct xlate_ctx *ctx)
{
    if (ctx->untracked)
        program_builder_add(&ctx->out->program, OP_CT_CLEAR, 0, NULL, 0);
    ctx->untracked = false;
}

static void run_ct(struct xlate_ctx *ctx, const struct act *a, bool last)
{
    const struct act_ct *act = (const struct act_ct *)a;
    struct ct_request request;

    memset(&request, 0, sizeof request);
    request.zone = act->zone_src.field ? (uint16_t)xlate_read(ctx, &act->zone_src) : act->zone;
    request.commit = act->flags & CT_COMMIT;
    request.force = act->flags & CT_FORCE;
    if (act->alg != 0)
        request.helper = act->alg == CT_ALG_FTP ? CT_HELPER_FTP : CT_HELPER_TFTP;
    ctx->ct_zone = request.zone;
    take_exec(ctx, act, &request);
    xlate_commit(ctx);
    put_op(ctx, act, &request);
    ctx->untracked = false;
    if (act->table != CT_NO_TABLE)
        fork_to_table(ctx, act->table);
    if (translates(act))
        ctx->unparsed |= XLATE_UNPARSED_ADDRESSES;
    xlate_note(ctx, " -> Sets the packet to an untracked state, and clears all the conntrack fields.");
    untrack(ctx);
}

/* The tracker looks at the packet itself; translation only at the fields that are named. */
static enum act_sees ct_sees(struct xlate_ctx *ctx, const struct act *act)
{
    const struct act_ct *ct = (const struct act_ct *)act;
    const struct act_list inner = exec_of(ct);

    ACT_FOR_EACH (a, &inner) {
        if (a->type == ACT_MOVE)
            return ACT_SEES_PACKET;
    }
    return ct->zone_src.field ? ACT_SEES_PACKET : ACT_SEES_HEADERS;
}

const struct act_xlate act_xlate_ct = {.run = run_ct, .sees_of = ct_sees};

static void run_ct_clear(struct xlate_ctx *ctx, const struct act *act, bool last)
{
    xlate_note(ctx, " -> Sets the packet to an untracked state, and clears all the conntrack fields.");
    untrack(ctx);
}

const struct act_xlate act_xlate_ct_clear = {.run = run_ct_clear, .sees = ACT_SEES_ETHERNET};

/* ct() reads it. */
const struct act_xlate act_xlate_nat = {.sees = ACT_SEES_NOTHING};
