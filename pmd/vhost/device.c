#include "pmd/vhost/device.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/vhost_types.h>
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pmd/vhost/closing.h"

#define BIT(n) (1ull << (n))
#define PROTOCOL_FEATURES_BIT BIT(30) /* VHOST_USER_F_PROTOCOL_FEATURES */
#define HOST_USO BIT(56)              /* VIRTIO_NET_F_HOST_USO */
#define LOG_ALL BIT(VHOST_F_LOG_ALL)
#define PROTOCOL_FEATURES                                                                                              \
    (VHOST_PROTOCOL_MQ | VHOST_PROTOCOL_LOG_SHMFD | VHOST_PROTOCOL_RARP | VHOST_PROTOCOL_REPLY_ACK |                   \
     VHOST_PROTOCOL_NET_MTU)

/* What the peer said of a ring. */
struct setup {
    bool has_addr, started, enabled, log;
    int call_fd; /* -1: none */
    uint32_t size, base;
    uint64_t desc, used, avail, log_gpa;
};

struct vhost_device {
    uint64_t offered, features, protocol;
    struct vhost_ring *rings; /* NULL: not attached */
    struct vhost_memory *memory, *log;
    bool has_rarp;
    uint16_t mtu;
    struct rte_ether_addr mac;
    struct setup setups[VHOST_RINGS_MAX];
};

/* A message being handled. */
struct handling {
    struct vhost_message *message;
    int *fds;
    unsigned n_fds;
    struct vhost_outcome *outcome;
    char *error;
    size_t error_size;
};

uint64_t vhost_device_features(bool offloads)
{
    const uint64_t base = BIT(VIRTIO_NET_F_MRG_RXBUF) | BIT(VIRTIO_F_ANY_LAYOUT) | BIT(VIRTIO_NET_F_CTRL_VQ) |
                          BIT(VIRTIO_NET_F_CTRL_RX) | BIT(VIRTIO_NET_F_GUEST_ANNOUNCE) | BIT(VIRTIO_NET_F_MQ) |
                          BIT(VIRTIO_NET_F_MTU) | BIT(VIRTIO_F_VERSION_1) | BIT(VIRTIO_RING_F_INDIRECT_DESC) |
                          BIT(VIRTIO_RING_F_EVENT_IDX) | BIT(VIRTIO_F_RING_PACKED) | BIT(VIRTIO_F_IN_ORDER) | LOG_ALL |
                          PROTOCOL_FEATURES_BIT;
    const uint64_t offload = BIT(VIRTIO_NET_F_CSUM) | BIT(VIRTIO_NET_F_GUEST_CSUM) | BIT(VIRTIO_NET_F_HOST_TSO4) |
                             BIT(VIRTIO_NET_F_HOST_TSO6) | BIT(VIRTIO_NET_F_HOST_ECN) | BIT(VIRTIO_NET_F_GUEST_TSO4) |
                             BIT(VIRTIO_NET_F_GUEST_TSO6) | BIT(VIRTIO_NET_F_GUEST_ECN) | HOST_USO | VHOST_GUEST_USO;

    return base | (offloads ? offload : 0);
}

static bool refuse(const struct handling *h, const char *sentence)
{
    snprintf(h->error, h->error_size, "%s", sentence);
    return false;
}

static bool packed(const struct vhost_device *device)
{
    return device->features & BIT(VIRTIO_F_RING_PACKED);
}

/* Without the protocol's features there are no messages that enable rings. */
static bool can_run(const struct vhost_device *device, const struct setup *setup)
{
    return device->memory && setup->has_addr && setup->size > 0 && setup->started &&
           (setup->enabled || !(device->features & PROTOCOL_FEATURES_BIT));
}

/* --- rings of the port --------------------------------------------------- */

/* `len` bytes of the guest's, which start at a multiple of `align`. */
static void *find(const struct vhost_device *device, uint64_t uva, uint64_t len, unsigned align)
{
    uint8_t *at = vhost_translate_uva(vhost_memory_get(device->memory), uva, len);

    return (uintptr_t)at % align == 0 ? at : NULL;
}

