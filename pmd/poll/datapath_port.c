/* Ports in the datapath: their indices and which thread polls which receive queue. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pmd/base/memory.h"
#include "pmd/capture.h"
#include "pmd/port_queues.h"
#include "pmd/poll/poll_thread.h"

static void publish_list(struct datapath *dp, unsigned thread, struct poll_list *list)
{
    struct poll_list *old = dp->poll_lists[thread];

    __atomic_store_n(&dp->poll_lists[thread], list, __ATOMIC_RELEASE);
    rcu_defer(&dp->rcu, free, old);
}

/* Stands in the place of a port that was taken out of a list without memory for another list: never up, and what a
 * thread may just have begun with it receives nothing. */
static uint16_t receive_nothing(struct port *port, uint16_t queue, struct rte_mbuf **packets, uint16_t n)
{
    return 0;
}

static struct port_rx gone_rx[PORT_QUEUES_MAX];
static const struct port_ops gone_ops = {.rx_burst = receive_nothing};
static struct port gone = {.name = "gone", .ops = &gone_ops, .rx = gone_rx};

/* A copy without the queues of `without`, or of ports that are gone, with room for `more`. NULL: there is no memory. */
static struct poll_list *list_copy(const struct poll_list *from, const struct port *without, unsigned more)
{
    struct poll_list *list = malloc(sizeof *list + (from->n + more) * sizeof list->entries[0]);

    if (!list)
        return NULL;
    list->n = 0;
    for (uint32_t i = 0; i < from->n; i++) {
        if (from->entries[i].port != without && from->entries[i].port != &gone)
            list->entries[list->n++] = from->entries[i];
    }
    return list;
}

unsigned datapath_n_queues(const struct datapath *dp, unsigned thread)
{
    unsigned n = dp->poll_lists[thread]->n;

    for (unsigned i = 0; i < dp->n_moves; i++)
        n += dp->moves[i].to == thread;
    return n;
}

static bool list_has(const struct poll_list *list, const struct port *port)
{
    for (uint32_t i = 0; i < list->n; i++) {
        if (list->entries[i].port == port)
            return true;
    }
    return false;
}

static void replace_by_gone(struct poll_list *list, const struct port *port)
{
    for (uint32_t i = 0; i < list->n; i++) {
        if (list->entries[i].port == port)
            __atomic_store_n(&list->entries[i].port, &gone, __ATOMIC_RELAXED);
    }
}

static void forget_moves(struct datapath *dp, const struct port *port)
{
    unsigned kept = 0;

    for (unsigned i = 0; i < dp->n_moves; i++)
        if (dp->moves[i].entry.port != port)
            dp->moves[kept++] = dp->moves[i];
    dp->n_moves = kept;
}

static void remove_queues(struct datapath *dp, const struct port *port)
{
    forget_moves(dp, port);
    for (unsigned t = 0; t < dp->n_threads; t++) {
        struct poll_list *list;

        if (!list_has(dp->poll_lists[t], port))
            continue;
        list = list_copy(dp->poll_lists[t], port, 0);
        if (list)
            publish_list(dp, t, list);
        else
            replace_by_gone(dp->poll_lists[t], port);
    }
}

static void add_entry(struct datapath *dp, unsigned thread, const struct poll_entry *entry)
{
    struct poll_list *list = list_copy(dp->poll_lists[thread], NULL, 1);

    if (!list)
        out_of_memory("the list of a thread's receive queues", 0);
    list->entries[list->n++] = *entry;
    publish_list(dp, thread, list);
}

static void add_queue(struct datapath *dp, struct port *port, uint16_t queue)
{
    const struct poll_entry entry = {
        .port = port, .in_port = port->index, .ethdev_id = port->ethdev_id, .queue = queue};

    add_entry(dp, datapath_thread_for(dp, port, queue), &entry);
}

bool datapath_queue_leave(struct datapath *dp, unsigned from, uint32_t i, unsigned to)
{
    const struct poll_list *old = dp->poll_lists[from];
    struct poll_list *list = malloc(sizeof *list + old->n * sizeof list->entries[0]);

    if (!list)
        return false;
    list->n = old->n - 1;
    memcpy(list->entries, old->entries, i * sizeof old->entries[0]);
    memcpy(&list->entries[i], &old->entries[i + 1], (old->n - i - 1) * sizeof old->entries[0]);
    dp->moves[dp->n_moves++] = (struct queue_move){old->entries[i], to};
    publish_list(dp, from, list);
    return true;
}

void datapath_queues_arrive(struct datapath *dp)
{
    for (unsigned i = 0; i < dp->n_moves; i++)
        add_entry(dp, dp->moves[i].to, &dp->moves[i].entry);
    dp->n_moves = 0;
}

/* -EAGAIN: there may be one soon. */
static int find_index(const struct datapath *dp, uint32_t *index)
{
    for (*index = 1; *index < PORT_MAX; ++*index) {
        if (!dp->ports[*index] && !dp->leaving[*index].is_there)
            return 0;
    }
    return dp->n_leaving > 0 ? -EAGAIN : -ENOSPC;
}

int datapath_port_add(struct datapath *dp, struct port *port)
{
    uint32_t index;
    int error = find_index(dp, &index);

    if (error != 0)
        return error;
    port->rx = calloc(RTE_MAX(port->n_rxq, 1), sizeof *port->rx);
    if (!port->rx)
        return -ENOMEM;
    for (uint16_t queue = 0; queue < port->n_rxq; queue++)
        port->rx[queue].core = port->rx[queue].planned = -1;
    port->index = index;
    datapath_port_stats_begin(dp, index);
    if (port->n_txq < dp->n_threads)
        port->tx_shared = true;
    if (port->offloads)
        __atomic_store_n(&dp->offloads, true, __ATOMIC_RELAXED);
    __atomic_store_n(&dp->ports[index], port, __ATOMIC_RELEASE);
    for (uint16_t queue = 0; queue < port->n_rxq; queue++)
        add_queue(dp, port, queue);
    return 0;
}

