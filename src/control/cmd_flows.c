/* flows: what happened to megaflows, and to the turns of the control thread. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "src/control/commands.h"

#define JOBS_SHOWN 256 /* there are some dozen names */

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

/* Lists what the loop runs, the longest first. */
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
        {"protocol_sent", s.protocol_sent, "packets that protocols of the switch sent (BFD)"},
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
}
