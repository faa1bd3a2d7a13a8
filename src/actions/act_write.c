/* What an instruction writes for later: the action set (clear_actions, write_actions) and metadata. */
#include <inttypes.h>

#include "src/actions/act_impl.h"

const struct act_ops act_ops_clear_actions = {
    .name = "clear_actions",
    .print = act_print_name,
};

static int check_write_actions(const struct act *act, struct act_known *k)
{
    int error = act_check_nested(act, k);
    struct act_list inner;

    act_nested(act, &inner);
    return error ? error : act_check_bucket(&inner);
}

static void print_write_actions(struct act_printer *p, const struct act *act)
{
    struct act_list inner;

    act_nested(act, &inner);
    fputs("write_actions(", p->out);
    if (inner.len)
        act_print_list(p, &inner);
    else
        fputs("drop", p->out);
    fputc(')', p->out);
}

const struct act_ops act_ops_write_actions = {
    .name = "write_actions",
    .nested = true,
    .check = check_write_actions,
    .print = print_write_actions,
};

/* An instruction, which runs behind the actions (OpenFlow 1.3.5, 5.9). OpenFlow 1.0 and Nicira's form could put it
 * anywhere, but there is no way to tell that in other versions. */
static int check_write_metadata(const struct act *act, struct act_known *k)
{
    if (k->nested)
        return OFPERR_BIC_UNSUP_INST;
    k->metadata = true;
    return 0;
}

static void print_write_metadata(struct act_printer *p, const struct act *act)
{
    const struct act_metadata *a = (const struct act_metadata *)act;

    fprintf(p->out, "write_metadata:%#" PRIx64, rte_be_to_cpu_64(a->value));
    if (a->mask != UINT64_MAX)
        fprintf(p->out, "/%#" PRIx64, rte_be_to_cpu_64(a->mask));
}

const struct act_ops act_ops_write_metadata = {
    .name = "write_metadata",
    .check = check_write_metadata,
    .print = print_write_metadata,
};
