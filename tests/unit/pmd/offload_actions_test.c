/* Actions on packets that are not finished: whatever they do, what leaves is byte for byte what would have left if the
 * sender had finished its packets itself. */
#include <stdlib.h>

#include "pmd/offload.h"
#include "pmd/tunnel.h"
#include "pmd/vnet.h"
#include "tests/lib/program_bed.h"
#include "tests/lib/unfinished.h"

#define POOL_SIZE 8191

static rte_be16_t ip_type; /* of the packet that is tested */

static void copy_out(const struct rte_mbuf *m, uint8_t *data)
{
    const void *at = rte_pktmbuf_read(m, 0, m->pkt_len, data);

    if (at != data)
        memcpy(data, at, m->pkt_len);
}

/* Where an action makes a finished packet shorter than Ethernet has them it pads it; others are their sender's to pad.
 */
static bool is_same_length(uint32_t a, uint32_t b)
{
    return a == b || (RTE_MIN(a, b) < 100 && RTE_MAX(a, b) - RTE_MIN(a, b) <= 18);
}

static void assert_same_bytes(const struct rte_mbuf *a, const struct rte_mbuf *b)
{
    static uint8_t one[66000], two[66000];

    assert_true(is_same_length(a->pkt_len, b->pkt_len));
    memset(one, 0, 128);
    memset(two, 0, 128);
    copy_out(a, one);
    copy_out(b, two);
    assert_memory_equal(one, two, RTE_MAX(a->pkt_len, b->pkt_len));
}

static void add_op(enum program_op_type type, uint32_t arg, const void *data, size_t len)
{
    program_builder_add(&builder, type, arg, data, len);
}

static void run_anew(struct rte_mbuf *m)
{
    events_clear(&events);
    run(m);
}

/* What a label's TTL is copied from and to is guessed by what is below the label: a tag there, or a label below one
 * that says it is the last, is taken for an IP header, whose lengths are not those of a segment yet. */
static bool ttl_is_known;
static int n_labels;

/* Operations at random, such as fit a TCP or UDP packet. */
static void add_random_op(void)
{
    switch (rand() % 10) {
    case 0:
        ttl_is_known = false;
        add_op(OP_PUSH_VLAN, 0,
               &(struct op_vlan){.tpid = RTE_BE16(rand() % 2 ? 0x8100 : 0x88a8), .tci = (uint16_t)rand()},
               sizeof(struct op_vlan));
        break;
    case 1:
        add_op(OP_POP_VLAN, 0, NULL, 0);
        break;
    case 2:
    case 3: {
        struct op_ipv4 op = {.src = (uint32_t)rand(),
                             .dst = (uint32_t)rand(),
                             .src_mask = (uint32_t)rand(),
                             .dst_mask = UINT32_MAX,
                             .ttl = 9,
                             .ttl_mask = 0xff};
        add_op(OP_SET_IPV4, 0, &op, sizeof op);
        break;
    }
    case 4: {
        struct op_ipv6 op = {.ttl = 9, .ttl_mask = 0xff};
        for (int i = 0; i < 16; i++) {
            op.src[i] = (uint8_t)rand();
            op.dst[i] = (uint8_t)rand();
            op.src_mask[i] = op.dst_mask[i] = (uint8_t)rand();
        }
        add_op(OP_SET_IPV6, 0, &op, sizeof op);
        break;
    }
    case 5:
    case 6: {
        struct op_l4 op = {
            .src = (uint16_t)rand(), .dst = (uint16_t)rand(), .src_mask = 0xffff, .dst_mask = (uint16_t)rand()};
        add_op(OP_SET_L4, 0, &op, sizeof op);
        break;
    }
    case 7:
        ttl_is_known = ttl_is_known && ++n_labels == 1;
        add_op(OP_PUSH_MPLS, 0,
               &(struct op_mpls){.lse = (uint32_t)rand() | RTE_BE32(0x100), .eth_type = RTE_BE16(0x8847)},
               sizeof(struct op_mpls));
        break;
    case 8:
        add_op(OP_PUSH_PBB, 0, &(struct op_pbb){.eth_type = RTE_BE16(0x88e7)}, sizeof(struct op_pbb));
        break;
    default:
        if (rand() % 2) /* nothing but this can be done with a packet that has no Ethernet header */
            add_op(OP_POP_ETH, 0, NULL, 0);
        add_op(OP_PUSH_ETH, 0x6558, NULL, 0);
    }
}

