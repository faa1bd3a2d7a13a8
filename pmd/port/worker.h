/* A thread for what the kernel takes long for: making TAPs, and above all deleting them, which waits for grace periods
 * of the kernel's (some 16 ms a TAP) with a lock that every change of an interface needs. The control thread gives it
 * jobs and looks whether they are done; it never waits for one while the switch runs.
 */
#ifndef PMD_PORT_WORKER_H
#define PMD_PORT_WORKER_H

#include <stdbool.h>

struct worker_job {
    void (*run)(struct worker_job *job); /* on the worker's thread */
    struct worker_job *next;             /* the worker's */
    bool done;                           /* see worker_done() */
};

/* Control thread. `job` is the caller's, who keeps it until it is done. Urgent ones go before all that are not. Without
 * memory or threads for it, the job is run at once. */
void worker_post(struct worker_job *job, bool urgent);
bool worker_done(const struct worker_job *job);
/* Waits until all jobs are done and ends the thread. The next worker_post() starts another. */
void worker_stop(void);

#endif
