/* The rows of the tables behind field_by_id() and its kind, and what they are written with. For field*.c and tlv_map.c
 * only. */
#ifndef SRC_MATCH_FIELD_ROWS_H
#define SRC_MATCH_FIELD_ROWS_H

#include <stddef.h>

#include "src/match/field.h"

/* By id, from field_table.c and field_table_meta.c; constant but for the places of tun_metadata fields, which tlv_map.c
 * gives them. */
extern struct field field_rows[FIELD_N];

/* Each row at its id; ids that the table does not have are zero. */
#define FIELD_ROWS_PACKET_N (FIELD_ND_OPTIONS_TYPE + 1)
extern const struct field field_rows_packet[FIELD_ROWS_PACKET_N];
extern const struct field field_rows_meta[FIELD_N];

#define NXM(class, number, bytes) ((uint32_t)(class) << 16 | (number) << 9 | (bytes))
/* OXM_OF_IN_PORT and NXM_NX_REG0 are number 0 of their class; NXM_OF_IN_PORT's header is 2, so 0 stays free for "none".
 */
#define OF0(number, bytes) NXM(0x0000, number, bytes) /* NXM_OF_ */
#define NX1(number, bytes) NXM(0x0001, number, bytes) /* NXM_NX_ */
#define OXM(number, bytes) NXM(0x8000, number, bytes) /* OXM_OF_ */
#define PKT_REG(number) NXM(0x8001, number, 8)        /* OpenFlow 1.5.1, 7.2.3.10 */
#define ERIC(number, bytes) NXM(0x1000, number, bytes)

/* Headers of experimenters: the class, and behind it who defined the field. */
#define EXPERIMENTER(number, bytes) NXM(0xffff, number, bytes)
#define ET_CLASS .experimenter = 0x00002320  /* NXOXM_ET */
#define NSH_CLASS .experimenter = 0x005ad650 /* NXOXM_NSH */

#define AT(member, shift_) .offset = offsetof(struct flow, member), .shift = (shift_), .container = SIZE(member)
#define SIZE(member) sizeof(((struct flow *)0)->member)
#define HOST .host_order = true
#define WRITABLE .writable = true
#define RETYPES .retypes = true
#define MASKABLE .maskable = FIELD_MASK_ANY
#define NAMES(name_, alias_, print_) .name = name_, .alias = alias_, .print_name = print_
#define WIRE(bytes, bits) .n_bytes = (bytes), .n_bits = (bits)
#define IS_NXM(symbol, header) .nxm = header, .nxm_name = #symbol
#define IS_OXM(symbol, header, since) .oxm = header, .oxm_name = #symbol, .oxm_since = (since)
#define NEEDS(what) .prereq = PREREQ_##what
#define LOOKS(how) .style = STYLE_##how

#endif
