#include "src/app/switch.h"

#include <errno.h>
#include <event2/event.h>
#include <inttypes.h>
#include <rte_lcore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pmd/base/clock.h"
#include "pmd/base/log.h"
#include "pmd/base/memory.h"
#include "src/agents/bfd_agent.h"
#include "src/agents/bond_agent.h"
#include "src/agents/stp_agent.h"
#include "src/app/apply.h"
#include "src/app/captures.h"
#include "src/app/housekeeping.h"
#include "src/app/links.h"
#include "src/app/ofport_state.h"
#include "src/app/options.h"
#include "src/app/pool.h"
#include "src/app/signals.h"
#include "src/agents/underlay.h"
#include "src/config/keys.h"
#include "src/net/control.h"
#include "src/net/route.h"
#include "src/net/route_kernel.h"
#include "src/net/tls.h"
#include "src/openflow/server/server.h"
#include "src/state/ct_state.h"
#include "src/state/rules_state.h"
#include "src/tunnel/port_mtu.h"
#include "src/tunnel/tunnel_port.h"

struct bridge *switch_bridge(const struct sluice *sw, const char *name)
{
    struct bridge *br;

    TAILQ_FOREACH (br, &sw->bridges, node)
        if (!strcmp(br->name, name))
            return br;
    return NULL;
}

/* --- what packets and rules bring about, for OpenFlow -------------------- */

static void packet_in(void *arg, struct packet_in *pin)
{
    if (switch_of(pin->bridge)) {
        of_server_packet_in(switch_of(pin->bridge), pin);
        return;
    }
    rte_pktmbuf_free(pin->packet);
}

static void rule_gone(void *arg, struct bridge *bridge, struct rule *rule, enum rule_removed_reason reason)
{
    if (switch_of(bridge))
        of_server_rule_gone(switch_of(bridge), rule, reason);
}

static void rule_triggered(void *arg, struct bridge *bridge, struct rule *rule)
{
    if (switch_of(bridge))
        of_server_rule_triggered(switch_of(bridge), rule);
}

static void rule_changed(void *arg, struct bridge *bridge, enum flows_rule_change change, struct rule *rule,
                         enum rule_removed_reason reason)
{
    if (switch_of(bridge))
        of_server_rule_changed(switch_of(bridge), change, rule, reason);
}

/* --- jobs ---------------------------------------------------------------- */

static unsigned run_removed(void *arg, uint64_t budget_us)
{
    return apply_run_removed(arg) ? LOOP_MORE : 0;
}

/* The tracker of connections may be left alone for so long while there are some and no new ones come: what times out
 * does so in seconds, and the first 65536 new ones find memory that is ready. */
#define CT_PAUSE_US 100000

/* Whether connections were made since this was last asked. */
static bool connections_come(struct sluice *sw)
{
    const uint64_t made = ct_made(datapath_ct(sw->dp)), before = sw->ct_made;

    sw->ct_made = made;
    return made != before;
}

/* Ports that left are looked after until their index is free, connections as long as there may be some. */
static unsigned run_datapath_reclaim(void *arg, uint64_t budget_us)
{
    struct sluice *sw = arg;
    bool more = datapath_reclaim(sw->dp), soon = connections_come(sw);

    soon |= datapath_n_ports_leaving(sw->dp) > 0 || datapath_is_moving(sw->dp);
    return (more ? LOOP_MORE : 0) | (soon ? LOOP_SOON : 0);
}

static uint64_t reclaim_due_us(void *arg)
{
    const struct sluice *sw = arg;
    const uint64_t now = clock_now_us();

    return datapath_ct_busy(sw->dp) ? clock_beat(now, CT_PAUSE_US) - now : UINT64_MAX;
}

static void add_jobs(struct sluice *sw)
{
    sw->removal = (struct loop_job){.name = "bridge removal", .phase = LOOP_RECLAIM, .arg = sw, .run = run_removed};
    sw->reclaim = (struct loop_job){.name = "datapath reclaim",
                                    .phase = LOOP_RECLAIM,
                                    .arg = sw,
                                    .run = run_datapath_reclaim,
                                    .due_us = reclaim_due_us};
    loop_add(sw->loop, &sw->removal);
    loop_add(sw->loop, &sw->reclaim);
}

