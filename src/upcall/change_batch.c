#include "src/upcall/change_batch.h"

#include <rte_hash_crc.h>
#include <stdlib.h>
#include <string.h>

#include "pmd/base/memory.h"
#include "src/upcall/flows_impl.h"

/* Words of the flow key, and one for the OpenFlow in_port. The rest of a match (metadata, registers) is taken to fit.
 */
#define KEY_WORDS (sizeof(struct flow_key) / 8)
#define IN_PORT_WORD KEY_WORDS
#define WORDS (KEY_WORDS + 1)

/* More masks than this in one table: every megaflow that went there is translated again. */
#define TUPLES_MAX 64
/* So many rules of a mask are compared one by one where a hash lookup does not answer. */
#define COMPARE_MAX 32

/* The rules of one mask. */
struct batch_tuple {
    uint64_t mask[WORDS];
    uint8_t words[WORDS]; /* those that are not 0 */
    uint32_t n_words;
    uint16_t max_priority;
    uint64_t *values; /* n_words each */
    uint16_t *priorities;
    uint32_t n, size;
    uint32_t *slots; /* of values, + 1; open addressing */
    uint32_t n_slots;
};

struct batch_table {
    struct bridge *bridge;
    uint8_t table_id;
    bool too_many; /* masks */
    uint16_t max_priority;
    struct batch_tuple *tuples;
    uint32_t n_tuples;
};

static void *grow(void *array, size_t size)
{
    array = realloc(array, size);
    if (!array)
        out_of_memory("the bookkeeping of megaflows", 0);
    return array;
}

struct change_batch *change_batch_create(uint64_t serial)
{
    struct change_batch *batch = calloc(1, sizeof *batch);

    if (!batch)
        out_of_memory("the bookkeeping of megaflows", 0);
    batch->serial = serial;
    return batch;
}

static void tuple_free(struct batch_tuple *tuple)
{
    free(tuple->values);
    free(tuple->priorities);
    free(tuple->slots);
}

static void table_free(struct batch_table *table)
{
    for (uint32_t i = 0; i < table->n_tuples; i++)
        tuple_free(&table->tuples[i]);
    free(table->tuples);
}

void change_batch_destroy(struct change_batch *batch)
{
    if (!batch)
        return;
    for (uint32_t i = 0; i < batch->n_tables; i++)
        table_free(&batch->tables[i]);
    free(batch->tables);
    free(batch->bridges);
    free(batch->deps);
    free(batch->owners);
    free(batch->in_ports);
    free(batch);
}

static bool has_bridge(const struct change_batch *batch, const struct bridge *bridge)
{
    for (uint32_t i = 0; i < batch->n_bridges; i++) {
        if (batch->bridges[i] == bridge)
            return true;
    }
    return false;
}

void change_batch_add_bridge(struct change_batch *batch, struct bridge *bridge)
{
    if (batch->all || has_bridge(batch, bridge))
        return;
    batch->bridges = grow(batch->bridges, (batch->n_bridges + 1) * sizeof *batch->bridges);
    batch->bridges[batch->n_bridges++] = bridge;
}

/* Beyond these every megaflow is looked at. */
#define DEPS_MAX 64

void change_batch_add_dep(struct change_batch *batch, const struct xlate_dep *dep)
{
    for (uint32_t i = 0; i < batch->n_deps; i++) {
        if (dep_same(&batch->deps[i], dep))
            return;
    }
    if (batch->n_deps == DEPS_MAX) {
        batch->all = true;
        return;
    }
    batch->has_macs |= dep_is_of_record(dep);
    batch->deps = grow(batch->deps, (batch->n_deps + 1) * sizeof *batch->deps);
    batch->deps[batch->n_deps++] = *dep;
}

/* Owners that are noted one by one; if there are more, all megaflows are translated again. */
#define OWNERS_MAX 4096

