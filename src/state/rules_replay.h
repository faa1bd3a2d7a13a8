/* Takes over what the journal of a process before (rules_journal.h) says was in a bridge's tables: reads the file,
 * whatever is in it, and puts what was there at its end into a pipeline, in steps. Control thread.
 */
#ifndef SRC_STATE_RULES_REPLAY_H
#define SRC_STATE_RULES_REPLAY_H

#include <stdbool.h>
#include <stdint.h>

struct pipeline;
struct rules_replay;

/* NULL: there is no such file, or what it holds does not count, which the log says. `bridge`: its name, for the log;
 * both strings are copied. */
struct rules_replay *rules_replay_open(const char *path, const char *bridge);
/* Goes on for about `budget_us`. True: all is done, and the log says what became of it. Nothing is put into the
 * pipeline of a file that has a fault. */
bool rules_replay_step(struct rules_replay *replay, struct pipeline *pipeline, uint64_t budget_us);
/* For the journal that follows: see struct rules_file_head. */
uint32_t rules_replay_starts(const struct rules_replay *replay);
void rules_replay_close(struct rules_replay *replay); /* NULL is allowed */

#endif
