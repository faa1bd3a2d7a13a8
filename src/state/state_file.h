/* What files of state that outlives the process have in common. Control thread. */
#ifndef SRC_STATE_STATE_FILE_H
#define SRC_STATE_STATE_FILE_H

#include <stdbool.h>
#include <stddef.h>

#define STATE_BOOT_LEN 40

/* Names this boot of the machine: clocks do not go on over one. All zero if the kernel does not say. */
void state_read_boot(char boot[STATE_BOOT_LEN]);
/* All of it, or false with errno. */
bool state_write(int fd, const void *data, size_t len);
/* All of it; false: the file ends before, or errno. */
bool state_read(int fd, void *data, size_t len);

/* The kernel frees the pages of a file with the last that names it: 33 ms for the rules of a million. Here a
 * short-lived thread has it do that. */
/* `by`, which is complete, takes the place of `path`, in two steps. False with errno. */
bool state_replace(const char *path, const char *by);
/* For the process that reads: the one before may have been killed between the two. A `by` that is not complete has to
 * be told by what is in it. */
void state_settle(const char *path, const char *by);
/* unlink(2), if there is one. Others that have it open close it first. */
void state_remove(const char *path);

#endif
