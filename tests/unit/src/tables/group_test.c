/* Groups: what is refused, which buckets run, how select spreads flows, what is counted; with a poll-mode thread that
 * forwards. */
#include "pmd/base/clock.h"
#include "src/tables/group.h"
#include "src/xlate/xlate.h"
#include "tests/lib/bed_traffic.h"

#define BUCKETS_MAX 8

/* --- group_mods ---------------------------------------------------------- */

struct mod {
    struct group_mod gm;
    struct bucket buckets[BUCKETS_MAX];
    struct act_buffer acts[BUCKETS_MAX];
};

static void mod_init(struct mod *mod, enum group_command command, uint32_t id, uint8_t type)
{
    memset(mod, 0, sizeof *mod);
    mod->gm = (struct group_mod){.command = command, .group_id = id, .type = type, .buckets = mod->buckets};
}

static struct bucket *mod_bucket(struct mod *mod, const char *actions)
{
    unsigned i = mod->gm.n_buckets++;

    act_buffer_init(&mod->acts[i]);
    assert_null(actions_parse(actions, &mod->acts[i], NULL, NULL));
    mod->buckets[i] = (struct bucket){
        .id = i, .watch_port = OFPORT_ANY, .watch_group = OFGROUP_ANY, .acts = act_buffer_list(&mod->acts[i])};
    return &mod->buckets[i];
}

static struct group_table *table(void)
{
    return pipeline_groups(bed.bridge->pipeline);
}

static int mod_send(struct mod *mod)
{
    int error = group_table_mod(table(), &mod->gm);

    for (unsigned i = 0; i < mod->gm.n_buckets; i++)
        act_buffer_free(&mod->acts[i]);
    return error;
}

/* A bucket for each text. "2" stands for "output:2", watched if `watch`. */
static int command(enum group_command cmd, uint32_t id, uint8_t type, bool watch, const char *const *texts)
{
    struct mod mod;

    mod_init(&mod, cmd, id, type);
    for (; *texts; texts++) {
        char text[128];
        bool port = strlen(*texts) == 1;
        struct bucket *bucket;

        snprintf(text, sizeof text, "%s%s", port ? "output:" : "", *texts);
        bucket = mod_bucket(&mod, text);
        if (watch)
            bucket->watch_port = (uint32_t)atoi(*texts);
        bucket->weight = type == GROUP_SELECT;
    }
    return mod_send(&mod);
}

#define BUCKETS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define ADD(id, type, ...) assert_int_equal(command(GROUP_ADD, id, type, (type) == GROUP_FF, BUCKETS(__VA_ARGS__)), 0)
#define REFUSED(error, cmd, id, type, ...)                                                                             \
    assert_int_equal(command(cmd, id, type, (type) == GROUP_FF, BUCKETS(__VA_ARGS__)), error)

static int delete_group(uint32_t id)
{
    struct mod mod;

    mod_init(&mod, GROUP_DELETE, id, 0);
    return mod_send(&mod);
}

/* --- packets ------------------------------------------------------------- */

static struct rte_mbuf *udp(uint32_t flow)
{
    struct rte_mbuf *m = bed_udp();
    uint8_t *p = rte_pktmbuf_mtod(m, uint8_t *);

    p[5] = 0xdd;
    p[28] = (uint8_t)(flow >> 8);
    p[29] = (uint8_t)flow;
    p[30] = 10;
    p[33] = 9;
    p[36] = 2;
    return m;
}

static void send_flow(uint32_t flow)
{
    send_to(1, udp(flow));
}

/* The Ethernet destination's last byte of the next packet on `port`; -1 if there is none. */
static int last_byte(uint32_t port)
{
    struct rte_mbuf *m = receive(port, 2000);
    int byte;

    if (!m)
        return -1;
    byte = rte_pktmbuf_mtod(m, uint8_t *)[5];
    rte_pktmbuf_free(m);
    return byte;
}

static unsigned drain(uint32_t port)
{
    struct rte_mbuf *m;
    unsigned n = 0;

    while (rte_ring_sc_dequeue(bed.fake[port]->out, (void **)&m) == 0) {
        rte_pktmbuf_free(m);
        n++;
    }
    return n;
}

