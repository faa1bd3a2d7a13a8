/* Outer headers: written, pushed and popped, against packets that golden.py made. */
#include "tests/unit/pmd/tunnel/golden_packets.h"
#include "tests/unit/pmd/tunnel/tunnel_bed.h"

/* --- packets ------------------------------------------------------------- */

static void assert_packet(const char *name, const struct rte_mbuf *m, const uint8_t *data, uint32_t len)
{
    uint8_t buffer[2048];
    const uint8_t *got = rte_pktmbuf_read(m, 0, m->pkt_len, buffer);

    if (m->pkt_len == len && memcmp(got, data, len) == 0)
        return;
    print_error("%s:", name);
    for (uint32_t i = 0; i < RTE_MAX(m->pkt_len, len); i++) {
        if (i >= m->pkt_len || i >= len || got[i] != data[i])
            print_error(" [%u] %02x for %02x", i, i < m->pkt_len ? got[i] : 0, i < len ? data[i] : 0);
    }
    fail_msg("%u bytes for %u", m->pkt_len, len);
}

/* Runs a program of one operation and an output, and returns what came of it. */
static struct rte_mbuf *run(struct rte_mbuf *m, enum program_op_type type, const void *data, size_t len,
                            enum event_type wanted, uint32_t arg)
{
    static struct events events;

    run_program(m, type, data, len, &events);
    assert_int_equal(events.n, 1);
    assert_int_equal(events.list[0].type, wanted);
    assert_int_equal(events.list[0].arg, arg);
    return events.list[0].m;
}

/* Time stamps of ERSPAN III are not golden. */
static void clear_time(const struct golden *g, struct rte_mbuf *m)
{
    if (g->out.erspan_ver == 2)
        memset(rte_pktmbuf_mtod_offset(m, void *, 14 + 40 + 8 + 4), 0, 4);
}

static enum drop_reason pop(const struct golden *g, struct rte_mbuf *m)
{
    const struct op_tunnel_pop op = pop_of(&g->out, g->gpe);

    return tunnel_pop(tunnels, &cache, &op, m);
}

/* --- whole packets ------------------------------------------------------- */

static void pushes_as_the_documents_say(void **state)
{
    uint32_t index = TUNNEL;

    FOR_EACH_GOLDEN(g)
    {
        const struct op_tunnel_push push = push_of(&g->out, index++);
        struct rte_mbuf *m =
            run(packet_of(g->inner, g->inner_len), OP_TUNNEL_PUSH, &push, sizeof push, EVENT_OUTPUT, 1);

        clear_time(g, m);
        assert_packet(g->name, m, g->outer, g->outer_len);
        rte_pktmbuf_free(m);
    }
}

static void assert_meta(const struct golden *g, const struct rte_mbuf *m)
{
    const struct packet_meta *meta = packet_meta((struct rte_mbuf *)(uintptr_t)m);
    struct flow_key key;
    const uint8_t *src = key.tun_ipv6_src, *dst = key.tun_ipv6_dst;
    const bool udp = g->out.udp_dst != 0;

    assert_int_equal(meta->md.in_port, TUNNEL + g->out.type);
    assert_int_equal(meta->md.tun_lines, g->lines);
    memset(&key, 0, sizeof key);
    assert_int_equal(packet_meta_to_key(meta, &key, 1), FLOW_KEY_PACKET_LINES + g->lines);
    assert_true(key.tun_id == g->out.key);
    if (g->out.dst[0] == 0) {
        assert_memory_equal(&key.tun_ipv4_src, g->out.src + 12, 4);
        assert_memory_equal(&key.tun_ipv4_dst, g->out.dst + 12, 4);
    } else {
        assert_memory_equal(src, g->out.src, 16);
        assert_memory_equal(dst, g->out.dst, 16);
    }
    assert_int_equal(key.tun_tp_src, udp ? rte_cpu_to_be_16(SRC_PORT) : 0);
    assert_int_equal(key.tun_tp_dst, g->out.udp_dst);
    static const uint8_t no_addresses[2 * RTE_ETHER_ADDR_LEN];
    const bool no_ethernet = !memcmp(g->popped, no_addresses, sizeof no_addresses);
    assert_int_equal(key.tun_flags, (g->out.oam ? TUN_FLAG_OAM : 0) | (no_ethernet ? TUN_FLAG_NO_ETHERNET : 0));
    assert_int_equal(key.tun_tos, g->out.tos);
    assert_int_equal(key.tun_ttl, g->out.ttl);
    assert_int_equal(key.tun_gbp_id, g->out.gbp_id);
    assert_int_equal(key.tun_gbp_flags, g->out.gbp_flags);
    assert_int_equal(key.tun_gtpu_flags, g->out.gtpu_flags);
    assert_int_equal(key.tun_gtpu_msgtype, g->out.gtpu_msgtype);
    assert_int_equal(rte_be_to_cpu_32(key.tun_erspan),
                     g->out.erspan | (uint32_t)g->out.erspan_ver << TUN_ERSPAN_VER_SHIFT);
    if (g->values_len > 0)
        assert_memory_equal(key.tun_metadata, g->values, g->values_len);
    for (uint32_t i = g->values_len; i < TUN_METADATA_LEN; i++)
        assert_int_equal(key.tun_metadata[i], 0);
}

