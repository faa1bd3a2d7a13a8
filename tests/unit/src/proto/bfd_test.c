/* Sessions of BFD: the state machine, timers, poll sequences and malformed packets of RFC 5880, by a clock that the
 * tests move on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "src/proto/bfd.h"
#include "src/proto/bfd_frame.h"

#define SECOND 1000000u
#define LOCAL 0x11111111u
#define REMOTE 0x22222222u

/* A system: a session and what it sent. */
struct end {
    struct bfd *bfd;
    uint8_t sent[BFD_PACKET_LEN]; /* last */
    unsigned n_sent, n_changed;
    uint64_t rx_packets; /* of its port */
};

static uint64_t now;
static struct end a, b;

static void send_packet(void *arg, const uint8_t packet[BFD_PACKET_LEN])
{
    struct end *end = arg;

    memcpy(end->sent, packet, BFD_PACKET_LEN);
    end->n_sent++;
}

static uint64_t port_packets(void *arg)
{
    return ((struct end *)arg)->rx_packets;
}

static void changed(void *arg)
{
    ((struct end *)arg)->n_changed++;
}

static const struct bfd_config ordinary = {.min_tx_us = 100000, .min_rx_us = SECOND, .mult = 3};

static void begin(struct end *end, const struct bfd_config *config, uint32_t discriminator)
{
    const struct bfd_user user = {end, send_packet, port_packets, changed};

    *end = (struct end){.bfd = bfd_create(config, &user, discriminator, now)};
}

static struct bfd_status status(const struct end *end)
{
    struct bfd_status st;

    bfd_get_status(end->bfd, &st);
    return st;
}

static int setup(void **state)
{
    now = 1000 * SECOND;
    begin(&a, &ordinary, LOCAL);
    return 0;
}

static int teardown(void **state)
{
    bfd_destroy(a.bfd);
    bfd_destroy(b.bfd);
    a = b = (struct end){0};
    return 0;
}

static void put32(uint8_t *p, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(value >> (24 - 8 * i));
}

static uint32_t get32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* What the other end says; members of 0 are as of an ordinary packet to LOCAL. */
struct words {
    enum bfd_state state;
    uint8_t diag, flags;
    uint32_t min_tx_us, min_rx_us;
    uint8_t mult;
    bool does_not_know_us;
};

static void write_packet(const struct words *words, uint8_t packet[BFD_PACKET_LEN])
{
    packet[0] = 0x20 | words->diag;
    packet[1] = (uint8_t)(words->state << 6 | words->flags);
    packet[2] = words->mult ? words->mult : 3;
    packet[3] = BFD_PACKET_LEN;
    put32(packet + 4, REMOTE);
    put32(packet + 8, words->does_not_know_us ? 0 : LOCAL);
    put32(packet + 12, words->min_tx_us ? words->min_tx_us : SECOND);
    put32(packet + 16, words->min_rx_us ? words->min_rx_us : SECOND);
    put32(packet + 20, 0);
}

static void hear(const struct words *words)
{
    uint8_t packet[BFD_PACKET_LEN];

    write_packet(words, packet);
    assert_int_equal(bfd_receive(a.bfd, packet, sizeof packet, now), BFD_OK);
}

/* Until `until`, with nothing heard. */
static void run_until(struct end *end, uint64_t until)
{
    uint64_t due;

    while ((due = bfd_due_us(end->bfd)) <= until) {
        assert_true(due == 0 || due > now || bfd_due_us(end->bfd) <= now);
        now = due > now ? due : now;
        bfd_run(end->bfd, now);
    }
    now = until;
}

static void bring_to(enum bfd_state state)
{
    if (state == BFD_INIT || state == BFD_UP)
        hear(&(struct words){.state = BFD_DOWN, .does_not_know_us = true});
    if (state == BFD_UP)
        hear(&(struct words){.state = BFD_INIT});
    bfd_run(a.bfd, now);
    assert_int_equal(status(&a).state, state);
}

