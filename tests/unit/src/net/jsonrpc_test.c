/* Where messages of a JSON-RPC stream end, and their members. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "src/net/jsonrpc.h"

/* The same however the bytes come: at once, or one by one. */
static ssize_t scan(struct jsonrpc_scanner *scanner, const char *text)
{
    struct jsonrpc_scanner bytewise = {0};
    size_t len = strlen(text);
    ssize_t at_once, one_by_one = 0;

    *scanner = (struct jsonrpc_scanner){0};
    at_once = jsonrpc_scan(scanner, text, len);
    for (size_t i = 1; i <= len && !one_by_one; i++)
        one_by_one = jsonrpc_scan(&bytewise, text, i);
    assert_int_equal(at_once, one_by_one);
    assert_int_equal(scanner->n_members, bytewise.n_members);
    return at_once;
}

static void finds_the_end(void **state)
{
    static const struct {
        const char *text;
        ssize_t len;
    } cases[] = {
        {"", 0},
        {"  \n", 0},
        {"{}", 2},
        {" {} {}", 3},
        {"{\"a\":1}", 7},
        {"{\"a\":1}{\"b\":2}", 7},
        {"{\"a\":\"}\"}", 9},
        {"{\"a\":\"\\\"}\"}", 11},
        {"{\"a\":\"\\\\\"}", 10},
        {"{\"a\":[{},[{}]]}", 15},
        {"{\"a\":{\"b\":\"}", 0},
        {"{\"a\":[}]", -1},
        {"x", -1},
        {"[]", -1},
        {"\"a\"", -1},
        {"}", -1},
        {"{]", -1},
        {"{\"a\":1]", -1},
        {"{1}", -1},
        {"{{}}", -1},
        {"{\"a\" \"b\"}", -1},
        {"{\"a\",\"b\"}", -1},
        {"{\"a\"}", -1},
        {"{:1}", -1},
        {"{\"a\":1,\"b\":2,\"c\":3,\"d\":4,\"e\":5,\"f\":6,\"g\":7,\"h\":8}", 49},
        {"{\"a\":1,\"b\":2,\"c\":3,\"d\":4,\"e\":5,\"f\":6,\"g\":7,\"h\":8,\"i\":9}", -1},
    };
    struct jsonrpc_scanner scanner;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (scan(&scanner, cases[i].text) != cases[i].len)
            fail_msg("%s", cases[i].text);
}

static void finds_members(void **state)
{
    const char *text = "{ \"id\" : null, \"method\":\"update2\" ,\"params\":[\"id\",{\"id\":\"x\"}] , \"\":{} }";
    struct jsonrpc_scanner scanner;

    assert_int_equal(scan(&scanner, text), strlen(text));
    assert_int_equal(scanner.n_members, 4);
    const struct jsonrpc_member *id = jsonrpc_member(&scanner, text, "id");
    const struct jsonrpc_member *params = jsonrpc_member(&scanner, text, "params");
    assert_memory_equal(text + id->value, " null", id->value_len);
    assert_memory_equal(text + params->value, "[\"id\",{\"id\":\"x\"}] ", params->value_len);
    assert_non_null(jsonrpc_member(&scanner, text, ""));
    assert_null(jsonrpc_member(&scanner, text, "result"));
    assert_null(jsonrpc_member(&scanner, text, "i"));
}

/* A byte is looked at once, however many there are before it: 4 MB, 100 bytes at a time. */
static void scans_once(void **state)
{
    enum { SIZE = 4 << 20 };
    static char text[SIZE];
    struct jsonrpc_scanner scanner = {0};

    memset(text, 'x', sizeof text);
    memcpy(text, "{\"a\":\"", 6);
    memcpy(text + SIZE - 2, "\"}", 2);
    for (size_t len = 100; len < SIZE; len += 100) {
        assert_int_equal(jsonrpc_scan(&scanner, text, len), 0);
        assert_int_equal(scanner.seen, len);
    }
    assert_int_equal(jsonrpc_scan(&scanner, text, SIZE), SIZE);
}

static void skips_values(void **state)
{
    static const struct {
        const char *text;
        int len; /* -1: does not end */
    } cases[] = {
        {"1,", 1},      {"-12.5e3 ", 7},    {"true}", 4},    {"null", 4}, {"\"a\\\"b\",", 6},
        {"[1,2],3", 5}, {"{\"a\":[]}}", 8}, {"[\"]\"]x", 5}, {"[", -1},   {"\"a", -1},
        {"\"a\\", -1},  {"", -1},           {"]", -1},       {"[[]", -1}, {"{}{}", 2},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *text = cases[i].text, *end = jsonrpc_skip_value(text, text + strlen(text));
        if ((end ? (int)(end - text) : -1) != cases[i].len)
            fail_msg("%s", text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_the_end),
        cmocka_unit_test(finds_members),
        cmocka_unit_test(scans_once),
        cmocka_unit_test(skips_values),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
