/* The classifier of the datapath: lookup in every variant, tables that grow while they are read, memory that
 * goes bit by bit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <pthread.h>
#include <rte_cycles.h>
#include <stdlib.h>

#include "pmd/cache/lookup.h"
#include "pmd/cache/tss.h"
#include "pmd/cache/tuple_hash.h"
#include "pmd/cache/tuple_order.h"
#include "tests/lib/eal.h"

#define LIMIT 100000

static struct rcu rcu;
static struct megaflow_table megaflows;
static struct tss tss;

static int setup(void **state)
{
    rcu_init(&rcu, 1);
    assert_int_equal(megaflow_table_init(&megaflows, LIMIT), 0);
    assert_int_equal(tss_init(&tss, &rcu, &megaflows, 64), 0);
    return 0;
}

static int teardown(void **state)
{
    rcu_fini(&rcu);
    tss_fini(&tss);
    megaflow_table_fini(&megaflows);
    return 0;
}

static struct megaflow *insert(const struct flow_key *key, const struct flow_key *mask)
{
    int error;
    struct tuple *tuple = tss_tuple_make(&tss, mask, &error);
    struct megaflow *mf = megaflow_alloc(&megaflows, &rcu);

    assert_non_null(tuple);
    assert_non_null(mf);
    mf->tuple = tuple;
    assert_int_equal(megaflow_set_key(mf, key, &tuple->mask, tuple->n_lines), 0);
    assert_int_equal(tss_insert(&tss, mf), 0);
    megaflow_publish(mf);
    return mf;
}

static void take_out(struct megaflow *mf)
{
    tss_remove(&tss, mf);
    megaflow_retire(&megaflows, mf);
    tss_tuple_release(&tss, mf->tuple);
}

static bool thorough = true; /* off while the megaflows change under the lookup */

/* Looks up `n` keys (at most LOOKUP_BURST_MAX) in all tuples, as a poll-mode thread does. */
static void look_up(const struct lookup_ops *ops, const struct flow_key *keys, const uint8_t *n_lines, unsigned n,
                    struct megaflow **found)
{
    struct megaflow_slot *slots[LOOKUP_BURST_MAX] = {0}, *again[LOOKUP_BURST_MAX] = {0};
    const struct lookup lookup = {
        .slots = megaflows.slots, .megaflows = megaflows.megaflows, .keys = keys, .n_lines = n_lines, .found = slots};
    const struct tuple_list *list = __atomic_load_n(&tss.list, __ATOMIC_ACQUIRE);
    uint64_t todo = n == 64 ? UINT64_MAX : (1ull << n) - 1;

    for (uint32_t i = 0; i < list->n && todo != 0; i++)
        todo &= ~ops->tuple(&lookup, list->refs[i].tuple, todo);
    for (unsigned i = 0; i < n; i++)
        found[i] = slots[i] ? &megaflows.megaflows[megaflow_index(megaflows.slots, slots[i])] : NULL;

    /* With a tuple for each packet, the result is the same. */
    const struct tuple *tuples[LOOKUP_BURST_MAX];
    struct lookup other = lookup;
    uint64_t hits = 0;
    other.found = again;
    if (thorough) {
        for (unsigned i = 0; i < n; i++) {
            if (found[i]) {
                tuples[i] = found[i]->tuple;
                hits |= 1ull << i;
            }
        }
        assert_int_equal(ops->tuples(&other, tuples, hits), hits);
        assert_memory_equal(slots, again, n * sizeof *slots);
    }
}

/* Runs `check` with every variant that this CPU has. */
static void with_every_variant(void (*check)(const struct lookup_ops *ops))
{
    unsigned n = 0;

    for (unsigned i = 0; lookup_variants[i]; i++) {
        if (lookup_variants[i]->supported()) {
            check(lookup_variants[i]);
            n++;
        }
    }
    assert_true(n >= 1);
    assert_true(lookup_best()->supported());
}

