/* Packets that controllers send: OFPT_PACKET_OUT, through actions of their own; NXT_RESUME, on the way they were on. */
#include <string.h>

#include "pmd/base/clock.h"
#include "src/tunnel/next_hop.h"
#include "src/upcall/flows_impl.h"
#include "src/xlate/punt.h"
#include "src/xlate/recirc.h"

/* One of `acts` and `left`. False: the packet is too short for a key. */
static bool translate_one(struct flows *flows, struct bridge *bridge, struct rte_mbuf *packet,
                          const struct flow *around, const struct act_list *acts, const struct recirc *left,
                          bool side_effects, uint32_t *in_port)
{
    const struct bridge_port *bp = bridge_port_by_ofport(bridge, around->in_port);
    struct xlate_in *in = &flows->in;
    unsigned n;

    *in_port = bp && bp->port ? bp->port->index : 0;
    n = flow_key_parse(packet, *in_port, &in->flow.pkt);
    if (n == 0)
        return false;
    memset((uint8_t *)&in->flow + n * FLOW_KEY_LINE, 0, sizeof in->flow - n * FLOW_KEY_LINE);
    flow_mask_or(&in->flow, around);
    in->bridge = bridge;
    in->elsewhere = false;
    in->side_effects = side_effects;
    in->acts = acts ? *acts : (struct act_list){0};
    in->resume = left;
    xlate(in, &flows->out);
    in->resume = NULL;
    return true;
}

bool packet_out_translate(struct flows *flows, struct bridge *bridge, struct rte_mbuf *packet,
                          const struct flow *around, const struct act_list *acts, bool side_effects, uint32_t *in_port)
{
    static const struct act nothing;

    /* A list that is empty drops; without a pointer it would mean the tables. */
    const struct act_list list = {.acts = acts->acts ? acts->acts : &nothing, .len = acts->len};

    return translate_one(flows, bridge, packet, around, &list, NULL, side_effects, in_port);
}

struct program *packet_out_program(struct flows *flows, struct rte_mbuf *packet)
{
    struct program *program;

    deps_credit(&flows->out.deps, 1, rte_pktmbuf_pkt_len(packet), clock_now_ms());
    program = program_intern(flows->programs, &flows->out.program);
    if (program)
        return program;
    datapath_count_drop(flows->dp, DROP_XLATE_ERROR, 1);
    rte_pktmbuf_free(packet);
    return NULL;
}

/* Does with the packet what was translated. */
static void send_packet(struct flows *flows, struct rte_mbuf *packet, uint32_t in_port)
{
    struct program *program = packet_out_program(flows, packet);

    if (!program)
        return;
    datapath_inject(flows->dp, packet, in_port, program);
    tickets_note_change(flows); /* a barrier behind it waits until it is sent */
    program_put(flows, program);
}

static void drop_runt(struct flows *flows, struct rte_mbuf *packet)
{
    datapath_count_drop(flows->dp, DROP_RX_RUNT, 1);
    rte_pktmbuf_free(packet);
}

void flows_packet_out(struct flows *flows, struct bridge *bridge, struct rte_mbuf *packet, const struct flow *around,
                      const struct act_list *acts)
{
    uint32_t index;

    flows->stats.packet_outs++;
    if (packet_out_translate(flows, bridge, packet, around, acts, true, &index))
        send_packet(flows, packet, index);
    else
        drop_runt(flows, packet);
}

void flows_resume(struct flows *flows, struct bridge *bridge, struct rte_mbuf *packet, const struct flow *around,
                  const struct recirc *left)
{
    uint32_t index;

    flows->stats.packet_outs++;
    if (translate_one(flows, bridge, packet, around, NULL, left, true, &index))
        send_packet(flows, packet, index);
    else
        drop_runt(flows, packet);
}

/* --- packets of the switch's own, and of tunnels ------------------------- */

void packet_receive(struct flows *flows, const struct bridge_port *bp, struct rte_mbuf *packet, struct flow *around)
{
    struct act_output *output;
    struct act_buffer acts;
    struct act_list list;
    uint32_t index;

    around->in_port = bp->ofport;
    act_buffer_init(&acts);
    output = act_buffer_add_type(&acts, ACT_OUTPUT);
    output->port = OFPORT_TABLE;
    list = act_buffer_list(&acts);
    if (packet_out_translate(flows, bp->bridge, packet, around, &list, true, &index))
        send_packet(flows, packet, index);
    else
        drop_runt(flows, packet);
    act_buffer_free(&acts);
}

void flows_receive(struct flows *flows, const struct bridge_port *bp, struct rte_mbuf *packet)
{
    struct flow around;

    memset(&around, 0, sizeof around);
    packet_receive(flows, bp, packet, &around);
}

static void drop(struct flows *flows, struct rte_mbuf *packet, enum drop_reason reason)
{
    datapath_count_drop(flows->dp, reason, 1);
    rte_pktmbuf_free(packet);
}

void flows_go_on(struct flows *flows, struct rte_mbuf *packet)
{
    const struct punt *punt = punt_get(packet_meta(packet)->punt_id);
    const struct recirc *left = punt ? recirc_get(punt->recirc_id) : NULL;
    struct flow around = {.in_port = OFPORT_ANY};
    uint32_t index;

    if (!left) {
        drop(flows, packet, DROP_BRIDGE_UNKNOWN);
        return;
    }
    around.pkt.pkt_mark = punt->pkt_mark;
    punt_tunnel(punt, packet, &around.pkt);
    if (!translate_one(flows, punt->bridge, packet, &around, NULL, left, true, &index))
        drop_runt(flows, packet);
    else if (flows->out.waits_for == 0)
        send_packet(flows, packet, index);
    else if (!next_hop_wait(flows->in.hops, flows->out.waits_for, packet))
        drop(flows, packet, DROP_TUNNEL_WAIT_FULL);
}
