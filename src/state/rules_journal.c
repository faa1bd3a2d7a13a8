#define MEM_WHAT "the journal of rules"

#include "src/state/rules_journal.h"

#include <errno.h>
#include <fcntl.h>
#include <rte_hash_crc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "pmd/base/clock.h"
#include "pmd/base/log.h"
#include "pmd/base/mem.h"
#include "src/match/tlv_map.h"
#include "src/state/rules_record.h"
#include "src/tables/group.h"
#include "src/tables/meter.h"

#define RETRY_US UINT64_C(60000000) /* after a write that failed */
#define SPARE 4096                  /* records of what is gone that are left alone, however little is there */
#define RECORDS_A_LOOK 16           /* at the clock */

/* What is written anew, in this order. */
enum anew { ANEW_NOTHING, ANEW_METERS, ANEW_GROUPS, ANEW_RULES, ANEW_END };

struct rules_journal {
    struct pipeline *pipeline;
    void (*wake)(void *arg);
    void *wake_arg;
    struct pipeline_recorder recorder;
    char *path, *next_path;
    struct rules_file_head head;
    int fd;              /* -1: nothing is recorded, after a write that failed */
    uint64_t retry_us;   /* when that is tried again */
    struct of_buf batch; /* records that were told of and are in no file */
    uint64_t n_batch;    /* that were told of since the last run */
    bool split;          /* the last frame was not whole */
    uint64_t n_records;  /* in the file; once there is one, of it alone */
    uint64_t n_others;   /* groups and meters that were written anew */
    unsigned n_options;
    struct tlv_map options[TLV_MAPS_MAX]; /* as they were recorded */

    /* The file that is to take the place of the other. */
    enum anew anew;
    int next_fd; /* -1: none */
    uint64_t n_next;
    struct of_buf part;
    struct meter_cursor *meters;
    struct group_cursor *groups;
    struct rule_cursor *rules;
};

uint32_t rules_frame_crc(const struct rules_frame *frame, const void *records)
{
    return rte_hash_crc(records, frame->len, 0);
}

uint32_t rules_frame_head_crc(const struct rules_frame *frame)
{
    return rte_hash_crc(frame, offsetof(struct rules_frame, head_crc), 0);
}

/* --- files --------------------------------------------------------------- */

static void close_cursors(struct rules_journal *journal)
{
    if (journal->meters)
        meter_cursor_close(journal->meters);
    if (journal->groups)
        group_cursor_close(journal->groups);
    if (journal->rules)
        rule_cursor_close(journal->rules);
    journal->meters = NULL;
    journal->groups = NULL;
    journal->rules = NULL;
}

