#include "src/state/state_file.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void state_read_boot(char boot[STATE_BOOT_LEN])
{
    const int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);

    memset(boot, 0, STATE_BOOT_LEN);
    if (fd < 0)
        return;
    if (read(fd, boot, STATE_BOOT_LEN - 1) < 0)
        boot[0] = '\0';
    close(fd);
}

bool state_write(int fd, const void *data, size_t len)
{
    const uint8_t *at = data;

    while (len > 0) {
        const ssize_t n = write(fd, at, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        at += n;
        len -= (size_t)n;
    }
    return true;
}

bool state_read(int fd, void *data, size_t len)
{
    uint8_t *at = data;

    while (len > 0) {
        const ssize_t n = read(fd, at, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        at += n;
        len -= (size_t)n;
    }
    return true;
}

static void *close_in_thread(void *arg)
{
    close((int)(intptr_t)arg);
    return NULL;
}

/* Signals are for the control thread. */
static void close_apart(int fd)
{
    sigset_t all, before;
    pthread_t thread;
    int rc;

    if (fd < 0)
        return;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    rc = pthread_create(&thread, NULL, close_in_thread, (void *)(intptr_t)fd);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc == 0)
        pthread_detach(thread);
    else
        close(fd);
}

static int hold(const char *path)
{
    return open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
}

void state_remove(const char *path)
{
    const int held = hold(path);

    unlink(path);
    close_apart(held);
}

/* Not by a rename over the other: ext4 allocates all blocks of the new file first then. */
bool state_replace(const char *path, const char *by)
{
    state_remove(path);
    return rename(by, path) == 0;
}

void state_settle(const char *path, const char *by)
{
    if (access(path, F_OK) != 0 && errno == ENOENT)
        rename(by, path);
}
