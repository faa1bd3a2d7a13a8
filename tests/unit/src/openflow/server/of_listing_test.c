/* Replies about everything of a kind, at the largest numbers: no turn of the control thread is long, nothing is left
 * out, and what goes meanwhile does no harm. */
#include "src/tables/group.h"
#include "src/tables/meter.h"
#include "tests/lib/of_bed.h"
#include "tests/lib/own_time.h"

#define PORTS 4096 /* most of so many would be tunnels and patch ports, as devices are fewer */
#define METERS DATAPATH_METERS_MAX
#define GROUPS 65536
#define BOUND_US (2500 * OWN_TIME_FACTOR) /* all meters at once take 9 ms, in slices 0.2 */
#define TRIES 3                           /* something else may have had the core within the thread's own time */

static struct port devices[PORTS];

static void add_ports(void)
{
    const char *none;
    char name[16];

    for (unsigned i = 2; i < PORTS; i++) {
        devices[i] = (struct port){.ops = &ops, .index = i + 1, .admin_up = true};
        snprintf(name, sizeof name, "p%u", i + 1);
        assert_non_null(bridge_port_add(
            bridge, &(struct bridge_port_params){.port = &devices[i], .name = name, .ofport = i + 1}, &none));
    }
}

static void add_meters(void)
{
    struct meter_mod mod = {.command = METER_ADD,
                            .flags = METER_PKTPS | METER_STATS,
                            .n_bands = 1,
                            .bands = {{.type = METER_DROP_BAND, .rate = 100}}};

    pipeline_set_meters(bridge->pipeline, meter_table_create(bridge->pipeline, NULL));
    meters_left = METERS;
    for (mod.meter_id = 1; mod.meter_id <= METERS; mod.meter_id++)
        assert_int_equal(meter_table_mod(pipeline_meters(bridge->pipeline), &mod), 0);
}

static void add_groups(void)
{
    struct group_mod mod = {.command = GROUP_ADD, .type = GROUP_ALL};

    for (mod.group_id = 1; mod.group_id <= GROUPS; mod.group_id++)
        assert_int_equal(group_table_mod(pipeline_groups(bridge->pipeline), &mod), 0);
}

/* What the peer gets of a reply in parts, bytes of bodies. `longest`: the longest turn meanwhile, own microseconds. */
static size_t listen_to(struct client *client, uint64_t *longest)
{
    size_t bytes = 0;

    for (bool more = true; more;) {
        struct of_msg msg;
        int got;

        while (!(got = client_poll(client))) {
            uint64_t start = own_us(), us;

            turn();
            us = own_us() - start;
            *longest = us > *longest ? us : *longest;
        }
        assert_int_equal(got, 1);
        assert_int_equal(of_msg_decode(client->message, client->header.length, NULL, &msg), 0);
        assert_string_equal(of_msg_type_name(msg.type), of_msg_type_name(OF_MULTIPART_REPLY));
        bytes += msg.reply.body.len;
        more = msg.reply.more;
        of_msg_free(&msg);
    }
    return bytes;
}

static void ask(struct client *client, enum of_multipart_type type)
{
    const struct of_msg msg = {
        .type = OF_MULTIPART_REQUEST,
        .xid = 7,
        .request = {.type = type, .port_no = OFPORT_ANY, .group_id = OFGROUP_ALL, .meter_id = OFMETER_ALL}};

    client_send(client, &msg);
}

/* Fails if a turn is too long each time, or the reply has not `least` bytes. */
static void expect_slices(enum of_multipart_type type, size_t least)
{
    uint64_t longest = UINT64_MAX;

    for (unsigned i = 0; i < TRIES && longest > BOUND_US; i++) {
        longest = 0;
        ask(&a, type);
        assert_in_range(listen_to(&a, &longest), least, SIZE_MAX);
    }
    assert_in_range(longest, 0, BOUND_US);
}

static void all_of_a_kind_is_told_in_slices(void **state)
{
    start(FAIL_SECURE, NULL, 0);
    add_ports();
    add_meters();
    add_groups();
    client_connect(&a, mgmt);
    client_hello(&a, OF13);
    expect_slices(OF_MP_PORT, PORTS * 112);
    expect_slices(OF_MP_PORT_DESC, PORTS * 64);
    expect_slices(OF_MP_METER, METERS * (40 + 16));
    expect_slices(OF_MP_METER_CONFIG, METERS * (8 + 16));
    expect_slices(OF_MP_GROUP, GROUPS * 40);
    expect_slices(OF_MP_GROUP_DESC, GROUPS * 8);
    expect_slices(OF_MP_TABLE, PIPELINE_TABLES * 24);
    expect_slices(OF_MP_TABLE_FEATURES, PIPELINE_TABLES * 64);
    client_close(&a);
    stop();
}

/* Ports and meters that are told of next go while the peer does not read. */
static void what_goes_meanwhile_is_left_out(void **state)
{
    struct meter_mod mod = {.command = METER_DELETE};
    uint64_t longest = 0;
    size_t bytes;

    start(FAIL_SECURE, NULL, 0);
    add_ports();
    add_meters();
    client_connect(&a, mgmt);
    client_hello(&a, OF13);
    ask(&a, OF_MP_METER);
    turn();
    for (mod.meter_id = METERS / 2; mod.meter_id <= METERS; mod.meter_id++)
        assert_int_equal(meter_table_mod(pipeline_meters(bridge->pipeline), &mod), 0);
    bytes = listen_to(&a, &longest);
    assert_in_range(bytes, (METERS / 2 - 1) * (40 + 16), METERS / 4 * 3 * (40 + 16));
    ask(&a, OF_MP_PORT);
    turn();
    if (bridge_port_by_ofport(bridge, PORTS))
        bridge_port_remove(bridge_port_by_ofport(bridge, PORTS));
    assert_in_range(listen_to(&a, &longest), (PORTS - 2) * 112, PORTS * 112);
    /* One connection goes while it is being told, and the bridge while another is. */
    client_connect(&b, mgmt);
    client_hello(&b, OF13);
    ask(&a, OF_MP_METER);
    ask(&b, OF_MP_METER);
    turn();
    client_close(&a);
    for (int i = 0; i < 5; i++)
        turn();
    stop();
    client_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_of_a_kind_is_told_in_slices),
        cmocka_unit_test(what_goes_meanwhile_is_left_out),
    };

    return cmocka_run_group_tests(tests, of_bed_setup, of_bed_teardown);
}
