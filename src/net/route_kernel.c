#define MEM_WHAT "the kernel's routes"

#include "src/net/route_kernel.h"

#include <errno.h>
#include <event2/event.h>
#include <linux/fib_rules.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "pmd/base/mem.h"
#include "src/net/route.h"
#include "src/net/rtnetlink.h"

#define DATAGRAMS_A_CALL 4 /* some 300 routes each */
#define PAUSE_MS 20        /* who changes one thing mostly changes several */
#define PAUSE_TIMES 10     /* the work of a reading */
#define GROUP_IPV6_RULE (1u << (RTNLGRP_IPV6_RULE - 1))

/* What is read, in this order: a route counts only with an address, and both with a device; and routes are kept of
 * tables that rules lead to. */
static const uint16_t parts[] = {RTM_GETLINK, RTM_GETADDR, RTM_GETRULE, RTM_GETROUTE};
#define PARTS_OF_ROUTES 2 /* the last ones */
#define PARTS (sizeof parts / sizeof *parts)

struct route_kernel {
    struct routes *routes;
    struct event *told, *answers, *again, *reclaim;
    int told_fd, fd; /* changes; what was asked for */
    uint32_t sequence;
    unsigned n_parts;
    unsigned part;      /* that is being read; n_parts: none */
    bool changed;       /* since the reading began */
    uint64_t worked_us; /* of this thread's time, on the reading */
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
    device.no_carrier = !(info->ifi_flags & IFF_RUNNING);
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

/* Sets what follows from the route's kind. False: routes of that kind lead nowhere and concern no packet of ours. */
static bool take_kind(const struct rtmsg *info, struct route_told *told)
{
    switch (info->rtm_type) {
    case RTN_UNICAST:
        return true;
    case RTN_LOCAL:
        told->local = true;
        return true;
    case RTN_BLACKHOLE:
    case RTN_UNREACHABLE:
    case RTN_PROHIBIT:
        told->verdict = ROUTE_REFUSED;
        return true;
    case RTN_THROW:
        told->verdict = ROUTE_THROW;
        return true;
    default:
        return false;
    }
}

/* The gateway of another family, as IPv4 routes by IPv6 routers have it (RFC 5549). */
static bool take_via(const struct rtattr *a, struct in6_addr *gateway)
{
    const struct rtvia *via = RTA_DATA(a);

    if (RTA_PAYLOAD(a) != sizeof *via + sizeof *gateway || via->rtvia_family != AF_INET6)
        return false;
    memcpy(gateway, via->rtvia_addr, sizeof *gateway);
    return true;
}

/* Each path is a route of its own. */
static void tell_path(struct routes *routes, const struct rtnexthop *hop, uint8_t family, struct route_told told)
{
    int len = (int)(hop->rtnh_len - sizeof *hop);

    if (hop->rtnh_flags & RTNH_F_DEAD)
        return;
    told.ifindex = hop->rtnh_ifindex;
    told.weight = hop->rtnh_hops + 1u;
    for (const struct rtattr *a = RTNH_DATA(hop); RTA_OK(a, len); a = RTA_NEXT(a, len)) {
        if ((a->rta_type == RTA_VIA && !take_via(a, &told.gateway)) ||
            (a->rta_type == RTA_GATEWAY && !rtnetlink_address(a, family, &told.gateway)))
            return;
    }
    routes_tell_route(routes, &told);
}

static void tell_paths(struct routes *routes, const struct rtattr *multipath, uint8_t family,
                       const struct route_told *told)
{
    const struct rtnexthop *hop = RTA_DATA(multipath);

    for (int len = (int)RTA_PAYLOAD(multipath); RTNH_OK(hop, len);
         len -= RTNH_ALIGN(hop->rtnh_len), hop = RTNH_NEXT(hop))
        tell_path(routes, hop, family, *told);
}

/* Leaves out cached entries, which are no routes, and routes for some source addresses or types of service alone. */
static bool is_of_interest(const struct rtmsg *info)
{
    return (info->rtm_family == AF_INET || info->rtm_family == AF_INET6) && info->rtm_scope != RT_SCOPE_NOWHERE &&
           info->rtm_src_len == 0 && info->rtm_tos == 0 && !(info->rtm_flags & (RTM_F_CLONED | RTNH_F_DEAD));
}

static void on_route(struct routes *routes, const struct nlmsghdr *header)
{
    const struct rtmsg *info = NLMSG_DATA(header);
    struct route_told told = {0};
    rtnetlink_attributes of;

    if (!rtnetlink_take(header, sizeof *info, of) || !is_of_interest(info) || !take_kind(info, &told))
        return;
    told.table = rtnetlink_number(of[RTA_TABLE], info->rtm_table);
    if (!routes_want_table(routes, told.table))
        return;
    if (info->rtm_family == AF_INET)
        told.prefix = (struct in6_addr){.s6_addr = {[10] = 0xff, [11] = 0xff}};
    told.length = (uint8_t)(info->rtm_dst_len + (info->rtm_family == AF_INET ? 96 : 0));
    told.metric = rtnetlink_number(of[RTA_PRIORITY], 0);
    if ((of[RTA_DST] && !rtnetlink_address(of[RTA_DST], info->rtm_family, &told.prefix)) ||
        (of[RTA_GATEWAY] && !rtnetlink_address(of[RTA_GATEWAY], info->rtm_family, &told.gateway)) ||
        (of[RTA_PREFSRC] && !rtnetlink_address(of[RTA_PREFSRC], info->rtm_family, &told.source)) ||
        (of[RTA_VIA] && !take_via(of[RTA_VIA], &told.gateway)) || told.length > 128)
        return;
    if (of[RTA_MULTIPATH]) {
        tell_paths(routes, of[RTA_MULTIPATH], info->rtm_family, &told);
        return;
    }
    if (told.verdict == ROUTE_USED)
        told.ifindex = (int)rtnetlink_number(of[RTA_OIF], 0);
    routes_tell_route(routes, &told);
}

/* --- rules --------------------------------------------------------------- */

static bool take_action(uint8_t action, struct route_rule *rule)
{
    switch (action) {
    case FR_ACT_TO_TBL:
        rule->action = ROUTE_RULE_LOOKUP;
        return true;
    case FR_ACT_GOTO:
        rule->action = ROUTE_RULE_GOTO;
        return true;
    case FR_ACT_NOP:
        rule->action = ROUTE_RULE_NOP;
        return true;
    case FR_ACT_BLACKHOLE:
    case FR_ACT_UNREACHABLE:
    case FR_ACT_PROHIBIT:
        rule->action = ROUTE_RULE_REFUSE;
        return true;
    default:
        return false;
    }
}

static bool take_prefix(const struct rtattr *a, uint8_t family, uint8_t bits, struct in6_addr *prefix, uint8_t *length)
{
    if (!a)
        return bits == 0;
    *length = (uint8_t)(bits + (family == AF_INET ? 96 : 0));
    return *length <= 128 && rtnetlink_address(a, family, prefix);
}

/* Rules of what tunnels' packets do not have, or have of every kind: of a virtual routing domain, a user, a protocol,
 * ports, a type of service. */
static bool is_of_others(const struct fib_rule_hdr *info, rtnetlink_attributes of)
{
    return of[FRA_L3MDEV] || of[FRA_UID_RANGE] || of[FRA_IP_PROTO] || of[FRA_SPORT_RANGE] || of[FRA_DPORT_RANGE] ||
           of[FRA_TUN_ID] || info->tos != 0;
}

static bool names(const struct rtattr *a, const char *device)
{
    return a && RTA_PAYLOAD(a) == strlen(device) + 1 && memcmp(RTA_DATA(a), device, strlen(device) + 1) == 0;
}

/* Packets of tunnels are this host's: they come "in" by lo. */
static void on_rule(struct routes *routes, const struct nlmsghdr *header)
{
    const struct fib_rule_hdr *info = NLMSG_DATA(header);
    struct route_rule rule;
    rtnetlink_attributes of;

    memset(&rule, 0, sizeof rule);
    if (!rtnetlink_take(header, sizeof *info, of) || (info->family != AF_INET && info->family != AF_INET6) ||
        is_of_others(info, of) || !take_action(info->action, &rule) ||
        !take_prefix(of[FRA_SRC], info->family, info->src_len, &rule.from, &rule.from_length) ||
        !take_prefix(of[FRA_DST], info->family, info->dst_len, &rule.to, &rule.to_length))
        return;
    rule.ipv6 = info->family == AF_INET6;
    rule.invert = info->flags & FIB_RULE_INVERT;
    rule.never = (of[FRA_IIFNAME] && !names(of[FRA_IIFNAME], "lo")) || of[FRA_OIFNAME];
    rule.priority = rtnetlink_number(of[FRA_PRIORITY], 0);
    rule.table = rtnetlink_number(of[FRA_TABLE], info->table);
    rule.target = rtnetlink_number(of[FRA_GOTO], 0);
    rule.mark_mask = rtnetlink_number(of[FRA_FWMASK], of[FRA_FWMARK] ? UINT32_MAX : 0);
    rule.mark = rtnetlink_number(of[FRA_FWMARK], 0) & rule.mark_mask;
    rule.suppress_length = (uint8_t)rtnetlink_number(of[FRA_SUPPRESS_PREFIXLEN], UINT32_MAX);
    rule.suppress = rtnetlink_number(of[FRA_SUPPRESS_PREFIXLEN], UINT32_MAX) <= 128;
    routes_tell_rule(routes, &rule);
}

/* --- time ---------------------------------------------------------------- */

/* The thread's own time: without what others got of the core. */
static uint64_t thread_us(void)
{
    struct timespec time;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return (uint64_t)time.tv_sec * 1000000 + (uint64_t)time.tv_nsec / 1000;
}

/* --- readings ------------------------------------------------------------ */

static void set_timer(struct event *event, uint64_t us)
{
    const struct timeval pause = {.tv_sec = (time_t)(us / 1000000), .tv_usec = (suseconds_t)(us % 1000000)};

    if (!evtimer_pending(event, NULL))
        evtimer_add(event, &pause);
}

static void read_soon(struct route_kernel *kernel, uint64_t worked_us)
{
    uint64_t pause = PAUSE_TIMES * worked_us;

    set_timer(kernel->again, pause > PAUSE_MS * 1000 ? pause : PAUSE_MS * 1000);
}

/* The reading under way is worth nothing. */
static void read_failed(struct route_kernel *kernel)
{
    kernel->part = kernel->n_parts;
    read_soon(kernel, kernel->worked_us);
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
    kernel->worked_us = 0;
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
        read_soon(kernel, kernel->worked_us);
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
    case RTM_NEWRULE:
        on_rule(kernel->routes, header);
        break;
    case RTM_NEWROUTE:
        on_route(kernel->routes, header);
        break;
    }
}

