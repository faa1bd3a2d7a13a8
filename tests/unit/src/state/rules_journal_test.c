/* The journal of rules: whatever happened to the tables, and wherever the file was cut off, what is read back is a
 * state that they had. SEED=n, STEPS=n in the environment for others than the usual. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "pmd/base/clock.h"
#include "pmd/base/log.h"
#include "src/match/of_error.h"
#include "src/match/tlv_map.h"
#include "src/state/rules_journal.h"
#include "src/state/rules_record.h"
#include "src/state/rules_replay.h"
#include "src/tables/group.h"
#include "src/tables/learn.h"
#include "src/tables/meter.h"
#include "src/tables/rule.h"
#include "src/tables/table.h"
#include "tests/lib/bundles.h"
#include "tests/lib/flow_text.h"
#include "tests/lib/pipeline_bed.h"
#include "tests/lib/scratch.h"
#include "tests/lib/tables_text.h"

/* --- the datapath's meters, as a stand-in -------------------------------- */

static uint32_t n_meters;

int datapath_meter_add(struct datapath *dp, const struct meter_config *config, uint32_t *index)
{
    *index = n_meters++;
    return 0;
}

int datapath_meter_set(struct datapath *dp, uint32_t index, const struct meter_config *config)
{
    return 0;
}

void datapath_meter_remove(struct datapath *dp, uint32_t index)
{
}
void datapath_meter_forget(struct datapath *dp, uint32_t index)
{
}
void datapath_meter_counts(const struct datapath *dp, uint32_t index, struct meter_counts *counts)
{
    *counts = (struct meter_counts){0};
}

/* --- pipelines and journals ---------------------------------------------- */

static bool awake;

static void wake(void *arg)
{
    awake = true;
}

static struct pipeline *create(void)
{
    struct pipeline *pipeline = pipeline_create(NULL);

    pipeline_set_meters(pipeline, meter_table_create(pipeline, NULL));
    return pipeline;
}

static struct rules_journal *journal_of(struct pipeline *pipeline, const char *path)
{
    const struct rules_journal_params params = {.pipeline = pipeline, .path = path, .starts = 1, .wake = wake};

    return rules_journal_create(&params);
}

/* A process after another. NULL: the file does not count. */
static struct pipeline *take_over(const char *path)
{
    struct rules_replay *replay = rules_replay_open(path, "br0");
    struct pipeline *pipeline = create();

    while (replay && !rules_replay_step(replay, pipeline, 0))
        ;
    rules_replay_close(replay);
    return pipeline;
}

/* The first line that differs says more than both texts. */
static void assert_same(const char *state, const char *expected)
{
    while (*state && *expected) {
        const int n = (int)strcspn(state, "\n"), m = (int)strcspn(expected, "\n");

        if (n != m || memcmp(state, expected, (size_t)n) != 0)
            fail_msg("\n%.*s\nshould be\n%.*s", n, state, m, expected);
        state += n + 1;
        expected += m + 1;
    }
    assert_string_equal(state, expected);
}

static void assert_state(const char *path, const char *expected)
{
    struct pipeline *pipeline = take_over(path);
    char *state = tables_text(pipeline);

    assert_same(state, expected);
    free(state);
    pipeline_destroy(pipeline);
}

static void write_out(struct rules_journal *journal)
{
    while (rules_journal_run(journal, 1000) == RULES_JOURNAL_MORE)
        ;
}

static int add(struct pipeline *pipeline, enum flow_mod_command command, bool in_bundle, const char *text)
{
    struct act_buffer acts;
    struct flow_mod fm;
    char *error;
    int rc;

    act_buffer_init(&acts);
    error = flow_mod_parse(text, &fm, &acts, NULL, NULL);
    if (error)
        fail_msg("%s: %s", text, error);
    fm.command = command;
    fm.importance = (uint16_t)random_below(4);
    rc = in_bundle ? bundle_mod(pipeline, &fm) : pipeline_flow_mod(pipeline, &fm);
    act_buffer_free(&acts);
    return rc;
}

