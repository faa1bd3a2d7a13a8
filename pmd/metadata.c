#include "pmd/metadata.h"

/* Not inline: most packets are not tracked. */
void ct_meta_to_key(const struct ct_meta *ct, struct flow_key *key)
{
    key->ct_state = ct->state;
    key->ct_zone = ct->zone;
    key->ct_mark = ct->mark;
    memcpy(key->ct_label, ct->label, sizeof key->ct_label);
    key->ct_ip_proto = ct->proto;
    key->ct_tp_src = ct->tp_src;
    key->ct_tp_dst = ct->tp_dst;
    if (!ct->ipv6) {
        key->ct_ipv4_src = ct->src;
        key->ct_ipv4_dst = ct->dst;
    } else if (key->eth_type == RTE_BE16(RTE_ETHER_TYPE_IPV6)) {
        memcpy(key->ct_ipv6_src, ct->src6, sizeof key->ct_ipv6_src);
        memcpy(key->ct_ipv6_dst, ct->dst6, sizeof key->ct_ipv6_dst);
    }
}
