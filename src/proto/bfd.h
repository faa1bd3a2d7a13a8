/* Bidirectional Forwarding Detection (RFC 5880): one session, asynchronous mode, without authentication and echo.
 *
 * The session knows neither ports nor timers nor packets' headers: its user gives it the time, in microseconds of any
 * clock that does not go back, and control packets that came, and gets control packets to send. It sets no demand mode
 * of its own, but obeys that of the other end (RFC 5880, 6.6). Control thread, or any one thread.
 *
 * What operators see of it (names, defaults, decay, forwarding_if_rx) is as in Open vSwitch: ovs-vswitchd.conf.db(5),
 * Interface.bfd.
 */
#ifndef SRC_PROTO_BFD_H
#define SRC_PROTO_BFD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BFD_PACKET_LEN 24 /* bytes of a control packet (RFC 5880, 4.1) */

/* RFC 5880, 4.1: Sta. */
enum bfd_state { BFD_ADMIN_DOWN, BFD_DOWN, BFD_INIT, BFD_UP };

/* RFC 5880, 4.1: Diag. */
enum bfd_diag {
    BFD_DIAG_NONE,
    BFD_DIAG_EXPIRED,
    BFD_DIAG_ECHO_FAILED,
    BFD_DIAG_NEIGHBOR_DOWN,
    BFD_DIAG_FORWARDING_RESET,
    BFD_DIAG_PATH_DOWN,
    BFD_DIAG_CONCATENATED_PATH_DOWN,
    BFD_DIAG_ADMIN_DOWN,
    BFD_DIAG_REVERSE_PATH_DOWN,
};

/* The bits beside the state in the second byte of a control packet. */
#define BFD_FLAG_MULTIPOINT 0x01
#define BFD_FLAG_DEMAND 0x02
#define BFD_FLAG_AUTHENTICATION 0x04
#define BFD_FLAG_INDEPENDENT 0x08 /* of the control plane */
#define BFD_FLAG_FINAL 0x10
#define BFD_FLAG_POLL 0x20

/* Why a packet was discarded. X(symbol, "name", "what is wrong with it"); those up to CHECKSUM by bfd_frame_parse(). */
#define BFD_FAULTS(X)                                                                                                  \
    X(BFD_FAULT_NO_UDP, "no_udp", "no whole IPv4 and UDP header, or a fragment")                                       \
    X(BFD_FAULT_TTL, "ttl", "the TTL is not 255: it came through a router (RFC 5881, 5)")                              \
    X(BFD_FAULT_CHECKSUM, "checksum", "the checksum of IP or UDP is wrong")                                            \
    X(BFD_FAULT_SHORT, "short", "shorter than a control packet, or than it says")                                      \
    X(BFD_FAULT_VERSION, "version", "the version is not 1")                                                            \
    X(BFD_FAULT_MULTIPLIER, "multiplier", "the detection multiplier is 0")                                             \
    X(BFD_FAULT_MULTIPOINT, "multipoint", "the bit Multipoint is set")                                                 \
    X(BFD_FAULT_MY_DISCRIMINATOR, "my_discriminator", "the sender's discriminator is 0")                               \
    X(BFD_FAULT_YOUR_DISCRIMINATOR, "your_discriminator", "it is for another session")                                 \
    X(BFD_FAULT_AUTHENTICATION, "authentication", "it is authenticated, and the session is not")

enum bfd_fault {
    BFD_OK,
#define X(symbol, name, doc) symbol,
    BFD_FAULTS(X)
#undef X
        BFD_N_FAULTS
};
const char *bfd_fault_name(enum bfd_fault fault); /* "ok", or the name above */
const char *bfd_fault_text(enum bfd_fault fault); /* what is wrong */

struct bfd_config {
    uint32_t min_tx_us; /* packets are sent no faster; at least 1 */
    uint32_t min_rx_us; /* ... and wanted no faster; at least 1 */
    /* While Up, min_rx if next to nothing is received on the port but packets of the session; 0: always min_rx_us. */
    uint32_t decay_min_rx_us;
    uint8_t mult;          /* the other end detects a failure after so many intervals; 1 .. 255 */
    bool cpath_down;       /* tells the other end that the path behind this one is down */
    bool forwarding_if_rx; /* whatever is received on the port counts as a sign of life */
};

struct bfd_user {
    void *arg;
    /* Sends a control packet, at once. */
    void (*send)(void *arg, const uint8_t packet[BFD_PACKET_LEN]);
    /* Packets that the port received so far, those of the session included. Asked for twice a second at most, and only
     * if the configuration needs it. */
    uint64_t (*rx_packets)(void *arg);
    /* The state, a diagnostic or bfd_forwarding() changed. Called when the session is done with what changed it; must
     * not destroy it. */
    void (*changed)(void *arg);
};

struct bfd;

/* A session in state Down, which sends its first packet when it is run. `discriminator` names it: not 0, no other
 * session of this system has it, and best hard to guess (RFC 5880, 6.8.1). Never NULL: without memory the process ends.
 */
struct bfd *bfd_create(const struct bfd_config *config, const struct bfd_user *user, uint32_t discriminator,
                       uint64_t now_us);
/* Tells the other end that the session ends by intention (RFC 5880, 6.8.16). Nothing is to follow but bfd_destroy(). */
void bfd_shut_down(struct bfd *bfd);
void bfd_destroy(struct bfd *bfd); /* NULL is allowed */
void bfd_configure(struct bfd *bfd, const struct bfd_config *config, uint64_t now_us);

/* The UDP payload of a packet that came for the session (RFC 5880, 6.8.6). What is wrong with it is counted, too. */
enum bfd_fault bfd_receive(struct bfd *bfd, const uint8_t *payload, size_t len, uint64_t now_us);
/* Counts a packet that bfd_frame_parse() found faulty. */
void bfd_note_fault(struct bfd *bfd, enum bfd_fault fault);
/* Does what is due. */
void bfd_run(struct bfd *bfd, uint64_t now_us);
/* When bfd_run() is to be called next; it may change with every other call. UINT64_MAX: no time is set. */
uint64_t bfd_due_us(const struct bfd *bfd);

/* Whether the session lets packets be sent over the path: it is Up, or packets come and forwarding_if_rx is set, and
 * the other end does not say that something behind it is down. */
bool bfd_forwarding(const struct bfd *bfd);
/* Has bfd_forwarding() say `value` (0, 1); -1: the truth again. */
void bfd_override_forwarding(struct bfd *bfd, int value);

struct bfd_status {
    enum bfd_state state, remote_state;
    enum bfd_diag diag, remote_diag;
    bool forwarding, cpath_down;
    uint64_t flap_count; /* how often forwarding changed, overriding apart */
    uint8_t flags, remote_flags;
    uint8_t mult, remote_mult;
    uint32_t discriminator, remote_discriminator; /* 0: not known */
    uint64_t tx_interval_us, rx_interval_us;      /* in use, without jitter */
    uint64_t min_tx_us, min_rx_us, remote_min_tx_us, remote_min_rx_us;
    uint64_t detect_us, next_tx_us, last_tx_us; /* points in time; 0: none */
    uint64_t tx_packets, rx_packets, faults[BFD_N_FAULTS];
};
void bfd_get_status(const struct bfd *bfd, struct bfd_status *status);

const char *bfd_state_name(enum bfd_state state); /* "up" */
const char *bfd_diag_text(enum bfd_diag diag);    /* "Control Detection Time Expired" */

#endif
