/* FTP and TFTP: what control connections announce, with and without translation; whatever else they may say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>

#include "pmd/ct/expect.h"
#include "pmd/ct/ftp.h"
#include "tests/lib/ct_bed.h"
#include "tests/lib/eal.h"

#define NEW (CT_STATE_TRK | CT_STATE_NEW)
#define EST (CT_STATE_TRK | CT_STATE_EST)
#define NEW_REL (NEW | CT_STATE_REL)
#define EST_REL (EST | CT_STATE_REL)
#define RPL CT_STATE_RPL
#define SNAT CT_STATE_SNAT
#define DNAT CT_STATE_DNAT
#define CLIENT 1
#define SERVER 2
#define PUBLIC 200 /* what one of them is translated to */
#define CONTROL 3000

static struct rte_mempool *pool;
static struct ct_bed bed;

/* --- a connection -------------------------------------------------------- */

static struct {
    struct ct_nat_request request;
    bool ipv6;
    uint32_t client, server; /* as the client sees them */
    uint32_t client_at_server, real_server;
    uint32_t seq[2]; /* of what each has sent, as it counts itself */
} ftp;

static void set_nat(uint8_t flags, uint32_t address)
{
    const uint32_t v4 = rte_cpu_to_be_32(0x0a000000 | address);

    ftp.request.request.nat = flags;
    if (ftp.ipv6) {
        ftp.request.request.nat |= CT_NAT_IPV6;
        memcpy(ftp.request.nat.min_address, "\x20\x01\x0d\xb8", 4);
        put32(ftp.request.nat.min_address + 12, address);
        memcpy(ftp.request.nat.max_address, ftp.request.nat.min_address, sizeof ftp.request.nat.max_address);
        return;
    }
    memcpy(ftp.request.nat.min_address, &v4, sizeof v4);
    memcpy(ftp.request.nat.max_address, &v4, sizeof v4);
}

static uint8_t transmit(struct ct_spec spec)
{
    spec.ipv6 = ftp.ipv6;
    spec.window = 60000;
    if (spec.text)
        spec.len = (uint32_t)strlen(spec.text);
    return ct_bed_request(&bed, &ftp.request.request, &spec);
}

static uint8_t from_client(uint8_t flags, const char *text)
{
    const uint8_t state = transmit((struct ct_spec){.src = ftp.client,
                                                    .dst = ftp.server,
                                                    .sport = CONTROL,
                                                    .dport = 21,
                                                    .flags = flags,
                                                    .seq = ftp.seq[0],
                                                    .ack = ftp.seq[1],
                                                    .text = text});

    ftp.seq[0] += (text ? (uint32_t)strlen(text) : 0) + (flags & SYN ? 1 : 0);
    return state;
}

static uint8_t from_server(uint8_t flags, const char *text)
{
    const uint8_t state = transmit((struct ct_spec){.src = ftp.real_server,
                                                    .dst = ftp.client_at_server,
                                                    .sport = 21,
                                                    .dport = CONTROL,
                                                    .flags = flags,
                                                    .seq = ftp.seq[1],
                                                    .ack = ftp.seq[0],
                                                    .text = text});

    ftp.seq[1] += (text ? (uint32_t)strlen(text) : 0) + (flags & SYN ? 1 : 0);
    return state;
}

/* A control connection that is established. */
static void begin(bool ipv6, uint8_t nat)
{
    memset(&ftp, 0, sizeof ftp);
    ftp.ipv6 = ipv6;
    ftp.seq[0] = 100;
    ftp.seq[1] = 500;
    ftp.client = ftp.client_at_server = CLIENT;
    ftp.server = ftp.real_server = SERVER;
    ftp.request.request = (struct ct_request){
        .zone = 4, .commit = true, .helper = CT_HELPER_FTP, .mark = 7, .mark_mask = UINT32_MAX, .set_label = true};
    ftp.request.request.label[15] = ftp.request.request.label_mask[15] = 9;
    if (nat)
        set_nat(CT_NAT | nat, PUBLIC);
    if (nat == CT_NAT_SRC)
        ftp.client_at_server = PUBLIC;
    if (nat == CT_NAT_DST) {
        ftp.real_server = PUBLIC;
    }
    assert_int_equal(from_client(SYN, NULL) & ~(SNAT | DNAT), NEW);
    /* What comes now says neither mark nor helper of its own. */
    ftp.request.request = (struct ct_request){.zone = 4, .nat = nat ? CT_NAT : 0};
    assert_int_equal(from_server(SYN | ACK, NULL) & ~(SNAT | DNAT), EST | RPL);
    assert_int_equal(from_client(ACK, NULL) & ~(SNAT | DNAT), EST);
}