/* And such as need not fit. */
static void add_any_op(void)
{
    switch (rand() % 16) {
    case 0:
        add_op(OP_SET_VLAN, 0, &(struct op_vlan){.tci = (uint16_t)rand(), .tci_mask = (uint16_t)rand()},
               sizeof(struct op_vlan));
        break;
    case 1:
        add_op(OP_POP_MPLS, 0, &(struct op_mpls){.eth_type = ip_type}, sizeof(struct op_mpls));
        break;
    case 2:
        add_op(OP_SET_MPLS, 0, &(struct op_mpls){.lse = (uint32_t)rand(), .lse_mask = RTE_BE32(0xfffffeff)},
               sizeof(struct op_mpls));
        break;
    case 3:
        if (ttl_is_known)
            add_op(rand() % 2 ? OP_COPY_TTL_IN : OP_COPY_TTL_OUT, 0, NULL, 0);
        break;
    case 4:
        add_op(OP_POP_PBB, 0, NULL, 0);
        break;
    case 5:
        add_op(OP_SET_ETH, 0,
               &(struct op_eth){.dst = {{2, 0, 0, 0, 0, (uint8_t)rand()}}, .dst_mask = {{0xff, 0, 0, 0, 0, 0xff}}},
               sizeof(struct op_eth));
        break;
    case 6:
        add_op(OP_SET_IPV4, 0, &(struct op_ipv4){.tos = (uint8_t)rand(), .tos_mask = (uint8_t)rand()},
               sizeof(struct op_ipv4));
        break;
    case 7:
        add_op(OP_SET_IPV6, 0,
               &(struct op_ipv6){.label = (uint32_t)rand(), .label_mask = RTE_BE32(0xfffff), .tos = 3, .tos_mask = 3},
               sizeof(struct op_ipv6));
        break;
    default:
        add_random_op();
    }
}

/* Each operation that sends a packet somewhere has a wire of its own: which of two copies for one port goes first is
 * nothing that is promised. */
#define N_WIRES 24
#define WIRE_MAX 64

struct wire {
    struct rte_mbuf *packets[WIRE_MAX];
    uint16_t full_len[WIRE_MAX]; /* of those for the controller */
    unsigned n;
};

static void clear_wires(struct wire wires[N_WIRES])
{
    for (unsigned i = 0; i < N_WIRES; i++) {
        rte_pktmbuf_free_bulk(wires[i].packets, wires[i].n);
        wires[i].n = 0;
    }
}

/* What a receiver makes of `m`, whose port takes `takes`: what the port takes crosses it with a header of the kernel's,
 * of which the receiver makes its own marks. */
static void put_on_wire(struct wire *wire, struct rte_mbuf *m, uint8_t takes, uint16_t full_len)
{
    struct rte_mbuf *packet = packet_copy(m, pool, UINT32_MAX);
    struct offload_cut cut;

    assert_non_null(packet);
    if (offload_any(packet) && !(offload_needs(packet) & ~takes) && offload_is_plain(packet)) {
        struct virtio_net_hdr header;

        vnet_header(packet, &header);
        packet->ol_flags &= ~(uint64_t)OFFLOAD_ANY;
        packet->tx_offload = 0;
        assert_true(vnet_mark(&header, 0, packet));
    }
    cut = offload_cut_begin(packet, pool);
    while ((packet = offload_cut_next(&cut))) {
        assert_true(wire->n < WIRE_MAX);
        wire->full_len[wire->n] = full_len;
        wire->packets[wire->n++] = packet;
    }
    assert_false(cut.failed);
}

/* False: the packet needed more room in front than marks can say. */
static bool put_events(struct wire wires[N_WIRES], const uint8_t takes[N_WIRES])
{
    for (unsigned i = 0; i < events.n; i++) {
        const struct event *event = &events.list[i];

        if (event->type != EVENT_DROP)
            put_on_wire(&wires[event->arg], event->m, event->type == EVENT_OUTPUT ? takes[event->arg] : 0,
                        event->type == EVENT_PUNT ? event->full_len : 0);
        else if (event->arg == DROP_ACTION_NO_ROOM)
            return false;
    }
    return true;
}

