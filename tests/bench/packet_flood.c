/* Sends one UDP packet over and over on an interface, as fast as the kernel takes it: what a container might send.
 *
 *   packet_flood INTERFACE SECONDS BYTES     prints packets a second
 *
 * Nobody has its destination address, so that a receiver's kernel drops it at once.
 */
#include <linux/if_packet.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>

#define BATCH 64

static double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
    static unsigned char packet[1514] = {2, 0, 0,  0,  0, 9, 2,  0, 0, 0, 0,  1, 8, 0, 0x45, 0,    0,    46,   0, 0,
                                         0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 9, 0x12, 0x34, 0x12, 0x34, 0, 26};
    struct sockaddr_ll address = {.sll_family = AF_PACKET};
    struct mmsghdr messages[BATCH] = {0};
    struct iovec part = {.iov_base = packet};
    int fd = socket(AF_PACKET, SOCK_RAW, 0), one = 1;
    unsigned long sent = 0;
    double start, seconds;

    if (argc != 4 || fd < 0)
        return 1;
    seconds = atof(argv[2]);
    part.iov_len = strtoul(argv[3], NULL, 10);
    address.sll_ifindex = (int)if_nametoindex(argv[1]);
    setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &one, sizeof one);
    if (part.iov_len < 60 || part.iov_len > sizeof packet || bind(fd, (struct sockaddr *)&address, sizeof address) < 0)
        return 1;
    for (int i = 0; i < BATCH; i++)
        messages[i].msg_hdr = (struct msghdr){.msg_iov = &part, .msg_iovlen = 1};
    for (start = now(); now() - start < seconds;) {
        int n = sendmmsg(fd, messages, BATCH, 0);
        sent += n > 0 ? (unsigned)n : 0;
    }
    printf("%.0f\n", (double)sent / (now() - start));
    return 0;
}
