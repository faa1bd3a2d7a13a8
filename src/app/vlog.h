/* Levels of the log as Open vSwitch's -v and "vlog/set" take them. Control thread, and main() before it is one. */
#ifndef SRC_APP_VLOG_H
#define SRC_APP_VLOG_H

#include <stddef.h>

/* Sets levels by a specification: words separated by spaces, commas or colons, in any order, of which each is a
 * component (pmd/base/log.h) or one of Open vSwitch's modules, a facility, a level, or "any". No component, or no
 * facility: all of them. No level: dbg. A module of Open vSwitch's stands for the component that does its work.
 * "PATTERN:FACILITY:..." is taken and has no effect, as lines have one form. Returns 0, or -1 with a sentence in
 * `error`, and nothing was changed. */
int vlog_set(const char *spec, char *error, size_t error_size);

#endif
