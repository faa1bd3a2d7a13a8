/* The objects that were said, and the work list. What is done with a bridge is in apply_bridge.c, with a port in
 * apply_port.c. */
#define MEM_WHAT "bridges and ports"

#include "src/app/apply.h"

#include <rte_cycles.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pmd/base/log.h"
#include "pmd/base/mem.h"
#include "src/app/apply_impl.h"
#include "src/config/keys.h"

#define BUDGET_US 500 /* a turn */

/* --- listeners ----------------------------------------------------------- */

void apply_listen(struct apply *apply, struct apply_listener *listener)
{
    TAILQ_INSERT_TAIL(&apply->listeners, listener, node);
}

void apply_unlisten(struct apply *apply, struct apply_listener *listener)
{
    if (apply->next_listener == listener)
        apply->next_listener = TAILQ_NEXT(listener, node);
    TAILQ_REMOVE(&apply->listeners, listener, node);
}

void apply_result_text(const struct apply_result *result, char *text, size_t size)
{
    static const char *const words[] = {
        [APPLY_ADDED] = "added",
        [APPLY_REPLACED] = "replaced",
        [APPLY_CHANGED] = "changed",
        [APPLY_REMOVED] = "removed",
    };

    text[0] = '\0';
    if (result->error && result->object == APPLY_PORT)
        snprintf(text, size, "%s: port %s: %s", result->bridge, result->port, result->error);
    else if (result->error)
        snprintf(text, size, "%s%s%s", result->bridge, result->bridge[0] ? ": " : "", result->error);
    else if (result->change == APPLY_NONE)
        return;
    else if (result->object == APPLY_PORT)
        snprintf(text, size, "%s: %s port %s%s%s", result->bridge, words[result->change], result->port,
                 result->detail[0] ? ": " : "", result->detail);
    else if (result->change == APPLY_CHANGED)
        snprintf(text, size, "%s%s%s", result->bridge, result->bridge[0] ? ": " : "", result->detail);
    else
        snprintf(text, size, "%s: %s%s%s", result->bridge, words[result->change], result->detail[0] ? " " : "",
                 result->detail);
}

void apply_tell(struct apply *apply, const struct apply_result *result)
{
    struct apply_listener *listener;
    char text[1024];

    apply_result_text(result, text, sizeof text);
    if (result->error)
        LOG_ERR(LOG_CONFIG, "%s", text);
    else if (text[0])
        LOG_INFO(LOG_CONFIG, "%s", text);
    for (listener = TAILQ_FIRST(&apply->listeners); listener; listener = apply->next_listener) {
        apply->next_listener = TAILQ_NEXT(listener, node);
        listener->result(listener->arg, result);
    }
}

static void tell_idle(struct apply *apply)
{
    struct apply_listener *listener;

    for (listener = TAILQ_FIRST(&apply->listeners); listener; listener = apply->next_listener) {
        apply->next_listener = TAILQ_NEXT(listener, node);
        if (listener->idle)
            listener->idle(listener->arg);
    }
}

/* --- what is wanted ------------------------------------------------------ */

static struct apply_bridge *find_bridge(const struct apply *apply, const char *name)
{
    return name_map_find(apply->bridge_names, name);
}

static struct apply_bridge *create_bridge(struct apply *apply, const char *name)
{
    struct apply_bridge *object = mem_calloc(1, sizeof *object);

    object->port_names = name_map_create();
    object->ofports = ofports_create();
    TAILQ_INIT(&object->ports);
    TAILQ_INSERT_TAIL(&apply->bridges, object, node);
    name_map_put(apply->bridge_names, name, object);
    return object;
}

static void free_bridge(struct apply *apply, struct apply_bridge *object)
{
    TAILQ_REMOVE(&apply->bridges, object, node);
    config_section_clear(&config_section_bridge, &object->wanted);
    config_section_clear(&config_section_bridge, &object->now);
    name_map_free(object->port_names);
    ofports_free(object->ofports);
    free(object);
}

static void queue_bridge(struct apply *apply, struct apply_bridge *object)
{
    apply_wake(apply);
    if (object->queued)
        return;
    object->queued = true;
    TAILQ_INSERT_TAIL(&apply->changed_bridges, object, work);
}

