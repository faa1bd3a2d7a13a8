#include "src/proto/bfd_frame.h"

#include <string.h>

#define ETH_LEN 14
#define IP_LEN 20
#define UDP_LEN 8
#define TTL 255
#define TOS_CLASS_6 0xc0 /* network control (RFC 4594, 3.1) */
#define PROTOCOL_UDP 17

static uint16_t get16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static void put16(uint8_t *p, uint16_t value)
{
    p[0] = (uint8_t)(value >> 8);
    p[1] = (uint8_t)value;
}

/* RFC 1071, without the complement at the end. */
static uint32_t sum(const uint8_t *p, size_t len, uint32_t start)
{
    for (; len > 1; p += 2, len -= 2)
        start += get16(p);
    return len ? start + ((uint32_t)p[0] << 8) : start;
}

static uint16_t fold(uint32_t total)
{
    while (total > UINT16_MAX)
        total = (total & UINT16_MAX) + (total >> 16);
    return (uint16_t)total;
}

/* Over the addresses, the protocol and all that UDP has. */
static uint16_t udp_sum(const uint8_t *ip, const uint8_t *udp, uint16_t udp_len)
{
    return fold(sum(udp, udp_len, sum(ip + 12, 8, (uint32_t)PROTOCOL_UDP + udp_len)));
}

void bfd_frame_build(const struct bfd_frame *frame, const uint8_t packet[BFD_PACKET_LEN], uint8_t bytes[BFD_FRAME_LEN])
{
    uint8_t *ip = bytes + ETH_LEN, *udp = ip + IP_LEN;
    uint16_t check;

    memset(bytes, 0, BFD_FRAME_LEN);
    memcpy(bytes, frame->eth_dst, 6);
    memcpy(bytes + 6, frame->eth_src, 6);
    put16(bytes + 12, 0x0800);
    ip[0] = 0x45;
    ip[1] = TOS_CLASS_6;
    put16(ip + 2, BFD_FRAME_LEN - ETH_LEN);
    ip[8] = TTL;
    ip[9] = PROTOCOL_UDP;
    memcpy(ip + 12, frame->ip_src, 4);
    memcpy(ip + 16, frame->ip_dst, 4);
    put16(ip + 10, (uint16_t)~fold(sum(ip, IP_LEN, 0)));
    put16(udp, frame->udp_src);
    put16(udp + 2, BFD_UDP_PORT);
    put16(udp + 4, UDP_LEN + BFD_PACKET_LEN);
    memcpy(udp + UDP_LEN, packet, BFD_PACKET_LEN);
    check = (uint16_t)~udp_sum(ip, udp, UDP_LEN + BFD_PACKET_LEN);
    put16(udp + 6, check ? check : UINT16_MAX); /* 0 would say that there is none (RFC 768) */
}

enum bfd_fault bfd_frame_parse(const uint8_t *ip, size_t len, const uint8_t **payload, size_t *payload_len)
{
    size_t header, total, udp_len;
    const uint8_t *udp;

    if (len < IP_LEN || ip[0] >> 4 != 4)
        return BFD_FAULT_NO_UDP;
    header = (size_t)(ip[0] & 15) * 4;
    total = get16(ip + 2);
    if (header < IP_LEN || total > len || total < header + UDP_LEN || ip[9] != PROTOCOL_UDP || get16(ip + 6) & 0x3fff)
        return BFD_FAULT_NO_UDP;
    udp = ip + header;
    udp_len = get16(udp + 4);
    if (udp_len < UDP_LEN || udp_len > total - header)
        return BFD_FAULT_NO_UDP;
    if (ip[8] != TTL)
        return BFD_FAULT_TTL;
    if (fold(sum(ip, header, 0)) != UINT16_MAX)
        return BFD_FAULT_CHECKSUM;
    if (get16(udp + 6) != 0 && udp_sum(ip, udp, (uint16_t)udp_len) != UINT16_MAX)
        return BFD_FAULT_CHECKSUM;
    *payload = udp + UDP_LEN;
    *payload_len = udp_len - UDP_LEN;
    return BFD_OK;
}
