#define MEM_WHAT "spanning trees"

#include "src/proto/stp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pmd/base/mem.h"

#define NEVER UINT64_MAX
#define SECOND_US UINT64_C(1000000)
#define HOLD_US SECOND_US                  /* 8.10.2: between two configurations on a port */
#define MESSAGE_AGE_INCREMENT_US SECOND_US /* 8.10.2: what a bridge adds to the age of what it passes on */

const char *stp_state_name(enum stp_state state)
{
    static const char *const names[] = {
        [STP_DISABLED] = "disabled", [STP_BLOCKING] = "blocking",     [STP_LISTENING] = "listening",
        [STP_LEARNING] = "learning", [STP_FORWARDING] = "forwarding",
    };

    return names[state];
}

const char *stp_role_name(enum stp_role role)
{
    static const char *const names[] = {
        [STP_ROLE_DISABLED] = "disabled",
        [STP_ROLE_ROOT] = "root",
        [STP_ROLE_DESIGNATED] = "designated",
        [STP_ROLE_ALTERNATE] = "alternate",
    };

    return names[role];
}

uint16_t stp_path_cost(uint32_t speed_mbps)
{
    static const struct {
        uint32_t mbps;
        uint16_t cost;
    } costs[] = {{10000, 2}, {1000, 4}, {100, 19}, {16, 62}, {10, 100}, {4, 250}};

    for (size_t i = 0; i < sizeof costs / sizeof *costs; i++)
        if (speed_mbps >= costs[i].mbps)
            return costs[i].cost;
    return speed_mbps ? 250 : 2;
}

/* --- timers -------------------------------------------------------------- */

/* When a timer that began at `start` comes to `length`. */
static uint64_t ends(uint64_t start, uint64_t length)
{
    return start == NEVER ? NEVER : start + length;
}

static bool has_ended(const struct stp *stp, uint64_t start, uint64_t length)
{
    return stp->now_us >= ends(start, length) && start != NEVER;
}

static uint64_t ticks_us(uint16_t ticks)
{
    return ticks * SECOND_US / STP_TICKS;
}

static uint16_t us_ticks(uint64_t us)
{
    uint64_t ticks = us * STP_TICKS / SECOND_US;

    return ticks > UINT16_MAX ? UINT16_MAX : (uint16_t)ticks;
}

static void take_own_times(struct stp *stp)
{
    stp->max_age_us = stp->bridge_max_age_us;
    stp->hello_us = stp->bridge_hello_us;
    stp->forward_delay_us = stp->bridge_forward_delay_us;
}

/* --- what is known of the tree ------------------------------------------- */

bool stp_is_root(const struct stp *stp)
{
    return stp->bridge_id == stp->designated_root;
}

static bool is_designated(const struct stp *stp, const struct stp_port *p)
{
    return p->designated_bridge == stp->bridge_id && p->designated_port == p->id;
}

enum stp_role stp_role(const struct stp *stp, const struct stp_port *p)
{
    if (p->state == STP_DISABLED)
        return STP_ROLE_DISABLED;
    if (p == stp->root_port)
        return STP_ROLE_ROOT;
    return is_designated(stp, p) ? STP_ROLE_DESIGNATED : STP_ROLE_ALTERNATE;
}

static struct stp_port *find(const struct stp *stp, const void *port)
{
    struct stp_port *p;

    TAILQ_FOREACH (p, &stp->ports, node) {
        if (p->port == port)
            return p;
    }
    return NULL;
}

const struct stp_port *stp_find(const struct stp *stp, const void *port)
{
    return find(stp, port);
}

/* --- sending (8.6.1, 8.6.6) ---------------------------------------------- */

static void send(struct stp *stp, struct stp_port *p, const struct stp_bpdu *bpdu)
{
    uint8_t bytes[STP_CONFIG_LEN];
    size_t len = stp_bpdu_build(bpdu, bytes);

    p->n_tx++;
    stp->user.send(stp->user.arg, p->port, bytes, len);
}

