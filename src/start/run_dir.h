/* The directory of sockets: one sluiced each. Control thread. */
#ifndef SRC_START_RUN_DIR_H
#define SRC_START_RUN_DIR_H

#include <stddef.h>

/* Makes `path` (and what is missing above it) and takes it for this process: a second sluiced is refused. Returns 0, or
 * -1 with a sentence in `error` that says what to do. */
int run_dir_create(const char *path, char *error, size_t error_size);

/* Gives it back: removes what run_dir_create() made, and the directory if it is empty then. */
void run_dir_remove(const char *path);

#endif
