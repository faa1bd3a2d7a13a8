/* What the files of apply share. */
#ifndef SRC_APP_APPLY_IMPL_H
#define SRC_APP_APPLY_IMPL_H

#include <stddef.h>

#include "pmd/port.h"
#include "src/app/apply.h"
#include "src/app/switch.h"
#include "src/bridge/ofports.h"

struct apply_bridge;
struct apply_port;
struct claim;
struct rules_kept;

TAILQ_HEAD(apply_bridges, apply_bridge);
TAILQ_HEAD(apply_ports, apply_port);

/* --- names (apply_names.c) ----------------------------------------------- */

/* Text to pointer. */
struct name_map;
struct name_map *name_map_create(void);
void name_map_free(struct name_map *map); /* not what it points to */
void *name_map_find(const struct name_map *map, const char *name);
void name_map_put(struct name_map *map, const char *name, void *value); /* which was not in it */
void name_map_remove(struct name_map *map, const char *name);

/* --- claims (apply_claims.c) --------------------------------------------- */

#define CLAIMS_MAX 2 /* a port's: its name; its device, interface or socket */

struct claims {
    struct claim *items[CLAIMS_MAX];
    unsigned n;
};

/* Takes all that `port` wants, or nothing and returns the claim of somebody else. */
struct claim *claims_take(struct apply *apply, struct apply_port *port);
/* They are kept by who was to go: who waits for one without an error, because it was, is put on the work list. */
void claims_keep(struct apply *apply, const struct claims *claims);
/* Gives them back; who waits for one is put on the work list. */
void claims_give_back(struct apply *apply, struct claims *claims);
/* Puts the port into the claim's queue, until it is free or claims_stop_waiting(). */
void claims_wait(struct claim *claim, struct apply_port *port);
void claims_stop_waiting(struct apply *apply, struct apply_port *port);
/* Who has it; NULL: something on its way out. */
const struct apply_port *claim_holder(const struct claim *claim);
const char *claim_describe(const struct claim *claim); /* "device 0000:01:00.0" */
/* The port is on its way out, and lives no longer than its claims. */
void claims_orphan(struct claims *claims);

/* --- objects ------------------------------------------------------------- */

/* Where a port is. */

enum port_stage {
    PORT_AT_REST,   /* nothing is to be done */
    PORT_QUEUED,    /* in apply->to_remove, ->requested, ->known or ->others */
    PORT_WAITING,   /* in the queue of a claim */
    PORT_FINISHING, /* in apply->opening or ->no_index */
};

struct apply_bridge {
    TAILQ_ENTRY(apply_bridge) node; /* in apply->bridges */
    TAILQ_ENTRY(apply_bridge) work; /* in apply->removed_bridges or ->changed_bridges, if `queued` */
    struct config_bridge wanted;    /* without ports */
    struct config_bridge now;       /* what runs, if `bridge` */
    struct bridge *bridge;          /* NULL: not made */
    struct bridge *making;          /* takes over its rules, and is not the switch's yet; NULL: none */
    struct rules_kept *kept;        /* NULL: its rules are not kept */
    unsigned n_options;             /* of tunnels, before the bridge took over its rules */
    struct name_map *port_names;
    struct apply_ports ports;
    struct ofports *ofports;
    unsigned generation; /* when it was said last */
    bool queued;
    bool removed; /* lives until its last port is gone */
};

struct apply_port {
    TAILQ_ENTRY(apply_port) node; /* of its bridge */
    TAILQ_ENTRY(apply_port) work; /* of `list`, or of the claim that it waits for */
    struct apply_ports *list;     /* PORT_QUEUED, PORT_FINISHING */
    struct claim *waits_for;      /* PORT_WAITING */
    struct apply_bridge *owner;
    char *name;
    enum port_stage stage;
    unsigned generation; /* when it was said last */
    bool said;           /* false: it is to go */
    bool failed;         /* what was said last could not be done */
    bool replacing;      /* it was there before */
    char reason[64];     /* why it was made again although nothing differs */
    struct config_port wanted;
    struct config_port now; /* what runs, or is being opened */
    struct bridge_port *bp; /* NULL: it is not there */
    struct port_opening *opening;
    struct port *port; /* opened, not yet in the datapath */
    uint32_t ofport;   /* that it holds; OFPORT_NONE: none */
    uint32_t last;     /* that it had before; OFPORT_NONE: none */
    struct claims claims;
};

/* What has left its bridge and is not closed yet. */
struct apply_leaving {
    TAILQ_ENTRY(apply_leaving) node;
    char *bridge, *name;
    uint32_t index; /* in the datapath; 0: it was in none */
    bool tell;      /* when it is closed: the port is removed */
    struct claims claims;
};