static void take_answers(struct route_kernel *kernel, evutil_socket_t fd)
{
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

static void on_answers(evutil_socket_t fd, short what, void *arg)
{
    const uint64_t began_us = thread_us();
    struct route_kernel *kernel = arg;

    take_answers(kernel, fd);
    kernel->worked_us += thread_us() - began_us;
}

/* Something changed; what it was does not matter, as all is read again. */
static void on_told(evutil_socket_t fd, short what, void *arg)
{
    struct route_kernel *kernel = arg;
    int n = 0;

    while (n++ < DATAGRAMS_A_CALL && rtnetlink_receive(fd, kernel->buffer))
        continue;
    route_kernel_read(kernel);
}

/* --- sockets ------------------------------------------------------------- */

struct route_kernel *route_kernel_open(struct event_base *base, struct routes *routes, bool with_routes)
{
    struct route_kernel *kernel = mem_calloc(1, sizeof *kernel);

    kernel->routes = routes;
    kernel->n_parts = with_routes ? PARTS : PARTS - PARTS_OF_ROUTES;
    kernel->part = kernel->n_parts;
    kernel->fd = rtnetlink_socket(0);
    kernel->told_fd = rtnetlink_socket(RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | RTMGRP_IPV4_ROUTE |
                                       RTMGRP_IPV6_ROUTE | RTMGRP_IPV4_RULE | GROUP_IPV6_RULE);
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

void route_kernel_read(struct route_kernel *kernel)
{
    kernel->changed = true;
    if (kernel->part == kernel->n_parts)
        read_soon(kernel, 0);
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
