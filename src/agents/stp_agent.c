#define MEM_WHAT "spanning trees"

#include "src/agents/stp_agent.h"

#include <stdlib.h>
#include <string.h>

#include "pmd/base/clock.h"
#include "pmd/base/log.h"
#include "pmd/base/mem.h"

#define FRAME_MIN 60
#define HEADERS_LEN (sizeof(struct rte_ether_hdr) + STP_LLC_LEN)

struct tree {
    struct stp_agent *agent;
    struct bridge *bridge;
    struct stp *stp;
    struct loop_timer timer;
    LIST_HEAD(, tree_port) ports;
    struct tree_port *by_number[STP_PORTS_MAX + 1]; /* NULL: no port has it */
    LIST_ENTRY(tree) node;
};

struct tree_port {
    struct port_claim claim; /* first */
    struct tree *tree;
    struct bridge_port *bp; /* also when it is being removed */
    uint8_t number;         /* 0: it has none yet */
    bool asked;             /* for that one */
    LIST_ENTRY(tree_port) node;
};

struct stp_agent {
    struct loop *loop;
    struct flows *flows;
    struct rte_mempool *pool;
    LIST_HEAD(, tree) trees;
};

static const struct rte_ether_addr group = {{0x01, 0x80, 0xc2, 0x00, 0x00, 0x00}};
static const uint8_t llc[STP_LLC_LEN] = {0x42, 0x42, 0x03};

/* --- packets ------------------------------------------------------------- */

static bool takes(const struct port_claim *claim, const struct flow *flow, struct flow *seen)
{
    return claim_is_bytes(flow->pkt.eth_dst.addr_bytes, group.addr_bytes, seen->pkt.eth_dst.addr_bytes,
                          RTE_ETHER_ADDR_LEN);
}

/* The BPDU in a frame: *len bytes; NULL: there is none. */
static const uint8_t *find_bpdu(const struct rte_mbuf *packet, size_t *len)
{
    const struct rte_ether_hdr *eth = rte_pktmbuf_mtod(packet, const struct rte_ether_hdr *);
    size_t payload;

    if (packet->data_len < HEADERS_LEN)
        return NULL;
    payload = rte_be_to_cpu_16(eth->ether_type); /* the length; what follows is padding */
    if (payload < STP_LLC_LEN || payload > packet->data_len - sizeof *eth || memcmp(eth + 1, llc, sizeof llc) != 0)
        return NULL;
    *len = payload - STP_LLC_LEN;
    return (const uint8_t *)(eth + 1) + STP_LLC_LEN;
}

static bool receive(struct port_claim *claim, const struct rte_mbuf *packet)
{
    struct stp *stp = ((struct tree_port *)claim)->tree->stp;
    enum stp_fault fault = STP_FAULT_FRAME;
    size_t len;
    const uint8_t *bpdu = find_bpdu(packet, &len);

    if (bpdu)
        fault = stp_receive(stp, claim->bp, bpdu, len, clock_now_us());
    else
        stp_note_fault(stp, claim->bp, fault);
    if (fault != STP_OK)
        LOG_INFO_RL(LOG_BRIDGE, "%s: STP: a packet is discarded: %s", claim->bp->name, stp_fault_text(fault));
    return fault == STP_OK;
}

static void send_bpdu(void *arg, void *port, const uint8_t *bpdu, size_t len)
{
    const struct tree *tree = arg;
    const struct bridge_port *bp = port;
    struct rte_mbuf *m = rte_pktmbuf_alloc(tree->agent->pool);
    struct rte_ether_hdr *eth = m ? (struct rte_ether_hdr *)rte_pktmbuf_append(m, FRAME_MIN) : NULL;

    if (!eth) {
        datapath_count_drop(bp->bridge->dp, DROP_NO_MBUF, 1);
        rte_pktmbuf_free(m);
        return;
    }
    memset(eth, 0, FRAME_MIN);
    eth->dst_addr = group;
    eth->src_addr = bp->mac;
    eth->ether_type = rte_cpu_to_be_16((uint16_t)(STP_LLC_LEN + len));
    memcpy(eth + 1, llc, sizeof llc);
    memcpy((uint8_t *)(eth + 1) + sizeof llc, bpdu, len);
    flows_send(tree->agent->flows, bp, m);
}

/* --- what the protocol says ---------------------------------------------- */

static uint32_t state_bits(enum stp_state state)
{
    static const uint32_t bits[] = {
        [STP_DISABLED] = PORT_STATE_BLOCKED,       [STP_BLOCKING] = PORT_STATE_BLOCKED | PORT_STATE_STP_BLOCK,
        [STP_LISTENING] = PORT_STATE_BLOCKED,      [STP_LEARNING] = PORT_STATE_BLOCKED | PORT_STATE_STP_LEARN,
        [STP_FORWARDING] = PORT_STATE_STP_FORWARD,
    };

    return bits[state];
}

