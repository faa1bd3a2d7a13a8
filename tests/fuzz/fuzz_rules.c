/* The journal of rules of a process before: any file. An input
 * whose first byte is odd is records alone, which get the head and the frame that they need. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pmd/base/log.h"
#include "src/match/tlv_map.h"
#include "src/state/rules_journal.h"
#include "src/state/rules_replay.h"
#include "src/tables/pipeline.h"
#include "tests/fuzz/fuzz.h"

static char path[64];

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    log_set_level("any", "off");
    snprintf(path, sizeof path, "/tmp/sluice-fuzz-rules-%d", (int)getpid());
    return 0;
}

static void write_file(const uint8_t *data, size_t size, bool records)
{
    const int file = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    struct rules_file_head head = {.magic = RULES_FILE_MAGIC, .version = RULES_FILE_VERSION};
    struct rules_frame frame = {.len = (uint32_t)(size / 8 * 8), .whole = 1};
    uint64_t *records_of = malloc(size + 1); /* as in the product: the checksum reads words */

    CHECK(file >= 0 && records_of);
    memcpy(records_of, data, size);
    state_read_boot(head.boot);
    frame.crc = rules_frame_crc(&frame, records_of);
    free(records_of);
    frame.head_crc = rules_frame_head_crc(&frame);
    if (records)
        CHECK(state_write(file, &head, sizeof head) && state_write(file, &frame, sizeof frame) &&
              state_write(file, data, frame.len));
    else
        CHECK(state_write(file, data, size));
    close(file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pipeline *pipeline = pipeline_create(NULL);
    struct rules_replay *replay;

    if (size > 0) {
        write_file(data + 1, size - 1, data[0] & 1);
        replay = rules_replay_open(path, "br0");
        while (replay && !rules_replay_step(replay, pipeline, 0))
            ;
        rules_replay_close(replay);
        unlink(path);
    }
    pipeline_destroy(pipeline);
    tlv_map_mod(TLV_CLEAR, NULL, 0);
    return 0;
}
