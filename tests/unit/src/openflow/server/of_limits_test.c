/* Messages and entries have lengths of 16 bits. The largest of everything that the switch may have to tell is made
 * here, and told in every version: what comes out must be whole messages, and what could not be told must have been
 * refused. */
#include "src/openflow/wire/act_wire.h"
#include "src/openflow/codec/msg_monitor.h"
#include "src/openflow/server/server_impl.h"
#include "tests/lib/flow_text.h"
#include "src/tables/group.h"
#include "src/tables/rule.h"
#include "src/tables/table.h"
#include "tests/lib/of_bed.h"

static const uint8_t versions[] = {OF10, OF13, OF14, OF15};
#define N_VERSIONS (sizeof versions / sizeof versions[0])

/* Fails unless `buf` is whole messages, one behind the other. Returns how many. */
static unsigned count_messages(const struct of_buf *buf)
{
    struct of_header header;
    unsigned n = 0;

    for (size_t at = 0; at < buf->len; at += header.length, n++) {
        assert_in_range(buf->len - at, OF_HEADER_LEN, SIZE_MAX);
        assert_int_equal(of_header_parse(buf->data + at, &header), 0);
        assert_in_range(header.length, OF_HEADER_LEN, buf->len - at);
    }
    return n;
}

/* The first 16 bits of each entry of the parts in `buf` are its length. Fails unless they say where the next one is.
 * Returns the number of entries. */
static unsigned count_entries(const struct of_buf *buf)
{
    unsigned n = 0;

    count_messages(buf);
    for (size_t at = 0; at < buf->len;) {
        struct of_msg msg;
        size_t whole = (size_t)(buf->data[at + 2] << 8 | buf->data[at + 3]);

        assert_int_equal(of_msg_decode(buf->data + at, whole, NULL, &msg), 0);
        for (size_t in = 0; in < msg.reply.body.len; n++) {
            size_t len = (size_t)(msg.reply.body.data[in] << 8 | msg.reply.body.data[in + 1]);

            assert_in_range(len, 8, msg.reply.body.len - in);
            in += len;
        }
        of_msg_free(&msg);
        at += whole;
    }
    return n;
}

/* --- groups -------------------------------------------------------------- */

/* A group_mod of OpenFlow 1.5 with `n` buckets of these actions, numbered from `first`: over the wire and back. */
static int group_mod(enum group_command command, enum group_type type, uint32_t id, unsigned first, unsigned n,
                     const struct act_list *acts)
{
    struct bucket *buckets = calloc(n + 1, sizeof *buckets);
    struct of_msg msg = {.type = OF_GROUP_MOD, .version = OF15}, back;
    struct of_buf buf = {0};
    int error;

    for (unsigned i = 0; i < n; i++)
        buckets[i] = (struct bucket){.id = first + i,
                                     .weight = type == GROUP_SELECT,
                                     .watch_port = type == GROUP_FF ? 1 : OFPORT_ANY,
                                     .watch_group = OFGROUP_ANY,
                                     .acts = *acts};
    msg.group_mod = (struct group_mod){.command = command,
                                       .type = type,
                                       .group_id = id,
                                       .command_bucket_id = BUCKET_ID_LAST,
                                       .buckets = buckets,
                                       .n_buckets = n};
    of_msg_encode(&msg, &buf);
    assert_int_not_equal(buf.len, 0);
    error = of_msg_decode(buf.data, buf.len, NULL, &back);
    if (!error)
        error = group_table_mod(pipeline_groups(bridge->pipeline), &back.group_mod);
    of_msg_free(&back);
    of_buf_free(&buf);
    free(buckets);
    return error;
}

static size_t told_len(uint8_t version, enum of_multipart_type type, const struct group *group)
{
    struct of_multipart mp;
    struct of_buf out = {0};
    size_t len;

    of_multipart_begin(&mp, version, 1, type, false);
    if (type == OF_MP_GROUP)
        of_multipart_add_group(&mp, &out, group, 0);
    else
        of_multipart_add_group_desc(&mp, &out, group);
    of_multipart_end(&mp, &out);
    assert_int_equal(count_entries(&out), 1);
    assert_int_equal(count_messages(&out), 1);
    len = out.len;
    of_buf_free(&out);
    return len;
}

