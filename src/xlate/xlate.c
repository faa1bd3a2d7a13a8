#include "src/xlate/xlate.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "pmd/base/log.h"
#include "src/xlate/xlate_ctx.h"

void xlate_note(struct xlate_ctx *ctx, const char *format, ...)
{
    char text[256];
    va_list args;

    if (!ctx->in->trace)
        return;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    ctx->in->trace->note(ctx->in->trace->arg, ctx->trace_depth, text);
}

/* As received, a packet has a mark of 0: in_port and recirc_id say already that it is that. */
uint32_t xlate_pkt_mark(struct xlate_ctx *ctx)
{
    const struct flow_key *key = &ctx->in->flow.pkt;

    if (key->recirc_id != 0 || xlate_from_tunnel(ctx->in))
        XLATE_CONSULT(ctx, pkt_mark, UINT32_MAX);
    return ctx->flow.pkt.pkt_mark;
}

void xlate_why(struct xlate_ctx *ctx, enum drop_reason reason)
{
    if (ctx->out->drop_reason == DROP_POLICY)
        ctx->out->drop_reason = reason;
}

void xlate_fail(struct xlate_ctx *ctx, enum drop_reason reason, const char *text)
{
    xlate_note(ctx, " >>>> %s <<<<", text);
    ctx->out->error = true;
    ctx->out->drop_reason = reason;
    if (!ctx->in->trace)
        LOG_WARN_RL(LOG_PIPELINE, "%s: table %u: %s: packets like it are dropped; ofproto/trace shows the way there",
                    ctx->bridge->name, ctx->table_id, text);
    ctx->exit = true;
    ctx->no_set = true;
}

/* The configuration of the datapath's port is looked at again for all its megaflows (src/upcall/revalidate.c); only
 * other ports are dependencies of their own. */
const struct bridge_port *xlate_entry_port(struct xlate_ctx *ctx)
{
    if (ctx->elsewhere || ctx->in->flow.pkt.in_port == 0)
        xlate_dep(ctx, XLATE_DEP_PORT, ctx->entry);
    return bridge_port_by_ofport(ctx->bridge, ctx->entry);
}

const struct bridge_port *xlate_in_port(struct xlate_ctx *ctx)
{
    if (ctx->flow.in_port == ctx->entry)
        return xlate_entry_port(ctx);
    xlate_dep(ctx, XLATE_DEP_PORT, ctx->flow.in_port);
    return bridge_port_by_ofport(ctx->bridge, ctx->flow.in_port);
}

/* OFPC_FRAG_NORMAL: tables see no ports and no ICMP type of any fragment, also not of the first, which has them. So
 * a fragment's ports are not looked at; that others have theirs depends on their being none. Returns whether the flow
 * is a fragment. */
static bool hide_ports(struct xlate_ctx *ctx)
{
    if (ctx->bridge->frag_mode != BRIDGE_FRAG_NORMAL || !(ctx->flow.pkt.ip_frag & IP_FRAG_ANY))
        return false;
    ctx->flow.pkt.tp_src = ctx->flow.pkt.tp_dst = 0;
    return true;
}

/* In normal mode a lookup that consults ports asks first whether the packet is a fragment: adds that to `seen`.
 * `hidden`: it is one, and its ports were not looked at. */
static void consult_frag(const struct xlate_ctx *ctx, struct flow *seen, bool hidden)
{
    if (ctx->bridge->frag_mode != BRIDGE_FRAG_NORMAL || (seen->pkt.tp_src | seen->pkt.tp_dst) == 0)
        return;
    seen->pkt.ip_frag |= IP_FRAG_ANY;
    if (hidden)
        seen->pkt.tp_src = seen->pkt.tp_dst = 0;
}

