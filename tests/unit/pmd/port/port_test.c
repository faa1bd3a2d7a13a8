/* Ports: creation and its errors, queues, counters, events. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>
#include <rte_ethdev.h>

#include "pmd/port.h"
#include "pmd/port/worker.h"
#include "tests/lib/eal.h"
#include "tests/lib/group.h"
#include "tests/lib/open_port.h"
#include "tests/lib/scratch.h"

static struct rte_mempool *pool;
static char error[512];
static bool worker_may_go_on;

static struct port_params dpdk_params(const char *name, const char *devargs)
{
    return (struct port_params){
        .type = PORT_DPDK,
        .name = name,
        .devargs = devargs,
        .rx_queues = 1,
        .tx_queues = 1,
        .mtu = 1500,
        .pool = pool,
    };
}

static struct port_params vhost_params(const char *name, const char *path, bool client)
{
    struct port_params params = dpdk_params(name, NULL);

    params.type = PORT_VHOST_USER;
    params.path = path;
    params.vhost_client = client;
    params.rx_queues = params.tx_queues = 2;
    return params;
}

static struct port *must_create(const struct port_params *params)
{
    struct port *port = open_port(params, error, sizeof error);

    if (!port)
        fail_msg("%s: %s", params->name, error);
    return port;
}

/* And the kernel and DPDK are done with it. */
static void destroy(struct port *port)
{
    port_destroy(port);
    port_wait_closed();
}

/* open_port() must fail with a sentence that contains `text`. */
static void must_refuse(const struct port_params *params, const char *text)
{
    struct port *port;

    error[0] = 0;
    port = open_port(params, error, sizeof error);
    assert_null(port);
    if (!strstr(error, text))
        fail_msg("\"%s\" does not say \"%s\"", error, text);
}

static void refuses_what_cannot_be_and_says_what_to_do(void **state)
{
    struct port_params params = dpdk_params("p", "net_null0");

    params.rx_queues = 0;
    must_refuse(&params, "rx_queues is 0");
    params.rx_queues = PORT_QUEUES_MAX + 1;
    must_refuse(&params, "rx_queues is 65");
    params = dpdk_params("p", "net_null0");
    params.mtu = 20;
    must_refuse(&params, "mtu is 20");
    params = dpdk_params("", "net_null0");
    must_refuse(&params, "name");
    params = dpdk_params("p", "");
    must_refuse(&params, "devargs is missing");
    params = dpdk_params("p", "net_nonsense0");
    must_refuse(&params, "no driver for \"net_nonsense0\"");
    params = dpdk_params("p", "net_pcap0,rx_pcap=/nonexistent.pcap");
    must_refuse(&params, "could not create the device");
    params = dpdk_params("p", "ffff:ff:1f.7");
    must_refuse(&params, "no PCI device ffff:ff:1f.7");
    assert_int_equal(rte_eth_dev_count_avail(), 0);
}

/* A pcap file of `n` packets of 60 bytes, in this machine's byte order or in the other. */
static const char *write_pcap(const char *name, unsigned n, bool swapped)
{
    uint32_t header[6] = {0xa1b2c3d4, 2 | 4 << 16, 0, 0, 65535, 1}, record[4 + 15] = {0, 0, 60, 60};
    const char *path = scratch_path(name);
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    for (int i = 0; swapped && i < 6; i++)
        header[i] = i == 1 ? rte_bswap16(2) | (uint32_t)rte_bswap16(4) << 16 : rte_bswap32(header[i]);
    for (int i = 0; swapped && i < 4; i++)
        record[i] = rte_bswap32(record[i]);
    assert_int_equal(fwrite(header, sizeof header, 1, file), 1);
    for (unsigned i = 0; i < n; i++)
        assert_int_equal(fwrite(record, sizeof record, 1, file), 1);
    fclose(file);
    return path;
}

