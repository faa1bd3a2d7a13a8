/* What poll-mode threads did, in the words and columns of Open vSwitch's dpif-netdev commands. Their own command is
 * "pmd", which says more. Control thread. */
#include <inttypes.h>
#include <rte_cycles.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "src/control/commands.h"

#define RXQS_MAX 4096

static double ratio(uint64_t a, uint64_t b)
{
    return b ? (double)a / b : 0;
}

static double percent(uint64_t a, uint64_t b)
{
    return 100 * ratio(a, b);
}

/* Lookups of a thread: more than packets, where these came round again. */
static uint64_t lookups(const struct pmd_stats *st)
{
    return st->port_program_hits + st->emc_hits + st->tss_hits + st->misses;
}

static uint64_t passes(const struct pmd_stats *st)
{
    return RTE_MAX(lookups(st), st->rx_packets);
}

/* What a command was asked for: "-pmd CORE", and options of `ignored` (name, number of words), which are about
 * histories that are not kept. */
struct asked {
    int core;      /* -1: all */
    unsigned next; /* thread to look at, by next_asked() */
};

static bool take_words(struct asked *asked, int argc, const char *const *argv, struct control_reply *reply)
{
    static const struct {
        const char *name;
        int words;
    } ignored[] = {{"-nh", 1}, {"-it", 2}, {"-ms", 2}, {"-secs", 2}};
    char *end;

    *asked = (struct asked){.core = -1};
    for (int i = 1, skip; i < argc; i += skip) {
        skip = 0;
        for (size_t o = 0; o < sizeof ignored / sizeof *ignored; o++)
            if (!strcmp(argv[i], ignored[o].name))
                skip = ignored[o].words;
        if (!strcmp(argv[i], "-pmd") && i + 1 < argc) {
            asked->core = (int)strtol(argv[i + 1], &end, 10);
            if (*end || end == argv[i + 1] || asked->core < 0) {
                control_fail(reply, "-pmd %s: not the number of a core", argv[i + 1]);
                return false;
            }
            skip = 2;
        } else if (!skip) {
            if (!command_check_datapath(argc, argv, i, reply))
                return false;
            skip = 1;
        }
    }
    return true;
}

static bool next_asked(const struct sluice *sw, struct asked *asked, struct pmd_stats *st)
{
    while (asked->next < datapath_n_threads(sw->dp)) {
        datapath_pmd_stats(sw->dp, asked->next++, st);
        if (!st->surplus && (asked->core < 0 || (unsigned)asked->core == st->core))
            return true;
    }
    return false;
}

static json_t *thread_json(const struct pmd_stats *st)
{
    return json_pack("{s:i,s:i,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I}", "core", (int)st->core, "numa_node", st->numa_node,
                     "packets_received", (json_int_t)st->rx_packets, "passes", (json_int_t)passes(st),
                     "simple_match_hits", (json_int_t)st->port_program_hits, "emc_hits", (json_int_t)st->emc_hits,
                     "megaflow_hits", (json_int_t)st->tss_hits, "upcalls", (json_int_t)st->misses, "idle_cycles",
                     (json_int_t)(st->cycles_idle + st->cycles_asleep), "processing_cycles",
                     (json_int_t)st->cycles_busy);
}

/* --- pmd-stats-show ------------------------------------------------------ */

static void show_hits(const struct pmd_stats *st, struct control_reply *reply)
{
    uint64_t n = passes(st);

    control_printf(reply,
                   "  packets received: %" PRIu64 "\n"
                   "  packet recirculations: %" PRIu64 "\n"
                   "  avg. datapath passes per packet: %.2f\n"
                   "  phwol hits: 0\n"
                   "  mfex opt hits: 0\n"
                   "  simple match hits: %" PRIu64 "\n"
                   "  emc hits: %" PRIu64 "\n"
                   "  smc hits: 0\n"
                   "  megaflow hits: %" PRIu64 "\n"
                   "  avg. subtable lookups per megaflow hit: %.2f\n"
                   "  miss with success upcall: %" PRIu64 "\n"
                   "  miss with failed upcall: 0\n"
                   "  avg. packets per output batch: %.2f\n",
                   st->rx_packets, n - st->rx_packets, ratio(n, st->rx_packets), st->port_program_hits, st->emc_hits,
                   st->tss_hits, ratio(st->tss_lookups, st->tss_hits), st->misses,
                   ratio(st->tx_packets, st->tx_batches));
}

