/* What is made of rtnetlink messages, good, bad and lost ones. A socket pair stands for the kernel's socket, whose
 * other end the test has. */
#include <errno.h>
#include <event2/event.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "src/net/netlink.h"

#define UP_FLAGS (IFF_UP | IFF_RUNNING)

static struct event_base *base;
static struct netlink *netlink;
static int kernel;
static uint32_t sequence; /* of the last request */

/* What was told. */
static unsigned n_told;
static struct netlink_link last;

static void told(void *arg, const struct netlink_link *link)
{
    assert_true(link->ifindex > 0);
    assert_true(strlen(link->name) > 0 && strlen(link->name) < IFNAMSIZ);
    assert_false(link->gone && link->up);
    last = *link;
    n_told++;
}

static void run(void)
{
    assert_true(event_base_loop(base, EVLOOP_NONBLOCK) >= 0);
}

static bool request_waits(int ms)
{
    struct pollfd fd = {.fd = kernel, .events = POLLIN};

    return poll(&fd, 1, ms) == 1;
}

static uint64_t now_ms(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000 + (uint64_t)time.tv_nsec / 1000000;
}

/* Takes the request for all interfaces that must come within two seconds. */
static void take_request(void)
{
    struct {
        struct nlmsghdr header;
        struct ifinfomsg info;
    } request;

    for (int i = 0; i < 400 && !request_waits(5); i++)
        run();
    assert_int_equal(recv(kernel, &request, sizeof request, MSG_DONTWAIT), sizeof request);
    assert_int_equal(request.header.nlmsg_len, sizeof request);
    assert_int_equal(request.header.nlmsg_type, RTM_GETLINK);
    assert_int_equal(request.header.nlmsg_flags, NLM_F_REQUEST | NLM_F_DUMP);
    sequence = request.header.nlmsg_seq;
}

static void tell(const void *message, size_t size)
{
    assert_int_equal(send(kernel, message, size, MSG_DONTWAIT), size);
    run();
}

/* One interface's message; `name` NULL: without. Returns its length. */
static size_t make_link(void *to, uint16_t type, uint32_t seq, int ifindex, const char *name, unsigned flags)
{
    struct {
        struct nlmsghdr header;
        struct ifinfomsg info;
        struct rtattr attr;
        char name[64];
    } message = {
        .header = {.nlmsg_type = type, .nlmsg_seq = seq},
        .info = {.ifi_index = ifindex, .ifi_flags = flags},
    };

    message.header.nlmsg_len = NLMSG_LENGTH(sizeof message.info);
    if (name) {
        message.attr.rta_type = IFLA_IFNAME;
        message.attr.rta_len = RTA_LENGTH(strlen(name) + 1);
        strcpy(message.name, name);
        message.header.nlmsg_len += RTA_SPACE(strlen(name) + 1);
    }
    memcpy(to, &message, message.header.nlmsg_len);
    return message.header.nlmsg_len;
}

static void tell_link(uint16_t type, uint32_t seq, int ifindex, const char *name, unsigned flags)
{
    _Alignas(struct nlmsghdr) char message[256];

    tell(message, make_link(message, type, seq, ifindex, name, flags));
}

static void tell_end(uint16_t type, uint32_t seq, uint16_t flags)
{
    struct nlmsghdr header = {
        .nlmsg_len = sizeof header, .nlmsg_type = type, .nlmsg_seq = seq, .nlmsg_flags = NLM_F_MULTI | flags};

    tell(&header, sizeof header);
}

