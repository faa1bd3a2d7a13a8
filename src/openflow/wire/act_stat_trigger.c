/* The instruction STAT_TRIGGER (OpenFlow 1.5.1, 7.2.5). */
#include "src/match/of_error.h"
#include "src/openflow/wire/act_codec_impl.h"
#include "src/openflow/wire/oxs.h"

#define NS UINT64_C(1000000000) /* of a second */

/* In the order of enum stat_threshold. */
static const uint32_t bits[STAT_N_THRESHOLDS] = {OXS_DURATION, OXS_IDLE_TIME, OXS_PACKET_COUNT, OXS_BYTE_COUNT};

/* A flow entry counts no flows; and what nothing can cross is no trigger. */
static bool is_supported(uint32_t flags, const struct oxs_stats *stats)
{
    return !(flags & ~(STAT_TRIGGER_PERIODIC | STAT_TRIGGER_ONLY_FIRST)) && !stats->unknown && stats->present != 0 &&
           !(stats->present & OXS_FLOW_COUNT) && stats->duration_ns < NS && stats->idle_ns < NS;
}

static int decode_stat_trigger(struct reader *body, const struct act_reading *in)
{
    uint32_t flags = read_u32(body);
    struct oxs_stats stats;
    struct act_stat_trigger *act;

    if (body->bad || oxs_decode(body, &stats))
        return OFPERR_BIC_BAD_LEN;
    if (!is_supported(flags, &stats))
        return OFPERR_BIC_UNSUP_INST;
    act = act_buffer_add_type(in->acts, ACT_STAT_TRIGGER);
    act->flags = flags;
    for (unsigned i = 0; i < STAT_N_THRESHOLDS; i++)
        if (stats.present & bits[i])
            act->present |= 1u << i;
    act->thresholds[STAT_DURATION] = stats.duration_s * NS + stats.duration_ns;
    act->thresholds[STAT_IDLE_TIME] = stats.idle_s * NS + stats.idle_ns;
    act->thresholds[STAT_PACKETS] = stats.packets;
    act->thresholds[STAT_BYTES] = stats.bytes;
    return 0;
}

static void encode_stat_trigger(struct act_writing *out, const struct act *header)
{
    const struct act_stat_trigger *act = (const struct act_stat_trigger *)header;
    struct oxs_stats stats = {
        .duration_s = (uint32_t)(act->thresholds[STAT_DURATION] / NS),
        .duration_ns = (uint32_t)(act->thresholds[STAT_DURATION] % NS),
        .idle_s = (uint32_t)(act->thresholds[STAT_IDLE_TIME] / NS),
        .idle_ns = (uint32_t)(act->thresholds[STAT_IDLE_TIME] % NS),
        .packets = act->thresholds[STAT_PACKETS],
        .bytes = act->thresholds[STAT_BYTES],
    };
    size_t start = act_begin(out->buf, 7);

    for (unsigned i = 0; i < STAT_N_THRESHOLDS; i++)
        if (act->present >> i & 1)
            stats.present |= bits[i];
    of_buf_add_u32(out->buf, act->flags);
    oxs_encode(out->buf, &stats);
    act_end(out->buf, start);
}

const struct act_codec act_codec_stat_trigger = {
    .instruction =
        {
            .number = 7,
            .versions = SINCE_OF15,
            .before = true,
            .decode = decode_stat_trigger,
            .encode = encode_stat_trigger,
        },
};
