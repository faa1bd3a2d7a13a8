/* note: bytes that mean something to the controller alone. */
#include "src/actions/act_impl.h"

static void print_note(struct act_printer *p, const struct act *act)
{
    const struct act_bytes *a = (const struct act_bytes *)act;

    fputs("note:", p->out);
    for (uint32_t i = 0; i < a->n; i++)
        fprintf(p->out, "%s%02x", i ? "." : "", a->data[i]);
}

const struct act_ops act_ops_note = {
    .name = "note",
    .idle = true,
    .print = print_note,
};
