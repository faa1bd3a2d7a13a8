/* The queue that a packet is sent by. */
#include "pmd/queue.h"

#include "pmd/action/packet.h"

enum drop_reason action_set_queue(struct action_packet *p, const void *operand, uint32_t arg)
{
    packet_queue_set(p->m, arg);
    return ACTION_OK;
}
