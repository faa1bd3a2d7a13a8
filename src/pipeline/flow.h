/* The pipeline's view of a packet: the datapath's flow key plus what exists only while tables are walked.
 *
 * struct flow serves as value and as mask (1 = the bit counts). Fields keep the byte order of struct flow_key; those
 * added here are in network byte order unless said otherwise. Control thread only.
 */
#ifndef SRC_PIPELINE_FLOW_H
#define SRC_PIPELINE_FLOW_H

#include "pmd/key.h"

#define FLOW_N_REGS 16

struct flow {
    struct flow_key pkt;
    rte_be64_t metadata;         /* 256 */
    rte_be32_t reg[FLOW_N_REGS]; /* 264; xreg and xxreg are pairs and quadruples of these */
    uint32_t in_port;            /* 328 OpenFlow port number, host order (pkt.in_port is the datapath's index) */
    uint32_t actset_output;      /* 332 OpenFlow port number, host order */
    uint32_t conj_id;            /* 336 host order */
    rte_be32_t packet_type;      /* 340 OpenFlow 1.5; 0 = Ethernet */
    uint8_t zero[40];            /* to whole lines */
} __attribute__((aligned(64)));

_Static_assert(sizeof(struct flow) == 384, "six lines");
#define FLOW_WORDS (sizeof(struct flow) / 8) /* as uint64_t; fits a 64-bit map */

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

#endif
