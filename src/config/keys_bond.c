/* The keys of bonds: bridges[].bonds[]. */
#include "src/config/keys_impl.h"

#define BOND_KEY(name_, type_) .name = #name_, .change = CHANGE_LIVE, .type = (type_)
#define FIELD(member) .offset = offsetof(struct config_bond, member)

static const struct config_choice modes[] = {
    {"active-backup", CONFIG_BOND_ACTIVE_BACKUP, "one member carries all packets, the others wait until it fails"},
    {"balance-slb", CONFIG_BOND_BALANCE_SLB,
     "each source address and VLAN has its member; the switch at the other end need not know of the bond"},
    {"balance-tcp", CONFIG_BOND_BALANCE_TCP,
     "each flow has its member, by its addresses and ports; carries nothing before the other end has agreed by LACP"},
    {NULL},
};

static const struct config_choice lacp_modes[] = {
    {"off", CONFIG_LACP_OFF, "the other end is not asked"},
    {"active", CONFIG_LACP_ACTIVE, "both ends agree on the links of the bond by LACP, and this one begins"},
    {"passive", CONFIG_LACP_PASSIVE, "the same, and the other end has to begin"},
    {NULL},
};
static const struct config_choice lacp_times[] = {
    {"slow", CONFIG_LACP_SLOW, "every 30 seconds: a link that has died unnoticed is found out after 90"},
    {"fast", CONFIG_LACP_FAST, "every second: after 3"},
    {NULL},
};

static const struct config_key bond_keys[] = {
    {
        BOND_KEY(name, KEY_STRING),
        FIELD(name),
        .required = true,
        .format = &config_format_port_name,
        .doc = "Name of the bond in commands. No other bond may have it.",
        .example = "\"bond0\"",
    },
    {
        BOND_KEY(members, KEY_STRINGS),
        FIELD(members),
        .count_offset = offsetof(struct config_bond, n_members),
        .required = true,
        .min_items = 1,
        .max_items = 64,
        .format = &config_format_port_name,
        .doc =
            "Names of the ports that are bonded, which are ports of the bridge, and of no other bond. They must have "
            "the same VLAN keys, which are the bond's. A single one is no bond; LACP can be spoken on it.",
        .example = "[\"eth0\", \"eth1\"]",
    },
    {
        BOND_KEY(mode, KEY_ENUM),
        FIELD(mode),
        .choices = modes,
        .default_int = CONFIG_BOND_ACTIVE_BACKUP,
        .doc = "Which member a packet is sent by.",
        .example = "\"balance-slb\"",
    },
    {
        BOND_KEY(updelay, KEY_INT),
        FIELD(updelay),
        .min = 0,
        .max = 3600000,
        .default_int = 0,
        .unit = "milliseconds",
        .doc = "How long a member's link must be up before packets are sent by it, unless no other member can be used.",
        .example = "31000",
    },
    {
        BOND_KEY(downdelay, KEY_INT),
        FIELD(downdelay),
        .min = 0,
        .max = 3600000,
        .default_int = 0,
        .unit = "milliseconds",
        .doc = "How long a member's link must be down before others take over.",
        .example = "200",
    },
    {
        BOND_KEY(primary, KEY_STRING),
        FIELD(primary),
        .format = &config_format_port_name,
        .default_doc = "none",
        .doc = "The member that is the active one of an active-backup bond whenever its link is up. Without it the "
               "active member stays active when another one comes back.",
        .example = "\"eth0\"",
    },
    {
        BOND_KEY(rebalance_interval, KEY_INT),
        FIELD(rebalance_interval),
        .min = 1000,
        .max = 3600000,
        .zero = "flows stay where they are",
        .default_int = 10000,
        .unit = "milliseconds",
        .doc =
            "How often the loads of the members are compared, and flows moved from those that send much to those that "
            "send little. Not of active-backup.",
        .example = "10000",
    },
    {
        BOND_KEY(hash_basis, KEY_INT),
        FIELD(hash_basis),
        .min = 0,
        .max = INT32_MAX,
        .default_int = 0,
        .doc = "Another number spreads flows over the members in another way.",
        .example = "7",
    },
    {
        BOND_KEY(all_members_active, KEY_BOOL),
        FIELD(all_members_active),
        .doc = "A balance-slb bond takes packets to group addresses from its active member alone, as a switch at the "
               "other end that knows nothing of the bond floods a copy to each. With this key it takes them from any "
               "member.",
        .example = "true",
    },
    {
        BOND_KEY(lacp, KEY_ENUM),
        FIELD(lacp),
        .choices = lacp_modes,
        .default_int = CONFIG_LACP_OFF,
        .doc =
            "Whether LACP (IEEE 802.1AX) is spoken on the members. If it is, the bond carries nothing as long as the "
            "other end does not speak it, but for `lacp_fallback_ab`.",
        .example = "\"active\"",
    },
    {
        BOND_KEY(lacp_time, KEY_ENUM),
        FIELD(lacp_time),
        .choices = lacp_times,
        .default_int = CONFIG_LACP_SLOW,
        .doc = "How often the other end is to send.",
        .example = "\"fast\"",
    },
    {
        BOND_KEY(lacp_system_id, KEY_MAC),
        FIELD(lacp_system_id),
        .default_doc = "the lower 48 bits of the bridge's `datapath_id`",
        .doc = "What this end is called.",
        .example = "\"02:00:00:00:00:01\"",
    },
    {
        BOND_KEY(lacp_system_priority, KEY_INT),
        FIELD(lacp_system_priority),
        .min = 1,
        .max = 65535,
        .zero = "65534; 65535 of one port alone",
        .doc = "The end with the lower number decides which links are preferred.",
        .example = "100",
    },
    {
        BOND_KEY(lacp_fallback_ab, KEY_BOOL),
        FIELD(lacp_fallback_ab),
        .doc = "Whether the bond works as active-backup as long as the other end does not speak LACP.",
        .example = "true",
    },
};
const struct config_section config_section_bond = {
    .title = "bridges[].bonds[]",
    .doc =
        "Ports that are one link to the action NORMAL, and to the learning switch of a standalone bridge: addresses are "
        "learned on the bond, packets sent by one member, and by another one when its link fails. Rules that name a "
        "member's number send by that member. `sluicectl bond/show` tells how it stands.",
    .size = sizeof(struct config_bond),
    KEYS(bond_keys),
};
