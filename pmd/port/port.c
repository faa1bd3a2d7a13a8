/* Ports of all types: creates one through its backend, watches it for changes of link, MTU and queues, and destroys
 * it. Control thread, but for port_notify(). */
#include "pmd/port.h"

#include <errno.h>
#include <net/if.h>
#include <pthread.h>
#include <rte_common.h>
#include <rte_hash_crc.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>

#include "pmd/base/log.h"
#include "pmd/base/memory.h"
#include "pmd/port/backend.h"
#include "pmd/port/interface.h"
#include "pmd/port/tap_elsewhere.h"
#include "pmd/vhost/endpoint.h"

_Static_assert(PORT_IFNAME_SIZE == IFNAMSIZ, "the kernel's names fit");

/* A port and what port_poll_events() knows of it. */
struct port_record {
    struct port port; /* first: a port is its record */
    struct port_record *next;
    bool changed;                /* set by any thread, taken by the control thread */
    bool look;                   /* it may have changed */
    struct port_status reported; /* what the last event said */
    struct log_limit link_lines; /* a guest may come and go all the time */
};

/* Control thread only. */
static struct port_record *records;
static struct port_record *round_next; /* where port_poll_some() goes on; NULL: at the first */
static int event_fd = -1;
static pthread_once_t event_fd_once = PTHREAD_ONCE_INIT;

static void open_event_fd(void)
{
    event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (event_fd < 0)
        LOG_ERR(LOG_PORT, "no descriptor for link events (%s): they are seen once a second only", strerror(errno));
}

int port_event_fd(void)
{
    pthread_once(&event_fd_once, open_event_fd);
    return event_fd;
}

void port_notify(struct port *port)
{
    struct port_record *record = (struct port_record *)port;

    __atomic_store_n(&record->changed, true, __ATOMIC_RELEASE);
    /* Only fails when the counter is full, which is readable already. */
    eventfd_write(port_event_fd(), 1);
}

struct port *port_error(char *error, size_t error_size, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(error, error_size, format, args);
    va_end(args);
    return NULL;
}

struct port *port_alloc(const struct port_params *params, const struct port_ops *ops, uint16_t n_rxq, uint16_t n_txq,
                        char *error, size_t error_size)
{
    struct port_record *record = aligned_alloc(_Alignof(struct port_record), sizeof *record);
    rte_spinlock_t *locks = calloc(n_txq, sizeof *locks);

    if (!record || !locks) {
        free(record);
        free(locks);
        return port_error(error, error_size, "out of memory");
    }
    memset(record, 0, sizeof *record);
    record->port = (struct port){
        .ops = ops,
        .ethdev_id = UINT16_MAX,
        .n_rxq = n_rxq,
        .n_txq = n_txq,
        .tx_shared = n_txq < params->tx_queues,
        .admin_up = true,
        .max_len = port_frame_len(params->mtu),
        .tx_lock = locks,
        .type = params->type,
        .numa_node = -1,
    };
    record->link_lines = (struct log_limit)LOG_LIMIT_INIT(20, 20);
    snprintf(record->port.name, sizeof record->port.name, "%s", params->name);
    return &record->port;
}

void port_free(struct port *port)
{
    struct port_record *record = (struct port_record *)port;

    free(port->tx_lock);
    free(record);
}

void port_set_interface(struct port *port, const char *ifname)
{
    int ifindex = interface_index(ifname);
    struct ifreq ifr = {0};

    if (ifindex == 0)
        return;
    snprintf(port->ifname, sizeof port->ifname, "%s", ifname);
    port->ifindex = ifindex;
    port->kernel_down = port->type != PORT_TAP && interface_ioctl(ifname, SIOCGIFFLAGS, &ifr) == 0 &&
                        (~ifr.ifr_flags & (IFF_UP | IFF_RUNNING)) != 0;
}

static struct port *backend_create(const struct port_params *params, char *error, size_t error_size)
{
    if (!params->name || !*params->name || strlen(params->name) >= PORT_NAME_MAX)
        return port_error(error, error_size, "a port name has 1 to %d characters", PORT_NAME_MAX - 1);
    if (params->rx_queues < 1 || params->rx_queues > PORT_QUEUES_MAX)
        return port_error(error, error_size, "rx_queues is %u: must be 1 to %d", params->rx_queues, PORT_QUEUES_MAX);
    if (params->tx_queues < 1 || params->tx_queues > PORT_QUEUES_MAX)
        return port_error(error, error_size, "tx_queues is %u: must be 1 to %d", params->tx_queues, PORT_QUEUES_MAX);
    if (params->mtu < RTE_ETHER_MIN_MTU && !(params->mtu == 0 && params->type == PORT_SYSTEM))
        return port_error(error, error_size, "mtu is %u: must be at least %d", params->mtu, RTE_ETHER_MIN_MTU);
    switch (params->type) {
    case PORT_DPDK:
        return ethdev_create(params, error, error_size);
    case PORT_TAP:
        return tap_create(params, error, error_size);
    case PORT_SYSTEM:
        return system_create(params, error, error_size);
    case PORT_VHOST_USER:
        return vhost_create(params, error, error_size);
    }
    return NULL;
}

