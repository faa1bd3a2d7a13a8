/* The connection to an OVSDB server: connecting again, what is asked for first, the lock, echoes, and which message is
 * for whom.
 */
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pmd/base/log.h"
#include "pmd/base/memory.h"
#include "src/net/tls.h"
#include "src/net/transport.h"
#include "src/ovsdb/ovsdb_impl.h"

#define PROBE_MS 5000
#define WALK_BUDGET_US 500       /* of the rows of a message, before others have their turn */
#define MESSAGE_MAX (256u << 20) /* bytes: 200 000 ports */
#define PARSED_MAX (1u << 20)    /* bytes that are parsed at once: the answer to a transaction of 60 000 rows */
#define ROOM_KEPT (64u << 10)    /* bytes */
#define MONITOR_ID "sluice"

static void connect_now(struct ovsdb *db);

bool ovsdb_is_up(const struct ovsdb *db)
{
    return db->phase == OVSDB_UP;
}

bool ovsdb_is_whole(const struct ovsdb *db)
{
    return db->copy && !db->torn;
}

bool ovsdb_has_lock(const struct ovsdb *db)
{
    return db->has_lock || !db->params.lock;
}

static void tell_status(struct ovsdb *db)
{
    if (db->params.status)
        db->params.status(db->params.arg, db);
}

/* --- up and down --------------------------------------------------------- */

static void add_timer(struct event *timer, unsigned ms)
{
    const struct timeval tv = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};

    evtimer_add(timer, &tv);
}

/* Gives the memory of a large message back. */
static void free_room(struct ovsdb *db)
{
    if (db->in_len || db->in_room <= ROOM_KEPT)
        return;
    free(db->in);
    db->in = NULL;
    db->in_room = 0;
}

static void disconnect(struct ovsdb *db)
{
    if (db->bev)
        transport_close(db->bev, db->phase > OVSDB_CONNECTING);
    db->bev = NULL;
    db->phase = OVSDB_WAITING;
    db->walk.active = false;
    db->message = db->in_len = 0;
    db->scanner = (struct jsonrpc_scanner){0};
    free_room(db);
    evtimer_del(db->probe);
    evtimer_del(db->step);
}

void ovsdb_fail(struct ovsdb *db, const char *format, ...)
{
    bool was_up = ovsdb_is_up(db) || db->has_lock;
    char why[sizeof db->last_error];
    va_list args;

    va_start(args, format);
    vsnprintf(why, sizeof why, format, args);
    va_end(args);
    disconnect(db);
    unsigned ms = backoff_next(&db->backoff);
    add_timer(db->retry, ms);
    /* A reason that stays the same is logged at the first attempt alone. */
    if (strcmp(why, db->last_error))
        LOG_WARN_RL(LOG_OVSDB, "%s: %s; connecting again in %u s and later", db->remote, why, ms / 1000);
    snprintf(db->last_error, sizeof db->last_error, "%s", why);
    db->has_lock = false;
    ovsdb_txns_lose(db, why);
    if (was_up)
        tell_status(db);
}

static void on_retry(evutil_socket_t fd, short what, void *arg)
{
    connect_now(arg);
}

/* --- requests ------------------------------------------------------------ */

static struct evbuffer *output(struct ovsdb *db)
{
    return bufferevent_get_output(db->bev);
}

static void request_schema(struct ovsdb *db)
{
    db->phase = OVSDB_GET_SCHEMA;
    db->schema_id = db->next_id++;
    evbuffer_add_printf(output(db), "{\"id\":%llu,\"method\":\"get_schema\",\"params\":[\"%s\"]}",
                        (unsigned long long)db->schema_id, db->params.schema->name);
}

static void request_lock(struct ovsdb *db)
{
    if (!db->params.lock)
        return;
    db->lock_id = db->next_id++;
    evbuffer_add_printf(output(db), "{\"id\":%llu,\"method\":\"lock\",\"params\":[\"%s\"]}",
                        (unsigned long long)db->lock_id, db->params.lock);
}

