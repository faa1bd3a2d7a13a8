/* What packets do to rules (learn, fin_timeout), for those that megaflows took: with the statistics, as these show that
 * there were packets. So a rule that was learned and went, or was deleted, is learned again by the next pass over the
 * counters after its next packet, or when the megaflow is translated again. */
#include <stdlib.h>
#include <string.h>

#include "pmd/base/memory.h"
#include "src/tables/learn.h"
#include "src/upcall/flows_impl.h"

struct effects {
    unsigned n;
    struct xlate_effect list[];
};

static void effects_free(struct effects *effects)
{
    for (unsigned i = 0; effects && i < effects->n; i++)
        rule_unref(effects->list[i].rule);
    free(effects);
}

void effects_drop(struct mf_record *record)
{
    effects_free(record->effects);
    record->effects = NULL;
}

void effects_keep(struct mf_record *record, struct xlate_deps *deps)
{
    size_t size = deps->n_effects * sizeof deps->effects[0];

    effects_drop(record);
    if (deps->n_effects == 0)
        return;
    record->effects = malloc(sizeof *record->effects + size);
    if (!record->effects)
        out_of_memory("the bookkeeping of megaflows", 0);
    record->effects->n = deps->n_effects;
    memcpy(record->effects->list, deps->effects, size);
    deps->n_effects = 0;
}

static void run(struct flows *flows, struct mf_record *record, struct xlate_effect *effect)
{
    struct pipeline *pipeline = effect->bridge->pipeline;
    bool refused;

    if (effect->type == EFFECT_FIN_TIMEOUT) {
        pipeline_reduce_timeouts(pipeline, effect->rule, effect->idle_s, effect->hard_s);
        return;
    }
    refused = pipeline_learn(pipeline, effect->rule, effect->limit, record->used_ms) == LEARN_REFUSED;
    /* The actions may go on by the result. */
    if (refused != effect->refused)
        record_mark(flows, record);
    effect->refused = refused;
}

void effects_run(struct flows *flows, struct mf_record *record)
{
    if (!record->untaught || record_marked(record))
        return;
    record->untaught = false;
    for (unsigned i = 0; record->effects && i < record->effects->n; i++)
        run(flows, record, &record->effects->list[i]);
}

/* The rule that did this to rules may be gone, and with it what it taught: that is not to come back. */
static void run_late(const struct mf_record *record, const struct xlate_effect *effect)
{
    struct pipeline *pipeline = effect->bridge->pipeline;

    if (effect->type == EFFECT_FIN_TIMEOUT)
        pipeline_reduce_timeouts(pipeline, effect->rule, effect->idle_s, effect->hard_s);
    else
        pipeline_learn_refresh(pipeline, effect->rule, record->used_ms);
}

static struct xlate_effect *find(const struct effects *effects, const struct xlate_effect *like)
{
    for (unsigned i = 0; effects && i < effects->n; i++) {
        const struct xlate_effect *effect = &effects->list[i];

        if (effect->bridge == like->bridge && effect->type == like->type && effect->limit == like->limit &&
            effect->idle_s == like->idle_s && effect->hard_s == like->hard_s &&
            (effect->type == EFFECT_LEARN ? learn_rules_equal(effect->rule, like->rule) : effect->rule == like->rule))
            return (struct xlate_effect *)(uintptr_t)effect;
    }
    return NULL;
}

void effects_follow(struct flows *flows, struct mf_record *record, struct xlate_deps *deps)
{
    struct effects *old = record->effects;
    bool due = record->untaught;

    record->effects = NULL;
    record->untaught = false;
    effects_keep(record, deps);
    for (unsigned i = 0; due && old && i < old->n; i++) {
        struct xlate_effect *effect = find(record->effects, &old->list[i]);

        if (effect)
            run(flows, record, effect);
        else
            run_late(record, &old->list[i]);
    }
    effects_free(old);
}

void effects_end(struct mf_record *record)
{
    for (unsigned i = 0; record->untaught && record->effects && i < record->effects->n; i++)
        run_late(record, &record->effects->list[i]);
    effects_drop(record);
}