static bool find_split(const struct vhost_device *device, const struct setup *setup, struct vhost_ring *ring)
{
    const uint64_t n = setup->size;

    if ((n & (n - 1)) != 0)
        return false;
    ring->desc = find(device, setup->desc, n * sizeof *ring->desc, 16);
    ring->avail = find(device, setup->avail, sizeof *ring->avail + (n + 1) * sizeof ring->avail->ring[0], 2);
    ring->used = find(device, setup->used, sizeof *ring->used + n * sizeof ring->used->ring[0] + 2, 4);
    if (!ring->desc || !ring->avail || !ring->used)
        return false;
    /* After the switch's or the guest's end in the middle of something, what counts is what the guest was given back.
     */
    ring->at = __atomic_load_n(&ring->used->idx, __ATOMIC_RELAXED);
    ring->used->flags = VRING_USED_F_NO_NOTIFY;
    return true;
}

static bool find_packed(const struct vhost_device *device, const struct setup *setup, struct vhost_ring *ring)
{
    ring->at = setup->base & 0x7fff;
    ring->avail_wrap = setup->base >> VRING_PACKED_EVENT_F_WRAP_CTR & 1;
    ring->packed_desc = find(device, setup->desc, setup->size * sizeof *ring->packed_desc, 16);
    ring->driver_event = find(device, setup->avail, sizeof *ring->driver_event, 4);
    ring->device_event = find(device, setup->used, sizeof *ring->device_event, 4);
    if (!ring->packed_desc || !ring->driver_event || !ring->device_event || ring->at >= setup->size)
        return false;
    ring->device_event->flags = VRING_PACKED_EVENT_FLAG_DISABLE;
    return true;
}

static void copy_settings(const struct vhost_device *device, const struct setup *setup, struct vhost_ring *ring)
{
    const uint64_t both = BIT(VIRTIO_NET_F_MRG_RXBUF) | BIT(VIRTIO_F_VERSION_1);

    ring->call_fd = setup->call_fd;
    ring->log = device->log && device->features & LOG_ALL ? vhost_memory_get(device->log) : NULL;
    ring->log_used = setup->log;
    ring->used_gpa = setup->log_gpa;
    ring->map = vhost_memory_get(device->memory);
    ring->packed = packed(device);
    ring->event_idx = device->features & BIT(VIRTIO_RING_F_EVENT_IDX);
    ring->mergeable = device->features & BIT(VIRTIO_NET_F_MRG_RXBUF);
    ring->offloads = device->features & BIT(VIRTIO_NET_F_CSUM);
    ring->header_len =
        device->features & both ? sizeof(struct virtio_net_hdr_mrg_rxbuf) : sizeof(struct virtio_net_hdr);
    ring->size = (uint16_t)setup->size;
}

/* Where the ring is goes with the set-up while it does not run. */
static void note_place(struct vhost_device *device, uint32_t i)
{
    const struct vhost_ring *ring = &device->rings[i];

    if (ring->map)
        device->setups[i].base = packed(device) ? ring->at | (uint32_t)ring->avail_wrap << 15 : ring->at;
}

/* Makes the port's ring, which is stopped, what was said of it. False: it cannot be that. */
static bool set_ring(struct vhost_device *device, uint32_t i)
{
    const struct setup *setup = &device->setups[i];
    struct vhost_ring *ring = &device->rings[i];
    bool found;

    note_place(device, i);
    ring->usable = false;
    ring->map = NULL;
    ring->signalled = false;
    if (!can_run(device, setup))
        return true;
    copy_settings(device, setup, ring);
    found = ring->packed ? find_packed(device, setup, ring) : find_split(device, setup, ring);
    ring->usable = found && ring->fault == VHOST_FINE;
    if (!found)
        ring->map = NULL;
    return found;
}

/* As set_ring(), for a ring that may be running. */
static bool change_ring(const struct handling *h, struct vhost_device *device, uint32_t i)
{
    bool ok;

    if (!device->rings)
        return true;
    vhost_ring_stop(&device->rings[i]);
    ok = set_ring(device, i);
    vhost_ring_go(&device->rings[i]);
    h->outcome->changed = true;
    return ok || refuse(h, "a ring that does not lie in its memory, or of a size that cannot be");
}

