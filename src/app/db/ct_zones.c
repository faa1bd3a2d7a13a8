/* What the database says of zones of connection tracking: each may have a policy, which has some timeouts, and a limit
 * of connections; and a limit of those that have none. There may be 65536 of them, so they are gone through in steps,
 * all of them whenever one of their rows has changed. */
#define MEM_WHAT "the database"

#include <stdlib.h>
#include <string.h>

#include "pmd/base/mem.h"
#include "pmd/ct.h"
#include "src/app/db/db_impl.h"

#define STEP 64 /* zones */

struct db_ct_zones {
    bool dirty;                       /* to be gone through, or that is going on */
    uint32_t datapath, at;            /* what comes next: datapath of the switch, pair of its ct_zones */
    uint32_t sweep;                   /* behind them: the next zone that may have a policy or limit no more */
    uint32_t round;                   /* how often they were gone through; never 0 */
    uint32_t rounds[CT_ZONES];        /* the round that found a policy; 0: the zone has none */
    uint32_t limit_rounds[CT_ZONES];  /* the same of limits */
    bool limits_found, default_found; /* in this round */
    bool has_default;                 /* the default limit is the database's */
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
    zones->limits_found = zones->default_found = false;
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

static uint32_t limit_of(const struct ovsdb_datum *column)
{
    const int64_t limit = column->atoms[0].integer;

    return limit < 0 ? 0 : limit > UINT32_MAX ? UINT32_MAX : (uint32_t)limit;
}

static void take_limit(struct db *db, const struct ovsdb_row *row, uint16_t zone)
{
    if (!ovsdb_count(row, VSWITCH_CT_ZONE_LIMIT))
        return;
    ct_set_zone_limit(datapath_ct(db->sw->dp), zone, limit_of(&row->columns[VSWITCH_CT_ZONE_LIMIT]));
    db->ct_zones->limit_rounds[zone] = db->ct_zones->round;
    db->ct_zones->limits_found = true;
}

/* Sets the limit of zones that have none of their own: the database's, else the file's. */
static void take_default_limit(struct db *db, const struct ovsdb_row *datapath)
{
    struct db_ct_zones *zones = db->ct_zones;
    struct ct *ct = datapath_ct(db->sw->dp);

    if (ovsdb_count(datapath, VSWITCH_DATAPATH_CT_ZONE_DEFAULT_LIMIT)) {
        ct_set_default_limit(ct, limit_of(&datapath->columns[VSWITCH_DATAPATH_CT_ZONE_DEFAULT_LIMIT]));
        zones->has_default = zones->default_found = true;
    }
}

static void take_policy(struct db *db, const struct ovsdb_row *row, uint16_t zone)
{
    const struct ovsdb_row *policy;
    uint32_t seconds[CT_N_TIMEOUTS] = {0};

    if (!ovsdb_count(row, VSWITCH_CT_ZONE_TIMEOUT_POLICY))
        return;
    policy = ovsdb_ref(db->ovsdb, row, VSWITCH_CT_ZONE_TIMEOUT_POLICY, 0);
    if (!policy)
        return;
    const struct ovsdb_datum *timeouts = &policy->columns[VSWITCH_CT_TIMEOUT_POLICY_TIMEOUTS];
    for (uint32_t j = 0; j < timeouts->n; j++)
        take_timeout(timeouts->atoms[2 * j].string, timeouts->atoms[2 * j + 1].integer, seconds);
    ct_set_zone_timeouts(datapath_ct(db->sw->dp), zone, seconds);
    db->ct_zones->rounds[zone] = db->ct_zones->round;
}

static void take_zone(struct db *db, const struct ovsdb_row *datapath, uint32_t i)
{
    const struct ovsdb_row *row = ovsdb_ref(db->ovsdb, datapath, VSWITCH_DATAPATH_CT_ZONES, i);
    const int64_t zone = datapath->columns[VSWITCH_DATAPATH_CT_ZONES].atoms[2 * i].integer;

    if (!row || zone < 0 || zone >= CT_ZONES)
        return;
    take_policy(db, row, (uint16_t)zone);
    take_limit(db, row, (uint16_t)zone);
}

/* Whether rounds[zone] is of an earlier round than this one, and 0 from now on. */
static bool is_gone(const struct db_ct_zones *zones, uint32_t *round)
{
    if (*round == 0 || *round == zones->round)
        return false;
    *round = 0;
    return true;
}

/* Zones that had a policy or limit in an earlier round, and not in this one. */
static void sweep(struct db *db)
{
    static const uint32_t none[CT_N_TIMEOUTS];
    struct db_ct_zones *zones = db->ct_zones;

    for (unsigned n = 0; n < STEP && zones->sweep < CT_ZONES; n++, zones->sweep++) {
        if (is_gone(zones, &zones->rounds[zones->sweep]))
            ct_set_zone_timeouts(datapath_ct(db->sw->dp), (uint16_t)zones->sweep, none);
        if (is_gone(zones, &zones->limit_rounds[zones->sweep]))
            ct_unset_zone_limit(datapath_ct(db->sw->dp), (uint16_t)zones->sweep);
    }
    zones->dirty = zones->sweep < CT_ZONES;
    if (zones->dirty)
        return;
    if (zones->has_default && !zones->default_found)
        ct_set_default_limit(datapath_ct(db->sw->dp), (uint32_t)db->sw->config->conntrack.zone_limit);
    zones->has_default = zones->default_found;
    db->sw->ct_limits_of_database = zones->limits_found || zones->has_default;
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
    if (datapath && zones->at == 0)
        take_default_limit(db, datapath);
    for (unsigned n = 0; datapath && n < STEP && zones->at < ovsdb_count(datapath, VSWITCH_DATAPATH_CT_ZONES); n++)
        take_zone(db, datapath, zones->at++);
    if (!datapath || zones->at == ovsdb_count(datapath, VSWITCH_DATAPATH_CT_ZONES)) {
        zones->datapath++;
        zones->at = 0;
    }
    return true;
}
