/* A schema with a column of each kind, and a server of it that is played by the test: it reads what the client asks for
 * and answers what the test wants. The client connects to it over a Unix socket.
 */
#ifndef TESTS_LIB_OVSDB_BED_H
#define TESTS_LIB_OVSDB_BED_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "src/ovsdb/ovsdb.h"

struct event_base;

enum { T, U };
enum { T_NAME, T_NUMBER, T_FLAG, T_OPTION, T_SET, T_MAP, T_REFS, T_BY_NUMBER, T_ONCE, T_STATE, T_COUNTS, T_LABELS };
enum { U_NAME };

extern const struct ovsdb_table bed_tables[];
extern const struct ovsdb_schema bed_schema;
extern const char bed_schema_json[]; /* what a server says of it */

#define U1 "11111111-0000-0000-0000-000000000001"
#define U2 "11111111-0000-0000-0000-000000000002"
#define T1 "22222222-0000-0000-0000-00000000000a"
#define T2 "22222222-0000-0000-0000-00000000000b"

struct bed {
    struct event_base *base;
    struct ovsdb *db;
    int listener, peer;
    char remote[120];
    char received[1 << 20];
    size_t n_received;
    uint64_t monitor_id;
    /* What the user was told. */
    unsigned n_changed, n_status;
    char changes[4096]; /* "T+name T~name:column,column T-name" */
    unsigned n_done;
    char done_error[256]; /* "-": none */
};

struct ovsdb_uuid bed_uuid(const char *text);

const struct ovsdb_row *bed_row(const struct bed *bed, unsigned table, const char *uuid_text);

void bed_changed(void *arg, struct ovsdb *db);

void bed_done(void *arg, const char *error);

void bed_turn(struct bed *bed);

void bed_create_for(struct bed *bed, const struct ovsdb_schema *schema, const char *lock, unsigned probe_ms);

void bed_create(struct bed *bed, const char *lock, unsigned probe_ms);

void bed_hang_up(struct bed *bed);

void bed_destroy(struct bed *bed);

/* Waits for the client's connection, for up to three seconds. */
bool bed_accept(struct bed *bed);

/* The next message from the client, within a second; NULL: none, or it closed. */
json_t *bed_next(struct bed *bed);

/* True: the client closed the connection within a second. */
bool bed_is_closed(struct bed *bed);

/* Sends it as it is, and lets the client work it off. */
void bed_send(struct bed *bed, const char *text);

void bed_reply(struct bed *bed, uint64_t id, const char *result);

/* Takes the next request, which has to be of this method. Its "params", for json_decref, and its id. */
json_t *bed_request(struct bed *bed, const char *method, uint64_t *id);

/* The same, answered. */
bool bed_serve(struct bed *bed, const char *method, const char *result);

/* A new connection up to a whole copy. */
bool bed_come_up(struct bed *bed, const char *copy);

/* An update2 notification. */
void bed_update(struct bed *bed, const char *tables);

#endif
