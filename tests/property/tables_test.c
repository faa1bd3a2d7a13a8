/* Random flow_mods of every OpenFlow version, over the wire, against the plain model of the tables: the same errors,
 * the same dumps, packets that go the same way, and are counted by the same rules.
 *
 * A switch with its server, tables, flows and a poll-mode thread; clients on its socket. SEED and STEPS may be given in
 * the environment.
 */
#include "pmd/base/clock.h"
#include "tests/lib/of_client.h"

#include <event2/event.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>

#include "src/openflow/wire/act_wire.h"
#include "src/openflow/wire/oxm.h"
#include "src/openflow/requests/handler.h"
#include "src/openflow/server/server.h"
#include "src/match/field.h"
#include "tests/property/random.h"
#include "tests/property/tables_model.h"
#include "tests/property/tables_random.h"
#include "tests/lib/bed.h"
#include "tests/lib/of_replies.h"

_Static_assert(TABLES_PORTS == BED_PORTS, "rules send to the ports that there are");

#define POOL_SIZE 1023
#define BURST 12 /* flow_mods before a barrier */

static const uint8_t sender_versions[N_SENDERS] = {OF10, OF10, OF13, OF14, OF15};

static struct rte_mempool *pool;
static struct bed bed;
static struct loop *loop;
static struct of_server *server;
static struct client clients[N_SENDERS];
static struct model model;
static uint32_t xid = 1;
static struct {
    uint64_t mods, refused, bundles, packets, packet_outs, ambiguous, dumps, dumped;
} totals;

static void turn(void)
{
    loop_turn(loop);
    bed_turn(&bed);
    sched_yield();
}

/* --- columns and fields -------------------------------------------------- */

static const enum field_id column_fields[N_COLUMNS] = {
    [COLUMN_IN_PORT] = FIELD_IN_PORT_OXM, [COLUMN_METADATA] = FIELD_METADATA, [COLUMN_ETH_SRC] = FIELD_ETH_SRC,
    [COLUMN_ETH_DST] = FIELD_ETH_DST,     [COLUMN_VLAN_VID] = FIELD_VLAN_VID, [COLUMN_VLAN_PCP] = FIELD_VLAN_PCP,
    [COLUMN_ETH_TYPE] = FIELD_ETH_TYPE,   [COLUMN_IP_DSCP] = FIELD_IP_DSCP,   [COLUMN_IP_PROTO] = FIELD_IP_PROTO,
    [COLUMN_IP_SRC] = FIELD_IPV4_SRC,     [COLUMN_IP_DST] = FIELD_IPV4_DST,   [COLUMN_TP_SRC] = FIELD_UDP_SRC,
    [COLUMN_TP_DST] = FIELD_UDP_DST,
};

static union field_value to_field(const struct field *field, uint64_t number)
{
    union field_value v = {{0}};

    for (unsigned i = field->n_bytes; i-- > 0; number >>= 8)
        v.b[i] = (uint8_t)number;
    return v;
}

static uint64_t from_field(const struct field *field, const struct flow *flow)
{
    union field_value v;
    uint64_t number = 0;

    field_get(field, flow, &v);
    for (unsigned i = 0; i < field->n_bytes; i++)
        number = number << 8 | v.b[i];
    return number;
}

static void row_to_match(const struct row *row, struct match *match)
{
    match_init_all(match);
    for (int i = 0; i < N_COLUMNS; i++) {
        const struct field *field = field_by_id(column_fields[i]);
        union field_value value = to_field(field, row->value[i]), mask = to_field(field, row->mask[i]);

        if (row->mask[i] != 0)
            match_set_masked(match, field, &value, &mask);
    }
}

static void match_to_row(const struct match *match, struct row *row)
{
    for (int i = 0; i < N_COLUMNS; i++) {
        const struct field *field = field_by_id(column_fields[i]);

        row->value[i] = from_field(field, &match->value);
        row->mask[i] = from_field(field, &match->mask);
    }
}

/* --- actions ------------------------------------------------------------- */

