/* The rows of actions: what tables made of them rely on. That there is a row for each type the linker sees to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "src/actions/act_ops.h"
#include "src/match/tlv_map.h"
#include "src/openflow/wire/act_codec_impl.h"

static void every_action_has_a_text(void **state)
{
    for (enum act_type type = 0; type < ACT_N_TYPES; type++) {
        assert_non_null(act_ops[type]->name);
        assert_non_null(act_ops[type]->print);
        assert_true(act_sizes[type] >= sizeof(struct act));
    }
}

static void action_sets_run_what_they_take(void **state)
{
    for (enum act_type type = 0; type < ACT_N_TYPES; type++) {
        const struct act act = {.type = (uint16_t)type};

        assert_false(act_ops[type]->idle && act_ops[type]->rank != ACT_RANK_NONE);
        assert_false(act_ops[type]->bucket_only && act_ops[type]->rank == ACT_RANK_NONE);
        if (act_fits_write_actions(&act))
            assert_true(act_fits_bucket(&act));
    }
}

static bool same_number(const struct act_wire *a, const struct act_wire *b)
{
    return a->vendor == b->vendor && a->number == b->number && a->versions & b->versions;
}

/* A number that two rows have would be read as the later row's. */
static void numbers_belong_to_one_row(void **state)
{
    for (enum act_type type = 0; type < ACT_N_TYPES; type++) {
        for (const struct act_wire *wire = act_codecs[type]->wires; wire && wire->decode; wire++) {
            assert_true(wire->number < ACT_NUMBERS);
            assert_true(wire->versions != 0 && !(wire->versions & ~OF_VERSIONS));
            for (enum act_type other = 0; other < ACT_N_TYPES; other++) {
                for (const struct act_wire *w = act_codecs[other]->wires; w && w->decode; w++) {
                    if (w != wire && same_number(w, wire))
                        fail_msg("%s and %s have number %u", act_ops[type]->name, act_ops[other]->name, wire->number);
                }
            }
        }
    }
}

static void rows_are_found_by_their_numbers(void **state)
{
    enum act_type found;

    for (enum act_type type = 0; type < ACT_N_TYPES; type++) {
        for (const struct act_wire *wire = act_codecs[type]->wires; wire && wire->decode; wire++) {
            for (uint8_t version = OF10; version <= OF15; version++) {
                if (!(wire->versions >> version & 1))
                    continue;
                assert_ptr_equal(act_wire_find(version, wire->vendor, wire->number, &found), wire);
                assert_int_equal(found, type);
            }
        }
    }
    assert_null(act_wire_find(OF13, 0, 28, &found)); /* copy_field is OpenFlow 1.5's */
    assert_null(act_wire_find(OF15, 0, ACT_NUMBERS - 1, &found));
    assert_null(act_wire_find(OF15, OF_EXPERIMENTER_NICIRA, UINT16_MAX, &found));
}

static void instructions_are_read_and_written(void **state)
{
    unsigned n = 0;

    for (enum act_type type = 0; type < ACT_N_TYPES; type++) {
        const struct act_codec *codec = act_codecs[type];

        if (codec->instruction.number == 0) {
            assert_int_equal(codec->instruction.versions, 0);
            assert_true(codec->encode != NULL && codec->wires != NULL);
            continue;
        }
        n++;
        assert_true(type >= ACT_FIRST_INSTRUCTION);
        assert_true(codec->instruction.number < INST_NUMBERS);
        assert_int_equal(instruction_find(codec->instruction.number), type);
        assert_non_null(codec->instruction.decode);
        assert_non_null(codec->instruction.encode);
    }
    assert_int_equal(n, 6);
    assert_true(instruction_number_known(OF13, 6)); /* meter */
    assert_false(instruction_number_known(OF15, 6));
    assert_false(instruction_number_known(OF13, 7)); /* stat_trigger */
    assert_true(instruction_number_known(OF15, 7));
    assert_false(instruction_number_known(OF15, 0));
    assert_false(instruction_number_known(OF15, INST_NUMBERS));
}

/* ovn-controller says so where a packet whose TTL has run out shall be dropped. */
static void a_lowered_ttl_may_tell_nobody(void **state)
{
    static const uint8_t bytes[16] = {0xff, 0xff, 0, 16, 0, 0, 0x23, 0x20, 0, NXAST_DEC_TTL_CNT_IDS};
    struct reader r = {bytes, sizeof bytes, false};
    struct of_buf buf = {NULL, 0, 0};
    struct act_buffer acts;
    struct act_list list;
    char *text;

    act_buffer_init(&acts);
    assert_int_equal(acts_decode(&r, OF15, &acts), 0);
    list = act_buffer_list(&acts);
    text = act_list_format(&list, NULL, NULL);
    assert_string_equal(text, "dec_ttl()");
    acts_encode(&buf, &list, OF15, NULL);
    assert_int_equal(buf.len, sizeof bytes);
    assert_memory_equal(buf.data, bytes, sizeof bytes);
    free(text);
    of_buf_free(&buf);
    act_buffer_free(&acts);
}

static int decode_one(const uint8_t *bytes, size_t len)
{
    struct reader r = {bytes, len, false};
    struct act_buffer acts;
    int error;

    act_buffer_init(&acts);
    error = acts_decode(&r, OF15, &acts);
    act_buffer_free(&acts);
    return error;
}

/* A field of variable length has that of its option. ovn-controller writes the longest that there could be, 124, as
 * Open vSwitch does. */
static void copies_name_options_by_any_length(void **state)
{
    uint8_t from_option[24] = {0, 28, 0, 24, 0, 16, 0, 16, 0, 0, 0, 0, 0, 1, 40 << 1, 124, 0, 1, 14 << 1, 4};
    uint8_t to_option[24] = {0, 28, 0, 24, 0, 16, 0, 0, 0, 16, 0, 0, 0, 1, 14 << 1, 4, 0, 1, 40 << 1, 124};
    uint8_t beyond[24] = {0, 28, 0, 24, 0, 16, 0, 17, 0, 0, 0, 0, 0, 1, 40 << 1, 124, 0, 1, 14 << 1, 4};
    uint8_t other[24] = {0, 28, 0, 24, 0, 16, 0, 0, 0, 0, 0, 0, 0, 1, 14 << 1, 8, 0, 1, 14 << 1, 4};
    const struct tlv_map map = {.class = 0x102, .type = 0x80, .len = 4, .index = 0};

    assert_int_equal(decode_one(from_option, sizeof from_option), OFPERR_NXFMFC_INVALID_TLV_FIELD);
    assert_int_equal(tlv_map_mod(TLV_ADD, &map, 1), 0);
    assert_int_equal(decode_one(from_option, sizeof from_option), 0);
    assert_int_equal(decode_one(to_option, sizeof to_option), 0);
    from_option[15] = 4;
    assert_int_equal(decode_one(from_option, sizeof from_option), 0);
    assert_int_equal(decode_one(beyond, sizeof beyond), OFPERR_BAC_BAD_ARGUMENT);
    assert_int_equal(decode_one(other, sizeof other), OFPERR_BAC_BAD_SET_LEN);
    assert_int_equal(tlv_map_mod(TLV_CLEAR, NULL, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_action_has_a_text),           cmocka_unit_test(action_sets_run_what_they_take),
        cmocka_unit_test(numbers_belong_to_one_row),         cmocka_unit_test(rows_are_found_by_their_numbers),
        cmocka_unit_test(instructions_are_read_and_written), cmocka_unit_test(a_lowered_ttl_may_tell_nobody),
        cmocka_unit_test(copies_name_options_by_any_length),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
