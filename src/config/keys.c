#include "src/config/keys.h"

#include "src/config/model.h"

#define KIND(type) (1u << (type))
#define COUNT(array) (sizeof array / sizeof((array)[0]))
#define KEYS(table) .keys = (table), .n_keys = COUNT(table)

static const struct config_key dpdk_keys[] = {
    {
        .name = "eal_args",
        .type = KEY_STRINGS,
        .offset = offsetof(struct config_dpdk, eal_args),
        .count_offset = offsetof(struct config_dpdk, n_eal_args),
        .max_items = 64,
        .format = &config_format_eal_arg,
        .default_doc = "none",
        .doc = "Arguments for DPDK's environment abstraction layer (EAL), one word per element, as on the command line "
               "of a "
               "DPDK program. Sluice adds the cores and `--no-huge` itself.",
        .example = "[\"--no-pci\", \"--in-memory\", \"-m\", \"1024\"]",
    },
    {
        .name = "hugepages",
        .type = KEY_BOOL,
        .offset = offsetof(struct config_dpdk, hugepages),
        .default_int = true,
        .doc =
            "Whether to take memory from hugepages. With `true` on a machine that has none, Sluice says what is "
            "missing and "
            "runs on ordinary pages; with `false` it never asks for them. Ordinary pages cost speed, and physical NICs "
            "mostly need hugepages.",
        .example = "true",
    },
    {
        .name = "telemetry",
        .type = KEY_BOOL,
        .offset = offsetof(struct config_dpdk, telemetry),
        .default_int = false,
        .doc = "Whether DPDK opens its telemetry socket (`/run/dpdk/<file-prefix>/dpdk_telemetry.v2`) for "
               "`dpdk-telemetry.py`. It is served by a thread of DPDK's own, and what Sluice counts is told by "
               "`sluicectl`.",
        .example = "false",
    },
    {
        .name = "mbufs",
        .type = KEY_INT,
        .offset = offsetof(struct config_dpdk, mbufs),
        .min = 1024,
        .max = 16777216,
        .zero = "computed from the ports, their queues and the poll-mode threads",
        .unit = "packets",
        .doc = "Packet buffers in the pool of each NUMA node. Raise it when `sluicectl drops` shows `no_mbuf`, or when "
               "a port "
               "such as `net_pcap` with `infinite_rx=1` keeps many packets for itself.",
        .example = "65536",
    },
    {
        .name = "mbuf_size",
        .type = KEY_INT,
        .offset = offsetof(struct config_dpdk, mbuf_size),
        .min = 1024,
        .max = 16384,
        .zero = "as much as the largest `mtu` of the ports needs",
        .unit = "bytes",
        .doc = "Packet data that fits into one buffer. Give it when ports with a larger `mtu` than those in the file "
               "will be "
               "added while Sluice runs.",
        .example = "9216",
    },
};
static const struct config_section dpdk_section = {
    .title = "dpdk",
    .doc = "How DPDK is started.",
    .size = sizeof(struct config_dpdk),
    KEYS(dpdk_keys),
};