/* Up, and the poll sequence that follows is answered. */
static void bring_up(void)
{
    bring_to(BFD_UP);
    hear(&(struct words){.state = BFD_UP, .flags = BFD_FLAG_FINAL});
}

/* --- the state machine --------------------------------------------------- */

static void every_state_and_every_word(void **state)
{
    /* RFC 5880, 6.2 and 6.8.6: state, what is heard, state, diagnostic. */
    static const struct {
        enum bfd_state before, heard, after;
        enum bfd_diag diag;
    } rows[] = {
        {BFD_DOWN, BFD_ADMIN_DOWN, BFD_DOWN, BFD_DIAG_NONE},
        {BFD_DOWN, BFD_DOWN, BFD_INIT, BFD_DIAG_NONE},
        {BFD_DOWN, BFD_INIT, BFD_UP, BFD_DIAG_NONE},
        {BFD_DOWN, BFD_UP, BFD_DOWN, BFD_DIAG_NONE},
        {BFD_INIT, BFD_ADMIN_DOWN, BFD_DOWN, BFD_DIAG_NEIGHBOR_DOWN},
        {BFD_INIT, BFD_DOWN, BFD_INIT, BFD_DIAG_NONE},
        {BFD_INIT, BFD_INIT, BFD_UP, BFD_DIAG_NONE},
        {BFD_INIT, BFD_UP, BFD_UP, BFD_DIAG_NONE},
        {BFD_UP, BFD_ADMIN_DOWN, BFD_DOWN, BFD_DIAG_NEIGHBOR_DOWN},
        {BFD_UP, BFD_DOWN, BFD_DOWN, BFD_DIAG_NEIGHBOR_DOWN},
        {BFD_UP, BFD_INIT, BFD_UP, BFD_DIAG_NONE},
        {BFD_UP, BFD_UP, BFD_UP, BFD_DIAG_NONE},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        bfd_destroy(a.bfd);
        begin(&a, &ordinary, LOCAL);
        bring_to(rows[i].before);
        hear(&(struct words){.state = rows[i].heard});
        assert_int_equal(status(&a).state, rows[i].after);
        assert_int_equal(status(&a).diag, rows[i].diag);
        assert_int_equal(status(&a).remote_state, rows[i].heard);
        assert_true(bfd_forwarding(a.bfd) == (rows[i].after == BFD_UP));
    }
}

static void silence_brings_it_down(void **state)
{
    bring_up();
    hear(&(struct words){.state = BFD_UP, .min_tx_us = 2 * SECOND, .mult = 4});
    run_until(&a, now + 8 * SECOND - 1);
    assert_int_equal(status(&a).state, BFD_UP);
    run_until(&a, now + 1);
    assert_int_equal(status(&a).state, BFD_DOWN);
    assert_int_equal(status(&a).diag, BFD_DIAG_EXPIRED);
    assert_int_equal(status(&a).remote_state, BFD_DOWN);
    assert_int_equal(status(&a).remote_discriminator, 0);
    assert_false(bfd_forwarding(a.bfd));
    assert_int_equal(status(&a).flap_count, 2);
    assert_int_equal(get32(a.sent + 8), 0);
    assert_int_equal(a.sent[1] >> 6, BFD_DOWN);
    /* The reason stays until the next one. */
    bring_to(BFD_UP);
    assert_int_equal(status(&a).diag, BFD_DIAG_EXPIRED);
}

/* Also what is heard while it is down is forgotten (6.8.1). */
static void a_silent_neighbor_is_forgotten(void **state)
{
    hear(&(struct words){.state = BFD_ADMIN_DOWN});
    assert_int_equal(status(&a).remote_discriminator, REMOTE);
    run_until(&a, now + 3 * SECOND);
    assert_int_equal(status(&a).remote_discriminator, 0);
    assert_int_equal(status(&a).diag, BFD_DIAG_NONE);
}

/* --- sending ------------------------------------------------------------- */

