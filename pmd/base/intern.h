/* Numbers for contents: equal contents get the same id, an id is never used for another content. Control thread only.
 */
#ifndef PMD_BASE_INTERN_H
#define PMD_BASE_INTERN_H

#include <stddef.h>
#include <stdint.h>

#define INTERN_BUCKETS 8192

struct interned {
    struct interned *next_content, *next_id;
    uint32_t id, hash;
    uint32_t unused; /* sweeps in a row that found it unmarked */
    uint32_t mark;
    size_t len;
    uint8_t content[] __attribute__((aligned(16)));
};

struct intern_table {
    struct interned *by_content[INTERN_BUCKETS], *by_id[INTERN_BUCKETS];
    uint32_t n, limit, next_id, epoch;
};

/* Returns the id, 1 or more; 0 if there are `limit` of them or memory is short. */
uint32_t intern_add(struct intern_table *table, const void *content, size_t len);
const struct interned *intern_get(const struct intern_table *table, uint32_t id); /* NULL: unknown */
/* Forgets those for which `match` says so. */
void intern_remove(struct intern_table *table, int (*match)(const void *content, const void *arg), const void *arg);
/* Garbage: between intern_sweep_begin and intern_sweep_end everything in use is marked; what two sweeps in a row did
 * not find goes. (A packet that is on its way with the id of a program just replaced is gone by the second sweep.) */
void intern_sweep_begin(struct intern_table *table);
void intern_mark(struct intern_table *table, uint32_t id);
void intern_sweep_end(struct intern_table *table);

#endif
