/* The end of a process whose memory is used up, told: most of what the control thread allocates it cannot do without.
 * Any thread.
 */
#ifndef PMD_MEMORY_H
#define PMD_MEMORY_H

#include <stddef.h>

/* Writes what was wanted, what is held and what to do about it to standard error and the log, then ends the process.
 * Needs no memory. `what`: a few words for the operator; `size`: bytes wanted, 0 = not known. */
void out_of_memory(const char *what, size_t size) __attribute__((noreturn));

/* Has out_of_memory() say what the switch holds: `hold` puts a sentence into `text` without allocating anything. */
void out_of_memory_set_report(void (*hold)(void *arg, char *text, size_t size), void *arg);

/* An array whose number of elements doubles: out_of_memory() instead of NULL. */
void *memory_realloc(void *array, size_t n, size_t size, const char *what);

#endif
