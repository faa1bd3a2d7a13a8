/* The groups of one bridge (OpenFlow 1.3.5, 5.6 and 6.7). Control thread only.
 *
 * A group never changes but for its counters: one that is modified is replaced by a new struct group, and the old one,
 * out of the table, lives on until no megaflow was decided with it any more. Rules and buckets name groups by number;
 * a rule's groups exist as long as the rule does, because a group that goes takes its rules along.
 */
#ifndef SRC_TABLES_GROUP_H
#define SRC_TABLES_GROUP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "src/actions/act.h"
#include "src/tables/rule_use.h"

#define OFGROUP_MAX 0xffffff00u
#define OFGROUP_ALL 0xfffffffcu

#define GROUP_BUCKETS_MAX 4096 /* what fits a message is fewer: group_check.c */

/* Numbers as on the wire. */
enum group_type { GROUP_ALL, GROUP_SELECT, GROUP_INDIRECT, GROUP_FF, GROUP_N_TYPES };

enum group_command {
    GROUP_ADD,
    GROUP_MODIFY,
    GROUP_DELETE,
    GROUP_INSERT_BUCKET,     /* OpenFlow 1.5 */
    GROUP_REMOVE_BUCKET,     /* OpenFlow 1.5 */
    GROUP_ADD_OR_MODIFY,     /* Open vSwitch */
    GROUP_COMMAND_BAD = 0xff /* decoders: a number that stands for nothing */
};

/* Bucket numbers (OpenFlow 1.5.1, 7.3.4.3); below OpenFlow 1.5 a bucket's number is its position. */
#define BUCKET_ID_MAX 0xffffff00u
#define BUCKET_ID_FIRST 0xfffffffdu
#define BUCKET_ID_LAST 0xfffffffeu
#define BUCKET_ID_ALL 0xffffffffu

struct bucket {
    uint32_t id;
    uint16_t weight;        /* GROUP_SELECT */
    uint32_t watch_port;    /* OFPORT_ANY = none */
    uint32_t watch_group;   /* OFGROUP_ANY = none */
    struct act_list acts;   /* run as an action set */
    uint32_t acts_wire_len; /* bytes of them in the OpenFlow version that takes most; decoders know */
    uint64_t packets, bytes;
};

/* How a select group chooses (Open vSwitch's selection_method, a property of OpenFlow 1.5): "" by a hash over the flow
 * that the datapath computes, as does "dp_hash"; "hash" by these fields, without any as "dp_hash". The upper half of
 * dp_hash's `param` is the algorithm, the lower half the basis; hash takes all of it for a basis. */
#define GROUP_DP_HASH_L4 0     /* over the 5-tuple */
#define GROUP_DP_HASH_SYM_L4 1 /* over the 5-tuple, both directions alike; GROUP_DP_HASH_L4 is done so, too */
#define GROUP_METHOD_LEN 16
#define GROUP_FIELDS_MAX 32
struct group_selection {
    char method[GROUP_METHOD_LEN];
    uint64_t param;
    unsigned n_fields;
    const struct field *fields[GROUP_FIELDS_MAX];
    union field_value masks[GROUP_FIELDS_MAX];
};

struct group_mod {
    enum group_command command;
    uint8_t type; /* enum group_type; others decode */
    uint32_t group_id;
    uint32_t command_bucket_id;
    struct bucket *buckets;
    unsigned n_buckets;
    struct group_selection selection;
};

struct group_dependent; /* src/upcall/deps.h */
struct group_table;

struct group {
    uint32_t id;
    uint8_t type; /* enum group_type */
    bool removed; /* out of the table */
    bool watches; /* some bucket has a watch port or group */
    bool meters;  /* some bucket has a meter */
    uint32_t n_buckets;
    struct bucket *buckets;
    struct group_selection selection;
    uint16_t *slots;  /* GROUP_SELECT: the bucket of each value of the hash's low bits */
    uint32_t n_slots; /* a power of two; 0: no bucket can be chosen */
    uint64_t packets, bytes;
    uint64_t created_ms;
    uint64_t add_version, remove_version; /* as of rules: pipeline.h */
    bool keeps_counts;                    /* takes over those of the group it replaces */
    uint32_t refs;
    uint32_t n_forwarders; /* buckets of other groups that send to it, as the change that is open has it */
    struct rule_uses *users;
    uint64_t visit; /* for walks over chains */
    uint32_t n_dependents;
    LIST_HEAD(, group_dependent) dependents;
    struct group *hash_next;
    TAILQ_ENTRY(group) node;
};

struct group *group_ref(struct group *group);
void group_unref(struct group *group);

struct pipeline;
/* Tells the pipeline's observer what changes; takes rules out of the pipeline. */
struct group_table *group_table_create(struct pipeline *pipeline);
/* Observers are not told. */
void group_table_destroy(struct group_table *table);
/* Takes out at most `most` groups of a table that is to be destroyed, whoever uses them. True: none is left. */
bool group_table_clear(struct group_table *table, unsigned most);

/* Returns 0 or an enum of_error; on error nothing was changed. While a bundle is open it becomes part of it: lookups
 * see it, and observers are told, when that is committed. What `mod` points to is copied. */
int group_table_mod(struct group_table *table, const struct group_mod *mod);
/* As group_table_mod() while a bundle is open, but a delete takes away no more than about `most` groups and rules that
 * use them: -EINPROGRESS, the next call with the same `mod` goes on. It is to be the next one of the bundle; instead of
 * it the bundle may be aborted. */
int group_table_mod_slice(struct group_table *table, const struct group_mod *mod, size_t most);
struct group *group_table_find(const struct group_table *table, uint32_t group_id); /* NULL: none */
/* As group_table_find(), with the change that is open. */
struct group *group_table_find_next(const struct group_table *table, uint32_t group_id);
/* Iteration for dumps that are worked off in slices, in the order of their addition: groups that are there throughout,
 * replaced or not, are visited exactly once. NULL: that was the last, or the table is gone. No reference. */
struct group_cursor;
struct group_cursor *group_cursor_open(struct group_table *table);
struct group *group_cursor_next(struct group_cursor *cursor);
void group_cursor_close(struct group_cursor *cursor);
/* The pipeline's change has become visible, or is taken back: does what there is to do then, a group or a use of it for
 * one of *budget. False: there is more, and the next call goes on. */
bool group_table_commit(struct group_table *table, size_t *budget);
bool group_table_abort(struct group_table *table, size_t *budget);
/* Does any bucket send packets through a meter? */
bool group_table_meters(const struct group_table *table);
/* OFPT_GROUP_STATS's ref_count: rules and buckets that forward to it. */
uint32_t group_users(const struct group *group);

/* The bucket of a slot (of a hash, its low bits) among those that are live; -1: none is. The flows of live buckets stay
 * where they are when another dies. */
int group_choose(const struct group *group, uint32_t hash, const bool *live);

#endif
