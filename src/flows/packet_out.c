/* OFPT_PACKET_OUT: packets that controllers send through actions of their own. */
#include <string.h>

#include "src/flows/flows_internal.h"

bool packet_out_translate(struct flows *flows, struct bridge *bridge, struct rte_mbuf *packet,
                          const struct flow *around, const struct act_list *acts, bool side_effects, uint32_t *in_port)
{
    static const struct act nothing;
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
    in->side_effects = side_effects;
    in->acts = *acts;
    /* A list that is empty drops; without a pointer it would mean the tables. */
    if (!in->acts.acts)
        in->acts.acts = &nothing;
    xlate(in, &flows->out);
    return true;
}

void flows_packet_out(struct flows *flows, struct bridge *bridge, struct rte_mbuf *packet, const struct flow *around,
                      const struct act_list *acts)
{
    struct program *program;
    uint32_t index;

    flows->stats.packet_outs++;
    if (!packet_out_translate(flows, bridge, packet, around, acts, true, &index)) {
        datapath_count_drop(flows->dp, DROP_RX_RUNT, 1);
        rte_pktmbuf_free(packet);
        return;
    }
    deps_credit(bridge, &flows->out.deps, 1, rte_pktmbuf_pkt_len(packet), datapath_now_ms());
    program = program_intern(flows->programs, &flows->out.program);
    if (!program) {
        datapath_count_drop(flows->dp, DROP_XLATE_ERROR, 1);
        rte_pktmbuf_free(packet);
        return;
    }
    datapath_inject(flows->dp, packet, index, program);
    program_put(flows, program);
}
