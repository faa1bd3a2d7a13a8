/* A guest of a vhost-user port for tests and measurements: the memory, the rings and the driver's side of them, and the
 * messages by which a virtual machine passes all of it to a switch. No thread, nothing of DPDK. What the rings say can
 * be made wrong by whoever has the struct.
 */
#ifndef TESTS_LIB_VHOST_GUEST_H
#define TESTS_LIB_VHOST_GUEST_H

#include <linux/virtio_net.h>
#include <linux/virtio_ring.h>
#include <stdbool.h>
#include <stdint.h>
#include <stddef.h>

#define GUEST_GPA 0x40000000ull /* of the first byte of its memory */
#define GUEST_MEMORY (16u << 20)
#define GUEST_RINGS 4
#define GUEST_RING_MAX 1024
#define GUEST_BUFFER 2048
#define GUEST_HEADER 12 /* struct virtio_net_hdr_mrg_rxbuf */

struct guest_ring {
    uint16_t size;
    bool packed, receives;
    struct vring_desc *desc;
    struct vring_avail *avail;
    struct vring_used *used;
    struct vring_packed_desc *packed_desc;
    struct vring_packed_desc_event *driver_event, *device_event;
    uint8_t *buffers; /* one a slot */
    uint32_t buffer_size;
    uint16_t next, last; /* split: counting on; packed: slots */
    bool next_wrap, last_wrap;
    uint16_t in_use;
    int kick, call;
};

struct guest {
    int memory_fd, socket;
    uint8_t *memory;
    bool packed;
    uint64_t features; /* wanted besides those of guest_features(); after guest_start() what there is of them */
    uint16_t n_rings;
    struct guest_ring rings[GUEST_RINGS];
};

/* --- memory and rings ---------------------------------------------------- */

/* Of an address in its memory. */
uint64_t guest_gpa(const struct guest *g, const void *p);

/* Memory and `n_rings` rings of `size`; an even one receives. The buffers of the others have `send_buffer` bytes. */
bool guest_make_for(struct guest *g, uint16_t n_rings, uint16_t size, bool packed, uint32_t send_buffer);

bool guest_make(struct guest *g, uint16_t n_rings, uint16_t size, bool packed);

uint8_t *guest_buffer(const struct guest_ring *r, uint16_t slot);

/* Makes the next slot's buffer available, `len` bytes; visible with guest_publish(). */
void guest_offer(const struct guest *g, struct guest_ring *r, uint32_t len, uint16_t *first_flags);

/* What was offered since slot `first` (r->next as it was) is the device's. */
void guest_publish(struct guest_ring *r, uint16_t first, uint16_t first_flags);

/* The next buffer that the device has used: its slot, or -1. */
int guest_used(struct guest_ring *r, uint32_t *len);

/* Gives a receiving ring all its buffers. */
void guest_fill(const struct guest *g, struct guest_ring *r);

/* Sends up to `n` copies of a frame, with `seq` and the numbers that follow in its last 4 bytes. Returns how many. */
unsigned guest_send(const struct guest *g, struct guest_ring *r, const void *frame, uint32_t len, uint32_t seq,
                    unsigned n);

/* The next frame that was received: its length, 0 = none. It is in the buffer until guest_fill(). */
uint32_t guest_receive(struct guest_ring *r, const uint8_t **frame);

/* --- messages ------------------------------------------------------------ */

enum guest_request {
    GUEST_GET_FEATURES = 1,
    GUEST_SET_FEATURES = 2,
    GUEST_SET_OWNER = 3,
    GUEST_SET_MEM_TABLE = 5,
    GUEST_SET_LOG_BASE = 6,
    GUEST_SET_LOG_FD = 7,
    GUEST_SET_VRING_NUM = 8,
    GUEST_SET_VRING_ADDR = 9,
    GUEST_SET_VRING_BASE = 10,
    GUEST_GET_VRING_BASE = 11,
    GUEST_SET_VRING_KICK = 12,
    GUEST_SET_VRING_CALL = 13,
    GUEST_SET_VRING_ERR = 14,
    GUEST_GET_PROTOCOL_FEATURES = 15,
    GUEST_SET_PROTOCOL_FEATURES = 16,
    GUEST_SET_VRING_ENABLE = 18,
    GUEST_POSTCOPY_ADVISE = 28,
    GUEST_POSTCOPY_LISTEN = 29,
    GUEST_GET_INFLIGHT_FD = 31,
};

struct guest_message {
    uint32_t request, flags, size;
    union {
        uint64_t u64;
        struct {
            uint32_t index, num;
        } state;
        struct {
            uint32_t index, flags;
            uint64_t desc, used, avail, log;
        } addr;
        struct {
            uint32_t n, padding;
            struct {
                uint64_t gpa, size, uva, offset;
            } regions[8];
        } memory;
        struct {
            uint64_t size, offset;
        } log;
        struct {
            uint64_t size, offset;
            uint16_t queues, queue_size;
        } inflight;
    };
} __attribute__((packed));

#define GUEST_MESSAGE_HEADER 12
#define GUEST_VERSION 1u
#define GUEST_NEED_REPLY 8u

/* Sends the first `len` bytes of a message with descriptors. */
bool guest_say_bytes(int socket, const void *message, size_t len, const int *fds, unsigned n_fds);

bool guest_say(int socket, struct guest_message *message, uint32_t size, const int *fds, unsigned n_fds);

/* Waits for an answer up to `timeout_ms`. */
bool guest_hear(int socket, struct guest_message *message, int timeout_ms);

bool guest_ask(int socket, enum guest_request request, uint64_t *answer);

bool guest_tell(int socket, enum guest_request request, uint64_t value);

bool guest_tell_ring(int socket, enum guest_request request, uint32_t ring, uint32_t num);

bool guest_give_fd(int socket, enum guest_request request, uint32_t ring, int fd);

bool guest_tell_memory(const struct guest *g);

bool guest_tell_addresses(const struct guest *g, uint32_t ring);

/* The features that are wanted of those that the switch offers. */
uint64_t guest_features(const struct guest *g);

/* All that a virtual machine says from the start until its driver runs. */
bool guest_start(struct guest *g);

/* A connection to the switch's socket, or a socket for the switch to connect to, whose file is made anew: -1 with
 * errno. */
int guest_connect(const char *path);
int guest_listen(const char *path);

/* --- of the programs that play guests ------------------------------------ */

/* Of a clock that only goes forward. */
uint64_t guest_now_us(void);

/* Ends the program: its name, `what` and errno are told. */
_Noreturn void guest_die(int status, const char *what);

#endif
