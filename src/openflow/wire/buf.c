#include <rte_branch_prediction.h>
#include <rte_byteorder.h>
#include <rte_common.h>
#include <stdlib.h>
#include <string.h>

#include "pmd/base/memory.h"

#include "src/openflow/wire/buf.h"

void of_buf_free(struct of_buf *buf)
{
    free(buf->data);
    memset(buf, 0, sizeof *buf);
}

static __rte_noinline void grow(struct of_buf *buf, size_t n)
{
    size_t size = buf->size ? buf->size : 256;

    while (size - buf->len < n)
        size *= 2;
    buf->data = realloc(buf->data, size);
    if (!buf->data)
        out_of_memory("an OpenFlow request", 0);
    buf->size = size;
}

static inline uint8_t *take(struct of_buf *buf, size_t n)
{
    if (unlikely(buf->size - buf->len < n))
        grow(buf, n);
    buf->len += n;
    return buf->data + buf->len - n;
}

void *of_buf_add(struct of_buf *buf, size_t n)
{
    return memset(take(buf, n), 0, n);
}

void of_buf_add_bytes(struct of_buf *buf, const void *data, size_t n)
{
    if (n)
        memcpy(take(buf, n), data, n);
}

void of_buf_add_u8(struct of_buf *buf, uint8_t v)
{
    *take(buf, 1) = v;
}

void of_buf_add_u16(struct of_buf *buf, uint16_t v)
{
    v = rte_cpu_to_be_16(v);
    memcpy(take(buf, sizeof v), &v, sizeof v);
}

void of_buf_add_u32(struct of_buf *buf, uint32_t v)
{
    v = rte_cpu_to_be_32(v);
    memcpy(take(buf, sizeof v), &v, sizeof v);
}

void of_buf_add_u64(struct of_buf *buf, uint64_t v)
{
    v = rte_cpu_to_be_64(v);
    memcpy(take(buf, sizeof v), &v, sizeof v);
}

void of_buf_pad(struct of_buf *buf, size_t from, size_t align)
{
    size_t over = (buf->len - from) % align;

    if (over)
        of_buf_add(buf, align - over);
}

void of_buf_set_u16(struct of_buf *buf, size_t at, uint16_t v)
{
    v = rte_cpu_to_be_16(v);
    memcpy(buf->data + at, &v, sizeof v);
}
