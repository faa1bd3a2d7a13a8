/* Arbitrary bytes as what an OVSDB server sends: never a crash, a leak or an endless loop, and a copy that holds
 * together. The first byte says where the bytes begin ('0': at the answer to get_schema, '1': at the answer to
 * monitor_cond, else behind a copy) and whether they come at once or in pieces (upper case letters).
 */
#include <assert.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "pmd/base/log.h"
#include "tests/fuzz/fuzz.h"
#include "tests/lib/ovsdb_bed.h"

static const char copy[] =
    "{\"id\":2,\"error\":null,\"result\":{\"T\":{\"" T1 "\":{\"initial\":{\"name\":\"one\",\"set\":[\"set\",[1,2]],"
    "\"map\":[\"map\",[[\"a\",\"1\"]]],\"refs\":[\"uuid\",\"" U1 "\"]}}},\"U\":{\"" U1
    "\":{\"initial\":{\"name\":\"eins\"}}}}}";

static void turns(struct bed *bed)
{
    for (int i = 0; i < 3; i++)
        event_base_loop(bed->base, EVLOOP_NONBLOCK);
}

static void feed(struct bed *bed, const void *data, size_t size)
{
    while (size && bed->peer >= 0) {
        ssize_t n = send(bed->peer, data, size, MSG_NOSIGNAL | MSG_DONTWAIT);
        turns(bed);
        if (n < 0)
            return;
        data = (const char *)data + n;
        size -= (size_t)n;
    }
}

static void check_datum(const struct ovsdb_column *column, const struct ovsdb_datum *datum)
{
    bool is_map = column->value != OVSDB_NONE;
    const struct ovsdb_kind kind = {.key = column->key, .value = column->value, .many = true};
    struct evbuffer *out = evbuffer_new();
    struct ovsdb_datum again;

    ovsdb_datum_write(out, &kind, datum);
    char *text = (char *)evbuffer_pullup(out, -1);
    json_t *json = json_loadb(text, evbuffer_get_length(out), JSON_DECODE_ANY, NULL);
    assert(json && ovsdb_datum_parse(&kind, json, &again));
    assert(ovsdb_datum_equal(&kind, datum, &again));
    for (uint32_t i = 0; i < datum->n && is_map && column->key == OVSDB_STRING; i++)
        assert(ovsdb_datum_find(&kind, datum, datum->atoms[i * 2].string) == &datum->atoms[i * 2 + 1]);
    ovsdb_datum_clear(&kind, &again);
    json_decref(json);
    evbuffer_free(out);
}

static void check_rows(struct bed *bed)
{
    for (unsigned t = T; t <= U; t++) {
        for (const struct ovsdb_row *row = ovsdb_first(bed->db, t); row; row = TAILQ_NEXT(row, node)) {
            assert(ovsdb_find(bed->db, t, &row->uuid) == row && row->state != OVSDB_ROW_GONE);
            for (unsigned c = 0; c < bed_tables[t].n_columns; c++)
                check_datum(&bed_tables[t].columns[c], &row->columns[c]);
            for (uint32_t i = 0; t == T && i < ovsdb_count(row, T_REFS); i++)
                ovsdb_ref(bed->db, row, T_REFS, i);
        }
    }
}

static void write_something(struct bed *bed)
{
    struct ovsdb_txn *txn = ovsdb_txn_begin(bed->db, OVSDB_STATUS);
    const struct ovsdb_row *row = ovsdb_first(bed->db, T);

    if (!txn)
        return;
    if (row && ovsdb_string(row, T_NAME))
        ovsdb_txn_write_string(txn, row, T_STATE, ovsdb_string(row, T_NAME));
    ovsdb_txn_commit(txn, bed_done, bed);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    log_set_level("any", "off");
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct bed bed;
    char schema[4096];

    if (!size)
        return 0;
    uint8_t how = *data++;
    size--;
    bed_create(&bed, how & 1 ? "key" : NULL, 0);
    turns(&bed);
    bed.peer = accept4(bed.listener, NULL, NULL, SOCK_NONBLOCK);
    turns(&bed);
    assert(strlen(bed_schema_json) + 100 < sizeof schema);
    sprintf(schema, "{\"id\":1,\"error\":null,\"result\":%s}", bed_schema_json);
    if (how != '0')
        feed(&bed, schema, strlen(schema));
    if (how != '0' && how != '1')
        feed(&bed, copy, strlen(copy));
    if (ovsdb_is_up(bed.db))
        write_something(&bed);
    for (size_t i = 0; i < size && how >= 'A';) {
        size_t n = size - i < 7 ? size - i : 7;
        feed(&bed, data + i, n);
        i += n;
    }
    if (how < 'A')
        feed(&bed, data, size);
    check_rows(&bed);
    write_something(&bed);
    bed_hang_up(&bed);
    turns(&bed);
    check_rows(&bed);
    bed_destroy(&bed);
    return 0;
}
