/* The builder and the table of interned programs. */
#include <rte_common.h>
#include <rte_debug.h>
#include <rte_hash_crc.h>
#include <stdlib.h>
#include <string.h>

#include "pmd/base/open_hash.h"
#include "pmd/program_ops.h"
#include "pmd/tunnel.h"

struct program_slot {
    struct program *program; /* NULL: empty */
    uint32_t hash;
};

#define SLOT_TYPE                                                                                                      \
    ((struct open_hash_type){.slot_size = sizeof(struct program_slot), .hash_at = offsetof(struct program_slot, hash)})

/* There may be as many programs as megaflows, where actions write what they read: it grows a few slots at a time. */
struct program_table {
    struct open_hash hash; /* struct program_slot */
};

void program_builder_init(struct program_builder *builder)
{
    builder->len = 0;
    builder->n_ops = 0;
    builder->overflow = false;
}

void program_builder_add(struct program_builder *builder, enum program_op_type type, uint32_t arg, const void *data,
                         size_t len)
{
    const size_t data_len = program_ops[type].data_len, room = RTE_ALIGN_CEIL(data_len, 8);
    const size_t op_len = sizeof(struct program_op) + room;

    /* The struct of another operation is a fault of the caller; running it would write what is behind it to packets. */
    RTE_VERIFY(data ? len >= data_len && len <= room && data_len > 0 : len == 0);
    if (builder->overflow || builder->len + op_len > PROGRAM_MAX_LEN) {
        builder->overflow = true;
        return;
    }
    struct program_op *op = (struct program_op *)(builder->ops + builder->len);
    *op = (struct program_op){.type = type, .len = op_len, .arg = arg};
    memset(op->data, 0, room);
    if (data)
        memcpy(op->data, data, data_len);
    builder->len += op_len;
    builder->n_ops++;
}

struct program_table *program_table_create(void)
{
    return calloc(1, sizeof(struct program_table));
}

void program_table_destroy(struct program_table *table)
{
    struct program_slot *slots;
    uint32_t last;

    if (!table)
        return;
    for (unsigned n = 0; (slots = open_hash_array(&table->hash, n, &last)); n++) {
        for (uint32_t i = 0; i <= last; i++)
            free(slots[i].program);
    }
    open_hash_free(&table->hash, SLOT_TYPE);
    free(table);
}

size_t program_table_size(const struct program_table *table)
{
    return table->hash.used;
}

/* The slot of the program that consists of these bytes; NULL. */
static struct program_slot *slot_find(const struct program_table *table, uint32_t hash, const uint8_t *ops,
                                      uint32_t len)
{
    struct program_slot *slots;
    uint32_t last;

    for (unsigned n = 0; (slots = open_hash_array(&table->hash, n, &last)); n++) {
        for (uint32_t i = hash & last; slots[i].program; i = (i + 1) & last) {
            const struct program *program = slots[i].program;

            if (slots[i].hash == hash && program->len == len && memcmp(program->ops, ops, len) == 0)
                return &slots[i];
        }
    }
    return NULL;
}

static void program_classify(struct program *program)
{
    unsigned n_outputs = 0, n_others = 0;
    bool changes = false, comes_back = false;
    const struct program_op *first = (const struct program_op *)program->ops;

    PROGRAM_FOR_EACH (op, program) {
        if (op->type == OP_OUTPUT)
            n_outputs++;
        else
            n_others++;
        program->uses_meta |= program_ops[op->type].uses_meta;
        changes |= program_ops[op->type].changes;
        comes_back |= op->type == OP_RECIRC || op->type == OP_RECIRC_LARGER;
        if (op->type == OP_TUNNEL_PUSH) /* what is too long is punted */
            program->uses_meta |= ((const struct op_tunnel_push *)(const void *)op->data)->too_big != 0;
    }
    program->comes_back_as_is = comes_back && !changes;
    program->n_outputs = RTE_MIN(n_outputs, (unsigned)UINT8_MAX);
    if (program->n_ops == 0) {
        program->kind = PROGRAM_DROP;
        program->output = DROP_POLICY;
    } else if (program->n_ops == 1 && first->type == OP_DROP) {
        program->kind = PROGRAM_DROP;
        program->output = first->arg;
    } else if (n_others == 0) {
        program->kind = n_outputs == 1 ? PROGRAM_OUTPUT : PROGRAM_OUTPUTS;
        program->output = first->arg;
    } else if (program->n_ops == 1 && first->type == OP_TUNNEL_POP) {
        program->kind = PROGRAM_TUNNEL_POP;
    } else if (program->n_ops == 2 && first->type == OP_TUNNEL_PUSH && program_op_next(first)->type == OP_OUTPUT) {
        program->kind = PROGRAM_TUNNEL_PUSH;
        program->output = program_op_next(first)->arg;
    } else if (program->n_ops == 2 && first->type == OP_CT && program_op_next(first)->type == OP_RECIRC) {
        program->kind = PROGRAM_TRACK;
    } else {
        program->kind = PROGRAM_GENERAL;
    }
}

struct program *program_intern(struct program_table *table, const struct program_builder *builder)
{
    const uint32_t hash = rte_hash_crc(builder->ops, builder->len, builder->len);
    const struct program_slot *slot = slot_find(table, hash, builder->ops, builder->len);
    struct program *program;

    if (slot)
        return program_ref(slot->program);
    program = aligned_alloc(RTE_CACHE_LINE_SIZE, RTE_ALIGN_CEIL(sizeof *program + builder->len, RTE_CACHE_LINE_SIZE));
    if (!program)
        return NULL;
    *program = (struct program){.n_ops = builder->n_ops, .len = builder->len, .hash = hash, .refs = 1};
    memcpy(program->ops, builder->ops, builder->len);
    program_classify(program);

    *(struct program_slot *)open_hash_insert(&table->hash, SLOT_TYPE, hash) =
        (struct program_slot){.program = program, .hash = hash};
    return program;
}

struct program *program_ref(struct program *program)
{
    program->refs++;
    return program;
}

bool program_unref(struct program_table *table, struct program *program)
{
    if (--program->refs != 0)
        return false;
    open_hash_remove(&table->hash, SLOT_TYPE, slot_find(table, program->hash, program->ops, program->len));
    return true;
}
