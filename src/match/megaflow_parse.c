/* Flows from text in the datapath's syntax, "in_port(1),eth(src=...,dst=...),eth_type(0x0800),ipv4(...)": what
 * megaflow_format() and Open vSwitch's dpctl/dump-flows print. Control thread. */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pmd/base/memory.h"
#include "src/match/field_text.h"

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
    {"tunnel", "gbp_id", FIELD_TUN_GBP_ID},
    {"tunnel", "gbp_flags", FIELD_TUN_GBP_FLAGS},
    {"tunnel", "flags", FIELD_TUN_FLAGS},
};

/* Open vSwitch prints these; no packet here has another value. */
static const char *const ignored[] = {"skb_priority", "packet_type", "ct_tuple4", "ct_tuple6", "ufid"};

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

static void take_part(struct parser *p, const char *item, const char *part, const char *value)
{
    if (!strcmp(item, "vlan")) {
        take_tag(p, part, value);
        return;
    }
    if (!strcmp(part, "tos") || !strcmp(part, "tclass")) {
        p->flow->pkt.ip_tos = number(p, value, 256);
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

static void take_item(struct parser *p, const char *item, char *value)
{
    if (is_ignored(item))
        return;
    if (!strcmp(item, "encap")) {
        take_items(p, value);
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
