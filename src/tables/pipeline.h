/* The OpenFlow tables of one bridge: rules, flow_mods, lookups, timeouts. Control thread only.
 *
 * Rules are versioned: a rule is seen by lookups at version v if add_version <= v < remove_version. A bundle works on
 * the next version and becomes visible, or vanishes, in one step; it may be worked off in slices between which misses
 * are resolved.
 */
#ifndef SRC_TABLES_PIPELINE_H
#define SRC_TABLES_PIPELINE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "src/actions/act.h"
#include "src/actions/flow_mod.h"
#include "src/match/flow.h"
#include "src/match/of_error.h"

/* Further flags of a rule, beside those of flow_mod.h. */
#define RULE_LEARNED 0x400 /* by a packet: its hard timeout counts from the last packet that taught it */
#define RULE_HIDDEN 0x100  /* of the switch itself (fail-open NORMAL): not dumped, not deleted by controllers */
/* A flow_mod of OpenFlow 1.0 that adds starts from 0 without saying so. While a change is open: its counters do. */
#define RULE_FROM_ZERO 0x800
/* An exact match of OpenFlow 1.0: wins over all rules that are not, those of priority 65535 too (1.0.2, 3.4). */
#define RULE_EXACT 0x1000

struct pipeline;
struct minimatch;      /* a match kept compactly; minimatch.h */
struct rule_dependent; /* src/upcall/deps.h */
struct rule_use;       /* rule_use.h */
struct group;
struct group_table;
struct meter_entry;
struct meter_table;
struct conj_trail;

struct rule {
    /* As the flow_mod asked for it. */
    struct minimatch *match;
    struct act_list acts;
    uint64_t cookie;
    uint16_t priority;
    uint16_t idle_timeout_s, hard_timeout_s; /* 0 = none */
    uint16_t flags;                          /* RULE_* */
    uint16_t importance;                     /* OpenFlow 1.4 eviction */
    uint8_t table_id;
    bool removed : 1;
    bool conjunctive : 1;    /* a clause: its actions are conjunctions */
    bool learn_counted : 1;  /* in the count that limits of learn actions ask for (learn.c) */
    uint8_t removed_for : 4; /* enum rule_removed_reason, once a change removes it */
    uint32_t evict_at;       /* its place in the order of eviction (evict.c); 0: it has none */
    /* Counted. */
    uint64_t packets, bytes;
    uint64_t created_ms, modified_ms, used_ms; /* clock_now_ms() */
    /* Bookkeeping. */
    uint64_t add_version, remove_version;
    uint32_t refs;         /* rule_ref, rule_unref: the pipeline holds one */
    uint32_t n_dependents; /* megaflows that were decided with it */
    LIST_HEAD(, rule_dependent) dependents;
    struct rule_use *uses; /* groups and meters, while the rule is in its table */
    struct pipeline *pipeline;
    struct rule *classifier_next; /* same match, lower priority or older version */
    struct rule *origin;          /* while a change is open or being committed: the rule it stands in for */
    TAILQ_ENTRY(rule) table_node;
    LIST_ENTRY(rule) expiry_node;
};

struct rule *rule_ref(struct rule *rule);
/* A packet used the rule, or the time of its last packet became known. */
void rule_note_used(struct rule *rule, uint64_t used_ms);
void rule_unref(struct rule *rule);
/* The match unpacked. */
void rule_match(const struct rule *rule, struct match *match);

/* Which rules a dump, an aggregate or a delete is about. */
struct rule_filter {
    uint8_t table_id;
    const struct match *match; /* NULL = all; loose: rules as narrow or narrower */
    uint64_t cookie, cookie_mask;
    uint32_t out_port, out_group;
    bool hidden_too; /* a dump: those of the switch itself as well */
};

enum rule_removed_reason {
    RULE_IDLE_TIMEOUT,
    RULE_HARD_TIMEOUT,
    RULE_DELETED,
    RULE_GROUP_DELETED,
    RULE_METER_DELETED,
    RULE_EVICTED
};

