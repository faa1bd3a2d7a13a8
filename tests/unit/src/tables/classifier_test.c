/* The classifier of rules: the best rule, and the mask of what decided it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "src/tables/classifier.h"
#include "src/tables/rule.h"
#include "tests/lib/match_sets.h"

static uint64_t rng = 1;

static uint32_t random_below(uint32_t n)
{
    rng ^= rng << 13;
    rng ^= rng >> 7;
    rng ^= rng << 17;
    return (uint32_t)((rng >> 16) % n);
}

static void random_bytes(void *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        ((uint8_t *)bytes)[i] = (uint8_t)random_below(256);
}

static bool one_in(uint32_t n)
{
    return random_below(n) == 0;
}

static struct rule *add(struct classifier *cls, const struct match *match, uint16_t priority)
{
    struct rule *rule = rule_create(classifier_mask(cls, &match->mask), &match->value, &(struct act_list){0});

    rule->priority = priority;
    rule->remove_version = UINT64_MAX;
    classifier_insert(cls, rule);
    return rule;
}

static void del(struct classifier *cls, struct rule *rule)
{
    classifier_remove(cls, rule);
    rule_unref(rule);
}

/* Sets the first `plen` bits. */
static void prefix_mask(void *mask, unsigned plen)
{
    uint8_t *bytes = mask;

    memset(bytes, 0xff, plen / 8);
    if (plen % 8 != 0)
        bytes[plen / 8] |= (uint8_t)(0xff << (8 - plen % 8));
}

/* One of a few addresses that share prefixes of all lengths. */
static uint32_t random_address(void)
{
    uint32_t address = 0x0a00ff01;

    if (!one_in(4))
        address ^= 1u << random_below(32);
    if (one_in(4))
        address ^= 1u << random_below(32);
    return rte_cpu_to_be_32(address);
}

static void random_values(struct flow *flow)
{
    memset(flow, 0, sizeof *flow);
    flow->in_port = 1 + random_below(3);
    flow->metadata = random_below(3);
    flow->reg[0] = one_in(2) ? 0 : random_below(8);
    flow->pkt.eth_dst.addr_bytes[5] = (uint8_t)random_below(3);
    flow->pkt.eth_type = rte_cpu_to_be_16(one_in(3) ? 0x86dd : 0x0800);
    flow->pkt.vlan_tci[0] = rte_cpu_to_be_16(one_in(2) ? 0 : (uint16_t)(0x1000 | random_below(3)));
    flow->pkt.ipv4_src = random_address();
    flow->pkt.ipv4_dst = random_address();
    flow->pkt.ip_proto = one_in(2) ? 6 : 17;
    flow->pkt.tp_src = rte_cpu_to_be_16((uint16_t)(1u << random_below(16)));
    flow->pkt.tp_dst = rte_cpu_to_be_16((uint16_t)(80 ^ (one_in(2) ? 0 : 1u << random_below(16))));
    flow->pkt.ipv6_dst[0] = 0x20;
    flow->pkt.ipv6_dst[15] = (uint8_t)random_below(2);
    flow->pkt.ipv6_dst[random_below(16)] ^= (uint8_t)(1u << random_below(8));
    flow->pkt.ct_mark = random_below(2);
    flow->pkt.tun_id = random_below(2);
}

