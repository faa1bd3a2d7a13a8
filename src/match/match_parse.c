/* Matches from text, in the syntax of ovs-fields(7), shorthands such as "tcp" included. Control thread. */
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "pmd/base/memory.h"
#include "src/match/field_text.h"
#include "src/match/key_value.h"

/* "tcp" and the like: an Ethernet type and perhaps an IP protocol. */
static const struct shorthand {
    const char *name;
    uint16_t eth_type;
    uint8_t ip_proto;
} shorthands[] = {
    {"eth", 0, 0},
    {"ip", RTE_ETHER_TYPE_IPV4, 0},
    {"ipv4", RTE_ETHER_TYPE_IPV4, 0},
    {"icmp", RTE_ETHER_TYPE_IPV4, IPPROTO_ICMP},
    {"tcp", RTE_ETHER_TYPE_IPV4, IPPROTO_TCP},
    {"udp", RTE_ETHER_TYPE_IPV4, IPPROTO_UDP},
    {"sctp", RTE_ETHER_TYPE_IPV4, IPPROTO_SCTP},
    {"ipv6", RTE_ETHER_TYPE_IPV6, 0},
    {"ip6", RTE_ETHER_TYPE_IPV6, 0},
    {"icmp6", RTE_ETHER_TYPE_IPV6, IPPROTO_ICMPV6},
    {"tcp6", RTE_ETHER_TYPE_IPV6, IPPROTO_TCP},
    {"udp6", RTE_ETHER_TYPE_IPV6, IPPROTO_UDP},
    {"sctp6", RTE_ETHER_TYPE_IPV6, IPPROTO_SCTP},
    {"arp", RTE_ETHER_TYPE_ARP, 0},
    {"rarp", RTE_ETHER_TYPE_RARP, 0},
    {"mpls", RTE_ETHER_TYPE_MPLS, 0},
    {"mplsm", RTE_ETHER_TYPE_MPLSM, 0},
};

struct parse {
    struct match *match;
    port_parser *port_by_name;
    void *arg;
    uint64_t set[FIELD_SET_WORDS]; /* fields that the text named, for the check of prerequisites at the end */
};

static void set_number(struct match *match, enum field_id id, uint64_t value, uint64_t mask)
{
    const struct field *f = field_by_id(id);
    union field_value v, m;

    for (unsigned i = f->n_bytes; i-- > 0; value >>= 8, mask >>= 8) {
        v.b[i] = (uint8_t)value;
        m.b[i] = (uint8_t)mask;
    }
    match_set_masked(match, f, &v, &m);
}

static bool take_shorthand(struct match *match, const char *name)
{
    for (size_t i = 0; i < sizeof shorthands / sizeof shorthands[0]; i++) {
        const struct shorthand *s = &shorthands[i];

        if (strcmp(s->name, name))
            continue;
        if (s->eth_type)
            set_number(match, FIELD_ETH_TYPE, s->eth_type, 0xffff);
        if (s->ip_proto)
            set_number(match, FIELD_IP_PROTO, s->ip_proto, 0xff);
        return true;
    }
    return false;
}

static uint16_t eth_type_of(const struct match *match)
{
    return match->mask.pkt.eth_type == 0xffff ? rte_be_to_cpu_16(match->value.pkt.eth_type) : 0;
}

/* Names that mean another field in a packet of another type: "nw_src" of an ARP packet is arp_spa. */
static enum field_id meant(const struct match *match, enum field_id id, const char *key)
{
    uint16_t type = eth_type_of(match);
    uint8_t proto = match->mask.pkt.ip_proto == 0xff ? match->value.pkt.ip_proto : 0;
    bool tp = key[0] == 't' && key[1] == 'p';

    if (type == RTE_ETHER_TYPE_ARP || type == RTE_ETHER_TYPE_RARP) {
        if (id == FIELD_IPV4_SRC)
            return FIELD_ARP_SPA;
        if (id == FIELD_IPV4_DST)
            return FIELD_ARP_TPA;
        if (id == FIELD_IP_PROTO)
            return FIELD_ARP_OP;
    }
    if (type == RTE_ETHER_TYPE_IPV6 && id == FIELD_ICMPV4_TYPE)
        return FIELD_ICMPV6_TYPE;
    if (type == RTE_ETHER_TYPE_IPV6 && id == FIELD_ICMPV4_CODE)
        return FIELD_ICMPV6_CODE;
    if (tp && id == FIELD_TCP_SRC)
        return proto == IPPROTO_UDP ? FIELD_UDP_SRC : proto == IPPROTO_SCTP ? FIELD_SCTP_SRC : id;
    if (tp && id == FIELD_TCP_DST)
        return proto == IPPROTO_UDP ? FIELD_UDP_DST : proto == IPPROTO_SCTP ? FIELD_SCTP_DST : id;
    return id;
}

