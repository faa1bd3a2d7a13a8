/* Which thread polls which receive queue: the one on the core that was asked for, else the one that a plan by load
 * says, else threads have equal numbers of queues. A queue on its way is polled by nobody for a moment; packets wait in
 * it. */
#include <rte_common.h>
#include <rte_cycles.h>
#include <stdlib.h>

#include "pmd/poll/poll_thread.h"

#define NONE (-1)

/* --- threads ------------------------------------------------------------- */

static bool may_poll(const struct datapath *dp, unsigned thread)
{
    return !dp->threads[thread]->surplus && (thread < dp->n_started || dp->n_started == 0);
}

static int thread_on(const struct datapath *dp, int core)
{
    for (unsigned t = 0; core >= 0 && t < dp->n_threads; t++)
        if (dp->threads[t]->core == core && may_poll(dp, t))
            return (int)t;
    return NONE;
}

bool datapath_polls_on(const struct datapath *dp, int core)
{
    return thread_on(dp, core) != NONE;
}

/* Which threads have queues that asked for their core, and keep others away. */
static void find_isolated(struct datapath *dp)
{
    for (unsigned t = 0; t < dp->n_threads; t++)
        dp->isolated[t] = false;
    for (uint32_t i = 1; i < PORT_MAX && dp->isolate; i++) {
        const struct port *port = dp->ports[i];

        for (uint16_t queue = 0; port && queue < port->n_rxq; queue++) {
            const int t = thread_on(dp, port->rx[queue].core);
            if (t != NONE)
                dp->isolated[t] = true;
        }
    }
}

bool datapath_thread_isolated(const struct datapath *dp, unsigned thread)
{
    return dp->isolated[thread];
}

/* Where a queue of a port on that NUMA node would rather be. */
static bool better(const struct datapath *dp, unsigned t, unsigned than, int node)
{
    const bool near = node < 0 || dp->threads[t]->socket == node;
    const bool than_near = node < 0 || dp->threads[than]->socket == node;

    if (dp->isolated[t] != dp->isolated[than])
        return !dp->isolated[t];
    if (near != than_near)
        return near;
    return datapath_n_queues(dp, t) < datapath_n_queues(dp, than);
}

static unsigned pick_thread(const struct datapath *dp, int node)
{
    int best = NONE;

    for (unsigned t = 0; t < dp->n_threads; t++)
        if (may_poll(dp, t) && (best == NONE || better(dp, t, (unsigned)best, node)))
            best = (int)t;
    return (unsigned)best;
}

/* A plan is void where the thread keeps queues away by now. */
static int planned_for(const struct datapath *dp, const struct port *port, uint16_t queue)
{
    const int wanted = thread_on(dp, port->rx[queue].core), planned = port->rx[queue].planned;

    if (wanted != NONE)
        return wanted;
    if (planned == NONE || planned >= (int)dp->n_threads || dp->isolated[planned])
        return NONE;
    return may_poll(dp, (unsigned)planned) ? planned : NONE;
}

unsigned datapath_thread_for(const struct datapath *dp, const struct port *port, uint16_t queue)
{
    const int thread = planned_for(dp, port, queue);

    return thread != NONE ? (unsigned)thread : pick_thread(dp, port->numa_node);
}

/* --- moves --------------------------------------------------------------- */

/* A queue of `thread` that belongs to another. False: there is none, or no memory. */
static bool send_home(struct datapath *dp, unsigned thread)
{
    const struct poll_list *list = dp->poll_lists[thread];

    for (uint32_t i = 0; i < list->n; i++) {
        const struct poll_entry *entry = &list->entries[i];
        unsigned home = thread;

        if (datapath_port(dp, entry->in_port) != entry->port)
            continue;
        const int planned = planned_for(dp, entry->port, entry->queue);
        if (planned != NONE)
            home = (unsigned)planned;
        else if (dp->isolated[thread] || !may_poll(dp, thread))
            home = pick_thread(dp, entry->port->numa_node);
        if (home != thread && (!dp->isolated[home] || planned != NONE || !may_poll(dp, thread)))
            return datapath_queue_leave(dp, thread, i, home);
    }
    return false;
}

