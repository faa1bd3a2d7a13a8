/* Bursts that are tracked: they go on by what was found out, whether one megaflow takes them all, several do, or some
 * are dropped; alone in their zone or each in another. */
#include <rte_ip.h>
#include <string.h>

#include "pmd/key.h"
#include "tests/lib/datapath_bed.h"

#define STATES (CT_STATE_TRK | CT_STATE_NEW | CT_STATE_EST | CT_STATE_INV)
#define NEW (CT_STATE_TRK | CT_STATE_NEW)
#define EST (CT_STATE_TRK | CT_STATE_EST)
#define INV (CT_STATE_TRK | CT_STATE_INV)
#define ALL 64

/* UDP of connection `connection`: to 11.0.0.1, or back from there. */
static struct rte_mbuf *tracked_packet(uint32_t connection, uint32_t number, bool back)
{
    struct rte_mbuf *m = packet_make(0, number);
    struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod_offset(m, struct rte_ipv4_hdr *, RTE_ETHER_HDR_LEN);
    const rte_be32_t ends[2] = {rte_cpu_to_be_32(0x0a000000 + connection), RTE_BE32(0x0b000001)};
    uint16_t *ports_of = (void *)(ip + 1);

    ip->src_addr = ends[back];
    ip->dst_addr = ends[!back];
    ports_of[back] = RTE_BE16(4000);
    ports_of[!back] = RTE_BE16(53);
    ip->hdr_checksum = rte_ipv4_cksum(ip);
    return m;
}

static void spoil(struct rte_mbuf *m)
{
    rte_pktmbuf_mtod_offset(m, struct rte_ipv4_hdr *, RTE_ETHER_HDR_LEN)->hdr_checksum ^= 1;
}

static void send_all(struct rte_mbuf *const *burst, unsigned n)
{
    assert_int_equal(rte_ring_sp_enqueue_bulk(ports[0]->in, (void *const *)burst, n, NULL), n);
}

static void send_connections(unsigned n, bool back)
{
    struct rte_mbuf *burst[ALL];

    for (unsigned i = 0; i < n; i++)
        burst[i] = tracked_packet(i, i, back);
    send_all(burst, n);
}

/* In the order that they were sent in. */
static void expect_numbers(unsigned port, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        uint32_t number;

        WAIT_FOR(receive(port, &number));
        assert_int_equal(number, i);
    }
}

static struct program *program_track(const struct ct_request *request, enum program_op_type then, uint32_t arg)
{
    const struct op_ct ct = {.request = *request};
    struct program_builder builder;

    program_builder_init(&builder);
    program_builder_add(&builder, OP_CT, 0, &ct, sizeof ct);
    program_builder_add(&builder, then, arg, NULL, 0);
    return program_intern(programs, &builder);
}

/* Port 1: ct(table=) with `request`, as recirculation 9. */
static struct megaflow *install_track(const struct ct_request *request)
{
    return install(1, 0, 0, program_track(request, OP_RECIRC, 9));
}

static struct megaflow *install_behind(uint32_t recirc_id, uint8_t ct_state, rte_be16_t ct_tp_src,
                                       struct program *program)
{
    const struct flow_key key = {.in_port = 1,
                                 .recirc_id = recirc_id,
                                 .eth_type = RTE_BE16(RTE_ETHER_TYPE_IPV4),
                                 .ct_state = ct_state,
                                 .ct_tp_src = ct_tp_src};
    const struct flow_key mask = {.in_port = UINT32_MAX,
                                  .recirc_id = UINT32_MAX,
                                  .eth_type = UINT16_MAX,
                                  .ct_state = STATES,
                                  .ct_tp_src = ct_tp_src ? UINT16_MAX : 0};
    int error = 0;
    struct megaflow *mf = datapath_megaflow_install(dp, &key, &mask, program, &error);

    assert_non_null(mf);
    return mf;
}

static uint64_t packets_of(const struct megaflow *mf)
{
    struct megaflow_stats stats = {0};

    datapath_megaflow_stats(dp, mf, &stats);
    return stats.packets;
}

static const struct ct_request look = {.zone = 0}, commit = {.commit = true};

/* Connections that both sides have sent packets of. New ones leave by port 3, others by port 2. */
static struct megaflow *established(unsigned n)
{
    struct megaflow *first = install_track(&look), *behind;

    install_behind(9, NEW, 0, program_track(&commit, OP_OUTPUT, 3));
    behind = install_behind(9, EST, 0, program_output(2));
    send_connections(n, false);
    expect_numbers(3, n);
    send_connections(n, true);
    expect_numbers(2, n);
    assert_int_equal(packets_of(first), 2 * n);
    assert_int_equal(packets_of(behind), n);
    return behind;
}

static void bursts_of_one_state(void **state)
{
    struct megaflow *behind;

    start();
    behind = established(ALL);
    for (unsigned round = 0; round < 20; round++) {
        send_connections(ALL, round % 2);
        expect_numbers(2, ALL);
    }
    assert_int_equal(packets_of(behind), 21 * ALL);
    assert_int_equal(ct_count(datapath_ct(dp)), ALL);
    /* What the rules say now. */
    program_gone(datapath_megaflow_set_program(dp, behind, program_output(1)));
    datapath_synchronize(dp);
    send_connections(ALL, false);
    expect_numbers(1, ALL);
    stop();
}