static void acts_of(const struct model_acts *acts, uint8_t version, struct act_buffer *buffer)
{
    for (unsigned i = 0; i < acts->n_outputs; i++) {
        struct act_output *output = act_buffer_add(buffer, ACT_OUTPUT, sizeof *output);
        output->port = acts->outputs[i];
    }
    if (acts->metadata_mask != 0) {
        struct act_metadata *metadata = act_buffer_add(buffer, ACT_WRITE_METADATA, sizeof *metadata);
        metadata->value = rte_cpu_to_be_64(acts->metadata);
        metadata->mask = rte_cpu_to_be_64(acts->metadata_mask);
    }
    if (acts->goto_table != 0 && version == OF10) { /* how OpenFlow 1.0 is told of it */
        struct act_resubmit *resubmit = act_buffer_add(buffer, ACT_RESUBMIT, sizeof *resubmit);
        resubmit->in_port = OFPORT_IN_PORT;
        resubmit->table = acts->goto_table;
    } else if (acts->goto_table != 0) {
        struct act_u32 *go = act_buffer_add(buffer, ACT_GOTO_TABLE, sizeof *go);
        go->value = acts->goto_table;
    }
}

/* --- packets ------------------------------------------------------------- */

static uint8_t *put(uint8_t *at, uint64_t number, unsigned bytes)
{
    for (unsigned i = bytes; i-- > 0; number >>= 8)
        at[i] = (uint8_t)number;
    return at + bytes;
}

#define FRAME_LEN 64 /* the last four bytes are the packet's number */

static struct rte_mbuf *build(const uint64_t p[N_COLUMNS], uint32_t number)
{
    struct rte_mbuf *m = rte_pktmbuf_alloc(pool);
    uint8_t *frame = (uint8_t *)rte_pktmbuf_append(m, FRAME_LEN), *at = frame;

    memset(frame, 0, FRAME_LEN);
    at = put(at, p[COLUMN_ETH_DST], 6);
    at = put(at, p[COLUMN_ETH_SRC], 6);
    if (p[COLUMN_VLAN_VID]) {
        at = put(at, 0x8100, 2);
        at = put(at, p[COLUMN_VLAN_PCP] << 13 | (p[COLUMN_VLAN_VID] & 0xfff), 2);
    }
    at = put(at, p[COLUMN_ETH_TYPE], 2);
    if (p[COLUMN_ETH_TYPE] == 0x0800) {
        put(at, 0x45, 1);
        put(at + 1, p[COLUMN_IP_DSCP] << 2, 1);
        put(at + 2, 28, 2);
        put(at + 8, 64, 1);
        put(at + 9, p[COLUMN_IP_PROTO], 1);
        put(at + 12, p[COLUMN_IP_SRC], 4);
        put(at + 16, p[COLUMN_IP_DST], 4);
        put(at + 20, p[COLUMN_TP_SRC], 2);
        put(at + 22, p[COLUMN_TP_DST], 2);
        put(at + 24, 8, 2);
    }
    put(frame + FRAME_LEN - 4, number, 4);
    memset(packet_meta(m), 0, sizeof *packet_meta(m));
    return m;
}

/* Packets of one round, and what the model says will become of them. */
#define PACKETS 16        /* sent to ports */
#define PACKET_OUTS BURST /* in a bundle */
static struct {
    uint32_t first, next; /* numbers */
    int expected[PACKETS + PACKET_OUTS][BED_PORTS + 1];
    unsigned missing;
} round_of;

static void round_begin(void)
{
    round_of.first = round_of.next;
    memset(round_of.expected, 0, sizeof round_of.expected);
    round_of.missing = 0;
}

/* A packet that the model knows the way of, counted by its rules now; NULL: it found none. */
static struct rte_mbuf *numbered_packet(uint64_t p[N_COLUMNS])
{
    uint32_t sent[MODEL_SENT];
    int n = -1;

    for (int tries = 0; tries < 8 && n < 0; tries++) {
        random_packet_columns(p);
        n = model_forward(&model, p, sent);
    }
    if (n < 0) {
        totals.ambiguous++;
        return NULL;
    }
    for (int j = 0; j < n; j++)
        round_of.expected[round_of.next - round_of.first][sent[j]]++;
    round_of.missing += (unsigned)n;
    totals.packets++;
    return build(p, round_of.next++);
}

/* --- sending ------------------------------------------------------------- */

