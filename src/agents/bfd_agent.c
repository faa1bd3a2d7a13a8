#define MEM_WHAT "BFD sessions"

#include "src/agents/bfd_agent.h"

#include <netinet/in.h>
#include <rte_cycles.h>
#include <rte_ip.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "pmd/base/clock.h"
#include "pmd/base/log.h"
#include "pmd/base/mem.h"
#include "src/proto/bfd_frame.h"

struct session {
    struct port_claim claim; /* first */
    struct bfd_agent *agent;
    struct bfd *bfd;
    struct bfd_agent_config config;
    struct loop_timer timer;
    enum bfd_state state;   /* that was last told */
    struct log_limit limit; /* of lines about it */
    uint32_t discriminator;
    uint16_t udp_src;
    LIST_ENTRY(session) node;
};

struct bfd_agent {
    struct loop *loop;
    struct flows *flows;
    struct rte_mempool *pool;
    LIST_HEAD(, session) sessions;
    uint32_t next_source;
};

static const struct rte_ether_addr default_dst = {{0x00, 0x23, 0x20, 0x00, 0x00, 0x01}};
#define DEFAULT_IP_SRC RTE_BE32(RTE_IPV4(UINT32_C(169), 254, 1, 1))
#define DEFAULT_IP_DST RTE_BE32(RTE_IPV4(UINT32_C(169), 254, 1, 0))

static void set_timer(struct session *session)
{
    loop_timer_at(&session->timer, bfd_due_us(session->bfd));
}

static void on_timer(void *arg)
{
    struct session *session = arg;

    bfd_run(session->bfd, clock_now_us());
    set_timer(session);
}

/* --- packets ------------------------------------------------------------- */

/* What Open vSwitch takes, so that the same packets go through the tables. */
static bool takes(const struct port_claim *claim, const struct flow *flow, struct flow *seen)
{
    const struct bfd_agent_config *config = &((const struct session *)claim)->config;
    const struct flow_key *key = &flow->pkt;

    seen->pkt.eth_type = UINT16_MAX;
    if (key->eth_type != RTE_BE16(RTE_ETHER_TYPE_IPV4))
        return false;
    seen->pkt.ip_proto = UINT8_MAX;
    if (key->ip_proto != IPPROTO_UDP)
        return false;
    if (!claim_is_16(key->tp_dst, BFD_UDP_PORT, &seen->pkt.tp_dst))
        return false;
    /* A later fragment has no ports: 0. */
    if (!rte_is_zero_ether_addr(&config->remote_dst) &&
        !claim_is_bytes(key->eth_dst.addr_bytes, config->remote_dst.addr_bytes, seen->pkt.eth_dst.addr_bytes,
                        RTE_ETHER_ADDR_LEN))
        return false;
    if (config->ip_src != DEFAULT_IP_SRC &&
        !claim_is_bytes((const uint8_t *)&key->ipv4_dst, (const uint8_t *)&config->ip_src,
                        (uint8_t *)&seen->pkt.ipv4_dst, sizeof key->ipv4_dst))
        return false;
    if (!config->check_tnl_key)
        return true;
    seen->pkt.tun_id = UINT64_MAX;
    return key->tun_id == 0;
}

static enum bfd_fault take_frame(struct bfd *bfd, const struct rte_mbuf *packet, uint64_t now_us)
{
    const uint8_t *data = rte_pktmbuf_mtod(packet, const uint8_t *), *payload;
    struct packet_layers layers;
    enum bfd_fault fault;
    size_t len;

    packet_layers_find(packet, &layers);
    fault =
        layers.l3 ? bfd_frame_parse(data + layers.l3, packet->data_len - layers.l3, &payload, &len) : BFD_FAULT_NO_UDP;
    if (fault == BFD_OK)
        return bfd_receive(bfd, payload, len, now_us);
    bfd_note_fault(bfd, fault);
    return fault;
}

