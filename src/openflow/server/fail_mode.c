#include "src/openflow/server/fail_mode.h"

#include <rte_cycles.h>

#include "pmd/base/clock.h"
#include "pmd/base/log.h"
#include "src/openflow/server/server_impl.h"

#define PROBES_MISSED 3
#define PROBE_DEFAULT_MS 5000 /* where probes are off */
#define PLACES_A_LOOK 64      /* rules looked at between looks at the clock */

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

    if (wanted == now || server->committing || !pipeline_settled(server->bridge->pipeline) ||
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

bool of_fail_mode_is_learning_switch(const struct of_server *server)
{
    const struct rule *rule;
    struct match all;

    if (server->fail_mode.rule != FAIL_RULE_OPEN)
        return server->fail_mode.rule == FAIL_RULE_HIDDEN;
    match_init_all(&all);
    rule = pipeline_find_rule(server->bridge->pipeline, 0, &all, 0);
    if (!rule)
        return false;
    ACT_FOR_EACH (act, &rule->acts)
        return act->type == ACT_OUTPUT && ((const struct act_output *)act)->port == OFPORT_NORMAL;
    return false;
}

/* --- rules that go with the bridge's owner ------------------------------- */

static void begin_flush(struct of_server *server)
{
    static const struct rule_filter all = {.table_id = TABLE_ALL, .out_port = OFPORT_ANY, .out_group = OFGROUP_ANY};
    struct of_fail_mode *fm = &server->fail_mode;
    struct pipeline *pipeline = server->bridge->pipeline;

    of_fail_mode_end(server);
    fm->flush = rule_cursor_open(pipeline, &all);
    fm->flush_version = pipeline_version(pipeline);
    if (fm->rule == FAIL_RULE_OPEN) /* it goes along; the one that is due comes with a later version, and stays */
        fm->rule = FAIL_RULE_NONE;
    LOG_INFO(LOG_OPENFLOW, "%s: %s: its rules are removed", server->bridge->name,
             TAILQ_EMPTY(&server->controllers) ? "it has no controllers" : "it has controllers now");
    of_fail_mode_run(server, clock_now_ms());
    of_server_kick(server);
}

void of_fail_mode_changed(struct of_server *server, bool had_controllers)
{
    struct of_fail_mode *fm = &server->fail_mode;
    const bool has_controllers = !TAILQ_EMPTY(&server->controllers);
    const bool other_mode = fm->mode != server->bridge->fail_mode;

    fm->mode = server->bridge->fail_mode;
    if (had_controllers != has_controllers || (other_mode && !has_controllers))
        begin_flush(server);
}

bool of_fail_mode_flush(struct of_server *server, uint64_t deadline)
{
    struct of_fail_mode *fm = &server->fail_mode;

    /* A rule that a commit modifies is to be had only when that is done. */
    if (!fm->flush || server->committing)
        return false;
    do {
        struct rule *rule = NULL;
        enum rule_cursor_state state = rule_cursor_look(fm->flush, PLACES_A_LOOK, &rule);

        if (rule && rule->add_version <= fm->flush_version) {
            pipeline_remove_rule(server->bridge->pipeline, rule, RULE_DELETED);
        } else if (!rule && state == RULE_CURSOR_END) {
            of_fail_mode_end(server);
            of_fail_mode_run(server, clock_now_ms());
            return false;
        }
    } while (rte_rdtsc() < deadline);
    return true;
}

void of_fail_mode_end(struct of_server *server)
{
    if (server->fail_mode.flush)
        rule_cursor_close(server->fail_mode.flush);
    server->fail_mode.flush = NULL;
}
