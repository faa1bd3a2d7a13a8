#include "src/tables/select.h"

#include <stdlib.h>

#include "pmd/base/memory.h"
#include "src/match/tlv_map.h"

void selector_init(struct selector *selector, const struct rule_filter *filter, bool hidden)
{
    *selector = (struct selector){
        .cookie = filter->cookie & filter->cookie_mask,
        .cookie_mask = filter->cookie_mask,
        .out_port = filter->out_port,
        .out_group = filter->out_group,
        .hidden = hidden,
        .hidden_too = filter->hidden_too,
    };
    if (filter->match) {
        struct minimask *mask = minimask_create(&filter->match->mask);

        selector->match = malloc(minimatch_size(mask));
        if (!selector->match)
            out_of_memory("rules, groups and meters", 0);
        minimatch_init(selector->match, mask, &filter->match->value);
        tlv_map_count_mask(mask, 1);
    }
}

void selector_free(struct selector *selector)
{
    if (selector->match) {
        tlv_map_count_mask(selector->match->mask, -1);
        minimask_unref(selector->match->mask);
    }
    free(selector->match);
}

bool selector_takes_attributes(const struct selector *selector, const struct rule *rule)
{
    return (selector->hidden_too || ((rule->flags & RULE_HIDDEN) != 0) == selector->hidden) &&
           (rule->cookie & selector->cookie_mask) == selector->cookie &&
           (selector->out_port == OFPORT_ANY || act_list_outputs_to(&rule->acts, selector->out_port)) &&
           (selector->out_group == OFGROUP_ANY || act_list_uses_group(&rule->acts, selector->out_group));
}

bool selector_takes_mask(const struct selector *selector, const struct minimask *mask)
{
    return !selector->match || minimask_covers(selector->match->mask, mask);
}

bool selector_takes(const struct selector *selector, const struct rule *rule)
{
    if (selector->match) {
        const struct minimask *mask = selector->match->mask;

        MINIMASK_FOR_EACH(word, i, mask)
        {
            uint64_t value = rule->match->values[minimask_index(rule->match->mask, (unsigned)word)];

            if ((value & mask->words[i]) != selector->match->values[i])
                return false;
        }
    }
    return selector_takes_attributes(selector, rule);
}
