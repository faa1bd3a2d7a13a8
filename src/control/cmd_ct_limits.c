/* dpctl/ct-set-limits, ct-get-limits, ct-del-limits: how many connections zones may have. Control thread. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "pmd/base/memory.h"
#include "src/control/commands.h"
#include "src/match/key_value.h"

/* To be written to while it is parsed. */
static char *copy_of(const char *word)
{
    char *copy = strdup(word);

    if (!copy)
        out_of_memory("a command", 0);
    return copy;
}

static struct ct *tracker(void *arg)
{
    return datapath_ct(((struct sluice *)arg)->dp);
}

/* "zone=5,limit=10". NULL: both are there and good; else what is not. */
static const char *limit_parse(char *text, uint16_t *zone, uint32_t *limit)
{
    bool has_zone = false, has_limit = false;
    char *key, *value;
    uint64_t n;

    while (key_value_next(&text, &key, &value)) {
        const bool is_zone = !strcmp(key, "zone");

        if (!is_zone && strcmp(key, "limit"))
            return "invalid zone limit field";
        if (!text_to_u64(value, is_zone ? UINT16_MAX : UINT32_MAX, &n))
            return is_zone ? "failed to parse field zone" : "failed to parse field limit";
        if (is_zone)
            *zone = (uint16_t)n;
        else
            *limit = (uint32_t)n;
        has_zone |= is_zone;
        has_limit |= !is_zone;
    }
    return has_zone && has_limit ? NULL : "failed to parse zone limit";
}

/* As Open vSwitch: what the database says is not to be changed behind its back. */
static bool may_change(const struct sluice *sw, struct control_reply *reply)
{
    if (sw->ct_limits_of_database)
        control_fail(reply, "ovs-vswitchd: the zone limits are set via database (Operation not permitted)");
    return !sw->ct_limits_of_database;
}

/* Twice: nothing is set if a word is wrong. */
static bool set_limits(struct ct *ct, int argc, const char *const *argv, int i, bool set, struct control_reply *reply)
{
    uint64_t n;

    if (i < argc && !strncmp(argv[i], "default=", 8)) {
        if (!text_to_u64(argv[i] + 8, UINT32_MAX, &n)) {
            control_fail(reply, "invalid default limit");
            return false;
        }
        if (set)
            ct_set_default_limit(ct, (uint32_t)n);
        i++;
    }
    for (; i < argc; i++) {
        char *word = copy_of(argv[i]);
        uint32_t limit = 0;
        uint16_t zone = 0;
        const char *fault = limit_parse(word, &zone, &limit);

        free(word);
        if (fault) {
            control_fail(reply, "%s", fault);
            return false;
        }
        if (set)
            ct_set_zone_limit(ct, zone, limit);
    }
    return true;
}

static void cmd_set(void *arg, int argc, const char *const *argv, struct control_reply *reply)
{
    const int first = command_is_datapath(argv[1]) ? 2 : 1;

    if (may_change(arg, reply) && set_limits(tracker(arg), argc, argv, first, false, reply))
        set_limits(tracker(arg), argc, argv, first, true, reply);
}

typedef void zone_fn(struct ct *ct, uint16_t zone, struct control_reply *reply);

/* "zone=1,2,3": `fn` for each; nothing if one is wrong. */
static void for_zones(struct ct *ct, const char *word, zone_fn *fn, struct control_reply *reply)
{
    char *copy, *next, *save = NULL;
    uint64_t zone;

    if (strncmp(word, "zone=", 5)) {
        control_fail(reply, "invalid argument %s", word);
        return;
    }
    for (int pass = 0; pass < 2; pass++) {
        copy = copy_of(word + 5);
        for (next = strtok_r(copy, ",", &save); next; next = strtok_r(NULL, ",", &save)) {
            if (!text_to_u64(next, UINT16_MAX, &zone)) {
                control_fail(reply, "invalid zone");
                free(copy);
                return;
            }
            if (pass == 1)
                fn(ct, (uint16_t)zone, reply);
        }
        free(copy);
    }
}

static void put_limit(struct ct *ct, uint16_t zone, struct control_reply *reply)
{
    control_printf(reply, "zone=%u,limit=%" PRIu32 ",count=%" PRIu32 "\n", zone, ct_zone_limit(ct, zone),
                   ct_zone_count(ct, zone));
}

static void unset_limit(struct ct *ct, uint16_t zone, struct control_reply *reply)
{
    ct_unset_zone_limit(ct, zone);
}

static void cmd_del(void *arg, int argc, const char *const *argv, struct control_reply *reply)
{
    int i = argc > 2 && command_is_datapath(argv[1]) ? 2 : 1;
    const bool of_all = !strcmp(argv[i], "default");

    if (!may_change(arg, reply))
        return;
    i += of_all;
    if (i < argc)
        for_zones(tracker(arg), argv[i], unset_limit, reply);
    if (of_all && !reply->failed)
        ct_set_default_limit(tracker(arg), 0);
}

static void cmd_get(void *arg, int argc, const char *const *argv, struct control_reply *reply)
{
    const int first = argc > 1 && command_is_datapath(argv[1]) ? 2 : 1;
    struct ct *ct = tracker(arg);

    control_printf(reply, "default limit=%" PRIu32 "\n", ct_default_limit(ct));
    if (first < argc) {
        for_zones(ct, argv[first], put_limit, reply);
        return;
    }
    for (uint32_t zone = 0; zone < CT_ZONES; zone++) {
        if (ct_zone_has_limit(ct, (uint16_t)zone))
            put_limit(ct, (uint16_t)zone, reply);
    }
}

#define WORDS_MOST 1000

void commands_register_ct_limits(struct control *control, struct sluice *sw)
{
    control_register(control, "dpctl/ct-set-limits", "[dp] [default=L] [zone=N,limit=L]...", 1, WORDS_MOST, cmd_set,
                     sw);
    control_register(control, "dpctl/ct-del-limits", "[dp] [default] [zone=N1[,N2]...]", 1, 3, cmd_del, sw);
    control_register(control, "dpctl/ct-get-limits", "[dp] [zone=N1[,N2]...]", 0, 2, cmd_get, sw);
}
