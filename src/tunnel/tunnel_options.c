#include "src/tunnel/tunnel_options.h"

#include <arpa/inet.h>
#include <errno.h>
#include <rte_common.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct type {
    const char *name;
    enum tunnel_type type;
    uint16_t dst_port; /* 0: it has none */
    bool has_csum, has_seq;
    bool carries_l2, carries_l3; /* VXLAN: without GPE */
};

static const struct type types[] = {
    {"vxlan", TUNNEL_VXLAN, 4789, .has_csum = true, .carries_l2 = true},
    {"geneve", TUNNEL_GENEVE, 6081, .has_csum = true, .carries_l2 = true},
    {"gre", TUNNEL_GRE, 0, .has_csum = true, .has_seq = true, .carries_l2 = true, .carries_l3 = true},
    {"ip6gre", TUNNEL_GRE, 0, .has_csum = true, .has_seq = true, .carries_l2 = true},
    {"erspan", TUNNEL_ERSPAN, 0, .carries_l2 = true},
    {"ip6erspan", TUNNEL_ERSPAN, 0, .carries_l2 = true},
    {"gtpu", TUNNEL_GTPU, 2152, .carries_l3 = true},
    {"srv6", TUNNEL_SRV6, 0, .carries_l3 = true},
};

static const struct type *find_type(const char *name)
{
    for (size_t i = 0; i < RTE_DIM(types); i++) {
        if (strcmp(types[i].name, name) == 0)
            return &types[i];
    }
    return NULL;
}

/* What is being parsed. */
struct parse {
    const char *name;
    const struct type *type;
    struct tunnel_config *config;
    int remote_family, local_family; /* 0: not given, or of the flow */
    char *said;
    size_t said_size;
};

/* One more line of what is said. Returns -EINVAL. */
static int say(struct parse *parse, const char *format, ...) __attribute__((format(printf, 2, 3)));

static int say(struct parse *parse, const char *format, ...)
{
    size_t used = strlen(parse->said);
    va_list args;

    if (used + 1 >= parse->said_size)
        return -EINVAL;
    if (used > 0)
        parse->said[used++] = '\n';
    va_start(args, format);
    vsnprintf(parse->said + used, parse->said_size - used, format, args);
    va_end(args);
    return -EINVAL;
}

/* Tells of an option that the type does not have; the port is made without it. */
static int unknown(struct parse *parse, const char *key)
{
    say(parse, "%s: unknown %s argument '%s'", parse->name, parse->type->name, key);
    return 0;
}

/* --- addresses ----------------------------------------------------------- */

/* The family, 0: it is no address. */
static int parse_address(const char *text, struct in6_addr *address)
{
    struct in_addr v4;

    if (inet_pton(AF_INET6, text, address) == 1)
        return AF_INET6;
    if (inet_pton(AF_INET, text, &v4) != 1)
        return 0;
    *address = (struct in6_addr){.s6_addr = {[10] = 0xff, [11] = 0xff}};
    memcpy(&address->s6_addr[12], &v4, sizeof v4);
    return AF_INET;
}

static bool is_multicast(int family, const struct in6_addr *address)
{
    return family == AF_INET ? (address->s6_addr[12] & 0xf0) == 0xe0 : IN6_IS_ADDR_MULTICAST(address);
}

static int take_remote(struct parse *parse, const char *value)
{
    struct in6_addr address;

    if (strcmp(value, "flow") == 0) {
        parse->config->remote_flow = true;
        return 0;
    }
    int family = parse_address(value, &address);
    if (family == 0) {
        say(parse, "%s: bad %s 'remote_ip'", parse->name, parse->type->name);
        return 0;
    }
    if (is_multicast(family, &address))
        return say(parse, "%s: multicast remote_ip=%s not allowed", parse->name, value);
    parse->config->remote = address;
    parse->remote_family = family;
    return 0;
}

static int take_local(struct parse *parse, const char *value)
{
    struct in6_addr address;

    if (strcmp(value, "flow") == 0) {
        parse->config->local_flow = true;
        return 0;
    }
    int family = parse_address(value, &address);
    if (family == 0) {
        say(parse, "%s: bad %s 'local_ip'", parse->name, parse->type->name);
        return 0;
    }
    parse->config->local = address;
    parse->local_family = family;
    return 0;
}