static bool receive(struct port_claim *claim, const struct rte_mbuf *packet)
{
    struct session *session = (struct session *)claim;
    enum bfd_fault fault = take_frame(session->bfd, packet, clock_now_us());

    if (fault != BFD_OK)
        LOG_INFO_RL(LOG_BRIDGE, "%s: BFD: a packet is discarded: %s", claim->bp->name, bfd_fault_text(fault));
    set_timer(session);
    return fault == BFD_OK;
}

static void send_packet(void *arg, const uint8_t packet[BFD_PACKET_LEN])
{
    const struct session *session = arg;
    const struct bfd_agent_config *config = &session->config;
    const struct bridge_port *bp = session->claim.bp;
    const struct rte_ether_addr *src = rte_is_zero_ether_addr(&config->local_src) ? &bp->mac : &config->local_src;
    const struct rte_ether_addr *dst = rte_is_zero_ether_addr(&config->local_dst) ? &default_dst : &config->local_dst;
    struct rte_mbuf *m = rte_pktmbuf_alloc(session->agent->pool);
    struct bfd_frame frame = {.udp_src = session->udp_src};
    char *bytes = m ? rte_pktmbuf_append(m, BFD_FRAME_LEN) : NULL;

    if (!bytes) {
        datapath_count_drop(bp->bridge->dp, DROP_NO_MBUF, 1);
        rte_pktmbuf_free(m);
        return;
    }
    memcpy(frame.eth_dst, dst, sizeof frame.eth_dst);
    memcpy(frame.eth_src, src, sizeof frame.eth_src);
    memcpy(frame.ip_src, &config->ip_src, sizeof frame.ip_src);
    memcpy(frame.ip_dst, &config->ip_dst, sizeof frame.ip_dst);
    bfd_frame_build(&frame, packet, (uint8_t *)bytes);
    flows_send(session->agent->flows, bp, m);
}

static uint64_t rx_packets(void *arg)
{
    const struct session *session = arg;
    struct bridge_port_stats stats;

    bridge_port_stats(session->claim.bp, &stats);
    return stats.rx_packets;
}

static void changed(void *arg)
{
    struct session *session = arg;
    struct bfd_status status;

    bfd_get_status(session->bfd, &status);
    if (status.state != session->state)
        log_write_limited(LOG_BRIDGE, RTE_LOG_INFO, &session->limit, "%s: BFD: %s, was %s (%s; the other end: %s, %s)",
                          session->claim.bp->name, bfd_state_name(status.state), bfd_state_name(session->state),
                          bfd_diag_text(status.diag), bfd_state_name(status.remote_state),
                          bfd_diag_text(status.remote_diag));
    session->state = status.state;
    port_claim_hold(&session->claim, !status.forwarding);
}

/* --- sessions ------------------------------------------------------------ */

static void free_session(struct session *session)
{
    loop_timer_cancel(&session->timer);
    LIST_REMOVE(session, node);
    bfd_destroy(session->bfd);
    free(session);
}

static void port_gone(struct port_claim *claim)
{
    free_session((struct session *)claim);
}

static const struct protocol protocol = {PROTOCOL_BFD, "BFD", takes, receive, port_gone};

static struct session *session_of(const struct bridge_port *bp)
{
    return (struct session *)port_claim_find(bp, PROTOCOL_BFD);
}

static bool is_taken(const struct bfd_agent *agent, uint32_t discriminator)
{
    const struct session *session;

    LIST_FOREACH (session, &agent->sessions, node) {
        if (session->discriminator == discriminator)
            return true;
    }
    return false;
}

static uint32_t new_discriminator(const struct bfd_agent *agent)
{
    uint32_t discriminator = 0;

    do {
        if (getrandom(&discriminator, sizeof discriminator, GRND_NONBLOCK) != sizeof discriminator)
            discriminator = (uint32_t)rte_rdtsc(); /* early after the machine's start */
    } while (discriminator == 0 || is_taken(agent, discriminator));
    return discriminator;
}

