/* multipath, bundle and bundle_load: a link or port chosen by a hash of the packet. */
#include <inttypes.h>

#include "src/actions/act_impl.h"

static const char *const fields_names[HASH_N_FIELDS] = {
    [HASH_ETH_SRC] = "eth_src",
    [HASH_SYMMETRIC_L4] = "symmetric_l4",
    [HASH_SYMMETRIC_L3L4] = "symmetric_l3l4",
    [HASH_SYMMETRIC_L3L4_UDP] = "symmetric_l3l4+udp",
    [HASH_NW_SRC] = "nw_src",
    [HASH_NW_DST] = "nw_dst",
    [HASH_SYMMETRIC_L3] = "symmetric_l3",
};
static const char *const multipath_names[MULTIPATH_N] = {"modulo_n", "hash_threshold", "hrw", "iter_hash"};
static const char *const bundle_names[BUNDLE_N] = {"active_backup", "hrw"};

/* --- multipath ----------------------------------------------------------- */

static int check_multipath(const struct act *act, struct act_known *k)
{
    const struct act_multipath *a = (const struct act_multipath *)act;

    if (a->dst.n_bits < 16 && a->max_link >> a->dst.n_bits)
        return OFPERR_BAC_BAD_ARGUMENT;
    return act_check_write(a->dst.field, &k->m);
}

static void print_multipath(struct act_printer *p, const struct act *header)
{
    const struct act_multipath *act = (const struct act_multipath *)header;
    FILE *out = p->out;

    fprintf(out, "multipath(%s,%u,%s,%u,%" PRIu32 ",", fields_names[act->fields], act->basis,
            multipath_names[act->algorithm], act->max_link + 1u, act->arg);
    subfield_print(out, &act->dst);
    fputc(')', out);
}

static void multipath_field(const struct act *act, field_fn *fn, void *arg)
{
    fn(arg, ((const struct act_multipath *)act)->dst.field);
}

const struct act_ops act_ops_multipath = {
    .name = "multipath",
    .check = check_multipath,
    .print = print_multipath,
    .each_field = multipath_field,
};

/* --- bundle, bundle_load ------------------------------------------------- */

static int check_bundle(const struct act *act, struct act_known *k)
{
    const struct act_bundle *a = (const struct act_bundle *)act;

    for (uint32_t i = 0; i < a->n_members; i++) {
        uint32_t port = a->members[i];

        if (port != OFPORT_ANY && (port == OFPORT_CONTROLLER || act_check_port(port)))
            return OFPERR_BAC_BAD_OUT_PORT;
    }
    if (!a->dst.field)
        return 0;
    return a->dst.n_bits < 16 ? OFPERR_BAC_BAD_ARGUMENT : act_check_write(a->dst.field, &k->m);
}

static void print_bundle(struct act_printer *p, const struct act *header)
{
    const struct act_bundle *act = (const struct act_bundle *)header;
    FILE *out = p->out;

    fprintf(out, "bundle%s(%s,%u,%s,ofport,", act->dst.field ? "_load" : "", fields_names[act->fields], act->basis,
            bundle_names[act->algorithm]);
    if (act->dst.field) {
        subfield_print(out, &act->dst);
        fputc(',', out);
    }
    fputs("members:", out);
    for (uint32_t i = 0; i < act->n_members; i++) {
        if (i > 0)
            fputc(',', out);
        if (act->members[i] == OFPORT_ANY)
            fputs("NONE", out);
        else
            act_print_port(p, act->members[i]);
    }
    fputc(')', out);
}

static void bundle_field(const struct act *act, field_fn *fn, void *arg)
{
    const struct field *field = ((const struct act_bundle *)act)->dst.field;

    if (field)
        fn(arg, field);
}

/* bundle_load only writes the port's number. */
static bool bundle_to(const struct act *act, uint32_t ofport)
{
    const struct act_bundle *bundle = (const struct act_bundle *)act;

    for (uint32_t i = 0; i < bundle->n_members; i++) {
        if (bundle->members[i] == ofport && !bundle->dst.field)
            return true;
    }
    return false;
}

const struct act_ops act_ops_bundle = {
    .name = "bundle",
    .check = check_bundle,
    .print = print_bundle,
    .each_field = bundle_field,
    .outputs_to = bundle_to,
};
