/* Checks of the learn action: do the fields that it copies exist in the packets that its rule matches, and does the
 * rule that it makes meet its own prerequisites? Control thread. */
#include "src/actions/act_check.h"
#include "src/match/of_error.h"

/* A field that cannot be masked is matched as a whole. */
static bool can_match(const struct subfield *dst)
{
    return dst->field->maskable != FIELD_MASK_NONE || (dst->ofs == 0 && dst->n_bits == dst->field->n_bits);
}

int act_check_learn(const struct act_learn *learn, const struct match *m)
{
    struct match taught;

    match_init_all(&taught);
    for (uint32_t i = 0; i < learn->n_specs; i++) {
        const struct learn_spec *spec = &learn->specs[i];
        int error = spec->immediate ? 0 : act_check_read(spec->src.field, m);

        if (error == 0 && spec->dst_type == LEARN_MATCH) {
            error = can_match(&spec->dst) ? act_check_read(spec->dst.field, &taught) : OFPERR_BAC_BAD_ARGUMENT;
            /* What is given satisfies prerequisites of what follows. */
            if (spec->immediate) {
                subfield_set(&spec->dst, &taught.value, &spec->value);
                subfield_mask(&spec->dst, &taught.mask);
            }
        } else if (error == 0 && spec->dst_type == LEARN_LOAD) {
            error = act_check_write(spec->dst.field, &taught);
        }
        if (error != 0)
            return error;
    }
    if (learn->flags & LEARN_WRITE_RESULT)
        return act_check_write(learn->result_dst.field, m);
    return 0;
}
