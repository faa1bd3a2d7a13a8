/* How a burst comes out of a tunnel in one go: outer headers like those of a packet before are taken off, what is
 * inside is compared with the megaflow that took the tunnel's last burst, and sent. All other packets come again one by
 * one, as run_tunnel_pop() in poll_burst.c has it. */
#include "pmd/action/packet.h"
#include "pmd/key_inline.h"
#include "pmd/poll/poll_burst_impl.h"
#include "pmd/tunnel/pop.h"

/* The megaflow that the packets will probably take, if its program needs nothing in their private areas. */
static struct megaflow_slot *slot_behind(struct poll_thread *thread, const struct tunnel_recent *recent,
                                         const struct program **program)
{
    struct megaflow_slot *slot = thread->dominant[in_port_place(recent->index)];

    if (!slot || !megaflow_alive(slot) || megaflow_young(thread, id_of(thread, slot)))
        return NULL;
    *program = program_of(slot);
    return (*program)->kind == PROGRAM_OUTPUT || ((*program)->kind == PROGRAM_GENERAL && !(*program)->uses_meta) ? slot
                                                                                                                 : NULL;
}

/* What the packets' metadata are behind the tunnel. */
static struct metadata metadata_behind(const struct poll_thread *thread, const struct tunnel_recent *recent)
{
    return (struct metadata){.in_port = recent->index,
                             .pkt_mark = thread->context.pkt_mark,
                             .depth = thread->context.depth + 1,
                             .tun_lines = recent->lines};
}

/* The packets come again as others do: their private areas are written. */
static __rte_noinline void popped_come_again(struct poll_thread *thread, const struct tunnel_recent *recent,
                                             const struct metadata *md, struct rte_mbuf **packets, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        packet_meta(packets[i])->md = *md;
        tunnel_recent_write_meta(recent, packets[i]);
        thread->popped[i] = packets[i];
    }
    thread->n_popped = thread->n_popped_parsed = n;
}

static inline void run_behind(struct poll_thread *thread, const struct program *program, const struct metadata *md,
                              struct rte_mbuf **packets, unsigned n, uint32_t longest)
{
    COUNT(thread->counters.groups, 1);
    if (likely(program->kind == PROGRAM_OUTPUT)) {
        tx_packets(thread, program->output, packets, n, longest);
    } else {
        const struct metadata before = thread->context;

        thread->context = *md;
        program_execute(program, packets, n, &thread->sink);
        thread->context = before;
    }
    stage_end(thread, PMD_STAGE_ACTIONS);
}

bool pop_burst(struct poll_thread *thread, const struct op_tunnel_pop *pop, struct rte_mbuf **packets, unsigned n)
{
    uint32_t bytes = 0, longest = 0, lines = 0;
    const struct tunnel_recent *recent;
    const struct program *program;
    struct megaflow_slot *slot;
    uint16_t ends[BURST];

    /* Packets that came out before and were not looked up yet must not be overtaken. */
    if (unlikely((thread->n_recirc | thread->n_popped) != 0 || thread->context.depth >= RECIRC_DEPTH_MAX))
        return false;
    recent = tunnel_recent_find(thread->dp->tunnels, &thread->tunnel_cache, pop, packets[0]);
    if (!recent || !(slot = slot_behind(thread, recent, &program)) ||
        !tunnel_recent_fits(recent, pop, packets, n, ends))
        return false;
    const struct metadata md = metadata_behind(thread, recent);

    for (unsigned i = 0; i < n; i++) {
        struct flow_key *key = &thread->keys[i];
        struct rte_mbuf *m = packets[i];

        tunnel_recent_take_off(recent, m, ends[i]);
        thread->n_lines[i] = (uint8_t)flow_key_parse_inline(m, md.in_port, key);
        lines |= thread->n_lines[i];
        key->pkt_mark = md.pkt_mark;
        bytes += m->pkt_len;
        longest = RTE_MAX(longest, m->pkt_len);
    }
    stage_end(thread, PMD_STAGE_PARSE);
    if (unlikely(!lookup_popped(thread, slot, recent, packets, n, lines == 1))) {
        popped_come_again(thread, recent, &md, packets, n);
        return true;
    }
    account(thread, slot, n, bytes);
    run_behind(thread, program, &md, packets, n, longest);
    return true;
}