/* 8.6.1 */
static void transmit_configuration(struct stp *stp, struct stp_port *p)
{
    const struct stp_port *root = stp->root_port;
    uint64_t age_us = 0;

    if (!root && !stp_is_root(stp))
        return;
    if (p->hold_us != NEVER) {
        p->config_pending = true;
        return;
    }
    if (root)
        age_us = stp->now_us - root->message_age_us + MESSAGE_AGE_INCREMENT_US;
    if (us_ticks(age_us) >= us_ticks(stp->max_age_us))
        return;
    const struct stp_bpdu bpdu = {
        .type = STP_BPDU_CONFIG,
        .topology_change = stp->topology_change,
        .topology_change_ack = p->topology_change_ack,
        .root_id = stp->designated_root,
        .root_path_cost = stp->root_path_cost,
        .bridge_id = stp->bridge_id,
        .port_id = p->id,
        .message_age = us_ticks(age_us),
        .max_age = us_ticks(stp->max_age_us),
        .hello_time = us_ticks(stp->hello_us),
        .forward_delay = us_ticks(stp->forward_delay_us),
    };
    p->topology_change_ack = p->config_pending = false;
    p->hold_us = stp->now_us;
    send(stp, p, &bpdu);
}

/* 8.6.4 */
static void generate_configurations(struct stp *stp)
{
    struct stp_port *p;

    TAILQ_FOREACH (p, &stp->ports, node) {
        if (p->state != STP_DISABLED && is_designated(stp, p))
            transmit_configuration(stp, p);
    }
}

/* 8.6.6 */
static void transmit_topology_change(struct stp *stp)
{
    const struct stp_bpdu bpdu = {.type = STP_BPDU_TCN};

    if (stp->root_port)
        send(stp, stp->root_port, &bpdu);
    stp->tcn_timer_us = stp->now_us;
}

/* --- selection (8.6.7 to 8.6.10) ----------------------------------------- */

/* 8.6.10 */
static void become_designated(const struct stp *stp, struct stp_port *p)
{
    p->designated_root = stp->designated_root;
    p->designated_cost = stp->root_path_cost;
    p->designated_bridge = stp->bridge_id;
    p->designated_port = p->id;
}

