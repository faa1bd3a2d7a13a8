/* For any rules and any packet, the answer through the caches is the answer of the pipeline, and that is what the rules
 * say; also after random changes.
 *
 * Each packet is worked out three times: by the megaflow that it hits (installed by an earlier packet as a rule), by a
 * translation of its own, and by the oracle, which knows nothing of masks. SEED and ROUNDS may be given in the
 * environment.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/property/caches_impl.h"

#define PACKETS 400 /* a round */

struct caches caches;

static void one_packet(void)
{
    struct random_packet random;
    struct rte_mbuf *m = rte_pktmbuf_alloc(caches.pool);
    struct bridge_port *from;
    struct oracle_packet packet;
    uint32_t in_port;
    char *text;

    do {
        from = bridge_port_by_index(caches.bed.dp, 1 + random_below(caches.last_index));
    } while (!from);
    random_packet(&random);
    memcpy(rte_pktmbuf_mtod(m, void *), random.data, random.len);
    m->data_len = (uint16_t)random.len;
    m->pkt_len = (uint32_t)random.len;
    memset(packet_meta(m), 0, sizeof *packet_meta(m));
    if (caches.tunnels && random_one_in(2)) {
        from = tunnels_receive(packet_meta(m));
        caches.totals.came_out++;
    } else if (caches.tunnels && random_one_in(8)) {
        from = tunnels_outer_packet(m);
    }
    in_port = bridge_port_index(from);
    packet_fill_checksums(m);
    parse_apart(m, in_port, &packet);
    packet.flow.pkt.vlan_tci[0] = packet.n_tags > 0 ? packet.tags[0] : 0;
    packet.flow.pkt.vlan_tci[1] = packet.n_tags > 1 ? packet.tags[1] : 0;
    key_of(m, in_port, 0, &caches.flow);
    text = flow_format(&caches.flow, NULL, NULL);
    snprintf(caches.what, sizeof caches.what, "packet %lu: %s", caches.totals.packets, text);
    free(text);

    caches.taught = caches.failed = caches.nested = caches.many = false;
    taught_clear();
    answer_through_caches(m, in_port);
    bed_settle(&caches.bed);
    answer_by_translation(m, in_port);
    bool verdict = !taught_different_things() && !caches.taught;

    if (verdict)
        expect_same_events();
    if (caches.tunnels) {
        answer_apart(m, in_port);
        if (verdict && !caches.nested && !caches.many && !caches.failed)
            expect_same_apart();
    }
    /* The key has two tags: a packet with three is cut short for it. */
    caches.totals.bonded += caches.bonds && from->lport->bond;
    if (!caches.mpls && !caches.learning && !caches.tunnels && !caches.bonds) {
        oracle_run(&caches.oracle, from->bridge, &packet);
        if (verdict && !caches.failed && random.whole && random.n_tags <= 2 && !caches.oracle.overflow &&
            !caches.oracle.selected)
            expect_what_the_rules_say();
        else
            world_sync_macs();
    }
    events_clear(&caches.cached_events);
    events_clear(&caches.fresh_events);
    events_clear(&caches.apart_events);
    rte_pktmbuf_free(m);
    caches.totals.packets++;
}

/* --- rounds -------------------------------------------------------------- */

static void round_run(void)
{
    static const struct bed_params params[] = {{0}, {.mask_limit = 6}};
    unsigned n_rules = caches.n_bridges * (1 + random_below(48));
    struct flows_stats stats;

    world_create(&params[random_below(2)], n_rules);
    for (unsigned i = 0; i < PACKETS; i++) {
        if (random_one_in(16)) {
            for (unsigned n = 1 + random_below(4); n > 0; n--)
                world_change();
            bed_settle(&caches.bed);
        }
        one_packet();
    }
    flows_get_stats(caches.bed.flows, &stats);
    caches.totals.indexed += stats.rules_indexed;
    world_destroy();
}

static uint64_t environment(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);

    return text ? strtoull(text, NULL, 0) : otherwise;
}

static void caches_agree_with_the_rules(void **state)
{
    uint64_t seed = environment("SEED", 1), rounds = environment("ROUNDS", 60);

    for (uint64_t i = 0; i < rounds; i++) {
        printf("\rseed %lu ", seed + i);
        fflush(stdout);
        random_seed(seed + i);
        caches.mpls = random_one_in(4);
        caches.learning = random_one_in(4);
        caches.n_bridges = random_one_in(2) ? 1 : 2 + random_below(ORACLE_BRIDGES - 1);
        caches.tunnels = random_one_in(5);
        if (caches.tunnels)
            caches.n_bridges = 2;
        random_with_tunnels(caches.tunnels);
        caches.mirrors = !caches.tunnels && random_one_in(2);
        caches.bonds = !caches.tunnels && random_one_in(3);
        round_run();
    }
    printf(
        "seeds %lu to %lu: %lu packets, %lu megaflow hits, %lu against the rules (%lu sent), %lu changes, %lu "
        "rules looked up in an index, %lu pauses, %lu checked packets through patch ports, %lu to mirrors, %lu received by bonds, %lu packets out of tunnels, %lu pushed, %lu popped, %lu composed alike\n",
        seed, seed + rounds - 1, caches.totals.packets, caches.totals.hits, caches.totals.checked, caches.totals.sent,
        caches.totals.changes, caches.totals.indexed, caches.totals.paused, caches.totals.patched,
        caches.totals.mirrored, caches.totals.bonded, caches.totals.came_out, caches.totals.pushed,
        caches.totals.popped, caches.totals.apart);
    /* Of a few, chance may leave less. */
    assert_true(caches.totals.paused < 100 || caches.totals.came_back >= caches.totals.paused / 2);
    assert_true(caches.totals.hits > caches.totals.packets / 10);
    assert_true(rounds < 10 || (caches.totals.patched > 0 && caches.totals.mirrored > 0 && caches.totals.bonded > 0));
    assert_true(rounds < 40 || (caches.totals.pushed > caches.totals.came_out / 4 && caches.totals.popped > 0 &&
                                caches.totals.apart > caches.totals.popped));
    assert_true(rounds < 10 || caches.totals.indexed > caches.totals.changes / 60);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(caches_agree_with_the_rules)};

    if (test_eal_init("caches_test") != 0)
        return 77;
    caches.pool = test_pool(8191);
    events_init(&caches.cached_events, caches.pool);
    events_init(&caches.fresh_events, caches.pool);
    events_init(&caches.apart_events, caches.pool);
    xlate_out_init(&caches.fresh);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
