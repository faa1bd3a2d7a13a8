/* What docs/performance.md says of memory, so that it stays true. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <event2/buffer.h>
#include <jansson.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pmd/cache/emc.h"
#include "pmd/cache/megaflow.h"
#include "pmd/base/mem.h"
#include "pmd/base/memory.h"
#include "src/net/library_memory.h"
#include "src/tables/pipeline.h"
#include "tests/lib/own_time.h"

#define ENTRIES 65536
#define RULES 20000

static void an_emc_entry_takes_4_bytes(void **state)
{
    struct emc emc;

    assert_int_equal(emc_init(&emc, ENTRIES, -1), 0);
    assert_in_range(emc.capacity, ENTRIES, ENTRIES + EMC_WAYS - 1);
    assert_in_range(emc.memory.size, ENTRIES * 4, ENTRIES * 4.3);
    emc_fini(&emc);
}

static void a_megaflow_takes_128_bytes(void **state)
{
    struct megaflow_table table;

    assert_int_equal(megaflow_table_init(&table, ENTRIES), 0);
    assert_int_equal(table.slots_memory.size, (size_t)ENTRIES * 64);
    assert_int_equal(table.memory.size, (size_t)ENTRIES * 64);
    assert_int_equal(sizeof(struct megaflow_counters) + sizeof(struct megaflow_rare), 16);
    megaflow_table_fini(&table);
}

static void a_rule_takes_at_most_400_bytes(void **state)
{
    struct pipeline *pipeline = pipeline_create(NULL);
    struct act_output output = {.h = {.type = ACT_OUTPUT, .len = sizeof output}, .port = 2};
    struct flow_mod fm = {.priority = 100,
                          .out_port = OFPORT_ANY,
                          .out_group = OFGROUP_ANY,
                          .acts = {.acts = &output.h, .len = sizeof output}};

    fm.match.value.in_port = 1;
    fm.match.mask.in_port = UINT32_MAX;
    fm.match.value.pkt.eth_type = RTE_BE16(0x0800);
    fm.match.mask.pkt.eth_type = UINT16_MAX;
    fm.match.mask.pkt.ipv4_dst = UINT32_MAX;
    for (uint32_t i = 0; i < RULES; i++) {
        fm.match.value.pkt.ipv4_dst = rte_cpu_to_be_32(0x0a000000 + i);
        assert_int_equal(pipeline_flow_mod(pipeline, &fm), 0);
    }
    assert_int_equal(pipeline_n_rules(pipeline, TABLE_ALL), RULES);
    assert_true(pipeline_memory(pipeline) / RULES <= 400);
    pipeline_destroy(pipeline);
}

/* An array that doubles is not copied, whatever was allocated and freed before. */
static void large_blocks_grow_without_a_copy(void **state)
{
    const size_t size = 16 << 20;
    struct rusage before, after;
    uint8_t *array;
    void *volatile first; /* else the compiler leaves out what nobody reads, and its malloc() with it */

#ifdef __SANITIZE_ADDRESS__
    skip(); /* it has an allocator of its own */
#endif
    memory_init();
    first = malloc(size + 4096);
    memset(first, 1, size);
    free(first);
    array = malloc(size);
    void *volatile behind = malloc(size); /* in the way, were they in one heap */
    memset(array, 2, size);
    assert_int_equal(getrusage(RUSAGE_THREAD, &before), 0);
    array = realloc(array, 2 * size);
    assert_int_equal(getrusage(RUSAGE_THREAD, &after), 0);
    assert_int_equal(array[size - 1], 2);
    /* A copy would have touched 4096 new pages, or 8 huge ones: then the pages are there. */
    assert_in_range(after.ru_minflt - before.ru_minflt, 0, 3);
    free(array);
    free(behind);
}

/* Small blocks that were freed are not all joined at once when a large one is. */
static void small_blocks_are_joined_when_they_are_freed(void **state)
{
    enum { N = 400000 };
    void **blocks, *volatile large;
    uint64_t start;

    memory_init();
    blocks = malloc(N * sizeof(void *));
    assert_non_null(blocks);
    for (unsigned i = 0; i < N; i++) {
        blocks[i] = malloc(40);
        assert_non_null(blocks[i]);
        memset(blocks[i], 1, 40);
    }
    for (unsigned i = 0; i < N; i++)
        free(blocks[(uint64_t)i * 7919 % N]); /* N has no such factor: each once */
    start = own_us();
    large = malloc(100000);
    free(large);
    assert_in_range(own_us() - start, 0, 2000 * OWN_TIME_FACTOR);
    free(blocks);
}