/* A <monitor-request> for the columns of one access. False: the table has none. */
static bool add_columns(struct ovsdb *db, unsigned t, enum ovsdb_access access, const char *before)
{
    const struct ovsdb_table *table = &db->params.schema->tables[t];
    unsigned n = 0;

    for (unsigned i = 0; i < table->n_columns; i++) {
        if (table->columns[i].access != access || !(db->bound[t].columns >> i & 1))
            continue;
        evbuffer_add_printf(output(db), "%s\"%s\"", n++ ? "," : before, table->columns[i].name);
    }
    return n > 0;
}

/* Asks for a copy of the tables. Columns that are only written, such as statistics, do not come back. */
static void request_copy(struct ovsdb *db)
{
    const char *comma = "";

    db->phase = OVSDB_COPYING;
    db->monitor_id = db->next_id++;
    evbuffer_add_printf(output(db), "{\"id\":%llu,\"method\":\"%s\",\"params\":[\"%s\",\"" MONITOR_ID "\",{",
                        (unsigned long long)db->monitor_id, db->update2 ? "monitor_cond" : "monitor",
                        db->params.schema->name);
    for (unsigned t = 0; t < db->params.schema->n_tables; t++) {
        if (!db->bound[t].columns)
            continue;
        evbuffer_add_printf(output(db), "%s\"%s\":[{\"columns\":[", comma, db->params.schema->tables[t].name);
        add_columns(db, t, OVSDB_READ, "");
        evbuffer_add(output(db), "]}", 2);
        if (add_columns(db, t, OVSDB_READ_ONCE, ",{\"columns\":["))
            evbuffer_add_printf(output(db), "],\"select\":{\"initial\":true,\"insert\":true,\"delete\":false,"
                                            "\"modify\":false}}");
        evbuffer_add(output(db), "]", 1);
        comma = ",";
    }
    evbuffer_add(output(db), "}]}", 3);
}

/* --- answers ------------------------------------------------------------- */

static void take_schema(struct ovsdb *db, const json_t *result, const json_t *error)
{
    if (!result || json_is_null(result)) {
        const char *word = json_string_value(json_is_object(error) ? json_object_get(error, "error") : error);
        ovsdb_fail(db, "no schema of database %s: %s", db->params.schema->name, word ? word : "no result");
        return;
    }
    if (!ovsdb_bind(db->params.schema, result, db->bound)) {
        ovsdb_fail(db, "the answer to get_schema is no schema");
        return;
    }
    request_lock(db);
    request_copy(db);
}

static void take_lock(struct ovsdb *db, const json_t *result)
{
    const json_t *locked = json_object_get(result, "locked");

    if (!json_is_boolean(locked)) {
        ovsdb_fail(db, "the answer to lock says not whether it is locked");
        return;
    }
    if (!json_is_true(locked)) {
        LOG_INFO(LOG_OVSDB, "%s: another process has the lock %s: waiting until it ends", db->remote, db->params.lock);
        return;
    }
    db->has_lock = true;
    tell_status(db);
}

/* "locked" or "stolen" */
static void take_lock_notice(struct ovsdb *db, const json_t *params, bool locked)
{
    const char *name = json_string_value(json_array_get(params, 0));

    if (!db->params.lock || !name || strcmp(name, db->params.lock) || locked == db->has_lock)
        return;
    db->has_lock = locked;
    if (locked) {
        LOG_INFO(LOG_OVSDB, "%s: got the lock %s", db->remote, name);
    } else {
        LOG_WARN(LOG_OVSDB, "%s: another process took the lock %s: waiting until it ends", db->remote, name);
        /* Back into the queue for it. */
        evbuffer_add_printf(output(db), "{\"id\":%llu,\"method\":\"unlock\",\"params\":[\"%s\"]}",
                            (unsigned long long)db->next_id++, name);
        request_lock(db);
    }
    tell_status(db);
}

/* The copy is whole, or whole again. */
static void tell_changes(struct ovsdb *db, bool whole)
{
    db->torn = false;
    if (whole || ovsdb_rows_have_changed(db))
        db->params.changed(db->params.arg, db);
    ovsdb_rows_told(db);
}

