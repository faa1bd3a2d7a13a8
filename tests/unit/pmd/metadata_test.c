/* Metadata stays with copies of packets, and reaches keys. That it comes through recirculations, misses and punts is in
 * datapath_test.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "tests/lib/eal.h"
#include "tests/lib/packets.h"

static struct rte_mempool *pool;

static void every_byte_of_the_private_area_is_copied(void **state)
{
    struct rte_mbuf *m = packet_new(pool, FRAME_TCP);

    for (size_t i = 0; i < sizeof(struct packet_meta); i++)
        ((uint8_t *)packet_meta(m))[i] = (uint8_t)(i + 1);
    packet_meta(m)->md.tun_lines = 3;
    for (uint32_t len = 1; len <= m->pkt_len; len++) {
        struct rte_mbuf *copy = packet_copy(m, pool, len);

        assert_non_null(copy);
        assert_int_equal(copy->pkt_len, len);
        assert_memory_equal(packet_meta(copy), packet_meta(m), sizeof(struct packet_meta));
        assert_memory_equal(rte_pktmbuf_mtod(copy, void *), rte_pktmbuf_mtod(m, void *), len);
        assert_ptr_not_equal(rte_pktmbuf_mtod(copy, void *), rte_pktmbuf_mtod(m, void *));
        rte_pktmbuf_free(copy);
    }
    rte_pktmbuf_free(m);
    assert_int_equal(rte_mempool_in_use_count(pool), 0);
}

static void a_clone_to_send_shares_the_data(void **state)
{
    struct rte_mbuf *m = packet_new(pool, FRAME_TCP), *clone = packet_clone_to_send(m, pool);

    assert_non_null(clone);
    assert_ptr_equal(rte_pktmbuf_mtod(clone, void *), rte_pktmbuf_mtod(m, void *));
    assert_int_equal(clone->pkt_len, m->pkt_len);
    rte_pktmbuf_free(m);
    rte_pktmbuf_free(clone);
    assert_int_equal(rte_mempool_in_use_count(pool), 0);
}

/* Of the key, that and no more. */
static void metadata_reaches_the_key(void **state)
{
    const struct metadata md = {.in_port = 1, .recirc_id = 2, .pkt_mark = 3, .dp_hash = 4, .depth = 5};
    const struct flow_key expected = {.in_port = 1, .recirc_id = 2, .pkt_mark = 3, .dp_hash = 4};
    struct flow_key key = {0};

    metadata_to_key(&md, &key);
    assert_memory_equal(&key, &expected, sizeof key);
}

/* What connection tracking found out, if it did; IPv6 addresses only of IPv6 packets, as labels have their place. */
static void connections_reach_the_key(void **state)
{
    struct packet_meta meta = {.ct = {.state = CT_STATE_TRK,
                                      .zone = 5,
                                      .mark = 6,
                                      .label = {[15] = 7},
                                      .src = RTE_BE32(8),
                                      .dst = RTE_BE32(9),
                                      .tp_src = RTE_BE16(10),
                                      .tp_dst = RTE_BE16(11),
                                      .proto = 17}};
    const struct flow_key none = {0};
    struct flow_key key = {0};

    assert_int_equal(packet_meta_to_key(&meta, &key, 1), 1);
    assert_memory_equal(&key, &none, sizeof key);
    meta.md.ct_state = meta.ct.state;
    assert_int_equal(packet_meta_to_key(&meta, &key, 1), FLOW_KEY_PACKET_LINES);
    assert_int_equal(key.ct_state, CT_STATE_TRK);
    assert_int_equal(key.ct_zone, 5);
    assert_int_equal(key.ct_mark, 6);
    assert_int_equal(key.ct_label[15], 7);
    assert_int_equal(key.ct_ipv4_src, RTE_BE32(8));
    assert_int_equal(key.ct_ipv4_dst, RTE_BE32(9));
    assert_int_equal(key.ct_tp_src, RTE_BE16(10));
    assert_int_equal(key.ct_tp_dst, RTE_BE16(11));
    assert_int_equal(key.ct_ip_proto, 17);

    key = (struct flow_key){.eth_type = RTE_BE16(RTE_ETHER_TYPE_MPLS)};
    meta.ct.ipv6 = true;
    meta.ct.src6[0] = 0x20;
    packet_meta_to_key(&meta, &key, 3);
    assert_int_equal(key.mpls_lse[0], 0);
    key.eth_type = RTE_BE16(RTE_ETHER_TYPE_IPV6);
    packet_meta_to_key(&meta, &key, 3);
    assert_int_equal(key.ct_ipv6_src[0], 0x20);
}

/* As many lines as there are, and no more. */
static void tunnels_reach_the_key(void **state)
{
    struct packet_meta meta = {.md.in_port = 5000, .tun = {.id = RTE_BE64(7), .options = {[63] = 8, [127] = 9}}};
    const struct flow_key none = {.in_port = 5000};
    struct flow_key key = {0};

    assert_int_equal(packet_meta_to_key(&meta, &key, 1), 1);
    assert_memory_equal(&key, &none, sizeof key);
    for (uint16_t lines = 1; lines <= 3; lines++) {
        key = none;
        meta.md.tun_lines = lines;
        assert_int_equal(packet_meta_to_key(&meta, &key, 1), FLOW_KEY_PACKET_LINES + lines);
        assert_true(key.tun_id == RTE_BE64(7));
        assert_int_equal(key.tun_metadata[63], lines > 1 ? 8 : 0);
        assert_int_equal(key.tun_metadata[127], lines > 2 ? 9 : 0);
    }
    meta.ct.state = meta.md.ct_state = CT_STATE_TRK;
    assert_int_equal(packet_meta_to_key(&meta, &key, 1), FLOW_KEY_LINES);
    assert_int_equal(key.ct_state, CT_STATE_TRK);
}

static void labels_are_numbers(void **state)
{
    uint8_t label[CT_LABEL_LEN] = {0};
    char text[CT_LABEL_TEXT];

    assert_string_equal(ct_label_format(label, text), "0");
    label[CT_LABEL_LEN - 1] = 0x1f;
    assert_string_equal(ct_label_format(label, text), "0x1f");
    label[CT_LABEL_LEN - 2] = 0x05;
    assert_string_equal(ct_label_format(label, text), "0x51f");
    memset(label, 0xab, sizeof label);
    assert_string_equal(ct_label_format(label, text), "0xabababababababababababababababab");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(labels_are_numbers),
        cmocka_unit_test(every_byte_of_the_private_area_is_copied),
        cmocka_unit_test(a_clone_to_send_shares_the_data),
        cmocka_unit_test(metadata_reaches_the_key),
        cmocka_unit_test(connections_reach_the_key),
        cmocka_unit_test(tunnels_reach_the_key),
    };

    if (test_eal_init("metadata_test") != 0)
        return 1;
    pool = test_pool(63);
    if (!pool)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
