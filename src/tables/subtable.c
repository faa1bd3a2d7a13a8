#include "src/tables/subtable.h"

#include <stdlib.h>
#include <string.h>

#include "pmd/base/hash.h"
#include "pmd/base/memory.h"

#define KEY_END(field) (offsetof(struct flow_key, field) + sizeof((struct flow_key *)0)->field)

/* Where a stage's run of bytes ends. Conntrack and tunnel fields count as metadata: they come from before this packet's
 * own headers. */
static const struct {
    uint16_t end;
    uint8_t stage;
} stage_runs[] = {
    {KEY_END(recirc_id), STAGE_METADATA}, /* in_port, recirc_id */
    {KEY_END(vlan_tci), STAGE_L2},
    {KEY_END(tcp_flags), STAGE_L4},
    {KEY_END(ipv4_dst), STAGE_L3},
    {KEY_END(tp_dst), STAGE_L4},
    {KEY_END(ip_frag), STAGE_L3},
    {KEY_END(zero1), STAGE_METADATA}, /* ct_state, zone and mark, pkt_mark, dp_hash */
    {KEY_END(ipv6_label), STAGE_L3},
    {KEY_END(zero2), STAGE_L2}, /* mpls_lse, pbb_isid, pbb_uca */
    {KEY_END(zero3), STAGE_METADATA},
    {KEY_END(nd_options_type), STAGE_L3},
    {sizeof(struct flow), STAGE_METADATA},
};

const struct trie_place trie_places[N_TRIES] = {
    [TRIE_IPV4_SRC] = {offsetof(struct flow, pkt.ipv4_src), 4, STAGE_L3},
    [TRIE_IPV4_DST] = {offsetof(struct flow, pkt.ipv4_dst), 4, STAGE_L3},
    [TRIE_IPV6_SRC] = {offsetof(struct flow, pkt.ipv6_src), 16, STAGE_L3},
    [TRIE_IPV6_DST] = {offsetof(struct flow, pkt.ipv6_dst), 16, STAGE_L3},
    [TRIE_TP_SRC] = {offsetof(struct flow, pkt.tp_src), 2, STAGE_L4},
    [TRIE_TP_DST] = {offsetof(struct flow, pkt.tp_dst), 2, STAGE_L4},
};

static void *resize(void *block, size_t n, size_t size)
{
    block = realloc(block, n * size);
    if (!block)
        out_of_memory("rules, groups and meters", 0);
    return block;
}

/* The stage that a byte of struct flow belongs to. */
static enum flow_stage stage_of(size_t offset)
{
    unsigned i = 0;

    while (offset >= stage_runs[i].end)
        i++;
    return stage_runs[i].stage;
}

/* The part of `mask`, the mask of `word`, that belongs to `stage`. */
static uint64_t stage_part(unsigned word, uint64_t mask, enum flow_stage stage)
{
    uint8_t bytes[8];

    memcpy(bytes, &mask, 8);
    for (unsigned i = 0; i < 8; i++) {
        if (stage_of(word * 8 + i) != stage)
            bytes[i] = 0;
    }
    memcpy(&mask, bytes, 8);
    return mask;
}

static void place_bytes(const struct trie_place *place, const uint64_t *values, const struct minimask *mask,
                        uint8_t out[16])
{
    for (unsigned i = 0; i < place->bytes; i++) {
        unsigned word = (place->offset + i) / 8;
        uint64_t bits = mask->map >> word & 1 ? values[minimask_index(mask, word)] : 0;

        out[i] = ((const uint8_t *)&bits)[(place->offset + i) % 8];
    }
}

void trie_place_value(const struct trie_place *place, const struct minimatch *match, uint8_t value[TRIE_VALUE_LEN])
{
    memset(value, 0, TRIE_VALUE_LEN);
    place_bytes(place, match->values, match->mask, value);
}

static unsigned leading_ones(const uint8_t *bytes, unsigned n)
{
    unsigned ones = 0;

    for (unsigned i = 0; i < n; i++) {
        if (bytes[i] != 0xff)
            return ones + (unsigned)__builtin_clz(~((unsigned)bytes[i] << 24));
        ones += 8;
    }
    return ones;
}

struct subtable *subtable_create(struct minimask *mask, uint64_t seq)
{
    /* A word takes part in at most N_STAGES stages. */
    struct subtable *subtable = calloc(1, sizeof *subtable + mask->n_words * N_STAGES * sizeof subtable->probes[0]);

