/* Misses and punts: packets that poll-mode threads sent to the control thread. */
#include <string.h>

#include "src/flows/flows_internal.h"
#include "src/flows/punt.h"

#define BURST 32

/* Candidates looked at when a megaflow has to make room. */
#define EVICT_CANDIDATES 64
/* Used more recently than that, a megaflow is not evicted: its next packet would be a miss. */
#define EVICT_IDLE_MS 1000

static void handle_punt(struct flows *flows, struct rte_mbuf *packet)
{
    const struct packet_meta *meta = packet_meta(packet);
    const struct punt *punt = punt_get(meta->punt_id);
    struct packet_in packet_in;

    flows->stats.punts++;
    if (!punt || !flows->packet_in) {
        rte_pktmbuf_free(packet);
        return;
    }
    memset(&packet_in, 0, sizeof packet_in);
    packet_in.bridge = punt->bridge;
    packet_in.packet = packet;
    packet_in.flow.pkt.in_port = meta->in_port;
    packet_in.flow.in_port = punt->in_port;
    packet_in.flow.metadata = punt->metadata;
    memcpy(packet_in.flow.reg, punt->reg, sizeof packet_in.flow.reg);
    packet_in.table_id = punt->table_id;
    packet_in.reason = punt->reason;
    packet_in.max_len = punt->max_len;
    packet_in.controller_id = punt->controller_id;
    packet_in.full_len = meta->full_len ? meta->full_len : (uint16_t)rte_pktmbuf_pkt_len(packet);
    packet_in.cookie = punt->cookie;
    flows->stats.packet_ins++;
    flows->packet_in(flows->packet_in_arg, &packet_in);
}

/* The datapath is full: one megaflow that is hardly used goes, so that there is room after a grace period. */
static void evict(struct flows *flows)
{
    uint64_t now = datapath_now_ms();
    struct mf_record *oldest = NULL;

    if (flows->id_end == 0)
        return;
    for (unsigned i = 0; i < EVICT_CANDIDATES; i++) {
        struct mf_record *record = flows->records[flows->evict_hand++ % flows->id_end];

        if (!record)
            continue;
        record_count(flows, record);
        if (!oldest || record->used_ms < oldest->used_ms)
            oldest = record;
    }
    if (oldest && now - oldest->used_ms >= EVICT_IDLE_MS) {
        megaflow_remove(flows, oldest);
        flows->stats.evicted++;
    }
}

static bool has_room(struct flows *flows)
{
    return flows->n_live + flows->n_dying < flows->params.megaflow_limit;
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
    unsigned n = flow_key_parse(packet, meta->in_port, &flow->pkt);

    if (n == 0)
        return false;
    memset((uint8_t *)flow + n * FLOW_KEY_LINE, 0, sizeof *flow - n * FLOW_KEY_LINE);
    flow->pkt.recirc_id = meta->recirc_id;
    flow->pkt.pkt_mark = meta->pkt_mark;
    return true;
}

static void handle_miss(struct flows *flows, struct rte_mbuf *packet, uint64_t now)
{
    uint32_t len = rte_pktmbuf_pkt_len(packet);
    struct mf_record *record = NULL;
    struct program *program;
    struct megaflow *mf;
    struct bridge *bridge;

    flows->stats.misses++;
    if (!parse(flows, packet)) {
        packet_meta(packet)->drop_reason = DROP_RX_RUNT;
        give_back(flows, packet, NULL);
        return;
    }
    mf = datapath_megaflow_lookup(flows->dp, &flows->in.flow.pkt);
    if (mf) {
        /* Installed for a packet before it. */
        flows->stats.duplicates++;
        path_credit(flows, flows->records[megaflow_id(mf)]->path, 1, len, now);
        give_back(flows, packet, megaflow_program(mf));
        return;
    }
    bridge = translate(flows, true);
    program = program_intern(flows->programs, &flows->out.program);
    if (!program) {
        packet_meta(packet)->drop_reason = DROP_XLATE_ERROR;
        give_back(flows, packet, NULL);
        return;
    }
    if (has_room(flows)) {
        record = megaflow_add(flows, bridge, program);
    } else {
        evict(flows);
        flows->stats.refused_limit++;
    }
    if (record)
        path_credit(flows, record->path, 1, len, now);
    else if (bridge)
        deps_credit(bridge, &flows->out.deps, 1, len, now);
    /* Not before the megaflow is there: packets of the flow that waited are looked up next. */
    give_back(flows, packet, program);
    if (!record)
        program_put(flows, program);
}

unsigned flows_run_misses(struct flows *flows, unsigned budget)
{
    struct rte_mbuf *packets[BURST];
    unsigned done = 0, n;

    megaflows_bury(flows);
    while (done < budget) {
        uint64_t now;

        n = datapath_miss_dequeue(flows->dp, packets, RTE_MIN(budget - done, (unsigned)BURST));
        if (n == 0)
            break;
        now = datapath_now_ms();
        for (unsigned i = 0; i < n; i++)
            rte_prefetch0(rte_pktmbuf_mtod(packets[i], void *));
        for (unsigned i = 0; i < n; i++) {
            if (packet_meta(packets[i])->origin == PACKET_PUNT)
                handle_punt(flows, packets[i]);
            else
                handle_miss(flows, packets[i], now);
        }
        done += n;
    }
    megaflows_seal(flows);
    path_flush_credits(flows);
    return done;
}
