/* Translation: actions that do nothing to a packet on its way through a list. */
#include "src/xlate/act_xlate_impl.h"

/* What does not look at the packet does not have it parsed again, either. */
const struct act_xlate act_xlate_note = {.sees = ACT_SEES_NOTHING};

/* The rule's counters are watched, not its packets. */
const struct act_xlate act_xlate_stat_trigger = {.sees = ACT_SEES_NOTHING};

/* Clauses are found by lookups; in a rule it is never run. */
const struct act_xlate act_xlate_conjunction = {.sees = ACT_SEES_ETHERNET};

/* There are no collectors. */
const struct act_xlate act_xlate_sample = {.sees = ACT_SEES_ETHERNET};
