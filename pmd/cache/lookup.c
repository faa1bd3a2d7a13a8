#include "pmd/cache/lookup.h"

#include <stddef.h>

extern const struct lookup_ops lookup_scalar;
#ifdef LOOKUP_X86
extern const struct lookup_ops lookup_avx2, lookup_avx512;
#endif

static const struct lookup_ops *const variants[] = {
#ifdef LOOKUP_X86
    &lookup_avx512,
    &lookup_avx2,
#endif
    &lookup_scalar,
};

const struct lookup_ops *lookup_variant(unsigned i)
{
    return i < sizeof variants / sizeof variants[0] ? variants[i] : NULL;
}

const struct lookup_ops *lookup_best(void)
{
    unsigned i = 0;

    while (!variants[i]->supported())
        i++;
    return variants[i];
}
