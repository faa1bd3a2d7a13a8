/* Packet-outs of a bundle: translated at their place in it, by the tables as the messages before them have left them,
 * and sent when all of it is committed. */
#include <stdlib.h>
#include <string.h>

#include "pmd/base/clock.h"
#include "pmd/base/memory.h"
#include "src/bridge/mac_table.h"
#include "src/tables/learn.h"
#include "src/upcall/flows_impl.h"

struct held_packet {
    TAILQ_ENTRY(held_packet) node;
    uint64_t serial;
    struct bridge *bridge;
    struct program *program; /* NULL: the packet is dropped */
    uint32_t in_port;        /* the datapath's */
    uint32_t len;
    enum drop_reason drop_reason;
    struct xlate_deps deps; /* references are taken; counted on by held_packet_commit */
};

/* What the change itself added vanishes with it, and hands its counters on to what takes its place in it: it may count
 * at once. */
static bool is_pending(const struct bridge *bridge, uint64_t add_version)
{
    return add_version > pipeline_version(bridge->pipeline);
}

static void *keep(const void *from, unsigned n, size_t element)
{
    void *to = malloc(n * element + 1);

    if (!to)
        out_of_memory("the bookkeeping of megaflows", 0);
    return n ? memcpy(to, from, n * element) : to;
}

/* The dependencies outlive the translation, split in what counts now and what counts later. */
static void keep_deps(struct held_packet *held, struct xlate_deps *deps)
{
    struct xlate_deps now = *deps, *later = &held->deps;

    *later = *deps;
    later->rules = keep(deps->rules, deps->n_rules, sizeof *deps->rules);
    later->visits = keep(deps->visits, deps->n_visits, sizeof *deps->visits);
    later->bridges = keep(deps->bridges, deps->n_bridges, sizeof *deps->bridges);
    later->crossings = keep(deps->crossings, deps->n_crossings, sizeof *deps->crossings);
    later->learned = keep(deps->learned, deps->n_learned, sizeof *deps->learned);
    later->groups = keep(deps->groups, deps->n_groups, sizeof *deps->groups);
    later->effects = keep(deps->effects, deps->n_effects, sizeof *deps->effects);
    later->n_rules = later->n_groups = 0;
    now.n_rules = now.n_groups = now.n_visits = now.n_crossings = 0;
    deps->n_effects = 0; /* their references went along */
    for (unsigned i = 0; i < deps->n_rules; i++) {
        if (is_pending(held->bridge, deps->rules[i]->add_version))
            now.rules[now.n_rules++] = deps->rules[i];
        else
            later->rules[later->n_rules++] = rule_ref(deps->rules[i]);
    }
    for (unsigned i = 0; i < deps->n_groups; i++) {
        if (is_pending(held->bridge, deps->groups[i].group->add_version))
            now.groups[now.n_groups++] = deps->groups[i];
        else
            later->groups[later->n_groups++] = deps->groups[i];
    }
    for (unsigned i = 0; i < later->n_groups; i++)
        group_ref(later->groups[i].group);
    deps_credit(&now, 1, held->len, clock_now_ms());
}

struct held_packet *flows_packet_out_hold(struct flows *flows, struct bridge *bridge, struct rte_mbuf *packet,
                                          const struct flow *around, const struct act_list *acts)
{
    struct held_packet *held = calloc(1, sizeof *held);

    if (!held)
        out_of_memory("the bookkeeping of megaflows", 0);
    held->bridge = bridge;
    held->drop_reason = DROP_NO_MBUF;
    if (packet) {
        held->len = rte_pktmbuf_pkt_len(packet);
        held->drop_reason = DROP_RX_RUNT;
        pipeline_bundle_peek(bridge->pipeline, true);
        if (packet_out_translate(flows, bridge, packet, around, acts, false, &held->in_port)) {
            held->program = program_intern(flows->programs, &flows->out.program);
            held->drop_reason = DROP_XLATE_ERROR;
            keep_deps(held, &flows->out.deps);
        }
        pipeline_bundle_peek(bridge->pipeline, false);
        rte_pktmbuf_free(packet);
    }
    held->serial = ++flows->held_last;
    TAILQ_INSERT_TAIL(&flows->held, held, node);
    return held;
}

