/* Large zeroed arrays: from DPDK's hugepage heap where it has room, else from ordinary memory (transparent hugepages
 * asked for), so that start-up without hugepages works and tests need no big heap. Control thread.
 *
 * Arrays made at start come whole (hugemem_alloc). What grows while packets are forwarded gets its memory, and gives it
 * back, a bit at a time (hugemem_reserve and the two after it): a page of 2 MB takes some 100 us to clear.
 */
#ifndef PMD_BASE_HUGEMEM_H
#define PMD_BASE_HUGEMEM_H

#include <stdbool.h>
#include <stddef.h>

enum hugemem_kind { HUGEMEM_HEAP, HUGEMEM_MAPPED, HUGEMEM_HUGETLB, HUGEMEM_MALLOC };

struct hugemem {
    void *ptr; /* aligned to 64 bytes at least; NULL after a failure */
    size_t size;
    enum hugemem_kind kind;
};

/* `socket`: NUMA node wanted, or SOCKET_ID_ANY. */
struct hugemem hugemem_alloc(size_t size, int socket);
void hugemem_free(struct hugemem *mem);

/* At least `size` bytes. Only the first *ready of them may be used yet, which is all of a small array. */
struct hugemem hugemem_reserve(size_t size, size_t *ready);
/* Gets memory for about `more` bytes behind the first *ready; a hugepage is got when enough calls asked for all of it.
 * May move the array, and then starts anew, as long as it is not ready: nothing is to be kept in it before. False: out
 * of memory. */
bool hugemem_ready(struct hugemem *mem, size_t *ready, size_t more);
/* Gives back up to `most` bytes of the end, and makes `size` smaller by them. False: nothing is left. */
bool hugemem_free_some(struct hugemem *mem, size_t most);

#endif
