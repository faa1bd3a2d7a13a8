/* The OVSDB client against a server that the test plays: what it asks for, what it makes of answers good and bad. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <event2/event.h>
#include <string.h>
#include <sys/socket.h>

#include "tests/lib/ovsdb_bed.h"
#include "tests/lib/own_time.h"

static struct bed bed;

static int setup(void **state)
{
    bed_create(&bed, NULL, 0);
    return 0;
}

static int teardown(void **state)
{
    bed_destroy(&bed);
    return 0;
}

static void assert_json(json_t *got, const char *wanted)
{
    json_error_t error;
    json_t *json = json_loads(wanted, 0, &error);

    assert_non_null(json);
    if (!json_equal(got, json))
        fail_msg("got %s\nwanted %s", json_dumps(got, JSON_COMPACT), wanted);
    json_decref(json);
    json_decref(got);
}

/* Two rows: one with something in each column, one with as little as there can be. */
static const char copy[] =
    "{\"T\":{\"" T1 "\":{\"initial\":{\"name\":\"one\",\"number\":7,\"flag\":true,\"option\":-5,"
    "\"set\":[\"set\",[30,10,20]],\"map\":[\"map\",[[\"b\",\"2\"],[\"a\",\"1\"]]],"
    "\"refs\":[\"set\",[[\"uuid\",\"" U1 "\"],[\"uuid\",\"" U2 "\"]]],"
    "\"by_number\":[\"map\",[[5,[\"uuid\",\"" U2 "\"]]]],\"once\":4}},"
    "\"" T2 "\":{\"initial\":{\"name\":\"two\",\"refs\":[\"uuid\",\"" U1 "\"],\"once\":[\"set\",[]]}}},"
    "\"U\":{\"" U1 "\":{\"initial\":{\"name\":\"eins\"}},\"" U2 "\":{\"initial\":{\"name\":\"zwei\"}}}}";

/* --- asking, copying ----------------------------------------------------- */

static void asks_for_the_columns_that_it_reads(void **state)
{
    uint64_t id;

    assert_true(bed_accept(&bed));
    assert_json(bed_request(&bed, "get_schema", &id), "[\"Bed\"]");
    bed_reply(&bed, id, bed_schema_json);
    assert_json(bed_request(&bed, "monitor_cond", &id),
                "[\"Bed\",\"sluice\",{\"T\":[{\"columns\":[\"name\",\"number\",\"flag\",\"option\",\"set\",\"map\","
                "\"refs\",\"by_number\"]},{\"columns\":[\"once\"],\"select\":{\"initial\":true,\"insert\":true,"
                "\"delete\":false,\"modify\":false}}],\"U\":[{\"columns\":[\"name\"]}]}]");
    assert_false(ovsdb_is_up(bed.db));
    bed_reply(&bed, id, "{}");
    assert_true(ovsdb_is_up(bed.db));
    assert_int_equal(bed.n_changed, 1); /* of an empty database, too */
    assert_int_equal(bed.n_status, 1);
}

static void asks_for_the_columns_that_there_are(void **state)
{
    uint64_t id;

    /* "flag" and the table U are missing, "number" is of another type. */
    assert_true(bed_accept(&bed));
    assert_true(bed_serve(&bed, "get_schema",
                          "{\"tables\":{\"T\":{\"columns\":{\"name\":{\"type\":\"string\"},"
                          "\"number\":{\"type\":\"string\"},\"set\":{\"type\":{\"key\":\"integer\",\"max\":3}}}}}}"));
    assert_json(bed_request(&bed, "monitor_cond", &id),
                "[\"Bed\",\"sluice\",{\"T\":[{\"columns\":[\"name\",\"set\"]}]}]");
    bed_reply(&bed, id, "{\"T\":{\"" T1 "\":{\"initial\":{\"name\":\"one\",\"set\":1}}}}");
    const struct ovsdb_row *row = bed_row(&bed, T, T1);
    assert_non_null(row);
    assert_int_equal(ovsdb_count(row, T_NUMBER), 0);
    assert_true(ovsdb_boolean(row, T_FLAG, true));
    struct ovsdb_txn *txn = ovsdb_txn_begin(bed.db, OVSDB_STATUS);
    ovsdb_txn_write_string(txn, row, T_STATE, "x");
    assert_false(ovsdb_txn_commit(txn, bed_done, &bed)); /* nor is it written */
}

