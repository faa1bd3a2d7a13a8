#include "pmd/vhost/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <pthread.h>
#include <rte_common.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/vfs.h>
#include <unistd.h>

#define MPOL_F_NODE 1
#define MPOL_F_ADDR 2
/* What the handler puts zeros over at once: no more, because the kernel takes longer for more. */
#define ZEROS (64 * 1024)
/* All mappings that a signal handler may have to look at: 8 a guest, and a log. */
#define MAPPINGS_MAX (16 * 1024)
/* Address space of all guests together: half of what a process has. A file without content may say that it has any
 * size, and a process without address space has no memory either. */
#define ADDRESSES_MAX (64ull << 40)
/* What a guest may have of it on a machine with little memory. */
#define TABLE_LEAST (256ull << 30)

/* A mapped part of a file. */
struct mapping {
    uint8_t *start;
    size_t len, page;
    bool *broken; /* NULL: the entry is free */
};

struct vhost_memory {
    struct vhost_map map;
    unsigned n_mappings;
    struct mapping mappings[VHOST_REGIONS_MAX];
    unsigned listed[VHOST_REGIONS_MAX]; /* where in `watched` */
};

/* --- SIGBUS -------------------------------------------------------------- */

/* What the handler looks at: entries become valid by `broken`, last, and are taken out before they are unmapped. */
static struct mapping watched[MAPPINGS_MAX];
static unsigned n_watched; /* entries that were ever used */
static pthread_mutex_t watched_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t handler_once = PTHREAD_ONCE_INIT;
static struct sigaction action_before;

static const struct mapping *mapping_at(const uint8_t *address, bool **broken)
{
    const unsigned n = __atomic_load_n(&n_watched, __ATOMIC_ACQUIRE);

    for (unsigned i = 0; i < n; i++) {
        *broken = __atomic_load_n(&watched[i].broken, __ATOMIC_ACQUIRE);
        if (*broken && address >= watched[i].start && address < watched[i].start + watched[i].len)
            return &watched[i];
    }
    return NULL;
}

/* Zeros in the place of the pages around `address`. Async-signal-safe: mmap() is a bare system call. */
static bool put_zeros(const struct mapping *mapping, uint8_t *address)
{
    const size_t chunk = RTE_MAX(mapping->page, (size_t)ZEROS);
    uint8_t *from = mapping->start + (size_t)(address - mapping->start) / chunk * chunk;
    const size_t len = RTE_MIN(chunk, (size_t)(mapping->start + mapping->len - from));

    return mmap(from, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0) !=
           MAP_FAILED;
}

static void on_sigbus(int sig, siginfo_t *info, void *context)
{
    const int error = errno;
    bool *broken;
    const struct mapping *mapping = mapping_at(info->si_addr, &broken);

    if (mapping && put_zeros(mapping, info->si_addr)) {
        __atomic_store_n(broken, true, __ATOMIC_RELEASE);
        errno = error;
        return;
    }
    if (action_before.sa_flags & SA_SIGINFO) {
        action_before.sa_sigaction(sig, info, context);
        return;
    }
    if (action_before.sa_handler != SIG_DFL && action_before.sa_handler != SIG_IGN) {
        action_before.sa_handler(sig);
        return;
    }
    /* The instruction is run again, and this time ends the process. */
    signal(sig, SIG_DFL);
}

static void install_handler(void)
{
    struct sigaction action = {.sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO | SA_NODEFER};

    sigemptyset(&action.sa_mask);
    sigaction(SIGBUS, &action, &action_before);
}

static bool watch(struct vhost_memory *memory, unsigned n)
{
    const struct mapping *mapping = &memory->mappings[n];
    unsigned i = 0;

    pthread_once(&handler_once, install_handler);
    pthread_mutex_lock(&watched_lock);
    while (i < n_watched && watched[i].broken)
        i++;
    if (i < MAPPINGS_MAX) {
        watched[i].start = mapping->start;
        watched[i].len = mapping->len;
        watched[i].page = mapping->page;
        __atomic_store_n(&watched[i].broken, &memory->map.broken, __ATOMIC_RELEASE);
        if (i == n_watched)
            __atomic_store_n(&n_watched, i + 1, __ATOMIC_RELEASE);
    }
    pthread_mutex_unlock(&watched_lock);
    memory->listed[n] = i;
    return i < MAPPINGS_MAX;
}

