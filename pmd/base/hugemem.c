#include "pmd/base/hugemem.h"

#include <errno.h>
#include <rte_eal.h>
#include <rte_malloc.h>
#include <rte_memory.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define HUGE_PAGE ((size_t)2 << 20)
#define SMALL_PAGE ((size_t)4096)
#define MAP_2MB (21 << 26) /* MAP_HUGE_2MB of linux/mman.h: whatever the default size of hugepages is */

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* Linux 5.14 */
#endif

static void *map(size_t size, int flags)
{
    void *ptr = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);

    return ptr != MAP_FAILED ? ptr : NULL;
}

struct hugemem hugemem_alloc(size_t size, int socket)
{
    struct hugemem mem = {.size = size};

    if (rte_eal_has_hugepages()) {
        mem.ptr = rte_zmalloc_socket(NULL, size, 128, socket);
        if (!mem.ptr)
            mem.ptr = rte_zmalloc_socket(NULL, size, 128, SOCKET_ID_ANY);
        if (mem.ptr)
            return mem;
    }
    mem.ptr = map(size, MAP_NORESERVE);
    mem.kind = HUGEMEM_MAPPED;
    if (mem.ptr)
        madvise(mem.ptr, size, MADV_HUGEPAGE);
    return mem;
}

void hugemem_free(struct hugemem *mem)
{
    if (!mem->ptr)
        return;
    if (mem->kind == HUGEMEM_HEAP)
        rte_free(mem->ptr);
    else if (mem->kind == HUGEMEM_MALLOC)
        free(mem->ptr);
    else
        munmap(mem->ptr, mem->size);
    mem->ptr = NULL;
    mem->size = 0;
}

/* --- bit by bit ---------------------------------------------------------- */

/* Aligned, so that transparent hugepages fit. */
static void *map_ordinary(size_t size)
{
    uint8_t *room = map(size + HUGE_PAGE, MAP_NORESERVE), *ptr;
    size_t before;

    if (!room)
        return NULL;
    ptr = RTE_PTR_ALIGN_CEIL(room, HUGE_PAGE);
    before = (size_t)(ptr - room);
    if (before > 0)
        munmap(room, before);
    munmap(ptr + size, HUGE_PAGE - before);
    madvise(ptr, size, MADV_HUGEPAGE); /* refused: then by small pages */
    return ptr;
}

struct hugemem hugemem_reserve(size_t size, size_t *ready)
{
    struct hugemem mem = {.size = size, .kind = HUGEMEM_MALLOC};

    *ready = size;
    if (size < HUGE_PAGE / 32) {
        mem.ptr = aligned_alloc(64, RTE_ALIGN_CEIL(size, (size_t)64));
        if (mem.ptr)
            memset(mem.ptr, 0, size);
        return mem;
    }
    if (size < HUGE_PAGE)
        return hugemem_alloc(size, SOCKET_ID_ANY);
    *ready = 0;
    mem.size = RTE_ALIGN_CEIL(size, HUGE_PAGE);
    mem.kind = HUGEMEM_HUGETLB;
    mem.ptr = rte_eal_has_hugepages() ? map(mem.size, MAP_HUGETLB | MAP_2MB) : NULL;
    if (!mem.ptr) {
        mem.kind = HUGEMEM_MAPPED;
        mem.ptr = map_ordinary(mem.size);
    }
    return mem;
}

/* A control group may have fewer hugepages than were promised: the kernel would end the process at the first access to
 * one that is missing. This call tells it instead. */
static bool populate(uint8_t *from, size_t size)
{
    if (madvise(from, size, MADV_POPULATE_WRITE) == 0)
        return true;
    if (errno != EINVAL)
        return false;
    for (volatile uint8_t *page = from; page < from + size; page += SMALL_PAGE)
        *page = 0;
    return true;
}

bool hugemem_ready(struct hugemem *mem, size_t *ready, size_t more)
{
    /* The first access to a page of 2 MB gets all of it: so it comes with the step that reaches its start. */
    size_t from = *ready, end = RTE_MIN(mem->size, from + more);

    if (mem->kind == HUGEMEM_HUGETLB) {
        uint8_t *page = (uint8_t *)mem->ptr + RTE_ALIGN_CEIL(from, HUGE_PAGE);

        if (page < (uint8_t *)mem->ptr + end && !populate(page, HUGE_PAGE)) {
            munmap(mem->ptr, mem->size);
            mem->kind = HUGEMEM_MAPPED;
            mem->ptr = map_ordinary(mem->size);
            *ready = 0;
            return mem->ptr;
        }
    } else if (mem->kind == HUGEMEM_MAPPED && !populate((uint8_t *)mem->ptr + from, end - from)) {
        return false;
    }
    *ready = end;
    return true;
}

bool hugemem_free_some(struct hugemem *mem, size_t most)
{
    if (!mem->ptr || mem->size <= most || mem->kind == HUGEMEM_HEAP || mem->kind == HUGEMEM_MALLOC) {
        hugemem_free(mem);
        return false;
    }
    most = RTE_ALIGN_FLOOR(most, HUGE_PAGE);
    mem->size -= most;
    munmap((uint8_t *)mem->ptr + mem->size, most);
    return true;
}