static void unqueue_bridge(struct apply *apply, struct apply_bridge *object)
{
    if (object->queued)
        TAILQ_REMOVE(object->removed ? &apply->removed_bridges : &apply->changed_bridges, object, work);
    object->queued = false;
}

void apply_set_bridge(struct apply *apply, const struct config_bridge *wanted)
{
    struct apply_bridge *object = find_bridge(apply, wanted->name);
    struct config_bridge without_ports = *wanted;

    if (!object)
        object = create_bridge(apply, wanted->name);
    without_ports.ports = NULL;
    without_ports.n_ports = 0;
    config_section_clear(&config_section_bridge, &object->wanted);
    config_section_copy(&config_section_bridge, &object->wanted, &without_ports);
    object->generation = apply->generation;
    queue_bridge(apply, object);
}

void apply_remove_bridge(struct apply *apply, const char *bridge)
{
    struct apply_bridge *object = find_bridge(apply, bridge);
    struct apply_port *port;

    if (!object)
        return;
    name_map_remove(apply->bridge_names, bridge);
    unqueue_bridge(apply, object);
    object->removed = object->queued = true;
    apply_wake(apply);
    TAILQ_INSERT_TAIL(&apply->removed_bridges, object, work);
    TAILQ_FOREACH (port, &object->ports, node) {
        port->said = false;
        apply_port_queue(apply, port);
    }
}

void apply_set_port(struct apply *apply, const char *bridge, const struct config_port *wanted)
{
    struct apply_bridge *object = find_bridge(apply, bridge);
    struct apply_port *port;

    if (!object)
        return;
    port = name_map_find(object->port_names, wanted->name);
    if (!port)
        port = apply_port_create(object, wanted->name);
    config_section_clear(&config_section_port, &port->wanted);
    config_section_copy(&config_section_port, &port->wanted, wanted);
    if (port->last == OFPORT_NONE)
        port->last = wanted->ofport_last;
    if (!port->said)
        claims_keep(apply, &port->claims);
    port->said = true;
    port->generation = apply->generation;
    apply_port_queue(apply, port);
}

static void remove_port(struct apply *apply, struct apply_port *port)
{
    port->said = false;
    apply_port_queue(apply, port);
}

void apply_remove_port(struct apply *apply, const char *bridge, const char *name)
{
    const struct apply_bridge *object = find_bridge(apply, bridge);
    struct apply_port *port = object ? name_map_find(object->port_names, name) : NULL;

    if (port)
        remove_port(apply, port);
}

void apply_set_options(struct apply *apply, const struct config *wanted)
{
    struct config options = *wanted;

    options.bridges = NULL;
    options.n_bridges = 0;
    config_free(apply->options);
    apply->options = mem_calloc(1, sizeof options);
    config_section_copy(&config_root, apply->options, &options);
    apply_wake(apply);
}

void apply_interfaces_appeared(struct apply *apply)
{
    struct apply_bridge *object;
    struct apply_port *port;

    TAILQ_FOREACH (object, &apply->bridges, node)
        TAILQ_FOREACH (port, &object->ports, node)
            if (apply_port_interface_returned(port))
                apply_port_queue(apply, port);
}

void apply_begin(struct apply *apply)
{
    apply->generation++;
}

void apply_end(struct apply *apply)
{
    struct apply_bridge *object;
    struct apply_port *port;

    TAILQ_FOREACH (object, &apply->bridges, node) {
        if (object->removed)
            continue;
        if (object->generation != apply->generation) {
            apply_remove_bridge(apply, object->wanted.name);
            continue;
        }
        TAILQ_FOREACH (port, &object->ports, node)
            if (port->said && port->generation != apply->generation)
                remove_port(apply, port);
    }
}

void apply_set_all(struct apply *apply, const struct config *wanted)
{
    apply_begin(apply);
    apply_set_options(apply, wanted);
    for (size_t i = 0; i < wanted->n_bridges; i++) {
        const struct config_bridge *bridge = &wanted->bridges[i];

        apply_set_bridge(apply, bridge);
        for (size_t j = 0; j < bridge->n_ports; j++)
            apply_set_port(apply, bridge->name, &bridge->ports[j]);
    }
    apply_end(apply);
}