static void too_few_packet_buffers_are_named_with_the_number_wanted(void **state)
{
    static struct port_params params;
    unsigned free_mbufs = rte_mempool_avail_count(pool);
    char devargs[256];

    for (int swapped = 0; swapped < 2; swapped++) {
        snprintf(devargs, sizeof devargs, "net_pcap0,rx_pcap=%s,infinite_rx=1", write_pcap("many", 9000, swapped));
        params = dpdk_params("p", devargs);
        must_refuse(&params,
                    "keeps 9000 packet buffers for itself, and 8191 of 8191 are free: set dpdk.mbufs to 17191");
        assert_int_equal(rte_mempool_avail_count(pool), free_mbufs);
    }
    snprintf(devargs, sizeof devargs, "net_pcap0,rx_pcap=%s,infinite_rx=1", write_pcap("few", 1000, false));
    params = dpdk_params("p", devargs);
    destroy(must_create(&params));
    assert_int_equal(rte_mempool_avail_count(pool), free_mbufs);
    assert_int_equal(unlink(scratch_path("many")), 0);
    assert_int_equal(unlink(scratch_path("few")), 0);
}

static void a_device_is_one_port_only(void **state)
{
    struct port_params params = dpdk_params("a", "net_null0,no-rx=1");
    struct port *port = must_create(&params);

    params = dpdk_params("b", "net_null0,no-rx=1");
    must_refuse(&params, "already used by another port");
    destroy(port);
    port = must_create(&params);
    destroy(port);
}

/* A job that keeps the worker busy until it is told to end. */
static void wait_for_it(struct worker_job *job)
{
    static const struct timespec pause = {.tv_nsec = 100000};

    while (!__atomic_load_n(&worker_may_go_on, __ATOMIC_ACQUIRE))
        nanosleep(&pause, NULL);
}

static void let_worker_go_on(bool may)
{
    __atomic_store_n(&worker_may_go_on, may, __ATOMIC_RELEASE);
}

/* Opening and closing a device may take seconds. */
static void devices_do_not_hold_up_the_control_thread(void **state)
{
    const struct port_params params = dpdk_params("slow", "net_null0,no-rx=1");
    struct worker_job busy = {.run = wait_for_it};
    struct port *port = NULL;

    let_worker_go_on(false);
    worker_post(WORKER_DEVICES, &busy, true);
    struct port_opening *opening = port_create_begin(&params);
    assert_false(port_create_end(opening, &port, error, sizeof error));
    let_worker_go_on(true);
    while (!port_create_end(opening, &port, error, sizeof error))
        sched_yield();
    assert_non_null(port);

    while (!worker_done(&busy))
        sched_yield();
    let_worker_go_on(false);
    worker_post(WORKER_DEVICES, &busy, true);
    port_destroy(port);
    assert_true(port_is_closing("slow"));
    let_worker_go_on(true);
    port_wait_closed();
    assert_false(port_is_closing("slow"));
    assert_int_equal(rte_eth_dev_count_avail(), 0);
}

static void virtual_devices_come_and_go_without_a_trace(void **state)
{
    static const char *const devargs[] = {"net_null0", "net_ring0", "net_pcap0,tx_pcap=/dev/null"};
    unsigned free_mbufs = rte_mempool_avail_count(pool);

    for (int round = 0; round < 20; round++) {
        struct port *ports[RTE_DIM(devargs)];
        for (unsigned i = 0; i < RTE_DIM(devargs); i++) {
            struct port_params params = dpdk_params("p", devargs[i]);
            ports[i] = must_create(&params);
        }
        for (unsigned i = 0; i < RTE_DIM(devargs); i++)
            destroy(ports[i]);
    }
    assert_int_equal(rte_eth_dev_count_avail(), 0);
    assert_int_equal(rte_mempool_avail_count(pool), free_mbufs);
}

