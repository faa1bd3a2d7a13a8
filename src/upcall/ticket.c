/* Tickets: when is a change in the datapath? */
#include <stdlib.h>

#include "pmd/base/memory.h"
#include "src/upcall/flows_impl.h"

void tickets_note_change(struct flows *flows)
{
    flows->changes++;
}

uint64_t flows_ticket(struct flows *flows)
{
    struct ticket *ticket;

    if (flows->changes == flows->changes_at_ticket)
        return flows->ticket_last;
    /* The changes met no megaflow, and nothing else that was decided before them is under way. */
    if (STAILQ_EMPTY(&flows->tickets) && !changes_waiting(flows) && datapath_settled(flows->dp)) {
        flows->changes_at_ticket = flows->changes;
        return flows->ticket_last;
    }
    ticket = calloc(1, sizeof *ticket);
    if (!ticket)
        out_of_memory("the bookkeeping of megaflows", 0);
    ticket->id = ++flows->ticket_last;
    ticket->phase = TICKET_SWEEP;
    if (flows->pending)
        ticket->need = flows->pending->serial;
    else
        ticket->need = flows->active ? flows->active->serial : flows->sweeps_done;
    flows->changes_at_ticket = flows->changes;
    STAILQ_INSERT_TAIL(&flows->tickets, ticket, node);
    /* May settle and free it. */
    tickets_advance(flows);
    return flows->ticket_last;
}

/* The queue numbers up to this one are worked off. */
static uint64_t todo_done(const struct flows *flows)
{
    const struct path *head = TAILQ_FIRST(&flows->todo);

    return head ? head->todo_seq - 1 : flows->todo_seq;
}

void tickets_advance(struct flows *flows)
{
    struct ticket *ticket;
    uint64_t token = 0;

    STAILQ_FOREACH (ticket, &flows->tickets, node) {
        if (ticket->phase == TICKET_SWEEP) {
            if (flows->sweeps_done < ticket->need)
                break;
            ticket->phase = TICKET_TODO;
            ticket->need = flows->todo_seq;
        }
        if (ticket->phase == TICKET_TODO) {
            if (todo_done(flows) < ticket->need)
                break;
            if (!token)
                token = datapath_token(flows->dp);
            ticket->phase = TICKET_TOKEN;
            ticket->need = token;
        }
    }
    while ((ticket = STAILQ_FIRST(&flows->tickets)) && ticket->phase == TICKET_TOKEN &&
           datapath_passed(flows->dp, ticket->need)) {
        STAILQ_REMOVE_HEAD(&flows->tickets, node);
        flows->ticket_settled = ticket->id;
        free(ticket);
    }
}

bool flows_settled(struct flows *flows, uint64_t ticket)
{
    if (ticket > flows->ticket_settled)
        tickets_advance(flows);
    return ticket <= flows->ticket_settled;
}
