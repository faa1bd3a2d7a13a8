/* clone(...): a list that works on a copy of the packet. */
#include "src/actions/act_impl.h"

static int check_clone(const struct act *act, struct act_known *k)
{
    struct act_list inner;

    act_nested(act, &inner);
    return act_list_is_clause(&inner) ? OFPERR_BAC_BAD_CONJUNCTION : act_check_nested(act, k);
}

static void print_clone(struct act_printer *p, const struct act *act)
{
    struct act_list inner;

    act_nested(act, &inner);
    fputs("clone(", p->out);
    act_print_list(p, &inner);
    fputc(')', p->out);
}

const struct act_ops act_ops_clone = {
    .name = "clone",
    .nested = true,
    .check = check_clone,
    .print = print_clone,
};
