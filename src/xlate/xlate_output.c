/* Translation: sending packets to ports and to the controller. */
#include <string.h>

#include "src/tables/meter.h"
#include "src/tunnel/tunnel_port.h"
#include "src/xlate/act_xlate_impl.h"
#include "src/xlate/punt.h"

static bool is_open(const struct bridge_port *bp)
{
    return (bp->port || bridge_port_is_virtual(bp)) && !(bp->config & (PORT_CONFIG_DOWN | PORT_CONFIG_NO_FWD));
}

bool xlate_port_sends(const struct bridge_port *bp)
{
    return is_open(bp) && bridge_port_forwards(bp);
}

/* The spanning tree's own packets pass where others do not. */
static bool is_blocked(struct xlate_ctx *ctx, const struct bridge_port *bp)
{
    static const struct rte_ether_addr bridges = {{0x01, 0x80, 0xc2, 0x00, 0x00, 0x00}};

    if (bridge_port_forwards(bp))
        return false;
    xlate_consult_bytes(ctx, offsetof(struct flow_key, eth_dst), RTE_ETHER_ADDR_LEN);
    return !rte_is_same_ether_addr(&ctx->flow.pkt.eth_dst, &bridges);
}

static void output_device(struct xlate_ctx *ctx, const struct bridge_port *bp, uint32_t max_len)
{
    if (xlate_tunnel_ends(ctx, bp))
        return;
    xlate_tell_neighbours(ctx, bp);
    if (max_len) {
        xlate_commit(ctx);
        program_builder_add(&ctx->out->program, OP_TRUNCATE, max_len, NULL, 0);
    }
    xlate_emit(ctx, OP_OUTPUT, bp->port->index);
}

/* As in OVS, there is no way to send a part of a packet through a patch port. */
static void output_patch(struct xlate_ctx *ctx, const struct bridge_port *bp, uint32_t max_len)
{
    if (max_len)
        xlate_note(ctx, " >> %s is a patch port: the packet is not cut short", bp->name);
    xlate_patch(ctx, bp);
}

void xlate_output_port(struct xlate_ctx *ctx, const struct bridge_port *bp, uint32_t max_len)
{
    static void (*const output[BRIDGE_PORT_N_KINDS])(struct xlate_ctx *, const struct bridge_port *, uint32_t) = {
        [BRIDGE_PORT_DEVICE] = output_device,
        [BRIDGE_PORT_INTERNAL] = output_device,
        [BRIDGE_PORT_PATCH] = output_patch,
        [BRIDGE_PORT_TUNNEL] = xlate_tunnel,
    };
    uint32_t dscp;
    bool marked;

    xlate_dep(ctx, XLATE_DEP_PORT, bp->ofport);
    if (is_blocked(ctx, bp)) {
        xlate_note(ctx, " >> the spanning tree blocks %s: skipping output", bp->name);
        xlate_why(ctx, DROP_STP_STATE);
        return;
    }
    if (!is_open(bp)) {
        xlate_note(ctx, " >> %s does not take packets", bp->name);
        xlate_why(ctx, DROP_OUTPUT_DOWN);
        return;
    }
    marked = xlate_queue_mark(ctx, bp, &dscp);
    output[bp->kind](ctx, bp, max_len);
    xlate_mirror_sent(ctx, bp);
    if (marked)
        xlate_queue_unmark(ctx, dscp);
}

/* OFPP_ALL and OFPP_FLOOD: every port but the one it came in on, and those that are for mirrors. */
static void output_many(struct xlate_ctx *ctx, uint32_t unwanted_config)
{
    const struct bridge_port *bp;

    xlate_dep(ctx, XLATE_DEP_PORTS, 0);
    TAILQ_FOREACH (bp, &ctx->bridge->ports, node) {
        if (ctx->out->error)
            return;
        if (bp->ofport != ctx->flow.in_port && !(bp->config & unwanted_config) && xlate_port_sends(bp) &&
            !bp->lport->mirrors.output)
            xlate_output_port(ctx, bp, 0);
    }
    xlate_why(ctx, DROP_FLOOD_NOWHERE);
}

static void output_one(struct xlate_ctx *ctx, uint32_t ofport)
{
    const struct bridge_port *bp = bridge_port_by_ofport(ctx->bridge, ofport);

    if (bp) {
        xlate_output_port(ctx, bp, 0);
    } else {
        xlate_dep(ctx, XLATE_DEP_PORT, ofport);
        xlate_note(ctx, " >> Nonexistent output port");
        xlate_why(ctx, DROP_OUTPUT_UNKNOWN);
    }
}

/* The table-miss flow entry (OpenFlow 1.3.5, 5.4): matches everything at priority 0. */
static bool is_table_miss(const struct rule *rule)
{
    static const struct flow none;
    struct match match;

    if (!rule || rule->priority != 0)
        return false;
    rule_match(rule, &match);
    return memcmp(&match.mask, &none, sizeof none) == 0;
}

