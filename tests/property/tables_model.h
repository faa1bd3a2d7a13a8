/* The tables of a switch as OpenFlow 1.3.5, 6.4 describes them, the plain way: an array of rules, every change and
 * every lookup by going through all of it. A match is a row of columns of numbers, each with a mask. Shares nothing
 * with src/tables/ but names of ports and commands.
 */
#ifndef TESTS_PROPERTY_TABLES_MODEL_H
#define TESTS_PROPERTY_TABLES_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "src/tables/pipeline.h"

enum column {
    COLUMN_IN_PORT,
    COLUMN_METADATA,
    COLUMN_ETH_SRC,
    COLUMN_ETH_DST,
    COLUMN_VLAN_VID, /* with OFPVID_PRESENT */
    COLUMN_VLAN_PCP,
    COLUMN_ETH_TYPE,
    COLUMN_IP_DSCP,
    COLUMN_IP_PROTO,
    COLUMN_IP_SRC,
    COLUMN_IP_DST,
    COLUMN_TP_SRC,
    COLUMN_TP_DST,
    N_COLUMNS
};

struct row { /* bits of value outside of mask are 0 */
    uint64_t value[N_COLUMNS], mask[N_COLUMNS];
};

#define MODEL_OUTPUTS 3
struct model_acts {
    uint8_t n_outputs;
    uint32_t outputs[MODEL_OUTPUTS];
    uint64_t metadata, metadata_mask; /* mask 0: no write_metadata */
    uint8_t goto_table;               /* 0: none */
};

struct model_rule {
    struct row match;
    struct model_acts acts;
    uint64_t cookie, packets;
    uint16_t priority, idle_timeout_s, hard_timeout_s, flags, importance;
    uint8_t table_id;
    bool exact; /* of priority 65535, and before the others of that */
};

#define MODEL_RULES 4096
struct model {
    struct model_rule rules[MODEL_RULES];
    unsigned n;
};

/* As struct flow_mod; out_port OFPORT_ANY = no filter. */
struct model_mod {
    enum flow_mod_command command;
    struct model_rule rule; /* table, match, priority, actions ... to look for or to make */
    uint64_t cookie_mask;
    uint32_t out_port;
    bool of10; /* OpenFlow 1.0: a modify that finds nothing adds, and sets the cookie */
    /* OFPT_FLOW_MOD of OpenFlow 1.0: the twelve columns that it has make an exact match, of the highest priority
     * (OpenFlow 1.0.2, 3.4). */
    bool plain10;
    bool from_zero; /* the counters of a rule that is replaced or modified are not kept */
};

/* Returns 0 or an enum of_error; then nothing was changed. */
int model_apply(struct model *model, const struct model_mod *mod);

/* Is this one of the rules that a dump with the filter of `mod` (table, match, cookie, out_port) shows? */
bool model_filter(const struct model_mod *mod, const struct model_rule *rule);

/* Sends a packet (exact values) through the tables and counts it. Returns how many ports it goes to; -1, and nothing is
 * counted, if two rules of one priority match: which wins is not said. */
#define MODEL_SENT 32
int model_forward(struct model *model, const uint64_t packet[N_COLUMNS], uint32_t sent[MODEL_SENT]);

#endif
