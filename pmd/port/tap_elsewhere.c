#include "pmd/port/tap_elsewhere.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pmd/base/clock.h"

#define SEEN_US 1000000 /* how long what was seen is good for */
#define NAMESPACES_MAX 65536
#define BUFFER 32768       /* of what the kernel sends at once */
#define SKIP_STATISTICS 8u /* RTEXT_FILTER_SKIP_STATS */

struct found {
    char label[TAP_LABEL_SIZE];
    struct tap_place place;
};

static struct {
    struct found *items;
    size_t n, room;
    uint64_t until_us; /* 0: nothing was seen yet */
} seen;
static bool changed; /* by tap_elsewhere_changed() */

/* --- other namespaces ---------------------------------------------------- */

/* Only a thread that ends goes to other namespaces: there is no way back that cannot fail. */
static int run_apart(void *(*fn)(void *arg), void *arg)
{
    sigset_t all, old;
    pthread_t thread;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int rc = pthread_create(&thread, NULL, fn, arg);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (rc == 0)
        pthread_join(thread, NULL);
    return -rc;
}

/* The caller's thread goes there. 0 or a negative errno. `inode`: of the namespace it has to be. */
static int enter(const char *path, ino_t inode)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC), rc = 0;
    struct stat st;

    if (fd < 0)
        return -errno;
    if (fstat(fd, &st) < 0 || st.st_ino != inode)
        rc = -ESTALE;
    else if (setns(fd, CLONE_NEWNET) < 0)
        rc = -errno;
    close(fd);
    return rc;
}

struct namespaces {
    struct {
        char path[64];
        ino_t inode;
    } * items;
    size_t n, room;
    ino_t own;
};

static void add_namespace(struct namespaces *all, const char *path)
{
    const size_t len = strlen(path);
    struct stat st;
    void *items;

    if (stat(path, &st) < 0 || st.st_ino == all->own || all->n == NAMESPACES_MAX || len >= sizeof all->items[0].path)
        return;
    for (size_t i = 0; i < all->n; i++)
        if (all->items[i].inode == st.st_ino)
            return;
    if (all->n == all->room) {
        items = reallocarray(all->items, all->room * 2 + 16, sizeof *all->items);
        if (!items)
            return;
        all->items = items;
        all->room = all->room * 2 + 16;
    }
    memcpy(all->items[all->n].path, path, len + 1);
    all->items[all->n++].inode = st.st_ino;
}

