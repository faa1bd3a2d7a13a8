/* The bridge over ports, datapath and flows that this file stands in for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "pmd/base/clock.h"
#include "src/bridge/bridge.h"
#include "tests/lib/no_meters.h"

uint32_t meters_left;

static unsigned n_added, n_removed, n_changed, n_bridge_changed, n_macs;
static struct rte_ether_addr noted_mac;

static void port_added(void *arg, struct bridge_port *bp)
{
    assert_ptr_equal(bridge_port_by_ofport(bp->bridge, bp->ofport), bp);
    n_added++;
}

static void port_removed(void *arg, struct bridge_port *bp)
{
    assert_ptr_equal(bridge_port_by_ofport(bp->bridge, bp->ofport), bp);
    n_removed++;
}

static void port_changed(void *arg, struct bridge_port *bp, unsigned what)
{
    n_changed++;
}

static void mac_changed(void *arg, struct bridge *bridge, const struct rte_ether_addr *mac, uint16_t vlan)
{
    n_macs++;
    noted_mac = *mac;
}

static void bridge_changed(void *arg, struct bridge *bridge)
{
    n_bridge_changed++;
}

static struct bridge_listener listener = {.port_added = port_added,
                                          .port_removed = port_removed,
                                          .port_changed = port_changed,
                                          .mac_changed = mac_changed,
                                          .bridge_changed = bridge_changed};
static struct bridge_listener deaf; /* wants to know nothing */

static struct bridge *listened_bridge(uint64_t datapath_id)
{
    struct bridge *bridge = bridge_create("br0", datapath_id, NULL);

    n_added = n_removed = n_changed = n_bridge_changed = n_macs = 0;
    bridge_listen(bridge, &deaf);
    bridge_listen(bridge, &listener);
    return bridge;
}

static struct port *ports[PORT_MAX];
static uint64_t now_ms;

static uint64_t stopped_clock_us(void)
{
    return now_ms * 1000;
}

struct port *datapath_port(const struct datapath *dp, uint32_t index)
{
    return index < PORT_MAX ? ports[index] : NULL;
}

void datapath_port_remove(struct datapath *dp, struct port *port)
{
    ports[port->index] = NULL;
}

/* Once for each that was removed. */
static unsigned n_forgotten;

void datapath_port_forget(struct datapath *dp, uint32_t index)
{
    assert_null(ports[index]);
    n_forgotten++;
}

void datapath_port_stats(const struct datapath *dp, uint32_t index, struct datapath_port_stats *stats)
{
    *stats = (struct datapath_port_stats){.rx_packets = 50, .tx_packets = 30, .tx_dropped = 7};
    stats->drops[DROP_POLICY] = 1000;
    stats->drops[DROP_MISS_RING_FULL] = 3;
}

static bool link_up;

static int set_admin_up(struct port *port, bool up)
{
    port->admin_up = up;
    return 0;
}

static void get_status(struct port *port, struct port_status *status)
{
    *status = (struct port_status){.link_up = link_up, .mac = {{2, 0, 0, 0, 0, (uint8_t)port->index}}};
}

static void get_stats(struct port *port, struct port_stats *stats)
{
    *stats = (struct port_stats){.rx_packets = 60, .rx_missed = 5, .rx_errors = 2};
}

static const struct port_ops ops = {.set_admin_up = set_admin_up, .get_status = get_status, .get_stats = get_stats};

static void plug(struct port *port, uint32_t index)
{
    *port = (struct port){.ops = &ops, .index = index, .admin_up = true};
    ports[index] = port;
}

