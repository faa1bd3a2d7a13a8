/* output, output:field and output(port=,max_len=) on the wire. */
#include "src/openflow/wire/act_codec_impl.h"

static int add_output(const struct act_reading *in, uint32_t port, uint16_t max_len)
{
    struct act_output *act = act_buffer_add_type(in->acts, ACT_OUTPUT);

    act->port = port;
    act->max_len = max_len; /* means nothing for other ports, but is told as it was given */
    return 0;
}

static int decode_output10(struct reader *body, const struct act_reading *in)
{
    uint32_t port = port_from_of10(read_u16(body));

    return add_output(in, port, read_u16(body));
}

static int decode_output13(struct reader *body, const struct act_reading *in)
{
    uint32_t port = read_u32(body);
    uint16_t max_len = read_u16(body);

    read_skip(body, 6);
    return add_output(in, port, max_len);
}

static void encode_output(struct act_writing *out, const struct act *act)
{
    const struct act_output *a = (const struct act_output *)act;
    size_t start = act_begin(out->buf, 0);

    if (out->version == OF10) {
        of_buf_add_u16(out->buf, port_to_of10(a->port));
        of_buf_add_u16(out->buf, a->max_len);
    } else {
        of_buf_add_u32(out->buf, a->port);
        of_buf_add_u16(out->buf, a->max_len);
        of_buf_add(out->buf, 6);
    }
    act_end(out->buf, start);
}

const struct act_codec act_codec_output = {
    .wires = ACT_WIRES(STANDARD(0, IN_OF10, decode_output10), STANDARD(0, SINCE_OF13, decode_output13)),
    .encode = encode_output,
};

/* --- output:field -------------------------------------------------------- */

/* The second form has room for the headers of experimenters' fields. */
static int decode_output_reg(struct reader *r, const struct act_reading *in)
{
    struct act_output_reg *act = act_buffer_add_type(in->acts, ACT_OUTPUT_REG);
    const bool second = in->wire->number == NXAST_OUTPUT_REG2;
    uint16_t ofs_nbits = read_u16(r);
    const struct field *f;
    int error;

    if (second)
        act->max_len = read_u16(r);
    error = act_read_field(r, &f);
    if (!second)
        act->max_len = read_u16(r);
    read_skip(r, second && r->left < 8 ? r->left : 6);
    return error ? error : act_make_subfield(&act->src, f, ofs_nbits >> 6, (ofs_nbits & 63) + 1u);
}

static void encode_output_reg(struct act_writing *out, const struct act *header)
{
    const struct act_output_reg *act = (const struct act_output_reg *)header;
    const bool second = act->src.field->experimenter;
    size_t start = nicira_begin(out->buf, second ? NXAST_OUTPUT_REG2 : NXAST_OUTPUT_REG);

    of_buf_add_u16(out->buf, (uint16_t)(act->src.ofs << 6 | (act->src.n_bits - 1)));
    if (second)
        of_buf_add_u16(out->buf, act->max_len);
    act_put_field(out->buf, act->src.field);
    if (!second) {
        of_buf_add_u16(out->buf, act->max_len);
        of_buf_add(out->buf, 6);
    }
    act_end(out->buf, start);
}

const struct act_codec act_codec_output_reg = {
    .wires = ACT_WIRES(NICIRA(NXAST_OUTPUT_REG, OF_VERSIONS, decode_output_reg),
                       NICIRA(NXAST_OUTPUT_REG2, OF_VERSIONS, decode_output_reg)),
    .encode = encode_output_reg,
};

/* --- output(port=,max_len=) ---------------------------------------------- */

static int decode_output_trunc(struct reader *r, const struct act_reading *in)
{
    struct act_output_trunc *act = act_buffer_add_type(in->acts, ACT_OUTPUT_TRUNC);

    act->port = port_from_of10(read_u16(r));
    act->max_len = read_u32(r);
    return 0;
}

static void encode_output_trunc(struct act_writing *out, const struct act *act)
{
    const struct act_output_trunc *a = (const struct act_output_trunc *)act;
    size_t start = nicira_begin(out->buf, NXAST_OUTPUT_TRUNC);

    of_buf_add_u16(out->buf, port_to_of10(a->port));
    of_buf_add_u32(out->buf, a->max_len);
    act_end(out->buf, start);
}

const struct act_codec act_codec_output_trunc = {
    .wires = ACT_WIRES(NICIRA(NXAST_OUTPUT_TRUNC, OF_VERSIONS, decode_output_trunc)),
    .encode = encode_output_trunc,
};
