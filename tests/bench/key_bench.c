/* TSC cycles per packet of flow_key_parse_burst and flow_key_hash, bursts of 32 over a ring of packets.
 *   taskset -c 1 build/tests/bench/key_bench [ROUNDS]
 * The best of ROUNDS (default 20) counts: the machine has other work. */
#include <rte_cycles.h>
#include <stdlib.h>

#include "pmd/key_inline.h"
#include "tests/lib/eal.h"
#include "tests/lib/packets.h"

#define BURST 32
#define PACKETS_A_ROUND (1 << 18)

static struct flow_key keys[BURST];
static uint8_t n_lines[BURST];
static volatile uint32_t sink;

enum work { PARSE, PARSE_HASH, N_WORKS };

static double cycles_per_packet(struct rte_mbuf **packets, unsigned n_packets, enum work work)
{
    uint32_t hash = 0;
    const uint64_t start = rte_rdtsc_precise();

    for (unsigned done = 0, at = 0; done < PACKETS_A_ROUND; done += BURST, at = (at + BURST) % n_packets) {
        flow_key_parse_burst(packets + at, BURST, 1, keys, n_lines);
        if (work == PARSE_HASH) {
            for (unsigned i = 0; i < BURST; i++)
                hash ^= flow_key_hash_inline(&keys[i], n_lines[i]);
        }
    }
    const uint64_t cycles = rte_rdtsc_precise() - start;
    sink = hash;
    return (double)cycles / PACKETS_A_ROUND;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name, *hex;
    } traffic[] = {{"ipv4 udp", FRAME_UDP},
                   {"ipv4 tcp", FRAME_TCP},
                   {"ipv4 tcp, vlan", FRAME_VLAN_TCP},
                   {"ipv4 tcp, options", FRAME_TCP_OPTIONS},
                   {"ipv6 tcp", FRAME_TCP6},
                   {"ipv6 tcp, extension", FRAME_TCP6_OPTIONS},
                   {"arp", FRAME_ARP}};
    static const unsigned rings[] = {BURST, 1024, 8192};
    const unsigned rounds = argc > 1 ? atoi(argv[1]) : 20;
    static struct rte_mbuf *packets[8192];

    if (test_eal_init("key_bench") != 0)
        return 1;
    struct rte_mempool *pool = test_pool(8192);
    if (!pool)
        return 1;
    printf("%-20s %10s %10s %12s\n", "traffic", "packets", "parse", "parse+hash");
    for (unsigned t = 0; t < RTE_DIM(traffic); t++) {
        for (unsigned i = 0; i < RTE_DIM(packets); i++)
            packets[i] = packet_new(pool, traffic[t].hex);
        for (unsigned r = 0; r < RTE_DIM(rings); r++) {
            double best[N_WORKS] = {1e9, 1e9};
            for (unsigned i = 0; i < rounds * N_WORKS; i++) {
                const double cycles = cycles_per_packet(packets, rings[r], i % N_WORKS);
                best[i % N_WORKS] = RTE_MIN(best[i % N_WORKS], cycles);
            }
            printf("%-20s %10u %10.1f %12.1f\n", traffic[t].name, rings[r], best[PARSE], best[PARSE_HASH]);
        }
        rte_pktmbuf_free_bulk(packets, RTE_DIM(packets));
    }
    return 0;
}
