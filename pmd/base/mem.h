/* Allocation for what is small and bounded: where memory for a few kilobytes is missing there is nothing sensible left
 * to do, and these end the process by out_of_memory() instead of returning NULL. Control thread and helpers.
 *
 * A file defines MEM_WHAT before it includes this, to say what the memory is for.
 */
#ifndef PMD_BASE_MEM_H
#define PMD_BASE_MEM_H

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pmd/base/memory.h"

#ifndef MEM_WHAT
#define MEM_WHAT "the configuration"
#endif

static inline void *mem_calloc(size_t n, size_t size)
{
    void *p = calloc(n ? n : 1, size ? size : 1);

    if (!p)
        out_of_memory(MEM_WHAT, n * size);
    return p;
}

/* Room for n elements; what is beyond the old contents is not initialised. */
static inline void *mem_realloc(void *old, size_t n, size_t size)
{
    void *p = reallocarray(old, n ? n : 1, size ? size : 1);

    if (!p)
        out_of_memory(MEM_WHAT, n * size);
    return p;
}

static inline char *mem_strdup(const char *s)
{
    char *p = strdup(s);

    if (!p)
        out_of_memory(MEM_WHAT, strlen(s));
    return p;
}

static inline char *mem_vasprintf(const char *format, va_list args)
{
    char *text;

    if (vasprintf(&text, format, args) < 0)
        out_of_memory(MEM_WHAT, 0);
    return text;
}

static inline char *mem_asprintf(const char *format, ...) __attribute__((format(printf, 1, 2)));
static inline char *mem_asprintf(const char *format, ...)
{
    va_list args;
    char *text;

    va_start(args, format);
    text = mem_vasprintf(format, args);
    va_end(args);
    return text;
}

/* open_memstream(); mem_stream_end() closes it and makes the text whole. */
static inline FILE *mem_stream(char **text, size_t *size)
{
    FILE *stream = open_memstream(text, size);

    if (!stream)
        out_of_memory(MEM_WHAT, 0);
    return stream;
}

static inline void mem_stream_end(FILE *stream)
{
    if (fclose(stream) != 0)
        out_of_memory(MEM_WHAT, 0);
}

#endif
