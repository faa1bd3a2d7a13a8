#include "pmd/drop.h"

static const struct {
    const char *name;
    const char *doc;
} reasons[DROP_N_REASONS] = {
#define X(symbol, name, doc) [symbol] = {name, doc},
    DROP_REASONS(X)
#undef X
};

const char *drop_reason_name(enum drop_reason reason)
{
    return (unsigned)reason < DROP_N_REASONS ? reasons[reason].name : "unknown";
}

const char *drop_reason_doc(enum drop_reason reason)
{
    return (unsigned)reason < DROP_N_REASONS ? reasons[reason].doc : "not a drop reason";
}
