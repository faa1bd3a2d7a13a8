/* The key parser and action programs on any bytes. Input: how to cut the packet into segments (1 byte), the length of
 * the program (1 byte), the program, the packet. Buffers are exactly as long as their data, so that ASan sees every
 * byte too far. */
#include <stdlib.h>

#include "pmd/key_inline.h"
#include "pmd/meter.h"
#include "pmd/program_ops.h"
#include "pmd/tunnel.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/segment.h"
#include "tests/lib/eal.h"
#include "tests/lib/packets.h"

#define POOL_SIZE 8191
#define HEAD_ROOM 8

static struct rte_mempool *pool;
static struct program_table *table;
static struct program_builder builder;
static struct events events;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    CHECK(test_eal_init("fuzz_key") == 0);
    pool = test_pool(POOL_SIZE);
    table = program_table_create();
    CHECK(pool && table);
    return 0;
}

/* Segments of pseudo-random lengths; cut == 0: one. */
static struct rte_mbuf *segments_new(const uint8_t *data, size_t len, uint32_t cut)
{
    struct rte_mbuf *head = NULL;
    size_t at = 0;

    for (uint32_t state = cut; !head || at < len; state = state * 1103515245 + 12345) {
        size_t part = cut == 0 ? len : (state >> 16) % (cut + 1);
        if (head && (part == 0 || head->nb_segs > 60))
            part = head->nb_segs > 60 ? len - at : 1;
        part = RTE_MIN(part, len - at);
        struct rte_mbuf *m = segment_new(pool, data + at, part, HEAD_ROOM);
        if (!head)
            head = m;
        else
            CHECK(rte_pktmbuf_chain(head, m) == 0);
        at += part;
    }
    return head;
}

/* Returns the key of the packet. */
static struct flow_key parse(const uint8_t *data, size_t len, uint32_t cut)
{
    struct rte_mbuf *m = segments_new(data, len, 0), *pieces = segments_new(data, len, cut);
    struct flow_key key, other;
    struct packet_layers layers;
    uint8_t n_burst;

    memset(&key, 0xa5, sizeof key);
    const unsigned n = flow_key_parse(m, 3, &key);
    CHECK(n <= FLOW_KEY_LINES && (n == 0) == (len < 14));
    CHECK(n == 0 || n == flow_key_lines_used(&key));
    CHECK(n == 0 || key.in_port == 3);
    CHECK(key.zero0 == 0 && key.zero1 == 0 && key.recirc_id == 0 && key.ct_state == 0);
    const uint32_t hash = flow_key_hash(&key, RTE_MAX(n, 1u));

    memset(&other, 0x5a, sizeof other);
    CHECK(flow_key_parse_general(m, 3, &other) == n &&
          memcmp(&key, &other, FLOW_KEY_PACKET_LINES * FLOW_KEY_LINE) == 0);
    memset(&other, 0x5a, sizeof other);
    CHECK(flow_key_parse(pieces, 3, &other) == n && memcmp(&key, &other, sizeof key) == 0);
    flow_key_parse_burst(&m, 1, 3, &other, &n_burst);
    CHECK(n_burst == n && memcmp(&key, &other, RTE_MAX(n, 1u) * FLOW_KEY_LINE) == 0);
    CHECK(flow_key_hash(&other, RTE_MAX(n, 1u)) == hash);

    packet_layers_find(m, &layers);
    CHECK(layers.eth_type == (n == 0 ? 0 : rte_be_to_cpu_16(key.eth_type)));
    CHECK(layers.later_fragment == ((key.ip_frag & IP_FRAG_LATER) != 0));
    CHECK(layers.l3 == 0 || layers.l3 + 20u <= len);
    CHECK(layers.l4 == 0 || (layers.l4 >= layers.l3 + 20 && layers.l4 + 4u <= len && layers.ip_proto == key.ip_proto));
    CHECK(layers.l4 != 0 || (key.tp_src | key.tp_dst | key.tcp_flags) == 0);
    CHECK((layers.vlan != 0) == (key.vlan_tci[0] != 0));
    packet_layers_find(pieces, &layers);
    CHECK(layers.l4 == 0 || layers.l4 + 4 <= pieces->data_len);
    rte_pktmbuf_free(m);
    rte_pktmbuf_free(pieces);
    return key;
}

