/* Requests of flow monitors in each version's form: they survive the wire, and what is wrong with them has a name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "src/openflow/codec/msg_monitor.h"
#include "src/match/field.h"
#include "tests/lib/of_replies.h"

static const uint8_t versions[] = {OF10, OF13, OF14, OF15};

static struct of_monitor_request sample(uint8_t version, uint32_t id)
{
    struct of_monitor_request rq = {
        .id = id,
        .flags = OF_MONITOR_ADD | OF_MONITOR_INSTRUCTIONS | OF_MONITOR_NO_ABBREV,
        .command = version >= OF14 ? OF_MONITOR_CMD_MODIFY : OF_MONITOR_CMD_ADD,
        .table_id = 3,
        .out_port = 7,
        .out_group = version >= OF14 ? 9 : OFGROUP_ANY,
    };

    match_init_all(&rq.match);
    rq.match.value.in_port = 5;
    rq.match.mask.in_port = UINT32_MAX;
    return rq;
}

static void requests_survive_the_wire(void **state)
{
    for (size_t v = 0; v < sizeof versions; v++) {
        struct of_buf buf = {0};
        for (uint32_t id = 1; id <= 3; id++) {
            const struct of_monitor_request rq = sample(versions[v], id);
            of_monitor_request_encode(&buf, versions[v], &rq);
        }
        struct of_bytes body = {.data = buf.data, .len = buf.len};
        for (uint32_t id = 1; id <= 3; id++) {
            const struct of_monitor_request want = sample(versions[v], id);
            struct of_monitor_request got;
            assert_int_equal(of_monitor_request_next(versions[v], &body, &got), 1);
            assert_int_equal(got.id, want.id);
            assert_int_equal(got.flags, want.flags);
            assert_int_equal(got.command, want.command);
            assert_int_equal(got.table_id, want.table_id);
            assert_int_equal(got.out_port, want.out_port);
            assert_int_equal(got.out_group, want.out_group);
            assert_memory_equal(&got.match, &want.match, sizeof got.match);
        }
        struct of_monitor_request none;
        assert_int_equal(of_monitor_request_next(versions[v], &body, &none), 0);
        of_buf_free(&buf);
    }
}

static int error_of(uint8_t version, const struct of_monitor_request *rq, size_t cut)
{
    struct of_buf buf = {0};
    struct of_monitor_request got;

    of_monitor_request_encode(&buf, version, rq);
    if (version < OF14 && rq->flags > 0x3f) /* the encoder leaves out what there is not */
        buf.data[4] = rq->flags >> 8, buf.data[5] = rq->flags & 0xff;
    struct of_bytes body = {.data = buf.data, .len = buf.len - cut};
    int result = of_monitor_request_next(version, &body, &got);
    of_buf_free(&buf);
    return -result;
}

static void wrong_ones_are_refused(void **state)
{
    for (size_t v = 0; v < sizeof versions; v++) {
        struct of_monitor_request rq = sample(versions[v], 1);
        for (size_t cut = 1; cut < 16; cut++)
            assert_true(error_of(versions[v], &rq, cut) > 0);
        rq.flags = 0x8001;
        assert_int_equal(error_of(versions[v], &rq, 0), OFPERR_MOFC_BAD_FLAGS);
        rq = sample(versions[v], 1);
        rq.command = 3;
        if (versions[v] >= OF14)
            assert_int_equal(error_of(versions[v], &rq, 0), OFPERR_MOFC_BAD_COMMAND);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_survive_the_wire),
        cmocka_unit_test(wrong_ones_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
