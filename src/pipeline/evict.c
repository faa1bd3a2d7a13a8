/* Which rule of a full table makes room for another (OpenFlow 1.4.1, 6.10). */
#include "src/pipeline/change.h"
#include "src/pipeline/classifier.h"
#include "src/pipeline/evict.h"
#include "src/pipeline/rule.h"

/* Is `a` to go before `b`? */
static bool goes_before(const struct rule *a, const struct rule *b, uint32_t factors)
{
    if (factors & TABLE_EVICT_IMPORTANCE && a->importance != b->importance)
        return a->importance < b->importance;
    if (factors & TABLE_EVICT_LIFETIME && rule_deadline_ms(a) != rule_deadline_ms(b))
        return rule_deadline_ms(a) < rule_deadline_ms(b);
    if (a->used_ms != b->used_ms)
        return a->used_ms < b->used_ms;
    return a->add_version < b->add_version;
}

struct rule *evict_choose(const struct pipeline *pipeline, uint8_t table_id, uint16_t importance)
{
    const struct classifier *cls = pipeline->tables[table_id];
    uint32_t factors = change_config(pipeline, table_id)->eviction;
    const struct subtable *subtable;
    struct rule *rule, *chosen = NULL;

    if (cls == NULL)
        return NULL;
    TAILQ_FOREACH (subtable, &cls->subtables, node) {
        TAILQ_FOREACH (rule, &subtable->rules, table_node) {
            if (rule->flags & RULE_HIDDEN || !rule_visible(rule, change_version(pipeline)))
                continue;
            if (chosen == NULL || goes_before(rule, chosen, factors))
                chosen = rule;
        }
    }
    if (chosen != NULL && factors & TABLE_EVICT_IMPORTANCE && chosen->importance > importance)
        return NULL;
    return chosen;
}
