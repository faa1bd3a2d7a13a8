/* NXT_RESUME: a controller gives back a packet that waited for it, with what it changed. */
#include <rte_ether.h>
#include <string.h>

#include "src/openflow/codec/continuation.h"
#include "src/openflow/requests/handler.h"
#include "src/openflow/server/server_impl.h"

/* Takes the metadata of the packet from `fields`, which may hold more. */
static void take_surroundings(const struct flow *fields, struct flow *around, struct recirc_state *state)
{
    memset(around, 0, sizeof *around);
    around->in_port = state->in_port = fields->in_port;
    around->metadata = state->metadata = fields->metadata;
    memcpy(around->reg, fields->reg, sizeof around->reg);
    memcpy(state->reg, fields->reg, sizeof state->reg);
    around->pkt.pkt_mark = fields->pkt.pkt_mark;
    memcpy(&around->pkt.tun_id, &fields->pkt.tun_id, RECIRC_TUN_LEN);
    around->pkt.ct_state = fields->pkt.ct_state;
    around->pkt.ct_zone = fields->pkt.ct_zone;
    around->pkt.ct_mark = fields->pkt.ct_mark;
    memcpy(around->pkt.ct_label, fields->pkt.ct_label, sizeof around->pkt.ct_label);
    around->pkt.ct_ip_proto = fields->pkt.ct_ip_proto;
    around->pkt.ct_tp_src = fields->pkt.ct_tp_src;
    around->pkt.ct_tp_dst = fields->pkt.ct_tp_dst;
    if (fields->pkt.eth_type == RTE_BE16(RTE_ETHER_TYPE_IPV6)) {
        memcpy(around->pkt.ct_ipv6_src, fields->pkt.ct_ipv6_src, sizeof around->pkt.ct_ipv6_src);
        memcpy(around->pkt.ct_ipv6_dst, fields->pkt.ct_ipv6_dst, sizeof around->pkt.ct_ipv6_dst);
    } else {
        around->pkt.ct_ipv4_src = fields->pkt.ct_ipv4_src;
        around->pkt.ct_ipv4_dst = fields->pkt.ct_ipv4_dst;
    }
    memcpy(state->tun, &fields->pkt.tun_id, sizeof state->tun);
    memset(state->tun_set, 0xff, sizeof state->tun_set);
}

static int check(const struct of_packet_in *pin)
{
    if (pin->buffer_id != OF_NO_BUFFER)
        return OFPERR_BRC_BUFFER_UNKNOWN;
    /* A part of a packet is none to go on with. */
    if (pin->data_len < RTE_ETHER_HDR_LEN || pin->total_len != pin->data_len)
        return OFPERR_BRC_BAD_PACKET;
    return pin->continuation.data ? 0 : OFPERR_NXR_STALE;
}

static void resume(struct of_server *server, const struct of_packet_in *pin, struct of_continuation *continuation)
{
    struct rte_mbuf *packet = of_make_packet(server, pin->data, pin->data_len);
    struct bridge *bridge = server->bridge;
    struct recirc left;
    struct flow around;

    if (!packet) {
        datapath_count_drop(bridge->dp, DROP_NO_MBUF, 1);
        return;
    }
    take_surroundings(&pin->fields.value, &around, &continuation->state);
    continuation->state.bridge = bridge;
    left = of_continuation_left(continuation);
    flows_resume(server->flows, bridge, packet, &around, &left);
}

int of_handle_resume(struct of_connection *conn, const struct of_msg *msg)
{
    const struct of_packet_in *pin = &msg->packet_in;
    struct of_continuation continuation;
    int error = check(pin);

    if (!error)
        error = of_continuation_decode(&pin->continuation, conn->version, &continuation);
    if (error)
        return error;
    if (memcmp(continuation.id, conn->server->continuation_id, sizeof continuation.id))
        error = OFPERR_NXR_STALE;
    else
        resume(conn->server, pin, &continuation);
    of_continuation_free(&continuation);
    return error;
}
