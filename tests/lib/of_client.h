/* An OpenFlow client of a few lines for unit tests of the server: a blocking-looking socket that runs the server's loop
 * whenever it has to wait. */
#ifndef TESTS_UNIT_OF_CLIENT_H
#define TESTS_UNIT_OF_CLIENT_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>

#include "src/openflow/codec/msg.h"

struct client {
    int fd;
    uint8_t version;
    uint8_t data[1 << 17]; /* received, not yet looked at */
    size_t len;
    uint8_t message[1 << 16]; /* the last one */
    struct of_header header;  /* of it */
};

/* Runs the server once; the test sets it. */
extern void (*client_turn)(void);

void client_init(struct client *client, int fd);

void client_connect(struct client *client, const char *path);

void client_write(struct client *client, const void *data, size_t len);

void client_send(struct client *client, const struct of_msg *msg);

void client_send_empty(struct client *client, enum of_msg_type type, uint32_t xid);

/* One look: -1 = the server closed, 0 = nothing whole, 1 = client->message is the next. */
int client_poll(struct client *client);

/* The next message, or -1 if the server closed. */
int client_next(struct client *client);

/* The next message decoded; it must be of that type. The caller frees it. */
void client_expect(struct client *client, enum of_msg_type type, struct of_msg *msg);

/* The next message is that error; OpenFlow 1.0 has no numbers for those of bundles. */
void client_expect_error(struct client *client, enum of_error error, uint32_t xid);

void client_expect_closed(struct client *client);

/* No message although the server has had its chance. */
void client_expect_nothing(struct client *client);

/* Says hello in `version` and takes the server's. */
void client_hello(struct client *client, uint8_t version);

void client_barrier(struct client *client);

void client_close(struct client *client);

#endif
