/* The keys of a port: bridges[].ports[]. */
#include "src/config/keys_impl.h"

static const struct config_choice port_types[] = {
    {"dpdk", CONFIG_PORT_DPDK, "a device that DPDK drives, a NIC or a virtual one"},
    {"vhost-user", CONFIG_PORT_VHOST_USER, "a virtio interface of a VM or container, over a Unix socket"},
    {"tap", CONFIG_PORT_TAP, "a network interface of the kernel, which Sluice creates"},
    {"system", CONFIG_PORT_SYSTEM,
     "a network interface that the kernel has: one end of a container's veth pair, a NIC with a driver of the "
     "kernel's"},
    {"internal", CONFIG_PORT_INTERNAL,
     "a network interface of the kernel of the port's name, which Sluice creates and which stays, with its addresses, "
     "when Sluice ends or starts again: until the port is taken out of the configuration. Whether it is up is for the "
     "host to say (`ip link set NAME up`)"},
    {"patch", CONFIG_PORT_PATCH, "one end of a cable between two bridges; the other end is the port `peer`"},
    {"vxlan", CONFIG_PORT_VXLAN, "a tunnel of VXLAN (RFC 7348), with GBP or GPE if `exts` says so"},
    {"geneve", CONFIG_PORT_GENEVE, "a tunnel of Geneve (RFC 8926)"},
    {"gre", CONFIG_PORT_GRE, "a tunnel of GRE (RFC 2784, 2890)"},
    {"ip6gre", CONFIG_PORT_IP6GRE, "the same as `gre`, for frames only: either goes over IPv4 and IPv6"},
    {"erspan", CONFIG_PORT_ERSPAN, "a tunnel of ERSPAN, types II and III"},
    {"ip6erspan", CONFIG_PORT_IP6ERSPAN, "the same as `erspan`: either goes over IPv4 and IPv6"},
    {"gtpu", CONFIG_PORT_GTPU, "a tunnel of GTP-U (3GPP TS 29.281), for packets without Ethernet header"},
    {"srv6", CONFIG_PORT_SRV6, "a tunnel of SRv6 (RFC 8754, 8986), over IPv6 and for packets without Ethernet header"},
    {NULL},
};
static const struct config_choice vhost_modes[] = {
    {"client", CONFIG_VHOST_CLIENT,
     "the VM creates the socket, Sluice connects, again and again until the VM is there: either "
     "side can be restarted"},
    {"server", CONFIG_VHOST_SERVER, "Sluice creates the socket, the VM connects"},
    {NULL},
};
static const struct config_choice vlan_modes[] = {
    {"access", CONFIG_VLAN_ACCESS, "untagged packets, which belong to VLAN `tag`"},
    {"trunk", CONFIG_VLAN_TRUNK, "tagged packets of the VLANs in `trunks`; untagged ones belong to VLAN 0"},
    {"native-tagged", CONFIG_VLAN_NATIVE_TAGGED,
     "a trunk whose untagged packets belong to VLAN `tag`, and leave tagged"},
    {"native-untagged", CONFIG_VLAN_NATIVE_UNTAGGED,
     "a trunk whose untagged packets belong to VLAN `tag`, and leave untagged"},
    {NULL},
};

#define PORT_TYPE_INDEX 2
/* Ports that the datapath has. */
#define DEVICES                                                                                                        \
    (KIND(CONFIG_PORT_DPDK) | KIND(CONFIG_PORT_VHOST_USER) | KIND(CONFIG_PORT_TAP) | KIND(CONFIG_PORT_SYSTEM) |        \
     KIND(CONFIG_PORT_INTERNAL))
/* Ports that packets of an outer header go to. */
#define TUNNELS                                                                                                        \
    (KIND(CONFIG_PORT_VXLAN) | KIND(CONFIG_PORT_GENEVE) | KIND(CONFIG_PORT_GRE) | KIND(CONFIG_PORT_IP6GRE) |           \
     KIND(CONFIG_PORT_ERSPAN) | KIND(CONFIG_PORT_IP6ERSPAN) | KIND(CONFIG_PORT_GTPU) | KIND(CONFIG_PORT_SRV6))

