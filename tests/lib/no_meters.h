/* Stands in for the datapath's meters where there are to be none. */
#ifndef TESTS_UNIT_NO_METERS_H
#define TESTS_UNIT_NO_METERS_H

#include <errno.h>
#include <string.h>

#include "pmd/datapath.h"

int datapath_meter_add(struct datapath *dp, const struct meter_config *config, uint32_t *index)
{
    return -ENOSPC;
}

int datapath_meter_set(struct datapath *dp, uint32_t index, const struct meter_config *config)
{
    return -ENOMEM;
}

void datapath_meter_remove(struct datapath *dp, uint32_t index)
{
}

void datapath_meter_forget(struct datapath *dp, uint32_t index)
{
}

void datapath_meter_counts(const struct datapath *dp, uint32_t index, struct meter_counts *counts)
{
    memset(counts, 0, sizeof *counts);
}

#endif
