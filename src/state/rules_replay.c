#define MEM_WHAT "the journal of rules"

#include "src/state/rules_replay.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <rte_hash_crc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pmd/base/clock.h"
#include "pmd/base/hash.h"
#include "pmd/base/log.h"
#include "pmd/base/mem.h"
#include "pmd/base/open_hash.h"
#include "src/match/of_error.h"
#include "src/state/rules_journal.h"
#include "src/state/rules_record.h"
#include "src/state/state_file.h"

#define STARTS_MOST 5     /* processes that die young with these rules, before they begin without */
#define RECORDS_A_LOOK 16 /* at the clock */

/* Where the last word about something stands in the file. */
struct place {
    uint64_t key; /* kind and id; 0: empty */
    uint32_t at8; /* in the file, in units of 8 bytes */
    uint32_t hash;
};
#define PLACE_TYPE ((struct open_hash_type){sizeof(struct place), offsetof(struct place, hash)})
#define ID_BITS 56
#define FILE_MOST (UINT64_C(8) << 32)

/* The file is read several times from its start. */
enum pass {
    PASS_CHECK,  /* frames: which is the last whole one */
    PASS_FIND,   /* where the last word about everything is */
    PASS_METERS, /* and tunnel options */
    PASS_GROUPS, /* again while there are some that could not be added, but others could: they name each other */
    PASS_RULES,
    PASS_END,
};

struct rules_replay {
    char *path, *bridge;
    int fd;
    uint64_t size, end; /* of the file; of its last whole frame */
    uint32_t starts;
    enum pass pass;
    uint64_t at; /* of the next frame */
    const char *fault;
    struct of_buf frame; /* the records of the frame that is being read */
    uint64_t frame_at;   /* where they are in the file */
    size_t used;         /* of them */
    struct open_hash places;
    uint64_t n_left[RECORD_N_KINDS]; /* in `places` */
    uint64_t n_done[RECORD_N_KINDS];
    uint64_t n_before; /* groups that were left when the pass began */
    int error;         /* the first that a record met with */
};

/* --- the index ----------------------------------------------------------- */

static uint64_t key_of(const struct rules_record *record)
{
    return (uint64_t)(record->kind + 1) << ID_BITS | record->id;
}

static uint32_t hash_of(uint64_t key)
{
    return hash_finish(hash_add(HASH_BASIS, key));
}

static struct place *find(const struct rules_replay *replay, uint64_t key)
{
    const uint32_t hash = hash_of(key);
    struct place *places;
    uint32_t mask;

    for (unsigned n = 0; (places = open_hash_array(&replay->places, n, &mask)); n++)
        for (uint32_t i = hash & mask; places[i].key != 0; i = (i + 1) & mask)
            if (places[i].key == key)
                return &places[i];
    return NULL;
}

static void note(struct rules_replay *replay, const struct rules_record *record, uint64_t at)
{
    const uint64_t key = key_of(record);
    struct place *place = find(replay, key);

    if (record->message == 0) {
        if (!place)
            return;
        replay->n_left[record->kind]--;
        open_hash_remove(&replay->places, PLACE_TYPE, place);
        return;
    }
    if (!place) {
        place = open_hash_insert(&replay->places, PLACE_TYPE, hash_of(key));
        *place = (struct place){.key = key, .hash = hash_of(key)};
        replay->n_left[record->kind]++;
    }
    place->at8 = (uint32_t)(at / 8);
}

/* --- reading ------------------------------------------------------------- */

