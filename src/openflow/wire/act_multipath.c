/* multipath, bundle and bundle_load on the wire. */
#include "src/match/field.h"
#include "src/match/of_error.h"
#include "src/openflow/wire/act_codec_impl.h"

/* Where a number goes: offset and width in one word, then the field. Nothing but zeroes: nowhere. */
static int read_dst(struct reader *r, bool needed, struct subfield *dst)
{
    static const uint8_t nowhere[6];
    uint16_t ofs_nbits;
    const struct field *f;
    int error;

    if (!needed && r->left >= sizeof nowhere && !memcmp(r->p, nowhere, sizeof nowhere)) {
        read_skip(r, sizeof nowhere);
        return 0;
    }
    if (!needed)
        return OFPERR_BAC_BAD_ARGUMENT;
    ofs_nbits = read_u16(r);
    error = act_read_field(r, &f);
    return error ? error : act_make_subfield(dst, f, ofs_nbits >> 6, (ofs_nbits & 63) + 1u);
}

static void put_dst(struct of_buf *buf, const struct subfield *dst)
{
    if (!dst->field) {
        of_buf_add(buf, 6);
        return;
    }
    of_buf_add_u16(buf, (uint16_t)(dst->ofs << 6 | (dst->n_bits - 1)));
    act_put_field(buf, dst->field);
}

static int decode_multipath(struct reader *r, const struct act_reading *in)
{
    struct act_multipath *act = act_buffer_add_type(in->acts, ACT_MULTIPATH);
    uint16_t fields = read_u16(r), algorithm;

    act->basis = read_u16(r);
    read_skip(r, 2);
    algorithm = read_u16(r);
    act->max_link = read_u16(r);
    act->arg = read_u32(r);
    read_skip(r, 2);
    if (fields >= HASH_N_FIELDS || algorithm >= MULTIPATH_N)
        return OFPERR_BAC_BAD_ARGUMENT;
    act->fields = (uint8_t)fields;
    act->algorithm = (uint8_t)algorithm;
    return read_dst(r, true, &act->dst);
}

static void encode_multipath(struct act_writing *out, const struct act *header)
{
    const struct act_multipath *act = (const struct act_multipath *)header;
    struct of_buf *buf = out->buf;
    size_t start = nicira_begin(buf, NXAST_MULTIPATH);

    of_buf_add_u16(buf, act->fields);
    of_buf_add_u16(buf, act->basis);
    of_buf_add_u16(buf, 0);
    of_buf_add_u16(buf, act->algorithm);
    of_buf_add_u16(buf, act->max_link);
    of_buf_add_u32(buf, act->arg);
    of_buf_add_u16(buf, 0);
    put_dst(buf, &act->dst);
    act_end(buf, start);
}

const struct act_codec act_codec_multipath = {
    .wires = ACT_WIRES(NICIRA(NXAST_MULTIPATH, OF_VERSIONS, decode_multipath)),
    .encode = encode_multipath,
};

static int decode_bundle(struct reader *r, const struct act_reading *in)
{
    const bool load = in->wire->number == NXAST_BUNDLE_LOAD;
    struct act_bundle head, *act;
    uint16_t algorithm = read_u16(r), fields = read_u16(r), n;
    uint32_t member_type;
    int error;

    memset(&head, 0, sizeof head);
    head.basis = read_u16(r);
    member_type = read_u32(r);
    n = read_u16(r);
    if (r->bad)
        return OFPERR_BAC_BAD_LEN;
    if (fields >= HASH_N_FIELDS || algorithm >= BUNDLE_N || member_type != field_by_id(FIELD_IN_PORT)->nxm ||
        n > BUNDLE_MEMBERS_MAX)
        return OFPERR_BAC_BAD_ARGUMENT;
    head.fields = (uint8_t)fields;
    head.algorithm = (uint8_t)algorithm;
    head.n_members = n;
    error = read_dst(r, load, &head.dst);
    if (error)
        return error;
    read_skip(r, 4);
    if (r->bad || r->left < n * 2u || r->left - n * 2u >= 8)
        return OFPERR_BAC_BAD_LEN;
    act = act_buffer_add(in->acts, ACT_BUNDLE, sizeof *act + n * sizeof act->members[0]);
    head.h = act->h;
    *act = head;
    for (unsigned i = 0; i < n; i++)
        act->members[i] = port_from_of10(read_u16(r));
    read_skip(r, r->left);
    return 0;
}

static void encode_bundle(struct act_writing *out, const struct act *header)
{
    const struct act_bundle *act = (const struct act_bundle *)header;
    struct of_buf *buf = out->buf;
    size_t start = nicira_begin(buf, act->dst.field ? NXAST_BUNDLE_LOAD : NXAST_BUNDLE);

    of_buf_add_u16(buf, act->algorithm);
    of_buf_add_u16(buf, act->fields);
    of_buf_add_u16(buf, act->basis);
    of_buf_add_u32(buf, field_by_id(FIELD_IN_PORT)->nxm);
    of_buf_add_u16(buf, (uint16_t)act->n_members);
    put_dst(buf, &act->dst);
    of_buf_add(buf, 4);
    for (uint32_t i = 0; i < act->n_members; i++)
        of_buf_add_u16(buf, port_to_of10(act->members[i]));
    act_end(buf, start);
}

const struct act_codec act_codec_bundle = {
    .wires = ACT_WIRES(NICIRA(NXAST_BUNDLE, OF_VERSIONS, decode_bundle),
                       NICIRA(NXAST_BUNDLE_LOAD, OF_VERSIONS, decode_bundle)),
    .encode = encode_bundle,
};
