/* Tables: statistics, configuration, features (OpenFlow 1.4.1, 7.3.3, 7.3.5.4, 5 and 17; 1.5.1, 7.3.5.18). */
#include <stdlib.h>
#include <string.h>

#include "pmd/base/memory.h"
#include "src/openflow/requests/handler.h"
#include "src/openflow/server/describe.h"
#include "src/openflow/server/server_impl.h"

#define CONFIG_MISS_MASK 3u /* OFPTC_TABLE_MISS_*: deprecated, without effect (OpenFlow 1.3.5, 7.3.3) */
#define CONFIG_KNOWN (TABLE_EVICTION | TABLE_VACANCY_EVENTS)
#define EVICTION_KNOWN (TABLE_EVICT_OTHER | TABLE_EVICT_IMPORTANCE | TABLE_EVICT_LIFETIME)
#define FEATURES_MAX (1u << 20) /* bytes of a request in several parts */

/* --- configuration ------------------------------------------------------- */

int of_check_table_mod(const struct of_table_config *mod, uint8_t version)
{
    if (mod->config & ~(CONFIG_MISS_MASK | (version >= OF14 ? CONFIG_KNOWN : 0)))
        return OFPERR_TMFC_BAD_CONFIG;
    if (mod->has_eviction && mod->eviction & ~EVICTION_KNOWN)
        return OFPERR_BPC_BAD_VALUE;
    if (mod->has_vacancy && (mod->vacancy_down > mod->vacancy_up || mod->vacancy_up > 100))
        return OFPERR_BPC_BAD_VALUE;
    return 0;
}

bool of_table_configure(const struct of_table_config *mod, const struct pipeline *pipeline, uint8_t table_id,
                        struct table_config *config)
{
    if (mod->table_id != TABLE_ALL && mod->table_id != table_id)
        return false;
    *config = *pipeline_table_config(pipeline, table_id);
    config->config = mod->config & CONFIG_KNOWN;
    if (mod->has_eviction)
        config->eviction = mod->eviction;
    if (mod->has_vacancy) {
        config->vacancy_down = mod->vacancy_down;
        config->vacancy_up = mod->vacancy_up;
    }
    return true;
}

int of_handle_table_mod(struct of_connection *conn, const struct of_msg *msg)
{
    const struct of_table_config *mod = &msg->table_mod;
    struct pipeline *pipeline = conn->server->bridge->pipeline;
    int error = of_check_table_mod(mod, conn->version);

    if (error || conn->version < OF14)
        return error;
    for (unsigned id = 0; id < PIPELINE_TABLES; id++) {
        struct table_config config;
        if (!of_table_configure(mod, pipeline, (uint8_t)id, &config))
            continue;
        pipeline_set_table_config(pipeline, (uint8_t)id, &config);
        of_vacancy_configured(conn->server, (uint8_t)id);
    }
    return 0;
}

/* --- replies ------------------------------------------------------------- */

static void *open_tables(struct of_connection *conn)
{
    unsigned *next = calloc(1, sizeof *next);

    if (!next)
        out_of_memory("an OpenFlow request", sizeof *next);
    return next;
}

static bool add_next_table(struct of_connection *conn, void *cursor, struct of_multipart *mp, struct of_buf *out)
{
    const struct pipeline *pipeline = conn->server->bridge->pipeline;
    bool features = mp->type == OF_MP_TABLE_FEATURES;
    unsigned id = (*(unsigned *)cursor)++;
    const struct table_config *config;
    struct table_stats counted;

    if (id >= PIPELINE_TABLES)
        return false;
    config = pipeline_table_config(pipeline, (uint8_t)id);
    if (config->disabled && features)
        return true;
    pipeline_table_stats(pipeline, (uint8_t)id, &counted);
    struct of_table_stats stats = {
        .table_id = (uint8_t)id,
        .max_entries = RTE_MIN(config->max_rules, OF_TABLE_RULES_TOLD),
        .active = counted.active,
        .lookups = counted.lookups,
        .matched = counted.matched,
        .config = features && conn->version >= OF14 ? CONFIG_KNOWN : 0,
        .next_table_max = PIPELINE_TABLES - 1,
    };
    memcpy(stats.name, config->name, sizeof stats.name);
    of_multipart_add_table(mp, out, &stats);
    return true;
}

static bool add_next_desc(struct of_connection *conn, void *cursor, struct of_multipart *mp, struct of_buf *out)
{
    unsigned id = (*(unsigned *)cursor)++;
    struct of_table_config desc;

    if (id >= PIPELINE_TABLES)
        return false;
    of_table_describe(conn->server->bridge->pipeline, (uint8_t)id, &desc);
    of_multipart_add_table_desc(mp, out, &desc);
    return true;
}

