/* Actions from text, in the syntax of ovs-actions(7): a table of names, with a parser for each form of argument. */
#include <arpa/inet.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "pmd/base/memory.h"
#include "src/match/field_text.h"
#include "src/match/key_value.h"
#include "tests/lib/text/act_parse_impl.h"

struct parse {
    struct act_buffer *acts;
    port_parser *port_by_name;
    void *arg;
    unsigned depth; /* of lists in actions */
    char *behind;   /* what follows the action's parentheses: "->field" */
};

static char *parse_list(struct parse *p, const char *text);

typedef char *action_parser(struct parse *p, char *value);

static char *bad(const char *value, const char *what)
{
    return text_error("%s: not %s", value, what);
}

static char *add_u32(struct parse *p, const char *value, uint32_t max, enum act_type type, enum act_form form)
{
    struct act_u32 *act;
    uint64_t n;

    if (!text_to_u64(value, max, &n))
        return text_error("%s: not a number up to %" PRIu32, value, max);
    act = act_buffer_add(p->acts, type, sizeof *act);
    act->h.form = form;
    act->value = (uint32_t)n;
    return NULL;
}

static struct act *add_plain(struct parse *p, enum act_type type)
{
    return act_buffer_add(p->acts, type, sizeof(struct act));
}

static void add_output(struct parse *p, uint32_t port, uint16_t max_len)
{
    struct act_output *act = act_buffer_add(p->acts, ACT_OUTPUT, sizeof *act);

    act->port = port;
    act->max_len = max_len;
}

/* "output(port=2,max_len=100)" */
static char *parse_output_trunc(struct parse *p, char *value)
{
    struct act_output_trunc *act = act_buffer_add(p->acts, ACT_OUTPUT_TRUNC, sizeof *act);
    char *key, *v;
    uint64_t n;

    act->h.form = ACT_FORM_NICIRA;
    while (key_value_next(&value, &key, &v)) {
        if (!strcmp(key, "max_len") && text_to_u64(v, UINT32_MAX, &n))
            act->max_len = (uint32_t)n;
        else if (strcmp(key, "port") || !port_parse(v, p->port_by_name, p->arg, &act->port))
            return bad(key, "port=port or max_len=bytes");
    }
    return NULL;
}

static char *parse_output(struct parse *p, char *value)
{
    struct act_output_reg *act;
    uint32_t port;
    char *error;

    if (!strncmp(value, "port=", 5))
        return parse_output_trunc(p, value);
    if (!strchr(value, '[')) {
        if (!port_parse(value, p->port_by_name, p->arg, &port))
            return bad(value, "a port");
        add_output(p, port, port == OFPORT_CONTROLLER ? UINT16_MAX : 0);
        return NULL;
    }
    act = act_buffer_add(p->acts, ACT_OUTPUT_REG, sizeof *act);
    act->h.form = ACT_FORM_NICIRA;
    act->max_len = UINT16_MAX;
    error = subfield_parse(value, &act->src);
    return error;
}

static char *parse_userdata(const char *value, uint8_t *data, uint16_t *len)
{
    for (*len = 0; *value; value += 2 + (value[2] == '.')) {
        unsigned byte;

        if (*len == 64 || sscanf(value, "%2x", &byte) != 1 || !value[1])
            return bad(value, "hex digits");
        data[(*len)++] = (uint8_t)byte;
    }
    return NULL;
}

