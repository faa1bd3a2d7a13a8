/* A directory for the files of a test, which goes with the process, however that ends: a child that waits for it
 * removes what is left. */
#ifndef TESTS_UNIT_SCRATCH_H
#define TESTS_UNIT_SCRATCH_H

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Aborts if there can be none. The second and later calls return the same directory. */
static inline const char *scratch_dir(void)
{
    static char path[64];
    int alive[2];
    char nothing;

    if (path[0])
        return path;
    snprintf(path, sizeof path, "/tmp/sluice-unit-test-XXXXXX");
    if (!mkdtemp(path) || pipe2(alive, O_CLOEXEC) != 0)
        abort();
    pid_t child = fork();
    if (child < 0)
        abort();
    if (child > 0) {
        close(alive[0]);
        return path; /* alive[1] is closed by the end of the process */
    }
    /* Signals to the test's process group and a reader of its output have nothing to do with this child. */
    setsid();
    close(alive[1]);
    for (int fd = 0; fd < 3; fd++)
        close(fd);
    if (read(alive[0], &nothing, 1) == 0)
        execl("/bin/rm", "rm", "-rf", "--", path, (char *)NULL);
    _exit(1);
}

/* The path of `name` there; valid until the next call. */
static inline const char *scratch_path(const char *name)
{
    static char path[100]; /* fits a Unix socket address */

    snprintf(path, sizeof path, "%s/%s", scratch_dir(), name);
    return path;
}

#endif
