/* Meters: the control thread makes, replaces and removes them; programs name them by index. */
#include <errno.h>
#include <rte_cycles.h>
#include <stdlib.h>

#include "pmd/poll/datapath_impl.h"

static int publish(struct datapath *dp, uint32_t index, const struct meter_config *config)
{
    struct meter *old = dp->meters[index];
    struct meter *meter = meter_create(config, dp->params.max_threads, rte_get_tsc_hz(), rte_rdtsc());

    if (!meter)
        return -ENOMEM;
    __atomic_store_n(&dp->meters[index], meter, __ATOMIC_RELEASE);
    rcu_touch(&dp->rcu);
    if (old)
        datapath_defer(dp, free, old);
    return 0;
}

int datapath_meter_add(struct datapath *dp, const struct meter_config *config, uint32_t *index)
{
    for (uint32_t tried = 0; tried < DATAPATH_METERS_MAX; tried++) {
        uint32_t i = dp->meter_next++ % DATAPATH_METERS_MAX;

        if (!dp->meters[i] && !dp->meters_leaving[i]) {
            *index = i;
            return publish(dp, i, config);
        }
    }
    return -ENOSPC;
}

int datapath_meter_set(struct datapath *dp, uint32_t index, const struct meter_config *config)
{
    return publish(dp, index, config);
}

void datapath_meter_remove(struct datapath *dp, uint32_t index)
{
    struct meter *old = dp->meters[index];

    __atomic_store_n(&dp->meters[index], NULL, __ATOMIC_RELEASE);
    dp->meters_leaving[index] = true;
    datapath_defer(dp, free, old);
}

void datapath_meter_forget(struct datapath *dp, uint32_t index)
{
    dp->meters_leaving[index] = false;
}

void datapath_meter_counts(const struct datapath *dp, uint32_t index, struct meter_counts *counts)
{
    meter_sum(dp->meters[index], counts);
}
