#include "pmd/tunnel/table.h"

#include <errno.h>
#include <rte_branch_prediction.h>
#include <rte_debug.h>
#include <stdlib.h>
#include <string.h>

#include "pmd/base/hash.h"

#define CLAIM_WORDS (sizeof(struct tunnel_claim) / 8)
/* What tunnels leave open, as digits of a number, so that the most specific come first: the key; the remote address;
 * the local one, in three ways; the payload. */
#define LOCALS 3
#define CLASSES (2 * 2 * LOCALS * 2)
#define SLOTS_MIN 16
#define OPTION_SLOTS 256 /* a power of two, at least twice the options of a key */

_Static_assert(sizeof(struct tunnel_claim) % 8 == 0, "whole words");

struct entry {
    struct tunnel_claim claim; /* what is left open is 0 */
    uint32_t class;
    uint32_t index;
};

/* Open addressing. A slot of an entry that was removed keeps `gone`, which nothing matches. */
struct slots {
    uint32_t mask; /* number of slots - 1 */
    uint32_t used; /* of them, those of removed entries included */
    struct entry *slot[];
};

struct tunnel_options {
    uint8_t place[OPTION_SLOTS]; /* 1 + its place in options[] */
    unsigned n;
    struct tunnel_option options[];
};

struct tunnel_table {
    /* Read by poll-mode threads. */
    struct slots *classes[CLASSES]; /* NULL: it never had one */
    struct tunnel_options *options;
    uint32_t generation; /* counts changes */

    /* Control thread. */
    struct rcu *rcu;
    struct slots *by_index;
    uint32_t n_class[CLASSES], n;
};

static struct entry gone;

/* --- tables of pointers -------------------------------------------------- */

static uint32_t claim_hash(const struct tunnel_claim *claim)
{
    uint64_t words[CLAIM_WORDS], hash = HASH_BASIS;

    memcpy(words, claim, sizeof words);
    for (unsigned i = 0; i < CLAIM_WORDS; i++)
        hash = hash_add(hash, words[i]);
    return hash_finish(hash);
}

static uint32_t index_hash(uint32_t index)
{
    return hash_finish(hash_add(HASH_BASIS, index));
}

static uint32_t hash_of(const struct entry *entry, bool by_index)
{
    return by_index ? index_hash(entry->index) : claim_hash(&entry->claim);
}

/* There is room. */
static void slots_put(struct slots *slots, struct entry *entry, uint32_t hash)
{
    uint32_t at = hash & slots->mask;

    while (slots->slot[at])
        at = (at + 1) & slots->mask;
    __atomic_store_n(&slots->slot[at], entry, __ATOMIC_RELEASE);
    slots->used++;
}

/* Makes room for one more among `n`: half of the slots stay empty, so that searches end soon. False: no memory. */
static bool slots_make_room(struct tunnel_table *tunnels, struct slots **published, uint32_t n, bool by_index)
{
    struct slots *old = *published, *slots;
    uint32_t size = SLOTS_MIN;

    if (old && 2 * (old->used + 1) <= old->mask + 1)
        return true;
    while (size < 4 * (n + 1))
        size *= 2;
    slots = calloc(1, sizeof *slots + size * sizeof(struct entry *));
    if (!slots)
        return false;
    slots->mask = size - 1;
    for (uint32_t i = 0; old && i <= old->mask; i++) {
        if (old->slot[i] && old->slot[i] != &gone)
            slots_put(slots, old->slot[i], hash_of(old->slot[i], by_index));
    }
    __atomic_store_n(published, slots, __ATOMIC_RELEASE);
    if (old)
        rcu_defer(tunnels->rcu, free, old);
    return true;
}

/* The slot of an entry that is there. */
static struct entry **slots_place(struct slots *slots, const struct entry *entry, uint32_t hash)
{
    uint32_t at = hash & slots->mask;

    while (slots->slot[at] != entry)
        at = (at + 1) & slots->mask;
    return &slots->slot[at];
}

