/* Incremental update of the Internet checksum (RFC 1624) and masked writes of header fields.
 *
 * A delta is the sum of ~old + new over the 16-bit words that change, in network order as they lie in the packet. Every
 * function here takes fields that start at an even distance from where the checksum starts. Any thread; no state.
 */
#ifndef PMD_CHECKSUM_H
#define PMD_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint16_t checksum_fold(uint32_t sum)
{
    sum = (sum & 0xffff) + (sum >> 16);
    return (sum & 0xffff) + (sum >> 16);
}

static inline uint32_t checksum_delta16(uint16_t old, uint16_t new)
{
    return (uint16_t)~old + (uint32_t) new;
}

static inline uint32_t checksum_delta32(uint32_t old, uint32_t new)
{
    return checksum_delta16(old, new) + checksum_delta16(old >> 16, new >> 16);
}

/* The sum of `len` bytes, folded; an odd byte at the end counts as the first of a word. */
static inline uint16_t checksum_sum(const void *data, size_t len)
{
    const uint8_t *p = (const uint8_t *)data;
    uint64_t sum[2] = {0, 0}, words[2];

    for (; len >= sizeof words; len -= sizeof words, p += sizeof words) {
        memcpy(words, p, sizeof words);
        sum[0] += (words[0] & UINT32_MAX) + (words[0] >> 32);
        sum[1] += (words[1] & UINT32_MAX) + (words[1] >> 32);
    }
    sum[0] += sum[1];
    for (uint32_t part; len >= sizeof part; len -= sizeof part, p += sizeof part) {
        memcpy(&part, p, sizeof part);
        sum[0] += part;
    }
    if (len > 0) {
        uint8_t rest[4] = {p[0], len > 1 ? p[1] : 0, len > 2 ? p[2] : 0};
        uint32_t part;

        memcpy(&part, rest, sizeof part);
        sum[0] += part;
    }
    sum[0] = (sum[0] & UINT32_MAX) + (sum[0] >> 32);
    sum[0] = (sum[0] & UINT32_MAX) + (sum[0] >> 32);
    return checksum_fold((uint32_t)((sum[0] & 0xffff) + (sum[0] >> 16)));
}

/* RFC 1624, equation 3. */
static inline uint16_t checksum_update(uint16_t checksum, uint32_t delta)
{
    return ~checksum_fold((uint16_t)~checksum + checksum_fold(delta));
}

static inline uint8_t masked8(uint8_t old, uint8_t value, uint8_t mask)
{
    return (old & ~mask) | (value & mask);
}

static inline uint16_t masked16(uint16_t old, uint16_t value, uint16_t mask)
{
    return (old & ~mask) | (value & mask);
}

static inline uint32_t masked32(uint32_t old, uint32_t value, uint32_t mask)
{
    return (old & ~mask) | (value & mask);
}

/* Writes the bits of `mask`; `len` is 8 or less and known to the compiler. */
static inline void masked_copy(void *field, const void *value, const void *mask, size_t len)
{
    uint64_t old = 0, v = 0, m = 0;

    memcpy(&old, field, len);
    memcpy(&v, value, len);
    memcpy(&m, mask, len);
    v = (old & ~m) | (v & m);
    memcpy(field, &v, len);
}

/* Writes the bits of `mask` and returns the delta; `len` is even. 0: nothing was asked for. */
static inline uint32_t masked_write(void *field, const void *value, const void *mask, size_t len)
{
    uint32_t delta = 0;

    for (size_t i = 0; i < len; i += 2) {
        uint16_t old, v, m;
        memcpy(&m, (const uint8_t *)mask + i, 2);
        if (m == 0)
            continue;
        memcpy(&old, (uint8_t *)field + i, 2);
        memcpy(&v, (const uint8_t *)value + i, 2);
        v = masked16(old, v, m);
        memcpy((uint8_t *)field + i, &v, 2);
        delta += checksum_delta16(old, v);
    }
    return delta;
}

#endif
