/* Translation: actions that change rules. */
#include <stdlib.h>

#include "pmd/base/clock.h"
#include "pmd/datapath.h"
#include "src/tables/learn.h"
#include "src/xlate/act_xlate_impl.h"

/* Bits of the TCP flags that fin_timeout waits for: FIN and RST. */
#define TCP_FIN_RST 0x005

/* Consults the bits that the learned rule takes from the packet: the megaflow must have them. */
static void consult_sources(struct xlate_ctx *ctx, const struct act_learn *learn)
{
    union field_value value;

    for (uint32_t i = 0; i < learn->n_specs; i++) {
        if (!learn->specs[i].immediate)
            xlate_read_value(ctx, &learn->specs[i].src, &value);
    }
}

static void trace_rule(struct xlate_ctx *ctx, const struct rule *rule, bool refused)
{
    struct match match;
    char *match_text, *acts_text;

    rule_match(rule, &match);
    match_text = match_format(&match, NULL, NULL);
    acts_text = act_list_format(&rule->acts, NULL, NULL);
    xlate_note(ctx, " -> table=%u priority=%u %s%sactions=%s", rule->table_id, rule->priority, match_text,
               *match_text ? " " : "", acts_text);
    if (refused)
        xlate_note(ctx, " >> not learned: the limit is reached");
    free(match_text);
    free(acts_text);
}

static void run_learn(struct xlate_ctx *ctx, const struct act *act, bool last)
{
    const struct act_learn *learn = (const struct act_learn *)act;
    struct pipeline *pipeline = ctx->bridge->pipeline;
    struct xlate_effect effect = {.type = EFFECT_LEARN, .limit = learn->limit};
    enum learn_result result;

    consult_sources(ctx, learn);
    effect.rule = learn_rule(pipeline, learn, &ctx->flow);
    if (ctx->in->side_effects) {
        xlate_pin_rules(ctx);
        result = pipeline_learn(pipeline, effect.rule, learn->limit, clock_now_ms());
        ctx->out->deps.changed_rules |= result == LEARN_CHANGED;
    } else {
        result = pipeline_would_learn(pipeline, effect.rule, learn->limit);
    }
    effect.refused = result == LEARN_REFUSED;
    if (ctx->in->trace)
        trace_rule(ctx, effect.rule, effect.refused);
    if (learn->flags & LEARN_WRITE_RESULT)
        xlate_write_number(ctx, &learn->result_dst, !effect.refused);
    xlate_add_effect(ctx, &effect);
}

const struct act_xlate act_xlate_learn = {.run = run_learn};

static void fin_timeout(struct xlate_ctx *ctx, const struct act *act, bool last)
{
    const struct act_fin_timeout *fin = (const struct act_fin_timeout *)act;
    struct xlate_effect effect = {.type = EFFECT_FIN_TIMEOUT, .idle_s = fin->idle_s, .hard_s = fin->hard_s};

    XLATE_CONSULT(ctx, tcp_flags, RTE_BE16(TCP_FIN_RST));
    if (!(ctx->flow.pkt.tcp_flags & RTE_BE16(TCP_FIN_RST)) || !ctx->rule)
        return;
    if (ctx->in->side_effects)
        pipeline_reduce_timeouts(ctx->bridge->pipeline, ctx->rule, fin->idle_s, fin->hard_s);
    effect.rule = rule_ref(ctx->rule);
    xlate_add_effect(ctx, &effect);
}

const struct act_xlate act_xlate_fin_timeout = {.run = fin_timeout};
