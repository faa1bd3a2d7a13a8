#define MEM_WHAT "BFD sessions"

#include "src/proto/bfd.h"

#include <stdlib.h>
#include <string.h>

#include "pmd/base/mem.h"

#define VERSION 1
#define SLOW_US 1000000u /* while a session is not Up it sends no faster (RFC 5880, 6.8.3) */
/* What is received on the port is looked at so often, and counts for so long. */
#define SAMPLE_US 500000u
#define TRAFFIC_US 2000000u
/* With forwarding_if_rx, other packets count as a sign of life until so many intervals have passed without a control
 * packet. */
#define TRAFFIC_INTERVALS 100

struct bfd {
    struct bfd_config config;
    struct bfd_user user;
    uint32_t jitter; /* state of the pseudo-random numbers */

    /* The state variables of RFC 5880, 6.8.1. */
    enum bfd_state state, remote_state;
    enum bfd_diag diag, remote_diag;
    uint32_t discriminator, remote_discriminator;
    uint32_t remote_min_rx_us, remote_min_tx_us;
    uint8_t remote_mult, remote_flags;

    /* Intervals that the other end was told of, and those in use until it has confirmed them (6.8.3). */
    uint32_t told_tx_us, told_rx_us;
    uint32_t tx_us, rx_us;
    /* A poll sequence (6.5): on its way, and wanted when that one has ended. */
    bool polling, poll_again;

    uint64_t last_tx_us, next_tx_us;
    uint64_t last_rx_us; /* 0: none since the last one was too long ago */

    /* What the port receives besides. */
    bool in_decay;
    uint64_t decay_due_us, decay_packets, decay_control;
    uint64_t sample_due_us, sample_packets, sample_control;
    uint64_t traffic_until_us, control_until_us; /* of forwarding_if_rx */

    bool last_forwarding;
    int override; /* -1: none */
    bool changed; /* the user is to be told */
    uint64_t flap_count, tx_packets, rx_packets, faults[BFD_N_FAULTS];
};

/* --- names --------------------------------------------------------------- */

const char *bfd_fault_name(enum bfd_fault fault)
{
    static const char *const names[BFD_N_FAULTS] = {"ok",
#define X(symbol, name, doc) name,
                                                    BFD_FAULTS(X)
#undef X
    };

    return (unsigned)fault < BFD_N_FAULTS ? names[fault] : "unknown";
}

const char *bfd_fault_text(enum bfd_fault fault)
{
    static const char *const texts[BFD_N_FAULTS] = {"nothing",
#define X(symbol, name, doc) doc,
                                                    BFD_FAULTS(X)
#undef X
    };

    return (unsigned)fault < BFD_N_FAULTS ? texts[fault] : "unknown";
}

const char *bfd_state_name(enum bfd_state state)
{
    static const char *const names[] = {"admin_down", "down", "init", "up"};

    return names[state & 3];
}

const char *bfd_diag_text(enum bfd_diag diag)
{
    static const char *const texts[] = {
        [BFD_DIAG_NONE] = "No Diagnostic",
        [BFD_DIAG_EXPIRED] = "Control Detection Time Expired",
        [BFD_DIAG_ECHO_FAILED] = "Echo Function Failed",
        [BFD_DIAG_NEIGHBOR_DOWN] = "Neighbor Signaled Session Down",
        [BFD_DIAG_FORWARDING_RESET] = "Forwarding Plane Reset",
        [BFD_DIAG_PATH_DOWN] = "Path Down",
        [BFD_DIAG_CONCATENATED_PATH_DOWN] = "Concatenated Path Down",
        [BFD_DIAG_ADMIN_DOWN] = "Administratively Down",
        [BFD_DIAG_REVERSE_PATH_DOWN] = "Reverse Concatenated Path Down",
    };

    return (unsigned)diag < sizeof texts / sizeof *texts ? texts[diag] : "Invalid Diagnostic";
}

/* --- times --------------------------------------------------------------- */

