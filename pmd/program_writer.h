/* Writes programs as text. For program_format.c and the rows of program_ops.c alone.
 *
 * Fields are separated by commas. writer_number(), writer_ether() and writer_address() write nothing if the mask is
 * zero, and the mask only if it is not all of the field.
 */
#ifndef PMD_PROGRAM_WRITER_H
#define PMD_PROGRAM_WRITER_H

#include <rte_ether.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pmd/program.h"

struct program_writer {
    char *buffer;
    size_t size;
    size_t len;                                         /* that would have been written */
    bool separate;                                      /* a comma before the next field */
    const char *(*port_name)(void *arg, uint32_t port); /* NULL: ports are numbers */
    void *arg;
};

enum base { DECIMAL, HEX };

void writer_put(struct program_writer *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
void writer_number(struct program_writer *w, const char *name, enum base base, uint32_t value, uint32_t mask,
                   uint32_t all);
void writer_ether(struct program_writer *w, const char *name, const struct rte_ether_addr *value,
                  const struct rte_ether_addr *mask);
/* `family` is AF_INET or AF_INET6. */
void writer_address(struct program_writer *w, const char *name, int family, const void *value, const void *mask);
/* A port or tunnel, by its index in the datapath. */
void writer_port(struct program_writer *w, uint32_t index);
struct op_tunnel_push;
struct op_tunnel_pop;
/* The arguments of tnl_push() and tnl_pop(). */
void writer_tunnel_push(struct program_writer *w, const struct op_tunnel_push *push);
void writer_tunnel_pop(struct program_writer *w, const struct op_tunnel_pop *pop);
/* The operations from `op` up to `end`, separated by commas. */
void writer_ops(struct program_writer *w, const struct program_op *op, const struct program_op *end);

#endif