static void random_mask(struct flow *mask)
{
    memset(mask, 0, sizeof *mask);
    if (one_in(2))
        memset(&mask->in_port, 0xff, sizeof mask->in_port);
    if (one_in(4))
        memset(&mask->metadata, 0xff, sizeof mask->metadata);
    if (one_in(5))
        mask->reg[0] = random_below(8);
    if (one_in(4))
        memset(&mask->pkt.eth_dst, 0xff, sizeof mask->pkt.eth_dst);
    if (one_in(2))
        mask->pkt.eth_type = 0xffff;
    if (one_in(5))
        mask->pkt.vlan_tci[0] = rte_cpu_to_be_16(one_in(2) ? 0x1fff : 0x1000);
    if (one_in(3))
        prefix_mask(&mask->pkt.ipv4_src, random_below(33));
    if (one_in(3))
        prefix_mask(&mask->pkt.ipv4_dst, random_below(33));
    if (one_in(8))
        mask->pkt.ipv4_dst = random_address(); /* not a prefix */
    if (one_in(3))
        mask->pkt.ip_proto = 0xff;
    if (one_in(5))
        prefix_mask(&mask->pkt.tp_src, random_below(17));
    if (one_in(4))
        prefix_mask(&mask->pkt.tp_dst, random_below(17));
    if (one_in(8))
        prefix_mask(mask->pkt.ipv6_dst, random_below(129));
    if (one_in(10))
        mask->pkt.ct_mark = 1;
    if (one_in(10))
        memset(&mask->pkt.tun_id, 0xff, sizeof mask->pkt.tun_id);
    if (one_in(20))
        random_bytes((uint8_t *)mask + random_below(380), 4);
}

#define N_COMMON_MASKS 12

static struct flow common_masks[N_COMMON_MASKS];

static void random_match(struct match *match)
{
    const struct flow *mask = &match->mask;

    random_values(&match->value);
    if (one_in(4))
        random_mask(&match->mask);
    else
        match->mask = common_masks[random_below(N_COMMON_MASKS)];
    for (size_t i = 0; i < sizeof *mask; i++)
        ((uint8_t *)&match->value)[i] &= ((const uint8_t *)mask)[i];
}

#define MAX_RULES 200

struct model {
    struct classifier cls;
    struct rule *rules[MAX_RULES];
    unsigned n_rules;
};

/* A packet that probably agrees with some rule in most bits. */
static void random_flow(const struct model *model, struct flow *flow)
{
    random_values(flow);
    for (unsigned n = random_below(3); n > 0 && model->n_rules > 0; n--) {
        struct match match;

        rule_match(model->rules[random_below(model->n_rules)], &match);
        for (size_t i = 0; i < FLOW_WORDS; i++) {
            uint64_t *word = &((uint64_t *)flow)[i], mask = ((uint64_t *)&match.mask)[i];

            *word = (*word & ~mask) | ((uint64_t *)&match.value)[i];
        }
    }
    if (one_in(3))
        ((uint8_t *)flow)[random_below(sizeof *flow)] ^= (uint8_t)(1u << random_below(8));
}

/* Another packet that agrees with `flow` on `wc`. */
static void random_neighbour(const struct model *model, const struct flow *flow, const struct flow *wc,
                             struct flow *other)
{
    random_flow(model, other);
    if (one_in(3))
        random_bytes(other, sizeof *other);
    for (size_t i = 0; i < FLOW_WORDS; i++) {
        uint64_t mask = ((const uint64_t *)wc)[i];

        ((uint64_t *)other)[i] = (((uint64_t *)other)[i] & ~mask) | (((const uint64_t *)flow)[i] & mask);
    }
}

static void check_answer(const struct model *model, const struct flow *flow, const struct rule *answer)
{
    int best = -1;

    for (unsigned i = 0; i < model->n_rules; i++) {
        if (minimatch_hits(model->rules[i]->match, flow) && model->rules[i]->priority > best)
            best = model->rules[i]->priority;
    }
    if (!answer) {
        assert_int_equal(best, -1);
    } else {
        assert_int_equal(best, answer->priority);
        assert_true(minimatch_hits(answer->match, flow));
    }
}

static void model_add(struct model *model)
{
    struct match match;
    unsigned priorities = one_in(2) ? 4 : 1000;

    random_match(&match);
    model->rules[model->n_rules++] = add(&model->cls, &match, (uint16_t)random_below(priorities));
}

static void model_del(struct model *model, unsigned i)
{
    del(&model->cls, model->rules[i]);
    model->rules[i] = model->rules[--model->n_rules];
}