static void pops_what_it_pushed(void **state)
{
    FOR_EACH_GOLDEN(g)
    {
        struct rte_mbuf *m = packet_of(g->outer, g->outer_len);

        memset(&packet_meta(m)->tun, 0xa5, sizeof packet_meta(m)->tun);
        add_tunnel(&g->out, TUNNEL + g->out.type);
        assert_int_equal(pop(g, m), DROP_N_REASONS);
        assert_packet(g->name, m, g->popped, g->popped_len);
        assert_meta(g, m);
        rte_pktmbuf_free(m);
    }
}

static void one_listener_has_gre_and_erspan(void **state)
{
    const struct op_tunnel_pop op = {.type = TUNNEL_GRE};

    FOR_EACH_GOLDEN(g)
    {
        struct rte_mbuf *m;

        if (g->out.type != TUNNEL_GRE && g->out.type != TUNNEL_ERSPAN)
            continue;
        m = packet_of(g->outer, g->outer_len);
        add_tunnel(&g->out, TUNNEL + g->out.type);
        assert_int_equal(tunnel_pop(tunnels, &cache, &op, m), DROP_N_REASONS);
        assert_packet(g->name, m, g->popped, g->popped_len);
        assert_meta(g, m);
        rte_pktmbuf_free(m);
    }
}

static void padding_and_segments_make_no_difference(void **state)
{
    FOR_EACH_GOLDEN(g)
    {
        uint8_t padded[2048] = {0};
        struct rte_mbuf *m, *rest;

        memcpy(padded, g->outer, g->outer_len);
        m = packet_of(padded, g->outer_len / 2 + 20);
        rest = packet_of(padded + g->outer_len / 2 + 20, g->outer_len + 7 - g->outer_len / 2 - 20);
        assert_int_equal(rte_pktmbuf_chain(m, rest), 0);
        const struct op_tunnel_pop op = pop_of(&g->out, g->gpe);
        m = run(m, OP_TUNNEL_POP, &op, sizeof op, EVENT_TUNNEL_POP, g->out.type);
        add_tunnel(&g->out, TUNNEL + g->out.type);
        assert_int_equal(pop(g, m), DROP_N_REASONS);
        assert_packet(g->name, m, g->popped, g->popped_len);
        rte_pktmbuf_free(m);
    }
}

static void a_packet_that_is_cut_short_never_comes_out(void **state)
{
    FOR_EACH_GOLDEN(g)
    {
        add_tunnel(&g->out, TUNNEL + g->out.type);
        for (uint32_t len = 0; len < g->outer_len; len++) {
            struct rte_mbuf *m = packet_of(g->outer, len);

            assert_int_equal(pop(g, m), DROP_TUNNEL_TRUNCATED);
            assert_int_equal(m->pkt_len, len);
            rte_pktmbuf_free(m);
        }
    }
}

