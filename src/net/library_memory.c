#include "src/net/library_memory.h"

#include <event2/event.h>
#include <jansson.h>
#include <stdlib.h>

#include "pmd/base/memory.h"

static void *get_for_sockets(size_t size)
{
    void *p = malloc(size);

    if (!p && size > 0)
        out_of_memory("messages of sockets", size);
    return p;
}

static void *resize_for_sockets(void *old, size_t size)
{
    void *p = realloc(old, size);

    if (!p && size > 0)
        out_of_memory("messages of sockets", size);
    return p;
}

static void *get_for_json(size_t size)
{
    void *p = malloc(size);

    if (!p && size > 0)
        out_of_memory("JSON text", size);
    return p;
}

void library_memory_init(void)
{
    event_set_mem_functions(get_for_sockets, resize_for_sockets, free);
    json_set_alloc_funcs(get_for_json, free);
}
