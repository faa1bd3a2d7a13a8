/* Flows from text in the datapath's syntax, "in_port(1),eth(src=...,dst=...),eth_type(0x0800),ipv4(...)": what
 * megaflow_format() and Open vSwitch's dpctl/dump-flows print. Control thread. */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pmd/base/memory.h"
#include "src/match/field_text.h"
#include "src/match/tlv_map.h"

/* Items whose value is one field, and parts of the others. */
static const struct {
    const char *item, *part; /* part NULL: the item alone */
    enum field_id id;
} parts[] = {
    {"skb_mark", NULL, FIELD_PKT_MARK},
    {"ct_state", NULL, FIELD_CT_STATE},
    {"ct_zone", NULL, FIELD_CT_ZONE},
    {"ct_mark", NULL, FIELD_CT_MARK},
    {"ct_label", NULL, FIELD_CT_LABEL},
    {"recirc_id", NULL, FIELD_RECIRC_ID},
    {"dp_hash", NULL, FIELD_DP_HASH},
    {"eth_type", NULL, FIELD_ETH_TYPE},
    {"tcp_flags", NULL, FIELD_TCP_FLAGS},
    {"eth", "src", FIELD_ETH_SRC},
    {"eth", "dst", FIELD_ETH_DST},
    {"ipv4", "src", FIELD_IPV4_SRC},
    {"ipv4", "dst", FIELD_IPV4_DST},
    {"ipv4", "proto", FIELD_IP_PROTO},
    {"ipv4", "ttl", FIELD_IP_TTL},
    {"ipv4", "frag", FIELD_IP_FRAG},
    {"ipv6", "src", FIELD_IPV6_SRC},
    {"ipv6", "dst", FIELD_IPV6_DST},
    {"ipv6", "label", FIELD_IPV6_LABEL},
    {"ipv6", "exthdr", FIELD_IPV6_EXTHDR},
    {"ipv6", "proto", FIELD_IP_PROTO},
    {"ipv6", "hlimit", FIELD_IP_TTL},
    {"ipv6", "frag", FIELD_IP_FRAG},
    {"tcp", "src", FIELD_UDP_SRC},
    {"tcp", "dst", FIELD_UDP_DST},
    {"udp", "src", FIELD_UDP_SRC},
    {"udp", "dst", FIELD_UDP_DST},
    {"sctp", "src", FIELD_UDP_SRC},
    {"sctp", "dst", FIELD_UDP_DST},
    {"icmp", "type", FIELD_ICMPV4_TYPE},
    {"icmp", "code", FIELD_ICMPV4_CODE},
    {"icmpv6", "type", FIELD_ICMPV4_TYPE},
    {"icmpv6", "code", FIELD_ICMPV4_CODE},
    {"nd", "target", FIELD_ND_TARGET},
    {"nd", "sll", FIELD_ND_SLL},
    {"nd", "tll", FIELD_ND_TLL},
    {"arp", "sip", FIELD_ARP_SPA},
    {"arp", "tip", FIELD_ARP_TPA},
    {"arp", "op", FIELD_ARP_OP},
    {"arp", "sha", FIELD_ARP_SHA},
    {"arp", "tha", FIELD_ARP_THA},
    {"mpls", "label", FIELD_MPLS_LABEL},
    {"mpls", "tc", FIELD_MPLS_TC},
    {"mpls", "ttl", FIELD_MPLS_TTL},
    {"mpls", "bos", FIELD_MPLS_BOS},
    {"pbb", "isid", FIELD_PBB_ISID},
    {"pbb", "uca", FIELD_PBB_UCA},
    {"tunnel", "tun_id", FIELD_TUN_ID},
    {"tunnel", "src", FIELD_TUN_SRC},
    {"tunnel", "dst", FIELD_TUN_DST},
    {"tunnel", "ipv6_src", FIELD_TUN_IPV6_SRC},
    {"tunnel", "ipv6_dst", FIELD_TUN_IPV6_DST},
    {"tunnel", "tos", FIELD_TUN_TOS},
    {"tunnel", "ttl", FIELD_TUN_TTL},
    {"gbp", "id", FIELD_TUN_GBP_ID},
    {"gbp", "flags", FIELD_TUN_GBP_FLAGS},
    {"erspan", "ver", FIELD_TUN_ERSPAN_VER},
    {"erspan", "idx", FIELD_TUN_ERSPAN_IDX},
    {"erspan", "dir", FIELD_TUN_ERSPAN_DIR},
    {"erspan", "hwid", FIELD_TUN_ERSPAN_HWID},
    {"gtpu", "flags", FIELD_TUN_GTPU_FLAGS},
    {"gtpu", "msgtype", FIELD_TUN_GTPU_MSGTYPE},
};

