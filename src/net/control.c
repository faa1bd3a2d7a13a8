#include "src/net/control.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <rte_cycles.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "pmd/base/clock.h"
#include "pmd/base/log.h"
#include "pmd/base/memory.h"
#include "pmd/datapath.h"
#include "src/loop/loop.h"
#include "src/net/acceptor.h"
#include "src/net/jsonrpc.h"

#define MAX_REQUEST (1u << 20) /* bytes; a request is a few words */
#define MAX_CONNECTIONS 64
#define IDLE_MS 100 /* who asked nothing for so long may be closed for others, when descriptors are short */
#define MAX_WORDS 64
#define BUDGET_US 100            /* of replies in pieces, a turn */
#define STREAM_PIECE (16u << 10) /* bytes of a reply in pieces that are encoded at once */
#define MAX_UNREAD (64u << 10)   /* bytes of replies that a client may leave unread before it is heard again */

struct command {
    LIST_ENTRY(command) node;
    const char *name, *usage;
    int min, max;
    control_fn *fn;
    void *arg;
};

struct connection {
    TAILQ_ENTRY(connection) node;
    struct control *control;
    struct bufferevent *bev;
    bool closing; /* close once everything was written */
    struct jsonrpc_scanner scanner;
    uint64_t asked_ms;                 /* when it connected or asked last */
    struct control_reply reply;        /* stream.more: a reply in pieces is under way; requests behind it wait */
    json_t *id;                        /* of its request */
    struct control_deferred *deferred; /* a reply that comes later; requests behind it wait */
};

struct control_deferred {
    struct connection *connection; /* NULL: gone */
    json_t *id;
    bool as_json;
};

struct control {
    struct acceptor *acceptor;
    struct event_base *base;
    LIST_HEAD(, command) commands;
    TAILQ_HEAD(connections, connection) connections; /* who asked last is first */
    unsigned n_connections;
    struct loop_job job;
    bool served; /* a request was answered since the last run of `job` */
};

void control_printf(struct control_reply *reply, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    evbuffer_add_vprintf(reply->text, format, args);
    va_end(args);
}

void control_fail(struct control_reply *reply, const char *format, ...)
{
    evbuffer_drain(reply->text, evbuffer_get_length(reply->text));
    reply->failed = true;
    va_list args;
    va_start(args, format);
    evbuffer_add_vprintf(reply->text, format, args);
    va_end(args);
}

void control_element(struct control_reply *reply, json_t *element)
{
    char *dump = json_dumps(element, JSON_COMPACT);

    control_printf(reply, "%s%s", reply->n_elements++ ? ",\n  " : "[\n  ", dump ? dump : "null");
    free(dump);
    json_decref(element);
}

static void stream_free(struct connection *c)
{
    if (!c->reply.stream.more)
        return;
    c->reply.stream.end(c->reply.stream.arg);
    evbuffer_free(c->reply.text);
    json_decref(c->id);
    c->reply = (struct control_reply){0};
}

static void connection_free(struct connection *c)
{
    stream_free(c);
    if (c->deferred)
        c->deferred->connection = NULL;
    TAILQ_REMOVE(&c->control->connections, c, node);
    c->control->n_connections--;
    bufferevent_free(c->bev);
    acceptor_connection_closed(c->control->acceptor);
    free(c);
}

static struct command *find_command(struct control *control, const char *name)
{
    struct command *cmd;

    LIST_FOREACH (cmd, &control->commands, node)
        if (!strcmp(cmd->name, name))
            return cmd;
    return NULL;
}

/* Text that is JSON's to carry: not every byte that a name may hold is UTF-8. */
static json_t *string_of(struct evbuffer *text)
{
    size_t len = evbuffer_get_length(text);
    const char *data = (const char *)evbuffer_pullup(text, -1);
    json_t *s = json_stringn(data ? data : "", len);

    return s ? s : json_string("(text that is not UTF-8)\n");
}

