#include "pmd/base/priority.h"

#include <pthread.h>
#include <sys/resource.h>

#define LOWEST 19
#define LIMIT(nice) (20 - (nice)) /* RLIMIT_NICE of a thread that may go up to there */

static int usual;
static enum { NOT_TRIED, ALLOWED, REFUSED } raising; /* of what was lowered */

void priority_init(void)
{
    struct rlimit limit;

    usual = getpriority(PRIO_PROCESS, 0);
    raising = NOT_TRIED;
    if (getrlimit(RLIMIT_NICE, &limit) != 0 || limit.rlim_cur >= (rlim_t)LIMIT(usual))
        return;
    limit.rlim_cur = (rlim_t)LIMIT(usual);
    if (limit.rlim_max < limit.rlim_cur)
        limit.rlim_max = limit.rlim_cur;
    setrlimit(RLIMIT_NICE, &limit); /* if not, CAP_SYS_NICE may do */
}

/* In a thread of its own, which may end with a priority that it cannot get rid of. */
static void *try_raising(void *arg)
{
    if (setpriority(PRIO_PROCESS, 0, usual + PRIORITY_STEPS) == 0 && setpriority(PRIO_PROCESS, 0, usual) == 0)
        raising = ALLOWED;
    return NULL;
}

static bool may_raise(void)
{
    pthread_t thread;

    if (raising == NOT_TRIED) {
        raising = REFUSED;
        if (usual <= LOWEST - PRIORITY_STEPS && pthread_create(&thread, NULL, try_raising, NULL) == 0)
            pthread_join(thread, NULL);
    }
    return raising == ALLOWED;
}

/* Somebody has given the thread another priority (renice(1)): that is the usual one then. */
static void follow(int priority)
{
    usual = priority;
    raising = NOT_TRIED;
}

bool priority_lower(bool lower)
{
    const int now = getpriority(PRIO_PROCESS, 0);

    if (!lower && now != usual + PRIORITY_STEPS) {
        follow(now);
        return true;
    }
    if (lower && now != usual)
        follow(now);
    return may_raise() && setpriority(PRIO_PROCESS, 0, lower ? usual + PRIORITY_STEPS : usual) == 0;
}

void priority_inherit_usual(void)
{
    if (getpriority(PRIO_PROCESS, 0) != usual)
        setpriority(PRIO_PROCESS, 0, usual);
}
