/* The parts of the test caches for each other: what it is tested with, the answers, and what they have to be.
 *
 *   caches_test.c     rounds, and a packet of them
 *   caches_world.c    random rules, groups and bridges, and how they change
 *   caches_tunnels.c  tunnels between them
 *   caches_bonds.c    bonds, VLANs and spanning trees
 *   caches_answers.c  what becomes of a packet through the caches, and by a translation of its own
 *   caches_expect.c   whether that is the same, and what the oracle says
 */
#ifndef TESTS_PROPERTY_CACHES_IMPL_H
#define TESTS_PROPERTY_CACHES_IMPL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "src/upcall/flows_impl.h"
#include "tests/lib/bed.h"
#include "tests/lib/packets.h"
#include "tests/property/oracle.h"
#include "tests/property/random.h"

struct caches {
    struct rte_mempool *pool;
    struct bed bed;
    struct oracle oracle;
    /* bed.bridge, and in some rounds others that are joined to it and to each other. */
    struct bridge *bridges[ORACLE_BRIDGES];
    unsigned n_bridges;
    uint32_t last_index;                          /* of the devices */
    bool mpls, learning, tunnels, mirrors, bonds; /* of this round */

    /* The packet in hand. */
    struct flow flow;
    char what[2048]; /* said when it fails */
    bool failed;     /* a translation gave up */
    bool taught;     /* it changed rules */
    bool many;       /* it went round more often than is followed */
    bool nested;     /* a tunnel went through another */
    struct events cached_events, fresh_events, apart_events;

    struct xlate_out fresh; /* of translations of its own */
    struct {
        uint64_t bonded, mirrored, patched, pushed, popped, came_out, apart;
        uint64_t packets, hits, checked, changes, sent, indexed, paused, came_back;
    } totals;
};
extern struct caches caches;

/* Says what translation does with the packet, and fails. */
#define FAIL(...)                                                                                                      \
    do {                                                                                                               \
        caches_explain();                                                                                              \
        fail_msg(__VA_ARGS__);                                                                                         \
    } while (0)

/* --- caches_world.c ------------------------------------------------------ */

/* A bed with n_bridges bridges, random groups and `n_rules` random rules; the oracle knows them. */
void world_create(const struct bed_params *params, unsigned n_rules);
void world_destroy(void);
/* Changes a rule, a group, a port, a cable or an address table. */
void world_change(void);
/* The oracle takes over what was learned. */
void world_sync_macs(void);
/* The rule with this cookie, as text. */
const char *world_rule_text(uint64_t cookie);

/* --- caches_tunnels.c ---------------------------------------------------- */

/* After bridges with their ports were made; before bridges are destroyed, and after. */
void tunnels_create_all(void);
void tunnels_destroy_ports(void);
void tunnels_destroy_all(void);
/* A neighbour moves. */
void tunnels_change(void);
/* Has a translation know of them, if there are any. */
void tunnels_to(struct xlate_in *in);
/* Fills in what outer headers said. Returns the tunnel port that the packet came in by. */
struct bridge_port *tunnels_receive(struct packet_meta *meta);
/* Makes `m` an outer packet for the host. Returns the port that it comes in by. */
struct bridge_port *tunnels_outer_packet(struct rte_mbuf *m);

/* --- caches_bonds.c ------------------------------------------------------ */

/* After bridges with their ports were made; before bridges are destroyed. */
void bonds_create(void);
void bonds_destroy(void);
/* A bond changes, or gets and loses members; or the VLANs or the spanning tree state of a port do. */
void bonds_change(void);

/* --- caches_answers.c ---------------------------------------------------- */

/* The key of the packet with what surrounds it. */
void key_of(struct rte_mbuf *m, uint32_t in_port, uint32_t recirc_id, struct flow *flow);
/* Fills caches.cached_events, and caches.fresh_events. */
void answer_through_caches(const struct rte_mbuf *m, uint32_t in_port);
void answer_by_translation(const struct rte_mbuf *m, uint32_t in_port);
/* Fills caches.apart_events: as answer_by_translation(), but outer packets of tunnels are parsed and looked up for
 * themselves. */
void answer_apart(const struct rte_mbuf *m, uint32_t in_port);
/* A packet that teaches one bridge two things answers differently each time, as the table goes to and fro. Of what
 * NORMAL learned since taught_clear(). */
bool taught_different_things(void);
void taught_clear(void);

/* --- caches_expect.c ----------------------------------------------------- */

void caches_explain(void);
/* Takes the tags off a copy of the packet and parses the rest, and the frames that PBB headers hide. */
void parse_apart(const struct rte_mbuf *m, uint32_t in_port, struct oracle_packet *p);
void expect_same_events(void);
void expect_what_the_rules_say(void);
/* What is sent with tunnels composed into one program is what is sent with each outer packet looked up. */
void expect_same_apart(void);

#endif
