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

/* Runs the server once; the test defines it. */
static void turn(void);

#ifndef CLIENT_TURNS
#define CLIENT_TURNS 20000 /* then the test has failed */
#endif

static inline void client_init(struct client *client, int fd)
{
    client->fd = fd;
    client->version = 0;
    client->len = 0;
    client->header = (struct of_header){0};
}

static inline void client_connect(struct client *client, const char *path)
{
    struct sockaddr_un sun = {.sun_family = AF_UNIX};

    strcpy(sun.sun_path, path);
    client_init(client, socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    assert_return_code(connect(client->fd, (void *)&sun, sizeof sun), errno);
}

static inline void client_write(struct client *client, const void *data, size_t len)
{
    for (size_t done = 0, tries = 0; done < len;) {
        ssize_t n = send(client->fd, (const char *)data + done, len - done, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n > 0)
            done += n;
        else
            assert_true(errno == EAGAIN && tries++ < CLIENT_TURNS);
        if (done < len)
            turn();
    }
}

static inline void client_send(struct client *client, const struct of_msg *msg)
{
    struct of_buf buf = {0};
    struct of_msg copy = *msg;

    copy.version = client->version;
    of_msg_encode(&copy, &buf);
    client_write(client, buf.data, buf.len);
    of_buf_free(&buf);
}

static inline void client_send_empty(struct client *client, enum of_msg_type type, uint32_t xid)
{
    const struct of_msg msg = {.type = type, .xid = xid};

    client_send(client, &msg);
}

/* One look: -1 = the server closed, 0 = nothing whole, 1 = client->message is the next. */
static inline int client_poll(struct client *client)
{
    ssize_t n = recv(client->fd, client->data + client->len, sizeof client->data - client->len, MSG_DONTWAIT);

    if (n > 0)
        client->len += n;
    if (client->len >= OF_HEADER_LEN) {
        of_header_parse(client->data, &client->header);
        size_t len = client->header.length;
        if (client->len >= len) {
            memcpy(client->message, client->data, len);
            client->len -= len;
            memmove(client->data, client->data + len, client->len);
            return 1;
        }
    }
    return n == 0 || (n < 0 && errno == ECONNRESET) ? -1 : 0;
}

/* The next message, or -1 if the server closed. */
static inline int client_next(struct client *client)
{
    int got = 0;

    for (int i = 0; i < CLIENT_TURNS && !(got = client_poll(client)); i++)
        turn();
    assert_int_not_equal(got, 0);
    return got;
}

/* The next message decoded; it must be of that type. The caller frees it. */
static inline void client_expect(struct client *client, enum of_msg_type type, struct of_msg *msg)
{
    assert_int_equal(client_next(client), 1);
    assert_int_equal(of_msg_decode(client->message, client->header.length, NULL, msg), 0);
    assert_string_equal(of_msg_type_name(msg->type), of_msg_type_name(type));
}

/* The next message is that error; OpenFlow 1.0 has no numbers for those of bundles. */
static inline void client_expect_error(struct client *client, enum of_error error, uint32_t xid)
{
    struct of_msg msg;

    client_expect(client, OF_ERROR, &msg);
    if (client->version != OF10 || error < OFPERR_BFC_UNKNOWN)
        assert_string_equal(of_error_name(msg.error.error), of_error_name(error));
    assert_int_equal(msg.xid, xid);
    of_msg_free(&msg);
}

static inline void client_expect_closed(struct client *client)
{
    while (client_next(client) > 0)
        ;
}

/* No message although the server has had its chance. */
static inline void client_expect_nothing(struct client *client)
{
    for (int i = 0; i < 20; i++) {
        turn();
        assert_int_equal(client_poll(client), 0);
    }
}

/* Says hello in `version` and takes the server's. */
static inline void client_hello(struct client *client, uint8_t version)
{
    struct of_buf buf = {0};
    struct of_msg msg;

    of_hello_encode(1u << version, 0, &buf);
    client_write(client, buf.data, buf.len);
    of_buf_free(&buf);
    client_expect(client, OF_HELLO, &msg);
    of_msg_free(&msg);
    client->version = version;
    turn();
}

static inline void client_barrier(struct client *client)
{
    struct of_msg msg;

    client_send_empty(client, OF_BARRIER_REQUEST, 0xba);
    client_expect(client, OF_BARRIER_REPLY, &msg);
    assert_int_equal(msg.xid, 0xba);
    of_msg_free(&msg);
}

static inline void client_close(struct client *client)
{
    close(client->fd);
    for (int i = 0; i < 5; i++)
        turn();
}

#endif