/* --- other options ------------------------------------------------------- */

static int take_tos(struct parse *parse, const char *value)
{
    char *end;
    long tos = strtol(value, &end, 0);

    if (strcmp(value, "inherit") == 0)
        parse->config->tos_inherit = true;
    else if (*value && *end == '\0' && tos == (tos & 0xfc)) /* ECN is always the packet's (RFC 6040) */
        parse->config->tos = (uint8_t)tos;
    else
        say(parse, "%s: invalid TOS %s", parse->name, value);
    return 0;
}

static int take_ttl(struct parse *parse, const char *value)
{
    if (strcmp(value, "inherit") == 0)
        parse->config->ttl_inherit = true;
    else
        parse->config->ttl = (uint8_t)atoi(value);
    return 0;
}

static int take_dst_port(struct parse *parse, const char *value)
{
    int port = atoi(value);

    if (parse->type->dst_port == 0)
        return unknown(parse, "dst_port");
    if (port <= 0 || port > UINT16_MAX)
        return say(parse, "%s: invalid dst_port %s", parse->name, value);
    parse->config->dst_port = (uint16_t)port;
    return 0;
}

static int take_csum(struct parse *parse, const char *value)
{
    if (!parse->type->has_csum)
        return unknown(parse, "csum");
    parse->config->csum = strcmp(value, "true") == 0;
    return 0;
}

static int take_seq(struct parse *parse, const char *value)
{
    if (!parse->type->has_seq)
        return unknown(parse, "seq");
    parse->config->seq = strcmp(value, "true") == 0;
    return 0;
}

static int take_df(struct parse *parse, const char *value)
{
    parse->config->df = strcmp(value, "false") != 0;
    return 0;
}

static int take_too_big(struct parse *parse, const char *value)
{
    parse->config->icmp_too_big = strcmp(value, "true") == 0;
    return 0;
}

static int take_exts(struct parse *parse, const char *value)
{
    size_t len;

    if (parse->type->type != TUNNEL_VXLAN)
        return unknown(parse, "exts");
    for (; *value; value += len) {
        value += *value == ',';
        len = strcspn(value, ",");
        if (len == 3 && strncmp(value, "gbp", len) == 0)
            parse->config->gbp = true;
        else if (len == 3 && strncmp(value, "gpe", len) == 0)
            parse->config->gpe = true;
        else if (len > 0)
            say(parse, "%s: unknown extension '%.*s'", parse->name, (int)len, value);
    }
    return 0;
}

static int take_mark(struct parse *parse, const char *value)
{
    parse->config->egress_mark = (uint32_t)strtoul(value, NULL, 10);
    parse->config->has_egress_mark = true;
    return 0;
}

static int take_erspan_idx(struct parse *parse, const char *value)
{
    long idx = strtol(value, NULL, 16);

    if (strcmp(value, "flow") == 0) {
        parse->config->erspan_idx_flow = true;
        return 0;
    }
    if (idx & ~(long)TUN_ERSPAN_IDX_MASK)
        return say(parse, "%s: invalid erspan index: %s", parse->name, value);
    parse->config->erspan_idx = (uint32_t)idx;
    return 0;
}

static int take_erspan_ver(struct parse *parse, const char *value)
{
    struct tunnel_config *config = parse->config;
    int ver = atoi(value);

    if (strcmp(value, "flow") == 0) {
        config->erspan_ver_flow = config->erspan_idx_flow = config->erspan_dir_flow = config->erspan_hwid_flow = true;
        return 0;
    }
    if (ver != 1 && ver != 2)
        return say(parse, "%s: invalid erspan version: %s", parse->name, value);
    config->erspan_ver = (uint8_t)ver;
    return 0;
}

static int take_erspan_dir(struct parse *parse, const char *value)
{
    int dir = atoi(value);

    if (strcmp(value, "flow") == 0) {
        parse->config->erspan_dir_flow = true;
        return 0;
    }
    if (dir != 0 && dir != 1)
        return say(parse, "%s: invalid erspan direction: %s", parse->name, value);
    parse->config->erspan_dir = (uint8_t)dir;
    return 0;
}

