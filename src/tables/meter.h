/* The meters of one bridge (OpenFlow 1.3.5, 5.7 and 6.8); the measuring is the datapath's (pmd/meter.h). Control thread
 * only.
 */
#ifndef SRC_TABLES_METER_H
#define SRC_TABLES_METER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "pmd/datapath.h"
#include "src/tables/rule_use.h"

#define OFMETER_MAX 0xffff0000u
#define OFMETER_CONTROLLER 0xfffffffeu /* what is sent to controllers goes through it, if it is there */
#define OFMETER_ALL 0xffffffffu

#define METER_KBPS 0x1
#define METER_PKTPS 0x2
#define METER_BURST 0x4
#define METER_STATS 0x8

enum meter_command { METER_ADD, METER_MODIFY, METER_DELETE, METER_COMMAND_BAD = 0xff };

struct meter_mod {
    enum meter_command command;
    uint16_t flags; /* METER_* */
    uint32_t meter_id;
    unsigned n_bands; /* may be more than there is room for */
    struct meter_band bands[METER_BANDS_MAX];
};

/* A meter of the table. */
struct meter_entry {
    uint32_t id;
    uint32_t index; /* the datapath's */
    uint16_t flags;
    unsigned n_bands;
    struct meter_band bands[METER_BANDS_MAX]; /* as they were asked for */
    struct rule_uses users;
    uint64_t created_ms;
    uint64_t add_version, remove_version; /* as of rules: pipeline.h */
    struct meter_mod *next;               /* what the change that is open makes of it; NULL: it stays as it is */
    struct meter_entry *hash_next;
    TAILQ_ENTRY(meter_entry) node;
};

struct meter_table;
struct pipeline;

struct meter_table *meter_table_create(struct pipeline *pipeline, struct datapath *dp);
void meter_table_destroy(struct meter_table *table);

/* Returns 0 or an enum of_error; on error nothing was changed. While a bundle is open it becomes part of it: the
 * datapath has it, and the observer is told, when that is committed. */
int meter_table_mod(struct meter_table *table, const struct meter_mod *mod);
/* As group_table_mod_slice(). */
int meter_table_mod_slice(struct meter_table *table, const struct meter_mod *mod, size_t most);
struct meter_entry *meter_table_find(const struct meter_table *table, uint32_t meter_id); /* NULL: none */
/* As the change that is open has it. */
struct meter_entry *meter_table_find_next(const struct meter_table *table, uint32_t meter_id);
/* As group_table_commit() and group_table_abort(). */
bool meter_table_commit(struct meter_table *table, size_t *budget);
bool meter_table_abort(struct meter_table *table, size_t *budget);
/* The change is over and all observers were told: indices of meters that it took away go back to the datapath, each for
 * one of *budget. False: that was not enough; the next call goes on. */
bool meter_table_end(struct meter_table *table, size_t *budget);
/* Has it a band that changes packets? */
bool meter_entry_remarks(const struct meter_entry *meter);
/* Takes out about `most` meters of a table that goes. True: none is left. */
bool meter_table_clear(struct meter_table *table, unsigned most);

/* For dumps that are worked off in slices while meters come and go: in the order of their addition. */
struct meter_cursor;
struct meter_cursor *meter_cursor_open(struct meter_table *table);
struct meter_entry *meter_cursor_next(struct meter_cursor *cursor); /* NULL at the end */
void meter_cursor_close(struct meter_cursor *cursor);
void meter_table_counts(const struct meter_table *table, const struct meter_entry *meter, struct meter_counts *counts);

#endif