static void copies_rows(void **state)
{
    assert_true(bed_come_up(&bed, copy));
    assert_string_equal(bed.changes, "T+one T+two U+eins U+zwei");

    const struct ovsdb_row *one = bed_row(&bed, T, T1), *two = bed_row(&bed, T, T2);
    assert_string_equal(ovsdb_string(one, T_NAME), "one");
    assert_int_equal(ovsdb_integer(one, T_NUMBER, -1), 7);
    assert_true(ovsdb_boolean(one, T_FLAG, false));
    assert_int_equal(ovsdb_integer(one, T_OPTION, 0), -5);
    assert_int_equal(ovsdb_count(one, T_SET), 3);
    assert_int_equal(one->columns[T_SET].atoms[0].integer, 10);
    assert_int_equal(one->columns[T_SET].atoms[2].integer, 30);
    assert_string_equal(ovsdb_map_string(bed.db, one, T_MAP, "a"), "1");
    assert_string_equal(ovsdb_map_string(bed.db, one, T_MAP, "b"), "2");
    assert_null(ovsdb_map_string(bed.db, one, T_MAP, "c"));
    assert_int_equal(ovsdb_count(one, T_REFS), 2);
    assert_string_equal(ovsdb_string(ovsdb_ref(bed.db, one, T_REFS, 1), U_NAME), "zwei");
    assert_string_equal(ovsdb_string(ovsdb_ref(bed.db, one, T_BY_NUMBER, 0), U_NAME), "zwei");
    assert_int_equal(ovsdb_integer(one, T_ONCE, 0), 4);

    assert_int_equal(ovsdb_integer(two, T_NUMBER, -1), 0);
    assert_false(ovsdb_boolean(two, T_FLAG, true));
    assert_int_equal(ovsdb_integer(two, T_OPTION, 99), 99);
    assert_int_equal(ovsdb_count(two, T_SET), 0);
    assert_int_equal(ovsdb_integer(two, T_ONCE, 99), 99);
    assert_ptr_equal(ovsdb_first(bed.db, T), one);
    assert_ptr_equal(TAILQ_NEXT(one, node), two);
    assert_null(TAILQ_NEXT(two, node));
}

static void the_bytes_may_come_one_by_one(void **state)
{
    uint64_t id;
    char text[sizeof copy + 100];

    assert_true(bed_accept(&bed));
    assert_true(bed_serve(&bed, "get_schema", bed_schema_json));
    json_decref(bed_request(&bed, "monitor_cond", &id));
    /* Members in another order, and white space wherever it may be. */
    sprintf(text, " {\"error\" : null , \"result\" : %s\n, \"id\":%d } ", copy, (int)id);
    for (const char *at = text; *at; at++) {
        assert_int_equal(send(bed.peer, at, 1, MSG_NOSIGNAL), 1);
        event_base_loop(bed.base, EVLOOP_NONBLOCK);
    }
    bed_send(&bed, " ");
    assert_string_equal(bed.changes, "T+one T+two U+eins U+zwei");
}

/* --- updates ------------------------------------------------------------- */

static void updates_change_what_differs(void **state)
{
    assert_true(bed_come_up(&bed, copy));
    bed_update(&bed, "{\"T\":{\"" T1 "\":{\"modify\":{\"number\":8,\"option\":[\"set\",[]],"
                     "\"set\":[\"set\",[20,25,5]],"                                   /* 20 goes */
                     "\"map\":[\"map\",[[\"a\",\"1\"],[\"b\",\"3\"],[\"c\",\"4\"]]]," /* a goes */
                     "\"refs\":[\"uuid\",\"" U1 "\"]}}}}");
    assert_string_equal(bed.changes, "T~one:number,option,set,map,refs");
    const struct ovsdb_row *one = bed_row(&bed, T, T1);
    assert_int_equal(ovsdb_integer(one, T_NUMBER, 0), 8);
    assert_int_equal(ovsdb_count(one, T_OPTION), 0);
    assert_int_equal(ovsdb_count(one, T_SET), 4);
    for (int i = 0; i < 4; i++)
        assert_int_equal(one->columns[T_SET].atoms[i].integer, ((int[]){5, 10, 25, 30})[i]);
    assert_null(ovsdb_map_string(bed.db, one, T_MAP, "a"));
    assert_string_equal(ovsdb_map_string(bed.db, one, T_MAP, "b"), "3");
    assert_string_equal(ovsdb_map_string(bed.db, one, T_MAP, "c"), "4");
    assert_int_equal(ovsdb_count(one, T_REFS), 1);
    assert_string_equal(ovsdb_string(ovsdb_ref(bed.db, one, T_REFS, 0), U_NAME), "zwei");
    assert_true(ovsdb_boolean(one, T_FLAG, false)); /* not spoken of */

    /* The user sees each change once. */
    bed_update(&bed, "{\"T\":{\"" T2 "\":{\"modify\":{\"option\":3}}}}");
    assert_string_equal(bed.changes, "T~two:option");
    bed_update(&bed, "{\"T\":{\"" T2 "\":{\"delete\":null}}}");
    assert_string_equal(bed.changes, "T-two");
    assert_null(bed_row(&bed, T, T2));
    bed_update(&bed, "{\"T\":{\"" T2 "\":{\"insert\":{\"name\":\"three\",\"once\":6}}}}");
    assert_string_equal(bed.changes, "T+three");
    assert_int_equal(ovsdb_integer(bed_row(&bed, T, T2), T_ONCE, 0), 6);
    assert_int_equal(bed.n_changed, 5);

    /* Nothing of it is news. */
    bed_update(&bed, "{\"T\":{\"" T2 "\":{\"modify\":{\"number\":0}}},\"U\":{}}");
    bed_update(&bed, "{}");
    assert_int_equal(bed.n_changed, 5);
    assert_true(ovsdb_is_up(bed.db));
}