static void expect_counts(uint32_t id, uint32_t bucket, uint64_t group_packets, uint64_t bucket_packets)
{
    struct group *group = group_table_find(table(), id);

    assert_non_null(group);
    for (int i = 0; i < 2000 && group->packets < group_packets; i++) {
        usleep(1000);
        bed_count(&bed);
    }
    assert_int_equal(group->packets, group_packets);
    assert_int_equal(group->bytes, 60 * group_packets);
    assert_int_equal(group->buckets[bucket].packets, bucket_packets);
}

/* --- tests --------------------------------------------------------------- */

static void refusals(void **state)
{
    struct mod mod;

    ADD(1, GROUP_ALL, "2", "3");
    REFUSED(OFPERR_GMFC_GROUP_EXISTS, GROUP_ADD, 1, GROUP_ALL, "2");
    REFUSED(OFPERR_GMFC_UNKNOWN_GROUP, GROUP_MODIFY, 2, GROUP_ALL, "2");
    REFUSED(OFPERR_GMFC_INVALID_GROUP, GROUP_ADD, 2, GROUP_INDIRECT, "2", "3");
    REFUSED(OFPERR_GMFC_BAD_TYPE, GROUP_ADD, 2, 9, "2");
    REFUSED(OFPERR_GMFC_INVALID_GROUP, GROUP_ADD, OFGROUP_MAX + 1, GROUP_ALL, "2");
    REFUSED(OFPERR_BAC_BAD_OUT_GROUP, GROUP_ADD, 2, GROUP_ALL, "group:77");
    REFUSED(OFPERR_GMFC_BAD_COMMAND, GROUP_COMMAND_BAD, 2, GROUP_ALL, "2");
    REFUSED(OFPERR_GMFC_LOOP, GROUP_ADD, 2, GROUP_ALL, "group:2");
    REFUSED(OFPERR_BAC_BAD_TYPE, GROUP_ADD, 2, GROUP_ALL, "clone(group:1)");
    REFUSED(OFPERR_BAC_BAD_ARGUMENT, GROUP_ADD, 2, GROUP_ALL, "clone(output(port=2,max_len=13))");
    REFUSED(OFPERR_BAC_BAD_SET_ARGUMENT, GROUP_ADD, 2, GROUP_ALL, "check_pkt_larger(100)->NXM_NX_REG0[5..6]");
    REFUSED(OFPERR_BAC_BAD_CONJUNCTION, GROUP_ADD, 2, GROUP_ALL, "conjunction(1,1/2)");
    /* Actions that an action set does not run. */
    REFUSED(OFPERR_BAC_BAD_TYPE, GROUP_ADD, 2, GROUP_ALL, "clone(output:2),output:3");
    REFUSED(OFPERR_BAC_BAD_TYPE, GROUP_ADD, 2, GROUP_ALL, "learn(table=2,NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[]),output:3");
    REFUSED(OFPERR_BAC_BAD_TYPE, GROUP_ADD, 2, GROUP_ALL, "fin_timeout(idle_timeout=5),output:3");
    REFUSED(OFPERR_BAC_BAD_TYPE, GROUP_ADD, 2, GROUP_ALL, "exit,output:3");
    REFUSED(OFPERR_BAC_BAD_TYPE, GROUP_ADD, 2, GROUP_ALL, "push:NXM_NX_REG0[],output:3");
    REFUSED(OFPERR_BAC_BAD_TYPE, GROUP_ADD, 2, GROUP_ALL, "output(port=2,max_len=64)");
    REFUSED(OFPERR_BAC_BAD_TYPE, GROUP_ADD, 2, GROUP_ALL, "check_pkt_larger(100)->NXM_NX_REG0[0],output:3");
    REFUSED(OFPERR_BAC_BAD_TYPE, GROUP_ADD, 2, GROUP_ALL, "bundle(eth_src,0,active_backup,ofport,members:2,3)");
    REFUSED(OFPERR_BAC_BAD_TYPE, GROUP_ADD, 2, GROUP_ALL, "sample(probability=1),output:3");
    assert_int_equal(command(GROUP_ADD, 2, GROUP_FF, false, BUCKETS("2")), OFPERR_GMFC_INVALID_GROUP);

    mod_init(&mod, GROUP_ADD, 2, GROUP_ALL);
    mod_bucket(&mod, "output:2")->weight = 5;
    assert_int_equal(mod_send(&mod), OFPERR_GMFC_INVALID_GROUP);
    mod_init(&mod, GROUP_ADD, 2, GROUP_FF);
    mod_bucket(&mod, "output:2")->watch_group = 99;
    assert_int_equal(mod_send(&mod), OFPERR_GMFC_BAD_WATCH);
    mod_init(&mod, GROUP_ADD, 2, GROUP_FF);
    mod_bucket(&mod, "output:2")->watch_port = OFPORT_FLOOD;
    assert_int_equal(mod_send(&mod), OFPERR_GMFC_BAD_WATCH);
    mod_init(&mod, GROUP_ADD, 2, GROUP_SELECT);
    mod_bucket(&mod, "output:2");
    strcpy(mod.gm.selection.method, "dp_hash");
    mod.gm.selection.param = UINT64_C(2) << 32; /* the algorithms are 0 and 1 */
    assert_int_equal(mod_send(&mod), OFPERR_BPC_BAD_VALUE);

    assert_null(group_table_find(table(), 2));
    assert_int_equal(delete_group(2), 0);
    assert_int_equal(delete_group(OFGROUP_ANY), OFPERR_GMFC_INVALID_GROUP);
    assert_int_equal(bed_mod(&bed, FLOW_ADD, "actions=group:2"), OFPERR_BAC_BAD_OUT_GROUP);
    assert_int_equal(bed_mod(&bed, FLOW_ADD, "actions=write_actions(group:2)"), OFPERR_BAC_BAD_OUT_GROUP);
    /* Matches that are the switch's own. */
    assert_int_equal(bed_mod(&bed, FLOW_ADD, "recirc_id=5,actions=output:2"), OFPERR_BRC_EPERM);
    assert_int_equal(bed_mod(&bed, FLOW_MODIFY, "recirc_id=5,actions=output:2"), OFPERR_BRC_EPERM);
    assert_int_equal(bed_mod(&bed, FLOW_ADD, "dp_hash=0/1,actions=output:2"), OFPERR_BRC_EPERM);
    assert_int_equal(pipeline_n_rules(bed.bridge->pipeline, TABLE_ALL), 0);
}

