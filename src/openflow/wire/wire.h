/* Reading a message byte by byte, without ever reading past its end. For wire/ and codec/ alone. */
#ifndef SRC_OPENFLOW_WIRE_WIRE_H
#define SRC_OPENFLOW_WIRE_WIRE_H

#include <rte_byteorder.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "src/match/of_error.h"

#define OF_EXPERIMENTER_NICIRA 0x00002320u
#define OF_EXPERIMENTER_ONF 0x4f4e4600u

/* What is left to read. Reading past the end gives 0 and sets `bad`, which is asked once at the end. */
struct reader {
    const uint8_t *p;
    size_t left;
    bool bad;
};

static inline struct reader reader_of(const void *data, size_t len)
{
    return (struct reader){.p = data, .left = len};
}

static inline const uint8_t *read_bytes(struct reader *r, size_t n)
{
    const uint8_t *p = r->p;

    if (n > r->left) {
        r->bad = true;
        r->left = 0;
        return NULL;
    }
    r->p += n;
    r->left -= n;
    return p;
}

static inline void read_skip(struct reader *r, size_t n)
{
    read_bytes(r, n);
}

static inline uint8_t read_u8(struct reader *r)
{
    const uint8_t *p = read_bytes(r, 1);

    return p ? *p : 0;
}

static inline uint16_t read_u16(struct reader *r)
{
    const uint8_t *p = read_bytes(r, 2);

    return p ? (uint16_t)(p[0] << 8 | p[1]) : 0;
}

static inline uint32_t read_u32(struct reader *r)
{
    const uint8_t *p = read_bytes(r, 4);
    uint32_t v;

    if (!p)
        return 0;
    memcpy(&v, p, 4);
    return rte_be_to_cpu_32(v);
}

static inline uint64_t read_u64(struct reader *r)
{
    const uint8_t *p = read_bytes(r, 8);
    uint64_t v;

    if (!p)
        return 0;
    memcpy(&v, p, 8);
    return rte_be_to_cpu_64(v);
}

static inline void read_copy(struct reader *r, void *to, size_t n)
{
    const uint8_t *p = read_bytes(r, n);

    if (p)
        memcpy(to, p, n);
    else
        memset(to, 0, n);
}

/* The next `n` bytes as a reader of their own. */
static inline struct reader read_part(struct reader *r, size_t n)
{
    const uint8_t *p = read_bytes(r, n);

    return (struct reader){.p = p, .left = p ? n : 0, .bad = !p};
}

#define PROPERTY_EXPERIMENTER 0xffff

/* What to say of a property that is not known (OpenFlow 1.4.1, 7.5.4.15): an enum of_error. */
static inline int property_unknown(uint16_t type)
{
    return type == PROPERTY_EXPERIMENTER ? OFPERR_BPC_BAD_EXPERIMENTER : OFPERR_BPC_BAD_TYPE;
}

/* A property: type, length, value, padded to 8 (OpenFlow 1.4.1, 7.2.2). Returns 1, 0 at the end, -1 if malformed. */
static inline int read_property(struct reader *r, uint16_t *type, struct reader *value)
{
    uint16_t len;

    if (r->bad)
        return -1;
    if (r->left == 0)
        return 0;
    *type = read_u16(r);
    len = read_u16(r);
    if (r->bad || len < 4)
        return -1;
    *value = read_part(r, len - 4u);
    read_skip(r, (8 - len % 8) % 8);
    return r->bad ? -1 : 1;
}

/* OpenFlow 1.0 has 16-bit ports, whose reserved numbers are the low halves of the later ones. */
static inline uint32_t port_from_of10(uint16_t port)
{
    return port >= 0xff00 ? 0xffff0000u | port : port;
}

static inline uint16_t port_to_of10(uint32_t port)
{
    return port >= 0xffffff00u || port < 0xff00 ? (uint16_t)port : 0xffff;
}

#endif
