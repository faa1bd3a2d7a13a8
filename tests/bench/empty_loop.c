/* What a machine itself takes from a poll loop: turns of a loop that does nothing but read the clock.
 *
 *   empty_loop CORE SECONDS
 *
 * Prints the longest turn, the longest without what others got of the core (by the kernel's account of the thread's
 * time, as `sluicectl pmd` does), and how many were longer than 50 us so. What is left is the host's or the
 * interrupts'.
 */
#include <rte_common.h>
#include <rte_cycles.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define SUSPECT_US 10
#define LONG_US 50

static uint64_t ns_of(clockid_t clock)
{
    struct timespec time;

    clock_gettime(clock, &time);
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

static double cycles_per_us(void)
{
    struct timespec wait = {.tv_nsec = 100000000};
    uint64_t tsc = rte_rdtsc(), ns = ns_of(CLOCK_MONOTONIC);

    nanosleep(&wait, NULL);
    return (double)(rte_rdtsc() - tsc) * 1000 / (double)(ns_of(CLOCK_MONOTONIC) - ns);
}

int main(int argc, char **argv)
{
    cpu_set_t cores;

    if (argc != 3 || atof(argv[2]) <= 0) {
        fprintf(stderr, "empty_loop: arguments: CORE SECONDS\n");
        return 2;
    }
    CPU_ZERO(&cores);
    CPU_SET((size_t)atoi(argv[1]), &cores);
    if (sched_setaffinity(0, sizeof cores, &cores) != 0) {
        perror("empty_loop: core");
        return 1;
    }

    double per_us = cycles_per_us(), longest = 0, longest_own = 0;
    uint64_t mark = rte_rdtsc(), mark_ns = ns_of(CLOCK_THREAD_CPUTIME_ID), last = mark;
    uint64_t end = mark + (uint64_t)(atof(argv[2]) * per_us * 1e6);
    unsigned n_long = 0;

    while (last < end) {
        uint64_t now = rte_rdtsc();
        double turn = (double)(now - last) / per_us;

        if (turn > SUSPECT_US || (double)(now - mark) / per_us > 1000) {
            uint64_t tsc = rte_rdtsc(), ns = ns_of(CLOCK_THREAD_CPUTIME_ID);
            double away = (double)(tsc - mark) / per_us - (double)(ns - mark_ns) / 1000;
            double own = turn - RTE_MAX(away, 0.0);

            mark = tsc;
            mark_ns = ns;
            longest = RTE_MAX(longest, turn);
            longest_own = RTE_MAX(longest_own, own);
            n_long += own > LONG_US;
            now = rte_rdtsc();
        }
        last = now;
    }
    printf("longest %.0f us, own %.0f us, %u turns of more than %u us own\n", longest, longest_own, n_long, LONG_US);
    return 0;
}