static int open_pair(void **state)
{
    int fds[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    kernel = fds[1];
    base = event_base_new();
    netlink = netlink_open(base, fds[0], told, NULL);
    n_told = 0;
    take_request();
    return base && netlink ? 0 : -1;
}

static int close_pair(void **state)
{
    netlink_close(netlink);
    event_base_free(base);
    close(kernel);
    return 0;
}

/* Two interfaces, a and b. */
static void tell_two(void)
{
    tell_link(RTM_NEWLINK, sequence, 1, "a", UP_FLAGS);
    tell_link(RTM_NEWLINK, sequence, 2, "b", UP_FLAGS);
    tell_end(NLMSG_DONE, sequence, 0);
    assert_int_equal(n_told, 2);
}

static void a_change_is_told_once(void **state)
{
    tell_two();
    assert_int_equal(last.ifindex, 2);
    assert_string_equal(last.name, "b");
    assert_true(last.up && !last.gone && !last.elsewhere);

    tell_link(RTM_NEWLINK, 0, 2, "b", UP_FLAGS | IFF_PROMISC);
    assert_int_equal(n_told, 2);
    tell_link(RTM_NEWLINK, 0, 2, "b", IFF_UP); /* without a carrier */
    assert_int_equal(n_told, 3);
    assert_false(last.up);
    tell_link(RTM_NEWLINK, 0, 2, "b", IFF_RUNNING);
    assert_int_equal(n_told, 3);
    tell_link(RTM_NEWLINK, 0, 2, "c", UP_FLAGS);
    assert_int_equal(n_told, 4);
    assert_string_equal(last.name, "c");
    tell_link(RTM_DELLINK, 0, 2, "c", UP_FLAGS);
    assert_int_equal(n_told, 5);
    assert_true(last.gone && !last.up && last.ifindex == 2);
    tell_link(RTM_NEWLINK, 0, 2, "c", UP_FLAGS);
    assert_true(n_told == 6 && last.up && !last.gone);
}

/* Its NEWLINK may have been one of those that were lost. */
static void the_end_of_an_unknown_interface_is_told(void **state)
{
    tell_link(RTM_DELLINK, 0, 9, "x", 0);
    assert_true(n_told == 1 && last.gone && last.ifindex == 9);
}

static void several_messages_in_one_datagram(void **state)
{
    _Alignas(struct nlmsghdr) char datagram[512];
    size_t n = make_link(datagram, RTM_NEWLINK, sequence, 1, "abc", UP_FLAGS);

    n += make_link(datagram + n, RTM_NEWLINK, sequence, 2, "def", UP_FLAGS);
    tell(datagram, n);
    assert_int_equal(n_told, 2);
    assert_string_equal(last.name, "def");
}

/* Nothing bad is told, and what follows is understood. */
static void tell_bad(const void *message, size_t size)
{
    unsigned before = n_told;

    tell(message, size);
    assert_int_equal(n_told, before);
    tell_link(RTM_NEWLINK, 0, 77, "good", before % 2 ? UP_FLAGS : 0);
    assert_int_equal(n_told, before + 1);
    assert_int_equal(last.ifindex, 77);
}

static void bad_messages_are_passed_over(void **state)
{
    static const uint32_t lengths[] = {0, 1, sizeof(struct nlmsghdr) - 1, 200, 0x7fffffff, 0xffffffff};
    static const uint16_t attr_lengths[] = {0, 1, 3, 4, 200, 0xffff};
    _Alignas(struct nlmsghdr) char message[256];
    struct nlmsghdr *header = (void *)message;
    struct ifinfomsg *info = NLMSG_DATA(header);
    struct rtattr *attr = IFLA_RTA(info);
    size_t size = make_link(message, RTM_NEWLINK, 0, 5, "five", UP_FLAGS);

    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        header->nlmsg_len = lengths[i];
        tell_bad(message, size);
    }
    for (uint32_t n = sizeof *header; n < NLMSG_LENGTH(sizeof *info); n++) {
        header->nlmsg_len = n; /* no room for the interface */
        tell_bad(message, size);
    }
    header->nlmsg_len = (uint32_t)size;
    for (size_t i = 0; i < sizeof attr_lengths / sizeof attr_lengths[0]; i++) {
        attr->rta_len = attr_lengths[i];
        tell_bad(message, size);
    }
    attr->rta_len = RTA_LENGTH(5);
    info->ifi_index = 0;
    tell_bad(message, size);
    info->ifi_index = -5;
    tell_bad(message, size);
    info->ifi_index = 5;
    info->ifi_family = AF_BRIDGE; /* what a bridge says of it */
    tell_bad(message, size);
    info->ifi_family = AF_UNSPEC;
    attr->rta_type = IFLA_QDISC; /* no name */
    tell_bad(message, size);
    attr->rta_type = IFLA_IFNAME;
    header->nlmsg_type = RTM_NEWADDR;
    tell_bad(message, size);
    header->nlmsg_type = RTM_NEWLINK;
    tell(message, size);
    assert_string_equal(last.name, "five");
}

static void a_truncated_message_is_passed_over(void **state)
{
    _Alignas(struct nlmsghdr) char message[256];
    size_t size = make_link(message, RTM_NEWLINK, 0, 5, "fives", UP_FLAGS);

    for (size_t n = 0; n < size - 3; n++) /* the last bytes are padding */
        tell_bad(message, n);
}

static void a_name_that_is_too_long_or_has_no_end_stays_within(void **state)
{
    _Alignas(struct nlmsghdr) char message[256];
    size_t size = make_link(message, RTM_NEWLINK, 0, 5, "a-name-that-is-much-too-long-for-linux", UP_FLAGS);

    tell(message, size);
    assert_string_equal(last.name, "a-name-that-is-");
    size = make_link(message, RTM_NEWLINK, 0, 6, "abcd", UP_FLAGS);
    struct rtattr *attr = IFLA_RTA(NLMSG_DATA(message));
    attr->rta_len = RTA_LENGTH(3);
    tell(message, size);
    assert_string_equal(last.name, "abc");
}

