#include "pmd/base/log_sink.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <rte_common.h>
#include <rte_spinlock.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum kind {
    KIND_NONBLOCKING, /* a description of our own */
    KIND_SOCKET,
    KIND_SHARED, /* a write may wait: only after poll() said that there is room */
};

/* What became of a line. */
enum written { WRITTEN, WRITTEN_NOTHING, WRITTEN_NEVER };

/* Held to write, never waited for: who does not get it leaves its line to who has it. */
static rte_spinlock_t write_lock = RTE_SPINLOCK_INITIALIZER;
static int sink_fd = STDERR_FILENO;
static int own_fd = -1; /* to close, -1: none */
static enum kind sink_kind = KIND_SHARED;
static uint32_t head_done; /* bytes of the first line that were written */
static bool failing;       /* the last write was refused for another reason than a full reader */

/* The backlog: lines with their length in two bytes before them. Held for a copy of one line. */
static rte_spinlock_t backlog_lock = RTE_SPINLOCK_INITIALIZER;
static char backlog[LOG_BACKLOG];
static uint32_t first, used; /* bytes */
static bool overflown;       /* full since, and not yet half empty again */
static uint64_t lost, untold, lines;

_Static_assert(LOG_LINE_MAX < UINT16_MAX && LOG_LINE_MAX <= PIPE_BUF, "a line goes into a pipe as one");

/* --- backlog, under its lock --------------------------------------------- */

static void copy_in(const void *from, uint32_t n)
{
    uint32_t at = (first + used) % LOG_BACKLOG, end = RTE_MIN(n, LOG_BACKLOG - at);

    memcpy(backlog + at, from, end);
    memcpy(backlog, (const char *)from + end, n - end);
    used += n;
}

static void copy_out(uint32_t offset, void *to, uint32_t n)
{
    uint32_t at = (first + offset) % LOG_BACKLOG, end = RTE_MIN(n, LOG_BACKLOG - at);

    memcpy(to, backlog + at, end);
    memcpy((char *)to + end, backlog, n - end);
}

static void count_lost(void)
{
    lost++;
    untold++;
}

static void append(const char *line, uint16_t length)
{
    rte_spinlock_lock(&backlog_lock);
    if (overflown || used + sizeof length + length > LOG_BACKLOG) {
        overflown = true;
        count_lost();
    } else {
        copy_in(&length, sizeof length);
        copy_in(line, length);
    }
    rte_spinlock_unlock(&backlog_lock);
}

/* The length of the first line, copied to `line`; 0: there is none. */
static uint16_t look_at_first(char *line)
{
    uint16_t length = 0;

    rte_spinlock_lock(&backlog_lock);
    if (used) {
        copy_out(0, &length, sizeof length);
        copy_out(sizeof length, line, length);
    }
    rte_spinlock_unlock(&backlog_lock);
    return length;
}

static void remove_first(uint16_t length, bool was_written)
{
    rte_spinlock_lock(&backlog_lock);
    first = (first + sizeof length + length) % LOG_BACKLOG;
    used -= sizeof length + length;
    if (used <= LOG_BACKLOG / 2)
        overflown = false;
    if (was_written)
        lines++;
    else
        count_lost();
    rte_spinlock_unlock(&backlog_lock);
}

static uint32_t waiting(void)
{
    uint32_t n;

    rte_spinlock_lock(&backlog_lock);
    n = used;
    rte_spinlock_unlock(&backlog_lock);
    return n;
}

/* --- writing, under its lock --------------------------------------------- */

static ssize_t write_some(const char *text, size_t length)
{
    struct pollfd room = {.fd = sink_fd, .events = POLLOUT};

    switch (sink_kind) {
    case KIND_SOCKET:
        return send(sink_fd, text, length, MSG_DONTWAIT | MSG_NOSIGNAL);
    case KIND_SHARED:
        if (poll(&room, 1, 0) <= 0) {
            errno = EAGAIN;
            return -1;
        }
        break;
    case KIND_NONBLOCKING:
        break;
    }
    return write(sink_fd, text, length);
}

static enum written write_line(const char *line, uint16_t length)
{
    while (head_done < length) {
        ssize_t n = write_some(line + head_done, length - head_done);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 && errno != EAGAIN && errno != EWOULDBLOCK ? WRITTEN_NEVER : WRITTEN_NOTHING;
        head_done += n;
    }
    return WRITTEN;
}

/* Returns whether the reader had room for all there was. */
static bool write_backlog(void)
{
    char line[LOG_LINE_MAX];
    uint16_t length;

    while ((length = look_at_first(line)) != 0) {
        enum written outcome = write_line(line, length);

        if (outcome == WRITTEN_NOTHING)
            return false;
        head_done = 0;
        __atomic_store_n(&failing, outcome == WRITTEN_NEVER, __ATOMIC_RELAXED);
        remove_first(length, outcome == WRITTEN);
    }
    return true;
}

uint32_t log_sink_flush(void)
{
    bool room = true;

    /* Once more for who found the lock taken after the last look at the backlog. */
    while (room && waiting() && rte_spinlock_trylock(&write_lock)) {
        room = write_backlog();
        rte_spinlock_unlock(&write_lock);
    }
    return waiting();
}

void log_sink_put(const char *line, size_t length)
{
    append(line, (uint16_t)RTE_MIN(length, (size_t)LOG_LINE_MAX));
    log_sink_flush();
}

/* --- where to ------------------------------------------------------------ */

/* A second open file description for what `fd` is open on; -1: there can be none. */
static int reopen(int fd)
{
    char path[32];

    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
}

static enum kind kind_of(int fd, int *reopened)
{
    struct stat st;

    *reopened = -1;
    if (fstat(fd, &st) != 0)
        return KIND_SHARED;
    if (S_ISSOCK(st.st_mode))
        return KIND_SOCKET;
    /* A file written from the start by a second description would begin at its start. */
    if (S_ISFIFO(st.st_mode) || isatty(fd))
        *reopened = reopen(fd);
    return *reopened >= 0 ? KIND_NONBLOCKING : KIND_SHARED;
}

void log_sink_set(int fd, bool own)
{
    int reopened = own ? fd : -1, old;
    enum kind kind = own ? KIND_NONBLOCKING : kind_of(fd, &reopened);

    rte_spinlock_lock(&write_lock);
    old = own_fd;
    own_fd = reopened;
    sink_fd = reopened >= 0 ? reopened : fd;
    sink_kind = kind;
    head_done = 0;
    rte_spinlock_unlock(&write_lock);
    if (old >= 0)
        close(old);
    log_sink_flush();
}

uint64_t log_sink_take_lost(void)
{
    uint64_t n = 0;

    if (__atomic_load_n(&failing, __ATOMIC_RELAXED))
        return 0;
    rte_spinlock_lock(&backlog_lock);
    if (!overflown) {
        n = untold;
        untold = 0;
    }
    rte_spinlock_unlock(&backlog_lock);
    return n;
}

void log_sink_get_stats(struct log_sink_stats *stats)
{
    rte_spinlock_lock(&backlog_lock);
    *stats = (struct log_sink_stats){.lines = lines, .lost = lost, .waiting = used};
    rte_spinlock_unlock(&backlog_lock);
}
