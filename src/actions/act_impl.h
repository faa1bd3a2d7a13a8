/* What the rows of act_ops[] share: what checks know of a packet, and parts of text. Private to this folder. Control
 * thread. */
#ifndef SRC_ACTIONS_ACT_IMPL_H
#define SRC_ACTIONS_ACT_IMPL_H

#include <stdio.h>

#include "src/actions/act_check.h"
#include "src/actions/act_ops.h"
#include "src/match/field_text.h"
#include "src/match/of_error.h"

/* --- checks (act_check.c) ------------------------------------------------ */

#define ACT_HIDDEN_MAX 16

/* What is known of a packet on its way through a list: its match, and what actions made of it. */
struct act_known {
    struct match m;   /* of VLAN tags only whether there is one */
    unsigned n_tags;  /* VLAN tags, at least */
    bool anything;    /* a header was popped that the packet came with: what is behind it may be anything */
    uint8_t table_id; /* of the rule: goto_table leads further. TABLE_ALL: not known, or not a rule's */
    bool nested;      /* the list is inside another action */
    bool metadata;    /* write_metadata has been met: only goto_table may come behind it */
    unsigned n_hidden;
    struct act_hidden {     /* behind a header that an action has pushed, outermost last */
        uint16_t pushed_by; /* enum act_type */
        rte_be16_t eth_type, eth_type_mask, tp_src, tp_src_mask;
        uint8_t ip_proto, ip_proto_mask;
        uint32_t packet_type;
        unsigned n_tags;
    } hidden[ACT_HIDDEN_MAX];
};

/* The packet has (at least) this many VLAN tags. */
void act_known_set_tags(struct act_known *k, unsigned n_tags);
/* The packet is of this Ethernet type (host order), behind which nothing is known yet. */
void act_known_set_eth_type(struct act_known *k, uint16_t eth_type);
bool act_known_is_mpls(const struct act_known *k);

/* An action of type `pushed_by` pushes a header in front of all that is behind the Ethernet addresses, VLAN tags too.
 */
void act_known_hide(struct act_known *k, enum act_type pushed_by);
/* The packet loses the header that an action of type `pushed_by` has pushed. Returns what that hides, to be looked at
 * and given to act_known_reveal(); NULL: the packet came with the header, so that nothing is known. */
const struct act_hidden *act_known_pop(struct act_known *k, enum act_type pushed_by);
/* VLAN tags in front of the popped header stay. */
void act_known_reveal(struct act_known *k, const struct act_hidden *hidden);

/* May an action send to this port? 0 or an enum of_error. */
int act_check_port(uint32_t ofport);
/* Checks the list inside `act`, whose actions change nothing of this list's packet. */
int act_check_nested(const struct act *act, const struct act_known *k);
/* Can an action set run all of the list, as far as types go? */
int act_check_bucket(const struct act_list *list);
/* A row's check for what needs an MPLS label. */
int act_check_is_mpls(const struct act *act, struct act_known *k);

static inline bool act_is_vlan_type(uint32_t eth_type)
{
    return eth_type == RTE_ETHER_TYPE_VLAN || eth_type == RTE_ETHER_TYPE_QINQ;
}

/* The list has a clause of a conjunction: what else may it have? (act_conjunction.c) */
int act_check_clauses(const struct act_list *list);

/* --- text (act_format.c) ------------------------------------------------- */

struct act_printer {
    FILE *out;
    port_namer *port_name;
    void *arg;
};

void act_print_port(struct act_printer *p, uint32_t ofport);
void act_print_list(struct act_printer *p, const struct act_list *list);

/* For rows: "name", and of a struct act_u32 "name:5" and "name:0x8847". */
void act_print_name(struct act_printer *p, const struct act *act);
void act_print_number(struct act_printer *p, const struct act *act);
void act_print_eth_type(struct act_printer *p, const struct act *act);

#endif