static char *parse_controller(struct parse *p, char *value)
{
    static const char *const reasons[] = {"no_match", "action", "invalid_ttl", "action_set", "group", "packet_out"};
    struct act_controller head = {.max_len = UINT16_MAX, .reason = 1}, *act;
    uint8_t data[64];
    uint64_t n;
    char *key, *v, *error = NULL;

    if (text_to_u64(value, UINT16_MAX, &n) || !*value) {
        add_output(p, OFPORT_CONTROLLER, *value ? (uint16_t)n : UINT16_MAX);
        return NULL;
    }
    while (!error && key_value_next(&value, &key, &v)) {
        if (!strcmp(key, "max_len") && text_to_u64(v, UINT16_MAX, &n)) {
            head.max_len = (uint16_t)n;
        } else if (!strcmp(key, "id") && text_to_u64(v, UINT16_MAX, &n)) {
            head.controller_id = (uint16_t)n;
        } else if (!strcmp(key, "userdata")) {
            error = parse_userdata(v, data, &head.userdata_len);
        } else if (!strcmp(key, "pause")) {
            head.pause = 1;
        } else if (!strcmp(key, "meter_id") && text_to_u64(v, UINT32_MAX, &n)) {
            head.meter_id = (uint32_t)n;
        } else if (!strcmp(key, "reason")) {
            for (head.reason = 0; head.reason < 6 && strcmp(v, reasons[head.reason]); head.reason++)
                ;
            if (head.reason == 6)
                error = bad(v, "a reason");
        } else {
            error = text_error("controller: bad key or value \"%s\"", key);
        }
    }
    if (error)
        return error;
    act = act_buffer_add(p->acts, ACT_CONTROLLER, sizeof *act + head.userdata_len);
    head.h = act->h;
    *act = head;
    act->h.form = ACT_FORM_NICIRA;
    memcpy(act->userdata, data, head.userdata_len);
    return NULL;
}

static char *parse_enqueue(struct parse *p, char *value)
{
    char *queue = value + strcspn(value, ":,");
    struct act_enqueue *act;
    uint32_t port;
    uint64_t n;

    if (!*queue)
        return bad(value, "port:queue");
    *queue++ = '\0';
    if (!port_parse(value, p->port_by_name, p->arg, &port) || !text_to_u64(queue, UINT32_MAX, &n))
        return bad(value, "port:queue");
    act = act_buffer_add(p->acts, ACT_ENQUEUE, sizeof *act);
    act->port = port;
    act->queue = (uint32_t)n;
    return NULL;
}

static char *add_set_field(struct parse *p, const struct field *f, const char *value, enum act_form form)
{
    struct act_set_field *act = act_buffer_add(p->acts, ACT_SET_FIELD, sizeof *act);

    act->h.form = form;
    act->field = f;
    if (!f->writable && !(f->retypes && form == ACT_FORM_STANDARD))
        return text_error("%s is read-only", f->name);
    return field_value_parse(f, value, p->port_by_name, p->arg, &act->value, &act->mask);
}

static char *parse_set_field(struct parse *p, char *value)
{
    char *arrow = strstr(value, "->");
    const struct field *f = arrow ? field_by_name(arrow + 2) : NULL;

    if (!f)
        return bad(value, "value->field");
    *arrow = '\0';
    return add_set_field(p, f, value, ACT_FORM_STANDARD);
}

static char *parse_load(struct parse *p, char *value)
{
    char *arrow = strstr(value, "->"), *error;
    struct act_set_field *act;
    struct subfield sf;
    unsigned __int128 v, m;
    uint64_t n;

    if (!arrow)
        return bad(value, "value->subfield");
    *arrow = '\0';
    error = subfield_parse(arrow + 2, &sf);
    if (error)
        return error;
    if (!sf.field->writable)
        return text_error("%s is read-only", sf.field->name);
    if (!text_to_u64(value, sf.n_bits >= 64 ? UINT64_MAX : (UINT64_C(1) << sf.n_bits) - 1, &n))
        return text_error("%s: does not fit into %u bits", value, sf.n_bits);
    act = act_buffer_add(p->acts, ACT_SET_FIELD, sizeof *act);
    act->h.form = ACT_FORM_NICIRA;
    act->field = sf.field;
    v = (unsigned __int128)n << sf.ofs;
    m = (sf.n_bits == 128 ? ~(unsigned __int128)0 : ((unsigned __int128)1 << sf.n_bits) - 1) << sf.ofs;
    for (unsigned i = sf.field->n_bytes; i-- > 0; v >>= 8, m >>= 8) {
        act->value.b[i] = (uint8_t)v;
        act->mask.b[i] = (uint8_t)m;
    }
    return NULL;
}

