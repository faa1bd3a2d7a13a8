/* What the files of key tables share. Private to this folder. */
#ifndef SRC_CONFIG_KEYS_IMPL_H
#define SRC_CONFIG_KEYS_IMPL_H

#include "src/config/keys.h"
#include "src/config/model.h"

#define KIND(type) (1u << (type))
#define KEYS(table) .keys = (table), .n_keys = sizeof(table) / sizeof((table)[0])

#endif
