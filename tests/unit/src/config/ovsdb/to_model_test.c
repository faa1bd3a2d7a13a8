/* What rows of Open vSwitch's database become in the model, and which have a fault. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "src/config/ovsdb/to_model.h"
#include "src/config/tunnel.h"
#include "tests/lib/ovsdb_bed.h"

#define B "b0000000-0000-0000-0000-000000000001"
#define B2 "b0000000-0000-0000-0000-000000000002"
#define P "c0000000-0000-0000-0000-000000000001"
#define I "d0000000-0000-0000-0000-000000000001"
#define I2 "d0000000-0000-0000-0000-000000000002"
#define C1 "e0000000-0000-0000-0000-000000000001"
#define C2 "e0000000-0000-0000-0000-000000000002"
#define C3 "e0000000-0000-0000-0000-000000000003"
#define F "f0000000-0000-0000-0000-000000000001"
#define S "50000000-0000-0000-0000-000000000001"
#define ROW(uuid, columns) "{\"" uuid "\":{\"initial\":{" columns "}}}"

static struct bed bed;
static char schema_text[32768], fault[512];
static struct config *config;
static struct config running = {.run_dir = (char[]){"/run/test"}};

/* Every column may hold any number of values: what is parsed is the same. */
static void write_schema(void)
{
    static const char *const types[] = {
        [OVSDB_INTEGER] = "integer", [OVSDB_BOOLEAN] = "boolean", [OVSDB_STRING] = "string", [OVSDB_UUID] = "uuid"};
    char *at = schema_text;

    at += sprintf(at, "{\"tables\":{");
    for (unsigned t = 0; t < VSWITCH_N_TABLES; t++) {
        const struct ovsdb_table *table = &vswitch_schema.tables[t];
        at += sprintf(at, "%s\"%s\":{\"columns\":{", t ? "," : "", table->name);
        for (unsigned c = 0; c < table->n_columns; c++) {
            const struct ovsdb_column *column = &table->columns[c];
            at += sprintf(at, "%s\"%s\":{\"type\":{\"key\":\"%s\",", c ? "," : "", column->name, types[column->key]);
            if (column->value)
                at += sprintf(at, "\"value\":\"%s\",", types[column->value]);
            at += sprintf(at, "\"min\":0,\"max\":\"unlimited\"}}");
        }
        at += sprintf(at, "}}");
    }
    sprintf(at, "}}");
}

static int setup(void **state)
{
    write_schema();
    bed_create_for(&bed, &vswitch_schema, NULL, 0);
    return 0;
}

static int teardown(void **state)
{
    bed_destroy(&bed);
    config_free(config);
    config = NULL;
    return 0;
}

/* The database has these tables: "\"Bridge\":{...},\"Port\":{...}". */
static void have(const char *tables)
{
    char copy[8192];

    snprintf(copy, sizeof copy, "{%s}", tables);
    assert_true(bed_accept(&bed) && bed_serve(&bed, "get_schema", schema_text) &&
                bed_serve(&bed, "monitor_cond", copy));
    assert_true(ovsdb_is_up(bed.db));
}

static const struct config_bridge *bridge(void)
{
    fault[0] = '\0';
    config = config_from_bridge(bed.db, bed_row(&bed, VSWITCH_BRIDGE, B), &running, true, fault, sizeof fault);
    return config ? &config->bridges[0] : NULL;
}

static const struct config_port *port(void)
{
    fault[0] = '\0';
    config = config_from_interface(bed.db, bed_row(&bed, VSWITCH_BRIDGE, B), bed_row(&bed, VSWITCH_PORT, P),
                                   bed_row(&bed, VSWITCH_INTERFACE, I), running.run_dir, fault, sizeof fault);
    return config ? &config->bridges[0].ports[0] : NULL;
}

