#include "src/tunnel/tunnel_text.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "src/tunnel/tunnel_options.h"

/* Text that grows. */
struct out {
    char *text;
    size_t used, size;
};

static void add(struct out *out, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add(struct out *out, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    int n = vsnprintf(out->text + out->used, out->size - out->used, format, args);
    va_end(args);
    out->used = RTE_MIN(out->used + (size_t)n, out->size - 1);
}

/* As add(), as the next of several options. */
#define OPTION(out, ...) (add(out, "%s", (out)->used ? ", " : ""), add(out, __VA_ARGS__))

static void add_address(struct out *out, const struct in6_addr *address)
{
    bool v4 = IN6_IS_ADDR_V4MAPPED(address);
    char text[INET6_ADDRSTRLEN];

    inet_ntop(v4 ? AF_INET : AF_INET6, &address->s6_addr[v4 ? 12 : 0], text, sizeof text);
    add(out, "%s", text);
}

static const char *payload_name(enum tunnel_payload payload)
{
    static const char *const names[] = {[TUNNEL_L2] = "legacy_l2", [TUNNEL_L3] = "legacy_l3", [TUNNEL_ANY] = "ptap"};

    return names[payload];
}

/* --- options ------------------------------------------------------------- */

static void add_ip(struct out *out, const char *key, bool flow, const struct in6_addr *address)
{
    if (!flow && IN6_IS_ADDR_UNSPECIFIED(address))
        return;
    OPTION(out, "%s=", key);
    if (flow)
        add(out, "flow");
    else
        add_address(out, address);
}

static void add_key(struct out *out, const char *key, bool given, bool flow, rte_be64_t value)
{
    if (flow)
        OPTION(out, "%s=flow", key);
    else if (given)
        OPTION(out, "%s=%" PRIu64, key, rte_be_to_cpu_64(value));
}

static bool has_one_key(const struct tunnel_config *config)
{
    return config->in_key_flow == config->out_key_flow && config->in_key_given == config->out_key_given &&
           config->in_key == config->out_key;
}

static void add_flow_or(struct out *out, const char *key, bool flow, bool hex, unsigned value)
{
    if (flow)
        OPTION(out, "%s=flow", key);
    else
        OPTION(out, hex ? "%s=0x%x" : "%s=%u", key, value);
}

static void add_erspan(struct out *out, const struct tunnel_config *config)
{
    if (config->erspan_ver == 2 || config->erspan_ver_flow) {
        add_flow_or(out, "erspan_dir", config->erspan_dir_flow, false, config->erspan_dir);
        add_flow_or(out, "erspan_hwid", config->erspan_hwid_flow, true, config->erspan_hwid);
    }
    if (config->erspan_ver == 1 || config->erspan_ver_flow)
        add_flow_or(out, "erspan_idx", config->erspan_idx_flow, true, config->erspan_idx);
    add_flow_or(out, "erspan_ver", config->erspan_ver_flow, false, config->erspan_ver);
}

static void add_srv6(struct out *out, const struct tunnel_config *config)
{
    if (config->label != TUNNEL_LABEL_COPY)
        OPTION(out, "srv6_flowlabel=%s", config->label == TUNNEL_LABEL_ZERO ? "zero" : "compute");
    for (unsigned i = 0; i < config->n_segments; i++) {
        if (i == 0)
            OPTION(out, "srv6_segs=");
        else
            add(out, ",");
        add_address(out, &config->segments[i]);
    }
}

void tunnel_options_text(const struct tunnel_config *config, char *text, size_t size)
{
    struct out out = {text, 0, size};
    struct tunnel_config plain;
    char said[64];

    /* The defaults of the type; what it lacks for a port is not what is asked. */
    tunnel_options_parse("", config->type_name, NULL, 0, &plain, said, sizeof said);
    text[0] = '\0';
    if (config->csum)
        OPTION(&out, "csum=true");
    if (!config->df)
        OPTION(&out, "df_default=false");
    if (config->dst_port != plain.dst_port)
        OPTION(&out, "dst_port=%u", config->dst_port);
    if (config->has_egress_mark)
        OPTION(&out, "egress_pkt_mark=%" PRIu32, config->egress_mark);
    if (config->type == TUNNEL_ERSPAN)
        add_erspan(&out, config);
    if (config->gbp || config->gpe)
        OPTION(&out, "exts=%s%s%s", config->gbp ? "gbp" : "", config->gbp && config->gpe ? "," : "",
               config->gpe ? "gpe" : "");
    if (config->icmp_too_big)
        OPTION(&out, "icmp_too_big=true");
    if (!has_one_key(config))
        add_key(&out, "in_key", config->in_key_given, config->in_key_flow, config->in_key);
    else
        add_key(&out, "key", config->in_key_given, config->in_key_flow, config->in_key);
    add_ip(&out, "local_ip", config->local_flow, &config->local);
    if (!has_one_key(config))
        add_key(&out, "out_key", config->out_key_given, config->out_key_flow, config->out_key);
    if (config->payload != plain.payload)
        OPTION(&out, "packet_type=%s", payload_name(config->payload));
    add_ip(&out, "remote_ip", config->remote_flow, &config->remote);
    if (config->seq)
        OPTION(&out, "seq=true");
    add_srv6(&out, config);
    if (config->tos_inherit)
        OPTION(&out, "tos=inherit");
    else if (config->tos)
        OPTION(&out, "tos=0x%x", config->tos);
    if (config->ttl_inherit)
        OPTION(&out, "ttl=inherit");
    else if (config->ttl != TUNNEL_DEFAULT_TTL)
        OPTION(&out, "ttl=%u", config->ttl);
}

/* --- ports --------------------------------------------------------------- */

static void add_ends(struct out *out, const struct tunnel_config *config)
{
    if (config->local_flow)
        add(out, "flow");
    else
        add_address(out, &config->local);
    add(out, "->");
    if (config->remote_flow)
        add(out, "flow");
    else
        add_address(out, &config->remote);
}

static void add_out_key(struct out *out, const struct tunnel_config *config)
{
    if (has_one_key(config))
        return;
    if (!config->out_key_given)
        add(out, ", out_key=none");
    else if (config->out_key_flow)
        add(out, ", out_key=flow");
    else
        add(out, ", out_key=%#" PRIx64, rte_be_to_cpu_64(config->out_key));
}

void tunnel_port_text(const struct tunnel_config *config, uint32_t index, char *text, size_t size)
{
    struct out out = {text, 0, size};

    add_ends(&out, config);
    if (config->in_key_flow)
        add(&out, ", key=flow");
    else
        add(&out, ", key=%#" PRIx64, rte_be_to_cpu_64(config->in_key));
    add(&out, ", %s, dp port=%" PRIu32, payload_name(config->payload), index);
    add_out_key(&out, config);
    if (config->ttl_inherit)
        add(&out, ", ttl=inherit");
    else
        add(&out, ", ttl=%u", config->ttl);
    if (config->tos_inherit)
        add(&out, ", tos=inherit");
    else if (config->tos)
        add(&out, ", tos=%#x", config->tos);
    if (!config->df)
        add(&out, ", df=false");
    if (config->csum)
        add(&out, ", csum=true");
}
