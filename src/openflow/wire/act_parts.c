/* What the wire forms of many actions have in common. */
#include "src/match/of_error.h"
#include "src/openflow/wire/act_codec_impl.h"
#include "src/openflow/wire/oxm.h"

/* --- frames -------------------------------------------------------------- */

size_t act_begin(struct of_buf *buf, uint16_t type)
{
    size_t start = buf->len;

    of_buf_add_u16(buf, type);
    of_buf_add_u16(buf, 0);
    return start;
}

size_t nicira_begin(struct of_buf *buf, uint16_t subtype)
{
    size_t start = act_begin(buf, OFPAT_EXPERIMENTER);

    of_buf_add_u32(buf, OF_EXPERIMENTER_NICIRA);
    of_buf_add_u16(buf, subtype);
    return start;
}

void act_end(struct of_buf *buf, size_t start)
{
    of_buf_pad(buf, start, 8);
    of_buf_set_u16(buf, start + 2, (uint16_t)(buf->len - start));
}

/* --- a number, or nothing ------------------------------------------------ */

/* Behind a vendor's head of 10 bytes there are 6 to fill, behind a standard one of 4 bytes 4. */
static size_t room(const struct act_wire *wire)
{
    return wire && wire->vendor ? 6 : 4;
}

int act_read_plain(struct reader *body, const struct act_reading *in)
{
    act_buffer_add_type(in->acts, in->type);
    read_skip(body, room(in->wire));
    return 0;
}

int act_read_u8(struct reader *body, const struct act_reading *in)
{
    struct act_u32 *act = act_buffer_add_type(in->acts, in->type);

    act->value = read_u8(body);
    read_skip(body, room(in->wire) - 1);
    return 0;
}

int act_read_u16(struct reader *body, const struct act_reading *in)
{
    struct act_u32 *act = act_buffer_add_type(in->acts, in->type);

    act->value = read_u16(body);
    read_skip(body, room(in->wire) - 2);
    return 0;
}

/* Numbers of 4 bytes are aligned. */
int act_read_u32(struct reader *body, const struct act_reading *in)
{
    struct act_u32 *act = act_buffer_add_type(in->acts, in->type);

    read_skip(body, room(in->wire) - 4);
    act->value = read_u32(body);
    return 0;
}

/* A number of `bytes` (0 = none) in the form that the version prefers. */
static void put_number(struct act_writing *out, const struct act *act, uint32_t value, unsigned bytes)
{
    const struct act_wire *wire = act_codecs[act->type]->wires;
    size_t start;

    while (wire->decode && !(wire->versions >> out->version & 1))
        wire++;
    if (!wire->decode)
        return;
    start = wire->vendor ? nicira_begin(out->buf, wire->number) : act_begin(out->buf, wire->number);
    if (bytes == 1) {
        of_buf_add_u8(out->buf, (uint8_t)value);
    } else if (bytes == 2) {
        of_buf_add_u16(out->buf, (uint16_t)value);
    } else if (bytes == 4) {
        of_buf_add(out->buf, room(wire) - 4);
        of_buf_add_u32(out->buf, value);
    }
    act_end(out->buf, start);
}

void act_put_plain(struct act_writing *out, const struct act *act)
{
    put_number(out, act, 0, 0);
}

void act_put_u8(struct act_writing *out, const struct act *act)
{
    put_number(out, act, act_u32_of(act), 1);
}

void act_put_u16(struct act_writing *out, const struct act *act)
{
    put_number(out, act, act_u32_of(act), 2);
}

void act_put_u32(struct act_writing *out, const struct act *act)
{
    put_number(out, act, act_u32_of(act), 4);
}

/* --- fields -------------------------------------------------------------- */

int act_read_field(struct reader *r, const struct field **f)
{
    bool has_mask;
    size_t len;

    *f = oxm_read_header(r, &has_mask, &len);
    if (r->bad)
        return OFPERR_BAC_BAD_LEN;
    if (!*f || has_mask || (!(*f)->variable && len != (*f)->n_bytes))
        return OFPERR_BAC_BAD_ARGUMENT;
    return (*f)->n_bytes ? 0 : OFPERR_NXFMFC_INVALID_TLV_FIELD;
}

int act_make_subfield(struct subfield *sf, const struct field *f, unsigned ofs, unsigned n_bits)
{
    if (n_bits == 0 || ofs + n_bits > f->n_bits)
        return OFPERR_BAC_BAD_ARGUMENT;
    *sf = (struct subfield){.field = f, .ofs = (uint8_t)ofs, .n_bits = (uint8_t)n_bits};
    return 0;
}

void act_put_field(struct of_buf *buf, const struct field *f)
{
    oxm_put_header(buf, f, OXM_NXM, false);
}
