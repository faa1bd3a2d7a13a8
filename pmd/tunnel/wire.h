/* Tunnel headers on the wire. For pmd/tunnel/ alone. */
#ifndef PMD_TUNNEL_WIRE_H
#define PMD_TUNNEL_WIRE_H

#include <stdint.h>

#define ETH_TYPE_TEB 0x6558     /* a whole frame */
#define ETH_TYPE_ERSPAN 0x88be  /* GRE: types I and II */
#define ETH_TYPE_ERSPAN3 0x22eb /* GRE: type III */
#define ETH_TYPE_LEAST 0x0600

/* VXLAN (RFC 7348, 5), 8 bytes: flags, 3 bytes, VNI of 3 bytes, 1 byte. */
#define VXLAN_LEN 8
#define VXLAN_VNI 0x08
/* draft-smith-vxlan-group-policy: in the second byte flags, in the third and fourth the policy's id. */
#define VXLAN_GBP 0x80
#define VXLAN_GBP_FLAGS 0x48 /* don't learn, policy applied */
/* draft-ietf-nvo3-vxlan-gpe: the fourth byte is the next protocol. */
#define VXLAN_GPE 0x04
#define VXLAN_OAM 0x01
#define VXLAN_GPE_VERSION 0x30
enum { GPE_IPV4 = 1, GPE_IPV6, GPE_ETHERNET, GPE_NSH, GPE_MPLS };

/* Geneve (RFC 8926, 3.4), 8 bytes: version and length of options in words, flags, protocol, VNI of 3 bytes, 1 byte. */
#define GENEVE_LEN 8
#define GENEVE_OPTIONS 0x3f
#define GENEVE_OAM 0x80
#define GENEVE_CRITICAL 0x40
/* An option: class, type, length in words of 5 bits, value. */
#define GENEVE_OPTION_LEN 4
#define GENEVE_OPTION_CRITICAL 0x80

/* GRE (RFC 2784, 2; RFC 2890, 2): flags, protocol, and words that the flags say are there. */
#define GRE_LEN 4
#define GRE_CHECKSUM 0x8000
#define GRE_KEY 0x2000
#define GRE_SEQUENCE 0x1000
#define GRE_KNOWN (GRE_CHECKSUM | GRE_KEY | GRE_SEQUENCE)

/* ERSPAN (draft-foschiano-erspan-03, 4): of type II 8, of type III 12 bytes, 8 more if it says O. */
#define ERSPAN2_LEN 8
#define ERSPAN3_LEN 12
#define ERSPAN3_SUBHEADER_LEN 8
#define ERSPAN_SESSION 0x3ff

/* GTP-U (3GPP TS 29.281, 5.1): flags, message type, length of what is behind the first 8 bytes, TEID; 4 more bytes if
 * the flags say E, S or PN: sequence number, N-PDU number, type of the next extension header. */
#define GTPU_LEN 8
#define GTPU_MORE_LEN 4
#define GTPU_VERSION 0x30 /* 1, and not GTP' */
#define GTPU_VERSION_MASK 0xf0
#define GTPU_EXTENSION 0x04
#define GTPU_SEQUENCE 0x02
#define GTPU_MORE 0x07
#define GTPU_TPDU 255

/* The routing header of SRv6 (RFC 8754, 2): next header, length in 8 bytes without the first 8, type, segments left,
 * last entry of the list, flags, tag; the list, the last segment first. */
#define SRV6_LEN 8
#define SRV6_SEGMENT_LEN 16
#define SRV6_ROUTING_TYPE 4

#endif
