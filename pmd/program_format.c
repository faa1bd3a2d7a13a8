/* Programs as text, in the style of OVS's datapath actions. */
#include <arpa/inet.h>
#include <rte_common.h>
#include <rte_ether.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "pmd/program_ops.h"
#include "pmd/program_writer.h"

void writer_put(struct program_writer *w, const char *format, ...)
{
    const size_t left = w->len < w->size ? w->size - w->len : 0;
    va_list args;

    va_start(args, format);
    const int n = vsnprintf(left != 0 ? w->buffer + w->len : NULL, left, format, args);
    va_end(args);
    if (n > 0)
        w->len += n;
}

static void writer_name(struct program_writer *w, const char *name)
{
    writer_put(w, "%s%s=", w->separate ? "," : "", name);
    w->separate = true;
}

void writer_number(struct program_writer *w, const char *name, enum base base, uint32_t value, uint32_t mask,
                   uint32_t all)
{
    if (mask == 0)
        return;
    writer_name(w, name);
    if (mask != all)
        writer_put(w, "0x%x/0x%x", value & mask, mask);
    else
        writer_put(w, base == HEX ? "0x%x" : "%u", value & mask);
}

void writer_ether(struct program_writer *w, const char *name, const struct rte_ether_addr *value,
                  const struct rte_ether_addr *mask)
{
    if (rte_is_zero_ether_addr(mask))
        return;
    writer_name(w, name);
    for (int i = 0; i < 6; i++)
        writer_put(w, "%s%02x", i ? ":" : "", value->addr_bytes[i] & mask->addr_bytes[i]);
    if (rte_is_broadcast_ether_addr(mask))
        return;
    for (int i = 0; i < 6; i++)
        writer_put(w, "%s%02x", i ? ":" : "/", mask->addr_bytes[i]);
}

void writer_address(struct program_writer *w, const char *name, int family, const void *value, const void *mask)
{
    const size_t len = family == AF_INET ? 4 : 16;
    uint8_t bytes[16], any = 0, all = 0xff;
    char text[INET6_ADDRSTRLEN];

    for (size_t i = 0; i < len; i++) {
        const uint8_t m = ((const uint8_t *)mask)[i];
        bytes[i] = ((const uint8_t *)value)[i] & m;
        any |= m;
        all &= m;
    }
    if (any == 0)
        return;
    writer_name(w, name);
    writer_put(w, "%s", inet_ntop(family, bytes, text, sizeof text));
    if (all != 0xff)
        writer_put(w, "/%s", inet_ntop(family, mask, text, sizeof text));
}

void writer_port(struct program_writer *w, uint32_t index)
{
    if (w->port_name)
        writer_put(w, "%s", w->port_name(w->arg, index));
    else
        writer_put(w, "%u", index);
}

void writer_ops(struct program_writer *w, const struct program_op *op, const struct program_op *end)
{
    for (const char *comma = ""; op < end; op = program_op_next(op), comma = ",") {
        const struct program_op_info *info = &program_ops[op->type];

        writer_put(w, "%s%s", comma, info->open);
        w->separate = false;
        if (info->format)
            info->format(w, op);
        writer_put(w, "%s", info->close);
    }
}

int program_format(const struct program *program, const char *(*port_name)(void *arg, uint32_t port), void *arg,
                   char *buffer, size_t size)
{
    struct program_writer w = {.buffer = buffer, .size = size, .port_name = port_name, .arg = arg};

    if (size > 0)
        buffer[0] = '\0';
    if (program->n_ops == 0)
        writer_put(&w, "drop");
    writer_ops(&w, (const void *)program->ops, (const void *)(program->ops + program->len));
    return w.len;
}
