/* Allocation for the configuration, which runs in the control thread at start and on reload. Where memory for a few
 * kilobytes of text is missing there is nothing sensible left to do: these abort instead of returning NULL.
 */
#ifndef PMD_BASE_MEM_H
#define PMD_BASE_MEM_H

#include <stdlib.h>
#include <string.h>

static inline void *mem_calloc(size_t n, size_t size)
{
    void *p = calloc(n ? n : 1, size ? size : 1);

    if (!p)
        abort();
    return p;
}

/* Room for n elements; what is beyond the old contents is not initialised. */
static inline void *mem_realloc(void *old, size_t n, size_t size)
{
    void *p = reallocarray(old, n ? n : 1, size ? size : 1);

    if (!p)
        abort();
    return p;
}

static inline char *mem_strdup(const char *s)
{
    char *p = strdup(s);

    if (!p)
        abort();
    return p;
}

#endif
