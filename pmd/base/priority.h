/* How much of a core a thread gets beside others that want it too (nice(1)). Linux has a priority for each thread, not
 * only for processes as POSIX says: setpriority(2).
 */
#ifndef PMD_BASE_PRIORITY_H
#define PMD_BASE_PRIORITY_H

#include <stdbool.h>

/* Steps that a lower priority is below the usual one: on a core that two threads want, a third as much. */
#define PRIORITY_STEPS 5

/* At start, while the process still has the rights that it was started with: the calling thread's priority is the
 * usual one from now on. A priority is only ever lowered if the process may raise it again: it has CAP_SYS_NICE, or a
 * RLIMIT_NICE that allows it, which this call sets where it may (CAP_SYS_RESOURCE). */
void priority_init(void);

/* Lowers the calling thread's priority, or makes it the usual one again. One that somebody else gave the thread is the
 * usual one from then on. Returns false if it is not allowed: then nothing has changed. Two system calls; the first
 * time a short-lived thread tries what is allowed. Control thread. */
bool priority_lower(bool lower);

/* For the start of a thread: it has the priority that its maker had at that moment, and wants the usual one. */
void priority_inherit_usual(void);

#endif