static void every_byte_of_a_checksum_counts(void **state)
{
    FOR_EACH_GOLDEN(g)
    {
        const uint32_t l4 = g->out.dst[0] == 0 ? 34 : 54;

        if (!g->out.csum)
            continue;
        add_tunnel(&g->out, TUNNEL + g->out.type);
        for (uint32_t at = l4 + (g->out.type == TUNNEL_GRE ? 4 : 6); at < g->outer_len; at++) {
            struct rte_mbuf *m = packet_of(g->outer, g->outer_len);

            *rte_pktmbuf_mtod_offset(m, uint8_t *, at) ^= 0x10;
            assert_int_equal(pop(g, m), DROP_TUNNEL_CHECKSUM);
            rte_pktmbuf_free(m);
        }
    }
}

/* --- one thing at a time ------------------------------------------------- */

static const struct golden *golden(const char *name)
{
    FOR_EACH_GOLDEN(g)
    {
        if (strcmp(g->name, name) == 0)
            return g;
    }
    fail_msg("no golden packet %s", name);
    return NULL;
}

/* Makes the checksum of an outer IPv4 header right again. */
static void fix_ipv4(uint8_t *packet)
{
    uint8_t *ip = packet + 14;
    uint16_t sum;

    ip[10] = ip[11] = 0;
    sum = (uint16_t)~packet_sum(0, ip, 20);
    ip[10] = (uint8_t)(sum >> 8);
    ip[11] = (uint8_t)sum;
}

static void malformed_headers_have_a_reason_each(void **state)
{
    static const struct {
        const char *golden;
        uint32_t at;
        uint8_t value;
        enum drop_reason reason;
    } faults[] = {
        {"VXLAN", 14, 0x55, DROP_TUNNEL_LENGTH},   /* version of IP */
        {"VXLAN", 14, 0x44, DROP_TUNNEL_LENGTH},   /* length of its header */
        {"VXLAN", 17, 19, DROP_TUNNEL_LENGTH},     /* its length, without a header */
        {"VXLAN", 16, 1, DROP_TUNNEL_TRUNCATED},   /* with more than there is */
        {"VXLAN", 17, 60, DROP_TUNNEL_LENGTH},     /* with less than UDP says */
        {"VXLAN", 20, 0x20, DROP_TUNNEL_FRAGMENT}, /* more fragments follow */
        {"VXLAN", 21, 1, DROP_TUNNEL_FRAGMENT},    /* some came before */
        {"VXLAN", 23, 47, DROP_TUNNEL_UNKNOWN},    /* no UDP */
        {"VXLAN", 38, 1, DROP_TUNNEL_LENGTH},      /* length of UDP */
        {"VXLAN", 39, 7, DROP_TUNNEL_LENGTH},      /* shorter than its header */
        {"VXLAN", 41, 7, DROP_TUNNEL_CHECKSUM},    /* a checksum where there was none */
        {"VXLAN", 42, 0, DROP_TUNNEL_VERSION},     /* no VNI */
        {"VXLAN-GPE of a frame", 42, 0x1c, DROP_TUNNEL_VERSION},
        {"VXLAN-GPE of a frame", 45, 0, DROP_TUNNEL_PAYLOAD},
        {"VXLAN-GPE of a frame", 45, 6, DROP_TUNNEL_PAYLOAD},
        {"Geneve", 42, 0x40, DROP_TUNNEL_VERSION},
        {"Geneve", 42, 0x3f, DROP_TUNNEL_TRUNCATED}, /* more options than packet */
        {"Geneve", 44, 0x05, DROP_TUNNEL_PAYLOAD},   /* a length for a type */
        {"Geneve with OVN's option", 50, 3, DROP_TUNNEL_OPTION},
        {"Geneve with OVN's option", 52, 0x81, DROP_TUNNEL_OPTION},
        {"Geneve with OVN's option", 53, 2, DROP_TUNNEL_OPTION}, /* longer than all options */
        {"GRE", 34, 0x40, DROP_TUNNEL_VERSION},                  /* routing */
        {"GRE", 35, 1, DROP_TUNNEL_VERSION},
        {"GRE", 36, 0x00, DROP_TUNNEL_PAYLOAD},
        {"GRE", 23, 17, DROP_TUNNEL_UNKNOWN},
        {"ERSPAN I", 37, 0xbf, DROP_TUNNEL_PAYLOAD},
        {"ERSPAN II", 42, 0x20, DROP_TUNNEL_VERSION},
        {"GTP-U", 42, 0x50, DROP_TUNNEL_VERSION},
        {"GTP-U", 42, 0x20, DROP_TUNNEL_VERSION}, /* GTP' */
        {"GTP-U", 44, 1, DROP_TUNNEL_LENGTH},
        {"GTP-U", 50, 0x75, DROP_TUNNEL_PAYLOAD},
        {"VXLAN over IPv6", 14, 0x50, DROP_TUNNEL_LENGTH},
        {"VXLAN over IPv6", 20, 44, DROP_TUNNEL_FRAGMENT},
        {"VXLAN over IPv6", 20, 43, DROP_TUNNEL_UNKNOWN}, /* a routing header */
    };

    for (unsigned i = 0; i < RTE_DIM(faults); i++) {
        const struct golden *g = golden(faults[i].golden);
        struct rte_mbuf *m = packet_of(g->outer, g->outer_len);
        uint8_t *data = rte_pktmbuf_mtod(m, uint8_t *);
        enum drop_reason reason;

        add_tunnel(&g->out, TUNNEL + g->out.type);
        data[faults[i].at] = faults[i].value;
        if (g->out.dst[0] == 0 && faults[i].at != 14)
            fix_ipv4(data);
        reason = pop(g, m);
        if (reason != faults[i].reason)
            fail_msg("%s, byte %u = 0x%x: %s for %s", g->name, faults[i].at, faults[i].value, drop_reason_name(reason),
                     drop_reason_name(faults[i].reason));
        assert_int_equal(m->pkt_len, g->outer_len);
        rte_pktmbuf_free(m);
    }
}