/* {"lines": [...]} for commands that have no structure of their own. */
static json_t *lines_of(struct evbuffer *text)
{
    json_t *lines = json_array();
    char *line;

    while ((line = evbuffer_readln(text, NULL, EVBUFFER_EOL_LF))) {
        json_array_append_new(lines, json_string(line));
        free(line);
    }
    if (evbuffer_get_length(text))
        json_array_append_new(lines, string_of(text));
    return json_pack("{s:o}", "lines", lines);
}

/* For a client that asked for JSON. */
static void text_from_json(struct control_reply *reply)
{
    char *dump;

    if (!reply->json)
        reply->json = lines_of(reply->text);
    evbuffer_drain(reply->text, evbuffer_get_length(reply->text));
    dump = json_dumps(reply->json, JSON_INDENT(2));
    control_printf(reply, "%s\n", dump ? dump : "null");
    free(dump);
}

static void run_command(struct control *control, int argc, const char *const *argv, struct control_reply *reply)
{
    struct command *cmd = find_command(control, argv[0]);

    if (!cmd) {
        control_fail(reply, "\"%s\" is not a valid command (use \"list-commands\" to see a list of valid commands)",
                     argv[0]);
        return;
    }
    if (argc - 1 < cmd->min || argc - 1 > cmd->max) {
        if (!cmd->max)
            control_fail(reply, "\"%s\" takes no words", cmd->name);
        else
            control_fail(reply, "\"%s\" takes %d to %d words: %s %s", cmd->name, cmd->min, cmd->max, cmd->name,
                         cmd->usage);
        return;
    }
    cmd->fn(cmd->arg, argc, argv, reply);
    if (!reply->failed && !reply->stream.more && !reply->deferred && reply->as_json)
        text_from_json(reply);
}

static void send_reply(struct connection *c, json_t *id, struct control_reply *reply)
{
    if (reply->failed)
        control_printf(reply, "\n"); /* ovs-appctl prints it as it is */
    json_t *result = string_of(reply->text);
    json_t *message = reply->failed ? json_pack("{s:O,s:n,s:o}", "id", id, "result", "error", result)
                                    : json_pack("{s:O,s:o,s:n}", "id", id, "result", result, "error");
    char *dump = message ? json_dumps(message, JSON_COMPACT) : NULL;

    if (dump)
        bufferevent_write(c->bev, dump, strlen(dump));
    free(dump);
    json_decref(message);
}

/* --- replies that come later --------------------------------------------- */

struct control_deferred *control_defer(struct control_reply *reply)
{
    struct control_deferred *deferred = calloc(1, sizeof *deferred);

    if (!deferred)
        out_of_memory("a reply", sizeof *deferred);
    deferred->as_json = reply->as_json;
    deferred->connection = reply->connection;
    deferred->connection->deferred = deferred;
    deferred->id = json_incref(reply->id);
    reply->deferred = true;
    return deferred;
}

void control_answer(struct control_deferred *deferred, bool failed, struct evbuffer *text, json_t *json)
{
    struct connection *c = deferred->connection;
    struct control_reply reply = {.text = evbuffer_new(), .json = json, .failed = failed};

    evbuffer_add_buffer_reference(reply.text, text);
    if (deferred->as_json)
        text_from_json(&reply);
    if (c) {
        c->deferred = NULL;
        c->control->served = true;
        send_reply(c, deferred->id, &reply); /* when it is written, what was asked meanwhile is read */
    }
    json_decref(deferred->id);
    json_decref(reply.json);
    evbuffer_free(reply.text);
    free(deferred);
}

/* --- replies in pieces --------------------------------------------------- */

static void stream_start(struct connection *c, json_t *id, struct control_reply *reply)
{
    char *dump = json_dumps(id, JSON_COMPACT | JSON_ENCODE_ANY);

    evbuffer_add_printf(bufferevent_get_output(c->bev), "{\"id\":%s,\"result\":\"", dump ? dump : "null");
    free(dump);
    c->reply = *reply;
    c->id = json_incref(id);
}

