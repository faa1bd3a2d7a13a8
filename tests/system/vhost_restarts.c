/* A guest that is killed under load and started again, over and over, without a virtual machine.
 *
 *   vhost-restarts SOCKET server|client split|packed ROUNDS LIMIT_MS
 *
 * As the mode of the switch's port says, the switch owns the socket (server) or connects to it (client). The switch is
 * to send what it gets by the port back by it. Each round is a process: a guest of two queues, which sends by both as
 * fast as the switch takes it until it is killed. It is back when the switch has taken frames of both and a frame has
 * come back, counted from the moment at which the socket is there: it is listened at, or connected to. Prints what the
 * rounds took. Ends with 1 if one took longer than LIMIT_MS, with 2 if one did not come back at all.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/vhost_guest.h"

#define RING 256
#define FRAME 60
#define ROUNDS_MAX 1000
#define BACK_MS 20000 /* a machine that has other things to do */
#define LOAD_MS 30    /* between coming back and being killed */

static const char *socket_path;
static bool server, packed;

static const uint8_t frame[FRAME] = {0x02, 0, 0, 0, 0, 2, 0x02, 0, 0, 0, 0, 1, 0x88, 0xb5};

static _Noreturn void die(const char *what)
{
    guest_die(2, what);
}

/* A connection to the switch, and when the socket was there. */
static int reach(uint64_t *there)
{
    int listener, fd = -1;

    if (server) {
        *there = guest_now_us();
        while ((fd = guest_connect(socket_path)) < 0 && guest_now_us() - *there < BACK_MS * 1000ull)
            usleep(1000);
        return fd;
    }
    listener = guest_listen(socket_path);
    if (listener < 0)
        die("cannot listen");
    *there = guest_now_us();
    return accept(listener, NULL, NULL);
}

/* Gives the frames that came their places in the ring back. Returns how many there were. */
static unsigned receive(const struct guest *g, struct guest_ring *r)
{
    const uint8_t *got;
    unsigned n = 0;

    while (guest_receive(r, &got) > 0)
        n++;
    guest_fill(g, r);
    return n;
}

/* Until it is killed. Writes how many microseconds it took until it was served. */
static void guest_live(int report)
{
    static struct guest g;
    uint64_t there, took = 0;
    bool sent[2] = {false}, back = false;

    if (!guest_make(&g, 4, RING, packed))
        die("no memory");
    guest_fill(&g, &g.rings[0]);
    guest_fill(&g, &g.rings[2]);
    g.socket = reach(&there);
    if (g.socket < 0 || !guest_start(&g))
        die("the switch does not take the guest");
    for (uint32_t seq = 0;;) {
        for (int queue = 0; queue < 2; queue++) {
            struct guest_ring *r = &g.rings[2 * queue + 1];
            const uint16_t before = r->last;

            seq += guest_send(&g, r, frame, FRAME, seq, 32);
            sent[queue] = sent[queue] || r->last != before;
            back = receive(&g, &g.rings[2 * queue]) > 0 || back;
        }
        if (took == 0 && sent[0] && sent[1] && back) {
            took = guest_now_us() - there;
            if (write(report, &took, sizeof took) != sizeof took)
                die("cannot report");
        }
        usleep(50); /* the switch may share this core */
    }
}

/* Microseconds until a new guest was served; it is dead then. */
static uint64_t live_and_die(void)
{
    struct pollfd wait;
    uint64_t took;
    int report[2];
    pid_t child;

    if (pipe2(report, O_CLOEXEC) != 0)
        die("no pipe");
    child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        guest_live(report[1]);
    }
    close(report[1]);
    wait = (struct pollfd){.fd = report[0], .events = POLLIN};
    if (poll(&wait, 1, BACK_MS) != 1 || read(report[0], &took, sizeof took) != sizeof took)
        took = 0;
    close(report[0]);
    usleep(LOAD_MS * 1000);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    if (took == 0)
        die("a guest is not served");
    return took;
}

static int by_size(const void *a, const void *b)
{
    const uint64_t one = *(const uint64_t *)a, two = *(const uint64_t *)b;

    return (one > two) - (one < two);
}

int main(int argc, char **argv)
{
    static uint64_t took[ROUNDS_MAX];
    int rounds, limit_ms;

    if (argc != 6) {
        fprintf(stderr, "usage: %s SOCKET server|client split|packed ROUNDS LIMIT_MS\n", argv[0]);
        return 2;
    }
    socket_path = argv[1];
    server = strcmp(argv[2], "server") == 0;
    packed = strcmp(argv[3], "packed") == 0;
    rounds = atoi(argv[4]);
    limit_ms = atoi(argv[5]);
    if (rounds < 1 || rounds > ROUNDS_MAX)
        die("too few or too many rounds");
    for (int i = 0; i < rounds; i++)
        took[i] = live_and_die();
    qsort(took, (size_t)rounds, sizeof took[0], by_size);
    printf("%d rounds: median %.1f ms, longest %.1f ms\n", rounds, (double)took[rounds / 2] / 1000,
           (double)took[rounds - 1] / 1000);
    return took[rounds - 1] > (uint64_t)limit_ms * 1000;
}
