/* Megaflows, as the control thread installs, changes, removes and reads them. */
#include <errno.h>
#include <string.h>

#include "pmd/base/clock.h"
#include "pmd/poll/datapath_impl.h"

/* For the tracker's memory, before the first packet that is tracked. Pages that packets touch first are small ones for
 * ever, and each bucket of the directory may be in another. */
#define TRACKER_US 6000

uint32_t megaflow_id(const struct megaflow *mf)
{
    return mf->id;
}

const struct flow_key *megaflow_key(const struct megaflow *mf, struct flow_key *copy)
{
    megaflow_masked_key(mf, copy);
    return copy;
}

const struct flow_key *megaflow_mask(const struct megaflow *mf)
{
    return &mf->tuple->mask;
}

const struct program *megaflow_program(const struct megaflow *mf)
{
    return mf->slot->program;
}

/* Whether `mask` looks at nothing but in_port, so that the megaflow takes all that the port receives. */
static bool mask_is_port_only(const struct tuple *tuple)
{
    const struct flow_key port_only = {.in_port = UINT32_MAX, .recirc_id = tuple->mask.recirc_id};

    return memcmp(&tuple->mask, &port_only, sizeof port_only) == 0;
}

static void port_megaflow_set(struct datapath *dp, const struct megaflow *mf, struct megaflow_slot *value)
{
    struct flow_key key;

    if (!mask_is_port_only(mf->tuple))
        return;
    megaflow_masked_key(mf, &key);
    if (key.recirc_id != 0 || key.in_port >= PORT_MAX)
        return;
    if (!value && dp->port_megaflows[key.in_port] != mf->slot)
        return;
    __atomic_store_n(&dp->port_megaflows[key.in_port], value, __ATOMIC_RELEASE);
}

static bool tracks(const struct program *program)
{
    PROGRAM_FOR_EACH (op, program) {
        if (op->type == OP_CT || op->type == OP_CT_NAT)
            return true;
    }
    return false;
}

struct megaflow *datapath_megaflow_install(struct datapath *dp, const struct flow_key *key, const struct flow_key *mask,
                                           struct program *program, int *error)
{
    struct tuple *tuple = tss_tuple_make(&dp->tss, mask, error);
    struct megaflow *mf;

    if (unlikely(!ct_is_used(dp->ct)) && tracks(program))
        ct_work(dp->ct, datapath_seconds(), TRACKER_US);
    if (!tuple)
        return NULL;
    mf = tss_tuple_find(&dp->tss, tuple, key, FLOW_KEY_LINES);
    if (mf) {
        *error = -EEXIST;
        return NULL;
    }
    mf = megaflow_alloc(&dp->megaflows, &dp->rcu);
    if (!mf) {
        *error = -ENOSPC;
        tss_tuple_release(&dp->tss, tuple);
        return NULL;
    }
    *error = megaflow_set_key(mf, key, &tuple->mask, tuple->n_lines);
    if (*error == 0) {
        mf->slot->program = program;
        mf->tuple = tuple;
        *error = tss_insert(&dp->tss, mf);
    }
    if (*error != 0) {
        megaflow_unalloc(&dp->megaflows, mf);
        tss_tuple_release(&dp->tss, tuple);
        return NULL;
    }
    megaflow_publish(mf);
    port_megaflow_set(dp, mf, mf->slot);
    return mf;
}

struct program *datapath_megaflow_set_program(struct datapath *dp, struct megaflow *mf, struct program *program)
{
    const struct program *old = mf->slot->program;

    __atomic_store_n(&mf->slot->program, program, __ATOMIC_RELEASE);
    rcu_touch(&dp->rcu);
    return (struct program *)(uintptr_t)old;
}

struct program *datapath_megaflow_remove(struct datapath *dp, struct megaflow *mf)
{
    struct program *program = (struct program *)(uintptr_t)mf->slot->program;

    port_megaflow_set(dp, mf, NULL);
    tss_remove(&dp->tss, mf);
    megaflow_retire(&dp->megaflows, mf);
    rcu_touch(&dp->rcu);
    tss_tuple_release(&dp->tss, mf->tuple);
    return program;
}

struct megaflow *datapath_megaflow_lookup(const struct datapath *dp, const struct flow_key *key)
{
    return tss_find(&dp->tss, key, FLOW_KEY_LINES);
}

uint32_t datapath_n_megaflows(const struct datapath *dp)
{
    return dp->megaflows.n_used;
}

uint32_t datapath_n_masks(const struct datapath *dp)
{
    return dp->tss.list->n;
}

const struct flow_key *datapath_mask(const struct datapath *dp, uint32_t i, uint32_t *n_megaflows)
{
    const struct tuple *tuple = dp->tss.list->refs[i].tuple;

    if (n_megaflows)
        *n_megaflows = tuple->n;
    return &tuple->mask;
}

bool datapath_megaflow_stats(const struct datapath *dp, const struct megaflow *mf, struct megaflow_stats *stats)
{
    uint64_t bytes = 0;
    uint32_t packets = 0;

    for (unsigned i = 0; i < dp->megaflows.n_counters; i++) {
        const struct megaflow_counters *counters = &dp->megaflows.counters[i][mf->id];

        bytes += (uint64_t)__atomic_load_n(&dp->megaflows.rare[i][mf->id].byte_wraps, __ATOMIC_ACQUIRE) << 32;
        packets += __atomic_load_n(&counters->packets, __ATOMIC_ACQUIRE);
        bytes += COUNTED(counters->bytes);
    }
    packets -= (uint32_t)stats->packets;
    if (packets == 0)
        return false;
    stats->packets += packets;
    /* Less than before: bytes of a thread have wrapped and it has not said so yet. */
    stats->bytes = RTE_MAX(stats->bytes, bytes);
    stats->used_ms = clock_now_ms();
    return true;
}