/* A port of br0 with these columns of Port and Interface. */
static const struct config_port *port_of(const char *port_columns, const char *interface_columns)
{
    char tables[4096];

    snprintf(
        tables, sizeof tables,
        "\"Bridge\":" ROW(
            B,
            "\"name\":\"br0\",\"other_config\":[\"map\",[[\"hwaddr\",\"02:00:00:00:00:07\"]]]") ",\"Port\":{\"" P
                                                                                                "\":{\"initial\":{\"name\":\"p\",\"interfaces\":[\"uuid\",\"" I
                                                                                                "\"]%s%s}}},"
                                                                                                "\"Interface\":{\"" I
                                                                                                "\":{\"initial\":{%s}}}",
        port_columns[0] ? "," : "", port_columns, interface_columns);
    have(tables);
    return port();
}

/* --- bridges ------------------------------------------------------------- */

static void a_bridge_has_defaults(void **state)
{
    have("\"Bridge\":" ROW(B, "\"name\":\"br0\""));
    const struct config_bridge *br = bridge();
    assert_non_null(br);
    assert_string_equal(br->name, "br0");
    assert_int_equal(br->fail_mode, CONFIG_FAIL_STANDALONE);
    assert_int_equal(br->mac_table_size, 8192);
    assert_int_equal(br->mac_aging_time, 300);
    assert_int_equal(br->inactivity_probe, 5000);
    assert_int_not_equal(br->datapath_id, 0);
    assert_true(br->keep_rules);
    assert_false(br->forward_bpdu || br->restoring || br->dp_desc || br->dp_sn);
    assert_int_equal(br->n_controllers + br->n_listen + br->n_tables + br->n_ports, 0);
}

static void a_bridge_has_what_its_row_says(void **state)
{
    have("\"Bridge\":" ROW(
        B,
        "\"name\":\"br0\",\"protocols\":[\"set\",[\"OpenFlow11\",\"OpenFlow13\"]],\"datapath_type\":\"netdev\",\"fail_mode\":\"secure\","
        "\"other_config\":[\"map\",[[\"datapath-id\",\"00000000000000aa\"],[\"hwaddr\",\"02:00:00:00:00:01\"],"
        "[\"mac-aging-time\",\"60\"],[\"mac-table-size\",\"2000000000\"],[\"keep-rules\",\"false\"],[\"unknown\",\"x\"],"
        "[\"forward-bpdu\",\"true\"],[\"dp-desc\",\"rack 7\"],[\"dp-sn\",\"0123456789012345678901234567890123456789\"]]],"
        "\"flow_tables\":[\"map\",[[3,[\"uuid\",\"" F "\"]],[300,[\"uuid\",\"" F
        "\"]]]]") ",\"Flow_Table\":" ROW(F, "\"flow_limit\":100,\"overflow_policy\":\"evict\""));
    const struct config_bridge *br = bridge();
    assert_int_equal(br->fail_mode, CONFIG_FAIL_SECURE);
    assert_int_equal(br->datapath_id, 0xaa);
    assert_false(br->keep_rules);
    assert_true(br->forward_bpdu);
    assert_string_equal(br->dp_desc, "rack 7");
    assert_string_equal(br->dp_sn, "0123456789012345678901234567890"); /* as much as can be told */
    assert_int_equal(br->mac_aging_time, 60);
    assert_int_equal(br->mac_table_size, 1048576); /* the most that there can be */
    assert_int_equal(br->n_protocols, 1);
    assert_string_equal(br->protocols[0], "OpenFlow13");
    assert_int_equal(br->n_tables, 1);
    assert_int_equal(br->tables[0].table, 3);
    assert_int_equal(br->tables[0].max_entries, 100);
    assert_true(br->tables[0].eviction);
}

static void the_address_of_a_bridge_is_its_datapath_id(void **state)
{
    have("\"Bridge\":" ROW(B, "\"name\":\"br0\",\"other_config\":[\"map\",[[\"hwaddr\",\"02:00:00:00:00:01\"],"
                              "[\"datapath-id\",\"nonsense\"],[\"mac-aging-time\",\"soon\"]]]"));
    const struct config_bridge *br = bridge();
    assert_int_equal(br->datapath_id, 0x020000000001);
    assert_int_equal(br->mac_aging_time, 300);
}

