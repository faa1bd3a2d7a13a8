/* The hash of select groups: which packets have to share it, and that others spread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "pmd/select_hash.h"
#include "tests/lib/packets.h"

#define A4 "0a000001 "
#define B4 "0a000002 "
#define A6 "20010db8000000000000000000000001 "
#define B6 "20010db8000000000000000000000002 "
#define V4(len, frag, proto, addresses) "0800 4500 " len " 0000 " frag " 40 " proto " 0000 " addresses
#define V6(label, len, next, addresses) "86dd 600" label len " " next " 40 " addresses
#define TCP_REST "00000001 00000002 5018 ffff 0000 0000 "
#define OTHER_MACS "020000000002 0200000000ff "
#define REVERSE_MACS "020000000001 020000000002 "

static uint32_t hash(const char *hex, uint32_t basis)
{
    uint8_t data[512];
    const size_t len = packet_from_hex(hex, data);
    struct rte_mbuf m = {.buf_addr = data, .data_len = (uint16_t)len, .pkt_len = (uint32_t)len, .nb_segs = 1};

    return select_hash_packet(&m, basis);
}

static const struct {
    const char *name;
    const char *one, *other;
} alike[] = {
    {"udp, back", MACS V4("001c", "0000", "11", A4 B4) "0035 1f90 0008 0000",
     REVERSE_MACS V4("001c", "0000", "11", B4 A4) "1f90 0035 0008 0000"},
    {"tcp, back", MACS V4("0028", "0000", "06", A4 B4) "1234 0050" TCP_REST,
     REVERSE_MACS V4("0028", "0000", "06", B4 A4) "0050 1234" TCP_REST},
    {"sctp, back", MACS V4("0020", "0000", "84", A4 B4) "1234 0050 deadbeef 00000000",
     REVERSE_MACS V4("0020", "0000", "84", B4 A4) "0050 1234 0badcafe 00000000"},
    {"echo and its reply", MACS V4("001c", "0000", "01", A4 B4) "08 00 0000 1234 0001",
     REVERSE_MACS V4("001c", "0000", "01", B4 A4) "00 00 0000 1234 0001"},
    {"igmp, back", MACS V4("001c", "0000", "02", A4 B4) "1100eeff00000000",
     REVERSE_MACS V4("001c", "0000", "02", B4 A4) "1100eeff00000000"},
    {"one address, two ports", MACS V4("001c", "0000", "11", A4 A4) "0035 1f90 0008 0000",
     MACS V4("001c", "0000", "11", A4 A4) "1f90 0035 0008 0000"},
    {"another source MAC", MACS V4("001c", "0000", "11", A4 B4) "0035 1f90 0008 0000",
     OTHER_MACS V4("001c", "0000", "11", A4 B4) "0035 1f90 0008 0000"},
    {"another VLAN", MACS V4("001c", "0000", "11", A4 B4) "0035 1f90 0008 0000",
     MACS "8100 0007" V4("001c", "0000", "11", A4 B4) "0035 1f90 0008 0000"},
    {"first and later fragment", MACS V4("0024", "2000", "11", A4 B4) "0035 1f90 0400 abcd 0102030405060708",
     MACS V4("0024", "0002", "11", A4 B4) "01020304050607080910111213141516"},
    {"fragments, back", MACS V4("0024", "2000", "11", A4 B4) "0035 1f90 0400 abcd 0102030405060708",
     REVERSE_MACS V4("0024", "0002", "11", B4 A4) "01020304050607080910111213141516"},
    {"udp over ipv6, back, with another label", MACS V6("12345", "0008", "11", A6 B6) "0035 1f90 0008 ffff",
     REVERSE_MACS V6("54321", "0008", "11", B6 A6) "1f90 0035 0008 ffff"},
    {"tcp over ipv6, another source MAC", MACS V6("12345", "0014", "06", A6 B6) "1234 0050" TCP_REST,
     OTHER_MACS V6("12345", "0014", "06", A6 B6) "1234 0050" TCP_REST},
    {"echo over ipv6 and its reply", MACS V6("12345", "0008", "3a", A6 B6) "80 00 0000 00010001",
     REVERSE_MACS V6("12345", "0008", "3a", B6 A6) "81 00 0000 00010001"},
    {"first and later fragment of ipv6",
     MACS V6("12345", "0018", "2c", A6 B6) "1100000100000001 0035 1f90 0400 abcd 0102030405060708",
     MACS V6("12345", "0018", "2c", A6 B6) "1100002800000001 01020304050607080910111213141516"},
    {"no IP, back", MACS "9000 0102", REVERSE_MACS "9000 0102"},
    {"arp and its reply", MACS "0806 0001 0800 06 04 0001 020000000001 0a000001 000000000000 0a000002",
     REVERSE_MACS "0806 0001 0800 06 04 0002 020000000002 0a000002 020000000001 0a000001"},
};

static void packets_of_one_flow_share_it(void **state)
{
    for (size_t i = 0; i < sizeof alike / sizeof alike[0]; i++) {
        for (uint32_t basis = 0; basis < 3; basis++) {
            if (hash(alike[i].one, basis) != hash(alike[i].other, basis))
                fail_msg("%s: the hashes differ", alike[i].name);
        }
    }
}

static const char *const apart[] = {
    MACS V4("001c", "0000", "11", A4 B4) "0035 1f90 0008 0000",
    MACS V4("001c", "0000", "11", A4 B4) "0036 1f90 0008 0000",
    MACS V4("001c", "0000", "11", A4 B4) "0035 1f91 0008 0000",
    MACS V4("001c", "0000", "11", A4 B4) "1f90 0035 0008 0000", /* ports swapped, addresses not */
    MACS V4("001c", "0000", "11", A4 A4) "0035 1f90 0008 0000",
    MACS V4("001c", "0000", "11", A4 "0a000003") "0035 1f90 0008 0000",
    MACS V4("001c", "0000", "11", "0a000005 0a000006") "0035 1f90 0008 0000", /* the same in an exclusive or */
    MACS V4("0020", "0000", "84", A4 B4) "0035 1f90 deadbeef 00000000",
    MACS V4("001c", "0000", "01", A4 B4) "08 00 0000 1234 0001",
    MACS V4("0024", "2000", "11", A4 B4) "0035 1f90 0400 abcd 0102030405060708",
    MACS V6("12345", "0008", "11", A6 B6) "0035 1f90 0008 ffff",
    MACS V6("12345", "0008", "11", A6 B6) "0036 1f90 0008 ffff",
    MACS V6("12345", "0008", "11", A6 "20010db8000000000000000000000003") "0035 1f90 0008 ffff",
    MACS V6("12345", "0008", "3a", A6 B6) "80 00 0000 00010001",
    MACS "9000 0102",
    OTHER_MACS "9000 0102",
    MACS "8100 0007 9000 0102",
    MACS "9001 0102",
    MACS "8847 00064140 45b8001c 00000000 40116617 0a000001 0a000002 0035 1f90 0008 0000",
    MACS "8847 00074140 45b8001c 00000000 40116617 0a000001 0a000002 0035 1f90 0008 0000",
};
#define N_APART (sizeof apart / sizeof apart[0])