static void key_random(struct flow_key *key, unsigned n_lines, unsigned values)
{
    uint64_t *words = (uint64_t *)key;

    memset(key, 0, sizeof *key);
    for (unsigned w = 0; w < n_lines * LINE_WORDS; w++)
        words[w] = (uint64_t)((unsigned)rand() % values) * 0x9e3779b97f4a7c15ull;
}

/* Of `n_words` words within the first `n_lines` lines. */
static void mask_random(struct flow_key *mask, unsigned n_lines, unsigned n_words)
{
    uint64_t *words = (uint64_t *)mask;

    memset(mask, 0, sizeof *mask);
    for (unsigned i = 0; i < n_words; i++)
        words[(unsigned)rand() % (n_lines * LINE_WORDS)] |= i & 1 ? UINT64_MAX : 0xffffffull << (unsigned)rand() % 40;
}

/* --- lookups ------------------------------------------------------------- */

static void check_random(const struct lookup_ops *ops)
{
    enum { N = 60 };
    struct flow_key keys[64], mask;
    struct megaflow *mfs[N], *found[64];
    uint8_t n_lines[64];

    for (unsigned round = 0; round < 300; round++) {
        unsigned n = 0;

        srand(round);
        for (unsigned i = 0; i < N; i++) {
            struct flow_key key;
            int error;

            /* Few masks and few values: many hits, several to a key. */
            if (i % 8 == 0)
                mask_random(&mask, 1 + round % FLOW_KEY_LINES, 1 + (unsigned)rand() % 9);
            key_random(&key, 1 + (unsigned)rand() % FLOW_KEY_LINES, 2);
            struct tuple *tuple = tss_tuple_make(&tss, &mask, &error);
            if (!tss_tuple_find(&tss, tuple, &key, FLOW_KEY_LINES))
                mfs[n++] = insert(&key, &mask);
        }
        for (unsigned i = 0; i < 64; i++) {
            n_lines[i] = (uint8_t)(1 + (unsigned)rand() % FLOW_KEY_LINES);
            key_random(&keys[i], n_lines[i], 2);
        }
        look_up(ops, keys, n_lines, 64, found);
        for (unsigned i = 0; i < 64; i++) {
            bool any = false;

            for (unsigned m = 0; m < n; m++)
                any |= megaflow_matches_key(mfs[m], &keys[i], FLOW_KEY_LINES);
            assert_int_equal(found[i] != NULL, any);
            if (found[i])
                assert_true(megaflow_matches_key(found[i], &keys[i], FLOW_KEY_LINES));
        }
        /* What lies behind the lines that a key uses is no part of it. */
        struct megaflow *again[64];
        for (unsigned i = 0; i < 64; i++)
            memset((uint8_t *)&keys[i] + n_lines[i] * FLOW_KEY_LINE, 0xa5,
                   (size_t)(FLOW_KEY_LINES - n_lines[i]) * FLOW_KEY_LINE);
        look_up(ops, keys, n_lines, 64, again);
        assert_memory_equal(found, again, sizeof found);
        for (unsigned m = 0; m < n; m++)
            take_out(mfs[m]);
        megaflow_reclaim(&megaflows, &rcu);
        rcu_reclaim(&rcu);
    }
    /* Tuples that were asked for and stayed empty. */
    while (tss.list->n > 0)
        tss_tuple_release(&tss, tss.list->refs[0].tuple);
}

static void every_variant_finds_what_a_linear_search_finds(void **state)
{
    with_every_variant(check_random);
}

static void key_numbered(struct flow_key *key, uint32_t number)
{
    memset(key, 0, sizeof *key);
    key->in_port = 1;
    key->ipv4_src = number;
}