/* Sets and maps that grow and shrink to any size stay what a plain model says. */
static void differences_of_any_size(void **state)
{
    bool model[64] = {0};
    char text[4096];
    unsigned seed = 1;

    assert_true(bed_come_up(&bed, "{\"T\":{\"" T1 "\":{\"initial\":{\"name\":\"one\"}}}}"));
    const struct ovsdb_row *row = bed_row(&bed, T, T1);
    for (int round = 0; round < 40; round++) {
        size_t len = (size_t)sprintf(text, "{\"T\":{\"" T1 "\":{\"modify\":{\"set\":[\"set\",[");
        const char *comma = "";
        for (int i = 63; i >= 0; i--) {
            if ((seed = seed * 1103515245 + 12345) >> 16 & 3)
                continue;
            model[i] = !model[i];
            len += (size_t)sprintf(text + len, "%s%d", comma, i);
            comma = ",";
        }
        sprintf(text + len, "]]}}}}");
        bed_update(&bed, text);
        uint32_t n = 0;
        for (int i = 0; i < 64; i++)
            if (model[i])
                assert_int_equal(row->columns[T_SET].atoms[n++].integer, i);
        assert_int_equal(ovsdb_count(row, T_SET), n);
    }
}

static void an_older_server_has_monitor(void **state)
{
    uint64_t id;

    assert_true(bed_accept(&bed));
    assert_true(bed_serve(&bed, "get_schema", bed_schema_json));
    json_decref(bed_request(&bed, "monitor_cond", &id));
    char text[100];
    sprintf(text, "{\"id\":%d,\"result\":null,\"error\":\"unknown method\"}", (int)id);
    bed_send(&bed, text);
    assert_true(bed_serve(&bed, "monitor",
                          "{\"T\":{\"" T1 "\":{\"new\":{\"name\":\"one\",\"number\":1,\"flag\":false,"
                          "\"option\":[\"set\",[]],\"set\":[\"set\",[1,2]],\"map\":[\"map\",[]],\"refs\":[\"set\",[]],"
                          "\"by_number\":[\"map\",[]],\"once\":[\"set\",[]]}}}}"));
    assert_string_equal(bed.changes, "T+one");
    bed_send(
        &bed,
        "{\"id\":null,\"method\":\"update\",\"params\":[\"sluice\",{\"T\":{\"" T1
        "\":{\"old\":{\"set\":[\"set\",[1,2]]},\"new\":{\"name\":\"one\",\"number\":1,\"set\":[\"set\",[2,3]]}}}}]}");
    assert_string_equal(bed.changes, "T~one:set"); /* a value, not a difference */
    assert_int_equal(bed_row(&bed, T, T1)->columns[T_SET].atoms[1].integer, 3);
    bed_send(&bed, "{\"id\":null,\"method\":\"update\",\"params\":[\"sluice\",{\"T\":{\"" T1
                   "\":{\"old\":{\"name\":\"one\"}}}}]}");
    assert_string_equal(bed.changes, "T-one");
    assert_true(ovsdb_is_up(bed.db));
}

static void a_reference_to_nowhere_is_none(void **state)
{
    assert_true(
        bed_come_up(&bed, "{\"T\":{\"" T1 "\":{\"initial\":{\"name\":\"one\",\"refs\":[\"uuid\",\"" U2 "\"]}}}}"));
    const struct ovsdb_row *one = bed_row(&bed, T, T1);
    assert_int_equal(ovsdb_count(one, T_REFS), 1);
    assert_null(ovsdb_ref(bed.db, one, T_REFS, 0));
    assert_true(ovsdb_is_up(bed.db));
}

/* --- again --------------------------------------------------------------- */

static void after_a_break_the_user_sees_differences(void **state)
{
    assert_true(bed_come_up(&bed, copy));
    unsigned n_changed = bed.n_changed, n_status = bed.n_status;
    bed_hang_up(&bed);
    for (int i = 0; i < 50; i++)
        bed_turn(&bed);
    assert_false(ovsdb_is_up(bed.db));
    assert_int_equal(bed.n_status, n_status + 1);
    assert_int_equal(bed.n_changed, n_changed);
    assert_non_null(bed_row(&bed, T, T1)); /* it stays what it was */

    /* One row as it was, one that has changed, one gone, one new. */
    assert_true(bed_come_up(&bed, "{\"T\":{\"" T2 "\":{\"initial\":{\"name\":\"two\",\"refs\":[\"uuid\",\"" U1 "\"]}}},"
                                  "\"U\":{\"" U1 "\":{\"initial\":{\"name\":\"uno\"}},"
                                  "\"11111111-0000-0000-0000-000000000003\":{\"initial\":{\"name\":\"drei\"}}}}"));
    assert_string_equal(bed.changes, "T-one U~uno:name U+drei U-zwei");
    assert_int_equal(bed.n_changed, n_changed + 1);
}

