/* check_pkt_larger(bytes)->bit. */
#include "src/actions/act_impl.h"

/* The bit is known once the packet comes back from the datapath, which header fields do not survive. */
static int check_larger(const struct act *act, struct act_known *k)
{
    const struct act_check_larger *a = (const struct act_check_larger *)act;
    bool kept = a->dst.field->id == FIELD_METADATA || a->dst.field->offset >= offsetof(struct flow, reg);

    if (a->dst.n_bits != 1 || !a->dst.field->writable || !kept || a->dst.field->id == FIELD_IN_PORT ||
        a->dst.field->id == FIELD_IN_PORT_OXM)
        return OFPERR_BAC_BAD_SET_ARGUMENT;
    return 0;
}

static void print_larger(struct act_printer *p, const struct act *act)
{
    const struct act_check_larger *a = (const struct act_check_larger *)act;

    fprintf(p->out, "check_pkt_larger(%u)->", a->len);
    subfield_print(p->out, &a->dst);
}

/* It names no field that walks look for: it writes registers only. */
const struct act_ops act_ops_check_larger = {
    .name = "check_pkt_larger",
    .check = check_larger,
    .print = print_larger,
};