static void take_copy(struct ovsdb *db)
{
    ovsdb_rows_remove_unseen(db);
    db->phase = OVSDB_UP;
    db->last_error[0] = '\0';
    backoff_init(&db->backoff, 0);
    LOG_INFO(LOG_OVSDB, "%s: connected", db->remote);
    tell_changes(db, true);
    tell_status(db);
}

/* --- messages ------------------------------------------------------------ */

static const char *text_of(const struct ovsdb *db, const struct jsonrpc_member *member)
{
    return db->in + member->value;
}

static const struct jsonrpc_member *member_of(const struct ovsdb *db, const char *name)
{
    return jsonrpc_member(&db->scanner, db->in, name);
}

static json_t *parse_member(const struct ovsdb *db, const char *name)
{
    const struct jsonrpc_member *member = member_of(db, name);

    if (!member || member->value_len > PARSED_MAX)
        return NULL;
    return json_loadb(text_of(db, member), member->value_len, JSON_DECODE_ANY, NULL);
}

static bool member_is(const struct ovsdb *db, const struct jsonrpc_member *member, const char *text)
{
    const char *end = text_of(db, member) + member->value_len, *at = jsonrpc_skip_space(text_of(db, member), end);

    return (size_t)(end - at) >= strlen(text) && !memcmp(at, text, strlen(text));
}

/* "echo": the same back, as it was written. */
static void answer_echo(struct ovsdb *db)
{
    const struct jsonrpc_member *id = member_of(db, "id"), *params = member_of(db, "params");

    if (!id || !params || id->value_len + params->value_len > PARSED_MAX)
        return;
    evbuffer_add_printf(output(db), "{\"id\":");
    evbuffer_add(output(db), text_of(db, id), id->value_len);
    evbuffer_add_printf(output(db), ",\"result\":");
    evbuffer_add(output(db), text_of(db, params), params->value_len);
    evbuffer_add_printf(output(db), ",\"error\":null}");
}

/* The second of the two parameters of "update" and "update2": [monitor, table-updates]. False: there is none. */
static bool find_tables(const struct ovsdb *db, const char **at, const char **end)
{
    const struct jsonrpc_member *params = member_of(db, "params");

    if (!params)
        return false;
    *end = text_of(db, params) + params->value_len;
    *at = jsonrpc_skip_space(text_of(db, params), *end);
    if (*at == *end || **at != '[')
        return false;
    *at = jsonrpc_skip_value(jsonrpc_skip_space(*at + 1, *end), *end);
    if (!*at)
        return false;
    *at = jsonrpc_skip_space(*at, *end);
    if (*at == *end || **at != ',')
        return false;
    ++*at;
    while (*end > *at && (*end)[-1] != ']')
        --*end;
    if (*end == *at)
        return false;
    --*end;
    return true;
}

static void take_update(struct ovsdb *db)
{
    const char *at, *end;

    if (db->phase != OVSDB_UP || !find_tables(db, &at, &end) ||
        !ovsdb_walk_start(db, (size_t)(at - db->in), (size_t)(end - db->in), false))
        ovsdb_fail(db, "it sent an update that has no tables, or before it was asked for");
}

static void take_notice(struct ovsdb *db, const struct jsonrpc_member *method)
{
    if (member_is(db, method, db->update2 ? "\"update2\"" : "\"update\"")) {
        take_update(db);
        return;
    }
    if (member_is(db, method, "\"echo\"")) {
        answer_echo(db);
        return;
    }
    bool locked = member_is(db, method, "\"locked\"");
    if (!locked && !member_is(db, method, "\"stolen\""))
        return; /* what is not known is not for this client */
    json_t *params = parse_member(db, "params");
    take_lock_notice(db, params, locked);
    json_decref(params);
}

/* The copy, or that the server cannot make it. */
static void take_monitor_reply(struct ovsdb *db, const json_t *error)
{
    const struct jsonrpc_member *result = member_of(db, "result");

    if (db->update2 && error && !json_is_null(error)) {
        db->update2 = false;
        request_copy(db);
        return;
    }
    db->copy++;
    if (!result || !ovsdb_walk_start(db, result->value, result->value + result->value_len, true))
        ovsdb_fail(db, "the answer to monitor has no tables");
}

