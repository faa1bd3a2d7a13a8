/* Ends the looking at sockets after a time that is exact: a timer of the kernel's, on a descriptor that the event base
 * watches. Control thread.
 *
 * libevent's own timers take the time from a clock that moves every few milliseconds. An alarm that is set for a time
 * not later than the one wanted is left as it is, which costs a wake-up now and then and spares a system call each time
 * the loop sleeps. */
#ifndef SRC_LOOP_ALARM_H
#define SRC_LOOP_ALARM_H

#include <stdbool.h>
#include <stdint.h>

struct event;
struct event_base;

struct alarm {
    struct event_base *base;
    struct event *event;
    int fd;
    bool is_set;
    uint64_t end_tsc; /* when it goes off, if it is set */
};

/* Returns 0, or -1 with errno; alarm_fini() is due in any case. */
int alarm_init(struct alarm *alarm, struct event_base *base);
void alarm_fini(struct alarm *alarm);
/* event_base_loop() returns in `us` microseconds or before. */
void alarm_within(struct alarm *alarm, uint64_t us);

#endif
