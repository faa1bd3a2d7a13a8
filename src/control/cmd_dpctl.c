/* What the datapath holds, as Open vSwitch's dpctl and dpif commands print it: ports, counters, megaflows, which are
 * listed in slices. There is one datapath, and one set of megaflows for all poll-mode threads. Control thread. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "pmd/base/clock.h"
#include "pmd/base/memory.h"
#include "src/app/db/features.h"
#include "src/control/commands.h"
#include "src/match/field.h"
#include "src/tunnel/tunnel_text.h"

#define DUMP_PLACES 256 /* that one step looks at */

bool command_is_datapath(const char *word)
{
    static const char *const names[] = {COMMAND_DATAPATH, "ovs-netdev", "system@ovs-system", "ovs-system"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strcmp(word, names[i]))
            return true;
    return false;
}

bool command_check_datapath(int argc, const char *const *argv, int i, struct control_reply *reply)
{
    if (i >= argc || command_is_datapath(argv[i]))
        return true;
    control_fail(reply, "%s: datapath not found (there is " COMMAND_DATAPATH ")", argv[i]);
    return false;
}

bool command_check_tracker(int argc, const char *const *argv, struct control_reply *reply)
{
    if (argc < 2 || command_is_datapath(argv[1]))
        return true;
    control_fail(reply, "ovs-vswitchd: datapath not found (Invalid argument)");
    return false;
}

uint32_t command_ofport(const struct bridge_port *bp)
{
    return bp->ofport == OFPORT_LOCAL ? CONFIG_OFPORT_LOCAL : bp->ofport;
}

/* --- ports --------------------------------------------------------------- */

static const char *type_of(const struct bridge_port *bp, const struct port_status *st)
{
    if (bp->tunnel)
        return bp->tunnel->type;
    if (!bp->port)
        return bridge_port_ops(bp)->name;
    switch (bp->port->type) {
    case PORT_DPDK:
        return "dpdk";
    case PORT_VHOST_USER:
        return strstr(st->driver, "server") ? "dpdkvhostuser" : "dpdkvhostuserclient";
    case PORT_TAP:
        return bp->kind == BRIDGE_PORT_INTERNAL ? "internal" : "tap";
    case PORT_SYSTEM:
        return "system";
    default:
        return bridge_port_ops(bp)->name;
    }
}

/* "vxlan: key=flow, remote_ip=192.0.2.2" */
static void describe_tunnel(const struct bridge_port *bp, char *text, size_t size)
{
    int n = snprintf(text, size, "%s: ", bp->tunnel->type);

    tunnel_options_text(tunnel_port_config(bp), text + n, size - (size_t)n);
}

/* "dpdk: configured_rx_queues=1, ...": the type, and what a device was given. */
static void describe_port(const struct bridge_port *bp, char *text, size_t size)
{
    struct port_status st = {.numa_node = -1};

    if (bp->port)
        bp->port->ops->get_status(bp->port, &st);
    if (bp->port && bp->port->type != PORT_TAP && bp->port->type != PORT_SYSTEM)
        snprintf(text, size, "%s: configured_rx_queues=%u, configured_tx_queues=%u, mtu=%u", type_of(bp, &st),
                 st.rx_queues, st.tx_queues, st.mtu);
    else if (bp->tunnel)
        describe_tunnel(bp, text, size);
    else
        snprintf(text, size, "%s", type_of(bp, &st));
}

static int by_name(const void *a, const void *b)
{
    return strcmp((*(struct bridge_port *const *)a)->name, (*(struct bridge_port *const *)b)->name);
}

static int by_index(const void *a, const void *b)
{
    const struct bridge_port *const *x = a, *const *y = b;

    return (*x)->port->index < (*y)->port->index ? -1 : (*x)->port->index > (*y)->port->index;
}

/* The ports of `br` (NULL: those of all bridges that are in the datapath), in order. malloc'ed. */
static struct bridge_port **sorted_ports(struct sluice *sw, const struct bridge *only, size_t *n)
{
    struct bridge_port **ports = calloc(PORT_MAX + 1, sizeof *ports), *bp;
    size_t room = PORT_MAX + 1;
    struct bridge *br;

    if (!ports)
        out_of_memory("a command", 0);
    *n = 0;
    TAILQ_FOREACH (br, &sw->bridges, node) {
        if (only && br != only)
            continue;
        TAILQ_FOREACH (bp, &br->ports, node) {
            if (!only && !bp->port)
                continue;
            if (*n == room)
                ports = reallocarray(ports, room *= 2, sizeof *ports);
            if (!ports)
                out_of_memory("a command", 0);
            ports[(*n)++] = bp;
        }
    }
    qsort(ports, *n, sizeof *ports, only ? by_name : by_index);
    return ports;
}