static void it_sends_slowly_until_it_is_up(void **state)
{
    unsigned before;

    bfd_run(a.bfd, now);
    assert_int_equal(a.n_sent, 1);
    assert_int_equal(a.sent[0], 0x20);
    assert_int_equal(a.sent[1], BFD_DOWN << 6);
    assert_int_equal(a.sent[2], 3);
    assert_int_equal(a.sent[3], 24);
    assert_int_equal(get32(a.sent + 4), LOCAL);
    assert_int_equal(get32(a.sent + 8), 0);
    assert_int_equal(get32(a.sent + 12), SECOND);
    assert_int_equal(get32(a.sent + 16), SECOND);
    assert_int_equal(get32(a.sent + 20), 0);
    run_until(&a, now + 75 * SECOND);
    assert_in_range(a.n_sent, 75, 101);

    bring_up();
    hear(&(struct words){.state = BFD_UP, .min_rx_us = 50000, .min_tx_us = 100 * SECOND});
    bfd_run(a.bfd, now);
    before = a.n_sent;
    run_until(&a, now + 30 * SECOND);
    assert_in_range(a.n_sent - before, 300, 401);
    assert_int_equal(get32(a.sent + 12), 100000);
    assert_int_equal(get32(a.sent + 8), REMOTE);
}

/* 6.8.7: intervals are 75 to 100 % of what was agreed on; 75 to 90 % with a multiplier of 1. */
static void intervals_have_jitter(void **state)
{
    for (uint8_t mult = 1; mult <= 2; mult++) {
        struct bfd_config config = ordinary;
        uint64_t shortest = UINT64_MAX, longest = 0, last;

        config.mult = mult;
        bfd_configure(a.bfd, &config, now);
        bfd_run(a.bfd, now);
        run_until(&a, now + SECOND);
        last = status(&a).last_tx_us;
        for (int i = 0; i < 500; i++) {
            now = bfd_due_us(a.bfd);
            bfd_run(a.bfd, now);
            shortest = now - last < shortest ? now - last : shortest;
            longest = now - last > longest ? now - last : longest;
            last = now;
        }
        assert_in_range(shortest, 750000, 770000);
        assert_in_range(longest, mult == 1 ? 890000 : 990000, mult == 1 ? 900000 : 1000000);
    }
}

static void a_change_of_state_is_told_at_once(void **state)
{
    unsigned before;

    bfd_run(a.bfd, now);
    before = a.n_sent;
    hear(&(struct words){.state = BFD_DOWN, .does_not_know_us = true});
    assert_true(bfd_due_us(a.bfd) <= now);
    bfd_run(a.bfd, now);
    assert_int_equal(a.n_sent, before + 1);
    assert_int_equal(a.sent[1] >> 6, BFD_INIT);
}

/* 6.8.7: RemoteMinRxInterval of 0. */
static void a_neighbor_that_wants_nothing_gets_nothing(void **state)
{
    uint8_t packet[BFD_PACKET_LEN];
    unsigned before;

    bring_up();
    write_packet(&(struct words){.state = BFD_UP, .min_tx_us = 30 * SECOND}, packet);
    put32(packet + 16, 0);
    assert_int_equal(bfd_receive(a.bfd, packet, sizeof packet, now), BFD_OK);
    before = a.n_sent;
    run_until(&a, now + 60 * SECOND);
    assert_int_equal(a.n_sent, before);
    hear(&(struct words){.state = BFD_UP});
    run_until(&a, now + 2 * SECOND);
    assert_true(a.n_sent > before);
}

