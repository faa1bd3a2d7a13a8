#include "src/tables/meter.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "pmd/base/clock.h"
#include "pmd/base/memory.h"
#include "src/match/of_error.h"
#include "src/tables/change.h"
#include "src/tables/group.h"

#define HASH_SIZE 1024u

/* Where the dumps are that are under way. */
struct meter_cursor {
    struct meter_table *table; /* NULL: it is gone */
    struct meter_entry *next;
    LIST_ENTRY(meter_cursor) node;
};

struct meter_table {
    struct pipeline *pipeline;
    struct datapath *dp;
    struct meter_entry *hash[HASH_SIZE];
    TAILQ_HEAD(, meter_entry) meters;
    LIST_HEAD(, meter_cursor) cursors;

    /* Meters that the open change adds, modifies or takes away, each once. */
    struct meter_entry **staged;
    size_t n_staged, staged_size;
    size_t n_done;            /* of them, by the commit or abort that is under way */
    bool changed;             /* by this commit, what was decided before */
    struct rule_uses orphans; /* of deleted meters, by rules that go with them */
    uint32_t *gone;           /* the datapath's indices of the meters that it has taken away so far */
    size_t n_gone, gone_size;
};

struct meter_table *meter_table_create(struct pipeline *pipeline, struct datapath *dp)
{
    struct meter_table *table = calloc(1, sizeof *table);

    if (!table)
        out_of_memory("rules, groups and meters", 0);
    table->pipeline = pipeline;
    table->dp = dp;
    TAILQ_INIT(&table->meters);
    LIST_INIT(&table->orphans.list);
    return table;
}

static uint32_t hash_of(uint32_t id)
{
    return (id ^ id >> 10) & (HASH_SIZE - 1);
}

static bool visible(const struct meter_entry *meter, uint64_t version)
{
    return meter->add_version <= version && version < meter->remove_version;
}

static struct meter_entry *find(const struct meter_table *table, uint32_t meter_id, uint64_t version)
{
    struct meter_entry *meter = table->hash[hash_of(meter_id)];

    while (meter && !(meter->id == meter_id && visible(meter, version)))
        meter = meter->hash_next;
    return meter;
}

struct meter_entry *meter_table_find(const struct meter_table *table, uint32_t meter_id)
{
    return find(table, meter_id, lookup_version(table->pipeline));
}

struct meter_entry *meter_table_find_next(const struct meter_table *table, uint32_t meter_id)
{
    return find(table, meter_id, table->pipeline->version + (table->pipeline->phase == CHANGE_OPEN));
}

struct meter_cursor *meter_cursor_open(struct meter_table *table)
{
    struct meter_cursor *cursor = calloc(1, sizeof *cursor);

    if (!cursor)
        out_of_memory("rules, groups and meters", sizeof *cursor);
    cursor->table = table;
    cursor->next = TAILQ_FIRST(&table->meters);
    LIST_INSERT_HEAD(&table->cursors, cursor, node);
    return cursor;
}

struct meter_entry *meter_cursor_next(struct meter_cursor *cursor)
{
    struct meter_entry *meter;

    while ((meter = cursor->next)) {
        cursor->next = TAILQ_NEXT(meter, node);
        if (visible(meter, cursor->table->pipeline->version))
            return meter;
    }
    return NULL;
}

void meter_cursor_close(struct meter_cursor *cursor)
{
    if (cursor->table)
        LIST_REMOVE(cursor, node);
    free(cursor);
}

void meter_table_counts(const struct meter_table *table, const struct meter_entry *meter, struct meter_counts *counts)
{
    datapath_meter_counts(table->dp, meter->index, counts);
}

/* OpenFlow 1.3.5, 7.3.4.5 and the codes of 7.4.4. */
static int check(const struct meter_mod *mod)
{
    if ((mod->meter_id == 0 || mod->meter_id > OFMETER_MAX) && mod->meter_id != OFMETER_CONTROLLER)
        return OFPERR_MMFC_INVALID_METER;
    if (mod->flags & ~(METER_KBPS | METER_PKTPS | METER_BURST | METER_STATS) ||
        (mod->flags & METER_KBPS && mod->flags & METER_PKTPS))
        return OFPERR_MMFC_BAD_FLAGS;
    if (mod->n_bands > METER_BANDS_MAX)
        return OFPERR_MMFC_OUT_OF_BANDS;
    for (unsigned i = 0; i < mod->n_bands; i++) {
        const struct meter_band *band = &mod->bands[i];

        if (band->type != METER_DROP_BAND && band->type != METER_DSCP_BAND)
            return OFPERR_MMFC_BAD_BAND;
        if (band->rate == 0)
            return OFPERR_MMFC_BAD_RATE;
        if (band->prec_level >= 64) /* a DSCP has 6 bits */
            return OFPERR_MMFC_BAD_BAND_VALUE;
    }
    return 0;
}

static struct meter_config config_of(const struct meter_mod *mod)
{
    struct meter_config config = {.packets = mod->flags & METER_PKTPS, .n_bands = mod->n_bands};