static char *parse_move(struct parse *p, char *value)
{
    struct act_move *act = act_buffer_add(p->acts, ACT_MOVE, sizeof *act);
    char *arrow = strstr(value, "->"), *error;

    act->h.form = ACT_FORM_NICIRA;
    if (!arrow)
        return bad(value, "subfield->subfield");
    *arrow = '\0';
    error = subfield_parse(value, &act->src);
    if (!error)
        error = subfield_parse(arrow + 2, &act->dst);
    if (error)
        return error;
    if (act->src.n_bits != act->dst.n_bits)
        return text_error("move: %u bits into %u", act->src.n_bits, act->dst.n_bits);
    return act->dst.field->writable ? NULL : text_error("%s is read-only", act->dst.field->name);
}

static char *parse_dec_ttl(struct parse *p, char *value)
{
    uint16_t ids[64], n = 0;
    struct act_dec_ttl *act;
    char *key, *v;
    uint64_t id;

    while (key_value_next(&value, &key, &v)) {
        if (n == 64 || !text_to_u64(key, UINT16_MAX, &id))
            return bad(key, "a controller id");
        ids[n++] = (uint16_t)id;
    }
    act = act_buffer_add(p->acts, ACT_DEC_TTL, sizeof *act + n * sizeof ids[0]);
    act->n_ids = n;
    act->with_ids = n > 0;
    act->h.form = n ? ACT_FORM_NICIRA : ACT_FORM_STANDARD;
    memcpy(act->ids, ids, n * sizeof ids[0]);
    return NULL;
}

/* "resubmit:port", "resubmit(port,table)" with either left out, "resubmit(port,table,ct)". */
static char *parse_resubmit(struct parse *p, char *value)
{
    struct act_resubmit *act = act_buffer_add(p->acts, ACT_RESUBMIT, sizeof *act);
    char *table = value + strcspn(value, ",");
    uint64_t n = 255;

    act->h.form = ACT_FORM_NICIRA;
    act->in_port = OFPORT_IN_PORT;
    if (*table) {
        char *ct = table + 1 + strcspn(table + 1, ",");

        *table++ = '\0';
        act->with_ct = *ct != '\0';
        *ct = '\0';
        if (act->with_ct && strcmp(ct + 1, "ct"))
            return bad(ct + 1, "ct");
        if (*table && !text_to_u64(table, 255, &n))
            return bad(table, "a table");
    }
    act->table = (uint8_t)n;
    if (*value && !port_parse(value, p->port_by_name, p->arg, &act->in_port))
        return bad(value, "a port");
    return NULL;
}

static char *parse_note(struct parse *p, char *value)
{
    uint8_t data[64];
    uint16_t len;
    struct act_bytes *act;
    char *error = parse_userdata(value, data, &len);

    if (error)
        return error;
    act = act_buffer_add(p->acts, ACT_NOTE, sizeof *act + 64);
    act->h.form = ACT_FORM_NICIRA;
    memcpy(act->data, data, len);
    while (len < 6 || (len - 6) % 8) /* what fits a NXAST_NOTE */
        act->data[len++] = 0;
    act->n = len;
    return NULL;
}

static char *parse_stack(struct parse *p, char *value, enum act_type type)
{
    struct act_subfield *act = act_buffer_add(p->acts, type, sizeof *act);

    act->h.form = ACT_FORM_NICIRA;
    return subfield_parse(value, &act->sf);
}

static char *parse_push(struct parse *p, char *value)
{
    return parse_stack(p, value, ACT_STACK_PUSH);
}

static char *parse_pop(struct parse *p, char *value)
{
    return parse_stack(p, value, ACT_STACK_POP);
}

static char *parse_encap(struct parse *p, char *value)
{
    return encap_parse(value, p->acts);
}

static char *parse_decap(struct parse *p, char *value)
{
    return decap_parse(value, p->acts);
}

static char *parse_delete_field(struct parse *p, char *value)
{
    struct act_subfield *act;
    char *error = parse_stack(p, value, ACT_DELETE_FIELD);

    if (error)
        return error;
    act = (struct act_subfield *)(p->acts->data + p->acts->len - sizeof *act);
    return act->sf.field->variable ? NULL : text_error("delete_field: %s is always there", act->sf.field->name);
}

