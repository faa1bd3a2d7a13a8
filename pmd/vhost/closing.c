#include "pmd/vhost/closing.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/sockios.h>

#include "pmd/base/memory.h"
#include "pmd/vhost/memory.h"

#define STACK (64 * 1024)

struct vhost_closers {
    unsigned n_users; /* the endpoint, and each thread */
};

/* What one thread closes. */
struct batch {
    struct vhost_closers *closers;
    unsigned n;
    int fds[];
};

bool vhost_is_eventfd(int fd)
{
    static const char wanted[] = "anon_inode:[eventfd]";
    char path[64], target[64];
    ssize_t len;

    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    len = readlink(path, target, sizeof target);
    return len == (ssize_t)sizeof wanted - 1 && memcmp(target, wanted, sizeof wanted - 1) == 0;
}

struct vhost_closers *vhost_closers_new(void)
{
    struct vhost_closers *closers = malloc(sizeof *closers);

    if (!closers)
        out_of_memory("a vhost-user socket", sizeof *closers);
    closers->n_users = 1;
    return closers;
}

unsigned vhost_closers_count(const struct vhost_closers *closers)
{
    return __atomic_load_n(&closers->n_users, __ATOMIC_RELAXED) - 1;
}

void vhost_closers_release(struct vhost_closers *closers)
{
    if (__atomic_sub_fetch(&closers->n_users, 1, __ATOMIC_ACQ_REL) == 0)
        free(closers);
}

static void *close_batch(void *arg)
{
    struct batch *batch = arg;

    for (unsigned i = 0; i < batch->n; i++)
        close(batch->fds[i]);
    vhost_closers_release(batch->closers);
    free(batch);
    return NULL;
}

/* Signals are for the control thread. */
static bool start_closer(struct batch *batch)
{
    sigset_t all, before;
    pthread_attr_t attr;
    pthread_t thread;
    bool ok;

    sigfillset(&all);
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attr, STACK);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    ok = pthread_create(&thread, &attr, close_batch, batch) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attr);
    return ok;
}

/* Without a thread for it there is nothing better than to close them here. */
static void close_apart(struct vhost_closers *closers, const int *fds, unsigned n)
{
    struct batch *batch = malloc(sizeof *batch + n * sizeof batch->fds[0]);

    if (!batch)
        out_of_memory("closing descriptors of virtual machines", sizeof *batch);
    batch->closers = closers;
    batch->n = n;
    memcpy(batch->fds, fds, n * sizeof batch->fds[0]);
    __atomic_add_fetch(&closers->n_users, 1, __ATOMIC_RELAXED);
    if (!start_closer(batch))
        close_batch(batch);
}

void vhost_close(struct vhost_closers *closers, int *fds, unsigned n)
{
    unsigned n_others = 0;

    for (unsigned i = 0; i < n; i++) {
        const int fd = fds[i];

        fds[i] = -1;
        if (fd < 0)
            continue;
        if (vhost_is_eventfd(fd) || vhost_is_memory_file(fd))
            close(fd);
        else
            fds[n_others++] = fd;
    }
    if (n_others > 0)
        close_apart(closers, fds, n_others);
    for (unsigned i = 0; i < n_others; i++)
        fds[i] = -1;
}

void vhost_close_socket(struct vhost_closers *closers, int fd)
{
    int unread;

    /* Nothing comes in from now on. */
    shutdown(fd, SHUT_RDWR);
    if (ioctl(fd, SIOCINQ, &unread) == 0 && unread == 0)
        close(fd);
    else
        close_apart(closers, &fd, 1);
}
