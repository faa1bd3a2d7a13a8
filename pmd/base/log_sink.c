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

struct sink {
    /* Held to write, never waited for: who does not get it leaves its line to who has it. */
    rte_spinlock_t write_lock;
    int fd;     /* -1: closed */
    int own_fd; /* to close, -1: none */
    enum kind kind;
    uint32_t head_done; /* bytes of the first line that were written */
    bool failing;       /* the last write was refused for another reason than a full reader */

    /* The backlog: lines with their length in two bytes before them. Held for a copy of one line. */
    rte_spinlock_t backlog_lock;
    uint32_t first, used; /* bytes */
    bool overflown;       /* full since, and not yet half empty again */
    uint64_t lost, untold, lines;
};

static char backlogs[LOG_N_FACILITIES][LOG_BACKLOG];

static struct sink sinks[LOG_N_FACILITIES] = {
    [LOG_TO_CONSOLE] = {.fd = STDERR_FILENO, .own_fd = -1, .kind = KIND_SHARED},
    [LOG_TO_SYSLOG] = {.fd = -1, .own_fd = -1},
    [LOG_TO_FILE] = {.fd = -1, .own_fd = -1},
};

_Static_assert(LOG_LINE_MAX < UINT16_MAX && LOG_LINE_MAX <= PIPE_BUF, "a line goes into a pipe as one");

/* --- backlog, under its lock --------------------------------------------- */

static char *backlog_of(const struct sink *s)
{
    return backlogs[s - sinks];
}

static void copy_in(struct sink *s, const void *from, uint32_t n)
{
    uint32_t at = (s->first + s->used) % LOG_BACKLOG, end = RTE_MIN(n, LOG_BACKLOG - at);

    memcpy(backlog_of(s) + at, from, end);
    memcpy(backlog_of(s), (const char *)from + end, n - end);
    s->used += n;
}

static void copy_out(struct sink *s, uint32_t offset, void *to, uint32_t n)
{
    uint32_t at = (s->first + offset) % LOG_BACKLOG, end = RTE_MIN(n, LOG_BACKLOG - at);

    memcpy(to, backlog_of(s) + at, end);
    memcpy((char *)to + end, backlog_of(s), n - end);
}

static void count_lost(struct sink *s)
{
    s->lost++;
    s->untold++;
}

static void append(struct sink *s, const char *line, uint16_t length)
{
    rte_spinlock_lock(&s->backlog_lock);
    if (s->overflown || s->used + sizeof length + length > LOG_BACKLOG) {
        s->overflown = true;
        count_lost(s);
    } else {
        copy_in(s, &length, sizeof length);
        copy_in(s, line, length);
    }
    rte_spinlock_unlock(&s->backlog_lock);
}

/* The length of the first line, copied to `line`; 0: there is none. */
static uint16_t look_at_first(struct sink *s, char *line)
{
    uint16_t length = 0;

    rte_spinlock_lock(&s->backlog_lock);
    if (s->used) {
        copy_out(s, 0, &length, sizeof length);
        copy_out(s, sizeof length, line, length);
    }
    rte_spinlock_unlock(&s->backlog_lock);
    return length;
}

static void remove_first(struct sink *s, uint16_t length, bool was_written)
{
    rte_spinlock_lock(&s->backlog_lock);
    s->first = (s->first + sizeof length + length) % LOG_BACKLOG;
    s->used -= sizeof length + length;
    if (s->used <= LOG_BACKLOG / 2)
        s->overflown = false;
    if (was_written)
        s->lines++;
    else
        count_lost(s);
    rte_spinlock_unlock(&s->backlog_lock);
}

static uint32_t waiting(struct sink *s)
{
    uint32_t n;

    rte_spinlock_lock(&s->backlog_lock);
    n = s->used;
    rte_spinlock_unlock(&s->backlog_lock);
    return n;
}

/* --- writing, under its lock --------------------------------------------- */

static ssize_t write_some(struct sink *s, const char *text, size_t length)
{
    struct pollfd room = {.fd = s->fd, .events = POLLOUT};

    if (s->fd < 0) { /* closed since the line was handed over */
        errno = EBADF;
        return -1;
    }
    switch (s->kind) {
    case KIND_SOCKET:
        return send(s->fd, text, length, MSG_DONTWAIT | MSG_NOSIGNAL);
    case KIND_SHARED:
        if (poll(&room, 1, 0) <= 0) {
            errno = EAGAIN;
            return -1;
        }
        break;
    case KIND_NONBLOCKING:
        break;
    }
    return write(s->fd, text, length);
}