static void check_growth(const struct lookup_ops *ops)
{
    static struct megaflow *mfs[LIMIT];
    const struct flow_key mask = {.in_port = UINT32_MAX, .ipv4_src = UINT32_MAX};
    struct flow_key keys[64];
    uint8_t n_lines[64];
    struct megaflow *found[64];

    memset(n_lines, 1, sizeof n_lines);
    for (uint32_t i = 0; i < LIMIT; i++) {
        struct flow_key key;

        key_numbered(&key, i);
        mfs[i] = insert(&key, &mask);
        rcu_reclaim(&rcu);
    }
    assert_int_equal(tss.list->n, 1);
    assert_int_equal(tss.list->refs[0].tuple->n, LIMIT);
    for (uint32_t first = 0; first < LIMIT - 64; first += 61) {
        for (uint32_t i = 0; i < 64; i++)
            key_numbered(&keys[i], first + i);
        look_up(ops, keys, n_lines, 64, found);
        for (uint32_t i = 0; i < 64; i++)
            assert_ptr_equal(found[i], mfs[first + i]);
    }
    for (uint32_t i = 0; i < 64; i++)
        key_numbered(&keys[i], LIMIT + i);
    look_up(ops, keys, n_lines, 64, found);
    for (uint32_t i = 0; i < 64; i++)
        assert_null(found[i]);
    for (uint32_t i = 0; i < LIMIT; i++)
        take_out(mfs[i]);
    assert_int_equal(tss.list->n, 0);
    megaflow_reclaim(&megaflows, &rcu);
    while (megaflow_reclaim(&megaflows, &rcu))
        ;
    assert_int_equal(megaflows.n_used, 0);
}

static void a_tuple_grows_and_loses_nothing(void **state)
{
    with_every_variant(check_growth);
}

/* --- growing and giving back, bit by bit --------------------------------- */

#define LONGEST_STEP 64 /* buckets that an insertion may copy */
#define AT_ONCE 1024    /* a table of fewer may grow in one go */

/* One insertion. Checks that a table that is too small is not replaced before there were enough insertions to copy it
 * bit by bit, nor so late that it is nearly full. */
static struct megaflow *insert_numbered(uint32_t number, const struct flow_key *mask, unsigned *n_growths)
{
    uint32_t before = 0, after;
    struct tuple *tuple = tss_tuple(&tss, mask);
    struct flow_key key;
    struct megaflow *mf;

    if (tuple)
        tuple_table(tuple, &before);
    key_numbered(&key, number);
    mf = insert(&key, mask);
    tuple_table(mf->tuple, &after);
    assert_true(mf->tuple->n <= (after + 1) * 6 || after < 4);
    if (before + 1 >= AT_ONCE && after != before) {
        ++*n_growths;
        assert_int_equal(after, 2 * before + 1);
        assert_true(mf->tuple->n >= (before + 1) * 5 + (before + 1) / LONGEST_STEP);
    }
    return mf;
}

static void a_table_is_copied_a_few_buckets_an_insertion(void **state)
{
    static struct megaflow *mfs[LIMIT];
    const struct flow_key mask = {.in_port = UINT32_MAX, .ipv4_src = UINT32_MAX};
    unsigned n_growths = 0;
    struct flow_key key;

    srand(5);
    for (uint32_t i = 0; i < LIMIT; i++) {
        uint32_t other = i > 0 ? (uint32_t)rand() % i : 0;

        mfs[i] = insert_numbered(i, &mask, &n_growths);
        /* Some leave and come back while the table is copied. */
        if (i % 4 == 0) {
            take_out(mfs[other]);
            key_numbered(&key, other);
            assert_null(tss_find(&tss, &key, 1));
            megaflow_reclaim(&megaflows, &rcu);
            megaflow_reclaim(&megaflows, &rcu);
            rcu_reclaim(&rcu);
            mfs[other] = insert_numbered(other, &mask, &n_growths);
        }
        if (i % 97 == 0) {
            key_numbered(&key, other);
            assert_ptr_equal(tss_find(&tss, &key, 1), mfs[other]);
        }
    }
    assert_true(n_growths >= 5);
    for (uint32_t i = 0; i < LIMIT; i++) {
        key_numbered(&key, i);
        assert_ptr_equal(tss_find(&tss, &key, 1), mfs[i]);
    }
    for (uint32_t i = 0; i < LIMIT; i++)
        take_out(mfs[i]);
    for (uint32_t i = 0; i < LIMIT; i++) {
        key_numbered(&key, i);
        assert_null(tss_find(&tss, &key, 1));
    }
}

