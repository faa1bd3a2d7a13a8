#include "pmd/port/worker.h"

#include <pthread.h>
#include <signal.h>
#include <stddef.h>

struct job_list {
    struct worker_job *first, **last;
};

static struct {
    pthread_mutex_t lock;
    pthread_cond_t posted;
    struct job_list urgent, others;
    bool ending;
} queue = {
    .lock = PTHREAD_MUTEX_INITIALIZER,
    .posted = PTHREAD_COND_INITIALIZER,
    .urgent.last = &queue.urgent.first,
    .others.last = &queue.others.first,
};
static pthread_t thread; /* control thread only, like `running` */
static bool running;

static void put(struct job_list *list, struct worker_job *job)
{
    job->next = NULL;
    *list->last = job;
    list->last = &job->next;
}

static struct worker_job *take(struct job_list *list)
{
    struct worker_job *job = list->first;

    if (!job)
        return NULL;
    list->first = job->next;
    if (!list->first)
        list->last = &list->first;
    return job;
}

/* NULL: there is none, and there will be none. */
static struct worker_job *next_job(void)
{
    struct worker_job *job;

    pthread_mutex_lock(&queue.lock);
    while (!(job = take(&queue.urgent)) && !(job = take(&queue.others)) && !queue.ending)
        pthread_cond_wait(&queue.posted, &queue.lock);
    pthread_mutex_unlock(&queue.lock);
    return job;
}

static void run(struct worker_job *job)
{
    job->run(job);
    __atomic_store_n(&job->done, true, __ATOMIC_RELEASE);
}

static void *work(void *arg)
{
    struct worker_job *job;

    while ((job = next_job()))
        run(job);
    return NULL;
}

/* Signals are for the control thread. */
static bool start(void)
{
    sigset_t all, old;

    if (running)
        return true;
    queue.ending = false;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    running = pthread_create(&thread, NULL, work, NULL) == 0;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return running;
}

void worker_post(struct worker_job *job, bool urgent)
{
    job->done = false;
    if (!start()) {
        run(job);
        return;
    }
    pthread_mutex_lock(&queue.lock);
    put(urgent ? &queue.urgent : &queue.others, job);
    pthread_cond_signal(&queue.posted);
    pthread_mutex_unlock(&queue.lock);
}

bool worker_done(const struct worker_job *job)
{
    return __atomic_load_n(&job->done, __ATOMIC_ACQUIRE);
}

void worker_stop(void)
{
    if (!running)
        return;
    pthread_mutex_lock(&queue.lock);
    queue.ending = true;
    pthread_cond_signal(&queue.posted);
    pthread_mutex_unlock(&queue.lock);
    pthread_join(thread, NULL);
    running = false;
}
