/* Runs of numbers that a message has in a fixed order, described once for reading and for writing. For wire/ and
 * codec/ alone. */
#ifndef SRC_OPENFLOW_WIRE_LAYOUT_H
#define SRC_OPENFLOW_WIRE_LAYOUT_H

#include <stddef.h>
#include <stdint.h>

#include "src/openflow/wire/buf.h"
#include "src/openflow/wire/wire.h"

struct layout {
    uint8_t width;   /* bytes on the wire; 0 = the end of the run */
    uint8_t size;    /* bytes of the member, an unsigned number; 0 = padding */
    uint16_t offset; /* of the member */
};

#define LAYOUT(type, member, width_)                                                                                   \
    {                                                                                                                  \
        .width = (width_), .size = sizeof(((type *)0)->member), .offset = offsetof(type, member)                       \
    }
#define LAYOUT_PAD(width_)                                                                                             \
    {                                                                                                                  \
        .width = (width_)                                                                                              \
    }
#define LAYOUT_END                                                                                                     \
    {                                                                                                                  \
        .width = 0                                                                                                     \
    }

void layout_read(struct reader *r, const struct layout *layout, void *to);
void layout_put(struct of_buf *buf, const struct layout *layout, const void *from);

#endif