static const struct config_key pmd_keys[] = {
    {
        .name = "cores",
        .type = KEY_INTS,
        .offset = offsetof(struct config_pmd, cores),
        .count_offset = offsetof(struct config_pmd, n_cores),
        .required = true,
        .min = 0,
        .max = 1023,
        .min_items = 1,
        .max_items = 127,
        .unit = "CPU numbers",
        .doc = "The CPUs that forward packets, one pinned poll-mode thread on each. Such a CPU is busy all the time "
               "unless "
               "`max_sleep_us` is set; which ones to give away is the operator's choice, so there is no default. The "
               "receive "
               "queues of all ports are spread over them, those of the NIC's own NUMA node first.",
        .example = "[1, 2]",
    },
    {
        .name = "max_sleep_us",
        .change = CHANGE_LIVE,
        .part = CONFIG_PART_SLEEP,
        .type = KEY_INT,
        .offset = offsetof(struct config_pmd, max_sleep_us),
        .min = 0,
        .max = 10000,
        .unit = "microseconds",
        .doc = "The longest that an idle poll-mode thread may sleep; it works up to this in growing steps while no "
               "packet comes. "
               "`0` never sleeps. A sleep saves power and adds up to its length to the latency of the first packet.",
        .example = "0",
    },
    {
        .name = "emc_entries",
        .type = KEY_INT,
        .offset = offsetof(struct config_pmd, emc_entries),
        .min = 1024,
        .max = 16777216,
        .zero = "no such cache, for measurements",
        .power_of_two = true,
        .default_int = 262144,
        .unit = "flows",
        .doc =
            "Size of the exact-match cache of each poll-mode thread. An entry takes 4.3 bytes: the default about what "
            "the L2 cache of a server core holds, a million entries 4.3 MiB of L3. Best about twice the number of "
            "concurrent flows; more has no use.",
        .example = "262144",
    },
    {
        .name = "megaflow_limit",
        .type = KEY_INT,
        .offset = offsetof(struct config_pmd, megaflow_limit),
        .min = 1024,
        .max = 16777216,
        .default_int = 1000000,
        .unit = "megaflows",
        .doc = "How many megaflows the switch holds at most. It bounds memory (some hundred bytes each) and not speed: "
               "lookups "
               "cost about the same at a thousand and at a million.",
        .example = "1000000",
    },
    {
        .name = "max_masks",
        .type = KEY_INT,
        .offset = offsetof(struct config_pmd, max_masks),
        .min = 1,
        .max = 1024,
        .default_int = 64,
        .unit = "masks",
        .doc =
            "How many distinct masks (tuples) the megaflow classifier may have, which bounds the cost of a lookup that "
            "the "
            "exact-match cache does not answer, whatever rules and packets arrive. At the bound, new megaflows use a "
            "more exact mask that is already there: more megaflows, the same forwarding.",
        .example = "64",
    },
    {
        .name = "miss_ring",
        .type = KEY_INT,
        .offset = offsetof(struct config_pmd, miss_ring),
        .min = 64,
        .max = 65536,
        .power_of_two = true,
        .default_int = 4096,
        .unit = "packets",
        .doc = "Packets of new flows that one poll-mode thread may have waiting for the control thread. What finds the "
               "ring full is "
               "dropped and counted as `miss_ring_full`. A longer ring rides out longer bursts of new flows and keeps "
               "more "
               "packet buffers busy.",
        .example = "4096",
    },
};
static const struct config_section pmd_section = {
    .title = "pmd",
    .doc = "The poll-mode threads and their caches.",
    .size = sizeof(struct config_pmd),
    KEYS(pmd_keys),
};

static const struct config_key conntrack_keys[] = {
    {
        .name = "max_connections",
        .type = KEY_INT,
        .offset = offsetof(struct config_conntrack, max_connections),
        .min = 1,
        .max = 50000000,
        .default_int = 3000000,
        .unit = "connections",
        .doc = "How many connections the action `ct(commit)` tracks at most, in all zones together. A new one beyond "
               "that is dropped and counted as `ct_table_full`. Once the rules use the action it takes 19 bytes of "
               "memory for each of these, and 128 (IPv6: 192) more for each that there is.",
        .example = "3000000",
    },
};
static const struct config_section conntrack_section = {
    .title = "conntrack",
    .doc = "Connection tracking: the action `ct` and the fields `ct_state` and others.",
    .size = sizeof(struct config_conntrack),
    KEYS(conntrack_keys),
};

static const struct config_key control_keys[] = {
    {
        .name = "core",
        .type = KEY_INT,
        .offset = offsetof(struct config_control, core),
        .min = 0,
        .max = 1023,
        .default_int = CONFIG_CORE_NONE,
        .default_doc = "not pinned",
        .unit = "CPU number",
        .doc =
            "The CPU of the control thread. It must not be one of `pmd.cores`, whose threads leave no time to others.",
        .example = "0",
    },
};
static const struct config_section control_section = {
    .title = "control",
    .doc = "The control thread: OpenFlow, misses, statistics, the control socket.",
    .size = sizeof(struct config_control),
    KEYS(control_keys),
};

