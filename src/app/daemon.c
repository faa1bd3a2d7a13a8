#include "src/app/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/capability.h>
#include <pwd.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "pmd/base/log.h"

#define RESTART_PAUSE_S 10 /* between two starts by the monitor */
#define LOG_FINISH_MS 200

static struct daemon_options wanted;
static int ready_fd = -1; /* a byte tells the process that waits; -1: none does */
static int pidfile_fd = -1;
static bool *stopping; /* shared with the monitor */

/* --- who we are ---------------------------------------------------------- */

/* Keeps the capabilities that the switch needs when it is not root: for TAPs, packet sockets, locked memory. */
static int keep_capabilities(void)
{
    const uint32_t mask =
        1u << CAP_NET_ADMIN | 1u << CAP_NET_RAW | 1u << CAP_NET_BROADCAST | 1u << CAP_IPC_LOCK | 1u << CAP_SYS_RAWIO;
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {{.effective = mask, .permitted = mask}};

    return syscall(SYS_capset, &header, data);
}

static int become(uid_t uid, gid_t gid, const char *name)
{
    if (getuid() == uid && getgid() == gid)
        return 0;
    if (initgroups(name, gid) || setresgid(gid, gid, gid) || prctl(PR_SET_KEEPCAPS, 1L, 0L, 0L, 0L) ||
        setresuid(uid, uid, uid))
        return -1;
    return keep_capabilities();
}

static int change_user(const char *user, char *error, size_t error_size)
{
    char name[256];
    const char *colon = strchr(user, ':');
    int len = colon ? (int)(colon - user) : (int)strlen(user);
    const struct passwd *pw;
    const struct group *gr = NULL;

    snprintf(name, sizeof name, "%.*s", len, user);
    pw = getpwnam(name);
    if (!pw) {
        snprintf(error, error_size, "--user: there is no user \"%s\"", name);
        return -1;
    }
    if (colon && !(gr = getgrnam(colon + 1))) {
        snprintf(error, error_size, "--user: there is no group \"%s\"", colon + 1);
        return -1;
    }
    if (!become(pw->pw_uid, gr ? gr->gr_gid : pw->pw_gid, name))
        return 0;
    snprintf(error, error_size, "--user: cannot become %s: %s%s", user, strerror(errno),
             errno == EPERM ? " (only root can)" : "");
    return -1;
}

/* --- pidfile ------------------------------------------------------------- */

/* The lock that tools of Open vSwitch look for. */
static struct flock whole_file(void)
{
    return (struct flock){.l_type = F_WRLCK, .l_whence = SEEK_SET};
}

/* A locked file with our number. -1: errno. */
static int write_temporary(const char *path)
{
    struct flock lock = whole_file();
    char text[32];
    int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0644);
    int len = snprintf(text, sizeof text, "%ld\n", (long)getpid());

    if (fd < 0)
        return -1;
    if (fcntl(fd, F_SETLK, &lock) == 0 && write(fd, text, len) == len)
        return fd;
    close(fd);
    return -1;
}

/* Puts `temporary` in the place of a pidfile whose process has gone. */
static int replace_stale(const char *temporary, const char *path, char *error, size_t error_size)
{
    struct flock lock = whole_file(), owner = whole_file();
    int fd = open(path, O_RDWR | O_CLOEXEC), rc = -1;

    if (fd < 0 && errno == ENOENT) /* it ended just now */
        return link(temporary, path);
    if (fd < 0)
        return -1;
    if (fcntl(fd, F_SETLK, &lock) == 0)
        rc = rename(temporary, path);
    else if (fcntl(fd, F_GETLK, &owner) == 0 && owner.l_type != F_UNLCK)
        snprintf(error, error_size, "%s: already running as pid %ld, aborting", path, (long)owner.l_pid);
    close(fd);
    return rc;
}

static int make_pidfile(char *error, size_t error_size)
{
    char temporary[PATH_MAX];
    const char *path = wanted.pidfile;
    int fd, rc;

    snprintf(temporary, sizeof temporary, "%s.tmp%ld", path, (long)getpid());
    fd = write_temporary(temporary);
    if (fd < 0) {
        snprintf(error, error_size, "%s: cannot make the pidfile: %s", temporary, strerror(errno));
        return -1;
    }
    *error = 0;
    rc = wanted.overwrite_pidfile ? rename(temporary, path) : link(temporary, path);
    if (rc && errno == EEXIST)
        rc = replace_stale(temporary, path, error, error_size);
    if (rc && !*error)
        snprintf(error, error_size, "%s: cannot make the pidfile: %s", path, strerror(errno));
    unlink(temporary);
    if (rc)
        close(fd);
    else
        pidfile_fd = fd;
    return rc;
}

void daemon_end(void)
{
    struct stat mine, there;

    if (pidfile_fd < 0)
        return;
    if (fstat(pidfile_fd, &mine) == 0 && stat(wanted.pidfile, &there) == 0 && mine.st_dev == there.st_dev &&
        mine.st_ino == there.st_ino)
        unlink(wanted.pidfile);
    close(pidfile_fd);
    pidfile_fd = -1;
}

/* --- processes that wait ------------------------------------------------- */

/* "exit status 1", "killed (Segmentation fault), core dumped" */
static const char *describe(int status)
{
    static char text[128];

    if (WIFEXITED(status))
        snprintf(text, sizeof text, "exit status %d", WEXITSTATUS(status));
    else
        snprintf(text, sizeof text, "killed (%s)%s", strsignal(WTERMSIG(status)),
                 WCOREDUMP(status) ? ", core dumped" : "");
    return text;
}