static void a_large_array_comes_and_goes_bit_by_bit(void **state)
{
    const size_t step = 128 << 10, most = 2 << 20;
    size_t ready, before, size;
    struct hugemem mem = hugemem_reserve(9 * most + 5, &ready);
    uint8_t *bytes;

    assert_non_null(mem.ptr);
    assert_int_equal(ready, 0);
    while (ready < mem.size) {
        before = ready;
        assert_true(hugemem_ready(&mem, &ready, step));
        assert_true(ready <= before + step);
    }
    bytes = mem.ptr;
    for (size_t i = 0; i < mem.size; i += 64)
        assert_int_equal(bytes[i], 0);
    memset(bytes, 1, mem.size);
    for (size = mem.size; hugemem_free_some(&mem, most); size = mem.size) {
        assert_in_range(size - mem.size, 1, most);
        assert_int_equal(bytes[mem.size - 1], 1);
    }
    assert_null(mem.ptr);
}

/* A tuple that goes takes its table along, and nothing of it is freed in one go. */
static void a_dead_table_is_freed_bit_by_bit(void **state)
{
    const struct flow_key mask = {.in_port = UINT32_MAX, .ipv4_src = UINT32_MAX};
    static struct megaflow *mfs[LIMIT];
    unsigned n_growths = 0, n_steps = 0;
    uint32_t n_buckets;

    for (uint32_t i = 0; i < LIMIT; i++)
        mfs[i] = insert_numbered(i, &mask, &n_growths);
    tuple_table(mfs[0]->tuple, &n_buckets);
    for (uint32_t i = 0; i < LIMIT; i++)
        take_out(mfs[i]);
    while (rcu_reclaim(&rcu))
        ;
    while (tss_reclaim(&tss))
        n_steps++;
    assert_true(n_steps >= n_buckets / (2 << 20) * sizeof(struct tuple_bucket));
    assert_true(n_steps >= 1);
}

static void retired_megaflows_are_freed_some_a_time(void **state)
{
    const struct flow_key mask = {.in_port = UINT32_MAX, .ipv4_src = UINT32_MAX};
    static struct megaflow *mfs[LIMIT];
    unsigned n_growths = 0, n_steps = 0;

    for (uint32_t i = 0; i < LIMIT; i++)
        mfs[i] = insert_numbered(i, &mask, &n_growths);
    for (uint32_t i = 0; i < LIMIT; i++)
        take_out(mfs[i]);
    assert_false(megaflow_reclaim(&megaflows, &rcu)); /* now they have a token */
    while (megaflow_reclaim(&megaflows, &rcu))
        n_steps++;
    assert_true(n_steps >= LIMIT / 1024);
    for (uint32_t i = 0; i < LIMIT; i++)
        assert_non_null(megaflow_alloc(&megaflows, &rcu));
}

/* Keys that share a home bucket spill over into the neighbours; taking some out must not hide the rest. */
static void check_overflow(const struct lookup_ops *ops)
{
    enum { N = 40, FILL = 2000 };
    const struct flow_key mask = {.in_port = UINT32_MAX, .ipv4_src = UINT32_MAX};
    struct megaflow *mfs[N], *found[1];
    struct flow_key keys[N], key;
    uint32_t number = 0, n_buckets;
    const uint8_t one = 1;
    int error;

    /* Fill first, so that the table is large and does not grow any more. */
    for (uint32_t i = 0; i < FILL; i++) {
        key_numbered(&key, 0x80000000 + i);
        insert(&key, &mask);
    }
    struct tuple *tuple = tss_tuple_make(&tss, &mask, &error);
    tuple_table(tuple, &n_buckets);
    for (unsigned i = 0; i < N; number++) {
        key_numbered(&key, number);
        if (((uint32_t)tuple_hash(tuple, &key, 1) & n_buckets) != 3)
            continue;
        keys[i] = key;
        mfs[i++] = insert(&key, &mask);
    }
    uint32_t n_buckets_after;
    tuple_table(tuple, &n_buckets_after);
    assert_int_equal(n_buckets, n_buckets_after);
    for (unsigned gone = 0; gone <= N; gone++) {
        for (unsigned i = 0; i < N; i++) {
            look_up(ops, &keys[i], &one, 1, found);
            assert_ptr_equal(found[0], i < gone ? NULL : mfs[i]);
        }
        if (gone < N)
            take_out(mfs[gone]);
    }
    for (uint32_t i = 0; i < FILL; i++) {
        key_numbered(&key, 0x80000000 + i);
        struct megaflow *mf = tss_find(&tss, &key, 1);
        assert_non_null(mf);
        take_out(mf);
    }
    assert_int_equal(tss.list->n, 0);
    rcu_reclaim(&rcu);
    for (unsigned i = 0; i < 3; i++)
        megaflow_reclaim(&megaflows, &rcu);
}

