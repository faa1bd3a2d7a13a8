/* Stands in for the datapath's meters: there are none, unless a test sets how many there can be. Nor are there policers
 * and queues of ports. */
#ifndef TESTS_UNIT_NO_METERS_H
#define TESTS_UNIT_NO_METERS_H

#include <errno.h>
#include <string.h>

#include "pmd/datapath.h"

/* The test has it. */
extern uint32_t meters_left;

int datapath_meter_add(struct datapath *dp, const struct meter_config *config, uint32_t *index)
{
    if (meters_left == 0)
        return -ENOSPC;
    *index = --meters_left;
    return 0;
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

int datapath_port_police(struct datapath *dp, struct port *port, enum port_way way, const struct policer_config *config)
{
    return -ENOMEM;
}

int datapath_port_set_queues(struct datapath *dp, struct port *port, const struct port_queue_config *configs,
                             unsigned n)
{
    return -ENOMEM;
}

#endif