static void to_flow_mod(const struct model_mod *mod, struct of_msg *msg, struct act_buffer *acts)
{
    const struct model_rule *rule = &mod->rule;

    act_buffer_init(acts);
    acts_of(&rule->acts, OF13, acts);
    *msg = (struct of_msg){.type = OF_FLOW_MOD,
                           .xid = ++xid,
                           .flow_mod = {.command = mod->command,
                                        .table_id = rule->table_id,
                                        .priority = rule->priority,
                                        .flags = rule->flags,
                                        .importance = rule->importance,
                                        .cookie = rule->cookie,
                                        .cookie_mask = mod->cookie_mask,
                                        .buffer_id = OF_NO_BUFFER,
                                        .out_port = mod->out_port,
                                        .out_group = OFGROUP_ANY}};
    row_to_match(&rule->match, &msg->flow_mod.match);
    msg->flow_mod.acts = act_buffer_list(acts);
}

/* OFPT_FLOW_MOD of OpenFlow 1.0.2, 5.3.3, which the encoder leaves to NXT_FLOW_MOD. */
static void encode_plain10(const struct flow_mod *fm, struct of_buf *buf)
{
    of_buf_add_u8(buf, OF10);
    of_buf_add_u8(buf, 14);
    of_buf_add_u16(buf, 0);
    of_buf_add_u32(buf, xid);
    match10_encode(buf, &fm->match);
    of_buf_add_u64(buf, fm->cookie);
    of_buf_add_u16(buf, fm->command);
    of_buf_add_u32(buf, 0); /* timeouts */
    of_buf_add_u16(buf, fm->priority);
    of_buf_add_u32(buf, OF_NO_BUFFER);
    of_buf_add_u16(buf, (uint16_t)fm->out_port);
    of_buf_add_u16(buf, fm->flags & (RULE_SEND_FLOW_REM | RULE_CHECK_OVERLAP));
    acts_encode(buf, &fm->acts, OF10, &fm->match);
    of_buf_set_u16(buf, 2, (uint16_t)buf->len);
}

static void send_mod(enum sender sender, const struct model_mod *mod)
{
    struct of_msg msg;
    struct act_buffer acts;

    to_flow_mod(mod, &msg, &acts);
    if (sender == SENDER_10) {
        struct of_buf buf = {0};

        encode_plain10(&msg.flow_mod, &buf);
        client_write(&clients[sender], buf.data, buf.len);
        of_buf_free(&buf);
    } else {
        client_send(&clients[sender], &msg);
    }
    act_buffer_free(&acts);
}

/* Takes the errors for the mods with xids first .. first + n - 1 until the barrier's reply; errors[] is what the model
 * said. */
static void barrier(enum sender sender, uint32_t first, unsigned n, const int errors[])
{
    struct client *client = &clients[sender];
    int seen[BURST] = {0};
    bool done = false;

    client_send_empty(client, OF_BARRIER_REQUEST, 0xba);
    while (!done) {
        struct of_msg msg;

        assert_int_equal(client_next(client), 1);
        assert_int_equal(of_msg_decode(client->message, client->header.length, NULL, &msg), 0);
        if (msg.type == OF_ERROR) {
            assert_in_range(msg.xid, first, first + n - 1);
            seen[msg.xid - first] = msg.error.error;
        } else {
            assert_int_equal(msg.type, OF_BARRIER_REPLY);
            done = true;
        }
        of_msg_free(&msg);
    }
    for (unsigned i = 0; i < n; i++) {
        if (seen[i] != errors[i])
            fail_msg("mod %u of sender %d: %s instead of %s", first + i, sender, of_error_name(seen[i]),
                     of_error_name(errors[i]));
    }
}

static void change(enum sender sender)
{
    unsigned n = 1 + random_below(BURST);
    uint32_t first = xid + 1;
    int errors[BURST];

    for (unsigned i = 0; i < n; i++) {
        struct model_mod mod;

        random_mod(sender, &model, &mod);
        send_mod(sender, &mod);
        errors[i] = model_apply(&model, &mod);
        totals.mods++;
        totals.refused += errors[i] != 0;
    }
    barrier(sender, first, n, errors);
}

static int bundle_control(struct client *client, uint16_t type)
{
    const struct of_msg request = {
        .type = OF_BUNDLE_CONTROL,
        .xid = 0xbc,
        .bundle_control = {.bundle_id = 1, .type = type, .flags = OF_BUNDLE_ATOMIC | OF_BUNDLE_ORDERED}};
    int error = 0;

    client_send(client, &request);
    for (;;) {
        struct of_msg msg;
        bool end;

        assert_int_equal(client_next(client), 1);
        assert_int_equal(of_msg_decode(client->message, client->header.length, NULL, &msg), 0);
        end = msg.xid == 0xbc;
        if (msg.type == OF_ERROR && !end)
            error = msg.error.error; /* the message that failed */
        of_msg_free(&msg);
        if (end)
            return error;
    }
}

