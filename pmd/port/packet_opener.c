#include "pmd/port/packet_opener.h"

#include <errno.h>
#include <pthread.h>
#include <rte_common.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <time.h>
#include <unistd.h>

#include "pmd/base/log.h"
#include "pmd/port/backend.h"

struct packet_opening {
    STAILQ_ENTRY(packet_opening) next;
    struct port *port; /* NULL: abandoned */
    int ifindex;
    uint16_t mtu;
    bool done;
    struct packet_opened opened;
};

/* A descriptor to close. */
struct closing {
    STAILQ_ENTRY(closing) next;
    int fd;
};

#define THREADS_MAX 32
/* For what is being closed when the process ends. */
#define END_SECONDS 2

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t more = PTHREAD_COND_INITIALIZER, all_done = PTHREAD_COND_INITIALIZER;
/* Under `lock`, as are the members `port` and `done` of an opening. */
static STAILQ_HEAD(, packet_opening) openings = STAILQ_HEAD_INITIALIZER(openings);
static STAILQ_HEAD(, closing) closings = STAILQ_HEAD_INITIALIZER(closings);
static unsigned n_threads, n_idle;
static unsigned n_jobs; /* waiting or under way */

/* The threads from here, but for thread_start() and wait_for_all(). */

static void read_facts(struct packet_opening *opening)
{
    char ifname[IFNAMSIZ];

    if (interface_name(opening->ifindex, ifname))
        interface_read_facts(ifname, &opening->opened.facts);
}

static void open_rings(struct packet_opening *opening)
{
    struct packet_opened *to = &opening->opened;
    unsigned n = 0;

    for (; n < to->n && to->error == 0; n++)
        to->error = packet_ring_open(&to->rings[n], opening->ifindex, opening->mtu, n == 0);
    if (to->error == 0 && n > 1)
        to->error = packet_rings_spread(to->rings, n);
    if (to->error == 0)
        return;
    for (unsigned i = 0; i < n; i++)
        packet_ring_close(&to->rings[i]);
    to->n = 0;
}

static void opening_free(struct packet_opening *opening)
{
    for (unsigned i = 0; i < opening->opened.n; i++)
        packet_ring_close(&opening->opened.rings[i]);
    free(opening);
}

static void note_opened(struct packet_opening *opening)
{
    bool abandoned;

    pthread_mutex_lock(&lock);
    opening->done = true;
    abandoned = !opening->port;
    if (!abandoned)
        port_notify(opening->port);
    pthread_mutex_unlock(&lock);
    if (abandoned)
        opening_free(opening);
}

static void *work(void *arg)
{
    for (;;) {
        struct packet_opening *opening;
        struct closing *closing = NULL;

        pthread_mutex_lock(&lock);
        n_idle++;
        while (STAILQ_EMPTY(&openings) && STAILQ_EMPTY(&closings))
            pthread_cond_wait(&more, &lock);
        n_idle--;
        opening = STAILQ_FIRST(&openings); /* before what only frees memory */
        if (opening) {
            STAILQ_REMOVE_HEAD(&openings, next);
        } else {
            closing = STAILQ_FIRST(&closings);
            STAILQ_REMOVE_HEAD(&closings, next);
        }
        pthread_mutex_unlock(&lock);
        if (opening) {
            read_facts(opening);
            open_rings(opening);
            note_opened(opening);
        } else {
            close(closing->fd);
            free(closing);
        }
        pthread_mutex_lock(&lock);
        if (--n_jobs == 0)
            pthread_cond_broadcast(&all_done);
        pthread_mutex_unlock(&lock);
    }
    return NULL;
}

static void wait_for_all(void)
{
    struct timespec end;

    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += END_SECONDS;
    pthread_mutex_lock(&lock);
    while (n_jobs > 0 && pthread_cond_timedwait(&all_done, &lock, &end) == 0)
        ;
    pthread_mutex_unlock(&lock);
}

static void thread_start(void)
{
    sigset_t all, before;
    pthread_t thread;
    int rc;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    rc = pthread_create(&thread, NULL, work, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc != 0)
        return;
    if (n_threads++ == 0)
        atexit(wait_for_all);
    pthread_setname_np(thread, "packet-sockets");
    pthread_detach(thread);
}

/* Under `lock`: somebody is there for one more job. False: no thread could be started. */
static bool job_begin(void)
{
    if (n_idle <= n_jobs && n_threads < THREADS_MAX)
        thread_start();
    if (n_threads == 0)
        return false;
    n_jobs++;
    return true;
}

/* The control thread from here. */

struct packet_opening *packet_opening_start(struct port *port, int ifindex, uint16_t mtu, unsigned n)
{
    struct packet_opening *opening = calloc(1, sizeof *opening);

    if (!opening)
        return NULL;
    opening->port = port;
    opening->ifindex = ifindex;
    opening->mtu = mtu;
    opening->opened = (struct packet_opened){.n = n};
    pthread_mutex_lock(&lock);
    if (job_begin()) {
        STAILQ_INSERT_TAIL(&openings, opening, next);
        pthread_cond_signal(&more);
    } else {
        free(opening);
        opening = NULL;
    }
    pthread_mutex_unlock(&lock);
    return opening;
}

bool packet_opening_finish(struct packet_opening *opening, struct packet_opened *opened)
{
    bool done;

    pthread_mutex_lock(&lock);
    done = opening->done;
    pthread_mutex_unlock(&lock);
    if (!done)
        return false;
    *opened = opening->opened;
    free(opening);
    return true;
}

void packet_opening_abandon(struct packet_opening *opening)
{
    bool done;

    pthread_mutex_lock(&lock);
    done = opening->done;
    opening->port = NULL;
    pthread_mutex_unlock(&lock);
    if (!done)
        return; /* the thread frees it */
    for (unsigned i = 0; i < opening->opened.n; i++)
        packet_ring_close_later(&opening->opened.rings[i]);
    free(opening);
}

void packet_sender_close_later(int fd)
{
    struct closing *closing;

    if (fd < 0)
        return;
    closing = malloc(sizeof *closing);
    pthread_mutex_lock(&lock);
    if (closing && job_begin()) {
        closing->fd = fd;
        STAILQ_INSERT_TAIL(&closings, closing, next);
        pthread_cond_signal(&more);
        fd = -1;
    }
    pthread_mutex_unlock(&lock);
    if (fd >= 0) {
        free(closing);
        close(fd);
    }
}

void packet_ring_close_later(struct packet_ring *ring)
{
    packet_ring_unmap(ring);
    packet_sender_close_later(ring->fd);
    ring->fd = -1;
}