static void set_pcp(struct match *match, uint16_t pcp)
{
    rte_be16_t *tci = &match->value.pkt.vlan_tci[0];

    *tci = (*tci & RTE_BE16(0x0fff)) | rte_cpu_to_be_16(pcp << 13 | VLAN_TCI_PRESENT);
    match->mask.pkt.vlan_tci[0] |= RTE_BE16(0xf000);
}

/* OpenFlow 1.0's VLAN fields: dl_vlan=0xffff is "no tag", and a PCP needs one. Returns false if `key` is neither. */
static bool take_old_vlan(struct match *match, const char *key, const char *value, char **error)
{
    uint64_t n;

    if (!strcmp(key, "dl_vlan")) {
        if (!text_to_u64(value, 0xffff, &n) || (n > 0xfff && n != 0xffff))
            *error = text_error("%s is not a valid value for field dl_vlan", value);
        else
            set_number(match, FIELD_VLAN_VID, n == 0xffff ? 0 : n | VLAN_TCI_PRESENT, 0x1fff);
        return true;
    }
    if (!strcmp(key, "dl_vlan_pcp") || !strcmp(key, "vlan_pcp")) {
        if (!text_to_u64(value, 7, &n))
            *error = text_error("%s is not a valid value for field %s", value, key);
        else
            set_pcp(match, (uint16_t)n);
        return true;
    }
    return false;
}

static char *take_field(struct parse *parse, const char *key, const char *value)
{
    const struct field *f = field_by_name(key);
    union field_value v, m;
    char *error = NULL;

    if (take_old_vlan(parse->match, key, value, &error))
        return error;
    if (!f)
        return text_error("unknown keyword %s", key);
    f = field_by_id(meant(parse->match, f->id, key));
    error = field_value_parse(f, value, parse->port_by_name, parse->arg, &v, &m);
    if (error)
        return error;
    match_set_masked(parse->match, f, &v, &m);
    if (f->id == FIELD_PACKET_TYPE)
        match_imply_eth_type(parse->match);
    parse->set[f->id / 64] |= UINT64_C(1) << f->id % 64;
    return NULL;
}

static char *check_prerequisites(const struct parse *parse)
{
    for (int id = 0; id < FIELD_N; id++)
        if (parse->set[id / 64] >> id % 64 & 1 && !field_prereq_implied(field_by_id(id), parse->match))
            return text_error("prerequisites not met for setting %s", field_by_id(id)->name);
    return NULL;
}

/* What packets are about comes first, so that the order of the text does not matter: pass 0 takes shorthands and
 * Ethernet types, pass 1 protocols, pass 2 the rest. */
static unsigned pass_of(const char *key)
{
    struct match scratch;
    const struct field *f;

    match_init_all(&scratch);
    if (take_shorthand(&scratch, key))
        return 0;
    f = field_by_name(key);
    if (f && (f->id == FIELD_ETH_TYPE || f->id == FIELD_PACKET_TYPE))
        return 0;
    return f && f->id == FIELD_IP_PROTO ? 1 : 2;
}

char *match_parse(const char *text, struct match *match, port_parser *port_by_name, void *arg)
{
    struct parse parse = {.match = match, .port_by_name = port_by_name, .arg = arg};
    char *error = NULL;

    match_init_all(match);
    for (unsigned pass = 0; pass < 3 && !error; pass++) {
        char *copy = strdup(text), *pos = copy, *key, *value;

        if (!copy)
            out_of_memory("rules, groups and meters", 0);
        while (!error && key_value_next(&pos, &key, &value)) {
            if (pass_of(key) != pass)
                continue;
            if (*value || !take_shorthand(match, key))
                error = take_field(&parse, key, value);
        }
        free(copy);
    }
    return error ? error : check_prerequisites(&parse);
}
