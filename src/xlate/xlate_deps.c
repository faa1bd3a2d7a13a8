/* Translation: what the decision depends on, noted as it is made. */
#include <stdlib.h>
#include <string.h>

#include "pmd/base/memory.h"
#include "src/xlate/xlate_ctx.h"

void xlate_out_init(struct xlate_out *out)
{
    program_builder_init(&out->program);
    memset(&out->deps, 0, sizeof out->deps);
    conj_trail_init(&out->trail);
}

static void release(struct xlate_deps *deps)
{
    for (unsigned i = 0; i < deps->n_effects; i++)
        rule_unref(deps->effects[i].rule);
    deps->n_effects = 0;
    if (!deps->pinned)
        return;
    for (unsigned i = 0; i < deps->n_rules; i++)
        rule_unref(deps->rules[i]);
    for (unsigned i = 0; i < deps->n_clauses; i++)
        rule_unref(deps->clauses[i]);
    deps->pinned = false;
}

void xlate_out_free(struct xlate_out *out)
{
    struct xlate_deps *deps = &out->deps;

    release(deps);
    free(deps->bridges);
    free(deps->rules);
    free(deps->clauses);
    free(deps->visits);
    free(deps->groups);
    free(deps->others);
    free(deps->learned);
    free(deps->crossings);
    free(deps->effects);
    memset(deps, 0, sizeof *deps);
    conj_trail_free(&out->trail);
}

void xlate_deps_reset(struct xlate_deps *deps)
{
    release(deps);
    deps->n_bridges = deps->n_rules = deps->n_clauses = deps->n_visits = deps->n_groups = 0;
    deps->n_others = deps->n_learned = deps->n_crossings = 0;
    deps->no_news = deps->changed_rules = false;
}

static void *grow(void *array, unsigned *size, size_t element)
{
    *size = *size ? *size * 2 : 16;
    array = realloc(array, *size * element);
    if (!array)
        out_of_memory("rules, groups and meters", 0);
    return array;
}

