#include "src/upcall/dep_index.h"

#include <errno.h>
#include <stdlib.h>

#include "pmd/base/hash.h"
#include "pmd/base/memory.h"
#include "src/upcall/flows_impl.h"

int dep_index_init(struct dep_index *index, uint32_t n_buckets)
{
    index->n_buckets = n_buckets;
    index->buckets = calloc(n_buckets, sizeof *index->buckets);
    return index->buckets ? 0 : -ENOMEM;
}

void dep_index_fini(struct dep_index *index)
{
    free(index->buckets);
    index->buckets = NULL;
}

static uint32_t hash_of(const struct xlate_dep *dep)
{
    return hash_finish(hash_add(hash_add(hash_add(HASH_BASIS, (uint64_t)dep->kind), (uintptr_t)dep->a), dep->b));
}

static struct dep_node *find(const struct dep_index *index, const struct xlate_dep *dep, uint32_t hash)
{
    struct dep_node *node = index->buckets[hash & (index->n_buckets - 1)];

    while (node && !(node->hash == hash && dep_same(&node->dep, dep)))
        node = node->next;
    return node;
}

static struct dep_node *node_create(struct dep_index *index, const struct xlate_dep *dep, uint32_t hash)
{
    struct dep_node **bucket = &index->buckets[hash & (index->n_buckets - 1)], *node = calloc(1, sizeof *node);

    if (!node)
        out_of_memory("the bookkeeping of megaflows", 0);
    node->dep = *dep;
    node->hash = hash;
    node->next = *bucket;
    *bucket = node;
    return node;
}

static void node_free(struct dep_index *index, struct dep_node *node)
{
    struct dep_node **p = &index->buckets[node->hash & (index->n_buckets - 1)];

    while (*p != node)
        p = &(*p)->next;
    *p = node->next;
    free(node);
}

void dep_link_add(struct dep_index *index, struct dep_link *link, const struct xlate_dep *dep, void *owner)
{
    uint32_t hash = hash_of(dep);
    struct dep_node *node = find(index, dep, hash);

    if (!node)
        node = node_create(index, dep, hash);
    link->at = node;
    link->owner = owner;
    LIST_INSERT_HEAD(&node->links, link, node);
    node->n++;
}

void dep_link_remove(struct dep_index *index, struct dep_link *link)
{
    LIST_REMOVE(link, node);
    if (--link->at->n == 0)
        node_free(index, link->at);
}

bool dep_index_has(const struct dep_index *index, const struct xlate_dep *dep)
{
    return find(index, dep, hash_of(dep)) != NULL;
}

void dep_changed(struct flows *flows, enum xlate_dep_kind kind, const void *a, uint64_t b)
{
    const struct xlate_dep dep = {.kind = kind, .a = a, .b = b};
    const struct dep_node *node = find(&flows->deps, &dep, hash_of(&dep));
    struct dep_link *link;

    if (!node)
        return;
    if (!marks_take(flows, node->n)) {
        change_batch_add_dep(changes_pending(flows), &dep);
        return;
    }
    LIST_FOREACH (link, &node->links, node) {
        if (dep_is_of_record(&dep))
            record_mark(flows, link->owner);
        else
            path_mark(flows, link->owner);
    }
}
