/* NXT_TLV_TABLE_MOD, _REQUEST and _REPLY, as ovs-ofctl(8) speaks them. */
#include "src/openflow/codec/msg_impl.h"

#define MAP_LEN 8

static int decode_maps(struct reader *r, struct of_tlv_table *t)
{
    if (r->left % MAP_LEN != 0)
        return OFPERR_BRC_BAD_LEN;
    for (t->n = 0; r->left > 0; t->n++) {
        struct tlv_map map;

        map.class = read_u16(r);
        map.type = read_u8(r);
        map.len = read_u8(r);
        map.index = read_u16(r);
        read_skip(r, 2);
        if (t->n == TLV_MAPS_MAX)
            return OFPERR_NXTTMFC_TABLE_FULL;
        t->maps[t->n] = map;
    }
    return 0;
}

static void put_maps(struct of_buf *buf, const struct of_tlv_table *t)
{
    for (unsigned i = 0; i < t->n; i++) {
        of_buf_add_u16(buf, t->maps[i].class);
        of_buf_add_u8(buf, t->maps[i].type);
        of_buf_add_u8(buf, t->maps[i].len);
        of_buf_add_u16(buf, t->maps[i].index);
        of_buf_add(buf, 2);
    }
}

int decode_tlv_mod(struct reader *r, const struct of_decode_options *options, struct of_msg *msg)
{
    struct of_tlv_table *t = &msg->tlv_table;

    t->command = read_u16(r);
    read_skip(r, 6);
    if (r->bad)
        return OFPERR_BRC_BAD_LEN;
    if (t->command > TLV_CLEAR)
        return OFPERR_NXTTMFC_BAD_COMMAND;
    return decode_maps(r, t);
}

int decode_tlv_request(struct reader *r, const struct of_decode_options *options, struct of_msg *msg)
{
    return 0;
}

int decode_tlv_reply(struct reader *r, const struct of_decode_options *options, struct of_msg *msg)
{
    struct of_tlv_table *t = &msg->tlv_table;

    t->max_space = read_u32(r);
    t->max_fields = read_u16(r);
    read_skip(r, 10);
    return r->bad ? OFPERR_BRC_BAD_LEN : decode_maps(r, t);
}

void encode_tlv(const struct of_msg *msg, struct of_buf *buf)
{
    const struct of_tlv_table *t = &msg->tlv_table;
    const uint32_t subtype = msg->type == OF_TLV_TABLE_MOD       ? NXT_TLV_TABLE_MOD
                             : msg->type == OF_TLV_TABLE_REQUEST ? NXT_TLV_TABLE_REQUEST
                                                                 : NXT_TLV_TABLE_REPLY;
    size_t start = msg_begin_vendor(buf, msg->version, msg->xid, OF_EXPERIMENTER_NICIRA, subtype);

    if (msg->type == OF_TLV_TABLE_MOD) {
        of_buf_add_u16(buf, t->command);
        of_buf_add(buf, 6);
        put_maps(buf, t);
    } else if (msg->type == OF_TLV_TABLE_REPLY) {
        of_buf_add_u32(buf, t->max_space);
        of_buf_add_u16(buf, t->max_fields);
        of_buf_add(buf, 10);
        put_maps(buf, t);
    }
    msg_end(buf, start);
}
