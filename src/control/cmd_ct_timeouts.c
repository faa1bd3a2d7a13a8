/* dpctl/ct-*-default-timeout-policy, when connections time out that are in a zone without a policy; and
 * dpctl/ct-*-sweep-interval, when what they took is free again. Control thread. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "pmd/base/memory.h"
#include "src/control/commands.h"
#include "src/match/key_value.h"

static const char *const names[CT_N_TIMEOUTS] = {
#define X(symbol, name, seconds, doc) [symbol] = name,
    CT_TIMEOUTS(X)
#undef X
};

static struct ct *tracker(void *arg)
{
    return datapath_ct(((struct sluice *)arg)->dp);
}

/* --- timeouts ------------------------------------------------------------ */

static void cmd_get_policy(void *arg, int argc, const char *const *argv, struct control_reply *reply)
{
    uint32_t seconds[CT_N_TIMEOUTS];

    if (!command_check_tracker(argc, argv, reply))
        return;
    ct_default_timeouts(tracker(arg), seconds);
    reply->json = json_object();
    for (unsigned i = 0; i < CT_N_TIMEOUTS; i++) {
        control_printf(reply, "%s%s=%" PRIu32, i == 0 ? "" : ",", names[i], seconds[i]);
        json_object_set_new(reply->json, names[i], json_integer((json_int_t)seconds[i]));
    }
    control_printf(reply, "\n");
}

static bool timeout_parse(const char *name, const char *value, uint32_t seconds[CT_N_TIMEOUTS],
                          struct control_reply *reply)
{
    uint64_t n;

    for (unsigned i = 0; i < CT_N_TIMEOUTS; i++) {
        if (strcmp(name, names[i]))
            continue;
        if (!text_to_u64(value, CT_TIMEOUT_MAX, &n) || n == 0) {
            control_fail(reply, "%s: not a number of seconds from 1 to %u", name, CT_TIMEOUT_MAX);
            return false;
        }
        seconds[i] = (uint32_t)n;
        return true;
    }
    control_fail(reply, "%s: no timeout; dpctl/ct-get-default-timeout-policy shows which there are", name);
    return false;
}

/* "udp_first=10,udp_single=5": those that are not named stay. */
static bool policy_parse(const char *word, uint32_t seconds[CT_N_TIMEOUTS], struct control_reply *reply)
{
    char *copy = strdup(word), *rest = copy, *key, *value;
    bool good = true;

    if (!copy)
        out_of_memory("a command", 0);
    while (good && key_value_next(&rest, &key, &value))
        good = timeout_parse(key, value, seconds, reply);
    free(copy);
    return good;
}

static void cmd_set_policy(void *arg, int argc, const char *const *argv, struct control_reply *reply)
{
    uint32_t seconds[CT_N_TIMEOUTS];
    int i = 1;

    if (!strchr(argv[1], '=')) {
        if (!command_check_tracker(argc, argv, reply))
            return;
        i++;
    }
    ct_default_timeouts(tracker(arg), seconds);
    for (; i < argc; i++) {
        if (!policy_parse(argv[i], seconds, reply))
            return;
    }
    ct_set_default_timeouts(tracker(arg), seconds);
}

/* --- the sweep ----------------------------------------------------------- */

static void cmd_set_sweep(void *arg, int argc, const char *const *argv, struct control_reply *reply)
{
    uint64_t ms;

    if (!command_check_tracker(argc - 1, argv, reply))
        return;
    if (!text_to_u64(argv[argc - 1], UINT32_MAX, &ms)) {
        control_fail(reply, "ovs-vswitchd: invalid sweep interval value (Invalid argument)");
        return;
    }
    ct_set_sweep_interval(tracker(arg), (uint32_t)ms);
    control_printf(reply, "setting sweep interval successful\n");
}

static void cmd_get_sweep(void *arg, int argc, const char *const *argv, struct control_reply *reply)
{
    if (command_check_tracker(argc, argv, reply))
        control_printf(reply, "%" PRIu32 "\n", ct_sweep_interval(tracker(arg)));
}

void commands_register_ct_timeouts(struct control *control, struct sluice *sw)
{
    control_register(control, "dpctl/ct-get-default-timeout-policy", "[dp]", 0, 1, cmd_get_policy, sw);
    control_register(control, "dpctl/ct-set-default-timeout-policy", "[dp] name=seconds[,name=seconds]...", 1,
                     1 + CT_N_TIMEOUTS, cmd_set_policy, sw);
    control_register(control, "dpctl/ct-get-sweep-interval", "[dp]", 0, 1, cmd_get_sweep, sw);
    control_register(control, "dpctl/ct-set-sweep-interval", "[dp] ms", 1, 2, cmd_set_sweep, sw);
}
