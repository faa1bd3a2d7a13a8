#include "src/openflow/server/describe.h"

#include "src/openflow/server/vacancy.h"

#include <rte_common.h>
#include <stdio.h>
#include <string.h>

static uint32_t speed_feature(uint32_t mbps)
{
    static const struct {
        uint32_t mbps, feature;
    } speeds[] = {
        {10, OF_PF_10MB_FD},    {100, OF_PF_100MB_FD},  {1000, OF_PF_1GB_FD},
        {10000, OF_PF_10GB_FD}, {40000, OF_PF_40GB_FD}, {100000, OF_PF_100GB_FD},
    };
    for (size_t i = 0; i < RTE_DIM(speeds); i++)
        if (speeds[i].mbps == mbps)
            return speeds[i].feature;
    return 0; /* OpenFlow 1.3.5, 7.2.1: a speed of no bit is told by curr_speed alone */
}

/* OFP_MAX_PORT_NAME_LEN, without the end (OpenFlow 1.3.5, 7.2.1). */
#define OF_PORT_NAME_LEN 15

/* As much of a longer name as there is room for, in whole characters of UTF-8. */
static void copy_name(const char *name, char *to, size_t most)
{
    size_t len = strlen(name);

    if (len > most) {
        len = most;
        while (len > 0 && ((uint8_t)name[len] & 0xc0) == 0x80)
            len--;
    }
    memcpy(to, name, len);
    to[len] = '\0';
}

void of_port_describe(const struct bridge_port *bp, struct of_port *port)
{
    struct port_status status = {0};

    *port = (struct of_port){.port_no = bp->ofport, .config = bp->config, .state = bp->state};
    copy_name(bp->name, port->name, OF_PORT_NAME_LEN);
    memcpy(port->hw_addr, bp->mac.addr_bytes, sizeof port->hw_addr);
    bridge_port_ops(bp)->get_status(bp, &status);
    port->curr_speed = port->max_speed = RTE_MIN(status.speed_mbps, UINT32_MAX / 1000) * 1000;
    port->curr = port->supported = speed_feature(status.speed_mbps);
}

void of_rule_describe(const struct rule *rule, uint64_t now_ms, struct match *match, struct of_flow_stats *stats)
{
    uint64_t age_ms = now_ms - rule->created_ms;

    rule_match(rule, match);
    *stats = (struct of_flow_stats){
        .table_id = rule->table_id,
        .priority = rule->priority,
        .idle_timeout_s = rule->idle_timeout_s,
        .hard_timeout_s = rule->hard_timeout_s,
        .flags = rule->flags,
        .importance = rule->importance,
        .cookie = rule->cookie,
        .duration_s = age_ms / 1000,
        .duration_ns = age_ms % 1000 * 1000000,
        .idle_age_s = now_ms > rule->used_ms ? (now_ms - rule->used_ms) / 1000 : 0,
        .hard_age_s = now_ms > rule->modified_ms ? (now_ms - rule->modified_ms) / 1000 : 0,
        .packets = rule->packets,
        .bytes = rule->bytes,
        .match = match,
        .acts = rule->acts,
    };
}

void of_table_describe(const struct pipeline *pipeline, uint8_t table_id, struct of_table_config *desc)
{
    const struct table_config *config = pipeline_table_config(pipeline, table_id);

    *desc = (struct of_table_config){
        .table_id = table_id,
        .config = config->config,
        .has_eviction = true,
        .eviction = config->eviction,
        .has_vacancy = config->config & TABLE_VACANCY_EVENTS,
        .vacancy_down = config->vacancy_down,
        .vacancy_up = config->vacancy_up,
        .vacancy = (uint8_t)of_table_vacancy(pipeline, table_id),
    };
}
