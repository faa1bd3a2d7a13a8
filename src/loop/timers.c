#include "src/loop/timers.h"

#include <stdbool.h>
#include <stdlib.h>

#include "pmd/base/memory.h"

#define ROOM_AT_FIRST 64

static bool earlier(const struct timer *a, const struct timer *b)
{
    return a->due_us != b->due_us ? a->due_us < b->due_us : a->order < b->order;
}

static void put(struct timers *timers, uint32_t place, struct timer *timer)
{
    timers->heap[place] = timer;
    timer->place = place;
}

/* Moves the timer up from `place` to where it belongs. */
static void rise(struct timers *timers, uint32_t place, struct timer *timer)
{
    for (; place > 1 && earlier(timer, timers->heap[place / 2]); place /= 2)
        put(timers, place, timers->heap[place / 2]);
    put(timers, place, timer);
}

/* As rise(), down. */
static void sink(struct timers *timers, uint32_t place, struct timer *timer)
{
    for (uint32_t child; (child = 2 * place) <= timers->n; place = child) {
        if (child < timers->n && earlier(timers->heap[child + 1], timers->heap[child]))
            child++;
        if (!earlier(timers->heap[child], timer))
            break;
        put(timers, place, timers->heap[child]);
    }
    put(timers, place, timer);
}

static void make_room(struct timers *timers)
{
    if (timers->n + 1 < timers->room)
        return;
    timers->room = timers->room ? 2 * timers->room : ROOM_AT_FIRST;
    timers->heap = realloc(timers->heap, timers->room * sizeof *timers->heap);
    if (!timers->heap)
        out_of_memory("timers", timers->room * sizeof *timers->heap);
}

void timers_set(struct timers *timers, struct timer *timer, uint64_t due_us)
{
    timers_cancel(timers, timer);
    make_room(timers);
    timer->due_us = due_us;
    timer->order = timers->order++;
    rise(timers, ++timers->n, timer);
}

void timers_cancel(struct timers *timers, struct timer *timer)
{
    uint32_t place = timer->place;

    if (!place)
        return;
    struct timer *last = timers->heap[timers->n--];
    timer->place = 0;
    if (last == timer)
        return;
    if (place > 1 && earlier(last, timers->heap[place / 2]))
        rise(timers, place, last);
    else
        sink(timers, place, last);
}

struct timer *timers_pop(struct timers *timers, uint64_t now_us)
{
    struct timer *first = timers->n ? timers->heap[1] : NULL;

    if (!first || first->due_us > now_us)
        return NULL;
    timers_cancel(timers, first);
    return first;
}

uint64_t timers_next_us(const struct timers *timers)
{
    return timers->n ? timers->heap[1]->due_us : UINT64_MAX;
}

void timers_fini(struct timers *timers)
{
    free(timers->heap);
    *timers = (struct timers){0};
}
