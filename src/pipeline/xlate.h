/* Translation: walks the tables for one packet and says what the datapath should do with all packets like it.
 *
 * Pure but for the side effects that are asked for. Control thread only.
 */
#ifndef SRC_PIPELINE_XLATE_H
#define SRC_PIPELINE_XLATE_H

#include <stdbool.h>
#include <stdint.h>

#include "pmd/drop.h"
#include "pmd/program.h"
#include "src/pipeline/act.h"
#include "src/pipeline/flow.h"
#include "src/pipeline/pipeline.h"

struct bridge;

#define XLATE_MAX_DEPTH 64       /* nested resubmits */
#define XLATE_MAX_RESUBMITS 4096 /* in one translation */
#define XLATE_MAX_RULES 4096

/* Told what happens, for ofproto/trace. Depth = nesting of resubmits. Lines as OVS's trace prints them. */
struct xlate_trace {
    void *arg;
    void (*table)(void *arg, unsigned depth, uint8_t table_id, const struct rule *rule, const struct flow *flow);
    void (*action)(void *arg, unsigned depth, const char *text); /* one action: "output:2", "resubmit(,1)" */
    void (*note)(void *arg, unsigned depth, const char *text);   /* " >> forwarding to learned port" */
};

struct xlate_in {
    struct bridge *bridge;
    struct flow flow;     /* pkt, in_port (OpenFlow) and metadata set; copied, not changed */
    bool side_effects;    /* learn MAC addresses */
    struct act_list acts; /* acts.acts != NULL: run these instead of looking up table 0 (packet-out) */
    const struct xlate_trace *trace;
};

/* What the decision depended on, beyond the packet's bits in `wc`. */
struct xlate_deps {
    struct rule *
        *rules; /* one for each table visited that had a match, in order, duplicates removed; no references taken */
    unsigned n_rules;
    uint64_t tables[4]; /* bitmap of the tables that were looked up */
    /* priority of the rule hit in each visit, in order of visit: for deciding whether a new rule could change it */
    struct xlate_visit {
        uint8_t table_id;
        bool rewritten; /* packet fields had been changed before this lookup */
        bool has_rule;
        uint16_t priority; /* of the rule hit */
    } * visits;
    unsigned n_visits;
    bool used_mac_table; /* NORMAL looked up or learned eth_src, eth_dst on `vlan` */
    uint16_t mac_vlan;
    bool used_ports; /* flooded, or looked at the state of ports */
};

struct xlate_out {
    struct flow wc;                 /* consulted bits of the original packet: wc.pkt is the megaflow's mask */
    struct program_builder program; /* in_port and recirc_id are always in wc */
    struct flow final;              /* the flow after all actions, for trace */
    struct xlate_deps deps;
    enum drop_reason drop_reason; /* why, if the program sends the packet nowhere */
    bool error;                   /* too deep, too long: the packet is to be dropped under drop_reason */
};

void xlate_out_init(struct xlate_out *out);
void xlate_out_free(struct xlate_out *out);
void xlate(const struct xlate_in *in, struct xlate_out *out);

#endif
