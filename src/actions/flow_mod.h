/* A flow_mod in its internal form, independent of the wire version: what decoders and parsers make and tables take.
 * Control thread only. */
#ifndef SRC_ACTIONS_FLOW_MOD_H
#define SRC_ACTIONS_FLOW_MOD_H

#include <stdbool.h>
#include <stdint.h>

#include "src/actions/act.h"
#include "src/match/flow.h"

/* Flags of a rule, as OpenFlow 1.3's OFPFF_. */
#define RULE_SEND_FLOW_REM 0x01
#define RULE_CHECK_OVERLAP 0x02
#define RULE_RESET_COUNTS 0x04
#define RULE_NO_PKT_COUNTS 0x08
#define RULE_NO_BYT_COUNTS 0x10

enum flow_mod_command { FLOW_ADD, FLOW_MODIFY, FLOW_MODIFY_STRICT, FLOW_DELETE, FLOW_DELETE_STRICT };

/* A flow_mod of any wire version, decoded. */
struct flow_mod {
    enum flow_mod_command command;
    uint8_t table_id; /* TABLE_ALL: of deletes, and of OpenFlow 1.0 (modify_adds): table 0 for adds */
    uint16_t priority;
    uint16_t idle_timeout_s, hard_timeout_s;
    uint16_t flags; /* RULE_* */
    uint16_t importance;
    uint64_t cookie, cookie_mask; /* mask: filter for modify and delete */
    bool modify_cookie;           /* OpenFlow 1.0: a modify sets the cookie (unless all ones); NXM and 1.1+: never */
    bool modify_adds;             /* OpenFlow 1.0, whatever the command: a modify that finds nothing adds */
    uint32_t buffer_id;
    uint32_t out_port, out_group; /* OFPORT_ANY, OFGROUP_ANY */
    struct match match;
    struct act_list acts; /* copied */
};

#endif
