/* Which tunnel options the tun_metadata fields stand for (ovs-fields(7), NXT_TLV_TABLE_MOD). One table for the switch:
 * it says where in the flow key an option's value is. Control thread.
 */
#ifndef SRC_MATCH_TLV_MAP_H
#define SRC_MATCH_TLV_MAP_H

#include <stdbool.h>
#include <stdint.h>

#include "pmd/tunnel.h"

#define TLV_MAPS_MAX 64       /* = FIELD_N_TUN_METADATA */
#define TLV_OPTION_LEN_MAX 16 /* bytes: what a field's value has room for */

#define TLV_OPTIONS_LEN_MAX (2 * TUN_METADATA_LEN) /* bytes of all options on the wire: each has a head of 4 */

enum tlv_command { TLV_ADD, TLV_DELETE, TLV_CLEAR };

struct tlv_map {
    uint16_t class; /* host order */
    uint8_t type;   /* with the bit that says critical, 0x80 */
    uint8_t len;    /* bytes of the value, a multiple of 4, at most TLV_OPTION_LEN_MAX */
    uint16_t index; /* of the tun_metadata field */
};

/* Changes the table by `n` entries, or not at all. A field that rules or groups use, of whatever bridge, keeps its
 * option. Returns 0 or an enum of_error. */
int tlv_map_mod(enum tlv_command command, const struct tlv_map *maps, unsigned n);
/* Fills in the entries in order of their fields; returns how many. */
unsigned tlv_map_list(struct tlv_map maps[TLV_MAPS_MAX]);

/* Fills in `options` for the datapath from the same table; returns how many. */
unsigned tlv_map_datapath(struct tunnel_option options[TLV_MAPS_MAX]);

struct field;
struct flow;
struct minimask;
/* Writes the options that `flow` has as they are on the wire (RFC 8926, 3.5), in order of their fields, and returns
 * their length. Sets in `seen` what that rests on. A key has room for values and for nothing else: an option whose
 * value is 0 is one that is not there. */
unsigned tlv_map_options_write(const struct flow *flow, struct flow *seen, uint8_t options[TLV_OPTIONS_LEN_MAX]);

/* Rules and groups that are in their tables count what they use, and what selects rules does: 1, and -1 when they
 * leave. */
void tlv_map_count_mask(const struct minimask *mask, int delta);
void tlv_map_count_field(const struct field *field, int delta); /* NULL: none */

/* What is not in a table yet, but is to find the options as they are, says first which fields it uses (a bit each, here
 * those of `flow` that are not 0), and counts them later, when it is known to stay. Actions: act_fields.h. */
uint64_t tlv_map_fields(const struct flow *flow);
uint64_t tlv_map_fields_of(const struct field *field);
void tlv_map_count_fields(uint64_t fields, int delta);

#endif