static void take_reply(struct ovsdb *db, const struct jsonrpc_member *id_text)
{
    /* What is behind the number ends it: there is a comma or bracket. */
    uint64_t id = strtoull(text_of(db, id_text), NULL, 10);
    json_t *error = parse_member(db, "error");

    if (id == db->monitor_id && db->phase == OVSDB_COPYING) {
        take_monitor_reply(db, error);
        json_decref(error);
        return;
    }
    if (!id) { /* an echo's: that there is an answer is all it asks for */
        json_decref(error);
        return;
    }
    json_t *result = parse_member(db, "result");
    if (!result)
        ovsdb_fail(db, "it sent an answer that is no JSON");
    else if (id == db->schema_id && db->phase == OVSDB_GET_SCHEMA)
        take_schema(db, result, error);
    else if (id == db->lock_id && db->params.lock)
        take_lock(db, result);
    else
        ovsdb_txns_reply(db, id, result, error);
    json_decref(result);
    json_decref(error);
}

/* A whole message. */
static void take_message(struct ovsdb *db)
{
    const struct jsonrpc_member *method = member_of(db, "method"), *id = member_of(db, "id");

    if (method)
        take_notice(db, method);
    else if (id)
        take_reply(db, id);
    else
        ovsdb_fail(db, "it sent an object that is no message");
}

/* Done with the message: on to what is behind it. */
static void drop_message(struct ovsdb *db)
{
    db->in_len -= db->message;
    if (db->in_len)
        memmove(db->in, db->in + db->message, db->in_len);
    db->message = 0;
    db->scanner = (struct jsonrpc_scanner){0};
    free_room(db);
}

/* Goes on with the rows of a message. False: not done yet. */
static bool run_walk(struct ovsdb *db)
{
    char error[256];
    bool initial = db->walk.initial;

    db->torn = true;
    int rc = ovsdb_walk_run(db, WALK_BUDGET_US, error, sizeof error);

    if (!rc) {
        add_timer(db->step, 0);
        return false;
    }
    if (rc < 0)
        ovsdb_fail(db, "it sent %s", error);
    else if (initial)
        take_copy(db);
    else
        tell_changes(db, false);
    return true;
}

/* Works off what was received as far as it goes. */
static void run_messages(struct ovsdb *db)
{
    while (db->bev) {
        if (db->walk.active && !run_walk(db))
            return;
        if (!db->bev)
            return;
        if (db->message)
            drop_message(db);
        ssize_t len = jsonrpc_scan(&db->scanner, db->in, db->in_len);
        if (len < 0)
            ovsdb_fail(db, "it sent something that is no JSON-RPC");
        if (len <= 0)
            break;
        db->message = (size_t)len;
        take_message(db);
    }
    if (db->bev)
        bufferevent_enable(db->bev, EV_READ);
}

static void on_step(evutil_socket_t fd, short what, void *arg)
{
    run_messages(arg);
}

/* --- the socket ---------------------------------------------------------- */

static void make_room(struct ovsdb *db, size_t more)
{
    if (db->in_len + more <= db->in_room)
        return;
    while (db->in_room < db->in_len + more)
        db->in_room = db->in_room ? db->in_room * 2 : 4096;
    db->in = realloc(db->in, db->in_room);
    if (!db->in)
        out_of_memory("a message of the database", db->in_room);
}

static void on_read(struct bufferevent *bev, void *arg)
{
    struct ovsdb *db = arg;
    struct evbuffer *in = bufferevent_get_input(bev);
    size_t n = evbuffer_get_length(in);

    db->heard = true;
    if (db->in_len + n > MESSAGE_MAX) {
        ovsdb_fail(db, "it sent a message of more than %u bytes", MESSAGE_MAX);
        return;
    }
    make_room(db, n);
    evbuffer_remove(in, db->in + db->in_len, n);
    db->in_len += n;
    if (db->walk.active)
        bufferevent_disable(bev, EV_READ); /* until that is done */
    else
        run_messages(db);
    if (db->bev && db->walk.active)
        bufferevent_disable(db->bev, EV_READ);
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
    struct ovsdb *db = arg;
    char why[128];

    if (what & BEV_EVENT_CONNECTED) {
        if (db->phase == OVSDB_CONNECTING)
            request_schema(db);
    } else if (what & BEV_EVENT_EOF && !db->in_len && db->phase > OVSDB_CONNECTING) {
        ovsdb_fail(db, "the server closed the connection");
    } else if (what & BEV_EVENT_EOF && db->phase > OVSDB_CONNECTING) {
        ovsdb_fail(db, "the server closed the connection in the middle of a message");
    } else if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR)) {
        transport_explain(bev, why, sizeof why);
        ovsdb_fail(db, "%s%s", db->phase == OVSDB_CONNECTING ? "cannot connect: " : "", why);
    }
}

