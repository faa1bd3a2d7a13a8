/* Captures from their start to their end:
 *
 *   CAPTURE_RUNNING   threads look at packets; the writer empties their rings
 *   CAPTURE_LEAVING   detached; a grace period goes by, after which no thread fills the rings any more
 *   CAPTURE_CLOSING   the writer takes what is left and closes the file
 *   CAPTURE_ENDED     listed until somebody stops it
 */
#define MEM_WHAT "captures"

#include "src/app/captures.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <rte_cycles.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "pmd/base/log.h"
#include "pmd/base/mem.h"
#include "pmd/base/priority.h"
#include "pmd/datapath.h"
#include "src/bridge/bridge.h"
#include "src/loop/loop.h"

#define LOOK_MS 10              /* at the states of captures that run */
#define PIPE_PATIENCE_MS 100    /* between looks at whether to stop, while a pipe is full */
#define WRITER_PAUSE_NS 2000000 /* between looks at rings that were empty */

/* Both in the byte order of the machine, which readers find out by the first word: draft-ietf-opsawg-pcap, 4 and 5. */
struct pcap_header {
    uint32_t magic;
    uint16_t major, minor;
    uint32_t reserved[2];
    uint32_t snaplen;
    uint32_t link_type;
};
struct pcap_record {
    uint32_t sec, nsec;
    uint32_t len, full_len;
};
#define PCAP_MAGIC_NANOSECONDS 0xa1b23c4d
#define PCAP_ETHERNET 1

enum capture_state { CAPTURE_RUNNING, CAPTURE_LEAVING, CAPTURE_CLOSING, CAPTURE_ENDED };

struct entry {
    unsigned id;
    enum capture_state state;
    struct capture *capture;
    char *bridge, *port, *filter, *file;
    bool ways[CAPTURE_N_WAYS];
    bool wanted_end;              /* somebody stopped it */
    uint64_t token;               /* CAPTURE_LEAVING: what has to pass */
    struct capture_counts counts; /* CAPTURE_ENDED: the last */

    /* The writer, if there is a file. */
    pthread_t writer;
    unsigned n_threads;
    int fd;
    uint64_t most;
    bool drain;       /* to the writer: what is in the rings is all that comes */
    bool done;        /* from the writer: the file is closed */
    int write_error;  /* from the writer: errno; 0: none */
    uint64_t written; /* by the writer */
};

struct captures {
    struct loop_timer look;
    struct datapath *dp;
    struct entry *entries[CAPTURES_MAX]; /* by id; the first `n` */
    unsigned n, last_id;
};

/* --- the writer: a thread a file ----------------------------------------- */

/* What a TSC value is on the wall clock, by a look at both now. */
struct wall {
    uint64_t tsc, hz;
    struct timespec time;
};

static void wall_look(struct wall *wall)
{
    wall->tsc = rte_rdtsc();
    wall->hz = rte_get_tsc_hz();
    clock_gettime(CLOCK_REALTIME, &wall->time);
}

static void wall_time(const struct wall *wall, uint64_t tsc, struct pcap_record *record)
{
    uint64_t ago = wall->tsc > tsc ? wall->tsc - tsc : 0;
    uint64_t ago_ns = ago / wall->hz * 1000000000 + ago % wall->hz * 1000000000 / wall->hz;
    uint64_t ns = (uint64_t)wall->time.tv_sec * 1000000000 + (uint64_t)wall->time.tv_nsec - ago_ns;

    record->sec = (uint32_t)(ns / 1000000000);
    record->nsec = (uint32_t)(ns % 1000000000);
}

/* Waits while a pipe is full, until `hurry` is set. */
static bool write_all(int fd, const struct iovec *parts, int n, const bool *hurry)
{
    struct pollfd room = {.fd = fd, .events = POLLOUT};
    struct iovec left[2];

    memcpy(left, parts, (size_t)n * sizeof *parts);
    for (struct iovec *at = left; n > 0;) {
        ssize_t wrote = writev(fd, at, n);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote < 0 && errno == EAGAIN && !__atomic_load_n(hurry, __ATOMIC_RELAXED)) {
            poll(&room, 1, PIPE_PATIENCE_MS);
            continue;
        }
        if (wrote < 0)
            return false;
        while (n > 0 && (size_t)wrote >= at->iov_len) {
            wrote -= (ssize_t)at->iov_len;
            at++;
            n--;
        }
        if (n > 0) {
            at->iov_base = (uint8_t *)at->iov_base + wrote;
            at->iov_len -= (size_t)wrote;
        }
    }
    return true;
}

static bool full(const struct entry *entry)
{
    return entry->most && entry->written == entry->most;
}

static bool write_copy(struct entry *entry, const struct wall *wall, const struct captured *copy)
{
    struct pcap_record record = {.len = copy->len, .full_len = copy->full_len};
    const struct iovec parts[] = {{&record, sizeof record}, {(void *)copy->data, copy->len}};

    wall_time(wall, copy->tsc, &record);
    if (!write_all(entry->fd, parts, 2, &entry->drain))
        return false;
    __atomic_store_n(&entry->written, entry->written + 1, __ATOMIC_RELAXED);
    return true;
}

