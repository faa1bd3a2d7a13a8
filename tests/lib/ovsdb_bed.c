#include "tests/lib/ovsdb_bed.h"

#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/lib/scratch.h"

static const struct ovsdb_column t_columns[] = {
    [T_NAME] = {"name", OVSDB_STRING, OVSDB_NONE, OVSDB_READ, -1},
    [T_NUMBER] = {"number", OVSDB_INTEGER, OVSDB_NONE, OVSDB_READ, -1},
    [T_FLAG] = {"flag", OVSDB_BOOLEAN, OVSDB_NONE, OVSDB_READ, -1},
    [T_OPTION] = {"option", OVSDB_INTEGER, OVSDB_NONE, OVSDB_READ, -1},
    [T_SET] = {"set", OVSDB_INTEGER, OVSDB_NONE, OVSDB_READ, -1},
    [T_MAP] = {"map", OVSDB_STRING, OVSDB_STRING, OVSDB_READ, -1},
    [T_REFS] = {"refs", OVSDB_UUID, OVSDB_NONE, OVSDB_READ, U},
    [T_BY_NUMBER] = {"by_number", OVSDB_INTEGER, OVSDB_UUID, OVSDB_READ, U},
    [T_ONCE] = {"once", OVSDB_INTEGER, OVSDB_NONE, OVSDB_READ_ONCE, -1},
    [T_STATE] = {"state", OVSDB_STRING, OVSDB_NONE, OVSDB_WRITE, -1},
    [T_COUNTS] = {"counts", OVSDB_STRING, OVSDB_INTEGER, OVSDB_WRITE, -1},
    [T_LABELS] = {"labels", OVSDB_STRING, OVSDB_STRING, OVSDB_WRITE, -1},
};
static const struct ovsdb_column u_columns[] = {[U_NAME] = {"name", OVSDB_STRING, OVSDB_NONE, OVSDB_READ, -1}};
const struct ovsdb_table bed_tables[] = {
    [T] = {"T", t_columns, sizeof t_columns / sizeof *t_columns},
    [U] = {"U", u_columns, 1},
};
const struct ovsdb_schema bed_schema = {"Bed", bed_tables, 2};

/* clang-format off: a column a line */
#define MAP(value) "{\"type\":{\"key\":\"string\",\"value\":\"" value "\",\"min\":0,\"max\":\"unlimited\"}}"
#define OPTION(key) "{\"type\":{\"key\":\"" key "\",\"min\":0,\"max\":1}}"
#define REF "{\"type\":\"uuid\",\"refTable\":\"U\"}"
const char bed_schema_json[] =
    "{\"name\":\"Bed\",\"version\":\"1.0.0\",\"tables\":{\"T\":{\"columns\":{"
    "\"name\":{\"type\":\"string\"},"
    "\"number\":{\"type\":{\"key\":\"integer\"}},"
    "\"flag\":{\"type\":\"boolean\"},"
    "\"option\":" OPTION(
        "integer") ","
                   "\"set\":{\"type\":{\"key\":{\"type\":\"integer\"},\"min\":0,\"max\":4096}},"
                   "\"map\":" MAP(
                       "string") ","
                                 "\"refs\":{\"type\":{\"key\":" REF ",\"min\":0,\"max\":\"unlimited\"}},"
                                 "\"by_number\":{\"type\":{\"key\":\"integer\",\"value\":" REF
                                 ",\"min\":0,\"max\":\"unlimited\"}},"
                                 "\"once\":" OPTION(
                                     "integer") ","
                                                "\"state\":" OPTION(
                                                    "string") ","
                                                              "\"counts\":" MAP(
                                                                  "integer") ","
                                                                             "\"labels\":" MAP(
                                                                                 "string") ","
                                                                                           "\"not_asked_for\":" MAP(
                                                                                               "string") "}},"
                                                                                                         "\"U\":{\"columns\":{\"name\":{\"type\":\"string\"}}}}}";
/* clang-format on */

struct ovsdb_uuid bed_uuid(const char *text)
{
    struct ovsdb_uuid uuid;

    if (!ovsdb_uuid_parse(text, strlen(text), &uuid))
        abort();
    return uuid;
}

const struct ovsdb_row *bed_row(const struct bed *bed, unsigned table, const char *uuid_text)
{
    const struct ovsdb_uuid uuid = bed_uuid(uuid_text);

    return ovsdb_find(bed->db, table, &uuid);
}

void bed_changed(void *arg, struct ovsdb *db)
{
    struct bed *bed = arg;
    size_t len = 0;

    bed->n_changed++;
    bed->changes[0] = '\0';
    for (unsigned t = T; t <= U; t++) {
        for (const struct ovsdb_row *row = ovsdb_changed(db, t); row; row = ovsdb_next_changed(row)) {
            const char *comma = ":";
            if (len + 256 > sizeof bed->changes) /* a large copy: nobody reads it */
                return;
            len += (size_t)sprintf(bed->changes + len, "%s%s%c%s", len ? " " : "", bed_tables[t].name,
                                   row->state == OVSDB_ROW_NEW    ? '+'
                                   : row->state == OVSDB_ROW_GONE ? '-'
                                                                  : '~',
                                   ovsdb_string(row, 0));
            for (unsigned c = 0; c < bed_tables[t].n_columns && row->state == OVSDB_ROW_CHANGED; c++) {
                if (!ovsdb_column_changed(row, c))
                    continue;
                len += (size_t)sprintf(bed->changes + len, "%s%s", comma, bed_tables[t].columns[c].name);
                comma = ",";
            }
        }
    }
}

