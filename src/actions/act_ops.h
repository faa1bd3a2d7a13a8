/* What is known of each type of action, apart from its wire forms (src/openflow/wire/act_codec_impl.h) and its meaning
 * for a packet (src/xlate/act_xlate_impl.h): one row a type, in the file of its family. Constant. */
#ifndef SRC_ACTIONS_ACT_OPS_H
#define SRC_ACTIONS_ACT_OPS_H

#include "src/actions/act.h"

struct act_known;   /* act_impl.h */
struct act_printer; /* act_impl.h */

typedef void field_fn(void *arg, const struct field *field);

struct act_ops {
    const char *name;   /* as ovs-actions(7) has it; of several names, that of the form without Nicira's extensions */
    enum act_rank rank; /* its place in an action set */
    bool idle;          /* of rank NONE, but it does nothing: a bucket may have it */
    bool bucket_only;   /* a bucket may have it, write_actions may not */
    bool nested;        /* struct act_bytes with a list inside, which walks go into */

    /* Do the arguments make sense, and does the action fit what is known of the packet here? Notes in `known` what the
     * packet is for the actions behind it. 0 or an enum of_error; NULL: it always fits and changes nothing that checks
     * look at. */
    int (*check)(const struct act *act, struct act_known *known);

    /* Writes the action in the syntax of ovs-actions(7). */
    void (*print)(struct act_printer *p, const struct act *act);

    /* The rest say what the action names; NULL: nothing of the kind. */
    void (*each_field)(const struct act *act, field_fn *fn, void *arg);
    bool (*outputs_to)(const struct act *act, uint32_t ofport);
    struct act_ref (*ref)(const struct act *act);
};

/* By type. */
extern const struct act_ops *const act_ops[ACT_N_TYPES];

/* Bytes of the type's struct, without what follows it in some. */
extern const uint16_t act_sizes[ACT_N_TYPES];

#define ACT_DECLARE(TYPE, name, args) extern const struct act_ops act_ops_##name;
ACT_TYPES(ACT_DECLARE)
#undef ACT_DECLARE

#endif
