/* Connections that are expected, because the control connection of an application said so: those that begin at any port
 * of one address and go to a port of another are related to it.
 *
 * A table of fixed size for all threads, without locks: each place has a version, which is odd while the place is being
 * written. Where too many are expected, those that end first make way. Any thread.
 */
#ifndef PMD_CT_EXPECT_H
#define PMD_CT_EXPECT_H

#include <stdbool.h>
#include <stdint.h>

#include "pmd/ct/conn.h"
#include "pmd/ct/memory.h"

#define EXPECT_SECONDS 300
#define EXPECT_SETS 1024
#define EXPECT_WAYS 4

struct expectation {
    struct conn_key key;   /* of its first packet, but for the source port, which is 0 */
    struct conn_key reply; /* of the replies if it is translated, but for the destination port, which is 0 */
    uint64_t parent_hash;  /* of the first tuple of the connection that said so; tells it from others of its number */
    uint32_t parent;
    uint32_t flags; /* CONN_SNAT or CONN_DNAT; 0: it is not translated */
};
#define EXPECT_WORDS (sizeof(struct expectation) / 8)
_Static_assert(sizeof(struct expectation) == 112, "without padding, in words");

struct expect_place {
    uint32_t version, deadline; /* version 0: never used */
    uint64_t words[EXPECT_WORDS];
    uint64_t zero;
};
_Static_assert(sizeof(struct expect_place) == 128, "two lines");

struct expect_table {
    struct ct_memory memory;
    struct expect_place *places;
    uint32_t until; /* seconds; past it nothing is expected */
};

/* Where one was found. */
struct expect_ticket {
    struct expect_place *place;
    uint32_t version;
};

/* Control thread. False: out of memory. */
bool expect_init(struct expect_table *table);
void expect_fini(struct expect_table *table);
/* Any thread. `hash`: of the key. `now`: seconds, as in ct_run(). True: fills in what is expected, and a ticket with
 * which it may be taken. */
bool expect_find(const struct expect_table *table, const struct conn_key *key, uint64_t hash, uint32_t now,
                 struct expectation *found, struct expect_ticket *ticket);
/* Expects it for EXPECT_SECONDS, in place of one with the same key, if there is one. */
void expect_put(struct expect_table *table, const struct expectation *expectation, uint64_t hash, uint32_t now);
/* It has come: it is expected no more. */
void expect_take(struct expect_ticket ticket);

#endif