/* Functions that are told of each change of the tables: called synchronously, after lookups see the change. */
struct pipeline_observer {
    void *arg;
    /* A rule became visible. `replaced`: the rule of equal match and priority it stands in for, or NULL; it is out of
     * its table (rule_removed is not called for it), and its counters were copied if they are to be. */
    void (*rule_added)(void *arg, struct rule *rule, struct rule *replaced);
    /* A rule's actions (not its match) changed. */
    void (*rule_modified)(void *arg, struct rule *rule);
    /* A rule is out of its table; rule->packets are final once its dependents are gone (the flows side then calls
     * rule_finish). */
    void (*rule_removed)(void *arg, struct rule *rule, enum rule_removed_reason reason);
    /* Before rule_added: the rule goes on with the counters of the one that it replaces. It has a copy of them; what
     * was counted and is not in them yet is to be its as well. If this is not called, it counts anew, and what the
     * replaced one counted is nobody's. */
    void (*rule_goes_on)(void *arg, struct rule *rule, struct rule *replaced);
    /* Translations that went through this group, or looked whether it is live, may have another result now: it was
     * added, removed or replaced. */
    void (*group_changed)(void *arg, struct group *group);
    /* The rule's statistics crossed a threshold of its stat_trigger. */
    void (*rule_triggered)(void *arg, struct rule *rule);
    /* Translations that went through any meter may have another result now. */
    void (*meters_changed)(void *arg);
    /* A meter and its rules are gone, and all observers were told. Its index in the datapath is to be given back with
     * datapath_meter_forget() once no program names it. NULL: it is given back at once. */
    void (*meter_gone)(void *arg, uint32_t index);
    /* pipeline_settle_step() has something to do. NULL: all of it is done at once. */
    void (*to_settle)(void *arg);
};

/* Who keeps a copy of what is in the tables (src/state/rules_journal.h): told of all that makes a pipeline what it is,
 * synchronously, and of nothing else. What it is told of rules between the first and the last event of a change that is
 * worked off in slices is not a state that the pipeline ever had: pipeline_is_between(). */
struct pipeline_recorder {
    void *arg;
    /* The rule is in its table, as it is by now; or (`there` is false) it is out of it. Of a rule that was never told
     * of it may be told that it is out. */
    void (*rule)(void *arg, const struct rule *rule, bool there);
    void (*group)(void *arg, const struct group *group, bool there); /* known by its number, as are meters */
    void (*meter)(void *arg, const struct meter_entry *meter, bool there);
};
/* Not copied; NULL: nobody records. */
void pipeline_set_recorder(struct pipeline *pipeline, const struct pipeline_recorder *recorder);
/* A change is visible, of which not everything was told yet. */
bool pipeline_is_between(const struct pipeline *pipeline);

struct pipeline *pipeline_create(const struct pipeline_observer *observer); /* as pipeline_set_observer() */
/* Who is told from now on. Copied; NULL: nobody; functions may be NULL. */
void pipeline_set_observer(struct pipeline *pipeline, const struct pipeline_observer *observer);
/* Observers are not told. Rules that others hold references to live on. */
void pipeline_destroy(struct pipeline *pipeline);
/* Takes out about `most` rules and groups of a pipeline that goes, so that pipeline_destroy() has little to do. True:
 * none is left. */
bool pipeline_clear(struct pipeline *pipeline, unsigned most);

/* Returns the pipeline's groups (group.h). A flow_mod that names one that does not exist is refused. */
struct group_table *pipeline_groups(const struct pipeline *pipeline);
/* Set and return the pipeline's meters (meter.h). Until they are set there are none (NULL), and rules with a meter are
 * refused. */
void pipeline_set_meters(struct pipeline *pipeline, struct meter_table *meters); /* takes them over */
struct meter_table *pipeline_meters(const struct pipeline *pipeline);