static void chains_have_no_loops(void **state)
{
    ADD(1, GROUP_INDIRECT, "2");
    ADD(2, GROUP_INDIRECT, "group:1");
    ADD(3, GROUP_ALL, "group:2", "group:1");
    REFUSED(OFPERR_GMFC_LOOP, GROUP_MODIFY, 1, GROUP_ALL, "4", "group:3");
    REFUSED(OFPERR_GMFC_LOOP, GROUP_MODIFY, 1, GROUP_INDIRECT, "group:2");
    assert_int_equal(group_users(group_table_find(table(), 1)), 2);
    assert_int_equal(delete_group(1), OFPERR_GMFC_CHAINED_GROUP);
    assert_int_equal(delete_group(3), 0);
    assert_int_equal(group_users(group_table_find(table(), 1)), 1);
    assert_int_equal(delete_group(2), 0);
    assert_int_equal(delete_group(1), 0);
    ADD(1, GROUP_INDIRECT, "2");
    ADD(2, GROUP_INDIRECT, "group:1");
    assert_int_equal(delete_group(OFGROUP_ALL), 0);
    struct group_cursor *cursor = group_cursor_open(table());
    assert_null(group_cursor_next(cursor));
    group_cursor_close(cursor);
}

/* Each bucket gets the packet as it came to the group, and so does what follows the group. */
static void all_buckets_run(void **state)
{
    ADD(1, GROUP_ALL, "set_field:02:00:00:00:00:22->eth_dst,output:2", "3", "output:4,dec_ttl");
    bed_add(&bed, "cookie=1,in_port=1,ip,actions=set_field:02:00:00:00:00:11->eth_dst,group:1,output:5");
    for (int i = 0; i < 3; i++) {
        struct rte_mbuf *m;

        send_flow(1);
        assert_int_equal(last_byte(2), 0x22);
        assert_int_equal(last_byte(3), 0x11);
        m = receive(4, 2000);
        assert_non_null(m);
        assert_int_equal(rte_pktmbuf_mtod(m, uint8_t *)[5], 0x11);
        assert_int_equal(rte_pktmbuf_mtod(m, uint8_t *)[22], 63);
        rte_pktmbuf_free(m);
        m = receive(5, 2000);
        assert_non_null(m);
        assert_int_equal(rte_pktmbuf_mtod(m, uint8_t *)[22], 64);
        rte_pktmbuf_free(m);
    }
    expect_counts(1, 2, 3, 3);
    assert_int_equal(group_users(group_table_find(table(), 1)), 1);
}

