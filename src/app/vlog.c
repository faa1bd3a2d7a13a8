#include "src/app/vlog.h"

#define MEM_WHAT "a command"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "pmd/base/log.h"
#include "pmd/base/mem.h"

/* Open vSwitch's modules (as its "vlog/list" has them) and the components that do their work. */
static const struct {
    const char *name;
    enum log_component component;
} modules[] = {
    /* clang-format off */
    {"backtrace", LOG_MAIN},
    {"bfd", LOG_BRIDGE},
    {"bond", LOG_BRIDGE},
    {"bundle", LOG_OPENFLOW},
    {"bundles", LOG_BRIDGE},
    {"cfm", LOG_BRIDGE},
    {"collectors", LOG_PIPELINE},
    {"command_line", LOG_MAIN},
    {"connmgr", LOG_OPENFLOW},
    {"conntrack", LOG_FLOWS},
    {"conntrack_tp", LOG_FLOWS},
    {"coverage", LOG_MAIN},
    {"ct_dpif", LOG_FLOWS},
    {"daemon", LOG_MAIN},
    {"daemon_unix", LOG_MAIN},
    {"dns_resolve", LOG_OPENFLOW},
    {"dpif", LOG_FLOWS},
    {"dpif_lookup_autovalidator", LOG_PMD},
    {"dpif_lookup_generic", LOG_PMD},
    {"dpif_mfex_extract_study", LOG_PMD},
    {"dpif_netdev", LOG_PMD},
    {"dpif_netdev_extract", LOG_PMD},
    {"dpif_netdev_impl", LOG_PMD},
    {"dpif_netdev_lookup", LOG_PMD},
    {"dpif_netlink", LOG_PORT},
    {"dpif_netlink_rtnl", LOG_PORT},
    {"entropy", LOG_MAIN},
    {"fail_open", LOG_OPENFLOW},
    {"fatal_signal", LOG_MAIN},
    {"flow", LOG_PMD},
    {"hmap", LOG_MAIN},
    {"in_band", LOG_OPENFLOW},
    {"ipf", LOG_FLOWS},
    {"ipfix", LOG_PIPELINE},
    {"jsonrpc", LOG_OVSDB},
    {"lacp", LOG_BRIDGE},
    {"lldp", LOG_BRIDGE},
    {"lldpd", LOG_BRIDGE},
    {"lldpd_structs", LOG_BRIDGE},
    {"lockfile", LOG_MAIN},
    {"mac_learning", LOG_BRIDGE},
    {"mcast_snooping", LOG_BRIDGE},
    {"memory", LOG_MAIN},
    {"meta_flow", LOG_OPENFLOW},
    {"native_tnl", LOG_PIPELINE},
    {"netdev", LOG_PORT},
    {"netdev_afxdp", LOG_PORT},
    {"netdev_dpdk", LOG_PORT},
    {"netdev_dummy", LOG_PORT},
    {"netdev_linux", LOG_PORT},
    {"netdev_offload", LOG_PORT},
    {"netdev_offload_dpdk", LOG_PORT},
    {"netdev_offload_tc", LOG_PORT},
    {"netdev_vport", LOG_PORT},
    {"netflow", LOG_PIPELINE},
    {"netlink", LOG_PORT},
    {"netlink_conntrack", LOG_PORT},
    {"netlink_notifier", LOG_PORT},
    {"netlink_socket", LOG_PORT},
    {"nx_match", LOG_OPENFLOW},
    {"odp_execute", LOG_FLOWS},
    {"odp_execute_impl", LOG_FLOWS},
    {"odp_util", LOG_PIPELINE},
    {"ofp_actions", LOG_OPENFLOW},
    {"ofp_bundle", LOG_OPENFLOW},
    {"ofp_connection", LOG_OPENFLOW},
    {"ofp_errors", LOG_OPENFLOW},
    {"ofp_flow", LOG_OPENFLOW},
    {"ofp_group", LOG_OPENFLOW},
    {"ofp_match", LOG_OPENFLOW},
    {"ofp_meter", LOG_OPENFLOW},
    {"ofp_monitor", LOG_OPENFLOW},
    {"ofp_msgs", LOG_OPENFLOW},
    {"ofp_packet", LOG_OPENFLOW},
    {"ofp_port", LOG_OPENFLOW},
    {"ofp_protocol", LOG_OPENFLOW},
    {"ofp_queue", LOG_OPENFLOW},
    {"ofp_table", LOG_OPENFLOW},
    {"ofp_util", LOG_OPENFLOW},
    {"ofproto", LOG_OPENFLOW},
    {"ofproto_dpif", LOG_PIPELINE},
    {"ofproto_dpif_mirror", LOG_PIPELINE},
    {"ofproto_dpif_monitor", LOG_PIPELINE},
    {"ofproto_dpif_rid", LOG_PIPELINE},
    {"ofproto_dpif_upcall", LOG_FLOWS},
    {"ofproto_dpif_xlate", LOG_PIPELINE},
    {"ofproto_xlate_cache", LOG_PIPELINE},
    {"ovs_lldp", LOG_BRIDGE},
    {"ovs_numa", LOG_PMD},
    {"ovs_rcu", LOG_MAIN},
    {"ovs_replay", LOG_MAIN},
    {"ovs_router", LOG_PIPELINE},
    {"ovs_thread", LOG_MAIN},
    {"ovsdb_cs", LOG_OVSDB},
    {"ovsdb_error", LOG_OVSDB},
    {"ovsdb_idl", LOG_OVSDB},
    {"ox_stat", LOG_OPENFLOW},
    {"pcap", LOG_PORT},
    {"pmd_perf", LOG_PMD},
    {"poll_loop", LOG_MAIN},
    {"process", LOG_CONTROL},
    {"rconn", LOG_OPENFLOW},
    {"reconnect", LOG_OVSDB},
    {"route_table", LOG_PIPELINE},
    {"rstp", LOG_BRIDGE},
    {"rstp_sm", LOG_BRIDGE},
    {"sflow", LOG_PIPELINE},
    {"sha1", LOG_MAIN},
    {"signals", LOG_CONTROL},
    {"socket_util", LOG_OPENFLOW},
    {"socket_util_unix", LOG_OPENFLOW},
    {"stp", LOG_BRIDGE},
    {"stream", LOG_OPENFLOW},
    {"stream_fd", LOG_OPENFLOW},
    {"stream_replay", LOG_OPENFLOW},
    {"stream_ssl", LOG_OPENFLOW},
    {"stream_tcp", LOG_OPENFLOW},
    {"stream_unix", LOG_OPENFLOW},
    {"svec", LOG_MAIN},
    {"system_stats", LOG_MAIN},
    {"tc", LOG_PORT},
    {"timeval", LOG_MAIN},
    {"tunnel", LOG_PIPELINE},
    {"unixctl", LOG_CONTROL},
    {"userspace_tso", LOG_PMD},
    {"util", LOG_MAIN},
    {"uuid", LOG_MAIN},
    {"vconn", LOG_OPENFLOW},
    {"vconn_stream", LOG_OPENFLOW},
    {"vlog", LOG_MAIN},
    {"vswitchd", LOG_MAIN},
    /* clang-format on */
};

