#include "src/pipeline/meter.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "src/openflow/error.h"
#include "src/pipeline/table.h"

#define HASH_SIZE 1024u

struct meter_table {
    struct pipeline *pipeline;
    struct datapath *dp;
    struct meter_entry *hash[HASH_SIZE];
    TAILQ_HEAD(, meter_entry) meters;
};

struct meter_table *meter_table_create(struct pipeline *pipeline, struct datapath *dp)
{
    struct meter_table *table = calloc(1, sizeof *table);

    if (table == NULL)
        abort();
    table->pipeline = pipeline;
    table->dp = dp;
    TAILQ_INIT(&table->meters);
    return table;
}

static uint32_t hash_of(uint32_t id)
{
    return (id ^ id >> 10) & (HASH_SIZE - 1);
}

struct meter_entry *meter_table_find(const struct meter_table *table, uint32_t meter_id)
{
    struct meter_entry *meter;

    for (meter = table->hash[hash_of(meter_id)]; meter != NULL && meter->id != meter_id; meter = meter->hash_next)
        ;
    return meter;
}

struct meter_entry *meter_table_first(const struct meter_table *table)
{
    return TAILQ_FIRST(&table->meters);
}

struct meter_entry *meter_table_next(const struct meter_entry *meter)
{
    return TAILQ_NEXT(meter, node);
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

    if (meter_table_find(table, mod->meter_id) != NULL)
        return OFPERR_MMFC_METER_EXISTS;
    error = check(mod);
    if (error != 0)
        return error;
    config = config_of(mod);
    meter = calloc(1, sizeof *meter);
    if (meter == NULL || datapath_meter_add(table->dp, &config, &meter->index) != 0) {
        free(meter);
        return OFPERR_MMFC_OUT_OF_METERS;
    }
    meter->id = mod->meter_id;
    meter->created_ms = datapath_now_ms();
    LIST_INIT(&meter->users.list);
    take_over(meter, mod);
    meter->hash_next = table->hash[hash_of(meter->id)];
    table->hash[hash_of(meter->id)] = meter;
    TAILQ_INSERT_TAIL(&table->meters, meter, node);
    return 0;
}

/* The measuring starts anew, and so do the counters. */
static int modify(struct meter_table *table, const struct meter_mod *mod)
{
    struct meter_entry *meter = meter_table_find(table, mod->meter_id);
    struct meter_config config;
    int error = check(mod);

    if (error == 0 && meter == NULL)
        error = OFPERR_MMFC_UNKNOWN_METER;
    if (error != 0)
        return error;
    config = config_of(mod);
    if (datapath_meter_set(table->dp, meter->index, &config) != 0)
        return OFPERR_MMFC_OUT_OF_METERS;
    take_over(meter, mod);
    return 0;
}

static void take_out(struct meter_table *table, struct meter_entry *meter)
{
    struct meter_entry **p = &table->hash[hash_of(meter->id)];

    while (*p != meter)
        p = &(*p)->hash_next;
    *p = meter->hash_next;
    TAILQ_REMOVE(&table->meters, meter, node);
    datapath_meter_remove(table->dp, meter->index);
    free(meter);
}

/* Takes the rules that use it along (OpenFlow 1.3.5, 6.8). */
static void remove_meter(struct meter_table *table, struct meter_entry *meter)
{
    struct rule_use *use;

    while ((use = LIST_FIRST(&meter->users.list)) != NULL)
        pipeline_remove_rule(table->pipeline, use->rule, RULE_METER_DELETED);
    take_out(table, meter);
}

static int delete (struct meter_table *table, const struct meter_mod *mod)
{
    struct meter_entry *meter;

    if (mod->meter_id == OFMETER_ALL) {
        while ((meter = TAILQ_FIRST(&table->meters)) != NULL)
            remove_meter(table, meter);
        return 0;
    }
    meter = meter_table_find(table, mod->meter_id);
    if (meter != NULL)
        remove_meter(table, meter);
    return 0;
}

int meter_table_mod(struct meter_table *table, const struct meter_mod *mod)
{
    if (table->pipeline->phase != CHANGE_NONE)
        return OFPERR_MMFC_UNKNOWN;
    switch (mod->command) {
    case METER_ADD:
        return add(table, mod);
    case METER_MODIFY:
        return modify(table, mod);
    case METER_DELETE:
        return delete (table, mod);
    case METER_COMMAND_BAD:
        break;
    }
    return OFPERR_MMFC_BAD_COMMAND;
}

void meter_table_destroy(struct meter_table *table)
{
    struct meter_entry *meter;

    if (table == NULL)
        return;
    while ((meter = TAILQ_FIRST(&table->meters)) != NULL)
        take_out(table, meter);
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
