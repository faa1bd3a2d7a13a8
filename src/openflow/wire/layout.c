#include "src/openflow/wire/layout.h"

static void store(uint8_t *member, unsigned size, uint64_t v)
{
    switch (size) {
    case 1:
        *member = (uint8_t)v;
        break;
    case 2:
        *(uint16_t *)member = (uint16_t)v;
        break;
    case 4:
        *(uint32_t *)member = (uint32_t)v;
        break;
    case 8:
        *(uint64_t *)member = v;
        break;
    }
}

static uint64_t load(const uint8_t *member, unsigned size)
{
    switch (size) {
    case 1:
        return *member;
    case 2:
        return *(const uint16_t *)member;
    case 4:
        return *(const uint32_t *)member;
    default:
        return *(const uint64_t *)member;
    }
}

void layout_read(struct reader *r, const struct layout *layout, void *to)
{
    for (; layout->width; layout++) {
        const uint8_t *p = read_bytes(r, layout->width);
        uint64_t v = 0;

        for (unsigned i = 0; p && i < layout->width; i++)
            v = v << 8 | p[i];
        if (layout->size)
            store((uint8_t *)to + layout->offset, layout->size, v);
    }
}

void layout_put(struct of_buf *buf, const struct layout *layout, const void *from)
{
    for (; layout->width; layout++) {
        uint8_t *p = of_buf_add(buf, layout->width);
        uint64_t v = layout->size ? load((const uint8_t *)from + layout->offset, layout->size) : 0;

        for (unsigned i = layout->width; layout->size && i-- > 0; v >>= 8)
            p[i] = (uint8_t)v;
    }
}
