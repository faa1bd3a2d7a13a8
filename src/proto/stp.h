/* Spanning Tree Protocol (IEEE 802.1D-1998, clause 8): one bridge of it. Names of parameters and procedures are the
 * standard's.
 *
 * It knows neither ports nor timers nor packets' headers: its user gives it the time, in microseconds of any clock that
 * does not go back, and BPDUs that came, and gets BPDUs to send. Control thread, or any one thread.
 *
 * What operators see of it (names, defaults, ranges) is as in Open vSwitch: ovs-vswitchd.conf.db(5), Bridge and Port,
 * "Spanning Tree Configuration".
 */
#ifndef SRC_PROTO_STP_H
#define SRC_PROTO_STP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "src/proto/stp_bpdu.h"

#define STP_PORTS_MAX 255
#define STP_NAME_MAX 64

/* 8.4 */
enum stp_state { STP_DISABLED, STP_BLOCKING, STP_LISTENING, STP_LEARNING, STP_FORWARDING };
const char *stp_state_name(enum stp_state state); /* "blocking" */
enum stp_role { STP_ROLE_DISABLED, STP_ROLE_ROOT, STP_ROLE_DESIGNATED, STP_ROLE_ALTERNATE };
const char *stp_role_name(enum stp_role role); /* "root" */

/* Times are brought to what the standard allows (8.10.2): the hello time to 1 to 10 s; the maximum age to 6 to 40 s,
 * and at least 2 * (hello time + 1 s); the forward delay to at most 30 s, and at least half the maximum age + 1 s. */
struct stp_config {
    uint8_t mac[6];
    uint16_t priority;
    uint32_t hello_ms, max_age_ms, forward_delay_ms; /* that this bridge wants if it is the root */
};

struct stp_port_config {
    uint8_t number; /* 1 .. STP_PORTS_MAX; no other port of the bridge has it */
    uint8_t priority;
    uint16_t path_cost; /* at least 1 */
};
/* The path cost of a link of that speed, 0: not known (8.10.2, as of 802.1D-1998, table 8-5). */
uint16_t stp_path_cost(uint32_t speed_mbps);

struct stp_user {
    void *arg;
    /* Sends a BPDU, which follows an LLC header, by a port; at once. */
    void (*send)(void *arg, void *port, const uint8_t *bpdu, size_t len);
    /* The port's state is different. Must not add or remove ports. */
    void (*state_changed)(void *arg, void *port);
    /* Learned addresses are to be forgotten: the tree is another (8.5.1.10). Open vSwitch forgets at once, instead of
     * in a forward delay. */
    void (*flush)(void *arg);
    /* stp_due_us() may be another. Called after any change, the last of all. */
    void (*delayed)(void *arg);
};

struct stp_port {
    void *port; /* names it; the user's */
    char name[STP_NAME_MAX];
    uint16_t id; /* priority << 8 | number (8.5.5.1) */
    enum stp_state state;
    enum stp_state told;
    uint32_t path_cost;
    uint64_t designated_root; /* 8.5.5.4 and so on */
    uint32_t designated_cost;
    uint64_t designated_bridge;
    uint16_t designated_port;
    bool topology_change_ack, config_pending;
    /* When the timers began (8.5.6); UINT64_MAX: they do not run. */
    uint64_t message_age_us, forward_delay_us, hold_us;
    uint64_t state_since_us;
    uint64_t n_tx, n_rx, n_bad;
    uint64_t faults[STP_N_FAULTS];
    TAILQ_ENTRY(stp_port) node;
};

/* For reading; the functions below change it. */
struct stp {
    struct stp_config config;
    struct stp_user user;
    uint64_t bridge_id; /* 8.5.3.7 */
    uint64_t designated_root;
    uint32_t root_path_cost;
    struct stp_port *root_port;                                           /* NULL: this bridge is the root */
    uint64_t max_age_us, hello_us, forward_delay_us;                      /* in use: the root's */
    uint64_t bridge_max_age_us, bridge_hello_us, bridge_forward_delay_us; /* this bridge's */
    bool topology_change_detected, topology_change;
    uint64_t hello_timer_us, tcn_timer_us, topology_change_timer_us; /* as above (8.5.4) */
    TAILQ_HEAD(stp_ports, stp_port) ports;                           /* by number */
    uint64_t now_us;
    bool owes_flush;
};

/* A bridge without ports, which is the root. Never NULL: without memory the process ends. */
struct stp *stp_create(const struct stp_config *config, const struct stp_user *user, uint64_t now_us);
void stp_destroy(struct stp *stp); /* tells nobody */
void stp_configure(struct stp *stp, const struct stp_config *config, uint64_t now_us);

/* A port is disabled at first. One that is there already is changed. */
void stp_add(struct stp *stp, void *port, const char *name, const struct stp_port_config *config, uint64_t now_us);
void stp_remove(struct stp *stp, const void *port, uint64_t now_us);
/* Its link is up, or not: then it is disabled. */
void stp_set_link(struct stp *stp, const void *port, bool up, uint64_t now_us);
const struct stp_port *stp_find(const struct stp *stp, const void *port); /* NULL: there is none */

/* What came by a port behind the LLC header. What is wrong with it is counted. */
enum stp_fault stp_receive(struct stp *stp, const void *port, const uint8_t *bytes, size_t len, uint64_t now_us);
/* Counts a frame that is none for stp_receive(). */
void stp_note_fault(struct stp *stp, const void *port, enum stp_fault fault);
/* Does what is due; when it is to be called next. UINT64_MAX: no time is set. */
void stp_run(struct stp *stp, uint64_t now_us);
uint64_t stp_due_us(const struct stp *stp);
/* As if the tree had changed (for operators). */
void stp_detect_change(struct stp *stp, uint64_t now_us);

bool stp_is_root(const struct stp *stp);
enum stp_role stp_role(const struct stp *stp, const struct stp_port *p);

#endif
