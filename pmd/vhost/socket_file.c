#include "pmd/vhost/socket_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pmd/base/log.h"

int socket_open(const char *path, struct sockaddr_un *address)
{
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    snprintf(address->sun_path, sizeof address->sun_path, "%s", path);
    return socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

static mode_t mode_of(const struct stat *st)
{
    return st->st_mode & ALLPERMS;
}

static bool is_file(const struct socket_file *file, const struct stat *st)
{
    return st->st_dev == file->device && st->st_ino == file->inode;
}

/* Gives what `fd` refers to its owner and permissions, or leaves it as it is with a negative errno. */
static int set_access(int fd, const struct stat *now, const struct vhost_access *access)
{
    char path[32];
    int rc = 0;

    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (now->st_uid == access->uid && now->st_gid == access->gid)
        return chmod(path, access->mode) < 0 ? -errno : 0;
    /* On the way from the old to the new nobody is let in. */
    if (chmod(path, 0) < 0 || fchownat(fd, "", access->uid, access->gid, AT_EMPTY_PATH) < 0 ||
        chmod(path, access->mode) < 0)
        rc = -errno;
    if (rc < 0 && (fchownat(fd, "", now->st_uid, now->st_gid, AT_EMPTY_PATH) < 0 || chmod(path, mode_of(now)) < 0))
        LOG_WARN_RL(LOG_PORT, "a socket's owner and permissions cannot be set back: %s", strerror(errno));
    return rc;
}

/* Takes what `wanted` does not give from `made`. */
static struct vhost_access complete_access(const struct vhost_access *wanted, const struct vhost_access *made)
{
    return (struct vhost_access){
        .mode = wanted->mode ? wanted->mode : made->mode,
        .uid = wanted->uid != (uid_t)-1 ? wanted->uid : made->uid,
        .gid = wanted->gid != (gid_t)-1 ? wanted->gid : made->gid,
    };
}

/* The socket's file, which is looked at only if it is a socket; -1: errno. */
static int open_file(const char *path, struct stat *st)
{
    const int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);

    if (fd < 0)
        return -1;
    if (fstat(fd, st) == 0 && S_ISSOCK(st->st_mode))
        return fd;
    close(fd);
    errno = ENOTSOCK;
    return -1;
}

bool socket_file_prepare(struct socket_file *file, const char *path, const struct vhost_access *wanted)
{
    struct stat st;
    const int fd = open_file(path, &st);
    int rc;

    if (fd < 0)
        return false;
    file->device = st.st_dev;
    file->inode = st.st_ino;
    file->made = (struct vhost_access){.mode = mode_of(&st), .uid = st.st_uid, .gid = st.st_gid};
    const struct vhost_access access = complete_access(wanted, &file->made);

    rc = set_access(fd, &st, &access);
    if (rc < 0)
        unlink(path);
    close(fd);
    errno = -rc;
    return rc == 0;
}

int socket_file_set_access(const struct socket_file *file, const char *path, const struct vhost_access *wanted)
{
    const struct vhost_access access = complete_access(wanted, &file->made);
    struct stat st;
    const int fd = open_file(path, &st);
    int rc = 0;

    if (fd < 0)
        return 0;
    if (is_file(file, &st))
        rc = set_access(fd, &st, &access);
    close(fd);
    return rc;
}

void socket_file_remove(const struct socket_file *file, const char *path)
{
    struct stat st;

    if (lstat(path, &st) == 0 && is_file(file, &st))
        unlink(path);
}
