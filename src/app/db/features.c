#include "src/app/db/features.h"

#include <string.h>

#include "pmd/base/log.h"

const struct feature features[] = {
    {"Masked set action", "masked_set_action", "Yes"},
    {"Tunnel push pop", "tnl_push_pop", "Yes"},
    {"Ufid", "ufid", "Yes"},
    {"Truncate action", "trunc", "Yes"},
    {"Clone action", "clone", "Yes"},
    {"Sample nesting", "sample_nesting", "0"},
    {"Conntrack eventmask", "ct_eventmask", "No"},
    {"Conntrack clear", "ct_clear", "Yes"},
    {"Max dp_hash algorithm", "max_hash_alg", "1"},
    {"Check pkt length action", "check_pkt_len", "Yes"},
    {"Conntrack timeout policy", "ct_timeout", "Yes"},
    {"Explicit Drop action", "explicit_drop_action", "Yes"},
    {"Optimized Balance TCP mode", "lb_output_action", "No"},
    {"Conntrack all-zero IP SNAT", "ct_zero_snat", "Yes"},
    {"MPLS Label add", "add_mpls", "Yes"},
    {"Max VLAN headers", "max_vlan_headers", "2"},
    {"Max MPLS depth", "max_mpls_depth", "3"},
    {"Recirc", "recirc", "Yes"},
    {"CT state", "ct_state", "Yes"},
    {"CT zone", "ct_zone", "Yes"},
    {"CT mark", "ct_mark", "Yes"},
    {"CT label", "ct_label", "Yes"},
    {"CT state NAT", "ct_state_nat", "Yes"},
    {"CT orig tuple", "ct_orig_tuple", "Yes"},
    {"CT orig tuple for IPv6", "ct_orig_tuple6", "Yes"},
    {"IPv6 ND Extension", "nd_ext", "Yes"},
    {NULL, "ct_flush", "Yes"},
};
const size_t n_features = sizeof features / sizeof *features;

const char *feature_capability(const struct feature *feature)
{
    if (!strcmp(feature->value, "Yes"))
        return "true";
    return strcmp(feature->value, "No") ? feature->value : "false";
}

static const char *value_of(const char *key)
{
    for (size_t i = 0; i < n_features; i++)
        if (!strcmp(features[i].key, key))
            return features[i].value;
    return "0";
}

void features_log(void)
{
    LOG_INFO(LOG_PMD, "netdev@ovs-netdev: VLAN header stack length probed as %s", value_of("max_vlan_headers"));
    LOG_INFO(LOG_PMD, "netdev@ovs-netdev: MPLS label stack length probed as %s", value_of("max_mpls_depth"));
    if (!strcmp(value_of("ct_clear"), "Yes"))
        LOG_INFO(LOG_PMD, "netdev@ovs-netdev: Datapath supports ct_clear action");
}
