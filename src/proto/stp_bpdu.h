/* BPDUs of the Spanning Tree Protocol (IEEE 802.1D-1998, 9.3), and the frames that carry them. No state; any thread. */
#ifndef SRC_PROTO_STP_BPDU_H
#define SRC_PROTO_STP_BPDU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STP_LLC_LEN 3 /* 0x42 0x42 0x03, behind the length that is in the place of an Ethernet type */
#define STP_CONFIG_LEN 35
#define STP_TCN_LEN 4

#define STP_TICKS 256 /* times on the wire: a second */

enum stp_bpdu_type { STP_BPDU_CONFIG, STP_BPDU_TCN };

struct stp_bpdu {
    enum stp_bpdu_type type;
    /* STP_BPDU_CONFIG; host order. Identifiers of bridges: priority << 48 | MAC address. */
    bool topology_change, topology_change_ack;
    uint64_t root_id, bridge_id;
    uint32_t root_path_cost;
    uint16_t port_id;
    uint16_t message_age, max_age, hello_time, forward_delay; /* in STP_TICKS of a second */
};

/* Why a BPDU was discarded. X(symbol, "name", "what is wrong with it") */
#define STP_FAULTS(X)                                                                                                  \
    X(STP_FAULT_FRAME, "frame", "no LLC header of a BPDU, or a VLAN tag")                                              \
    X(STP_FAULT_SHORT, "short", "shorter than its type")                                                               \
    X(STP_FAULT_PROTOCOL, "protocol", "the protocol identifier is not 0")                                              \
    X(STP_FAULT_TYPE, "type", "neither a configuration nor a topology change")                                         \
    X(STP_FAULT_AGE, "age", "as old as it may become, or older")

enum stp_fault {
    STP_OK,
#define X(symbol, name, doc) symbol,
    STP_FAULTS(X)
#undef X
        STP_N_FAULTS
};
const char *stp_fault_name(enum stp_fault fault); /* "ok", or the name above */
const char *stp_fault_text(enum stp_fault fault);

/* Looks at `len` bytes behind the LLC header; what follows the BPDU is left out. RST BPDUs (802.1D-2004) are of another
 * type: a bridge that sends them falls back to this protocol when it hears one of these. */
enum stp_fault stp_bpdu_parse(const uint8_t *bytes, size_t len, struct stp_bpdu *bpdu);
/* Returns how many bytes it has. */
size_t stp_bpdu_build(const struct stp_bpdu *bpdu, uint8_t bytes[STP_CONFIG_LEN]);

#endif
