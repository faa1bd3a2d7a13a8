/* sample(...): a part of the packets to a collector. */
#include <inttypes.h>

#include "src/actions/act_impl.h"

static int check_sample(const struct act *act, struct act_known *k)
{
    return ((const struct act_sample *)act)->probability > 0 ? 0 : OFPERR_BAC_BAD_ARGUMENT;
}

static void print_sample(struct act_printer *p, const struct act *act)
{
    static const char *const directions[] = {"", ",ingress", ",egress"};
    const struct act_sample *a = (const struct act_sample *)act;

    fprintf(p->out,
            "sample(probability=%u,collector_set_id=%" PRIu32 ",obs_domain_id=%" PRIu32 ",obs_point_id=%" PRIu32,
            a->probability, a->collector_set, a->obs_domain, a->obs_point);
    if (a->port != OFPORT_ANY) {
        fputs(",sampling_port=", p->out);
        act_print_port(p, a->port);
    }
    fprintf(p->out, "%s)", directions[a->direction]);
}

const struct act_ops act_ops_sample = {
    .name = "sample",
    .check = check_sample,
    .print = print_sample,
};