/* Exchanges addresses, protocol and ports of the packet and of its connection. */
static void swap_tuples(struct flow_key *key, bool ipv6)
{
#define SWAP(a, b)                                                                                                     \
    do {                                                                                                               \
        uint8_t saved_[sizeof key->a];                                                                                 \
        _Static_assert(sizeof key->a == sizeof key->b, "the same kind of value");                                      \
        memcpy(saved_, &key->a, sizeof saved_);                                                                        \
        memcpy(&key->a, &key->b, sizeof saved_);                                                                       \
        memcpy(&key->b, saved_, sizeof saved_);                                                                        \
    } while (0)
    if (ipv6) {
        SWAP(ipv6_src, ct_ipv6_src);
        SWAP(ipv6_dst, ct_ipv6_dst);
    } else {
        SWAP(ipv4_src, ct_ipv4_src);
        SWAP(ipv4_dst, ct_ipv4_dst);
    }
    SWAP(ip_proto, ct_ip_proto);
    SWAP(tp_src, ct_tp_src);
    SWAP(tp_dst, ct_tp_dst);
#undef SWAP
}

/* `by_connection`: see xlate_table_by_connection(). */
static struct rule *lookup(struct xlate_ctx *ctx, uint8_t table_id, uint32_t in_port, bool by_connection)
{
    const bool ipv6 = ctx->flow.pkt.eth_type == RTE_BE16(RTE_ETHER_TYPE_IPV6);
    struct conj_trail *trail = &ctx->out->trail;
    uint32_t saved = ctx->flow.in_port;
    struct xlate_visit visit;
    struct rule *rule;
    rte_be16_t tp_src, tp_dst;
    bool hidden;

    if (by_connection)
        swap_tuples(&ctx->flow.pkt, ipv6);
    tp_src = ctx->flow.pkt.tp_src;
    tp_dst = ctx->flow.pkt.tp_dst;
    hidden = hide_ports(ctx);
    ctx->flow.in_port = in_port;
    if (!ctx->any_written && !hidden && !by_connection) {
        rule = pipeline_lookup(ctx->bridge->pipeline, table_id, &ctx->flow, &ctx->out->wc, trail);
        consult_frag(ctx, &ctx->out->wc, false);
    } else {
        struct flow seen;

        memset(&seen, 0, sizeof seen);
        rule = pipeline_lookup(ctx->bridge->pipeline, table_id, &ctx->flow, &seen, trail);
        consult_frag(ctx, &seen, hidden);
        if (by_connection)
            swap_tuples(&seen.pkt, ipv6);
        xlate_consult(ctx, &seen);
    }
    ctx->flow.in_port = saved;
    ctx->flow.pkt.tp_src = tp_src;
    ctx->flow.pkt.tp_dst = tp_dst;
    if (by_connection)
        swap_tuples(&ctx->flow.pkt, ipv6);
    visit = (struct xlate_visit){.table_id = table_id,
                                 .rewritten = ctx->any_written || hidden || by_connection || ctx->elsewhere ||
                                              in_port != ctx->entry,
                                 .has_rule = rule,
                                 .priority = rule ? rule->priority : 0,
                                 .bridge = ctx->bridge_place};
    xlate_deps_add_lookup(&ctx->out->deps, visit, rule, trail);
    return rule;
}

/* A packet that no rule of the first table wanted: bridge->of10_table_miss says what OpenFlow 1.0 has it do, go to the
 * controller. From OpenFlow 1.3 on it is dropped (1.3.5, 5.4). */
static void table_miss(struct xlate_ctx *ctx)
{
    const struct bridge_port *bp;

    if (!ctx->bridge->of10_table_miss) {
        if (ctx->in->trace)
            ctx->in->trace->action(ctx->in->trace->arg, ctx->trace_depth, "drop");
        return;
    }
    bp = xlate_entry_port(ctx);
    if (bp && bp->config & PORT_CONFIG_NO_PACKET_IN) {
        xlate_note(ctx, " >> the port is configured to send no packet-ins");
        return;
    }
    if (ctx->in->trace)
        ctx->in->trace->action(ctx->in->trace->arg, ctx->trace_depth, "CONTROLLER");
    xlate_controller(ctx, 0 /* OFPR_NO_MATCH */, 0, UINT16_MAX);
}

