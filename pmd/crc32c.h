/* CRC32c of SCTP (RFC 9260, 6.8 and appendix A) when a part of the packet changes. Any thread; no state. */
#ifndef PMD_CRC32C_H
#define PMD_CRC32C_H

#include <rte_hash_crc.h>
#include <stdint.h>

/* The CRC is linear: what changes in it when the first word of `len` bytes changes by `difference` is the CRC of that
 * difference and zeros, whatever the payload. `len` is 4 at least. */
static inline uint32_t crc32c_difference(uint32_t difference, uint32_t len)
{
    uint32_t crc = rte_hash_crc_4byte(difference, 0);

    for (len -= 4; len >= 8; len -= 8)
        crc = rte_hash_crc_8byte(0, crc);
    for (; len > 0; len--)
        crc = rte_hash_crc_1byte(0, crc);
    return crc;
}

#endif
