#define MEM_WHAT "the file of tracked connections"

#include "src/state/ct_state.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <rte_hash_crc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pmd/base/clock.h"
#include "pmd/base/log.h"
#include "pmd/base/mem.h"
#include "pmd/ct.h"
#include "pmd/datapath.h"
#include "src/loop/loop.h"
#include "src/state/state_file.h"

#define PAUSE_US UINT64_C(5000000) /* between the end of one file and the next; more if that takes long */
#define PAUSE_TIMES 50             /* what a file takes of the time is 1/50 at most */
#define BUDGET_US 300
#define PLACES 256 /* of the tracker, that one step looks at */
#define BUFFER 65536

struct header {
    char magic[8];
    uint32_t version, crc; /* of all records */
    uint64_t n, bytes;     /* records, and how long they are together */
    uint32_t exact;        /* nothing was forwarded any more when they were written */
    uint32_t zero;
    char boot[STATE_BOOT_LEN]; /* of the machine: a clock does not go on over it */
};
static const char magic[8] = "SLUICECT";

struct ct_state {
    struct datapath *dp;
    struct loop *loop;
    struct loop_job job;
    char *path, *next_path;
    bool running; /* the file is this process's */
    /* What is being written. */
    int fd; /* -1: nothing */
    struct header header;
    uint32_t cursor;
    size_t used; /* of `buffer` */
    uint64_t spent_us, due_us;
    uint8_t buffer[BUFFER];
};

/* --- writing ------------------------------------------------------------- */

static bool flush(struct ct_state *state)
{
    state->header.crc = rte_hash_crc(state->buffer, (uint32_t)state->used, state->header.crc);
    state->header.bytes += state->used;
    if (!state_write(state->fd, state->buffer, state->used))
        return false;
    state->used = 0;
    return true;
}

/* What is being written, if anything is. Whoever starts next would take half of it for all. */
static void abandon(struct ct_state *state)
{
    if (state->fd < 0)
        return;
    close(state->fd);
    state->fd = -1;
    state_remove(state->next_path);
}

static void give_up(struct ct_state *state)
{
    LOG_WARN_RL(LOG_MAIN, "%s: %s: tracked connections do not survive a restart", state->next_path, strerror(errno));
    abandon(state);
}

static bool begin(struct ct_state *state)
{
    state->header = (struct header){.version = CT_RECORD_VERSION};
    memcpy(state->header.magic, magic, sizeof magic);
    state_read_boot(state->header.boot);
    state->cursor = 0;
    state->used = 0;
    state->spent_us = 0;
    state_remove(state->next_path);
    state->fd = open(state->next_path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (state->fd >= 0 && state_write(state->fd, &state->header, sizeof state->header))
        return true;
    give_up(state);
    return false;
}

static bool finish(struct ct_state *state)
{
    if (!flush(state) || pwrite(state->fd, &state->header, sizeof state->header, 0) != sizeof state->header ||
        !state_replace(state->path, state->next_path)) {
        give_up(state);
        return false;
    }
    close(state->fd);
    state->fd = -1;
    return true;
}

/* False: it is at an end, or has failed. */
static bool step(struct ct_state *state)
{
    struct ct_record record;

    if (!ct_next_record(datapath_ct(state->dp), datapath_seconds(), &state->cursor, PLACES, &record))
        return state->cursor != 0 || (finish(state), false);
    if (state->used + record.len > BUFFER && !flush(state)) {
        give_up(state);
        return false;
    }
    memcpy(state->buffer + state->used, &record, record.len);
    state->used += record.len;
    state->header.n++;
    return true;
}

static void pause_until(struct ct_state *state, uint64_t now_us)
{
    const uint64_t long_us = state->spent_us * PAUSE_TIMES;

    state->due_us = now_us + (long_us > PAUSE_US ? long_us : PAUSE_US);
}

static unsigned run(void *arg, uint64_t budget_us)
{
    struct ct_state *state = arg;
    const uint64_t begun = clock_now_us();
    bool more = true;
    uint64_t now = begun;

    if (state->fd < 0 && begun < state->due_us)
        return 0;
    if (state->fd < 0 && ct_count(datapath_ct(state->dp)) == 0) {
        state_remove(state->path);
        state->spent_us = 0;
        pause_until(state, begun);
        return 0;
    }
    if (state->fd < 0)
        more = begin(state);
    while (more && now - begun < budget_us) {
        for (unsigned i = 0; more && i < 16; i++)
            more = step(state);
        now = clock_now_us();
    }
    state->spent_us += now - begun;
    if (more)
        return LOOP_SOON;
    pause_until(state, now);
    return 0;
}

static uint64_t due(void *arg)
{
    const struct ct_state *state = arg;
    const uint64_t now = clock_now_us();

    if (state->fd >= 0)
        return LOOP_SOON_US;
    return state->due_us > now ? state->due_us - now : 1;
}

/* --- adopting ------------------------------------------------------------ */

/* Says what is wrong with the file's header; NULL: nothing. */
static const char *header_fault(int fd, struct header *header)
{
    char boot[STATE_BOOT_LEN];
    struct stat st;

    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || !state_read(fd, header, sizeof *header) ||
        memcmp(header->magic, magic, sizeof magic) != 0)
        return "it is no file of connections";
    if (header->version != CT_RECORD_VERSION)
        return "it is of another version of sluiced";
    state_read_boot(boot);
    if (memcmp(header->boot, boot, sizeof boot) != 0)
        return "it was written before the machine was started";
    if ((uint64_t)st.st_size != sizeof *header + header->bytes || header->n > header->bytes / CT_RECORD_MIN)
        return "it is cut short, or too long";
    return NULL;
}

