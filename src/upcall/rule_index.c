#include "src/upcall/rule_index.h"

#include <rte_hash_crc.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "pmd/base/clock.h"
#include "pmd/cache/megaflow.h"
#include "src/match/minimatch.h"
#include "src/upcall/flows_impl.h"

/* More megaflows than this in the chains of one rule, or more rewriting paths: the sweep, which goes in slices, is the
 * better way. */
#define CHAIN_MAX 256
#define REWRITING_MAX 64
/* An index that was not used for so long goes, for a new one or at all. */
#define REPLACE_MS 1000
#define IDLE_MS 10000
#define COVERS_ALL UINT32_MAX

#define IN_PORT_WORD (offsetof(struct flow, in_port) / 8)
_Static_assert(offsetof(struct flow, in_port) % 8 == 0 && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "in_port is the low half of its word");
_Static_assert(offsetof(struct flow_key, in_port) == 0, "the port's index is the low half of word 0");

/* An added rule, in terms of the flow key. */
struct sought {
    struct bridge *bridge;
    uint8_t table_id;
    uint16_t priority;
    struct rule_index_mask mask;
    uint64_t values[RULE_INDEX_WORDS];
};

/* The rest of a match (metadata, registers) is taken to fit. False: it cannot be said of the flow key. */
static bool sought_init(struct sought *sought, struct bridge *bridge, const struct rule *rule)
{
    const struct minimask *mini = rule->match->mask;
    struct rule_index_mask *mask = &sought->mask;

    memset(sought, 0, sizeof *sought);
    sought->bridge = bridge;
    sought->table_id = rule->table_id;
    sought->priority = rule->priority;
    MINIMASK_FOR_EACH(word, i, mini)
    {
        uint32_t in_port = word == IN_PORT_WORD ? (uint32_t)mini->words[i] : 0;

        if (word < RULE_INDEX_WORDS) {
            mask->words[word] |= mini->words[i];
            sought->values[word] |= rule->match->values[i];
        } else if (in_port) {
            const struct bridge_port *bp = bridge_port_by_ofport(bridge, (uint32_t)rule->match->values[i]);

            if (in_port != UINT32_MAX || !bp || bridge_port_index(bp) == 0)
                return false;
            mask->words[0] |= UINT32_MAX;
            sought->values[0] |= bridge_port_index(bp);
        }
    }
    for (uint32_t w = 0; w < RULE_INDEX_WORDS; w++) {
        if (mask->words[w])
            mask->used[mask->n_used++] = (uint8_t)w;
    }
    return true;
}

static bool same_mask(const struct rule_index_mask *a, const struct rule_index_mask *b)
{
    return a->n_used == b->n_used && memcmp(a->words, b->words, sizeof a->words) == 0;
}

/* --- chains -------------------------------------------------------------- */

static uint32_t *head_of_record(const struct rule_index *index, const struct mf_record *record)
{
    const struct rule_index_mask *mask = &index->mask;
    uint32_t hash = record->mask->hash;

    for (uint32_t i = 0; i < mask->n_used; i++)
        hash = rte_hash_crc_8byte(megaflow_key_word(record->mf, mask->used[i]) & mask->words[mask->used[i]], hash);
    return &index->heads[hash & (index->n_heads - 1)];
}

static uint32_t *head_of_rule(const struct rule_index *index, const struct sought *sought,
                              const struct mask_entry *tuple)
{
    const struct rule_index_mask *mask = &index->mask;
    const uint64_t *words = (const uint64_t *)&tuple->mask;
    uint32_t hash = tuple->hash;

    for (uint32_t i = 0; i < mask->n_used; i++)
        hash = rte_hash_crc_8byte(sought->values[mask->used[i]] & words[mask->used[i]], hash);
    return &index->heads[hash & (index->n_heads - 1)];
}

static void chain_in(struct rule_index *index, const struct mf_record *record)
{
    uint32_t *head = head_of_record(index, record);

    index->next[record->id] = *head;
    index->prev[record->id] = 0;
    if (*head)
        index->prev[*head - 1] = record->id + 1;
    *head = record->id + 1;
}

static void chain_out(struct rule_index *index, const struct mf_record *record)
{
    uint32_t next = index->next[record->id], prev = index->prev[record->id];

    if (next)
        index->prev[next - 1] = prev;
    if (prev)
        index->next[prev - 1] = next;
    else
        *head_of_record(index, record) = next;
}

static void index_free(struct rule_index *index)
{
    free(index->heads);
    free(index->next);
    free(index->prev);
    free(index);
}

