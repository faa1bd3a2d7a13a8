/* The file of a vhost-user socket that the switch listens at: who may connect, and whether it is still the one that was
 * made. A struct socket_file belongs to whoever calls.
 */
#ifndef PMD_VHOST_SOCKET_FILE_H
#define PMD_VHOST_SOCKET_FILE_H

#include <stdbool.h>
#include <sys/types.h>
#include <sys/un.h>

/* Who may connect to a socket that is listened at. */
struct vhost_access {
    mode_t mode; /* permissions, 0: those that new files get */
    uid_t uid;   /* -1: that new files get, like `gid` */
    gid_t gid;
};

struct socket_file {
    dev_t device;
    ino_t inode;
    struct vhost_access made; /* as it was before anybody changed it */
};

/* A Unix socket that does not block, not bound yet, and the address of `path` for it. -1: errno. */
int socket_open(const char *path, struct sockaddr_un *address);
/* For a socket that is bound to `path` and not listened at, so that nobody can connect yet: notes which file it is and
 * lets those connect who are wanted. False: errno; the file is removed if it could not be changed. */
bool socket_file_prepare(struct socket_file *file, const char *path, const struct vhost_access *wanted);
/* Changes who may connect, or returns a negative errno and leaves it as it is. A file that is not this one any more
 * stays as it is. */
int socket_file_set_access(const struct socket_file *file, const char *path, const struct vhost_access *wanted);
/* Removes the file, unless there is another one by now. */
void socket_file_remove(const struct socket_file *file, const char *path);

#endif
