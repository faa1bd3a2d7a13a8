/* What is done with a bridge, and with the options of the whole switch. */
#include <dirent.h>
#include <inttypes.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pmd/base/log.h"
#include "pmd/ct.h"
#include "src/agents/bond_agent.h"
#include "src/agents/stp_agent.h"
#include "src/app/apply_impl.h"
#include "src/app/cores.h"
#include "src/agents/underlay.h"
#include "src/config/format.h"
#include "src/config/keys.h"
#include "src/match/tlv_map.h"
#include "src/net/tls.h"
#include "src/openflow/requests/handler.h"
#include "src/openflow/server/server.h"
#include "src/state/rules_state.h"
#include "src/tunnel/port_mtu.h"

#define TAKE_OVER_US 200 /* of rules of the process before, at once */
#define REMOVE_STEP 128  /* megaflows, rules or addresses of a removed bridge in a turn */

/* What is said of a change: parts of it, and what could not be done. */
struct account {
    char detail[512], error[512];
};

static void add_detail(struct account *account, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add_detail(struct account *account, const char *format, ...)
{
    size_t used = strlen(account->detail);
    va_list args;

    if (used > 0 && used + 2 < sizeof account->detail)
        used += (size_t)snprintf(account->detail + used, sizeof account->detail - used, "; ");
    va_start(args, format);
    vsnprintf(account->detail + used, sizeof account->detail - used, format, args);
    va_end(args);
}

static void tell(struct apply *apply, enum apply_object object, enum apply_change change, const char *bridge,
                 const struct account *account)
{
    const struct apply_result result = {
        .object = object,
        .change = change,
        .bridge = bridge,
        .port = "",
        .detail = account->detail,
        .error = account->error[0] ? account->error : NULL,
    };

    apply_tell(apply, &result);
}

/* --- making -------------------------------------------------------------- */

static uint32_t versions_of(const struct config_bridge *config)
{
    uint32_t versions = 0;

    for (size_t i = 0; i < config->n_protocols; i++)
        versions |= 1u << config_parse_protocol(config->protocols[i]);
    return versions;
}

/* The parameters of a server, and what they point to. */
struct params {
    struct of_server_params server;
    struct of_controller_params controllers[CONFIG_CONTROLLERS_MAX];
};

static uint32_t own_or(int own, int inherited)
{
    return (uint32_t)(own == CONFIG_INHERIT ? inherited : own);
}

static void controller_params(const struct config_bridge *bridge, const struct config_controller *config,
                              struct of_controller_params *params)
{
    *params = (struct of_controller_params){
        .target = config->target,
        .max_backoff_ms = (uint32_t)config->max_backoff,
        .inactivity_probe_ms = own_or(config->inactivity_probe, bridge->inactivity_probe),
        .packet_in_rate = own_or(config->rate_limit, bridge->controller_rate_limit),
        .packet_in_burst = own_or(config->burst_limit, bridge->controller_burst_limit),
        .dscp = (uint8_t)config->dscp,
        .quiet = !config->enable_async,
    };
}

static void server_params(const struct sluice *sw, struct bridge *br, const struct config_bridge *config,
                          struct params *params)
{
    for (size_t i = 0; i < config->n_controllers; i++)
        controller_params(config, &config->controllers[i], &params->controllers[i]);
    params->server = (struct of_server_params){
        .loop = sw->loop,
        .bridge = br,
        .flows = sw->flows,
        .requests = &of_requests,
        .listen = (const char *const *)config->listen,
        .n_listen = config->n_listen,
        .controllers = params->controllers,
        .n_controllers = config->n_controllers,
        .restoring = config->restoring,
        .auxiliary_connections = config->auxiliary_connections,
        .bundle_bytes_max = (size_t)config->bundle_memory << 20,
        .bundle_idle_ms = (uint32_t)config->bundle_idle_timeout * 1000,
        .packet_in_rate = config->controller_rate_limit,
        .packet_in_burst = config->controller_burst_limit,
        .inactivity_probe_ms = config->inactivity_probe,
        .versions = versions_of(config),
        .pool = sw->pool,
        .tls = sw->tls,
    };
}

static enum fail_mode fail_mode_of(const struct config_bridge *config)
{
    return config->fail_mode == CONFIG_FAIL_SECURE ? FAIL_SECURE : FAIL_STANDALONE;
}

static const struct config_table *find_table(const struct config_bridge *config, int table)
{
    for (size_t i = 0; i < config->n_tables; i++)
        if (config->tables[i].table == table)
            return &config->tables[i];
    return NULL;
}

static void set_table(struct pipeline *pipeline, int table, const struct config_table *wanted)
{
    struct table_config config = *pipeline_table_config(pipeline, (uint8_t)table);

    config.max_rules = wanted && wanted->max_entries ? (uint32_t)wanted->max_entries : UINT32_MAX;
    config.config = wanted && wanted->eviction ? config.config | TABLE_EVICTION : config.config & ~TABLE_EVICTION;
    pipeline_set_table_config(pipeline, (uint8_t)table, &config);
}

/* Tables that differ; others stay as controllers may have set them. */
static void set_tables(struct bridge *br, const struct config_bridge *now, const struct config_bridge *wanted)
{
    for (int table = 0; table < PIPELINE_TABLES; table++) {
        const struct config_table *old = find_table(now, table), *new = find_table(wanted, table);

        if (!old && !new)
            continue;
        if (!old || !new || old->max_entries != new->max_entries || old->eviction != new->eviction)
            set_table(br->pipeline, table, new);
    }
}

static void set_mirrors(struct bridge *br, const struct config_bridge *wanted)
{
    struct mirror_config configs[CONFIG_MIRRORS_MAX];
    size_t n = 0;

    _Static_assert(CONFIG_MIRRORS_MAX <= MIRRORS_MAX, "there is a place for each");
    for (; n < wanted->n_mirrors && n < CONFIG_MIRRORS_MAX; n++) {
        const struct config_mirror *config = &wanted->mirrors[n];

        configs[n] = (struct mirror_config){
            .name = config->name,
            .select_all = config->select_all,
            .select_src_port = (const char *const *)config->select_src_port,
            .n_select_src_port = config->n_select_src_port,
            .select_dst_port = (const char *const *)config->select_dst_port,
            .n_select_dst_port = config->n_select_dst_port,
            .select_vlan = config->select_vlan,
            .n_select_vlan = config->n_select_vlan,
            .output_port = config->output_port,
            .output_vlan = config->output_vlan == CONFIG_TAG_NONE ? MIRROR_NO_VLAN : config->output_vlan,
            .snaplen = (uint32_t)config->snaplen,
        };
    }
    mirrors_set(br, configs, n);
}

static unsigned n_ports(const struct apply_bridge *object)
{
    const struct apply_port *port;
    unsigned n = 0;

    TAILQ_FOREACH (port, &object->ports, node)
        n += port->said;
    return n;
}

static bool keeps_rules(const struct config_bridge *config)
{
    return config->keep_rules && config->fail_mode == CONFIG_FAIL_SECURE;
}

static unsigned n_tunnel_options(void)
{
    struct tlv_map maps[TLV_MAPS_MAX];

    return tlv_map_list(maps);
}

static void set_description(struct bridge *br, const struct config_bridge *config)
{
    snprintf(br->dp_desc, sizeof br->dp_desc, "%s", config->dp_desc ? config->dp_desc : "");
    snprintf(br->serial_num, sizeof br->serial_num, "%s", config->dp_sn ? config->dp_sn : "");
}

/* A bridge that has its rules before it has ports, sockets and controllers. */
static void begin_bridge(struct apply *apply, struct apply_bridge *object)
{
    static const struct config_bridge nothing;
    const struct config_bridge *wanted = &object->wanted;
    struct sluice *sw = apply->sw;
    struct bridge *br = bridge_create(wanted->name, wanted->datapath_id, sw->dp);

    bridge_join_loop(br, sw->loop);
    flows_attach(sw->flows, br);
    br->mtus = port_mtu_create(sw->loop, sw->routes, br);
    underlay_attach(sw->underlay, br);
    br->fail_mode = fail_mode_of(wanted);
    bridge_set_forward_bpdu(br, wanted->forward_bpdu);
    set_description(br, wanted);
    bridge_set_mac_table(br, wanted->mac_table_size, wanted->mac_aging_time);
    pipeline_set_max_rules(br->pipeline, (uint32_t)wanted->max_rules);
    set_tables(br, &nothing, wanted);
    config_section_clear(&config_section_bridge, &object->now);
    config_section_copy(&config_section_bridge, &object->now, wanted);
    object->n_options = n_tunnel_options();
    if (keeps_rules(wanted))
        object->kept = rules_kept_begin(sw->rules, wanted->name, br->pipeline);
    else
        rules_state_forget(sw->rules, wanted->name);
    object->making = br;
}

/* Those of the process before are there: the datapath is to know them, as if a controller had said them. */
static void note_options(struct sluice *sw, const struct apply_bridge *object)
{
    if (n_tunnel_options() != object->n_options)
        flows_note_tunnel_options(sw->flows);
}

static void give_up_making(struct apply *apply, struct apply_bridge *object)
{
    rules_kept_end(object->kept);
    object->kept = NULL;
    if (object->making)
        TAILQ_INSERT_TAIL(&apply->sw->removed, object->making, node);
    object->making = NULL;
}

static void finish_bridge(struct apply *apply, struct apply_bridge *object)
{
    const struct config_bridge *wanted = &object->now;
    struct sluice *sw = apply->sw;
    struct bridge *br = object->making;
    char mgmt[4096], snoop[4096];
    struct account account = {0};
    struct params params;

    note_options(sw, object);
    apply_bonds(apply, br, wanted);
    apply_stp(apply, br, &wanted->stp);
    set_mirrors(br, wanted);
    server_params(sw, br, wanted, &params);
    snprintf(mgmt, sizeof mgmt, "%s/%s.mgmt", sw->config->run_dir, wanted->name);
    snprintf(snoop, sizeof snoop, "%s/%s.snoop", sw->config->run_dir, wanted->name);
    params.server.mgmt_path = mgmt;
    params.server.snoop_path = snoop;
    br->owner = of_server_create(&params.server, account.error, sizeof account.error);
    if (!br->owner) {
        bond_agent_set(sw->bonds, br, NULL, 0);
        stp_agent_set(sw->stp, br, NULL);
        give_up_making(apply, object);
        tell(apply, APPLY_BRIDGE, APPLY_NONE, wanted->name, &account);
        return;
    }
    TAILQ_INSERT_TAIL(&sw->bridges, br, node);
    object->bridge = br;
    object->making = NULL;
    add_detail(&account, "with %u ports", n_ports(object));
    tell(apply, APPLY_BRIDGE, APPLY_ADDED, wanted->name, &account);
}

/* --- changing ------------------------------------------------------------ */

static void change_connections(struct apply *apply, struct apply_bridge *object, struct account *account)
{
    const struct config_bridge *wanted = &object->wanted;
    struct bridge *br = object->bridge;
    struct params was, params;
    char why[400];

    server_params(apply->sw, br, &object->now, &was);
    server_params(apply->sw, br, wanted, &params);
    br->fail_mode = fail_mode_of(wanted);
    if (of_server_change(switch_of(br), &was.server, &params.server, why, sizeof why)) {
        br->fail_mode = fail_mode_of(&object->now);
        snprintf(account->error, sizeof account->error, "%s: controllers and listen stay as they were", why);
        return;
    }
    add_detail(account, "fail_mode %s, %zu controllers, listens on %zu more than its mgmt socket",
               br->fail_mode == FAIL_SECURE ? "secure" : "standalone", wanted->n_controllers, wanted->n_listen);
}

/* As it is by now; a bridge that starts to keep its rules has those that are there in its file soon. */
static void change_keeping(struct apply *apply, struct apply_bridge *object, struct account *account)
{
    const bool keep = object->wanted.keep_rules && object->bridge->fail_mode == FAIL_SECURE;

    if (keep == (object->kept != NULL))
        return;
    if (keep) {
        object->kept = rules_kept_begin(apply->sw->rules, object->wanted.name, object->bridge->pipeline);
        while (!rules_kept_step(object->kept, TAKE_OVER_US))
            ;
    } else {
        rules_kept_end(object->kept);
        object->kept = NULL;
    }
    add_detail(account, keep ? "rules are kept" : "rules are not kept");
}

static void change_bridge(struct apply *apply, struct apply_bridge *object)
{
    unsigned parts = config_section_diff(&config_section_bridge, &object->now, &object->wanted);
    const struct config_bridge *wanted = &object->wanted;
    struct bridge *br = object->bridge;
    struct account account = {0};

    if (parts & CONFIG_PART_DATAPATH_ID) {
        bridge_set_datapath_id(br, wanted->datapath_id);
        of_server_reconnect(switch_of(br), "the datapath ID has changed");
        add_detail(&account, "datapath_id %016" PRIx64, wanted->datapath_id);
    }
    if (parts & CONFIG_PART_MACS) {
        bridge_set_mac_table(br, wanted->mac_table_size, wanted->mac_aging_time);
        add_detail(&account, "a new MAC table of %d addresses, %d s", wanted->mac_table_size, wanted->mac_aging_time);
    }
    if (parts & CONFIG_PART_BPDU) {
        bridge_set_forward_bpdu(br, wanted->forward_bpdu);
        add_detail(&account, "NORMAL %s BPDUs", wanted->forward_bpdu ? "forwards" : "drops");
    }
    if (parts & CONFIG_PART_DESCRIPTION) {
        set_description(br, wanted);
        add_detail(&account, "another description");
    }
    if (parts & CONFIG_PART_MAX_RULES) {
        pipeline_set_max_rules(br->pipeline, (uint32_t)wanted->max_rules);
        add_detail(&account, "at most %d rules", wanted->max_rules);
    }
    if (parts & CONFIG_PART_TABLES) {
        set_tables(br, &object->now, wanted);
        add_detail(&account, "limits of tables");
    }
    if (parts & (CONFIG_PART_BONDS | CONFIG_PART_DATAPATH_ID)) /* LACP may have its address as the system's */
        apply_bonds(apply, br, wanted);
    if (parts & CONFIG_PART_BONDS)
        add_detail(&account, "%zu bonds", wanted->n_bonds);
    if (parts & (CONFIG_PART_STP | CONFIG_PART_DATAPATH_ID))
        apply_stp(apply, br, &wanted->stp);
    if (parts & CONFIG_PART_STP)
        add_detail(&account, "spanning tree %s", wanted->stp.enable ? "on" : "off");
    if (parts & CONFIG_PART_MIRRORS) {
        set_mirrors(br, wanted);
        add_detail(&account, "%zu mirrors", wanted->n_mirrors);
    }
    if (parts & CONFIG_PART_CONNECTIONS)
        change_connections(apply, object, &account);
    change_keeping(apply, object, &account);
    config_section_assign(&config_section_bridge, &object->now, wanted,
                          account.error[0] ? parts & ~CONFIG_PART_CONNECTIONS : parts);
    object->now.restoring = wanted->restoring;
    tell(apply, APPLY_BRIDGE, parts ? APPLY_CHANGED : APPLY_NONE, wanted->name, &account);
}

bool apply_bridge_step(struct apply *apply, struct apply_bridge *object)
{
    struct apply_port *port;

    if (object->bridge) {
        change_bridge(apply, object);
        return true;
    }
    if (!object->making)
        begin_bridge(apply, object);
    if (object->kept && !rules_kept_step(object->kept, TAKE_OVER_US))
        return false;
    finish_bridge(apply, object);
    if (!object->bridge)
        return true;
    TAILQ_FOREACH (port, &object->ports, node)
        apply_port_queue(apply, port);
    /* What was said while it was being made. */
    if (config_section_diff(&config_section_bridge, &object->now, &object->wanted))
        change_bridge(apply, object);
    return true;
}

/* --- removing ------------------------------------------------------------ */

/* Its connections go at once, its ports one by one; bundles, rules, megaflows and addresses, which may be many, in the
 * turns to come (apply_run_removed). */
void apply_bridge_leave(struct apply *apply, struct apply_bridge *object)
{
    const struct account account = {0};
    struct sluice *sw = apply->sw;
    struct bridge *br = object->bridge;

    give_up_making(apply, object);
    if (br) {
        of_server_close(switch_of(br));
        bond_agent_set(sw->bonds, br, NULL, 0);
        stp_agent_set(sw->stp, br, NULL);
        TAILQ_REMOVE(&sw->bridges, br, node);
        TAILQ_INSERT_TAIL(&sw->removed, br, node);
        object->bridge = NULL;
    }
    tell(apply, APPLY_BRIDGE, APPLY_REMOVED, object->wanted.name, &account);
}

void apply_bridge_end(struct apply *apply, struct apply_bridge *object)
{
    give_up_making(apply, object);
}

bool apply_run_removed(struct sluice *sw)
{
    struct bridge *br = TAILQ_FIRST(&sw->removed);

    if (!br)
        return false;
    if (switch_of(br)) {
        if (!of_server_is_over(switch_of(br)))
            return true;
        of_server_destroy(switch_of(br));
        br->owner = NULL;
    }
    if (!TAILQ_EMPTY(&br->ports))
        return false;
    if (flows_forget_bridge(sw->flows, br, REMOVE_STEP) && bridge_clear(br, REMOVE_STEP)) {
        TAILQ_REMOVE(&sw->removed, br, node);
        port_mtu_destroy(br->mtus);
        underlay_detach(sw->underlay, br);
        bridge_destroy(br);
    }
    return true;
}

/* --- options of the switch ----------------------------------------------- */

static struct tls_files tls_files_of(const struct config_tls *config)
{
    return (struct tls_files){
        .names = {[TLS_PRIVATE_KEY] = config->private_key,
                  [TLS_CERTIFICATE] = config->certificate,
                  [TLS_CA_CERTIFICATE] = config->ca_certificate},
        .peer_ca = config->peer_ca,
        .bootstrap = config->bootstrap,
    };
}

/* Servers of bridges that are made later get it by server_params(). */
static int change_tls(struct sluice *sw, const struct config_tls *config, char *error, size_t size)
{
    const struct tls_files files = tls_files_of(config);
    struct tls_fault fault;
    struct bridge *br;

    if (!config->private_key)
        return 0; /* nobody needs it; what there is may be needed again */
    if (sw->tls ? tls_change(sw->tls, &files, &fault) : !(sw->tls = tls_create(&files, &fault))) {
        snprintf(error, size, "TLS: %s", fault.text);
        return -1;
    }
    TAILQ_FOREACH (br, &sw->bridges, node)
        of_server_set_tls(switch_of(br), sw->tls);
    return 0;
}

void apply_conntrack(struct sluice *sw, const struct config_conntrack *config)
{
    struct ct *ct = datapath_ct(sw->dp);
    uint32_t seconds[CT_N_TIMEOUTS];

    for (unsigned i = 0; i < CT_N_TIMEOUTS; i++)
        seconds[i] = (uint32_t)config->timeouts.seconds[i];
    ct_set_default_timeouts(ct, seconds);
    ct_set_send_whole(ct, config->send_whole);
    if (!sw->ct_limits_of_database)
        ct_set_default_limit(ct, (uint32_t)config->zone_limit);
}

/* Moves all threads that do not poll away from cores with a poll-mode thread, as at the start: this thread, those of
 * DPDK, and those that open devices. */
static void move_others(const struct datapath *dp, const cpu_set_t *set)
{
    DIR *dir = opendir("/proc/self/task");
    struct dirent *entry;

    while (dir && (entry = readdir(dir))) {
        pid_t tid = (pid_t)strtol(entry->d_name, NULL, 10);

        if (tid > 0 && !datapath_is_thread(dp, tid))
            sched_setaffinity(tid, sizeof *set, set);
    }
    if (dir)
        closedir(dir);
}

static bool change_cores(struct sluice *sw, const struct config *wanted, struct account *account)
{
    const cpu_set_t others = cores_of_control(wanted, cores_at_start());
    cpu_set_t polling;
    char text[512];

    if (datapath_set_cores(sw->dp, wanted->pmd.cores, (unsigned)wanted->pmd.n_cores, &others, account->error,
                           sizeof account->error))
        return false;
    move_others(sw->dp, &others);
    CPU_ZERO(&polling);
    for (size_t i = 0; i < wanted->pmd.n_cores; i++)
        CPU_SET(wanted->pmd.cores[i], &polling);
    cores_format(&polling, text, sizeof text);
    add_detail(account, "poll-mode threads on cores %s", text);
    return true;
}

void apply_options_step(struct apply *apply, const struct config *wanted)
{
    struct config *now = apply->sw->config;
    unsigned parts = config_section_diff(&config_root, now, wanted), done = parts;
    struct account account = {0};

    if (parts & CONFIG_PART_LOG) {
        log_set_level("any", config_log_level_name(wanted->log.level));
        add_detail(&account, "log level %s", config_log_level_name(wanted->log.level));
    }
    if (parts & CONFIG_PART_CORES && (!now->pmd.cores_change || !change_cores(apply->sw, wanted, &account)))
        done &= ~CONFIG_PART_CORES;
    if (parts & CONFIG_PART_ISOLATE) {
        datapath_isolate(apply->sw->dp, wanted->pmd.isolate);
        add_detail(&account, wanted->pmd.isolate ? "cores that ports ask for get no other queues"
                                                 : "cores that ports ask for get other queues too");
    }
    if (parts & CONFIG_PART_SLEEP) {
        datapath_set_max_sleep(apply->sw->dp, (uint32_t)wanted->pmd.max_sleep_us);
        add_detail(&account, "poll-mode threads sleep %d us at most", wanted->pmd.max_sleep_us);
    }
    if (parts & CONFIG_PART_MEGAFLOWS) {
        if (flows_set_limits(apply->sw->flows, (uint32_t)wanted->pmd.megaflow_limit,
                             (uint32_t)wanted->pmd.max_idle_ms)) {
            snprintf(account.error, sizeof account.error,
                     "pmd.megaflow_limit: %d are more than what there is memory for since the start: restart sluiced",
                     wanted->pmd.megaflow_limit);
            done &= ~CONFIG_PART_MEGAFLOWS;
        } else {
            add_detail(&account, "at most %d megaflows, which go after %d ms without a packet",
                       wanted->pmd.megaflow_limit, wanted->pmd.max_idle_ms);
        }
    }
    if (parts & CONFIG_PART_CONNTRACK) {
        apply_conntrack(apply->sw, &wanted->conntrack);
        add_detail(&account, "other timeouts or limits of tracked connections, or other handling of fragments");
    }
    if (parts & CONFIG_PART_TLS) {
        if (change_tls(apply->sw, &wanted->tls, account.error, sizeof account.error))
            done &= ~CONFIG_PART_TLS;
        else
            add_detail(&account, "other TLS files, for connections made from now on");
    }
    config_section_assign(&config_root, now, wanted, done);
    tell(apply, APPLY_OPTIONS, done ? APPLY_CHANGED : APPLY_NONE, "", &account);
}