static void options_of_another_length_are_passed_over(void **state)
{
    const struct golden *g = golden("Geneve with OVN's option");
    struct rte_mbuf *m = packet_of(g->outer, g->outer_len);
    static const struct tunnel_option longer[] = {{.class = 0x0102, .type = 0x80, .len = 8, .offset = 0}};

    assert_int_equal(tunnel_table_set_options(tunnels, longer, 1), 0);
    add_tunnel(&g->out, TUNNEL + g->out.type);
    assert_int_equal(pop(g, m), DROP_N_REASONS);
    assert_int_equal(packet_meta(m)->md.tun_lines, 1);
    rte_pktmbuf_free(m);

    m = packet_of(g->outer, g->outer_len);
    assert_int_equal(tunnel_table_set_options(tunnels, NULL, 0), 0);
    assert_int_equal(pop(g, m), DROP_TUNNEL_OPTION);
    rte_pktmbuf_free(m);
}

/* RFC 6040, figure 4; the inner header stays as it is if nothing is said of it. */
static void congestion_is_told_inwards(void **state)
{
    static const struct {
        uint8_t inner, outer, result;
    } rows[] = {{0, 0, 0}, {0, 1, 0}, {0, 2, 0}, {0, 3, 0xff}, {2, 0, 2}, {2, 1, 1}, {2, 2, 2}, {2, 3, 3},
                {1, 0, 1}, {1, 1, 1}, {1, 2, 1}, {1, 3, 3},    {3, 0, 3}, {3, 1, 3}, {3, 2, 3}, {3, 3, 3}};
    static const char *const names[] = {"VXLAN", "Geneve of IPv4", "VXLAN of a tagged frame, all of the VNI"};

    for (unsigned i = 0; i < RTE_DIM(rows) * RTE_DIM(names); i++) {
        const struct golden *g = golden(names[i % RTE_DIM(names)]);
        const bool ipv6 = i % RTE_DIM(names) == 2;
        const uint32_t inner_at = i % RTE_DIM(names) == 0 ? 64 : ipv6 ? 68 : 50;
        const uint8_t inner = rows[i / RTE_DIM(names)].inner, outer = rows[i / RTE_DIM(names)].outer,
                      result = rows[i / RTE_DIM(names)].result;
        struct rte_mbuf *m = packet_of(g->outer, g->outer_len);
        uint8_t *data = rte_pktmbuf_mtod(m, uint8_t *);

        add_tunnel(&g->out, TUNNEL + g->out.type);
        data[15] = (uint8_t)(g->out.tos | outer);
        fix_ipv4(data);
        data[inner_at + 1] = (uint8_t)(data[inner_at + 1] | (ipv6 ? inner << 4 : inner));
        packet_fill_checksums(m);
        if (!ipv6)
            fix_ipv4(data + inner_at - 14);
        if (result == 0xff) {
            assert_int_equal(pop(g, m), DROP_TUNNEL_ECN);
        } else {
            assert_int_equal(pop(g, m), DROP_N_REASONS);
            const uint8_t *ip = rte_pktmbuf_mtod_offset(m, uint8_t *, ipv6 ? 18 : 14);
            assert_int_equal(ipv6 ? ip[1] >> 4 & 3 : ip[1] & 3, result);
            assert_true(packet_checksums_right(m));
        }
        rte_pktmbuf_free(m);
    }
}