static void show_stats(const struct pmd_stats *st, struct control_reply *reply)
{
    uint64_t idle = st->cycles_idle + st->cycles_asleep, all = idle + st->cycles_busy;

    control_printf(reply, "pmd thread numa_id %d core_id %u:\n", st->numa_node, st->core);
    show_hits(st, reply);
    if (!all)
        return;
    control_printf(reply, "  idle cycles: %" PRIu64 " (%.2f%%)\n  processing cycles: %" PRIu64 " (%.2f%%)\n", idle,
                   percent(idle, all), st->cycles_busy, percent(st->cycles_busy, all));
    if (st->rx_packets)
        control_printf(reply,
                       "  avg cycles per packet: %.2f (%" PRIu64 "/%" PRIu64 ")\n"
                       "  avg processing cycles per packet: %.2f (%" PRIu64 "/%" PRIu64 ")\n",
                       ratio(all, st->rx_packets), all, st->rx_packets, ratio(st->cycles_busy, st->rx_packets),
                       st->cycles_busy, st->rx_packets);
}

/* The control thread forwards packets of controllers. */
static void show_control_thread(struct sluice *sw, struct control_reply *reply)
{
    struct flows_stats fs;

    flows_get_stats(sw->flows, &fs);
    const struct pmd_stats st = {.rx_packets = fs.packet_outs};
    control_printf(reply, "main thread:\n");
    show_hits(&st, reply);
}

static void cmd_stats_show(void *arg, int argc, const char *const *argv, struct control_reply *reply)
{
    struct sluice *sw = arg;
    struct asked asked;
    struct pmd_stats st;

    if (!take_words(&asked, argc, argv, reply))
        return;
    reply->json = json_array();
    while (next_asked(sw, &asked, &st)) {
        show_stats(&st, reply);
        json_array_append_new(reply->json, thread_json(&st));
    }
    if (asked.core < 0)
        show_control_thread(sw, reply);
}

static void cmd_stats_clear(void *arg, int argc, const char *const *argv, struct control_reply *reply)
{
    struct sluice *sw = arg;
    struct asked asked;

    if (!take_words(&asked, argc, argv, reply))
        return;
    datapath_pmd_stats_clear(sw->dp); /* of all threads at once: their counters are compared with each other */
}

/* --- pmd-perf-show ------------------------------------------------------- */

static double measured_s(const struct pmd_stats *st)
{
    return (double)(st->cycles_busy + st->cycles_idle + st->cycles_asleep) / rte_get_tsc_hz();
}

static void show_perf(const struct pmd_stats *st, struct control_reply *reply)
{
    double seconds = measured_s(st);
    uint64_t idle = st->cycles_idle + st->cycles_asleep, all = idle + st->cycles_busy, n = passes(st);
    uint64_t polls_idle = st->polls - RTE_MIN(st->polls_busy, st->polls);

    control_printf(reply, "pmd thread numa_id %d core_id %u:\n\n", st->numa_node, st->core);
    control_printf(reply,
                   "  Iterations:         %12" PRIu64 "  (%.2f us/it)\n"
                   "  - Used TSC cycles:  %12" PRIu64 "  (%5.1f %% of total cycles)\n"
                   "  - idle iterations:  %12" PRIu64 "  (%5.1f %% of used cycles)\n"
                   "  - busy iterations:  %12" PRIu64 "  (%5.1f %% of used cycles)\n",
                   st->polls, ratio(all, st->polls) * 1e6 / rte_get_tsc_hz(), all - st->cycles_asleep,
                   percent(all - st->cycles_asleep, all), polls_idle, percent(st->cycles_idle, all - st->cycles_asleep),
                   st->polls_busy, percent(st->cycles_busy, all - st->cycles_asleep));
    control_printf(reply, "  Rx packets:         %12" PRIu64 "  (%.0f Kpps, %.0f cycles/pkt)\n", st->rx_packets,
                   seconds > 0 ? st->rx_packets / seconds / 1000 : 0, ratio(st->cycles_busy, st->rx_packets));
    control_printf(reply,
                   "  Datapath passes:    %12" PRIu64 "  (%.2f passes/pkt)\n"
                   "  - PHWOL hits:       %12d  (  0.0 %%)\n"
                   "  - MFEX Opt hits:    %12d  (  0.0 %%)\n"
                   "  - Simple Match hits:%12" PRIu64 "  (%5.1f %%)\n"
                   "  - EMC hits:         %12" PRIu64 "  (%5.1f %%)\n"
                   "  - SMC hits:         %12d  (  0.0 %%)\n"
                   "  - Megaflow hits:    %12" PRIu64 "  (%5.1f %%, %.2f subtbl lookups/hit)\n"
                   "  - Upcalls:          %12" PRIu64 "  (%5.1f %%)\n"
                   "  - Lost upcalls:     %12d  (  0.0 %%)\n",
                   n, ratio(n, st->rx_packets), 0, 0, st->port_program_hits, percent(st->port_program_hits, n),
                   st->emc_hits, percent(st->emc_hits, n), 0, st->tss_hits, percent(st->tss_hits, n),
                   ratio(st->tss_lookups, st->tss_hits), st->misses, percent(st->misses, n), 0);
    control_printf(reply,
                   "  Tx packets:         %12" PRIu64 "  (%.0f Kpps)\n"
                   "  Tx batches:         %12" PRIu64 "  (%.2f pkts/batch)\n",
                   st->tx_packets, seconds > 0 ? st->tx_packets / seconds / 1000 : 0, st->tx_batches,
                   ratio(st->tx_packets, st->tx_batches));
}