static void other_flows_differ(void **state)
{
    for (size_t i = 0; i < N_APART; i++) {
        assert_int_not_equal(hash(apart[i], 0), hash(apart[i], 1));
        for (size_t j = 0; j < i; j++) {
            if (hash(apart[i], 0) == hash(apart[j], 0))
                fail_msg("%s and %s have one hash", apart[i], apart[j]);
        }
    }
}

/* Every low bit is worth something: buckets are chosen by few of them. */
static void flows_spread(void **state)
{
    enum { FLOWS = 4096, SLOTS = 16 };

    for (unsigned vary = 0; vary < 4; vary++) {
        unsigned n[SLOTS] = {0};

        for (unsigned i = 0; i < FLOWS; i++) {
            struct flow_key key = {.eth_type = RTE_BE16(RTE_ETHER_TYPE_IPV4),
                                   .ip_proto = IPPROTO_UDP,
                                   .ipv4_src = RTE_BE32(0x0a000001),
                                   .ipv4_dst = RTE_BE32(0x0a000002)};

            if (vary == 0) {
                key.tp_src = rte_cpu_to_be_16((uint16_t)i);
            } else if (vary == 1) {
                key.ipv4_dst = rte_cpu_to_be_32(0x0a000000 + i);
            } else if (vary == 2) { /* both ends move together */
                key.ipv4_src = rte_cpu_to_be_32(0x0a000000 + i);
                key.ipv4_dst = rte_cpu_to_be_32(0x0b000000 + i);
            } else {
                key.eth_type = RTE_BE16(RTE_ETHER_TYPE_IPV6);
                key.ipv6_src[15] = (uint8_t)i;
                key.ipv6_dst[14] = (uint8_t)(i >> 8);
            }
            n[select_hash(&key, 1) % SLOTS]++;
        }
        for (unsigned slot = 0; slot < SLOTS; slot++) {
            if (n[slot] < FLOWS / SLOTS / 2 || n[slot] > FLOWS / SLOTS * 3 / 2)
                fail_msg("vary %u: %u of %u flows in slot %u", vary, n[slot], FLOWS, slot);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packets_of_one_flow_share_it),
        cmocka_unit_test(other_flows_differ),
        cmocka_unit_test(flows_spread),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
