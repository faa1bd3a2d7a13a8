#include "src/net/netlink.h"

#include <errno.h>
#include <event2/event.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include "pmd/base/log.h"
#include "pmd/base/memory.h"

#define BUFFER (64u << 10)       /* the kernel puts at most 32 KB into one datagram */
#define SOCKET_BUFFER (1u << 20) /* of messages that wait; what is more is lost, with ENOBUFS */
#define DATAGRAMS_A_CALL 16
#define AGAIN_MS 20 /* before all is read again, so that a kernel that always fails does not keep the thread busy */
#define BUCKETS 256

struct entry {
    LIST_ENTRY(entry) node;
    struct netlink_link link;
    bool seen; /* in the reading under way, or told since it began */
};

struct netlink {
    netlink_link_fn *fn;
    void *arg;
    struct event *event, *again;
    int fd;
    uint32_t sequence;                   /* of the request for all interfaces under way, or the last one */
    bool whole;                          /* nothing was lost since that began */
    LIST_HEAD(, entry) buckets[BUCKETS]; /* by ifindex */
    _Alignas(struct nlmsghdr) char buffer[BUFFER];
};

/* --- the table ----------------------------------------------------------- */

static struct entry *find(const struct netlink *netlink, int ifindex)
{
    struct entry *entry;

    LIST_FOREACH (entry, &netlink->buckets[(unsigned)ifindex % BUCKETS], node) {
        if (entry->link.ifindex == ifindex)
            return entry;
    }
    return NULL;
}

static void drop_entry(struct netlink *netlink, struct entry *entry)
{
    LIST_REMOVE(entry, node);
    free(entry);
}

static void note_link(struct netlink *netlink, const struct netlink_link *link)
{
    struct entry *entry = find(netlink, link->ifindex);
    bool same = entry && entry->link.up == link->up && strcmp(entry->link.name, link->name) == 0;

    if (!entry) {
        entry = calloc(1, sizeof *entry);
        if (!entry)
            out_of_memory("a network interface", sizeof *entry);
        LIST_INSERT_HEAD(&netlink->buckets[(unsigned)link->ifindex % BUCKETS], entry, node);
    }
    entry->link = *link;
    entry->seen = true;
    if (!same)
        netlink->fn(netlink->arg, link);
}

static void note_gone(struct netlink *netlink, const struct netlink_link *link)
{
    struct entry *entry = find(netlink, link->ifindex);

    if (entry)
        drop_entry(netlink, entry);
    netlink->fn(netlink->arg, link);
}

static void for_each_entry(struct netlink *netlink, void (*fn)(struct netlink *netlink, struct entry *entry))
{
    for (unsigned b = 0; b < BUCKETS; b++) {
        struct entry *next;

        for (struct entry *entry = LIST_FIRST(&netlink->buckets[b]); entry; entry = next) {
            next = LIST_NEXT(entry, node);
            fn(netlink, entry);
        }
    }
}

static void mark_unseen(struct netlink *netlink, struct entry *entry)
{
    entry->seen = false;
}

static void forget_unseen(struct netlink *netlink, struct entry *entry)
{
    struct netlink_link link = entry->link;

    if (entry->seen)
        return;
    link.gone = true;
    link.up = false;
    note_gone(netlink, &link);
}

/* --- reading all --------------------------------------------------------- */

static void read_again(struct netlink *netlink)
{
    const struct timeval pause = {.tv_usec = AGAIN_MS * 1000};

    netlink->whole = false;
    if (!evtimer_pending(netlink->again, NULL))
        evtimer_add(netlink->again, &pause);
}

