/* Ports and what tells of them: FEATURES_REPLY, PORT_STATUS, PORT_MOD; queues' configuration. */
#include <stdlib.h>

#include "pmd/base/memory.h"
#include "src/bridge/bridge.h"
#include "src/openflow/codec/msg_impl.h"

#define PROPERTY_ETHERNET 0 /* OFPPDPT_ETHERNET and the like of OpenFlow 1.4 */

uint32_t port_read(struct reader *r, uint8_t version)
{
    return version == OF10 ? port_from_of10(read_u16(r)) : read_u32(r);
}

void port_put(struct of_buf *buf, uint8_t version, uint32_t port)
{
    if (version == OF10)
        of_buf_add_u16(buf, port_to_of10(port));
    else
        of_buf_add_u32(buf, port);
}

/* --- bits that OpenFlow 1.0 has elsewhere (OpenFlow 1.0.2, 5.2.1) -------- */

#define CONFIG10_NO_FLOOD 0x10
#define CONFIG_SHARED (PORT_CONFIG_DOWN | PORT_CONFIG_NO_RECV | PORT_CONFIG_NO_FWD | PORT_CONFIG_NO_PACKET_IN)

static uint32_t config_from_wire(uint32_t config, uint8_t version)
{
    uint32_t shared = config & CONFIG_SHARED;

    return version == OF10 && config & CONFIG10_NO_FLOOD ? shared | PORT_CONFIG_NO_FLOOD : shared;
}

static uint32_t config_to_wire(uint32_t config, uint8_t version)
{
    uint32_t shared = config & CONFIG_SHARED;

    return version == OF10 && config & PORT_CONFIG_NO_FLOOD ? shared | CONFIG10_NO_FLOOD : shared;
}

/* Rates up to 10 GbE are the same; then 1.0 goes on with media, later versions with 40 GbE, 100 GbE, 1 TbE, other. */
static uint32_t features_from_wire(uint32_t features, uint8_t version)
{
    return version == OF10 ? (features & 0x7f) | (features & 0xf80) << 4 : features & 0xffff;
}

static uint32_t features_to_wire(uint32_t features, uint8_t version)
{
    return version == OF10 ? (features & 0x7f) | (features >> 4 & 0xf80) : features;
}

static uint32_t state_mask(uint8_t version)
{
    return version == OF10 ? PORT_STATE_LINK_DOWN | PORT_STATE_STP_MASK : 7;
}

/* --- struct ofp_port ----------------------------------------------------- */

static void features_encode(struct of_buf *buf, uint8_t version, const struct of_port *port)
{
    of_buf_add_u32(buf, features_to_wire(port->curr, version));
    of_buf_add_u32(buf, features_to_wire(port->advertised, version));
    of_buf_add_u32(buf, features_to_wire(port->supported, version));
    of_buf_add_u32(buf, features_to_wire(port->peer, version));
    if (version != OF10) {
        of_buf_add_u32(buf, port->curr_speed);
        of_buf_add_u32(buf, port->max_speed);
    }
}

static void features_decode(struct reader *r, uint8_t version, struct of_port *port)
{
    port->curr = features_from_wire(read_u32(r), version);
    port->advertised = features_from_wire(read_u32(r), version);
    port->supported = features_from_wire(read_u32(r), version);
    port->peer = features_from_wire(read_u32(r), version);
    if (version != OF10) {
        port->curr_speed = read_u32(r);
        port->max_speed = read_u32(r);
    }
}

void port_encode(struct of_buf *buf, uint8_t version, const struct of_port *port)
{
    char name[16] = {0};

    memcpy(name, port->name, strnlen(port->name, sizeof name - 1));
    port_put(buf, version, port->port_no);
    if (version == OF13) {
        of_buf_add(buf, 4);
    } else if (version >= OF14) {
        of_buf_add_u16(buf, 72);
        of_buf_add(buf, 2);
    }
    of_buf_add_bytes(buf, port->hw_addr, 6);
    if (version != OF10)
        of_buf_add(buf, 2);
    of_buf_add_bytes(buf, name, sizeof name);
    of_buf_add_u32(buf, config_to_wire(port->config, version));
    of_buf_add_u32(buf, port->state & state_mask(version));
    if (version >= OF14) {
        of_buf_add_u16(buf, PROPERTY_ETHERNET);
        of_buf_add_u16(buf, 32);
        of_buf_add_u32(buf, 0);
    }
    features_encode(buf, version, port);
}

static bool port_properties(struct reader *r, uint8_t version, struct of_port *port)
{
    struct reader value;
    uint16_t type;
    int more;

    while ((more = read_property(r, &type, &value)) > 0) {
        if (type != PROPERTY_ETHERNET)
            continue;
        read_skip(&value, 4);
        features_decode(&value, version, port);
        if (value.bad)
            return false;
    }
    return more == 0;
}

