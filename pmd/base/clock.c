#include "pmd/base/clock.h"

#include <stddef.h>
#include <time.h>

static clock_source_fn *source;

void clock_set_source(clock_source_fn *now_us)
{
    source = now_us;
}

uint64_t clock_now_us(void)
{
    struct timespec now;

    if (source)
        return source();
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

uint64_t clock_now_ms(void)
{
    return clock_now_us() / 1000;
}
