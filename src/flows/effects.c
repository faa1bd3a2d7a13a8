/* What packets do to rules (learn, fin_timeout), for those that megaflows took: with the statistics, as these show that
 * there were packets. So a rule that was learned and went, or was deleted, is learned again by the next pass over the
 * counters after its next packet. */
#include <stdlib.h>
#include <string.h>

#include "src/flows/flows_internal.h"
#include "src/pipeline/learn.h"

struct effects {
    unsigned n;
    struct xlate_effect list[];
};

void effects_drop(struct mf_record *record)
{
    for (unsigned i = 0; record->effects && i < record->effects->n; i++)
        rule_unref(record->effects->list[i].rule);
    free(record->effects);
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
        abort();
    record->effects->n = deps->n_effects;
    memcpy(record->effects->list, deps->effects, size);
    deps->n_effects = 0;
}

void effects_run(struct flows *flows, struct mf_record *record)
{
    struct bridge *bridge = record->path->bridge;

    for (unsigned i = 0; record->effects && i < record->effects->n; i++) {
        struct xlate_effect *effect = &record->effects->list[i];
        enum learn_result result;
        bool refused;

        if (effect->type == EFFECT_FIN_TIMEOUT) {
            pipeline_reduce_timeouts(bridge->pipeline, effect->rule, effect->idle_s, effect->hard_s);
            continue;
        }
        result = pipeline_learn(bridge->pipeline, effect->rule, effect->limit, record->used_ms);
        refused = result == LEARN_REFUSED;
        /* The actions may go on by the result. */
        if (refused != effect->refused)
            record_mark(flows, record);
        effect->refused = refused;
    }
}
