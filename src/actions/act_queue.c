/* set_queue, pop_queue, and OpenFlow 1.0's enqueue. */
#include <inttypes.h>

#include "src/actions/act_impl.h"

static int check_enqueue(const struct act *act, struct act_known *k)
{
    uint32_t port = ((const struct act_enqueue *)act)->port;

    return port <= OFPORT_USER_MAX || port == OFPORT_IN_PORT || port == OFPORT_LOCAL ? act_check_port(port)
                                                                                     : OFPERR_BAC_BAD_OUT_PORT;
}

static void print_enqueue(struct act_printer *p, const struct act *act)
{
    const struct act_enqueue *a = (const struct act_enqueue *)act;

    fputs("enqueue:", p->out);
    act_print_port(p, a->port);
    fprintf(p->out, ":%" PRIu32, a->queue);
}

static bool enqueue_to(const struct act *act, uint32_t ofport)
{
    return ((const struct act_enqueue *)act)->port == ofport;
}

const struct act_ops act_ops_enqueue = {
    .name = "enqueue",
    .rank = ACT_RANK_OUTPUT,
    .bucket_only = true,
    .check = check_enqueue,
    .print = print_enqueue,
    .outputs_to = enqueue_to,
};

const struct act_ops act_ops_set_queue = {
    .name = "set_queue",
    .rank = ACT_RANK_QUEUE,
    .print = act_print_number,
};

const struct act_ops act_ops_pop_queue = {
    .name = "pop_queue",
    .idle = true,
    .print = act_print_name,
};