/* Applies one flow_mod at once. Returns 0 or an enum of_error; on error nothing was changed. */
int pipeline_flow_mod(struct pipeline *pipeline, const struct flow_mod *fm);

/* Adds a rule that a pipeline before had, as it was there: `fm` is an add of it, its flags may have RULE_LEARNED.
 * `created_ms`: when it was added, by clock_now_ms(). The time without a packet counts from now. Returns as
 * pipeline_flow_mod(). */
int pipeline_take_over_rule(struct pipeline *pipeline, const struct flow_mod *fm, uint64_t created_ms);

/* A bundle: begin, any number of flow_mods (each may be in another turn of the event loop), then commit or abort, all
 * of them in slices. Ordered and atomic: lookups see nothing before commit and all of it after; mods see those before
 * them. While a bundle is open (until its commit is done), flow_mods outside of it are refused (OFPERR_FMFC_EPERM:
 * callers queue them). Observers are told at commit. A mod that was refused changed nothing; whether the bundle goes on
 * is the caller's. Rules may time out or be removed meanwhile. */
int pipeline_bundle_begin(struct pipeline *pipeline); /* 0; -EBUSY if one is open */
/* A flow_mod, which may be about many rules: looks at about `budget` rules a call. *slices is NULL before the first
 * call and after the last. Returns 0, an enum of_error, or -EINPROGRESS: call again; until then the bundle may not be
 * used otherwise, but may be aborted after pipeline_mod_slices_free(). */
struct mod_slices;
int pipeline_bundle_mod_slice(struct pipeline *pipeline, const struct flow_mod *fm, struct mod_slices **slices,
                              size_t budget);
void pipeline_mod_slices_free(struct mod_slices *slices);
/* The whole bundle is visible after the first step; observers are told of about `budget` rules a step. Returns true
 * when all is done. */
bool pipeline_bundle_commit_step(struct pipeline *pipeline, size_t budget);
/* Takes back about `budget` rules a step. Returns true when all is done; until then nothing else. */
bool pipeline_bundle_abort_step(struct pipeline *pipeline, size_t budget);
/* Rules that were learned go when the last rule goes whose learn action has delete_learned: all of them in one change,
 * at once if they are few. Otherwise observers are told (to_settle), and the rest takes pipeline_settle_step(), for
 * about `budget` rules a call, until that returns true: nothing is left that can be done now. Until pipeline_settled()
 * flow_mods are refused as they are while a bundle is open. The same steps count the rules of a table for the limits of
 * learn actions, which keeps nobody waiting. */
bool pipeline_settle_step(struct pipeline *pipeline, size_t budget);
bool pipeline_settled(const struct pipeline *pipeline);
/* For a moment lookups, also of groups and meters, see the open bundle as it is so far, or (false) no longer. */
void pipeline_bundle_peek(struct pipeline *pipeline, bool peek);
/* The version that lookups see. Rules that were added with a later one belong to the open bundle. */
uint64_t pipeline_version(const struct pipeline *pipeline);

/* The highest-priority rule of the table that matches; NULL if none does. Of rules with equal priority always the same
 * one wins while they exist, but which is not said: a new rule may win over an old one of equal priority. Every bit of
 * `flow` that the answer depends on is set in `wc` (if not NULL): any flow that agrees on them gets the same answer.
 * `trail`: what it depended on besides (conjunction.h); NULL: clauses of conjunctions match nothing. */
struct rule *pipeline_lookup(struct pipeline *pipeline, uint8_t table_id, const struct flow *flow, struct flow *wc,
                             struct conj_trail *trail);

/* The rule of that very match and priority; NULL: there is none. The switch's own are not found. */
struct rule *pipeline_find_rule(const struct pipeline *pipeline, uint8_t table_id, const struct match *match,
                                uint16_t priority);

/* Iteration for dumps that are worked off in slices: a cursor stays valid over changes; rules that existed throughout
 * are visited exactly once. When the pipeline goes it is at its end. */