/* --- which tunnel -------------------------------------------------------- */

#define N_CLASSES 24

static void the_most_specific_tunnel_takes_a_packet(void **state)
{
    const struct golden *g = golden("VXLAN");

    /* What Open vSwitch looks for first: the key, the other end, this one, the payload. The last leaves all open. */
    for (uint32_t class = N_CLASSES; class -- > 0;) {
        struct tunnel_in in = {.type = TUNNEL_VXLAN,
                               .payload = class % 2 ? TUNNEL_ANY : TUNNEL_L2,
                               .any_local = class / 2 % 3 > 0,
                               .local_flow = class / 2 % 3 == 2,
                               .any_remote = class / 6 % 2,
                               .any_key = class / 12,
                               .has_key = true,
                               .key = g->out.key,
                               .udp_port = g->out.udp_dst};
        struct rte_mbuf *m = packet_of(g->outer, g->outer_len);

        memcpy(in.remote, g->out.src, 16);
        memcpy(in.local, g->out.dst, 16);
        assert_int_equal(tunnel_table_add(tunnels, &in, TUNNEL + class), 0);
        assert_int_equal(tunnel_table_add(tunnels, &in, TUNNEL + 100), -EEXIST);
        assert_int_equal(pop(g, m), DROP_N_REASONS);
        assert_int_equal(packet_meta(m)->md.in_port, TUNNEL + class);
        rte_pktmbuf_free(m);
    }
    for (uint32_t class = 0; class < N_CLASSES; class ++) {
        struct rte_mbuf *m = packet_of(g->outer, g->outer_len);

        tunnel_table_remove(tunnels, TUNNEL + class);
        tunnel_table_remove(tunnels, TUNNEL + class);
        assert_int_equal(pop(g, m), class < N_CLASSES - 1 ? DROP_N_REASONS : DROP_TUNNEL_UNKNOWN);
        if (class < N_CLASSES - 1)
            assert_int_equal(packet_meta(m)->md.in_port, TUNNEL + class + 1);
        rte_pktmbuf_free(m);
    }
}

static void a_tunnel_takes_only_its_own(void **state)
{
    const struct golden *g = golden("VXLAN");

    for (unsigned what = 0; what < 7; what++) {
        struct tunnel_in in = {.type = TUNNEL_VXLAN, .has_key = true, .key = g->out.key, .udp_port = g->out.udp_dst};
        struct rte_mbuf *m = packet_of(g->outer, g->outer_len);

        memcpy(in.remote, g->out.src, 16);
        memcpy(in.local, g->out.dst, 16);
        in.type = what == 0 ? TUNNEL_GENEVE : in.type;
        in.has_key = what != 1;
        in.key ^= what == 2;
        in.udp_port ^= what == 3;
        in.remote[15] ^= what == 4;
        in.local[0] ^= what == 5;
        in.payload = what == 6 ? TUNNEL_L3 : TUNNEL_L2;
        assert_int_equal(tunnel_table_add(tunnels, &in, TUNNEL), 0);
        assert_int_equal(pop(g, m), DROP_TUNNEL_UNKNOWN);
        tunnel_table_remove(tunnels, TUNNEL);
        rte_pktmbuf_free(m);
    }
}