/* 6.6: demand mode of the other end. */
static void a_neighbor_in_demand_mode_is_left_in_peace(void **state)
{
    struct bfd_config config = ordinary;
    unsigned before;

    bring_up();
    hear(&(struct words){.state = BFD_UP, .flags = BFD_FLAG_DEMAND, .min_tx_us = 100 * SECOND});
    before = a.n_sent;
    run_until(&a, now + 60 * SECOND);
    assert_int_equal(a.n_sent, before);
    /* What changes it has to hear all the same, and until it answers. */
    config.cpath_down = true;
    bfd_configure(a.bfd, &config, now);
    run_until(&a, now + 5 * SECOND);
    assert_true(a.n_sent >= before + 5);
    assert_int_equal(a.sent[0], 0x20 | BFD_DIAG_CONCATENATED_PATH_DOWN);
    assert_int_equal(a.sent[1], BFD_UP << 6 | BFD_FLAG_POLL);
    hear(&(struct words){.state = BFD_UP, .flags = BFD_FLAG_DEMAND | BFD_FLAG_FINAL, .min_tx_us = 100 * SECOND});
    before = a.n_sent;
    run_until(&a, now + 60 * SECOND);
    assert_int_equal(a.n_sent, before);
    /* Its polls are answered. */
    hear(&(struct words){.state = BFD_UP, .flags = BFD_FLAG_DEMAND | BFD_FLAG_POLL, .min_tx_us = 100 * SECOND});
    assert_int_equal(a.n_sent, before + 1);
    assert_int_equal(a.sent[1], BFD_UP << 6 | BFD_FLAG_FINAL);
}

/* --- poll sequences ------------------------------------------------------ */

static void a_poll_is_answered_at_once(void **state)
{
    for (enum bfd_state s = BFD_DOWN; s <= BFD_UP; s++) {
        unsigned before;

        bfd_destroy(a.bfd);
        begin(&a, &ordinary, LOCAL);
        bring_to(s);
        before = a.n_sent;
        hear(&(struct words){.state = s == BFD_UP ? BFD_UP : BFD_DOWN, .flags = BFD_FLAG_POLL});
        assert_int_equal(a.n_sent, before + 1);
        assert_int_equal(a.sent[1] & 0x3f, BFD_FLAG_FINAL);
    }
}

/* 6.8.3: a session that is Up sends no slower, and expects no faster, before the other end knows. */
static void new_intervals_count_once_they_are_confirmed(void **state)
{
    struct bfd_config config = ordinary;

    bring_up();
    hear(&(struct words){.state = BFD_UP, .min_tx_us = 1, .min_rx_us = 1});
    assert_int_equal(status(&a).tx_interval_us, 100000);
    config.min_tx_us = 700000;
    config.min_rx_us = 300000;
    bfd_configure(a.bfd, &config, now);
    assert_int_equal(status(&a).tx_interval_us, 100000);
    assert_int_equal(status(&a).rx_interval_us, SECOND);
    run_until(&a, now + 100000);
    assert_int_equal(a.sent[1], BFD_UP << 6 | BFD_FLAG_POLL);
    assert_int_equal(get32(a.sent + 12), 700000);
    assert_int_equal(get32(a.sent + 16), 300000);
    /* A packet without the bit confirms nothing. */
    hear(&(struct words){.state = BFD_UP, .min_tx_us = 1, .min_rx_us = 1});
    assert_int_equal(status(&a).tx_interval_us, 100000);
    hear(&(struct words){.state = BFD_UP, .min_tx_us = 1, .min_rx_us = 1, .flags = BFD_FLAG_FINAL});
    assert_int_equal(status(&a).tx_interval_us, 700000);
    assert_int_equal(status(&a).rx_interval_us, 300000);
    run_until(&a, now + 700000);
    assert_int_equal(a.sent[1], BFD_UP << 6);

    /* The other way round there is nothing to wait for. */
    config.min_tx_us = 200000;
    config.min_rx_us = 2 * SECOND;
    bfd_configure(a.bfd, &config, now);
    assert_int_equal(status(&a).tx_interval_us, 200000);
    assert_int_equal(status(&a).rx_interval_us, 2 * SECOND);
    assert_int_equal(status(&a).flags, BFD_FLAG_POLL);
}