void command_lookups(const struct sluice *sw, struct command_lookups *sum)
{
    struct drop_counters drops;
    struct pmd_stats st;

    *sum = (struct command_lookups){0};
    for (unsigned t = 0; t < datapath_n_threads(sw->dp); t++) {
        datapath_pmd_stats(sw->dp, t, &st);
        sum->hit += st.port_program_hits + st.emc_hits + st.tss_hits;
        sum->missed += st.misses;
    }
    datapath_drops(sw->dp, &drops);
    sum->lost = drops.packets[DROP_MISS_RING_FULL] + drops.packets[DROP_MISS_PORT_QUOTA] +
                drops.packets[DROP_MISS_PENDING_FULL] + drops.packets[DROP_MISS_PENDING_STALE] +
                drops.packets[DROP_CONTROL_BACKLOG];
}

static void show_bridge(struct sluice *sw, const struct bridge *br, struct control_reply *reply)
{
    size_t n;
    struct bridge_port **ports = sorted_ports(sw, br, &n);
    json_t *list = json_array();

    control_printf(reply, "  %s:\n", br->name);
    for (size_t i = 0; i < n; i++) {
        char index[16] = "none", text[TUNNEL_TEXT_MAX];

        describe_port(ports[i], text, sizeof text);
        if (bridge_port_index(ports[i]))
            snprintf(index, sizeof index, "%" PRIu32, bridge_port_index(ports[i]));
        control_printf(reply, "    %s %" PRIu32 "/%s: (%s)\n", ports[i]->name, command_ofport(ports[i]), index, text);
        json_array_append_new(list, json_pack("{s:s,s:I,s:s,s:s}", "name", ports[i]->name, "ofport",
                                              (json_int_t)command_ofport(ports[i]), "index", index, "type", text));
    }
    free(ports);
    json_object_set_new(json_object_get(reply->json, "bridges"), br->name, list);
}

static void cmd_dpif_show(void *arg, int argc, const char *const *argv, struct control_reply *reply)
{
    struct sluice *sw = arg;
    struct command_lookups sum;
    struct bridge *br;

    command_lookups(sw, &sum);
    control_printf(reply, COMMAND_DATAPATH ": hit:%" PRIu64 " missed:%" PRIu64 "\n", sum.hit, sum.missed);
    reply->json = json_pack("{s:s,s:I,s:I,s:{}}", "datapath", COMMAND_DATAPATH, "hit", (json_int_t)sum.hit, "missed",
                            (json_int_t)sum.missed, "bridges");
    TAILQ_FOREACH (br, &sw->bridges, node)
        show_bridge(sw, br, reply);
}

static void cmd_dump_dps(void *arg, int argc, const char *const *argv, struct control_reply *reply)
{
    control_printf(reply, COMMAND_DATAPATH "\n");
    reply->json = json_pack("[s]", COMMAND_DATAPATH);
}

static void show_port_counters(const struct bridge_port *bp, struct control_reply *reply)
{
    struct bridge_port_stats st;

    bridge_port_stats(bp, &st);
    control_printf(reply,
                   "    RX packets:%" PRIu64 " errors:%" PRIu64 " dropped:%" PRIu64 " overruns:0 frame:0\n"
                   "    TX packets:%" PRIu64 " errors:%" PRIu64 " dropped:%" PRIu64 " aborted:0 carrier:0\n"
                   "    collisions:0\n"
                   "    RX bytes:%" PRIu64 "  TX bytes:%" PRIu64 "\n",
                   st.rx_packets, st.rx_errors, st.rx_dropped, st.tx_packets, st.tx_errors, st.tx_dropped, st.rx_bytes,
                   st.tx_bytes);
}

