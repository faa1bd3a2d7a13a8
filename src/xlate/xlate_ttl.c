/* Translation: the TTL of IP. That of MPLS labels is in xlate_mpls.c. */
#include "src/xlate/act_xlate_impl.h"

static void write_ttl(struct xlate_ctx *ctx, uint8_t ttl)
{
    ctx->flow.pkt.ip_ttl = ttl;
    ctx->written.pkt.ip_ttl = ctx->dirty.pkt.ip_ttl = UINT8_MAX;
    ctx->any_written = ctx->any_dirty = true;
}

static void set_ip_ttl(struct xlate_ctx *ctx, const struct act *act, bool last)
{
    if (xlate_has_field(ctx, field_by_id(FIELD_IP_TTL)))
        write_ttl(ctx, (uint8_t)act_u32_of(act));
}

const struct act_xlate act_xlate_set_ip_ttl = {.run = set_ip_ttl, .sees = ACT_SEES_HEADERS};

static void dec_ttl(struct xlate_ctx *ctx, const struct act *act, bool last)
{
    const struct act_dec_ttl *dec = (const struct act_dec_ttl *)act;

    if (!xlate_has_field(ctx, field_by_id(FIELD_IP_TTL)))
        return;
    XLATE_CONSULT(ctx, ip_ttl, 0xff);
    if (ctx->flow.pkt.ip_ttl > 1) {
        write_ttl(ctx, ctx->flow.pkt.ip_ttl - 1);
        return;
    }
    xlate_note(ctx, " >> %s decrement TTL exception",
               ctx->flow.pkt.eth_type == RTE_BE16(RTE_ETHER_TYPE_IPV4) ? "IPv4" : "IPv6");
    for (unsigned i = 0; i < dec->n_ids; i++)
        xlate_controller(ctx, 2 /* OFPR_INVALID_TTL */, dec->ids[i], UINT16_MAX);
    if (!dec->with_ids)
        xlate_controller(ctx, 2 /* OFPR_INVALID_TTL */, 0, UINT16_MAX);
    xlate_reject(ctx);
}

const struct act_xlate act_xlate_dec_ttl = {.run = dec_ttl, .sees = ACT_SEES_HEADERS};