    if (!subtable)
        out_of_memory("rules, groups and meters", 0);
    subtable->mask = minimask_ref(mask);
    subtable->seq = seq;

    for (unsigned stage = 0; stage < N_STAGES; stage++) {
        MINIMASK_FOR_EACH(word, i, mask)
        {
            uint64_t part = stage_part((unsigned)word, mask->words[i], stage);

            if (part != 0)
                subtable->probes[subtable->n_probes++] =
                    (struct subtable_probe){.mask = part, .word = (uint8_t)word, .place = (uint8_t)i};
        }
        subtable->stage_end[stage] = subtable->n_probes;
    }
    while (subtable->stage_end[subtable->last_stage] < subtable->n_probes)
        subtable->last_stage++;

    for (unsigned stage = 0, before = 0; stage < subtable->last_stage; before = subtable->stage_end[stage++])
        subtable->indexed[stage] = subtable->stage_end[stage] > before;
    for (unsigned i = 0; i < N_TRIES; i++) {
        uint8_t bytes[16];

        place_bytes(&trie_places[i], mask->words, mask, bytes);
        subtable->plens[i] = (uint8_t)leading_ones(bytes, trie_places[i].bytes);
    }

    size_t bytes = sizeof *subtable + subtable->n_probes * sizeof subtable->probes[0];

    subtable = resize(subtable, 1, bytes);
    TAILQ_INIT(&subtable->rules);
    return subtable;
}

void subtable_destroy(struct subtable *subtable)
{
    for (unsigned i = 0; i < N_STAGES - 1; i++)
        open_hash_free(&subtable->index[i], INDEX_TYPE);
    minimask_unref(subtable->mask);
    open_hash_free(&subtable->slots, SLOT_TYPE);
    free(subtable->priorities);
    free(subtable);
}

size_t subtable_memory(const struct subtable *subtable)
{
    size_t bytes = sizeof *subtable + subtable->n_probes * sizeof subtable->probes[0] +
                   open_hash_memory(&subtable->slots, SLOT_TYPE) +
                   subtable->priorities_size * sizeof subtable->priorities[0];

    for (unsigned i = 0; i < N_STAGES - 1; i++)
        bytes += open_hash_memory(&subtable->index[i], INDEX_TYPE);
    return bytes;
}

/* --- stage indices ------------------------------------------------------- */

static void index_add(struct open_hash *index, uint32_t hash)
{
    struct index_entry *entry = stage_index_find(index, hash);

    if (entry) {
        entry->count++;
        return;
    }
    entry = open_hash_insert(index, INDEX_TYPE, hash);
    *entry = (struct index_entry){.hash = hash, .count = 1};
}

static void index_remove(struct open_hash *index, uint32_t hash)
{
    struct index_entry *entry = stage_index_find(index, hash);

    if (entry->count > 1)
        entry->count--;
    else
        open_hash_remove(index, INDEX_TYPE, entry);
}

/* --- the hash table ------------------------------------------------------ */

/* Hashes by stage; returns the last one. */
static uint32_t hash_values(const struct subtable *subtable, const uint64_t *values, uint32_t stages[N_STAGES])
{
    uint64_t hash = HASH_BASIS;

    for (unsigned stage = 0, i = 0; stage <= subtable->last_stage; stage++) {
        for (; i < subtable->stage_end[stage]; i++)
            hash = hash_add(hash, values[subtable->probes[i].place] & subtable->probes[i].mask);
        stages[stage] = hash_finish(hash);
    }
    return stages[subtable->last_stage];
}

/* The slot with these values; NULL. */
static struct value_slot *slot_find(const struct subtable *subtable, const uint64_t *values, uint32_t hash)
{
    struct value_slot *slots;
    uint32_t mask;

    for (unsigned n = 0; (slots = open_hash_array(&subtable->slots, n, &mask)); n++) {
        for (uint32_t i = hash & mask; slots[i].head; i = (i + 1) & mask) {
            if (slots[i].hash == hash &&
                memcmp(slots[i].head->match->values, values, subtable->mask->n_words * sizeof values[0]) == 0)
                return &slots[i];
        }
    }
    return NULL;
}

/* --- priorities ---------------------------------------------------------- */