/* --- building it from the model ------------------------------------------ */

/* With a database the limit is expected to change while the switch runs: there is room for as many as the default is.
 */
static uint32_t room_for_megaflows(const struct config *config)
{
    int room = config->pmd.megaflow_limit;

    if (config->ovsdb.remote) {
        const struct config_key *key = config_key_find(config_key_find(&config_root, "pmd")->section, "megaflow_limit");
        room = RTE_MAX(room, key->default_int);
    }
    return (uint32_t)room;
}

static bool is_on(unsigned lcore, int core)
{
    const rte_cpuset_t set = rte_lcore_cpuset(lcore);

    return CPU_COUNT(&set) == 1 && CPU_ISSET(core, &set);
}

static void add_lcore(unsigned lcores[DATAPATH_THREADS_MAX], unsigned *n, unsigned lcore)
{
    for (unsigned i = 0; i < *n; i++)
        if (lcores[i] == lcore)
            return;
    if (*n < DATAPATH_THREADS_MAX)
        lcores[(*n)++] = lcore;
}

/* Those of the cores that poll at the start in their order, then those that may get one later. */
static unsigned find_lcores(const struct config_pmd *pmd, unsigned lcores[DATAPATH_THREADS_MAX])
{
    unsigned n = 0, lcore;

    for (size_t i = 0; i < pmd->n_cores; i++)
        RTE_LCORE_FOREACH_WORKER(lcore)
    if (is_on(lcore, pmd->cores[i]))
        add_lcore(lcores, &n, lcore);
    RTE_LCORE_FOREACH_WORKER(lcore)
    add_lcore(lcores, &n, lcore);
    return n;
}

static int create_datapath(struct sluice *sw, char *error, size_t size)
{
    const struct config_pmd *pmd = &sw->config->pmd;
    const uint32_t room = room_for_megaflows(sw->config);
    unsigned lcores[DATAPATH_THREADS_MAX], n = find_lcores(pmd, lcores);

    const struct datapath_params params = {
        .n_threads = (unsigned)RTE_MIN(pmd->n_cores, n),
        .max_threads = n,
        .lcores = lcores,
        .emc_entries = pmd->emc_entries,
        .megaflow_limit = room,
        .mask_limit = pmd->max_masks,
        .max_connections = (uint32_t)sw->config->conntrack.max_connections,
        .miss_ring = pmd->miss_ring,
        .max_sleep_us = pmd->max_sleep_us,
        .pool = sw->pool,
    };
    sw->dp = datapath_create(&params, error, size);
    if (!sw->dp)
        return -1;
    datapath_isolate(sw->dp, pmd->isolate);
    apply_conntrack(sw, &sw->config->conntrack);
    const struct flows_params flows = {
        .dp = sw->dp,
        .megaflow_limit = room,
        .mask_limit = pmd->max_masks,
    };
    sw->flows = flows_create(&flows);
    if (!sw->flows) {
        snprintf(error, size, "out of memory for %u megaflows: lower pmd.megaflow_limit", room);
        return -1;
    }
    flows_set_limits(sw->flows, (uint32_t)pmd->megaflow_limit, (uint32_t)pmd->max_idle_ms);
    flows_set_packet_in(sw->flows, packet_in, sw);
    flows_set_rule_gone(sw->flows, rule_gone, sw);
    flows_set_rule_triggered(sw->flows, rule_triggered, sw);
    flows_set_rule_changed(sw->flows, rule_changed, sw);
    return 0;
}

static int cannot_set_up_loop(char *error, size_t size)
{
    snprintf(error, size, "cannot set up the event loop: %s", strerror(errno));
    return -1;
}

/* libevent writes to standard error otherwise, which may wait for who reads it. */
static void libevent_log(int severity, const char *message)
{
    if (severity >= EVENT_LOG_WARN)
        LOG_WARN_RL(LOG_MAIN, "libevent: %s", message);
}

static int create_loop(struct sluice *sw, char *error, size_t size)
{
    event_set_log_callback(libevent_log);
    sw->loop = loop_create();
    return sw->loop ? 0 : cannot_set_up_loop(error, size);
}