static void show_datapath(struct sluice *sw, bool statistics, struct control_reply *reply)
{
    size_t n;
    struct bridge_port **ports = sorted_ports(sw, NULL, &n);
    struct command_lookups sum;
    json_t *list = json_array();

    command_lookups(sw, &sum);
    control_printf(reply,
                   COMMAND_DATAPATH ":\n  lookups: hit:%" PRIu64 " missed:%" PRIu64 " lost:%" PRIu64
                                    "\n  flows: %" PRIu32 "\n",
                   sum.hit, sum.missed, sum.lost, datapath_n_megaflows(sw->dp));
    for (size_t i = 0; i < n; i++) {
        char text[128];

        describe_port(ports[i], text, sizeof text);
        control_printf(reply, "  port %" PRIu32 ": %s", ports[i]->port->index, ports[i]->name);
        control_printf(reply, strcmp(text, "system") ? " (%s)\n" : "\n", text);
        if (statistics)
            show_port_counters(ports[i], reply);
        json_array_append_new(list, json_pack("{s:I,s:s,s:s}", "index", (json_int_t)ports[i]->port->index, "name",
                                              ports[i]->name, "type", text));
    }
    free(ports);
    reply->json = json_pack("{s:s,s:I,s:I,s:I,s:I,s:o}", "datapath", COMMAND_DATAPATH, "hit", (json_int_t)sum.hit,
                            "missed", (json_int_t)sum.missed, "lost", (json_int_t)sum.lost, "flows",
                            (json_int_t)datapath_n_megaflows(sw->dp), "ports", list);
}

static void cmd_show(void *arg, int argc, const char *const *argv, struct control_reply *reply)
{
    bool statistics = argc > 1 && (!strcmp(argv[1], "-s") || !strcmp(argv[1], "--statistics"));

    if (command_check_datapath(argc, argv, statistics ? 2 : 1, reply))
        show_datapath(arg, statistics, reply);
}

/* --- what the datapath can do -------------------------------------------- */

#define OP_BIT(type) (UINT64_C(1) << (type))

/* The features that are operations of programs: the datapath can be told to do without. */
static const struct {
    const char *key;
    uint64_t ops;
} optional[] = {
    {"trunc", OP_BIT(OP_TRUNCATE)},
    {"clone", OP_BIT(OP_CLONE)},
    {"ct_clear", OP_BIT(OP_CT_CLEAR)},
    {"check_pkt_len", OP_BIT(OP_RECIRC_LARGER)},
    {"explicit_drop_action", OP_BIT(OP_DROP)},
    {"add_mpls", OP_BIT(OP_PUSH_MPLS) | OP_BIT(OP_POP_MPLS)},
    {"recirc", OP_BIT(OP_RECIRC)},
};

/* 0: it is always there, or never. */
static uint64_t feature_ops(const struct feature *f)
{
    for (size_t i = 0; i < sizeof optional / sizeof *optional; i++)
        if (!strcmp(optional[i].key, f->key))
            return optional[i].ops;
    return 0;
}

static bool feature_is_off(const struct sluice *sw, const struct feature *f)
{
    return (flows_slow_ops(sw->flows) & feature_ops(f)) != 0;
}

static void cmd_features(void *arg, int argc, const char *const *argv, struct control_reply *reply)
{
    if (!command_bridge(arg, argc, argv, 1, reply))
        return;
    reply->json = json_object();
    for (size_t i = 0; i < n_features; i++) {
        const char *value = feature_is_off(arg, &features[i]) ? "No" : features[i].value;

        if (!features[i].text)
            continue;
        control_printf(reply, "%s: %s\n", features[i].text, value);
        json_object_set_new(reply->json, features[i].text, json_string(value));
    }
}

/* Megaflows that have the operations go at once. */
static void set_feature(struct sluice *sw, const struct feature *f, const char *value, struct control_reply *reply)
{
    uint64_t ops = feature_ops(f), slow = flows_slow_ops(sw->flows);
    bool off = !strcmp(value, "false");

    if (!ops && strcmp(value, feature_capability(f)))
        control_fail(reply, "%s: stays %s: the datapath is not made to be without it, or with more", f->key,
                     feature_capability(f));
    else if (ops && !off && strcmp(value, "true"))
        control_fail(reply, "%s: not true or false: %s", f->key, value);
    if (!ops || reply->failed)
        return;
    flows_set_slow_ops(sw->flows, off ? slow | ops : slow & ~ops);
    command_purge(sw, reply);
}

static void cmd_set_features(void *arg, int argc, const char *const *argv, struct control_reply *reply)
{
    bool known = false;

    if (!command_bridge(arg, argc, argv, 1, reply))
        return;
    for (size_t i = 0; i < n_features; i++) {
        const struct feature *f = &features[i];

        if (argc > 2 ? strcmp(argv[2], f->key) != 0 : !f->text)
            continue;
        known = true;
        if (argc > 3)
            set_feature(arg, f, argv[3], reply);
        else
            control_printf(reply, "%s (%s) : [run time]:%s, [boot time]:%s\n", f->key, f->text ? f->text : f->key,
                           feature_is_off(arg, f) ? "false" : feature_capability(f), feature_capability(f));
    }
    if (!known)
        control_fail(reply, "%s: no feature of the datapath: without a name, they are listed", argv[2]);
}