/* One answer must not stand for two offers; between the two sequences is a packet without the bit (6.5). */
static void a_change_during_a_poll_sequence_gets_its_own(void **state)
{
    struct bfd_config config = ordinary;

    bring_up();
    config.min_tx_us = 500000;
    bfd_configure(a.bfd, &config, now);
    run_until(&a, now + SECOND);
    config.min_tx_us = 900000;
    bfd_configure(a.bfd, &config, now);
    run_until(&a, now + SECOND);
    assert_int_equal(get32(a.sent + 12), 500000);
    hear(&(struct words){.state = BFD_UP, .min_rx_us = 1, .flags = BFD_FLAG_FINAL});
    assert_int_equal(status(&a).tx_interval_us, 500000);
    now = bfd_due_us(a.bfd);
    bfd_run(a.bfd, now);
    assert_int_equal(a.sent[1], BFD_UP << 6);
    run_until(&a, now + 500000);
    assert_int_equal(a.sent[1], BFD_UP << 6 | BFD_FLAG_POLL);
    assert_int_equal(get32(a.sent + 12), 900000);
}

/* Detection goes by what is in use. */
static void detection_time_follows_the_intervals(void **state)
{
    struct bfd_config config = ordinary;

    config.min_rx_us = 10000;
    bfd_configure(a.bfd, &config, now);
    bring_up();
    hear(&(struct words){.state = BFD_UP, .min_tx_us = 20000, .mult = 3});
    assert_int_equal(status(&a).detect_us, now + 60000);
    hear(&(struct words){.state = BFD_UP, .min_tx_us = 5000, .mult = 5});
    assert_int_equal(status(&a).detect_us, now + 50000);
    run_until(&a, now + 49999);
    assert_int_equal(status(&a).state, BFD_UP);
    run_until(&a, now + 1);
    assert_int_equal(status(&a).state, BFD_DOWN);
}

/* --- faulty packets ------------------------------------------------------ */

static void faulty_packets_are_discarded_by_name(void **state)
{
    static const struct {
        uint8_t at, byte;
        size_t len;
        enum bfd_fault fault;
    } rows[] = {
        {0, 0x20, 23, BFD_FAULT_SHORT},
        {0, 0x20, 0, BFD_FAULT_SHORT},
        {0, 0x00, 24, BFD_FAULT_VERSION},
        {0, 0x40, 24, BFD_FAULT_VERSION},
        {3, 23, 24, BFD_FAULT_SHORT},
        {3, 25, 24, BFD_FAULT_SHORT},
        {1, BFD_UP << 6 | BFD_FLAG_AUTHENTICATION, 24, BFD_FAULT_SHORT},
        {2, 0, 24, BFD_FAULT_MULTIPLIER},
        {1, BFD_UP << 6 | BFD_FLAG_MULTIPOINT, 24, BFD_FAULT_MULTIPOINT},
        {8, 0x99, 24, BFD_FAULT_YOUR_DISCRIMINATOR},
    };
    struct bfd_status before, after;
    uint8_t packet[64];

    bring_up();
    now += SECOND;
    before = status(&a);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        memset(packet, 0, sizeof packet);
        write_packet(&(struct words){.state = BFD_DOWN}, packet);
        packet[rows[i].at] = rows[i].byte;
        assert_int_equal(bfd_receive(a.bfd, packet, rows[i].len, now), rows[i].fault);
        assert_string_not_equal(bfd_fault_name(rows[i].fault), "unknown");
    }
    write_packet(&(struct words){.state = BFD_DOWN}, packet);
    memset(packet + 4, 0, 4);
    assert_int_equal(bfd_receive(a.bfd, packet, 24, now), BFD_FAULT_MY_DISCRIMINATOR);
    write_packet(&(struct words){.state = BFD_INIT, .does_not_know_us = true}, packet);
    assert_int_equal(bfd_receive(a.bfd, packet, 24, now), BFD_FAULT_YOUR_DISCRIMINATOR);
    write_packet(&(struct words){.state = BFD_UP, .does_not_know_us = true}, packet);
    assert_int_equal(bfd_receive(a.bfd, packet, 24, now), BFD_FAULT_YOUR_DISCRIMINATOR);
    write_packet(&(struct words){.state = BFD_DOWN, .flags = BFD_FLAG_AUTHENTICATION}, packet);
    packet[3] = 26;
    assert_int_equal(bfd_receive(a.bfd, packet, 26, now), BFD_FAULT_AUTHENTICATION);

    /* Nothing has changed, and no time was gained by them. */
    after = status(&a);
    assert_int_equal(after.state, BFD_UP);
    assert_int_equal(after.detect_us, before.detect_us);
    assert_int_equal(after.rx_packets, before.rx_packets);
    assert_int_equal(after.faults[BFD_FAULT_SHORT], 5);
    assert_int_equal(after.faults[BFD_FAULT_YOUR_DISCRIMINATOR], 3);
    /* A packet that is longer than 24 bytes is all right, as is what follows it. */
    write_packet(&(struct words){.state = BFD_UP}, packet);
    packet[3] = 30;
    assert_int_equal(bfd_receive(a.bfd, packet, 40, now), BFD_OK);
}

