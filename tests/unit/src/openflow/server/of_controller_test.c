/* Controllers: connecting to them, probing, what the bridge does without one, and roles. */
#include "src/tables/group.h"
#include "tests/lib/of_bed.h"
#include "tests/lib/scratch.h"

static void role(struct client *client, enum of_role role, uint64_t generation, enum of_error error)
{
    const struct of_msg request = {.type = OF_ROLE_REQUEST,
                                   .xid = 4,
                                   .role = {.role = role, .has_generation_id = true, .generation_id = generation}};
    struct of_msg msg;

    client_send(client, &request);
    if (error) {
        client_expect_error(client, error, 4);
        return;
    }
    client_expect(client, OF_ROLE_REPLY, &msg);
    assert_int_equal(msg.role.role, role);
    of_msg_free(&msg);
}

static void a_slave_changes_nothing(void **state)
{
    start(FAIL_SECURE, NULL, 0);
    client_connect(&a, mgmt);
    client_hello(&a, OF13);
    client_connect(&b, mgmt);
    client_hello(&b, OF14);
    role(&b, OF_ROLE_MASTER, 5, 0);
    role(&a, OF_ROLE_MASTER, 4, OFPERR_RRFC_STALE);
    send_flow_mod(&b, FLOW_ADD, 1);
    client_barrier(&b);
    role(&a, OF_ROLE_MASTER, 6, 0);
    send_flow_mod(&b, FLOW_ADD, 2);
    client_expect_error(&b, OFPERR_BRC_IS_SLAVE, 2);
    const struct of_msg bundle = {
        .type = OF_BUNDLE_CONTROL, .xid = 9, .bundle_control = {.bundle_id = 1, .type = OF_BUNDLE_OPEN_REQUEST}};
    client_send(&b, &bundle);
    client_expect_error(&b, OFPERR_BRC_IS_SLAVE, 9);
    send_flow_mod(&a, FLOW_ADD, 3);
    client_barrier(&a);
    assert_int_equal(n_rules(), 2);
    role(&b, OF_ROLE_EQUAL, 0, 0);
    send_flow_mod(&b, FLOW_ADD, 2);
    client_barrier(&b);
    assert_int_equal(n_rules(), 3);
    client_close(&a);
    client_close(&b);
    stop();
}