/* Place of the priority, or where it would go. */
static uint32_t priority_find(const struct subtable *subtable, uint16_t priority)
{
    uint32_t low = 0, high = subtable->n_priorities;

    while (low < high) {
        uint32_t mid = (low + high) / 2;

        if (subtable->priorities[mid].priority < priority)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

bool subtable_has_priority(const struct subtable *subtable, uint16_t priority)
{
    uint32_t i = priority_find(subtable, priority);

    return i < subtable->n_priorities && subtable->priorities[i].priority == priority;
}

static void priority_add(struct subtable *subtable, uint16_t priority)
{
    uint32_t i = priority_find(subtable, priority);

    if (i < subtable->n_priorities && subtable->priorities[i].priority == priority) {
        subtable->priorities[i].n_rules++;
        return;
    }
    if (subtable->n_priorities == subtable->priorities_size) {
        subtable->priorities_size = subtable->priorities_size == 0 ? 1 : subtable->priorities_size * 2;
        subtable->priorities = resize(subtable->priorities, subtable->priorities_size, sizeof *subtable->priorities);
    }
    memmove(&subtable->priorities[i + 1], &subtable->priorities[i],
            (subtable->n_priorities - i) * sizeof *subtable->priorities);
    subtable->priorities[i] = (struct priority_count){.priority = priority, .n_rules = 1};
    subtable->n_priorities++;
    subtable->max_priority = subtable->priorities[subtable->n_priorities - 1].priority;
}

static void priority_remove(struct subtable *subtable, uint16_t priority)
{
    uint32_t i = priority_find(subtable, priority);

    if (--subtable->priorities[i].n_rules > 0)
        return;
    subtable->n_priorities--;
    memmove(&subtable->priorities[i], &subtable->priorities[i + 1],
            (subtable->n_priorities - i) * sizeof *subtable->priorities);
    if (subtable->n_priorities > 0)
        subtable->max_priority = subtable->priorities[subtable->n_priorities - 1].priority;
}

/* --- rules --------------------------------------------------------------- */

bool subtable_insert(struct subtable *subtable, struct rule *rule)
{
    uint32_t stages[N_STAGES], hash = hash_values(subtable, rule->match->values, stages);
    struct value_slot *slot = slot_find(subtable, rule->match->values, hash);
    bool first = !slot;
    struct rule **link;

    if (first) {
        slot = open_hash_insert(&subtable->slots, SLOT_TYPE, hash);
        slot->hash = hash;
        for (unsigned i = 0; i < subtable->last_stage; i++) {
            if (subtable->indexed[i])
                index_add(&subtable->index[i], stages[i]);
        }
    }
    for (link = &slot->head; *link && rule_rank(*link) > rule_rank(rule);)
        link = &(*link)->classifier_next;
    rule->classifier_next = *link;
    *link = rule;
    TAILQ_INSERT_TAIL(&subtable->rules, rule, table_node);
    subtable->n_rules++;
    priority_add(subtable, rule->priority);
    return first;
}

bool subtable_remove(struct subtable *subtable, struct rule *rule)
{
    uint32_t stages[N_STAGES], hash = hash_values(subtable, rule->match->values, stages);
    struct value_slot *slot = slot_find(subtable, rule->match->values, hash);
    bool last = slot->head == rule && !rule->classifier_next;
    struct rule **link = &slot->head;

    TAILQ_REMOVE(&subtable->rules, rule, table_node);
    subtable->n_rules--;
    priority_remove(subtable, rule->priority);
    if (!last) {
        while (*link != rule)
            link = &(*link)->classifier_next;
        *link = rule->classifier_next;
        return false;
    }
    for (unsigned i = 0; i < subtable->last_stage; i++) {
        if (subtable->indexed[i])
            index_remove(&subtable->index[i], stages[i]);
    }
    open_hash_remove(&subtable->slots, SLOT_TYPE, slot);
    return true;
}

struct rule *subtable_find(const struct subtable *subtable, const uint64_t *values)
{
    uint32_t stages[N_STAGES];
    const struct value_slot *slot = slot_find(subtable, values, hash_values(subtable, values, stages));

    return !slot ? NULL : slot->head;
}

struct rule *subtable_find_wider(const struct subtable *subtable, const struct minimatch *match)
{
    uint64_t values[FLOW_WORDS];

    MINIMASK_FOR_EACH(word, i, subtable->mask)
    {
        values[i] = minimatch_word(match, (unsigned)word) & subtable->mask->words[i];
    }
    return subtable_find(subtable, values);
}