static void a_break_in_the_middle_loses_nothing(void **state)
{
    assert_true(bed_come_up(&bed, copy));
    /* Half an update: rows that are there already, and then the end. */
    bed_send(&bed, "{\"id\":null,\"method\":\"update2\",\"params\":[\"sluice\",{\"T\":{\"" T1
                   "\":{\"modify\":{\"number\":9}},\"" T2 "\":{\"delete\":null},\"x\"");
    bed_hang_up(&bed);
    assert_true(bed_come_up(&bed, copy));
    assert_string_equal(bed.changes, "");

    /* The same, but whole as JSON, so that the first rows were copied before the fault was found. */
    bed_update(&bed, "{\"T\":{\"" T1 "\":{\"modify\":{\"number\":9}},\"" T2 "\":{\"delete\":null},"
                     "\"22222222-0000-0000-0000-00000000000c\":{\"insert\":{\"name\":\"three\"}}},\"V\":{}}");
    bed_hang_up(&bed);
    assert_true(bed_come_up(&bed, copy));
    /* The deleted row is another one now: its user may hold it no more. */
    assert_string_equal(bed.changes, "T~one:number T-two T+two");
    assert_int_equal(ovsdb_integer(bed_row(&bed, T, T1), T_NUMBER, 0), 7);
}

/* Seconds from one attempt to the next: 1, 2, 4 and no more than 8. */
static void waits_longer_each_time(void **state)
{
    struct timespec before, after;

    assert_true(bed_accept(&bed));
    bed_hang_up(&bed);
    clock_gettime(CLOCK_MONOTONIC, &before);
    assert_true(bed_accept(&bed));
    bed_hang_up(&bed);
    assert_true(bed_accept(&bed));
    clock_gettime(CLOCK_MONOTONIC, &after);
    double took = (double)(after.tv_sec - before.tv_sec) + (double)(after.tv_nsec - before.tv_nsec) / 1e9;
    assert_true(took > 2.9 && took < 4.5);
}

/* --- echoes -------------------------------------------------------------- */

static void answers_echoes(void **state)
{
    assert_true(bed_come_up(&bed, "{}"));
    bed_send(&bed, "{\"id\":\"echo\",\"method\":\"echo\",\"params\":[1,{\"a\":\"\\u00e9\"}]}");
    assert_json(bed_next(&bed), "{\"id\":\"echo\",\"result\":[1,{\"a\":\"\\u00e9\"}],\"error\":null}");
}

static void a_silent_server_is_left(void **state)
{
    uint64_t id;

    bed_destroy(&bed);
    bed_create(&bed, NULL, 100);
    assert_true(bed_come_up(&bed, "{}"));
    for (int i = 0; i < 3; i++) { /* answered */
        assert_json(bed_request(&bed, "echo", &id), "[]");
        bed_send(&bed, "{\"id\":\"echo\",\"result\":[],\"error\":null}");
        assert_true(ovsdb_is_up(bed.db));
    }
    assert_json(bed_request(&bed, "echo", &id), "[]");
    assert_true(bed_is_closed(&bed));
    assert_false(ovsdb_is_up(bed.db));
}

/* --- the lock ------------------------------------------------------------ */