/* Asks for all interfaces. A reading that is under way still is refused by the kernel (EBUSY), and tried again. */
static void read_all(struct netlink *netlink)
{
    struct {
        struct nlmsghdr header;
        struct ifinfomsg info;
    } request = {
        .header = {.nlmsg_len = sizeof request, .nlmsg_type = RTM_GETLINK, .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
        .info = {.ifi_family = AF_UNSPEC},
    };

    request.header.nlmsg_seq = ++netlink->sequence;
    netlink->whole = true;
    for_each_entry(netlink, mark_unseen);
    if (send(netlink->fd, &request, sizeof request, MSG_DONTWAIT) != sizeof request)
        read_again(netlink);
}

static void on_again(evutil_socket_t fd, short what, void *arg)
{
    read_all(arg);
}

static void reading_ended(struct netlink *netlink)
{
    if (netlink->whole)
        for_each_entry(netlink, forget_unseen);
}

/* --- messages ------------------------------------------------------------ */

/* False: not an interface's message as it should be. */
static bool parse_link(const struct nlmsghdr *header, struct netlink_link *link)
{
    const struct ifinfomsg *info = NLMSG_DATA(header);

    /* A bridge tells of its ports by messages of its own family. */
    if (header->nlmsg_len < NLMSG_LENGTH(sizeof *info) || info->ifi_family != AF_UNSPEC || info->ifi_index <= 0)
        return false;
    *link = (struct netlink_link){
        .ifindex = info->ifi_index,
        .up = (info->ifi_flags & (IFF_UP | IFF_RUNNING)) == (IFF_UP | IFF_RUNNING),
        .gone = header->nlmsg_type == RTM_DELLINK,
    };
    int len = (int)IFLA_PAYLOAD(header);
    for (const struct rtattr *attr = IFLA_RTA(info); RTA_OK(attr, len); attr = RTA_NEXT(attr, len)) {
        if (attr->rta_type == IFLA_IFNAME)
            snprintf(link->name, sizeof link->name, "%.*s", (int)RTA_PAYLOAD(attr), (const char *)RTA_DATA(attr));
    }
    return link->name[0] != '\0';
}

static void on_link(struct netlink *netlink, struct netlink_link *link)
{
    if (link->gone)
        link->up = false;
    if (link->elsewhere)
        netlink->fn(netlink->arg, link);
    else if (link->gone)
        note_gone(netlink, link);
    else
        note_link(netlink, link);
}

static void on_message(struct netlink *netlink, const struct nlmsghdr *header, bool elsewhere)
{
    struct netlink_link link;
    bool answer = !elsewhere && header->nlmsg_seq == netlink->sequence;

    if (answer && header->nlmsg_flags & NLM_F_DUMP_INTR)
        read_again(netlink);
    switch (header->nlmsg_type) {
    case NLMSG_DONE:
        if (answer)
            reading_ended(netlink);
        break;
    case NLMSG_ERROR:
        if (answer)
            read_again(netlink);
        break;
    case RTM_NEWLINK:
    case RTM_DELLINK:
        if (!parse_link(header, &link))
            break;
        link.elsewhere = elsewhere;
        on_link(netlink, &link);
        break;
    }
}

/* Whether the message came from another namespace: only then does the kernel say from which. */
static bool is_elsewhere(struct msghdr *message)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
        if (c->cmsg_level == SOL_NETLINK && c->cmsg_type == NETLINK_LISTEN_ALL_NSID)
            return true;
    }
    return false;
}

static void messages_lost(struct netlink *netlink)
{
    LOG_INFO_RL(LOG_PORT, "the kernel had more to tell of interfaces than there was room for: reading all again");
    read_again(netlink);
}

/* Returns false when there is nothing more to read now. */
static bool receive(struct netlink *netlink)
{
    struct sockaddr_nl from = {0};
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int)) * 2];
    struct iovec part = {netlink->buffer, sizeof netlink->buffer};
    struct msghdr message = {
        .msg_name = &from,
        .msg_namelen = sizeof from,
        .msg_iov = &part,
        .msg_iovlen = 1,
        .msg_control = control,
        .msg_controllen = sizeof control,
    };
    ssize_t n = recvmsg(netlink->fd, &message, MSG_DONTWAIT);

    if (n < 0) {
        if (errno == ENOBUFS)
            messages_lost(netlink);
        return errno == ENOBUFS || errno == EINTR;
    }
    if (from.nl_pid != 0) /* another process, not the kernel */
        return true;
    if (message.msg_flags & MSG_TRUNC)
        messages_lost(netlink);
    int len = (int)n;
    bool elsewhere = is_elsewhere(&message);
    for (const struct nlmsghdr *header = (const void *)netlink->buffer; NLMSG_OK(header, len);
         header = NLMSG_NEXT(header, len))
        on_message(netlink, header, elsewhere);
    return n > 0;
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    for (int i = 0; i < DATAGRAMS_A_CALL && receive(arg); i++)
        continue;
}

/* --- the socket ---------------------------------------------------------- */

int netlink_socket(void)
{
    const struct sockaddr_nl groups = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK};
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE), on = 1, size = SOCKET_BUFFER;

    if (fd < 0)
        return -1;
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) != 0)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    /* Without the right to it, changes of interfaces that were moved away are found by those who poll. */
    setsockopt(fd, SOL_NETLINK, NETLINK_LISTEN_ALL_NSID, &on, sizeof on);
    if (bind(fd, (const struct sockaddr *)&groups, sizeof groups) != 0) {
        int error = errno;

        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

struct netlink *netlink_open(struct event_base *base, int fd, netlink_link_fn *fn, void *arg)
{
    struct netlink *netlink = calloc(1, sizeof *netlink);

    if (!netlink)
        out_of_memory("the kernel's network interfaces", sizeof *netlink);
    netlink->fn = fn;
    netlink->arg = arg;
    netlink->fd = fd;
    netlink->event = event_new(base, fd, EV_READ | EV_PERSIST, on_readable, netlink);
    netlink->again = evtimer_new(base, on_again, netlink);
    if (!netlink->event || !netlink->again || event_add(netlink->event, NULL) != 0) {
        netlink_close(netlink);
        errno = ENOMEM;
        return NULL;
    }
    read_all(netlink);
    return netlink;
}

void netlink_close(struct netlink *netlink)
{
    if (!netlink)
        return;
    for_each_entry(netlink, drop_entry);
    if (netlink->event)
        event_free(netlink->event);
    if (netlink->again)
        event_free(netlink->again);
    close(netlink->fd);
    free(netlink);
}
