/* From a JSON tree to a model, driven by the key tables. Control thread only.
 */
#ifndef SRC_CONFIG_JSON_FILL_H
#define SRC_CONFIG_JSON_FILL_H

#include "src/config/faults.h"
#include "src/config/json_tree.h"
#include "src/config/section.h"

/* Fills `base`, a struct of the section with its defaults set, from an object. What cannot be used is reported and
 * leaves a placeholder (NULL, CONFIG_UNUSABLE, a list element of defaults), so that indices in the model are those of
 * the text and config_verify() can tell it from what was not given. */
void config_json_fill(const struct config_section *section, const struct json_node *node, void *base,
                      struct config_faults *faults);

#endif