static const struct config_choice log_levels[] = {
    {"err", CONFIG_LOG_ERR, "what failed"},
    {"warn", CONFIG_LOG_WARN, "and what may fail soon"},
    {"info", CONFIG_LOG_INFO, "and what changed: ports, connections, configuration"},
    {"dbg", CONFIG_LOG_DBG, "and how it came to that"},
    {NULL},
};
static const struct config_key log_keys[] = {
    {
        .name = "level",
        .change = CHANGE_LIVE,
        .part = CONFIG_PART_LOG,
        .type = KEY_ENUM,
        .offset = offsetof(struct config_log, level),
        .choices = log_levels,
        .default_int = CONFIG_LOG_INFO,
        .doc = "How much is written to the log, which is the standard error stream (under systemd: the journal). Each "
               "level "
               "includes those before it.",
        .example = "\"info\"",
    },
};
static const struct config_section log_section = {
    .title = "log",
    .doc = "The log.",
    .size = sizeof(struct config_log),
    KEYS(log_keys),
};

static const struct config_key tls_keys[] = {
    {
        .name = "private_key",
        .change = CHANGE_LIVE,
        .part = CONFIG_PART_TLS,
        .type = KEY_STRING,
        .offset = offsetof(struct config_tls, private_key),
        .format = &config_format_file,
        .required = true,
        .doc = "PEM file with the private key of this switch, without a passphrase. It should be readable by the user "
               "that runs Sluice alone.",
        .example = "\"/etc/sluice/sc-privkey.pem\"",
    },
    {
        .name = "certificate",
        .change = CHANGE_LIVE,
        .part = CONFIG_PART_TLS,
        .type = KEY_STRING,
        .offset = offsetof(struct config_tls, certificate),
        .format = &config_format_file,
        .required = true,
        .doc = "PEM file with the certificate of `private_key`, followed by those that lead from it to the authority, "
               "if there are any between.",
        .example = "\"/etc/sluice/sc-cert.pem\"",
    },
    {
        .name = "ca_certificate",
        .change = CHANGE_LIVE,
        .part = CONFIG_PART_TLS,
        .type = KEY_STRING,
        .offset = offsetof(struct config_tls, ca_certificate),
        .format = &config_format_file,
        .required = true,
        .doc = "PEM file with the certificates of the authorities that controllers must be certified by. Whose "
               "certificate they signed is trusted, whatever name it carries.",
        .example = "\"/etc/sluice/cacert.pem\"",
    },
};
static const struct config_section tls_section = {
    .title = "tls",
    .doc = "TLS of the OpenFlow connections `ssl:` and `pssl:`, version 1.2 or later. Both sides show a certificate. "
           "Connections made after a file has changed use what it says then.",
    .size = sizeof(struct config_tls),
    KEYS(tls_keys),
};

static const struct config_key ovsdb_keys[] = {
    {
        .name = "remote",
        .type = KEY_STRING,
        .offset = offsetof(struct config_ovsdb, remote),
        .format = &config_format_database,
        .required = true,
        .doc = "The OVSDB server that has the database `Open_vSwitch`. Without a port number it is 6640. `ssl:` is TLS "
               "with the files of the section `tls`.",
        .example = "\"unix:/run/openvswitch/db.sock\"",
    },
};
static const struct config_section ovsdb_section = {
    .title = "ovsdb",
    .doc = "Takes bridges, ports, controllers and TLS files from Open vSwitch's database instead of from this file, as "
           "`ovs-vsctl` and those who use it write them there, and keeps the database informed of their state. "
           "`bridges` is an empty list then; DPDK, memory and cores stay in the file.",
    .size = sizeof(struct config_ovsdb),
    KEYS(ovsdb_keys),
};

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
        .name = "mtu",
        .change = CHANGE_LIVE,
        .part = CONFIG_PART_MTU,
        .type = KEY_INT,
        .offset = offsetof(struct config_port, mtu),
        .kinds = DEVICES,
        .min = 68,
        .max = 9710,
        .zero = "1500; for `system` what the interface has",
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
        .default_doc = "the device's own address",
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
};
const struct config_section config_section_port = {
    .title = "bridges[].ports[]",
    .doc = "One port of a bridge. Some keys belong to one `type` only.",
    .size = sizeof(struct config_port),
    KEYS(port_keys),
    .kind = &port_keys[PORT_TYPE_INDEX],
};

