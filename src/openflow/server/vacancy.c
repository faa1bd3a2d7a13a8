#include "src/openflow/server/vacancy.h"

#include <rte_common.h>

#include "src/openflow/server/describe.h"
#include "src/openflow/server/server_impl.h"

enum { VACANCY_DOWN = 3, VACANCY_UP = 4 }; /* OFPTR_* */

unsigned of_table_vacancy(const struct pipeline *pipeline, uint8_t table_id)
{
    uint32_t max = RTE_MIN(pipeline_table_config(pipeline, table_id)->max_rules, OF_TABLE_RULES_TOLD);
    uint32_t n = pipeline_n_rules(pipeline, table_id);

    return n < max ? (unsigned)((uint64_t)(max - n) * 100 / max) : 0;
}

void of_vacancy_configured(struct of_server *server, uint8_t table_id)
{
    const struct pipeline *pipeline = server->bridge->pipeline;
    const struct table_config *config = pipeline_table_config(pipeline, table_id);
    struct of_vacancy *vacancy = &server->vacancy;
    bool enabled = config->config & TABLE_VACANCY_EVENTS;

    vacancy->n_enabled += enabled - vacancy->enabled[table_id];
    vacancy->enabled[table_id] = enabled;
    vacancy->is_low[table_id] = of_table_vacancy(pipeline, table_id) < config->vacancy_up;
}

static void run_table(struct of_server *server, uint8_t table_id)
{
    const struct pipeline *pipeline = server->bridge->pipeline;
    const struct table_config *config = pipeline_table_config(pipeline, table_id);
    unsigned now = of_table_vacancy(pipeline, table_id);
    bool *is_low = &server->vacancy.is_low[table_id];
    struct of_table_status status;

    if (*is_low ? now <= config->vacancy_up : now >= config->vacancy_down)
        return;
    *is_low = !*is_low;
    status.reason = *is_low ? VACANCY_DOWN : VACANCY_UP;
    of_table_describe(pipeline, table_id, &status.table);
    of_async_table_status(server, &status);
}

void of_vacancy_run(struct of_server *server)
{
    for (unsigned id = 0; server->vacancy.n_enabled && id < PIPELINE_TABLES; id++)
        if (server->vacancy.enabled[id])
            run_table(server, (uint8_t)id);
}
