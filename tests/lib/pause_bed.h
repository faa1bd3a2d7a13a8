/* A test bed for controller(pause) and NXT_RESUME, from end to end: a poll-mode thread that forwards, the switch's
 * OpenFlow server and a controller that gives back what it got, over a socket. For one test program each. */
#ifndef TESTS_UNIT_PAUSE_BED_H
#define TESTS_UNIT_PAUSE_BED_H

#include "src/openflow/codec/continuation.h"
#include "src/openflow/server/server.h"
#include "src/tables/group.h"
#include "src/tables/meter.h"
#include "tests/lib/bed_traffic.h"
#include "tests/lib/of_client.h"
#include "tests/lib/packets.h"

#define SENT_MAX 64

extern struct loop *loop;
extern struct of_server *server;
extern struct client client;
extern const char *doing; /* for the message of a test that fails */
extern unsigned n_paused; /* packets that the controller was given to resume */

/* --- the bed ------------------------------------------------------------- */

void turn(void);

void connect_as(uint8_t version);

int setup(void **state);

int teardown(void **state);

int group_setup(void **state);

int group_teardown(void **state);

void group_set(uint32_t id, enum group_type type, const char *const *texts);

uint64_t drops(enum drop_reason reason);

/* --- the controller ------------------------------------------------------ */

typedef void change_fn(struct of_packet_in *pin);

/* Waits for a packet-in. The caller frees it. */
void expect_packet_in(struct of_msg *msg);

void resume(const struct of_msg *packet_in, change_fn *change);

/* Gives back what came, if something did. */
void resume_what_came(change_fn *change);

/* --- what comes out ------------------------------------------------------ */

struct sent {
    uint32_t port, len;
    uint8_t data[256];
};
extern struct sent sent[SENT_MAX];
extern unsigned n_sent;

void drain(void);

/* Until `n` packets were sent and the controller was asked `pauses` times in all; a few turns more may bring no more.
 */
void run_until(unsigned n, unsigned pauses, change_fn *change);

#endif
