/* The OVSDB client against the real ovsdb-server, ovs-vsctl and ovsdb-client. Skipped where there are none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "src/ovsdb/ovsdb.h"
#include "src/ovsdb/vswitch.h"
#include "tests/lib/scratch.h"

#define SCHEMA "/usr/share/openvswitch/vswitch.ovsschema"

/* One switch: a client and what it was told. */
struct client {
    struct ovsdb *db;
    unsigned n_changed, n_done;
    char changes[1024], done_error[256];
};

static struct event_base *base;
static char dir[80];
static pid_t server;

static void run(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A command of the shell, in the test's directory. */
static void run(const char *format, ...)
{
    char command[1024];
    size_t len = (size_t)snprintf(command, sizeof command, "cd %s && export OVS_RUNDIR=%s && ", dir, dir);
    va_list args;

    va_start(args, format);
    vsnprintf(command + len, sizeof command - len, format, args);
    va_end(args);
    if (system(command))
        fail_msg("%s", command);
}

static void vsctl(const char *words)
{
    run("ovs-vsctl --db=unix:$OVS_RUNDIR/db.sock --no-wait --timeout=10 %s", words);
}

static void start_server(void)
{
    server = fork();
    if (!server) {
        char remote[128], ctl[128];
        snprintf(remote, sizeof remote, "--remote=punix:%s/db.sock", dir);
        snprintf(ctl, sizeof ctl, "--unixctl=%s/ctl", dir);
        setenv("OVS_RUNDIR", dir, 1);
        if (!chdir(dir))
            execlp("ovsdb-server", "ovsdb-server", "conf.db", remote, ctl, "-vconsole:off", "--no-chdir", (char *)NULL);
        _exit(127);
    }
    for (int i = 0; i < 1000; i++) {
        char path[120];
        snprintf(path, sizeof path, "%s/db.sock", dir);
        if (!access(path, F_OK))
            return;
        usleep(5000);
    }
    fail_msg("ovsdb-server did not start");
}

static void kill_server(void)
{
    kill(server, SIGKILL);
    waitpid(server, NULL, 0);
    run("rm -f db.sock ctl .conf.db.~lock~");
}

static void note(struct client *client, unsigned table, unsigned name)
{
    size_t len = strlen(client->changes);

    for (const struct ovsdb_row *row = ovsdb_changed(client->db, table); row; row = ovsdb_next_changed(row))
        len += (size_t)snprintf(client->changes + len, sizeof client->changes - len, "%c%s ",
                                row->state == OVSDB_ROW_NEW    ? '+'
                                : row->state == OVSDB_ROW_GONE ? '-'
                                                               : '~',
                                ovsdb_string(row, name));
}

static void changed(void *arg, struct ovsdb *db)
{
    struct client *client = arg;

    client->n_changed++;
    client->changes[0] = '\0';
    note(client, VSWITCH_BRIDGE, VSWITCH_BRIDGE_NAME);
    note(client, VSWITCH_PORT, VSWITCH_PORT_NAME);
    note(client, VSWITCH_INTERFACE, VSWITCH_INTERFACE_NAME);
}

static void done(void *arg, const char *error)
{
    struct client *client = arg;

    client->n_done++;
    snprintf(client->done_error, sizeof client->done_error, "%s", error ? error : "-");
}

static void client_start(struct client *client)
{
    char remote[128], error[256];

    snprintf(remote, sizeof remote, "unix:%s/db.sock", dir);
    const struct ovsdb_params params = {
        .base = base,
        .remote = remote,
        .schema = &vswitch_schema,
        .lock = VSWITCH_LOCK,
        .changed = changed,
        .arg = client,
    };
    *client = (struct client){0};
    client->db = ovsdb_create(&params, error, sizeof error);
    assert_non_null(client->db);
}

static void turn(void)
{
    event_base_loop(base, EVLOOP_NONBLOCK);
    usleep(1000);
}

#define WAIT_FOR(condition)                                                                                            \
    do {                                                                                                               \
        int turns_ = 0;                                                                                                \
        while (!(condition) && turns_++ < 10000)                                                                       \
            turn();                                                                                                    \
        if (!(condition))                                                                                              \
            fail_msg("never: %s", #condition);                                                                         \
    } while (0)

static const struct ovsdb_row *row_named(const struct client *client, unsigned table, unsigned column, const char *name)
{
    const struct ovsdb_row *row = ovsdb_first(client->db, table);

    while (row && strcmp(ovsdb_string(row, column), name))
        row = TAILQ_NEXT(row, node);
    return row;
}

static const struct ovsdb_row *interface(const struct client *client, const char *name)
{
    return row_named(client, VSWITCH_INTERFACE, VSWITCH_INTERFACE_NAME, name);
}

/* Columns that later versions of Open vSwitch have. */
static bool is_later(unsigned table, unsigned column)
{
    return (table == VSWITCH_DATAPATH && column == VSWITCH_DATAPATH_CT_ZONE_DEFAULT_LIMIT) ||
           (table == VSWITCH_CT_ZONE && column == VSWITCH_CT_ZONE_LIMIT);
}

/* Every other column that the client knows is in the schema, and of its type. */
static void knows_the_schema(void **state)
{
    json_t *schema = json_load_file(SCHEMA, 0, NULL);
    static struct ovsdb_bound bound[VSWITCH_N_TABLES];

    assert_true(ovsdb_bind(&vswitch_schema, schema, bound));
    for (unsigned t = 0; t < VSWITCH_N_TABLES; t++)
        for (unsigned c = 0; c < vswitch_schema.tables[t].n_columns; c++)
            if (!(bound[t].columns >> c & 1) && !is_later(t, c))
                fail_msg("%s.%s", vswitch_schema.tables[t].name, vswitch_schema.tables[t].columns[c].name);
    json_decref(schema);
}

static void follows_vsctl(void **state)
{
    struct client client;

    client_start(&client);
    WAIT_FOR(ovsdb_is_up(client.db) && ovsdb_has_lock(client.db));
    assert_int_equal(client.n_changed, 1);
    assert_null(ovsdb_first(client.db, VSWITCH_OPEN_VSWITCH));

    vsctl("init");
    WAIT_FOR(ovsdb_first(client.db, VSWITCH_OPEN_VSWITCH));
    vsctl("add-br br0 -- set Bridge br0 fail_mode=secure other_config:hwaddr=02:00:00:00:00:01 protocols=OpenFlow13,"
          "OpenFlow14");
    WAIT_FOR(!strcmp(client.changes, "+br0 +br0 +br0 "));
    const struct ovsdb_row *root = ovsdb_first(client.db, VSWITCH_OPEN_VSWITCH);
    const struct ovsdb_row *br0 = ovsdb_ref(client.db, root, VSWITCH_OPEN_VSWITCH_BRIDGES, 0);
    assert_string_equal(ovsdb_string(br0, VSWITCH_BRIDGE_FAIL_MODE), "secure");
    assert_int_equal(ovsdb_count(br0, VSWITCH_BRIDGE_PROTOCOLS), 2);
    assert_string_equal(ovsdb_map_string(client.db, br0, VSWITCH_BRIDGE_OTHER_CONFIG, "hwaddr"), "02:00:00:00:00:01");

    vsctl("add-port br0 p1 tag=9 -- set Interface p1 type=dpdk options:dpdk-devargs=net_null0 ofport_request=7");
    WAIT_FOR(!strcmp(client.changes, "~br0 +p1 +p1 "));
    const struct ovsdb_row *port = row_named(&client, VSWITCH_PORT, VSWITCH_PORT_NAME, "p1");
    assert_int_equal(ovsdb_integer(port, VSWITCH_PORT_TAG, 0), 9);
    assert_ptr_equal(ovsdb_ref(client.db, port, VSWITCH_PORT_INTERFACES, 0), interface(&client, "p1"));
    assert_int_equal(ovsdb_integer(interface(&client, "p1"), VSWITCH_INTERFACE_OFPORT_REQUEST, 0), 7);

    vsctl("set Port p1 trunks=1,2,3 -- clear Port p1 tag");
    WAIT_FOR(!strcmp(client.changes, "~p1 "));
    vsctl("set Port p1 trunks=2,3,4");
    WAIT_FOR(port->columns[VSWITCH_PORT_TRUNKS].atoms[2].integer == 4);
    assert_int_equal(port->columns[VSWITCH_PORT_TRUNKS].atoms[0].integer, 2);

    vsctl("del-port p1");
    WAIT_FOR(!strcmp(client.changes, "~br0 -p1 -p1 "));
    ovsdb_destroy(client.db);
}

static void writes(struct client *client, int64_t ofport, const char *key)
{
    struct ovsdb_txn *txn = ovsdb_txn_begin(client->db, OVSDB_STATUS);
    const struct ovsdb_row *row = interface(client, "br0");
    struct ovsdb_datum statistics = {0};
    const struct ovsdb_kind kind = {.key = OVSDB_STRING, .value = OVSDB_INTEGER, .many = true};

    assert_non_null(txn);
    for (int i = 0; i < 10; i++) {
        char name[16];
        snprintf(name, sizeof name, "key-%d", i);
        ovsdb_datum_put_integer(&statistics, name, i);
    }
    ovsdb_datum_put_integer(&statistics, key, 99);
    ovsdb_txn_write_integer(txn, row, VSWITCH_INTERFACE_OFPORT, ofport);
    ovsdb_txn_write_string(txn, row, VSWITCH_INTERFACE_LINK_STATE, "up");
    ovsdb_txn_write(txn, row, VSWITCH_INTERFACE_STATISTICS, &statistics);
    ovsdb_datum_clear(&kind, &statistics);
    assert_true(ovsdb_txn_commit(txn, done, client));
}

static void transacts(void **state)
{
    struct client client;

    client_start(&client);
    WAIT_FOR(ovsdb_is_up(client.db) && ovsdb_has_lock(client.db));
    writes(&client, 65534, "first");
    WAIT_FOR(client.n_done == 1);
    assert_string_equal(client.done_error, "-");
    run("test \"$(ovs-vsctl --db=unix:$OVS_RUNDIR/db.sock get Interface br0 ofport link_state statistics:first | tr '\\n' ' ')\" = "
        "'65534 up 99 '");
    writes(&client, -1, "second"); /* of the map, as a mutation */
    WAIT_FOR(client.n_done == 2);
    assert_string_equal(client.done_error, "-");
    run("test \"$(ovs-vsctl --db=unix:$OVS_RUNDIR/db.sock get Interface br0 ofport statistics:second statistics:key-9 | "
        "tr '\\n' ' ')\" = '-1 99 9 '");
    run("! ovs-vsctl --db=unix:$OVS_RUNDIR/db.sock get Interface br0 statistics:first 2>/dev/null");
    assert_int_equal(client.n_changed, 1); /* its own writes do not come back */

    /* What the schema does not allow. */
    struct ovsdb_txn *txn = ovsdb_txn_begin(client.db, OVSDB_STATUS);
    ovsdb_txn_write_string(txn, interface(&client, "br0"), VSWITCH_INTERFACE_LINK_STATE, "sideways");
    assert_true(ovsdb_txn_commit(txn, done, &client));
    WAIT_FOR(client.n_done == 3);
    assert_non_null(strstr(client.done_error, "constraint violation"));
    assert_true(ovsdb_is_up(client.db));
    ovsdb_destroy(client.db);
}

static void survives_a_restart(void **state)
{
    struct client client;

    client_start(&client);
    WAIT_FOR(ovsdb_is_up(client.db));
    kill_server();
    WAIT_FOR(!ovsdb_is_up(client.db));
    assert_false(ovsdb_has_lock(client.db));
    assert_non_null(interface(&client, "br0"));
    start_server();
    WAIT_FOR(ovsdb_is_up(client.db) && ovsdb_has_lock(client.db));
    assert_string_equal(client.changes, ""); /* nothing differs */

    kill_server();
    start_server();
    vsctl("add-port br0 p2"); /* before the client is back */
    WAIT_FOR(ovsdb_is_up(client.db) && ovsdb_has_lock(client.db) && interface(&client, "p2"));
    assert_string_equal(client.changes, "~br0 +p2 +p2 ");
    ovsdb_destroy(client.db);
}

static void one_has_the_lock(void **state)
{
    struct client first, second;

    client_start(&first);
    WAIT_FOR(ovsdb_is_up(first.db) && ovsdb_has_lock(first.db));
    client_start(&second);
    WAIT_FOR(ovsdb_is_up(second.db));
    for (int i = 0; i < 50; i++)
        turn();
    assert_false(ovsdb_has_lock(second.db));
    assert_null(ovsdb_txn_begin(second.db, OVSDB_CONFIG));
    ovsdb_destroy(first.db);
    WAIT_FOR(ovsdb_has_lock(second.db));

    /* Stolen, and back when the thief has gone. */
    run("timeout 2 ovsdb-client steal unix:$OVS_RUNDIR/db.sock " VSWITCH_LOCK " >/dev/null 2>&1 & true");
    WAIT_FOR(!ovsdb_has_lock(second.db));
    assert_null(ovsdb_txn_begin(second.db, OVSDB_CONFIG));
    WAIT_FOR(ovsdb_has_lock(second.db));
    ovsdb_destroy(second.db);
}

static int start(void **state)
{
    snprintf(dir, sizeof dir, "%s", scratch_dir());
    base = event_base_new();
    run("ovsdb-tool create conf.db " SCHEMA);
    start_server();
    return 0;
}

static int end(void **state)
{
    kill_server();
    event_base_free(base);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(knows_the_schema),   cmocka_unit_test(follows_vsctl),    cmocka_unit_test(transacts),
        cmocka_unit_test(survives_a_restart), cmocka_unit_test(one_has_the_lock),
    };

    if (access(SCHEMA, R_OK) || system("command -v ovsdb-server ovsdb-tool ovsdb-client ovs-vsctl >/dev/null")) {
        puts("skipped: this needs openvswitch-common and openvswitch-switch");
        return 77;
    }
    return cmocka_run_group_tests(tests, start, end);
}
