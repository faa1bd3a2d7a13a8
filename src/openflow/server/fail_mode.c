#include "src/openflow/server/fail_mode.h"

#include "pmd/base/log.h"
#include "src/openflow/server/server_impl.h"

#define PROBES_MISSED 3
#define PROBE_DEFAULT_MS 5000 /* where probes are off */

static bool has_controller(const struct of_server *server)
{
    const struct of_connection *conn;

    TAILQ_FOREACH (conn, &server->connections, node)
        if (conn->kind == OF_KIND_CONTROLLER && of_connection_is_ready(conn))
            return true;
    return false;
}

static bool is_alone(struct of_server *server, uint64_t now_ms)
{
    uint32_t probe_ms = server->limits.inactivity_probe_ms ? server->limits.inactivity_probe_ms : PROBE_DEFAULT_MS;

    if (has_controller(server)) {
        server->fail_mode.alone_ms = now_ms;
        return false;
    }
    if (server->bridge->fail_mode != FAIL_STANDALONE)
        return false;
    return TAILQ_EMPTY(&server->controllers) ||
           now_ms - server->fail_mode.alone_ms > PROBES_MISSED * (uint64_t)probe_ms;
}

static int wanted_rule(struct of_server *server, uint64_t now_ms)
{
    if (!is_alone(server, now_ms))
        return FAIL_RULE_NONE;
    return TAILQ_EMPTY(&server->controllers) ? FAIL_RULE_OPEN : FAIL_RULE_HIDDEN;
}

static int change_rule(struct bridge *bridge, int rule, bool add)
{
    struct act_buffer acts;
    struct flow_mod fm = {
        .command = add ? FLOW_ADD : FLOW_DELETE_STRICT,
        .flags = rule == FAIL_RULE_HIDDEN ? RULE_HIDDEN : 0,
        .buffer_id = OF_NO_BUFFER,
        .out_port = OFPORT_ANY,
        .out_group = OFGROUP_ANY,
    };

    act_buffer_init(&acts);
    struct act_output *output = act_buffer_add(&acts, ACT_OUTPUT, sizeof *output);
    output->port = OFPORT_NORMAL;
    fm.acts = act_buffer_list(&acts);
    match_init_all(&fm.match);
    int error = pipeline_flow_mod(bridge->pipeline, &fm);
    act_buffer_free(&acts);
    return error;
}

void of_fail_mode_run(struct of_server *server, uint64_t now_ms)
{
    const int wanted = wanted_rule(server, now_ms), now = server->fail_mode.rule;

    if (wanted == now || of_server_is_changing(server) ||
        (now != FAIL_RULE_NONE && change_rule(server->bridge, now, false)))
        return;
    server->fail_mode.rule = FAIL_RULE_NONE;
    if (wanted != FAIL_RULE_NONE && change_rule(server->bridge, wanted, true))
        return;
    server->fail_mode.rule = wanted;
    if (TAILQ_EMPTY(&server->controllers))
        return;
    LOG_INFO(LOG_OPENFLOW,
             wanted ? "%s: no controller: acting as a learning switch"
                    : "%s: a controller is connected: no longer acting as a learning switch",
             server->bridge->name);
}