/* --- forwarding ---------------------------------------------------------- */

static void paths_behind_the_ends(void **state)
{
    static const bool down[32] = {
        [BFD_DIAG_PATH_DOWN] = true, [BFD_DIAG_CONCATENATED_PATH_DOWN] = true, [BFD_DIAG_REVERSE_PATH_DOWN] = true};
    struct bfd_config config = ordinary;
    uint64_t flaps;

    bring_up();
    flaps = status(&a).flap_count;
    assert_int_equal(flaps, 1);
    for (uint8_t diag = 0; diag < 32; diag++) {
        hear(&(struct words){.state = BFD_UP, .diag = diag});
        assert_true(bfd_forwarding(a.bfd) == !down[diag]);
        assert_non_null(bfd_diag_text(diag));
    }
    assert_int_equal(status(&a).flap_count, flaps + 4);

    config.cpath_down = true;
    bfd_configure(a.bfd, &config, now);
    bfd_run(a.bfd, now);
    assert_int_equal(a.sent[0], 0x20 | BFD_DIAG_CONCATENATED_PATH_DOWN);
    assert_true(bfd_forwarding(a.bfd));
    config.cpath_down = false;
    bfd_configure(a.bfd, &config, now);
    bfd_run(a.bfd, now);
    assert_int_equal(a.sent[0], 0x20);
}

static void an_operator_has_the_last_word(void **state)
{
    unsigned n = a.n_changed;

    bfd_override_forwarding(a.bfd, 1);
    assert_int_equal(a.n_changed, n + 1);
    assert_true(bfd_forwarding(a.bfd));
    bring_up();
    bfd_override_forwarding(a.bfd, 0);
    assert_false(bfd_forwarding(a.bfd));
    bfd_override_forwarding(a.bfd, -1);
    assert_true(bfd_forwarding(a.bfd));
    assert_int_equal(status(&a).flap_count, 1);
}

/* forwarding_if_rx: other packets count, for 100 min_rx. */
static void traffic_is_a_sign_of_life(void **state)
{
    struct bfd_config config = ordinary;
    uint64_t start;

    config.forwarding_if_rx = true;
    config.min_rx_us = 100000;
    bfd_configure(a.bfd, &config, now);
    bring_up();
    hear(&(struct words){.state = BFD_UP, .min_tx_us = 100000});
    start = now;
    /* Other packets go on. */
    while (now < start + 9 * SECOND) {
        a.rx_packets += 5;
        run_until(&a, now + SECOND);
        assert_true(bfd_forwarding(a.bfd));
    }
    assert_int_equal(status(&a).state, BFD_DOWN);
    a.rx_packets += 5;
    run_until(&a, start + 10 * SECOND - 1);
    assert_true(bfd_forwarding(a.bfd));
    a.rx_packets += 5;
    run_until(&a, start + 10 * SECOND);
    assert_false(bfd_forwarding(a.bfd));

    /* Without other packets it is over after two seconds; its own are none. */
    bring_up();
    hear(&(struct words){.state = BFD_UP, .min_tx_us = 100000});
    start = now;
    a.rx_packets += 4;
    run_until(&a, start + 4 * SECOND);
    assert_false(bfd_forwarding(a.bfd));
}

