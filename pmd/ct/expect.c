#include "pmd/ct/expect.h"

#include <string.h>

bool expect_init(struct expect_table *table)
{
    if (!ct_memory_reserve(&table->memory, (size_t)EXPECT_SETS * EXPECT_WAYS * sizeof(struct expect_place)))
        return false;
    table->places = (struct expect_place *)(void *)table->memory.base;
    return true;
}

void expect_fini(struct expect_table *table)
{
    ct_memory_free(&table->memory);
}

static struct expect_place *set_of(const struct expect_table *table, uint64_t hash)
{
    return &table->places[(hash >> 32) % EXPECT_SETS * EXPECT_WAYS];
}

static bool is_over(uint32_t deadline, uint32_t now)
{
    return (int32_t)(now - deadline) > 0;
}

/* Reads the place. False: it is empty, out of date, or being written. */
static bool read_place(const struct expect_place *place, uint32_t now, struct expectation *found, uint32_t *version)
{
    uint64_t words[EXPECT_WORDS];
    uint32_t deadline;

    *version = __atomic_load_n(&place->version, __ATOMIC_ACQUIRE);
    if (*version == 0 || *version & 1)
        return false;
    deadline = __atomic_load_n(&place->deadline, __ATOMIC_RELAXED);
    for (unsigned i = 0; i < EXPECT_WORDS; i++)
        words[i] = __atomic_load_n(&place->words[i], __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    if (__atomic_load_n(&place->version, __ATOMIC_RELAXED) != *version || is_over(deadline, now))
        return false;
    memcpy(found, words, sizeof words);
    return true;
}

bool expect_find(const struct expect_table *table, const struct conn_key *key, uint64_t hash, uint32_t now,
                 struct expectation *found, struct expect_ticket *ticket)
{
    struct expect_place *set = set_of(table, hash);

    for (unsigned i = 0; i < EXPECT_WAYS; i++) {
        ticket->place = &set[i];
        if (read_place(&set[i], now, found, &ticket->version) && memcmp(&found->key, key, sizeof *key) == 0)
            return true;
    }
    return false;
}

/* The place is written by nobody else until its version is even again. */
static bool claim(struct expect_place *place, uint32_t version)
{
    const bool claimed =
        __atomic_compare_exchange_n(&place->version, &version, version + 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);

    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    return claimed;
}

static void release(struct expect_place *place, uint32_t version)
{
    /* Not 0, which is a place that was never used. */
    __atomic_store_n(&place->version, version + 2 != 0 ? version + 2 : 2, __ATOMIC_RELEASE);
}

/* The place to write to: that of the same key, one that is free, or the one that ends first. */
static struct expect_ticket place_for(const struct expect_table *table, const struct conn_key *key, uint64_t hash,
                                      uint32_t now)
{
    struct expect_place *set = set_of(table, hash);
    struct expect_ticket best = {0}, ticket;
    struct expectation there;
    uint32_t least = UINT32_MAX;

    if (expect_find(table, key, hash, now, &there, &ticket))
        return ticket;
    for (unsigned i = 0; i < EXPECT_WAYS; i++) {
        const uint32_t version = __atomic_load_n(&set[i].version, __ATOMIC_ACQUIRE);
        const uint32_t deadline = __atomic_load_n(&set[i].deadline, __ATOMIC_RELAXED);
        const uint32_t left = version == 0 || is_over(deadline, now) ? 0 : deadline - now + 1;

        if (version & 1 || (best.place && left >= least))
            continue;
        best = (struct expect_ticket){&set[i], version};
        least = left;
    }
    return best;
}

void expect_put(struct expect_table *table, const struct expectation *expectation, uint64_t hash, uint32_t now)
{
    const struct expect_ticket to = place_for(table, &expectation->key, hash, now);
    uint64_t words[EXPECT_WORDS];

    /* Another thread writes there: as if it had come later, and this one had made way. */
    if (!to.place || !claim(to.place, to.version))
        return;
    memcpy(words, expectation, sizeof words);
    __atomic_store_n(&to.place->deadline, now + EXPECT_SECONDS, __ATOMIC_RELAXED);
    for (unsigned i = 0; i < EXPECT_WORDS; i++)
        __atomic_store_n(&to.place->words[i], words[i], __ATOMIC_RELAXED);
    release(to.place, to.version);
    __atomic_store_n(&table->until, now + EXPECT_SECONDS, __ATOMIC_RELEASE);
}

void expect_take(struct expect_ticket ticket)
{
    const uint32_t deadline = __atomic_load_n(&ticket.place->deadline, __ATOMIC_RELAXED);

    if (!claim(ticket.place, ticket.version))
        return;
    __atomic_store_n(&ticket.place->deadline, deadline - EXPECT_SECONDS - 1, __ATOMIC_RELAXED); /* which is over */
    release(ticket.place, ticket.version);
}
