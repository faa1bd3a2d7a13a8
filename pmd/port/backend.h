/* What the kinds of ports (ethdev.c, system.c, tap.c, vhost.c) share with port.c.
 *
 * Control thread, unless a function says otherwise. A backend's create function returns a started port made by
 * port_alloc(), or NULL with a sentence in `error`.
 */
#ifndef PMD_PORT_BACKEND_H
#define PMD_PORT_BACKEND_H

#include <stddef.h>

#include "pmd/port.h"
#include "pmd/port/worker.h"

struct port *ethdev_create(const struct port_params *params, char *error, size_t error_size);
struct port *system_create(const struct port_params *params, char *error, size_t error_size);
struct port *tap_create(const struct port_params *params, char *error, size_t error_size);
struct port *vhost_create(const struct port_params *params, char *error, size_t error_size);

/* A port with its tx locks, not yet known to port_poll_events(). NULL: out of memory, said in `error`.
 */
struct port *port_alloc(const struct port_params *params, const struct port_ops *ops, uint16_t n_rxq, uint16_t n_txq,
                        char *error, size_t error_size);
/* Undoes port_alloc(); what ops->destroy calls last. */
void port_free(struct port *port);

/* The rest of a port that was destroyed: begins what malloc() returned. */
struct port_closing {
    struct worker_job job; /* first */
    struct port_closing *next;
    char name[PORT_NAME_MAX];
};
/* Has the worker call `run` with &closing->job; `closing` is freed when that is done, until when port_is_closing().
 * From ops->destroy. */
void port_close_later(struct port_closing *closing, const struct port *port, void (*run)(struct worker_job *job));

/* port_poll_events() shall report `port`. Any thread, while the port exists. */
void port_notify(struct port *port);

/* The port works on the kernel's interface `ifname`: notes its index and state. Without effect if there is none. */
void port_set_interface(struct port *port, const char *ifname);

/* port_ops.schedule and .scheduled of a port with an interface of the kernel's. */
void port_set_scheduling(struct port *port, const struct port_scheduling *wanted);
int port_scheduling_result(struct port *port);
/* The port has another interface under the same name: what was asked for by schedule() is for it, too. */
void port_scheduling_renew(struct port *port);
/* The port is being destroyed: its interface is left without a scheduler of Sluice's. */
void port_scheduling_end(struct port *port);

/* Writes a sentence into `error` and returns NULL. */
struct port *port_error(char *error, size_t error_size, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* The longest frame for an MTU, bytes, without FCS and VLAN tags. */
static inline uint32_t port_frame_len(uint16_t mtu)
{
    return (uint32_t)mtu + RTE_ETHER_HDR_LEN;
}

/* A locally administered address made from the port's name: the same after a restart. */
void port_default_mac(const char *name, struct rte_ether_addr *mac);

#endif
