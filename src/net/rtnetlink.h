/* What readers of the kernel's tables by rtnetlink have in common: sockets, datagrams, attributes. Nothing here waits.
 * Control thread.
 */
#ifndef SRC_NET_RTNETLINK_H
#define SRC_NET_RTNETLINK_H

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RTNETLINK_BUFFER (64u << 10) /* the kernel puts at most 32 KB into one datagram */

/* A socket that hears of these groups (RTMGRP_*). -1 with errno. */
int rtnetlink_socket(uint32_t groups);
/* The bytes of a datagram of the kernel's in `buffer`, which has RTNETLINK_BUFFER and is aligned for struct nlmsghdr;
 * what another process sent is zeros. 0: nothing to read now; -1: some were lost. */
int rtnetlink_receive(int fd, void *buffer);

/* The attributes of a message, by type; those that are beyond are not looked at. */
#define RTNETLINK_ATTRIBUTES 32
typedef const struct rtattr *rtnetlink_attributes[RTNETLINK_ATTRIBUTES];

/* `fixed`: bytes of the struct in front of the attributes. False: the message is too short for it. */
bool rtnetlink_take(const struct nlmsghdr *header, size_t fixed, rtnetlink_attributes of);
uint32_t rtnetlink_number(const struct rtattr *a, uint32_t otherwise);
/* IPv4 addresses are mapped. False: no address of that family. */
bool rtnetlink_address(const struct rtattr *a, uint8_t family, struct in6_addr *to);

#endif