static size_t forwarded_len(uint8_t version, const struct group *group)
{
    const struct of_msg msg = {.type = OF_GROUP_MOD,
                               .version = version,
                               .group_mod = {.command = GROUP_MODIFY,
                                             .type = group->type,
                                             .group_id = group->id,
                                             .buckets = group->buckets,
                                             .n_buckets = group->n_buckets,
                                             .selection = group->selection}};
    struct of_buf buf = {0};
    size_t len;

    of_msg_encode(&msg, &buf);
    assert_int_equal(count_messages(&buf), 1);
    len = OF_HEADER_LEN + buf.len;
    of_buf_free(&buf);
    return len;
}

/* Takes buckets until there is no room for one more: then it must be told by some message that has no room for one. */
static void fill_group(enum group_type type, const char *text)
{
    const uint32_t id = 5;
    struct act_buffer buffer;
    struct act_list acts;
    const struct group *group;
    unsigned n = 0;
    size_t with_one_more = 0, before[3 * N_VERSIONS] = {0};

    act_buffer_init(&buffer);
    assert_null(actions_parse(text, &buffer, NULL, NULL));
    acts = act_buffer_list(&buffer);
    assert_int_equal(group_mod(GROUP_ADD, type, id, 0, 0, &acts), 0);
    for (unsigned chunk = 512; chunk; chunk /= 2) {
        int error;

        while (!(error = group_mod(GROUP_INSERT_BUCKET, type, id, n, chunk, &acts)))
            n += chunk;
        assert_int_equal(error, OFPERR_GMFC_OUT_OF_BUCKETS);
    }
    for (int last = 0; last < 2; last++) {
        unsigned at = 0;

        group = group_table_find(pipeline_groups(bridge->pipeline), id);
        for (size_t v = 1; v < N_VERSIONS; v++) {
            size_t lens[] = {told_len(versions[v], OF_MP_GROUP, group), told_len(versions[v], OF_MP_GROUP_DESC, group),
                             forwarded_len(versions[v], group)};

            for (size_t i = 0; i < 3; i++, at++) {
                assert_in_range(lens[i], 1, UINT16_MAX);
                if (!last)
                    before[at] = lens[i];
                else if (2 * before[at] - lens[i] > with_one_more)
                    with_one_more = 2 * before[at] - lens[i];
            }
        }
        if (!last) { /* how much a bucket takes, the same without the last one shows */
            struct group_mod mod = {
                .command = GROUP_REMOVE_BUCKET, .group_id = id, .command_bucket_id = BUCKET_ID_LAST};

            assert_int_equal(group->n_buckets, n);
            assert_int_equal(group_table_mod(pipeline_groups(bridge->pipeline), &mod), 0);
        }
    }
    assert_in_range(with_one_more, UINT16_MAX + 1, SIZE_MAX);
    struct group_mod mod = {.command = GROUP_DELETE, .group_id = id};
    assert_int_equal(group_table_mod(pipeline_groups(bridge->pipeline), &mod), 0);
    act_buffer_free(&buffer);
}

static void groups_are_as_large_as_can_be_told(void **state)
{
    static const char *const texts[] = {
        "",
        "output:1",
        "set_field:0x1234->tun_id,output:1",
        "mod_vlan_vid:7,output:2",
        "load:0->NXM_NX_REG0[0..3],load:7->NXM_NX_XXREG0[0..127],output:1",
        "set_field:1->pbb_isid,set_field:10.0.0.1->ip_dst,push_vlan:0x8100,set_field:4097->vlan_vid,output:3",
        "note:00.11.22.33.44.55.66.77.88.99.aa.bb.cc.dd.ee.ff.00",
    };
    static const enum group_type types[] = {GROUP_ALL, GROUP_SELECT, GROUP_FF};

    start(FAIL_SECURE, NULL, 0);
    for (size_t t = 0; t < sizeof types / sizeof types[0]; t++)
        for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
            fill_group(types[t], texts[i]);
    stop();
}

