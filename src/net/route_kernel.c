#include "src/net/route_kernel.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "pmd/base/clock.h"
#include "pmd/base/mem.h"
#include "src/net/route.h"
#include "src/net/rtnetlink.h"

#define DATAGRAMS_A_CALL 4 /* some 300 routes each */
#define PAUSE_MS 20        /* who changes one thing mostly changes several */
#define PAUSE_TIMES 10     /* how long a reading took */

/* What is read, in this order: a route counts only with an address, and both with a device. */
static const uint16_t parts[] = {RTM_GETLINK, RTM_GETADDR, RTM_GETROUTE};
#define PARTS (sizeof parts / sizeof *parts)

struct route_kernel {
    struct routes *routes;
    struct event *told, *answers, *again, *reclaim;
    int told_fd, fd; /* changes; what was asked for */
    uint32_t sequence;
    unsigned n_parts;
    unsigned part; /* that is being read; n_parts: none */
    bool changed;  /* since the reading began */
    uint64_t began_us;
    _Alignas(struct nlmsghdr) char buffer[RTNETLINK_BUFFER];
};

/* --- one message --------------------------------------------------------- */

static void on_link(struct routes *routes, const struct nlmsghdr *header)
{
    const struct ifinfomsg *info = NLMSG_DATA(header);
    struct routes_device device = {.ifindex = 0};
    rtnetlink_attributes of;

    if (!rtnetlink_take(header, sizeof *info, of))
        return;
    const struct rtattr *a = of[IFLA_IFNAME], *mac = of[IFLA_ADDRESS];
    if (!a || RTA_PAYLOAD(a) > sizeof device.name)
        return;
    memcpy(device.name, RTA_DATA(a), RTA_PAYLOAD(a));
    device.ifindex = info->ifi_index;
    if (mac && RTA_PAYLOAD(mac) == sizeof device.mac)
        memcpy(&device.mac, RTA_DATA(mac), sizeof device.mac);
    uint32_t mtu = rtnetlink_number(of[IFLA_MTU], 0);
    device.mtu = mtu > UINT16_MAX ? 0 : (uint16_t)mtu;
    routes_tell_device(routes, &device);
}

static void on_address(struct routes *routes, const struct nlmsghdr *header)
{
    const struct ifaddrmsg *info = NLMSG_DATA(header);
    struct in6_addr local;
    rtnetlink_attributes of;

    if (!rtnetlink_take(header, sizeof *info, of) || (info->ifa_family != AF_INET && info->ifa_family != AF_INET6))
        return;
    /* IFA_ADDRESS is the peer's on a point-to-point link. */
    const struct rtattr *a = of[IFA_LOCAL] ? of[IFA_LOCAL] : of[IFA_ADDRESS];
    if (!a || !rtnetlink_address(a, info->ifa_family, &local))
        return;
    routes_tell_address(routes, (int)info->ifa_index, &local,
                        (uint8_t)(info->ifa_prefixlen + (info->ifa_family == AF_INET ? 96 : 0)));
}

/* The first of several next hops. */
static bool first_hop(const struct rtattr *multipath, uint8_t family, struct route_told *told)
{
    const struct rtnexthop *hop = RTA_DATA(multipath);

    if (RTA_PAYLOAD(multipath) < sizeof *hop || hop->rtnh_len < sizeof *hop || hop->rtnh_len > RTA_PAYLOAD(multipath))
        return false;
    told->ifindex = hop->rtnh_ifindex;
    int len = (int)(hop->rtnh_len - sizeof *hop);
    for (const struct rtattr *a = RTNH_DATA(hop); RTA_OK(a, len); a = RTA_NEXT(a, len))
        if (a->rta_type == RTA_GATEWAY && !rtnetlink_address(a, family, &told->gateway))
            return false;
    return true;
}

static bool is_of_interest(const struct rtmsg *info, uint32_t table)
{
    bool ours = table == RT_TABLE_MAIN || table == RT_TABLE_LOCAL || table == RT_TABLE_DEFAULT;

    return ours && (info->rtm_family == AF_INET || info->rtm_family == AF_INET6) &&
           info->rtm_scope != RT_SCOPE_NOWHERE && (info->rtm_type == RTN_UNICAST || info->rtm_type == RTN_LOCAL) &&
           !(info->rtm_flags & (RTM_F_CLONED | RTNH_F_DEAD));
}

static void on_route(struct routes *routes, const struct nlmsghdr *header)
{
    const struct rtmsg *info = NLMSG_DATA(header);
    struct route_told told = {0};
    rtnetlink_attributes of;

    if (!rtnetlink_take(header, sizeof *info, of))
        return;
    if (!is_of_interest(info, rtnetlink_number(of[RTA_TABLE], info->rtm_table)))
        return;
    if (info->rtm_family == AF_INET)
        told.prefix = (struct in6_addr){.s6_addr = {[10] = 0xff, [11] = 0xff}};
    told.length = (uint8_t)(info->rtm_dst_len + (info->rtm_family == AF_INET ? 96 : 0));
    told.local = info->rtm_type == RTN_LOCAL;
    told.metric = rtnetlink_number(of[RTA_PRIORITY], 0);
    told.ifindex = (int)rtnetlink_number(of[RTA_OIF], 0);
    if ((of[RTA_DST] && !rtnetlink_address(of[RTA_DST], info->rtm_family, &told.prefix)) ||
        (of[RTA_GATEWAY] && !rtnetlink_address(of[RTA_GATEWAY], info->rtm_family, &told.gateway)) ||
        (of[RTA_PREFSRC] && !rtnetlink_address(of[RTA_PREFSRC], info->rtm_family, &told.source)) ||
        (of[RTA_MULTIPATH] && !first_hop(of[RTA_MULTIPATH], info->rtm_family, &told)) || told.length > 128)
        return;
    routes_tell_route(routes, &told);
}

