#include "pmd/port/worker.h"

#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <time.h>

#include "pmd/base/priority.h"

struct job_list {
    struct worker_job *first, **last; /* last: NULL while it was never used */
};

/* All but the name and the most under `lock`. Threads are never ended: without a job they wait for one. */
static struct pool {
    const char *thread_name;
    unsigned threads_max;
    pthread_cond_t posted, all_done;
    struct job_list urgent, others;
    unsigned n_threads, n_idle;
    unsigned n_waiting; /* in the lists */
    unsigned n_jobs;    /* waiting or under way */
} pools[WORKER_N_POOLS] = {
    [WORKER_DEVICES] = {"devices", 1, PTHREAD_COND_INITIALIZER, PTHREAD_COND_INITIALIZER},
    [WORKER_SOCKETS] = {"packet-sockets", 32, PTHREAD_COND_INITIALIZER, PTHREAD_COND_INITIALIZER},
};
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void put(struct job_list *list, struct worker_job *job)
{
    job->next = NULL;
    if (list->first)
        *list->last = job;
    else
        list->first = job;
    list->last = &job->next;
}

static struct worker_job *take(struct job_list *list)
{
    struct worker_job *job = list->first;

    if (job)
        list->first = job->next;
    return job;
}

/* Under `lock`. */
static struct worker_job *next_job(struct pool *pool)
{
    struct worker_job *job;

    pool->n_idle++;
    while (!(job = take(&pool->urgent)) && !(job = take(&pool->others)))
        pthread_cond_wait(&pool->posted, &lock);
    pool->n_idle--;
    pool->n_waiting--;
    return job;
}

static void run(struct worker_job *job)
{
    bool detached = job->detached; /* it may be gone then */

    job->run(job);
    if (!detached)
        __atomic_store_n(&job->done, true, __ATOMIC_RELEASE);
}

static void *work(void *arg)
{
    struct pool *pool = arg;

    priority_inherit_usual();
    pthread_mutex_lock(&lock);
    for (;;) {
        struct worker_job *job = next_job(pool);

        pthread_mutex_unlock(&lock);
        run(job);
        pthread_mutex_lock(&lock);
        if (--pool->n_jobs == 0)
            pthread_cond_broadcast(&pool->all_done);
    }
    return NULL;
}

/* Under `lock`. Signals are for the control thread. */
static void start_thread(struct pool *pool)
{
    sigset_t all, before;
    pthread_t thread;
    int rc;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    rc = pthread_create(&thread, NULL, work, pool);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc != 0)
        return;
    pool->n_threads++;
    pthread_setname_np(thread, pool->thread_name);
    pthread_detach(thread);
}

void worker_post(enum worker_pool number, struct worker_job *job, bool urgent)
{
    struct pool *pool = &pools[number];
    bool posted;

    job->done = false;
    pthread_mutex_lock(&lock);
    if (pool->n_idle <= pool->n_waiting && pool->n_threads < pool->threads_max)
        start_thread(pool);
    posted = pool->n_threads > 0;
    if (posted) {
        put(urgent ? &pool->urgent : &pool->others, job);
        pool->n_waiting++;
        pool->n_jobs++;
        pthread_cond_signal(&pool->posted);
    }
    pthread_mutex_unlock(&lock);
    if (!posted)
        run(job);
}

bool worker_done(const struct worker_job *job)
{
    return __atomic_load_n(&job->done, __ATOMIC_ACQUIRE);
}

void worker_wait(enum worker_pool number, unsigned seconds)
{
    struct pool *pool = &pools[number];
    struct timespec end;
    int rc = 0;

    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += seconds;
    pthread_mutex_lock(&lock);
    while (pool->n_jobs > 0 && rc == 0)
        rc = seconds > 0 ? pthread_cond_timedwait(&pool->all_done, &lock, &end)
                         : pthread_cond_wait(&pool->all_done, &lock);
    pthread_mutex_unlock(&lock);
}
