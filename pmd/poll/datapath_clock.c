/* The clock of timeouts; on its own so that tests can bring another. */
#include <time.h>

#include "pmd/datapath.h"

uint64_t datapath_now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}
