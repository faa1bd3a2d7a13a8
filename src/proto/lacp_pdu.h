/* Frames of slow protocols (IEEE 802.3 annex 57A) that link aggregation uses: LACPDUs (IEEE 802.1AX-2014, 6.4.2) and
 * Marker PDUs (6.5.3). No state; any thread.
 */
#ifndef SRC_PROTO_LACP_PDU_H
#define SRC_PROTO_LACP_PDU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LACP_ETHERTYPE 0x8809
#define LACP_PDU_LEN 110 /* bytes behind the Ethernet type */

/* Bits of a state (6.4.2.3, m). */
#define LACP_ACTIVITY 0x01        /* sends without being asked */
#define LACP_TIMEOUT 0x02         /* wants a PDU every second, not every 30 */
#define LACP_AGGREGATION 0x04     /* the link may be one of several */
#define LACP_SYNCHRONIZATION 0x08 /* ... and is with the right ones */
#define LACP_COLLECTING 0x10
#define LACP_DISTRIBUTING 0x20
#define LACP_IS_DEFAULTED 0x40 /* nothing is known of the partner */
#define LACP_IS_EXPIRED 0x80   /* nothing new */

/* What one end says of itself, or of the other; host order. */
struct lacp_info {
    uint16_t system_priority;
    uint8_t system[6];
    uint16_t key;
    uint16_t port_priority, port;
    uint8_t state; /* LACP_ACTIVITY and so on */
};

struct lacp_pdu {
    struct lacp_info actor, partner;
};

/* Why a PDU was discarded. X(symbol, "name", "what is wrong with it") */
#define LACP_FAULTS(X)                                                                                                 \
    X(LACP_FAULT_TAGGED, "tagged", "it has a VLAN tag, or another Ethernet type")                                      \
    X(LACP_FAULT_SHORT, "short", "shorter than a PDU")                                                                 \
    X(LACP_FAULT_SUBTYPE, "subtype", "it is neither of LACP nor a marker")                                             \
    X(LACP_FAULT_TLV, "tlv", "actor or partner are not where they have to be")

enum lacp_fault {
    LACP_OK,
    LACP_MARKER, /* a request for a response: lacp_marker_answer() */
#define X(symbol, name, doc) symbol,
    LACP_FAULTS(X)
#undef X
        LACP_N_FAULTS
};
const char *lacp_fault_name(enum lacp_fault fault); /* "ok", "marker", or the name above */
const char *lacp_fault_text(enum lacp_fault fault);

/* Looks at `len` bytes behind the Ethernet type; what follows the PDU is left out. LACP_OK: *pdu is filled in. */
enum lacp_fault lacp_pdu_parse(const uint8_t *bytes, size_t len, struct lacp_pdu *pdu);
void lacp_pdu_build(const struct lacp_pdu *pdu, uint8_t bytes[LACP_PDU_LEN]);
/* The response to a marker, of which lacp_pdu_parse() said LACP_MARKER. */
void lacp_marker_answer(const uint8_t marker[LACP_PDU_LEN], uint8_t bytes[LACP_PDU_LEN]);

#endif