static void it_decays_where_nothing_is_received(void **state)
{
    struct bfd_config config = ordinary;

    config.decay_min_rx_us = 3 * SECOND;
    bfd_configure(a.bfd, &config, now);
    bring_up();
    for (int i = 0; i < 7; i++) {
        hear(&(struct words){.state = BFD_UP, .flags = BFD_FLAG_FINAL});
        a.rx_packets++;
        run_until(&a, now + SECOND / 2);
    }
    assert_int_equal(status(&a).min_rx_us, 3 * SECOND);
    /* There is traffic again. */
    for (int i = 0; i < 7; i++) {
        hear(&(struct words){.state = BFD_UP, .flags = BFD_FLAG_FINAL});
        a.rx_packets += 100;
        run_until(&a, now + SECOND / 2);
    }
    assert_int_equal(status(&a).min_rx_us, SECOND);
}

/* --- two sessions -------------------------------------------------------- */

static bool cut;

static void exchange(struct end *from, struct end *to, unsigned *seen)
{
    if (from->n_sent == *seen)
        return;
    *seen = from->n_sent;
    if (!cut)
        assert_int_equal(bfd_receive(to->bfd, from->sent, BFD_PACKET_LEN, now), BFD_OK);
}

/* Both run for `us`, by millisecond, with a millisecond from one to the other. */
static void run_both(uint64_t us)
{
    static unsigned seen_a, seen_b;
    uint64_t end = now + us;

    if (a.n_sent < seen_a || b.n_sent < seen_b)
        seen_a = seen_b = 0;
    for (; now < end; now += 1000) {
        exchange(&a, &b, &seen_a);
        exchange(&b, &a, &seen_b);
        if (bfd_due_us(a.bfd) <= now)
            bfd_run(a.bfd, now);
        if (bfd_due_us(b.bfd) <= now)
            bfd_run(b.bfd, now);
    }
}

static void two_sessions_find_and_lose_each_other(void **state)
{
    struct bfd_config config = {.min_tx_us = 10000, .min_rx_us = 10000, .mult = 3};
    uint64_t start;

    bfd_destroy(a.bfd);
    begin(&a, &config, LOCAL);
    begin(&b, &config, REMOTE);
    cut = false;
    run_both(3 * SECOND);
    assert_int_equal(status(&a).state, BFD_UP);
    assert_int_equal(status(&b).state, BFD_UP);
    assert_int_equal(status(&a).flags | status(&b).flags, 0);
    assert_int_equal(status(&a).tx_interval_us, 10000);
    run_both(60 * SECOND);
    assert_int_equal(status(&a).flap_count, 1);
    assert_int_equal(status(&b).flap_count, 1);

    cut = true;
    start = now;
    while (status(&a).state == BFD_UP || status(&b).state == BFD_UP)
        run_both(1000);
    assert_in_range(now - start, 20000, 32000);
    cut = false;
    run_both(3 * SECOND);
    assert_int_equal(status(&a).state, BFD_UP);
    assert_int_equal(status(&b).state, BFD_UP);

    /* Who ends it by intention says so. */
    bfd_shut_down(a.bfd);
    assert_int_equal(bfd_receive(b.bfd, a.sent, BFD_PACKET_LEN, now), BFD_OK);
    assert_int_equal(status(&b).state, BFD_DOWN);
    assert_int_equal(status(&b).diag, BFD_DIAG_NEIGHBOR_DOWN);
    assert_int_equal(status(&b).remote_diag, BFD_DIAG_ADMIN_DOWN);
}

/* --- frames -------------------------------------------------------------- */