static void create_routes(struct sluice *sw)
{
    sw->routes = routes_create();
    sw->kernel_routes = route_kernel_open(loop_base(sw->loop), sw->routes, sw->options->system_routes);
    if (!sw->kernel_routes)
        LOG_WARN(LOG_MAIN, "the kernel does not tell of its routes and interfaces (rtnetlink: %s): there are no routes",
                 strerror(errno));
}

static int fill_loop(struct sluice *sw, char *error, size_t size)
{
    sw->signals = signals_create(sw);
    sw->housekeeping = housekeeping_create(sw);
    if (!sw->signals || !sw->housekeeping || flows_join_loop(sw->flows, sw->loop))
        return cannot_set_up_loop(error, size);
    add_jobs(sw);
    sw->links = links_create(sw);
    create_routes(sw);
    sw->underlay = underlay_create(sw->loop, sw->flows, sw->routes, sw->pool);
    sw->tunnels = tunnels_create(sw->dp, sw->routes);
    tunnels_set_changed(sw->tunnels, apply_tunnels_changed, sw);
    flows_set_tunnels(sw->flows, sw->tunnels, sw->underlay->hops);
    sw->captures = captures_create(sw->loop, sw->dp);
    return 0;
}

static int create_control(struct sluice *sw, char *error, size_t size)
{
    char path[4096];

    options_control_path(sw->options, sw->config->run_dir, path, sizeof path);
    sw->control = control_create(sw->loop, path, error, size);
    if (!sw->control)
        return -1;
    return 0;
}

static int create_tls(struct sluice *sw, char *error, size_t size)
{
    const struct config_tls *config = &sw->config->tls;
    const struct tls_files files = {
        .names = {[TLS_PRIVATE_KEY] = config->private_key,
                  [TLS_CERTIFICATE] = config->certificate,
                  [TLS_CA_CERTIFICATE] = config->ca_certificate},
        .peer_ca = config->peer_ca,
        .bootstrap = config->bootstrap,
    };
    struct tls_fault fault;

    if (!config->private_key)
        return 0;
    sw->tls = tls_create(&files, &fault);
    if (!sw->tls)
        snprintf(error, size, "TLS: %s", fault.text);
    return sw->tls ? 0 : -1;
}

/* At start a bridge or port that cannot be made is the end. */
struct first_error {
    char *text;
    size_t size;
};

static void note_error(void *arg, const struct apply_result *result)
{
    const struct first_error *first = arg;
    char text[1024];

    if (!result->error || first->text[0])
        return;
    apply_result_text(result, text, sizeof text);
    snprintf(first->text, first->size, "%s", text);
}

static int create_bridges(struct sluice *sw, char *error, size_t size)
{
    struct first_error first = {error, size};
    struct apply_listener listener = {.arg = &first, .result = note_error};

    error[0] = '\0';
    apply_listen(sw->apply, &listener);
    apply_set_all(sw->apply, sw->config);
    apply_run_all(sw->apply);
    apply_unlisten(sw->apply, &listener);
    while (sw->config->n_bridges > 0)
        config_section_remove(&config_section_bridge, sw->config->bridges, &sw->config->n_bridges,
                              sw->config->n_bridges - 1);
    return error[0] ? -1 : 0;
}

/* Says what takes the memory, for the last line before the end. */
static void describe_holdings(void *arg, char *text, size_t size)
{
    const struct sluice *sw = arg;
    const struct bridge *br;
    uint64_t n_rules = 0;

    TAILQ_FOREACH (br, &sw->bridges, node)
        n_rules += pipeline_n_rules(br->pipeline, TABLE_ALL);
    snprintf(text, size, "It holds %" PRIu64 " rules and %u megaflows.", n_rules,
             sw->dp ? datapath_n_megaflows(sw->dp) : 0);
}

size_t switch_n_bridges(const struct sluice *sw)
{
    const struct bridge *br;
    size_t n = 0;

    TAILQ_FOREACH (br, &sw->bridges, node)
        n++;
    return n;
}