/* --- what happens to tables ---------------------------------------------- */

static const char *const matches[] = {
    "",
    "in_port=1",
    "in_port=2,ip",
    "tcp,nw_dst=10.0.0.0/8",
    "udp,nw_src=10.1.2.3,tp_dst=53",
    "ip,ct_state=+trk+est",
    "ip,ct_state=-new+trk,ct_zone=5,ct_mark=0x7/0xf,ct_label=0x5/0xff",
    "arp,arp_op=1,arp_tpa=10.0.0.1",
    "dl_vlan=7,dl_vlan_pcp=3",
    "vlan_tci=0x1000/0x1000",
    "vlan_tci=0x0007/0x00ff",
    "icmp6,icmp_type=135,nd_target=fe80::1",
    "ipv6,ipv6_dst=fe80::/10",
    "reg0=0x5/0xff,reg13=7,metadata=0x5/0xf",
    "tun_id=0x7,tun_src=1.2.3.4",
    "conj_id=7,ip",
    "mpls,mpls_label=3",
    "dl_dst=01:00:00:00:00:00/01:00:00:00:00:00",
    "sctp,tp_src=0x100/0xff00",
    "ip,nw_frag=later",
    "pkt_mark=1,tcp,tcp_flags=+syn-ack",
    "tun_metadata0=0x1/0xff",
};

static const char *const actions[] = {
    "drop",
    "output:1",
    "normal",
    "resubmit(,2)",
    "controller(reason=no_match,max_len=128,id=5)",
    "controller(userdata=00.00.00.01,pause)",
    "set_field:0x5->reg0,move:NXM_NX_REG0[0..7]->NXM_NX_REG1[8..15],output:NXM_NX_REG1[]",
    "push_vlan:0x8100,set_field:4103->vlan_vid,output:2",
    "mod_dl_src:00:11:22:33:44:55,output:2",
    "mod_vlan_vid:9,enqueue:1:2",
    "strip_vlan,output:in_port",
    "set_queue:5,output:3",
    "learn(table=2,priority=5,hard_timeout=9,cookie=0x77,NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],output:NXM_OF_IN_PORT[])",
    "clone(set_field:1->reg3,output:1),output:2",
    "clone(load:1->NXM_NX_REG3[0..3],output:1),output:2",
    "set_field:1/3->reg3,output:2",
    "check_pkt_larger(1500)->NXM_NX_REG0[3],goto_table:200",
    "write_actions(output:1,group:3),goto_table:200",
    "clear_actions,write_metadata:0x5/0xff,goto_table:200",
    "group:1",
    "group:3",
    "meter:1,output:1",
    "sample(probability=100,collector_set_id=1,obs_domain_id=2,obs_point_id=3)",
    "note:00.01.02.03.04.05",
    "multipath(symmetric_l4,1024,modulo_n,16,0,NXM_NX_REG0[0..3])",
    "output(port=1,max_len=100)",
    "load:0x7->NXM_NX_REG0[0..5],load:0x9->NXM_NX_TUN_ID[],output:4",
    "set_field:0x3->tun_metadata0,output:4",
};

static const char *const ip_actions[] = {
    "ct(commit,zone=5,nat(src=10.0.0.1-10.0.0.9:1000-2000),exec(set_field:1->ct_mark))",
    "ct(table=4,zone=NXM_NX_REG13[0..15])",
    "conjunction(7,1/2)",
    "dec_ttl(1,2,3),output:1",
    "mod_nw_dst:10.0.0.7,output:1",
    "set_field:10.0.0.1->ip_src,output:2",
};

#define PICK(array) array[random_below(sizeof array / sizeof *array)]