/* Through the action's meter, or the one for all that goes to controllers (OpenFlow 1.3.5, 7.3.4.5: OFPM_CONTROLLER),
 * if there is one. */
static void send_punt(struct xlate_ctx *ctx, uint32_t id, uint32_t meter_id)
{
    const struct meter_table *meters = pipeline_meters(ctx->bridge->pipeline);
    const struct meter_entry *meter =
        meters ? meter_table_find(meters, meter_id ? meter_id : OFMETER_CONTROLLER) : NULL;
    struct xlate_clone clone;

    if (!meter) {
        xlate_emit(ctx, OP_PUNT, id);
        return;
    }
    xlate_clone_begin(ctx, &clone);
    xlate_emit(ctx, OP_METER, meter->index);
    xlate_emit(ctx, OP_PUNT, id);
    xlate_clone_end(ctx, &clone);
}

void xlate_controller(struct xlate_ctx *ctx, uint8_t reason, uint16_t controller_id, uint16_t max_len)
{
    const struct act_controller act = {.reason = reason, .controller_id = controller_id, .max_len = max_len};

    xlate_controller_action(ctx, &act);
}

void xlate_controller_action(struct xlate_ctx *ctx, const struct act_controller *act)
{
    xlate_punt(ctx, act, ctx->cookie, ctx->table_id, 0);
}

void xlate_punt(struct xlate_ctx *ctx, const struct act_controller *act, uint64_t cookie, uint8_t table_id,
                uint32_t recirc_id)
{
    struct punt punt;
    uint32_t id;

    xlate_ct_settle(ctx);
    memset(&punt, 0, sizeof punt);
    punt.bridge = ctx->bridge;
    punt.cookie = cookie;
    punt.in_port = ctx->flow.in_port;
    punt.max_len = act->max_len;
    punt.controller_id = act->controller_id;
    punt.table_id = table_id;
    punt.reason = act->reason;
    punt.userdata_len = act->userdata_len;
    punt.metadata = ctx->flow.metadata;
    memcpy(punt.reg, ctx->flow.reg, sizeof punt.reg);
    punt.pkt_mark = xlate_pkt_mark(ctx);
    xlate_save_tunnel(ctx, punt.tun, punt.tun_set);
    punt.recirc_id = recirc_id;
    id = punt_intern(&punt, act->userdata);
    if (id == UINT32_MAX) {
        xlate_note(ctx, " >> too many different packet-ins are in use, not sent");
        return;
    }
    send_punt(ctx, id, act->meter_id);
}

bool xlate_in_table_miss(const struct xlate_ctx *ctx)
{
    return !ctx->in_set && !ctx->in_group && (ctx->rule ? is_table_miss(ctx->rule) : ctx->table_miss);
}

/* As OpenFlow 1.4.1, 7.4.1 tells them apart; earlier versions are told of an action. */
static uint8_t reason_of_output(const struct xlate_ctx *ctx)
{
    if (ctx->in_group)
        return 4; /* OFPR_GROUP */
    if (ctx->in_set)
        return 3; /* OFPR_ACTION_SET */
    return ctx->rule || !ctx->packet_out ? 1 /* OFPR_ACTION */ : 5 /* OFPR_PACKET_OUT */;
}

static void output_controller(struct xlate_ctx *ctx, uint16_t max_len)
{
    bool miss = xlate_in_table_miss(ctx);

    if (miss) {
        const struct bridge_port *bp = xlate_entry_port(ctx);

        if (bp && bp->config & PORT_CONFIG_NO_PACKET_IN) {
            xlate_note(ctx, " >> the port is configured to send no packet-ins");
            return;
        }
    }
    xlate_controller(ctx, miss ? PUNT_MISS_RULE : reason_of_output(ctx), 0, max_len);
}

void xlate_output(struct xlate_ctx *ctx, uint32_t ofport, uint16_t max_len, bool last)
{
    switch (ofport) {
    case OFPORT_IN_PORT:
        output_one(ctx, ctx->flow.in_port);
        break;
    case OFPORT_TABLE:
        /* Only in a packet-out (OpenFlow 1.3.5, 4.5). */
        if (ctx->packet_out && !ctx->rule)
            xlate_table(ctx, 0, ctx->flow.in_port, last);
        break;
    case OFPORT_NORMAL:
        xlate_normal(ctx);
        break;
    case OFPORT_FLOOD:
        output_many(ctx, PORT_CONFIG_NO_FLOOD);
        break;
    case OFPORT_ALL:
        output_many(ctx, 0);
        break;
    case OFPORT_CONTROLLER:
        output_controller(ctx, max_len);
        break;
    case OFPORT_NONE:
    case OFPORT_ANY:
    case OFPORT_UNSET:
        break;
    default:
        if (ofport == ctx->flow.in_port) {
            xlate_note(ctx, " >> skipping output to input port");
            xlate_why(ctx, DROP_OUTPUT_INPUT);
        } else {
            output_one(ctx, ofport);
        }
        break;
    }
}

