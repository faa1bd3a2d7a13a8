/* How long to wait before the next attempt: 1 s, doubled by each failure up to a maximum. Control thread. */
#ifndef SRC_NET_BACKOFF_H
#define SRC_NET_BACKOFF_H

#include <stdint.h>

#define BACKOFF_MIN_MS 1000u
#define BACKOFF_MAX_MS 8000u

struct backoff {
    uint32_t next_ms, max_ms;
};

/* `max_ms` 0 = BACKOFF_MAX_MS. Also after a success. */
static inline void backoff_init(struct backoff *backoff, uint32_t max_ms)
{
    backoff->max_ms = max_ms ? max_ms : BACKOFF_MAX_MS;
    backoff->next_ms = BACKOFF_MIN_MS < backoff->max_ms ? BACKOFF_MIN_MS : backoff->max_ms;
}

/* Milliseconds to wait now. */
static inline uint32_t backoff_next(struct backoff *backoff)
{
    uint32_t ms = backoff->next_ms;

    backoff->next_ms = ms > backoff->max_ms / 2 ? backoff->max_ms : ms * 2;
    return ms;
}

#endif