static void bed_status(void *arg, struct ovsdb *db)
{
    ((struct bed *)arg)->n_status++;
}

void bed_done(void *arg, const char *error)
{
    struct bed *bed = arg;

    bed->n_done++;
    snprintf(bed->done_error, sizeof bed->done_error, "%s", error ? error : "-");
}

void bed_turn(struct bed *bed)
{
    event_base_loop(bed->base, EVLOOP_NONBLOCK);
    usleep(200);
}

/* Of another schema than the bed's. */
static void bed_count(void *arg, struct ovsdb *db)
{
    ((struct bed *)arg)->n_changed++;
}

void bed_create_for(struct bed *bed, const struct ovsdb_schema *schema, const char *lock, unsigned probe_ms)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    char error[256];

    signal(SIGPIPE, SIG_IGN); /* as sluiced does */
    *bed = (struct bed){.base = event_base_new(), .peer = -1};
    snprintf(addr.sun_path, sizeof addr.sun_path, "%s", scratch_path("db"));
    snprintf(bed->remote, sizeof bed->remote, "unix:%s", addr.sun_path);
    unlink(addr.sun_path);
    bed->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (bind(bed->listener, (struct sockaddr *)&addr, sizeof addr) || listen(bed->listener, 5))
        abort();
    const struct ovsdb_params params = {
        .base = bed->base,
        .remote = bed->remote,
        .schema = schema,
        .lock = lock,
        .probe_ms = probe_ms,
        .changed = schema == &bed_schema ? bed_changed : bed_count,
        .status = bed_status,
        .arg = bed,
    };
    bed->db = ovsdb_create(&params, error, sizeof error);
    if (!bed->db)
        abort();
}

void bed_create(struct bed *bed, const char *lock, unsigned probe_ms)
{
    bed_create_for(bed, &bed_schema, lock, probe_ms);
}

void bed_hang_up(struct bed *bed)
{
    if (bed->peer >= 0)
        close(bed->peer);
    bed->peer = -1;
    bed->n_received = 0;
}

void bed_destroy(struct bed *bed)
{
    ovsdb_destroy(bed->db);
    bed_hang_up(bed);
    close(bed->listener);
    event_base_free(bed->base);
}

bool bed_accept(struct bed *bed)
{
    for (int i = 0; i < 15000 && bed->peer < 0; i++) {
        bed_turn(bed);
        bed->peer = accept4(bed->listener, NULL, NULL, SOCK_NONBLOCK);
    }
    return bed->peer >= 0;
}

json_t *bed_next(struct bed *bed)
{
    for (int i = 0; i < 5000; i++) {
        json_error_t error;
        json_t *json = json_loadb(bed->received, bed->n_received, JSON_DISABLE_EOF_CHECK, &error);
        if (json) {
            bed->n_received -= (size_t)error.position;
            memmove(bed->received, bed->received + error.position, bed->n_received);
            return json;
        }
        ssize_t n =
            recv(bed->peer, bed->received + bed->n_received, sizeof bed->received - bed->n_received, MSG_DONTWAIT);
        if (!n)
            return NULL;
        if (n > 0)
            bed->n_received += (size_t)n;
        else
            bed_turn(bed);
    }
    return NULL;
}

bool bed_is_closed(struct bed *bed)
{
    json_t *json;

    while ((json = bed_next(bed)))
        json_decref(json);
    return recv(bed->peer, bed->received, 1, MSG_DONTWAIT) == 0;
}

void bed_send(struct bed *bed, const char *text)
{
    size_t len = strlen(text), sent = 0;

    while (sent < len) {
        ssize_t n = send(bed->peer, text + sent, len - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        sent += n > 0 ? (size_t)n : 0;
        bed_turn(bed);
    }
    for (int i = 0; i < 10; i++)
        bed_turn(bed);
}

void bed_reply(struct bed *bed, uint64_t id, const char *result)
{
    char *text = malloc(strlen(result) + 100);

    sprintf(text, "{\"id\":%llu,\"result\":%s,\"error\":null}", (unsigned long long)id, result);
    bed_send(bed, text);
    free(text);
}

json_t *bed_request(struct bed *bed, const char *method, uint64_t *id)
{
    json_t *request = bed_next(bed), *params = NULL;
    const char *got = json_string_value(json_object_get(request, "method"));

    if (got && !strcmp(got, method)) {
        *id = (uint64_t)json_integer_value(json_object_get(request, "id"));
        params = json_incref(json_object_get(request, "params"));
    } else {
        fprintf(stderr, "wanted %s, got %s\n", method, got ? got : "nothing");
    }
    json_decref(request);
    return params;
}

bool bed_serve(struct bed *bed, const char *method, const char *result)
{
    uint64_t id;
    json_t *params = bed_request(bed, method, &id);

    if (!params)
        return false;
    json_decref(params);
    bed_reply(bed, id, result);
    return true;
}

bool bed_come_up(struct bed *bed, const char *copy)
{
    return bed_accept(bed) && bed_serve(bed, "get_schema", bed_schema_json) && bed_serve(bed, "monitor_cond", copy);
}

void bed_update(struct bed *bed, const char *tables)
{
    char *text = malloc(strlen(tables) + 100);

    sprintf(text, "{\"id\":null,\"method\":\"update2\",\"params\":[\"sluice\",%s]}", tables);
    bed_send(bed, text);
    free(text);
}