static bool claims_equal(const struct tunnel_claim *a, const struct tunnel_claim *b)
{
    uint64_t x[CLAIM_WORDS], y[CLAIM_WORDS], differ = 0;

    memcpy(x, a, sizeof x);
    memcpy(y, b, sizeof y);
    for (unsigned i = 0; i < CLAIM_WORDS; i++)
        differ |= x[i] ^ y[i];
    return differ == 0;
}

static const struct entry *slots_find(const struct slots *slots, const struct tunnel_claim *claim)
{
    const struct entry *entry;

    for (uint32_t at = claim_hash(claim) & slots->mask;
         (entry = __atomic_load_n(&slots->slot[at], __ATOMIC_ACQUIRE)) != NULL; at = (at + 1) & slots->mask) {
        if (entry != &gone && claims_equal(&entry->claim, claim))
            return entry;
    }
    return NULL;
}

static uint32_t class_of(const struct tunnel_in *in)
{
    const uint32_t local = (uint32_t)in->any_local + (in->any_local && in->local_flow);

    return ((in->any_key * 2u + in->any_remote) * LOCALS + local) * 2 + (in->payload == TUNNEL_ANY);
}

static struct tunnel_claim claim_of_class(const struct tunnel_claim *claim, uint32_t class)
{
    struct tunnel_claim masked = *claim;

    if (class % 2 != 0)
        masked.payload = TUNNEL_ANY;
    if (class / 2 % LOCALS != 0)
        memset(masked.local, 0, sizeof masked.local);
    if (class / (2 * LOCALS) % 2 != 0)
        memset(masked.remote, 0, sizeof masked.remote);
    if (class / (4 * LOCALS) != 0)
        masked.key = 0;
    return masked;
}

/* --- control thread ------------------------------------------------------ */

struct tunnel_table *tunnel_table_create(struct rcu *rcu)
{
    struct tunnel_table *tunnels = calloc(1, sizeof *tunnels);

    if (tunnels) {
        tunnels->rcu = rcu;
        tunnels->generation = 1;
    }
    return tunnels;
}

void tunnel_table_destroy(struct tunnel_table *tunnels)
{
    if (!tunnels)
        return;
    for (uint32_t i = 0; tunnels->by_index && i <= tunnels->by_index->mask; i++) {
        if (tunnels->by_index->slot[i] != &gone)
            free(tunnels->by_index->slot[i]);
    }
    free(tunnels->by_index);
    for (unsigned i = 0; i < CLASSES; i++)
        free(tunnels->classes[i]);
    free(tunnels->options);
    free(tunnels);
}

static void changed(struct tunnel_table *tunnels)
{
    __atomic_store_n(&tunnels->generation, tunnels->generation + 1, __ATOMIC_RELEASE);
    rcu_touch(tunnels->rcu);
}

int tunnel_table_add(struct tunnel_table *tunnels, const struct tunnel_in *in, uint32_t index)
{
    const uint32_t class = class_of(in);
    struct tunnel_claim claim = {
        .key = in->has_key ? in->key : 0, .udp_port = in->udp_port, .type = in->type, .payload = in->payload};
    struct entry *entry;

    memcpy(claim.remote, in->remote, sizeof claim.remote);
    memcpy(claim.local, in->local, sizeof claim.local);
    claim = claim_of_class(&claim, class);
    if (tunnels->classes[class] && slots_find(tunnels->classes[class], &claim))
        return -EEXIST;
    if (!slots_make_room(tunnels, &tunnels->by_index, tunnels->n, true) ||
        !slots_make_room(tunnels, &tunnels->classes[class], tunnels->n_class[class], false))
        return -ENOMEM;
    entry = malloc(sizeof *entry);
    if (!entry)
        return -ENOMEM;
    *entry = (struct entry){.claim = claim, .class = class, .index = index};
    slots_put(tunnels->by_index, entry, index_hash(index));
    slots_put(tunnels->classes[class], entry, claim_hash(&claim));
    tunnels->n++;
    tunnels->n_class[class]++;
    changed(tunnels);
    return 0;
}