bool port_decode(struct reader *whole, uint8_t version, struct of_port *port)
{
    struct reader r = *whole;
    uint16_t len = version == OF10 ? 48 : 64;

    memset(port, 0, sizeof *port);
    port->port_no = port_read(&r, version);
    if (version >= OF14) {
        len = read_u16(&r);
        read_skip(&r, 2);
    } else if (version != OF10) {
        read_skip(&r, 4);
    }
    if (r.bad || len < 40 || len > whole->left)
        return false;
    r.left = len - (size_t)(r.p - whole->p);
    read_copy(&r, port->hw_addr, 6);
    if (version != OF10)
        read_skip(&r, 2);
    read_copy(&r, port->name, 16);
    port->config = config_from_wire(read_u32(&r), version);
    port->state = read_u32(&r) & state_mask(version);
    if (version >= OF14) {
        if (!port_properties(&r, version, port))
            return false;
    } else {
        features_decode(&r, version, port);
    }
    read_skip(whole, len);
    return !r.bad && !whole->bad;
}

/* --- FEATURES_REPLY (OpenFlow 1.3.5, 7.3.1) ------------------------------ */

static uint32_t capabilities_of(uint8_t version)
{
    uint32_t all = OF_CAP_FLOW_STATS | OF_CAP_TABLE_STATS | OF_CAP_PORT_STATS | OF_CAP_IP_REASM | OF_CAP_QUEUE_STATS;

    if (version == OF10)
        return all | OF_CAP_ARP_MATCH_IP;
    return all | OF_CAP_GROUP_STATS | OF_CAP_PORT_BLOCKED |
           (version >= OF14 ? OF_CAP_BUNDLES | OF_CAP_FLOW_MONITORING : 0);
}

#define ACTIONS10 0xfff /* all twelve of OpenFlow 1.0 */

int decode_features(struct reader *r, const struct of_decode_options *options, struct of_msg *msg)
{
    struct of_features *f = &msg->features;

    f->datapath_id = read_u64(r);
    f->n_buffers = read_u32(r);
    f->n_tables = read_u8(r);
    f->auxiliary_id = read_u8(r);
    read_skip(r, 2);
    f->capabilities = read_u32(r) & capabilities_of(msg->version);
    read_skip(r, 4);
    if (r->bad)
        return OFPERR_BRC_BAD_LEN;
    if (msg->version != OF10)
        return 0;
    f->auxiliary_id = 0;
    f->ports = calloc(r->left / 48 + 1, sizeof *f->ports);
    if (!f->ports)
        out_of_memory("an OpenFlow request", 0);
    while (r->left >= 48)
        if (!port_decode(r, OF10, &f->ports[f->n_ports++]))
            return OFPERR_BRC_BAD_LEN;
    return 0;
}

void encode_features(const struct of_msg *msg, struct of_buf *buf)
{
    const struct of_features *f = &msg->features;
    bool of10 = msg->version == OF10;
    size_t start = msg_begin(buf, OF_FEATURES_REPLY, msg->version, msg->xid);

    of_buf_add_u64(buf, f->datapath_id);
    of_buf_add_u32(buf, f->n_buffers);
    of_buf_add_u8(buf, f->n_tables);
    of_buf_add_u8(buf, of10 ? 0 : f->auxiliary_id);
    of_buf_add(buf, 2);
    of_buf_add_u32(buf, f->capabilities & capabilities_of(msg->version));
    of_buf_add_u32(buf, of10 ? ACTIONS10 : 0);
    /* What does not fit is asked for with OFPST_PORT_DESC. */
    for (size_t i = 0; of10 && i < f->n_ports && buf->len - start + 48 <= UINT16_MAX; i++)
        port_encode(buf, OF10, &f->ports[i]);
    msg_end(buf, start);
}

/* --- PORT_STATUS, PORT_MOD (OpenFlow 1.3.5, 7.4.3, 7.3.4.3) -------------- */

int decode_port_status(struct reader *r, const struct of_decode_options *options, struct of_msg *msg)
{
    uint8_t reason = read_u8(r);

    read_skip(r, 7);
    if (r->bad || reason > OF_PORT_MODIFY || !port_decode(r, msg->version, &msg->port_status.port))
        return OFPERR_BRC_BAD_LEN;
    msg->port_status.reason = reason;
    return 0;
}

void encode_port_status(const struct of_msg *msg, struct of_buf *buf)
{
    size_t start = msg_begin(buf, OF_PORT_STATUS, msg->version, msg->xid);

    of_buf_add_u8(buf, (uint8_t)msg->port_status.reason);
    of_buf_add(buf, 7);
    port_encode(buf, msg->version, &msg->port_status.port);
    msg_end(buf, start);
}