struct rule_cursor;
struct rule_cursor *rule_cursor_open(struct pipeline *pipeline, const struct rule_filter *filter);
struct rule *rule_cursor_next(struct rule_cursor *cursor); /* NULL at the end; no reference */
/* rule_cursor_next(), but looking at no more than `most` rules: with a narrow filter the next may be far away. A rule
 * that was found is in *rule. */
enum rule_cursor_state { RULE_CURSOR_FOUND, RULE_CURSOR_MORE, RULE_CURSOR_END };
enum rule_cursor_state rule_cursor_look(struct rule_cursor *cursor, unsigned most, struct rule **rule);
void rule_cursor_close(struct rule_cursor *cursor);

uint32_t pipeline_n_rules(const struct pipeline *pipeline,
                          uint8_t table_id); /* TABLE_ALL: all; hidden ones not counted */

/* How many rules all tables together take: further adds get OFPERR_FMFC_TABLE_FULL, or evict another of their table.
 * Those that are there stay. */
void pipeline_set_max_rules(struct pipeline *pipeline, uint32_t max_rules);

struct table_stats {
    uint32_t active;
    uint64_t lookups, matched; /* per packet: pipeline_table_count(), src/upcall/ */
};
void pipeline_table_stats(const struct pipeline *pipeline, uint8_t table_id, struct table_stats *stats);
void pipeline_table_count(struct pipeline *pipeline, uint8_t table_id, uint64_t lookups, uint64_t matched);
/* How a table is configured. */
#define TABLE_EVICTION 0x4       /* of `config`: OFPTC_* of OpenFlow 1.4 */
#define TABLE_VACANCY_EVENTS 0x8 /* src/openflow sends them */
#define TABLE_EVICT_OTHER 0x1    /* of `eviction`: OFPTMPEF_*; here: the least recently used */
#define TABLE_EVICT_IMPORTANCE 0x2
#define TABLE_EVICT_LIFETIME 0x4
struct table_config {
    uint32_t max_rules; /* UINT32_MAX = any number; further adds get OFPERR_FMFC_TABLE_FULL, or evict another */
    uint32_t config;
    uint32_t eviction;
    uint8_t vacancy_down, vacancy_up; /* percent */
    bool disabled;                    /* takes no rules; it has none */
    char name[32];                    /* "" = none */
};
const struct table_config *pipeline_table_config(const struct pipeline *pipeline, uint8_t table_id);
void pipeline_set_table_config(struct pipeline *pipeline, uint8_t table_id, const struct table_config *config);
/* Eviction and vacancy events of a table, as the bundle's mods from here on are to have them, and all once it is
 * visible; `config` is what pipeline_table_config() tells while peeking, changed. */
void pipeline_bundle_table_config(struct pipeline *pipeline, uint8_t table_id, const struct table_config *config);
/* Orders the rules of a table that may evict by that configuration, for about *budget looks at rules. True: done;
 * before the bundle's next mod of a rule it should be, which does the rest at once otherwise. */
bool pipeline_bundle_order_slice(struct pipeline *pipeline, uint8_t table_id, size_t *budget);

/* Removes rules whose time has come (statistics must be fresh). At most `budget` removals; returns how many. */
unsigned pipeline_expire(struct pipeline *pipeline, uint64_t now_ms, unsigned budget);
/* Lowers the timeouts of a rule (not 0) to these, where they are longer or none: NXAST_FIN_TIMEOUT. 0 = leave. */
void pipeline_reduce_timeouts(struct pipeline *pipeline, struct rule *rule, uint16_t idle_s, uint16_t hard_s);
/* Removes a rule (group deleted, eviction ...). */
void pipeline_remove_rule(struct pipeline *pipeline, struct rule *rule, enum rule_removed_reason reason);

/* Memory of rules and classifiers in bytes, for the "caches" command. */
size_t pipeline_memory(const struct pipeline *pipeline);

#endif
