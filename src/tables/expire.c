/* Timeouts: a wheel of slots, each with the rules that may be due then; a rule that was used meanwhile moves on to a
 * later one. Control thread. */
#include "pmd/base/clock.h"
#include "pmd/datapath.h"
#include "src/tables/evict.h"
#include "src/tables/rule.h"
#include "src/tables/table.h"

/* Rules looked at for each one that may be removed: those that were used meanwhile cost time, too. */
#define LOOKS_PER_REMOVAL 64

void expire_init(struct pipeline *pipeline)
{
    pipeline->wheel_tick = clock_now_ms() / WHEEL_SLOT_MS;
}

void expire_cancel(struct rule *rule)
{
    if (!rule->expiry_node.le_prev)
        return;
    LIST_REMOVE(rule, expiry_node);
    rule->expiry_node.le_prev = NULL;
}

void expire_schedule(struct pipeline *pipeline, struct rule *rule)
{
    uint64_t deadline = rule_deadline_ms(rule);

    expire_cancel(rule);
    if (deadline == UINT64_MAX)
        return;

    /* The slot's time is not before the deadline: what is found there is due unless it was used. */
    uint64_t tick = (deadline + WHEEL_SLOT_MS - 1) / WHEEL_SLOT_MS;
    uint64_t farthest = pipeline->wheel_tick + WHEEL_SLOTS - 1;

    if (tick < pipeline->wheel_tick)
        tick = pipeline->wheel_tick;
    if (tick > farthest)
        tick = farthest;
    LIST_INSERT_HEAD(&pipeline->wheel[tick % WHEEL_SLOTS], rule, expiry_node);
}

unsigned pipeline_expire(struct pipeline *pipeline, uint64_t now_ms, unsigned budget)
{
    unsigned removed = 0;
    uint64_t looks = (uint64_t)budget * LOOKS_PER_REMOVAL;
    uint64_t now_tick = now_ms / WHEEL_SLOT_MS;

    if (now_tick >= pipeline->wheel_tick + 2 * WHEEL_SLOTS) /* nobody called for long: one turn sees every slot */
        pipeline->wheel_tick = now_tick - WHEEL_SLOTS;
    for (; pipeline->wheel_tick <= now_tick; pipeline->wheel_tick++) {
        struct rule *rule;

        while ((rule = LIST_FIRST(&pipeline->wheel[pipeline->wheel_tick % WHEEL_SLOTS]))) {
            if (removed >= budget || looks-- == 0)
                return removed;
            if (rule_deadline_ms(rule) <= now_ms) {
                expire_cancel(rule);
                pipeline_remove_rule(pipeline, rule,
                                     rule_hard_deadline_ms(rule) <= now_ms ? RULE_HARD_TIMEOUT : RULE_IDLE_TIMEOUT);
                removed++;
            } else {
                expire_schedule(pipeline, rule);
            }
        }
    }
    return removed;
}

void pipeline_reduce_timeouts(struct pipeline *pipeline, struct rule *rule, uint16_t idle_s, uint16_t hard_s)
{
    if (rule->removed)
        return;
    if (idle_s > 0 && (rule->idle_timeout_s == 0 || idle_s < rule->idle_timeout_s))
        rule->idle_timeout_s = idle_s;
    if (hard_s > 0 && (rule->hard_timeout_s == 0 || hard_s < rule->hard_timeout_s))
        rule->hard_timeout_s = hard_s;
    evict_update(rule);
    expire_schedule(pipeline, rule);
    record_rule(pipeline, rule, true);
}
