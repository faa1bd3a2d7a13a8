/* set_queue, pop_queue, and OpenFlow 1.0's enqueue on the wire. */
#include "src/openflow/wire/act_codec_impl.h"

const struct act_codec act_codec_set_queue = {
    .wires = ACT_WIRES(STANDARD(21, SINCE_OF13, act_read_u32),
                       NICIRA_FOR_STANDARD(NXAST_SET_QUEUE, OF_VERSIONS, act_read_u32)),
    .encode = act_put_u32,
};

const struct act_codec act_codec_pop_queue = {
    .wires = ACT_WIRES(NICIRA(NXAST_POP_QUEUE, OF_VERSIONS, act_read_plain)),
    .encode = act_put_plain,
};

static int decode_enqueue(struct reader *body, const struct act_reading *in)
{
    struct act_enqueue *act = act_buffer_add_type(in->acts, ACT_ENQUEUE);

    act->port = port_from_of10(read_u16(body));
    read_skip(body, 6);
    act->queue = read_u32(body);
    return 0;
}

/* Later versions say it by three actions. */
static void encode_enqueue(struct act_writing *out, const struct act *act)
{
    const struct act_enqueue *a = (const struct act_enqueue *)act;
    const struct act_u32 set = {.h = {.type = ACT_SET_QUEUE}, .value = a->queue};
    const struct act_output output = {.h = {.type = ACT_OUTPUT}, .port = a->port};
    const struct act pop = {.type = ACT_POP_QUEUE};

    if (out->version == OF10) {
        size_t start = act_begin(out->buf, 11);

        of_buf_add_u16(out->buf, port_to_of10(a->port));
        of_buf_add(out->buf, 6);
        of_buf_add_u32(out->buf, a->queue);
        act_end(out->buf, start);
        return;
    }
    act_encode(out, &set.h);
    act_encode(out, &output.h);
    act_encode(out, &pop);
}

const struct act_codec act_codec_enqueue = {
    .wires = ACT_WIRES(STANDARD(11, IN_OF10, decode_enqueue)),
    .encode = encode_enqueue,
};