static void assert_same_wires(const struct wire a[N_WIRES], const struct wire b[N_WIRES])
{
    for (unsigned w = 0; w < N_WIRES; w++) {
        assert_int_equal(a[w].n, b[w].n);
        for (unsigned i = 0; i < a[w].n; i++) {
            assert_same_bytes(a[w].packets[i], b[w].packets[i]);
            assert_true(is_same_length(a[w].full_len[i], b[w].full_len[i]));
        }
    }
}

/* What meters saw, and what they say: the same of all packets of a round. */
#define N_METERS 4

static struct meters {
    uint64_t packets[N_METERS], bytes[N_METERS];
    uint8_t verdict[N_METERS];
} meters;

static void measure(void *arg, uint32_t meter, struct rte_mbuf *const *m, unsigned n, uint8_t *verdicts)
{
    for (unsigned i = 0; i < n; i++) {
        meters.packets[meter] += offload_packets(m[i]);
        meters.bytes[meter] += offload_bytes(m[i]);
        verdicts[i] = meters.verdict[meter];
    }
}

static void forget_measured(void)
{
    memset(meters.packets, 0, sizeof meters.packets);
    memset(meters.bytes, 0, sizeof meters.bytes);
}

/* Some headers have more bytes of padding in front of them: is_same_length(). */
static void assert_same_measured(const struct meters *a, const struct meters *b)
{
    for (unsigned i = 0; i < N_METERS; i++) {
        const uint64_t most = RTE_MAX(a->bytes[i], b->bytes[i]), least = RTE_MIN(a->bytes[i], b->bytes[i]);

        assert_int_equal(a->packets[i], b->packets[i]);
        assert_true(most - least <= 18 * a->packets[i]);
    }
}

static void add_meter(void)
{
    static const uint8_t verdicts[] = {METER_PASS, METER_PASS, 1, 3, METER_DROP};
    const uint32_t meter = (uint32_t)rand() % N_METERS;

    meters.verdict[meter] = verdicts[(unsigned)rand() % RTE_DIM(verdicts)];
    add_op(OP_METER, meter, NULL, 0);
}

/* Outer headers without what is another one for each packet: sequence numbers and identifications. */
static void add_tunnel(uint32_t *wire)
{
    struct op_tunnel_push push = {0};
    uint8_t random[16];

    do {
        for (unsigned i = 0; i < sizeof random; i++)
            random[i] = (uint8_t)rand();
        random[1] = (uint8_t)((random[1] | 1) & ~4);
        memset(&push, 0, sizeof push);
        op_tunnel_push_make(&push, random);
    } while (push.type == TUNNEL_ERSPAN || push.flags & TUNNEL_PUSH_SEQ);
    push.mtu = rand() % 4 ? 0 : (uint16_t)(150 + rand() % 400);
    push.too_big = push.mtu != 0 && rand() % 2 ? (*wire)++ : 0;
    add_op(OP_TUNNEL_PUSH, 0, &push, sizeof push);
}

/* Some operations, with outputs among them. A part of a large packet is sent in one piece, which no stack without
 * offloads would do: only the controller gets parts of it. */
static void add_ops(uint32_t *wire, bool segmented, bool tunnels, int depth)
{
    for (int n = rand() % 10; n > 0; n--) {
        const bool punt = rand() % 4 == 0;

        if (*wire >= N_WIRES - 6)
            return;
        if (rand() % 3) {
            add_any_op();
        } else if (rand() % 4 == 0) {
            add_meter();
        } else if (tunnels && rand() % 4 == 0) {
            add_tunnel(wire);
        } else if (rand() % 4 == 0 && depth < 2) {
            const uint32_t at = builder.len;

            add_op(OP_CLONE, 0, NULL, 0);
            add_ops(wire, segmented, tunnels, depth + 1);
            add_op(OP_OUTPUT, (*wire)++, NULL, 0);
            ((struct program_op *)(builder.ops + at))->arg = (uint32_t)(builder.len - at - sizeof(struct program_op));
        } else {
            if (rand() % 3 == 0 && (punt || !segmented))
                add_op(OP_TRUNCATE, (uint32_t)(60 + rand() % 200), NULL, 0);
            add_op(punt ? OP_PUNT : OP_OUTPUT, (*wire)++, NULL, 0);
        }
    }
}

