/* Lookups of a burst in the exact-match cache and in one tuple: the code that gains from wide vectors.
 *
 * One source, lookup_impl.h, compiled for several instruction sets; lookup_best() picks by CPUID at start. All variants
 * give the same answers; the unit tests run over every one that the CPU has. Poll-mode threads.
 */
#ifndef PMD_CACHE_LOOKUP_H
#define PMD_CACHE_LOOKUP_H

#include <stdbool.h>
#include <stdint.h>

#include "pmd/cache/emc.h"
#include "pmd/cache/megaflow.h"
#include "pmd/cache/tss.h"
#include "pmd/key.h"

#define LOOKUP_BURST_MAX 64

/* The packets of a burst; arrays indexed by packet. */
struct lookup {
    struct megaflow_slot *slots;
    const struct megaflow *megaflows;
    struct megaflow_counters *counters; /* prefetched for writing when a megaflow is found; may be NULL */
    const struct flow_key *keys;
    const uint8_t *n_lines;
    const uint32_t *hashes; /* for the exact-match cache */
    struct megaflow_slot **found;
};

struct lookup_ops {
    const char *name;
    bool (*supported)(void);
    /* Those of the first `n` packets that `slot` matches. */
    uint64_t (*same)(const struct lookup *lookup, const struct megaflow_slot *slot, unsigned n);
    /* Those whose key's first line `slot` matches, whatever is behind it. */
    uint64_t (*same_line)(const struct lookup *lookup, const struct megaflow_slot *slot, unsigned n);
    /* Those of the first `n` packets that guess[i] matches (NULL: none), with found[] filled in. */
    uint64_t (*guessed)(const struct lookup *lookup, struct megaflow_slot *const *guess, unsigned n);
    /* Look for the packets in the bit set `todo`; return those that were found, found[] filled in. */
    uint64_t (*emc)(const struct lookup *lookup, struct emc *emc, uint64_t todo);
    uint64_t (*tuple)(const struct lookup *lookup, const struct tuple *tuple, uint64_t todo);
    /* Each packet in a tuple of its own. */
    uint64_t (*tuples)(const struct lookup *lookup, const struct tuple *const *tuples, uint64_t todo);
};

/* All of them, the fastest first, whether the CPU has them or not; NULL behind the last. */
extern const struct lookup_ops *const lookup_variants[];
/* The fastest that this CPU has. */
const struct lookup_ops *lookup_best(void);

#define FOR_EACH_BIT(i, set)                                                                                           \
    for (uint64_t bits_ = (set), i; bits_ != 0 && (i = (uint64_t)__builtin_ctzll(bits_), 1); bits_ &= bits_ - 1)

#endif