/* The thread whose oldest copy is the oldest of all, so that the file is in order of time; n_threads: none has any. */
static unsigned oldest(struct entry *entry, struct captured *copy)
{
    unsigned best = entry->n_threads;

    for (unsigned i = 0; i < entry->n_threads; i++) {
        struct captured next;
        if (capture_next(entry->capture, i, &next) && (best == entry->n_threads || next.tsc < copy->tsc)) {
            *copy = next;
            best = i;
        }
    }
    return best;
}

/* True: it took something. */
static bool write_some(struct entry *entry)
{
    struct captured copy = {0};
    struct wall wall;
    bool any = false;
    unsigned thread;

    wall_look(&wall);
    while (!full(entry) && !entry->write_error && (thread = oldest(entry, &copy)) < entry->n_threads) {
        if (!write_copy(entry, &wall, &copy))
            __atomic_store_n(&entry->write_error, errno, __ATOMIC_RELAXED);
        capture_done(entry->capture, thread);
        any = true;
    }
    return any;
}

static void *write_file(void *arg)
{
    const struct timespec pause = {.tv_nsec = WRITER_PAUSE_NS};
    struct entry *entry = arg;

    priority_inherit_usual();
    capture_prefault(entry->capture);
    for (;;) {
        bool last = __atomic_load_n(&entry->drain, __ATOMIC_ACQUIRE);
        if (write_some(entry))
            continue;
        if (last)
            break;
        nanosleep(&pause, NULL);
    }
    if (close(entry->fd) && !entry->write_error)
        __atomic_store_n(&entry->write_error, errno, __ATOMIC_RELAXED);
    __atomic_store_n(&entry->done, true, __ATOMIC_RELEASE);
    return NULL;
}

/* A file that others than its owner cannot read, as packets may be confidential. A pipe works if something reads it. */
static int open_file(const char *path, uint32_t snaplen, char *error, size_t size)
{
    const struct pcap_header header = {PCAP_MAGIC_NANOSECONDS, 2, 4, {0, 0}, snaplen, PCAP_ETHERNET};
    const struct iovec part = {(void *)&header, sizeof header};
    const bool at_once = true;
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0600);

    if (fd < 0) {
        snprintf(error, size, "%s: %s%s", path, strerror(errno),
                 errno == ENXIO ? ": start what reads the pipe first" : "");
        return -1;
    }
    if (!write_all(fd, &part, 1, &at_once)) {
        snprintf(error, size, "%s: %s", path, strerror(errno));
        close(fd);
        return -1;
    }
    return fd;
}

/* --- states -------------------------------------------------------------- */

static void begin_end(struct captures *captures, struct entry *entry)
{
    capture_detach(entry->capture);
    datapath_touch(captures->dp);
    entry->token = datapath_token(captures->dp);
    entry->state = CAPTURE_LEAVING;
}

/* No thread and no writer has it any more. */
static void end(struct entry *entry)
{
    capture_counts(entry->capture, &entry->counts);
    capture_destroy(entry->capture);
    entry->capture = NULL;
    entry->state = CAPTURE_ENDED;
}

static bool writer_is_through(const struct entry *entry)
{
    return __atomic_load_n(&entry->write_error, __ATOMIC_RELAXED) ||
           (entry->most && __atomic_load_n(&entry->written, __ATOMIC_RELAXED) == entry->most);
}

static void step(struct captures *captures, struct entry *entry)
{
    if (entry->state == CAPTURE_RUNNING && (!capture_attached(entry->capture) || writer_is_through(entry)))
        begin_end(captures, entry);
    if (entry->state == CAPTURE_LEAVING && datapath_passed(captures->dp, entry->token)) {
        entry->state = CAPTURE_CLOSING;
        __atomic_store_n(&entry->drain, true, __ATOMIC_RELEASE);
    }
    if (entry->state != CAPTURE_CLOSING || (entry->file && !__atomic_load_n(&entry->done, __ATOMIC_ACQUIRE)))
        return;
    if (entry->file)
        pthread_join(entry->writer, NULL);
    end(entry);
}

static bool step_all(struct captures *captures)
{
    bool any = false;

    for (unsigned i = 0; i < captures->n; i++) {
        step(captures, captures->entries[i]);
        any |= captures->entries[i]->state != CAPTURE_ENDED;
    }
    return any;
}

static void look_again(struct captures *captures)
{
    loop_timer_in(&captures->look, LOOK_MS * 1000);
}

static void on_look(void *arg)
{
    if (step_all(arg))
        look_again(arg);
}

/* --- what others call ---------------------------------------------------- */

struct captures *captures_create(struct loop *loop, struct datapath *dp)
{
    struct captures *captures = mem_calloc(1, sizeof *captures);

    captures->dp = dp;
    loop_timer_init(&captures->look, loop, "captures", on_look, captures);
    return captures;
}