static int take_erspan_hwid(struct parse *parse, const char *value)
{
    long hwid = strtol(value, NULL, 16);

    if (strcmp(value, "flow") == 0) {
        parse->config->erspan_hwid_flow = true;
        return 0;
    }
    if (hwid & ~0x3fL)
        return say(parse, "%s: invalid erspan hardware ID: %s", parse->name, value);
    parse->config->erspan_hwid = (uint8_t)hwid;
    return 0;
}

/* A list that is not right makes no port: what is sent by a part of it would go another way. */
static int take_segments(struct parse *parse, const char *value)
{
    struct tunnel_config *config = parse->config;
    char text[INET6_ADDRSTRLEN];
    const char *at = value;

    if (parse->type->type != TUNNEL_SRV6)
        return unknown(parse, "srv6_segs");
    for (config->n_segments = 0; *at; at += strspn(at, ",")) {
        const int len = (int)strcspn(at, ",");

        if (config->n_segments == TUNNEL_SEGMENTS_MAX)
            return say(parse, "%s: bad srv6 'srv6_segs': more than %d segments", parse->name, TUNNEL_SEGMENTS_MAX);
        snprintf(text, sizeof text, "%.*s", len, at);
        if (len >= INET6_ADDRSTRLEN || inet_pton(AF_INET6, text, &config->segments[config->n_segments]) != 1)
            return say(parse, "%s: bad srv6 'srv6_segs': %.*s is no IPv6 address", parse->name, len, at);
        config->n_segments++;
        at += len;
    }
    return 0;
}

/* Whatever is not known is `copy`, as in Open vSwitch, which does not tell. */
static int take_label(struct parse *parse, const char *value)
{
    if (parse->type->type != TUNNEL_SRV6)
        return unknown(parse, "srv6_flowlabel");
    if (strcmp(value, "zero") == 0)
        parse->config->label = TUNNEL_LABEL_ZERO;
    else if (strcmp(value, "compute") == 0)
        parse->config->label = TUNNEL_LABEL_HASH;
    else if (strcmp(value, "copy") != 0)
        say(parse, "%s: unknown srv6_flowlabel '%s'", parse->name, value);
    return 0;
}

/* Keys and the type of payload are looked at when all others are known; the last ones are for ovs-monitor-ipsec. */
static int take_nothing(struct parse *parse, const char *value)
{
    return 0;
}

static const struct {
    const char *key;
    int (*take)(struct parse *parse, const char *value);
} options_known[] = {
    {"remote_ip", take_remote},
    {"local_ip", take_local},
    {"tos", take_tos},
    {"ttl", take_ttl},
    {"dst_port", take_dst_port},
    {"csum", take_csum},
    {"seq", take_seq},
    {"df_default", take_df},
    {"exts", take_exts},
    {"egress_pkt_mark", take_mark},
    {"erspan_idx", take_erspan_idx},
    {"erspan_ver", take_erspan_ver},
    {"erspan_dir", take_erspan_dir},
    {"erspan_hwid", take_erspan_hwid},
    {"icmp_too_big", take_too_big},
    {"srv6_segs", take_segments},
    {"srv6_flowlabel", take_label},
    {"key", take_nothing},
    {"in_key", take_nothing},
    {"out_key", take_nothing},
    {"packet_type", take_nothing},
    {"psk", take_nothing},
    {"remote_cert", take_nothing},
    {"remote_name", take_nothing},
};

static int take_option(struct parse *parse, const struct tunnel_option_text *option)
{
    for (size_t i = 0; i < RTE_DIM(options_known); i++) {
        if (strcmp(options_known[i].key, option->key) == 0)
            return options_known[i].take(parse, option->value);
    }
    return unknown(parse, option->key);
}

/* --- what several options decide ----------------------------------------- */

static const char *value_of(const struct tunnel_option_text *options, size_t n, const char *key)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(options[i].key, key) == 0)
            return options[i].value;
    }
    return NULL;
}

