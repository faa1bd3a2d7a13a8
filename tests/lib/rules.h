/* Rules that match everything, in a pipeline without a datapath. */
#ifndef TESTS_UNIT_RULES_H
#define TESTS_UNIT_RULES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "tests/lib/flow_text.h"
#include "src/tables/pipeline.h"
#include "tests/lib/bundles.h"

/* Returns 0 or an enum of_error. */
static inline int rule_mod(struct pipeline *pipeline, bool in_bundle, enum flow_mod_command command, uint16_t priority,
                           const char *actions)
{
    struct act_buffer acts;
    struct flow_mod fm = {.command = command,
                          .priority = priority,
                          .out_port = OFPORT_ANY,
                          .out_group = OFGROUP_ANY,
                          .buffer_id = UINT32_MAX};
    int error;

    act_buffer_init(&acts);
    assert_null(actions_parse(actions, &acts, NULL, NULL));
    fm.acts = act_buffer_list(&acts);
    match_init_all(&fm.match);
    error = in_bundle ? bundle_mod(pipeline, &fm) : pipeline_flow_mod(pipeline, &fm);
    act_buffer_free(&acts);
    return error;
}

#endif
