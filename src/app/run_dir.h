/* The directory of sockets: one sluiced each, or one that is shared with other daemons (Open vSwitch's, whose database
 * says who may run). Control thread. */
#ifndef SRC_APP_RUN_DIR_H
#define SRC_APP_RUN_DIR_H

#include <stdbool.h>
#include <stddef.h>

/* Makes `path` (and what is missing above it) and takes it for this process: a second sluiced is refused. Returns 0, or
 * -1 with a sentence in `error` that says what to do. */
int run_dir_create(const char *path, char *error, size_t error_size);

/* As run_dir_create(), without taking it: others may use it as well, and it stays. */
int run_dir_share(const char *path, char *error, size_t error_size);

/* Readable when something in it, or the directory itself, was deleted or moved. -1: this kernel has no such descriptor.
 */
int run_dir_fd(void);

/* Whether something was since the last call; the descriptor is not readable then any more. */
bool run_dir_changed(void);

/* Makes the directory again and takes it for this process again, if it is not there any more or was replaced. Call it
 * when nothing more goes after run_dir_fd() became readable ("rm -r" fails if what it deleted comes back before its
 * end), and once in a while. Returns 0: it is there; 1: made again, the sockets have to be as well; or -1 with a
 * sentence in `error`: another sluiced has it now, or it cannot be made. */
int run_dir_restore(const char *path, char *error, size_t error_size);

/* A word for `name` that nobody can guess who cannot read the directory's file `sluice.secret`: the same as long as
 * that stays, which is made by the first call. Begins with `prefix`. False: there is no secret, and why is in the log.
 */
bool run_dir_word(const char *path, const char *prefix, const char *name, char *word, size_t size);

/* Gives it back: removes what run_dir_create() made, and the directory if it is empty then. What another sluiced has
 * made there is left, and all of a shared one. */
void run_dir_remove(const char *path);

#endif
