/* Packets that go to controllers: who gets them, and how many (server.h). */
#include <rte_common.h>
#include <rte_ether.h>

#include "pmd/base/clock.h"
#include "pmd/base/hash.h"
#include "src/openflow/codec/continuation.h"
#include "src/openflow/server/server_impl.h"
#include "src/xlate/punt.h"

#define PACKET_IN_BACKLOG (128u << 10) /* bytes unsent above which a connection gets no more packet-ins */
#define PACKET_IN_DATA_MAX 64000u      /* leaves room for what surrounds the packet in a message of 64 KB */

_Static_assert((int)OF_REASON_MISS_RULE == PUNT_MISS_RULE, "the reasons of pipeline and messages are the same");

/* A miss without a rule: what OpenFlow 1.0 sends and later versions drop. */
static bool is_implicit_miss(const struct packet_in *pin)
{
    return pin->reason == OF_REASON_NO_MATCH && pin->cookie == UINT64_MAX;
}

static bool takes_packet_in(const struct of_connection *conn, const struct packet_in *pin)
{
    if (pin->controller_id != conn->controller_id || (is_implicit_miss(pin) && conn->version >= OF13))
        return false;
    return of_async_takes(conn, conn->async.packet_in, of_packet_in_reason(pin->reason, conn->version));
}

/* Packets are never buffered, so they go out whole whatever max_len and miss_send_len say, as OpenFlow 1.3.5, 6.1.2
 * wants it of a switch without buffers. Controllers that ask for 128 bytes, as ovs-testcontroller does, rely on it:
 * they send back what they got. */
static size_t length_to_send(const struct packet_in *pin)
{
    return RTE_MIN(rte_pktmbuf_pkt_len(pin->packet), PACKET_IN_DATA_MAX);
}

/* Misses and what actions send have each their own bucket, so that a flood of the first leaves room for the second. */
static bool is_in_rate(struct of_connection *conn, const struct packet_in *pin)
{
    const struct of_limits *allowed = of_connection_limits(conn);
    bool is_miss = pin->reason == OF_REASON_NO_MATCH || pin->reason == OF_REASON_MISS_RULE;
    struct of_rate_limit *limit = &conn->packet_in_rate[!is_miss];

    return conn->kind == OF_KIND_MGMT ||
           of_rate_limit_take(limit, allowed->packet_in_rate, allowed->packet_in_burst, clock_now_ms());
}

/* False: not sent, and counted. */
static bool has_room(struct of_connection *conn, const struct packet_in *pin)
{
    if (of_connection_backlog(conn) > PACKET_IN_BACKLOG)
        conn->counts.packet_ins_dropped++;
    else if (!is_in_rate(conn, pin))
        conn->counts.packet_ins_limited++;
    else
        return true;
    datapath_count_drop(conn->server->bridge->dp, DROP_PACKET_IN_LIMIT, 1);
    return false;
}

/* The packets between two hosts stay on one connection. */
static uint32_t hash_of(const struct packet_in *pin)
{
    const struct rte_ether_hdr *eth = rte_pktmbuf_mtod(pin->packet, const struct rte_ether_hdr *);
    const uint8_t *s = eth->src_addr.addr_bytes, *d = eth->dst_addr.addr_bytes;
    uint64_t hash = 0;

    if (rte_pktmbuf_data_len(pin->packet) < sizeof *eth)
        return 0;
    for (int i = 0; i < RTE_ETHER_ADDR_LEN; i++)
        hash = hash_add(hash, (uint64_t)s[i] << 8 | d[i]);
    return hash_finish(hash);
}

static void encode(struct of_server *server, const struct packet_in *pin, struct of_msg *msg)
{
    size_t len = length_to_send(pin);

    *msg = (struct of_msg){.type = OF_PACKET_IN,
                           .packet_in = {.buffer_id = OF_NO_BUFFER,
                                         .total_len = pin->full_len,
                                         .reason = pin->reason,
                                         .table_id = pin->table_id,
                                         .cookie = pin->cookie,
                                         .userdata = pin->userdata,
                                         .userdata_len = pin->userdata_len,
                                         .data = rte_pktmbuf_read(pin->packet, 0, len, server->packet),
                                         .data_len = len}};
    of_packet_in_fields(&pin->flow, &msg->packet_in.fields);
}

/* Adds what is left to do with a packet that waits, where the message can say it. False: it is too long for that, and
 * nobody could go on with the packet. */
static bool add_continuation(struct of_server *server, const struct packet_in *pin, struct of_msg *msg,
                             struct of_buf *buf)
{
    buf->len = 0;
    msg->packet_in.continuation = (struct of_bytes){NULL, 0};
    if (!pin->left || msg->packet_in.format != OF_PACKET_IN_NXT2)
        return true;
    of_continuation_encode(buf, server->continuation_id, pin->left, msg->version);
    msg->packet_in.continuation = (struct of_bytes){buf->data, buf->len};
    if (msg->packet_in.data_len == rte_pktmbuf_pkt_len(pin->packet) &&
        msg->packet_in.data_len + msg->packet_in.userdata_len + buf->len <= OF_PACKET_IN2_MAX)
        return true;
    datapath_count_drop(server->bridge->dp, DROP_PAUSED_TOO_LONG, 1);
    return false;
}

void of_server_packet_in(struct of_server *server, struct packet_in *pin)
{
    struct of_connection *main;
    struct of_buf continuation = {0};
    struct of_msg msg;
    bool encoded = false, wanted = false;

    TAILQ_FOREACH (main, &server->connections, node) {
        if (!takes_packet_in(main, pin))
            continue;
        struct of_connection *conn = of_channel_for_packet_in(main, hash_of(pin));
        wanted = true;
        if (!has_room(conn, pin))
            continue;
        if (!encoded)
            encode(server, pin, &msg);
        encoded = true;
        msg.version = conn->version;
        msg.packet_in.format = conn->packet_in_format;
        if (!add_continuation(server, pin, &msg, &continuation))
            continue;
        of_connection_send_msg(conn, &msg);
        conn->counts.packet_ins++;
    }
    if (!wanted)
        datapath_count_drop(server->bridge->dp,
                            pin->reason == OF_REASON_INVALID_TTL ? DROP_ACTION_TTL : DROP_NO_CONTROLLER, 1);
    of_buf_free(&continuation);
    rte_pktmbuf_free(pin->packet);
}
