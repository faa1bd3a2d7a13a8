/* Which rules a loose flow_mod, a dump or an aggregate is about. Control thread only. */
#ifndef SRC_TABLES_SELECT_H
#define SRC_TABLES_SELECT_H

#include <stdbool.h>

#include "src/tables/pipeline.h"
#include "src/tables/subtable.h"

struct selector {
    struct minimatch *match; /* NULL: any */
    uint64_t cookie, cookie_mask;
    uint32_t out_port, out_group;
    bool hidden;     /* the switch's own rules instead of the others */
    bool hidden_too; /* all */
};

/* `filter` is copied; its table_id is left to the caller. */
void selector_init(struct selector *selector, const struct rule_filter *filter, bool hidden);
void selector_free(struct selector *selector);
/* Cookie, actions and hiddenness, not the match. */
bool selector_takes_attributes(const struct selector *selector, const struct rule *rule);
/* May any rule with this mask be as narrow as the selector's match? */
bool selector_takes_mask(const struct selector *selector, const struct minimask *mask);
/* Everything; the mask must have been taken. */
bool selector_takes(const struct selector *selector, const struct rule *rule);

#endif