/* Those of the files of a directory; `processes`: of each process. */
static void add_directory(struct namespaces *all, const char *directory, bool processes)
{
    DIR *dir = opendir(directory);
    const struct dirent *entry;
    char path[PATH_MAX];

    if (!dir)
        return;
    while ((entry = readdir(dir))) {
        if (processes ? !isdigit((unsigned char)entry->d_name[0]) : entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/%s%s", directory, entry->d_name, processes ? "/ns/net" : "");
        add_namespace(all, path);
    }
    closedir(dir);
}

/* --- their TAPs ---------------------------------------------------------- */

static void note(const struct nlmsghdr *header, const char *path, ino_t inode)
{
    const struct ifinfomsg *info = NLMSG_DATA(header);
    struct found found = {.place = {.inode = inode, .ifindex = info->ifi_index}};
    int left = (int)header->nlmsg_len - (int)NLMSG_LENGTH(sizeof *info);

    for (const struct rtattr *a = IFLA_RTA(info); RTA_OK(a, left); a = RTA_NEXT(a, left)) {
        int len = (int)RTA_PAYLOAD(a);
        if (a->rta_type == IFLA_IFNAME)
            snprintf(found.place.ifname, sizeof found.place.ifname, "%.*s", len, (const char *)RTA_DATA(a));
        else if (a->rta_type == IFLA_IFALIAS)
            snprintf(found.label, sizeof found.label, "%.*s", len, (const char *)RTA_DATA(a));
        else if (a->rta_type == IFLA_MTU && len >= 4)
            found.place.mtu = (uint16_t) * (const uint32_t *)RTA_DATA(a);
    }
    if (strncmp(found.label, TAP_LABEL_PREFIX, strlen(TAP_LABEL_PREFIX)))
        return;
    if (seen.n == seen.room) {
        struct found *items = reallocarray(seen.items, seen.room * 2 + 16, sizeof *items);
        if (!items)
            return;
        seen.items = items;
        seen.room = seen.room * 2 + 16;
    }
    snprintf(found.place.netns, sizeof found.place.netns, "%s", path);
    seen.items[seen.n++] = found;
}

/* Asks for all TAPs of the namespace that the thread is in. */
static bool ask(int fd)
{
    struct {
        struct nlmsghdr header;
        struct ifinfomsg info;
        struct rtattr mask;
        uint32_t skip;
        struct rtattr link, kind;
        char name[4];
    } request = {
        .header = {.nlmsg_len = sizeof request, .nlmsg_type = RTM_GETLINK, .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
        .info = {.ifi_family = AF_UNSPEC},
        .mask = {.rta_len = RTA_LENGTH(4), .rta_type = IFLA_EXT_MASK},
        .skip = SKIP_STATISTICS,
        .link = {.rta_len = RTA_LENGTH(RTA_LENGTH(4)), .rta_type = IFLA_LINKINFO},
        .kind = {.rta_len = RTA_LENGTH(4), .rta_type = IFLA_INFO_KIND},
        .name = "tun",
    };

    return send(fd, &request, sizeof request, 0) == sizeof request;
}

/* False: that was all, or there is an error. */
static bool take(int fd, char *buffer, const char *path, ino_t inode)
{
    ssize_t got = recv(fd, buffer, BUFFER, 0);

    if (got <= 0)
        return false;
    size_t left = (size_t)got;
    for (struct nlmsghdr *header = (struct nlmsghdr *)buffer; NLMSG_OK(header, left);
         header = NLMSG_NEXT(header, left)) {
        if (header->nlmsg_type == NLMSG_DONE || header->nlmsg_type == NLMSG_ERROR)
            return false;
        if (header->nlmsg_type == RTM_NEWLINK)
            note(header, path, inode);
    }
    return true;
}

static void look_around(char *buffer, const char *path, ino_t inode)
{
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

    if (fd >= 0 && ask(fd))
        while (take(fd, buffer, path, inode))
            ;
    if (fd >= 0)
        close(fd);
}

static void *look_everywhere(void *arg)
{
    struct namespaces *all = arg;
    char *buffer = malloc(BUFFER);

    for (size_t i = 0; buffer && i < all->n; i++)
        if (enter(all->items[i].path, all->items[i].inode) == 0)
            look_around(buffer, all->items[i].path, all->items[i].inode);
    free(buffer);
    return NULL;
}

static void look(void)
{
    struct namespaces all = {0};
    struct stat st;

    seen.n = 0;
    if (stat("/proc/self/ns/net", &st) < 0)
        return;
    all.own = st.st_ino;
    add_directory(&all, "/run/netns", false);
    add_directory(&all, "/run/docker/netns", false);
    add_directory(&all, "/proc", true);
    run_apart(look_everywhere, &all);
    free(all.items);
    seen.until_us = clock_now_us() + SEEN_US;
}

void tap_elsewhere_changed(void)
{
    __atomic_store_n(&changed, true, __ATOMIC_RELEASE);
}

bool tap_elsewhere_find(const char *label, struct tap_place *place)
{
    if (__atomic_exchange_n(&changed, false, __ATOMIC_ACQUIRE) || clock_now_us() >= seen.until_us)
        look();
    for (size_t i = 0; i < seen.n; i++)
        if (!strcmp(seen.items[i].label, label)) {
            *place = seen.items[i].place;
            return true;
        }
    return false;
}

/* --- opening ------------------------------------------------------------- */

struct opening {
    const struct tap_place *place;
    short flags;
    int fd;
};

/* A descriptor of the device belongs to the namespace in which it was opened. */
static void *open_there(void *arg)
{
    struct opening *opening = arg;
    struct ifreq ifr = {.ifr_flags = opening->flags};
    int fd = enter(opening->place->netns, opening->place->inode);

    snprintf(ifr.ifr_name, sizeof ifr.ifr_name, "%s", opening->place->ifname);
    if (fd == 0) {
        fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
        opening->fd = fd < 0 ? -errno : fd;
        if (fd >= 0 && ioctl(fd, TUNSETIFF, &ifr) < 0) {
            opening->fd = -errno;
            close(fd);
        }
    } else {
        opening->fd = fd;
    }
    return NULL;
}

int tap_elsewhere_open(const struct tap_place *place, short flags)
{
    struct opening opening = {place, flags, -EAGAIN};
    int rc = run_apart(open_there, &opening);

    return rc < 0 ? rc : opening.fd;
}

/* --- labels -------------------------------------------------------------- */

int tap_elsewhere_label(const char *ifname, const char *label)
{
    char path[64], old[2] = "";
    int fd, rc = 0;

    snprintf(path, sizeof path, "/sys/class/net/%s/ifalias", ifname);
    fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    /* What somebody wrote there is theirs. */
    if (read(fd, old, 1) <= 0 && pwrite(fd, label, strlen(label), 0) < 0)
        rc = -errno;
    close(fd);
    return rc;
}
