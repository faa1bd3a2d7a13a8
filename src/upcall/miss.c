/* Misses: packets for which poll-mode threads have no megaflow. */
#include <errno.h>
#include <string.h>

#include "pmd/base/clock.h"
#include "pmd/base/log.h"
#include "src/upcall/flows_impl.h"

#define MISS_BURST 32

/* Candidates looked at when a megaflow has to make room. */
#define EVICT_CANDIDATES 64
/* Used more recently than that, a megaflow is not evicted: its next packet would be a miss. */
#define EVICT_IDLE_MS 1000
/* Where none was idle, the next look waits for twice as many refused misses as the last one did, and at most for these:
 * about one candidate a miss. */
#define EVICT_PAUSE_MOST 63

/* The datapath is full: one megaflow that is hardly used goes, so that there is room after a grace period. */
static void evict(struct flows *flows)
{
    uint64_t now = clock_now_ms();
    struct mf_record *oldest = NULL;

    if (flows->id_end == 0)
        return;
    if (flows->evict_skip > 0) {
        flows->evict_skip--;
        return;
    }
    flows->stats.evict_looked += EVICT_CANDIDATES;
    for (unsigned i = 0; i < EVICT_CANDIDATES; i++) {
        struct mf_record *record = flows->records[flows->evict_hand++ % flows->id_end];

        if (!record)
            continue;
        record_count(flows, record);
        /* Learning is nothing to be done in the middle of a miss; the next pass over the counters does it. */
        if (record->untaught && record->effects)
            continue;
        if (!oldest || record->used_ms < oldest->used_ms)
            oldest = record;
    }
    if (oldest && now - oldest->used_ms >= EVICT_IDLE_MS) {
        megaflow_remove(flows, oldest);
        flows->stats.evicted++;
        flows->evict_pause = 0;
    } else {
        flows->evict_pause = RTE_MIN(2 * flows->evict_pause + 1, (uint32_t)EVICT_PAUSE_MOST);
    }
    flows->evict_skip = flows->evict_pause;
}

/* Told when it begins; again only after a tenth was free in between. */
static void note_room(struct flows *flows, bool full)
{
    if (full && !flows->said_full) {
        LOG_WARN(LOG_FLOWS,
                 "there are %u megaflows, the limit: packets of further flows are forwarded one by one by the control "
                 "thread, which is slow; raise pmd.megaflow_limit if the flows are real",
                 flows->n_live);
        flows->said_full = true;
    } else if (!full && flows->n_live < flows->limit / 10 * 9) {
        flows->said_full = false;
    }
}

static void give_back(struct flows *flows, struct rte_mbuf *packet, const struct program *program)
{
    struct packet_meta *meta = packet_meta(packet);

    meta->program = program;
    datapath_miss_return(flows->dp, packet);
}

/* Fills in flows->in.flow. False: the packet is too short for a key. */
static bool parse(struct flows *flows, struct rte_mbuf *packet)
{
    const struct packet_meta *meta = packet_meta(packet);
    struct flow *flow = &flows->in.flow;
    unsigned n = flow_key_parse(packet, meta->md.in_port, &flow->pkt);

    if (n == 0)
        return false;
    memset((uint8_t *)flow + n * FLOW_KEY_LINE, 0, sizeof *flow - n * FLOW_KEY_LINE);
    packet_meta_to_key(meta, &flow->pkt, n);
    return true;
}

/* --- duplicates: misses that a megaflow installed since takes ------------ */

/* With more tuples than that, looking a miss up in all of them costs more than translating it again would. */
#define LOOKUP_MASKS 8

static void remember(struct flows *flows, struct mf_record *record)
{
    struct recent *recent = &flows->recent[flows->recent_next++ % RECENT];
    const uint64_t *key = (const uint64_t *)&flows->in.flow.pkt, *mask = (const uint64_t *)megaflow_mask(record->mf);

    recent->record = record;
    for (size_t i = 0; i < sizeof recent->key / 8; i++)
        ((uint64_t *)&recent->key)[i] = key[i] & mask[i];
}

static bool takes(const struct recent *recent, const struct flow_key *key)
{
    const uint64_t *want = (const uint64_t *)&recent->key, *k = (const uint64_t *)key;
    const uint64_t *mask = (const uint64_t *)megaflow_mask(recent->record->mf);

    for (size_t i = 0; i < sizeof *key / 8; i += 8) {
        uint64_t differs = 0;

        for (size_t w = i; w < i + 8; w++)
            differs |= (k[w] & mask[w]) ^ want[w];
        if (differs)
            return false;
    }
    return true;
}

