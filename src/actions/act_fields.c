#include "src/actions/act_fields.h"

#include "src/match/tlv_map.h"

void act_list_each_field(const struct act_list *list, field_fn *fn, void *arg)
{
    ACT_FOR_EACH (act, list) {
        const struct act_ops *ops = act_ops[act->type];
        struct act_list inner;

        if (act_nested(act, &inner))
            act_list_each_field(&inner, fn, arg);
        if (ops->each_field)
            ops->each_field(act, fn, arg);
    }
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