static void action_set_runs_groups(void **state)
{
    ADD(1, GROUP_INDIRECT, "output:4,set_field:02:00:00:00:00:33->eth_dst");
    bed_add(&bed, "in_port=1,actions=write_actions(output:2,group:1)");
    send_flow(1);
    assert_int_equal(last_byte(4), 0x33);
    expect_nothing(2);
}

static void modified_and_deleted_groups_change_flows(void **state)
{
    ADD(1, GROUP_INDIRECT, "2");
    ADD(2, GROUP_INDIRECT, "group:1");
    bed_add(&bed, "cookie=1,in_port=1,actions=group:2");
    send_flow(1);
    assert_int_equal(last_byte(2), 0xdd);
    expect_counts(2, 0, 1, 1);
    assert_int_equal(command(GROUP_MODIFY, 1, GROUP_ALL, false, BUCKETS("3")), 0);
    bed_settle(&bed);
    send_flow(1);
    assert_int_equal(last_byte(3), 0xdd);
    expect_counts(1, 0, 1, 1);
    expect_counts(2, 0, 2, 2);
    assert_int_equal(delete_group(2), 0);
    assert_int_equal(pipeline_n_rules(bed.bridge->pipeline, TABLE_ALL), 0);
    bed_settle(&bed);
    send_flow(1);
    expect_nothing(3);
}

static void set_down(uint32_t ofport, bool down)
{
    bridge_port_set_config(bridge_port_by_ofport(bed.bridge, ofport), down ? PORT_CONFIG_DOWN : 0, PORT_CONFIG_DOWN);
}

static void failover(void **state)
{
    struct mod mod;

    ADD(1, GROUP_FF, "2", "3");
    mod_init(&mod, GROUP_ADD, 2, GROUP_FF);
    mod_bucket(&mod, "group:1")->watch_group = 1;
    mod_bucket(&mod, "output:4")->watch_port = 4;
    assert_int_equal(mod_send(&mod), 0);
    bed_add(&bed, "in_port=1,actions=group:2");
    send_flow(1);
    assert_int_equal(last_byte(2), 0xdd);
    set_down(2, true);
    bed_settle(&bed);
    send_flow(1);
    assert_int_equal(last_byte(3), 0xdd);
    set_down(3, true);
    bed_settle(&bed);
    send_flow(1);
    assert_int_equal(last_byte(4), 0xdd);
    set_down(2, false);
    bed_settle(&bed);
    send_flow(1);
    assert_int_equal(last_byte(2), 0xdd);
    set_down(2, true);
    set_down(4, true);
    bed_settle(&bed);
    send_flow(1);
    for (uint32_t port = 2; port <= 4; port++)
        expect_nothing(port);
}

