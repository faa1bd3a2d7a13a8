/* encap, decap and dec_nsh_ttl on the wire. Properties have a class, a type and a length, and are padded to 8 bytes. */
#include "pmd/program.h"
#include "src/match/of_error.h"
#include "src/openflow/wire/act_codec_impl.h"

#define CLASS_NSH 4
enum { NSH_MD_TYPE = 1, NSH_TLV = 2 };

/* MD type 2: what fits a header that can be pushed. */
#define TLVS_MAX (NSH_PUSH_MAX - 8)

/* class, type, length, value; in the header the value is padded to 4 (RFC 8300, 2.5.1). */
static int decode_tlv(struct reader *r, uint8_t *tlvs, uint8_t *len)
{
    uint16_t class = read_u16(r);
    uint8_t type = read_u8(r), n = read_u8(r);
    const uint8_t *value = read_bytes(r, n);
    unsigned padded = (n + 3u) & ~3u;

    if (!value || n > 127 || *len + 4 + padded > TLVS_MAX)
        return OFPERR_NXBAC_BAD_ED_PROP;
    tlvs += *len;
    memset(tlvs, 0, 4 + padded);
    tlvs[0] = class >> 8;
    tlvs[1] = (uint8_t) class;
    tlvs[2] = type;
    tlvs[3] = n;
    memcpy(tlvs + 4, value, n);
    *len += (uint8_t)(4 + padded);
    return 0;
}

static int decode_property(struct reader *r, struct act_encap *head, uint8_t *tlvs)
{
    uint16_t class = read_u16(r);
    uint8_t type = read_u8(r), len = read_u8(r);
    struct reader value;
    int error = 0;

    if (r->bad || len < 4 || len - 4u > r->left)
        return OFPERR_NXBAC_BAD_ED_PROP;
    value = read_part(r, len - 4u);
    read_skip(r, (8 - len % 8) % 8);
    if (class != CLASS_NSH || head->packet_type != PACKET_TYPE(1, ETH_TYPE_NSH))
        return OFPERR_NXBAC_UNKNOWN_ED_PROP;
    if (type == NSH_MD_TYPE) {
        head->md_type = read_u8(&value);
        error = head->md_type == 1 || head->md_type == 2 ? 0 : OFPERR_NXBAC_BAD_ED_PROP;
    } else if (type == NSH_TLV) {
        error = decode_tlv(&value, tlvs, &head->tlvs_len);
    } else {
        return OFPERR_NXBAC_UNKNOWN_ED_PROP;
    }
    return r->bad || value.bad ? OFPERR_NXBAC_BAD_ED_PROP : error;
}

static int decode_encap(struct reader *r, const struct act_reading *in)
{
    struct act_encap head = {.packet_type = 0}, *act;
    uint8_t tlvs[TLVS_MAX];

    read_skip(r, 2);
    head.packet_type = read_u32(r);
    if (r->bad)
        return OFPERR_BAC_BAD_LEN;
    if (head.packet_type != PACKET_TYPE_ETHERNET && head.packet_type != PACKET_TYPE(1, ETH_TYPE_NSH) &&
        head.packet_type != PACKET_TYPE(1, RTE_ETHER_TYPE_MPLS) &&
        head.packet_type != PACKET_TYPE(1, RTE_ETHER_TYPE_MPLSM))
        return OFPERR_NXBAC_BAD_HEADER_TYPE;
    while (r->left >= 4) {
        int error = decode_property(r, &head, tlvs);

        if (error)
            return error;
    }
    if (head.tlvs_len && head.md_type != 2)
        return OFPERR_NXBAC_BAD_ED_PROP;
    act = act_buffer_add(in->acts, ACT_ENCAP, sizeof *act + head.tlvs_len);
    head.h = act->h;
    *act = head;
    memcpy(act->tlvs, tlvs, head.tlvs_len);
    return 0;
}

static int decode_decap(struct reader *r, const struct act_reading *in)
{
    struct act_u32 *act = act_buffer_add_type(in->acts, ACT_DECAP);

    read_skip(r, 2);
    act->value = read_u32(r);
    if (act->value != PACKET_TYPE_ETHERNET && act->value != PACKET_TYPE_NEXT_PROTO && act->value >> 16 != 1)
        return OFPERR_NXBAC_BAD_HEADER_TYPE;
    return r->left ? OFPERR_NXBAC_UNKNOWN_ED_PROP : 0;
}

static void put_property(struct of_buf *buf, uint8_t type, const uint8_t *value, uint8_t len)
{
    size_t start = buf->len;

    of_buf_add_u16(buf, CLASS_NSH);
    of_buf_add_u8(buf, type);
    of_buf_add_u8(buf, len + 4);
    of_buf_add_bytes(buf, value, len);
    of_buf_pad(buf, start, 8);
}

static void encode_encap(struct act_writing *out, const struct act *header)
{
    const struct act_encap *act = (const struct act_encap *)header;
    struct of_buf *buf = out->buf;
    size_t start;

    if (out->version == OF10)
        return;
    start = nicira_begin(buf, NXAST_ENCAP);
    of_buf_add(buf, 2);
    of_buf_add_u32(buf, act->packet_type);
    if (act->md_type)
        put_property(buf, NSH_MD_TYPE, &act->md_type, 1);
    for (unsigned at = 0; at < act->tlvs_len; at += 4 + ((act->tlvs[at + 3] + 3u) & ~3u)) {
        size_t property = buf->len;
        uint8_t n = 4 + act->tlvs[at + 3];

        put_property(buf, NSH_TLV, act->tlvs + at, n);
        buf->data[property + 3] = (uint8_t)(buf->len - property); /* as ovs-ofctl has it: with the padding */
    }
    act_end(buf, start);
}

/* OpenFlow 1.0 does not have it, as ovs-ofctl does not. */
const struct act_codec act_codec_encap = {
    .wires = ACT_WIRES(NICIRA(NXAST_ENCAP, SINCE_OF13, decode_encap)),
    .encode = encode_encap,
};

/* Behind the subtype as a number of four bytes is. */
const struct act_codec act_codec_decap = {
    .wires = ACT_WIRES(NICIRA(NXAST_DECAP, SINCE_OF13, decode_decap)),
    .encode = act_put_u32,
};

const struct act_codec act_codec_dec_nsh_ttl = {
    .wires = ACT_WIRES(NICIRA(NXAST_DEC_NSH_TTL, OF_VERSIONS, act_read_plain)),
    .encode = act_put_plain,
};