static void run_table(struct xlate_ctx *ctx, uint8_t table_id, uint32_t in_port, bool by_connection, bool last)
{
    struct rule *old_rule = ctx->rule;
    uint64_t old_cookie = ctx->cookie;
    uint8_t old_table = ctx->table_id;
    unsigned old_depth = ctx->depth, old_trace_depth = ctx->trace_depth;
    bool first = !ctx->entered;

    if (!last)
        ctx->trace_depth++;
    if (!first && table_id <= ctx->table_id)
        ctx->depth++;
    ctx->entered = true;
    for (;;) {
        struct rule *rule;

        if (ctx->depth > XLATE_MAX_DEPTH) {
            xlate_fail(ctx, DROP_XLATE_LOOP, "over max translation depth 64");
            break;
        }
        if (++ctx->n_lookups > XLATE_MAX_RESUBMITS) {
            xlate_fail(ctx, DROP_XLATE_LOOP, "over 4096 resubmit actions");
            break;
        }
        rule = lookup(ctx, table_id, in_port, by_connection);
        if (ctx->in->trace)
            ctx->in->trace->table(ctx->in->trace->arg, ctx->trace_depth, table_id, rule, &ctx->flow);
        if (ctx->out->trail.found)
            xlate_note(ctx, " -> conj_id=%u, by clauses of priority %u", ctx->out->trail.id, ctx->out->trail.priority);
        ctx->rule = rule;
        ctx->table_id = table_id;
        ctx->cookie = rule ? rule->cookie : UINT64_MAX;
        ctx->goto_table = -1;
        if (!rule) {
            xlate_why(ctx, DROP_NO_RULE);
            if (first)
                table_miss(ctx);
            else if (ctx->in->trace)
                ctx->in->trace->action(ctx->in->trace->arg, ctx->trace_depth, "drop");
            break;
        }
        xlate_acts(ctx, &rule->acts, last);
        if (ctx->goto_table < 0 || ctx->exit || ctx->freezing)
            break;
        table_id = (uint8_t)ctx->goto_table;
        in_port = ctx->flow.in_port;
        first = by_connection = false;
    }
    ctx->goto_table = -1;
    ctx->depth = old_depth;
    ctx->trace_depth = old_trace_depth;
    ctx->table_id = old_table;
    ctx->rule = old_rule;
    ctx->cookie = old_cookie;
}

void xlate_table(struct xlate_ctx *ctx, uint8_t table_id, uint32_t in_port, bool last)
{
    run_table(ctx, table_id, in_port, false, last);
}

void xlate_table_by_connection(struct xlate_ctx *ctx, uint8_t table_id, uint32_t in_port, bool last)
{
    const rte_be16_t eth_type = ctx->flow.pkt.eth_type;

    XLATE_CONSULT(ctx, eth_type, UINT16_MAX);
    XLATE_CONSULT(ctx, ct_ip_proto, UINT8_MAX);
    if (ctx->flow.pkt.ct_ip_proto == 0 ||
        (eth_type != RTE_BE16(RTE_ETHER_TYPE_IPV4) && eth_type != RTE_BE16(RTE_ETHER_TYPE_IPV6))) {
        xlate_note(ctx, " >> resubmit(ct) with non-tracked or non-IP packet!");
        return;
    }
    run_table(ctx, table_id, in_port, true, last);
}

/* Has the packet to be dropped before any table sees it? */
static bool refused(struct xlate_ctx *ctx)
{
    const struct bridge_port *bp = xlate_entry_port(ctx);

    if (bp && bp->lport->mirrors.output) {
        xlate_note(ctx, " >> dropping packet received on port %s, which is reserved exclusively for mirroring",
                   bp->name);
        xlate_why(ctx, DROP_MIRROR_PORT);
        return true;
    }
    if (bp && bp->config & (PORT_CONFIG_DOWN | PORT_CONFIG_NO_RECV)) {
        xlate_note(ctx, " >> the port is configured to receive nothing");
        xlate_why(ctx, DROP_INPUT_REFUSED);
        return true;
    }
    if (ctx->bridge->frag_mode == BRIDGE_FRAG_DROP) {
        XLATE_CONSULT(ctx, ip_frag, IP_FRAG_ANY);
        if (ctx->flow.pkt.ip_frag & IP_FRAG_ANY) {
            xlate_note(ctx, " >> fragments are dropped");
            xlate_why(ctx, DROP_INPUT_REFUSED);
            return true;
        }
    }
    return false;
}