static int compare(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

/* Is `a` a better way to the root than `b`? (8.6.8.3) */
static bool is_better_root(const struct stp_port *a, const struct stp_port *b)
{
    int order = compare(a->designated_root, b->designated_root);

    if (!order)
        order = compare((uint64_t)a->designated_cost + a->path_cost, (uint64_t)b->designated_cost + b->path_cost);
    if (!order)
        order = compare(a->designated_bridge, b->designated_bridge);
    if (!order)
        order = compare(a->designated_port, b->designated_port);
    if (!order)
        order = compare(a->id, b->id);
    return order < 0;
}

/* The neighbour may say any number. */
static uint32_t plus(uint32_t a, uint32_t b)
{
    return a > UINT32_MAX - b ? UINT32_MAX : a + b;
}

static void select_root(struct stp *stp)
{
    struct stp_port *p, *root = NULL;

    TAILQ_FOREACH (p, &stp->ports, node) {
        if (p->state != STP_DISABLED && !is_designated(stp, p) && p->designated_root < stp->bridge_id &&
            (!root || is_better_root(p, root)))
            root = p;
    }
    stp->root_port = root;
    stp->designated_root = root ? root->designated_root : stp->bridge_id;
    stp->root_path_cost = root ? plus(root->designated_cost, root->path_cost) : 0;
}

/* 8.6.9.3: nobody on the port's LAN has a better way to the root. */
static bool should_be_designated(const struct stp *stp, const struct stp_port *p)
{
    if (is_designated(stp, p) || p->designated_root != stp->designated_root)
        return true;
    if (stp->root_path_cost != p->designated_cost)
        return stp->root_path_cost < p->designated_cost;
    if (stp->bridge_id != p->designated_bridge)
        return stp->bridge_id < p->designated_bridge;
    return p->id <= p->designated_port;
}

/* 8.6.7 */
static void update_configuration(struct stp *stp)
{
    struct stp_port *p;

    select_root(stp);
    TAILQ_FOREACH (p, &stp->ports, node) {
        if (p->state != STP_DISABLED && p != stp->root_port && should_be_designated(stp, p))
            become_designated(stp, p);
    }
}

/* --- the tree changes (8.6.14 to 8.6.16) --------------------------------- */

static void detect_topology_change(struct stp *stp)
{
    if (stp_is_root(stp)) {
        stp->topology_change = true;
        stp->topology_change_timer_us = stp->now_us;
    } else if (!stp->topology_change_detected) {
        transmit_topology_change(stp);
    }
    stp->topology_change_detected = true;
    stp->owes_flush = true;
}

/* --- states (8.6.11 to 8.6.13) ------------------------------------------- */

static void set_state(struct stp *stp, struct stp_port *p, enum stp_state state)
{
    if (p->state == state)
        return;
    p->state = state;
    p->state_since_us = stp->now_us;
}

static void make_forwarding(struct stp *stp, struct stp_port *p)
{
    if (p->state != STP_BLOCKING)
        return;
    set_state(stp, p, STP_LISTENING);
    p->forward_delay_us = stp->now_us;
}

static void make_blocking(struct stp *stp, struct stp_port *p)
{
    const bool passed = p->state == STP_FORWARDING || p->state == STP_LEARNING;

    if (p->state == STP_DISABLED || p->state == STP_BLOCKING)
        return;
    set_state(stp, p, STP_BLOCKING);
    p->forward_delay_us = NEVER;
    if (passed)
        detect_topology_change(stp);
}

/* 8.6.11 */
static void select_states(struct stp *stp)
{
    struct stp_port *p;

    TAILQ_FOREACH (p, &stp->ports, node) {
        if (p->state == STP_DISABLED)
            continue;
        if (p == stp->root_port) {
            p->config_pending = p->topology_change_ack = false;
            make_forwarding(stp, p);
        } else if (is_designated(stp, p)) {
            p->message_age_us = NEVER;
            make_forwarding(stp, p);
        } else {
            p->config_pending = p->topology_change_ack = false;
            make_blocking(stp, p);
        }
    }
}

/* This bridge is the root, and was not (8.7.3.3, 8.8.1). */
static void become_root(struct stp *stp)
{
    take_own_times(stp);
    detect_topology_change(stp);
    stp->tcn_timer_us = NEVER;
    generate_configurations(stp);
    stp->hello_timer_us = stp->now_us;
}

/* Decides anew, after something was set by hand or was lost. */
static void decide(struct stp *stp, bool was_root)
{
    update_configuration(stp);
    select_states(stp);
    if (stp_is_root(stp) && !was_root)
        become_root(stp);
}

/* --- what came (8.7.1, 8.7.2) -------------------------------------------- */

/* 8.6.2.2: does it say something better than what is known on the port's LAN, or the same again? */
static bool supersedes(const struct stp *stp, const struct stp_port *p, const struct stp_bpdu *bpdu)
{
    if (bpdu->root_id != p->designated_root)
        return bpdu->root_id < p->designated_root;
    if (bpdu->root_path_cost != p->designated_cost)
        return bpdu->root_path_cost < p->designated_cost;
    if (bpdu->bridge_id != p->designated_bridge)
        return bpdu->bridge_id < p->designated_bridge;
    return bpdu->bridge_id != stp->bridge_id || bpdu->port_id <= p->designated_port;
}

/* 8.6.2.3 */
static void record(const struct stp *stp, struct stp_port *p, const struct stp_bpdu *bpdu)
{
    const uint64_t age_us = ticks_us(bpdu->message_age);

    p->designated_root = bpdu->root_id;
    p->designated_cost = bpdu->root_path_cost;
    p->designated_bridge = bpdu->bridge_id;
    p->designated_port = bpdu->port_id;
    p->message_age_us = stp->now_us > age_us ? stp->now_us - age_us : 0; /* shortly after the machine started */
}

/* What came by the root port counts for the whole bridge (8.6.3, 8.6.4, 8.6.15). */
static void follow_root(struct stp *stp, const struct stp_bpdu *bpdu)
{
    stp->max_age_us = ticks_us(bpdu->max_age);
    stp->hello_us = ticks_us(bpdu->hello_time);
    stp->forward_delay_us = ticks_us(bpdu->forward_delay);
    stp->topology_change = bpdu->topology_change;
    stp->owes_flush |= bpdu->topology_change;
    generate_configurations(stp);
    if (bpdu->topology_change_ack) {
        stp->topology_change_detected = false;
        stp->tcn_timer_us = NEVER;
    }
}

static void receive_configuration(struct stp *stp, struct stp_port *p, const struct stp_bpdu *bpdu)
{
    const bool was_root = stp_is_root(stp);

    /* Its own, which a cable brings back, or somebody's that says so: it has no news, and nothing of it would age. */
    if (bpdu->bridge_id == stp->bridge_id && bpdu->port_id == p->id)
        return;
    if (!supersedes(stp, p, bpdu)) {
        if (is_designated(stp, p))
            transmit_configuration(stp, p); /* 8.6.5: the sender does not know of a better way */
        return;
    }
    record(stp, p, bpdu);
    update_configuration(stp);
    select_states(stp);
    if (was_root && !stp_is_root(stp)) {
        stp->hello_timer_us = NEVER;
        if (stp->topology_change_detected) {
            stp->topology_change_timer_us = NEVER;
            transmit_topology_change(stp);
        }
    } else if (!was_root && stp_is_root(stp)) {
        become_root(stp);
    }
    if (p == stp->root_port)
        follow_root(stp, bpdu);
}

/* 8.7.2 */
static void receive_topology_change(struct stp *stp, struct stp_port *p)
{
    if (!is_designated(stp, p))
        return;
    detect_topology_change(stp);
    p->topology_change_ack = true;
    transmit_configuration(stp, p);
}

/* --- what is due (8.7.3 to 8.7.8) ---------------------------------------- */

/* Nothing was heard of the LAN's designated bridge for too long. */
static void expire_message_age(struct stp *stp, struct stp_port *p)
{
    const bool was_root = stp_is_root(stp);

    if (!has_ended(stp, p->message_age_us, stp->max_age_us))
        return;
    p->message_age_us = NEVER;
    become_designated(stp, p);
    decide(stp, was_root);
}

static bool is_designated_somewhere(const struct stp *stp)
{
    const struct stp_port *p;

    TAILQ_FOREACH (p, &stp->ports, node) {
        if (p->state != STP_DISABLED && p->designated_bridge == stp->bridge_id)
            return true;
    }
    return false;
}

static void expire_forward_delay(struct stp *stp, struct stp_port *p)
{
    if (!has_ended(stp, p->forward_delay_us, stp->forward_delay_us))
        return;
    if (p->state == STP_LISTENING) {
        set_state(stp, p, STP_LEARNING);
        p->forward_delay_us = stp->now_us;
        return;
    }
    p->forward_delay_us = NEVER;
    set_state(stp, p, STP_FORWARDING);
    if (is_designated_somewhere(stp))
        detect_topology_change(stp);
}

static void expire_hold(struct stp *stp, struct stp_port *p)
{
    if (!has_ended(stp, p->hold_us, HOLD_US))
        return;
    p->hold_us = NEVER;
    if (p->config_pending)
        transmit_configuration(stp, p);
}

static void expire_bridge(struct stp *stp)
{
    if (has_ended(stp, stp->hello_timer_us, stp->hello_us)) {
        stp->hello_timer_us = stp->now_us;
        generate_configurations(stp);
    }
    if (has_ended(stp, stp->tcn_timer_us, stp->bridge_hello_us))
        transmit_topology_change(stp);
    if (has_ended(stp, stp->topology_change_timer_us, stp->max_age_us + stp->forward_delay_us)) {
        stp->topology_change_timer_us = NEVER;
        stp->topology_change_detected = stp->topology_change = false;
    }
}

/* --- as a whole ---------------------------------------------------------- */

/* Tells what is different. */
static void settle(struct stp *stp)
{
    struct stp_port *p;

    TAILQ_FOREACH (p, &stp->ports, node) {
        if (p->told == p->state)
            continue;
        p->told = p->state;
        stp->user.state_changed(stp->user.arg, p->port);
    }
    if (stp->owes_flush) {
        stp->owes_flush = false;
        stp->user.flush(stp->user.arg);
    }
    stp->user.delayed(stp->user.arg);
}

static uint32_t between(uint32_t value, uint32_t least, uint32_t most)
{
    return value < least ? least : value > most ? most : value;
}

static void set_times(struct stp *stp, const struct stp_config *config)
{
    uint32_t hello = between(config->hello_ms, 1000, 10000), least = 2 * (hello + 1000);
    uint32_t max_age = between(config->max_age_ms, least > 6000 ? least : 6000, 40000);
    uint32_t forward_delay = between(config->forward_delay_ms, max_age / 2 + 1000, 30000);

    stp->bridge_hello_us = hello * UINT64_C(1000);
    stp->bridge_max_age_us = max_age * UINT64_C(1000);
    stp->bridge_forward_delay_us = forward_delay * UINT64_C(1000);
}

static uint64_t bridge_id_of(const struct stp_config *config)
{
    uint64_t id = config->priority;

    for (unsigned i = 0; i < sizeof config->mac; i++)
        id = id << 8 | config->mac[i];
    return id;
}

struct stp *stp_create(const struct stp_config *config, const struct stp_user *user, uint64_t now_us)
{
    struct stp *stp = mem_calloc(1, sizeof *stp);

    stp->config = *config;
    stp->user = *user;
    stp->now_us = now_us;
    TAILQ_INIT(&stp->ports);
    stp->bridge_id = stp->designated_root = bridge_id_of(config);
    set_times(stp, config);
    take_own_times(stp);
    stp->tcn_timer_us = stp->topology_change_timer_us = NEVER;
    stp->hello_timer_us = now_us;
    return stp;
}

void stp_destroy(struct stp *stp)
{
    struct stp_port *p;

    while ((p = TAILQ_FIRST(&stp->ports))) {
        TAILQ_REMOVE(&stp->ports, p, node);
        free(p);
    }
    free(stp);
}

/* 8.8.4 */
static void set_bridge_id(struct stp *stp, uint64_t id)
{
    const bool was_root = stp_is_root(stp);
    struct stp_port *p;

    TAILQ_FOREACH (p, &stp->ports, node) {
        if (is_designated(stp, p))
            p->designated_bridge = id;
    }
    stp->bridge_id = id;
    decide(stp, was_root);
}

void stp_configure(struct stp *stp, const struct stp_config *config, uint64_t now_us)
{
    stp->now_us = now_us;
    stp->config = *config;
    set_times(stp, config);
    if (bridge_id_of(config) != stp->bridge_id)
        set_bridge_id(stp, bridge_id_of(config));
    if (stp_is_root(stp))
        take_own_times(stp);
    settle(stp);
}

/* --- ports --------------------------------------------------------------- */

static void insert(struct stp *stp, struct stp_port *p)
{
    struct stp_port *before;

    TAILQ_FOREACH (before, &stp->ports, node) {
        if ((before->id & 0xff) > (p->id & 0xff))
            break;
    }
    if (before)
        TAILQ_INSERT_BEFORE(before, p, node);
    else
        TAILQ_INSERT_TAIL(&stp->ports, p, node);
}

/* 8.8.5, 8.8.6; the number as the priority. */
static void set_port(struct stp *stp, struct stp_port *p, const struct stp_port_config *config)
{
    const uint16_t id = (uint16_t)(config->priority << 8 | config->number);
    const uint32_t cost = config->path_cost ? config->path_cost : 1;

    if (p->id == id && p->path_cost == cost)
        return;
    if (is_designated(stp, p))
        p->designated_port = id;
    p->id = id;
    p->path_cost = cost;
    TAILQ_REMOVE(&stp->ports, p, node);
    insert(stp, p);
    decide(stp, stp_is_root(stp));
}

static struct stp_port *create_port(struct stp *stp, void *port, const char *name, const struct stp_port_config *config)
{
    struct stp_port *p = mem_calloc(1, sizeof *p);

    p->port = port;
    snprintf(p->name, sizeof p->name, "%s", name);
    p->id = (uint16_t)(config->priority << 8 | config->number);
    p->path_cost = config->path_cost ? config->path_cost : 1;
    p->message_age_us = p->forward_delay_us = p->hold_us = NEVER;
    p->state_since_us = stp->now_us;
    become_designated(stp, p);
    insert(stp, p);
    return p;
}

void stp_add(struct stp *stp, void *port, const char *name, const struct stp_port_config *config, uint64_t now_us)
{
    struct stp_port *p = find(stp, port);

    stp->now_us = now_us;
    if (p)
        set_port(stp, p, config);
    else
        create_port(stp, port, name, config);
    settle(stp);
}

/* 8.8.2 */
static void enable(struct stp *stp, struct stp_port *p)
{
    become_designated(stp, p);
    set_state(stp, p, STP_BLOCKING);
    p->topology_change_ack = p->config_pending = false;
    p->message_age_us = p->forward_delay_us = p->hold_us = NEVER;
    select_states(stp);
}

/* 8.8.3 */
static void disable(struct stp *stp, struct stp_port *p)
{
    const bool was_root = stp_is_root(stp), passed = p->state == STP_FORWARDING;

    become_designated(stp, p);
    set_state(stp, p, STP_DISABLED);
    p->topology_change_ack = p->config_pending = false;
    p->message_age_us = p->forward_delay_us = NEVER;
    decide(stp, was_root);
    stp->owes_flush |= passed;
}

void stp_remove(struct stp *stp, const void *port, uint64_t now_us)
{
    struct stp_port *p = find(stp, port);

    if (!p)
        return;
    stp->now_us = now_us;
    if (p->state != STP_DISABLED)
        disable(stp, p);
    TAILQ_REMOVE(&stp->ports, p, node);
    free(p);
    settle(stp);
}

void stp_set_link(struct stp *stp, const void *port, bool up, uint64_t now_us)
{
    struct stp_port *p = find(stp, port);

    if (!p || up == (p->state != STP_DISABLED))
        return;
    stp->now_us = now_us;
    if (up)
        enable(stp, p);
    else
        disable(stp, p);
    settle(stp);
}

/* --- calls --------------------------------------------------------------- */

void stp_note_fault(struct stp *stp, const void *port, enum stp_fault fault)
{
    struct stp_port *p = find(stp, port);

    if (!p)
        return;
    p->n_bad++;
    p->faults[fault]++;
}

enum stp_fault stp_receive(struct stp *stp, const void *port, const uint8_t *bytes, size_t len, uint64_t now_us)
{
    struct stp_port *p = find(stp, port);
    struct stp_bpdu bpdu;
    enum stp_fault fault;

    if (!p || p->state == STP_DISABLED)
        return STP_OK;
    stp->now_us = now_us;
    fault = stp_bpdu_parse(bytes, len, &bpdu);
    if (fault != STP_OK) {
        stp_note_fault(stp, port, fault);
        return fault;
    }
    p->n_rx++;
    if (bpdu.type == STP_BPDU_CONFIG)
        receive_configuration(stp, p, &bpdu);
    else
        receive_topology_change(stp, p);
    settle(stp);
    return STP_OK;
}

void stp_run(struct stp *stp, uint64_t now_us)
{
    struct stp_port *p;

    stp->now_us = now_us;
    expire_bridge(stp);
    TAILQ_FOREACH (p, &stp->ports, node) {
        expire_message_age(stp, p);
        expire_forward_delay(stp, p);
        expire_hold(stp, p);
    }
    settle(stp);
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

uint64_t stp_due_us(const struct stp *stp)
{
    uint64_t due = ends(stp->hello_timer_us, stp->hello_us);
    const struct stp_port *p;

    due = earlier(due, ends(stp->tcn_timer_us, stp->bridge_hello_us));
    due = earlier(due, ends(stp->topology_change_timer_us, stp->max_age_us + stp->forward_delay_us));
    TAILQ_FOREACH (p, &stp->ports, node) {
        due = earlier(due, ends(p->message_age_us, stp->max_age_us));
        due = earlier(due, ends(p->forward_delay_us, stp->forward_delay_us));
        due = earlier(due, ends(p->hold_us, HOLD_US));
    }
    return due;
}

void stp_detect_change(struct stp *stp, uint64_t now_us)
{
    stp->now_us = now_us;
    detect_topology_change(stp);
    settle(stp);
}