/* Sends the text so far, as a part of a string in JSON. */
static void stream_send(struct connection *c)
{
    struct evbuffer *text = c->reply.text;
    size_t len;
    json_t *string;
    char *dump;

    if (!evbuffer_get_length(text))
        return;
    string = string_of(text);
    dump = json_dumps(string, JSON_ENCODE_ANY);
    json_decref(string);
    evbuffer_drain(text, evbuffer_get_length(text));
    len = dump ? strlen(dump) : 0;
    if (len > 2) /* without its quotes */
        bufferevent_write(c->bev, dump + 1, len - 2);
    free(dump);
}

static void stream_end(struct connection *c)
{
    static const char tail[] = "\",\"error\":null}";

    if (c->reply.as_json)
        control_printf(&c->reply, "%s\n", c->reply.n_elements ? "\n]" : "[]");
    stream_send(c);
    bufferevent_write(c->bev, tail, sizeof tail - 1);
    stream_free(c);
}

/* Returns true if it is not the client that it waits for. */
static bool stream_run(struct connection *c, uint64_t deadline)
{
    while (evbuffer_get_length(bufferevent_get_output(c->bev)) < MAX_UNREAD) {
        bool more;
        do
            more = c->reply.stream.more(c->reply.stream.arg, &c->reply);
        while (more && evbuffer_get_length(c->reply.text) < STREAM_PIECE && rte_rdtsc() < deadline);
        if (!more) {
            stream_end(c);
            return false;
        }
        stream_send(c);
        if (rte_rdtsc() >= deadline)
            return true;
    }
    return false;
}

static unsigned run(void *arg, uint64_t budget_us)
{
    struct control *control = arg;
    uint64_t deadline = rte_rdtsc() + budget_us * (rte_get_tsc_hz() / 1000000);
    struct connection *c, *next;
    bool more = false;

    for (c = TAILQ_FIRST(&control->connections); c; c = next) {
        next = TAILQ_NEXT(c, node);
        if (!c->reply.stream.more)
            continue;
        more |= stream_run(c, deadline);
    }
    bool served = control->served;
    control->served = false;
    return (more ? LOOP_MORE : 0) | (served ? LOOP_ANSWERED | LOOP_UNSENT : 0);
}

/* "--json", "--format=json" or "--format json" may come before the words of a command ("text" for json: as without).
 * Returns how many words that were, -1 for a format that is none. */
static int take_format(const json_t *params, bool *as_json)
{
    const char *word = json_string_value(json_array_get(params, 0)), *format = NULL;
    int taken = 1;

    *as_json = false;
    if (!word)
        return 0;
    if (!strcmp(word, "--json")) {
        format = "json";
    } else if (!strncmp(word, "--format=", 9)) {
        format = word + 9;
    } else if (!strcmp(word, "--format")) {
        format = json_string_value(json_array_get(params, 1));
        taken = 2;
    } else {
        return 0;
    }
    *as_json = format && !strcmp(format, "json");
    return *as_json || (format && !strcmp(format, "text")) ? taken : -1;
}

