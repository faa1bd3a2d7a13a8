/* VLAN tags on the wire. OpenFlow 1.0's actions add a tag where there is none; later versions say so by two actions. */
#include "src/match/of_error.h"
#include "src/openflow/wire/act_codec_impl.h"

static void encode_push(struct act_writing *out, const struct act *act)
{
    act_put_u16(out, act);
    out->tagged = true;
}

const struct act_codec act_codec_push_vlan = {
    .wires = ACT_WIRES(STANDARD(17, SINCE_OF13, act_read_u16)),
    .encode = encode_push,
};

static void encode_pop(struct act_writing *out, const struct act *act)
{
    act_put_plain(out, act);
    out->tagged = false;
}

const struct act_codec act_codec_pop_vlan = {
    .wires = ACT_WIRES(STANDARD(18, SINCE_OF13, act_read_plain), OF10_FORM(3, act_read_plain)),
    .encode = encode_pop,
};

static bool has_tag(const struct match *match)
{
    return match && match->value.pkt.vlan_tci[0] & match->mask.pkt.vlan_tci[0] & RTE_BE16(VLAN_TCI_PRESENT);
}

static void set_of13(struct act_writing *out, enum field_id id, uint32_t value)
{
    const struct act_u32 push = {.h = {.type = ACT_PUSH_VLAN}, .value = RTE_ETHER_TYPE_VLAN};

    if (!has_tag(out->match) && !out->tagged)
        act_encode(out, &push.h);
    out->tagged = true;
    act_put_set_number(out, id, value);
}

static int decode_vid(struct reader *body, const struct act_reading *in)
{
    struct act_u32 *act = act_buffer_add_type(in->acts, ACT_SET_VLAN_VID);

    act->value = read_u16(body);
    read_skip(body, 2);
    return act->value > 0xfff ? OFPERR_BAC_BAD_ARGUMENT : 0;
}

static void encode_vid(struct act_writing *out, const struct act *act)
{
    if (out->version == OF10)
        act_put_u16(out, act);
    else
        set_of13(out, FIELD_VLAN_VID, act_u32_of(act) | VLAN_TCI_PRESENT);
}

const struct act_codec act_codec_set_vlan_vid = {
    .wires = ACT_WIRES(OF10_FORM(1, decode_vid)),
    .encode = encode_vid,
};

static int decode_pcp(struct reader *body, const struct act_reading *in)
{
    struct act_u32 *act = act_buffer_add_type(in->acts, ACT_SET_VLAN_PCP);

    act->value = read_u8(body);
    read_skip(body, 3);
    return act->value > 7 ? OFPERR_BAC_BAD_ARGUMENT : 0;
}

static void encode_pcp(struct act_writing *out, const struct act *act)
{
    if (out->version == OF10)
        act_put_u8(out, act);
    else
        set_of13(out, FIELD_VLAN_PCP, act_u32_of(act));
}

const struct act_codec act_codec_set_vlan_pcp = {
    .wires = ACT_WIRES(OF10_FORM(2, decode_pcp)),
    .encode = encode_pcp,
};