static void ctx_init(struct xlate_ctx *ctx, const struct xlate_in *in, struct xlate_out *out)
{
    ctx->in = in;
    ctx->out = out;
    ctx->bridge = in->bridge;
    ctx->bridge_place = xlate_deps_add_bridge(&out->deps, in->bridge);
    ctx->entry = in->flow.in_port;
    ctx->elsewhere = in->elsewhere;
    ctx->entered = false;
    ctx->all_ports_of = NULL;
    ctx->flow = in->flow;
    ctx->flow.actset_output = OFPORT_UNSET;
    ctx->flow.in_phy_port = in->flow.in_port;
    ctx->base = in->flow.pkt;
    memset(&ctx->written, 0, sizeof ctx->written);
    memset(&ctx->dirty, 0, sizeof ctx->dirty);
    memset(&ctx->committed, 0, sizeof ctx->committed);
    ctx->any_written = ctx->any_dirty = false;
    xlate_vlan_init(ctx);
    ctx->rule = NULL;
    ctx->cookie = UINT64_MAX;
    ctx->table_id = 0;
    ctx->depth = ctx->trace_depth = ctx->n_lookups = 0;
    ctx->exit = ctx->no_set = ctx->in_set = ctx->freezing = false;
    ctx->table_miss = false;
    ctx->unparsed = 0;
    ctx->freeze_bond = ctx->freeze_max_len = 0;
    ctx->in_group = ctx->hashed = ctx->freeze_entry = ctx->freeze_hash = ctx->freeze_larger = false;
    ctx->packet_out = in->acts.acts;
    ctx->n_tunnels = 0;
    /* Who sends a packet says its mark and tunnel; as the datapath gets it, it has none. */
    if (in->acts.acts || in->resume)
        ctx->written.pkt.pkt_mark = UINT32_MAX;
    if (in->acts.acts || in->resume || !xlate_from_tunnel(in))
        memset(recirc_tun(&ctx->written.pkt), 0xff, RECIRC_TUN_LEN);
    ctx->n_buckets_run = 0;
    ctx->mirrored = ctx->queue = ctx->base_queue = 0;
    ctx->untracked = ctx->ct_resumes = false;
    ctx->goto_table = -1;
    ctx->n_set = ctx->n_stack = 0;
    act_buffer_init(&ctx->frozen);
    act_buffer_init(&ctx->paused);
    ctx->keep_len = 0;
    ctx->keep_ops = 0;
}

/* A copy that nothing follows needs not be one. */
static void unwrap_last_clone(struct program_builder *b)
{
    struct program_op *last = NULL;

    for (struct program_op *op = (void *)b->ops; (uint8_t *)op < b->ops + b->len;
         op = (struct program_op *)program_op_next(op))
        last = op;
    if (!last || last->type != OP_CLONE)
        return;
    memmove(last, last->data, last->arg);
    b->len -= sizeof *last;
    b->n_ops--;
    unwrap_last_clone(b);
}

/* Ends the program behind the last operation that sends; a program that sends nowhere is a drop with a name. */
static void finish_program(struct xlate_ctx *ctx)
{
    struct xlate_out *out = ctx->out;

    if (out->program.overflow && !out->error)
        xlate_fail(ctx, DROP_XLATE_ERROR, "the action program became too long");
    if (out->error || ctx->keep_len == 0) {
        program_builder_init(&out->program);
        program_builder_add(&out->program, OP_DROP, out->drop_reason, NULL, 0);
    } else {
        out->program.len = ctx->keep_len;
        out->program.n_ops = ctx->keep_ops;
        unwrap_last_clone(&out->program);
    }
}

/* Where the protocol counts, fragments have megaflows of their own: the protocol of a later one over IPv6 is that of
 * the fragment header, and a dump says so. */
static void consult_frag_of_proto(struct xlate_out *out)
{
    if (out->wc.pkt.ip_proto)
        out->wc.pkt.ip_frag |= IP_FRAG_ANY | IP_FRAG_LATER;
}