/* As two hosts have it that OVN made br-int on, each with a database of its own. */
static void bridges_of_one_name_have_addresses_of_their_own(void **state)
{
    const struct config_bridge *br;
    uint64_t first;

    have("\"Bridge\":{\"" B "\":{\"initial\":{\"name\":\"br-int\"}},\"" B2 "\":{\"initial\":{\"name\":\"br-int\"}}}");
    first = bridge()->datapath_id;
    config_free(config);
    br = bridge();
    assert_true(br->datapath_id == first);
    config_free(config);
    config = config_from_bridge(bed.db, bed_row(&bed, VSWITCH_BRIDGE, B2), &running, true, fault, sizeof fault);
    assert_non_null(config);
    assert_true(config->bridges[0].datapath_id != first);
}

static void controllers_connect_or_are_waited_for(void **state)
{
    have("\"Bridge\":" ROW(
        B,
        "\"name\":\"br0\",\"controller\":[\"set\",[[\"uuid\",\"" C1 "\"],[\"uuid\",\"" C2 "\"],[\"uuid\",\"" C3
        "\"],[\"uuid\",\"" F
        "\"]]]") ",\"Controller\":{\"" C1
                 "\":{\"initial\":{\"target\":\"tcp:127.0.0.1:6653\",\"inactivity_probe\":0,\"controller_rate_limit\":5,"
                 "\"controller_burst_limit\":300,\"enable_async_messages\":false}},\"" C2
                 "\":{\"initial\":{\"target\":\"ptcp:6654\","
                 "\"inactivity_probe\":7000}},\"" C3 "\":{\"initial\":{\"target\":\"ssl:127.0.0.1\"}}}");
    const struct config_bridge *br = bridge(); /* one refers to nowhere, one needs keys that there are not */
    assert_int_equal(br->n_controllers, 1);
    assert_string_equal(br->controllers[0].target, "tcp:127.0.0.1:6653");
    assert_int_equal(br->n_listen, 1);
    assert_string_equal(br->listen[0], "ptcp:6654");
    assert_int_equal(br->controllers[0].inactivity_probe, 0);
    assert_int_equal(br->controllers[0].rate_limit, 100);
    assert_int_equal(br->controllers[0].burst_limit, 300);
    assert_int_equal(br->controllers[0].max_backoff, 8000);
    assert_false(br->controllers[0].enable_async);
    assert_int_equal(br->inactivity_probe, 5000);
}

/* Rules are being restored. */
static void controllers_may_have_to_wait(void **state)
{
    have(
        "\"Open_vSwitch\":" ROW("70000000-0000-0000-0000-000000000001", "\"other_config\":[\"map\",[[\"bundle-idle-timeout\",\"20\"]]]") ",\"Bridge\":" ROW(
            B, "\"name\":\"br0\",\"controller\":[\"set\",[[\"uuid\",\"" C1 "\"],[\"uuid\",\"" C2
               "\"]]]") ",\"Controller\":{\"" C1 "\":{\"initial\":{\"target\":\"tcp:127.0.0.1\"}},\"" C2
                        "\":{\"initial\":{\"target\":\"ptcp:6654\"}}}");
    config = config_from_bridge(bed.db, bed_row(&bed, VSWITCH_BRIDGE, B), &running, false, fault, sizeof fault);
    assert_int_equal(config->bridges[0].n_controllers, 0);
    assert_int_equal(config->bridges[0].n_listen, 0);
    assert_true(config->bridges[0].restoring);
    assert_int_equal(config->bridges[0].bundle_idle_timeout, 20);
    config_free(config);
    assert_int_equal(bridge()->n_controllers, 1);
}

static void sockets_of_controllers_are_confined(void **state)
{
    have("\"Bridge\":" ROW(
        B, "\"name\":\"br0\",\"controller\":[\"set\",[[\"uuid\",\"" C1 "\"],[\"uuid\",\"" C2 "\"],[\"uuid\",\"" C3
           "\"]]]") ",\"Controller\":{\"" C1 "\":{\"initial\":{\"target\":\"unix:/run/test/c.sock\"}},\"" C2
                    "\":{\"initial\":{\"target\":\"punix:/etc/passwd\"}},\"" C3
                    "\":{\"initial\":{\"target\":\"punix:/run/test/../../etc/x\"}}}");
    const struct config_bridge *br = bridge();
    assert_int_equal(br->n_controllers, 1);
    assert_int_equal(br->n_listen, 0);

    /* Unless the command line says otherwise. */
    char *run_dir = running.run_dir;
    running.run_dir = NULL;
    config_free(config);
    br = bridge();
    running.run_dir = run_dir;
    assert_int_equal(br->n_controllers, 1);
    assert_int_equal(br->n_listen, 2);
}

