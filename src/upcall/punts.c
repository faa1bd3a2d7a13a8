/* Punts: packets that a program sent to the control thread, one handler for each kind (src/xlate/punt.h). Packets of
 * protocols that the switch speaks itself, both ways. */
#include <string.h>

#include "src/tunnel/neighbour.h"
#include "pmd/base/clock.h"
#include "src/tunnel/too_big.h"
#include "src/upcall/flows_impl.h"
#include "src/xlate/punt.h"
#include "src/xlate/recirc.h"

#define PROTOCOL_BURST 32

static void drop(struct flows *flows, struct rte_mbuf *packet, enum drop_reason reason)
{
    datapath_count_drop(flows->dp, reason, 1);
    rte_pktmbuf_free(packet);
}

/* --- kinds --------------------------------------------------------------- */

/* A connection's addresses are those of its packets' family. */
static void tell_connection(const struct rte_mbuf *packet, const struct packet_meta *meta, struct flow_key *key)
{
    struct flow_key parsed;

    if (flow_key_parse(packet, meta->md.in_port, &parsed) > 0)
        key->eth_type = parsed.eth_type;
    ct_meta_to_key(&meta->ct, key);
}

void punt_tunnel(const struct punt *punt, struct rte_mbuf *packet, struct flow_key *key)
{
    const struct packet_meta *meta = packet_meta(packet);

    memcpy(recirc_tun(key), &meta->tun, meta->md.tun_lines * FLOW_KEY_LINE);
    recirc_tun_apply(key, punt->tun, punt->tun_set);
}

static void to_controller(struct flows *flows, struct rte_mbuf *packet, const struct punt *punt)
{
    const struct packet_meta *meta = packet_meta(packet);
    const struct recirc *left = punt->recirc_id ? recirc_get(punt->recirc_id) : NULL;
    struct packet_in packet_in;

    if (!flows->packet_in || (punt->recirc_id && !left)) {
        rte_pktmbuf_free(packet);
        return;
    }
    memset(&packet_in, 0, sizeof packet_in);
    packet_in.bridge = punt->bridge;
    packet_in.packet = packet;
    packet_in.flow.pkt.in_port = meta->md.in_port;
    packet_in.flow.in_port = punt->in_port;
    packet_in.flow.metadata = punt->metadata;
    memcpy(packet_in.flow.reg, punt->reg, sizeof packet_in.flow.reg);
    packet_in.flow.pkt.pkt_mark = punt->pkt_mark;
    punt_tunnel(punt, packet, &packet_in.flow.pkt);
    if (meta->md.ct_state != 0)
        tell_connection(packet, meta, &packet_in.flow.pkt);
    packet_in.left = left;
    packet_in.table_id = punt->table_id;
    packet_in.reason = punt->reason;
    packet_in.max_len = punt->max_len;
    packet_in.controller_id = punt->controller_id;
    packet_in.full_len = meta->full_len ? meta->full_len : (uint16_t)rte_pktmbuf_pkt_len(packet);
    packet_in.cookie = punt->cookie;
    packet_in.userdata = punt->userdata;
    packet_in.userdata_len = punt->userdata_len;
    flows->stats.packet_ins++;
    flows->packet_in(flows->packet_in_arg, &packet_in);
}

/* The session may have ended since the packet was on its way. */
static void to_protocol(struct flows *flows, struct rte_mbuf *packet, const struct punt *punt)
{
    const struct bridge_port *bp = bridge_port_by_ofport(punt->bridge, punt->in_port);
    struct port_claim *claim = bp ? port_claim_find(bp, punt->protocol) : NULL;

    if (claim && claim->protocol->receive(claim, packet))
        rte_pktmbuf_free(packet);
    else
        drop(flows, packet, DROP_PROTOCOL_FAULTY);
}

/* A copy: the packet itself went to the port of the host's. */
static void to_neighbours(struct flows *flows, struct rte_mbuf *packet, const struct punt *punt)
{
    if (flows->neighbours)
        neighbours_snoop(flows->neighbours, punt->bridge, packet);
    rte_pktmbuf_free(packet);
}

/* So many messages in so many milliseconds, of all tunnels together (RFC 4443, 2.4 (f)). */
#define TOLD_MOST 100
#define TOLD_MS 100

static bool may_tell(struct flows *flows)
{
    const uint64_t now = clock_now_ms();

    if (now - flows->told_ms >= TOLD_MS) {
        flows->told_ms = now;
        flows->told_left = TOLD_MOST;
    }
    if (flows->told_left == 0)
        return false;
    flows->told_left--;
    return true;
}

/* The packet is lost either way. */
static void too_big(struct flows *flows, struct rte_mbuf *packet, const struct punt *punt)
{
    const struct bridge_port *bp = bridge_port_by_ofport(punt->bridge, punt->in_port);
    struct flow around;

    datapath_count_drop(flows->dp, DROP_TUNNEL_MTU, 1);
    if (!bp || !may_tell(flows) || !too_big_answer(packet, punt->max_len, punt->table_id)) {
        rte_pktmbuf_free(packet);
        return;
    }
    memset(&around, 0, sizeof around);
    recirc_tun_apply(&around.pkt, punt->tun, punt->tun_set);
    packet_receive(flows, bp, packet, &around);
}

static void to_next_hop(struct flows *flows, struct rte_mbuf *packet, const struct punt *punt)
{
    flows_go_on(flows, packet);
}

void punt_handle(struct flows *flows, struct rte_mbuf *packet)
{
    static void (*const handlers[PUNT_N_KINDS])(struct flows *, struct rte_mbuf *, const struct punt *) = {
        [PUNT_TO_CONTROLLER] = to_controller, [PUNT_TO_PROTOCOL] = to_protocol, [PUNT_TO_NEIGHBOURS] = to_neighbours,
        [PUNT_TO_NEXT_HOP] = to_next_hop,     [PUNT_TOO_BIG] = too_big,
    };
    const struct punt *punt = punt_get(packet_meta(packet)->punt_id);

    flows->stats.punts++;
    if (punt)
        handlers[punt->kind](flows, packet, punt);
    else
        rte_pktmbuf_free(packet);
}

/* --- protocols ----------------------------------------------------------- */

unsigned flows_run_protocols(struct flows *flows, unsigned budget)
{
    struct rte_mbuf *packets[PROTOCOL_BURST];
    unsigned done = 0, n;

    while (done < budget && (n = datapath_protocol_dequeue(flows->dp, packets, PROTOCOL_BURST)) > 0) {
        for (unsigned i = 0; i < n; i++)
            punt_handle(flows, packets[i]);
        done += n;
    }
    return done;
}

static void inject(struct flows *flows, struct rte_mbuf *packet)
{
    struct program *program = packet_out_program(flows, packet);

    if (!program)
        return;
    datapath_inject_protocol(flows->dp, packet, program);
    program_put(flows, program);
}

void flows_send(struct flows *flows, const struct bridge_port *bp, struct rte_mbuf *packet)
{
    static const struct flow nowhere = {.in_port = OFPORT_ANY};
    struct act_output *output;
    struct act_buffer acts;
    struct act_list list;
    uint32_t in_port;

    act_buffer_init(&acts);
    output = act_buffer_add_type(&acts, ACT_OUTPUT);
    output->port = bp->ofport;
    list = act_buffer_list(&acts);
    flows->stats.protocol_sent++;
    if (packet_out_translate(flows, bp->bridge, packet, &nowhere, &list, true, &in_port))
        inject(flows, packet);
    else
        drop(flows, packet, DROP_RX_RUNT);
    act_buffer_free(&acts);
}