static void state_changed(void *arg, void *port)
{
    const struct tree *tree = arg;
    const struct stp_port *p = stp_find(tree->stp, port);
    struct bridge_port *bp = port;

    LOG_INFO_RL(LOG_BRIDGE, "%s: STP: %s", bp->name, stp_state_name(p->state));
    bridge_port_set_stp(bp, state_bits(p->state));
}

static void flush(void *arg)
{
    const struct tree *tree = arg;

    mac_table_flush(tree->bridge->macs, OFPORT_ANY);
    bridge_note(tree->bridge);
}

static void delayed(void *arg)
{
    struct tree *tree = arg;

    loop_timer_at(&tree->timer, stp_due_us(tree->stp));
}

static void on_timer(void *arg)
{
    struct tree *tree = arg;

    stp_run(tree->stp, clock_now_us());
}

/* --- ports --------------------------------------------------------------- */

static void port_changed(struct port_claim *claim)
{
    stp_set_link(((struct tree_port *)claim)->tree->stp, claim->bp, bridge_port_is_up(claim->bp), clock_now_us());
}

/* 0: none. */
static void set_number(struct tree_port *port, uint8_t number)
{
    struct tree_port **by_number = port->tree->by_number;

    by_number[port->number] = NULL;
    port->number = number;
    if (number)
        by_number[number] = port;
}

static void forget(struct tree_port *port)
{
    LIST_REMOVE(port, node);
    set_number(port, 0);
    stp_remove(port->tree->stp, port->bp, clock_now_us());
    free(port);
}

static void port_gone(struct port_claim *claim);

static const struct protocol protocol = {PROTOCOL_STP, "STP", takes, receive, port_gone, port_changed};

static struct tree_port *port_of(const struct bridge_port *bp)
{
    return (struct tree_port *)port_claim_find(bp, PROTOCOL_STP);
}

static bool takes_part(const struct bridge_port *bp)
{
    return !bp->stp.off && bp->kind != BRIDGE_PORT_INTERNAL && bp->ofport != OFPORT_LOCAL && !bp->lport->bond;
}

/* 0: there is none. */
static uint8_t free_number(const struct tree *tree)
{
    for (unsigned number = 1; number <= STP_PORTS_MAX; number++)
        if (!tree->by_number[number])
            return (uint8_t)number;
    return 0;
}

/* Whose number it is does not depend on who came first: a port that asks for it goes before one that does not, and of
 * those that ask the one of the lowest OpenFlow number. */
static bool goes_before(const struct bridge_port *bp, const struct bridge_port *holder)
{
    return holder->stp.number != bp->stp.number || bp->ofport < holder->ofport;
}

/* The one that is asked for, or the first that is free; 0: there is none. */
static uint8_t number_for(const struct tree *tree, const struct tree_port *port, const struct bridge_port *bp)
{
    const uint8_t wanted = bp->stp.number;
    uint8_t number;

    if (wanted) {
        const struct tree_port *holder = tree->by_number[wanted];

        if (!holder || holder == port || goes_before(bp, holder->bp))
            return wanted;
        LOG_WARN_RL(LOG_BRIDGE, "%s: STP: number %u is another port's: this one takes no part, give it another",
                    bp->name, wanted);
        return 0;
    }
    number = port ? port->number : free_number(tree);
    if (!number)
        LOG_WARN_RL(LOG_BRIDGE, "%s: STP: a bridge has %d such ports at most: this one takes no part", bp->name,
                    STP_PORTS_MAX);
    return number;
}

static uint32_t speed_of(const struct bridge_port *bp)
{
    return bp->port ? port_last_status(bp->port)->speed_mbps : 0;
}

static void join(struct tree *tree, struct bridge_port *bp, uint8_t number)
{
    const struct stp_port_config config = {
        .number = number,
        .priority = bp->stp.priority,
        .path_cost = bp->stp.path_cost ? bp->stp.path_cost : stp_path_cost(speed_of(bp)),
    };
    struct tree_port *port = port_of(bp);

    if (!port) {
        port = mem_calloc(1, sizeof *port);
        port->claim.protocol = &protocol;
        port->tree = tree;
        port->bp = bp;
        LIST_INSERT_HEAD(&tree->ports, port, node);
        bridge_port_set_stp(bp, state_bits(STP_DISABLED));
        port_claim_add(bp, &port->claim, false);
    }
    set_number(port, number);
    port->asked = bp->stp.number == number;
    stp_add(tree->stp, bp, bp->name, &config, clock_now_us());
    stp_set_link(tree->stp, bp, bridge_port_is_up(bp), clock_now_us());
}

static void leave(struct tree_port *port)
{
    struct bridge_port *bp = port->bp;

    port_claim_remove(&port->claim);
    forget(port);
    bridge_port_set_stp(bp, 0);
}