static const struct config_key table_keys[] = {
    {
        .name = "table",
        .change = CHANGE_LIVE,
        .type = KEY_INT,
        .offset = offsetof(struct config_table, table),
        .required = true,
        .min = 0,
        .max = 254,
        .unit = "OpenFlow table",
        .doc = "Which table; each at most once.",
        .example = "1",
    },
    {
        .name = "max_entries",
        .change = CHANGE_LIVE,
        .type = KEY_INT,
        .offset = offsetof(struct config_table, max_entries),
        .min = 1,
        .max = 1000000,
        .zero = "any number",
        .unit = "rules",
        .doc = "How many rules the table takes. A full one refuses another with `OFPFMFC_TABLE_FULL`.",
        .example = "1000",
    },
    {
        .name = "eviction",
        .change = CHANGE_LIVE,
        .type = KEY_BOOL,
        .offset = offsetof(struct config_table, eviction),
        .doc = "Whether a full table rather gives up its least important rule, of those the one that would go next, of "
               "those the least recently used.",
        .example = "true",
    },
};
static const struct config_section table_section = {
    .title = "bridges[].tables[]",
    .doc = "What an OpenFlow table of the bridge starts with. Controllers can change it; a changed file does so again.",
    .size = sizeof(struct config_table),
    KEYS(table_keys),
};

static const struct config_key controller_keys[] = {
    {
        .name = "target",
        .change = CHANGE_LIVE,
        .type = KEY_STRING,
        .offset = offsetof(struct config_controller, target),
        .required = true,
        .format = &config_format_controller,
        .doc = "Where to connect to.",
        .example = "\"tcp:127.0.0.1:6653\"",
    },
    {
        .name = "inactivity_probe",
        .change = CHANGE_LIVE,
        .type = KEY_INT,
        .offset = offsetof(struct config_controller, inactivity_probe),
        .min = 100,
        .max = 3600000,
        .zero = "no probes",
        .default_int = CONFIG_INHERIT,
        .default_doc = "the bridge's",
        .unit = "milliseconds",
        .doc = "As the bridge's key of this name, for this controller.",
        .example = "10000",
    },
    {
        .name = "max_backoff",
        .change = CHANGE_LIVE,
        .type = KEY_INT,
        .offset = offsetof(struct config_controller, max_backoff),
        .min = 1000,
        .max = 3600000,
        .default_int = 8000,
        .unit = "milliseconds",
        .doc = "The longest pause between two attempts to connect.",
        .example = "8000",
    },
    {
        .name = "rate_limit",
        .change = CHANGE_LIVE,
        .type = KEY_INT,
        .offset = offsetof(struct config_controller, rate_limit),
        .min = 100,
        .max = 10000000,
        .zero = "no limit",
        .default_int = CONFIG_INHERIT,
        .default_doc = "the bridge's `controller_rate_limit`",
        .unit = "packets a second",
        .doc = "As `controller_rate_limit`, for this controller.",
        .example = "1000",
    },
    {
        .name = "burst_limit",
        .change = CHANGE_LIVE,
        .type = KEY_INT,
        .offset = offsetof(struct config_controller, burst_limit),
        .min = 25,
        .max = 10000000,
        .zero = "a quarter of the rate",
        .default_int = CONFIG_INHERIT,
        .default_doc = "the bridge's `controller_burst_limit`",
        .unit = "packets",
        .doc = "As `controller_burst_limit`, for this controller.",
        .example = "250",
    },
    {
        .name = "enable_async",
        .change = CHANGE_LIVE,
        .type = KEY_BOOL,
        .offset = offsetof(struct config_controller, enable_async),
        .default_int = true,
        .doc = "Whether the controller gets packet-ins, port status and other asynchronous messages before it has said "
               "which ones it wants.",
        .example = "false",
    },
};
static const struct config_section controller_section = {
    .title = "bridges[].controllers[]",
    .doc = "One controller. Instead of an object with `target` alone the target may be written.",
    .size = sizeof(struct config_controller),
    KEYS(controller_keys),
    .shorthand = &controller_keys[0],
};

