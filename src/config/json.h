/* JSON as a source of the configuration model. Control thread only.
 *
 * All faults of a file are found in one pass: a syntax error is alone, since nothing behind it can be trusted;
 * everything else (unknown keys, wrong types and ranges, contradictions between values) is reported together, ordered
 * by line.
 */
#ifndef SRC_CONFIG_JSON_H
#define SRC_CONFIG_JSON_H

#include <stddef.h>
#include <stdio.h>

#include "src/config/faults.h"
#include "src/config/model.h"

/* Larger files are refused: nothing that fits the limits on ports needs as much. */
#define CONFIG_FILE_MAX (4u << 20)

/* Reads, checks and completes the file. Returns 0 and a model in `out` that the caller frees; else `out` is NULL,
 * `faults` says why, and the result is -EINVAL for the contents or the negative errno of reading the file. `faults`
 * starts as {0} and is cleared by the caller in either case. */
int config_load_file(const char *path, struct config **out, struct config_faults *faults);

/* As config_load_file(), for `len` bytes of text, which need no terminator. `filename` appears in the faults; NULL:
 * none. */
int config_load_buffer(const char *text, size_t len, const char *filename, struct config **out,
                       struct config_faults *faults);

/* `sluiced --check`: prints the faults of the file, one per line. Returns the exit status: 0 if there are none, else 1.
 */
int config_check(const char *path, FILE *out);

#endif