static int take_payload(struct parse *parse, const char *value)
{
    const struct type *type = parse->type;
    bool gpe = parse->config->gpe;
    const char *full = type->type != TUNNEL_VXLAN ? type->name : gpe ? "VXLAN-GPE" : "VXLAN (without GPE)";
    bool l3 = type->carries_l3 || gpe;

    parse->config->payload = type->carries_l2 ? TUNNEL_L2 : TUNNEL_L3;
    if (!value)
        return 0;
    if (strcmp(value, "legacy_l2") == 0) {
        parse->config->payload = TUNNEL_L2;
        return type->carries_l2 ? 0
                                : say(parse, "%s: legacy_l2 configured on %s tunnel that cannot carry L2 traffic",
                                      parse->name, full);
    }
    if (strcmp(value, "legacy_l3") == 0) {
        parse->config->payload = TUNNEL_L3;
        return l3 ? 0
                  : say(parse, "%s: legacy_l3 configured on %s tunnel that cannot carry L3 traffic", parse->name, full);
    }
    if (strcmp(value, "ptap") == 0) {
        parse->config->payload = TUNNEL_ANY;
        return 0;
    }
    return say(parse, "%s: unknown packet_type '%s'", parse->name, value);
}

static int check_addresses(struct parse *parse)
{
    const struct tunnel_config *config = parse->config;

    if (IN6_IS_ADDR_UNSPECIFIED(&config->remote) && !config->remote_flow)
        return say(parse, "%s: %s type requires valid 'remote_ip' argument", parse->name, parse->type->name);
    if (config->local_flow && !config->remote_flow)
        return say(parse, "%s: %s type requires 'remote_ip=flow' with 'local_ip=flow'", parse->name, parse->type->name);
    if (parse->local_family && parse->remote_family && parse->local_family != parse->remote_family)
        return say(parse, "%s: 'remote_ip' and 'local_ip' has to be of the same address family", parse->name);
    return 0;
}

/* Open vSwitch makes such ports, and drops what is sent to them. */
static int check_segments(struct parse *parse)
{
    const struct tunnel_config *config = parse->config;

    if (config->type != TUNNEL_SRV6)
        return 0;
    if (parse->remote_family == AF_INET || parse->local_family == AF_INET)
        return say(parse, "%s: srv6 type requires IPv6 addresses", parse->name);
    if (config->n_segments > 0 && !config->remote_flow && !IN6_ARE_ADDR_EQUAL(&config->segments[0], &config->remote))
        return say(parse, "%s: the first of 'srv6_segs' has to be 'remote_ip'", parse->name);
    return 0;
}

static rte_be64_t take_key(const char *value, bool *given, bool *flow)
{
    *given = value != NULL;
    *flow = value && strcmp(value, "flow") == 0;
    return *given && !*flow ? rte_cpu_to_be_64(strtoull(value, NULL, 0)) : 0;
}

static void take_keys(struct parse *parse, const struct tunnel_option_text *options, size_t n)
{
    const char *both = value_of(options, n, "key"), *in = value_of(options, n, "in_key"),
               *out = value_of(options, n, "out_key");
    struct tunnel_config *config = parse->config;

    config->in_key = take_key(in ? in : both, &config->in_key_given, &config->in_key_flow);
    config->out_key = take_key(out ? out : both, &config->out_key_given, &config->out_key_flow);
}

int tunnel_options_parse(const char *name, const char *type, const struct tunnel_option_text *options, size_t n,
                         struct tunnel_config *config, char *said, size_t said_size)
{
    struct parse parse = {
        .name = name, .type = find_type(type), .config = config, .said = said, .said_size = said_size};
    int rc = 0;

    said[0] = '\0';
    memset(config, 0, sizeof *config); /* it is compared as a whole */
    config->type_name = parse.type->name;
    config->type = parse.type->type;
    config->dst_port = parse.type->dst_port;
    config->df = true;
    config->erspan_ver = 1;
    for (size_t i = 0; i < n && rc == 0; i++)
        rc = take_option(&parse, &options[i]);
    if (rc == 0)
        rc = take_payload(&parse, value_of(options, n, "packet_type"));
    if (rc == 0)
        rc = check_addresses(&parse);
    if (rc == 0)
        rc = check_segments(&parse);
    if (rc)
        return rc;
    if (config->ttl == 0)
        config->ttl = TUNNEL_DEFAULT_TTL;
    take_keys(&parse, options, n);
    return 0;
}