static bool handle_request(struct connection *c, json_t *request)
{
    json_t *id = json_object_get(request, "id"), *params = json_object_get(request, "params");
    const char *method = json_string_value(json_object_get(request, "method"));

    if (!id || !method || !json_is_array(params))
        return false;
    if (json_is_null(id))
        return true; /* a notification: nothing to answer */
    c->control->served = true;

    struct control_reply reply = {.text = evbuffer_new(), .connection = c, .id = id};
    const char *argv[MAX_WORDS];
    int argc = 0, first = take_format(params, &reply.as_json);
    argv[argc++] = method;
    if (first < 0)
        control_fail(&reply, "--format: json or text");
    if (json_array_size(params) >= MAX_WORDS)
        control_fail(&reply, "more than %d words", MAX_WORDS);
    for (size_t i = (size_t)first; i < json_array_size(params) && !reply.failed; i++) {
        const char *word = json_string_value(json_array_get(params, i));

        if (!word)
            control_fail(&reply, "parameter %zu is not a string", i);
        else
            argv[argc++] = word;
    }
    if (!reply.failed)
        run_command(c->control, argc, argv, &reply);
    c->asked_ms = clock_now_ms();
    TAILQ_REMOVE(&c->control->connections, c, node);
    TAILQ_INSERT_HEAD(&c->control->connections, c, node);
    if (reply.stream.more) {
        stream_start(c, id, &reply);
        return true;
    }
    if (reply.deferred) {
        json_decref(reply.json);
        evbuffer_free(reply.text);
        return true;
    }
    send_reply(c, id, &reply);
    json_decref(reply.json);
    evbuffer_free(reply.text);
    return true;
}

static bool has_reply_under_way(const struct connection *c)
{
    return c->reply.stream.more || c->deferred;
}

static void on_read(struct bufferevent *bev, void *arg)
{
    struct connection *c = arg;
    struct evbuffer *in = bufferevent_get_input(bev), *out = bufferevent_get_output(bev);

    while (!c->closing && !has_reply_under_way(c) && evbuffer_get_length(in) && evbuffer_get_length(out) < MAX_UNREAD) {
        size_t have = evbuffer_get_length(in);
        const char *text = (const char *)evbuffer_pullup(in, -1);
        ssize_t len = jsonrpc_scan(&c->scanner, text, have);
        if (!len && have <= MAX_REQUEST)
            break;
        json_t *request = len > 0 && len <= MAX_REQUEST ? json_loadb(text, len, 0, NULL) : NULL;
        bool ok = request && handle_request(c, request);
        json_decref(request);
        if (!ok) {
            LOG_WARN_RL(LOG_CONTROL, "control socket: a client sent something that is not a JSON-RPC request; closing");
            connection_free(c);
            return;
        }
        evbuffer_drain(in, len);
        c->scanner = (struct jsonrpc_scanner){0};
    }
    /* Whose answers are unread is not read without bound. (A high watermark would have libevent call on_read without
     * end.) */
    if (evbuffer_get_length(in) > MAX_REQUEST)
        bufferevent_disable(bev, EV_READ);
    else if (!c->closing)
        bufferevent_enable(bev, EV_READ);
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
    struct connection *c = arg;

    if ((what & BEV_EVENT_EOF) && (has_reply_under_way(c) || evbuffer_get_length(bufferevent_get_output(bev)))) {
        c->closing = true; /* a client may close its sending half and still read */
        return;
    }
    if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR))
        connection_free(c);
}

static void on_written(struct bufferevent *bev, void *arg)
{
    struct connection *c = arg;

    if (!c->closing)
        on_read(bev, c);
    else if (!has_reply_under_way(c))
        connection_free(c);
}

static void on_accept(void *arg, int fd, const struct sockaddr *peer)
{
    struct control *control = arg;
    struct connection *c = calloc(1, sizeof *c);

    /* Programs that forget to close theirs must not keep the operator out. */
    if (control->n_connections >= MAX_CONNECTIONS) {
        LOG_WARN_RL(LOG_CONTROL, "control socket: %u connections are open; closing the one that asked least recently",
                    control->n_connections);
        connection_free(TAILQ_LAST(&control->connections, connections));
    }
    if (!c) {
        close(fd);
        return;
    }
    c->control = control;
    c->asked_ms = clock_now_ms();
    c->bev = bufferevent_socket_new(control->base, fd, BEV_OPT_CLOSE_ON_FREE);
    bufferevent_setcb(c->bev, on_read, on_written, on_event, c);
    bufferevent_enable(c->bev, EV_READ | EV_WRITE);
    TAILQ_INSERT_HEAD(&control->connections, c, node);
    control->n_connections++;
}

