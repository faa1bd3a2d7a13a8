/* Memory of the control thread: how malloc() is to behave, and the end of a process whose memory is used up, told.
 */
#ifndef PMD_BASE_MEMORY_H
#define PMD_BASE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

/* At start: large blocks are mapped one by one from now on. So realloc() moves their pages, not their bytes, and an
 * array that doubles takes no longer when it is large; otherwise glibc would take them from its heap, and copy, as soon
 * as one of their size was freed. Small blocks are joined with free ones beside them when they are freed, not hundreds
 * of thousands of them together when a large one is. Also sets aside what out_of_memory() needs. */
void memory_init(void);

/* Writes what was wanted, what is held and what to do about it to the log, then ends the process: most of what the
 * control thread allocates it cannot do without. Needs no memory. `what`: a few words for the operator; `size`: bytes
 * wanted, 0 = not known. Any thread. */
void out_of_memory(const char *what, size_t size) __attribute__((noreturn));

/* A start that fails for want of memory is a failed start, with exit status 1, not a crash that whoever watches the
 * process answers with another start: while `starting`, out_of_memory() ends it so. Otherwise, and at first, by
 * SIGABRT.
 */
void memory_set_starting(bool starting);

/* Has out_of_memory() say what the switch holds: `hold` puts a sentence into `text` without allocating anything. */
void out_of_memory_set_report(void (*hold)(void *arg, char *text, size_t size), void *arg);

#endif
