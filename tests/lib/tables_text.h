/* What is in a bridge's tables as text, to be compared: rules, groups and meters, a line each, sorted. Counters are not
 * in it. For tests of cmocka. */
#ifndef TESTS_LIB_TABLES_TEXT_H
#define TESTS_LIB_TABLES_TEXT_H

struct pipeline;

/* malloc'ed */
char *tables_text(struct pipeline *pipeline);

#endif