/* Flows are spread as the weights say; a flow stays where it is, also when a bucket that is not its own dies. */
static void select_by_weight(void **state)
{
    enum { FLOWS = 3000 };
    static const uint32_t weights[] = {1, 2, 3};
    static uint8_t port_of[FLOWS];
    unsigned n[BED_PORTS + 1] = {0};
    struct mod mod;
    struct group *group;

    mod_init(&mod, GROUP_ADD, 1, GROUP_SELECT);
    for (uint32_t i = 0; i < 3; i++) {
        char text[32];
        struct bucket *bucket;

        snprintf(text, sizeof text, "output:%u", i + 2);
        bucket = mod_bucket(&mod, text);
        bucket->weight = (uint16_t)weights[i];
        bucket->watch_port = i + 2;
    }
    assert_int_equal(mod_send(&mod), 0);
    bed_add(&bed, "in_port=1,actions=group:1");
    for (int round = 0; round < 3; round++) {
        if (round == 2) {
            set_down(3, true);
            bed_settle(&bed);
        }
        for (uint32_t flow = 0; flow < FLOWS; flow++) {
            uint64_t end = clock_now_ms() + 5000;
            uint32_t port = 0;

            send_flow(flow);
            while (!port && clock_now_ms() < end) {
                bed_turn(&bed);
                for (uint32_t p = 2; p <= 4 && !port; p++)
                    port = drain(p) ? p : 0;
            }
            assert_true(port);
            n[port] += round == 0;
            if (round == 0 || (round == 2 && port_of[flow] == 3))
                port_of[flow] = (uint8_t)port;
            assert_int_equal(port, port_of[flow]);
            assert_true(round < 2 || port != 3);
        }
    }
    for (uint32_t i = 0; i < 3; i++) {
        double share = (double)n[i + 2] / FLOWS, wanted = weights[i] / 6.0;

        assert_true(share > wanted - 0.04 && share < wanted + 0.04);
    }
    /* Flows by the thousand, megaflows by the hash's few bits. */
    group = group_table_find(table(), 1);
    assert_true(datapath_n_megaflows(bed.dp) <= 2 * group->n_slots + 2);
    for (int i = 0; i < 2000 && group->packets < 3 * FLOWS; i++) {
        usleep(1000);
        bed_count(&bed);
    }
    assert_int_equal(group->packets, 3 * FLOWS);
    assert_int_equal(group->buckets[0].packets + group->buckets[1].packets + group->buckets[2].packets, 3 * FLOWS);
}

static void select_by_fields(void **state)
{
    struct mod mod;
    unsigned n[2] = {0};

    mod_init(&mod, GROUP_ADD, 1, GROUP_SELECT);
    mod_bucket(&mod, "output:2")->weight = 1;
    mod_bucket(&mod, "output:3")->weight = 1;
    strcpy(mod.gm.selection.method, "hash");
    mod.gm.selection.n_fields = 1;
    mod.gm.selection.fields[0] = field_by_id(FIELD_IPV4_SRC);
    memset(mod.gm.selection.masks[0].b, 0xff, 4);
    mod.gm.selection.masks[0].b[3] = 0; /* 24 bits of the address */
    assert_int_equal(mod_send(&mod), 0);
    bed_add(&bed, "in_port=1,actions=group:1");
    for (uint32_t net = 0; net < 64; net++) {
        unsigned first = 0;

        for (uint32_t host = 0; host < 4; host++) {
            unsigned got[2] = {0};

            send_flow(net << 8 | host);
            for (int i = 0; i < 20000 && got[0] + got[1] == 0; i++) {
                bed_turn(&bed);
                got[0] += drain(2);
                got[1] += drain(3);
                usleep(10);
            }
            assert_int_equal(got[0] + got[1], 1);
            if (host == 0)
                first = got[1];
            assert_int_equal(got[1], first);
        }
        n[first]++;
    }
    assert_true(n[0] > 12 && n[1] > 12);
}

