/* Time that a thread spent on a core itself, for tests that bound it. Any thread. */
#ifndef TESTS_LIB_OWN_TIME_H
#define TESTS_LIB_OWN_TIME_H

#include <stdint.h>
#include <time.h>

/* How often a bound is taken: code under a sanitizer runs several times slower, and the bound is not about that. */
#ifdef __SANITIZE_ADDRESS__
#define OWN_TIME_FACTOR 10
#else
#define OWN_TIME_FACTOR 1
#endif

/* Of the calling thread since its start, in microseconds. */
static inline uint64_t own_us(void)
{
    struct timespec time;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return (uint64_t)time.tv_sec * 1000000 + (uint64_t)time.tv_nsec / 1000;
}

#endif
