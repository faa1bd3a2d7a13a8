/* Notices a poll-mode thread that does not come round any more. */
#include <inttypes.h>

#include "pmd/base/log.h"
#include "pmd/poll/poll_thread.h"

static void came_round(struct datapath *dp, unsigned thread, uint64_t now_ms, uint64_t next_token)
{
    if (dp->watch_late[thread])
        LOG_WARN(LOG_PMD, "poll-mode thread %u goes on, after %" PRIu64 " ms", thread, now_ms - dp->watch_ms[thread]);
    dp->watch_late[thread] = false;
    dp->watch_ms[thread] = now_ms;
    dp->watch_token[thread] = next_token;
}

unsigned datapath_watch(struct datapath *dp, uint64_t now_ms)
{
    uint64_t next_token = datapath_token(dp);
    unsigned n_late = 0;

    for (unsigned i = 0; i < dp->n_started; i++) {
        if (rcu_reader_passed(&dp->rcu, i, dp->watch_token[i])) {
            came_round(dp, i, now_ms, next_token);
            continue;
        }
        if (now_ms - dp->watch_ms[i] < DATAPATH_LATE_MS)
            continue;
        n_late++;
        if (!dp->watch_late[i])
            LOG_ERR(LOG_PMD,
                    "poll-mode thread %u (core %d) has not come round for %" PRIu64 " ms: packets of its queues stand "
                    "still, and changes wait for it; something holds it up or has its core",
                    i, dp->threads[i]->core, now_ms - dp->watch_ms[i]);
        dp->watch_late[i] = true;
    }
    return n_late;
}