static void bundle_add(struct client *client, struct of_msg *msg)
{
    struct of_buf buf = {0};

    msg->version = client->version;
    of_msg_encode(msg, &buf);
    const struct of_msg add = {
        .type = OF_BUNDLE_ADD,
        .xid = msg->xid,
        .bundle_add = {
            .bundle_id = 1, .flags = OF_BUNDLE_ATOMIC | OF_BUNDLE_ORDERED, .msg = buf.data, .msg_len = buf.len}};
    client_send(client, &add);
    of_buf_free(&buf);
}

/* A packet through the tables as they are at this place of the bundle. */
static void bundle_packet_out(struct client *client)
{
    uint64_t p[N_COLUMNS];
    struct rte_mbuf *packet = numbered_packet(p);
    struct act_buffer acts;

    if (!packet)
        return;
    act_buffer_init(&acts);
    struct act_output *output = act_buffer_add(&acts, ACT_OUTPUT, sizeof *output);
    output->port = OFPORT_TABLE;
    struct of_msg msg = {.type = OF_PACKET_OUT,
                         .xid = ++xid,
                         .packet_out = {.buffer_id = OF_NO_BUFFER,
                                        .flow = {.in_port = (uint32_t)p[COLUMN_IN_PORT]},
                                        .acts = act_buffer_list(&acts),
                                        .data = rte_pktmbuf_mtod(packet, const uint8_t *),
                                        .data_len = FRAME_LEN}};
    bundle_add(client, &msg);
    act_buffer_free(&acts);
    rte_pktmbuf_free(packet);
    totals.packet_outs++;
}

/* All of it, or nothing if there is an error. */
static void bundle(enum sender sender)
{
    static struct model before;
    struct client *client = &clients[sender];
    unsigned n = 1 + random_below(BURST);
    int error = 0;

    before = model;
    assert_int_equal(bundle_control(client, OF_BUNDLE_OPEN_REQUEST), 0);
    for (unsigned i = 0; i < n; i++) {
        struct model_mod mod;
        struct of_msg msg;
        struct act_buffer acts;

        if (!error && random_one_in(3))
            bundle_packet_out(client);
        random_mod(sender, &model, &mod);
        /* These are refused when they are added, and the bundle goes on without them. */
        if (mod.rule.table_id == TABLE_ALL && mod.command <= FLOW_MODIFY_STRICT)
            mod.rule.table_id = 0;
        if (mod.rule.acts.goto_table <= mod.rule.table_id)
            mod.rule.acts.goto_table = 0;
        to_flow_mod(&mod, &msg, &acts);
        bundle_add(client, &msg);
        act_buffer_free(&acts);
        if (!error)
            error = model_apply(&model, &mod);
    }
    if (error) {
        model = before;
        round_begin(); /* its packets go nowhere */
    }
    int got = bundle_control(client, OF_BUNDLE_COMMIT_REQUEST);
    if (got != error)
        fail_msg("bundle: %s instead of %s", of_error_name(got), of_error_name(error));
    totals.bundles++;
}

/* --- dumps --------------------------------------------------------------- */

static bool same_acts(const struct model_acts *acts, uint8_t version, const struct act_list *list)
{
    struct act_buffer buffer;

    act_buffer_init(&buffer);
    acts_of(acts, version, &buffer);
    struct act_list expected = act_buffer_list(&buffer);
    bool same = act_lists_equal(&expected, list);

    if (version == OF10) { /* the act says which of Nicira's forms it came in */
        char *a = act_list_format(&expected, NULL, NULL), *b = act_list_format(list, NULL, NULL);

        same = strcmp(a, b) == 0;
        free(a);
        free(b);
    }
    act_buffer_free(&buffer);
    return same;
}

/* The rule of the model that the dump's entry is; NULL if there is none. Flags and importance are told since
 * OpenFlow 1.3 and 1.4. */
static struct model_rule *find(const struct of_flow_stats *stats, uint8_t version, bool packets)
{
    struct row row;

    match_to_row(stats->match, &row);
    for (unsigned i = 0; i < model.n; i++) {
        struct model_rule *rule = &model.rules[i];

        if (rule->table_id == stats->table_id && rule->priority == stats->priority && rule->cookie == stats->cookie &&
            (version == OF10 || rule->flags == stats->flags) &&
            (version < OF14 || rule->importance == stats->importance) && !memcmp(&rule->match, &row, sizeof row) &&
            same_acts(&rule->acts, version, &stats->acts) && (!packets || rule->packets == stats->packets))
            return rule;
    }
    return NULL;
}

