/* ct(...), nat(...) inside it, and ct_clear on the wire. */
#include <string.h>

#include "src/match/of_error.h"
#include "src/openflow/wire/act_codec_impl.h"
#include "src/openflow/wire/oxm.h"

/* A field's header and a range of its bits, or zeros and the zone itself. */
static int read_zone(struct reader *r, struct act_ct *act)
{
    const struct field *f;
    uint16_t bits;
    int error;

    if (r->left >= 4 && r->p[0] == 0 && r->p[1] == 0 && r->p[2] == 0 && r->p[3] == 0) {
        read_skip(r, 4);
        act->zone = read_u16(r);
        return 0;
    }
    error = act_read_field(r, &f);
    bits = read_u16(r);
    return error ? error : act_make_subfield(&act->zone_src, f, bits >> 6, (bits & 0x3f) + 1u);
}

static int decode_ct(struct reader *r, const struct act_reading *in)
{
    struct act_ct head = {.h.type = ACT_CT}, *act;
    const uint16_t flags = read_u16(r);
    struct act_buffer exec;
    int error = read_zone(r, &head);

    head.flags = (uint8_t)flags;
    head.table = read_u8(r);
    read_skip(r, 3);
    head.alg = read_u16(r);
    if (head.alg != 0 && head.alg != CT_ALG_FTP && head.alg != CT_ALG_TFTP && !error)
        error = OFPERR_BAC_CT_UNSUPPORTED;
    if (error)
        return error;
    if (r->bad)
        return OFPERR_BAC_BAD_LEN;
    if (flags & ~(CT_COMMIT | CT_FORCE))
        return OFPERR_BAC_BAD_ARGUMENT;
    if (in->depth == ACT_NESTED_MAX)
        return OFPERR_BAC_TOO_MANY;
    act_buffer_init(&exec);
    error = act_list_decode(r, in->version, in->depth + 1, &exec);
    if (!error) {
        act = act_buffer_add(in->acts, ACT_CT, sizeof *act + exec.len);
        head.h = act->h;
        head.n = (uint32_t)exec.len;
        *act = head;
        if (exec.len)
            memcpy(act->data, exec.data, exec.len);
    }
    act_buffer_free(&exec);
    return error;
}

static void encode_ct(struct act_writing *out, const struct act *act)
{
    const struct act_ct *a = (const struct act_ct *)act;
    const struct act_list exec = {.acts = (const struct act *)a->data, .len = a->n};
    size_t start = nicira_begin(out->buf, NXAST_CT);

    of_buf_add_u16(out->buf, a->flags);
    if (a->zone_src.field) {
        act_put_field(out->buf, a->zone_src.field);
        of_buf_add_u16(out->buf, (uint16_t)(a->zone_src.ofs << 6 | (a->zone_src.n_bits - 1)));
    } else {
        of_buf_add_u32(out->buf, 0);
        of_buf_add_u16(out->buf, a->zone);
    }
    of_buf_add_u8(out->buf, a->table);
    of_buf_add(out->buf, 3);
    of_buf_add_u16(out->buf, a->alg);
    acts_encode(out->buf, &exec, out->version, out->match);
    act_end(out->buf, start);
}

const struct act_codec act_codec_ct = {
    .wires = ACT_WIRES(NICIRA(NXAST_CT, OF_VERSIONS, decode_ct)),
    .encode = encode_ct,
};

const struct act_codec act_codec_ct_clear = {
    .wires = ACT_WIRES(NICIRA(NXAST_CT_CLEAR, OF_VERSIONS, act_read_plain)),
    .encode = act_put_plain,
};

/* --- nat ----------------------------------------------------------------- */

/* What follows the flags, in this order; each only if its bit says so. */
#define RANGE_IPV4_MIN 0x01
#define RANGE_IPV4_MAX 0x02
#define RANGE_IPV6_MIN 0x04
#define RANGE_IPV6_MAX 0x08
#define RANGE_PORT_MIN 0x10
#define RANGE_PORT_MAX 0x20
#define RANGE_ALL 0x3f

static bool nat_flags_are_good(uint16_t flags, uint16_t present)
{
    const uint16_t all = NAT_SRC | NAT_DST | NAT_PERSISTENT | NAT_HASH | NAT_RANDOM;
    const bool both = (flags & (NAT_SRC | NAT_DST)) == (NAT_SRC | NAT_DST), none = !(flags & (NAT_SRC | NAT_DST));

    return !(flags & ~all) && !(present & ~RANGE_ALL) && !both && (!none || (flags == 0 && present == 0)) &&
           (flags & (NAT_HASH | NAT_RANDOM)) != (NAT_HASH | NAT_RANDOM);
}

