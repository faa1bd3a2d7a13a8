/* NXT_CT_FLUSH_ZONE, as ovs-ofctl(8) speaks it. */
#include "src/match/of_error.h"
#include "src/openflow/codec/msg_impl.h"

#define ZEROS 6

int decode_ct_flush_zone(struct reader *r, const struct of_decode_options *options, struct of_msg *msg)
{
    uint8_t zeros = 0;

    for (unsigned i = 0; i < ZEROS; i++)
        zeros |= read_u8(r);
    msg->u32 = read_u16(r);
    if (r->bad || r->left > 0)
        return OFPERR_BRC_BAD_LEN;
    return zeros ? OFPERR_NXBRC_MUST_BE_ZERO : 0;
}

void encode_ct_flush_zone(const struct of_msg *msg, struct of_buf *buf)
{
    size_t start = msg_begin_vendor(buf, msg->version, msg->xid, OF_EXPERIMENTER_NICIRA, NXT_CT_FLUSH_ZONE);

    of_buf_add(buf, ZEROS);
    of_buf_add_u16(buf, (uint16_t)msg->u32);
    msg_end(buf, start);
}