static bool send_one_home(struct datapath *dp)
{
    for (unsigned t = 0; t < dp->n_threads; t++)
        if (send_home(dp, t))
            return true;
    return false;
}

/* A queue that nothing is said about, of the thread with the most to the one with the fewest. False: there is nothing
 * to gain. */
static bool even_out(struct datapath *dp)
{
    int most = NONE, least = NONE;

    for (unsigned t = 0; t < dp->n_threads; t++) {
        if (!may_poll(dp, t) || dp->isolated[t])
            continue;
        if (most == NONE || datapath_n_queues(dp, t) > datapath_n_queues(dp, (unsigned)most))
            most = (int)t;
        if (least == NONE || datapath_n_queues(dp, t) < datapath_n_queues(dp, (unsigned)least))
            least = (int)t;
    }
    if (most == NONE || datapath_n_queues(dp, (unsigned)most) < datapath_n_queues(dp, (unsigned)least) + 2)
        return false;

    const int from = dp->threads[most]->socket, to = dp->threads[least]->socket;
    const struct poll_list *list = dp->poll_lists[most];
    for (uint32_t i = list->n; i-- > 0;) {
        const struct poll_entry *entry = &list->entries[i];

        if (datapath_port(dp, entry->in_port) != entry->port || planned_for(dp, entry->port, entry->queue) != NONE)
            continue;
        if (entry->port->numa_node < 0 || entry->port->numa_node == to || entry->port->numa_node != from)
            return datapath_queue_leave(dp, (unsigned)most, i, (unsigned)least);
    }
    return false;
}

void datapath_balance(struct datapath *dp)
{
    while (dp->n_moves < QUEUE_MOVES && (send_one_home(dp) || even_out(dp)))
        continue;
    dp->unbalanced = dp->n_moves > 0;
    if (dp->n_moves > 0)
        dp->move_token = rcu_token(&dp->rcu);
}

void datapath_queues_changed(struct datapath *dp)
{
    find_isolated(dp);
    dp->unbalanced = true;
}

/* --- what is asked for --------------------------------------------------- */

void datapath_port_cores(struct datapath *dp, struct port *port, const int *cores, unsigned n)
{
    for (uint16_t queue = 0; queue < port->n_rxq; queue++)
        port->rx[queue].core = queue < n ? cores[queue] : NONE;
    datapath_queues_changed(dp);
}

static bool asks_for_cores(const struct port *port)
{
    for (uint16_t queue = 0; queue < port->n_rxq; queue++)
        if (port->rx[queue].core != NONE)
            return true;
    return false;
}

void datapath_queues_gone(struct datapath *dp, const struct port *port)
{
    if (asks_for_cores(port))
        datapath_queues_changed(dp);
}

void datapath_isolate(struct datapath *dp, bool isolate)
{
    if (isolate == dp->isolate)
        return;
    dp->isolate = isolate;
    datapath_queues_changed(dp);
}

void datapath_forget_plan(struct datapath *dp)
{
    for (uint32_t i = 1; i < PORT_MAX; i++)
        for (uint16_t queue = 0; dp->ports[i] && queue < dp->ports[i]->n_rxq; queue++)
            dp->ports[i]->rx[queue].planned = NONE;
}

/* --- by load ------------------------------------------------------------- */

static uint64_t busy_cycles(const struct datapath *dp, unsigned thread)
{
    return __atomic_load_n(&dp->threads[thread]->counters.cycles_busy, __ATOMIC_RELAXED);
}

void datapath_rx_mark(struct datapath *dp)
{
    dp->rx_marks[0] = dp->rx_marks[1];
    dp->rx_marks[1] = rte_rdtsc();
    for (unsigned t = 0; t < dp->n_threads; t++) {
        dp->busy_marks[t][0] = dp->busy_marks[t][1];
        dp->busy_marks[t][1] = busy_cycles(dp, t);
    }
    for (uint32_t i = 1; i < PORT_MAX; i++) {
        struct port *port = dp->ports[i];

        for (uint16_t queue = 0; port && queue < port->n_rxq; queue++) {
            struct port_rx *rx = &port->rx[queue];

            rx->marks[0] = rx->marks[1];
            rx->marks[1] = __atomic_load_n(&rx->cycles, __ATOMIC_RELAXED);
        }
    }
}