static struct mf_record *find_in_datapath(struct flows *flows)
{
    struct megaflow *mf = datapath_megaflow_lookup(flows->dp, &flows->in.flow.pkt);

    return mf ? flows->records[megaflow_id(mf)] : NULL;
}

static struct mf_record *find_duplicate(struct flows *flows)
{
    for (unsigned i = 0; i < RECENT; i++) {
        if (flows->recent[i].record && takes(&flows->recent[i], &flows->in.flow.pkt))
            return flows->recent[i].record;
    }
    return flows->masks.n <= LOOKUP_MASKS ? find_in_datapath(flows) : NULL;
}

static void give_duplicate(struct flows *flows, struct rte_mbuf *packet, struct mf_record *record, uint64_t now)
{
    flows->stats.duplicates++;
    record->untaught = true;
    path_credit(flows, record->path, 1, rte_pktmbuf_pkt_len(packet), now);
    give_back(flows, packet, megaflow_program(record->mf));
}

/* --- misses -------------------------------------------------------------- */

/* Installs what was translated. *found: it was there already. NULL: there is no room. */
static struct mf_record *add_or_find(struct flows *flows, struct program *program, bool *found)
{
    struct mf_record *record;
    int error;

    *found = false;
    if (flows->out.deps.no_news || flows_is_slow(flows, &flows->out.program))
        return NULL;
    if (flows->n_live + flows->n_dying >= flows->limit) {
        note_room(flows, true);
        evict(flows);
        flows->stats.refused_limit++;
        return NULL;
    }
    note_room(flows, false);
    record = megaflow_add(flows, program, &error);
    if (record) {
        remember(flows, record);
    } else if (error == -EEXIST) {
        record = find_in_datapath(flows);
        *found = record != NULL;
    }
    return record;
}

static void handle_miss(struct flows *flows, struct rte_mbuf *packet, uint64_t now)
{
    uint32_t len = rte_pktmbuf_pkt_len(packet);
    struct mf_record *record;
    struct program *program;
    bool found;

    flows->stats.misses++;
    if (!parse(flows, packet)) {
        packet_meta(packet)->drop_reason = DROP_RX_RUNT;
        give_back(flows, packet, NULL);
        return;
    }
    if (flows->waiting) {
        packet_meta(packet)->drop_reason = DROP_FLOW_RESTORE_WAIT;
        give_back(flows, packet, NULL);
        return;
    }
    record = find_duplicate(flows);
    if (record) {
        give_duplicate(flows, packet, record, now);
        return;
    }
    translate(flows, true);
    program = program_intern(flows->programs, &flows->out.program);
    if (!program) {
        packet_meta(packet)->drop_reason = DROP_XLATE_ERROR;
        give_back(flows, packet, NULL);
        return;
    }
    record = add_or_find(flows, program, &found);
    if (found) {
        give_duplicate(flows, packet, record, now);
        program_put(flows, program);
        return;
    }
    if (record)
        path_credit(flows, record->path, 1, len, now);
    else
        deps_credit(&flows->out.deps, 1, len, now);
    /* Not before the megaflow is there: packets of the flow that waited are looked up next. */
    give_back(flows, packet, program);
    if (!record)
        program_put(flows, program);
}

unsigned flows_run_misses(struct flows *flows, unsigned budget)
{
    struct rte_mbuf *packets[MISS_BURST];
    unsigned done = 0, n;

    megaflows_bury(flows);
    while (done < budget) {
        uint64_t now;

        n = datapath_miss_dequeue(flows->dp, packets, RTE_MIN(budget - done, (unsigned)MISS_BURST));
        if (n == 0)
            break;
        now = clock_now_ms();
        for (unsigned i = 0; i < n; i++)
            rte_prefetch0(rte_pktmbuf_mtod(packets[i], void *));
        for (unsigned i = 0; i < n; i++) {
            if (packet_meta(packets[i])->origin == PACKET_PUNT)
                punt_handle(flows, packets[i]);
            else
                handle_miss(flows, packets[i], now);
        }
        done += n;
    }
    megaflows_seal(flows);
    path_flush_credits(flows);
    return done;
}
