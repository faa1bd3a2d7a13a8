/* Ports in the datapath: their indices and which thread polls which receive queue. */
#include <errno.h>
#include <stdlib.h>

#include "pmd/poll_thread.h"

static bool publish_list(struct datapath *dp, unsigned thread, struct poll_list *list)
{
    struct poll_list *old = dp->poll_lists[thread];

    __atomic_store_n(&dp->poll_lists[thread], list, __ATOMIC_RELEASE);
    rcu_defer(&dp->rcu, free, old);
    return true;
}

static struct poll_list *list_copy(const struct poll_list *from, unsigned more)
{
    struct poll_list *list = malloc(sizeof *list + (from->n + more) * sizeof list->entries[0]);

    if (list == NULL)
        return NULL;
    list->n = from->n;
    for (uint32_t i = 0; i < from->n; i++)
        list->entries[i] = from->entries[i];
    return list;
}

/* The thread to poll one more queue of a port on `node`: among those of the node if there are any, the one with the
 * fewest queues. */
static unsigned pick_thread(const struct datapath *dp, int node)
{
    int best = -1;
    bool best_local = false;

    for (unsigned i = 0; i < dp->n_threads; i++) {
        bool local = node < 0 || dp->threads[i]->socket == node;

        if (best < 0 || (local && !best_local) ||
            (local == best_local && dp->poll_lists[i]->n < dp->poll_lists[best]->n)) {
            best = (int)i;
            best_local = local;
        }
    }
    return (unsigned)best;
}

static void remove_queues(struct datapath *dp, const struct port *port)
{
    for (unsigned t = 0; t < dp->n_threads; t++) {
        struct poll_list *list = NULL;
        const struct poll_list *old = dp->poll_lists[t];
        uint32_t kept = 0;

        for (uint32_t i = 0; i < old->n; i++) {
            if (old->entries[i].port == port && list == NULL) {
                list = list_copy(old, 0);
                if (list == NULL)
                    rte_panic("out of memory for a list of %u queues\n", old->n);
            }
        }
        if (list == NULL)
            continue;
        for (uint32_t i = 0; i < old->n; i++) {
            if (old->entries[i].port != port)
                list->entries[kept++] = old->entries[i];
        }
        list->n = kept;
        publish_list(dp, t, list);
    }
}

static bool add_queue(struct datapath *dp, struct port *port, uint16_t queue)
{
    unsigned t = pick_thread(dp, port->numa_node);
    struct poll_list *list = list_copy(dp->poll_lists[t], 1);

    if (list == NULL)
        return false;
    list->entries[list->n++] =
        (struct poll_entry){.port = port, .in_port = port->index, .ethdev_id = port->ethdev_id, .queue = queue};
    return publish_list(dp, t, list);
}

int datapath_port_add(struct datapath *dp, struct port *port)
{
    uint32_t index = 1;

    while (index < PORT_MAX && (dp->ports[index] != NULL || dp->port_leaving[index]))
        index++;
    if (index == PORT_MAX)
        return -ENOSPC;
    port->index = index;
    __atomic_store_n(&dp->ports[index], port, __ATOMIC_RELEASE);
    for (uint16_t queue = 0; queue < port->n_rxq; queue++) {
        if (!add_queue(dp, port, queue)) {
            remove_queues(dp, port);
            __atomic_store_n(&dp->ports[index], NULL, __ATOMIC_RELEASE);
            return -ENOMEM;
        }
    }
    return 0;
}

/* What is left to do once no thread can see the port. */
struct leaving {
    struct datapath *dp;
    struct port *port;
};

static void port_left(void *arg)
{
    struct leaving *leaving = arg;
    uint32_t index = leaving->port->index;

    port_destroy(leaving->port);
    for (unsigned i = 0; i < leaving->dp->n_threads; i++)
        leaving->dp->threads[i]->port_counters[index] = (struct port_counters){0};
    leaving->dp->port_leaving[index] = false;
    free(leaving);
}

void datapath_port_remove(struct datapath *dp, struct port *port)
{
    struct leaving *leaving = malloc(sizeof *leaving);

    if (leaving == NULL)
        rte_panic("out of memory\n");
    *leaving = (struct leaving){dp, port};
    dp->port_leaving[port->index] = true;
    remove_queues(dp, port);
    __atomic_store_n(&dp->ports[port->index], NULL, __ATOMIC_RELEASE);
    rcu_defer(&dp->rcu, port_left, leaving);
}

struct port *datapath_port(const struct datapath *dp, uint32_t index)
{
    return index < PORT_MAX ? dp->ports[index] : NULL;
}
