/* The table behind field_by_id() and its kind; for field.c and field_table.c only. */
#ifndef SRC_PIPELINE_FIELD_ROWS_H
#define SRC_PIPELINE_FIELD_ROWS_H

#include "src/pipeline/field.h"

extern const struct field field_rows[FIELD_N];

#endif
