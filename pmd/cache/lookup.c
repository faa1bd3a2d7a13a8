#include "pmd/cache/lookup.h"

#include <stddef.h>

extern const struct lookup_ops lookup_scalar;
#ifdef LOOKUP_X86
extern const struct lookup_ops lookup_avx2, lookup_avx512;
#endif

const struct lookup_ops *const lookup_variants[] = {
#ifdef LOOKUP_X86
    &lookup_avx512,
    &lookup_avx2,
#endif
    &lookup_scalar,
    NULL,
};

const struct lookup_ops *lookup_best(void)
{
    unsigned i = 0;

    while (!lookup_variants[i]->supported())
        i++;
    return lookup_variants[i];
}
