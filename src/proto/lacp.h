/* Link Aggregation Control Protocol (IEEE 802.1AX-2014, clause 6): the links to one neighbour that are to be one. What
 * is found out is which of them may be used, and whether any is.
 *
 * It knows neither ports nor timers nor packets' headers: its user gives it the time, in microseconds of any clock that
 * does not go back, what links do, and PDUs that came, and gets PDUs to send. Control thread, or any one thread.
 *
 * Of what the standard leaves open, names and defaults are as in Open vSwitch: ovs-vswitchd.conf.db(5), Port.lacp.
 * There is one aggregator, which the members of the bond are attached to; the others of a neighbour that has several
 * are not used. No port is ever in standby.
 */
#ifndef SRC_PROTO_LACP_H
#define SRC_PROTO_LACP_H

#include <sys/queue.h>

#include "src/proto/lacp_pdu.h"

#define LACP_NAME_MAX 64

struct lacp_config {
    bool active;   /* sends without having heard of a neighbour */
    bool fast;     /* wants to hear of it every second */
    bool fallback; /* links without a neighbour that speaks LACP may be used while no other one can */
    uint16_t system_priority;
    uint8_t system[6];
};

struct lacp_member_config {
    uint16_t port, priority;
    uint16_t key; /* of the first member: that of all; 0: its port */
};

struct lacp_user {
    void *arg;
    /* Sends a PDU by a member's port, at once. */
    void (*send)(void *arg, void *port, const uint8_t pdu[LACP_PDU_LEN]);
    /* lacp_is_negotiated(), or lacp_may_use() of a member, is different. Must not destroy anything. */
    void (*changed)(void *arg);
    /* lacp_due_us() may be another. Called after any change, the last of all. */
    void (*delayed)(void *arg);
};

/* PDUs that may be sent in a second. */
struct lacp_allowance {
    uint64_t since_us; /* when the second began */
    unsigned n;        /* that were sent in it */
};

/* 6.4.11, of the receive machine; a link that is down is LACP_EXPIRED, then LACP_DEFAULTED. */
enum lacp_status { LACP_CURRENT, LACP_EXPIRED, LACP_DEFAULTED };
const char *lacp_status_name(enum lacp_status status); /* "current" */

struct lacp_member {
    void *port; /* names it; the user's */
    char name[LACP_NAME_MAX];
    struct lacp_member_config config;
    bool link_up;
    enum lacp_status status;
    bool attached; /* to the aggregator */
    bool usable;   /* as was last told */
    struct lacp_info partner;
    struct lacp_info heard;                      /* what the partner knows of this end */
    uint64_t rx_due_us, tx_due_us;               /* UINT64_MAX: not */
    struct lacp_allowance pdus, answers;         /* of answers to markers, so that a flood of them is none of answers */
    uint64_t n_rx, n_rx_bad, n_rx_markers, n_tx; /* PDUs */
    uint64_t n_expired, n_defaulted, n_link_changes;
    uint64_t faults[LACP_N_FAULTS];
    TAILQ_ENTRY(lacp_member) node;
};

/* For reading; the functions below change it. */
struct lacp {
    struct lacp_config config;
    struct lacp_user user;
    TAILQ_HEAD(lacp_members, lacp_member) members; /* in the order in which they joined */
    unsigned n_members;
    bool negotiated;
    bool update; /* what is attached has to be looked at again */
};

/* Never NULL: without memory the process ends. */
struct lacp *lacp_create(const struct lacp_config *config, const struct lacp_user *user);
void lacp_destroy(struct lacp *lacp);
void lacp_configure(struct lacp *lacp, const struct lacp_config *config, uint64_t now_us);
/* A member that is there already is changed. */
void lacp_join(struct lacp *lacp, void *port, const char *name, const struct lacp_member_config *config, bool link_up,
               uint64_t now_us);
void lacp_leave(struct lacp *lacp, const void *port, uint64_t now_us);
void lacp_set_link(struct lacp *lacp, const void *port, bool up, uint64_t now_us);

/* What came by a member's port, behind the Ethernet type. What is wrong with it is counted. */
enum lacp_fault lacp_receive(struct lacp *lacp, const void *port, const uint8_t *bytes, size_t len, uint64_t now_us);
/* Counts a frame that is none for lacp_receive(). */
void lacp_note_fault(struct lacp *lacp, const void *port, enum lacp_fault fault);
/* Does what is due; when it is to be called next. UINT64_MAX: no time is set. */
void lacp_run(struct lacp *lacp, uint64_t now_us);
uint64_t lacp_due_us(const struct lacp *lacp);

/* Whether there is a neighbour that the links are aggregated with. */
bool lacp_is_negotiated(const struct lacp *lacp);
/* Whether packets may be sent by a member: it is attached, and the neighbour says the same. */
bool lacp_may_use(const struct lacp *lacp, const struct lacp_member *m);
/* Does the member know of its neighbour, be it not the newest? Open vSwitch's Interface.lacp_current. */
bool lacp_is_current(const struct lacp_member *m);
const struct lacp_member *lacp_find(const struct lacp *lacp, const void *port); /* NULL: it is no member */
/* What the member says of itself in PDUs; the key of all. */
void lacp_actor(const struct lacp *lacp, const struct lacp_member *m, struct lacp_info *actor);
uint16_t lacp_key(const struct lacp *lacp);

#endif