/* Addresses of zeros that stand for others. */
static struct bfd_agent_config complete(const struct bfd_agent_config *config)
{
    struct bfd_agent_config complete = *config;

    if (complete.ip_src == 0)
        complete.ip_src = DEFAULT_IP_SRC;
    if (complete.ip_dst == 0)
        complete.ip_dst = DEFAULT_IP_DST;
    return complete;
}

static void begin(struct bfd_agent *agent, struct bridge_port *bp, const struct bfd_agent_config *config)
{
    struct session *session = mem_calloc(1, sizeof *session);
    const struct bfd_user user = {.arg = session, .send = send_packet, .rx_packets = rx_packets, .changed = changed};

    session->claim.protocol = &protocol;
    session->claim.bp = bp;
    session->agent = agent;
    session->config = *config;
    session->state = BFD_DOWN;
    session->limit = (struct log_limit)LOG_LIMIT_INIT(30, 60);
    session->udp_src = (uint16_t)(BFD_UDP_SOURCE_FIRST + agent->next_source++ % BFD_UDP_SOURCES);
    session->discriminator = new_discriminator(agent);
    session->bfd = bfd_create(&config->session, &user, session->discriminator, clock_now_us());
    LIST_INSERT_HEAD(&agent->sessions, session, node);
    loop_timer_init(&session->timer, agent->loop, "BFD", on_timer, session);
    port_claim_add(bp, &session->claim, !bfd_forwarding(session->bfd));
    set_timer(session);
}

static void end(struct session *session)
{
    bfd_shut_down(session->bfd);
    port_claim_remove(&session->claim);
    free_session(session);
}

static bool takes_the_same(const struct bfd_agent_config *a, const struct bfd_agent_config *b)
{
    return rte_is_same_ether_addr(&a->remote_dst, &b->remote_dst) && a->ip_src == b->ip_src &&
           a->check_tnl_key == b->check_tnl_key;
}

static void change(struct session *session, const struct bfd_agent_config *config)
{
    bool same = takes_the_same(&session->config, config);

    session->config = *config;
    if (!same)
        port_claim_note(&session->claim);
    bfd_configure(session->bfd, &config->session, clock_now_us());
    set_timer(session);
}

void bfd_agent_set(struct bfd_agent *agent, struct bridge_port *bp, const struct bfd_agent_config *config)
{
    struct session *session = session_of(bp);
    const struct bfd_agent_config wanted = complete(config);

    if (session && wanted.enable)
        change(session, &wanted);
    else if (session)
        end(session);
    else if (wanted.enable)
        begin(agent, bp, &wanted);
}

bool bfd_agent_status(const struct bridge_port *bp, struct bfd_status *status)
{
    const struct session *session = session_of(bp);

    if (session)
        bfd_get_status(session->bfd, status);
    return session;
}

void bfd_agent_for_each(const struct bfd_agent *agent,
                        void (*fn)(void *arg, const struct bridge_port *bp, const struct bfd_status *status), void *arg)
{
    const struct session *session;
    struct bfd_status status;

    LIST_FOREACH (session, &agent->sessions, node) {
        bfd_get_status(session->bfd, &status);
        fn(arg, session->claim.bp, &status);
    }
}

unsigned bfd_agent_override(struct bfd_agent *agent, const char *port, int value)
{
    struct session *session;
    unsigned n = 0;

    LIST_FOREACH (session, &agent->sessions, node) {
        if (port && strcmp(port, session->claim.bp->name) != 0)
            continue;
        bfd_override_forwarding(session->bfd, value);
        n++;
    }
    return n;
}

struct bfd_agent *bfd_agent_create(struct loop *loop, struct flows *flows, struct rte_mempool *pool)
{
    struct bfd_agent *agent = mem_calloc(1, sizeof *agent);

    agent->loop = loop;
    agent->flows = flows;
    agent->pool = pool;
    LIST_INIT(&agent->sessions);
    return agent;
}

void bfd_agent_destroy(struct bfd_agent *agent)
{
    free(agent);
}
