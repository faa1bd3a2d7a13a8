/* The bookkeeping of one megaflow: its path, the MAC addresses that it rests on, its effects, its places in the indexes
 * of rules. Nothing else attaches a record to anything. */
#include <stdlib.h>
#include <string.h>

#include "pmd/base/clock.h"
#include "pmd/base/memory.h"
#include "src/upcall/flows_impl.h"

/* What NORMAL had a part in. */
struct record_macs {
    uint16_t n_links, n_learned;
    struct xlate_learned *learned; /* behind the links */
    struct dep_link links[];
};

/* --- MAC addresses ------------------------------------------------------- */

static unsigned count_macs(const struct xlate_deps *deps)
{
    unsigned n = 0;

    for (unsigned i = 0; i < deps->n_others; i++)
        n += dep_is_of_record(&deps->others[i]);
    return n;
}

static void macs_drop(struct flows *flows, struct mf_record *record)
{
    struct record_macs *macs = record->macs;

    for (unsigned i = 0; macs && i < macs->n_links; i++)
        dep_link_remove(&flows->deps, &macs->links[i]);
    free(macs);
    record->macs = NULL;
}

static bool learned_same(const struct xlate_learned *a, const struct xlate_learned *b)
{
    return a->bridge == b->bridge && a->lport == b->lport && a->vlan == b->vlan &&
           rte_is_same_ether_addr(&a->mac, &b->mac);
}

static bool macs_same(const struct record_macs *macs, const struct xlate_deps *deps, unsigned n_links)
{
    unsigned link = 0;

    if (!macs || macs->n_links != n_links || macs->n_learned != deps->n_learned)
        return false;
    for (unsigned i = 0; i < deps->n_others; i++) {
        if (dep_is_of_record(&deps->others[i]) && !dep_same(&macs->links[link++].at->dep, &deps->others[i]))
            return false;
    }
    for (unsigned i = 0; i < deps->n_learned; i++) {
        if (!learned_same(&macs->learned[i], &deps->learned[i]))
            return false;
    }
    return true;
}

static void macs_set(struct flows *flows, struct mf_record *record, const struct xlate_deps *deps)
{
    unsigned n_links = count_macs(deps), link = 0;
    size_t learned_size = deps->n_learned * sizeof deps->learned[0];
    struct record_macs *macs;

    if (macs_same(record->macs, deps, n_links))
        return;
    macs_drop(flows, record);
    if (n_links == 0 && deps->n_learned == 0)
        return;
    macs = malloc(sizeof *macs + n_links * sizeof macs->links[0] + learned_size);
    if (!macs)
        out_of_memory("the bookkeeping of megaflows", 0);
    macs->n_links = (uint16_t)n_links;
    macs->n_learned = (uint16_t)deps->n_learned;
    macs->learned = (struct xlate_learned *)(macs->links + n_links);
    if (learned_size)
        memcpy(macs->learned, deps->learned, learned_size);
    for (unsigned i = 0; i < deps->n_others; i++) {
        if (dep_is_of_record(&deps->others[i]))
            dep_link_add(&flows->deps, &macs->links[link++], &deps->others[i], record);
    }
    record->macs = macs;
}

bool record_rests_on_mac(const struct mf_record *record, const struct xlate_dep *dep)
{
    const struct record_macs *macs = record->macs;

    for (unsigned i = 0; macs && i < macs->n_links; i++) {
        if (dep_same(&macs->links[i].at->dep, dep))
            return true;
    }
    return false;
}

bool learned_holds(const struct xlate_deps *deps)
{
    for (unsigned i = 0; i < deps->n_learned; i++) {
        const struct xlate_learned *learned = &deps->learned[i];
        const struct mac_entry *entry = mac_table_lookup(learned->bridge->macs, &learned->mac, learned->vlan);

        if (!entry || entry->lport != learned->lport)
            return false;
    }
    return true;
}

/* --- attaching ----------------------------------------------------------- */

void record_attach(struct flows *flows, struct mf_record *record, struct xlate_deps *deps)
{
    record->macs = NULL;
    record->effects = NULL;
    record->changes = flows->changes;
    path_attach(path_get(flows, deps), record);
    rule_index_insert(flows, record);
    macs_set(flows, record, deps);
    effects_keep(record, deps);
    /* Rules changed while it was decided by them. */
    if (deps->changed_rules)
        record_mark(flows, record);
}

void record_move(struct flows *flows, struct mf_record *record, struct xlate_deps *deps)
{
    struct path *old = record->path, *path = path_get(flows, deps);

    path_detach(old, record);
    path_attach(path, record);
    record->changes = flows->changes;
    path_release(flows, old);
    macs_set(flows, record, deps);
    effects_follow(flows, record, deps);
}

void record_detach(struct flows *flows, struct mf_record *record)
{
    rule_index_remove(flows, record);
    macs_drop(flows, record);
    path_detach(record->path, record);
}

void record_end(struct flows *flows, struct mf_record *record)
{
    record_count(flows, record);
    effects_end(record);
    path_release(flows, record->path);
    free(record);
}

bool record_count(struct flows *flows, struct mf_record *record)
{
    struct megaflow_stats stats = record->stats;
    const struct record_macs *macs = record->macs;

    if (!datapath_megaflow_stats(flows->dp, record->mf, &record->stats))
        return false;
    path_credit(flows, record->path, record->stats.packets - stats.packets, record->stats.bytes - stats.bytes,
                record->stats.used_ms);
    if (record->stats.used_ms > record->used_ms)
        record->used_ms = record->stats.used_ms;
    record->untaught = true;
    for (unsigned i = 0; macs && i < macs->n_learned; i++) {
        const struct xlate_learned *learned = &macs->learned[i];

        mac_table_touch(learned->bridge->macs, &learned->mac, learned->vlan, learned->lport, clock_now_ms());
    }
    return true;
}
