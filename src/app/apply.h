/* From the configuration to bridges and ports. Control thread only.
 *
 * Whoever has a configuration (the JSON file, a database) says of one object at a time what it shall be: a bridge, a
 * port, the options of the whole switch. Nothing is done at once: the call puts the object on a work list, which
 * a job of the event loop works off in slices. So the order of calls within a turn does not matter:
 * what is to go goes first, over all bridges, then come bridges, then ports that ask for an OpenFlow number, ports that
 * had one, and the rest. What wants a name, device, interface or socket that something on its way out still has waits
 * until that is free, and holds up nobody else. An error of one object stops no other.
 *
 * The work is in proportion to what changed: saying again what runs already costs a comparison.
 */
#ifndef SRC_APP_APPLY_H
#define SRC_APP_APPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "src/config/model.h"

struct apply;
struct ct;
struct sluice;

/* --- results ------------------------------------------------------------- */

enum apply_object { APPLY_OPTIONS, APPLY_BRIDGE, APPLY_PORT };

enum apply_change {
    APPLY_NONE, /* it was so before, or it is not there (error) */
    APPLY_ADDED,
    APPLY_REPLACED, /* ports: removed and made again; counters began anew */
    APPLY_CHANGED,  /* in place */
    APPLY_REMOVED,  /* its name and number are free */
};

/* What became of an object. Strings are valid during the call. */
struct apply_result {
    enum apply_object object;
    enum apply_change change;
    const char *bridge; /* APPLY_OPTIONS: "" */
    const char *port;   /* APPLY_PORT; else "" */
    uint32_t ofport;    /* of a port that is there, CONFIG_OFPORT_LOCAL for the LOCAL port; else 0 */
    const char *detail; /* what is different now, "datapath_id 00..01; at most 9 rules"; "": nothing to add */
    const char *error;  /* a sentence that says what to do; NULL: the object is as it was wanted */
};

/* Who wants to know. `result` is called once for each object that was said, removed, or changed for another reason (its
 * number went to a port that asked for it; its interface was deleted and came back), as soon as it is known; an object
 * that waits for something on its way out has no result yet. With an error the object may be there in part: a bridge
 * whose controllers could not be changed, a port that kept its MTU. `idle` is called when the work list has become
 * empty and packets go by all that was done, as after a barrier. Neither may call back into apply but for apply_set_*()
 * and apply_remove_*(), which put things on the list. */
struct apply_listener {
    void *arg;
    void (*result)(void *arg, const struct apply_result *result);
    void (*idle)(void *arg); /* NULL: not wanted */
    TAILQ_ENTRY(apply_listener) node;
};

/* A result as a line for people, without its end; "": there is nothing to say. */
void apply_result_text(const struct apply_result *result, char *text, size_t size);

/* `listener` stays the caller's. It may be taken off from within a call to it. */
void apply_listen(struct apply *apply, struct apply_listener *listener);
void apply_unlisten(struct apply *apply, struct apply_listener *listener);

/* --- what is wanted ------------------------------------------------------ */

/* Each copies what it needs. Models are verified and completed (config_verify(), config_complete()) as far as they go:
 * what must be unique in the whole switch (names, devices, interfaces, sockets) is looked at here, too. The first that
 * has it keeps it; the second has an error until it is free, and is made then. */

/* The bridge without its ports: `wanted->ports` is not looked at. */
void apply_set_bridge(struct apply *apply, const struct config_bridge *wanted);
/* Removes the bridge with all its ports, which get no results of their own. Unknown names are ignored. */
void apply_remove_bridge(struct apply *apply, const char *bridge);

/* The bridge was said before. `wanted->ofport`: the OpenFlow number that is asked for; 0: none, then the port keeps the
 * number that it has, or gets wanted->ofport_last if that is free, or another (src/bridge/ofports.h). A port that could
 * not be made is tried again whenever it is said again. */
void apply_set_port(struct apply *apply, const char *bridge, const struct config_port *wanted);
void apply_remove_port(struct apply *apply, const char *bridge, const char *port);

/* The keys at the top of `wanted` that can change while the switch runs; bridges are not looked at. */
void apply_set_options(struct apply *apply, const struct config *wanted);

/* Begin and end saying everything anew: bridges and ports that are not said between the two are removed at the end. */
void apply_begin(struct apply *apply);
void apply_end(struct apply *apply);

/* Says all bridges and ports of `wanted`; others are removed. */
void apply_set_all(struct apply *apply, const struct config *wanted);

/* Calls `fn` for each port that was said and not removed since, with its OpenFlow number as in struct apply_result. */
typedef void apply_port_fn(void *arg, const char *bridge, const struct config_port *wanted, uint32_t ofport);
void apply_for_each_port(struct apply *apply, apply_port_fn *fn, void *arg);

/* --- the work list ------------------------------------------------------- */

struct apply *apply_create(struct sluice *sw);
/* Frees `apply`, and leaves the bridges and ports that it made to switch_destroy(). NULL is allowed. */
void apply_destroy(struct apply *apply);

/* Works the list off before the event loop runs; returns when everything is done. */
void apply_run_all(struct apply *apply);
/* Goes on with taking bridges apart that were removed, for one turn. False: there is none. */
bool apply_run_removed(struct sluice *sw);

/* All of connection tracking but the number of connections that the tracker is made for. */
void apply_conntrack(struct sluice *sw, const struct config_conntrack *config);

/* Callback of tunnels_set_changed(); `arg`: the switch. */
void apply_tunnels_changed(void *arg, const char *device);

/* A network interface appeared: ports that lost one, or could not be made without it, are made again. */
void apply_interfaces_appeared(struct apply *apply);

#endif