static int decode_port_mod_properties(struct reader *r, struct of_port_mod *pm)
{
    struct reader value;
    uint16_t type;
    int more;

    while ((more = read_property(r, &type, &value)) > 0) {
        if (type != PROPERTY_ETHERNET)
            return property_unknown(type);
        pm->advertise = features_from_wire(read_u32(&value), OF14);
        if (value.bad || value.left)
            return OFPERR_BPC_BAD_LEN;
    }
    return more < 0 ? OFPERR_BPC_BAD_LEN : 0;
}

int decode_port_mod(struct reader *r, const struct of_decode_options *options, struct of_msg *msg)
{
    struct of_port_mod *pm = &msg->port_mod;
    uint8_t version = msg->version;
    uint32_t mask;

    pm->port_no = port_read(r, version);
    if (version != OF10)
        read_skip(r, 4);
    read_copy(r, pm->hw_addr, 6);
    if (version != OF10)
        read_skip(r, 2);
    pm->config = config_from_wire(read_u32(r), version);
    mask = read_u32(r);
    pm->mask = config_from_wire(mask, version);
    pm->config &= pm->mask;
    /* OpenFlow 1.0 has bits for spanning trees, which controllers set and nobody runs. */
    if (version != OF10 && mask != pm->mask)
        return OFPERR_PMFC_BAD_CONFIG;
    if (version >= OF14)
        return r->bad ? OFPERR_BRC_BAD_LEN : decode_port_mod_properties(r, pm);
    pm->advertise = features_from_wire(read_u32(r), version);
    read_skip(r, 4);
    return 0;
}

void encode_port_mod(const struct of_msg *msg, struct of_buf *buf)
{
    const struct of_port_mod *pm = &msg->port_mod;
    uint8_t version = msg->version;
    size_t start = msg_begin(buf, OF_PORT_MOD, version, msg->xid);

    port_put(buf, version, pm->port_no);
    if (version != OF10)
        of_buf_add(buf, 4);
    of_buf_add_bytes(buf, pm->hw_addr, 6);
    if (version != OF10)
        of_buf_add(buf, 2);
    of_buf_add_u32(buf, config_to_wire(pm->config, version));
    of_buf_add_u32(buf, config_to_wire(pm->mask, version));
    if (version >= OF14) {
        of_buf_add_u16(buf, PROPERTY_ETHERNET);
        of_buf_add_u16(buf, 8);
        of_buf_add_u32(buf, pm->advertise);
    } else {
        of_buf_add_u32(buf, features_to_wire(pm->advertise, version));
        of_buf_add(buf, 4);
    }
    msg_end(buf, start);
}

/* --- queues -------------------------------------------------------------- */

int decode_queue_get_config_request(struct reader *r, const struct of_decode_options *options, struct of_msg *msg)
{
    msg->port_no = port_read(r, msg->version);
    read_skip(r, msg->version == OF10 ? 2 : 4);
    return 0;
}

int decode_queue_get_config_reply(struct reader *r, const struct of_decode_options *options, struct of_msg *msg)
{
    msg->port_no = port_read(r, msg->version);
    read_skip(r, msg->version == OF10 ? 6 : 4);
    read_skip(r, r->bad ? 0 : r->left); /* queues */
    return 0;
}

/* OpenFlow 1.0.2, 5.2.2; 1.3.5, 7.2.2. */
static void put_rate(struct of_buf *buf, uint16_t type, uint16_t rate)
{
    if (rate == OF_QUEUE_RATE_NONE)
        return;
    of_buf_add_u16(buf, type);
    of_buf_add_u16(buf, 16);
    of_buf_add(buf, 4);
    of_buf_add_u16(buf, rate);
    of_buf_add(buf, 6);
}

/* OFPQT_MAX_RATE came with OpenFlow 1.2. */
static void put_queue(struct of_buf *buf, uint8_t version, const struct of_queue *queue)
{
    const size_t start = buf->len, len_at = start + (version == OF10 ? 4 : 8);

    of_buf_add_u32(buf, queue->queue_id);
    if (version != OF10)
        port_put(buf, version, queue->port_no);
    of_buf_add(buf, version == OF10 ? 4 : 8);
    put_rate(buf, OF_QUEUE_MIN_RATE, queue->min_rate);
    if (version != OF10)
        put_rate(buf, OF_QUEUE_MAX_RATE, queue->max_rate);
    of_buf_set_u16(buf, len_at, (uint16_t)(buf->len - start));
}

void encode_queue_get_config(const struct of_msg *msg, struct of_buf *buf)
{
    size_t start = msg_begin(buf, msg->type, msg->version, msg->xid);

    port_put(buf, msg->version, msg->port_no);
    if (msg->version != OF10)
        of_buf_add(buf, 4);
    else
        of_buf_add(buf, msg->type == OF_QUEUE_GET_CONFIG_REQUEST ? 2 : 6);
    for (size_t i = 0; msg->type == OF_QUEUE_GET_CONFIG_REPLY && i < msg->queue_config.n; i++)
        put_queue(buf, msg->version, &msg->queue_config.queues[i]);
    msg_end(buf, start);
}