static void packets_go_around_a_ring_and_are_counted(void **state)
{
    struct port_params params = dpdk_params("r", "net_ring0");
    struct port *port = must_create(&params);
    struct port_status status;
    struct port_stats stats;
    struct rte_mbuf *out[4], *in[8];

    port->ops->get_status(port, &status);
    assert_true(status.link_up);
    assert_true(port->link_up);
    assert_int_equal(status.mtu, 1500);
    assert_int_equal(port->max_len, 1514);
    assert_string_equal(status.driver, "net_ring");

    assert_int_equal(rte_pktmbuf_alloc_bulk(pool, out, 4), 0);
    for (int i = 0; i < 4; i++)
        assert_non_null(rte_pktmbuf_append(out[i], 60));
    assert_int_equal(port->ops->tx_burst(port, 0, out, 4), 4);
    assert_int_equal(port->ops->rx_burst(port, 0, in, 8), 4);
    for (int i = 0; i < 4; i++)
        assert_ptr_equal(in[i], out[i]);
    port->ops->get_stats(port, &stats);
    assert_int_equal(stats.tx_packets, 4);
    assert_int_equal(stats.rx_packets, 4);
    rte_pktmbuf_free_bulk(in, 4);
    destroy(port);
}

static void fewer_tx_queues_than_threads_are_shared(void **state)
{
    struct port_params params = dpdk_params("p", "net_pcap0,tx_pcap=/dev/null");
    struct port *port;

    params.tx_queues = 3;
    port = must_create(&params);
    assert_int_equal(port->n_txq, 1);
    assert_true(port->tx_shared);
    assert_true(rte_spinlock_trylock(&port->tx_lock[0]));
    destroy(port);

    params = dpdk_params("p", "net_null0");
    params.tx_queues = 3;
    port = must_create(&params);
    assert_int_equal(port->n_txq, 3);
    assert_false(port->tx_shared);
    for (int i = 0; i < 3; i++)
        assert_true(rte_spinlock_trylock(&port->tx_lock[i]));
    destroy(port);
}

static void long_frames_are_taken_if_the_device_can(void **state)
{
    struct port_params params = dpdk_params("r", "net_ring0");
    struct port *port;
    struct port_status status;

    params.mtu = 9000;
    port = must_create(&params);
    assert_int_equal(port->max_len, 9014);
    assert_int_equal(port->ops->set_mtu(port, 1400), -ENOTSUP);
    port->ops->get_status(port, &status);
    assert_int_equal(status.mtu, 9000);
    destroy(port);
}

struct seen {
    struct port *port;
    int count;
};

static void note(void *arg, struct port *port)
{
    struct seen *seen = arg;

    if (port == seen->port)
        seen->count++;
}

static bool readable(void)
{
    struct pollfd fd = {.fd = port_event_fd(), .events = POLLIN};

    return poll(&fd, 1, 0) == 1;
}

static void changes_are_reported_once(void **state)
{
    struct port_params params = dpdk_params("n", "net_null0");
    struct seen seen = {.port = must_create(&params)};

    assert_false(port_poll_some(1, note, &seen)); /* its first link-up */
    assert_int_equal(seen.count, 1);
    assert_false(readable());
    port_poll_events(note, &seen);
    assert_int_equal(seen.count, 1);

    assert_int_equal(seen.port->ops->set_admin_up(seen.port, false), 0);
    assert_false(seen.port->admin_up);
    assert_true(readable());
    port_poll_events(note, &seen);
    assert_int_equal(seen.count, 2);
    assert_false(readable());

    /* Without an interrupt, a look finds it. */
    assert_int_equal(rte_eth_dev_stop(seen.port->ethdev_id), 0);
    port_poll_events(note, &seen);
    assert_int_equal(seen.count, 2);
    assert_true(port_last_status(seen.port)->link_up);
    assert_false(port_poll_some(1, note, &seen));
    assert_int_equal(seen.count, 3);
    assert_false(port_last_status(seen.port)->link_up);
    assert_false(seen.port->link_up);
    destroy(seen.port);
    port_poll_events(note, &seen);
    assert_int_equal(seen.count, 3);
}

