/* NXT_CT_FLUSH_ZONE and NXT_CT_FLUSH, as ovs-ofctl(8) speaks them. */
#include <netinet/in.h>
#include <string.h>

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

/* --- NXT_CT_FLUSH -------------------------------------------------------- */

/* Properties of the message, and of those two that are tuples. */
enum { FLUSH_ORIG, FLUSH_REPLY, FLUSH_ZONE, FLUSH_MARK, FLUSH_MARK_MASK, FLUSH_LABEL, FLUSH_LABEL_MASK };
enum { TUPLE_SRC, TUPLE_DST, TUPLE_SRC_PORT, TUPLE_DST_PORT, TUPLE_ICMP_ID, TUPLE_ICMP_TYPE, TUPLE_ICMP_CODE };

#define FLUSH_ZEROS 7

static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff}; /* an IPv4 address as an IPv6 one (RFC 4291, 2.5.5.2) */
static const uint8_t any[16];

/* Both addresses of a message are of one version. */
static int read_address(struct reader *r, struct ct_match *match, uint8_t address[16])
{
    uint8_t bytes[16], version;

    memset(bytes, 0, sizeof bytes);
    read_copy(r, bytes, sizeof bytes);
    if (r->bad)
        return OFPERR_BPC_BAD_LEN;
    if (memcmp(bytes, any, sizeof bytes) == 0)
        return 0;
    version = memcmp(bytes, mapped, sizeof mapped) == 0 ? 4 : 6;
    if (match->ip_version != 0 && match->ip_version != version)
        return OFPERR_BPC_BAD_VALUE;
    match->ip_version = version;
    memcpy(address, version == 4 ? bytes + 12 : bytes, version == 4 ? 4 : 16);
    return 0;
}

static int read_tuple(struct reader *r, struct ct_match *match, struct ct_tuple_match *tuple)
{
    struct reader value;
    uint16_t type;
    int error = 0, more;

    read_skip(r, 4);
    while (!error && (more = read_property(r, &type, &value)) > 0) {
        switch (type) {
        case TUPLE_SRC:
        case TUPLE_DST:
            error = read_address(&value, match, type == TUPLE_SRC ? tuple->src : tuple->dst);
            break;
        case TUPLE_SRC_PORT:
        case TUPLE_ICMP_ID:
            tuple->sport = rte_cpu_to_be_16(read_u16(&value));
            break;
        case TUPLE_DST_PORT:
            tuple->dport = rte_cpu_to_be_16(read_u16(&value));
            break;
        case TUPLE_ICMP_TYPE:
            tuple->icmp_type = read_u8(&value);
            break;
        case TUPLE_ICMP_CODE:
            tuple->icmp_code = read_u8(&value);
            break;
        default:
            return OFPERR_BPC_BAD_TYPE;
        }
        if (value.bad)
            return OFPERR_BPC_BAD_LEN;
    }
    return error ? error : more < 0 ? OFPERR_BPC_BAD_LEN : 0;
}

static int read_flush_property(uint16_t type, struct reader *value, struct ct_match *match)
{
    switch (type) {
    case FLUSH_ORIG:
        return read_tuple(value, match, &match->orig);
    case FLUSH_REPLY:
        return read_tuple(value, match, &match->reply);
    case FLUSH_ZONE:
        match->zone = read_u16(value);
        match->in_zone = true;
        break;
    case FLUSH_MARK:
        match->mark = read_u32(value);
        if (match->mark_mask == 0)
            match->mark_mask = UINT32_MAX;
        break;
    case FLUSH_MARK_MASK:
        match->mark_mask = read_u32(value);
        break;
    case FLUSH_LABEL:
        read_copy(value, match->label, sizeof match->label);
        if (memcmp(match->label_mask, any, sizeof any) == 0)
            memset(match->label_mask, 0xff, sizeof match->label_mask);
        break;
    case FLUSH_LABEL_MASK:
        read_copy(value, match->label_mask, sizeof match->label_mask);
        break;
    default:
        return OFPERR_BPC_BAD_TYPE;
    }
    return value->bad ? OFPERR_BPC_BAD_LEN : 0;
}