static void add_program(bool segmented, bool tunnels, bool tagged)
{
    uint32_t wire = 1; /* 0 says that nothing is told of packets that are too big */

    ttl_is_known = !tagged;
    n_labels = 0;
    program_builder_init(&builder);
    add_ops(&wire, segmented, tunnels, 0);
    switch (rand() % 4) {
    case 0:
        add_op(OP_RECIRC, wire, NULL, 0);
        break;
    case 1:
        add_op(OP_RECIRC_LARGER, wire, &(struct op_larger){.len = (uint32_t)(60 + rand() % 400), .recirc = wire + 1},
               sizeof(struct op_larger));
        break;
    default:
        add_op(OP_OUTPUT, wire, NULL, 0);
    }
}

/* Padding (is_same_length()) would be counted in outer lengths: what goes into tunnels has none. */
static uint32_t random_payload(uint16_t gso_size, bool long_ones)
{
    static const uint32_t least = 100;
    const uint32_t payload = (uint32_t)(rand() % 1800 + 1);

    if (!long_ones)
        return payload;
    return gso_size == 0 ? RTE_MAX(payload, least) : payload / gso_size * gso_size + RTE_MAX(payload % gso_size, least);
}

/* Packets without a checksum and packets to be cut, programs at random, and ports that take all, some or nothing: each
 * receiver gets byte for byte what it would have got from a sender that finishes its packets itself. SEED and ROUNDS.
 */
static void what_leaves_is_what_a_stack_without_offloads_would_have_sent(void **state)
{
    static const char *const hex[] = {UNFINISHED_TCP4, UNFINISHED_TCP6, UNFINISHED_UDP4_TAGGED, UNFINISHED_UDP6};
    static const uint8_t kinds[] = {0, OFFLOAD_TAKES_CHECKSUM, OFFLOAD_TAKES_CHECKSUM | OFFLOAD_TAKES_TCP4,
                                    OFFLOAD_TAKES_CHECKSUM | OFFLOAD_TAKES_UDP, OFFLOAD_TAKES_ALL};
    static const uint8_t nothing[N_WIRES];
    static struct wire wires[N_WIRES], expected[N_WIRES];
    struct meters expected_meters;
    const char *seed = getenv("SEED"), *n = getenv("ROUNDS");
    const int rounds = n ? atoi(n) : 20000;
    int compared = 0;

    srand(seed ? (unsigned)atoi(seed) : 3);
    for (int i = 0; i < rounds; i++) {
        const bool tunnels = rand() % 2;
        const uint16_t gso_size = rand() % 4 ? (uint16_t)(rand() % 300 + (tunnels ? 100 : 48)) : 0;
        const int kind = rand() % 4;
        struct virtio_net_hdr header;
        struct rte_mbuf *m = unfinished_packet(pool, hex[kind], random_payload(gso_size, tunnels), gso_size, &header);
        struct rte_mbuf *segment;
        uint8_t takes[N_WIRES];
        bool fits = true;

        for (int port = 0; port < N_WIRES; port++)
            takes[port] = kinds[(unsigned)rand() % RTE_DIM(kinds)];
        assert_true(vnet_mark(&header, 0, m));
        ip_type = kind % 2 ? RTE_BE16(RTE_ETHER_TYPE_IPV6) : RTE_BE16(RTE_ETHER_TYPE_IPV4);
        add_program(offload_segmented(m), tunnels, kind == 2);
        struct offload_cut cut = offload_cut_begin(packet_copy(m, pool, UINT32_MAX), pool);
        forget_measured();
        while ((segment = offload_cut_next(&cut))) {
            run_anew(segment);
            fits = put_events(expected, nothing) && fits;
        }
        expected_meters = meters;
        forget_measured();
        run_anew(m);
        if (put_events(wires, takes) && fits) {
            assert_same_wires(wires, expected);
            assert_same_measured(&meters, &expected_meters);
            compared++;
        }
        events_clear(&events);
        clear_wires(wires);
        clear_wires(expected);
    }
    assert_true(compared > rounds / 2);
    assert_int_equal(rte_mempool_avail_count(pool), POOL_SIZE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_leaves_is_what_a_stack_without_offloads_would_have_sent),
    };

    if (!program_bed_init("offload_actions_test", POOL_SIZE))
        return 1;
    events_init(&events, pool);
    events.sink.meter = measure;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
