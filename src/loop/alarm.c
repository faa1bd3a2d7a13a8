#include "src/loop/alarm.h"

#include <event2/event.h>
#include <rte_common.h>
#include <rte_cycles.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define SHORTEST_US 1 /* 0 would stop the kernel's timer */
#define LONGEST_US UINT64_C(3600000000)

static void on_alarm(evutil_socket_t fd, short what, void *arg)
{
    struct alarm *alarm = arg;
    uint64_t times;

    if (read(fd, &times, sizeof times) < 0)
        return;
    alarm->is_set = false;
    event_base_loopbreak(alarm->base);
}

int alarm_init(struct alarm *alarm, struct event_base *base)
{
    *alarm = (struct alarm){.base = base, .fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC)};
    if (alarm->fd < 0)
        return -1;
    alarm->event = event_new(base, alarm->fd, EV_READ | EV_PERSIST, on_alarm, alarm);
    return alarm->event && !event_add(alarm->event, NULL) ? 0 : -1;
}

void alarm_fini(struct alarm *alarm)
{
    if (alarm->event)
        event_free(alarm->event);
    if (alarm->fd >= 0)
        close(alarm->fd);
}

void alarm_within(struct alarm *alarm, uint64_t us)
{
    us = RTE_MAX(RTE_MIN(us, LONGEST_US), (uint64_t)SHORTEST_US);
    uint64_t end_tsc = rte_rdtsc() + us * (rte_get_tsc_hz() / 1000000);
    if (alarm->is_set && alarm->end_tsc <= end_tsc)
        return;
    const struct itimerspec time = {
        .it_value = {.tv_sec = (time_t)(us / 1000000), .tv_nsec = (long)(us % 1000000) * 1000}};
    alarm->is_set = timerfd_settime(alarm->fd, 0, &time, NULL) == 0;
    alarm->end_tsc = end_tsc;
}