static uint64_t most(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static uint64_t tx_interval(const struct bfd *bfd)
{
    return most(bfd->tx_us, bfd->remote_min_rx_us);
}

static uint64_t rx_interval(const struct bfd *bfd)
{
    return most(bfd->rx_us, bfd->remote_min_tx_us);
}

/* When the other end counts as silent (6.8.4). 0: it has said nothing. */
static uint64_t detect_at(const struct bfd *bfd)
{
    return bfd->last_rx_us ? bfd->last_rx_us + bfd->remote_mult * rx_interval(bfd) : 0;
}

/* 6.8.7: what the other end does not want, or does not want while it is in demand mode, is not sent. */
static bool sends_periodically(const struct bfd *bfd)
{
    bool demand = bfd->remote_flags & BFD_FLAG_DEMAND && bfd->state == BFD_UP && bfd->remote_state == BFD_UP;

    return bfd->remote_min_rx_us != 0 && (!demand || bfd->polling || bfd->poll_again);
}

static uint32_t next_random(struct bfd *bfd)
{
    uint32_t x = bfd->jitter; /* xorshift32 */

    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    return bfd->jitter = x;
}

/* 6.8.7: each interval is up to a quarter shorter, so that systems do not fall into step; with a multiplier of 1 by
 * a tenth at least. */
static void schedule_tx(struct bfd *bfd)
{
    uint64_t interval = tx_interval(bfd), percent = next_random(bfd) % 26;

    if (bfd->config.mult == 1)
        percent = 10 + percent * 15 / 25;
    bfd->next_tx_us = bfd->last_tx_us + interval - interval * percent / 100;
}

/* --- sending ------------------------------------------------------------- */

static void put32(uint8_t *p, uint32_t value)
{
    p[0] = (uint8_t)(value >> 24);
    p[1] = (uint8_t)(value >> 16);
    p[2] = (uint8_t)(value >> 8);
    p[3] = (uint8_t)value;
}

static void transmit(struct bfd *bfd, uint8_t flags)
{
    uint8_t packet[BFD_PACKET_LEN];

    packet[0] = (uint8_t)(VERSION << 5 | bfd->diag);
    packet[1] = (uint8_t)(bfd->state << 6 | flags);
    packet[2] = bfd->config.mult;
    packet[3] = BFD_PACKET_LEN;
    put32(packet + 4, bfd->discriminator);
    put32(packet + 8, bfd->remote_discriminator);
    put32(packet + 12, bfd->told_tx_us);
    put32(packet + 16, bfd->told_rx_us);
    put32(packet + 20, 0); /* no echo is wanted */
    bfd->tx_packets++;
    bfd->user.send(bfd->user.arg, packet);
}

static void transmit_periodic(struct bfd *bfd, uint64_t now_us)
{
    transmit(bfd, bfd->polling ? BFD_FLAG_POLL : 0);
    bfd->last_tx_us = now_us;
    schedule_tx(bfd);
}

/* --- intervals ----------------------------------------------------------- */

static uint32_t wanted_tx(const struct bfd *bfd)
{
    return bfd->state == BFD_UP ? bfd->config.min_tx_us : (uint32_t)most(bfd->config.min_tx_us, SLOW_US);
}

static uint32_t wanted_rx(const struct bfd *bfd)
{
    return bfd->in_decay ? bfd->config.decay_min_rx_us : bfd->config.min_rx_us;
}

/* Tells the other end what is wanted now. While Up, packets are sent no slower and expected no faster than before until
 * it has confirmed that (6.8.3); else nothing rests on that, and there may be nobody to confirm it. */
static void offer_intervals(struct bfd *bfd)
{
    uint32_t tx = wanted_tx(bfd), rx = wanted_rx(bfd);

    if (tx == bfd->told_tx_us && rx == bfd->told_rx_us)
        return;
    if (bfd->polling) {
        bfd->poll_again = true; /* one answer must not stand for both */
        return;
    }
    bfd->told_tx_us = tx;
    bfd->told_rx_us = rx;
    bfd->polling = bfd->state == BFD_UP;
    if (!bfd->polling || tx < bfd->tx_us)
        bfd->tx_us = tx;
    if (!bfd->polling || rx > bfd->rx_us)
        bfd->rx_us = rx;
    schedule_tx(bfd);
}

static void end_poll(struct bfd *bfd)
{
    bfd->polling = false;
    bfd->tx_us = bfd->told_tx_us;
    bfd->rx_us = bfd->told_rx_us;
    schedule_tx(bfd);
}

/* --- state --------------------------------------------------------------- */

static bool path_behind_is_down(enum bfd_diag diag)
{
    return diag == BFD_DIAG_PATH_DOWN || diag == BFD_DIAG_CONCATENATED_PATH_DOWN || diag == BFD_DIAG_REVERSE_PATH_DOWN;
}

static void note_forwarding(struct bfd *bfd, uint64_t now_us)
{
    bool by_traffic = bfd->config.forwarding_if_rx && now_us < bfd->traffic_until_us && now_us < bfd->control_until_us;
    bool forwarding = (bfd->state == BFD_UP || by_traffic) && !path_behind_is_down(bfd->remote_diag);

    if (forwarding == bfd->last_forwarding)
        return;
    bfd->last_forwarding = forwarding;
    bfd->flap_count++;
    bfd->changed = true;
}

/* At the end of whatever may have changed something. */
static void settle(struct bfd *bfd, uint64_t now_us)
{
    note_forwarding(bfd, now_us);
    if (!bfd->changed)
        return;
    bfd->changed = false;
    bfd->user.changed(bfd->user.arg);
}

static void restart_decay(struct bfd *bfd, uint64_t now_us)
{
    if (bfd->config.decay_min_rx_us == 0)
        return;
    bfd->decay_packets = bfd->user.rx_packets(bfd->user.arg);
    bfd->decay_control = bfd->rx_packets;
    bfd->decay_due_us = now_us + most(bfd->config.decay_min_rx_us, TRAFFIC_US);
}

static enum bfd_diag with_path(const struct bfd *bfd, enum bfd_diag diag)
{
    return bfd->config.cpath_down ? BFD_DIAG_CONCATENATED_PATH_DOWN : diag;
}

/* 6.8.7: a packet that says something else than the one before goes out at once. */
static void set_state(struct bfd *bfd, enum bfd_state state, enum bfd_diag diag, uint64_t now_us)
{
    bfd->state = state;
    bfd->diag = with_path(bfd, diag);
    bfd->changed = true;
    if (state != BFD_UP) {
        bfd->in_decay = bfd->polling = bfd->poll_again = false;
    } else {
        restart_decay(bfd, now_us);
        bfd->traffic_until_us = now_us + most(rx_interval(bfd) * bfd->config.mult, TRAFFIC_US);
    }
    offer_intervals(bfd);
    bfd->next_tx_us = now_us;
}

/* Nothing was heard of the other end for the detection time: it may be another one that speaks next (6.8.1). */
static void expire(struct bfd *bfd, uint64_t now_us)
{
    bfd->last_rx_us = 0;
    bfd->remote_discriminator = 0;
    bfd->remote_state = BFD_DOWN;
    bfd->remote_diag = BFD_DIAG_NONE;
    bfd->remote_flags = 0;
    bfd->remote_min_rx_us = 1;
    bfd->remote_min_tx_us = 0;
    bfd->changed = true;
    if (bfd->state > BFD_DOWN)
        set_state(bfd, BFD_DOWN, BFD_DIAG_EXPIRED, now_us);
}

/* --- receiving ----------------------------------------------------------- */

static uint32_t get32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static enum bfd_state state_of(const uint8_t *packet)
{
    return (enum bfd_state)(packet[1] >> 6);
}

/* 6.8.6, in its order. */
static enum bfd_fault check(const struct bfd *bfd, const uint8_t *packet, size_t len)
{
    uint32_t your_discriminator;

    if (len < BFD_PACKET_LEN)
        return BFD_FAULT_SHORT;
    if (packet[0] >> 5 != VERSION)
        return BFD_FAULT_VERSION;
    if (packet[3] < BFD_PACKET_LEN + (packet[1] & BFD_FLAG_AUTHENTICATION ? 2 : 0) || packet[3] > len)
        return BFD_FAULT_SHORT;
    if (packet[2] == 0)
        return BFD_FAULT_MULTIPLIER;
    if (packet[1] & BFD_FLAG_MULTIPOINT)
        return BFD_FAULT_MULTIPOINT;
    if (get32(packet + 4) == 0)
        return BFD_FAULT_MY_DISCRIMINATOR;
    your_discriminator = get32(packet + 8);
    if (your_discriminator ? your_discriminator != bfd->discriminator : state_of(packet) > BFD_DOWN)
        return BFD_FAULT_YOUR_DISCRIMINATOR;
    if (packet[1] & BFD_FLAG_AUTHENTICATION)
        return BFD_FAULT_AUTHENTICATION;
    return BFD_OK;
}

static void take_variables(struct bfd *bfd, const uint8_t *packet, uint64_t now_us)
{
    enum bfd_state state = state_of(packet);
    enum bfd_diag diag = packet[0] & 0x1f;
    uint32_t min_rx_us = get32(packet + 16);
    bool sent = sends_periodically(bfd);

    bfd->changed |= state != bfd->remote_state || diag != bfd->remote_diag;
    bfd->remote_discriminator = get32(packet + 4);
    bfd->remote_state = state;
    bfd->remote_diag = diag;
    bfd->remote_flags = packet[1] & 0x3f;
    bfd->remote_mult = packet[2];
    bfd->remote_min_tx_us = get32(packet + 12);
    bfd->last_rx_us = now_us;
    bfd->control_until_us = now_us + (uint64_t)TRAFFIC_INTERVALS * bfd->config.min_rx_us;
    if (bfd->polling && bfd->remote_flags & BFD_FLAG_FINAL)
        end_poll(bfd);
    if (min_rx_us == bfd->remote_min_rx_us && sent)
        return;
    bfd->remote_min_rx_us = min_rx_us;
    if (bfd->next_tx_us > now_us)
        schedule_tx(bfd);
}

/* The state machine (6.2, 6.8.6). */
static void advance(struct bfd *bfd, uint64_t now_us)
{
    enum bfd_state remote = bfd->remote_state;

    if (remote == BFD_ADMIN_DOWN || (bfd->state == BFD_UP && remote == BFD_DOWN)) {
        if (bfd->state != BFD_DOWN)
            set_state(bfd, BFD_DOWN, BFD_DIAG_NEIGHBOR_DOWN, now_us);
    } else if (bfd->state == BFD_DOWN && remote == BFD_DOWN) {
        set_state(bfd, BFD_INIT, bfd->diag, now_us);
    } else if ((bfd->state == BFD_DOWN && remote == BFD_INIT) || (bfd->state == BFD_INIT && remote >= BFD_INIT)) {
        set_state(bfd, BFD_UP, bfd->diag, now_us);
    }
}

void bfd_note_fault(struct bfd *bfd, enum bfd_fault fault)
{
    bfd->faults[fault]++;
}

enum bfd_fault bfd_receive(struct bfd *bfd, const uint8_t *payload, size_t len, uint64_t now_us)
{
    enum bfd_fault fault = check(bfd, payload, len);

    bfd_note_fault(bfd, fault);
    if (fault != BFD_OK)
        return fault;
    bfd->rx_packets++;
    take_variables(bfd, payload, now_us);
    advance(bfd, now_us);
    if (bfd->remote_flags & BFD_FLAG_POLL)
        transmit(bfd, BFD_FLAG_FINAL); /* 6.5: whatever the timer says */
    settle(bfd, now_us);
    return BFD_OK;
}

/* --- what the port receives besides -------------------------------------- */

/* Twice the packets of the session: counters of the port and of the session are not read at one time. */
static void check_decay(struct bfd *bfd, uint64_t now_us)
{
    uint64_t packets = bfd->user.rx_packets(bfd->user.arg) - bfd->decay_packets;

    bfd->in_decay = packets <= 2 * most(bfd->rx_packets - bfd->decay_control, 1);
    offer_intervals(bfd);
    restart_decay(bfd, now_us);
}

static void sample_traffic(struct bfd *bfd, uint64_t now_us)
{
    uint64_t packets = bfd->user.rx_packets(bfd->user.arg), control = bfd->rx_packets;

    if (packets - bfd->sample_packets > control - bfd->sample_control)
        bfd->traffic_until_us = now_us + most(rx_interval(bfd) * bfd->config.mult, TRAFFIC_US);
    bfd->sample_packets = packets;
    bfd->sample_control = control;
    bfd->sample_due_us = now_us + SAMPLE_US;
}

static bool watches_decay(const struct bfd *bfd)
{
    return bfd->state == BFD_UP && bfd->config.decay_min_rx_us > 0;
}

/* --- running ------------------------------------------------------------- */

void bfd_run(struct bfd *bfd, uint64_t now_us)
{
    uint64_t detect_us = detect_at(bfd);

    if (detect_us && now_us >= detect_us)
        expire(bfd, now_us);
    if (watches_decay(bfd) && now_us >= bfd->decay_due_us)
        check_decay(bfd, now_us);
    if (bfd->config.forwarding_if_rx && now_us >= bfd->sample_due_us)
        sample_traffic(bfd, now_us);
    if (sends_periodically(bfd) && now_us >= bfd->next_tx_us) {
        transmit_periodic(bfd, now_us);
        /* Between two poll sequences there is a packet without the bit, which tells their answers apart (6.5). */
        if (bfd->poll_again && !bfd->polling) {
            bfd->poll_again = false;
            offer_intervals(bfd);
        }
    }
    settle(bfd, now_us);
}

static void earlier(uint64_t *due_us, bool counts, uint64_t at_us)
{
    if (counts && at_us < *due_us)
        *due_us = at_us;
}

uint64_t bfd_due_us(const struct bfd *bfd)
{
    uint64_t due_us = UINT64_MAX, detect_us = detect_at(bfd);

    earlier(&due_us, sends_periodically(bfd), bfd->next_tx_us);
    earlier(&due_us, detect_us, detect_us);
    earlier(&due_us, watches_decay(bfd), bfd->decay_due_us);
    if (bfd->config.forwarding_if_rx) {
        earlier(&due_us, true, bfd->sample_due_us);
        if (bfd->last_forwarding && bfd->state != BFD_UP) {
            earlier(&due_us, true, bfd->traffic_until_us);
            earlier(&due_us, true, bfd->control_until_us);
        }
    }
    return due_us;
}

/* --- creation and configuration ------------------------------------------ */

struct bfd *bfd_create(const struct bfd_config *config, const struct bfd_user *user, uint32_t discriminator,
                       uint64_t now_us)
{
    struct bfd *bfd = mem_calloc(1, sizeof *bfd);

    bfd->config = *config;
    bfd->user = *user;
    bfd->jitter = bfd->discriminator = discriminator;
    bfd->state = bfd->remote_state = BFD_DOWN;
    bfd->diag = with_path(bfd, BFD_DIAG_NONE);
    bfd->remote_min_rx_us = 1;
    bfd->override = -1;
    offer_intervals(bfd);
    bfd->next_tx_us = now_us;
    bfd->sample_due_us = now_us;
    if (config->forwarding_if_rx)
        bfd->sample_packets = user->rx_packets(user->arg);
    return bfd;
}

void bfd_configure(struct bfd *bfd, const struct bfd_config *config, uint64_t now_us)
{
    bool cpath_changed = config->cpath_down != bfd->config.cpath_down;
    bool decay_changed =
        config->decay_min_rx_us != bfd->config.decay_min_rx_us || config->min_rx_us != bfd->config.min_rx_us;

    if (config->forwarding_if_rx && !bfd->config.forwarding_if_rx) {
        bfd->sample_packets = bfd->user.rx_packets(bfd->user.arg);
        bfd->sample_control = bfd->rx_packets;
        bfd->sample_due_us = now_us;
        bfd->traffic_until_us = 0;
    }
    bfd->config = *config;
    if (decay_changed) {
        bfd->in_decay = false;
        restart_decay(bfd, now_us);
    }
    offer_intervals(bfd);
    if (cpath_changed) {
        bfd->diag = with_path(bfd, BFD_DIAG_NONE);
        bfd->polling = bfd->state == BFD_UP; /* an end in demand mode hears of it in no other way */
        bfd->next_tx_us = now_us;
        bfd->changed = true;
    }
    settle(bfd, now_us);
}

void bfd_shut_down(struct bfd *bfd)
{
    bfd->state = BFD_ADMIN_DOWN;
    bfd->diag = BFD_DIAG_ADMIN_DOWN;
    bfd->told_tx_us = wanted_tx(bfd);
    transmit(bfd, 0);
}

void bfd_destroy(struct bfd *bfd)
{
    free(bfd);
}

/* --- what it is ---------------------------------------------------------- */

bool bfd_forwarding(const struct bfd *bfd)
{
    return bfd->override < 0 ? bfd->last_forwarding : bfd->override == 1;
}

void bfd_override_forwarding(struct bfd *bfd, int value)
{
    bfd->override = value;
    bfd->user.changed(bfd->user.arg);
}

void bfd_get_status(const struct bfd *bfd, struct bfd_status *status)
{
    *status = (struct bfd_status){
        .state = bfd->state,
        .remote_state = bfd->remote_state,
        .diag = bfd->diag,
        .remote_diag = bfd->remote_diag,
        .forwarding = bfd_forwarding(bfd),
        .cpath_down = bfd->config.cpath_down,
        .flap_count = bfd->flap_count,
        .flags = bfd->polling ? BFD_FLAG_POLL : 0,
        .remote_flags = bfd->remote_flags,
        .mult = bfd->config.mult,
        .remote_mult = bfd->remote_mult,
        .discriminator = bfd->discriminator,
        .remote_discriminator = bfd->remote_discriminator,
        .tx_interval_us = tx_interval(bfd),
        .rx_interval_us = rx_interval(bfd),
        .min_tx_us = bfd->told_tx_us,
        .min_rx_us = bfd->told_rx_us,
        .remote_min_tx_us = bfd->remote_min_tx_us,
        .remote_min_rx_us = bfd->remote_min_rx_us,
        .detect_us = detect_at(bfd),
        .next_tx_us = sends_periodically(bfd) ? bfd->next_tx_us : 0,
        .last_tx_us = bfd->last_tx_us,
        .tx_packets = bfd->tx_packets,
        .rx_packets = bfd->rx_packets,
    };
    memcpy(status->faults, bfd->faults, sizeof status->faults);
}
