/* Lists of actions and instructions to the wire. How an action is written in a version is known to its row
 * (act_codec_impl.h). Control thread. */
#include "src/openflow/wire/act_codec_impl.h"

void act_encode(struct act_writing *out, const struct act *act)
{
    const struct act_codec *codec = act_codecs[act->type];

    if (codec->encode)
        codec->encode(out, act);
}

void acts_encode(struct of_buf *buf, const struct act_list *list, uint8_t version, const struct match *match)
{
    struct act_writing out = {.buf = buf, .version = version, .match = match};

    ACT_FOR_EACH (act, list)
        act_encode(&out, act);
}

/* --- instructions -------------------------------------------------------- */

static bool is_instruction(const struct act *act, uint8_t version)
{
    return act_codecs[act->type]->instruction.versions >> version & 1;
}

static void encode_instruction(struct act_writing *out, const struct act *act)
{
    act_codecs[act->type]->instruction.encode(out, act);
}

/* All actions between the instructions are one: OpenFlow 1.5's meters may stand anywhere among them. */
static void encode_apply_actions(struct of_buf *buf, const struct act_list *list, uint8_t version,
                                 const struct match *match)
{
    struct act_writing out = {.buf = buf, .version = version, .match = match};
    size_t start = act_begin(buf, INST_APPLY_ACTIONS), empty;

    of_buf_add(buf, 4);
    empty = buf->len;
    ACT_FOR_EACH (act, list) {
        if (!is_instruction(act, version))
            act_encode(&out, act);
    }
    if (buf->len > empty)
        act_end(buf, start);
    else
        buf->len = start;
}

/* In the order of OpenFlow 1.3.5, 5.9. What OpenFlow 1.5 says with several meters has only the first before. */
void instructions_encode(struct of_buf *buf, const struct act_list *list, uint8_t version, const struct match *match)
{
    struct act_writing out = {.buf = buf, .version = version, .match = match};
    bool metered = false;

    if (version == OF10) {
        acts_encode(buf, list, version, match);
        return;
    }
    ACT_FOR_EACH (act, list) {
        if (act->type == ACT_METER && is_instruction(act, version) && !metered) {
            encode_instruction(&out, act);
            metered = true;
        }
    }
    encode_apply_actions(buf, list, version, match);
    ACT_FOR_EACH (act, list) {
        if (act->type != ACT_METER && is_instruction(act, version))
            encode_instruction(&out, act);
    }
}

/* --- lengths ------------------------------------------------------------- */

typedef void list_encoder(struct of_buf *buf, const struct act_list *list, uint8_t version, const struct match *match);

/* Without a match: then what OpenFlow 1.0 says of VLANs takes most. */
static size_t longest(list_encoder *encode, const struct act_list *list, uint32_t versions, struct of_buf *scratch)
{
    size_t most = 0;

    for (uint8_t version = OF10; version <= OF15; version++) {
        if (!(versions >> version & 1))
            continue;
        scratch->len = 0;
        encode(scratch, list, version, NULL);
        most = scratch->len > most ? scratch->len : most;
    }
    return most;
}

size_t acts_wire_len(const struct act_list *list, struct of_buf *scratch)
{
    return longest(acts_encode, list, OF_VERSIONS & ~(1u << OF10), scratch);
}

size_t instructions_wire_len(const struct act_list *list, struct of_buf *scratch)
{
    return longest(instructions_encode, list, OF_VERSIONS, scratch);
}