static void close_file(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* Half a journal is worse than none. */
static void give_up(struct rules_journal *journal)
{
    LOG_WARN(LOG_MAIN, "%s: %s: rules do not survive if sluiced is killed, until there is room; next attempt in 60 s",
             journal->path, strerror(errno));
    close_cursors(journal);
    close_file(&journal->fd);
    close_file(&journal->next_fd);
    state_remove(journal->path);
    state_remove(journal->next_path);
    of_buf_free(&journal->batch);
    of_buf_free(&journal->part);
    journal->split = false;
    journal->anew = ANEW_NOTHING;
    journal->retry_us = clock_now_us() + RETRY_US;
}

static bool write_frame(int fd, const struct of_buf *records, bool whole)
{
    struct rules_frame frame = {.len = (uint32_t)records->len, .whole = whole};
    struct iovec parts[2] = {{&frame, sizeof frame}, {records->data, records->len}};
    ssize_t n;

    frame.crc = rules_frame_crc(&frame, records->data);
    frame.head_crc = rules_frame_head_crc(&frame);
    do
        n = writev(fd, parts, 2);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return false;
    if ((size_t)n < sizeof frame)
        return state_write(fd, (const uint8_t *)&frame + n, sizeof frame - (size_t)n) &&
               state_write(fd, records->data, records->len);
    return state_write(fd, records->data + (n - (ssize_t)sizeof frame), records->len - ((size_t)n - sizeof frame));
}

static bool write_part(struct rules_journal *journal, bool whole)
{
    const bool written = write_frame(journal->next_fd, &journal->part, whole);

    journal->part.len = 0;
    return written;
}

/* In the new file, which does not have all yet, no frame is whole, and what was written anew comes before: it was so
 * before. */
static bool write_batch(struct rules_journal *journal, bool whole)
{
    bool written = (journal->fd < 0 || write_frame(journal->fd, &journal->batch, whole)) &&
                   (journal->part.len == 0 || write_part(journal, false)) &&
                   (journal->next_fd < 0 || write_frame(journal->next_fd, &journal->batch, false));

    journal->batch.len = 0;
    journal->split = !whole;
    return written;
}

/* --- what happens in the tables ------------------------------------------ */

/* Another record fits in the frame. */
static bool is_short(const struct of_buf *records)
{
    return records->len < RULES_FRAME_USUAL;
}

static bool is_recording(const struct rules_journal *journal)
{
    return journal->fd >= 0 || journal->next_fd >= 0;
}

static void put_options(struct rules_journal *journal, struct of_buf *buf)
{
    journal->n_options = tlv_map_list(journal->options);
    rules_record_options(buf);
}

/* Nobody tells of them: they are the switch's, not the bridge's. */
static void note_options(struct rules_journal *journal)
{
    struct tlv_map now[TLV_MAPS_MAX];
    const unsigned n = tlv_map_list(now);

    if (n != journal->n_options || memcmp(now, journal->options, n * sizeof *now) != 0)
        put_options(journal, &journal->batch);
}

static void flush(struct rules_journal *journal)
{
    note_options(journal);
    if (!write_batch(journal, !pipeline_is_between(journal->pipeline)))
        give_up(journal);
}

static void noted(struct rules_journal *journal)
{
    if (journal->n_batch++ == 0)
        journal->wake(journal->wake_arg);
    journal->n_records++;
    journal->n_next++;
    if (!is_short(&journal->batch))
        flush(journal);
}

static void on_rule(void *arg, const struct rule *rule, bool there)
{
    struct rules_journal *journal = arg;

    if (!is_recording(journal) || rule->flags & RULE_HIDDEN)
        return;
    rules_record_rule(&journal->batch, rule, there);
    noted(journal);
}

static void on_group(void *arg, const struct group *group, bool there)
{
    struct rules_journal *journal = arg;

    if (!is_recording(journal))
        return;
    rules_record_group(&journal->batch, group, there);
    noted(journal);
}

static void on_meter(void *arg, const struct meter_entry *meter, bool there)
{
    struct rules_journal *journal = arg;

    if (!is_recording(journal))
        return;
    rules_record_meter(&journal->batch, meter, there);
    noted(journal);
}

/* --- writing anew -------------------------------------------------------- */

static void begin_anew(struct rules_journal *journal)
{
    state_remove(journal->next_path);
    journal->next_fd = open(journal->next_path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (journal->next_fd < 0 || !state_write(journal->next_fd, &journal->head, sizeof journal->head)) {
        give_up(journal);
        return;
    }
    journal->n_next = journal->n_others = 0;
    journal->anew = ANEW_METERS;
    if (pipeline_meters(journal->pipeline))
        journal->meters = meter_cursor_open(pipeline_meters(journal->pipeline));
    journal->groups = group_cursor_open(pipeline_groups(journal->pipeline));
    put_options(journal, &journal->part);
}

/* The next thing into journal->part. */
static void step_anew(struct rules_journal *journal)
{
    static const struct rule_filter all = {.table_id = TABLE_ALL, .out_port = OFPORT_ANY, .out_group = OFGROUP_ANY};
    const struct meter_entry *meter;
    const struct group *group;
    struct rule *rule = NULL;

    if (journal->anew == ANEW_METERS) {
        meter = journal->meters ? meter_cursor_next(journal->meters) : NULL;
        if (meter)
            rules_record_meter(&journal->part, meter, true);
        else
            journal->anew = ANEW_GROUPS;
        journal->n_others += meter != NULL;
        return;
    }
    if (journal->anew == ANEW_GROUPS) {
        group = group_cursor_next(journal->groups);
        if (group)
            rules_record_group(&journal->part, group, true);
        else
            journal->anew = ANEW_RULES;
        journal->n_others += group != NULL;
        return;
    }
    if (!journal->rules)
        journal->rules = rule_cursor_open(journal->pipeline, &all);
    switch (rule_cursor_look(journal->rules, 1, &rule)) {
    case RULE_CURSOR_FOUND:
        rules_record_rule(&journal->part, rule, true);
        journal->n_next++;
        break;
    case RULE_CURSOR_MORE:
        break;
    case RULE_CURSOR_END:
        journal->anew = ANEW_END;
    }
}

/* All that is there is in the new file, and so is what changed meanwhile. */
static void finish_anew(struct rules_journal *journal)
{
    close_cursors(journal);
    if (!write_part(journal, true)) {
        give_up(journal);
        return;
    }
    close_file(&journal->fd);
    if (!state_replace(journal->path, journal->next_path)) {
        give_up(journal);
        return;
    }
    journal->fd = journal->next_fd;
    journal->next_fd = -1;
    journal->n_records = journal->n_next + journal->n_others;
    journal->anew = ANEW_NOTHING;
    of_buf_free(&journal->part);
}

/* Nothing that was told of before is unwritten. */
static bool go_on_anew(struct rules_journal *journal, uint64_t deadline_us)
{
    while (journal->anew != ANEW_END && clock_now_us() < deadline_us) {
        for (unsigned i = 0; i < RECORDS_A_LOOK && journal->anew != ANEW_END && is_short(&journal->part); i++)
            step_anew(journal);
        if (!is_short(&journal->part) && !write_part(journal, false)) {
            give_up(journal);
            return false;
        }
    }
    if (journal->anew != ANEW_END || pipeline_is_between(journal->pipeline))
        return true;
    finish_anew(journal);
    return false;
}

static bool is_wasteful(const struct rules_journal *journal)
{
    const uint64_t there = pipeline_n_rules(journal->pipeline, TABLE_ALL) + journal->n_others;

    return journal->fd >= 0 && journal->n_records > 2 * there + SPARE;
}

/* --- the whole ----------------------------------------------------------- */

struct rules_journal *rules_journal_create(const struct rules_journal_params *params)
{
    struct rules_journal *journal = mem_calloc(1, sizeof *journal);

    journal->pipeline = params->pipeline;
    journal->wake = params->wake;
    journal->wake_arg = params->arg;
    journal->path = mem_strdup(params->path);
    journal->next_path = mem_asprintf("%s.new", params->path);
    journal->head = (struct rules_file_head){.version = RULES_FILE_VERSION, .starts = params->starts};
    memcpy(journal->head.magic, RULES_FILE_MAGIC, sizeof journal->head.magic);
    state_read_boot(journal->head.boot);
    journal->fd = journal->next_fd = -1;
    journal->recorder =
        (struct pipeline_recorder){.arg = journal, .rule = on_rule, .group = on_group, .meter = on_meter};
    pipeline_set_recorder(journal->pipeline, &journal->recorder);
    begin_anew(journal);
    return journal;
}

enum rules_journal_state rules_journal_run(struct rules_journal *journal, uint64_t budget_us)
{
    const bool between = pipeline_is_between(journal->pipeline);

    journal->n_batch = 0;
    if (!is_recording(journal) && clock_now_us() >= journal->retry_us)
        begin_anew(journal);
    if (journal->batch.len > 0 || (journal->split && !between))
        flush(journal);
    if (journal->anew == ANEW_NOTHING && is_wasteful(journal))
        begin_anew(journal);
    if (journal->anew != ANEW_NOTHING && go_on_anew(journal, clock_now_us() + budget_us))
        return RULES_JOURNAL_MORE;
    return is_recording(journal) && !journal->split ? RULES_JOURNAL_WRITTEN : RULES_JOURNAL_WAITS;
}

void rules_journal_lasted(struct rules_journal *journal)
{
    journal->head.starts = 0;
    for (int i = 0; i < 2; i++) {
        const int fd = i == 0 ? journal->fd : journal->next_fd;

        if (fd >= 0 && pwrite(fd, &journal->head, sizeof journal->head, 0) < 0) {
            give_up(journal);
            return;
        }
    }
}

void rules_journal_destroy(struct rules_journal *journal)
{
    if (!journal)
        return;
    pipeline_set_recorder(journal->pipeline, NULL);
    close_cursors(journal);
    close_file(&journal->fd);
    const bool unfinished = journal->next_fd >= 0;
    close_file(&journal->next_fd);
    if (unfinished)
        state_remove(journal->next_path);
    of_buf_free(&journal->batch);
    of_buf_free(&journal->part);
    free(journal->path);
    free(journal->next_path);
    free(journal);
}
