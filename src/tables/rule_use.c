#include "src/tables/rule_use.h"

#include <stdlib.h>

#include "pmd/base/memory.h"
#include "src/actions/act_fields.h"
#include "src/match/tlv_map.h"
#include "src/tables/change.h"
#include "src/tables/classifier.h"
#include "src/tables/group.h"
#include "src/tables/learn.h"
#include "src/tables/meter.h"
#include "src/tables/stat_trigger.h"
#include "src/tables/table.h"

bool rule_uses_move(struct rule_uses *from, struct rule_uses *to, size_t *budget)
{
    struct rule_use *use;

    for (; (use = LIST_FIRST(&from->list)); --*budget) {
        if (*budget == 0)
            return false;
        LIST_REMOVE(use, node);
        LIST_INSERT_HEAD(&to->list, use, node);
        use->of = to;
        from->n--;
        to->n++;
    }
    return true;
}

/* The account of rules with this action: of the group or meter that it names, or of the list of triggers. NULL: it
 * names none, or one that does not exist. */
static struct rule_uses *used_by(struct pipeline *pipeline, const struct act *act)
{
    struct act_ref ref = act_ref(act);

    if (act->type == ACT_STAT_TRIGGER)
        return &pipeline->triggers;
    if (ref.type == ACT_REF_GROUP) {
        struct group *group = group_table_find_next(pipeline->groups, ref.id);

        return !group ? NULL : group->users;
    }
    if (ref.type == ACT_REF_METER && pipeline->meters) {
        struct meter_entry *meter = meter_table_find_next(pipeline->meters, ref.id);

        return !meter ? NULL : &meter->users;
    }
    return NULL;
}

bool rule_uses_remove(struct pipeline *pipeline, const struct rule_uses *uses, enum rule_removed_reason reason,
                      size_t *budget)
{
    struct rule_use *use;

    if (pipeline->removing != uses)
        pipeline->remove_next = LIST_FIRST(&uses->list);
    pipeline->removing = uses;
    for (; (use = pipeline->remove_next); --*budget) {
        if (*budget == 0)
            return false;
        /* A rule of the change goes at once, with all of its uses: then this is a later one. */
        pipeline->remove_next = LIST_NEXT(use, node);
        if (rule_visible(use->rule, change_version(pipeline)))
            change_remove_for(pipeline, use->rule, reason);
    }
    pipeline->removing = NULL;
    return true;
}

int rule_uses_check(struct pipeline *pipeline, const struct act_list *acts)
{
    ACT_FOR_EACH (act, acts) {
        enum act_ref_type type = act_ref(act).type;
        struct act_list inner;
        int error = 0;

        if (act_nested(act, &inner))
            error = rule_uses_check(pipeline, &inner);
        else if (type != ACT_REF_NONE && !used_by(pipeline, act))
            error = type == ACT_REF_GROUP ? OFPERR_BAC_BAD_OUT_GROUP : OFPERR_BAC_BAD_METER;
        if (error != 0)
            return error;
    }
    return 0;
}

static void link_list(struct pipeline *pipeline, struct rule *rule, const struct act_list *acts)
{
    ACT_FOR_EACH (act, acts) {
        struct rule_uses *of;
        struct rule_use *use;
        struct act_list inner;

        if (act_nested(act, &inner)) {
            link_list(pipeline, rule, &inner);
            continue;
        }
        of = used_by(pipeline, act);
        if (!of)
            continue;
        use = act->type == ACT_STAT_TRIGGER ? stat_trigger_watch(act) : calloc(1, sizeof *use);
        if (!use)
            out_of_memory("rules, groups and meters", 0);
        use->of = of;
        use->rule = rule;
        use->next = rule->uses;
        rule->uses = use;
        LIST_INSERT_HEAD(&of->list, use, node);
        of->n++;
    }
}

void rule_uses_link(struct pipeline *pipeline, struct rule *rule)
{
    learn_note_acts(pipeline, rule);
    tlv_map_count_mask(rule->match->mask, 1);
    act_list_count_options(&rule->acts, 1);
    link_list(pipeline, rule, &rule->acts);
}

void rule_uses_unlink(struct rule *rule)
{
    struct rule_use *use;

    learn_forget_acts(rule->pipeline, rule);
    tlv_map_count_mask(rule->match->mask, -1);
    act_list_count_options(&rule->acts, -1);
    while ((use = rule->uses)) {
        rule->uses = use->next;
        if (use == rule->pipeline->trigger_next)
            rule->pipeline->trigger_next = LIST_NEXT(use, node);
        if (use == rule->pipeline->remove_next)
            rule->pipeline->remove_next = LIST_NEXT(use, node);
        LIST_REMOVE(use, node);
        use->of->n--;
        free(use);
    }
}
