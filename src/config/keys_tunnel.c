/* The keys of a tunnel port: bridges[].ports[].tunnel. */
#include "src/config/keys_impl.h"

#define TUNNEL_KEY(name_, type_)                                                                                       \
    .name = #name_, .change = CHANGE_LIVE, .part = CONFIG_PART_TUNNEL, .type = (type_),                                \
    .offset = offsetof(struct config_tunnel, name_)
#define KEY_DOC                                                                                                        \
    "VXLAN network identifier (24 bits), Geneve's virtual network identifier (24 bits), key of GRE (32 bits), "        \
    "tunnel endpoint identifier of GTP-U (32 bits), session of ERSPAN (10 bits)"

static const struct config_key tunnel_keys[] = {
    {
        TUNNEL_KEY(remote_ip, KEY_STRING),
        .required = true,
        .format = &config_format_tunnel_ip,
        .doc = "The address of the other end, not a name. `flow`: each packet's `tun_dst` says it, which rules set; "
               "packets come in from any address.",
        .example = "\"192.0.2.2\"",
    },
    {
        TUNNEL_KEY(local_ip, KEY_STRING),
        .format = &config_format_tunnel_ip,
        .default_doc = "the one that the route says; packets come in at any address of the host",
        .doc = "The address of this end, one of this host. `flow`: each packet's `tun_src` says it; `remote_ip` has to "
               "be `flow`, too.",
        .example = "\"192.0.2.1\"",
    },
    {
        TUNNEL_KEY(key, KEY_STRING),
        .or_integer = true,
        .format = &config_format_tunnel_key,
        .default_doc = "0; for GRE none",
        .doc = KEY_DOC ". `flow`: each packet's `tun_id` says it. Packets with another key do not come in.",
        .example = "5000",
    },
    {
        TUNNEL_KEY(in_key, KEY_STRING),
        .or_integer = true,
        .format = &config_format_tunnel_key,
        .default_doc = "`key`",
        .doc = "The key of packets that come in.",
        .example = "5000",
    },
    {
        TUNNEL_KEY(out_key, KEY_STRING),
        .or_integer = true,
        .format = &config_format_tunnel_key,
        .default_doc = "`key`",
        .doc = "The key of packets that go out.",
        .example = "5001",
    },
    {
        TUNNEL_KEY(dst_port, KEY_INT),
        .min = 1,
        .max = 65535,
        .zero = "4789 for `vxlan`, 6081 for `geneve`, 2152 for `gtpu`",
        .unit = "UDP port",
        .doc =
            "The UDP port of both ends. `gre`, `erspan` and `srv6` have none. One UDP port is of one type of tunnels.",
        .example = "4789",
    },
    {
        TUNNEL_KEY(tos, KEY_STRING),
        .or_integer = true,
        .format = &config_format_tunnel_tos,
        .default_doc = "0",
        .doc = "The DSCP of outer packets, with its two bits for ECN 0: those are always taken from the inner packet "
               "(RFC 6040). `inherit`: the inner packet's, if it is IP.",
        .example = "\"inherit\"",
    },
    {
        TUNNEL_KEY(ttl, KEY_STRING),
        .or_integer = true,
        .format = &config_format_tunnel_ttl,
        .default_doc = "64",
        .doc = "The TTL or hop limit of outer packets. `inherit`: the inner packet's, if it is IP.",
        .example = "64",
    },
    {
        TUNNEL_KEY(df_default, KEY_BOOL),
        .default_int = true,
        .doc = "Whether outer packets of IPv4 have the don't-fragment bit. Sluice cuts none itself.",
        .example = "true",
    },
    {
        TUNNEL_KEY(csum, KEY_BOOL),
        .doc = "Whether outer packets have a checksum over all they carry: of UDP, or of GRE. Without it UDP goes over "
               "IPv6 with none (RFC 6935). Not for `erspan`, `gtpu` and `srv6`.",
        .example = "true",
    },
    {
        TUNNEL_KEY(seq, KEY_BOOL),
        .doc = "Whether packets of GRE are numbered (RFC 2890).",
        .example = "true",
    },
    {
        TUNNEL_KEY(exts, KEY_STRING),
        .format = &config_format_tunnel_exts,
        .default_doc = "none",
        .doc = "Extensions of `vxlan`: group-based policy (`tun_gbp_id`, `tun_gbp_flags`), the generic protocol "
               "extension, which has packets without Ethernet header. All tunnels of a UDP port have the same.",
        .example = "\"gbp\"",
    },
    {
        TUNNEL_KEY(packet_type, KEY_STRING),
        .format = &config_format_tunnel_packet_type,
        .default_doc = "`legacy_l3` for `gtpu` and `srv6`, else `legacy_l2`",
        .doc =
            "What the tunnel carries: frames (`legacy_l2`); packets without Ethernet header, which get one when they "
            "come in (`legacy_l3`, not for `geneve`, `erspan`, and `vxlan` without `gpe`); either, as the packet is "
            "(`ptap`).",
        .example = "\"legacy_l3\"",
    },
    {
        TUNNEL_KEY(egress_pkt_mark, KEY_STRING),
        .or_integer = true,
        .format = &config_format_tunnel_number,
        .default_doc = "that of the inner packet",
        .doc = "The `pkt_mark` of outer packets, by which a route can be chosen (`ovs/route/add`).",
        .example = "7",
    },
    {
        TUNNEL_KEY(erspan_ver, KEY_STRING),
        .or_integer = true,
        .format = &config_format_tunnel_key,
        .default_doc = "1",
        .doc = "The version of the header of ERSPAN: `1` (type II) or `2` (type III). `flow`: each packet's "
               "`tun_erspan_ver` and the like say all of it.",
        .example = "1",
    },
    {
        TUNNEL_KEY(erspan_idx, KEY_STRING),
        .format = &config_format_tunnel_hex,
        .default_doc = "0",
        .doc = "Type II: the index, 20 bits, in hexadecimal digits, or `flow`.",
        .example = "\"3f\"",
    },
    {
        TUNNEL_KEY(erspan_dir, KEY_STRING),
        .or_integer = true,
        .format = &config_format_tunnel_key,
        .default_doc = "0",
        .doc = "Type III: the direction of mirrored packets, 0 (ingress) or 1 (egress), or `flow`.",
        .example = "0",
    },
    {
        TUNNEL_KEY(erspan_hwid, KEY_STRING),
        .format = &config_format_tunnel_hex,
        .default_doc = "0",
        .doc = "Type III: the identifier of the engine, 6 bits, in hexadecimal digits, or `flow`.",
        .example = "\"2a\"",
    },
    {
        TUNNEL_KEY(srv6_segs, KEY_STRING),
        .format = &config_format_tunnel_segments,
        .default_doc = "`remote_ip` alone",
        .doc = "The list of segments of `srv6`, at most 6, in the order that packets go by. The first is `remote_ip`.",
        .example = "\"2001:db8::2,2001:db8::9\"",
    },
    {
        TUNNEL_KEY(srv6_flowlabel, KEY_STRING),
        .format = &config_format_tunnel_label,
        .default_doc = "`copy`",
        .doc =
            "The flow label of outer packets of `srv6`: the inner packet's, 0 if that is IPv4 (`copy`); 0 (`zero`); a "
            "hash of the inner packet's addresses, protocol and ports (`compute`), so that the network spreads "
            "flows over its paths.",
        .example = "\"compute\"",
    },
    {
        TUNNEL_KEY(icmp_too_big, KEY_BOOL),
        .doc = "Whether who sends IP packets that do not fit the link with the outer headers is told so by ICMP "
               "(RFC 1191, 8201), so that it sends shorter ones. Either way they are dropped as `tunnel_mtu`.",
        .example = "true",
    },
};
const struct config_section config_section_tunnel = {
    .title = "bridges[].ports[].tunnel",
    .doc = "The options of a tunnel port, with the names, meanings and defaults of Open vSwitch.",
    .size = sizeof(struct config_tunnel),
    KEYS(tunnel_keys),
};