/* Reads the frame at replay->at, and moves on. False: it is cut short, or has a fault. */
static bool read_frame(struct rules_replay *replay, struct rules_frame *frame)
{
    const uint64_t left = replay->size - replay->at;

    replay->frame.len = replay->used = 0;
    if (left < sizeof *frame || pread(replay->fd, frame, sizeof *frame, (off_t)replay->at) != sizeof *frame)
        return false;
    if (frame->head_crc != rules_frame_head_crc(frame) || frame->len > RULES_FRAME_MOST || frame->len % 8 != 0) {
        replay->fault = "a checksum in it is wrong";
        return false;
    }
    if (left - sizeof *frame < frame->len)
        return false;
    replay->frame_at = replay->at + sizeof *frame;
    of_buf_add(&replay->frame, frame->len + sizeof(uint64_t)); /* there is memory for a frame without records, too */
    replay->frame.len = frame->len;
    if (pread(replay->fd, replay->frame.data, frame->len, (off_t)replay->frame_at) != (ssize_t)frame->len) {
        replay->fault = "it cannot be read";
        return false;
    }
    if (frame->crc != rules_frame_crc(frame, replay->frame.data)) {
        replay->fault = "a checksum in it is wrong";
        return false;
    }
    replay->at = replay->frame_at + frame->len;
    return true;
}

/* The next record of the pass and where it is; NULL: the pass, or with a fault everything, is over. */
static const struct rules_record *next_record(struct rules_replay *replay, uint64_t *at)
{
    const struct rules_record *record;
    struct rules_frame frame;

    while (replay->used == replay->frame.len) {
        if (replay->at >= replay->end)
            return NULL;
        if (!read_frame(replay, &frame)) {
            replay->fault = replay->fault ? replay->fault : "it changes while it is read";
            return NULL;
        }
    }
    record = rules_record_at(replay->frame.data + replay->used, replay->frame.len - replay->used);
    if (!record || record->id >> ID_BITS != 0) {
        replay->fault = "a record in it is none";
        return NULL;
    }
    *at = replay->frame_at + replay->used;
    replay->used += record->len;
    return record;
}

/* --- the passes ---------------------------------------------------------- */

static bool has_pass(const struct rules_replay *replay, enum pass pass)
{
    switch (pass) {
    case PASS_METERS:
        return replay->n_left[RECORD_METER] > 0 || replay->n_left[RECORD_OPTIONS] > 0;
    case PASS_GROUPS:
        return replay->n_left[RECORD_GROUP] > 0;
    case PASS_RULES:
        return replay->n_left[RECORD_RULE] > 0;
    default:
        return true;
    }
}

static void begin_pass(struct rules_replay *replay, enum pass pass)
{
    while (!has_pass(replay, pass))
        pass++;
    replay->pass = pass;
    replay->at = sizeof(struct rules_file_head);
    replay->frame.len = replay->used = 0;
    replay->n_before = replay->n_left[RECORD_GROUP];
}

static void end_pass(struct rules_replay *replay)
{
    if (replay->fault)
        replay->pass = PASS_END;
    else if (replay->pass == PASS_GROUPS && replay->n_left[RECORD_GROUP] < replay->n_before)
        begin_pass(replay, PASS_GROUPS);
    else
        begin_pass(replay, replay->pass + 1);
}

static bool is_of_pass(const struct rules_replay *replay, const struct rules_record *record)
{
    static const enum pass passes[RECORD_N_KINDS] = {
        [RECORD_RULE] = PASS_RULES,
        [RECORD_GROUP] = PASS_GROUPS,
        [RECORD_METER] = PASS_METERS,
        [RECORD_OPTIONS] = PASS_METERS,
    };

    return passes[record->kind] == replay->pass;
}

static void take_over(struct rules_replay *replay, const struct rules_record *record, uint64_t at,
                      struct pipeline *pipeline)
{
    struct place *place = is_of_pass(replay, record) ? find(replay, key_of(record)) : NULL;
    int error;

    if (!place || place->at8 != at / 8)
        return;
    error = rules_record_apply(record, pipeline);
    if (error != 0) {
        replay->error = replay->error ? replay->error : error;
        return;
    }
    replay->n_left[record->kind]--;
    replay->n_done[record->kind]++;
    open_hash_remove(&replay->places, PLACE_TYPE, place);
}

/* False: the pass is over. */
static bool step(struct rules_replay *replay, struct pipeline *pipeline)
{
    const struct rules_record *record;
    struct rules_frame frame;
    uint64_t at;

    if (replay->pass == PASS_CHECK) {
        if (!read_frame(replay, &frame))
            return false;
        if (frame.whole)
            replay->end = replay->at;
        return true;
    }
    record = next_record(replay, &at);
    if (!record)
        return false;
    if (replay->pass == PASS_FIND)
        note(replay, record, at);
    else
        take_over(replay, record, at, pipeline);
    return true;
}

