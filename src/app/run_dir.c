#include "src/app/run_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pmd/base/log.h"

/* Held open, and with it the lock, as long as the process lives. Of a shared directory, that itself. */
static int lock_fd = -1;
static bool shared;
/* inotify */
static int watch_fd = -1;

static int make_directories(const char *path)
{
    char part[PATH_MAX];
    size_t len = strlen(path);

    if (len >= sizeof part) {
        errno = ENAMETOOLONG;
        return -1;
    }
    for (size_t i = 1; i <= len; i++) {
        if (path[i] != '/' && path[i] != 0)
            continue;
        memcpy(part, path, i);
        part[i] = 0;
        if (mkdir(part, 0755) != 0 && errno != EEXIST)
            return -1;
    }
    return 0;
}

static void pid_in(int fd, char *pid, size_t size)
{
    ssize_t n = pread(fd, pid, size - 1, 0);

    pid[n > 0 ? n : 0] = 0;
    pid[strcspn(pid, "\n")] = 0;
}

/* The path of the file that lock_fd is open on. */
static void held_path(const char *path, char *file, size_t size)
{
    snprintf(file, size, shared ? "%s" : "%s/sluiced.pid", path);
}

static int hold_shared(const char *path, char *error, size_t error_size)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        snprintf(error, error_size, "%s: %s", path, strerror(errno));
    return fd;
}

/* Returns the descriptor that holds the lock, or -1 with a sentence in `error`. */
static int lock(const char *path, char *error, size_t error_size)
{
    char file[PATH_MAX + 16], pid[32];
    int fd;

    if (shared)
        return hold_shared(path, error, error_size);
    snprintf(file, sizeof file, "%s/sluiced.pid", path);
    fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0) {
        snprintf(error, error_size,
                 "run_dir %s: %s: it must be writable by the user that runs sluiced (uid %d): \"chown %d %s\", or set "
                 "run_dir to another directory",
                 path, strerror(errno), geteuid(), geteuid(), path);
        return -1;
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        pid_in(fd, pid, sizeof pid);
        snprintf(error, error_size,
                 "run_dir %s is in use by another sluiced (process %s): end it, or set run_dir to another directory",
                 path, pid);
        close(fd);
        return -1;
    }
    snprintf(pid, sizeof pid, "%d\n", getpid());
    if (ftruncate(fd, 0) != 0 || pwrite(fd, pid, strlen(pid), 0) < 0) {
        snprintf(error, error_size, "run_dir %s: sluiced.pid: %s", path, strerror(errno));
        close(fd);
        return -1;
    }
    return fd;
}

/* Whether the file of the lock is where others look for it. */
static bool holds(const char *path)
{
    char file[PATH_MAX + 16];
    struct stat mine, there;

    held_path(path, file, sizeof file);
    return lock_fd >= 0 && fstat(lock_fd, &mine) == 0 && stat(file, &there) == 0 && mine.st_dev == there.st_dev &&
           mine.st_ino == there.st_ino;
}

static void watch(const char *path)
{
    if (watch_fd < 0)
        watch_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    /* Without it, what run_dir_restore() is called for once in a while takes longer. */
    if (watch_fd >= 0 &&
        inotify_add_watch(watch_fd, path, IN_DELETE | IN_MOVED_FROM | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR) < 0)
        return;
}

int run_dir_fd(void)
{
    return watch_fd;
}

static int make(const char *path, char *error, size_t error_size)
{
    struct stat st;
    int fd;

    if (make_directories(path) != 0) {
        snprintf(
            error, error_size,
            "run_dir %s: %s: create it as root, \"install -d -o %d %s\", or set run_dir to a directory that may be "
            "written to",
            path, strerror(errno), geteuid(), path);
        return -1;
    }
    if (stat(path, &st) != 0 || !S_ISDIR(st.st_mode)) {
        snprintf(error, error_size, "run_dir %s is not a directory: remove the file or set run_dir to another path",
                 path);
        return -1;
    }
    fd = lock(path, error, error_size);
    if (fd < 0)
        return -1;
    if (lock_fd >= 0)
        close(lock_fd);
    lock_fd = fd;
    watch(path);
    return 0;
}

int run_dir_create(const char *path, char *error, size_t error_size)
{
    shared = false;
    return make(path, error, error_size);
}

int run_dir_share(const char *path, char *error, size_t error_size)
{
    shared = true;
    return make(path, error, error_size);
}

bool run_dir_changed(void)
{
    char events[4096];
    bool any = false;

    while (watch_fd >= 0 && read(watch_fd, events, sizeof events) > 0)
        any = true;
    return any;
}

int run_dir_restore(const char *path, char *error, size_t error_size)
{
    if (holds(path))
        return 0;
    return make(path, error, error_size) == 0 ? 1 : -1;
}

/* --- words that nobody guesses ------------------------------------------- */

#define SECRET_BYTES 32
#define WORD_BYTES 16

/* Whole, or not at all: another process may ask at the same time. */
static bool make_secret(const char *file)
{
    uint8_t secret[SECRET_BYTES];
    char next[PATH_MAX + 48];
    int fd, rc;

    snprintf(next, sizeof next, "%s.%ld", file, (long)getpid());
    fd = open(next, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return false;
    rc = getrandom(secret, sizeof secret, 0) == sizeof secret && write(fd, secret, sizeof secret) == sizeof secret
             ? link(next, file)
             : -1;
    close(fd);
    unlink(next);
    return rc == 0 || errno == EEXIST;
}

static bool read_secret(const char *file, uint8_t secret[SECRET_BYTES])
{
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    bool whole = fd >= 0 && read(fd, secret, SECRET_BYTES) == SECRET_BYTES;

    if (fd >= 0)
        close(fd);
    return whole;
}

bool run_dir_word(const char *path, const char *prefix, const char *name, char *word, size_t size)
{
    uint8_t secret[SECRET_BYTES], hash[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    char file[PATH_MAX + 16];

    snprintf(file, sizeof file, "%s/sluice.secret", path);
    if (!read_secret(file, secret) && !(make_secret(file) && read_secret(file, secret))) {
        LOG_WARN_RL(LOG_MAIN, "%s: %s: interfaces that are moved to network namespaces are not found again", file,
                    strerror(errno));
        return false;
    }
    if (!HMAC(EVP_sha256(), secret, sizeof secret, (const uint8_t *)name, strlen(name), hash, &len) || len < WORD_BYTES)
        return false;
    int used = snprintf(word, size, "%s", prefix);
    for (unsigned i = 0; i < WORD_BYTES && used > 0 && (size_t)used + 2 < size; i++)
        used += snprintf(word + used, size - (size_t)used, "%02x", hash[i]);
    return true;
}

void run_dir_remove(const char *path)
{
    char file[PATH_MAX + 16];
    bool mine = !shared && holds(path);

    if (watch_fd >= 0)
        close(watch_fd);
    watch_fd = -1;
    if (lock_fd < 0)
        return;
    held_path(path, file, sizeof file);
    if (mine)
        unlink(file);
    close(lock_fd);
    lock_fd = -1;
    /* Not empty: somebody keeps things there. */
    if (!shared && rmdir(path) != 0)
        return;
}