static int wait_for(pid_t pid)
{
    int status = 0;

    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    return status;
}

/* Forks. In the child, which is to call tell_ready(), 0. In the parent the child's number, when it is ready, or with
 * *ready false when it ended before, as *status says. -1: errno. */
static pid_t fork_and_wait(bool *ready, int *status)
{
    int ends[2];
    char byte;
    ssize_t n;
    pid_t pid;

    if (pipe2(ends, O_CLOEXEC))
        return -1;
    log_flush(); /* or what waits would be written twice */
    pid = fork();
    if (pid == 0) {
        close(ends[0]);
        if (ready_fd >= 0) /* of a process further up, which is told by our parent */
            close(ready_fd);
        ready_fd = ends[1];
        return 0;
    }
    close(ends[1]);
    do
        n = pid < 0 ? 0 : read(ends[0], &byte, 1);
    while (n < 0 && errno == EINTR);
    close(ends[0]);
    *ready = n == 1;
    if (pid > 0 && !*ready)
        *status = wait_for(pid);
    return pid;
}

static void tell_ready(void)
{
    if (ready_fd < 0)
        return;
    while (write(ready_fd, "", 1) < 0 && errno == EINTR)
        continue;
    close(ready_fd);
    ready_fd = -1;
}

static void close_standard_descriptors(void)
{
    int fd = open("/dev/null", O_RDWR);

    log_close_console();
    if (fd < 0)
        return;
    for (int standard = 0; standard < 3; standard++)
        dup2(fd, standard);
    if (fd > 2)
        close(fd);
}

/* The exit status for a switch that ended with `status` before it was ready. It has said why, unless a signal ended it.
 */
static int failed_start(int status)
{
    if (WIFEXITED(status) && WEXITSTATUS(status))
        return WEXITSTATUS(status);
    if (log_sink_is_open(LOG_TO_CONSOLE))
        fprintf(stderr, "%s: the switch ended before it was ready: %s\n", wanted.program, describe(status));
    return 1;
}

/* The process that was started. */
static int detach(char *error, size_t error_size)
{
    bool ready;
    int status = 0;
    pid_t pid = fork_and_wait(&ready, &status);

    if (pid < 0) {
        snprintf(error, error_size, "--detach: cannot fork: %s", strerror(errno));
        return -1;
    }
    if (pid > 0)
        _exit(ready ? 0 : failed_start(status));
    setsid();
    return 0;
}

/* Asked to end, by a signal or a command, it is not started again. */
static bool may_restart(int status)
{
    if (!WIFSIGNALED(status) || *stopping)
        return false;
    return WTERMSIG(status) != SIGTERM && WTERMSIG(status) != SIGINT && WTERMSIG(status) != SIGHUP;
}

static void pause_since(time_t last)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    while (last && now.tv_sec < last + RESTART_PAUSE_S) {
        sleep((unsigned)(last + RESTART_PAUSE_S - now.tv_sec));
        clock_gettime(CLOCK_MONOTONIC, &now);
    }
}

static void end_monitor(int status)
{
    log_finish(LOG_FINISH_MS);
    _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
}

/* Starts the switch, and again when it dies. Returns in the switch. */
static int run_monitor(char *error, size_t error_size)
{
    struct timespec started = {0};
    unsigned crashes = 0;
    int status = 0;
    bool ready, was_ready = false;
    pid_t pid;

    stopping = mmap(NULL, sizeof *stopping, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (stopping == MAP_FAILED) {
        snprintf(error, error_size, "--monitor: %s", strerror(errno));
        return -1;
    }
    for (;;) {
        pid = fork_and_wait(&ready, &status);
        if (pid == 0)
            return 0;
        if (pid < 0) {
            snprintf(error, error_size, "--monitor: cannot fork: %s", strerror(errno));
            return -1;
        }
        if (ready) {
            tell_ready();
            if (wanted.detach && !was_ready)
                close_standard_descriptors();
            was_ready = true;
            status = wait_for(pid);
        } else if (!was_ready) {
            _exit(failed_start(status));
        }
        if (!may_restart(status)) {
            LOG_INFO(LOG_MAIN, "monitor: pid %ld ended, %s: ending", (long)pid, describe(status));
            end_monitor(status);
        }
        LOG_ERR(LOG_MAIN, "%u crashes: pid %ld died, %s: restarting", ++crashes, (long)pid, describe(status));
        log_flush();
        pause_since(started.tv_sec);
        clock_gettime(CLOCK_MONOTONIC, &started);
    }
}

/* --- what main() calls --------------------------------------------------- */

/* Pages are locked as they are touched: all at once would make memory out of what is only reserved. */
static void lock_memory(void)
{
    if (mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT))
        LOG_WARN(LOG_MAIN, "--mlockall: %s: memory may be swapped out", strerror(errno));
}

int daemon_start(const struct daemon_options *options, char *error, size_t error_size)
{
    wanted = *options;
    if (wanted.user && change_user(wanted.user, error, error_size))
        return -1;
    if (wanted.detach && detach(error, error_size))
        return -1;
    if (wanted.monitor && run_monitor(error, error_size))
        return -1;
    if (wanted.mlockall) /* not inherited by a fork */
        lock_memory();
    return wanted.pidfile ? make_pidfile(error, error_size) : 0;
}

void daemonize_complete(void)
{
    tell_ready();
    if (wanted.detach)
        close_standard_descriptors();
    if (wanted.detach && !wanted.no_chdir && chdir("/"))
        LOG_WARN(LOG_MAIN, "cannot change the working directory to /: %s", strerror(errno));
}

void daemon_stopping(void)
{
    if (stopping)
        *stopping = true;
}
