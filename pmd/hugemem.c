#include "pmd/hugemem.h"

#include <rte_malloc.h>
#include <rte_memory.h>
#include <rte_eal.h>
#include <sys/mman.h>

struct hugemem hugemem_alloc(size_t size, int socket)
{
    struct hugemem mem = {.size = size};

    if (rte_eal_has_hugepages()) {
        mem.ptr = rte_zmalloc_socket(NULL, size, 128, socket);
        if (mem.ptr == NULL)
            mem.ptr = rte_zmalloc_socket(NULL, size, 128, SOCKET_ID_ANY);
        if (mem.ptr != NULL)
            return mem;
    }
    void *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (map != MAP_FAILED) {
        madvise(map, size, MADV_HUGEPAGE);
        mem.ptr = map;
        mem.mapped = true;
    }
    return mem;
}

void hugemem_free(struct hugemem *mem)
{
    if (mem->ptr == NULL)
        return;
    if (mem->mapped)
        munmap(mem->ptr, mem->size);
    else
        rte_free(mem->ptr);
    mem->ptr = NULL;
}
