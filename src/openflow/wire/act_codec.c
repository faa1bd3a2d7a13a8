/* The table of rows, and a way from numbers to rows. */
#include "src/openflow/wire/act_codec_impl.h"

#define ACT_ROW(TYPE, name, args) [ACT_##TYPE] = &act_codec_##name,
const struct act_codec *const act_codecs[ACT_N_TYPES] = {ACT_TYPES(ACT_ROW)};

/* By number; made of the rows when the first message is read. */
static struct {
    bool made;
    struct number {
        const struct act_wire *wire; /* NULL: there is none */
        enum act_type type;
    } standard[OF15 + 1][ACT_NUMBERS], nicira[OF15 + 1][ACT_NUMBERS];
    enum act_type instructions[INST_NUMBERS];
} by_number;

static void note_wire(enum act_type type, const struct act_wire *wire)
{
    for (uint8_t version = OF10; version <= OF15; version++) {
        struct number *number =
            wire->vendor ? &by_number.nicira[version][wire->number] : &by_number.standard[version][wire->number];

        if (wire->versions >> version & 1)
            *number = (struct number){wire, type};
    }
}

static void make_index(void)
{
    for (unsigned number = 0; number < INST_NUMBERS; number++)
        by_number.instructions[number] = ACT_N_TYPES;
    for (enum act_type type = 0; type < ACT_N_TYPES; type++) {
        const struct act_codec *codec = act_codecs[type];

        for (const struct act_wire *wire = codec->wires; wire && wire->decode; wire++)
            note_wire(type, wire);
        if (codec->instruction.number != 0)
            by_number.instructions[codec->instruction.number] = type;
    }
    by_number.made = true;
}

const struct act_wire *act_wire_find(uint8_t version, uint32_t vendor, uint16_t number, enum act_type *type)
{
    const struct number *found;

    if (!by_number.made)
        make_index();
    if (number >= ACT_NUMBERS)
        return NULL;
    found = vendor ? &by_number.nicira[version][number] : &by_number.standard[version][number];
    *type = found->type;
    return found->wire;
}

enum act_type instruction_find(uint16_t number)
{
    if (!by_number.made)
        make_index();
    return number < INST_NUMBERS ? by_number.instructions[number] : ACT_N_TYPES;
}

bool act_number_known(uint8_t version, uint16_t number)
{
    enum act_type type;

    return act_wire_find(version, 0, number, &type);
}