static int controller_listen(char *target, size_t size)
{
    struct sockaddr_un sun = {.sun_family = AF_UNIX};

    snprintf(sun.sun_path, sizeof sun.sun_path, "%s", scratch_path("controller"));
    snprintf(target, size, "unix:%s", sun.sun_path);
    unlink(sun.sun_path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_return_code(bind(fd, (void *)&sun, sizeof sun), errno);
    assert_return_code(listen(fd, 5), errno);
    return fd;
}

static void controller_accept(int fd, struct client *client)
{
    int got = -1;

    for (int i = 0; i < 3000 && got < 0; i++, usleep(1000)) {
        turn();
        got = accept(fd, NULL, NULL);
    }
    assert_return_code(got, errno);
    client_init(client, got);
}

static bool acts_as_learning_switch(void)
{
    const struct flow flow = {.in_port = 1};

    return pipeline_lookup(bridge->pipeline, 0, &flow, NULL, NULL);
}

static void states(void *arg, const struct of_connection_info *info)
{
    snprintf(arg, 128, "%s %s %s", info->target, info->state, info->is_controller ? "controller" : "mgmt");
}

static void controllers_are_tried_again_probed_and_replaced_by_a_learning_switch(void **state)
{
    char target[128], text[128] = "", expected[160];
    struct of_msg msg;
    int fd = controller_listen(target, sizeof target);

    start(FAIL_STANDALONE, target, 1000);
    assert_false(acts_as_learning_switch()); /* it may be there in a moment */

    controller_accept(fd, &a);
    client_hello(&a, OF13);
    client_barrier(&a);
    of_server_for_each_connection(server, states, text);
    snprintf(expected, sizeof expected, "%s active controller", target);
    assert_string_equal(text, expected);

    /* Asked after a silence; an answer is enough. */
    now_ms += 1000;
    client_expect(&a, OF_ECHO_REQUEST, &msg);
    struct of_msg reply = msg;
    reply.type = OF_ECHO_REPLY;
    client_send(&a, &reply);
    of_msg_free(&msg);
    client_barrier(&a);
    now_ms += 1000;
    client_expect(&a, OF_ECHO_REQUEST, &msg);
    of_msg_free(&msg);
    now_ms += 1000;
    client_expect_closed(&a);
    close(a.fd);

    /* It comes back, and back after a hello that never came. */
    controller_accept(fd, &a);
    close(a.fd);
    controller_accept(fd, &a);
    now_ms += 3001;
    turn();
    turn();
    assert_true(acts_as_learning_switch());
    assert_int_equal(n_rules(), 0);
    close(a.fd);
    controller_accept(fd, &a);
    client_hello(&a, OF13);
    client_barrier(&a);
    turn();
    assert_false(acts_as_learning_switch());
    client_close(&a);
    stop();
    close(fd);
    unlink(target + strlen("unix:"));
}

static void change_controller(struct of_controller_params wanted)
{
    const struct of_controller_params was = {.target = wanted.target};
    const struct of_server_params old = {.controllers = &was, .n_controllers = 1};
    const struct of_server_params new = {.controllers = &wanted, .n_controllers = 1};
    char error[256];

    assert_int_equal(of_server_change(server, &old, &new, error, sizeof error), 0);
}

static void a_controller_has_limits_of_its_own(void **state)
{
    char target[128];
    struct of_msg msg;
    int fd = controller_listen(target, sizeof target);

    start(FAIL_SECURE, target, 1000);
    controller_accept(fd, &a);
    client_hello(&a, OF13);
    client_barrier(&a);
    /* In force at once, on the connection that there is. */
    change_controller((struct of_controller_params){.target = target, .inactivity_probe_ms = 5000, .quiet = true});
    now_ms += 1500;
    turn();
    client_barrier(&a);
    now_ms += 5000;
    client_expect(&a, OF_ECHO_REQUEST, &msg);
    of_msg_free(&msg);
    bridge_port_set_config(bridge_port_by_ofport(bridge, 1), PORT_CONFIG_NO_RECV, PORT_CONFIG_NO_RECV);
    client_expect(&a, OF_PORT_STATUS, &msg);
    of_msg_free(&msg);
    close(a.fd);

    /* A quiet one is told nothing before it asks. */
    controller_accept(fd, &a);
    client_hello(&a, OF13);
    client_barrier(&a);
    bridge_port_set_config(bridge_port_by_ofport(bridge, 1), 0, PORT_CONFIG_NO_RECV);
    client_barrier(&a);
    client_close(&a);
    stop();
    close(fd);
    unlink(target + strlen("unix:"));
}

static void without_a_controller_the_fail_mode_decides_at_once(void **state)
{
    start(FAIL_STANDALONE, NULL, 1000);
    assert_true(acts_as_learning_switch());
    stop();
    start(FAIL_SECURE, NULL, 1000);
    assert_false(acts_as_learning_switch());
    stop();
}

/* From `had` to `has` controllers; `restoring`: the first were left out while somebody brought rules. */
static void set_controllers(const char *target, bool had, bool has, bool restoring)
{
    const struct of_controller_params controller = {.target = target, .max_backoff_ms = 20};
    const struct of_server_params was = {.controllers = &controller, .n_controllers = had, .restoring = restoring};
    const struct of_server_params wanted = {.controllers = &controller, .n_controllers = has};
    char error[256];

    assert_int_equal(of_server_change(server, &was, &wanted, error, sizeof error), 0);
}

static void set_mode(enum fail_mode mode)
{
    bridge->fail_mode = mode;
    set_controllers("", false, false, false);
}

static void add_rules(unsigned n)
{
    for (unsigned i = 1; i <= n; i++) {
        struct act_buffer acts;
        struct of_msg msg;

        make_flow_mod(&msg, FLOW_ADD, i, &acts);
        assert_int_equal(pipeline_flow_mod(bridge->pipeline, &msg.flow_mod), 0);
        act_buffer_free(&acts);
    }
}

static void becomes_n_rules(uint32_t n)
{
    const uint32_t before = n_rules();

    for (int i = 0; i < 10000 && n_rules() != n; i++) {
        assert_int_equal(n_rules(), before); /* all at once */
        turn();
    }
    assert_int_equal(n_rules(), n);
    turn();
    turn();
    assert_int_equal(n_rules(), n);
}

/* One sends to the other. */
static void add_groups(void)
{
    for (uint32_t id = 1; id <= 2; id++) {
        struct act_buffer acts;
        struct bucket bucket = {.id = 0};
        struct group_mod mod = {.command = GROUP_ADD, .group_id = id, .buckets = &bucket, .n_buckets = 1};

        act_buffer_init(&acts);
        ((struct act_u32 *)act_buffer_add(&acts, ACT_GROUP, sizeof(struct act_u32)))->value = 1;
        if (id == 1)
            acts.len = 0;
        bucket.acts = act_buffer_list(&acts);
        assert_int_equal(group_table_mod(pipeline_groups(bridge->pipeline), &mod), 0);
        act_buffer_free(&acts);
    }
}

static unsigned n_groups(void)
{
    return (group_table_find(pipeline_groups(bridge->pipeline), 1) != NULL) +
           (group_table_find(pipeline_groups(bridge->pipeline), 2) != NULL);
}

static void rules_go_with_those_whose_they_were(void **state)
{
    char target[128];
    int fd = controller_listen(target, sizeof target);

    start(FAIL_STANDALONE, NULL, 1000);
    add_rules(5000);
    assert_int_equal(n_rules(), 5001);
    set_controllers(target, false, true, false);
    controller_accept(fd, &a);
    client_hello(&a, OF13);
    /* What the controller adds comes behind, however long it takes to remove the others. */
    send_flow_mod(&a, FLOW_ADD, 1);
    client_barrier(&a);
    becomes_n_rules(1);
    assert_false(of_server_is_learning_switch(server));

    /* Another change leaves them. */
    change_controller((struct of_controller_params){.target = target, .max_backoff_ms = 20, .inactivity_probe_ms = 77});
    becomes_n_rules(1);

    set_controllers(target, true, false, false);
    becomes_n_rules(1);
    assert_true(acts_as_learning_switch());
    assert_true(of_server_is_learning_switch(server));
    client_expect_closed(&a);
    close(a.fd);

    /* So they do when the mode changes, and nobody but it decides. */
    add_rules(3);
    add_groups();
    set_mode(FAIL_SECURE);
    becomes_n_rules(0);
    assert_int_equal(n_groups(), 0);
    /* Twice, before the first is done. */
    add_rules(3);
    set_mode(FAIL_STANDALONE);
    loop_turn(loop);
    set_mode(FAIL_SECURE);
    becomes_n_rules(0);
    add_rules(3);
    set_mode(FAIL_SECURE);
    becomes_n_rules(3);
    set_mode(FAIL_STANDALONE);
    becomes_n_rules(1);
    assert_true(of_server_is_learning_switch(server));
    stop();
    close(fd);
    unlink(target + strlen("unix:"));
}

static void restored_rules_meet_the_controllers(void **state)
{
    char target[128];
    int fd = controller_listen(target, sizeof target);

    start(FAIL_SECURE, NULL, 1000);
    add_rules(3);
    set_controllers(target, false, true, true);
    becomes_n_rules(3);
    bridge->fail_mode = FAIL_STANDALONE; /* with controllers the mode is about the time without them */
    set_controllers(target, true, true, false);
    becomes_n_rules(3);
    set_controllers(target, true, false, false);
    becomes_n_rules(1);
    stop();
    close(fd);
    unlink(target + strlen("unix:"));
}

static void it_is_no_learning_switch_without_the_rule(void **state)
{
    struct flow_mod delete = {
        .command = FLOW_DELETE, .table_id = TABLE_ALL, .out_port = OFPORT_ANY, .out_group = OFGROUP_ANY};

    start(FAIL_STANDALONE, NULL, 1000);
    assert_true(of_server_is_learning_switch(server));
    assert_int_equal(pipeline_flow_mod(bridge->pipeline, &delete), 0);
    assert_false(of_server_is_learning_switch(server));
    add_rules(1);
    assert_false(of_server_is_learning_switch(server));
    stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_slave_changes_nothing),
        cmocka_unit_test(controllers_are_tried_again_probed_and_replaced_by_a_learning_switch),
        cmocka_unit_test(a_controller_has_limits_of_its_own),
        cmocka_unit_test(without_a_controller_the_fail_mode_decides_at_once),
        cmocka_unit_test(rules_go_with_those_whose_they_were),
        cmocka_unit_test(restored_rules_meet_the_controllers),
        cmocka_unit_test(it_is_no_learning_switch_without_the_rule),
    };

    return cmocka_run_group_tests(tests, of_bed_setup, of_bed_teardown);
}