/* What the datapath gave it. */
static void strip(struct port *port)
{
    free(port->rx);
    port->rx = NULL;
    for (int way = 0; way < PORT_N_WAYS; way++) {
        free(port->policers[way]);
        port->policers[way] = NULL;
    }
    port_queues_free(port->queues);
    port->queues = NULL;
}

static void close_device(struct leaving *leaving)
{
    strip(leaving->port);
    port_destroy(leaving->port);
    leaving->port = NULL;
    leaving->closed = true;
}

/* Needs no memory: what takes a port away must not fail. */
void datapath_port_remove(struct datapath *dp, struct port *port)
{
    struct leaving *leaving = &dp->leaving[port->index];

    dp->n_leaving++;
    capture_detach_all(port);
    remove_queues(dp, port);
    __atomic_store_n(&dp->ports[port->index], NULL, __ATOMIC_RELEASE);
    datapath_queues_gone(dp, port);
    rcu_touch(&dp->rcu);
    *leaving = (struct leaving){.is_there = true, .port = port, .token = rcu_token(&dp->rcu)};
}

bool datapath_port_closed(const struct datapath *dp, uint32_t index)
{
    return !dp->leaving[index].is_there || dp->leaving[index].closed;
}

struct port *datapath_port(const struct datapath *dp, uint32_t index)
{
    return index < PORT_MAX ? dp->ports[index] : NULL;
}

/* --- when an index is free again ----------------------------------------- */

/* Nothing of the control thread names a forgotten index, and no thread receives from its port. What is left are
 * packets: in the rings, parked with a thread, or on their way between the two. A round begins with a token. Once it
 * has passed, the threads have run all that had been returned to them, so that a packet that names the index is in a
 * ring `up` or known to `pending`. The rings are then worked off up to where they were filled, and if that brought no
 * miss of the port to light, none of its packets can move: what `pending` says at the end of the round is final. A flow
 * whose packet was lost leaves `pending` when it is stale.
 */

void datapath_port_forget(struct datapath *dp, uint32_t index)
{
    dp->leaving[index].forgotten = true;
}

void datapath_port_seen(struct datapath *dp, uint32_t index)
{
    dp->leaving[index].in_round = false;
}

uint32_t datapath_n_ports_leaving(const struct datapath *dp)
{
    return dp->n_leaving;
}

static bool round_begin(struct datapath *dp)
{
    bool any = false;

    for (uint32_t i = 0; i < PORT_MAX && dp->n_leaving > 0; i++) {
        struct leaving *leaving = &dp->leaving[i];

        if (!leaving->is_there)
            continue;
        leaving->in_round = leaving->closed && leaving->forgotten;
        any |= leaving->in_round;
    }
    if (any)
        dp->drain.token = rcu_token(&dp->rcu);
    return any;
}

static void note_rings(struct datapath *dp)
{
    for (unsigned i = 0; i < dp->n_threads; i++)
        dp->drain.taken[i] = dp->taken[i] + rte_ring_count(dp->threads[i]->up);
}

static bool rings_worked_off(const struct datapath *dp)
{
    for (unsigned i = 0; i < dp->n_threads; i++) {
        if (dp->taken[i] < dp->drain.taken[i])
            return false;
    }
    return true;
}

static bool is_pending(const struct datapath *dp, uint32_t index)
{
    for (unsigned i = 0; i < dp->n_threads; i++) {
        if (pending_has_port(&dp->threads[i]->pending, index))
            return true;
    }
    return false;
}

static void round_end(struct datapath *dp)
{
    for (uint32_t i = 0; i < PORT_MAX; i++) {
        struct leaving *leaving = &dp->leaving[i];

        if (!leaving->is_there || !leaving->in_round || is_pending(dp, i))
            continue;
        leaving->is_there = false;
        dp->n_leaving--;
    }
}

/* One a call: closing a device may take the kernel a while. True: there are more. */
static bool close_next(struct datapath *dp)
{
    bool done = false;

    for (uint32_t i = 0; i < PORT_MAX && dp->n_leaving > 0; i++) {
        struct leaving *leaving = &dp->leaving[i];

        if (!leaving->is_there || leaving->closed || !rcu_passed(&dp->rcu, leaving->token))
            continue;
        if (done)
            return true;
        close_device(leaving);
        done = true;
    }
    return false;
}

void datapath_ports_free(struct datapath *dp)
{
    for (uint32_t i = 0; i < PORT_MAX; i++) {
        if (dp->leaving[i].is_there && !dp->leaving[i].closed)
            close_device(&dp->leaving[i]);
        if (dp->ports[i])
            strip(dp->ports[i]); /* it stays its owner's */
    }
}

bool datapath_ports_reclaim(struct datapath *dp)
{
    struct drain *drain = &dp->drain;
    bool more = close_next(dp);

    if (drain->phase == DRAIN_IDLE && round_begin(dp))
        drain->phase = DRAIN_TOKEN;
    if (drain->phase == DRAIN_TOKEN && rcu_passed(&dp->rcu, drain->token)) {
        note_rings(dp);
        drain->phase = DRAIN_RINGS;
    }
    if (drain->phase == DRAIN_RINGS && rings_worked_off(dp)) {
        round_end(dp);
        drain->phase = DRAIN_IDLE;
    }
    return more;
}