/* Open vSwitch prints these; no packet here has another value. */
static const char *const ignored[] = {"skb_priority", "ct_tuple4", "ct_tuple6", "ufid"};

struct parser {
    struct flow *flow;
    port_parser *port;
    void *arg;
    unsigned n_tags;
    char *error;
};

static void fault(struct parser *p, const char *what, const char *text)
{
    if (!p->error && asprintf(&p->error, "%s: %s", text, what) < 0)
        out_of_memory("a command", 0);
}

static void take_field(struct parser *p, enum field_id id, const char *text)
{
    const struct field *f = field_by_id(id);
    union field_value value, mask;

    p->error = field_value_parse(f, text, p->port, p->arg, &value, &mask);
    if (!p->error)
        field_set(f, p->flow, &value, NULL);
}

/* A number below `limit`; a mask behind it is left out. */
static uint32_t number(struct parser *p, const char *text, uint32_t limit)
{
    char *end;
    unsigned long n = strtoul(text, &end, 0);

    if (end == text || (*end && *end != '/') || n >= limit)
        fault(p, "not a number, or too large", text);
    return (uint32_t)n;
}

static void take_tag(struct parser *p, const char *part, const char *value)
{
    uint16_t tci = rte_be_to_cpu_16(p->flow->pkt.vlan_tci[p->n_tags]) | VLAN_TCI_PRESENT;

    if (!strcmp(part, "vid"))
        tci |= number(p, value, 4096);
    else if (!strcmp(part, "pcp"))
        tci |= number(p, value, 8) << 13;
    else if (strcmp(part, "cfi"))
        fault(p, "not a part of vlan()", part);
    p->flow->pkt.vlan_tci[p->n_tags] = rte_cpu_to_be_16(tci);
}

static void take_tunnel_port(struct parser *p, const char *part, const char *value)
{
    const rte_be16_t port = rte_cpu_to_be_16((uint16_t)number(p, value, 65536));

    *(!strcmp(part, "tp_src") ? &p->flow->pkt.tun_tp_src : &p->flow->pkt.tun_tp_dst) = port;
}

static void take_part(struct parser *p, const char *item, const char *part, const char *value)
{
    if (!strcmp(item, "vlan")) {
        take_tag(p, part, value);
        return;
    }
    if (strcmp(item, "tunnel") != 0 && (!strcmp(part, "tos") || !strcmp(part, "tclass"))) {
        p->flow->pkt.ip_tos = number(p, value, 256);
        return;
    }
    if (!strcmp(item, "tunnel") && !strncmp(part, "tp_", 3)) {
        take_tunnel_port(p, part, value);
        return;
    }
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (parts[i].part && !strcmp(parts[i].item, item) && !strcmp(parts[i].part, part)) {
            take_field(p, parts[i].id, value);
            return;
        }
    fault(p, "not known in the datapath's syntax", part);
}

/* "src=...,dst=..." */
static void take_parts(struct parser *p, const char *item, char *text)
{
    char *save = NULL;

    for (char *part = strtok_r(text, ",", &save); part && !p->error; part = strtok_r(NULL, ",", &save)) {
        char *equals = strchr(part, '=');

        if (!equals) {
            fault(p, "a value is missing", part);
            return;
        }
        *equals = 0;
        take_part(p, item, part, equals + 1);
    }
    p->n_tags += !strcmp(item, "vlan");
}

static bool is_ignored(const char *item)
{
    for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++)
        if (!strcmp(item, ignored[i]))
            return true;
    return false;
}

static void take_items(struct parser *p, char *text);

/* --- tunnel() ------------------------------------------------------------ */

/* "+oam", "-df+csum+key" or "df|csum|key": only what rules can look at is kept. */
static void take_tunnel_flags(struct parser *p, const char *text)
{
    const char *oam = strstr(text, "oam");

    if (oam && (oam == text || oam[-1] != '-'))
        p->flow->pkt.tun_flags |= TUN_FLAG_OAM;
}

static void take_option_value(struct parser *p, const struct tunnel_option *option, const char *text)
{
    uint8_t *to = p->flow->pkt.tun_metadata + option->offset;
    size_t n = strcspn(text, "/}");

    if (n < 3 || strncmp(text, "0x", 2) != 0 || strspn(text + 2, "0123456789abcdefABCDEF") < n - 2 ||
        n - 2 > 2u * option->len) {
        fault(p, "an option's value is 0x and its bytes in hexadecimal", text);
        return;
    }
    for (size_t i = 0; i < n - 2; i++) {
        const char digit[2] = {text[n - 1 - i]};

        to[option->len - 1 - i / 2] |= (uint8_t)(strtoul(digit, NULL, 16) << (i % 2 * 4));
    }
}