/* A port of the spanning tree that is learning: the tables run, so that NORMAL learns, and nothing comes of it else. */
static void learn_only(struct xlate_ctx *ctx)
{
    struct program_builder *b = &ctx->out->program;
    const uint32_t len = b->len, keep_len = ctx->keep_len;
    const uint16_t n_ops = b->n_ops, keep_ops = ctx->keep_ops;
    const unsigned n_crossings = xlate_deps_point(&ctx->out->deps).n_crossings;

    xlate_table(ctx, 0, ctx->entry, true);
    /* What it would have been sent through does not count it; the rules that it hit do. */
    struct xlate_deps_point point = xlate_deps_point(&ctx->out->deps);
    point.n_crossings = n_crossings;
    xlate_deps_uncount(&ctx->out->deps, &point);
    ctx->freezing = ctx->freeze_hash = ctx->freeze_larger = ctx->ct_resumes = false;
    ctx->n_set = 0;
    ctx->keep_len = keep_len;
    ctx->keep_ops = keep_ops;
    if (b->overflow)
        return;
    b->len = len;
    b->n_ops = n_ops;
}

/* False: the spanning tree does not let the packet in. */
static bool passes_tree(struct xlate_ctx *ctx)
{
    const struct bridge_port *bp = xlate_entry_port(ctx);

    if (!bp || bridge_port_forwards(bp))
        return true;
    xlate_note(ctx, " >> the spanning tree does not let packets in by %s", bp->name);
    xlate_why(ctx, DROP_STP_STATE);
    if (bridge_port_learns(bp))
        learn_only(ctx);
    return false;
}

void xlate_bridge(struct xlate_ctx *ctx)
{
    if (xlate_protocol(ctx)) {
        xlate_mirror_received(ctx);
        return;
    }
    if (!passes_tree(ctx))
        return;
    if (!refused(ctx)) {
        xlate_mirror_received(ctx);
        xlate_table(ctx, 0, ctx->entry, true);
    }
    if (!ctx->freezing)
        xlate_action_set(ctx);
}

/* A packet that somebody sends as if it had come in by a port. */
static void run_packet_out(struct xlate_ctx *ctx)
{
    const struct bridge_port *bp = xlate_has_mirrors(ctx) ? xlate_entry_port(ctx) : NULL;

    if (bp && bp->lport->mirrors.output) {
        xlate_why(ctx, DROP_MIRROR_PORT);
        return;
    }
    if (bp)
        xlate_mirror_received(ctx);
    xlate_acts(ctx, &ctx->in->acts, true);
}

static void out_start(struct xlate_out *out)
{
    memset(&out->wc, 0, sizeof out->wc);
    out->wc.pkt.in_port = UINT32_MAX;
    out->wc.pkt.recirc_id = UINT32_MAX;
    program_builder_init(&out->program);
    xlate_deps_reset(&out->deps);
    out->drop_reason = DROP_POLICY;
    out->error = false;
    out->waits_for = 0;
}

void xlate_no_bridge(struct xlate_out *out)
{
    out_start(out);
    out->drop_reason = DROP_BRIDGE_UNKNOWN;
    program_builder_add(&out->program, OP_DROP, DROP_BRIDGE_UNKNOWN, NULL, 0);
    xlate_deps_add(&out->deps, &(struct xlate_dep){.kind = XLATE_DEP_NO_BRIDGE});
}

void xlate(const struct xlate_in *in, struct xlate_out *out)
{
    struct xlate_ctx ctx;

    out_start(out);
    ctx_init(&ctx, in, out);

    if (!in->acts.acts && !in->resume && in->flow.pkt.recirc_id == 0) {
        if (xlate_from_tunnel(in)) {
            xlate_deps_add_crossing(&out->deps, ctx.bridge_place, XLATE_CROSSED_RX, ctx.entry);
            xlate_tunnel_entered(&ctx);
        }
        xlate_bridge(&ctx);
    } else {
        if (in->acts.acts)
            run_packet_out(&ctx);
        else if (in->resume || in->elsewhere || !refused(&ctx))
            xlate_thaw(&ctx);
        if (!ctx.freezing)
            xlate_action_set(&ctx);
    }
    if (ctx.freezing && !out->error)
        xlate_freeze_finish(&ctx);
    finish_program(&ctx);
    consult_frag_of_proto(out);
    if (!xlate_from_tunnel(in))
        memset(recirc_tun(&out->wc.pkt), 0, RECIRC_TUN_LEN);
    act_buffer_free(&ctx.frozen);
    act_buffer_free(&ctx.paused);
    out->final = ctx.flow;
}