static void the_lock_is_waited_for(void **state)
{
    uint64_t id;

    bed_destroy(&bed);
    bed_create(&bed, "key", 0);
    assert_true(bed_accept(&bed));
    assert_true(bed_serve(&bed, "get_schema", bed_schema_json));
    assert_json(bed_request(&bed, "lock", &id), "[\"key\"]");
    bed_reply(&bed, id, "{\"locked\":false}");
    assert_true(bed_serve(&bed, "monitor_cond", copy));
    assert_true(ovsdb_is_up(bed.db));
    assert_false(ovsdb_has_lock(bed.db));
    assert_null(ovsdb_txn_begin(bed.db, OVSDB_STATUS));

    bed_send(&bed, "{\"id\":null,\"method\":\"locked\",\"params\":[\"another\"]}");
    assert_false(ovsdb_has_lock(bed.db));
    bed_send(&bed, "{\"id\":null,\"method\":\"locked\",\"params\":[\"key\"]}");
    assert_true(ovsdb_has_lock(bed.db));
    struct ovsdb_txn *txn = ovsdb_txn_begin(bed.db, OVSDB_STATUS);
    ovsdb_txn_write_string(txn, bed_row(&bed, T, T1), T_STATE, "up");
    assert_true(ovsdb_txn_commit(txn, bed_done, &bed));
    assert_json(bed_request(&bed, "transact", &id),
                "[\"Bed\",{\"op\":\"assert\",\"lock\":\"key\"},{\"op\":\"update\",\"table\":\"T\","
                "\"where\":[[\"_uuid\",\"==\",[\"uuid\",\"" T1 "\"]]],\"row\":{\"state\":\"up\"}}]");
    bed_reply(&bed, id, "[{},{\"count\":1}]");
    assert_string_equal(bed.done_error, "-");

    /* Begun with the lock, ended without. */
    txn = ovsdb_txn_begin(bed.db, OVSDB_STATUS);
    ovsdb_txn_write_string(txn, bed_row(&bed, T, T1), T_STATE, "down");
    bed_send(&bed, "{\"id\":null,\"method\":\"stolen\",\"params\":[\"key\"]}");
    assert_false(ovsdb_has_lock(bed.db));
    assert_false(ovsdb_txn_commit(txn, bed_done, &bed));
    assert_json(bed_request(&bed, "unlock", &id), "[\"key\"]");
    bed_reply(&bed, id, "{}");
    assert_true(bed_serve(&bed, "lock", "{\"locked\":true}"));
    assert_true(ovsdb_has_lock(bed.db));

    /* It was not written, so it is now. */
    txn = ovsdb_txn_begin(bed.db, OVSDB_STATUS);
    ovsdb_txn_write_string(txn, bed_row(&bed, T, T1), T_STATE, "down");
    assert_true(ovsdb_txn_commit(txn, bed_done, &bed));
}

/* --- transactions -------------------------------------------------------- */

/* Writes what a switch would, and returns what the client sent of it; NULL: nothing. */
static json_t *write_state(uint64_t *id, const char *state, int64_t once, int64_t rx, const char *label)
{
    struct ovsdb_txn *txn = ovsdb_txn_begin(bed.db, OVSDB_STATUS);
    struct ovsdb_datum counts = {0}, labels = {0};
    const struct ovsdb_kind of_counts = {.key = OVSDB_STRING, .value = OVSDB_INTEGER, .many = true};
    const struct ovsdb_kind of_labels = {.key = OVSDB_STRING, .value = OVSDB_STRING, .many = true};

    assert_non_null(txn);
    assert_null(ovsdb_txn_begin(bed.db, OVSDB_STATUS));
    ovsdb_datum_put_integer(&counts, "tx", 1);
    ovsdb_datum_put_integer(&counts, "rx", rx);
    for (char key[] = "a"; key[0] <= 'h'; key[0]++)
        ovsdb_datum_put_string(&labels, key, "same");
    if (label)
        ovsdb_datum_put_string(&labels, "f", label);
    ovsdb_txn_write_string(txn, bed_row(&bed, T, T1), T_STATE, state);
    ovsdb_txn_write_integer(txn, bed_row(&bed, T, T1), T_ONCE, once);
    ovsdb_txn_write(txn, bed_row(&bed, T, T1), T_COUNTS, &counts);
    ovsdb_txn_write(txn, bed_row(&bed, T, T2), T_LABELS, &labels);
    ovsdb_datum_clear(&of_counts, &counts);
    ovsdb_datum_clear(&of_labels, &labels);
    if (!ovsdb_txn_commit(txn, bed_done, &bed))
        return NULL;
    assert_null(ovsdb_txn_begin(bed.db, OVSDB_STATUS)); /* one at a time */
    return bed_request(&bed, "transact", id);
}

#define WHERE(uuid) "\"where\":[[\"_uuid\",\"==\",[\"uuid\",\"" uuid "\"]]]"
static const char all_of_it[] = "[\"Bed\",{\"op\":\"update\",\"table\":\"T\"," WHERE(
    T1) ",\"row\":{\"state\":\"a\\\"\\u0001\\u00e9\",\"once\":5,"
        "\"counts\":[\"map\",[[\"rx\",9],[\"tx\",1]]]}},"
        "{\"op\":\"update\",\"table\":\"T\"," WHERE(
            T2) ",\"row\":{\"labels\":[\"map\",[[\"a\",\"same\"],[\"b\",\"same\"],"
                "[\"c\",\"same\"],[\"d\",\"same\"],[\"e\",\"same\"],[\"f\",\"same\"],[\"g\",\"same\"],[\"h\",\"same\"]]]}}]";