static void model_init(struct model *model)
{
    model->n_rules = 0;
    for (unsigned i = 0; i < N_COMMON_MASKS; i++)
        random_mask(&common_masks[i]);
    classifier_init(&model->cls);
}

static void model_free(struct model *model)
{
    while (model->n_rules > 0)
        model_del(model, 0);
    assert_int_equal(model->cls.n_subtables, 0);
    for (unsigned i = 0; i < N_TRIES; i++)
        assert_int_equal(model->cls.tries[i].root, 0);
    classifier_destroy(&model->cls);
}

static void every_flow_that_agrees_on_the_consulted_bits_gets_the_same_rule(void **state)
{
    for (unsigned round = 0; round < 150; round++) {
        struct model model;
        unsigned n_rules = 1 + random_below(one_in(3) ? MAX_RULES : 20);

        model_init(&model);
        for (unsigned step = 0; step < n_rules * 2; step++) {
            if (model.n_rules == 0 || (model.n_rules < n_rules && !one_in(4)))
                model_add(&model);
            else
                model_del(&model, random_below(model.n_rules));

            struct flow flow, wc, other;

            random_flow(&model, &flow);
            memset(&wc, 0, sizeof wc);

            struct rule *rule = classifier_lookup(&model.cls, 1, &flow, &wc, NULL);

            check_answer(&model, &flow, rule);
            assert_ptr_equal(rule, classifier_lookup(&model.cls, 1, &flow, NULL, NULL));
            for (unsigned i = 0; i < 8; i++) {
                random_neighbour(&model, &flow, &wc, &other);
                assert_ptr_equal(rule, classifier_lookup(&model.cls, 1, &other, NULL, NULL));
            }
        }
        model_free(&model);
    }
}

#define MAX_CACHED 300

struct cached {
    struct flow flow, wc;
    struct rule *answer;
};

static bool cached_overlaps(const struct cached *cached, const struct rule *rule)
{
    struct match match;
    uint64_t differs = 0;

    rule_match(rule, &match);
    for (size_t i = 0; i < FLOW_WORDS; i++) {
        differs |= (((uint64_t *)&match.value)[i] ^ ((const uint64_t *)&cached->flow)[i]) &
                   ((uint64_t *)&match.mask)[i] & ((const uint64_t *)&cached->wc)[i];
    }
    return differs == 0;
}

/* What a cache relies on: an answer changes only if its rule goes or a rule comes that overlaps with it. */
static void answers_hold_until_a_change_concerns_them(void **state)
{
    static struct cached cached[MAX_CACHED];

    for (unsigned round = 0; round < 20; round++) {
        struct model model;
        unsigned n_cached = 0;

        model_init(&model);
        for (unsigned step = 0; step < 400; step++) {
            if (model.n_rules == 0 || (model.n_rules < MAX_RULES && !one_in(3))) {
                model_add(&model);

                const struct rule *rule = model.rules[model.n_rules - 1];

                for (unsigned i = 0; i < n_cached;) {
                    if (cached_overlaps(&cached[i], rule))
                        cached[i] = cached[--n_cached];
                    else
                        i++;
                }
            } else {
                unsigned victim = random_below(model.n_rules);

                for (unsigned i = 0; i < n_cached;) {
                    if (cached[i].answer == model.rules[victim])
                        cached[i] = cached[--n_cached];
                    else
                        i++;
                }
                model_del(&model, victim);
            }
            for (unsigned i = 0; i < n_cached; i++) {
                struct flow other;

                random_neighbour(&model, &cached[i].flow, &cached[i].wc, &other);
                assert_ptr_equal(cached[i].answer, classifier_lookup(&model.cls, 1, &other, NULL, NULL));
            }
            for (unsigned i = 0; i < 3 && n_cached < MAX_CACHED; i++) {
                struct cached *new = &cached[n_cached++];

                random_flow(&model, &new->flow);
                memset(&new->wc, 0, sizeof new->wc);
                new->answer = classifier_lookup(&model.cls, 1, &new->flow, &new->wc, NULL);
            }
        }
        model_free(&model);
    }
}

