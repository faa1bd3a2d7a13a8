/* Recirculation ids: what is left to do with a packet once it was parsed again, or resumed by a controller. Control
 * thread only.
 *
 * Interned like punts: equal states share an id, ids are not reused.
 */
#ifndef SRC_XLATE_RECIRC_H
#define SRC_XLATE_RECIRC_H

#include <stddef.h>

#include "src/actions/act.h"

struct bridge;

/* Bytes of struct flow_key that are of a tunnel, its last ones: what outer headers said, or what actions wrote for
 * those that a tunnel port puts around the packet. */
#define RECIRC_TUN_LEN (sizeof(struct flow_key) - offsetof(struct flow_key, tun_id))

/* Padding must be zero. */
struct recirc_state {
    struct bridge *bridge;
    uint32_t in_port; /* OpenFlow */
    uint32_t n_stack;
    rte_be64_t metadata;
    rte_be32_t reg[FLOW_N_REGS];
    uint32_t in_phy_port;
    rte_be32_t packet_type;
    /* What actions wrote: the bits `tun_set` of `tun`. The other bits are what the packet comes back with. */
    uint8_t tun[RECIRC_TUN_LEN], tun_set[RECIRC_TUN_LEN];
    uint8_t in_set;    /* the actions left are those of the action set */
    uint8_t in_group;  /* ... of a bucket */
    uint8_t hashed;    /* dp_hash is the hash that the select group at the head of the actions left asked for */
    uint8_t entering;  /* the packet comes into `bridge`, by in_port: none of it is done yet */
    uint32_t bond;     /* nothing is left but to send the packet by a member of this bond, for its dp_hash; 0: no */
    uint32_t max_len;  /* ... or its first bytes, 0: all of it */
    uint32_t mirrored; /* mirrors of `bridge` that took the packet */
    uint32_t queue;    /* that it is sent by */
    uint8_t zero[4];
};

static inline uint8_t *recirc_tun(struct flow_key *key)
{
    return (uint8_t *)key + offsetof(struct flow_key, tun_id);
}

/* Writes the bits `set` of `tun` to the key. */
static inline void recirc_tun_apply(struct flow_key *key, const uint8_t tun[RECIRC_TUN_LEN],
                                    const uint8_t set[RECIRC_TUN_LEN])
{
    uint8_t *to = recirc_tun(key);

    for (size_t i = 0; i < RECIRC_TUN_LEN; i++)
        to[i] = (uint8_t)((to[i] & ~set[i]) | (tun[i] & set[i]));
}

/* What is left to do, wherever it is kept. */
struct recirc {
    struct recirc_state state;
    uint32_t segments_len, set_len;
    const union field_value *stack; /* state.n_stack values */
    struct act_list set;            /* the action set */
    const uint8_t *segments;
};

/* Where an action list comes from: its rule's cookie and table. */
struct recirc_origin {
    uint64_t cookie;
    uint8_t table_id;
    bool table_miss; /* the rule is the table-miss flow entry */
    bool packet_out; /* there is no rule: a controller sent the packet with these actions */
};

/* Appends the rest of one action list. The innermost list is added first. */
void recirc_add_segment(struct act_buffer *segments, const struct recirc_origin *origin, const struct act_list *list);

/* Returns the id, or 0 if a bound (65 536) is reached. */
uint32_t recirc_intern(const struct recirc_state *state, const union field_value *stack,
                       const struct act_buffer *segments, const struct act_buffer *set);
/* NULL: unknown. Valid until the next call of recirc_get. */
const struct recirc *recirc_get(uint32_t id);
void recirc_for_each_segment(const struct recirc *recirc,
                             void (*fn)(void *arg, const struct recirc_origin *origin, const struct act_list *list,
                                        bool last),
                             void *arg);
/* As punt_forget_bridge(). */
bool recirc_forget_bridge(const struct bridge *bridge, unsigned most);

uint32_t recirc_count(void);
/* Garbage collection, as intern.h has it. */
void recirc_sweep_begin(void);
void recirc_mark(uint32_t id);
bool recirc_sweep_some(unsigned most);

#endif
