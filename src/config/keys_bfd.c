/* The keys of BFD on a port: bridges[].ports[].bfd. */
#include "src/config/keys_impl.h"

#define LONGEST_MS 3600000

#define BFD_KEY(name_, type_) .name = #name_, .change = CHANGE_LIVE, .part = CONFIG_PART_BFD, .type = (type_)
#define FIELD(member) .offset = offsetof(struct config_bfd, member)

static const struct config_key bfd_keys[] = {
    {
        BFD_KEY(enable, KEY_BOOL),
        FIELD(enable),
        .doc = "Whether there is a session. While it is not `up` the port counts as not live: fast-failover groups and "
               "`bundle` take another one.",
        .example = "true",
    },
    {
        BFD_KEY(min_rx, KEY_INT),
        FIELD(min_rx),
        .min = 1,
        .max = LONGEST_MS,
        .default_int = 1000,
        .unit = "milliseconds",
        .doc = "Shortest interval at which packets of the neighbor are wanted. It may choose a longer one.",
        .example = "100",
    },
    {
        BFD_KEY(min_tx, KEY_INT),
        FIELD(min_tx),
        .min = 1,
        .max = LONGEST_MS,
        .default_int = 100,
        .unit = "milliseconds",
        .doc = "Shortest interval at which packets are sent, if the neighbor wants them that often. While the session "
               "is not `up` it is a second at least (RFC 5880, 6.8.3).",
        .example = "100",
    },
    {
        BFD_KEY(decay_min_rx, KEY_INT),
        FIELD(decay_min_rx),
        .min = 1,
        .max = LONGEST_MS,
        .zero = "`min_rx` counts always",
        .unit = "milliseconds",
        .doc = "Takes the place of `min_rx` while the port receives hardly more than the session's own packets. Not "
               "below `min_rx`.",
        .example = "2000",
    },
    {
        BFD_KEY(mult, KEY_INT),
        FIELD(mult),
        .min = 1,
        .max = 255,
        .default_int = 3,
        .doc = "The neighbor takes the path to be down when it has missed so many packets.",
        .example = "3",
    },
    {
        BFD_KEY(forwarding_if_rx, KEY_BOOL),
        FIELD(forwarding_if_rx),
        .doc =
            "Whatever the port receives counts as a sign of life, as long as a packet of the session comes every 100 "
            "`min_rx`.",
        .example = "true",
    },
    {
        BFD_KEY(cpath_down, KEY_BOOL),
        FIELD(cpath_down),
        .doc = "Tells the neighbor that the path behind this switch is down (\"concatenated path down\"), so that it "
               "sends nothing this way.",
        .example = "true",
    },
    {
        BFD_KEY(check_tnl_key, KEY_BOOL),
        FIELD(check_tnl_key),
        .doc = "Takes only packets whose tunnel has the key 0.",
        .example = "true",
    },
    {
        BFD_KEY(oam, KEY_BOOL),
        FIELD(oam),
        .doc = "Sets the OAM bit of tunnel headers that have one. Ports that are no tunnels send as always.",
        .example = "true",
    },
    {
        BFD_KEY(local_src_mac, KEY_MAC),
        FIELD(local_src_mac),
        .default_doc = "the port's own address",
        .doc = "Source address of frames that are sent.",
        .example = "\"02:00:00:00:00:01\"",
    },
    {
        BFD_KEY(local_dst_mac, KEY_MAC),
        FIELD(local_dst_mac),
        .default_doc = "`\"00:23:20:00:00:01\"`, as Open vSwitch has it",
        .doc = "Destination address of frames that are sent.",
        .example = "\"02:00:00:00:00:02\"",
    },
    {
        BFD_KEY(remote_dst_mac, KEY_MAC),
        FIELD(remote_dst_mac),
        .default_doc = "any",
        .doc = "Destination address that frames for the session have; others go through the tables.",
        .example = "\"02:00:00:00:00:01\"",
    },
    {
        BFD_KEY(src_ip, KEY_STRING),
        FIELD(src_ip),
        .format = &config_format_ipv4,
        .default_string = "169.254.1.1",
        .doc = "Source address of packets that are sent. Another one than the default is also the address that packets "
               "for the session go to; others go through the tables.",
        .example = "\"192.0.2.1\"",
    },
    {
        BFD_KEY(dst_ip, KEY_STRING),
        FIELD(dst_ip),
        .format = &config_format_ipv4,
        .default_string = "169.254.1.0",
        .doc = "Destination address of packets that are sent.",
        .example = "\"192.0.2.2\"",
    },
};
const struct config_section config_section_bfd = {
    .title = "bridges[].ports[].bfd",
    .doc =
        "Bidirectional Forwarding Detection (RFC 5880, 5881) on a port, with the defaults of Open vSwitch: both ends "
        "send packets all the time, and note when those of the other end stop to come. `sluicectl bfd/show` tells "
        "how it stands. Neither authentication nor echo.",
    .size = sizeof(struct config_bfd),
    KEYS(bfd_keys),
};