static void ipv4_dst_prefix(struct match *match, uint32_t address, unsigned plen)
{
    memset(match, 0, sizeof *match);
    match->mask.pkt.eth_type = 0xffff;
    match->value.pkt.eth_type = rte_cpu_to_be_16(0x0800);
    prefix_mask(&match->mask.pkt.ipv4_dst, plen);
    match->value.pkt.ipv4_dst = rte_cpu_to_be_32(address) & match->mask.pkt.ipv4_dst;
}

static uint32_t consulted_dst(const struct classifier *cls, uint32_t address)
{
    struct flow flow = {.pkt = {.eth_type = rte_cpu_to_be_16(0x0800), .ipv4_dst = rte_cpu_to_be_32(address)}};
    struct flow wc = {0};

    classifier_lookup(cls, 1, &flow, &wc, NULL);
    return rte_be_to_cpu_32(wc.pkt.ipv4_dst);
}

static void prefixes_keep_the_mask_short(void **state)
{
    struct classifier cls;
    struct match match;
    struct rule *rules[3];

    classifier_init(&cls);
    ipv4_dst_prefix(&match, 0x0a000000, 8);
    rules[0] = add(&cls, &match, 8);
    ipv4_dst_prefix(&match, 0x0a0a0000, 16);
    rules[1] = add(&cls, &match, 16);
    ipv4_dst_prefix(&match, 0x0a0a0a0a, 32);
    rules[2] = add(&cls, &match, 32);

    assert_int_equal(consulted_dst(&cls, 0x0a0a0a0a), 0xffffffff);
    assert_int_equal(consulted_dst(&cls, 0x0a0a0a0b), 0xffffffff);
    assert_int_equal(consulted_dst(&cls, 0x0a0a800a), 0xffff8000); /* bit 16 tells it from 10.10.10.10 */
    assert_int_equal(consulted_dst(&cls, 0x0a800000), 0xff800000); /* bit 8 tells it from 10.10/16 */
    assert_int_equal(consulted_dst(&cls, 0x80000000), 0x80000000); /* bit 0 tells it from 10/8 */

    del(&cls, rules[2]);
    assert_int_equal(consulted_dst(&cls, 0x0a0a0a0b), 0xffff0000);
    del(&cls, rules[1]);
    del(&cls, rules[0]);
    classifier_destroy(&cls);
}

static void stages_keep_later_layers_out_of_the_mask(void **state)
{
    struct classifier cls;
    struct match match = {0};
    struct flow flow = {.in_port = 2, .pkt = {.eth_type = rte_cpu_to_be_16(0x0800), .ip_proto = 6}};
    struct flow wc = {0}, expected = {0};

    classifier_init(&cls);
    match.value.in_port = 1;
    match.mask.in_port = UINT32_MAX;
    match.value.pkt.eth_type = rte_cpu_to_be_16(0x0800);
    match.mask.pkt.eth_type = 0xffff;
    match.value.pkt.ip_proto = 6;
    match.mask.pkt.ip_proto = 0xff;
    match.value.pkt.tp_dst = rte_cpu_to_be_16(80);
    match.mask.pkt.tp_dst = 0xffff;

    struct rule *rule = add(&cls, &match, 1);

    assert_null(classifier_lookup(&cls, 1, &flow, &wc, NULL));
    expected.in_port = UINT32_MAX;
    assert_memory_equal(&wc, &expected, sizeof wc);

    flow.in_port = 1;
    flow.pkt.ip_proto = 17;
    memset(&wc, 0, sizeof wc);
    assert_null(classifier_lookup(&cls, 1, &flow, &wc, NULL));
    expected.pkt.eth_type = 0xffff;
    expected.pkt.ip_proto = 0xff;
    assert_memory_equal(&wc, &expected, sizeof wc);

    flow.pkt.ip_proto = 6;
    flow.pkt.tp_dst = rte_cpu_to_be_16(0x8000);
    memset(&wc, 0, sizeof wc);
    assert_null(classifier_lookup(&cls, 1, &flow, &wc, NULL));
    expected = (struct flow){.pkt = {.tp_dst = rte_cpu_to_be_16(0x8000)}};
    assert_memory_equal(&wc, &expected, sizeof wc);

    flow.pkt.tp_dst = rte_cpu_to_be_16(80);
    memset(&wc, 0, sizeof wc);
    assert_ptr_equal(classifier_lookup(&cls, 1, &flow, &wc, NULL), rule);
    assert_memory_equal(&wc, &match.mask, sizeof wc);
    del(&cls, rule);
    classifier_destroy(&cls);
}

