/* The control socket: JSON-RPC 1.0 as OVS's unixctl speaks it (one object a message, no framing, string parameters).
 *
 * Control thread only. A command gets its words and fills a reply with text, JSON or both: "--json" as the first word
 * asks for JSON. Commands are registered once at start and are run within one turn of the event loop; what takes longer
 * than that is a stream.
 */
#ifndef SRC_NET_CONTROL_H
#define SRC_NET_CONTROL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct evbuffer;
struct control;
struct loop;

struct control_reply;

/* The rest of a long reply: the event loop has `more` called, a little at a time and as fast as the client reads, until
 * it returns false. It adds whole lines, or with as_json elements of an array. Then, or when the client has gone,
 * `end`.
 */
struct control_stream {
    bool (*more)(void *arg, struct control_reply *reply);
    void (*end)(void *arg);
    void *arg;
};

struct connection;
struct control_deferred; /* a reply that comes later */

struct control_reply {
    struct evbuffer *text;        /* what people read; whole lines */
    json_t *json;                 /* the same for programs; NULL: made from the lines of `text` */
    bool as_json;                 /* it was asked for */
    bool failed;                  /* `text` is an error message */
    struct control_stream stream; /* more: the reply comes in pieces, neither text nor json are set at once */
    unsigned n_elements;
    bool deferred; /* by control_defer() */
    /* Who asked; for the control socket itself. */
    struct connection *connection;
    json_t *id;
};

typedef void control_fn(void *arg, int argc, const char *const *argv, struct control_reply *reply);

/* Listens on `path`, with a job of `loop` for replies in pieces; a stale socket is replaced. NULL with a sentence in
 * `error`. */
struct control *control_create(struct loop *loop, const char *path, char *error, size_t error_size);
/* Closes connections and removes the socket. */
void control_destroy(struct control *control);

/* argv[0] is the command; `min` and `max` count the words behind it. `usage` is what list-commands shows ("[bridge]").
 */
void control_register(struct control *control, const char *name, const char *usage, int min, int max, control_fn *fn,
                      void *arg);

/* The command's reply is not known yet: what it put into `reply` is dropped, and the client, or who asks behind it on
 * the same connection, waits for control_answer(), which has to be called once, before control_destroy(). */
struct control_deferred *control_defer(struct control_reply *reply);
/* `failed`: the reply is an error. Text is copied, the reference to `json` is taken (NULL: made from the lines of the
 * text). If the client has gone nothing is sent. */
void control_answer(struct control_deferred *deferred, bool failed, struct evbuffer *text, json_t *json);

/* printf into reply->text. */
void control_printf(struct control_reply *reply, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The next element of the array of a reply in pieces. Takes the reference. */
void control_element(struct control_reply *reply, json_t *element);
/* An error: sets failed and replaces the text. */
void control_fail(struct control_reply *reply, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