/* "{class=0x102,type=0x80,len=4,0xa/0xf}..." */
static void take_options(struct parser *p, const char *text)
{
    struct tunnel_option options[TLV_MAPS_MAX];
    const unsigned n = tlv_map_datapath(options);
    unsigned class, type, len;
    int at;

    for (; *text && !p->error; text += strcspn(text, "}") + 1) {
        unsigned i = 0;

        at = 0;
        if (sscanf(text, "{class=%i,type=%i,len=%i,%n", &class, &type, &len, &at) != 3 || at == 0 ||
            !strchr(text, '}')) {
            fault(p, "not an option {class=,type=,len=,0x}", text);
            return;
        }
        while (i < n && (options[i].class != class || options[i].type != type || options[i].len != len))
            i++;
        if (i < n)
            take_option_value(p, &options[i], text + at);
        else
            fault(p, "no tun_metadata field stands for this option: see ovs-ofctl dump-tlv-map", text);
    }
}

static char *closing(char *open);
static void take_parts(struct parser *p, const char *item, char *text);

/* What is between the parentheses, which closing() has seen. */
static char *inside(char *open)
{
    *closing(open) = 0;
    return open + 1;
}

static void take_in_tunnel(struct parser *p, const char *name, char *value)
{
    if (!strcmp(name, "flags"))
        take_tunnel_flags(p, value);
    else if (!strcmp(name, "geneve"))
        take_options(p, value);
    else if (!strcmp(name, "vxlan") && !strncmp(value, "gbp(", 4) && closing(value + 3))
        take_parts(p, "gbp", inside(value + 3));
    else if (!strcmp(name, "erspan") || !strcmp(name, "gtpu"))
        take_parts(p, name, value);
    else
        fault(p, "not known in the datapath's syntax", name);
}

/* Parts, and items within it. */
static void take_tunnel(struct parser *p, char *text)
{
    while (*text && !p->error) {
        char *end = text + strcspn(text, ",("), *close;

        if (*end != '(') {
            char *next = end + (*end == ',');

            *end = 0;
            take_parts(p, "tunnel", text);
            text = next;
            continue;
        }
        close = closing(end);
        if (!close) {
            fault(p, "a parenthesis is not closed", text);
            return;
        }
        *end = *close = 0;
        take_in_tunnel(p, text, end + 1);
        text = close + 1 + (close[1] == ',');
    }
}

static void take_item(struct parser *p, const char *item, char *value)
{
    if (is_ignored(item))
        return;
    if (!strcmp(item, "encap")) {
        take_items(p, value);
        return;
    }
    if (!strcmp(item, "tunnel")) {
        take_tunnel(p, value);
        return;
    }
    if (!strcmp(item, "packet_type")) {
        p->flow->pkt.tun_flags |= strstr(value, "ns=1") ? TUN_FLAG_NO_ETHERNET : 0;
        return;
    }
    if (!strcmp(item, "in_port")) {
        if (!p->port(p->arg, value, &p->flow->pkt.in_port))
            fault(p, "no such port of the datapath", value);
        return;
    }
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (!parts[i].part && !strcmp(parts[i].item, item)) {
            take_field(p, parts[i].id, value);
            return;
        }
    take_parts(p, item, value);
}

/* The parenthesis that closes the one at `open`; NULL: there is none. */
static char *closing(char *open)
{
    int depth = 0;

    for (char *at = open; *at; at++) {
        depth += *at == '(';
        depth -= *at == ')';
        if (!depth)
            return at;
    }
    return NULL;
}

/* "item(value),item(value)" */
static void take_items(struct parser *p, char *text)
{
    while (*text && !p->error) {
        text += strspn(text, ", \t\n");
        char *open = strpbrk(text, "(,"), *end = open && *open == '(' ? closing(open) : NULL;

        if (!*text)
            return;
        if (!end) {
            fault(p, "not of the form item(value)", text);
            return;
        }
        *open = *end = 0;
        take_item(p, text, open + 1);
        text = end + 1;
    }
}

char *megaflow_parse(const char *text, port_parser *port, void *arg, struct flow *flow)
{
    struct parser p = {.flow = flow, .port = port, .arg = arg};
    char *copy = strdup(text);

    if (!copy)
        out_of_memory("a command", 0);
    memset(flow, 0, sizeof *flow);
    take_items(&p, copy);
    free(copy);
    return p.error;
}