static void random_rule(struct pipeline *pipeline, bool in_bundle)
{
    static const enum flow_mod_command commands[] = {FLOW_ADD,           FLOW_ADD,    FLOW_ADD,          FLOW_ADD,
                                                     FLOW_MODIFY_STRICT, FLOW_MODIFY, FLOW_DELETE_STRICT};
    const enum flow_mod_command command = PICK(commands);
    const bool ip = one_in(4);
    char text[1000];

    snprintf(text, sizeof text, "table=%u,priority=%u,cookie=0x%x%s%s%s,%s%sactions=%s", random_below(4) * 60,
             random_below(3) + 1, random_below(5), one_in(6) ? ",idle_timeout=3" : "",
             one_in(6) ? ",hard_timeout=5" : "", one_in(6) ? ",send_flow_rem" : "", ip ? "tcp" : PICK(matches), ",",
             ip ? PICK(ip_actions) : PICK(actions));
    add(pipeline, command, in_bundle, text);
}

static void delete_many(struct pipeline *pipeline, bool in_bundle)
{
    char text[100];

    snprintf(text, sizeof text, "table=%u,in_port=%u", random_below(4) * 60, random_below(3));
    add(pipeline, FLOW_DELETE, in_bundle, one_in(8) ? "table=255" : text);
}

static void random_group(struct pipeline *pipeline)
{
    static const enum group_command commands[] = {GROUP_ADD, GROUP_ADD_OR_MODIFY, GROUP_ADD_OR_MODIFY, GROUP_DELETE};
    struct bucket buckets[3];
    struct act_buffer acts[3];
    struct group_mod mod = {.command = PICK(commands),
                            .type = one_in(2) ? GROUP_SELECT : GROUP_ALL,
                            .group_id = random_below(5) + 1,
                            .command_bucket_id = BUCKET_ID_ALL,
                            .buckets = buckets,
                            .n_buckets = random_below(4)};

    if (mod.type == GROUP_SELECT && one_in(2)) {
        strcpy(mod.selection.method, "dp_hash");
        mod.selection.param = (uint64_t)random_below(2) << 32;
    }
    for (unsigned i = 0; i < mod.n_buckets; i++) {
        act_buffer_init(&acts[i]);
        /* Groups name others, of lower and of higher numbers. */
        assert_null(actions_parse(one_in(4) ? "group:5" : one_in(4) ? "group:1" : "output:1", &acts[i], NULL, NULL));
        buckets[i] = (struct bucket){.id = i,
                                     .weight = mod.type == GROUP_SELECT ? (uint16_t)random_below(5) : 0,
                                     .watch_port = mod.type == GROUP_SELECT && one_in(3) ? 2 : OFPORT_ANY,
                                     .watch_group = OFGROUP_ANY,
                                     .acts = act_buffer_list(&acts[i])};
    }
    group_table_mod(pipeline_groups(pipeline), &mod);
    for (unsigned i = 0; i < mod.n_buckets; i++)
        act_buffer_free(&acts[i]);
}

static void random_meter(struct pipeline *pipeline)
{
    static const enum meter_command commands[] = {METER_ADD, METER_MODIFY, METER_DELETE};
    const struct meter_mod mod = {.command = PICK(commands),
                                  .flags = METER_KBPS | METER_BURST,
                                  .meter_id = random_below(3) + 1,
                                  .n_bands = 1,
                                  .bands = {{.type = METER_DROP_BAND, .rate = 1 + random_below(1000), .burst = 5}}};

    meter_table_mod(pipeline_meters(pipeline), &mod);
}

static void random_learn(struct pipeline *pipeline)
{
    struct act_buffer acts;
    struct flow flow = {0};
    struct rule *taught;

    act_buffer_init(&acts);
    assert_null(actions_parse("learn(table=2,priority=5,hard_timeout=9,cookie=0x77,NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],"
                              "output:NXM_OF_IN_PORT[])",
                              &acts, NULL, NULL));
    flow.in_port = 1 + random_below(3);
    flow.pkt.eth_src.addr_bytes[5] = (uint8_t)random_below(20);
    taught = learn_rule(pipeline, (const struct act_learn *)acts.data, &flow);
    pipeline_learn(pipeline, taught, 0, now_ms);
    rule_unref(taught);
    act_buffer_free(&acts);
}

