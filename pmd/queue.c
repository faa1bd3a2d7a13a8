#include "pmd/queue.h"

#include <rte_errno.h>
#include <rte_mbuf_dyn.h>

uint64_t packet_queue_flag;

int packet_queue_init(void)
{
    static const struct rte_mbuf_dynflag flag = {.name = "sluice_queue"};
    int bit = rte_mbuf_dynflag_register(&flag);

    if (bit < 0)
        return -rte_errno;
    packet_queue_flag = UINT64_C(1) << bit;
    return 0;
}