static const struct config_key port_keys[] = {
    {
        .name = "name",
        .change = CHANGE_LIVE,
        .type = KEY_STRING,
        .offset = offsetof(struct config_port, name),
        .required = true,
        .format = &config_format_port_name,
        .doc = "Name of the port in OpenFlow and in commands. No other port of any bridge may have it.",
        .example = "\"vm1\"",
    },
    {
        .name = "ofport",
        .change = CHANGE_LIVE,
        .part = CONFIG_PART_OFPORT,
        .type = KEY_OFPORT,
        .offset = offsetof(struct config_port, ofport),
        .default_doc = "the next free number",
        .doc =
            "OpenFlow number of the port, by which rules name it; unique in its bridge. `\"LOCAL\"` makes it the "
            "bridge's LOCAL port, mostly a TAP through which the host itself takes part. Without the key a port keeps "
            "the number that it had, over restarts too; a new one gets the next free number counting upward to 32767, "
            "and not one that another port had within the last hour. A port that asks for a number takes it from one "
            "that has it without having asked. Give numbers to ports that rules name: one that is taken out of the "
            "file and put in again later gets another.",
        .example = "1",
    },
    [PORT_TYPE_INDEX] =
        {
            .name = "type",
            .change = CHANGE_REPLACE,
            .type = KEY_ENUM,
            .offset = offsetof(struct config_port, type),
            .required = true,
            .choices = port_types,
            .doc = "What the port is.",
            .example = "\"vhost-user\"",
        },
    {
        .name = "devargs",
        .change = CHANGE_REPLACE,
        .type = KEY_STRING,
        .offset = offsetof(struct config_port, devargs),
        .kinds = KIND(CONFIG_PORT_DPDK),
        .required_kinds = KIND(CONFIG_PORT_DPDK),
        .format = &config_format_devargs,
        .doc =
            "The device, as DPDK names it: the PCI address of a NIC that is bound to `vfio-pci`, or a virtual device, "
            "followed by arguments for its driver. If it works on a network interface of the kernel's "
            "(`net_af_packet0,iface=eth0`) that is deleted, the port is down until there is one of that name again, and is "
            "then made again.",
        .example = "\"0000:01:00.0\"",
    },
    {
        .name = "path",
        .change = CHANGE_REPLACE,
        .type = KEY_STRING,
        .offset = offsetof(struct config_port, path),
        .kinds = KIND(CONFIG_PORT_VHOST_USER),
        .required_kinds = KIND(CONFIG_PORT_VHOST_USER),
        .format = &config_format_socket_path,
        .doc = "The Unix socket that Sluice and the VM share. No two ports may have the same.",
        .example = "\"/run/vm1.sock\"",
    },
    {
        .name = "mode",
        .change = CHANGE_REPLACE,
        .type = KEY_ENUM,
        .offset = offsetof(struct config_port, mode),
        .kinds = KIND(CONFIG_PORT_VHOST_USER),
        .choices = vhost_modes,
        .default_int = CONFIG_VHOST_CLIENT,
        .doc = "Who owns the socket.",
        .example = "\"client\"",
    },
    {
        .name = "socket_mode",
        .change = CHANGE_LIVE,
        .part = CONFIG_PART_SOCKET,
        .type = KEY_STRING,
        .offset = offsetof(struct config_port, socket_mode),
        .kinds = KIND(CONFIG_PORT_VHOST_USER),
        .format = &config_format_file_mode,
        .default_doc = "`0777` without what the umask of `sluiced` takes away, mostly `0755`",
        .doc =
            "Permissions of the socket, in `mode` `server`: who has that of writing may connect, and so be the VM. They "
            "and the two keys below hold before anybody can connect; when they are changed a VM that is connected stays.",
        .example = "\"0660\"",
    },
    {
        .name = "socket_owner",
        .change = CHANGE_LIVE,
        .part = CONFIG_PART_SOCKET,
        .type = KEY_STRING,
        .or_integer = true,
        .offset = offsetof(struct config_port, socket_owner),
        .kinds = KIND(CONFIG_PORT_VHOST_USER),
        .format = &config_format_user,
        .default_doc = "the user that runs `sluiced`",
        .doc =
            "Who owns the socket, in `mode` `server`: the user that the VM's QEMU runs as. Only root may give sockets "
            "away.",
        .example = "\"libvirt-qemu\"",
    },
    {
        .name = "socket_group",
        .change = CHANGE_LIVE,
        .part = CONFIG_PART_SOCKET,
        .type = KEY_STRING,
        .or_integer = true,
        .offset = offsetof(struct config_port, socket_group),
        .kinds = KIND(CONFIG_PORT_VHOST_USER),
        .format = &config_format_group,
        .default_doc = "the group that `sluiced` runs with",
        .doc = "The socket's group, in `mode` `server`. Where `sluiced` is not run by root it must be a member.",
        .example = "\"kvm\"",
    },
    {
        .name = "offloads",
        .change = CHANGE_REPLACE,
        .type = KEY_BOOL,
        .offset = offsetof(struct config_port, offloads),
        .kinds = KIND(CONFIG_PORT_VHOST_USER),
        .default_int = true,
        .doc =
            "Whether the VM is offered to leave TCP and UDP checksums and the cutting of large packets to others, and to "
            "take packets like that. They stay whole from VM to VM, and to interfaces of the kernel's; for every other "
            "port Sluice finishes them.",
        .example = "true",
    },
    {
        .name = "gro",
        .change = CHANGE_REPLACE,
        .type = KEY_BOOL,
        .offset = offsetof(struct config_port, gro),
        .kinds = KIND(CONFIG_PORT_VHOST_USER),
        .default_int = false,
        .doc =
            "Whether TCP segments that follow each other in a burst are merged into one large packet for the VM, if its "
            "driver takes such: for streams from network cards or other ports whose packets come cut. Their checksums "
            "are verified before, which costs the switch a look at every byte and saves the VM most of its work for "
            "each packet. Nothing waits for more packets to come.",
        .example = "true",
    },
    {
        .name = "ifname",
        .change = CHANGE_REPLACE,
        .type = KEY_STRING,
        .offset = offsetof(struct config_port, ifname),
        .kinds = KIND(CONFIG_PORT_TAP) | KIND(CONFIG_PORT_SYSTEM),
        .format = &config_format_ifname,
        .default_doc = "the port's `name`",
        .doc =
            "Name of the kernel's network interface. That of a `tap` is created by Sluice; if it is deleted the port "
            "is down until the next `sluicectl reload`, which makes both again. That of a `system` port is "
            "somebody else's; while there is none of that name the port is down.",
        .example = "\"tap0\"",
    },
    {
        .name = "peer",
        .change = CHANGE_REPLACE,
        .type = KEY_STRING,
        .offset = offsetof(struct config_port, peer),
        .kinds = KIND(CONFIG_PORT_PATCH),
        .required_kinds = KIND(CONFIG_PORT_PATCH),
        .format = &config_format_port_name,
        .doc = "Name of the patch port at the other end, mostly in another bridge, which has to name this one. While "
               "there is no such port this one has no link, and what is sent to it is dropped as `patch_no_peer`.",
        .example = "\"to-br0\"",
    },
    {
        .name = "rx_queues",
        .change = CHANGE_REPLACE,
        .type = KEY_INT,
        .offset = offsetof(struct config_port, rx_queues),
        .kinds = DEVICES,
        .min = 1,
        .max = 64,
        .default_int = 1,
        .unit = "queues",
        .doc = "Receive queues of the port, which is how many poll-mode threads can serve it at once. For `vhost-user` "
               "the VM's "
               "interface must have as many queue pairs.",
        .example = "2",
    },
    {
        .name = "rx_descriptors",
        .change = CHANGE_REPLACE,
        .type = KEY_INT,
        .offset = offsetof(struct config_port, rx_descriptors),
        .kinds = KIND(CONFIG_PORT_DPDK),
        .min = 32,
        .max = 4096,
        .default_int = 1024,
        .unit = "packets",
        .doc =
            "How many packets each receive queue of the device holds until a poll-mode thread takes them. The device "
            "may have a limit, which is used then. Each costs a packet buffer.",
        .example = "2048",
    },
    {
        .name = "tx_descriptors",
        .change = CHANGE_REPLACE,
        .type = KEY_INT,
        .offset = offsetof(struct config_port, tx_descriptors),
        .kinds = KIND(CONFIG_PORT_DPDK),
        .min = 32,
        .max = 4096,
        .default_int = 1024,
        .unit = "packets",
        .doc = "The same of packets that wait in a transmit queue for the device to send them.",
        .example = "2048",
    },
    {
        .name = "rx_cores",
        .change = CHANGE_LIVE,
        .part = CONFIG_PART_RX_CORES,
        .type = KEY_INTS,
        .offset = offsetof(struct config_port, rx_cores),
        .count_offset = offsetof(struct config_port, n_rx_cores),
        .kinds = DEVICES,
        .min = CONFIG_CORE_NONE,
        .max = 1023,
        .max_items = 64,
        .default_doc = "any",
        .unit = "CPU numbers",
        .doc = "The CPU of the poll-mode thread that polls each receive queue, queue 0 first; `-1`, a queue without a "
               "number, and a CPU without a poll-mode thread are any. Such a CPU gets no other queues: see "
               "`pmd.isolate`. Queues move while packets flow; none is lost.",
        .example = "[3, 5]",
    },
    {
        .name = "mtu",
        .change = CHANGE_LIVE,
        .part = CONFIG_PART_MTU,
        .type = KEY_INT,
        .offset = offsetof(struct config_port, mtu),
        .kinds = DEVICES,
        .min = 68,
        .max = 9710,
        .zero =
            "1500; for `system` what the interface has; for `internal` the smallest of the bridge's other ports, less "
            "what tunnels put in front",
        .unit = "bytes",
        .doc =
            "Longest packet of the port, without Ethernet header and VLAN tags. A `system` port's interface is set to "
            "it.",
        .example = "9000",
    },
    {
        .name = "mac",
        .change = CHANGE_REPLACE,
        .type = KEY_MAC,
        .offset = offsetof(struct config_port, mac),
        .kinds = DEVICES,
        .default_doc = "the device's own address; of `LOCAL` as `internal` one derived as the bridge's `datapath_id`",
        .doc = "Ethernet address of the port, as OpenFlow reports it and, for a TAP, as the kernel's interface has it. "
               "Not "
               "that of the VM's interface.",
        .example = "\"02:00:00:00:00:01\"",
    },
    {
        .name = "vlan_mode",
        .change = CHANGE_LIVE,
        .part = CONFIG_PART_VLANS,
        .type = KEY_ENUM,
        .offset = offsetof(struct config_port, vlan_mode),
        .choices = vlan_modes,
        .default_int = CONFIG_VLAN_UNSET,
        .default_doc = "`\"access\"` if `tag` is given, else `\"trunk\"`",
        .doc = "How the action NORMAL, and the learning switch of a standalone bridge, treat VLANs on this port, as in "
               "OVS. Rules "
               "with other actions see packets as they are.",
        .example = "\"native-untagged\"",
    },
    {
        .name = "tag",
        .change = CHANGE_LIVE,
        .part = CONFIG_PART_VLANS,
        .type = KEY_INT,
        .offset = offsetof(struct config_port, tag),
        .min = 0,
        .max = 4095,
        .default_int = CONFIG_TAG_NONE,
        .default_doc = "none",
        .unit = "VLAN ID",
        .doc = "The VLAN of an access port, or the native VLAN of the two native modes.",
        .example = "100",
    },
    {
        .name = "trunks",
        .change = CHANGE_LIVE,
        .part = CONFIG_PART_VLANS,
        .type = KEY_INTS,
        .offset = offsetof(struct config_port, trunks),
        .count_offset = offsetof(struct config_port, n_trunks),
        .min = 0,
        .max = 4095,
        .max_items = 4096,
        .default_doc = "all VLANs",
        .unit = "VLAN IDs",
        .doc = "The VLANs that a trunk or native port carries. VLAN 0 stands for untagged packets.",
        .example = "[100, 200]",
    },
    {
        .name = "flood",
        .change = CHANGE_LIVE,
        .part = CONFIG_PART_FLOOD,
        .type = KEY_BOOL,
        .offset = offsetof(struct config_port, flood),
        .default_int = true,
        .doc = "Whether FLOOD, and NORMAL for destinations not learned yet, send out of this port (OpenFlow 1.0's "
               "NO_FLOOD is the "
               "opposite).",
        .example = "true",
    },
    {
        .name = "lacp_port_id",
        .change = CHANGE_LIVE,
        .part = CONFIG_PART_LACP,
        .type = KEY_INT,
        .offset = offsetof(struct config_port, lacp_port_id),
        .min = 1,
        .max = 65535,
        .zero = "its OpenFlow number",
        .doc = "Number of the port in LACP, if it is a member of a bond that speaks it.",
        .example = "1",
    },
    {
        .name = "lacp_port_priority",
        .change = CHANGE_LIVE,
        .part = CONFIG_PART_LACP,
        .type = KEY_INT,
        .offset = offsetof(struct config_port, lacp_port_priority),
        .min = 1,
        .max = 65535,
        .zero = "65535",
        .doc = "Links with the lower number are preferred, if this end decides (`lacp_system_priority`).",
        .example = "100",
    },
    {
        .name = "lacp_aggregation_key",
        .change = CHANGE_LIVE,
        .part = CONFIG_PART_LACP,
        .type = KEY_INT,
        .offset = offsetof(struct config_port, lacp_aggregation_key),
        .min = 1,
        .max = 65535,
        .zero = "the port's number in LACP",
        .doc = "Key of the bond in LACP; that of the member that joined first counts.",
        .example = "1",
    },
    {
        .name = "ingress_policing_rate",
        .change = CHANGE_LIVE,
        .part = CONFIG_PART_POLICING,
        .type = KEY_INT,
        .offset = offsetof(struct config_port, policing.rate),
        .kinds = DEVICES,
        .min = 1,
        .max = INT32_MAX,
        .zero = "no limit",
        .unit = "kbit/s",
        .doc =
            "How much the port may bring in. What is above is dropped, as `rx_policed`, before any rule sees it. Ethernet "
            "headers count; of a large packet that is to be cut into segments all segments do. It holds for all receive "
            "queues of the port together. A rate that TCP is to fill needs a burst of about a tenth of a second of it.",
        .example = "10000",
    },
    {
        .name = "ingress_policing_burst",
        .change = CHANGE_LIVE,
        .part = CONFIG_PART_POLICING,
        .type = KEY_INT,
        .offset = offsetof(struct config_port, policing.burst),
        .kinds = DEVICES,
        .min = 1,
        .max = INT32_MAX,
        .zero = "8000",
        .unit = "kbit",
        .doc =
            "How much may come at once, after a pause, with `ingress_policing_rate`: at least what comes in 5 ms at that rate.",
        .example = "1000",
    },
    {
        .name = "ingress_policing_kpkts_rate",
        .change = CHANGE_LIVE,
        .part = CONFIG_PART_POLICING,
        .type = KEY_INT,
        .offset = offsetof(struct config_port, policing.kpkts_rate),
        .kinds = DEVICES,
        .min = 1,
        .max = INT32_MAX,
        .zero = "no limit",
        .unit = "1000 packets/s",
        .doc = "As `ingress_policing_rate`, in packets. With both, a packet must be within both.",
        .example = "100",
    },
    {
        .name = "ingress_policing_kpkts_burst",
        .change = CHANGE_LIVE,
        .part = CONFIG_PART_POLICING,
        .type = KEY_INT,
        .offset = offsetof(struct config_port, policing.kpkts_burst),
        .kinds = DEVICES,
        .min = 1,
        .max = INT32_MAX,
        .zero = "16",
        .unit = "1000 packets",
        .doc = "As `ingress_policing_burst`, in packets.",
        .example = "10",
    },
    {
        .name = "qos",
        .type = KEY_SECTION,
        .offset = offsetof(struct config_port, qos),
        .kinds = DEVICES,
        .section = &config_section_qos,
        .doc = "How fast the port may send, and by which queues.",
        .example = "{\"type\": \"linux-htb\", \"max_rate\": 3000}",
    },
    {
        .name = "bfd",
        .type = KEY_SECTION,
        .offset = offsetof(struct config_port, bfd),
        .section = &config_section_bfd,
        .doc = "Watches the path to the neighbor at the other end of the port, by BFD.",
    },
    {
        .name = "stp",
        .type = KEY_SECTION,
        .offset = offsetof(struct config_port, stp),
        .section = &config_section_port_stp,
        .doc = "The port in its bridge's spanning tree.",
    },
    {
        .name = "tunnel",
        .type = KEY_SECTION,
        .offset = offsetof(struct config_port, tunnel),
        .kinds = TUNNELS,
        .required_kinds = TUNNELS,
        .section = &config_section_tunnel,
        .doc = "Where a tunnel leads, and what its outer headers say.",
        .example = "{\"remote_ip\": \"192.0.2.2\", \"key\": \"5000\"}",
    },
};
const struct config_section config_section_port = {
    .title = "bridges[].ports[]",
    .doc = "One port of a bridge. Some keys belong to one `type` only.",
    .size = sizeof(struct config_port),
    KEYS(port_keys),
    .kind = &port_keys[PORT_TYPE_INDEX],
};
