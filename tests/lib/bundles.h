/* Bundles of a pipeline without slices, and the limit of a table alone: for tests that are about something else. */
#ifndef TESTS_LIB_BUNDLES_H
#define TESTS_LIB_BUNDLES_H

#include "src/tables/pipeline.h"

/* Returns 0 or an enum of_error. */
static inline int bundle_mod(struct pipeline *pipeline, const struct flow_mod *fm)
{
    struct mod_slices *slices = NULL;

    return pipeline_bundle_mod_slice(pipeline, fm, &slices, SIZE_MAX);
}

static inline void bundle_commit(struct pipeline *pipeline)
{
    pipeline_bundle_commit_step(pipeline, SIZE_MAX);
}

static inline void bundle_abort(struct pipeline *pipeline)
{
    pipeline_bundle_abort_step(pipeline, SIZE_MAX);
}

static inline void set_table_limit(struct pipeline *pipeline, uint8_t table_id, uint32_t max_rules)
{
    struct table_config config = *pipeline_table_config(pipeline, table_id);

    config.max_rules = max_rules;
    pipeline_set_table_config(pipeline, table_id, &config);
}

#endif