static void a_full_bucket_spills_over(void **state)
{
    with_every_variant(check_overflow);
}

/* --- a reader beside the writer ------------------------------------------ */

#define STABLE 16
#define CHURN 9000 /* half of them at a time: enough that the table grows in steps */

static const struct lookup_ops *reader_ops;
static uint32_t reader_stop;
static uint64_t reader_bursts, reader_lost, reader_false;

static void *reader_main(void *arg)
{
    static struct flow_key keys[64];
    struct megaflow *found[64];
    uint8_t n_lines[64];
    unsigned seed = 1;

    memset(n_lines, 1, sizeof n_lines);
    rcu_online(&rcu, 0, RCU_FIRST_TOKEN);
    while (!__atomic_load_n(&reader_stop, __ATOMIC_RELAXED)) {
        uint64_t token = rcu_observe(&rcu);

        for (unsigned i = 0; i < 64; i++)
            key_numbered(&keys[i],
                         i % 2 == 0 ? (uint32_t)rand_r(&seed) % STABLE : 1000000 + (uint32_t)rand_r(&seed) % CHURN);
        look_up(reader_ops, keys, n_lines, 64, found);
        for (unsigned i = 0; i < 64; i++) {
            if (!found[i])
                reader_lost += i % 2 == 0;
            else
                reader_false += !megaflow_matches_key(found[i], &keys[i], 1);
        }
        __atomic_store_n(&reader_bursts, reader_bursts + 1, __ATOMIC_RELAXED);
        rcu_publish(&rcu, 0, token);
    }
    rcu_offline(&rcu, 0);
    return NULL;
}

static bool has_room(void)
{
    struct megaflow *mf = megaflow_alloc(&megaflows, &rcu);

    if (mf)
        megaflow_unalloc(&megaflows, mf);
    return mf != NULL;
}

static void check_concurrent(const struct lookup_ops *ops)
{
    static struct megaflow *churn[CHURN];
    struct megaflow *stable[STABLE];
    const struct flow_key mask = {.in_port = UINT32_MAX, .ipv4_src = UINT32_MAX};
    struct flow_key key;
    uint64_t until;
    pthread_t thread;

    memset(churn, 0, sizeof churn);
    for (uint32_t i = 0; i < STABLE; i++) {
        key_numbered(&key, i);
        stable[i] = insert(&key, &mask);
    }
    reader_ops = ops;
    reader_stop = 0;
    thorough = false;
    reader_bursts = reader_lost = reader_false = 0;
    assert_int_equal(pthread_create(&thread, NULL, reader_main, NULL), 0);
    until = rte_rdtsc() + rte_get_tsc_hz() / 40;
    while (rte_rdtsc() < until || __atomic_load_n(&reader_bursts, __ATOMIC_RELAXED) < 100) {
        /* A reader that does not run for a while holds up the places of those that were taken out. */
        for (unsigned i = 0; i < 100 && has_room(); i++) {
            uint32_t c = (uint32_t)rand() % CHURN;

            if (churn[c]) {
                take_out(churn[c]);
                churn[c] = NULL;
            } else {
                key_numbered(&key, 1000000 + c);
                churn[c] = insert(&key, &mask);
            }
        }
        rcu_reclaim(&rcu);
        megaflow_reclaim(&megaflows, &rcu);
    }
    __atomic_store_n(&reader_stop, 1, __ATOMIC_RELAXED);
    pthread_join(thread, NULL);
    thorough = true;
    assert_int_equal(reader_lost, 0);
    assert_int_equal(reader_false, 0);
    for (uint32_t i = 0; i < STABLE; i++)
        take_out(stable[i]);
    for (uint32_t i = 0; i < CHURN; i++) {
        if (churn[i])
            take_out(churn[i]);
    }
    rcu_reclaim(&rcu);
    for (unsigned i = 0; i < 3; i++)
        megaflow_reclaim(&megaflows, &rcu);
}

