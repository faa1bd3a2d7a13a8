#include "pmd/ct/memory.h"

#include <rte_common.h>
#include <sys/mman.h>

#define HUGE_PAGE ((size_t)2 << 20)
#define SMALL_PAGE ((size_t)4096)

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* Linux 5.14 */
#endif

bool ct_memory_reserve(struct ct_memory *memory, size_t size)
{
    size_t room;
    uint8_t *ptr;

    size = RTE_ALIGN_CEIL(size, HUGE_PAGE);
    room = size + HUGE_PAGE;
    ptr = mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (ptr == MAP_FAILED)
        return false;
    memory->base = RTE_PTR_ALIGN_CEIL(ptr, HUGE_PAGE);
    if (memory->base > ptr)
        munmap(ptr, (size_t)(memory->base - ptr));
    munmap(memory->base + size, (size_t)(ptr + HUGE_PAGE - memory->base));
    memory->size = size;
    memory->ready = 0;
    madvise(memory->base, size, MADV_NOHUGEPAGE); /* where hugepages are given unasked */
    return true;
}

void ct_memory_free(struct ct_memory *memory)
{
    if (memory->base)
        munmap(memory->base, memory->size);
    memory->base = NULL;
}

bool ct_memory_step(struct ct_memory *memory, size_t wanted)
{
    uint8_t *page = memory->base + memory->ready;

    wanted = RTE_MIN(wanted, memory->size);
    if (memory->ready >= wanted)
        return false;
    madvise(page, HUGE_PAGE, MADV_HUGEPAGE);
    if (madvise(page, HUGE_PAGE, MADV_POPULATE_WRITE) != 0) {
        /* Poll-mode threads may be writing there: what they wrote stays. */
        for (size_t i = 0; i < HUGE_PAGE; i += SMALL_PAGE)
            __atomic_fetch_or(&page[i], 0, __ATOMIC_RELAXED);
    }
    memory->ready += HUGE_PAGE;
    return memory->ready < wanted;
}
