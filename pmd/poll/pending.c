#include "pmd/poll/pending.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PARKED_PER_FLOW 2 /* room for parked packets on the whole: so many a flow slot */

int pending_init(struct pending *pending, unsigned n_flows)
{
    unsigned n_parked = n_flows * PARKED_PER_FLOW;

    memset(pending, 0, sizeof *pending);
    pending->flows = calloc(n_flows, sizeof *pending->flows);
    pending->parked = calloc(n_parked, sizeof *pending->parked);
    pending->heads = malloc(n_flows * sizeof *pending->heads);
    if (!pending->flows || !pending->parked || !pending->heads) {
        pending_fini(pending);
        return -ENOMEM;
    }
    pending->n_flows = pending->n_free = (uint16_t)n_flows;
    pending->n_parked = pending->n_parked_free = (uint16_t)n_parked;
    pending->oldest = pending->newest = PENDING_NONE;
    for (unsigned i = 0; i < n_flows; i++) {
        pending->heads[i] = PENDING_NONE;
        pending->flows[i].next = i + 1 < n_flows ? (uint16_t)(i + 1) : PENDING_NONE;
    }
    for (unsigned i = 0; i < n_parked; i++)
        pending->parked[i].next = i + 1 < n_parked ? (uint16_t)(i + 1) : PENDING_NONE;
    return 0;
}

void pending_fini(struct pending *pending)
{
    free(pending->flows);
    free(pending->parked);
    free(pending->heads);
    pending->flows = NULL;
    pending->parked = NULL;
    pending->heads = NULL;
}

/* The control thread must see whole values. */
static void port_count(uint16_t *counter, int add)
{
    __atomic_store_n(counter, (uint16_t)(*counter + add), __ATOMIC_RELEASE);
}

static uint16_t *chain(const struct pending *pending, uint32_t hash)
{
    return &pending->heads[hash & (pending->n_flows - 1u)];
}

uint16_t pending_find(const struct pending *pending, uint32_t hash, uint32_t in_port)
{
    uint16_t slot = *chain(pending, hash);

    while (slot != PENDING_NONE && (pending->flows[slot].hash != hash || pending->flows[slot].in_port != in_port))
        slot = pending->flows[slot].next;
    return slot;
}

int pending_add(struct pending *pending, uint32_t hash, uint32_t in_port, struct rte_mbuf *packet, uint64_t now)
{
    uint16_t slot = pending->free;

    if (slot == PENDING_NONE)
        return -ENOSPC;
    if (pending->in_flight[in_port_place(in_port)] >= pending->n_free)
        return -EDQUOT;

    struct pending_flow *flow = &pending->flows[slot];
    pending->free = flow->next;
    pending->n_free--;
    port_count(&pending->in_flight[in_port_place(in_port)], 1);
    *flow = (struct pending_flow){.packet = packet,
                                  .since = now,
                                  .hash = hash,
                                  .in_port = in_port,
                                  .first = PENDING_NONE,
                                  .last = PENDING_NONE,
                                  .next = *chain(pending, hash),
                                  .older = pending->newest,
                                  .newer = PENDING_NONE};
    *chain(pending, hash) = slot;
    if (pending->newest != PENDING_NONE)
        pending->flows[pending->newest].newer = slot;
    else
        pending->oldest = slot;
    pending->newest = slot;
    return slot;
}

bool pending_park(struct pending *pending, uint16_t slot, struct rte_mbuf *packet)
{
    struct pending_flow *flow = &pending->flows[slot];
    uint16_t place = pending->parked_free;

    if (flow->n_parked == PENDING_PARK_MAX || place == PENDING_NONE ||
        pending->waiting[in_port_place(flow->in_port)] >= pending->n_parked_free)
        return false;
    pending->parked_free = pending->parked[place].next;
    pending->n_parked_free--;
    port_count(&pending->waiting[in_port_place(flow->in_port)], 1);
    pending->parked[place] = (struct pending_parked){.packet = packet, .next = PENDING_NONE};
    if (flow->last != PENDING_NONE)
        pending->parked[flow->last].next = place;
    else
        flow->first = place;
    flow->last = place;
    flow->n_parked++;
    return true;
}

unsigned pending_release(struct pending *pending, uint16_t slot, struct rte_mbuf **packets)
{
    struct pending_flow *flow = &pending->flows[slot];
    uint16_t *link = chain(pending, flow->hash);
    unsigned n = 0;

    while (*link != slot)
        link = &pending->flows[*link].next;
    *link = flow->next;
    if (flow->older != PENDING_NONE)
        pending->flows[flow->older].newer = flow->newer;
    else
        pending->oldest = flow->newer;
    if (flow->newer != PENDING_NONE)
        pending->flows[flow->newer].older = flow->older;
    else
        pending->newest = flow->older;

    for (uint16_t place = flow->first; place != PENDING_NONE;) {
        uint16_t next = pending->parked[place].next;

        packets[n++] = pending->parked[place].packet;
        pending->parked[place].next = pending->parked_free;
        pending->parked_free = place;
        place = next;
    }
    pending->n_parked_free += n;
    port_count(&pending->waiting[in_port_place(flow->in_port)], -(int)n);
    port_count(&pending->in_flight[in_port_place(flow->in_port)], -1);
    flow->packet = NULL;
    flow->next = pending->free;
    pending->free = slot;
    pending->n_free++;
    return n;
}
