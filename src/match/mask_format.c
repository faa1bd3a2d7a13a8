/* Which parts of the flow key a mask looks at, as text: for people who look at tuples. Control thread. */
#include <stddef.h>
#include <stdio.h>

#include "pmd/base/memory.h"
#include "src/match/field_text.h"

char *flow_mask_format(const struct flow_key *mask)
{
#define PART(field, name)                                                                                              \
    {                                                                                                                  \
        offsetof(struct flow_key, field), sizeof mask->field, name                                                     \
    }
    static const struct {
        uint16_t offset, len;
        const char *name;
    } parts[] = {
        PART(in_port, "in_port"),       PART(recirc_id, "recirc_id"),     PART(eth_dst, "eth_dst"),
        PART(eth_src, "eth_src"),       PART(eth_type, "eth_type"),       PART(vlan_tci[0], "vlan_tci"),
        PART(vlan_tci[1], "vlan_tci2"), PART(tcp_flags, "tcp_flags"),     PART(ipv4_src, "ipv4_src"),
        PART(ipv4_dst, "ipv4_dst"),     PART(tp_src, "tp_src"),           PART(tp_dst, "tp_dst"),
        PART(ip_proto, "ip_proto"),     PART(ip_tos, "ip_tos"),           PART(ip_ttl, "ip_ttl"),
        PART(ip_frag, "ip_frag"),       PART(ct_state, "ct_state"),       PART(ct_zone, "ct_zone"),
        PART(ct_mark, "ct_mark"),       PART(pkt_mark, "pkt_mark"),       PART(dp_hash, "dp_hash"),
        PART(ipv6_src, "ipv6_src"),     PART(ipv6_dst, "ipv6_dst"),       PART(nd_target, "nd_target"),
        PART(arp_sha, "arp_sha"),       PART(arp_tha, "arp_tha"),         PART(ipv6_label, "ipv6_label"),
        PART(mpls_lse, "mpls_lse"),     PART(ipv6_exthdr, "ipv6_exthdr"), PART(pbb_isid, "pbb_isid"),
        PART(tun_id, "tun_id"),         PART(tun_ipv4_src, "tun_src"),    PART(tun_ipv4_dst, "tun_dst"),
    };
#undef PART
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    if (!out)
        out_of_memory("text", 0);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        const uint8_t *bytes = (const uint8_t *)mask + parts[i].offset;
        unsigned bits = 0;
        for (unsigned b = 0; b < parts[i].len; b++)
            bits += __builtin_popcount(bytes[b]);
        if (!bits)
            continue;
        fprintf(out, "%s%s", ftell(out) > 0 ? "," : "", parts[i].name);
        if (bits < 8u * parts[i].len) {
            fprintf(out, "/0x");
            for (unsigned b = 0; b < parts[i].len; b++)
                fprintf(out, "%02x", bytes[b]);
        }
    }
    fclose(out);
    return text;
}
