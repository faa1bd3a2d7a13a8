#include "pmd/port/vhost_socket.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "pmd/port/backend.h"

static bool fits(const char *path, char *error, size_t error_size)
{
    size_t max = sizeof(((struct sockaddr_un *)0)->sun_path) - 1;

    if (path && path[0] == '/' && strlen(path) <= max)
        return true;
    port_error(error, error_size, "path \"%s\": the path of a socket starts with / and has at most %zu characters",
               path ? path : "", max);
    return false;
}

/* The directory that `path` is in. */
static void directory_of(const char *path, char *directory, size_t size)
{
    snprintf(directory, size, "%.*s", (int)(strrchr(path, '/') - path), path);
    if (!*directory)
        snprintf(directory, size, "/");
}

/* 0 if something listens at `path`, else negative errno. */
static int probe(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), rc = 0;

    if (fd < 0)
        return -errno;
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0 && errno != EAGAIN)
        rc = -errno;
    close(fd);
    return rc;
}

static bool clear_place(const char *path, char *error, size_t error_size)
{
    struct stat st;
    int rc;

    if (lstat(path, &st) != 0)
        return true;
    if (!S_ISSOCK(st.st_mode)) {
        port_error(error, error_size, "path %s exists and is not a socket: remove it or choose another path", path);
        return false;
    }
    rc = probe(path);
    if (rc == 0 || rc == -EACCES) {
        port_error(error, error_size,
                   "path %s: another process listens there: end it, choose another path, or set mode to \"client\" if "
                   "it is the VM",
                   path);
        return false;
    }
    if (unlink(path) != 0 && errno != ENOENT) {
        port_error(error, error_size, "path %s is left over from another process and cannot be removed: %s", path,
                   strerror(errno));
        return false;
    }
    return true;
}

bool vhost_socket_prepare_server(const char *path, char *error, size_t error_size)
{
    char directory[sizeof(((struct sockaddr_un *)0)->sun_path)];
    struct stat st;

    if (!fits(path, error, error_size))
        return false;
    directory_of(path, directory, sizeof directory);
    if (stat(directory, &st) != 0) {
        port_error(error, error_size, "path %s: directory %s: %s: create it with \"mkdir -p %s\"", path, directory,
                   strerror(errno), directory);
        return false;
    }
    if (!S_ISDIR(st.st_mode)) {
        port_error(error, error_size, "path %s: %s is not a directory", path, directory);
        return false;
    }
    if (access(directory, W_OK | X_OK) != 0) {
        port_error(error, error_size,
                   "path %s: directory %s: %s: it must be writable by the user that runs sluiced (uid %d): "
                   "\"chown %d %s\" or choose another path",
                   path, directory, strerror(errno), geteuid(), geteuid(), directory);
        return false;
    }
    return clear_place(path, error, error_size);
}

bool vhost_socket_is_missing(const char *path)
{
    char directory[sizeof(((struct sockaddr_un *)0)->sun_path)];
    struct stat st;

    if (lstat(path, &st) == 0 || errno != ENOENT)
        return false;
    directory_of(path, directory, sizeof directory);
    return access(directory, W_OK | X_OK) == 0;
}

bool vhost_socket_check_client(const char *path, char *error, size_t error_size)
{
    struct stat st;

    if (!fits(path, error, error_size))
        return false;
    if (stat(path, &st) != 0) {
        /* Not there yet is how it starts. */
        if (errno == ENOENT)
            return true;
        port_error(error, error_size, "path %s: %s: let the user that runs sluiced (uid %d) into its directory", path,
                   strerror(errno), geteuid());
        return false;
    }
    if (!S_ISSOCK(st.st_mode)) {
        port_error(error, error_size, "path %s exists and is not a socket: remove it or choose another path", path);
        return false;
    }
    if (access(path, W_OK) != 0) {
        port_error(error, error_size,
                   "path %s: %s: the user that runs sluiced (uid %d) must have write permission on the VM's socket: "
                   "put both in one group and \"chmod g+w %s\"",
                   path, strerror(errno), geteuid(), path);
        return false;
    }
    return true;
}