static char *parse_fin_timeout(struct parse *p, char *value)
{
    struct act_fin_timeout *act = act_buffer_add(p->acts, ACT_FIN_TIMEOUT, sizeof *act);
    char *key, *v;
    uint64_t n;

    act->h.form = ACT_FORM_NICIRA;
    while (key_value_next(&value, &key, &v)) {
        bool idle = !strcmp(key, "idle_timeout");

        if ((!idle && strcmp(key, "hard_timeout")) || !text_to_u64(v, UINT16_MAX, &n))
            return bad(key, "a timeout");
        if (idle)
            act->idle_s = (uint16_t)n;
        else
            act->hard_s = (uint16_t)n;
    }
    return NULL;
}

/* A list inside an action of its own. */
static char *parse_nested(struct parse *p, char *value, enum act_type type)
{
    struct act_buffer inner;
    struct parse nested = {&inner, p->port_by_name, p->arg, p->depth + 1, NULL};
    struct act_bytes *act;
    char *error;

    if (p->depth == ACT_NESTED_MAX)
        return text_error("over %u lists in one another", ACT_NESTED_MAX);
    act_buffer_init(&inner);
    error = parse_list(&nested, value);
    if (!error) {
        act = act_buffer_add(p->acts, type, sizeof *act + inner.len);
        act->n = (uint32_t)inner.len;
        if (inner.len)
            memcpy(act->data, inner.data, inner.len);
    }
    act_buffer_free(&inner);
    return error;
}

static char *parse_clone(struct parse *p, char *value)
{
    size_t start = p->acts->len;
    char *error = parse_nested(p, value, ACT_CLONE);

    if (!error)
        ((struct act *)(p->acts->data + start))->form = ACT_FORM_NICIRA;
    return error;
}

/* "10.0.0.1-10.0.0.9:1000-2000" or "[fd00::1]-[fd00::9]:80" */
static bool parse_range(char *v, struct act_nat *nat)
{
    char *ports, *to, *max;
    const bool brackets = *v == '[';
    uint64_t n;

    nat->ip_version = brackets || (strchr(v, ':') && strchr(strchr(v, ':') + 1, ':')) ? 6 : 4;
    to = brackets ? strstr(v, "]:") : nat->ip_version == 4 ? strrchr(v, ':') : NULL;
    ports = to ? to + (brackets ? 2 : 1) : NULL;
    if (to)
        *to = '\0';
    max = strchr(v, '-');
    if (max)
        *max++ = '\0';
    for (int i = 0; i < 2; i++) {
        char *address = i == 0 ? v : max;

        if (!address)
            continue;
        address += *address == '[';
        address[strcspn(address, "]")] = '\0';
        if (inet_pton(nat->ip_version == 6 ? AF_INET6 : AF_INET, address,
                      i == 0 ? nat->min_address : nat->max_address) != 1)
            return false;
    }
    if (!ports)
        return true;
    max = strchr(ports, '-');
    if (max)
        *max++ = '\0';
    if (!text_to_u64(ports, UINT16_MAX, &n))
        return false;
    nat->min_port = (uint16_t)n;
    if (max && !text_to_u64(max, UINT16_MAX, &n))
        return false;
    nat->max_port = max ? (uint16_t)n : 0;
    return true;
}

static char *parse_nat(struct act_buffer *acts, char *value)
{
    struct act_nat *nat = act_buffer_add_type(acts, ACT_NAT);
    char *key, *v;

    nat->h.form = ACT_FORM_NICIRA;
    while (key_value_next(&value, &key, &v)) {
        if (!strcmp(key, "src") || !strcmp(key, "dst")) {
            nat->flags |= *key == 's' ? NAT_SRC : NAT_DST;
            if (v && *v && !parse_range(v, nat))
                return bad(v, "a range to translate to");
        } else if (!strcmp(key, "persistent")) {
            nat->flags |= NAT_PERSISTENT;
        } else if (!strcmp(key, "hash")) {
            nat->flags |= NAT_HASH;
        } else if (!strcmp(key, "random")) {
            nat->flags |= NAT_RANDOM;
        } else {
            return bad(key, "an argument of nat");
        }
    }
    return NULL;
}

