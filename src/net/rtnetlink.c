#include "src/net/rtnetlink.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int rtnetlink_socket(uint32_t groups)
{
    const struct sockaddr_nl name = {.nl_family = AF_NETLINK, .nl_groups = groups};
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);

    if (fd < 0 || bind(fd, (const struct sockaddr *)&name, sizeof name) == 0)
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

int rtnetlink_receive(int fd, void *buffer)
{
    struct sockaddr_nl from = {0};
    socklen_t size = sizeof from;
    ssize_t n = recvfrom(fd, buffer, RTNETLINK_BUFFER, MSG_DONTWAIT | MSG_TRUNC, (struct sockaddr *)&from, &size);

    if (n < 0)
        return errno == ENOBUFS ? -1 : 0;
    if (n > RTNETLINK_BUFFER)
        return -1;
    if (from.nl_pid != 0) /* another process */
        memset(buffer, 0, (size_t)n);
    return (int)n;
}

bool rtnetlink_take(const struct nlmsghdr *header, size_t fixed, rtnetlink_attributes of)
{
    if (header->nlmsg_len < NLMSG_SPACE(fixed))
        return false;
    int len = (int)(header->nlmsg_len - NLMSG_SPACE(fixed));

    memset(of, 0, sizeof(rtnetlink_attributes));
    for (const struct rtattr *a = (const void *)((const char *)header + NLMSG_SPACE(fixed)); RTA_OK(a, len);
         a = RTA_NEXT(a, len)) {
        unsigned type = a->rta_type & NLA_TYPE_MASK;

        if (type < RTNETLINK_ATTRIBUTES)
            of[type] = a;
    }
    return true;
}

uint32_t rtnetlink_number(const struct rtattr *a, uint32_t otherwise)
{
    uint32_t value;

    if (!a || RTA_PAYLOAD(a) < sizeof value)
        return otherwise;
    memcpy(&value, RTA_DATA(a), sizeof value);
    return value;
}

bool rtnetlink_address(const struct rtattr *a, uint8_t family, struct in6_addr *to)
{
    bool v4 = family == AF_INET;

    if (RTA_PAYLOAD(a) != (v4 ? 4 : sizeof *to))
        return false;
    *to = v4 ? (struct in6_addr){.s6_addr = {[10] = 0xff, [11] = 0xff}} : (struct in6_addr){0};
    memcpy(&to->s6_addr[v4 ? 12 : 0], RTA_DATA(a), RTA_PAYLOAD(a));
    return true;
}