static const char *checksum_fault(struct ct_state *state, int fd, const struct header *header)
{
    uint64_t left = header->bytes;
    uint32_t crc = 0;

    while (left > 0) {
        const size_t n = left < BUFFER ? (size_t)left : BUFFER;

        if (!state_read(fd, state->buffer, n))
            return "it cannot be read";
        crc = rte_hash_crc(state->buffer, (uint32_t)n, crc);
        left -= n;
    }
    return crc == header->crc ? NULL : "its checksum is wrong";
}

/* The next record of the file. False: its length cannot be one. */
static bool read_record(FILE *file, struct ct_record *record)
{
    uint8_t *rest = (uint8_t *)record + CT_RECORD_MIN;

    memset(record, 0, sizeof *record);
    if (fread(record, CT_RECORD_MIN, 1, file) != 1 || record->len < CT_RECORD_MIN || record->len > sizeof *record)
        return false;
    return record->len == CT_RECORD_MIN || fread(rest, record->len - CT_RECORD_MIN, 1, file) == 1;
}

static void adopt_records(struct ct_state *state, FILE *file, const struct header *header)
{
    uint64_t n[CT_N_ADOPTIONS] = {0};

    for (uint64_t i = 0; i < header->n; i++) {
        struct ct_record record;

        if (!read_record(file, &record)) {
            n[CT_ADOPT_BAD] += header->n - i;
            break;
        }
        n[ct_adopt(datapath_ct(state->dp), datapath_seconds(), &record, header->exact != 0)]++;
    }
    LOG_INFO(LOG_MAIN,
             "%" PRIu64 " tracked connections of the process before go on; %" PRIu64 " have timed out since, %" PRIu64
             " find no room, %" PRIu64 " are no connections",
             n[CT_ADOPTED], n[CT_ADOPT_OVER], n[CT_ADOPT_FULL], n[CT_ADOPT_TAKEN] + n[CT_ADOPT_BAD]);
}

static int open_settled(const struct ct_state *state)
{
    state_settle(state->path, state->next_path);
    return open(state->path, O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
}

void ct_state_adopt(struct ct_state *state)
{
    const int fd = open_settled(state);
    struct header header;
    const char *fault;

    state->running = true;
    state->due_us = clock_now_us() + PAUSE_US;
    loop_add(state->loop, &state->job);
    if (fd < 0) {
        LOG_INFO(LOG_MAIN, "%s: %s: no tracked connections of a process before", state->path, strerror(errno));
        return;
    }
    fault = header_fault(fd, &header);
    if (!fault)
        fault = checksum_fault(state, fd, &header);
    if (fault) {
        LOG_WARN(LOG_MAIN, "%s: %s: connections that were tracked before are forgotten", state->path, fault);
        close(fd);
        state_remove(state->path);
        return;
    }
    FILE *file = lseek(fd, sizeof header, SEEK_SET) >= 0 ? fdopen(fd, "r+") : NULL;
    if (!file) {
        close(fd);
        return;
    }
    adopt_records(state, file, &header);
    /* From here on packets pass, until it is written again. */
    header.exact = 0;
    if (pwrite(fd, &header, sizeof header, 0) != sizeof header)
        state_remove(state->path);
    fclose(file);
}

/* --- the whole ----------------------------------------------------------- */

struct ct_state *ct_state_create(struct loop *loop, struct datapath *dp, const char *run_dir)
{
    struct ct_state *state = mem_calloc(1, sizeof *state);

    state->dp = dp;
    state->loop = loop;
    state->fd = -1;
    state->path = mem_asprintf("%s/connections", run_dir);
    state->next_path = mem_asprintf("%s/connections.new", run_dir);
    state->job = (struct loop_job){.name = "connections to the file",
                                   .phase = LOOP_UPKEEP,
                                   .budget_us = BUDGET_US,
                                   .arg = state,
                                   .run = run,
                                   .due_us = due};
    return state;
}

void ct_state_leave(struct ct_state *state)
{
    if (!state || !state->running)
        return;
    abandon(state);
    if (ct_count(datapath_ct(state->dp)) == 0) {
        state_remove(state->path);
        return;
    }
    if (!begin(state))
        return;
    state->header.exact = 1;
    while (step(state))
        ;
}

void ct_state_destroy(struct ct_state *state)
{
    if (!state)
        return;
    loop_remove(&state->job);
    abandon(state);
    free(state->path);
    free(state->next_path);
    free(state);
}
