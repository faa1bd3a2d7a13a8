#include "pmd/port/tc.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <rte_common.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ROOT_HANDLE TC_H_MAKE(PORT_SCHEDULER_MAJOR, 0)
/* All queues are below this class, whose limit is the port's. */
#define TOP_CLASS TC_H_MAKE(PORT_SCHEDULER_MAJOR, 0xfffe)
/* The kernel's times are in units of 64 ns (PSCHED_SHIFT). */
#define TICK_NS 64
/* A burst must have room for the longest packet with what is put in front of it on the way. */
#define BURST_MARGIN 64
#define HTB_PRIORITY_MAX 7 /* TC_HTB_NUMPRIO */

/* A message in the making. */
struct request {
    struct nlmsghdr header;
    struct tcmsg tc;
    uint8_t attributes[1024];
};

static const char *const kinds[PORT_N_SCHEDULERS] = {
    [PORT_SCHEDULER_HTB] = "htb",     [PORT_SCHEDULER_HFSC] = "hfsc",         [PORT_SCHEDULER_SFQ] = "sfq",
    [PORT_SCHEDULER_CODEL] = "codel", [PORT_SCHEDULER_FQ_CODEL] = "fq_codel",
};

/* --- messages ------------------------------------------------------------ */

static void begin(struct request *request, uint16_t type, uint16_t flags, int ifindex, uint32_t handle, uint32_t parent)
{
    memset(request, 0, sizeof *request);
    request->header.nlmsg_len = NLMSG_LENGTH(sizeof request->tc);
    request->header.nlmsg_type = type;
    request->header.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
    request->tc.tcm_family = AF_UNSPEC;
    request->tc.tcm_ifindex = ifindex;
    request->tc.tcm_handle = handle;
    request->tc.tcm_parent = parent;
}

static struct rtattr *put(struct request *request, uint16_t type, const void *data, size_t len)
{
    struct rtattr *a = (void *)((uint8_t *)request + NLMSG_ALIGN(request->header.nlmsg_len));

    a->rta_type = type;
    a->rta_len = (uint16_t)RTA_LENGTH(len);
    if (len > 0)
        memcpy(RTA_DATA(a), data, len);
    request->header.nlmsg_len = (uint32_t)(NLMSG_ALIGN(request->header.nlmsg_len) + RTA_ALIGN(a->rta_len));
    return a;
}

static void end(struct request *request, struct rtattr *nest)
{
    nest->rta_len = (uint16_t)((uint8_t *)request + request->header.nlmsg_len - (uint8_t *)nest);
}

/* 0 or a negative errno, as the kernel answers. */
static int transact(int fd, struct request *request)
{
    struct {
        struct nlmsghdr header;
        struct nlmsgerr error;
        uint8_t rest[512];
    } reply;
    ssize_t n;

    if (send(fd, request, request->header.nlmsg_len, 0) < 0)
        return -errno;
    n = recv(fd, &reply, sizeof reply, 0);
    if (n < 0)
        return -errno;
    if ((size_t)n < sizeof reply.header + sizeof reply.error.error || reply.header.nlmsg_type != NLMSG_ERROR)
        return -EPROTO;
    return reply.error.error;
}

/* --- rates --------------------------------------------------------------- */

static struct tc_ratespec ratespec(uint64_t bytes)
{
    return (struct tc_ratespec){
        .linklayer = TC_LINKLAYER_ETHERNET, .cell_align = -1, .rate = (uint32_t)RTE_MIN(bytes, (uint64_t)UINT32_MAX)};
}

static uint32_t ticks(uint64_t burst, uint64_t rate)
{
    uint64_t n = (uint64_t)((__uint128_t)burst * 1000000000 / RTE_MAX(rate, UINT64_C(1)) / TICK_NS);

    return (uint32_t)RTE_MIN(n, (uint64_t)UINT32_MAX);
}

/* Bytes a second. A class without a rate of its own still has one packet a second, without which HTB sends nothing. */
struct rates {
    uint64_t least, most, burst;
    uint32_t priority;
};

static struct rates rates_of(const struct port_class *class, uint64_t port_most, uint32_t mtu)
{
    struct rates rates = {
        .least = RTE_MIN(RTE_MAX(class->min_rate / 8, (uint64_t)mtu), port_most),
        .most = class->max_rate ? RTE_MIN(class->max_rate / 8, port_most) : port_most,
        .burst = RTE_MAX(class->burst / 8, (uint64_t)mtu + BURST_MARGIN),
        .priority = RTE_MIN(class->priority, (uint32_t)HTB_PRIORITY_MAX),
    };

    rates.most = RTE_MAX(rates.most, rates.least);
    return rates;
}