static void unwatch(const struct vhost_memory *memory, unsigned n)
{
    pthread_mutex_lock(&watched_lock);
    __atomic_store_n(&watched[memory->listed[n]].broken, NULL, __ATOMIC_RELEASE);
    pthread_mutex_unlock(&watched_lock);
}

/* --- mapping ------------------------------------------------------------- */

static bool fault(char *error, size_t error_size, const char *sentence)
{
    snprintf(error, error_size, "%s", sentence);
    return false;
}

/* The size of the file's pages. */
static size_t page_size(int file)
{
    struct statfs fs;

    return fstatfs(file, &fs) == 0 && fs.f_type == HUGETLBFS_MAGIC ? (size_t)fs.f_bsize : (size_t)sysconf(_SC_PAGESIZE);
}

bool vhost_is_memory_file(int file)
{
    return fcntl(file, F_GET_SEALS) >= 0;
}

static uint64_t n_addresses; /* bytes that are mapped */

static void give_addresses(uint64_t len)
{
    __atomic_fetch_sub(&n_addresses, len, __ATOMIC_RELAXED);
}

static bool take_addresses(uint64_t len)
{
    if (__atomic_add_fetch(&n_addresses, len, __ATOMIC_RELAXED) <= ADDRESSES_MAX)
        return true;
    give_addresses(len);
    return false;
}

/* Adds a mapping of the file's bytes from `offset` on and returns where these are. NULL: said in `error`. */
static uint8_t *map_file(struct vhost_memory *memory, int file, uint64_t offset, uint64_t size, char *error,
                         size_t error_size)
{
    struct mapping *mapping = &memory->mappings[memory->n_mappings];
    struct stat st;

    if (!vhost_is_memory_file(file) || fstat(file, &st) != 0) {
        fault(error, error_size, "memory that is neither a memfd nor a file in tmpfs or hugetlbfs");
        return NULL;
    }
    if (size == 0 || offset + size < offset || offset + size > (uint64_t)st.st_size) {
        fault(error, error_size, size == 0 ? "memory of size 0" : "memory that is longer than its file");
        return NULL;
    }
    mapping->page = page_size(file);
    const uint64_t begin = offset / mapping->page * mapping->page;
    mapping->len = (size_t)RTE_ALIGN_CEIL(offset + size - begin, (uint64_t)mapping->page);
    if (!take_addresses(mapping->len)) {
        fault(error, error_size, "memory, and there is no address space left for it");
        return NULL;
    }
    mapping->start = mmap(NULL, mapping->len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, file, (off_t)begin);
    if (mapping->start == MAP_FAILED) {
        give_addresses(mapping->len);
        snprintf(error, error_size, "memory that cannot be mapped (%s)", strerror(errno));
        return NULL;
    }
    /* A guest's secrets are no part of a core dump. */
    madvise(mapping->start, mapping->len, MADV_DONTDUMP);
    if (!watch(memory, memory->n_mappings)) {
        munmap(mapping->start, mapping->len);
        give_addresses(mapping->len);
        fault(error, error_size, "memory, and there are too many guests");
        return NULL;
    }
    memory->n_mappings++;
    return mapping->start + (offset - begin);
}

/* What the regions of one table may have together: twice the machine's memory, as guests may have been promised more
 * than there is. */
static uint64_t table_max(void)
{
    struct sysinfo info;

    if (sysinfo(&info) != 0)
        return TABLE_LEAST;
    return RTE_MAX(2 * ((uint64_t)info.totalram + info.totalswap) * info.mem_unit, TABLE_LEAST);
}

static bool overlap(uint64_t a, uint64_t a_size, uint64_t b, uint64_t b_size)
{
    return a < b + b_size && b < a + a_size;
}