/* A range has a beginning, is of one version of IP, and ends where it begins or behind it. */
static bool nat_range_is_good(const struct act_nat *nat, uint16_t present)
{
    const bool ipv4 = present & (RANGE_IPV4_MIN | RANGE_IPV4_MAX), ipv6 = present & (RANGE_IPV6_MIN | RANGE_IPV6_MAX);

    if (ipv4 && ipv6)
        return false;
    if ((present & RANGE_IPV4_MAX && !(present & RANGE_IPV4_MIN)) ||
        (present & RANGE_IPV6_MAX && !(present & RANGE_IPV6_MIN)) ||
        (present & RANGE_PORT_MAX && !(present & RANGE_PORT_MIN)))
        return false;
    if (present & (RANGE_IPV4_MAX | RANGE_IPV6_MAX) && memcmp(nat->max_address, nat->min_address, 16) < 0)
        return false;
    return !(present & RANGE_PORT_MAX) || nat->max_port >= nat->min_port;
}

static int decode_nat(struct reader *r, const struct act_reading *in)
{
    struct act_nat *nat = act_buffer_add_type(in->acts, ACT_NAT);
    uint16_t flags, present;

    read_skip(r, 2);
    flags = read_u16(r);
    present = read_u16(r);
    if (r->bad)
        return OFPERR_BAC_BAD_LEN;
    if (!nat_flags_are_good(flags, present))
        return OFPERR_BAC_BAD_ARGUMENT;
    nat->flags = (uint8_t)flags;
    if (present & (RANGE_IPV4_MIN | RANGE_IPV6_MIN))
        nat->ip_version = present & RANGE_IPV4_MIN ? 4 : 6;
    if (present & RANGE_IPV4_MIN)
        read_copy(r, nat->min_address, 4);
    if (present & RANGE_IPV4_MAX)
        read_copy(r, nat->max_address, 4);
    if (present & RANGE_IPV6_MIN)
        read_copy(r, nat->min_address, 16);
    if (present & RANGE_IPV6_MAX)
        read_copy(r, nat->max_address, 16);
    if (present & RANGE_PORT_MIN)
        nat->min_port = read_u16(r);
    if (present & RANGE_PORT_MAX)
        nat->max_port = read_u16(r);
    if (r->bad)
        return OFPERR_BAC_BAD_LEN;
    read_skip(r, r->left < 8 ? r->left : 0); /* padding; more is found by the caller */
    return nat_range_is_good(nat, present) ? 0 : OFPERR_BAC_BAD_ARGUMENT;
}

static bool is_given(const uint8_t address[16])
{
    static const uint8_t zeros[16];

    return memcmp(address, zeros, sizeof zeros) != 0;
}

static void encode_nat(struct act_writing *out, const struct act *act)
{
    const struct act_nat *nat = (const struct act_nat *)act;
    const size_t start = nicira_begin(out->buf, NXAST_NAT), len = nat->ip_version == 6 ? 16 : 4;
    uint16_t present = 0;

    if (nat->ip_version != 0)
        present |= nat->ip_version == 6 ? RANGE_IPV6_MIN : RANGE_IPV4_MIN;
    if (nat->ip_version != 0 && is_given(nat->max_address))
        present |= nat->ip_version == 6 ? RANGE_IPV6_MAX : RANGE_IPV4_MAX;
    if (nat->min_port != 0)
        present |= RANGE_PORT_MIN | (nat->max_port != 0 ? RANGE_PORT_MAX : 0);
    of_buf_add(out->buf, 2);
    of_buf_add_u16(out->buf, nat->flags);
    of_buf_add_u16(out->buf, present);
    if (nat->ip_version != 0)
        of_buf_add_bytes(out->buf, nat->min_address, len);
    if (present & (RANGE_IPV4_MAX | RANGE_IPV6_MAX))
        of_buf_add_bytes(out->buf, nat->max_address, len);
    if (present & RANGE_PORT_MIN)
        of_buf_add_u16(out->buf, nat->min_port);
    if (present & RANGE_PORT_MAX)
        of_buf_add_u16(out->buf, nat->max_port);
    act_end(out->buf, start);
}

const struct act_codec act_codec_nat = {
    .wires = ACT_WIRES(NICIRA(NXAST_NAT, OF_VERSIONS, decode_nat)),
    .encode = encode_nat,
};
