/* Group and meter messages, over the wire and back, and malformed ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "src/openflow/codec/msg.h"
#include "tests/lib/flow_text.h"

static const uint8_t versions[] = {OF13, OF14, OF15};

static void decode(struct of_buf *buf, struct of_msg *back)
{
    assert_int_equal(of_msg_decode(buf->data, buf->len, NULL, back), 0);
    of_buf_free(buf);
}

static void group_mods(void **state)
{
    for (size_t v = 0; v < sizeof versions; v++) {
        struct act_buffer acts[2];
        struct bucket buckets[2] = {{.id = 0, .weight = 7, .watch_port = 3, .watch_group = OFGROUP_ANY},
                                    {.id = 1, .weight = 1, .watch_port = OFPORT_ANY, .watch_group = 9}};
        struct of_msg msg = {.type = OF_GROUP_MOD, .version = versions[v], .xid = 5}, back;
        struct of_buf buf = {0};

        if (!(OF_VERSIONS & 1u << versions[v]))
            continue;
        for (int i = 0; i < 2; i++) {
            act_buffer_init(&acts[i]);
            assert_null(actions_parse(i ? "group:4" : "set_field:10.0.0.1->ip_dst,output:2", &acts[i], NULL, NULL));
            buckets[i].acts = act_buffer_list(&acts[i]);
        }
        msg.group_mod = (struct group_mod){
            .command = GROUP_MODIFY, .type = GROUP_SELECT, .group_id = 77, .buckets = buckets, .n_buckets = 2};
        if (versions[v] == OF15) {
            struct group_selection *s = &msg.group_mod.selection;

            msg.group_mod.command = GROUP_INSERT_BUCKET;
            msg.group_mod.command_bucket_id = BUCKET_ID_LAST;
            buckets[1].id = 1000;
            strcpy(s->method, "hash");
            s->n_fields = 2;
            s->fields[0] = field_by_id(FIELD_IPV4_SRC);
            s->fields[1] = field_by_id(FIELD_ETH_SRC);
            memset(s->masks[0].b, 0xff, 3);
            memset(s->masks[1].b, 0xff, 6);
        }
        of_msg_encode(&msg, &buf);
        assert_int_equal(buf.len % 8, 0);
        decode(&buf, &back);
        assert_int_equal(back.type, OF_GROUP_MOD);
        assert_int_equal(back.group_mod.command, msg.group_mod.command);
        assert_int_equal(back.group_mod.type, GROUP_SELECT);
        assert_int_equal(back.group_mod.group_id, 77);
        assert_int_equal(back.group_mod.n_buckets, 2);
        for (int i = 0; i < 2; i++) {
            const struct bucket *bucket = &back.group_mod.buckets[i];

            assert_int_equal(bucket->id, buckets[i].id);
            assert_int_equal(bucket->weight, buckets[i].weight);
            assert_int_equal(bucket->watch_port, buckets[i].watch_port);
            assert_int_equal(bucket->watch_group, buckets[i].watch_group);
            assert_true(act_lists_equal(&bucket->acts, &buckets[i].acts));
            act_buffer_free(&acts[i]);
        }
        assert_memory_equal(&back.group_mod.selection, &msg.group_mod.selection, sizeof msg.group_mod.selection);
        of_msg_free(&back);
    }
}

static void malformed_group_mods(void **state)
{
    static const uint8_t head[] = {OF13, 15, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1};

    static const struct {
        uint8_t bucket[24];
        uint8_t len;
        int error;
    } cases[] = {
        {{0}, 0, 0},
        {{0, 16, 0, 1, 0, 0, 0, 1}, 16, 0},
        {{0, 8, 0, 1, 0, 0, 0, 1}, 16, OFPERR_GMFC_BAD_BUCKET},
        {{0, 20, 0, 1, 0, 0, 0, 1}, 16, OFPERR_GMFC_BAD_BUCKET},
        {{0, 32, 0, 1, 0, 0, 0, 1}, 16, OFPERR_GMFC_BAD_BUCKET},
        {{0, 24, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 22, 0, 16}, 24, OFPERR_BAC_BAD_LEN},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t data[64];
        struct of_msg msg;

        memcpy(data, head, sizeof head);
        memcpy(data + sizeof head, cases[i].bucket, cases[i].len);
        data[3] = (uint8_t)(sizeof head + cases[i].len);
        assert_int_equal(of_msg_decode(data, data[3], NULL, &msg), cases[i].error);
        of_msg_free(&msg);
    }
}

static void meter_mods(void **state)
{
    for (size_t v = 0; v < sizeof versions; v++) {
        struct of_msg msg = {.type = OF_METER_MOD, .version = versions[v], .xid = 5}, back;
        struct of_buf buf = {0};

        if (!(OF_VERSIONS & 1u << versions[v]))
            continue;
        msg.meter_mod = (struct meter_mod){.command = METER_MODIFY,
                                           .flags = METER_PKTPS | METER_BURST,
                                           .meter_id = 3,
                                           .n_bands = 2,
                                           .bands = {{METER_DROP_BAND, 0, 1000, 20}, {METER_DSCP_BAND, 2, 500, 10}}};
        of_msg_encode(&msg, &buf);
        decode(&buf, &back);
        assert_memory_equal(&back.meter_mod, &msg.meter_mod, sizeof msg.meter_mod);
        of_msg_free(&back);
    }
}

static void replies(void **state)
{
    struct meter_entry meter = {.id = 5, .n_bands = 1, .bands = {{METER_DROP_BAND, 0, 1000, 20}}};
    struct meter_counts counts = {.packets = 1};
    struct of_multipart mp;
    struct of_buf out = {0};

    of_multipart_begin(&mp, OF13, 1, OF_MP_METER, false);
    of_multipart_add_meter(&mp, &out, &meter, &counts, 1500);
    of_multipart_end(&mp, &out);
    assert_int_equal(out.len, 16 + 40 + 16);
    of_buf_free(&out);
    of_multipart_begin(&mp, OF13, 1, OF_MP_METER_CONFIG, false);
    of_multipart_add_meter_config(&mp, &out, &meter);
    of_multipart_end(&mp, &out);
    assert_int_equal(out.len, 16 + 8 + 16);
    of_buf_free(&out);
    for (int as_ovs = 0; as_ovs < 2; as_ovs++) {
        of_multipart_begin(&mp, OF15, 1, OF_MP_METER_FEATURES, false);
        of_multipart_add_meter_features(&mp, &out, as_ovs);
        of_multipart_end(&mp, &out);
        assert_int_equal(out.len, as_ovs ? 16 + 16 : 16 + 24);
        of_buf_free(&out);
    }
    of_multipart_begin(&mp, OF13, 1, OF_MP_GROUP_FEATURES, false);
    of_multipart_add_group_features(&mp, &out);
    of_multipart_end(&mp, &out);
    assert_int_equal(out.len, 16 + 40);
    of_buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(group_mods),
        cmocka_unit_test(malformed_group_mods),
        cmocka_unit_test(meter_mods),
        cmocka_unit_test(replies),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