/* Has whoever has the number, and does not go before, take another one, or no part. */
static void make_room(struct tree *tree, const struct tree_port *port, uint8_t number)
{
    struct tree_port *holder = tree->by_number[number];
    const uint8_t other = holder && holder->bp->stp.number != number ? free_number(tree) : 0;

    if (!holder || holder == port)
        return;
    if (other)
        join(tree, holder->bp, other);
    else
        leave(holder);
}

static void look_at(struct tree *tree, struct bridge_port *bp)
{
    struct tree_port *port = port_of(bp);
    const uint8_t number = takes_part(bp) ? number_for(tree, port, bp) : 0;

    if (number) {
        make_room(tree, port, number);
        join(tree, bp, number);
    } else if (port) {
        leave(port);
    }
}

/* A number is nobody's any more, or of a port that does not ask for it any more: one that takes no part may be waiting
 * for it, or for any. `but` goes. */
static void give_away(struct tree *tree, uint8_t number, bool asked, const struct bridge_port *but)
{
    const struct tree_port *holder = tree->by_number[number];
    struct bridge_port *bp, *waiting = NULL;

    if (!number || (holder && (!asked || holder->asked)))
        return;
    TAILQ_FOREACH (bp, &tree->bridge->ports, node) {
        if (bp == but || !takes_part(bp) || port_of(bp) || (bp->stp.number != number && (holder || bp->stp.number)))
            continue;
        if (!waiting || (!waiting->stp.number && bp->stp.number))
            waiting = bp;
    }
    if (waiting)
        look_at(tree, waiting);
}

static void port_gone(struct port_claim *claim)
{
    struct tree_port *port = (struct tree_port *)claim;
    struct tree *tree = port->tree;
    const struct bridge_port *bp = port->bp;
    const uint8_t number = port->number;

    forget(port);
    give_away(tree, number, false, bp);
}

static struct tree *tree_of(const struct stp_agent *agent, const struct bridge *bridge)
{
    struct tree *tree;

    LIST_FOREACH (tree, &agent->trees, node) {
        if (tree->bridge == bridge)
            return tree;
    }
    return NULL;
}

void stp_agent_port_changed(struct stp_agent *agent, struct bridge_port *bp)
{
    struct tree *tree = tree_of(agent, bp->bridge);
    const struct tree_port *port = port_of(bp);
    const uint8_t number = port ? port->number : 0;
    const bool asked = port && port->asked;

    if (!tree)
        return;
    look_at(tree, bp);
    give_away(tree, number, asked, NULL);
}

/* --- trees --------------------------------------------------------------- */

static void begin(struct stp_agent *agent, struct bridge *bridge, const struct stp_config *config)
{
    struct tree *tree = mem_calloc(1, sizeof *tree);
    const struct stp_user user = {
        .arg = tree, .send = send_bpdu, .state_changed = state_changed, .flush = flush, .delayed = delayed};
    struct bridge_port *bp;

    tree->agent = agent;
    tree->bridge = bridge;
    LIST_INIT(&tree->ports);
    loop_timer_init(&tree->timer, agent->loop, "STP", on_timer, tree);
    tree->stp = stp_create(config, &user, clock_now_us());
    LIST_INSERT_HEAD(&agent->trees, tree, node);
    TAILQ_FOREACH (bp, &bridge->ports, node)
        stp_agent_port_changed(agent, bp);
}

static void end(struct tree *tree)
{
    struct tree_port *port;

    while ((port = LIST_FIRST(&tree->ports)))
        leave(port);
    loop_timer_cancel(&tree->timer);
    LIST_REMOVE(tree, node);
    stp_destroy(tree->stp);
    free(tree);
}

void stp_agent_set(struct stp_agent *agent, struct bridge *bridge, const struct stp_config *config)
{
    struct tree *tree = tree_of(agent, bridge);

    if (tree && config)
        stp_configure(tree->stp, config, clock_now_us());
    else if (tree)
        end(tree);
    else if (config)
        begin(agent, bridge, config);
}

const struct stp *stp_agent_tree(const struct stp_agent *agent, const struct bridge *bridge)
{
    const struct tree *tree = tree_of(agent, bridge);

    return tree ? tree->stp : NULL;
}

const struct stp_port *stp_agent_port(const struct bridge_port *bp, const struct stp **stp)
{
    const struct tree_port *port = port_of(bp);

    if (!port)
        return NULL;
    *stp = port->tree->stp;
    return stp_find(*stp, bp);
}

void stp_agent_detect_change(struct stp_agent *agent, const struct bridge *bridge)
{
    const struct tree *tree = tree_of(agent, bridge);

    if (tree)
        stp_detect_change(tree->stp, clock_now_us());
}

struct stp_agent *stp_agent_create(struct loop *loop, struct flows *flows, struct rte_mempool *pool)
{
    struct stp_agent *agent = mem_calloc(1, sizeof *agent);

    agent->loop = loop;
    agent->flows = flows;
    agent->pool = pool;
    LIST_INIT(&agent->trees);
    return agent;
}

void stp_agent_destroy(struct stp_agent *agent)
{
    free(agent);
}