void apply_for_each_port(struct apply *apply, apply_port_fn *fn, void *arg)
{
    const struct apply_bridge *object;
    const struct apply_port *port;

    TAILQ_FOREACH (object, &apply->bridges, node)
        TAILQ_FOREACH (port, &object->ports, node)
            if (port->said)
                fn(arg, object->wanted.name, &port->wanted, apply_port_ofport(port));
}

/* --- the work list ------------------------------------------------------- */

static unsigned run_job(void *arg, uint64_t budget_us);

/* Who puts something on the list may run after this job: the database's, timers. */
static uint64_t due_us(void *arg)
{
    const struct apply *apply = arg;

    return apply->fresh ? 0 : UINT64_MAX;
}

struct apply *apply_create(struct sluice *sw)
{
    struct apply *apply = mem_calloc(1, sizeof *apply);

    apply->sw = sw;
    apply->bridge_names = name_map_create();
    apply->claim_names = name_map_create();
    TAILQ_INIT(&apply->listeners);
    TAILQ_INIT(&apply->bridges);
    TAILQ_INIT(&apply->removed_bridges);
    TAILQ_INIT(&apply->changed_bridges);
    TAILQ_INIT(&apply->to_remove);
    TAILQ_INIT(&apply->requested);
    TAILQ_INIT(&apply->known);
    TAILQ_INIT(&apply->others);
    TAILQ_INIT(&apply->opening);
    TAILQ_INIT(&apply->no_index);
    TAILQ_INIT(&apply->leaving);
    apply->job = (struct loop_job){.name = "configuration",
                                   .phase = LOOP_CHANGES,
                                   .budget_us = BUDGET_US,
                                   .arg = apply,
                                   .run = run_job,
                                   .due_us = due_us};
    loop_add(sw->loop, &apply->job);
    return apply;
}

static void free_leaving(struct apply *apply, struct apply_leaving *leaving)
{
    TAILQ_REMOVE(&apply->leaving, leaving, node);
    free(leaving->bridge);
    free(leaving->name);
    free(leaving);
}

void apply_destroy(struct apply *apply)
{
    struct apply_bridge *object;
    struct apply_leaving *leaving;
    struct apply_port *port;

    if (!apply)
        return;
    loop_remove(&apply->job);
    tell_idle(apply);
    while ((leaving = TAILQ_FIRST(&apply->leaving))) {
        claims_give_back(apply, &leaving->claims);
        free_leaving(apply, leaving);
    }
    while ((object = TAILQ_FIRST(&apply->bridges))) {
        while ((port = TAILQ_FIRST(&object->ports)))
            apply_port_free(apply, port);
        apply_bridge_end(apply, object);
        free_bridge(apply, object);
    }
    name_map_free(apply->bridge_names);
    name_map_free(apply->claim_names);
    config_free(apply->options);
    free(apply);
}

/* Devices that are closed: their names and the rest are free. */
static void free_closed(struct apply *apply)
{
    struct apply_leaving *leaving, *next;

    for (leaving = TAILQ_FIRST(&apply->leaving); leaving; leaving = next) {
        next = TAILQ_NEXT(leaving, node);
        if (!datapath_port_closed(apply->sw->dp, leaving->index) || port_is_closing(leaving->name))
            continue;
        claims_give_back(apply, &leaving->claims);
        if (leaving->tell) {
            const struct apply_result result = {.object = APPLY_PORT,
                                                .change = APPLY_REMOVED,
                                                .bridge = leaving->bridge,
                                                .port = leaving->name,
                                                .detail = ""};
            apply_tell(apply, &result);
        }
        free_leaving(apply, leaving);
    }
}

/* Ports that are open now, or for which there may be an index again. */
static void finish_ports(struct apply *apply, struct apply_ports *list)
{
    struct apply_port *port, *next;

    for (port = TAILQ_FIRST(list); port; port = next) {
        next = TAILQ_NEXT(port, work);
        apply_port_finish(apply, port);
    }
}

