#define MEM_WHAT "the journals of rules"

#include "src/state/rules_state.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

#include "pmd/base/log.h"
#include "pmd/base/mem.h"
#include "src/loop/loop.h"
#include "src/state/rules_journal.h"
#include "src/state/rules_replay.h"
#include "src/state/state_file.h"

#define BUDGET_US 300
#define YOUNG_US UINT64_C(3000000) /* a process that dies before it is that old may do so of its rules */
#define SUFFIX ".rules"

struct rules_kept {
    struct rules_state *state;
    char *bridge, *path;
    struct pipeline *pipeline;
    struct rules_replay *replay;   /* NULL: nothing is being taken over */
    struct rules_journal *journal; /* NULL: not yet */
    TAILQ_ENTRY(rules_kept) node;
};

struct rules_state {
    struct loop *loop;
    struct loop_job job;
    struct loop_timer young;
    char *run_dir;
    bool started, empty;
    bool is_old;            /* the process */
    bool awake, more, told; /* `told`: since the job ran */
    TAILQ_HEAD(, rules_kept) kept;
};

/* --- writing ------------------------------------------------------------- */

static void wake(void *arg)
{
    struct rules_state *state = arg;

    state->awake = state->told = true;
}

static unsigned run(void *arg, uint64_t budget_us)
{
    struct rules_state *state = arg;
    struct rules_kept *kept;

    if (!state->awake)
        return 0;
    state->awake = state->more = state->told = false;
    TAILQ_FOREACH (kept, &state->kept, node) {
        const enum rules_journal_state now =
            kept->journal ? rules_journal_run(kept->journal, state->more ? 0 : budget_us) : RULES_JOURNAL_WRITTEN;

        state->awake |= now != RULES_JOURNAL_WRITTEN;
        state->more |= now == RULES_JOURNAL_MORE;
    }
    return 0;
}

static uint64_t due_us(void *arg)
{
    const struct rules_state *state = arg;

    return state->told ? 0 : state->more ? LOOP_SOON_US : UINT64_MAX;
}

static void no_longer_young(void *arg)
{
    struct rules_state *state = arg;
    struct rules_kept *kept;

    state->is_old = true;
    TAILQ_FOREACH (kept, &state->kept, node)
        if (kept->journal)
            rules_journal_lasted(kept->journal);
}

/* --- bridges ------------------------------------------------------------- */

static char *path_of(const struct rules_state *state, const char *bridge)
{
    return mem_asprintf("%s/%s" SUFFIX, state->run_dir, bridge);
}

static void begin_journal(struct rules_kept *kept, uint32_t starts)
{
    const struct rules_journal_params params = {
        .pipeline = kept->pipeline,
        .path = kept->path,
        .starts = kept->state->is_old ? 0 : starts,
        .wake = wake,
        .arg = kept->state,
    };

    kept->journal = rules_journal_create(&params);
    wake(kept->state);
}

struct rules_kept *rules_kept_begin(struct rules_state *state, const char *bridge, struct pipeline *pipeline)
{
    struct rules_kept *kept = mem_calloc(1, sizeof *kept);

    kept->state = state;
    kept->bridge = mem_strdup(bridge);
    kept->path = path_of(state, bridge);
    kept->pipeline = pipeline;
    if (!state->started && !state->empty)
        kept->replay = rules_replay_open(kept->path, bridge);
    if (!kept->replay)
        state_remove(kept->path);
    TAILQ_INSERT_TAIL(&state->kept, kept, node);
    return kept;
}

bool rules_kept_step(struct rules_kept *kept, uint64_t budget_us)
{
    uint32_t starts = 0;

    if (kept->journal)
        return true;
    if (kept->replay) {
        if (!rules_replay_step(kept->replay, kept->pipeline, budget_us))
            return false;
        starts = rules_replay_starts(kept->replay);
        rules_replay_close(kept->replay);
        kept->replay = NULL;
    }
    begin_journal(kept, starts);
    return true;
}

void rules_kept_end(struct rules_kept *kept)
{
    if (!kept)
        return;
    TAILQ_REMOVE(&kept->state->kept, kept, node);
    rules_replay_close(kept->replay);
    rules_journal_destroy(kept->journal);
    if (kept->state->started)
        state_remove(kept->path);
    free(kept->bridge);
    free(kept->path);
    free(kept);
}

void rules_state_forget(struct rules_state *state, const char *bridge)
{
    char *path = path_of(state, bridge);

    state_remove(path);
    free(path);
}

/* --- the whole ----------------------------------------------------------- */

struct rules_state *rules_state_create(struct loop *loop, const char *run_dir)
{
    struct rules_state *state = mem_calloc(1, sizeof *state);

    state->loop = loop;
    state->run_dir = mem_strdup(run_dir);
    TAILQ_INIT(&state->kept);
    /* After all that changes rules in a turn. */
    state->job = (struct loop_job){.name = "journals of rules",
                                   .phase = LOOP_RECLAIM,
                                   .budget_us = BUDGET_US,
                                   .arg = state,
                                   .run = run,
                                   .due_us = due_us};
    loop_add(loop, &state->job);
    loop_timer_init(&state->young, loop, "journals of rules", no_longer_young, state);
    loop_timer_in(&state->young, YOUNG_US);
    return state;
}

void rules_state_begin_empty(struct rules_state *state)
{
    state->empty = true;
}

static bool is_kept(const struct rules_state *state, const char *bridge, size_t len)
{
    const struct rules_kept *kept;

    TAILQ_FOREACH (kept, &state->kept, node)
        if (strlen(kept->bridge) == len && memcmp(kept->bridge, bridge, len) == 0)
            return true;
    return false;
}

/* Takes `end` off the first *len bytes of the name, if they end so. */
static bool take_off(const char *name, size_t *len, const char *end)
{
    const size_t n = strlen(end);

    if (*len < n || memcmp(name + *len - n, end, n) != 0)
        return false;
    *len -= n;
    return true;
}

/* Only names of files that are a bridge's are looked at. */
static void remove_others(const struct rules_state *state)
{
    DIR *dir = opendir(state->run_dir);
    const struct dirent *entry;

    while (dir && (entry = readdir(dir))) {
        size_t len = strlen(entry->d_name);

        take_off(entry->d_name, &len, ".new");
        if (take_off(entry->d_name, &len, SUFFIX) && !is_kept(state, entry->d_name, len)) {
            char *path = mem_asprintf("%s/%s", state->run_dir, entry->d_name);
            state_remove(path);
            free(path);
        }
    }
    if (dir)
        closedir(dir);
}

void rules_state_started(struct rules_state *state)
{
    if (state->started)
        return;
    state->started = true;
    remove_others(state);
}

void rules_state_destroy(struct rules_state *state)
{
    if (!state)
        return;
    while (!TAILQ_EMPTY(&state->kept))
        rules_kept_end(TAILQ_FIRST(&state->kept));
    loop_remove(&state->job);
    loop_timer_cancel(&state->young);
    free(state->run_dir);
    free(state);
}
