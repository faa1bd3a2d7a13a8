#include "pmd/base/prefault.h"

#include <stdint.h>

#define PAGE 4096

void prefault(const struct hugemem *mem)
{
    uint8_t *byte = mem->ptr;

    if (mem->kind != HUGEMEM_MAPPED || !mem->ptr)
        return;
    for (size_t at = 0; at < mem->size; at += PAGE)
        __atomic_fetch_or(&byte[at], 0, __ATOMIC_RELAXED);
}