uint64_t held_packet_serial(const struct held_packet *held)
{
    return held->serial;
}

void held_packets_mark(struct flows *flows, void (*mark)(const struct program *program))
{
    const struct held_packet *held;

    TAILQ_FOREACH (held, &flows->held, node) {
        if (held->program)
            mark(held->program);
    }
}

void flows_held_count(struct held_packet *held)
{
    deps_credit(&held->deps, 1, held->len, clock_now_ms());
}

static void run_effects(struct held_packet *held)
{
    struct xlate_deps *deps = &held->deps;
    uint64_t now = clock_now_ms();

    for (unsigned i = 0; i < deps->n_effects; i++) {
        const struct xlate_effect *effect = &deps->effects[i];

        if (effect->type == EFFECT_FIN_TIMEOUT)
            pipeline_reduce_timeouts(effect->bridge->pipeline, effect->rule, effect->idle_s, effect->hard_s);
        else
            pipeline_learn(effect->bridge->pipeline, effect->rule, effect->limit, now);
    }
    for (unsigned i = 0; i < deps->n_learned; i++) {
        const struct xlate_learned *learned = &deps->learned[i];

        /* The Port may have gone since. */
        if (bridge_lport_by_id(learned->bridge, learned->lport))
            mac_table_learn(learned->bridge->macs, &learned->mac, learned->vlan, learned->lport, now);
    }
}

/* Takes what is of the bridge out of an array of `n` elements that have a member `bridge`. */
#define FORGET(array, n, gone, drop)                                                                                   \
    for (unsigned i = 0; i < (n); i++) {                                                                               \
        if ((array)[i].bridge != (gone))                                                                               \
            continue;                                                                                                  \
        drop;                                                                                                          \
        (array)[i--] = (array)[--(n)];                                                                                 \
    }

void held_packets_forget_bridge(struct flows *flows, const struct bridge *bridge)
{
    struct held_packet *held;

    TAILQ_FOREACH (held, &flows->held, node) {
        struct xlate_deps *deps = &held->deps;

        for (unsigned i = 0; i < deps->n_bridges; i++) {
            if (deps->bridges[i] == bridge)
                deps->bridges[i] = NULL;
        }
        FORGET(deps->learned, deps->n_learned, bridge, );
        FORGET(deps->effects, deps->n_effects, bridge, rule_unref(deps->effects[i].rule));
    }
}

void flows_held_send(struct flows *flows, struct held_packet *held, struct rte_mbuf *packet)
{
    flows->stats.packet_outs++;
    run_effects(held);
    if (packet && held->program) {
        datapath_inject(flows->dp, packet, held->in_port, held->program);
        tickets_note_change(flows);
    } else {
        datapath_count_drop(flows->dp, packet ? held->drop_reason : DROP_NO_MBUF, 1);
        rte_pktmbuf_free(packet);
    }
    flows_held_free(flows, held);
}

void flows_held_free(struct flows *flows, struct held_packet *held)
{
    struct xlate_deps *deps = &held->deps;

    TAILQ_REMOVE(&flows->held, held, node);
    program_put(flows, held->program);
    for (unsigned i = 0; i < deps->n_rules; i++)
        rule_unref(deps->rules[i]);
    for (unsigned i = 0; i < deps->n_groups; i++)
        group_unref(deps->groups[i].group);
    for (unsigned i = 0; i < deps->n_effects; i++)
        rule_unref(deps->effects[i].rule);
    free(deps->rules);
    free(deps->visits);
    free(deps->bridges);
    free(deps->learned);
    free(deps->crossings);
    free(deps->groups);
    free(deps->effects);
    free(held);
}