static void a_high_priority_hit_ends_the_search(void **state)
{
    struct classifier cls;
    struct match match = {0}, any = {0};
    struct flow flow = {0}, wc = {0};

    classifier_init(&cls);
    match.mask.pkt.tp_dst = 0xffff;

    struct rule *low = add(&cls, &match, 1), *high = add(&cls, &any, 2);

    assert_ptr_equal(classifier_lookup(&cls, 1, &flow, &wc, NULL), high);
    assert_int_equal(wc.pkt.tp_dst, 0);
    del(&cls, high);
    assert_ptr_equal(classifier_lookup(&cls, 1, &flow, &wc, NULL), low);
    assert_int_equal(wc.pkt.tp_dst, 0xffff);
    del(&cls, low);
    classifier_destroy(&cls);
}

static void rules_are_seen_only_in_their_versions(void **state)
{
    struct classifier cls;
    struct match match = {0};
    struct flow flow = {0};

    classifier_init(&cls);
    match.mask.in_port = UINT32_MAX;

    struct rule *old = add(&cls, &match, 7), *new = add(&cls, &match, 7);

    old->add_version = 1;
    old->remove_version = new->add_version = 5;
    assert_null(classifier_lookup(&cls, 0, &flow, NULL, NULL));
    assert_ptr_equal(classifier_lookup(&cls, 4, &flow, NULL, NULL), old);
    assert_ptr_equal(classifier_lookup(&cls, 5, &flow, NULL, NULL), new);
    assert_ptr_equal(classifier_find(&cls, 4, old->match, 7, false), old);
    assert_ptr_equal(classifier_find(&cls, 5, old->match, 7, false), new);
    assert_null(classifier_find(&cls, 5, old->match, 6, false));
    assert_null(classifier_find(&cls, 5, old->match, 7, true));
    del(&cls, old);
    assert_ptr_equal(classifier_lookup(&cls, 9, &flow, NULL, NULL), new);
    del(&cls, new);
    classifier_destroy(&cls);
}

static void packed_matches_unpack_to_themselves(void **state)
{
    for (unsigned n = 0; n < 1000; n++) {
        struct match match, copy;

        random_match(&match);

        struct minimask *mask = minimask_create(&match.mask);
        struct rule *rule = rule_create(mask, &match.value, &(struct act_list){0});

        rule_match(rule, &copy);
        assert_memory_equal(&match, &copy, sizeof match);
        assert_true(minimask_equal_flow(mask, &match.mask, mask->map));
        assert_int_equal(mask->hash, flow_hash(&match.mask, flow_map(&match.mask)));
        rule_unref(rule);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packed_matches_unpack_to_themselves),
        cmocka_unit_test(every_flow_that_agrees_on_the_consulted_bits_gets_the_same_rule),
        cmocka_unit_test(answers_hold_until_a_change_concerns_them),
        cmocka_unit_test(prefixes_keep_the_mask_short),
        cmocka_unit_test(stages_keep_later_layers_out_of_the_mask),
        cmocka_unit_test(a_high_priority_hit_ends_the_search),
        cmocka_unit_test(rules_are_seen_only_in_their_versions),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