/* --- the property -------------------------------------------------------- */

/* States that the tables had, and how long the file was then. */
#define STATES_MAX 4000
static struct {
    off_t size;
    char *text;
} states[STATES_MAX];
static size_t n_states;
static ino_t file_now;

static void forget_states(void)
{
    while (n_states > 0)
        free(states[--n_states].text);
}

static void note_state(struct pipeline *pipeline, const char *path)
{
    struct stat st;

    assert_int_equal(stat(path, &st), 0);
    if (st.st_ino != file_now)
        forget_states();
    file_now = st.st_ino;
    assert_true(n_states < STATES_MAX);
    states[n_states].size = st.st_size;
    states[n_states++].text = tables_text(pipeline);
}

static void copy_start(const char *from, const char *to, off_t size)
{
    const int in = open(from, O_RDONLY), out = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    char *bytes = malloc((size_t)size + 1);

    assert_true(in >= 0 && out >= 0 && bytes);
    assert_int_equal(read(in, bytes, (size_t)size), size);
    assert_int_equal(write(out, bytes, (size_t)size), size);
    close(in);
    close(out);
    free(bytes);
}

static const char *state_at(off_t size)
{
    for (size_t i = n_states; i > 0; i--)
        if (states[i - 1].size <= size)
            return states[i - 1].text;
    return NULL;
}

/* Killed at any byte that was written. */
static void check_cuts(const char *path, const char *cut_path)
{
    const off_t first = states[0].size, last = states[n_states - 1].size;

    for (int i = 0; i < 8; i++) {
        const off_t size = i == 0 ? last : first + (off_t)random_below((uint32_t)(last - first + 1));

        copy_start(path, cut_path, size);
        assert_state(cut_path, state_at(size));
    }
}

static void step(struct pipeline *pipeline, struct rules_journal *journal)
{
    const uint32_t what = random_below(100);

    if (what < 55) {
        random_rule(pipeline, false);
    } else if (what < 60) {
        delete_many(pipeline, false);
    } else if (what < 70) {
        random_group(pipeline);
    } else if (what < 75) {
        random_meter(pipeline);
    } else if (what < 85) {
        random_learn(pipeline);
    } else if (what < 92) {
        now_ms += random_below(3000);
        pipeline_expire(pipeline, now_ms, UINT32_MAX);
    } else {
        pipeline_bundle_begin(pipeline);
        for (int i = 0; i < 20; i++)
            if (one_in(5))
                delete_many(pipeline, true);
            else if (one_in(6))
                random_group(pipeline);
            else
                random_rule(pipeline, true);
        if (one_in(4)) {
            bundle_abort(pipeline);
            return;
        }
        /* Turns in the middle of it. */
        while (!pipeline_bundle_commit_step(pipeline, 1 + random_below(4)))
            rules_journal_run(journal, 1);
    }
}

static void random_history(void **state)
{
    const char *seed = getenv("SEED"), *steps = getenv("STEPS");
    const int n = steps ? atoi(steps) : 3000;
    char path[200], cut_path[200];
    struct table_config config;

    snprintf(path, sizeof path, "%s", scratch_path("br0.rules"));
    snprintf(cut_path, sizeof cut_path, "%s", scratch_path("cut.rules"));
    random_seed(seed ? strtoull(seed, NULL, 0) : 7);
    struct pipeline *pipeline = create();
    config = *pipeline_table_config(pipeline, 120);
    config.config |= TABLE_EVICTION;
    config.max_rules = 8;
    pipeline_set_table_config(pipeline, 120, &config);
    struct rules_journal *journal = journal_of(pipeline, path);
    write_out(journal);
    for (int i = 0; i < n; i++) {
        awake = false;
        step(pipeline, journal);
        /* Some turns end before all is written anew. */
        if (rules_journal_run(journal, one_in(2) ? 0 : 100) == RULES_JOURNAL_WRITTEN)
            note_state(pipeline, path);
        if (one_in(50)) {
            write_out(journal);
            note_state(pipeline, path);
            check_cuts(path, cut_path);
        }
    }
    forget_states();
    rules_journal_destroy(journal);
    pipeline_destroy(pipeline);
}

