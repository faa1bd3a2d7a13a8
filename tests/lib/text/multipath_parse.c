/* multipath, bundle and bundle_load from text. */
#include <string.h>
#include <strings.h>

#include "src/match/key_value.h"
#include "tests/lib/text/act_parse_impl.h"

static const char *const fields_names[HASH_N_FIELDS] = {
    [HASH_ETH_SRC] = "eth_src",
    [HASH_SYMMETRIC_L4] = "symmetric_l4",
    [HASH_SYMMETRIC_L3L4] = "symmetric_l3l4",
    [HASH_SYMMETRIC_L3L4_UDP] = "symmetric_l3l4+udp",
    [HASH_NW_SRC] = "nw_src",
    [HASH_NW_DST] = "nw_dst",
    [HASH_SYMMETRIC_L3] = "symmetric_l3",
};
static const char *const multipath_names[MULTIPATH_N] = {"modulo_n", "hash_threshold", "hrw", "iter_hash"};
static const char *const bundle_names[BUNDLE_N] = {"active_backup", "hrw"};

/* The next word up to a comma; "" at the end. */
static char *word(char **text)
{
    char *w = *text += strspn(*text, ", \t"), *end = w + strcspn(w, ", \t");

    *text = *end ? end + 1 : end;
    *end = '\0';
    return w;
}

static bool take_name(char **text, const char *const *names, uint8_t n, uint8_t *to)
{
    const char *w = word(text);

    for (*to = 0; *to < n; ++*to) {
        if (!strcmp(names[*to], w))
            return true;
    }
    return false;
}

static bool take_number(char **text, uint64_t max, uint64_t *to)
{
    return text_to_u64(word(text), max, to);
}

char *multipath_parse(char *text, struct act_buffer *acts)
{
    struct act_multipath *act = act_buffer_add(acts, ACT_MULTIPATH, sizeof *act);
    uint64_t basis, links, arg;

    act->h.form = ACT_FORM_NICIRA;
    if (!take_name(&text, fields_names, HASH_N_FIELDS, &act->fields) || !take_number(&text, UINT16_MAX, &basis) ||
        !take_name(&text, multipath_names, MULTIPATH_N, &act->algorithm) || !take_number(&text, 65536, &links) ||
        links == 0 || !take_number(&text, UINT32_MAX, &arg))
        return text_error("multipath: not fields,basis,algorithm,n_links,arg,dst");
    act->basis = (uint16_t)basis;
    act->max_link = (uint16_t)(links - 1);
    act->arg = (uint32_t)arg;
    return subfield_parse(word(&text), &act->dst);
}

/* "members:1,2" or, as it was called, "slaves:1,2" */
static char *parse_members(char *text, uint32_t *members, uint32_t *n, port_parser *port_by_name, void *arg)
{
    text += strspn(text, ", \t");
    if (strncmp(text, "members:", 8) && strncmp(text, "slaves:", 7))
        return text_error("bundle: %s: not members:port...", text);
    text = strchr(text, ':') + 1;
    for (*n = 0; *text; ++*n) {
        const char *w = word(&text);

        if (*n == BUNDLE_MEMBERS_MAX)
            return text_error("bundle: over %u members", BUNDLE_MEMBERS_MAX);
        if (!strcasecmp(w, "none"))
            members[*n] = OFPORT_ANY;
        else if (!port_parse(w, port_by_name, arg, &members[*n]))
            return text_error("bundle: %s: not a port", w);
    }
    return NULL;
}

char *bundle_parse(char *text, bool load, struct act_buffer *acts, port_parser *port_by_name, void *arg)
{
    uint32_t members[BUNDLE_MEMBERS_MAX];
    struct act_bundle head, *act;
    char *error = NULL;
    uint64_t basis;

    memset(&head, 0, sizeof head);
    if (!take_name(&text, fields_names, HASH_N_FIELDS, &head.fields) || !take_number(&text, UINT16_MAX, &basis) ||
        !take_name(&text, bundle_names, BUNDLE_N, &head.algorithm) || strcmp(word(&text), "ofport"))
        return text_error("bundle: not fields,basis,algorithm,ofport,[dst,]members:port...");
    head.basis = (uint16_t)basis;
    if (load)
        error = subfield_parse(word(&text), &head.dst);
    if (!error)
        error = parse_members(text, members, &head.n_members, port_by_name, arg);
    if (error)
        return error;
    act = act_buffer_add(acts, ACT_BUNDLE, sizeof *act + head.n_members * sizeof members[0]);
    head.h = act->h;
    head.h.form = ACT_FORM_NICIRA;
    *act = head;
    memcpy(act->members, members, head.n_members * sizeof members[0]);
    return NULL;
}
