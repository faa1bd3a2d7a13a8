#include "src/ovsdb/vswitch.h"

#define X(symbol, name, key, value, access, ref) {name, OVSDB_##key, OVSDB_##value, OVSDB_##access, ref},
#define Y(symbol, name)                                                                                                \
    static const struct ovsdb_column columns_##symbol[] = {VSWITCH_##symbol##_COLUMNS(X)};                             \
    _Static_assert(VSWITCH_##symbol##_N <= OVSDB_COLUMNS_MAX, name);
VSWITCH_TABLES(Y)
#undef Y
#undef X

_Static_assert(VSWITCH_N_TABLES <= OVSDB_TABLES_MAX, "vswitch_schema");

static const struct ovsdb_table tables[] = {
#define Y(symbol, name) {name, columns_##symbol, VSWITCH_##symbol##_N},
    VSWITCH_TABLES(Y)
#undef Y
};

const struct ovsdb_schema vswitch_schema = {"Open_vSwitch", tables, VSWITCH_N_TABLES};
