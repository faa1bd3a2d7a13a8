/* controller(...) on the wire. */
#include "src/match/of_error.h"
#include "src/openflow/wire/act_codec_impl.h"

/* Properties of NXAST_CONTROLLER2. */
enum { NXAC2_MAX_LEN, NXAC2_CONTROLLER_ID, NXAC2_REASON, NXAC2_USERDATA, NXAC2_PAUSE, NXAC2_METER_ID };

static int decode_controller(struct reader *r, const struct act_reading *in)
{
    struct act_controller *act = act_buffer_add_type(in->acts, ACT_CONTROLLER);

    act->max_len = read_u16(r);
    act->controller_id = read_u16(r);
    act->reason = read_u8(r);
    read_skip(r, 1);
    return act->reason < OF_N_REASONS ? 0 : OFPERR_BAC_BAD_ARGUMENT;
}

static int decode_controller2(struct reader *r, const struct act_reading *in)
{
    struct act_controller head = {.max_len = UINT16_MAX, .reason = OF_REASON_ACTION}, *act;
    struct reader userdata = {NULL, 0, false}, value;
    uint16_t type;
    int more;

    read_skip(r, 6);
    while ((more = read_property(r, &type, &value)) > 0) {
        switch (type) {
        case NXAC2_MAX_LEN:
            head.max_len = read_u16(&value);
            break;
        case NXAC2_CONTROLLER_ID:
            head.controller_id = read_u16(&value);
            break;
        case NXAC2_REASON:
            head.reason = read_u8(&value);
            break;
        case NXAC2_USERDATA:
            userdata = value;
            break;
        case NXAC2_PAUSE:
            head.pause = 1;
            break;
        case NXAC2_METER_ID:
            head.meter_id = read_u32(&value);
            break;
        default:
            return OFPERR_BAC_BAD_ARGUMENT;
        }
        if (value.bad)
            return OFPERR_BAC_BAD_LEN;
    }
    if (more < 0)
        return OFPERR_BAC_BAD_LEN;
    if (head.reason >= OF_N_REASONS)
        return OFPERR_BAC_BAD_ARGUMENT;
    act = act_buffer_add(in->acts, ACT_CONTROLLER, sizeof *act + userdata.left);
    head.h = act->h;
    *act = head;
    act->userdata_len = (uint16_t)userdata.left;
    if (userdata.left)
        memcpy(act->userdata, userdata.p, userdata.left);
    return 0;
}

static void put_property(struct of_buf *buf, uint16_t type, const void *value, uint16_t len)
{
    size_t start = buf->len;

    of_buf_add_u16(buf, type);
    of_buf_add_u16(buf, 4 + len);
    of_buf_add_bytes(buf, value, len);
    of_buf_pad(buf, start, 8);
}

static void encode_controller(struct act_writing *out, const struct act *header)
{
    const struct act_controller *act = (const struct act_controller *)header;
    struct of_buf *buf = out->buf;
    uint16_t max_len = rte_cpu_to_be_16(act->max_len), id = rte_cpu_to_be_16(act->controller_id);
    uint32_t meter_id = rte_cpu_to_be_32(act->meter_id);
    size_t start;

    if (!act->userdata_len && !act->pause && !act->meter_id) {
        start = nicira_begin(buf, NXAST_CONTROLLER);
        of_buf_add_u16(buf, act->max_len);
        of_buf_add_u16(buf, act->controller_id);
        of_buf_add_u8(buf, act->reason);
        of_buf_add_u8(buf, 0);
        act_end(buf, start);
        return;
    }
    start = nicira_begin(buf, NXAST_CONTROLLER2);
    of_buf_add(buf, 6);
    if (act->max_len != UINT16_MAX)
        put_property(buf, NXAC2_MAX_LEN, &max_len, 2);
    if (act->controller_id)
        put_property(buf, NXAC2_CONTROLLER_ID, &id, 2);
    if (act->reason != OF_REASON_ACTION)
        put_property(buf, NXAC2_REASON, &act->reason, 1);
    if (act->userdata_len)
        put_property(buf, NXAC2_USERDATA, act->userdata, act->userdata_len);
    if (act->pause)
        put_property(buf, NXAC2_PAUSE, NULL, 0);
    if (act->meter_id)
        put_property(buf, NXAC2_METER_ID, &meter_id, 4);
    act_end(buf, start);
}

const struct act_codec act_codec_controller = {
    .wires = ACT_WIRES(NICIRA(NXAST_CONTROLLER, OF_VERSIONS, decode_controller),
                       NICIRA(NXAST_CONTROLLER2, OF_VERSIONS, decode_controller2)),
    .encode = encode_controller,
};
