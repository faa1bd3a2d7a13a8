/* What the files of the way of a packet share: track.c, which moves connections on, and create.c, which makes them.
 */
#ifndef PMD_CT_TRACK_IMPL_H
#define PMD_CT_TRACK_IMPL_H

#include "pmd/ct/expect.h"
#include "pmd/ct/extract.h"
#include "pmd/ct/tracker_impl.h"

#define CT_COUNT(counter) __atomic_store_n(&(counter), (counter) + 1, __ATOMIC_RELAXED)

/* What the packets of a burst have in common. */
struct work {
    struct ct *ct;
    struct ct_thread *thread;
    const struct ct_request *request;
    const uint32_t *timeouts; /* of the zone's policy */
    uint32_t now, generation;
    bool simple; /* the request changes nothing of a connection that there is */
};

/* --- news for the control thread ----------------------------------------- */

static inline void news_push(const struct work *work, uint32_t id)
{
    uint32_t *news = &work->thread->news, head = __atomic_load_n(news, __ATOMIC_RELAXED);

    do {
        work->ct->colds[id].next = head;
    } while (!__atomic_compare_exchange_n(news, &head, id, true, __ATOMIC_RELEASE, __ATOMIC_RELAXED));
}

static inline void conn_kill(const struct work *work, uint32_t id)
{
    struct conn *conn = &work->ct->conns[id];
    struct conn_cold *cold = &work->ct->colds[id];
    const uint64_t before = __atomic_fetch_or(&conn->state, CONN_DEAD | CONN_NEWS, __ATOMIC_ACQ_REL);

    if (before & CONN_DEAD)
        return;
    conn_count_down(work->ct, conn->zone, conn->generation);
    if (before & CONN_NEWS) /* the control thread may have it in hand */
        return;
    /* Mostly another one with the same addresses is made at once: packets are not to come across this one first. */
    if (cold->linked) {
        directory_remove(&work->ct->directory, cold->hash[0], id << 1 | CONN_ORIG);
        directory_remove(&work->ct->directory, cold->hash[1], id << 1 | CONN_REPLY);
        cold->unlinked = true;
    }
    news_push(work, id);
}

/* --- making a connection (create.c) -------------------------------------- */

/* Whether a packet that is of no connection may begin one. */
bool conn_may_begin(const struct ct_packet *packet);
/* Makes a connection of the packet, translated if the request says so. *id is its number, or 0 for the reason that is
 * returned; CT_REASON_RACE: another thread has just made it. */
enum ct_reason conn_create(const struct work *work, const struct ct_packet *packet, uint32_t *id);
/* conn_is_expected(), once it is known that helpers expect something. */
bool conn_look_for_expectation(const struct work *work, const struct ct_packet *packet, struct expectation *expected,
                               struct expect_ticket *ticket);
/* As conn_create(), of a packet that conn_is_expected(): `ticket` is used up if that succeeds. */
enum ct_reason conn_create_expected(const struct work *work, const struct ct_packet *packet,
                                    const struct expectation *expected, struct expect_ticket ticket, uint32_t *id);

/* Whether the packet begins a connection that was announced. Nothing is looked for while no helper expects anything. */
static inline bool conn_is_expected(const struct work *work, const struct ct_packet *packet,
                                    struct expectation *expected, struct expect_ticket *ticket)
{
    return unlikely(!deadline_is_over(__atomic_load_n(&work->ct->expect.until, __ATOMIC_RELAXED), work->now)) &&
           conn_look_for_expectation(work, packet, expected, ticket);
}

#endif