static uint8_t data_syn(uint32_t src, uint16_t sport, uint32_t dst, uint16_t dport)
{
    return transmit((struct ct_spec){.src = src, .dst = dst, .sport = sport, .dport = dport, .flags = SYN, .seq = 1});
}

static void commit(bool on)
{
    ftp.request.request.commit = on;
}

/* --- the packet that went out -------------------------------------------- */

static const uint8_t *tcp_out(void)
{
    return rte_pktmbuf_mtod_offset(bed.m, const uint8_t *, ftp.ipv6 ? 54 : 34);
}

static uint32_t out32(unsigned at)
{
    uint32_t word;

    memcpy(&word, tcp_out() + at, sizeof word);
    return rte_be_to_cpu_32(word);
}

static void text_is(const char *text)
{
    const size_t header = ftp.ipv6 ? 54 : 34;
    const struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod_offset(bed.m, const struct rte_ipv4_hdr *, 14);

    assert_int_equal(bed.m->data_len, header + 20 + strlen(text));
    assert_int_equal(bed.m->pkt_len, bed.m->data_len);
    assert_memory_equal(tcp_out() + 20, text, strlen(text));
    if (ftp.ipv6) {
        const struct rte_ipv6_hdr *ip6 = (const struct rte_ipv6_hdr *)ip;

        assert_int_equal(rte_be_to_cpu_16(ip6->payload_len), 20 + strlen(text));
        assert_int_equal(rte_ipv6_udptcp_cksum_verify(ip6, tcp_out()), 0);
        return;
    }
    assert_int_equal(rte_be_to_cpu_16(ip->total_length), 40 + strlen(text));
    assert_int_equal(rte_raw_cksum(ip, 20), 0xffff);
    assert_int_equal(rte_ipv4_udptcp_cksum_verify(ip, tcp_out()), 0);
}

/* Of the two connections that there are, the one of data names the control connection. */
static void expect_parent(void)
{
    unsigned children = 0;
    uint32_t cursor = 0;
    struct ct_info info;

    while (ct_next(bed.ct, bed.now, &cursor, UINT32_MAX, &info)) {
        assert_int_equal(info.has_parent, !info.helper);
        if (!info.has_parent)
            continue;
        assert_int_equal(info.parent.sport, rte_cpu_to_be_16(CONTROL));
        assert_int_equal(info.parent.dport, rte_cpu_to_be_16(21));
        assert_int_equal(info.parent.src[ftp.ipv6 ? 15 : 3], CLIENT);
        assert_int_equal(info.parent.dst[ftp.ipv6 ? 15 : 3], SERVER);
        children++;
    }
    assert_int_equal(children, 1);
}

/* --- FTP ----------------------------------------------------------------- */

static void active(void **state)
{
    begin(false, 0);
    assert_int_equal(data_syn(SERVER, 20, CLIENT, 2000), NEW);
    assert_int_equal(from_client(ACK | PSH, "PORT 10,0,0,1,7,208\r\n"), EST);
    text_is("PORT 10,0,0,1,7,208\r\n");
    assert_int_equal(data_syn(SERVER, 20, CLIENT, 2001), NEW);
    assert_int_equal(data_syn(3, 20, CLIENT, 2000), NEW);
    assert_int_equal(data_syn(SERVER, 20, CLIENT, 2000), NEW_REL);
    assert_int_equal(bed.meta.mark, 7); /* the control connection's, and its tuple */
    assert_int_equal(bed.meta.label[15], 9);
    assert_int_equal(bed.meta.tp_dst, rte_cpu_to_be_16(21));
    assert_int_equal(bed.meta.src, rte_cpu_to_be_32(0x0a000001));

    commit(true);
    assert_int_equal(data_syn(SERVER, 20, CLIENT, 2000), NEW_REL);
    commit(false);
    expect_parent();
    assert_int_equal(
        transmit((struct ct_spec){
            .src = CLIENT, .dst = SERVER, .sport = 2000, .dport = 20, .flags = SYN | ACK, .seq = 9, .ack = 2}),
        EST_REL | RPL);
    assert_int_equal(bed.meta.mark, 7);
    assert_int_equal(bed.meta.label[15], 9);
    assert_int_equal(bed.meta.tp_dst, rte_cpu_to_be_16(21));
    assert_int_equal(data_syn(SERVER, 21000, CLIENT, 2000), NEW); /* it came, and is expected no more */
}

