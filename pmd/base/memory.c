#include "pmd/base/memory.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "pmd/base/log.h"

/* Given back before the last line is written: a stack that has to grow for it needs memory, too. */
#define MAPPED_FROM (128 << 10) /* bytes */
#define RESERVE ((size_t)256 << 10)

#define LOG_FINISH_MS 200 /* for the reader of the log to take the last line of a start */

static void *reserve;
static bool is_starting;
static void (*report)(void *arg, char *text, size_t size);
static void *report_arg;

void memory_init(void)
{
    mallopt(M_MMAP_THRESHOLD, MAPPED_FROM);
    mallopt(M_MXFAST, 0);
    if (!reserve)
        reserve = calloc(1, RESERVE);
}

void memory_set_starting(bool starting)
{
    is_starting = starting;
}

void out_of_memory_set_report(void (*hold)(void *arg, char *text, size_t size), void *arg)
{
    report = hold;
    report_arg = arg;
}

void out_of_memory(const char *what, size_t size)
{
    static char held[512];
    char wanted[64] = "";

    free(reserve);
    reserve = NULL;
    if (report)
        report(report_arg, held, sizeof held);
    if (size > 0)
        snprintf(wanted, sizeof wanted, " (%zu bytes)", size);
    LOG_ERR(LOG_MAIN,
            "out of memory for %s%s, so sluiced ends. %s Give it more memory (of the "
            "machine, the control group or ulimit -v), or lower max_rules and bundle_memory of the bridges or "
            "pmd.megaflow_limit",
            what, wanted, held);
    if (is_starting) {
        log_finish(LOG_FINISH_MS);
        _exit(1);
    }
    abort();
}
