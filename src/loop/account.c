#include "src/loop/account.h"

#include <rte_common.h>
#include <rte_cycles.h>
#include <time.h>

uint64_t tsc_to_us(uint64_t tsc)
{
    return tsc / (rte_get_tsc_hz() / 1000000);
}

uint64_t us_since(uint64_t tsc)
{
    return tsc_to_us(rte_rdtsc() - tsc);
}

static uint64_t thread_ns(void)
{
    struct timespec time;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

struct moment moment_now(void)
{
    return (struct moment){.tsc = rte_rdtsc(), .own_ns = thread_ns()};
}

void moment_follow(struct moment *moment, uint64_t tsc)
{
    if (tsc_to_us(tsc - moment->tsc) > MOMENT_US)
        *moment = moment_now();
}

uint64_t moment_own_us(const struct moment *moment)
{
    return (thread_ns() - moment->own_ns) / 1000;
}

uint64_t account_note(struct loop_account *account, struct moment *moment, uint64_t start)
{
    uint64_t end = rte_rdtsc(), took_us = tsc_to_us(end - start), own_us = took_us;

    if (took_us >= MOMENT_US) {
        own_us = RTE_MIN(took_us, moment_own_us(moment));
        *moment = moment_now();
    }
    account->runs++;
    account->total_tsc += end - start;
    account->longest_us = RTE_MAX(account->longest_us, took_us);
    account->longest_own_us = RTE_MAX(account->longest_own_us, own_us);
    return end;
}
