/* push and pop: fields to and from a stack that translation has. */
#include "src/actions/act_impl.h"

static const struct subfield *subfield_of(const struct act *act)
{
    return &((const struct act_subfield *)act)->sf;
}

static void print_stack(struct act_printer *p, const struct act *act)
{
    fprintf(p->out, "%s:", act_ops[act->type]->name);
    subfield_print(p->out, subfield_of(act));
}

static void stack_field(const struct act *act, field_fn *fn, void *arg)
{
    fn(arg, subfield_of(act)->field);
}

static int check_push(const struct act *act, struct act_known *k)
{
    return act_check_read(subfield_of(act)->field, &k->m);
}

const struct act_ops act_ops_stack_push = {
    .name = "push",
    .check = check_push,
    .print = print_stack,
    .each_field = stack_field,
};

static int check_pop(const struct act *act, struct act_known *k)
{
    return act_check_write(subfield_of(act)->field, &k->m);
}

const struct act_ops act_ops_stack_pop = {
    .name = "pop",
    .check = check_pop,
    .print = print_stack,
    .each_field = stack_field,
};