/* As many as to have the tables grow, and again after most of them went. */
static void thousands_of_tunnels_are_told_apart(void **state)
{
    enum { N = 3000 };

    for (unsigned round = 0; round < 3; round++) {
        for (uint32_t i = 0; i < N; i++) {
            const struct tunnel_in in = {
                .type = TUNNEL_GENEVE, .any_local = true, .any_remote = true, .has_key = true, .key = i, .udp_port = 1};
            assert_int_equal(tunnel_table_add(tunnels, &in, TUNNEL + i), 0);
        }
        for (uint32_t i = 0; i < N + 10; i++) {
            const struct tunnel_claim claim = {.type = TUNNEL_GENEVE, .key = i, .udp_port = 1, .remote = {1}};

            assert_int_equal(tunnel_table_find(tunnels, &cache.memo, &claim), i < N ? TUNNEL + i : 0);
            assert_int_equal(tunnel_table_find(tunnels, &cache.memo, &claim), i < N ? TUNNEL + i : 0);
        }
        for (uint32_t i = 0; i < N; i++)
            tunnel_table_remove(tunnels, TUNNEL + i);
    }
}

/* --- pushes -------------------------------------------------------------- */

static void headers_that_do_not_fit_are_refused(void **state)
{
    struct op_tunnel_push push;
    struct tunnel_out out = golden("GTP-U")->out;

    out.eth_type = RTE_BE16(0x6558);
    assert_false(tunnel_header_write(&out, &push));
    out = golden("VXLAN")->out;
    out.eth_type = RTE_BE16(0x0800);
    assert_false(tunnel_header_write(&out, &push));
    out.gpe = true;
    out.eth_type = RTE_BE16(0x0806);
    assert_false(tunnel_header_write(&out, &push));
    out = golden("Geneve")->out;
    out.options = goldens[0].inner;
    out.options_len = 6;
    assert_false(tunnel_header_write(&out, &push));
    out = golden("ERSPAN I")->out;
    out.eth_type = RTE_BE16(0x0800);
    assert_false(tunnel_header_write(&out, &push));
}

/* The longest headers there are, and no room at all in front. */
static void room_is_made_where_there_is_none(void **state)
{
    const struct golden *g = golden("Geneve with options");
    static uint8_t many[252];
    struct tunnel_out out = g->out;
    struct op_tunnel_push push;

    for (unsigned at = 0; at < sizeof many; at += 4)
        memcpy(many + at, (const uint8_t[]){1, 2, 3, 0}, 4);
    out.options = many;
    out.options_len = sizeof many;
    assert_true(tunnel_header_write(&out, &push));
    assert_int_equal(push.len, TUNNEL_HEADER_MAX);
    for (unsigned segments = 1; segments < 3; segments++) {
        struct rte_mbuf *m = packet_of(g->inner, g->inner_len);

        if (segments == 2)
            m = packet_split(pool, m, 50);
        packet_meta(m)->md.in_port = 77;
        m = run(m, OP_TUNNEL_PUSH, &push, sizeof push, EVENT_OUTPUT, 1);
        assert_int_equal(m->pkt_len, push.len + g->inner_len);
        assert_int_equal(packet_meta(m)->md.in_port, 77);
        add_tunnel(&g->out, TUNNEL + g->out.type);
        assert_int_equal(pop(g, m), DROP_N_REASONS);
        assert_packet(g->name, m, g->inner, g->inner_len);
        rte_pktmbuf_free(m);
    }
}

static void what_is_too_long_is_dropped_or_punted(void **state)
{
    const struct golden *g = golden("VXLAN");
    struct op_tunnel_push push = push_of(&g->out, TUNNEL);

    push.mtu = (uint16_t)(g->outer_len - 14);
    rte_pktmbuf_free(run(packet_of(g->inner, g->inner_len), OP_TUNNEL_PUSH, &push, sizeof push, EVENT_OUTPUT, 1));
    push.mtu--;
    rte_pktmbuf_free(
        run(packet_of(g->inner, g->inner_len), OP_TUNNEL_PUSH, &push, sizeof push, EVENT_DROP, DROP_TUNNEL_MTU));
    push.too_big = 9;
    struct rte_mbuf *m = run(packet_of(g->inner, g->inner_len), OP_TUNNEL_PUSH, &push, sizeof push, EVENT_PUNT, 9);
    assert_packet(g->name, m, g->inner, g->inner_len);
    rte_pktmbuf_free(m);
}

