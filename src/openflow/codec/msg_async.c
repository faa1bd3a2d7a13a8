/* Which asynchronous messages a controller wants: OpenFlow 1.3.5, 7.3.10; 1.4.1, 7.3.10; NXT_SET_ASYNC_CONFIG. */
#include "src/openflow/codec/msg_impl.h"

#define PROPERTY_EXPERIMENTER_SLAVE 0xfffe

/* The bitmaps in the order of OpenFlow 1.4's property types, slave before master. */
static uint32_t *bitmap_of(struct of_async *a, unsigned property)
{
    uint32_t *all[] = {a->packet_in,    a->port_status,    a->flow_removed, a->role_status,
                       a->table_status, a->requestforward, a->flow_stats,   a->controller_status};

    return &all[property / 2][property % 2 ? 0 : 1];
}

static unsigned n_properties(uint8_t version)
{
    return version >= OF15 ? 16 : 12;
}

/* The reasons that there are, in the order of the property types' pairs; the last two pairs came with OpenFlow 1.5. */
static const uint32_t reasons[] = {0x3f, 0x7, 0x3f, 0x7, 0x18, 0x3, 0x3, 0x7f};

static int decode_properties(struct reader *r, uint8_t version, struct of_async *a)
{
    struct reader value;
    uint16_t type;
    int more;

    while ((more = read_property(r, &type, &value)) > 0) {
        if (type >= PROPERTY_EXPERIMENTER_SLAVE)
            return OFPERR_BPC_BAD_EXPERIMENTER;
        if (type >= n_properties(version))
            return OFPERR_BPC_BAD_TYPE;
        if (a->present >> type & 1)
            return OFPERR_BPC_DUP_TYPE;
        *bitmap_of(a, type) = read_u32(&value);
        if (value.bad || value.left)
            return OFPERR_BPC_BAD_LEN;
        if (*bitmap_of(a, type) & ~reasons[type / 2])
            return OFPERR_ACFC_INVALID;
        a->present |= 1u << type;
    }
    return more < 0 ? OFPERR_BPC_BAD_LEN : 0;
}

static void decode_pairs(struct reader *r, struct of_async *a)
{
    for (int i = 0; i < 2; i++)
        a->packet_in[i] = read_u32(r);
    for (int i = 0; i < 2; i++)
        a->port_status[i] = read_u32(r);
    for (int i = 0; i < 2; i++)
        a->flow_removed[i] = read_u32(r);
    a->present = 0x3f;
}

int decode_async(struct reader *r, const struct of_decode_options *options, struct of_msg *msg)
{
    if (msg->version >= OF14) {
        msg->async.partial = true;
        return decode_properties(r, msg->version, &msg->async);
    }
    decode_pairs(r, &msg->async);
    return 0;
}

int decode_nx_async(struct reader *r, const struct of_decode_options *options, struct of_msg *msg)
{
    msg->async.nx = true;
    decode_pairs(r, &msg->async);
    return 0;
}

void encode_async(const struct of_msg *msg, struct of_buf *buf)
{
    struct of_async a = msg->async;
    size_t start;

    if (a.nx)
        start = msg_begin_vendor(buf, msg->version, msg->xid, OF_EXPERIMENTER_NICIRA, NXT_SET_ASYNC_CONFIG);
    else
        start = msg_begin(buf, msg->type, msg->version, msg->xid);
    if (a.nx || msg->version < OF14) {
        for (unsigned property = 0; property < 6; property += 2) {
            of_buf_add_u32(buf, *bitmap_of(&a, property + 1));
            of_buf_add_u32(buf, *bitmap_of(&a, property));
        }
    } else {
        for (unsigned property = 0; property < n_properties(msg->version); property++) {
            if (a.partial && !(a.present >> property & 1))
                continue;
            of_buf_add_u16(buf, (uint16_t)property);
            of_buf_add_u16(buf, 8);
            of_buf_add_u32(buf, *bitmap_of(&a, property));
        }
    }
    msg_end(buf, start);
}
