/* flows, which tells what happened to megaflows, and dpctl/dump-flows, which lists them in slices. Control thread. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "pmd/base/clock.h"
#include "pmd/base/memory.h"
#include "src/control/commands.h"

#define DUMP_PLACES 256 /* that one step looks at */
#define JOBS_SHOWN 256  /* there are some dozen names */

static const char *port_by_index(void *arg, uint32_t index)
{
    const struct sluice *sw = arg;
    struct bridge_port *bp = bridge_port_by_index(sw->dp, index);

    return bp ? bp->name : NULL;
}

/* A dump under way. */
struct dump {
    struct sluice *sw;
    char bridge[PORT_NAME_MAX]; /* "": all */
    uint32_t position;
};

static void dump_text(struct control_reply *reply, const struct megaflow_info *info, const char *match,
                      const char *actions, double used)
{
    control_printf(reply, "%s, packets:%" PRIu64 ", bytes:%" PRIu64 ", used:", match, info->stats.packets,
                   info->stats.bytes);
    if (info->stats.used_ms)
        control_printf(reply, "%.3fs", used);
    else
        control_printf(reply, "never");
    control_printf(reply, ", actions:%s\n", actions);
}

static json_t *dump_json(const struct megaflow_info *info, const char *match, const char *actions, double used,
                         uint64_t now)
{
    return json_pack("{s:s,s:s,s:I,s:I,s:f,s:s,s:f}", "bridge", info->bridge ? info->bridge->name : "", "match", match,
                     "packets", (json_int_t)info->stats.packets, "bytes", (json_int_t)info->stats.bytes, "used_s", used,
                     "actions", actions, "age_s", (now - info->created_ms) / 1000.0);
}

/* One line as dpctl/dump-flows of OVS prints it. */
static void dump_megaflow(struct sluice *sw, const struct megaflow_info *info, struct control_reply *reply)
{
    struct flow_key copy;
    char actions[4096];
    uint64_t now = clock_now_ms();
    char *match = megaflow_format(megaflow_key(info->mf, &copy), megaflow_mask(info->mf), port_by_index, sw);

    program_format(megaflow_program(info->mf), port_by_index, sw, actions, sizeof actions);
    double used = -1;
    if (info->stats.used_ms)
        used = now > info->stats.used_ms ? (now - info->stats.used_ms) / 1000.0 : 0;
    if (reply->as_json)
        control_element(reply, dump_json(info, match, actions, used, now));
    else
        dump_text(reply, info, match, actions, used);
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
        dump_megaflow(dump->sw, &info, reply);
    return true;
}

static void cmd_dump(void *arg, int argc, const char *const *argv, struct control_reply *reply)
{
    struct sluice *sw = arg;
    const struct bridge *br = NULL;

    if (argc > 1 && !(br = command_bridge(sw, argc, argv, 1, reply)))
        return;
    struct dump *dump = calloc(1, sizeof *dump);
    if (!dump)
        out_of_memory("a command", 0);
    dump->sw = sw;
    snprintf(dump->bridge, sizeof dump->bridge, "%s", br ? br->name : "");
    reply->stream = (struct control_stream){.more = dump_more, .end = free, .arg = dump};
}

static int compare_longest(const void *a, const void *b)
{
    const struct loop_account *x = *(const struct loop_account *const *)a, *y = *(const struct loop_account *const *)b;

    return x->longest_us == y->longest_us ? strcmp(x->name, y->name) : x->longest_us < y->longest_us ? 1 : -1;
}

static void put_job(struct control_reply *reply, json_t *jobs, const struct loop_account *account)
{
    uint64_t total_us = tsc_to_us(account->total_tsc);

    control_printf(reply, "  %-20s %12" PRIu64 " %12" PRIu64 " %12" PRIu64 " %12" PRIu64 "\n", account->name,
                   account->longest_us, account->longest_own_us, total_us / 1000, account->runs);
    json_array_append_new(jobs, json_pack("{s:s,s:I,s:I,s:I,s:I}", "name", account->name, "longest_us",
                                          (json_int_t)account->longest_us, "longest_own_us",
                                          (json_int_t)account->longest_own_us, "total_us", (json_int_t)total_us, "runs",
                                          (json_int_t)account->runs));
}