static uint64_t load_of(const struct port_rx *rx)
{
    return __atomic_load_n(&rx->cycles, __ATOMIC_RELAXED) - rx->marks[0];
}

static double share(const struct datapath *dp, uint64_t cycles)
{
    const uint64_t all = rte_rdtsc() - dp->rx_marks[0];

    return dp->rx_marks[0] == 0 ? -1 : RTE_MIN((double)cycles / (double)all, 1.0);
}

double datapath_busy_share(const struct datapath *dp, unsigned thread)
{
    return share(dp, busy_cycles(dp, thread) - dp->busy_marks[thread][0]);
}

/* Samples are multiplied: they may add up to a little more than there was. */
double datapath_rx_share(const struct datapath *dp, const struct port *port, uint16_t queue)
{
    return queue < port->n_rxq ? share(dp, load_of(&port->rx[queue])) : -1;
}

struct loaded {
    struct port *port;
    uint16_t queue;
    uint64_t load;
};

static int heavier_first(const void *a, const void *b)
{
    const struct loaded *x = a, *y = b;

    if (x->load != y->load)
        return x->load < y->load ? 1 : -1;
    return x->port->index != y->port->index ? (x->port->index > y->port->index ? 1 : -1)
                                            : (int)x->queue - (int)y->queue;
}

static struct loaded *queues_by_load(const struct datapath *dp, size_t *n)
{
    struct loaded *found;
    size_t room = 0;

    for (uint32_t i = 1; i < PORT_MAX; i++)
        room += dp->ports[i] ? dp->ports[i]->n_rxq : 0;
    *n = 0;
    found = malloc(RTE_MAX(room, (size_t)1) * sizeof *found);
    if (!found)
        return NULL;
    for (uint32_t i = 1; i < PORT_MAX; i++)
        for (uint16_t queue = 0; dp->ports[i] && queue < dp->ports[i]->n_rxq; queue++)
            found[(*n)++] = (struct loaded){dp->ports[i], queue, load_of(&dp->ports[i]->rx[queue])};
    qsort(found, *n, sizeof *found, heavier_first);
    return found;
}

/* The thread with the least load so far; among equals that with the fewest queues. Near the port if any is. */
static int lightest(const struct datapath *dp, const uint64_t *load, const unsigned *queues, int node)
{
    int best = NONE;
    bool best_near = false;

    for (unsigned t = 0; t < dp->n_threads; t++) {
        const bool near = node < 0 || dp->threads[t]->socket == node;

        if (!may_poll(dp, t) || dp->isolated[t] || (best != NONE && best_near && !near))
            continue;
        if (best == NONE || (near && !best_near) || load[t] < load[best] ||
            (load[t] == load[best] && queues[t] < queues[best])) {
            best = (int)t;
            best_near = near;
        }
    }
    return best;
}

bool datapath_rebalance(struct datapath *dp)
{
    uint64_t load[DATAPATH_THREADS_MAX] = {0};
    unsigned queues[DATAPATH_THREADS_MAX] = {0};
    struct loaded *found;
    size_t n;

    found = queues_by_load(dp, &n);
    if (!found)
        return false;
    find_isolated(dp);
    for (size_t i = 0; i < n; i++) {
        struct port *port = found[i].port;
        struct port_rx *rx = &port->rx[found[i].queue];
        int t = thread_on(dp, rx->core);

        if (t == NONE)
            t = rx->planned = (int16_t)lightest(dp, load, queues, port->numa_node);
        if (t == NONE)
            continue;
        load[t] += found[i].load;
        queues[t]++;
    }
    free(found);
    dp->unbalanced = true;
    return true;
}