int decode_ct_flush(struct reader *r, const struct of_decode_options *options, struct of_msg *msg)
{
    struct ct_match *match = &msg->ct_flush;
    struct reader value;
    uint8_t zeros = 0;
    uint16_t type;
    int more, error;

    memset(match, 0, sizeof *match);
    match->proto = read_u8(r);
    for (unsigned i = 0; i < FLUSH_ZEROS; i++)
        zeros |= read_u8(r);
    if (r->bad)
        return OFPERR_BRC_BAD_LEN;
    if (zeros)
        return OFPERR_NXBRC_MUST_BE_ZERO;
    while ((more = read_property(r, &type, &value)) > 0) {
        error = read_flush_property(type, &value, match);
        if (error)
            return error;
    }
    return more < 0 ? OFPERR_BPC_BAD_LEN : 0;
}

static void put_property(struct of_buf *buf, uint16_t type, const void *value, size_t len)
{
    const size_t start = buf->len;

    of_buf_add_u16(buf, type);
    of_buf_add_u16(buf, (uint16_t)(4 + len));
    of_buf_add_bytes(buf, value, len);
    of_buf_pad(buf, start, 8);
}

static void put_address(struct of_buf *buf, uint16_t type, const struct ct_match *match, const uint8_t address[16])
{
    uint8_t bytes[16];

    if (memcmp(address, any, sizeof any) == 0)
        return;
    memcpy(bytes, address, sizeof bytes);
    if (match->ip_version != 6) {
        memcpy(bytes, mapped, sizeof mapped);
        memcpy(bytes + sizeof mapped, address, 4);
    }
    put_property(buf, type, bytes, sizeof bytes);
}

static void put_tuple(struct of_buf *buf, uint16_t type, const struct ct_match *match,
                      const struct ct_tuple_match *tuple)
{
    const bool icmp = match->proto == IPPROTO_ICMP || match->proto == IPPROTO_ICMPV6;
    const size_t start = buf->len;

    of_buf_add_u16(buf, type);
    of_buf_add_u16(buf, 0);
    of_buf_add(buf, 4);
    put_address(buf, TUPLE_SRC, match, tuple->src);
    put_address(buf, TUPLE_DST, match, tuple->dst);
    if (tuple->sport != 0)
        put_property(buf, icmp ? TUPLE_ICMP_ID : TUPLE_SRC_PORT, &tuple->sport, sizeof tuple->sport);
    if (tuple->dport != 0)
        put_property(buf, TUPLE_DST_PORT, &tuple->dport, sizeof tuple->dport);
    if (tuple->icmp_type != 0)
        put_property(buf, TUPLE_ICMP_TYPE, &tuple->icmp_type, 1);
    if (tuple->icmp_code != 0)
        put_property(buf, TUPLE_ICMP_CODE, &tuple->icmp_code, 1);
    if (buf->len == start + 8)
        buf->len = start;
    else
        of_buf_set_u16(buf, start + 2, (uint16_t)(buf->len - start));
}

void encode_ct_flush(const struct of_msg *msg, struct of_buf *buf)
{
    const size_t start = msg_begin_vendor(buf, msg->version, msg->xid, OF_EXPERIMENTER_NICIRA, NXT_CT_FLUSH);
    const struct ct_match *match = &msg->ct_flush;
    const rte_be16_t zone = rte_cpu_to_be_16(match->zone);
    const rte_be32_t mark = rte_cpu_to_be_32(match->mark), mark_mask = rte_cpu_to_be_32(match->mark_mask);

    of_buf_add_u8(buf, match->proto);
    of_buf_add(buf, FLUSH_ZEROS);
    put_tuple(buf, FLUSH_ORIG, match, &match->orig);
    put_tuple(buf, FLUSH_REPLY, match, &match->reply);
    if (match->in_zone)
        put_property(buf, FLUSH_ZONE, &zone, sizeof zone);
    if (match->mark_mask != 0) {
        put_property(buf, FLUSH_MARK, &mark, sizeof mark);
        put_property(buf, FLUSH_MARK_MASK, &mark_mask, sizeof mark_mask);
    }
    if (memcmp(match->label_mask, any, sizeof any) != 0) {
        put_property(buf, FLUSH_LABEL, match->label, sizeof match->label);
        put_property(buf, FLUSH_LABEL_MASK, match->label_mask, sizeof match->label_mask);
    }
    msg_end(buf, start);
}