static void not_believed(void **state)
{
    static const char *const lines[] = {
        "PORT 10,0,0,3,7,208\r\n", "PORT 10,0,0,1,0,0\r\n", "227 Entering (10,0,0,1,7,208)\r\n",
        "PORT 10,0,0,1,7,208",     "EPRT |2|::1|2000|\r\n",
    };

    begin(false, 0);
    for (size_t i = 0; i < RTE_DIM(lines); i++) {
        from_client(ACK, lines[i]);
        assert_int_equal(data_syn(SERVER, 20, CLIENT, 2000), NEW);
    }
    from_server(ACK, "PORT 10,0,0,2,7,208\r\n");
    assert_int_equal(data_syn(CLIENT, 20, SERVER, 2000), NEW);
}

static void passive(void **state)
{
    begin(false, 0);
    from_server(ACK, "227 Entering Passive Mode (10,0,0,2,7,208).\r\n");
    assert_int_equal(data_syn(CLIENT, 4000, SERVER, 2000), NEW_REL);
    from_server(ACK, "229 Entering Extended Passive Mode (|||2002|)\r\n");
    assert_int_equal(data_syn(CLIENT, 4000, SERVER, 2002), NEW_REL);
    assert_int_equal(data_syn(CLIENT, 4000, SERVER, 2001), NEW);
}

static void over_ipv6(void **state)
{
    begin(true, 0);
    from_server(ACK, "229 ok (|||2002|)\r\n");
    assert_int_equal(data_syn(CLIENT, 4000, SERVER, 2002), NEW_REL);
    from_client(ACK, "EPRT |2|2001:db8::1|2003|\r\n");
    assert_int_equal(data_syn(SERVER, 20, CLIENT, 2003), NEW_REL);
    assert_int_equal(bed.meta.src6[15], CLIENT);
    commit(true);
    data_syn(SERVER, 20, CLIENT, 2003);
    expect_parent();
    ct_flush_all(bed.ct);
    ct_bed_work(&bed);
    assert_int_equal(ct_count(bed.ct), 0);
}

/* The last byte of an address of the packet that went out. */
static uint8_t ipv6_out(bool destination)
{
    return rte_pktmbuf_mtod(bed.m, const uint8_t *)[destination ? 53 : 37];
}

static void over_ipv6_through_snat(void **state)
{
    begin(true, CT_NAT_SRC);
    assert_int_equal(from_client(ACK, "EPRT |2|2001:db8::1|2003|\r\n"), EST | SNAT);
    text_is("EPRT |2|2001:db8::c8|2003|\r\n");
    commit(true);
    assert_int_equal(data_syn(SERVER, 20, PUBLIC, 2003), NEW_REL | DNAT);
    assert_int_equal(ipv6_out(true), CLIENT);
    /* One address says where the server's port is to both ends. */
    from_server(ACK, "229 ok (|||2002|)\r\n");
    text_is("229 ok (|||2002|)\r\n");
    assert_int_equal(data_syn(CLIENT, 4000, SERVER, 2002), NEW_REL | SNAT);
    assert_int_equal(ipv6_out(false), PUBLIC);
}

static void over_ipv6_through_dnat(void **state)
{
    begin(true, CT_NAT_DST);
    assert_int_equal(from_server(ACK, "229 ok (|||2002|)\r\n"), EST | RPL | SNAT);
    text_is("229 ok (|||2002|)\r\n");
    commit(true);
    assert_int_equal(data_syn(CLIENT, 4000, SERVER, 2002), NEW_REL | DNAT);
    assert_int_equal(ipv6_out(true), PUBLIC);
}

