/* Every action and instruction, in one row each: X(type, name, struct of the arguments).
 *
 * A row makes the type ACT_<TYPE> and asks for three definitions, without which the programs do not link:
 *   act_ops_<name>    its text, its checks and what it names (act_ops.h; here, in the file of its family)
 *   act_codec_<name>  its forms on the wire (src/openflow/wire/act_codec_impl.h)
 *   act_xlate_<name>  what it means for a packet (src/xlate/act_xlate_impl.h)
 *
 * The rows are in the order in which actions and instructions of one list may be found: instructions around the
 * actions, as OpenFlow 1.3.5, 5.9 has them. Programs never see the numbers; they are free to change.
 */
#ifndef SRC_ACTIONS_ACT_TYPES_H
#define SRC_ACTIONS_ACT_TYPES_H

#define ACT_TYPES(X)                                                                                                   \
    X(OUTPUT, output, struct act_output)                                                                               \
    X(OUTPUT_REG, output_reg, struct act_output_reg)                                                                   \
    X(CONTROLLER, controller, struct act_controller) /* NXAST_CONTROLLER; a plain output to CONTROLLER is OUTPUT */    \
    X(ENQUEUE, enqueue, struct act_enqueue)          /* OpenFlow 1.0 */                                                \
    X(SET_QUEUE, set_queue, struct act_u32)          /* queue id */                                                    \
    X(POP_QUEUE, pop_queue, struct act)                                                                                \
    X(GROUP, group, struct act_u32)               /* group id */                                                       \
    X(SET_FIELD, set_field, struct act_set_field) /* set_field, NXAST_REG_LOAD(2), OpenFlow 1.0's set actions */       \
    X(MOVE, move, struct act_move)                /* NXAST_REG_MOVE, copy_field */                                     \
    X(PUSH_VLAN, push_vlan, struct act_u32)       /* TPID */                                                           \
    X(POP_VLAN, pop_vlan, struct act)             /* pop_vlan, strip_vlan */                                           \
    X(SET_VLAN_VID, set_vlan_vid, struct act_u32) /* OpenFlow 1.0 meaning: adds a tag if there is none */              \
    X(SET_VLAN_PCP, set_vlan_pcp, struct act_u32) /* likewise */                                                       \
    X(PUSH_MPLS, push_mpls, struct act_u32)       /* Ethernet type */                                                  \
    X(POP_MPLS, pop_mpls, struct act_u32)         /* Ethernet type */                                                  \
    X(PUSH_PBB, push_pbb, struct act_u32)         /* Ethernet type */                                                  \
    X(POP_PBB, pop_pbb, struct act)                                                                                    \
    X(SET_MPLS_TTL, set_mpls_ttl, struct act_u32)                                                                      \
    X(DEC_MPLS_TTL, dec_mpls_ttl, struct act)                                                                          \
    X(SET_IP_TTL, set_ip_ttl, struct act_u32)                                                                          \
    X(DEC_TTL, dec_ttl, struct act_dec_ttl) /* dec_nw_ttl, dec_ttl, dec_ttl(ids) */                                    \
    X(COPY_TTL_OUT, copy_ttl_out, struct act)                                                                          \
    X(COPY_TTL_IN, copy_ttl_in, struct act)                                                                            \
    X(RESUBMIT, resubmit, struct act_resubmit)                                                                         \
    X(NOTE, note, struct act_bytes)                                                                                    \
    X(EXIT, exit, struct act)                                                                                          \
    X(STACK_PUSH, stack_push, struct act_subfield)                                                                     \
    X(STACK_POP, stack_pop, struct act_subfield)                                                                       \
    X(SET_TUNNEL, set_tunnel, struct act_u64)                                                                          \
    X(FIN_TIMEOUT, fin_timeout, struct act_fin_timeout)                                                                \
    X(ENCAP, encap, struct act_encap)                                                                                  \
    X(DECAP, decap, struct act_u32) /* packet type of what comes to light, or PACKET_TYPE_NEXT_PROTO */                \
    X(DEC_NSH_TTL, dec_nsh_ttl, struct act)                                                                            \
    X(DELETE_FIELD, delete_field, struct act_subfield) /* a whole tun_metadata field */                                \
    X(CONJUNCTION, conjunction, struct act_conjunction)                                                                \
    X(LEARN, learn, struct act_learn)                                                                                  \
    X(OUTPUT_TRUNC, output_trunc, struct act_output_trunc)                                                             \
    X(CLONE, clone, struct act_bytes) /* a nested list */                                                              \
    X(SAMPLE, sample, struct act_sample)                                                                               \
    X(CHECK_LARGER, check_larger, struct act_check_larger) /* check_pkt_larger */                                      \
    X(MULTIPATH, multipath, struct act_multipath)                                                                      \
    X(BUNDLE, bundle, struct act_bundle) /* bundle, bundle_load */                                                     \
    X(CT, ct, struct act_ct)             /* what exec() has in it is a list inside */                                  \
    X(CT_CLEAR, ct_clear, struct act)                                                                                  \
    X(NAT, nat, struct act_nat)     /* inside ct alone */                                                              \
    X(METER, meter, struct act_u32) /* meter id; instruction (1.3) and action (1.5) */                                 \
    X(STAT_TRIGGER, stat_trigger, struct act_stat_trigger)                                                             \
    X(CLEAR_ACTIONS, clear_actions, struct act)                                                                        \
    X(WRITE_ACTIONS, write_actions, struct act_bytes) /* a nested list */                                              \
    X(WRITE_METADATA, write_metadata, struct act_metadata)                                                             \
    X(GOTO_TABLE, goto_table, struct act_u32) /* table */

#define ACT_ENUM(TYPE, name, args) ACT_##TYPE,
enum act_type { ACT_TYPES(ACT_ENUM) ACT_N_TYPES };
#undef ACT_ENUM

/* Instructions are from here on; a meter is an action in some versions. */
#define ACT_FIRST_INSTRUCTION ACT_METER

#endif
