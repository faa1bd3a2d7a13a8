/* Numbers of the datapath that are given out again: indices of ports and meters that are gone.
 *
 * Megaflows name a port until they are translated again, and a packet-out of a bundle until it is sent. A number given
 * to another port meanwhile would send packets of one bridge into another. So each waits here, first for the ticket
 * that covers its removal, then for the packet-outs that were held back at that time. What is under way in the datapath
 * by then, the datapath knows.
 */
#include <stdlib.h>

#include "pmd/base/memory.h"
#include "src/upcall/flows_impl.h"

struct forgotten {
    TAILQ_ENTRY(forgotten) node;
    forget_fn *forget;
    uint32_t number;
    bool has_ticket;
    uint64_t ticket;
    uint64_t held; /* the packet-outs held back up to this one are to be gone */
};

static void add(struct flows *flows, forget_fn *forget, uint32_t number)
{
    struct forgotten *forgotten = calloc(1, sizeof *forgotten);

    if (!forgotten)
        out_of_memory("the bookkeeping of megaflows", 0);
    forgotten->forget = forget;
    forgotten->number = number;
    forgotten->held = flows->held_last;
    /* Whoever has the number is not to wait for the next change. */
    tickets_note_change(flows);
    datapath_touch(flows->dp);
    TAILQ_INSERT_TAIL(&flows->forgotten, forgotten, node);
}

void forget_port(struct flows *flows, uint32_t index)
{
    add(flows, datapath_port_forget, index);
}

void forget_meter(struct flows *flows, uint32_t index)
{
    add(flows, datapath_meter_forget, index);
}

/* Those of one turn share a ticket: those behind the last that has one. */
static void draw_tickets(struct flows *flows)
{
    struct forgotten *forgotten = TAILQ_LAST(&flows->forgotten, forgotten_list);
    uint64_t ticket;

    if (forgotten->has_ticket)
        return;
    ticket = flows_ticket(flows);
    for (; forgotten && !forgotten->has_ticket; forgotten = TAILQ_PREV(forgotten, forgotten_list, node)) {
        forgotten->ticket = ticket;
        forgotten->has_ticket = true;
    }
}

static bool held_until(const struct flows *flows, uint64_t serial)
{
    const struct held_packet *oldest = TAILQ_FIRST(&flows->held);

    return oldest && held_packet_serial(oldest) <= serial;
}

void forgotten_advance(struct flows *flows)
{
    struct forgotten *forgotten;

    if (TAILQ_EMPTY(&flows->forgotten))
        return;
    draw_tickets(flows);
    while ((forgotten = TAILQ_FIRST(&flows->forgotten)) && flows_settled(flows, forgotten->ticket) &&
           !held_until(flows, forgotten->held)) {
        TAILQ_REMOVE(&flows->forgotten, forgotten, node);
        forgotten->forget(flows->dp, forgotten->number);
        free(forgotten);
    }
}

void forgotten_free(struct flows *flows)
{
    struct forgotten *forgotten;

    while ((forgotten = TAILQ_FIRST(&flows->forgotten))) {
        TAILQ_REMOVE(&flows->forgotten, forgotten, node);
        free(forgotten);
    }
}