static void fill_with_rules(void)
{
    struct pipeline *pipeline = pipeline_create(NULL);

    for (uint32_t i = 0; i < 10000000; i++) {
        struct flow_mod fm = {.priority = 100, .out_port = OFPORT_ANY, .out_group = OFGROUP_ANY};

        fm.match.value.in_port = i;
        fm.match.mask.in_port = UINT32_MAX;
        if (pipeline_flow_mod(pipeline, &fm) != 0)
            _exit(2);
    }
}

static void fill_with_text(void)
{
    void **last = NULL, **text;

    for (;;) {
        text = (void **)(void *)mem_asprintf("%100s", "");
        *text = last;
        last = text;
    }
}

/* A library that would go on with half of it. */
static void fill_with_json(void)
{
    json_t *array = json_array();

    while (json_array_append_new(array, json_object()) == 0) {
    }
}

static void fill_a_socket(void)
{
    struct evbuffer *output = evbuffer_new();
    static uint8_t block[65536];

    while (evbuffer_add(output, block, sizeof block) == 0) {
    }
}

/* In a process of its own that may have little. Returns how it ended; what it wrote to standard error is in `said`. */
static int run_out_of_memory(void (*fill)(void), bool starting, char *said, size_t size)
{
    int fds[2], status;
    ssize_t n, len = 0;
    pid_t pid;

    assert_int_equal(pipe(fds), 0);
    pid = fork();
    if (pid == 0) {
        const struct rlimit none = {0};
        struct rlimit little = {.rlim_cur = (rlim_t)400 << 20, .rlim_max = (rlim_t)400 << 20};

        signal(SIGABRT, SIG_DFL);
        dup2(fds[1], STDERR_FILENO);
        memory_init();
        library_memory_init();
        memory_set_starting(starting);
        setrlimit(RLIMIT_CORE, &none);
        setrlimit(RLIMIT_AS, &little);
        fill();
        _exit(3);
    }
    close(fds[1]);
    while ((n = read(fds[0], said + len, size - 1 - (size_t)len)) > 0)
        len += n;
    said[len] = 0;
    close(fds[0]);
    waitpid(pid, &status, 0);
    return status;
}

static void the_end_of_memory_is_told(void **state)
{
    static const struct {
        void (*fill)(void);
        const char *what;
    } cases[] = {
        {fill_with_rules, "out of memory for rules, groups and meters"},
        {fill_with_text, "out of memory for the configuration"},
        {fill_with_json, "out of memory for JSON text"},
        {fill_a_socket, "out of memory for messages of sockets"},
    };
    static char said[16384];

#ifdef __SANITIZE_ADDRESS__
    skip(); /* it needs terabytes of address space */
#endif
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int status = run_out_of_memory(cases[i].fill, false, said, sizeof said);

        assert_true(WIFSIGNALED(status));
        assert_int_equal(WTERMSIG(status), SIGABRT);
        assert_non_null(strstr(said, cases[i].what));
        assert_non_null(strstr(said, "max_rules"));
    }
}

static void a_start_without_memory_is_a_failed_start(void **state)
{
    static char said[16384];
    int status;

#ifdef __SANITIZE_ADDRESS__
    skip(); /* as above */
#endif
    status = run_out_of_memory(fill_with_text, true, said, sizeof said);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 1);
    assert_non_null(strstr(said, "out of memory for the configuration"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_emc_entry_takes_4_bytes),
        cmocka_unit_test(a_megaflow_takes_128_bytes),
        cmocka_unit_test(a_rule_takes_at_most_400_bytes),
        cmocka_unit_test(large_blocks_grow_without_a_copy),
        cmocka_unit_test(small_blocks_are_joined_when_they_are_freed),
        cmocka_unit_test(the_end_of_memory_is_told),
        cmocka_unit_test(a_start_without_memory_is_a_failed_start),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
