#include "src/tables/rule.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "pmd/base/memory.h"
#include "src/tables/conjunction.h"
#include "src/tables/evict.h"

/* Where the actions are that the rule was made with: behind its match. */
static struct act *own_acts(const struct rule *rule)
{
    return (struct act *)((char *)rule->match + minimatch_size(rule->match->mask));
}

static struct rule *rule_alloc(const struct minimask *mask, const struct act_list *acts)
{
    struct rule *rule = malloc(sizeof *rule + minimatch_size(mask) + acts->len);

    if (!rule)
        out_of_memory("rules, groups and meters", 0);
    memset(rule, 0, sizeof *rule);
    rule->match = (struct minimatch *)(rule + 1);
    rule->refs = 1;
    LIST_INIT(&rule->dependents);
    return rule;
}

static void place_acts(struct rule *rule, const struct act_list *acts)
{
    struct act *own = own_acts(rule);

    if (acts->len > 0)
        memcpy(own, acts->acts, acts->len);
    rule->acts = (struct act_list){.acts = own, .len = acts->len};
    rule->conjunctive = act_list_is_clause(acts);
}

struct rule *rule_create(struct minimask *mask, const struct flow *value, const struct act_list *acts)
{
    struct rule *rule = rule_alloc(mask, acts);

    minimatch_init(rule->match, mask, value);
    place_acts(rule, acts);
    return rule;
}

struct rule *rule_create_like(const struct rule *rule, const struct act_list *acts)
{
    struct rule *copy = rule_alloc(rule->match->mask, acts);

    memcpy(copy->match, rule->match, minimatch_size(rule->match->mask));
    minimask_ref(copy->match->mask);
    place_acts(copy, acts);
    return copy;
}

void rule_set_acts(struct rule *rule, const struct act_list *acts)
{
    struct act *copy = malloc(acts->len > 0 ? acts->len : 1);

    if (!copy)
        out_of_memory("rules, groups and meters", 0);
    if (acts->len > 0)
        memcpy(copy, acts->acts, acts->len);
    if (rule->acts.acts != own_acts(rule))
        free((void *)(uintptr_t)rule->acts.acts);
    rule->acts = (struct act_list){.acts = copy, .len = acts->len};
    rule->conjunctive = act_list_is_clause(acts);
}

struct rule *rule_ref(struct rule *rule)
{
    rule->refs++;
    return rule;
}

void rule_unref(struct rule *rule)
{
    if (--rule->refs > 0)
        return;
    if (rule->acts.acts != own_acts(rule))
        free((void *)(uintptr_t)rule->acts.acts);
    minimask_unref(rule->match->mask);
    free(rule);
}

void rule_note_used(struct rule *rule, uint64_t used_ms)
{
    if (used_ms <= rule->used_ms)
        return;
    rule->used_ms = used_ms;
    evict_update(rule);
}

void rule_match(const struct rule *rule, struct match *match)
{
    minimatch_expand(rule->match, match);
}

size_t rule_memory(const struct rule *rule)
{
    size_t bytes = malloc_usable_size((void *)(uintptr_t)rule) + sizeof(size_t);

    if (rule->acts.acts != own_acts(rule))
        bytes += malloc_usable_size((void *)(uintptr_t)rule->acts.acts) + sizeof(size_t);
    return bytes;
}

uint64_t rule_hard_deadline_ms(const struct rule *rule)
{
    uint64_t start = rule->flags & RULE_LEARNED ? rule->modified_ms : rule->created_ms;

    return rule->hard_timeout_s > 0 ? start + rule->hard_timeout_s * UINT64_C(1000) : UINT64_MAX;
}

uint64_t rule_deadline_ms(const struct rule *rule)
{
    uint64_t deadline = rule_hard_deadline_ms(rule);

    if (rule->idle_timeout_s > 0) {
        uint64_t idle = rule->used_ms + rule->idle_timeout_s * UINT64_C(1000);

        if (idle < deadline)
            deadline = idle;
    }
    return deadline;
}