static void transactions_have_what_differs(void **state)
{
    uint64_t id = 0;

    assert_true(bed_come_up(&bed, copy));
    assert_json(write_state(&id, "a\"\001\u00e9", 5, 9, NULL), all_of_it);
    assert_int_equal(bed.n_done, 0);
    bed_reply(&bed, id, "[{\"count\":1},{\"count\":1}]");
    assert_int_equal(bed.n_done, 1);
    assert_string_equal(bed.done_error, "-");

    assert_null(write_state(&id, "a\"\001\u00e9", 5, 9, NULL)); /* the same */
    assert_json(write_state(&id, NULL, 5, 9, NULL),
                "[\"Bed\",{\"op\":\"update\",\"table\":\"T\"," WHERE(T1) ",\"row\":{\"state\":[\"set\",[]]}}]");
    bed_reply(&bed, id, "[{\"count\":1}]");
    /* A map of which little changes. */
    assert_json(
        write_state(&id, NULL, -1, 9, "new"),
        "[\"Bed\",{\"op\":\"update\",\"table\":\"T\"," WHERE(
            T1) ",\"row\":{\"once\":-1}},"
                "{\"op\":\"mutate\",\"table\":\"T\"," WHERE(
                    T2) ",\"mutations\":["
                        "[\"labels\",\"delete\",[\"set\",[\"f\"]]],[\"labels\",\"insert\",[\"map\",[[\"f\",\"new\"]]]]]}]");
    bed_reply(&bed, id, "[{\"count\":1},{\"count\":1}]");
    assert_int_equal(bed.n_done, 3);
}

static void what_was_read_once_is_not_written_again(void **state)
{
    uint64_t id;

    assert_true(bed_come_up(&bed, copy));
    struct ovsdb_txn *txn = ovsdb_txn_begin(bed.db, OVSDB_CONFIG);
    ovsdb_txn_write_integer(txn, bed_row(&bed, T, T1), T_ONCE, 4);
    assert_false(ovsdb_txn_commit(txn, bed_done, &bed));
    txn = ovsdb_txn_begin(bed.db, OVSDB_CONFIG);
    ovsdb_txn_write_integer(txn, bed_row(&bed, T, T2), T_ONCE, 4);
    assert_true(ovsdb_txn_commit(txn, bed_done, &bed));
    json_decref(bed_request(&bed, "transact", &id));
    assert_int_equal(ovsdb_integer(bed_row(&bed, T, T2), T_ONCE, 0), 4);
}

/* What failed, or may have, is written again whole. */
static void failed_transactions_are_forgotten(void **state)
{
    uint64_t id = 0;

    assert_true(bed_come_up(&bed, copy));
    json_decref(write_state(&id, "a\"\001\u00e9", 5, 9, NULL));
    bed_reply(&bed, id, "[{\"count\":1},{\"error\":\"constraint violation\",\"details\":\"no\"},null]");
    assert_string_equal(bed.done_error, "constraint violation: no");
    assert_json(write_state(&id, "a\"\001\u00e9", 5, 9, NULL), all_of_it);
    char text[100];
    sprintf(text, "{\"id\":%d,\"result\":null,\"error\":\"canceled\"}", (int)id);
    bed_send(&bed, text);
    assert_string_equal(bed.done_error, "canceled");

    json_decref(write_state(&id, "a\"\001\u00e9", 5, 9, NULL));
    struct ovsdb_txn *open = ovsdb_txn_begin(bed.db, OVSDB_CONFIG);
    bed_hang_up(&bed);
    assert_true(bed_come_up(&bed, copy));
    assert_int_equal(bed.n_done, 3);
    assert_string_equal(bed.done_error, "the server closed the connection");
    ovsdb_txn_write_string(open, bed_row(&bed, T, T1), T_STATE, "late");
    assert_false(ovsdb_txn_commit(open, bed_done, &bed));
    bed_reply(&bed, id, "[{\"count\":1}]"); /* an answer nobody waits for */
    assert_int_equal(bed.n_done, 3);
    assert_json(write_state(&id, "a\"\001\u00e9", 5, 9, NULL), all_of_it);
}

/* --- bad input ----------------------------------------------------------- */

#define UPDATE(tables) "{\"id\":null,\"method\":\"update2\",\"params\":[\"sluice\"," tables "]}"
#define MODIFY(columns) UPDATE("{\"T\":{\"" T1 "\":{\"modify\":" columns "}}}")

