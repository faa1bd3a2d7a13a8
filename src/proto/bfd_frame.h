/* Frames that carry control packets of BFD for a single hop: Ethernet, IPv4, UDP (RFC 5881). No state; any thread. */
#ifndef SRC_PROTO_BFD_FRAME_H
#define SRC_PROTO_BFD_FRAME_H

#include "src/proto/bfd.h"

#define BFD_UDP_PORT 3784
#define BFD_UDP_SOURCE_FIRST 49152 /* sources are from here on (RFC 5881, 4) */
#define BFD_UDP_SOURCES 16384

#define BFD_FRAME_LEN (14 + 20 + 8 + BFD_PACKET_LEN)

struct bfd_frame {
    uint8_t eth_dst[6], eth_src[6];
    uint8_t ip_src[4], ip_dst[4]; /* as on the wire */
    uint16_t udp_src;             /* host order */
};

/* Writes all of the frame: TTL 255, class selector 6, with checksums. */
void bfd_frame_build(const struct bfd_frame *frame, const uint8_t packet[BFD_PACKET_LEN], uint8_t bytes[BFD_FRAME_LEN]);

/* Looks at `len` bytes from the IPv4 header on; what follows the packet, as padding does, is left out. BFD_OK: *payload
 * is what UDP carries, of *payload_len bytes. */
enum bfd_fault bfd_frame_parse(const uint8_t *ip, size_t len, const uint8_t **payload, size_t *payload_len);

#endif
