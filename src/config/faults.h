/* Everything that is wrong with a configuration, collected so that the operator sees all of it at once.
 * Control thread only; a config_faults owns its strings. Start from {0}.
 */
#ifndef SRC_CONFIG_FAULTS_H
#define SRC_CONFIG_FAULTS_H

#include <stdio.h>

/* Enough to repair a file by, and a bound on what a hostile one can print. */
#define CONFIG_FAULTS_MAX 1000

struct config_fault {
    unsigned line; /* from 1; 0: the fault has no line (the file could not be read, or the source is no file) */
    char *path;    /* "bridges[0].ports[2].devargs"; "" for the whole */
    char *text;    /* what is wrong and what to do, one line */
};

struct config_faults {
    char *file; /* NULL: not from a file */
    struct config_fault *items;
    size_t n;
    size_t left_off; /* faults beyond CONFIG_FAULTS_MAX */
};

/* Appends a fault. Line breaks and control characters in the text are replaced, so that a fault is always one line. */
void config_faults_add(struct config_faults *faults, unsigned line, const char *path, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Orders by line; faults of one line stay in the order they were found. */
void config_faults_sort(struct config_faults *faults);

/* One line per fault: "FILE:LINE: PATH: TEXT", without the parts that are not known. */
void config_faults_print(const struct config_faults *faults, FILE *out);

/* Frees the contents and leaves an empty list. */
void config_faults_clear(struct config_faults *faults);

#endif