/* --- single things ------------------------------------------------------- */

static void every_action_comes_back(void **state)
{
    char path[200];

    snprintf(path, sizeof path, "%s", scratch_path("acts.rules"));
    struct pipeline *pipeline = create();
    random_meter(pipeline);
    const struct meter_mod meter = {.command = METER_ADD,
                                    .flags = METER_PKTPS,
                                    .meter_id = 1,
                                    .n_bands = 1,
                                    .bands = {{.type = METER_DROP_BAND, .rate = 7}}};
    meter_table_mod(pipeline_meters(pipeline), &meter);
    for (uint32_t id = 1; id <= 3; id++)
        group_table_mod(pipeline_groups(pipeline),
                        &(struct group_mod){.command = GROUP_ADD, .type = GROUP_ALL, .group_id = id});
    struct rules_journal *journal = journal_of(pipeline, path);
    for (size_t i = 0; i < sizeof actions / sizeof *actions; i++) {
        char text[1000];

        snprintf(text, sizeof text, "table=0,priority=%zu,actions=%s", i + 1, actions[i]);
        assert_int_equal(add(pipeline, FLOW_ADD, false, text), 0);
    }
    for (size_t i = 0; i < sizeof ip_actions / sizeof *ip_actions; i++) {
        char text[1000];

        snprintf(text, sizeof text, "table=0,priority=%zu,tcp,actions=%s", i + 1, ip_actions[i]);
        assert_int_equal(add(pipeline, FLOW_ADD, false, text), 0);
    }
    for (size_t i = 0; i < sizeof matches / sizeof *matches; i++) {
        char text[1000];

        snprintf(text, sizeof text, "table=1,%s,actions=drop", matches[i]);
        assert_int_equal(add(pipeline, FLOW_ADD, false, text), 0);
    }
    char *text = tables_text(pipeline);
    write_out(journal);
    assert_state(path, text);
    free(text);
    rules_journal_destroy(journal);
    pipeline_destroy(pipeline);
}

/* A rule has what is left of its time, not all of it again. */
static void hard_timeout_goes_on(void **state)
{
    char path[200];

    snprintf(path, sizeof path, "%s", scratch_path("hard.rules"));
    struct pipeline *pipeline = create();
    struct rules_journal *journal = journal_of(pipeline, path);
    assert_int_equal(add(pipeline, FLOW_ADD, false, "table=0,hard_timeout=10,actions=drop"), 0);
    assert_int_equal(add(pipeline, FLOW_ADD, false, "table=1,idle_timeout=10,actions=drop"), 0);
    write_out(journal);
    rules_journal_destroy(journal);
    pipeline_destroy(pipeline);
    now_ms += 8000;
    pipeline = take_over(path);
    assert_int_equal(pipeline_n_rules(pipeline, TABLE_ALL), 2);
    now_ms += 3000;
    pipeline_expire(pipeline, now_ms, UINT32_MAX);
    assert_int_equal(pipeline_n_rules(pipeline, 0), 0);
    assert_int_equal(pipeline_n_rules(pipeline, 1), 1);
    now_ms += 8000;
    pipeline_expire(pipeline, now_ms, UINT32_MAX);
    assert_int_equal(pipeline_n_rules(pipeline, TABLE_ALL), 0);
    pipeline_destroy(pipeline);
}