static enum written write_line(struct sink *s, const char *line, uint16_t length)
{
    while (s->head_done < length) {
        ssize_t n = write_some(s, line + s->head_done, length - s->head_done);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 && errno != EAGAIN && errno != EWOULDBLOCK ? WRITTEN_NEVER : WRITTEN_NOTHING;
        s->head_done += n;
    }
    return WRITTEN;
}

/* Returns whether the reader had room for all there was. */
static bool write_backlog(struct sink *s)
{
    char line[LOG_LINE_MAX];
    uint16_t length;

    while ((length = look_at_first(s, line)) != 0) {
        enum written outcome = write_line(s, line, length);

        if (outcome == WRITTEN_NOTHING)
            return false;
        s->head_done = 0;
        __atomic_store_n(&s->failing, outcome == WRITTEN_NEVER, __ATOMIC_RELAXED);
        remove_first(s, length, outcome == WRITTEN);
    }
    return true;
}

uint32_t log_sink_flush(enum log_facility facility)
{
    struct sink *s = &sinks[facility];
    bool room = true;

    /* Once more for who found the lock taken after the last look at the backlog. */
    while (room && waiting(s) && rte_spinlock_trylock(&s->write_lock)) {
        room = write_backlog(s);
        rte_spinlock_unlock(&s->write_lock);
    }
    return waiting(s);
}

void log_sink_put(enum log_facility facility, const char *line, size_t length)
{
    append(&sinks[facility], line, (uint16_t)RTE_MIN(length, (size_t)LOG_LINE_MAX));
    log_sink_flush(facility);
}

/* --- where to ------------------------------------------------------------ */

/* A second open file description for what `fd` is open on; -1: there can be none. */
static int reopen(int fd)
{
    char path[32];

    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
}

static enum kind kind_of(int fd, bool own, int *reopened)
{
    struct stat st;

    *reopened = own ? fd : -1;
    if (fstat(fd, &st) != 0)
        return KIND_SHARED;
    if (S_ISSOCK(st.st_mode))
        return KIND_SOCKET;
    /* A file written from the start by a second description would begin at its start. */
    if (!own && (S_ISFIFO(st.st_mode) || isatty(fd)))
        *reopened = reopen(fd);
    return *reopened >= 0 ? KIND_NONBLOCKING : KIND_SHARED;
}

static void forget_backlog(struct sink *s)
{
    rte_spinlock_lock(&s->backlog_lock);
    s->used = 0;
    s->overflown = false;
    rte_spinlock_unlock(&s->backlog_lock);
}

void log_sink_set(enum log_facility facility, int fd, bool own)
{
    struct sink *s = &sinks[facility];
    int reopened, old;
    enum kind kind = kind_of(fd, own, &reopened);

    rte_spinlock_lock(&s->write_lock);
    old = s->own_fd;
    s->own_fd = reopened;
    s->fd = reopened >= 0 ? reopened : fd;
    s->kind = kind;
    s->head_done = 0;
    if (fd < 0)
        forget_backlog(s);
    rte_spinlock_unlock(&s->write_lock);
    if (old >= 0)
        close(old);
    log_sink_flush(facility);
}

bool log_sink_is_open(enum log_facility facility)
{
    return __atomic_load_n(&sinks[facility].fd, __ATOMIC_RELAXED) >= 0;
}

bool log_sink_fails(enum log_facility facility)
{
    return __atomic_load_n(&sinks[facility].failing, __ATOMIC_RELAXED);
}

uint64_t log_sink_take_lost(enum log_facility facility)
{
    struct sink *s = &sinks[facility];
    uint64_t n = 0;

    if (log_sink_fails(facility))
        return 0;
    rte_spinlock_lock(&s->backlog_lock);
    if (!s->overflown) {
        n = s->untold;
        s->untold = 0;
    }
    rte_spinlock_unlock(&s->backlog_lock);
    return n;
}

void log_sink_get_stats(struct log_sink_stats *stats)
{
    *stats = (struct log_sink_stats){0};
    for (struct sink *s = sinks; s < sinks + LOG_N_FACILITIES; s++) {
        rte_spinlock_lock(&s->backlog_lock);
        stats->lines += s->lines;
        stats->lost += s->lost;
        stats->waiting += s->used;
        rte_spinlock_unlock(&s->backlog_lock);
    }
}
