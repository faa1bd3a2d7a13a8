#include "src/openflow/requests/bundle_tables.h"

#include "src/openflow/requests/handler.h"
#include "src/openflow/server/server_impl.h"

void of_bundle_tables_add(struct of_bundle_tables *tables, struct of_server *server, const struct of_table_config *mod)
{
    struct pipeline *pipeline = server->bridge->pipeline;

    pipeline_bundle_peek(pipeline, true);
    for (unsigned id = 0; id < PIPELINE_TABLES; id++) {
        struct table_config config;
        if (!of_table_configure(mod, pipeline, (uint8_t)id, &config))
            continue;
        pipeline_bundle_table_config(pipeline, (uint8_t)id, &config);
        tables->any = tables->configured[id] = true;
    }
    pipeline_bundle_peek(pipeline, false);
}

bool of_bundle_tables_order(const struct of_bundle_tables *tables, struct of_server *server, size_t most)
{
    for (unsigned id = 0; id < PIPELINE_TABLES; id++)
        if (tables->configured[id] && !pipeline_bundle_order_slice(server->bridge->pipeline, (uint8_t)id, &most))
            return false;
    return true;
}

void of_bundle_tables_applied(const struct of_bundle_tables *tables, struct of_server *server)
{
    for (unsigned id = 0; tables->any && id < PIPELINE_TABLES; id++)
        if (tables->configured[id])
            of_vacancy_configured(server, (uint8_t)id);
}