static void tell(const struct rules_replay *replay)
{
    const uint64_t *left = replay->n_left, *done = replay->n_done;
    const uint64_t n_refused = left[RECORD_RULE] + left[RECORD_GROUP] + left[RECORD_METER] + left[RECORD_OPTIONS];

    if (replay->fault) {
        LOG_WARN(LOG_MAIN, "%s: %s: bridge %s begins without the rules of the process before", replay->path,
                 replay->fault, replay->bridge);
        return;
    }
    LOG_INFO(LOG_MAIN,
             "bridge %s goes on with %" PRIu64 " rules, %" PRIu64 " groups and %" PRIu64
             " meters of the process before, until a controller changes them",
             replay->bridge, done[RECORD_RULE], done[RECORD_GROUP], done[RECORD_METER]);
    if (n_refused > 0)
        LOG_WARN(LOG_MAIN,
                 "bridge %s: %" PRIu64 " rules, groups or meters of the process before are refused, the first "
                 "with %s: controllers have to add them again",
                 replay->bridge, n_refused, of_error_name(replay->error));
}

bool rules_replay_step(struct rules_replay *replay, struct pipeline *pipeline, uint64_t budget_us)
{
    const uint64_t deadline_us = clock_now_us() + budget_us;

    while (replay->pass != PASS_END) {
        for (unsigned i = 0; i < RECORDS_A_LOOK && replay->pass != PASS_END; i++)
            if (!step(replay, pipeline))
                end_pass(replay);
        if (replay->pass == PASS_END)
            tell(replay);
        else if (clock_now_us() >= deadline_us)
            return false;
    }
    return true;
}

/* --- the whole ----------------------------------------------------------- */

/* What is wrong with the head; NULL: nothing. */
static const char *head_fault(const struct rules_replay *replay, const struct rules_file_head *head, bool read)
{
    char boot[STATE_BOOT_LEN];

    if (!read || memcmp(head->magic, RULES_FILE_MAGIC, sizeof head->magic) != 0 || replay->size > FILE_MOST)
        return "it is no journal of rules";
    if (head->version != RULES_FILE_VERSION)
        return "it is of another version of sluiced";
    state_read_boot(boot);
    if (memcmp(head->boot, boot, sizeof boot) != 0)
        return "it was written before the machine was started";
    if (head->starts >= STARTS_MOST)
        return "with these rules sluiced died again and again, soon after it had started";
    return NULL;
}

static int open_file(const char *path)
{
    char *next = mem_asprintf("%s.new", path);

    state_settle(path, next);
    free(next);
    return open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
}

struct rules_replay *rules_replay_open(const char *path, const char *bridge)
{
    const int fd = open_file(path);
    struct rules_file_head head = {0};
    struct rules_replay *replay;
    struct stat st;
    bool read;

    if (fd < 0)
        return NULL;
    replay = mem_calloc(1, sizeof *replay);
    replay->fd = fd;
    replay->path = mem_strdup(path);
    replay->bridge = mem_strdup(bridge);
    read = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && state_read(fd, &head, sizeof head);
    replay->size = read ? (uint64_t)st.st_size : 0;
    replay->starts = head.starts;
    replay->fault = head_fault(replay, &head, read);
    if (replay->fault) {
        tell(replay);
        rules_replay_close(replay);
        return NULL;
    }
    replay->end = sizeof head;
    begin_pass(replay, PASS_CHECK);
    return replay;
}

uint32_t rules_replay_starts(const struct rules_replay *replay)
{
    return replay->starts + 1;
}

void rules_replay_close(struct rules_replay *replay)
{
    if (!replay)
        return;
    close(replay->fd);
    open_hash_free(&replay->places, PLACE_TYPE);
    of_buf_free(&replay->frame);
    free(replay->path);
    free(replay->bridge);
    free(replay);
}
