#include "src/app/hugepages.h"

#include <dirent.h>
#include <limits.h>
#include <rte_common.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The hugepages of a node. */
struct pages {
    char directory[PATH_MAX - 64]; /* ".../hugepages" */
    uint64_t free_kb;              /* of all sizes */
    uint64_t default_kb;           /* size of the pages that the advice is about: the smallest */
    uint64_t default_reserved;     /* pages of that size, used ones included */
};

static uint64_t read_number(const char *directory, const char *entry, const char *file)
{
    char path[PATH_MAX];
    unsigned long long value = 0;
    FILE *f;

    snprintf(path, sizeof path, "%s/%s/%s", directory, entry, file);
    f = fopen(path, "re");
    if (!f)
        return 0;
    if (fscanf(f, "%llu", &value) != 1)
        value = 0;
    fclose(f);
    return value;
}

static bool read_pages(struct pages *pages)
{
    DIR *dir = opendir(pages->directory);
    struct dirent *entry;
    unsigned long long kb;

    pages->free_kb = pages->default_kb = pages->default_reserved = 0;
    if (!dir)
        return false;
    while ((entry = readdir(dir))) {
        if (sscanf(entry->d_name, "hugepages-%llukB", &kb) != 1)
            continue;
        pages->free_kb += kb * read_number(pages->directory, entry->d_name, "free_hugepages");
        if (!pages->default_kb || kb < pages->default_kb) {
            pages->default_kb = kb;
            pages->default_reserved = read_number(pages->directory, entry->d_name, "nr_hugepages");
        }
    }
    closedir(dir);
    return pages->default_kb > 0;
}

/* A kernel without NUMA has one place for all. */
static bool read_node(const char *sysfs, unsigned node, struct pages *pages)
{
    snprintf(pages->directory, sizeof pages->directory, "%s/devices/system/node/node%u/hugepages", sysfs, node);
    if (read_pages(pages))
        return true;
    if (node)
        return false;
    snprintf(pages->directory, sizeof pages->directory, "%s/kernel/mm/hugepages", sysfs);
    return read_pages(pages);
}

static void advise(const struct pages *pages, unsigned node, uint32_t need_mb,
                   void (*tell)(void *arg, const char *sentence), void *arg)
{
    uint64_t lack_kb = (uint64_t)need_mb * 1024 - pages->free_kb;
    uint64_t wanted = pages->default_reserved + (lack_kb + pages->default_kb - 1) / pages->default_kb;
    char sentence[PATH_MAX + 256];

    snprintf(sentence, sizeof sentence,
             "NUMA node %u has %lu MB of free hugepages, %u MB are needed: echo %lu > %s/hugepages-%lukB/nr_hugepages",
             node, pages->free_kb / 1024, need_mb, wanted, pages->directory, pages->default_kb);
    tell(arg, sentence);
}

bool hugepages_check(const char *sysfs, const uint32_t need_mb[HUGEPAGES_NODES_MAX],
                     void (*tell)(void *arg, const char *sentence), void *arg)
{
    uint64_t free_kb = 0, need_kb = 0;
    bool any = false;

    for (unsigned node = 0; node < HUGEPAGES_NODES_MAX; node++) {
        struct pages pages;

        need_kb += (uint64_t)need_mb[node] * 1024;
        if (!read_node(sysfs, node, &pages))
            continue;
        any = true;
        free_kb += pages.free_kb;
        if (pages.free_kb < (uint64_t)need_mb[node] * 1024)
            advise(&pages, node, need_mb[node], tell, arg);
    }
    if (!any)
        tell(arg, "this kernel has no hugepages (CONFIG_HUGETLBFS), or /sys is not mounted");
    return any && free_kb >= need_kb;
}

uint64_t hugepages_free_mb(const char *sysfs)
{
    struct pages pages;

    snprintf(pages.directory, sizeof pages.directory, "%s/kernel/mm/hugepages", sysfs);
    return read_pages(&pages) ? pages.free_kb >> 10 : 0;
}
