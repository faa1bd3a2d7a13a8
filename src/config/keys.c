/* The keys of the file as a whole; those of bridges and ports have files of their own. */
#include "src/config/keys_impl.h"

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
        .part = CONFIG_PART_CORES,
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
        .name = "isolate",
        .change = CHANGE_LIVE,
        .part = CONFIG_PART_ISOLATE,
        .type = KEY_BOOL,
        .offset = offsetof(struct config_pmd, isolate),
        .default_int = true,
        .doc = "Whether cores that receive queues ask for by `rx_cores` of their port get no other queues, as long as "
               "there are other cores.",
        .example = "false",
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
        .change = CHANGE_LIVE,
        .part = CONFIG_PART_MEGAFLOWS,
        .type = KEY_INT,
        .offset = offsetof(struct config_pmd, megaflow_limit),
        .min = 1024,
        .max = 16777216,
        .default_int = 1000000,
        .unit = "megaflows",
        .doc = "How many megaflows the switch holds at most. It bounds memory (some hundred bytes each) and not speed: "
               "lookups "
               "cost about the same at a thousand and at a million. More than what Sluice was started with takes a "
               "restart.",
        .example = "1000000",
    },
    {
        .name = "max_idle_ms",
        .change = CHANGE_LIVE,
        .part = CONFIG_PART_MEGAFLOWS,
        .type = KEY_INT,
        .offset = offsetof(struct config_pmd, max_idle_ms),
        .min = 500,
        .max = 3600000,
        .default_int = 10000,
        .unit = "milliseconds",
        .doc = "How long a megaflow stays without a packet. The next packet of its flow is resolved by the control "
               "thread again. The fuller it is up to `megaflow_limit`, the earlier idle ones go.",
        .example = "10000",
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

/* As dpctl and the database's CT_Timeout_Policy call them. */
static const struct config_key ct_timeouts_keys[] = {
#define X(symbol, name_, seconds_, doc_)                                                                               \
    {.name = name_,                                                                                                    \
     .change = CHANGE_LIVE,                                                                                            \
     .part = CONFIG_PART_CONNTRACK,                                                                                    \
     .type = KEY_INT,                                                                                                  \
     .offset = offsetof(struct config_ct_timeouts, seconds) + (symbol) * sizeof(int),                                  \
     .min = 1,                                                                                                         \
     .max = (int)CT_TIMEOUT_MAX,                                                                                       \
     .default_int = (seconds_),                                                                                        \
     .unit = "seconds",                                                                                                \
     .doc = doc_ ".",                                                                                                  \
     .example = #seconds_},
    CT_TIMEOUTS(X)
#undef X
};
static const struct config_section ct_timeouts_section = {
    .title = "conntrack.timeouts",
    .doc =
        "After how long without a packet a connection is forgotten. What is tracked already follows with its next packet.",
    .size = sizeof(struct config_ct_timeouts),
    KEYS(ct_timeouts_keys),
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
    {
        .name = "zone_limit",
        .change = CHANGE_LIVE,
        .part = CONFIG_PART_CONNTRACK,
        .type = KEY_INT,
        .offset = offsetof(struct config_conntrack, zone_limit),
        .min = 1,
        .max = 50000000,
        .zero = "as many as `max_connections` leaves room for",
        .default_int = 0,
        .unit = "connections",
        .doc =
            "How many connections each zone may have that `dpctl/ct-set-limits` gave none of its own. A new one beyond "
            "that is dropped and counted as `ct_zone_limit`.",
        .example = "100000",
    },
    {
        .name = "send_whole",
        .change = CHANGE_LIVE,
        .part = CONFIG_PART_CONNTRACK,
        .type = KEY_BOOL,
        .offset = offsetof(struct config_conntrack, send_whole),
        .default_int = false,
        .doc =
            "Whether datagrams that came in fragments are one packet behind `ct`: rules see their ports, and they go "
            "out whole by ports whose MTU they fit, by others in fragments again. With `false` fragments go on as "
            "they came, as Open vSwitch's do. See [conntrack.md](conntrack.md#fragments).",
        .example = "true",
    },
    {
        .name = "timeouts",
        .type = KEY_SECTION,
        .offset = offsetof(struct config_conntrack, timeouts),
        .section = &ct_timeouts_section,
        .doc = "When connections are forgotten.",
        .example = "{\"tcp_established\": 7200, \"udp_multiple\": 120}",
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
