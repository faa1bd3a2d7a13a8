/* A token bucket for messages of one kind on one connection: `rate` a second in the long run, `burst` at once.
 * Control thread. */
#ifndef SRC_OPENFLOW_SERVER_RATE_LIMIT_H
#define SRC_OPENFLOW_SERVER_RATE_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

#define OF_RATE_UNIT 1000u /* of a token, so that a millisecond brings whole ones at any rate */

struct of_rate_limit {
    uint64_t tokens; /* thousandths */
    uint64_t filled_ms;
};

/* Full. `rate` 0 = no limit. */
static inline void of_rate_limit_init(struct of_rate_limit *limit, uint32_t burst, uint64_t now_ms)
{
    limit->tokens = (uint64_t)burst * OF_RATE_UNIT;
    limit->filled_ms = now_ms;
}

/* Takes one. False: too many. */
static inline bool of_rate_limit_take(struct of_rate_limit *limit, uint32_t rate, uint32_t burst, uint64_t now_ms)
{
    uint64_t most = (uint64_t)burst * OF_RATE_UNIT;
    uint64_t passed_ms = now_ms > limit->filled_ms ? now_ms - limit->filled_ms : 0;

    if (!rate)
        return true;
    limit->filled_ms = now_ms;
    if (passed_ms >= most / rate)
        limit->tokens = most;
    else if ((limit->tokens += passed_ms * rate) > most)
        limit->tokens = most;
    if (limit->tokens < OF_RATE_UNIT)
        return false;
    limit->tokens -= OF_RATE_UNIT;
    return true;
}

#endif