static void a_made_up_address_is_local_and_stays(void **state)
{
    struct port_params params = vhost_params("vm1", scratch_path("a.sock"), true);
    struct port_status first, second;
    struct port *port = must_create(&params);

    port->ops->get_status(port, &first);
    destroy(port);
    port = must_create(&params);
    port->ops->get_status(port, &second);
    destroy(port);
    assert_true(rte_is_local_admin_ether_addr(&first.mac) && rte_is_unicast_ether_addr(&first.mac));
    assert_true(rte_is_same_ether_addr(&first.mac, &second.mac));
}

static void an_unconnected_vhost_port_is_down_and_moves_nothing(void **state)
{
    struct port_params params = vhost_params("vm", scratch_path("s.sock"), false);
    struct port *port = must_create(&params);
    struct rte_mbuf *packet = rte_pktmbuf_alloc(pool), *in[4];
    struct port_status status;

    port->ops->get_status(port, &status);
    assert_false(status.link_up);
    assert_string_equal(status.driver, "vhost-user (server)");
    assert_int_equal(port->ops->rx_burst(port, 1, in, 4), 0);
    assert_int_equal(port->ops->tx_burst(port, 1, &packet, 1), 0);
    rte_pktmbuf_free(packet);
    assert_int_equal(access(params.path, F_OK), 0);
    destroy(port);
    assert_int_equal(access(params.path, F_OK), -1);
}

/* A bound socket at `path`; its file stays when it is closed. */
static int socket_at(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, 1), 0);
    return fd;
}

static void a_server_removes_only_what_nobody_listens_on(void **state)
{
    struct port_params params = vhost_params("vm", scratch_path("s.sock"), false);
    struct port *port;
    int fd = socket_at(params.path);

    must_refuse(&params, "another process listens there");
    close(fd);
    assert_int_equal(access(params.path, F_OK), 0);
    port = must_create(&params);
    must_refuse(&params, "already used by port vm");
    destroy(port);

    fd = open(params.path, O_CREAT | O_WRONLY, 0600);
    close(fd);
    must_refuse(&params, "is not a socket");
    params.vhost_client = true;
    must_refuse(&params, "is not a socket");
    assert_int_equal(unlink(params.path), 0);
}

static bool connects(const char *path, int *fd)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    *fd = socket(AF_UNIX, SOCK_STREAM, 0);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    return connect(*fd, (struct sockaddr *)&address, sizeof address) == 0;
}

/* Waits until the thread of vhost-user sockets has accepted the connection, as its answer to VHOST_USER_GET_FEATURES
 * tells. */
static bool is_answered(int fd)
{
    const uint32_t request[3] = {1, 1, 0};
    struct pollfd wait = {.fd = fd, .events = POLLIN};

    return send(fd, request, sizeof request, MSG_NOSIGNAL) == sizeof request && poll(&wait, 1, 10000) == 1;
}

static void a_socket_that_was_deleted_comes_back_when_it_is_needed(void **state)
{
    struct port_params params = vhost_params("vm", scratch_path("s.sock"), false);
    struct port *port = must_create(&params);
    int fd, again;

    port_restore_sockets();
    assert_int_equal(unlink(params.path), 0);
    port_restore_sockets();
    assert_true(connects(params.path, &fd) && is_answered(fd));
    assert_int_equal(unlink(params.path), 0);
    port_restore_sockets();
    assert_int_equal(access(params.path, F_OK), -1);
    close(fd);
    for (int i = 0; i < 100 && access(params.path, F_OK) != 0; i++) {
        usleep(20000);
        port_restore_sockets();
    }
    assert_true(connects(params.path, &again));
    close(again);
    destroy(port);
    assert_int_equal(access(params.path, F_OK), -1);
}