static void bridges_that_cannot_be(void **state)
{
    have("\"Bridge\":" ROW(B, "\"name\":\"a/b\"") ",\"Port\":{}");
    assert_null(bridge());
    assert_non_null(strstr(fault, "a/b"));
    bed_update(&bed, "{\"Bridge\":{\"" B "\":{\"modify\":{\"name\":[\"set\",[\"a/b\",\"br0\"]],"
                     "\"datapath_type\":\"dummy\"}}}}");
    assert_null(bridge());
    assert_non_null(strstr(fault, "dummy"));
}

/* --- ports --------------------------------------------------------------- */

static void types_of_ports(void **state)
{
    const struct config_port *p = port_of("", "\"name\":\"p\"");

    assert_int_equal(p->type, CONFIG_PORT_SYSTEM);
    assert_string_equal(p->ifname, "p");
    assert_int_equal(p->mtu, 0);
    assert_int_equal(p->ofport, 0);
    assert_int_equal(p->vlan_mode, CONFIG_VLAN_TRUNK);
}

static void an_internal_port(void **state)
{
    const struct config_port *p = port_of("", "\"name\":\"p\",\"type\":\"internal\",\"mac\":\"02:00:00:00:00:09\","
                                              "\"ofport_request\":7,\"mtu_request\":9000");

    assert_int_equal(p->type, CONFIG_PORT_INTERNAL);
    assert_int_equal(p->ofport, 7);
    assert_int_equal(p->mtu, 9000);
    assert_int_equal(p->mac[5], 9);
}

static void the_port_of_the_bridge_is_local(void **state)
{
    const struct config_port *p =
        port_of("", "\"name\":\"br0\",\"type\":\"internal\",\"ofport_request\":7,\"mac\":\"02:00:00:00:00:09\"");

    assert_int_equal(p->type, CONFIG_PORT_INTERNAL);
    assert_int_equal(p->ofport, CONFIG_OFPORT_LOCAL);
    assert_int_equal(p->mac[5], 7); /* the bridge's */
}

static void a_dpdk_port(void **state)
{
    const struct config_port *p =
        port_of("", "\"name\":\"p\",\"type\":\"dpdk\",\"options\":[\"map\",[[\"dpdk-devargs\",\"0000:01:00.0\"],"
                    "[\"n_rxq\",\"4\"],[\"n_rxq_desc\",\"256\"],[\"n_txq_desc\",\"99999\"]]]");

    assert_int_equal(p->rx_descriptors, 256);
    assert_int_equal(p->tx_descriptors, 4096); /* the most that there can be */
    assert_int_equal(p->type, CONFIG_PORT_DPDK);
    assert_string_equal(p->devargs, "0000:01:00.0");
    assert_int_equal(p->rx_queues, 4);
}

static void queues_ask_for_cores(void **state)
{
    const struct config_port *p =
        port_of("", "\"name\":\"p\",\"type\":\"dpdk\",\"options\":[\"map\",[[\"dpdk-devargs\",\"0000:01:00.0\"]]],"
                    "\"other_config\":[\"map\",[[\"pmd-rxq-affinity\",\"0:3,2:7\"]]]");

    assert_int_equal(p->n_rx_cores, 3);
    assert_int_equal(p->rx_cores[0], 3);
    assert_int_equal(p->rx_cores[1], CONFIG_CORE_NONE);
    assert_int_equal(p->rx_cores[2], 7);
}

