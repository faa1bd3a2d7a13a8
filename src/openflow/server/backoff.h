/* How long to wait before the next attempt: 1 s, doubled by each failure up to a maximum. Control thread. */
#ifndef SRC_OPENFLOW_SERVER_BACKOFF_H
#define SRC_OPENFLOW_SERVER_BACKOFF_H

#include <stdint.h>

#define OF_BACKOFF_MIN_MS 1000u
#define OF_BACKOFF_MAX_MS 8000u

struct of_backoff {
    uint32_t next_ms, max_ms;
};

/* `max_ms` 0 = OF_BACKOFF_MAX_MS. Also after a success. */
static inline void of_backoff_init(struct of_backoff *backoff, uint32_t max_ms)
{
    backoff->max_ms = max_ms ? max_ms : OF_BACKOFF_MAX_MS;
    backoff->next_ms = OF_BACKOFF_MIN_MS < backoff->max_ms ? OF_BACKOFF_MIN_MS : backoff->max_ms;
}

/* Milliseconds to wait now. */
static inline uint32_t of_backoff_next(struct of_backoff *backoff)
{
    uint32_t ms = backoff->next_ms;

    backoff->next_ms = ms > backoff->max_ms / 2 ? backoff->max_ms : ms * 2;
    return ms;
}

#endif