static void a_reader_sees_all_that_stays_and_nothing_wrong(void **state)
{
    /* Each round starts with a table of one bucket, which grows under the reader. */
    for (unsigned round = 0; round < 8; round++)
        with_every_variant(check_concurrent);
}

/* --- megaflows and masks ------------------------------------------------- */

static void a_slot_is_reused_only_after_a_grace_period(void **state)
{
    const struct flow_key mask = {.ipv4_src = UINT32_MAX};
    struct megaflow_counters counters[LIMIT / 100] = {0};
    struct megaflow_rare rare[LIMIT / 100] = {0};
    struct flow_key key;

    megaflow_table_fini(&megaflows);
    assert_int_equal(megaflow_table_init(&megaflows, 2), 0);
    megaflows.counters[0] = counters;
    megaflows.rare[0] = rare;
    megaflows.n_counters = 1;
    rcu_online(&rcu, 0, rcu_observe(&rcu));
    key_numbered(&key, 1);
    struct megaflow *a = insert(&key, &mask);
    key_numbered(&key, 2);
    struct megaflow *b = insert(&key, &mask);
    assert_int_equal(a->id, 0);
    assert_int_equal(b->id, 1);
    counters[0].packets = 5;
    rare[0].byte_wraps = 1;
    take_out(a);
    assert_false(megaflow_alive(a->slot));
    for (unsigned i = 0; i < 3; i++)
        assert_null(megaflow_alloc(&megaflows, &rcu));
    assert_int_equal(counters[0].packets, 5);
    rcu_publish(&rcu, 0, rcu_observe(&rcu));
    struct megaflow *c = megaflow_alloc(&megaflows, &rcu);
    assert_ptr_equal(c, a);
    assert_int_equal(counters[0].packets, 0);
    assert_int_equal(rare[0].byte_wraps, 0);
    assert_null(megaflow_alloc(&megaflows, &rcu));
    megaflow_unalloc(&megaflows, c);
    assert_ptr_equal(megaflow_alloc(&megaflows, &rcu), a);
    rcu_offline(&rcu, 0);
    take_out(b);
}

static void masks_are_limited_and_shared(void **state)
{
    struct flow_key mask = {0}, key = {0};
    struct tuple *tuples[64];
    int error = 0;

    for (uint32_t i = 0; i < 64; i++) {
        mask.ipv4_src = i + 1;
        tuples[i] = tss_tuple_make(&tss, &mask, &error);
        assert_non_null(tuples[i]);
        assert_ptr_equal(tss_tuple_make(&tss, &mask, &error), tuples[i]);
        assert_ptr_equal(tss_tuple(&tss, &mask), tuples[i]);
    }
    mask.ipv4_src = 65;
    assert_null(tss_tuple_make(&tss, &mask, &error));
    assert_int_equal(error, -EMLINK);
    tss_tuple_release(&tss, tuples[7]);
    assert_non_null(tss_tuple_make(&tss, &mask, &error));
    mask.ipv4_src = 8;
    assert_null(tss_tuple(&tss, &mask));
    /* A mask without a bit matches everything. */
    tss_tuple_release(&tss, tuples[8]);
    mask.ipv4_src = 0;
    struct megaflow *mf = insert(&key, &mask);
    key_numbered(&key, 5);
    for (unsigned i = 0; lookup_variants[i]; i++) {
        const uint8_t one = 1;
        struct megaflow *found;

        if (!lookup_variants[i]->supported())
            continue;
        look_up(lookup_variants[i], &key, &one, 1, &found);
        assert_ptr_equal(found, mf);
    }
    take_out(mf);
}