int switch_create(struct sluice *sw, const struct options *options, struct config *config, char *error,
                  size_t error_size)
{
    memset(sw, 0, sizeof *sw);
    TAILQ_INIT(&sw->bridges);
    TAILQ_INIT(&sw->removed);
    sw->options = options;
    sw->config_path = options->config_path;
    sw->config = config;
    sw->started_ms = clock_now_ms();
    memory_init();
    out_of_memory_set_report(describe_holdings, sw);
    if (create_loop(sw, error, error_size))
        return -1;
    sw->pool = pool_create(config, error, error_size);
    if (!sw->pool || create_datapath(sw, error, error_size) || fill_loop(sw, error, error_size) ||
        create_tls(sw, error, error_size))
        return -1;
    sw->bfd = bfd_agent_create(sw->loop, sw->flows, sw->pool);
    sw->bonds = bond_agent_create(sw->loop, sw->flows, sw->pool);
    sw->stp = stp_agent_create(sw->loop, sw->flows, sw->pool);
    sw->apply = apply_create(sw);
    sw->ofports = ofport_state_create(sw->apply, config->run_dir);
    ofport_state_recall(sw->ofports, config);
    sw->rules = rules_state_create(sw->loop, config->run_dir);
    if (create_bridges(sw, error, error_size))
        return -1;
    sw->connections = ct_state_create(sw->loop, sw->dp, config->run_dir);
    ct_state_adopt(sw->connections);
    if (datapath_start(sw->dp)) {
        snprintf(error, error_size, "cannot start the poll-mode threads");
        return -1;
    }
    if (!config->ovsdb.remote) /* its bridges come later */
        rules_state_started(sw->rules);
    /* The control socket comes last: who waits for it finds everything else there. */
    return create_control(sw, error, error_size);
}

/* "exit --cleanup": interfaces that outlive the switch otherwise are deleted with it. */
static void remove_ports(struct bridge *br, bool cleanup)
{
    struct bridge_port *bp;

    while ((bp = TAILQ_FIRST(&br->ports))) {
        if (bp->port && cleanup)
            bp->port->discard = true;
        bridge_port_remove(bp);
    }
}

void switch_destroy(struct sluice *sw)
{
    struct bridge *br;

    out_of_memory_set_report(NULL, NULL);
    ofport_state_destroy(sw->ofports);
    apply_destroy(sw->apply); /* ends reloads, which are answered */
    rules_state_destroy(sw->rules);
    control_destroy(sw->control);
    links_destroy(sw->links);
    captures_destroy(sw->captures);
    TAILQ_CONCAT(&sw->bridges, &sw->removed, node);
    TAILQ_FOREACH (br, &sw->bridges, node) {
        of_server_destroy(switch_of(br));
        br->owner = NULL;
        if (sw->bonds)
            bond_agent_set(sw->bonds, br, NULL, 0);
        if (sw->stp)
            stp_agent_set(sw->stp, br, NULL);
        remove_ports(br, sw->cleanup);
    }
    if (sw->dp) {
        datapath_synchronize(sw->dp);
        while (datapath_reclaim(sw->dp))
            ;
        ct_state_leave(sw->connections);
    }
    ct_state_destroy(sw->connections);
    port_wait_closed();
    /* Those leave the lists of listeners of bridges one by one, in which what flows_destroy() frees stands, too. */
    TAILQ_FOREACH (br, &sw->bridges, node)
        port_mtu_destroy(br->mtus);
    underlay_destroy(sw->underlay);
    flows_destroy(sw->flows);
    while ((br = TAILQ_FIRST(&sw->bridges))) {
        TAILQ_REMOVE(&sw->bridges, br, node);
        bridge_destroy(br);
    }
    stp_agent_destroy(sw->stp);
    bond_agent_destroy(sw->bonds);
    bfd_agent_destroy(sw->bfd);
    tunnels_destroy(sw->tunnels);
    route_kernel_close(sw->kernel_routes);
    routes_destroy(sw->routes);
    datapath_destroy(sw->dp);
    port_wait_closed(); /* the last ones: DPDK ends next, which closes devices itself */
    loop_remove(&sw->removal);
    loop_remove(&sw->reclaim);
    housekeeping_destroy(sw->housekeeping);
    signals_destroy(sw->signals);
    tls_free(sw->tls);
    loop_destroy(sw->loop);
    pool_destroy();
}
