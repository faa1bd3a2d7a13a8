/* What is known of each operation of an action program: one row per enum program_op_type.
 *
 * A new operation is its enum value and struct in program.h, a row here, and a function that runs it in pmd/action/
 * with its row in pmd/action/ops.c. Those functions stand in a table of their own as pmd/ does not include pmd/action/:
 * who builds, interns or prints programs needs no code that changes packets. Constant; any thread.
 */
#ifndef PMD_PROGRAM_OPS_H
#define PMD_PROGRAM_OPS_H

#include "pmd/program.h"

struct program_writer;

struct program_op_info {
    /* As text: `open`, the arguments as `format` writes them (NULL: there are none), `close`. */
    const char *open, *close;
    void (*format)(struct program_writer *w, const struct program_op *op);
    /* Bytes of the operation's struct that mean something, without the padding at its end, which must not tell
     * programs apart. 0: the operation has no struct. */
    uint16_t data_len;
    bool emits;     /* sends, drops, recirculates or measures the packet: the last such may have the packet itself */
    bool changes;   /* writes to the packet's bytes: copies sent before must not share them */
    bool uses_meta; /* reads or writes the packet's metadata, which must be in its private area before the program runs
                     */
};

extern const struct program_op_info program_ops[OP_N_TYPES];

#endif
