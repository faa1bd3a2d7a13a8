/* pmd, drops and caches: what the poll-mode threads did, where packets ended, and how full the caches are. Control
 * thread. */
#include <inttypes.h>
#include <rte_cycles.h>

#include "src/app/status.h"
#include "src/control/commands.h"

static const char *const stage_names[PMD_N_STAGES] = {
    [PMD_STAGE_RX] = "rx",           [PMD_STAGE_PARSE] = "parse", [PMD_STAGE_EMC] = "emc",   [PMD_STAGE_TSS] = "tss",
    [PMD_STAGE_ACTIONS] = "actions", [PMD_STAGE_TX] = "tx",       [PMD_STAGE_IDLE] = "idle",
};

static double ratio(uint64_t a, uint64_t b)
{
    return b ? (double)a / b : 0;
}

static const char *port_label(const struct sluice *sw, uint32_t index)
{
    struct bridge_port *bp = bridge_port_by_index(sw->dp, index);

    return bp ? bp->name : "?";
}

static void show_queues(const struct sluice *sw, unsigned thread, struct control_reply *reply, json_t *out)
{
    uint32_t ports[256];
    uint16_t queues[256];
    unsigned n = datapath_pmd_rxqs(sw->dp, thread, ports, queues, 256);
    json_t *list = json_array();

    control_printf(reply, "  rx queues:");
    for (unsigned i = 0; i < n && i < 256; i++) {
        control_printf(reply, " %s:%u", port_label(sw, ports[i]), queues[i]);
        json_array_append_new(list, json_pack("{s:s,s:i}", "port", port_label(sw, ports[i]), "queue", (int)queues[i]));
    }
    control_printf(reply, n ? "\n" : " none\n");
    json_object_set_new(out, "rx_queues", list);
}

static void show_thread(const struct sluice *sw, unsigned thread, struct control_reply *reply)
{
    struct status_thread status;

    status_of_thread(sw, thread, &status);
    const struct pmd_stats st = status.stats;
    uint64_t all = st.cycles_busy + st.cycles_idle + st.cycles_asleep;
    uint64_t looked_up = st.port_program_hits + st.emc_hits + st.tss_hits + st.misses;
    double turn_us = (double)st.longest_turn * 1e6 / rte_get_tsc_hz();
    double own_turn_us = (double)st.longest_own_turn * 1e6 / rte_get_tsc_hz();
    double busy = 100 * ratio(st.cycles_busy, all), asleep = 100 * ratio(st.cycles_asleep, all);

    control_printf(reply,
                   st.surplus ? "pmd thread %u: no core, numa node %d\n" : "pmd thread %u: core %u, numa node %d\n",
                   thread, st.core, st.numa_node);
    control_printf(reply, "  packets received: %" PRIu64 " (%.2f a batch), sent: %" PRIu64 " (%.2f a batch)\n",
                   st.rx_packets, ratio(st.rx_packets, st.rx_batches), st.tx_packets,
                   ratio(st.tx_packets, st.tx_batches));
    control_printf(reply, "  cycles per packet: %.1f busy, %.1f in all; busy %.1f %%, asleep %.1f %%\n",
                   ratio(st.cycles_busy, st.rx_packets), ratio(all, st.rx_packets), busy, asleep);
    control_printf(reply,
                   "  hits: port program %" PRIu64 ", exact match %" PRIu64 ", classifier %" PRIu64
                   " (%.2f tuples a lookup); misses %" PRIu64 " (parked %" PRIu64 ")\n",
                   st.port_program_hits, st.emc_hits, st.tss_hits, ratio(st.tss_lookups, st.tss_hits + st.misses),
                   st.misses, st.parked);
    control_printf(reply, "  packets a program run: %.2f\n", ratio(st.rx_packets, st.groups));
    control_printf(reply, "  longest turn: %.1f us wall, %.1f us on CPU; %" PRIu64 " turns of more than 50 us on CPU\n",
                   turn_us, own_turn_us, st.long_turns);
    control_printf(reply, "  core taken away by the kernel: %" PRIu64 " times%s\n", st.preempted,
                   st.preempted < 100 ? "" : " (which counts as cycles: keep other work off it, isolcpus or taskset)");
    control_printf(reply, "  exact-match cache: %u of %u entries in use\n", st.emc_used, st.emc_capacity);
    control_printf(reply, "  cycles per packet by stage:");
    json_t *stages = json_object(), *out = json_object();
    for (int s = 0; s < PMD_N_STAGES; s++) {
        control_printf(reply, " %s %.1f", stage_names[s], ratio(st.stage_cycles[s], st.rx_packets));
        json_object_set_new(stages, stage_names[s], json_integer(st.stage_cycles[s]));
    }
    control_printf(reply, "\n");

    json_object_set_new(out, "thread", json_integer(thread));
    json_object_set_new(out, "core", json_integer(st.core));
    json_object_set_new(out, "numa_node", json_integer(st.numa_node));
    metrics_to_json(status_kinds[STATUS_THREAD].metrics, status_kinds[STATUS_THREAD].n_metrics, &status, out);
    json_object_set_new(out, "tsc_hz", json_integer((json_int_t)rte_get_tsc_hz()));
    json_object_set_new(out, "cycles_per_packet", json_real(ratio(all, st.rx_packets)));
    json_object_set_new(out, "busy_cycles_per_packet", json_real(ratio(st.cycles_busy, st.rx_packets)));
    json_object_set_new(out, "busy_share", json_real(ratio(st.cycles_busy, all)));
    json_object_set_new(out, "hit_share", json_real(ratio(looked_up - st.misses, looked_up)));
    json_object_set_new(out, "longest_turn_us", json_real(turn_us));
    json_object_set_new(out, "longest_own_turn_us", json_real(own_turn_us));
    json_object_set_new(out, "stage_cycles", stages);
    show_queues(sw, thread, reply, out);
    json_array_append_new(reply->json, out);
}

