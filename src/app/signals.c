#include "src/app/signals.h"

#include <event2/buffer.h>
#include <event2/event.h>
#include <rte_common.h>
#include <signal.h>
#include <stdlib.h>

#include "pmd/base/log.h"
#include "src/app/switch.h"

struct signals {
    struct event *events[3];
};

static void on_end(evutil_socket_t number, short what, void *arg)
{
    struct sluice *sw = arg;

    LOG_INFO(LOG_MAIN, "%s: stopping", number == SIGTERM ? "SIGTERM" : "SIGINT");
    loop_stop(sw->loop);
}

static void on_hangup(evutil_socket_t number, short what, void *arg)
{
    struct evbuffer *report = evbuffer_new();

    LOG_INFO(LOG_MAIN, "SIGHUP: reading the configuration again");
    if (report) {
        switch_reload(arg, report, NULL, NULL);
        evbuffer_free(report);
    }
}

struct signals *signals_create(struct sluice *sw)
{
    static const struct {
        int number;
        event_callback_fn fn;
    } taken[] = {{SIGTERM, on_end}, {SIGINT, on_end}, {SIGHUP, on_hangup}};
    struct signals *signals = calloc(1, sizeof *signals);

    for (size_t i = 0; signals && i < RTE_DIM(taken); i++) {
        signals->events[i] = evsignal_new(loop_base(sw->loop), taken[i].number, taken[i].fn, sw);
        if (signals->events[i] && !event_add(signals->events[i], NULL))
            continue;
        signals_destroy(signals);
        return NULL;
    }
    return signals;
}

void signals_destroy(struct signals *signals)
{
    if (!signals)
        return;
    for (size_t i = 0; i < RTE_DIM(signals->events); i++)
        if (signals->events[i])
            event_free(signals->events[i]);
    free(signals);
}
