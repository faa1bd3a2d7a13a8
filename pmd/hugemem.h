/* Large zeroed arrays: from DPDK's hugepage heap where it has room, else from ordinary memory (transparent hugepages
 * asked for), so that start-up without hugepages works and tests need no big heap. Control thread.
 */
#ifndef PMD_HUGEMEM_H
#define PMD_HUGEMEM_H

#include <stdbool.h>
#include <stddef.h>

struct hugemem {
    void *ptr; /* aligned to 128 bytes at least; NULL after a failure */
    size_t size;
    bool mapped; /* not from DPDK's heap */
};

/* `socket`: NUMA node wanted, or SOCKET_ID_ANY. */
struct hugemem hugemem_alloc(size_t size, int socket);
void hugemem_free(struct hugemem *mem);

#endif