/* What is right in front of what is wrong counts. */
static void wrong_cores_are_ignored(void **state)
{
    const struct config_port *p =
        port_of("", "\"name\":\"p\",\"type\":\"dpdk\",\"options\":[\"map\",[[\"dpdk-devargs\",\"0000:01:00.0\"]]],"
                    "\"other_config\":[\"map\",[[\"pmd-rxq-affinity\",\"1:4,99:1,0:2\"]]]");
    assert_int_equal(p->n_rx_cores, 2);
    assert_int_equal(p->rx_cores[1], 4);
}

static void a_vhost_port(void **state)
{
    const struct config_port *p =
        port_of("", "\"name\":\"p\",\"type\":\"dpdkvhostuserclient\",\"options\":[\"map\",[[\"vhost-server-path\","
                    "\"/run/vm.sock\"]]]");

    assert_int_equal(p->type, CONFIG_PORT_VHOST_USER);
    assert_int_equal(p->mode, CONFIG_VHOST_CLIENT);
    assert_string_equal(p->path, "/run/vm.sock");
}

static void a_vhost_port_of_the_older_kind(void **state)
{
    const struct config_port *p = port_of("", "\"name\":\"p\",\"type\":\"dpdkvhostuser\"");

    assert_int_equal(p->mode, CONFIG_VHOST_SERVER);
    assert_string_equal(p->path, "/run/test/p");
}

/* Options that Open vSwitch's do not have, and values that have no effect there, have none here. */
static void a_tunnel_port(void **state)
{
    const struct config_port *p = port_of(
        "",
        "\"name\":\"p\",\"type\":\"vxlan\",\"options\":[\"map\",[[\"remote_ip\",\"192.0.2.2\"],[\"key\","
        "\"flow\"],[\"dst_port\",\"8472\"],[\"csum\",\"true\"],[\"df_default\",\"maybe\"],[\"tos\",\"3\"],[\"exts\","
        "\"gbp\"],[\"unheard\",\"of\"],[\"psk\",\"secret\"]]]");
    struct tunnel_config tunnel;
    char said[256];

    assert_int_equal(p->type, CONFIG_PORT_VXLAN);
    assert_int_equal(config_tunnel_parse(p, &tunnel, said, sizeof said), 0);
    assert_false(tunnel.remote_flow);
    assert_true(tunnel.in_key_flow && tunnel.out_key_flow);
    assert_int_equal(tunnel.dst_port, 8472);
    assert_true(tunnel.csum && tunnel.df && tunnel.gbp);
    assert_int_equal(tunnel.tos, 0);
    teardown(state);
    setup(state);
    p = port_of(
        "", "\"name\":\"p\",\"type\":\"ip6gre\",\"options\":[\"map\",[[\"remote_ip\",\"2001:db8::2\"],[\"df_default\","
            "\"false\"],[\"seq\",\"true\"]]]");
    assert_int_equal(p->type, CONFIG_PORT_IP6GRE);
    assert_int_equal(config_tunnel_parse(p, &tunnel, said, sizeof said), 0);
    assert_string_equal(said, "");
    assert_true(tunnel.seq && !tunnel.df && !tunnel.in_key_given);
}

static void a_patch_port(void **state)
{
    const struct config_port *p =
        port_of("", "\"name\":\"p\",\"type\":\"patch\",\"options\":[\"map\",[[\"peer\",\"q\"]]]");

    assert_int_equal(p->type, CONFIG_PORT_PATCH);
    assert_string_equal(p->peer, "q");
}