static struct rule_index *index_create(const struct flows *flows, const struct rule_index_mask *mask)
{
    struct rule_index *index = calloc(1, sizeof *index);

    if (!index)
        return NULL;
    index->mask = *mask;
    index->n_heads = rte_align32pow2(RTE_MAX(flows->n_live, 1024u));
    index->heads = calloc(index->n_heads, sizeof *index->heads);
    index->next = calloc(flows->params.megaflow_limit, sizeof *index->next);
    index->prev = calloc(flows->params.megaflow_limit, sizeof *index->prev);
    if (index->heads && index->next && index->prev)
        return index;
    index_free(index);
    return NULL;
}

void rule_indexes_fini(struct flows *flows)
{
    while (flows->rule_indexes.n > 0)
        index_free(flows->rule_indexes.all[--flows->rule_indexes.n]);
}

/* --- an added rule ------------------------------------------------------- */

static struct rule_index *find(struct rule_indexes *indexes, const struct rule_index_mask *mask)
{
    for (uint32_t i = 0; i < indexes->n; i++) {
        if (same_mask(&indexes->all[i]->mask, mask))
            return indexes->all[i];
    }
    return NULL;
}

static void wish(struct rule_indexes *indexes, const struct rule_index_mask *mask, uint64_t serial)
{
    struct rule_index_wish *w;

    for (w = indexes->wishes; w < indexes->wishes + RULE_INDEXES; w++) {
        if (w->serial && same_mask(&w->mask, mask)) {
            w->again |= w->serial != serial;
            return;
        }
    }
    w = &indexes->wishes[indexes->wish_next++ % RULE_INDEXES];
    *w = (struct rule_index_wish){.mask = *mask, .serial = serial};
}

static uint32_t *rewritten_slot(struct rule_indexes *indexes, const struct bridge *bridge, uint8_t table_id)
{
    uint32_t hash = rte_hash_crc_8byte((uintptr_t)bridge, table_id);

    return &indexes->rewritten[hash & (REWRITTEN_SLOTS - 1)];
}

/* Was the rule's table looked up with nothing of higher priority found? `rewritten`: by lookups of packets that were
 * changed before, or else by the others. */
static bool may_win(const struct sought *sought, const struct path *path, bool rewritten)
{
    for (uint32_t i = 0; i < path->n_visits; i++) {
        const struct xlate_visit visit = path->visits[i];

        if (visit.table_id == sought->table_id && visit.rewritten == rewritten &&
            path->bridges[visit.bridge] == sought->bridge && (!visit.has_rule || visit.priority <= sought->priority))
            return true;
    }
    return false;
}

/* Is there a packet that both take? */
static bool meets(const struct sought *sought, const struct mf_record *record)
{
    const uint64_t *words = (const uint64_t *)&record->mask->mask;
    uint64_t differs = 0;

    for (uint32_t i = 0; i < sought->mask.n_used; i++) {
        uint32_t w = sought->mask.used[i];

        differs |= (megaflow_key_word(record->mf, w) ^ sought->values[w]) & sought->mask.words[w] & words[w];
    }
    return differs == 0;
}

static void mark_rewriting(struct flows *flows, const struct sought *sought)
{
    struct path *path;

    LIST_FOREACH (path, &flows->rule_indexes.rewriting, rewriting_node) {
        if (may_win(sought, path, true))
            path_mark(flows, path);
    }
}

static bool mark_chains(struct flows *flows, const struct rule_index *index, const struct sought *sought)
{
    uint32_t seen = 0;

    for (uint32_t t = 0; t < flows->masks.n; t++) {
        for (uint32_t id = *head_of_rule(index, sought, flows->masks.entries[t]); id; id = index->next[id - 1]) {
            struct mf_record *record = flows->records[id - 1];

            if (++seen > CHAIN_MAX)
                return false;
            if (meets(sought, record) && may_win(sought, record->path, false))
                record_mark(flows, record);
        }
    }
    return true;
}

bool rule_index_mark(struct flows *flows, struct bridge *bridge, const struct rule *rule, uint64_t serial)
{
    struct rule_indexes *indexes = &flows->rule_indexes;
    struct rule_index *index;
    struct sought sought;
    bool rewritten;

    if (flows->n_live == 0)
        return true;
    rewritten = *rewritten_slot(indexes, bridge, rule->table_id) > 0;
    if ((rewritten && indexes->n_rewriting > REWRITING_MAX) || !sought_init(&sought, bridge, rule))
        return false;
    index = find(indexes, &sought.mask);
    if (!index) {
        wish(indexes, &sought.mask, serial);
        return false;
    }
    index->used_ms = clock_now_ms();
    if (index->covered != COVERS_ALL || !mark_chains(flows, index, &sought))
        return false;
    if (rewritten)
        mark_rewriting(flows, &sought);
    flows->stats.rules_indexed++;
    return true;
}