static void multipart(struct client *client, enum of_multipart_type type, unsigned n_groups)
{
    const struct of_msg request = {.type = OF_MULTIPART_REQUEST,
                                   .xid = 3,
                                   .request = {.type = type, .group_id = OFGROUP_ALL, .meter_id = UINT32_MAX}};
    struct of_msg msg;
    unsigned n = 0;
    bool more = true;

    client_send(client, &request);
    while (more) {
        struct of_buf buf = {0};

        client_expect(client, OF_MULTIPART_REPLY, &msg);
        more = msg.reply.more;
        of_msg_free(&msg);
        of_buf_add_bytes(&buf, client->message, client->header.length);
        n += count_entries(&buf);
        of_buf_free(&buf);
    }
    assert_int_equal(n, n_groups);
}

static void send_buckets(enum group_command command, unsigned first, unsigned n, const struct act_list *acts,
                         enum of_error error)
{
    struct bucket *buckets = calloc(n + 1, sizeof *buckets);
    struct of_msg msg = {.type = OF_GROUP_MOD, .xid = 9};

    for (unsigned i = 0; i < n; i++)
        buckets[i] =
            (struct bucket){.id = first + i, .watch_port = OFPORT_ANY, .watch_group = OFGROUP_ANY, .acts = *acts};
    msg.group_mod = (struct group_mod){.command = command,
                                       .type = GROUP_ALL,
                                       .group_id = 5,
                                       .command_bucket_id = BUCKET_ID_LAST,
                                       .buckets = buckets,
                                       .n_buckets = n};
    client_send(&a, &msg);
    if (error)
        client_expect_error(&a, error, 9);
    client_barrier(&a);
    free(buckets);
}

/* All that is forwarded is the group_mods and meter_mods that were done. */
static void expect_forwarded(unsigned n_groups, unsigned last_buckets)
{
    struct of_msg msg, inner;

    while (n_groups--) {
        client_expect(&b, OF_REQUESTFORWARD, &msg);
        assert_int_equal(of_msg_decode(msg.requestforward.data, msg.requestforward.len, NULL, &inner), 0);
        assert_int_equal(inner.type, OF_GROUP_MOD);
        assert_int_not_equal(inner.group_mod.command, GROUP_COMMAND_BAD);
        if (!n_groups)
            assert_int_equal(inner.group_mod.n_buckets, last_buckets);
        of_msg_free(&inner);
        of_msg_free(&msg);
    }
    client_expect_nothing(&b);
}

static void open_pair(uint8_t other)
{
    const struct of_msg config = {.type = OF_SET_CONFIG, .config = {.miss_send_len = 128}};
    const struct of_msg async = {.type = OF_SET_ASYNC,
                                 .async = {.partial = true, .present = 1 << 11, .requestforward = {3}}};

    start(FAIL_SECURE, NULL, 0);
    client_connect(&a, mgmt);
    client_hello(&a, OF15);
    client_connect(&b, mgmt);
    client_hello(&b, other);
    client_send(&b, &config);
    client_send(&b, &async);
    client_barrier(&b);
}

static void close_pair(void)
{
    client_close(&a);
    client_close(&b);
    stop();
}

/* What hung the switch once: a group of over 64 KB that is asked for, or forwarded. */
static void a_group_grows_until_it_cannot_be_told(void **state)
{
    struct act_buffer buffer;
    struct act_list acts;

    for (int other = 1; other < (int)N_VERSIONS; other++) {
        open_pair(versions[other]);
        act_buffer_init(&buffer);
        assert_null(actions_parse("set_field:10.0.0.1->ip_dst,output:1", &buffer, NULL, NULL));
        acts = act_buffer_list(&buffer);
        send_buckets(GROUP_ADD, 0, 420, &acts, 0);
        send_buckets(GROUP_INSERT_BUCKET, 420, 420, &acts, 0);
        send_buckets(GROUP_INSERT_BUCKET, 840, 420, &acts, 0);
        send_buckets(GROUP_INSERT_BUCKET, 1260, 420, &acts, OFPERR_GMFC_OUT_OF_BUCKETS);
        multipart(&a, OF_MP_GROUP_DESC, 1);
        multipart(&a, OF_MP_GROUP, 1);
        if (versions[other] >= OF14) /* 1.4 has no command on buckets: it is told of the group */
            expect_forwarded(3, versions[other] == OF14 ? 1260 : 420);
        multipart(&b, OF_MP_GROUP_DESC, 1);
        multipart(&b, OF_MP_GROUP, 1);
        send_buckets(GROUP_DELETE, 0, 0, &acts, 0);
        send_buckets(GROUP_ADD, 0, 4096, &(struct act_list){NULL, 0}, OFPERR_GMFC_OUT_OF_BUCKETS);
        send_buckets(GROUP_ADD, 0, 4092, &(struct act_list){NULL, 0}, 0);
        multipart(&a, OF_MP_GROUP, 1);
        if (versions[other] >= OF14)
            expect_forwarded(2, 4092);
        close_pair();
        act_buffer_free(&buffer);
    }
}