static void check_file(const char *path, mode_t mode, uid_t uid, gid_t gid)
{
    struct stat st;

    assert_int_equal(lstat(path, &st), 0);
    assert_int_equal(st.st_mode & ALLPERMS, mode);
    assert_int_equal(st.st_uid, uid);
    assert_int_equal(st.st_gid, gid);
}

static void a_socket_has_the_owner_and_permissions_that_it_was_given(void **state)
{
    const bool root = geteuid() == 0;
    const uid_t other = root ? 4711 : geteuid();
    const gid_t group = root ? 4712 : getegid();
    const mode_t mask = umask(022);
    struct port_params params = vhost_params("vm", scratch_path("s.sock"), false);
    struct port *port = must_create(&params);
    char uid[16], gid[16];
    int fd;

    snprintf(uid, sizeof uid, "%u", other);
    snprintf(gid, sizeof gid, "%u", group);
    check_file(params.path, 0755, geteuid(), getegid());
    destroy(port);
    params.access = (struct port_access){.mode = 0660, .owner = uid, .group = gid};
    port = must_create(&params);
    check_file(params.path, 0660, other, group);

    /* What is not given any more is as if it had never been, and who is connected stays. */
    assert_true(connects(params.path, &fd) && is_answered(fd));
    assert_true(port_set_access(port, &(struct port_access){.group = gid}, error, sizeof error));
    check_file(params.path, 0755, geteuid(), group);
    assert_true(is_answered(fd));
    close(fd);

    /* One that is made again has it, too, and what was changed while there was none. */
    assert_int_equal(unlink(params.path), 0);
    assert_true(port_set_access(port, &params.access, error, sizeof error));
    for (int i = 0; i < 100 && access(params.path, F_OK) != 0; i++) {
        usleep(20000);
        port_restore_sockets();
    }
    check_file(params.path, 0660, other, group);
    assert_false(port_set_access(port, &(struct port_access){.owner = "no such"}, error, sizeof error));
    assert_non_null(strstr(error, "no user no such in /etc/passwd"));
    check_file(params.path, 0660, other, group);
    destroy(port);
    umask(mask);
}

/* As another user than root: the socket cannot be given away, and neither a port nor a file is left of the try. */
static void a_socket_that_cannot_be_given_away_is_refused(void **state)
{
    const uid_t was = geteuid();
    struct port_params params;
    struct port *port;

    if (was != 0)
        skip();
    assert_int_equal(chmod(scratch_path(""), 0777), 0);
    params = vhost_params("vm", scratch_path("s.sock"), false);
    assert_int_equal(seteuid(4711), 0);
    params.access = (struct port_access){.mode = 0600, .owner = "0"};
    must_refuse(&params, "only root may give a socket to another user");
    assert_int_equal(access(params.path, F_OK), -1);
    params.access.owner = "4711";
    port = must_create(&params);
    assert_false(port_set_access(port, &(struct port_access){.mode = 0666, .owner = "0"}, error, sizeof error));
    assert_non_null(strstr(error, "socket_owner"));
    check_file(params.path, 0600, 4711, getegid());
    destroy(port);
    assert_int_equal(seteuid(was), 0);
}

static void a_bad_socket_path_is_refused(void **state)
{
    struct port_params params = vhost_params("vm", "/nonexistent/dir/s.sock", false);
    char path[200];

    must_refuse(&params, "mkdir -p /nonexistent/dir");
    params.path = "relative.sock";
    must_refuse(&params, "starts with /");
    memset(path, 'x', sizeof path);
    path[0] = '/';
    path[sizeof path - 1] = 0;
    params.path = path;
    must_refuse(&params, "at most 107 characters");
    params.vhost_client = true;
    must_refuse(&params, "at most 107 characters");
    params.vhost_client = false;
    params.path = "/dev/null/s.sock";
    must_refuse(&params, "not a directory");
}

