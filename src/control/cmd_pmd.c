/* pmd, drops and caches: what the poll-mode threads did, where packets ended, and how full the caches are. Control
 * thread. */
#include <event2/buffer.h>
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

    control_printf(reply, "pmd thread %u: core %u, numa node %d\n", thread, st.lcore, st.numa_node);
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
    control_printf(reply,
                   "  longest turn: %.1f us, %.1f us without what others got of the core; %" PRIu64
                   " turns of more than 50 us so\n",
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
    json_object_set_new(out, "core", json_integer(st.lcore));
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

static void cmd_drops(void *arg, int argc, const char *const *argv, struct control_reply *reply)
{
    struct sluice *sw = arg;
    struct drop_counters sum;
    bool all = argc > 1 && !strcmp(argv[1], "all"), any = false;

    if (argc > 1 && !all) {
        control_fail(reply, "%s: not \"all\"", argv[1]);
        return;
    }
    datapath_drops(sw->dp, &sum);
    reply->json = json_object();
    for (int r = 0; r < DROP_N_REASONS; r++) {
        json_object_set_new(reply->json, drop_reason_name(r), json_integer(sum.packets[r]));
        if (!all && !sum.packets[r])
            continue;
        any = true;
        control_printf(reply, "%-20s %12" PRIu64 "  %s\n", drop_reason_name(r), sum.packets[r], drop_reason_doc(r));
    }
    if (!any)
        control_printf(reply, "no packet was dropped\n");
}

/* What a tuple looks at. A mask alone says nothing of the protocol, so these are names of parts of the flow key. */
static char *format_mask(const struct flow_key *mask)
{
#define PART(field, name)                                                                                              \
    {                                                                                                                  \
        offsetof(struct flow_key, field), sizeof mask->field, name                                                     \
    }
    static const struct {
        uint16_t offset, len;
        const char *name;
    } parts[] = {
        PART(in_port, "in_port"),       PART(recirc_id, "recirc_id"),     PART(eth_dst, "eth_dst"),
        PART(eth_src, "eth_src"),       PART(eth_type, "eth_type"),       PART(vlan_tci[0], "vlan_tci"),
        PART(vlan_tci[1], "vlan_tci2"), PART(tcp_flags, "tcp_flags"),     PART(ipv4_src, "ipv4_src"),
        PART(ipv4_dst, "ipv4_dst"),     PART(tp_src, "tp_src"),           PART(tp_dst, "tp_dst"),
        PART(ip_proto, "ip_proto"),     PART(ip_tos, "ip_tos"),           PART(ip_ttl, "ip_ttl"),
        PART(ip_frag, "ip_frag"),       PART(ct_state, "ct_state"),       PART(ct_zone, "ct_zone"),
        PART(ct_mark, "ct_mark"),       PART(pkt_mark, "pkt_mark"),       PART(dp_hash, "dp_hash"),
        PART(ipv6_src, "ipv6_src"),     PART(ipv6_dst, "ipv6_dst"),       PART(nd_target, "nd_target"),
        PART(arp_sha, "arp_sha"),       PART(arp_tha, "arp_tha"),         PART(ipv6_label, "ipv6_label"),
        PART(mpls_lse, "mpls_lse"),     PART(ipv6_exthdr, "ipv6_exthdr"), PART(pbb_isid, "pbb_isid"),
        PART(tun_id, "tun_id"),         PART(tun_ipv4_src, "tun_src"),    PART(tun_ipv4_dst, "tun_dst"),
    };
#undef PART
    struct evbuffer *text = evbuffer_new();
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        const uint8_t *bytes = (const uint8_t *)mask + parts[i].offset;
        unsigned bits = 0;
        for (unsigned b = 0; b < parts[i].len; b++)
            bits += __builtin_popcount(bytes[b]);
        if (!bits)
            continue;
        evbuffer_add_printf(text, "%s%s", evbuffer_get_length(text) ? "," : "", parts[i].name);
        if (bits < 8u * parts[i].len) {
            evbuffer_add_printf(text, "/0x");
            for (unsigned b = 0; b < parts[i].len; b++)
                evbuffer_add_printf(text, "%02x", bytes[b]);
        }
    }
    evbuffer_add(text, "", 1);
    char *copy = strdup((const char *)evbuffer_pullup(text, -1));
    evbuffer_free(text);
    return copy;
}

static void cmd_caches(void *arg, int argc, const char *const *argv, struct control_reply *reply)
{
    struct sluice *sw = arg;
    struct flows_stats fs;

    flows_get_stats(sw->flows, &fs);
    json_t *threads = json_array(), *masks = json_array();
    control_printf(reply, "megaflows: %u, in %u tuples\n", fs.n_megaflows, fs.n_masks);
    for (unsigned t = 0; t < datapath_n_threads(sw->dp); t++) {
        struct pmd_stats st;
        datapath_pmd_stats(sw->dp, t, &st);
        control_printf(reply, "exact-match cache of pmd thread %u: %u of %u entries in use\n", t, st.emc_used,
                       st.emc_capacity);
        json_array_append_new(threads, json_pack("{s:i,s:I,s:I}", "thread", (int)t, "entries",
                                                 (json_int_t)st.emc_capacity, "used", (json_int_t)st.emc_used));
    }
    for (uint32_t i = 0; i < datapath_n_masks(sw->dp); i++) {
        uint32_t n = 0;
        const struct flow_key *mask = datapath_mask(sw->dp, i, &n);
        if (!mask)
            continue;
        char *text = format_mask(mask);
        control_printf(reply, "tuple %u: %u megaflows, mask %s\n", i, n, text);
        json_array_append_new(masks, json_pack("{s:I,s:s}", "megaflows", (json_int_t)n, "mask", text));
        free(text);
    }
    size_t rule_bytes = 0;
    uint32_t rules = 0;
    struct bridge *br;
    TAILQ_FOREACH (br, &sw->bridges, node) {
        rule_bytes += pipeline_memory(br->pipeline);
        rules += pipeline_n_rules(br->pipeline, TABLE_ALL);
    }
    control_printf(reply, "rules: %u, %zu bytes\n", rules, rule_bytes);
    reply->json =
        json_pack("{s:I,s:I,s:o,s:o,s:I,s:I}", "megaflows", (json_int_t)fs.n_megaflows, "masks", (json_int_t)fs.n_masks,
                  "emc", threads, "tuples", masks, "rules", (json_int_t)rules, "rule_bytes", (json_int_t)rule_bytes);
}

void commands_register_pmd(struct control *control, struct sluice *sw)
{
    control_register(control, "pmd", "[clear]", 0, 1, cmd_pmd, sw);
    control_register(control, "drops", "[all]", 0, 1, cmd_drops, sw);
    control_register(control, "caches", "", 0, 0, cmd_caches, sw);
}