static void vlans(void **state)
{
    static const struct {
        const char *columns;
        enum config_vlan_mode mode;
        int tag;
        size_t n_trunks;
    } cases[] = {
        {"\"tag\":10", CONFIG_VLAN_ACCESS, 10, 0},
        {"\"tag\":10,\"trunks\":[\"set\",[1,2]]", CONFIG_VLAN_ACCESS, 10, 0},
        {"\"trunks\":[\"set\",[1,2]]", CONFIG_VLAN_TRUNK, CONFIG_TAG_NONE, 2},
        {"\"tag\":10,\"vlan_mode\":\"trunk\",\"trunks\":4095", CONFIG_VLAN_TRUNK, CONFIG_TAG_NONE, 1},
        {"\"tag\":10,\"vlan_mode\":\"native-untagged\",\"trunks\":[\"set\",[1,2]]", CONFIG_VLAN_NATIVE_UNTAGGED, 10, 2},
        {"\"vlan_mode\":\"native-tagged\"", CONFIG_VLAN_NATIVE_TAGGED, 0, 0},
        {"\"vlan_mode\":\"access\"", CONFIG_VLAN_ACCESS, 0, 0},
        {"\"vlan_mode\":\"dot1q-tunnel\",\"tag\":5", CONFIG_VLAN_ACCESS, 5, 0},
        {"\"tag\":99999,\"trunks\":[\"set\",[-1,7]]", CONFIG_VLAN_TRUNK, CONFIG_TAG_NONE, 1},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct config_port *p = port_of(cases[i].columns, "\"name\":\"p\"");
        assert_int_equal(p->vlan_mode, cases[i].mode);
        assert_int_equal(p->tag, cases[i].tag);
        assert_int_equal(p->n_trunks, cases[i].n_trunks);
        teardown(state);
        setup(state);
    }
}