    memcpy(config.bands, mod->bands, sizeof config.bands);
    for (unsigned i = 0; i < mod->n_bands && !(mod->flags & METER_BURST); i++)
        config.bands[i].burst = 0;
    return config;
}

static bool is_pending(const struct meter_table *table, const struct meter_entry *meter)
{
    return meter->add_version > table->pipeline->version;
}

static void stage(struct meter_table *table, struct meter_entry *meter)
{
    if (table->n_staged == table->staged_size) {
        table->staged_size = table->staged_size == 0 ? 16 : table->staged_size * 2;
        table->staged = realloc(table->staged, table->staged_size * sizeof(struct meter_entry *));
        if (!table->staged)
            out_of_memory("rules, groups and meters", 0);
    }
    table->staged[table->n_staged++] = meter;
}

static void take_over(struct meter_entry *meter, const struct meter_mod *mod)
{
    meter->flags = mod->flags;
    meter->n_bands = mod->n_bands;
    memcpy(meter->bands, mod->bands, sizeof meter->bands);
}

static int add(struct meter_table *table, const struct meter_mod *mod)
{
    struct meter_config config;
    struct meter_entry *meter;
    int error;

    if (meter_table_find_next(table, mod->meter_id))
        return OFPERR_MMFC_METER_EXISTS;
    error = check(mod);
    if (error != 0)
        return error;
    config = config_of(mod);
    meter = calloc(1, sizeof *meter);
    if (!meter || datapath_meter_add(table->dp, &config, &meter->index) != 0) {
        free(meter);
        return OFPERR_MMFC_OUT_OF_METERS;
    }
    meter->id = mod->meter_id;
    meter->add_version = change_version(table->pipeline);
    meter->remove_version = RULE_NEVER;
    LIST_INIT(&meter->users.list);
    take_over(meter, mod);
    meter->hash_next = table->hash[hash_of(meter->id)];
    table->hash[hash_of(meter->id)] = meter;
    TAILQ_INSERT_TAIL(&table->meters, meter, node);
    stage(table, meter);
    return 0;
}

static int modify(struct meter_table *table, const struct meter_mod *mod)
{
    struct meter_entry *meter = meter_table_find_next(table, mod->meter_id);
    int error = check(mod);

    if (error == 0 && !meter)
        error = OFPERR_MMFC_UNKNOWN_METER;
    if (error != 0)
        return error;
    if (!meter->next) {
        meter->next = malloc(sizeof *meter->next);
        if (!meter->next)
            out_of_memory("rules, groups and meters", 0);
        if (!is_pending(table, meter))
            stage(table, meter);
    }
    *meter->next = *mod;
    return 0;
}

/* Takes the rules that use it along (OpenFlow 1.3.5, 6.8). False: *budget was not enough, the next call goes on. */
static bool remove_meter(struct meter_table *table, struct meter_entry *meter, size_t *budget)
{
    if (*budget == 0 || !rule_uses_remove(table->pipeline, &meter->users, RULE_METER_DELETED, budget))
        return false;
    *budget -= *budget > 0;
    if (!is_pending(table, meter) && !meter->next)
        stage(table, meter);
    meter->remove_version = is_pending(table, meter) ? meter->add_version : change_version(table->pipeline);
    return true;
}

static int delete (struct meter_table *table, const struct meter_mod *mod, size_t *budget)
{
    struct meter_entry *meter;

    if (mod->meter_id == OFMETER_ALL) {
        TAILQ_FOREACH (meter, &table->meters, node) {
            if (visible(meter, change_version(table->pipeline)) && !remove_meter(table, meter, budget))
                return -EINPROGRESS;
        }
        return 0;
    }
    meter = meter_table_find_next(table, mod->meter_id);
    return meter && !remove_meter(table, meter, budget) ? -EINPROGRESS : 0;
}

static int apply(struct meter_table *table, const struct meter_mod *mod, size_t budget)
{
    switch (mod->command) {
    case METER_ADD:
        return add(table, mod);
    case METER_MODIFY:
        return modify(table, mod);
    case METER_DELETE:
        return delete (table, mod, &budget);
    case METER_COMMAND_BAD:
        break;
    }
    return OFPERR_MMFC_BAD_COMMAND;
}

int meter_table_mod(struct meter_table *table, const struct meter_mod *mod)
{
    struct pipeline *pipeline = table->pipeline;

    if (pipeline->phase == CHANGE_OPEN && pipeline->in_bundle)
        return apply(table, mod, SIZE_MAX);
    if (pipeline->phase != CHANGE_NONE)
        return OFPERR_MMFC_UNKNOWN;
    change_begin(pipeline, false);
    return change_finish(pipeline, apply(table, mod, SIZE_MAX));
}

int meter_table_mod_slice(struct meter_table *table, const struct meter_mod *mod, size_t most)
{
    return apply(table, mod, most);
}

static void give_back(struct meter_table *table, uint32_t index)
{
    const struct pipeline_observer *observer = &table->pipeline->observer;

    if (observer->meter_gone)
        observer->meter_gone(observer->arg, index);
    else
        datapath_meter_forget(table->dp, index);
}