/* Makes room for one more element of deps->array. */
#define ROOM(deps, array)                                                                                              \
    do {                                                                                                               \
        if ((deps)->n_##array == (deps)->array##_size)                                                                 \
            (deps)->array = grow((deps)->array, &(deps)->array##_size, sizeof *(deps)->array);                         \
    } while (0)

uint16_t xlate_deps_add_bridge(struct xlate_deps *deps, struct bridge *bridge)
{
    for (unsigned i = 0; i < deps->n_bridges; i++) {
        if (deps->bridges[i] == bridge)
            return (uint16_t)i;
    }
    ROOM(deps, bridges);
    deps->bridges[deps->n_bridges] = bridge;
    return (uint16_t)deps->n_bridges++;
}

static void add_rule(struct xlate_deps *deps, struct rule *rule)
{
    /* From the back: what repeats are tables that resubmit to one another. */
    for (unsigned i = deps->n_rules; i-- > 0;) {
        if (deps->rules[i] == rule)
            return;
    }
    ROOM(deps, rules);
    deps->rules[deps->n_rules++] = deps->pinned ? rule_ref(rule) : rule;
}

static void add_visit(struct xlate_deps *deps, struct xlate_visit visit)
{
    ROOM(deps, visits);
    deps->visits[deps->n_visits++] = visit;
}

/* Adds what the search of a table met on its way to its answer. */
static void add_trail(struct xlate_deps *deps, struct xlate_visit visit, const struct conj_trail *trail)
{
    visit.uncounted = true;
    for (unsigned i = 0; i < trail->n_clauses; i++) {
        ROOM(deps, clauses);
        deps->clauses[deps->n_clauses++] = deps->pinned ? rule_ref(trail->clauses[i]) : trail->clauses[i];
    }
    if (trail->failed) {
        visit.has_rule = false;
        visit.priority = 0;
        add_visit(deps, visit);
    }
    if (trail->found) {
        visit.has_rule = true;
        visit.priority = trail->priority;
        add_visit(deps, visit);
    }
}

void xlate_deps_add_lookup(struct xlate_deps *deps, struct xlate_visit visit, struct rule *rule,
                           const struct conj_trail *trail)
{
    add_trail(deps, visit, trail);
    add_visit(deps, visit);
    if (rule)
        add_rule(deps, rule);
}

void xlate_deps_add(struct xlate_deps *deps, const struct xlate_dep *dep)
{
    for (unsigned i = deps->n_others; i-- > 0;) {
        const struct xlate_dep *other = &deps->others[i];

        if (other->kind == dep->kind && other->a == dep->a && other->b == dep->b)
            return;
    }
    ROOM(deps, others);
    deps->others[deps->n_others++] = *dep;
}

void xlate_dep(struct xlate_ctx *ctx, enum xlate_dep_kind kind, uint64_t b)
{
    const struct xlate_dep dep = {.kind = kind, .a = ctx->bridge, .b = b};

    /* A flood to a thousand ports is one dependency. */
    if (kind == XLATE_DEP_PORT && ctx->all_ports_of == ctx->bridge)
        return;
    if (kind == XLATE_DEP_PORTS)
        ctx->all_ports_of = ctx->bridge;
    xlate_deps_add(&ctx->out->deps, &dep);
}

void xlate_note_learned(struct xlate_ctx *ctx, const struct rte_ether_addr *mac, uint16_t vlan, uint32_t lport)
{
    struct xlate_deps *deps = &ctx->out->deps;

    for (unsigned i = 0; i < deps->n_learned; i++) {
        struct xlate_learned *learned = &deps->learned[i];

        if (learned->bridge == ctx->bridge && learned->vlan == vlan && rte_is_same_ether_addr(&learned->mac, mac)) {
            learned->lport = lport;
            return;
        }
    }
    ROOM(deps, learned);
    deps->learned[deps->n_learned++] =
        (struct xlate_learned){.bridge = ctx->bridge, .lport = lport, .vlan = vlan, .mac = *mac};
}

void xlate_deps_add_group(struct xlate_deps *deps, struct group *group, uint32_t bucket)
{
    ROOM(deps, groups);
    deps->groups[deps->n_groups++] = (struct xlate_group){.group = group, .bucket = bucket};
}

void xlate_deps_add_crossing(struct xlate_deps *deps, uint16_t bridge, enum xlate_crossed what, uint32_t id)
{
    ROOM(deps, crossings);
    deps->crossings[deps->n_crossings++] = (struct xlate_crossing){.bridge = bridge, .what = what, .id = id};
}

void xlate_pin_rules(struct xlate_ctx *ctx)
{
    struct xlate_deps *deps = &ctx->out->deps;

    if (deps->pinned)
        return;
    for (unsigned i = 0; i < deps->n_rules; i++)
        rule_ref(deps->rules[i]);
    for (unsigned i = 0; i < deps->n_clauses; i++)
        rule_ref(deps->clauses[i]);
    deps->pinned = true;
}

struct xlate_deps_point xlate_deps_point(const struct xlate_deps *deps)
{
    return (struct xlate_deps_point){.n_rules = deps->n_rules,
                                     .n_visits = deps->n_visits,
                                     .n_groups = deps->n_groups,
                                     .n_crossings = deps->n_crossings,
                                     .n_effects = deps->n_effects};
}

void xlate_deps_uncount(struct xlate_deps *deps, const struct xlate_deps_point *point)
{
    while (deps->n_effects > point->n_effects)
        rule_unref(deps->effects[--deps->n_effects].rule);
    while (deps->n_rules > point->n_rules) {
        ROOM(deps, clauses);
        deps->clauses[deps->n_clauses++] = deps->rules[--deps->n_rules];
    }
    for (unsigned i = point->n_visits; i < deps->n_visits; i++)
        deps->visits[i].uncounted = true;
    for (unsigned i = point->n_groups; i < deps->n_groups; i++)
        deps->groups[i].bucket = XLATE_GROUP_LATER;
    deps->n_crossings = point->n_crossings;
}

void xlate_add_effect(struct xlate_ctx *ctx, const struct xlate_effect *effect)
{
    struct xlate_deps *deps = &ctx->out->deps;

    ROOM(deps, effects);
    deps->effects[deps->n_effects] = *effect;
    deps->effects[deps->n_effects++].bridge = ctx->bridge;
}