/* --- megaflows ----------------------------------------------------------- */

/* A dump under way. */
struct dump {
    struct sluice *sw;
    const char *command;        /* only while its words are taken */
    char bridge[PORT_NAME_MAX]; /* "": all */
    bool names, more;           /* ports by name; all that is known of a megaflow */
    bool filtered, none;        /* by `filter`; all of them */
    struct match filter;
    uint32_t position;
};

/* A number is valid until the next call. */
static const char *port_by_index(void *arg, uint32_t index)
{
    static char number[16];
    const struct dump *dump = arg;
    struct bridge_port *bp = dump->names ? bridge_port_by_index(dump->sw->dp, index) : NULL;

    snprintf(number, sizeof number, "%" PRIu32, index);
    return bp ? bp->name : number;
}

/* As Open vSwitch prints a flow's unique id. Ids of megaflows are given out again: the time makes it one. */
static void format_ufid(const struct megaflow_info *info, char *text, size_t size)
{
    snprintf(text, size, "%08" PRIx32 "-0000-0000-%04x-%012" PRIx64, megaflow_id(info->mf),
             (unsigned)(info->created_ms >> 48), info->created_ms & 0xffffffffffff);
}

static double used_s(const struct megaflow_info *info, uint64_t now)
{
    return !info->stats.used_ms ? -1 : now > info->stats.used_ms ? (double)(now - info->stats.used_ms) / 1000 : 0;
}

static void dump_text(const struct dump *dump, const struct megaflow_info *info, const char *match, const char *actions,
                      struct control_reply *reply)
{
    char ufid[64];

    format_ufid(info, ufid, sizeof ufid);
    if (dump->more)
        control_printf(reply, "ufid:%s, ", ufid);
    control_printf(reply, "%s, packets:%" PRIu64 ", bytes:%" PRIu64 ", used:", match, info->stats.packets,
                   info->stats.bytes);
    if (info->stats.used_ms)
        control_printf(reply, "%.3fs", used_s(info, clock_now_ms()));
    else
        control_printf(reply, "never");
    control_printf(reply, "%s, actions:%s\n", dump->more ? ", dp:ovs" : "", actions);
}

static json_t *dump_json(const struct megaflow_info *info, const char *match, const char *actions)
{
    uint64_t now = clock_now_ms();
    char ufid[64];

    format_ufid(info, ufid, sizeof ufid);
    return json_pack("{s:s,s:s,s:s,s:I,s:I,s:f,s:s,s:f}", "ufid", ufid, "bridge",
                     info->bridge ? info->bridge->name : "", "match", match, "packets", (json_int_t)info->stats.packets,
                     "bytes", (json_int_t)info->stats.bytes, "used_s", used_s(info, now), "actions", actions, "age_s",
                     (double)(now - info->created_ms) / 1000);
}

/* Whether packets of the megaflow may be of the filter, as far as the megaflow looks at them. */
static bool passes(const struct dump *dump, const struct flow_key *key, const struct flow_key *mask)
{
    struct match megaflow;
    const uint8_t *value = (const uint8_t *)&megaflow.value, *wanted = (const uint8_t *)&dump->filter.value;
    const uint8_t *known = (const uint8_t *)&megaflow.mask, *asked = (const uint8_t *)&dump->filter.mask;

    match_init_all(&megaflow);
    megaflow.value.pkt = *key;
    megaflow.mask.pkt = *mask;
    for (size_t i = 0; i < sizeof megaflow.value; i++)
        if ((value[i] ^ wanted[i]) & known[i] & asked[i])
            return false;
    return true;
}

static void dump_megaflow(struct dump *dump, const struct megaflow_info *info, struct control_reply *reply)
{
    struct flow_key copy;
    const struct flow_key *key = megaflow_key(info->mf, &copy), *mask = megaflow_mask(info->mf);
    char actions[4096], *match;

    if (dump->none || (dump->filtered && !passes(dump, key, mask)))
        return;
    match = megaflow_format(key, mask, port_by_index, dump);
    program_format(megaflow_program(info->mf), port_by_index, dump, actions, sizeof actions);
    if (reply->as_json)
        control_element(reply, dump_json(info, match, actions));
    else
        dump_text(dump, info, match, actions, reply);
    free(match);
}