static void stop_all(const struct vhost_device *device)
{
    for (uint32_t i = 0; device->rings && i < VHOST_RINGS_MAX; i++)
        vhost_ring_stop(&device->rings[i]);
}

static void go_all(const struct vhost_device *device)
{
    for (uint32_t i = 0; device->rings && i < VHOST_RINGS_MAX; i++)
        vhost_ring_go(&device->rings[i]);
}

/* All rings anew, which are stopped. */
static bool set_all(struct vhost_device *device)
{
    bool ok = true;

    for (uint32_t i = 0; device->rings && i < VHOST_RINGS_MAX; i++)
        ok &= set_ring(device, i);
    return ok;
}

bool vhost_device_attach(struct vhost_device *device, struct vhost_ring *rings, char *error, size_t error_size)
{
    bool ok;

    device->rings = rings;
    stop_all(device);
    ok = set_all(device);
    go_all(device);
    if (!ok) {
        vhost_device_detach(device);
        snprintf(error, error_size, "a ring that does not lie in its memory, or of a size that cannot be");
    }
    return ok;
}

bool vhost_device_detach(struct vhost_device *device)
{
    bool held_up = false;

    stop_all(device);
    for (uint32_t i = 0; device->rings && i < VHOST_RINGS_MAX; i++) {
        struct vhost_ring *ring = &device->rings[i];

        ring->usable = false;
        ring->map = NULL;
        ring->log = NULL;
        ring->call_fd = -1;
        held_up |= ring->fault == VHOST_HELD_UP;
        ring->fault = VHOST_FINE;
    }
    go_all(device);
    device->rings = NULL;
    return held_up;
}

/* --- messages ------------------------------------------------------------ */

static bool get_features(const struct handling *h, struct vhost_device *device)
{
    h->message->u64 = device->offered;
    return true;
}

static bool set_features(const struct handling *h, struct vhost_device *device)
{
    const uint64_t wanted = h->message->u64;
    bool ok;

    if (wanted & ~device->offered)
        return refuse(h, "features that were not offered");
    if (vhost_device_is_ready(device) && (wanted ^ device->features) & ~LOG_ALL)
        return refuse(h, "other features while its rings run");
    stop_all(device);
    device->features = wanted;
    ok = set_all(device);
    go_all(device);
    h->outcome->changed = device->rings;
    return ok || refuse(h, "features that its rings are not made for");
}

static bool ignore(const struct handling *h, struct vhost_device *device)
{
    return true;
}

