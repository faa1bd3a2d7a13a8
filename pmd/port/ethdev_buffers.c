#include "pmd/port/ethdev_buffers.h"

#include <limits.h>
#include <rte_byteorder.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* The pcap file format (draft-ietf-opsawg-pcap): a header of 24 bytes; before each packet 16, with the length of what
 * was captured of it at 8. In the byte order of who wrote it, which the magic number tells. */
#define FILE_HEADER 24
#define PACKET_HEADER 16
#define MAGIC_MICROSECONDS 0xa1b2c3d4
#define MAGIC_NANOSECONDS 0xa1b23c4d

static bool is_magic(uint32_t word)
{
    return word == MAGIC_MICROSECONDS || word == MAGIC_NANOSECONDS;
}

static uint64_t packets_in(const char *path)
{
    uint32_t header[FILE_HEADER / 4] = {0};
    FILE *file = fopen(path, "rbe");
    uint64_t n = 0;
    bool swapped;

    if (!file)
        return 0;
    swapped = fread(header, FILE_HEADER, 1, file) == 1 && is_magic(rte_bswap32(header[0]));
    if (swapped || is_magic(header[0])) {
        while (fread(header, PACKET_HEADER, 1, file) == 1 &&
               fseek(file, swapped ? rte_bswap32(header[2]) : header[2], SEEK_CUR) == 0)
            n++;
    }
    fclose(file);
    return n;
}

/* The value of the argument `arg`, up to the next one. */
static void copy_value(const char *arg, char *value, size_t size)
{
    const char *begin = strchr(arg, '=') + 1;

    snprintf(value, size, "%.*s", (int)strcspn(begin, ","), begin);
}

uint64_t ethdev_buffers_wanted(const char *devargs, uint16_t n_rxq, uint16_t n_rxd)
{
    static const char file[] = ",rx_pcap=";
    char path[PATH_MAX];
    uint64_t n = 0;

    if (strncmp(devargs, "net_pcap", strlen("net_pcap")) != 0 || !strstr(devargs, ",infinite_rx=1"))
        return (uint64_t)n_rxq * n_rxd;
    for (const char *arg = devargs; (arg = strstr(arg, file)); arg++) {
        copy_value(arg, path, sizeof path);
        n += packets_in(path);
    }
    return n;
}
