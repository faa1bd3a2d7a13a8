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

#endif