/* Of a flow all packets have one port, of many flows all ports of the range are used, and no other. */
static void flows_are_spread_over_the_source_ports(void **state)
{
    const struct golden *g = golden("VXLAN");
    struct op_tunnel_push push = push_of(&g->out, TUNNEL);
    unsigned used[64] = {0};

    push.src_first = 40000;
    push.src_n = RTE_DIM(used);
    for (unsigned i = 0; i < 4096; i++) {
        uint16_t ports[2];

        for (unsigned k = 0; k < 2; k++) {
            struct rte_mbuf *m = packet_of(g->inner, g->inner_len);
            uint8_t *data = rte_pktmbuf_mtod(m, uint8_t *);

            data[34] = (uint8_t)(i >> 8); /* UDP's source port */
            data[35] = (uint8_t)i;
            data[22] = (uint8_t)(64 - k); /* TTL */
            m = run(m, OP_TUNNEL_PUSH, &push, sizeof push, EVENT_OUTPUT, 1);
            ports[k] = packet_be16(rte_pktmbuf_mtod_offset(m, uint8_t *, 34));
            rte_pktmbuf_free(m);
        }
        assert_int_equal(ports[0], ports[1]);
        assert_in_range(ports[0], 40000, 40000 + RTE_DIM(used) - 1);
        used[ports[0] - 40000]++;
    }
    for (unsigned i = 0; i < RTE_DIM(used); i++)
        assert_in_range(used[i], 16, 256);
}

static void sequence_numbers_count_up_for_each_tunnel(void **state)
{
    const struct golden *g = golden("GRE with everything");

    for (uint32_t i = 0; i < 6; i++) {
        struct op_tunnel_push push = push_of(&g->out, TUNNEL + 200 + i % 2);
        struct rte_mbuf *m =
            run(packet_of(g->inner, g->inner_len), OP_TUNNEL_PUSH, &push, sizeof push, EVENT_OUTPUT, 1);

        assert_int_equal(*rte_pktmbuf_mtod_offset(m, uint8_t *, 34 + 15), i / 2);
        add_tunnel(&g->out, TUNNEL + g->out.type);
        assert_int_equal(pop(g, m), DROP_N_REASONS);
        rte_pktmbuf_free(m);
    }
}

/* Who may cut the outer packet puts it together by its identification. */
static void packets_that_may_be_fragmented_are_numbered(void **state)
{
    const struct golden *g = golden("VXLAN");
    struct golden may = *g;
    uint16_t last = 0;

    may.out.df = false;
    for (uint32_t i = 0; i < 3; i++) {
        const struct op_tunnel_push push = push_of(&may.out, TUNNEL);
        struct rte_mbuf *m =
            run(packet_of(g->inner, g->inner_len), OP_TUNNEL_PUSH, &push, sizeof push, EVENT_OUTPUT, 1);
        const uint16_t id = *rte_pktmbuf_mtod_offset(m, uint16_t *, 18);

        assert_true(i == 0 || id != last);
        last = id;
        add_tunnel(&g->out, TUNNEL + g->out.type);
        assert_int_equal(pop(g, m), DROP_N_REASONS);
        rte_pktmbuf_free(m);
    }
}

/* --- text ---------------------------------------------------------------- */

static const char *text_of(const struct golden *g)
{
    static char text[1024];
    static struct program_builder builder;
    const struct op_tunnel_push push = push_of(&g->out, 1025);
    const struct op_tunnel_pop op = pop_of(&g->out, g->gpe);

    program_builder_init(&builder);
    program_builder_add(&builder, OP_TUNNEL_PUSH, 0, &push, sizeof push);
    program_builder_add(&builder, OP_TUNNEL_POP, 0, &op, sizeof op);
    struct program *program = program_intern(table, &builder);
    program_format(program, NULL, NULL, text, sizeof text);
    if (program_unref(table, program))
        free(program);
    return text;
}

