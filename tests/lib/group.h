/* The end of a group of tests whose teardown is a check in itself. */
#ifndef TESTS_LIB_GROUP_H
#define TESTS_LIB_GROUP_H

#include <stdio.h>

/* cmocka prints that a group's teardown failed, but counts only tests: a program with that as its exit status passes.
 * Returns the exit status for `failed` tests and the teardown's result. */
static inline int group_end(int failed, int torn_down)
{
    if (torn_down != 0)
        fprintf(stderr, "the teardown failed\n");
    return failed != 0 || torn_down != 0;
}

#endif
