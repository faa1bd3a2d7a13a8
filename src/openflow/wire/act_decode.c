/* Lists of actions and instructions from the wire, of every version. What an action's body holds is known to its row
 * (act_codec_impl.h). Control thread. */
#include "src/match/of_error.h"
#include "src/openflow/wire/act_codec_impl.h"

/* --- actions ------------------------------------------------------------- */

/* Reads the body of an action of these numbers; `unknown` is what to say if the version has none. */
static int decode_act(struct reader *body, uint32_t vendor, uint16_t number, struct act_reading *in, int unknown)
{
    size_t start = in->acts->len;
    int error;

    in->wire = act_wire_find(in->version, vendor, number, &in->type);
    if (!in->wire)
        return unknown;
    error = in->wire->decode(body, in);
    if (!error)
        ((struct act *)(in->acts->data + start))->form = in->wire->form;
    return error;
}

static int decode_experimenter(struct reader *body, struct act_reading *in)
{
    uint32_t experimenter = read_u32(body);
    uint16_t subtype;

    if (body->bad)
        return OFPERR_BAC_BAD_LEN;
    if (experimenter != OF_EXPERIMENTER_NICIRA)
        return OFPERR_BAC_BAD_EXPERIMENTER;
    subtype = read_u16(body);
    if (body->bad)
        return OFPERR_BAC_BAD_LEN;
    return decode_act(body, experimenter, subtype, in, OFPERR_BAC_BAD_EXP_TYPE);
}

int act_list_decode(struct reader *r, uint8_t version, unsigned depth, struct act_buffer *acts)
{
    while (r->left > 0) {
        struct act_reading in = {.version = version, .depth = depth, .acts = acts};
        uint16_t type = read_u16(r), len = read_u16(r);
        struct reader body;
        int error;

        if (r->bad || len < 8 || len % 8 || len - 4u > r->left)
            return OFPERR_BAC_BAD_LEN;
        body = read_part(r, len - 4u);
        error = type == OFPAT_EXPERIMENTER ? decode_experimenter(&body, &in)
                                           : decode_act(&body, 0, type, &in, OFPERR_BAC_BAD_TYPE);
        if (error)
            return error;
        if (body.bad || body.left)
            return OFPERR_BAC_BAD_LEN;
    }
    return 0;
}

int acts_decode(struct reader *r, uint8_t version, struct act_buffer *acts)
{
    return act_list_decode(r, version, 0, acts);
}

/* --- instructions (OpenFlow 1.3.5, 7.2.4) -------------------------------- */

#define INST_EXPERIMENTER 0xffff

bool instruction_number_known(uint8_t version, uint16_t number)
{
    enum act_type type = instruction_find(number);

    return number == INST_APPLY_ACTIONS ||
           (type != ACT_N_TYPES && act_codecs[type]->instruction.versions >> version & 1);
}

/* Why the version does not take an instruction: earlier ones had it, or not. */
static int refuse(uint8_t version, uint16_t number)
{
    enum act_type type = instruction_find(number);
    bool was_one = type != ACT_N_TYPES && act_codecs[type]->instruction.versions < 1u << version;

    return was_one ? OFPERR_BIC_UNSUP_INST : OFPERR_BIC_UNKNOWN_INST;
}

/* Finds the instructions' bodies, by number. */
static int split_instructions(struct reader *r, uint8_t version, struct reader bodies[INST_NUMBERS])
{
    while (r->left > 0) {
        uint16_t number = read_u16(r), len = read_u16(r);

        if (r->bad || len < 8 || len % 8 || len - 4u > r->left)
            return OFPERR_BIC_BAD_LEN;
        if (number == INST_EXPERIMENTER)
            return OFPERR_BIC_BAD_EXPERIMENTER;
        if (!instruction_number_known(version, number))
            return refuse(version, number);
        if (bodies[number].p)
            return OFPERR_BIC_DUP_INST;
        bodies[number] = read_part(r, len - 4u);
    }
    return 0;
}

/* Reads the instructions that run before the actions, or behind them, in the order of their types. */
static int decode_bodies(struct reader bodies[INST_NUMBERS], bool before, uint8_t version, struct act_buffer *acts)
{
    for (enum act_type type = ACT_FIRST_INSTRUCTION; type < ACT_N_TYPES; type++) {
        const struct act_codec *codec = act_codecs[type];
        struct act_reading in = {.version = version, .type = type, .acts = acts};
        struct reader *body = &bodies[codec->instruction.number];
        int error;

        if (codec->instruction.number == 0 || codec->instruction.before != before || !body->p)
            continue;
        error = codec->instruction.decode(body, &in);
        if (error)
            return error;
    }
    return 0;
}

int instructions_decode(struct reader *r, uint8_t version, struct act_buffer *acts)
{
    struct reader bodies[INST_NUMBERS] = {{NULL, 0, false}}, *apply = &bodies[INST_APPLY_ACTIONS];
    int error = split_instructions(r, version, bodies);

    if (!error)
        error = decode_bodies(bodies, true, version, acts);
    if (!error && apply->p) {
        read_skip(apply, 4);
        error = acts_decode(apply, version, acts);
    }
    if (!error)
        error = decode_bodies(bodies, false, version, acts);
    if (error)
        return error;
    for (unsigned i = 0; i < INST_NUMBERS; i++) {
        if (bodies[i].bad || bodies[i].left)
            return OFPERR_BIC_BAD_LEN;
    }
    return 0;
}
