/* What the database is told of mirrors (ovs-vswitchd.conf.db(5), table Mirror). */
#include <stdlib.h>

#include "src/app/db/db_impl.h"
#include "src/config/ovsdb/mirrors.h"

static const struct ovsdb_kind integer_map = {.key = OVSDB_STRING, .value = OVSDB_INTEGER, .many = true};

/* A mirror that sends nowhere has no statistics. */
static void write_mirror(struct ovsdb_txn *txn, const struct ovsdb_row *row, const struct mirror *mirror)
{
    struct ovsdb_datum map = {0};

    if (mirror) {
        ovsdb_datum_put_integer(&map, "tx_packets", (int64_t)mirror->packets);
        ovsdb_datum_put_integer(&map, "tx_bytes", (int64_t)mirror->bytes);
    }
    ovsdb_txn_write(txn, row, VSWITCH_MIRROR_STATISTICS, &map);
    ovsdb_datum_clear(&integer_map, &map);
}

void db_write_mirrors(struct db *db, struct ovsdb_txn *txn, const struct db_bridge *bridge)
{
    const struct bridge *br = switch_bridge(db->sw, bridge->name);
    const struct ovsdb_row *row = ovsdb_find(db->ovsdb, VSWITCH_BRIDGE, &bridge->row);

    for (uint32_t i = 0; row && br && i < ovsdb_count(row, VSWITCH_BRIDGE_MIRRORS); i++) {
        char *name = config_mirror_name(db->ovsdb, row, i);

        if (name)
            write_mirror(txn, ovsdb_ref(db->ovsdb, row, VSWITCH_BRIDGE_MIRRORS, i), mirror_by_name(br, name));
        free(name);
    }
    if (br)
        mirrors_tell_missing(br);
}
