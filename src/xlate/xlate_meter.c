/* Translation: meters. */
#include "src/tables/meter.h"
#include "src/xlate/act_xlate_impl.h"

static void meter(struct xlate_ctx *ctx, const struct act *act, bool last)
{
    const struct meter_entry *entry = meter_table_find(pipeline_meters(ctx->bridge->pipeline), act_u32_of(act));

    if (!entry) {
        xlate_note(ctx, " >> no such meter");
        return;
    }
    /* Packets count whether or not anything sends them on. */
    xlate_emit(ctx, OP_METER, entry->index);
    /* Which packets are remarked, and what they had before, is not known here. */
    if (meter_entry_remarks(entry))
        ctx->unparsed |= XLATE_UNPARSED_INNER;
}

const struct act_xlate act_xlate_meter = {.run = meter, .sees = ACT_SEES_NOTHING};