/* From now on port_poll_events() knows it. */
static void add_record(struct port *port)
{
    struct port_record *record = (struct port_record *)port;
    struct port_status status;

    record->next = records;
    records = record;
    port->ops->get_status(port, &status);
    /* A link that came up meanwhile is news still. */
    status.link_up = false;
    record->reported = status;
    LOG_INFO(LOG_PORT, "%s: %s, %u rx and %u tx queues%s, mtu %u, numa node %d", port->name, status.driver, port->n_rxq,
             port->n_txq, port->tx_shared ? " (shared by the poll-mode threads)" : "", status.mtu, port->numa_node);
}

/* --- in two steps -------------------------------------------------------- */

struct port_opening {
    struct worker_job job; /* first */
    struct port_params params;
    char *name, *devargs, *path, *ifname, *label, *owner, *group;
    struct port *port;
    char error[512];
};

static void run_opening(struct worker_job *job)
{
    struct port_opening *opening = (struct port_opening *)job;

    opening->port = backend_create(&opening->params, opening->error, sizeof opening->error);
}

static const char *copy_string(char **copy, const char *from)
{
    *copy = from ? strdup(from) : NULL;
    if (from && !*copy)
        out_of_memory("a port", 0);
    return *copy;
}

struct port_opening *port_create_begin(const struct port_params *params)
{
    struct port_opening *opening = calloc(1, sizeof *opening);

    if (!opening)
        out_of_memory("a port", sizeof *opening);
    opening->params = *params;
    opening->params.name = copy_string(&opening->name, params->name);
    opening->params.devargs = copy_string(&opening->devargs, params->devargs);
    opening->params.path = copy_string(&opening->path, params->path);
    opening->params.ifname = copy_string(&opening->ifname, params->ifname);
    opening->params.label = copy_string(&opening->label, params->label);
    opening->params.access.owner = copy_string(&opening->owner, params->access.owner);
    opening->params.access.group = copy_string(&opening->group, params->access.group);
    opening->job.run = run_opening;
    if (params->type == PORT_TAP || params->type == PORT_DPDK) {
        worker_post(WORKER_DEVICES, &opening->job, true);
    } else {
        run_opening(&opening->job);
        opening->job.done = true;
    }
    return opening;
}

bool port_create_end(struct port_opening *opening, struct port **port, char *error, size_t error_size)
{
    if (!worker_done(&opening->job))
        return false;
    *port = opening->port;
    if (*port)
        add_record(*port);
    else
        snprintf(error, error_size, "%s", opening->error);
    free(opening->name);
    free(opening->devargs);
    free(opening->path);
    free(opening->ifname);
    free(opening->label);
    free(opening->owner);
    free(opening->group);
    free(opening);
    return true;
}

static struct port_closing *closings; /* control thread only */

void port_close_later(struct port_closing *closing, const struct port *port, void (*run)(struct worker_job *job))
{
    closing->job = (struct worker_job){.run = run};
    snprintf(closing->name, sizeof closing->name, "%s", port->name);
    closing->next = closings;
    closings = closing;
    worker_post(WORKER_DEVICES, &closing->job, false);
}

static void free_closed(void)
{
    for (struct port_closing **link = &closings, *closing; (closing = *link);) {
        if (!worker_done(&closing->job)) {
            link = &closing->next;
            continue;
        }
        *link = closing->next;
        free(closing);
    }
}

bool port_is_closing(const char *name)
{
    free_closed();
    for (const struct port_closing *closing = closings; closing; closing = closing->next)
        if (strcmp(closing->name, name) == 0)
            return true;
    return false;
}

void port_wait_closed(void)
{
    worker_wait(WORKER_DEVICES, 0);
    vhost_endpoints_stop();
    free_closed();
}

void port_destroy(struct port *port)
{
    struct port_record *record = (struct port_record *)port;

    if (round_next == record)
        round_next = record->next;
    for (struct port_record **link = &records; *link; link = &(*link)->next) {
        if (*link == record) {
            *link = record->next;
            break;
        }
    }
    LOG_INFO(LOG_PORT, "%s: removed", port->name);
    port_scheduling_end(port);
    port->ops->destroy(port);
}

