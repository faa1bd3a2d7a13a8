/* Messages of the vhost-user protocol (QEMU's docs/interop/vhost-user.rst), as far as a network device needs them. */
#ifndef PMD_VHOST_MESSAGE_H
#define PMD_VHOST_MESSAGE_H

#include <stdint.h>

#include "pmd/vhost/memory.h"

enum vhost_request {
    VHOST_GET_FEATURES = 1,
    VHOST_SET_FEATURES = 2,
    VHOST_SET_OWNER = 3,
    VHOST_RESET_OWNER = 4,
    VHOST_SET_MEM_TABLE = 5,
    VHOST_SET_LOG_BASE = 6,
    VHOST_SET_LOG_FD = 7,
    VHOST_SET_VRING_NUM = 8,
    VHOST_SET_VRING_ADDR = 9,
    VHOST_SET_VRING_BASE = 10,
    VHOST_GET_VRING_BASE = 11,
    VHOST_SET_VRING_KICK = 12,
    VHOST_SET_VRING_CALL = 13,
    VHOST_SET_VRING_ERR = 14,
    VHOST_GET_PROTOCOL_FEATURES = 15,
    VHOST_SET_PROTOCOL_FEATURES = 16,
    VHOST_GET_QUEUE_NUM = 17,
    VHOST_SET_VRING_ENABLE = 18,
    VHOST_SEND_RARP = 19,
    VHOST_NET_SET_MTU = 20,
    VHOST_REQUESTS,
};

#define VHOST_PROTOCOL_MQ (1ull << 0)
#define VHOST_PROTOCOL_LOG_SHMFD (1ull << 1)
#define VHOST_PROTOCOL_RARP (1ull << 2)
#define VHOST_PROTOCOL_REPLY_ACK (1ull << 3)
#define VHOST_PROTOCOL_NET_MTU (1ull << 4)

/* Bits of a message's `flags`. */
#define VHOST_VERSION_MASK 3u
#define VHOST_VERSION 1u
#define VHOST_REPLY (1u << 2)
#define VHOST_NEED_REPLY (1u << 3)

/* Bits of the payload of SET_VRING_KICK and SET_VRING_CALL. */
#define VHOST_RING_MASK 0xffu
#define VHOST_NO_FD (1u << 8)

struct vhost_message {
    uint32_t request, flags, size; /* size: of the payload */
    union {
        uint64_t u64;
        struct {
            uint32_t index, num;
        } state;
        struct {
            uint32_t index, flags;
            uint64_t desc, used, avail; /* addresses of the peer's process */
            uint64_t log;               /* guest-physical: of the used ring */
        } addr;
        struct {
            uint32_t n, padding;
            struct {
                uint64_t gpa, size, uva, offset;
            } regions[VHOST_REGIONS_MAX];
        } memory;
        struct {
            uint64_t size, offset;
        } log;
    };
} __attribute__((packed));

#define VHOST_MESSAGE_HEADER 12
#define VHOST_PAYLOAD_MAX (sizeof(struct vhost_message) - VHOST_MESSAGE_HEADER)
#define VHOST_FDS_MAX VHOST_REGIONS_MAX

#endif