/* Buckets and bands of a delete mean nothing, however many there are. */
static void deletes_are_forwarded_without_what_means_nothing(void **state)
{
    uint8_t delete_meter[16 + 4094 * 16] = {OF15, 29, 0xff, 0xf0, 0, 0, 0, 1, 0, METER_DELETE, 0, 0, 0, 0, 0, 7};
    struct of_buf buf = {0};
    struct of_msg msg;

    open_pair(OF14);
    send_buckets(GROUP_DELETE, 0, 8000, &(struct act_list){NULL, 0}, 0);
    expect_forwarded(1, 0);
    close_pair();
    for (size_t at = 16; at < sizeof delete_meter; at += 16) {
        delete_meter[at + 1] = METER_DROP_BAND;
        delete_meter[at + 3] = 16;
    }
    assert_int_equal(of_msg_decode(delete_meter, sizeof delete_meter, NULL, &msg), 0);
    of_msg_encode(&msg, &buf);
    assert_int_equal(buf.len, 16);
    of_buf_free(&buf);
    of_msg_free(&msg);
}

/* --- rules --------------------------------------------------------------- */

/* Each of the least bytes in some version and of many in others, or nested. `of10`: what only OpenFlow 1.0 sends. */
static const struct {
    const char *text;
    bool of10;
} kinds[] = {
    {"output:1", false},
    {"enqueue:1:7", true},
    {"strip_vlan,mod_vlan_vid:7", true},
    {"mod_nw_tos:4", true},
    {"mod_tp_dst:7", true},
    {"dec_ttl", false},
    {"mod_nw_ttl:7", false},
    {"set_queue:7,pop_queue", false},
    {"load:0->NXM_NX_REG0[]", false},
    {"set_field:0x1/0x1->xxreg0", false},
    {"move:NXM_NX_XXREG0[]->NXM_NX_XXREG1[]", false},
    {"controller(reason=action,max_len=7,id=9,userdata=00.01)", false},
    {"note:00", false},
    {"clone(output:1)", false},
    {"group:7", false},
    {"bundle(eth_src,0,hrw,ofport,members:1,2,3,4,5,6,7,8,9)", false},
    {"learn(table=1,NXM_OF_VLAN_TCI[0..11],output:NXM_OF_IN_PORT[])", false},
};

/* Tells of a rule in every way there is; fails if anything else than whole messages comes out. */
static void tell_rule(const struct flow_mod *fm)
{
    struct flow_mod add = *fm;
    struct of_flow_stats stats = {.match = &fm->match, .acts = fm->acts};
    struct classifier cls;
    struct rule *rule;

    classifier_init(&cls);
    rule = rule_create(classifier_mask(&cls, &add.match.mask), &add.match.value, &add.acts);
    for (size_t v = 0; v < N_VERSIONS; v++) {
        for (int nx = 0; nx <= (versions[v] == OF10); nx++) {
            struct of_multipart mp;
            struct of_buf out = {0};

            of_multipart_begin(&mp, versions[v], 1, OF_MP_FLOW, nx);
            of_multipart_add_flow(&mp, &out, &stats);
            of_multipart_add_flow(&mp, &out, &stats);
            of_multipart_end(&mp, &out);
            assert_int_equal(count_entries(&out), 2);
            of_buf_free(&out);
        }
        struct of_multipart mp;
        struct of_buf out = {0};

        of_multipart_begin(&mp, versions[v], 1, OF_MP_FLOW_MONITOR, versions[v] < OF14);
        of_multipart_add_monitor_rule(&mp, &out, OF_MONITOR_EV_ADDED, rule, RULE_DELETED, true);
        of_multipart_end(&mp, &out);
        assert_int_equal(count_entries(&out), 1);
        of_buf_free(&out);
    }
    rule_unref(rule);
    classifier_destroy(&cls);
}

