#include "tests/lib/fake_port.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

unsigned fake_ports_destroyed;

static uint16_t fake_rx(struct port *port, uint16_t queue, struct rte_mbuf **packets, uint16_t n)
{
    return (uint16_t)rte_ring_sc_dequeue_burst(((struct fake_port *)port)->in, (void **)packets, n, NULL);
}

static uint16_t fake_tx(struct port *port, uint16_t queue, struct rte_mbuf **packets, uint16_t n)
{
    struct fake_port *fake = (struct fake_port *)port;

    if (__atomic_load_n(&fake->refuse, __ATOMIC_RELAXED))
        return 0;
    return (uint16_t)rte_ring_mp_enqueue_burst(fake->out, (void **)packets, n, NULL);
}

const struct port_ops fake_ops = {.rx_burst = fake_rx, .tx_burst = fake_tx};

struct fake_port *fake_port_create(unsigned room)
{
    static int count;
    struct fake_port *fake = aligned_alloc(64, sizeof *fake);
    char name[32];

    memset(fake, 0, sizeof *fake);
    fake->port = (struct port){.ops = &fake_ops,
                               .ethdev_id = UINT16_MAX,
                               .n_rxq = 1,
                               .n_txq = 4,
                               .admin_up = true,
                               .link_up = true,
                               .max_len = 1514,
                               .numa_node = -1};
    snprintf(name, sizeof name, "fake_in_%d", count);
    fake->in = rte_ring_create(name, room, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
    snprintf(name, sizeof name, "fake_out_%d", count++);
    fake->out = rte_ring_create(name, room, SOCKET_ID_ANY, RING_F_SC_DEQ);
    return fake;
}

void fake_port_free(struct fake_port *fake)
{
    struct rte_mbuf *m;

    while (rte_ring_sc_dequeue(fake->in, (void **)&m) == 0)
        rte_pktmbuf_free(m);
    while (rte_ring_sc_dequeue(fake->out, (void **)&m) == 0)
        rte_pktmbuf_free(m);
    rte_ring_free(fake->in);
    rte_ring_free(fake->out);
    free(fake);
}

void port_destroy(struct port *port)
{
    fake_ports_destroyed++;
    fake_port_free((struct fake_port *)port);
}
