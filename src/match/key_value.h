/* The comma-separated "key=value" lists in which matches and actions are written (ovs-ofctl(8), "Flow Syntax").
 * Any thread; no state. */
#ifndef SRC_MATCH_KEY_VALUE_H
#define SRC_MATCH_KEY_VALUE_H

#include <stdbool.h>
#include <stdint.h>

/* Takes the next item off `*pos`, which is written to: "key", "key=value", "key:value" or "key(value)"; parentheses in
 * values nest. A missing value is "". Returns false at the end. */
bool key_value_next(char **pos, char **key, char **value);

/* A number in C notation, the whole text, at most `max`. */
bool text_to_u64(const char *text, uint64_t max, uint64_t *number);

/* A malloc'ed sentence. */
char *text_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