static int decode_rule(const struct of_msg *msg, struct of_msg *back, struct of_buf *buf)
{
    buf->len = 0;
    of_msg_encode(msg, buf);
    return buf->len ? of_msg_decode(buf->data, buf->len, NULL, back) : -1;
}

/* `n` times the actions `one`. */
static void repeat(const struct act_list *one, unsigned n, struct act_buffer *acts)
{
    acts->len = 0;
    for (unsigned i = 0; i < n; i++) {
        ACT_FOR_EACH (act, one)
            memcpy(act_buffer_add(acts, act->type, act->len), act, act->len);
    }
}

static void make_tcp_mod(struct of_msg *msg, struct act_buffer *acts)
{
    make_flow_mod(msg, FLOW_ADD, 0, acts);
    assert_null(match_parse("tcp", &msg->flow_mod.match, NULL, NULL));
}

static void rules_have_the_actions_that_can_be_told(void **state)
{
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
        uint8_t version = kinds[k].of10 ? OF10 : OF13;
        struct act_buffer one, many;
        struct act_list list;
        struct of_buf buf = {0};
        struct of_msg msg, back;
        unsigned least = 1, over = 16384;

        act_buffer_init(&one);
        act_buffer_init(&many);
        assert_null(actions_parse(kinds[k].text, &one, NULL, NULL));
        list = act_buffer_list(&one);
        /* What the decoder takes for granted of short lists. */
        assert_in_range(instructions_wire_len(&list, &buf), 1, 3 * list.len);
        make_tcp_mod(&msg, &many);
        while (over - least > 1) {
            unsigned n = (least + over) / 2;

            repeat(&list, n, &many);
            msg.version = version;
            msg.flow_mod.acts = act_buffer_list(&many);
            int error = decode_rule(&msg, &back, &buf);

            if (!error) {
                tell_rule(&back.flow_mod);
                least = n;
            } else {
                if (error != OFPERR_BAC_TOO_MANY && error != -1)
                    fail_msg("%s: %s", kinds[k].text, of_error_name(error));
                over = n;
            }
            if (error >= 0)
                of_msg_free(&back);
        }
        if (k == 0) /* nothing else than the message's end is in the way */
            assert_in_range(least, 3950, 4096);
        act_buffer_free(&one);
        act_buffer_free(&many);
        of_buf_free(&buf);
    }
}

/* Lists in lists, each nearly as long as a message. */
static void nested_lists_are_as_long_as_a_message(void **state)
{
    static const uint16_t instructions[] = {3 /* write_actions */, 4};

    for (int nested = 0; nested < 2; nested++) {
        for (size_t i = 0; i < 2; i++) {
            struct of_buf buf = {0};
            struct of_msg msg, back;
            struct act_buffer acts;

            make_tcp_mod(&msg, &acts);
            msg.version = OF13;
            msg.flow_mod.acts = (struct act_list){NULL, 0};
            of_msg_encode(&msg, &buf);
            size_t at = buf.len, len = UINT16_MAX - 2048;

            len -= len % 8;
            of_buf_add_u16(&buf, instructions[i]);
            of_buf_add_u16(&buf, (uint16_t)len);
            of_buf_add(&buf, 4);
            if (nested && i) { /* clone, Nicira's action 42 */
                of_buf_add_u16(&buf, 0xffff);
                of_buf_add_u16(&buf, (uint16_t)(len - 8));
                of_buf_add_u32(&buf, 0x2320);
                of_buf_add_u16(&buf, 42);
                of_buf_add(&buf, 6);
            }
            while (buf.len - at < len) {
                of_buf_add_u16(&buf, 24); /* dec_nw_ttl */
                of_buf_add_u16(&buf, 8);
                of_buf_add(&buf, 4);
            }
            of_buf_set_u16(&buf, 2, (uint16_t)buf.len);
            /* OpenFlow 1.0 takes 16 bytes for it, so it is too much; only half of it is not. */
            assert_int_equal(of_msg_decode(buf.data, buf.len, NULL, &back), i ? OFPERR_BAC_TOO_MANY : 0);
            if (!i)
                tell_rule(&back.flow_mod);
            of_msg_free(&back);
            of_buf_free(&buf);
            act_buffer_free(&acts);
        }
    }
}

