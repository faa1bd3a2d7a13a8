#include "src/actions/act_fields.h"

#include "src/match/tlv_map.h"

static void visit(field_fn *fn, void *arg, const struct field *field)
{
    if (field)
        fn(arg, field);
}

static void each_learn(const struct act_learn *learn, field_fn *fn, void *arg)
{
    visit(fn, arg, learn->result_dst.field);
    for (uint32_t i = 0; i < learn->n_specs; i++) {
        visit(fn, arg, learn->specs[i].src.field);
        visit(fn, arg, learn->specs[i].dst.field);
    }
}

static void each_act(const struct act *act, field_fn *fn, void *arg)
{
    struct act_list inner;

    switch (act->type) {
    case ACT_SET_FIELD:
        visit(fn, arg, ((const struct act_set_field *)act)->field);
        break;
    case ACT_MOVE:
        visit(fn, arg, ((const struct act_move *)act)->src.field);
        visit(fn, arg, ((const struct act_move *)act)->dst.field);
        break;
    case ACT_OUTPUT_REG:
        visit(fn, arg, ((const struct act_output_reg *)act)->src.field);
        break;
    case ACT_STACK_PUSH:
    case ACT_STACK_POP:
    case ACT_DELETE_FIELD:
        visit(fn, arg, ((const struct act_subfield *)act)->sf.field);
        break;
    case ACT_MULTIPATH:
        visit(fn, arg, ((const struct act_multipath *)act)->dst.field);
        break;
    case ACT_BUNDLE:
        visit(fn, arg, ((const struct act_bundle *)act)->dst.field);
        break;
    case ACT_LEARN:
        each_learn((const struct act_learn *)act, fn, arg);
        break;
    default: /* check_pkt_larger writes registers only */
        if (act_nested(act, &inner))
            act_list_each_field(&inner, fn, arg);
        break;
    }
}

void act_list_each_field(const struct act_list *list, field_fn *fn, void *arg)
{
    ACT_FOR_EACH (act, list)
        each_act(act, fn, arg);
}

static void count_option(void *arg, const struct field *field)
{
    tlv_map_count_field(field, *(const int *)arg);
}

void act_list_count_options(const struct act_list *list, int delta)
{
    act_list_each_field(list, count_option, &delta);
}

static void collect_option(void *arg, const struct field *field)
{
    *(uint64_t *)arg |= tlv_map_fields_of(field);
}

uint64_t act_list_options(const struct act_list *list)
{
    uint64_t options = 0;

    act_list_each_field(list, collect_option, &options);
    return options;
}