static void bad_input_ends_the_connection(void **state)
{
    static const char *const bad[] = {
        "x",
        "[]",
        "{\"id\":1}x",
        "{}",
        "{\"a\":1,\"b\":1,\"c\":1,\"d\":1,\"e\":1,\"f\":1,\"g\":1,\"h\":1,\"i\":1}",
        "{\"id\":99,\"result\":[}],\"error\":null}",
        UPDATE("5"),
        UPDATE("null"),
        UPDATE("{\"T\":5}"),
        UPDATE("{\"T\":{\"" T1 "\":5}}"),
        UPDATE("{\"T\":{\"" T1 "\":{}}}"),
        UPDATE("{\"T\":{\"" T1 "\" {}}}"),
        UPDATE("{\"T\":{\"no-uuid\":{\"delete\":null}}}"),
        UPDATE("{\"T\":{\"" U1 "\":{\"delete\":null}}}"),
        UPDATE("{\"T\":{\"" U1 "\":{\"modify\":{}}}}"),
        UPDATE("{\"T\":{\"" T1 "\":{\"modify\":{}} \"" T2 "\":{\"modify\":{}}}}"),
        UPDATE("{\"T\":{},}"),
        UPDATE("{,\"T\":{}}"),
        UPDATE("{\"V\":{}}"),
        UPDATE("{\"T\":{}},{}"),
        "{\"id\":null,\"method\":\"update2\",\"params\":[]}",
        "{\"id\":null,\"method\":\"update2\",\"params\":[\"sluice\"]}",
        "{\"id\":null,\"method\":\"update2\",\"params\":{}}",
        "{\"id\":null,\"method\":\"update2\"}",
        "{\"id\":null,\"method\":\"update2\",\"params\":7 }",
        MODIFY("{\"number\":\"7\"}"),
        MODIFY("{\"number\":[\"set\",[]]}"),
        MODIFY("{\"number\":[\"set\",[1,2]]}"),
        MODIFY("{\"number\":1.5}"),
        MODIFY("{\"number\":99999999999999999999}"),
        MODIFY("{\"name\":null}"),
        MODIFY("{\"name\":\"\\u0000\"}"),
        MODIFY("{\"name\":\"\xff\"}"),
        MODIFY("{\"flag\":0}"),
        MODIFY("{\"option\":[\"set\",[1,2]]}"),
        MODIFY("{\"option\":[\"map\",[]]}"),
        MODIFY("{\"set\":[\"set\",[1,1]]}"),
        MODIFY("{\"set\":[\"set\",[1,\"x\"]]}"),
        MODIFY("{\"set\":[\"set\",5]}"),
        MODIFY("{\"set\":[\"set\"]}"),
        MODIFY("{\"set\":{}}"),
        MODIFY("{\"map\":[\"map\",[[\"a\",\"1\"],[\"a\",\"2\"]]]}"),
        MODIFY("{\"map\":[\"map\",[[\"a\"]]]}"),
        MODIFY("{\"map\":[\"map\",[[\"a\",1]]]}"),
        MODIFY("{\"map\":[\"map\",[\"a\"]]}"),
        MODIFY("{\"map\":[\"set\",[]]}"),
        MODIFY("{\"refs\":\"" U1 "\"}"),
        MODIFY("{\"refs\":[\"uuid\",\"x\"]}"),
        MODIFY("{\"refs\":[\"uuid\",5]}"),
        MODIFY("{\"refs\":[\"named-uuid\",\"x\"]}"),
        MODIFY("{\"by_number\":[\"map\",[[1,2]]]}"),
        MODIFY("{\"no_such_column\":1}"),
        MODIFY("{\"state\":\"not asked for\"}"),
    };

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_true(bed_come_up(&bed, copy));
        bed_send(&bed, bad[i]);
        if (!bed_is_closed(&bed) || ovsdb_is_up(bed.db))
            fail_msg("taken: %s", bad[i]);
        bed_destroy(&bed); /* a new one does not wait before it connects */
        bed_create(&bed, NULL, 0);
    }
}

static void bad_answers_end_the_connection(void **state)
{
    static const char *const schemas[] = {"null", "5", "{}", "{\"tables\":5}"};
    static const char *const copies[] = {"null", "5", "[]", "{\"T\":{\"" T1 "\":{\"initial\":{\"name\":5}}}}"};

    for (size_t i = 0; i < 8; i++) {
        assert_true(bed_accept(&bed));
        assert_true(bed_serve(&bed, "get_schema", i < 4 ? schemas[i] : bed_schema_json));
        if (i >= 4)
            assert_true(bed_serve(&bed, "monitor_cond", copies[i - 4]));
        assert_true(bed_is_closed(&bed));
        bed_destroy(&bed);
        bed_create(&bed, NULL, 0);
    }
}

static void what_is_unknown_but_right_is_ignored(void **state)
{
    assert_true(bed_come_up(&bed, copy));
    bed_send(&bed, "{\"id\":null,\"method\":\"update3\",\"params\":[1]}");
    bed_send(&bed, "{\"id\":777,\"result\":{},\"error\":null}");
    bed_send(&bed, "{\"id\":null,\"method\":\"stolen\",\"params\":[]}");
    bed_send(&bed, "{\"id\":null,\"method\":\"locked\",\"params\":7}");
    assert_true(ovsdb_is_up(bed.db));
}

static void a_remote_that_is_none_is_refused(void **state)
{
    static const char *const remotes[] = {"", "db.sock", "punix:/run/db.sock", "tcp:localhost:6640", "ssl:127.0.0.1"};
    struct ovsdb_params params = {.base = bed.base, .schema = &bed_schema, .changed = bed_changed};
    char error[256];

    for (size_t i = 0; i < sizeof remotes / sizeof *remotes; i++) {
        params.remote = remotes[i];
        error[0] = '\0';
        assert_null(ovsdb_create(&params, error, sizeof error));
        assert_true(strlen(error) > 10);
    }
}

/* --- much ---------------------------------------------------------------- */

#define MANY 5000 /* ports, with an interface each */