static void ports_are_found_by_number_name_and_index(void **state)
{
    static const uint32_t numbers[] = {7, 1, OFPORT_LOCAL, 65279, 3};
    struct bridge *bridge = listened_bridge(0x0000123456789abc);
    struct port devices[5];
    struct bridge_port *bp;
    const char *error = NULL;
    uint32_t last = 0;

    for (unsigned i = 0; i < 5; i++) {
        char name[16];

        plug(&devices[i], i + 1);
        snprintf(name, sizeof name, "p%u", i);
        bp = bridge_port_add(
            bridge, &(struct bridge_port_params){.port = &devices[i], .name = name, .ofport = numbers[i]}, &error);
        assert_non_null(bp);
        assert_ptr_equal(bridge_port_by_ofport(bridge, numbers[i]), bp);
        assert_ptr_equal(bridge_port_by_name(bridge, name), bp);
        assert_ptr_equal(bridge_port_by_index(NULL, i + 1), bp);
    }
    assert_int_equal(bridge->n_ports, 5);
    TAILQ_FOREACH (bp, &bridge->ports, node) {
        assert_true(bp->ofport > last);
        last = bp->ofport;
    }
    assert_null(bridge_port_by_ofport(bridge, 2));
    assert_null(bridge_port_by_ofport(bridge, 70000));
    assert_null(bridge_port_by_name(bridge, "p9"));
    assert_null(bridge_port_by_index(NULL, 9));

    assert_null(
        bridge_port_add(bridge, &(struct bridge_port_params){.port = NULL, .name = "new", .ofport = 7}, &error));
    assert_non_null(strstr(error, "number"));
    assert_null(bridge_port_add(bridge, &(struct bridge_port_params){.port = NULL, .name = "p0", .ofport = 8}, &error));
    assert_non_null(strstr(error, "name"));
    assert_null(
        bridge_port_add(bridge, &(struct bridge_port_params){.port = NULL, .name = "new", .ofport = 0}, &error));
    assert_null(bridge_port_add(
        bridge, &(struct bridge_port_params){.port = NULL, .name = "new", .ofport = OFPORT_NORMAL}, &error));

    assert_int_equal(n_added, 5);
    bridge_port_remove(bridge_port_by_ofport(bridge, 7));
    assert_int_equal(n_removed, 1);
    assert_int_equal(n_changed, 0);
    assert_null(bridge_port_by_ofport(bridge, 7));
    assert_null(ports[1]);
    assert_null(devices[0].user);
    /* Megaflows may name its index; when a bridge goes they have gone before. */
    assert_int_equal(n_forgotten, 0);
    bridge_destroy(bridge);
    assert_int_equal(n_forgotten, 4);
    for (unsigned i = 0; i < 6; i++)
        assert_null(ports[i]);
}

static void a_port_without_a_device_keeps_its_place(void **state)
{
    struct bridge *bridge = bridge_create("br0", 0x0000123456789abc, NULL);
    const char *error;
    struct bridge_port *bp = bridge_port_add(
        bridge, &(struct bridge_port_params){.port = NULL, .name = "br0", .ofport = OFPORT_LOCAL}, &error);
    struct rte_ether_addr mac = {{0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc}};
    struct bridge_port_stats stats;

    assert_true(rte_is_same_ether_addr(&bp->mac, &mac));
    assert_int_equal(bp->state, PORT_STATE_LINK_DOWN);
    bridge_port_update(bp);
    bridge_port_set_config(bp, PORT_CONFIG_DOWN, PORT_CONFIG_DOWN);
    bridge_port_stats(bp, &stats);
    assert_int_equal(stats.rx_packets, 0);
    bridge_destroy(bridge);
}

static void link_and_configuration_changes_are_told_once(void **state)
{
    struct bridge *bridge = listened_bridge(1);
    struct port device;
    const char *error;

    plug(&device, 1);
    link_up = false;

    struct bridge_port *bp =
        bridge_port_add(bridge, &(struct bridge_port_params){.port = &device, .name = "p1", .ofport = 1}, &error);

    assert_int_equal(bp->state, PORT_STATE_LINK_DOWN);
    bridge_port_update(bp);
    assert_int_equal(n_changed, 0);
    link_up = true;
    bridge_port_update(bp);
    bridge_port_update(bp);
    assert_int_equal(bp->state, PORT_STATE_LIVE);
    assert_int_equal(n_changed, 1);
    assert_int_equal(bp->link_resets, 1);

    bridge_port_set_config(bp, UINT32_MAX, PORT_CONFIG_DOWN | PORT_CONFIG_NO_FLOOD);
    assert_int_equal(bp->config, PORT_CONFIG_DOWN | PORT_CONFIG_NO_FLOOD);
    assert_int_equal(bp->state, 0);
    assert_false(device.admin_up);
    assert_int_equal(n_changed, 2);
    bridge_port_set_config(bp, PORT_CONFIG_DOWN, PORT_CONFIG_DOWN);
    assert_int_equal(n_changed, 2);
    bridge_port_set_config(bp, 0, PORT_CONFIG_DOWN);
    assert_true(device.admin_up);
    assert_int_equal(bp->config, PORT_CONFIG_NO_FLOOD);
    assert_int_equal(bp->state, PORT_STATE_LIVE);
    bridge_destroy(bridge);
}

static void counters_are_those_of_device_and_datapath(void **state)
{
    struct bridge *bridge = bridge_create("br0", 1, NULL);
    struct port device;
    struct bridge_port_stats stats;
    const char *error;

    plug(&device, 1);
    now_ms = 1000;

    struct bridge_port *bp =
        bridge_port_add(bridge, &(struct bridge_port_params){.port = &device, .name = "p1", .ofport = 1}, &error);

    now_ms = 3500;
    bridge_port_stats(bp, &stats);
    assert_int_equal(stats.rx_packets, 60);
    assert_int_equal(stats.tx_packets, 30);
    assert_int_equal(stats.rx_dropped, 5 + 3);
    assert_int_equal(stats.tx_dropped, 7);
    assert_int_equal(stats.rx_errors, 2);
    assert_int_equal(stats.duration_ms, 2500);
    bridge_destroy(bridge);
}

