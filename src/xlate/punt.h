/* Punt ids: what an OP_PUNT in an action program means, interned. Control thread only.
 *
 * Translation asks for an id; when a punted packet arrives, src/upcall/ finds it. Equal contents share an id, and an id
 * is never reused while the process runs; contents that no program uses any more are forgotten when there are many.
 */
#ifndef SRC_XLATE_PUNT_H
#define SRC_XLATE_PUNT_H

#include <stdint.h>

#include "pmd/program.h"
#include "src/xlate/recirc.h"

struct bridge;

#define PUNT_MISS_RULE 6 /* beyond OFPR_*: sent by an action of the table-miss rule */

/* Whom the packet is for. Each has a handler in src/upcall/punts.c. */
enum punt_kind {
    PUNT_TO_CONTROLLER,
    PUNT_TO_PROTOCOL,   /* that the switch speaks itself on the port in_port: src/bridge/port_claim.h */
    PUNT_TO_NEIGHBOURS, /* says where one may be, on a link of the bridge (src/tunnel/neighbour.h); all else is 0 */
    PUNT_TO_NEXT_HOP,   /* to wait until the tunnel port in_port can send it; recirc_id: what is left to do */
    /* too long for a tunnel whose port in_port has senders told so; max_len, table_id: too_big_answer()'s room and
     * tags; `tun`: what the message comes out of the tunnel with */
    PUNT_TOO_BIG,
    PUNT_N_KINDS
};

struct punt {
    struct bridge *bridge;
    uint32_t in_port; /* OpenFlow */
    uint8_t kind;     /* enum punt_kind */
    uint8_t protocol; /* PUNT_TO_PROTOCOL: enum protocol_id, and nothing else is set */
    uint8_t table_id;
    uint8_t reason; /* OFPR_* or PUNT_MISS_RULE */
    uint16_t max_len;
    uint16_t controller_id;
    uint32_t zero;
    uint64_t cookie;
    rte_be64_t metadata;
    rte_be32_t reg[FLOW_N_REGS];
    uint32_t pkt_mark;
    uint32_t recirc_id; /* controller(pause): what is left to do with the packet; 0 = nothing waits */
    uint8_t tun[RECIRC_TUN_LEN], tun_set[RECIRC_TUN_LEN]; /* as in struct recirc_state */
    uint64_t userdata_len;                                /* of controller(userdata), which follows */
    uint8_t userdata[];
};

/* Returns the id, by whose bit PUNT_ID_PROTOCOL the datapath knows what is urgent, or UINT32_MAX if a bound (65 536) is
 * reached. Bytes of padding in `punt` must be zero; `userdata` has
 * punt->userdata_len bytes. */
uint32_t punt_intern(const struct punt *punt, const uint8_t *userdata);
const struct punt *punt_get(uint32_t id); /* NULL: unknown */
/* Forgets those of a bridge that goes, one bridge at a time: none of them is known from the first call on, and each
 * call frees some, of `most` of intern.h's buckets. True: nothing is left. */
bool punt_forget_bridge(const struct bridge *bridge, unsigned most);

uint32_t punt_count(void);
/* Garbage collection, as intern.h has it. */
void punt_sweep_begin(void);
void punt_mark(uint32_t id);
bool punt_sweep_some(unsigned most);

#endif