static void programs_are_written_as_open_vswitch_writes_them(void **state)
{
    assert_string_equal(text_of(golden("VXLAN")),
                        "tnl_push(tnl_port(1025),header(size=50,type=4,eth(dst=02:00:00:00:00:02,src=02:00:00:00:00:01,"
                        "dl_type=0x0800),ipv4(src=10.1.0.1,dst=10.1.0.2,proto=17,tos=0,ttl=64,frag=0x4000),"
                        "udp(src=0,dst=4789,csum=0x0),vxlan(flags=0x8000000,vni=0x123456))),tnl_pop(4789)");
    assert_string_equal(
        text_of(golden("Geneve with options")),
        "tnl_push(tnl_port(1025),header(size=118,type=5,eth(dst=02:00:00:00:00:02,src=02:00:00:00:00:01,"
        "dl_type=0x86dd),ipv6(src=fd00::1,dst=fd00::2,label=0,proto=17,tclass=0x0,hlimit=64),"
        "udp(src=0,dst=6081,csum=0x0),geneve(oam,crit,vni=0x5,options({class=0x107,type=0x1,len=16,"
        "0x6e6f7420696e20746865207461626c65}{class=0x102,type=0x80,len=4,0x10203}"
        "{class=0xffff,type=0x7f,len=16,0x102030405060708090a0b0c0d0e0f})))),tnl_pop(6081)");
    assert_non_null(
        strstr(text_of(golden("GRE with everything")), "gre((flags=0xb000,proto=0x6558),csum=0x0,key=0x9,seq=0x0)"));
    assert_non_null(strstr(text_of(golden("ERSPAN II")), "erspan(ver=1,sid=0x3ff,idx=0xfffff)"));
    assert_non_null(strstr(text_of(golden("ERSPAN III over IPv6")), "erspan(ver=2,sid=0x5,dir=1,hwid=0x2a)"));
    assert_non_null(strstr(text_of(golden("GTP-U")), "gtpu(flags=0x30,msgtype=255,teid=0xdeadbeef)"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(pushes_as_the_documents_say, tunnel_bed_setup, tunnel_bed_teardown),
        cmocka_unit_test_setup_teardown(pops_what_it_pushed, tunnel_bed_setup, tunnel_bed_teardown),
        cmocka_unit_test_setup_teardown(one_listener_has_gre_and_erspan, tunnel_bed_setup, tunnel_bed_teardown),
        cmocka_unit_test_setup_teardown(padding_and_segments_make_no_difference, tunnel_bed_setup, tunnel_bed_teardown),
        cmocka_unit_test_setup_teardown(a_packet_that_is_cut_short_never_comes_out, tunnel_bed_setup,
                                        tunnel_bed_teardown),
        cmocka_unit_test_setup_teardown(every_byte_of_a_checksum_counts, tunnel_bed_setup, tunnel_bed_teardown),
        cmocka_unit_test_setup_teardown(malformed_headers_have_a_reason_each, tunnel_bed_setup, tunnel_bed_teardown),
        cmocka_unit_test_setup_teardown(options_of_another_length_are_passed_over, tunnel_bed_setup,
                                        tunnel_bed_teardown),
        cmocka_unit_test_setup_teardown(congestion_is_told_inwards, tunnel_bed_setup, tunnel_bed_teardown),
        cmocka_unit_test_setup_teardown(the_most_specific_tunnel_takes_a_packet, tunnel_bed_setup, tunnel_bed_teardown),
        cmocka_unit_test_setup_teardown(a_tunnel_takes_only_its_own, tunnel_bed_setup, tunnel_bed_teardown),
        cmocka_unit_test_setup_teardown(thousands_of_tunnels_are_told_apart, tunnel_bed_setup, tunnel_bed_teardown),
        cmocka_unit_test_setup_teardown(headers_that_do_not_fit_are_refused, tunnel_bed_setup, tunnel_bed_teardown),
        cmocka_unit_test_setup_teardown(room_is_made_where_there_is_none, tunnel_bed_setup, tunnel_bed_teardown),
        cmocka_unit_test_setup_teardown(what_is_too_long_is_dropped_or_punted, tunnel_bed_setup, tunnel_bed_teardown),
        cmocka_unit_test_setup_teardown(flows_are_spread_over_the_source_ports, tunnel_bed_setup, tunnel_bed_teardown),
        cmocka_unit_test_setup_teardown(sequence_numbers_count_up_for_each_tunnel, tunnel_bed_setup,
                                        tunnel_bed_teardown),
        cmocka_unit_test_setup_teardown(packets_that_may_be_fragmented_are_numbered, tunnel_bed_setup,
                                        tunnel_bed_teardown),
        cmocka_unit_test_setup_teardown(programs_are_written_as_open_vswitch_writes_them, tunnel_bed_setup,
                                        tunnel_bed_teardown),
    };

    if (!tunnel_bed_init("tunnel"))
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