static void ports_that_cannot_be(void **state)
{
    static const struct {
        const char *interface, *said;
    } cases[] = {
        {"\"name\":\"p\",\"type\":\"nonsense\"", "unknown type nonsense"},
        {"\"name\":\"p\",\"type\":\"dpdk\"", "dpdk-devargs"},
        {"\"name\":\"p\",\"type\":\"patch\"", "options:peer is missing"},
        {"\"name\":\"p\",\"type\":\"patch\",\"options\":[\"map\",[[\"peer\",\"p\"]]]", "its own peer"},
        {"\"name\":\"p\",\"type\":\"vxlan\"", "p: vxlan type requires valid 'remote_ip' argument"},
        {"\"name\":\"p\",\"type\":\"gre\",\"options\":[\"map\",[[\"remote_ip\",\"192.0.2.2\"],[\"local_ip\",\"flow\"]]]",
         "p: gre type requires 'remote_ip=flow' with 'local_ip=flow'"},
        {"\"name\":\"p\",\"type\":\"dpdkvhostuserclient\"", "vhost-server-path"},
        {"\"name\":\"p\",\"type\":\"dpdkvhostuserclient\",\"options\":[\"map\",[[\"vhost-server-path\",\"here\"]]]",
         "here"},
        {"\"name\":\"a b\"", "name"},
        {"\"name\":\"\"", "name"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_null(port_of("", cases[i].interface));
        if (!strstr(fault, cases[i].said))
            fail_msg("%s: %s", cases[i].interface, fault);
        teardown(state);
        setup(state);
    }
}

/* Ports of several interfaces. */
#define BOND(columns)                                                                                                  \
    "\"Bridge\":" ROW(B, "\"name\":\"br0\",\"ports\":[\"uuid\",\"" P "\"]") ",\"Port\":" ROW(                          \
        P, "\"name\":\"bond0\",\"interfaces\":[\"set\",[[\"uuid\",\"" I "\"],[\"uuid\",\"" I2                          \
           "\"]]]" columns) ",\"Interface\":{\"" I "\":{\"initial\":{\"name\":\"p1\"}},\"" I2                          \
                            "\":{\"initial\":{\"name\":\"p2\"}}}"

static void bonds(void **state)
{
    have(BOND(",\"bond_mode\":\"balance-slb\",\"bond_updelay\":31000,\"bond_downdelay\":-5,"
              "\"other_config\":[\"map\",[[\"bond-primary\",\"p2\"],[\"bond-hash-basis\",\"7\"],"
              "[\"bond-rebalance-interval\",\"5\"],[\"all-members-active\",\"true\"]]]"));
    const struct config_bridge *br = bridge();
    assert_int_equal(br->n_bonds, 1);
    const struct config_bond *bond = &br->bonds[0];
    assert_string_equal(bond->name, "bond0");
    assert_int_equal(bond->n_members, 2);
    assert_string_equal(bond->members[0], "p1");
    assert_string_equal(bond->members[1], "p2");
    assert_int_equal(bond->mode, CONFIG_BOND_BALANCE_SLB);
    assert_int_equal(bond->updelay, 31000);
    assert_int_equal(bond->downdelay, 0);
    assert_int_equal(bond->hash_basis, 7);
    assert_int_equal(bond->rebalance_interval, 1000); /* the nearest that there is */
    assert_string_equal(bond->primary, "p2");
    assert_true(bond->all_members_active);
    config_free(config);
    /* The interfaces are ports as any. */
    assert_string_equal(port()->name, "p1");
}

static void bonds_as_they_are_without_a_word(void **state)
{
    have(BOND(",\"bond_mode\":\"no such\",\"other_config\":[\"map\",[[\"bond-rebalance-interval\",\"0\"]]]"));
    const struct config_bridge *br = bridge();
    assert_int_equal(br->bonds[0].mode, CONFIG_BOND_ACTIVE_BACKUP);
    assert_int_equal(br->bonds[0].rebalance_interval, 0);
    assert_null(br->bonds[0].primary);
    assert_false(br->bonds[0].all_members_active);
}

/* --- the switch ---------------------------------------------------------- */

static void tls_and_sleep(void **state)
{
    have(
        "\"Open_vSwitch\":" ROW("70000000-0000-0000-0000-000000000001", "\"ssl\":[\"uuid\",\"" S "\"],\"other_config\":[\"map\",[[\"flow-limit\",\"9\"],[\"max-idle\",\"700\"],[\"pmd-maxsleep\",\"70\"],[\"ct-send-whole\",\"true\"]]]") ",\"SSL\":" ROW(
            S, "\"private_key\":\"/k\",\"certificate\":\"/c\",\"ca_cert\":\"/a\""));
    config = config_default();
    config_from_open_vswitch(bed.db, ovsdb_first(bed.db, VSWITCH_OPEN_VSWITCH), config);
    assert_int_equal(config->pmd.max_sleep_us, 70);
    assert_int_equal(config->pmd.max_idle_ms, 700);
    assert_true(config->conntrack.send_whole);
    assert_int_equal(config->pmd.megaflow_limit, 1024); /* the nearest that there is */
    assert_string_equal(config->tls.private_key, "/k");
    assert_string_equal(config->tls.certificate, "/c");
    assert_string_equal(config->tls.ca_certificate, "/a");
}

static void bfd(void **state)
{
    const struct config_bfd *b =
        &port_of(
             "",
             "\"name\":\"p\",\"bfd\":[\"map\",[[\"enable\",\"true\"],[\"min_rx\",\"50\"],[\"min_tx\",\"0\"],"
             "[\"decay_min_rx\",\"60\"],[\"mult\",\"300\"],[\"forwarding_if_rx\",\"true\"],[\"cpath_down\","
             "\"true\"],[\"check_tnl_key\",\"true\"],[\"oam\",\"true\"],[\"bfd_local_src_mac\",\"02:00:00:00:00:01\"],"
             "[\"bfd_local_dst_mac\",\"02:00:00:00:00:02\"],[\"bfd_remote_dst_mac\",\"02:00:00:00:00:03\"],"
             "[\"bfd_src_ip\",\"192.0.2.1\"],[\"bfd_dst_ip\",\"no address\"]]]")
             ->bfd;

    assert_true(b->enable && b->forwarding_if_rx && b->cpath_down && b->check_tnl_key && b->oam);
    assert_int_equal(b->min_rx, 50);
    assert_int_equal(b->min_tx, 1);
    assert_int_equal(b->decay_min_rx, 60);
    assert_int_equal(b->mult, 255);
    assert_int_equal(b->local_src_mac[5], 1);
    assert_int_equal(b->local_dst_mac[5], 2);
    assert_int_equal(b->remote_dst_mac[5], 3);
    assert_string_equal(b->src_ip, "192.0.2.1");
    assert_string_equal(b->dst_ip, "169.254.1.0");
}

static void bfd_as_it_is_without_a_word(void **state)
{
    const struct config_bfd *b =
        &port_of(
             "",
             "\"name\":\"p\",\"bfd\":[\"map\",[[\"enable\",\"yes\"],[\"decay_min_rx\",\"999\"],[\"min_tx\",\"x\"]]]")
             ->bfd;

    assert_false(b->enable);
    assert_int_equal(b->min_rx, 1000);
    assert_int_equal(b->min_tx, 100);
    assert_int_equal(b->decay_min_rx, 0); /* below min_rx */
    assert_int_equal(b->mult, 3);
    assert_string_equal(b->src_ip, "169.254.1.1");
}

static void policing(void **state)
{
    const struct config_policing *p =
        &port_of("", "\"name\":\"p\",\"ingress_policing_rate\":1000,\"ingress_policing_burst\":100,"
                     "\"ingress_policing_kpkts_rate\":5000000000,\"ingress_policing_kpkts_burst\":0")
             ->policing;

    assert_int_equal(p->rate, 1000);
    assert_int_equal(p->burst, 100);
    assert_int_equal(p->kpkts_rate, INT32_MAX);
    assert_int_equal(p->kpkts_burst, 0);
}

/* Bits become thousands of them, bytes too; what a queue does not say it does not have. */
static void qos(void **state)
{
    have("\"Bridge\":" ROW(B, "\"name\":\"br0\"") ",\"Port\":" ROW(
        P,
        "\"name\":\"p\",\"interfaces\":[\"uuid\",\"" I "\"],\"qos\":[\"uuid\",\"" F
        "\"]") ",\"Interface\":" ROW(I,
                                     "\"name\":\"p\"") ",\"QoS\":" ROW(F,
                                                                       "\"type\":\"linux-hfsc\",\"queues\":[\"map\",[[7,[\"uuid\",\"" C1
                                                                       "\"]],[0,[\"uuid\",\"" C2
                                                                       "\"]]]],\"other_config\":[\"map\",[[\"max-rate\",\"3000001\"]]]") ",\"Queue\":{\"" C1
                                                                                                                                         "\":{\"initial\":{\"dscp\":46,\"other_config\":[\"map\",[[\"min-rate\",\"1000\"],[\"priority\",\"3\"]]]}},\"" C2
                                                                                                                                         "\":{\"initial\":{}}}");
    const struct config_qos *q = &port()->qos;
    assert_int_equal(q->type, CONFIG_QOS_HFSC);
    assert_int_equal(q->max_rate, 3001);
    assert_int_equal(q->n_queues, 2);
    assert_int_equal(q->queues[0].queue, 0);
    assert_int_equal(q->queues[0].dscp, CONFIG_DSCP_NONE);
    assert_int_equal(q->queues[1].queue, 7);
    assert_int_equal(q->queues[1].dscp, 46);
    assert_int_equal(q->queues[1].min_rate, 1);
    assert_int_equal(q->queues[1].priority, 3);
}

int main(void)
{
#define WITH_BED(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        WITH_BED(a_bridge_has_defaults),
        WITH_BED(a_bridge_has_what_its_row_says),
        WITH_BED(the_address_of_a_bridge_is_its_datapath_id),
        WITH_BED(bridges_of_one_name_have_addresses_of_their_own),
        WITH_BED(controllers_connect_or_are_waited_for),
        WITH_BED(controllers_may_have_to_wait),
        WITH_BED(sockets_of_controllers_are_confined),
        WITH_BED(bridges_that_cannot_be),
        WITH_BED(types_of_ports),
        WITH_BED(an_internal_port),
        WITH_BED(the_port_of_the_bridge_is_local),
        WITH_BED(a_dpdk_port),
        WITH_BED(queues_ask_for_cores),
        WITH_BED(wrong_cores_are_ignored),
        WITH_BED(a_vhost_port),
        WITH_BED(a_vhost_port_of_the_older_kind),
        WITH_BED(a_patch_port),
        WITH_BED(a_tunnel_port),
        WITH_BED(vlans),
        WITH_BED(ports_that_cannot_be),
        WITH_BED(bonds),
        WITH_BED(bonds_as_they_are_without_a_word),
        WITH_BED(tls_and_sleep),
        WITH_BED(bfd),
        WITH_BED(bfd_as_it_is_without_a_word),
        WITH_BED(policing),
        WITH_BED(qos),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
