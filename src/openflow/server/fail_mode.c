#include "src/openflow/server/fail_mode.h"

#include <errno.h>
#include <rte_cycles.h>

#include "pmd/base/clock.h"
#include "pmd/base/log.h"
#include "src/openflow/server/server_impl.h"
#include "src/tables/group.h"
#include "src/tables/meter.h"

#define PROBES_MISSED 3
#define PROBE_DEFAULT_MS 5000 /* where probes are off */
#define RULES_A_STEP 64       /* between looks at the clock */

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

/* `in_bundle`: the pipeline's, which is open. */
static int change_rule(struct bridge *bridge, int rule, bool add, bool in_bundle)
{
    struct mod_slices *slices = NULL;
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
    int error = in_bundle ? pipeline_bundle_mod_slice(bridge->pipeline, &fm, &slices, RULES_A_STEP)
                          : pipeline_flow_mod(bridge->pipeline, &fm);
    act_buffer_free(&acts);
    return error;
}

void of_fail_mode_run(struct of_server *server, uint64_t now_ms)
{
    const int wanted = wanted_rule(server, now_ms), now = server->fail_mode.rule;

    if (wanted == now || of_server_is_changing(server) ||
        (now != FAIL_RULE_NONE && change_rule(server->bridge, now, false, false)))
        return;
    server->fail_mode.rule = FAIL_RULE_NONE;
    if (wanted != FAIL_RULE_NONE && change_rule(server->bridge, wanted, true, false))
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

/* --- what goes with the bridge's owner ----------------------------------- */

/* All of it is one bundle: packets see the tables as they were, and then empty but for the rule that is due. */
static void begin_flush(struct of_server *server)
{
    struct of_fail_mode *fm = &server->fail_mode;

    LOG_INFO(LOG_OPENFLOW, "%s: %s: its rules, groups and meters are removed", server->bridge->name,
             TAILQ_EMPTY(&server->controllers) ? "it has no controllers" : "it has controllers now");
    if (fm->flush == FLUSH_NONE)
        fm->flush = FLUSH_WAIT;
    else
        fm->again = fm->flush != FLUSH_WAIT;
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

/* True: done. So are those below. */
static bool wait_for_others(struct of_server *server)
{
    struct pipeline *pipeline = server->bridge->pipeline;

    return !server->committing && pipeline_settled(pipeline) && pipeline_bundle_begin(pipeline) == 0;
}

static bool flush_rules(struct of_server *server)
{
    struct of_fail_mode *fm = &server->fail_mode;
    struct flow_mod delete = {.command = FLOW_DELETE,
                              .table_id = TABLE_ALL,
                              .buffer_id = OF_NO_BUFFER,
                              .out_port = OFPORT_ANY,
                              .out_group = OFGROUP_ANY};

    match_init_all(&delete.match);
    if (pipeline_bundle_mod_slice(server->bridge->pipeline, &delete, &fm->slices, RULES_A_STEP) == -EINPROGRESS)
        return false;
    if (fm->rule == FAIL_RULE_OPEN)
        fm->rule = FAIL_RULE_NONE;
    if (fm->rule == FAIL_RULE_NONE && wanted_rule(server, clock_now_ms()) == FAIL_RULE_OPEN &&
        change_rule(server->bridge, FAIL_RULE_OPEN, true, true) == 0)
        fm->rule = FAIL_RULE_OPEN;
    return true;
}

static bool flush_groups(struct of_server *server)
{
    static const struct group_mod delete = {.command = GROUP_DELETE, .group_id = OFGROUP_ALL};

    return group_table_mod_slice(pipeline_groups(server->bridge->pipeline), &delete, RULES_A_STEP) != -EINPROGRESS;
}

static bool flush_meters(struct of_server *server)
{
    static const struct meter_mod delete = {.command = METER_DELETE, .meter_id = OFMETER_ALL};
    struct meter_table *meters = pipeline_meters(server->bridge->pipeline);

    return !meters || meter_table_mod_slice(meters, &delete, RULES_A_STEP) != -EINPROGRESS;
}

static bool flush_commit(struct of_server *server)
{
    struct of_fail_mode *fm = &server->fail_mode;

    if (!pipeline_bundle_commit_step(server->bridge->pipeline, RULES_A_STEP))
        return false;
    fm->flush = fm->again ? FLUSH_WAIT : FLUSH_NONE;
    fm->again = false;
    if (fm->flush == FLUSH_NONE)
        of_fail_mode_run(server, clock_now_ms());
    return false;
}

bool of_fail_mode_flush(struct of_server *server, uint64_t deadline)
{
    static bool (*const steps[])(struct of_server * server) = {
        [FLUSH_WAIT] = wait_for_others, [FLUSH_RULES] = flush_rules,   [FLUSH_GROUPS] = flush_groups,
        [FLUSH_METERS] = flush_meters,  [FLUSH_COMMIT] = flush_commit,
    };
    struct of_fail_mode *fm = &server->fail_mode;

    while (fm->flush != FLUSH_NONE) {
        const unsigned phase = fm->flush;

        if (steps[phase](server))
            fm->flush = phase + 1;
        if ((phase == FLUSH_WAIT && fm->flush == FLUSH_WAIT) || rte_rdtsc() >= deadline)
            break;
    }
    return fm->flush != FLUSH_NONE;
}