static unsigned probe_ms(const struct ovsdb *db)
{
    return db->params.probe_ms ? db->params.probe_ms : db->target.address.ss_family == AF_UNIX ? 0 : PROBE_MS;
}

static void on_probe(evutil_socket_t fd, short what, void *arg)
{
    struct ovsdb *db = arg;

    if (db->heard || db->walk.active) {
        db->heard = db->probing = false;
    } else if (db->probing || db->phase == OVSDB_CONNECTING) {
        ovsdb_fail(db, "no answer in %u ms", db->probing ? 2 * probe_ms(db) : probe_ms(db));
        return;
    } else {
        db->probing = true;
        evbuffer_add_printf(output(db), "{\"id\":\"echo\",\"method\":\"echo\",\"params\":[]}");
    }
    add_timer(db->probe, probe_ms(db));
}

static void connect_now(struct ovsdb *db)
{
    db->bev = transport_create(db->params.base, -1, db->target.tls ? db->params.tls : NULL);
    if (!db->bev) {
        ovsdb_fail(db, "out of memory");
        return;
    }
    db->phase = OVSDB_CONNECTING;
    db->heard = db->probing = false;
    db->update2 = true;
    bufferevent_setcb(db->bev, on_read, NULL, on_event, db);
    bufferevent_enable(db->bev, EV_READ | EV_WRITE);
    if (probe_ms(db))
        add_timer(db->probe, probe_ms(db));
    /* A refusal that is known at once may come as an event, too. */
    if (bufferevent_socket_connect(db->bev, (struct sockaddr *)&db->target.address, (int)db->target.address_len) &&
        db->bev)
        ovsdb_fail(db, "cannot connect: %s", strerror(errno));
}

/* --- creation ------------------------------------------------------------ */

static bool parse_remote(const struct ovsdb_params *params, struct config_target *target, char *error, size_t size)
{
    char why[256];

    if (config_target_parse_remote(params->remote, OVSDB_PORT, target, why, sizeof why)) {
        snprintf(error, size, "%s: %s", params->remote, why);
        return false;
    }
    if (target->tls && !params->tls) {
        snprintf(error, size, "%s: needs a private key and certificates", params->remote);
        return false;
    }
    return true;
}

struct ovsdb *ovsdb_create(const struct ovsdb_params *params, char *error, size_t error_size)
{
    struct config_target target;

    if (!parse_remote(params, &target, error, error_size))
        return NULL;
    struct ovsdb *db = calloc(1, sizeof *db);
    if (!db)
        out_of_memory("the client of a database", sizeof *db);
    db->params = *params;
    db->target = target;
    db->remote = strdup(params->remote);
    db->retry = evtimer_new(params->base, on_retry, db);
    db->probe = evtimer_new(params->base, on_probe, db);
    db->step = evtimer_new(params->base, on_step, db);
    if (!db->remote || !db->retry || !db->probe || !db->step)
        out_of_memory("the client of a database", 0);
    db->next_id = db->written_epoch = 1;
    backoff_init(&db->backoff, 0);
    ovsdb_unbind(params->schema, db->bound);
    ovsdb_rows_init(db);
    ovsdb_txns_init(db);
    add_timer(db->retry, 0);
    return db;
}

void ovsdb_destroy(struct ovsdb *db)
{
    if (!db)
        return;
    disconnect(db);
    ovsdb_rows_free(db);
    ovsdb_txns_free(db);
    event_free(db->retry);
    event_free(db->probe);
    event_free(db->step);
    free(db->in);
    free(db->remote);
    free(db);
}