static bool check_table(const struct vhost_region_wanted *table, unsigned n, char *error, size_t error_size)
{
    uint64_t left = table_max();

    if (n == 0 || n > VHOST_REGIONS_MAX)
        return fault(error, error_size, "a table of no regions, or of too many");
    for (unsigned i = 0; i < n; i++) {
        if (table[i].size > left)
            return fault(error, error_size, "memory of more than twice what this machine has");
        left -= table[i].size;
        if (table[i].size == 0)
            return fault(error, error_size, "a region of size 0");
        if (table[i].gpa + table[i].size < table[i].gpa || table[i].uva + table[i].size < table[i].uva)
            return fault(error, error_size, "a region that goes round the end of the address space");
        for (unsigned j = 0; j < i; j++) {
            if (overlap(table[i].gpa, table[i].size, table[j].gpa, table[j].size) ||
                overlap(table[i].uva, table[i].size, table[j].uva, table[j].size))
                return fault(error, error_size, "regions that overlap");
        }
    }
    return true;
}

static int larger_first(const void *a, const void *b)
{
    const struct vhost_region *left = a, *right = b;

    return left->size < right->size ? 1 : left->size > right->size ? -1 : 0;
}

struct vhost_memory *vhost_memory_map(const struct vhost_region_wanted *table, const int *files, unsigned n,
                                      char *error, size_t error_size)
{
    struct vhost_memory *memory;

    if (!check_table(table, n, error, error_size))
        return NULL;
    memory = calloc(1, sizeof *memory);
    if (!memory) {
        fault(error, error_size, "memory, and there is none left for the table");
        return NULL;
    }
    for (unsigned i = 0; i < n; i++) {
        struct vhost_region *region = &memory->map.regions[i];

        *region = (struct vhost_region){.gpa = table[i].gpa, .size = table[i].size, .uva = table[i].uva};
        region->host = map_file(memory, files[i], table[i].offset, table[i].size, error, error_size);
        if (!region->host) {
            vhost_memory_unmap(memory);
            return NULL;
        }
    }
    memory->map.n = n;
    qsort(memory->map.regions, n, sizeof memory->map.regions[0], larger_first);
    return memory;
}

struct vhost_memory *vhost_log_map(int file, uint64_t offset, uint64_t size, char *error, size_t error_size)
{
    struct vhost_memory *memory;

    if (size > table_max()) {
        fault(error, error_size, "a log of more than twice what this machine has of memory");
        return NULL;
    }
    memory = calloc(1, sizeof *memory);
    if (!memory) {
        fault(error, error_size, "memory, and there is none left for the table");
        return NULL;
    }
    memory->map.regions[0] =
        (struct vhost_region){.size = size, .host = map_file(memory, file, offset, size, error, error_size)};
    memory->map.n = 1;
    if (memory->map.regions[0].host)
        return memory;
    vhost_memory_unmap(memory);
    return NULL;
}

void vhost_memory_unmap(struct vhost_memory *memory)
{
    if (!memory)
        return;
    for (unsigned i = 0; i < memory->n_mappings; i++) {
        unwatch(memory, i);
        munmap(memory->mappings[i].start, memory->mappings[i].len);
        give_addresses(memory->mappings[i].len);
    }
    free(memory);
}

const struct vhost_map *vhost_memory_get(const struct vhost_memory *memory)
{
    return &memory->map;
}

int vhost_memory_numa_node(const struct vhost_memory *memory)
{
    int node = -1;

    if (syscall(SYS_get_mempolicy, &node, NULL, 0, memory->map.regions[0].host, MPOL_F_NODE | MPOL_F_ADDR) != 0)
        return -1;
    return node;
}

uint8_t *vhost_translate_part(const struct vhost_map *map, uint64_t gpa, uint32_t *len)
{
    for (uint32_t i = 0; i < map->n; i++) {
        const struct vhost_region *region = &map->regions[i];
        const uint64_t offset = gpa - region->gpa;

        if (offset < region->size) {
            *len = (uint32_t)RTE_MIN((uint64_t)*len, region->size - offset);
            return region->host + offset;
        }
    }
    return NULL;
}

uint8_t *vhost_translate_uva(const struct vhost_map *map, uint64_t uva, uint64_t len)
{
    for (uint32_t i = 0; i < map->n; i++) {
        const struct vhost_region *region = &map->regions[i];
        const uint64_t offset = uva - region->uva;

        if (offset < region->size)
            return len <= region->size - offset ? region->host + offset : NULL;
    }
    return NULL;
}
