/* The keys of spanning trees: bridges[].stp and bridges[].ports[].stp. */
#include "src/config/keys_impl.h"

#define STP_KEY(name_, type_) .name = #name_, .change = CHANGE_LIVE, .part = CONFIG_PART_STP, .type = (type_)
#define FIELD(member) .offset = offsetof(struct config_stp, member)
#define PORT_FIELD(member) .offset = offsetof(struct config_port_stp, member)

static const struct config_key stp_keys[] = {
    {
        STP_KEY(enable, KEY_BOOL),
        FIELD(enable),
        .doc = "Whether the bridge speaks the protocol. Without it BPDUs are packets as any.",
        .example = "true",
    },
    {
        STP_KEY(system_id, KEY_MAC),
        FIELD(system_id),
        .default_doc = "the lower 48 bits of the bridge's `datapath_id`",
        .doc = "Address part of the bridge's identifier.",
        .example = "\"02:00:00:00:00:01\"",
    },
    {
        STP_KEY(priority, KEY_INT),
        FIELD(priority),
        .min = 0,
        .max = 65535,
        .default_int = 32768,
        .doc = "The bridge with the lowest number, of equal ones with the lowest address, is the root of the tree.",
        .example = "4096",
    },
    {
        STP_KEY(hello_time, KEY_INT),
        FIELD(hello_time),
        .min = 1,
        .max = 10,
        .default_int = 2,
        .unit = "seconds",
        .doc = "How often BPDUs are sent, if this bridge is the root.",
        .example = "2",
    },
    {
        STP_KEY(max_age, KEY_INT),
        FIELD(max_age),
        .min = 6,
        .max = 40,
        .default_int = 20,
        .unit = "seconds",
        .doc = "How old what was heard may become, if this bridge is the root; at least twice the hello time and a "
               "second more.",
        .example = "20",
    },
    {
        STP_KEY(forward_delay, KEY_INT),
        FIELD(forward_delay),
        .min = 4,
        .max = 30,
        .default_int = 15,
        .unit = "seconds",
        .doc = "How long a port is listening, and then learning, before it forwards, if this bridge is the root; at "
               "least half of `max_age` and a second more.",
        .example = "15",
    },
};
const struct config_section config_section_stp = {
    .title = "bridges[].stp",
    .doc =
        "Spanning Tree Protocol (IEEE 802.1D-1998): bridges that are joined in rings block ports until no packet can "
        "go round. Ports that are interfaces of the host's own, or members of bonds, take no part. `sluicectl "
        "stp/show` tells how it stands.",
    .size = sizeof(struct config_stp),
    KEYS(stp_keys),
};

static const struct config_key port_keys[] = {
    {
        STP_KEY(enable, KEY_BOOL),
        PORT_FIELD(enable),
        .default_int = true,
        .doc = "Whether the port takes part, if its bridge does; else it forwards always.",
        .example = "false",
    },
    {
        STP_KEY(number, KEY_INT),
        PORT_FIELD(number),
        .min = 1,
        .max = 255,
        .zero = "the first that is free",
        .doc = "Number of the port in the protocol; no other port of the bridge has it.",
        .example = "1",
    },
    {
        STP_KEY(priority, KEY_INT),
        PORT_FIELD(priority),
        .min = 0,
        .max = 255,
        .default_int = 128,
        .doc = "Of two ports that lead to the root in equal ways the one with the lower number at the bridge nearer to "
               "it is used.",
        .example = "64",
    },
    {
        STP_KEY(path_cost, KEY_INT),
        PORT_FIELD(path_cost),
        .min = 1,
        .max = 65535,
        .zero = "as the link's speed has it: 2 for 10 Gbit/s and where it is not known, 4, 19, 100",
        .doc = "What the way over this port costs.",
        .example = "4",
    },
};
const struct config_section config_section_port_stp = {
    .title = "bridges[].ports[].stp",
    .doc = "The port in its bridge's spanning tree.",
    .size = sizeof(struct config_port_stp),
    KEYS(port_keys),
};