/* --- matches, packets ---------------------------------------------------- */

/* Every bit that a packet of this kind has is matched. */
static void match_all_of(const char *text, struct match *match)
{
    static const struct flow none;
    bool again = true;
    char *error;

    match_init_all(match);
    error = match_parse(text, match, NULL, NULL);

    assert_null(error);
    for (int pass = 0; again && pass < 4; pass++) { /* fields may be what others rest on */
        again = false;
        for (int id = 0; id < FIELD_N; id++) {
            const struct field *f = field_by_id(id);
            union field_value value, mask;

            if (!f->n_bytes || !field_is_wild(f, &match->mask) || !field_prereq_implied(f, match))
                continue;
            field_get(f, &none, &value);
            memset(&mask, 0xff, sizeof mask);
            if (f->maskable == FIELD_MASK_ANY && f->n_bits > 1)
                mask.b[f->n_bytes - 1] &= 0xfe; /* masks are told, too */
            match_set_masked(match, f, &value, &mask);
            again = true;
        }
    }
}

static const char *const packets[] = {
    "tcp", "udp", "sctp", "icmp", "arp", "tcp6", "icmp6,icmp_type=135", "mpls", "dl_type=0x894f", "dl_type=0x88e7",
};

static void bind_options(void)
{
    struct tlv_map maps[TLV_MAPS_MAX];
    unsigned n = 0;

    for (; n < TLV_MAPS_MAX && n < 32; n++)
        maps[n] = (struct tlv_map){.class = 1, .type = (uint8_t)n, .len = 4, .index = (uint16_t)n};
    assert_int_equal(tlv_map_mod(TLV_ADD, maps, n), 0);
}

static void matches_leave_room_for_actions_and_packets(void **state)
{
    static uint8_t frame[UINT16_MAX], userdata[30000], continuation[60000];

    bind_options();
    for (size_t i = 0; i < sizeof packets / sizeof packets[0]; i++) {
        struct of_msg msg, back;
        struct act_buffer acts, one;
        struct of_buf buf = {0};

        make_flow_mod(&msg, FLOW_ADD, 0, &acts);
        act_buffer_init(&one);
        match_all_of(packets[i], &msg.flow_mod.match);
        /* As many actions as may be: of a rule that a modify gives them. */
        assert_null(actions_parse("output:1", &one, NULL, NULL));
        struct act_list list = act_buffer_list(&one);
        struct of_msg modify;

        for (unsigned n = 4096;; n--) {
            repeat(&list, n, &acts);
            modify = msg;
            modify.flow_mod.command = FLOW_MODIFY;
            match_init_all(&modify.flow_mod.match);
            modify.version = OF13;
            modify.flow_mod.acts = act_buffer_list(&acts);
            if (!decode_rule(&modify, &back, &buf))
                break;
        }
        msg.flow_mod.acts = back.flow_mod.acts;
        tell_rule(&msg.flow_mod);
        of_msg_free(&back);

        for (size_t v = 0; v < N_VERSIONS; v++) {
            for (int format = OF_PACKET_IN_STANDARD; format <= OF_PACKET_IN_NXT2; format++) {
                for (int more = 0; more < 2; more++) {
                    struct of_msg in = {.type = OF_PACKET_IN, .version = versions[v]};

                    in.packet_in = (struct of_packet_in){.format = format,
                                                         .buffer_id = OF_NO_BUFFER,
                                                         .total_len = UINT16_MAX,
                                                         .fields = msg.flow_mod.match,
                                                         .userdata = userdata,
                                                         .userdata_len = sizeof userdata,
                                                         .data = frame,
                                                         .data_len = sizeof frame};
                    if (more)
                        in.packet_in.continuation = (struct of_bytes){continuation, sizeof continuation};
                    buf.len = 0;
                    of_msg_encode(&in, &buf);
                    assert_int_equal(count_messages(&buf), 1);
                }
            }
        }
        of_buf_free(&buf);
        act_buffer_free(&acts);
        act_buffer_free(&one);
    }
    tlv_map_mod(TLV_CLEAR, NULL, 0);
}

