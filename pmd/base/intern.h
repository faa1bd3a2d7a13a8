/* Numbers for contents: equal contents get the same id, an id is never used for another content. Control thread only.
 */
#ifndef PMD_BASE_INTERN_H
#define PMD_BASE_INTERN_H

#include <stdbool.h>
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
    uint32_t sweep_at; /* bucket of by_id */
};

/* Returns the id, 1 or more; 0 if there are `limit` of them or memory is short. */
uint32_t intern_add(struct intern_table *table, const void *content, size_t len);
const struct interned *intern_get(const struct intern_table *table, uint32_t id); /* NULL: unknown */
/* Forgets those for which `match` says so, among those in the next `most` buckets from *at on, which is 0 at first.
 * True: that was all, and *at is 0 again. */
bool intern_remove_some(struct intern_table *table, uint32_t *at, unsigned most,
                        bool (*match)(const void *content, const void *arg), const void *arg);
/* Garbage: after intern_sweep_begin everything in use is marked; adding marks, too. Then what two sweeps in a row did
 * not find goes, `most` buckets a call, until intern_sweep_some() is true. (A packet that is on its way with the id of
 * a program just replaced is gone by the second sweep.) */
void intern_sweep_begin(struct intern_table *table);
void intern_mark(struct intern_table *table, uint32_t id);
bool intern_sweep_some(struct intern_table *table, unsigned most);

#endif
