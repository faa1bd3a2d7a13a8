#include <stdbool.h>
#include <stdint.h>

#define LOOKUP_OPS lookup_scalar
#define LOOKUP_NAME "scalar"

extern const struct lookup_ops LOOKUP_OPS;

static bool supported(void)
{
    return true;
}

static inline bool line_differs(const uint64_t *key, const uint64_t *mask, const uint64_t *want)
{
    uint64_t differ = 0;

    for (unsigned w = 0; w < 8; w++)
        differ |= (key[w] & mask[w]) ^ want[w];
    return differ != 0;
}

#include "pmd/lookup_impl.h"