static void remove_bridge(struct apply *apply, struct apply_bridge *object)
{
    unqueue_bridge(apply, object);
    apply_bridge_leave(apply, object);
    if (TAILQ_EMPTY(&object->ports))
        free_bridge(apply, object);
}

static void change_bridge(struct apply *apply, struct apply_bridge *object)
{
    unqueue_bridge(apply, object);
    if (!apply_bridge_step(apply, object))
        queue_bridge(apply, object);
}

void apply_bridge_port_gone(struct apply *apply, struct apply_bridge *object)
{
    if (object->removed && !object->queued && TAILQ_EMPTY(&object->ports))
        free_bridge(apply, object);
}

static struct apply_port *take_first(struct apply_ports *list)
{
    struct apply_port *port = TAILQ_FIRST(list);

    if (port) {
        TAILQ_REMOVE(list, port, work);
        port->stage = PORT_AT_REST;
    }
    return port;
}

static void change_options(struct apply *apply)
{
    struct config *options = apply->options;

    apply->options = NULL;
    apply_options_step(apply, options);
    config_free(options);
}

/* One object. False: there is nothing to do. */
static bool step(struct apply *apply)
{
    struct apply_port *port;

    if (apply->options)
        change_options(apply);
    else if (!TAILQ_EMPTY(&apply->removed_bridges))
        remove_bridge(apply, TAILQ_FIRST(&apply->removed_bridges));
    else if ((port = take_first(&apply->to_remove)))
        apply_port_step(apply, port);
    else if (!TAILQ_EMPTY(&apply->changed_bridges))
        change_bridge(apply, TAILQ_FIRST(&apply->changed_bridges));
    else if ((port = take_first(&apply->requested)) || (port = take_first(&apply->known)) ||
             (port = take_first(&apply->others)))
        apply_port_step(apply, port);
    else
        return false;
    return true;
}

static bool waits(const struct apply *apply)
{
    return apply->schedulers || !TAILQ_EMPTY(&apply->opening) || !TAILQ_EMPTY(&apply->no_index) ||
           !TAILQ_EMPTY(&apply->leaving);
}

enum apply_state {
    APPLY_IDLE,
    APPLY_WAITS, /* for a grace period, or for the kernel: look again soon */
    APPLY_MORE,
};

/* Works the list off for about `budget_us`. */
static enum apply_state work(struct apply *apply, uint64_t budget_us)
{
    uint64_t deadline = rte_rdtsc() + budget_us * (rte_get_tsc_hz() / 1000000);

    free_closed(apply);
    finish_ports(apply, &apply->opening);
    finish_ports(apply, &apply->no_index);
    apply_qos_settle(apply);
    while (step(apply)) {
        apply->drawn = false;
        if (rte_rdtsc() >= deadline)
            return APPLY_MORE;
    }
    return waits(apply) ? APPLY_WAITS : APPLY_IDLE;
}

static void finish(struct apply *apply)
{
    apply->busy = apply->drawn = false;
    tell_idle(apply);
}

/* Whether packets go by what was done: who hears that it is done may rely on that, as on a barrier's reply. */
static bool settled(struct apply *apply)
{
    if (!apply->drawn)
        apply->ticket = flows_ticket(apply->sw->flows);
    apply->drawn = true;
    return flows_settled(apply->sw->flows, apply->ticket);
}

static unsigned run_job(void *arg, uint64_t budget_us)
{
    static const unsigned says[] = {[APPLY_IDLE] = 0, [APPLY_WAITS] = LOOP_SOON, [APPLY_MORE] = LOOP_MORE};
    struct apply *apply = arg;

    apply->fresh = false;
    if (!apply->busy)
        return 0;
    enum apply_state state = work(apply, budget_us);
    if (state != APPLY_IDLE || !settled(apply))
        return says[state == APPLY_IDLE ? APPLY_WAITS : state];
    finish(apply);
    return apply->busy ? LOOP_MORE : 0;
}

void apply_run_all(struct apply *apply)
{
    enum apply_state state;

    while (apply->busy) {
        while ((state = work(apply, UINT32_MAX)) != APPLY_IDLE) {
            datapath_reclaim(apply->sw->dp);
            if (state == APPLY_WAITS)
                usleep(100);
        }
        finish(apply); /* there are no packets yet */
    }
}
