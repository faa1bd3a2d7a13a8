/* The keys of the configuration, described once. Validation, defaults, docs/configuration.md and the JSON Schema are
 * all derived from these tables: a new key is a field in src/config/model.h and an entry in src/config/keys.c.
 * Constant data; any thread.
 */
#ifndef SRC_CONFIG_KEYS_H
#define SRC_CONFIG_KEYS_H

#include "src/config/section.h"

/* The whole file; every other section hangs below it. */
extern const struct config_section config_root;
extern const struct config_section config_section_bridge;
extern const struct config_section config_section_port;

#endif
