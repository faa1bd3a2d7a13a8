/* output, output:field and output(port=,max_len=). */
#include <inttypes.h>
#include <rte_ether.h>

#include "src/actions/act_impl.h"

/* --- output -------------------------------------------------------------- */

static int check_output(const struct act *act, struct act_known *k)
{
    return act_check_port(((const struct act_output *)act)->port);
}

static void print_output(struct act_printer *p, const struct act *act)
{
    const struct act_output *a = (const struct act_output *)act;

    if (a->port == OFPORT_CONTROLLER) {
        fprintf(p->out, "CONTROLLER:%u", a->max_len);
        return;
    }
    if (a->port < OFPORT_MAX)
        fputs("output:", p->out);
    act_print_port(p, a->port);
}

static bool output_to(const struct act *act, uint32_t ofport)
{
    return ((const struct act_output *)act)->port == ofport;
}

const struct act_ops act_ops_output = {
    .name = "output",
    .rank = ACT_RANK_OUTPUT,
    .check = check_output,
    .print = print_output,
    .outputs_to = output_to,
};

/* --- output to the port that a field says -------------------------------- */

static int check_reg(const struct act *act, struct act_known *k)
{
    return act_check_read(((const struct act_output_reg *)act)->src.field, &k->m);
}

static void print_reg(struct act_printer *p, const struct act *act)
{
    fputs("output:", p->out);
    subfield_print(p->out, &((const struct act_output_reg *)act)->src);
}

static void reg_field(const struct act *act, field_fn *fn, void *arg)
{
    fn(arg, ((const struct act_output_reg *)act)->src.field);
}

const struct act_ops act_ops_output_reg = {
    .name = "output",
    .rank = ACT_RANK_OUTPUT,
    .bucket_only = true,
    .check = check_reg,
    .print = print_reg,
    .each_field = reg_field,
};

/* --- output of the packet's first bytes ---------------------------------- */

/* Only to a port: there is one copy to cut. */
static int check_trunc(const struct act *act, struct act_known *k)
{
    const struct act_output_trunc *a = (const struct act_output_trunc *)act;

    if (a->port >= OFPORT_MAX && a->port != OFPORT_IN_PORT && a->port != OFPORT_LOCAL)
        return OFPERR_BAC_BAD_OUT_PORT;
    if (a->max_len < RTE_ETHER_HDR_LEN)
        return OFPERR_BAC_BAD_ARGUMENT;
    return act_check_port(a->port);
}

static void print_trunc(struct act_printer *p, const struct act *act)
{
    const struct act_output_trunc *a = (const struct act_output_trunc *)act;

    fputs("output(port=", p->out);
    act_print_port(p, a->port);
    fprintf(p->out, ",max_len=%" PRIu32 ")", a->max_len);
}

static bool trunc_to(const struct act *act, uint32_t ofport)
{
    return ((const struct act_output_trunc *)act)->port == ofport;
}

const struct act_ops act_ops_output_trunc = {
    .name = "output",
    .check = check_trunc,
    .print = print_trunc,
    .outputs_to = trunc_to,
};
