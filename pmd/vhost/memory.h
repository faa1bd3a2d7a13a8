/* A guest's memory, as its vhost-user peer passes it: up to eight regions, each a part of a file.
 *
 * The thread of vhost-user sockets maps and unmaps it. Poll-mode threads translate guest-physical addresses while they
 * hold a ring that uses the memory (pmd/vhost/ring.h). No address of the guest's is used but through the functions
 * here.
 *
 * The file stays the guest's, who may make it shorter at any time. What is read or written behind its end then is a
 * SIGBUS: the handler puts zeros in the place of the pages that are gone and notes that the memory is `broken`, and the
 * thread goes on. Faults at other addresses take the action that they took before.
 */
#ifndef PMD_VHOST_MEMORY_H
#define PMD_VHOST_MEMORY_H

#include <rte_branch_prediction.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VHOST_REGIONS_MAX 8

/* One region of a table of the peer's, not checked. */
struct vhost_region_wanted {
    uint64_t gpa;    /* guest-physical address, by which descriptors name it */
    uint64_t size;   /* bytes */
    uint64_t uva;    /* in the peer's process, by which it names rings */
    uint64_t offset; /* in the file */
};

struct vhost_region {
    uint64_t gpa, size, uva;
    uint8_t *host; /* of the first byte */
};

struct vhost_memory;

/* What translation needs, within struct vhost_memory. */
struct vhost_map {
    uint32_t n;
    bool broken; /* a file was cut short: what is there now are zeros. Written by a signal handler */
    struct vhost_region regions[VHOST_REGIONS_MAX]; /* the largest first */
};

/* The descriptor is of a memfd or of a file in tmpfs or hugetlbfs. Asks the kernel alone: a file system in user space,
 * which whoever passes the descriptor may have made, would let the caller wait. */
bool vhost_is_memory_file(int file);

/* Maps the regions of `table`, file by file, and keeps no descriptor. NULL: a sentence in `error` that says what is
 * wrong with the table. Together they may be as large as twice the machine's memory and swap space, or 256 GB. */
struct vhost_memory *vhost_memory_map(const struct vhost_region_wanted *table, const int *files, unsigned n,
                                      char *error, size_t error_size);
/* Nobody translates in it any more. */
void vhost_memory_unmap(struct vhost_memory *memory);
const struct vhost_map *vhost_memory_get(const struct vhost_memory *memory);
/* The NUMA node of its first page, -1 = unknown. */
int vhost_memory_numa_node(const struct vhost_memory *memory);

/* A dirty log: one bit a page of 4096 bytes of guest-physical memory. */
struct vhost_memory *vhost_log_map(int file, uint64_t offset, uint64_t size, char *error, size_t error_size);

/* The host's address of `len` bytes at `gpa`. NULL: not all of them are in one region. */
static inline uint8_t *vhost_translate(const struct vhost_map *map, uint64_t gpa, uint32_t len)
{
    for (uint32_t i = 0; i < map->n; i++) {
        const struct vhost_region *region = &map->regions[i];
        const uint64_t offset = gpa - region->gpa;

        if (likely(offset < region->size))
            return likely(len <= region->size - offset) ? region->host + offset : NULL;
    }
    return NULL;
}

/* As above, of the first *len bytes that are in one region: *len becomes that many. NULL: none is. */
uint8_t *vhost_translate_part(const struct vhost_map *map, uint64_t gpa, uint32_t *len);

/* As above, for an address `uva` of the peer's process. */
uint8_t *vhost_translate_uva(const struct vhost_map *map, uint64_t uva, uint64_t len);

#endif
