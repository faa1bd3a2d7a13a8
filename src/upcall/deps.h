/* Paths: what megaflows depend on. Control thread only.
 *
 * Megaflows that were decided by the same lookups with the same rules share one path. A rule leads to its paths
 * (rule->dependents), a path to its megaflows: so a changed rule finds the megaflows it affects, and statistics are
 * summed per path before they go to rules and groups. A path lives as long as a megaflow (or the last statistics of
 * one) belongs to it; it holds a reference to each of its rules and groups.
 */
#ifndef SRC_UPCALL_DEPS_H
#define SRC_UPCALL_DEPS_H

#include <sys/queue.h>

#include "src/tables/group.h"
#include "src/upcall/dep_index.h"

struct flows;
struct mf_record;

struct rule_dependent {
    LIST_ENTRY(rule_dependent) node;
    struct rule *rule;
    struct path *path; /* NULL: a rule_watch */
};

/* On a rule that is out of its table: what to do when no path is left. The first of its dependents. */
struct rule_watch {
    struct rule_dependent dependent; /* first */
    struct bridge *bridge;
    enum rule_removed_reason reason;
    struct rule *successor; /* gets what is still counted for the rule, and nobody is told; referenced, and this is one
                             * of its dependents: it is not done with before the rule is */
};

/* A group that a path goes through, by one of its buckets. */
struct group_dependent {
    LIST_ENTRY(group_dependent) node;
    struct group *group;
    struct path *path;
    uint32_t bucket; /* as in struct xlate_group */
};

TAILQ_HEAD(mf_records, mf_record);

enum path_verdict { PATH_UNAFFECTED, PATH_CHECK, PATH_AFFECTED };

struct path {
    struct path *hash_next;
    uint32_t hash;
    uint32_t n_records;  /* removed ones included whose statistics are not final */
    uint32_t n_detached; /* those */
    /* Its megaflows: those that are to be translated again, list[todo_side], and the others. Two sides, so that all can
     * be marked by a change of sides. */
    struct mf_records list[2];
    uint32_t n_list[2];
    uint8_t todo_side;
    TAILQ_ENTRY(path) todo_node;
    uint64_t todo_seq; /* 0: not queued */
    /* Counted and not yet given to the rules. */
    uint64_t packets, bytes, used_ms;
    TAILQ_ENTRY(path) credit_node;
    LIST_ENTRY(path) rewriting_node;
    bool credit_queued;
    /* What the sweep `batch_serial` found. */
    uint64_t batch_serial;
    enum path_verdict verdict;
    uint32_t n_rules, n_clauses, n_visits, n_groups;
    uint16_t n_bridges, n_links, n_crossings;
    struct bridge **bridges; /* first the one that the packets came to; none: their port belongs to none */
    struct xlate_visit *visits;
    struct xlate_crossing *crossings;
    struct group_dependent *groups;
    struct dep_link *links;        /* ports, but for the one the packets came in by */
    struct rule_dependent rules[]; /* n_rules, then n_clauses that count no packets */
};

/* The bridge that its packets came to; NULL: none. */
static inline struct bridge *path_bridge(const struct path *path)
{
    return path->n_bridges > 0 ? path->bridges[0] : NULL;
}

bool path_has_bridge(const struct path *path, const struct bridge *bridge);
bool path_rests_on(const struct path *path, const struct xlate_dep *dep);

/* The path of these dependencies, made if there is none. Aborts if memory is out. */
struct path *path_get(struct flows *flows, const struct xlate_deps *deps);
void path_attach(struct path *path, struct mf_record *record);
/* Out of the path's lists; the path stays until path_release. */
void path_detach(struct path *path, struct mf_record *record);
/* One record less; frees the path if it was the last, which may end removed rules. */
void path_release(struct flows *flows, struct path *path);

/* A megaflow that is to be translated again; NULL: none. */
struct mf_record *path_todo(const struct path *path);
bool record_marked(const struct mf_record *record);

/* Counts packets on a path; rules get them at path_flush_credits. */
void path_credit(struct flows *flows, struct path *path, uint64_t packets, uint64_t bytes, uint64_t used_ms);
void path_flush_credits(struct flows *flows);
/* Counts packets on the rules of a translation that left no path. */
void deps_credit(const struct xlate_deps *deps, uint64_t packets, uint64_t bytes, uint64_t used_ms);

/* All megaflows of the path, or one, are to be translated again. */
void path_mark(struct flows *flows, struct path *path);
void record_mark(struct flows *flows, struct mf_record *record);
void rule_mark_dependents(struct flows *flows, struct rule *rule);
void group_mark_dependents(struct flows *flows, struct group *group);

/* The rule left its table for one that goes on with its counters: what its megaflows have counted and still count is
 * the successor's. However many there are, none is looked at. */
void rule_watch_replaced(struct rule *rule, struct rule *successor);
/* The rule left its table. Once no path has it, flows->rule_gone is told. */
void rule_watch_gone(struct flows *flows, struct bridge *bridge, struct rule *rule, enum rule_removed_reason reason);

#endif