void change_batch_add_owner(struct change_batch *batch, const void *owner)
{
    if (batch->all || (batch->n_owners > 0 && batch->owners[batch->n_owners - 1] == owner))
        return;
    if (batch->n_owners == OWNERS_MAX) {
        batch->all = true;
        return;
    }
    if (batch->n_owners == batch->owners_size) {
        batch->owners_size = batch->owners_size ? 2 * batch->owners_size : 16;
        batch->owners = grow(batch->owners, batch->owners_size * sizeof *batch->owners);
    }
    batch->owners[batch->n_owners++] = owner;
}

static int compare_pointers(const void *a, const void *b)
{
    uintptr_t x = (uintptr_t) * (const void *const *)a, y = (uintptr_t) * (const void *const *)b;

    return x < y ? -1 : x > y;
}

void change_batch_close(struct change_batch *batch)
{
    if (batch->n_owners > 0)
        qsort(batch->owners, batch->n_owners, sizeof *batch->owners, compare_pointers);
}

/* Which may be gone, and its memory another's: then more is translated again than has to be. */
static bool is_owner(const struct change_batch *batch, const void *owner)
{
    return bsearch(&owner, batch->owners, batch->n_owners, sizeof *batch->owners, compare_pointers);
}

static bool has_owner(const struct change_batch *batch, const struct path *path)
{
    if (batch->n_owners == 0)
        return false;
    if (is_owner(batch, path))
        return true;
    for (uint32_t i = 0; i < path->n_rules + path->n_clauses; i++) {
        if (is_owner(batch, path->rules[i].rule))
            return true;
    }
    for (uint32_t i = 0; i < path->n_groups; i++) {
        if (is_owner(batch, path->groups[i].group))
            return true;
    }
    return false;
}

void change_batch_add_in_port(struct change_batch *batch, uint32_t index)
{
    if (!batch->in_ports) {
        batch->in_ports = calloc(IN_PORTS_MAX, sizeof *batch->in_ports);
        if (!batch->in_ports)
            out_of_memory("the bookkeeping of megaflows", 0);
    }
    batch->in_ports[in_port_place(index)] = true;
    batch->n_in_ports++;
}

uint32_t change_batch_size(const struct change_batch *batch)
{
    return batch ? batch->n_rules + batch->n_bridges + batch->n_deps + batch->n_owners + batch->n_in_ports : 0;
}

bool change_batch_meets(const struct change_batch *batch, const struct mf_record *record)
{
    if (batch->in_ports && batch->in_ports[record->in_port_place])
        return true;
    for (uint32_t i = 0; batch->has_macs && i < batch->n_deps; i++) {
        if (dep_is_of_record(&batch->deps[i]) && record_rests_on_mac(record, &batch->deps[i]))
            return true;
    }
    return false;
}

static struct batch_table *find_table(const struct change_batch *batch, const struct bridge *bridge, uint8_t table_id)
{
    for (uint32_t i = 0; i < batch->n_tables; i++) {
        if (batch->tables[i].table_id == table_id && batch->tables[i].bridge == bridge)
            return &batch->tables[i];
    }
    return NULL;
}

static struct batch_table *get_table(struct change_batch *batch, struct bridge *bridge, uint8_t table_id)
{
    struct batch_table *table = find_table(batch, bridge, table_id);

    if (table)
        return table;
    batch->tables = grow(batch->tables, (batch->n_tables + 1) * sizeof *batch->tables);
    table = &batch->tables[batch->n_tables++];
    *table = (struct batch_table){.bridge = bridge, .table_id = table_id};
    return table;
}

static void match_words(const struct flow *flow, uint64_t words[WORDS])
{
    memcpy(words, &flow->pkt, sizeof flow->pkt);
    words[IN_PORT_WORD] = flow->in_port;
}

static struct batch_tuple *get_tuple(struct batch_table *table, const uint64_t mask[WORDS])
{
    struct batch_tuple *tuple;

