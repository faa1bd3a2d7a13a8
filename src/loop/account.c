#include "src/loop/account.h"

#include <rte_branch_prediction.h>
#include <rte_common.h>
#include <rte_cycles.h>
#include <time.h>

static uint64_t per_us(void)
{
    static uint64_t tsc;

    if (unlikely(tsc == 0))
        tsc = rte_get_tsc_hz() / 1000000;
    return tsc;
}

uint64_t tsc_to_us(uint64_t tsc)
{
    return tsc / per_us();
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
    if (tsc - moment->tsc >= (MOMENT_US + 1) * per_us())
        *moment = moment_now();
}

uint64_t moment_own_us(const struct moment *moment)
{
    return (thread_ns() - moment->own_ns) / 1000;
}

uint64_t account_note(struct loop_account *account, struct moment *moment, uint64_t start)
{
    uint64_t end = rte_rdtsc(), took = end - start, took_us, own_us;

    account->runs++;
    account->total_tsc += took;
    /* Most runs are short, and neither the longest nor asked about: they take no division. */
    if (took < (RTE_MIN(account->longest_own_us, MOMENT_US - UINT64_C(1)) + 1) * per_us())
        return end;
    own_us = took_us = tsc_to_us(took);
    if (took_us >= MOMENT_US) {
        own_us = RTE_MIN(took_us, moment_own_us(moment));
        *moment = moment_now();
    }
    account->longest_us = RTE_MAX(account->longest_us, took_us);
    account->longest_own_us = RTE_MAX(account->longest_own_us, own_us);
    return end;
}
