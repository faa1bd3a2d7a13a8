/* Has the kernel schedule what is sent by an interface of its, in the order in which that is asked for. Control thread;
 * what waits for the kernel is on a thread of its own (worker.h). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pmd/base/log.h"
#include "pmd/base/memory.h"
#include "pmd/port/backend.h"
#include "pmd/port/interface.h"
#include "pmd/port/tc.h"

#define IN_PROGRESS 1

/* What came of it. The port and the job each have a reference. */
struct outcome {
    int refs;
    int result; /* IN_PROGRESS, 0, or a negative errno */
};

struct port_scheduler_state {
    struct port_scheduling wanted; /* with classes of its own */
    struct outcome *outcome;
};

struct job {
    struct worker_job job; /* first */
    int ifindex;
    uint32_t mtu;
    struct outcome *outcome;
    struct port_scheduling wanted;
    struct port_class classes[];
};

static void unref(struct outcome *outcome)
{
    if (outcome && __atomic_sub_fetch(&outcome->refs, 1, __ATOMIC_ACQ_REL) == 0)
        free(outcome);
}

static void run(struct worker_job *worker_job)
{
    struct job *job = (struct job *)worker_job;

    job->wanted.classes = job->classes;
    __atomic_store_n(&job->outcome->result, tc_set(job->ifindex, job->mtu, &job->wanted), __ATOMIC_RELEASE);
    unref(job->outcome);
    free(job);
}

static size_t classes_size(const struct port_scheduling *wanted)
{
    return wanted->n_classes * sizeof wanted->classes[0];
}

static bool is_ours(enum port_scheduler scheduler)
{
    return scheduler != PORT_SCHEDULER_NONE && scheduler != PORT_SCHEDULER_OTHERS;
}

static void post(const struct port *port, const struct port_scheduling *wanted, struct outcome *outcome)
{
    struct job *job = calloc(1, sizeof *job + classes_size(wanted));

    if (!job)
        out_of_memory("the queues of a port", 0);
    job->job.run = run;
    job->job.detached = true;
    job->ifindex = port->ifindex;
    job->mtu = port->max_len - port_frame_len(0);
    job->outcome = outcome;
    job->wanted = *wanted;
    if (!is_ours(wanted->scheduler)) /* takes ours away */
        job->wanted.scheduler = PORT_SCHEDULER_NONE;
    if (wanted->n_classes)
        memcpy(job->classes, wanted->classes, classes_size(wanted));
    worker_post(WORKER_DEVICES, &job->job, false);
}

static struct outcome *outcome_create(void)
{
    struct outcome *outcome = calloc(1, sizeof *outcome);

    if (!outcome)
        out_of_memory("the queues of a port", 0);
    *outcome = (struct outcome){.refs = 2, .result = IN_PROGRESS};
    return outcome;
}

static void state_free(struct port_scheduler_state *state)
{
    if (!state)
        return;
    free(state->wanted.classes);
    unref(state->outcome);
    free(state);
}

static void ask_kernel(const struct port *port, struct port_scheduler_state *state)
{
    if (port->ifindex == 0 || port->lost)
        return;
    unref(state->outcome);
    state->outcome = outcome_create();
    post(port, &state->wanted, state->outcome);
}

void port_set_scheduling(struct port *port, const struct port_scheduling *wanted)
{
    struct port_scheduler_state *before = port->scheduler, *state = NULL;

    if (!before && wanted->scheduler == PORT_SCHEDULER_NONE)
        return;
    state = calloc(1, sizeof *state);
    if (!state)
        out_of_memory("the queues of a port", 0);
    state->wanted = *wanted;
    state->wanted.classes = malloc(classes_size(wanted) + 1);
    if (!state->wanted.classes)
        out_of_memory("the queues of a port", 0);
    if (wanted->n_classes)
        memcpy(state->wanted.classes, wanted->classes, classes_size(wanted));
    port->scheduler = state;
    __atomic_store_n(&port->classful, wanted->scheduler != PORT_SCHEDULER_NONE, __ATOMIC_RELAXED);
    if (is_ours(wanted->scheduler) || (before && is_ours(before->wanted.scheduler)))
        ask_kernel(port, state);
    state_free(before);
}

void port_scheduling_renew(struct port *port)
{
    if (port->scheduler && is_ours(port->scheduler->wanted.scheduler))
        ask_kernel(port, port->scheduler);
}

int port_scheduling_result(struct port *port)
{
    const struct port_scheduler_state *state = port->scheduler;
    int result = state && state->outcome ? __atomic_load_n(&state->outcome->result, __ATOMIC_ACQUIRE) : 0;

    return result == IN_PROGRESS ? -EINPROGRESS : result;
}

void port_scheduling_end(struct port *port)
{
    const struct port_scheduling none = {.scheduler = PORT_SCHEDULER_NONE};

    if (port->scheduler)
        port_set_scheduling(port, &none);
    state_free(port->scheduler);
    port->scheduler = NULL;
}