    for (uint32_t i = 0; i < table->n_tuples; i++) {
        if (memcmp(table->tuples[i].mask, mask, sizeof table->tuples[i].mask) == 0)
            return &table->tuples[i];
    }
    if (table->n_tuples == TUPLES_MAX) {
        table->too_many = true;
        return NULL;
    }
    table->tuples = grow(table->tuples, (table->n_tuples + 1) * sizeof *table->tuples);
    tuple = &table->tuples[table->n_tuples++];
    memset(tuple, 0, sizeof *tuple);
    memcpy(tuple->mask, mask, sizeof tuple->mask);
    for (uint8_t i = 0; i < WORDS; i++) {
        if (mask[i])
            tuple->words[tuple->n_words++] = i;
    }
    return tuple;
}

static uint32_t hash_values(const uint64_t *values, uint32_t n)
{
    uint32_t hash = n;

    for (uint32_t i = 0; i < n; i++)
        hash = rte_hash_crc_8byte(values[i], hash);
    return hash;
}

/* The slot that holds these values, or the free one where they belong. */
static uint32_t *find_slot(const struct batch_tuple *tuple, const uint64_t *values)
{
    uint32_t n = tuple->n_words, i = hash_values(values, n) & (tuple->n_slots - 1);

    while (tuple->slots[i] &&
           memcmp(&tuple->values[(size_t)(tuple->slots[i] - 1) * n], values, n * sizeof *values) != 0)
        i = (i + 1) & (tuple->n_slots - 1);
    return &tuple->slots[i];
}

static void rehash(struct batch_tuple *tuple)
{
    free(tuple->slots);
    tuple->n_slots = tuple->size * 2;
    tuple->slots = calloc(tuple->n_slots, sizeof *tuple->slots);
    if (!tuple->slots)
        out_of_memory("the bookkeeping of megaflows", 0);
    for (uint32_t i = 0; i < tuple->n; i++)
        *find_slot(tuple, &tuple->values[(size_t)i * tuple->n_words]) = i + 1;
}

static void add_values(struct batch_tuple *tuple, const uint64_t words[WORDS], uint16_t priority)
{
    uint64_t values[WORDS];
    uint32_t *slot;

    if (tuple->n == tuple->size) {
        tuple->size = tuple->size ? tuple->size * 2 : 16;
        /* One more word: a mask of nothing has none. */
        tuple->values = grow(tuple->values, ((size_t)tuple->size * tuple->n_words + 1) * sizeof *tuple->values);
        tuple->priorities = grow(tuple->priorities, tuple->size * sizeof *tuple->priorities);
        rehash(tuple);
    }
    for (uint32_t i = 0; i < tuple->n_words; i++)
        values[i] = words[tuple->words[i]];
    slot = find_slot(tuple, values);
    if (*slot == 0) {
        memcpy(&tuple->values[(size_t)tuple->n * tuple->n_words], values, tuple->n_words * sizeof *values);
        tuple->priorities[tuple->n] = priority;
        *slot = ++tuple->n;
    } else if (priority > tuple->priorities[*slot - 1]) {
        tuple->priorities[*slot - 1] = priority;
    }
}

void change_batch_add_rule(struct change_batch *batch, struct bridge *bridge, const struct rule *rule)
{
    struct batch_table *table;
    struct batch_tuple *tuple;
    uint64_t value[WORDS], mask[WORDS];
    struct match match;

    if (batch->all || has_bridge(batch, bridge))
        return;
    batch->n_rules++;
    table = get_table(batch, bridge, rule->table_id);
    if (rule->priority > table->max_priority)
        table->max_priority = rule->priority;
    if (table->too_many)
        return;
    rule_match(rule, &match);
    match_words(&match.value, value);
    match_words(&match.mask, mask);
    tuple = get_tuple(table, mask);
    if (!tuple)
        return;
    if (rule->priority > tuple->max_priority)
        tuple->max_priority = rule->priority;
    add_values(tuple, value, rule->priority);
}

void change_batch_forget_bridge(struct change_batch *batch, const struct bridge *bridge)
{
    for (uint32_t i = 0; i < batch->n_bridges; i++) {
        if (batch->bridges[i] == bridge)
            batch->bridges[i--] = batch->bridges[--batch->n_bridges];
    }
    for (uint32_t i = 0; i < batch->n_deps; i++) {
        if (batch->deps[i].a == bridge)
            batch->deps[i--] = batch->deps[--batch->n_deps];
    }
    for (uint32_t i = 0; i < batch->n_tables; i++) {
        if (batch->tables[i].bridge == bridge) {
            table_free(&batch->tables[i]);
            batch->tables[i--] = batch->tables[--batch->n_tables];
        }
    }
}