/* "ct(commit,zone=5,table=1,nat(src=10.0.0.1),exec(set_field:1->ct_mark))" */
static char *parse_ct(struct parse *p, char *value)
{
    struct act_ct head = {.table = CT_NO_TABLE}, *act;
    struct act_buffer inner;
    struct parse nested = {&inner, p->port_by_name, p->arg, p->depth + 1, NULL};
    char *key, *v, *error = NULL;
    uint64_t n;

    act_buffer_init(&inner);
    while (!error && key_value_next(&value, &key, &v)) {
        if (!strcmp(key, "commit"))
            head.flags |= CT_COMMIT;
        else if (!strcmp(key, "force"))
            head.flags |= CT_FORCE;
        else if (!strcmp(key, "table") && text_to_u64(v, 254, &n))
            head.table = (uint8_t)n;
        else if (!strcmp(key, "zone") && text_to_u64(v, UINT16_MAX, &n))
            head.zone = (uint16_t)n;
        else if (!strcmp(key, "zone"))
            error = subfield_parse(v, &head.zone_src);
        else if (!strcmp(key, "nat"))
            error = parse_nat(&inner, v);
        else if (!strcmp(key, "exec"))
            error = parse_list(&nested, v);
        else
            error = bad(key, "an argument of ct");
    }
    if (!error) {
        act = act_buffer_add(p->acts, ACT_CT, sizeof *act + inner.len);
        head.h = act->h;
        head.h.form = ACT_FORM_NICIRA;
        head.n = (uint32_t)inner.len;
        *act = head;
        if (inner.len)
            memcpy(act->data, inner.data, inner.len);
    }
    act_buffer_free(&inner);
    return error;
}

static char *parse_sample(struct parse *p, char *value)
{
    struct act_sample *act = act_buffer_add(p->acts, ACT_SAMPLE, sizeof *act);
    char *key, *v;
    uint64_t n;

    act->h.form = ACT_FORM_NICIRA;
    act->port = OFPORT_ANY;
    while (key_value_next(&value, &key, &v)) {
        if (!strcmp(key, "ingress"))
            act->direction = SAMPLE_INGRESS;
        else if (!strcmp(key, "egress"))
            act->direction = SAMPLE_EGRESS;
        else if (!strcmp(key, "sampling_port") && port_parse(v, p->port_by_name, p->arg, &act->port))
            continue;
        else if (!text_to_u64(v, UINT32_MAX, &n))
            return bad(v, "a number");
        else if (!strcmp(key, "probability") && n <= UINT16_MAX)
            act->probability = (uint16_t)n;
        else if (!strcmp(key, "collector_set_id"))
            act->collector_set = (uint32_t)n;
        else if (!strcmp(key, "obs_domain_id"))
            act->obs_domain = (uint32_t)n;
        else if (!strcmp(key, "obs_point_id"))
            act->obs_point = (uint32_t)n;
        else
            return bad(key, "what sample takes");
    }
    return act->probability > 0 ? NULL : text_error("sample: no probability");
}

/* "check_pkt_larger(1500)->reg0[0]" */
static char *parse_check_larger(struct parse *p, char *value)
{
    struct act_check_larger *act = act_buffer_add(p->acts, ACT_CHECK_LARGER, sizeof *act);
    uint64_t n;

    act->h.form = ACT_FORM_NICIRA;
    if (!text_to_u64(value, UINT16_MAX, &n))
        return bad(value, "a length");
    act->len = (uint16_t)n;
    return p->behind ? subfield_parse(p->behind, &act->dst) : text_error("check_pkt_larger: no ->bit");
}

static char *parse_multipath(struct parse *p, char *value)
{
    return multipath_parse(value, p->acts);
}

static char *parse_bundle(struct parse *p, char *value)
{
    return bundle_parse(value, false, p->acts, p->port_by_name, p->arg);
}

static char *parse_bundle_load(struct parse *p, char *value)
{
    return bundle_parse(value, true, p->acts, p->port_by_name, p->arg);
}

static char *parse_learn(struct parse *p, char *value)
{
    return learn_parse(value, p->acts, p->port_by_name, p->arg);
}