static void random_filter(enum sender sender, struct model_mod *filter)
{
    memset(filter, 0, sizeof *filter);
    filter->rule.table_id = random_one_in(2) ? TABLE_ALL : (uint8_t)random_below(TABLES);
    filter->out_port = random_one_in(4) ? 1 + random_below(BED_PORTS) : OFPORT_ANY;
    if (random_one_in(3))
        random_row(&filter->rule.match, false);
    if (random_one_in(3)) {
        filter->rule.cookie = random_below(6);
        filter->cookie_mask = random_one_in(2) ? UINT64_MAX : 1;
    }
}

/* Whether a dump through `filter` shows the rules of the model; says what differs if `tell`. */
static bool dump(enum sender sender, const struct model_mod *filter, bool tell)
{
    struct client *client = &clients[sender];
    static bool seen[MODEL_RULES];
    struct act_buffer acts;
    struct match match;
    bool same = true, more = true;
    struct of_msg msg = {
        .type = OF_MULTIPART_REQUEST, .xid = ++xid, .request = {.type = OF_MP_FLOW, .nx = client->version == OF10}};

    row_to_match(&filter->rule.match, &msg.request.match);
    msg.request.filter = (struct rule_filter){.table_id = filter->rule.table_id,
                                              .match = &msg.request.match,
                                              .cookie = filter->rule.cookie,
                                              .cookie_mask = filter->cookie_mask,
                                              .out_port = filter->out_port,
                                              .out_group = OFGROUP_ANY};
    client_send(client, &msg);
    memset(seen, 0, sizeof seen);
    act_buffer_init(&acts);
    while (more) {
        struct of_flow_stats stats;
        int got;

        client_expect(client, OF_MULTIPART_REPLY, &msg);
        more = msg.reply.more;
        while ((got = of_multipart_next_flow(client->version, &msg.reply, &stats, &match, &acts)) == 1) {
            struct model_rule *rule = find(&stats, client->version, true);

            if (!rule || !model_filter(filter, rule) || seen[rule - model.rules]) {
                char *text = match_format(&match, NULL, NULL), *acts_text = act_list_format(&stats.acts, NULL, NULL);

                if (tell)
                    print_message(
                        "%s: table=%u,priority=%u,cookie=%lu,flags=%x,importance=%u,n_packets=%lu,%s,actions=%s\n",
                        !rule ? find(&stats, client->version, false) ? "wrong count" : "not in the model"
                        : seen[rule - model.rules] ? "twice"
                                                   : "not asked for",
                        stats.table_id, stats.priority, (unsigned long)stats.cookie, stats.flags, stats.importance,
                        (unsigned long)stats.packets, text, acts_text);
                free(text);
                free(acts_text);
                same = false;
            }
            if (rule)
                seen[rule - model.rules] = true;
            totals.dumped++;
        }
        assert_int_equal(got, 0);
        of_msg_free(&msg);
    }
    act_buffer_free(&acts);
    for (unsigned i = 0; i < model.n; i++) {
        const struct model_rule *rule = &model.rules[i];

        if (seen[i] || !model_filter(filter, rule))
            continue;
        same = false;
        if (tell) {
            row_to_match(&rule->match, &match);
            char *text = match_format(&match, NULL, NULL);
            print_message("missing: table=%u,priority=%u,cookie=%lu,flags=%x,importance=%u,n_packets=%lu,%s\n",
                          rule->table_id, rule->priority, (unsigned long)rule->cookie, rule->flags, rule->importance,
                          (unsigned long)rule->packets, text);
            free(text);
        }
    }
    return same;
}

static void compare_dumps(enum sender sender)
{
    const uint64_t end = clock_now_ms() + 20000;
    struct model_mod filter;

    random_filter(sender, &filter);
    totals.dumps++;
    /* Packets are counted a little after they have gone. */
    while (!dump(sender, &filter, false)) {
        if (clock_now_ms() > end) {
            dump(sender, &filter, true);
            fail_msg("the dump differs");
        }
        for (int i = 0; i < 100; i++)
            turn();
    }
}

/* Sends packets, all at once, and waits for what the model says. What should not have been sent shows up here or with
 * the next. */