bool meter_table_end(struct meter_table *table, size_t *budget)
{
    for (; table->n_gone > 0; --*budget) {
        if (*budget == 0)
            return false;
        give_back(table, table->gone[--table->n_gone]);
    }
    return true;
}

static void note_gone(struct meter_table *table, uint32_t index)
{
    if (table->n_gone == table->gone_size) {
        table->gone_size = table->gone_size == 0 ? 16 : table->gone_size * 2;
        table->gone = realloc(table->gone, table->gone_size * sizeof *table->gone);
        if (!table->gone)
            out_of_memory("rules, groups and meters", 0);
    }
    table->gone[table->n_gone++] = index;
}

static void free_meter(struct meter_table *table, struct meter_entry *meter)
{
    struct meter_entry **p = &table->hash[hash_of(meter->id)];
    struct meter_cursor *cursor;

    LIST_FOREACH (cursor, &table->cursors, node) {
        if (cursor->next == meter)
            cursor->next = TAILQ_NEXT(meter, node);
    }
    while (*p != meter)
        p = &(*p)->hash_next;
    *p = meter->hash_next;
    TAILQ_REMOVE(&table->meters, meter, node);
    datapath_meter_remove(table->dp, meter->index);
    note_gone(table, meter->index);
    free(meter->next);
    free(meter);
}

/* The measuring starts anew, and so do the counters. */
static void take_next(struct meter_table *table, struct meter_entry *meter)
{
    const struct meter_config config = config_of(meter->next);

    if (datapath_meter_set(table->dp, meter->index, &config) != 0)
        out_of_memory("rules, groups and meters", 0);
    take_over(meter, meter->next);
    free(meter->next);
    meter->next = NULL;
}

/* Notes if what was decided before may be different now: programs that send to controllers have that meter in them or
 * not, what remarks is looked at again by later tables, and buckets name meters that come and go. False: *budget was
 * not enough, the next call goes on. */
static bool commit(struct meter_table *table, struct meter_entry *meter, size_t *budget)
{
    uint64_t version = table->pipeline->version;
    bool remarked = meter_entry_remarks(meter), there = visible(meter, version);
    bool is_new = meter->add_version == version;

    /* The rules of one that is deleted go with this change, too. */
    if (!there && !rule_uses_move(&meter->users, &table->orphans, budget))
        return false;
    if ((is_new || !there) && (meter->id == OFMETER_CONTROLLER || group_table_meters(table->pipeline->groups)))
        table->changed = true;
    if (!there) {
        record_meter(table->pipeline, meter, false);
        free_meter(table, meter);
        table->changed |= remarked;
        return true;
    }
    if (is_new)
        meter->created_ms = clock_now_ms();
    if (meter->next)
        take_next(table, meter);
    record_meter(table->pipeline, meter, true);
    table->changed |= remarked != meter_entry_remarks(meter);
    return true;
}

bool meter_table_commit(struct meter_table *table, size_t *budget)
{
    const struct pipeline_observer *observer = &table->pipeline->observer;

    for (; table->n_done < table->n_staged; table->n_done++) {
        if (*budget == 0 || !commit(table, table->staged[table->n_done], budget))
            return false;
        *budget -= *budget > 0;
    }
    table->n_staged = table->n_done = 0;
    if (table->changed && observer->meters_changed)
        observer->meters_changed(observer->arg);
    table->changed = false;
    return true;
}

/* The rules that use a meter of the change are the change's own, and were taken back before. */
static void take_back(struct meter_table *table, struct meter_entry *meter)
{
    if (is_pending(table, meter)) {
        free_meter(table, meter);
        return;
    }
    meter->remove_version = RULE_NEVER;
    free(meter->next);
    meter->next = NULL;
}

bool meter_table_abort(struct meter_table *table, size_t *budget)
{
    for (; table->n_done < table->n_staged; table->n_done++) {
        if (*budget == 0)
            return false;
        --*budget;
        take_back(table, table->staged[table->n_done]);
    }
    table->n_staged = table->n_done = 0;
    return true;
}

bool meter_table_clear(struct meter_table *table, unsigned most)
{
    size_t budget = most;
    struct meter_entry *meter;

    for (; most > 0 && (meter = TAILQ_FIRST(&table->meters)); most--)
        free_meter(table, meter);
    return meter_table_end(table, &budget) && TAILQ_EMPTY(&table->meters);
}

void meter_table_destroy(struct meter_table *table)
{
    struct meter_cursor *cursor;

    if (!table)
        return;
    while ((cursor = LIST_FIRST(&table->cursors))) {
        LIST_REMOVE(cursor, node);
        cursor->table = NULL;
        cursor->next = NULL;
    }
    meter_table_clear(table, UINT_MAX);
    free(table->gone);
    free(table->staged);
    free(table);
}

bool meter_entry_remarks(const struct meter_entry *meter)
{
    for (unsigned i = 0; i < meter->n_bands; i++) {
        if (meter->bands[i].type == METER_DSCP_BAND)
            return true;
    }
    return false;
}
