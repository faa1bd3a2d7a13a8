/* Policers and queues of ports: the control thread makes and replaces them. */
#include <errno.h>
#include <rte_cycles.h>
#include <stdlib.h>

#include "pmd/policer.h"
#include "pmd/port_queues.h"
#include "pmd/poll/datapath_impl.h"

static const uint8_t asides[PORT_N_WAYS] = {
    [PORT_IN] = PORT_ASIDE_POLICE_IN,
    [PORT_OUT] = PORT_ASIDE_POLICE_OUT,
};

static void set_aside(struct port *port, uint8_t aside, bool is)
{
    __atomic_store_n(&port->asides, (uint8_t)(is ? port->asides | aside : port->asides & ~aside), __ATOMIC_RELEASE);
}

int datapath_port_police(struct datapath *dp, struct port *port, enum port_way way, const struct policer_config *config)
{
    struct policer *old = port->policers[way], *policer = NULL;

    if (config->bits || config->packets) {
        policer = policer_create(config, rte_get_tsc_hz(), rte_rdtsc());
        if (!policer)
            return -ENOMEM;
    }
    if (!policer && !old)
        return 0;
    if (!policer)
        set_aside(port, asides[way], false);
    __atomic_store_n(&port->policers[way], policer, __ATOMIC_RELEASE);
    if (policer)
        set_aside(port, asides[way], true);
    rcu_touch(&dp->rcu);
    if (old)
        datapath_defer(dp, free, old);
    return 0;
}

int datapath_port_set_queues(struct datapath *dp, struct port *port, const struct port_queue_config *configs,
                             unsigned n)
{
    struct port_queues *old = port->queues, *queues = NULL;

    if (n > 0) {
        queues = port_queues_create(configs, n, dp->params.max_threads, old, rte_get_tsc_hz(), rte_rdtsc());
        if (!queues)
            return -ENOMEM;
    }
    if (!queues && !old)
        return 0;
    if (!queues)
        set_aside(port, PORT_ASIDE_QUEUES, false);
    __atomic_store_n(&port->queues, queues, __ATOMIC_RELEASE);
    if (queues)
        set_aside(port, PORT_ASIDE_QUEUES, true);
    rcu_touch(&dp->rcu);
    if (old)
        datapath_defer(dp, port_queues_free, old);
    return 0;
}
