#include "pmd/base/intern.h"

#include <rte_jhash.h>
#include <stdlib.h>
#include <string.h>

uint32_t intern_add(struct intern_table *table, const void *content, size_t len)
{
    uint32_t hash = rte_jhash(content, (uint32_t)len, 0);
    struct interned **bucket = &table->by_content[hash % INTERN_BUCKETS], **id_bucket;
    struct interned *item;

    for (item = *bucket; item; item = item->next_content) {
        if (item->hash == hash && item->len == len && memcmp(item->content, content, len) == 0) {
            item->mark = table->epoch;
            return item->id;
        }
    }
    if (table->n >= table->limit || table->next_id == UINT32_MAX - 1)
        return 0;
    item = aligned_alloc(16, (sizeof *item + len + 15) & ~(size_t)15);
    if (!item)
        return 0;
    item->id = ++table->next_id;
    item->hash = hash;
    item->unused = 0;
    item->mark = table->epoch;
    item->len = len;
    memcpy(item->content, content, len);
    item->next_content = *bucket;
    *bucket = item;
    id_bucket = &table->by_id[item->id % INTERN_BUCKETS];
    item->next_id = *id_bucket;
    *id_bucket = item;
    table->n++;
    return item->id;
}

static struct interned *find(const struct intern_table *table, uint32_t id)
{
    struct interned *item = table->by_id[id % INTERN_BUCKETS];

    while (item && item->id != id)
        item = item->next_id;
    return item;
}

const struct interned *intern_get(const struct intern_table *table, uint32_t id)
{
    return find(table, id);
}

static void drop(struct intern_table *table, struct interned *item)
{
    struct interned **p = &table->by_content[item->hash % INTERN_BUCKETS];

    while (*p != item)
        p = &(*p)->next_content;
    *p = item->next_content;
    p = &table->by_id[item->id % INTERN_BUCKETS];
    while (*p != item)
        p = &(*p)->next_id;
    *p = item->next_id;
    table->n--;
    free(item);
}

bool intern_remove_some(struct intern_table *table, uint32_t *at, unsigned most,
                        bool (*match)(const void *content, const void *arg), const void *arg)
{
    for (; most > 0 && *at < INTERN_BUCKETS; most--) {
        struct interned *item, *next;

        for (item = table->by_id[(*at)++]; item; item = next) {
            next = item->next_id;
            if (match(item->content, arg))
                drop(table, item);
        }
    }
    if (*at < INTERN_BUCKETS)
        return false;
    *at = 0;
    return true;
}

void intern_sweep_begin(struct intern_table *table)
{
    table->epoch++;
    table->sweep_at = 0;
}

void intern_mark(struct intern_table *table, uint32_t id)
{
    struct interned *item = find(table, id);

    if (item)
        item->mark = table->epoch;
}

bool intern_sweep_some(struct intern_table *table, unsigned most)
{
    for (; most > 0 && table->sweep_at < INTERN_BUCKETS; most--) {
        struct interned *item, *next;

        for (item = table->by_id[table->sweep_at++]; item; item = next) {
            next = item->next_id;
            if (item->mark == table->epoch)
                item->unused = 0;
            else if (++item->unused >= 2)
                drop(table, item);
        }
    }
    return table->sweep_at == INTERN_BUCKETS;
}
