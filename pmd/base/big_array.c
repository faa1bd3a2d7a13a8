#include "pmd/base/big_array.h"

#include <rte_common.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "pmd/base/memory.h"

#define MAPPED_FROM ((size_t)128 << 10) /* bytes; below it comes from malloc */
#define HUGE_PAGE ((size_t)2 << 20)

static size_t mapped;

size_t big_arrays_mapped(void)
{
    return mapped;
}

/* So that huge pages fit, `bytes` being a multiple of them. */
static uint8_t *map_aligned(size_t bytes)
{
    size_t room = bytes + HUGE_PAGE;
    uint8_t *memory = mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    size_t before;

    if (memory == MAP_FAILED)
        out_of_memory("rules, groups and meters", 0);
    before = RTE_ALIGN_CEIL((uintptr_t)memory, HUGE_PAGE) - (uintptr_t)memory;
    if (before > 0)
        munmap(memory, before);
    munmap(memory + before + bytes, HUGE_PAGE - before);
    madvise(memory + before, bytes, MADV_HUGEPAGE); /* refused: then by small pages */
    return memory + before;
}

void *big_array_get(size_t bytes)
{
    void *array;

    if (bytes < MAPPED_FROM) {
        array = calloc(1, bytes);
    } else if (bytes % HUGE_PAGE == 0) {
        array = map_aligned(bytes);
    } else {
        array = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (array == MAP_FAILED)
            array = NULL;
    }
    if (!array)
        out_of_memory("rules, groups and meters", 0);
    mapped += bytes < MAPPED_FROM ? 0 : bytes;
    return array;
}

size_t big_array_ready(void *array, size_t bytes, size_t ready, size_t more)
{
    size_t end = RTE_MIN(bytes, ready + more);

    if (bytes < MAPPED_FROM)
        return bytes;
    for (volatile uint8_t *page = (uint8_t *)array + ready; page < (uint8_t *)array + end; page += 4096)
        *page = 0;
    return end;
}

void big_array_free(void *array, size_t bytes)
{
    if (bytes < MAPPED_FROM) {
        free(array);
    } else {
        munmap(array, bytes);
        mapped -= bytes;
    }
}
