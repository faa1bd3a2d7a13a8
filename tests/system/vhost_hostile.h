/* What the acts of tests/system/vhost_hostile.c share. An act begins with a guest that runs, and ends the program by
 * die() if the switch does not do what is right.
 */
#ifndef TESTS_SYSTEM_VHOST_HOSTILE_H
#define TESTS_SYSTEM_VHOST_HOSTILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/lib/vhost_guest.h"

#define RING 256
#define FRAME 60
#define WAIT_MS 20000 /* a machine that has other things to do */

struct act {
    const char *name;
    void (*play)(struct guest *g);
};

extern const struct act ring_acts[], file_acts[]; /* the last has no name */

/* The switch owns the socket, rings are packed. */
extern bool server, packed;

_Noreturn void die(const char *what);

/* A connection to the switch: -1 if there is none within 5 s. */
int reach(void);
bool is_closed(int socket, int timeout_ms);
void expect_closed(struct guest *g, const char *what);

extern const uint8_t frame[FRAME];

/* A guest that is not connected; one whose driver runs; its end. */
void guest_new(struct guest *g);
void guest_run(struct guest *g);
void guest_end(struct guest *g);
/* Connects a guest that is not, and starts its driver. */
void guest_join(struct guest *g);
/* Whether the switch takes what the guest sends. */
bool is_served(struct guest *g, int timeout_ms);
/* Another guest comes, is served, and goes. */
void another_is_served(void);

#endif