/* The table that `visit` was to, if a rule was added there that may win over the one it hit. */
static const struct batch_table *visit_table(const struct change_batch *batch, const struct bridge *bridge,
                                             const struct xlate_visit *visit)
{
    const struct batch_table *table = find_table(batch, bridge, visit->table_id);

    if (table && visit->has_rule && table->max_priority < visit->priority)
        return NULL;
    return table;
}

static enum path_verdict judge(const struct change_batch *batch, const struct path *path)
{
    enum path_verdict verdict = PATH_UNAFFECTED;

    if (batch->all || has_owner(batch, path))
        return PATH_AFFECTED;
    for (uint32_t i = 0; i < path->n_bridges; i++) {
        if (has_bridge(batch, path->bridges[i]))
            return PATH_AFFECTED;
    }
    for (uint32_t i = 0; i < batch->n_deps; i++) {
        if (path_rests_on(path, &batch->deps[i]))
            return PATH_AFFECTED;
    }
    for (uint32_t i = 0; batch->n_tables > 0 && i < path->n_visits; i++) {
        const struct xlate_visit visit = path->visits[i];
        const struct batch_table *table = visit_table(batch, path->bridges[visit.bridge], &visit);

        if (!table)
            continue;
        if (visit.rewritten || table->too_many)
            return PATH_AFFECTED;
        verdict = PATH_CHECK;
    }
    return verdict;
}

enum path_verdict change_batch_path(const struct change_batch *batch, struct path *path)
{
    if (path->batch_serial != batch->serial) {
        path->verdict = judge(batch, path);
        path->batch_serial = batch->serial;
    }
    return path->verdict;
}

/* Is there a packet that both the megaflow and a rule of the tuple take? */
static bool tuple_meets(const struct batch_tuple *tuple, uint16_t priority, const uint64_t key[WORDS],
                        const uint64_t mask[WORDS])
{
    uint64_t values[WORDS], common[WORDS];
    bool known = true;
    uint32_t n = tuple->n_words;

    for (uint32_t i = 0; i < n; i++) {
        uint32_t w = tuple->words[i];

        values[i] = key[w] & tuple->mask[w];
        common[i] = mask[w] & tuple->mask[w];
        known &= common[i] == tuple->mask[w];
    }
    if (known) {
        uint32_t slot = *find_slot(tuple, values);

        return slot && tuple->priorities[slot - 1] >= priority;
    }
    if (tuple->n > COMPARE_MAX)
        return true;
    for (uint32_t r = 0; r < tuple->n; r++) {
        uint64_t differs = 0;

        for (uint32_t i = 0; i < n; i++)
            differs |= (values[i] ^ tuple->values[(size_t)r * n + i]) & common[i];
        if (!differs && tuple->priorities[r] >= priority)
            return true;
    }
    return false;
}

bool change_batch_hits(const struct change_batch *batch, const struct path *path, const struct flow_key *key,
                       const struct flow_key *mask, uint32_t in_port)
{
    uint64_t key_words[WORDS], mask_words[WORDS];

    memcpy(key_words, key, sizeof *key);
    memcpy(mask_words, mask, sizeof *mask);
    key_words[IN_PORT_WORD] = in_port;
    mask_words[IN_PORT_WORD] = UINT32_MAX;
    for (uint32_t i = 0; i < path->n_visits; i++) {
        const struct xlate_visit visit = path->visits[i];
        const struct batch_table *table = visit_table(batch, path->bridges[visit.bridge], &visit);
        uint16_t priority = visit.has_rule ? visit.priority : 0;

        for (uint32_t t = 0; table && t < table->n_tuples; t++) {
            if (table->tuples[t].max_priority >= priority &&
                tuple_meets(&table->tuples[t], priority, key_words, mask_words))
                return true;
        }
    }
    return false;
}