/* --- actions ------------------------------------------------------------- */

static void output(struct xlate_ctx *ctx, const struct act *act, bool last)
{
    const struct act_output *a = (const struct act_output *)act;

    xlate_output(ctx, a->port, a->max_len, last);
}

/* Tables behind a patch port look at the packet, tunnels at its ECN, queues may mark it, and what goes to the host may
 * be a tunnel's. */
static bool port_looks(const struct xlate_ctx *ctx, const struct bridge_port *bp)
{
    if (bridge_port_is_virtual(bp) || port_qos_marks(bp))
        return true;
    return bp->port && bp->port->ifname[0] && ctx->in->tunnels && tunnels_n_listeners(ctx->in->tunnels) > 0;
}

static bool any_port_looks(struct xlate_ctx *ctx)
{
    const struct bridge_port *bp;

    xlate_dep(ctx, XLATE_DEP_PORTS, 0);
    TAILQ_FOREACH (bp, &ctx->bridge->ports, node) {
        if (port_looks(ctx, bp))
            return true;
    }
    return false;
}

/* TABLE looks at the packet. NORMAL looks at tags and Ethernet addresses, and, if there are bonds, at ARP. A mirror
 * looks at tags, and may send to any kind of port. */
static enum act_sees port_sees(struct xlate_ctx *ctx, uint32_t ofport)
{
    const struct bridge_port *bp;

    if (xlate_has_mirrors(ctx))
        return ACT_SEES_PACKET;
    switch (ofport) {
    case OFPORT_TABLE:
        return ACT_SEES_PACKET;
    case OFPORT_NORMAL:
        return any_port_looks(ctx) || bridge_last_bond(ctx->bridge) ? ACT_SEES_PACKET : ACT_SEES_HEADERS;
    case OFPORT_ALL:
    case OFPORT_FLOOD:
        return any_port_looks(ctx) ? ACT_SEES_PACKET : ACT_SEES_NOTHING;
    case OFPORT_IN_PORT:
        ofport = ctx->flow.in_port;
        break;
    }
    xlate_dep(ctx, XLATE_DEP_PORT, ofport);
    bp = bridge_port_by_ofport(ctx->bridge, ofport);
    return bp && port_looks(ctx, bp) ? ACT_SEES_PACKET : ACT_SEES_NOTHING;
}

static enum act_sees output_sees(struct xlate_ctx *ctx, const struct act *act)
{
    return port_sees(ctx, ((const struct act_output *)act)->port);
}

const struct act_xlate act_xlate_output = {.run = output, .sees_of = output_sees};

static void output_reg(struct xlate_ctx *ctx, const struct act *act, bool last)
{
    const struct act_output_reg *a = (const struct act_output_reg *)act;

    xlate_output(ctx, ofport_of_value(xlate_read(ctx, &a->src)), a->max_len, last);
}

/* The field may say NORMAL. */
const struct act_xlate act_xlate_output_reg = {.run = output_reg};

static void output_trunc(struct xlate_ctx *ctx, const struct act *header, bool last)
{
    const struct act_output_trunc *act = (const struct act_output_trunc *)header;
    uint32_t ofport = act->port == OFPORT_IN_PORT ? ctx->flow.in_port : act->port;
    const struct bridge_port *bp = bridge_port_by_ofport(ctx->bridge, ofport);

    if (act->port == ctx->flow.in_port || !bp) {
        /* As any output that does not happen. */
        xlate_output(ctx, act->port, 0, false);
        return;
    }
    xlate_output_port(ctx, bp, act->max_len);
}

static enum act_sees output_trunc_sees(struct xlate_ctx *ctx, const struct act *act)
{
    enum act_sees sees = port_sees(ctx, ((const struct act_output_trunc *)act)->port);

    return sees < ACT_SEES_ETHERNET ? sees : ACT_SEES_ETHERNET;
}

const struct act_xlate act_xlate_output_trunc = {.run = output_trunc, .sees_of = output_trunc_sees};

static void enqueue(struct xlate_ctx *ctx, const struct act *act, bool last)
{
    const struct act_enqueue *a = (const struct act_enqueue *)act;
    const uint32_t before = ctx->queue;

    ctx->queue = a->queue;
    xlate_output(ctx, a->port, 0, last);
    ctx->queue = before;
}

static enum act_sees enqueue_sees(struct xlate_ctx *ctx, const struct act *act)
{
    return port_sees(ctx, ((const struct act_enqueue *)act)->port);
}

const struct act_xlate act_xlate_enqueue = {.run = enqueue, .sees_of = enqueue_sees};

static void controller(struct xlate_ctx *ctx, const struct act *act, bool last)
{
    const struct act_controller *a = (const struct act_controller *)act;

    if (a->pause)
        xlate_freeze_pause(ctx, a);
    else
        xlate_controller_action(ctx, a);
}

const struct act_xlate act_xlate_controller = {.run = controller, .sees = ACT_SEES_NOTHING};
