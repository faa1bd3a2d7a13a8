/* The pipeline's view of a packet: the datapath's flow key plus what exists only while tables are walked.
 *
 * struct flow serves as value and as mask (1 = the bit counts). Fields keep the byte order of struct flow_key; those
 * added here are in network byte order unless said otherwise. Control thread only.
 */
#ifndef SRC_MATCH_FLOW_H
#define SRC_MATCH_FLOW_H

#include "pmd/key.h"

#define FLOW_N_REGS 16

struct flow {
    struct flow_key pkt;
    rte_be64_t metadata;         /* 384 */
    rte_be32_t reg[FLOW_N_REGS]; /* 392; xreg and xxreg are pairs and quadruples of these */
    uint32_t in_port;            /* 456 OpenFlow port number, host order (pkt.in_port is the datapath's index) */
    uint32_t actset_output;      /* 460 OpenFlow port number, host order */
    uint32_t conj_id;            /* 464 host order */
    rte_be32_t packet_type;      /* 468 OpenFlow 1.5.1, 7.2.3.11; 0 = Ethernet */
    uint32_t in_phy_port;        /* 472 OpenFlow port number, host order: the port it was received on */
    uint8_t zero[36];            /* to whole lines */
} __attribute__((aligned(64)));

_Static_assert(sizeof(struct flow) == 512, "eight lines");
#define FLOW_WORDS (sizeof(struct flow) / 8) /* as uint64_t; fits a 64-bit map */

/* Packet types (OpenFlow 1.5.1, 7.2.3.11), host order: a name space and a type in it. Namespace 1 is of Ethernet types.
 * A packet that is not Ethernet still has an Ethernet header in front of it, with addresses of zeros, for the datapath:
 * it is what it would leave an Ethernet port with. */
#define PACKET_TYPE(ns, type) ((uint32_t)(ns) << 16 | (type))
#define PACKET_TYPE_ETHERNET 0
#define PACKET_TYPE_NEXT_PROTO 0xfffe

/* What a rule asks for. Bits of `value` outside `mask` are 0. */
struct match {
    struct flow value;
    struct flow mask;
};

/* OpenFlow port numbers as OpenFlow 1.1 and later have them (OpenFlow 1.3.5, 7.2.1); the codec maps OpenFlow 1.0's. */
#define OFPORT_NONE 0u
#define OFPORT_MAX 0xffffff00u
#define OFPORT_USER_MAX 0xfeffu /* ports of a bridge are 1 .. this, so that OpenFlow 1.0 can name them */
#define OFPORT_UNSET 0xfffffff7u
#define OFPORT_IN_PORT 0xfffffff8u
#define OFPORT_TABLE 0xfffffff9u
#define OFPORT_NORMAL 0xfffffffau
#define OFPORT_FLOOD 0xfffffffbu
#define OFPORT_ALL 0xfffffffcu
#define OFPORT_CONTROLLER 0xfffffffdu
#define OFPORT_LOCAL 0xfffffffeu
#define OFPORT_ANY 0xffffffffu /* also OFPP_NONE of OpenFlow 1.0 */

#define OFGROUP_ANY 0xffffffffu

#define PIPELINE_TABLES 255 /* of a bridge: 0 .. 254; OpenFlow 1.3.5, 5.1 */
#define TABLE_ALL 255       /* OFPTT_ALL, in requests */

/* A port as a field or register has it: 16 bits of OpenFlow 1.0, or all. */
static inline uint32_t ofport_of_value(uint32_t value)
{
    return value > OFPORT_USER_MAX && value <= UINT16_MAX ? value | 0xffff0000u : value;
}

#endif