static void cmd_perf_show(void *arg, int argc, const char *const *argv, struct control_reply *reply)
{
    struct sluice *sw = arg;
    struct asked asked;
    struct pmd_stats st;
    char now[32] = "";
    time_t clock = time(NULL);
    struct tm tm;

    if (!take_words(&asked, argc, argv, reply))
        return;
    datapath_pmd_stats(sw->dp, 0, &st);
    strftime(now, sizeof now, "%T", localtime_r(&clock, &tm));
    control_printf(reply, "\nTime: %s\nMeasurement duration: %.3f s\n\n", now, measured_s(&st));
    reply->json = json_array();
    while (next_asked(sw, &asked, &st)) {
        show_perf(&st, reply);
        json_array_append_new(reply->json, thread_json(&st));
    }
}

/* --- pmd-rxq-show -------------------------------------------------------- */

/* "12 %", or that it is not known yet. */
static void show_share(struct control_reply *reply, double share)
{
    if (share < 0)
        control_printf(reply, "NOT AVAIL\n");
    else
        control_printf(reply, "%2.0f %%\n", 100 * share);
}

static void show_rxqs(struct sluice *sw, unsigned thread, const struct pmd_stats *st, struct control_reply *reply)
{
    static uint32_t ports[RXQS_MAX];
    static uint16_t queues[RXQS_MAX];
    unsigned n = datapath_pmd_rxqs(sw->dp, thread, ports, queues, RXQS_MAX);
    bool isolated = datapath_thread_isolated(sw->dp, thread);
    double busy = datapath_busy_share(sw->dp, thread), sum = 0;
    json_t *list = json_array();

    control_printf(reply, "pmd thread numa_id %d core_id %u:\n  isolated : %s\n", st->numa_node, st->core,
                   isolated ? "true" : "false");
    for (unsigned i = 0; i < n; i++) {
        const struct bridge_port *bp = bridge_port_by_index(sw->dp, ports[i]);
        const struct port *port = datapath_port(sw->dp, ports[i]);
        double share = port ? datapath_rx_share(sw->dp, port, queues[i]) : -1;
        json_t *out = json_pack("{s:s,s:i}", "port", bp ? bp->name : "?", "queue", (int)queues[i]);

        control_printf(reply, "  port: %-16s  queue-id: %2u (enabled)   pmd usage: ", bp ? bp->name : "?", queues[i]);
        show_share(reply, share);
        if (share >= 0)
            json_object_set_new(out, "share", json_real(share));
        json_array_append_new(list, out);
        sum += RTE_MAX(share, 0);
    }
    if (n > 0) {
        control_printf(reply, "  overhead: ");
        show_share(reply, busy < 0 ? busy : RTE_MAX(busy - sum, 0));
    }
    json_array_append_new(reply->json, json_pack("{s:i,s:i,s:b,s:o}", "core", (int)st->core, "numa_node", st->numa_node,
                                                 "isolated", isolated, "rx_queues", list));
}

static void cmd_rxq_show(void *arg, int argc, const char *const *argv, struct control_reply *reply)
{
    struct sluice *sw = arg;
    struct asked asked;
    struct pmd_stats st;

    if (!take_words(&asked, argc, argv, reply))
        return;
    reply->json = json_array();
    while (next_asked(sw, &asked, &st))
        show_rxqs(sw, asked.next - 1, &st, reply);
}

static void cmd_rxq_rebalance(void *arg, int argc, const char *const *argv, struct control_reply *reply)
{
    struct sluice *sw = arg;

    if (datapath_rebalance(sw->dp))
        control_printf(reply, "pmd rxq rebalance requested.\n");
    else
        control_fail(reply, "out of memory for the list of receive queues");
}

void commands_register_dpif_netdev(struct control *control, struct sluice *sw)
{
    control_register(control, "dpif-netdev/pmd-perf-show", "[-nh] [-it n] [-ms n] [-pmd core] [dp]", 0, 8,
                     cmd_perf_show, sw);
    control_register(control, "dpif-netdev/pmd-rxq-rebalance", "[dp]", 0, 1, cmd_rxq_rebalance, sw);
    control_register(control, "dpif-netdev/pmd-rxq-show", "[-pmd core] [-secs secs] [dp]", 0, 5, cmd_rxq_show, sw);
    control_register(control, "dpif-netdev/pmd-stats-clear", "[-pmd core] [dp]", 0, 3, cmd_stats_clear, sw);
    control_register(control, "dpif-netdev/pmd-stats-show", "[-pmd core] [dp]", 0, 3, cmd_stats_show, sw);
}