static void the_order_of_tuples_follows_the_hits(void **state)
{
    struct tuple_order order;
    struct flow_key mask = {0};
    struct tuple *tuples[5];
    int error;

    assert_int_equal(tuple_order_init(&order, 64, 1000, SOCKET_ID_ANY), 0);
    for (uint32_t i = 0; i < 4; i++) {
        mask.ipv4_src = i + 1;
        tuples[i] = tss_tuple_make(&tss, &mask, &error);
    }
    tuple_order_follow(&order, tss.list);
    assert_int_equal(order.n, 4);
    order.hits[tuples[2]->slot] = 100;
    order.hits[tuples[1]->slot] = 50;
    tuple_order_rank(&order);
    assert_ptr_equal(order.refs[0].tuple, tuples[2]);
    assert_ptr_equal(order.refs[1].tuple, tuples[1]);

    /* A tuple that took the slot of one that is gone inherits nothing. */
    uint32_t slot = tuples[2]->slot;
    tss_tuple_release(&tss, tuples[2]);
    mask.ipv4_src = 77;
    tuples[4] = tss_tuple_make(&tss, &mask, &error);
    assert_int_equal(tuples[4]->slot, slot);
    tuple_order_follow(&order, tss.list);
    assert_int_equal(order.n, 4);
    assert_ptr_equal(order.refs[0].tuple, tuples[1]);
    assert_ptr_equal(order.refs[3].tuple, tuples[4]);
    assert_int_equal(order.hits[slot], 0);

    /* Nor do guesses lead to tuples that are gone. */
    assert_null(tuple_guess(&order, 12345, 0));
    tuple_guess_learn(&order, 12345, tuples[1]->slot);
    assert_ptr_equal(tuple_guess(&order, 12345, 0), tuples[1]);
    assert_null(tuple_guess(&order, 12345, 1));
    /* Two flows with one place both stay known; only a third pushes one out. */
    tuple_guess_learn(&order, 12345, tuples[3]->slot);
    tuple_guess_learn(&order, 12345, tuples[3]->slot);
    assert_ptr_equal(tuple_guess(&order, 12345, 0), tuples[3]);
    assert_ptr_equal(tuple_guess(&order, 12345, 1), tuples[1]);
    tuple_guess_learn(&order, 12345, tuples[1]->slot);
    tss_tuple_release(&tss, tuples[1]);
    tuple_order_follow(&order, tss.list);
    assert_null(tuple_guess(&order, 12345, 0));
    tuple_order_fini(&order);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_variant_finds_what_a_linear_search_finds, setup, teardown),
        cmocka_unit_test_setup_teardown(a_tuple_grows_and_loses_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(a_table_is_copied_a_few_buckets_an_insertion, setup, teardown),
        cmocka_unit_test(a_large_array_comes_and_goes_bit_by_bit),
        cmocka_unit_test_setup_teardown(a_dead_table_is_freed_bit_by_bit, setup, teardown),
        cmocka_unit_test_setup_teardown(retired_megaflows_are_freed_some_a_time, setup, teardown),
        cmocka_unit_test_setup_teardown(a_full_bucket_spills_over, setup, teardown),
        cmocka_unit_test_setup_teardown(a_reader_sees_all_that_stays_and_nothing_wrong, setup, teardown),
        cmocka_unit_test_setup_teardown(a_slot_is_reused_only_after_a_grace_period, setup, teardown),
        cmocka_unit_test_setup_teardown(masks_are_limited_and_shared, setup, teardown),
        cmocka_unit_test_setup_teardown(the_order_of_tuples_follows_the_hits, setup, teardown),
    };

    if (test_eal_init("tss_test") != 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
