/* The tables of numbers that renderers of the status walk, and what a database keeps of a port. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "src/app/status.h"

/* What OpenMetrics allows in a name. */
static void check_name(const char *name)
{
    assert_true(name[0] >= 'a' && name[0] <= 'z');
    assert_int_equal(strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_"), strlen(name));
}

static void every_number_is_described_and_has_a_name_of_its_own(void **state)
{
    for (int k = 0; k < STATUS_N_KINDS; k++) {
        const struct status_kind *kind = &status_kinds[k];

        check_name(kind->name);
        assert_true(kind->n_labels <= 3);
        for (unsigned i = 0; i < kind->n_labels; i++)
            check_name(kind->labels[i]);
        for (size_t i = 0; i < kind->n_metrics; i++) {
            const struct metric *metric = &kind->metrics[i];

            check_name(metric->name);
            assert_true(strlen(metric->help) > 4);
            assert_true(metric->size == 4 || metric->size == 8);
            for (size_t j = 0; j < i; j++)
                assert_true(strcmp(kind->metrics[j].name, metric->name) != 0 ||
                            strcmp(kind->metrics[j].group, metric->group) != 0);
        }
    }
}

static void numbers_are_read_where_they_are(void **state)
{
    const struct status_bridge bridge = {.ports = 3, .rules = UINT32_MAX, .macs = 1, .tls_refused = UINT64_C(1) << 40};
    const struct status_port port = {.rx_packets = 7, .tx_dropped = 9};
    const struct status_kind *kind = &status_kinds[STATUS_BRIDGE];
    json_t *object = json_object();

    metrics_to_json(kind->metrics, kind->n_metrics, &bridge, object);
    assert_int_equal(json_integer_value(json_object_get(object, "ports")), 3);
    assert_int_equal(json_integer_value(json_object_get(object, "rules")), UINT32_MAX);
    assert_int_equal(json_integer_value(json_object_get(object, "tls_refused")), INT64_C(1) << 40);
    json_object_clear(object);

    kind = &status_kinds[STATUS_PORT];
    metrics_to_json(kind->metrics, kind->n_metrics, &port, object);
    assert_int_equal(json_integer_value(json_object_get(json_object_get(object, "rx"), "packets")), 7);
    assert_int_equal(json_integer_value(json_object_get(json_object_get(object, "tx"), "dropped")), 9);
    assert_int_equal(json_integer_value(json_object_get(json_object_get(object, "tx"), "packets")), 0);
    json_decref(object);
}

static void put(void *arg, const char *name, uint64_t value)
{
    json_object_set_new(arg, name, json_integer((json_int_t)value));
}

static void a_database_gets_open_vswitchs_names_and_reasons_of_drops(void **state)
{
    struct status_port port = {.rx_packets = 1,
                               .rx_bytes = 2,
                               .rx_errors = 3,
                               .rx_dropped = 4,
                               .tx_packets = 5,
                               .tx_bytes = 6,
                               .tx_errors = 7,
                               .tx_dropped = 8};
    static const char *const names[] = {"rx_packets", "rx_bytes", "rx_errors", "rx_dropped",
                                        "tx_packets", "tx_bytes", "tx_errors", "tx_dropped"};
    json_t *all = json_object();

    port.drops[DROP_RX_RUNT] = 11;
    status_port_statistics(&port, put, all);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        assert_int_equal(json_integer_value(json_object_get(all, names[i])), i + 1);
    assert_int_equal(json_integer_value(json_object_get(all, "sluice_drop_rx_runt")), 11);
    assert_int_equal(json_object_size(all), sizeof names / sizeof names[0] + 1);
    json_decref(all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_number_is_described_and_has_a_name_of_its_own),
        cmocka_unit_test(numbers_are_read_where_they_are),
        cmocka_unit_test(a_database_gets_open_vswitchs_names_and_reasons_of_drops),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