/* Without descriptors the same holds at one connection. */
static bool make_room(void *arg)
{
    struct control *control = arg;
    struct connection *last = TAILQ_LAST(&control->connections, connections);

    if (!last || clock_now_ms() - last->asked_ms < IDLE_MS)
        return false;
    connection_free(last);
    return true;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp((*(struct command *const *)a)->name, (*(struct command *const *)b)->name);
}

static void cmd_list(void *arg, int argc, const char *const *argv, struct control_reply *reply)
{
    struct control *control = arg;
    struct command *cmd, *all[256];
    size_t n = 0;

    LIST_FOREACH (cmd, &control->commands, node)
        if (n < sizeof all / sizeof *all)
            all[n++] = cmd;
    qsort(all, n, sizeof *all, compare_names);
    reply->json = json_array();
    control_printf(reply, "The available commands are:\n");
    for (size_t i = 0; i < n; i++) {
        control_printf(reply, "  %-23s %s\n", all[i]->name, all[i]->usage);
        json_array_append_new(reply->json, json_pack("{s:s,s:s}", "name", all[i]->name, "usage", all[i]->usage));
    }
}

void control_register(struct control *control, const char *name, const char *usage, int min, int max, control_fn *fn,
                      void *arg)
{
    struct command *cmd = calloc(1, sizeof *cmd);

    if (!cmd)
        out_of_memory("a command", 0);
    *cmd = (struct command){.name = name, .usage = usage, .min = min, .max = max, .fn = fn, .arg = arg};
    LIST_INSERT_HEAD(&control->commands, cmd, node);
}

struct control *control_create(struct loop *loop, const char *path, char *error, size_t error_size)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};

    if ((size_t)snprintf(addr.sun_path, sizeof addr.sun_path, "%s", path) >= sizeof addr.sun_path) {
        snprintf(error, error_size, "%s: longer than a Unix socket's path may be (%zu bytes): choose a shorter run_dir",
                 path, sizeof addr.sun_path - 1);
        return NULL;
    }
    struct control *control = calloc(1, sizeof *control);
    if (!control)
        return NULL;
    control->base = loop_base(loop);
    TAILQ_INIT(&control->connections);
    const struct acceptor_params params = {
        .base = control->base,
        .address = (const struct sockaddr *)&addr,
        .address_len = sizeof addr,
        .backlog = 128,
        .name = path,
        .component = LOG_CONTROL,
        .spare = true,
        .accepted = on_accept,
        .make_room = make_room,
        .arg = control,
    };
    control->acceptor = acceptor_open(&params);
    int bind_errno = errno;
    if (!control->acceptor) {
        snprintf(error, error_size, "%s: cannot listen: %s%s", path, strerror(bind_errno),
                 bind_errno == EADDRINUSE ? " (another sluiced runs with this run_dir)" : "");
        free(control);
        return NULL;
    }
    control_register(control, "list-commands", "", 0, 0, cmd_list, control);
    control->job = (struct loop_job){
        .name = "control socket", .phase = LOOP_REQUESTS, .budget_us = BUDGET_US, .arg = control, .run = run};
    loop_add(loop, &control->job);
    return control;
}

void control_destroy(struct control *control)
{
    if (!control)
        return;
    loop_remove(&control->job);
    while (!TAILQ_EMPTY(&control->connections)) {
        struct connection *c = TAILQ_FIRST(&control->connections);
        /* What was answered ("exit" among it) still reaches the client if its buffer has room. */
        struct evbuffer *out = bufferevent_get_output(c->bev);
        evbuffer_unfreeze(out, 1); /* a bufferevent keeps others from taking from it */
        if (evbuffer_get_length(out))
            evbuffer_write(out, bufferevent_getfd(c->bev));
        connection_free(c);
    }
    while (!LIST_EMPTY(&control->commands)) {
        struct command *cmd = LIST_FIRST(&control->commands);
        LIST_REMOVE(cmd, node);
        free(cmd);
    }
    acceptor_close(control->acceptor);
    free(control);
}
