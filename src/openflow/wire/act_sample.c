/* sample on the wire: three forms, each with more to say. */
#include "src/match/of_error.h"
#include "src/openflow/wire/act_wire.h"

int act_decode_sample(struct reader *r, uint16_t subtype, struct act_buffer *acts)
{
    struct act_sample *act = act_buffer_add(acts, ACT_SAMPLE, sizeof *act);
    uint16_t port;

    act->probability = read_u16(r);
    act->collector_set = read_u32(r);
    act->obs_domain = read_u32(r);
    act->obs_point = read_u32(r);
    act->port = OFPORT_ANY;
    if (subtype != NXAST_SAMPLE) {
        port = read_u16(r);
        act->direction = read_u8(r);
        read_skip(r, 5);
        act->port = port_from_of10(port);
    }
    if (subtype == NXAST_SAMPLE2)
        act->direction = SAMPLE_ANY;
    return act->direction <= SAMPLE_EGRESS && (r->bad || act->probability > 0) ? 0 : OFPERR_BAC_BAD_ARGUMENT;
}

void act_encode_sample(struct of_buf *buf, const struct act_sample *act)
{
    uint16_t subtype = act->direction != SAMPLE_ANY ? NXAST_SAMPLE3
                       : act->port != OFPORT_ANY    ? NXAST_SAMPLE2
                                                    : NXAST_SAMPLE;
    size_t start = nicira_begin(buf, subtype);

    of_buf_add_u16(buf, act->probability);
    of_buf_add_u32(buf, act->collector_set);
    of_buf_add_u32(buf, act->obs_domain);
    of_buf_add_u32(buf, act->obs_point);
    if (subtype != NXAST_SAMPLE) {
        of_buf_add_u16(buf, port_to_of10(act->port));
        of_buf_add_u8(buf, act->direction);
        of_buf_add(buf, 5);
    }
    act_end(buf, start);
}