/* However often rules change, the file is no longer than a few times what is there. */
static void the_file_stays_small(void **state)
{
    struct stat st;
    char path[200];

    snprintf(path, sizeof path, "%s", scratch_path("small.rules"));
    struct pipeline *pipeline = create();
    struct rules_journal *journal = journal_of(pipeline, path);
    for (int i = 0; i < 40000; i++) {
        assert_int_equal(add(pipeline, FLOW_ADD, false, "table=0,in_port=1,actions=output:2"), 0);
        if (i % 16 == 0)
            rules_journal_run(journal, 100);
    }
    write_out(journal);
    assert_int_equal(stat(path, &st), 0);
    assert_true(st.st_size < 2000000);
    char *text = tables_text(pipeline);
    assert_state(path, text);
    free(text);
    rules_journal_destroy(journal);
    pipeline_destroy(pipeline);
}

/* Whatever bit is another: nothing is taken over. */
static void damage_is_noticed(void **state)
{
    char path[200];
    struct stat st;

    snprintf(path, sizeof path, "%s", scratch_path("damage.rules"));
    struct pipeline *pipeline = create();
    struct rules_journal *journal = journal_of(pipeline, path);
    for (int i = 0; i < 30; i++) {
        random_rule(pipeline, false);
        rules_journal_run(journal, 1000);
    }
    write_out(journal);
    assert_true(pipeline_n_rules(pipeline, TABLE_ALL) > 5);
    rules_journal_destroy(journal);
    pipeline_destroy(pipeline);
    assert_int_equal(stat(path, &st), 0);
    const int fd = open(path, O_RDWR);
    for (off_t at = 0; at < st.st_size; at++) {
        char byte, other;

        if (at >= 12 && at < 16) /* `starts` */
            continue;
        assert_int_equal(pread(fd, &byte, 1, at), 1);
        other = (char)(byte ^ (1 << random_below(8)));
        assert_int_equal(pwrite(fd, &other, 1, at), 1);
        pipeline = take_over(path);
        assert_int_equal(pipeline_n_rules(pipeline, TABLE_ALL), 0);
        pipeline_destroy(pipeline);
        assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    }
    close(fd);
}

/* The process died when the old file was gone, and the new one did not have its name yet; or before the new one, the
 * first of all, was complete: then it says nothing. */
static void a_kill_between_two_files(void **state)
{
    char path[200], next[210];

    snprintf(path, sizeof path, "%s", scratch_path("between.rules"));
    snprintf(next, sizeof next, "%s.new", path);
    struct pipeline *pipeline = create();
    for (int i = 0; i < 3000; i++) {
        char text[100];

        snprintf(text, sizeof text, "table=0,priority=%d,in_port=1,actions=output:2", i);
        assert_int_equal(add(pipeline, FLOW_ADD, false, text), 0);
    }
    struct rules_journal *journal = journal_of(pipeline, path);
    for (int i = 0; i < 40; i++)
        rules_journal_run(journal, 0);
    assert_true(access(path, F_OK) != 0 && access(next, F_OK) == 0);
    struct pipeline *after = take_over(path);
    assert_int_equal(pipeline_n_rules(after, TABLE_ALL), 0);
    pipeline_destroy(after);
    rules_journal_destroy(journal);
    journal = journal_of(pipeline, path);
    write_out(journal);
    assert_int_equal(rename(path, next), 0);
    char *text = tables_text(pipeline);
    assert_state(path, text);
    free(text);
    rules_journal_destroy(journal);
    pipeline_destroy(pipeline);
}

/* "table=9,priority=N,actions=" and as many actions as a message of any version has room for, about. */
static int add_long(struct pipeline *pipeline, unsigned priority)
{
    char text[3950 * 9 + 100];
    size_t len = (size_t)snprintf(text, sizeof text, "table=9,priority=%u,actions=output:1", priority);

    for (unsigned i = 1; i < 3950; i++)
        len += (size_t)snprintf(text + len, sizeof text - len, ",output:%u", 1 + i % 3);
    return add(pipeline, FLOW_ADD, false, text);
}