/* Whoever is to be told of errors, or of dirty pages, is not: the log of those is what counts. */
static bool ignore_event(const struct handling *h, struct vhost_device *device)
{
    return h->n_fds == 0 || vhost_is_eventfd(h->fds[0]) || refuse(h, "a descriptor that is no eventfd");
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static void forget_setups(struct vhost_device *device)
{
    for (uint32_t i = 0; i < VHOST_RINGS_MAX; i++) {
        close_fd(&device->setups[i].call_fd);
        device->setups[i] = (struct setup){.call_fd = -1};
    }
}

static bool reset_owner(const struct handling *h, struct vhost_device *device)
{
    stop_all(device);
    for (uint32_t i = 0; i < VHOST_RINGS_MAX; i++)
        device->setups[i].started = device->setups[i].enabled = false;
    set_all(device);
    for (uint32_t i = 0; device->rings && i < VHOST_RINGS_MAX; i++)
        device->rings[i].call_fd = -1;
    go_all(device);
    forget_setups(device);
    device->features = 0;
    h->outcome->changed = device->rings;
    return true;
}

static bool set_mem_table(const struct handling *h, struct vhost_device *device)
{
    const struct vhost_message *message = h->message;
    const uint32_t n = message->memory.n;
    struct vhost_region_wanted table[VHOST_REGIONS_MAX];
    struct vhost_memory *memory;
    bool ok;

    if (n > VHOST_REGIONS_MAX || h->n_fds != n ||
        message->size < offsetof(struct vhost_message, memory.regions[n]) - VHOST_MESSAGE_HEADER)
        return refuse(h, "a table of memory whose size, regions and descriptors do not fit together");
    for (uint32_t i = 0; i < n; i++)
        table[i] = (struct vhost_region_wanted){message->memory.regions[i].gpa, message->memory.regions[i].size,
                                                message->memory.regions[i].uva, message->memory.regions[i].offset};
    memory = vhost_memory_map(table, h->fds, n, h->error, h->error_size);
    if (!memory)
        return false;
    stop_all(device);
    h->outcome->old = device->memory;
    device->memory = memory;
    ok = set_all(device);
    go_all(device);
    h->outcome->changed = device->rings;
    return ok || refuse(h, "a table of memory in which its rings do not lie");
}

static bool set_log_base(const struct handling *h, struct vhost_device *device)
{
    struct vhost_memory *log;

    if (h->n_fds != 1)
        return refuse(h, "a log of dirty pages without a descriptor");
    log = vhost_log_map(h->fds[0], h->message->log.offset, h->message->log.size, h->error, h->error_size);
    if (!log)
        return false;
    stop_all(device);
    h->outcome->old = device->log;
    device->log = log;
    set_all(device);
    go_all(device);
    h->message->size = 0;
    return true;
}

static struct setup *setup_of(const struct handling *h, struct vhost_device *device, uint32_t index)
{
    if (index < VHOST_RINGS_MAX)
        return &device->setups[index];
    refuse(h, "a ring of a number that there is none of");
    return NULL;
}

static bool set_vring_num(const struct handling *h, struct vhost_device *device)
{
    struct setup *setup = setup_of(h, device, h->message->state.index);
    const uint32_t num = h->message->state.num;

    if (!setup)
        return false;
    if (num == 0 || num > VHOST_RING_SIZE_MAX)
        return refuse(h, "a ring of a size that cannot be");
    setup->size = num;
    return change_ring(h, device, h->message->state.index);
}

static bool set_vring_addr(const struct handling *h, struct vhost_device *device)
{
    struct setup *setup = setup_of(h, device, h->message->addr.index);

    if (!setup)
        return false;
    setup->desc = h->message->addr.desc;
    setup->used = h->message->addr.used;
    setup->avail = h->message->addr.avail;
    setup->log_gpa = h->message->addr.log;
    setup->log = h->message->addr.flags & BIT(VHOST_VRING_F_LOG);
    setup->has_addr = true;
    return change_ring(h, device, h->message->addr.index);
}

static bool set_vring_base(const struct handling *h, struct vhost_device *device)
{
    const uint32_t i = h->message->state.index;
    struct setup *setup = setup_of(h, device, i);

    if (!setup)
        return false;
    if (can_run(device, setup))
        return refuse(h, "another place in a ring that runs");
    setup->base = h->message->state.num;
    return true;
}

static bool get_vring_base(const struct handling *h, struct vhost_device *device)
{
    const uint32_t i = h->message->state.index;
    struct setup *setup = setup_of(h, device, i);

    if (!setup)
        return false;
    setup->started = false;
    if (!change_ring(h, device, i))
        return false;
    h->message->state.num = packed(device) ? (setup->base & 0xffff) | setup->base << 16 : setup->base;
    return true;
}

/* The ring that SET_VRING_KICK or _CALL is about. NULL: they cannot be so. */
static struct setup *setup_of_event(const struct handling *h, struct vhost_device *device)
{
    const bool has_fd = h->n_fds == 1;

    if (h->n_fds > 1 || has_fd == !!(h->message->u64 & VHOST_NO_FD)) {
        refuse(h, "a ring's descriptor that is not there, or there are too many");
        return NULL;
    }
    if (has_fd && !vhost_is_eventfd(h->fds[0])) {
        refuse(h, "a ring's descriptor that is no eventfd");
        return NULL;
    }
    return setup_of(h, device, h->message->u64 & VHOST_RING_MASK);
}

static bool set_vring_kick(const struct handling *h, struct vhost_device *device)
{
    struct setup *setup = setup_of_event(h, device);

    if (!setup)
        return false;
    /* Nobody needs to be woken: the rings are polled. */
    setup->started = true;
    return change_ring(h, device, h->message->u64 & VHOST_RING_MASK);
}

static bool set_vring_call(const struct handling *h, struct vhost_device *device)
{
    const uint32_t i = h->message->u64 & VHOST_RING_MASK;
    struct setup *setup = setup_of_event(h, device);
    int old;

    if (!setup)
        return false;
    /* A poll-mode thread must not wait for who reads it. */
    if (h->n_fds == 1 && fcntl(h->fds[0], F_SETFL, O_RDWR | O_NONBLOCK) != 0)
        return refuse(h, "a ring's descriptor that cannot be made non-blocking");
    old = setup->call_fd;
    setup->call_fd = -1;
    if (h->n_fds == 1) {
        setup->call_fd = h->fds[0];
        h->fds[0] = -1;
    }
    if (device->rings) {
        vhost_ring_stop(&device->rings[i]);
        device->rings[i].call_fd = setup->call_fd;
        device->rings[i].signalled = false;
        vhost_ring_go(&device->rings[i]);
    }
    close_fd(&old);
    return true;
}

static bool get_protocol_features(const struct handling *h, struct vhost_device *device)
{
    h->message->u64 = PROTOCOL_FEATURES;
    return true;
}

static bool set_protocol_features(const struct handling *h, struct vhost_device *device)
{
    if (h->message->u64 & ~PROTOCOL_FEATURES)
        return refuse(h, "features of the protocol that were not offered");
    device->protocol = h->message->u64;
    return true;
}

static bool get_queue_num(const struct handling *h, struct vhost_device *device)
{
    h->message->u64 = VHOST_PAIRS_MAX;
    return true;
}

static bool set_vring_enable(const struct handling *h, struct vhost_device *device)
{
    struct setup *setup = setup_of(h, device, h->message->state.index);

    if (!setup)
        return false;
    /* DPDK's virtio-user says this before SET_FEATURES when it finds a switch again. */
    setup->enabled = h->message->state.num;
    return change_ring(h, device, h->message->state.index);
}

static bool send_rarp(const struct handling *h, struct vhost_device *device)
{
    memcpy(&device->mac, &h->message->u64, sizeof device->mac);
    device->has_rarp = true;
    h->outcome->changed = true;
    return true;
}

static bool net_set_mtu(const struct handling *h, struct vhost_device *device)
{
    if (h->message->u64 < RTE_ETHER_MIN_MTU || h->message->u64 > UINT16_MAX)
        return refuse(h, "an MTU that cannot be");
    device->mtu = (uint16_t)h->message->u64;
    return true;
}

/* All that there is. Others, of features that are not offered (postcopy, tracking of what is in flight, IOMMU), are
 * refused like numbers that do not exist. */
static const struct {
    bool (*handle)(const struct handling *h, struct vhost_device *device);
    uint16_t size_min, size_max; /* bytes of payload */
    uint8_t fds_max;
    bool replies;
} requests[VHOST_REQUESTS] = {
    [VHOST_GET_FEATURES] = {get_features, 0, 8, 0, true},
    [VHOST_SET_FEATURES] = {set_features, 8, 8, 0, false},
    [VHOST_SET_OWNER] = {ignore, 0, 8, 0, false},
    [VHOST_RESET_OWNER] = {reset_owner, 0, 8, 0, false},
    [VHOST_SET_MEM_TABLE] = {set_mem_table, 8, VHOST_PAYLOAD_MAX, VHOST_REGIONS_MAX, false},
    [VHOST_SET_LOG_BASE] = {set_log_base, 16, 16, 1, true},
    [VHOST_SET_LOG_FD] = {ignore_event, 0, 8, 1, false},
    [VHOST_SET_VRING_NUM] = {set_vring_num, 8, 8, 0, false},
    [VHOST_SET_VRING_ADDR] = {set_vring_addr, 40, 40, 0, false},
    [VHOST_SET_VRING_BASE] = {set_vring_base, 8, 8, 0, false},
    [VHOST_GET_VRING_BASE] = {get_vring_base, 8, 8, 0, true},
    [VHOST_SET_VRING_KICK] = {set_vring_kick, 8, 8, 1, false},
    [VHOST_SET_VRING_CALL] = {set_vring_call, 8, 8, 1, false},
    [VHOST_SET_VRING_ERR] = {ignore_event, 8, 8, 1, false},
    [VHOST_GET_PROTOCOL_FEATURES] = {get_protocol_features, 0, 8, 0, true},
    [VHOST_SET_PROTOCOL_FEATURES] = {set_protocol_features, 8, 8, 0, false},
    [VHOST_GET_QUEUE_NUM] = {get_queue_num, 0, 8, 0, true},
    [VHOST_SET_VRING_ENABLE] = {set_vring_enable, 8, 8, 0, false},
    [VHOST_SEND_RARP] = {send_rarp, 8, 8, 0, false},
    [VHOST_NET_SET_MTU] = {net_set_mtu, 8, 8, 0, false},
};

bool vhost_device_expects(const struct vhost_message *header, unsigned n_fds, char *error, size_t error_size)
{
    const uint32_t request = header->request;

    if ((header->flags & VHOST_VERSION_MASK) != VHOST_VERSION || header->flags & VHOST_REPLY)
        snprintf(error, error_size, "a message that is none of the protocol's");
    else if (request >= VHOST_REQUESTS || !requests[request].handle)
        snprintf(error, error_size, "request %u, which was not offered", request);
    else if (header->size < requests[request].size_min || header->size > requests[request].size_max)
        snprintf(error, error_size, "request %u with a payload of %u bytes", request, header->size);
    else if (n_fds > requests[request].fds_max)
        snprintf(error, error_size, "request %u with %u descriptors", request, n_fds);
    else
        return true;
    return false;
}

bool vhost_device_handle(struct vhost_device *device, struct vhost_message *message, int *fds, unsigned n_fds,
                         struct vhost_outcome *outcome, char *error, size_t error_size)
{
    const struct handling h = {message, fds, n_fds, outcome, error, error_size};
    const bool ack = message->flags & VHOST_NEED_REPLY && device->protocol & VHOST_PROTOCOL_REPLY_ACK;
    const uint32_t request = message->request;

    *outcome = (struct vhost_outcome){0};
    if (requests[request].replies && request != VHOST_GET_VRING_BASE && request != VHOST_SET_LOG_BASE)
        message->size = sizeof message->u64;
    if (!requests[request].handle(&h, device))
        return false;
    outcome->reply = requests[request].replies || ack;
    if (!requests[request].replies && ack) {
        message->u64 = 0;
        message->size = sizeof message->u64;
    }
    message->flags = VHOST_VERSION | VHOST_REPLY;
    return true;
}

/* --- the device ---------------------------------------------------------- */

struct vhost_device *vhost_device_new(uint64_t features)
{
    struct vhost_device *device = calloc(1, sizeof *device);

    if (!device)
        return NULL;
    device->offered = features;
    for (uint32_t i = 0; i < VHOST_RINGS_MAX; i++)
        device->setups[i].call_fd = -1;
    return device;
}

void vhost_device_free(struct vhost_device *device)
{
    forget_setups(device);
    vhost_memory_unmap(device->memory);
    vhost_memory_unmap(device->log);
    free(device);
}

bool vhost_device_is_ready(const struct vhost_device *device)
{
    for (uint32_t i = 0; i < VHOST_RINGS_MAX; i++)
        if (can_run(device, &device->setups[i]))
            return true;
    return false;
}

uint16_t vhost_device_mtu(const struct vhost_device *device)
{
    return device->mtu;
}

int vhost_device_numa_node(const struct vhost_device *device)
{
    return device->memory ? vhost_memory_numa_node(device->memory) : -1;
}

uint64_t vhost_device_negotiated(const struct vhost_device *device)
{
    return device->features;
}

bool vhost_device_take_rarp(struct vhost_device *device, struct rte_ether_addr *mac)
{
    const bool has = device->has_rarp;

    device->has_rarp = false;
    *mac = device->mac;
    return has;
}
