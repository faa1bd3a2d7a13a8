#include "pmd/memory.h"

#include <stdlib.h>

#include "pmd/log.h"

/* Given back before the last line is written: a stack that has to grow for it needs memory, too. */
#define RESERVE ((size_t)256 << 10)

static void *reserve;
static void (*report)(void *arg, char *text, size_t size);
static void *report_arg;

void out_of_memory_set_report(void (*hold)(void *arg, char *text, size_t size), void *arg)
{
    report = hold;
    report_arg = arg;
    if (reserve == NULL)
        reserve = malloc(RESERVE);
}

void out_of_memory(const char *what, size_t size)
{
    static char held[512];

    free(reserve);
    reserve = NULL;
    if (report != NULL)
        report(report_arg, held, sizeof held);
    LOG_ERR(LOG_MAIN,
            "out of memory: %zu bytes for %s are not to be had, so sluiced ends. %s Give it more memory (of the "
            "machine, the control group or ulimit -v), or lower max_rules and bundle_memory of the bridges or "
            "pmd.megaflow_limit",
            size, what, held);
    abort();
}

void *memory_realloc(void *array, size_t n, size_t size, const char *what)
{
    void *larger = reallocarray(array, n, size);

    if (larger == NULL)
        out_of_memory(what, n * size);
    return larger;
}
