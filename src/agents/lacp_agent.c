#define MEM_WHAT "LACP"

#include "src/agents/lacp_agent.h"

#include <stdlib.h>
#include <string.h>

#include "pmd/base/clock.h"
#include "pmd/base/log.h"
#include "pmd/base/mem.h"

#define FRAME_LEN (sizeof(struct rte_ether_hdr) + LACP_PDU_LEN)

struct aggregation {
    struct aggregation_params params;
    struct lacp *lacp;
    struct loop_timer timer;
    LIST_HEAD(, link) links;
};

struct link {
    struct port_claim claim; /* first */
    struct aggregation *aggregation;
    struct bridge_port *bp; /* also when it is being removed */
    LIST_ENTRY(link) node;
};

/* --- packets ------------------------------------------------------------- */

/* As in Open vSwitch, all frames of slow protocols, whatever address they are for. */
static bool takes(const struct port_claim *claim, const struct flow *flow, struct flow *seen)
{
    seen->pkt.eth_type = UINT16_MAX;
    return flow->pkt.eth_type == RTE_BE16(LACP_ETHERTYPE);
}

static bool receive(struct port_claim *claim, const struct rte_mbuf *packet)
{
    const struct rte_ether_hdr *eth = rte_pktmbuf_mtod(packet, const struct rte_ether_hdr *);
    struct lacp *lacp = ((struct link *)claim)->aggregation->lacp;
    enum lacp_fault fault = LACP_FAULT_TAGGED;

    if (packet->data_len >= sizeof *eth && eth->ether_type == RTE_BE16(LACP_ETHERTYPE))
        fault =
            lacp_receive(lacp, claim->bp, (const uint8_t *)(eth + 1), packet->data_len - sizeof *eth, clock_now_us());
    else
        lacp_note_fault(lacp, claim->bp, fault);
    if (fault != LACP_OK)
        LOG_INFO_RL(LOG_BRIDGE, "%s: LACP: a packet is discarded: %s", claim->bp->name, lacp_fault_text(fault));
    return fault == LACP_OK;
}

static void send_pdu(void *arg, void *port, const uint8_t pdu[LACP_PDU_LEN])
{
    static const struct rte_ether_addr slow_protocols = {{0x01, 0x80, 0xc2, 0x00, 0x00, 0x02}};
    const struct aggregation *aggregation = arg;
    const struct bridge_port *bp = port;
    struct rte_mbuf *m = rte_pktmbuf_alloc(aggregation->params.pool);
    struct rte_ether_hdr *eth = m ? (struct rte_ether_hdr *)rte_pktmbuf_append(m, FRAME_LEN) : NULL;

    if (!eth) {
        datapath_count_drop(bp->bridge->dp, DROP_NO_MBUF, 1);
        rte_pktmbuf_free(m);
        return;
    }
    eth->dst_addr = slow_protocols;
    eth->src_addr = bp->mac;
    eth->ether_type = RTE_BE16(LACP_ETHERTYPE);
    memcpy(eth + 1, pdu, LACP_PDU_LEN);
    flows_send(aggregation->params.flows, bp, m);
}

/* --- what the protocol says ---------------------------------------------- */

static void changed(void *arg)
{
    struct aggregation *aggregation = arg;
    struct link *link;

    LIST_FOREACH (link, &aggregation->links, node) {
        const struct lacp_member *m = lacp_find(aggregation->lacp, link->bp);

        port_claim_hold(&link->claim, !m || !lacp_may_use(aggregation->lacp, m));
    }
    aggregation->params.changed(aggregation->params.arg, lacp_is_negotiated(aggregation->lacp));
}

static void delayed(void *arg)
{
    struct aggregation *aggregation = arg;

    loop_timer_at(&aggregation->timer, lacp_due_us(aggregation->lacp));
}

static void on_timer(void *arg)
{
    struct aggregation *aggregation = arg;

    lacp_run(aggregation->lacp, clock_now_us());
}

/* --- members ------------------------------------------------------------- */

static void port_changed(struct port_claim *claim)
{
    lacp_set_link(((struct link *)claim)->aggregation->lacp, claim->bp, bridge_port_is_up(claim->bp), clock_now_us());
}

static void forget(struct link *link)
{
    struct lacp *lacp = link->aggregation->lacp;
    const struct bridge_port *bp = link->bp;

    LIST_REMOVE(link, node);
    free(link);
    lacp_leave(lacp, bp, clock_now_us());
}

static void port_gone(struct port_claim *claim)
{
    forget((struct link *)claim);
}

static const struct protocol protocol = {PROTOCOL_LACP, "LACP", takes, receive, port_gone, port_changed};

static struct link *link_of(const struct bridge_port *bp)
{
    return (struct link *)port_claim_find(bp, PROTOCOL_LACP);
}

void aggregation_join(struct aggregation *aggregation, struct bridge_port *bp)
{
    const struct lacp_member_config config = {
        .port = bp->lacp.port_id ? bp->lacp.port_id : (uint16_t)bp->ofport,
        .priority = bp->lacp.priority ? bp->lacp.priority : UINT16_MAX,
        .key = bp->lacp.key,
    };
    struct link *link = link_of(bp);

    if (link && link->aggregation != aggregation)
        aggregation_leave(bp);
    if (!link_of(bp)) {
        link = mem_calloc(1, sizeof *link);
        link->claim.protocol = &protocol;
        link->aggregation = aggregation;
        link->bp = bp;
        LIST_INSERT_HEAD(&aggregation->links, link, node);
        port_claim_add(bp, &link->claim, true);
    }
    lacp_join(aggregation->lacp, bp, bp->name, &config, bridge_port_is_up(bp), clock_now_us());
}

void aggregation_leave(struct bridge_port *bp)
{
    struct link *link = link_of(bp);

    if (!link)
        return;
    port_claim_remove(&link->claim);
    forget(link);
}

const struct lacp_member *aggregation_member(const struct bridge_port *bp)
{
    const struct link *link = link_of(bp);

    return link ? lacp_find(link->aggregation->lacp, bp) : NULL;
}

/* --- as a whole ---------------------------------------------------------- */

struct aggregation *aggregation_create(const struct aggregation_params *params, const struct lacp_config *config)
{
    struct aggregation *aggregation = mem_calloc(1, sizeof *aggregation);
    const struct lacp_user user = {.arg = aggregation, .send = send_pdu, .changed = changed, .delayed = delayed};

    aggregation->params = *params;
    LIST_INIT(&aggregation->links);
    loop_timer_init(&aggregation->timer, params->loop, "LACP", on_timer, aggregation);
    aggregation->lacp = lacp_create(config, &user);
    return aggregation;
}

void aggregation_destroy(struct aggregation *aggregation)
{
    struct link *link;

    while ((link = LIST_FIRST(&aggregation->links)))
        aggregation_leave(link->bp);
    loop_timer_cancel(&aggregation->timer);
    lacp_destroy(aggregation->lacp);
    free(aggregation);
}

void aggregation_configure(struct aggregation *aggregation, const struct lacp_config *config)
{
    lacp_configure(aggregation->lacp, config, clock_now_us());
}

const struct lacp *aggregation_lacp(const struct aggregation *aggregation)
{
    return aggregation->lacp;
}