static int find_module(const char *name)
{
    int component = log_find_component(name);

    for (size_t i = 0; component < 0 && i < sizeof modules / sizeof *modules; i++)
        if (!strcasecmp(name, modules[i].name))
            component = modules[i].component;
    return component;
}

/* What a specification has said so far. */
struct wanted {
    int component, facility; /* -1: any */
    bool has_level;
    uint32_t level;
};

static bool take_word(struct wanted *w, const char *word, char *error, size_t error_size)
{
    int number;

    if (!strcasecmp(word, "any"))
        return true;
    if ((number = log_find_facility(word)) >= 0) {
        if (w->facility >= 0)
            snprintf(error, error_size, "cannot specify multiple destinations");
        w->facility = number;
    } else if (log_find_level(word, &w->level)) {
        if (w->has_level)
            snprintf(error, error_size, "cannot specify multiple levels");
        w->has_level = true;
    } else if ((number = find_module(word)) >= 0) {
        if (w->component >= 0)
            snprintf(error, error_size, "cannot specify multiple modules");
        w->component = number;
    } else {
        snprintf(error, error_size,
                 "no destination, level, or module \"%s\" (\"vlog/list\" shows modules; destinations are console, "
                 "syslog, file; levels off, emer, err, warn, info, dbg)",
                 word);
    }
    return !*error;
}

int vlog_set(const char *spec, char *error, size_t error_size)
{
    struct wanted w = {.component = -1, .facility = -1, .level = RTE_LOG_DEBUG};
    char *copy, *save = NULL;

    *error = 0;
    if (!strncasecmp(spec, "PATTERN:", 8)) {
        LOG_INFO(LOG_MAIN, "%s: lines of the log have one form, patterns have no effect", spec);
        return 0;
    }
    copy = mem_strdup(spec);
    for (char *word = strtok_r(copy, " ,:", &save); word; word = strtok_r(NULL, " ,:", &save))
        if (!take_word(&w, word, error, error_size))
            break;
    free(copy);
    if (*error)
        return -1;
    log_set_facility_level(w.component, w.facility, w.level);
    return 0;
}