/* The shares of slots are those of the weights. */
static void slots_follow_weights(void **state)
{
    static const uint16_t weights[] = {1, 7, 100, 0, 13, 2, 50, 1};
    struct mod mod;
    struct group *group;
    unsigned n[BUCKETS_MAX] = {0};
    bool live[BUCKETS_MAX] = {true, true, false, true, true, true, true, true};

    mod_init(&mod, GROUP_ADD, 1, GROUP_SELECT);
    for (unsigned i = 0; i < BUCKETS_MAX; i++)
        mod_bucket(&mod, "output:2")->weight = weights[i];
    assert_int_equal(mod_send(&mod), 0);
    group = group_table_find(table(), 1);
    for (uint32_t slot = 0; slot < group->n_slots; slot++)
        n[group->slots[slot]]++;
    for (unsigned i = 0; i < BUCKETS_MAX; i++) {
        double wanted = weights[i] * (double)group->n_slots / 174;

        assert_true(n[i] >= wanted * 0.99 - 0.01 && n[i] <= wanted * 1.01 + 0.01);
    }
    memset(n, 0, sizeof n);
    for (uint32_t slot = 0; slot < group->n_slots; slot++) {
        int i = group_choose(group, slot, live);

        assert_true(i >= 0 && live[i] && weights[i] > 0);
        n[i]++;
    }
    assert_true(n[6] > n[4] && n[4] > n[1]);
    memset(live, 0, sizeof live);
    assert_int_equal(group_choose(group, 0, live), -1);

    ADD(2, GROUP_SELECT, "2", "3");
    assert_int_equal(group_table_find(table(), 2)->n_slots, 2);
    mod_init(&mod, GROUP_ADD, 3, GROUP_SELECT);
    mod_bucket(&mod, "output:2");
    mod_bucket(&mod, "output:3");
    assert_int_equal(mod_send(&mod), 0);
    assert_int_equal(group_table_find(table(), 3)->n_slots, 2);
}

/* What the second lookup of a select group found while the group was gone is not kept. */
static void a_select_group_that_comes_again_is_found(void **state)
{
    for (int i = 0; i < 3; i++) {
        ADD(1, GROUP_SELECT, "2", "2");
        bed_add(&bed, "in_port=1,actions=group:1");
        bed_settle(&bed);
        send_flow(7);
        assert_int_not_equal(last_byte(2), -1);
        assert_int_equal(delete_group(1), 0);
        bed_settle(&bed);
    }
}

static void buckets_come_and_go(void **state)
{
    struct mod mod;
    struct group *group;

    ADD(1, GROUP_ALL, "2", "3");
    group_table_find(table(), 1)->buckets[1].packets = 7;
    mod_init(&mod, GROUP_INSERT_BUCKET, 1, GROUP_ALL);
    mod_bucket(&mod, "output:4")->id = 10;
    mod.gm.command_bucket_id = 0;
    assert_int_equal(mod_send(&mod), 0);
    group = group_table_find(table(), 1);
    assert_int_equal(group->n_buckets, 3);
    assert_int_equal(group->buckets[1].id, 10);
    assert_int_equal(group->buckets[2].packets, 7);
    mod_init(&mod, GROUP_INSERT_BUCKET, 1, GROUP_ALL);
    mod_bucket(&mod, "output:4")->id = 10;
    mod.gm.command_bucket_id = BUCKET_ID_LAST;
    assert_int_equal(mod_send(&mod), OFPERR_GMFC_BUCKET_EXISTS);
    mod_init(&mod, GROUP_REMOVE_BUCKET, 1, GROUP_ALL);
    mod.gm.command_bucket_id = 99;
    assert_int_equal(mod_send(&mod), OFPERR_GMFC_UNKNOWN_BUCKET);
    mod.gm.command_bucket_id = 0;
    assert_int_equal(mod_send(&mod), 0);
    group = group_table_find(table(), 1);
    assert_int_equal(group->buckets[0].id, 10);
    mod.gm.command_bucket_id = BUCKET_ID_ALL;
    assert_int_equal(mod_send(&mod), 0);
    assert_int_equal(group_table_find(table(), 1)->n_buckets, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, bed_setup, bed_teardown)
        TEST(refusals),
        TEST(chains_have_no_loops),
        TEST(all_buckets_run),
        TEST(action_set_runs_groups),
        TEST(modified_and_deleted_groups_change_flows),
        TEST(failover),
        TEST(select_by_weight),
        TEST(select_by_fields),
        TEST(slots_follow_weights),
        TEST(a_select_group_that_comes_again_is_found),
        TEST(buckets_come_and_go),
    };

    if (test_eal_init("group_test") != 0)
        return 77;
    pool = test_pool(8191);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
