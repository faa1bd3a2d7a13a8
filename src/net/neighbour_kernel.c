#define MEM_WHAT "the kernel's neighbours"

#include "src/net/neighbour_kernel.h"

#include <errno.h>
#include <event2/event.h>
#include <linux/neighbour.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "pmd/base/mem.h"
#include "src/net/rtnetlink.h"

#define DATAGRAMS_A_CALL 4
/* States in which the kernel sends to the address that it has. */
#define USABLE (NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT | NUD_NOARP)

struct neighbour_kernel {
    neighbour_kernel_fn *fn;
    void *arg;
    struct event *event;
    int fd;
    _Alignas(struct nlmsghdr) char buffer[RTNETLINK_BUFFER];
};

/* --- what is told -------------------------------------------------------- */

static void on_message(const struct neighbour_kernel *kernel, const struct nlmsghdr *header)
{
    const struct ndmsg *info = NLMSG_DATA(header);
    struct rte_ether_addr mac;
    rtnetlink_attributes of;
    struct in6_addr ip;

    if ((header->nlmsg_type != RTM_NEWNEIGH && header->nlmsg_type != RTM_DELNEIGH) ||
        !rtnetlink_take(header, sizeof *info, of) || (info->ndm_family != AF_INET && info->ndm_family != AF_INET6) ||
        !of[NDA_DST] || !rtnetlink_address(of[NDA_DST], info->ndm_family, &ip))
        return;
    if (header->nlmsg_type == RTM_DELNEIGH || info->ndm_state & NUD_FAILED) {
        kernel->fn(kernel->arg, info->ndm_ifindex, &ip, NULL);
        return;
    }
    const struct rtattr *lladdr = of[NDA_LLADDR];
    if (!(info->ndm_state & USABLE) || !lladdr || RTA_PAYLOAD(lladdr) != sizeof mac)
        return;
    memcpy(&mac, RTA_DATA(lladdr), sizeof mac);
    if (rte_is_unicast_ether_addr(&mac) && !rte_is_zero_ether_addr(&mac))
        kernel->fn(kernel->arg, info->ndm_ifindex, &ip, &mac);
}

/* If that fails, neighbours that are used are asked for themselves before long. */
static void read_all(const struct neighbour_kernel *kernel)
{
    struct {
        struct nlmsghdr header;
        struct ndmsg info;
    } request = {
        .header = {.nlmsg_len = sizeof request, .nlmsg_type = RTM_GETNEIGH, .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP}};

    if (send(kernel->fd, &request, sizeof request, MSG_DONTWAIT) < 0)
        return;
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct neighbour_kernel *kernel = arg;

    for (int i = 0; i < DATAGRAMS_A_CALL; i++) {
        int len = rtnetlink_receive(kernel->fd, kernel->buffer);

        if (len < 0)
            read_all(kernel);
        if (len <= 0)
            return;
        for (const struct nlmsghdr *header = (const void *)kernel->buffer; NLMSG_OK(header, len);
             header = NLMSG_NEXT(header, len))
            on_message(kernel, header);
    }
}

/* --- asking -------------------------------------------------------------- */

void neighbour_kernel_ask(struct neighbour_kernel *kernel, int ifindex, const struct in6_addr *ip)
{
    const bool v4 = IN6_IS_ADDR_V4MAPPED(ip);
    const uint16_t size = v4 ? 4 : sizeof *ip;
    struct {
        struct nlmsghdr header;
        struct ndmsg info;
        struct rtattr dst;
        uint8_t address[sizeof *ip];
    } request = {
        .header = {.nlmsg_len = (uint32_t)(offsetof(typeof(request), address) + size),
                   .nlmsg_type = RTM_GETNEIGH,
                   .nlmsg_flags = NLM_F_REQUEST},
        .info = {.ndm_family = v4 ? AF_INET : AF_INET6, .ndm_ifindex = ifindex},
        .dst = {.rta_len = (uint16_t)RTA_LENGTH(size), .rta_type = NDA_DST},
    };

    memcpy(request.address, &ip->s6_addr[v4 ? 12 : 0], size);
    if (send(kernel->fd, &request, request.header.nlmsg_len, MSG_DONTWAIT) < 0)
        return;
}

/* --- sockets ------------------------------------------------------------- */

struct neighbour_kernel *neighbour_kernel_open(struct event_base *base, neighbour_kernel_fn *fn, void *arg)
{
    struct neighbour_kernel *kernel = mem_calloc(1, sizeof *kernel);

    kernel->fn = fn;
    kernel->arg = arg;
    kernel->fd = rtnetlink_socket(RTMGRP_NEIGH);
    if (kernel->fd >= 0)
        kernel->event = event_new(base, kernel->fd, EV_READ | EV_PERSIST, on_readable, kernel);
    if (kernel->event && event_add(kernel->event, NULL) == 0)
        return kernel;
    int error = kernel->fd < 0 ? errno : ENOMEM;
    neighbour_kernel_close(kernel);
    errno = error;
    return NULL;
}

void neighbour_kernel_close(struct neighbour_kernel *kernel)
{
    if (!kernel)
        return;
    if (kernel->event)
        event_free(kernel->event);
    if (kernel->fd >= 0)
        close(kernel->fd);
    free(kernel);
}
