/* memory/show and coverage/: how much there is of what takes memory, and how often things happened. Counters have the
 * names that "flows" and "drops" show. Control thread. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pmd/base/big_array.h"
#include "pmd/base/clock.h"
#include "src/agents/underlay.h"
#include "src/control/commands.h"
#include "src/openflow/server/server.h"
#include "src/tunnel/neighbour.h"
#include "src/tunnel/next_hop.h"

/* --- memory/show --------------------------------------------------------- */

static void count_connection(void *arg, const struct of_connection_info *info)
{
    ++*(unsigned *)arg;
}

static void cmd_memory(void *arg, int argc, const char *const *argv, struct control_reply *reply)
{
    struct sluice *sw = arg;
    unsigned connections = 0, ports = 0, macs = 0, rules = 0;
    size_t rule_bytes = 0;
    struct flows_stats fs;
    struct neighbours_stats neighbours;
    struct next_hops_stats hops;
    struct bridge *br;

    flows_get_stats(sw->flows, &fs);
    neighbours_get_stats(sw->underlay->neighbours, &neighbours);
    next_hops_get_stats(sw->underlay->hops, &hops);
    TAILQ_FOREACH (br, &sw->bridges, node) {
        ports += br->n_ports;
        macs += mac_table_size(br->macs);
        rules += pipeline_n_rules(br->pipeline, TABLE_ALL);
        rule_bytes += pipeline_memory(br->pipeline);
        if (switch_of(br))
            of_server_for_each_connection(switch_of(br), count_connection, &connections);
    }
    const struct {
        const char *name;
        uint64_t value;
    } rows[] = {
        {"array-bytes", big_arrays_mapped()},
        {"macs", macs},
        {"masks", fs.n_masks},
        {"megaflows", fs.n_megaflows},
        {"neighbours", neighbours.n},
        {"next-hops", hops.n},
        {"ofconns", connections},
        {"pmds", datapath_n_threads(sw->dp)},
        {"ports", ports},
        {"programs", fs.n_programs},
        {"rule-bytes", rule_bytes},
        {"rules", rules},
    };
    reply->json = json_object();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        control_printf(reply, "%s%s:%" PRIu64, i ? " " : "", rows[i].name, rows[i].value);
        json_object_set_new(reply->json, rows[i].name, json_integer((json_int_t)rows[i].value));
    }
    control_printf(reply, "\n");
}

/* --- coverage/ ----------------------------------------------------------- */

#define COUNTERS_MAX (DROP_N_REASONS + 32)

struct counter {
    char name[48];
    uint64_t total;
};

static void add(struct counter *counters, size_t *n, const char *prefix, const char *name, uint64_t total)
{
    if (*n == COUNTERS_MAX)
        return;
    snprintf(counters[*n].name, sizeof counters->name, "%s%s", prefix, name);
    counters[(*n)++].total = total;
}

static size_t collect(const struct sluice *sw, struct counter *counters)
{
    struct drop_counters drops;
    struct flows_stats fs;
    struct neighbours_stats neighbours;
    struct next_hops_stats hops;
    struct command_lookups sum;
    size_t n = 0;

    flows_get_stats(sw->flows, &fs);
    neighbours_get_stats(sw->underlay->neighbours, &neighbours);
    next_hops_get_stats(sw->underlay->hops, &hops);
    datapath_drops(sw->dp, &drops);
    command_lookups(sw, &sum);
    add(counters, &n, "", "lookup_hit", sum.hit);
    add(counters, &n, "", "lookup_miss", sum.missed);
    add(counters, &n, "", "xlate_actions", fs.translations);
    add(counters, &n, "", "flow_install", fs.installed);
    add(counters, &n, "", "flow_revalidate", fs.revalidated);
    add(counters, &n, "", "flow_change", fs.changed);
    add(counters, &n, "", "flow_delete_changed", fs.deleted_changed);
    add(counters, &n, "", "flow_delete_idle", fs.deleted_idle);
    add(counters, &n, "", "flow_evict", fs.evicted);
    add(counters, &n, "", "upcall_flow_limit_hit", fs.refused_limit);
    add(counters, &n, "", "punt", fs.punts);
    add(counters, &n, "", "packet_in", fs.packet_ins);
    add(counters, &n, "", "packet_out", fs.packet_outs);
    add(counters, &n, "", "neighbour_request", neighbours.requests);
    add(counters, &n, "", "neighbour_learned", neighbours.learned);
    add(counters, &n, "", "neighbour_refused", neighbours.refused);
    add(counters, &n, "", "next_hop_decide", hops.decided);
    add(counters, &n, "", "next_hop_change", hops.changed);
    add(counters, &n, "", "next_hop_wait", hops.waited);
    add(counters, &n, "", "next_hop_wait_refused", hops.not_waited);
    add(counters, &n, "", "loop_turn", loop_turns(sw->loop)->runs);
    for (int r = 0; r < DROP_N_REASONS; r++)
        add(counters, &n, "drop_", drop_reason_name(r), drops.packets[r]);
    return n;
}

static void cmd_coverage(void *arg, int argc, const char *const *argv, struct control_reply *reply)
{
    struct sluice *sw = arg;
    struct counter counters[COUNTERS_MAX];
    size_t n = collect(sw, counters), never = 0;
    double seconds = (double)(clock_now_ms() - sw->started_ms) / 1000;

    reply->json = json_object();
    control_printf(reply, "Event coverage, avg rate since the start:\n");
    for (size_t i = 0; i < n; i++) {
        json_object_set_new(reply->json, counters[i].name, json_integer((json_int_t)counters[i].total));
        if (!counters[i].total)
            never++;
        else
            control_printf(reply, "%-24s %9.3f/sec   total: %" PRIu64 "\n", counters[i].name,
                           seconds > 0 ? (double)counters[i].total / seconds : 0, counters[i].total);
    }
    control_printf(reply, "%zu events never hit\n", never);
}

static void cmd_read_counter(void *arg, int argc, const char *const *argv, struct control_reply *reply)
{
    struct counter counters[COUNTERS_MAX];
    size_t n = collect(arg, counters);

    for (size_t i = 0; i < n; i++)
        if (!strcmp(argv[1], counters[i].name)) {
            control_printf(reply, "%" PRIu64 "\n", counters[i].total);
            reply->json = json_pack("{s:I}", counters[i].name, (json_int_t)counters[i].total);
            return;
        }
    control_fail(reply, "%s: No such counter (coverage/show has them)", argv[1]);
}

void commands_register_memory(struct control *control, struct sluice *sw)
{
    control_register(control, "coverage/read-counter", "COUNTER", 1, 1, cmd_read_counter, sw);
    control_register(control, "coverage/show", "", 0, 0, cmd_coverage, sw);
    control_register(control, "memory/show", "", 0, 0, cmd_memory, sw);
}