/* What the client says is said for the translated address, which is longer; from then on numbers differ. */
static void active_through_snat(void **state)
{
    uint32_t at;

    begin(false, CT_NAT_SRC);
    at = ftp.seq[0];
    assert_int_equal(from_client(ACK, "PORT 10,0,0,1,7,208\r\n"), EST | SNAT);
    text_is("PORT 10,0,0,200,7,208\r\n");
    assert_int_equal(out32(4), at);

    ftp.seq[0] = at; /* sent again: it is the same */
    from_client(ACK, "PORT 10,0,0,1,7,208\r\n");
    text_is("PORT 10,0,0,200,7,208\r\n");
    assert_int_equal(out32(4), at);

    at = ftp.seq[0];
    from_client(ACK, "LIST\r\n");
    text_is("LIST\r\n");
    assert_int_equal(out32(4), at + 2);

    /* The server has got 2 more than the client has sent. */
    ftp.seq[0] += 2;
    assert_int_equal(from_server(ACK, "150 here\r\n"), EST | RPL | DNAT);
    ftp.seq[0] -= 2;
    text_is("150 here\r\n");
    assert_int_equal(out32(8), ftp.seq[0]);

    at = ftp.seq[0];
    from_client(ACK, "x\r\nEPRT |1|10.0.0.1|2001|\r\n");
    text_is("x\r\nEPRT |1|10.0.0.200|2001|\r\n");
    assert_int_equal(out32(4), at + 2);
    at = ftp.seq[0];
    from_client(ACK, "LIST\r\n");
    assert_int_equal(out32(4), at + 4);
    text_is("LIST\r\n");

    commit(true);
    assert_int_equal(data_syn(SERVER, 20, PUBLIC, 2000), NEW_REL | DNAT);
    commit(false);
    assert_int_equal(out32(0), 20u << 16 | 2000);
    assert_int_equal(*(rte_pktmbuf_mtod(bed.m, const uint8_t *) + 33), CLIENT);
    assert_int_equal(
        transmit((struct ct_spec){
            .src = CLIENT, .dst = SERVER, .sport = 2000, .dport = 20, .flags = SYN | ACK, .seq = 9, .ack = 2}),
        EST_REL | RPL | SNAT);
}

static void passive_through_dnat(void **state)
{
    begin(false, CT_NAT_DST);
    from_server(ACK, "227 Entering Passive Mode (10,0,0,200,7,208).\r\n");
    text_is("227 Entering Passive Mode (10,0,0,2,7,208).\r\n");
    commit(true);
    assert_int_equal(data_syn(CLIENT, 4000, SERVER, 2000), NEW_REL | DNAT);
    commit(false);
    assert_int_equal(*(rte_pktmbuf_mtod(bed.m, const uint8_t *) + 33), PUBLIC);
    /* It is tracked again as it is now: the same connection, not translated twice. */
    struct ct_meta *meta = &bed.meta;

    bed.reason = meta->state;
    ct_run(bed.ct, 0, bed.now, &ftp.request.request, &bed.m, 1, &meta, &bed.reason);
    assert_int_equal(meta->state, NEW_REL | DNAT);
    assert_int_equal(ct_count(bed.ct), 2);
}

/* Two clients behind one address announce the same port: the second one's is said as another. */
static void same_port_twice(void **state)
{
    const struct ct_spec other = {
        .src = 9, .dst = SERVER, .sport = CONTROL, .dport = 21, .flags = SYN, .seq = 100, .window = 1000};
    struct ct_spec said = other;

    begin(false, CT_NAT_SRC);
    from_client(ACK, "PORT 10,0,0,1,7,208\r\n");
    ftp.request.request = (struct ct_request){.zone = 4, .commit = true, .helper = CT_HELPER_FTP};
    set_nat(CT_NAT | CT_NAT_SRC, PUBLIC);
    ct_bed_request(&bed, &ftp.request.request, &other);
    said.flags = ACK;
    said.seq = 101;
    said.text = "PORT 10,0,0,9,7,208\r\n";
    assert_int_equal(transmit(said), EST | SNAT);
    text_is("PORT 10,0,0,200,7,209\r\n");
    assert_int_equal(data_syn(SERVER, 20, PUBLIC, 2001), NEW_REL | DNAT);
    assert_int_equal(*(rte_pktmbuf_mtod(bed.m, const uint8_t *) + 33), 9);
    assert_int_equal(out32(0), 20u << 16 | 2000);
}

static void tftp(void **state)
{
    const struct ct_spec get = {
        .proto = IPPROTO_UDP, .src = CLIENT, .dst = SERVER, .sport = 5000, .dport = 69, .text = "\0\1file", .len = 6};
    struct ct_spec answer = {
        .proto = IPPROTO_UDP, .src = SERVER, .dst = PUBLIC, .sport = 6000, .dport = 5000, .text = "\0\3", .len = 2};

    memset(&ftp, 0, sizeof ftp);
    ftp.request.request = (struct ct_request){.commit = true, .helper = CT_HELPER_TFTP};
    set_nat(CT_NAT | CT_NAT_SRC, PUBLIC);
    assert_int_equal(ct_bed_request(&bed, &ftp.request.request, &get), NEW | SNAT);
    ftp.request.request = (struct ct_request){.commit = true, .nat = CT_NAT};
    assert_int_equal(ct_bed_request(&bed, &ftp.request.request, &answer), NEW_REL | DNAT);
    assert_int_equal(*(rte_pktmbuf_mtod(bed.m, const uint8_t *) + 33), CLIENT);
    answer.sport = 6001;
    assert_int_equal(ct_bed_request(&bed, &ftp.request.request, &answer), NEW);
}