static void what_was_learned_goes_with_the_port_or_when_there_is_no_room(void **state)
{
    struct bridge *bridge = listened_bridge(1);
    struct rte_ether_addr a = {{2, 0, 0, 0, 0, 1}}, b = {{2, 0, 0, 0, 0, 2}};
    struct port device;
    const char *error;

    plug(&device, 1);

    struct bridge_port *bp =
        bridge_port_add(bridge, &(struct bridge_port_params){.port = &device, .name = "p1", .ofport = 1}, &error);

    bridge_set_mac_table(bridge, 1, 300);
    mac_table_learn(bridge->macs, &a, 0, 1, 0);
    assert_int_equal(n_bridge_changed, 1);
    assert_int_equal(n_macs, 1);
    mac_table_learn(bridge->macs, &b, 0, 1, 0); /* `a` makes room */
    assert_int_equal(n_macs, 3);
    assert_true(rte_is_same_ether_addr(&noted_mac, &b));
    mac_table_learn(bridge->macs, &b, 0, 1, 5); /* nothing new */
    assert_int_equal(n_macs, 3);
    mac_table_expire(bridge->macs, 300005, 1);
    assert_int_equal(n_macs, 4);
    mac_table_learn(bridge->macs, &a, 0, 1, 300005);
    assert_int_equal(mac_table_size(bridge->macs), 1);
    bridge_port_remove(bp);
    assert_int_equal(mac_table_size(bridge->macs), 0);
    bridge_destroy(bridge);
}

/* Ports without a device do not count against those of the datapath. */
static void there_may_be_thousands_of_patch_ports(void **state)
{
    struct bridge *a = bridge_create("br0", 1, NULL), *b = bridge_create("br1", 2, NULL);
    const char *error = NULL;

    for (uint32_t i = 1; i <= 2100; i++) {
        char near[300], far[300];

        /* Names are long, and differ at the end. */
        snprintf(near, sizeof near, "%0200u-a%05u", 0, i);
        snprintf(far, sizeof far, "%0200u-b%05u", 0, i);
        assert_non_null(bridge_port_add(
            a, &(struct bridge_port_params){.kind = BRIDGE_PORT_PATCH, .name = near, .ofport = i, .peer = far},
            &error));
        assert_non_null(bridge_port_add(
            b, &(struct bridge_port_params){.kind = BRIDGE_PORT_PATCH, .name = far, .ofport = i, .peer = near},
            &error));
    }
    for (uint32_t i = 1; i <= 2100; i++)
        assert_int_equal(bridge_port_by_ofport(a, i)->state, PORT_STATE_LIVE);
    bridge_destroy(b);
    assert_int_equal(bridge_port_by_ofport(a, 2100)->state, PORT_STATE_LINK_DOWN);
    bridge_destroy(a);
}

static void port_names_and_numbers_are_understood(void **state)
{
    struct bridge *bridge = bridge_create("br0", 1, NULL);
    const char *error;
    uint32_t ofport;

    bridge_port_add(bridge, &(struct bridge_port_params){.port = NULL, .name = "vm1", .ofport = 4}, &error);
    assert_true(bridge_ofport_parse(bridge, "vm1", &ofport));
    assert_int_equal(ofport, 4);
    assert_true(bridge_ofport_parse(bridge, "17", &ofport));
    assert_int_equal(ofport, 17);
    assert_true(bridge_ofport_parse(bridge, "local", &ofport));
    assert_int_equal(ofport, OFPORT_LOCAL);
    assert_true(bridge_ofport_parse(bridge, "65534", &ofport));
    assert_int_equal(ofport, OFPORT_LOCAL);
    assert_true(bridge_ofport_parse(bridge, "0xfffffffd", &ofport));
    assert_int_equal(ofport, OFPORT_CONTROLLER);
    assert_false(bridge_ofport_parse(bridge, "vm2", &ofport));
    assert_false(bridge_ofport_parse(bridge, "", &ofport));
    assert_false(bridge_ofport_parse(bridge, "1x", &ofport));
    assert_false(bridge_ofport_parse(bridge, "-1", &ofport));
    assert_false(bridge_ofport_parse(bridge, "70000", &ofport));
    bridge_destroy(bridge);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ports_are_found_by_number_name_and_index),
        cmocka_unit_test(a_port_without_a_device_keeps_its_place),
        cmocka_unit_test(link_and_configuration_changes_are_told_once),
        cmocka_unit_test(counters_are_those_of_device_and_datapath),
        cmocka_unit_test(what_was_learned_goes_with_the_port_or_when_there_is_no_room),
        cmocka_unit_test(there_may_be_thousands_of_patch_ports),
        cmocka_unit_test(port_names_and_numbers_are_understood),
    };

    clock_set_source(stopped_clock_us);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