/* Returns whether checksums that were right must be right after the program: not if it can change what bytes mean. */
static bool program_build(const uint8_t *data, size_t size, const struct flow_key *key)
{
    bool keeps_meaning = (key->ipv6_exthdr & IPV6_EH_ROUTER) == 0;

    program_builder_init(&builder);
    while (size >= 2) {
        const enum program_op_type type = data[0] % OP_N_TYPES;
        uint32_t arg = type == OP_DROP ? data[1] % DROP_N_REASONS : data[1];
        uint8_t fields[sizeof(struct op_tunnel_push)] __attribute__((aligned(8))) = {0};

        data += 2;
        size -= 2;
        const uint32_t before = builder.len;
        memcpy(fields, data, RTE_MIN(size, 128u));
        if (type == OP_PUSH_VLAN)
            ((struct op_vlan *)fields)->tpid = arg % 2 ? RTE_BE16(0x8100) : RTE_BE16(0x88a8);
        if (type == OP_PUSH_MPLS)
            ((struct op_mpls *)fields)->eth_type = RTE_BE16(0x8847);
        if (type == OP_PUSH_NSH)
            fields[0] = (uint8_t)(fields[0] % (NSH_PUSH_MAX / 4 + 1) * 4);
        if (type == OP_TUNNEL_PUSH) {
            uint8_t random[16];

            memcpy(random, fields, sizeof random);
            op_tunnel_push_make((void *)fields, random);
        }
        if (type == OP_CT || type == OP_CT_NAT)
            op_ct_make_valid(fields);
        if (type == OP_PUSH_PBB)
            ((struct op_pbb *)fields)->eth_type = RTE_BE16(0x88e7);
        if (type == OP_PUSH_MPLS || type == OP_POP_MPLS || type == OP_TRUNCATE || type == OP_SET_TYPE ||
            type == OP_SET_PROTO)
            keeps_meaning = false;
        /* Whatever type of payload they are given is taken for it. */
        if (type == OP_PUSH_ETH || type == OP_POP_ETH || type == OP_PUSH_NSH || type == OP_POP_NSH ||
            type == OP_SET_NSH || type == OP_TUNNEL_PUSH)
            keeps_meaning = false;
        if (type == OP_POP_VLAN && (key->eth_type == RTE_BE16(0x8100) || key->eth_type == RTE_BE16(0x88a8)))
            keeps_meaning = false;
        if (type == OP_POP_PBB && key->eth_type == RTE_BE16(0x88e7))
            keeps_meaning = false;
        /* What is cloned is whole operations, and there: here, nothing. The unit tests have clones with contents. */
        if (type == OP_CLONE)
            arg = 0;
        const size_t len = program_ops[type].data_len;
        program_builder_add(&builder, type, arg, len > 0 ? fields : NULL, len);
        const size_t used = RTE_MIN(size, builder.len - before - sizeof(struct program_op));
        data += used;
        size -= used;
    }
    return keeps_meaning;
}

static void run(const uint8_t *data, size_t len, uint32_t cut, bool keeps_meaning)
{
    struct rte_mbuf *m = segments_new(data, len, 0);
    struct program *program = program_intern(table, &builder);
    struct packet_layers layers;
    char text[64];

    CHECK(program);
    program_format(program, NULL, NULL, text, sizeof text);
    packet_fill_checksums(m);
    /* An IP packet that was cut short may look whole once a frame that lost a tag is padded. */
    packet_layers_find(m, &layers);
    if (layers.l4 == 0 && len < 60 &&
        (layers.eth_type == RTE_ETHER_TYPE_IPV4 || layers.eth_type == RTE_ETHER_TYPE_IPV6))
        keeps_meaning = false;
    if (cut != 0) {
        struct rte_mbuf *pieces = segments_new(rte_pktmbuf_mtod(m, uint8_t *), len, cut);
        rte_pktmbuf_free(m);
        m = pieces;
    }
    keeps_meaning &= packet_checksums_right(m);
    events_init(&events, pool);
    events.verdict = cut % 4 == 3 ? METER_DROP : cut % 4;
    program_execute(program, &m, 1, &events.sink);
    CHECK(events.n > 0);
    for (unsigned i = 0; i < events.n; i++) {
        const struct event *event = &events.list[i];
        rte_mbuf_sanity_check(event->m, 1);
        if (keeps_meaning && !(event->type == EVENT_DROP && event->arg == DROP_ACTION_MALFORMED))
            CHECK(packet_checksums_right(event->m));
    }
    events_clear(&events);
    CHECK(rte_mempool_avail_count(pool) == POOL_SIZE);
    if (program_unref(table, program))
        free(program);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    const uint32_t cut = data[0];
    const size_t program_len = RTE_MIN((size_t)data[1], size - 2);
    const uint8_t *packet = data + 2 + program_len;
    const size_t len = RTE_MIN(size - 2 - program_len, (size_t)16384);

    const struct flow_key key = parse(packet, len, cut);
    if (len >= 14)
        run(packet, len, cut, program_build(data + 2, program_len, &key));
    return 0;
}
