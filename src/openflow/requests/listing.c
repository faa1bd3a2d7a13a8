#include "src/openflow/requests/listing.h"

#include <rte_cycles.h>
#include <stdlib.h>

#include "pmd/base/memory.h"
#include "src/openflow/server/server_impl.h"

#define ADDED_A_LOOK 16 /* entries between looks at the clock */

struct listing {
    struct of_task task;
    const struct of_listing_kind *kind;
    struct of_multipart mp;
    struct of_buf out;
    void *cursor;
};

static void listing_free(struct of_task *task)
{
    struct listing *listing = (struct listing *)task;

    listing->kind->close(listing->cursor);
    of_multipart_abort(&listing->mp);
    of_buf_free(&listing->out);
    free(listing);
}

static enum of_task_state listing_run(struct of_task *task, struct of_connection *conn, uint64_t deadline)
{
    struct listing *listing = (struct listing *)task;

    do {
        for (unsigned i = 0; i < ADDED_A_LOOK; i++) {
            if (listing->kind->add_next(conn, listing->cursor, &listing->mp, &listing->out))
                continue;
            of_multipart_end(&listing->mp, &listing->out);
            of_connection_send(conn, &listing->out);
            return OF_TASK_DONE;
        }
        of_connection_send(conn, &listing->out);
        if (of_connection_is_behind(conn))
            return OF_TASK_BLOCKED;
    } while (rte_rdtsc() < deadline);
    return OF_TASK_MORE;
}

void of_listing_start(struct of_connection *conn, const struct of_msg *msg, const struct of_listing_kind *kind)
{
    struct listing *listing = calloc(1, sizeof *listing);

    if (!listing)
        out_of_memory("an OpenFlow request", sizeof *listing);
    listing->task = (struct of_task){.run = listing_run, .free = listing_free};
    listing->kind = kind;
    listing->cursor = kind->open(conn);
    of_multipart_begin(&listing->mp, conn->version, msg->xid, msg->request.type, msg->request.nx);
    of_connection_set_task(conn, &listing->task);
}
