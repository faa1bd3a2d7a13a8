/* A bond: several links to one neighbour that are one Port (lport.h). Which of its members may be used, which one a
 * packet is sent by, and from which ones packets are taken. Control thread only.
 *
 * The bond knows no ports and no packets: its user says what the links do and what time it is, in milliseconds of any
 * clock that does not go back, and hears of what changed. So a test runs it through hours in no time.
 *
 * Modes, delays, and what operators see of it are as in Open vSwitch: ovs-vswitchd.conf.db(5), table Port, "Bonding
 * Configuration".
 */
#ifndef SRC_BRIDGE_BOND_H
#define SRC_BRIDGE_BOND_H

#include <rte_ether.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#define BOND_BUCKETS 256 /* flows are spread over so many, and each of those is with one member */
#define BOND_NAME_MAX 64

enum bond_mode {
    BOND_ACTIVE_BACKUP, /* one member carries everything */
    BOND_BALANCE_SLB,   /* by source address and VLAN; the neighbour knows of no bond */
    BOND_BALANCE_TCP,   /* by addresses and ports of flows; needs LACP */
};
const char *bond_mode_name(enum bond_mode mode); /* "balance-slb" */

/* What LACP says of the bond as a whole. */
enum bond_lacp { BOND_LACP_OFF, BOND_LACP_CONFIGURED, BOND_LACP_NEGOTIATED };
const char *bond_lacp_name(enum bond_lacp lacp); /* "off", "configured", "negotiated" */

struct bond_config {
    enum bond_mode mode;
    uint32_t up_delay_ms, down_delay_ms; /* from a link's change to when it counts */
    uint32_t rebalance_ms;               /* between two looks at loads; 0: never */
    uint32_t basis;                      /* of hashes */
    bool fallback;                       /* active-backup while LACP is on and no neighbour speaks it; else: nothing */
    bool all_members_active;             /* BOND_BALANCE_SLB: group addresses are taken from any member */
    char primary[BOND_NAME_MAX];         /* the member that is active whenever it can be; "": none */
};

struct bond_user {
    void *arg;
    /* What the functions under "packets" say is different. */
    void (*changed)(void *arg);
    /* bond_due_ms() may be another. Called after any change, the last of all. */
    void (*delayed)(void *arg);
    /* The neighbours' tables are wrong: stations behind other Ports are to be announced, if bond_announces(). */
    void (*announce)(void *arg);
};

struct bond_member {
    void *port; /* names it; the user's */
    char name[BOND_NAME_MAX];
    struct rte_ether_addr mac;
    bool up;          /* as the user says */
    bool enabled;     /* packets are sent by it */
    bool by_hand;     /* ... as an operator said, until `up` changes */
    uint64_t due_ms;  /* when it becomes enabled or disabled, if `up` stays; UINT64_MAX: never */
    uint64_t load;    /* while loads are compared: of its buckets */
    unsigned n_loads; /* ... and of how many of them */
    bool full;        /* ... nothing can be taken from it usefully */
    TAILQ_ENTRY(bond_member) node;
};

struct bond_bucket {
    struct bond_member *member; /* enabled, or NULL: there is none */
    uint64_t bytes;             /* sent; what is older counts less */
    bool used;                  /* flows are with `member`: it stays there when another one comes */
    bool moved;                 /* while loads are compared: just now */
};

/* For reading; the functions below change it. */
struct bond {
    char name[BOND_NAME_MAX];
    struct bond_config config;
    struct bond_user user;
    enum bond_lacp lacp;
    TAILQ_HEAD(bond_members, bond_member) members; /* by name */
    unsigned n_enabled;
    struct bond_member *active;       /* NULL: none */
    struct rte_ether_addr active_mac; /* its address when it became active; zeros: none */
    struct bond_bucket buckets[BOND_BUCKETS];
    struct bond_member *next; /* to be given a bucket */
    uint64_t rebalance_at_ms; /* bond_is_balanced() */
    bool dirty, owes_announcement;
};

/* Never NULL: without memory the process ends. */
struct bond *bond_create(const char *name, const struct bond_config *config, const struct bond_user *user,
                         uint64_t now_ms);
/* Tells nobody. */
void bond_destroy(struct bond *bond);
void bond_configure(struct bond *bond, const struct bond_config *config, uint64_t now_ms);

/* A member that is new is enabled at once if it is up. */
void bond_join(struct bond *bond, void *port, const char *name, const struct rte_ether_addr *mac, bool up,
               uint64_t now_ms);
void bond_leave(struct bond *bond, const void *port, uint64_t now_ms);
void bond_set_up(struct bond *bond, const void *port, bool up, const struct rte_ether_addr *mac, uint64_t now_ms);
void bond_set_lacp(struct bond *bond, enum bond_lacp lacp, uint64_t now_ms);
/* Does what is due; when it is to be called next, which may change with every other call. UINT64_MAX: no time is set.
 */
void bond_run(struct bond *bond, uint64_t now_ms);
uint64_t bond_due_ms(const struct bond *bond);

/* --- packets ------------------------------------------------------------- */

enum bond_way {
    BOND_NOWHERE,   /* no member may be used */
    BOND_ACTIVE,    /* by bond->active */
    BOND_BY_SOURCE, /* by bond_choose() of bond_hash_source() */
    BOND_BY_FLOW,   /* by bond_choose() of a hash of the flow, of basis bond->config.basis */
};
enum bond_way bond_way(const struct bond *bond);
uint32_t bond_hash_source(const struct rte_ether_addr *src, uint16_t vlan, uint32_t basis);
/* The member for flows of this hash, of which the low 8 bits count; NULL: none may be used. `use`: packets are going to
 * be sent there. */
struct bond_member *bond_choose(struct bond *bond, uint32_t hash, bool use);

enum bond_verdict {
    BOND_ACCEPT,
    BOND_DROP,
    BOND_DROP_IF_MOVED, /* if its source was learned on another Port: it was sent by one member and came back by another
                         */
};
/* Whether a packet that came by the member `port` is taken; `multicast`: to a group address. */
enum bond_verdict bond_admits(const struct bond *bond, const void *port, bool multicast);
/* So many bytes were sent that belong to the bucket. */
void bond_account(struct bond *bond, uint8_t bucket, uint64_t bytes);
/* Are loads compared, and buckets moved? */
bool bond_is_balanced(const struct bond *bond);
/* Is it for the bond to tell neighbours where stations are? With LACP they know. */
bool bond_announces(const struct bond *bond);

/* --- operators ----------------------------------------------------------- */

struct bond_member *bond_find(const struct bond *bond, const char *member); /* NULL: there is none of that name */
/* False: it is that already. `member` is enabled. */
bool bond_make_active(struct bond *bond, struct bond_member *member, uint64_t now_ms);
/* Without a delay, and until its link goes up or down. */
void bond_enable(struct bond *bond, struct bond_member *member, bool enable, uint64_t now_ms);
/* Moves a bucket to an enabled member. */
void bond_migrate(struct bond *bond, uint8_t bucket, struct bond_member *member);

#endif