const struct of_listing_kind of_list_tables = {open_tables, add_next_table, free};
const struct of_listing_kind of_list_table_descs = {open_tables, add_next_desc, free};

/* --- features that are asked for ----------------------------------------- */

enum { COMMAND_REPLACE, COMMAND_MODIFY, COMMAND_ENABLE, COMMAND_DISABLE }; /* OFPTFC_* */

/* What a request wants, table by table; nothing is done before all of it was looked at. */
struct wanted {
    uint8_t command;
    bool listed[PIPELINE_TABLES];
    struct table_config config[PIPELINE_TABLES];
};

static bool has_rules(const struct pipeline *pipeline, unsigned id)
{
    return pipeline_n_rules(pipeline, (uint8_t)id) > 0;
}

/* OpenFlow 1.3.5, 7.3.5.5: what is asked for may be less than what the table can do; tables that are left out are
 * disabled. Table 0 is where packets start. */
static int want_table(const struct pipeline *pipeline, struct wanted *wanted, const struct of_table_stats *t)
{
    struct table_config *config;

    if (t->table_id >= PIPELINE_TABLES || wanted->listed[t->table_id])
        return OFPERR_TFFC_BAD_TABLE;
    wanted->listed[t->table_id] = true;
    config = &wanted->config[t->table_id];
    switch (wanted->command) {
    case COMMAND_DISABLE:
        config->disabled = true;
        return t->table_id == 0 || has_rules(pipeline, t->table_id) ? OFPERR_TFFC_EPERM : 0;
    case COMMAND_ENABLE:
        config->disabled = false;
        return 0;
    case COMMAND_REPLACE:
        config->disabled = false;
    }
    if (t->max_entries > OF_TABLE_RULES_TOLD || t->max_entries < pipeline_n_rules(pipeline, t->table_id))
        return OFPERR_TFFC_BAD_MAX_ENT;
    if (t->max_entries != RTE_MIN(config->max_rules, OF_TABLE_RULES_TOLD))
        config->max_rules = t->max_entries;
    memcpy(config->name, t->name, sizeof config->name);
    return 0;
}

static int read_wanted(const struct pipeline *pipeline, uint8_t version, struct of_bytes body, struct wanted *wanted)
{
    bool first = true;

    while (body.len) {
        struct of_table_stats table;
        int error = of_table_features_next(version, &body, &table);
        if (error)
            return error;
        if (first)
            wanted->command = table.command;
        first = false;
        if (table.command != wanted->command || table.command > COMMAND_DISABLE)
            return OFPERR_TFFC_BAD_COMMAND;
        if ((error = want_table(pipeline, wanted, &table)))
            return error;
    }
    if (wanted->command != COMMAND_REPLACE)
        return 0;
    for (unsigned id = 0; id < PIPELINE_TABLES; id++) {
        if (wanted->listed[id])
            continue;
        if (id == 0 || has_rules(pipeline, id))
            return OFPERR_TFFC_EPERM;
        wanted->config[id].disabled = true;
    }
    return 0;
}

static int set_features(struct of_server *server, uint8_t version, struct of_bytes body)
{
    struct pipeline *pipeline = server->bridge->pipeline;
    struct wanted wanted = {0};

    for (unsigned id = 0; id < PIPELINE_TABLES; id++)
        wanted.config[id] = *pipeline_table_config(pipeline, (uint8_t)id);
    int error = read_wanted(pipeline, version, body, &wanted);
    for (unsigned id = 0; id < PIPELINE_TABLES && !error; id++)
        pipeline_set_table_config(pipeline, (uint8_t)id, &wanted.config[id]);
    return error;
}

int of_table_features_request(struct of_connection *conn, const struct of_msg *msg, bool *whole)
{
    const struct of_multipart_request *request = &msg->request;
    struct of_buf *parts = &conn->features;
    int error = 0;

    *whole = !request->more;
    if (conn->features_xid != msg->xid)
        parts->len = 0;
    conn->features_xid = msg->xid;
    if (!request->body.len && !parts->len && *whole)
        return 0;
    if (conn->role == OF_ROLE_SLAVE)
        error = OFPERR_BRC_IS_SLAVE;
    else if (parts->len + request->body.len > FEATURES_MAX)
        error = OFPERR_BRC_MULTIPART_BUFFER_OVERFLOW;
    else
        of_buf_add_bytes(parts, request->body.data, request->body.len);
    if (!error && *whole)
        error = set_features(conn->server, conn->version, (struct of_bytes){parts->data, parts->len});
    if (error || *whole)
        of_buf_free(parts);
    return error;
}
