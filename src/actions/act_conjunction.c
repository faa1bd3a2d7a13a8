/* conjunction: makes its rule a clause (ovs-fields(7), "Conjunctive Match Fields"). */
#include <inttypes.h>

#include "src/actions/act_impl.h"

bool act_list_is_clause(const struct act_list *list)
{
    ACT_FOR_EACH (act, list) {
        if (act->type == ACT_CONJUNCTION)
            return true;
    }
    return false;
}

/* Clauses may have notes beside them, nothing else: it would never be run. */
int act_check_clauses(const struct act_list *list)
{
    ACT_FOR_EACH (act, list) {
        if (act->type != ACT_CONJUNCTION && act->type != ACT_NOTE)
            return OFPERR_BAC_BAD_CONJUNCTION;
    }
    return 0;
}

static int check_conjunction(const struct act *act, struct act_known *k)
{
    const struct act_conjunction *a = (const struct act_conjunction *)act;
    bool fits = a->n_clauses >= 2 && a->n_clauses <= 64 && a->clause >= 1 && a->clause <= a->n_clauses;

    return fits ? 0 : OFPERR_BAC_BAD_CONJUNCTION;
}

static void print_conjunction(struct act_printer *p, const struct act *act)
{
    const struct act_conjunction *a = (const struct act_conjunction *)act;

    fprintf(p->out, "conjunction(%" PRIu32 ",%u/%u)", a->id, a->clause, a->n_clauses);
}

const struct act_ops act_ops_conjunction = {
    .name = "conjunction",
    .check = check_conjunction,
    .print = print_conjunction,
};