/* "conjunction(id,k/n)" */
static char *parse_conjunction(struct parse *p, char *value)
{
    struct act_conjunction *act;
    unsigned long id, k, n;
    char end;

    if (sscanf(value, "%li , %lu / %lu %c", (long *)&id, &k, &n, &end) != 3)
        return bad(value, "id,k/n");
    if (id > UINT32_MAX || n < 2 || n > 64 || k < 1 || k > n)
        return bad(value, "a clause k of n, 2 to 64");
    act = act_buffer_add(p->acts, ACT_CONJUNCTION, sizeof *act);
    act->h.form = ACT_FORM_NICIRA;
    act->id = (uint32_t)id;
    act->clause = (uint8_t)k;
    act->n_clauses = (uint8_t)n;
    return NULL;
}

static char *parse_write_metadata(struct parse *p, char *value)
{
    struct act_metadata *act = act_buffer_add(p->acts, ACT_WRITE_METADATA, sizeof *act);
    const struct field *f = field_by_id(FIELD_METADATA);
    union field_value v, m;
    char *error = field_value_parse(f, value, NULL, NULL, &v, &m);

    memcpy(&act->value, v.b, 8);
    memcpy(&act->mask, m.b, 8);
    return error;
}

static char *parse_set_tunnel(struct parse *p, char *value)
{
    struct act_u64 *act = act_buffer_add(p->acts, ACT_SET_TUNNEL, sizeof *act);

    act->h.form = ACT_FORM_NICIRA;
    return text_to_u64(value, UINT64_MAX, &act->value) ? NULL : bad(value, "a number");
}

static char *parse_write_actions(struct parse *p, char *value)
{
    return parse_nested(p, value, ACT_WRITE_ACTIONS);
}

/* Actions with one number, or none. */
static const struct {
    const char *name;
    enum act_type type;
    uint32_t max; /* 0 = no argument */
    enum act_form form;
} simple[] = {
    {"set_queue", ACT_SET_QUEUE, UINT32_MAX, ACT_FORM_STANDARD},
    {"pop_queue", ACT_POP_QUEUE, 0, ACT_FORM_NICIRA},
    {"group", ACT_GROUP, UINT32_MAX, ACT_FORM_STANDARD},
    {"push_vlan", ACT_PUSH_VLAN, UINT16_MAX, ACT_FORM_STANDARD},
    {"pop_vlan", ACT_POP_VLAN, 0, ACT_FORM_STANDARD},
    {"strip_vlan", ACT_POP_VLAN, 0, ACT_FORM_OF10},
    {"mod_vlan_vid", ACT_SET_VLAN_VID, 4095, ACT_FORM_OF10},
    {"mod_vlan_pcp", ACT_SET_VLAN_PCP, 7, ACT_FORM_OF10},
    {"push_mpls", ACT_PUSH_MPLS, UINT16_MAX, ACT_FORM_STANDARD},
    {"pop_mpls", ACT_POP_MPLS, UINT16_MAX, ACT_FORM_STANDARD},
    {"push_pbb", ACT_PUSH_PBB, UINT16_MAX, ACT_FORM_STANDARD},
    {"pop_pbb", ACT_POP_PBB, 0, ACT_FORM_STANDARD},
    {"set_mpls_ttl", ACT_SET_MPLS_TTL, 255, ACT_FORM_STANDARD},
    {"dec_mpls_ttl", ACT_DEC_MPLS_TTL, 0, ACT_FORM_STANDARD},
    {"mod_nw_ttl", ACT_SET_IP_TTL, 255, ACT_FORM_STANDARD},
    {"copy_ttl_out", ACT_COPY_TTL_OUT, 0, ACT_FORM_STANDARD},
    {"copy_ttl_in", ACT_COPY_TTL_IN, 0, ACT_FORM_STANDARD},
    {"dec_nsh_ttl", ACT_DEC_NSH_TTL, 0, ACT_FORM_NICIRA},
    {"exit", ACT_EXIT, 0, ACT_FORM_NICIRA},
    {"ct_clear", ACT_CT_CLEAR, 0, ACT_FORM_NICIRA},
    {"meter", ACT_METER, UINT32_MAX, ACT_FORM_STANDARD},
    {"clear_actions", ACT_CLEAR_ACTIONS, 0, ACT_FORM_STANDARD},
    {"goto_table", ACT_GOTO_TABLE, 254, ACT_FORM_STANDARD},
};

