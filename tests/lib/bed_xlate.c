#include "tests/lib/bed_xlate.h"

struct xlate_out out;
char program_text[4096];
char *mask_text;

int xlate_setup(void **state)
{
    bed_create(&bed, pool, &(struct bed_params){0});
    xlate_out_init(&out);
    return 0;
}

int xlate_setup_running(void **state)
{
    bed_setup(state);
    xlate_out_init(&out);
    return 0;
}

int xlate_teardown(void **state)
{
    xlate_out_free(&out);
    free(mask_text);
    mask_text = NULL;
    return bed_teardown(state);
}

void parse_flow(const char *text, struct flow *flow)
{
    struct match match;
    char *error = match_parse(text, &match, NULL, NULL);

    if (error)
        fail_msg("%s: %s", text, error);
    *flow = match.value;
    flow->pkt.in_port = flow->in_port;
}

void translate_packet(const char *packet, bool side_effects)
{
    struct xlate_in in = {.bridge = bed.bridge, .side_effects = side_effects};

    parse_flow(packet, &in.flow);
    xlate(&in, &out);
}

void format_out(const struct flow *flow)
{
    struct program_table *table = program_table_create();
    struct program *program = program_intern(table, &out.program);
    struct flow_key masked = flow->pkt;

    program_format(program, NULL, NULL, program_text, sizeof program_text);
    if (!strncmp(program_text, "drop(", 5))
        program_text[4] = '\0'; /* tests look at out.drop_reason */
    assert_true(program_unref(table, program));
    free(program);
    program_table_destroy(table);
    for (size_t i = 0; i < sizeof masked / 8; i++)
        ((uint64_t *)&masked)[i] &= ((const uint64_t *)&out.wc.pkt)[i];
    free(mask_text);
    mask_text = megaflow_format(&masked, &out.wc.pkt, NULL, NULL);
}

const char *actions_of(const char *packet)
{
    struct xlate_in in = {.bridge = bed.bridge, .side_effects = true};

    parse_flow(packet, &in.flow);
    xlate(&in, &out);
    format_out(&in.flow);
    return program_text;
}

int check_actions(const char *match_text, const char *actions)
{
    struct act_buffer acts;
    struct act_list list;
    struct match match;
    char *error;
    int result;

    act_buffer_init(&acts);
    assert_null(match_parse(match_text, &match, NULL, NULL));
    error = actions_parse(actions, &acts, NULL, NULL);
    list = act_buffer_list(&acts);
    result = error ? -1 : act_list_check(&list, &match, 0);
    free(error);
    act_buffer_free(&acts);
    return result;
}