/* What the loop runs, the longest first. */
static void put_jobs(const struct loop *loop, struct control_reply *reply)
{
    const struct loop_account *all[JOBS_SHOWN];
    json_t *jobs = json_array();
    size_t n = 0;

    for (const struct loop_account *account = loop_accounts(loop); account && n < JOBS_SHOWN; account = account->next)
        all[n++] = account;
    qsort(all, n, sizeof *all, compare_longest);
    control_printf(reply, "\n  %-20s %12s %12s %12s %12s\n", "job or timer", "longest us", "on CPU us", "total ms",
                   "runs");
    for (size_t i = 0; i < n; i++)
        put_job(reply, jobs, all[i]);
    json_object_set_new(reply->json, "jobs", jobs);
}

static void cmd_flows(void *arg, int argc, const char *const *argv, struct control_reply *reply)
{
    struct sluice *sw = arg;
    struct flows_stats s;

    if (argc > 1 && !strcmp(argv[1], "clear"))
        loop_clear_longest(sw->loop);
    else if (argc > 1)
        return control_fail(reply, "\"%s\": the only word \"flows\" takes is \"clear\"", argv[1]);
    flows_get_stats(sw->flows, &s);
    const struct loop_account *turns = loop_turns(sw->loop);
    reply->json = json_object();
    const struct {
        const char *name;
        uint64_t value;
        const char *doc;
    } rows[] = {
        {"megaflows", s.n_megaflows, "installed now"},
        {"masks", s.n_masks, "tuples they are in"},
        {"misses", s.misses, "packets that no megaflow matched"},
        {"installed", s.installed, "megaflows installed since start"},
        {"duplicates", s.duplicates, "misses that found their megaflow installed meanwhile"},
        {"punts", s.punts, "packets that a rule sent to the control thread"},
        {"packet_ins", s.packet_ins, "packets given to controllers"},
        {"packet_outs", s.packet_outs, "packets that controllers sent"},
        {"rules_indexed", s.rules_indexed, "added rules whose megaflows an index told, without a sweep"},
        {"revalidated", s.revalidated, "megaflows translated again after a change"},
        {"changed", s.changed, "of those, got another action program"},
        {"deleted_changed", s.deleted_changed, "of those, were removed"},
        {"deleted_idle", s.deleted_idle, "removed because no packet used them"},
        {"evicted", s.evicted, "removed to make room at the limit"},
        {"evict_looked", s.evict_looked, "looked at to make room"},
        {"refused_limit", s.refused_limit, "not installed because of the limit"},
        {"masks_merged", s.masks_merged, "installed under a mask with more bits, to bound the tuples"},
        {"pending_changes", s.pending_changes, "changes not yet worked off"},
        {"translations", s.translations, "runs of the pipeline"},
        {"cycles_a_translation", s.translations ? s.translate_cycles / s.translations : 0, "TSC cycles, mean"},
        {"turns", turns->runs, "turns of the control thread's loop"},
        {"longest_turn_us", turns->longest_us, "longest of them, microseconds"},
        {"longest_turn_own_us", turns->longest_own_us, "longest by the thread's own processor time"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        control_printf(reply, "%-22s %12" PRIu64 "  %s\n", rows[i].name, rows[i].value, rows[i].doc);
        json_object_set_new(reply->json, rows[i].name, json_integer(rows[i].value));
    }
    put_jobs(sw->loop, reply);
}

void commands_register_flows(struct control *control, struct sluice *sw)
{
    control_register(control, "flows", "[clear]", 0, 1, cmd_flows, sw);
    control_register(control, "dpctl/dump-flows", "[bridge]", 0, 1, cmd_dump, sw);
}