/* A frame has room for many records, but not for many of the longest behind short ones. */
static void long_rules_come_back(void **state)
{
    char path[200];

    snprintf(path, sizeof path, "%s", scratch_path("long.rules"));
    struct pipeline *pipeline = create();
    for (unsigned i = 0; i < 40; i++)
        assert_int_equal(add_long(pipeline, i), 0);
    /* How many records are in the frame when the first of these comes. */
    for (unsigned i = 0; i < 420; i++) {
        char text[100];

        snprintf(text, sizeof text, "table=0,priority=%u,in_port=1,actions=output:2", i);
        assert_int_equal(add(pipeline, FLOW_ADD, false, text), 0);
        if (i < 404)
            continue;
        struct rules_journal *journal = journal_of(pipeline, path);
        write_out(journal);
        rules_journal_destroy(journal);
        struct pipeline *after = take_over(path);
        assert_int_equal(pipeline_n_rules(after, TABLE_ALL), 41 + i);
        pipeline_destroy(after);
    }
    pipeline_destroy(pipeline);
}

/* A file that cannot be written is removed: half of the rules would be worse than none. Later it is tried again. */
static void a_full_disk_is_not_for_ever(void **state)
{
    struct rlimit before, few;
    char path[200];

    snprintf(path, sizeof path, "%s", scratch_path("full.rules"));
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    struct pipeline *pipeline = create();
    struct rules_journal *journal = journal_of(pipeline, path);
    write_out(journal);
    few = before;
    few.rlim_cur = 4096;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &few), 0);
    for (int i = 0; i < 300; i++)
        random_rule(pipeline, false);
    assert_int_equal(rules_journal_run(journal, 1000), RULES_JOURNAL_WAITS);
    assert_int_not_equal(access(path, F_OK), 0);
    random_rule(pipeline, false);
    assert_int_equal(rules_journal_run(journal, 1000), RULES_JOURNAL_WAITS);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    now_ms += 61000;
    write_out(journal);
    char *text = tables_text(pipeline);
    assert_state(path, text);
    free(text);
    rules_journal_destroy(journal);
    pipeline_destroy(pipeline);
}

/* Who dies of its rules does not take them over for ever. */
static void deaths_are_counted(void **state)
{
    char path[200];

    snprintf(path, sizeof path, "%s", scratch_path("starts.rules"));
    struct pipeline *pipeline = create();
    assert_int_equal(add(pipeline, FLOW_ADD, false, "table=0,actions=drop"), 0);
    for (int lives = 0; lives < 2; lives++) {
        unsigned starts = 0, n;

        for (n = 0; n < 10; n++) {
            const struct rules_journal_params params = {
                .pipeline = pipeline, .path = path, .starts = starts, .wake = wake};
            struct rules_journal *journal = rules_journal_create(&params);

            write_out(journal);
            if (lives == 1)
                rules_journal_lasted(journal);
            rules_journal_destroy(journal);
            struct rules_replay *replay = rules_replay_open(path, "br0");
            if (!replay)
                break;
            starts = rules_replay_starts(replay);
            rules_replay_close(replay);
        }
        assert_int_equal(n, lives == 1 ? 10 : 5);
    }
    pipeline_destroy(pipeline);
}

static int set_up(void **state)
{
    const struct tlv_map map = {.class = 0x102, .type = 0x80, .len = 4, .index = 0};

    log_set_level("any", "off");
    clock_set_source(stopped_clock_us);
    return tlv_map_mod(TLV_ADD, &map, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_action_comes_back),     cmocka_unit_test(random_history),
        cmocka_unit_test(hard_timeout_goes_on),        cmocka_unit_test(the_file_stays_small),
        cmocka_unit_test(damage_is_noticed),           cmocka_unit_test(deaths_are_counted),
        cmocka_unit_test(a_full_disk_is_not_for_ever), cmocka_unit_test(a_kill_between_two_files),
        cmocka_unit_test(long_rules_come_back),
    };

    return cmocka_run_group_tests(tests, set_up, NULL);
}
