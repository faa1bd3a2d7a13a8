/* Tables that are resized a few slots at a time: nothing is lost or met twice, and no operation is long. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

#include "pmd/base/big_array.h"
#include "pmd/base/open_hash.h"

struct element {
    uint64_t key; /* not 0 */
    uint32_t hash;
};
#define TYPE ((struct open_hash_type){.slot_size = sizeof(struct element), .hash_at = offsetof(struct element, hash)})

#define KEYS 20000
/* Of an operation: what it looks at by itself, and a cluster, which at three quarters full hardly ever has so many. */
#define LOOKED_AT_MAX 1000

static uint64_t random_state;

static uint64_t random_u64(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

/* One of `n`: where few are different, clusters are long. */
static uint32_t hash_of(uint64_t key, uint32_t n)
{
    return (uint32_t)(key * UINT64_C(0x9e3779b97f4a7c15) >> 32) % n * UINT32_C(2654435761);
}

static struct element *find(const struct open_hash *hash, uint64_t key, uint32_t n_hashes, unsigned *n_found)
{
    struct element *slots, *found = NULL;
    uint32_t mask;

    *n_found = 0;
    for (unsigned n = 0; (slots = open_hash_array(hash, n, &mask)); n++) {
        for (uint32_t i = hash_of(key, n_hashes) & mask; slots[i].key != 0; i = (i + 1) & mask) {
            if (slots[i].key == key) {
                found = &slots[i];
                ++*n_found;
            }
        }
    }
    return found;
}

static void add(struct open_hash *hash, uint64_t key, uint32_t n_hashes)
{
    struct element *slot = open_hash_insert(hash, TYPE, hash_of(key, n_hashes));

    assert_int_equal(slot->key, 0);
    *slot = (struct element){.key = key, .hash = hash_of(key, n_hashes)};
}

static void agree(const struct open_hash *hash, const bool *has, uint32_t n_hashes)
{
    uint32_t used = 0;

    for (uint64_t key = 1; key <= KEYS; key++) {
        unsigned n;

        find(hash, key, n_hashes, &n);
        assert_int_equal(n, has[key]);
        used += has[key];
    }
    assert_int_equal(hash->used, used);
}

/* Phases in which most operations add, and in which most remove. */
static void churn(uint32_t n_hashes)
{
    struct open_hash hash = {0};
    bool has[KEYS + 1] = {false};

    for (unsigned i = 0; i < 400000; i++) {
        uint64_t key = random_u64() % KEYS + 1;
        bool adds = random_u64() % 8 < (i / 50000 % 2 == 0 ? 7 : 1);
        unsigned n;
        struct element *slot = find(&hash, key, n_hashes, &n);

        assert_int_equal(n, has[key]);
        if (adds && !has[key])
            add(&hash, key, n_hashes);
        else if (!adds && has[key])
            open_hash_remove(&hash, TYPE, slot);
        else
            continue;
        has[key] = adds;
        if (i % 50000 < 2 || i % 50000 == 25000)
            agree(&hash, has, n_hashes);
    }
    agree(&hash, has, n_hashes);
    open_hash_free(&hash, TYPE);
    assert_int_equal(open_hash_memory(&hash, TYPE), 0);
}

static void holds_what_a_set_holds(void **state)
{
    random_state = 7;
    churn(UINT32_MAX);
    churn(KEYS / 4); /* equal hashes, which come from the same stages of different rules */
}

/* How many slots of the old array were looked at since `left_before`. */
static uint32_t looked_at(const struct open_hash *hash, uint32_t left_before)
{
    return !hash->resize || !hash->resize->old ? left_before : left_before - hash->resize->left;
}

static uint32_t left(const struct open_hash *hash)
{
    return !hash->resize || !hash->resize->old ? 0 : hash->resize->left;
}

static void no_operation_is_long(void **state)
{
    const uint64_t n = 1000000;
    struct open_hash hash = {0};
    uint32_t most = 0, was_left, resizes = 0;
    size_t ready = 0;

    for (uint64_t key = 1; key <= n; key++) {
        was_left = left(&hash);
        add(&hash, key, UINT32_MAX);
        if (left(&hash) > was_left)
            resizes++;
        else if (looked_at(&hash, was_left) > most)
            most = looked_at(&hash, was_left);
        if (hash.resize) {
            if (hash.resize->ready > ready)
                assert_true(hash.resize->ready - ready <= 64 << 10);
            ready = hash.resize->ready;
        }
    }
    assert_true(resizes >= 10);
    assert_true(most < LOOKED_AT_MAX);
    assert_true(open_hash_memory(&hash, TYPE) <= 4 * n * sizeof(struct element));
    most = 0;
    for (uint64_t key = 1; key <= n; key++) {
        unsigned found;
        struct element *slot = find(&hash, key, UINT32_MAX, &found);

        was_left = left(&hash);
        open_hash_remove(&hash, TYPE, slot);
        if (left(&hash) <= was_left && looked_at(&hash, was_left) > most)
            most = looked_at(&hash, was_left);
    }
    assert_true(most < LOOKED_AT_MAX);
    assert_int_equal(hash.used, 0);
    assert_true(hash.size <= 1024);
    open_hash_free(&hash, TYPE);
}

static void big_arrays_are_zero_and_get_memory_in_steps(void **state)
{
    static const size_t sizes[] = {64, 128 << 10, (2 << 20) + 4096, 4 << 20};

    for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        uint8_t *array = big_array_get(sizes[i]);
        size_t ready = 0, steps = 0;

        for (; ready < sizes[i]; steps++)
            ready = big_array_ready(array, sizes[i], ready, 64 << 10);
        assert_true(steps <= sizes[i] / (64 << 10) + 1);
        assert_int_equal(array[0], 0);
        assert_int_equal(memcmp(array, array + 1, sizes[i] - 1), 0);
        memset(array, 1, sizes[i]);
        big_array_free(array, sizes[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(holds_what_a_set_holds),
        cmocka_unit_test(no_operation_is_long),
        cmocka_unit_test(big_arrays_are_zero_and_get_memory_in_steps),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