static void put_htb(struct request *request, const struct rates *rates, uint32_t mtu)
{
    const struct tc_htb_opt opt = {
        .rate = ratespec(rates->least),
        .ceil = ratespec(rates->most),
        .buffer = ticks(rates->burst, rates->least),
        .cbuffer = ticks(rates->burst, rates->most),
        .quantum = mtu,
        .prio = rates->priority,
    };

    put(request, TCA_HTB_PARMS, &opt, sizeof opt);
    if (rates->least > UINT32_MAX)
        put(request, TCA_HTB_RATE64, &rates->least, sizeof rates->least);
    if (rates->most > UINT32_MAX)
        put(request, TCA_HTB_CEIL64, &rates->most, sizeof rates->most);
}

/* Straight lines: a guaranteed rate, and a limit. */
static void put_hfsc(struct request *request, const struct rates *rates)
{
    const struct tc_service_curve least = {.m2 = (uint32_t)RTE_MIN(rates->least, (uint64_t)UINT32_MAX)};
    const struct tc_service_curve most = {.m2 = (uint32_t)RTE_MIN(rates->most, (uint64_t)UINT32_MAX)};

    put(request, TCA_HFSC_RSC, &least, sizeof least);
    put(request, TCA_HFSC_FSC, &least, sizeof least);
    put(request, TCA_HFSC_USC, &most, sizeof most);
}

/* --- what there is ------------------------------------------------------- */

/* As far as there was one: whatever somebody else had put there. */
static int remove_root(int fd, int ifindex)
{
    struct request request;
    int rc;

    begin(&request, RTM_DELQDISC, 0, ifindex, 0, TC_H_ROOT);
    rc = transact(fd, &request);
    return rc == -ENOENT || rc == -EINVAL ? 0 : rc;
}

static int add_root(int fd, int ifindex, enum port_scheduler scheduler)
{
    const struct tc_htb_glob htb = {.version = TC_HTB_PROTOVER, .rate2quantum = 10, .defcls = 1};
    const struct tc_hfsc_qopt hfsc = {.defcls = 1};
    struct request request;

    begin(&request, RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL, ifindex, ROOT_HANDLE, TC_H_ROOT);
    put(&request, TCA_KIND, kinds[scheduler], strlen(kinds[scheduler]) + 1);
    if (scheduler == PORT_SCHEDULER_HTB) {
        struct rtattr *options = put(&request, TCA_OPTIONS, NULL, 0);

        put(&request, TCA_HTB_INIT, &htb, sizeof htb);
        end(&request, options);
    } else if (scheduler == PORT_SCHEDULER_HFSC) {
        put(&request, TCA_OPTIONS, &hfsc, sizeof hfsc);
    }
    return transact(fd, &request);
}

static int add_class(int fd, int ifindex, enum port_scheduler scheduler, uint32_t handle, uint32_t parent,
                     const struct rates *rates, uint32_t mtu)
{
    struct request request;
    struct rtattr *options;

    begin(&request, RTM_NEWTCLASS, NLM_F_CREATE, ifindex, handle, parent);
    put(&request, TCA_KIND, kinds[scheduler], strlen(kinds[scheduler]) + 1);
    options = put(&request, TCA_OPTIONS, NULL, 0);
    if (scheduler == PORT_SCHEDULER_HTB)
        put_htb(&request, rates, mtu);
    else
        put_hfsc(&request, rates);
    end(&request, options);
    return transact(fd, &request);
}

static int add_classes(int fd, int ifindex, uint32_t mtu, const struct port_scheduling *wanted)
{
    const uint64_t most = RTE_MAX(wanted->max_rate / 8, UINT64_C(1));
    const struct rates top = {.least = most, .most = most, .burst = mtu + BURST_MARGIN};
    int rc = add_class(fd, ifindex, wanted->scheduler, TOP_CLASS, ROOT_HANDLE, &top, mtu);

    for (unsigned i = 0; i < wanted->n_classes && rc == 0; i++) {
        const struct port_class *class = &wanted->classes[i];
        const struct rates rates = rates_of(class, most, mtu);

        rc = add_class(fd, ifindex, wanted->scheduler, TC_H_MAKE(PORT_SCHEDULER_MAJOR, class->queue + 1), TOP_CLASS,
                       &rates, mtu);
    }
    return rc;
}

int tc_set(int ifindex, uint32_t mtu, const struct port_scheduling *wanted)
{
    const bool classful = wanted->scheduler == PORT_SCHEDULER_HTB || wanted->scheduler == PORT_SCHEDULER_HFSC;
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE), rc;

    if (fd < 0)
        return -errno;
    rc = remove_root(fd, ifindex);
    if (rc == 0 && wanted->scheduler != PORT_SCHEDULER_NONE)
        rc = add_root(fd, ifindex, wanted->scheduler);
    if (rc == 0 && classful)
        rc = add_classes(fd, ifindex, mtu, wanted);
    if (rc != 0)
        remove_root(fd, ifindex);
    close(fd);
    return rc;
}