static const struct config_choice fail_modes[] = {
    {"standalone", CONFIG_FAIL_STANDALONE, "while no controller is connected the bridge is a learning switch"},
    {"secure", CONFIG_FAIL_SECURE,
     "the bridge starts without rules and drops all until someone writes some; a lost "
     "controller changes nothing"},
    {NULL},
};
static const struct config_key bridge_keys[] = {
    {
        .name = "name",
        .change = CHANGE_LIVE,
        .type = KEY_STRING,
        .offset = offsetof(struct config_bridge, name),
        .required = true,
        .format = &config_format_bridge_name,
        .doc = "Name of the bridge in commands; unique. Its OpenFlow socket for tools is `<run_dir>/<name>.mgmt`; "
               "`ovs-ofctl snoop` shows on `<run_dir>/<name>.snoop` what it and its controllers say to each other.",
        .example = "\"br0\"",
    },
    {
        .name = "datapath_id",
        .change = CHANGE_LIVE,
        .part = CONFIG_PART_DATAPATH_ID,
        .type = KEY_DATAPATH_ID,
        .offset = offsetof(struct config_bridge, datapath_id),
        .default_doc = "derived from `name`, so that it stays the same",
        .doc = "The number by which controllers know the bridge; unique.",
        .example = "\"0000000000000001\"",
    },
    {
        .name = "fail_mode",
        .change = CHANGE_LIVE,
        .part = CONFIG_PART_CONNECTIONS,
        .type = KEY_ENUM,
        .offset = offsetof(struct config_bridge, fail_mode),
        .choices = fail_modes,
        .default_int = CONFIG_FAIL_STANDALONE,
        .doc = "What the bridge does when no controller tells it what to do.",
        .example = "\"secure\"",
    },
    {
        .name = "controllers",
        .change = CHANGE_LIVE,
        .part = CONFIG_PART_CONNECTIONS,
        .type = KEY_SECTIONS,
        .offset = offsetof(struct config_bridge, controllers),
        .count_offset = offsetof(struct config_bridge, n_controllers),
        .max_items = CONFIG_CONTROLLERS_MAX,
        .section = &controller_section,
        .default_doc = "none",
        .doc = "OpenFlow controllers to connect to, again and again with growing pauses. Without a port number it is "
               "6653. IPv6 "
               "addresses are written in brackets, host names are not looked up. `ssl:` is TLS, which needs the "
               "section `tls`. An element is the target alone, or an object with what holds for this controller only.",
        .example = "[\"tcp:127.0.0.1:6653\"]",
    },
    {
        .name = "listen",
        .change = CHANGE_LIVE,
        .part = CONFIG_PART_CONNECTIONS,
        .type = KEY_STRINGS,
        .offset = offsetof(struct config_bridge, listen),
        .count_offset = offsetof(struct config_bridge, n_listen),
        .max_items = 16,
        .format = &config_format_listen,
        .default_doc = "none",
        .doc = "Where to listen for OpenFlow connections, besides `<run_dir>/<name>.mgmt`. Without an IP address it is "
               "all of "
               "the host's IPv4 addresses; whoever can connect can change the rules, to `pssl:` those with a "
               "certificate of the "
               "authority in `tls`.",
        .example = "[\"ptcp:6654:127.0.0.1\"]",
    },
    {
        .name = "protocols",
        .change = CHANGE_LIVE,
        .part = CONFIG_PART_CONNECTIONS,
        .type = KEY_STRINGS,
        .offset = offsetof(struct config_bridge, protocols),
        .count_offset = offsetof(struct config_bridge, n_protocols),
        .max_items = 4,
        .format = &config_format_protocol,
        .default_doc = "all",
        .doc = "The versions of OpenFlow that the bridge speaks, to controllers and to `ovs-ofctl`. Of those that both "
               "sides speak the latest is used.",
        .example = "[\"OpenFlow10\", \"OpenFlow13\"]",
    },
    {
        .name = "auxiliary_connections",
        .change = CHANGE_LIVE,
        .part = CONFIG_PART_CONNECTIONS,
        .type = KEY_INT,
        .offset = offsetof(struct config_bridge, auxiliary_connections),
        .min = 0,
        .max = 7,
        .unit = "connections",
        .doc =
            "How many auxiliary connections to make to each controller beside the main one (OpenFlow 1.3 and later). "
            "Packet-ins then come on those, so that many of them do not hold up what else the controller does. Not "
            "every controller can do with them.",
        .example = "2",
    },
    {
        .name = "controller_rate_limit",
        .change = CHANGE_LIVE,
        .part = CONFIG_PART_CONNECTIONS,
        .type = KEY_INT,
        .offset = offsetof(struct config_bridge, controller_rate_limit),
        .min = 100,
        .max = 10000000,
        .zero = "no limit",
        .unit = "packets a second",
        .doc =
            "How many packet-ins a controller gets at most: so many table misses, and so many that actions send. What "
            "is above is dropped and counted, see `sluicectl controllers`. With or without a limit a controller that "
            "does not read as fast loses packet-ins.",
        .example = "1000",
    },
    {
        .name = "controller_burst_limit",
        .change = CHANGE_LIVE,
        .part = CONFIG_PART_CONNECTIONS,
        .type = KEY_INT,
        .offset = offsetof(struct config_bridge, controller_burst_limit),
        .min = 25,
        .max = 10000000,
        .zero = "a quarter of `controller_rate_limit`",
        .unit = "packets",
        .doc = "How many packet-ins may come at once after a pause, with `controller_rate_limit`.",
        .example = "250",
    },
    {
        .name = "inactivity_probe",
        .change = CHANGE_LIVE,
        .part = CONFIG_PART_CONNECTIONS,
        .type = KEY_INT,
        .offset = offsetof(struct config_bridge, inactivity_probe),
        .min = 100,
        .max = 3600000,
        .zero = "no probes",
        .default_int = 5000,
        .unit = "milliseconds",
        .doc =
            "After how long a silence of a controller to ask whether it is still there; after as long again without an "
            "answer the connection counts as lost.",
        .example = "5000",
    },
    {
        .name = "max_rules",
        .change = CHANGE_LIVE,
        .part = CONFIG_PART_MAX_RULES,
        .type = KEY_INT,
        .offset = offsetof(struct config_bridge, max_rules),
        .min = 1,
        .max = 100000000,
        .default_int = 2000000,
        .unit = "rules",
        .doc = "How many OpenFlow rules the bridge takes in all its tables. A rule takes about 400 bytes, so the "
               "default bounds them to 800 MB; a controller that adds more gets the error that the table is full, "
               "unless the table evicts. `tables` limits single tables.",
        .example = "2000000",
    },
    {
        .name = "bundle_memory",
        .change = CHANGE_LIVE,
        .part = CONFIG_PART_CONNECTIONS,
        .type = KEY_INT,
        .offset = offsetof(struct config_bridge, bundle_memory),
        .min = 1,
        .max = 65536,
        .default_int = 1024,
        .unit = "MiB",
        .doc = "How much memory the messages of open bundles may take, those of all connections of the bridge "
               "together. A message that goes beyond is refused with the error that the bundle has too many of them. A "
               "million rules are some 120 MiB.",
        .example = "1024",
    },
    {
        .name = "mac_table_size",
        .change = CHANGE_LIVE,
        .part = CONFIG_PART_MACS,
        .type = KEY_INT,
        .offset = offsetof(struct config_bridge, mac_table_size),
        .min = 10,
        .max = 1048576,
        .default_int = 8192,
        .unit = "addresses",
        .doc = "Addresses that NORMAL learns at most.",
        .example = "8192",
    },
    {
        .name = "mac_aging_time",
        .change = CHANGE_LIVE,
        .part = CONFIG_PART_MACS,
        .type = KEY_INT,
        .offset = offsetof(struct config_bridge, mac_aging_time),
        .min = 15,
        .max = 86400,
        .default_int = 300,
        .unit = "seconds",
        .doc = "After how long without a packet a learned address is forgotten.",
        .example = "300",
    },
    {
        .name = "tables",
        .change = CHANGE_LIVE,
        .part = CONFIG_PART_TABLES,
        .type = KEY_SECTIONS,
        .offset = offsetof(struct config_bridge, tables),
        .count_offset = offsetof(struct config_bridge, n_tables),
        .max_items = 255,
        .section = &table_section,
        .default_doc = "none",
        .doc = "Tables that start with a limit; the others take any number of rules.",
        .example = "[{\"table\": 1, \"max_entries\": 1000, \"eviction\": true}]",
    },
    {
        .name = "ports",
        .change = CHANGE_LIVE,
        .type = KEY_SECTIONS,
        .offset = offsetof(struct config_bridge, ports),
        .count_offset = offsetof(struct config_bridge, n_ports),
        .max_items = 4096,
        .section = &config_section_port,
        .default_doc = "none",
        .doc = "The ports of the bridge.",
        .example = "[{\"name\": \"t1\", \"ofport\": 1, \"type\": \"tap\"}]",
    },
};
const struct config_section config_section_bridge = {
    .title = "bridges[]",
    .doc = "One bridge: a switch of its own, with its own ports, rules and controllers. All bridges share the "
           "poll-mode threads.",
    .size = sizeof(struct config_bridge),
    KEYS(bridge_keys),
};