static void forward(void)
{
    const uint64_t end = clock_now_ms() + 20000;

    for (unsigned i = 0; i < PACKETS; i++) {
        uint64_t p[N_COLUMNS];
        struct rte_mbuf *packet = numbered_packet(p);

        while (packet && rte_ring_sp_enqueue(bed.fake[p[COLUMN_IN_PORT]]->in, packet) != 0)
            turn();
    }
    while (round_of.missing > 0 || rte_mempool_avail_count(pool) != POOL_SIZE) {
        if (clock_now_ms() > end)
            fail_msg("%u packets are missing, %u on their way", round_of.missing,
                     POOL_SIZE - rte_mempool_avail_count(pool));
        turn();
        for (unsigned port = 1; port <= BED_PORTS; port++) {
            struct rte_mbuf *m;

            while (rte_ring_sc_dequeue(bed.fake[port]->out, (void **)&m) == 0) {
                const uint8_t *at = rte_pktmbuf_mtod_offset(m, const uint8_t *, FRAME_LEN - 4);
                uint32_t number = (uint32_t)at[0] << 24 | at[1] << 16 | at[2] << 8 | at[3], i = number - round_of.first;

                if (m->pkt_len != FRAME_LEN || number >= round_of.next || i >= PACKETS + PACKET_OUTS ||
                    round_of.expected[i][port]-- <= 0)
                    fail_msg("packet %d of this round left port %u once too often (%u bytes)", (int)i, port,
                             m->pkt_len);
                round_of.missing--;
                rte_pktmbuf_free(m);
            }
        }
    }
}

/* --- the test ------------------------------------------------------------ */

static uint32_t number_from_environment(const char *name, uint32_t otherwise)
{
    const char *text = getenv(name);

    return text ? (uint32_t)strtoul(text, NULL, 0) : otherwise;
}

static void switch_agrees_with_the_model(void **state)
{
    const uint32_t seed = number_from_environment("SEED", 1), steps = number_from_environment("STEPS", 600);

    print_message("SEED=%u STEPS=%u\n", seed, steps);
    random_seed(seed);
    for (uint32_t i = 0; i < steps; i++) {
        enum sender sender = random_below(N_SENDERS);

        if (sender >= SENDER_14 && random_one_in(3))
            bundle(sender);
        else
            change(sender);
        forward();
        round_begin();
        /* A client of plain OpenFlow 1.0 cannot see the rest. */
        if (random_one_in(4))
            compare_dumps(random_below(N_SENDERS));
    }
    print_message("%lu mods (%lu refused), %lu bundles, %lu packets (%lu in bundles, %lu left out as ambiguous), %lu "
                  "dumps of %lu "
                  "rules, %u rules now\n",
                  (unsigned long)totals.mods, (unsigned long)totals.refused, (unsigned long)totals.bundles,
                  (unsigned long)totals.packets, (unsigned long)totals.packet_outs, (unsigned long)totals.ambiguous,
                  (unsigned long)totals.dumps, (unsigned long)totals.dumped, model.n);
}

static int setup(void **state)
{
    static char path[108];
    char error[256];
    struct of_server_params params = {.pool = pool, .mgmt_path = path};

    snprintf(path, sizeof path, "/tmp/tables_test.%d.mgmt", getpid());
    signal(SIGPIPE, SIG_IGN);
    bed_create(&bed, pool, &(struct bed_params){.start = true});
    bed.bridge->fail_mode = FAIL_SECURE;
    client_turn = turn;
    params.loop = loop = loop_create();
    params.bridge = bed.bridge;
    params.flows = bed.flows;
    params.requests = &of_requests;
    server = of_server_create(&params, error, sizeof error);
    if (!server)
        fail_msg("%s", error);
    for (int i = 0; i < N_SENDERS; i++) {
        client_connect(&clients[i], path);
        client_hello(&clients[i], sender_versions[i]);
    }
    client_send(&clients[SENDER_10_TABLES], &(struct of_msg){.type = OF_FLOW_MOD_TABLE_ID, .u32 = 1});
    return 0;
}

static int teardown(void **state)
{
    for (int i = 0; i < N_SENDERS; i++)
        client_close(&clients[i]);
    of_server_destroy(server);
    bed_destroy(&bed);
    loop_destroy(loop);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(switch_agrees_with_the_model, setup, teardown)};

    if (test_eal_init("tables_test") != 0)
        return 77;
    pool = test_pool(POOL_SIZE);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
