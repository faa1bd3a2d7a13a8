#include "pmd/cache/megaflow.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pmd/datapath.h"

#define TAIL_AT (LINE_WORDS - MEGAFLOW_TAIL_WORDS)
#define RECLAIM_MEGAFLOWS 512 /* of one megaflow_reclaim() */

int megaflow_table_init(struct megaflow_table *table, uint32_t limit)
{
    memset(table, 0, sizeof *table);
    table->slots_memory = hugemem_alloc((size_t)limit * sizeof *table->slots, SOCKET_ID_ANY);
    table->memory = hugemem_alloc((size_t)limit * sizeof *table->megaflows, SOCKET_ID_ANY);
    if (!table->slots_memory.ptr || !table->memory.ptr) {
        hugemem_free(&table->slots_memory);
        hugemem_free(&table->memory);
        return -ENOMEM;
    }
    table->slots = table->slots_memory.ptr;
    table->megaflows = table->memory.ptr;
    table->limit = limit;
    table->free = table->waiting = table->fresh = MEGAFLOW_NONE;
    return 0;
}

void megaflow_table_fini(struct megaflow_table *table)
{
    for (uint32_t i = 0; i < table->n_touched; i++)
        free(table->megaflows[i].more);
    hugemem_free(&table->slots_memory);
    hugemem_free(&table->memory);
}

struct megaflow *megaflow_alloc(struct megaflow_table *table, struct rcu *rcu)
{
    struct megaflow *mf;

    if (table->free == MEGAFLOW_NONE && table->n_touched == table->limit)
        megaflow_reclaim(table, rcu);
    if (table->free != MEGAFLOW_NONE) {
        mf = &table->megaflows[table->free];
        table->free = mf->next;
        for (unsigned i = 0; i < table->n_counters; i++) {
            table->counters[i][mf->id] = (struct megaflow_counters){0};
            table->rare[i][mf->id] = (struct megaflow_rare){0};
        }
    } else if (table->n_touched < table->limit) {
        mf = &table->megaflows[table->n_touched];
        mf->slot = &table->slots[table->n_touched];
        mf->id = table->n_touched++;
    } else {
        return NULL;
    }
    table->n_used++;
    return mf;
}

int megaflow_set_key(struct megaflow *mf, const struct flow_key *key, const struct flow_key *mask, unsigned mask_lines)
{
    const uint64_t *k = (const uint64_t *)key, *m = (const uint64_t *)mask;
    struct megaflow_slot *slot = mf->slot;
    uint64_t line0[LINE_WORDS];

    if (mask_lines > 1) {
        mf->more = aligned_alloc(FLOW_KEY_LINE, (size_t)(mask_lines - 1) * FLOW_KEY_LINE);
        if (!mf->more)
            return -ENOMEM;
    }
    slot->mask = m;
    slot->mask_lines = mask_lines;
    slot->key_lines = 1;
    for (unsigned w = 0; w < LINE_WORDS; w++)
        line0[w] = k[w] & m[w];
    memcpy(slot->head, line0, sizeof slot->head);
    memcpy(mf->tail, &line0[TAIL_AT], sizeof mf->tail);
    mf->tail[0] &= megaflow_tail_half();
    slot->head_only = mask_lines == 1 && ((m[TAIL_AT] & megaflow_tail_half()) | m[TAIL_AT + 1] | m[TAIL_AT + 2]) == 0;
    for (unsigned w = LINE_WORDS; w < mask_lines * LINE_WORDS; w++) {
        mf->more[w - LINE_WORDS] = k[w] & m[w];
        if (mf->more[w - LINE_WORDS] != 0)
            slot->key_lines = w / LINE_WORDS + 1;
    }
    return 0;
}

void megaflow_masked_key(const struct megaflow *mf, struct flow_key *key)
{
    uint64_t *words = (uint64_t *)key;

    memset(key, 0, sizeof *key);
    memcpy(&words[TAIL_AT], mf->tail, sizeof mf->tail);
    memcpy(key, mf->slot->head, sizeof mf->slot->head);
    if (mf->slot->mask_lines > 1)
        memcpy(&words[LINE_WORDS], mf->more, (size_t)(mf->slot->mask_lines - 1) * FLOW_KEY_LINE);
}

void megaflow_publish(struct megaflow *mf)
{
    __atomic_store_n(&mf->slot->alive, 1, __ATOMIC_RELEASE);
}

static void list_append(struct megaflow_table *table, uint32_t *first, uint32_t *last, struct megaflow *mf)
{
    mf->next = MEGAFLOW_NONE;
    if (*first == MEGAFLOW_NONE)
        *first = mf->id;
    else
        table->megaflows[*last].next = mf->id;
    *last = mf->id;
}

void megaflow_retire(struct megaflow_table *table, struct megaflow *mf)
{
    __atomic_store_n(&mf->slot->alive, 0, __ATOMIC_RELEASE);
    list_append(table, &table->fresh, &table->fresh_last, mf);
    table->n_used--;
}

void megaflow_unalloc(struct megaflow_table *table, struct megaflow *mf)
{
    free(mf->more);
    mf->more = NULL;
    mf->next = table->free;
    table->free = mf->id;
    table->n_used--;
}

/* Up to `most` of those that wait. */
static void free_waiting(struct megaflow_table *table, uint32_t most)
{
    while (table->waiting != MEGAFLOW_NONE && most-- > 0) {
        struct megaflow *mf = &table->megaflows[table->waiting];

        table->waiting = mf->next;
        free(mf->more);
        mf->more = NULL;
        mf->next = table->free;
        table->free = mf->id;
    }
}

bool megaflow_reclaim(struct megaflow_table *table, struct rcu *rcu)
{
    if (table->waiting != MEGAFLOW_NONE) {
        if (!table->waiting_due && !rcu_passed(rcu, table->waiting_token))
            return false;
        free_waiting(table, RECLAIM_MEGAFLOWS);
        table->waiting_due = table->waiting != MEGAFLOW_NONE;
        if (table->waiting_due)
            return true;
    }
    if (table->fresh != MEGAFLOW_NONE) {
        table->waiting = table->fresh;
        table->waiting_token = rcu_token(rcu);
        table->fresh = MEGAFLOW_NONE;
    }
    return false;
}