/* --- ends ---------------------------------------------------------------- */

static void ends_in_time(void **state)
{
    begin(false, 0);
    from_client(ACK, "PORT 10,0,0,1,7,208\r\n");
    bed.now += EXPECT_SECONDS;
    assert_int_equal(data_syn(SERVER, 20, CLIENT, 2000), NEW_REL);
    bed.now++;
    assert_int_equal(data_syn(SERVER, 20, CLIENT, 2000), NEW);
}

static void ends_with_its_control_connection(void **state)
{
    begin(false, 0);
    from_client(ACK, "PORT 10,0,0,1,7,208\r\n");
    ct_flush_zone(bed.ct, 4);
    assert_int_equal(data_syn(SERVER, 20, CLIENT, 2000), NEW);

    begin(false, 0);
    from_client(ACK, "PORT 10,0,0,1,7,208\r\n");
    assert_int_equal(data_syn(SERVER, 20, CLIENT, 2000), NEW_REL);
    from_client(RST, NULL);
    bed.now += 31;
    ct_bed_work(&bed);
    assert_int_equal(data_syn(SERVER, 20, CLIENT, 2000), NEW);
}

/* More than there is room for: the last ones are there. */
static void bounded(void **state)
{
    char line[64];

    begin(false, 0);
    for (unsigned port = 1; port < 60000; port++) {
        snprintf(line, sizeof line, "PORT 10,0,0,1,%u,%u\r\n", port >> 8, port & 0xff);
        from_client(ACK, line);
        from_server(ACK, "200 ok\r\n");
    }
    assert_int_equal(data_syn(SERVER, 20, CLIENT, 59999), NEW_REL);
}

/* --- what else may be said ----------------------------------------------- */

/* Data that begins as it should and is changed at random, in a buffer that ends where it ends. */
static void hostile(void **state)
{
    static const char *const seeds[] = {"PORT 10,0,0,1,7,208\r\n", "EPRT |1|10.0.0.1|2000|\r\n",
                                        "EPRT |2|2001:db8::1|2000|\r\n", "227 Entering (10,0,0,1,7,208).\r\n",
                                        "229 Entering (|||2000|)\r\n"};
    struct ftp_address found;
    char text[FTP_TEXT_MAX];
    unsigned n_found = 0;

    srandom(1);
    for (unsigned i = 0; i < 300000; i++) {
        const char *seed = seeds[i % RTE_DIM(seeds)];
        const size_t len = strlen(seed) - (random() % 4 == 0 ? (size_t)random() % strlen(seed) : 0);
        uint8_t *data = malloc(len);

        memcpy(data, seed, len);
        for (long changes = random() % 4; changes > 0; changes--)
            data[(size_t)random() % len] =
                random() % 2 ? (uint8_t)random() : (uint8_t) "0123456789|,(:\r\n"[random() % 16];
        if (ftp_find(data, len, i % RTE_DIM(seeds) > 2, &found)) {
            n_found++;
            assert_true(found.at + found.len < len && found.len > 0 && found.port != 0);
            assert_true(ftp_format(&found, found.address, found.port, text) < sizeof text);
        }
        free(data);
    }
    assert_true(n_found > 10000);
}

/* --- running them -------------------------------------------------------- */

static int setup(void **state)
{
    bed = ct_bed_new(pool, 1000, 1);
    return bed.ct && bed.m ? 0 : -1;
}

static int teardown(void **state)
{
    ct_bed_free(&bed);
    return 0;
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(active),
        CASE(not_believed),
        CASE(passive),
        CASE(over_ipv6),
        CASE(over_ipv6_through_snat),
        CASE(over_ipv6_through_dnat),
        CASE(active_through_snat),
        CASE(passive_through_dnat),
        CASE(same_port_twice),
        CASE(tftp),
        CASE(ends_in_time),
        CASE(ends_with_its_control_connection),
        CASE(bounded),
        CASE(hostile),
    };

    if (test_eal_init("helper_test") != 0 || !(pool = test_pool(255)))
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