static void entries_of_tables_and_meters_fit(void **state)
{
    struct of_table_stats table = {.max_entries = 1, .next_table_max = PIPELINE_TABLES - 1};
    struct meter_entry meter = {.id = 5, .n_bands = METER_BANDS_MAX};
    struct meter_counts counts = {.packets = 1};

    for (size_t v = 1; v < N_VERSIONS; v++) {
        struct of_multipart mp;
        struct of_buf out = {0};

        of_multipart_begin(&mp, versions[v], 1, OF_MP_TABLE_FEATURES, false);
        for (unsigned id = 0; id < PIPELINE_TABLES; id++) {
            table.table_id = (uint8_t)id;
            of_multipart_add_table(&mp, &out, &table);
        }
        of_multipart_end(&mp, &out);
        assert_int_equal(count_entries(&out), PIPELINE_TABLES);
        out.len = 0;
        of_multipart_begin(&mp, versions[v], 1, OF_MP_METER_CONFIG, false);
        for (unsigned i = 0; i < 9000; i++)
            of_multipart_add_meter_config(&mp, &out, &meter);
        of_multipart_end(&mp, &out);
        assert_int_equal(count_entries(&out), 9000);
        out.len = 0;
        of_multipart_begin(&mp, versions[v], 1, OF_MP_METER, false);
        for (unsigned i = 0; i < 9000; i++)
            of_multipart_add_meter(&mp, &out, &meter, &counts, 1);
        of_multipart_end(&mp, &out);
        count_messages(&out);
        of_buf_free(&out);
    }
}

/* --- the last line of defence -------------------------------------------- */

static void what_no_message_can_hold_is_left_out(void **state)
{
    static struct rule_uses users;
    static struct group group = {.id = 1, .type = GROUP_ALL, .n_buckets = 5000, .users = &users};
    struct of_msg msg = {.type = OF_ECHO_REPLY, .version = OF13};
    struct of_multipart mp;
    struct of_buf out = {0};

    group.buckets = calloc(group.n_buckets, sizeof *group.buckets);
    of_multipart_begin(&mp, OF13, 1, OF_MP_GROUP, false);
    of_multipart_add_group(&mp, &out, &group, 0);
    group.n_buckets = 3;
    of_multipart_add_group(&mp, &out, &group, 0);
    group.n_buckets = 5000;
    of_multipart_add_group(&mp, &out, &group, 0);
    of_multipart_end(&mp, &out);
    assert_int_equal(count_entries(&out), 1);
    free(group.buckets);
    out.len = 0;
    msg.echo = (struct of_bytes){calloc(1, 65528), 65528};
    of_msg_encode(&msg, &out);
    assert_int_equal(out.len, 0);
    free((void *)(uintptr_t)msg.echo.data);
    of_buf_free(&out);
}

static void malformed_output_closes_the_connection(void **state)
{
    static const uint8_t bad[][16] = {
        {OF13, 2, 0, 0, 0, 0, 0, 0},
        {OF13, 2, 0, 7, 0, 0, 0, 0},
        {OF13, 2, 0, 17, 0, 0, 0, 0},
        {OF13, 2, 0, 8, 0, 0, 0, 0, OF13, 2, 0, 0},
    };

    start(FAIL_SECURE, NULL, 0);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct of_buf buf = {0};

        client_connect(&a, mgmt);
        client_hello(&a, OF13);
        of_buf_add_bytes(&buf, bad[i], sizeof bad[i]);
        of_connection_send(TAILQ_FIRST(&server->connections), &buf);
        of_buf_free(&buf);
        client_expect_closed(&a);
        client_close(&a);
    }
    stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(groups_are_as_large_as_can_be_told),
        cmocka_unit_test(a_group_grows_until_it_cannot_be_told),
        cmocka_unit_test(deletes_are_forwarded_without_what_means_nothing),
        cmocka_unit_test(rules_have_the_actions_that_can_be_told),
        cmocka_unit_test(nested_lists_are_as_long_as_a_message),
        cmocka_unit_test(matches_leave_room_for_actions_and_packets),
        cmocka_unit_test(entries_of_tables_and_meters_fit),
        cmocka_unit_test(what_no_message_can_hold_is_left_out),
        cmocka_unit_test(malformed_output_closes_the_connection),
    };

    return cmocka_run_group_tests(tests, of_bed_setup, of_bed_teardown);
}
