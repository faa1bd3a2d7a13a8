#include "src/tables/stat_trigger.h"

#include <stdlib.h>

#include "pmd/base/memory.h"
#include "src/tables/classifier.h"
#include "src/tables/table.h"

#define NONE STAT_N_THRESHOLDS

struct stat_watch {
    struct rule_use use; /* in pipeline->triggers */
    const struct act_stat_trigger *act;
    uint64_t reached[STAT_N_THRESHOLDS]; /* multiples of each threshold at the last pass */
    unsigned only;                       /* enum stat_threshold: that was crossed first and counts alone, or NONE */
};

struct rule_use *stat_trigger_watch(const struct act *act)
{
    struct stat_watch *watch = calloc(1, sizeof *watch);

    if (!watch)
        out_of_memory("rules, groups and meters", 0);
    watch->act = (const struct act_stat_trigger *)act;
    watch->only = NONE;
    return &watch->use;
}

static uint64_t value_of(const struct rule *rule, enum stat_threshold threshold, uint64_t now_ms)
{
    switch (threshold) {
    case STAT_DURATION:
        return (now_ms - rule->created_ms) * 1000000;
    case STAT_IDLE_TIME:
        return now_ms > rule->used_ms ? (now_ms - rule->used_ms) * 1000000 : 0;
    case STAT_PACKETS:
        return rule->packets;
    case STAT_BYTES:
        return rule->bytes;
    case STAT_N_THRESHOLDS:
        break;
    }
    return 0;
}

/* How many multiples of the threshold the value has come to; without OFPSTF_PERIODIC only the first is of interest. */
static uint64_t multiples(const struct act_stat_trigger *act, enum stat_threshold threshold, uint64_t value)
{
    uint64_t step = act->thresholds[threshold];

    if (act->flags & STAT_TRIGGER_PERIODIC && step > 0)
        return value / step;
    return value >= step;
}

/* True: the rule has crossed one. What falls again (a time of idleness, counters that are reset) can cross again. */
static bool check(struct stat_watch *watch, uint64_t now_ms)
{
    const struct act_stat_trigger *act = watch->act;
    bool crossed = false;

    for (unsigned t = 0; t < STAT_N_THRESHOLDS; t++) {
        uint64_t n;

        if (!(act->present >> t & 1) || (watch->only != NONE && watch->only != t))
            continue;
        n = multiples(act, t, value_of(watch->use.rule, t, now_ms));
        if (n > watch->reached[t]) {
            crossed = true;
            if (act->flags & STAT_TRIGGER_ONLY_FIRST)
                watch->only = t;
        }
        watch->reached[t] = n;
    }
    return crossed;
}

void pipeline_triggers_begin(struct pipeline *pipeline)
{
    pipeline->trigger_next = LIST_FIRST(&pipeline->triggers.list);
}

bool pipeline_triggers_run(struct pipeline *pipeline, uint64_t now_ms, unsigned budget)
{
    const struct pipeline_observer *observer = &pipeline->observer;
    struct rule_use *use;

    for (; budget > 0 && (use = pipeline->trigger_next); budget--) {
        pipeline->trigger_next = LIST_NEXT(use, node);
        if (!rule_visible(use->rule, pipeline->version) || !check((struct stat_watch *)use, now_ms))
            continue;
        if (observer->rule_triggered)
            observer->rule_triggered(observer->arg, use->rule);
    }
    return pipeline->trigger_next;
}
