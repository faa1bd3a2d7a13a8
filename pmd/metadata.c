#include "pmd/metadata.h"

#include <stdio.h>

const char *ct_label_format(const uint8_t label[CT_LABEL_LEN], char text[CT_LABEL_TEXT])
{
    unsigned i = 0;
    int len;

    while (i < CT_LABEL_LEN - 1 && label[i] == 0)
        i++;
    len = snprintf(text, CT_LABEL_TEXT, label[i] ? "0x%x" : "%x", label[i]);
    while (++i < CT_LABEL_LEN)
        len += snprintf(text + len, CT_LABEL_TEXT - (size_t)len, "%02x", label[i]);
    return text;
}

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
