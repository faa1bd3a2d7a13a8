/* OFPT_PACKET_OUT: checks the actions against the packet, makes an mbuf of it, and has its actions run. Control
 * thread. */
#include <rte_ether.h>
#include <rte_mbuf.h>
#include <string.h>

#include "src/actions/act_check.h"
#include "src/openflow/requests/handler.h"
#include "src/openflow/server/server_impl.h"
#include "src/tables/rule_use.h"

/* Do the actions fit the packet? */
static int check_acts(const struct of_packet_out *out)
{
    const struct rte_mbuf packet = {.buf_addr = (void *)(uintptr_t)out->data,
                                    .data_len = (uint16_t)out->data_len,
                                    .pkt_len = (uint32_t)out->data_len,
                                    .nb_segs = 1};
    struct match match;

    match.value = out->flow;
    memset(&match.mask, 0xff, sizeof match.mask);
    flow_key_parse(&packet, 0, &match.value.pkt);
    return act_list_check(&out->acts, &match, TABLE_ALL);
}

int of_check_packet_out(const struct of_connection *conn, const struct of_packet_out *out)
{
    if (out->buffer_id != OF_NO_BUFFER)
        return OFPERR_BRC_BUFFER_UNKNOWN;
    if (out->data_len < RTE_ETHER_HDR_LEN || out->data_len > UINT16_MAX)
        return OFPERR_BRC_BAD_PACKET;
    int error = check_acts(out);
    return error ? error : rule_uses_check(conn->server->bridge->pipeline, &out->acts);
}

struct rte_mbuf *of_make_packet(struct of_server *server, const uint8_t *data, size_t len)
{
    struct rte_mbuf *first = NULL, *last = NULL;

    while (len) {
        struct rte_mbuf *m = server->pool ? rte_pktmbuf_alloc(server->pool) : NULL;
        if (!m) {
            rte_pktmbuf_free(first);
            return NULL;
        }
        uint16_t n = RTE_MIN(len, (size_t)rte_pktmbuf_tailroom(m));
        m->data_len = n;
        memcpy(rte_pktmbuf_mtod(m, void *), data, n);
        if (first) {
            last->next = m;
            first->nb_segs++;
        } else {
            first = m;
        }
        last = m;
        first->pkt_len += n;
        data += n;
        len -= n;
    }
    return first;
}

int of_handle_packet_out(struct of_connection *conn, const struct of_msg *msg)
{
    const struct of_packet_out *out = &msg->packet_out;
    struct bridge *bridge = conn->server->bridge;
    int error = of_check_packet_out(conn, out);

    if (error)
        return error;
    struct rte_mbuf *packet = of_make_packet(conn->server, out->data, out->data_len);
    if (packet)
        flows_packet_out(conn->server->flows, bridge, packet, &out->flow, &out->acts);
    else
        datapath_count_drop(bridge->dp, DROP_NO_MBUF, 1);
    return 0;
}