static void a_bad_interface_name_is_refused(void **state)
{
    struct port_params params = dpdk_params("t", NULL);

    params.type = PORT_TAP;
    must_refuse(&params, "ifname");
    params.ifname = "tap%d";
    must_refuse(&params, "ifname");
    params.ifname = "longer-than-fifteen";
    must_refuse(&params, "ifname");
}

static void note_descriptors(void *arg, const char *key, const char *value)
{
    unsigned *seen = arg;

    if (strcmp(key, "n_rxq_desc") == 0)
        seen[0] = (unsigned)atoi(value);
    if (strcmp(key, "n_txq_desc") == 0)
        seen[1] = (unsigned)atoi(value);
}

static void a_device_has_the_descriptors_that_it_was_given(void **state)
{
    struct port_params params = dpdk_params("p", "net_null0");
    unsigned seen[2] = {0};
    struct port *port = must_create(&params);

    port->ops->describe(port, note_descriptors, seen);
    destroy(port);
    assert_true(seen[0] == 1024 && seen[1] == 1024);
    params.rx_descriptors = 256;
    params.tx_descriptors = 128;
    port = must_create(&params);
    port->ops->describe(port, note_descriptors, seen);
    destroy(port);
    assert_true(seen[0] == 256 && seen[1] == 128);
}

/* All threads of the process are as on a kernel without AF_XDP from now on. */
static void take_xdp_away(void)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_XDP, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EAFNOSUPPORT),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = RTE_DIM(filter), .filter = filter};

    assert_int_equal(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    assert_int_equal(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program), 0);
}

/* The last test. */
static void a_kernel_without_xdp_is_told_of(void **state)
{
    const struct port_params params = dpdk_params("p", "net_af_xdp_lo,iface=lo,queue_count=1");

    take_xdp_away();
    assert_false(port_has_xdp());
    must_refuse(&params, "the kernel has no AF_XDP (CONFIG_XDP_SOCKETS): make it a port of type system");
    assert_int_equal(rte_eth_dev_count_avail(), 0);
}

static int setup(void **state)
{
    pool = test_pool(8191);
    return pool ? 0 : -1;
}

static int teardown(void **state)
{
    rte_mempool_free(pool);
    return rmdir(scratch_dir()); /* the ports left nothing in it */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_what_cannot_be_and_says_what_to_do),
        cmocka_unit_test(too_few_packet_buffers_are_named_with_the_number_wanted),
        cmocka_unit_test(a_device_is_one_port_only),
        cmocka_unit_test(devices_do_not_hold_up_the_control_thread),
        cmocka_unit_test(virtual_devices_come_and_go_without_a_trace),
        cmocka_unit_test(packets_go_around_a_ring_and_are_counted),
        cmocka_unit_test(fewer_tx_queues_than_threads_are_shared),
        cmocka_unit_test(long_frames_are_taken_if_the_device_can),
        cmocka_unit_test(changes_are_reported_once),
        cmocka_unit_test(a_made_up_address_is_local_and_stays),
        cmocka_unit_test(an_unconnected_vhost_port_is_down_and_moves_nothing),
        cmocka_unit_test(a_socket_has_the_owner_and_permissions_that_it_was_given),
        cmocka_unit_test(a_socket_that_cannot_be_given_away_is_refused),
        cmocka_unit_test(a_server_removes_only_what_nobody_listens_on),
        cmocka_unit_test(a_socket_that_was_deleted_comes_back_when_it_is_needed),
        cmocka_unit_test(a_bad_socket_path_is_refused),
        cmocka_unit_test(a_bad_interface_name_is_refused),
        cmocka_unit_test(a_device_has_the_descriptors_that_it_was_given),
        cmocka_unit_test(a_kernel_without_xdp_is_told_of),
    };

    if (test_eal_init("port_test") != 0)
        return 1;
    int failed = cmocka_run_group_tests(tests, setup, NULL);
    return group_end(failed, teardown(NULL));
}
