/* What the database says of zones of connection tracking: each may have a policy, which has some timeouts. There may be
 * 65536 of them, so they are gone through in steps, all of them whenever one of their rows has changed. */
#include <stdlib.h>
#include <string.h>

#include "pmd/base/mem.h"
#include "pmd/ct.h"
#include "src/app/db/db_impl.h"

#define STEP 64 /* zones */

struct db_ct_zones {
    bool dirty;                /* to be gone through, or that is going on */
    uint32_t datapath, at;     /* what comes next: datapath of the switch, pair of its ct_zones */
    uint32_t sweep;            /* behind them: the next zone that may have a policy no more */
    uint32_t round;            /* how often they were gone through; never 0 */
    uint32_t rounds[CT_ZONES]; /* the round that found a policy; 0: the zone has none */
};

struct db_ct_zones *db_ct_zones_create(void)
{
    return mem_calloc(1, sizeof(struct db_ct_zones));
}

void db_ct_zones_destroy(struct db_ct_zones *zones)
{
    free(zones);
}

void db_ct_zones_look(struct db *db, const struct ovsdb_row *root)
{
    struct db_ct_zones *zones = db->ct_zones;

    if (db->synced && !ovsdb_column_changed(root, VSWITCH_OPEN_VSWITCH_DATAPATHS) &&
        !ovsdb_changed(db->ovsdb, VSWITCH_DATAPATH) && !ovsdb_changed(db->ovsdb, VSWITCH_CT_ZONE) &&
        !ovsdb_changed(db->ovsdb, VSWITCH_CT_TIMEOUT_POLICY))
        return;
    zones->dirty = true;
    zones->datapath = zones->at = zones->sweep = 0;
    zones->round += zones->round == UINT32_MAX ? 2 : 1;
}

static uint32_t in_range(int64_t seconds)
{
    if (seconds < 1)
        return 1;
    return seconds > CT_TIMEOUT_MAX ? CT_TIMEOUT_MAX : (uint32_t)seconds;
}

/* Names that only the kernel's tracker has count for nothing here. */
static void take_timeout(const char *name, int64_t value, uint32_t seconds[CT_N_TIMEOUTS])
{
    static const char *const names[CT_N_TIMEOUTS] = {
#define X(symbol, name_, seconds_, doc_) [symbol] = name_,
        CT_TIMEOUTS(X)
#undef X
    };

    for (unsigned i = 0; i < CT_N_TIMEOUTS; i++)
        if (!strcmp(names[i], name))
            seconds[i] = in_range(value);
}

static void take_zone(struct db *db, const struct ovsdb_row *datapath, uint32_t i)
{
    const struct ovsdb_datum *pairs = &datapath->columns[VSWITCH_DATAPATH_CT_ZONES];
    const struct ovsdb_row *row = ovsdb_ref(db->ovsdb, datapath, VSWITCH_DATAPATH_CT_ZONES, i), *policy;
    int64_t zone = pairs->atoms[2 * i].integer;
    uint32_t seconds[CT_N_TIMEOUTS] = {0};

    if (!row || zone < 0 || zone >= CT_ZONES || !ovsdb_count(row, VSWITCH_CT_ZONE_TIMEOUT_POLICY))
        return;
    policy = ovsdb_ref(db->ovsdb, row, VSWITCH_CT_ZONE_TIMEOUT_POLICY, 0);
    if (!policy)
        return;
    const struct ovsdb_datum *timeouts = &policy->columns[VSWITCH_CT_TIMEOUT_POLICY_TIMEOUTS];
    for (uint32_t j = 0; j < timeouts->n; j++)
        take_timeout(timeouts->atoms[2 * j].string, timeouts->atoms[2 * j + 1].integer, seconds);
    ct_set_zone_timeouts(datapath_ct(db->sw->dp), (uint16_t)zone, seconds);
    db->ct_zones->rounds[zone] = db->ct_zones->round;
}

/* Zones that had a policy in an earlier round, and not in this one. */
static void sweep(struct db *db)
{
    static const uint32_t none[CT_N_TIMEOUTS];
    struct db_ct_zones *zones = db->ct_zones;

    for (unsigned n = 0; n < STEP && zones->sweep < CT_ZONES; n++, zones->sweep++) {
        if (zones->rounds[zones->sweep] == 0 || zones->rounds[zones->sweep] == zones->round)
            continue;
        ct_set_zone_timeouts(datapath_ct(db->sw->dp), (uint16_t)zones->sweep, none);
        zones->rounds[zones->sweep] = 0;
    }
    zones->dirty = zones->sweep < CT_ZONES;
}

bool db_ct_zones_step(struct db *db, const struct ovsdb_row *root)
{
    struct db_ct_zones *zones = db->ct_zones;
    const struct ovsdb_row *datapath;

    if (!zones->dirty)
        return false;
    if (zones->datapath == ovsdb_count(root, VSWITCH_OPEN_VSWITCH_DATAPATHS)) {
        sweep(db);
        return true;
    }
    /* There is one datapath, whatever it is called. */
    datapath = ovsdb_ref(db->ovsdb, root, VSWITCH_OPEN_VSWITCH_DATAPATHS, zones->datapath);
    for (unsigned n = 0; datapath && n < STEP && zones->at < ovsdb_count(datapath, VSWITCH_DATAPATH_CT_ZONES); n++)
        take_zone(db, datapath, zones->at++);
    if (!datapath || zones->at == ovsdb_count(datapath, VSWITCH_DATAPATH_CT_ZONES)) {
        zones->datapath++;
        zones->at = 0;
    }
    return true;
}