static const struct bfd_frame frame = {
    {0, 0x23, 0x20, 0, 0, 1}, {2, 0, 0, 0, 0, 7}, {169, 254, 1, 1}, {169, 254, 1, 0}, 50000};

static enum bfd_fault parse(uint8_t *bytes, size_t len)
{
    const uint8_t *payload;
    size_t payload_len;
    enum bfd_fault fault = bfd_frame_parse(bytes + 14, len - 14, &payload, &payload_len);

    if (fault == BFD_OK) {
        assert_ptr_equal(payload, bytes + 42);
        assert_int_equal(payload_len, BFD_PACKET_LEN);
    }
    return fault;
}

static void frames(void **state)
{
    static const struct {
        uint8_t at, byte;
        enum bfd_fault fault;
    } rows[] = {
        {14, 0x65, BFD_FAULT_NO_UDP}, {14, 0x44, BFD_FAULT_NO_UDP},   {14, 0x4f, BFD_FAULT_NO_UDP},
        {16, 0xff, BFD_FAULT_NO_UDP}, {17, 27, BFD_FAULT_NO_UDP},     {20, 0x20, BFD_FAULT_NO_UDP},
        {21, 1, BFD_FAULT_NO_UDP},    {23, 6, BFD_FAULT_NO_UDP},      {39, 7, BFD_FAULT_NO_UDP},
        {39, 33, BFD_FAULT_NO_UDP},   {22, 254, BFD_FAULT_TTL},       {24, 0, BFD_FAULT_CHECKSUM},
        {34, 1, BFD_FAULT_CHECKSUM},  {40, 0x12, BFD_FAULT_CHECKSUM}, {50, 0xff, BFD_FAULT_CHECKSUM},
    };
    uint8_t bytes[BFD_FRAME_LEN + 20], packet[BFD_PACKET_LEN];

    write_packet(&(struct words){.state = BFD_UP}, packet);
    bfd_frame_build(&frame, packet, bytes);
    assert_memory_equal(bytes, frame.eth_dst, 6);
    assert_memory_equal(bytes + 6, frame.eth_src, 6);
    assert_int_equal(bytes[22], 255);
    assert_int_equal(bytes[36] << 8 | bytes[37], 3784);
    assert_int_equal(parse(bytes, BFD_FRAME_LEN), BFD_OK);
    assert_int_equal(parse(bytes, BFD_FRAME_LEN + 20), BFD_OK); /* padding */
    for (size_t len = 14; len < BFD_FRAME_LEN; len++)
        assert_int_equal(parse(bytes, len), BFD_FAULT_NO_UDP);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        bfd_frame_build(&frame, packet, bytes);
        bytes[rows[i].at] = rows[i].byte;
        assert_int_equal(parse(bytes, BFD_FRAME_LEN), rows[i].fault);
    }
    /* UDP without a checksum. */
    bfd_frame_build(&frame, packet, bytes);
    bytes[40] = bytes[41] = 0;
    assert_int_equal(parse(bytes, BFD_FRAME_LEN), BFD_OK);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_state_and_every_word),
        TEST(silence_brings_it_down),
        TEST(a_silent_neighbor_is_forgotten),
        TEST(it_sends_slowly_until_it_is_up),
        TEST(intervals_have_jitter),
        TEST(a_change_of_state_is_told_at_once),
        TEST(a_neighbor_that_wants_nothing_gets_nothing),
        TEST(a_neighbor_in_demand_mode_is_left_in_peace),
        TEST(a_poll_is_answered_at_once),
        TEST(new_intervals_count_once_they_are_confirmed),
        TEST(a_change_during_a_poll_sequence_gets_its_own),
        TEST(detection_time_follows_the_intervals),
        TEST(faulty_packets_are_discarded_by_name),
        TEST(paths_behind_the_ends),
        TEST(an_operator_has_the_last_word),
        TEST(traffic_is_a_sign_of_life),
        TEST(it_decays_where_nothing_is_received),
        TEST(two_sessions_find_and_lose_each_other),
        TEST(frames),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
