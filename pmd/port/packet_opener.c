#include "pmd/port/packet_opener.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "pmd/port/backend.h"
#include "pmd/port/worker.h"

struct packet_opening {
    struct worker_job job; /* first */
    struct port *port;     /* NULL: abandoned */
    int ifindex;
    uint16_t mtu;
    bool done;
    struct packet_opened opened;
};

/* A descriptor to close. */
struct closing {
    struct worker_job job; /* first */
    int fd;
};

/* For what is being closed when the process ends. */
#define END_SECONDS 2

/* Guards the members `port` and `done` of openings. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* --- on a thread of the pool --------------------------------------------- */

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

static void run_opening(struct worker_job *job)
{
    struct packet_opening *opening = (struct packet_opening *)job;
    bool abandoned;

    read_facts(opening);
    open_rings(opening);
    pthread_mutex_lock(&lock);
    opening->done = true;
    abandoned = !opening->port;
    if (!abandoned)
        port_notify(opening->port);
    pthread_mutex_unlock(&lock);
    if (abandoned)
        opening_free(opening);
}

static void run_closing(struct worker_job *job)
{
    struct closing *closing = (struct closing *)job;

    close(closing->fd);
    free(closing);
}

/* --- on the control thread ----------------------------------------------- */

static void wait_for_all(void)
{
    worker_wait(WORKER_SOCKETS, END_SECONDS);
}

static void post(struct worker_job *job, void (*run)(struct worker_job *job), bool urgent)
{
    static bool waits_at_end;

    if (!waits_at_end)
        waits_at_end = atexit(wait_for_all) == 0;
    job->run = run;
    job->detached = true;
    worker_post(WORKER_SOCKETS, job, urgent);
}

struct packet_opening *packet_opening_start(struct port *port, int ifindex, uint16_t mtu, unsigned n)
{
    struct packet_opening *opening = calloc(1, sizeof *opening);

    if (!opening)
        return NULL;
    opening->port = port;
    opening->ifindex = ifindex;
    opening->mtu = mtu;
    opening->opened = (struct packet_opened){.n = n};
    post(&opening->job, run_opening, true); /* before what only frees memory */
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
    closing = calloc(1, sizeof *closing);
    if (!closing) {
        close(fd);
        return;
    }
    closing->fd = fd;
    post(&closing->job, run_closing, false);
}

void packet_ring_close_later(struct packet_ring *ring)
{
    packet_ring_unmap(ring);
    packet_sender_close_later(ring->fd);
    ring->fd = -1;
}