/* OpenFlow 1.0's set actions, and others that are a set_field. */
static const struct {
    const char *name;
    enum field_id id;
    enum act_form form;
} sets[] = {
    {"mod_dl_src", FIELD_ETH_SRC, ACT_FORM_OF10},
    {"mod_dl_dst", FIELD_ETH_DST, ACT_FORM_OF10},
    {"mod_nw_src", FIELD_IPV4_SRC, ACT_FORM_OF10},
    {"mod_nw_dst", FIELD_IPV4_DST, ACT_FORM_OF10},
    {"mod_nw_tos", FIELD_IP_TOS, ACT_FORM_OF10},
    {"mod_tp_src", FIELD_TCP_SRC, ACT_FORM_OF10},
    {"mod_tp_dst", FIELD_TCP_DST, ACT_FORM_OF10},
    {"mod_nw_ecn", FIELD_IP_ECN, ACT_FORM_STANDARD},
    {"set_mpls_label", FIELD_MPLS_LABEL, ACT_FORM_STANDARD},
    {"set_mpls_tc", FIELD_MPLS_TC, ACT_FORM_STANDARD},
};

static const struct {
    const char *name;
    action_parser *parse;
} others[] = {
    {"output", parse_output},
    {"controller", parse_controller},
    {"enqueue", parse_enqueue},
    {"set_field", parse_set_field},
    {"load", parse_load},
    {"move", parse_move},
    {"dec_ttl", parse_dec_ttl},
    {"resubmit", parse_resubmit},
    {"note", parse_note},
    {"encap", parse_encap},
    {"decap", parse_decap},
    {"delete_field", parse_delete_field},
    {"push", parse_push},
    {"pop", parse_pop},
    {"set_tunnel", parse_set_tunnel},
    {"set_tunnel64", parse_set_tunnel},
    {"fin_timeout", parse_fin_timeout},
    {"conjunction", parse_conjunction},
    {"learn", parse_learn},
    {"clone", parse_clone},
    {"ct", parse_ct},
    {"sample", parse_sample},
    {"check_pkt_larger", parse_check_larger},
    {"multipath", parse_multipath},
    {"bundle", parse_bundle},
    {"bundle_load", parse_bundle_load},
    {"write_metadata", parse_write_metadata},
    {"write_actions", parse_write_actions},
};

static char *parse_action(struct parse *p, const char *key, char *value)
{
    uint32_t port;

    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        if (!strcasecmp(others[i].name, key))
            return others[i].parse(p, value);
    for (size_t i = 0; i < sizeof sets / sizeof sets[0]; i++)
        if (!strcasecmp(sets[i].name, key))
            return add_set_field(p, field_by_id(sets[i].id), value, sets[i].form);
    for (size_t i = 0; i < sizeof simple / sizeof simple[0]; i++) {
        if (strcasecmp(simple[i].name, key))
            continue;
        if (simple[i].max)
            return add_u32(p, value, simple[i].max, simple[i].type, simple[i].form);
        add_plain(p, simple[i].type)->form = simple[i].form;
        return NULL;
    }
    if (!*value && port_parse(key, p->port_by_name, p->arg, &port)) {
        add_output(p, port, 0);
        return NULL;
    }
    return text_error("unknown action %s", key);
}

/* Takes "->field" off `*pos`. */
static char *take_behind(char **pos)
{
    char *start = *pos + 2;

    if (strncmp(*pos, "->", 2))
        return NULL;
    *pos = start + strcspn(start, ", \t\r\n");
    if (**pos)
        *(*pos)++ = '\0';
    return start;
}

static char *parse_list(struct parse *p, const char *text)
{
    char *copy = strdup(text), *pos = copy, *key, *value, *error = NULL;

    if (!copy)
        out_of_memory("rules, groups and meters", 0);
    while (!error && key_value_next(&pos, &key, &value)) {
        p->behind = take_behind(&pos);
        if (strcasecmp(key, "drop"))
            error = parse_action(p, key, value);
    }
    free(copy);
    return error;
}

char *actions_parse(const char *text, struct act_buffer *acts, port_parser *port_by_name, void *arg)
{
    struct parse p = {acts, port_by_name, arg, 0, NULL};

    return parse_list(&p, text);
}
