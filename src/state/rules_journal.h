/* The journal of one bridge: a file that says at any time what is in its tables, for the process after one that was
 * killed (rules_replay.h). What a pipeline tells its recorder is appended, once a turn of the event loop; when most of
 * the file is of what is gone, what is there is written to another file, in slices, which takes its place. Control
 * thread.
 *
 * The file is a head and frames. A frame is one write, of records (rules_record.h), with a checksum. One that is
 * `whole` ends at a state that the tables had: what comes behind the last of those, of a change that was not complete,
 * or a frame that is cut short, does not count.
 */
#ifndef SRC_STATE_RULES_JOURNAL_H
#define SRC_STATE_RULES_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "src/state/state_file.h"

#define RULES_FILE_MAGIC "SLUICERU"
#define RULES_FILE_VERSION 1
#define RULES_FRAME_MOST (1u << 20) /* bytes of records; one that is longer than RULES_FRAME_USUAL is alone */
#define RULES_FRAME_USUAL 65536u

struct rules_file_head {
    char magic[8];
    uint32_t version;
    uint32_t starts; /* how many processes in succession took it over and died young */
    char boot[STATE_BOOT_LEN];
};

struct rules_frame {
    uint32_t len;      /* bytes of records */
    uint32_t whole;    /* 1 or 0 */
    uint32_t crc;      /* of the records */
    uint32_t head_crc; /* of what is above: a length that is wrong is not taken for a frame that is cut short */
};
uint32_t rules_frame_crc(const struct rules_frame *frame, const void *records);
uint32_t rules_frame_head_crc(const struct rules_frame *frame);

struct pipeline;
struct rules_journal;

struct rules_journal_params {
    struct pipeline *pipeline; /* has no other recorder */
    const char *path;          /* copied */
    uint32_t starts;           /* for the head */
    /* Something was recorded: rules_journal_run() is to be called in this turn of the event loop. */
    void (*wake)(void *arg);
    void *arg;
};

/* Records the pipeline from now on. A file that is there already stays as it is until all that is in the tables now is
 * written, and is replaced then. */
struct rules_journal *rules_journal_create(const struct rules_journal_params *params);
/* To be called once a turn from wake() on, and after creation: writes what was recorded, and goes on with what is
 * written anew, for about `budget_us`. */
enum rules_journal_state {
    RULES_JOURNAL_WRITTEN, /* all is in the file: until wake() */
    RULES_JOURNAL_WAITS,   /* in each turn that there is; none is needed for it */
    RULES_JOURNAL_MORE,    /* soon */
};
enum rules_journal_state rules_journal_run(struct rules_journal *journal, uint64_t budget_us);
/* The process did not die young. */
void rules_journal_lasted(struct rules_journal *journal);
/* Ends the recording; the file stays as it is. NULL is allowed. */
void rules_journal_destroy(struct rules_journal *journal);

#endif
