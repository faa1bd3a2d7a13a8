/* Arrays of the tracker: address space at once, memory by and by.
 *
 * The control thread prepares hugepages ahead of what is used. A poll-mode thread that gets there before finds ordinary
 * pages, which the kernel hands out in about a microsecond, and never waits for 2 MB to be cleared.
 */
#ifndef PMD_CT_MEMORY_H
#define PMD_CT_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ct_memory {
    uint8_t *base; /* zeros; NULL: none */
    size_t size, ready;
};

bool ct_memory_reserve(struct ct_memory *memory, size_t size);
void ct_memory_free(struct ct_memory *memory);
/* Control thread: one step, of 2 MB, towards the first `wanted` bytes. True: there is more to do. */
bool ct_memory_step(struct ct_memory *memory, size_t wanted);

#endif