static char *large_copy(void)
{
    char *text = malloc(MANY * 1500), *at = text;

    at += sprintf(at, "{\"T\":{");
    for (int i = 0; i < MANY; i++)
        at += sprintf(at,
                      "%s\"33333333-0000-0000-0000-%012x\":{\"initial\":{\"name\":\"interface-%d\",\"number\":%d,"
                      "\"map\":[\"map\",[[\"attached-mac\",\"00:11:22:33:44:55\"],[\"iface-id\",\"some-long-name\"],"
                      "[\"iface-status\",\"active\"],[\"vhost-server-path\",\"/run/openvswitch/vhost-%d.sock\"]]],"
                      "\"set\":[\"set\",[1,2,3,4,5,6,7,8]],\"refs\":[\"uuid\",\"44444444-0000-0000-0000-%012x\"]}}",
                      i ? "," : "", i, i, i, i, i);
    at += sprintf(at, "},\"U\":{");
    for (int i = 0; i < MANY; i++)
        at +=
            sprintf(at, "%s\"44444444-0000-0000-0000-%012x\":{\"initial\":{\"name\":\"port-%d\"}}", i ? "," : "", i, i);
    sprintf(at, "}}");
    return text;
}

/* Sends it and returns the longest time that the event loop took of the thread at once, in microseconds. */
static uint64_t longest_turn(const char *text)
{
    size_t len = strlen(text), sent = 0;
    unsigned n_changed = bed.n_changed;
    uint64_t longest = 0;

    for (int i = 0; i < 200000 && bed.n_changed == n_changed; i++) {
        ssize_t n = sent < len ? send(bed.peer, text + sent, len - sent, MSG_NOSIGNAL | MSG_DONTWAIT) : 0;
        sent += n > 0 ? (size_t)n : 0;
        uint64_t start = own_us();
        event_base_loop(bed.base, EVLOOP_ONCE | EVLOOP_NONBLOCK); /* one round */
        uint64_t took = own_us() - start;
        longest = took > longest ? took : longest;
    }
    assert_int_equal(bed.n_changed, n_changed + 1);
    return longest;
}

/* The longest turn of a first copy, and of a second one that says the same. */
static void copy_twice(const char *tables, uint64_t longest[2])
{
    char *text = malloc(strlen(tables) + 100);
    uint64_t id;

    for (int round = 0; round < 2; round++) {
        assert_true(bed_accept(&bed));
        assert_true(bed_serve(&bed, "get_schema", bed_schema_json));
        json_decref(bed_request(&bed, "monitor_cond", &id));
        sprintf(text, "{\"id\":%d,\"error\":null,\"result\":%s}", (int)id, tables);
        longest[round] = longest_turn(text);
        bed_hang_up(&bed);
    }
    print_message("%zu bytes: longest turn %d us, copied again %d us\n", strlen(text), (int)longest[0],
                  (int)longest[1]);
    free(text);
    assert_string_equal(bed.changes, ""); /* the second one is the same */
}

static void a_large_copy_takes_the_thread_for_little_at_once(void **state)
{
    char *tables = large_copy();
    uint64_t longest[2];

    copy_twice(tables, longest);
    /* A virtual machine that is taken off its core counts that as the thread's own time: it does not hit three times.
     */
    for (int i = 0; i < 2 && (longest[0] >= 10000 * OWN_TIME_FACTOR || longest[1] >= 10000 * OWN_TIME_FACTOR); i++) {
        bed_destroy(&bed);
        bed_create(&bed, NULL, 0);
        copy_twice(tables, longest);
    }
    assert_true(longest[0] < 10000 * OWN_TIME_FACTOR && longest[1] < 10000 * OWN_TIME_FACTOR);
    free(tables);
}

int main(void)
{
#define WITH_BED(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        WITH_BED(asks_for_the_columns_that_it_reads),
        WITH_BED(asks_for_the_columns_that_there_are),
        WITH_BED(copies_rows),
        WITH_BED(the_bytes_may_come_one_by_one),
        WITH_BED(updates_change_what_differs),
        WITH_BED(differences_of_any_size),
        WITH_BED(an_older_server_has_monitor),
        WITH_BED(a_reference_to_nowhere_is_none),
        WITH_BED(after_a_break_the_user_sees_differences),
        WITH_BED(a_break_in_the_middle_loses_nothing),
        WITH_BED(waits_longer_each_time),
        WITH_BED(answers_echoes),
        WITH_BED(a_silent_server_is_left),
        WITH_BED(the_lock_is_waited_for),
        WITH_BED(transactions_have_what_differs),
        WITH_BED(what_was_read_once_is_not_written_again),
        WITH_BED(failed_transactions_are_forgotten),
        WITH_BED(bad_input_ends_the_connection),
        WITH_BED(bad_answers_end_the_connection),
        WITH_BED(what_is_unknown_but_right_is_ignored),
        WITH_BED(a_remote_that_is_none_is_refused),
        WITH_BED(a_large_copy_takes_the_thread_for_little_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