static void random_bytes_are_harmless(void **state)
{
    _Alignas(struct nlmsghdr) char message[256];

    srandom(1);
    for (int i = 0; i < 20000; i++) {
        size_t size = make_link(message, RTM_NEWLINK, sequence, 1 + i % 100, "name", UP_FLAGS);
        for (int n = 1 + (int)(random() % 4); n > 0; n--)
            message[random() % (long)size] = (char)random();
        tell(message, (size_t)(random() % (long)(size + 1)));
    }
    /* Some of it asked for another reading, which is refused as long as it is asked for. */
    while (request_waits(0))
        take_request();
    unsigned before = n_told;
    tell_link(RTM_NEWLINK, 0, 200, "good", UP_FLAGS);
    assert_int_equal(n_told, before + 1);
}

/* A datagram longer than the buffer: what did not fit is lost, as with ENOBUFS. */
static void overrun(void)
{
    size_t size = 100000;
    char *message = calloc(1, size);

    tell(message, size);
    free(message);
}

static void after_an_overrun_all_is_read_again(void **state)
{
    tell_two();
    overrun();
    take_request();
    tell_link(RTM_NEWLINK, sequence, 2, "b", 0);
    assert_true(n_told == 3 && !last.up && last.ifindex == 2);
    tell_end(NLMSG_DONE, sequence, 0);
    assert_true(n_told == 4 && last.gone && last.ifindex == 1);
    assert_string_equal(last.name, "a");
    assert_false(request_waits(50));
}

static void an_interface_told_of_meanwhile_stays(void **state)
{
    tell_two();
    overrun();
    take_request();
    tell_link(RTM_NEWLINK, sequence, 1, "a", UP_FLAGS);
    tell_link(RTM_NEWLINK, 0, 3, "c", UP_FLAGS);
    tell_link(RTM_NEWLINK, sequence, 2, "b", UP_FLAGS);
    tell_end(NLMSG_DONE, sequence, 0);
    assert_int_equal(n_told, 3);
    assert_true(last.ifindex == 3 && !last.gone);
}

static void an_interrupted_reading_ends_nothing(void **state)
{
    tell_two();
    overrun();
    take_request();
    uint32_t old = sequence;
    tell_end(NLMSG_DONE, old, NLM_F_DUMP_INTR);
    assert_int_equal(n_told, 2);
    take_request();
    tell_end(NLMSG_DONE, old, 0); /* not the reading under way */
    assert_int_equal(n_told, 2);
    overrun(); /* in the middle of it */
    tell_end(NLMSG_DONE, sequence, 0);
    assert_int_equal(n_told, 2);
    take_request();
    tell_end(NLMSG_DONE, sequence, 0);
    assert_int_equal(n_told, 4);
}

static void a_kernel_that_refuses_is_not_asked_without_end(void **state)
{
    uint64_t start = now_ms();
    unsigned n = 0;

    while (now_ms() - start < 100 || n == 0) {
        tell_end(NLMSG_ERROR, sequence, 0);
        if (request_waits(1)) {
            take_request();
            n++;
        }
        assert_in_range(n, 0, (now_ms() - start) / 10 + 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_change_is_told_once, open_pair, close_pair),
        cmocka_unit_test_setup_teardown(the_end_of_an_unknown_interface_is_told, open_pair, close_pair),
        cmocka_unit_test_setup_teardown(several_messages_in_one_datagram, open_pair, close_pair),
        cmocka_unit_test_setup_teardown(bad_messages_are_passed_over, open_pair, close_pair),
        cmocka_unit_test_setup_teardown(a_truncated_message_is_passed_over, open_pair, close_pair),
        cmocka_unit_test_setup_teardown(a_name_that_is_too_long_or_has_no_end_stays_within, open_pair, close_pair),
        cmocka_unit_test_setup_teardown(random_bytes_are_harmless, open_pair, close_pair),
        cmocka_unit_test_setup_teardown(after_an_overrun_all_is_read_again, open_pair, close_pair),
        cmocka_unit_test_setup_teardown(an_interface_told_of_meanwhile_stays, open_pair, close_pair),
        cmocka_unit_test_setup_teardown(an_interrupted_reading_ends_nothing, open_pair, close_pair),
        cmocka_unit_test_setup_teardown(a_kernel_that_refuses_is_not_asked_without_end, open_pair, close_pair),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
