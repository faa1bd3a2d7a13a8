#include "src/openflow/requests/bundle_packets.h"

#include <stdlib.h>

#include "pmd/base/memory.h"
#include "src/openflow/requests/handler.h"
#include "src/openflow/server/server_impl.h"

void of_bundle_packets_free(struct of_bundle_packets *packets, struct of_server *server)
{
    for (size_t i = packets->n_sent; i < packets->n; i++)
        flows_held_free(server->flows, packets->packets[i].held);
    free(packets->packets);
    *packets = (struct of_bundle_packets){0};
}

void of_bundle_packets_add(struct of_bundle_packets *packets, struct of_server *server, const struct of_packet_out *out)
{
    struct bridge *bridge = server->bridge;

    if (packets->n == packets->size) {
        packets->size = packets->size ? packets->size * 2 : 8;
        packets->packets = realloc(packets->packets, packets->size * sizeof *packets->packets);
        if (!packets->packets)
            out_of_memory("an OpenFlow request", 0);
    }
    /* A buffer only for now: they are few, and a bundle may have many packets. */
    struct rte_mbuf *packet = of_make_packet(server, out->data, out->data_len);
    packets->packets[packets->n++] = (struct of_bundle_packet){
        .held = flows_packet_out_hold(server->flows, bridge, packet, &out->flow, &out->acts),
        .data = out->data,
        .len = out->data_len,
    };
}

void of_bundle_packets_count(const struct of_bundle_packets *packets)
{
    for (size_t i = 0; i < packets->n; i++)
        flows_held_count(packets->packets[i].held);
}

bool of_bundle_packets_send(struct of_bundle_packets *packets, struct of_server *server)
{
    if (packets->n_sent == packets->n)
        return false;
    const struct of_bundle_packet *packet = &packets->packets[packets->n_sent++];
    flows_held_send(server->flows, packet->held, of_make_packet(server, packet->data, packet->len));
    return true;
}