/* Packets of a burst differ in what is found out about them. */
static void bursts_of_several_states(void **state)
{
    start();
    established(ALL / 2);
    install_behind(9, INV, 0, program_output(1));
    for (unsigned round = 0; round < 20; round++) {
        struct rte_mbuf *burst[ALL];
        unsigned sent[3] = {0};
        uint32_t number;

        for (unsigned i = 0; i < ALL; i++) {
            const unsigned kind = (i >> (round % 4)) % 3;

            /* Old ones, new ones of this round, and such that are broken. */
            burst[i] =
                tracked_packet(kind == 1 ? 1000 + ALL * round + i : i % (ALL / 2), 100 * kind + sent[kind], false);
            if (kind == 2)
                spoil(burst[i]);
            sent[kind]++;
        }
        send_all(burst, ALL);
        for (unsigned kind = 0; kind < 3; kind++) {
            static const unsigned port_of[] = {2, 3, 1};

            for (unsigned i = 0; i < sent[kind]; i++) {
                WAIT_FOR(receive(port_of[kind], &number));
                assert_int_equal(number, 100 * kind + i);
            }
        }
    }
    stop();
}

/* A megaflow that looks at more than the key's first line. */
static void rules_on_what_began_the_connection(void **state)
{
    start();
    install_track(&look);
    install_behind(9, NEW, 0, program_track(&commit, OP_OUTPUT, 3));
    send_connections(ALL, false);
    expect_numbers(3, ALL);
    struct megaflow *right = install_behind(9, EST, RTE_BE16(4000), program_output(2));
    struct megaflow *wrong = install_behind(9, EST, RTE_BE16(53), program_output(3));
    for (unsigned round = 0; round < 6; round++) {
        send_connections(ALL, true);
        expect_numbers(2, ALL);
    }
    assert_int_equal(packets_of(right), 6 * ALL);
    assert_int_equal(packets_of(wrong), 0);
    stop();
}

static void those_that_cannot_be_made_are_dropped(void **state)
{
    start();
    install_track(&commit);
    install_behind(9, NEW, 0, program_output(2));
    ct_set_max(datapath_ct(dp), ALL / 2);
    send_connections(ALL, false);
    expect_numbers(2, ALL / 2);
    WAIT_FOR(drops(DROP_CT_TABLE_FULL) == ALL / 2);
    ct_set_max(datapath_ct(dp), 1000);
    ct_flush_all(datapath_ct(dp));
    ct_set_zone_limit(datapath_ct(dp), 0, 10);
    send_connections(ALL, false);
    expect_numbers(2, 10);
    WAIT_FOR(drops(DROP_CT_ZONE_LIMIT) == ALL - 10);
    stop();
}

static void fragments_are_held_by_their_thread(void **state)
{
    uint32_t number;

    start();
    install_track(&look);
    install_behind(9, NEW, 0, program_output(2));
    ct_set_fragment_min(datapath_ct(dp), false, 0);
    for (unsigned round = 0; round < 4; round++) {
        struct rte_mbuf *burst[ALL];

        /* In the middle of the burst a datagram comes in two parts, of 24 and 2 octets. */
        for (unsigned i = 0; i < ALL; i++)
            burst[i] = tracked_packet(i, i, false);
        for (unsigned part = 0; part < 2; part++) {
            struct rte_mbuf *m = burst[30 + part];
            struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod_offset(m, struct rte_ipv4_hdr *, RTE_ETHER_HDR_LEN);

            ip->src_addr = RTE_BE32(0x0a000063);
            ip->packet_id = rte_cpu_to_be_16((uint16_t)(7 + round));
            ip->total_length = rte_cpu_to_be_16(20 + (part ? 2 : 24));
            ip->fragment_offset = part ? RTE_BE16(3) : RTE_BE16(0x2000);
            ip->hdr_checksum = 0;
            ip->hdr_checksum = rte_ipv4_cksum(ip);
        }
        send_all(burst, ALL);
        for (unsigned i = 0; i < ALL; i++)
            WAIT_FOR(receive(2, &number));
    }
    struct ct_fragments_info info;
    ct_fragments_info(datapath_ct(dp), &info);
    assert_int_equal(info.ip[0].completed, 8);
    assert_int_equal(info.n, 0);
    stop();
}

/* Each packet of the burst has a megaflow of its own in front of the tracker, and one behind it. */
static void zones_of_their_own(void **state)
{
    uint32_t number;

    start();
    for (unsigned zone = 0; zone < ALL; zone++) {
        const struct ct_request request = {.zone = (uint16_t)zone, .commit = true};

        install(1, 0x0a000000 + zone, 0xffffffff, program_track(&request, OP_RECIRC, 100 + zone));
        install_behind(100 + zone, NEW, 0, program_output(2 + zone % 2));
    }
    for (unsigned round = 0; round < 20; round++) {
        send_connections(ALL, false);
        for (unsigned i = 0; i < ALL; i++) {
            WAIT_FOR(receive(2 + i % 2, &number));
            assert_int_equal(number, i);
        }
    }
    for (unsigned zone = 0; zone < ALL; zone++)
        assert_int_equal(ct_zone_count(datapath_ct(dp), (uint16_t)zone), 1);
    stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bursts_of_one_state),
        cmocka_unit_test(bursts_of_several_states),
        cmocka_unit_test(rules_on_what_began_the_connection),
        cmocka_unit_test(those_that_cannot_be_made_are_dropped),
        cmocka_unit_test(fragments_are_held_by_their_thread),
        cmocka_unit_test(zones_of_their_own),
    };

    if (test_eal_init("datapath_ct_test") != 0)
        return 1;
    pool = test_pool(4095);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
