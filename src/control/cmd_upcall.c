/* revalidator/wait and purge, upcall/show: what keeps megaflows right, by the names of Open vSwitch. What takes long is
 * waited for in slices. Control thread. */
#include <inttypes.h>
#include <stdlib.h>

#include "pmd/base/memory.h"
#include "src/control/commands.h"

#define PURGE_PLACES 64 /* that one step looks at */

/* A command that waits for megaflows. */
struct wait {
    struct flows *flows;
    bool purge;
    uint32_t position; /* where to go on to purge */
    bool begun;
    uint64_t ticket, pass;
};

/* Once everything was removed, if that is asked for: until no packet is forwarded by what was before, and all counters
 * were looked at. */
static bool wait_more(void *arg, struct control_reply *reply)
{
    struct wait *wait = arg;

    if (wait->purge && flows_purge(wait->flows, &wait->position, PURGE_PLACES))
        return true;
    if (!wait->begun) {
        wait->begun = true;
        wait->ticket = flows_ticket(wait->flows);
        wait->pass = flows_count(wait->flows, 0);
    }
    return !flows_settled(wait->flows, wait->ticket) || !flows_counted(wait->flows, wait->pass);
}

static void start_wait(struct sluice *sw, bool purge, struct control_reply *reply)
{
    struct wait *wait = calloc(1, sizeof *wait);

    if (!wait)
        out_of_memory("a command", 0);
    wait->flows = sw->flows;
    wait->purge = purge;
    reply->stream = (struct control_stream){.more = wait_more, .end = free, .arg = wait};
}

static void cmd_wait(void *arg, int argc, const char *const *argv, struct control_reply *reply)
{
    start_wait(arg, false, reply);
}

void command_purge(struct sluice *sw, struct control_reply *reply)
{
    start_wait(sw, true, reply);
}

static void cmd_purge(void *arg, int argc, const char *const *argv, struct control_reply *reply)
{
    command_purge(arg, reply);
}

static void cmd_show(void *arg, int argc, const char *const *argv, struct control_reply *reply)
{
    struct sluice *sw = arg;
    struct flows_stats fs;

    flows_get_stats(sw->flows, &fs);
    control_printf(reply,
                   COMMAND_DATAPATH ":\n"
                                    "  flows         : (current %" PRIu32 ") (avg %" PRIu32 ") (max %" PRIu32
                                    ") (limit %d)\n"
                                    "  dump duration : %" PRIu32 "ms\n"
                                    "  ufid enabled : true\n\n"
                                    "  1: (keys %" PRIu32 ")\n",
                   fs.n_megaflows, fs.n_megaflows_mean, fs.n_megaflows_most, sw->config->pmd.megaflow_limit, fs.pass_ms,
                   fs.n_megaflows);
    reply->json = json_pack("{s:I,s:I,s:I,s:i,s:I}", "current", (json_int_t)fs.n_megaflows, "mean",
                            (json_int_t)fs.n_megaflows_mean, "most", (json_int_t)fs.n_megaflows_most, "limit",
                            sw->config->pmd.megaflow_limit, "pass_ms", (json_int_t)fs.pass_ms);
}

void commands_register_upcall(struct control *control, struct sluice *sw)
{
    control_register(control, "revalidator/purge", "", 0, 0, cmd_purge, sw);
    control_register(control, "revalidator/wait", "", 0, 0, cmd_wait, sw);
    control_register(control, "upcall/show", "", 0, 0, cmd_show, sw);
}