struct apply {
    struct sluice *sw;
    struct loop_job job;
    TAILQ_HEAD(, apply_listener) listeners;
    struct apply_listener *next_listener; /* to be called; so that one may go meanwhile */
    struct apply_bridges bridges;         /* in the order in which they were said; those being removed too */
    struct name_map *bridge_names;        /* without those being removed */
    struct name_map *claim_names;
    struct config *options; /* NULL: none are on the list */
    struct apply_bridges removed_bridges, changed_bridges;
    unsigned generation;                                    /* of apply_begin() */
    struct apply_ports to_remove, requested, known, others; /* known: that had a number */
    struct apply_ports opening;
    struct apply_ports no_index; /* opened, but all indices of the datapath are taken */
    TAILQ_HEAD(, apply_leaving) leaving;
    bool schedulers; /* the kernel was asked for some, and what came of it is not known yet */
    bool busy;       /* `idle` is owed */
    bool fresh;      /* something was put on the list since the job ran */
    bool drawn;      /* nothing was done since `ticket` was drawn */
    uint64_t ticket; /* see flows_ticket() */
};

/* --- between the files --------------------------------------------------- */

/* Something was put on the list. The job may have had its run in this turn of the loop: there has to be another. */
static inline void apply_wake(struct apply *apply)
{
    apply->busy = apply->fresh = true;
}

void apply_tell(struct apply *apply, const struct apply_result *result);
/* A port object was freed: its bridge may have waited for that. */
void apply_bridge_port_gone(struct apply *apply, struct apply_bridge *object);

/* apply_bridge.c: makes or changes the bridge as it is wanted, and tells. False: there is more to do. */
bool apply_bridge_step(struct apply *apply, struct apply_bridge *object);
/* Takes the bridge out of the switch, and tells. Its ports are still to go. */
void apply_bridge_leave(struct apply *apply, struct apply_bridge *object);
/* At the end of the switch: what is being made is to go, too, and rules are kept no longer. */
void apply_bridge_end(struct apply *apply, struct apply_bridge *object);
/* Changes the options of the switch that differ, and tells. */
void apply_options_step(struct apply *apply, const struct config *wanted);

/* apply_port.c */
struct apply_port *apply_port_create(struct apply_bridge *owner, const char *name);
/* Frees a port at the end of the switch, whatever its stage. */
void apply_port_free(struct apply *apply, struct apply_port *port);
/* Puts it on the list where it belongs now. */
void apply_port_queue(struct apply *apply, struct apply_port *port);
/* Does what is to be done. The port may be freed. */
void apply_port_step(struct apply *apply, struct apply_port *port);
/* Goes on with a port in apply->opening or ->no_index, if its device is open or an index is free. The port may be
 * freed. */
void apply_port_finish(struct apply *apply, struct apply_port *port);
/* The number of a port that is there, as in struct apply_result. */
uint32_t apply_port_ofport(const struct apply_port *port);
/* apply_port_parts.c: has a port watch its path as it is wanted. */
void apply_bfd(struct apply *apply, struct bridge_port *bp, const struct config_bfd *config);
/* Has the bridge have the spanning tree that is wanted, and the port its part in it. */
void apply_stp(struct apply *apply, struct bridge *bridge, const struct config_stp *config);
void apply_port_stp(struct apply *apply, struct bridge_port *bp, const struct config_port_stp *config);
/* Has the bridge's ports bonded as it is wanted. */
void apply_bonds(struct apply *apply, struct bridge *bridge, const struct config_bridge *config);
/* Has a port drop what comes in above its rates. */
void apply_policing(struct apply *apply, struct bridge_port *bp, const struct config_policing *config);
/* Looks what came of schedulers that the kernel was asked for. */
void apply_qos_settle(struct apply *apply);
/* How fast it may send, and by which queues. */
void apply_qos(struct apply *apply, struct bridge_port *bp, const struct config_qos *config);
/* What a tunnel port is made with; NULL with a sentence in `error`. */
struct bridge_tunnel *apply_tunnel_create(struct apply *apply, const struct config_port *config, char *error,
                                          size_t error_size);
/* Other options of one that there is. Returns 0, or -1 with a sentence. */
int apply_tunnel_change(struct bridge_port *bp, const struct config_port *wanted, char *error, size_t error_size);
/* Whether the port lost its interface, and there is one of that name again. */
bool apply_port_interface_returned(const struct apply_port *port);

#endif
