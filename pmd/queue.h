/* The queue of its output port that a packet is for: a number that rules give it (set_queue), 0 unless they do.
 *
 * It is kept in the mbuf itself, so that it goes with copies, through recirculations and to whatever port the packet is
 * sent by, and costs packets without one nothing. What a port does with it is the port's matter (port_queues.h).
 */
#ifndef PMD_QUEUE_H
#define PMD_QUEUE_H

#include <rte_mbuf.h>
#include <stdint.h>

/* In ol_flags: the packet has a queue. 0 before packet_queue_init(). */
extern uint64_t packet_queue_flag;

/* Reserves the flag; EAL is up. May be called again. 0 or a negative errno. */
int packet_queue_init(void);

static inline uint32_t packet_queue(const struct rte_mbuf *m)
{
    return m->ol_flags & packet_queue_flag ? m->hash.sched.queue_id : 0;
}

static inline void packet_queue_set(struct rte_mbuf *m, uint32_t queue)
{
    m->ol_flags &= ~packet_queue_flag;
    if (queue == 0)
        return;
    m->ol_flags |= packet_queue_flag;
    m->hash.sched.queue_id = queue;
}

/* For copies that are made otherwise than by DPDK's functions. */
static inline void packet_queue_copy(struct rte_mbuf *to, const struct rte_mbuf *from)
{
    packet_queue_set(to, packet_queue(from));
}

#endif