/* --- megaflows come and go ----------------------------------------------- */

void rule_index_insert(struct flows *flows, const struct mf_record *record)
{
    for (uint32_t i = 0; i < flows->rule_indexes.n; i++) {
        if (record->id < flows->rule_indexes.all[i]->covered)
            chain_in(flows->rule_indexes.all[i], record);
    }
}

void rule_index_remove(struct flows *flows, const struct mf_record *record)
{
    for (uint32_t i = 0; i < flows->rule_indexes.n; i++) {
        if (record->id < flows->rule_indexes.all[i]->covered)
            chain_out(flows->rule_indexes.all[i], record);
    }
}

void rule_index_path(struct flows *flows, struct path *path, bool gone)
{
    struct rule_indexes *indexes = &flows->rule_indexes;
    bool rewriting = false;

    for (uint32_t i = 0; i < path->n_visits; i++) {
        const struct xlate_visit visit = path->visits[i];

        if (!visit.rewritten)
            continue;
        rewriting = true;
        *rewritten_slot(indexes, path->bridges[visit.bridge], visit.table_id) += gone ? UINT32_MAX : 1;
    }
    if (!rewriting)
        return;
    if (gone) {
        LIST_REMOVE(path, rewriting_node);
        indexes->n_rewriting--;
    } else {
        LIST_INSERT_HEAD(&indexes->rewriting, path, rewriting_node);
        indexes->n_rewriting++;
    }
}

/* --- built by sweeps, freed when idle ------------------------------------ */

/* Room for one more. False: all are in use. */
static bool make_room(struct rule_indexes *indexes, uint64_t now_ms)
{
    uint32_t oldest = 0;

    if (indexes->n < RULE_INDEXES)
        return true;
    for (uint32_t i = 1; i < indexes->n; i++) {
        if (indexes->all[i]->used_ms < indexes->all[oldest]->used_ms)
            oldest = i;
    }
    if (now_ms - indexes->all[oldest]->used_ms < REPLACE_MS)
        return false;
    index_free(indexes->all[oldest]);
    indexes->all[oldest] = indexes->all[--indexes->n];
    return true;
}

void rule_index_sweep_begin(struct flows *flows)
{
    struct rule_indexes *indexes = &flows->rule_indexes;
    uint64_t now_ms = clock_now_ms();

    for (struct rule_index_wish *w = indexes->wishes; w < indexes->wishes + RULE_INDEXES; w++) {
        struct rule_index *index;

        if (!w->again || !make_room(indexes, now_ms))
            continue;
        index = index_create(flows, &w->mask);
        if (!index)
            continue;
        index->used_ms = now_ms;
        indexes->all[indexes->n++] = index;
        w->serial = 0;
        w->again = false;
    }
}

void rule_index_sweep_to(struct flows *flows, uint32_t end)
{
    for (uint32_t i = 0; i < flows->rule_indexes.n; i++) {
        struct rule_index *index = flows->rule_indexes.all[i];

        if (index->covered == COVERS_ALL)
            continue;
        for (; index->covered < end; index->covered++) {
            if (flows->records[index->covered])
                chain_in(index, flows->records[index->covered]);
        }
    }
}

void rule_index_sweep_end(struct flows *flows)
{
    for (uint32_t i = 0; i < flows->rule_indexes.n; i++)
        flows->rule_indexes.all[i]->covered = COVERS_ALL;
}

/* One a call: with a million megaflows it is 12 MB that are given back. */
void rule_index_age(struct flows *flows, uint64_t now_ms)
{
    struct rule_indexes *indexes = &flows->rule_indexes;

    for (uint32_t i = 0; i < indexes->n; i++) {
        if (now_ms - indexes->all[i]->used_ms < IDLE_MS || indexes->all[i]->covered != COVERS_ALL)
            continue;
        index_free(indexes->all[i]);
        indexes->all[i] = indexes->all[--indexes->n];
        return;
    }
}

size_t rule_index_memory(const struct flows *flows)
{
    size_t bytes = 0;

    for (uint32_t i = 0; i < flows->rule_indexes.n; i++)
        bytes += sizeof(struct rule_index) + flows->rule_indexes.all[i]->n_heads * sizeof(uint32_t) +
                 2 * flows->id_end * sizeof(uint32_t);
    return bytes;
}