static bool status_differs(const struct port_status *a, const struct port_status *b)
{
    return a->link_up != b->link_up || a->speed_mbps != b->speed_mbps || a->full_duplex != b->full_duplex ||
           a->mtu != b->mtu || a->rx_queues != b->rx_queues || a->tx_queues != b->tx_queues ||
           a->numa_node != b->numa_node || !rte_is_same_ether_addr(&a->mac, &b->mac);
}

static void poll_port(struct port_record *record, port_event_fn *fn, void *arg)
{
    struct port_status status;
    bool changed = __atomic_exchange_n(&record->changed, false, __ATOMIC_ACQUIRE);

    record->look = false;
    record->port.ops->get_status(&record->port, &status);
    if (status.link_up != record->reported.link_up)
        log_write_limited(LOG_PORT, RTE_LOG_INFO, &record->link_lines, "%s: link %s", record->port.name,
                          status.link_up ? "up" : "down");
    if (!changed && !status_differs(&status, &record->reported))
        return;
    record->reported = status;
    fn(arg, &record->port);
}

void port_poll_events(port_event_fn *fn, void *arg)
{
    struct port_record *record, *next;
    eventfd_t count;

    eventfd_read(port_event_fd(), &count);
    for (record = records; record; record = next) {
        next = record->next;
        if (record->look || __atomic_load_n(&record->changed, __ATOMIC_RELAXED))
            poll_port(record, fn, arg);
    }
}

bool port_poll_some(unsigned n, port_event_fn *fn, void *arg)
{
    struct port_record *record = round_next ? round_next : records;

    for (; record && n > 0; n--) {
        round_next = record->next;
        poll_port(record, fn, arg);
        record = round_next;
    }
    return record;
}

const struct port_status *port_last_status(const struct port *port)
{
    return &((const struct port_record *)port)->reported;
}

/* --- interfaces of the kernel's ------------------------------------------ */

/* A TAP finds out by itself, as its interface may have gone to another namespace and work there. */
static void interface_gone(struct port *port)
{
    if (port->type == PORT_TAP) {
        port->moved = true;
        tap_elsewhere_changed();
        return;
    }
    if (!port->lost)
        LOG_INFO(
            LOG_PORT,
            "%s: the interface %s was deleted, or moved to another namespace: the port is down until there is one of "
            "that name again",
            port->name, port->ifname);
    port->lost = true;
}

static void note_interface(struct port *port, const struct port_interface *interface)
{
    if (interface->gone) {
        interface_gone(port);
        return;
    }
    port->moved = false;
    port->kernel_down = port->type != PORT_TAP && !interface->up;
}

/* An interface of the name that a port has lost. A port that finds its interface again does so by itself: nobody else
 * has to look. */
static bool interface_returned(struct port_record *record, const struct port_interface *interface, port_event_fn *fn,
                               void *arg)
{
    if (interface->gone || strcmp(record->port.ifname, interface->name) != 0)
        return false;
    if (record->port.type != PORT_SYSTEM)
        return true;
    poll_port(record, fn, arg);
    return false;
}

/* The index of an interface that was moved away is free for another one of this namespace. */
static bool is_of(const struct port *port, const struct port_interface *interface)
{
    return port->ifindex == interface->ifindex && (!port->moved || !strcmp(port->ifname, interface->name));
}

bool port_interface_changed(const struct port_interface *interface, port_event_fn *fn, void *arg)
{
    struct port_record *record, *next;
    bool look = false;

    for (record = records; record; record = next) {
        struct port *port = &record->port;

        next = record->next;
        if (!*port->ifname)
            continue;
        if (port->lost) {
            look |= interface_returned(record, interface, fn, arg);
        } else if (is_of(port, interface)) {
            note_interface(port, interface);
            poll_port(record, fn, arg);
            look |= port->lost;
        }
    }
    return look;
}

void port_interfaces_elsewhere_changed(void)
{
    bool some = false;

    for (struct port_record *record = records; record; record = record->next) {
        record->look |= record->port.moved;
        some |= record->port.moved;
    }
    if (some)
        eventfd_write(port_event_fd(), 1);
}

void port_default_mac(const char *name, struct rte_ether_addr *mac)
{
    uint32_t low = rte_hash_crc(name, strlen(name), 0), high = rte_hash_crc(name, strlen(name), low);

    mac->addr_bytes[0] = 0x02;
    mac->addr_bytes[1] = high;
    memcpy(mac->addr_bytes + 2, &low, sizeof low);
}