static struct entry *find_index(const struct slots *slots, uint32_t index)
{
    if (!slots)
        return NULL;
    for (uint32_t at = index_hash(index) & slots->mask; slots->slot[at]; at = (at + 1) & slots->mask) {
        if (slots->slot[at] != &gone && slots->slot[at]->index == index)
            return slots->slot[at];
    }
    return NULL;
}

void tunnel_table_remove(struct tunnel_table *tunnels, uint32_t index)
{
    struct entry *entry = find_index(tunnels->by_index, index);

    if (!entry)
        return;
    *slots_place(tunnels->by_index, entry, index_hash(index)) = &gone;
    __atomic_store_n(slots_place(tunnels->classes[entry->class], entry, claim_hash(&entry->claim)), &gone,
                     __ATOMIC_RELEASE);
    tunnels->n--;
    tunnels->n_class[entry->class]--;
    changed(tunnels);
    rcu_defer(tunnels->rcu, free, entry);
}

static uint32_t option_slot(uint16_t class, uint8_t type)
{
    return ((uint32_t) class << 8 | type) * UINT32_C(0x9e3779b1) >> 24;
}

int tunnel_table_set_options(struct tunnel_table *tunnels, const struct tunnel_option *options, unsigned n)
{
    struct tunnel_options *old = tunnels->options, *new = NULL;

    RTE_VERIFY(n <= TUN_METADATA_LEN / 4);
    if (n > 0) {
        new = calloc(1, sizeof *new + n * sizeof *options);
        if (!new)
            return -ENOMEM;
        new->n = n;
        memcpy(new->options, options, n * sizeof *options);
        for (unsigned i = 0; i < n; i++) {
            uint32_t at = option_slot(options[i].class, options[i].type);

            while (new->place[at] != 0)
                at = (at + 1) % OPTION_SLOTS;
            new->place[at] = (uint8_t)(i + 1);
        }
    }
    __atomic_store_n(&tunnels->options, new, __ATOMIC_RELEASE);
    changed(tunnels);
    if (old)
        rcu_defer(tunnels->rcu, free, old);
    return 0;
}

/* --- poll-mode threads --------------------------------------------------- */

uint32_t tunnel_table_generation(const struct tunnel_table *table)
{
    return __atomic_load_n(&table->generation, __ATOMIC_ACQUIRE);
}

uint32_t tunnel_table_find(const struct tunnel_table *tunnels, struct tunnel_memo *memo,
                           const struct tunnel_claim *claim)
{
    const uint32_t generation = __atomic_load_n(&tunnels->generation, __ATOMIC_ACQUIRE);

    if (likely(memo->generation == generation && claims_equal(&memo->claim, claim)))
        return memo->index;
    for (uint32_t class = 0; class < CLASSES; class ++) {
        const struct slots *slots = __atomic_load_n(&tunnels->classes[class], __ATOMIC_ACQUIRE);
        struct tunnel_claim masked;
        const struct entry *entry;

        if (!slots)
            continue;
        masked = claim_of_class(claim, class);
        entry = slots_find(slots, &masked);
        if (entry) {
            *memo = (struct tunnel_memo){.claim = *claim, .generation = generation, .index = entry->index};
            return entry->index;
        }
    }
    return 0;
}

const struct tunnel_options *tunnel_table_options(const struct tunnel_table *tunnels)
{
    return __atomic_load_n(&tunnels->options, __ATOMIC_ACQUIRE);
}

const struct tunnel_option *tunnel_options_find(const struct tunnel_options *options, uint16_t class, uint8_t type)
{
    if (!options)
        return NULL;
    for (uint32_t at = option_slot(class, type); options->place[at] != 0; at = (at + 1) % OPTION_SLOTS) {
        const struct tunnel_option *option = &options->options[options->place[at] - 1];

        if (option->class == class && option->type == type)
            return option;
    }
    return NULL;
}