static void entry_free(struct entry *entry)
{
    free(entry->bridge);
    free(entry->port);
    free(entry->filter);
    free(entry->file);
    free(entry);
}

void captures_destroy(struct captures *captures)
{
    if (!captures)
        return;
    for (unsigned i = 0; i < captures->n; i++)
        if (captures->entries[i]->state == CAPTURE_RUNNING)
            begin_end(captures, captures->entries[i]);
    datapath_synchronize(captures->dp);
    while (step_all(captures))
        usleep(1000);
    for (unsigned i = 0; i < captures->n; i++)
        entry_free(captures->entries[i]);
    loop_timer_cancel(&captures->look);
    free(captures);
}

static int start_writer(struct entry *entry, const struct capture_request *request, char *error, size_t size)
{
    entry->fd = open_file(request->file, request->snaplen, error, size);
    if (entry->fd < 0)
        return -1;
    int rc = pthread_create(&entry->writer, NULL, write_file, entry);
    if (rc) {
        snprintf(error, size, "cannot start a thread: %s", strerror(rc));
        close(entry->fd);
        return -1;
    }
    pthread_setname_np(entry->writer, "capture");
    return 0;
}

unsigned captures_start(struct captures *captures, struct bridge_port *bp, const struct capture_request *request,
                        char *error, size_t error_size)
{
    struct capture_params params = {
        .value = request->value,
        .mask = request->mask,
        .snaplen = request->file ? request->snaplen : 0,
        .n_threads = datapath_max_threads(captures->dp),
    };

    if (captures->n == CAPTURES_MAX) {
        snprintf(error, error_size, "there are %u captures: stop one of them first (capture/show)", CAPTURES_MAX);
        return 0;
    }
    memcpy(params.ways, request->ways, sizeof params.ways);
    struct entry *entry = mem_calloc(1, sizeof *entry);
    entry->capture = capture_create(&params);
    entry->n_threads = params.n_threads;
    entry->most = request->file ? request->most : 0;
    if (!entry->capture)
        snprintf(error, error_size, "out of memory");
    if (!entry->capture || (request->file && start_writer(entry, request, error, error_size))) {
        capture_destroy(entry->capture);
        entry_free(entry);
        return 0;
    }
    entry->id = ++captures->last_id;
    entry->bridge = mem_strdup(bp->bridge->name);
    entry->port = mem_strdup(bp->name);
    entry->filter = mem_strdup(request->filter);
    entry->file = request->file ? mem_strdup(request->file) : NULL;
    memcpy(entry->ways, request->ways, sizeof entry->ways);
    captures->entries[captures->n++] = entry;
    capture_attach(entry->capture, bp->port);
    look_again(captures);
    return entry->id;
}

static struct entry *find(struct captures *captures, unsigned id)
{
    for (unsigned i = 0; i < captures->n; i++)
        if (captures->entries[i]->id == id)
            return captures->entries[i];
    return NULL;
}

bool captures_stop(struct captures *captures, unsigned id)
{
    struct entry *entry = find(captures, id);

    if (!entry)
        return false;
    entry->wanted_end = true;
    if (entry->state == CAPTURE_RUNNING)
        begin_end(captures, entry);
    return true;
}

void captures_forget(struct captures *captures, unsigned id)
{
    unsigned i = 0;

    while (i < captures->n && captures->entries[i]->id != id)
        i++;
    if (i == captures->n || captures->entries[i]->state != CAPTURE_ENDED)
        return;
    entry_free(captures->entries[i]);
    memmove(&captures->entries[i], &captures->entries[i + 1], (--captures->n - i) * sizeof captures->entries[0]);
}

static const char *state_text(const struct entry *entry)
{
    if (entry->state == CAPTURE_RUNNING)
        return "running";
    if (entry->state != CAPTURE_ENDED)
        return "stopping";
    if (entry->write_error)
        return strerror(entry->write_error);
    if (full(entry))
        return "the file has all packets that were asked for";
    return entry->wanted_end ? "stopped" : "the port was removed";
}

static void describe(const struct entry *entry, struct capture_info *info)
{
    *info = (struct capture_info){
        .id = entry->id,
        .bridge = entry->bridge,
        .port = entry->port,
        .filter = entry->filter,
        .file = entry->file ? entry->file : "",
        .counts = entry->counts,
        .written = __atomic_load_n(&entry->written, __ATOMIC_RELAXED),
        .state = state_text(entry),
        .ended = entry->state == CAPTURE_ENDED,
    };
    memcpy(info->ways, entry->ways, sizeof info->ways);
    if (entry->capture)
        capture_counts(entry->capture, &info->counts);
}

bool captures_find(struct captures *captures, unsigned id, struct capture_info *info)
{
    const struct entry *entry = find(captures, id);

    if (entry)
        describe(entry, info);
    return entry != NULL;
}

bool captures_next(struct captures *captures, unsigned id, struct capture_info *info)
{
    for (unsigned i = 0; i < captures->n; i++)
        if (captures->entries[i]->id > id) {
            describe(captures->entries[i], info);
            return true;
        }
    return false;
}
