/* ct(...) and ct_clear on the wire. */
#include "src/match/of_error.h"
#include "src/openflow/wire/act_codec_impl.h"
#include "src/openflow/wire/oxm.h"

/* There is no address translation yet. */
static int decode_unsupported(struct reader *r, const struct act_reading *in)
{
    return OFPERR_BAC_CT_UNSUPPORTED;
}

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
    if (read_u16(r) != 0 && !error) /* an application's helper */
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
    of_buf_add(out->buf, 5);
    acts_encode(out->buf, &exec, out->version, out->match);
    act_end(out->buf, start);
}

const struct act_codec act_codec_ct = {
    .wires = ACT_WIRES(NICIRA(NXAST_CT, OF_VERSIONS, decode_ct), NICIRA(NXAST_NAT, OF_VERSIONS, decode_unsupported)),
    .encode = encode_ct,
};

const struct act_codec act_codec_ct_clear = {
    .wires = ACT_WIRES(NICIRA(NXAST_CT_CLEAR, OF_VERSIONS, act_read_plain)),
    .encode = act_put_plain,
};
