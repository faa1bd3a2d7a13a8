/* A whole flow_mod from text, as `ovs-ofctl add-flow` takes it: keys of its own, the match, and after "actions=" what
 * act_parse.c reads. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pmd/base/memory.h"
#include "src/actions/act_check.h"
#include "src/match/field.h"
#include "src/match/key_value.h"
#include "tests/lib/flow_text.h"

static bool take_cookie(struct flow_mod *fm, const char *value)
{
    char first[32];
    const char *slash = strchr(value, '/');
    size_t len = slash ? (size_t)(slash - value) : strlen(value);

    if (len >= sizeof first)
        return false;
    memcpy(first, value, len);
    first[len] = '\0';
    if (slash && !text_to_u64(slash + 1, UINT64_MAX, &fm->cookie_mask))
        return false;
    return text_to_u64(first, UINT64_MAX, &fm->cookie);
}

static bool take_u16(const char *value, uint16_t *to)
{
    uint64_t n;

    if (!text_to_u64(value, UINT16_MAX, &n))
        return false;
    *to = (uint16_t)n;
    return true;
}

/* What belongs to the flow_mod and not to its match. Returns false if `key` is neither known nor has a good value. */
static bool take_own(struct flow_mod *fm, const char *key, const char *value)
{
    static const struct {
        const char *name;
        uint16_t flag;
    } flags[] = {{"send_flow_rem", RULE_SEND_FLOW_REM},
                 {"check_overlap", RULE_CHECK_OVERLAP},
                 {"reset_counts", RULE_RESET_COUNTS},
                 {"no_packet_counts", RULE_NO_PKT_COUNTS},
                 {"no_byte_counts", RULE_NO_BYT_COUNTS}};
    uint16_t table = 0;

    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++)
        if (!strcmp(flags[i].name, key)) {
            fm->flags |= flags[i].flag;
            return true;
        }
    if (!strcmp(key, "priority"))
        return take_u16(value, &fm->priority);
    if (!strcmp(key, "idle_timeout"))
        return take_u16(value, &fm->idle_timeout_s);
    if (!strcmp(key, "hard_timeout"))
        return take_u16(value, &fm->hard_timeout_s);
    if (!strcmp(key, "importance"))
        return take_u16(value, &fm->importance);
    if (!strcmp(key, "cookie"))
        return take_cookie(fm, value);
    if (!strcmp(key, "table") && take_u16(value, &table) && table <= TABLE_ALL) {
        fm->table_id = (uint8_t)table;
        return true;
    }
    return false;
}

/* Takes the flow_mod's own keys out of `text` and leaves the match's, in a string of the caller's. */
static char *take_own_keys(struct flow_mod *fm, char *text)
{
    char *rest = NULL, *key, *value;
    FILE *out;
    size_t len;

    out = open_memstream(&rest, &len);
    if (!out)
        out_of_memory("a test's flow", 0);
    while (key_value_next(&text, &key, &value)) {
        if (!take_own(fm, key, value))
            fprintf(out, *value ? "%s=%s," : "%s,", key, value);
    }
    fclose(out);
    return rest;
}

char *flow_mod_parse(const char *text, struct flow_mod *fm, struct act_buffer *acts,
                     bool (*port_by_name)(void *arg, const char *name, uint32_t *ofport), void *arg)
{
    const char *actions = strstr(text, "actions=");
    char *copy = strdup(text), *match, *error;

    if (!copy)
        out_of_memory("a test's flow", 0);
    memset(fm, 0, sizeof *fm);
    fm->priority = 0x8000;
    fm->buffer_id = UINT32_MAX;
    fm->out_port = OFPORT_ANY;
    fm->out_group = OFGROUP_ANY;
    if (actions)
        copy[actions - text] = '\0';
    match = take_own_keys(fm, copy);
    error = match_parse(match, &fm->match, port_by_name, arg);
    free(match);
    free(copy);
    if (!error && actions)
        error = actions_parse(actions + strlen("actions="), acts, port_by_name, arg);
    if (error)
        return error;
    fm->acts = act_buffer_list(acts);
    if (act_list_check(&fm->acts, &fm->match, fm->table_id))
        return text_error("actions do not fit the match");
    return NULL;
}