/* --- readings ------------------------------------------------------------ */

static void set_timer(struct event *event, uint64_t us)
{
    const struct timeval pause = {.tv_sec = (time_t)(us / 1000000), .tv_usec = (suseconds_t)(us % 1000000)};

    if (!evtimer_pending(event, NULL))
        evtimer_add(event, &pause);
}

static void read_soon(struct route_kernel *kernel, uint64_t took_us)
{
    uint64_t pause = PAUSE_TIMES * took_us;

    set_timer(kernel->again, pause > PAUSE_MS * 1000 ? pause : PAUSE_MS * 1000);
}

/* The reading under way is worth nothing. */
static void read_failed(struct route_kernel *kernel)
{
    kernel->part = kernel->n_parts;
    read_soon(kernel, clock_now_us() - kernel->began_us);
}

static void ask(struct route_kernel *kernel)
{
    struct {
        struct nlmsghdr header;
        struct rtgenmsg info;
    } request = {.header = {.nlmsg_len = sizeof request,
                            .nlmsg_type = parts[kernel->part],
                            .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
                            .nlmsg_seq = ++kernel->sequence}};

    if (send(kernel->fd, &request, sizeof request, MSG_DONTWAIT) != sizeof request)
        read_failed(kernel);
}

static void on_again(evutil_socket_t fd, short what, void *arg)
{
    struct route_kernel *kernel = arg;

    kernel->changed = false;
    kernel->part = 0;
    kernel->began_us = clock_now_us();
    ask(kernel);
}

static void on_reclaim(evutil_socket_t fd, short what, void *arg)
{
    struct route_kernel *kernel = arg;

    if (routes_reclaim(kernel->routes))
        set_timer(kernel->reclaim, 0);
}

static void part_ended(struct route_kernel *kernel)
{
    if (++kernel->part < kernel->n_parts) {
        ask(kernel);
        return;
    }
    routes_told_all(kernel->routes);
    set_timer(kernel->reclaim, 0);
    if (kernel->changed)
        read_soon(kernel, clock_now_us() - kernel->began_us);
}

static void on_message(struct route_kernel *kernel, const struct nlmsghdr *header)
{
    if (header->nlmsg_seq != kernel->sequence || kernel->part == kernel->n_parts)
        return;
    if (header->nlmsg_type == NLMSG_ERROR || header->nlmsg_flags & NLM_F_DUMP_INTR) {
        read_failed(kernel);
        return;
    }
    switch (header->nlmsg_type) {
    case NLMSG_DONE:
        part_ended(kernel);
        break;
    case RTM_NEWLINK:
        on_link(kernel->routes, header);
        break;
    case RTM_NEWADDR:
        on_address(kernel->routes, header);
        break;
    case RTM_NEWROUTE:
        on_route(kernel->routes, header);
        break;
    }
}

static void on_answers(evutil_socket_t fd, short what, void *arg)
{
    struct route_kernel *kernel = arg;

    for (int i = 0; i < DATAGRAMS_A_CALL; i++) {
        int len = rtnetlink_receive(fd, kernel->buffer);

        if (len < 0)
            read_failed(kernel);
        if (len <= 0)
            return;
        for (const struct nlmsghdr *header = (const void *)kernel->buffer; NLMSG_OK(header, len);
             header = NLMSG_NEXT(header, len))
            on_message(kernel, header);
    }
}

/* What changed does not matter. */
static void on_told(evutil_socket_t fd, short what, void *arg)
{
    struct route_kernel *kernel = arg;
    int n = 0;

    while (n++ < DATAGRAMS_A_CALL && rtnetlink_receive(fd, kernel->buffer))
        continue;
    kernel->changed = true;
    if (kernel->part == kernel->n_parts)
        read_soon(kernel, 0);
}

/* --- sockets ------------------------------------------------------------- */

struct route_kernel *route_kernel_open(struct event_base *base, struct routes *routes, bool with_routes)
{
    struct route_kernel *kernel = mem_calloc(1, sizeof *kernel);

    kernel->routes = routes;
    kernel->n_parts = with_routes ? PARTS : PARTS - 1;
    kernel->part = kernel->n_parts;
    kernel->fd = rtnetlink_socket(0);
    kernel->told_fd =
        rtnetlink_socket(RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE);
    if (kernel->fd < 0 || kernel->told_fd < 0) {
        int error = errno;

        route_kernel_close(kernel);
        errno = error;
        return NULL;
    }
    kernel->told = event_new(base, kernel->told_fd, EV_READ | EV_PERSIST, on_told, kernel);
    kernel->answers = event_new(base, kernel->fd, EV_READ | EV_PERSIST, on_answers, kernel);
    kernel->again = evtimer_new(base, on_again, kernel);
    kernel->reclaim = evtimer_new(base, on_reclaim, kernel);
    if (!kernel->told || !kernel->answers || !kernel->again || !kernel->reclaim || event_add(kernel->told, NULL) != 0 ||
        event_add(kernel->answers, NULL) != 0) {
        route_kernel_close(kernel);
        errno = ENOMEM;
        return NULL;
    }
    on_again(-1, 0, kernel);
    return kernel;
}

void route_kernel_close(struct route_kernel *kernel)
{
    if (!kernel)
        return;
    struct event *const events[] = {kernel->told, kernel->answers, kernel->again, kernel->reclaim};
    for (size_t i = 0; i < sizeof events / sizeof *events; i++)
        if (events[i])
            event_free(events[i]);
    if (kernel->fd >= 0)
        close(kernel->fd);
    if (kernel->told_fd >= 0)
        close(kernel->told_fd);
    free(kernel);
}
