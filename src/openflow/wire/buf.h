/* A growing byte buffer that messages are encoded into. Control thread; the owner frees it. Aborts on out of memory. */
#ifndef SRC_OPENFLOW_WIRE_BUF_H
#define SRC_OPENFLOW_WIRE_BUF_H

#include <stddef.h>
#include <stdint.h>

struct of_buf {
    uint8_t *data;
    size_t len, size;
};

void of_buf_free(struct of_buf *buf); /* and leaves it empty, usable */

/* Appends `n` zeroed bytes and returns them; the pointer is valid until the next append. */
void *of_buf_add(struct of_buf *buf, size_t n);
void of_buf_add_bytes(struct of_buf *buf, const void *data, size_t n);
void of_buf_add_u8(struct of_buf *buf, uint8_t v);
void of_buf_add_u16(struct of_buf *buf, uint16_t v); /* these three in network byte order */
void of_buf_add_u32(struct of_buf *buf, uint32_t v);
void of_buf_add_u64(struct of_buf *buf, uint64_t v);
void of_buf_pad(struct of_buf *buf, size_t from, size_t align); /* zeroes, until (len - from) is a multiple */
void of_buf_set_u16(struct of_buf *buf, size_t at, uint16_t v);

#endif