static bool dump_more(void *arg, struct control_reply *reply)
{
    struct dump *dump = arg;
    struct megaflow_info info;
    const struct bridge *br = dump->bridge[0] ? switch_bridge(dump->sw, dump->bridge) : NULL;

    if ((dump->bridge[0] && !br) || !flows_next_megaflow(dump->sw->flows, br, &dump->position, DUMP_PLACES, &info))
        return false;
    if (info.mf)
        dump_megaflow(dump, &info, reply);
    return true;
}

bool command_port_index(void *arg, const char *text, uint32_t *number)
{
    const struct sluice *sw = arg;
    struct bridge *br;
    char *end;

    TAILQ_FOREACH (br, &sw->bridges, node) {
        struct bridge_port *bp = bridge_port_by_name(br, text);
        if (bp && bp->port) {
            *number = bp->port->index;
            return true;
        }
    }
    *number = strtoul(text, &end, 0);
    return end != text && !*end;
}

static bool take_filter(struct dump *dump, const char *text, struct control_reply *reply)
{
    char *error = match_parse(text, &dump->filter, command_port_index, dump->sw);

    if (error) {
        control_fail(reply, "filter: %s", error);
        free(error);
        return false;
    }
    /* The ports that it names are the datapath's. */
    dump->filter.value.pkt.in_port = dump->filter.value.in_port;
    dump->filter.mask.pkt.in_port = dump->filter.mask.in_port;
    dump->filter.mask.in_port = 0;
    dump->filtered = true;
    return true;
}

/* One word of the command; false: `reply` says what is wrong with it. */
static bool take_word(struct dump *dump, const char *word, struct control_reply *reply)
{
    if (!strcmp(word, "-m") || !strcmp(word, "--more")) {
        dump->more = dump->names = true;
    } else if (!strcmp(word, "--names")) {
        dump->names = true;
    } else if (!strcmp(word, "--no-names")) {
        dump->names = false;
    } else if (!strncmp(word, "filter=", 7)) {
        return take_filter(dump, word + 7, reply);
    } else if (!strncmp(word, "type=", 5)) {
        dump->none = !strstr(word, "ovs") && !strstr(word, "all"); /* none is offloaded to hardware */
    } else if (!strncmp(word, "pmd=", 4)) {
        return true; /* all threads have the same */
    } else if (!command_is_datapath(word) && dump->bridge[0] == 0 && switch_bridge(dump->sw, word)) {
        snprintf(dump->bridge, sizeof dump->bridge, "%s", word);
    } else if (!command_is_datapath(word)) {
        control_fail(reply,
                     strcmp(dump->command, "dpif/dump-flows") ? "%s: datapath not found (there is " COMMAND_DATAPATH
                                                                ", and the bridges)"
                                                              : "%s: no such bridge",
                     word);
        return false;
    }
    return true;
}

static void cmd_dump_flows(void *arg, int argc, const char *const *argv, struct control_reply *reply)
{
    struct dump *dump = calloc(1, sizeof *dump);

    if (!dump)
        out_of_memory("a command", 0);
    dump->sw = arg;
    dump->command = argv[0];
    for (int i = 1; i < argc; i++)
        if (!take_word(dump, argv[i], reply)) {
            free(dump);
            return;
        }
    if (!strcmp(dump->command, "dpif/dump-flows") && !dump->bridge[0]) {
        control_fail(reply, "dpif/dump-flows: name a bridge");
        free(dump);
        return;
    }
    reply->stream = (struct control_stream){.more = dump_more, .end = free, .arg = dump};
}

void commands_register_dpctl(struct control *control, struct sluice *sw)
{
    static const char dump[] = "[-m] [--names] [dp|bridge] [filter=..] [type=..] [pmd=..]";

    control_register(control, "dpctl/dump-dps", "", 0, 0, cmd_dump_dps, sw);
    control_register(control, "dpctl/dump-flows", dump, 0, 6, cmd_dump_flows, sw);
    control_register(control, "dpctl/show", "[-s] [dp...]", 0, 2, cmd_show, sw);
    control_register(control, "dpif/dump-dps", "", 0, 0, cmd_dump_dps, sw);
    control_register(control, "dpif/dump-flows", "[-m] [--names | --no-names] bridge", 1, 6, cmd_dump_flows, sw);
    control_register(control, "dpif/set-dp-features", "bridge [feature [value]]", 1, 3, cmd_set_features, sw);
    control_register(control, "dpif/show", "", 0, 0, cmd_dpif_show, sw);
    control_register(control, "dpif/show-dp-features", "bridge", 0, 1, cmd_features, sw);
}