static void cmd_pmd(void *arg, int argc, const char *const *argv, struct control_reply *reply)
{
    struct sluice *sw = arg;

    if (argc > 1 && !strcmp(argv[1], "clear")) {
        datapath_pmd_stats_clear(sw->dp);
        return;
    }
    if (argc > 1) {
        control_fail(reply, "%s: not \"clear\"", argv[1]);
        return;
    }
    reply->json = json_array();
    for (unsigned t = 0; t < datapath_n_threads(sw->dp); t++)
        show_thread(sw, t, reply);
}

struct show_drops {
    struct control_reply *reply;
    bool all, any;
};

static void show_drop(void *arg, const struct status_drop *drop)
{
    struct show_drops *show = arg;

    json_object_set_new(show->reply->json, drop->reason, json_integer((json_int_t)drop->packets));
    if (!show->all && drop->packets == 0)
        return;
    show->any = true;
    control_printf(show->reply, "%-20s %12" PRIu64 "  %s\n", drop->reason, drop->packets, drop->meaning);
}

static void cmd_drops(void *arg, int argc, const char *const *argv, struct control_reply *reply)
{
    struct show_drops show = {.reply = reply, .all = argc > 1 && !strcmp(argv[1], "all")};

    if (argc > 1 && !show.all) {
        control_fail(reply, "%s: not \"all\"", argv[1]);
        return;
    }
    reply->json = json_object();
    status_for_each_drop(arg, show_drop, &show);
    if (!show.any)
        control_printf(reply, "no packet was dropped\n");
}

struct show_caches {
    struct control_reply *reply;
    json_t *emc, *tuples;
};

static void show_emc(void *arg, const struct status_thread *thread)
{
    const struct show_caches *show = arg;

    control_printf(show->reply, "exact-match cache of pmd thread %u: %u of %u entries in use\n", thread->thread,
                   thread->stats.emc_used, thread->stats.emc_capacity);
    json_array_append_new(show->emc, json_pack("{s:i,s:I,s:I}", "thread", (int)thread->thread, "entries",
                                               (json_int_t)thread->stats.emc_capacity, "used",
                                               (json_int_t)thread->stats.emc_used));
}

static void show_tuple(void *arg, const struct status_tuple *tuple)
{
    const struct show_caches *show = arg;
    json_t *object = json_object();

    control_printf(show->reply, "tuple %u: %u megaflows, mask %s\n", tuple->tuple, tuple->megaflows, tuple->mask);
    metrics_to_json(status_kinds[STATUS_TUPLE].metrics, status_kinds[STATUS_TUPLE].n_metrics, tuple, object);
    json_object_set_new(object, "mask", json_string(tuple->mask));
    json_array_append_new(show->tuples, object);
}

static void cmd_caches(void *arg, int argc, const char *const *argv, struct control_reply *reply)
{
    struct show_caches show = {.reply = reply, .emc = json_array(), .tuples = json_array()};
    struct status_tables tables;

    status_of_tables(arg, &tables);
    control_printf(reply, "megaflows: %u, in %u tuples\n", tables.megaflows, tables.masks);
    status_for_each_thread(arg, show_emc, &show);
    status_for_each_tuple(arg, show_tuple, &show);
    control_printf(reply, "rules: %" PRIu64 ", %" PRIu64 " bytes\n", tables.rules, tables.rule_bytes);
    reply->json = json_pack("{s:o,s:o}", "emc", show.emc, "tuples", show.tuples);
    metrics_to_json(status_kinds[STATUS_TABLES].metrics, status_kinds[STATUS_TABLES].n_metrics, &tables, reply->json);
}

void commands_register_pmd(struct control *control, struct sluice *sw)
{
    control_register(control, "pmd", "[clear]", 0, 1, cmd_pmd, sw);
    control_register(control, "drops", "[all]", 0, 1, cmd_drops, sw);
    control_register(control, "caches", "", 0, 0, cmd_caches, sw);
}