static const struct config_key root_keys[] = {
    {
        .name = "run_dir",
        .type = KEY_STRING,
        .offset = offsetof(struct config, run_dir),
        .format = &config_format_directory,
        .default_string = "/run/sluice",
        .doc = "Directory of the control socket `sluiced.ctl` and of each bridge's OpenFlow socket `<name>.mgmt`. "
               "Sluice creates it. "
               "Two instances on a host need two of them.",
        .example = "\"/run/sluice\"",
    },
    {
        .name = "dpdk",
        .type = KEY_SECTION,
        .offset = offsetof(struct config, dpdk),
        .section = &dpdk_section,
        .doc = "How DPDK is started.",
        .example = "{\"eal_args\": [\"--in-memory\"]}",
    },
    {
        .name = "pmd",
        .type = KEY_SECTION,
        .offset = offsetof(struct config, pmd),
        .required = true,
        .section = &pmd_section,
        .doc = "The poll-mode threads and their caches.",
        .example = "{\"cores\": [1]}",
    },
    {
        .name = "conntrack",
        .type = KEY_SECTION,
        .offset = offsetof(struct config, conntrack),
        .section = &conntrack_section,
        .doc = "Connection tracking.",
        .example = "{\"max_connections\": 1000000}",
    },
    {
        .name = "control",
        .type = KEY_SECTION,
        .offset = offsetof(struct config, control),
        .section = &control_section,
        .doc = "The control thread.",
        .example = "{\"core\": 0}",
    },
    {
        .name = "log",
        .type = KEY_SECTION,
        .offset = offsetof(struct config, log),
        .section = &log_section,
        .doc = "The log.",
        .example = "{\"level\": \"dbg\"}",
    },
    {
        .name = "tls",
        .type = KEY_SECTION,
        .offset = offsetof(struct config, tls),
        .section = &tls_section,
        .doc = "TLS of OpenFlow connections.",
        .example = "{\"private_key\": \"/etc/sluice/sc-privkey.pem\", \"certificate\": "
                   "\"/etc/sluice/sc-cert.pem\", \"ca_certificate\": \"/etc/sluice/cacert.pem\"}",
    },
    {
        .name = "ovsdb",
        .type = KEY_SECTION,
        .offset = offsetof(struct config, ovsdb),
        .section = &ovsdb_section,
        .doc = "Bridges from a database.",
        .example = "{\"remote\": \"unix:/run/openvswitch/db.sock\"}",
    },
    {
        .name = "bridges",
        .change = CHANGE_LIVE,
        .type = KEY_SECTIONS,
        .offset = offsetof(struct config, bridges),
        .count_offset = offsetof(struct config, n_bridges),
        .required = true,
        .max_items = 64,
        .section = &config_section_bridge,
        .doc = "The bridges.",
        .example = "[{\"name\": \"br0\", \"ports\": []}]",
    },
};
const struct config_section config_root = {
    .title = "",
    .doc = "The file is one JSON object.",
    .size = sizeof(struct config),
    KEYS(root_keys),
};
