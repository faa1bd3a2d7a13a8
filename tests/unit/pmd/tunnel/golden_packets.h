/* The packets that golden.py made. */
#ifndef TESTS_UNIT_GOLDEN_PACKETS_H
#define TESTS_UNIT_GOLDEN_PACKETS_H

#include "pmd/tunnel.h"

struct golden {
    const char *name;
    struct tunnel_out out;
    bool gpe; /* how a listener takes it */
    const uint8_t *inner, *outer, *popped;
    uint32_t inner_len, outer_len, popped_len;
    uint16_t lines;
    const uint8_t *values; /* of tun_metadata */
    uint32_t values_len;
};

#include "golden.h"

#define FOR_EACH_GOLDEN(g) for (const struct golden *g = goldens; g < goldens + RTE_DIM(goldens); g++)

#endif
