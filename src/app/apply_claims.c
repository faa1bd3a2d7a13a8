/* What only one port of the switch can have: names, devices, interfaces, sockets. A port takes all of its claims or
 * none. Those of a port that was removed stay taken until its device is closed. */
#define MEM_WHAT "bridges and ports"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pmd/base/mem.h"
#include "src/app/apply_impl.h"
#include "src/config/verify.h"

struct claim {
    char *key; /* "device 0000:01:00.0" */
    bool taken;
    const struct apply_port *holder; /* NULL, and taken: something on its way out */
    struct apply_ports waiting;
};

struct wish {
    const char *what;
    char *value;
};

static unsigned wishes_of(const struct config_port *port, struct wish wishes[CLAIMS_MAX])
{
    wishes[0] = (struct wish){"name", mem_strdup(port->name)};
    switch (port->type) {
    case CONFIG_PORT_DPDK:
        wishes[1] = (struct wish){"device", config_device_of(port->devargs)};
        return 2;
    case CONFIG_PORT_VHOST_USER:
        wishes[1] = (struct wish){"socket", mem_strdup(port->path)};
        return 2;
    case CONFIG_PORT_TAP:
    case CONFIG_PORT_INTERNAL:
    case CONFIG_PORT_SYSTEM:
        wishes[1] = (struct wish){"interface", mem_strdup(port->ifname)};
        return 2;
    default: /* it has no device */
        break;
    }
    return 1;
}

/* Makes it if there is none. */
static struct claim *find_claim(struct apply *apply, const struct wish *wish)
{
    struct claim *claim;
    char *key;

    key = mem_asprintf("%s %s", wish->what, wish->value);
    claim = name_map_find(apply->claim_names, key);
    if (claim) {
        free(key);
        return claim;
    }
    claim = mem_calloc(1, sizeof *claim);
    claim->key = key;
    TAILQ_INIT(&claim->waiting);
    name_map_put(apply->claim_names, key, claim);
    return claim;
}

static void free_unused(struct apply *apply, struct claim *claim)
{
    if (claim->taken || !TAILQ_EMPTY(&claim->waiting))
        return;
    name_map_remove(apply->claim_names, claim->key);
    free(claim->key);
    free(claim);
}

struct claim *claims_take(struct apply *apply, struct apply_port *port)
{
    struct wish wishes[CLAIMS_MAX];
    unsigned n = wishes_of(&port->wanted, wishes);
    struct claim *others = NULL, *claim;

    for (unsigned i = 0; i < n; i++) {
        claim = others ? NULL : find_claim(apply, &wishes[i]);
        free(wishes[i].value);
        if (!claim)
            continue;
        if (claim->taken) {
            others = claim;
            continue;
        }
        claim->taken = true;
        claim->holder = port;
        port->claims.items[port->claims.n++] = claim;
    }
    if (others)
        claims_give_back(apply, &port->claims);
    return others;
}

/* Who waits for it looks again. */
static void wake_waiting(struct apply *apply, struct claim *claim)
{
    struct apply_port *port;

    while ((port = TAILQ_FIRST(&claim->waiting)))
        apply_port_queue(apply, port);
}

void claims_keep(struct apply *apply, const struct claims *claims)
{
    for (unsigned i = 0; i < claims->n; i++)
        wake_waiting(apply, claims->items[i]);
}

void claims_give_back(struct apply *apply, struct claims *claims)
{
    while (claims->n > 0) {
        struct claim *claim = claims->items[--claims->n];

        claim->holder = NULL;
        wake_waiting(apply, claim);
        claim->taken = false;
        free_unused(apply, claim);
    }
}

void claims_wait(struct claim *claim, struct apply_port *port)
{
    port->stage = PORT_WAITING;
    port->waits_for = claim;
    TAILQ_INSERT_TAIL(&claim->waiting, port, work);
}

void claims_stop_waiting(struct apply *apply, struct apply_port *port)
{
    struct claim *claim = port->waits_for;

    TAILQ_REMOVE(&claim->waiting, port, work);
    port->waits_for = NULL;
    port->stage = PORT_AT_REST;
    free_unused(apply, claim);
}

const struct apply_port *claim_holder(const struct claim *claim)
{
    return claim->holder;
}

const char *claim_describe(const struct claim *claim)
{
    return claim->key;
}

void claims_orphan(struct claims *claims)
{
    for (unsigned i = 0; i < claims->n; i++)
        claims->items[i]->holder = NULL;
}
