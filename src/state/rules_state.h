/* What controllers put into the tables of bridges outlives a process that is killed or crashes: each bridge that keeps
 * its rules has a journal, <run_dir>/<bridge>.rules (rules_journal.h), and the next process begins where that ends.
 * One that ends in an orderly way takes the files along: whoever stops a switch expects it to begin empty. Control
 * thread.
 */
#ifndef SRC_STATE_RULES_STATE_H
#define SRC_STATE_RULES_STATE_H

#include <stdbool.h>
#include <stdint.h>

struct loop;
struct pipeline;
struct rules_kept;
struct rules_state;

struct rules_state *rules_state_create(struct loop *loop, const char *run_dir);
/* The process before counts for nothing: someone else restores the rules. Before there are bridges. */
void rules_state_begin_empty(struct rules_state *state);
/* The bridges that the switch starts with are all made. Those that are made later begin empty; files of bridges that
 * are not there are removed. */
void rules_state_started(struct rules_state *state);
/* The end of the process, in an orderly way: after all of rules_kept_end(). NULL is allowed. */
void rules_state_destroy(struct rules_state *state);

/* The pipeline of a bridge, empty so far, is to be kept. rules_kept_step() comes next. */
struct rules_kept *rules_kept_begin(struct rules_state *state, const char *bridge, struct pipeline *pipeline);
/* Takes over what is left of the process before, for about `budget_us`. True: that is done, and from now on changes are
 * recorded; before, nobody else may change the pipeline. */
bool rules_kept_step(struct rules_kept *kept, uint64_t budget_us);
/* Nothing is to be kept any more: the bridge goes, or its options changed, or the switch ends. Before
 * rules_state_started() the file stays for another attempt to start. NULL is allowed. */
void rules_kept_end(struct rules_kept *kept);
/* The same before anything was kept: what may be left of a bridge of this name is removed. */
void rules_state_forget(struct rules_state *state, const char *bridge);

#endif
