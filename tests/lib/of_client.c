#include "tests/lib/of_client.h"

#include <time.h>

/* Seconds without what is waited for, and the test has failed: what is to come may be another thread's business, which
 * has to get a processor first. */
#define PATIENCE_S 60

void (*client_turn)(void);

/* Of the kernel's clock, whatever the test has made of clock_now_ms(). */
static time_t patience_end(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec + PATIENCE_S;
}

static bool is_over(time_t end)
{
    return patience_end() - PATIENCE_S > end;
}

void client_init(struct client *client, int fd)
{
    client->fd = fd;
    client->version = 0;
    client->len = 0;
    client->header = (struct of_header){0};
}

void client_connect(struct client *client, const char *path)
{
    struct sockaddr_un sun = {.sun_family = AF_UNIX};

    strcpy(sun.sun_path, path);
    client_init(client, socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    assert_return_code(connect(client->fd, (void *)&sun, sizeof sun), errno);
}

void client_write(struct client *client, const void *data, size_t len)
{
    const time_t end = patience_end();

    for (size_t done = 0; done < len;) {
        ssize_t n = send(client->fd, (const char *)data + done, len - done, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n > 0)
            done += n;
        else
            assert_true(errno == EAGAIN && !is_over(end));
        if (done < len)
            client_turn();
    }
}

void client_send(struct client *client, const struct of_msg *msg)
{
    struct of_buf buf = {0};
    struct of_msg copy = *msg;

    copy.version = client->version;
    of_msg_encode(&copy, &buf);
    client_write(client, buf.data, buf.len);
    of_buf_free(&buf);
}

void client_send_empty(struct client *client, enum of_msg_type type, uint32_t xid)
{
    const struct of_msg msg = {.type = type, .xid = xid};

    client_send(client, &msg);
}

int client_poll(struct client *client)
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

int client_next(struct client *client)
{
    const time_t end = patience_end();
    int got;

    while (!(got = client_poll(client)) && !is_over(end))
        client_turn();
    assert_int_not_equal(got, 0);
    return got;
}

void client_expect(struct client *client, enum of_msg_type type, struct of_msg *msg)
{
    assert_int_equal(client_next(client), 1);
    assert_int_equal(of_msg_decode(client->message, client->header.length, NULL, msg), 0);
    assert_string_equal(of_msg_type_name(msg->type), of_msg_type_name(type));
}

void client_expect_error(struct client *client, enum of_error error, uint32_t xid)
{
    struct of_msg msg;

    client_expect(client, OF_ERROR, &msg);
    if (client->version != OF10 || error < OFPERR_BFC_UNKNOWN)
        assert_string_equal(of_error_name(msg.error.error), of_error_name(error));
    assert_int_equal(msg.xid, xid);
    of_msg_free(&msg);
}

void client_expect_closed(struct client *client)
{
    while (client_next(client) > 0)
        ;
}

void client_expect_nothing(struct client *client)
{
    for (int i = 0; i < 20; i++) {
        client_turn();
        assert_int_equal(client_poll(client), 0);
    }
}

void client_hello(struct client *client, uint8_t version)
{
    struct of_buf buf = {0};
    struct of_msg msg;

    of_hello_encode(1u << version, 0, &buf);
    client_write(client, buf.data, buf.len);
    of_buf_free(&buf);
    client_expect(client, OF_HELLO, &msg);
    of_msg_free(&msg);
    client->version = version;
    client_turn();
}

void client_barrier(struct client *client)
{
    struct of_msg msg;

    client_send_empty(client, OF_BARRIER_REQUEST, 0xba);
    client_expect(client, OF_BARRIER_REPLY, &msg);
    assert_int_equal(msg.xid, 0xba);
    of_msg_free(&msg);
}

void client_close(struct client *client)
{
    close(client->fd);
    for (int i = 0; i < 5; i++)
        client_turn();
}
