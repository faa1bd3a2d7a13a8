/* Wire versions and the numbers that actions and messages share. */
#ifndef SRC_OPENFLOW_WIRE_VERSION_H
#define SRC_OPENFLOW_WIRE_VERSION_H

/* Wire versions. A set of them is a bitmap of 1 << version, as in the HELLO element (OpenFlow 1.3.5, 7.5.1). */
#define OF10 0x01
#define OF13 0x04
#define OF14 0x05
#define OF15 0x06
#define OF_VERSIONS (1u << OF10 | 1u << OF13 | 1u << OF14 | 1u << OF15) /* those that the codec speaks */

/* Reasons of packet-ins, as OpenFlow 1.4 numbers them. */
enum of_packet_in_reason {
    OF_REASON_NO_MATCH,
    OF_REASON_ACTION,
    OF_REASON_INVALID_TTL,
    OF_REASON_ACTION_SET,
    OF_REASON_GROUP,
    OF_REASON_PACKET_OUT,
    OF_N_REASONS,
    OF_REASON_MISS_RULE = OF_N_REASONS /* an action of the table-miss rule: in no message */
};

#endif
